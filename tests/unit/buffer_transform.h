/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Datagram to segment and back on a frame in plain memory. Every number comes from bpf/core/; only the bytes are
 * moved here. The BPF programs are compared with this, byte for byte.
 */
#ifndef MIMIC_TEST_BUFFER_TRANSFORM_H
#define MIMIC_TEST_BUFFER_TRANSFORM_H

#include <string.h>

#include "core/transform.h"
#include "packet_builder.h"

/* What the connection says about a data packet. */
struct buffer_segment {
	__u32 seq, ack;
	__u16 window;
	__u8 padding;			 /* setting: a number of bytes or PADDING_RANDOM */
	__u8 padding_bytes[PADDING_MAX]; /* to take where they need not be zero */
};

/* Where everything is in a frame, from an aligned copy of its headers. */
static inline bool buffer_parse(const __u8 *frame, size_t len, bool ethernet, struct packet *pkt,
				struct addr *src, struct addr *dst)
{
	_Alignas(4) __u8 copy[2 + PARSE_L4_OFF_MAX + 8];
	__u8 *data = copy + (ethernet ? 2 : 0);

	if (len > PARSE_L4_OFF_MAX + 8)
		len = PARSE_L4_OFF_MAX + 8;
	memcpy(data, frame, len);
	return parse_packet(data, data + len, ethernet, pkt) == PARSE_OK && !pkt->fragment &&
	       parse_addresses(data, data + len, pkt, src, dst);
}

/* Of bytes that begin at an even offset. */
static inline __u32 buffer_sum(const __u8 *bytes, size_t len)
{
	__u32 sum = 0;

	for (size_t i = 0; i < len; i += 2) {
		__u16 word = 0;

		memcpy(&word, bytes + i, len - i < 2 ? 1 : 2);
		sum = csum_add(sum, word);
	}
	return sum;
}

/* As the BPF programs take it: a buffer of fixed size with zeroes behind the data. */
static inline __u32 buffer_piece_sum(const __u8 *piece, size_t len)
{
	__u32 words[TRANSFORM_PIECE_MAX / 4] = { 0 };

	memcpy(words, piece, len);
	return csum_words(words, TRANSFORM_PIECE_MAX / 4);
}

/* The IP header, when the packet grows by `growth` (or shrinks) and its protocol changes. */
static inline void buffer_write_ip(__u8 *frame, const struct packet *pkt, __u8 from, __u8 to,
				   int growth)
{
	__u8 *ip = frame + pkt->l3_off, *len = ip + (pkt->ipv6 ? 4 : 2);
	__be16 before, after;
	__u16 check;

	frame[pkt->proto_off] = to;
	memcpy(&before, len, sizeof(before));
	after = host_to_be16(be16_to_host(before) + growth);
	memcpy(len, &after, sizeof(after));
	if (pkt->ipv6)
		return;
	memcpy(&check, ip + 10, sizeof(check));
	check = csum_replace(check, csum_add(before, host_to_be16(from)),
			     csum_add(after, host_to_be16(to)));
	memcpy(ip + 10, &check, sizeof(check));
}

/*
 * The frame becomes a segment; it has room for 12 + padding bytes more. Returns the new length, or 0: not a whole
 * UDP datagram. What lies behind the IP packet is cut off.
 */
static inline size_t buffer_to_tcp(__u8 *frame, size_t len, bool ethernet,
				   const struct buffer_segment *seg)
{
	__u8 piece[TRANSFORM_PIECE_MAX], padding[PADDING_MAX] = { 0 }, *l4;
	struct transform_plan plan;
	struct tcp_header tcp;
	struct udp_header udp;
	struct addr src, dst;
	struct packet pkt;
	__u32 piece_sum, padding_sum;
	__u16 payload_len;

	if (!buffer_parse(frame, len, ethernet, &pkt, &src, &dst) || pkt.proto != IPPROTO_UDP)
		return 0;
	l4 = frame + pkt.l4_off;
	memcpy(&udp, l4, sizeof(udp));
	if (be16_to_host(udp.len) != pkt.l4_len || (size_t)pkt.l4_off + pkt.l4_len > len)
		return 0;
	payload_len = pkt.l4_len - UDP_HEADER_LEN;
	transform_plan_make(&plan, payload_len,
			    transform_padding(seg->padding, seg->seq, seg->ack));
	tcp_header_make(&tcp, udp.src_port, udp.dst_port, seg->seq, seg->ack,
			payload_len <= 1 ? TCP_ACK | TCP_PSH : TCP_ACK, seg->window);
	memcpy(piece, l4 + UDP_HEADER_LEN, plan.piece_len);
	if (!transform_padding_must_be_zero(&plan))
		memcpy(padding, seg->padding_bytes, plan.padding);
	piece_sum = buffer_piece_sum(piece, plan.piece_len);
	padding_sum = buffer_piece_sum(padding, plan.padding);
	if (!udp.check || transform_is_partial(&src, &dst, IPPROTO_UDP, pkt.l4_len, udp.check))
		tcp.check = transform_tcp_check_full(&plan, &tcp, &src, &dst,
						     buffer_sum(l4 + UDP_HEADER_LEN, payload_len),
						     piece_sum, padding_sum);
	else
		tcp.check = transform_tcp_check(&plan, &tcp, udp.check, piece_sum, padding_sum);
	memcpy(l4 + plan.piece_off, piece, plan.piece_len);
	memcpy(l4 + TCP_HEADER_LEN, padding, plan.padding);
	memcpy(l4, &tcp, sizeof(tcp));
	buffer_write_ip(frame, &pkt, IPPROTO_UDP, IPPROTO_TCP, TRANSFORM_GROWTH + plan.padding);
	return (size_t)pkt.l4_off + plan.tcp_len;
}

/* Takes the options out of a segment of l4_len bytes, and their share out of its checksum. */
static inline void buffer_remove_options(__u8 *l4, size_t l4_len, struct tcp_header *tcp)
{
	size_t options_len = (tcp->data_off >> 4) * 4U - TCP_HEADER_LEN;
	__u8 data_off = (TCP_HEADER_LEN / 4) << 4 | (tcp->data_off & 15);
	__u32 gone = buffer_sum(l4 + TCP_HEADER_LEN, options_len), now = 0;

	gone = csum_add(gone, host_to_be16((__u16)l4_len));
	gone = csum_add(gone, host_to_be16((__u16)(tcp->data_off << 8)));
	now = csum_add(now, host_to_be16((__u16)(l4_len - options_len)));
	now = csum_add(now, host_to_be16((__u16)(data_off << 8)));
	tcp->check = csum_replace(tcp->check, gone, now);
	tcp->data_off = data_off;
	memmove(l4 + TCP_HEADER_LEN, l4 + TCP_HEADER_LEN + options_len,
		l4_len - TCP_HEADER_LEN - options_len);
}

/* The reverse. padding: setting. Returns the new length, or 0: nothing that can be restored. */
static inline size_t buffer_to_udp(__u8 *frame, size_t len, bool ethernet, __u8 padding)
{
	__u8 piece[TRANSFORM_PIECE_MAX], *l4;
	struct transform_plan plan;
	struct tcp_header tcp;
	struct udp_header udp;
	struct addr src, dst;
	struct packet pkt;
	__u32 header_len, tcp_payload_len;

	if (!buffer_parse(frame, len, ethernet, &pkt, &src, &dst) || pkt.proto != IPPROTO_TCP ||
	    (size_t)pkt.l4_off + pkt.l4_len > len)
		return 0;
	l4 = frame + pkt.l4_off;
	memcpy(&tcp, l4, sizeof(tcp));
	header_len = (tcp.data_off >> 4) * 4U;
	if (header_len < TCP_HEADER_LEN || header_len > pkt.l4_len)
		return 0;
	tcp_payload_len = pkt.l4_len - header_len;
	padding = transform_padding(padding, be32_to_host(tcp.seq), be32_to_host(tcp.ack));
	if (tcp_payload_len < padding)
		return 0;
	buffer_remove_options(l4, pkt.l4_len, &tcp);
	transform_plan_make(&plan, (__u16)(tcp_payload_len - padding), padding);
	memcpy(piece, l4 + plan.piece_off, plan.piece_len);
	udp.src_port = tcp.src_port;
	udp.dst_port = tcp.dst_port;
	udp.len = host_to_be16(UDP_HEADER_LEN + plan.payload_len);
	udp.check = transform_udp_check(&plan, &tcp, buffer_piece_sum(piece, plan.piece_len),
					buffer_piece_sum(l4 + TCP_HEADER_LEN, plan.padding));
	memcpy(l4, &udp, sizeof(udp));
	memcpy(l4 + UDP_HEADER_LEN, piece, plan.piece_len);
	buffer_write_ip(frame, &pkt, IPPROTO_TCP, IPPROTO_UDP,
			UDP_HEADER_LEN + plan.payload_len - pkt.l4_len);
	return (size_t)pkt.l4_off + UDP_HEADER_LEN + plan.payload_len;
}

#endif
