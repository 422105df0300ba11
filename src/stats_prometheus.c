// SPDX-License-Identifier: GPL-2.0-only
#include "stats_prometheus.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "reasons.h"
#include "report_json.h"

/* What the series of one family are printed to. */
struct prom {
	FILE *out;
	const char *name;
};

static void prom_family(struct prom *prom, const char *name, const char *type, const char *help)
{
	prom->name = name;
	fprintf(prom->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: backslash, quote and line feed are escaped. */
static void prom_value(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", out);
		else if (*text == '\\' || *text == '"')
			fprintf(out, "\\%c", *text);
		else
			fputc(*text, out);
	}
}

/* NAME{label="value",...} with pairs of texts up to a NULL. */
static void prom_labels(const struct prom *prom, const char *suffix, va_list labels)
{
	const char *label, *before = "{";

	fprintf(prom->out, "%s%s", prom->name, suffix);
	while ((label = va_arg(labels, const char *))) {
		fprintf(prom->out, "%s%s=\"", before, label);
		prom_value(prom->out, va_arg(labels, const char *));
		fputc('"', prom->out);
		before = ",";
	}
	fputs("} ", prom->out);
}

static void prom_number(const struct prom *prom, uint64_t number, ...)
{
	va_list labels;

	va_start(labels, number);
	prom_labels(prom, "", labels);
	va_end(labels);
	fprintf(prom->out, "%" PRIu64 "\n", number);
}

static void prom_seconds(const struct prom *prom, const char *suffix, uint64_t ns, ...)
{
	va_list labels;

	va_start(labels, ns);
	prom_labels(prom, suffix, labels);
	va_end(labels);
	fprintf(prom->out, "%" PRIu64 ".%09" PRIu64 "\n", ns / (uint64_t)NSEC_PER_SEC, ns % (uint64_t)NSEC_PER_SEC);
}

static void prom_count(const struct prom *prom, const char *suffix, uint64_t number, ...)
{
	va_list labels;

	va_start(labels, number);
	prom_labels(prom, suffix, labels);
	va_end(labels);
	fprintf(prom->out, "%" PRIu64 "\n", number);
}

/* ---- of an interface ---- */

static void prom_print_info(struct prom *prom, const struct stats *stats)
{
	prom_number(prom, 1, "interface", stats->ifname, "version", stats->info->version, "datapath", stats->info->datapath, "xdp_mode",
		    stats->info->xdp_mode, "link_type", stats->info->link_type, NULL);
}

static void prom_print_packets(struct prom *prom, const struct stats *stats)
{
	prom_number(prom, stats->all.traffic.tx_packets, "interface", stats->ifname, "direction", "sent", NULL);
	prom_number(prom, stats->all.traffic.rx_packets, "interface", stats->ifname, "direction", "received", NULL);
}

static void prom_print_bytes(struct prom *prom, const struct stats *stats)
{
	prom_number(prom, stats->all.traffic.tx_bytes, "interface", stats->ifname, "direction", "sent", NULL);
	prom_number(prom, stats->all.traffic.rx_bytes, "interface", stats->ifname, "direction", "received", NULL);
}

static bool prom_is_drop(const char *name)
{
	return !strncmp(name, "drop_", strlen("drop_"));
}

static void prom_print_drops(struct prom *prom, const struct stats *stats)
{
	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
		const char *name = reason_name((enum reason)i);

		if (prom_is_drop(name))
			prom_number(prom, stats->copy->counters[i], "interface", stats->ifname, "reason", name + strlen("drop_"), NULL);
	}
}

static void prom_print_events(struct prom *prom, const struct stats *stats)
{
	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
		const char *name = reason_name((enum reason)i);

		if (!prom_is_drop(name))
			prom_number(prom, stats->copy->counters[i], "interface", stats->ifname, "event", name, NULL);
	}
}

static void prom_print_connections(struct prom *prom, const struct stats *stats)
{
	for (__u8 state = 0; state < STATS_STATES; state++)
		prom_number(prom, stats->all.live[state], "interface", stats->ifname, "state", report_state(state), NULL);
}

static void prom_print_ended(struct prom *prom, const struct stats *stats)
{
	prom_number(prom, stats->all.ended, "interface", stats->ifname, NULL);
}

static void prom_print_handshake(struct prom *prom, const struct stats *stats)
{
	prom_seconds(prom, "_sum", stats->all.events.handshake_sum_ns, "interface", stats->ifname, NULL);
	prom_count(prom, "_count", stats->all.events.established, "interface", stats->ifname, NULL);
}

/* The mean: where nothing is established there is none. */
static void prom_print_rtt(struct prom *prom, const struct stats *stats)
{
	uint64_t count = stats->all.live[CONN_ESTABLISHED];

	if (count)
		prom_seconds(prom, "", stats->all.rtt_sum_ns / count, "interface", stats->ifname, NULL);
}

/* ---- of each filter ---- */

#define PROM_EACH_FILTER(function, number)                                                                            \
	static void function(struct prom *prom, const struct stats *stats)                                            \
	{                                                                                                             \
		for (size_t i = 0; i < stats->filter_count; i++) {                                                    \
			const struct stats_filter *filter = &stats->filters[i];                                       \
			const struct stats_sum *sum = &filter->sum;                                                   \
                                                                                                                      \
			prom_number(prom, number, "interface", stats->ifname, "filter", filter->text, NULL);          \
		}                                                                                                     \
	}

PROM_EACH_FILTER(prom_print_filter_ended, sum->ended)
PROM_EACH_FILTER(prom_print_filter_retries, sum->events.syn_retries)
PROM_EACH_FILTER(prom_print_filter_probes, sum->events.probes)
PROM_EACH_FILTER(prom_print_filter_checks, sum->events.checks)
PROM_EACH_FILTER(prom_print_filter_resets, sum->events.resets)
PROM_EACH_FILTER(prom_print_filter_keepalives, sum->events.keepalives)

static void prom_print_filter_packets(struct prom *prom, const struct stats *stats)
{
	for (size_t i = 0; i < stats->filter_count; i++) {
		const struct stats_filter *filter = &stats->filters[i];

		prom_number(prom, filter->sum.traffic.tx_packets, "interface", stats->ifname, "filter", filter->text, "direction", "sent",
			    NULL);
		prom_number(prom, filter->sum.traffic.rx_packets, "interface", stats->ifname, "filter", filter->text, "direction",
			    "received", NULL);
	}
}

static void prom_print_filter_bytes(struct prom *prom, const struct stats *stats)
{
	for (size_t i = 0; i < stats->filter_count; i++) {
		const struct stats_filter *filter = &stats->filters[i];

		prom_number(prom, filter->sum.traffic.tx_bytes, "interface", stats->ifname, "filter", filter->text, "direction", "sent",
			    NULL);
		prom_number(prom, filter->sum.traffic.rx_bytes, "interface", stats->ifname, "filter", filter->text, "direction",
			    "received", NULL);
	}
}

static void prom_print_filter_drops(struct prom *prom, const struct stats *stats)
{
	for (size_t i = 0; i < stats->filter_count; i++)
		for (int k = 0; k < FIGURES_DROP_COUNT; k++)
			prom_number(prom, stats->filters[i].sum.events.drops[k], "interface", stats->ifname, "filter",
				    stats->filters[i].text, "reason", stats_drop_name((enum figures_drop)k), NULL);
}

static void prom_print_filter_connections(struct prom *prom, const struct stats *stats)
{
	for (size_t i = 0; i < stats->filter_count; i++)
		for (__u8 state = 0; state < STATS_STATES; state++)
			prom_number(prom, stats->filters[i].sum.live[state], "interface", stats->ifname, "filter",
				    stats->filters[i].text, "state", report_state(state), NULL);
}

static void prom_print_filter_handshake(struct prom *prom, const struct stats *stats)
{
	for (size_t i = 0; i < stats->filter_count; i++) {
		const struct stats_filter *filter = &stats->filters[i];

		prom_seconds(prom, "_sum", filter->sum.events.handshake_sum_ns, "interface", stats->ifname, "filter", filter->text, NULL);
		prom_count(prom, "_count", filter->sum.events.established, "interface", stats->ifname, "filter", filter->text, NULL);
	}
}

static void prom_print_filter_rtt(struct prom *prom, const struct stats *stats)
{
	for (size_t i = 0; i < stats->filter_count; i++) {
		const struct stats_filter *filter = &stats->filters[i];
		uint64_t count = filter->sum.live[CONN_ESTABLISHED];

		if (count)
			prom_seconds(prom, "", filter->sum.rtt_sum_ns / count, "interface", stats->ifname, "filter", filter->text, NULL);
	}
}

/* ---- of each connection ---- */

struct prom_ends {
	char local[FILTER_ENDPOINT_MAX], remote[FILTER_ENDPOINT_MAX];
};

static void prom_name_ends(struct prom_ends *ends, const struct conn_key *key)
{
	filter_print_endpoint(ends->local, sizeof(ends->local), &key->local, key->local_port);
	filter_print_endpoint(ends->remote, sizeof(ends->remote), &key->remote, key->remote_port);
}

static void prom_print_conn_packets(struct prom *prom, const struct stats *stats)
{
	struct prom_ends ends;

	for (size_t i = 0; i < stats->conn_count; i++) {
		const struct figures_traffic *traffic = &stats->conns[i].value->c.traffic;

		prom_name_ends(&ends, stats->conns[i].key);
		prom_number(prom, traffic->tx_packets, "interface", stats->ifname, "local", ends.local, "remote", ends.remote,
			    "direction", "sent", NULL);
		prom_number(prom, traffic->rx_packets, "interface", stats->ifname, "local", ends.local, "remote", ends.remote,
			    "direction", "received", NULL);
	}
}

static void prom_print_conn_bytes(struct prom *prom, const struct stats *stats)
{
	struct prom_ends ends;

	for (size_t i = 0; i < stats->conn_count; i++) {
		const struct figures_traffic *traffic = &stats->conns[i].value->c.traffic;

		prom_name_ends(&ends, stats->conns[i].key);
		prom_number(prom, traffic->tx_bytes, "interface", stats->ifname, "local", ends.local, "remote", ends.remote, "direction",
			    "sent", NULL);
		prom_number(prom, traffic->rx_bytes, "interface", stats->ifname, "local", ends.local, "remote", ends.remote, "direction",
			    "received", NULL);
	}
}

static void prom_print_conn_drops(struct prom *prom, const struct stats *stats)
{
	struct prom_ends ends;

	for (size_t i = 0; i < stats->conn_count; i++) {
		prom_name_ends(&ends, stats->conns[i].key);
		prom_number(prom, stats_drops(&stats->conns[i].value->c.events), "interface", stats->ifname, "local", ends.local,
			    "remote", ends.remote, NULL);
	}
}

static void prom_print_conn_rtt(struct prom *prom, const struct stats *stats)
{
	struct prom_ends ends;

	for (size_t i = 0; i < stats->conn_count; i++) {
		if (stats->conns[i].value->c.state != CONN_ESTABLISHED)
			continue;
		prom_name_ends(&ends, stats->conns[i].key);
		prom_seconds(prom, "", stats->conns[i].value->c.rtt_ns, "interface", stats->ifname, "local", ends.local, "remote",
			     ends.remote, NULL);
	}
}

static const struct prom_family {
	const char *name, *type, *help;
	void (*print)(struct prom *prom, const struct stats *stats);
	bool connections; /* only when series of connections are asked for */
} prom_families[] = {
	{ "mimic_info", "gauge", "What runs on the interface; the value is always 1.", prom_print_info, false },
	{ "mimic_packets_total", "counter", "Datagrams carried.", prom_print_packets, false },
	{ "mimic_bytes_total", "counter", "Payload of the datagrams carried.", prom_print_bytes, false },
	{ "mimic_drops_total", "counter", "Packets dropped, by reason.", prom_print_drops, false },
	{ "mimic_events_total", "counter", "Counters of mimic show that count no drops.", prom_print_events, false },
	{ "mimic_connections", "gauge", "Connections, by state.", prom_print_connections, false },
	{ "mimic_connections_ended_total", "counter", "Connections that were removed.", prom_print_ended, false },
	{ "mimic_handshake_seconds", "summary", "From the first SYN until the connection was established.", prom_print_handshake, false },
	{ "mimic_rtt_seconds", "gauge", "Round trip time, the mean of the established connections.", prom_print_rtt, false },
	{ "mimic_filter_packets_total", "counter", "Datagrams carried.", prom_print_filter_packets, false },
	{ "mimic_filter_bytes_total", "counter", "Payload of the datagrams carried.", prom_print_filter_bytes, false },
	{ "mimic_filter_drops_total", "counter", "Packets of the filter's connections dropped, by reason.", prom_print_filter_drops, false },
	{ "mimic_filter_connections", "gauge", "Connections, by state.", prom_print_filter_connections, false },
	{ "mimic_filter_connections_ended_total", "counter", "Connections that were removed.", prom_print_filter_ended, false },
	{ "mimic_filter_syn_retries_total", "counter", "SYNs that repeated one.", prom_print_filter_retries, false },
	{ "mimic_filter_window_probes_total", "counter", "Window probes sent.", prom_print_filter_probes, false },
	{ "mimic_filter_liveness_checks_total", "counter", "Times that the peer was asked whether it lives.", prom_print_filter_checks, false },
	{ "mimic_filter_resets_total", "counter", "Resets believed.", prom_print_filter_resets, false },
	{ "mimic_filter_keepalives_total", "counter", "Keepalives sent.", prom_print_filter_keepalives, false },
	{ "mimic_filter_handshake_seconds", "summary", "From the first SYN until the connection was established.",
	  prom_print_filter_handshake, false },
	{ "mimic_filter_rtt_seconds", "gauge", "Round trip time, the mean of the established connections.", prom_print_filter_rtt, false },
	{ "mimic_connection_packets_total", "counter", "Datagrams carried.", prom_print_conn_packets, true },
	{ "mimic_connection_bytes_total", "counter", "Payload of the datagrams carried.", prom_print_conn_bytes, true },
	{ "mimic_connection_drops_total", "counter", "Packets of the connection dropped.", prom_print_conn_drops, true },
	{ "mimic_connection_rtt_seconds", "gauge", "Round trip time.", prom_print_conn_rtt, true },
};

void stats_print_prometheus(FILE *out, const struct stats_scrape *scrapes, size_t count, bool connections)
{
	struct prom prom = { .out = out };

	prom_family(&prom, "mimic_up", "gauge", "Whether Mimic runs on the interface.");
	for (size_t i = 0; i < count; i++)
		prom_number(&prom, scrapes[i].stats != NULL, "interface", scrapes[i].ifname, NULL);
	for (size_t k = 0; k < sizeof(prom_families) / sizeof(prom_families[0]); k++) {
		const struct prom_family *family = &prom_families[k];

		if (family->connections && !connections)
			continue;
		prom_family(&prom, family->name, family->type, family->help);
		for (size_t i = 0; i < count; i++)
			if (scrapes[i].stats)
				family->print(&prom, scrapes[i].stats);
	}
}
