# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# service_test KERNEL: guest-unit.sh in the Debian of that kernel, with what `make install` makes. Source this file, which adds to image.sh.

# shellcheck source-path=SCRIPTDIR source=image.sh
. "$(dirname "${BASH_SOURCE[0]}")/image.sh"

service_test()
{
	local tools
	make -s -C "$BUILDDIR" install DESTDIR="$TEST_TMP/root" systemdsystemunitdir=/usr/lib/systemd/system >"$TEST_TMP/install.log" 2>&1 || { cat "$TEST_TMP/install.log"; return 1; }
	if ! find "$TEST_TMP/root" -name 'mimic@.service' | grep -q .; then
		vm_log "no unit was installed: libsystemd-dev was missing when configure ran"
		return 1
	fi
	vm_kernel "$1" && tools=$(vm_tools "$1" udpflow wirecheck) || return 1
	# A script that ends too early would be a success, too.
	VM_TIMEOUT=${VM_TIMEOUT:-840} image_run "$1" "$vm_here/guest-unit.sh" "$vm_here/guest-lib.sh" "$tools"/{udpflow,wirecheck} "$TEST_TMP/root" |
		tee "$TEST_TMP/said" && [ "${PIPESTATUS[0]}" = 0 ] && grep -q '^done, up' "$TEST_TMP/said"
}
