# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Two virtual machines, joined by wires. Source this file; it has no side effects. It adds to tests/kmod/lib.sh.
#
#       +-- left VM ----------------+                         +-- right VM ---------------+
#       |  eth0 10.77.0.1/24        |         wire0           |  eth0 10.77.0.2/24        |
#       |       fd77::1/64        o-+-------------------------+-o     fd77::2/64          |
#       |  (a second wire: eth2)  o-+-------------------------+-o                         |
#       |  eth1 10.70.0.1/24      o-+-- left commands right --+-o     10.70.0.2/24        |
#       +---------------------------+                         +---------------------------+
#
#   pair_run KERNEL SCRIPT [FILE...]    boots the kernel twice, as vm_run does, with the same FILEs; SCRIPT (with guest-pair.sh) runs in
#                                       left and commands right; returns its exit status, or why one of both VMs failed
#   pair_check WIRE PORTS [ARG...]      wirecheck on what was on a wire: TCP only, every checksum right; prints its line
#   pair_syns WIRE LEFT-ADDRESS PORT    prints how many SYNs without ACK left sent, and how many right did
#
# A wire is a pair of NICs and a QEMU stream socket between them: pair_nics is an array with the model of each wire's NICs. What one side
# does not take holds the other up. With pair_lossy it is lost, as in real networks: then wires are UDP sockets, in a network namespace
# that the caller has made, with lo up. QEMU writes
# what passes it to wireN.pcap in $pair_dir, where left/ and right/ are the directories that vm_run calls VM_DIR, too.

pair_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../kmod/lib.sh
. "$pair_here/../kmod/lib.sh"

pair_nics=(virtio-net-pci)
pair_lossy=
pair_dir=${TEST_TMP:-${TMPDIR:-/tmp}}/pair

# pair_datagrams HOST WIRE: the two ends of a wire that is UDP between local ports
pair_datagrams()
{
	local port=$((20000 + 10 * $2)) inet=type=inet
	echo "local.$inet,local.host=127.0.0.1,local.port=$((port + $1)),remote.$inet,remote.host=127.0.0.1,remote.port=$((port + 3 - $1))"
}

# pair_qemu_args SIDE: sets vm_qemu_args. Paths are relative, since those of sockets have to be short.
pair_qemu_args()
{
	local side=$1 host=1 server=on i netdev
	[ "$side" = left ] || { host=2; server=off; }
	# With one thread for each VM, two processors serve both, and vm_int3 does not happen.
	vm_qemu_args=(-smp 1 -pidfile "$side.pid")
	for i in "${!pair_nics[@]}"; do
		netdev=stream,id=wire$i,server=$server,addr.type=unix,addr.path=wire$i
		[ -z "$pair_lossy" ] || netdev=dgram,id=wire$i,$(pair_datagrams "$host" "$i")
		vm_qemu_args+=(-netdev "$netdev" -device "${pair_nics[i]},netdev=wire$i,mac=52:54:00:77:0$i:0$host,romfile=")
		[ "$side" = right ] || vm_qemu_args+=(-object "filter-dump,id=dump$i,netdev=wire$i,file=wire$i.pcap")
		# eth1, when there is one wire or more
		[ "$i" != 0 ] ||
			vm_qemu_args+=(-netdev "stream,id=command,server=$server,addr.type=unix,addr.path=command"
				       -device "virtio-net-pci,netdev=command,mac=52:54:00:70:00:0$host,romfile=")
	done
}

# pair_vm SIDE KERNEL SCRIPT [FILE...]
pair_vm()
(
	side=$1
	shift
	cd "$pair_dir" || exit 1
	pair_qemu_args "$side"
	vm_env+=("SIDE=$side")
	export VM_DIR=$pair_dir/$side VM_ACCEL=${VM_ACCEL:-tcg}
	vm_run "$@"
)

# pair_pid SIDE: prints the process id of its QEMU, if that runs.
pair_pid()
{
	local pid
	pid=$(cat "$pair_dir/$1.pid" 2>/dev/null) && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q -- "-pidfile $1.pid" &&
		echo "$pid"
}

# pair_await SECONDS COMMAND...: until it succeeds.
pair_await()
{
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

pair_listening() { [ -S "$pair_dir/command" ] || ! kill -0 "$1" 2>/dev/null; }

pair_run()
{
	local kernel=$1 script=$2 left right left_status right_status
	shift 2
	rm -rf "$pair_dir"
	mkdir -p "$pair_dir"
	vm_kernel "$kernel" && vm_base "$kernel" >/dev/null || return 1
	pair_vm left "$kernel" "$script" "$pair_here"/guest-{lib,pair}.sh "$@" >"$pair_dir/left.out" 2>&1 &
	left=$!
	# The sockets of the last wire that left opens.
	pair_await 60 pair_listening "$left"
	pair_vm right "$kernel" "$pair_here/guest-pair-right.sh" "$pair_here"/guest-{lib,pair}.sh "$@" >"$pair_dir/right.out" 2>&1 &
	right=$!
	wait "$left"
	left_status=$?
	# Right ends when left did. If not, its QEMU is ended.
	# shellcheck disable=SC2317 # called by pair_await
	right_ended() { ! kill -0 "$right" 2>/dev/null; }
	if ! pair_await 30 right_ended; then
		vm_log "right goes on when left has ended"
		left=$(pair_pid right) && kill "$left"
	fi
	wait "$right"
	right_status=$?
	cat "$pair_dir/left.out"
	if [ "$left_status" != 0 ] || [ "$right_status" != 0 ]; then
		echo "--- right: status $right_status"
		cat "$pair_dir/right.out"
	fi
	[ "$left_status" = 0 ] || return "$left_status"
	return "$right_status"
}

# pair_check WIRE PORTS [ARG...]
pair_check()
{
	local wire=$1 ports=$2
	shift 2
	"${TOOLS:-${BUILDDIR:-$vm_srcdir}/tests/tools}/wirecheck" -r "$pair_dir/wire$wire.pcap" --port "$ports" --no-udp --require bad_tcp_csum=0 \
		--require fragments=0 --require truncated=0 "$@" && return
	vm_log "what is on wire $wire, ports $ports, is not as it should be"
	return 1
}

# pair_only_tcp WIRE: no UDP of any port
pair_only_tcp()
{
	local stray
	stray=$(tcpdump -nr "$pair_dir/wire$1.pcap" udp 2>"$pair_dir/tcpdump.log") || { cat "$pair_dir/tcpdump.log"; return 1; }
	[ -z "$stray" ] && return
	vm_log "UDP is on wire $1:"
	head -n 10 <<<"$stray" >&2
	return 1
}

# pair_syns WIRE LEFT-ADDRESS PORT
pair_syns()
{
	local syn='tcp[13] = 2'
	case $2 in *:*) syn='ip6 proto 6 and ip6[53] = 2' ;; esac
	for from in "src host $2" "not src host $2"; do
		# The port stands at the same place whatever the IP version is, for tcpdump to find it.
		tcpdump -nr "$pair_dir/wire$1.pcap" "$syn and $from and port $3" 2>/dev/null | wc -l
	done | paste -sd' '
}
