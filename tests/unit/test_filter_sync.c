// SPDX-License-Identifier: GPL-2.0-only
/* From one list of filters to another: what is set and removed, in which order, and what happens on errors; counts of ports. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter_ports.h"
#include "filter_sync.h"
#include "log.h"
#include "prng.h"

enum {
	MAP_MAX = 64,
	WALK_STEPS = 2000,
};

static const struct conn_settings defaults = CONN_SETTINGS_DEFAULT;

/* A datapath. */
struct map {
	struct {
		struct filter_key key;
		struct conn_settings settings;
	} entry[MAP_MAX];
	size_t count;
	size_t sets, removes;
	size_t fails_at; /* the set that fails, counted from 1; 0: none */
	bool removed;	 /* since then nothing may be set */
};

static int map_find(const struct map *map, const struct filter_key *key)
{
	for (size_t i = 0; i < map->count; i++) {
		if (!memcmp(&map->entry[i].key, key, sizeof(*key)))
			return (int)i;
	}
	return -1;
}

static int map_set(void *context, const struct filter *filter, const struct conn_settings *settings)
{
	struct map *map = context;
	int at = map_find(map, &filter->key);

	ck_assert(!filter->wildcard);
	if (++map->sets == map->fails_at)
		return -E2BIG;
	ck_assert(!map->removed || map->fails_at);
	if (at < 0) {
		ck_assert_uint_lt(map->count, MAP_MAX);
		at = (int)map->count++;
	}
	map->entry[at].key = filter->key;
	map->entry[at].settings = *settings;
	return 0;
}

static int map_remove(void *context, const struct filter *filter)
{
	struct map *map = context;
	int at = map_find(map, &filter->key);

	map->removes++;
	map->removed = true;
	if (at < 0)
		return -ENOENT;
	map->entry[at] = map->entry[--map->count];
	return 0;
}

static void add(struct filter_list *list, const char *text)
{
	struct parse_error error = { "" };
	struct filter_spec spec;

	ck_assert_msg(!filter_parse(&spec, text, &error), "%s", error.text);
	ck_assert_int_eq(filter_list_add(list, &spec, NULL, &error), 0);
}

static struct filter_sync_result sync(struct map *map, const struct filter_list *old, const struct conn_settings *old_settings,
				      const struct filter_list *next, const struct conn_settings *settings, int expected)
{
	const struct filter_sync_ops ops = { .set = map_set, .remove = map_remove, .context = map };
	const struct filter_sync_side from = { .list = old, .settings = old_settings };
	const struct filter_sync_side to = { .list = next, .settings = settings };
	struct filter_sync_result result;

	map->sets = map->removes = 0;
	map->removed = false;
	ck_assert_int_eq(filter_sync(&from, &to, &ops, &result), expected);
	return result;
}

static void expect_result(struct filter_sync_result result, size_t added, size_t changed, size_t removed)
{
	ck_assert_uint_eq(result.added, added);
	ck_assert_uint_eq(result.changed, changed);
	ck_assert_uint_eq(result.removed, removed);
	ck_assert_uint_eq(result.stuck, 0);
}

/* The map holds what the list says, and nothing else. */
static void expect_map(const struct map *map, const struct filter_list *list, const struct conn_settings *base)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct conn_settings settings = *base;
		int at = map_find(map, &list->items[i].key);

		if (list->items[i].wildcard)
			continue;
		count++;
		settings_apply(&settings, &list->items[i].patch);
		ck_assert_int_ge(at, 0);
		ck_assert(!memcmp(&map->entry[at].settings, &settings, sizeof(settings)));
	}
	ck_assert_uint_eq(map->count, count);
}

START_TEST(test_differences)
{
	struct filter_list none = { 0 }, first = { 0 }, second = { 0 };
	struct map map = { .count = 0 };

	add(&first, "local=0.0.0.0:1");
	add(&first, "local=192.0.2.1:1");
	add(&first, "remote=192.0.2.1:1,padding=3");
	add(&first, "remote=[2001:db8::1]:2");
	expect_result(sync(&map, &none, &defaults, &first, &defaults, 0), 3, 0, 0);
	expect_map(&map, &first, &defaults);

	/* The same: nothing is touched. */
	expect_result(sync(&map, &first, &defaults, &first, &defaults, 0), 0, 0, 0);
	ck_assert_uint_eq(map.sets + map.removes, 0);

	/* One stays, one changes, one goes, one comes; what says the same in other words is no change. */
	add(&second, "remote=192.0.2.1:1,padding=4");
	add(&second, "local=192.0.2.1:1,padding=0,handshake=2:3,pace=fast");
	add(&second, "local=192.0.2.1:2");
	expect_result(sync(&map, &first, &defaults, &second, &defaults, 0), 1, 1, 1);
	ck_assert_uint_eq(map.sets, 2);
	expect_map(&map, &second, &defaults);
	expect_result(sync(&map, &second, &defaults, &none, &defaults, 0), 0, 0, 3);
	ck_assert_uint_eq(map.count, 0);
	filter_list_free(&first);
	filter_list_free(&second);
}
END_TEST

START_TEST(test_global_settings)
{
	struct conn_settings other = defaults;
	struct filter_list none = { 0 }, list = { 0 };
	struct map map = { .count = 0 };

	other.keepalive_time_s = 20;
	add(&list, "remote=192.0.2.1:1");
	add(&list, "remote=192.0.2.2:1,keepalive=180:10:3:600");
	sync(&map, &none, &defaults, &list, &defaults, 0);
	expect_result(sync(&map, &list, &defaults, &list, &other, 0), 0, 1, 0);
	expect_map(&map, &list, &other);
	filter_list_free(&list);
}
END_TEST

/* Whichever set fails, it is as before. */
START_TEST(test_errors)
{
	struct filter_list none = { 0 }, first = { 0 }, second = { 0 };
	struct map map = { .count = 0 };

	add(&first, "remote=192.0.2.1:1");
	add(&first, "remote=192.0.2.2:1");
	add(&second, "remote=192.0.2.1:1,padding=1");
	add(&second, "remote=192.0.2.3:1");
	add(&second, "remote=192.0.2.4:1");
	sync(&map, &none, &defaults, &first, &defaults, 0);
	for (size_t at = 1; at <= 3; at++) {
		map.fails_at = at;
		expect_result(sync(&map, &first, &defaults, &second, &defaults, -E2BIG), 0, 0, 0);
		expect_map(&map, &first, &defaults);
	}
	map.fails_at = 0;
	expect_result(sync(&map, &first, &defaults, &second, &defaults, 0), 2, 1, 1);
	/* What cannot be removed is said, and does not stop the rest. */
	map.count--;
	ck_assert_uint_eq(sync(&map, &second, &defaults, &none, &defaults, 0).stuck, 1);
	ck_assert_uint_eq(map.count, 0);
	filter_list_free(&first);
	filter_list_free(&second);
}
END_TEST

START_TEST(test_random_walk)
{
	struct filter_list old = { 0 };
	struct map map = { .count = 0 };
	uint64_t seed = 11;

	for (int i = 0; i < WALK_STEPS; i++) {
		struct filter_list next = { .quiet = true };
		struct filter_sync_result result;
		size_t sets_and_removes;
		uint8_t bytes[8];

		prng_fill(&seed, bytes, sizeof(bytes));
		for (int k = 0; k < 16; k++) {
			char text[64];

			if (!(bytes[k & 7] >> (k / 8) & 1))
				continue;
			snprintf(text, sizeof(text), "%s=192.0.2.%d:7,padding=%d", k & 1 ? "local" : "remote", k,
				 bytes[k & 7] >> 4 & 3);
			add(&next, text);
		}
		result = sync(&map, &old, &defaults, &next, &defaults, 0);
		expect_map(&map, &next, &defaults);
		sets_and_removes = map.sets + map.removes;
		ck_assert_uint_eq(result.added + result.changed + result.removed, sets_and_removes);
		filter_list_free(&old);
		old = next;
	}
	filter_list_free(&old);
}
END_TEST

START_TEST(test_ports)
{
	struct filter_ports *ports = filter_ports_new();
	struct filter_prefix end[4];
	struct filter_key key;
	struct addr addr;

	ck_assert_ptr_nonnull(ports);
	addr_from_ipv4(&addr, htonl(0xc0000201));
	filter_key_make(&key, &addr, htons(65535), ORIGIN_LOCAL);
	filter_prefix_make(&end[0], &key, ADDR_BITS);
	filter_key_make(&key, &addr, htons(65535), ORIGIN_REMOTE);
	filter_prefix_make(&end[1], &key, ADDR_BITS);
	addr_from_ipv4(&addr, htonl(0xc0000202));
	filter_key_make(&key, &addr, htons(65535), ORIGIN_LOCAL);
	filter_prefix_make(&end[2], &key, ADDR_BITS);
	filter_prefix_make(&end[3], &key, ADDR_BITS - 1);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(filter_ports_add(ports, &end[i]), 1);
	ck_assert_int_eq(filter_ports_add(ports, &end[0]), 0); /* its settings were replaced: it counts once */
	ck_assert_uint_eq(filter_ports_count(ports, ORIGIN_LOCAL, 65535), 3);
	ck_assert_uint_eq(filter_ports_count(ports, ORIGIN_REMOTE, 65535), 1);
	ck_assert_uint_eq(filter_ports_count(ports, ORIGIN_LOCAL, 0), 0);
	ck_assert(filter_ports_remove(ports, &end[0]));
	ck_assert(!filter_ports_remove(ports, &end[0]));
	ck_assert_uint_eq(filter_ports_count(ports, ORIGIN_LOCAL, 65535), 2);
	filter_ports_clear(ports);
	ck_assert_uint_eq(filter_ports_count(ports, ORIGIN_LOCAL, 65535), 0);
	ck_assert_uint_eq(filter_ports_count(ports, ORIGIN_REMOTE, 65535), 0);
	ck_assert_int_eq(filter_ports_add(ports, &end[0]), 1);
	filter_ports_free(ports);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filter_sync");
	TCase *tcase = tcase_create("filter_sync");
	SRunner *runner = srunner_create(suite);
	int failed;

	log_set_level(LOG_LEVEL_ERROR);
	tcase_add_test(tcase, test_differences);
	tcase_add_test(tcase, test_global_settings);
	tcase_add_test(tcase, test_errors);
	tcase_add_test(tcase, test_random_walk);
	tcase_add_test(tcase, test_ports);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
