#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs as root in a Debian with pacman and a kernel, without network: in-root-arch-install.sh DIR VERSION. DIR/arch has the packages.
set -eu
dir=$1 version=$2
arch=$(uname -m)
mimic=$dir/arch/mimic-$version-1-$arch.pkg.tar.zst
dkms=$dir/arch/mimic-dkms-$version-1-$arch.pkg.tar.zst

fail()
{
	echo "FAIL: $*"
	exit 1
}

# same NAME WANTED GOT
same() { [ "$2" = "$3" ] || { diff <(echo "$2") <(echo "$3") || true; fail "$1: not as it should be"; }; }

echo "--- contents"
list() { bsdtar -tvf "$1" | awk '$NF !~ /^\.|^usr\/share\/doc\/mimic\/examples/ && ($1 !~ /^d/ || $NF == "etc/mimic/") { print $1, $3 ":" $4, $NF }' | LC_ALL=C sort; }
same "files of mimic, but for examples" "$(LC_ALL=C sort <<-END
	-rw-r--r-- root:root usr/lib/systemd/system/mimic-guard@.service
	-rw-r--r-- root:root usr/lib/systemd/system/mimic@.service
	-rw-r--r-- root:root usr/share/bash-completion/completions/mimic
	-rw-r--r-- root:root usr/share/doc/mimic/CHANGELOG.md
	-rw-r--r-- root:root usr/share/doc/mimic/README.md
	-rw-r--r-- root:root usr/share/doc/mimic/eth0.conf.example
	-rw-r--r-- root:root usr/share/doc/mimic/getting-started.md
	-rw-r--r-- root:root usr/share/doc/mimic/kernels.md
	-rw-r--r-- root:root usr/share/fish/vendor_completions.d/mimic.fish
	-rw-r--r-- root:root usr/share/man/man1/mimic-check.1.gz
	-rw-r--r-- root:root usr/share/man/man1/mimic-stats.1.gz
	-rw-r--r-- root:root usr/share/man/man1/mimic.1.gz
	-rw-r--r-- root:root usr/share/man/man5/mimic.conf.5.gz
	-rw-r--r-- root:root usr/share/man/man7/mimic.7.gz
	-rw-r--r-- root:root usr/share/zsh/site-functions/_mimic
	-rwxr-xr-x root:root usr/bin/mimic
	drwxr-xr-x root:root etc/mimic/
END
)" "$(list "$mimic")"
same "files of mimic-dkms" "$(LC_ALL=C sort <<-END
	-rw-r--r-- root:root usr/src/mimic-$version/dkms.conf
	-rw-r--r-- root:root usr/src/mimic-$version/kmod/Kbuild
	-rw-r--r-- root:root usr/src/mimic-$version/kmod/Makefile
	-rw-r--r-- root:root usr/src/mimic-$version/kmod/compat.h
	-rw-r--r-- root:root usr/src/mimic-$version/kmod/gso.h
	-rw-r--r-- root:root usr/src/mimic-$version/kmod/kernel-btf.c
	-rw-r--r-- root:root usr/src/mimic-$version/kmod/kernel-btf.h
	-rw-r--r-- root:root usr/src/mimic-$version/kmod/mimic-btf.c
	-rw-r--r-- root:root usr/src/mimic-$version/kmod/mimic.c
	-rw-r--r-- root:root usr/src/mimic-$version/kmod/mimic_kfunc.h
	-rwxr-xr-x root:root usr/lib/mimic/mimic-btf
END
)" "$(list "$dkms")"
info() { bsdtar -xOf "$1" .PKGINFO | sed -n "s/^$2 = //p" | sed 's/:.*//' | paste -sd ' '; }
same "licence" GPL-2.0-only "$(info "$mimic" license)"
same "what mimic provides" "mimic-tools=$version" "$(info "$mimic" provides)"
same "what mimic needs" "glibc jansson libbpf libelf libmnl libseccomp systemd-libs zlib" "$(info "$mimic" depend)"
same "what mimic may use" "mimic-dkms libxdp iproute2" "$(info "$mimic" optdepend)"
same "what mimic-dkms needs" "dkms glibc libbpf libelf" "$(info "$dkms" depend)"
same "configuration files" "" "$(info "$mimic" backup)$(info "$dkms" backup)"
bsdtar -xOf "$mimic" .INSTALL | cmp - "$dir/arch/mimic.install" || fail ".INSTALL"
# No library that is not named above.
bsdtar -xf "$mimic" -C /tmp usr/bin/mimic
same "libraries of mimic" "libbpf libc libelf libjansson libmnl libseccomp libsystemd libz" \
	"$(readelf -d /tmp/usr/bin/mimic | sed -n 's/.*NEEDED.*\[\(lib[a-z]*\)\.so.*/\1/p' | sort | paste -sd ' ')"

echo "--- installed, upgraded, removed"
# /sys shows the interfaces of the namespace in which it was mounted.
mount -t sysfs -o ro sys /sys
ip link set lo up
pacman_() { pacman --noconfirm -dd "$@" | tee "$dir/said"; }
pacman_ -U "$mimic" "$dkms"
grep -q 'systemctl enable --now mimic@INTERFACE' "$dir/said" || fail "no hint"
[[ $(mimic --version) = *"$version"* ]] || fail "mimic --version"
# As the hook of Arch's dkms does.
kernel=$(basename /lib/modules/*/)
dkms install --no-depmod "mimic/$version" -k "$kernel" || { tail -n 40 /var/lib/dkms/mimic/*/build/make.log; fail "no module"; }
sh "$dir/smoke"
echo '# mine' >/etc/mimic/wlan0.conf
pacman_ -U "$mimic"
grep -q "systemctl try-restart 'mimic@\*.service'" "$dir/said" || fail "no hint"
ip link add guard-test type veth peer name guard-peer
ip link set guard-test up
guard() { tc filter show dev guard-test egress | grep mimic_udpguard; }
mimic guard -f local=192.0.2.1:5000,udp=drop guard-test
guard || fail "no guard"
dkms remove "mimic/$version" --all
pacman_ -R mimic mimic-dkms
guard || fail "a removal has opened the guard"
sed -n 's/^Plain UDP .* on guard-test until the next boot; to let it out now: //p' "$dir/said" >"$dir/command"
grep '^tc ' "$dir/command" || fail "no command"
sh "$dir/command"
! guard || fail "the guard is still there after what was advised"
same "the configuration" '# mine' "$(cat /etc/mimic/wlan0.conf)"
rm -r /etc/mimic
left=$(find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path "${dir%/*}" -o -path /var/log -o -path /var/lib/pacman \) -prune -o \
	-name '*mimic*' ! -path '/run/mimic*' ! -exec mountpoint -q {} \; -print) # (the tests' own cache is mounted)
same "what is left" "" "$left"
echo "passed"
