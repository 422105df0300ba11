/* SPDX-License-Identifier: GPL-2.0-only */
/* The datagram of an skb becomes a segment, in place: w->plan and w->tcp say which (core/transform.h). */
#ifndef MIMIC_EGRESS_TRANSFORM_H
#define MIMIC_EGRESS_TRANSFORM_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "checksum.h"
#include "context.h"
#include "core/transform.h"
#include "partial.h"
#include "work.h"

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

static __always_inline bool egress_write_tcp(struct __sk_buff *skb, const struct work *w)
{
	__u8 *data = skb_data(skb), *end = skb_end(skb);
	__u8 *l4 = data + w->pkt.l4_off;

	if (l4 + sizeof(w->tcp) > end)
		return false;
	__builtin_memcpy(l4, &w->tcp, sizeof(w->tcp));
	return true;
}

/* Random bytes, as many as are used; the rest stays zero, for the sum. */
static __always_inline void egress_random_padding(struct work *w)
{
	__u32 left = w->plan.padding;

	if (transform_padding_must_be_zero(&w->plan))
		return;
	CORE_UNROLL
	for (__u32 i = 0; i < PADDING_MAX / 4; i++) {
		__u32 random = bpf_get_prandom_u32();
		__u32 bytes = left > 4 ? 4 : left;

		/* The first bytes in memory: a shift by 32 bits for none of them has to be done in 64 bits. */
		w->padding[i] = host_to_be32((__u32)((__u64)random << (8 * (4 - bytes))));
		left -= bytes;
	}
}

/* The pieces that are moved and added, and their sums; with them the checksum. */
static __always_inline int egress_checksum(struct __sk_buff *skb, struct work *w)
{
	__u32 payload_off = w->pkt.l4_off + (__u32)UDP_HEADER_LEN, piece_sum, padding_sum = 0;

	__builtin_memset(w->piece, 0, sizeof(w->piece));
	if (skb_load(skb, payload_off, w->piece, w->plan.piece_len, TRANSFORM_PIECE_MAX))
		return -1;
	if (w->plan.padding) {
		__builtin_memset(w->padding, 0, sizeof(w->padding));
		egress_random_padding(w);
		padding_sum = csum_words(w->padding, PADDING_MAX / 4);
	}
	w->extra_sum = padding_sum;
	stage_end();
	if (w->partial && partial_has_module()) { /* the device goes on completing it */
		w->tcp.check = csum_fold(csum_pseudo(&w->key.local, &w->key.remote, PROTO_TCP, w->plan.tcp_len));
		return 0;
	}
	piece_sum = csum_words(w->piece, TRANSFORM_PIECE_MAX / 4);
	if (!w->partial && w->udp.check) {
		w->tcp.check = transform_tcp_check(&w->plan, &w->tcp, w->udp.check, piece_sum, w->extra_sum);
		return 0;
	}
	if (!sum_skb(skb, w, payload_off, w->plan.payload_len, SUM_CHUNKS_PAYLOAD))
		return -1;
	stage_end();
	piece_sum = csum_words(w->piece, TRANSFORM_PIECE_MAX / 4);
	w->tcp.check = transform_tcp_check_full(&w->plan, &w->tcp, &w->key.local, &w->key.remote, w->payload_sum,
						piece_sum, w->extra_sum);
	return 0;
}

/*
 * The packet itself, which has room for padding_max bytes of padding already. w->plan and w->tcp are made, the sequence
 * number is used up. 0 or a negative value.
 */
static __always_inline int egress_transform(struct __sk_buff *skb, struct work *w)
{
	__u32 frame_len;

	if (egress_checksum(skb, w))
		return -1;
	stage_end();
	if (w->partial && !partial_has_module() && partial_clear(skb, &w->pkt, w->front, 0))
		return -1;
	stage_end();
	frame_len = w->pkt.l4_off + (__u32)w->plan.tcp_len;
	if (skb->len != frame_len && bpf_skb_change_tail(skb, frame_len, 0))
		return -1;
	stage_end();
	if (skb_store(skb, w->pkt.l4_off + (__u32)w->plan.piece_off, w->piece, w->plan.piece_len, TRANSFORM_PIECE_MAX))
		return -1;
	if (skb_store(skb, w->pkt.l4_off + (__u32)TCP_HEADER_LEN, w->padding, w->plan.padding, PADDING_MAX))
		return -1;
	stage_end();
	if (!egress_write_ip(skb, &w->pkt, TRANSFORM_GROWTH + w->plan.padding))
		return -1;
	stage_end();
	if (!egress_write_tcp(skb, w))
		return -1;
	return w->partial && partial_has_module() ?
		       partial_move(skb, w->pkt.l4_off, PARTIAL_CHECK_UDP, PARTIAL_CHECK_TCP) : 0;
}

#endif
