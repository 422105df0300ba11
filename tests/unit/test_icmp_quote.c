/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP errors that quote a restored datagram: they become such that quote the segment, and the peer takes them back */
#include <string.h>

#include "core/icmp.h"
#include "expect.h"
#include "icmp_builder.h"
#include "prng.h"

enum {
	SEQ = 0xfffffff0, /* expected next from the peer: its numbers wrap */
	ACK = 0x22222222, /* acknowledged by the peer */
	WINDOW = 0x2345,
};

static __u8 payload[1400];
static struct icmp_built built, turned;

static struct conn receiver(__u8 padding)
{
	struct conn conn = { .state = CONN_ESTABLISHED, .rcv_nxt = SEQ, .snd_una = ACK, .snd_nxt = ACK + 5000,
			     .snd_wnd = WINDOW << CONN_WINDOW_SCALE | 0x321, .peer_wscale = CONN_WINDOW_SCALE };

	conn.settings.padding = padding;
	return conn;
}

/* What the shell does, in memory. proto: of what is quoted now. False: none of ours. */
static bool turn(struct icmp_built *msg, const struct conn *conn, bool ipv6, __u8 proto, bool partial,
		 struct icmp_quoted *quoted)
{
	static struct icmp_message beginning;
	size_t len = msg->len - ICMP_HEADER_LEN, used = msg->len < sizeof(beginning) ? msg->len : sizeof(beginning);

	memcpy(&beginning, msg->bytes, used);
	memset(quoted, 0, sizeof(*quoted));
	len = len < ICMP_QUOTE_MAX ? len : ICMP_QUOTE_MAX;
	if (!icmp_is_error(&beginning.head, ipv6) || !icmp_parse(beginning.quote, (__u32)len, ipv6, proto, &quoted->pkt))
		return false;
	if (proto == PROTO_UDP) {
		if (!icmp_recall(conn, quoted))
			return false;
		icmp_turn_back(&beginning, (__u32)len, quoted, partial);
	} else {
		icmp_read(beginning.quote, (__u32)len, quoted);
		if (!icmp_accept(conn, quoted, 0))
			return false;
		icmp_turn(&beginning, quoted);
	}
	memcpy(msg->bytes, &beginning, used);
	return true;
}

static bool turn_back(struct icmp_built *msg, const struct conn *conn, const struct icmp_spec *spec)
{
	struct icmp_quoted quoted;

	return turn(msg, conn, spec->quoted.ipv6, PROTO_UDP, false, &quoted);
}

/* The numbers that the segment has to have. */
static struct frame_tcp numbers(const struct conn *conn, size_t payload_len, __u8 *padding)
{
	bool is_random = conn->settings.padding == PADDING_RANDOM;
	size_t space = payload_len + (is_random ? 10 : conn->settings.padding);
	struct frame_tcp tcp = { .seq = conn->rcv_nxt - (__u32)(space ? space : 1), .ack = conn->snd_una,
				 .window = WINDOW, .flags = TCP_ACK };

	*padding = is_random ? (__u8)((tcp.seq + tcp.ack) % 11) : conn->settings.padding;
	return tcp;
}

static void expect_turned(const struct icmp_spec *spec, const struct conn *conn, __u32 mtu)
{
	struct frame_tcp tcp;
	__u8 padding;

	tcp = numbers(conn, spec->quoted.payload_len, &padding);
	icmp_build(&built, spec);
	expect(turn_back(&built, conn, spec));
	icmp_build_turned_back(&turned, spec, &tcp, padding, mtu);
	for (size_t i = 0; i < built.len; i++) {
		if (built.bytes[i] != turned.bytes[i])
			ck_abort_msg("IPv%d, %zu quoted, payload %zu, padding %u: byte %zu is %#x, expected %#x",
				     spec->quoted.ipv6 ? 6 : 4, built.len - 8, spec->quoted.payload_len, padding, i,
				     built.bytes[i], turned.bytes[i]);
	}
}

/* Each family, options and extension headers, padding, length of the quote and of the datagram. */
START_TEST(test_turn_back)
{
	struct icmp_spec spec;

	for (unsigned int layout = 0; layout < 11; layout++) {
		for (unsigned int setting = 0; setting <= PADDING_MAX + 1; setting++) {
			struct conn conn = receiver(setting > PADDING_MAX ? PADDING_RANDOM : (__u8)setting);
			__u32 more = setting > PADDING_MAX ? 22 : 12 + setting;

			for (int ipv6 = 0; ipv6 < 2; ipv6++) {
				size_t headers;

				icmp_spec_init(&spec, ipv6, layout, payload, 1360);
				icmp_build(&built, &spec);
				headers = built.l4_off - 8;
				for (size_t there = 8; there < 40; there++) {
					spec.quote_len = headers + there;
					expect_turned(&spec, &conn, 1400 + more);
				}
				spec.quote_len = 1200;
				for (spec.quoted.payload_len = 0; spec.quoted.payload_len < 60; spec.quoted.payload_len++)
					expect_turned(&spec, &conn, 1400 + more);
			}
		}
	}
}
END_TEST

/*
 * The peer believes it, whatever of its numbers is under way, and reads of the very datagram: lengths, MTU. (Of a quote too
 * short for the ack, random padding is a guess.)
 */
START_TEST(test_there_and_back)
{
	uint64_t seed = 11;

	for (int i = 0; i < 200000; i++) {
		bool ipv6 = i & 1;
		__u8 setting = (__u8)prng_below(&seed, PADDING_MAX + 2);
		struct conn conn = receiver(setting > PADDING_MAX ? PADDING_RANDOM : setting), peer = conn;
		struct icmp_quoted quoted;
		struct icmp_spec spec;
		size_t there;

		conn.rcv_nxt = (__u32)prng_next(&seed);
		peer.rcv_nxt = conn.snd_una;
		peer.snd_nxt = conn.rcv_nxt + prng_below(&seed, 100000);
		icmp_spec_init(&spec, ipv6, (unsigned int)prng_below(&seed, 11), payload, prng_below(&seed, 300));
		/* The first that it sent after a while, with as little padding as it can have had. */
		peer.earlier_nxt = peer.lately_nxt = conn.rcv_nxt - (__u32)spec.quoted.payload_len;
		spec.rest = ipv6 ? 0 : (__u32)prng_below(&seed, 0x10000) << 16;
		spec.rest |= prng_below(&seed, 0xffff - 28);
		spec.quote_len = 1200;
		icmp_build(&built, &spec);
		expect(turn_back(&built, &conn, &spec));
		expect_eq(icmp_built_check(&built, &spec), 0);
		expect(turn(&built, &peer, ipv6, PROTO_TCP, false, &quoted));
		there = built.len - built.l4_off;
		icmp_build(&turned, &spec);
		expect_eq(built.len, turned.len);
		expect_eq(quoted.ack_known, there >= 12);
		/* What follows the UDP length is not known any more. */
		expect(!memcmp(built.bytes + 4, turned.bytes + 4, built.l4_off + 2));
		expect(there <= 20 || !memcmp(built.bytes + built.l4_off + 20, turned.bytes + built.l4_off + 20, there - 20));
		expect_eq(icmp_built_check(&built, &spec), 0);
	}
}
END_TEST

/* Checksums stay right when they were, and wrong by as much when they were not; an open one is left alone. */
START_TEST(test_checksums)
{
	struct icmp_quoted quoted;
	struct icmp_spec spec;
	uint64_t seed = 1;

	for (int i = 0; i < 200000; i++) {
		struct conn conn = receiver((__u8)prng_below(&seed, PADDING_MAX + 1));
		__u16 before, after, kept;
		bool ipv6 = i & 1;
		__u8 *ip = built.bytes + 8;

		conn.rcv_nxt = (__u32)prng_next(&seed);
		icmp_spec_init(&spec, ipv6, (unsigned int)prng_below(&seed, 11), payload, prng_below(&seed, 300));
		prng_fill(&seed, spec.quoted.src, 16);
		prng_fill(&seed, spec.quoted.dst, 16);
		spec.rest = i % 3 ? (uint32_t)prng_next(&seed) : 0;
		spec.quote_len = 28 + prng_below(&seed, 500);
		icmp_build(&built, &spec);
		if (i % 4 == 3)
			built.bytes[1 + prng_below(&seed, 3)] ^= (__u8)(1 << prng_below(&seed, 8));
		else if (i % 4 == 2 && built.len > 20) /* a quote that was damaged before it was quoted */
			built.bytes[18 + prng_below(&seed, 2)] ^= 1;
		before = icmp_built_check(&built, &spec);
		after = ipv6 || built.len < built.l4_off ? 0 : naive_fold(naive_sum(ip, built.l4_off - 8));
		kept = naive_get16(built.bytes + 2);
		if (!turn(&built, &conn, ipv6, PROTO_UDP, i % 5 == 4, &quoted))
			continue;
		if (i % 5 == 4)
			expect_eq(naive_get16(built.bytes + 2), kept);
		else
			expect_eq(icmp_built_check(&built, &spec) % 0xffff, before % 0xffff);
		if (!ipv6)
			expect_eq(naive_fold(naive_sum(ip, built.l4_off - 8)) % 0xffff, after % 0xffff);
	}
}
END_TEST

START_TEST(test_mtu)
{
	static const struct {
		__u32 said, growth, told;
	} cases[] = {
		{ 1400, 12, 1412 }, { 1500, 28, 1528 }, { 1280, 12, 1292 }, { 576, 19, 595 }, { 68, 12, 80 },
		{ 68, 28, 96 },	    { 67, 12, 67 },	{ 1, 12, 1 },	    { 0, 12, 0 },     { 65523, 12, 65535 },
		{ 65535, 12, 65547 }, { ~0U - 12, 12, ~0U }, { ~0U, 12, ~0U },
	};
	struct icmp_spec spec;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct conn conn = receiver((__u8)(cases[i].growth - 12));

		expect_eq(icmp_raise_mtu(cases[i].said, cases[i].growth, ~0U), cases[i].told);
		expect(cases[i].told == ~0U || icmp_lower_mtu(cases[i].told, cases[i].growth) == cases[i].said);
		for (int ipv6 = 0; ipv6 < 2; ipv6++) {
			if (!ipv6 && cases[i].said > 0xffff)
				continue;
			icmp_spec_init(&spec, ipv6, 0, payload, 100);
			spec.rest = cases[i].said;
			expect_turned(&spec, &conn, !ipv6 && cases[i].told > 0xffff ? 0xffff : cases[i].told);
		}
	}
	/* The reverse of what is done to a segment's MTU. */
	for (__u32 mtu = 0; mtu < 70000; mtu++) {
		for (__u32 growth = 12; growth <= 28; growth++)
			expect_eq(icmp_lower_mtu(icmp_raise_mtu(mtu, growth, ~0U), growth), mtu);
	}
}
END_TEST

/* Only "too big" has an MTU; echoes and such quote nothing. */
START_TEST(test_types)
{
	struct conn conn = receiver(0);
	struct icmp_spec spec;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		icmp_spec_init(&spec, ipv6, 0, payload, 100);
		for (unsigned int type = 0; type < 256; type++) {
			struct icmp_header head = { .type = (__u8)type };

			spec.type = (__u8)type;
			for (spec.code = 0; spec.code < 20; spec.code++) {
				bool too_big = ipv6 ? type == 2 : type == 3 && spec.code == 4;

				if (icmp_is_error(&head, ipv6)) {
					expect_turned(&spec, &conn, too_big ? 1412 : 1400);
					continue;
				}
				icmp_build(&built, &spec);
				expect(!turn_back(&built, &conn, &spec));
			}
		}
	}
}
END_TEST

/* Only an established connection received anything; segments and fragments are no restored datagrams. */
START_TEST(test_not_ours)
{
	struct icmp_quoted quoted;
	struct icmp_spec spec;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct conn conn = receiver(0);

		icmp_spec_init(&spec, ipv6, 0, payload, 100);
		for (conn.state = CONN_IDLE; conn.state <= CONN_CLOSED; conn.state++) {
			icmp_build(&built, &spec);
			expect_eq(turn_back(&built, &conn, &spec), conn.state == CONN_ESTABLISHED);
		}
		conn.state = CONN_ESTABLISHED;
		icmp_build(&built, &spec);
		for (spec.quote_len = 0; spec.quote_len < built.l4_off; spec.quote_len++) {
			icmp_build(&built, &spec);
			expect(!turn_back(&built, &conn, &spec));
		}
		icmp_build(&built, &spec);
		expect(turn_back(&built, &conn, &spec));
		expect(!turn_back(&built, &conn, &spec)); /* it quotes a segment now */
		icmp_build(&built, &spec);
		expect(!turn(&built, &conn, ipv6, PROTO_TCP, false, &quoted));
		spec.quoted.frag_off = 0x2000;
		spec.quoted.ext_count = (__u8)ipv6;
		spec.quoted.ext[0] = (struct frame_ext){ .type = IPPROTO_FRAGMENT, .frag_off = 1 };
		icmp_build(&built, &spec);
		expect(!turn_back(&built, &conn, &spec));
	}
}
END_TEST

/* The window that the peer announced: what its own window field may hold, whatever the scale. */
START_TEST(test_window)
{
	struct icmp_quoted quoted = { .pkt = { .l4_len = 8 } };
	struct conn conn = receiver(0);

	expect(icmp_recall(&conn, &quoted));
	expect_eq(quoted.window, WINDOW);
	conn.peer_wscale = 0;
	expect(icmp_recall(&conn, &quoted));
	expect_eq(quoted.window, 0xffff);
	conn.snd_wnd = 0x1234;
	expect(icmp_recall(&conn, &quoted));
	expect_eq(quoted.window, 0x1234);
}
END_TEST

/* Nonsense: no byte outside of the buffers is touched (ASan, UBSan), and what is refused stays as it is. */
START_TEST(test_noise)
{
	static struct icmp_built before;
	struct icmp_quoted quoted;
	struct icmp_spec spec;
	uint64_t seed = 9;

	for (int i = 0; i < 300000; i++) {
		struct conn conn = receiver((__u8)prng_below(&seed, PADDING_MAX + 1));
		bool ipv6 = i & 1;
		size_t kept;

		icmp_spec_init(&spec, ipv6, (unsigned int)prng_below(&seed, 11), payload, prng_below(&seed, 300));
		icmp_build(&built, &spec);
		for (uint64_t n = 1 + prng_below(&seed, 4); n; n--)
			built.bytes[prng_below(&seed, 100)] = (__u8)prng_next(&seed);
		if (i % 16 == 0)
			prng_fill(&seed, built.bytes + 9, 91);
		built.len = 8 + prng_below(&seed, built.len - 8);
		before = built;
		if (!turn(&built, &conn, ipv6, PROTO_UDP, false, &quoted)) {
			expect(!memcmp(before.bytes, built.bytes, built.len));
			continue;
		}
		kept = 8U + quoted.pkt.l4_off + 20;
		expect(built.len <= kept || !memcmp(before.bytes + kept, built.bytes + kept, built.len - kept));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("icmp_quote");
	TCase *tcase = tcase_create("icmp_quote");
	SRunner *runner = srunner_create(suite);
	uint64_t seed = 7;
	int failed;

	prng_fill(&seed, payload, sizeof(payload));
	tcase_add_test(tcase, test_turn_back);
	tcase_add_test(tcase, test_there_and_back);
	tcase_add_test(tcase, test_checksums);
	tcase_add_test(tcase, test_mtu);
	tcase_add_test(tcase, test_types);
	tcase_add_test(tcase, test_not_ours);
	tcase_add_test(tcase, test_window);
	tcase_add_test(tcase, test_noise);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
