/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The arithmetic of turning a UDP datagram into a TCP segment and back:
 *
 *	before  | IP | UDP 8 | a: first 12+P bytes | b: rest of the payload |
 *	after   | IP | TCP 20           | padding P | b                      | a |
 *
 * b stays where it is. `a` is at most the whole payload. What has to be moved and written, and the checksums, are
 * decided here; the shells move the bytes, each with the means of its hook.
 *
 * Both checksums cover the same payload, so one follows from the other by the difference of the headers. A byte's
 * weight depends on the parity of its offset; b keeps its parity, `a` changes it when it moves by an odd number of
 * bytes. Damage stays damage: nothing is summed up afresh here.
 */
#ifndef MIMIC_CORE_TRANSFORM_H
#define MIMIC_CORE_TRANSFORM_H

#include "csum.h"
#include "parse.h"
#include "settings.h"
#include "tcpopt.h"

enum {
	TRANSFORM_GROWTH = TCP_HEADER_LEN - UDP_HEADER_LEN,
	TRANSFORM_PIECE_MAX = TRANSFORM_GROWTH + PADDING_MAX,
};

/* As it lies on the wire (RFC 768). */
struct udp_header {
	__be16 src_port, dst_port;
	__be16 len;
	__u16 check;
};

/* Where `a` lies, for a payload of payload_len bytes. All offsets count from the start of the L4 header. */
struct transform_plan {
	__u16 payload_len;  /* of the datagram */
	__u8 padding;	    /* bytes in this packet */
	__u8 piece_len;	    /* bytes of `a`, which begins at UDP_HEADER_LEN in the datagram */
	__u16 piece_off;    /* where `a` begins in the segment */
	__u16 tcp_len;	    /* of the whole segment: header, padding and payload */
};

/* padding: the bytes of this very packet, already drawn from seq and ack under PADDING_RANDOM. */
CORE_FN void transform_plan_make(struct transform_plan *plan, __u16 payload_len, __u8 padding)
{
	__u32 piece = TRANSFORM_GROWTH + padding;

	if (piece > payload_len)
		piece = payload_len;
	plan->payload_len = payload_len;
	plan->padding = padding;
	plan->piece_len = (__u8)piece;
	plan->piece_off = (__u16)(TCP_HEADER_LEN + padding + payload_len - piece);
	plan->tcp_len = (__u16)(TCP_HEADER_LEN + padding + payload_len);
}

/* `a` lies at the even offset 8 in the datagram. */
CORE_FN bool transform_piece_is_odd(const struct transform_plan *plan)
{
	return plan->piece_off & 1;
}

CORE_FN __u8 transform_padding(__u8 setting, __u32 seq, __u32 ack)
{
	return setting == PADDING_RANDOM ? (__u8)((seq + ack) % PADDING_RANDOM_MOD) : setting;
}

/* The most that it can be. */
CORE_FN __u8 transform_padding_max(__u8 setting)
{
	return setting == PADDING_RANDOM ? PADDING_RANDOM_MOD - 1 : setting;
}

/*
 * 0.7.x receivers spoil the UDP checksum of such packets (an odd piece moves) unless the padding bytes
 * are zero.
 */
CORE_FN bool transform_padding_must_be_zero(const struct transform_plan *plan)
{
	return (plan->padding & 1) && plan->padding >= 3 && plan->payload_len >= 1 &&
	       plan->payload_len + 2 <= plan->padding;
}

/* A header without options, urgent pointer 0, checksum 0. seq, ack, window in host order. */
CORE_FN void tcp_header_make(struct tcp_header *tcp, __be16 src_port, __be16 dst_port, __u32 seq, __u32 ack,
			     __u8 flags, __u16 window)
{
	tcp->src_port = src_port;
	tcp->dst_port = dst_port;
	tcp->seq = host_to_be32(seq);
	tcp->ack = host_to_be32(ack);
	tcp->data_off = (TCP_HEADER_LEN / 4) << 4;
	tcp->flags = flags;
	tcp->window = host_to_be16(window);
	tcp->check = 0;
	tcp->urgent = 0;
}

/*
 * What the segment's sum has and the datagram's has not, but for the pieces: protocol, length, and the header
 * without ports (equal in both) and checksums.
 */
CORE_FN __u32 transform_header_difference(const struct tcp_header *tcp, __u16 tcp_len, __u16 udp_len)
{
	__u32 sum = 0;

	sum = csum_add(sum, tcp->seq);
	sum = csum_add(sum, tcp->ack);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	sum = csum_add(sum, (__u32)tcp->data_off | (__u32)tcp->flags << 8);
#else
	sum = csum_add(sum, (__u32)tcp->data_off << 8 | tcp->flags);
#endif
	sum = csum_add(sum, tcp->window);
	sum = csum_add(sum, tcp->urgent);
	sum = csum_add(sum, host_to_be16(PROTO_TCP));
	sum = csum_add(sum, host_to_be16(tcp_len));
	sum = csum_sub(sum, host_to_be16(PROTO_UDP));
	sum = csum_sub(sum, host_to_be16(udp_len)); /* in the pseudo header */
	return csum_sub(sum, host_to_be16(udp_len)); /* and in the UDP header */
}

/* How the sum of `a`, taken as if at an even offset, changes by its move from datagram to segment. */
CORE_FN __u32 transform_piece_difference(const struct transform_plan *plan, __u32 piece_sum)
{
	if (!transform_piece_is_odd(plan))
		return 0;
	return csum_sub(csum_shift(piece_sum, true), csum_fold(piece_sum));
}

/*
 * The TCP checksum that belongs to a datagram with the *complete, non-zero* UDP checksum udp_check.
 * padding_sum: of the padding bytes, which begin at an even offset.
 */
CORE_FN __u16 transform_tcp_check(const struct transform_plan *plan, const struct tcp_header *tcp, __u16 udp_check,
				  __u32 piece_sum, __u32 padding_sum)
{
	__u16 udp_len = (__u16)(UDP_HEADER_LEN + plan->payload_len);
	__u32 sum = (__u16)~udp_check;

	sum = csum_add(sum, transform_header_difference(tcp, plan->tcp_len, udp_len));
	sum = csum_add(sum, transform_piece_difference(plan, piece_sum));
	sum = csum_add(sum, csum_fold(padding_sum));
	return (__u16)~csum_fold(sum);
}

/*
 * The UDP checksum that belongs to a segment with the checksum in `tcp`: right exactly when that one was.
 * A result of 0 is sent up as 0xffff (RFC 768). With TCP options plan->tcp_len counts them, and padding_sum holds their
 * sum too (their length is a multiple of four, so parity does not change).
 */
CORE_FN __u16 transform_udp_check(const struct transform_plan *plan, const struct tcp_header *tcp, __u32 piece_sum,
				  __u32 padding_sum)
{
	__u16 udp_len = (__u16)(UDP_HEADER_LEN + plan->payload_len);
	__u32 sum = (__u16)~tcp->check;
	__u16 check;

	sum = csum_sub(sum, transform_header_difference(tcp, plan->tcp_len, udp_len));
	sum = csum_sub(sum, transform_piece_difference(plan, piece_sum));
	sum = csum_sub(sum, csum_fold(padding_sum));
	check = (__u16)~csum_fold(sum);
	return check ? check : 0xffff;
}

/*
 * The TCP checksum from the sum of the datagram's payload, for datagrams without a complete checksum.
 * piece_sum as above; both sums are taken as if at an even offset.
 */
CORE_FN __u16 transform_tcp_check_full(const struct transform_plan *plan, const struct tcp_header *tcp,
				       const struct addr *src, const struct addr *dst, __u32 payload_sum,
				       __u32 piece_sum, __u32 padding_sum)
{
	__u16 udp_len = (__u16)(UDP_HEADER_LEN + plan->payload_len);
	__u32 sum = csum_pseudo(src, dst, PROTO_UDP, udp_len);

	sum = csum_add(sum, csum_add(tcp->src_port, tcp->dst_port));
	sum = csum_add(sum, host_to_be16(udp_len));
	sum = csum_add(sum, csum_fold(payload_sum));
	return transform_tcp_check(plan, tcp, (__u16)~csum_fold(sum), piece_sum, padding_sum);
}

/*
 * Whether a UDP or TCP checksum field holds no more than the folded pseudo-header sum: the mark of a packet whose
 * checksum the NIC was to complete (CHECKSUM_PARTIAL). A complete checksum has that value once in 65536 packets.
 */
CORE_FN bool transform_is_partial(const struct addr *src, const struct addr *dst, __u8 proto, __u16 l4_len,
				  __u16 check)
{
	return check == csum_fold(csum_pseudo(src, dst, proto, l4_len));
}

#endif
