/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012) of a connection's key: what its initial
 * sequence numbers begin with (RFC 6528). Nobody who does not know the secret can tell one from others.
 */
#ifndef MIMIC_CORE_SIPHASH_H
#define MIMIC_CORE_SIPHASH_H

#include "addr.h"
#include "types.h"

struct siphash_key {
	__u64 word[2];
};

struct siphash {
	__u64 v0, v1, v2, v3;
};

CORE_FN __u64 siphash_rotate(__u64 x, __u32 bits)
{
	return x << bits | x >> (64 - bits);
}

CORE_FN void siphash_round(struct siphash *s)
{
	s->v0 += s->v1;
	s->v1 = siphash_rotate(s->v1, 13) ^ s->v0;
	s->v0 = siphash_rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = siphash_rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = siphash_rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = siphash_rotate(s->v1, 17) ^ s->v2;
	s->v2 = siphash_rotate(s->v2, 32);
}

CORE_FN void siphash_begin(struct siphash *s, const struct siphash_key *key)
{
	s->v0 = key->word[0] ^ 0x736f6d6570736575ULL;
	s->v1 = key->word[1] ^ 0x646f72616e646f6dULL;
	s->v2 = key->word[0] ^ 0x6c7967656e657261ULL;
	s->v3 = key->word[1] ^ 0x7465646279746573ULL;
}

CORE_FN void siphash_add(struct siphash *s, __u64 word)
{
	s->v3 ^= word;
	siphash_round(s);
	siphash_round(s);
	s->v0 ^= word;
}

CORE_FN __u64 siphash_end(struct siphash *s)
{
	s->v2 ^= 0xff;
	siphash_round(s);
	siphash_round(s);
	siphash_round(s);
	siphash_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* The 36 bytes of @conn, as words in this machine's byte order. */
CORE_FN __u64 siphash_conn_key(const struct siphash_key *key, const struct conn_key *conn)
{
	__u32 ports = (__u32)conn->local_port << 16 | conn->remote_port;
	struct siphash s;

	siphash_begin(&s, key);
	siphash_add(&s, (__u64)conn->local.word[0] << 32 | conn->local.word[1]);
	siphash_add(&s, (__u64)conn->local.word[2] << 32 | conn->local.word[3]);
	siphash_add(&s, (__u64)conn->remote.word[0] << 32 | conn->remote.word[1]);
	siphash_add(&s, (__u64)conn->remote.word[2] << 32 | conn->remote.word[3]);
	siphash_add(&s, (__u64)sizeof(*conn) << 56 | ports);
	return siphash_end(&s);
}

#endif
