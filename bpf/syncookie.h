/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Against floods of SYNs: with too many half-open connections a SYN is answered by a kernel SYN cookie, without state and
 * without the daemon. The answer is the frame of the SYN itself, turned round by XDP. Generic XDP sends it by XDP_TX. Native
 * XDP leaves that to TC ingress, which works with every driver and keeps VLAN tags beside the packet (XDP_TX does neither).
 *
 * A cookie carries the peer's number and a notion of its MSS, no window scale: CONN_WINDOW_SCALE is what Mimic has.
 */
#ifndef MIMIC_SYNCOOKIE_H
#define MIMIC_SYNCOOKIE_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "core/tcpopt.h"
#include "core/transform.h"
#include "flow.h"
#include "maps.h"
#include "partial.h"

#define SYNCOOKIE_VALID_NS (120 * NSEC_PER_SEC) /* MAX_SYNCOOKIE_AGE times TCP_SYNCOOKIE_PERIOD, include/net/tcp.h */

enum {
	SYNCOOKIE_TTL = 64,
};

static __always_inline bool syncookie_flood(void)
{
	return flow_half_open() >= MIMIC_HALF_OPEN_MAX;
}

/* Whether cookies are about. */
static __always_inline bool syncookie_in_use(__u64 now_ns)
{
	__u64 last_ns = *(const volatile __u64 *)&shared.cookie_ns;

	return config.syncookies && last_ns && conn_age(now_ns, last_ns) < SYNCOOKIE_VALID_NS;
}

/* The helpers look at addresses, ports, numbers and the length of the header (net/core/filter.c). */
static __always_inline __s64 syncookie_make(const struct work *w, struct tcp_header *tcp)
{
	if (w->pkt.ipv6) {
		struct ipv6hdr ip = {};

		__builtin_memcpy(&ip.saddr, &w->key.remote, sizeof(ip.saddr));
		__builtin_memcpy(&ip.daddr, &w->key.local, sizeof(ip.daddr));
		return bpf_tcp_raw_gen_syncookie_ipv6(&ip, (void *)tcp, sizeof(*tcp));
	} else {
		struct iphdr ip = { .saddr = w->key.remote.word[3], .daddr = w->key.local.word[3] };

		return bpf_tcp_raw_gen_syncookie_ipv4(&ip, (void *)tcp, sizeof(*tcp));
	}
}

static __always_inline bool syncookie_check(const struct work *w, struct tcp_header *tcp)
{
	if (w->pkt.ipv6) {
		struct ipv6hdr ip = {};

		__builtin_memcpy(&ip.saddr, &w->key.remote, sizeof(ip.saddr));
		__builtin_memcpy(&ip.daddr, &w->key.local, sizeof(ip.daddr));
		return !bpf_tcp_raw_check_syncookie_ipv6(&ip, (void *)tcp);
	} else {
		struct iphdr ip = { .saddr = w->key.remote.word[3], .daddr = w->key.local.word[3] };

		return !bpf_tcp_raw_check_syncookie_ipv4(&ip, (void *)tcp);
	}
}

/* The IP header of the answer: its length stays, everything else is new. */
static __always_inline int syncookie_write_ip(struct xdp_md *ctx, const struct work *w)
{
	__u16 l4_len = w->pkt.l4_len;

	if (w->pkt.ipv6) {
		struct ipv6hdr ip = {
			.version = 6, .payload_len = host_to_be16(l4_len), .nexthdr = PROTO_TCP, .hop_limit = SYNCOOKIE_TTL,
		};

		__builtin_memcpy(&ip.saddr, &w->key.local, sizeof(ip.saddr));
		__builtin_memcpy(&ip.daddr, &w->key.remote, sizeof(ip.daddr));
		return (int)bpf_xdp_store_bytes(ctx, w->pkt.l3_off, &ip, sizeof(ip));
	} else {
		union {
			struct iphdr ip;
			__u32 words[sizeof(struct iphdr) / 4];
		} header = {
			.ip = {
				.version = 4,
				.ihl = sizeof(struct iphdr) / 4,
				.tot_len = host_to_be16(sizeof(struct iphdr) + l4_len),
				.frag_off = host_to_be16(IP4_DF),
				.ttl = SYNCOOKIE_TTL,
				.protocol = PROTO_TCP,
				.saddr = w->key.local.word[3],
				.daddr = w->key.remote.word[3],
			},
		};

		header.ip.check = (__u16)~csum_fold(csum_words(header.words, sizeof(header.words) / 4));
		return (int)bpf_xdp_store_bytes(ctx, w->pkt.l3_off, &header.ip, sizeof(header.ip));
	}
}

/* MACs, IP header, TCP header, options. The SYN's options are overwritten by ours; what they had more is "end of list". */
static __always_inline int syncookie_write(struct xdp_md *ctx, struct work *w)
{
	union {
		struct tcp_header tcp;
		__u32 words[sizeof(struct tcp_header) / 4];
	} header = { .tcp = w->tcp };
	__u32 pseudo = csum_pseudo(&w->key.local, &w->key.remote, PROTO_TCP, w->pkt.l4_len), sum;

	sum = csum_add(pseudo, csum_words(header.words, sizeof(header.words) / 4));
	sum = csum_add(sum, csum_words(w->options, TCPOPT_MAX_LEN / 4));
	/* Generic XDP: the device will complete it, as it would have completed the SYN's. */
	header.tcp.check = w->partial && !*(const volatile __u32 *)&shared.xdp_native ? csum_fold(pseudo) : (__u16)~csum_fold(sum);
	if (config.ethernet && bpf_xdp_store_bytes(ctx, 0, w->l2.bytes, 12))
		return -1;
	if (syncookie_write_ip(ctx, w) ||
	    bpf_xdp_store_bytes(ctx, w->pkt.l4_off, &header.tcp, sizeof(header.tcp)))
		return -1;
	return xdp_store(ctx, w->pkt.l4_off + (__u32)TCP_HEADER_LEN, w->options, w->options_len, TCPOPT_MAX_LEN);
}

/*
 * Turns the SYN of `w` into its own SYN-ACK. What no Mimic sends (IP options, extension headers, data, no room for the options
 * of an answer) is dropped, as is everything where the kernel has no cookies.
 */
static __always_inline int syncookie_answer(struct xdp_md *ctx, struct work *w)
{
	__u32 ip_len = w->pkt.ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	__u16 mss = (__u16)(*(const volatile __u32 *)&shared.mtu - ip_len - TCP_HEADER_LEN);
	struct tcp_header tcp = w->tcp;
	__s64 cookie;

	if (!config.syncookies || w->pkt.l4_off - w->pkt.l3_off != ip_len || w->seg.payload_len ||
	    w->options_len < TCPOPT_SYN_LEN) {
		count(REASON_DROP_HALF_OPEN);
		return XDP_DROP;
	}
	tcp.data_off = sizeof(tcp) / 4 << 4; /* no options: the MSS is of no interest */
	cookie = syncookie_make(w, &tcp);
	if (cookie < 0) {
		count(REASON_DROP_HALF_OPEN);
		return XDP_DROP;
	}
	*(volatile __u64 *)&shared.cookie_ns = w->env.now_ns;
	w->partial = transform_is_partial(&w->key.remote, &w->key.local, PROTO_TCP, w->pkt.l4_len, w->tcp.check);
	tcp_header_make(&w->tcp, w->key.local_port, w->key.remote_port, (__u32)cookie, w->seg.seq + 1, TCP_SYN | TCP_ACK,
			w->settings.max_window ? (__u16)CONN_WINDOW_UNSCALED : tcpopt_syn_window(mss));
	w->tcp.data_off = (__u8)((TCP_HEADER_LEN + w->options_len) / 4 << 4);
	__builtin_memset(w->options, 0, sizeof(w->options));
	tcpopt_make_syn((__u8 *)w->options, mss, w->settings.max_window ? CONN_WINDOW_SCALE_MAX : CONN_WINDOW_SCALE);
	stage_end();
	if (syncookie_write(ctx, w)) {
		count(REASON_DROP_HALF_OPEN);
		return XDP_DROP;
	}
	count(REASON_TX_COOKIE);
	return *(const volatile __u32 *)&shared.xdp_native ? XDP_PASS /* to syncookie_send() */ : XDP_TX;
}

/* Whether the segment in `w`, of an unknown connection, acknowledges a cookie of ours. */
static __always_inline bool syncookie_is_acknowledged(const struct work *w)
{
	struct tcp_header tcp = w->tcp;

	if ((w->seg.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_ACK || !syncookie_in_use(w->env.now_ns))
		return false;
	tcp.data_off = sizeof(tcp) / 4 << 4;
	return syncookie_check(w, &tcp);
}

/*
 * TC ingress, w->pkt is TCP: a SYN-ACK that carries a cookie of ours is an answer of syncookie_answer(), on its way out; nobody
 * else can make one. hidden: the Ethernet header is in front of skb->data.
 */
static __always_inline int syncookie_send(struct __sk_buff *skb, struct work *w, bool hidden)
{
	const struct tcp_header *tcp = skb_data(skb) + w->pkt.l4_off;
	struct tcp_header ack;
	__u32 len = skb->len;

	if ((void *)(tcp + 1) > skb_end(skb) || tcp->flags != (TCP_SYN | TCP_ACK))
		return TC_ACT_UNSPEC;
	/* The ACK that the peer would give it. */
	tcp_header_make(&ack, tcp->dst_port, tcp->src_port, be32_to_host(tcp->ack), be32_to_host(tcp->seq) + 1, TCP_ACK, 0);
	if (!parse_addresses(skb_data(skb), skb_end(skb), &w->pkt, &w->key.local, &w->key.remote))
		return TC_ACT_UNSPEC;
	stage_end();
	w->key.local_port = w->pkt.src_port;
	w->key.remote_port = w->pkt.dst_port;
	if (!flow_filter(w, true) || !syncookie_check(w, &ack))
		return TC_ACT_UNSPEC;
	if (hidden) { /* it cannot be got back; native XDP does not lose it */
		count(REASON_DROP_HALF_OPEN);
		return TC_ACT_SHOT;
	}
	/* A SYN from this machine may have come with an open checksum; the answer's is complete. */
	if (partial_is_possible(skb) && partial_can_clear(&w->pkt) &&
	    (partial_clear(skb, &w->pkt, w->front, 0) || (skb->len != len && bpf_skb_change_tail(skb, len, 0)))) {
		count(REASON_DROP_HALF_OPEN);
		return TC_ACT_SHOT;
	}
	return (int)bpf_redirect(config.ifindex, 0);
}

#endif
