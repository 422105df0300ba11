#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs as root in a Debian, without network: in-root-deb-install.sh DIR VERSION [OLD]. DIR/src has the packages, OLD is a directory
# with those of the distribution's Mimic.
set -eu
dir=$1 version=$2 old=${3:-}
export DEBIAN_FRONTEND=noninteractive
arch=$(dpkg --print-architecture)
new=("$dir/src/mimic_$version-1_$arch.deb" "$dir/src/mimic-dkms_$version-1_$arch.deb")
calls=$dir/systemctl.calls

fail()
{
	echo "FAIL: $*"
	tail -n 40 /var/lib/dkms/mimic/*/build/make.log 2>/dev/null
	exit 1
}

# same NAME WANTED GOT
same() { [ "$2" = "$3" ] || { diff <(echo "$2") <(echo "$3") || true; fail "$1: not as it should be"; }; }

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) = installed ]]; }

# The files of this Debian, but for those that a log, a cache or dkms's own key is in.
files()
{
	find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /run/netns -o -path "${dir%/*}" -o -path '/var/cache/*' -o -path '/var/log/*' \
		-o -path '/var/lib/dpkg/*' -o -path '/var/lib/apt/*' -o -path '/var/lib/dkms/mok.*' -o -path '/etc/*-' \) -prune -o -print | LC_ALL=C sort
}

apt_install() { apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Path="$PATH" --allow-downgrades "$@"; }

# ---- what is in the packages ---------------------------------------------------------------------------------------

echo "--- contents"
list() { dpkg-deb -c "$1" | awk '$1 !~ /^d/ { print $6 }' | sed 's|^\.||' | LC_ALL=C sort; }
units=$(sed -n 's|/mimic@.service$||p' <(list "${new[0]}"))
same "files of mimic, but for examples" "$(LC_ALL=C sort <<-END
	$units/mimic-guard@.service
	$units/mimic@.service
	/usr/sbin/mimic
	/usr/share/bash-completion/completions/mimic
	/usr/share/doc/mimic/NEWS.Debian.gz
	/usr/share/doc/mimic/README.md.gz
	/usr/share/doc/mimic/changelog.Debian.gz
	/usr/share/doc/mimic/changelog.gz
	/usr/share/doc/mimic/copyright
	/usr/share/doc/mimic/eth0.conf.example
	/usr/share/doc/mimic/getting-started.md.gz
	/usr/share/doc/mimic/kernels.md.gz
	/usr/share/fish/vendor_completions.d/mimic.fish
	/usr/share/lintian/overrides/mimic
	/usr/share/man/man1/mimic-check.1.gz
	/usr/share/man/man1/mimic-stats.1.gz
	/usr/share/man/man1/mimic.1.gz
	/usr/share/man/man5/mimic.conf.5.gz
	/usr/share/man/man7/mimic.7.gz
	/usr/share/zsh/vendor-completions/_mimic
END
)" "$(list "${new[0]}" | grep -v '^/usr/share/doc/mimic/examples/')"
[[ $units = */lib/systemd/system ]] || fail "units in $units"
for example in forwarder hysteria2 wireguard-networkd wireguard-wg-quick; do
	list "${new[0]}" | grep "^/usr/share/doc/mimic/examples/$example/README.md" >/dev/null || fail "no example $example"
done
dpkg-deb -c "${new[0]}" | grep '^drwxr-xr-x root/root .* \./etc/mimic/$' >/dev/null || fail "no /etc/mimic"
[ -z "$(dpkg-deb -I "${new[0]}" conffiles 2>/dev/null)" ] || fail "there are conffiles"
same "files of mimic-dkms" "$(LC_ALL=C sort <<-END
	/usr/libexec/mimic/mimic-btf
	/usr/share/doc/mimic-dkms/changelog.Debian.gz
	/usr/share/doc/mimic-dkms/changelog.gz
	/usr/share/doc/mimic-dkms/copyright
	/usr/share/lintian/overrides/mimic-dkms
	/usr/src/mimic-$version/dkms.conf
	/usr/src/mimic-$version/kmod/Kbuild
	/usr/src/mimic-$version/kmod/Makefile
	/usr/src/mimic-$version/kmod/compat.h
	/usr/src/mimic-$version/kmod/gso.h
	/usr/src/mimic-$version/kmod/kernel-btf.c
	/usr/src/mimic-$version/kmod/kernel-btf.h
	/usr/src/mimic-$version/kmod/mimic-btf.c
	/usr/src/mimic-$version/kmod/mimic.c
	/usr/src/mimic-$version/kmod/mimic_kfunc.h
END
)" "$(list "${new[1]}")"
same "Provides" "mimic-tools (= $version-1)" "$(dpkg-deb -f "${new[0]}" Provides)"
same "Recommends" "iproute2, mimic-dkms (>= $version-1)" "$(dpkg-deb -f "${new[0]}" Recommends)"
same "Depends" "$(sed 's/t64$//' <<-END
	libbpf1
	libc6
	libelf1
	libjansson4
	libmnl0
	libseccomp2
	libsystemd0
	zlib1g
END
)" "$(dpkg-deb -f "${new[0]}" Depends | tr ',' '\n' | sed 's/^ *//; s/ .*//; s/t64$//' | sort)"
dpkg-deb -f "${new[1]}" Depends | grep -q 'dkms (>= ' || fail "mimic-dkms does not depend on dkms"

# ---- a Debian whose systemd is not there, and then one that only writes down what it was told -------------------------

echo "--- installed, without systemd"
# /sys shows the interfaces of the namespace in which it was mounted.
mount -t sysfs -o ro sys /sys
ip link set lo up
release=$(basename /lib/modules/*/)
for package in libbpf-dev libelf-dev; do
	! installed "$package" || fail "$package is installed: the module must build without it"
done
files >"$dir/before"
apt_install -s install "${new[@]}" | grep '^Inst ' | cut -d ' ' -f 2 | sort | paste -sd ' ' >"$dir/would"
same "what apt installs" "mimic mimic-dkms" "$(cat "$dir/would")"
apt_install install "${new[@]}"
[[ $(mimic --version) = *"$version"* ]] || fail "mimic --version"
[[ -d /etc/mimic && -z "$(ls -A /etc/mimic)" ]] || fail "/etc/mimic is not empty"
dkms status -m mimic -v "$version" -k "$release" | grep -q ': installed' || fail "no module: $(dkms status)"
cp "$(modinfo -k "$release" -n mimic)" /tmp/module.xz
case $(modinfo -k "$release" -n mimic) in
*.xz) xz -dc /tmp/module.xz >/tmp/mimic.ko ;;
*) cp /tmp/module.xz /tmp/mimic.ko ;;
esac
readelf -SW /tmp/mimic.ko | grep -q ' \.BTF ' || fail "the module has no BTF"
same "the module's version" "$version" "$(modinfo -F version /tmp/mimic.ko)"

echo "--- debian/tests"
sh "$dir/smoke"

echo "--- removed and purged"
apt_install remove mimic mimic-dkms
! command -v mimic >/dev/null || fail "mimic is still there"
mkdir -p /run/mimic
apt_install purge mimic mimic-dkms
same "what is left" "$(cat "$dir/before")" "$(files)"

# Says that an instance runs, and starts nothing.
mkdir -p /run/systemd/system /usr/local/bin
cat >/usr/local/bin/systemctl <<-END
	#!/bin/sh
	echo "\$*" >>$calls
	case "\$*" in
	list-units*) echo 'mimic@guard\x2dtest.service loaded active running Mimic' ;;
	*is-enabled*) echo enabled ;;
	esac
END
chmod 755 /usr/local/bin/systemctl
export PATH=/usr/local/bin:$PATH
called() { grep -qxF -- "$1" "$calls" || { cat "$calls"; fail "systemctl $1 was not called"; }; }
# started UNIT: by deb-systemd-invoke, which adds options.
started() { grep -E '(^| )start ' "$calls" | grep -qF " start $1" || { cat "$calls"; fail "$1 was not started"; }; }

echo "--- installed, with systemd"
: >"$calls"
apt_install install "${new[@]}"
! grep -E '(^| )(re|try-re)?start|enable' "$calls" || fail "something was started or enabled"
wants=/etc/systemd/system/multi-user.target.wants
device=/etc/systemd/system/sys-subsystem-net-devices-eth0.device.wants
mkdir -p $wants $device
ln -s "$units/mimic@.service" $wants/mimic@eth0.service
ln -s "$units/mimic@.service" $device/mimic@eth0.service
echo '# mine' >/etc/mimic/wlan0.conf

echo "--- installed once more"
: >"$calls"
apt_install install --reinstall "${new[0]}"
called "--system daemon-reload"
called "try-restart mimic@*.service"
! grep -E '(^| )start ' "$calls" || fail "an upgrade starts what does not run"
[ "$(grep -n -m 1 daemon-reload "$calls" | cut -d : -f 1)" -lt "$(grep -n try-restart "$calls" | cut -d : -f 1)" ] ||
	fail "restarted before systemd has read the units"
same "the configuration" '# mine' "$(cat /etc/mimic/wlan0.conf)"

echo "--- removed, while a guard keeps plain UDP in: it stays, until a purge"
ip link add guard-test type veth peer name guard-peer
ip link set guard-test up
guard() { tc filter show dev guard-test egress | grep mimic_udpguard; }
stays='Plain UDP of filters with udp=drop stays in on guard-test until the next boot; to let it out now: '
mimic guard -f local=192.0.2.1:5000,udp=drop guard-test
guard || fail "no guard"
: >"$calls"
apt_install remove mimic >"$dir/said"
called 'stop mimic@guard\x2dtest.service'
[ "$(grep -c 'Plain UDP' "$dir/said")" = 1 ] || fail "$(cat "$dir/said"): not one line about the guard"
guard || fail "a remove has opened the guard"
# By hand, by what was printed.
sed -n "s|^$stays||p" "$dir/said" >"$dir/command"
grep '^tc ' "$dir/command" || fail "$(cat "$dir/said"): no command"
sh "$dir/command"
! guard || fail "the guard is still there after what prerm advised"
tc qdisc del dev guard-test clsact
same "the configuration" '# mine' "$(cat /etc/mimic/wlan0.conf)"
[ -L $wants/mimic@eth0.service ] || fail "no longer enabled after a remove"
ln -s "$units/mimic@.service" $wants/mimic@lo.service
: >"$calls"
apt_install install "${new[0]}"
started mimic@lo.service
! grep 'start mimic@eth0' "$calls" || fail "started without its interface"
mimic guard -f local=192.0.2.1:5000,udp=drop guard-test
guard || fail "no guard"
apt_install purge mimic mimic-dkms >"$dir/said"
grep -xF 'Plain UDP may leave by guard-test again' "$dir/said" || fail "$(cat "$dir/said"): nothing of the guard"
! guard || fail "a purge leaves the guard"
! tc qdisc show dev guard-test | grep clsact || fail "a purge leaves the qdisc"
[[ ! -e $wants/mimic@eth0.service && ! -e $device ]] || fail "still enabled after a purge"
same "the configuration" '# mine' "$(cat /etc/mimic/wlan0.conf)"
rm -r /etc/mimic
rmdir $wants 2>/dev/null || true

# ---- the distribution's own Mimic is replaced ---------------------------------------------------------------------------

if [ -n "$old" ]; then
	conffile=/etc/mimic/eth0.conf
	conffiles() { dpkg-query -W -f '${Conffiles}\n' mimic | sed '/^$/d'; }
	echo "--- instead of the distribution's, whose conffile is as it was"
	apt_install install "$old"/*.deb
	[ -e $conffile ] || fail "this is not Mimic 0.7"
	mkdir -p $wants
	ln -s "$units/mimic@.service" "$wants/mimic@lo.service"
	ln -s "$units/mimic@.service" "$wants/mimic@br-lan.service"
	: >"$calls"
	apt_install install "${new[@]}"
	called "try-restart mimic@*.service"
	called "--no-reload enable mimic@lo.service"
	called "--no-reload disable mimic@br-lan.service"
	called '--no-reload enable mimic@br\x2dlan.service'
	called "stop mimic@br-lan.service"
	started 'mimic@br\x2dlan.service'
	! grep 'start mimic@lo' "$calls" || fail "an upgrade starts what does not run"
	[ -z "$(ls -A /etc/mimic)" ] || fail "in /etc/mimic: $(ls -A /etc/mimic)"
	same "conffiles" "" "$(conffiles)"
	same "the modules of DKMS" "mimic/$version" "$(dkms status -m mimic | sed 's/,.*//' | sort -u)"
	apt_install purge mimic mimic-dkms
	[ ! -e /etc/mimic ] || fail "/etc/mimic is left"

	echo "--- instead of the distribution's, whose conffile was changed; and back"
	apt_install install "$old"/*.deb
	echo 'filter = local=:51820' >$conffile
	apt_install install "${new[@]}"
	same "the configuration" 'filter = local=:51820' "$(cat $conffile)"
	same "the files in /etc/mimic" eth0.conf "$(ls -A /etc/mimic)"
	mimic guard -f local=192.0.2.1:5000,udp=drop guard-test
	apt_install install "$old"/*.deb </dev/null >"$dir/said"
	cat "$dir/said"
	[ "$(grep -c "^$stays" "$dir/said")" = 1 ] || fail "not one line about the guard"
	guard || fail "a downgrade has opened the guard"
	same "the configuration" 'filter = local=:51820' "$(cat $conffile)"
	apt_install install "${new[@]}"
	same "the configuration" 'filter = local=:51820' "$(cat $conffile)"
	apt_install remove mimic mimic-dkms
	same "the configuration" 'filter = local=:51820' "$(cat $conffile)"
	apt_install purge mimic mimic-dkms
	[ ! -e /etc/mimic ] || fail "in /etc/mimic: $(ls -A /etc/mimic)"
	! guard || fail "a purge leaves the guard"
fi

rm -r /run/systemd/system /usr/local/bin/systemctl
rmdir /run/systemd 2>/dev/null || true
same "what is left" "$(cat "$dir/before")" "$(files)"
echo "passed"
