/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The TCP header and the options of SYN and SYN-ACK (RFC 9293 3.1 and 3.2, RFC 7323 2.2, RFC 2018 2).
 */
#ifndef MIMIC_CORE_TCPOPT_H
#define MIMIC_CORE_TCPOPT_H

#include "types.h"

enum {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,

	TCPOPT_END = 0,
	TCPOPT_NOP = 1,
	TCPOPT_MSS = 2,
	TCPOPT_WSCALE = 3,
	TCPOPT_SACK_PERMITTED = 4,
	TCPOPT_MAX_LEN = 40,

	TCP_MSS_DEFAULT = 536, /* RFC 9293 3.7.1: no MSS option */
	TCP_WSCALE_MAX = 14,   /* RFC 7323 2.3 */
};

/* As it lies on the wire. */
struct tcp_header {
	__be16 src_port, dst_port;
	__be32 seq, ack;
	__u8 data_off; /* upper four bits: header length in 32-bit words */
	__u8 flags;
	__be16 window;
	__u16 check;
	__be16 urgent;
};

_Static_assert(sizeof(struct tcp_header) == 20, "RFC 9293");

struct tcp_options {
	__u16 mss;
	__u8 wscale;
};

/*
 * Reads the options of a SYN or SYN-ACK from a copy of `len` bytes (at most TCPOPT_MAX_LEN, in a buffer of that
 * size). Unknown options are skipped, a missing one leaves its default (mss 536, scale 0), a scale above 14
 * counts as 14. False: a malformed list; the segment has to be refused.
 *
 * The list is taken one byte at a time, so that every access has a constant offset once the verifier walks the
 * loop. `zero` is always 0, but in BPF a value that the verifier cannot know: it makes the positions unknown numbers,
 * so that paths which differ in nothing else merge (6.18: 10^6 instructions without, some hundreds with).
 */
CORE_FN bool tcpopt_parse(const __u8 *bytes, __u32 len, __u32 zero, struct tcp_options *options)
{
	__u32 next = zero;    /* the offset at which the next option begins */
	__u32 kind = zero;    /* of the option that we are in */
	__u32 opt_len = zero; /* its length, once known */
	__u32 mss = TCP_MSS_DEFAULT + zero, wscale = zero;

	for (__u32 i = 0; i < TCPOPT_MAX_LEN; i++) {
		__u32 byte = bytes[i];

		if (i >= len)
			break;
		if (i >= next) {
			kind = byte;
			opt_len = zero;
			if (kind == TCPOPT_END)
				break;
			next = i + zero + (kind == TCPOPT_NOP ? 1 : 2);
		} else if (!opt_len) {
			opt_len = byte;
			next = i - 1 + opt_len;
			if (opt_len < 2 || next > len || (kind == TCPOPT_MSS && opt_len != 4) ||
			    (kind == TCPOPT_WSCALE && opt_len != 3))
				return false;
		} else if (kind == TCPOPT_MSS) {
			mss = (mss << 8 | byte) & 0xffff;
		} else if (kind == TCPOPT_WSCALE) {
			wscale = byte > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : byte;
		}
	}
	options->mss = (__u16)mss;
	options->wscale = (__u8)wscale;
	return kind == TCPOPT_END || next <= len;
}

#endif
