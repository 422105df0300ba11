#!/bin/bash
# not a test
# SPDX-License-Identifier: GPL-2.0-only
#
# A whole Debian, with systemd as its first process, in a virtual machine. Source this file, which adds to lib.sh; or by hand:
# `image.sh SCRIPT [FILE...]` boots Debian 13 and runs SCRIPT.
#
#   image_run KERNEL SCRIPT [FILE...]   boot the Debian of the kernel's suite, run SCRIPT in it, return its exit status
#
# It boots in two steps: the guest of lib.sh, whose init hands over to guest-image.sh; that mounts the disk, and on its /t a
# directory of the host (9p), which holds what a test brings and takes what it leaves. In the Debian a service runs SCRIPT
# when systemd says that all is up. In the cache:
#
#   image/SUITE-KERNEL-HASH.ext4        a Debian with the packages that HASH stands for; no run changes it

image_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$image_here/lib.sh"

# What the image holds besides essential packages, separated by commas: set it, or add to it, before image_run.
image_packages=systemd-sysv,udev,dbus,kmod,iproute2,iputils-ping,procps,bpftool,libbpf1,libelf1t64,libmnl0,libjansson4,libseccomp2,zlib1g
# MiB; what is not used takes no room.
image_size=3072

# image_make KERNEL FILE: (After vm_kernel.)
image_make()
{
	local kernel file=$2 root=$2.root uri
	trap 'rm -rf "$root"' EXIT
	kernel=$(vm_kernel_dir "$1") && uri=$(vm_mirror) && vm_need mmdebstrap mmdebstrap && vm_need mke2fs e2fsprogs || return 1
	vm_log "making an image of Debian $vm_suite with $image_packages"
	mmdebstrap --quiet --variant=essential --architectures="$vm_arch" --include="$image_packages" \
		--aptopt='APT::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		"$vm_suite" "$root" "deb [check-valid-until=no] $uri $vm_suite main" || return 1
	cp -a "$kernel"/usr/lib/modules "$root/usr/lib" || return 1
	mkdir -p "$root/t" "$root/etc/systemd/system/multi-user.target.wants"
	echo guest >"$root/etc/hostname"
	: >"$root/etc/fstab"
	: >"$root/etc/machine-id"
	cat >"$root/etc/systemd/system/vm-script.service" <<-'END'
		[Unit]
		Description=The script of the test
		RequiresMountsFor=/t
		[Service]
		Type=exec
		ExecStart=/bin/sh /t/service
	END
	ln -s ../vm-script.service "$root/etc/systemd/system/multi-user.target.wants"
	mke2fs -q -t ext4 -E root_owner=0:0 -d "$root" "$file" "${image_size}M"
}

# image_of KERNEL: prints the path of the image. Those that no run used for a month are removed. (After vm_kernel.)
image_of()
{
	local hash
	find "$vm_cache/image" -mindepth 1 -maxdepth 1 -ctime +30 -delete 2>/dev/null
	hash=$( (echo "$image_packages $image_size"; declare -f image_make) | sha256sum | cut -c 1-12)
	vm_cached "image/$vm_suite-$1-$hash.ext4" image_make "$1"
}

# image_run KERNEL SCRIPT [FILE[=NAME]...]: boots the Debian and runs SCRIPT by /bin/sh as root in /t, where the FILEs are (programs find
# the libraries of the image only). The argument and status are those of vm_run, and so are its environment variables; what the script
# leaves in /t/result is copied to VM_DIR/result, if VM_DIR is set. The script sees in $SYSTEM_STATE what `systemctl is-system-running`
# said when the start was over. The Debian is switched off afterwards, not shut down; but it is if image_disk names a file: that is its disk
# then, a copy of the image when it is not there yet, and keeps what the Debian changes.
image_disk=

image_run()
(
	name=$1 script=$2
	shift 2
	vm_kernel "$name" || exit "$vm_no_result"
	if [ -z "$image_disk" ] || [ ! -e "$image_disk" ]; then
		image=$(image_of "$name") || exit "$vm_no_result"
	fi
	share=$(mktemp -d "${TEST_TMP:-${TMPDIR:-/tmp}}/share.XXXXXX") || exit "$vm_no_result"
	trap 'rm -rf "$share"' EXIT
	mkdir "$share/result"
	cp "$script" "$share/script" && cp "$image_here/guest-service.sh" "$share/service" || exit "$vm_no_result"
	for file; do
		to=${file##*=}
		cp -a "${file%%=*}" "$share/${to##*/}" || exit "$vm_no_result"
	done
	for file in "${vm_env[@]}"; do
		printf 'export %q\n' "$file"
	done >"$share/env"
	vm_env=(VM_INIT=1)
	snapshot=on
	if [ -n "$image_disk" ]; then
		[ -e "$image_disk" ] || cp --sparse=always "$image" "$image_disk" || exit "$vm_no_result"
		image=$image_disk snapshot=off
		echo 'export SHUT_DOWN=1' >>"$share/env"
	fi
	vm_qemu_args+=(-drive "if=none,id=disk,format=raw,snapshot=$snapshot,file=$image" -device "virtio-blk-$vm_bus,drive=disk"
		-fsdev "local,id=share,path=$share,security_model=none" -device "virtio-9p-$vm_bus,fsdev=share,mount_tag=share")
	VM_MEMORY=${VM_MEMORY:-1024} vm_run "$name" "$image_here/guest-image.sh"
	status=$?
	[ -z "${VM_DIR:-}" ] || cp -a "$share/result" "$VM_DIR"
	exit $status
)

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	[ $# -gt 0 ] || { sed -n '6s/^# //p' "$0" >&2; exit 2; }
	image_run amd64-6.12 "$@"
fi
