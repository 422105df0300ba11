/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tools have in common: how they end, read numbers, addresses and the clock, and make random numbers. A header alone, as addr.h
 * is and for its reason.
 */
#ifndef MIMIC_TOOLS_TOOL_H
#define MIMIC_TOOLS_TOOL_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "addr.h"

/* The signal, SIGTERM or SIGINT, that came after stop_on_signals(); else 0. */
static volatile sig_atomic_t stop;

static inline void on_stop_signal(int sig)
{
	stop = sig;
}

/* Without SA_RESTART: what waits returns with EINTR. */
static inline void stop_on_signals(void)
{
	struct sigaction sa = { .sa_handler = on_stop_signal };

	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
}

/* Exits with 2, the status of wrong usage and of system errors. */
static inline void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* splitmix64 (Steele and others 2014) */
static inline uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* Reads a number from 0 to @max, decimal or 0x..., into the text behind it, *@end; with @end NULL nothing may follow. */
static inline uint64_t number_before(const char *s, uint64_t max, char **end)
{
	unsigned long long v;
	char *at;

	errno = 0;
	v = strtoull(s, &at, 0);
	if (errno || at == s || *s == '-' || (!end && *at) || v > max)
		die("%s: want a number up to %llu", s, (unsigned long long)max);
	if (end)
		*end = at;
	return v;
}

static inline uint64_t number(const char *s, uint64_t max)
{
	return number_before(s, max, NULL);
}

static inline void parse_addr(const char *s, union addr *a)
{
	const char *problem = addr_parse(a, s);

	if (problem)
		die("%s: %s", s, problem);
}

#endif
