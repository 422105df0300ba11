# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The deployed peer: the mimic that Debian 13 packages, with its module, to talk to this product in a second VM. Source this
# file; it has no side effects. It adds to pair.sh.
#
#   peer_dir KERNEL             fetch and build the peer for a kernel of Debian 13; prints its directory: mimic.sh (runs
#                               mimic with the libraries in root/), mimic.ko, version, help
#   peer_test KERNEL LEVEL      guest-peer.sh with the product at a level of its datapath (bpf, kfunc) in left and the peer in
#                               right, and what was on the wire
#
# In the cache:
#
#   peer/VERSION-KERNEL-RELEASE/        what peer_dir prints

peer_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=pair.sh
. "$peer_here/pair.sh"

peer_version=0.7.0
peer_parts="keepalive exchange crossing bulk wireguard restart"
peer_bulk_bytes=40000000

# peer_fetch KERNEL RELEASE DIR: DKMS builds the module in a Debian where the packages are installed. (After vm_kernel.)
peer_fetch()
{
	local kernel=$1 release=$2 dir=$3 kdir root version
	kdir=$(kmod_headers "$kernel") &&
		root=$(kmod_root "$vm_suite" dkms gcc make libc6-dev kmod openssl xz-utils zstd pahole libssl3t64 mimic mimic-dkms) ||
		return 1
	version=$(dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${Version}' mimic) || return 1
	if [ "${version%%[+-]*}" != "$peer_version" ]; then
		vm_log "mimic of $vm_suite is $version, no longer $peer_version: see tests/vm/peer.sh"
		return 1
	fi
	mkdir -p "$dir/root" && echo "$version" >"$dir/version"
	# shellcheck disable=SC2016
	kmod_in "$root" bash -ec '
		release=$1 kdir=$2 dir=$3
		source=$(echo /usr/src/mimic-*)
		version=${source#/usr/src/mimic-}
		mkdir -p /lib/modules/"$release"
		ln -s "$kdir" /lib/modules/"$release"/build
		dkms build -m mimic -v "$version" -k "$release" ||
			{ cat /var/lib/dkms/mimic/"$version"/build/make.log; exit 1; }
		for file in /var/lib/dkms/mimic/"$version/$release"/*/module/mimic.ko*; do
			case $file in
			*.xz) xz -dc "$file" ;;
			*.zst) zstd -qdc "$file" ;;
			*.gz) gzip -dc "$file" ;;
			*) cat "$file" ;;
			esac >"$dir/mimic.ko"
		done
		mimic --help >"$dir/help" 2>&1
	' bash "$release" "$kdir" "$dir" || return 1
	modinfo "$dir/mimic.ko" | grep -E '^(version|vermagic):' || return 1
	cp "$root/usr/sbin/mimic" "$dir/mimic" && vm_libraries "$root" "$dir/root" "$dir/mimic" || return 1
	# Its own libraries and their loader, beside those of the guest.
	cat >"$dir/mimic.sh" <<-END
		#!/bin/sh
		exec /t/peer/root/usr/lib64/ld-linux-x86-64.so.2 --library-path /t/peer/root/usr/lib/$vm_triplet --argv0 mimic \\
			/t/peer/mimic "\$@"
	END
	chmod +x "$dir/mimic.sh"
}

# peer_dir KERNEL
peer_dir()
{
	local release
	vm_kernel "$1" && release=$(kmod_release "$1") &&
		vm_cached "peer/$peer_version-$1-$release" peer_fetch "$1" "$release"
}

# peer_wire PARTS: what was on the wire, by the ports of guest-peer.sh
peer_wire()
{
	local port address left right bulk=${BULK_BYTES:-$peer_bulk_bytes}
	pair_only_tcp 0 || return 1
	case " $1 " in
	*" exchange "*)
		pair_check 0 5000,5001,5002,5003,5100,5101,5102,5103 --require 'data>=1500' --require 'handshakes>=16' \
			--require flows=16 --require max_len=1500 --require seq_gaps=0 || return 1 ;;
	esac
	case " $1 " in
	*" crossing "*)
		pair_check 0 5200,5201 --require 'data>=200' --require flows=4 || return 1
		for port in 5200 5201; do
			for address in 10.77.0.1 fd77::1; do
				read -r left right <<<"$(pair_syns 0 $address $port)"
				[ "$left" -gt 0 ] && [ "$right" -gt 0 ] && continue
				vm_log "port $port of $address: SYNs of left and right: $left $right: they did not begin at once"
				return 1
			done
		done ;;
	esac
	case " $1 " in
	*" keepalive "*)
		pair_check 0 5300,5301 --require 'keepalives>=6' --require 'handshakes>=2' --require flows=2 || return 1 ;;
	esac
	case " $1 " in
	*" bulk "*)
		pair_check 0 5500,5501 --require "data_bytes>=$((bulk * 37 / 20))" --require 'handshakes>=2' \
			--require 'probes>=1' --require beyond_window=0 || return 1 ;;
	esac
	case " $1 " in
	*" wireguard "*)
		pair_check 0 5600,5601 --require 'handshakes>=2' --require flows=2 --require max_len=1500 || return 1 ;;
	esac
	case " $1 " in
	*" restart "*) pair_check 0 5400,5401 --require 'handshakes>=4' ;;
	esac
}

# peer_test KERNEL LEVEL. Environment: those of guest-peer.sh.
peer_test()
{
	local kernel=$1 level=$2 tool path root peer modules tools name files=()
	peer=$(peer_dir "$kernel") && vm_kernel "$kernel" && root=$(vm_user_dir) || return 1
	for tool in wg:wireguard-tools ping:iputils-ping iperf3:iperf3; do
		path=$(vm_find_tool "$root" "${tool%:*}") || vm_need "${tool%:*}" "${tool#*:}" || return 1
		files+=("$path")
	done
	if [ "$level" = kfunc ]; then
		modules=$(kmod_modules "$kernel") || return 1
		files+=("$modules/mimic.ko")
	fi
	tools=$(vm_tools "$kernel" udpflow) || return 1
	vm_env=("LEVEL=$level" "BULK_BYTES=${BULK_BYTES:-$peer_bulk_bytes}" "PARTS=${PARTS:-$peer_parts}")
	for name in BULK_RATE STREAM_BYTES CROSSING CROSSING_MS; do
		[ -z "${!name+set}" ] || vm_env+=("$name=${!name}")
	done
	VM_TIMEOUT=${VM_TIMEOUT:-600} pair_run "$kernel" "$peer_here/guest-peer.sh" "$peer_here/guest-peer-both.sh=functions.sh" \
		"${MIMIC:-${BUILDDIR:-$vm_srcdir}/mimic}" "$tools/udpflow" "$peer=peer" "${files[@]}" || return 1
	peer_wire "${PARTS:-$peer_parts}"
}
