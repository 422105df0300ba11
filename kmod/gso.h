/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A UDP superpacket becomes a TCP superpacket, in place. Of each datagram the first 12 bytes move to its end, so that on the
 * whole 12 bytes per datagram move on to the beginning of the next one, and those of the last one to 12 new bytes:
 *
 *	UDP 8 | a0 | b0            | a1 | b1            | a2 | b2
 *	TCP 20     | b0            | a0 | b1            | a1 | b2            | a2
 *
 * The first a is in the linear part, and the rest mostly in fragments, whose pages may be somebody else's as well. Nothing is written into a
 * page unless this sk_buff alone refers to it; what lies in others is copied into new ones.
 */
#ifndef MIMIC_GSO_H
#define MIMIC_GSO_H

#include <linux/gfp.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>

#include "compat.h"

enum {
	GSO_PIECE = sizeof(struct tcphdr) - sizeof(struct udphdr), /* 12 */
};

struct gso {
	u32 l3_off;
	u32 l4_off;
	u32 size;	 /* payload of each datagram but the last */
	u32 payload_len; /* of all of them */
	bool ipv6;
};

/* Whether the headers in front of l4_off are those of a UDP packet which ends where the sk_buff ends. */
static int gso_parse_ip(const struct sk_buff *skb, struct gso *gso)
{
	const struct ipv6hdr *ipv6 = (const void *)(skb->data + gso->l3_off);
	const struct iphdr *ip = (const void *)ipv6;
	u32 ip_len = skb->len - gso->l3_off, header_len = gso->l4_off - gso->l3_off;

	if (header_len < sizeof(*ip))
		return -EINVAL;
	gso->ipv6 = ip->version == 6;
	if (gso->ipv6) {
		if (header_len != sizeof(*ipv6) || ipv6->nexthdr != IPPROTO_UDP)
			return -EOPNOTSUPP;
		return ntohs(ipv6->payload_len) == ip_len - header_len ? 0 : -EINVAL;
	}
	if (ip->version != 4 || ip->ihl * 4U != header_len || ip->protocol != IPPROTO_UDP ||
	    ip_is_fragment(ip))
		return -EOPNOTSUPP;
	return ntohs(ip->tot_len) == ip_len ? 0 : -EINVAL;
}

static int gso_parse_sizes(const struct sk_buff *skb, struct gso *gso)
{
	const struct udphdr *udp = (const void *)(skb->data + gso->l4_off);
	u32 header_len = gso->l4_off - gso->l3_off + sizeof(struct tcphdr), last;

	gso->size = skb_shinfo(skb)->gso_size;
	gso->payload_len = skb->len - gso->l4_off - sizeof(*udp);
	if (ntohs(udp->len) != skb->len - gso->l4_off)
		return -EINVAL;
	if (gso->size < GSO_PIECE)
		return -EOPNOTSUPP;
	last = gso->payload_len % gso->size;
	if (last && last < GSO_PIECE)
		return -EOPNOTSUPP;
	if (header_len + gso->size > READ_ONCE(skb->dev->mtu) ||
	    header_len + gso->payload_len > U16_MAX)
		return -EMSGSIZE;
	return 0;
}

/* A superpacket that can be converted, or why not. Changes nothing. */
static int gso_parse(const struct sk_buff *skb, u32 l4_off, struct gso *gso)
{
	int l3_off = skb_network_offset(skb), err;

	if (!skb_is_gso(skb))
		return -ENODATA;
	if ((skb_shinfo(skb)->gso_type & ~SKB_GSO_DODGY) != SKB_GSO_UDP_L4 || skb->encapsulation ||
	    skb_has_frag_list(skb) || !mimic_skb_frags_readable(skb) || skb_zcopy_managed(skb))
		return -EOPNOTSUPP;
	if (skb_shinfo(skb)->nr_frags >= MAX_SKB_FRAGS)
		return -EOPNOTSUPP;
	if (skb_shared(skb) || skb_cloned(skb))
		return -EBUSY;
	if (l4_off > skb->len || skb->len - l4_off < sizeof(struct tcphdr) || l3_off < 0 ||
	    (u32)l3_off > l4_off)
		return -EINVAL;
	if (skb_headlen(skb) < l4_off + sizeof(struct tcphdr))
		return -EFAULT;
	*gso = (struct gso){ .l3_off = l3_off, .l4_off = l4_off };
	err = gso_parse_ip(skb, gso);
	return err ?: gso_parse_sizes(skb, gso);
}

/*
 * Whether nobody but this sk_buff refers to the page of a fragment. That cannot change behind our back, since references are taken
 * through a reference, and the page tables and the page cache have theirs: so it holds for MSG_ZEROCOPY and splice() as well. One is that
 * of the task which is sending: it has what is left of its page still to fill (sk_page_frag()). Pages of a page_pool are
 * counted in another way.
 */
static bool gso_owns_page(const struct sk_buff *skb, const skb_frag_t *frag)
{
	struct page *page = compound_head(skb_frag_page(frag));
	int i, refs = 0;

	if (skb->pp_recycle || PageReserved(page) || PageSlab(page))
		return false;
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		if (compound_head(skb_frag_page(&skb_shinfo(skb)->frags[i])) == page)
			refs++;
	}
	if (in_task() && current->task_frag.page && compound_head(current->task_frag.page) == page)
		refs++;
	return page_count(page) == refs;
}

/* The fragment, which begins off bytes behind skb->data, gets a page of its own. skb->truesize stays: skb->sk is charged for it. */
static int gso_copy_frag(struct sk_buff *skb, int i, u32 off)
{
	u32 size = skb_frag_size(&skb_shinfo(skb)->frags[i]);
	struct page *page = alloc_pages(GFP_ATOMIC | __GFP_COMP | __GFP_NOWARN, get_order(size));
	int err;

	if (!page)
		return -ENOMEM;
	err = skb_copy_bits(skb, off, page_address(page), size);
	if (err) {
		put_page(page);
		return err;
	}
	skb_frag_unref(skb, i);
	__skb_fill_page_desc(skb, i, page, 0, size);
	return 0;
}

/* From here on the fragments may be written to, as long as nobody else runs. Returns how many bytes had to be copied, or -errno. */
static int gso_make_writable(struct sk_buff *skb)
{
	u32 off = skb_headlen(skb), size;
	int i, err, copied = 0;

	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		size = skb_frag_size(&skb_shinfo(skb)->frags[i]);
		if (size && !gso_owns_page(skb, &skb_shinfo(skb)->frags[i])) {
			err = gso_copy_frag(skb, i, off);
			if (err)
				return err;
			copied += size;
		}
		off += size;
	}
	return copied;
}

/* 12 bytes more at the end. Not in the last fragment's page: what is behind it there is the sender's. */
static int gso_append(struct sk_buff *skb, const u8 *piece)
{
	void *end = netdev_alloc_frag(GSO_PIECE);
	struct page *page;

	if (!end)
		return -ENOMEM;
	memcpy(end, piece, GSO_PIECE);
	page = virt_to_head_page(end);
	skb_fill_page_desc(skb, skb_shinfo(skb)->nr_frags, page, end - page_address(page), GSO_PIECE);
	skb->len += GSO_PIECE;
	skb->data_len += GSO_PIECE;
	return 0;
}

/* Moves the pieces. On errors nothing has changed, since what can fail comes first. */
static int gso_move(struct sk_buff *skb, const struct gso *gso)
{
	u32 first = gso->l4_off + sizeof(struct udphdr), end = first + gso->payload_len, off;
	u32 last = (gso->payload_len - 1) / gso->size * gso->size;
	u8 piece[GSO_PIECE], next[GSO_PIECE];
	int err;

	err = skb_copy_bits(skb, first + last, piece, sizeof(piece));
	err = err ?: gso_append(skb, piece);
	if (err)
		return err;
	/* All of these bytes are there (gso_parse()), so none of these calls fails. */
	skb_copy_bits(skb, first, piece, sizeof(piece));
	for (off = first + gso->size; off < end; off += gso->size) {
		skb_copy_bits(skb, off, next, sizeof(next));
		skb_store_bits(skb, off, piece, sizeof(piece));
		memcpy(piece, next, sizeof(piece));
	}
	return 0;
}

static void gso_write_ip(struct sk_buff *skb, const struct gso *gso)
{
	struct ipv6hdr *ipv6 = (void *)(skb->data + gso->l3_off);
	struct iphdr *ip = (void *)ipv6;

	if (gso->ipv6) {
		ipv6->payload_len = htons(skb->len - gso->l4_off);
		ipv6->nexthdr = IPPROTO_TCP;
		return;
	}
	ip->tot_len = htons(skb->len - gso->l3_off);
	ip->protocol = IPPROTO_TCP;
	ip_send_check(ip);
}

/* As tcp_v4_send_check() and its kin leave it: the field holds the sum of the pseudo header. The ports stay where they are. */
static void gso_write_tcp(struct sk_buff *skb, const struct gso *gso, u32 seq, u32 ack, u32 window)
{
	const struct ipv6hdr *ipv6 = (const void *)(skb->data + gso->l3_off);
	const struct iphdr *ip = (const void *)ipv6;
	struct tcphdr *tcp = (void *)(skb->data + gso->l4_off);
	u32 len = skb->len - gso->l4_off;

	tcp->seq = htonl(seq);
	tcp->ack_seq = htonl(ack);
	tcp_flag_word(tcp) = htonl(5U << 28 | window) | TCP_FLAG_ACK;
	tcp->urg_ptr = 0;
	if (gso->ipv6)
		tcp->check = ~tcp_v6_check(len, &ipv6->saddr, &ipv6->daddr, 0);
	else
		tcp->check = ~tcp_v4_check(len, ip->saddr, ip->daddr, 0);
}

static int gso_convert(struct sk_buff *skb, const struct gso *gso, u32 seq, u32 ack, u32 window)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);
	int err = gso_make_writable(skb);

	if (err < 0)
		return err;
	err = gso_move(skb, gso);
	if (err)
		return err;
	gso_write_ip(skb, gso);
	gso_write_tcp(skb, gso, seq, ack, window);
	skb_set_transport_header(skb, gso->l4_off);
	skb->csum_offset = offsetof(struct tcphdr, check);
	shinfo->gso_type = (shinfo->gso_type & SKB_GSO_DODGY) |
			   (gso->ipv6 ? SKB_GSO_TCPV6 : SKB_GSO_TCPV4);
	shinfo->gso_segs = DIV_ROUND_UP(gso->payload_len, gso->size);
	return 0;
}

#endif
