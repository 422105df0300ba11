# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# What `make install` makes, in a whole Debian. Source this file, which adds to image.sh.
#
#   service_test KERNEL     guest-unit.sh: the unit mimic@ in the Debian of that kernel
#   examples_test KERNEL    guest-examples.sh: docs/examples there

# shellcheck source-path=SCRIPTDIR source=image.sh
. "$(dirname "${BASH_SOURCE[0]}")/image.sh"

# service_run KERNEL SCRIPT TOOLS FILE...: what is installed is root/ there
service_run()
{
	local kernel=$1 script=$2 tools dir
	tools=$3
	shift 3
	make -s -C "$BUILDDIR" install DESTDIR="$TEST_TMP/root" systemdsystemunitdir=/usr/lib/systemd/system >"$TEST_TMP/install.log" 2>&1 || { cat "$TEST_TMP/install.log"; return 1; }
	if ! find "$TEST_TMP/root" -name 'mimic@.service' | grep -q .; then
		vm_log "no unit was installed: libsystemd-dev was missing when configure ran"
		return 1
	fi
	# shellcheck disable=SC2086 # a list
	vm_kernel "$kernel" && dir=$(vm_tools "$kernel" $tools) || return 1
	for tools in $tools; do
		set -- "$@" "$dir/$tools"
	done
	VM_TIMEOUT=${VM_TIMEOUT:-840} image_run "$kernel" "$vm_here/$script" "$vm_here/guest-lib.sh" "$TEST_TMP/root" "$@"
}

service_test()
{
	local other=$TEST_TMP/mimic-other
	# A program of another ABI, for an upgrade.
	printf '\143\0\0\0' >"$TEST_TMP/abi"
	objcopy --update-section .mimic.abi="$TEST_TMP/abi" "$MIMIC" "$other" || return 1
	service_run "$1" guest-unit.sh "udpflow wirecheck" "$other" "$SRCDIR"/docs/examples/mimic-stats.{service,timer}
}

examples_test()
{
	service_run "$1" guest-examples.sh wirecheck "$SRCDIR/docs/examples"
}
