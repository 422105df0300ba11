# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
#
# What guest-peer.sh does on either side; guest-pair.sh reads it as functions.sh.

# begin_here TO FROM: one datagram after another until one is answered. The peer loses some of those for which it begins a connection, and
# with random padding those with which it probes the window, its first among them, cannot be restored.
begin_here()
{
	local tries
	for tries in 1 2 3 4 5 6 7 8 9 10 11 12; do
		./udpflow send --to "$1" --bind "$2" --sizes 100 --count 1 --reply --wait 1 --errors-ok >/tmp/begin.log 2>&1 && return
	done
	echo "no answer from $1 to any of $tries datagrams"
	return 1
}

# send_all HOST TO4 TO6 PORT: datagrams of many sizes, and back, to the four ports from PORT on. Prints what is wrong, and ends there.
send_all()
{
	local host=$1 i=0 padding v to from most log run
	rm -f /tmp/unanswered
	for padding in 0 7 16 10; do
		for v in 4 6; do
			to=$2:$(($4 + i)) from=10.77.0.$host:6${host}0$i most=$((1460 - padding))
			[ $v = 4 ] || { to=$3:$(($4 + i)) from=[fd77::$host]:6${host}0$i most=$((1440 - padding)); }
			log=/tmp/send$i$v.log run=1
			if [ "$host" = 2 ] || [ $padding = 10 ]; then
				begin_here "$to" "$from"
			fi
			# Nothing that the product sends is lost on the way (peer_wire() sees to that). On a busy machine the peer's host rarely
			# loses some in a row, behind its network card and without a trace: then all are sent again. A size that never gets
			# through, or one that is damaged, stays a failure.
			until ./udpflow send --to "$to" --bind "$from" --reply --wait 15 --timeout 60 --rate 200 --flow-id $run \
				--sizes "0-40,63-65,127-129,511-513,1000,1280,$((most - 1))-$most" >$log 2>&1; do
				if [ $run = 3 ] || [ "$(value $log errors)/$(value $log corrupt)" != 0/0 ]; then
					echo "to $to, padding $padding, run $run: $(tail -n 1 $log)"
					return
				fi
				value $log missing >>/tmp/unanswered
				run=$((run + 1))
			done
		done
		i=$((i + 1))
	done
}

# unanswered_here: how many datagrams of send_all were not answered the first time
unanswered_here()
{
	touch /tmp/unanswered
	awk '{ sum += $1 } END { print sum + 0 }' /tmp/unanswered
}

# cross_here HOST: what each side sends is taken by the other for its own come back. Here, datagrams may be lost.
cross_here()
{
	local other=$((3 - $1)) i
	for i in 0 1; do
		spawn_here cross${i}4 ./udpflow send --to 10.77.0.$other:520$i --bind "10.77.0.$1:520$i" --flow-id 1${i}4 \
			--sizes 100 --count 12 --rate 2 --reply --wait 1 --max-missing 11 --errors-ok
		spawn_here cross${i}6 ./udpflow send --to "[fd77::$other]:520$i" --bind "[fd77::$1]:520$i" --flow-id 1${i}6 \
			--sizes 100 --count 12 --rate 2 --reply --wait 1 --max-missing 11 --errors-ok
	done
}

# again_here TO FROM: one datagram after another, until one is answered that was sent when the file /tmp/restarted was there; prints how
# many seconds after the time in that file.
again_here()
{
	local end=$(($(uptime_s | cut -d . -f 1) + 90)) counts
	while [ "$(uptime_s | cut -d . -f 1)" -lt $end ]; do
		counts=0
		[ ! -e /tmp/restarted ] || counts=1
		if ./udpflow send --to "$1" --bind "$2" --sizes 100 --count 1 --reply --wait 0.3 --timeout 3 --errors-ok >/dev/null 2>&1 &&
			[ $counts = 1 ]; then
			awk "BEGIN { printf \"%.1f\n\", $(uptime_s) - $(cat /tmp/restarted) }"
			return
		fi
	done
	echo never
	return 1
}

clean_here() { rm -f /tmp/restarted; }

# tunnel_end N HOST PORT MTU ENDPOINT: the device wgN here; the own key is in /tmp/own, the other's in /tmp/public.
tunnel_end()
{
	local other=$((3 - $2))
	ip link add "wg$1" mtu "$4" type wireguard || return 1
	ip addr add "10.78.$1.$2/24" dev "wg$1"
	ip addr add "fd78:$1::$2/64" dev "wg$1" nodad
	./wg set "wg$1" listen-port "$3" private-key /tmp/own peer "$(cat /tmp/public)" \
		allowed-ips "10.78.$1.$other/32,fd78:$1::$other/128" endpoint "$5" && ip link set "wg$1" up
}

keys()
{
	(umask 077 && ./wg genkey >/tmp/own) && ./wg pubkey </tmp/own
}

listens_here() { ss -Hltn | grep -q ":$1 "; }

