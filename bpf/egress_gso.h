/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Level gso: a UDP superpacket (UDP_SEGMENT) becomes a TCP superpacket in place, by mimic.ko, and travels on as one. What the module or the connection
 * refuses goes to the staging device as on other levels.
 */
#ifndef MIMIC_EGRESS_GSO_H
#define MIMIC_EGRESS_GSO_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "flow.h"
#include "maps.h"
#include "partial.h"
#include "trace.h"

enum {
	EGRESS_GSO_REFUSED = -2, /* no TC_ACT_ */
};

#ifdef MIMIC_PLAIN
static __always_inline bool egress_gso_is_possible(const struct __sk_buff *skb, const struct work *w)
{
	return false;
}

static __always_inline int egress_gso(struct __sk_buff *skb, struct work *w, struct mimic_conn *value)
{
	return EGRESS_GSO_REFUSED;
}
#else
/* The constant comes first: without it the verifier sees nothing of the calls. */
static __always_inline bool egress_gso_is_possible(const struct __sk_buff *skb, const struct work *w)
{
	return config.kfunc_gso && skb->gso_size && !w->released && !w->staged;
}

/* The connection decides; false: one by one. */
static __always_inline bool egress_gso_flow(struct work *w, struct mimic_conn *value)
{
	bool whole;

	__builtin_memset(&w->eff, 0, sizeof(w->eff));
	if (!flow_lock(value, &w->key))
		return false;
	whole = conn_egress_whole(&value->c, &w->env, w->plan.payload_len, w->datagrams, &w->eff);
	w->window_scale = conn_window_scale(&value->c);
	value->mark = w->mark;
	flow_keep_l2(w, value);
	flow_unlock(value);
	return whole;
}

/* A verdict of TC, or EGRESS_GSO_REFUSED, and the packet says what it said before. */
static __always_inline int egress_gso(struct __sk_buff *skb, struct work *w, struct mimic_conn *value)
{
	__u32 l4_off = w->pkt.l4_off, size = skb->gso_size, payload_len, datagrams;

	/* The linear part may be shorter, and shared; the module must not move it under our pointers. */
	if (bpf_skb_pull_data(skb, l4_off + TCP_HEADER_LEN) || mimic_gso_prepare(skb, l4_off) < 0)
		return EGRESS_GSO_REFUSED;
	payload_len = skb->len - l4_off - UDP_HEADER_LEN;
	datagrams = (payload_len + size - 1) / size;
	if (datagrams > 255)
		return EGRESS_GSO_REFUSED;
	w->plan.payload_len = (__u16)payload_len; /* mimic_gso_prepare() has seen to that */
	w->datagrams = (__u8)datagrams;
	stage_end();
	if (!egress_gso_flow(w, value))
		return EGRESS_GSO_REFUSED;
	stage_end();
	w->mtu = 0;
	flow_tell(w, &w->l2);
	flow_count(w);
	count_many(REASON_TX_DATA, w->datagrams - 1U);
	stage_end();
	trace(w, TRACE_OUT);
	stage_end();
	if (mimic_gso_convert(skb, w->pkt.l4_off, w->eff.seq, w->eff.ack, w->eff.window)) {
		flow_drop(w, value, REASON_DROP_TRANSFORM);
		return TC_ACT_SHOT;
	}
	return TC_ACT_UNSPEC;
}
#endif

#endif
