/* SPDX-License-Identifier: GPL-2.0-only */
/* Control segments as the daemon builds them: each byte of the headers, options and checksums, judged by naive.h */
#include <check.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "core/tcpopt.h"
#include "naive.h"

enum {
	MTU = 1500,
	SEQ = 0x89abcdef,
	ACK = 0x01234567,
	WINDOW = 0x4321,
};

static const uint8_t ethernet[] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00 };
static const uint8_t ipv4[2][4] = { { 192, 0, 2, 1 }, { 198, 51, 100, 7 } };
static const uint8_t ipv6[2][16] = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, { 0x20, 0x01, 0x0d, 0xb8, [15] = 2 } };

static uint8_t frame[CONTROL_FRAME_MAX];
static uint16_t next_id;

static struct mimic_event event_of(bool is_ipv4)
{
	struct mimic_event event = {
		.key = { .local_port = host_to_be16(4000), .remote_port = host_to_be16(5000) },
		.l2.len = sizeof(ethernet),
		.window_scale = 7,
	};
	__be32 word;

	memcpy(event.l2.bytes, ethernet, sizeof(ethernet));
	memcpy(&event.key.local, ipv6[0], 16);
	memcpy(&event.key.remote, ipv6[1], 16);
	if (is_ipv4) {
		memcpy(&word, ipv4[0], 4);
		addr_from_ipv4(&event.key.local, word);
		memcpy(&word, ipv4[1], 4);
		addr_from_ipv4(&event.key.remote, word);
	}
	return event;
}

static struct reply reply_of(uint8_t flags)
{
	return (struct reply){ .seq = SEQ, .ack = ACK, .window = WINDOW, .flags = flags };
}

/* Builds it and returns where the IP header begins, after a look at the frame as a whole. */
static const uint8_t *build(const struct mimic_event *event, const struct reply *reply, uint32_t mtu, size_t ip_len)
{
	size_t len;

	memset(frame, 0xaa, sizeof(frame));
	len = control_build(frame, event, reply, mtu, &next_id);
	ck_assert_uint_eq(len, event->l2.len + ip_len);
	ck_assert_mem_eq(frame, event->l2.bytes, event->l2.len);
	return frame + event->l2.len;
}

static void expect_ipv4(const uint8_t *ip, size_t ip_len, uint16_t id)
{
	ck_assert_uint_eq(ip[0], 0x45);
	ck_assert_uint_eq(ip[1], 0);
	ck_assert_uint_eq(naive_get16(ip + 2), ip_len);
	ck_assert_uint_eq(naive_get16(ip + 4), id);
	ck_assert_uint_eq(naive_get16(ip + 6), 0x4000); /* do not fragment */
	ck_assert_uint_eq(ip[8], 64);
	ck_assert_uint_eq(ip[9], 6);
	ck_assert_uint_eq(naive_fold(naive_sum(ip, 20)), 0xffff);
	ck_assert_mem_eq(ip + 12, ipv4[0], 4);
	ck_assert_mem_eq(ip + 16, ipv4[1], 4);
	ck_assert_uint_eq(naive_fold(naive_pseudo(ip + 12, ip + 16, 4, 6, ip_len - 20) + naive_sum(ip + 20, ip_len - 20)),
			  0xffff);
}

/* Returns the flow label. */
static uint32_t expect_ipv6(const uint8_t *ip, size_t ip_len)
{
	ck_assert_uint_eq(naive_get32(ip) >> 20, 0x600);
	ck_assert_uint_eq(naive_get16(ip + 4), ip_len - 40);
	ck_assert_uint_eq(ip[6], 6);
	ck_assert_uint_eq(ip[7], 64);
	ck_assert_mem_eq(ip + 8, ipv6[0], 16);
	ck_assert_mem_eq(ip + 24, ipv6[1], 16);
	ck_assert_uint_eq(naive_fold(naive_pseudo(ip + 8, ip + 24, 16, 6, ip_len - 40) + naive_sum(ip + 40, ip_len - 40)),
			  0xffff);
	return naive_get32(ip) & 0xfffff;
}

static void expect_tcp(const uint8_t *tcp, uint8_t flags, uint16_t window, size_t header_len)
{
	ck_assert_uint_eq(naive_get16(tcp), 4000);
	ck_assert_uint_eq(naive_get16(tcp + 2), 5000);
	ck_assert_uint_eq(naive_get32(tcp + 4), SEQ);
	ck_assert_uint_eq(naive_get32(tcp + 8), ACK);
	ck_assert_uint_eq(tcp[12], header_len / 4 << 4);
	ck_assert_uint_eq(tcp[13], flags);
	ck_assert_uint_eq(naive_get16(tcp + 14), window);
	ck_assert_uint_eq(naive_get16(tcp + 18), 0);
}

static void expect_syn_options(const uint8_t *options, uint16_t mss, uint8_t scale)
{
	const uint8_t wanted[] = { 2, 4, (uint8_t)(mss >> 8), (uint8_t)mss, 1, 1, 4, 2, 1, 3, 3, scale };

	ck_assert_mem_eq(options, wanted, sizeof(wanted));
}

START_TEST(test_ack)
{
	struct mimic_event event = event_of(true);
	struct reply reply = reply_of(TCP_ACK);
	const uint8_t *ip;

	next_id = 0xffff;
	ip = build(&event, &reply, MTU, 40);
	expect_ipv4(ip, 40, 0xffff);
	expect_tcp(ip + 20, TCP_ACK, WINDOW, 20);
	ck_assert_uint_eq(next_id, 0);
	event = event_of(false);
	ip = build(&event, &reply, MTU, 60);
	expect_ipv6(ip, 60);
	expect_tcp(ip + 40, TCP_ACK, WINDOW, 20);
	ck_assert_uint_eq(next_id, 0);
}
END_TEST

/* One byte behind the header; the checksum counts it as if a zero followed. */
START_TEST(test_probe)
{
	struct mimic_event event = event_of(true);
	struct reply reply = reply_of(TCP_ACK);
	const uint8_t *ip;

	reply.payload_len = 1;
	next_id = 5;
	ip = build(&event, &reply, MTU, 41);
	expect_ipv4(ip, 41, 5);
	expect_tcp(ip + 20, TCP_ACK, WINDOW, 20);
	ck_assert_uint_eq(ip[40], 0);
	event = event_of(false);
	ip = build(&event, &reply, MTU, 61);
	expect_ipv6(ip, 61);
	ck_assert_uint_eq(ip[60], 0);
}
END_TEST

/* MSS of the MTU, and a window of whole segments; under max_window it is what the core says. */
START_TEST(test_syn)
{
	struct mimic_event event = event_of(true);
	struct reply reply = reply_of(TCP_SYN);
	const uint8_t *ip;

	next_id = 7;
	ip = build(&event, &reply, MTU, 52);
	expect_ipv4(ip, 52, 7);
	expect_tcp(ip + 20, TCP_SYN, 44 * 1460, 32);
	expect_syn_options(ip + 40, 1460, 7);
	ip = build(&event, &reply, 9000, 52);
	expect_tcp(ip + 20, TCP_SYN, 7 * 8960, 32);
	expect_syn_options(ip + 40, 8960, 7);
	event.window_scale = CONN_WINDOW_SCALE_MAX;
	ip = build(&event, &reply, MTU, 52);
	expect_ipv4(ip, 52, 9);
	expect_tcp(ip + 20, TCP_SYN, WINDOW, 32);
	expect_syn_options(ip + 40, 1460, CONN_WINDOW_SCALE_MAX);
	event = event_of(false);
	ip = build(&event, &reply, MTU, 72);
	expect_ipv6(ip, 72);
	expect_tcp(ip + 40, TCP_SYN, 45 * 1440, 32);
	expect_syn_options(ip + 60, 1440, 7);
}
END_TEST

/* What Linux sends without a socket has the identification 0, and takes none. */
START_TEST(test_ids)
{
	const uint8_t without[] = { TCP_SYN | TCP_ACK, TCP_RST }, with[] = { TCP_SYN, TCP_ACK, TCP_RST | TCP_ACK };
	struct mimic_event event = event_of(true);

	next_id = 100;
	for (size_t i = 0; i < sizeof(without); i++) {
		struct reply reply = reply_of(without[i]);
		size_t len = reply.flags & TCP_SYN ? 52 : 40;

		expect_ipv4(build(&event, &reply, MTU, len), len, 0);
	}
	for (size_t i = 0; i < sizeof(with); i++) {
		struct reply reply = reply_of(with[i]);
		size_t len = reply.flags & TCP_SYN ? 52 : 40;

		expect_ipv4(build(&event, &reply, MTU, len), len, (uint16_t)(100 + i));
	}
}
END_TEST

/* That of the datagrams; before there is one, a number of the flow's own, never 0. */
START_TEST(test_flow_label)
{
	struct mimic_event event = event_of(false);
	struct reply reply = reply_of(TCP_ACK);
	uint32_t label, other;

	label = expect_ipv6(build(&event, &reply, MTU, 60), 60);
	ck_assert_uint_ne(label, 0);
	ck_assert_uint_eq(expect_ipv6(build(&event, &reply, MTU, 60), 60), label);
	event.key.local_port = host_to_be16(4002);
	build(&event, &reply, MTU, 60);
	other = naive_get32(frame + sizeof(ethernet)) & 0xfffff;
	ck_assert_uint_ne(other, label);
	event = event_of(false);
	naive_put32((uint8_t *)&event.flow_label, 0xabcde);
	ck_assert_uint_eq(expect_ipv6(build(&event, &reply, MTU, 60), 60), 0xabcde);
}
END_TEST

/* None at all, and the longest: Ethernet with two VLAN tags. More than that is never copied. */
START_TEST(test_l2)
{
	struct mimic_event event = event_of(true);
	struct reply reply = reply_of(TCP_ACK);

	next_id = 1;
	event.l2.len = 0;
	expect_ipv4(build(&event, &reply, MTU, 40), 40, 1);
	for (uint8_t i = 0; i < MIMIC_L2_MAX; i++)
		event.l2.bytes[i] = i;
	event.l2.len = MIMIC_L2_MAX;
	expect_ipv4(build(&event, &reply, MTU, 40), 40, 2);
	event.l2.len = 255;
	ck_assert_uint_eq(control_build(frame, &event, &reply, MTU, &next_id), MIMIC_L2_MAX + 40);
}
END_TEST

/* The longest frame fits. */
START_TEST(test_longest)
{
	struct mimic_event event = event_of(false);
	struct reply reply = reply_of(TCP_SYN);

	reply.payload_len = 1;
	event.l2.len = MIMIC_L2_MAX;
	ck_assert_uint_eq(control_build(frame, &event, &reply, MTU, &next_id), CONTROL_FRAME_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control");
	TCase *tcase = tcase_create("control segments");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_ack);
	tcase_add_test(tcase, test_probe);
	tcase_add_test(tcase, test_syn);
	tcase_add_test(tcase, test_ids);
	tcase_add_test(tcase, test_flow_label);
	tcase_add_test(tcase, test_l2);
	tcase_add_test(tcase, test_longest);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
