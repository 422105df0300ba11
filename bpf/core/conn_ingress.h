/* SPDX-License-Identifier: GPL-2.0-only */
/* A segment comes in: of the handshake, of no connection, or of one that stands (conn_ingress_data.h). */
#ifndef MIMIC_CORE_CONN_INGRESS_H
#define MIMIC_CORE_CONN_INGRESS_H

#include "conn_ingress_data.h"
#include "conn_life.h"
#include "conn_queue.h"
#include "conn_state.h"

/* The numbers of the peer, and what its options say. */
CORE_FN void conn_take_syn(struct conn *conn, const struct segment *seg)
{
	conn->irs = seg->seq;
	conn->rcv_nxt = seg->seq + 1;
	conn->peer_mss = seg->options.mss;
	conn->peer_wscale = seg->options.wscale;
}

CORE_FN enum conn_crossed conn_how_to_cross(const struct segment *syn)
{
	return syn->window == CONN_WINDOW_UNSCALED ? CONN_CROSSED_ACK : CONN_CROSSED_SYN_ACK;
}

/* The peer's SYN is not known, only the segment that followed it. */
CORE_FN void conn_assume_syn(struct conn *conn, const struct segment *seg)
{
	conn->irs = seg->seq - 1;
	conn->peer_mss = TCP_MSS_DEFAULT;
	conn->peer_wscale = CONN_WINDOW_SCALE;
}

/*
 * Whether a SYN is answered that comes after another one. The same again once in CONN_CHALLENGE_NS. If there are several numbers, one is that
 * of the peer, and the others a stranger's, who may send many: so oftener, at random, and with a second chance, lest he keeps the peer
 * from being heard by sending his at the right time. (But many answers to few addresses cost as much as few to many: not where there is
 * a flood of those.)
 */
CORE_FN bool conn_may_answer_syn(struct conn *conn, const struct env *env, const struct segment *seg)
{
	__u64 age_ns = conn_age(env->now_ns, conn->syn_ns);

	if (age_ns >= CONN_CHALLENGE_NS)
		return true;
	if (env->crowded || (seg->seq == conn->irs && !conn->contested))
		return false;
	return age_ns >= conn_random(conn) % CONN_RIVAL_NS || conn_may_challenge(conn, env);
}

/* The peer begins a connection. */
CORE_FN void conn_respond(struct conn *conn, const struct env *env)
{
	conn->simultaneous = 0;
	conn->contested = 0;
	conn->begun_ns = env->now_ns;
}

/*
 * A SYN (section 3), in IDLE, or once more in SYN_RECEIVED. There our number stays: its ACK proves the peer, whichever SYN came first.
 * Answers have an interval of their own: other doubtful segments take none away.
 */
CORE_FN void conn_ingress_syn(struct conn *conn, const struct env *env, const struct segment *seg,
			      struct effect *eff)
{
	if (conn->state == CONN_IDLE) {
		conn_respond(conn, env);
		conn->snd_nxt = conn_isn(conn, env) + 1;
		eff->half_open++;
	} else if (!conn_may_answer_syn(conn, env, seg)) {
		conn_consume(eff);
		return;
	}
	conn->contested |= conn->state == CONN_SYN_RECEIVED && seg->seq != conn->irs;
	if (!conn->contested)
		conn_take_syn(conn, seg);
	conn->syn_ns = env->now_ns;
	conn->state = CONN_SYN_RECEIVED;
	if (seg->seq == conn->irs) /* whence the round trip is measured */
		conn->last_rx_ns = env->now_ns;
	if (!conn_asks(conn))
		conn->timer_ns = env->now_ns + CONN_HALF_OPEN_NS;
	conn->retries = 0;
	conn_consume(eff);
	conn_reply(eff, TCP_SYN | TCP_ACK, conn->snd_nxt - 1, seg->seq + 1, CONN_WINDOW_UNSCALED, 0);
}

/*
 * A segment acknowledges our SYN or SYN-ACK: the ACK of the handshake, or data that proves the ACK that was lost (data before it may be
 * lost, too). Only the peer knows that number, while the SYN that is remembered may be anybody's: if the segment does not follow that SYN,
 * nothing of the SYN counts.
 */
CORE_FN void conn_ingress_proof(struct conn *conn, const struct env *env, const struct segment *seg, struct effect *eff)
{
	__s32 diff = seq_diff(seg->seq, conn->rcv_nxt);

	if (conn->state == CONN_SYN_SENT || diff < -1 ||
	    diff > (conn->simultaneous || conn->contested ? 0 : CONN_SEQ_TOLERANCE))
		conn_assume_syn(conn, seg);
	if (diff != -1 || conn->state == CONN_SYN_SENT) /* no keepalive */
		conn->rcv_nxt = seg->seq;
	conn_established(conn, env, seg, eff);
	if (conn_is_pure_ack(seg))
		return;
	conn_advance(conn, env, seg, 0);
	if (!conn_is_probe(seg))
		conn_ingress_data(conn, env, seg, eff);
}

CORE_FN void conn_ingress_syn_sent(struct conn *conn, const struct env *env, const struct segment *seg,
				   struct effect *eff)
{
	conn_consume(eff);
	if (seg->flags & TCP_RST) { /* its ACK proves a host that knows our SYN, but no Mimic; keep trying */
		if ((seg->flags & TCP_ACK) && seg->ack == conn->snd_nxt)
			eff->reason = REASON_RX_REFUSED;
		return;
	}
	if (seg->flags & TCP_SYN) {
		if (!seg->options_ok) {
			conn_drop(conn, eff, REASON_DROP_RX_OPTIONS);
			return;
		}
		if (seg->flags & TCP_ACK && seg->ack != conn->snd_nxt) {
			if (conn_may_challenge(conn, env))
				conn_reply(eff, TCP_RST, seg->ack, 0, 0, 0);
			return;
		}
		conn_take_syn(conn, seg);
		if (seg->flags & TCP_ACK) {
			conn_established(conn, env, seg, eff);
			return;
		}
		/* Simultaneous open. A plain ACK has our SYN before it, in case the peer has not got that. It lives: no cooldown any more. */
		conn_cross(conn, env, conn_how_to_cross(seg), eff);
		conn->cooldown_ns = 0;
		if (conn->simultaneous == CONN_CROSSED_ACK)
			conn_reply(eff, TCP_ACK, conn->snd_nxt, conn->rcv_nxt, CONN_WINDOW_UNSCALED, 0);
		return;
	}
	if (!(seg->flags & TCP_ACK))
		return;
	/* Simultaneous open: it has overtaken the peer's own SYN, or that was believed to be over (conn_uncross()). */
	if (seg->ack == conn->snd_nxt && !(seg->flags & TCP_FIN)) {
		conn_ingress_proof(conn, env, seg, eff);
		return;
	}
	/*
	 * The peer holds an older connection: RFC 9293 3.5.2 resets it by its own number, and our SYN follows, so that
	 * a restart is settled in one round trip.
	 */
	if (seg->ack != conn->snd_nxt && conn_may_challenge(conn, env)) {
		conn_reply(eff, TCP_RST, seg->ack, 0, 0, 0);
		conn_repeat_syn_timed(conn, env, eff, conn->timer_ns > env->now_ns ? conn->timer_ns - env->now_ns : 0);
	}
}

/*
 * The peer's SYN comes again after a simultaneous open: ours got lost, or is still under way. In the latter case another one
 * would arrive too late (conn_crossing_patience()). Peers that repeat theirs fast are not of 0.7.x, and mind none, nor who takes a SYN-ACK.
 */
CORE_FN bool conn_crossed_may_repeat(const struct conn *conn, const struct env *env)
{
	__u64 age_ns = conn_age(env->now_ns, conn->syn_ns);

	return conn->simultaneous == CONN_CROSSED_SYN_ACK || age_ns < CONN_CROSSED_FAST_NS || age_ns >= conn_crossing_ns(conn);
}

/* Simultaneous open, and a SYN again: the peer did not get our ACK, or not our SYN. Or it is another one. */
CORE_FN void conn_ingress_syn_crossed(struct conn *conn, const struct env *env, const struct segment *seg, struct effect *eff)
{
	bool again = seg->seq == conn->irs;

	if (again ? !conn_crossed_may_repeat(conn, env) || !conn_may_challenge(conn, env) : !conn_may_answer_syn(conn, env, seg))
		return;
	conn_take_syn(conn, seg);
	conn->simultaneous = (__u8)conn_how_to_cross(seg);
	if (conn->simultaneous == CONN_CROSSED_SYN_ACK) {
		if (!again) /* one of the two is a stranger's: the SYN asks the peer, whichever is his */
			conn_repeat_syn(conn, env, eff);
		conn->syn_ns = env->now_ns;
		conn_reply_syn_ack(conn, eff);
		return;
	}
	conn_repeat_syn(conn, env, eff);
	conn_reply(eff, TCP_ACK, conn->snd_nxt, conn->rcv_nxt, CONN_WINDOW_UNSCALED, 0);
}

CORE_FN void conn_ingress_syn_received(struct conn *conn, const struct env *env, const struct segment *seg,
				       struct effect *eff)
{
	conn_consume(eff);
	if (seg->flags & (TCP_RST | TCP_FIN)) {
		/* Who forged the SYN that came first can forge this, too, while the peer is on its way to acknowledge our number. */
		if (seg->seq != conn->rcv_nxt || (conn->contested && !conn->simultaneous))
			return;
		eff->reason = REASON_RX_RST;
		conn->events.resets++;
		if (conn->simultaneous && conn->held && conn->settings.handshake_interval_s) {
			conn_uncross(conn, env, eff);
			return;
		}
		if (!(seg->flags & TCP_RST) && conn->settings.guard != GUARD_SILENT)
			conn_reply(eff, TCP_RST, conn->snd_nxt, 0, 0, 0);
		/* Counted as half open until the daemon counts anew, within a second: pairs of SYN and RST are a flood as well. */
		if (conn_is_half_open(conn))
			conn_abandon(conn, env, eff);
		else
			conn_lost(conn, env, false, eff);
		return;
	}
	if ((seg->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		if (!seg->options_ok) {
			conn_drop(conn, eff, REASON_DROP_RX_OPTIONS);
			return;
		}
		if (conn->simultaneous)
			conn_ingress_syn_crossed(conn, env, seg, eff);
		else
			conn_ingress_syn(conn, env, seg, eff); /* repeated, or the peer began again */
		return;
	}
	if (!(seg->flags & TCP_ACK) || seg->ack != conn->snd_nxt) {
		conn_drop(conn, eff, REASON_DROP_RX_STATE);
		if (seg->flags & TCP_ACK && conn->settings.guard != GUARD_SILENT && conn_may_challenge(conn, env))
			conn_reply(eff, TCP_RST, seg->ack, 0, 0, 0);
		return;
	}
	if (seg->flags & TCP_SYN) {
		if (!conn->simultaneous || !seg->options_ok) {
			conn_drop(conn, eff, conn->simultaneous ? REASON_DROP_RX_OPTIONS : REASON_DROP_RX_STATE);
			return;
		}
		/* Only who got our SYN knows its number, while the SYN that came before may be anybody's. */
		conn_take_syn(conn, seg);
		conn_established(conn, env, seg, eff);
		return;
	}
	conn_ingress_proof(conn, env, seg, eff);
}

/*
 * A segment that matches a filter but no connection. True: it is a SYN that begins one (create the entry, then
 * conn_ingress()). False: the effect says what to do instead.
 */
CORE_FN bool conn_unknown(const struct conn_settings *settings, const struct segment *seg, struct effect *eff)
{
	if ((seg->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN) {
		if (seg->options_ok)
			return true;
		conn_drop_unknown(eff, REASON_DROP_RX_OPTIONS);
		return false;
	}
	conn_drop_unknown(eff, REASON_DROP_RX_UNKNOWN);
	if (!(seg->flags & (TCP_RST | TCP_FIN)) && settings->guard != GUARD_SILENT)
		conn_reply(eff, TCP_RST, seg->ack, 0, 0, 0);
	return false;
}

/* The ACK in `seg` proves that its sender got the SYN-ACK of a cookie: as if its SYN had been remembered. From IDLE. */
CORE_FN void conn_recall_syn(struct conn *conn, const struct env *env, const struct segment *seg)
{
	conn_respond(conn, env);
	conn_assume_syn(conn, seg);
	conn->state = CONN_SYN_RECEIVED;
	conn->rcv_nxt = seg->seq;
	conn->snd_nxt = seg->ack;
	conn->last_rx_ns = env->now_ns;
	conn->timer_ns = env->now_ns + CONN_HALF_OPEN_NS; /* should the segment itself be damaged */
}

/*
 * PASS: data, to be restored, with `padding`. CONSUME or DROP: not for the UDP application.
 * The connection is in the table; a segment of an unknown connection goes to conn_unknown() first.
 */
CORE_FN void conn_ingress(struct conn *conn, const struct env *env, const struct segment *seg, struct effect *eff)
{
	eff->epoch = conn->epoch;
	if (seg->damaged) {
		conn_drop_unknown(eff, REASON_DROP_RX_CHECKSUM);
		conn_note_drop(conn, REASON_DROP_RX_CHECKSUM, 1);
		return;
	}
	switch (conn->state) {
	case CONN_ESTABLISHED:
		conn_ingress_established(conn, env, seg, eff);
		break;
	case CONN_SYN_RECEIVED:
		conn_ingress_syn_received(conn, env, seg, eff);
		break;
	case CONN_SYN_SENT:
		conn_ingress_syn_sent(conn, env, seg, eff);
		break;
	case CONN_IDLE:
		if (conn_unknown(&conn->settings, seg, eff)) {
			conn_ingress_syn(conn, env, seg, eff);
			break;
		}
		figures_count_drop(&conn->events, (enum reason)eff->reason, 1);
		if (eff->reply[0].flags && !conn_may_challenge(conn, env))
			eff->reply[0].flags = 0;
		break;
	default:
		conn_drop_unknown(eff, REASON_DROP_RX_STATE);
	}
}

#endif
