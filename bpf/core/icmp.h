/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP errors from the network quote the segment that they are about: its IP header and at least the first eight bytes
 * behind it (RFC 792, RFC 4443). Here the quote becomes that of the datagram that was sent, so that the message reaches
 * the UDP socket:
 *
 *	before  | ICMP, MTU           | IP: TCP, length         | ports | seq          | whatever else is quoted |
 *	after   | ICMP, MTU - 12 - P' | IP: UDP, length -12 - P | ports | UDP length, 0 | the same               |
 *
 * P is the padding of the quoted segment, P' the most that one of the connection can have. The UDP checksum is 0, "none": it
 * does not follow from what is quoted. Nor do the first 12 + P bytes of the payload, which lie at the end of a
 * segment: in their place the quote goes on with the TCP header. All checksums follow by the difference, so that a
 * message that was damaged stays so.
 *
 * Anybody can forge such a message; who cannot see our segments does not know which number is in flight
 * (RFC 5927 section 4.1).
 *
 * The reverse is for what this host itself says about a datagram that was restored, since its program has ended, say:
 * the quote becomes that of the segment which the peer sent. As the datagram does not tell its numbers, the segment gets such
 * as the peer just had in flight, and the MTU is raised by 12 + P'. The quote does not reach the segment's end, so its
 * TCP checksum says nothing to anybody.
 */
#ifndef MIMIC_CORE_ICMP_H
#define MIMIC_CORE_ICMP_H

#include "addr.h"
#include "conn_state.h"
#include "csum.h"
#include "parse.h"
#include "transform.h"
#include "types.h"

/* IANA's numbers. linux/icmp.h and linux/icmpv6.h include libc's headers. */
enum icmp_numbers {
	PROTO_ICMP = 1,
	PROTO_ICMPV6 = 58,
	ICMP4_UNREACHABLE = 3,
	ICMP4_CODE_TOO_BIG = 4, /* of the former: "fragmentation needed and DF set" */
	ICMP4_EXCEEDED = 11,
	ICMP4_PARAMETER = 12,
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_EXCEEDED = 3,
	ICMP6_PARAMETER = 4,
};

enum icmp_limits {
	ICMP_HEADER_LEN = 8,
	ICMP_QUOTED_L4 = 8,			       /* what is needed of the quoted UDP or TCP header */
	ICMP_QUOTED_ACK = 12,			       /* and for the padding, if it is random */
	ICMP_QUOTE_MAX = PARSE_L4_OFF_MAX + 1 + TCP_HEADER_LEN, /* bytes of the quote that are looked at */
	ICMP_MTU_MIN = 68,			       /* RFC 791: nobody has to send less */
	ICMP_GUESS = PADDING_MAX + 1,		       /* icmp_recall() may be off by so much */
};

/* The eight bytes are the same in both families, but for where the MTU stands: IPv4 has 16 bits. */
struct icmp_header {
	__u8 type, code;
	__u16 check;
	__be16 mtu_high, mtu;
};

/* The beginning of a message. */
struct icmp_message {
	struct icmp_header head;
	__u8 quote[ICMP_QUOTE_MAX];
} __attribute__((aligned(4)));

_Static_assert(sizeof(struct icmp_header) == ICMP_HEADER_LEN, "as it lies on the wire");
_Static_assert(sizeof(struct icmp_message) % 4 == 0, "icmp_message has no hidden padding");

/* The quoted segment. Offsets in `pkt` count from the start of the quote. */
struct icmp_quoted {
	struct packet pkt;
	__u32 seq, ack;
	__u16 window; /* as on the wire; set by icmp_recall() only */
	bool ack_known;
	__u8 padding;	  /* that it had */
	__u8 padding_max; /* that one of its connection can have */
};

struct icmp_quoted_l4 {
	__be16 src_port, dst_port;
	union {
		__be32 seq;
		struct {
			__be16 len;
			__u16 check;
		} udp;
	};
};

_Static_assert(sizeof(struct icmp_quoted_l4) == ICMP_QUOTED_L4, "as it lies on the wire");

/* Whether a message of this kind goes to the socket that sent what is quoted. */
CORE_FN bool icmp_is_error(const struct icmp_header *head, bool ipv6)
{
	if (ipv6)
		return head->type >= ICMP6_UNREACHABLE && head->type <= ICMP6_PARAMETER;
	return head->type == ICMP4_UNREACHABLE || head->type == ICMP4_EXCEEDED || head->type == ICMP4_PARAMETER;
}

/*
 * Finds a segment or datagram, as `proto` says, in the first `len` bytes of a quote, at most ICMP_QUOTE_MAX. False: something
 * else, a fragment, or not enough of it.
 */
CORE_FN bool icmp_parse(const __u8 *quote, __u32 len, bool ipv6, __u8 proto, struct packet *pkt)
{
	return parse_packet(quote, quote + len, false, pkt) == PARSE_OK && pkt->proto == proto &&
	       !pkt->fragment && pkt->ipv6 == ipv6 && pkt->l4_off + (__u32)ICMP_QUOTED_L4 <= len;
}

/* Fills the rest of `quoted` after icmp_parse() into quoted->pkt. */
CORE_FN void icmp_read(const __u8 *quote, __u32 len, struct icmp_quoted *quoted)
{
	const __be32 *word = (const void *)(quote + quoted->pkt.l4_off);

	quoted->seq = be32_to_host(word[1]);
	quoted->ack_known = quoted->pkt.l4_off + (__u32)ICMP_QUOTED_ACK <= len;
	quoted->ack = be32_to_host(word[2]); /* inside the buffer in any case */
}

/*
 * Whether a segment with this number may be under way: it was sent within the last CONN_LATELY_NS, or up to thrice as long. It may
 * have been acknowledged, since in an answer that overtakes the message the peer acknowledges what it never got. A segment
 * without payload after all data has the number snd_nxt: what becomes of it is no sender's business.
 */
CORE_FN bool conn_in_flight(const struct conn *conn, __u32 seq, __u64 now_ns)
{
	__u64 age_ns = conn_age(now_ns, conn->sent_ns);
	__u32 flight = conn->snd_nxt - (age_ns < CONN_LATELY_NS ? conn->earlier_nxt : conn->lately_nxt);

	if (conn->state == CONN_SYN_SENT || conn->state == CONN_SYN_RECEIVED) /* the SYN alone */
		return seq == conn->snd_nxt - 1;
	if (conn->state != CONN_ESTABLISHED || age_ns >= 2 * CONN_LATELY_NS)
		return false;
	if (flight > CONN_WINDOW_FULL)
		flight = CONN_WINDOW_FULL;
	return conn->snd_nxt - seq - 1 < flight + ICMP_GUESS;
}

/* Whether the connection believes what is quoted; finds out about paddings. */
CORE_FN bool icmp_accept(const struct conn *conn, struct icmp_quoted *quoted, __u64 now_ns)
{
	quoted->padding = transform_padding(conn->settings.padding, quoted->seq,
					    quoted->ack_known ? quoted->ack : conn->rcv_nxt);
	quoted->padding_max = transform_padding_max(conn->settings.padding);
	return conn_in_flight(conn, quoted->seq, now_ns);
}

/*
 * What a datagram may measure where a segment may measure `mtu`. 0 says nothing (RFC 1191 section 5). An MTU below IPv6's
 * minimum of 1280 is told as it is: Linux takes 1280 for it (__ip6_rt_update_pmtu()), and tells the truth to a socket with
 * IPV6_RECVERR.
 */
CORE_FN __u32 icmp_lower_mtu(__u32 mtu, __u32 growth)
{
	if (mtu <= ICMP_MTU_MIN)
		return mtu;
	return mtu < ICMP_MTU_MIN + growth ? ICMP_MTU_MIN : mtu - growth;
}

/* The reverse, where it can be told. */
CORE_FN __u32 icmp_raise_mtu(__u32 mtu, __u32 growth, __u32 most)
{
	if (mtu < ICMP_MTU_MIN)
		return mtu;
	return mtu > most - growth ? most : mtu + growth;
}

/* grows: the quote becomes that of a segment. growth: the most that it is longer than its datagram. */
CORE_FN void icmp_turn_mtu(struct icmp_header *head, bool ipv6, bool grows, __u32 growth)
{
	__u32 mtu = be16_to_host(head->mtu);

	if (ipv6 ? head->type != ICMP6_TOO_BIG : head->type != ICMP4_UNREACHABLE || head->code != ICMP4_CODE_TOO_BIG)
		return;
	if (ipv6)
		mtu |= (__u32)be16_to_host(head->mtu_high) << 16;
	mtu = grows ? icmp_raise_mtu(mtu, growth, ipv6 ? ~0U : 0xffff) : icmp_lower_mtu(mtu, growth);
	head->mtu = host_to_be16(mtu);
	if (ipv6)
		head->mtu_high = host_to_be16(mtu >> 16);
}

/*
 * The quoted IP header gets another protocol, and a length to go with l4_len. The change of the sum over it; for IPv4 that is
 * none, since its own checksum balances it.
 */
CORE_FN __u32 icmp_turn_ip(__u8 *quote, const struct packet *pkt, __u8 proto, __u16 l4_len)
{
	quote[pkt->proto_off] = proto;
	if (pkt->ipv6) {
		struct ipv6hdr *ip = (void *)quote;
		__be16 before = ip->payload_len;

		ip->payload_len = host_to_be16(be16_to_host(before) - pkt->l4_len + l4_len);
		/* The byte stands first in its word, in the fixed header as in the others. */
		return csum_sub(csum_add(ip->payload_len, host_to_be16(proto << 8)),
				csum_add(before, host_to_be16(pkt->proto << 8)));
	} else {
		struct iphdr *ip = (void *)quote;
		__be16 before = ip->tot_len;

		ip->tot_len = host_to_be16(be16_to_host(before) - pkt->l4_len + l4_len);
		ip->check = csum_replace(ip->check, csum_add(before, host_to_be16(pkt->proto)),
					 csum_add(ip->tot_len, host_to_be16(proto)));
		return 0;
	}
}

/* The quote becomes that of the datagram. What a control segment had besides the header counts as its payload. */
CORE_FN void icmp_turn(struct icmp_message *msg, const struct icmp_quoted *quoted)
{
	struct icmp_quoted_l4 *l4 = (void *)(msg->quote + quoted->pkt.l4_off);
	struct icmp_header *head = &msg->head;
	__u16 shrink = (__u16)(TRANSFORM_GROWTH + quoted->padding);
	__u32 before = csum_add(l4->seq, (__u32)head->mtu_high + head->mtu), after;

	if (quoted->pkt.l4_len < UDP_HEADER_LEN + shrink)
		shrink = (__u16)(quoted->pkt.l4_len - UDP_HEADER_LEN);
	icmp_turn_mtu(head, quoted->pkt.ipv6, false, TRANSFORM_GROWTH + (__u32)quoted->padding_max);
	after = icmp_turn_ip(msg->quote, &quoted->pkt, PROTO_UDP, (__u16)(quoted->pkt.l4_len - shrink));
	l4->udp.len = host_to_be16(quoted->pkt.l4_len - shrink);
	l4->udp.check = 0;
	after = csum_add(after, csum_add(l4->seq, (__u32)head->mtu_high + head->mtu));
	head->check = csum_replace(head->check, before, after);
}

/*
 * Fills `quoted`, whose pkt is a datagram, with what the segment was like that brought it. False: this connection brought none.
 * That the peer may have had in flight: the datagram itself, give or take its padding (conn_in_flight()).
 */
CORE_FN bool icmp_recall(const struct conn *conn, struct icmp_quoted *quoted)
{
	__u32 window = conn->snd_wnd >> (conn->peer_wscale & 15), space;

	quoted->padding_max = transform_padding_max(conn->settings.padding);
	space = quoted->pkt.l4_len - (__u32)UDP_HEADER_LEN + quoted->padding_max;
	quoted->seq = conn->rcv_nxt - (space ? space : 1);
	quoted->ack = conn->snd_una;
	quoted->ack_known = true;
	quoted->window = (__u16)(window < CONN_WINDOW_UNSCALED ? window : CONN_WINDOW_UNSCALED);
	quoted->padding = transform_padding(conn->settings.padding, quoted->seq, quoted->ack);
	return conn->state == CONN_ESTABLISHED;
}

/*
 * The quote, of which `len` bytes are in the buffer, becomes that of the segment: as much of a TCP header as fits in whole
 * words. partial: the message's checksum is still to be made, of whatever it says then.
 */
CORE_FN void icmp_turn_back(struct icmp_message *msg, __u32 len, const struct icmp_quoted *quoted, bool partial)
{
	__be32 *word = (void *)(msg->quote + quoted->pkt.l4_off);
	struct icmp_header *head = &msg->head;
	__u32 before = (__u32)head->mtu_high + head->mtu, after;
	union {
		struct tcp_header tcp;
		__be32 word[TCP_HEADER_LEN / 4];
	} fresh;

	tcp_header_make(&fresh.tcp, quoted->pkt.src_port, quoted->pkt.dst_port, quoted->seq, quoted->ack, TCP_ACK,
			quoted->window);
	fresh.tcp.check = ((const struct icmp_quoted_l4 *)word)->udp.check; /* nobody can tell it from another */
	icmp_turn_mtu(head, quoted->pkt.ipv6, true, TRANSFORM_GROWTH + (__u32)quoted->padding_max);
	after = icmp_turn_ip(msg->quote, &quoted->pkt, PROTO_TCP,
			     (__u16)(quoted->pkt.l4_len + TRANSFORM_GROWTH + quoted->padding));
	after = csum_add(after, (__u32)head->mtu_high + head->mtu);
	for (__u32 i = 1; i < TCP_HEADER_LEN / 4; i++) {
		if (i >= ICMP_QUOTED_L4 / 4 && quoted->pkt.l4_off + 4 * (i + 1) > len)
			continue;
		before = csum_add(before, word[i]);
		after = csum_add(after, fresh.word[i]);
		word[i] = fresh.word[i];
	}
	if (!partial)
		head->check = csum_replace(head->check, before, after);
}

#endif
