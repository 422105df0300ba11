/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stateful firewall as strict as conntrack can be: the window rules of tcp_in_window() (net/netfilter/
 * nf_conntrack_proto_tcp.c, nf_conntrack_tcp_be_liberal=0), after Guido van Rooij, "Real Stateful TCP Packet Filtering in
 * IP Filter", and what nf_conntrack_tcp_packet() wants of a RST before them, and of a handshake (tcp_conntracks): a SYN-ACK before any
 * ACK, in a simultaneous open, too. (There it drops a SYN that the side that was second repeats after a SYN-ACK. That is left out: this
 * side cannot know, and nothing is lost.) It sees one pair of ends, from the first SYN on: a SYN that comes later changes nothing until the
 * other side acknowledges it, unless a RST has ended the connection.
 */
#ifndef MIMIC_TEST_FIREWALL_H
#define MIMIC_TEST_FIREWALL_H

#include <string.h>

#include "core/conn.h"

enum {
	FIREWALL_ACK_WINDOW = 66000, /* MAXACKWINCONST */
};

struct firewall_half {
	bool known;
	__u32 begin;   /* behind the SYN */
	__u32 end;     /* highest number sent */
	__u32 max_end; /* highest number that the other side lets it send */
	__u32 max_win; /* largest window that it announced */
	bool acked;
	__u32 max_ack; /* highest number that it acknowledged */
	__u8 scale;
};

struct firewall {
	struct firewall_half half[2];
	struct firewall_half asked[2]; /* what the last SYN of each began, or would begin */
	__u8 first;		       /* who sent the first SYN */
	bool answered;		       /* by a SYN-ACK of the other side; or, after the other's SYN, of any */
	bool ended;		       /* by a RST with the number that its receiver expects */
};

enum firewall_verdict {
	FIREWALL_PASSES,
	FIREWALL_IGNORES, /* late: passes, and changes nothing */
	FIREWALL_INVALID, /* dropped */
};

static inline void firewall_begin(struct firewall_half *half, const struct segment *seg, __u32 end)
{
	memset(half, 0, sizeof(*half));
	half->known = true;
	half->begin = half->end = end;
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
	if (seg->flags & TCP_ACK && (!sender->acked || seq_diff(seg->ack, sender->max_ack) > 0)) {
		sender->acked = true;
		sender->max_ack = seg->ack;
	}
	if (seq_diff(end, sender->end) > 0)
		sender->end = end;
	if (seq_diff(ack + window, receiver->max_end) >= 0)
		receiver->max_end = ack + window + !window;
}

static inline enum firewall_verdict firewall_window(struct firewall_half *sender, struct firewall_half *receiver,
						    const struct segment *seg, __u32 ack, __u32 end)
{
	__u32 ack_window = sender->max_win > FIREWALL_ACK_WINDOW ? sender->max_win : FIREWALL_ACK_WINDOW;

	if (seq_diff(seg->seq, sender->max_end + 1) >= 0 || seq_diff(ack, receiver->end + 1) >= 0)
		return FIREWALL_INVALID;
	if ((receiver->known && seq_diff(end, sender->end - receiver->max_win - 1) <= 0) ||
	    seq_diff(ack, receiver->end - ack_window - 1) <= 0)
		return FIREWALL_IGNORES;
	firewall_note(sender, receiver, seg, ack, end);
	return FIREWALL_PASSES;
}

/*
 * A RST ends nothing that its receiver has acknowledged already, and has to lie in the window as any segment; without an ACK, or with
 * that of 0, which some have, it is taken for one that acknowledges what was sent last.
 */
static inline enum firewall_verdict firewall_sees_rst(struct firewall *firewall, __u8 from, const struct segment *seg)
{
	struct firewall_half *sender = &firewall->half[from], *receiver = &firewall->half[!from];
	__u32 ack = seg->flags & TCP_ACK && seg->ack ? seg->ack : receiver->end;
	enum firewall_verdict verdict;

	if ((!sender->known && !receiver->known) || (receiver->acked && seq_diff(seg->seq, receiver->max_ack) < 0))
		return FIREWALL_INVALID;
	verdict = sender->known ? firewall_window(sender, receiver, seg, ack, seg->seq) : FIREWALL_PASSES; /* the first answer to a SYN */
	if (verdict == FIREWALL_PASSES && (!receiver->acked || seg->seq == receiver->max_ack || seg->seq == sender->end))
		firewall->ended = true;
	return verdict;
}

static inline void firewall_sees_syn(struct firewall *firewall, __u8 from, const struct segment *seg, __u32 end)
{
	struct firewall_half *sender = &firewall->half[from], *receiver = &firewall->half[!from];
	const struct firewall_half *asked = &firewall->asked[!from];

	if (seg->flags & TCP_ACK && asked->known && seg->ack == asked->begin && receiver->known && seg->ack != receiver->begin) {
		*receiver = *asked;
		memset(sender, 0, sizeof(*sender));
	} else if (!(seg->flags & TCP_ACK)) {
		firewall_begin(&firewall->asked[from], seg, end);
		if (firewall->ended)
			memset(firewall->half, 0, sizeof(firewall->half));
	}
	firewall->ended = false;
	if (!sender->known && !receiver->known) {
		firewall->first = from;
		firewall->answered = false;
	}
	if (!sender->known)
		firewall_begin(sender, seg, end);
	firewall->answered |= seg->flags & TCP_ACK && receiver->known;
}

/* A segment from side `from` (0 or 1). */
static inline enum firewall_verdict firewall_sees(struct firewall *firewall, __u8 from, const struct segment *seg)
{
	struct firewall_half *sender = &firewall->half[from], *receiver = &firewall->half[!from];
	__u32 end = seg->seq + seg->payload_len + !!(seg->flags & TCP_SYN) + !!(seg->flags & TCP_FIN);

	if (seg->flags & TCP_RST)
		return firewall_sees_rst(firewall, from, seg);
	if (seg->flags & TCP_SYN)
		firewall_sees_syn(firewall, from, seg, end);
	if (!(seg->flags & TCP_ACK)) /* a SYN again, perhaps late */
		return FIREWALL_PASSES;
	if (!receiver->known)
		return FIREWALL_INVALID;
	if (!firewall->answered) /* an ACK, for the only SYN so far: of a connection that is half open somewhere */
		return from == firewall->first ? FIREWALL_INVALID : FIREWALL_IGNORES;
	return firewall_window(sender, receiver, seg, seg->ack, end);
}

#endif
