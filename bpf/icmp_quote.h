/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TC egress: an ICMP error about a datagram that was restored here (its program has ended, say, or a firewall or the next link
 * refuses it) becomes one about the segment that the peer sent (core/icmp.h). A firewall on the way, and the peer, know of
 * no datagram. What is about other packets passes untouched; what is about a flow of ours that has no connection is dropped.
 */
#ifndef MIMIC_ICMP_QUOTE_H
#define MIMIC_ICMP_QUOTE_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "core/icmp.h"
#include "flow.h"
#include "icmp_error.h"
#include "maps.h"
#include "partial.h"

/* Fills w->icmp with the beginning of the message at w->pkt, and w->quoted.pkt. False: none of ours. */
static __always_inline bool icmp_quote_read(struct __sk_buff *skb, struct work *w)
{
	__u32 len = icmp_error_quote_len(w);

	if (bpf_skb_load_bytes(skb, w->pkt.l4_off, &w->icmp.head, ICMP_HEADER_LEN) ||
	    !icmp_is_error(&w->icmp.head, w->pkt.ipv6))
		return false;
	if (skb_load(skb, w->pkt.l4_off + (__u32)ICMP_HEADER_LEN, w->icmp.quote, len, ICMP_QUOTE_MAX))
		return false;
	w->quote_len = (__u16)len;
	stage_end();
	if (!icmp_error_parse(w, PROTO_UDP))
		return false;
	stage_end();
	return ports_are_wanted(w->quoted.pkt.dst_port, w->quoted.pkt.src_port);
}

/*
 * Whether the message's checksum is still to be made. Linux makes those of its own messages itself (icmp_push_reply(),
 * icmpv6_push_pending_frames()), but others may forward what they left to a NIC. ICMP has no pseudo header.
 */
static __always_inline bool icmp_quote_is_partial(struct __sk_buff *skb, struct work *w)
{
	if (!w->pkt.ipv6)
		return !w->icmp.head.check && partial_is_possible(skb);
	if (!parse_addresses(skb_data(skb), skb_end(skb), &w->pkt, &w->key.local, &w->key.remote))
		return false;
	return transform_is_partial(&w->key.local, &w->key.remote, PROTO_ICMPV6, w->pkt.l4_len, w->icmp.head.check) &&
	       partial_is_possible(skb);
}

/* What the connection, if there is one, knows of the segment. */
static __always_inline bool icmp_quote_recall(struct work *w, struct mimic_conn *value)
{
	bool known;

	if (!value || !flow_lock(value, &w->key))
		return false;
	known = icmp_recall(&value->c, &w->quoted);
	flow_unlock(value);
	return known;
}

/* After icmp_error_is_possible(). */
static __always_inline int icmp_quote(struct __sk_buff *skb, const struct packet *pkt)
{
	struct work *w = work_area(WORK_EGRESS);
	struct mimic_conn *value;

	if (!w)
		return TC_ACT_UNSPEC;
	w->pkt = *pkt;
	stage_end();
	if (!icmp_quote_read(skb, w))
		return TC_ACT_UNSPEC;
	stage_end();
	w->partial = icmp_quote_is_partial(skb, w);
	stage_end();
	if (!parse_addresses(w->icmp.quote, w->icmp.quote + ICMP_QUOTE_MAX, &w->quoted.pkt, &w->key.remote,
			     &w->key.local))
		return TC_ACT_UNSPEC;
	w->key.remote_port = w->quoted.pkt.src_port;
	w->key.local_port = w->quoted.pkt.dst_port;
	stage_end();
	value = bpf_map_lookup_elem(&conns, &w->key);
	if (!value && !flow_filter(w, true))
		return TC_ACT_UNSPEC;
	if (!icmp_quote_recall(w, value)) {
		count(REASON_DROP_TX_ICMP);
		return TC_ACT_SHOT;
	}
	stage_end();
	icmp_turn_back(&w->icmp, w->quote_len, &w->quoted, w->partial);
	stage_end();
	if (skb_store(skb, w->pkt.l4_off, &w->icmp, ICMP_HEADER_LEN + (__u32)w->quote_len, sizeof(w->icmp))) {
		count(REASON_DROP_TRANSFORM);
		return TC_ACT_SHOT;
	}
	count(REASON_TX_ICMP);
	return TC_ACT_UNSPEC;
}

#endif
