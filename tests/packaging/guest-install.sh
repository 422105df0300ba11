#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Script for a Debian of image.sh, in both machines of packaging_vm (vm.sh), once for each start of them. $PHASE:
#
#   install   from nothing to WireGuard over Mimic, as README's "Install" and docs/getting-started.md say
#   up        after a reboot: all is there by itself, and stays there over an upgrade of the package
#   next      another kernel is installed, and the module is built for it
#   remove    removed, and purged: nothing is left but the configuration
#
# /t has debs/ (Mimic's packages), repo/ (an archive for apt), commands.after (of README), and the directory of the host called both.

# The kernel starts from the command line of QEMU: no initramfs is needed, which would take minutes to make.
export INITRD=No
host=1 peer=2
[ "$SIDE" = left ] || { host=2; peer=1; }
export DEBIAN_FRONTEND=noninteractive

fail()
{
	echo "FAIL: $*"
	systemctl --no-pager -l status mimic@eth0 wg-quick@wg0 2>&1 | tail -n 40
	journalctl --no-pager -b -u mimic@eth0 | tail -n 20
	ip addr
	tail -n 20 /var/lib/dkms/mimic/*/build/make.log 2>/dev/null
	[ ! -d /mnt/both ] || touch "/mnt/both/$SIDE.failed"
	exit 1
}

# until_true SECONDS COMMAND...: until it succeeds; the other machine's failure ends it, too.
until_true()
{
	seconds=$1
	shift
	end=$(($(date +%s) + seconds))
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $end ] || return 1
		if [ -e /mnt/both/left.failed ] || [ -e /mnt/both/right.failed ]; then
			echo "the other machine has failed"
			exit 1
		fi
		sleep 1
	done
}

# both WHAT: waits until the other machine has come as far, half an hour at most.
both()
{
	touch "/mnt/both/$SIDE.$1"
	until_true 1800 [ -e "/mnt/both/left.$1" -a -e "/mnt/both/right.$1" ] || fail "the other machine never came to: $1"
}

built_for() { dkms status -m mimic -v "$VERSION" -k "$1" | grep -q ': installed'; }

# What a tunnel over Mimic needs to be right at both ends.
works()
{
	until_true 300 systemctl -q is-active mimic@eth0 || fail "mimic@eth0 is not up"
	until_true 300 systemctl -q is-active wg-quick@wg0 || fail "wg-quick@wg0 is not up"
	both "services of $PHASE"
	until_true 120 ping -c 1 -W 2 10.99.0.$peer || fail "no ping through WireGuard"
	ping -c 3 -W 5 -M 'do' -s 1400 10.99.0.$peer || fail "no full-size ping through WireGuard"
	mimic show eth0 >/tmp/show
	grep -q 'State: Established' /tmp/show || { cat /tmp/show; fail "no connection"; }
	lsmod | grep -q '^mimic ' || fail "the module is not loaded"
	grep 'Datapath: kfunc' /tmp/show || { cat /tmp/show; fail "Mimic does not use the module"; }
	[ "$(cat /sys/class/net/wg0/mtu)" = 1428 ] || fail "MTU of wg0"
	tc filter show dev eth0 egress | grep -q mimic_udpguard || fail "no guard of plain UDP"
	[ "$PHASE" = install ] || guarded_first
	echo "WireGuard works over Mimic on $(uname -r)"
	both "pings of $PHASE"
}

since_boot() { systemctl show -P "$2" "$1"; }

# At a boot the guard was there before eth0 had an address, and before Mimic.
guarded_first()
{
	[ "$(since_boot mimic-guard@eth0 Result)" = success ] || fail "result of mimic-guard@eth0"
	guard=$(since_boot mimic-guard@eth0 InactiveEnterTimestampMonotonic) # it is a oneshot
	network=$(since_boot systemd-networkd ExecMainStartTimestampMonotonic)
	mimic=$(since_boot mimic@eth0 ExecMainStartTimestampMonotonic)
	echo "guard $guard us, networkd $network us, mimic $mimic us after the start of the kernel"
	if [ "$guard" = 0 ] || [ "$guard" -gt "$network" ] || [ "$guard" -gt "$mimic" ]; then
		fail "the guard was not first"
	fi
}

install()
{
	# Man pages are left out of the image, but the administrator of this machine wants them.
	rm -f /etc/dpkg/dpkg.cfg.d/*mmdebstrap /etc/apt/sources.list.d/*
	echo 'deb [trusted=yes] file:/t/repo ./' >/etc/apt/sources.list
	echo 'APT::Get::Assume-Yes "true"; APT::Sandbox::User "root"; DPkg::Options { "--force-confold"; };' >/etc/apt/apt.conf.d/yes
	apt-get -q update || fail "apt-get update"
	printf '[Match]\nName=eth0\n[Network]\nAddress=192.0.2.%s/24\nLinkLocalAddressing=no\n' $host >/etc/systemd/network/eth0.network
	systemctl -q enable --now systemd-networkd || fail "networkd"

	apt-get -q install "linux-headers-$(uname -r)" wireguard-tools man-db bash-completion || fail "apt-get install"
	cd debs || fail "no packages"
	cat ../commands.after
	sh -e ../commands.after || fail "what README says"
	cd ..
	built_for "$(uname -r)" || fail "DKMS has built no module: $(dkms status)"
	lsmod | grep -q '^mimic ' || fail "the service has not loaded the module"
	modprobe mimic || fail "modprobe mimic"

	umask 077
	mkdir -p /etc/wireguard
	wg genkey >/etc/wireguard/key
	wg pubkey </etc/wireguard/key >"/mnt/both/$SIDE.pub"
	other=right
	[ "$SIDE" = left ] || other=left
	both keys
	cat >/etc/wireguard/wg0.conf <<-END
		[Interface]
		PrivateKey = $(cat /etc/wireguard/key)
		ListenPort = 51820
		Address = 10.99.0.$host/24
		MTU = 1428
		[Peer]
		PublicKey = $(cat /mnt/both/$other.pub)
		Endpoint = 192.0.2.$peer:51820
		AllowedIPs = 10.99.0.0/24
		PersistentKeepalive = 25
	END
	umask 022
	# And nothing may leave as UDP.
	sed -i 's/$/,udp=drop/' /etc/mimic/eth0.conf
	systemctl reload mimic@eth0 || fail "systemctl reload"
	systemctl enable mimic-guard@eth0 || fail "systemctl enable mimic-guard@eth0"
	systemctl enable --now wg-quick@wg0 || fail "systemctl enable --now wg-quick@wg0"
	works
	man mimic | grep -q '^NAME' || fail "man mimic"
	man 5 mimic.conf | grep -q '^NAME' || fail "man mimic.conf"
	bash -c '. /usr/share/bash-completion/bash_completion; { _comp_load mimic || _completion_loader mimic; } 2>/dev/null; complete -p mimic' ||
		fail "no completion"
}

up()
{
	works
	upgraded
}

# An upgrade of the package (to the same version) keeps the connection, and loses nothing of the tunnel.
upgraded()
{
	old=$(since_boot mimic@eth0 MainPID)
	ping -i 0.1 -c 3000 10.99.0.$peer >/tmp/pings 2>&1 &
	pings=$!
	apt-get -q install --reinstall ./debs/mimic_*.deb || fail "apt-get install --reinstall"
	until_true 120 systemctl -q is-active mimic@eth0 || fail "mimic@eth0 is not up after an upgrade"
	sleep 2
	kill -INT $pings
	wait $pings
	tail -n 2 /tmp/pings
	[ "$(since_boot mimic@eth0 MainPID)" != "$old" ] || fail "an upgrade has not restarted the service"
	journalctl -b "_PID=$(since_boot mimic@eth0 MainPID)" | grep -q 'Mimic goes on' || fail "an upgrade has not kept the connection"
	sent=$(sed -n 's/ packets transmitted.*//p' /tmp/pings)
	received=$(sed -n 's/.*transmitted, \([0-9]*\) received.*/\1/p' /tmp/pings)
	# (One may be under way at the end.)
	[ "$received" -ge $((sent - 1)) ] || fail "an upgrade has lost $((sent - received)) of $sent pings"
	both "upgrades of $PHASE on $(uname -r)"
}

next()
{
	works
	apt-get -q install "linux-image-$NEXT" "linux-headers-$NEXT" || fail "apt-get install linux-image-$NEXT"
	built_for "$NEXT" || fail "no module was built for $NEXT: $(dkms status)"
	echo "the module is there for $NEXT"
}

remove()
{
	works
	apt-get -q remove mimic mimic-dkms || fail "apt-get remove"
	! command -v mimic || fail "mimic is still there"
	! systemctl -q is-active mimic@eth0 || fail "mimic@eth0 is still active"
	bpftool net show dev eth0 | grep mimic_ | grep -v mimic_udpguard && fail "programs are still attached"
	tc filter show dev eth0 egress | grep -q mimic_udpguard || fail "a removal opens the guard"
	[ -z "$(dkms status -m mimic)" ] || fail "dkms: $(dkms status)"
	! find /lib/modules -name 'mimic.ko*' | grep . || fail "modules are left"
	apt-get -q purge mimic mimic-dkms || fail "apt-get purge"
	! tc filter show dev eth0 egress | grep mimic_udpguard || fail "a purge leaves the guard"
	[ "$(ls /etc/mimic)" = eth0.conf ] || fail "the configuration is gone"
	! find /etc/systemd /usr/src /usr/libexec /usr/lib/systemd /usr/share/doc /var/lib/dkms /var/lib/systemd -name '*mimic*' | grep . ||
		fail "that is left after a purge"
	[ ! -e /run/mimic ] || fail "/run/mimic is left"
	both removed
}

[ "$SYSTEM_STATE" = running ] || fail "the system is $SYSTEM_STATE"
mkdir -p /mnt/both
mount -t 9p -o trans=virtio,version=9p2000.L,cache=none both /mnt/both || fail "no directory of the host"
$PHASE
umount /mnt/both
echo "$PHASE: done"
echo "done, up $(cut -d ' ' -f 1 /proc/uptime) s"
