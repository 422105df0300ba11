#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script, after guest-lockdown.sh, which mounts efivarfs: enrols the key of the list /t/keys (EFI_SIGNATURE_LIST).
#
# On a user's machine `mokutil --import` asks shim for that, which asks the user at the next start, and from then on shows the kernel its list
# in the variable MokListRT. There is no shim here: the guest writes that variable itself, and the firmware keeps it. For the kernel it is the
# same: it takes it at its start.
# shellcheck source-path=SCRIPTDIR source=guest-lib.sh
. ./guest-lib.sh

mok=/sys/firmware/efi/efivars/MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23
[ ! -e $mok ] || fail "there are keys already"
# Before the list its attributes: to be kept, and read by both firmware and kernel. It has to be one write.
{ printf '\007\000\000\000' && cat keys; } >/tmp/keys
dd if=/tmp/keys of=$mok bs=64k 2>/tmp/dd.log || fail "the variable is not written"
[ "$(sha256sum <$mok)" = "$(sha256sum </tmp/keys)" ] || fail "the variable is not what was written"
echo "the key is enrolled"
echo "done, up $(uptime_s) s"
