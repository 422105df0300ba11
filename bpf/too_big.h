/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A datagram that would not fit the MTU as a TCP segment: dropped and counted; a sender that asked not to fragment
 * (IPv4 with DF, IPv6) is told the path MTU as a router would: ICMP "fragmentation needed" (RFC 792, RFC 1191) or ICMPv6
 * "packet too big" (RFC 4443 3.2), made of the datagram itself and sent to the interface's ingress. Its source is
 * the datagram's destination, since one with a local source is dropped as martian.
 */
#ifndef MIMIC_TOO_BIG_H
#define MIMIC_TOO_BIG_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "checksum.h"
#include "core/icmp.h"
#include "flow.h"
#include "maps.h"

enum {
	TOO_BIG_QUOTE = UDP_HEADER_LEN, /* bytes of L4 that are quoted */
	TOO_BIG_IPV6_MIN = 1280,	/* RFC 8200 section 5: nobody has to send less */
	TOO_BIG_TTL = 64,
};

struct too_big_ipv4 {
	struct iphdr ip;
	struct icmp_header icmp;
};

struct too_big_ipv6 {
	struct ipv6hdr ip;
	struct icmp_header icmp;
};

/* One message in a millisecond is enough for any sender, and bounds what a flood costs. */
static __always_inline bool too_big_may_tell(void)
{
	static volatile __u64 last_ns;
	__u64 now_ns = bpf_ktime_get_coarse_ns();

	if (conn_age(now_ns, last_ns) < NSEC_PER_MSEC)
		return false;
	last_ns = now_ns;
	return true;
}

static __always_inline int too_big_ipv4(struct __sk_buff *skb, const struct work *w, __u32 quoted)
{
	struct too_big_ipv4 head = {
		.ip = {
			.version = 4,
			.ihl = sizeof(head.ip) / 4,
			.tot_len = host_to_be16((__u16)(sizeof(head) + quoted)),
			.ttl = TOO_BIG_TTL,
			.protocol = PROTO_ICMP,
			.saddr = w->key.remote.word[3],
			.daddr = w->key.local.word[3],
		},
		.icmp = { .type = ICMP4_UNREACHABLE, .code = ICMP4_CODE_TOO_BIG, .mtu = host_to_be16(w->mtu) },
	};
	__u32 sum = csum_add(w->payload_sum, csum_words((const __u32 *)&head.icmp, sizeof(head.icmp) / 4));

	head.ip.check = (__u16)~csum_fold(csum_words((const __u32 *)&head.ip, sizeof(head.ip) / 4));
	head.icmp.check = (__u16)~csum_fold(sum);
	if (bpf_skb_adjust_room(skb, sizeof(head), BPF_ADJ_ROOM_MAC, 0))
		return -1;
	return (int)bpf_skb_store_bytes(skb, w->pkt.l3_off, &head, sizeof(head), 0);
}

static __always_inline int too_big_ipv6(struct __sk_buff *skb, const struct work *w, __u32 quoted)
{
	__u16 len = (__u16)(sizeof(struct icmp_header) + quoted);
	struct too_big_ipv6 head = {
		.ip = {
			.version = 6,
			.payload_len = host_to_be16(len),
			.nexthdr = PROTO_ICMPV6,
			.hop_limit = TOO_BIG_TTL,
		},
		.icmp = { .type = ICMP6_TOO_BIG, .mtu = host_to_be16(w->mtu) },
	};
	__u32 sum = csum_add(w->payload_sum, csum_words((const __u32 *)&head.icmp, sizeof(head.icmp) / 4));

	__builtin_memcpy(&head.ip.saddr, &w->key.remote, sizeof(head.ip.saddr));
	__builtin_memcpy(&head.ip.daddr, &w->key.local, sizeof(head.ip.daddr));
	sum = csum_add(sum, csum_pseudo(&w->key.remote, &w->key.local, PROTO_ICMPV6, len));
	head.icmp.check = (__u16)~csum_fold(sum);
	if (bpf_skb_adjust_room(skb, sizeof(head), BPF_ADJ_ROOM_MAC, 0))
		return -1;
	return (int)bpf_skb_store_bytes(skb, w->pkt.l3_off, &head, sizeof(head), 0);
}

/* To ourselves: the message comes from where the datagram was to go. */
static __always_inline int too_big_turn(struct __sk_buff *skb)
{
	__u8 macs[12], turned[12];

	if (!config.ethernet)
		return 0;
	if (bpf_skb_load_bytes(skb, 0, macs, sizeof(macs)))
		return -1;
	__builtin_memcpy(turned, &macs[6], 6);
	__builtin_memcpy(&turned[6], macs, 6);
	return (int)bpf_skb_store_bytes(skb, 0, turned, sizeof(turned), 0);
}

/* Makes the message about w->mtu of the datagram. 0 or a negative value. */
static __always_inline int too_big_answer(struct __sk_buff *skb, struct work *w)
{
	__u32 quoted = w->pkt.l4_off - w->pkt.l3_off + (__u32)TOO_BIG_QUOTE;

	if (bpf_skb_change_tail(skb, w->pkt.l4_off + (__u32)TOO_BIG_QUOTE, 0))
		return -1;
	if (!sum_skb(skb, w, w->pkt.l3_off, quoted, SUM_CHUNKS_HEADERS))
		return -1;
	stage_end();
	quoted = w->pkt.l4_off - w->pkt.l3_off + (__u32)TOO_BIG_QUOTE;
	if (w->pkt.ipv6 ? too_big_ipv6(skb, w, quoted) : too_big_ipv4(skb, w, quoted))
		return -1;
	return too_big_turn(skb);
}

/* value: the connection, NULL where there is none yet. */
static __always_inline int too_big(struct __sk_buff *skb, struct work *w, struct mimic_conn *value)
{
	w->mtu = (__u16)(*(const volatile __u32 *)&shared.mtu - TRANSFORM_GROWTH - w->padding_max);
	flow_drop(w, value, REASON_DROP_TOO_BIG);
	stage_end();
	if (!too_big_may_tell())
		return TC_ACT_SHOT;
	__builtin_memset(&w->eff, 0, sizeof(w->eff));
	__builtin_memset(&w->l2, 0, sizeof(w->l2));
	w->eff.notify = NOTIFY_TOO_BIG;
	flow_tell(w, &w->l2);
	if (!w->pkt.dont_fragment || (w->pkt.ipv6 && w->mtu < TOO_BIG_IPV6_MIN) ||
	    w->pkt.l3_off > sizeof(struct ethhdr))
		return TC_ACT_SHOT;
	stage_end();
	if (too_big_answer(skb, w))
		return TC_ACT_SHOT;
	count(REASON_TX_TOO_BIG_SENT);
	return (int)bpf_redirect(config.ifindex, BPF_F_INGRESS);
}

#endif
