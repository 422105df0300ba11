/* SPDX-License-Identifier: GPL-2.0-only */
/* The filters have changed while the connection lives. */
#ifndef MIMIC_CORE_CONN_REFIT_H
#define MIMIC_CORE_CONN_REFIT_H

#include "conn_life.h"
#include "conn_queue.h"
#include "conn_state.h"
#include "conn_tick.h"

/* Both ends count with these: a connection cannot change them half way. */
CORE_FN bool conn_refit_is_on_wire(const struct conn_settings *a, const struct conn_settings *b)
{
	return a->padding != b->padding || a->max_window != b->max_window;
}

CORE_FN bool conn_refit_is_needed(const struct conn_settings *a, const struct conn_settings *b)
{
	return conn_refit_is_on_wire(a, b) || a->handshake_interval_s != b->handshake_interval_s ||
	       a->handshake_retry != b->handshake_retry || a->keepalive_time_s != b->keepalive_time_s ||
	       a->keepalive_interval_s != b->keepalive_interval_s || a->keepalive_retry != b->keepalive_retry ||
	       a->keepalive_stale_s != b->keepalive_stale_s || a->ack_interval_ms != b->ack_interval_ms ||
	       a->pace != b->pace || a->guard != b->guard;
}

/* As conn_shutdown(), and what waits in the daemon is given up. */
CORE_FN void conn_refit_close(struct conn *conn, struct effect *eff)
{
	if (conn->state == CONN_ESTABLISHED)
		eff->notify |= NOTIFY_CLOSED;
	conn_flush(conn, eff);
	conn_shutdown(conn, eff);
}

/* A timer that was set by longer intervals goes by the new ones from now on; a passive side gives up what it began. */
CORE_FN void conn_refit_timer(struct conn *conn, const struct env *env, struct effect *eff)
{
	bool began = conn->state == CONN_SYN_SENT || (conn->state == CONN_SYN_RECEIVED && conn->simultaneous);
	__u64 latest_ns;

	if (began && !conn->settings.handshake_interval_s) {
		conn_reset(conn, env, eff);
		return;
	}
	if (conn->state == CONN_SYN_SENT && !conn->single_syn)
		latest_ns = env->now_ns + conn_syn_patience(conn);
	else if (conn->state == CONN_ESTABLISHED && !conn->check_probes)
		latest_ns = env->now_ns + conn->settings.keepalive_interval_s * NSEC_PER_SEC;
	else
		return;
	if (conn->timer_ns > latest_ns)
		conn->timer_ns = latest_ns;
}

/*
 * named: a filter still names the connection, with these settings. One that no filter names is closed towards the peer and
 * removed; so is one that began with another padding or max_window, which then begins anew. What else is set is taken over.
 * Where nothing differs nothing happens.
 */
CORE_FN void conn_refit(struct conn *conn, const struct env *env, bool named, const struct conn_settings *settings,
			struct effect *eff)
{
	eff->verdict = VERDICT_CONSUME;
	eff->epoch = conn->epoch;
	if (named && !conn_refit_is_needed(&conn->settings, settings))
		return;
	if (!named || (conn->state != CONN_IDLE && conn_refit_is_on_wire(&conn->settings, settings))) {
		conn_refit_close(conn, eff);
		return;
	}
	conn->settings = *settings;
	conn_refit_timer(conn, env, eff);
}

#endif
