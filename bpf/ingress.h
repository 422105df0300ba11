/* SPDX-License-Identifier: GPL-2.0-only */
/* XDP ingress: a matched TCP segment becomes the UDP datagram that it was, or is a control segment. */
#ifndef MIMIC_INGRESS_H
#define MIMIC_INGRESS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "core/rate.h"
#include "core/tcpopt.h"
#include "core/transform.h"
#include "context.h"
#include "flow.h"
#include "icmp_error.h"
#include "maps.h"
#include "syncookie.h"
#include "trace.h"

enum {
	INGRESS_CONTROL_MAX = 64, /* bytes of a control segment whose checksum is verified */
	INGRESS_PARTIAL_AGE = 255, /* more packets than are between XDP and TC ingress (NAPI takes 64 at once) */
	INGRESS_SUM_CHUNKS_MAX = 160, /* of WORK_SUM_CHUNK bytes: 10240, a jumbo frame */
	INGRESS_RESET_BURST = 128, /* RSTs to one host at once ... */
	INGRESS_RESETS_BURST = 256, /* ... and to all */
};

#define INGRESS_RESET_NS  (10 * NSEC_PER_MSEC) /* then one in so long to one host ... */
#define INGRESS_RESETS_NS NSEC_PER_MSEC	       /* ... and to all */

_Static_assert(INGRESS_CONTROL_MAX <= WORK_SUM_CHUNK, "control segments are summed in the chunk");

/* The Ethernet addresses of a reply to this frame, to w->l2. */
static __always_inline void ingress_macs(struct xdp_md *ctx, struct work *w)
{
	if (!config.ethernet)
		return;
	bpf_xdp_load_bytes(ctx, 6, &w->l2.bytes[0], 6);
	bpf_xdp_load_bytes(ctx, 0, &w->l2.bytes[6], 6);
	w->macs = 1;
}

/* What a reply to this frame begins with. */
static __always_inline void ingress_l2(struct xdp_md *ctx, struct work *w)
{
	__builtin_memset(&w->l2, 0, sizeof(w->l2));
	if (!config.ethernet)
		return;
	w->l2.len = w->pkt.l3_off > MIMIC_L2_MAX ? MIMIC_L2_MAX : w->pkt.l3_off;
	ingress_macs(ctx, w);
	if (w->pkt.l3_off == 22)
		bpf_xdp_load_bytes(ctx, 12, &w->l2.bytes[12], 10);
	else if (w->pkt.l3_off == 18)
		bpf_xdp_load_bytes(ctx, 12, &w->l2.bytes[12], 6);
	else
		bpf_xdp_load_bytes(ctx, 12, &w->l2.bytes[12], 2);
}

/*
 * Control segments are checked here: they never reach a socket. Data is checked by the UDP checksum that follows
 * from the segment's. A segment from this machine may hold the pseudo-header sum only.
 */
static __always_inline bool ingress_checksum_is_right(struct xdp_md *ctx, struct work *w)
{
	__u32 pseudo = csum_pseudo(&w->key.remote, &w->key.local, PROTO_TCP, w->pkt.l4_len);

	if (w->tcp.check == csum_fold(pseudo))
		return true;
	__builtin_memset(w->chunk, 0, sizeof(w->chunk));
	if (xdp_load(ctx, w->pkt.l4_off, w->chunk, w->pkt.l4_len, INGRESS_CONTROL_MAX))
		return false;
	return csum_fold(csum_add(pseudo, csum_words(w->chunk, WORK_SUM_CHUNK / 4))) == 0xffff;
}

static __always_inline bool ingress_read_options(struct xdp_md *ctx, struct work *w)
{
	if (xdp_load(ctx, w->pkt.l4_off + (__u32)TCP_HEADER_LEN, w->options, w->options_len, TCPOPT_MAX_LEN))
		return false;
	stage_end();
	return tcpopt_parse((const __u8 *)w->options, w->options_len, &w->seg.options);
}

/* Fills w->tcp and w->seg. False: no TCP header that makes sense. */
static __always_inline bool ingress_read(struct xdp_md *ctx, struct work *w)
{
	__u32 header_len;

	if (w->pkt.l4_off + (__u32)w->pkt.l4_len > (__u32)bpf_xdp_get_buff_len(ctx))
		return false;
	if (bpf_xdp_load_bytes(ctx, w->pkt.l4_off, &w->tcp, sizeof(w->tcp)))
		return false;
	header_len = (w->tcp.data_off >> 4) * 4U;
	if (header_len < TCP_HEADER_LEN || header_len > w->pkt.l4_len)
		return false;
	w->seg.seq = be32_to_host(w->tcp.seq);
	w->seg.ack = be32_to_host(w->tcp.ack);
	w->seg.window = be16_to_host(w->tcp.window);
	w->seg.flags = w->tcp.flags;
	w->seg.payload_len = (__u16)(w->pkt.l4_len - header_len);
	w->seg.options_ok = false;
	w->seg.damaged = false;
	w->options_len = (__u8)(header_len - TCP_HEADER_LEN);
	stage_end();
	if (w->tcp.flags & TCP_SYN)
		w->seg.options_ok = ingress_read_options(ctx, w);
	return true;
}

static __always_inline bool ingress_is_control(const struct segment *seg)
{
	return seg->flags & (TCP_SYN | TCP_RST | TCP_FIN) || (seg->payload_len <= 1 && !(seg->flags & TCP_PSH));
}

/*
 * A middlebox added options to a data segment: out with them. What lies in front of the TCP header moves up, so that
 * payload and tail stay where they are, and the frame begins later. The sum of the options goes to w->extra_sum.
 */
static __always_inline int ingress_cut_options(struct xdp_md *ctx, struct work *w)
{
	__u32 len = w->options_len;

	__builtin_memset(w->options, 0, sizeof(w->options));
	if (xdp_load(ctx, w->pkt.l4_off + (__u32)TCP_HEADER_LEN, w->options, len, TCPOPT_MAX_LEN))
		return -1;
	if (xdp_load(ctx, 0, w->front, w->pkt.l4_off, WORK_FRONT_MAX) ||
	    xdp_store(ctx, len, w->front, w->pkt.l4_off, WORK_FRONT_MAX) || bpf_xdp_adjust_head(ctx, (int)len))
		return -1;
	w->extra_sum = csum_words(w->options, TCPOPT_MAX_LEN / 4);
	return 0;
}

/* The sum of `len` bytes at `off`, fragments included, into w->payload_sum. As sum_skb(). False: unreadable. */
static __always_inline bool sum_xdp(struct xdp_md *ctx, struct work *w, __u32 off, __u32 len)
{
	__u32 total, left = len, pos = off;

	if (len > WORK_SUM_CHUNK * INGRESS_SUM_CHUNKS_MAX)
		return false;
	__builtin_memset(w->chunk, 0, sizeof(w->chunk));
	if (xdp_load(ctx, off + (len & ~(WORK_SUM_CHUNK - 1U)), w->chunk, len & (WORK_SUM_CHUNK - 1U), WORK_SUM_CHUNK))
		return false;
	total = csum_words(w->chunk, WORK_SUM_CHUNK / 4);
	for (__u32 i = 0; i < INGRESS_SUM_CHUNKS_MAX; i++) {
		if (left < WORK_SUM_CHUNK || bpf_xdp_load_bytes(ctx, pos, w->chunk, WORK_SUM_CHUNK))
			break;
		total = csum_add(total, csum_words(w->chunk, WORK_SUM_CHUNK / 4));
		pos += WORK_SUM_CHUNK;
		left -= WORK_SUM_CHUNK;
	}
	w->payload_sum = total;
	return true;
}

/* The pieces that move, and the UDP header. */
static __always_inline int ingress_plan(struct xdp_md *ctx, struct work *w)
{
	__builtin_memset(w->piece, 0, sizeof(w->piece));
	if (xdp_load(ctx, w->pkt.l4_off + (__u32)w->plan.piece_off, w->piece, w->plan.piece_len, TRANSFORM_PIECE_MAX))
		return -1;
	if (w->plan.padding) {
		__builtin_memset(w->padding, 0, sizeof(w->padding));
		if (xdp_load(ctx, w->pkt.l4_off + (__u32)TCP_HEADER_LEN, w->padding, w->plan.padding, PADDING_MAX))
			return -1;
		w->extra_sum = csum_add(w->extra_sum, csum_words(w->padding, PADDING_MAX / 4));
	}
	stage_end();
	w->plan.tcp_len = w->pkt.l4_len; /* as the checksum covers it, options included */
	w->udp.src_port = w->tcp.src_port;
	w->udp.dst_port = w->tcp.dst_port;
	w->udp.len = host_to_be16(UDP_HEADER_LEN + w->plan.payload_len);
	w->udp.check = transform_udp_check(&w->plan, &w->tcp, csum_words(w->piece, TRANSFORM_PIECE_MAX / 4),
					   w->extra_sum);
	return 0;
}

/* The UDP header, and the IP header: lengths, protocol, IPv4 header checksum. */
static __always_inline bool ingress_write(struct xdp_md *ctx, const struct work *w)
{
	__u8 *data = xdp_data(ctx), *end = xdp_end(ctx);
	__u8 *l3 = data + w->pkt.l3_off, *l4 = data + w->pkt.l4_off, *proto = data + w->pkt.proto_off;
	__u16 shrink = (__u16)(w->pkt.l4_len - UDP_HEADER_LEN - w->plan.payload_len);

	if (l4 + sizeof(w->udp) > end || proto + 1 > end || l3 + sizeof(struct ipv6hdr) > end)
		return false;
	__builtin_memcpy(l4, &w->udp, sizeof(w->udp));
	*proto = PROTO_UDP;
	if (w->pkt.ipv6) {
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

/*
 * Cuts off what the segment had more, for GRO's sake, which merges no padded frames. Elsewhere it stays as padding, and
 * the IP stack trims it by the length in the header (ip_rcv_core(), ip6_rcv_core()), since the kernel's own
 * bookkeeping after a shrink is wrong in two cases (6.18 and before):
 * - generic XDP sets skb->tail too far by the length of the L2 header (bpf_prog_run_generic_xdp()); a tunnel's inner
 *   TCP then received stale bytes in the middle of its stream when it merged segments;
 * - with fragments veth_xdp_rcv_skb() corrects skb->data_len but not skb->len.
 */
static __always_inline int ingress_trim(struct xdp_md *ctx, const struct work *w)
{
	__u32 frame_len = w->pkt.l4_off + (__u32)UDP_HEADER_LEN + w->plan.payload_len;
	__u32 buff_len = (__u32)bpf_xdp_get_buff_len(ctx);

	if (!*(const volatile __u32 *)&shared.xdp_native)
		return 0;
	if (buff_len != (__u32)((__u64)xdp_end(ctx) - (__u64)xdp_data(ctx)))
		return 0;
	return (int)bpf_xdp_adjust_tail(ctx, (int)(frame_len - buff_len));
}

static __always_inline int ingress_restore(struct xdp_md *ctx, struct work *w)
{
	w->extra_sum = 0;
	if (w->options_len && ingress_cut_options(ctx, w))
		return -1;
	transform_plan_make(&w->plan, (__u16)(w->seg.payload_len - w->eff.padding), w->eff.padding);
	stage_end();
	if (ingress_plan(ctx, w))
		return -1;
	stage_end();
	if (!ingress_write(ctx, w))
		return -1;
	stage_end();
	if (xdp_store(ctx, w->pkt.l4_off + (__u32)UDP_HEADER_LEN, w->piece, w->plan.piece_len, TRANSFORM_PIECE_MAX))
		return -1;
	stage_end();
	return ingress_trim(ctx, w);
}

/*
 * Sums up data whose checksum cannot be taken as it is. One from this machine may hold the pseudo-header sum only: it is
 * completed (in w->tcp). And where the segment is not the next in order, which is rare, it is verified: the numbers of
 * a damaged one would lead ours astray, and what we acknowledge then, the peer has never sent.
 */
static __always_inline void ingress_sum_data(struct xdp_md *ctx, struct work *w, const struct mimic_conn *value)
{
	__u32 sum;

	w->partial = transform_is_partial(&w->key.remote, &w->key.local, PROTO_TCP, w->pkt.l4_len, w->tcp.check);
	if (!w->partial && w->seg.seq == *(const volatile __u32 *)&value->c.rcv_nxt)
		return;
	w->seg.damaged = !sum_xdp(ctx, w, w->pkt.l4_off, w->pkt.l4_len);
	stage_end();
	sum = csum_add(csum_pseudo(&w->key.remote, &w->key.local, PROTO_TCP, w->pkt.l4_len), w->payload_sum);
	if (w->partial)
		w->tcp.check = (__u16)~csum_fold(csum_sub(sum, w->tcp.check));
	else
		w->seg.damaged |= csum_fold(sum) != 0xffff;
}

/*
 * Whether the Ethernet addresses of this frame are those of the peer from now on: whoever has the address now begins anew, and
 * of several who begin the one who acknowledges our number is the peer. (A plain SYN-ACK, where nobody else began, changes nothing: ours
 * are those of a datagram. VLAN tags stay: native XDP does not see one that the NIC took off.) Locked; after conn_ingress().
 */
static __always_inline bool ingress_has_moved(const struct work *w, const struct mimic_conn *value, bool crossed)
{
	if (!w->macs)
		return false;
	if ((w->seg.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		return w->eff.reply[0].flags && value->c.state == CONN_SYN_RECEIVED;
	return w->eff.notify & NOTIFY_ESTABLISHED && (crossed || !(w->seg.flags & TCP_SYN));
}

/*
 * Whether a RST may go, by the limits for its receiver and for all; only one that goes is paid for. A host that has lost all its
 * connections has to tell each of them; who sends in the name of another shall not get much at it. What one costs all is a matter of
 * chance: who counts those that he gets cannot tell whether another went to somebody else (the side channel of CVE-2016-5696).
 */
static __always_inline bool ingress_may_reset(const struct work *w)
{
	static __u64 all_paid_ns;
	__u64 now_ns = w->env.now_ns, first_ns = 0, *paid_ns;

	paid_ns = bpf_map_lookup_elem(&resets, &w->key.remote);
	if (!paid_ns) {
		bpf_map_update_elem(&resets, &w->key.remote, &first_ns, BPF_ANY);
		paid_ns = bpf_map_lookup_elem(&resets, &w->key.remote);
	}
	if (!paid_ns || !rate_may(paid_ns, now_ns, INGRESS_RESET_NS, INGRESS_RESET_BURST) ||
	    !rate_may(&all_paid_ns, now_ns, INGRESS_RESETS_NS, INGRESS_RESETS_BURST))
		return false;
	rate_pay(paid_ns, now_ns, INGRESS_RESET_NS);
	rate_pay(&all_paid_ns, now_ns, bpf_get_prandom_u32() % (2 * INGRESS_RESETS_NS));
	return true;
}

/* The answer to a segment of no connection, or of one that has ended or only begins. */
static __always_inline void ingress_limit_resets(struct work *w)
{
	if (w->eff.reply[0].flags != TCP_RST || ingress_may_reset(w))
		return;
	w->eff.reply[0].flags = 0;
	count(REASON_DROP_RESET_LIMIT);
}

/* The connection decides. */
static __always_inline int ingress_flow(struct xdp_md *ctx, struct work *w, struct mimic_conn *value)
{
	bool crossed;

	__builtin_memset(&w->eff, 0, sizeof(w->eff));
	w->partial = 0;
	if (!ingress_is_control(&w->seg))
		ingress_sum_data(ctx, w, value);
	stage_end();
	if (!flow_lock(value, &w->key)) {
		count(REASON_DROP_CONN_ENDED);
		return XDP_DROP;
	}
	crossed = value->c.simultaneous;
	conn_ingress(&value->c, &w->env, &w->seg, &w->eff);
	if (ingress_has_moved(w, value, crossed))
		__builtin_memcpy(value->l2.bytes, w->l2.bytes, 2 * ETH_ALEN);
	w->window_scale = conn_window_scale(&value->c);
	if (w->eff.notify || w->eff.reply[0].flags)
		w->l2 = value->l2;
	w->flow_label = value->flow_label;
	flow_unlock(value);
	stage_end();
	ingress_limit_resets(w);
	stage_end();
	w->mtu = 0;
	flow_tell(w, &w->l2);
	flow_count(w);
	stage_end();
	trace(w, TRACE_IN);
	stage_end();
	if (w->eff.remove)
		bpf_map_delete_elem(&conns, &w->key);
	if (w->eff.verdict != VERDICT_PASS)
		return XDP_DROP;
	if (ingress_restore(ctx, w)) {
		flow_drop(w, value, REASON_DROP_RX_RESTORE);
		return XDP_DROP;
	}
	if (w->partial) {
		value->rx_partial = INGRESS_PARTIAL_AGE;
		*(volatile __u64 *)&shared.partial_ns = w->env.now_ns;
	} else if (value->rx_partial) {
		value->rx_partial--;
	}
	return XDP_PASS;
}

/*
 * GRO in front of generic XDP, or TSO on a veth pair, made one packet of several segments, and nobody can tell any more where
 * they began. One that is no longer than the MTU is told by TC ingress (repair.h).
 */
static __always_inline bool ingress_is_merged(const struct work *w)
{
	return !*(const volatile __u32 *)&shared.xdp_native &&
	       w->pkt.l4_off - w->pkt.l3_off + (__u32)w->pkt.l4_len > *(const volatile __u32 *)&shared.mtu;
}

static __always_inline struct mimic_conn *ingress_create(struct work *w)
{
	struct mimic_conn *value = flow_create(w, false);

	if (!value)
		count(REASON_DROP_NO_CONN);
	return value;
}

/* The peer acknowledges a cookie. */
static __always_inline struct mimic_conn *ingress_recall(struct work *w)
{
	struct mimic_conn *value = ingress_create(w);

	if (!value)
		return NULL;
	if (!flow_lock(value, &w->key)) {
		count(REASON_DROP_CONN_ENDED);
		return NULL;
	}
	if (value->c.state == CONN_IDLE) {
		conn_recall_syn(&value->c, &w->env, &w->seg);
		__sync_fetch_and_add(&shared.half_open, 1);
	}
	flow_unlock(value);
	count(REASON_RX_COOKIE);
	return value;
}

/*
 * A matched segment without a connection: a SYN begins one, the rest is answered by RST. NULL: the verdict, which is
 * XDP_DROP at first, is said.
 */
static __always_inline struct mimic_conn *ingress_unknown(struct xdp_md *ctx, struct work *w, int *verdict)
{
	__builtin_memset(&w->eff, 0, sizeof(w->eff));
	if (conn_unknown(&w->settings, &w->seg, &w->eff)) {
		if (!syncookie_flood())
			return ingress_create(w);
		*verdict = syncookie_answer(ctx, w);
		return NULL;
	}
	w->mtu = 0;
	w->window_scale = 0;
	w->flow_label = 0;
	ingress_limit_resets(w);
	flow_tell(w, &w->l2);
	flow_count(w);
	stage_end();
	trace(w, TRACE_IN);
	return NULL;
}

/* value: NULL, and w->settings is set, when the connection is unknown. */
static __always_inline int ingress_matched(struct xdp_md *ctx, struct work *w, struct mimic_conn *value)
{
	int verdict = XDP_DROP;

	if (!ingress_read(ctx, w)) {
		count(REASON_DROP_MALFORMED);
		return XDP_DROP;
	}
	if (ingress_is_merged(w)) {
		count(REASON_DROP_RX_MERGED);
		return XDP_DROP;
	}
	stage_end();
	if (ingress_is_control(&w->seg) && w->pkt.l4_len > INGRESS_CONTROL_MAX) {
		count(REASON_DROP_MALFORMED);
		return XDP_DROP;
	}
	if (ingress_is_control(&w->seg) && !ingress_checksum_is_right(ctx, w)) {
		flow_drop(w, value, REASON_DROP_RX_CHECKSUM);
		return XDP_DROP;
	}
	flow_env(&w->env);
	w->macs = 0;
	stage_end();
	/* (An idle entry may have come from a datagram that a passive side wanted to send.) */
	if (!value || *(const volatile __u8 *)&value->c.state == CONN_IDLE) {
		ingress_l2(ctx, w);
		stage_end();
		if (value) {
			w->settings = value->c.settings;
			w->filter = value->filter; /* should it be made anew */
		}
		stage_end();
		if (syncookie_is_acknowledged(w))
			value = ingress_recall(w);
		else if (!value)
			value = ingress_unknown(ctx, w, &verdict);
	} else if (w->seg.flags & TCP_SYN || *(const volatile __u8 *)&value->c.state != CONN_ESTABLISHED) {
		ingress_macs(ctx, w);
	}
	stage_end();
	return value ? ingress_flow(ctx, w, value) : verdict;
}

/*
 * A segment that no filter is for, which begins a connection, and it is time to tell of one again. Nearly all segments end at
 * the flags: only for a SYN the clock is read.
 */
static __always_inline bool ingress_is_stray(struct xdp_md *ctx, const struct packet *pkt)
{
	const struct tcp_header *tcp = xdp_data(ctx) + pkt->l4_off;

	if ((const void *)(tcp + 1) > xdp_end(ctx) || (tcp->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN)
		return false;
	return conn_age(bpf_ktime_get_coarse_ns(), *(const volatile __u64 *)&shared.stray_ns) >= MIMIC_STRAY_NS;
}

/* (Two CPUs at the same time tell of two.) */
static __always_inline void ingress_tell_stray(const struct work *w)
{
	struct mimic_stray *stray;

	*(volatile __u64 *)&shared.stray_ns = bpf_ktime_get_coarse_ns();
	stray = bpf_ringbuf_reserve(&events, sizeof(*stray), 0);
	if (!stray)
		return; /* it comes again, or was of no weight */
	stray->key = w->key;
	bpf_ringbuf_submit(stray, 0);
}

/* UDP that a peer sends as it is: dropped where the filter of its flow says so. */
static __always_inline int ingress_udp(struct xdp_md *ctx, const struct packet *pkt)
{
	struct work *w;

	if (pkt->later_fragment || !ports_are_wanted(pkt->dst_port, pkt->src_port))
		return XDP_PASS;
	w = work_area(WORK_INGRESS);
	if (!w || !parse_addresses(xdp_data(ctx), xdp_end(ctx), pkt, &w->key.remote, &w->key.local))
		return XDP_PASS;
	w->key.remote_port = pkt->src_port;
	w->key.local_port = pkt->dst_port;
	if (!flow_filter(w, false) || w->settings.udp != UDP_DROP)
		return XDP_PASS;
	count(REASON_DROP_RX_UDP);
	return XDP_DROP;
}

static __always_inline int ingress(struct xdp_md *ctx)
{
	struct mimic_conn *value = NULL;
	struct packet pkt = {};
	struct work *w;
	bool wanted;

	if (parse_packet(xdp_data(ctx), xdp_end(ctx), config.ethernet, &pkt) != PARSE_OK)
		return icmp_error_is_possible(&pkt) ? icmp_error(ctx, &pkt) : XDP_PASS;
	if (pkt.proto == PROTO_UDP && *(const volatile __u32 *)&shared.udp_drops)
		return ingress_udp(ctx, &pkt);
	if (pkt.proto != PROTO_TCP || pkt.later_fragment)
		return XDP_PASS;
	wanted = ports_are_wanted(pkt.dst_port, pkt.src_port);
	if (!wanted && !ingress_is_stray(ctx, &pkt))
		return XDP_PASS;
	w = work_area(WORK_INGRESS);
	if (!w)
		return XDP_PASS;
	w->pkt = pkt;
	stage_end();
	if (!parse_addresses(xdp_data(ctx), xdp_end(ctx), &w->pkt, &w->key.remote, &w->key.local))
		return XDP_PASS;
	stage_end();
	w->key.remote_port = w->pkt.src_port;
	w->key.local_port = w->pkt.dst_port;
	if (wanted)
		value = bpf_map_lookup_elem(&conns, &w->key);
	if (!value && (!wanted || !flow_filter(w, false))) {
		if (ingress_is_stray(ctx, &w->pkt))
			ingress_tell_stray(w);
		return XDP_PASS;
	}
	/* The others would wait for it in vain: the host's TCP must not get to see the whole, which it would answer by a RST. */
	if (w->pkt.fragment) {
		count(REASON_DROP_RX_FRAGMENT);
		return XDP_DROP;
	}
	return ingress_matched(ctx, w, value);
}

#endif
