/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XDP ingress: an ICMP error about one of our segments becomes one about the datagram that it carried (core/icmp.h). What is
 * about other packets passes untouched; what claims to be about a segment that is not under way is dropped.
 */
#ifndef MIMIC_ICMP_ERROR_H
#define MIMIC_ICMP_ERROR_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "core/icmp.h"
#include "flow.h"
#include "maps.h"

/* After parse_packet() has said PARSE_OTHER; `pkt` was zero before. */
static __always_inline bool icmp_error_is_possible(const struct packet *pkt)
{
	return pkt->proto == (pkt->ipv6 ? PROTO_ICMPV6 : PROTO_ICMP) && !pkt->fragment &&
	       pkt->l4_len > ICMP_HEADER_LEN;
}

/* Bytes of the quote that are looked at. */
static __always_inline __u32 icmp_error_quote_len(const struct work *w)
{
	__u32 len = w->pkt.l4_len - (__u32)ICMP_HEADER_LEN;

	return len < ICMP_QUOTE_MAX ? len : ICMP_QUOTE_MAX;
}

/* Fills w->quoted.pkt with the packet of this protocol that is quoted in w->icmp. False: none. */
static __always_inline bool icmp_error_parse(struct work *w, __u8 proto)
{
	struct packet quoted = {};

	if (!icmp_parse(w->icmp.quote, w->quote_len, w->pkt.ipv6, proto, &quoted))
		return false;
	w->quoted.pkt = quoted;
	return true;
}

/* Fills w->icmp with the beginning of the message at w->pkt, and w->quoted. False: none of ours. */
static __always_inline bool icmp_error_read(struct xdp_md *ctx, struct work *w)
{
	__u32 len = icmp_error_quote_len(w);

	if (bpf_xdp_load_bytes(ctx, w->pkt.l4_off, &w->icmp.head, ICMP_HEADER_LEN) ||
	    !icmp_is_error(&w->icmp.head, w->pkt.ipv6))
		return false;
	if (xdp_load(ctx, w->pkt.l4_off + (__u32)ICMP_HEADER_LEN, w->icmp.quote, len, ICMP_QUOTE_MAX))
		return false;
	w->quote_len = (__u16)len;
	stage_end();
	if (!icmp_error_parse(w, PROTO_TCP))
		return false;
	stage_end();
	if (!ports_are_wanted(w->quoted.pkt.src_port, w->quoted.pkt.dst_port))
		return false;
	icmp_read(w->icmp.quote, w->quote_len, &w->quoted);
	return true;
}

/* Whether the connection, if there is one, has such a segment under way. */
static __always_inline bool icmp_error_is_believed(struct work *w, struct mimic_conn *value)
{
	bool believed;

	if (!value)
		return false;
	flow_env(&w->env);
	if (!flow_lock(value, &w->key))
		return false;
	believed = icmp_accept(&value->c, &w->quoted, w->env.now_ns);
	flow_unlock(value);
	return believed;
}

static __always_inline int icmp_error(struct xdp_md *ctx, const struct packet *pkt)
{
	struct work *w = work_area(WORK_INGRESS);
	struct mimic_conn *value;

	if (!w)
		return XDP_PASS;
	w->pkt = *pkt;
	stage_end();
	if (!icmp_error_read(ctx, w))
		return XDP_PASS;
	stage_end();
	if (!parse_addresses(w->icmp.quote, w->icmp.quote + ICMP_QUOTE_MAX, &w->quoted.pkt, &w->key.local,
			     &w->key.remote))
		return XDP_PASS;
	w->key.local_port = w->quoted.pkt.src_port;
	w->key.remote_port = w->quoted.pkt.dst_port;
	stage_end();
	value = bpf_map_lookup_elem(&conns, &w->key);
	if (!value && !flow_filter(w, true))
		return XDP_PASS;
	if (!icmp_error_is_believed(w, value)) {
		count(REASON_DROP_RX_ICMP);
		return XDP_DROP;
	}
	stage_end();
	icmp_turn(&w->icmp, &w->quoted);
	stage_end();
	if (xdp_store(ctx, w->pkt.l4_off, &w->icmp, ICMP_HEADER_LEN + ICMP_QUOTED_L4 + (__u32)w->quoted.pkt.l4_off,
		      sizeof(w->icmp))) {
		count(REASON_DROP_RX_RESTORE);
		return XDP_DROP;
	}
	count(REASON_RX_ICMP);
	return XDP_PASS;
}

#endif
