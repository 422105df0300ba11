// SPDX-License-Identifier: GPL-2.0-only
/* What the guard of plain UDP is told of the filters. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter_list.h"
#include "udpguard_rules.h"

static const struct conn_settings defaults = CONN_SETTINGS_DEFAULT;

/* A configuration of up to some filters; names are not resolved. */
struct given {
	struct filter_spec specs[8];
	size_t count;
	struct filter_list list;
	struct udpguard_rules rules;
};

static void give(struct given *given, const char *text)
{
	struct parse_error error = { "" };
	struct filter_spec *spec = &given->specs[given->count++];

	ck_assert_uint_le(given->count, 8);
	ck_assert_msg(!filter_parse(spec, text, &error), "%s", error.text);
	if (!filter_spec_is_name(spec))
		ck_assert_int_eq(filter_list_add(&given->list, spec, NULL, &error), 0);
}

static void make(struct given *given, const struct conn_settings *base)
{
	udpguard_rules_free(&given->rules);
	ck_assert_int_eq(udpguard_rules_make(&given->rules, &given->list, base, given->specs, given->count), 0);
}

static void take_away(struct given *given)
{
	udpguard_rules_free(&given->rules);
	filter_list_free(&given->list);
}

/* The rule for just this end. -1: there is none. */
static int rule_for(const struct udpguard_rules *rules, const char *text)
{
	struct parse_error error = { "" };
	struct filter_spec spec;
	struct filter_prefix end;
	struct filter_key key;
	struct addr addr;
	int rule = -1;

	ck_assert_msg(!filter_parse(&spec, text, &error), "%s", error.text);
	ck_assert(filter_spec_addr(&spec, &addr));
	filter_key_make(&key, &addr, htons(spec.port), spec.origin);
	filter_prefix_make(&end, &key, spec.wildcard ? (key.ipv4 ? ADDR_IPV4_BITS : 0) : spec.prefix_len);
	for (size_t i = 0; i < rules->count; i++) {
		if (memcmp(&rules->items[i].end, &end, sizeof(end)))
			continue;
		ck_assert_msg(rule < 0, "%s is there twice", text);
		rule = (int)rules->items[i].rule;
	}
	return rule;
}

START_TEST(test_filters)
{
	struct given given = { .count = 0 };
	struct conn_settings drop = defaults;

	drop.udp = UDP_DROP;
	make(&given, &defaults);
	ck_assert_uint_eq(given.rules.count, 0);
	ck_assert(!given.rules.drops);
	give(&given, "remote=192.0.2.1:1,udp=drop");
	give(&given, "remote=[2001:db8::/32]:1");
	give(&given, "local=:2,udp=pass");
	make(&given, &defaults);
	ck_assert(given.rules.drops);
	ck_assert_uint_eq(given.rules.count, 4);
	ck_assert_int_eq(rule_for(&given.rules, "remote=192.0.2.1:1"), UDPGUARD_DROP);
	ck_assert_int_eq(rule_for(&given.rules, "remote=[2001:db8::/32]:1"), 0);
	ck_assert_int_eq(rule_for(&given.rules, "local=0.0.0.0:2"), UDPGUARD_OWN);
	ck_assert_int_eq(rule_for(&given.rules, "local=[::]:2"), UDPGUARD_OWN);
	/* What a filter says itself counts more than the global setting. */
	make(&given, &drop);
	ck_assert_int_eq(rule_for(&given.rules, "remote=[2001:db8::/32]:1"), UDPGUARD_DROP);
	ck_assert_int_eq(rule_for(&given.rules, "local=0.0.0.0:2"), UDPGUARD_OWN);
	take_away(&given);
}
END_TEST

/* The addresses that a wildcard stands for now are kept in whoever sends from them: a router's own after NAT, for example. */
START_TEST(test_expanded)
{
	struct given given = { .count = 0 };
	struct addr addr;

	give(&given, "local=0.0.0.0:2,udp=drop");
	addr_from_ipv4(&addr, inet_addr("192.0.2.9"));
	ck_assert_int_eq(filter_list_expand(&given.list, &addr, 1), 0);
	make(&given, &defaults);
	ck_assert_uint_eq(given.rules.count, 2);
	ck_assert_int_eq(rule_for(&given.rules, "local=0.0.0.0:2"), UDPGUARD_DROP | UDPGUARD_OWN);
	ck_assert_int_eq(rule_for(&given.rules, "local=192.0.2.9:2"), UDPGUARD_DROP);
	take_away(&given);
}
END_TEST

START_TEST(test_names)
{
	struct given given = { .count = 0 };

	give(&given, "local=0.0.0.0:7"); /* the same end as what a local name is for */
	give(&given, "local=here.invalid:7,udp=drop");
	give(&given, "remote=peer.invalid:5,udp=drop");
	give(&given, "remote=other.invalid:5,udp=drop");
	give(&given, "remote=open.invalid:6");
	give(&given, "remote=open.invalid:53");
	make(&given, &defaults);
	ck_assert_uint_eq(given.rules.count, 4);
	ck_assert_int_eq(rule_for(&given.rules, "local=0.0.0.0:7"), UDPGUARD_DROP | UDPGUARD_OWN);
	ck_assert_int_eq(rule_for(&given.rules, "local=[::]:7"), UDPGUARD_DROP | UDPGUARD_OWN);
	ck_assert_int_eq(rule_for(&given.rules, "remote=0.0.0.0/0:5"), UDPGUARD_DROP | UDPGUARD_OWN);
	ck_assert_int_eq(rule_for(&given.rules, "remote=[::/0]:5"), UDPGUARD_DROP | UDPGUARD_OWN);
	ck_assert(!given.rules.dns);
	give(&given, "remote=peer.invalid:53,udp=drop");
	make(&given, &defaults);
	ck_assert(given.rules.dns);
	take_away(&given);
}
END_TEST

/* Of two rules for one end the one that drops more counts, in whatever order they are given. */
START_TEST(test_more)
{
	struct given one = { .count = 0 }, other = { .count = 0 };

	give(&one, "local=:2,udp=drop");
	give(&one, "local=0.0.0.0/0:2,udp=drop");
	give(&other, "local=0.0.0.0/0:2,udp=drop");
	give(&other, "local=:2,udp=drop");
	make(&one, &defaults);
	make(&other, &defaults);
	ck_assert_int_eq(rule_for(&one.rules, "local=0.0.0.0/0:2"), UDPGUARD_DROP);
	ck_assert(udpguard_rules_equal(&one.rules, &other.rules));
	take_away(&one);
	take_away(&other);
}
END_TEST

/* In whatever order filters are given, the rules are the same. */
START_TEST(test_equal)
{
	struct given one = { .count = 0 }, other = { .count = 0 };

	give(&one, "remote=192.0.2.1:1,udp=drop");
	give(&one, "local=:2");
	give(&other, "local=:2");
	make(&one, &defaults);
	make(&other, &defaults);
	ck_assert(!udpguard_rules_equal(&one.rules, &other.rules));
	give(&other, "remote=192.0.2.1:1,udp=drop");
	make(&other, &defaults);
	ck_assert(udpguard_rules_equal(&one.rules, &other.rules));
	take_away(&one);
	take_away(&other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("udpguard_rules");
	TCase *tcase = tcase_create("rules");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_filters);
	tcase_add_test(tcase, test_expanded);
	tcase_add_test(tcase, test_names);
	tcase_add_test(tcase, test_more);
	tcase_add_test(tcase, test_equal);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
