// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guard of plain UDP: a TC egress filter behind Mimic's program. What that carries comes by as TCP and is none of its
 * business; a datagram of a filter with udp=drop that still is UDP when it comes here, since no Mimic runs, is dropped. It has rules of its
 * own and belongs to no process. It needs no kernel BTF, and its rules never change: new ones come with a new program.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "core/parse.h"
#include "fragments.h"
#include "ports.h"
#include "skb_parse.h"
#include "udpguard_abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1); /* as many as there are rules */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct filter_prefix);
	__type(value, __u32);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} dropped SEC(".maps");

const volatile struct udpguard_config config;

static __always_inline int udpguard_drop(void)
{
	__u32 zero = 0;
	__u64 *counter = bpf_map_lookup_elem(&dropped, &zero);

	if (counter)
		*counter += 1;
	return TC_ACT_SHOT;
}

/* The most specific rule for an end. NULL: none, or none for a packet that is only forwarded. */
static __always_inline const __u32 *udpguard_find(const struct addr *addr, __be16 port, enum filter_origin origin, bool own)
{
	struct filter_prefix end = { .bits = FILTER_KEY_HEAD_BITS + ADDR_BITS };
	const __u32 *rule;

	filter_key_make(&end.key, addr, port, origin);
	rule = bpf_map_lookup_elem(&rules, &end);
	return rule && *rule & UDPGUARD_OWN && !own ? NULL : rule;
}

/* A packet matches by its source end first, then by its destination end, as with Mimic. */
static __always_inline bool udpguard_is_wanted(const struct packet *pkt, const struct fragment_key *flow, bool own)
{
	const __u32 *rule = udpguard_find(&flow->src, pkt->src_port, ORIGIN_LOCAL, own);

	if (!rule)
		rule = udpguard_find(&flow->dst, pkt->dst_port, ORIGIN_REMOTE, own);
	return rule && *rule & UDPGUARD_DROP;
}

SEC("tc")
int mimic_udpguard(struct __sk_buff *skb)
{
	struct fragment_key flow = {};
	struct packet pkt = {};

	if (skb_parse(skb, config.ethernet, &pkt) != PARSE_OK || (pkt.proto != PROTO_UDP && !(pkt.later_fragment && pkt.ipv6)))
		return TC_ACT_UNSPEC;
	if (!pkt.later_fragment && !port_bit(config.local_ports, pkt.src_port) &&
	    !port_bit(config.remote_ports, pkt.dst_port))
		return TC_ACT_UNSPEC;
	if (!parse_addresses(skb_data(skb), skb_end(skb), &pkt, &flow.src, &flow.dst))
		return TC_ACT_UNSPEC;
	flow.id = pkt.frag_id;
	if (pkt.later_fragment)
		return fragments_is_rest(&flow) ? udpguard_drop() : TC_ACT_UNSPEC;
	/* What came in by some interface is forwarded; tunnels make it this host's own again. */
	if (!udpguard_is_wanted(&pkt, &flow, !skb->ingress_ifindex))
		return TC_ACT_UNSPEC;
	if (pkt.fragment)
		fragments_note_first(&flow);
	return udpguard_drop();
}

char _license[] SEC("license") = "GPL";
