// SPDX-License-Identifier: GPL-2.0-only
#include "report_json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "filter.h"
#include "log.h"
#include "reasons.h"
#include "settings.h"
#include "stats.h"
#include "util.h"

const char *report_state(__u8 state)
{
	switch (state) {
	case CONN_SYN_SENT:
		return "syn_sent";
	case CONN_SYN_RECEIVED:
		return "syn_received";
	case CONN_ESTABLISHED:
		return "established";
	default:
		return "idle";
	}
}

static json_t *report_end(const struct addr *addr, __be16 port)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (addr_is_ipv4(addr))
		inet_ntop(AF_INET, &addr->word[3], text, sizeof(text));
	else
		inet_ntop(AF_INET6, addr, text, sizeof(text));
	return json_pack("{s:s, s:i}", "address", text, "port", (int)be16_to_host(port));
}

/* Keys and values as in a configuration file. */
static json_t *report_settings(const struct conn_settings *settings)
{
	char value[SETTINGS_TEXT_MAX];
	json_t *object = json_object();
	int err = 0;

	for (size_t i = 0; settings_key(i); i++) {
		settings_print_value(value, sizeof(value), settings_key(i), settings);
		err |= json_object_set_new(object, settings_key(i), json_string(value));
	}
	if (!err)
		return object;
	json_decref(object);
	return NULL;
}

/* `handshake=0:,padding=4` */
static json_t *report_patch(char *text)
{
	json_t *object = json_object();
	char *save = NULL, *value;

	for (char *item = strtok_r(text, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
		value = strchr(item, '=');
		if (!value)
			continue;
		*value++ = '\0';
		json_object_set_new(object, item, json_string(value));
	}
	return object;
}

/* `origin=end[,settings][ (resolved from NAME)]`, as filter_print() makes it. */
static json_t *report_filter(const char *line)
{
	static const char resolved[] = " (resolved from ";
	_cleanup_free_ char *text = strdup(line);
	char *name, *end, *patch;
	json_t *filter;

	if (!text)
		return NULL;
	name = strstr(text, resolved);
	if (name) {
		*name = '\0';
		name += strlen(resolved);
		name[strcspn(name, ")")] = '\0';
	}
	patch = strchr(text, ',');
	if (patch)
		*patch++ = '\0';
	filter = json_pack("{s:s, s:o}", "filter", text, "settings", patch ? report_patch(patch) : json_object());
	if (filter && name)
		json_object_set_new(filter, "resolved_from", json_string(name));
	end = strchr(text, '=');
	if (filter && end) {
		*end++ = '\0';
		json_object_set_new(filter, "origin", json_string(text));
		json_object_set_new(filter, "end", json_string(end));
	}
	return filter;
}

static json_t *report_filters(const struct run_info *info)
{
	json_t *array = json_array();

	for (size_t i = 0; i < info->filter_count; i++) {
		if (!json_array_append_new(array, report_filter(info->filters[i])))
			continue;
		json_decref(array);
		return NULL;
	}
	return array;
}

json_t *report_counters(const uint64_t *counters)
{
	json_t *object = json_object();

	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++)
		json_object_set_new(object, reason_name((enum reason)i), json_integer((json_int_t)counters[i]));
	return object;
}

static json_t *report_conn_state(const struct conn_key *key, const struct conn *conn)
{
	return json_pack("{s:o, s:o, s:s, s:i, s:I, s:I}", "local", report_end(&key->local, key->local_port), "remote",
			 report_end(&key->remote, key->remote_port), "state", report_state(conn->state), "peer_mss",
			 (int)conn->peer_mss, "seq", (json_int_t)conn->snd_nxt, "ack", (json_int_t)conn->rcv_nxt);
}

/* The drops are in the order of bpf/core/figures.h. */
static json_t *report_drops(const struct figures_events *events)
{
	json_t *object = json_object();

	for (int i = 0; i < FIGURES_DROP_COUNT; i++)
		json_object_set_new(object, stats_drop_name((enum figures_drop)i), json_integer((json_int_t)events->drops[i]));
	return object;
}

int report_add_figures(json_t *object, const struct figures_traffic *traffic, const struct figures_events *events)
{
	json_t *figures = json_pack("{s:{s:I, s:I}, s:{s:I, s:I}, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "sent", "packets",
				    (json_int_t)traffic->tx_packets, "bytes", (json_int_t)traffic->tx_bytes, "received", "packets",
				    (json_int_t)traffic->rx_packets, "bytes", (json_int_t)traffic->rx_bytes, "drops",
				    report_drops(events), "syn_retries", (json_int_t)events->syn_retries, "window_probes",
				    (json_int_t)events->probes, "liveness_checks", (json_int_t)events->checks, "resets",
				    (json_int_t)events->resets, "keepalives", (json_int_t)events->keepalives, "handshakes",
				    (json_int_t)events->established, "handshake_seconds_sum",
				    (double)events->handshake_sum_ns / 1e9);
	int err = figures ? json_object_update(object, figures) : -1;

	json_decref(figures);
	return err;
}

/* Seconds, or null. */
static json_t *report_seconds(uint64_t ns, bool known)
{
	return known ? json_real((double)ns / 1e9) : json_null();
}

json_t *report_conn(const struct conn_key *key, const struct conn *conn, uint64_t now_ns)
{
	bool established = conn->state == CONN_ESTABLISHED;
	json_t *object = report_conn_state(key, conn);

	if (!object)
		return NULL;
	if (!report_add_figures(object, &conn->traffic, &conn->events) &&
	    !json_object_set_new(object, "handshake_seconds", report_seconds(conn->handshake_ns, conn->events.established)) &&
	    !json_object_set_new(object, "rtt_seconds", report_seconds(conn->rtt_ns, established)) &&
	    !json_object_set_new(object, "age_seconds", report_seconds(conn_age(now_ns, conn->established_ns), established)) &&
	    !json_object_set_new(object, "waiting", json_integer((json_int_t)conn->held)))
		return object;
	json_decref(object);
	return NULL;
}

static json_t *report_conns(const struct instance_conns *conns, uint64_t now_ns)
{
	json_t *array = json_array();

	for (size_t i = 0; i < conns->count; i++) {
		if (!json_array_append_new(array, report_conn(&conns->keys[i], &conns->values[i].c, now_ns)))
			continue;
		json_decref(array);
		return NULL;
	}
	return array;
}

static int report_add_process(json_t *root, const struct report *report)
{
	const struct run_info *info = report->info;
	bool known = info->datapath[0]; /* else a file of 0.7.x, or damaged */

	return json_object_set_new(root, "link_type", json_string(info->link_type)) ||
	       json_object_set_new(root, "xdp_mode", json_string(info->xdp_mode)) ||
	       json_object_set_new(root, "datapath", known ? json_string(info->datapath) : json_null()) ||
	       json_object_set_new(root, "settings", report_settings(&info->settings)) ||
	       json_object_set_new(root, "filters", known ? report_filters(info) : json_null()) ||
	       json_object_set_new(root, "counters", report->counters ? report_counters(report->counters) : json_null());
}

json_t *report_json(const struct report *report)
{
	json_t *root = json_pack("{s:s, s:s, s:i}", "interface", report->ifname, "version", report->info->version, "pid",
				 (int)report->info->pid);

	if (!root)
		return NULL;
	if ((report->process && report_add_process(root, report)) ||
	    (report->connections &&
	     json_object_set_new(root, "connections", report->conns ? report_conns(report->conns, report->now_ns) : json_null()))) {
		json_decref(root);
		return NULL;
	}
	return root;
}

int report_print(json_t *json, bool indented)
{
	int err = 0;

	if (!json) {
		log_error("cannot make the JSON document: not enough memory, or a name that is no UTF-8");
		return -ENOMEM;
	}
	if (json_dumpf(json, stdout, indented ? JSON_INDENT(2) : JSON_COMPACT) || putchar('\n') == EOF || fflush(stdout)) {
		err = errno ? -errno : -EIO;
		if (err != -EPIPE)
			log_error("cannot write: %s", strerror(-err));
	}
	json_decref(json);
	return err;
}
