// SPDX-License-Identifier: GPL-2.0-only
#include "filter_sync.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"
#include "util.h"

/* The filters of a side that the datapath gets, sorted. */
struct filter_sync_index {
	const struct filter **filters;
	size_t count;
};

#define _cleanup_index_ __attribute__((cleanup(filter_sync_free_index)))

static void filter_sync_free_index(struct filter_sync_index *index)
{
	free(index->filters);
}

static int filter_sync_compare(const void *a, const void *b)
{
	return filter_compare(*(const struct filter *const *)a, *(const struct filter *const *)b);
}

static int filter_sync_make_index(struct filter_sync_index *index, const struct filter_list *list)
{
	index->filters = calloc(list->count + 1, sizeof(*index->filters));
	if (!index->filters)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++) {
		if (!list->items[i].wildcard)
			index->filters[index->count++] = &list->items[i];
	}
	qsort(index->filters, index->count, sizeof(*index->filters), filter_sync_compare);
	return 0;
}

static const struct filter *filter_sync_find(const struct filter_sync_index *index, const struct filter *filter)
{
	const struct filter **found =
		bsearch(&filter, index->filters, index->count, sizeof(*index->filters), filter_sync_compare);

	return found ? *found : NULL;
}

static void filter_sync_settings(struct conn_settings *settings, const struct filter_sync_side *side,
				 const struct filter *filter)
{
	*settings = *side->settings;
	settings_apply(settings, &filter->patch);
}

/* 0: the same on both sides; 1: set, and counted; or -errno. */
static int filter_sync_one(const struct filter_sync_side *old, const struct filter *before,
			   const struct filter_sync_side *next, const struct filter *after,
			   const struct filter_sync_ops *ops, struct filter_sync_result *result)
{
	struct conn_settings have, want;
	int err;

	filter_sync_settings(&want, next, after);
	if (before) {
		filter_sync_settings(&have, old, before);
		if (!memcmp(&have, &want, sizeof(want)))
			return 0;
	}
	err = ops->set(ops->context, after, &want);
	if (err)
		return err;
	result->changed += before != NULL;
	result->added += before == NULL;
	return 1;
}

/* The first @count of @to are set: back to what was. */
static void filter_sync_undo(const struct filter_sync_side *old, const struct filter_sync_index *from,
			     const struct filter_sync_index *to, size_t count, const struct filter_sync_ops *ops)
{
	struct conn_settings settings;

	for (size_t i = 0; i < count; i++) {
		const struct filter *before = filter_sync_find(from, to->filters[i]);

		if (!before) {
			ops->remove(ops->context, to->filters[i]);
			continue;
		}
		filter_sync_settings(&settings, old, before);
		ops->set(ops->context, before, &settings);
	}
}

int filter_sync(const struct filter_sync_side *old, const struct filter_sync_side *next, const struct filter_sync_ops *ops,
		struct filter_sync_result *result)
{
	_cleanup_index_ struct filter_sync_index from = { 0 }, to = { 0 };

	*result = (struct filter_sync_result){ 0 };
	if (filter_sync_make_index(&from, old->list) || filter_sync_make_index(&to, next->list))
		return -ENOMEM;
	for (size_t i = 0; i < to.count; i++) {
		int err = filter_sync_one(old, filter_sync_find(&from, to.filters[i]), next, to.filters[i], ops, result);

		if (err < 0) {
			filter_sync_undo(old, &from, &to, i, ops);
			*result = (struct filter_sync_result){ 0 };
			return err;
		}
	}
	for (size_t i = 0; i < from.count; i++) {
		if (filter_sync_find(&to, from.filters[i]))
			continue;
		if (ops->remove(ops->context, from.filters[i]))
			result->stuck++;
		else
			result->removed++;
	}
	return 0;
}
