/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is true of a connection after each thing that happens to it, as ARCHITECTURE.md has it (The state machine, Waiting datagrams). The
 * daemon's queue is modelled here, so that the core's account of it can be compared.
 */
#ifndef MIMIC_TEST_FUZZ_CONN_CLAIMS_H
#define MIMIC_TEST_FUZZ_CONN_CLAIMS_H

#include "fuzz.h"

#include "core/conn_state.h"

/* An effect has room for two segments: a third would take the place of the second, which nobody would miss. */
static inline void fuzz_conn_reply(struct effect *eff, __u8 flags, __u32 seq, __u32 ack, __u16 window, __u8 payload_len)
{
	claim(!eff->reply[0].flags || !eff->reply[1].flags);
	conn_reply(eff, flags, seq, ack, window, payload_len);
}

static inline void fuzz_conn_reply_ack(struct conn *conn, const struct env *env, struct effect *eff)
{
	claim(!eff->reply[0].flags || !eff->reply[1].flags);
	conn_reply_ack(conn, env, eff);
}

#define conn_reply     fuzz_conn_reply
#define conn_reply_ack fuzz_conn_reply_ack
#include "core/conn.h"
#undef conn_reply
#undef conn_reply_ack

enum event {
	EVENT_OUT,
	EVENT_RELEASED,
	EVENT_IN,
	EVENT_TICK,
	EVENT_REFIT,
	EVENT_SHUTDOWN, /* after it nothing is claimed but that it is the end */
};

struct waiting_datagram {
	__u32 number, end, len;
};

struct world {
	struct conn c;
	bool exists;
	struct env env;
	struct conn_settings settings; /* of its filter */
	__u32 isn_base;
	/* before the event, and what it was */
	struct conn before;
	enum event event;
	struct segment seg;	 /* EVENT_IN */
	__u32 payload_len;	 /* EVENT_OUT, EVENT_RELEASED */
	struct effect eff;
	/* the daemon */
	struct waiting_datagram queue[CONN_HELD_MAX];
	__u32 waits, waiting_bytes;
	__u32 limit;
	bool limit_known;
	struct tcp_header late; /* the last ACK that it was told to send; flags 0: none yet */
	/* what was seen */
	bool ack_known, edge_known;
	__u32 ack, edge; /* announced, and by the peer: the highest */
	__s32 half_open;
	__u64 answer_ns[2]; /* the last RST, the last SYN-ACK in a state; 0: none in this one */
	__u64 tx_packets, tx_bytes, rx_packets, rx_bytes;
};

static inline bool claims_flag(const struct world *w, __u8 flags)
{
	return w->seg.flags & flags;
}

/* ---- states */

static inline bool claims_acknowledges_syn(const struct world *w)
{
	return claims_flag(w, TCP_ACK) && !claims_flag(w, TCP_RST | TCP_FIN) && w->seg.ack == w->before.snd_nxt;
}

static inline bool claims_ends_exactly(const struct world *w)
{
	return claims_flag(w, TCP_RST | TCP_FIN) && w->seg.seq == w->before.rcv_nxt;
}

/* A segment led from one state to another, which is not the same. */
static inline bool claims_segment_may(const struct world *w, __u8 from, __u8 to)
{
	switch (from) {
	case CONN_IDLE:
		return to == CONN_SYN_RECEIVED && claims_flag(w, TCP_SYN) && !claims_flag(w, TCP_ACK | TCP_RST | TCP_FIN);
	case CONN_SYN_SENT:
		if (to == CONN_SYN_RECEIVED)
			return claims_flag(w, TCP_SYN) && !claims_flag(w, TCP_ACK | TCP_RST);
		return to == CONN_ESTABLISHED && claims_flag(w, TCP_ACK) && w->seg.ack == w->before.snd_nxt &&
		       !claims_flag(w, claims_flag(w, TCP_SYN) ? TCP_RST : TCP_RST | TCP_FIN);
	case CONN_SYN_RECEIVED:
		if (to == CONN_ESTABLISHED)
			return claims_acknowledges_syn(w);
		return claims_ends_exactly(w) && (w->before.simultaneous || !w->before.contested) &&
		       (to != CONN_SYN_SENT || w->before.held);
	case CONN_ESTABLISHED:
		return claims_ends_exactly(w) && to != CONN_CLOSED && to != CONN_SYN_RECEIVED &&
		       (to != CONN_SYN_SENT || w->before.held);
	default:
		return false;
	}
}

static inline bool claims_clock_may(const struct world *w, __u8 from, __u8 to)
{
	switch (from) {
	case CONN_IDLE:
		return to == CONN_CLOSED && !w->before.held;
	case CONN_SYN_SENT:
		return to == CONN_IDLE;
	case CONN_SYN_RECEIVED:
		return to == CONN_IDLE || (to == CONN_CLOSED && !w->before.simultaneous);
	case CONN_ESTABLISHED:
		return to == CONN_IDLE || to == CONN_SYN_SENT;
	default:
		return false;
	}
}

static inline void claims_state(const struct world *w)
{
	__u8 from = w->before.state, to = w->c.state;

	claim(to <= CONN_CLOSED);
	claim_eq(w->eff.remove != 0, to == CONN_CLOSED);
	if (from == to)
		return;
	switch (w->event) {
	case EVENT_OUT:
		claim(from == CONN_IDLE && to == CONN_SYN_SENT);
		break;
	case EVENT_IN:
		claim(claims_segment_may(w, from, to));
		break;
	case EVENT_TICK:
		claim(claims_clock_may(w, from, to));
		break;
	case EVENT_REFIT:
		claim(to == CONN_CLOSED || (to == CONN_IDLE && !w->c.settings.handshake_interval_s &&
					    (from == CONN_SYN_SENT || (from == CONN_SYN_RECEIVED && w->before.simultaneous))));
		break;
	default:
		claim(from == to);
	}
	claim(to != CONN_SYN_SENT || w->c.settings.handshake_interval_s);
}

/* Those that the shell counts in shared.half_open. One that a RST removes counts until the daemon counts anew. */
static inline void claims_half_open(struct world *w)
{
	w->half_open += w->eff.half_open;
	if (w->eff.remove && w->event == EVENT_IN)
		w->half_open--;
	claim_eq(w->half_open, conn_is_half_open(&w->c) && !w->eff.remove);
}

/* ---- numbers */

static inline void claims_announce(struct world *w, __u32 ack)
{
	if (w->ack_known)
		claim(seq_diff(ack, w->ack) >= 0);
	w->ack = ack;
	w->ack_known = true;
}

/* How far the peer said that we may go: no claim about what was not believed, so the highest. */
static inline void claims_note_edge(struct world *w)
{
	__u32 window = claims_flag(w, TCP_SYN) ? w->seg.window : (__u32)w->seg.window << (w->c.peer_wscale & 15), edge;

	if (w->c.state != CONN_ESTABLISHED || w->before.state != CONN_ESTABLISHED)
		w->edge_known = false;
	if (w->event != EVENT_IN || w->c.state != CONN_ESTABLISHED || !claims_flag(w, TCP_ACK))
		return;
	if (w->before.state == CONN_ESTABLISHED &&
	    (claims_flag(w, TCP_SYN | TCP_RST | TCP_FIN) || seq_diff(w->seg.ack, w->before.snd_nxt) > 0 ||
	     seq_diff(w->before.snd_una, w->seg.ack) > CONN_WINDOW_FULL))
		return;
	edge = w->seg.ack + (window < CONN_WINDOW_FULL ? window : CONN_WINDOW_FULL);
	if (!w->edge_known || seq_diff(edge, w->edge) > 0)
		w->edge = edge;
	w->edge_known = true;
}

/* One segment behind a gap moves nothing, and none moves our ACK farther than where the peer ended. */
static inline void claims_numbers(struct world *w)
{
	const struct conn *was = &w->before, *now = &w->c;
	bool stays = was->state == CONN_ESTABLISHED && now->state == CONN_ESTABLISHED;
	__u32 end = w->seg.seq + w->seg.payload_len + claims_flag(w, TCP_SYN);

	claim(now->snd_wnd <= CONN_WINDOW_FULL);
	claims_note_edge(w);
	if (!stays)
		return;
	claim(now->rcv_wnd <= conn_window_full(now));
	claim_eq(conn_window_full(now), now->settings.max_window ? 0xffffU << conn_window_scale(now) : 0x3400U << conn_window_scale(now));
	claim(seq_diff(now->snd_nxt, was->snd_nxt) >= 0 && seq_diff(now->snd_una, was->snd_una) >= 0);
	claim(seq_diff(now->snd_una, now->snd_nxt) <= 0);
	if (w->event != EVENT_IN)
		claim_eq(now->rcv_nxt, was->rcv_nxt);
	if (now->rcv_nxt == was->rcv_nxt)
		return;
	claim(seq_diff(now->rcv_nxt, was->rcv_nxt) > 0 && seq_diff(now->rcv_nxt, end) <= 0);
	claim(seq_diff(w->seg.seq, was->rcv_nxt) <= (claims_flag(w, TCP_SYN) ? CONN_SYN_ACK_DRIFT : 0) || was->gap_known || was->jump_known);
}

/* ---- data */

static inline void claims_passed_out(struct world *w)
{
	__u8 padding = transform_padding(w->before.settings.padding, w->before.snd_nxt, w->before.rcv_nxt);
	__u32 need = w->payload_len + padding;

	claim_eq(w->before.state, CONN_ESTABLISHED);
	claim_eq(w->eff.padding, padding);
	claim_eq(w->eff.seq, w->before.snd_nxt);
	claim_eq(w->eff.ack, w->before.rcv_nxt);
	claim(need <= w->before.snd_wnd);
	claim(w->edge_known && (!need || seq_diff(w->eff.seq + need, w->edge) <= 0));
	claims_announce(w, w->eff.ack);
	w->tx_packets++;
	w->tx_bytes += w->payload_len;
}

static inline void claims_passed_in(struct world *w)
{
	const struct conn *was = &w->before;
	__s32 diff = seq_diff(w->seg.seq, was->rcv_nxt);

	claim_eq(w->c.state, CONN_ESTABLISHED);
	claim(!w->seg.damaged && claims_flag(w, TCP_ACK) && !claims_flag(w, TCP_SYN | TCP_RST | TCP_FIN));
	claim(w->seg.payload_len > 1 || claims_flag(w, TCP_PSH));
	claim_eq(w->eff.padding, transform_padding(was->settings.padding, w->seg.seq, w->seg.ack));
	claim(w->seg.payload_len >= w->eff.padding);
	if (was->state == CONN_ESTABLISHED)
		claim(diff <= CONN_SEQ_TOLERANCE && diff >= -CONN_SEQ_TOLERANCE && seq_diff(w->seg.ack, was->snd_nxt) <= CONN_NEAR &&
		      seq_diff(was->snd_una, w->seg.ack) <= CONN_WINDOW_FULL);
	else
		claim(claims_acknowledges_syn(w));
	w->rx_packets++;
	w->rx_bytes += w->seg.payload_len - w->eff.padding;
}

static inline void claims_verdict(struct world *w)
{
	bool out = w->event == EVENT_OUT || w->event == EVENT_RELEASED;

	switch (w->eff.verdict) {
	case VERDICT_PASS:
		claim(out || w->event == EVENT_IN);
		if (out)
			claims_passed_out(w);
		else
			claims_passed_in(w);
		break;
	case VERDICT_DROP:
		claim((out || w->event == EVENT_IN) && w->eff.reason >= REASON_DROP_HOLD_FULL);
		break;
	case VERDICT_HOLD:
		claim(w->event == EVENT_OUT);
		break;
	case VERDICT_WAIT:
		claim(w->event == EVENT_RELEASED && w->c.held);
		break;
	default:
		claim(!out && w->eff.verdict == VERDICT_CONSUME);
	}
	claim_eq(w->c.traffic.tx_packets, w->tx_packets);
	claim_eq(w->c.traffic.tx_bytes, w->tx_bytes);
	claim_eq(w->c.traffic.rx_packets, w->rx_packets);
	claim_eq(w->c.traffic.rx_bytes, w->rx_bytes);
}

/* ---- segments that are sent */

/* At most one in CONN_CHALLENGE_NS for each state in which the connection is: whoever sends nonsense draws no more. */
static inline void claims_rare(struct world *w, int which)
{
	if (w->c.state != w->before.state)
		return;
	if (w->answer_ns[which])
		claim(w->env.now_ns - w->answer_ns[which] >= CONN_CHALLENGE_NS);
	w->answer_ns[which] = w->env.now_ns;
}

static inline void claims_reset(struct world *w, const struct reply *reply)
{
	claim(!reply->payload_len);
	if (reply->flags & TCP_ACK) { /* an established connection ends by this side */
		claim(w->before.state == CONN_ESTABLISHED && w->c.state != CONN_ESTABLISHED && w->event != EVENT_IN);
		claim(reply->seq == w->before.snd_nxt && reply->ack == w->before.rcv_nxt && reply->window);
	} else {
		claim(!reply->ack && !reply->window && (w->before.state != CONN_ESTABLISHED || w->event == EVENT_IN));
	}
	claim(w->before.state != CONN_SYN_SENT || w->event == EVENT_IN);
	claim(w->event != EVENT_OUT && w->event != EVENT_RELEASED);
	if (w->event != EVENT_IN)
		return;
	claim(!claims_flag(w, TCP_RST));
	if (w->before.state == CONN_IDLE || w->before.state == CONN_SYN_RECEIVED)
		claim(w->before.settings.guard != GUARD_SILENT);
	claim_eq(reply->seq, claims_flag(w, TCP_FIN) && w->c.state != w->before.state ? w->before.snd_nxt : w->seg.ack);
	claims_rare(w, 0);
}

static inline void claims_reply(struct world *w, const struct reply *reply)
{
	bool crossed = w->c.state == CONN_SYN_RECEIVED && w->c.simultaneous;

	switch (reply->flags) {
	case TCP_SYN:
		claim(w->c.state == CONN_SYN_SENT || crossed);
		claim(w->c.settings.handshake_interval_s);
		claim_eq(reply->seq, w->c.snd_nxt - 1);
		claim(!reply->ack && !reply->payload_len);
		break;
	case TCP_SYN | TCP_ACK:
		claim_eq(reply->seq, w->c.snd_nxt - 1);
		if (crossed) {
			claim_eq(w->c.simultaneous, CONN_CROSSED_SYN_ACK);
			claim(reply->ack == w->c.rcv_nxt && !reply->payload_len);
			break;
		}
		claim(conn_is_half_open(&w->c) && w->event == EVENT_IN && claims_flag(w, TCP_SYN));
		claim_eq(reply->ack, w->seg.seq + 1);
		claim(!reply->payload_len);
		if (w->env.crowded)
			claims_rare(w, 1);
		break;
	case TCP_ACK:
		claim(w->c.state == CONN_ESTABLISHED || crossed);
		claim(reply->payload_len <= 1 && w->c.snd_nxt - reply->seq <= 2U);
		claim(w->c.rcv_nxt - reply->ack <= (w->c.state == w->before.state ? 0U : w->seg.payload_len));
		break;
	default:
		claim_eq(reply->flags & ~TCP_ACK, TCP_RST);
		claims_reset(w, reply);
	}
	if (reply->flags & TCP_ACK)
		claims_announce(w, reply->ack);
}

static inline void claims_replies(struct world *w)
{
	if (w->c.state != w->before.state)
		w->answer_ns[0] = w->answer_ns[1] = 0;
	/* Half open, another SYN may begin another row of numbers. */
	if (w->c.state != CONN_ESTABLISHED || w->eff.notify & NOTIFY_ESTABLISHED)
		w->ack_known = false;
	claim(!w->eff.reply[1].flags || w->eff.reply[0].flags);
	for (int i = 0; i < CONN_REPLIES; i++) {
		if (w->eff.reply[i].flags)
			claims_reply(w, &w->eff.reply[i]);
	}
}

/* ---- the queue */

static inline void claims_hold(struct world *w)
{
	struct waiting_datagram *last = &w->queue[w->waits];

	claim(w->waits < CONN_HELD_MAX);
	claim_eq(w->eff.held_first != 0, !w->waits);
	claim_eq(w->eff.epoch, w->c.epoch);
	*last = (struct waiting_datagram){ w->eff.held_number, w->eff.held_end, w->payload_len };
	if (w->waits)
		claim(seq_diff(last->number, last[-1].number) > 0 && seq_diff(last->end, last[-1].end) >= 0);
	w->waits++;
	w->waiting_bytes += w->payload_len;
}

static inline void claims_queue(struct world *w)
{
	const struct conn *c = &w->c;
	__u32 space, room = c->snd_wnd + 1 > CONN_HELD_MAX ? c->snd_wnd + 1 - CONN_HELD_MAX : 0;

	claim_eq(w->eff.flushed, w->eff.notify & NOTIFY_FLUSH ? w->waits : 0);
	if (w->eff.notify & NOTIFY_FLUSH) {
		claim_eq(w->eff.epoch, c->epoch);
		w->waits = w->waiting_bytes = 0;
	}
	if (w->eff.verdict == VERDICT_HOLD)
		claims_hold(w);
	space = w->waiting_bytes + w->waits * conn_space(c, 0);
	claim_eq(c->held, w->waits);
	claim(c->held <= CONN_HELD_MAX && c->held_space <= CONN_HELD_SPACE_MAX);
	claim(c->held ? c->held_space >= space : !c->held_space);
	claim(!c->held || c->state == CONN_SYN_SENT || c->state == CONN_SYN_RECEIVED || c->state == CONN_ESTABLISHED);
	if (c->state != CONN_ESTABLISHED || w->eff.notify & (NOTIFY_ESTABLISHED | NOTIFY_FLUSH) || w->eff.held_first)
		w->limit_known = false;
	if (!(w->eff.notify & NOTIFY_RELEASE))
		return;
	claim(c->held && c->state == CONN_ESTABLISHED);
	claim(w->eff.epoch == c->epoch && w->eff.release_limit == c->release_limit);
	claim(seq_diff(c->release_limit, conn_held_begin(c)) <= (__s32)room);
	w->limit = w->eff.release_limit;
	w->limit_known = true;
}

/* ---- all of it, after an event */

/* FUZZ_TRACE=1 shows each event. */
static inline void claims_trace(const struct world *w)
{
	static const char *const names[] = { "out", "released", "in", "tick", "refit", "shutdown" };
	static int wanted = -1;
	const struct conn *c = &w->c;

	if (wanted < 0)
		wanted = getenv("FUZZ_TRACE") != NULL;
	if (!wanted)
		return;
	fprintf(stderr, "%.3f %s", (double)w->env.now_ns / 1e9, names[w->event]);
	if (w->event == EVENT_IN)
		fprintf(stderr, " flags %#x seq %#x ack %#x window %u len %u", w->seg.flags, w->seg.seq, w->seg.ack, w->seg.window,
			w->seg.payload_len);
	fprintf(stderr, ": state %u to %u, verdict %u reason %u notify %#x; snd %#x una %#x window %u, rcv %#x, held %u, timer %.3f",
		w->before.state, c->state, w->eff.verdict, w->eff.reason, w->eff.notify, c->snd_nxt, c->snd_una, c->snd_wnd, c->rcv_nxt,
		c->held, (double)c->timer_ns / 1e9);
	for (int i = 0; i < CONN_REPLIES && w->eff.reply[i].flags; i++)
		fprintf(stderr, "; reply flags %#x seq %#x ack %#x len %u", w->eff.reply[i].flags, w->eff.reply[i].seq, w->eff.reply[i].ack,
			w->eff.reply[i].payload_len);
	fprintf(stderr, "\n");
}

static inline void claims_check(struct world *w)
{
	const struct conn *c = &w->c;

	claims_trace(w);
	claims_state(w);
	claims_half_open(w);
	claims_numbers(w);
	claims_verdict(w);
	claims_replies(w);
	claims_queue(w);
	claim((c->state != CONN_SYN_SENT && c->state != CONN_SYN_RECEIVED) || c->timer_ns); /* nothing waits for ever */
	claim(c->cooldown_level <= 2 && c->check_probes <= CONN_CHECK_PROBES_LONG);
	claim(c->state == CONN_ESTABLISHED || !(w->eff.notify & (NOTIFY_RELEASE | NOTIFY_ESTABLISHED)));
	claim_eq(w->before.state == CONN_ESTABLISHED && c->state != CONN_ESTABLISHED, !!(w->eff.notify & (NOTIFY_LOST | NOTIFY_CLOSED)));
}

#endif
