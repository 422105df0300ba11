#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs as root in a Debian with the Build-Depends, without network: in-root-deb-build.sh DIR VERSION. DIR/src has the source archive, and
# gets the packages; DIR/src/again gets them once more, of which each byte has to be the same.
set -eu
dir=$1 version=$2

# As a build daemon: somebody without a home, who does not have /usr/sbin in his PATH.
as_builder()
{
	setpriv --reuid 1000 --regid 1000 --clear-groups env -i PATH=/usr/bin:/bin HOME=/nonexistent LC_ALL=C.UTF-8 "$@"
}

unpack() { as_builder tar -xf "$dir/src/mimic_$version.orig.tar.xz"; }

ip link set lo up 2>/dev/null || true
cd "$dir/src"
unpack
cd "mimic-$version"
as_builder DEB_BUILD_OPTIONS="parallel=$(nproc)" dpkg-buildpackage -us -uc
cd ..
echo "--- lintian"
as_builder lintian --display-info --pedantic --show-overrides --tag-display-limit 0 --fail-on none ./*.changes | tee lintian.log
# An override that only the lintian of another suite needs is none too many.
! grep '^[EWIP]: ' lintian.log | grep -vE ': (unused|mismatched)-override ' || { echo "FAIL: lintian"; exit 1; }
grep '^O: ' lintian.log >/dev/null || { echo "FAIL: lintian says nothing, not even of what is overridden"; exit 1; }

echo "--- once more, at another time, in another directory, by somebody with other habits"
mkdir -p again/and-a-longer-name
chown -R 1000:1000 again
cd again/and-a-longer-name
cp -p ../../*.orig.tar.xz .
unpack
cd "mimic-$version"
(
	umask 027
	as_builder DEB_BUILD_OPTIONS=nocheck TZ=Asia/Kolkata LANG=C LC_ALL=C USER=somebody dpkg-buildpackage -us -uc
)
cd "$dir/src"
count=0 status=0
for package in *.deb *.debian.tar.xz; do
	count=$((count + 1))
	cmp "$package" "again/and-a-longer-name/$package" && continue
	status=1
	# What differs in it.
	for place in . again/and-a-longer-name; do
		[ "${package##*.}" = deb ] || continue
		rm -rf "$place/content"
		dpkg-deb -R "$place/$package" "$place/content"
		(cd "$place/content" && find . -printf '%M %s %TY-%Tm-%Td %p\n' | sort -k 4 && find . -type f -exec sha256sum {} + | sort -k 2) >"$place/list"
	done
	diff list again/and-a-longer-name/list || true
done
[ $count -ge 3 ] || { echo "FAIL: there are $count packages only"; exit 1; }
[ $status = 0 ] || { echo "FAIL: two builds differ"; exit 1; }
echo "$count packages are the same, byte by byte"
