/* SPDX-License-Identifier: GPL-2.0-only */
/* mimic stats: what the copies of the maps add up to, and each form that it is printed in */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stats.h"
#include "stats_json.h"
#include "stats_prometheus.h"
#include "stats_text.h"

enum {
	CONNS = 3,
};

static char *lines[] = { (char *)"local=0.0.0.0:6000", (char *)"remote=10.77.0.2:5000,padding=3 (resolved from b.example)",
			 (char *)"local=[fd77::1]:6001" };
static struct run_info info = { .version = "0.8.0", .pid = 4711, .link_type = "eth", .xdp_mode = "native", .datapath = "bpf",
				.settings = CONN_SETTINGS_DEFAULT, .filters = lines, .filter_count = 3 };
static struct conn_key keys[CONNS];
static struct mimic_conn values[CONNS];
static struct filter_prefix total_keys[2];
static struct mimic_filter_total totals[2];
static struct stats_copy copy;
static struct stats stats;

static void make_filter(struct filter_prefix *key, __u32 ipv4, __u16 port, enum filter_origin origin)
{
	struct filter_key end;
	struct addr addr;

	addr_from_ipv4(&addr, host_to_be32(ipv4));
	filter_key_make(&end, &addr, host_to_be16(port), origin);
	filter_prefix_make(key, &end, ADDR_BITS);
}

/* Two connections of a filter, one of a filter that is gone; each filter has connections that ended. */
static void setup(void)
{
	memset(keys, 0, sizeof(keys));
	memset(values, 0, sizeof(values));
	memset(totals, 0, sizeof(totals));
	for (int i = 0; i < CONNS; i++) {
		struct conn *conn = &values[i].c;

		addr_from_ipv4(&keys[i].local, host_to_be32(0x0a4d0001));
		addr_from_ipv4(&keys[i].remote, host_to_be32(0x0a4d0002));
		keys[i].local_port = host_to_be16((__u16)(4002 - i)); /* not in order */
		keys[i].remote_port = host_to_be16(5000);
		make_filter(&values[i].filter, 0x0a4d0002, i < 2 ? 5000 : 5009, ORIGIN_REMOTE);
		conn->state = i ? CONN_ESTABLISHED : CONN_SYN_SENT;
		conn->traffic = (struct figures_traffic){ 10ULL << i, 1000ULL << i, 20ULL << i, 2000ULL << i };
		conn->events.syn_retries = 1;
		conn->events.drops[FIGURES_DROP_WINDOW] = (unsigned)i;
		conn->events.established = i > 0;
		conn->events.handshake_sum_ns = i ? 30000000 : 0;
		conn->handshake_ns = i ? 30000000 : 0;
		conn->rtt_ns = 20000000;
		conn->established_ns = 5 * NSEC_PER_SEC;
	}
	make_filter(&total_keys[0], 0x0a4d0002, 5000, ORIGIN_REMOTE);
	make_filter(&total_keys[1], 0x0a4d0002, 5009, ORIGIN_REMOTE);
	totals[0] = (struct mimic_filter_total){ .ended = 2, .traffic = { 100, 200, 300, 400 }, .events.resets = 3 };
	totals[1] = (struct mimic_filter_total){ .ended = 1, .traffic = { 1, 2, 3, 4 } };
	copy = (struct stats_copy){ .now_ns = 8 * NSEC_PER_SEC, .conns = { keys, values, CONNS, CONNS }, .total_keys = total_keys,
				    .totals = totals, .total_count = 2 };
	copy.counters[REASON_TX_DATA] = 70;
	copy.counters[REASON_DROP_WINDOW] = 3;
	ck_assert_int_eq(stats_make(&stats, "eth0", &info, &copy), 0);
}

static void teardown(void)
{
	stats_free(&stats);
}

static const struct stats_filter *find(const char *text)
{
	for (size_t i = 0; i < stats.filter_count; i++)
		if (!strcmp(stats.filters[i].text, text))
			return &stats.filters[i];
	ck_abort_msg("no filter %s", text);
}

START_TEST(test_filters)
{
	const struct stats_filter *filter = find("remote=10.77.0.2:5000");

	/* the wildcard is none of the map; 5009 is gone from the lock file, and counts all the same */
	ck_assert_uint_eq(stats.filter_count, 3);
	ck_assert_uint_eq(filter->sum.traffic.tx_packets, 10 + 20 + 100);
	ck_assert_uint_eq(filter->sum.traffic.tx_bytes, 1000 + 2000 + 200);
	ck_assert_uint_eq(filter->sum.traffic.rx_packets, 20 + 40 + 300);
	ck_assert_uint_eq(filter->sum.traffic.rx_bytes, 2000 + 4000 + 400);
	ck_assert_uint_eq(filter->sum.ended, 2);
	ck_assert_uint_eq(filter->sum.live[CONN_SYN_SENT], 1);
	ck_assert_uint_eq(filter->sum.live[CONN_ESTABLISHED], 1);
	ck_assert_uint_eq(filter->sum.events.resets, 3);
	ck_assert_uint_eq(filter->sum.events.drops[FIGURES_DROP_WINDOW], 1);
	filter = find("remote=10.77.0.2:5009");
	ck_assert_uint_eq(filter->sum.traffic.tx_packets, 41);
	ck_assert_uint_eq(find("local=[fd77::1]:6001")->sum.traffic.tx_packets, 0);
}
END_TEST

START_TEST(test_sums)
{
	ck_assert_uint_eq(stats.all.traffic.tx_packets, 70 + 101);
	ck_assert_uint_eq(stats.all.ended, 3);
	ck_assert_uint_eq(stats.all.live[CONN_ESTABLISHED], 2);
	ck_assert_uint_eq(stats.all.rtt_sum_ns, 40000000);
	ck_assert_uint_eq(stats_drops(&stats.all.events), 3);
}
END_TEST

START_TEST(test_conns)
{
	const struct stats_conn *found = stats_find_conn(&stats, &keys[0]);

	ck_assert_uint_eq(stats.conn_count, CONNS);
	for (int i = 1; i < CONNS; i++)
		ck_assert_int_lt(memcmp(stats.conns[i - 1].key, stats.conns[i].key, sizeof(struct conn_key)), 0);
	ck_assert_ptr_eq(found->value, &values[0]);
	ck_assert_uint_eq(found->age_ns, 0);
	found = stats_find_conn(&stats, &keys[2]);
	ck_assert_uint_eq(found->age_ns, 3 * NSEC_PER_SEC);
	ck_assert_str_eq(found->filter->text, "remote=10.77.0.2:5009");
	ck_assert_ptr_null(stats_find_conn(NULL, &keys[0]));
}
END_TEST

START_TEST(test_nothing)
{
	struct stats_copy none = { 0 };
	struct run_info no_filters = { .version = "0.8.0" };
	struct stats empty;

	ck_assert_int_eq(stats_make(&empty, "eth0", &no_filters, &none), 0);
	ck_assert_uint_eq(empty.filter_count + empty.conn_count, 0);
	stats_free(&empty);
}
END_TEST

static char *printed(const struct stats *before, bool human)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	ck_assert_int_eq(stats_print_text(out, &stats, before, human), 0);
	fclose(out);
	return text;
}

/* The line of `text` that begins with `begin`, blanks squeezed. */
static char *line_of(const char *text, const char *begin)
{
	static char line[512];
	const char *at = strstr(text, begin);
	size_t n = 0;

	ck_assert_msg(at != NULL, "no line %s in:\n%s", begin, text);
	for (; *at && *at != '\n' && n < sizeof(line) - 1; at++)
		if (*at != ' ' || (n && line[n - 1] != ' '))
			line[n++] = *at;
	line[n] = '\0';
	return line;
}

START_TEST(test_text)
{
	char *text = printed(NULL, false);

	ck_assert_str_eq(line_of(text, "remote=10.77.0.2:5000"),
			 "remote=10.77.0.2:5000 2 2 130 3200 360 6400 1 2 0 0 3 0.030000 0.020000");
	ck_assert_str_eq(line_of(text, "10.77.0.1:4000 => 10.77.0.2:5000"),
			 "10.77.0.1:4000 => 10.77.0.2:5000 established 40 4000 80 8000 2 1 0 0 0 0.030000 0.020000 3.000000");
	ck_assert_str_eq(line_of(text, "10.77.0.1:4002 => 10.77.0.2:5000"),
			 "10.77.0.1:4002 => 10.77.0.2:5000 syn_sent 10 1000 20 2000 0 1 0 0 0 - - -");
	ck_assert_ptr_nonnull(strstr(text, "  dropped: window 2\n"));
	ck_assert_ptr_nonnull(strstr(text, "drop_window  3  dropped: the peer's window is full\n"));
	ck_assert_ptr_null(strstr(text, "tx_data"));
	ck_assert_ptr_null(strstr(text, "sent/s"));
	free(text);
	text = printed(NULL, true);
	ck_assert_str_eq(line_of(text, "10.77.0.1:4000 => 10.77.0.2:5000"),
			 "10.77.0.1:4000 => 10.77.0.2:5000 established 40 4.0 kB 80 8.0 kB 2 1 0 0 0 30.0 ms 20.0 ms 3.0 s");
	free(text);
}
END_TEST

START_TEST(test_rates)
{
	struct stats_copy old_copy = copy;
	struct mimic_conn old_values[CONNS];
	struct stats before;
	char *text;

	memcpy(old_values, values, sizeof(values));
	old_copy.conns.values = old_values;
	old_copy.now_ns -= 2 * NSEC_PER_SEC;
	old_values[2].c.traffic.tx_packets -= 30;
	old_values[2].c.traffic.rx_bytes -= 5000;
	old_values[1].c.traffic.tx_packets = 1000; /* an entry made anew counts from 0 */
	ck_assert_int_eq(stats_make(&before, "eth0", &info, &old_copy), 0);
	text = printed(&before, false);
	ck_assert_ptr_nonnull(strstr(line_of(text, "10.77.0.1:4000 => 10.77.0.2:5000"), " 3.000000 15 0 0 2500"));
	ck_assert_ptr_nonnull(strstr(line_of(text, "10.77.0.1:4001 => 10.77.0.2:5000"), " 3.000000 10 0 0 0"));
	free(text);
	stats_free(&before);
}
END_TEST

START_TEST(test_json)
{
	json_t *root = stats_json(&stats), *part;
	json_int_t packets;
	const char *filter, *address;

	ck_assert_ptr_nonnull(root);
	ck_assert_int_eq(json_unpack(root, "{s:{s:{s:I}}}", "total", "sent", "packets", &packets), 0);
	ck_assert_int_eq(packets, 171);
	ck_assert_uint_eq(json_array_size(json_object_get(root, "filters")), 3);
	ck_assert_int_eq(json_unpack(root, "{s:{s:I}}", "counters", "drop_window", &packets), 0);
	ck_assert_int_eq(packets, 3);
	part = json_array_get(json_object_get(root, "connections"), 0);
	ck_assert_int_eq(json_unpack(part, "{s:s, s:{s:s}, s:{s:I}}", "filter", &filter, "local", "address", &address, "drops",
				     "window", &packets), 0);
	ck_assert_str_eq(filter, "remote=10.77.0.2:5009");
	ck_assert_str_eq(address, "10.77.0.1");
	ck_assert_int_eq(packets, 2);
	ck_assert(json_real_value(json_object_get(part, "age_seconds")) == 3.0);
	ck_assert(json_real_value(json_object_get(part, "rtt_seconds")) == 0.02);
	part = json_array_get(json_object_get(root, "connections"), 2);
	ck_assert(json_is_null(json_object_get(part, "age_seconds")));
	ck_assert(json_is_null(json_object_get(part, "handshake_seconds")));
	json_decref(root);
}
END_TEST

START_TEST(test_prometheus)
{
	struct stats_scrape scrapes[] = { { "eth0", &stats }, { "a\"b\\c\n", NULL } };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	static const char *const wanted[] = {
		"mimic_up{interface=\"eth0\"} 1\n",
		"mimic_up{interface=\"a\\\"b\\\\c\\n\"} 0\n",
		"mimic_info{interface=\"eth0\",version=\"0.8.0\",datapath=\"bpf\",xdp_mode=\"native\",link_type=\"eth\"} 1\n",
		"mimic_packets_total{interface=\"eth0\",direction=\"sent\"} 171\n",
		"mimic_drops_total{interface=\"eth0\",reason=\"window\"} 3\n",
		"mimic_events_total{interface=\"eth0\",event=\"tx_data\"} 70\n",
		"mimic_connections{interface=\"eth0\",state=\"established\"} 2\n",
		"mimic_handshake_seconds_sum{interface=\"eth0\"} 0.060000000\n",
		"mimic_handshake_seconds_count{interface=\"eth0\"} 2\n",
		"mimic_rtt_seconds{interface=\"eth0\"} 0.020000000\n",
		"mimic_filter_packets_total{interface=\"eth0\",filter=\"remote=10.77.0.2:5000\",direction=\"received\"} 360\n",
		"mimic_filter_drops_total{interface=\"eth0\",filter=\"remote=10.77.0.2:5000\",reason=\"window\"} 1\n",
	};

	stats_print_prometheus(out, scrapes, 2, false);
	fclose(out);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		ck_assert_msg(strstr(text, wanted[i]) != NULL, "no %s in:\n%s", wanted[i], text);
	ck_assert_ptr_null(strstr(text, "mimic_connection_"));
	free(text);
	out = open_memstream(&text, &size);
	stats_print_prometheus(out, scrapes, 2, true);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "mimic_connection_packets_total{interface=\"eth0\",local=\"10.77.0.1:4000\","
					   "remote=\"10.77.0.2:5000\",direction=\"sent\"} 40\n"));
	free(text);
}
END_TEST

/* Each drop that a connection counts has the name of its counter. */
START_TEST(test_drop_names)
{
	ck_assert_str_eq(stats_drop_name(FIGURES_DROP_WINDOW), "window");
	ck_assert_str_eq(stats_drop_name(FIGURES_DROP_RX_STATE), "rx_state");
	for (int i = 0; i < FIGURES_DROP_COUNT; i++)
		ck_assert_uint_gt(strlen(stats_drop_name((enum figures_drop)i)), 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stats");
	TCase *tcase = tcase_create("stats");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_filters);
	tcase_add_test(tcase, test_sums);
	tcase_add_test(tcase, test_conns);
	tcase_add_test(tcase, test_nothing);
	tcase_add_test(tcase, test_text);
	tcase_add_test(tcase, test_rates);
	tcase_add_test(tcase, test_json);
	tcase_add_test(tcase, test_prometheus);
	tcase_add_test(tcase, test_drop_names);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
