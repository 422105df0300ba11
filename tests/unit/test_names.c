// SPDX-License-Identifier: GPL-2.0-only
/* Host names of the configuration: when they are looked up again, and what becomes of their addresses. */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "names.h"

#define SEC 1000000000ULL

enum {
	BEGIN_S = 1000,
	INTERVAL_S = 300,
};

static struct filter_spec specs[4];

static void setup(void)
{
	const char *const texts[] = { "remote=a.test:1", "remote=192.0.2.9:1", "remote=b.test:2", "local=a.test:3,padding=1" };

	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(filter_parse(&specs[i], texts[i], NULL), 0);
}

static struct addr addr_of(const char *text)
{
	struct filter_spec spec = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	struct addr addr;

	strcpy(spec.host, text);
	ck_assert(filter_spec_addr(&spec, &addr));
	return addr;
}

static struct names begun(uint32_t interval_s)
{
	struct names names = { 0 };

	ck_assert_int_eq(names_make(&names, NULL, specs, 4, interval_s, BEGIN_S * SEC), 0);
	return names;
}

/* Answers with up to two addresses, or with an error. */
static int answer(struct names *names, const char *host, const char *first, const char *second, int err, uint64_t now_s)
{
	struct addr addrs[2];
	struct resolver_answer answer = { .err = err, .addrs = addrs };

	if (first)
		addrs[answer.count++] = addr_of(first);
	if (second)
		addrs[answer.count++] = addr_of(second);
	names_asked(names_find(names, host), now_s * SEC);
	return names_answer(names, names_find(names, host), &answer, now_s * SEC);
}

static void expect_addrs(const struct names *names, const char *host, size_t all, const char *expected)
{
	char text[128];

	names_print(text, sizeof(text), names_find(names, host));
	ck_assert_str_eq(text, expected);
	ck_assert_uint_eq(names_find(names, host)->count, all);
}

/* `b.test` is never due here. */
static void expect_due(struct names *names, uint64_t at_s)
{
	names_find(names, "b.test")->due_ns = UINT64_MAX;
	ck_assert_ptr_null(names_due(names, at_s * SEC - 1));
	ck_assert_ptr_nonnull(names_due(names, at_s * SEC));
	ck_assert_str_eq(names_due(names, at_s * SEC)->host, "a.test");
}

START_TEST(test_order)
{
	struct names names = begun(INTERVAL_S);

	ck_assert_uint_eq(names.count, 2); /* each once, whatever names it */
	ck_assert_ptr_null(names_due(&names, BEGIN_S * SEC - 1));
	ck_assert_str_eq(names_due(&names, BEGIN_S * SEC)->host, "a.test");
	names_asked(names_find(&names, "a.test"), BEGIN_S * SEC);
	ck_assert_str_eq(names_due(&names, BEGIN_S * SEC)->host, "b.test");
	names_asked(names_find(&names, "b.test"), BEGIN_S * SEC);
	ck_assert_ptr_null(names_due(&names, BEGIN_S * SEC * 1000)); /* the answers are waited for */
	names_free(&names);
}
END_TEST

START_TEST(test_times)
{
	struct names names = begun(INTERVAL_S);

	/* Never resolved: every few seconds. */
	ck_assert_int_eq(answer(&names, "a.test", NULL, NULL, -EAGAIN, BEGIN_S), 0);
	expect_due(&names, BEGIN_S + NAMES_RETRY_S);
	ck_assert_int_eq(answer(&names, "a.test", NULL, NULL, -ENOENT, BEGIN_S), 0);
	expect_due(&names, BEGIN_S + NAMES_RETRY_S);
	/* Resolved: at the interval; and an error changes nothing but the time. */
	ck_assert_int_eq(answer(&names, "a.test", "192.0.2.1", "2001:db8::1", 0, BEGIN_S), 1);
	expect_due(&names, BEGIN_S + INTERVAL_S);
	ck_assert_int_eq(answer(&names, "a.test", NULL, NULL, -ENOENT, BEGIN_S), 0);
	expect_due(&names, BEGIN_S + NAMES_RETRY_FAILED_S);
	expect_addrs(&names, "a.test", 2, "192.0.2.1, 2001:db8::1");
	names_free(&names);

	names = begun(10); /* shorter than a retry */
	answer(&names, "a.test", "192.0.2.1", NULL, 0, BEGIN_S);
	answer(&names, "a.test", NULL, NULL, -EAGAIN, BEGIN_S);
	expect_due(&names, BEGIN_S + 10);
	names_free(&names);

	names = begun(0); /* until it is known, and never again */
	answer(&names, "a.test", NULL, NULL, -EAGAIN, BEGIN_S);
	expect_due(&names, BEGIN_S + NAMES_RETRY_S);
	answer(&names, "a.test", "192.0.2.1", NULL, 0, BEGIN_S);
	names_doubt(&names, names_find(&names, "a.test"), BEGIN_S * SEC);
	names_find(&names, "b.test")->due_ns = UINT64_MAX;
	ck_assert_ptr_null(names_due(&names, UINT64_MAX - 1));
	names_free(&names);
}
END_TEST

START_TEST(test_doubt)
{
	struct names names = begun(INTERVAL_S);
	struct name *name = names_find(&names, "a.test");

	answer(&names, "a.test", "192.0.2.1", NULL, 0, BEGIN_S);
	names_doubt(&names, name, (BEGIN_S + 1) * SEC); /* too soon after the last lookup */
	expect_due(&names, BEGIN_S + NAMES_DOUBT_S);
	answer(&names, "a.test", "192.0.2.1", NULL, 0, BEGIN_S + 5);
	names_doubt(&names, name, (BEGIN_S + 100) * SEC);
	expect_due(&names, BEGIN_S + 100);
	names_doubt(&names, name, (BEGIN_S + 101) * SEC); /* is no reason to wait */
	expect_due(&names, BEGIN_S + 100);
	names_free(&names);
}
END_TEST

START_TEST(test_addresses_leave)
{
	struct names names = begun(INTERVAL_S);
	struct conn_key used = { .remote = addr_of("192.0.2.1") }, other = { .remote = addr_of("192.0.2.77") };

	answer(&names, "a.test", "192.0.2.1", "192.0.2.2", 0, BEGIN_S);
	ck_assert_int_eq(answer(&names, "a.test", "192.0.2.2", "192.0.2.1", 0, BEGIN_S), 0); /* another order */
	ck_assert_int_eq(answer(&names, "a.test", "192.0.2.3", NULL, 0, BEGIN_S), 1);
	ck_assert_uint_eq(names.left, 2);
	expect_addrs(&names, "a.test", 3, "192.0.2.3");
	/* One is in use, the other is not; one that belongs to the name needs no use. */
	for (int walk = 1; walk <= 10; walk++) {
		names_show(&names, &used);
		names_show(&names, &other);
		ck_assert(names_end_walk(&names) == (walk == NAMES_UNUSED_WALKS));
	}
	ck_assert_uint_eq(names.left, 1);
	expect_addrs(&names, "a.test", 2, "192.0.2.3");
	/* One that comes back has not left. */
	ck_assert_int_eq(answer(&names, "a.test", "192.0.2.3", "192.0.2.1", 0, BEGIN_S), 1);
	ck_assert_uint_eq(names.left, 0);
	for (int walk = 0; walk < 10; walk++)
		ck_assert(!names_end_walk(&names));
	expect_addrs(&names, "a.test", 2, "192.0.2.1, 192.0.2.3");
	names_free(&names);
}
END_TEST

START_TEST(test_reload)
{
	struct names old = begun(INTERVAL_S), names = { 0 };
	struct conn_key used = { .remote = addr_of("192.0.2.1") };
	struct filter_spec next[2];

	answer(&old, "a.test", "192.0.2.1", "192.0.2.2", 0, BEGIN_S);
	answer(&old, "a.test", "192.0.2.2", NULL, 0, BEGIN_S);
	answer(&old, "b.test", "192.0.2.5", NULL, 0, BEGIN_S);
	answer(&old, "b.test", "192.0.2.6", NULL, 0, BEGIN_S);
	ck_assert_uint_eq(old.left, 2);
	ck_assert(!names_end_walk(&old));
	ck_assert_int_eq(filter_parse(&next[0], "remote=a.test:7", NULL), 0);
	ck_assert_int_eq(filter_parse(&next[1], "remote=c.test:7", NULL), 0);
	ck_assert_int_eq(names_make(&names, &old, next, 2, 7, (BEGIN_S + 9) * SEC), 0);
	names_free(&old);
	ck_assert_uint_eq(names.count, 2);
	ck_assert_uint_eq(names.left, 1); /* (b.test is not needed any more) */
	expect_addrs(&names, "a.test", 2, "192.0.2.2"); /* what left stays as long as it would have */
	expect_addrs(&names, "c.test", 0, "");
	ck_assert_str_eq(names_due(&names, (BEGIN_S + 9) * SEC)->host, "a.test");
	ck_assert_int_eq(answer(&names, "a.test", "192.0.2.2", NULL, 0, BEGIN_S + 9), 0);
	ck_assert_uint_eq(names_find(&names, "a.test")->due_ns, (BEGIN_S + 9 + 7) * SEC);
	names_show(&names, &used);
	ck_assert(!names_end_walk(&names));
	for (int walk = 1; walk <= NAMES_UNUSED_WALKS; walk++)
		ck_assert(names_end_walk(&names) == (walk == NAMES_UNUSED_WALKS));
	ck_assert_uint_eq(names.left, 0);
	expect_addrs(&names, "a.test", 1, "192.0.2.2");
	names_free(&names);
}
END_TEST

START_TEST(test_print)
{
	struct names names = begun(INTERVAL_S);
	char text[18];

	answer(&names, "a.test", "192.0.2.1", "192.0.2.2", 0, BEGIN_S);
	names_print(text, sizeof(text), names_find(&names, "a.test"));
	ck_assert_str_eq(text, "192.0.2.1"); /* the second does not fit */
	names_free(&names);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("names");
	TCase *tcase = tcase_create("names");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, test_order);
	tcase_add_test(tcase, test_times);
	tcase_add_test(tcase, test_doubt);
	tcase_add_test(tcase, test_addresses_leave);
	tcase_add_test(tcase, test_reload);
	tcase_add_test(tcase, test_print);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
