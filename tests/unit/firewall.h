/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stateful firewall as strict as conntrack can be: the window rules of tcp_in_window() (net/netfilter/
 * nf_conntrack_proto_tcp.c, nf_conntrack_tcp_be_liberal=0), after Guido van Rooij, "Real Stateful TCP Packet Filtering in
 * IP Filter". It sees one connection, from its first SYN on.
 */
#ifndef MIMIC_TEST_FIREWALL_H
#define MIMIC_TEST_FIREWALL_H

#include "core/conn.h"

enum {
	FIREWALL_ACK_WINDOW = 66000, /* MAXACKWINCONST */
};

struct firewall_half {
	bool known;
	__u32 end;     /* highest number sent */
	__u32 max_end; /* highest number that the other side lets it send */
	__u32 max_win; /* largest window that it announced */
	__u8 scale;
};

struct firewall {
	struct firewall_half half[2];
};

enum firewall_verdict {
	FIREWALL_PASSES,
	FIREWALL_IGNORES, /* late: passes, and changes nothing */
	FIREWALL_INVALID, /* dropped */
};

static inline void firewall_begin(struct firewall_half *half, const struct segment *seg, __u32 end)
{
	half->known = true;
	half->end = end;
	half->max_end = end;
	half->max_win = seg->window ? seg->window : 1;
	half->scale = seg->options.wscale;
}

static inline void firewall_note(struct firewall_half *sender, struct firewall_half *receiver, const struct segment *seg,
				 __u32 ack, __u32 end)
{
	__u32 window = seg->window;

	if (!(seg->flags & TCP_SYN))
		window <<= sender->scale;
	if (sender->max_win < window)
		sender->max_win = window;
	if (seq_diff(end, sender->end) > 0)
		sender->end = end;
	if (seq_diff(ack + window, receiver->max_end) >= 0)
		receiver->max_end = ack + window + !window;
}

/* A segment from side `from` (0 or 1). */
static inline enum firewall_verdict firewall_sees(struct firewall *firewall, __u8 from, const struct segment *seg)
{
	struct firewall_half *sender = &firewall->half[from], *receiver = &firewall->half[!from];
	__u32 end = seg->seq + seg->payload_len + !!(seg->flags & TCP_SYN) + !!(seg->flags & TCP_FIN), ack = seg->ack, ack_window;

	if (seg->flags & TCP_RST)
		return FIREWALL_PASSES;
	if (seg->flags & TCP_SYN && !sender->known)
		firewall_begin(sender, seg, end);
	if (!(seg->flags & TCP_ACK)) /* a SYN again, perhaps late */
		return FIREWALL_PASSES;
	if (!sender->known || !receiver->known)
		return FIREWALL_INVALID;
	ack_window = sender->max_win > FIREWALL_ACK_WINDOW ? sender->max_win : FIREWALL_ACK_WINDOW;
	if (seq_diff(seg->seq, sender->max_end + 1) >= 0 || seq_diff(ack, receiver->end + 1) >= 0)
		return FIREWALL_INVALID;
	if (seq_diff(end, sender->end - receiver->max_win - 1) <= 0 || seq_diff(ack, receiver->end - ack_window - 1) <= 0)
		return FIREWALL_IGNORES;
	firewall_note(sender, receiver, seg, ack, end);
	return FIREWALL_PASSES;
}

#endif
