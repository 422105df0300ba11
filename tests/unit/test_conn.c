/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state machine of a connection: a table of state x segment, then each of its mechanisms
 *
 * Handshakes, timers, windows, probes, resets and waiting datagrams, one by one.
 */
#include <string.h>

#include "conn_driver.h"
#include "prng.h"

/* ---- state x segment ---- */

enum number {
	NUMBER_ANY,
	NUMBER_OWN,	  /* our next number */
	NUMBER_ISN,	  /* that of our SYN: one less */
	NUMBER_EXPECTED,  /* the peer's next number before the segment */
	NUMBER_BEHIND,	  /* the peer's next number behind the segment */
	NUMBER_AFTER_SYN, /* one more than the segment's own */
	NUMBER_SEG_ACK,	  /* the ack field of the segment */
};

enum {
	ANY = 0xff,
	BAD_OPTIONS = 1,
	OTHER_ACK = 1000, /* an ack field that is not ours */
	FAR = CONN_SEQ_TOLERANCE,
	RST_ZERO = 15, /* number 0, seen from PEER_ISN + 1 */
};

struct row {
	const char *what;
	__u8 at; /* enum driver_state */
	struct {
		__u8 flags;
		__s32 seq, ack; /* relative to what we expect and to our next number */
		__u16 len;
		__u8 bad_options;
	} in;
	__u8 verdict, state;
	struct {
		__u8 flags; /* 0: none; ANY: not a RST */
		__u8 seq, ack, len;
	} reply;
};

#define NO_REPLY           \
	{                  \
		0, 0, 0, 0 \
	}
#define NO_RST               \
	{                    \
		ANY, 0, 0, 0 \
	}
#define PROBE                                           \
	{                                               \
		TCP_ACK, NUMBER_OWN, NUMBER_EXPECTED, 1 \
	}
#define ACK_OF(number)                         \
	{                                      \
		TCP_ACK, NUMBER_OWN, number, 0 \
	}
#define RST_OF_ACK                                     \
	{                                              \
		TCP_RST, NUMBER_SEG_ACK, NUMBER_ANY, 0 \
	}
#define SYN_ACK_REPLY                                              \
	{                                                          \
		TCP_SYN | TCP_ACK, NUMBER_ISN, NUMBER_AFTER_SYN, 0 \
	}

/* clang-format off */
static const struct row table[] = {
	/* Idle is an unknown connection: section 2, the last three rows. */
	{ "SYN", AT_IDLE, { TCP_SYN, -1, 0, 0, 0 }, VERDICT_CONSUME, CONN_SYN_RECEIVED,
	  { TCP_SYN | TCP_ACK, NUMBER_ANY, NUMBER_AFTER_SYN, 0 } },
	{ "SYN, malformed options", AT_IDLE, { TCP_SYN, -1, 0, 0, BAD_OPTIONS }, VERDICT_DROP, CONN_IDLE, NO_REPLY },
	{ "SYN-ACK", AT_IDLE, { TCP_SYN | TCP_ACK, -1, 5, 0, 0 }, VERDICT_DROP, CONN_IDLE, RST_OF_ACK },
	{ "ACK", AT_IDLE, { TCP_ACK, 0, 5, 0, 0 }, VERDICT_DROP, CONN_IDLE, RST_OF_ACK },
	{ "data", AT_IDLE, { TCP_ACK, 0, 5, 1400, 0 }, VERDICT_DROP, CONN_IDLE, RST_OF_ACK },
	{ "data, 1 byte", AT_IDLE, { TCP_ACK | TCP_PSH, 0, 5, 1, 0 }, VERDICT_DROP, CONN_IDLE, RST_OF_ACK },
	{ "probe", AT_IDLE, { TCP_ACK, 0, 5, 1, 0 }, VERDICT_DROP, CONN_IDLE, RST_OF_ACK },
	{ "RST", AT_IDLE, { TCP_RST, 0, 0, 0, 0 }, VERDICT_DROP, CONN_IDLE, NO_REPLY },
	{ "RST with ACK", AT_IDLE, { TCP_RST | TCP_ACK, 0, 5, 0, 0 }, VERDICT_DROP, CONN_IDLE, NO_REPLY },
	{ "FIN", AT_IDLE, { TCP_FIN | TCP_ACK, 0, 5, 0, 0 }, VERDICT_DROP, CONN_IDLE, NO_REPLY },

	{ "SYN-ACK", AT_SYN_SENT, { TCP_SYN | TCP_ACK, -1, 0, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED,
	  ACK_OF(NUMBER_AFTER_SYN) },
	{ "SYN-ACK for another SYN", AT_SYN_SENT, { TCP_SYN | TCP_ACK, -1, OTHER_ACK, 0, 0 }, ANY, CONN_SYN_SENT,
	  RST_OF_ACK },
	{ "SYN-ACK, malformed options", AT_SYN_SENT, { TCP_SYN | TCP_ACK, -1, 0, 0, BAD_OPTIONS }, VERDICT_DROP,
	  CONN_SYN_SENT, NO_REPLY },
	/* Our SYN again, then the ACK: test_simultaneous_open. */
	{ "SYN: simultaneous open", AT_SYN_SENT, { TCP_SYN, -1, 0, 0, 0 }, VERDICT_CONSUME, CONN_SYN_RECEIVED,
	  { TCP_SYN, NUMBER_ISN, NUMBER_ANY, 0 } },
	{ "SYN, malformed options", AT_SYN_SENT, { TCP_SYN, -1, 0, 0, BAD_OPTIONS }, VERDICT_DROP, CONN_SYN_SENT,
	  NO_REPLY },
	{ "ACK of an older connection", AT_SYN_SENT, { TCP_ACK, 0, OTHER_ACK, 0, 0 }, ANY, CONN_SYN_SENT, RST_OF_ACK },
	{ "data of an older connection", AT_SYN_SENT, { TCP_ACK, 0, OTHER_ACK, 1400, 0 }, ANY, CONN_SYN_SENT,
	  RST_OF_ACK },
	{ "probe of an older connection", AT_SYN_SENT, { TCP_ACK, 0, -OTHER_ACK, 1, 0 }, ANY, CONN_SYN_SENT,
	  RST_OF_ACK },
	/* Simultaneous open with the peer's ACK before its SYN: who knows our number is the peer. */
	{ "ACK of our SYN, before the peer's SYN", AT_SYN_SENT, { TCP_ACK, 0, 0, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED,
	  ACK_OF(NUMBER_BEHIND) },
	{ "data that acknowledges our SYN", AT_SYN_SENT, { TCP_ACK, 0, 0, 1400, 0 }, VERDICT_PASS, CONN_ESTABLISHED, NO_RST },
	{ "RST 0", AT_SYN_SENT, { TCP_RST, RST_ZERO, 0, 0, 0 }, ANY, CONN_SYN_SENT, NO_REPLY },
	{ "RST with our number", AT_SYN_SENT, { TCP_RST, 0, 0, 0, 0 }, ANY, CONN_SYN_SENT, NO_REPLY },
	{ "RST with a wrong ACK", AT_SYN_SENT, { TCP_RST | TCP_ACK, 0, OTHER_ACK, 0, 0 }, ANY, CONN_SYN_SENT, NO_REPLY },
	{ "RST with an ACK of our SYN", AT_SYN_SENT, { TCP_RST | TCP_ACK, 0, 0, 0, 0 }, ANY, ANY, NO_REPLY },
	{ "no flags", AT_SYN_SENT, { 0, 0, 0, 10, 0 }, ANY, CONN_SYN_SENT, NO_REPLY },

	{ "the same SYN", AT_SYN_RECEIVED, { TCP_SYN, -1, 0, 0, 0 }, VERDICT_CONSUME, CONN_SYN_RECEIVED, SYN_ACK_REPLY },
	{ "SYN, malformed options", AT_SYN_RECEIVED, { TCP_SYN, -1, 0, 0, BAD_OPTIONS }, VERDICT_DROP,
	  CONN_SYN_RECEIVED, NO_REPLY },
	{ "ACK", AT_SYN_RECEIVED, { TCP_ACK, 0, 0, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED, ACK_OF(NUMBER_EXPECTED) },
	{ "wrong ACK", AT_SYN_RECEIVED, { TCP_ACK, 0, OTHER_ACK, 0, 0 }, VERDICT_DROP, CONN_SYN_RECEIVED, RST_OF_ACK },
	{ "data", AT_SYN_RECEIVED, { TCP_ACK, 0, 0, 1400, 0 }, VERDICT_PASS, CONN_ESTABLISHED, NO_RST },
	{ "data after lost data", AT_SYN_RECEIVED, { TCP_ACK, 2800, 0, 1400, 0 }, VERDICT_PASS, CONN_ESTABLISHED, NO_RST },
	{ "data, 0 bytes", AT_SYN_RECEIVED, { TCP_ACK | TCP_PSH, 0, 0, 0, 0 }, VERDICT_PASS, CONN_ESTABLISHED, NO_RST },
	{ "data, 1 byte", AT_SYN_RECEIVED, { TCP_ACK | TCP_PSH, 0, 0, 1, 0 }, VERDICT_PASS, CONN_ESTABLISHED, NO_RST },
	{ "probe", AT_SYN_RECEIVED, { TCP_ACK, 0, 0, 1, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED, NO_RST },
	{ "data, wrong ACK", AT_SYN_RECEIVED, { TCP_ACK, 0, OTHER_ACK, 1400, 0 }, VERDICT_DROP, CONN_SYN_RECEIVED,
	  RST_OF_ACK },
	{ "ACK far ahead", AT_SYN_RECEIVED, { TCP_ACK, FAR + 1, 0, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED,
	  ACK_OF(NUMBER_BEHIND) },
	{ "data far behind", AT_SYN_RECEIVED, { TCP_ACK, -FAR - 1, 0, 1400, 0 }, VERDICT_PASS, CONN_ESTABLISHED, NO_RST },
	{ "SYN-ACK", AT_SYN_RECEIVED, { TCP_SYN | TCP_ACK, -1, 0, 0, 0 }, VERDICT_DROP, CONN_SYN_RECEIVED, NO_REPLY },
	{ "RST, exact", AT_SYN_RECEIVED, { TCP_RST, 0, 0, 0, 0 }, VERDICT_CONSUME, CONN_CLOSED, NO_REPLY },
	{ "RST, one off", AT_SYN_RECEIVED, { TCP_RST, 1, 0, 0, 0 }, ANY, CONN_SYN_RECEIVED, NO_REPLY },
	{ "RST 0", AT_SYN_RECEIVED, { TCP_RST, RST_ZERO, 0, 0, 0 }, ANY, CONN_SYN_RECEIVED, NO_REPLY },
	{ "FIN", AT_SYN_RECEIVED, { TCP_FIN | TCP_ACK, 0, 0, 0, 0 }, ANY, CONN_CLOSED, { TCP_RST, 0, 0, 0 } },
	{ "no flags", AT_SYN_RECEIVED, { 0, 0, 0, 10, 0 }, VERDICT_DROP, CONN_SYN_RECEIVED, NO_REPLY },

	{ "ACK", AT_SIMULTANEOUS, { TCP_ACK, 0, 0, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED, ACK_OF(NUMBER_EXPECTED) },
	{ "SYN-ACK", AT_SIMULTANEOUS, { TCP_SYN | TCP_ACK, -1, 0, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED,
	  ACK_OF(NUMBER_EXPECTED) },
	/* Of another SYN than the one that came before: that one was forged. */
	{ "SYN-ACK, other number", AT_SIMULTANEOUS, { TCP_SYN | TCP_ACK, 123456789, 0, 0, 0 }, VERDICT_CONSUME,
	  CONN_ESTABLISHED, ACK_OF(NUMBER_AFTER_SYN) },
	{ "SYN-ACK, malformed options", AT_SIMULTANEOUS, { TCP_SYN | TCP_ACK, -1, 0, 0, BAD_OPTIONS }, VERDICT_DROP,
	  CONN_SYN_RECEIVED, NO_REPLY },
	{ "SYN-ACK for another SYN", AT_SIMULTANEOUS, { TCP_SYN | TCP_ACK, -1, OTHER_ACK, 0, 0 }, VERDICT_DROP,
	  CONN_SYN_RECEIVED, RST_OF_ACK },
	/* After a second: test_simultaneous_again. */
	{ "the same SYN", AT_SIMULTANEOUS, { TCP_SYN, -1, 0, 0, 0 }, VERDICT_CONSUME, CONN_SYN_RECEIVED, NO_REPLY },
	{ "data", AT_SIMULTANEOUS, { TCP_ACK, 0, 0, 1400, 0 }, VERDICT_PASS, CONN_ESTABLISHED, NO_RST },
	{ "RST 0", AT_SIMULTANEOUS, { TCP_RST, RST_ZERO, 0, 0, 0 }, ANY, CONN_SYN_RECEIVED, NO_REPLY },

	{ "SYN", AT_ESTABLISHED, { TCP_SYN, 12345, 0, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED, PROBE },
	{ "SYN, the expected number", AT_ESTABLISHED, { TCP_SYN, 0, 0, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED, PROBE },
	{ "SYN of this connection", AT_ESTABLISHED, { TCP_SYN, -1, 0, 0, 0 }, ANY, CONN_ESTABLISHED, NO_RST },
	{ "SYN-ACK again", AT_ESTABLISHED, { TCP_SYN | TCP_ACK, -1, 0, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED,
	  ACK_OF(NUMBER_EXPECTED) },
	{ "SYN-ACK, other numbers", AT_ESTABLISHED, { TCP_SYN | TCP_ACK, 999, OTHER_ACK, 0, 0 }, ANY, CONN_ESTABLISHED,
	  NO_RST },
	{ "ACK", AT_ESTABLISHED, { TCP_ACK, 0, 0, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED, NO_REPLY },
	{ "ACK of older data", AT_ESTABLISHED, { TCP_ACK, 0, -5000, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED, NO_REPLY },
	{ "late ACK", AT_ESTABLISHED, { TCP_ACK, -5000, 0, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED, NO_REPLY },
	{ "data", AT_ESTABLISHED, { TCP_ACK, 0, 0, 1400, 0 }, VERDICT_PASS, CONN_ESTABLISHED, NO_REPLY },
	{ "data, 0 bytes", AT_ESTABLISHED, { TCP_ACK | TCP_PSH, 0, 0, 0, 0 }, VERDICT_PASS, CONN_ESTABLISHED, NO_REPLY },
	{ "data, 1 byte", AT_ESTABLISHED, { TCP_ACK | TCP_PSH, 0, 0, 1, 0 }, VERDICT_PASS, CONN_ESTABLISHED, NO_REPLY },
	{ "data, 1 byte, where a keepalive stands", AT_ESTABLISHED, { TCP_ACK | TCP_PSH, -1, 0, 1, 0 }, VERDICT_PASS,
	  CONN_ESTABLISHED, NO_REPLY },
	{ "data, 2 bytes", AT_ESTABLISHED, { TCP_ACK, -1, 0, 2, 0 }, VERDICT_PASS, CONN_ESTABLISHED, NO_REPLY },
	{ "late data", AT_ESTABLISHED, { TCP_ACK, -14000, 0, 1400, 0 }, VERDICT_PASS, CONN_ESTABLISHED, NO_REPLY },
	{ "data after lost data", AT_ESTABLISHED, { TCP_ACK, 14000, 0, 1400, 0 }, VERDICT_PASS, CONN_ESTABLISHED,
	  NO_REPLY },
	{ "data, an old ack field", AT_ESTABLISHED, { TCP_ACK, 0, -CONN_WINDOW_FULL, 1400, 0 }, VERDICT_PASS,
	  CONN_ESTABLISHED, NO_REPLY },
	{ "data that acknowledges what is older than a window", AT_ESTABLISHED, { TCP_ACK, 0, -CONN_WINDOW_FULL - 1, 1400, 0 },
	  VERDICT_DROP, CONN_ESTABLISHED, ACK_OF(NUMBER_EXPECTED) },
	{ "data that acknowledges a little that was not sent", AT_ESTABLISHED, { TCP_ACK, 0, 1, 1400, 0 }, VERDICT_PASS,
	  CONN_ESTABLISHED, NO_REPLY },
	{ "data that acknowledges what was not sent", AT_ESTABLISHED, { TCP_ACK, 0, CONN_NEAR + 1, 1400, 0 }, VERDICT_DROP,
	  CONN_ESTABLISHED, ACK_OF(NUMBER_EXPECTED) },
	{ "probe", AT_ESTABLISHED, { TCP_ACK, 0, 0, 1, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED, ACK_OF(NUMBER_BEHIND) },
	{ "late probe", AT_ESTABLISHED, { TCP_ACK, -7000, 0, 1, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED,
	  ACK_OF(NUMBER_EXPECTED) },
	{ "early probe", AT_ESTABLISHED, { TCP_ACK, 7000, 0, 1, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED,
	  ACK_OF(NUMBER_EXPECTED) },
	{ "keepalive", AT_ESTABLISHED, { TCP_ACK, -1, 0, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED,
	  ACK_OF(NUMBER_EXPECTED) },
	{ "keepalive, 1 byte", AT_ESTABLISHED, { TCP_ACK, -1, 0, 1, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED,
	  ACK_OF(NUMBER_EXPECTED) },
	{ "RST, exact", AT_ESTABLISHED, { TCP_RST, 0, 0, 0, 0 }, VERDICT_CONSUME, CONN_IDLE, NO_REPLY },
	{ "RST, exact, with ACK", AT_ESTABLISHED, { TCP_RST | TCP_ACK, 0, 0, 0, 0 }, VERDICT_CONSUME, CONN_IDLE,
	  NO_REPLY },
	{ "RST, one ahead", AT_ESTABLISHED, { TCP_RST, 1, 0, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED, PROBE },
	{ "RST, one behind", AT_ESTABLISHED, { TCP_RST, -1, 0, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED, PROBE },
	{ "RST 0", AT_ESTABLISHED, { TCP_RST, RST_ZERO, 0, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED, PROBE },
	{ "RST far away", AT_ESTABLISHED, { TCP_RST, FAR + 99, 0, 0, 0 }, VERDICT_CONSUME, CONN_ESTABLISHED, PROBE },
	{ "FIN", AT_ESTABLISHED, { TCP_FIN | TCP_ACK, 0, 0, 0, 0 }, VERDICT_CONSUME, CONN_IDLE,
	  { TCP_RST, NUMBER_OWN, NUMBER_ANY, 0 } },
	{ "data two windows ahead", AT_ESTABLISHED, { TCP_ACK, FAR, 0, 1400, 0 }, VERDICT_PASS, CONN_ESTABLISHED, NO_RST },
	{ "data two windows behind", AT_ESTABLISHED, { TCP_ACK, -FAR, 0, 1400, 0 }, VERDICT_PASS, CONN_ESTABLISHED,
	  NO_REPLY },
	{ "data too far ahead", AT_ESTABLISHED, { TCP_ACK, FAR + 1, 0, 1400, 0 }, VERDICT_DROP, CONN_ESTABLISHED,
	  ACK_OF(NUMBER_EXPECTED) },
	{ "data too far behind", AT_ESTABLISHED, { TCP_ACK, -FAR - 1, 0, 1400, 0 }, VERDICT_DROP, CONN_ESTABLISHED,
	  ACK_OF(NUMBER_EXPECTED) },
	{ "ACK too far ahead", AT_ESTABLISHED, { TCP_ACK, FAR + 1, 0, 0, 0 }, VERDICT_DROP, CONN_ESTABLISHED,
	  ACK_OF(NUMBER_EXPECTED) },
	{ "data without ACK", AT_ESTABLISHED, { TCP_PSH, 0, 0, 10, 0 }, VERDICT_DROP, CONN_ESTABLISHED, NO_REPLY },

	{ "SYN", AT_CLOSED, { TCP_SYN, -1, 0, 0, 0 }, VERDICT_DROP, CONN_CLOSED, NO_REPLY },
	{ "SYN-ACK", AT_CLOSED, { TCP_SYN | TCP_ACK, -1, 0, 0, 0 }, VERDICT_DROP, CONN_CLOSED, NO_REPLY },
	{ "ACK", AT_CLOSED, { TCP_ACK, 0, 0, 0, 0 }, VERDICT_DROP, CONN_CLOSED, NO_REPLY },
	{ "data", AT_CLOSED, { TCP_ACK, 0, 0, 1400, 0 }, VERDICT_DROP, CONN_CLOSED, NO_REPLY },
	{ "RST", AT_CLOSED, { TCP_RST, 0, 0, 0, 0 }, VERDICT_DROP, CONN_CLOSED, NO_REPLY },
};
/* clang-format on */

static const char *const state_names[AT_COUNT] = { "IDLE",	   "SYN_SENT",	  "SYN_RECEIVED",
						   "SIMULTANEOUS", "ESTABLISHED", "CLOSED" };

static __u32 number_value(const struct driver *d, const struct segment *seg, __u8 number)
{
	switch (number) {
	case NUMBER_OWN:
		return d->own;
	case NUMBER_ISN:
		return d->own - 1;
	case NUMBER_EXPECTED:
		return d->expected;
	case NUMBER_BEHIND:
		return seg->seq + seg->payload_len;
	case NUMBER_AFTER_SYN:
		return seg->seq + 1;
	default:
		return seg->ack;
	}
}

static void check_reply(const struct row *row, const struct driver *d, const struct segment *seg)
{
	const struct reply *reply = drv_reply(d);

	if (row->reply.flags == ANY) {
		ck_assert_msg(!(reply->flags & TCP_RST), "%s x %s: RST", state_names[row->at],
			      row->what);
		return;
	}
	ck_assert_msg(reply->flags == row->reply.flags, "%s x %s: reply %#x, expected %#x",
		      state_names[row->at], row->what, reply->flags, row->reply.flags);
	if (!reply->flags)
		return;
	ck_assert_msg(!row->reply.seq || reply->seq == number_value(d, seg, row->reply.seq),
		      "%s x %s: reply seq %#x, expected %#x", state_names[row->at], row->what,
		      reply->seq, number_value(d, seg, row->reply.seq));
	ck_assert_msg(!row->reply.ack || reply->ack == number_value(d, seg, row->reply.ack),
		      "%s x %s: reply ack %#x, expected %#x", state_names[row->at], row->what,
		      reply->ack, number_value(d, seg, row->reply.ack));
	ck_assert_msg(reply->payload_len == row->reply.len, "%s x %s: reply has %u bytes",
		      state_names[row->at], row->what, reply->payload_len);
}

START_TEST(test_table)
{
	const struct row *row = &table[_i];
	struct segment seg = {
		.window = row->in.flags & TCP_SYN ? 0xffff : WINDOW_FIELD,
		.payload_len = row->in.len,
		.flags = row->in.flags,
		.options_ok = !row->in.bad_options,
		.options = { .mss = 1460, .wscale = 12 },
	};
	struct driver d;

	drv_goto(&d, (enum driver_state)row->at, NULL);
	seg.seq = d.expected + (__u32)row->in.seq;
	seg.ack = d.own + (__u32)row->in.ack;
	drv_wait(&d, SEC);
	drv_in(&d, &seg);
	ck_assert_msg(row->verdict == ANY || d.eff.verdict == row->verdict,
		      "%s x %s: verdict %u, expected %u", state_names[row->at], row->what,
		      d.eff.verdict, row->verdict);
	ck_assert_msg(row->state == ANY || d.c.state == row->state,
		      "%s x %s: state %u, expected %u", state_names[row->at], row->what, d.c.state,
		      row->state);
	if (d.eff.verdict == VERDICT_DROP)
		ck_assert_uint_ne(d.eff.reason, REASON_NONE);
	check_reply(row, &d, &seg);
}
END_TEST

/* Segments that match a filter but no connection. */
START_TEST(test_unknown)
{
	static const struct {
		__u8 flags;
		bool begins, rst;
	} want[] = {
		{ TCP_SYN, true, false },
		{ TCP_SYN | TCP_ACK, false, true },
		{ TCP_ACK, false, true },
		{ TCP_ACK | TCP_PSH, false, true },
		{ 0, false, true },
		{ TCP_RST, false, false },
		{ TCP_RST | TCP_ACK, false, false },
		{ TCP_FIN | TCP_ACK, false, false },
		{ TCP_SYN | TCP_RST, false, false },
		{ TCP_SYN | TCP_FIN, false, false },
		{ TCP_SYN | TCP_URG, true, false },
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		struct segment seg = {
			.seq = 7, .ack = 0xabcdef01, .flags = want[i].flags, .options_ok = true
		};
		struct effect eff = { 0 };

		expect_eq(conn_unknown(&driver_defaults, &seg, &eff), want[i].begins);
		expect_eq(eff.reply[0].flags, want[i].rst ? TCP_RST : 0);
		expect_eq(eff.reply[0].seq, want[i].rst ? seg.ack : 0);
		expect(want[i].begins || (eff.verdict == VERDICT_DROP && eff.reason));
		seg.options_ok = false;
		memset(&eff, 0, sizeof(eff));
		expect(!(seg.flags & TCP_SYN) || !conn_unknown(&driver_defaults, &seg, &eff));
	}
}
END_TEST

/* ---- handshake ---- */

START_TEST(test_initiator)
{
	struct driver d;

	drv_init(&d, NULL);
	drv_out(&d, 100, false);
	expect_eq(d.eff.verdict, VERDICT_HOLD);
	expect_eq(drv_reply(&d)->flags, TCP_SYN);
	expect_eq(drv_reply(&d)->window, 0xffff);
	drv_out(&d, 200, false); /* waits too, and asks for nothing */
	expect_eq(d.eff.verdict, VERDICT_HOLD);
	expect_eq(drv_reply(&d)->flags, 0);

	drv_establish_initiator(&d, 0xffff, 12);
	expect_eq(drv_reply(&d)->flags, TCP_ACK);
	expect_eq(drv_reply(&d)->seq, d.own);
	expect_eq(drv_reply(&d)->ack, d.expected);
	/* the last ACK of the handshake carries the scaled window */
	expect_eq(drv_reply(&d)->window, WINDOW_FIELD);
	expect_eq(d.eff.reply[1].flags, 0);
	expect_eq(d.eff.notify, NOTIFY_ESTABLISHED | NOTIFY_RELEASE);

	drv_out(&d, 100, true);
	expect_eq(d.eff.verdict, VERDICT_PASS);
	expect_eq(d.eff.reason, REASON_TX_RELEASED);
	expect_eq(d.eff.seq, d.own - 100);
	expect_eq(d.eff.ack, d.expected);
	expect_eq(d.eff.window, WINDOW_FIELD);
	expect_eq(d.eff.padding, 0);
}
END_TEST

START_TEST(test_responder)
{
	struct driver d;

	drv_init(&d, NULL);
	drv_in_syn(&d, TCP_SYN, PEER_ISN, 0);
	expect_eq(drv_reply(&d)->window, 0xffff);
	drv_out(&d, 50, false); /* it has something to say as well: that waits for the ACK */
	expect_eq(d.eff.verdict, VERDICT_HOLD);
	expect_eq(drv_reply(&d)->flags, 0);
	drv_init(&d, NULL);
	drv_establish_responder(&d);
	expect_eq(drv_reply(&d)->window, WINDOW_FIELD); /* announced at once: section 4 */
	expect(d.eff.notify & NOTIFY_ESTABLISHED);
	drv_out(&d, 50, false);
	expect_eq(d.eff.verdict, VERDICT_PASS);
	expect_eq(drv_reply(&d)->flags, 0); /* the peer's window is known */
	expect_eq(d.eff.ack, d.expected);
}
END_TEST

/* SYN at 0, 2, 4, 6 s with one number; RST and idle at 8 s. */
START_TEST(test_syn_retries)
{
	struct driver d;
	__u32 isn;

	drv_init(&d, NULL);
	drv_out(&d, 100, false);
	isn = drv_reply(&d)->seq;
	for (int ms = 50; ms < 8000; ms += 50) {
		drv_wait(&d, 50 * MS);
		drv_tick(&d);
		expect_eq(drv_reply(&d)->flags, ms % 2000 ? 0 : TCP_SYN);
		expect(ms % 2000 || drv_reply(&d)->seq == isn);
		expect_eq(d.c.state, CONN_SYN_SENT);
	}
	drv_out(&d, 100, false);
	expect_eq(d.eff.verdict, VERDICT_HOLD);
	drv_wait(&d, 50 * MS);
	drv_tick(&d);
	expect_eq(drv_reply(&d)->flags, 0); /* whoever might hear of it has heard nothing else */
	expect_eq(d.c.state, CONN_IDLE);
	expect_eq(d.eff.notify, NOTIFY_FAILED | NOTIFY_FLUSH);
	expect_eq(d.eff.flushed, 2);
	expect_eq(d.c.held, 0);
}
END_TEST

/* The times of the SYNs of a flow of one datagram, in ms, until it is given up. */
static int syn_times(const struct conn_settings *settings, int *times, int max)
{
	struct driver d;
	int count = 0;

	drv_init(&d, settings);
	drv_out(&d, 100, false);
	for (int ms = 0; ms < 100000 && d.c.state == CONN_SYN_SENT; ms += 50) {
		if (ms) {
			drv_wait(&d, 50 * MS);
			drv_tick(&d);
		}
		if (drv_reply(&d)->flags == TCP_SYN && count < max)
			times[count++] = ms;
	}
	expect_eq(d.c.state, CONN_IDLE);
	return count;
}

START_TEST(test_pace)
{
	static const int fast[] = { 0, 200, 400, 600, 800, 1000, 1200, 1400, 3400, 5400, 7400 };
	static const int backoff[] = { 0, 1000, 3000, 7000 };
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	int times[32];

	expect_eq(settings.pace, PACE_FAST);
	expect_eq(syn_times(&settings, times, 32), sizeof(fast) / sizeof(fast[0]));
	expect(!memcmp(times, fast, sizeof(fast)));
	settings.pace = PACE_LINUX;
	expect_eq(syn_times(&settings, times, 32), sizeof(backoff) / sizeof(backoff[0]));
	expect(!memcmp(times, backoff, sizeof(backoff)));
}
END_TEST

/* While datagrams come, a SYN goes out every second at least. */
START_TEST(test_pace_with_datagrams)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct driver d;
	int last = 0;

	settings.handshake_interval_s = 60;
	drv_init(&d, &settings);
	for (int ms = 0; ms < 30000; ms += 50) {
		drv_wait(&d, 50 * MS);
		drv_tick(&d);
		if (drv_reply(&d)->flags == TCP_SYN)
			last = ms;
		drv_out(&d, 100, false);
		if (drv_reply(&d)->flags == TCP_SYN)
			last = ms;
		expect(ms - last <= 1000);
	}
}
END_TEST

/* RFC 6528: other addresses, another number; the same addresses later, a number that is ahead. */
START_TEST(test_isn)
{
	struct driver d;
	__u32 first;

	drv_init(&d, NULL);
	drv_out(&d, 100, false);
	first = d.own;
	drv_init(&d, NULL);
	drv_wait(&d, MS);
	drv_out(&d, 100, false);
	expect(seq_diff(d.own, first) > 0);
	drv_init(&d, NULL);
	d.c.isn_base++;
	drv_out(&d, 100, false);
	expect_eq(d.own, first + 1);
}
END_TEST

START_TEST(test_guard_silent)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct segment seg = { .seq = 1, .ack = 2, .flags = TCP_ACK, .payload_len = 100 };
	struct effect eff = { 0 };
	struct driver d;

	settings.guard = GUARD_SILENT;
	expect(!conn_unknown(&settings, &seg, &eff));
	expect_eq(eff.verdict, VERDICT_DROP);
	expect_eq(eff.reply[0].flags, 0);
	drv_goto(&d, AT_SYN_RECEIVED, &settings);
	drv_wait(&d, SEC);
	d.own += 1000;
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	expect_eq(d.eff.verdict, VERDICT_DROP);
	expect_eq(drv_reply(&d)->flags, 0);
	drv_goto(&d, AT_IDLE, &settings);
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	expect_eq(drv_reply(&d)->flags, 0);
}
END_TEST

/* Settings allow more repetitions than fit into a byte. */
START_TEST(test_many_syn_retries)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct driver d;
	int syns = 0;

	settings.pace = PACE_FIXED;
	settings.handshake_interval_s = 1;
	settings.handshake_retry = 300;
	drv_init(&d, &settings);
	drv_out(&d, 100, false);
	for (int s = 1; s < 1000 && d.c.state == CONN_SYN_SENT; s++) {
		drv_wait(&d, SEC);
		drv_tick(&d);
		syns += drv_reply(&d)->flags == TCP_SYN;
	}
	ck_assert_int_eq(syns, 300);
	ck_assert_int_eq(d.c.state, CONN_IDLE);
}
END_TEST

static void fail_handshake(struct driver *d)
{
	drv_out(d, 100, false);
	expect_eq(drv_reply(d)->flags, TCP_SYN);
	for (int i = 0; i < 4; i++) {
		drv_wait(d, 2 * SEC);
		drv_tick(d);
		expect_eq(drv_reply(d)->flags, i < 3 ? TCP_SYN : 0);
	}
	expect_eq(d->c.state, CONN_IDLE);
}

/* 5, 10, then 20 s; after a success from the beginning. */
START_TEST(test_cooldown)
{
	static const __u64 want[] = { 5, 10, 20, 20, 20 };
	struct driver d;

	drv_init(&d, NULL);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
			fail_handshake(&d);
			expect_eq(d.c.cooldown_ns - d.env.now_ns, want[i] * SEC);
			drv_wait(&d, want[i] * SEC);
			drv_tick(&d);
		}
		drv_establish_initiator(&d, 0xffff, 12);
		drv_drain(&d, 100);
		drv_in_ack(&d, TCP_RST, 0, 0, 0);
		expect_eq(d.c.state, CONN_IDLE);
	}
}
END_TEST

/* One SYN in 0.8 s for datagrams that want out; between them nothing, also not by ticks. */
START_TEST(test_syns_in_cooldown)
{
	struct driver d;
	int syns = 0, rsts = 0;

	drv_init(&d, NULL);
	for (int i = 0; i < 3; i++) { /* 20 s */
		drv_wait(&d, 100 * SEC);
		fail_handshake(&d);
	}
	for (int ms = 0; ms < 15000; ms += 10) {
		drv_wait(&d, 10 * MS);
		drv_out(&d, 100, false);
		syns += drv_reply(&d)->flags == TCP_SYN;
		drv_tick(&d);
		syns += drv_reply(&d)->flags == TCP_SYN;
		rsts += (drv_reply(&d)->flags & TCP_RST) != 0;
		expect(d.c.held <= CONN_HELD_MAX);
	}
	ck_assert_int_ge(syns, 18);
	ck_assert_int_le(syns, 20);
	ck_assert_int_eq(rsts, 0);
	/* and an answer to any of them counts */
	while (d.c.state != CONN_SYN_SENT) {
		drv_wait(&d, 10 * MS);
		drv_out(&d, 100, false);
	}
	drv_establish_initiator(&d, 0xffff, 12);
	expect_eq(d.c.cooldown_ns, 0);
}
END_TEST

/*
 * A SYN that goes out at the end of a cooldown does not begin the next one: from then on the handshake has its repetitions
 * again, and a peer that is farther away than a single SYN is waited for.
 */
START_TEST(test_cooldown_ends)
{
	struct driver d;
	__u64 ends;

	drv_init(&d, NULL);
	fail_handshake(&d);
	ends = d.c.cooldown_ns;
	while (d.env.now_ns < ends + SEC) {
		drv_wait(&d, 10 * MS);
		drv_out(&d, 100, false);
		drv_tick(&d);
		expect(drv_reply(&d)->flags != TCP_RST);
		expect_eq(d.c.cooldown_ns, ends);
	}
	/* The same SYN all the time, until it is answered: 1.9 s after the first. */
	while (d.c.state != CONN_SYN_SENT || d.c.single_syn) {
		drv_wait(&d, 10 * MS);
		drv_out(&d, 100, false);
		drv_tick(&d);
	}
	for (int ms = 0; ms < 1900; ms += 10) {
		drv_wait(&d, 10 * MS);
		drv_tick(&d);
		expect_eq(d.c.state, CONN_SYN_SENT);
	}
	drv_establish_initiator(&d, 0xffff, 12);
}
END_TEST

/* Where the round trip is known of an earlier connection, the single SYN of a cooldown waits for it. */
START_TEST(test_cooldown_far)
{
	struct driver d;

	drv_init(&d, NULL);
	drv_out(&d, 100, false);
	drv_wait(&d, 1200 * MS);
	drv_establish_initiator(&d, 0xffff, 12);
	expect_eq(d.c.rtt_ns, 1200 * MS);
	drv_drain(&d, 100);
	drv_in_ack(&d, TCP_RST, 0, 0, 0);
	drv_wait(&d, SEC);
	fail_handshake(&d);
	drv_wait(&d, SEC);
	drv_out(&d, 100, false);
	expect_eq(d.c.single_syn, 1);
	for (int ms = 0; ms < 1200; ms += 10) {
		drv_wait(&d, 10 * MS);
		drv_out(&d, 100, false);
		expect_eq(drv_reply(&d)->flags, 0);
		drv_tick(&d);
	}
	drv_establish_initiator(&d, 0xffff, 12);
}
END_TEST

/* Without datagrams a cooldown is silent, and then the entry goes. */
START_TEST(test_idle_is_silent)
{
	struct driver d;

	drv_init(&d, NULL);
	fail_handshake(&d);
	for (int s = 0; s < 200 && d.c.state != CONN_CLOSED; s++) {
		drv_wait(&d, SEC);
		drv_tick(&d);
		expect_eq(drv_reply(&d)->flags, 0);
	}
	expect_eq(d.c.state, CONN_CLOSED);
	expect_eq(d.eff.remove, 1);
}
END_TEST

/* What was under way when the connection ended gets no answer; the peer that has not heard of it, and goes on, does. */
START_TEST(test_end_is_quiet)
{
	struct driver d;

	for (int trip_ms = 0; trip_ms < 2000; trip_ms = 3 * trip_ms + 1) {
		int quiet_ms = trip_ms < 300 ? trip_ms : 300;

		drv_goto(&d, AT_ESTABLISHED, NULL);
		d.c.rtt_ns = trip_ms * MS;
		drv_in_ack(&d, TCP_RST, 0, 0, 0);
		expect_eq(d.c.state, CONN_IDLE);
		drv_in_data(&d, 100);
		expect_eq(drv_reply(&d)->flags, 0);
		drv_wait(&d, (quiet_ms + 99) * MS);
		drv_in_data(&d, 100);
		expect_eq(drv_reply(&d)->flags, 0);
		drv_wait(&d, MS);
		drv_in_data(&d, 100);
		expect_eq(drv_reply(&d)->flags, TCP_RST);
		expect_eq(drv_reply(&d)->seq, d.own);
	}
	drv_goto(&d, AT_ESTABLISHED, NULL);
	drv_in_ack(&d, TCP_RST, 0, 0, 0);
	drv_establish_responder(&d); /* who begins anew does not wait */
}
END_TEST

/* A peer that connects in our cooldown is welcome. */
START_TEST(test_syn_in_cooldown)
{
	struct driver d;

	drv_init(&d, NULL);
	fail_handshake(&d);
	drv_wait(&d, SEC);
	drv_establish_responder(&d);
}
END_TEST

START_TEST(test_passive)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct driver d;

	settings.handshake_interval_s = 0;
	drv_init(&d, &settings);
	for (int i = 0; i < 100; i++) {
		drv_out(&d, 100, false);
		expect_eq(d.eff.verdict, VERDICT_DROP);
		expect_eq(d.eff.reason, REASON_DROP_PASSIVE);
		expect_eq(drv_reply(&d)->flags, 0);
		drv_wait(&d, 100 * MS);
		drv_tick(&d);
		expect_eq(drv_reply(&d)->flags, 0);
	}
	drv_establish_responder(&d);
	drv_out(&d, 100, false);
	expect_eq(d.eff.verdict, VERDICT_PASS);
	drv_in_ack(&d, TCP_RST, 0, 0, 0);
	expect_eq(d.c.state, CONN_IDLE);
	expect_eq(drv_reply(&d)->flags, 0);
	drv_out(&d, 100, false);
	expect_eq(d.eff.reason, REASON_DROP_PASSIVE);
	expect_eq(drv_reply(&d)->flags, 0);
}
END_TEST

/* A half-open connection asks for nothing by itself, whoever holds it, and does not last for ever. */
START_TEST(test_half_open)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;

	for (int passive = 0; passive < 2; passive++) {
		struct driver d;

		settings.handshake_interval_s = passive ? 0 : 2;
		drv_goto(&d, AT_SYN_RECEIVED, &settings);
		for (int i = 0; i < 600; i++) {
			drv_wait(&d, 100 * MS);
			drv_tick(&d);
			/* a SYN-ACK is never repeated by a timer */
			expect_eq(drv_reply(&d)->flags, 0);
			/* 0.7.x resets a passive side's half-open connection within 1 s; ours must not */
			expect(i >= 20 || d.c.state == CONN_SYN_RECEIVED);
		}
		expect(d.c.state != CONN_SYN_RECEIVED);
	}
}
END_TEST

/* What a stranger's SYN made leaves nothing behind; the count of half-open ones goes down by the clock only. */
START_TEST(test_half_open_leaves_nothing)
{
	static const __u8 flags[] = { 0, TCP_RST, TCP_FIN | TCP_ACK };

	for (size_t i = 0; i < sizeof(flags); i++) {
		for (int waits = 0; waits < 2; waits++) {
			struct driver d;

			drv_goto(&d, AT_SYN_RECEIVED, NULL);
			if (waits)
				drv_out(&d, 100, false);
			if (!flags[i]) {
				drv_wait(&d, 8 * SEC);
				drv_tick(&d);
			} else {
				drv_in_ack(&d, flags[i], 0, 0, 0);
			}
			expect_eq(d.eff.remove, !waits);
			/* (By the clock our own SYN asks: test_one_forged_syn.) */
			expect_eq(d.c.state, !waits ? CONN_CLOSED : flags[i] ? CONN_SYN_SENT : CONN_SYN_RECEIVED);
			ck_assert_int_eq(d.eff.half_open, waits || !flags[i] ? -1 : 0);
		}
	}
}
END_TEST

START_TEST(test_repeated_syn)
{
	struct driver d;
	__u32 isn;

	drv_goto(&d, AT_SYN_RECEIVED, NULL);
	isn = d.own - 1;
	for (int i = 0; i < 5; i++) {
		drv_wait(&d, 2 * SEC);
		drv_tick(&d);
		drv_in_syn(&d, TCP_SYN, PEER_ISN, 0);
		expect_eq(drv_reply(&d)->flags, TCP_SYN | TCP_ACK);
		expect_eq(drv_reply(&d)->seq, isn);
		expect_eq(drv_reply(&d)->ack, PEER_ISN + 1U);
	}
	drv_wait(&d, 99 * MS); /* a flood of them is not answered by one */
	drv_in_syn(&d, TCP_SYN, PEER_ISN, 0);
	expect_eq(drv_reply(&d)->flags, 0);
	drv_wait(&d, MS);
	/* Another number: a SYN-ACK for it, or RST. */
	drv_in_syn(&d, TCP_SYN, 12345, 0);
	expect(drv_reply(&d)->flags == TCP_RST ||
	       (drv_reply(&d)->flags == (TCP_SYN | TCP_ACK) && drv_reply(&d)->ack == 12346));
}
END_TEST

/* Our last ACK was lost: 0.7.x repeats its SYN-ACK one number higher each time. */
START_TEST(test_repeated_syn_ack)
{
	struct driver d;

	drv_init(&d, NULL);
	drv_establish_initiator(&d, 0xffff, 12);
	for (__u32 i = 0; i < 5; i++) {
		drv_in_syn(&d, TCP_SYN | TCP_ACK, PEER_ISN + i, d.own);
		expect_eq(d.c.state, CONN_ESTABLISHED);
		expect_eq(drv_reply(&d)->flags, TCP_ACK);
		expect_eq(drv_reply(&d)->seq, d.own);
		expect_eq(drv_reply(&d)->ack, PEER_ISN + i + 1U);
	}
}
END_TEST

/* The SYN goes first, with the same number: a peer of 0.7.x that has not got it would answer the ACK with RST. */
START_TEST(test_simultaneous_open)
{
	struct driver d;
	__u32 isn;

	drv_init(&d, NULL);
	fail_handshake(&d); /* a peer that speaks ends the cooldown */
	drv_wait(&d, SEC);
	drv_out(&d, 100, false);
	isn = drv_reply(&d)->seq;
	d.expected = PEER_ISN + 1U;
	drv_in_syn(&d, TCP_SYN, PEER_ISN, 0);
	expect_eq(d.c.state, CONN_SYN_RECEIVED);
	expect_eq(d.eff.reply[0].flags, TCP_SYN);
	expect_eq(d.eff.reply[0].seq, isn);
	expect_eq(d.eff.reply[1].flags, TCP_ACK);
	expect_eq(d.eff.reply[1].seq, isn + 1);
	expect_eq(d.eff.reply[1].ack, d.expected);
	expect_eq(d.c.cooldown_ns, 0);
	drv_wait(&d, 1900 * MS);
	drv_tick(&d);
	expect_eq(d.c.state, CONN_SYN_RECEIVED);
	/* The peer began again: another number, and that one's repetition later on is nothing to worry about. */
	drv_in_syn(&d, TCP_SYN, PEER_ISN + 4711, 0);
	expect_eq(d.eff.reply[0].flags, TCP_SYN); /* perhaps ours has not come through */
	expect_eq(d.eff.reply[0].seq, isn);
	expect_eq(d.eff.reply[1].flags, TCP_ACK);
	expect_eq(d.eff.reply[1].ack, PEER_ISN + 4712U);
	d.expected = PEER_ISN + 4712U;
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	expect_eq(d.c.state, CONN_ESTABLISHED);
	drv_in_syn(&d, TCP_SYN, PEER_ISN + 4711, 0);
	expect_eq(drv_reply(&d)->flags, TCP_ACK);
	expect_eq(drv_reply(&d)->payload_len, 0);
}
END_TEST

/* SYNs that crossed on a long way: a repetition may not arrive when a peer of 0.7.x is established. */
START_TEST(test_simultaneous_far)
{
	static const unsigned int came_ms[] = { 50, 700, 1500, 3900 };
	struct conn_settings set = CONN_SETTINGS_DEFAULT;
	unsigned int ms;
	struct driver d;

	set.pace = PACE_FAST;
	for (size_t i = 0; i < sizeof(came_ms) / sizeof(came_ms[0]); i++) {
		drv_init(&d, &set);
		drv_out(&d, 100, false);
		for (ms = 0; ms < came_ms[i]; ms += 50) {
			drv_wait(&d, 50 * MS);
			drv_tick(&d);
		}
		d.expected = PEER_ISN + 1U;
		drv_in_syn(&d, TCP_SYN, PEER_ISN, 0);
		expect_eq(d.c.state, CONN_SYN_RECEIVED);
		for (ms = 50; ms < 6000; ms += 50) {
			drv_wait(&d, 50 * MS);
			drv_tick(&d);
			if (drv_reply(&d)->flags)
				break;
		}
		expect_eq(drv_reply(&d)->flags, TCP_SYN);
		expect_eq(ms, 4000);
		/* The next ones are no faster. */
		for (ms = 50; ms < 6000; ms += 50) {
			drv_wait(&d, 50 * MS);
			drv_tick(&d);
			if (drv_reply(&d)->flags)
				break;
		}
		expect_eq(ms, set.handshake_interval_s * 1000U);
	}
}
END_TEST

/* A SYN as 0.7.x has none: it is answered by a SYN-ACK, without which conntrack believes in nothing that follows. */
START_TEST(test_simultaneous_syn_ack)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct segment syn = { .seq = PEER_ISN, .window = 64240, .flags = TCP_SYN, .options_ok = true,
			       .options = { .mss = 1460, .wscale = 12 } };
	struct driver d;

	drv_init(&d, &settings);
	drv_out(&d, 100, false);
	for (int i = 0; i < 3; i++) { /* the SYN-ACK got lost: the peer's SYN again, and in the end the clock */
		__u32 own = d.own;

		drv_wait(&d, 100 * MS);
		if (i < 2)
			drv_in(&d, &syn);
		else
			drv_wait(&d, 100 * MS);
		if (i == 2) {
			drv_tick(&d);
			expect_eq(d.eff.reply[0].flags, TCP_SYN); /* should the peer know nothing of his SYN */
			expect_eq(d.eff.reply[0].seq, own - 1);
		}
		expect_eq(d.eff.reply[i == 2].flags, TCP_SYN | TCP_ACK);
		expect_eq(d.eff.reply[i == 2].seq, own - 1);
		expect_eq(d.eff.reply[i == 2].ack, PEER_ISN + 1U);
		expect(i == 2 || !d.eff.reply[1].flags);
		expect_eq(d.c.state, CONN_SYN_RECEIVED);
	}
	/* another one: a stranger's, or the first one was */
	drv_wait(&d, 100 * MS);
	syn.seq = 4711;
	drv_in(&d, &syn);
	expect_eq(d.eff.reply[0].flags, TCP_SYN);
	expect_eq(d.eff.reply[1].flags, TCP_SYN | TCP_ACK);
	expect_eq(d.eff.reply[1].ack, 4712);
	/* the peer's SYN-ACK, whichever it is */
	drv_in_syn(&d, TCP_SYN | TCP_ACK, PEER_ISN, d.own);
	expect_eq(d.c.state, CONN_ESTABLISHED);
	expect_eq(drv_reply(&d)->flags, TCP_ACK);
	expect_eq(drv_reply(&d)->ack, PEER_ISN + 1U);
	expect_eq(drv_reply(&d)->seq, d.own);
}
END_TEST

/* The peer's SYN comes again: from a peer that repeats it fast, it asks for ours; else ours may be under way still. */
START_TEST(test_simultaneous_again)
{
	static const struct {
		unsigned int ms;
		bool answered;
	} cases[] = { { 200, true }, { 500, true }, { 1000, false }, { 2000, false }, { 3900, false } };
	struct driver d;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		drv_goto(&d, AT_SIMULTANEOUS, NULL);
		drv_wait(&d, cases[i].ms * MS);
		drv_in_syn(&d, TCP_SYN, d.expected - 1, 0);
		expect_eq(d.c.state, CONN_SYN_RECEIVED);
		expect_eq(d.eff.reply[0].flags, cases[i].answered ? TCP_SYN : 0);
		expect_eq(d.eff.reply[1].flags, cases[i].answered ? TCP_ACK : 0);
		drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
		expect_eq(d.c.state, CONN_ESTABLISHED);
	}
}
END_TEST

/* When the peer's ACK does not come our own SYN is repeated. */
START_TEST(test_simultaneous_retry)
{
	struct driver d;
	int syns = 0;

	drv_goto(&d, AT_SIMULTANEOUS, NULL);
	expect_eq(d.c.state, CONN_SYN_RECEIVED);
	for (int ms = 0; ms < 5000; ms += 100) {
		drv_wait(&d, 100 * MS);
		drv_tick(&d);
		if (drv_reply(&d)->flags) {
			expect_eq(drv_reply(&d)->flags, TCP_SYN);
			expect_eq(drv_reply(&d)->seq, d.own - 1);
			syns++;
		}
	}
	ck_assert_int_eq(syns, 1);
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	expect_eq(d.c.state, CONN_ESTABLISHED);
	drv_goto(&d, AT_SIMULTANEOUS, NULL);
	for (int ms = 0; ms < 20000 && d.c.state == CONN_SYN_RECEIVED; ms += 100) {
		drv_wait(&d, 100 * MS);
		drv_tick(&d);
	}
	expect_eq(d.c.state, CONN_IDLE);
	expect_eq(drv_reply(&d)->flags, TCP_RST);
}
END_TEST

/* The RST for an older connection is followed by our SYN: a restart takes one round trip. */
START_TEST(test_restart)
{
	struct driver restarted, other;
	struct segment seg = { .flags = TCP_SYN,
			       .window = 0xffff,
			       .options_ok = true,
			       .options = { .mss = 1460, .wscale = 12 } };

	drv_goto(&other, AT_ESTABLISHED, NULL);
	drv_init(&restarted, NULL);
	drv_out(&restarted, 100, false);
	seg.seq = drv_reply(&restarted)->seq;
	drv_in(&other, &seg); /* a probe */
	expect_eq(drv_reply(&other)->payload_len, 1);
	seg = (struct segment){ .seq = drv_reply(&other)->seq,
				.ack = drv_reply(&other)->ack,
				.flags = TCP_ACK,
				.window = drv_reply(&other)->window,
				.payload_len = 1 };
	drv_in(&restarted, &seg);
	expect_eq(restarted.eff.reply[0].flags, TCP_RST);
	expect_eq(restarted.eff.reply[0].seq, other.expected);
	expect_eq(restarted.eff.reply[1].flags, TCP_SYN);
	seg = (struct segment){ .seq = restarted.eff.reply[0].seq, .flags = TCP_RST };
	drv_in(&other, &seg);
	expect_eq(other.c.state, CONN_IDLE);
	expect(other.eff.notify & NOTIFY_LOST);
	seg = (struct segment){ .seq = restarted.eff.reply[1].seq,
				.flags = TCP_SYN,
				.window = 0xffff,
				.options_ok = true,
				.options = { .mss = 1460, .wscale = 12 } };
	drv_in(&other, &seg);
	expect_eq(drv_reply(&other)->flags, TCP_SYN | TCP_ACK);
	expect_eq(drv_reply(&other)->ack, seg.seq + 1);
}
END_TEST

/* Connection that was established: no cooldown, a handshake at once for what wants out. */
START_TEST(test_lost_connection_retries_at_once)
{
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	drv_in_ack(&d, TCP_RST, 0, 0, 0);
	expect_eq(d.c.state, CONN_IDLE);
	drv_out(&d, 100, false);
	expect_eq(drv_reply(&d)->flags, TCP_SYN);
	expect_eq(d.eff.verdict, VERDICT_HOLD);
}
END_TEST

START_TEST(test_shutdown)
{
	for (int at = 0; at < AT_COUNT; at++) {
		bool live = at == AT_SYN_RECEIVED || at == AT_SIMULTANEOUS || at == AT_ESTABLISHED; /* to the peer */
		struct driver d;

		drv_goto(&d, (enum driver_state)at, NULL);
		conn_shutdown(&d.c, &d.eff);
		if (at == AT_ESTABLISHED)
			drv_expect_reset(&d);
		else
			expect_eq(drv_reply(&d)->flags, live ? TCP_RST : 0);
		expect(!live || drv_reply(&d)->seq == d.own);
		expect_eq(d.eff.remove, 1);
		expect_eq(d.c.state, CONN_CLOSED);
		drv_out(&d, 100, false);
		expect_eq(d.eff.verdict, VERDICT_DROP);
		drv_wait(&d, 1000 * SEC);
		drv_tick(&d);
		expect_eq(drv_reply(&d)->flags, 0);
	}
}
END_TEST

/* ---- keepalive ---- */

/* Waits up to `limit_s` for a reply from the clock; returns the seconds it took. */
static __u32 seconds_to_reply(struct driver *d, __u32 limit_s)
{
	for (__u32 i = 1; i <= 10 * limit_s; i++) {
		drv_wait(d, 100 * MS);
		drv_tick(d);
		if (drv_reply(d)->flags)
			return i / 10;
	}
	return limit_s + 1;
}

/* `nth` without an answer, from 0. From the second on a probe goes with it, which counts as a byte; repeated, as none. */
static void expect_keepalive(struct driver *d, int nth)
{
	const struct reply *probe = &d->eff.reply[1];

	expect_eq(drv_reply(d)->flags, TCP_ACK);
	expect_eq(drv_reply(d)->seq, d->own - 1);
	expect_eq(drv_reply(d)->ack, d->expected);
	expect_eq(drv_reply(d)->payload_len, 0);
	expect_eq(probe->flags, nth ? TCP_ACK : 0);
	if (!nth)
		return;
	expect_eq(probe->seq, nth > 1 ? d->own - 1 : d->own);
	expect_eq(probe->ack, d->expected);
	expect_eq(probe->payload_len, 1);
	d->own += nth == 1;
}

START_TEST(test_keepalive_unanswered)
{
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(seconds_to_reply(&d, 700), i ? 10 : 180);
		expect_keepalive(&d, i);
	}
	ck_assert_uint_eq(seconds_to_reply(&d, 700), 10);
	drv_expect_reset(&d);
	expect(d.eff.notify & NOTIFY_LOST);
	expect(d.c.state != CONN_ESTABLISHED);
}
END_TEST

/* Sending is not receiving: keepalives go out all the same, and a dead peer is noticed. */
START_TEST(test_keepalive_while_sending)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct driver d;
	int keepalives = 0, s;

	settings.handshake_interval_s = 0; /* passive: one that may begin anew asks earlier (test_silence) */
	drv_goto(&d, AT_ESTABLISHED, &settings);
	for (s = 1; s < 700; s++) {
		drv_wait(&d, SEC);
		drv_out(&d, 100, false);
		drv_tick(&d);
		if (drv_reply(&d)->flags == TCP_ACK && drv_reply(&d)->seq == d.own - 1) {
			keepalives++;
			d.own += keepalives == 2; /* a probe goes with it */
		}
		if (drv_reply(&d)->flags & TCP_RST)
			break;
	}
	drv_expect_reset(&d);
	ck_assert_int_eq(keepalives, 3);
	ck_assert_int_eq(s, 210);
}
END_TEST

START_TEST(test_keepalive_answered)
{
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(seconds_to_reply(&d, 700), 180);
		expect_keepalive(&d, 0);
		drv_wait(&d, 20 * MS);
		drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
		expect_eq(drv_reply(&d)->flags, 0);
	}
	/* Answers to keepalives are no use of the connection: it is stale after 600 s. */
	ck_assert_uint_eq(seconds_to_reply(&d, 700), 60);
	drv_expect_reset(&d);
}
END_TEST

/* The last datagram before a pause got lost, so the keepalives have numbers that the peer does not answer: the probe it does. */
START_TEST(test_keepalive_after_loss)
{
	struct conn_settings settings[2] = { driver_defaults, driver_defaults };
	struct driver d[2];

	settings[1].keepalive_retry = 1;
	for (int once = 0; once < 2; once++) {
		struct segment seg;
		bool answered = false;

		drv_goto(&d[0], AT_ESTABLISHED, &settings[once]);
		d[1] = d[0]; /* seen from the other side, which asks nothing itself */
		d[1].c.settings.keepalive_time_s = 0;
		d[1].c.snd_nxt = d[1].c.snd_una = d[0].c.rcv_nxt;
		d[1].c.rcv_nxt = d[0].c.snd_nxt;
		drv_out(&d[0], 100, false); /* which is lost */
		for (int s = 0; s < 700 && d[0].c.state == CONN_ESTABLISHED && !answered; s++) {
			drv_wait(&d[0], SEC);
			drv_wait(&d[1], SEC);
			drv_tick(&d[0]);
			for (int i = 0; i < CONN_REPLIES; i++) {
				const struct reply *ask = &d[0].eff.reply[i];

				if (!ask->flags)
					continue;
				seg = (struct segment){ .seq = ask->seq, .ack = ask->ack, .flags = ask->flags,
							.window = ask->window, .payload_len = ask->payload_len };
				drv_in(&d[1], &seg);
				answered |= drv_reply(&d[1])->flags == TCP_ACK;
			}
		}
		expect(answered);
		seg = (struct segment){ .seq = drv_reply(&d[1])->seq, .ack = drv_reply(&d[1])->ack, .flags = TCP_ACK,
					.window = drv_reply(&d[1])->window };
		drv_in(&d[0], &seg);
		expect_eq(d[0].c.retries, 0);
		expect_eq(d[1].c.rcv_nxt, d[0].c.snd_una); /* until the next datagram shows what was lost */
	}
}
END_TEST

/* After an answer the number of keepalives counts from the beginning. */
START_TEST(test_keepalive_count_restarts)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct driver d;

	settings.keepalive_stale_s = 0;
	drv_goto(&d, AT_ESTABLISHED, &settings);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 3; i++) {
			ck_assert_uint_eq(seconds_to_reply(&d, 700), i ? 10 : 180);
			expect_keepalive(&d, i);
		}
		drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	}
	expect_eq(d.c.state, CONN_ESTABLISHED);
}
END_TEST

START_TEST(test_keepalive_settings)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct driver d;
	int keepalives = 0;

	settings.keepalive_interval_s = 0; /* resets at once */
	drv_goto(&d, AT_ESTABLISHED, &settings);
	ck_assert_uint_eq(seconds_to_reply(&d, 700), 180);
	drv_expect_reset(&d);

	settings.keepalive_time_s = 0; /* none: only stale */
	drv_goto(&d, AT_ESTABLISHED, &settings);
	ck_assert_uint_eq(seconds_to_reply(&d, 700), 600);
	drv_expect_reset(&d);

	settings.keepalive_stale_s = 0; /* nothing at all */
	drv_goto(&d, AT_ESTABLISHED, &settings);
	ck_assert_uint_eq(seconds_to_reply(&d, 10000), 10001);

	settings.keepalive_time_s = 1;
	settings.keepalive_interval_s = 1;
	settings.keepalive_retry = 300; /* more than fit into a byte */
	drv_goto(&d, AT_ESTABLISHED, &settings);
	for (int i = 0; i < 1000 && d.c.state == CONN_ESTABLISHED; i++) {
		seconds_to_reply(&d, 10);
		keepalives += drv_reply(&d)->flags == TCP_ACK;
	}
	ck_assert_int_eq(keepalives, 300);
	expect(d.c.state != CONN_ESTABLISHED);
}
END_TEST

/* Keepalives in both directions keep nothing alive for longer than `stale`; anything else does. */
START_TEST(test_stale)
{
	struct driver d;
	int s;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	for (s = 1; s < 2000; s++) {
		drv_wait(&d, SEC);
		if (s % 100 == 0) { /* the peer asks */
			drv_in_ack(&d, TCP_ACK, -1, s % 200 ? 0 : 1, WINDOW_FIELD);
			expect_eq(drv_reply(&d)->flags, TCP_ACK);
		}
		if (s == 1000)
			drv_in_data(&d, 10);
		if (s == 550)
			drv_in_data(&d, 10);
		drv_tick(&d);
		if (drv_reply(&d)->flags & TCP_RST)
			break;
	}
	expect_eq(drv_reply(&d)->flags, TCP_RST | TCP_ACK);
	ck_assert_int_eq(s, 1600);
	expect(d.c.state != CONN_ESTABLISHED);
}
END_TEST

/* ---- our window ---- */

/* Receives data until a window update comes; returns what was left of the announced window. */
static __u32 left_at_refresh(struct driver *d, __u16 payload_len)
{
	for (__u32 received = payload_len; received <= CONN_WINDOW_FULL; received += payload_len) {
		drv_in_data(d, payload_len);
		expect_eq(d->eff.verdict, VERDICT_PASS);
		if (!drv_reply(d)->flags)
			continue;
		expect_eq(drv_reply(d)->flags, TCP_ACK);
		expect_eq(drv_reply(d)->payload_len, 0);
		expect_eq(drv_reply(d)->seq, d->own);
		expect_eq(drv_reply(d)->ack, d->expected);
		expect_eq(drv_reply(d)->window, WINDOW_FIELD);
		return CONN_WINDOW_FULL - received;
	}
	ck_abort_msg("no window update");
}

START_TEST(test_window_update)
{
	__u32 least = CONN_WINDOW_FULL, most = 0;
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	for (int i = 0; i < 200; i++) {
		__u32 left = left_at_refresh(&d, 60000);

		least = left < least ? left : least;
		most = left > most ? left : most;
	}
	/* A random point between a half and a quarter; one packet may cross it. */
	ck_assert_uint_ge(least, CONN_WINDOW_FULL / 4 - 60000);
	ck_assert_uint_lt(most, CONN_WINDOW_FULL / 2);
	ck_assert_uint_lt(least, CONN_WINDOW_FULL / 100 * 28);
	ck_assert_uint_gt(most, CONN_WINDOW_FULL / 100 * 47);
}
END_TEST

/* What data packets announce: the full window less what came. */
START_TEST(test_announced_window)
{
	struct driver d;
	__u32 received = 0;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	for (int i = 0; i < 300; i++) {
		drv_in_data(&d, 50000);
		received += 50000;
		expect_eq(drv_reply(&d)->flags, 0);
		drv_out(&d, 10, false);
		expect_eq(d.eff.window, (CONN_WINDOW_FULL - received) >> 12);
		expect_eq(d.eff.ack, d.expected);
		drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	}
	drv_in_data(&d, 1); /* PSH, or it would be a probe */
	drv_in_ack(&d, TCP_ACK, 0, 1, WINDOW_FIELD);
	expect_eq(drv_reply(&d)->window, WINDOW_FIELD); /* a probe opens it */
	drv_out(&d, 10, false);
	expect_eq(d.eff.window, WINDOW_FIELD);
}
END_TEST

static void expect_rcv_nxt(const struct driver *d, __u32 offset)
{
	expect_eq(d->c.rcv_nxt, d->expected + offset);
}

/* Data a little ahead is taken, but acknowledged only when other data shows that the peer went on from there: not by its own repetition. */
START_TEST(test_gap)
{
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	for (int i = 0; i < 2; i++) {
		drv_in_ack(&d, TCP_ACK, 1000, 100, WINDOW_FIELD); /* twice */
		expect_eq(d.eff.verdict, VERDICT_PASS);
		expect_rcv_nxt(&d, 0);
	}
	for (int i = 0; i < 2; i++) {
		drv_in_ack(&d, TCP_ACK, 5000, 1, WINDOW_FIELD); /* probes */
		drv_in_ack(&d, TCP_ACK, 4000, 0, WINDOW_FIELD); /* ACKs without data */
		expect_rcv_nxt(&d, i ? 5051 : 1100);
		drv_in_ack(&d, TCP_ACK, 5000, 1, WINDOW_FIELD);
		expect_rcv_nxt(&d, i ? 5051 : 1100);
		if (!i)
			drv_in_ack(&d, TCP_ACK, 5001, 50, WINDOW_FIELD);
	}
	/* In order again: what was ahead before was nobody's. */
	drv_goto(&d, AT_ESTABLISHED, NULL);
	drv_in_ack(&d, TCP_ACK, 1000, 100, WINDOW_FIELD);
	drv_in_ack(&d, TCP_ACK, 0, 100, WINDOW_FIELD);
	drv_in_ack(&d, TCP_ACK, 1200, 100, WINDOW_FIELD);
	expect_rcv_nxt(&d, 100);
	/* An old one says nothing. */
	drv_in_ack(&d, TCP_ACK, -500, 100, WINDOW_FIELD);
	drv_in_ack(&d, TCP_ACK, 1300, 100, WINDOW_FIELD);
	expect_rcv_nxt(&d, 1400);
	/* Far ahead an ACK alone is no proof, however often it comes; unless nothing else comes. */
	for (int i = 0; i < 3; i++)
		drv_in_ack(&d, TCP_ACK, CONN_NEAR * 20, 0, WINDOW_FIELD);
	expect_rcv_nxt(&d, 1400);
	drv_wait(&d, SEC);
	for (int i = 0; i < 2; i++)
		drv_in_ack(&d, TCP_ACK, CONN_NEAR * 20, 0, WINDOW_FIELD);
	expect_rcv_nxt(&d, CONN_NEAR * 20);
}
END_TEST

/* A datagram before the probe was lost, or the answer to the probe: what acknowledges it much later is no round trip. */
START_TEST(test_rtt_of_late_ack)
{
	struct driver d;
	__u64 rtt_ns;

	drv_init(&d, NULL);
	drv_establish_initiator(&d, 0xffff, 12);
	rtt_ns = d.c.rtt_ns;
	drv_out(&d, 100, true);
	expect_eq(drv_reply(&d)->payload_len, 1);
	d.own++;
	drv_wait(&d, 30 * SEC);
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	expect_eq(d.c.snd_una, d.c.snd_nxt);
	expect(d.c.rtt_ns <= 2 * rtt_ns + 10 * MS);
	expect(!d.c.rtt_wanted);
}
END_TEST

/* Keepalives of a peer that does not know that its last datagram was lost: their numbers are not what a keepalive's are. */
START_TEST(test_mute_keepalive)
{
	struct driver d;
	int answers = 0;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	drv_out(&d, 100, false);
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD); /* perhaps twice */
	expect_eq(drv_reply(&d)->flags, 0);
	drv_wait(&d, 180 * SEC);
	for (int i = 0; i < 3; i++) {
		drv_in_ack(&d, TCP_ACK, 99, 0, WINDOW_FIELD);
		answers += drv_reply(&d)->flags == TCP_ACK;
		drv_wait(&d, 10 * SEC);
	}
	expect(answers >= 1 && answers < 3);
	/* The one before its last came, but not what was before that: this is a keepalive's number. */
	drv_in_ack(&d, TCP_ACK, 300, 100, WINDOW_FIELD);
	drv_in_ack(&d, TCP_ACK, 399, 0, WINDOW_FIELD);
	expect_eq(drv_reply(&d)->flags, TCP_ACK);
}
END_TEST

/* Late segments lower neither the window nor the number. */
START_TEST(test_late_data_and_window)
{
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	drv_in_ack(&d, TCP_ACK, 40960, 2048, WINDOW_FIELD);
	drv_in_ack(&d, TCP_ACK, 40960 + 2048, 2048, WINDOW_FIELD);
	d.expected += 40960 + 4096;
	for (int i = 1; i <= 10; i++) {
		drv_in_ack(&d, TCP_ACK, -4096 - 4096 * i, 4096, WINDOW_FIELD);
		expect_eq(d.eff.verdict, VERDICT_PASS);
		drv_out(&d, 10, false);
		expect_eq(d.eff.ack, d.expected);
		expect_eq(d.eff.window, (CONN_WINDOW_FULL - 11 * 4096) >> 12);
	}
}
END_TEST

START_TEST(test_max_window)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct driver d;

	settings.max_window = 1;
	drv_goto(&d, AT_ESTABLISHED, &settings);
	expect_eq(conn_window_scale(&d.c), 14);
	for (int i = 0; i < 20000; i++) {
		drv_in_data(&d, 60000);
		expect_eq(d.eff.verdict, VERDICT_PASS);
		expect(!drv_reply(&d)->flags || drv_reply(&d)->window == 0xffff);
		drv_out(&d, 10, false);
		expect_eq(d.eff.window, 0xffff);
		expect_eq(d.eff.ack, d.expected);
	}
	settings.max_window = 0;
	drv_goto(&d, AT_ESTABLISHED, &settings);
	expect_eq(conn_window_scale(&d.c), 12);
}
END_TEST

/* ---- the peer's window ---- */

/* The initiator knows only what the SYN-ACK said, so its first data packet probes: section 4. */
START_TEST(test_first_data_probes)
{
	struct driver d;

	drv_init(&d, NULL);
	drv_establish_initiator(&d, 0xffff, 12);
	drv_out(&d, 100, true);
	expect_eq(d.eff.verdict, VERDICT_PASS);
	expect_eq(drv_reply(&d)->flags, TCP_ACK);
	expect_eq(drv_reply(&d)->payload_len, 1);
	expect_eq(drv_reply(&d)->seq, d.own);
	expect_eq(drv_reply(&d)->ack, d.expected);
	d.own++;
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	drv_out(&d, 100, false);
	expect_eq(d.eff.seq, d.own - 100);
	expect_eq(drv_reply(&d)->flags, 0);
}
END_TEST

/* At most one probe in 10 ms; while it is unanswered the next ones do not use up numbers. */
START_TEST(test_probe_rate)
{
	struct driver d;
	int probes = 0;

	drv_init(&d, NULL);
	drv_establish_initiator(&d, 0xffff, 12);
	drv_drain(&d, 100);
	expect_eq(drv_reply(&d)->payload_len, 1);
	d.own++;
	for (int ms = 1; ms <= 100; ms++) {
		drv_wait(&d, MS);
		drv_out(&d, 100, false);
		expect_eq(d.eff.verdict, VERDICT_PASS);
		expect_eq(d.eff.seq + 100, d.own);
		expect_eq(drv_reply(&d)->payload_len, ms % 10 == 0);
		if (drv_reply(&d)->payload_len) {
			expect_eq(drv_reply(&d)->seq, d.own - 1);
			probes++;
		}
	}
	ck_assert_int_eq(probes, 10);
	/* Something newer came, and the window is still small: with a number of its own, but not before its time. */
	drv_in_ack(&d, TCP_ACK, 0, 0, 8);
	drv_out(&d, 100, false);
	expect_eq(drv_reply(&d)->payload_len, 0);
	drv_wait(&d, 10 * MS);
	drv_out(&d, 100, false);
	expect_eq(drv_reply(&d)->payload_len, 1);
	expect_eq(drv_reply(&d)->seq, d.own);
}
END_TEST

/* Something old is not something newer. */
START_TEST(test_probe_rate_and_late_data)
{
	struct driver d;
	int probes = 0;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	drv_in_ack(&d, TCP_ACK, 0, 1400, 100); /* 409600 bytes are left */
	d.expected += 1400;
	for (int i = 0; i < 100; i++) {
		drv_out(&d, 100, false);
		probes += drv_reply(&d)->payload_len;
		drv_in_ack(&d, TCP_ACK, -100000, 1400, 100);
	}
	ck_assert_int_eq(probes, 1);
}
END_TEST

START_TEST(test_window_runs_out)
{
	__u32 left = WINDOW_FIELD << 12;
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	while (left >= 60000) {
		drv_wait(&d, MS / 10);
		drv_out(&d, 60000, false);
		expect_eq(d.eff.verdict, VERDICT_PASS);
		left -= 60000;
		/* Not above a half; below it the first time, and then as time passes. */
		expect(left < CONN_WINDOW_FULL / 2 || !drv_reply(&d)->flags);
		if (drv_reply(&d)->payload_len && drv_reply(&d)->seq == d.own)
			d.own++;
	}
	drv_out(&d, 60000, false);
	expect_eq(d.eff.verdict, VERDICT_DROP);
	expect_eq(d.eff.reason, REASON_DROP_WINDOW);
	drv_wait(&d, 10 * MS);
	drv_out(&d, 60000, false); /* dropped, but it asks */
	expect_eq(d.eff.verdict, VERDICT_DROP);
	expect_eq(drv_reply(&d)->payload_len, 1);
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	drv_out(&d, 60000, false);
	expect_eq(d.eff.verdict, VERDICT_PASS);
	expect_eq(d.eff.seq, d.own - 60000);
}
END_TEST

/* An old segment does not set the window; one that is not old does. */
START_TEST(test_old_window)
{
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	drv_in_ack(&d, TCP_ACK, 0, 1400, WINDOW_FIELD);
	d.expected += 1400;
	drv_in_ack(&d, TCP_ACK, -2800, 1400, 0);
	drv_out(&d, 100, false);
	expect_eq(d.eff.verdict, VERDICT_PASS);
	drv_in_ack(&d, TCP_ACK, 0, 0, 0);
	drv_out(&d, 100, false);
	expect_eq(d.eff.reason, REASON_DROP_WINDOW);
}
END_TEST

/* Pure ACKs, which all have one number, overtake each other: the older one says nothing about the window any more. */
START_TEST(test_old_ack)
{
	struct segment seg = { .flags = TCP_ACK, .window = WINDOW_FIELD };
	struct driver d;
	__u32 began, left;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	began = d.own;
	for (int i = 0; i < 20; i++)
		drv_out(&d, 50000, false);
	seg.seq = d.expected;
	seg.ack = began + 900000;
	drv_in(&d, &seg);
	left = d.c.snd_wnd;
	expect_eq(left, CONN_WINDOW_FULL - 100000);
	seg.ack = began + 700000; /* sent before it, with less room */
	seg.window = WINDOW_FIELD - 1000;
	drv_in(&d, &seg);
	expect_eq(d.c.snd_wnd, left);
	seg.ack = began + 900000; /* an update, though it acknowledges nothing new */
	drv_in(&d, &seg);
	expect(d.c.snd_wnd < left);
	left = d.c.snd_wnd;
	seg.ack = began + 1000000;
	seg.window = WINDOW_FIELD;
	drv_in(&d, &seg);
	expect_eq(d.c.snd_wnd, CONN_WINDOW_FULL);
}
END_TEST

/* A datagram; the probe that may follow it counts, too. */
static void out_and_count(struct driver *d, __u32 payload_len, bool released)
{
	drv_out(d, payload_len, released);
	d->own += drv_reply(d)->payload_len && drv_reply(d)->seq == d->own;
}

/* No window scale: what the field says is all there is (RFC 7323 2.2). */
START_TEST(test_no_window_scale)
{
	struct driver d;
	__u32 sent = 100;

	drv_init(&d, NULL);
	drv_establish_initiator(&d, 60000, 0);
	drv_drain(&d, 100);
	for (; sent + 1400 <= 60000 - 1; sent += 1400) { /* and a probe */
		out_and_count(&d, 1400, false);
		expect_eq(d.eff.verdict, VERDICT_PASS);
	}
	/* The peer may have more to announce than a SYN-ACK can say, so this one waits. */
	out_and_count(&d, 1400, false);
	expect_eq(d.eff.verdict, VERDICT_HOLD);
	drv_in_ack(&d, TCP_ACK, 0, 0, 1400 + CONN_HELD_MAX); /* room for probes is kept free */
	expect(d.eff.notify & NOTIFY_RELEASE);
	out_and_count(&d, 1400, true);
	expect_eq(d.eff.verdict, VERDICT_PASS);
	drv_in_ack(&d, TCP_ACK, 0, 0, 1400);
	out_and_count(&d, 1401, false);
	expect_eq(d.eff.reason, REASON_DROP_WINDOW);
	drv_in_ack(&d, TCP_ACK, 0, 0, 1400);
	out_and_count(&d, 1400, false);
	expect_eq(d.eff.verdict, VERDICT_PASS);
}
END_TEST

/*
 * Section 4 says that a segment sets what is left to `window << scale`. That is 0.7.x; here it counts from what the
 * segment acknowledges, or a strict firewall (conntrack: td_maxend) would drop what goes beyond, and an outage in one
 * direction would let the numbers run away from what the peer accepts.
 */
START_TEST(test_window_counts_from_the_ack)
{
	struct driver d;
	__u32 acked;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	acked = d.own;
	for (int i = 0; i < 2000; i++) { /* nothing arrives, but the peer goes on sending */
		struct segment seg = { .seq = d.expected,
				       .ack = acked,
				       .window = WINDOW_FIELD,
				       .flags = TCP_ACK,
				       .payload_len = 1000 };

		drv_in(&d, &seg);
		d.expected += 1000;
		out_and_count(&d, 60000, false);
	}
	expect_eq(d.eff.reason, REASON_DROP_WINDOW);
	expect(d.own - acked <= CONN_WINDOW_FULL + 1);
	expect(d.own - acked > CONN_WINDOW_FULL - 2 * 60000);
}
END_TEST

/* Under max_window the peer announces a GB, and believes no number that is farther off than two full windows. */
START_TEST(test_window_of_a_gigabyte)
{
	struct driver d;
	__u32 acked;

	drv_init(&d, NULL);
	drv_establish_initiator(&d, 0xffff, 14);
	drv_drain(&d, 100);
	d.own += drv_reply(&d)->payload_len;
	acked = d.own;
	for (int i = 0; i < 4000; i++) {
		struct segment seg = {
			.seq = d.expected, .ack = acked, .window = 0xffff, .flags = TCP_ACK
		};

		drv_in(&d, &seg);
		out_and_count(&d, 60000, false);
		expect(d.own - acked <= CONN_SEQ_TOLERANCE);
	}
	expect_eq(d.eff.reason, REASON_DROP_WINDOW);
}
END_TEST

/* ---- padding ---- */

START_TEST(test_padding)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct driver d;

	for (int setting = 0; setting <= PADDING_MAX + 1; setting++) {
		settings.padding = setting <= PADDING_MAX ? (__u8)setting : PADDING_RANDOM;
		drv_goto(&d, AT_ESTABLISHED, &settings);
		for (__u32 len = 0; len < 100; len++) {
			__u32 before = d.own, padding = settings.padding;

			drv_in_ack(&d, TCP_ACK, 0, 100, WINDOW_FIELD); /* moves the ack */
			d.expected += 100;
			if (settings.padding == PADDING_RANDOM)
				padding = (__u32)(d.own + d.expected) % 11;
			drv_out(&d, len, false);
			expect_eq(d.eff.seq, before);
			expect_eq(d.eff.ack, d.expected);
			expect_eq(d.eff.padding, padding);
			expect_eq(d.own, before + len + padding);
		}
	}
}
END_TEST

/* The receiver takes it from the numbers of the segment itself, whatever they are. */
START_TEST(test_padding_received)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct driver d;

	settings.padding = PADDING_RANDOM;
	drv_goto(&d, AT_ESTABLISHED, &settings);
	for (__u16 len = 2; len < 100; len++) {
		__u32 padding = (__u32)(d.expected + d.own) % 11;

		drv_in_ack(&d, TCP_ACK, 0, len, WINDOW_FIELD);
		d.expected += len;
		expect_eq(d.eff.verdict, len < padding ? VERDICT_DROP : VERDICT_PASS);
		expect_eq(d.eff.reason, len < padding ? REASON_DROP_RX_PADDING : REASON_RX_DATA);
		expect(len < padding || d.eff.padding == padding);
	}
	settings.padding = 16;
	drv_goto(&d, AT_ESTABLISHED, &settings);
	drv_in_ack(&d, TCP_ACK | TCP_PSH, 0, 15, WINDOW_FIELD);
	expect_eq(d.eff.reason, REASON_DROP_RX_PADDING);
	d.expected += 15;
	drv_in_ack(&d, TCP_ACK | TCP_PSH, 0, 16, WINDOW_FIELD); /* an empty datagram */
	expect_eq(d.eff.verdict, VERDICT_PASS);
	expect_eq(d.eff.padding, 16);
}
END_TEST

/* ---- resets that nobody should believe ---- */

/* `count` probes, 300 ms apart, then forgotten without a word. RST 0 may follow the doubtful segment after a while. */
static void run_check(struct driver *d, __u8 flags, __s32 seq, int count, unsigned int rst_zero_ms)
{
	__u64 began = d->env.now_ns;
	int probes = 1;

	drv_in_ack(d, flags, seq, 0, 0);
	expect_eq(drv_reply(d)->payload_len, 1);
	expect_eq(d->eff.reason, REASON_RX_RST_CHECKED);
	while (d->c.state == CONN_ESTABLISHED && d->env.now_ns - began < 3 * SEC) {
		drv_wait(d, 50 * MS);
		if (rst_zero_ms && d->env.now_ns - began == rst_zero_ms * MS)
			drv_in_ack(d, TCP_RST, -(__s32)d->expected, 0, 0);
		drv_tick(d);
		if (!drv_reply(d)->flags || drv_reply(d)->flags == TCP_SYN)
			continue;
		expect_eq(drv_reply(d)->flags, TCP_ACK);
		expect_eq(drv_reply(d)->payload_len, 1);
		probes++;
	}
	ck_assert_int_eq(probes, count);
	ck_assert_uint_eq((d->env.now_ns - began) / MS, 300U * (unsigned int)count);
	expect(d->c.state != CONN_ESTABLISHED);
	expect(d->eff.notify & NOTIFY_LOST);
}

/* The peer has not spoken for a while. */
static void run_liveness_check(struct driver *d)
{
	drv_wait(d, SEC);
	run_check(d, TCP_RST, 4711, CONN_CHECK_PROBES, 0);
}

/* A peer that spoke just now is asked twice as often, unless it says itself that it knows nothing any more. */
START_TEST(test_liveness_of_the_busy)
{
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	drv_wait(&d, 999 * MS);
	run_check(&d, TCP_RST, 4711, 6, 0);
	drv_goto(&d, AT_ESTABLISHED, NULL);
	run_check(&d, TCP_SYN, 4711, 6, 0);
	/* an idle entry of 0.7.x */
	drv_goto(&d, AT_ESTABLISHED, NULL);
	run_check(&d, TCP_RST, -(__s32)d.expected, 3, 0);
	drv_goto(&d, AT_ESTABLISHED, NULL);
	run_check(&d, TCP_SYN, 4711, 3, 50);
	drv_goto(&d, AT_ESTABLISHED, NULL);
	run_check(&d, TCP_SYN, 4711, 3, 850);
}
END_TEST

START_TEST(test_liveness_passive)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct driver d;

	settings.handshake_interval_s = 0;
	drv_goto(&d, AT_ESTABLISHED, &settings);
	run_liveness_check(&d);
	expect_eq(drv_reply(&d)->flags, 0); /* it waits */
	expect_eq(d.c.state, CONN_IDLE);
	drv_establish_responder(&d);
}
END_TEST

/* With something to send, and, as section 5 says without a condition, with nothing. */
START_TEST(test_liveness_active)
{
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	drv_wait(&d, SEC);
	drv_in_ack(&d, TCP_RST, 4711, 0, 0);
	for (int i = 0; i < 20; i++) {
		drv_wait(&d, 50 * MS);
		drv_tick(&d);
		if (d.c.state != CONN_ESTABLISHED)
			break;
		drv_out(&d, 100, false);
	}
	expect_eq(d.c.state, CONN_SYN_SENT);
	expect_eq(drv_reply(&d)->flags, TCP_SYN);
	drv_establish_initiator(&d, 0xffff, 12); /* what waited goes on its way */
	expect(d.eff.notify & NOTIFY_RELEASE);
}
END_TEST

START_TEST(test_liveness_active_nothing_to_send)
{
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	run_liveness_check(&d);
	expect_eq(drv_reply(&d)->flags, TCP_SYN);
}
END_TEST

/* Data goes on until the first probe stays unanswered, then it waits; an answer sets it free. */
START_TEST(test_liveness_and_data)
{
	struct driver d;
	int held = 0;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	drv_wait(&d, SEC);
	drv_in_ack(&d, TCP_RST, 4711, 0, 0);
	d.own++;
	drv_out(&d, 100, false);
	expect_eq(d.eff.verdict, VERDICT_PASS);
	for (int ms = 0; ms < 600; ms += 50) {
		drv_wait(&d, 50 * MS);
		drv_tick(&d);
		drv_out(&d, 100, false);
		expect(held ? d.eff.verdict == VERDICT_HOLD : d.eff.verdict != VERDICT_DROP);
		held += d.eff.verdict == VERDICT_HOLD;
	}
	expect(held);
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	expect(d.eff.notify & NOTIFY_RELEASE);
	expect_eq(d.c.held, held);
	drv_drain(&d, 100);
	drv_wait(&d, 5 * SEC);
	drv_tick(&d);
	expect_eq(d.c.state, CONN_ESTABLISHED);
	drv_out(&d, 100, false);
	expect_eq(d.eff.verdict, VERDICT_PASS);
}
END_TEST

/*
 * Who sends and hears nothing for 5 s asks whether the peer lives, six times, and then begins anew, whoever began before. One that is
 * passive, or has nothing to send, does not ask.
 */
START_TEST(test_silence)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct driver d;
	int probes = 0, ms;

	if (_i) { /* the peer began it */
		drv_goto(&d, AT_ESTABLISHED, &settings);
		drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	} else {
		drv_goto_initiator(&d, &settings);
	}
	for (ms = 0; ms < 20000 && d.c.state == CONN_ESTABLISHED; ms += 50) {
		drv_out(&d, 100, false);
		expect_eq(d.eff.verdict, probes >= 2 ? VERDICT_HOLD : VERDICT_PASS); /* the first has no answer */
		drv_wait(&d, 50 * MS);
		drv_tick(&d);
		probes += drv_reply(&d)->payload_len == 1;
	}
	expect_eq(probes, 6);
	expect(ms >= 6500 && ms <= 7500);
	expect_eq(d.c.state, CONN_SYN_SENT);
}
END_TEST

START_TEST(test_silence_does_not_matter)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct driver d;

	settings.handshake_interval_s = 0;
	drv_goto(&d, AT_ESTABLISHED, &settings);
	for (int ms = 0; ms < 20000; ms += 50) {
		drv_out(&d, 100, false);
		expect_eq(d.eff.verdict, VERDICT_PASS);
		drv_wait(&d, 50 * MS);
		drv_tick(&d);
		expect_eq(drv_reply(&d)->flags, 0);
	}
	settings = (struct conn_settings)CONN_SETTINGS_DEFAULT;
	drv_goto_initiator(&d, &settings);
	drv_out(&d, 100, false); /* the last one for long */
	for (int ms = 0; ms < 60000; ms += 50) {
		drv_wait(&d, 50 * MS);
		drv_tick(&d);
		expect_eq(drv_reply(&d)->flags, 0);
	}
}
END_TEST

/* On a link with a round trip of 2 s a check is as patient. */
START_TEST(test_liveness_slow_link)
{
	struct driver d;
	__u64 began;

	drv_init(&d, NULL);
	drv_in_syn(&d, TCP_SYN, PEER_ISN, 0);
	d.expected = PEER_ISN + 1U;
	drv_wait(&d, 2 * SEC);
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	expect_eq(d.c.state, CONN_ESTABLISHED);
	expect_eq(d.c.rtt_ns, 2 * SEC);
	drv_in_ack(&d, TCP_RST, 4711, 0, 0);
	d.own++;
	began = d.env.now_ns;
	while (d.env.now_ns - began < 3 * SEC) {
		drv_wait(&d, 50 * MS);
		drv_tick(&d);
	}
	expect_eq(d.c.state, CONN_ESTABLISHED);
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD); /* 3 s after the probe */
	expect_eq(d.c.rtt_ns, 3 * SEC);
	expect_eq(d.c.check_probes, 0);
}
END_TEST

/* ---- forged SYNs in a handshake ---- */

/* One comes before the peer's SYN-ACK: the latter knows our number, so its own counts, and its window scale. */
START_TEST(test_forged_syn_in_syn_sent)
{
	struct segment forged = { .seq = 0x77777777, .window = 0xffff, .flags = TCP_SYN, .options_ok = true,
				  .options = { .mss = 536, .wscale = 2 } };
	struct driver d;

	drv_init(&d, NULL);
	drv_out(&d, 100, false);
	drv_in(&d, &forged);
	expect_eq(d.c.state, CONN_SYN_RECEIVED);
	drv_wait(&d, 10 * MS);
	drv_in_syn(&d, TCP_SYN | TCP_ACK, PEER_ISN, d.own);
	expect_eq(d.c.state, CONN_ESTABLISHED);
	expect_eq(drv_reply(&d)->flags, TCP_ACK);
	expect_eq(drv_reply(&d)->ack, PEER_ISN + 1U);
	expect_eq(d.c.peer_wscale, 12);
	expect_eq(d.c.peer_mss, 1460);
	expect_eq(d.c.held, 1);
}
END_TEST

/* Somebody sends us SYNs in the name of a peer that does not answer our SYN-ACKs: ours goes out all the same. */
START_TEST(test_forged_syns_at_idle)
{
	for (int passive = 0; passive < 2; passive++) {
		struct conn_settings settings = CONN_SETTINGS_DEFAULT;
		int half_open = 0, syns = 0;
		struct driver d;

		if (passive)
			settings.handshake_interval_s = 0;
		drv_init(&d, &settings);
		for (__u32 ms = 0; ms < 5000; ms += 50) {
			drv_in_syn(&d, TCP_SYN, 1000 + 977 * ms, 0);
			half_open += d.eff.half_open;
			drv_wait(&d, 50 * MS);
			drv_out(&d, 100, false);
			half_open += d.eff.half_open;
			syns += drv_reply(&d)->flags == TCP_SYN;
			expect(!syns || ms >= 900);
			drv_tick(&d);
		}
		ck_assert_int_eq(syns, !passive);
		ck_assert_int_eq(half_open, passive);
		if (passive)
			continue;
		expect(d.c.held);
		drv_in_syn(&d, TCP_SYN | TCP_ACK, PEER_ISN, d.own);
		expect_eq(d.c.state, CONN_ESTABLISHED);
		expect(d.eff.notify & NOTIFY_RELEASE);
	}
}
END_TEST

/*
 * One SYN is enough to keep a connection half open. A datagram that comes later than an ACK would is not held up by it, and one that
 * comes before is for no longer than that, however many SYNs follow.
 */
START_TEST(test_one_forged_syn)
{
	static const __u32 sent_ms[] = { 0, 300, 990, 1000, 5000 };

	for (size_t i = 0; i < sizeof(sent_ms) / sizeof(sent_ms[0]); i++) {
		for (int more = 0; more < 2; more++) {
			__u32 ms = sent_ms[i];
			struct driver d;

			drv_init(&d, NULL);
			drv_in_syn(&d, TCP_SYN, 12345, 0);
			expect_eq(d.eff.half_open, 1);
			drv_wait(&d, ms * MS);
			drv_out(&d, 100, false);
			expect_eq(d.eff.verdict, VERDICT_HOLD);
			for (; ms < 1000 && drv_reply(&d)->flags != TCP_SYN; ms += 10) {
				if (more)
					drv_in_syn(&d, TCP_SYN, 777 * ms, 0);
				drv_wait(&d, 10 * MS);
				drv_tick(&d);
			}
			expect_eq(drv_reply(&d)->flags, TCP_SYN);
			ck_assert_int_eq(d.eff.half_open, -1);
			expect(ms >= 1000);
			drv_wait(&d, 20 * MS);
			drv_in_syn(&d, TCP_SYN | TCP_ACK, PEER_ISN, d.own);
			expect_eq(d.c.state, CONN_ESTABLISHED);
			expect_eq(d.c.rtt_ns, 20 * MS);
			expect(d.eff.notify & NOTIFY_RELEASE);
		}
	}
}
END_TEST

/* Of several SYNs nobody knows which one the ACK comes for, nor so how long the round trip is. */
START_TEST(test_contested_round_trip)
{
	struct driver d;

	drv_init(&d, NULL);
	drv_in_syn(&d, TCP_SYN, 12345, 0);
	for (int i = 0; i < 10; i++) {
		drv_wait(&d, SEC);
		drv_in_syn(&d, TCP_SYN, PEER_ISN, 0);
	}
	drv_wait(&d, 20 * MS);
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	expect_eq(d.c.state, CONN_ESTABLISHED);
	expect_eq(d.c.rtt_ns, 0);
}
END_TEST

/* In a second, of SYNs with a thousand numbers, one in a millisecond. None moves what we acknowledge without one. */
static int count_answers_to_syns(enum driver_state state, bool crowded)
{
	struct driver d;
	int answers = 0;
	__u32 ack;

	drv_goto(&d, state, NULL);
	d.env.crowded = crowded;
	ack = d.c.rcv_nxt;
	for (__u32 i = 0; i < 1000; i++) {
		drv_wait(&d, MS);
		drv_in_syn(&d, TCP_SYN, 1000 + i * 4000000U, 0);
		answers += !!d.eff.reply[0].flags;
		if (d.eff.reply[0].flags && state == AT_SIMULTANEOUS)
			ack = d.eff.reply[1].ack;
		expect_eq(d.c.rcv_nxt, ack);
		expect_eq(d.c.snd_nxt, d.own);
	}
	return answers;
}

/* Nobody gets more than ten answers a second out of us; by SYNs some hundred, lest the peer's is lost among them, unless there is a flood. */
START_TEST(test_forged_handshake_flood)
{
	struct driver d;
	int answers = 0;

	drv_goto(&d, AT_SYN_SENT, NULL);
	for (__u32 i = 0; i < 1000; i++) {
		drv_wait(&d, MS);
		drv_in_syn(&d, TCP_SYN | TCP_ACK, i * 12345, d.own + 1 + i);
		answers += !!drv_reply(&d)->flags;
	}
	ck_assert_int_le(answers, 10);
	for (int i = 0; i < 4; i++) {
		answers = count_answers_to_syns(i & 1 ? AT_SIMULTANEOUS : AT_SYN_RECEIVED, i & 2);
		expect(i & 2 ? answers >= 9 && answers <= 11 : answers >= 100 && answers <= 400);
	}
}
END_TEST

/* Wrong ACKs do not take away the answer to the peer's repeated SYN. */
START_TEST(test_forged_acks_and_repeated_syn)
{
	struct segment wrong = { .seq = 1, .ack = 2, .flags = TCP_ACK, .window = 5 };
	struct driver d;

	drv_goto(&d, AT_SYN_RECEIVED, NULL);
	for (int ms = 1; ms <= 2000; ms++) {
		drv_wait(&d, MS);
		drv_in(&d, &wrong);
		if (ms % 200)
			continue;
		drv_in_syn(&d, TCP_SYN, PEER_ISN, 0);
		expect_eq(drv_reply(&d)->flags, TCP_SYN | TCP_ACK);
	}
}
END_TEST

/*
 * A stranger's SYN came before the peer's, or after it: both are answered, with the same number of ours. The peer's ACK, or first data, has
 * that, which only the peer knows, so its own counts. A RST or FIN that fits the stranger's SYN ends nothing.
 */
START_TEST(test_forged_syn_in_syn_received)
{
	struct segment forged = { .seq = 0x11223344, .window = 0xffff, .flags = TCP_SYN, .options_ok = true,
				  .options = { .mss = 536, .wscale = 2 } };
	struct segment end = { .seq = 0x11223345, .flags = _i & 2 ? TCP_RST : TCP_FIN | TCP_ACK };
	__u16 payload_len = _i & 1 ? 1400 : 0;
	struct driver d;

	drv_goto(&d, AT_IDLE, NULL);
	d.expected = PEER_ISN + 1U;
	for (int i = 0; i < 2; i++) {
		if (i ^ !!(_i & 4))
			drv_in_syn(&d, TCP_SYN, PEER_ISN, 0);
		else
			drv_in(&d, &forged);
		expect_eq(drv_reply(&d)->flags, TCP_SYN | TCP_ACK);
		expect_eq(drv_reply(&d)->seq, d.c.snd_nxt - 1);
		d.own = d.c.snd_nxt;
		drv_wait(&d, 11 * MS);
	}
	drv_in(&d, &end);
	expect_eq(d.c.state, CONN_SYN_RECEIVED);
	expect_eq(drv_reply(&d)->flags, 0);
	drv_in_ack(&d, TCP_ACK, 0, payload_len, WINDOW_FIELD);
	expect_eq(d.c.state, CONN_ESTABLISHED);
	expect_eq(d.eff.verdict, payload_len ? VERDICT_PASS : VERDICT_CONSUME);
	expect_eq(d.c.rcv_nxt, PEER_ISN + 1U + payload_len);
	expect_eq(d.c.peer_wscale, CONN_WINDOW_SCALE);
	expect_eq(d.c.snd_wnd, (__u32)WINDOW_FIELD << CONN_WINDOW_SCALE);
	expect_eq(d.c.irs, PEER_ISN);
}
END_TEST

/* What came to meet our SYN is ended by a RST: both may be forged, so our SYN is repeated with its number, and the peer's answer counts. */
START_TEST(test_forged_end_of_simultaneous)
{
	struct segment seg = { .flags = _i ? TCP_FIN | TCP_ACK : TCP_RST };
	static const struct conn_settings fast = CONN_SETTINGS_DEFAULT;
	struct driver d;

	drv_goto(&d, AT_SIMULTANEOUS, &fast);
	expect(d.c.held);
	drv_wait(&d, 40 * MS);
	seg.seq = d.expected;
	drv_in(&d, &seg);
	expect_eq(d.c.state, CONN_SYN_SENT);
	expect_eq(d.eff.reason, REASON_RX_RST);
	expect_eq(drv_reply(&d)->flags, TCP_SYN);
	expect_eq(drv_reply(&d)->seq, d.own - 1);
	/* Once more, at once: not faster than other answers, but repeated in time. */
	drv_in_syn(&d, TCP_SYN, 0x11223344, 0);
	drv_wait(&d, MS);
	seg.seq = 0x11223345;
	drv_in(&d, &seg);
	expect_eq(drv_reply(&d)->flags, 0);
	drv_wait(&d, 200 * MS);
	drv_tick(&d);
	expect_eq(drv_reply(&d)->flags, TCP_SYN);
	expect_eq(drv_reply(&d)->seq, d.own - 1);
	drv_in_syn(&d, TCP_SYN | TCP_ACK, PEER_ISN + 5, d.own);
	expect_eq(d.c.state, CONN_ESTABLISHED);
	expect(d.eff.notify & NOTIFY_RELEASE);
}
END_TEST

/* ---- whom to believe ---- */

/* Good enough for the application, but neither ack nor window follow a number far ahead, until a second one confirms it. */
START_TEST(test_forged_jump)
{
	struct driver d;
	__u32 window;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	window = d.c.snd_wnd;
	drv_in_ack(&d, TCP_ACK, CONN_NEAR + 1, 1000, 7);
	expect_eq(d.eff.verdict, VERDICT_PASS);
	expect_eq(d.c.rcv_nxt, d.expected);
	expect_eq(d.c.snd_wnd, window);
	drv_in_ack(&d, TCP_ACK, 20000000, 1000, 7); /* another one, somewhere else */
	expect_eq(d.eff.verdict, VERDICT_PASS);
	expect_eq(d.c.rcv_nxt, d.expected);
	drv_in_data(&d, 1000);
	expect_eq(d.c.rcv_nxt, d.expected);
	/* The peer really is there. */
	drv_in_ack(&d, TCP_ACK, 5000000, 1000, WINDOW_FIELD);
	expect_eq(d.c.rcv_nxt, d.expected);
	drv_in_ack(&d, TCP_ACK, 5001000, 1000, WINDOW_FIELD);
	expect_eq(d.c.rcv_nxt, d.expected + 5002000);
}
END_TEST

/* The clock was read before another CPU noted a later time. */
START_TEST(test_time_goes_back)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct driver d;

	drv_goto_initiator(&d, &settings);
	drv_out(&d, 100, false);
	for (int i = 0; i < 100; i++) {
		d.env.now_ns -= 10 * MS;
		memset(&d.eff, 0, sizeof(d.eff));
		expect(!conn_tick_is_due(&d.c, d.env.now_ns));
		conn_tick(&d.c, &d.env, &d.eff);
		expect_eq(drv_reply(&d)->flags, 0);
		expect_eq(d.c.state, CONN_ESTABLISHED);
		drv_out(&d, 100, false);
		expect_eq(d.eff.verdict, VERDICT_PASS);
		expect_eq(drv_reply(&d)->flags, 0);
	}
}
END_TEST

START_TEST(test_damaged)
{
	struct segment seg = { .flags = TCP_ACK, .payload_len = 100, .window = WINDOW_FIELD, .damaged = true };
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	seg.seq = d.expected + 4096;
	seg.ack = d.own;
	drv_in(&d, &seg);
	expect_eq(d.eff.verdict, VERDICT_DROP);
	expect_eq(d.eff.reason, REASON_DROP_RX_CHECKSUM);
	expect_eq(d.c.rcv_nxt, d.expected);
}
END_TEST

START_TEST(test_forged_ack)
{
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	for (int i = 0; i < 1000; i++) /* so that there is something older */
		drv_out(&d, 1000, false);
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	expect_eq(d.c.snd_una, d.own);
	d.own -= CONN_NEAR + 1;
	drv_in_ack(&d, TCP_ACK, 0, 1000, 7);
	expect_eq(d.eff.verdict, VERDICT_PASS);
	expect_eq(d.c.rcv_nxt, d.expected);
	expect_eq(d.c.snd_wnd, (__u32)CONN_WINDOW_FULL);
	d.own++;
	drv_in_data(&d, 1000);
	expect_eq(d.c.rcv_nxt, d.expected);
}
END_TEST

/* What a forged segment may be counted as: RST, SYN and FIN as something to check, the rest as what is out of window, or else as it looks. */
static bool forged_reason_is_right(const struct segment *seg, enum reason reason)
{
	if (seg->flags == (TCP_SYN | TCP_ACK))
		return reason == REASON_RX_CONTROL;
	if (seg->flags != TCP_ACK)
		return reason == REASON_RX_RST_CHECKED;
	return reason == REASON_DROP_RX_WINDOW || reason == (seg->payload_len ? REASON_RX_DATA : REASON_RX_CONTROL);
}

/* A million random segments: none ends the connection or moves its numbers, few are delivered, and its figures know them for what they are. */
START_TEST(test_forged_million)
{
	int delivered = 0, replies = 0, outside = 0, checks = 0;
	struct figures_traffic traffic;
	struct figures_events events;
	uint64_t state = 4711;
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	drv_out(&d, 1000, false);
	traffic = d.c.traffic;
	events = d.c.events;
	for (int i = 0; i < 1000000; i++) {
		static const __u8 flags[] = { TCP_ACK, TCP_RST, TCP_SYN, TCP_FIN | TCP_ACK, TCP_SYN | TCP_ACK, TCP_ACK };
		struct segment seg = {
			.seq = (__u32)prng_next(&state),
			.ack = (__u32)prng_next(&state),
			.window = (__u16)prng_next(&state),
			.flags = flags[i % 6],
			.payload_len = i % 6 == 5 ? 1000 : 0,
			.options_ok = true,
			.options = { .mss = 1460, .wscale = 12 },
		};

		drv_wait(&d, MS / 50);
		checks -= !!d.c.check_probes;
		drv_in(&d, &seg);
		checks += !!d.c.check_probes;
		expect(forged_reason_is_right(&seg, d.eff.reason));
		expect_eq(d.eff.verdict == VERDICT_PASS, d.eff.reason == REASON_RX_DATA);
		delivered += d.eff.verdict == VERDICT_PASS;
		outside += d.eff.reason == REASON_DROP_RX_WINDOW;
		replies += !!d.eff.reply[0].flags + !!d.eff.reply[1].flags;
		if (d.c.check_probes) { /* the peer lives */
			d.own = d.c.snd_nxt;
			drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
		}
		expect_eq(d.c.state, CONN_ESTABLISHED);
		expect_eq(d.c.rcv_nxt, d.expected);
	}
	expect(delivered < 1000);
	expect(replies <= 20 * 10 + 10); /* in 20 s */
	/* Of all figures of the connection these have moved, and by so much: */
	traffic.rx_packets += (__u32)delivered;
	traffic.rx_bytes += (__u32)delivered * 1000;
	events.drops[FIGURES_DROP_RX_WINDOW] += (__u32)outside;
	events.checks += (__u32)checks;
	events.probes += (__u32)checks; /* one for each, since the peer answers */
	expect(checks > 0 && outside > 300000);
	expect(!memcmp(&d.c.traffic, &traffic, sizeof(traffic)));
	expect(!memcmp(&d.c.events, &events, sizeof(events)));
	expect(d.c.snd_wnd > CONN_WINDOW_FULL / 2);
}
END_TEST

/* ---- ACKs of data ---- */

START_TEST(test_ack_rhythm)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	int acks = 0, interval = settings.ack_interval_ms;
	struct driver d;

	expect_eq(interval, 40);
	drv_goto(&d, AT_ESTABLISHED, &settings);
	for (int ms = 0; ms < 1000; ms++) { /* one way */
		drv_wait(&d, MS);
		drv_in_data(&d, 100);
		acks += drv_reply(&d)->flags == TCP_ACK;
		expect(!drv_reply(&d)->flags || drv_reply(&d)->ack == d.expected);
	}
	expect(acks >= 24 && acks <= 25);
	for (int i = 0; i < 100; i++) { /* question and answer */
		drv_wait(&d, SEC);
		drv_in_data(&d, 100);
		expect_eq(drv_reply(&d)->flags, 0);
		drv_out(&d, 100, false);
	}
	settings.ack_interval_ms = 0;
	drv_goto(&d, AT_ESTABLISHED, &settings);
	for (int ms = 0; ms < 1000; ms++) {
		drv_wait(&d, MS);
		drv_in_data(&d, 100);
		expect_eq(drv_reply(&d)->flags, 0);
	}
}
END_TEST

/* The last data, and what comes so slowly that nothing follows: by the clock, once, unless something else acknowledges it before. */
START_TEST(test_ack_by_the_clock)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, &settings);
	for (int i = 0; i < 10; i++) {
		drv_wait(&d, 100 * MS);
		drv_in_data(&d, 100);
		expect_eq(drv_reply(&d)->flags, 0);
		drv_wait(&d, 39 * MS);
		drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD); /* nothing to acknowledge, and no reason to wait longer */
		expect(!conn_tick_is_due(&d.c, d.env.now_ns));
		drv_wait(&d, MS);
		expect(conn_tick_is_due(&d.c, d.env.now_ns));
		drv_tick(&d);
		expect_eq(drv_reply(&d)->flags, TCP_ACK);
		expect_eq(drv_reply(&d)->seq, d.own);
		expect_eq(drv_reply(&d)->ack, d.expected);
		expect_eq(drv_reply(&d)->payload_len, 0);
		expect_eq(d.eff.reply[1].flags, 0);
		expect(!conn_tick_is_due(&d.c, d.env.now_ns + 10 * SEC));
	}
	drv_in_data(&d, 100);
	drv_out(&d, 100, false); /* acknowledges it */
	expect(!conn_tick_is_due(&d.c, d.env.now_ns + 10 * SEC));
	settings.ack_interval_ms = 0;
	drv_goto(&d, AT_ESTABLISHED, &settings);
	drv_in_data(&d, 100);
	expect_eq(d.eff.notify, 0);
	expect(!conn_tick_is_due(&d.c, d.env.now_ns + 10 * SEC));
}
END_TEST

/* Data far behind a gap is acknowledged once the peer is known to go on from there, be it by ACKs alone. */
START_TEST(test_ack_of_a_gap)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	__s32 lost = CONN_NEAR - 10000, end = lost + 60000;
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, &settings);
	for (int i = 0; i < 2; i++) {
		drv_in_ack(&d, TCP_ACK, i ? end : lost, i ? 0 : 60000, WINDOW_FIELD);
		if (i) /* the same again */
			drv_in_ack(&d, TCP_ACK, end, 0, WINDOW_FIELD);
		expect_eq(drv_reply(&d)->flags, 0);
		drv_wait(&d, 40 * MS);
		drv_tick(&d);
		expect_eq(drv_reply(&d)->flags, TCP_ACK);
		expect_eq(drv_reply(&d)->ack, d.expected + (__u32)(i ? end : 0));
		expect(!conn_tick_is_due(&d.c, d.env.now_ns + SEC));
		drv_wait(&d, SEC);
	}
}
END_TEST

/* The clock comes late, and a keepalive is due as well: that acknowledges, too. */
START_TEST(test_ack_or_keepalive)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct driver d;

	settings.keepalive_time_s = 1;
	settings.keepalive_retry = 1;
	drv_goto(&d, AT_ESTABLISHED, &settings);
	drv_in_data(&d, 100);
	drv_wait(&d, SEC);
	drv_tick(&d);
	expect_eq(d.eff.reply[0].seq, d.own - 1);
	expect_eq(d.eff.reply[0].ack, d.expected);
	expect_eq(d.eff.reply[1].payload_len, 1); /* the only keepalive has a probe with it */
	expect_eq(d.eff.reply[1].ack, d.expected);
	expect_eq(d.c.unacked, 0);
}
END_TEST

/* The clock is told to look, and again before it may stop to; but not of each segment. */
START_TEST(test_ack_watch)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	__u64 told_ns = 0, least_ns = (__u64)CONN_WATCH_UNITS << CONN_WATCH_SHIFT;
	struct driver d;
	int told = 0;

	for (int pause_ms = 1; pause_ms < 10000; pause_ms *= 7) {
		drv_goto(&d, AT_ESTABLISHED, &settings);
		told_ns = told = 0;
		for (int i = 0; i < 20000 / pause_ms + 2; i++) {
			drv_wait(&d, pause_ms * MS);
			drv_in_data(&d, 100);
			if (d.eff.notify & NOTIFY_WATCH) {
				told_ns = d.env.now_ns;
				told++;
			}
			if (d.c.unacked) /* else it was acknowledged at once */
				expect(told_ns && d.env.now_ns - told_ns < least_ns);
			if (i & 1)
				drv_out(&d, 100, false);
		}
		ck_assert_int_le(told, 13); /* in 25 s */
	}
}
END_TEST

/* Forged RSTs and SYNs, thousands in a second, whether or not the peer answers the probes. */
START_TEST(test_forged_flood)
{
	uint64_t state = 16;
	int replies = 0;
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	for (int i = 0; i < 10000; i++) {
		drv_wait(&d, MS / 10);
		drv_in_ack(&d, i & 1 ? TCP_RST : TCP_SYN, 1 + (__s32)prng_below(&state, 1U << 30),
			   0, 0);
		replies += drv_reply(&d)->flags != 0;
		if (drv_reply(&d)->flags) {
			drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
			expect_eq(drv_reply(&d)->flags, 0);
		}
		if (i % 500 == 0)
			drv_tick(&d);
		drv_out(&d, 100, false);
		expect_eq(d.eff.verdict, VERDICT_PASS);
	}
	expect_eq(d.c.state, CONN_ESTABLISHED);
	ck_assert_int_le(replies, 12);
}
END_TEST

/* Segments far outside the window: a rate-limited ACK, and no change. */
START_TEST(test_far_flood)
{
	int replies = 0;
	struct driver d;

	drv_goto(&d, AT_ESTABLISHED, NULL);
	for (int i = 0; i < 10000; i++) {
		drv_wait(&d, MS / 10);
		drv_in_ack(&d, TCP_ACK, FAR + 1 + i, 1400, 0);
		expect_eq(d.eff.verdict, VERDICT_DROP);
		expect_eq(d.eff.reason, REASON_DROP_RX_WINDOW);
		replies += drv_reply(&d)->flags != 0;
	}
	ck_assert_int_ge(replies, 1);
	ck_assert_int_le(replies, 20);
	drv_out(&d, 100, false);
	expect_eq(d.eff.verdict, VERDICT_PASS);
	expect_eq(d.eff.ack, d.expected);
}
END_TEST

/* ---- datagrams that wait ---- */

START_TEST(test_held_count)
{
	struct driver d;
	__u32 number = 0, end = 0;

	drv_init(&d, NULL);
	for (int i = 0; i < 200; i++) {
		drv_out(&d, 1400, false);
		if (i >= 128) {
			expect_eq(d.eff.verdict, VERDICT_DROP);
			expect_eq(d.eff.reason, REASON_DROP_HOLD_FULL);
			continue;
		}
		expect_eq(d.eff.verdict, VERDICT_HOLD);
		expect_eq(d.eff.epoch, d.c.epoch);
		if (i == 0) {
			number = d.eff.held_number;
			end = d.eff.held_end;
		}
		expect_eq(d.eff.held_number, number + (__u32)i);
		expect_eq(d.eff.held_end, end + 1400U * (__u32)i);
		expect_eq(d.eff.held_first, i == 0);
	}
	expect_eq(d.c.held, 128);
	expect_eq(d.c.held_space, 128 * 1400);
}
END_TEST

START_TEST(test_held_bytes)
{
	struct driver d;
	int held = 0;

	drv_init(&d, NULL);
	for (int i = 0; i < 100; i++) {
		drv_out(&d, 9000, false);
		held += d.eff.verdict == VERDICT_HOLD;
		expect(d.eff.verdict == VERDICT_HOLD || d.eff.reason == REASON_DROP_HOLD_FULL);
	}
	ck_assert_int_eq(held, 256 * 1024 / 9000);
	drv_out(&d, 256 * 1024 % 9000, false); /* the last that fits, to the byte */
	expect_eq(d.eff.verdict, VERDICT_HOLD);
	drv_out(&d, 1, false);
	expect_eq(d.eff.reason, REASON_DROP_HOLD_FULL);
	drv_out(&d, 0, false);
	expect_eq(d.eff.verdict, VERDICT_HOLD);
}
END_TEST

START_TEST(test_no_room_in_the_daemon)
{
	struct driver d;

	drv_init(&d, NULL);
	d.env.hold_room = false;
	drv_out(&d, 100, false);
	expect_eq(d.eff.reason, REASON_DROP_HOLD_FULL);
	expect_eq(d.c.held, 0);
	expect_eq(drv_reply(&d)->flags, TCP_SYN); /* but the connection begins */
}
END_TEST

/* What the limit lets go fits into the peer's window, with the padding; then more as the window opens. */
START_TEST(test_release_limit)
{
	static const __u8 paddings[] = { 0, 1, 16, PADDING_RANDOM };
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct driver d;

	for (size_t k = 0; k < sizeof(paddings); k++) {
		__u32 behind[128], held = 0, sent = 0;
		__s32 limit;

		settings.padding = paddings[k];
		drv_init(&d, &settings);
		for (; held < 128; held++) {
			drv_out(&d, 1400 + held, false);
			behind[held] = d.eff.held_end;
		}
		drv_establish_initiator(&d, 0xffff, 12);
		expect(d.eff.notify & NOTIFY_RELEASE);
		for (int round = 0; sent < held && round < 3; round++) {
			limit = (__s32)d.eff.release_limit;
			for (; sent < held && limit - (__s32)behind[sent] >= 0; sent++) {
				drv_out(&d, 1400 + sent, true);
				expect_eq(d.eff.verdict, VERDICT_PASS);
				d.own += drv_reply(&d)->payload_len && drv_reply(&d)->seq == d.own;
			}
			if (sent == held)
				break;
			expect(sent > (round ? 0 : 40)); /* most of 65535 bytes */
			drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
			expect(d.eff.notify & NOTIFY_RELEASE);
		}
		expect_eq(sent, held);
	}
}
END_TEST

/* Until the last of those that wait came back, new ones go to the end of the queue. */
START_TEST(test_order_while_draining)
{
	struct driver d;
	__u32 number = 0;

	drv_init(&d, NULL);
	for (int i = 0; i < 3; i++) {
		drv_out(&d, 100, false);
		number = d.eff.held_number;
	}
	drv_establish_initiator(&d, 0xffff, 12);
	for (int i = 0; i < 3; i++) {
		drv_out(&d, 100, true);
		expect_eq(d.eff.verdict, VERDICT_PASS);
		if (i == 2)
			break;
		drv_out(&d, 100, false);
		expect_eq(d.eff.verdict, VERDICT_HOLD);
		expect_eq(d.eff.held_number, ++number);
		expect(!d.eff.held_first);
	}
	expect_eq(d.c.held, 2);
	drv_drain(&d, 100);
	drv_out(&d, 100, false);
	expect_eq(d.eff.verdict, VERDICT_PASS);
}
END_TEST

/* A held datagram that joins later widens what the daemon must be told, or is within what it was told. */
START_TEST(test_joined_datagrams_are_released)
{
	struct driver d;
	__u32 limit = 0;

	drv_init(&d, NULL);
	drv_out(&d, 1000, false);
	drv_establish_initiator(&d, 0xffff, 12);
	limit = d.eff.release_limit;
	for (int i = 0; i < 100; i++) { /* never less than one waits */
		__u32 behind;

		drv_out(&d, 1000, false);
		expect_eq(d.eff.verdict, VERDICT_HOLD);
		behind = d.eff.held_end;
		if (d.eff.notify & NOTIFY_RELEASE)
			limit = d.eff.release_limit;
		drv_out(&d, 1000, true);
		expect_eq(d.eff.verdict, VERDICT_PASS);
		if (d.eff.notify & NOTIFY_RELEASE)
			limit = d.eff.release_limit;
		drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
		if (d.eff.notify & NOTIFY_RELEASE)
			limit = d.eff.release_limit;
		expect((__s32)(limit - behind) >= 0);
	}
}
END_TEST

/*
 * What the daemon was told about an earlier queue does not count for a later one: it keeps the farthest limit of an
 * epoch. The window may have been used since by datagrams that did not wait.
 */
START_TEST(test_old_limit_is_void)
{
	__u32 epoch, limit, behind;
	struct driver d;

	drv_init(&d, NULL);
	drv_out(&d, 100, false);
	drv_establish_initiator(&d, 0xffff, 12);
	epoch = d.eff.epoch;
	limit = d.eff.release_limit;
	drv_out(&d, 100, true);
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	expect_eq(d.c.held, 0);
	/* a liveness check: with its second probe datagrams wait */
	drv_in_ack(&d, TCP_RST, 4711, 0, 0);
	do {
		drv_wait(&d, 50 * MS);
		drv_tick(&d);
		drv_out(&d, 100, false);
	} while (d.eff.verdict == VERDICT_PASS);
	expect_eq(d.eff.verdict, VERDICT_HOLD);
	behind = d.eff.held_end;
	expect(!(d.eff.notify & NOTIFY_RELEASE));
	ck_assert_msg(d.eff.epoch != epoch || (__s32)(limit - behind) < 0,
		      "the daemon may send this one at once: limit %u, end %u", limit, behind);
}
END_TEST

/* The event that lets the datagrams go was lost: nothing may wait for ever. */
START_TEST(test_release_is_repeated)
{
	struct driver d;
	bool again = false;

	drv_init(&d, NULL);
	drv_out(&d, 100, false);
	drv_establish_initiator(&d, 0xffff, 12);
	expect(d.eff.notify & NOTIFY_RELEASE);
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	for (int ms = 0; ms < 5000 && !again; ms += 100) {
		drv_wait(&d, 100 * MS);
		drv_tick(&d);
		again = d.eff.notify & NOTIFY_RELEASE && ms > 0;
		drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	}
	ck_assert_msg(again, "held %u, and the daemon is not told again", d.c.held);
}
END_TEST

/* A flush begins a new epoch; what comes back from the old one is no trouble. */
START_TEST(test_flush)
{
	struct driver d;
	__u32 epoch;

	drv_init(&d, NULL);
	drv_out(&d, 100, false);
	conn_unhold_unsent(&d.c, d.eff.held_number, 100);
	expect_eq(d.c.held, 0);
	conn_unhold(&d.c, &d.env, 1, 100); /* nothing there: nothing happens */
	expect_eq(d.c.held, 0);
	drv_out(&d, 100, false);
	epoch = d.eff.epoch;
	for (int i = 0; i < 4; i++) {
		drv_wait(&d, 2 * SEC);
		drv_tick(&d);
	}
	expect(d.eff.notify & NOTIFY_FLUSH);
	expect(d.eff.epoch != epoch);
	expect_eq(d.eff.epoch, d.c.epoch);
	drv_wait(&d, 10 * SEC);
	drv_out(&d, 100, false);
	expect_eq(d.eff.epoch, d.c.epoch);
	expect(d.eff.held_first);
}
END_TEST

/* Lost on the way to the daemon: the last one was never there, any other leaves a gap in numbers and places. */
START_TEST(test_unsent)
{
	__u32 number, end, limit;
	struct driver d;

	drv_init(&d, NULL);
	drv_out(&d, 100, false);
	number = d.eff.held_number;
	end = d.eff.held_end;
	drv_out(&d, 30000, false);
	conn_unhold_unsent(&d.c, number + 1, 30000);
	expect_eq(d.c.held, 1);
	expect_eq(d.c.held_space, 100);
	drv_out(&d, 30000, false);
	expect_eq(d.eff.held_number, number + 1);
	expect_eq(d.eff.held_end, end + 30000);
	drv_out(&d, 30000, false);
	expect_eq(d.eff.held_number, number + 2);
	drv_out(&d, 30000, false);
	conn_unhold_unsent(&d.c, number + 1, 30000);
	expect_eq(d.c.held, 3);
	drv_establish_initiator(&d, 0xffff, 12);
	limit = d.eff.release_limit;
	expect((__s32)(limit - (end + 60000)) >= 0);
	/* 100 + 30000 + 30000 bytes would fit, but whose gap is whose nobody knows */
	expect((__s32)(limit - (end + 90000)) < 0);
	for (int i = 0; i < 3; i++)
		drv_out(&d, i ? 30000 : 100, true);
	expect_eq(d.c.held, 0);
	expect_eq(d.c.held_space, 0);
}
END_TEST

/* Frames may get lost where nobody tells the core: the connection must not wait for them for ever. */
START_TEST(test_stuck)
{
	struct driver d;
	__u32 epoch;
	int ms;

	drv_init(&d, NULL);
	for (int i = 0; i < 5; i++)
		drv_out(&d, 100, false);
	epoch = d.eff.epoch;
	drv_establish_initiator(&d, 0xffff, 12);
	for (ms = 0; ms < 10000; ms += 100) { /* the peer does not open its window yet */
		drv_wait(&d, 100 * MS);
		drv_tick(&d);
		expect_eq(d.c.held, 5);
	}
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	for (ms = 0; ms < 10000 && d.c.held; ms += 100) {
		drv_wait(&d, 100 * MS);
		drv_tick(&d);
	}
	ck_assert_int_ge(ms, 2000);
	ck_assert_int_le(ms, 5000);
	expect(d.eff.notify & NOTIFY_FLUSH);
	expect_eq(d.eff.flushed, 5);
	expect(d.eff.epoch != epoch);
	drv_out(&d, 100, false);
	expect_eq(d.eff.verdict, VERDICT_PASS);
}
END_TEST

/* They wait for a window, and the peer is gone: of the probes, keepalives and the RST that one tick has to send none takes another's place. */
START_TEST(test_starved_and_silent)
{
	__u32 keepalives = 0, resets = 0;
	struct driver d;

	drv_init(&d, NULL);
	drv_out(&d, 100, false);
	drv_establish_initiator(&d, 50, 0);
	for (int s = 0; s < 300 && !resets; s++) {
		drv_wait(&d, SEC);
		drv_tick(&d);
		for (int i = 0; i < CONN_REPLIES; i++) {
			keepalives += d.eff.reply[i].flags == TCP_ACK && !d.eff.reply[i].payload_len;
			resets += (d.eff.reply[i].flags & TCP_RST) != 0;
		}
	}
	expect_eq(resets, 1);
	expect_eq(keepalives, 3);
	expect_eq(d.c.events.keepalives, 3);
	expect_eq(d.c.state, CONN_SYN_SENT); /* and begins anew */
	expect_eq(d.c.held, 1);
}
END_TEST

/* A superpacket leaves whole where each of its datagrams would leave at once; else nothing happens, and they come one by one. */
START_TEST(test_whole)
{
	const enum driver_state not_yet[] = { AT_IDLE, AT_SYN_SENT, AT_SYN_RECEIVED, AT_SIMULTANEOUS, AT_CLOSED };
	struct conn_settings padded = driver_defaults;
	struct driver d, one_by_one;
	struct conn before;

	for (size_t i = 0; i < sizeof(not_yet) / sizeof(*not_yet); i++) {
		drv_goto(&d, not_yet[i], NULL);
		before = d.c;
		expect(!conn_egress_whole(&d.c, &d.env, 3000, 3, &d.eff));
		expect(!memcmp(&before, &d.c, sizeof(before)));
	}
	drv_goto(&d, AT_ESTABLISHED, NULL);
	d.c.snd_wnd = 3000; /* exactly enough */
	one_by_one = d;
	memset(&d.eff, 0, sizeof(d.eff));
	expect(conn_egress_whole(&d.c, &d.env, 2500, 3, &d.eff));
	expect_eq(d.eff.verdict, VERDICT_PASS);
	expect_eq(d.eff.padding, 0);
	drv_out(&one_by_one, 1000, false);
	expect_eq(d.eff.seq, one_by_one.eff.seq);
	expect_eq(d.eff.ack, one_by_one.eff.ack);
	drv_out(&one_by_one, 1000, false);
	drv_out(&one_by_one, 500, false);
	expect_eq(d.c.snd_nxt, one_by_one.c.snd_nxt);
	expect_eq(d.c.snd_wnd, one_by_one.c.snd_wnd);
	expect_eq(d.c.traffic.tx_packets, one_by_one.c.traffic.tx_packets);
	expect_eq(d.c.traffic.tx_bytes, one_by_one.c.traffic.tx_bytes);
	before = d.c;
	expect(!conn_egress_whole(&d.c, &d.env, 501, 1, &d.eff)); /* the window */
	expect(conn_egress_whole(&one_by_one.c, &d.env, 400, 1, &d.eff));
	d.c.held = 1; /* others wait */
	expect(!conn_egress_whole(&d.c, &d.env, 100, 1, &d.eff));
	d.c.held = 0;
	d.c.check_probes = CONN_CHECK_PROBES_HOLD; /* the peer may be gone */
	expect(!conn_egress_whole(&d.c, &d.env, 100, 1, &d.eff));
	d.c.check_probes = before.check_probes;
	expect(!memcmp(&before, &d.c, sizeof(before)));

	padded.padding = 1;
	drv_goto(&d, AT_ESTABLISHED, &padded);
	expect(!conn_egress_whole(&d.c, &d.env, 100, 1, &d.eff));
}
END_TEST

/* Nothing passes a datagram that is still on its way out, until the queue has moved for long without becoming empty. */
START_TEST(test_place_in_the_queue)
{
	struct driver d;

	drv_init(&d, NULL);
	drv_out(&d, 100, false);
	drv_establish_initiator(&d, 0xffff, 12);
	conn_egress(&d.c, &d.env, 100, true, &d.eff);
	drv_out(&d, 100, false);
	expect_eq(d.eff.verdict, VERDICT_HOLD);
	for (int i = 1; i < 64; i++) { /* as many new ones come as go */
		conn_unhold(&d.c, &d.env, 1, 100);
		drv_out(&d, 100, false);
		expect_eq(d.eff.verdict, VERDICT_HOLD);
	}
	drv_wait(&d, 200 * MS);
	drv_out(&d, 100, false);
	expect_eq(d.eff.verdict, VERDICT_HOLD);
	conn_unhold(&d.c, &d.env, 1, 100);
	drv_out(&d, 100, false);
	expect_eq(d.eff.verdict, VERDICT_PASS);
	expect_eq(d.eff.reason, REASON_TX_DATA);
	conn_unhold(&d.c, &d.env, 1, 100);
	drv_out(&d, 100, false);
	expect_eq(d.eff.verdict, VERDICT_PASS);
	conn_unhold(&d.c, &d.env, 1, 100);
	expect_eq(d.c.held, 0);
}
END_TEST

/* The connection is lost while its datagrams come back: none is lost, none counted twice. */
START_TEST(test_lost_while_draining)
{
	struct driver d;

	drv_init(&d, NULL);
	for (int i = 0; i < 10; i++)
		drv_out(&d, 100, false);
	drv_establish_initiator(&d, 0xffff, 12);
	drv_out(&d, 100, true);
	drv_in_ack(&d, TCP_RST, 0, 0, 0);
	expect_eq(d.c.state, CONN_SYN_SENT); /* with datagrams that wait it begins anew by itself */
	expect_eq(drv_reply(&d)->flags, TCP_SYN);
	expect(d.eff.notify & NOTIFY_LOST);
	expect_eq(d.c.held, 9);
	for (int i = 0; i < 4; i++) { /* these were on their way */
		drv_out(&d, 100, true);
		expect_eq(d.eff.verdict, VERDICT_WAIT);
	}
	expect_eq(d.c.held, 9);
	expect_eq(d.c.held_space, 900);
	drv_establish_initiator(&d, 0xffff, 12);
	drv_drain(&d, 100);
	expect_eq(d.c.held_space, 0);
}
END_TEST

/* ---- anything at any time ---- */

struct watch {
	__u32 ack; /* the highest announced on this connection, if known */
	bool ack_known;
};

static void watch_ack(struct watch *watch, __u32 ack)
{
	expect(!watch->ack_known || (__s32)(ack - watch->ack) >= 0); /* it never goes back */
	watch->ack = ack;
	watch->ack_known = true;
}

/* `before`: the connection before the step that had d->eff. */
static void check_invariants(const struct driver *d, const struct conn *before, struct watch *watch)
{
	const struct effect *eff = &d->eff;

	if (before->state == CONN_IDLE || before->state == CONN_SYN_SENT ||
	    before->state == CONN_CLOSED || d->c.state == CONN_SYN_RECEIVED ||
	    eff->notify & (NOTIFY_LOST | NOTIFY_ESTABLISHED))
		watch->ack_known = false;
	for (int i = 0; i < CONN_REPLIES; i++) {
		const struct reply *reply = &eff->reply[i];

		if (reply->flags & TCP_ACK)
			watch_ack(watch, reply->ack);
		expect(reply->payload_len <= (reply->flags == TCP_ACK));
		expect(!(reply->flags & TCP_SYN) || reply->window == 0xffff);
	}
	if (eff->verdict == VERDICT_PASS &&
	    (eff->reason == REASON_TX_DATA || eff->reason == REASON_TX_RELEASED))
		watch_ack(watch, eff->ack);
	expect(eff->verdict != VERDICT_PASS || !eff->reason || d->c.state == CONN_ESTABLISHED);
	expect(eff->verdict != VERDICT_DROP || eff->reason);
	expect(before->state != CONN_CLOSED || d->c.state == CONN_CLOSED);
	expect(!eff->remove || d->c.state == CONN_CLOSED);
	expect(d->c.held <= CONN_HELD_MAX && d->c.held_space <= CONN_HELD_SPACE_MAX);
	expect(d->c.held || !d->c.held_space);
	expect(!(eff->notify & NOTIFY_FLUSH) || d->c.epoch != before->epoch);
	expect(d->c.held || !before->held || before->held == 1 || eff->notify & NOTIFY_FLUSH);
	expect(d->c.rcv_wnd <= conn_window_full(&d->c));
	expect(d->c.snd_wnd <= 0xffffU << 14);
	expect(!(eff->notify & NOTIFY_RELEASE) || d->c.held);
	/* who waits has somebody who works for him */
	expect(d->c.state != CONN_IDLE || !d->c.held);
}

static void random_segment(struct driver *d, uint64_t *state)
{
	static const __s32 offsets[] = { 0,    0,	0,	0,   -1,   1,	   -1400,
					 1400, -100000, 100000, FAR, -FAR, FAR + 1 };
	static const __u8 flags[] = { TCP_ACK,		 TCP_ACK,	    TCP_ACK,
				      TCP_ACK,		 TCP_ACK,	    TCP_ACK | TCP_PSH,
				      TCP_SYN,		 TCP_SYN | TCP_ACK, TCP_RST,
				      TCP_RST | TCP_ACK, TCP_FIN | TCP_ACK, 0 };
	static const __u16 lens[] = { 0, 0, 1, 2, 10, 1400, 60000 };
	struct segment seg = {
		.seq = d->c.rcv_nxt +
		       (__u32)offsets[prng_below(state, sizeof(offsets) / sizeof(*offsets))],
		.ack = d->c.snd_nxt - (prng_below(state, 4) ? 0 : prng_below(state, 3000)),
		.window = prng_below(state, 4) ? WINDOW_FIELD : (__u16)prng_next(state),
		.flags = flags[prng_below(state, sizeof(flags))],
		.payload_len = lens[prng_below(state, sizeof(lens) / sizeof(*lens))],
		.options_ok = prng_below(state, 20),
		.options = { .mss = 1460, .wscale = (__u8)prng_below(state, 15) },
	};

	if (prng_below(state, 50) == 0)
		seg.seq = (__u32)prng_next(state);
	if (seg.flags & TCP_RST && prng_below(state, 4))
		seg.seq += 7;
	drv_in(d, &seg);
}

static void random_step(struct driver *d, uint64_t *state)
{
	static const __u64 pause[] = { 0, 0, 0, MS, 10 * MS, 100 * MS, SEC, 10 * SEC };
	struct conn copy;

	drv_wait(d, pause[prng_below(state, sizeof(pause) / sizeof(*pause))]);
	memset(&d->eff, 0, sizeof(d->eff));
	switch (prng_below(state, 8)) {
	case 0:
	case 1:
	case 2:
		random_segment(d, state);
		break;
	case 3:
	case 4:
		d->env.hold_room = prng_below(state, 20);
		d->env.crowded = prng_below(state, 2);
		drv_out(d, prng_below(state, 3) ? 1400 : prng_below(state, 60000), false);
		break;
	case 5:
		if (d->c.held) /* all are of this size for conn_unhold()'s sake, or smaller */
			drv_out(d, d->c.held_space / d->c.held, true);
		break;
	case 6:
		copy = d->c;
		if (conn_tick_is_due(&d->c, d->env.now_ns)) {
			conn_tick(&d->c, &d->env, &d->eff);
			break;
		}
		conn_tick(&d->c, &d->env, &d->eff); /* for nothing */
		expect(!memcmp(&copy, &d->c, sizeof(copy)));
		expect(!d->eff.notify && !d->eff.reply[0].flags && !d->eff.remove);
		break;
	default:
		if (d->c.held && prng_below(state, 4) == 0)
			conn_unhold(&d->c, &d->env, 1, d->c.held_space / d->c.held);
		else if (d->c.held && prng_below(state, 4) == 0)
			conn_unhold_unsent(&d->c,
					   d->c.held_number - 1 - prng_below(state, d->c.held),
					   d->c.held_space / d->c.held);
	}
}

START_TEST(test_random_walk)
{
	uint64_t seed = env_number("TEST_SEED", 17), rounds = env_number("TEST_ROUNDS", 3000);

	for (uint64_t round = 0; round < rounds; round++) {
		struct conn_settings settings = CONN_SETTINGS_DEFAULT;
		struct watch watch = { 0 };
		uint64_t state = seed + round;
		struct driver d;

		settings.handshake_interval_s = (__u16)prng_below(&state, 3);
		settings.padding = prng_below(&state, 2) ? PADDING_RANDOM :
							   (__u8)prng_below(&state, 17);
		settings.max_window = prng_below(&state, 4) == 0;
		drv_goto(&d,
			 (enum driver_state)prng_below(
				 &state, settings.handshake_interval_s ? AT_COUNT : 1),
			 &settings);
		for (int i = 0; i < 200; i++) {
			struct conn before = d.c;

			random_step(&d, &state);
			check_invariants(&d, &before, &watch);
		}
	}
}
END_TEST

static void add_table_tests(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_table, 0, sizeof(table) / sizeof(*table));
	tcase_add_test(tcase, test_unknown);
}

static void add_handshake_tests(TCase *tcase)
{
	tcase_add_test(tcase, test_initiator);
	tcase_add_test(tcase, test_responder);
	tcase_add_test(tcase, test_syn_retries);
	tcase_add_test(tcase, test_pace);
	tcase_add_test(tcase, test_pace_with_datagrams);
	tcase_add_test(tcase, test_isn);
	tcase_add_test(tcase, test_guard_silent);
	tcase_add_test(tcase, test_many_syn_retries);
	tcase_add_test(tcase, test_cooldown);
	tcase_add_test(tcase, test_syns_in_cooldown);
	tcase_add_test(tcase, test_cooldown_ends);
	tcase_add_test(tcase, test_cooldown_far);
	tcase_add_test(tcase, test_idle_is_silent);
	tcase_add_test(tcase, test_end_is_quiet);
	tcase_add_test(tcase, test_syn_in_cooldown);
	tcase_add_test(tcase, test_passive);
	tcase_add_test(tcase, test_half_open);
	tcase_add_test(tcase, test_half_open_leaves_nothing);
	tcase_add_test(tcase, test_repeated_syn);
	tcase_add_test(tcase, test_repeated_syn_ack);
	tcase_add_test(tcase, test_simultaneous_open);
	tcase_add_test(tcase, test_simultaneous_far);
	tcase_add_test(tcase, test_simultaneous_syn_ack);
	tcase_add_test(tcase, test_simultaneous_again);
	tcase_add_test(tcase, test_simultaneous_retry);
	tcase_add_test(tcase, test_restart);
	tcase_add_test(tcase, test_lost_connection_retries_at_once);
	tcase_add_test(tcase, test_shutdown);
}

static void add_keepalive_tests(TCase *tcase)
{
	tcase_add_test(tcase, test_keepalive_unanswered);
	tcase_add_test(tcase, test_keepalive_while_sending);
	tcase_add_test(tcase, test_keepalive_answered);
	tcase_add_test(tcase, test_keepalive_after_loss);
	tcase_add_test(tcase, test_keepalive_count_restarts);
	tcase_add_test(tcase, test_keepalive_settings);
	tcase_add_test(tcase, test_stale);
}

static void add_windows_tests(TCase *tcase)
{
	tcase_add_test(tcase, test_window_update);
	tcase_add_test(tcase, test_announced_window);
	tcase_add_test(tcase, test_gap);
	tcase_add_test(tcase, test_rtt_of_late_ack);
	tcase_add_test(tcase, test_mute_keepalive);
	tcase_add_test(tcase, test_late_data_and_window);
	tcase_add_test(tcase, test_max_window);
	tcase_add_test(tcase, test_first_data_probes);
	tcase_add_test(tcase, test_probe_rate);
	tcase_add_test(tcase, test_probe_rate_and_late_data);
	tcase_add_test(tcase, test_window_runs_out);
	tcase_add_test(tcase, test_old_window);
	tcase_add_test(tcase, test_old_ack);
	tcase_add_test(tcase, test_no_window_scale);
	tcase_add_test(tcase, test_window_counts_from_the_ack);
	tcase_add_test(tcase, test_window_of_a_gigabyte);
	tcase_add_test(tcase, test_padding);
	tcase_add_test(tcase, test_padding_received);
}

static void add_resets_tests(TCase *tcase)
{
	tcase_add_test(tcase, test_liveness_of_the_busy);
	tcase_add_test(tcase, test_liveness_passive);
	tcase_add_test(tcase, test_liveness_active);
	tcase_add_test(tcase, test_liveness_active_nothing_to_send);
	tcase_add_test(tcase, test_liveness_and_data);
	tcase_add_loop_test(tcase, test_silence, 0, 2);
	tcase_add_test(tcase, test_silence_does_not_matter);
	tcase_add_test(tcase, test_liveness_slow_link);
	tcase_add_test(tcase, test_forged_syn_in_syn_sent);
	tcase_add_test(tcase, test_forged_syns_at_idle);
	tcase_add_test(tcase, test_one_forged_syn);
	tcase_add_test(tcase, test_contested_round_trip);
	tcase_add_test(tcase, test_forged_handshake_flood);
	tcase_add_test(tcase, test_forged_acks_and_repeated_syn);
	tcase_add_loop_test(tcase, test_forged_syn_in_syn_received, 0, 8);
	tcase_add_loop_test(tcase, test_forged_end_of_simultaneous, 0, 2);
	tcase_add_test(tcase, test_forged_jump);
	tcase_add_test(tcase, test_time_goes_back);
	tcase_add_test(tcase, test_damaged);
	tcase_add_test(tcase, test_forged_ack);
	tcase_add_test(tcase, test_forged_million);
	tcase_add_test(tcase, test_ack_rhythm);
	tcase_add_test(tcase, test_ack_by_the_clock);
	tcase_add_test(tcase, test_ack_of_a_gap);
	tcase_add_test(tcase, test_ack_or_keepalive);
	tcase_add_test(tcase, test_ack_watch);
	tcase_add_test(tcase, test_forged_flood);
	tcase_add_test(tcase, test_far_flood);
}

static void add_waiting_tests(TCase *tcase)
{
	tcase_add_test(tcase, test_held_count);
	tcase_add_test(tcase, test_held_bytes);
	tcase_add_test(tcase, test_no_room_in_the_daemon);
	tcase_add_test(tcase, test_release_limit);
	tcase_add_test(tcase, test_order_while_draining);
	tcase_add_test(tcase, test_joined_datagrams_are_released);
	tcase_add_test(tcase, test_old_limit_is_void);
	tcase_add_test(tcase, test_release_is_repeated);
	tcase_add_test(tcase, test_flush);
	tcase_add_test(tcase, test_unsent);
	tcase_add_test(tcase, test_stuck);
	tcase_add_test(tcase, test_starved_and_silent);
	tcase_add_test(tcase, test_place_in_the_queue);
	tcase_add_test(tcase, test_whole);
	tcase_add_test(tcase, test_lost_while_draining);
}

static void add_anything_tests(TCase *tcase)
{
	tcase_add_test(tcase, test_random_walk);
}

static void add(Suite *suite, const char *name, void (*add_tests)(TCase *tcase))
{
	TCase *tcase = tcase_create(name);

	add_tests(tcase);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	Suite *suite = suite_create("conn");
	SRunner *runner = srunner_create(suite);
	int failed;

	add(suite, "state x segment", add_table_tests);
	add(suite, "handshake", add_handshake_tests);
	add(suite, "keepalive", add_keepalive_tests);
	add(suite, "windows", add_windows_tests);
	add(suite, "resets", add_resets_tests);
	add(suite, "waiting", add_waiting_tests);
	add(suite, "anything", add_anything_tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
