# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Kernels in virtual machines: fetch, boot, cross build. Source this file; it has no side effects.
#
#   vm_run KERNEL SCRIPT [FILE...]      boot a kernel of the table `kernels`, run SCRIPT in it, return its exit status
#   vm_cross_build KERNEL               build the product for that kernel's guest; prints the path of `mimic`
#   vm_tools KERNEL NAME...             build tests/tools/NAME.c static for that guest; prints the directory
#
# What is downloaded or built once is kept in ${MIMIC_CACHE:-~/.cache/mimic-tests}; to fetch newer packages, remove it.
# Every entry of the cache is made beside its place under a lock and renamed into it, so two runs may share it:
#
#   apt/SUITE-ARCH/      an apt configuration with lists of its own; the host's apt is not touched
#   kernel/NAME/         the unpacked linux-image, with modules.dep and `release` (what uname -r says)
#   user/SUITE-ARCH-HASH/ tools and libraries of guests, and the -dev packages for cross builds: HASH is of their names
#   qemu/SUITE-COMMAND/  a QEMU of another suite than the machine's
#   cc/SUITE-ARCH/       a cross compiler of another suite
#   base/NAME-HASH.cpio  the part of the initramfs that does not depend on the test
#   cross/ARCH-HASH/     the product, built for ARCH
#
# tests/kmod/lib.sh and tests/vm/image.sh add to it.
#
# All functions return non-zero on errors, after a message on stderr that names what to do.
#
#   to add                     edit
#   a kernel                   a line of `kernels`
#   a kernel module            a line of `modules`
#   a tool in every guest      vm_user_packages and vm_guest_tools
#   a test                     a guest script; an executable that calls vm_run, like amd64-6.1-basic
#   other packages (headers    a function for vm_cached that calls vm_update, vm_apt ... apt-get download and
#   for module builds, ...)    vm_unpack, as vm_fetch_kernel does
#   other names of a suite     vm_update
#   two VMs that talk          a guest script that begins with guest-pair.sh, and pair_run of pair.sh, as in nic.sh
#   a VM that sleeps           suspend.sh
#   a whole Debian             image.sh; or vm_qemu_args=(-drive ...,snapshot=on) and a guest script that mounts it
#                              (virtio_blk, ext4 and 9p are in every guest) and chroots

vm_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
vm_srcdir=$(cd "$vm_here/../.." && pwd)
vm_cache=${MIMIC_CACHE:-$HOME/.cache/mimic-tests}

# Statuses of vm_run that are not the script's own.
vm_no_result=125	# the guest ended without a result: panic, hang of the init, QEMU error
vm_timed_out=124
vm_kernel_complaint=123	# the script may have passed, but the kernel logged a warning, a bug or a lock problem
vm_ended_early=122	# the script's status was 0, but it never came to its last line

# Packages of a guest's userland; what they depend on comes along.
vm_user_packages=(busybox-static iproute2 bpftool tcpdump nftables wireguard-tools
	libbpf1 libelf1 zlib1g libmnl0 libjansson4 libseccomp2 libsystemd0)
# What of it every guest gets, where it is there.
vm_guest_tools=(ip tc bridge ss bpftool tcpdump nft wg)
# What the product links to, for cross builds.
vm_dev_packages=(libbpf-dev libelf-dev zlib1g-dev libmnl-dev libjansson-dev libseccomp-dev libsystemd-dev)
# What of their dependencies the cross compiler has itself.
vm_dev_unwanted='^(libc6-dev|libc-dev|linux-libc-dev|libcrypt-dev|libgcc-.*-dev|rpcsvc-proto|libc-dev-bin)_'

vm_log() { echo "vm: $*" >&2; }

# vm_need COMMAND PACKAGE: fails with the name of the package when a command is missing.
vm_need()
{
	command -v "$1" >/dev/null && return
	vm_log "$1 is missing: apt-get install $2 (or everything in tests/vm/packages and packages-long)"
	return 1
}

# vm_kernel NAME: looks the kernel up in the table; sets vm_arch, vm_suite, vm_package, vm_userland and vm_machine
# (an array), and what follows from the architecture: vm_triplet, vm_console, vm_bus, vm_append, and vm_cc_suite where the
# machine's own suite has no compiler for it.
vm_kernel()
{
	local line
	line=$(awk -v name="$1" '$1 == name' "$vm_here/kernels")
	if [ -z "$line" ]; then
		vm_log "no kernel $1 in tests/vm/kernels"
		return 1
	fi
	read -r _ vm_arch vm_suite vm_package vm_userland line <<<"$line"
	read -ra vm_machine <<<"$line"
	vm_bus=device			# virtio-mmio
	vm_append=
	vm_cc_suite=
	case $vm_arch in
	amd64) vm_triplet=x86_64-linux-gnu vm_console=ttyS0 vm_bus=pci ;;
	i386) vm_triplet=i386-linux-gnu vm_console=ttyS0 vm_bus=pci ;;
	arm64) vm_triplet=aarch64-linux-gnu vm_console=ttyAMA0 ;;
	armhf) vm_triplet=arm-linux-gnueabihf vm_console=ttyAMA0 ;;
	ppc64el) vm_triplet=powerpc64le-linux-gnu vm_console=hvc0 vm_bus=pci ;;
	riscv64) vm_triplet=riscv64-linux-gnu vm_console=ttyS0 ;;
	s390x) vm_triplet=s390x-linux-gnu vm_console=ttysclp0 vm_bus=ccw ;;
	mips64el) vm_triplet=mips64el-linux-gnuabi64 vm_console=ttyS0 vm_bus=pci ;;
	mipsel) vm_triplet=mipsel-linux-gnu vm_console=ttyS0 vm_bus=pci ;;
	loong64) vm_triplet=loongarch64-linux-gnu vm_console=ttyS0 vm_bus=pci vm_cc_suite=trixie ;;
	*) vm_log "architecture $vm_arch is unknown to tests/vm/lib.sh"; return 1 ;;
	esac
	# On a busy host a PC's timer may seem not to tick at all: "IO-APIC + timer doesn't work!"
	case $vm_arch in amd64 | i386) vm_append=no_timer_check ;; esac
}

vm_is_native() { [ "$vm_arch" = "$(dpkg --print-architecture)" ]; }

# vm_cc: prints the compiler for the guest.
vm_cc()
{
	local prefix=$vm_triplet dir
	[ "$vm_arch" = i386 ] && prefix=i686-linux-gnu
	if vm_is_native; then
		echo "${CC:-gcc}"
	elif [ -n "$vm_cc_suite" ]; then
		dir=$(vm_cached "cc/$vm_cc_suite-$vm_arch" vm_fetch_cc "$vm_cc_suite" "$prefix") && echo "$dir/gcc"
	else
		vm_need "$prefix-gcc" "gcc-${prefix/x86_64/x86-64}" && echo "$prefix-gcc"
	fi
}

# ---- cache -----------------------------------------------------------------------------------------------------

# vm_cached PATH COMMAND [ARG...]: makes a file or directory of the cache unless it is there. COMMAND gets the ARGs and
# the path to fill, which is renamed to its place when COMMAND succeeds. Prints the full path.
vm_cached()
{
	local path=$vm_cache/$1 tmp
	shift
	if [ ! -e "$path" ]; then
		mkdir -p "${path%/*}"
		(
			flock 9
			[ -e "$path" ] && exit
			tmp=$path.$BASHPID.tmp
			trap 'rm -rf "$tmp"' EXIT
			"$@" "$tmp" >&2 9>&- && mv "$tmp" "$path"
		) 9>"$path.lock" || return 1
	fi
	touch -c "$path"
	echo "$path"
}

# ---- packages --------------------------------------------------------------------------------------------------

# vm_mirror: prints the URI of the Debian archive that the host itself uses.
vm_mirror()
{
	local uri=${MIMIC_MIRROR:-}
	[ -n "$uri" ] || uri=$(apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' \
			       'Origin: Debian' 'Label: Debian' | head -n 1)
	# Before the first `apt-get update` apt knows no labels.
	[ -n "$uri" ] || uri=$(apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' |
			       grep '/debian/*$' | head -n 1)
	if [ -z "$uri" ]; then
		vm_log "apt knows no Debian archive: set MIMIC_MIRROR to the URI of one"
		return 1
	fi
	echo "$uri"
}

# vm_apt_root DIR: makes the directories of an apt configuration for one suite and architecture.
vm_apt_root()
{
	mkdir -p "$1"/{lists/partial,archives/partial,etc} && : >"$1/status"
}

# vm_apt SUITE ARCH COMMAND [ARG...]: apt-get or apt-cache with that configuration.
vm_apt()
{
	local suite=$1 arch=$2 command=$3 dir
	shift 3
	dir=$(vm_cached "apt/$suite-$arch" vm_apt_root) || return 1
	"$command" -q=2 -o APT::Architecture="$arch" -o APT::Architectures="$arch" \
		-o Dir::State="$dir" -o Dir::State::status="$dir/status" -o Dir::State::Lists="$dir/lists" \
		-o Dir::Etc::SourceList="$dir/etc/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o Dir::Cache="$dir" -o Dir::Cache::archives="$dir/archives" \
		-o Dir::Cache::pkgcache=pkgcache.bin -o Acquire::Languages=none -o Acquire::Retries=3 \
		-o APT::Sandbox::User=root "$@"
}

# vm_update_as NAME SUITE ARCH [PACKAGE]: downloads the lists of SUITE, which the archive calls NAME, too. Fails when they are not
# what their Release file says, or are of another suite, or have no PACKAGE.
vm_update_as()
{
	local name=$1 suite=$2 arch=$3 package=${4:-} uri
	uri=$(vm_mirror) || return 1
	# A snapshot of sid may be older than its Valid-Until.
	echo "deb [arch=$arch check-valid-until=no signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
	     "$uri $name main" >"$vm_cache/apt/$suite-$arch/etc/sources.list"
	vm_apt "$suite" "$arch" apt-get update -o APT::Update::Error-Mode=any || return 1
	if [ "$name" != "$suite" ]; then
		vm_apt "$suite" "$arch" apt-get indextargets --format "\$(CODENAME)" 'Created-By: Packages' |
			grep -qx "$suite" || return 1
	fi
	[ -z "$package" ] || vm_apt "$suite" "$arch" apt-cache show "$package" >/dev/null 2>&1
}

# vm_update SUITE ARCH [PACKAGE]: downloads the lists. The calling subshell then has this apt configuration for itself until it ends.
# A mirror may renew the names of one suite at different times, and hold a Release file that fits only some architectures'
# lists: where those of SUITE do not verify, or lack PACKAGE, those of its other name are taken, which verify too.
vm_update()
{
	local suite=$1 arch=$2 package=${3:-} name
	vm_cached "apt/$suite-$arch" vm_apt_root >/dev/null || return 1
	exec 8>"$vm_cache/apt/$suite-$arch.use.lock"
	flock 8
	vm_log "apt-get update for $suite $arch"
	vm_update_as "$suite" "$suite" "$arch" "$package" && return
	for name in stable oldstable testing; do
		case $suite in *-*) name+=-${suite#*-} ;; esac
		vm_update_as "$name" "$suite" "$arch" "$package" 2>/dev/null || continue
		vm_log "ATTENTION: the archive's $suite ($arch) is broken or has no ${package:-complete lists}:" \
			"taking its $name, which is $suite too, perhaps of another date"
		return
	done
	vm_log "the archive has no $suite for $arch whose lists verify${package:+ and that has $package}"
	return 1
}

# vm_unpack DIR DEB...: unpacks packages into a tree with merged /usr, whatever the suite. Absolute symbolic links are
# made relative, or they would lead out of the tree.
vm_unpack()
{
	local dir=$1 deb sub link
	shift
	for sub in bin sbin lib lib32 lib64; do
		mkdir -p "$dir/usr/$sub"
		[ -L "$dir/$sub" ] || ln -s "usr/$sub" "$dir/$sub"
	done
	for deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir" --keep-directory-symlink || return 1
	done
	find "$dir" -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
		ln -sfnr "$dir$(readlink "$link")" "$link"
	done
}

# vm_fetch_user SUITE ARCH DIR: a guest's tools and libraries, and the -dev packages for cross builds.
vm_fetch_user()
(
	suite=$1 arch=$2 dir=$3 debs=$3.debs
	trap 'rm -rf "$debs"' EXIT
	mkdir -p "$dir" "$debs/partial"
	vm_update "$suite" "$arch" || exit 1
	vm_log "downloading the userland of $suite $arch"
	# Nothing counts as installed, so apt downloads all that the tools depend on.
	vm_apt "$suite" "$arch" apt-get install -y --download-only --no-install-recommends \
		-o Dir::Cache::archives="$debs" "${vm_user_packages[@]}" "${vm_dev_packages[@]}" || exit 1
	for deb in "$debs"/*.deb; do
		[[ ${deb##*/} =~ $vm_dev_unwanted ]] && rm "$deb"
	done
	vm_unpack "$dir" "$debs"/*.deb || exit 1
	rm -rf "$dir"/usr/share/{doc,locale,man,info} "$dir"/usr/lib/*/perl*
)

# vm_fetch_cc SUITE PREFIX DIR: DIR/gcc is the cross compiler PREFIX-gcc of another suite, with its C library. (After vm_kernel.)
vm_fetch_cc()
(
	suite=$1 prefix=$2 dir=$3 debs=$3.debs native=$(dpkg --print-architecture)
	trap 'rm -rf "$debs"' EXIT
	mkdir -p "$dir" "$debs/partial"
	vm_update "$suite" "$native" "gcc-$prefix" || exit 1
	vm_log "downloading gcc-$prefix of $suite"
	vm_apt "$suite" "$native" apt-get install -y --download-only --no-install-recommends \
		-o Dir::Cache::archives="$debs" "gcc-$prefix" "libc6-dev-$vm_arch-cross" || exit 1
	vm_unpack "$dir" "$debs"/*.deb || exit 1
	rm -rf "$dir"/usr/share/{doc,locale,man,info}
	# Its programs want the libraries of their suite: these stand in the place of the machine's own for as long as it runs.
	cat >"$dir/gcc" <<-END
		#!/bin/sh
		exec unshare --mount sh -c 'mount --bind "\$1/usr" /usr && shift && exec $prefix-gcc "\$@"' sh "\$(dirname "\$0")" "\$@"
	END
	chmod +x "$dir/gcc"
)

# vm_image_packages SUITE ARCH PACKAGE: prints the packages that hold the kernel and its modules. linux-image-amd64 and
# the like are meta packages, and newer kernels come in several packages.
vm_image_packages()
{
	local todo=$3 done='' now
	while [ -n "$todo" ]; do
		now=${todo%% *}
		todo=${todo#"$now"}
		todo=${todo# }
		done+=" $now"
		for now in $(vm_apt "$1" "$2" apt-cache depends --no-recommends --no-suggests --no-conflicts \
			     --no-breaks --no-replaces --no-enhances "$now" |
			     sed -n 's/^ *[|]*Depends: *\(linux-[a-z]*-[0-9][^ :]*\).*/\1/p'); do
			case " $done $todo " in
			*" $now "*) ;;
			*) todo="${todo:+$todo }$now" ;;
			esac
		done
	done
	echo "$done"
}

# vm_fetch_kernel SUITE ARCH PACKAGE DIR
vm_fetch_kernel()
(
	suite=$1 arch=$2 package=$3 dir=$4 debs=$4.debs
	trap 'rm -rf "$debs"' EXIT
	mkdir -p "$dir" "$debs"
	vm_need depmod kmod || exit 1
	vm_update "$suite" "$arch" "$package" || exit 1
	read -ra packages <<<"$(vm_image_packages "$suite" "$arch" "$package")"
	vm_log "downloading ${packages[*]} of $suite $arch"
	(cd "$debs" && vm_apt "$suite" "$arch" apt-get download "${packages[@]}") || exit 1
	vm_unpack "$dir" "$debs"/*.deb || exit 1
	modules=("$dir"/lib/modules/*/)
	release=$(basename "${modules[0]}")
	depmod -b "$dir" "$release" || exit 1
	echo "$release" >"$dir/release"
	rm -rf "$dir/usr/share/doc"
)

# vm_kernel_dir NAME, vm_user_dir: fetch if need be; print the directory. (After vm_kernel.)
vm_kernel_dir() { vm_cached "kernel/$1" vm_fetch_kernel "$vm_suite" "$vm_arch" "$vm_package"; }

vm_user_dir()
{
	local hash
	if vm_is_native; then
		echo /
	else
		hash=$(echo "${vm_user_packages[@]}" "${vm_dev_packages[@]}" | sha256sum | cut -c 1-8)
		vm_cached "user/$vm_userland-$vm_arch-$hash" vm_fetch_user "$vm_userland" "$vm_arch"
	fi
}

# vm_kernel_image DIR: prints the file to boot.
vm_kernel_image()
{
	local image
	for image in "$1"/boot/vmlinuz-* "$1"/boot/vmlinux-* "$1"/lib/modules/*/vmlinuz; do
		[ -f "$image" ] && echo "$image" && return
	done
	vm_log "no kernel image in $1"
	return 1
}

# ---- initramfs -------------------------------------------------------------------------------------------------

# vm_cpio DIR: prints the directory as a cpio archive.
vm_cpio() { (cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet); }

# vm_find_tool ROOT NAME: prints the path of a program in a guest's userland.
vm_find_tool()
{
	local dir
	for dir in usr/sbin usr/bin sbin bin; do
		[ -x "$1/$dir/$2" ] && echo "$1/$dir/$2" && return
	done
	return 1
}

# vm_libraries ROOT DIR FILE...: copies what the ELF files need (libraries, in all depths, and the dynamic loader) from
# the userland ROOT to DIR. (After vm_kernel.)
vm_libraries()
{
	local root=$1 dir=$2 file lib path
	local -a todo
	shift 2
	todo=("$@")
	mkdir -p "$dir/usr/lib/$vm_triplet"
	while [ ${#todo[@]} -gt 0 ]; do
		file=${todo[0]}
		todo=("${todo[@]:1}")
		lib=$(readelf -l "$file" 2>/dev/null |
		      sed -n 's/.*Requesting program interpreter: \(.*\)\]/\1/p')
		if [ -n "$lib" ] && [ ! -e "$dir/$lib" ]; then
			case $lib in /lib*) lib=/usr$lib ;; esac
			mkdir -p "$dir/${lib%/*}"
			cp -L "$root$lib" "$dir$lib" || return 1
		fi
		for lib in $(readelf -d "$file" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
			[ -e "$dir/usr/lib/$vm_triplet/$lib" ] && continue
			path=
			for path in "$root"/usr/lib/"$vm_triplet"/"$lib" "$root"/lib/"$vm_triplet"/"$lib" \
				    "$root"/usr/local/lib/"$lib" "$root"/usr/lib/"$lib" \
				    "$root"/usr/lib64/"$lib" "$root"/usr/lib/"$vm_triplet"/*/"$lib"; do
				[ -e "$path" ] && break
			done
			if [ ! -e "$path" ]; then
				vm_log "$file needs $lib, which is not in the guest's userland $root"
				return 1
			fi
			cp -L "$path" "$dir/usr/lib/$vm_triplet/$lib" || return 1
			todo+=("$path")
		done
	done
}

# vm_modules KERNEL_DIR DIR: copies the modules of the list `modules`, and those they depend on, decompressed.
vm_modules()
{
	local kernel=$1 dir=$2 release file
	release=$(cat "$kernel/release")
	mkdir -p "$dir/usr/lib/modules/$release"
	sed 's/#.*//; /^ *$/d' "$vm_here/modules" | awk '
		function id(path) { sub(/.*\//, "", path); sub(/\.ko.*/, "", path); gsub(/-/, "_", path); return path }
		NR == FNR { want[id($1)] = 1; next }
		{ sub(":", "", $1); if (id($1) in want) for (i = 1; i <= NF; i++) if (!seen[$i]++) print $i }
	' - "$kernel/lib/modules/$release/modules.dep" >"$dir.list" || return 1
	while read -r file; do
		mkdir -p "$dir/usr/lib/modules/$release/${file%/*}"
		case $file in
		*.xz) xz -dc "$kernel/lib/modules/$release/$file" ;;
		*.zst) zstd -qdc "$kernel/lib/modules/$release/$file" ;;
		*.gz) gzip -dc "$kernel/lib/modules/$release/$file" ;;
		*) cat "$kernel/lib/modules/$release/$file" ;;
		esac >"$dir/usr/lib/modules/$release/${file%.ko*}.ko" || return 1
	done <"$dir.list"
	rm "$dir.list"
	cp "$kernel/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$dir/usr/lib/modules/$release" || return 1
	depmod -b "$dir" "$release"
}

# vm_make_base KERNEL_DIR ROOT FILE: makes the part of the initramfs that does not depend on the test.
vm_make_base()
(
	kernel=$1 root=$2 file=$3 dir=$3.d tools=()
	trap 'rm -rf "$dir"' EXIT
	mkdir -p "$dir"/{dev,proc,sys,run,tmp,root,t,etc,var/run,usr/bin,usr/sbin,usr/lib,usr/lib64}
	ln -s usr/bin usr/sbin usr/lib usr/lib64 "$dir"
	busybox=$(vm_find_tool "$root" busybox) || { vm_need no-static-busybox busybox-static; exit 1; }
	if readelf -l "$busybox" | grep -q 'program interpreter'; then
		vm_log "$busybox is not static: apt-get install busybox-static"
		exit 1
	fi
	cp "$busybox" "$dir/usr/bin/busybox"
	for tool in "${vm_guest_tools[@]}"; do
		if path=$(vm_find_tool "$root" "$tool"); then
			cp -L "$path" "$dir/usr/sbin/$tool"
			tools+=("$path")
		elif [ "$tool" = ip ] || [ "$tool" = tc ]; then
			vm_need "$tool" iproute2
			exit 1
		fi
	done
	vm_libraries "$root" "$dir" "${tools[@]}" || exit 1
	vm_modules "$kernel" "$dir" || exit 1
	install -m 755 "$vm_here/init" "$dir/init"
	vm_cpio "$dir" >"$file"
)

# vm_base NAME: prints the path of the base initramfs. Removes what no run used for a week. (After vm_kernel.)
vm_base()
{
	local kernel root hash tool tools=()
	find "$vm_cache"/{base,cross,module} -mindepth 1 -maxdepth 1 -ctime +7 -exec rm -rf {} + 2>/dev/null
	kernel=$(vm_kernel_dir "$1") || return 1
	root=$(vm_user_dir) || return 1
	for tool in "${vm_guest_tools[@]}"; do
		tool=$(vm_find_tool "$root" "$tool") && tools+=("$tool")
	done
	hash=$(cat "$vm_here"/{lib.sh,init,modules} "$kernel/release" "${tools[@]}" | sha256sum | cut -c 1-12)
	vm_cached "base/$1-$hash.cpio" vm_make_base "$kernel" "$root"
}

# ---- run -------------------------------------------------------------------------------------------------------

# What the kernel must not say after the guest's script began. No ANSI colours or prefixes are assumed.
vm_complaints='WARNING:|BUG:|refcount_t|Call [Tt]race|Oops|Kernel panic|possible (recursive|circular|irq)|'\
'suspicious RCU|detected stall|blocked for more than|UBSAN|KASAN|KCSAN|general protection fault|'\
'inconsistent lock state|unregister_netdevice: waiting'

# With a thread for each CPU, tcg sometimes executes a breakpoint that the kernel has already taken away again, when it
# enables a static branch: "Oops: int3" at an instruction that is none. (Seen with QEMU 7.2 and kernel 7.2, once in ten runs.)
vm_int3='int3: [0-9a-f]{4} \[#1\]'

# vm_payload DIR SCRIPT [FILE[=NAME]...]: fills DIR/t with what the test brings, and the libraries of its programs.
vm_payload()
{
	local dir=$1 script=$2 file name root
	local -a elf=()
	shift 2
	mkdir -p "$dir/t"
	cp "$script" "$dir/t/script" || return 1
	for file; do
		name=${file##*=}
		name=${name##*/}
		file=${file%%=*}
		cp -rL "$file" "$dir/t/$name" || return 1
		[ -f "$file" ] && elf+=("$file")
	done
	for file in "${vm_env[@]}"; do
		printf 'export %q\n' "$file"
	done >"$dir/t/env"
	root=$(vm_user_dir) || return 1
	vm_libraries "$root" "$dir" "${elf[@]}"
}

# vm_fetch_qemu SUITE COMMAND DIR: the QEMU of another suite, whose libraries are the host's.
vm_fetch_qemu()
(
	suite=$1 command=$2 package=$2 dir=$3 debs=$3.debs
	trap 'rm -rf "$debs"' EXIT
	mkdir -p "$dir" "$debs"
	arch=$(dpkg --print-architecture)
	case $command in
	*-loongarch64)
		package="qemu-system-misc"
		# Kernels find PCI by ACPI only, which comes with the firmware; the backports have none.
		(vm_update trixie "$arch" qemu-efi-loongarch64 && cd "$debs" && vm_apt trixie "$arch" apt-get download qemu-efi-loongarch64) ||
			exit 1 ;;
	esac
	vm_update "$suite" "$arch" "$package" || exit 1
	vm_log "downloading $package of $suite"
	(cd "$debs" && vm_apt "$suite" "$arch" apt-get download "$package" qemu-system-common qemu-system-data) || exit 1
	vm_unpack "$dir" "$debs"/*.deb || exit 1
	if ldd "$dir/usr/bin/$command" | grep 'not found' >&2; then
		vm_log "$command of $suite does not run with this machine's libraries"
		exit 1
	fi
)

# vm_find_qemu: makes sure of QEMU, and turns SUITE/COMMAND in vm_machine into a path. (After vm_kernel.)
vm_find_qemu()
{
	local command=${vm_machine[0]} dir
	case $command in
	*/*) dir=$(vm_cached "qemu/${command/\//-}" vm_fetch_qemu "${command%/*}" "${command#*/}") &&
		     vm_machine[0]=$dir/usr/bin/${command#*/} || return 1
		case $command in *-loongarch64) vm_machine+=(-bios "$dir/usr/share/qemu-efi-loongarch64/QEMU_EFI.fd") ;; esac ;;
	*-arm | *-aarch64) vm_need "$command" qemu-system-arm ;;
	*-x86_64 | *-i386) vm_need "$command" qemu-system-x86 ;;
	*-ppc64) vm_need "$command" qemu-system-ppc ;;
	*-mips64el | *-mipsel) vm_need "$command" qemu-system-mips ;;
	*) vm_need "$command" qemu-system-misc ;;
	esac
}

# vm_qemu DIR: boots DIR/initrd with the kernel image DIR/image; DIR gets `console`, `out`, `status` and `files`.
vm_qemu()
{
	local dir=$1 seconds=$2 port
	local -a args=()
	for port in out status files; do
		: >"$dir/$port"
		args+=(-chardev "file,id=$port,path=$dir/$port"
		       -device "virtserialport,chardev=$port,name=mimic.$port")
	done
	# Whatever way this shell ends, QEMU ends with it.
	setpriv --pdeathsig TERM timeout --foreground -k 5 "$seconds" setpriv --pdeathsig KILL \
		"${vm_machine[@]}" -accel "${VM_ACCEL:-tcg}" -m "${VM_MEMORY:-512}" -nodefaults -display none -no-reboot -no-user-config \
		-kernel "$dir/image" -initrd "$dir/initrd" \
		-append "console=$vm_console loglevel=5 panic=-1 net.ifnames=0 $vm_append ${VM_APPEND:-}" \
		-chardev "file,id=console,path=$dir/console" -serial chardev:console \
		-device "virtio-serial-$vm_bus" "${args[@]}" -device "virtio-rng-$vm_bus" "${vm_qemu_args[@]}" \
		</dev/null >"$dir/qemu" 2>&1
}

# vm_run KERNEL SCRIPT [FILE[=NAME]...]: boots the kernel and runs SCRIPT in it with busybox sh as root, in /t, where the
# FILEs are (programs bring their libraries); NAME is what FILE is called there. Prints the script's output, and returns its exit status or one of the
# statuses above; the end of the kernel's log goes to stderr on failure. The last that SCRIPT says is a line that begins with `done, up`: a
# script that ends before that, for whatever reason, has failed.
#
#   VM_TIMEOUT      seconds, default 300
#   VM_MEMORY       MiB, default 512
#   VM_APPEND       more of the kernel's command line
#   VM_IMAGE        the file to boot instead of the kernel's own
#   VM_ACCEL        QEMU's accelerator, default tcg, which works everywhere, and at a second try tcg,thread=single
#   VM_DIR          where `console`, `out`, `status` and `result.tar` (what the script left in /t/result) stay;
#                   default: a temporary directory that goes away
#   vm_env          array of NAME=VALUE, set in the script's environment
#   vm_qemu_args    array of more arguments for QEMU: -netdev socket,..., -drive file=...,snapshot=on, ...
vm_env=()
vm_qemu_args=()

vm_run()
(
	name=$1 script=$2
	shift 2
	vm_kernel "$name" && vm_need cpio cpio && vm_need setpriv util-linux || exit "$vm_no_result"
	vm_find_qemu || exit "$vm_no_result"
	work=$(mktemp -d "${TEST_TMP:-${TMPDIR:-/tmp}}/vm.XXXXXX") || exit "$vm_no_result"
	trap 'rm -rf "$work"' EXIT
	dir=${VM_DIR:-$work/out}
	mkdir -p "$dir"

	kernel=$(vm_kernel_dir "$name") && base=$(vm_base "$name") && image=${VM_IMAGE:-$(vm_kernel_image "$kernel")} &&
		vm_payload "$work/payload" "$script" "$@" || exit "$vm_no_result"
	{ cat "$base" && vm_cpio "$work/payload"; } >"$dir/initrd" || exit "$vm_no_result"
	ln -sf "$image" "$dir/image"
	began=$SECONDS
	vm_qemu "$dir" "${VM_TIMEOUT:-300}"
	qemu=$?
	# 139: its own segmentation fault, not one of the guest (seen with QEMU 7.2, while a kernel boots on two threads).
	if [ -z "${VM_ACCEL:-}" ] && [ ! -s "$dir/status" ] && { ((qemu == 139)) || grep -aqE "$vm_int3" "$dir/console"; }; then
		vm_log "$name: the emulator stumbled (status $qemu), as over a kernel that changes its code: once more, with one thread"
		VM_ACCEL=tcg,thread=single vm_qemu "$dir" "${VM_TIMEOUT:-300}"
		qemu=$?
	fi
	[ -s "$dir/files" ] && mv "$dir/files" "$dir/result.tar"
	rm -f "$dir/initrd" "$dir/image" "$dir/files"

	cat "$dir/out"
	status=$(cat "$dir/status")
	if [[ ! $status =~ ^[0-9]+$ ]]; then
		status=$vm_no_result
		case $qemu in 124 | 137) status=$vm_timed_out ;; esac
		vm_log "$name: no result (status $status)"
		cat "$dir/qemu" >&2
	elif [ "$status" = 0 ] && ! grep -aq '^done, up' "$dir/out"; then
		status=$vm_ended_early
		vm_log "$name: the script ended before its last line (\`done, up ...\`)"
	fi
	if ! grep -aq 'mimic-vm: begin' "$dir/console"; then
		vm_log "$name: the console does not say where the script began, so nobody knows what the kernel complained of"
		[ "$status" = 0 ] && status=$vm_no_result
	elif sed '1,/mimic-vm: begin/d' "$dir/console" | grep -aE "$vm_complaints" >"$work/complaints"; then
		vm_log "$name: the kernel complained:" && head -n 20 "$work/complaints" >&2
		[ "$status" = 0 ] && status=$vm_kernel_complaint
	fi
	if [ "$status" != 0 ] && [ "$status" != 77 ]; then
		vm_log "$name: the end of the console:"
		tail -n 60 "$dir/console" >&2
	fi
	vm_log "$name: status $status after $((SECONDS - began)) s"
	exit "$status"
)

# ---- builds for the guest --------------------------------------------------------------------------------------

# vm_tools KERNEL NAME...: builds the single-file programs tests/tools/NAME.c static for the guest; prints the directory.
vm_tools()
(
	vm_kernel "$1" && cc=$(vm_cc) || exit 1
	shift
	dir=$(mktemp -d "${TEST_TMP:-${TMPDIR:-/tmp}}/tools.XXXXXX") || exit 1
	for name; do
		"$cc" -std=gnu11 -O2 -g -static -o "$dir/$name" "${SRCDIR:-$vm_srcdir}/tests/tools/$name.c" || exit 1
	done
	echo "$dir"
)

# vm_sources DIR: copies the product's sources, without what was built in the tree.
vm_sources()
{
	local src=${SRCDIR:-$vm_srcdir}
	mkdir -p "$1"
	if git -C "$src" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		# Files may vanish under us when somebody edits: tar goes on and says so.
		(cd "$src" && git ls-files -z --cached --others --exclude-standard |
		 tar -c --null --ignore-failed-read -T - 2>/dev/null) | tar -x -C "$1"
	else
		tar -c -C "$src" --exclude=./build --exclude='*.o' --exclude=./config.status --exclude=./Makefile . |
			tar -x -C "$1"
	fi
}

# vm_hash_tree DIR: prints a hash of what a build depends on.
vm_hash_tree()
{
	(cd "$1" && find . -path ./tests -prune -o -path ./man -prune -o -type f -print0 | LC_ALL=C sort -z |
	 xargs -0 sha256sum | sha256sum | cut -c 1-16)
}

# vm_configure_args ROOT: prints the arguments that make ./configure build against a userland. Only libraries come from
# there, the C library is the cross compiler's. (A newer C library than the compiler's, as on riscv64, gives the shared
# libraries symbols that the linker does not find: they are found in the guest.)
vm_configure_args()
{
	local root=$1 lib=$1/usr/lib/$vm_triplet host=$vm_triplet cc
	cc=$(vm_cc) || return 1
	[ "$vm_arch" = i386 ] && host=i686-linux-gnu
	# For clang, which the files in the place of /usr (vm_fetch_cc) are not there for.
	[ -z "$vm_cc_suite" ] || echo "mimic_cv_asm_dir=${cc%/gcc}/usr/$vm_triplet/include"
	printf '%s\n' "--host=$host" \
		"CC=$cc" \
		"PKG_CONFIG=pkg-config" \
		"PKG_CONFIG_LIBDIR=$lib/pkgconfig:$root/usr/share/pkgconfig" \
		"PKG_CONFIG_SYSROOT_DIR=$root" \
		"CPPFLAGS=-isystem $root/usr/include -isystem $root/usr/include/$vm_triplet" \
		"LDFLAGS=-L$lib -Wl,-rpath-link,$lib -Wl,--allow-shlib-undefined"
}

# vm_bpftool ROOT FILE: where the guest has the other byte order, makes FILE a bpftool that can link its BPF objects: the guest's
# own, under emulation. (Debian 12's links those of its own byte order only.) Prints the argument for ./configure.
vm_bpftool()
{
	[ "$vm_arch" = s390x ] || return 0
	vm_need qemu-s390x-static qemu-user-static || return 1
	printf '#!/bin/sh\nexec qemu-s390x-static -L %q %q "$@"\n' "$1" "$1/usr/sbin/bpftool" >"$2" && chmod +x "$2" || return 1
	echo "BPFTOOL=$2"
}

# vm_do_cross_build SOURCES ROOT DIR: configures and builds out of tree; DIR gets `mimic` and the log.
vm_do_cross_build()
(
	src=$1 root=$2 dir=$3 build=$1.build
	trap 'rm -rf "$build"' EXIT
	mkdir -p "$build" "$dir"
	mapfile -t args < <(vm_configure_args "$root")
	bpftool=$(vm_bpftool "$root" "$build/guest-bpftool") || exit 1
	[ -z "$bpftool" ] || args+=("$bpftool")
	vm_log "building for $vm_arch"
	{
		[ -x "$src/configure" ] || (cd "$src" && autoreconf -fi) || exit 1
		cd "$build" && export PKG_CONFIG_LIBDIR="$root/usr/lib/$vm_triplet/pkgconfig:$root/usr/share/pkgconfig" \
			PKG_CONFIG_SYSROOT_DIR="$root" && "$src/configure" "${args[@]}" && make -j"$(nproc)"
	} >"$dir/log" 2>&1
	status=$?
	path=$(find "$build" -maxdepth 2 -type f -name mimic -perm -u+x | head -n 1)
	if [ $status != 0 ] || [ -z "$path" ]; then
		tail -n 40 "$dir/log"
		[ -f "$build/Makefile" ] || grep -a ' error: ' "$build/config.log" | tail -n 10
		vm_log "the product did not build for $vm_arch"
		exit 1
	fi
	cp "$path" "$dir/mimic"
)

# vm_cross_build KERNEL: builds the product for the guest unless these very sources were built before; prints the path
# of `mimic`. On the machine's own architecture that is the binary that was built already ($MIMIC or $BUILDDIR).
vm_cross_build()
(
	vm_kernel "$1" || exit 1
	if vm_is_native; then
		echo "${MIMIC:-${BUILDDIR:-$vm_srcdir}/mimic}"
		exit
	fi
	root=$(vm_user_dir) && vm_cc >/dev/null || exit 1
	src=$(mktemp -d "${TEST_TMP:-${TMPDIR:-/tmp}}/cross.XXXXXX") || exit 1
	trap 'rm -rf "$src"' EXIT
	vm_sources "$src/src" || exit 1
	hash=$( (vm_hash_tree "$src/src"; vm_configure_args "$root") | sha256sum | cut -c 1-16)
	dir=$(vm_cached "cross/$vm_arch-$hash" vm_do_cross_build "$src/src" "$root") && echo "$dir/mimic"
)

# ---- tests -----------------------------------------------------------------------------------------------------

# vm_libxdp KERNEL: guest-libxdp.sh with libxdp and somebody else's XDP program, in a kernel of the machine's own architecture
vm_libxdp()
{
	local other=$TEST_TMP/other.o loader triplet
	triplet=$(gcc -print-multiarch)
	loader=$(command -v xdp-loader) || vm_need xdp-loader xdp-tools || return 1
	clang -O2 -g -target bpf -c "$vm_here/libxdp-other.c" -o "$other" -I"/usr/include/$triplet" || return 1
	vm_test "$1" libxdp "$loader" "/usr/lib/$triplet/libxdp.so.1" "/usr/lib/$triplet/bpf/xdp-dispatcher.o" "$other"
}

# vm_test KERNEL NAME [FILE...]: guest-NAME.sh with the product, the test tools and the FILEs in that kernel.
# `MIMIC_KEEP_TMP=1 tests/run vm/...` keeps the capture and the logs of a failure, in vm/result.tar of the test's directory.
vm_test()
{
	local kernel=$1 script=$vm_here/guest-$2.sh mimic tools
	shift 2
	vm_kernel "$kernel" && mimic=$(vm_cross_build "$kernel") && tools=$(vm_tools "$kernel" udpflow wirecheck) || return 1
	[ -z "${TEST_TMP:-}" ] || VM_DIR=${VM_DIR:-$TEST_TMP/vm}
	VM_TIMEOUT=${VM_TIMEOUT:-600} vm_run "$kernel" "$script" "$vm_here/guest-lib.sh" "$mimic" \
		"$tools"/{udpflow,wirecheck} "$@"
}

# vm_basic KERNEL: guest-basic.sh.
vm_basic()
{
	vm_test "$1" basic
}

# vm_wireguard KERNEL [FILE...]: guest-wireguard.sh, with the files of docs/examples/wireguard-X as X-FILE.
vm_wireguard()
{
	local kernel=$1 root tool path dir files=()
	shift
	dir=$(mktemp -d "${TEST_TMP:-${TMPDIR:-/tmp}}/examples.XXXXXX") || return 1
	for path in "$vm_srcdir"/docs/examples/wireguard-*/*-*0.*; do
		tool=${path%/*}
		files+=("$dir/${tool##*/wireguard-}-${path##*/}")
		cp "$path" "${files[-1]}" || return 1
	done
	vm_kernel "$kernel" && root=$(vm_user_dir) || return 1
	for tool in wg:wireguard-tools ping:iputils-ping iperf3:iperf3; do
		path=$(vm_find_tool "$root" "${tool%:*}") || vm_need "${tool%:*}" "${tool#*:}" || return 1
		files+=("$path")
	done
	vm_test "$kernel" wireguard "${files[@]}" "$@"
}
