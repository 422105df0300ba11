#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The service of a Debian of image.sh: runs /t/script when the start is over, and hands its output and its exit status to the host.
cd /t || exit
# shellcheck disable=SC1091
. ./env
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
# udev makes the ports' names when it gets to it; without them all that is said here would be lost.
for _ in $(seq 600); do
	[ -c /dev/virtio-ports/mimic.out ] && [ -c /dev/virtio-ports/mimic.status ] && break
	sleep 0.2
done
SYSTEM_STATE=$(systemctl is-system-running --wait)
export SYSTEM_STATE
if [ "$SYSTEM_STATE" != running ]; then
	systemctl --no-pager --failed
	journalctl --no-pager -b -p warning
fi >/dev/virtio-ports/mimic.out
sh ./script >>/dev/virtio-ports/mimic.out 2>&1
echo $? >/tmp/status
sync
cat /tmp/status >/dev/virtio-ports/mimic.status
sleep 0.2
if [ -n "${SHUT_DOWN:-}" ]; then
	systemctl poweroff
else
	systemctl poweroff -ff
fi
