#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Script for a Debian of image.sh: systemd is up, what `make install` made is installed, and carries datagrams (guest-basic.sh).
# /t has what that needs but mimic, and root/, which `make install` filled.
# shellcheck source-path=SCRIPTDIR source=guest-lib.sh
. ./guest-lib.sh

cat /etc/debian_version
equal "$(cat /proc/1/comm)" systemd "the first process"
equal "$SYSTEM_STATE" running "the state of the system"
echo "running, up $(uptime_s) s"
systemd-detect-virt
systemctl --no-pager --version | head -n 1

(cd root && find . ! -type d)
cp -a root/. / || fail "installing"
mimic --version || fail "mimic --version"
ln -s "$(command -v mimic)" mimic
# shellcheck disable=SC2034 # for guest-basic.sh
MORE=1
. ./guest-basic.sh
equal "$(systemctl is-system-running)" running "the state of the system at the end"
echo "done, up $(uptime_s) s"
