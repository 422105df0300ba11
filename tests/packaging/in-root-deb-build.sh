#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs as root in a Debian with the Build-Depends, without network: in-root-deb-build.sh TREE. The packages get beside TREE.
set -eu

# As a build daemon: somebody without a home, who does not have /usr/sbin in his PATH.
as_builder()
{
	setpriv --reuid 1000 --regid 1000 --clear-groups \
		env -i PATH=/usr/bin:/bin HOME=/nonexistent LC_ALL=C.UTF-8 DEB_BUILD_OPTIONS="parallel=$(nproc)" "$@"
}

ip link set lo up 2>/dev/null || true
cd "$1"
as_builder dpkg-buildpackage -us -uc
cd ..
echo "--- lintian"
# An override that only the lintian of another suite needs is none too many.
as_builder lintian --display-info --pedantic --show-overrides --tag-display-limit 0 --suppress-tags unused-override,mismatched-override \
	--fail-on error,warning,info,pedantic ./*.changes
