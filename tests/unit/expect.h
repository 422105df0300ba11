/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ck_assert() for inner loops: libcheck's own tells the parent process about each success, which takes most of the
 * time of a test that makes a million of them.
 */
#ifndef MIMIC_TEST_EXPECT_H
#define MIMIC_TEST_EXPECT_H

#include <check.h>

#define expect(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			ck_abort_msg("expected: %s", #condition);                                  \
	} while (0)

/* Two unsigned numbers. */
#define expect_eq(a, b)                                                                            \
	do {                                                                                       \
		unsigned long long a_ = (a), b_ = (b);                                             \
		if (a_ != b_)                                                                      \
			ck_abort_msg("%s == %#llx, expected %s == %#llx", #a, a_, #b, b_);         \
	} while (0)

#endif
