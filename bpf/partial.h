/* SPDX-License-Identifier: GPL-2.0-only */
/* Takes a packet out of the state CHECKSUM_PARTIAL without a kernel module. */
#ifndef MIMIC_PARTIAL_H
#define MIMIC_PARTIAL_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "core/parse.h"

enum {
	PARTIAL_CLEAR_MAX = 96, /* bytes moved aside by partial_clear() */
};

/* Whether partial_clear() works on it: the kernel wants IP right behind Ethernet, we a bounded header. */
static __always_inline bool partial_can_clear(const struct packet *pkt)
{
	return pkt->l3_off <= sizeof(struct ethhdr) && pkt->l4_off + 2 <= PARTIAL_CLEAR_MAX;
}

/*
 * CHECKSUM_PARTIAL becomes CHECKSUM_NONE: removing the bytes between the IP header and behind the L4 header makes
 * csum_start point in front of the data, where __skb_postpull_rcsum() (net/core/skbuff.c, kernel 6.1.5 and later)
 * gives it up. The caller writes a complete checksum afterwards. Nothing else of the packet changes; it may
 * get longer when it is short, which the caller's last bpf_skb_change_tail() undoes.
 * saved: PARTIAL_CLEAR_MAX bytes to work with.
 */
static __always_inline int partial_clear(struct __sk_buff *skb, const struct packet *pkt, __u8 *saved)
{
	__u32 base = pkt->l3_off + (pkt->ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
	__u32 room = pkt->l4_off + 2U;
	int err;

	if (room > PARTIAL_CLEAR_MAX || room < 2)
		return -1;
	/* The kernel wants an IP header left over after the shrink. */
	if (skb->len < base + room + sizeof(struct ipv6hdr)) {
		err = bpf_skb_change_tail(skb, base + room + sizeof(struct ipv6hdr), 0);
		if (err)
			return err;
	}
	err = skb_load(skb, base, saved, room, PARTIAL_CLEAR_MAX);
	if (err)
		return err;
	err = bpf_skb_adjust_room(skb, -(__s32)room, BPF_ADJ_ROOM_NET, BPF_F_ADJ_ROOM_NO_CSUM_RESET);
	if (err)
		return err;
	err = bpf_skb_adjust_room(skb, (__s32)room, BPF_ADJ_ROOM_NET, BPF_F_ADJ_ROOM_NO_CSUM_RESET);
	if (err)
		return err;
	return skb_store(skb, base, saved, room, PARTIAL_CLEAR_MAX);
}

#endif
