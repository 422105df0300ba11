/* SPDX-License-Identifier: GPL-2.0-only */
/* Settings as text: every way of leaving numbers out, limits, and the round trip through text. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

static const struct conn_settings defaults = CONN_SETTINGS_DEFAULT;

static struct settings_patch parsed(const char *key, const char *text)
{
	struct settings_patch patch = { 0 };
	struct parse_error error = { "" };

	ck_assert_msg(!settings_parse(&patch, key, text, &error), "%s=%s: %s", key, text,
		      error.text);
	return patch;
}

static void refuse(const char *key, const char *text)
{
	struct settings_patch patch = { .given = SETTINGS_PADDING }, before = patch;
	struct parse_error error = { "" };

	ck_assert_msg(settings_parse(&patch, key, text, &error) == -EINVAL, "%s=%s was taken", key,
		      text);
	ck_assert_mem_eq(&patch, &before, sizeof(patch));
	ck_assert_ptr_nonnull(strstr(error.text, key));
	ck_assert_ptr_nonnull(strstr(error.text, text));
	ck_assert_ptr_nonnull(strstr(error.text, "expected"));
}

START_TEST(test_handshake)
{
	struct settings_patch patch = parsed("handshake", "5:7");

	ck_assert_uint_eq(patch.given, SETTINGS_HANDSHAKE_INTERVAL | SETTINGS_HANDSHAKE_RETRY);
	ck_assert_uint_eq(patch.value.handshake_interval_s, 5);
	ck_assert_uint_eq(patch.value.handshake_retry, 7);

	ck_assert_uint_eq(parsed("handshake", "5:").given, SETTINGS_HANDSHAKE_INTERVAL);
	ck_assert_uint_eq(parsed("handshake", "5").given, SETTINGS_HANDSHAKE_INTERVAL);
	ck_assert_uint_eq(parsed("handshake", ":65535").given, SETTINGS_HANDSHAKE_RETRY);
	ck_assert_uint_eq(parsed("handshake", ":65535").value.handshake_retry, 65535);
	ck_assert_uint_eq(parsed("handshake", ":").given, 0);
}
END_TEST

START_TEST(test_keepalive)
{
	struct settings_patch patch = parsed("keepalive", "60:::");

	ck_assert_uint_eq(patch.given, SETTINGS_KEEPALIVE_TIME);
	ck_assert_uint_eq(patch.value.keepalive_time_s, 60);
	patch = parsed("keepalive", ":1::");
	ck_assert_uint_eq(patch.given, SETTINGS_KEEPALIVE_INTERVAL);
	patch = parsed("keepalive", "::2:1000");
	ck_assert_uint_eq(patch.given, SETTINGS_KEEPALIVE_RETRY | SETTINGS_KEEPALIVE_STALE);
	ck_assert_uint_eq(patch.value.keepalive_retry, 2);
	ck_assert_uint_eq(patch.value.keepalive_stale_s, 1000);
	ck_assert_uint_eq(parsed("keepalive", "1:2:3:4").given, 0x3c);
	ck_assert_uint_eq(parsed("keepalive", "1:2").given,
			  SETTINGS_KEEPALIVE_TIME | SETTINGS_KEEPALIVE_INTERVAL);
}
END_TEST

START_TEST(test_padding_and_window)
{
	ck_assert_uint_eq(parsed("padding", "0").value.padding, 0);
	ck_assert_uint_eq(parsed("padding", "16").value.padding, 16);
	ck_assert_uint_eq(parsed("padding", "random").value.padding, PADDING_RANDOM);
	ck_assert_uint_eq(parsed("max_window", "true").value.max_window, 1);
	ck_assert_uint_eq(parsed("max_window", "Yes").value.max_window, 1);
	ck_assert_uint_eq(parsed("max_window", "1").value.max_window, 1);
	ck_assert_uint_eq(parsed("max_window", "no").value.max_window, 0);
	ck_assert_uint_eq(parsed("max_window", "0").given, SETTINGS_MAX_WINDOW);
}
END_TEST

START_TEST(test_refused)
{
	static const char *const rows[] = {
		"",	"a",	 "1:b",	   "-1:2",	"+1",
		" 1",	"65536", ":65536", "1:2:3:4:5", "99999999999999999999",
		"0x10", "1.5"
	};
	struct settings_patch patch = { 0 };
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		refuse("handshake", rows[i]);
		refuse("keepalive", rows[i]);
	}
	refuse("handshake", "1:2:");
	refuse("handshake", "1:2:3");
	refuse("keepalive", "1:2:3:4:");
	refuse("padding", "17");
	refuse("padding", "-1");
	refuse("padding", "");
	refuse("padding", "4:");
	refuse("padding", "randomly");
	refuse("max_window", "2");
	refuse("max_window", "");
	ck_assert_int_eq(settings_parse(&patch, "colour", "blue", NULL), -ENOENT);
	ck_assert_int_eq(settings_parse(&patch, "padding", "x", NULL), -EINVAL);
}
END_TEST

START_TEST(test_long_text_is_cut)
{
	struct settings_patch patch = { 0 };
	struct parse_error error;
	char text[4096];

	memset(text, '9', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(settings_parse(&patch, "keepalive", text, &error), -EINVAL);
	ck_assert_uint_lt(strlen(error.text), sizeof(error.text));
	ck_assert_ptr_nonnull(strstr(error.text, "expected"));
}
END_TEST

START_TEST(test_merge_and_apply)
{
	struct settings_patch patch = parsed("keepalive", "60:1::");
	struct settings_patch over = parsed("keepalive", ":2::7");
	struct conn_settings settings = defaults;

	settings_patch_merge(&patch, &over);
	settings_apply(&settings, &patch);
	ck_assert_uint_eq(settings.keepalive_time_s, 60);
	ck_assert_uint_eq(settings.keepalive_interval_s, 2);
	ck_assert_uint_eq(settings.keepalive_retry, defaults.keepalive_retry);
	ck_assert_uint_eq(settings.keepalive_stale_s, 7);
	ck_assert_uint_eq(settings.handshake_interval_s, defaults.handshake_interval_s);
	ck_assert_uint_eq(settings.padding, 0);
}
END_TEST

START_TEST(test_print)
{
	char text[SETTINGS_TEXT_MAX];
	struct conn_settings settings = defaults;

	ck_assert_int_eq(settings_print(text, sizeof(text), &settings), (int)strlen(text));
	ck_assert_str_eq(text, "handshake=2:3,keepalive=180:10:3:600,padding=0,max_window=false,pace=fast,guard=reset,ack=40,udp=pass");
	settings_print_value(text, sizeof(text), "keepalive", &settings);
	ck_assert_str_eq(text, "180:10:3:600");
	ck_assert_int_eq(settings_print_value(text, sizeof(text), "x", &settings), -ENOENT);

	ck_assert_int_eq(settings_print_diff(text, sizeof(text), &settings, &defaults), 0);
	ck_assert_str_eq(text, "");
	settings.handshake_interval_s = 0;
	settings_print_diff(text, sizeof(text), &settings, &defaults);
	ck_assert_str_eq(text, "handshake=0:");
	settings.keepalive_retry = 9;
	settings.padding = PADDING_RANDOM;
	settings.max_window = 1;
	settings_print_diff(text, sizeof(text), &settings, &defaults);
	ck_assert_str_eq(text, "handshake=0:,keepalive=::9:,padding=random,max_window=true");
}
END_TEST

START_TEST(test_choices)
{
	struct settings_patch patch = { 0 };
	struct conn_settings settings = defaults;
	struct parse_error error;

	ck_assert_int_eq(settings_parse(&patch, "pace", "Linux", &error), 0);
	ck_assert_int_eq(settings_parse(&patch, "guard", "silent", &error), 0);
	ck_assert_int_eq(settings_parse(&patch, "ack", "250", &error), 0);
	ck_assert_int_eq(settings_parse(&patch, "handshake", "5:", &error), 0);
	settings_apply(&settings, &patch);
	ck_assert_uint_eq(settings.pace, PACE_LINUX); /* it was said, too */
	ck_assert_uint_eq(settings.guard, GUARD_SILENT);
	ck_assert_uint_eq(settings.ack_interval_ms, 250);
	ck_assert_int_eq(settings_parse(&patch, "pace", "slow", &error), -EINVAL);
	ck_assert_str_eq(error.text, "pace: 'slow' is wrong; expected fast, fixed or linux");
	ck_assert_int_eq(settings_parse(&patch, "guard", "", &error), -EINVAL);
	ck_assert_int_eq(settings_parse(&patch, "ack", "1:2", &error), -EINVAL);
	ck_assert_int_eq(settings_parse(&patch, "udp", "Drop", &error), 0);
	ck_assert_uint_eq(patch.value.udp, UDP_DROP);
	ck_assert_int_eq(settings_parse(&patch, "udp", "reject", &error), -EINVAL);
	ck_assert_str_eq(error.text, "udp: 'reject' is wrong; expected pass or drop");
}
END_TEST

/* An interval means every interval; a number of repetitions alone does not. */
START_TEST(test_handshake_sets_the_pace)
{
	struct conn_settings settings = defaults;
	struct settings_patch patch = { 0 };

	ck_assert_int_eq(settings_parse(&patch, "handshake", ":9", NULL), 0);
	settings_apply(&settings, &patch);
	ck_assert_uint_eq(settings.pace, PACE_FAST);
	ck_assert_int_eq(settings_parse(&patch, "handshake", "2:", NULL), 0);
	settings_apply(&settings, &patch);
	ck_assert_uint_eq(settings.pace, PACE_FIXED);
}
END_TEST

START_TEST(test_longest_text_fits)
{
	char text[SETTINGS_TEXT_MAX];
	struct conn_settings settings = {
		65535, 65535, 65535, 65535, 65535, 65535, 65535, PADDING_RANDOM, 0, PACE_LINUX, GUARD_SILENT, UDP_PASS, 0,
	};

	ck_assert_int_lt(settings_print(text, sizeof(text), &settings), SETTINGS_TEXT_MAX);
}
END_TEST

/* Whatever differs, the printed difference applied to the base gives the settings again. */
static void check_round_trip(unsigned int bits)
{
	struct conn_settings settings = defaults, again = defaults;
	char text[SETTINGS_TEXT_MAX], *rest = text, *part;

	settings.handshake_interval_s += bits & 1;
	settings.handshake_retry += bits >> 1 & 1;
	settings.keepalive_time_s += bits >> 2 & 1;
	settings.keepalive_interval_s += bits >> 3 & 1;
	settings.keepalive_retry += bits >> 4 & 1;
	settings.keepalive_stale_s += bits >> 5 & 1;
	settings.padding = bits >> 6 & 1 ? 7 : 0;
	settings.max_window = bits >> 7 & 1;
	if (bits & 1 || bits >> 8 & 1) /* an interval that differs is one that was given */
		settings.pace = PACE_FIXED;
	if (bits >> 9 & 1)
		settings.pace = PACE_LINUX;
	settings.guard = bits >> 10 & 1;
	settings.ack_interval_ms += bits >> 11 & 1;
	settings.udp = bits >> 12 & 1;
	settings_print_diff(text, sizeof(text), &settings, &defaults);
	while ((part = strsep(&rest, ",")) && *part) {
		char *value = strchr(part, '=');
		struct settings_patch patch = { 0 };

		ck_assert_ptr_nonnull(value);
		*value++ = '\0';
		ck_assert_int_eq(settings_parse(&patch, part, value, NULL), 0);
		settings_apply(&again, &patch);
	}
	ck_assert_mem_eq(&again, &settings, sizeof(settings));
}

START_TEST(test_round_trip)
{
	for (unsigned int bits = 0; bits < 8192; bits++)
		check_round_trip(bits);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("settings");
	TCase *tcase = tcase_create("text");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_handshake);
	tcase_add_test(tcase, test_keepalive);
	tcase_add_test(tcase, test_padding_and_window);
	tcase_add_test(tcase, test_refused);
	tcase_add_test(tcase, test_long_text_is_cut);
	tcase_add_test(tcase, test_merge_and_apply);
	tcase_add_test(tcase, test_print);
	tcase_add_test(tcase, test_choices);
	tcase_add_test(tcase, test_handshake_sets_the_pace);
	tcase_add_test(tcase, test_longest_text_fits);
	tcase_add_test(tcase, test_round_trip);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
