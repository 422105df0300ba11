/* SPDX-License-Identifier: GPL-2.0-only */
/* The figures of an instance as tables, for people: filters, connections, drops by reason. */
#ifndef MIMIC_STATS_TEXT_H
#define MIMIC_STATS_TEXT_H

#include <stdio.h>

#include "stats.h"

/*
 * human: numbers with units (12.3k, 1.5 MB, 0.2 ms), else plain ones (bytes, seconds). @before: an older look, NULL for none; with one
 * there are rates since then. Returns 0 or -ENOMEM; what @out could not take is in its error flag.
 */
int stats_print_text(FILE *out, const struct stats *stats, const struct stats *before, bool human);

#endif
