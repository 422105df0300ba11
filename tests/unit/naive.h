/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checksums the slow way, straight from RFC 1071, 768, 9293 and 8200: big-endian words added one by one. Shares
 * nothing with bpf/core/, which it judges. Addresses are 4 or 16 bytes as they lie on the wire.
 */
#ifndef MIMIC_TEST_NAIVE_H
#define MIMIC_TEST_NAIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint16_t naive_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t naive_get32(const uint8_t *p)
{
	return (uint32_t)naive_get16(p) << 16 | naive_get16(p + 2);
}

static inline void naive_put16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static inline void naive_put32(uint8_t *p, uint32_t value)
{
	naive_put16(p, (uint16_t)(value >> 16));
	naive_put16(p + 2, (uint16_t)value);
}

/* Begins at an even offset; an odd last byte counts as if a zero followed it. */
static inline uint64_t naive_sum(const uint8_t *bytes, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += naive_get16(bytes + i);
	if (len & 1)
		sum += (uint64_t)bytes[len - 1] << 8;
	return sum;
}

static inline uint16_t naive_fold(uint64_t sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static inline uint64_t naive_pseudo(const uint8_t *src, const uint8_t *dst, size_t addr_len,
				    uint8_t proto, size_t l4_len)
{
	return naive_sum(src, addr_len) + naive_sum(dst, addr_len) + proto + (l4_len >> 16) +
	       (l4_len & 0xffff);
}

/* With the right checksum in its place, everything adds up to ones. */
static inline bool naive_ipv4_header_ok(const uint8_t *ip)
{
	return naive_fold(naive_sum(ip, (ip[0] & 15) * 4U)) == 0xffff;
}

/* ip: the IP header, of either version; l4: of l4_len bytes, its checksum included. */
static inline bool naive_l4_ok(const uint8_t *ip, uint8_t proto, const uint8_t *l4, size_t l4_len)
{
	bool ipv6 = ip[0] >> 4 == 6;
	uint64_t sum = ipv6 ? naive_pseudo(ip + 8, ip + 24, 16, proto, l4_len) :
			      naive_pseudo(ip + 12, ip + 16, 4, proto, l4_len);

	return naive_fold(sum + naive_sum(l4, l4_len)) == 0xffff;
}

#endif
