/* SPDX-License-Identifier: GPL-2.0-only */
/* What a connection is, and the vocabulary of its state machine: see conn.h. */
#ifndef MIMIC_CORE_CONN_STATE_H
#define MIMIC_CORE_CONN_STATE_H

#include "figures.h"
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
	CONN_NEAR = 256 * 1024,		 /* bytes: what is so close is taken at once */
	CONN_SYN_ACK_DRIFT = 64,	 /* a repeated SYN-ACK may be numbered so much higher */
	CONN_FAST_SYNS = 7,		 /* PACE_FAST: the first SYN is repeated so often ... */
	CONN_HELD_MAX = 128,		 /* datagrams that may wait */
	CONN_HELD_CHASE_ROUNDS = 64,	 /* as often it has sent some, and as many new ones had come */
	CONN_HELD_SPACE_MAX = 256 * 1024, /* and their payloads with padding, bytes */
	CONN_COOLDOWN_S = 5,
	CONN_CHECK_PROBES = 3,		 /* of a liveness check ... */
	CONN_CHECK_PROBES_LONG = 6,	 /* ... and of one that has less of a cause */
	CONN_WATCH_UNITS = 2,		 /* so long the clock watches what it was told to, at least */
	CONN_CHECK_PROBES_HOLD = 2,	 /* from this one on data waits: the first has no answer */
	CONN_REPLIES = 2,
};

#define CONN_FAST_SYN_NS	  (200 * NSEC_PER_MSEC) /* ... after so long each */
#define CONN_CROSSING_NS	  (4 * NSEC_PER_SEC)	/* SYNs crossed: so long the peer's ACK may be under way */
#define CONN_CROSSED_FAST_NS	  (600 * NSEC_PER_MSEC) /* and who repeats its SYN sooner wants ours again */
#define CONN_UNPROVEN_NS	  NSEC_PER_SEC		/* datagrams wait for the ACK of a SYN that may be forged */
#define CONN_SILENCE_NS		  (5 * NSEC_PER_SEC)	/* data goes out and nothing comes: does the peer live? */
#define CONN_SILENCE_USE_NS	  (2 * NSEC_PER_SEC)	/* data goes out for so long */
#define CONN_LATELY_NS		  (2 * NSEC_PER_SEC)	/* what was sent since then, or thrice as long, may be under way */
#define CONN_RTT_MAX_NS		  (10 * NSEC_PER_SEC)
#define CONN_PROBE_INTERVAL_NS	  (10 * NSEC_PER_MSEC)
#define CONN_STARVED_PROBE_NS	  (200 * NSEC_PER_MSEC) /* datagrams wait for the peer's window */
#define CONN_HELD_STUCK_NS	  (3 * NSEC_PER_SEC)	/* they could go, and none comes */
#define CONN_HELD_CHASE_NS	  (200 * NSEC_PER_MSEC)	/* ... and for so long */
#define CONN_CHECK_INTERVAL_NS	  (300 * NSEC_PER_MSEC)
#define CONN_CHALLENGE_NS	  (100 * NSEC_PER_MSEC) /* between answers to doubtful segments */
#define CONN_RIVAL_NS		  (10 * NSEC_PER_MSEC)	/* ... up to so long to SYNs with different numbers, one of which is the peer's */
#define CONN_COOLDOWN_SYN_NS	  (800 * NSEC_PER_MSEC) /* while datagrams come, a SYN goes out so often at least */
#define CONN_WATCH_SHIFT	  30			/* ns to these units, of 1.07 s */
#define CONN_HALF_OPEN_NS	  (8 * NSEC_PER_SEC) /* a responder's patience */
#define CONN_IDLE_LINGER_NS	  (30 * NSEC_PER_SEC)

enum conn_state {
	CONN_IDLE,
	CONN_SYN_SENT,
	CONN_SYN_RECEIVED,
	CONN_ESTABLISHED,
	CONN_CLOSED,
};

/*
 * How a simultaneous open goes on. RFC 9293 3.5 wants a SYN-ACK, and so does conntrack: without one it calls all that follows invalid. But
 * 0.7.x, whose SYNs all have the window 0xffff, resets for it, and wants a plain ACK.
 */
enum conn_crossed {
	CONN_CROSSED_ACK = 1,
	CONN_CROSSED_SYN_ACK,
};

struct conn {
	__u8 state;		/* enum conn_state */
	__u8 peer_wscale;
	__u8 cooldown_level;	/* failed handshakes in a row */
	__u8 single_syn;	/* SYN_SENT during a cooldown: the SYN is not repeated */
	__u8 check_probes;	/* probes of the running liveness check; 0: none runs */
	__u8 check_probes_max;
	/* No bit fields: the kernel refuses the BTF of a map value that has a lock and bit fields. */
	__u8 simultaneous;	/* SYN_RECEIVED from SYN_SENT: enum conn_crossed, else 0 */
	__u8 probe_unanswered;
	__u8 window_known;	/* the peer has announced a scaled window, not only that of its SYN-ACK */
	__u8 unacked;		/* data segments received since we sent anything; 255: or more */
	__u8 jump_known;	/* jump_nxt is valid */
	__u8 rtt_wanted;	/* the last probe's ACK has not come */
	__u8 chase_rounds;	/* how often the queue got shorter without becoming empty; 255: or more */
	__u8 gap_known;		/* gap_nxt is valid */
	__u8 mute_acks;		/* ACKs without data received since we sent anything; 255: or more */
	__u8 contested;		/* half open: a SYN with another number than irs was answered, too */
	__u16 watched;		/* when the clock was last told to watch it (units of CONN_WATCH_SHIFT; wraps) */
	__u16 peer_mss;
	__u16 retries;		/* SYNs or keepalives sent without an answer */
	__u32 epoch;		/* changes whenever what waits in the daemon is given up */
	__u32 irs;		/* number of the peer's SYN */
	__u32 isn_base;		/* keyed hash of the addresses (RFC 6528) */
	__u32 snd_nxt, rcv_nxt;
	__u32 snd_una;		/* highest number that the peer acknowledged */
	__u32 jump_nxt;		/* where a segment ended that came with a number far ahead */
	__u32 gap_nxt;		/* where data ended that came with a number a little ahead */
	__u32 snd_wnd;		/* what is left of the peer's window, bytes */
	__u32 rcv_wnd;		/* what is left of ours as announced, bytes */
	__u32 rcv_refresh;	/* at this much left a full window is announced */
	__u32 held;		/* datagrams that wait in the daemon */
	__u32 held_space;	/* and the sequence space up to the queue's end: payloads, most padding, gaps */
	__u32 held_number;	/* of the next one */
	__u32 held_end;		/* end of the queue: sequence space ever queued; wraps */
	__u32 release_limit;	/* told to the daemon: how far into the queue it may go */
	__u32 random;		/* state of conn_random() */
	__u32 probe_nxt;	/* the number behind the last window probe; its ACK measures the round trip */
	__u32 lately_nxt, earlier_nxt; /* snd_nxt at sent_ns, and CONN_LATELY_NS or up to twice that before */
	/* __aligned_u64: i386 would align them to four bytes, BPF does to eight. */
	__aligned_u64 timer_ns;		/* next SYN, keepalive or liveness probe; 0: none */
	__aligned_u64 syn_ns;		/* last SYN or SYN-ACK sent */
	__aligned_u64 last_rx_ns;	/* anything acceptable received */
	__aligned_u64 last_tx_ns;	/* any segment with an ACK sent */
	__aligned_u64 last_use_ns;	/* data sent or received */
	struct figures_traffic traffic; /* here: the established path writes these lines anyway */
	__aligned_u64 rtt_ns;		/* round trip, last measured; of the handshake until a probe was answered */
	__aligned_u64 sent_ns;		/* when lately_nxt was noted, at a datagram out */
	__aligned_u64 unanswered_ns;	/* data sent after anything was received; 0: none */
	__aligned_u64 probe_ns;		/* last window probe */
	__aligned_u64 held_ns;		/* when a waiting datagram came back last, or could not */
	__aligned_u64 chase_ns;		/* since when it gets so; 0: it does not */
	__aligned_u64 challenge_ns;	/* last answer to a doubtful segment */
	__aligned_u64 cooldown_ns;	/* end of the cooldown */
	struct conn_settings settings;
	__aligned_u64 begun_ns;		/* first SYN of the handshake, sent or received */
	__aligned_u64 handshake_ns;	/* how long the last one took that was done */
	__aligned_u64 established_ns;	/* since when, while the state is CONN_ESTABLISHED */
	struct figures_events events;
};

/* The world as the core may see it. */
struct env {
	__u64 now_ns;
	__u32 random;	/* for conn_init() */
	bool hold_room; /* the daemon can take another datagram */
	bool crowded;	/* many connections are half open: it may be a flood */
};

/* A received segment. */
struct segment {
	__u32 seq, ack;
	__u16 window;	   /* as on the wire, unscaled */
	__u16 payload_len; /* bytes behind the TCP header, padding included */
	__u8 flags;
	bool options_ok;
	bool damaged; /* its checksum was looked at, and is wrong */
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
	NOTIFY_CLOSED = 1 << 6,	 /* was established, and its filter was removed or changed */
	NOTIFY_WATCH = 1 << 7,	 /* the clock shall look at it often for a while: data waits for its ACK */
};

struct effect {
	__u8 verdict;	/* enum verdict */
	__u8 reason;	/* enum reason: counted */
	__u8 notify;	/* set of enum notify */
	__u8 remove;	/* delete the entry; its state is CONN_CLOSED */
	__u8 padding;	/* bytes, of the data packet */
	__s8 half_open;	/* so many more of a responder's connections are half open: 1, 0 or -1 */
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

CORE_FN __s32 seq_diff(__u32 a, __u32 b)
{
	return (__s32)(a - b);
}

/* Since `then`. The clock is read before the lock is taken, so another CPU may have noted a later time already. */
CORE_FN __u64 conn_age(__u64 now_ns, __u64 then_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
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

/* RFC 6528: the hash, and a clock of 64 ns, as Linux has it (net/core/secure_seq.c). */
CORE_FN __u32 conn_isn(const struct conn *conn, const struct env *env)
{
	return conn->isn_base + (__u32)(env->now_ns >> 6);
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

CORE_FN void conn_note_rtt(struct conn *conn, __u64 ns)
{
	conn->rtt_ns = ns < CONN_RTT_MAX_NS ? ns : CONN_RTT_MAX_NS;
	conn->rtt_wanted = 0;
}

/* A time that is long enough for `trips` round trips, but not shorter than least_ns. */
CORE_FN __u64 conn_patience(const struct conn *conn, __u32 trips, __u64 least_ns)
{
	__u64 ns = conn->rtt_ns * trips;

	return ns > least_ns ? ns : least_ns;
}

/* Data goes out: remembers where snd_nxt was some seconds ago. */
CORE_FN void conn_note_sent(struct conn *conn, const struct env *env)
{
	__u64 age_ns = conn_age(env->now_ns, conn->sent_ns);

	if (age_ns < CONN_LATELY_NS)
		return;
	conn->earlier_nxt = age_ns < 2 * CONN_LATELY_NS ? conn->lately_nxt : conn->snd_nxt;
	conn->lately_nxt = conn->snd_nxt;
	conn->sent_ns = env->now_ns;
}

/* Whatever goes out with an ACK acknowledges all that came. */
CORE_FN void conn_note_tx(struct conn *conn, const struct env *env)
{
	conn->last_tx_ns = env->now_ns;
	conn->unacked = 0;
	conn->mute_acks = 0;
}

CORE_FN void conn_reply_ack(struct conn *conn, const struct env *env, struct effect *eff)
{
	conn_note_tx(conn, env);
	conn_reply(eff, TCP_ACK, conn->snd_nxt, conn->rcv_nxt, conn_window_field(conn), 0);
}

/* The clock acknowledges what nothing else does (RFC 9293 3.8.6.3), when an interval has passed without data either way. */
CORE_FN bool conn_ack_is_due(const struct conn *conn, __u64 now_ns)
{
	__u64 interval_ns = conn->settings.ack_interval_ms * NSEC_PER_MSEC;

	return conn->unacked && interval_ns && conn_age(now_ns, conn->last_use_ns) >= interval_ns;
}

/* Tells the clock to look soon, unless it does so anyway: a bulk transfer shall not tell it of each segment. */
CORE_FN void conn_watch(struct conn *conn, const struct env *env, struct effect *eff)
{
	__u16 now = (__u16)(env->now_ns >> CONN_WATCH_SHIFT);

	if ((__u16)(now - conn->watched) < CONN_WATCH_UNITS)
		return;
	conn->watched = now;
	eff->notify |= NOTIFY_WATCH;
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
	if (conn->challenge_ns && conn_age(env->now_ns, conn->challenge_ns) < CONN_CHALLENGE_NS)
		return false;
	conn->challenge_ns = env->now_ns;
	return true;
}

/* Not ours to wait for: the peer's SYN came, its ACK has not. */
CORE_FN bool conn_is_half_open(const struct conn *conn)
{
	return conn->state == CONN_SYN_RECEIVED && !conn->simultaneous;
}

/* A drop that no connection counts: there is none, or its figures are closed. */
CORE_FN void conn_drop_unknown(struct effect *eff, enum reason reason)
{
	eff->verdict = VERDICT_DROP;
	eff->reason = (__u8)reason;
}

CORE_FN void conn_drop(struct conn *conn, struct effect *eff, enum reason reason)
{
	conn_drop_unknown(eff, reason);
	figures_count_drop(&conn->events, reason, 1);
}

/* Packets of the connection that the shell or the daemon lost. The figures of a closed one are taken already. */
CORE_FN void conn_note_drop(struct conn *conn, enum reason reason, __u32 number)
{
	if (conn->state != CONN_CLOSED)
		figures_count_drop(&conn->events, reason, number);
}

CORE_FN void conn_consume(struct effect *eff)
{
	eff->verdict = VERDICT_CONSUME;
	eff->reason = REASON_RX_CONTROL;
}

/* isn_base: what the connection's initial sequence numbers begin with (siphash.h), secret and the same each time. */
CORE_FN void conn_init(struct conn *conn, const struct env *env, const struct conn_settings *settings, __u32 isn_base)
{
	conn->settings = *settings;
	conn->state = CONN_IDLE;
	conn->isn_base = isn_base;
	conn->random = env->random | 1;
	conn->epoch = (__u32)(env->now_ns >> 20); /* newer than that of an entry deleted before */
	conn->last_rx_ns = env->now_ns;
	conn->last_use_ns = env->now_ns;
}

#endif
