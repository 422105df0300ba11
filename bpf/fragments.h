/* SPDX-License-Identifier: GPL-2.0-only */
/* Datagrams whose first fragment was dropped: the rest has no ports to know them by. A map for each object that includes this. */
#ifndef MIMIC_FRAGMENTS_H
#define MIMIC_FRAGMENTS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "core/addr.h"
#include "core/conn_state.h"

#define FRAGMENTS_NS NSEC_PER_SEC /* the rest of a fragmented datagram follows at once */

struct fragment_key {
	struct addr src, dst;
	__be32 id;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct fragment_key);
	__type(value, __u64); /* when, ns */
} fragments SEC(".maps");

static __always_inline void fragments_note_first(const struct fragment_key *key)
{
	__u64 now_ns = bpf_ktime_get_coarse_ns();

	bpf_map_update_elem(&fragments, key, &now_ns, BPF_ANY);
}

/* Whether the first one was dropped. IP identifications come again: an old entry is about another datagram. */
static __always_inline bool fragments_is_rest(const struct fragment_key *key)
{
	const __u64 *seen_ns = bpf_map_lookup_elem(&fragments, key);

	return seen_ns && conn_age(bpf_ktime_get_coarse_ns(), *seen_ns) <= FRAGMENTS_NS;
}

#endif
