/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filters of an interface: names resolved, wildcards expanded to addresses, each key once.
 */
#ifndef MIMIC_FILTER_LIST_H
#define MIMIC_FILTER_LIST_H

#include <stddef.h>

#include "filter.h"
#include "resolver.h"

/* Zero-filled it is empty. Owns its items. */
struct filter_list {
	struct filter *items;
	size_t count;
	bool quiet; /* no warning of filters that are given more than once: there was one already */
};

#define _cleanup_filter_list_ __attribute__((cleanup(filter_list_free)))

/*
 * Appends the filters that @spec means: one, two (both wildcards), or one for each IPv4 and IPv6 address of a name. May
 * take as long as the resolver does. A scope has to be @ifname or its index, since Mimic works on
 * one interface; @ifname may be NULL: then no scope is checked.
 *
 * A filter for the same end (filter_compare()) replaces the earlier one, with a warning in the
 * log, which names both places: so the configuration file overrides the command line, and a line that is there twice stops
 * nobody.
 *
 * Returns 0, -EINVAL (scope), -ENOENT (the name has no address) or -EAGAIN (the resolver does not
 * answer now) with *@error filled, or -ENOMEM. On errors the list is unchanged.
 */
int filter_list_add(struct filter_list *list, const struct filter_spec *spec, const char *ifname,
		    struct parse_error *error);

/* Appends the filter of one address of a name, without asking the resolver. Returns 0 or -ENOMEM with the list unchanged. */
int filter_list_add_resolved(struct filter_list *list, const struct filter_spec *spec, const struct addr *addr);

/* What is said of a name that could not be resolved: fills *@error. Returns answer->err, which is not 0. */
int filter_list_refuse_name(const char *host, const struct resolver_answer *answer, struct parse_error *error);

/*
 * Makes the filters of the wildcards anew: removes those of the last call, then adds one for each
 * of the @addr_count addresses @addrs of the wildcard's family. Addresses that another filter names,
 * by themselves or by a prefix (same origin and port), are left to it: a wildcard is the least specific.
 * Which addresses count (loopback, link-local) is the caller's choice. Returns 0, or -ENOMEM with the
 * list unchanged.
 */
int filter_list_expand(struct filter_list *list, const struct addr *addrs, size_t addr_count);

/* Whether there is anything among the addresses for a wildcard to stand for. */
bool filter_list_covers(const struct filter *wildcard, const struct addr *addrs, size_t addr_count);

/* How many the datapath gets: wildcards do not count, the filters that they expand to do. */
size_t filter_list_effective(const struct filter_list *list);

/* The first of those that is more than @most, with *@error filled, or NULL. @ifname: whose addresses they expand to. */
const struct filter *filter_list_beyond(const struct filter_list *list, size_t most, const char *ifname, struct parse_error *error);

void filter_list_free(struct filter_list *list);

/* The filter for the same end as @filter (filter_compare()), or NULL. */
const struct filter *filter_list_find(const struct filter_list *list, const struct filter *filter);

#endif
