/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Filters as text and as map keys.
 *
 *	local=192.0.2.1:51820				one address
 *	remote=[2001:db8::1]:51820,handshake=0:		IPv6; settings for this filter alone
 *	local=[fe80::1%eth0]:51820			link-local, with or without scope
 *	remote=198.51.100.0/24:51820			a prefix: every address that begins so
 *	remote=[2001:db8::/32]:51820			of IPv6; [2001:db8::]/32 means the same
 *	remote=vpn.example.org:51820			a name: one filter for each address of it
 *	local=0.0.0.0:51820, local=[::]:51820		wildcards: every address of the interface
 *	local=:51820					both of them
 *
 * Three steps: filter_parse() is pure and takes text apart; filter_list_add() asks the resolver (or
 * filter_list_add_resolved() gets what it said) and yields filters; filter_list_expand() adds one filter for each address that a wildcard covers
 * (filter_list.h). This file does the first, and makes text of filters.
 */
#ifndef MIMIC_FILTER_H
#define MIMIC_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "settings.h"

enum {
	FILTER_HOST_MAX = 254,	  /* a DNS name is at most 253 characters long */
	FILTER_SCOPE_MAX = 16,	  /* IFNAMSIZ */
	FILTER_ENDPOINT_MAX = 64, /* `[address]:port` with its NUL */
	FILTER_END_MAX = 80,	  /* `origin=[prefix/length]:port` with its NUL */
	FILTER_TEXT_MAX = 512,	  /* filter_print() with its NUL */
	FILTER_PLACE_MAX = 512,	  /* filter_print_place() with its NUL */
};

/* Where a filter is written, for messages about it. Zero-filled: on the command line. */
struct filter_place {
	const char *path; /* outlives the filter */
	unsigned long line;
};

/* A filter as written. Owns nothing: copies are plain assignments. */
struct filter_spec {
	enum filter_origin origin;
	int family;    /* AF_INET, AF_INET6: host is an address; AF_UNSPEC: a name to resolve */
	uint16_t port; /* host order, 1..65535 */
	bool wildcard; /* 0.0.0.0 or [::], or, with an empty host, both */
	uint8_t prefix_len; /* as in struct filter */
	char host[FILTER_HOST_MAX]; /* without a prefix length */
	char scope[FILTER_SCOPE_MAX]; /* name or number of an interface; empty: none given */
	struct settings_patch patch;
	struct filter_place place; /* whoever calls filter_parse() knows */
};

/* A filter as the datapath takes it. */
struct filter {
	struct filter_key key;
	/* Of the bits of key.addr, an IPv4-mapped address for IPv4, as many count, and the rest is 0. ADDR_BITS: one address. */
	uint8_t prefix_len;
	struct settings_patch patch; /* over the global settings */
	bool wildcard; /* key.addr is ::ffff:0.0.0.0 or ::, in no packet: not for the map */
	bool expanded_from_wildcard;
	char *name; /* resolved from this host name; NULL: from an address. Owned. */
	struct filter_place place;
};

/*
 * Takes @text apart without asking anyone. Blanks around the parts are ignored. Returns 0, or
 * -EINVAL with *@error filled (unknown origin, no or wrong port, IPv6 without brackets, scope on an
 * address that is not link-local, prefix with bits behind its length, prefix of IPv4-mapped
 * addresses, wildcard as remote, unknown key, wrong value).
 */
int filter_parse(struct filter_spec *spec, const char *text, struct parse_error *error);

/* The address of @spec, as in the key. False when the host is a name, or empty: *@addr is untouched. */
bool filter_spec_addr(const struct filter_spec *spec, struct addr *addr);

/* Its host is a name to resolve. (Not so for `local=:PORT`, which has no host.) */
bool filter_spec_is_name(const struct filter_spec *spec);

/* 0.0.0.0 or :: */
bool filter_addr_is_any(const struct addr *addr);

/* An order of filters, as for qsort(3): 0 for the same end, that is origin, port, address and prefix length. */
int filter_compare(const struct filter *a, const struct filter *b);

/* Whether @filter, no wildcard, names this address, whatever its port. */
bool filter_matches(const struct filter *filter, const struct addr *addr);

/* `local` or `remote`. */
const char *filter_origin_name(enum filter_origin origin);

/*
 * Writes `192.0.2.1:51820` or `[2001:db8::1]:51820`. @size is at least FILTER_ENDPOINT_MAX. Returns
 * the length.
 */
int filter_print_endpoint(char *buf, size_t size, const struct addr *addr, __be16 port);

/* Writes `PATH:LINE`, as errors of a line begin, or `--filter`. @size is at least FILTER_PLACE_MAX. Returns the length. */
int filter_print_place(char *buf, size_t size, const struct filter_place *place);

/* Writes `origin=address:port`, as filter_parse() reads it. @size is at least FILTER_END_MAX. Returns the length. */
int filter_print_end(char *buf, size_t size, const struct filter *filter);

/*
 * Writes `origin=address:port[,settings][ (resolved from NAME)]`: the line of `mimic show` and of
 * the lock file. Of the settings only those that make a difference to @base, the global ones. @size
 * is at least FILTER_TEXT_MAX. Returns the length.
 */
int filter_print(char *buf, size_t size, const struct filter *filter,
		 const struct conn_settings *base);

#endif
