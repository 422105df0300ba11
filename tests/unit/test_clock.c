/* SPDX-License-Identifier: GPL-2.0-only */
/* The clock: which connections are ticked when, and what it says when the kernel does not let it read them */
#include <bpf/bpf.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "datapath.h"
#include "log.h"

enum {
	CONNS = 3000, /* more than one batch */
	TEXT_MAX = 4096,
};

static struct datapath datapath;
static struct mimic_shared shared;
static struct clock clock_;
static struct mimic_conn conns[CONNS];
static uint32_t conn_count, ticked, shut_down, refitted, drained, shown;
static int lookup_error, saved = -1, reader = -1;

static struct conn_key key_of(uint32_t index)
{
	return (struct conn_key){ .local.word[0] = index };
}

/* In place of libbpf's: the map is `conns`, in this order; @out is the next index. */
int bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *count,
			 const struct bpf_map_batch_opts *opts)
{
	__u32 begin = in ? *(__u32 *)in : 0, n = 0;

	(void)fd;
	(void)opts;
	if (lookup_error) {
		errno = lookup_error;
		return -lookup_error;
	}
	for (; n < *count && begin + n < conn_count; n++) {
		((struct conn_key *)keys)[n] = key_of(begin + n);
		((struct mimic_conn *)values)[n] = conns[begin + n];
	}
	*count = n;
	*(__u32 *)out = begin + n;
	if (begin + n < conn_count)
		return 0;
	errno = ENOENT;
	return -ENOENT;
}

/* In place of src/datapath.c. */
int datapath_command(struct datapath *path, enum mimic_command_type type, const struct mimic_command_entry *entries,
		     uint32_t count)
{
	ck_assert_ptr_eq(path, &datapath);
	ck_assert_uint_le(count, MIMIC_COMMANDS_MAX);
	(void)entries;
	if (type == COMMAND_TICK)
		ticked += count;
	else if (type == COMMAND_SHUTDOWN)
		shut_down += count;
	else if (type == COMMAND_REFIT)
		refitted += count;
	return 0;
}

static void drain(void *context)
{
	(void)context;
	drained++;
}

static void show(void *context, const struct conn_key *key)
{
	struct conn_key expected = key_of(shown++);

	ck_assert_ptr_eq(context, &shown);
	ck_assert(!memcmp(key, &expected, sizeof(expected)));
}

static void setup(void)
{
	int ends[2];

	memset(&shared, 0, sizeof(shared));
	memset(conns, 0, sizeof(conns));
	datapath.shared = &shared;
	conn_count = ticked = shut_down = refitted = drained = shown = 0;
	lookup_error = 0;
	ck_assert_int_eq(clock_init(&clock_, &datapath, drain, NULL), 0);
	unsetenv("JOURNAL_STREAM");
	ck_assert_int_eq(pipe(ends), 0);
	reader = ends[0];
	saved = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
}

static void teardown(void)
{
	clock_free(&clock_);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(reader);
}

/* All that was logged; from now on stderr is the old one. */
static const char *logged(void)
{
	static char text[TEXT_MAX];
	size_t length = 0;
	ssize_t n;

	dup2(saved, STDERR_FILENO);
	while ((n = read(reader, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	return text;
}

START_TEST(test_walk)
{
	const uint64_t now_ns = 1000 * NSEC_PER_SEC;

	conn_count = CONNS;
	for (uint32_t i = 0; i < CONNS; i += 3) {
		conns[i].c.state = CONN_SYN_RECEIVED;
		conns[i].c.timer_ns = i % 2 ? now_ns : now_ns + 10 * NSEC_PER_SEC;
	}
	for (uint32_t i = 0; i < CONNS; i++) {
		conns[i].c.last_use_ns = now_ns;
		conns[i].c.last_rx_ns = now_ns;
	}
	ck_assert_int_eq(clock_tick(&clock_, now_ns), CONNS);
	ck_assert_uint_eq(ticked, CONNS / 6);
	ck_assert_int_eq(shared.half_open, CONNS / 3);
	ck_assert_int_eq(clock_tick(&clock_, now_ns + CLOCK_SLOW_NS - 1), CLOCK_NOT_WALKED);
	ck_assert_uint_eq(ticked, CONNS / 6);
	clock_shutdown(&clock_);
	ck_assert_uint_eq(shut_down, CONNS);
	ck_assert_uint_ge(drained, CONNS / MIMIC_COMMANDS_MAX);
	ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(test_watch)
{
	struct conn_key key = key_of(1);
	uint64_t now_ns = 1000 * NSEC_PER_SEC;

	clock_tick(&clock_, now_ns);
	clock_watch(&clock_, &key, now_ns);
	clock_watch(&clock_, &key, now_ns + 1);
	ck_assert_uint_eq(clock_.watch_count, 1);
	clock_tick(&clock_, now_ns + CLOCK_FAST_NS);
	ck_assert_uint_eq(ticked, 1);
	clock_tick(&clock_, now_ns + CLOCK_WATCH_NS + 1);
	ck_assert_uint_eq(ticked, 2);
	ck_assert_uint_eq(clock_.watch_count, 0);
	clock_tick(&clock_, now_ns + CLOCK_WATCH_NS + CLOCK_FAST_NS);
	ck_assert_uint_eq(ticked, 2);
}
END_TEST

/* One line, however long it lasts; what is watched is ticked on, and what the daemon knew stays. */
START_TEST(test_no_memory)
{
	struct conn_key key = key_of(1);
	uint64_t now_ns = 1000 * NSEC_PER_SEC;
	const char *text;

	shared.half_open = 17;
	lookup_error = ENOMEM;
	clock_watch(&clock_, &key, now_ns);
	for (uint32_t i = 1; i <= 3; i++) {
		ck_assert_int_eq(clock_tick(&clock_, now_ns + i * CLOCK_SLOW_NS), -ENOMEM);
		ck_assert_uint_eq(ticked, i);
	}
	ck_assert_int_eq(shared.half_open, 17);
	text = logged();
	ck_assert_ptr_nonnull(strstr(text, "warn: Cannot read the connections: Cannot allocate memory; some timers are late\n"));
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
}
END_TEST

/* Filters have changed: all connections, at once and with the next walk, and then no more. Whoever asks is shown all of each walk. */
START_TEST(test_refit)
{
	uint64_t now_ns = 1000 * NSEC_PER_SEC;

	conn_count = CONNS;
	for (uint32_t i = 0; i < CONNS; i++)
		conns[i].c.last_use_ns = now_ns;
	clock_.show = show;
	clock_.show_context = &shown;
	clock_refit(&clock_);
	ck_assert_uint_eq(refitted, CONNS);
	ck_assert_uint_eq(shown, 0);
	ck_assert_int_eq(clock_tick(&clock_, now_ns), CONNS);
	ck_assert_uint_eq(refitted, 2 * CONNS);
	ck_assert_uint_eq(shown, CONNS);
	shown = 0;
	ck_assert_int_eq(clock_tick(&clock_, now_ns + CLOCK_SLOW_NS), CONNS);
	ck_assert_uint_eq(refitted, 2 * CONNS);
	ck_assert_uint_eq(shown, CONNS);
	ck_assert_uint_eq(ticked + shut_down, 0);
}
END_TEST

START_TEST(test_shutdown_fails)
{
	lookup_error = ENOMEM;
	clock_shutdown(&clock_);
	ck_assert_str_eq(logged(), "warn: Cannot read the connections: Cannot allocate memory; some peers are not told of the end\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clock");
	TCase *tcase = tcase_create("clock");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_walk);
	tcase_add_test(tcase, test_watch);
	tcase_add_test(tcase, test_no_memory);
	tcase_add_test(tcase, test_refit);
	tcase_add_test(tcase, test_shutdown_fails);
	suite_add_tcase(suite, tcase);
	/* The log's rate limit is per process. */
	srunner_set_fork_status(runner, CK_FORK);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
