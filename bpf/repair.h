/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TC ingress puts right what XDP could not see or do.
 * - A restored datagram from a VM or veth on this machine may still be CHECKSUM_PARTIAL, with the checksum position of the TCP
 *   segment that it was. Delivered locally that does not matter, but when this host forwards it, the next device would
 *   write a checksum into the payload. XDP has written a complete checksum and marked the connection; here the partial
 *   state is taken away, or, where that cannot be, the module makes UDP's checksum the open one.
 * - Behind generic XDP, what was several segments, merged by GRO of a device below this one, is no datagram of anybody's.
 * - Answers to SYNs by cookies are sent off (syncookie.h).
 */
#ifndef MIMIC_REPAIR_H
#define MIMIC_REPAIR_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "flow.h"
#include "maps.h"
#include "partial.h"
#include "skb_parse.h"
#include "syncookie.h"

#define REPAIR_PARTIAL_NS NSEC_PER_SEC /* far longer than from XDP to TC ingress */

/*
 * Generic XDP copies an skb that is shared or has no headroom, and forgets skb->mac_len (skb_pp_cow_data(), seen on 6.18): TC
 * ingress then finds the IP header at skb->data, where the Ethernet header should be.
 */
static __always_inline bool repair_hides_ethernet(const struct __sk_buff *skb)
{
	const struct ethhdr *eth = skb_data(skb);

	if (!config.ethernet || (const void *)(eth + 1) > skb_end(skb))
		return false;
	return eth->h_proto != (__be16)skb->protocol && eth->h_dest[0] >> 4 == (skb->protocol == host_to_be16(ETH_P_IP) ? 4 : 6);
}

static __always_inline bool repair_is_open(struct __sk_buff *skb, const struct work *w)
{
	if (partial_has_module())
		return partial_ask_module(skb, w->pkt.l4_off, PARTIAL_CHECK_TCP) != PARTIAL_NONE;
	return partial_is_possible(skb);
}

/* The packet keeps its length. */
static __always_inline int repair_clear(struct __sk_buff *skb, struct work *w, bool hidden)
{
	__u32 len = skb->len;

	if (partial_clear(skb, &w->pkt, w->front, hidden ? sizeof(struct ethhdr) : 0) ||
	    (skb->len != len && bpf_skb_change_tail(skb, len, 0))) {
		count(REASON_DROP_RX_RESTORE);
		return TC_ACT_SHOT;
	}
	count(REASON_RX_PARTIAL_REPAIRED);
	return TC_ACT_UNSPEC;
}

/* For what partial_can_clear() says no to. The device sums to the packet's end: off with what the segment had more. */
static __always_inline int repair_move(struct __sk_buff *skb, struct work *w)
{
	__u32 end = w->pkt.l4_off + (__u32)w->pkt.l4_len;
	__u16 check = csum_fold(csum_pseudo(&w->key.remote, &w->key.local, PROTO_UDP, w->pkt.l4_len));

	if (bpf_skb_pull_data(skb, w->pkt.l4_off + (__u32)UDP_HEADER_LEN) ||
	    partial_move(skb, w->pkt.l4_off, PARTIAL_CHECK_TCP, PARTIAL_CHECK_UDP))
		return TC_ACT_UNSPEC; /* good enough for a socket of this host */
	if ((skb->len != end && bpf_skb_change_tail(skb, end, 0)) ||
	    bpf_skb_store_bytes(skb, w->pkt.l4_off + (__u32)PARTIAL_CHECK_UDP, &check, sizeof(check), 0)) {
		count(REASON_DROP_RX_RESTORE);
		return TC_ACT_SHOT;
	}
	count(REASON_RX_PARTIAL_REPAIRED);
	return TC_ACT_UNSPEC;
}

/* w->pkt is UDP. */
static __always_inline int repair_udp(struct __sk_buff *skb, struct work *w)
{
	struct mimic_conn *value;

	if (!parse_addresses(skb_data(skb), skb_end(skb), &w->pkt, &w->key.remote, &w->key.local))
		return TC_ACT_UNSPEC;
	stage_end();
	w->key.remote_port = w->pkt.src_port;
	w->key.local_port = w->pkt.dst_port;
	value = bpf_map_lookup_elem(&conns, &w->key);
	if (!value)
		return TC_ACT_UNSPEC;
	/* (Nothing is restored in another state: that was plain UDP.) */
	if (w->merged && *(const volatile __u8 *)&value->c.state == CONN_ESTABLISHED) {
		count(REASON_DROP_RX_MERGED);
		return TC_ACT_SHOT;
	}
	if (!value->rx_partial || !repair_is_open(skb, w))
		return TC_ACT_UNSPEC;
	if (partial_can_clear(&w->pkt))
		return repair_clear(skb, w, w->hidden);
	return partial_has_module() ? repair_move(skb, w) : TC_ACT_UNSPEC;
}

static __always_inline bool repair_is_merged(const struct __sk_buff *skb)
{
	return !*(const volatile __u32 *)&shared.xdp_native && skb->gso_size;
}

/* Not so for nearly all packets: no clock is read for them. */
static __always_inline bool repair_may_be_due(const struct __sk_buff *skb)
{
	return *(const volatile __u64 *)&shared.partial_ns || *(const volatile __u64 *)&shared.cookie_ns || repair_is_merged(skb);
}

static __always_inline int repair(struct __sk_buff *skb)
{
	struct packet pkt = {};
	struct work *w;
	__u64 now_ns;

	if (!repair_may_be_due(skb))
		return TC_ACT_UNSPEC;
	w = work_area(WORK_REPAIR);
	if (!w)
		return TC_ACT_UNSPEC;
	now_ns = bpf_ktime_get_coarse_ns();
	w->partial = conn_age(now_ns, *(const volatile __u64 *)&shared.partial_ns) < REPAIR_PARTIAL_NS;
	w->cookies = *(const volatile __u32 *)&shared.xdp_native && syncookie_in_use(now_ns);
	w->merged = repair_is_merged(skb);
	if (!w->partial && !w->cookies && !w->merged)
		return TC_ACT_UNSPEC;
	w->hidden = repair_hides_ethernet(skb);
	stage_end();
	if (skb_parse(skb, config.ethernet && !w->hidden, &pkt) != PARSE_OK || pkt.fragment)
		return TC_ACT_UNSPEC;
	w->pkt = pkt;
	stage_end();
	if (w->pkt.proto == PROTO_UDP && (w->partial || w->merged) && ports_are_wanted(w->pkt.dst_port, w->pkt.src_port))
		return repair_udp(skb, w);
	if (w->pkt.proto == PROTO_TCP && w->cookies && ports_are_wanted(w->pkt.src_port, w->pkt.dst_port))
		return syncookie_send(skb, w, w->hidden);
	return TC_ACT_UNSPEC;
}

#endif
