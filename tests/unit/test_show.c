/* SPDX-License-Identifier: GPL-2.0-only */
/* mimic show: the counters, one line for each that is not zero; and the id of their map in the lock file */
#include <check.h>
#include <sys/stat.h>

#include "cmd_show.c"

enum {
	TEXT_MAX = 8192,
	MAP_FD = 4711, /* never used: datapath_counter() is ours */
};

static uint64_t counters[REASON_COUNT];
static char text[TEXT_MAX];

/* In place of src/datapath.c. */
uint64_t datapath_counter(int counters_fd, enum reason reason)
{
	ck_assert_int_eq(counters_fd, MAP_FD);
	ck_assert_int_gt(reason, REASON_NONE);
	ck_assert_int_lt(reason, REASON_COUNT);
	return counters[reason];
}

/* In place of src/clock.c. */
uint64_t clock_now_ns(void)
{
	return 0;
}

/* What show_counters() prints, in `text`. */
static void print_counters(const struct style *style)
{
	uint64_t read[REASON_COUNT] = { 0 };
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO);

	ck_assert_ptr_nonnull(file);
	fflush(stdout);
	ck_assert_int_ge(dup2(fileno(file), STDOUT_FILENO), 0);
	read_counters(MAP_FD, read);
	show_counters(style, read);
	fflush(stdout);
	ck_assert_int_ge(dup2(saved, STDOUT_FILENO), 0);
	close(saved);
	rewind(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
}

static const struct style plain = { "", "", "" };

START_TEST(test_none)
{
	memset(counters, 0, sizeof(counters));
	counters[REASON_NONE] = 5;
	print_counters(&plain);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(test_some)
{
	static const struct style marked = { "<t>", "<l>", "<r>" };

	memset(counters, 0, sizeof(counters));
	counters[REASON_TX_DATA] = 1234;
	counters[REASON_DROP_TOO_BIG] = 18446744073709551615ULL;
	print_counters(&plain);
	ck_assert_str_eq(text,
			 "- Packets: 1234 datagrams sent as TCP segments (tx_data)\n"
			 "- Packets: 18446744073709551615 dropped: larger than the MTU as a TCP segment (drop_too_big)\n");
	counters[REASON_DROP_TOO_BIG] = 0;
	print_counters(&marked);
	ck_assert_str_eq(text, "- <l>Packets:<r> 1234 datagrams sent as TCP segments (tx_data)\n");
}
END_TEST

/* No line may be taken for one that other programs look for (compatibility), and names are what a script can match. */
START_TEST(test_all)
{
	static const char *const taken[] = { "Filter:",	  "Connection ", "State:",    "PID:",
					     "Link Type:", "XDP Attach",  "Settings:", "Peer MSS:",
					     "Sequence:",  "running on",  " => " };
	char *line, *save;
	int lines = 0;

	for (int i = 0; i < REASON_COUNT; i++)
		counters[i] = 1;
	print_counters(&plain);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		ck_assert_msg(!strstr(text, taken[i]), "'%s' in: %s", taken[i], text);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *name = strrchr(line, '(');

		lines++;
		ck_assert_int_eq(strncmp(line, "- Packets: 1 ", 13), 0);
		ck_assert_ptr_nonnull(name);
		ck_assert_uint_eq(strspn(name + 1, "abcdefghijklmnopqrstuvwxyz_"), strlen(name + 1) - 1);
		ck_assert_int_eq(line[strlen(line) - 1], ')');
	}
	ck_assert_int_eq(lines, REASON_COUNT - 1);
}
END_TEST

START_TEST(test_lock_file)
{
	struct run_info info = { .version = "0.8.0", .pid = getpid(), .datapath = "bpf", .conns_id = 7,
				 .counters_id = 4294967295U, .settings = CONN_SETTINGS_DEFAULT }, again;
	char dir[] = "test_show.XXXXXX", path[64];
	struct runfile runfile;
	pid_t holder;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(runfile_path(path, sizeof(path), dir, 1, 2), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(runfile_claim(&runfile, path, &holder), 0);
		ck_assert_int_eq(runfile_publish(&runfile, &info), 0);
		ck_assert_int_eq(runfile_read(path, &again), 0);
		ck_assert_uint_eq(again.conns_id, 7);
		ck_assert_uint_eq(again.counters_id, info.counters_id);
		runfile_free_info(&again);
		runfile_remove(&runfile);
		info.counters_id = 0; /* as of a daemon that has none */
	}
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("show");
	TCase *tcase = tcase_create("show");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_none);
	tcase_add_test(tcase, test_some);
	tcase_add_test(tcase, test_all);
	tcase_add_test(tcase, test_lock_file);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
