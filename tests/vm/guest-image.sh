#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script, as the first process: hands over to the Debian on the disk (image.sh).
for module in virtio_blk ext4 9p 9pnet_virtio; do
	modprobe -q $module
done
mkdir /disk
for _ in 1 2 3 4 5 6 7 8 9 10; do
	mount -t ext4 /dev/vda /disk 2>/dev/null && break
	sleep 0.5
done
if ! mount -t 9p -o trans=virtio,version=9p2000.L,msize=131072 share /disk/t; then
	# The ports that init found.
	# shellcheck disable=SC2154
	echo "no disk, or no directory of the host" >"$out"
	# shellcheck disable=SC2154
	echo 125 >"$status"
	poweroff -f
fi
umount /sys/fs/bpf /sys/kernel/tracing 2>/dev/null
for dir in /dev/shm /dev/pts /run; do
	umount $dir
done
for dir in dev proc sys; do
	mount --move /$dir /disk/$dir
done
exec switch_root /disk /sbin/init
