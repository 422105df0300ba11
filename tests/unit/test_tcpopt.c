/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP options of SYN segments: every order, every malformed list, everything compared with a plain reader. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/tcpopt.h"
#include "expect.h"
#include "naive_tcpopt.h"
#include "prng.h"

/* In a buffer of exactly TCPOPT_MAX_LEN bytes, which is what the contract asks for; noise behind len. */
static bool core_parse(const uint8_t *bytes, unsigned int len, struct tcp_options *options)
{
	static uint8_t *buffer;

	if (!buffer)
		buffer = malloc(TCPOPT_MAX_LEN);
	memset(buffer, 0x03, TCPOPT_MAX_LEN);
	memcpy(buffer, bytes, len);
	return tcpopt_parse(buffer, len, options);
}

static void compare(const uint8_t *bytes, unsigned int len)
{
	struct tcp_options got = { 0 };
	struct naive_tcpopt want;
	bool ok = naive_tcpopt_parse(bytes, len, &want);

	if (core_parse(bytes, len, &got) != ok ||
	    (ok && (got.mss != want.mss || got.wscale != want.wscale))) {
		char text[3 * TCPOPT_MAX_LEN + 1] = "";

		for (unsigned int i = 0; i < len; i++)
			snprintf(text + 3 * i, 4, " %02x", bytes[i]);
		ck_abort_msg("options%s: %s mss %u scale %u, expected %s mss %u scale %u", text,
			     ok ? "refused or" : "taken,", got.mss, got.wscale,
			     ok ? "taken" : "refused", want.mss, want.wscale);
	}
}

static void taken(const char *bytes, unsigned int len, unsigned int mss, unsigned int wscale)
{
	struct tcp_options options;

	expect(core_parse((const uint8_t *)bytes, len, &options));
	expect_eq(options.mss, mss);
	expect_eq(options.wscale, wscale);
	compare((const uint8_t *)bytes, len);
}

static void refused(const char *bytes, unsigned int len)
{
	struct tcp_options options;

	expect(!core_parse((const uint8_t *)bytes, len, &options));
	compare((const uint8_t *)bytes, len);
}

#define TAKEN(text, mss, wscale) taken(text, sizeof(text) - 1, mss, wscale)
#define REFUSED(text)		 refused(text, sizeof(text) - 1)

START_TEST(test_known_lists)
{
	TAKEN("", 536, 0);
	TAKEN("\0", 536, 0);
	TAKEN("\x02\x04\x05\xb4", 1460, 0);
	TAKEN("\x03\x03\x0c\x01", 536, 12);
	TAKEN("\x03\x03\x0e\x01", 536, 14);
	TAKEN("\x03\x03\x0f\x01", 536, 14); /* RFC 7323 2.3 */
	TAKEN("\x03\x03\xff\x01", 536, 14);
	TAKEN("\x02\x04\x05\xb4\x03\x03\x0c\x04\x02\x00\x00\x00", 1460, 12);
	/* Linux: MSS, SACK permitted, timestamps, NOP, scale */
	TAKEN("\x02\x04\x05\xb4\x04\x02\x08\x0a\x01\x02\x03\x04\0\0\0\0\x01\x03\x03\x07", 1460, 7);
	/* behind the end of the list nothing counts, not even nonsense */
	TAKEN("\x02\x04\xff\xff\0\x03\x03\x07", 65535, 0);
	TAKEN("\0\x02\x01\xff", 536, 0);
	/* unknown ones, the longest included */
	TAKEN("\xfe\x02\x03\x03\x05\xfd\x03\x00", 536, 5);
	taken("\x22\x25\x03\x03\x01\x03\x03\x01\x02\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	      "\x03\x03\x09",
	      40, 536, 9);
}
END_TEST

START_TEST(test_forty_nops)
{
	char nops[40];

	memset(nops, 1, sizeof(nops));
	for (unsigned int len = 0; len <= sizeof(nops); len++)
		taken(nops, len, 536, 0);
	memcpy(nops + 37, "\x03\x03\x0a", 3);
	taken(nops, 40, 536, 10);
	memcpy(nops + 36, "\x02\x04\x12\x34", 4);
	taken(nops, 40, 0x1234, 0);
}
END_TEST

START_TEST(test_malformed)
{
	REFUSED("\x02");
	REFUSED("\x03");
	REFUSED("\x04");
	REFUSED("\xfe");
	REFUSED("\x01\x01\x01\x02");
	REFUSED("\x02\x00\x05\xb4");
	REFUSED("\x02\x01\x05\xb4");
	REFUSED("\x02\x02\x01\x01");
	REFUSED("\x02\x03\x05\x01");
	REFUSED("\x02\x04\x05");
	REFUSED("\x02\x05\x05\xb4\x01\x01\x01\x01");
	REFUSED("\x03\x02\x01\x01");
	REFUSED("\x03\x04\x07\x01");
	REFUSED("\x01\x01\x03\x03");
	REFUSED("\x08\x0a\x01\x02");
	REFUSED("\xfe\x00\x01\x01");
	REFUSED("\xfe\x01\x01\x01");
	REFUSED("\xfe\xff\x01\x01");
	REFUSED("\x02\x04\x05\xb4\x03\x03\x0c\x04");
}
END_TEST

/* An option that runs over the end by one byte, at every place, and one that just fits. */
START_TEST(test_lengths_at_the_end)
{
	uint8_t bytes[40];

	for (unsigned int len = 1; len <= 40; len++) {
		for (unsigned int at = 0; at < len; at++) {
			memset(bytes, 1, sizeof(bytes));
			for (unsigned int opt_len = 0; opt_len < 256; opt_len++) {
				bytes[at] = 0xfe;
				if (at + 1 < len)
					bytes[at + 1] = (uint8_t)opt_len;
				compare(bytes, len);
				bytes[at] = 3;
				compare(bytes, len);
			}
		}
	}
}
END_TEST

struct piece {
	unsigned int len;
	const char *bytes;
};

/* Every order of every selection of options. `used`: those that stand in bytes[0..len). */
static unsigned int orders(uint8_t *bytes, unsigned int len, unsigned int used)
{
	static const struct piece piece[] = {
		{ 4, "\x02\x04\x05\x78" },
		{ 3, "\x03\x03\x0c" },
		{ 2, "\x04\x02" },
		{ 10, "\x08\x0a\x02\x04\x03\x03\x00\x00\x01\x01" },
		{ 1, "\x01" },
		{ 6, "\xfd\x06\x03\x03\x07\x00" },
		{ 2, "\x22\x02" },
		{ 12, "\x1e\x0c\x00\x01\x02\x04" },
	};
	struct tcp_options options;
	unsigned int count = 1;

	expect(core_parse(bytes, len, &options));
	expect_eq(options.mss, used & 1 ? 0x578 : 536);
	expect_eq(options.wscale, used & 2 ? 12 : 0);
	for (unsigned int i = 0; i < sizeof(piece) / sizeof(*piece); i++) {
		if (used & 1U << i)
			continue;
		memset(bytes + len, 0, piece[i].len);
		memcpy(bytes + len, piece[i].bytes, piece[i].len > 10 ? 6 : piece[i].len);
		count += orders(bytes, len + piece[i].len, used | 1U << i);
	}
	return count;
}

START_TEST(test_every_order)
{
	uint8_t bytes[40];

	expect_eq(orders(bytes, 0, 0), 109601); /* sum of 8! / k! for k = 0 .. 8 */
}
END_TEST

/* All short lists over the bytes that mean something. */
START_TEST(test_every_short_list)
{
	static const uint8_t letter[] = { 0, 1, 2, 3, 4, 5, 6, 40, 255 };
	const unsigned int letters = sizeof(letter);
	unsigned int lists = 1;

	for (unsigned int len = 0; len <= 6; len++, lists *= letters) {
		for (unsigned int code = 0; code < lists; code++) {
			uint8_t bytes[6];
			unsigned int left = code;

			for (unsigned int i = 0; i < len; i++, left /= letters)
				bytes[i] = letter[left % letters];
			compare(bytes, len);
		}
	}
}
END_TEST

START_TEST(test_random)
{
	uint64_t state = env_number("TEST_SEED", 8), rounds = env_number("TEST_ROUNDS", 500000);
	uint8_t bytes[40];

	for (uint64_t i = 0; i < rounds; i++) {
		unsigned int len = prng_below(&state, 41);

		prng_fill(&state, bytes, len);
		for (unsigned int j = 0; i % 4 && j < len; j++)
			bytes[j] %= (uint8_t)(i % 4 * 4); /* small numbers are plausible */
		compare(bytes, len);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcpopt");
	TCase *tcase = tcase_create("tcpopt");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_known_lists);
	tcase_add_test(tcase, test_forty_nops);
	tcase_add_test(tcase, test_malformed);
	tcase_add_test(tcase, test_lengths_at_the_end);
	tcase_add_test(tcase, test_every_order);
	tcase_add_test(tcase, test_every_short_list);
	tcase_add_test(tcase, test_random);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
