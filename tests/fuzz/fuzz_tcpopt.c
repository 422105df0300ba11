/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP options: an arbitrary list, nothing out of bounds, and it is read as a plain reader reads it; ours are read as they were made
 * timeout: 700
 *
 * Input: MSS and scale of ours; the list.
 */
#include "core/tcpopt.h"
#include "fuzz.h"
#include "naive_tcpopt.h"

/* In a buffer of just the size that the contract asks for, with noise behind the list. */
static void check(const uint8_t *list, unsigned int len)
{
	uint8_t *buffer = malloc(TCPOPT_MAX_LEN);
	struct naive_tcpopt want;
	struct tcp_options got;
	bool ok = naive_tcpopt_parse(list, len, &want);

	if (!buffer)
		abort();
	memset(buffer, 0x03, TCPOPT_MAX_LEN);
	if (len)
		memcpy(buffer, list, len);
	memset(&got, 0xa5, sizeof(got));
	claim_eq(tcpopt_parse(buffer, len, &got), ok);
	if (ok) {
		claim_eq(got.mss, want.mss);
		claim_eq(got.wscale, want.wscale);
	}
	free(buffer);
}

static void check_ours(uint16_t mss, uint8_t wscale)
{
	uint8_t list[TCPOPT_SYN_LEN];
	struct naive_tcpopt got;
	uint16_t window = tcpopt_syn_window(mss);

	tcpopt_make_syn(list, mss, wscale);
	claim(naive_tcpopt_parse(list, sizeof(list), &got));
	claim_eq(got.mss, mss);
	claim_eq(got.wscale, wscale > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : wscale);
	check(list, sizeof(list));
	claim(!mss || (window % mss == 0 && window >= mss && window + mss > 0xffff));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz in = { data, data + size };
	uint16_t mss = fuzz_u16(&in);
	uint8_t wscale = fuzz_u8(&in);

	check_ours(mss, wscale);
	check(in.at, fuzz_left(&in) < TCPOPT_MAX_LEN ? (unsigned int)fuzz_left(&in) : TCPOPT_MAX_LEN);
	return 0;
}
