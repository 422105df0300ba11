// SPDX-License-Identifier: GPL-2.0-only
/* Filters that change while a connection lives: what it takes over, what ends it, and that nothing happens without a difference. */
#include <check.h>

#include "conn_driver.h"

static struct driver d;

static void refit(bool named, const struct conn_settings *settings)
{
	memset(&d.eff, 0, sizeof(d.eff));
	conn_refit(&d.c, &d.env, named, settings, &d.eff);
}

static void expect_nothing_sent(void)
{
	expect_eq(d.eff.reply[0].flags, 0);
	expect_eq(d.eff.notify, 0);
	expect_eq(d.eff.remove, 0);
	expect_eq(d.eff.reason, 0);
}

/* With a RST if there is anybody to tell. */
static void expect_closed(enum driver_state state, __u32 snd_nxt, __u32 held)
{
	bool talks = state == AT_SYN_RECEIVED || state == AT_SIMULTANEOUS || state == AT_ESTABLISHED;

	expect_eq(d.eff.reply[0].flags, state == AT_ESTABLISHED ? TCP_RST | TCP_ACK : talks ? TCP_RST : 0);
	if (talks)
		expect_eq(d.eff.reply[0].seq, snd_nxt);
	expect_eq(d.eff.reply[1].flags, 0);
	expect_eq(d.eff.remove, 1);
	expect_eq(d.c.state, CONN_CLOSED);
	expect_eq(d.eff.flushed, held);
	expect_eq(d.eff.notify, (state == AT_ESTABLISHED ? NOTIFY_CLOSED : 0) | (held ? NOTIFY_FLUSH : 0));
	expect_eq(d.eff.epoch, d.c.epoch);
	expect_eq(d.eff.half_open, state == AT_SYN_RECEIVED ? -1 : 0);
}

START_TEST(test_no_difference)
{
	for (enum driver_state state = AT_IDLE; state < AT_COUNT; state++) {
		struct conn before;

		drv_goto(&d, state, NULL);
		before = d.c;
		refit(true, &driver_defaults);
		expect(!memcmp(&before, &d.c, sizeof(before)));
		expect_nothing_sent();
	}
}
END_TEST

START_TEST(test_no_filter)
{
	for (enum driver_state state = AT_IDLE; state < AT_COUNT; state++) {
		__u32 snd_nxt, held;

		drv_goto(&d, state, NULL);
		snd_nxt = d.c.snd_nxt;
		held = d.c.held;
		expect_eq(held, state == AT_SYN_SENT || state == AT_SIMULTANEOUS);
		refit(false, NULL);
		expect_closed(state, snd_nxt, held);
	}
}
END_TEST

/* Padding and the window's scale are on the wire. */
START_TEST(test_wire)
{
	for (int field = 0; field < 2; field++) {
		for (enum driver_state state = AT_IDLE; state < AT_COUNT; state++) {
			struct conn_settings other = driver_defaults;
			__u32 snd_nxt, held;

			if (field)
				other.max_window = 1;
			else
				other.padding = PADDING_RANDOM;
			drv_goto(&d, state, NULL);
			snd_nxt = d.c.snd_nxt;
			held = d.c.held;
			refit(true, &other);
			if (state == AT_IDLE) { /* a cooldown stays */
				expect_nothing_sent();
				expect(!memcmp(&d.c.settings, &other, sizeof(other)));
			} else {
				expect_closed(state, snd_nxt, held);
			}
		}
	}
}
END_TEST

START_TEST(test_taken_over)
{
	struct conn_settings other = {
		.handshake_interval_s = 1, .handshake_retry = 9, .keepalive_time_s = 20, .keepalive_interval_s = 2,
		.keepalive_retry = 7, .keepalive_stale_s = 0, .pace = PACE_LINUX, .guard = GUARD_SILENT, .ack_interval_ms = 11,
	};

	for (enum driver_state state = AT_IDLE; state < AT_CLOSED; state++) {
		struct conn expected;

		drv_goto(&d, state, NULL);
		expected = d.c;
		expected.settings = other;
		refit(true, &other);
		expect_nothing_sent();
		if (state == AT_SYN_SENT) /* waits no longer than the new interval says */
			expected.timer_ns = d.env.now_ns + 1 * SEC;
		expect(!memcmp(&expected, &d.c, sizeof(expected)));
	}
}
END_TEST

/* A timer of hours does not outlive its setting. */
START_TEST(test_timers)
{
	struct conn_settings slow = driver_defaults, fast = driver_defaults;

	slow.keepalive_interval_s = slow.handshake_interval_s = 60000;
	drv_goto(&d, AT_SYN_SENT, &slow);
	drv_wait(&d, 100 * SEC);
	refit(true, &fast);
	drv_wait(&d, 2 * SEC);
	drv_tick(&d);
	expect_eq(drv_reply(&d)->flags, TCP_SYN);

	drv_goto(&d, AT_ESTABLISHED, &slow);
	drv_wait(&d, 180 * SEC);
	drv_tick(&d);
	expect_eq(drv_reply(&d)->flags, TCP_ACK);
	drv_wait(&d, 20 * SEC);
	drv_tick(&d);
	expect_eq(drv_reply(&d)->flags, 0);
	refit(true, &fast);
	drv_wait(&d, 10 * SEC);
	drv_tick(&d);
	expect_eq(drv_reply(&d)->flags, TCP_ACK);

	/* A longer one waits on for what it began with. */
	drv_goto(&d, AT_SYN_SENT, &fast);
	refit(true, &slow);
	drv_wait(&d, 2 * SEC);
	drv_tick(&d);
	expect_eq(drv_reply(&d)->flags, TCP_SYN);
}
END_TEST

/* Passive from now on: what it began it gives up, what is established stays. */
START_TEST(test_passive)
{
	struct conn_settings passive = driver_defaults;

	passive.handshake_interval_s = 0;
	drv_goto(&d, AT_SYN_SENT, NULL);
	refit(true, &passive);
	expect_eq(d.c.state, CONN_IDLE);
	expect_eq(drv_reply(&d)->flags, 0);
	expect_eq(d.eff.flushed, 1);
	expect_eq(d.eff.remove, 0);
	drv_out(&d, 100, false);
	expect_eq(d.eff.reason, REASON_DROP_PASSIVE);

	/* The peer's SYN came to meet it. */
	drv_goto(&d, AT_SIMULTANEOUS, NULL);
	refit(true, &passive);
	expect_eq(d.c.state, CONN_IDLE);
	expect_eq(drv_reply(&d)->flags, TCP_RST);
	expect_eq(d.eff.half_open, 0);

	drv_goto(&d, AT_ESTABLISHED, NULL);
	refit(true, &passive);
	expect_nothing_sent();
	drv_out(&d, 100, false);
	expect_eq(d.eff.verdict, VERDICT_PASS);
}
END_TEST

/* A liveness check that runs goes on as it was. */
START_TEST(test_during_a_check)
{
	struct conn_settings other = driver_defaults;
	struct conn expected;

	other.keepalive_interval_s = 0;
	drv_goto(&d, AT_ESTABLISHED, NULL);
	drv_in_ack(&d, TCP_RST, 1000, 0, 0);
	expect(d.c.check_probes);
	expected = d.c;
	expected.settings = other;
	refit(true, &other);
	expect_nothing_sent();
	expect(!memcmp(&expected, &d.c, sizeof(expected)));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conn_refit");
	TCase *tcase = tcase_create("conn_refit");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_no_difference);
	tcase_add_test(tcase, test_no_filter);
	tcase_add_test(tcase, test_wire);
	tcase_add_test(tcase, test_taken_over);
	tcase_add_test(tcase, test_timers);
	tcase_add_test(tcase, test_passive);
	tcase_add_test(tcase, test_during_a_check);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
