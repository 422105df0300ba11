// SPDX-License-Identifier: GPL-2.0-only
/* By which device packets to the ends of filters leave, asked as `ip route get` does. */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"
#include "nlask.h"

enum {
	ROUTES_REQUEST = 256,
	ROUTES_MARKS = 16, /* firewall marks that routing rules ask for */
};

struct routes_marks {
	uint32_t mark[ROUTES_MARKS];
	size_t count;
};

/* What a routing rule may look at. */
struct routes_question {
	const struct filter *filter;
	const struct addr *from; /* NULL: not said */
	uint32_t mark;
	int vrf;
};

static int routes_take_mark(const struct nlmsghdr *header, void *data)
{
	struct routes_marks *marks = data;
	struct nlattr *attr;

	mnl_attr_for_each(attr, header, sizeof(struct fib_rule_hdr)) {
		if (mnl_attr_get_type(attr) == FRA_FWMARK && marks->count < ROUTES_MARKS)
			marks->mark[marks->count++] = mnl_attr_get_u32(attr);
	}
	return MNL_CB_OK;
}

static void routes_list_marks(struct routes_marks *marks)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < sizeof(families); i++) {
		char buffer[ROUTES_REQUEST];
		struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
		struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(request, sizeof(*rule));

		rule->family = families[i];
		request->nlmsg_type = RTM_GETRULE;
		request->nlmsg_flags = NLM_F_DUMP;
		nlask(NETLINK_ROUTE, request, routes_take_mark, marks); /* without rules there are no marks */
	}
}

static int routes_take(const struct nlmsghdr *header, void *data)
{
	const struct rtmsg *message = mnl_nlmsg_get_payload(header);
	struct facts_route *route = data;
	struct nlattr *attr;

	route->local = message->rtm_type == RTN_LOCAL;
	if (message->rtm_type == RTN_UNREACHABLE || message->rtm_type == RTN_BLACKHOLE || message->rtm_type == RTN_PROHIBIT)
		route->error = -EHOSTUNREACH;
	mnl_attr_for_each(attr, header, sizeof(*message)) {
		if (mnl_attr_get_type(attr) == RTA_OIF)
			route->ifindex = (int)mnl_attr_get_u32(attr);
	}
	return MNL_CB_OK;
}

static void routes_put_addr(struct nlmsghdr *request, uint16_t type, const struct addr *addr)
{
	if (addr_is_ipv4(addr))
		mnl_attr_put(request, type, sizeof(addr->word[3]), &addr->word[3]);
	else
		mnl_attr_put(request, type, sizeof(*addr), addr);
}

static void routes_ask(const struct routes_question *question, struct facts_route *route)
{
	const struct filter_key *key = &question->filter->key;
	char buffer[ROUTES_REQUEST];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct rtmsg *message = mnl_nlmsg_put_extra_header(request, sizeof(*message));
	int err;

	*route = (struct facts_route){ .asked = true };
	message->rtm_family = addr_is_ipv4(&key->addr) ? AF_INET : AF_INET6;
	message->rtm_dst_len = addr_is_ipv4(&key->addr) ? ADDR_BITS - ADDR_IPV4_BITS : ADDR_BITS;
	message->rtm_src_len = question->from ? message->rtm_dst_len : 0;
	request->nlmsg_type = RTM_GETROUTE;
	routes_put_addr(request, RTA_DST, &key->addr);
	if (question->from)
		routes_put_addr(request, RTA_SRC, question->from);
	if (question->mark)
		mnl_attr_put_u32(request, RTA_MARK, question->mark);
	if (question->vrf)
		mnl_attr_put_u32(request, RTA_OIF, (uint32_t)question->vrf);
	mnl_attr_put_u8(request, RTA_IP_PROTO, IPPROTO_UDP);
	mnl_attr_put_u16(request, RTA_DPORT, key->port);
	err = nlask(NETLINK_ROUTE, request, routes_take, route);
	if (err)
		route->error = err;
}

/* Whether packets pass the interface that way. Else *@route stays as it was. */
static bool routes_try(const struct facts_netif *netif, const struct routes_question *question, struct facts_route *route)
{
	struct facts_route other;

	routes_ask(question, &other);
	if (other.error || other.local || !facts_passes(netif, other.ifindex))
		return false;
	*route = other;
	return true;
}

/*
 * What sends the packets may mark them (as WireGuard does, whose tunnel is the way for all others), or be bound to an address of the interface:
 * where any of that leads by the interface, nothing is certain, and that way it is.
 */
static void routes_find(const struct facts_netif *netif, const struct routes_marks *marks, const struct filter *filter,
			struct facts_route *route)
{
	struct routes_question question = { .filter = filter, .vrf = netif->vrf };

	routes_ask(&question, route);
	if (route->local || (!route->error && facts_passes(netif, route->ifindex)))
		return;
	for (size_t i = 0; i < marks->count; i++) {
		question.mark = marks->mark[i];
		if (routes_try(netif, &question, route))
			return;
	}
	question.mark = 0;
	for (size_t i = 0; i < netif->netif.addr_count; i++) {
		question.from = &netif->netif.addrs[i];
		if (addr_is_ipv4(question.from) == addr_is_ipv4(&filter->key.addr) && routes_try(netif, &question, route))
			return;
	}
}

/* One address that is the same on every interface. */
static bool routes_can_ask(const struct filter *filter)
{
	return !filter->wildcard && filter->prefix_len == ADDR_BITS && !IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)&filter->key.addr);
}

struct facts_route *facts_find_routes(const struct filter_list *filters, const struct facts_netif *netif)
{
	struct facts_route *routes = netif->netif.ifindex ? calloc(filters->count + 1, sizeof(*routes)) : NULL;
	struct routes_marks marks = { 0 };

	if (!routes)
		return NULL;
	routes_list_marks(&marks);
	for (size_t i = 0; i < filters->count; i++) {
		if (routes_can_ask(&filters->items[i]))
			routes_find(netif, &marks, &filters->items[i], &routes[i]);
	}
	return routes;
}
