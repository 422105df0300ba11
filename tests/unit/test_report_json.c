/* SPDX-License-Identifier: GPL-2.0-only */
/* mimic show --json: every part of the document, by name and type; what is not known is null, what is not asked for is absent */
#include <check.h>
#include <string.h>

#include "reasons.h"
#include "report_json.h"

static char *filters[] = { (char *)"local=0.0.0.0:6000", (char *)"remote=[fd77::2]:5001,handshake=0:,padding=random (resolved from b.example)" };
static struct run_info info = {
	.version = "0.8.0", .pid = 4711, .link_type = "eth", .xdp_mode = "native", .datapath = "bpf",
	.settings = CONN_SETTINGS_DEFAULT, .filters = filters, .filter_count = 2,
};

static struct conn_key key;
static struct mimic_conn value;
static const struct instance_conns conns = { &key, &value, 1, 1 };

static void make_conn(void)
{
	addr_from_ipv4(&key.local, host_to_be32(0x0a4d0001));
	key.remote = (struct addr){ { host_to_be32(0xfd770000), 0, 0, host_to_be32(2) } };
	key.local_port = host_to_be16(4000);
	key.remote_port = host_to_be16(5000);
	value.c.state = CONN_ESTABLISHED;
	value.c.peer_mss = 1460;
	value.c.snd_nxt = 0xfffffff0;
	value.c.rcv_nxt = 7;
}

static const char *text_at(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	ck_assert_msg(text != NULL, "no text '%s'", name);
	return text;
}

START_TEST(test_whole)
{
	uint64_t counters[REASON_COUNT] = { [REASON_TX_DATA] = 5, [REASON_DROP_WINDOW] = 1ULL << 40 };
	struct report report = { "eth0", &info, true, true, counters, &conns, 0 };
	json_t *root, *part;

	make_conn();
	root = report_json(&report);
	ck_assert_ptr_nonnull(root);
	ck_assert_str_eq(text_at(root, "interface"), "eth0");
	ck_assert_str_eq(text_at(root, "version"), "0.8.0");
	ck_assert_int_eq(json_integer_value(json_object_get(root, "pid")), 4711);
	ck_assert_str_eq(text_at(root, "link_type"), "eth");
	ck_assert_str_eq(text_at(root, "xdp_mode"), "native");
	ck_assert_str_eq(text_at(root, "datapath"), "bpf");
	part = json_object_get(root, "settings");
	ck_assert_str_eq(text_at(part, "handshake"), "2:3");
	ck_assert_str_eq(text_at(part, "max_window"), "false");
	part = json_object_get(root, "counters");
	ck_assert_uint_eq(json_object_size(part), REASON_COUNT - 1);
	ck_assert_int_eq(json_integer_value(json_object_get(part, "tx_data")), 5);
	ck_assert_int_eq(json_integer_value(json_object_get(part, "drop_window")), 1LL << 40);
	part = json_array_get(json_object_get(root, "connections"), 0);
	ck_assert_str_eq(text_at(json_object_get(part, "local"), "address"), "10.77.0.1");
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(part, "local"), "port")), 4000);
	ck_assert_str_eq(text_at(json_object_get(part, "remote"), "address"), "fd77::2");
	ck_assert_str_eq(text_at(part, "state"), "established");
	ck_assert_int_eq(json_integer_value(json_object_get(part, "peer_mss")), 1460);
	ck_assert_int_eq(json_integer_value(json_object_get(part, "seq")), 0xfffffff0);
	ck_assert_int_eq(json_integer_value(json_object_get(part, "ack")), 7);
	json_decref(root);
}
END_TEST

START_TEST(test_filters)
{
	struct report report = { "eth0", &info, true, false, NULL, NULL, 0 };
	json_t *root = report_json(&report), *list = json_object_get(root, "filters"), *filter;

	ck_assert_uint_eq(json_array_size(list), 2);
	filter = json_array_get(list, 0);
	ck_assert_str_eq(text_at(filter, "filter"), "local=0.0.0.0:6000");
	ck_assert_str_eq(text_at(filter, "origin"), "local");
	ck_assert_str_eq(text_at(filter, "end"), "0.0.0.0:6000");
	ck_assert_uint_eq(json_object_size(json_object_get(filter, "settings")), 0);
	ck_assert_ptr_null(json_object_get(filter, "resolved_from"));
	filter = json_array_get(list, 1);
	ck_assert_str_eq(text_at(filter, "filter"), "remote=[fd77::2]:5001");
	ck_assert_str_eq(text_at(filter, "end"), "[fd77::2]:5001");
	ck_assert_str_eq(text_at(json_object_get(filter, "settings"), "handshake"), "0:");
	ck_assert_str_eq(text_at(json_object_get(filter, "settings"), "padding"), "random");
	ck_assert_str_eq(text_at(filter, "resolved_from"), "b.example");
	ck_assert_ptr_null(json_object_get(root, "connections"));
	ck_assert(json_is_null(json_object_get(root, "counters")));
	json_decref(root);
}
END_TEST

/* A lock file of 0.7.x: what it does not tell is null, not empty. */
START_TEST(test_unknown)
{
	struct run_info old = { .version = "0.7.1", .pid = 1, .settings = CONN_SETTINGS_DEFAULT };
	struct report report = { "eth0", &old, true, true, NULL, NULL, 0 };
	json_t *root = report_json(&report);

	ck_assert(json_is_null(json_object_get(root, "datapath")));
	ck_assert(json_is_null(json_object_get(root, "filters")));
	ck_assert(json_is_null(json_object_get(root, "counters")));
	ck_assert(json_is_null(json_object_get(root, "connections")));
	json_decref(root);
	report.process = false;
	root = report_json(&report);
	ck_assert_ptr_null(json_object_get(root, "filters"));
	json_decref(root);
}
END_TEST

START_TEST(test_states)
{
	ck_assert_str_eq(report_state(CONN_IDLE), "idle");
	ck_assert_str_eq(report_state(CONN_SYN_SENT), "syn_sent");
	ck_assert_str_eq(report_state(CONN_SYN_RECEIVED), "syn_received");
	ck_assert_str_eq(report_state(CONN_ESTABLISHED), "established");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report_json");
	TCase *tcase = tcase_create("report_json");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_whole);
	tcase_add_test(tcase, test_filters);
	tcase_add_test(tcase, test_unknown);
	tcase_add_test(tcase, test_states);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
