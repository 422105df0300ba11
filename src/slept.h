/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether the machine has slept. Of two clocks, which are not read at one moment, one stands still meanwhile. */
#ifndef MIMIC_SLEPT_H
#define MIMIC_SLEPT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define SLEPT_MIN_NS 100000000ULL /* less is no sleep */

static inline uint64_t slept_read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

/* How long in its life, in all. */
static inline uint64_t slept_ns(void)
{
	uint64_t awake_ns = slept_read_clock(CLOCK_MONOTONIC);

	return slept_read_clock(CLOCK_BOOTTIME) - awake_ns;
}

/* Whether it has since *@before_ns, a slept_ns(), which becomes that of now if so. */
static inline bool slept_anew(uint64_t *before_ns)
{
	uint64_t ns = slept_ns();

	if (ns < *before_ns + SLEPT_MIN_NS)
		return false;
	*before_ns = ns;
	return true;
}

#endif
