/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One connection at the end of a test's strings: a clock to turn, segments to feed, and the last effect to look at.
 * Numbers are seen from outside only: those that the connection itself put into segments.
 */
#ifndef MIMIC_TEST_CONN_DRIVER_H
#define MIMIC_TEST_CONN_DRIVER_H

#include <string.h>

#include "core/conn.h"
#include "expect.h"

#define MS  NSEC_PER_MSEC
#define SEC NSEC_PER_SEC

enum {
	PEER_ISN = 0xfffffff0, /* wraps soon */
	WINDOW_FIELD = 0x3400, /* the full window, scaled */
};

struct driver {
	struct conn c;
	struct env env;
	struct effect eff; /* of the last call */
	__u32 own;	   /* our next number */
	__u32 expected;	   /* the peer's next number */
};

enum driver_state {
	AT_IDLE,
	AT_SYN_SENT,
	AT_SYN_RECEIVED,
	AT_SIMULTANEOUS,
	AT_ESTABLISHED,
	AT_CLOSED,
	AT_COUNT,
};

/* What was given explicitly, so that the tests that are about something else see few SYNs and ACKs. */
static const struct conn_settings driver_defaults = {
	.handshake_interval_s = 2, .handshake_retry = 3, .keepalive_time_s = 180, .keepalive_interval_s = 10,
	.keepalive_retry = 3, .keepalive_stale_s = 600, .pace = PACE_FIXED,
};

static inline void drv_init(struct driver *d, const struct conn_settings *settings)
{
	memset(d, 0, sizeof(*d));
	d->env.now_ns = 1000 * SEC;
	d->env.random = 0x12345678;
	d->env.hold_room = true;
	conn_init(&d->c, &d->env, settings ? settings : &driver_defaults, 0x5eed);
}

static inline const struct reply *drv_reply(const struct driver *d)
{
	return &d->eff.reply[0];
}

/* A SYN or SYN-ACK says what our next number is. */
static inline void drv_note_syn(struct driver *d)
{
	if (drv_reply(d)->flags & TCP_SYN)
		d->own = drv_reply(d)->seq + 1;
}

/* What the daemon releases it reports as sent, unless it is told to keep it. */
static inline void drv_out(struct driver *d, __u32 payload_len, bool released)
{
	memset(&d->eff, 0, sizeof(d->eff));
	conn_egress(&d->c, &d->env, payload_len, released, &d->eff);
	if (released && d->eff.verdict != VERDICT_WAIT)
		conn_unhold(&d->c, &d->env, 1, payload_len);
	if (d->eff.verdict == VERDICT_PASS)
		d->own = d->eff.seq + payload_len + d->eff.padding;
	drv_note_syn(d);
}

static inline void drv_in(struct driver *d, const struct segment *seg)
{
	memset(&d->eff, 0, sizeof(d->eff));
	conn_ingress(&d->c, &d->env, seg, &d->eff);
	drv_note_syn(d);
}

static inline void drv_tick(struct driver *d)
{
	memset(&d->eff, 0, sizeof(d->eff));
	if (conn_tick_is_due(&d->c, d->env.now_ns))
		conn_tick(&d->c, &d->env, &d->eff);
	drv_note_syn(d);
}

static inline void drv_wait(struct driver *d, __u64 ns)
{
	d->env.now_ns += ns;
}

/* A SYN or SYN-ACK of the peer, as Mimic sends it; ack is used with TCP_ACK only. */
static inline void drv_in_syn(struct driver *d, __u8 flags, __u32 seq, __u32 ack)
{
	struct segment seg = {
		.seq = seq,
		.ack = flags & TCP_ACK ? ack : 0,
		.window = 0xffff,
		.flags = flags,
		.options_ok = true,
		.options = { .mss = 1460, .wscale = 12 },
	};

	drv_in(d, &seg);
}

/* Anything else of the peer: numbers relative to what we expect and what is our next. */
static inline void drv_in_ack(struct driver *d, __u8 flags, __s32 seq, __u16 payload_len,
			      __u16 window)
{
	struct segment seg = {
		.seq = d->expected + (__u32)seq,
		.ack = d->own,
		.window = window,
		.payload_len = payload_len,
		.flags = flags,
	};

	drv_in(d, &seg);
}

/* Data in order, and the number that is expected then. */
static inline void drv_in_data(struct driver *d, __u16 payload_len)
{
	drv_in_ack(d, TCP_ACK | (payload_len <= 1 ? TCP_PSH : 0), 0, payload_len, WINDOW_FIELD);
	d->expected += payload_len;
}

/* This side ended an established connection, as a Linux does. */
static inline void drv_expect_reset(const struct driver *d)
{
	expect_eq(drv_reply(d)->flags, TCP_RST | TCP_ACK);
	expect_eq(drv_reply(d)->seq, d->own);
	expect_eq(drv_reply(d)->ack, d->expected);
	expect(drv_reply(d)->window >= WINDOW_FIELD / 4 && drv_reply(d)->window <= WINDOW_FIELD);
	expect_eq(drv_reply(d)->payload_len, 0);
	expect_eq(d->eff.reply[1].flags, 0);
}

static inline void drv_establish_initiator(struct driver *d, __u16 syn_ack_window, __u8 wscale)
{
	struct segment seg = {
		.seq = PEER_ISN,
		.window = syn_ack_window,
		.flags = TCP_SYN | TCP_ACK,
		.options_ok = true,
		.options = { .mss = 1460, .wscale = wscale },
	};

	if (d->c.state == CONN_IDLE)
		drv_out(d, 100, false);
	expect_eq(d->c.state, CONN_SYN_SENT);
	seg.ack = d->own;
	d->expected = PEER_ISN + 1U;
	drv_in(d, &seg);
	expect_eq(d->c.state, CONN_ESTABLISHED);
}

static inline void drv_establish_responder(struct driver *d)
{
	drv_in_syn(d, TCP_SYN, PEER_ISN, 0);
	expect_eq(drv_reply(d)->flags, TCP_SYN | TCP_ACK);
	d->expected = PEER_ISN + 1U;
	drv_in_ack(d, TCP_ACK, 0, 0, WINDOW_FIELD);
	expect_eq(d->c.state, CONN_ESTABLISHED);
}

/* All that waits comes back from the daemon. */
static inline void drv_drain(struct driver *d, __u32 payload_len)
{
	for (int i = 0; d->c.held && i < CONN_HELD_MAX; i++)
		drv_out(d, payload_len, true);
	expect_eq(d->c.held, 0);
}

/* ESTABLISHED as the initiator, nothing waits, and the peer has announced its full window. */
static inline void drv_goto_initiator(struct driver *d, const struct conn_settings *settings)
{
	drv_init(d, settings);
	drv_establish_initiator(d, 0xffff, 12);
	drv_drain(d, 100);
	drv_in_ack(d, TCP_ACK, 0, 0, WINDOW_FIELD);
}

/* Into a state by the shortest way; ESTABLISHED with full windows at both ends and nothing waiting. */
static inline void drv_goto(struct driver *d, enum driver_state state,
			    const struct conn_settings *settings)
{
	drv_init(d, settings);
	d->expected = PEER_ISN + 1U;
	switch (state) {
	case AT_SYN_SENT:
	case AT_SIMULTANEOUS:
		drv_out(d, 100, false);
		if (state == AT_SIMULTANEOUS)
			drv_in_syn(d, TCP_SYN, PEER_ISN, 0);
		break;
	case AT_SYN_RECEIVED:
		drv_in_syn(d, TCP_SYN, PEER_ISN, 0);
		break;
	case AT_ESTABLISHED:
		drv_establish_responder(d);
		break;
	case AT_CLOSED:
		drv_establish_responder(d);
		conn_shutdown(&d->c, &d->eff);
		break;
	default:
		break;
	}
	memset(&d->eff, 0, sizeof(d->eff));
}

#endif
