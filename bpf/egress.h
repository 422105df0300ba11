/* SPDX-License-Identifier: GPL-2.0-only */
/* TC egress: a matched UDP datagram becomes a TCP segment, waits in the daemon, or is dropped and counted. */
#ifndef MIMIC_EGRESS_H
#define MIMIC_EGRESS_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "checksum.h"
#include "core/transform.h"
#include "context.h"
#include "flow.h"
#include "maps.h"

enum {
	EGRESS_PULL = 256,	    /* linear bytes that hold every header we walk over */
	EGRESS_CLEAR_MAX = 96,	    /* bytes moved aside by egress_clear_partial() */
};

struct egress {
	struct packet pkt;
	struct conn_key key;
	struct udp_header udp;
	struct mimic_l2 l2;
	struct transform_plan plan;
	struct tcp_header tcp;
	bool partial; /* the UDP checksum is not complete */
};

static __always_inline enum parse_result egress_parse(struct __sk_buff *skb, struct egress *e)
{
	enum parse_result result;

	result = parse_packet(skb_data(skb), skb_end(skb), config.ethernet, &e->pkt);
	if (result != PARSE_SHORT)
		return result;
	if (bpf_skb_pull_data(skb, skb->len < EGRESS_PULL ? skb->len : EGRESS_PULL))
		return PARSE_OTHER;
	return parse_packet(skb_data(skb), skb_end(skb), config.ethernet, &e->pkt);
}

/* The rest of a datagram whose first fragment was ours. */
static __always_inline int egress_later_fragment(const struct egress *e)
{
	struct fragment_key key = { .src = e->key.local, .dst = e->key.remote, .id = e->pkt.frag_id };

	if (!bpf_map_lookup_elem(&fragments, &key))
		return TC_ACT_UNSPEC;
	count(REASON_DROP_FRAGMENT);
	return TC_ACT_SHOT;
}

static __always_inline int egress_first_fragment(const struct egress *e)
{
	struct fragment_key key = { .src = e->key.local, .dst = e->key.remote, .id = e->pkt.frag_id };
	__u8 one = 1;

	bpf_map_update_elem(&fragments, &key, &one, BPF_ANY);
	count(REASON_DROP_FRAGMENT);
	return TC_ACT_SHOT;
}

/* To the staging device: it splits and completes what cannot be transformed as it is, and sends it back here. */
static __always_inline int egress_stage(void)
{
	__u32 ifindex = *(const volatile __u32 *)&shared.staging_ifindex;

	if (!ifindex) {
		count(REASON_DROP_NO_STAGING);
		return TC_ACT_SHOT;
	}
	count(REASON_TX_STAGED);
	return (int)bpf_redirect(ifindex, 0);
}

static __always_inline void egress_l2(struct __sk_buff *skb, struct egress *e)
{
	__builtin_memset(&e->l2, 0, sizeof(e->l2));
	if (!config.ethernet)
		return;
	if (e->pkt.l3_off == 22) {
		bpf_skb_load_bytes(skb, 0, e->l2.bytes, 22);
		e->l2.len = 22;
	} else if (e->pkt.l3_off == 18) {
		bpf_skb_load_bytes(skb, 0, e->l2.bytes, 18);
		e->l2.len = 18;
	} else if (skb->vlan_present) {
		__be16 tci = host_to_be16(skb->vlan_tci);
		__be16 proto = (__be16)skb->vlan_proto;

		bpf_skb_load_bytes(skb, 0, e->l2.bytes, 12);
		__builtin_memcpy(&e->l2.bytes[12], &proto, 2);
		__builtin_memcpy(&e->l2.bytes[14], &tci, 2);
		bpf_skb_load_bytes(skb, 12, &e->l2.bytes[16], 2);
		e->l2.len = 18;
	} else {
		bpf_skb_load_bytes(skb, 0, e->l2.bytes, 14);
		e->l2.len = 14;
	}
}

/* The frame goes to the daemon, to come back when the connection can carry it. */
static __always_inline int egress_hold(struct __sk_buff *skb, struct egress *e, struct mimic_conn *value,
				       const struct effect *eff)
{
	struct mimic_held meta = {
		.key = e->key,
		.epoch = eff->epoch,
		.number = eff->held_number,
		.offset = eff->held_offset,
		.first = (__u8)eff->held_first,
		.frame_len = skb->len,
		.payload_len = e->plan.payload_len,
		.l4_off = e->pkt.l4_off,
		.vlan_present = skb->vlan_present ? 1 : 0,
		.vlan_proto = (__be16)skb->vlan_proto,
		.vlan_tci = (__u16)skb->vlan_tci,
	};

	if (bpf_perf_event_output(skb, &held, BPF_F_CURRENT_CPU | (__u64)skb->len << 32, &meta, sizeof(meta))) {
		flow_lock(value);
		if (value->c.epoch == meta.epoch)
			conn_unhold(&value->c, e->plan.payload_len);
		flow_unlock(value);
		count(REASON_DROP_HOLD_FAILED);
	}
	return TC_ACT_SHOT;
}

/*
 * CHECKSUM_PARTIAL becomes CHECKSUM_NONE: removing the bytes between the IP header and behind the L4 header makes
 * csum_start point in front of the data, where __skb_postpull_rcsum() (net/core/skbuff.c, kernel 6.1.5 and later)
 * gives it up. The caller writes a complete checksum afterwards. Nothing else of the packet changes; it may
 * get longer when it is short, which the caller's last bpf_skb_change_tail() undoes.
 */
static __always_inline int egress_clear_partial(struct __sk_buff *skb, const struct packet *pkt)
{
	__u32 base = pkt->l3_off + (pkt->ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
	__u32 room = pkt->l4_off + 2U;
	__u8 saved[EGRESS_CLEAR_MAX];
	int err;

	if (room > EGRESS_CLEAR_MAX || room < 2)
		return -1;
	/* The kernel wants an IP header left over after the shrink. */
	if (skb->len < base + room + sizeof(struct ipv6hdr)) {
		err = bpf_skb_change_tail(skb, base + room + sizeof(struct ipv6hdr), 0);
		if (err)
			return err;
	}
	err = skb_load(skb, base, saved, room, EGRESS_CLEAR_MAX);
	if (err)
		return err;
	err = bpf_skb_adjust_room(skb, -(__s32)room, BPF_ADJ_ROOM_NET, BPF_F_ADJ_ROOM_NO_CSUM_RESET);
	if (err)
		return err;
	err = bpf_skb_adjust_room(skb, (__s32)room, BPF_ADJ_ROOM_NET, BPF_F_ADJ_ROOM_NO_CSUM_RESET);
	if (err)
		return err;
	return skb_store(skb, base, saved, room, EGRESS_CLEAR_MAX);
}

/* The IP header of the segment: lengths, protocol, IPv4 header checksum. */
static __always_inline bool egress_write_ip(struct __sk_buff *skb, const struct packet *pkt, __u16 growth)
{
	__u8 *data = skb_data(skb), *end = skb_end(skb);
	__u8 *l3 = data + pkt->l3_off, *proto = data + pkt->proto_off;

	if (l3 + sizeof(struct ipv6hdr) > end || proto + 1 > end)
		return false; /* an IPv4 packet with a TCP header is as long */
	*proto = PROTO_TCP;
	if (pkt->ipv6) {
		struct ipv6hdr *ip = (void *)l3;

		ip->payload_len = host_to_be16(be16_to_host(ip->payload_len) + growth);
	} else {
		struct iphdr *ip = (void *)l3;
		__be16 before = ip->tot_len, after = host_to_be16(be16_to_host(before) + growth);

		ip->tot_len = after;
		/* Protocol and TTL share a word. */
		ip->check = csum_replace(ip->check, csum_add(before, host_to_be16(PROTO_UDP)),
					 csum_add(after, host_to_be16(PROTO_TCP)));
	}
	return true;
}

static __always_inline bool egress_write_tcp(struct __sk_buff *skb, const struct egress *e)
{
	__u8 *data = skb_data(skb), *end = skb_end(skb);
	__u8 *l4 = data + e->pkt.l4_off;

	if (l4 + sizeof(e->tcp) > end)
		return false;
	__builtin_memcpy(l4, &e->tcp, sizeof(e->tcp));
	return true;
}

/* Random bytes, as many as are used; the rest stays zero, for the sum. */
static __always_inline void egress_random_padding(__u32 *padding, const struct transform_plan *plan)
{
	__u32 left = plan->padding;

	if (transform_padding_must_be_zero(plan))
		return;
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < PADDING_MAX / 4; i++) {
		__u32 random = bpf_get_prandom_u32();
		__u32 bytes = left > 4 ? 4 : left;

		/* The first bytes in memory: a shift by 32 bits for none of them has to be done in 64 bits. */
		padding[i] = host_to_be32((__u32)((__u64)random << (8 * (4 - bytes))));
		left -= bytes;
	}
}

/* The packet itself. e->plan and e->tcp are made, the sequence number is used up. 0 or a negative value. */
static __always_inline int egress_transform(struct __sk_buff *skb, struct egress *e)
{
	__u32 piece[TRANSFORM_PIECE_MAX / 4] = {}, padding[PADDING_MAX / 4] = {};
	__u32 payload_off = e->pkt.l4_off + (__u32)UDP_HEADER_LEN;
	__u32 frame_len = e->pkt.l4_off + (__u32)e->plan.tcp_len;
	__u32 piece_len = e->plan.piece_len, padding_len = e->plan.padding;
	__u32 piece_sum, padding_sum = 0, payload_sum = 0;

	if (piece_len > TRANSFORM_PIECE_MAX || padding_len > PADDING_MAX)
		return -1;
	if (skb_load(skb, payload_off, piece, piece_len, TRANSFORM_PIECE_MAX))
		return -1;
	if (bpf_skb_change_tail(skb, frame_len, 0))
		return -1;
	piece_sum = csum_words(piece, TRANSFORM_PIECE_MAX / 4);
	if (padding_len) {
		egress_random_padding(padding, &e->plan);
		padding_sum = csum_words(padding, PADDING_MAX / 4);
	}
	if (e->partial || !e->udp.check) {
		payload_sum = sum_skb(skb, payload_off, e->plan.payload_len);
		e->tcp.check = transform_tcp_check_full(&e->plan, &e->tcp, &e->key.local, &e->key.remote,
							payload_sum, piece_sum, padding_sum);
	} else {
		e->tcp.check = transform_tcp_check(&e->plan, &e->tcp, e->udp.check, piece_sum, padding_sum);
	}
	if (e->partial) {
		if (egress_clear_partial(skb, &e->pkt))
			return -1;
		if (skb->len != frame_len && bpf_skb_change_tail(skb, frame_len, 0))
			return -1;
	}
	if (skb_store(skb, e->pkt.l4_off + (__u32)e->plan.piece_off, piece, piece_len, TRANSFORM_PIECE_MAX))
		return -1;
	if (skb_store(skb, e->pkt.l4_off + (__u32)TCP_HEADER_LEN, padding, padding_len, PADDING_MAX))
		return -1;
	if (!egress_write_ip(skb, &e->pkt, TRANSFORM_GROWTH + e->plan.padding) || !egress_write_tcp(skb, e))
		return -1;
	return 0;
}

static __always_inline bool egress_fits(const struct egress *e, __u8 padding)
{
	__u32 mtu = *(const volatile __u32 *)&shared.mtu;

	return e->pkt.l4_off - e->pkt.l3_off + TCP_HEADER_LEN + padding + e->plan.payload_len <= mtu;
}

static __always_inline int egress_flow(struct __sk_buff *skb, struct egress *e, struct mimic_conn *value,
				       const struct env *env)
{
	bool released = skb->mark == config.release_mark;
	__u16 payload_len = e->plan.payload_len;
	struct effect eff = {};
	__u32 mark = skb->mark;
	__u8 scale;

	flow_lock(value);
	conn_egress(&value->c, env, payload_len, released, &eff);
	scale = conn_window_scale(&value->c);
	if (released)
		mark = value->mark;
	else
		value->mark = mark;
	value->l2 = e->l2;
	flow_unlock(value);
	flow_tell(&e->key, &eff, &e->l2, scale);
	if (eff.reason)
		count(eff.reason);
	if (eff.verdict == VERDICT_HOLD)
		return egress_hold(skb, e, value, &eff);
	if (eff.verdict != VERDICT_PASS)
		return TC_ACT_SHOT;
	skb->mark = mark;
	transform_plan_make(&e->plan, payload_len, eff.padding);
	tcp_header_make(&e->tcp, e->udp.src_port, e->udp.dst_port, eff.seq, eff.ack,
			payload_len <= 1 ? TCP_ACK | TCP_PSH : TCP_ACK, eff.window);
	if (egress_transform(skb, e)) {
		count(REASON_DROP_TRANSFORM);
		return TC_ACT_SHOT;
	}
	return TC_ACT_UNSPEC;
}

static __always_inline int egress(struct __sk_buff *skb)
{
	const struct conn_settings *settings;
	struct mimic_conn *value;
	struct egress e = {};
	struct env env;
	__u8 padding;

	if (egress_parse(skb, &e) != PARSE_OK || e.pkt.proto != PROTO_UDP)
		return TC_ACT_UNSPEC;
	if (!e.pkt.later_fragment && !ports_are_wanted(e.pkt.src_port, e.pkt.dst_port))
		return TC_ACT_UNSPEC;
	if (!parse_addresses(skb_data(skb), skb_end(skb), &e.pkt, &e.key.local,
			     &e.key.remote))
		return TC_ACT_UNSPEC;
	if (e.pkt.later_fragment)
		return egress_later_fragment(&e);
	e.key.local_port = e.pkt.src_port;
	e.key.remote_port = e.pkt.dst_port;
	value = bpf_map_lookup_elem(&conns, &e.key);
	settings = value ? NULL : flow_filter(&e.key, true);
	if (!value && !settings)
		return TC_ACT_UNSPEC;
	if (e.pkt.fragment)
		return egress_first_fragment(&e);
	if (skb->gso_size)
		return egress_stage();
	if (bpf_skb_load_bytes(skb, e.pkt.l4_off, &e.udp, sizeof(e.udp)) ||
	    be16_to_host(e.udp.len) != e.pkt.l4_len || e.pkt.l4_off + (__u32)e.pkt.l4_len > skb->len) {
		count(REASON_DROP_MALFORMED);
		return TC_ACT_SHOT;
	}
	e.partial = transform_is_partial(&e.key.local, &e.key.remote, PROTO_UDP, e.pkt.l4_len, e.udp.check);
	transform_plan_make(&e.plan, e.pkt.l4_len - UDP_HEADER_LEN, 0);
	padding = value ? *(volatile __u8 *)&value->c.settings.padding : settings->padding;
	if (!egress_fits(&e, padding == PADDING_RANDOM ? PADDING_RANDOM_MOD - 1 : padding)) {
		count(REASON_DROP_TOO_BIG);
		return TC_ACT_SHOT;
	}
	egress_l2(skb, &e);
	flow_env(&env);
	if (!value)
		value = flow_create(&e.key, &env, settings, &e.l2);
	if (!value) {
		count(REASON_DROP_NO_CONN);
		return TC_ACT_SHOT;
	}
	return egress_flow(skb, &e, value, &env);
}

#endif
