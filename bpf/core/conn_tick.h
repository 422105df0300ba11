/* SPDX-License-Identifier: GPL-2.0-only */
/* Time passes: retries, keepalives, liveness checks, the end of the daemon. */
#ifndef MIMIC_CORE_CONN_TICK_H
#define MIMIC_CORE_CONN_TICK_H

#include "conn_life.h"
#include "conn_queue.h"
#include "conn_state.h"

CORE_FN bool conn_timer_is_due(const struct conn *conn, __u64 now_ns)
{
	return conn->timer_ns && now_ns >= conn->timer_ns;
}

CORE_FN void conn_tick_handshake(struct conn *conn, const struct env *env, struct effect *eff)
{
	__u64 due_ns;

	if (!conn_timer_is_due(conn, env->now_ns))
		return;
	if (conn_is_half_open(conn) && conn_asks(conn)) {
		conn_cross(conn, env, CONN_CROSSED_ACK, eff);
		return;
	}
	if (conn_is_half_open(conn)) {
		conn->timer_ns = 0;
		conn_abandon(conn, env, eff); /* a SYN-ACK is never repeated by a timer */
		eff->half_open -= eff->remove;
		return;
	}
	if (conn->single_syn || conn->retries >= conn_syn_retries(conn) || conn->retries == 0xffff) {
		conn_give_up(conn, env, eff);
		return;
	}
	conn->retries++;
	due_ns = conn->timer_ns + conn_syn_patience(conn); /* lest the daemon's ticks add up */
	conn_repeat_syn_timed(conn, env, eff, due_ns > env->now_ns ? due_ns - env->now_ns : conn_syn_patience(conn));
	if (conn->simultaneous == CONN_CROSSED_SYN_ACK) /* after the SYN: if a stranger sent the SYN that came, only that asks the peer */
		conn_reply_syn_ack(conn, eff);
}

CORE_FN void conn_reset(struct conn *conn, const struct env *env, struct effect *eff)
{
	conn_reply_reset(conn, eff);
	conn_lost(conn, env, false, eff);
}

CORE_FN void conn_tick_keepalive(struct conn *conn, const struct env *env, struct effect *eff)
{
	const struct conn_settings *set = &conn->settings;
	__u64 silence_ns = conn_age(env->now_ns, conn->last_rx_ns);

	if (set->keepalive_stale_s && conn_age(env->now_ns, conn->last_use_ns) >= set->keepalive_stale_s * NSEC_PER_SEC) {
		conn_reset(conn, env, eff);
		return;
	}
	if (!set->keepalive_time_s || silence_ns < set->keepalive_time_s * NSEC_PER_SEC)
		return;
	if (conn->timer_ns && env->now_ns < conn->timer_ns)
		return;
	if (!set->keepalive_interval_s || conn->retries >= set->keepalive_retry) {
		conn_reset(conn, env, eff);
		return;
	}
	conn->retries++;
	conn->events.keepalives++;
	conn->timer_ns = env->now_ns + set->keepalive_interval_s * NSEC_PER_SEC;
	conn_note_tx(conn, env);
	conn_reply(eff, TCP_ACK, conn->snd_nxt - 1, conn->rcv_nxt, conn_window_field(conn), 0);
	/* If our last data got lost, that number is none for which the peer answers; a probe it does whatever its number. */
	if (conn->retries > 1 || conn->retries >= set->keepalive_retry)
		conn_send_probe(conn, env, eff);
}

/* Datagrams wait, or so we think. */
CORE_FN void conn_tick_held(struct conn *conn, const struct env *env, struct effect *eff)
{
	if (conn->snd_wnd < conn_peer_window_full(conn) / 2) {
		conn->held_ns = env->now_ns;
		if (conn_age(env->now_ns, conn->probe_ns) >= CONN_STARVED_PROBE_NS)
			conn_send_probe(conn, env, eff);
	}
	if (conn_age(env->now_ns, conn->held_ns) >= CONN_HELD_STUCK_NS) { /* whatever became of them, the next ones shall go */
		conn_flush(conn, eff);
		return;
	}
	conn->release_limit = conn_held_begin(conn); /* say it again: the event may have been lost */
	conn_release(conn, eff);
}

/*
 * What goes out draws nothing, not even ACKs: the peer may be gone without a word (guard=silent, or a host in front of it
 * that drops what it does not know). Who cannot begin anew does not ask: it would have nothing but a connection less.
 */
CORE_FN bool conn_is_unanswered(const struct conn *conn, __u64 now_ns)
{
	return conn->settings.handshake_interval_s && conn->unanswered_ns &&
	       conn_age(conn->last_use_ns, conn->unanswered_ns) >= CONN_SILENCE_USE_NS &&
	       conn_age(now_ns, conn->unanswered_ns) >= conn_patience(conn, 4, CONN_SILENCE_NS);
}

CORE_FN void conn_tick_established(struct conn *conn, const struct env *env, struct effect *eff)
{
	if (conn->check_probes) {
		if (!conn_timer_is_due(conn, env->now_ns))
			return;
		if (conn->check_probes >= conn->check_probes_max) {
			conn_lost(conn, env, true, eff); /* silently: an idle peer of 0.7.x prolongs its cooldown */
			return;
		}
		conn->check_probes++;
		conn->timer_ns = env->now_ns + conn_patience(conn, 2, CONN_CHECK_INTERVAL_NS);
		conn_send_probe(conn, env, eff);
		return;
	}
	if (conn_is_unanswered(conn, env->now_ns)) {
		conn_begin_check(conn, env, CONN_CHECK_PROBES_LONG, eff);
		return;
	}
	/* First, since it may take both replies; what it probes or ends, the queue need not probe. */
	conn_tick_keepalive(conn, env, eff);
	if (conn->held && conn->state == CONN_ESTABLISHED)
		conn_tick_held(conn, env, eff);
	/* Last: whatever else went out has acknowledged it. */
	if (conn->state == CONN_ESTABLISHED && conn_ack_is_due(conn, env->now_ns))
		conn_reply_ack(conn, env, eff);
}

/* Whether conn_tick() would do anything; may be asked about a copy taken without the lock. */
CORE_FN bool conn_tick_is_due(const struct conn *conn, __u64 now_ns)
{
	const struct conn_settings *set = &conn->settings;

	switch (conn->state) {
	case CONN_IDLE:
		return now_ns >= conn->cooldown_ns && conn_age(now_ns, conn->last_use_ns) >= CONN_IDLE_LINGER_NS;
	case CONN_SYN_SENT:
	case CONN_SYN_RECEIVED:
		return conn_timer_is_due(conn, now_ns);
	case CONN_ESTABLISHED:
		if (conn->check_probes)
			return conn_timer_is_due(conn, now_ns);
		if (conn->held || conn_is_unanswered(conn, now_ns) || conn_ack_is_due(conn, now_ns))
			return true;
		if (set->keepalive_stale_s && conn_age(now_ns, conn->last_use_ns) >= set->keepalive_stale_s * NSEC_PER_SEC)
			return true;
		return set->keepalive_time_s && conn_age(now_ns, conn->last_rx_ns) >= set->keepalive_time_s * NSEC_PER_SEC;
	case CONN_CLOSED: /* its deletion failed */
		return true;
	default:
		return false;
	}
}

/* Whether conn_tick() may be due within `ahead_ns`, so that it is worth looking more often. */
CORE_FN bool conn_tick_is_near(const struct conn *conn, __u64 now_ns, __u64 ahead_ns)
{
	return conn->timer_ns && conn->timer_ns < now_ns + ahead_ns;
}

/* The daemon's clock. `remove`: the entry is dead, delete it. */
CORE_FN void conn_tick(struct conn *conn, const struct env *env, struct effect *eff)
{
	eff->verdict = VERDICT_CONSUME;
	eff->epoch = conn->epoch;
	switch (conn->state) {
	case CONN_SYN_SENT:
	case CONN_SYN_RECEIVED:
		conn_tick_handshake(conn, env, eff);
		break;
	case CONN_ESTABLISHED:
		conn_tick_established(conn, env, eff);
		break;
	case CONN_IDLE:
		if (env->now_ns < conn->cooldown_ns || conn_age(env->now_ns, conn->last_use_ns) < CONN_IDLE_LINGER_NS)
			break;
		conn->state = CONN_CLOSED;
		eff->remove = 1;
		break;
	case CONN_CLOSED:
		eff->remove = 1;
		break;
	default:
		break;
	}
}

/* The daemon goes: a RST for what the peer knows of, and no way back. */
CORE_FN void conn_shutdown(struct conn *conn, struct effect *eff)
{
	eff->verdict = VERDICT_CONSUME;
	eff->epoch = conn->epoch;
	conn_reply_reset(conn, eff);
	eff->half_open -= conn_is_half_open(conn);
	conn->state = CONN_CLOSED;
	eff->remove = 1;
}

#endif
