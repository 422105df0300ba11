#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs as root in a Debian with rpm and what the build needs, without network: in-root-rpm-build.sh DIR VERSION. DIR has the source
# archive and gets the packages in RPMS and SRPMS; they are built once more, and each byte has to be the same.
set -eu
dir=$1 version=$2

fail()
{
	echo "FAIL: $*"
	exit 1
}

# As a build daemon: somebody without a home, who does not have /usr/sbin in his PATH. The names of what is needed are Fedora's: --nodeps.
as_builder()
{
	setpriv --reuid 1000 --regid 1000 --clear-groups env -i PATH=/usr/bin:/bin HOME=/nonexistent LC_ALL=C.UTF-8 "$@"
}

ip link set lo up 2>/dev/null || true
mkdir -p /etc/rpm
cp "$dir/fedora.macros" /etc/rpm/macros.fedora
# Always there, as by Fedora's mock: the build-ids depend on the directory's length.
place=/builddir/build
prepare()
{
	rm -rf $place
	mkdir -p $place/SOURCES
	cp "$dir/mimic-$version.tar.xz" $place/SOURCES
	chown -R 1000:1000 $place
	cd $place
}

prepare
as_builder tar -xf "SOURCES/mimic-$version.tar.xz" --strip-components 2 "mimic-$version/rpm"
as_builder rpmbuild -ba --nodeps --define "_topdir $place" mimic-tools.spec

echo "--- rpmlint"
as_builder rpmlint --config "$dir/fedora-rpmlint.toml" --rpmlintrc mimic-tools.rpmlintrc mimic-tools.spec SRPMS/*.rpm \
	RPMS/*/mimic-{tools,dkms}-"$version"-*.rpm | tee rpmlint.log
grep -q '^ 3 packages and 1 specfiles checked; 0 errors, 0 warnings, ' rpmlint.log || fail "rpmlint"

echo "--- once more, from the archive alone, at another time, by somebody with other habits"
cp -r RPMS SRPMS "$dir"
prepare
as_builder TZ=Asia/Kolkata LANG=C LC_ALL=C USER=somebody rpmbuild -ta --nodeps --nocheck --define "_topdir $place" "SOURCES/mimic-$version.tar.xz"
count=0 status=0
for package in SRPMS/*.rpm RPMS/*/*.rpm; do
	count=$((count + 1))
	other=$dir/$package
	cmp "$package" "$other" && continue
	status=1
	# What differs in it.
	for file in "$package" "$other"; do
		rpm -qp --dump "$file" >"$file.list"
		rpm -qp --xml "$file" >"$file.xml"
	done
	diff "$package.list" "$other.list" || true
	diff "$package.xml" "$other.xml" | head -n 40 || true
done
[ $count -ge 6 ] || fail "there are $count packages only"
[ $status = 0 ] || fail "two builds differ"
echo "$count packages are the same, byte by byte"
