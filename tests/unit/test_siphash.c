// SPDX-License-Identifier: GPL-2.0-only
/* SipHash against the vector of its paper, and what the hash of a connection depends on. */
#include <check.h>
#include <stdlib.h>

#include "core/siphash.h"
#include "expect.h"

static const struct siphash_key paper_key = { { 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL } };

/* Appendix A: 15 bytes, 00 01 ... 0e. */
START_TEST(test_paper)
{
	struct siphash s;

	siphash_begin(&s, &paper_key);
	siphash_add(&s, 0x0706050403020100ULL);
	siphash_add(&s, 15ULL << 56 | 0x0e0d0c0b0a0908ULL);
	expect_eq(siphash_end(&s), 0xa129ca6149be45e5ULL);
}
END_TEST

START_TEST(test_every_byte_counts)
{
	union {
		struct conn_key key;
		__u8 bytes[sizeof(struct conn_key)];
	} conn = { 0 };
	__u64 before = siphash_conn_key(&paper_key, &conn.key);
	struct siphash_key other = paper_key;

	for (size_t i = 0; i < sizeof(conn.bytes); i++) {
		conn.bytes[i] ^= 1;
		expect(siphash_conn_key(&paper_key, &conn.key) != before);
		conn.bytes[i] ^= 1;
	}
	other.word[1] ^= 1;
	expect(siphash_conn_key(&other, &conn.key) != before);
	expect_eq(siphash_conn_key(&paper_key, &conn.key), before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("siphash");
	TCase *tcase = tcase_create("siphash");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_paper);
	tcase_add_test(tcase, test_every_byte_counts);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
