/* SPDX-License-Identifier: GPL-2.0-only */
/* The Internet checksum's sum over a run of bytes of any length, which begins at an even offset (core/csum.h). */
#ifndef MIMIC_SUM_H
#define MIMIC_SUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/csum.h"

static inline __u32 sum_bytes(const uint8_t *bytes, size_t len)
{
	__u32 sum = 0;

	for (size_t i = 0; i < len; i += 2) {
		uint8_t pair[2] = { bytes[i], i + 1 < len ? bytes[i + 1] : 0 };
		__u16 word;

		memcpy(&word, pair, sizeof(word));
		sum = csum_add(sum, word);
	}
	return sum;
}

#endif
