# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Library of the benchmarks: that of the network tests, and what things cost. They need the machine for themselves: what
# else runs on it is measured, too. Nothing is asserted but that the traffic was what it should have been.

# shellcheck source-path=SCRIPTDIR source=../net/lib.sh
. "$(dirname "$0")/../net/lib.sh"

BENCH_STATS=$(cat /proc/sys/kernel/bpf_stats_enabled) || skip "needs kernel.bpf_stats_enabled"

bench_cleanup() {
	local rc=$?

	echo "$BENCH_STATS" >/proc/sys/kernel/bpf_stats_enabled
	(exit $rc)
	lib_cleanup
}

trap bench_cleanup EXIT
need bpftool
echo 1 >/proc/sys/kernel/bpf_stats_enabled || skip "needs root"

# bench_programs NAME: "PROGRAM RUNS NS" of each BPF program of a process, so far
bench_programs() {
	local id

	sed -n 's/^prog_id:[^0-9]*//p' /proc/"$(pid_of "$1")"/fdinfo/* 2>/dev/null | sort -nu | while read -r id; do
		bpftool -j prog show id "$id" |
			sed -nE 's/.*"name":"([^"]*)".*"run_time_ns":([0-9]+),"run_cnt":([0-9]+).*/\1 \3 \2/p'
	done
}

# bench_ticks NAME: CPU time of a process, in clock ticks (1/100 s)
bench_ticks() {
	awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$(pid_of "$1")/stat"
}

# cost_begin NAME / cost_end NAME WHAT N: what a Mimic did between the two: a line for each BPF program that ran, and the daemon's
# CPU time, in all and for each of N packets
cost_begin() {
	bench_programs "$1" >"$TEST_TMP/cost-$1"
	bench_ticks "$1" >"$TEST_TMP/ticks-$1"
}

cost_end() {
	local ticks=$(($(bench_ticks "$1") - $(cat "$TEST_TMP/ticks-$1")))

	bench_programs "$1" | awk -v what="$2" -v packets="$3" -v ticks="$ticks" '
	NR == FNR { runs[$1] += $2; ns[$1] += $3; next }
	{
		runs_now[$1] += $2
		ns_now[$1] += $3
	}
	END {
		for (name in runs_now) {
			n = runs_now[name] - runs[name]
			if (n > packets / 100)
				printf "%-40s %-16s %10d runs %8.0f ns each\n", what, name, n, (ns_now[name] - ns[name]) / n
		}
		printf "%-40s %-16s %10d packets %6.0f ns each\n", what, "daemon, CPU", packets, ticks * 1e7 / packets
	}' "$TEST_TMP/cost-$1" - | sort
}
