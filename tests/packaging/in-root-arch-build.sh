#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs as root in a Debian with makepkg and what the build needs, without network: in-root-arch-build.sh DIR. DIR/arch is what `make
# arch-source` makes, and gets the packages; they are built once more, and each byte has to be the same.
set -eu
dir=$1

fail()
{
	echo "FAIL: $*"
	exit 1
}

# Always there, as by Arch's devtools: a package says where it was built. The names of what is needed are Arch's: --nodeps.
place=/startdir
build()
{
	rm -rf $place /build
	mkdir /build
	cp -r "$dir/arch" $place
	rm -f $place/*.pkg.tar.zst
	chown -R 1000:1000 $place /build
	cd $place
	setpriv --reuid 1000 --regid 1000 --clear-groups env -i PATH=/usr/bin:/bin HOME=/nonexistent LC_ALL=C.UTF-8 BUILDDIR=/build \
		SOURCE_DATE_EPOCH=1750000000 "$@"
}

ip link set lo up 2>/dev/null || true
# As in any Arch (package filesystem); the tests ask for it.
grep -qs localhost /etc/hosts || echo '127.0.0.1 localhost' >>/etc/hosts
build makepkg --config "$dir/arch-makepkg.conf" --nodeps
cp ./*.pkg.tar.zst "$dir/arch"
echo "--- once more, at another time, by somebody with other habits"
(
	umask 027
	build TZ=Asia/Kolkata LANG=C LC_ALL=C USER=somebody makepkg --config "$dir/arch-makepkg.conf" --nodeps --nocheck
)
count=0
cd $place
for package in *.pkg.tar.zst; do
	count=$((count + 1))
	cmp "$package" "$dir/arch/$package" && continue
	for file in "$package" "$dir/arch/$package"; do
		bsdtar -tvf "$file" >/tmp/"$([ "${file%/*}" = "$file" ] && echo again || echo first)"
	done
	diff /tmp/first /tmp/again || true
	fail "two builds differ"
done
[ $count = 2 ] || fail "there are $count packages"
echo "$count packages are the same, byte by byte"
