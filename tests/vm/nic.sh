# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Virtual NICs between two VMs. Source this file; it has no side effects. It adds to pair.sh.
#
#   nic_test KERNEL     guest-nic.sh with virtio_net and e1000e, without the module and with it, and what was on both wires

nic_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=pair.sh
. "$nic_here/pair.sh"

# nic_test KERNEL. Environment: ROUNDS=all, more of both; also with MIMIC_LONG.
nic_test()
{
	local kernel=$1 tools root wire modules
	vm_kernel "$kernel" && tools=$(vm_tools "$kernel" udpflow) && root=$(vm_user_dir) && modules=$(kmod_modules "$kernel") && vm_need ethtool ethtool || return 1
	# QEMU completes checksums and cuts segments for an e1000e in software; a virtio_net has neither on a wire of this kind.
	pair_nics=(virtio-net-pci e1000e)
	vm_env=("DRIVERS=virtio_net e1000e")
	[ -n "${ROUNDS:-}${MIMIC_LONG:-}" ] || vm_env+=("ROUNDS=few")
	VM_TIMEOUT=${VM_TIMEOUT:-500} pair_run "$kernel" "$nic_here/guest-nic.sh" "$nic_here/guest-nic-both.sh=functions.sh" \
		"${MIMIC:-${BUILDDIR:-$vm_srcdir}/mimic}" "$tools/udpflow" "$(vm_find_tool "$root" ethtool)" "$modules/mimic.ko" || return 1
	for wire in 0 1; do
		pair_only_tcp $wire && pair_check $wire 5000,5001 --require 'data>=800' --require 'handshakes>=4' --require 'rst>=4' \
			--require max_len=1500 || return 1
	done
}
