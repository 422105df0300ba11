#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Script for a Debian of image.sh: mimic@wan0.service, as make install made it, on an interface that comes later. A flow goes on while
# it is restarted and killed; a stop leaves nothing. /t has guest-lib.sh, udpflow, wirecheck, mimic-other (of another ABI), the units of
# docs/examples and root/, which `make install` filled.
# shellcheck source-path=SCRIPTDIR source=guest-lib.sh
. ./guest-lib.sh

unit=mimic@wan0.service

# failed WHAT: with what systemd knows of the unit
failed()
{
	{ systemctl --no-pager -l status "$unit"; journalctl --no-pager -b -u "$unit" | tail -n 60; } >/tmp/unit.log 2>&1
	fail "$1"
}

# files: what the files of mimic on wan0 begin with. (In another namespace an interface may have the same index.)
files() { printf '/run/mimic/%x_%d' "$(stat -Lc %i /proc/self/ns/net)" "$(cat /sys/class/net/wan0/ifindex)"; }

property() { systemctl show -P "$1" $unit; }

# is PROPERTY VALUE: of the unit, within a minute
is()
{
	local i=0
	until [ "$(property "$1")" = "$2" ]; do
		[ $((i += 1)) -lt 300 ] || failed "$1 of the unit: $(property "$1"), not $2"
		sleep 0.2
	done
}

# The daemon ends by itself, with an error, if it is faster than systemd.
ended() { case $(property ActiveState) in inactive | failed) ;; *) return 1 ;; esac; }

# follows PID WHAT: another process than PID runs, and has taken over
follows()
{
	local i=0
	until [ "$(property MainPID)" != "$1" ] && [ "$(property ActiveState)" = active ]; do
		[ $((i += 1)) -lt 300 ] || failed "$2: no other process than $1 became ready"
		sleep 0.2
	done
	journalctl -b "_PID=$(property MainPID)" | grep -q 'Mimic goes on' || failed "$2: it has not taken over"
	grep -qx "pid=$(property MainPID)" "$(files).lock" || failed "$2: the lock file is not its own"
	mimic show wan0 >/tmp/show.log 2>&1 || failed "$2: mimic show"
	grep -q Established /tmp/show.log || failed "$2: the connection is lost"
}

# answered PORT WHAT: one datagram from that port of the right end to the echo, and back
answered()
{
	in_ns right ./udpflow send --to 10.77.0.1:5000 --bind "10.77.0.2:$1" --sizes 100 --count 1 --reply --wait 30 --timeout 60 >/tmp/first.log 2>&1 ||
		failed "no answer: $2"
}

# afresh PID WHAT: the unit's process is another one than PID, ready, and has not taken over
afresh()
{
	poll 60 "$2: no other process than $1 became ready" other_is_active "$1"
	journalctl -b "_PID=$(property MainPID)" | grep -q 'Mimic goes on' && failed "$2: it has taken over"
	grep -qx "pid=$(property MainPID)" "$(files).lock" || failed "$2: the lock file is not its own"
}

other_is_active() { [ "$(property MainPID)" != "$1" ] && [ "$(property ActiveState)" = active ]; }

connected() { in_ns right mimic show -c eth0 2>/dev/null | grep -q Established; }

disconnected() { ! connected; }

flows()
{
	local now
	now=$(mimic show -p wan0 | sed -n 's/.*Packets: \([0-9]*\) .*(rx_data)/\1/p')
	sleep 1
	[ "$(mimic show -p wan0 | sed -n 's/.*Packets: \([0-9]*\) .*(rx_data)/\1/p')" -gt "$now" ] || failed "$1: nothing flows"
}

guarded() { tc filter show dev wan0 egress 2>/dev/null | grep -q mimic_udpguard; }

# What devices, CPUs and sockets had no room for so far: an emulated machine stands still now and then, and its senders catch up.
no_room()
{
	local ns sum=0
	for ns in '' 'in_ns right'; do
		sum=$((sum + $($ns cat /sys/class/net/wan0/statistics/rx_dropped /sys/class/net/wan0/statistics/tx_dropped \
			/sys/class/net/eth0/statistics/rx_dropped /sys/class/net/eth0/statistics/tx_dropped 2>/dev/null |
			awk '{ sum += $1 } END { print sum + 0 }')))
		sum=$((sum + $($ns awk '$1 == "Udp:" && $2 ~ /^[0-9]/ { print $6 }' /proc/net/snmp)))
	done
	echo $((sum + $(while read -r _ dropped _; do echo $((0x$dropped)); done </proc/net/softnet_stat | awk '{ sum += $1 } END { print sum + 0 }')))
}

# has UNIT PROPERTY WORD...: all of them are there
has()
{
	local unit=$1 property=$2 words word
	shift 2
	words=" $(systemctl show -P "$property" "$unit") "
	for word; do
		case $words in *" $word "*) ;; *) failed "$property of $unit lacks $word:$words" ;; esac
	done
}

show_has() { mimic show -p wan0 2>/dev/null | grep -q -- "$1"; }
journal_has() { journalctl -b -u $unit | grep -q -- "$1"; }

# attached: what of Mimic is on the interface, but for the guard of plain UDP, which is there to stay
attached()
{
	bpftool net show dev wan0 | grep mimic_ | grep -v mimic_udpguard
	tc filter show dev wan0 egress 2>/dev/null | grep -v 'pref 65535'
	tc filter show dev wan0 ingress 2>/dev/null
	ip -o link | grep -oE ': mimic[0-9]+f?'
	ls "$(files)".* 2>/dev/null
}

uname -r
systemctl --no-pager --version | head -n 1
cp -a root/. / || fail "installing"
mkdir -p /etc/mimic
echo 'filter = local=10.77.0.1:5000,udp=drop' >/etc/mimic/wan0.conf
systemctl daemon-reload
systemctl enable --quiet $unit mimic-guard@wan0 || fail "systemctl enable"
equal "$(property ActiveState)" inactive "the unit, without its interface"
device=sys-subsystem-net-devices-wan0.device
has $unit After $device network-pre.target
has $unit BindsTo $device
has $unit Before network-online.target
has mimic-guard@wan0 After $device
has mimic-guard@wan0 Before network-pre.target $unit
equal "$(property JobTimeoutUSec)" 1min "how long it waits for its interface"
property RequiresMountsFor | grep -q /etc/mimic || failed "it does not wait for its configuration: $(property RequiresMountsFor)"

make_ns right
ip link add wan0 type veth peer name eth0 netns right || fail "veth"
ip addr add 10.77.0.1/24 dev wan0
ip -n right addr add 10.77.0.2/24 dev eth0
ip link set wan0 up
ip -n right link set eth0 up
is ActiveState active
equal "$(systemctl show -P Result mimic-guard@wan0)/$(systemctl show -P ExecMainStatus mimic-guard@wan0)" success/0 "the guard's unit"
journalctl -b -u mimic-guard@wan0 | grep -q 'is kept in on wan0 until Mimic carries it' || failed "the guard came after Mimic"
guarded || failed "there is no guard"
echo "the unit runs, up $(uptime_s) s"
systemd-analyze --no-pager security $unit | tail -n 1
figure=$(systemd-analyze --no-pager security $unit | sed -nE 's/.*exposure level.*: ([0-9]+)\.([0-9]).*/\1\2/p')
between "${figure:-100}" 1 39 "ten times the figure of systemd-analyze security"
property StatusText | grep -q 'Mimic runs on wan0, 1 filter' || failed "the status is $(property StatusText)"

become right mimic run -f remote=10.77.0.1:5000 eth0 >/tmp/right.log 2>&1 &
right=$!
poll 60 "mimic in right wrote no lock file" locked $right
./udpflow echo --bind 10.77.0.1:5000 --timeout 600 --idle 600 >/tmp/echo.log 2>&1 &
echo=$!
ready echo
become right ./wirecheck -i eth0 --port 6000 --dir out --no-udp --require syn=1 --require rst=0 --require fin=0 --require seq_gaps=0 \
	--require seq_overlaps=0 >/tmp/wirecheck.log 2>&1 &
wirecheck=$!
ready wirecheck
# The handshake first: while it goes on, 128 datagrams wait, and an emulated machine may take longer than they do.
answered 6000 "the first datagram"
full=$(no_room)
become right ./udpflow send --to 10.77.0.1:5000 --bind 10.77.0.2:6000 --sizes 100-200 --count 10000000 --rate "${RATE:-1000}" --reply --wait 30 \
	--timeout 600 >/tmp/send.log 2>&1 &
send=$!
poll 20 "no connection" connected
flows "at first"

for time in 1 2 3; do
	old=$(property MainPID)
	systemctl restart $unit || failed "systemctl restart"
	follows "$old" "restart $time"
	flows "restart $time"
done
journalctl -b -u $unit | grep -q 'Everything stays attached' || failed "it did not know of the restart"
echo "restarted three times, up $(uptime_s) s"
for time in 1 2; do
	old=$(property MainPID)
	kill -9 "$old"
	follows "$old" "kill -9, $time"
	flows "kill -9, $time"
done
echo "killed twice, up $(uptime_s) s"

# A reload keeps process and connections; with an error in the file it fails, and changes nothing.
old=$(property MainPID)
echo 'filter = remote=192.0.2.1:7000' >>/etc/mimic/wan0.conf
systemctl reload $unit || failed "systemctl reload"
poll 20 "the reload did nothing" show_has 'Filter: remote=192.0.2.1:7000'
echo 'padding = 99' >>/etc/mimic/wan0.conf
systemctl reload $unit # (systemd asks the process for nothing but to have got the signal)
poll 20 "no word about the error" journal_has 'wan0.conf:3: .*padding'
show_has 'Filter: remote=192.0.2.1:7000' || failed "a reload with an error has changed filters"
sed -i 3d /etc/mimic/wan0.conf
equal "$(property MainPID)" "$old" "the process after reloads"
flows "after reloads"

kill $send
wait $send # it has not sent all of its number
tail -n 1 /tmp/send.log
echo "the kernel had no room for $(($(no_room) - full))"
for ns in '' 'in_ns right'; do # for whoever looks for what is missing
	$ns mimic show -p "$($ns ls /sys/class/net | grep -E '^(wan0|eth0)$')" | grep Packets
	$ns grep -h '^Udp: [0-9]' /proc/net/snmp
done
between "$(value /tmp/send.log missing)" 0 $(($(no_room) - full)) "missing"
equal "$(value /tmp/send.log duplicate)/$(value /tmp/send.log corrupt)" 0/0 "doubled, corrupt"
stop $wirecheck "wirecheck"
connected || failed "the connection is gone before the stop"

# One that hangs is killed by the watchdog (after WatchdogSec= and TimeoutStopSec=, at most), and the next one goes on.
old=$(property MainPID)
ended_at_last() { ! [ -e "/proc/$old" ]; }
kill -STOP "$old"
poll 120 "the watchdog lets a hanging process be" ended_at_last
follows "$old" "the watchdog"
journal_has 'Watchdog timeout' || failed "it was not the watchdog"
echo "the watchdog has done its part, up $(uptime_s) s"

# A link that somebody detached is made again, and it is that one which a restart finds in the store.
id=$(bpftool link show | sed -nE "s/^([0-9]+): .* prog $(sed -n 's/^ingress_id=//p' "$(files).lock")( .*)?\$/\1/p")
bpftool link detach id "$id" || failed "bpftool link detach"
poll 30 "nothing is said of a detached link" journal_has 'attached again'
answered 6000 "after a link was detached"
old=$(property MainPID)
systemctl restart $unit || failed "systemctl restart, with a link that was made again"
follows "$old" "a link that was made again"
answered 6000 "after that link was passed on"
ip -d link show dev wan0 | grep -q 'prog/xdp id' || failed "no XDP program: $(ip -d link show dev wan0)"
echo "a link that was made again was passed on, up $(uptime_s) s"

# The figures for Prometheus, by the units of docs/examples.
mkdir -p /var/lib/prometheus/node-exporter
cp mimic-stats.service mimic-stats.timer /etc/systemd/system/
systemctl daemon-reload
systemctl start mimic-stats.service || failed "mimic-stats.service"
grep -qx 'mimic_up{interface="wan0"} 1' /var/lib/prometheus/node-exporter/mimic.prom || failed "figures: $(cat /var/lib/prometheus/node-exporter/*)"
rm /var/lib/prometheus/node-exporter/mimic.prom
systemctl start mimic-stats.timer || failed "mimic-stats.timer"
poll 60 "the timer writes no figures" [ -e /var/lib/prometheus/node-exporter/mimic.prom ]
systemctl stop mimic-stats.timer

# An upgrade to a program that cannot go on with these connections says so, and begins afresh.
program=$(command -v mimic)
cp "$program" mimic-own
# upgrade FILE: as a package does it
upgrade() { cp "$1" "$program.new" && mv "$program.new" "$program" || fail "$1"; }
upgrade mimic-other
old=$(property MainPID)
systemctl restart $unit || failed "systemctl restart, another ABI"
is ActiveState active
[ "$(property MainPID)" != "$old" ] || failed "another ABI: the old process still runs"
journal_has 'cannot go on with the connections of this version: they are reset' || failed "no word of another ABI"
journalctl -b "_PID=$(property MainPID)" | grep -q 'Mimic goes on' && failed "it goes on with connections of another ABI"
answered 6001 "after a start with another ABI"
upgrade mimic-own
systemctl restart $unit || failed "systemctl restart, back"
answered 6001 "after the way back"
echo "another ABI begins afresh, up $(uptime_s) s"
systemctl stop $unit || failed "systemctl stop"
poll 3 "the peer heard of no end" disconnected
equal "$(property Result)" success "result of the unit"
equal "$(attached)" "" "what is left after a stop"
equal "$(property NFileDescriptorStore)" 0 "descriptors in the store after a stop"
guarded || failed "the guard is gone after a stop"

# A start is afresh then; it sees a module that could not be loaded. mimic stop ends a unit, too, for good.
journal_has 'the kernel module mimic is not installed, and not needed' || failed "what it said of the module that there is not"
mkdir -p "/lib/modules/$(uname -r)"
echo 'extra/mimic.ko:' >>"/lib/modules/$(uname -r)/modules.dep"
systemctl start $unit || failed "systemctl start"
poll 10 "no word about a module that is not loaded" journal_has 'the kernel module mimic is installed, but not loaded: try .modprobe mimic'
mimic stop wan0 || failed "mimic stop"
is ActiveState inactive
equal "$(attached)" "" "what is left after mimic stop"
guarded || failed "the guard is gone after mimic stop"
mimic stop --open wan0 || failed "mimic stop --open"
guarded && failed "the guard is there after mimic stop --open"

# In its sandbox it finds host names and libxdp.
echo '10.77.0.2 peer.example' >>/etc/hosts
printf 'filter = local=10.77.0.1:5000\nfilter = remote=peer.example:7000\nuse_libxdp = true\n' >/etc/mimic/wan0.conf
systemctl start $unit || failed "systemctl start, with a name and libxdp"
poll 20 "the name was not resolved" show_has 'Filter: remote=10.77.0.2:7000'
# Debian 13's libxdp is older than what its kernel takes (mimic.conf(5)).
old=$(property MainPID)
. /etc/os-release
if [ "$VERSION_ID" = 12 ]; then
	ip -d link show dev wan0 | grep -q xdp_dispatcher || failed "no dispatcher: $(ip -d link show dev wan0)"
	journal_has 'Cannot attach through libxdp' && failed "libxdp does not work in the sandbox"
	answered 6002 "through libxdp"
	systemctl restart $unit || failed "systemctl restart, with libxdp"
	afresh "$old" "a restart with libxdp"
	ip -d link show dev wan0 | grep -q xdp_dispatcher || failed "no dispatcher after a restart: $(ip -d link show dev wan0)"
else
	ip -d link show dev wan0 | grep -q xdp_dispatcher && failed "this libxdp can be used: the branch above is right for $PRETTY_NAME now"
	journal_has 'Cannot attach through libxdp: the kernel refuses its dispatcher .*; going on without' || failed "no warning of libxdp"
	answered 6002 "without libxdp"
	systemctl restart $unit || failed "systemctl restart, without libxdp"
	follows "$old" "a restart without libxdp"
fi
answered 6002 "after a restart with use_libxdp"
systemctl stop $unit || failed "systemctl stop, with libxdp"
equal "$(attached)" "" "what is left after a stop with libxdp"
ip -d link show dev wan0 | grep -q xdp_dispatcher && failed "the dispatcher is left"

# The interface goes: the daemon says so, and systemd stops the unit rather than starting it again and again.
systemctl start $unit || failed "systemctl start"
ip link del wan0
poll 60 "the unit outlives its interface" ended
stop $echo "udpflow echo"
echo "done, up $(uptime_s) s"
