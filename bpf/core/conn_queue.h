/* SPDX-License-Identifier: GPL-2.0-only */
/* Waiting datagrams: the account of the queue that the daemon keeps for a connection. */
#ifndef MIMIC_CORE_CONN_QUEUE_H
#define MIMIC_CORE_CONN_QUEUE_H

#include "conn_state.h"

/* The most sequence space that a datagram may need. */
CORE_FN __u32 conn_space(const struct conn *conn, __u32 payload_len)
{
	return payload_len + transform_padding_max(conn->settings.padding);
}

/* Where the queue begins: everything before is sent or given up. */
CORE_FN __u32 conn_held_begin(const struct conn *conn)
{
	return conn->held_end - conn->held_space;
}

CORE_FN void conn_hold(struct conn *conn, const struct env *env, __u32 payload_len, struct effect *eff)
{
	__u32 space = conn_space(conn, payload_len);

	if (!env->hold_room || conn->held >= CONN_HELD_MAX || conn->held_space + space > CONN_HELD_SPACE_MAX) {
		conn_drop(conn, eff, REASON_DROP_HOLD_FULL);
		return;
	}
	if (!conn->held) { /* a new queue: what the daemon knows of the last one does not count */
		conn->epoch++;
		conn->release_limit = conn->held_end;
		conn->held_ns = env->now_ns;
		conn->chase_ns = 0;
	}
	eff->verdict = VERDICT_HOLD;
	eff->reason = REASON_TX_HELD;
	eff->epoch = conn->epoch;
	eff->held_first = !conn->held;
	eff->held_number = conn->held_number++;
	conn->held++;
	conn->held_space += space;
	conn->held_end += space;
	eff->held_end = conn->held_end;
}

CORE_FN void conn_shorten_queue(struct conn *conn, __u32 count, __u32 space)
{
	conn->held -= count < conn->held ? count : conn->held;
	conn->held_space -= space < conn->held_space ? space : conn->held_space;
	if (!conn->held)
		conn->held_space = 0;
}

/*
 * The first `count` datagrams of the queue, with payload_len bytes in all, do not wait any more: sent, or lost in the daemon.
 * A datagram keeps its place until it is behind TC egress, so that none of another CPU passes it there.
 */
CORE_FN void conn_unhold(struct conn *conn, const struct env *env, __u32 count, __u32 payload_len)
{
	conn_shorten_queue(conn, count, payload_len + count * conn_space(conn, 0));
	if (!conn->held)
		return;
	if (!conn->chase_ns) {
		conn->chase_ns = env->now_ns;
		conn->chase_rounds = 0;
	}
	conn->chase_rounds += conn->chase_rounds < 255;
}

/*
 * A sender that is faster than the daemon would have its datagrams make the detour for ever. When the queue has moved for a
 * while without becoming empty, and the peer's window has room for all of it, the newest one may overtake.
 */
CORE_FN bool conn_may_overtake(const struct conn *conn, const struct env *env, __u32 need)
{
	return conn->chase_ns && conn->chase_rounds >= CONN_HELD_CHASE_ROUNDS &&
	       conn_age(env->now_ns, conn->chase_ns) >= CONN_HELD_CHASE_NS &&
	       seq_diff(conn->release_limit, conn->held_end) >= 0 &&
	       conn->snd_wnd >= conn->held_space + CONN_HELD_MAX + need;
}

/*
 * The datagram `number` got lost on the way to the daemon. If it is still the last one, it was never there. Else others
 * wait behind it: it leaves a gap, which counts until the queue is empty, lest they are let go too early.
 */
CORE_FN void conn_unhold_unsent(struct conn *conn, __u32 number, __u32 payload_len)
{
	if (conn->held_number == number + 1) {
		conn_shorten_queue(conn, 1, conn_space(conn, payload_len));
		conn->held_number--;
		conn->held_end -= conn_space(conn, payload_len);
	} else if (conn->held && !--conn->held) {
		conn->held_space = 0;
	}
}

CORE_FN void conn_flush(struct conn *conn, struct effect *eff)
{
	if (!conn->held)
		return;
	eff->flushed = conn->held;
	figures_count_drop(&conn->events, REASON_DROP_FLUSHED, conn->held);
	eff->notify |= NOTIFY_FLUSH;
	conn->held = 0;
	conn->held_space = 0;
	eff->epoch = ++conn->epoch;
}

/*
 * Tells the daemon how far into the queue it may go, when that is farther than it knows. Each datagram of the queue may be
 * followed by a window probe, which takes one byte.
 */
CORE_FN void conn_release(struct conn *conn, struct effect *eff)
{
	__u32 limit = conn_held_begin(conn);

	if (conn->snd_wnd > CONN_HELD_MAX)
		limit += conn->snd_wnd - CONN_HELD_MAX;
	if (!conn->held || conn->state != CONN_ESTABLISHED)
		return;
	if (seq_diff(limit, conn->release_limit) <= 0)
		return;
	conn->release_limit = limit;
	eff->release_limit = limit;
	eff->epoch = conn->epoch;
	eff->notify |= NOTIFY_RELEASE;
}

#endif
