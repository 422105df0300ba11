/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From one list of filters to another, while packets flow. Filters that are in both, with the same settings, are not touched;
 * what is new or changed is set before anything goes. Pure, but for two callbacks.
 */
#ifndef MIMIC_FILTER_SYNC_H
#define MIMIC_FILTER_SYNC_H

#include <stddef.h>

#include "filter_list.h"

/* Each returns 0 or -errno. */
struct filter_sync_ops {
	/* Adds a filter, or replaces its settings. */
	int (*set)(void *context, const struct filter *filter, const struct conn_settings *settings);
	int (*remove)(void *context, const struct filter *filter);
	void *context;
};

/* How many. Wildcards do not count, the filters that they expand to do. */
struct filter_sync_result {
	size_t added, changed, removed;
	size_t stuck; /* could not be removed */
};

/* Filters, and the global settings that their own ones are over. */
struct filter_sync_side {
	const struct filter_list *list;
	const struct conn_settings *settings;
};

/*
 * Goes from @old to @next and fills *@result. Returns 0, -ENOMEM with nothing done, or what ops.set returned; then what had been
 * set is taken back, and it is as before.
 */
int filter_sync(const struct filter_sync_side *old, const struct filter_sync_side *next, const struct filter_sync_ops *ops,
		struct filter_sync_result *result);

#endif
