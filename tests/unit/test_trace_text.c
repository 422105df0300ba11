/* SPDX-License-Identifier: GPL-2.0-only */
/* mimic trace: which records are shown, and as which lines */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "trace_text.h"

static struct mimic_trace record;
static char lines[TRACE_LINES_MAX][TRACE_LINE_MAX];

static void setup(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
	memset(&record, 0, sizeof(record));
	record.now_ns = 3 * NSEC_PER_SEC + 4567000;
	addr_from_ipv4(&record.key.local, host_to_be32(0x0a4d0001));
	addr_from_ipv4(&record.key.remote, host_to_be32(0x0a4d0002));
	record.key.local_port = host_to_be16(4000);
	record.key.remote_port = host_to_be16(5000);
	record.seq = 4294967295U;
	record.ack = 7;
	record.window = 0x3400;
	record.payload_len = 100;
	record.flags = TCP_ACK;
	record.direction = TRACE_OUT;
	record.verdict = VERDICT_PASS;
	record.reason = REASON_TX_DATA;
}

START_TEST(test_out)
{
	ck_assert_uint_eq(trace_text_print(lines, &record, 3600 * NSEC_PER_SEC, 1500), 1);
	ck_assert_str_eq(lines[0], "01:00:03.004567 out 10.77.0.1:4000 10.77.0.2:5000 [.] seq 4294967295 ack 7 win 13312 len 100 "
				   "pass tx_data");
}
END_TEST

/* It has no numbers: nothing of them is told. */
START_TEST(test_held)
{
	record.verdict = VERDICT_HOLD;
	record.reason = REASON_TX_HELD;
	record.reply[0] = (struct reply){ .seq = 17, .window = 0xffff, .flags = TCP_SYN };
	ck_assert_uint_eq(trace_text_print(lines, &record, 0, 1500), 2);
	ck_assert_str_eq(lines[0], "00:00:03.004567 out 10.77.0.1:4000 10.77.0.2:5000 [] seq - ack - win - len 100 hold tx_held");
	ck_assert_str_eq(lines[1], "00:00:03.004567 out 10.77.0.1:4000 10.77.0.2:5000 [S] seq 17 ack 0 win 64240 len 0 send tx_control");
}
END_TEST

START_TEST(test_in)
{
	record.direction = TRACE_IN;
	record.verdict = VERDICT_CONSUME;
	record.reason = REASON_RX_CONTROL;
	record.flags = TCP_SYN | TCP_ACK | TCP_PSH | TCP_FIN | TCP_RST;
	record.reply[0] = (struct reply){ .seq = 1, .ack = 2, .window = 3, .flags = TCP_ACK };
	record.reply[1] = (struct reply){ .seq = 1, .ack = 2, .window = 3, .flags = TCP_ACK, .payload_len = 1 };
	ck_assert_uint_eq(trace_text_print(lines, &record, 0, 1500), 3);
	ck_assert_str_eq(lines[0], "00:00:03.004567 in  10.77.0.1:4000 10.77.0.2:5000 [SFRP.] seq 4294967295 ack 7 win 13312 len 100 "
				   "consume rx_control");
	ck_assert_str_eq(lines[2], "00:00:03.004567 out 10.77.0.1:4000 10.77.0.2:5000 [.] seq 1 ack 2 win 3 len 1 send tx_control");
}
END_TEST

START_TEST(test_time_passed)
{
	record.direction = TRACE_NONE;
	ck_assert_uint_eq(trace_text_print(lines, &record, 0, 1500), 0);
	record.reply[0] = (struct reply){ .seq = 5, .flags = TCP_RST };
	ck_assert_uint_eq(trace_text_print(lines, &record, 0, 1500), 1);
	ck_assert_ptr_nonnull(strstr(lines[0], "[R] seq 5 "));
}
END_TEST

START_TEST(test_filter)
{
	struct trace_filter filter = { 0 };

	ck_assert(trace_text_matches(&filter, &record));
	filter.port = 4000;
	ck_assert(trace_text_matches(&filter, &record));
	filter.port = 5000;
	ck_assert(trace_text_matches(&filter, &record));
	filter.port = 5001;
	ck_assert(!trace_text_matches(&filter, &record));
	filter.port = 0;
	filter.has_peer = true;
	filter.peer = record.key.local;
	ck_assert(!trace_text_matches(&filter, &record));
	filter.peer = record.key.remote;
	ck_assert(trace_text_matches(&filter, &record));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trace_text");
	TCase *tcase = tcase_create("trace");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, test_out);
	tcase_add_test(tcase, test_held);
	tcase_add_test(tcase, test_in);
	tcase_add_test(tcase, test_time_passed);
	tcase_add_test(tcase, test_filter);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
