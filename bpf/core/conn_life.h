/* SPDX-License-Identifier: GPL-2.0-only */
/* How a connection begins and ends, whatever the cause. */
#ifndef MIMIC_CORE_CONN_LIFE_H
#define MIMIC_CORE_CONN_LIFE_H

#include "conn_queue.h"
#include "conn_state.h"

CORE_FN void conn_reply_syn(struct conn *conn, const struct env *env, struct effect *eff)
{
	conn->syn_ns = env->now_ns;
	conn_reply(eff, TCP_SYN, conn->snd_nxt - 1, 0, CONN_WINDOW_UNSCALED, 0);
}

/* Of a simultaneous open. */
CORE_FN void conn_reply_syn_ack(const struct conn *conn, struct effect *eff)
{
	conn_reply(eff, TCP_SYN | TCP_ACK, conn->snd_nxt - 1, conn->rcv_nxt, CONN_WINDOW_UNSCALED, 0);
}

CORE_FN void conn_repeat_syn(struct conn *conn, const struct env *env, struct effect *eff)
{
	conn->events.syn_retries++;
	conn_reply_syn(conn, env, eff);
}

CORE_FN void conn_repeat_syn_timed(struct conn *conn, const struct env *env, struct effect *eff, __u64 patience_ns)
{
	conn->timer_ns = env->now_ns + patience_ns;
	conn_repeat_syn(conn, env, eff);
}

/* How long the SYN is waited upon that follows `retries` others. */
CORE_FN __u64 conn_syn_patience(const struct conn *conn)
{
	if (conn->settings.pace == PACE_FAST && conn->retries < CONN_FAST_SYNS && conn->simultaneous != CONN_CROSSED_ACK)
		return CONN_FAST_SYN_NS;
	if (conn->settings.pace == PACE_LINUX)
		return NSEC_PER_SEC << (conn->retries < 6 ? conn->retries : 6);
	return conn->settings.handshake_interval_s * NSEC_PER_SEC;
}

/* After so long, what crossed has arrived: a few round trips, where one is known of an earlier connection. */
CORE_FN __u64 conn_crossing_ns(const struct conn *conn)
{
	__u64 ns = 4 * conn->rtt_ns;

	if (!ns || ns > CONN_CROSSING_NS)
		return CONN_CROSSING_NS;
	return ns > CONN_CROSSED_FAST_NS ? ns : CONN_CROSSED_FAST_NS;
}

/*
 * How long the peer's ACK is waited for after a simultaneous open, before our SYN is repeated: longer than any way there and
 * back. A SYN that comes when it has long been established makes 0.7.x begin anew, with numbers that we do not know. Nothing
 * is lost by it: what the peer misses it asks for, by its own SYN, and its data says as much as its ACK. Who takes a SYN-ACK minds no SYN.
 */
CORE_FN __u64 conn_crossing_patience(const struct conn *conn)
{
	__u64 ns = conn_syn_patience(conn), crossing_ns = conn_crossing_ns(conn);

	if (conn->simultaneous == CONN_CROSSED_SYN_ACK)
		return ns;
	return ns > crossing_ns ? ns : crossing_ns;
}

/* How often a SYN is repeated. */
CORE_FN __u32 conn_syn_retries(const struct conn *conn)
{
	return conn->settings.handshake_retry +
	       (conn->settings.pace == PACE_FAST && conn->simultaneous != CONN_CROSSED_ACK ? (__u32)CONN_FAST_SYNS : 0);
}

/* Simultaneous open: our SYN goes out, although the peer's has come; or our SYN-ACK, where that is `how`. */
CORE_FN void conn_cross(struct conn *conn, const struct env *env, enum conn_crossed how, struct effect *eff)
{
	conn->events.syn_retries += conn->state == CONN_SYN_SENT; /* else it is the first */
	if (conn_is_half_open(conn)) {
		eff->half_open--;
		conn->contested = 0;
		conn->last_rx_ns = env->now_ns; /* the round trip is that of this SYN */
	}
	conn->state = CONN_SYN_RECEIVED;
	conn->simultaneous = (__u8)how;
	conn->single_syn = 0;
	conn->retries = 0;
	conn->timer_ns = env->now_ns + conn_crossing_patience(conn);
	if (how == CONN_CROSSED_SYN_ACK) {
		conn->syn_ns = env->now_ns;
		conn_reply_syn_ack(conn, eff);
	} else {
		conn_reply_syn(conn, env, eff);
	}
}

/*
 * A SYN came, its ACK does not, and datagrams wait. If a stranger sent that SYN, nothing ever comes, and a peer with
 * guard=silent does not even refuse our SYN-ACK: so our own SYN asks, which the peer answers whatever it knows. With the datagram,
 * if there was time enough for the ACK; else by the clock.
 */
CORE_FN void conn_doubt(struct conn *conn, const struct env *env, struct effect *eff)
{
	__u64 patience_ns = conn_patience(conn, 2, CONN_UNPROVEN_NS), due_ns = conn->begun_ns + patience_ns;

	if (!conn->settings.handshake_interval_s)
		return;
	if (conn_age(env->now_ns, conn->begun_ns) >= patience_ns)
		conn_cross(conn, env, CONN_CROSSED_ACK, eff);
	else if (conn->timer_ns > due_ns)
		conn->timer_ns = due_ns;
}

/* Half open: whether the clock is to do so, and not to give up. */
CORE_FN bool conn_asks(const struct conn *conn)
{
	return conn->held && conn->settings.handshake_interval_s;
}

/*
 * Simultaneous open, and what came to meet our SYN is over. It may have been a stranger's, as may its RST, so our SYN keeps its number:
 * the peer perhaps answers it this very moment.
 */
CORE_FN void conn_uncross(struct conn *conn, const struct env *env, struct effect *eff)
{
	conn->state = CONN_SYN_SENT;
	conn->simultaneous = 0;
	conn->timer_ns = env->now_ns + conn_syn_patience(conn);
	if (conn_may_challenge(conn, env))
		conn_repeat_syn(conn, env, eff);
}

/* From IDLE. The first SYN of a connection; snd_nxt counts the SYN already. */
CORE_FN void conn_begin(struct conn *conn, const struct env *env, struct effect *eff)
{
	conn->snd_nxt = conn_isn(conn, env) + 1;
	conn->last_rx_ns = env->now_ns;
	conn->state = CONN_SYN_SENT;
	conn->simultaneous = 0;
	conn->contested = 0;
	conn->peer_wscale = 0;
	conn->check_probes = 0;
	conn->probe_unanswered = 0;
	conn->probe_ns = 0;
	conn->challenge_ns = 0;
	conn->retries = 0;
	conn->single_syn = env->now_ns < conn->cooldown_ns;
	conn->begun_ns = env->now_ns;
	conn->timer_ns = env->now_ns +
			 (conn->single_syn ? conn_patience(conn, 2, CONN_COOLDOWN_SYN_NS) : conn_syn_patience(conn));
	conn_reply_syn(conn, env, eff);
}

CORE_FN void conn_send_probe(struct conn *conn, const struct env *env, struct effect *eff)
{
	__u32 seq = conn->snd_nxt;

	/* Unanswered probes must not use up sequence space: section 4. */
	if (conn->probe_unanswered) {
		seq--;
	} else {
		conn->snd_nxt++;
		conn->snd_wnd -= conn->snd_wnd > 0;
	}
	conn->events.probes++;
	conn->rtt_wanted = !conn->probe_unanswered;
	conn->probe_unanswered = 1;
	conn->probe_ns = env->now_ns;
	conn->probe_nxt = conn->snd_nxt;
	conn_note_tx(conn, env);
	conn_reply(eff, TCP_ACK, seq, conn->rcv_nxt, conn_window_field(conn), 1);
}

/* Asks the peer whether the connection still lives there, by so many probes; then it is lost. */
CORE_FN void conn_begin_check(struct conn *conn, const struct env *env, __u8 probes, struct effect *eff)
{
	conn->events.checks++;
	conn->check_probes = 1;
	conn->check_probes_max = probes;
	conn->chase_ns = 0;
	conn->timer_ns = env->now_ns + conn_patience(conn, 2, CONN_CHECK_INTERVAL_NS);
	conn->probe_unanswered = 0;
	conn_send_probe(conn, env, eff);
}

CORE_FN void conn_note_established(struct conn *conn, const struct env *env)
{
	conn->established_ns = env->now_ns;
	conn->handshake_ns = conn_age(env->now_ns, conn->begun_ns);
	conn->events.established++;
	conn->events.handshake_sum_ns += conn->handshake_ns;
}

CORE_FN void conn_established(struct conn *conn, const struct env *env, const struct segment *seg,
			      struct effect *eff)
{
	eff->half_open -= conn_is_half_open(conn);
	conn_note_established(conn, env);
	conn->state = CONN_ESTABLISHED;
	conn->simultaneous = 0;
	conn->retries = 0;
	conn->cooldown_level = 0;
	conn->cooldown_ns = 0;
	conn->timer_ns = 0;
	conn->check_probes = 0;
	conn->probe_unanswered = 0;
	conn->jump_known = 0;
	conn->gap_known = 0;
	conn->challenge_ns = 0;
	conn->unanswered_ns = 0;
	conn->snd_una = conn->snd_nxt;
	conn->lately_nxt = conn->earlier_nxt = conn->snd_nxt - 1;
	conn->sent_ns = env->now_ns;
	if (!conn->contested) /* else nobody knows which SYN it was */
		conn_note_rtt(conn, conn_age(env->now_ns, conn->last_rx_ns)); /* of our first SYN, or the peer's last */
	conn->last_rx_ns = env->now_ns;
	conn->last_use_ns = env->now_ns;
	conn->window_known = !(seg->flags & TCP_SYN);
	conn->snd_wnd = conn_announced_window(conn, seg);
	conn_open_window(conn);
	conn_reply_ack(conn, env, eff); /* the initiator's last ACK, or the responder's full window */
	conn->release_limit = conn_held_begin(conn);
	conn->held_ns = env->now_ns;
	conn->chase_ns = 0;
	eff->notify |= NOTIFY_ESTABLISHED;
	conn_release(conn, eff);
}

/*
 * This side ends it: an established connection as a Linux whose program does so (tcp_send_active_reset()), with an ACK and a window.
 * In SYN_SENT nothing is said, nor does Linux. If a firewall on the path remembers an older connection of these ends, it never took our SYN
 * for the beginning of another, and a RST with that number is invalid; if it remembers none, it would refuse the peer's SYN for a while.
 */
CORE_FN void conn_reply_reset(const struct conn *conn, struct effect *eff)
{
	if (conn->state == CONN_ESTABLISHED)
		conn_reply(eff, TCP_RST | TCP_ACK, conn->snd_nxt, conn->rcv_nxt, conn_window_field(conn), 0);
	else if (conn->state == CONN_SYN_RECEIVED)
		conn_reply(eff, TCP_RST, conn->snd_nxt, 0, 0, 0);
}

/*
 * How long after the end segments come that the peer sent before it heard of it. They need no answer, and their numbers may be older than
 * those that a firewall on the path has seen since: a RST with one of these would be invalid to it.
 */
CORE_FN __u64 conn_last_trip_ns(const struct conn *conn)
{
	return conn->rtt_ns < CONN_CHECK_INTERVAL_NS ? conn->rtt_ns : CONN_CHECK_INTERVAL_NS;
}

/*
 * The connection is over, without a word to the peer. Datagrams that wait are given another handshake if this side
 * may begin one: a connection that was established retries at once. reconnect: even if none waits.
 */
CORE_FN void conn_lost(struct conn *conn, const struct env *env, bool reconnect, struct effect *eff)
{
	if (conn->state == CONN_ESTABLISHED)
		eff->notify |= NOTIFY_LOST;
	eff->half_open -= conn_is_half_open(conn);
	conn->state = CONN_IDLE;
	conn->timer_ns = 0;
	conn->check_probes = 0;
	conn->last_use_ns = env->now_ns;
	if ((conn->held || reconnect) && conn->settings.handshake_interval_s) {
		conn_begin(conn, env, eff);
		return;
	}
	conn->challenge_ns = env->now_ns + conn_last_trip_ns(conn);
	conn_flush(conn, eff);
}

/*
 * Half open, and over: what a stranger's SYN made leaves nothing behind, so that a flood of them does not fill the table. If
 * datagrams wait, or a cooldown runs, the entry is of use. With eff->remove set it is up to the caller to count it off.
 */
CORE_FN void conn_abandon(struct conn *conn, const struct env *env, struct effect *eff)
{
	/* One that was established before has figures, which only the clock's program may take. */
	if (conn->held || env->now_ns < conn->cooldown_ns || conn->events.established) {
		conn_lost(conn, env, false, eff);
		return;
	}
	conn->state = CONN_CLOSED;
	conn->timer_ns = 0;
	eff->remove = 1;
}

CORE_FN void conn_give_up(struct conn *conn, const struct env *env, struct effect *eff)
{
	__u64 cooldown_s = CONN_COOLDOWN_S << (conn->cooldown_level & 3); /* 5, 10, then 20 */

	eff->notify |= NOTIFY_FAILED;
	eff->reason = REASON_HANDSHAKE_FAILED;
	if (!conn->single_syn && env->now_ns >= conn->cooldown_ns) {
		conn_reply_reset(conn, eff);
		conn->cooldown_ns = env->now_ns + cooldown_s * NSEC_PER_SEC;
		if (conn->cooldown_level < 2)
			conn->cooldown_level++;
	}
	conn->state = CONN_IDLE;
	conn->timer_ns = 0;
	conn->last_use_ns = env->now_ns;
	conn_flush(conn, eff);
}

#endif
