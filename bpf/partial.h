/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Open checksums, which the device is to complete (CHECKSUM_PARTIAL). Level kfunc asks mimic.ko about them, and lets it move
 * them to where TCP has its checksum; without the module, packets are taken out of that state.
 */
#ifndef MIMIC_PARTIAL_H
#define MIMIC_PARTIAL_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifndef MIMIC_PLAIN
#include <bpf/bpf_core_read.h>
#endif

#include "context.h"
#include "core/parse.h"
#include "core/transform.h"
#include "maps.h"

#ifndef MIMIC_PLAIN
#include "mimic_kfunc.h"
#endif

enum partial {
	PARTIAL_NONE,
	PARTIAL_OPEN,  /* the checksum of the L4 header */
	PARTIAL_OTHER, /* another one, as that of the packet inside a tunnel's; only the module tells */
};

enum {
	PARTIAL_CHECK_UDP = offsetof(struct udp_header, check),
	PARTIAL_CHECK_TCP = offsetof(struct tcp_header, check),
};

enum {
	PARTIAL_CLEAR_MAX = 96, /* bytes moved aside by partial_clear() */
};

/*
 * Whether the kernel may be about to complete a checksum of this packet. Where it cannot be asked (before 6.2, or without
 * kernel BTF) the answer is yes, and the caller goes by what stands in the checksum field; once in 65536 packets that
 * is taken for open although it is complete.
 */
#ifdef MIMIC_PLAIN
static __always_inline bool partial_is_possible(struct __sk_buff *skb)
{
	return true;
}
#else
struct sk_buff {
	__u8 ip_summed : 2;
} __attribute__((preserve_access_index));

extern void *bpf_cast_to_kern_ctx(void *obj) __ksym __weak;

static __always_inline bool partial_is_possible(struct __sk_buff *skb)
{
	enum { CHECKSUM_PARTIAL = 3 }; /* include/linux/skbuff.h */
	struct sk_buff *kernel_skb;

	if (!bpf_cast_to_kern_ctx)
		return true;
	kernel_skb = bpf_cast_to_kern_ctx(skb);
	return BPF_CORE_READ_BITFIELD(kernel_skb, ip_summed) == CHECKSUM_PARTIAL;
}
#endif

/*
 * Level kfunc. Only behind partial_has_module(), a constant for the verifier, may the others be called; check is where the
 * open field is or was, PARTIAL_CHECK_UDP or PARTIAL_CHECK_TCP.
 */
#ifdef MIMIC_PLAIN
static __always_inline bool partial_has_module(void)
{
	return false;
}

static __always_inline enum partial partial_ask_module(struct __sk_buff *skb, __u32 l4_off, __u32 check)
{
	return PARTIAL_NONE;
}

static __always_inline int partial_move(struct __sk_buff *skb, __u32 l4_off, __u32 check, __u32 to)
{
	return -1;
}
#else
static __always_inline bool partial_has_module(void)
{
	return config.kfunc_csum;
}

static __always_inline enum partial partial_ask_module(struct __sk_buff *skb, __u32 l4_off, __u32 check)
{
	int partial = mimic_csum_partial(skb, l4_off, check);

	return partial < 0 ? PARTIAL_OTHER : partial ? PARTIAL_OPEN : PARTIAL_NONE;
}

/* The caller writes the folded pseudo-header sum to the new place. 0 or a negative value. */
static __always_inline int partial_move(struct __sk_buff *skb, __u32 l4_off, __u32 check, __u32 to)
{
	return mimic_csum_move(skb, l4_off, check, to);
}
#endif

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
 * saved: PARTIAL_CLEAR_MAX bytes to work with. hidden: bytes of L2 header in front of skb->data, which the kernel
 * counts all the same.
 */
static __always_inline int partial_clear(struct __sk_buff *skb, const struct packet *pkt, __u8 *saved, __u32 hidden)
{
	__u32 base = hidden + pkt->l3_off + (pkt->ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
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
