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
	TCPOPT_SYN_LEN = 12,

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
	/* where the parser stands */
	__u8 kind;    /* of the option that it is in */
	__u16 length; /* of that option, once known; else 0 */
	__u16 next;   /* the offset at which the next option begins */
};

/*
 * The options of our SYNs and SYN-ACKs, TCPOPT_SYN_LEN bytes: MSS, SACK-permitted, window scale, with the NOPs where Linux
 * without timestamps has them (tcp_options_write(), net/ipv4/tcp_output.c).
 */
CORE_FN void tcpopt_make_syn(__u8 *bytes, __u16 mss, __u8 wscale)
{
	bytes[0] = TCPOPT_MSS;
	bytes[1] = 4;
	bytes[2] = (__u8)(mss >> 8);
	bytes[3] = (__u8)mss;
	bytes[4] = TCPOPT_NOP;
	bytes[5] = TCPOPT_NOP;
	bytes[6] = TCPOPT_SACK_PERMITTED;
	bytes[7] = 2;
	bytes[8] = TCPOPT_NOP;
	bytes[9] = TCPOPT_WSCALE;
	bytes[10] = 3;
	bytes[11] = wscale;
}

/* The window of our SYNs and SYN-ACKs, not scaled: whole segments, as Linux does it (tcp_select_initial_window()). */
CORE_FN __u16 tcpopt_syn_window(__u16 mss)
{
	return mss ? (__u16)(0xffff - 0xffff % mss) : 0xffff;
}

/* One byte, at the offset `at` of `len`. False: a malformed list. */
CORE_FN bool tcpopt_step(struct tcp_options *options, __u32 at, __u32 byte, __u32 len)
{
	if (at >= options->next) {
		options->kind = (__u8)byte;
		options->length = 0;
		options->next = (__u16)(at + (byte == TCPOPT_NOP ? 1 : 2));
		return true;
	}
	if (!options->length) {
		options->length = (__u16)byte;
		options->next = (__u16)(at - 1 + byte);
		return byte >= 2 && options->next <= len && (options->kind != TCPOPT_MSS || byte == 4) &&
		       (options->kind != TCPOPT_WSCALE || byte == 3);
	}
	if (options->kind == TCPOPT_MSS)
		options->mss = (__u16)(options->mss << 8 | byte);
	else if (options->kind == TCPOPT_WSCALE)
		options->wscale = byte > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : (__u8)byte;
	return true;
}

/*
 * Reads the options of a SYN or SYN-ACK from a copy of `len` bytes (at most TCPOPT_MAX_LEN, in a buffer of that
 * size). Unknown options are skipped, a missing one leaves its default (mss 536, scale 0), a scale above 14
 * counts as 14. False: a malformed list; the segment has to be refused.
 *
 * The list is taken one byte at a time, so every access has a constant offset once the verifier walks the loop, and the
 * parser's state lies in *options: in BPF a map value, of which the verifier knows nothing, so that its paths
 * merge after each byte (6.18: a million instructions with the state in registers).
 */
CORE_FN bool tcpopt_parse(const __u8 *bytes, __u32 len, struct tcp_options *options)
{
	options->mss = TCP_MSS_DEFAULT;
	options->wscale = 0;
	options->kind = TCPOPT_NOP;
	options->length = 0;
	options->next = 0;
	for (__u32 i = 0; i < TCPOPT_MAX_LEN; i++) {
		core_stage_end();
		if (i >= len || options->kind == TCPOPT_END)
			break;
		if (!tcpopt_step(options, i, bytes[i], len))
			return false;
	}
	core_stage_end();
	return options->kind == TCPOPT_END || options->next <= len;
}

#endif
