/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Internet checksum arithmetic (RFC 1071, RFC 1624).
 *
 * A *sum* is a 32-bit accumulation of 16-bit words as they lie in memory (wire order); it is folded only at the
 * end. Since one's complement sums do not care about the byte order of the machine as long as every word is
 * taken the same way, numbers are converted with host_to_be16/32 before they are added, and results are stored
 * as they are.
 */
#ifndef MIMIC_CORE_CSUM_H
#define MIMIC_CORE_CSUM_H

#include "addr.h"
#include "types.h"

CORE_FN __u32 csum_add(__u32 sum, __u32 addend)
{
	sum += addend;
	return sum + (sum < addend); /* end-around carry */
}

CORE_FN __u32 csum_sub(__u32 sum, __u32 subtrahend)
{
	return csum_add(sum, ~subtrahend);
}

/* To 16 bits, not complemented. */
CORE_FN __u16 csum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/* The contribution of a run of bytes that begins at an odd offset (RFC 1071, section 2 (B)). */
CORE_FN __u32 csum_shift(__u32 sum, bool odd_offset)
{
	__u32 folded = csum_fold(sum);

	return odd_offset ? __builtin_bswap16((__u16)folded) : folded;
}

CORE_FN __u32 csum_addr(__u32 sum, const struct addr *addr)
{
	if (!addr_is_ipv4(addr)) {
		sum = csum_add(sum, addr->word[0]);
		sum = csum_add(sum, addr->word[1]);
		sum = csum_add(sum, addr->word[2]);
	}
	return csum_add(sum, addr->word[3]);
}

/*
 * The pseudo header of RFC 9293 3.1 (IPv4) and RFC 8200 8.1 (IPv6): both addresses, the protocol and the length
 * of the L4 header and payload in bytes. The two families differ only in where the zeroes stand.
 */
CORE_FN __u32 csum_pseudo(const struct addr *src, const struct addr *dst, __u8 proto, __u16 l4_len)
{
	__u32 sum = csum_addr(csum_addr(0, src), dst);

	sum = csum_add(sum, host_to_be16(proto));
	return csum_add(sum, host_to_be16(l4_len));
}

/* A checksum field (16 bits, wire order) after the word `from` of the data became `to` (RFC 1624, eqn. 3). */
CORE_FN __u16 csum_replace(__u16 check, __u32 from, __u32 to)
{
	return (__u16)~csum_fold(csum_add(csum_sub((__u16)~check, csum_fold(from)), csum_fold(to)));
}

/*
 * The sum of a short buffer of 32-bit words; `words` is a constant. What lies behind the data in the buffer is zero,
 * so the length of the data does not matter, and there is no branch to multiply the verifier's paths.
 */
CORE_FN __u32 csum_words(const __u32 *word, __u32 words)
{
	__u64 sum = 0;

	CORE_UNROLL
	for (__u32 i = 0; i < words; i++)
		sum += word[i];
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (__u32)((sum & 0xffffffff) + (sum >> 32));
}

#endif
