/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps and variables of the BPF objects, and the counters. */
#ifndef MIMIC_MAPS_H
#define MIMIC_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "core/reason.h"
#include "ports.h"

/* Twice as many: new filters are set before old ones go. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * MIMIC_FILTERS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct filter_key);
	__type(value, struct conn_settings);
} filters SEC(".maps");

/* One more than there can be, the old and the new while they change: until Linux 6.13 a full trie refuses to replace an entry. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 2 * MIMIC_FILTERS_MAX + 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct filter_prefix);
	__type(value, struct mimic_prefix);
} prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MIMIC_CONNS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct conn_key);
	__type(value, struct mimic_conn);
} conns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MIMIC_TOTALS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct filter_prefix);
	__type(value, struct mimic_filter_total);
} filter_totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, MIMIC_EVENTS_BYTES);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, MIMIC_TRACES_BYTES);
} traces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} held SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REASON_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* When the RSTs of a source are paid for (core/rate.h): least recently used ones make room. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MIMIC_RESETS_MAX);
	__type(key, struct addr);
	__type(value, __u64); /* ns */
} resets SEC(".maps");

const volatile struct mimic_config config;
struct mimic_shared shared SEC(".data.shared");

/*
 * The end of a stage. What a stage found out lies in the work area, a map value of which the verifier knows nothing; the
 * barrier makes the next stage read it from there. So all paths through a stage end in one and the same state, and a
 * program costs the verifier the sum of its stages, not their product.
 */
static __always_inline void stage_end(void)
{
	core_stage_end();
}

static __always_inline void count_many(__u32 reason, __u32 number)
{
	__u64 *counter = bpf_map_lookup_elem(&counters, &reason);

	if (counter)
		*counter += number;
}

static __always_inline void count(__u32 reason)
{
	count_many(reason, 1);
}

/* Most packets of an interface end here. */
static __always_inline bool ports_are_wanted(__be16 local, __be16 remote)
{
	return port_bit(shared.local_ports, local) || port_bit(shared.remote_ports, remote);
}

#endif
