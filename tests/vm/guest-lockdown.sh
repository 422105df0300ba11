#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script: a kernel that is locked down (lockdown=integrity, or Secure Boot) refuses the module, which is not signed by a key that it knows:
# Mimic says what to do, and goes on without it. /t has what guest-basic.sh needs, that, and mimic.ko. $THEN: what follows (default:
# guest-basic.sh).
# shellcheck source-path=SCRIPTDIR source=guest-lib.sh
. ./guest-lib.sh

# refused COMMAND...: the kernel does not take the module from it, in one of the two ways of which Mimic speaks.
refused()
{
	"$@" 2>/tmp/refused.log && fail "$1 succeeds"
	grep -e 'Operation not permitted' -e 'Key was rejected by service' /tmp/refused.log || fail "$1 says something else"
	[ ! -e /sys/module/mimic ] || fail "$1: the module is loaded"
}

# said TEXT...: in the messages of the last load_here
said()
{
	local text
	for text; do
		grep -q "$text" /tmp/load.log || fail "nothing is said of '$text'"
	done
}

load_here() { ./mimic run --check "$@" -f local=10.77.0.1:5000 here >/tmp/load.log 2>&1; }

uname -rm
mount -t securityfs securityfs /sys/kernel/security || fail "securityfs"
grep '\[integrity\]' /sys/kernel/security/lockdown || fail "not locked down"
boot=
if [ -d /sys/firmware/efi ]; then
	modprobe efivarfs && mount -t efivarfs efivarfs /sys/firmware/efi/efivars || fail "efivarfs"
	boot=', with Secure Boot'
fi
modules=/lib/modules/$(uname -r)
mkdir -p "$modules/updates/dkms" && cp mimic.ko "$modules/updates/dkms" && echo updates/dkms/mimic.ko: >>"$modules/modules.dep" ||
	fail "installing the module"
refused insmod mimic.ko
refused modprobe mimic

ip link add here type veth peer name there && ip link set here up || fail "veth"
load_here --datapath=kfunc && fail "--datapath=kfunc goes on"
said '^error: Datapath kfunc is not possible' 'try `modprobe mimic`' 'mokutil --import /var/lib/dkms/mok.pub' 'shim-signed/mok/MOK.der'
load_here || fail "does not run without the module"
said '^warn: Datapath: bpf' 'try `modprobe mimic`' 'mokutil --import /var/lib/dkms/mok.pub' 'shim-signed/mok/MOK.der'
cat /tmp/load.log
# It has other findings, too, and ends with its own status.
./mimic check -f local=10.77.0.1:5000 here >/tmp/load.log 2>&1
cat /tmp/load.log
said "locked down (integrity$boot)" 'mokutil --import /var/lib/dkms/mok.pub' 'shim-signed/mok/MOK.der'
ip link del here
rm "$modules/updates/dkms/mimic.ko"

echo "--- traffic"
# shellcheck source-path=SCRIPTDIR source=guest-basic.sh
. "./${THEN:-guest-basic.sh}"
