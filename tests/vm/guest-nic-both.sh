# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
#
# What guest-nic.sh does on either side; guest-pair.sh reads it as functions.sh.

# offloads_here on|off DEVICE: all that the driver lets be switched. Prints those that are on then.
offloads_here()
{
	local feature
	for feature in tx rx sg tso gso gro; do
		./ethtool -K "$2" $feature "$1" >/dev/null 2>&1
	done
	./ethtool -k "$2" | awk '
		/^(tx-checksumming|rx-checksumming|scatter-gather|tcp-segmentation-offload|generic-segmentation-offload|generic-receive-offload): on/ {
			sub(":", "", $1)
			printf "%s ", $1
		}'
}

# sends_here NET HOST DEVICE: from here to the other's echos, over both IP versions; each datagram comes back undamaged.
sends_here()
{
	local net=$1 host=$2 other=$((3 - $2)) port=$((4999 + 3 - $2)) sizes=0-26,63-65,127-129,511-513,1000,1280 v to from most
	for v in 4 6; do
		to=10.$net.0.$other:$port from=10.$net.0.$host:600$host most=1460
		[ $v = 4 ] || { to=[fd$net::$other]:$port from=[fd$net::$host]:600$host most=1440; }
		./udpflow send --to "$to" --bind "$from" --sizes "$sizes,$((most - 1))-$most" --count 2 --rate 400 --reply --wait 20 \
			--timeout 60 >/tmp/send$v.log 2>&1 || { echo "to $to: $(tail -n 1 /tmp/send$v.log)"; return 1; }
		# Large packets, which the kernel has to cut. (Before 6.12 it takes them only for devices that complete checksums.)
		./ethtool -k "$3" | grep -q '^tx-checksumming: on' || continue
		./udpflow send --to "$to" --bind "$from" --sizes 12000 --gso 1200 --count 10 --rate 20 --reply --wait 20 \
			--timeout 60 >/tmp/gso$v.log 2>&1 || { echo "GSO to $to: $(tail -n 1 /tmp/gso$v.log)"; return 1; }
	done
}
