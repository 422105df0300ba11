// SPDX-License-Identifier: GPL-2.0-only
/* Whether packets to the peers pass the interface at all. */
#include <stdio.h>
#include <string.h>

#include "checks.h"

/* What there is to say of a way. Those with the same share a line. */
struct check_way {
	enum { WAY_FINE, WAY_NONE, WAY_LOCAL, WAY_OTHER } kind;
	int ifindex; /* WAY_OTHER */
};

static struct check_way check_way_of(const struct facts *facts, size_t index)
{
	const struct facts_route *route = &facts->routes[index];

	if (facts->config.filters.items[index].key.origin != ORIGIN_REMOTE || !route->asked)
		return (struct check_way){ WAY_FINE, 0 };
	if (route->error)
		return (struct check_way){ WAY_NONE, 0 };
	if (route->local)
		return (struct check_way){ WAY_LOCAL, 0 };
	if (!facts_passes(&facts->netif, route->ifindex))
		return (struct check_way){ WAY_OTHER, route->ifindex };
	return (struct check_way){ WAY_FINE, 0 };
}

static const char *check_device_name(const struct facts_netif *netif, int ifindex)
{
	for (size_t i = 0; i < netif->device_count; i++) {
		if (netif->devices[i].ifindex == ifindex)
			return netif->devices[i].name;
	}
	return "another interface";
}

static void check_say_way(struct check_report *report, const struct facts *facts, struct check_way way, const char *filters)
{
	const char *device = check_device_name(&facts->netif, way.ifindex);

	if (way.kind == WAY_NONE) {
		check_say(report, CHECK_NOTE, "%s: this host has no route there now", filters);
		check_advise(report, "nothing, if there will be one when the network is up; else `ip route add`");
	} else if (way.kind == WAY_LOCAL) {
		check_say(report, CHECK_NOTE, "%s: that is an address of this host, and packets to it do not leave", filters);
		check_advise(report, "name the address of the peer, or say local=");
	} else {
		check_say(report, CHECK_NOTE, "%s: packets there leave by %s, not by %s", filters, device, facts->ifname);
		check_advise(report, "run Mimic on %s, too, or instead; nothing, if they go by %s at other times", device, facts->ifname);
	}
}

static bool check_is_same_way(struct check_way a, struct check_way b)
{
	return a.kind == b.kind && a.ifindex == b.ifindex;
}

/* False: an earlier filter has said it. */
static bool check_is_first_on_way(const struct facts *facts, size_t index)
{
	struct check_way way = check_way_of(facts, index);

	for (size_t i = 0; i < index; i++) {
		if (check_is_same_way(check_way_of(facts, i), way))
			return false;
	}
	return true;
}

static void check_say_all_on_way(struct check_report *report, const struct facts *facts, size_t first)
{
	const struct filter_list *filters = &facts->config.filters;
	struct check_way way = check_way_of(facts, first);
	char text[FILTER_TEXT_MAX];
	size_t more = 0;
	int len = filter_print_end(text, sizeof(text), &filters->items[first]);

	for (size_t i = first + 1; i < filters->count; i++)
		more += check_is_same_way(check_way_of(facts, i), way);
	if (more)
		snprintf(text + len, sizeof(text) - (size_t)len, " and %zu more", more);
	check_say_way(report, facts, way, text);
}

void check_routes(struct check_report *report, const struct facts *facts)
{
	const struct filter_list *filters = &facts->config.filters;
	size_t before = report->count, remote = 0;

	if (!facts->routes)
		return;
	for (size_t i = 0; i < filters->count; i++) {
		remote += filters->items[i].key.origin == ORIGIN_REMOTE && facts->routes[i].asked;
		if (check_way_of(facts, i).kind != WAY_FINE && check_is_first_on_way(facts, i))
			check_say_all_on_way(report, facts, i);
	}
	if (remote && report->count == before)
		check_say(report, CHECK_OK, "packets to the ends of remote= filters leave by %s", facts->ifname);
}
