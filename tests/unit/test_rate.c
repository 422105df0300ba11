// SPDX-License-Identifier: GPL-2.0-only
/* The limit of a rate: a burst, what is sustained, and how it recovers. */
#include <check.h>
#include <stdlib.h>

#include "core/rate.h"
#include "expect.h"

enum { INTERVAL_NS = 1000, BURST = 10 };

static bool take(__u64 *paid_ns, __u64 now_ns, __u64 interval_ns, __u32 burst)
{
	if (!rate_may(paid_ns, now_ns, interval_ns, burst))
		return false;
	rate_pay(paid_ns, now_ns, interval_ns);
	return true;
}

static __u32 take_all(__u64 *paid_ns, __u64 now_ns)
{
	__u32 taken = 0;

	while (taken < 1000 && take(paid_ns, now_ns, INTERVAL_NS, BURST))
		taken++;
	return taken;
}

START_TEST(test_burst)
{
	__u64 paid_ns = 0, now_ns = 5000000;

	expect_eq(take_all(&paid_ns, now_ns), BURST);
	expect_eq(take_all(&paid_ns, now_ns + INTERVAL_NS - 1), 0);
	expect_eq(take_all(&paid_ns, now_ns + INTERVAL_NS), 1);
	expect_eq(take_all(&paid_ns, now_ns + 4 * INTERVAL_NS), 3);
	expect_eq(take_all(&paid_ns, now_ns + 1000 * INTERVAL_NS), BURST);
}
END_TEST

/* A clock that advances in steps longer than the interval, as the coarse one of the kernel, costs nothing. */
START_TEST(test_coarse_clock)
{
	__u64 paid_ns = 0, now_ns = 1;
	__u32 taken = 0;

	for (__u32 i = 0; i < 100; i++) {
		taken += take_all(&paid_ns, now_ns);
		now_ns += 4 * INTERVAL_NS;
	}
	expect_eq(taken, BURST + 99 * 4);
}
END_TEST

START_TEST(test_one_at_a_time)
{
	__u64 paid_ns = 0;

	expect(take(&paid_ns, 7, INTERVAL_NS, 1));
	expect(!take(&paid_ns, 7 + INTERVAL_NS - 1, INTERVAL_NS, 1));
	expect(take(&paid_ns, 7 + INTERVAL_NS, INTERVAL_NS, 1));
}
END_TEST

/* Another CPU has read its clock a little earlier. */
START_TEST(test_clock_of_another_cpu)
{
	__u64 paid_ns = 0, now_ns = 5000000;

	expect(take(&paid_ns, now_ns, INTERVAL_NS, 2));
	expect(take(&paid_ns, now_ns - 1, INTERVAL_NS, 3));
	expect(!take(&paid_ns, now_ns - 1, INTERVAL_NS, 2));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rate");
	TCase *tcase = tcase_create("rate");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_burst);
	tcase_add_test(tcase, test_coarse_clock);
	tcase_add_test(tcase, test_one_at_a_time);
	tcase_add_test(tcase, test_clock_of_another_cpu);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
