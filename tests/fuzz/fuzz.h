/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzz targets have in common: bytes that libFuzzer makes up become choices, and a claim that is false ends the run, so that
 * libFuzzer keeps the input.
 */
#ifndef MIMIC_TEST_FUZZ_H
#define MIMIC_TEST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define claim(condition)                                                                              \
	do {                                                                                          \
		if (!(condition)) {                                                                   \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);       \
			abort();                                                                      \
		}                                                                                     \
	} while (0)

/* Two unsigned numbers. */
#define claim_eq(a, b)                                                                                \
	do {                                                                                          \
		unsigned long long a_ = (a), b_ = (b);                                                \
		if (a_ != b_) {                                                                       \
			fprintf(stderr, "%s:%d: %s == %#llx, but %s == %#llx\n", __FILE__, __LINE__,  \
				#a, a_, #b, b_);                                                      \
			abort();                                                                      \
		}                                                                                     \
	} while (0)

/* The input, from its front. Behind its end there are zeroes. */
struct fuzz {
	const uint8_t *at, *end;
};

static inline size_t fuzz_left(const struct fuzz *in)
{
	return (size_t)(in->end - in->at);
}

static inline uint8_t fuzz_u8(struct fuzz *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static inline uint16_t fuzz_u16(struct fuzz *in)
{
	uint16_t high = fuzz_u8(in);

	return (uint16_t)(high << 8 | fuzz_u8(in));
}

static inline uint32_t fuzz_u32(struct fuzz *in)
{
	uint32_t high = fuzz_u16(in);

	return high << 16 | fuzz_u16(in);
}

static inline void fuzz_fill(struct fuzz *in, void *to, size_t len)
{
	size_t have = fuzz_left(in) < len ? fuzz_left(in) : len;

	memset(to, 0, len);
	if (have)
		memcpy(to, in->at, have);
	in->at += have;
}

/* The rest as text. The caller's to free. */
static inline char *fuzz_text(struct fuzz *in)
{
	size_t len = fuzz_left(in);
	char *text = malloc(len + 1);

	if (!text)
		abort();
	fuzz_fill(in, text, len);
	text[len] = '\0';
	return text;
}

#endif
