/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration file: what is read, every error with its line, what it overrides. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

static char path[] = "/tmp/mimic-test-config-XXXXXX";

/* What config_load() reported, one message a line, errors with `!` in front. */
static char messages[4096];

static void note(void *context, enum log_level level, const char *message)
{
	size_t used = strlen(messages);

	ck_assert_ptr_eq(context, messages);
	snprintf(messages + used, sizeof(messages) - used, "%s%s\n",
		 level == LOG_LEVEL_ERROR ? "!" : "", message);
}

static int load_bytes(struct config *config, const char *text, size_t length)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, length, file), length);
	ck_assert_int_eq(fclose(file), 0);
	messages[0] = '\0';
	return config_load(config, path, note, messages);
}

static int load(struct config *config, const char *text)
{
	return load_bytes(config, text, strlen(text));
}

static void setup(void)
{
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void teardown(void)
{
	unlink(path);
}

START_TEST(test_all_keys)
{
	struct config config = CONFIG_INIT;

	ck_assert_int_eq(load(&config, "# a comment = with an equals sign\n"
				       "\n"
				       "   \t\n"
				       "log.verbosity = trace\n"
				       "link_type=none\n"
				       "xdp_mode\t=\tskb  \r\n"
				       "use_libxdp = true\n"
				       "datapath = bpf\n"
				       "resolve_interval = 17\n"
				       "handshake = 5:\n"
				       "keepalive=60:::\n"
				       "padding = random\n"
				       "max_window = 1\n"
				       "  filter = local=192.0.2.1:1,handshake=0:\n"
				       "filter = remote=[2001:db8::1]:2"),
			 0);
	ck_assert_str_eq(messages, "");
	ck_assert_int_eq(config.log_level, LOG_LEVEL_TRACE);
	ck_assert_int_eq(config.link_type, LINK_TYPE_NONE);
	ck_assert_int_eq(config.xdp_mode, XDP_MODE_SKB);
	ck_assert(config.use_libxdp);
	ck_assert_int_eq(config.datapath, LEVEL_BPF);
	ck_assert_uint_eq(config.resolve_interval_s, 17);
	ck_assert_uint_eq(config.settings.given, SETTINGS_HANDSHAKE_INTERVAL |
							 SETTINGS_KEEPALIVE_TIME |
							 SETTINGS_PADDING | SETTINGS_MAX_WINDOW);
	ck_assert_uint_eq(config.filter_count, 2);
	ck_assert_str_eq(config.filters[0].host, "192.0.2.1");
	ck_assert_uint_eq(config.filters[1].port, 2);
	config_free(&config);
}
END_TEST

START_TEST(test_verbosity)
{
	static const char *const names[] = { "error", "warn", "info", "debug", "trace" };
	struct config config = CONFIG_INIT;
	char text[64];
	int i;

	for (i = 0; i <= 4; i++) {
		snprintf(text, sizeof(text), "log.verbosity=%d", i);
		ck_assert_int_eq(load(&config, text), 0);
		ck_assert_int_eq(config.log_level, i);
		snprintf(text, sizeof(text), "log.verbosity=%s", names[i]);
		ck_assert_int_eq(load(&config, text), 0);
		ck_assert_int_eq(config.log_level, i);
	}
	ck_assert_int_eq(load(&config, "log.verbosity=5"), -EINVAL);
	ck_assert_int_eq(load(&config, "log.verbosity="), -EINVAL);
	ck_assert_int_eq(load(&config, "log.verbosity=00"), -EINVAL);
}
END_TEST

START_TEST(test_all_errors)
{
	static const int lines[] = { 1, 3, 4, 5, 6, 7, 9, 10 };
	struct config config = CONFIG_INIT;
	char expected[128], *at = messages;
	size_t i;

	ck_assert_int_eq(load(&config, "xdp_mode = hardware\n"
				       "padding = 3\n"
				       "filter = local=192.0.2.1:0\n"
				       "no setting\n"
				       "colour = blue\n"
				       "link_type=\n"
				       "= 3\n"
				       "handshake = 7:\n"
				       "use_libxdp = maybe\n"
				       "datapath = module\n"),
			 -EINVAL);
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(expected, sizeof(expected), "!%s:%d: ", path, lines[i]);
		ck_assert_msg(!strncmp(at, expected, strlen(expected)), "no '%s' at: %s", expected,
			      at);
		ck_assert_ptr_nonnull(strstr(at, "expected"));
		at = strchr(at, '\n') + 1;
	}
	ck_assert_str_eq(at, "");
	ck_assert_uint_eq(config.settings.value.padding, 3);
	config_free(&config);
}
END_TEST

START_TEST(test_resolve_interval)
{
	static const char *const wrong[] = { "", "-1", "1.5", "5s", "2592001", "99999999999999999999" };
	struct config config = CONFIG_INIT;

	ck_assert_uint_eq(config.resolve_interval_s, CONFIG_RESOLVE_INTERVAL_S);
	ck_assert_int_eq(config_set(&config, "resolve_interval", "0", NULL), 0);
	ck_assert_uint_eq(config.resolve_interval_s, 0);
	ck_assert_int_eq(config_set(&config, "resolve_interval", "2592000", NULL), 0);
	ck_assert_uint_eq(config.resolve_interval_s, CONFIG_RESOLVE_INTERVAL_MAX_S);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_int_eq(config_set(&config, "resolve_interval", wrong[i], NULL), -EINVAL);
	ck_assert_uint_eq(config.resolve_interval_s, CONFIG_RESOLVE_INTERVAL_MAX_S);
	config_free(&config);
}
END_TEST

START_TEST(test_overrides_command_line)
{
	struct config command_line = CONFIG_INIT, config;

	ck_assert_int_eq(config_set(&command_line, "filter", "local=192.0.2.1:1", NULL), 0);
	ck_assert_int_eq(config_set(&command_line, "keepalive", "60:5::", NULL), 0);
	ck_assert_int_eq(config_set(&command_line, "max_window", "true", NULL), 0);
	ck_assert_int_eq(config_copy(&config, &command_line), 0);
	ck_assert_int_eq(load(&config, "keepalive = 15:::\nmax_window = false\n"
				       "filter = local=192.0.2.2:2\n"),
			 0);
	ck_assert_uint_eq(config.settings.value.keepalive_time_s, 15);
	ck_assert_uint_eq(config.settings.value.keepalive_interval_s, 5);
	ck_assert_uint_eq(config.settings.value.max_window, 0);
	ck_assert_uint_eq(config.filter_count, 2);
	/* For a reload, the command line is as it was. */
	ck_assert_uint_eq(command_line.filter_count, 1);
	ck_assert_uint_eq(command_line.settings.value.keepalive_time_s, 60);
	config_free(&config);
	config_free(&command_line);
}
END_TEST

static void check_place(const struct filter_spec *spec, const char *expected)
{
	char text[FILTER_PLACE_MAX];

	ck_assert_int_eq(filter_print_place(text, sizeof(text), &spec->place), (int)strlen(expected));
	ck_assert_str_eq(text, expected);
}

/* Errors that show later, of filters together, can name the line, also of a file that has others. */
START_TEST(test_places)
{
	struct config config = CONFIG_INIT, copy;
	char expected[64];

	ck_assert_int_eq(config_set(&config, "filter", "local=192.0.2.1:1", NULL), 0);
	ck_assert_int_eq(load(&config, "# comment\nfilter = local=192.0.2.1:2\nnonsense\n\nfilter = remote=a.test:3"), -EINVAL);
	ck_assert_int_eq(config_set(&config, "filter", "local=192.0.2.1:4", NULL), 0);
	ck_assert_int_eq(config_copy(&copy, &config), 0);
	ck_assert_uint_eq(copy.filter_count, 4);
	check_place(&copy.filters[0], "--filter");
	snprintf(expected, sizeof(expected), "%s:2", path);
	check_place(&copy.filters[1], expected);
	snprintf(expected, sizeof(expected), "%s:5", path);
	check_place(&copy.filters[2], expected);
	check_place(&copy.filters[3], "--filter");
	config_free(&copy);
	config_free(&config);
}
END_TEST

START_TEST(test_missing_file)
{
	struct config config = CONFIG_INIT;

	messages[0] = '\0';
	ck_assert_int_eq(config_load(&config, "/nonexistent/mimic.conf", note, messages), 0);
	ck_assert_int_eq(strncmp(messages, "/nonexistent/mimic.conf: ", 25), 0);
	ck_assert(config.missing);
	ck_assert_int_eq(config_load(&config, NULL, note, messages), 0);
	ck_assert_int_eq(config_load_existing(&config, NULL), 0);
	log_set_level(-1);
	ck_assert_int_eq(config_load_existing(&config, "/nonexistent/mimic.conf"), -ENOENT);
	ck_assert_int_eq(load(&config, ""), 0);
	ck_assert(!config.missing);
	config_free(&config);
}
END_TEST

START_TEST(test_unreadable)
{
	struct config config = CONFIG_INIT;

	messages[0] = '\0';
	ck_assert_int_eq(config_load(&config, "/", note, messages), -EISDIR);
	ck_assert_int_eq(messages[0], '!');
}
END_TEST

START_TEST(test_odd_bytes)
{
	static const char nul[] = "padding = 1\0\nhandshake = 1:1\n";
	struct config config = CONFIG_INIT;
	char *long_line;

	ck_assert_int_eq(load_bytes(&config, nul, sizeof(nul) - 1), -EINVAL);
	ck_assert_ptr_nonnull(strstr(messages, ":1: "));
	ck_assert_uint_eq(config.settings.value.handshake_interval_s, 1);
	ck_assert_int_eq(load(&config, "\xff\xfe = \x80\n"), -EINVAL);
	ck_assert_int_eq(load(&config, ""), 0);

	long_line = malloc(100001);
	ck_assert_ptr_nonnull(long_line);
	memset(long_line, 'x', 100000);
	long_line[100000] = '\0';
	ck_assert_int_eq(load(&config, long_line), -EINVAL);
	free(long_line);
	config_free(&config);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *tcase = tcase_create("file");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_all_keys);
	tcase_add_test(tcase, test_verbosity);
	tcase_add_test(tcase, test_all_errors);
	tcase_add_test(tcase, test_resolve_interval);
	tcase_add_test(tcase, test_overrides_command_line);
	tcase_add_test(tcase, test_places);
	tcase_add_test(tcase, test_missing_file);
	tcase_add_test(tcase, test_unreadable);
	tcase_add_test(tcase, test_odd_bytes);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
