#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Script for a Debian of image.sh: tests/net/soak, with WireGuard among its flows. /t has tree/ (the source, as much as the test wants), bin/
# (mimic, and the tools of the tests) and what soak takes from its environment.
fail()
{
	echo "FAIL: $*"
	exit 1
}

modprobe -a wireguard veth nf_tables || fail "modprobe"
mkdir -p /tmp/soak
MIMIC=/t/bin/mimic TOOLS=/t/bin SRCDIR=/t/tree TEST_TMP=/tmp/soak SOAK_WIREGUARD=1 /t/tree/tests/net/soak 2>&1 || fail "tests/net/soak: $?"
# It says so where there is none.
[ -z "$(ip netns list)" ] || fail "namespaces are left"
echo "done, up $(cut -d ' ' -f 1 /proc/uptime) s"
