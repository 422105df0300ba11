#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script: `mimic` on both ends of a bad link (link_bridge): netem on both ports of the bridge, in both directions,
# and captures before and behind each. /t has guest-lib.sh, mimic, udpflow and wirecheck; for level kfunc also mimic.ko.
#
#	right: udpflow send      toright                           toleft      left: udpflow echo
#	    mimic ----------> o in: sent_right   (netem)   out: come_left o ----------> mimic
#	    mimic <---------- o out: come_right   (netem)   in: sent_left o <---------- mimic
#
# In each round connections of both IP versions are made and used over the bad link: each datagram is sent once, and what
# netem lets pass is handed up, no more, no less, and undamaged. Then the link is good again, and nothing is missing
# on the same connections. Only the wide bounds of what netem may lose depend on its dice.
#
# Environment: LEVELS, of the datapath (default: bpf), tried one after the other.
# shellcheck source-path=SCRIPTDIR source=guest-lib.sh
. ./guest-lib.sh

flows=8		# connections of each IP version, in each round
sent=800	# datagrams of both
datagrams='--sizes 20,100,600,1200,1440 --count 80'	# a connection's share is less than may wait for the handshake
port=5000	# another in each round
connections=0	# in all, at one level
sent_right=0 come_left=0 sent_left=0 come_right=0

# capture NAME INTERFACE in|out [PARTIAL]: PARTIAL is how many open checksums there are at least, of the datagrams that did not wait for the
# handshake; none where netem damages what it passes on, or at level bpf
capture()
{
	local partial="partial_csum>=${4:-0}"
	[ "$level" = kfunc ] || partial=partial_csum=0
	become mid ./wirecheck -i "$2" --dir "$3" --port "$port" --no-udp --require 'dropped_by_capture=0' --require "$partial" \
		--require 'rst=0' --require 'options_on_data=0' --require 'fragments=0' >"/tmp/$1.log" 2>&1 &
	eval "pid_$1=$!"
	ready "$1"
}

# capture_end NAME: sets the variable NAME to the number of data segments there.
capture_end()
{
	eval "stop \$pid_$1 $1"
	eval "$1=$(value "/tmp/$1.log" data)"
}

# both NAME KEY: the sum of what the udpflows of both IP versions counted
both() { echo $(($(value "/tmp/${1}4.log" "$2") + $(value "/tmp/${1}6.log" "$2"))); }

# echo_begin, echo_end: in left, for both IP versions
echo_begin()
{
	become left ./udpflow echo --bind "10.77.0.1:$port" >/tmp/echo4.log 2>&1 &
	echo4=$!
	become left ./udpflow echo --bind "[fd77::1]:$port" >/tmp/echo6.log 2>&1 &
	echo6=$!
	ready echo4
	ready echo6
}

echo_end()
{
	stop $echo4 "$what: udpflow echo over IPv4"
	stop $echo6 "$what: udpflow echo over IPv6"
}

# send 4|6 ARGUMENT...: from right; only with &, or in parentheses
send()
{
	local to="10.77.0.1:$port" from=10.77.0.2:6000
	[ "$1" = 4 ] || { to="[fd77::1]:$port" from='[fd77::2]:6000'; }
	shift
	# shellcheck disable=SC2086
	become right ./udpflow send --to "$to" --bind "$from" --flows $flows $datagrams --rate 200 --reply "$@"
}

carried() { echo $(($(counter "$1" tx_data) + $(counter "$1" tx_released))); }

sent_all() { [ "$(carried right)" = $((carried_before + sent)) ]; }

# Nothing moved since it was asked last, a second ago at least, and nothing waits to be read.
quiet()
{
	local before="$now"
	sleep 1
	now="$(tc -n mid -s qdisc show) $(counter left rx_data) $(counter right rx_data)"
	[ "$now" = "$before" ] &&
		{ in_ns left ss -Hanu; in_ns right ss -Hanu; } | awk '$2 > 0 { waits = 1 } END { exit waits }'
}

# ... and each datagram was answered. (Not where they may be damaged: restored, and then refused.)
settled() { quiet && [ "$(counter left rx_data)" = "$(carried left)" ]; }

# bad_link WHAT CONDITION NETEM...: all is sent over a bad link, until CONDITION; the results are in /tmp/echo4.log,
# send4.log and so on.
bad_link()
{
	local end send4 send6 condition
	what=$1 condition=$2 now=
	shift 2
	for end in toleft toright; do
		tc -n mid qdisc add dev $end root netem limit 10000 "$@" || fail "netem $*"
	done
	carried_before=$(carried right)
	echo_begin
	# They stay until they are interrupted: what comes late counts, too.
	send 4 --wait 800 --linger 800 --timeout 900 >/tmp/send4.log 2>&1 &
	send4=$!
	send 6 --wait 800 --linger 800 --timeout 900 >/tmp/send6.log 2>&1 &
	send6=$!
	poll 120 "$what: not all datagrams are on the wire" sent_all
	poll 120 "$what: the wire is never quiet" "$condition"
	kill -INT $send4 $send6
	wait $send4 $send6
	echo_end
	connections=$((connections + 2 * flows))
	for end in left right; do
		equal "$(established $end)" $connections "$what: connections of $end"
	done
	equal "$(both send sent)" $sent "$what: sent"
	equal "$(both echo corrupt)/$(both send corrupt)" 0/0 "$what: damaged datagrams"
}

# watched_link WHAT NETEM...: as bad_link, with captures, whose numbers must fit what the applications got.
watched_link()
{
	local name
	what=$1
	shift
	capture sent_right toright in $((sent / 2))
	capture come_left toleft out
	capture sent_left toleft in $((sent / 2))
	capture come_right toright out
	bad_link "$what" settled "$@"
	for name in sent_right come_left sent_left come_right; do
		capture_end $name
	done
	echo "$what: right sent $sent_right, $come_left came to left, which sent $sent_left, $come_right came to right;" \
	     "reordered $(both echo reordered) and $(both send reordered)," \
	     "duplicate $(both echo duplicate) and $(both send duplicate)"
	equal "$sent_right" $sent "$what: data segments that right sent"
	equal "$(both echo received)" "$come_left" "$what: datagrams that left got, of the segments that came"
	equal "$sent_left" "$come_left" "$what: data segments that left sent"
	equal "$(both send received)" "$come_right" "$what: datagrams that right got, of the segments that came"
}

# good_link: the same connections over the same link, without netem
good_link()
{
	local end v
	for end in toleft toright; do
		tc -n mid qdisc del dev $end root || fail "netem"
	done
	echo_begin
	for v in 4 6; do
		(send $v --wait 60 --timeout 300 >/tmp/send$v.log 2>&1) || fail "$what, then a good link: udpflow send over IPv$v"
	done
	echo_end
	equal "$(both echo received)/$(both echo duplicate)" $sent/0 "$what, then a good link: received/duplicate"
	equal "$(established right)" $connections "$what, then a good link: connections"
	no_drops left right
	echo "$what, then a good link: reordered $(both echo reordered) and $(both send reordered)"
	echo "$what: done, up $(uptime_s) s"
	port=$((port + 1))
}

# all: everything once, with a Mimic at $level on both sides
all()
{
	link_bridge
	connections=0
	set --
	for port in 5000 5001 5002 5003 5004 5005; do
		set -- "$@" -f "remote=10.77.0.1:$port" -f "remote=[fd77::1]:$port"
	done
	become right ./mimic run --datapath="$level" -h 1:15 "$@" eth0 >/tmp/right.log 2>&1 &
	right=$!
	port=5000
	# shellcheck disable=SC2046
	become left ./mimic run --datapath="$level" -h 1:15 $(echo "$@" | sed s/remote/local/g) eth0 >/tmp/left.log 2>&1 &
	left=$!
	await $left left
	await $right right
	echo "level $level: both attached, up $(uptime_s) s"

	watched_link delay delay 50ms
	equal "$sent_left/$come_right" $sent/$sent "delay: answered/come back"
	for v in 4 6; do
		between "$(value /tmp/send$v.log rtt_min_us)" 100000 9999999 "delay: shortest round trip over IPv$v, us"
	done
	good_link

	watched_link loss loss 20%
	between "$come_left" $((sent * 70 / 100)) $((sent * 90 / 100)) "loss: segments that came"
	between "$come_right" $((sent_left * 70 / 100)) $((sent_left * 90 / 100)) "loss: segments that came back"
	equal "$(both echo duplicate)/$(both send duplicate)" 0/0 "loss: duplicates"
	good_link

	watched_link reordering delay 100ms reorder 25%
	equal "$sent_left/$come_right" $sent/$sent "reordering: answered/come back"
	between "$(both echo reordered)" $((sent / 20)) $sent "reordering: reordered"
	equal "$(both echo duplicate)/$(both send duplicate)" 0/0 "reordering: duplicates"
	good_link

	watched_link duplication duplicate 20%
	between "$(both echo duplicate)" $((sent * 10 / 100)) $((sent * 30 / 100)) "duplication: duplicates"
	equal "$(both echo duplicate)" $((come_left - sent)) "duplication: duplicates, of the segments that came twice"
	good_link

	watched_link "all at once" delay 60ms 50ms loss 10% duplicate 10% reorder 10%
	between "$come_left" $((sent * 70 / 100)) $((sent * 130 / 100)) "all at once: segments that came"
	good_link

	# Bits are flipped anywhere, in the headers, too: only what the applications get can be judged.
	bad_link damage quiet corrupt 10%
	between "$(both echo received)" $((sent * 75 / 100)) $((sent - 1)) "damage: datagrams that left got"
	echo "damage: of $sent datagrams $(both echo received) came to left, and $(both send received) back"
	good_link

	in_ns left ./mimic show -p eth0 >/tmp/show.log || fail "mimic show"
	grep -q "^- Datapath: $level\$" /tmp/show.log || fail "mimic show does not tell of level $level"
	cat /tmp/show.log
	in_ns right ./mimic show -p eth0
	stop $left "mimic in left"
	stop $right "mimic in right"
	for ns in left mid right; do
		ip netns del $ns
	done
}

uname -r
for level in ${LEVELS:-bpf}; do
	if [ "$level" = kfunc ]; then
		insmod mimic.ko || fail "insmod mimic.ko"
	fi
	all
done
if [ -e /sys/module/mimic ]; then
	poll 20 "the module cannot be unloaded" rmmod mimic 2>/dev/null
fi
echo "done, up $(uptime_s) s"
