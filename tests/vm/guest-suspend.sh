#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script for two VMs (pair.sh) with this product in both: right sleeps (suspend to RAM) for longer than left's patience, and comes
# back by its clock's alarm. Nothing is restarted. From then on datagrams arrive within a second, on every connection, in both
# directions. /t has guest-lib.sh, guest-pair.sh, mimic and udpflow.
#
# Environment: SLEEP_S, how long.
# Lists of ports are words.
# shellcheck disable=SC2005,SC2046,SC2086,SC2116
# shellcheck source-path=SCRIPTDIR source=guest-pair.sh
. ./guest-pair.sh

# Each over IPv4 and IPv6. Whoever does not send answers. With the short keepalive left has given up a connection that was quiet. "later"
# is left when right is back; the others send all the time.
#
# PORT BEGINS SENDS KEEPALIVE
cat >connections <<'END'
5000 left left long
5001 right left long
5002 left right long
5003 right right long
5004 left later long
5005 right later long
5006 left right short
5007 right right short
5008 left later short
5009 right later short
END

# filters HOST: the options of the mimic there; the side that begins has the filter remote=.
filters()
{
	local host=$1 port begins sends keepalive family key
	# shellcheck disable=SC2034
	while read -r port begins sends keepalive; do
		key=
		[ "$keepalive" = long ] || key=,keepalive=4:2:3:600
		for family in 4 6; do
			if [ "$begins" = left ]; then
				[ "$host" = 1 ] && echo "-f remote=$(end 2 $family "$port")$key" || echo "-f local=$(end 2 $family "$port")$key"
			else
				[ "$host" = 1 ] && echo "-f local=$(end 1 $family "$port")$key" || echo "-f remote=$(end 1 $family "$port")$key"
			fi
		done
	done <connections | tr '\n' ' '
}


uname -r
on right "cat >connections <<'END'
$(cat connections)
END"
pair_begin
# Whom to ask for the address is no matter of Mimic: a second may pass between two questions of the kernel's.
for host in 1 2; do
	for family in 4 6; do
		neighbour="ip neigh replace $(address $host $family) lladdr 52:54:00:77:00:0$host dev eth0 nud permanent"
		if [ $host = 1 ]; then on right "$neighbour"; else on left "$neighbour"; fi || fail "neighbour"
	done
done
spawn left mimic ./mimic run "$(filters 1)" eth0
spawn right mimic ./mimic run "$(filters 2)" eth0
await left mimic
await right mimic

by_left=$(echo $(ports begins left)) by_right=$(echo $(ports begins right))
on right "echo_all 2 first $by_left" || fail "echos"
begin_all 1 $by_left || fail "left begins"
on right "end_all first $by_left"
echo_all 1 first $by_right
on right "begin_all 2 $by_right" || fail "right begins"
end_all first $by_right

left_sends=$(echo $(ports sends left)) right_sends=$(echo $(ports sends right)) later=$(echo $(ports sends later))
on right "echo_all 2 answer $left_sends $later" || fail "echos in right"
echo_all 1 answer $right_sends
send_all 1 send $left_sends
on right "send_all 2 send $right_sends" || fail "senders in right"
on left watch_here || fail "tcpdump"
on right watch_here || fail "tcpdump in right"
sleep 2
for side in left right; do
	equal "$(on $side ./mimic show -c eth0 | grep -c 'State: Established')" 20 "connections in $side"
	on $side './mimic show -p eth0 | grep XDP'
done
echo "20 connections, up $(uptime_s) s"

spawn left plain ./udpflow echo --bind 10.70.0.1:4000 --timeout 900 --idle 900
ready left plain || fail plain
spawn left back ./udpflow sink --bind 10.70.0.1:9 --expect 1 --timeout $((SLEEP_S + 120))
ready left back || fail "back"
spawn right sleeper sleep_here "$SLEEP_S"
poll $((SLEEP_S + 150)) "right does not come back" ended_here back
equal "$(cat /tmp/back.status)" 0 "right says that it is back"
sleep 5
send_all 1 send $later
sleep 4
slept=$(on right 'cat /tmp/slept' | tr '\n' ' ')
[ "$(echo "$slept" | awk '{ print int($2 - $1) }')" -ge $((SLEEP_S - 2)) ] || fail "right did not sleep: $slept"
echo "right slept from $(echo "$slept" | sed 's/ / s to /') s of its life"
on right 'dmesg | grep -q "PM: suspend exit"' || fail "right was not suspended"
for side in left right; do
	on $side 'grep slept /tmp/mimic.log' | sed "s/^/$side: /"
	on $side arrived_here >/tmp/arrived-$side
done

# answered PORT FAMILY: how many seconds after its first datagram a sender had the first answer
answered() { awk -v us="$(value "/tmp/send$1-$2.log" first_delay_us)" 'BEGIN { if (us == "none") print "never"; else printf "%.2f\n", us / 1e6 }'; }

# arrived SIDE PORT FAMILY
arrived() { awk -v key="$2 $3" '$1 " " $2 == key { s = $3 } END { print s == "" ? "never" : s }' "/tmp/arrived-$1"; }

wrong=$(end_all send $left_sends $later; on right "end_all send $right_sends")
join right sleeper
on right 'tail -n 1 /tmp/plain.log' >/tmp/plain.log
plain_us=$(value /tmp/plain.log rtt_p99_us)
[ "$plain_us" != none ] || fail "no answer without Mimic: $(cat /tmp/plain.log)"
# A handshake takes three answers.
most=$(awk "BEGIN { printf \"%.2f\", 1 + 3 * $plain_us / 1e6 }")
echo "without Mimic the slowest of 30 answers takes $plain_us us: Mimic may take $most s"
late=
echo "port, begun by, sent by, keepalive, IPv: seconds until a datagram is there"
while read -r port begins sends keepalive; do
	for family in 4 6; do
		if [ "$sends" = later ]; then
			seconds=$(answered "$port" $family)
			echo "$port $begins left $keepalive $family: there and back, from the first datagram on: $seconds"
		else
			seconds="$(arrived left "$port" $family) $(arrived right "$port" $family)"
			echo "$port $begins $sends $keepalive $family: in left, in right: $seconds"
		fi
		for s in $seconds; do
			awk -v s="$s" -v most="$most" 'BEGIN { exit !(s == "never" || s + 0 > most + 0) }' && late="$late $port/IPv$family:$s"
		done
	done
done <connections
[ -z "$wrong" ] || fail "$wrong"
[ -z "$late" ] || fail "later than $most s:$late"
finish right mimic
finish left mimic
echo "done, up $(uptime_s) s"
