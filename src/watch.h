/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the log says of packets that cannot be carried, where a user can do something about it: a line for each cause when its
 * counter has grown, and for the same cause no other in the next WATCH_SILENCE_S. Pure.
 */
#ifndef MIMIC_WATCH_H
#define MIMIC_WATCH_H

#include <stddef.h>
#include <stdint.h>

#include "core/reason.h"

enum {
	WATCH_SILENCE_S = 60,
	WATCH_CAUSES = 17, /* in the table of watch.c */
};

struct watch {
	struct {
		uint64_t count;	   /* of the counter, when it was looked at last in order to say something */
		uint64_t until_ns; /* silent until then; 0: nothing was said yet */
	} cause[WATCH_CAUSES];
};

/* A line: so many more packets for this reason, and what to do. */
typedef void (*watch_say)(void *context, enum reason reason, uint64_t packets, const char *remedy);

/* Returns the state of a counter. */
typedef uint64_t (*watch_read)(void *context, enum reason reason);

/* What the counters have now is not told: an instance before has counted it, or nobody was there to do better. */
void watch_begin(struct watch *watch, watch_read read, void *context);

/* Looks at the counters. @now_ns is of any clock that does not run back. */
void watch_tick(struct watch *watch, uint64_t now_ns, watch_read read, watch_say say, void *context);

#endif
