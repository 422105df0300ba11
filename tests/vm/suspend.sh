# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# One of two VMs is suspended to RAM. Source this file; it has no side effects. It adds to pair.sh.
#
#   suspend_test KERNEL     guest-suspend.sh, and what was on the wire. Environment: SLEEP_S, for how long

suspend_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=pair.sh
. "$suspend_here/pair.sh"

# suspend_pair KERNEL UDPFLOW: in a network namespace of its own
suspend_pair()
{
	ip link set lo up || return 1
	# shellcheck disable=SC2034 # of pair.sh
	pair_lossy=yes
	# shellcheck disable=SC2034 # of lib.sh
	vm_env=("SLEEP_S=${SLEEP_S:-45}")
	VM_TIMEOUT=${VM_TIMEOUT:-700} pair_run "$1" "$suspend_here/guest-suspend.sh" "$suspend_here/guest-suspend-both.sh=functions.sh" \
		"${MIMIC:-${BUILDDIR:-$vm_srcdir}/mimic}" "$2"
}

suspend_test()
{
	local tools
	# What has to be downloaded, while there is a network.
	vm_kernel "$1" && vm_base "$1" >/dev/null && tools=$(vm_tools "$1" udpflow) || return 1
	# shellcheck disable=SC2016
	unshare --net bash -c '. "$1" && suspend_pair "$2" "$3"' bash "$suspend_here/suspend.sh" "$1" "$tools/udpflow" &&
		pair_only_tcp 0
}
