/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line, as people and programs call it today. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"

enum {
	ARGV_MAX = 32,
};

static struct args_run run_args;
static struct args_show show_args;

static int main_run(int argc, char **argv)
{
	return args_parse_run(&run_args, argc, argv);
}

static int main_show(int argc, char **argv)
{
	return args_parse_show(&show_args, argc, argv);
}

static const struct args_command commands[] = {
	{ "run", "run", main_run },
	{ "show", "show", main_show },
	{ 0 },
};

/* Splits @line at blanks and gives it to the dispatcher. The strings live until the next call. */
static int dispatch(const char *line)
{
	static char buf[512];
	char *argv[ARGV_MAX + 1] = { NULL }, *rest = buf;
	int argc = 0;

	args_run_free(&run_args);
	ck_assert_uint_lt(strlen(line), sizeof(buf));
	strcpy(buf, line);
	while (argc < ARGV_MAX && (argv[argc] = strsep(&rest, " ")))
		argc++;
	return args_dispatch(commands, argc, argv);
}

/* Messages are wanted nowhere here; each test is a process of its own. */
static void setup(void)
{
	int fd = open("/dev/null", O_WRONLY);

	ck_assert_int_ge(fd, 0);
	dup2(fd, STDERR_FILENO);
	dup2(fd, STDOUT_FILENO);
	close(fd);
}

static void teardown(void)
{
	args_run_free(&run_args);
}

START_TEST(test_run_plain)
{
	ck_assert_int_eq(dispatch("mimic run eth0"), 0);
	ck_assert_str_eq(run_args.ifname, "eth0");
	ck_assert_ptr_null(run_args.file);
	ck_assert(!run_args.check);
	ck_assert_int_eq(run_args.config.log_level, LOG_LEVEL_INFO);
	ck_assert_int_eq(run_args.config.link_type, LINK_TYPE_AUTO);
	ck_assert_int_eq(run_args.config.xdp_mode, XDP_MODE_AUTO);
	ck_assert_int_eq(run_args.config.datapath, LEVEL_AUTO);
	ck_assert(!run_args.config.use_libxdp);
	ck_assert_uint_eq(run_args.config.settings.given, 0);
	ck_assert_uint_eq(run_args.config.filter_count, 0);
}
END_TEST

static void check_everything(void)
{
	const struct config *config = &run_args.config;

	ck_assert_str_eq(run_args.ifname, "eth0");
	ck_assert_str_eq(run_args.file, "x.conf");
	ck_assert(run_args.check);
	ck_assert_int_eq(config->log_level, LOG_LEVEL_DEBUG);
	ck_assert_int_eq(config->link_type, LINK_TYPE_NONE);
	ck_assert_int_eq(config->xdp_mode, XDP_MODE_NATIVE);
	ck_assert(config->use_libxdp);
	ck_assert_uint_eq(config->filter_count, 2);
	ck_assert_uint_eq(config->filters[1].port, 2);
	ck_assert_uint_eq(config->settings.given, SETTINGS_HANDSHAKE_INTERVAL | SETTINGS_PADDING |
							  SETTINGS_KEEPALIVE_TIME |
							  SETTINGS_MAX_WINDOW);
	ck_assert_uint_eq(config->settings.value.padding, PADDING_RANDOM);
	ck_assert_uint_eq(config->settings.value.keepalive_time_s, 60);
}

START_TEST(test_run_everything)
{
	ck_assert_int_eq(
		dispatch("mimic run -f local=192.0.2.1:1 -f local=192.0.2.2:2 -F x.conf "
			 "-L none -x native -X -v -h 0: -k 60::: -p random -W --check eth0"),
		0);
	check_everything();
	ck_assert_int_eq(dispatch(
				 "mimic run eth0 -flocal=192.0.2.1:1 -f local=192.0.2.2:2 -Fx.conf "
				 "-Lnone -xnative -Xv -h0: -k60::: -prandom -W --check"),
			 0);
	check_everything();
}
END_TEST

START_TEST(test_run_long)
{
	ck_assert_int_eq(
		dispatch("mimic run --filter=local=192.0.2.1:1 --filter=local=192.0.2.2:2 "
			 "--file=x.conf --link-type=none eth0 --xdp-mode=native --use-libxdp "
			 "--handshake=0: --keepalive=60::: --padding=random --max-window "
			 "--verbose --check"),
		0);
	check_everything();
	ck_assert_int_eq(dispatch("mimic run --datapath=kfunc eth0"), 0);
	ck_assert_int_eq(run_args.config.datapath, LEVEL_KFUNC);
	ck_assert_int_eq(dispatch("mimic run --datapath=gso eth0"), 0);
	ck_assert_int_eq(run_args.config.datapath, LEVEL_GSO);
	ck_assert_int_eq(dispatch("mimic run --datapath bpf eth0 --datapath auto"), 0);
	ck_assert_int_eq(run_args.config.datapath, LEVEL_AUTO);
	ck_assert_int_eq(dispatch("mimic run --datapath=module eth0"), -EINVAL);
	ck_assert_int_eq(dispatch("mimic run --resolve-interval 60 eth0"), 0);
	ck_assert_uint_eq(run_args.config.resolve_interval_s, 60);
	ck_assert_int_eq(dispatch("mimic run --resolve-interval=often eth0"), -EINVAL);
	ck_assert_int_eq(dispatch("mimic run --xdp-mode skb --handshake 5 eth0 --padding 3"), 0);
	ck_assert_int_eq(run_args.config.xdp_mode, XDP_MODE_SKB);
	ck_assert_uint_eq(run_args.config.settings.value.padding, 3);
}
END_TEST

START_TEST(test_posixly_correct)
{
	setenv("POSIXLY_CORRECT", "1", 1);
	ck_assert_int_eq(dispatch("mimic run eth0 -p 3"), 0);
	ck_assert_uint_eq(run_args.config.settings.value.padding, 3);
}
END_TEST

START_TEST(test_verbosity)
{
	ck_assert_int_eq(dispatch("mimic run -vvvvv eth0"), 0);
	ck_assert_int_eq(run_args.config.log_level, LOG_LEVEL_TRACE);
	ck_assert_int_eq(dispatch("mimic run -q eth0 -q -q -q"), 0);
	ck_assert_int_eq(run_args.config.log_level, LOG_LEVEL_ERROR);
	ck_assert_int_eq(dispatch("mimic run -qv eth0"), 0);
	ck_assert_int_eq(run_args.config.log_level, LOG_LEVEL_INFO);
}
END_TEST

START_TEST(test_show)
{
	ck_assert_int_eq(dispatch("mimic show eth0"), 0);
	ck_assert_str_eq(show_args.ifname, "eth0");
	ck_assert(show_args.process && show_args.connections);
	ck_assert_int_eq(dispatch("mimic show -p eth0"), 0);
	ck_assert(show_args.process && !show_args.connections);
	ck_assert_int_eq(dispatch("mimic show eth0 --connections"), 0);
	ck_assert(!show_args.process && show_args.connections);
	ck_assert_int_eq(dispatch("mimic show -pc eth0"), 0);
	ck_assert(show_args.process && show_args.connections);
}
END_TEST

START_TEST(test_refused)
{
	static const char *const lines[] = {
		"mimic",
		"mimic walk eth0",
		"mimic ru eth0",
		"mimic run",
		"mimic run eth0 eth1",
		"mimic run eth0 -f local=192.0.2.1:0",
		"mimic run eth0 -L ethernet",
		"mimic run eth0 -L auto",
		"mimic run eth0 -x auto",
		"mimic run eth0 -x hardware",
		"mimic run eth0 -h 1:2:3",
		"mimic run eth0 -k x",
		"mimic run eth0 -p 17",
		"mimic show",
		"mimic show -p",
		"mimic show eth0 eth1",
	};
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_msg(dispatch(lines[i]) == -EINVAL, "taken: %s", lines[i]);
}
END_TEST

/* argp exits by itself: 0 for what prints to stdout, 1 for errors. */
static const char *const exits_0[] = {
	"mimic --help",	   "mimic -?",		"mimic --usage",      "mimic -V",
	"mimic --version", "mimic run --help",	"mimic run -?",	      "mimic run --usage",
	"mimic run -V",	   "mimic show --help", "mimic show --usage", "mimic show -V",
};
static const char *const exits_1[] = {
	"mimic --walk",	     "mimic run --walk eth0",	 "mimic run eth0 -f",
	"mimic run -Z eth0", "mimic run eth0 --check=1", "mimic show -x eth0",
};

START_TEST(test_exits_0)
{
	dispatch(exits_0[_i]);
	_exit(77);
}
END_TEST

START_TEST(test_exits_1)
{
	dispatch(exits_1[_i]);
	_exit(77);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("args");
	TCase *tcase = tcase_create("command line");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_run_plain);
	tcase_add_test(tcase, test_run_everything);
	tcase_add_test(tcase, test_run_long);
	tcase_add_test(tcase, test_posixly_correct);
	tcase_add_test(tcase, test_verbosity);
	tcase_add_test(tcase, test_show);
	tcase_add_test(tcase, test_refused);
	tcase_add_loop_exit_test(tcase, test_exits_0, 0, 0,
				 (int)(sizeof(exits_0) / sizeof(exits_0[0])));
	tcase_add_loop_exit_test(tcase, test_exits_1, 1, 0,
				 (int)(sizeof(exits_1) / sizeof(exits_1[0])));
	suite_add_tcase(suite, tcase);
	/* The exits are expected of a process of their own; CK_FORK=no cannot have them. */
	srunner_set_fork_status(runner, CK_FORK);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
