#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script for two VMs (pair.sh): this product in left, the deployed peer (peer.sh) with its module in right. /t has guest-lib.sh,
# guest-pair.sh, mimic, udpflow, wg, ping, iperf3, peer/ and, for level kfunc, mimic.ko.
#
#   ports       who begins, what for
#   5000-5003   left: padding 0, 7, 16, random, IPv4 and IPv6
#   5100-5103   right: the same
#   5200, 5201   both at once
#   5300, 5301  left, right: idle, with keepalives
#   5400, 5401  left, right: restarts of both sides
#   5500, 5501  left, right: much in one direction
#   5600, 5601  WireGuard over IPv4 and IPv6
#
# Environment: LEVEL, --datapath of left; BULK_BYTES, how much in each direction; STREAM_BYTES, what each TCP stream in WireGuard
# carries; CROSSING, settings of the connections that both begin, as ",handshake=10:3", and
# CROSSING_MS, how long a packet is under way then; PARTS, some of: keepalive exchange crossing bulk wireguard restart.
# shellcheck source-path=SCRIPTDIR source=guest-pair.sh
. ./guest-pair.sh

# shellcheck disable=SC2153 # from the environment
parts=" $PARTS "
bulk=$BULK_BYTES
stream=${STREAM_BYTES:-2000000}
keepalive=4:2:3:600
crossing=${CROSSING-}

# filters: left's -f options; the peer's are the same, with local and remote exchanged. (It takes 32 of them.)
filters()
{
	local own4=10.77.0.1 own6='[fd77::1]' other4=10.77.0.2 other6='[fd77::2]' i=0 padding end
	for padding in 0 7 16 random; do
		for end in "remote=$other4:500$i" "remote=$other6:500$i" "local=$own4:510$i" "local=$own6:510$i"; do
			echo "-f $end,padding=$padding"
		done
		i=$((i + 1))
	done
	for i in 0 1; do
		echo "-f local=$own4:520$i$crossing -f local=$own6:520$i$crossing"
	done
	echo "-f remote=$other4:5300,keepalive=$keepalive -f local=$own4:5301,keepalive=$keepalive"
	for i in 4 5; do
		echo "-f remote=$other4:5${i}00 -f remote=$other6:5${i}00 -f local=$own4:5${i}01 -f local=$own6:5${i}01"
	done
	echo "-f remote=$other4:5600 -f remote=$other6:5601"
}

left_options=$(filters | tr '\n' ' ')
right_options=$(echo "$left_options" | sed 's/remote=/there=/g; s/local=/remote=/g; s/there=/local=/g')

start_left() { spawn left mimic ./mimic run "--datapath=$LEVEL" "$left_options" eth0; }
start_right() { spawn right mimic /t/peer/mimic.sh run "$right_options" eth0; }

# tried WHAT: how long it took since the last.
last=$(uptime_s)
tried()
{
	local now
	now=$(uptime_s)
	echo "$1: $(awk "BEGIN { printf \"%.1f\", $now - $last }") s"
	last=$now
}

# ---- exchange: payloads of many sizes there and back --------------------------------------------------------------

exchange()
{
	local port wrong side
	# shellcheck disable=SC2046
	echos right 0 $(for port in 5000 5001 5002 5003; do echo "10.77.0.2:$port [fd77::2]:$port"; done)
	# shellcheck disable=SC2046
	echos left 10 $(for port in 5100 5101 5102 5103; do echo "10.77.0.1:$port [fd77::1]:$port"; done)
	spawn right sends send_all 2 10.77.0.1 '[fd77::1]' 5100
	wrong=$(send_all 1 10.77.0.2 '[fd77::2]' 5000)
	[ -z "$wrong" ] || fail "left begins: $wrong"
	join right sends 240
	wrong=$(log_of right sends)
	[ -z "$wrong" ] || fail "right begins: $wrong"
	for side in left right; do
		echo "$side sent datagrams of many sizes; not answered, and sent again: $(on $side unanswered_here)"
	done
	for port in 0 1 2 3 4 5 6 7; do
		finish right echo$port
		[ $port -ge 6 ] || finish left echo1$port
	done
	# Its first segment with random padding can be undone, but to something else.
	for port in 16 17; do
		# Its exit status is that of damage.
		on left "signal_here echo$port TERM && join_here echo$port 30" >/dev/null
		log_of left echo$port >/tmp/random.log
		between "$(value /tmp/random.log corrupt)" 0 1 "random padding, right begins: damaged datagrams"
	done
	tried "datagrams of many sizes with padding 0, 7, 16, random"
}

# ---- crossing: both begin at once ---------------------------------------------------------------------------------

cross()
{
	local side flow
	# A packet is under way for longer than the start of the second side takes.
	for side in left right; do
		on $side "tc qdisc add dev eth0 root netem delay ${CROSSING_MS:-1500}ms limit 10000" || fail netem
	done
	on right cross_here 2 || fail "senders in right"
	cross_here 1
	for side in left right; do
		for flow in 04 06 14 16; do
			join $side cross$flow
		done
		on $side 'tc qdisc del dev eth0 root' || fail netem
	done
	echos right 40 10.77.0.2:5200 10.77.0.2:5201 '[fd77::2]:5200' '[fd77::2]:5201'
	for to in 10.77.0.2:5200 10.77.0.2:5201 '[fd77::2]:5200' '[fd77::2]:5201'; do
		./udpflow send --to "$to" --bind "$(echo "$to" | sed 's/2:52/1:52/; s/2]/1]/')" --sizes 0-3,100-103,1000 --count 5 \
			--rate 200 --reply --wait 20 >/tmp/cross.log 2>&1 || fail "afterwards to $to: $(tail -n 1 /tmp/cross.log)"
	done
	for flow in 0 1 2 3; do
		finish right echo4$flow
	done
	tried "both begin at once"
}

# ---- keepalive: two connections that are idle from here on ----------------------------------------------------------

# touch_idle: a datagram on each of both, and back
touch_idle()
{
	on left './udpflow send --to 10.77.0.2:5300 --bind 10.77.0.1:6300 --sizes 100 --count 1 --reply --wait 10' >/tmp/idle.log 2>&1 ||
		fail "idle connection, left begins: $(cat /tmp/idle.log)"
	on right './udpflow send --to 10.77.0.1:5301 --bind 10.77.0.2:6301 --sizes 100 --count 1 --reply --wait 10' >/tmp/idle.log 2>&1 ||
		fail "idle connection, right begins: $(cat /tmp/idle.log)"
}

keepalive_begin()
{
	echos right 20 10.77.0.2:5300
	echos left 21 10.77.0.1:5301
	on right 'begin_here 10.77.0.1:5301 10.77.0.2:6301' || fail "idle connection, right begins"
	touch_idle
	idle_since=$(uptime_s)
	tried "connections to be idle"
}

idle_for() { [ "$(uptime_s | cut -d . -f 1)" -ge $(($(echo "$idle_since" | cut -d . -f 1) + $1)) ]; }

keepalive_end()
{
	# Without answers each would be dead after 4 + 3 * 2 s.
	poll 30 "time" idle_for 15
	touch_idle
	finish right echo20
	finish left echo21
	tried "connections that were idle"
}

# ---- bulk: much in one direction, so that the windows are used up and probed --------------------------------------------

# one_way FROM TO TO-ADDRESS FROM-ADDRESS PORT
one_way()
{
	local count=$((bulk / 1400)) got began
	# The connection is there before the flood: the peer may crash when much waits for its handshake.
	spawn "$2" first ./udpflow echo --bind "'$3:$5'" --timeout 600 --idle 600
	ready "$2" first
	on "$1" "begin_here '$3:$5' '$4:6500'" || fail "$1 to $2: no connection"
	finish "$2" first
	spawn "$2" sink ./udpflow sink --bind "'$3:$5'" --expect $count --max-missing $((count / 20)) --timeout 600 --idle 5
	ready "$2" sink
	began=$(uptime_s)
	on "$1" "./udpflow send --to '$3:$5' --bind '$4:6500' --sizes 1400 --count $count --rate ${BULK_RATE:-3000} --timeout 600" \
		>/tmp/bulk.log 2>&1 || fail "$1 to $2: $(tail -n 1 /tmp/bulk.log)"
	join "$2" sink 60
	got=$(log_of "$2" sink | grep '^{')
	echo "$1 to $2: $(echo "$got" | sed -E 's/.*"received":([0-9]*).*"corrupt":([0-9]*).*"missing":([0-9]*).*/\1 received, \2 damaged, \3 lost/')" \
		"in $(awk "BEGIN { printf \"%.1f\", $(uptime_s) - $began }") s"
}

bulks()
{
	one_way left right 10.77.0.2 10.77.0.1 5500
	one_way right left '[fd77::1]' '[fd77::2]' 5501
	tried "$bulk bytes in each direction"
}

# ---- restart -------------------------------------------------------------------------------------------------------------

# restart SIDE SIGNAL: how long after its start both directions work again
restart()
{
	local side=$1 signal=$2 other=right status from_left from_right
	[ "$side" = left ] || other=left
	on left clean_here
	on right clean_here
	restart_flows
	no_damage left
	status=$(on "$side" "signal_here mimic $signal && join_here mimic 30") || fail "$signal of $side: $status"
	case $side/$signal in
	left/TERM) equal "$status" 0 "$signal of $side: exit status" ;;
	*/KILL) equal "$status" 137 "$signal of $side: exit status" ;;
	esac
	again $other
	"start_$side"
	await "$side" mimic
	for end in left right; do
		on $end 'uptime_s >/tmp/restarting && mv /tmp/restarting /tmp/restarted'
	done
	again "$side"
	join left again 100
	join right again 100
	from_left=$(log_of left again)
	from_right=$(log_of right again)
	echo "$signal of $side: datagrams of left answered after $from_left s, of right after $from_right s"
	# 2 s at most on a machine with nothing else to do. The peer, when nobody answers, waits for 5, 10, then 20 s of its own accord: on a
	# busy machine, where the start takes long, right's took 17 s.
	awk "BEGIN { exit !($from_left <= 20 && $from_right <= 40) }" || fail "$signal of $side: it took too long"
	tried "$signal of $side"
}

again()
{
	if [ "$1" = left ]; then
		spawn left again again_here 10.77.0.2:5400 10.77.0.1:6400
	else
		spawn right again again_here 10.77.0.1:5401 10.77.0.2:6401
	fi
}

# restart_flows: both connections are there and work.
restart_flows()
{
	local side
	for side in left right; do
		on $side 'uptime_s >/tmp/restarted'
		again $side
	done
	join left again 100
	join right again 100
	for side in left right; do
		on $side clean_here
	done
}

restarts()
{
	local side signal
	echos right 30 10.77.0.2:5400
	echos left 31 10.77.0.1:5401
	for side in left right; do
		for signal in TERM KILL; do
			restart $side $signal
		done
	done
	finish right echo30
	finish left echo31
}

# ---- WireGuard -------------------------------------------------------------------------------------------------------------

# inside N MTU: from left
inside()
{
	local bytes
	poll 60 "no ping through wg$1" ./ping -n -c 1 -W 1 "10.78.$1.2" >/dev/null
	./ping -n -M "do" -c 5 -i 0.2 -W 10 -s $(($2 - 28)) "10.78.$1.2" >/tmp/ping.log 2>&1 || fail "ping of $2 bytes through wg$1"
	./ping -n -M "do" -c 5 -i 0.2 -W 10 -s $(($2 - 48)) "fd78:$1::2" >/tmp/ping.log 2>&1 || fail "IPv6 ping of $2 bytes through wg$1"
	for way in '' -R; do
		spawn right iperf3 ./iperf3 -s -1 -B "10.78.$1.2"
		on right 'poll 30 "iperf3 does not listen" listens_here 5201' || fail "iperf3 -s"
		# shellcheck disable=SC2086
		timeout 300 ./iperf3 -J -n "$stream" -c "10.78.$1.2" $way >/tmp/iperf.log 2>&1 || fail "iperf3 $way through wg$1"
		join right iperf3
		bytes=$(awk '/"sum_received"/ { in_sum = 1 } in_sum && /"bytes"/ { gsub(/[^0-9]/, "", $2); print $2; exit }' /tmp/iperf.log)
		# The receiver stops counting when the sender is done, whatever is still on its way.
		between "${bytes:-0}" $((stream / 2)) $((stream * 2)) "bytes that iperf3 $way carried through wg$1"
	done
	tried "WireGuard over IPv$1: pings of $2 bytes, $stream bytes of TCP each way"
}

wireguard()
{
	local public
	public=$(keys) || fail "wg"
	on right "echo $public >/tmp/public"
	on right keys >/tmp/public || fail "wg in right"
	on left "tunnel_end 4 1 5600 1428 10.77.0.2:5600 && tunnel_end 6 1 5601 1408 '[fd77::2]:5601'" || fail "WireGuard in left"
	on right "tunnel_end 4 2 5600 1428 10.77.0.1:5600 && tunnel_end 6 2 5601 1408 '[fd77::1]:5601'" || fail "WireGuard in right"
	inside 4 1428
	inside 6 1408
	# WireGuard says more now and then, in UDP, once nobody carries it as TCP.
	for side in left right; do
		on $side 'ip link del wg4; ip link del wg6'
	done
}

# ----------------------------------------------------------------------------------------------------------------------------

has() { case $parts in *" $1 "*) return 0 ;; esac; return 1; }

uname -r
pair_begin
echo "peer: $(cat peer/version)"
on right 'insmod /t/peer/mimic.ko' || fail "the peer's module"
[ "$LEVEL" != kfunc ] || insmod ./mimic.ko || fail "insmod mimic.ko"
tried "both VMs are up"
start_left
start_right
await left mimic
await right mimic
equal "$(./mimic show -p eth0 | sed -n 's/^- Datapath: //p')" "$LEVEL" "level"
tried "both are attached"

if has keepalive; then keepalive_begin; fi
if has exchange; then exchange; fi
if has crossing; then cross; fi
no_drops left
# What the peer pads wrongly (exchange) is long enough to be restored, to something else.
no_damage left
if has bulk; then bulks; fi
if has wireguard; then wireguard; fi
if has keepalive; then keepalive_end; fi
no_damage left
if has restart; then restarts; fi

on right 'grep -E "Warn|Error|free" /tmp/mimic.log' | sed 's/^/peer: /'
finish left mimic
finish right mimic
on right 'rmmod mimic' || fail "the peer's module cannot be removed"
tried "the end"
echo "done, up $(uptime_s) s"
