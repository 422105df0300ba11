/* SPDX-License-Identifier: GPL-2.0-only */
/* Sums over payloads, and the kernel's idea of where a checksum stands. */
#ifndef MIMIC_CHECKSUM_H
#define MIMIC_CHECKSUM_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "core/csum.h"
#include "core/types.h"

#define SUM_CHUNK 32U
#define SUM_CHUNKS_MAX 300U /* 9600 bytes: a jumbo frame */

/*
 * The sum of `len` bytes at `off` (an even number up to 255), which must be linear. A function of its own:
 * inlined, clang 14 and the verifier of 6.1 run into the limit of a million instructions.
 * A length above what the loop covers gives ~0 (never a folded sum of data that fits).
 */
__attribute__((noinline)) __u32 sum_skb(struct __sk_buff *skb, __u32 off, __u32 len)
{
	const __u8 *data = skb_data(skb), *end = skb_end(skb);
	__u32 rest[SUM_CHUNK / 4] = {};
	__u32 done = 0, sum = 0;
	const __u8 *pos;

	if (off > 255)
		return ~0U;
	pos = data + off;
	for (__u32 i = 0; i < SUM_CHUNKS_MAX; i++) {
		if (done + SUM_CHUNK > len || pos + SUM_CHUNK > end)
			break;
		sum = csum_add(sum, csum_words((const void *)pos, SUM_CHUNK / 4));
		pos += SUM_CHUNK;
		done += SUM_CHUNK;
	}
	if (done >= len)
		return sum;
	len -= done;
	if (skb_load(skb, off + done, rest, len, SUM_CHUNK))
		return ~0U;
	return csum_add(sum, csum_words(rest, SUM_CHUNK / 4));
}

#ifndef MIMIC_PLAIN
/* Read by CO-RE, where the kernel has BTF and bpf_cast_to_kern_ctx (6.2 and later). */
struct sk_buff {
	__u8 ip_summed : 2;
	__u8 encapsulation : 1;
} __attribute__((preserve_access_index));
#endif

#endif
