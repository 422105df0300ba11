# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Packages as their users meet them: two virtual machines with a whole Debian each, joined by a wire. Source this file; it has no
# side effects. It adds to lib.sh and to tests/vm/image.sh.
#
#   packaging_vm KERNEL [NEXT]     from nothing to WireGuard by the commands of README's "Install", in the Debian of that kernel (of
#                                  tests/vm/kernels): a reboot, another kernel NEXT installed and booted, removal, purge
#
#       +-- left VM ------------+            +-- right VM -----------+
#       |  wg0  10.99.0.1/24    |            |  wg0  10.99.0.2/24    |
#       |  eth0 192.0.2.1/24  o-+------------+-o     192.0.2.2/24    |
#       +-----------------------+            +-----------------------+
#
# guest-install.sh runs in both, once for each start of a machine; what one leaves on its disk the next start finds. A directory of the
# host that both have tells one what the other has done. Neither has a network but the wire: apt has an archive of what it needs.

packaging_vm_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$packaging_vm_here/lib.sh"
# shellcheck source-path=SCRIPTDIR source=../vm/image.sh
. "$packaging_vm_here/../vm/image.sh"

# packaging_commands before|after: prints the commands of README's section "Install" for Debian, which is the first; those before `cd`, or
# those after it.
packaging_commands()
{
	sed -n '/^## Install/,/^On Fedora/p' "$kmod_srcdir/README.md" |
		awk -v part="$1" 'sub(/^    /, "") { if (/^cd /) { cd = 1; next } if (cd == (part == "after")) print }'
}

# packaging_vm_archive KERNEL NEXT DIR: DIR/debs gets Mimic's packages, DIR/repo what else apt may want. (After vm_kernel.)
packaging_vm_archive()
{
	local kernel=$1 next=$2 dir=$3 suite=$vm_suite archive root uri release sources next_release='' next_suite=''
	uri=$(vm_mirror) && release=$(kmod_release "$kernel") || return 1
	if [ -n "$next" ]; then
		vm_kernel "$next" && next_release=$(kmod_release "$next") || return 1
		next_suite=$vm_suite
		vm_kernel "$kernel" || return 1
	fi
	mkdir -p "$dir/debs" "$dir/repo/partial" "$dir/build" && archive=$(packaging_archive "$dir") &&
		tar -x -C "$dir/build" -f "$dir/$archive" || return 1
	packaging_commands before >"$dir/commands"
	[ -s "$dir/commands" ] || { vm_log "README has no commands that make packages"; return 1; }
	# What the machines will want, while nothing of it is installed; then the packages by those commands. (dpkg-dev makes the archive's list.)
	# shellcheck disable=SC2016
	sources='
		dir=$1 suite=$2 uri=$3
		export DEBIAN_FRONTEND=noninteractive DEB_BUILD_OPTIONS=nocheck
		echo "APT::Get::Assume-Yes \"true\"; APT::Sandbox::User \"root\";" >/etc/apt/apt.conf.d/yes
		for from in "$suite" $6; do
			echo "deb [check-valid-until=no] $uri $from main"
		done >/etc/apt/sources.list
		apt-get -q update'
	# shellcheck disable=SC2016
	{
		root=$(kmod_root "$suite" apt) && kmod_in "$root" bash -exc "$sources"'
			release=$4 next_release=$5
			# (As if nothing were installed: the machines may have older packages than this root.)
			apt=(apt-get -q -o Dir::State::status=/dev/null -o Dir::Cache::archives="$dir/repo" install --download-only --no-install-recommends)
			"${apt[@]}" dkms gcc make wireguard-tools man-db bash-completion iproute2 libbpf1 libjansson4 libmnl0 libseccomp2 libsystemd0 \
				"linux-headers-$release"
			[ -z "$next_release" ] || "${apt[@]}" -t "$6" "linux-image-$next_release" "linux-headers-$next_release"
		' bash "$dir" "$suite" "$uri" "$release" "$next_release" "$next_suite" &&
			root=$(kmod_root "$suite" dpkg-dev) && kmod_in "$root" bash -exc "$sources"'
			cd "$dir"/build/mimic-*
			. "$dir/commands"
			cp packages/deb/*.deb "$dir/debs"
			rm -rf "$dir/repo/partial" "$dir/repo/lock"
			cd "$dir/repo"
			dpkg-scanpackages --multiversion . >Packages 2>/dev/null
		' bash "$dir" "$suite" "$uri"
	} >"$dir/build.log" 2>&1 && return
	tail -n 60 "$dir/build.log"
	vm_log "the packages of $suite were not made by what README says"
	return 1
}

# packaging_vm_side SIDE KERNEL PHASE DIR: one machine, once.
packaging_vm_side()
(
	side=$1 kernel=$2 dir=$4 server=on host=1
	[ "$side" = left ] || { server=off host=2; }
	cd "$dir" || exit 1
	image_disk=$dir/$side.ext4
	vm_qemu_args=(-smp 1 -netdev "stream,id=wire,server=$server,addr.type=unix,addr.path=wire"
		      -device "virtio-net-pci,netdev=wire,mac=52:54:00:77:00:0$host,romfile="
		      -fsdev "local,id=both,path=$dir/both,security_model=none" -device "virtio-9p-pci,fsdev=both,mount_tag=both")
	vm_env=("SIDE=$side" "PHASE=$3" "NEXT=$packaging_next" "VERSION=$(kmod_version)")
	# shellcheck disable=SC2030
	export VM_DIR=$dir/$side.$3 VM_ACCEL=${VM_ACCEL:-tcg} VM_TIMEOUT=${VM_TIMEOUT:-3000} VM_MEMORY=1024
	image_run "$kernel" "$packaging_vm_here/guest-install.sh" "$dir/commands.after" "$dir/debs" "$dir/repo"
)

# packaging_vm_phase KERNEL PHASE DIR: both machines start, do what guest-install.sh does then, and shut down.
packaging_vm_phase()
{
	local kernel=$1 phase=$2 dir=$3 left right status=0
	vm_log "$kernel: $phase"
	rm -rf "$dir/wire" "$dir/both"
	mkdir -p "$dir/both"
	packaging_vm_side left "$kernel" "$phase" "$dir" >"$dir/left.out" 2>&1 &
	left=$!
	for _ in {1..600}; do
		if [ -S "$dir/wire" ] || ! kill -0 "$left" 2>/dev/null; then
			break
		fi
		sleep 0.2
	done
	packaging_vm_side right "$kernel" "$phase" "$dir" >"$dir/right.out" 2>&1 &
	right=$!
	wait "$left" || status=$?
	[ "$status" = 0 ] || touch "$dir/both/left.failed"
	wait "$right" || status=$?
	echo "=== $phase, left"
	cat "$dir/left.out"
	echo "=== $phase, right"
	cat "$dir/right.out"
	# A script that ends before its last line has not done what it is there for.
	if [ "$status" = 0 ] && ! { grep -q "^$phase: done" "$dir/left.out" && grep -q "^$phase: done" "$dir/right.out"; }; then
		vm_log "$phase: a script ended early"
		status=1
	fi
	return "$status"
}

packaging_vm()
{
	local kernel=$1 next=${2:-} dir=$kmod_tmp/install phase
	vm_kernel "$kernel" || return 1
	packaging_next=
	if [ -n "$next" ]; then
		vm_kernel "$next" && packaging_next=$(kmod_release "$next") && vm_base "$next" >/dev/null && vm_kernel "$kernel" || return 1
	fi
	image_packages+=,apt,dpkg,bash,systemd
	image_size=6144
	mkdir -p "$dir" && packaging_vm_archive "$kernel" "$next" "$dir" || return 1
	packaging_commands after >"$dir/commands.after"
	[ -s "$dir/commands.after" ] || { vm_log "README has no commands that install packages"; return 1; }
	vm_base "$kernel" >/dev/null && image_of "$kernel" >/dev/null || return 1
	for phase in install up; do
		packaging_vm_phase "$kernel" "$phase" "$dir" || return 1
	done
	if [ -n "$next" ]; then
		packaging_vm_phase "$kernel" next "$dir" && packaging_vm_phase "$next" up "$dir" || return 1
	fi
	packaging_vm_phase "$kernel" remove "$dir"
}
