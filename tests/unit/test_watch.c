// SPDX-License-Identifier: GPL-2.0-only
/* When the log speaks of dropped packets, and of which */
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "watch.h"

#define SECOND 1000000000ULL

static uint64_t counters[REASON_COUNT];
static struct {
	enum reason reason;
	uint64_t packets;
} said[WATCH_CAUSES];
static unsigned int lines;

static uint64_t read_counter(void *context, enum reason reason)
{
	ck_assert_ptr_eq(context, counters);
	return counters[reason];
}

static void say(void *context, enum reason reason, uint64_t packets, const char *remedy)
{
	ck_assert_ptr_eq(context, counters);
	ck_assert_uint_gt(strlen(remedy), 10);
	ck_assert_uint_lt(lines, WATCH_CAUSES);
	said[lines].reason = reason;
	said[lines++].packets = packets;
}

static unsigned int tick(struct watch *watch, uint64_t now_ns)
{
	lines = 0;
	watch_tick(watch, now_ns, read_counter, say, counters);
	return lines;
}

START_TEST(test_says_once_in_a_while)
{
	struct watch watch = { 0 };
	uint64_t now = 5 * SECOND;

	memset(counters, 0, sizeof(counters));
	expect_eq(tick(&watch, now), 0);
	counters[REASON_DROP_RX_MERGED] = 7;
	expect_eq(tick(&watch, now += SECOND), 1);
	expect_eq(said[0].reason, REASON_DROP_RX_MERGED);
	expect_eq(said[0].packets, 7);
	expect_eq(tick(&watch, now += SECOND), 0);
	counters[REASON_DROP_RX_MERGED] = 10;
	expect_eq(tick(&watch, now += SECOND), 0); /* not yet */
	expect_eq(tick(&watch, now += (WATCH_SILENCE_S - 2) * SECOND), 1);
	expect_eq(said[0].packets, 3);
	expect_eq(tick(&watch, now += WATCH_SILENCE_S * SECOND), 0); /* no news */
}
END_TEST

START_TEST(test_each_cause_for_itself)
{
	struct watch watch = { 0 };
	uint64_t now = SECOND;

	memset(counters, 0, sizeof(counters));
	counters[REASON_DROP_FRAGMENT] = 1;
	expect_eq(tick(&watch, now), 1);
	counters[REASON_DROP_STAGING] = 2;
	counters[REASON_DROP_FRAGMENT] = 9;
	expect_eq(tick(&watch, now += SECOND), 1);
	expect_eq(said[0].reason, REASON_DROP_STAGING);
	/* What a user cannot do anything about is left to `mimic show`. */
	for (int i = 0; i < REASON_COUNT; i++)
		counters[i] += 100;
	expect_eq(tick(&watch, now += WATCH_SILENCE_S * SECOND), WATCH_CAUSES);
}
END_TEST

/* What a wrong configuration of both ends leads to is said. */
START_TEST(test_ends_that_do_not_fit)
{
	static const enum reason reasons[] = {
		REASON_DROP_PASSIVE, REASON_RX_REFUSED, REASON_DROP_RX_UDP, REASON_DROP_RX_PADDING, REASON_DROP_WINDOW, REASON_DROP_HOLD_FULL,
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		struct watch watch = { 0 };

		memset(counters, 0, sizeof(counters));
		counters[reasons[i]] = 1;
		expect_eq(tick(&watch, SECOND), 1);
		expect_eq(said[0].reason, reasons[i]);
	}
}
END_TEST

/* A successor has the counters of the instance before. */
START_TEST(test_inherited)
{
	struct watch watch;
	uint64_t now = SECOND;

	memset(&watch, 0xff, sizeof(watch));
	memset(counters, 0, sizeof(counters));
	counters[REASON_DROP_FRAGMENT] = 1000;
	watch_begin(&watch, read_counter, counters);
	expect_eq(tick(&watch, now), 0);
	counters[REASON_DROP_FRAGMENT] = 1003;
	expect_eq(tick(&watch, now += SECOND), 1);
	expect_eq(said[0].packets, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watch");
	TCase *tcase = tcase_create("watch");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_says_once_in_a_while);
	tcase_add_test(tcase, test_each_cause_for_itself);
	tcase_add_test(tcase, test_ends_that_do_not_fit);
	tcase_add_test(tcase, test_inherited);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
