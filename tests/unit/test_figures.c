/* SPDX-License-Identifier: GPL-2.0-only */
/* What a connection counts about itself: packets, bytes, drops by reason, retries, probes, resets, checks, handshake times */
#include "conn_driver.h"

static struct driver d;

START_TEST(test_traffic)
{
	struct conn_settings settings = driver_defaults;

	settings.padding = 7;
	drv_goto(&d, AT_ESTABLISHED, &settings);
	drv_out(&d, 100, false);
	drv_out(&d, 0, false);
	expect_eq(d.c.traffic.tx_packets, 2);
	expect_eq(d.c.traffic.tx_bytes, 100); /* without padding */
	drv_in_data(&d, 57);
	expect_eq(d.c.traffic.rx_packets, 1);
	expect_eq(d.c.traffic.rx_bytes, 50);
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD); /* control is no traffic */
	expect_eq(d.c.traffic.rx_packets, 1);
	drv_in_ack(&d, TCP_ACK, 0, 5, WINDOW_FIELD); /* shorter than the padding */
	expect_eq(d.c.events.drops[FIGURES_DROP_RX_PADDING], 1);
	expect_eq(d.c.traffic.rx_packets, 1);
}
END_TEST

/* A datagram that waits is sent once, when it comes back. */
START_TEST(test_held)
{
	drv_init(&d, NULL);
	drv_out(&d, 100, false);
	expect_eq(d.eff.verdict, VERDICT_HOLD);
	expect_eq(d.c.traffic.tx_packets, 0);
	drv_wait(&d, 30 * MS);
	drv_establish_initiator(&d, 0xffff, 12);
	drv_drain(&d, 100);
	expect_eq(d.c.traffic.tx_packets, 1);
	expect_eq(d.c.traffic.tx_bytes, 100);
}
END_TEST

START_TEST(test_handshake)
{
	drv_init(&d, NULL);
	drv_out(&d, 100, false);
	expect_eq(d.c.events.syn_retries, 0);
	for (unsigned i = 1; i <= 2; i++) {
		drv_wait(&d, 2 * SEC);
		drv_tick(&d);
		expect_eq(drv_reply(&d)->flags, TCP_SYN);
		expect_eq(d.c.events.syn_retries, i);
	}
	drv_wait(&d, 40 * MS);
	drv_establish_initiator(&d, 0xffff, 12);
	expect_eq(d.c.handshake_ns, 4 * SEC + 40 * MS); /* since the first SYN */
	expect_eq(d.c.events.handshake_sum_ns, 4 * SEC + 40 * MS);
	expect_eq(d.c.events.established, 1);
	expect_eq(d.c.established_ns, d.env.now_ns);
}
END_TEST

START_TEST(test_handshake_responder)
{
	drv_init(&d, NULL);
	drv_in_syn(&d, TCP_SYN, PEER_ISN, 0);
	drv_wait(&d, SEC);
	drv_in_syn(&d, TCP_SYN, PEER_ISN, 0);
	d.expected = PEER_ISN + 1U;
	drv_wait(&d, 20 * MS);
	drv_in_ack(&d, TCP_ACK, 0, 0, WINDOW_FIELD);
	expect_eq(d.c.state, CONN_ESTABLISHED);
	expect_eq(d.c.handshake_ns, SEC + 20 * MS);
	expect_eq(d.c.events.syn_retries, 0); /* the peer's are not ours */
}
END_TEST

START_TEST(test_drops)
{
	struct conn_settings settings = driver_defaults;

	settings.handshake_interval_s = 0;
	drv_init(&d, &settings);
	drv_out(&d, 100, false);
	expect_eq(d.c.events.drops[FIGURES_DROP_PASSIVE], 1);
	drv_in_ack(&d, TCP_ACK, 0, 10, WINDOW_FIELD);
	expect_eq(d.c.events.drops[FIGURES_DROP_RX_UNKNOWN], 1);

	drv_init(&d, NULL); /* the handshake fails: what waits is dropped, and what comes in the cooldown */
	drv_out(&d, 100, false);
	drv_out(&d, 100, false);
	while (d.c.state == CONN_SYN_SENT) {
		drv_wait(&d, SEC);
		drv_tick(&d);
	}
	expect_eq(d.c.events.drops[FIGURES_DROP_FLUSHED], 2);
	drv_out(&d, 100, false); /* a SYN goes out */
	while (d.c.state == CONN_SYN_SENT) {
		drv_wait(&d, 100 * MS);
		drv_tick(&d);
	}
	d.c.syn_ns = d.env.now_ns;
	drv_out(&d, 100, false);
	expect_eq(d.c.events.drops[FIGURES_DROP_COOLDOWN], 1);

	drv_init(&d, NULL);
	for (int i = 0; i < CONN_HELD_MAX + 5; i++)
		drv_out(&d, 1, false);
	expect_eq(d.c.events.drops[FIGURES_DROP_HOLD_FULL], 5);

	drv_goto(&d, AT_ESTABLISHED, NULL);
	d.c.snd_wnd = 50;
	drv_out(&d, 100, false);
	expect_eq(d.c.events.drops[FIGURES_DROP_WINDOW], 1);
	expect_eq(d.c.traffic.tx_packets, 0);
	drv_in_ack(&d, TCP_ACK, 3 * CONN_WINDOW_FULL, 10, WINDOW_FIELD);
	expect_eq(d.c.events.drops[FIGURES_DROP_RX_WINDOW], 1);
	drv_in_ack(&d, TCP_PSH, 0, 0, WINDOW_FIELD);
	expect_eq(d.c.events.drops[FIGURES_DROP_RX_STATE], 1);
}
END_TEST

START_TEST(test_events)
{
	drv_goto(&d, AT_ESTABLISHED, NULL);
	drv_in_ack(&d, TCP_RST, 77, 0, 0);
	expect_eq(d.c.events.resets, 0);
	expect_eq(d.c.events.checks, 1);
	expect_eq(d.c.events.probes, 1);
	drv_in_ack(&d, TCP_RST, 0, 0, 0);
	expect_eq(d.c.events.resets, 1);
	drv_goto(&d, AT_ESTABLISHED, NULL);
	drv_wait(&d, 181 * SEC);
	drv_tick(&d);
	expect_eq(d.c.events.keepalives, 1);
	expect_eq(d.c.events.probes, 0);
}
END_TEST

/* Its figures were taken: nothing is added to what is gone. */
START_TEST(test_closed)
{
	struct figures_events before;

	drv_goto(&d, AT_CLOSED, NULL);
	before = d.c.events;
	drv_out(&d, 100, false);
	expect_eq(d.eff.reason, REASON_DROP_CONN_ENDED);
	drv_in_ack(&d, TCP_ACK, 0, 10, WINDOW_FIELD);
	expect_eq(d.eff.reason, REASON_DROP_RX_STATE);
	conn_note_drop(&d.c, REASON_DROP_TRANSFORM, 1);
	expect(!memcmp(&before, &d.c.events, sizeof(before)));
	drv_goto(&d, AT_ESTABLISHED, NULL);
	conn_note_drop(&d.c, REASON_DROP_TRANSFORM, 3);
	expect_eq(d.c.events.drops[FIGURES_DROP_TRANSFORM], 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("figures");
	TCase *tcase = tcase_create("figures");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_traffic);
	tcase_add_test(tcase, test_held);
	tcase_add_test(tcase, test_handshake);
	tcase_add_test(tcase, test_handshake_responder);
	tcase_add_test(tcase, test_drops);
	tcase_add_test(tcase, test_events);
	tcase_add_test(tcase, test_closed);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
