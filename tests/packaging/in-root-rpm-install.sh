#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs as root in a Debian with rpm and a kernel, without network: in-root-rpm-install.sh DIR VERSION. DIR/RPMS has the packages.
set -eu
dir=$1 version=$2
release=1.fc43
arch=$(rpm --eval %_arch)
# What they need has Debian's names here: --nodeps.
tools=$dir/RPMS/$arch/mimic-tools-$version-$release.$arch.rpm
dkms=$dir/RPMS/$arch/mimic-dkms-$version-$release.$arch.rpm
# Not below /tmp, of which each scriptlet may have its own (rpm-plugin-unshare).
calls=/root/calls

fail()
{
	echo "FAIL: $*"
	tail -n 40 /var/lib/dkms/mimic/*/build/make.log 2>/dev/null
	exit 1
}

# same NAME WANTED GOT
same() { [ "$2" = "$3" ] || { diff <(echo "$2") <(echo "$3") || true; fail "$1: not as it should be"; }; }

# The files of this Debian, but for those that a log, a cache, dkms's own key or the list of kernel modules is in.
files()
{
	find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /run/netns -o -path "${dir%/*}" -o -path '/var/cache/*' -o -path '/var/log/*' \
		-o -path '/var/lib/rpm/*' -o -path '/var/lib/dkms/mok.*' -o -path '/root/*' -o -path '/etc/*-' \) -prune -o -print | LC_ALL=C sort
}

# ---- what is in the packages ---------------------------------------------------------------------------------------

echo "--- contents"
list() { rpm -qp --qf "$2" "$1" | LC_ALL=C sort; }
same "files of mimic-tools, but for examples" "$(LC_ALL=C sort <<-END
	drwxr-xr-x /etc/mimic
	drwxr-xr-x /usr/share/doc/mimic
	drwxr-xr-x /usr/share/licenses/mimic-tools
	-rwxr-xr-x /usr/bin/mimic
	-rw-r--r-- /usr/lib/systemd/system/mimic-guard@.service
	-rw-r--r-- /usr/lib/systemd/system/mimic@.service
	-rw-r--r-- /usr/share/bash-completion/completions/mimic
	-rw-r--r-- /usr/share/doc/mimic/CHANGELOG.md
	-rw-r--r-- /usr/share/doc/mimic/README.md
	-rw-r--r-- /usr/share/doc/mimic/eth0.conf.example
	-rw-r--r-- /usr/share/doc/mimic/getting-started.md
	-rw-r--r-- /usr/share/doc/mimic/kernels.md
	-rw-r--r-- /usr/share/fish/vendor_completions.d/mimic.fish
	-rw-r--r-- /usr/share/licenses/mimic-tools/LICENSE
	-rw-r--r-- /usr/share/man/man1/mimic-check.1.gz
	-rw-r--r-- /usr/share/man/man1/mimic-stats.1.gz
	-rw-r--r-- /usr/share/man/man1/mimic.1.gz
	-rw-r--r-- /usr/share/man/man5/mimic.conf.5.gz
	-rw-r--r-- /usr/share/man/man7/mimic.7.gz
	-rw-r--r-- /usr/share/zsh/site-functions/_mimic
END
)" "$(list "$tools" '[%{FILEMODES:perms} %{FILENAMES}\n]' | grep -v -e ' /usr/share/doc/mimic/examples' -e ' /usr/lib/\.build-id')"
for example in forwarder hysteria2 wireguard-networkd wireguard-wg-quick; do
	rpm -qpl "$tools" | grep "^/usr/share/doc/mimic/examples/$example/README.md" >/dev/null || fail "no example $example"
done
same "files of mimic-dkms" "$(LC_ALL=C sort <<-END
	drwxr-xr-x /usr/libexec/mimic
	drwxr-xr-x /usr/share/licenses/mimic-dkms
	drwxr-xr-x /usr/src/mimic-$version
	drwxr-xr-x /usr/src/mimic-$version/kmod
	-rwxr-xr-x /usr/libexec/mimic/mimic-btf
	-rw-r--r-- /usr/share/licenses/mimic-dkms/LICENSE
	-rw-r--r-- /usr/src/mimic-$version/dkms.conf
	-rw-r--r-- /usr/src/mimic-$version/kmod/Kbuild
	-rw-r--r-- /usr/src/mimic-$version/kmod/Makefile
	-rw-r--r-- /usr/src/mimic-$version/kmod/compat.h
	-rw-r--r-- /usr/src/mimic-$version/kmod/gso.h
	-rw-r--r-- /usr/src/mimic-$version/kmod/kernel-btf.c
	-rw-r--r-- /usr/src/mimic-$version/kmod/kernel-btf.h
	-rw-r--r-- /usr/src/mimic-$version/kmod/mimic-btf.c
	-rw-r--r-- /usr/src/mimic-$version/kmod/mimic.c
	-rw-r--r-- /usr/src/mimic-$version/kmod/mimic_kfunc.h
END
)" "$(list "$dkms" '[%{FILEMODES:perms} %{FILENAMES}\n]' | grep -v ' /usr/lib/\.build-id')"
same "owners" "root:root" "$(rpm -qp --qf '[%{FILEUSERNAME}:%{FILEGROUPNAME}\n]' "$tools" "$dkms" | sort -u)"
same "licences and who made them" "GPL-2.0-only localhost" "$(rpm -qp --qf '%{LICENSE} %{BUILDHOST}\n' "$tools" "$dkms" | sort -u)"
same "configuration files" "" "$(rpm -qpc "$tools" "$dkms")"
rpm -qpL "$tools" "$dkms" | grep -c /LICENSE | grep -qx 2 || fail "LICENSE is no licence"
rpm -qpd "$tools" | grep -qx /usr/share/doc/mimic/README.md || fail "README.md is no documentation"

echo "--- dependencies"
# Without those of rpm's own and of libraries, which are Debian's.
depends() { rpm -qp "--$2" "$1" | grep -v -e '^rpmlib(' -e '^lib.*()(64bit)' -e '^lib.*(.*)(64bit)$' -e '^rtld(' | LC_ALL=C sort -u; }
libraries() { rpm -qp --requires "$1" | sed -n 's/^\(lib[a-z0-9-]*\)\.so.*/\1/p' | sort -u | paste -sd ' '; }
same "libraries of mimic-tools" "libbpf libc libelf libjansson libmnl libseccomp libsystemd libz" "$(libraries "$tools")"
same "libraries of mimic-dkms" "libbpf libc libelf" "$(libraries "$dkms")"
same "what mimic-tools provides" "mimic-tools = $version-$release
mimic-tools(x86-64) = $version-$release" "$(depends "$tools" provides | sed "s/($(rpm --eval '%{__isa}' ))/(x86-64)/")"
same "what mimic-tools requires" "/bin/sh
systemd" "$(depends "$tools" requires)"
same "what mimic-tools recommends" "iproute-tc
mimic-dkms = $version-$release" "$(depends "$tools" recommends)"
same "what mimic-tools suggests" libxdp "$(depends "$tools" suggests)"
same "what conflicts with mimic-tools" mimic "$(depends "$tools" conflicts)"
same "what mimic-dkms requires" "(kernel-devel-matched if kernel-core)
/bin/sh
dkms" "$(depends "$dkms" requires)"
same "what mimic-dkms enhances" mimic-tools "$(depends "$dkms" enhances)"

# ---- a system whose systemd is not there, and then one that only writes down what it was told -------------------------

echo "--- installed, without systemd"
# /sys shows the interfaces of the namespace in which it was mounted.
mount -t sysfs -o ro sys /sys
ip link set lo up
kernel=$(basename /lib/modules/*/)
for package in libbpf-dev libelf-dev; do
	[[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) != installed ]] || fail "$package is installed: the module must build without it"
done
# A plugin that Debian's rpm brings along: it takes the network and /tmp from scriptlets, so that the guard below would not be seen.
mkdir -p /etc/rpm
echo '%__transaction_unshare %{nil}' >/etc/rpm/macros.unshare
rpm --initdb
# Of Fedora's filesystem.
mkdir -p /usr/share/licenses /usr/share/fish/vendor_completions.d /usr/share/zsh/site-functions /usr/share/bash-completion/completions
files >"$dir/before"
rpm --nodeps -i "$tools" "$dkms"
[[ $(mimic --version) = *"$version"* ]] || fail "mimic --version"
[[ -d /etc/mimic && -z "$(ls -A /etc/mimic)" ]] || fail "/etc/mimic is not empty"
module_is_there()
{
	dkms status -m mimic -v "$version" -k "$kernel" | grep -q ': installed' || fail "no module: $(dkms status)"
	same "the module's version" "$version" "$(modinfo -k "$kernel" -F version mimic)"
	case $(modinfo -k "$kernel" -n mimic) in
	*.xz) xz -dc "$(modinfo -k "$kernel" -n mimic)" >/tmp/mimic.ko ;;
	*) cp "$(modinfo -k "$kernel" -n mimic)" /tmp/mimic.ko ;;
	esac
	readelf -SW /tmp/mimic.ko | grep -q ' \.BTF ' || fail "the module has no BTF"
}
module_is_there
rpm -V --nodeps mimic-tools mimic-dkms || fail "files are not as they were in the packages"

echo "--- a datagram"
sh "$dir/smoke"

echo "--- removed"
rpm -e --nodeps mimic-tools mimic-dkms
! command -v mimic >/dev/null || fail "mimic is still there"
rmdir /run/mimic 2>/dev/null || true
same "what is left" "$(cat "$dir/before")" "$(files)"

# Says that an instance runs, and starts nothing. Fedora's macros call a helper that calls systemctl.
mkdir -p /run/systemd/system /usr/local/bin
cat >/usr/local/bin/systemctl <<-END
	#!/bin/sh
	echo "systemctl \$*" >>$calls
	case "\$*" in
	list-units*) echo 'mimic@guard\x2dtest.service loaded active running Mimic' ;;
	esac
END
helper=/usr/lib/systemd/systemd-update-helper
[ ! -e $helper ] || fail "there is a $helper"
cat >$helper <<-END
	#!/bin/sh
	echo "helper \$*" >>$calls
END
chmod 755 /usr/local/bin/systemctl $helper
export PATH=/usr/local/bin:$PATH
# The scriptlets of rpm have a PATH of their own.
mv /usr/bin/systemctl /usr/bin/systemctl.hidden
ln -s /usr/local/bin/systemctl /usr/bin/systemctl

echo "--- installed, with systemd"
: >"$calls"
rpm --nodeps -i "$tools" "$dkms"
same "what systemd is told" "helper install-system-units mimic@.service mimic-guard@.service" "$(grep -v dkms "$calls")"
echo '# mine' >/etc/mimic/wlan0.conf
# As if a version before had other sources, and were there, too.
echo '# older' >>"/var/lib/dkms/mimic/$version/source/kmod/Kbuild"
mkdir -p /usr/src/mimic-0.7.99
sed 's/^PACKAGE_VERSION=.*/PACKAGE_VERSION="0.7.99"/' "/usr/src/mimic-$version/dkms.conf" >/usr/src/mimic-0.7.99/dkms.conf
dkms add -m mimic -v 0.7.99 -q

echo "--- the same version once more, as another release would be"
: >"$calls"
rpm --nodeps -U --replacepkgs "$tools" "$dkms"
same "what systemd is told" "helper mark-restart-system-units mimic@*.service" "$(grep -v dkms "$calls")"
module_is_there
! grep -q older "/var/lib/dkms/mimic/$version/source/kmod/Kbuild" || fail "the source is the old one"
same "the modules of DKMS" "mimic/$version" "$(dkms status -m mimic | sed 's/,.*//' | sort -u)"
rm -r /usr/src/mimic-0.7.99
same "the configuration" '# mine' "$(cat /etc/mimic/wlan0.conf)"

echo "--- removed, while a guard keeps plain UDP in: it stays"
ip link add guard-test type veth peer name guard-peer
ip link set guard-test up
guard() { tc filter show dev guard-test egress | grep mimic_udpguard; }
stays='Plain UDP of filters with udp=drop stays in on guard-test until the next boot; to let it out now: '
mimic guard -f local=192.0.2.1:5000,udp=drop guard-test
guard || fail "no guard"
: >"$calls"
rpm -e --nodeps mimic-tools mimic-dkms >"$dir/said"
cat "$dir/said"
same "what systemd is told" "systemctl list-units --full --plain --no-legend mimic@*.service
helper remove-system-units mimic@.service mimic-guard@.service" "$(grep -v dkms "$calls")"
[ "$(grep -c 'Plain UDP' "$dir/said")" = 1 ] || fail "not one line about the guard"
guard || fail "a removal has opened the guard"
# By hand, by what was printed.
sed -n "s|^$stays||p" "$dir/said" >"$dir/command"
grep '^tc ' "$dir/command" || fail "no command"
sh "$dir/command"
! guard || fail "the guard is still there after what was advised"
ip link del guard-test
same "the configuration" '# mine' "$(cat /etc/mimic/wlan0.conf)"
rm -r /etc/mimic

rm -r /run/systemd/system /usr/local/bin/systemctl $helper $calls
rm /usr/bin/systemctl
mv /usr/bin/systemctl.hidden /usr/bin/systemctl
rmdir /run/systemd /run/mimic 2>/dev/null || true
same "what is left" "$(cat "$dir/before")" "$(files)"
echo "passed"
