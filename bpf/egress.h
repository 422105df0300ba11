/* SPDX-License-Identifier: GPL-2.0-only */
/* TC egress: a matched UDP datagram becomes a TCP segment, waits in the daemon, or is dropped and counted. */
#ifndef MIMIC_EGRESS_H
#define MIMIC_EGRESS_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "egress_control.h"
#include "egress_gso.h"
#include "egress_transform.h"
#include "flow.h"
#include "fragments.h"
#include "icmp_quote.h"
#include "maps.h"
#include "partial.h"
#include "skb_parse.h"
#include "too_big.h"
#include "trace.h"

enum {
	ENOTSUPP_KERNEL = 524, /* the kernel's own, unknown to user space */
};

/* The rest of a datagram whose first fragment was ours. */
static __always_inline int egress_later_fragment(const struct work *w)
{
	struct fragment_key key = { .src = w->key.local, .dst = w->key.remote, .id = w->pkt.frag_id };

	if (!fragments_is_rest(&key))
		return TC_ACT_UNSPEC;
	count(REASON_DROP_FRAGMENT);
	return TC_ACT_SHOT;
}

static __always_inline int egress_first_fragment(const struct work *w)
{
	struct fragment_key key = { .src = w->key.local, .dst = w->key.remote, .id = w->pkt.frag_id };

	fragments_note_first(&key);
	count(REASON_DROP_FRAGMENT);
	return TC_ACT_SHOT;
}

/*
 * To the staging device: it splits and completes what cannot be transformed as it is, and sends it back here as a
 * fresh skb. The device speaks Ethernet; links without an L2 header get one for the way.
 */
static __always_inline int egress_stage(struct __sk_buff *skb, const struct work *w, struct mimic_conn *value)
{
	__u32 ifindex = *(const volatile __u32 *)&shared.staging_ifindex;
	__be16 proto = w->pkt.ipv6 ? host_to_be16(ETH_P_IPV6) : host_to_be16(ETH_P_IP);

	if (!ifindex || w->staged) {
		if (ifindex)
			flow_drop(w, value, REASON_DROP_TRANSFORM);
		else
			flow_drop(w, value, REASON_DROP_NO_STAGING);
		return TC_ACT_SHOT;
	}
	if (!config.ethernet && (bpf_skb_change_head(skb, sizeof(struct ethhdr), 0) ||
				 bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &proto, sizeof(proto), 0))) {
		flow_drop(w, value, REASON_DROP_TRANSFORM);
		return TC_ACT_SHOT;
	}
	count(REASON_TX_STAGED);
	return (int)bpf_redirect(ifindex, 0);
}

/* MACs and EtherType of the frame, with every VLAN tag in-band: a tag beside the packet is the outer one. */
static __always_inline void egress_l2(struct __sk_buff *skb, struct work *w)
{
	__be16 tag[2];

	__builtin_memset(&w->l2, 0, sizeof(w->l2));
	if (!config.ethernet)
		return;
	if (!skb->vlan_present) {
		if (w->pkt.l3_off == 22)
			bpf_skb_load_bytes(skb, 0, w->l2.bytes, 22);
		else if (w->pkt.l3_off == 18)
			bpf_skb_load_bytes(skb, 0, w->l2.bytes, 18);
		else
			bpf_skb_load_bytes(skb, 0, w->l2.bytes, 14);
		w->l2.len = w->pkt.l3_off > MIMIC_L2_MAX ? MIMIC_L2_MAX : w->pkt.l3_off;
		return;
	}
	tag[0] = (__be16)skb->vlan_proto;
	tag[1] = host_to_be16(skb->vlan_tci);
	bpf_skb_load_bytes(skb, 0, w->l2.bytes, 12);
	__builtin_memcpy(&w->l2.bytes[12], tag, sizeof(tag));
	if (w->pkt.l3_off == 18)
		bpf_skb_load_bytes(skb, 12, &w->l2.bytes[16], 6);
	else
		bpf_skb_load_bytes(skb, 12, &w->l2.bytes[16], 2);
	w->l2.len = w->pkt.l3_off == 18 ? 22 : 18;
}

/*
 * Ends a packet as if it had been sent. TC_ACT_SHOT would tell the sender (ENOBUFS) that a datagram is lost which only
 * waits, and TC_ACT_STOLEN means "go on" to tcx. A redirect to no device frees the packet and reports success on
 * every kernel (skb_do_redirect(), net/core/filter.c).
 */
static __always_inline int egress_consume(void)
{
	return (int)bpf_redirect(0, 0);
}

/* The frame goes to the daemon, to come back when the connection can carry it. */
static __always_inline int egress_hold(struct __sk_buff *skb, struct work *w, struct mimic_conn *value)
{
	__u32 frame_len = w->pkt.l4_off + (__u32)w->pkt.l4_len; /* the buffer has grown already */
	struct mimic_held *meta = &w->held;

	meta->key = w->key;
	meta->epoch = w->eff.epoch;
	meta->number = w->eff.held_number;
	meta->end = w->eff.held_end;
	meta->frame_len = frame_len;
	meta->payload_len = w->plan.payload_len;
	meta->l4_off = w->pkt.l4_off;
	meta->first = (__u8)w->eff.held_first;
	meta->vlan_present = skb->vlan_present ? 1 : 0;
	meta->vlan_proto = (__be16)skb->vlan_proto;
	meta->vlan_tci = (__u16)skb->vlan_tci;
	meta->pad = 0;
	if (bpf_perf_event_output(skb, &held, BPF_F_CURRENT_CPU | (__u64)frame_len << 32, meta, sizeof(*meta))) {
		if (flow_lock(value, &w->key)) {
			if (value->c.epoch == meta->epoch)
				conn_unhold_unsent(&value->c, meta->number, meta->payload_len);
			conn_note_drop(&value->c, REASON_DROP_HOLD_FAILED, 1);
			flow_unlock(value);
		}
		count(REASON_DROP_HOLD_FAILED);
		return TC_ACT_SHOT;
	}
	return egress_consume();
}

/* The connection decides. */
static __always_inline int egress_flow(struct __sk_buff *skb, struct work *w, struct mimic_conn *value)
{
	__u16 payload_len = w->plan.payload_len;

	__builtin_memset(&w->eff, 0, sizeof(w->eff));
	if (!flow_lock(value, &w->key)) {
		count(REASON_DROP_CONN_ENDED);
		return TC_ACT_SHOT;
	}
	conn_egress(&value->c, &w->env, payload_len, w->released, &w->eff);
	w->window_scale = conn_window_scale(&value->c);
	if (w->released || w->staged)
		w->mark = value->mark;
	else
		value->mark = w->mark;
	flow_keep_l2(w, value);
	flow_unlock(value);
	stage_end();
	w->mtu = 0;
	flow_tell(w, &w->l2);
	flow_count(w);
	stage_end();
	trace(w, TRACE_OUT);
	stage_end();
	if (w->eff.verdict == VERDICT_HOLD)
		return egress_hold(skb, w, value);
	w->waits = w->eff.verdict == VERDICT_WAIT;
	if (w->eff.verdict != VERDICT_PASS)
		return TC_ACT_SHOT;
	skb->mark = w->mark;
	transform_plan_make(&w->plan, payload_len, w->eff.padding);
	tcp_header_make(&w->tcp, w->udp.src_port, w->udp.dst_port, w->eff.seq, w->eff.ack,
			payload_len <= 1 ? TCP_ACK | TCP_PSH : TCP_ACK, w->eff.window);
	stage_end();
	if (egress_transform(skb, w)) {
		flow_drop(w, value, REASON_DROP_TRANSFORM);
		return TC_ACT_SHOT;
	}
	return TC_ACT_UNSPEC;
}

static __always_inline bool egress_fits(const struct work *w)
{
	__u32 mtu = *(const volatile __u32 *)&shared.mtu;

	return w->pkt.l4_off - w->pkt.l3_off + TCP_HEADER_LEN + w->padding_max + w->plan.payload_len <= mtu;
}

/*
 * Makes the packet linear, writable and as long as it will get, before a sequence number is used up; one that will not be sent
 * keeps its length. 0, or what is wrong: -ENOTSUPP_KERNEL when the staging device can help.
 */
static __always_inline int egress_prepare(struct __sk_buff *skb, const struct work *w)
{
	if (w->partial == PARTIAL_OTHER || (w->partial && !partial_has_module() && !partial_can_clear(&w->pkt)))
		return -ENOTSUPP_KERNEL;
	/* This one says -ENOTSUPP itself when skb->encapsulation is set: a tunnel left its inner checksum open. */
	return (int)bpf_skb_change_tail(
		skb, w->fits ? w->pkt.l4_off + (__u32)TCP_HEADER_LEN + w->padding_max + w->plan.payload_len : skb->len, 0);
}

static __always_inline enum partial egress_partial(struct __sk_buff *skb, const struct work *w)
{
	if (partial_has_module())
		return partial_ask_module(skb, w->pkt.l4_off, PARTIAL_CHECK_UDP);
	/* What comes from the staging device is complete. */
	return !w->staged && transform_is_partial(&w->key.local, &w->key.remote, PROTO_UDP, w->pkt.l4_len, w->udp.check) &&
	       partial_is_possible(skb);
}

/* The flow label that control segments shall have as well, where it is not known yet. */
static __always_inline void egress_flow_label(struct __sk_buff *skb, struct work *w, const struct mimic_conn *value)
{
	__be32 first; /* version, traffic class, flow label */

	w->flow_label = 0;
	if (w->pkt.ipv6 && !(value && value->flow_label) && !bpf_skb_load_bytes(skb, w->pkt.l3_off, &first, sizeof(first)))
		w->flow_label = first & host_to_be32(0xfffff);
}

/* The UDP header and what follows from it. False: lengths that contradict each other. */
static __always_inline bool egress_read(struct __sk_buff *skb, struct work *w, __u8 padding)
{
	w->padding_max = transform_padding_max(padding);
	if (bpf_skb_load_bytes(skb, w->pkt.l4_off, &w->udp, sizeof(w->udp)) ||
	    w->pkt.l4_off + (__u32)w->pkt.l4_len > skb->len)
		return false;
	if (be16_to_host(w->udp.len) != w->pkt.l4_len)
		return false;
	w->partial = egress_partial(skb, w);
	transform_plan_make(&w->plan, w->pkt.l4_len - UDP_HEADER_LEN, 0);
	return true;
}

/* The flow is one of ours. value: NULL, and w->settings is set, when there is no connection yet. */
static __always_inline int egress_matched(struct __sk_buff *skb, struct work *w, struct mimic_conn *value)
{
	int err;

	if (w->pkt.fragment)
		return egress_first_fragment(w);
	w->staged = skb->mark == config.staged_mark;
	w->stages = skb->gso_size != 0; /* its lengths are those of the whole superpacket */
	stage_end();
	if (!w->stages) {
		if (!egress_read(skb, w, value ? value->c.settings.padding : w->settings.padding)) {
			count(REASON_DROP_MALFORMED);
			return TC_ACT_SHOT;
		}
		stage_end();
		w->fits = egress_fits(w);
		err = egress_prepare(skb, w);
		if (err && err != -ENOTSUPP_KERNEL && w->fits) {
			flow_drop(w, value, REASON_DROP_TRANSFORM);
			return TC_ACT_SHOT;
		}
		w->stages = err == -ENOTSUPP_KERNEL;
		stage_end();
		if (!w->fits && !w->stages)
			return too_big(skb, w, value);
	}
	stage_end();
	egress_l2(skb, w);
	egress_flow_label(skb, w, value);
	flow_env(&w->env);
	stage_end();
	if (!value)
		value = flow_create(w, true);
	if (!value) {
		count(REASON_DROP_NO_CONN);
		return TC_ACT_SHOT;
	}
	if (!w->stages)
		return egress_flow(skb, w, value);
	if (egress_gso_is_possible(skb, w)) {
		err = egress_gso(skb, w, value);
		if (err != EGRESS_GSO_REFUSED)
			return err;
	}
	stage_end();
	if (!w->released && !w->staged)
		*(volatile __u32 *)&value->mark = w->mark; /* the packet comes back without it */
	return egress_stage(skb, w, value);
}

/*
 * The daemon keeps a datagram, to try again, if sending it fails (ENOBUFS): so that is said only when it shall, here or by
 * the device and its queue behind this program. One that is dropped and counted here counts as sent.
 */
static __always_inline int egress_released(const struct work *w, int verdict)
{
	return verdict == TC_ACT_SHOT && !w->waits ? egress_consume() : verdict;
}

static __always_inline int egress(struct __sk_buff *skb)
{
	struct mimic_conn *value;
	struct packet pkt = {};
	struct work *w;
	int verdict;

	if (skb_parse(skb, config.ethernet, &pkt) != PARSE_OK || (pkt.proto != PROTO_UDP && !(pkt.later_fragment && pkt.ipv6))) {
		if (pkt.proto == PROTO_TCP && skb->mark == config.release_mark)
			egress_control(skb, &pkt);
		return icmp_error_is_possible(&pkt) ? icmp_quote(skb, &pkt) : TC_ACT_UNSPEC;
	}
	if (!pkt.later_fragment && !ports_are_wanted(pkt.src_port, pkt.dst_port))
		return TC_ACT_UNSPEC;
	w = work_area(WORK_EGRESS);
	if (!w)
		return TC_ACT_UNSPEC;
	w->pkt = pkt;
	stage_end();
	if (!parse_addresses(skb_data(skb), skb_end(skb), &w->pkt, &w->key.local, &w->key.remote))
		return TC_ACT_UNSPEC;
	stage_end();
	if (w->pkt.later_fragment)
		return egress_later_fragment(w);
	w->key.local_port = w->pkt.src_port;
	w->key.remote_port = w->pkt.dst_port;
	value = bpf_map_lookup_elem(&conns, &w->key);
	if (!value && !flow_filter(w, true))
		return TC_ACT_UNSPEC;
	w->mark = skb->mark;
	w->released = w->mark == config.release_mark;
	w->waits = 0;
	verdict = egress_matched(skb, w, value);
	stage_end();
	return w->released ? egress_released(w, verdict) : verdict;
}

/* TC ingress of the staging device: what it split and completed goes to the interface after all. */
static __always_inline int staged(struct __sk_buff *skb)
{
	skb->mark = config.staged_mark;
	return (int)bpf_redirect(config.ifindex, 0);
}

#endif
