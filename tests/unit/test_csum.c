/* SPDX-License-Identifier: GPL-2.0-only */
/* Checksum arithmetic against the naive way: folding, parity, pseudo headers, replacing a word. */
#include <string.h>

#include "core/csum.h"
#include "expect.h"
#include "naive.h"
#include "prng.h"

/* One's complement has two zeroes; a sum of something that is not all zero is 0xffff, never 0. */
static __u16 sum_of(const __u8 *bytes, size_t len)
{
	__u32 sum = 0;

	for (size_t i = 0; i < len; i += 2) {
		__u16 word = 0;

		memcpy(&word, bytes + i, len - i < 2 ? 1 : 2);
		sum = csum_add(sum, word);
	}
	return csum_fold(sum);
}

static __u16 wire16(__u16 value)
{
	return host_to_be16(value);
}

START_TEST(test_add_sub_fold)
{
	static const __u32 edge[] = { 0,	  1,	      0xfffe,	  0xffff,     0x10000,
				      0x10001,	  0x7fffffff, 0x80000000, 0xfffefffe, 0xfffeffff,
				      0xffff0000, 0xffff0001, 0xfffffffe, 0xffffffff };

	for (size_t i = 0; i < sizeof(edge) / sizeof(*edge); i++) {
		expect_eq(csum_fold(edge[i]), naive_fold(edge[i]));
		for (size_t j = 0; j < sizeof(edge) / sizeof(*edge); j++) {
			__u32 sum = csum_add(edge[i], edge[j]);

			expect_eq(csum_fold(sum), naive_fold((uint64_t)edge[i] + edge[j]));
			/* Back again, but for which of the zeroes it is. */
			expect_eq(csum_fold(csum_sub(sum, edge[j])) % 0xffff, edge[i] % 0xffff);
		}
	}
}
END_TEST

START_TEST(test_sum_of_bytes)
{
	uint64_t state = 1;
	__u8 bytes[300] = { 0 };

	for (size_t len = 0; len <= sizeof(bytes); len++) {
		prng_fill(&state, bytes, len);
		expect_eq(sum_of(bytes, len), wire16(naive_fold(naive_sum(bytes, len))));
	}
	memset(bytes, 0xff, sizeof(bytes));
	expect_eq(sum_of(bytes, sizeof(bytes)), 0xffff);
}
END_TEST

/* A run at an odd offset: the same bytes with one zero byte in front. */
START_TEST(test_shift)
{
	uint64_t state = 2;
	__u8 bytes[101] = { 0 };

	for (size_t len = 0; len < sizeof(bytes); len++) {
		__u32 sum;

		prng_fill(&state, bytes + 1, len);
		sum = sum_of(bytes + 1, len);
		expect_eq(csum_shift(sum, false), sum);
		expect_eq(csum_shift(sum, true), wire16(naive_fold(naive_sum(bytes, len + 1))));
	}
	for (__u32 i = 0; i < 100000; i++) { /* unfolded sums */
		__u32 sum = (__u32)prng_next(&state);

		expect_eq(csum_shift(csum_shift(sum, true), true), csum_fold(sum));
	}
}
END_TEST

START_TEST(test_words)
{
	uint64_t state = 3;
	__u32 words[7];
	__u8 bytes[28] = { 0 };

	for (size_t len = 0; len <= sizeof(bytes); len++) {
		prng_fill(&state, bytes, len);
		memset(words, 0, sizeof(words));
		memcpy(words, bytes, len);
		expect_eq(csum_fold(csum_words(words, 7)),
			  wire16(naive_fold(naive_sum(bytes, len))));
	}
	memset(words, 0xff, sizeof(words));
	expect_eq(csum_fold(csum_words(words, 7)), 0xffff);
	expect_eq(csum_words(words, 0), 0);
}
END_TEST

static void check_pseudo(const struct addr *src, const struct addr *dst, const __u8 *src_bytes,
			 const __u8 *dst_bytes, size_t addr_len, uint64_t *state)
{
	__u16 l4_len = (__u16)prng_next(state);
	__u8 proto = (__u8)prng_next(state);

	expect_eq(csum_fold(csum_pseudo(src, dst, proto, l4_len)),
		  wire16(naive_fold(naive_pseudo(src_bytes, dst_bytes, addr_len, proto, l4_len))));
}

START_TEST(test_pseudo)
{
	uint64_t state = 4;

	for (int i = 0; i < 100000; i++) {
		__u8 src_bytes[16], dst_bytes[16];
		struct addr src, dst;
		__be32 word;

		prng_fill(&state, src_bytes, 16);
		prng_fill(&state, dst_bytes, 16);
		if (i % 7 == 0)
			memset(src_bytes, i % 2 ? 0xff : 0, 16);
		memcpy(&src, src_bytes, 16);
		memcpy(&dst, dst_bytes, 16);
		check_pseudo(&src, &dst, src_bytes, dst_bytes, 16, &state);
		memcpy(&word, src_bytes, 4);
		addr_from_ipv4(&src, word);
		memcpy(&word, dst_bytes, 4);
		addr_from_ipv4(&dst, word);
		expect(addr_is_ipv4(&src) && addr_is_ipv4(&dst));
		check_pseudo(&src, &dst, src_bytes, dst_bytes, 4, &state);
	}
}
END_TEST

/* Whatever word of a header with a right checksum changes, the checksum stays right. */
START_TEST(test_replace)
{
	uint64_t state = 5;

	for (int i = 0; i < 300000; i++) {
		__u8 header[20];
		__u16 check, from, to;
		size_t at = 2 * prng_below(&state, 10);

		prng_fill(&state, header, sizeof(header));
		header[0] = 0x45;
		naive_put16(header + 10, 0);
		naive_put16(header + 10, (__u16)~naive_fold(naive_sum(header, sizeof(header))));
		expect(naive_ipv4_header_ok(header));
		if (at == 0 || at == 10)
			continue;
		memcpy(&check, header + 10, 2);
		memcpy(&from, header + at, 2);
		to = i % 5 ? (__u16)prng_next(&state) : (__u16) - (i % 2);
		check = csum_replace(check, from, to);
		memcpy(header + at, &to, 2);
		memcpy(header + 10, &check, 2);
		expect(naive_ipv4_header_ok(header));
	}
}
END_TEST

/* RFC 1624, section 4: the case that the equation of RFC 1141 gets wrong. */
START_TEST(test_replace_rfc1624)
{
	expect_eq(csum_replace(wire16(0xdd2f), wire16(0x5555), wire16(0x3285)), wire16(0x0000));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("csum");
	TCase *tcase = tcase_create("csum");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_add_sub_fold);
	tcase_add_test(tcase, test_sum_of_bytes);
	tcase_add_test(tcase, test_shift);
	tcase_add_test(tcase, test_words);
	tcase_add_test(tcase, test_pseudo);
	tcase_add_test(tcase, test_replace);
	tcase_add_test(tcase, test_replace_rfc1624);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
