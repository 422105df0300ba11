/* SPDX-License-Identifier: GPL-2.0-only */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "filter_list.h"
#include "log.h"
#include "util.h"

static struct filter *find(const struct filter_list *list, const struct filter *filter)
{
	size_t i;

	for (i = 0; i < list->count; i++) {
		if (!filter_compare(&list->items[i], filter))
			return &list->items[i];
	}
	return NULL;
}

const struct filter *filter_list_find(const struct filter_list *list, const struct filter *filter)
{
	return find(list, filter);
}

size_t filter_list_effective(const struct filter_list *list)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		count += !list->items[i].wildcard;
	return count;
}

const struct filter *filter_list_beyond(const struct filter_list *list, size_t most, const char *ifname, struct parse_error *error)
{
	size_t i = 0, count = 0;

	if (filter_list_effective(list) <= most)
		return NULL;
	while (list->items[i].wildcard || count++ < most)
		i++;
	settings_refuse(error,
			"this filter is one too many: there are %zu, and %zu is the most that Mimic takes; give fewer (a host name counts as "
			"often as it has addresses, a wildcard as often as %.16s has)",
			filter_list_effective(list), most, ifname);
	return &list->items[i];
}

void filter_list_free(struct filter_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		free(list->items[i].name);
	free(list->items);
	*list = (struct filter_list){ 0 };
}

/* Makes room for @more filters: as many calls of list_put() cannot fail then. */
static int list_reserve(struct filter_list *list, size_t more)
{
	struct filter *items = realloc(list->items, (list->count + more + 1) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	list->items = items;
	return 0;
}

/* Appends, or with @replace takes the place of that for the same end. Takes the name over. */
static void list_put(struct filter_list *list, const struct filter *filter, bool replace)
{
	struct filter *old = find(list, filter);

	if (!old) {
		list->items[list->count++] = *filter;
	} else if (replace) {
		free(old->name);
		*old = *filter;
	} else {
		free(filter->name);
	}
}

/* @name: that it is resolved from, or NULL. */
static int put_addr(struct filter_list *found, const struct filter_spec *spec, const struct addr *addr, const char *name)
{
	struct filter filter = { .patch = spec->patch, .wildcard = spec->wildcard, .prefix_len = spec->prefix_len, .place = spec->place };

	if (list_reserve(found, 1))
		return -ENOMEM;
	filter_key_make(&filter.key, addr, htons(spec->port), spec->origin);
	if (name && !(filter.name = strdup(name)))
		return -ENOMEM;
	list_put(found, &filter, false);
	return 0;
}

int filter_list_refuse_name(const char *host, const struct resolver_answer *answer, struct parse_error *error)
{
	if (answer->err == -ENOMEM)
		return -ENOMEM;
	settings_refuse(error, "filter for host name '%.120s': %s; is the name right, and does DNS work?", host, answer->why);
	return answer->err;
}

/* Puts the filters of all addresses of a name into @found. */
static int resolve(struct filter_list *found, const struct filter_spec *spec,
		   struct parse_error *error)
{
	_cleanup_answer_ struct resolver_answer answer;
	int err = 0;

	if (resolver_lookup(spec->host, &answer))
		return filter_list_refuse_name(spec->host, &answer, error);
	for (size_t i = 0; !err && i < answer.count; i++)
		err = put_addr(found, spec, &answer.addrs[i], spec->host);
	return err;
}

/* The filters that a spec means, without a look at those that there are. */
static int spec_to_filters(struct filter_list *found, const struct filter_spec *spec,
			   struct parse_error *error)
{
	static const struct addr any_ipv6;
	struct addr addr;

	if (filter_spec_addr(spec, &addr))
		return put_addr(found, spec, &addr, NULL);
	if (!spec->wildcard)
		return resolve(found, spec, error);
	addr_from_ipv4(&addr, 0);
	return put_addr(found, spec, &addr, NULL) || put_addr(found, spec, &any_ipv6, NULL) ? -ENOMEM : 0;
}

static bool scope_is(const char *scope, const char *ifname)
{
	unsigned int index;
	char *end;

	if (!strcmp(scope, ifname))
		return true;
	index = (unsigned int)strtoul(scope, &end, 10);
	return !*end && index && index == if_nametoindex(ifname);
}

static void warn_of_duplicate(const struct filter_list *list, const struct filter *filter)
{
	const struct filter *old = list->quiet ? NULL : find(list, filter);
	char end[FILTER_END_MAX], place[FILTER_PLACE_MAX], former[FILTER_PLACE_MAX];

	if (!old || old->expanded_from_wildcard)
		return;
	filter_print_end(end, sizeof(end), filter);
	filter_print_place(place, sizeof(place), &filter->place);
	filter_print_place(former, sizeof(former), &old->place);
	log_warn("%s: filter %s is given more than once (before: %s); the last one counts", place, end, former);
}

static int check_scope(const struct filter_spec *spec, const char *ifname, struct parse_error *error)
{
	if (!spec->scope[0] || !ifname || scope_is(spec->scope, ifname))
		return 0;
	return settings_refuse(
		error,
		"filter %s=[%.60s%%%s]:%u: that scope is another interface; expected %%%s, the one that Mimic runs on",
		filter_origin_name(spec->origin), spec->host, spec->scope, spec->port, ifname);
}

/* Moves what is in @found. */
static int list_join(struct filter_list *list, struct filter_list *found)
{
	size_t i;

	if (list_reserve(list, found->count))
		return -ENOMEM;
	for (i = 0; i < found->count; i++) {
		warn_of_duplicate(list, &found->items[i]);
		list_put(list, &found->items[i], true);
		found->items[i].name = NULL; /* moved */
	}
	return 0;
}

int filter_list_add(struct filter_list *list, const struct filter_spec *spec, const char *ifname,
		    struct parse_error *error)
{
	_cleanup_filter_list_ struct filter_list found = { 0 };
	int err = check_scope(spec, ifname, error);

	if (!err)
		err = spec_to_filters(&found, spec, error);
	return err ? err : list_join(list, &found);
}

int filter_list_add_resolved(struct filter_list *list, const struct filter_spec *spec, const struct addr *addr)
{
	_cleanup_filter_list_ struct filter_list found = { 0 };
	int err = put_addr(&found, spec, addr, spec->host);

	return err ? err : list_join(list, &found);
}

/* Drops what filter_list_expand() made. Expanded filters have no names. */
static void list_contract(struct filter_list *list)
{
	size_t i, kept = 0;

	for (i = 0; i < list->count; i++) {
		if (!list->items[i].expanded_from_wildcard)
			list->items[kept++] = list->items[i];
	}
	list->count = kept;
}

static bool is_of_family(const struct filter *wildcard, const struct addr *addr)
{
	return addr_is_ipv4(addr) == addr_is_ipv4(&wildcard->key.addr);
}

bool filter_list_covers(const struct filter *wildcard, const struct addr *addrs, size_t addr_count)
{
	size_t i;

	for (i = 0; i < addr_count; i++) {
		if (is_of_family(wildcard, &addrs[i]))
			return true;
	}
	return false;
}

/* Whether a prefix filter for the wildcard's port has this address: the datapath must find that one. */
static bool has_prefix(const struct filter_list *list, const struct filter *wildcard, const struct addr *addr)
{
	size_t i;

	for (i = 0; i < list->count; i++) {
		const struct filter *filter = &list->items[i];

		if (filter->prefix_len < ADDR_BITS && filter->key.origin == wildcard->key.origin &&
		    filter->key.port == wildcard->key.port && filter_matches(filter, addr))
			return true;
	}
	return false;
}

static void expand_one(struct filter_list *list, const struct filter *wildcard,
		       const struct addr *addrs, size_t addr_count)
{
	struct filter filter = {
		.patch = wildcard->patch, .expanded_from_wildcard = true, .prefix_len = ADDR_BITS, .place = wildcard->place
	};
	size_t i;

	for (i = 0; i < addr_count; i++) {
		if (!is_of_family(wildcard, &addrs[i]) || has_prefix(list, wildcard, &addrs[i]))
			continue;
		filter_key_make(&filter.key, &addrs[i], wildcard->key.port,
				(enum filter_origin)wildcard->key.origin);
		list_put(list, &filter, false);
	}
}

int filter_list_expand(struct filter_list *list, const struct addr *addrs, size_t addr_count)
{
	size_t i, count, wildcards = 0;

	for (i = 0; i < list->count; i++)
		wildcards += list->items[i].wildcard;
	if (list_reserve(list, wildcards * addr_count))
		return -ENOMEM;
	list_contract(list);
	count = list->count;
	for (i = 0; i < count; i++) {
		if (list->items[i].wildcard)
			expand_one(list, &list->items[i], addrs, addr_count);
	}
	return 0;
}
