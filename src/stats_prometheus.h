/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The figures of instances in the text format of Prometheus (exposition formats, version 0.0.4), for the textfile collector of
 * node_exporter. Names of metrics and labels are read by others: they may be added, what is there stays. Pure.
 */
#ifndef MIMIC_STATS_PROMETHEUS_H
#define MIMIC_STATS_PROMETHEUS_H

#include <stdio.h>

#include "stats.h"

/* One interface: stats is NULL where nothing runs on it, or it cannot be read. */
struct stats_scrape {
	const char *ifname;
	const struct stats *stats;
};

/* connections: a series for each connection, too. What @out could not take is in its error flag. */
void stats_print_prometheus(FILE *out, const struct stats_scrape *scrapes, size_t count, bool connections);

#endif
