/* SPDX-License-Identifier: GPL-2.0-only */
/* The copies that the figures of an instance are made of (stats.h), read from its maps. Needs root. */
#ifndef MIMIC_STATS_READ_H
#define MIMIC_STATS_READ_H

#include "stats.h"

/*
 * Fills *@copy, which is empty before or an older copy. Connections and totals fit together: what ended meanwhile is in one of them, not
 * in both or none; where connections end without a pause for a second, that is given up, with a warning. Returns 0, or -errno, logged:
 * -EPROTO when the daemon is of another build.
 */
int stats_read(const struct run_info *info, struct stats_copy *copy);

/* Keeps the maps of an instance that stats_read() reads, so that one that ends meanwhile is no error. */
enum {
	STATS_MAPS = 4,
};

struct stats_hold {
	int fds[STATS_MAPS]; /* -1: none */
};

#define _cleanup_stats_hold_ __attribute__((cleanup(stats_let_go)))

void stats_hold(struct stats_hold *hold, const struct run_info *info);
void stats_let_go(struct stats_hold *hold);

/* The variables of an instance, mapped; @writable or not. NULL: cannot be, logged. For stats_unmap_shared(). */
struct mimic_shared *stats_map_shared(const struct run_info *info, bool writable);
void stats_unmap_shared(struct mimic_shared *shared);

#endif
