#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script: the module as DKMS installed it, loaded by modprobe, and traffic with it (guest-basic.sh). /t has what that needs,
# installed/ (mimic.ko, compressed or not), and depmod, modinfo and modprobe of kmod: busybox's know fewer formats.
# shellcheck source-path=SCRIPTDIR source=guest-lib.sh
. ./guest-lib.sh

modules=/lib/modules/$(uname -r)
mkdir -p "$modules/updates/dkms"
cp installed/mimic.ko* "$modules/updates/dkms" || fail "no module"
./depmod || fail "depmod"
./modinfo mimic >/tmp/modinfo.log || fail "modinfo"
cat /tmp/modinfo.log
grep -q "^filename: *$modules/updates/dkms/mimic.ko" /tmp/modinfo.log || fail "modprobe would take another module"
grep -q '^signer: *DKMS' /tmp/modinfo.log || fail "not signed by DKMS"
grep -q '^sig_key: *[0-9A-F]' /tmp/modinfo.log || fail "no key of the signature"
./modprobe mimic || fail "modprobe mimic"
[ -e /sys/kernel/btf/mimic ] || fail "the module has no BTF"
equal "$(cat /sys/module/mimic/version)" "$(sed -n 's/^version: *//p' /tmp/modinfo.log)" "the version that is loaded"
# shellcheck disable=SC2034 # for guest-basic.sh
LEVEL=kfunc MORE=1
. ./guest-basic.sh
poll 20 "modprobe -r mimic" ./modprobe -r mimic 2>/dev/null
[ ! -e /sys/module/mimic ] || fail "the module is still there"
echo "done, up $(uptime_s) s"
