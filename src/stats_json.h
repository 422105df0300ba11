/* SPDX-License-Identifier: GPL-2.0-only */
/* The figures of an instance as a JSON document (schema: mimic-stats(1); members may be added, what is there stays). Pure. */
#ifndef MIMIC_STATS_JSON_H
#define MIMIC_STATS_JSON_H

#include <jansson.h>

#include "stats.h"

/* The caller's to release; NULL: no memory. */
json_t *stats_json(const struct stats *stats);

#endif
