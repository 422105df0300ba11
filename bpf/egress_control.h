/* SPDX-License-Identifier: GPL-2.0-only */
/* TC egress: a control segment that the daemon sends. */
#ifndef MIMIC_EGRESS_CONTROL_H
#define MIMIC_EGRESS_CONTROL_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "flow.h"
#include "work.h"

/*
 * It was decided on some time ago, and data may have come and gone meanwhile: an ACK then says what is so now. Else what a busy daemon
 * sends would take the announced ack back, far enough for a strict firewall to call it invalid.
 */
static __always_inline void egress_control(struct __sk_buff *skb, const struct packet *pkt)
{
	struct mimic_conn *value;
	struct work *w;
	bool changes;

	skb->mark = 0;
	w = work_area(WORK_EGRESS);
	if (!w)
		return;
	w->pkt = *pkt;
	stage_end();
	if (!parse_addresses(skb_data(skb), skb_end(skb), &w->pkt, &w->key.local, &w->key.remote) ||
	    bpf_skb_load_bytes(skb, w->pkt.l4_off, &w->tcp, sizeof(w->tcp)))
		return;
	stage_end();
	w->key.local_port = w->pkt.src_port;
	w->key.remote_port = w->pkt.dst_port;
	value = bpf_map_lookup_elem(&conns, &w->key);
	if (!value || w->tcp.flags != TCP_ACK || !flow_lock(value, &w->key))
		return;
	changes = conn_refresh_ack(&value->c, &w->tcp);
	flow_unlock(value);
	if (changes)
		bpf_skb_store_bytes(skb, w->pkt.l4_off, &w->tcp, sizeof(w->tcp), 0);
}

#endif
