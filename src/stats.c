// SPDX-License-Identifier: GPL-2.0-only
#include "stats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reasons.h"
#include "util.h"

static const enum reason stats_reasons[FIGURES_DROP_COUNT] = {
#define STATS_REASON(id) [FIGURES_DROP_##id] = REASON_DROP_##id,
	FIGURES_DROPS(STATS_REASON)
#undef STATS_REASON
};

const char *stats_drop_name(enum figures_drop drop)
{
	return reason_name(stats_reasons[drop]) + strlen("drop_");
}

uint64_t stats_drops(const struct figures_events *events)
{
	uint64_t sum = 0;

	for (int i = 0; i < FIGURES_DROP_COUNT; i++)
		sum += events->drops[i];
	return sum;
}

static void stats_add_words(void *sum, const void *more, size_t bytes)
{
	uint64_t *to = sum;
	const uint64_t *from = more;

	for (size_t i = 0; i < bytes / sizeof(*to); i++)
		to[i] += from[i];
}

static void stats_add_figures(struct stats_sum *sum, const struct figures_traffic *traffic, const struct figures_events *events)
{
	stats_add_words(&sum->traffic, traffic, sizeof(*traffic));
	stats_add_words(&sum->events, events, sizeof(*events));
}

static int stats_compare_filters(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct filter_prefix)); /* the first member */
}

static int stats_compare_conns(const void *a, const void *b)
{
	return memcmp(((const struct stats_conn *)a)->key, ((const struct stats_conn *)b)->key, sizeof(struct conn_key));
}

/* The key of a line of the lock file. False: it has none in the map, a wildcard. */
static bool stats_key_of_line(struct filter_prefix *key, const char *line)
{
	char text[FILTER_TEXT_MAX];
	struct filter_spec spec;
	struct filter_key end;
	struct addr addr;

	snprintf(text, sizeof(text), "%s", line);
	text[strcspn(text, ", ")] = '\0';
	if (filter_parse(&spec, text, NULL) || spec.wildcard || !filter_spec_addr(&spec, &addr))
		return false;
	filter_key_make(&end, &addr, host_to_be16(spec.port), spec.origin);
	filter_prefix_make(key, &end, spec.prefix_len);
	return true;
}

static void stats_name_filter(struct stats_filter *filter)
{
	const struct filter end = {
		.key = filter->key.key,
		.prefix_len = (uint8_t)(filter->key.bits - FILTER_KEY_HEAD_BITS),
	};

	filter_print_end(filter->text, sizeof(filter->text), &end);
}

/* Every key once, in order, without figures. */
static int stats_collect_filters(struct stats *stats)
{
	const struct stats_copy *copy = stats->copy;
	size_t count = 0, unique = 0;

	stats->filters = calloc(stats->info->filter_count + copy->total_count + copy->conns.count + 1, sizeof(*stats->filters));
	if (!stats->filters)
		return -ENOMEM;
	for (size_t i = 0; i < stats->info->filter_count; i++)
		count += stats_key_of_line(&stats->filters[count].key, stats->info->filters[i]);
	for (size_t i = 0; i < copy->total_count; i++)
		stats->filters[count++].key = copy->total_keys[i];
	for (size_t i = 0; i < copy->conns.count; i++)
		stats->filters[count++].key = copy->conns.values[i].filter;
	qsort(stats->filters, count, sizeof(*stats->filters), stats_compare_filters);
	for (size_t i = 0; i < count; i++) {
		if (unique && !stats_compare_filters(&stats->filters[unique - 1], &stats->filters[i]))
			continue;
		stats->filters[unique].key = stats->filters[i].key;
		stats_name_filter(&stats->filters[unique++]);
	}
	stats->filter_count = unique;
	return 0;
}

static struct stats_filter *stats_filter_of(const struct stats *stats, const struct filter_prefix *key)
{
	return bsearch(key, stats->filters, stats->filter_count, sizeof(*stats->filters), stats_compare_filters);
}

static void stats_add_conn(struct stats *stats, struct stats_conn *entry)
{
	const struct conn *conn = &entry->value->c;
	struct stats_filter *filter = stats_filter_of(stats, &entry->value->filter);
	bool established = conn->state == CONN_ESTABLISHED;

	entry->filter = filter;
	entry->age_ns = established ? conn_age(stats->copy->now_ns, conn->established_ns) : 0;
	filter->sum.live[conn->state < STATS_STATES ? conn->state : CONN_IDLE]++;
	filter->sum.rtt_sum_ns += established ? conn->rtt_ns : 0;
	stats_add_figures(&filter->sum, &conn->traffic, &conn->events);
}

static int stats_collect_conns(struct stats *stats)
{
	const struct instance_conns *conns = &stats->copy->conns;

	stats->conns = calloc(conns->count + 1, sizeof(*stats->conns));
	if (!stats->conns)
		return -ENOMEM;
	for (size_t i = 0; i < conns->count; i++) {
		stats->conns[i] = (struct stats_conn){ .key = &conns->keys[i], .value = &conns->values[i] };
		stats_add_conn(stats, &stats->conns[i]);
	}
	stats->conn_count = conns->count;
	qsort(stats->conns, stats->conn_count, sizeof(*stats->conns), stats_compare_conns);
	return 0;
}

static void stats_add_totals(struct stats *stats)
{
	for (size_t i = 0; i < stats->copy->total_count; i++) {
		const struct mimic_filter_total *total = &stats->copy->totals[i];
		struct stats_filter *filter = stats_filter_of(stats, &stats->copy->total_keys[i]);

		filter->sum.ended += total->ended;
		stats_add_figures(&filter->sum, &total->traffic, &total->events);
	}
	for (size_t i = 0; i < stats->filter_count; i++)
		stats_add_words(&stats->all, &stats->filters[i].sum, sizeof(stats->all));
}

int stats_make(struct stats *stats, const char *ifname, const struct run_info *info, const struct stats_copy *copy)
{
	int err;

	*stats = (struct stats){ .ifname = ifname, .info = info, .copy = copy };
	err = stats_collect_filters(stats);
	if (!err)
		err = stats_collect_conns(stats);
	if (err)
		stats_free(stats);
	else
		stats_add_totals(stats);
	return err;
}

const struct stats_conn *stats_find_conn(const struct stats *before, const struct conn_key *key)
{
	const struct stats_conn wanted = { .key = key };

	return before ? bsearch(&wanted, before->conns, before->conn_count, sizeof(wanted), stats_compare_conns) : NULL;
}

const struct stats_filter *stats_find_filter(const struct stats *before, const struct filter_prefix *key)
{
	return before ? stats_filter_of(before, key) : NULL;
}

void stats_free(struct stats *stats)
{
	free(stats->filters);
	free(stats->conns);
	*stats = (struct stats){ 0 };
}

void stats_free_copy(struct stats_copy *copy)
{
	instance_free_conns(&copy->conns);
	free(copy->total_keys);
	free(copy->totals);
	*copy = (struct stats_copy){ 0 };
}
