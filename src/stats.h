/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The figures of an instance, put together from copies of its maps: each connection, and each filter with the sum over its
 * connections, those that live and those that ended. Pure; stats_read.h makes the copies.
 */
#ifndef MIMIC_STATS_H
#define MIMIC_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter.h"
#include "instance.h"
#include "runfile.h"

enum {
	STATS_STATES = CONN_ESTABLISHED + 1, /* idle, syn_sent, syn_received, established */
	STATS_FILTER_MAX = FILTER_END_MAX,
};

/* Zero-filled it is empty. Owns the connections and totals. */
struct stats_copy {
	uint64_t now_ns; /* by the clock of BPF, when the copy was made */
	bool traced;	 /* somebody runs `mimic trace` */
	uint64_t counters[REASON_COUNT];
	struct instance_conns conns;
	struct filter_prefix *total_keys;
	struct mimic_filter_total *totals;
	size_t total_count;
};

#define _cleanup_stats_copy_ __attribute__((cleanup(stats_free_copy)))

/* What connections have in common. */
struct stats_sum {
	uint64_t live[STATS_STATES]; /* connections, by state */
	uint64_t ended;
	uint64_t rtt_sum_ns; /* of those that are established */
	struct figures_traffic traffic;
	struct figures_events events;
};

struct stats_filter {
	struct filter_prefix key;
	char text[STATS_FILTER_MAX]; /* `local=192.0.2.1:5000` */
	struct stats_sum sum;
};

struct stats_conn {
	const struct conn_key *key;
	const struct mimic_conn *value;
	const struct stats_filter *filter;
	uint64_t age_ns; /* since it was established; 0: it is not */
};

/* Points into the copy and the lock file's content that it was made of; owns its arrays. Sorted by key. */
struct stats {
	const char *ifname;
	const struct run_info *info;
	const struct stats_copy *copy;
	struct stats_filter *filters;
	size_t filter_count;
	struct stats_conn *conns;
	size_t conn_count;
	struct stats_sum all;
};

#define _cleanup_stats_ __attribute__((cleanup(stats_free)))

/*
 * Filters are those of the lock file, but for the literal wildcards, which match nothing themselves, and those that connections and
 * totals name. Returns 0 or -ENOMEM; *@stats needs no initial value.
 */
int stats_make(struct stats *stats, const char *ifname, const struct run_info *info, const struct stats_copy *copy);

/* The same connection or filter in another look, or NULL. @before may be NULL. */
const struct stats_conn *stats_find_conn(const struct stats *before, const struct conn_key *key);
const struct stats_filter *stats_find_filter(const struct stats *before, const struct filter_prefix *key);

/* All drops of @events. */
uint64_t stats_drops(const struct figures_events *events);

/* `window`, `rx_state`: the name of a counter without its drop_; static. */
const char *stats_drop_name(enum figures_drop drop);

void stats_free(struct stats *stats);
void stats_free_copy(struct stats_copy *copy);

#endif
