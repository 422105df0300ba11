/* SPDX-License-Identifier: GPL-2.0-only */
/* XDP ingress: a matched TCP segment becomes the UDP datagram that it was, or is a control segment. */
#ifndef MIMIC_INGRESS_H
#define MIMIC_INGRESS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "core/tcpopt.h"
#include "core/transform.h"
#include "context.h"
#include "flow.h"
#include "maps.h"

enum {
	INGRESS_CONTROL_MAX = 64, /* bytes of a control segment whose checksum is verified */
};

struct ingress {
	struct packet pkt;
	struct conn_key key;
	struct tcp_header tcp;
	struct segment seg;
	struct transform_plan plan;
	struct udp_header udp;
};

/* What a reply to this frame begins with. */
static __always_inline void ingress_l2(struct xdp_md *ctx, const struct ingress *in, struct mimic_l2 *l2)
{
	__builtin_memset(l2, 0, sizeof(*l2));
	if (!config.ethernet)
		return;
	l2->len = in->pkt.l3_off > MIMIC_L2_MAX ? MIMIC_L2_MAX : in->pkt.l3_off;
	bpf_xdp_load_bytes(ctx, 6, &l2->bytes[0], 6);
	bpf_xdp_load_bytes(ctx, 0, &l2->bytes[6], 6);
	if (in->pkt.l3_off == 22)
		bpf_xdp_load_bytes(ctx, 12, &l2->bytes[12], 10);
	else if (in->pkt.l3_off == 18)
		bpf_xdp_load_bytes(ctx, 12, &l2->bytes[12], 6);
	else
		bpf_xdp_load_bytes(ctx, 12, &l2->bytes[12], 2);
}

/*
 * Control segments are checked here: they never reach a socket. Data is checked by the UDP checksum that follows
 * from the segment's. A segment from this machine may hold the pseudo-header sum only. A function of its own,
 * as ingress_options(): verified once, not for every path that leads here. pseudo: sum of the pseudo header.
 */
__attribute__((noinline)) int ingress_checksum(struct xdp_md *ctx, __u32 off, __u32 len, __u32 pseudo)
{
	__u32 words[INGRESS_CONTROL_MAX / 4] = {};

	if (xdp_load(ctx, off, words, len, INGRESS_CONTROL_MAX))
		return 0;
	return csum_fold(csum_add(pseudo, csum_words(words, INGRESS_CONTROL_MAX / 4))) == 0xffff;
}

static __always_inline bool ingress_checksum_is_right(struct xdp_md *ctx, const struct ingress *in)
{
	__u32 pseudo = csum_pseudo(&in->key.remote, &in->key.local, PROTO_TCP, in->pkt.l4_len);

	return in->tcp.check == csum_fold(pseudo) || ingress_checksum(ctx, in->pkt.l4_off, in->pkt.l4_len, pseudo);
}

/* The options of a SYN: mss, then wscale << 16; negative: malformed. */
__attribute__((noinline)) int ingress_options(struct xdp_md *ctx, __u32 off, __u32 len)
{
	__u32 zero = *(const volatile __u32 *)&shared.zero;
	__u8 bytes[TCPOPT_MAX_LEN] = {};
	struct tcp_options options;

	if (len > TCPOPT_MAX_LEN || xdp_load(ctx, off, bytes, len, TCPOPT_MAX_LEN))
		return -1;
	if (!tcpopt_parse(bytes, len, zero, &options))
		return -1;
	return options.mss | options.wscale << 16;
}

static __always_inline bool ingress_read_options(struct xdp_md *ctx, struct ingress *in, __u32 len)
{
	int packed = ingress_options(ctx, in->pkt.l4_off + (__u32)TCP_HEADER_LEN, len);

	if (packed < 0)
		return false;
	in->seg.options.mss = (__u16)packed;
	in->seg.options.wscale = (__u8)(packed >> 16);
	return true;
}

/* Fills in->tcp and in->seg. False: no TCP header that makes sense. */
static __always_inline bool ingress_read(struct xdp_md *ctx, struct ingress *in)
{
	__u32 header_len;

	if (bpf_xdp_load_bytes(ctx, in->pkt.l4_off, &in->tcp, sizeof(in->tcp)))
		return false;
	header_len = (in->tcp.data_off >> 4) * 4U;
	if (header_len < TCP_HEADER_LEN || header_len > in->pkt.l4_len)
		return false;
	in->seg.seq = be32_to_host(in->tcp.seq);
	in->seg.ack = be32_to_host(in->tcp.ack);
	in->seg.window = be16_to_host(in->tcp.window);
	in->seg.flags = in->tcp.flags;
	in->seg.payload_len = (__u16)(in->pkt.l4_len - header_len);
	if (in->tcp.flags & TCP_SYN)
		in->seg.options_ok = ingress_read_options(ctx, in, header_len - TCP_HEADER_LEN);
	return true;
}

static __always_inline bool ingress_is_control(const struct segment *seg)
{
	return seg->flags & (TCP_SYN | TCP_RST | TCP_FIN) || (seg->payload_len <= 1 && !(seg->flags & TCP_PSH));
}

static __always_inline bool ingress_write(struct xdp_md *ctx, const struct ingress *in)
{
	__u8 *data = xdp_data(ctx), *end = xdp_end(ctx);
	__u8 *l3 = data + in->pkt.l3_off, *l4 = data + in->pkt.l4_off, *proto = data + in->pkt.proto_off;
	__u16 shrink = (__u16)(in->plan.tcp_len - UDP_HEADER_LEN - in->plan.payload_len);

	if (l4 + sizeof(in->udp) > end || proto + 1 > end || l3 + sizeof(struct ipv6hdr) > end)
		return false;
	__builtin_memcpy(l4, &in->udp, sizeof(in->udp));
	*proto = PROTO_UDP;
	if (in->pkt.ipv6) {
		struct ipv6hdr *ip = (void *)l3;

		ip->payload_len = host_to_be16(be16_to_host(ip->payload_len) - shrink);
	} else {
		struct iphdr *ip = (void *)l3;
		__be16 before = ip->tot_len, after = host_to_be16(be16_to_host(before) - shrink);

		ip->tot_len = after;
		ip->check = csum_replace(ip->check, csum_add(before, host_to_be16(PROTO_TCP)),
					 csum_add(after, host_to_be16(PROTO_UDP)));
	}
	return true;
}

static __always_inline int ingress_restore(struct xdp_md *ctx, struct ingress *in, __u8 padding)
{
	__u32 piece[TRANSFORM_PIECE_MAX / 4] = {}, pad[PADDING_MAX / 4] = {};
	__u32 piece_len, frame_len, padding_sum = 0, piece_sum;

	transform_plan_make(&in->plan, (__u16)(in->seg.payload_len - padding), padding);
	piece_len = in->plan.piece_len;
	if (piece_len > TRANSFORM_PIECE_MAX || padding > PADDING_MAX)
		return -1;
	if (xdp_load(ctx, in->pkt.l4_off + (__u32)in->plan.piece_off, piece, piece_len, TRANSFORM_PIECE_MAX))
		return -1;
	if (padding) {
		if (xdp_load(ctx, in->pkt.l4_off + (__u32)TCP_HEADER_LEN, pad, padding, PADDING_MAX))
			return -1;
		padding_sum = csum_words(pad, PADDING_MAX / 4);
	}
	piece_sum = csum_words(piece, TRANSFORM_PIECE_MAX / 4);
	in->udp.src_port = in->tcp.src_port;
	in->udp.dst_port = in->tcp.dst_port;
	in->udp.len = host_to_be16(UDP_HEADER_LEN + in->plan.payload_len);
	in->udp.check = transform_udp_check(&in->plan, &in->tcp, piece_sum, padding_sum);
	if (!ingress_write(ctx, in))
		return -1;
	if (xdp_store(ctx, in->pkt.l4_off + (__u32)UDP_HEADER_LEN, piece, piece_len, TRANSFORM_PIECE_MAX))
		return -1;
	frame_len = in->pkt.l4_off + (__u32)UDP_HEADER_LEN + in->plan.payload_len;
	return (int)bpf_xdp_adjust_tail(ctx, (int)(frame_len - (__u32)bpf_xdp_get_buff_len(ctx)));
}

static __always_inline int ingress_flow(struct xdp_md *ctx, struct ingress *in, struct mimic_conn *value,
					const struct env *env, struct mimic_l2 *l2)
{
	struct effect eff = {};
	__u8 scale;

	flow_lock(value);
	conn_ingress(&value->c, env, &in->seg, &eff);
	scale = conn_window_scale(&value->c);
	flow_unlock(value);
	if (eff.notify || eff.reply[0].flags) {
		*l2 = value->l2;
		flow_tell(&in->key, &eff, l2, scale);
	}
	if (eff.reason)
		count(eff.reason);
	if (eff.verdict != VERDICT_PASS)
		return XDP_DROP;
	if (ingress_restore(ctx, in, eff.padding)) {
		count(REASON_DROP_RX_RESTORE);
		return XDP_DROP;
	}
	return XDP_PASS;
}

/* A matched segment without a connection: a SYN begins one, the rest is answered by RST. */
static __always_inline struct mimic_conn *ingress_unknown(struct ingress *in, const struct env *env,
							  const struct conn_settings *settings,
							  const struct mimic_l2 *l2)
{
	struct mimic_conn *value = NULL;
	struct effect eff = {};

	if (conn_unknown(&in->seg, &eff)) {
		value = flow_create(&in->key, env, settings, l2);
		if (!value)
			count(REASON_DROP_NO_CONN);
		return value;
	}
	flow_tell(&in->key, &eff, l2, 0);
	count(eff.reason);
	return NULL;
}

static __always_inline int ingress(struct xdp_md *ctx)
{
	const struct conn_settings *settings;
	struct mimic_conn *value;
	struct ingress in = {};
	struct mimic_l2 l2;
	struct env env;

	if (parse_packet(xdp_data(ctx), xdp_end(ctx), config.ethernet, &in.pkt) !=
		    PARSE_OK ||
	    in.pkt.proto != PROTO_TCP || in.pkt.fragment || !ports_are_wanted(in.pkt.dst_port, in.pkt.src_port))
		return XDP_PASS;
	if (!parse_addresses(xdp_data(ctx), xdp_end(ctx), &in.pkt, &in.key.remote,
			     &in.key.local))
		return XDP_PASS;
	in.key.remote_port = in.pkt.src_port;
	in.key.local_port = in.pkt.dst_port;
	value = bpf_map_lookup_elem(&conns, &in.key);
	settings = value ? NULL : flow_filter(&in.key, false);
	if (!value && !settings)
		return XDP_PASS;
	if (in.pkt.l4_off + (__u32)in.pkt.l4_len > (__u32)bpf_xdp_get_buff_len(ctx) || !ingress_read(ctx, &in)) {
		count(REASON_DROP_MALFORMED);
		return XDP_DROP;
	}
	if (ingress_is_control(&in.seg) && !ingress_checksum_is_right(ctx, &in)) {
		count(REASON_DROP_RX_CHECKSUM);
		return XDP_DROP;
	}
	flow_env(&env);
	if (!value) {
		ingress_l2(ctx, &in, &l2);
		value = ingress_unknown(&in, &env, settings, &l2);
		if (!value)
			return XDP_DROP;
	}
	return ingress_flow(ctx, &in, value, &env, &l2);
}

#endif
