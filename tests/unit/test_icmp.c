/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP errors that quote a segment: which are believed, and what becomes of them, with all checksums made afresh */
#include <string.h>

#include "core/icmp.h"
#include "expect.h"
#include "icmp_builder.h"
#include "prng.h"

enum {
	SEQ = 0xfffffff0, /* wraps */
	ACK = 0x22222222,
};

static __u8 payload[1400];
static struct icmp_built built, turned;

static void make_spec(struct icmp_spec *spec, bool ipv6, unsigned int layout, size_t len)
{
	icmp_spec_init(spec, ipv6, layout, payload, len);
	spec->quoted.proto = IPPROTO_TCP;
	spec->quoted.tcp = (struct frame_tcp){ .seq = SEQ, .ack = ACK, .window = 0x3000, .flags = TCP_ACK };
}

/* What the shell does, in memory. False: none of ours. */
static bool turn(struct icmp_built *msg, bool ipv6, __u8 padding, __u32 rcv_nxt, struct icmp_quoted *quoted)
{
	static struct icmp_message beginning;
	size_t len = msg->len - ICMP_HEADER_LEN, used = msg->len < sizeof(beginning) ? msg->len : sizeof(beginning);
	struct conn conn = { .state = CONN_ESTABLISHED, .earlier_nxt = SEQ, .lately_nxt = SEQ, .snd_nxt = SEQ + 1,
			     .rcv_nxt = rcv_nxt };

	conn.settings.padding = padding;
	memcpy(&beginning, msg->bytes, used);
	memset(quoted, 0, sizeof(*quoted));
	len = len < ICMP_QUOTE_MAX ? len : ICMP_QUOTE_MAX;
	if (!icmp_is_error(&beginning.head, ipv6) || !icmp_parse(beginning.quote, (__u32)len, ipv6, PROTO_TCP, &quoted->pkt))
		return false;
	icmp_read(beginning.quote, (__u32)len, quoted);
	if (!icmp_accept(&conn, quoted, 0))
		return false;
	icmp_turn(&beginning, quoted);
	memcpy(msg->bytes, &beginning, used);
	return true;
}

static void expect_turned(const struct icmp_spec *spec, __u8 setting, __u8 padding, __u32 mtu)
{
	struct icmp_quoted quoted;

	icmp_build(&built, spec);
	expect(turn(&built, spec->quoted.ipv6, setting, ACK, &quoted));
	icmp_build_turned(&turned, spec, padding, mtu);
	expect_eq(quoted.padding, padding);
	for (size_t i = 0; i < built.len; i++) {
		if (built.bytes[i] != turned.bytes[i])
			ck_abort_msg("IPv%d, %zu quoted, payload %zu, padding %u: byte %zu is %#x, expected %#x",
				     spec->quoted.ipv6 ? 6 : 4, built.len - 8, spec->quoted.payload_len, padding, i,
				     built.bytes[i], turned.bytes[i]);
	}
}

/* Each family, options and extension headers, padding, length of the quote. */
START_TEST(test_turn)
{
	struct icmp_spec spec;
	__u8 random = (__u8)((SEQ + (__u64)ACK) % 0x100000000 % 11);

	for (unsigned int layout = 0; layout < 11; layout++) {
		for (unsigned int setting = 0; setting <= PADDING_MAX + 1; setting++) {
			bool is_random = setting > PADDING_MAX;
			__u8 padding = is_random ? random : (__u8)setting;
			__u32 less = 12 + (is_random ? 10 : setting);

			for (int ipv6 = 0; ipv6 < 2; ipv6++) {
				size_t headers;

				make_spec(&spec, ipv6, layout, 1360);
				icmp_build(&built, &spec);
				headers = built.l4_off - 8;
				for (size_t more = 8; more < 40; more++) {
					spec.quote_len = headers + more;
					expect_turned(&spec, is_random ? PADDING_RANDOM : padding, padding, 1400 - less);
				}
				spec.quote_len = 1200;
				for (spec.quoted.payload_len = 0; spec.quoted.payload_len < 60; spec.quoted.payload_len++)
					expect_turned(&spec, is_random ? PADDING_RANDOM : padding, padding, 1400 - less);
			}
		}
	}
}
END_TEST

/* A quote without the ACK field: what the connection acknowledges now is as good a guess as any. */
START_TEST(test_padding_guessed)
{
	struct icmp_quoted quoted;
	struct icmp_spec spec;

	for (__u32 rcv_nxt = ACK; rcv_nxt < ACK + 30; rcv_nxt++) {
		make_spec(&spec, false, 0, 100);
		spec.quote_len = 20 + 11;
		icmp_build(&built, &spec);
		expect(turn(&built, false, PADDING_RANDOM, rcv_nxt, &quoted));
		expect(!quoted.ack_known);
		expect_eq(quoted.padding, (SEQ + rcv_nxt) % 11);
		spec.quote_len = 20 + 12;
		icmp_build(&built, &spec);
		expect(turn(&built, false, PADDING_RANDOM, rcv_nxt, &quoted));
		expect_eq(quoted.padding, (SEQ + (__u32)ACK) % 11);
	}
}
END_TEST

/* Whatever the contents: checksums stay right when they were, and wrong by as much when they were not. */
START_TEST(test_checksums)
{
	struct icmp_quoted quoted;
	struct icmp_spec spec;
	uint64_t seed = 1;

	for (int i = 0; i < 200000; i++) {
		bool ipv6 = i & 1;
		__u16 before, after;
		__u8 *ip = built.bytes + 8;

		make_spec(&spec, ipv6, (unsigned int)prng_below(&seed, 11), prng_below(&seed, 300));
		prng_fill(&seed, spec.quoted.src, 16);
		prng_fill(&seed, spec.quoted.dst, 16);
		spec.quoted.src_port = (uint16_t)prng_next(&seed);
		spec.quoted.tcp.ack = (uint32_t)prng_next(&seed);
		spec.rest = i % 3 ? (uint32_t)prng_next(&seed) : 0;
		spec.quote_len = 28 + prng_below(&seed, 500);
		icmp_build(&built, &spec);
		if (spec.quote_len < built.l4_off)
			continue;
		if (i % 4 == 3)
			built.bytes[1 + prng_below(&seed, 3)] ^= (__u8)(1 << prng_below(&seed, 8));
		else if (i % 4 == 2) /* a quote that was damaged before it was quoted */
			built.bytes[18 + prng_below(&seed, 2)] ^= 1;
		before = icmp_built_check(&built, &spec);
		after = ipv6 ? 0 : naive_fold(naive_sum(ip, built.l4_off - 8));
		if (!turn(&built, ipv6, (__u8)prng_below(&seed, PADDING_MAX + 1), ACK, &quoted))
			continue;
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
		{ 1400, 12, 1388 }, { 1500, 28, 1472 }, { 1280, 12, 1268 }, { 576, 22, 554 },	 { 81, 12, 69 },
		{ 80, 12, 68 },	    { 79, 12, 68 },	{ 69, 28, 68 },	    { 68, 12, 68 },	 { 67, 12, 67 },
		{ 1, 12, 1 },	    { 0, 12, 0 },	{ 65536, 12, 65524 }, { ~0U, 12, ~0U - 12 },
	};
	struct icmp_spec spec;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		expect_eq(icmp_lower_mtu(cases[i].said, cases[i].growth), cases[i].told);
		for (int ipv6 = 0; ipv6 < 2; ipv6++) {
			if (!ipv6 && cases[i].said > 0xffff)
				continue;
			make_spec(&spec, ipv6, 0, 100);
			spec.rest = cases[i].said;
			expect_turned(&spec, (__u8)(cases[i].growth == 22 ? PADDING_RANDOM : cases[i].growth - 12),
				      cases[i].growth == 22 ? (__u8)((SEQ + (__u32)ACK) % 11) : (__u8)(cases[i].growth - 12),
				      cases[i].told);
		}
	}
	/* RFC 4884: the length of the quote stands beside the MTU. */
	make_spec(&spec, false, 0, 100);
	spec.rest = 32U << 16 | 1400;
	expect_turned(&spec, 0, 0, 32U << 16 | 1388);
}
END_TEST

/* Only these reach a socket, and only "too big" has an MTU. */
START_TEST(test_types)
{
	static const __u8 ipv4[] = { 3, 11, 12 }, ipv6[] = { 1, 2, 3, 4 };
	struct icmp_header head = {};
	struct icmp_spec spec;

	for (unsigned int type = 0; type < 256; type++) {
		head.type = (__u8)type;
		expect_eq(icmp_is_error(&head, false), !!memchr(ipv4, (int)type, sizeof(ipv4)));
		expect_eq(icmp_is_error(&head, true), !!memchr(ipv6, (int)type, sizeof(ipv6)));
		for (unsigned int code = 0; code < 20; code++) {
			for (int v6 = 0; v6 < 2; v6++) {
				bool too_big = v6 ? type == 2 : type == 3 && code == 4;

				make_spec(&spec, v6, 0, 100);
				spec.type = (__u8)type;
				spec.code = (__u8)code;
				if (icmp_is_error(&head, v6))
					expect_turned(&spec, 0, 0, too_big ? 1388 : 1400);
			}
		}
	}
}
END_TEST

/* Fragments, other protocols, too short a quote, the other family: nobody's business here. */
START_TEST(test_not_ours)
{
	struct icmp_quoted quoted;
	struct icmp_spec spec;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		make_spec(&spec, ipv6, 0, 100);
		icmp_build(&built, &spec);
		for (spec.quote_len = 0; spec.quote_len < built.l4_off; spec.quote_len++) {
			icmp_build(&built, &spec);
			expect(!turn(&built, ipv6, 0, ACK, &quoted));
		}
		icmp_build(&built, &spec);
		expect(turn(&built, ipv6, 0, ACK, &quoted));
		icmp_build(&built, &spec);
		built.bytes[0] = ipv6 ? ICMP4_UNREACHABLE : ICMP6_UNREACHABLE;
		expect(!turn(&built, !ipv6, 0, ACK, &quoted));

		make_spec(&spec, ipv6, 0, 100);
		spec.quoted.frag_off = 0x2000;
		spec.quoted.ext_count = (__u8)ipv6;
		spec.quoted.ext[0] = (struct frame_ext){ .type = IPPROTO_FRAGMENT, .frag_off = 1 };
		icmp_build(&built, &spec);
		expect(!turn(&built, ipv6, 0, ACK, &quoted));

		make_spec(&spec, ipv6, 0, 100);
		spec.quoted.proto = IPPROTO_UDP;
		icmp_build(&built, &spec);
		memset(&quoted, 0, sizeof(quoted));
		expect(!icmp_parse(built.bytes + 8, (__u32)built.len - 8, ipv6, PROTO_TCP, &quoted.pkt));
	}
}
END_TEST

START_TEST(test_in_flight)
{
	static const __u32 begin[] = { 0, 1, 5000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xfffffc18 };

	for (size_t i = 0; i < sizeof(begin) / sizeof(*begin); i++) {
		struct conn conn = { .state = CONN_ESTABLISHED, .snd_nxt = begin[i] + 3000, .snd_una = begin[i] + 2500,
				     .lately_nxt = begin[i] + 2000, .earlier_nxt = begin[i], .sent_ns = 1000 * NSEC_PER_SEC };
		__u32 nxt = conn.snd_nxt, oldest = conn.earlier_nxt - ICMP_GUESS;
		__u64 now_ns = conn.sent_ns;

		/* Acknowledged or not, what was sent lately. */
		expect(conn_in_flight(&conn, nxt - 1, now_ns) && conn_in_flight(&conn, conn.earlier_nxt, now_ns));
		expect(conn_in_flight(&conn, oldest, now_ns) && !conn_in_flight(&conn, oldest - 1, now_ns));
		expect(!conn_in_flight(&conn, nxt, now_ns) && !conn_in_flight(&conn, nxt + 1, now_ns));
		expect(!conn_in_flight(&conn, nxt + 0x80000000, now_ns));
		/* Two seconds later only the rest of it, and then nothing at all. */
		now_ns += CONN_LATELY_NS;
		oldest = conn.lately_nxt - ICMP_GUESS;
		expect(conn_in_flight(&conn, nxt - 1, now_ns));
		expect(conn_in_flight(&conn, oldest, now_ns) && !conn_in_flight(&conn, oldest - 1, now_ns));
		now_ns += CONN_LATELY_NS;
		expect(!conn_in_flight(&conn, nxt - 1, now_ns) && !conn_in_flight(&conn, oldest, now_ns));
		/* Never more than a window. */
		conn.earlier_nxt = nxt - 0x70000000;
		oldest = nxt - CONN_WINDOW_FULL - ICMP_GUESS;
		now_ns = conn.sent_ns;
		expect(conn_in_flight(&conn, oldest, now_ns) && !conn_in_flight(&conn, oldest - 1, now_ns));
		/* Handshakes: the SYN, whatever was sent before. Else nothing. */
		for (__u8 state = CONN_IDLE; state <= CONN_CLOSED; state++) {
			bool syn = state == CONN_SYN_SENT || state == CONN_SYN_RECEIVED;

			if (state == CONN_ESTABLISHED)
				continue;
			conn.state = state;
			expect_eq(conn_in_flight(&conn, nxt - 1, now_ns), syn);
			expect(!conn_in_flight(&conn, nxt - 2, now_ns) && !conn_in_flight(&conn, nxt, now_ns));
		}
	}
}
END_TEST

/* The marks that a connection makes when it sends: what is two seconds old may be under way, what is six is not. */
START_TEST(test_sent_lately)
{
	static struct {
		__u64 ns;
		__u32 seq;
	} sent[2000];
	struct conn conn = { .state = CONN_ESTABLISHED, .snd_nxt = 0xffff0000 };
	struct env env = { .now_ns = 1000 * NSEC_PER_SEC };
	uint64_t seed = 3;

	for (size_t i = 0; i < sizeof(sent) / sizeof(*sent); i++) {
		env.now_ns += prng_below(&seed, 8) ? prng_below(&seed, 300) * NSEC_PER_MSEC : prng_below(&seed, 6) * NSEC_PER_SEC;
		conn_note_sent(&conn, &env);
		sent[i].ns = env.now_ns;
		sent[i].seq = conn.snd_nxt;
		conn.snd_nxt += 100;
		env.now_ns += prng_below(&seed, 2) * prng_below(&seed, 5000) * NSEC_PER_MSEC;
		for (size_t k = i > 40 ? i - 40 : 0; k <= i; k++) {
			__u64 age_ns = env.now_ns - sent[k].ns;

			expect(age_ns >= CONN_LATELY_NS || conn_in_flight(&conn, sent[k].seq, env.now_ns));
			expect(age_ns < 3 * CONN_LATELY_NS || !conn_in_flight(&conn, sent[k].seq, env.now_ns));
		}
	}
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
		bool ipv6 = i & 1;

		make_spec(&spec, ipv6, (unsigned int)prng_below(&seed, 11), prng_below(&seed, 300));
		icmp_build(&built, &spec);
		for (uint64_t n = 1 + prng_below(&seed, 4); n; n--)
			built.bytes[prng_below(&seed, 100)] = (__u8)prng_next(&seed);
		if (i % 16 == 0)
			prng_fill(&seed, built.bytes + 9, 91);
		built.len = 8 + prng_below(&seed, built.len - 8);
		before = built;
		if (!turn(&built, ipv6, (__u8)prng_below(&seed, PADDING_MAX + 1), ACK, &quoted))
			expect(!memcmp(before.bytes, built.bytes, built.len));
		else
			expect(!memcmp(before.bytes + 8 + quoted.pkt.l4_off + 8, built.bytes + 8 + quoted.pkt.l4_off + 8,
				       built.len - 16 - quoted.pkt.l4_off));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("icmp");
	TCase *tcase = tcase_create("icmp");
	SRunner *runner = srunner_create(suite);
	uint64_t seed = 7;
	int failed;

	prng_fill(&seed, payload, sizeof(payload));
	tcase_add_test(tcase, test_turn);
	tcase_add_test(tcase, test_padding_guessed);
	tcase_add_test(tcase, test_checksums);
	tcase_add_test(tcase, test_mtu);
	tcase_add_test(tcase, test_types);
	tcase_add_test(tcase, test_not_ours);
	tcase_add_test(tcase, test_in_flight);
	tcase_add_test(tcase, test_sent_lately);
	tcase_add_test(tcase, test_noise);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
