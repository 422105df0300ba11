/* SPDX-License-Identifier: GPL-2.0-only */
/* Sums over payloads, and the kernel's idea of where a checksum stands. */
#ifndef MIMIC_CHECKSUM_H
#define MIMIC_CHECKSUM_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "core/csum.h"
#include "core/types.h"
#include "work.h"

enum {
	SUM_CHUNK = 32,
	SUM_CHUNKS_PAYLOAD = MIMIC_MTU_MAX / SUM_CHUNK,
	SUM_CHUNKS_HEADERS = 10,
};

/*
 * The sum of `len` bytes at `off` (an even number up to 255), which must be linear, into w->payload_sum. False: they
 * are not, or more than `chunks` (a constant) full chunks.
 *
 * Not a function of its own: with a subprogram kernels up to 6.2 take every scalar for precise and prune next to
 * nothing, and without kernel BTF a global function gets no context. For the loop to stay cheap nothing may be
 * alive behind it, so the odd bytes at the end are found from `len` alone, and the sum goes to the work area.
 */
static __always_inline bool sum_skb(struct __sk_buff *skb, struct work *w, __u32 off, __u32 len, const __u32 chunks)
{
	const __u8 *end, *pos;
	__u32 total, left = len;

	if (off > 255 || len >= SUM_CHUNK * (chunks + 1))
		return false;
	__builtin_memset(w->chunk, 0, SUM_CHUNK);
	if (skb_load(skb, off + (len & ~(SUM_CHUNK - 1U)), w->chunk, len & (SUM_CHUNK - 1U), SUM_CHUNK))
		return false;
	total = csum_words(w->chunk, SUM_CHUNK / 4);
	end = skb_end(skb);
	pos = (const __u8 *)skb_data(skb) + off;
	for (__u32 i = 0; i < chunks; i++) {
		if (left < SUM_CHUNK || pos + SUM_CHUNK > end)
			break;
		total = csum_add(total, csum_words((const void *)pos, SUM_CHUNK / 4));
		pos += SUM_CHUNK;
		left -= SUM_CHUNK;
	}
	w->payload_sum = total;
	return true;
}

#endif
