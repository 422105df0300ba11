/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Addresses and the keys made of them. An IPv4 address is held as an IPv4-mapped IPv6 address (::ffff:a.b.c.d,
 * RFC 4291 2.5.5.2), so one key serves both families. Everything here is in wire order.
 */
#ifndef MIMIC_CORE_ADDR_H
#define MIMIC_CORE_ADDR_H

#include "types.h"

struct addr {
	__be32 word[4];
};

/* One end of a flow that a filter names. */
enum filter_origin {
	ORIGIN_LOCAL = 0,
	ORIGIN_REMOTE = 1,
};

struct filter_key {
	__be16 port;
	__u8 origin; /* enum filter_origin */
	__u8 ipv4;   /* 1 or 0: ::/0 holds the addresses of IPv6, and not those of IPv4 as well */
	struct addr addr;
};

_Static_assert(sizeof(struct filter_key) == 20, "filter_key is a map key");

enum {
	ADDR_BITS = 128,
	ADDR_IPV4_BITS = 96, /* of ::ffff:0:0/96, where the addresses of IPv4 begin */
	FILTER_KEY_HEAD_BITS = 32, /* in front of the address */
};

/* A filter_key of which the first `bits` bits count: the key of a trie (BPF_MAP_TYPE_LPM_TRIE). */
struct filter_prefix {
	__u32 bits;
	struct filter_key key;
};

_Static_assert(sizeof(struct filter_prefix) == 24, "filter_prefix is a map key");

/* A connection, seen from this host. */
struct conn_key {
	struct addr local, remote;
	__be16 local_port, remote_port;
};

_Static_assert(sizeof(struct conn_key) == 36, "conn_key is a map key");

CORE_FN void addr_from_ipv4(struct addr *addr, __be32 ipv4)
{
	addr->word[0] = 0;
	addr->word[1] = 0;
	addr->word[2] = host_to_be32(0xffff);
	addr->word[3] = ipv4;
}

CORE_FN bool addr_is_ipv4(const struct addr *addr)
{
	return !addr->word[0] && !addr->word[1] && addr->word[2] == host_to_be32(0xffff);
}

CORE_FN void filter_key_make(struct filter_key *key, const struct addr *addr, __be16 port,
			     enum filter_origin origin)
{
	key->port = port;
	key->origin = (__u8)origin;
	key->ipv4 = addr_is_ipv4(addr);
	key->addr = *addr;
}

/* @len: bits of the address, ADDR_BITS at most. */
CORE_FN void filter_prefix_make(struct filter_prefix *prefix, const struct filter_key *key, __u32 len)
{
	prefix->bits = FILTER_KEY_HEAD_BITS + len;
	prefix->key = *key;
}

#endif
