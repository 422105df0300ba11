# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The module, built for the kernels of tests/vm/kernels and loaded there. Source this file; it has no side effects.
# It adds to tests/vm/lib.sh, whose functions and cache it uses.
#
#   kmod_build KERNEL DIR [ARG...]   build the module in DIR (a copy of kmod/) by `make ARG...`
#   kmod_modules KERNEL              the module and others of its name; prints their directory
#   kmod_kfunc KERNEL                run Mimic with the module and without in that kernel
#   kmod_wireguard KERNEL LEVELS     carry the kernel's WireGuard at these levels of the datapath
#   kmod_netem KERNEL LEVELS         carry datagrams over a bad link at these levels
#   kmod_gso KERNEL                  send superpackets at level gso in that kernel
#   kmod_load KERNEL DIR             load what lies in DIR in that kernel, and call it
#   kmod_dkms KERNEL                 build and install it by DKMS in a Debian of that kernel's suite; load the result, and use
#                                    it as that Debian would
#   kmod_secureboot KERNEL           the same under Secure Boot
#
# A compiler that this machine lacks comes with a small Debian of the suite, in which the command runs: nothing is
# left in it, since it is the lower layer of an overlay. In the cache:
#
#   headers/KERNEL-RELEASE/        the unpacked linux-headers, with build programs for this machine
#   root/SUITE-HASH/               a Debian with the packages that HASH stands for
#   module/KERNEL-HASH/            what kmod_modules built from the sources that HASH stands for
#
# All functions return non-zero on errors, after a message on stderr that names what to do.

kmod_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../vm/lib.sh
. "$kmod_here/../vm/lib.sh"
kmod_srcdir=${SRCDIR:-$vm_srcdir}
kmod_native=$(dpkg --print-architecture)
kmod_tmp=${TEST_TMP:-${TMPDIR:-/tmp}}

kmod_version() { sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$kmod_srcdir/dkms.conf"; }

# kmod_release: prints what uname -r says on the kernel. (After vm_kernel, here and below.)
kmod_release()
{
	local kernel
	kernel=$(vm_kernel_dir "$1") && cat "$kernel/release"
}

kmod_gone()
{
	vm_log "$1 is no longer in $vm_suite $vm_arch: remove $vm_cache/kernel/$2, so that a newer kernel is fetched"
}

# ---- headers -----------------------------------------------------------------------------------------------------

# kmod_fetch_headers KERNEL RELEASE DIR: headers of the kernel's architecture, and the build programs of this one.
kmod_fetch_headers()
(
	kernel=$1 release=$2 dir=$3 debs=$3.debs
	trap 'rm -rf "$debs"' EXIT
	mkdir -p "$dir" "$debs"
	vm_update "$vm_suite" "$vm_arch" "linux-headers-$release" || { kmod_gone "linux-headers-$release" "$kernel"; exit 1; }
	mapfile -t depends < <(vm_apt "$vm_suite" "$vm_arch" apt-cache depends "linux-headers-$release" |
			       sed -n 's/^ *|*Depends: \(linux-\(headers\|kbuild\)-[0-9][^ :]*\).*/\1/p' | sort -u)
	[ ${#depends[@]} -gt 0 ] || { kmod_gone "linux-headers-$release" "$kernel"; exit 1; }
	vm_log "downloading linux-headers-$release ${depends[*]}"
	for package in "linux-headers-$release" "${depends[@]}"; do
		case $package in
		linux-kbuild-*) ;;
		*) (cd "$debs" && vm_apt "$vm_suite" "$vm_arch" apt-get download "$package") || exit 1; continue ;;
		esac
		(
			[ "$vm_arch" = "$kmod_native" ] || vm_update "$vm_suite" "$kmod_native" "$package" || exit 1
			cd "$debs" && vm_apt "$vm_suite" "$kmod_native" apt-get download "$package"
		) || exit 1
	done
	vm_unpack "$dir" "$debs"/*.deb || exit 1
	# They were made to lie in /usr/src.
	# shellcheck disable=SC2016
	sed -i -e 's|^include /usr/src/|include $(dir $(lastword $(MAKEFILE_LIST)))../|' \
		-e 's|^KBUILD_OUTPUT=/usr/src/.*|KBUILD_OUTPUT := $(realpath $(dir $(lastword $(MAKEFILE_LIST))))|' \
		"$dir"/usr/src/*/Makefile
)

# kmod_headers KERNEL: prints the directory that KDIR takes.
kmod_headers()
{
	local release dir
	release=$(kmod_release "$1") &&
		dir=$(vm_cached "headers/$1-$release" kmod_fetch_headers "$1" "$release") &&
		echo "$dir/usr/src/linux-headers-$release"
}

# ---- another Debian ------------------------------------------------------------------------------------------------

# kmod_make_root SUITE PACKAGES DIR: PACKAGES are separated by commas. No initramfs is made, and most kernel
# modules are left out; not all, or dkms 3.2 takes the kernel for removed.
kmod_make_root()
{
	local uri
	uri=$(vm_mirror) && vm_need mmdebstrap mmdebstrap || return 1
	vm_log "making a Debian $1 with $2"
	# In the hooks $1 is the root.
	# shellcheck disable=SC2016
	mmdebstrap --quiet --variant=apt --architectures="$kmod_native" --include="$2" \
		--aptopt='APT::Install-Recommends "false"' --dpkgopt=force-confold \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/lib/modules/*/kernel/*/*' --dpkgopt='path-exclude=/usr/lib/modules/*/kernel/*/*' \
		--dpkgopt='path-include=*/kernel/lib/*' \
		--essential-hook='mkdir -p "$1/etc/initramfs-tools"' \
		--essential-hook='echo update_initramfs=no >"$1/etc/initramfs-tools/update-initramfs.conf"' \
		"$1" "$3" "deb [check-valid-until=no] $uri $1 main" && return
	vm_log "no Debian $1 with $2 could be made; if a package is gone, remove $vm_cache/kernel/<name>"
	return 1
}

# kmod_root SUITE PACKAGE...: prints the directory. Roots that no run used for a month are removed. (By the time of their last change: unpacking
# base-files gives a root that another run is making just now a time of modification of long ago.)
kmod_root()
{
	local suite=$1 packages
	shift
	packages=$(printf '%s\n' "$@" | sort -u | paste -sd,)
	find "$vm_cache/root" -mindepth 1 -maxdepth 1 -ctime +30 -exec rm -rf {} + 2>/dev/null
	vm_cached "root/$suite-$( (echo "$packages"; declare -f kmod_make_root) | sha256sum | cut -c 1-12)" kmod_make_root "$suite" "$packages"
}

# kmod_in ROOT COMMAND...: runs the command in a Debian whose changes are forgotten. This test's temporary directory and
# the cache have the same paths in it as outside.
kmod_in()
(
	root=$1
	shift
	layer=$(mktemp -d "$kmod_tmp/root.XXXXXX") || exit 1
	trap 'rm -rf "$layer"' EXIT
	mkdir -p "$layer"/{upper,work,merged}
	# The mounts end with the namespace, and the processes too.
	# shellcheck disable=SC2016
	unshare --mount --pid --fork --kill-child sh -ec '
		root=$1 layer=$2 tmp=$3 cache=$4
		shift 4
		mount -t overlay -o "lowerdir=$root,upperdir=$layer/upper,workdir=$layer/work" overlay "$layer/merged"
		cd "$layer/merged"
		mkdir -p ".$tmp" ".$cache"
		mount --bind "$tmp" ".$tmp"
		mount --bind "$cache" ".$cache"
		mount --rbind /dev dev
		mount -t proc proc proc
		mount -t sysfs -o ro sys sys
		exec chroot . env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"
	' sh "$root" "$layer" "$kmod_tmp" "$vm_cache" "$@"
)

# ---- building ------------------------------------------------------------------------------------------------------

# kmod_copy DIR: the sources, as a DKMS package has them.
kmod_copy()
{
	mkdir -p "$1/kmod" && cp -p "$kmod_srcdir/dkms.conf" "$1" &&
		cp -p "$kmod_srcdir"/kmod/{Kbuild,Makefile,*.[ch]} "$1/kmod"
}

# kmod_compilers SUITE COMPILER: prints the packages with which COMPILER (gcc-14) builds for all kernels of the table in SUITE and its
# backports, so that one root serves them all.
kmod_compilers()
{
	local arch
	echo "$2"
	# shellcheck disable=SC2013 # one word a line
	for arch in $(awk -v suite="$1" '$3 == suite || $3 == suite "-backports" { print $2 }' "$vm_here/kernels" | sort -u); do
		case $arch in
		arm64) echo "$2-aarch64-linux-gnu" binutils-aarch64-linux-gnu ;;
		ppc64el) echo "$2-powerpc64le-linux-gnu" binutils-powerpc64le-linux-gnu ;;
		riscv64) echo "$2-riscv64-linux-gnu" binutils-riscv64-linux-gnu ;;
		esac
	done | tr ' ' '\n'
}

# kmod_build KERNEL DIR [ARG...]: DIR (below the test's temporary directory or the cache) gets kmod/mimic.ko and dkms.conf. kmod_source
# is a file that takes the place of kmod/mimic.c.
kmod_source=

kmod_build()
{
	local name=$1 dir=$2 kdir image compiler cross='' suite root
	local -a args compilers
	shift 2
	vm_kernel "$name" && kdir=$(kmod_headers "$name") && image=$(vm_kernel_image "$(vm_kernel_dir "$name")") &&
		kmod_copy "$dir" && { [ -z "$kmod_source" ] || cp "$kmod_source" "$dir/kmod/mimic.c"; } || return 1
	args=(make --no-print-directory -C "$dir/kmod" KDIR="$kdir" BTF_BASE="$image" "$@")
	if [ "$vm_arch" != "$kmod_native" ]; then
		cross=$vm_triplet-
		args+=(CROSS_COMPILE="$cross")
		case $vm_arch in
		arm64) args+=(ARCH=arm64) ;;
		ppc64el) args+=(ARCH=powerpc) ;;
		riscv64) args+=(ARCH=riscv) ;;
		*) vm_log "no module is built for $vm_arch"; return 1 ;;
		esac
	fi
	compiler=$(sed -n 's/.*\(gcc-[0-9][0-9]*\).*/\1/p' "$kdir/.kernelvariables" | head -n 1)
	case $vm_suite in
	bookworm*)
		vm_need "$cross$compiler" "$compiler${cross:+-${cross%-}}" && "${args[@]}" ;;
	*)
		# Backports are built with the compiler of their suite. pahole and libssl are what linux-kbuild depends on.
		suite=${vm_suite%-backports}
		mapfile -t compilers < <(kmod_compilers "$suite" "$compiler")
		root=$(kmod_root "$suite" make libc6-dev sparse pahole libssl3t64 "${compilers[@]}") &&
			kmod_in "$root" "${args[@]}" ;;
	esac
}

# kmod_clean_build KERNEL DIR: builds with all warnings and sparse, and complains about each that is about our files.
kmod_clean_build()
{
	local name=$1 dir=$2 status
	# C=1 alone: Debian's headers of 7.2 lack the script that says whether sparse is good enough, and kbuild takes that for a no.
	kmod_build "$name" "$dir" W=1 C=1 KBUILD_CHECKSRC=1 >"$dir.log" 2>&1
	status=$?
	cat "$dir.log"
	[ $status = 0 ] || { vm_log "the build for $name failed"; return 1; }
	grep -q '^ *CHECK ' "$dir.log" || { vm_log "sparse did not run"; return 1; }
	if grep -E '(mimic|compat|kernel-btf)[^ ]*\.[ch]:.*(warning|error)|^WARNING|mimic\.o: warning' "$dir.log"; then
		vm_log "$name: there are warnings"
		return 1
	fi
	kmod_inspect "$dir/kmod/mimic.ko" "$(kmod_release "$name")"
}

# kmod_inspect MODULE RELEASE: version and release are right; there is BTF, and all functions have numbers.
kmod_inspect()
{
	local module=$1 count
	[ "$(modinfo -F version "$module")" = "$(kmod_version)" ] || { vm_log "wrong version"; return 1; }
	[[ $(modinfo -F vermagic "$module") = "$2 "* ]] || { vm_log "not for $2"; return 1; }
	[[ $(modinfo -F license "$module") = GPL ]] || { vm_log "wrong license"; return 1; }
	readelf -SW "$module" | grep -q ' \.BTF ' || { vm_log "no section .BTF"; return 1; }
	# u32 count, u32 flags, then pairs of id and flags
	objcopy -O binary --only-section=.BTF_ids "$module" "$module.ids" || return 1
	count=$(od -An -v -tu4 -w8 "$module.ids" | awk 'NR == 1 && $1 != 4 { exit 1 } NR > 1 && $1 { n++ } END { print n }')
	rm -f "$module.ids"
	[ "$count" = 4 ] || { vm_log "the functions have no numbers in .BTF_ids"; return 1; }
}

# ---- loading -------------------------------------------------------------------------------------------------------

# kmod_programs KERNEL DIR: calls.c and gso.c, with their BPF programs, for the guest.
kmod_programs()
(
	src=$kmod_srcdir/tests/kmod asm=$vm_triplet cc=$(vm_cc) || exit 1
	# shellcheck disable=SC2030 # for this shell
	vm_need "${CLANG:=clang}" clang || exit 1
	flags=()
	if ! vm_is_native; then
		root=$(vm_user_dir) || exit 1
		flags=(-isystem "$root/usr/include" -L "$root/usr/lib/$vm_triplet" "-Wl,--allow-shlib-undefined")
		[ -d "/usr/include/$asm/asm" ] || asm=$(gcc -print-multiarch)
	fi
	for name in calls gso; do
		"$CLANG" -g -O2 -Wall -target bpf -mcpu=v3 -idirafter "/usr/include/$asm" -I "$kmod_srcdir/kmod" \
			-c "$src/$name.bpf.c" -o "$2/$name.bpf.o" &&
			"$cc" -std=gnu11 -O2 -Wall -Wextra -Werror -I "$src" "$src/$name.c" -o "$2/$name" "${flags[@]}" -lbpf || exit 1
	done
)

# kmod_tiny_vmlinux FILE [RELEASE]: FILE looks like a vmlinux of that release, or like one with symbols alone, and FILE.btf is its BTF: of
# a kernel with just the types that mimic-btf needs.
kmod_tiny_vmlinux()
{
	# shellcheck disable=SC2031 # it was for that one
	echo "typedef unsigned int u32; const char banner[] = \"${2:+Linux version $2 (nobody)}\";
		int use(struct __sk_buff { u32 len; } *skb) { return skb->len; }" |
		"${CLANG:-clang}" -g -O2 -w -target bpf -x c -c -o "$1" - &&
		objcopy -I elf64-little -O binary --only-section=.BTF --set-section-flags .BTF=alloc "$1" "$1.btf"
}

# kmod_by_hand KERNEL DIR: DIR/by-hand.ko is DIR/kmod/mimic.ko, which has its BTF by the kernel's build, with that of mimic-btf instead.
kmod_by_hand()
{
	local name=$1 dir=$2 module=$2/by-hand.ko kdir objcopy=objcopy
	vm_kernel "$name" && kdir=$(kmod_headers "$name") || return 1
	vm_is_native || objcopy=$vm_triplet-objcopy
	# In mimic.o .BTF_ids is as the compiler made it: without numbers, but with flags.
	"$objcopy" -O binary --only-section=.BTF_ids "$dir/kmod/mimic.o" "$dir/ids" &&
		"$objcopy" --remove-section .BTF --remove-section .BTF.base --update-section ".BTF_ids=$dir/ids" \
			"$dir/kmod/mimic.ko" "$module" &&
		make --no-print-directory -C "$dir/kmod" KDIR=/ mimic-btf && "$dir/kmod/mimic-btf" "$kdir" "$module" || return 1
	if readelf -SW "$module" | grep '\.BTF\.base' || cmp "$module" "$dir/kmod/mimic.ko" >/dev/null; then
		vm_log "mimic-btf had nothing to do"
		return 1
	fi
	kmod_inspect "$module" "$(kmod_release "$name")"
}

# kmod_other_base DIR MODULE: gives MODULE, which has no BTF, that of another kernel.
kmod_other_base()
{
	kmod_tiny_vmlinux "$1/tiny" &&
		make --no-print-directory -C "$1/kmod" KDIR=/ mimic-btf && "$1/kmod/mimic-btf" --base "$1/tiny.btf" / "$2"
}

# kmod_load KERNEL DIR: boots the kernel and runs guest-load.sh with DIR/kmod/mimic.ko, and with modules that lack
# their BTF or the numbers in it, or have that of another kernel, and so have to be refused. DIR/by-hand.ko, where that is, has to be taken.
kmod_load()
{
	local name=$1 dir=$2 module=$2/kmod/mimic.ko objcopy=objcopy
	local -a more=()
	vm_kernel "$name" || return 1
	vm_is_native || objcopy=$vm_triplet-objcopy
	[ -e "$dir/kmod/Makefile" ] || kmod_copy "$dir" || return 1
	mkdir -p "$dir/broken" && kmod_programs "$name" "$dir" &&
		"$objcopy" --remove-section .BTF --remove-section .BTF.base "$module" "$dir/broken/wrong-base.ko" &&
		kmod_other_base "$dir" "$dir/broken/wrong-base.ko" &&
		"$objcopy" --remove-section .BTF "$module" "$dir/broken/no-btf.ko" &&
		"$objcopy" -O binary --only-section=.BTF_ids "$module" "$dir/ids" &&
		truncate -s 0 "$dir/zeros" && truncate -s "$(stat -c %s "$dir/ids")" "$dir/zeros" &&
		"$objcopy" --update-section ".BTF_ids=$dir/zeros" "$module" "$dir/broken/no-ids.ko" || return 1
	[ ! -e "$dir/by-hand.ko" ] || more=("$dir/by-hand.ko")
	vm_env=("VERSION=$(kmod_version)")
	VM_TIMEOUT=${VM_TIMEOUT:-240} vm_run "$name" "$kmod_here/guest-load.sh" \
		"$module" "$dir/calls" "$dir/calls.bpf.o" "$dir/gso" "$dir/gso.bpf.o" "$dir/broken" "${more[@]}"
}

# kmod_make_modules KERNEL DIR: DIR gets mimic.ko; old.ko, of another version; stub.ko, without the functions; no-btf.ko, that without
# BTF.
kmod_make_modules()
{
	local name=$1 dir=$2 objcopy=objcopy
	vm_is_native || objcopy=$vm_triplet-objcopy
	vm_log "building modules for $name"
	mkdir -p "$dir" && kmod_build "$name" "$dir/product" >"$dir/log" 2>&1 &&
		kmod_build "$name" "$dir/old" MIMIC_VERSION=0.7.1 >>"$dir/log" 2>&1 ||
		{ cat "$dir/log"; vm_log "the module for $name did not build"; return 1; }
	# Where mimic-btf has to make the BTF it refuses this one, and leaves it without.
	kmod_source=$kmod_here/stub.c kmod_build "$name" "$dir/stub" >>"$dir/log" 2>&1 ||
		grep -q 'mimic-btf: .*: is it mimic.ko, not stripped' "$dir/log" ||
		{ cat "$dir/log"; vm_log "stub.c for $name did not build"; return 1; }
	cp "$dir/product/kmod/mimic.ko" "$dir" && cp "$dir/old/kmod/mimic.ko" "$dir/old.ko" &&
		cp "$dir/stub/kmod/mimic.ko" "$dir/stub.ko" &&
		"$objcopy" --remove-section .BTF "$dir/stub.ko" "$dir/no-btf.ko" || { cat "$dir/log"; return 1; }
	rm -r "$dir"/{product,old,stub}
}

# kmod_modules KERNEL: builds them unless these very sources were built before; prints the directory. (After vm_kernel.)
kmod_modules()
{
	local hash release
	release=$(kmod_release "$1") || return 1
	hash=$( (echo "$release"; declare -f kmod_build kmod_make_modules
		 cat "$kmod_srcdir"/{dkms.conf,kmod/{Kbuild,Makefile,*.[ch]}} "$kmod_here/stub.c") | sha256sum | cut -c 1-16)
	vm_cached "module/$1-$hash" kmod_make_modules "$1"
}

# kmod_kfunc KERNEL: runs tests/vm/guest-kfunc.sh with the module and others of its name. Environment: ROUNDS=few, fewer rounds of
# traffic, unless MIMIC_LONG is set.
kmod_kfunc()
{
	local name=$1 dir=$kmod_tmp modules cc kernel release
	vm_kernel "$name" && kernel=$(vm_kernel_dir "$name") && release=$(kmod_release "$name") && cc=$(vm_cc) && modules=$(kmod_modules "$name") &&
		"$cc" -std=gnu11 -O2 -Wall -static -o "$dir/offload" "$kmod_here/offload.c" || return 1
	[ -n "${MIMIC_LONG:-}" ] || vm_env+=("ROUNDS=${ROUNDS:-all}")
	# The latter since 7.2.
	vm_env+=("JIT_ALWAYS_ON=$(cat "$kernel"/{boot/config-"$release",lib/modules/"$release"/config} 2>/dev/null |
				  grep -cx CONFIG_BPF_JIT_ALWAYS_ON=y)")
	VM_TIMEOUT=${VM_TIMEOUT:-1400} vm_test "$name" kfunc "$dir/offload" "$modules"/{mimic,old,stub,no-btf}.ko
}

# kmod_gso KERNEL: runs tests/vm/guest-gso.sh with the module.
kmod_gso()
{
	local name=$1 modules cc
	vm_kernel "$name" && cc=$(vm_cc) && modules=$(kmod_modules "$name") &&
		"$cc" -std=gnu11 -O2 -Wall -static -o "$kmod_tmp/offload" "$kmod_here/offload.c" || return 1
	VM_TIMEOUT=${VM_TIMEOUT:-400} vm_test "$name" gso "$kmod_tmp/offload" "$modules/mimic.ko"
}

# kmod_wireguard KERNEL LEVELS: runs tests/vm/guest-wireguard.sh with the module.
kmod_wireguard()
{
	local name=$1 modules
	vm_kernel "$name" && modules=$(kmod_modules "$name") || return 1
	vm_env+=("LEVELS=$2")
	vm_wireguard "$name" "$modules/mimic.ko"
}

# kmod_netem KERNEL LEVELS: runs tests/vm/guest-netem.sh with the module.
kmod_netem()
{
	local name=$1 modules
	vm_kernel "$name" && modules=$(kmod_modules "$name") || return 1
	vm_env+=("LEVELS=$2")
	VM_TIMEOUT=${VM_TIMEOUT:-1700} vm_test "$name" netem "$modules/mimic.ko"
}

# ---- DKMS ----------------------------------------------------------------------------------------------------------

# kmod_dkms_packages RELEASE: prints the packages that docs/getting-started.md has users install for DKMS, openssl among them, without which
# nothing is signed; the headers are those of RELEASE.
kmod_dkms_packages()
{
	sed -n 's/^ *# apt-get install \(dkms .*\)/\1/p' "$kmod_srcdir/docs/getting-started.md" | tr -s ' ' '\n' |
		sed "s/^linux-headers-.*/linux-headers-$1/"
}

# kmod_dkms_build KERNEL DIR: DIR/kmod/mimic.ko and DIR/installed, as DKMS makes and installs them in the Debian of that kernel, which has the
# kernel's packages, as on a user's machine, but nothing of Mimic. DIR/mok.pub is the certificate of the key that it made, and signs with. (After
# vm_kernel.)
kmod_dkms_build()
{
	local name=$1 dir=$2 release root
	local -a packages
	release=$(kmod_release "$name") || return 1
	mapfile -t packages < <(kmod_dkms_packages "$release")
	[ ${#packages[@]} -gt 0 ] || { vm_log "docs/getting-started.md does not say what to install for DKMS"; return 1; }
	# gcc is what dkms recommends or depends on, and no recommended package comes by itself here.
	root=$(kmod_root "$vm_suite" gcc "linux-image-$release" "${packages[@]}") || return 1
	mkdir -p "$dir" && kmod_copy "$dir/source" && cp "$kmod_here/in-root-dkms.sh" "$dir" &&
		kmod_in "$root" bash "$dir/in-root-dkms.sh" "$dir/source" "$(kmod_version)" "$release" "$dir" &&
		kmod_inspect "$dir/kmod/mimic.ko" "$release"
}

# kmod_dkms_guest KERNEL SCRIPT DIR [FILE...]: guest-SCRIPT.sh, with what guest-dkms.sh needs of DIR. (After vm_kernel.)
kmod_dkms_guest()
{
	local name=$1 script=$2 dir=$3 tool path
	local -a tools=()
	shift 3
	for tool in depmod modinfo modprobe; do
		path=$(vm_find_tool / $tool) || vm_need $tool kmod || return 1
		tools+=("$path")
	done
	vm_test "$name" "$script" "$vm_here/guest-basic.sh" "$dir/installed" "${tools[@]}" "$@"
}

# kmod_dkms KERNEL
kmod_dkms()
{
	local name=$1 dir=$kmod_tmp/dkms
	vm_kernel "$name" && kmod_dkms_build "$name" "$dir" && kmod_load "$name" "$dir" || return 1
	vm_env=()
	kmod_dkms_guest "$name" dkms "$dir"
}

# ---- Secure Boot ---------------------------------------------------------------------------------------------------

# kmod_secureboot KERNEL: boots the kernel by a UEFI firmware with Secure Boot on. A module with the signature of an unknown key is refused: at
# first that is DKMS's own. Then its key is enrolled (guest-enrol.sh), and after a restart its module is taken, and that of another key refused.
# The firmware knows the public test key of Debian's package ovmf, which signs the kernel beside Debian's own.
kmod_secureboot()
{
	local name=$1 dir=$kmod_tmp/secureboot keys=/usr/share/ovmf/PkKek-1-snakeoil firmware=/usr/share/OVMF kernel kdir
	vm_kernel "$name" && vm_need sbsign sbsigntool && vm_need openssl openssl || return 1
	[ -e "$firmware/OVMF_CODE_4M.secboot.fd" ] || { vm_log "no firmware: apt-get install ovmf"; return 1; }
	kernel=$(vm_kernel_dir "$name") && kdir=$(kmod_headers "$name") || return 1
	mkdir -p "$dir/foreign" && cp "$firmware/OVMF_VARS_4M.snakeoil.fd" "$dir/vars.fd" &&
		openssl rsa -in $keys.key -passin pass:snakeoil -out "$dir/key" &&
		sbsign --key "$dir/key" --cert $keys.pem --output "$dir/image" "$(vm_kernel_image "$kernel")" || return 1
	kmod_dkms_build "$name" "$dir" && sbsiglist --owner 605dab50-e046-4300-abb6-3dd810dd8b23 --type x509 --output "$dir/keys" "$dir/mok.pub" || return 1
	openssl req -new -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=DKMS module signing key' -outform DER -keyout "$dir/foreign/key" \
		-out "$dir/foreign/cert" && cp "$dir/kmod/mimic.ko" "$dir/foreign" && strip -g "$dir/foreign/mimic.ko" &&
		"$kdir/scripts/sign-file" sha256 "$dir/foreign/key" "$dir/foreign/cert" "$dir/foreign/mimic.ko" || return 1
	# shellcheck disable=SC2054 # as QEMU wants them
	vm_qemu_args=(-machine smm=on -global driver=cfi.pflash01,property=secure,value=on
		      -drive "if=pflash,unit=0,format=raw,readonly=on,file=$firmware/OVMF_CODE_4M.secboot.fd"
		      -drive "if=pflash,unit=1,format=raw,file=$dir/vars.fd")
	export VM_IMAGE=$dir/image VM_MEMORY=1024
	vm_env=("THEN=guest-enrol.sh")
	kmod_dkms_guest "$name" lockdown "$dir" "$dir/kmod/mimic.ko" "$vm_here/guest-enrol.sh" "$dir/keys" || return 1
	vm_env=("THEN=guest-dkms.sh")
	kmod_dkms_guest "$name" lockdown "$dir" "$dir/foreign/mimic.ko" "$vm_here/guest-dkms.sh"
}
