/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state machine of a connection (wire-protocol sections 2 to 5), without a kernel: what came in, the time and
 * the settings decide what becomes of a packet, which segments are sent, and what the daemon is told.
 *
 *	            datagram out: SYN                       SYN in: SYN-ACK
 *	   IDLE ---------------------> SYN_SENT     IDLE -------------------> SYN_RECEIVED
 *	     ^                            |  \                                     |
 *	     |  retries used up: RST,     |   `-- SYN in: ACK --> SYN_RECEIVED     | ACK or data in
 *	     |  cooldown                  |       (simultaneous)                   |
 *	     `----------------------------'                                        v
 *	     ^                            `--- SYN-ACK in: ACK -----------> ESTABLISHED
 *	     `--- exact RST, FIN, silence after keepalives, failed liveness check ---'
 *
 * CLOSED is the tombstone of an entry that is about to be deleted: nobody may revive it.
 *
 * Numbers are in host order and wrap (RFC 9293 3.4). Times are nanoseconds of one monotonic clock. Every function
 * that takes a struct effect expects it zeroed.
 */
#ifndef MIMIC_CORE_CONN_H
#define MIMIC_CORE_CONN_H

#include "reason.h"
#include "settings.h"
#include "tcpopt.h"
#include "transform.h"
#include "types.h"

enum conn_limits {
	CONN_WINDOW_SCALE = 12,
	CONN_WINDOW_SCALE_MAX = 14,	 /* under max_window */
	CONN_WINDOW_FULL = 0x3400000,	 /* bytes: 0x3400 << 12 */
	CONN_WINDOW_FULL_MAX = 0xffff << 14,
	CONN_WINDOW_UNSCALED = 0xffff,
	CONN_SEQ_TOLERANCE = 2 * CONN_WINDOW_FULL, /* section 5: how far a number may be off */
	CONN_HELD_MAX = 128,		 /* datagrams that may wait */
	CONN_HELD_SPACE_MAX = 256 * 1024, /* and their payloads with padding, bytes */
	CONN_COOLDOWN_S = 5,
	CONN_CHECK_PROBES = 3,		 /* of a liveness check */
	CONN_REPLIES = 2,
};

#define CONN_PROBE_INTERVAL_NS	  (10 * NSEC_PER_MSEC)
#define CONN_STARVED_PROBE_NS	  (200 * NSEC_PER_MSEC) /* datagrams wait for the peer's window */
#define CONN_HELD_STUCK_NS	  (3 * NSEC_PER_SEC)	/* they could go, and none comes */
#define CONN_HELD_CHASE_NS	  (200 * NSEC_PER_MSEC)	/* they go, and as many new ones come */
#define CONN_CHECK_INTERVAL_NS	  (300 * NSEC_PER_MSEC)
#define CONN_CHALLENGE_NS	  (100 * NSEC_PER_MSEC) /* between answers to doubtful segments */
#define CONN_COOLDOWN_SYN_NS	  NSEC_PER_SEC
#define CONN_HALF_OPEN_NS	  (8 * NSEC_PER_SEC) /* a responder's patience */
#define CONN_IDLE_LINGER_NS	  (30 * NSEC_PER_SEC)

enum conn_state {
	CONN_IDLE,
	CONN_SYN_SENT,
	CONN_SYN_RECEIVED,
	CONN_ESTABLISHED,
	CONN_CLOSED,
};

struct conn {
	__u8 state;		/* enum conn_state */
	__u8 peer_wscale;
	__u8 cooldown_level;	/* failed handshakes in a row */
	__u8 single_syn;	/* SYN_SENT during a cooldown: the SYN is not repeated */
	__u8 check_probes;	/* probes of the running liveness check; 0: none runs */
	/* No bit fields: the kernel refuses the BTF of a map value that has a lock and bit fields. */
	__u8 simultaneous;	/* SYN_RECEIVED from SYN_SENT */
	__u8 probe_unanswered;
	__u8 was_established;
	__u8 window_known;	/* the peer has announced a scaled window, not only that of its SYN-ACK */
	__u8 pad[3];
	__u16 peer_mss;
	__u16 retries;		/* SYNs or keepalives sent without an answer */
	__u32 epoch;		/* changes whenever what waits in the daemon is given up */
	__u32 irs;		/* number of the peer's SYN */
	__u32 snd_nxt, rcv_nxt;
	__u32 snd_wnd;		/* what is left of the peer's window, bytes */
	__u32 rcv_wnd;		/* what is left of ours as announced, bytes */
	__u32 rcv_refresh;	/* at this much left a full window is announced */
	__u32 held;		/* datagrams that wait in the daemon */
	__u32 held_space;	/* and the sequence space up to the queue's end: payloads, most padding, gaps */
	__u32 held_number;	/* of the next one */
	__u32 held_end;		/* end of the queue: sequence space ever queued; wraps */
	__u32 release_limit;	/* told to the daemon: how far into the queue it may go */
	__u32 random;		/* state of conn_random() */
	/* __aligned_u64: i386 would align them to four bytes, BPF does to eight. */
	__aligned_u64 timer_ns;		/* next SYN, keepalive or liveness probe; 0: none */
	__aligned_u64 syn_ns;		/* last SYN sent */
	__aligned_u64 last_rx_ns;	/* anything acceptable received */
	__aligned_u64 last_use_ns;	/* data sent, data or a probe received */
	__aligned_u64 probe_ns;		/* last window probe */
	__aligned_u64 held_ns;		/* when a waiting datagram came back last, or could not */
	__aligned_u64 chase_ns;		/* since when the queue moves without becoming empty; 0: it does not */
	__aligned_u64 challenge_ns;	/* last answer to a doubtful segment */
	__aligned_u64 cooldown_ns;	/* end of the cooldown */
	struct conn_settings settings;
};

/* The world as the core may see it. */
struct env {
	__u64 now_ns;
	__u32 random;	/* used only when a connection begins */
	bool hold_room; /* the daemon can take another datagram */
};

/* A received segment. */
struct segment {
	__u32 seq, ack;
	__u16 window;	   /* as on the wire, unscaled */
	__u16 payload_len; /* bytes behind the TCP header, padding included */
	__u8 flags;
	bool options_ok;
	struct tcp_options options; /* of SYN and SYN-ACK */
};

enum verdict {
	VERDICT_PASS, /* transform or restore it */
	VERDICT_DROP, /* for `reason` */
	VERDICT_HOLD, /* hand it to the daemon, with held_number */
	VERDICT_CONSUME, /* a control segment: done with it */
	VERDICT_WAIT, /* a released datagram: the daemon keeps it, in its place */
};

/* A control segment to send. flags == 0: none. */
struct reply {
	__u32 seq, ack;
	__u16 window;
	__u8 flags;
	__u8 payload_len; /* 0, or 1 for a window probe */
};

enum notify {
	NOTIFY_RELEASE = 1 << 0, /* waiting datagrams may go, up to release_limit */
	NOTIFY_FLUSH = 1 << 1,	 /* what waits under an older epoch is lost */
	NOTIFY_ESTABLISHED = 1 << 2,
	NOTIFY_LOST = 1 << 3,	 /* was established, is no more */
	NOTIFY_FAILED = 1 << 4,	 /* handshake given up */
	NOTIFY_TOO_BIG = 1 << 5, /* a datagram did not fit the MTU (set by the shell) */
};

struct effect {
	__u8 verdict;	/* enum verdict */
	__u8 reason;	/* enum reason: counted */
	__u8 notify;	/* set of enum notify */
	__u8 remove;	/* delete the entry; its state is CONN_CLOSED */
	__u8 padding;	/* bytes, of the data packet */
	__u8 pad;
	__u16 window;	/* of the data packet, as on the wire */
	__u32 seq, ack; /* of the data packet */
	__u32 epoch;
	__u32 held_number; /* of a held datagram */
	__u32 held_end;	   /* its end in the queue: it may go when release_limit reaches that far */
	__u32 held_first; /* nothing waited before it */
	__u32 release_limit;
	__u32 flushed;	/* datagrams that NOTIFY_FLUSH gave up */
	struct reply reply[CONN_REPLIES];
};

/* ---- small pieces ---- */

CORE_FN __s32 seq_diff(__u32 a, __u32 b)
{
	return (__s32)(a - b);
}

/* xorshift32 (Marsaglia 2003): spreads the announcements, nothing secret. */
CORE_FN __u32 conn_random(struct conn *conn)
{
	__u32 x = conn->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	conn->random = x;
	return x;
}

CORE_FN __u8 conn_window_scale(const struct conn *conn)
{
	return conn->settings.max_window ? CONN_WINDOW_SCALE_MAX : CONN_WINDOW_SCALE;
}

CORE_FN __u32 conn_window_full(const struct conn *conn)
{
	return conn->settings.max_window ? CONN_WINDOW_FULL_MAX : CONN_WINDOW_FULL;
}

/* What the window field of an established connection's segment says. */
CORE_FN __u16 conn_window_field(const struct conn *conn)
{
	if (conn->settings.max_window)
		return CONN_WINDOW_UNSCALED;
	return (__u16)(conn->rcv_wnd >> CONN_WINDOW_SCALE);
}

/*
 * The window that the peer announces, bytes. Not more than our own full one, also under its max_window: farther ahead
 * than twice that the peer would not believe our numbers after an outage.
 */
CORE_FN __u32 conn_announced_window(const struct conn *conn, const struct segment *seg)
{
	__u32 window = seg->window;

	if (!(seg->flags & TCP_SYN)) /* that of a SYN-ACK is not scaled: RFC 7323 2.2 */
		window <<= conn->peer_wscale & 15;
	return window < CONN_WINDOW_FULL ? window : CONN_WINDOW_FULL;
}

/* The most that the peer can announce counts as full if its scale does not allow for more. */
CORE_FN __u32 conn_peer_window_full(const struct conn *conn)
{
	__u32 most = (__u32)CONN_WINDOW_UNSCALED << (conn->peer_wscale & 15);

	return most < CONN_WINDOW_FULL ? most : CONN_WINDOW_FULL;
}

CORE_FN void conn_reply(struct effect *eff, __u8 flags, __u32 seq, __u32 ack, __u16 window, __u8 payload_len)
{
	struct reply *reply = eff->reply[0].flags ? &eff->reply[1] : &eff->reply[0];

	reply->flags = flags;
	reply->seq = seq;
	reply->ack = ack;
	reply->window = window;
	reply->payload_len = payload_len;
}

CORE_FN void conn_reply_ack(struct conn *conn, struct effect *eff)
{
	conn_reply(eff, TCP_ACK, conn->snd_nxt, conn->rcv_nxt, conn_window_field(conn), 0);
}

CORE_FN void conn_open_window(struct conn *conn)
{
	__u32 quarter = conn_window_full(conn) / 4;

	conn->rcv_wnd = conn_window_full(conn);
	conn->rcv_refresh = quarter + conn_random(conn) % quarter;
}

/* An answer to a doubtful segment is due: at most one in CONN_CHALLENGE_NS. */
CORE_FN bool conn_may_challenge(struct conn *conn, const struct env *env)
{
	if (conn->challenge_ns && env->now_ns - conn->challenge_ns < CONN_CHALLENGE_NS)
		return false;
	conn->challenge_ns = env->now_ns;
	return true;
}

CORE_FN void conn_drop(struct effect *eff, enum reason reason)
{
	eff->verdict = VERDICT_DROP;
	eff->reason = (__u8)reason;
}

CORE_FN void conn_consume(struct effect *eff)
{
	eff->verdict = VERDICT_CONSUME;
	eff->reason = REASON_RX_CONTROL;
}

CORE_FN void conn_init(struct conn *conn, const struct env *env, const struct conn_settings *settings)
{
	conn->settings = *settings;
	conn->state = CONN_IDLE;
	conn->random = 1; /* env->random comes in when a connection begins */
	conn->epoch = (__u32)(env->now_ns >> 20); /* newer than that of an entry deleted before */
	conn->last_rx_ns = env->now_ns;
	conn->last_use_ns = env->now_ns;
}

/* ---- waiting datagrams ---- */

/* The most sequence space that a datagram may need. */
CORE_FN __u32 conn_space(const struct conn *conn, __u32 payload_len)
{
	__u8 padding = conn->settings.padding == PADDING_RANDOM ? PADDING_RANDOM_MOD - 1 : conn->settings.padding;

	return payload_len + padding;
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
		conn_drop(eff, REASON_DROP_HOLD_FULL);
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
	if (conn->held && !conn->chase_ns)
		conn->chase_ns = env->now_ns;
}

/*
 * A sender that is faster than the daemon would have its datagrams make the detour for ever. When the queue has moved for a
 * while without becoming empty, and the peer's window has room for all of it, the newest one may overtake.
 */
CORE_FN bool conn_may_overtake(const struct conn *conn, const struct env *env, __u32 need)
{
	return conn->chase_ns && env->now_ns - conn->chase_ns >= CONN_HELD_CHASE_NS &&
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

/* ---- sending ---- */

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

/* ---- a datagram goes out ---- */

CORE_FN void conn_egress_established(struct conn *conn, const struct env *env, __u32 payload_len, bool released,
				     struct effect *eff)
{
	__u8 padding = transform_padding(conn->settings.padding, conn->snd_nxt, conn->rcv_nxt);
	__u32 need = payload_len + padding;

	/* While only the 0xffff of the SYN-ACK is known, what does not fit waits for the first real announcement. */
	if (!released && ((conn->held && !conn_may_overtake(conn, env, need)) || conn->check_probes > 1 ||
			  (conn->snd_wnd < need && !conn->window_known))) {
		conn_hold(conn, env, payload_len, eff);
		return;
	}
	if (released)
		conn->held_ns = env->now_ns;
	if (conn->snd_wnd < need) {
		conn_drop(eff, REASON_DROP_WINDOW);
	} else {
		eff->verdict = VERDICT_PASS;
		eff->reason = released ? REASON_TX_RELEASED : REASON_TX_DATA;
		eff->padding = padding;
		eff->seq = conn->snd_nxt;
		eff->ack = conn->rcv_nxt;
		eff->window = conn_window_field(conn);
		conn->snd_nxt += need;
		conn->snd_wnd -= need;
		conn->last_use_ns = env->now_ns;
	}
	if (conn->snd_wnd < conn_peer_window_full(conn) / 2 && env->now_ns - conn->probe_ns >= CONN_PROBE_INTERVAL_NS)
		conn_send_probe(conn, env, eff);
}

/*
 * payload_len: of the datagram, bytes. released: it waited in the daemon and comes back; its place in the queue is given
 * up by conn_unhold() later, when it is behind TC egress.
 * PASS (with seq, ack, window, padding), HOLD (with epoch and held_number) or DROP; for a released one also WAIT: the
 * connection was lost and begins anew.
 */
CORE_FN void conn_egress(struct conn *conn, const struct env *env, __u32 payload_len, bool released,
			 struct effect *eff)
{
	eff->epoch = conn->epoch;
	if (conn->state == CONN_ESTABLISHED) {
		conn_egress_established(conn, env, payload_len, released, eff);
		return;
	}
	if (released && (conn->state == CONN_SYN_SENT || conn->state == CONN_SYN_RECEIVED)) {
		eff->verdict = VERDICT_WAIT;
		return;
	}
	if (released || conn->state == CONN_CLOSED) { /* its queue was given up */
		conn_drop(eff, REASON_DROP_CONN_ENDED);
		return;
	}
	if (conn->state == CONN_IDLE) {
		if (!conn->settings.handshake_interval_s) {
			conn_drop(eff, REASON_DROP_PASSIVE);
			return;
		}
		if (env->now_ns < conn->cooldown_ns && env->now_ns - conn->syn_ns < CONN_COOLDOWN_SYN_NS) {
			conn_drop(eff, REASON_DROP_COOLDOWN);
			return;
		}
		conn_begin(conn, env, eff);
	}
	conn_hold(conn, env, payload_len, eff);
}

/* ---- a segment comes in ---- */

/* A SYN (section 3), in IDLE, or a new one in SYN_RECEIVED. */
CORE_FN void conn_ingress_syn(struct conn *conn, const struct env *env, const struct segment *seg,
			      struct effect *eff)
{
	if (conn->state == CONN_IDLE) {
		conn->random ^= env->random;
		conn->random |= !conn->random;
		conn->snd_nxt = conn_random(conn);
	}
	conn->state = CONN_SYN_RECEIVED;
	conn->irs = seg->seq;
	conn->rcv_nxt = seg->seq + 1;
	conn->peer_mss = seg->options.mss;
	conn->peer_wscale = seg->options.wscale;
	conn->last_rx_ns = env->now_ns;
	conn->timer_ns = env->now_ns + CONN_HALF_OPEN_NS;
	conn->retries = 0;
	conn_consume(eff);
	conn_reply(eff, TCP_SYN | TCP_ACK, conn->snd_nxt - 1, conn->rcv_nxt, CONN_WINDOW_UNSCALED, 0);
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
			conn_drop(eff, REASON_DROP_RX_OPTIONS);
			return;
		}
		if (seg->flags & TCP_ACK && seg->ack != conn->snd_nxt) {
			conn_reply(eff, TCP_RST, seg->ack, 0, 0, 0);
			return;
		}
		conn->irs = seg->seq;
		conn->rcv_nxt = seg->seq + 1;
		conn->peer_mss = seg->options.mss;
		conn->peer_wscale = seg->options.wscale;
		conn->last_rx_ns = env->now_ns;
		if (seg->flags & TCP_ACK) {
			conn_established(conn, env, seg, eff);
			return;
		}
		/*
		 * Simultaneous open. A SYN-ACK would make 0.7.x reset, so a plain ACK, and our SYN before it, in case the
		 * peer has not got it. It lives, so there is no cooldown any more.
		 */
		conn->state = CONN_SYN_RECEIVED;
		conn->simultaneous = 1;
		conn->single_syn = 0;
		conn->cooldown_ns = 0;
		conn->retries = 0;
		conn_send_syn(conn, env, eff, conn->settings.handshake_interval_s * NSEC_PER_SEC);
		conn_reply(eff, TCP_ACK, conn->snd_nxt, conn->rcv_nxt, CONN_WINDOW_UNSCALED, 0);
		return;
	}
	/*
	 * The peer holds an older connection: RFC 9293 3.5.2 resets it by its own number, and our SYN follows, so that
	 * a restart is settled in one round trip. An ACK of our SYN has overtaken the peer's own SYN (simultaneous open).
	 */
	if (seg->flags & TCP_ACK && seg->ack != conn->snd_nxt && conn_may_challenge(conn, env)) {
		conn_reply(eff, TCP_RST, seg->ack, 0, 0, 0);
		conn_send_syn(conn, env, eff, conn->timer_ns > env->now_ns ? conn->timer_ns - env->now_ns : 0);
	}
}

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
		conn_drop(eff, REASON_DROP_RX_PADDING);
		return;
	}
	eff->verdict = VERDICT_PASS;
	eff->reason = REASON_RX_DATA;
	eff->padding = padding;
}

/*
 * What is left of the peer's window counts from what it acknowledges (RFC 9293 3.8.6), so that during an outage in one
 * direction, with segments still coming in the other, it runs out instead of being filled again and again. An ack
 * field from outside of what is under way says nothing about that.
 */
CORE_FN void conn_take_window(struct conn *conn, const struct segment *seg)
{
	__u32 window = conn_announced_window(conn, seg), flight = conn->snd_nxt - seg->ack;

	if (flight > CONN_SEQ_TOLERANCE)
		flight = 0;
	conn->snd_wnd = window > flight ? window - flight : 0;
	conn->window_known = 1;
}

/* The connection's numbers follow an accepted segment. diff: seq - rcv_nxt. */
CORE_FN void conn_advance(struct conn *conn, const struct env *env, const struct segment *seg, __s32 diff)
{
	__s32 advance = diff + (__s32)seg->payload_len;

	conn->last_rx_ns = env->now_ns;
	conn->retries = 0;
	if (conn->check_probes) {
		conn->check_probes = 0;
		conn->timer_ns = 0;
	}
	if (diff >= 0) {
		conn_take_window(conn, seg);
		conn->probe_unanswered = 0;
	}
	if (advance > 0) {
		conn->rcv_nxt += (__u32)advance;
		conn->rcv_wnd -= (__u32)advance < conn->rcv_wnd ? (__u32)advance : conn->rcv_wnd;
	}
}

/* A RST with another number, or a SYN, may be forged: ask the peer itself (section 5). */
CORE_FN void conn_check_liveness(struct conn *conn, const struct env *env, struct effect *eff)
{
	eff->reason = REASON_RX_RST_CHECKED;
	if (conn->check_probes || !conn_may_challenge(conn, env))
		return;
	conn->check_probes = 1;
	conn->chase_ns = 0;
	conn->timer_ns = env->now_ns + CONN_CHECK_INTERVAL_NS;
	conn->probe_unanswered = 0;
	conn_send_probe(conn, env, eff);
}

CORE_FN void conn_ingress_close(struct conn *conn, const struct env *env, const struct segment *seg,
				struct effect *eff)
{
	conn_consume(eff);
	if (seg->seq != conn->rcv_nxt) {
		conn_check_liveness(conn, env, eff);
		return;
	}
	eff->reason = REASON_RX_RST;
	if (seg->flags & TCP_FIN && !(seg->flags & TCP_RST))
		conn_reply(eff, TCP_RST, conn->snd_nxt, 0, 0, 0);
	conn_lost(conn, env, false, eff);
}

CORE_FN void conn_ingress_established(struct conn *conn, const struct env *env, const struct segment *seg,
				      struct effect *eff)
{
	__s32 diff = seq_diff(seg->seq, conn->rcv_nxt);

	if (seg->flags & (TCP_RST | TCP_FIN)) {
		conn_ingress_close(conn, env, seg, eff);
		return;
	}
	if (seg->flags & TCP_SYN) {
		conn_consume(eff);
		if (!(seg->flags & TCP_ACK) && seg->seq != conn->irs) {
			conn_check_liveness(conn, env, eff);
			return;
		}
		if (!(seg->flags & TCP_ACK)) { /* the SYN that made this connection, late or twice */
			if (conn_may_challenge(conn, env))
				conn_reply_ack(conn, eff);
			return;
		}
		/* Our last ACK was lost. 0.7.x numbers each repetition one higher. */
		if (seg->ack == conn->snd_nxt && diff >= -1 && diff < CONN_SEQ_TOLERANCE) {
			if (diff >= 0)
				conn->rcv_nxt += (__u32)diff + 1;
			conn_reply_ack(conn, eff);
		} else if (conn_may_challenge(conn, env)) {
			conn_reply_ack(conn, eff);
		}
		return;
	}
	if (!(seg->flags & TCP_ACK)) {
		conn_drop(eff, REASON_DROP_RX_STATE);
		return;
	}
	if (diff > CONN_SEQ_TOLERANCE || diff < -CONN_SEQ_TOLERANCE) {
		conn_drop(eff, REASON_DROP_RX_WINDOW);
		if (conn_may_challenge(conn, env))
			conn_reply_ack(conn, eff);
		return;
	}
	conn_consume(eff);
	if (diff == -1 && seg->payload_len <= 1 && !(seg->flags & TCP_PSH)) { /* keepalive, repeated probe */
		conn_advance(conn, env, seg, diff);
		conn_reply_ack(conn, eff);
		return;
	}
	conn_advance(conn, env, seg, diff);
	if (conn_is_probe(seg)) {
		conn_open_window(conn);
		conn_reply_ack(conn, eff);
		conn->last_use_ns = env->now_ns;
	} else if (!conn_is_pure_ack(seg)) { /* that is no use: it answers a keepalive, or data, which was use enough */
		conn_ingress_data(conn, env, seg, eff);
	}
	if (conn->rcv_wnd < conn->rcv_refresh) {
		conn_open_window(conn);
		conn_reply_ack(conn, eff);
	}
	conn_release(conn, eff);
}

CORE_FN void conn_ingress_syn_received(struct conn *conn, const struct env *env, const struct segment *seg,
				       struct effect *eff)
{
	__s32 diff;

	conn_consume(eff);
	if (seg->flags & (TCP_RST | TCP_FIN)) {
		if (seg->seq != conn->rcv_nxt)
			return;
		eff->reason = REASON_RX_RST;
		if (!(seg->flags & TCP_RST))
			conn_reply(eff, TCP_RST, conn->snd_nxt, 0, 0, 0);
		conn_lost(conn, env, false, eff);
		return;
	}
	if ((seg->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		if (!seg->options_ok) {
			conn_drop(eff, REASON_DROP_RX_OPTIONS);
			return;
		}
		if (conn->simultaneous) { /* the peer did not get our ACK */
			conn->irs = seg->seq;
			conn->rcv_nxt = seg->seq + 1;
			conn_reply(eff, TCP_ACK, conn->snd_nxt, conn->rcv_nxt, CONN_WINDOW_UNSCALED, 0);
			return;
		}
		conn_ingress_syn(conn, env, seg, eff); /* repeated, or the peer began again */
		return;
	}
	if (!(seg->flags & TCP_ACK) || seg->ack != conn->snd_nxt) {
		conn_drop(eff, REASON_DROP_RX_STATE);
		if (seg->flags & TCP_ACK && conn_may_challenge(conn, env))
			conn_reply(eff, TCP_RST, seg->ack, 0, 0, 0);
		return;
	}
	if (seg->flags & TCP_SYN) { /* simultaneous, answered by a SYN-ACK */
		if (seg->seq + 1 != conn->rcv_nxt) {
			conn_drop(eff, REASON_DROP_RX_WINDOW);
			return;
		}
		conn_established(conn, env, seg, eff);
		return;
	}
	/* The ACK, or data that proves the ACK that was lost; data before it may be lost, too. */
	diff = seq_diff(seg->seq, conn->rcv_nxt);
	if (diff < 0 || diff > CONN_SEQ_TOLERANCE) {
		conn_drop(eff, REASON_DROP_RX_WINDOW);
		return;
	}
	conn->rcv_nxt += (__u32)diff;
	conn_established(conn, env, seg, eff);
	if (conn_is_pure_ack(seg))
		return;
	conn_advance(conn, env, seg, 0);
	if (!conn_is_probe(seg))
		conn_ingress_data(conn, env, seg, eff);
}

/*
 * A segment that matches a filter but no connection. True: it is a SYN that begins one (create the entry, then
 * conn_ingress()). False: the effect says what to do instead.
 */
CORE_FN bool conn_unknown(const struct segment *seg, struct effect *eff)
{
	if ((seg->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN) {
		if (seg->options_ok)
			return true;
		conn_drop(eff, REASON_DROP_RX_OPTIONS);
		return false;
	}
	conn_drop(eff, REASON_DROP_RX_UNKNOWN);
	if (!(seg->flags & TCP_RST) && !(seg->flags & TCP_FIN))
		conn_reply(eff, TCP_RST, seg->ack, 0, 0, 0);
	return false;
}

/*
 * PASS: data, to be restored, with `padding`. CONSUME or DROP: not for the UDP application.
 * The connection is in the table; a segment of an unknown connection goes to conn_unknown() first.
 */
CORE_FN void conn_ingress(struct conn *conn, const struct env *env, const struct segment *seg, struct effect *eff)
{
	eff->epoch = conn->epoch;
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
		if (conn_unknown(seg, eff))
			conn_ingress_syn(conn, env, seg, eff);
		else if (eff->reply[0].flags && !conn_may_challenge(conn, env))
			eff->reply[0].flags = 0;
		break;
	default:
		conn_drop(eff, REASON_DROP_RX_STATE);
	}
}

/* ---- the clock ---- */

CORE_FN bool conn_timer_is_due(const struct conn *conn, __u64 now_ns)
{
	return conn->timer_ns && now_ns >= conn->timer_ns;
}

CORE_FN void conn_tick_handshake(struct conn *conn, const struct env *env, struct effect *eff)
{
	if (!conn_timer_is_due(conn, env->now_ns))
		return;
	if (conn->state == CONN_SYN_RECEIVED && !conn->simultaneous) {
		conn->timer_ns = 0;
		conn_lost(conn, env, false, eff); /* a SYN-ACK is never repeated by a timer */
		return;
	}
	if (conn->single_syn || conn->retries >= conn->settings.handshake_retry) {
		conn_give_up(conn, env, eff);
		return;
	}
	conn->retries++;
	conn_send_syn(conn, env, eff, conn->settings.handshake_interval_s * NSEC_PER_SEC);
}

CORE_FN void conn_reset(struct conn *conn, const struct env *env, struct effect *eff)
{
	conn_reply(eff, TCP_RST, conn->snd_nxt, 0, 0, 0);
	conn_lost(conn, env, false, eff);
}

CORE_FN void conn_tick_keepalive(struct conn *conn, const struct env *env, struct effect *eff)
{
	const struct conn_settings *set = &conn->settings;
	__u64 silence_ns = env->now_ns - conn->last_rx_ns;

	if (set->keepalive_stale_s && env->now_ns - conn->last_use_ns >= set->keepalive_stale_s * NSEC_PER_SEC) {
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
	conn->timer_ns = env->now_ns + set->keepalive_interval_s * NSEC_PER_SEC;
	conn_reply(eff, TCP_ACK, conn->snd_nxt - 1, conn->rcv_nxt, conn_window_field(conn), 0);
}

/* Datagrams wait, or so we think. */
CORE_FN void conn_tick_held(struct conn *conn, const struct env *env, struct effect *eff)
{
	if (conn->snd_wnd < conn_peer_window_full(conn) / 2) {
		conn->held_ns = env->now_ns;
		if (env->now_ns - conn->probe_ns >= CONN_STARVED_PROBE_NS)
			conn_send_probe(conn, env, eff);
	}
	if (env->now_ns - conn->held_ns >= CONN_HELD_STUCK_NS) { /* whatever became of them, the next ones shall go */
		conn_flush(conn, eff);
		return;
	}
	conn->release_limit = conn_held_begin(conn); /* say it again: the event may have been lost */
	conn_release(conn, eff);
}

CORE_FN void conn_tick_established(struct conn *conn, const struct env *env, struct effect *eff)
{
	if (conn->check_probes) {
		if (!conn_timer_is_due(conn, env->now_ns))
			return;
		if (conn->check_probes >= CONN_CHECK_PROBES) {
			conn_lost(conn, env, true, eff); /* silently: an idle peer of 0.7.x prolongs its cooldown */
			return;
		}
		conn->check_probes++;
		conn->timer_ns = env->now_ns + CONN_CHECK_INTERVAL_NS;
		conn_send_probe(conn, env, eff);
		return;
	}
	if (conn->held)
		conn_tick_held(conn, env, eff);
	conn_tick_keepalive(conn, env, eff);
}

/* Whether conn_tick() would do anything; may be asked about a copy taken without the lock. */
CORE_FN bool conn_tick_is_due(const struct conn *conn, __u64 now_ns)
{
	const struct conn_settings *set = &conn->settings;

	switch (conn->state) {
	case CONN_IDLE:
		return now_ns >= conn->cooldown_ns && now_ns - conn->last_use_ns >= CONN_IDLE_LINGER_NS;
	case CONN_SYN_SENT:
	case CONN_SYN_RECEIVED:
		return conn_timer_is_due(conn, now_ns);
	case CONN_ESTABLISHED:
		if (conn->check_probes)
			return conn_timer_is_due(conn, now_ns);
		if (conn->held)
			return true;
		if (set->keepalive_stale_s && now_ns - conn->last_use_ns >= set->keepalive_stale_s * NSEC_PER_SEC)
			return true;
		return set->keepalive_time_s && now_ns - conn->last_rx_ns >= set->keepalive_time_s * NSEC_PER_SEC;
	case CONN_CLOSED: /* its deletion failed */
		return true;
	default:
		return false;
	}
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
		if (env->now_ns < conn->cooldown_ns || env->now_ns - conn->last_use_ns < CONN_IDLE_LINGER_NS)
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

/* The daemon goes: a RST for what lives, and no way back. */
CORE_FN void conn_shutdown(struct conn *conn, struct effect *eff)
{
	eff->verdict = VERDICT_CONSUME;
	eff->epoch = conn->epoch;
	if (conn->state != CONN_IDLE && conn->state != CONN_CLOSED)
		conn_reply(eff, TCP_RST, conn->snd_nxt, 0, 0, 0);
	conn->state = CONN_CLOSED;
	eff->remove = 1;
}

#endif
