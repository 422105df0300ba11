/* SPDX-License-Identifier: GPL-2.0-only */
/* How a connection begins and ends, whatever the cause. */
#ifndef MIMIC_CORE_CONN_LIFE_H
#define MIMIC_CORE_CONN_LIFE_H

#include "conn_queue.h"
#include "conn_state.h"

CORE_FN void conn_send_syn(struct conn *conn, const struct env *env, struct effect *eff, __u64 patience_ns)
{
	conn->syn_ns = env->now_ns;
	conn->timer_ns = env->now_ns + patience_ns;
	conn_reply(eff, TCP_SYN, conn->snd_nxt - 1, 0, CONN_WINDOW_UNSCALED, 0);
}

/* From IDLE. The first SYN of a connection; snd_nxt counts the SYN already. */
CORE_FN void conn_begin(struct conn *conn, const struct env *env, struct effect *eff)
{
	conn->random ^= env->random;
	conn->random |= !conn->random;
	conn->snd_nxt = conn_random(conn);
	conn->state = CONN_SYN_SENT;
	conn->simultaneous = 0;
	conn->peer_wscale = 0;
	conn->check_probes = 0;
	conn->probe_unanswered = 0;
	conn->probe_ns = 0;
	conn->challenge_ns = 0;
	conn->retries = 0;
	conn->single_syn = env->now_ns < conn->cooldown_ns;
	if (conn->single_syn) {
		conn_send_syn(conn, env, eff, CONN_COOLDOWN_SYN_NS);
	} else {
		conn_send_syn(conn, env, eff, conn->settings.handshake_interval_s * NSEC_PER_SEC);
	}
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
	conn->probe_unanswered = 1;
	conn->probe_ns = env->now_ns;
	conn_reply(eff, TCP_ACK, seq, conn->rcv_nxt, conn_window_field(conn), 1);
}

CORE_FN void conn_established(struct conn *conn, const struct env *env, const struct segment *seg,
			      struct effect *eff)
{
	conn->state = CONN_ESTABLISHED;
	conn->was_established = 1;
	conn->simultaneous = 0;
	conn->retries = 0;
	conn->cooldown_level = 0;
	conn->cooldown_ns = 0;
	conn->timer_ns = 0;
	conn->check_probes = 0;
	conn->probe_unanswered = 0;
	conn->last_rx_ns = env->now_ns;
	conn->last_use_ns = env->now_ns;
	conn->window_known = !(seg->flags & TCP_SYN);
	conn->snd_wnd = conn_announced_window(conn, seg);
	conn_open_window(conn);
	conn_reply_ack(conn, eff); /* the initiator's last ACK, or the responder's full window */
	conn->release_limit = conn_held_begin(conn);
	conn->held_ns = env->now_ns;
	conn->chase_ns = 0;
	eff->notify |= NOTIFY_ESTABLISHED;
	conn_release(conn, eff);
}

/*
 * The connection is over, without a word to the peer. Datagrams that wait are given another handshake if this side
 * may begin one: a connection that was established retries at once. reconnect: even if none waits.
 */
CORE_FN void conn_lost(struct conn *conn, const struct env *env, bool reconnect, struct effect *eff)
{
	if (conn->state == CONN_ESTABLISHED)
		eff->notify |= NOTIFY_LOST;
	conn->state = CONN_IDLE;
	conn->timer_ns = 0;
	conn->check_probes = 0;
	conn->last_use_ns = env->now_ns;
	if ((conn->held || reconnect) && conn->settings.handshake_interval_s) {
		conn_begin(conn, env, eff);
		return;
	}
	conn_flush(conn, eff);
}

CORE_FN void conn_give_up(struct conn *conn, const struct env *env, struct effect *eff)
{
	__u64 cooldown_s = CONN_COOLDOWN_S << (conn->cooldown_level & 3); /* 5, 10, then 20 */

	eff->notify |= NOTIFY_FAILED;
	eff->reason = REASON_HANDSHAKE_FAILED;
	if (env->now_ns >= conn->cooldown_ns) {
		conn_reply(eff, TCP_RST, conn->snd_nxt, 0, 0, 0);
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
