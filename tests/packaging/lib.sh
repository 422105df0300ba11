# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Packages of distributions, built from the source archive and installed. Source this file; it has no side effects.
# It adds to tests/kmod/lib.sh, whose roots of Debian it uses.
#
#   packaging_debian SUITE [OLD]     Debian's packages in a Debian of that suite; OLD: the version of Mimic there, which they replace
#   packaging_fedora                 Fedora's, by Debian's rpm, in a Debian: there is no Fedora here
#   packaging_arch                   Arch Linux's, by Debian's makepkg and pacman, in a Debian
#
# All functions return non-zero on errors, after a message on stderr.

packaging_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../kmod/lib.sh
. "$packaging_here/../kmod/lib.sh"

# packaging_archive DIR: puts the source archive there, and prints its name.
packaging_archive()
{
	make -C "$BUILDDIR" dist >"$1/dist.log" 2>&1 && mv "$BUILDDIR/mimic-$(kmod_version).tar.xz" "$1" &&
		echo "mimic-$(kmod_version).tar.xz" && return
	cat "$1/dist.log"
	vm_log "make dist failed"
	return 1
}

# packaging_build_depends SUITE: prints the Build-Depends of debian/control, one a line. Of alternatives the last is that of Debian 12.
packaging_build_depends()
{
	local keep='s/ *|.*//'
	[ "$1" = bookworm ] && keep='s/.*| *//'
	sed -n '/^Build-Depends:/,/^[^ ]/{/^ /p}' "$kmod_srcdir/debian/control" |
		sed -e "$keep" -e 's/debhelper-compat.*/debhelper/' -e 's/dh-sequence-dkms/dh-dkms/' -e 's/[ ,(<].*//2;s/^ *\([^ ,]*\).*/\1/'
}

# packaging_debian_build SUITE DIR: DIR/src gets the packages, which were built twice.
packaging_debian_build()
{
	local suite=$1 dir=$2 root archive
	local -a depends
	mkdir -p "$dir/src" && archive=$(packaging_archive "$dir") || return 1
	mapfile -t depends < <(packaging_build_depends "$suite")
	root=$(kmod_root "$suite" build-essential lintian "${depends[@]}") || return 1
	mv "$dir/$archive" "$dir/src/mimic_$(kmod_version).orig.tar.xz" &&
		chmod 755 "$kmod_tmp" "$dir" && chown -R 1000:1000 "$dir/src" &&
		cp "$packaging_here/in-root-deb-build.sh" "$dir" &&
		kmod_in "$root" unshare --net bash "$dir/in-root-deb-build.sh" "$dir" "$(kmod_version)"
}

# packaging_old_debs SUITE VERSION DIR: downloads the distribution's own packages.
packaging_old_debs()
(
	mkdir -p "$3" && vm_update "$1" "$kmod_native" mimic && cd "$3" || exit 1
	vm_apt "$1" "$kmod_native" apt-get download "mimic=$2" "mimic-dkms=$2"
)

packaging_debian()
{
	local suite=$1 old=${2:-} dir=$kmod_tmp/debian root old_debs=
	local -a packages
	packaging_debian_build "$suite" "$dir" || return 1
	# What both packages depend on, a kernel with its headers, and what debian/tests/smoke needs. No libbpf-dev and no libelf-dev.
	packages=(dkms gcc kmod systemd iproute2 socat tcpdump "linux-image-$kmod_native" "linux-headers-$kmod_native"
		libbpf1 libjansson4 libmnl0 libseccomp2 libsystemd0)
	[ "$suite" = bookworm ] && packages+=(libelf1) || packages+=(libelf1t64 libffi8)
	root=$(kmod_root "$suite" "${packages[@]}") || return 1
	if [ -n "$old" ]; then
		old_debs=$(vm_cached "deb/$suite-$old-$kmod_native" packaging_old_debs "$suite" "$old") || return 1
	fi
	cp "$packaging_here/in-root-deb-install.sh" "$kmod_srcdir/debian/tests/smoke" "$dir" &&
		kmod_in "$root" unshare --net bash "$dir/in-root-deb-install.sh" "$dir" "$(kmod_version)" "$old_debs"
}

# packaging_fedora_build DIR: DIR gets the packages, which were built twice.
packaging_fedora_build()
{
	local dir=$1 root
	local -a depends
	mkdir -p "$dir" && packaging_archive "$dir" || return 1
	mapfile -t depends < <(packaging_build_depends trixie | grep -v -e debhelper -e dh-dkms)
	root=$(kmod_root trixie cpio elfutils file gcc libc6-dev make rpm rpmlint xz-utils "${depends[@]}") || return 1
	chmod 755 "$kmod_tmp" "$dir" && cp "$packaging_here/in-root-rpm-build.sh" "$packaging_here"/fedora{.macros,-rpmlint.toml} "$dir" &&
		kmod_in "$root" unshare --net bash "$dir/in-root-rpm-build.sh" "$dir" "$(kmod_version)"
}

packaging_fedora()
{
	local dir=$kmod_tmp/fedora root
	packaging_fedora_build "$dir" || return 1
	# What both packages depend on, as it is called here, a kernel with its headers, and what debian/tests/smoke needs.
	root=$(kmod_root trixie rpm dkms gcc kmod systemd iproute2 socat tcpdump "linux-image-$kmod_native" "linux-headers-$kmod_native" \
		libbpf1 libelf1t64 libffi8 libjansson4 libmnl0 libseccomp2 libsystemd0) || return 1
	cp "$packaging_here/in-root-rpm-install.sh" "$kmod_srcdir/debian/tests/smoke" "$dir" &&
		kmod_in "$root" unshare --net bash "$dir/in-root-rpm-install.sh" "$dir" "$(kmod_version)"
}

# packaging_arch_build DIR: DIR/arch gets the packages, which were built twice.
packaging_arch_build()
{
	local dir=$1 root
	local -a depends
	mkdir -p "$dir" || return 1
	if ! make -C "$BUILDDIR" arch-source >"$dir/dist.log" 2>&1; then
		cat "$dir/dist.log"
		vm_log "make arch-source failed"
		return 1
	fi
	mv "$BUILDDIR/packages/arch" "$dir" || return 1
	mapfile -t depends < <(packaging_build_depends trixie | grep -v -e debhelper -e dh-dkms)
	root=$(kmod_root trixie build-essential file libarchive-tools makepkg pacman-package-manager xz-utils zstd "${depends[@]}") || return 1
	chmod 755 "$kmod_tmp" "$dir" && cp "$packaging_here/in-root-arch-build.sh" "$packaging_here/arch-makepkg.conf" "$dir" &&
		kmod_in "$root" unshare --net bash "$dir/in-root-arch-build.sh" "$dir"
}

packaging_arch()
{
	local dir=$kmod_tmp/arch root
	packaging_arch_build "$dir" || return 1
	# As in packaging_fedora.
	root=$(kmod_root trixie pacman-package-manager libarchive-tools binutils dkms gcc kmod systemd iproute2 socat tcpdump \
		"linux-image-$kmod_native" "linux-headers-$kmod_native" libbpf1 libelf1t64 libffi8 libjansson4 libmnl0 libseccomp2 libsystemd0) || return 1
	cp "$packaging_here/in-root-arch-install.sh" "$kmod_srcdir/debian/tests/smoke" "$dir" &&
		kmod_in "$root" unshare --net bash "$dir/in-root-arch-install.sh" "$dir" "$(kmod_version)"
}
