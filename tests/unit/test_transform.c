/* SPDX-License-Identifier: GPL-2.0-only */
/* The transformation: wire layout byte by byte, round trips at every length, checksums, damage that stays damage. */
#include <stdio.h>
#include <string.h>

#include "buffer_transform.h"
#include "expect.h"
#include "prng.h"

/*
 * The format of the wire, written down by hand (and by a Python script that knows nothing of this program): whole IP
 * packets without options. Payload bytes 1, 2, 3 ...; padding a0, a1 ... where it need not be zero; ports 51820 and 443,
 * seq fedcba98, ack 01234567, window 3400. One line each: IP header, TCP header, TCP payload.
 */
struct example {
	bool ipv6;
	__u8 padding;
	size_t payload_len;
	const char *hex;
};

/* clang-format off */
static const struct example examples[] = {
	{ false, 0, 0,
	  "450000281234000040067c65c0000201c6336402"
	  "ca6c01bbfedcba980123456750183400c36d0000" },
	{ false, 0, 1,
	  "450000291234000040067c64c0000201c6336402"
	  "ca6c01bbfedcba980123456750183400c26c0000"
	  "01" },
	{ false, 0, 11,
	  "450000331234000040067c5ac0000201c6336402"
	  "ca6c01bbfedcba9801234567501034009f4c0000"
	  "0102030405060708090a0b" },
	{ false, 0, 12,
	  "450000341234000040067c59c0000201c6336402"
	  "ca6c01bbfedcba9801234567501034009f3f0000"
	  "0102030405060708090a0b0c" },
	{ false, 0, 13,
	  "450000351234000040067c58c0000201c6336402"
	  "ca6c01bbfedcba9801234567501034008c440000"
	  "0d0102030405060708090a0b0c" },
	{ false, 0, 100,
	  "4500008c1234000040067c01c0000201c6336402"
	  "ca6c01bbfedcba980123456750103400f5110000"
	  "0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c"
	  "2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c"
	  "4d4e4f505152535455565758595a5b5c5d5e5f60616263640102030405060708"
	  "090a0b0c" },
	{ false, 7, 0,
	  "4500002f1234000040067c5ec0000201c6336402"
	  "ca6c01bbfedcba980123456750183400357b0000"
	  "a0a1a2a3a4a5a6" },
	{ false, 7, 1,
	  "450000301234000040067c5dc0000201c6336402"
	  "ca6c01bbfedcba980123456750183400c3640000"
	  "0000000000000001" },
	{ false, 7, 11,
	  "4500003a1234000040067c53c0000201c6336402"
	  "ca6c01bbfedcba98012345675010340017540000"
	  "a0a1a2a3a4a5a60102030405060708090a0b" },
	{ false, 7, 12,
	  "4500003b1234000040067c52c0000201c6336402"
	  "ca6c01bbfedcba9801234567501034000b530000"
	  "a0a1a2a3a4a5a60102030405060708090a0b0c" },
	{ false, 7, 13,
	  "4500003c1234000040067c51c0000201c6336402"
	  "ca6c01bbfedcba9801234567501034000b450000"
	  "a0a1a2a3a4a5a60102030405060708090a0b0c0d" },
	{ false, 7, 100,
	  "450000931234000040067bfac0000201c6336402"
	  "ca6c01bbfedcba980123456750103400671f0000"
	  "a0a1a2a3a4a5a61415161718191a1b1c1d1e1f202122232425262728292a2b2c"
	  "2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c"
	  "4d4e4f505152535455565758595a5b5c5d5e5f60616263640102030405060708"
	  "090a0b0c0d0e0f10111213" },
	{ true, 0, 0,
	  "600123450014064020010db800000000000000000000000120010db8000000ab0000000000000002"
	  "ca6c01bbfedcba98012345675018340053850000" },
	{ true, 0, 1,
	  "600123450015064020010db800000000000000000000000120010db8000000ab0000000000000002"
	  "ca6c01bbfedcba98012345675018340052840000"
	  "01" },
	{ true, 0, 13,
	  "600123450021064020010db800000000000000000000000120010db8000000ab0000000000000002"
	  "ca6c01bbfedcba9801234567501034001c5c0000"
	  "0d0102030405060708090a0b0c" },
	{ true, 0, 100,
	  "600123450078064020010db800000000000000000000000120010db8000000ab0000000000000002"
	  "ca6c01bbfedcba98012345675010340085290000"
	  "0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c"
	  "2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c"
	  "4d4e4f505152535455565758595a5b5c5d5e5f60616263640102030405060708"
	  "090a0b0c" },
	{ true, 7, 0,
	  "60012345001b064020010db800000000000000000000000120010db8000000ab0000000000000002"
	  "ca6c01bbfedcba980123456750183400c5920000"
	  "a0a1a2a3a4a5a6" },
	{ true, 7, 1,
	  "60012345001c064020010db800000000000000000000000120010db8000000ab0000000000000002"
	  "ca6c01bbfedcba980123456750183400537c0000"
	  "0000000000000001" },
	{ true, 7, 13,
	  "600123450028064020010db800000000000000000000000120010db8000000ab0000000000000002"
	  "ca6c01bbfedcba9801234567501034009b5c0000"
	  "a0a1a2a3a4a5a60102030405060708090a0b0c0d" },
	{ true, 7, 100,
	  "60012345007f064020010db800000000000000000000000120010db8000000ab0000000000000002"
	  "ca6c01bbfedcba980123456750103400f7360000"
	  "a0a1a2a3a4a5a61415161718191a1b1c1d1e1f202122232425262728292a2b2c"
	  "2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c"
	  "4d4e4f505152535455565758595a5b5c5d5e5f60616263640102030405060708"
	  "090a0b0c0d0e0f10111213" },
};
/* clang-format on */

static const struct buffer_segment example_segment = {
	.seq = 0xfedcba98,
	.ack = 0x01234567,
	.window = 0x3400,
	.padding_bytes = { 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7 },
};

static size_t from_hex(const char *hex, __u8 *bytes)
{
	size_t len = strlen(hex) / 2;

	for (size_t i = 0; i < len; i++) {
		unsigned int byte;

		expect(sscanf(hex + 2 * i, "%2x", &byte) == 1);
		bytes[i] = (__u8)byte;
	}
	return len;
}

START_TEST(test_wire_layout)
{
	const struct example *example = &examples[_i];
	struct buffer_segment seg = example_segment;
	static struct frame frame, before;
	struct frame_spec spec;
	__u8 want[200], payload[100];
	size_t want_len = from_hex(example->hex, want), len;

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (__u8)(i + 1);
	frame_spec_init(&spec, example->ipv6, payload, example->payload_len);
	spec.ethernet = false;
	frame_build(&before, &spec);
	frame = before;
	seg.padding = example->padding;
	len = buffer_to_tcp(frame.bytes, frame.len, false, &seg);
	ck_assert_uint_eq(len, want_len);
	ck_assert_mem_eq(frame.bytes, want, want_len);
	/* And from the example alone, back again. */
	ck_assert_uint_eq(buffer_to_udp(want, want_len, false, seg.padding), before.len);
	ck_assert_mem_eq(want, before.bytes, before.len);
}
END_TEST

/* ---- round trips ---- */

static struct frame before, after;

static void assert_segment(const struct frame_spec *spec, size_t len,
			   const struct buffer_segment *seg, __u8 padding)
{
	const __u8 *ip = after.bytes + before.l3_off, *l4 = after.bytes + before.l4_off;
	size_t grown = before.l4_len + 12 + padding;

	expect_eq(len, before.l4_off + grown);
	expect_eq(after.bytes[before.proto_off], 6);
	if (spec->ipv6)
		expect_eq(naive_get16(ip + 4),
			  naive_get16(before.bytes + before.l3_off + 4) + 12U + padding);
	else
		expect_eq(naive_get16(ip + 2),
			  naive_get16(before.bytes + before.l3_off + 2) + 12U + padding);
	expect(spec->ipv6 || naive_ipv4_header_ok(ip));
	expect(naive_l4_ok(ip, 6, l4, grown));
	expect_eq(naive_get16(l4), spec->src_port);
	expect_eq(naive_get16(l4 + 2), spec->dst_port);
	expect_eq(naive_get32(l4 + 4), seg->seq);
	expect_eq(naive_get32(l4 + 8), seg->ack);
	expect_eq(naive_get16(l4 + 12), spec->payload_len <= 1 ? 0x5018 : 0x5010);
	expect_eq(naive_get16(l4 + 14), seg->window);
	expect_eq(naive_get16(l4 + 18), 0);
}

/* The datagram is what it was; where it had no whole checksum it has the right one now. */
static void assert_restored(const struct frame_spec *spec, size_t len)
{
	__u8 *ip = after.bytes + before.l3_off, *l4 = after.bytes + before.l4_off;

	expect_eq(len, before.l4_off + before.l4_len);
	expect(spec->ipv6 || naive_ipv4_header_ok(ip));
	expect(naive_l4_ok(ip, 17, l4, before.l4_len));
	expect(naive_get16(l4 + 6) != 0);
	if (spec->check == FRAME_CHECK_COMPLETE)
		expect_eq(naive_get16(l4 + 6), naive_get16(before.bytes + before.l4_off + 6));
	memcpy(l4 + 6, before.bytes + before.l4_off + 6, 2);
	if (!spec->ipv6)
		memcpy(ip + 10, before.bytes + before.l3_off + 10, 2);
	expect(!memcmp(after.bytes, before.bytes, len));
}

static void round_trip(const struct frame_spec *spec, const struct buffer_segment *seg)
{
	__u8 padding = seg->padding == PADDING_RANDOM ? (__u8)((__u32)(seg->seq + seg->ack) % 11) :
							seg->padding;
	size_t len;

	frame_build(&before, spec);
	memcpy(&after, &before, offsetof(struct frame, bytes) + before.len);
	len = buffer_to_tcp(after.bytes, before.len, spec->ethernet, seg);
	assert_segment(spec, len, seg, padding);
	memset(after.bytes + len, 0xdd, 9); /* what drivers leave behind the end */
	len = buffer_to_udp(after.bytes, len + 9, spec->ethernet, seg->padding);
	assert_restored(spec, len);
}

/* A different frame for each n, with all that stands before UDP. */
static void vary_headers(struct frame_spec *spec, __u32 n)
{
	static const __u8 ext[3] = { IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING };

	spec->ethernet = n % 4;
	spec->vlans = (__u8)(n % 4 ? n % 4 - 1 : 0);
	spec->trailer = n % 3;
	spec->ip_options = n / 4 % 11;
	spec->ext_count = spec->ipv6 ? n / 4 % 4 : 0;
	for (unsigned int i = 0; i < spec->ext_count; i++)
		spec->ext[i] = (struct frame_ext){ ext[(n / 16 + i) % 3], (__u8)(n / 64 % 3), 0 };
	spec->src[3] = (__u8)n;
	spec->dst_port = (__u16)(443 + n * 7919);
}

static void vary_segment(struct buffer_segment *seg, uint64_t *state)
{
	seg->seq = (__u32)prng_next(state);
	seg->ack = (__u32)prng_next(state);
	seg->window = (__u16)prng_next(state);
	prng_fill(state, seg->padding_bytes, sizeof(seg->padding_bytes));
}

/* _i: 0..33, address family and padding 0..16; 34..35: random padding. */
static void set_variant(int variant, bool *ipv6, __u8 *padding)
{
	*ipv6 = variant & 1;
	*padding = variant < 34 ? (__u8)(variant / 2) : PADDING_RANDOM;
}

START_TEST(test_every_length)
{
	uint64_t state = env_number("TEST_SEED", 9) + (uint64_t)_i;
	struct buffer_segment seg;
	struct frame_spec spec;
	__u8 payload[1500];
	bool ipv6;

	set_variant(_i, &ipv6, &seg.padding);
	for (__u32 len = 0; len <= sizeof(payload); len++) {
		prng_fill(&state, payload, sizeof(payload));
		frame_spec_init(&spec, ipv6, payload, len);
		vary_headers(&spec, len + (__u32)_i);
		for (int check = FRAME_CHECK_COMPLETE; check <= FRAME_CHECK_PARTIAL; check++) {
			spec.check = (enum frame_check)check;
			for (int i = 0; i < (seg.padding == PADDING_RANDOM ? 4 : 1); i++) {
				vary_segment(&seg, &state);
				round_trip(&spec, &seg);
			}
		}
	}
}
END_TEST

/* Constant bytes bring out what noise hides: sums of 0 and of all ones. */
START_TEST(test_constant_payloads)
{
	struct buffer_segment seg = { .seq = 0xffffffff, .ack = 0xffffffff, .window = 0xffff };
	struct frame_spec spec;
	__u8 payload[64];
	bool ipv6;

	set_variant(_i, &ipv6, &seg.padding);
	for (int byte = 0; byte <= 0xff; byte += 0xff) {
		memset(payload, byte, sizeof(payload));
		memset(seg.padding_bytes, byte, sizeof(seg.padding_bytes));
		for (size_t len = 0; len <= sizeof(payload); len++) {
			frame_spec_init(&spec, ipv6, payload, len);
			round_trip(&spec, &seg);
			seg.seq++;
		}
	}
}
END_TEST

START_TEST(test_jumbo)
{
	uint64_t state = 10;
	static __u8 payload[9000];
	struct buffer_segment seg;
	struct frame_spec spec;
	bool ipv6;

	prng_fill(&state, payload, sizeof(payload));
	set_variant(_i, &ipv6, &seg.padding);
	for (size_t len = sizeof(payload) - 60; len <= sizeof(payload); len++) {
		frame_spec_init(&spec, ipv6, payload, len);
		spec.check = (enum frame_check)(len % 3);
		vary_segment(&seg, &state);
		round_trip(&spec, &seg);
	}
}
END_TEST

/* ---- checksums that are rare ---- */

/* Sets the last two bytes of an even payload so that the complete UDP checksum becomes `want`. */
static void steer_checksum(struct frame_spec *spec, __u8 *payload, __u16 want)
{
	__u8 *last = payload + spec->payload_len - 2;
	__u16 check;

	naive_put16(last, 0);
	frame_build(&before, spec);
	check = naive_get16(before.bytes + before.l4_off + 6);
	naive_put16(last, naive_fold((uint64_t)check + (__u16)~want));
	frame_build(&before, spec);
	expect_eq(naive_get16(before.bytes + before.l4_off + 6), want);
}

/*
 * 0xffff stands for a sum of 0 (RFC 768). A complete checksum that happens to be the sum of the pseudo header looks
 * like a partial one, and must come out right all the same.
 */
START_TEST(test_rare_checksums)
{
	uint64_t state = 11;
	struct buffer_segment seg;
	struct frame_spec spec;
	__u8 payload[128];
	bool ipv6;

	set_variant(_i, &ipv6, &seg.padding);
	for (size_t len = 2; len <= sizeof(payload); len += 2) {
		__u16 pseudo;

		prng_fill(&state, payload, sizeof(payload));
		frame_spec_init(&spec, ipv6, payload, len);
		pseudo = naive_fold(naive_pseudo(spec.src, spec.dst, ipv6 ? 16 : 4, 17, len + 8));
		vary_segment(&seg, &state);
		steer_checksum(&spec, payload, 0xffff);
		round_trip(&spec, &seg);
		steer_checksum(&spec, payload, 0x0001);
		round_trip(&spec, &seg);
		steer_checksum(&spec, payload, 0xfffe);
		round_trip(&spec, &seg);
		steer_checksum(&spec, payload, pseudo);
		round_trip(&spec, &seg);
	}
}
END_TEST

/* ---- damage ---- */

/* Restored from a damaged segment: not at all, or with a checksum that says so. */
static void expect_damage_shows(size_t len, __u8 padding)
{
	struct frame damaged = after;
	struct packet pkt;
	struct addr src, dst;

	len = buffer_to_udp(damaged.bytes, len, true, padding);
	if (!len)
		return;
	expect(buffer_parse(damaged.bytes, len, true, &pkt, &src, &dst));
	expect_eq(pkt.proto, IPPROTO_UDP);
	expect_eq(pkt.l4_off + pkt.l4_len, len);
	expect(naive_get16(damaged.bytes + pkt.l4_off + 6) != 0); /* which would say: do not look */
	expect(!naive_l4_ok(damaged.bytes + pkt.l3_off, 17, damaged.bytes + pkt.l4_off,
			    pkt.l4_len));
}

START_TEST(test_every_flipped_bit)
{
	static const size_t size[] = { 0, 1, 2, 5, 11, 12, 13, 14, 27, 28, 29, 60 };
	uint64_t state = 12;
	struct buffer_segment seg;
	struct frame_spec spec;
	__u8 payload[60];
	bool ipv6;

	set_variant(_i, &ipv6, &seg.padding);
	for (size_t i = 0; i < sizeof(size) / sizeof(*size); i++) {
		size_t first, len;

		prng_fill(&state, payload, sizeof(payload));
		frame_spec_init(&spec, ipv6, payload, size[i]);
		vary_segment(&seg, &state);
		frame_build(&before, &spec);
		after = before;
		len = buffer_to_tcp(after.bytes, before.len, true, &seg);
		first = before.l4_off - (ipv6 ? 32 : 8); /* from the addresses on */
		for (size_t bit = first * 8; bit < len * 8; bit++) {
			after.bytes[bit / 8] ^= (__u8)(1 << bit % 8);
			expect_damage_shows(len, seg.padding);
			after.bytes[bit / 8] ^= (__u8)(1 << bit % 8);
		}
	}
}
END_TEST

/* Some bytes overwritten anywhere in the segment: the error of the sum is the same before and after. */
START_TEST(test_random_damage)
{
	uint64_t state = env_number("TEST_SEED", 13) + (uint64_t)_i,
		 rounds = env_number("TEST_ROUNDS", 3000);
	struct buffer_segment seg;
	struct frame_spec spec;
	__u8 payload[100];
	bool ipv6;

	set_variant(_i, &ipv6, &seg.padding);
	for (uint64_t i = 0; i < rounds; i++) {
		__u32 changes = 1 + prng_below(&state, 3);
		size_t len;

		prng_fill(&state, payload, sizeof(payload));
		frame_spec_init(&spec, ipv6, payload, prng_below(&state, sizeof(payload)));
		vary_segment(&seg, &state);
		frame_build(&before, &spec);
		after = before;
		len = buffer_to_tcp(after.bytes, before.len, true, &seg);
		for (; changes; changes--)
			after.bytes[before.l4_off +
				    prng_below(&state, (__u32)(len - before.l4_off))] =
				(__u8)prng_next(&state);
		if (!naive_l4_ok(after.bytes + before.l3_off, 6, after.bytes + before.l4_off,
				 len - before.l4_off))
			expect_damage_shows(len, seg.padding);
	}
}
END_TEST

/* ---- segments that a middlebox gave options ---- */

static size_t insert_options(size_t len, const __u8 *options, size_t options_len, bool ipv6)
{
	__u8 *ip = after.bytes + before.l3_off, *l4 = after.bytes + before.l4_off;
	size_t l4_len = len - before.l4_off;
	__u64 sum;

	memmove(l4 + 20 + options_len, l4 + 20, l4_len - 20);
	memcpy(l4 + 20, options, options_len);
	l4_len += options_len;
	l4[12] = (__u8)((20 + options_len) / 4 << 4);
	naive_put16(l4 + 16, 0);
	sum = ipv6 ? naive_pseudo(ip + 8, ip + 24, 16, 6, l4_len) :
		     naive_pseudo(ip + 12, ip + 16, 4, 6, l4_len);
	naive_put16(l4 + 16, (__u16)~naive_fold(sum + naive_sum(l4, l4_len)));
	if (ipv6) {
		naive_put16(ip + 4, (__u16)(naive_get16(ip + 4) + options_len));
	} else {
		naive_put16(ip + 2, (__u16)(naive_get16(ip + 2) + options_len));
		naive_put16(ip + 10, 0);
		naive_put16(ip + 10, (__u16)~naive_fold(naive_sum(ip, 20)));
	}
	return len + options_len;
}

START_TEST(test_inserted_options)
{
	uint64_t state = 14;
	struct buffer_segment seg;
	struct frame_spec spec;
	__u8 payload[80], options[40];
	bool ipv6;

	set_variant(_i, &ipv6, &seg.padding);
	for (size_t payload_len = 0; payload_len <= sizeof(payload); payload_len++) {
		prng_fill(&state, payload, sizeof(payload));
		prng_fill(&state, options, sizeof(options));
		frame_spec_init(&spec, ipv6, payload, payload_len);
		for (size_t options_len = 4; options_len <= sizeof(options); options_len += 4) {
			size_t len;

			vary_segment(&seg, &state);
			frame_build(&before, &spec);
			after = before;
			len = buffer_to_tcp(after.bytes, before.len, true, &seg);
			len = insert_options(len, options, options_len, ipv6);
			assert_restored(&spec, buffer_to_udp(after.bytes, len, true, seg.padding));
		}
	}
}
END_TEST

/* ---- the small pieces ---- */

START_TEST(test_padding_of_a_packet)
{
	uint64_t state = 15;

	for (__u8 fixed = 0; fixed <= PADDING_MAX; fixed++)
		expect_eq(transform_padding(fixed, (__u32)prng_next(&state),
					    (__u32)prng_next(&state)),
			  fixed);
	expect_eq(transform_padding(PADDING_RANDOM, 0, 0), 0);
	expect_eq(transform_padding(PADDING_RANDOM, 5, 5), 10);
	expect_eq(transform_padding(PADDING_RANDOM, 5, 6), 0);
	/* 2^32 - 1 = 390451572 * 11 + 3 */
	expect_eq(transform_padding(PADDING_RANDOM, 0xffffffff, 0), 3);
	expect_eq(transform_padding(PADDING_RANDOM, 0xffffffff, 1), 0); /* the sum wraps */
	expect_eq(transform_padding(PADDING_RANDOM, 0x80000000, 0x80000007), 7);
}
END_TEST

/* transform_padding_must_be_zero(): P odd, 3 or more, and 1 to P - 2 bytes of payload. */
START_TEST(test_zero_padding)
{
	for (__u8 padding = 0; padding <= PADDING_MAX; padding++) {
		for (__u16 len = 0; len < 40; len++) {
			bool want = padding % 2 == 1 && padding >= 3 && len >= 1 &&
				    len <= padding - 2;
			struct transform_plan plan;

			transform_plan_make(&plan, len, padding);
			expect_eq(transform_padding_must_be_zero(&plan), want);
		}
	}
}
END_TEST

/* Shorter than the padding that was agreed upon. */
START_TEST(test_too_short)
{
	struct buffer_segment seg = example_segment;
	static const __u8 payload[4];
	struct frame_spec spec;
	size_t len;

	for (seg.padding = 0; seg.padding < PADDING_MAX; seg.padding++) {
		frame_spec_init(&spec, seg.padding & 1, payload, 0);
		frame_build(&before, &spec);
		after = before;
		len = buffer_to_tcp(after.bytes, before.len, true, &seg);
		expect_eq(buffer_to_udp(after.bytes, len, true, seg.padding + 1), 0);
		expect(buffer_to_udp(after.bytes, len, true, seg.padding));
	}
}
END_TEST

START_TEST(test_partial_is_recognized)
{
	struct frame_spec spec;
	struct packet pkt;
	struct addr src, dst;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		for (int proto = 0; proto < 2; proto++) {
			for (int check = FRAME_CHECK_COMPLETE; check <= FRAME_CHECK_PARTIAL;
			     check++) {
				__u16 field;

				frame_spec_init(&spec, ipv6, (const __u8 *)"hello", 5);
				spec.proto = proto ? IPPROTO_TCP : IPPROTO_UDP;
				spec.check = (enum frame_check)check;
				frame_build(&before, &spec);
				expect(buffer_parse(before.bytes, before.len, true, &pkt, &src,
						    &dst));
				memcpy(&field, before.bytes + before.l4_off + (proto ? 16 : 6), 2);
				expect_eq(transform_is_partial(&src, &dst, spec.proto, pkt.l4_len,
							       field),
					  check == FRAME_CHECK_PARTIAL);
			}
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transform");
	TCase *tcase = tcase_create("transform");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, test_wire_layout, 0, sizeof(examples) / sizeof(*examples));
	tcase_add_loop_test(tcase, test_every_length, 0, 36);
	tcase_add_loop_test(tcase, test_constant_payloads, 0, 36);
	tcase_add_loop_test(tcase, test_jumbo, 0, 36);
	tcase_add_loop_test(tcase, test_rare_checksums, 0, 36);
	tcase_add_loop_test(tcase, test_every_flipped_bit, 0, 36);
	tcase_add_loop_test(tcase, test_random_damage, 0, 36);
	tcase_add_loop_test(tcase, test_inserted_options, 0, 36);
	tcase_add_test(tcase, test_padding_of_a_packet);
	tcase_add_test(tcase, test_zero_padding);
	tcase_add_test(tcase, test_too_short);
	tcase_add_test(tcase, test_partial_is_recognized);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
