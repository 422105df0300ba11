/* SPDX-License-Identifier: GPL-2.0-only */
/* The options of a SYN as one would read them without a verifier (RFC 9293 3.1). Shares nothing with bpf/core/tcpopt.h, which says what is refused. */
#ifndef MIMIC_TEST_NAIVE_TCPOPT_H
#define MIMIC_TEST_NAIVE_TCPOPT_H

#include <stdbool.h>
#include <stdint.h>

struct naive_tcpopt {
	uint16_t mss;
	uint8_t wscale;
};

static inline bool naive_tcpopt_parse(const uint8_t *bytes, unsigned int len, struct naive_tcpopt *options)
{
	options->mss = 536;
	options->wscale = 0;
	for (unsigned int i = 0; i < len && bytes[i] != 0;) {
		unsigned int opt_len;

		if (bytes[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= len)
			return false;
		opt_len = bytes[i + 1];
		if (opt_len < 2 || i + opt_len > len)
			return false;
		if (bytes[i] == 2) {
			if (opt_len != 4)
				return false;
			options->mss = (uint16_t)(bytes[i + 2] << 8 | bytes[i + 3]);
		} else if (bytes[i] == 3) {
			if (opt_len != 3)
				return false;
			options->wscale = bytes[i + 2] > 14 ? 14 : bytes[i + 2];
		}
		i += opt_len;
	}
	return true;
}

#endif
