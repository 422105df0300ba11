// SPDX-License-Identifier: GPL-2.0-only
#include "stats_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "reasons.h"
#include "report_json.h"
#include "util.h"

enum {
	TEXT_COLUMNS = 18,
	TEXT_CELL = 40,
	TEXT_NAME = 2 * FILTER_ENDPOINT_MAX + 8,
};

struct text_row {
	char name[TEXT_NAME]; /* the first column */
	char cells[TEXT_COLUMNS][TEXT_CELL];
	size_t used;
	const struct figures_events *events; /* its drops follow the row */
};

/* Rows of one table; the first is its head. Columns are as wide as their widest cell. */
struct text_table {
	struct text_row *rows;
	size_t count, room;
	bool human, rates;
	double seconds; /* since the last look */
};

static struct text_row *text_add_row(struct text_table *table)
{
	struct text_row *rows;

	if (table->count == table->room) {
		size_t room = table->room ? 2 * table->room : 16;

		rows = realloc(table->rows, room * sizeof(*rows));
		if (!rows)
			return NULL;
		table->rows = rows;
		table->room = room;
	}
	table->rows[table->count] = (struct text_row){ 0 };
	return &table->rows[table->count++];
}

static char *text_cell(struct text_row *row)
{
	return row->cells[row->used++];
}

static void text_put(struct text_row *row, const char *text)
{
	snprintf(text_cell(row), TEXT_CELL, "%s", text);
}

/* 12.3k; the units of bytes have a blank before them. */
static void text_put_scaled(const struct text_table *table, struct text_row *row, double value, const char *unit)
{
	static const char prefixes[] = " kMGTPE";
	char *cell = text_cell(row);
	size_t i = 0;

	if (!table->human) {
		snprintf(cell, TEXT_CELL, "%.0f", value);
		return;
	}
	while (value >= 999.95 && prefixes[i + 1]) {
		value /= 1000;
		i++;
	}
	if (i)
		snprintf(cell, TEXT_CELL, "%.1f%s%c%s", value, *unit ? " " : "", prefixes[i], unit);
	else
		snprintf(cell, TEXT_CELL, "%.0f%s%s", value, *unit ? " " : "", unit);
}

static void text_put_number(const struct text_table *table, struct text_row *row, uint64_t number, const char *unit)
{
	if (table->human)
		text_put_scaled(table, row, (double)number, unit);
	else
		snprintf(text_cell(row), TEXT_CELL, "%" PRIu64, number);
}

static void text_put_time(const struct text_table *table, struct text_row *row, uint64_t ns, bool known)
{
	double seconds = (double)ns / 1e9;
	uint64_t whole = ns / NSEC_PER_SEC;
	char *cell = text_cell(row);

	if (!known)
		snprintf(cell, TEXT_CELL, "-");
	else if (!table->human)
		snprintf(cell, TEXT_CELL, "%.6f", seconds);
	else if (seconds < 1)
		snprintf(cell, TEXT_CELL, "%.1f ms", seconds * 1000);
	else if (whole < 60)
		snprintf(cell, TEXT_CELL, "%.1f s", seconds);
	else if (whole < 3600)
		snprintf(cell, TEXT_CELL, "%" PRIu64 "m%02" PRIu64 "s", whole / 60, whole % 60);
	else if (whole < 86400)
		snprintf(cell, TEXT_CELL, "%" PRIu64 "h%02" PRIu64 "m", whole / 3600, whole / 60 % 60);
	else
		snprintf(cell, TEXT_CELL, "%" PRIu64 "d%02" PRIu64 "h", whole / 86400, whole / 3600 % 24);
}

/* What a counter grew by; one that is smaller than before belongs to an entry made anew. */
static double text_growth(uint64_t now, uint64_t before)
{
	return (double)(now >= before ? now - before : now);
}

static void text_put_rates(const struct text_table *table, struct text_row *row, const struct figures_traffic *now,
			   const struct figures_traffic *before)
{
	static const struct figures_traffic nothing;

	if (!before)
		before = &nothing;
	text_put_scaled(table, row, text_growth(now->tx_packets, before->tx_packets) / table->seconds, "");
	text_put_scaled(table, row, text_growth(now->tx_bytes, before->tx_bytes) / table->seconds, "B");
	text_put_scaled(table, row, text_growth(now->rx_packets, before->rx_packets) / table->seconds, "");
	text_put_scaled(table, row, text_growth(now->rx_bytes, before->rx_bytes) / table->seconds, "B");
}

static void text_put_figures(const struct text_table *table, struct text_row *row, const struct figures_traffic *traffic,
			     const struct figures_events *events)
{
	text_put_number(table, row, traffic->tx_packets, "");
	text_put_number(table, row, traffic->tx_bytes, "B");
	text_put_number(table, row, traffic->rx_packets, "");
	text_put_number(table, row, traffic->rx_bytes, "B");
	text_put_number(table, row, stats_drops(events), "");
	text_put_number(table, row, events->syn_retries, "");
	text_put_number(table, row, events->probes, "");
	text_put_number(table, row, events->checks, "");
	text_put_number(table, row, events->resets, "");
	row->events = events;
}

static void text_put_names(const struct text_table *table, struct text_row *row, const char *const *names)
{
	static const char *const rates[] = { "sent/s", "bytes/s", "received/s", "bytes/s", NULL };

	snprintf(row->name, sizeof(row->name), "%s", names[0]);
	for (names++; *names; names++)
		text_put(row, *names);
	for (size_t i = 0; table->rates && rates[i]; i++)
		text_put(row, rates[i]);
}

static int text_add_filters(struct text_table *table, const struct stats *stats, const struct stats *before)
{
	static const char *const names[] = { "FILTER", "live", "ended", "sent", "bytes", "received", "bytes", "drops", "retries",
					     "probes", "checks", "resets", "handshake", "RTT", NULL };
	struct text_row *row = text_add_row(table);

	if (!row)
		return -ENOMEM;
	text_put_names(table, row, names);
	for (size_t i = 0; i < stats->filter_count; i++) {
		const struct stats_filter *filter = &stats->filters[i], *old = stats_find_filter(before, &filter->key);
		const struct stats_sum *sum = &filter->sum;
		uint64_t live = 0;

		row = text_add_row(table);
		if (!row)
			return -ENOMEM;
		for (int state = 0; state < STATS_STATES; state++)
			live += sum->live[state];
		snprintf(row->name, sizeof(row->name), "%s", filter->text);
		text_put_number(table, row, live, "");
		text_put_number(table, row, sum->ended, "");
		text_put_figures(table, row, &sum->traffic, &sum->events);
		text_put_time(table, row, sum->events.established ? sum->events.handshake_sum_ns / sum->events.established : 0,
			      sum->events.established);
		text_put_time(table, row, sum->live[CONN_ESTABLISHED] ? sum->rtt_sum_ns / sum->live[CONN_ESTABLISHED] : 0,
			      sum->live[CONN_ESTABLISHED]);
		if (table->rates)
			text_put_rates(table, row, &sum->traffic, old ? &old->sum.traffic : NULL);
	}
	return 0;
}

static int text_add_conns(struct text_table *table, const struct stats *stats, const struct stats *before)
{
	static const char *const names[] = { "CONNECTION", "state", "sent", "bytes", "received", "bytes", "drops", "retries",
					     "probes", "checks", "resets", "handshake", "RTT", "age", NULL };
	struct text_row *row = text_add_row(table);

	if (!row)
		return -ENOMEM;
	text_put_names(table, row, names);
	for (size_t i = 0; i < stats->conn_count; i++) {
		const struct stats_conn *entry = &stats->conns[i], *old = stats_find_conn(before, entry->key);
		char local[FILTER_ENDPOINT_MAX], remote[FILTER_ENDPOINT_MAX];
		const struct conn *conn = &entry->value->c;
		bool established = conn->state == CONN_ESTABLISHED;

		row = text_add_row(table);
		if (!row)
			return -ENOMEM;
		filter_print_endpoint(local, sizeof(local), &entry->key->local, entry->key->local_port);
		filter_print_endpoint(remote, sizeof(remote), &entry->key->remote, entry->key->remote_port);
		snprintf(row->name, sizeof(row->name), "%s => %s", local, remote);
		text_put(row, report_state(conn->state));
		text_put_figures(table, row, &conn->traffic, &conn->events);
		text_put_time(table, row, conn->handshake_ns, conn->events.established);
		text_put_time(table, row, conn->rtt_ns, established);
		text_put_time(table, row, entry->age_ns, established);
		if (table->rates)
			text_put_rates(table, row, &conn->traffic, old ? &old->value->c.traffic : NULL);
	}
	return 0;
}

static void text_print_drops(FILE *out, const struct figures_events *events)
{
	const char *before = "  dropped: ";

	for (int i = 0; i < FIGURES_DROP_COUNT; i++) {
		if (!events->drops[i])
			continue;
		fprintf(out, "%s%s %" PRIu64, before, stats_drop_name((enum figures_drop)i), (uint64_t)events->drops[i]);
		before = ", ";
	}
	if (*before == ',')
		fputc('\n', out);
}

/* The first column is text, the others are aligned to the right. */
static void text_print_table(FILE *out, const struct text_table *table)
{
	int width[TEXT_COLUMNS] = { 0 }, name_width = 0;

	for (size_t i = 0; i < table->count; i++) {
		if ((int)strlen(table->rows[i].name) > name_width)
			name_width = (int)strlen(table->rows[i].name);
		for (size_t k = 0; k < table->rows[i].used; k++)
			if ((int)strlen(table->rows[i].cells[k]) > width[k])
				width[k] = (int)strlen(table->rows[i].cells[k]);
	}
	for (size_t i = 0; i < table->count; i++) {
		const struct text_row *row = &table->rows[i];

		fprintf(out, "%-*s", name_width, row->name);
		for (size_t k = 0; k < row->used; k++)
			fprintf(out, "  %*s", width[k], row->cells[k]);
		fputc('\n', out);
		if (row->events)
			text_print_drops(out, row->events);
	}
}

static void text_print_reasons(FILE *out, const struct stats *stats)
{
	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
		if (stats->copy->counters[i] && !strncmp(reason_name((enum reason)i), "drop_", strlen("drop_")))
			fprintf(out, "%s  %" PRIu64 "  %s\n", reason_name((enum reason)i), stats->copy->counters[i],
				reason_text((enum reason)i));
	}
}

int stats_print_text(FILE *out, const struct stats *stats, const struct stats *before, bool human)
{
	struct text_table filters = { .human = human, .rates = before != NULL };
	struct text_table conns;
	int err;

	if (before && stats->copy->now_ns > before->copy->now_ns)
		filters.seconds = (double)(stats->copy->now_ns - before->copy->now_ns) / 1e9;
	else
		filters.rates = false;
	conns = filters;
	err = text_add_filters(&filters, stats, before);
	if (!err)
		err = text_add_conns(&conns, stats, before);
	if (!err) {
		fprintf(out, "Mimic on %s: datapath %s, XDP mode %s\n\n", stats->ifname, stats->info->datapath, stats->info->xdp_mode);
		text_print_table(out, &filters);
		fputc('\n', out);
		text_print_table(out, &conns);
		fputc('\n', out);
		text_print_reasons(out, stats);
	}
	free(filters.rows);
	free(conns.rows);
	return err;
}
