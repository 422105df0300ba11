// SPDX-License-Identifier: GPL-2.0-only
#include "udpguard_rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	UDPGUARD_DNS_PORT = 53,
};

/* There is room. */
static void rules_put(struct udpguard_rules *rules, const struct filter_prefix *end, uint32_t rule)
{
	rules->items[rules->count++] = (struct udpguard_item){ .end = *end, .rule = rule };
	rules->drops = rules->drops || rule & UDPGUARD_DROP;
}

static void put_filter(struct udpguard_rules *rules, const struct filter *filter, const struct conn_settings *base)
{
	uint32_t rule = settings_drop_udp(base, &filter->patch) ? UDPGUARD_DROP : 0;
	struct filter_prefix end;

	if (!filter->wildcard) {
		filter_prefix_make(&end, &filter->key, filter->prefix_len);
		rules_put(rules, &end, rule);
		return;
	}
	filter_prefix_make(&end, &filter->key, filter->key.ipv4 ? ADDR_IPV4_BITS : 0);
	rules_put(rules, &end, rule | UDPGUARD_OWN);
}

/* Any address of both families. */
static void put_port(struct udpguard_rules *rules, enum filter_origin origin, uint16_t port)
{
	static const struct addr any_ipv6;
	struct addr any_ipv4;
	struct filter_prefix end = { 0 };

	addr_from_ipv4(&any_ipv4, 0);
	filter_key_make(&end.key, &any_ipv4, htons(port), origin);
	end.bits = FILTER_KEY_HEAD_BITS + ADDR_IPV4_BITS;
	rules_put(rules, &end, UDPGUARD_DROP | UDPGUARD_OWN);
	filter_key_make(&end.key, &any_ipv6, htons(port), origin);
	end.bits = FILTER_KEY_HEAD_BITS;
	rules_put(rules, &end, UDPGUARD_DROP | UDPGUARD_OWN);
}

static int compare_items(const void *a, const void *b)
{
	const struct udpguard_item *one = a, *other = b;
	int order = memcmp(&one->end, &other->end, sizeof(one->end));

	/* Of two for the same end, the one that drops comes first, and of those the one that drops more. */
	if (!order)
		order = (int)(other->rule & UDPGUARD_DROP) - (int)(one->rule & UDPGUARD_DROP);
	return order ? order : (int)(one->rule & UDPGUARD_OWN) - (int)(other->rule & UDPGUARD_OWN);
}

/* Sorts them, so that they can be compared, and leaves each end once. */
static void rules_tidy(struct udpguard_rules *rules)
{
	size_t kept = 0;

	if (rules->count)
		qsort(rules->items, rules->count, sizeof(*rules->items), compare_items);
	for (size_t i = 0; i < rules->count; i++) {
		if (!kept || memcmp(&rules->items[kept - 1].end, &rules->items[i].end, sizeof(rules->items[i].end)))
			rules->items[kept++] = rules->items[i];
	}
	rules->count = kept;
}

int udpguard_rules_make(struct udpguard_rules *rules, const struct filter_list *list, const struct conn_settings *base,
			const struct filter_spec *specs, size_t spec_count)
{
	rules->items = calloc(list->count + 2 * spec_count + 1, sizeof(*rules->items));
	if (!rules->items)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++)
		put_filter(rules, &list->items[i], base);
	for (size_t i = 0; i < spec_count; i++) {
		if (!filter_spec_is_name(&specs[i]) || !settings_drop_udp(base, &specs[i].patch))
			continue;
		put_port(rules, specs[i].origin, specs[i].port);
		rules->dns = rules->dns || (specs[i].origin == ORIGIN_REMOTE && specs[i].port == UDPGUARD_DNS_PORT);
	}
	rules_tidy(rules);
	return 0;
}

bool udpguard_rules_equal(const struct udpguard_rules *a, const struct udpguard_rules *b)
{
	return a->count == b->count && a->drops == b->drops && (!a->count || !memcmp(a->items, b->items, a->count * sizeof(*a->items)));
}

void udpguard_rules_free(struct udpguard_rules *rules)
{
	free(rules->items);
	*rules = (struct udpguard_rules){ 0 };
}
