/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The clock of the connections. State changes happen in BPF; this says when. All connections are looked at once a
 * second, in a copy; those that just shake hands, are being probed, or get data, are watched and ticked every CLOCK_FAST_NS.
 */
#ifndef MIMIC_CLOCK_H
#define MIMIC_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

struct datapath;

#define CLOCK_FAST_NS	50000000ULL   /* between ticks of watched connections */
#define CLOCK_SLOW_NS	1000000000ULL /* between walks over all of them */
#define CLOCK_WATCH_NS	3000000000ULL /* a connection is watched for so long after its last event */

#define CLOCK_NOT_WALKED (-4096L) /* no errno */

struct clock_watch; /* one watched connection */
struct clock_batch; /* a copy of some of them */

struct clock {
	struct datapath *datapath;
	void (*drain)(void *context);
	void *context;
	void *watched; /* tree by key */
	size_t watch_count;
	uint64_t slow_ns; /* time of the last walk over all */
	bool refit_again; /* at the next walk */
	/* Is shown every connection by each walk of clock_tick(). NULL: nobody asks. */
	void (*show)(void *context, const struct conn_key *key);
	void *show_context;
	struct clock_batch *batch; /* made at the start: when memory is short the clock goes on */
	/* entries for one run of the command program */
	struct mimic_command_entry entries[MIMIC_COMMANDS_MAX];
	uint32_t entry_count;
};

/*
 * @drain is called after each run of the command program: its events are to be taken before the ring is full. Returns 0
 * or -ENOMEM; clock_free() is allowed in any case.
 */
int clock_init(struct clock *clock, struct datapath *datapath, void (*drain)(void *context), void *context);

/* Something happened to the connection @key that may want another tick soon. */
void clock_watch(struct clock *clock, const struct conn_key *key, uint64_t now_ns);

/* The time that BPF uses: CLOCK_MONOTONIC, coarse, as it is outside of all time namespaces. */
uint64_t clock_now_ns(void);

/*
 * Ticks what is due. Returns the number of connections in the map when it walked over all of them (a negative errno if that
 * failed, which is logged), else CLOCK_NOT_WALKED.
 */
long clock_tick(struct clock *clock, uint64_t now_ns);

/*
 * Every connection goes by the filters that are set now (COMMAND_REFIT): at once, and again at the next walk, since a packet that was
 * under way may have begun one by filters that were just removed.
 */
void clock_refit(struct clock *clock);

/* Closes every connection towards its peer (COMMAND_SHUTDOWN) and removes it. */
void clock_shutdown(struct clock *clock);

void clock_free(struct clock *clock);

#endif
