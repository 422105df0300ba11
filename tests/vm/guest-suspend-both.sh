# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
#
# What guest-suspend.sh does on either side; guest-pair.sh reads it as functions.sh.

# address HOST FAMILY, end HOST FAMILY PORT
address() { if [ "$2" = 4 ]; then echo "10.77.0.$1"; else echo "fd77::$1"; fi; }
end() { if [ "$2" = 4 ]; then echo "10.77.0.$1:$3"; else echo "[fd77::$1]:$3"; fi; }

# ports WHAT VALUE...: of the connections (the table in guest-suspend.sh) whose BEGINS, SENDS or KEEPALIVE is one of these
ports()
{
	local what=$1 port begins sends keepalive value
	shift
	# shellcheck disable=SC2034
	while read -r port begins sends keepalive; do
		eval "value=\$$what"
		case " $* " in *" $value "*) echo "$port" ;; esac
	done <connections
}

# begin_all HOST PORT...: begins connections from here, with a datagram that the other answers.
begin_all()
{
	local host=$1 port family
	shift
	for port; do
		for family in 4 6; do
			./udpflow send --to "$(end $((3 - host)) $family "$port")" --bind "$(end "$host" $family "$port")" --sizes 100 --count 1 \
				--reply --wait 20 >/tmp/begin.log 2>&1 || { echo "port $port, IPv$family: $(cat /tmp/begin.log)"; return 1; }
		done
	done
}

# echo_all HOST NAME PORT..., send_all HOST NAME PORT...: NAMEPORT-FAMILY in the background
echo_all()
{
	local host=$1 name=$2 port family
	shift 2
	for port; do
		for family in 4 6; do
			spawn_here "$name$port-$family" ./udpflow echo --bind "$(end "$host" $family "$port")" --timeout 900 --idle 900
		done
	done
	for port; do
		for family in 4 6; do
			poll 30 "$name$port-$family: not READY" ready_here "$name$port-$family"
		done
	done
}

send_all()
{
	local host=$1 name=$2 port family
	shift 2
	for port; do
		for family in 4 6; do
			spawn_here "$name$port-$family" ./udpflow send --to "$(end $((3 - host)) $family "$port")" \
				--bind "$(end "$host" $family "$port")" --sizes 100 --count 100000 --rate 10 --reply --wait 3 --timeout 900 \
				--first-delay --errors-ok --max-missing 100000
		done
	done
}

# end_all NAME PORT...: prints what is not as it should be.
end_all()
{
	local name=$1 port family file
	shift
	for port; do
		for family in 4 6; do
			signal_here "$name$port-$family" TERM
		done
	done
	for port; do
		for family in 4 6; do
			file=$name$port-$family
			join_here "$file" 30 >/dev/null
			[ "$(value "/tmp/$file.log" corrupt) $(value "/tmp/$file.log" duplicate)" = "0 0" ] ||
				echo "$file: $(tail -n 1 "/tmp/$file.log")"
		done
	done
}

# watch_here: notes when datagrams arrive, and when right says that it is back, which is a datagram to port 9 over eth1.
watch_here()
{
	echo root:x:0:0::/:/bin/sh >/etc/passwd # which tcpdump wants to know
	spawn_here watch tcpdump -Z root -i any -s 128 -B 8192 -n -tt -l --immediate-mode 'udp and (dst port 9 or portrange 5000-5099)'
	poll 30 "tcpdump does not listen" grep -q "listening on" /tmp/watch.log
}

# arrived_here: for each connection, how many seconds after right was back the first datagram arrived: "PORT FAMILY SECONDS"
arrived_here()
{
	awk '
		{
			for (i = 1; i <= NF && $i != "IP" && $i != "IP6"; i++)
				;
			to = $(i + 3)
			sub(/:$/, "", to)
			n = split(to, part, ".")
			port = part[n]
			if (port == 9 && !back)
				back = $1
			key = port " " ($i == "IP" ? 4 : 6)
			if (back && port >= 5000 && !(key in first))
				first[key] = $1 - back
		}
		END {
			for (key in first)
				printf "%s %.2f\n", key, first[key]
		}' /tmp/watch.log
}

# sleep_here SECONDS: to RAM, as rtcwake(8) does it; tells left when it is back.
sleep_here()
{
	modprobe -q rtc_cmos
	sync
	echo 0 >/sys/class/rtc/rtc0/wakealarm
	echo "+$1" >/sys/class/rtc/rtc0/wakealarm || return 1
	uptime_s >/tmp/slept
	: >/tmp/reboot
	echo mem >/sys/power/state || return 1
	./udpflow send --to 10.70.0.1:9 --bind 10.70.0.2:9 --sizes 20 --count 1 --errors-ok
	uptime_s >>/tmp/slept
	# Without Mimic: how long the machines themselves need for an answer now
	./udpflow send --to 10.70.0.1:4000 --bind 10.70.0.2:4000 --sizes 100 --count 30 --rate 10 --reply --wait 5 --max-missing 30 \
		>/tmp/plain.log 2>&1
}
