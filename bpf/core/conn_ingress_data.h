/* SPDX-License-Identifier: GPL-2.0-only */
/* A segment of an established connection comes in. */
#ifndef MIMIC_CORE_CONN_INGRESS_DATA_H
#define MIMIC_CORE_CONN_INGRESS_DATA_H

#include "conn_life.h"
#include "conn_queue.h"
#include "conn_state.h"

CORE_FN bool conn_is_probe(const struct segment *seg)
{
	return seg->payload_len == 1 && !(seg->flags & TCP_PSH);
}

CORE_FN bool conn_is_pure_ack(const struct segment *seg)
{
	return !seg->payload_len && !(seg->flags & TCP_PSH);
}

/* Data, already accepted: verdict, and whether the restored datagram can have come from such a segment. */
CORE_FN void conn_ingress_data(struct conn *conn, const struct env *env, const struct segment *seg,
			       struct effect *eff)
{
	__u8 padding = transform_padding(conn->settings.padding, seg->seq, seg->ack);

	conn->last_use_ns = env->now_ns;
	if (seg->payload_len < padding) {
		conn_drop(conn, eff, REASON_DROP_RX_PADDING);
		return;
	}
	eff->verdict = VERDICT_PASS;
	eff->reason = REASON_RX_DATA;
	eff->padding = padding;
	conn->traffic.rx_packets++;
	conn->traffic.rx_bytes += seg->payload_len - padding;
}

/*
 * Whether a segment's ACK field can be the peer's (RFC 9293 3.10.7.4, RFC 5961 5.2): it acknowledges nothing that was not
 * sent, and nothing older than a window. A peer whose numbers were led astray a little (0.7.x believes what is damaged or
 * forged) is let through all the same: dropping all that it sends would be no better.
 */
CORE_FN bool conn_ack_is_possible(const struct conn *conn, const struct segment *seg)
{
	return seq_diff(seg->ack, conn->snd_nxt) <= CONN_NEAR && seq_diff(conn->snd_una, seg->ack) <= CONN_WINDOW_FULL;
}

/*
 * Whether the connection may follow a segment that its numbers allow. Among a million forged ones some hundred are that good,
 * and a UDP application copes with what they carry; but our ACK field must not run ahead of what the peer sent, or
 * firewalls on the path drop all that we send. So both numbers have to be close to what is known. A peer that is really
 * far ahead, after an outage, goes on from there: the second segment in a row shows it.
 */
CORE_FN bool conn_follows(struct conn *conn, const struct env *env, const struct segment *seg)
{
	__u32 ahead = seg->seq - conn->jump_nxt;

	if (seq_diff(conn->snd_una, seg->ack) > CONN_NEAR || seq_diff(seg->ack, conn->snd_nxt) > 0)
		return false;
	if (seq_diff(seg->seq, conn->rcv_nxt) <= CONN_NEAR)
		return seq_diff(seg->seq, conn->rcv_nxt) >= -CONN_SEQ_TOLERANCE;
	/* An ACK alone that comes twice confirms itself, even if one and the same is sent twice. So only if nothing else comes. */
	if (!seg->payload_len && conn_age(env->now_ns, conn->last_rx_ns) < NSEC_PER_SEC)
		return false;
	if (conn->jump_known && ahead <= CONN_NEAR)
		return true;
	conn->jump_known = 1;
	conn->jump_nxt = seg->seq + seg->payload_len;
	return false;
}

/*
 * What is left of the peer's window counts from what it acknowledges (RFC 9293 3.8.6), so that during an outage in one
 * direction, with segments still coming in the other, it runs out instead of being filled again and again.
 */
CORE_FN void conn_take_window(struct conn *conn, const struct segment *seg)
{
	__u32 window = conn_announced_window(conn, seg), flight = conn->snd_nxt - seg->ack;

	conn->snd_wnd = window > flight ? window - flight : 0;
	conn->window_known = 1;
}

/*
 * Whether a segment says something new about the peer's window (RFC 9293 3.10.7.4: SND.WL1, SND.WL2). snd_una is that of before.
 */
CORE_FN bool conn_is_news(const struct conn *conn, const struct segment *seg, __s32 diff)
{
	return diff >= 0 && seq_diff(seg->ack, conn->snd_una) >= 0;
}

/*
 * The last probe is acknowledged: by its answer, or much later, because that, or data before the probe, got lost. If it is only a slow way,
 * some samples tell.
 */
CORE_FN void conn_note_probe_rtt(struct conn *conn, const struct env *env)
{
	__u64 ns = conn_age(env->now_ns, conn->probe_ns);

	if (ns >= conn_patience(conn, 4, CONN_LATELY_NS))
		ns = 2 * conn->rtt_ns + CONN_PROBE_INTERVAL_NS;
	conn_note_rtt(conn, ns);
}

/* The peer has sent everything before `nxt`. */
CORE_FN void conn_expect(struct conn *conn, __u32 nxt)
{
	__s32 advance = seq_diff(nxt, conn->rcv_nxt);

	if (advance <= 0)
		return;
	conn->rcv_nxt = nxt;
	conn->rcv_wnd -= (__u32)advance < conn->rcv_wnd ? (__u32)advance : conn->rcv_wnd;
}

/*
 * rcv_nxt follows an accepted segment. Data behind a gap, which what was lost leaves, may be forged: what comes behind it shows that the
 * peer went on from there, be it only a little. (One that is far ahead was confirmed by conn_follows().)
 */
CORE_FN void conn_follow(struct conn *conn, const struct segment *seg)
{
	__u32 end = seg->seq + seg->payload_len;
	__s32 diff;

	if (!seg->payload_len && seq_diff(end, conn->rcv_nxt) <= CONN_NEAR)
		return;
	if (conn->gap_known && seg->seq - conn->gap_nxt <= CONN_NEAR)
		conn_expect(conn, conn->gap_nxt);
	diff = seq_diff(seg->seq, conn->rcv_nxt);
	if (diff > 0 && diff <= CONN_NEAR) {
		conn->gap_known = 1;
		conn->gap_nxt = end;
		return;
	}
	conn->gap_known &= diff < 0;
	conn_expect(conn, end);
}

/* The connection's numbers follow an accepted segment. diff: seq - rcv_nxt. */
CORE_FN void conn_advance(struct conn *conn, const struct env *env, const struct segment *seg, __s32 diff)
{
	if (conn_is_news(conn, seg, diff))
		conn_take_window(conn, seg);
	conn->last_rx_ns = env->now_ns;
	conn->unanswered_ns = 0;
	conn->retries = 0;
	conn->check_probes = 0;
	conn->timer_ns = 0; /* of a check or of a keepalive */
	if (seq_diff(seg->ack, conn->snd_una) > 0)
		conn->snd_una = seg->ack;
	if (conn->rtt_wanted && seq_diff(seg->ack, conn->probe_nxt) >= 0) /* (only of a number that was sent once: Karn) */
		conn_note_probe_rtt(conn, env);
	if (diff >= 0) {
		conn->probe_unanswered = 0;
		conn->jump_known = 0;
	}
	conn_follow(conn, seg);
}

/*
 * A RST with another number, or a SYN, may be forged: ask the peer itself (section 5). How often depends on what else is known.
 * If the peer spoke within the second before, a busy machine is as likely as a lost peer, and the check is twice as patient.
 * Recovery takes no longer for it: a peer that lost the connection answers the probe, ours by a RST with the exact number,
 * which ends the check, and 0.7.x by RST 0, whatever state it is in: that makes the check a short one. Who forges RST 0 gains no more.
 */
CORE_FN void conn_check_liveness(struct conn *conn, const struct env *env, const struct segment *seg, struct effect *eff)
{
	bool lost = seg->flags & TCP_RST && !seg->seq;
	bool spoke = conn_age(env->now_ns, conn->last_rx_ns) < NSEC_PER_SEC;

	eff->reason = REASON_RX_RST_CHECKED;
	if (conn->check_probes) {
		if (lost)
			conn->check_probes_max = CONN_CHECK_PROBES;
		return;
	}
	if (conn_may_challenge(conn, env))
		conn_begin_check(conn, env, spoke && !lost ? CONN_CHECK_PROBES_LONG : CONN_CHECK_PROBES, eff);
}

CORE_FN void conn_ingress_close(struct conn *conn, const struct env *env, const struct segment *seg,
				struct effect *eff)
{
	conn_consume(eff);
	if (seg->seq != conn->rcv_nxt) {
		conn_check_liveness(conn, env, seg, eff);
		return;
	}
	eff->reason = REASON_RX_RST;
	conn->events.resets++;
	if (seg->flags & TCP_FIN && !(seg->flags & TCP_RST))
		conn_reply(eff, TCP_RST, conn->snd_nxt, 0, 0, 0);
	conn_lost(conn, env, false, eff);
}

/* A keepalive, or a window probe, whose number may be old: data behind it may have overtaken it. */
CORE_FN bool conn_asks_for_ack(const struct conn *conn, const struct segment *seg, __s32 diff)
{
	return conn_is_probe(seg) ||
	       (conn_is_pure_ack(seg) && (diff == -1 || (conn->gap_known && seg->seq == conn->gap_nxt - 1)));
}

/*
 * An ACK of data: when the window needs it, else as a receiver does whose application has nothing to say, of the second
 * segment (RFC 9293 3.8.6.3), but no faster than the setting says. What remains the clock acknowledges (conn_ack_is_due()).
 */
CORE_FN void conn_acknowledge(struct conn *conn, const struct env *env, struct effect *eff)
{
	__u64 interval_ns = conn->settings.ack_interval_ms * NSEC_PER_MSEC;

	conn->unacked += conn->unacked < 255;
	if (conn->rcv_wnd < conn->rcv_refresh) {
		conn_open_window(conn);
	} else if (!interval_ns) {
		return;
	} else if (conn->unacked < 2 || conn_age(env->now_ns, conn->last_tx_ns) < interval_ns) {
		conn_watch(conn, env, eff);
		return;
	}
	conn_reply_ack(conn, env, eff);
}

/*
 * An ACK that asks for nothing by its number. If we have sent nothing for long, and it is not the first, it answers nothing either: it is a
 * keepalive of a peer whose last data was lost.
 */
CORE_FN void conn_ingress_mute_ack(struct conn *conn, const struct env *env, struct effect *eff)
{
	conn->mute_acks += conn->mute_acks < 255;
	if (conn->mute_acks > 1 && conn_age(env->now_ns, conn->last_tx_ns) >= conn_patience(conn, 4, CONN_LATELY_NS))
		conn_reply_ack(conn, env, eff);
}

CORE_FN void conn_ingress_established(struct conn *conn, const struct env *env, const struct segment *seg,
				      struct effect *eff)
{
	__s32 diff = seq_diff(seg->seq, conn->rcv_nxt);
	__u32 rcv_nxt = conn->rcv_nxt;
	bool follows;

	if (seg->flags & (TCP_RST | TCP_FIN)) {
		conn_ingress_close(conn, env, seg, eff);
		return;
	}
	if (seg->flags & TCP_SYN) {
		conn_consume(eff);
		if (!(seg->flags & TCP_ACK) && seg->seq != conn->irs) {
			conn_check_liveness(conn, env, seg, eff);
			return;
		}
		if (!(seg->flags & TCP_ACK)) { /* the SYN that made this connection, late or twice */
			if (conn_may_challenge(conn, env))
				conn_reply_ack(conn, env, eff);
			return;
		}
		/* Our last ACK was lost. 0.7.x numbers each repetition one higher. */
		if (seg->ack == conn->snd_nxt && diff >= -1 && diff < CONN_SYN_ACK_DRIFT) {
			if (diff >= 0)
				conn->rcv_nxt += (__u32)diff + 1;
			conn_reply_ack(conn, env, eff);
		} else if (conn_may_challenge(conn, env)) {
			conn_reply_ack(conn, env, eff);
		}
		return;
	}
	if (!(seg->flags & TCP_ACK)) {
		conn_drop(conn, eff, REASON_DROP_RX_STATE);
		return;
	}
	if (diff > CONN_SEQ_TOLERANCE || diff < -CONN_SEQ_TOLERANCE || !conn_ack_is_possible(conn, seg)) {
		conn_drop(conn, eff, REASON_DROP_RX_WINDOW);
		if (conn_may_challenge(conn, env))
			conn_reply_ack(conn, env, eff);
		return;
	}
	conn_consume(eff);
	follows = conn_follows(conn, env, seg);
	if (follows)
		conn_advance(conn, env, seg, diff);
	if (conn_asks_for_ack(conn, seg, diff)) {
		if (!follows && !conn_may_challenge(conn, env))
			return;
		if (follows && conn_is_probe(seg) && diff != -1) /* a probe, perhaps late; what is repeated, and a keepalive, get the window as it is */
			conn_open_window(conn);
		conn_reply_ack(conn, env, eff);
	} else if (!conn_is_pure_ack(seg)) { /* that is no use: it answers a keepalive, or data, which was use enough */
		conn_ingress_data(conn, env, seg, eff);
		conn_acknowledge(conn, env, eff);
	} else if (conn->rcv_nxt != rcv_nxt) { /* it shows that data behind a gap was real: conn_follow() */
		conn_acknowledge(conn, env, eff);
	} else {
		conn_ingress_mute_ack(conn, env, eff);
	}
	if (follows)
		conn_release(conn, eff);
}

#endif
