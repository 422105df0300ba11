/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds the L4 header of a frame: Ethernet with up to two VLAN tags or no L2 header, IPv4 with options, IPv6 with
 * extension headers (RFC 8200 section 4). It reads nothing outside [data, end) and calls no helper.
 *
 * Two steps, since most packets of an interface are none of ours: parse_packet() stops at the ports, and only
 * who likes these ports pays for parse_key(). All lengths come from the IP header, never from the buffer, since
 * drivers pad short frames.
 */
#ifndef MIMIC_CORE_PARSE_H
#define MIMIC_CORE_PARSE_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "addr.h"
#include "types.h"

enum {
	PARSE_VLAN_MAX = 2,
	PARSE_EXT_MAX = 6,	  /* IPv6 extension headers walked over */
	PARSE_L4_OFF_MAX = 0xff,  /* offsets are bytes, which bounds them for the verifier */
	IP4_FRAG_MASK = 0x3fff,	  /* more-fragments flag and offset */
	IP4_OFFSET_MASK = 0x1fff,
	IP4_DF = 0x4000,
	UDP_HEADER_LEN = 8,
	TCP_HEADER_LEN = 20,
};

/* IANA's protocol numbers. Not from linux/in.h, which no program can include together with netinet/in.h. */
enum parse_proto {
	PROTO_HOPOPTS = 0,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_DSTOPTS = 60,
};

enum parse_result {
	PARSE_OK,    /* UDP, TCP or a later fragment; `packet` is filled */
	PARSE_OTHER, /* anything else, also what is too odd to be ours */
	PARSE_SHORT, /* the headers go on behind `end`: pull more and try again */
};

struct packet {
	__u8 l3_off, l4_off; /* from the start of the frame */
	__u8 proto_off;	     /* of the byte that names the L4 protocol */
	__u8 proto;	     /* PROTO_UDP or PROTO_TCP; of a later fragment: what the header says that comes before */
	bool ipv6;
	bool fragment;	     /* any fragment */
	bool later_fragment; /* not the first one: no ports */
	bool dont_fragment;  /* IPv4 with DF; IPv6 always */
	__u16 l4_len;	     /* L4 header and payload, bytes, by the IP header */
	__be16 src_port, dst_port;
	__be32 frag_id;	     /* of a fragment: what its pieces have in common */
};

struct vlan_tag {
	__be16 tci, proto;
};

struct ext_header {
	__u8 next, len; /* len in units of 8 bytes, the first 8 not counted */
	__be16 frag_off;
	__be32 frag_id;
};

CORE_FN bool parse_is_vlan(__be16 proto)
{
	return proto == host_to_be16(ETH_P_8021Q) || proto == host_to_be16(ETH_P_8021AD);
}

/* L2: sets l3_off and the EtherType. */
CORE_FN enum parse_result parse_ethernet(const void *data, const void *end, struct packet *pkt, __be16 *proto)
{
	const struct ethhdr *eth = data;
	__u32 off = sizeof(*eth);

	if ((const void *)(eth + 1) > end)
		return PARSE_SHORT;
	*proto = eth->h_proto;
	CORE_UNROLL
	for (int i = 0; i < PARSE_VLAN_MAX; i++) {
		const struct vlan_tag *tag = (const void *)((const __u8 *)data + off);

		if (!parse_is_vlan(*proto))
			break;
		if ((const void *)(tag + 1) > end)
			return PARSE_SHORT;
		*proto = tag->proto;
		off += sizeof(*tag);
	}
	pkt->l3_off = (__u8)off;
	return PARSE_OK;
}

CORE_FN enum parse_result parse_ipv4(const void *data, const void *end, struct packet *pkt)
{
	const struct iphdr *ip = (const void *)((const __u8 *)data + pkt->l3_off);
	__u32 header_len, frag;

	if ((const void *)(ip + 1) > end)
		return PARSE_SHORT;
	header_len = ip->ihl * 4U;
	if (ip->version != 4 || header_len < sizeof(*ip) || be16_to_host(ip->tot_len) < header_len)
		return PARSE_OTHER;
	frag = be16_to_host(ip->frag_off);
	pkt->ipv6 = false;
	pkt->fragment = frag & IP4_FRAG_MASK;
	pkt->later_fragment = frag & IP4_OFFSET_MASK;
	pkt->dont_fragment = frag & IP4_DF;
	pkt->frag_id = ip->id;
	pkt->proto = ip->protocol;
	pkt->proto_off = (__u8)(pkt->l3_off + offsetof(struct iphdr, protocol));
	pkt->l4_off = (__u8)(pkt->l3_off + header_len);
	pkt->l4_len = (__u16)(be16_to_host(ip->tot_len) - header_len);
	return PARSE_OK;
}

CORE_FN bool parse_is_extension(__u8 next)
{
	return next == PROTO_HOPOPTS || next == PROTO_ROUTING || next == PROTO_DSTOPTS ||
	       next == PROTO_FRAGMENT;
}

CORE_FN enum parse_result parse_ipv6(const void *data, const void *end, struct packet *pkt)
{
	const struct ipv6hdr *ip = (const void *)((const __u8 *)data + pkt->l3_off);
	__u32 off, len, payload_len, next_off;
	__u8 next;

	if ((const void *)(ip + 1) > end)
		return PARSE_SHORT;
	if (ip->version != 6)
		return PARSE_OTHER;
	pkt->ipv6 = true;
	pkt->dont_fragment = true;
	pkt->fragment = false;
	pkt->later_fragment = false;
	payload_len = be16_to_host(ip->payload_len);
	next = ip->nexthdr;
	next_off = pkt->l3_off + offsetof(struct ipv6hdr, nexthdr);
	off = pkt->l3_off + sizeof(*ip);
	for (int i = 0; i < PARSE_EXT_MAX && parse_is_extension(next); i++) {
		const struct ext_header *ext = (const void *)((const __u8 *)data + (off & PARSE_L4_OFF_MAX));

		if ((const void *)(ext + 1) > end)
			return PARSE_SHORT;
		len = sizeof(*ext);
		if (next == PROTO_FRAGMENT) {
			pkt->fragment = true;
			pkt->frag_id = ext->frag_id;
			if (be16_to_host(ext->frag_off) & 0xfff8) {
				pkt->later_fragment = true;
				i = PARSE_EXT_MAX; /* what follows is not a header */
			}
		} else {
			len += ext->len * 8U;
		}
		next = ext->next;
		next_off = off;
		off += len;
		if (len > payload_len || off > PARSE_L4_OFF_MAX)
			return PARSE_OTHER;
		payload_len -= len;
	}
	pkt->proto = next;
	pkt->proto_off = (__u8)next_off;
	pkt->l4_off = (__u8)off;
	pkt->l4_len = (__u16)payload_len;
	return PARSE_OK;
}

/*
 * `ethernet` says whether the frame begins with an Ethernet header; without one it begins with the IP header.
 * Ports are set only when !later_fragment; l4_len is at least the length of the L4 header then.
 */
CORE_FN enum parse_result parse_packet(const void *data, const void *end, bool ethernet, struct packet *pkt)
{
	enum parse_result result;
	const __be16 *ports;
	__be16 proto = 0;

	if (ethernet) {
		result = parse_ethernet(data, end, pkt, &proto);
		if (result != PARSE_OK)
			return result;
	} else {
		if ((const __u8 *)data + 1 > (const __u8 *)end)
			return PARSE_SHORT;
		pkt->l3_off = 0;
		proto = *(const __u8 *)data >> 4 == 4 ? host_to_be16(ETH_P_IP) : host_to_be16(ETH_P_IPV6);
	}
	if (proto == host_to_be16(ETH_P_IP))
		result = parse_ipv4(data, end, pkt);
	else if (proto == host_to_be16(ETH_P_IPV6))
		result = parse_ipv6(data, end, pkt);
	else
		return PARSE_OTHER;
	if (result != PARSE_OK)
		return result;
	pkt->src_port = 0;
	pkt->dst_port = 0;
	if (pkt->later_fragment) /* its protocol may be that of an extension header that only the first one has */
		return PARSE_OK;
	if (pkt->proto != PROTO_UDP && pkt->proto != PROTO_TCP)
		return PARSE_OTHER;
	if (pkt->l4_len < (pkt->proto == PROTO_UDP ? UDP_HEADER_LEN : TCP_HEADER_LEN))
		return PARSE_OTHER;
	ports = (const void *)((const __u8 *)data + pkt->l4_off);
	if ((const __u8 *)ports + 4 > (const __u8 *)end)
		return PARSE_SHORT;
	pkt->src_port = ports[0];
	pkt->dst_port = ports[1];
	return PARSE_OK;
}

/* Both addresses. False when they lie behind `end`, which cannot be after PARSE_OK on the same data. */
CORE_FN bool parse_addresses(const void *data, const void *end, const struct packet *pkt, struct addr *src,
			     struct addr *dst)
{
	const void *l3 = (const __u8 *)data + pkt->l3_off;

	if (pkt->ipv6) {
		const struct ipv6hdr *ip = l3;

		if ((const void *)(ip + 1) > end)
			return false;
		__builtin_memcpy(src, &ip->saddr, sizeof(*src));
		__builtin_memcpy(dst, &ip->daddr, sizeof(*dst));
	} else {
		const struct iphdr *ip = l3;

		if ((const void *)(ip + 1) > end)
			return false;
		addr_from_ipv4(src, ip->saddr);
		addr_from_ipv4(dst, ip->daddr);
	}
	return true;
}

#endif
