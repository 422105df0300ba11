// SPDX-License-Identifier: GPL-2.0-only
#include "stats_json.h"

#include "report_json.h"

static json_t *stats_json_states(const struct stats_sum *sum)
{
	json_t *object = json_object();

	for (__u8 state = 0; state < STATS_STATES; state++)
		json_object_set_new(object, report_state(state), json_integer((json_int_t)sum->live[state]));
	return object;
}

static int stats_json_add_sum(json_t *object, const struct stats_sum *sum)
{
	return json_object_set_new(object, "connections", stats_json_states(sum)) ||
	       json_object_set_new(object, "ended", json_integer((json_int_t)sum->ended)) ||
	       report_add_figures(object, &sum->traffic, &sum->events);
}

static json_t *stats_json_filters(const struct stats *stats)
{
	json_t *array = json_array();

	for (size_t i = 0; i < stats->filter_count; i++) {
		json_t *filter = json_pack("{s:s}", "filter", stats->filters[i].text);

		if (filter && !stats_json_add_sum(filter, &stats->filters[i].sum) && !json_array_append(array, filter)) {
			json_decref(filter);
			continue;
		}
		json_decref(filter);
		json_decref(array);
		return NULL;
	}
	return array;
}

static json_t *stats_json_conns(const struct stats *stats)
{
	json_t *array = json_array();

	for (size_t i = 0; i < stats->conn_count; i++) {
		const struct stats_conn *entry = &stats->conns[i];
		json_t *conn = report_conn(entry->key, &entry->value->c, stats->copy->now_ns);

		if (!conn || json_object_set_new(conn, "filter", json_string(entry->filter->text)) ||
		    json_array_append_new(array, conn)) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *stats_json(const struct stats *stats)
{
	json_t *root = json_pack("{s:s, s:s, s:i, s:s, s:s, s:f, s:b}", "interface", stats->ifname, "version", stats->info->version, "pid",
				 (int)stats->info->pid, "datapath", stats->info->datapath, "xdp_mode", stats->info->xdp_mode,
				 "monotonic_seconds", (double)stats->copy->now_ns / 1e9, "traced", (int)stats->copy->traced);
	json_t *total = json_object();

	if (root && !stats_json_add_sum(total, &stats->all) && !json_object_set(root, "total", total) &&
	    !json_object_set_new(root, "filters", stats_json_filters(stats)) &&
	    !json_object_set_new(root, "connections", stats_json_conns(stats)) &&
	    !json_object_set_new(root, "counters", report_counters(stats->copy->counters))) {
		json_decref(total);
		return root;
	}
	json_decref(total);
	json_decref(root);
	return NULL;
}
