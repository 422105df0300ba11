// SPDX-License-Identifier: GPL-2.0-only
/* What the host's firewall does to the packets that Mimic carries. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "checks.h"
#include "filter.h"

struct check_netdev {
	struct check_report *report;
	const char *ifname;
	size_t chains;
};

static void check_take_chain(void *context, const char *chain)
{
	struct check_netdev *netdev = context;

	netdev->chains++;
	check_say(netdev->report, CHECK_NOTE, "the chain %s (netdev egress) is in front of Mimic: it sees UDP for data, but TCP for Mimic's "
		  "control segments", chain);
	check_advise(netdev->report, "let both pass there: UDP and TCP of the ports of the filters, out of %s", netdev->ifname);
}

/* What the rules cannot tell. True: they are known. */
static bool check_knows_rules(struct check_report *report, const struct facts *facts)
{
	const struct facts_firewall *firewall = &facts->firewall;

	if (firewall->rules)
		return true;
	if (!firewall->nft) {
		check_say(report, CHECK_OK, "no nft is installed, so no rules of nftables are looked at");
	} else {
		check_say(report, CHECK_NOTE, "not looked at: %s", firewall->error);
		check_advise(report, facts->privileges.root ? "`nft -j list ruleset` should print the rules" : "run as root");
	}
	return false;
}

void check_firewall_netdev(struct check_report *report, const struct facts *facts)
{
	struct check_netdev netdev = { .report = report, .ifname = facts->ifname };

	if (!check_knows_rules(report, facts))
		return;
	nftrules_each_netdev_egress(facts->firewall.rules, facts->ifname, check_take_chain, &netdev);
	if (!netdev.chains)
		check_say(report, CHECK_OK, "no chain of nftables is in front of Mimic on the interface");
}

struct nftrules_packet check_packet_of(const struct facts *facts, const struct filter *filter, bool incoming)
{
	return (struct nftrules_packet){
		.ipv4 = addr_is_ipv4(&filter->key.addr),
		.incoming = incoming,
		.answer = incoming == (filter->key.origin == ORIGIN_REMOTE),
		.port = ntohs(filter->key.port),
		.ifname = facts->ifname,
	};
}

static enum nftrules_verdict check_rules(const struct facts *facts, const struct filter *filter, bool established, char *where,
					 size_t size)
{
	struct nftrules_packet packet = check_packet_of(facts, filter, filter->key.origin == ORIGIN_LOCAL);

	packet.established = established;
	where[0] = '\0';
	return facts->firewall.rules ? nftrules_judge(facts->firewall.rules, &packet, where, size) : NFTRULES_PERHAPS;
}

/*
 * At a remote= filter the first packet goes out to its port. At a local= filter packets come in to its port; whether the first
 * packet is one of those, only the user knows. False: nothing is dropped for certain.
 */
static bool check_drops(struct check_report *report, const struct facts *facts, const struct filter *filter)
{
	bool local = filter->key.origin == ORIGIN_LOCAL, always;
	unsigned int port = ntohs(filter->key.port);
	char where[160], unused[160];

	if (check_rules(facts, filter, false, where, sizeof(where)) != NFTRULES_DROPS)
		return false;
	always = !local || check_rules(facts, filter, true, unused, sizeof(unused)) == NFTRULES_DROPS;
	check_say(report, always ? CHECK_PROBLEM : CHECK_NOTE, "the chain %s drops UDP that %s port %u over IPv%d%s", where,
		  local ? "comes in for" : "goes out to", port, addr_is_ipv4(&filter->key.addr) ? 4 : 6,
		  always ? "" : ", unless this host sent first");
	check_advise(report, "nft insert rule %s udp dport %u accept", where, port);
	return true;
}

/* What the peer of a remote= filter answers, as far as that is certain. False: nothing is dropped. */
static bool check_drops_answers(struct check_report *report, const struct facts *facts, const struct filter *filter)
{
	struct nftrules_packet packet = check_packet_of(facts, filter, true);
	char where[160];

	packet.established = true;
	if (filter->key.origin != ORIGIN_REMOTE || !facts->firewall.rules ||
	    nftrules_judge(facts->firewall.rules, &packet, where, sizeof(where)) != NFTRULES_DROPS)
		return false;
	check_say(report, CHECK_PROBLEM, "the chain %s drops UDP that comes back from port %u over IPv%d", where, packet.port, packet.ipv4 ? 4 : 6);
	check_advise(report, "nft insert rule %s ct state established accept", where);
	return true;
}

/* --- what this host forwards */

static bool check_has_addr_of(const struct netif *netif, const struct filter *prefix)
{
	for (size_t i = 0; i < netif->addr_count; i++) {
		if (filter_matches(prefix, &netif->addrs[i]))
			return true;
	}
	return false;
}

/*
 * Whether a filter is for what a router forwards. A local end that is not this host's is; peers in a prefix may be those of hosts behind it.
 * Nothing is known of other filters: many hosts forward for containers, and few for these ports.
 */
static bool check_is_forwarded(const struct facts *facts, size_t index)
{
	const struct filter *filter = &facts->config.filters.items[index];
	bool prefix = filter->prefix_len < ADDR_BITS;

	if (filter->wildcard || !(addr_is_ipv4(&filter->key.addr) ? facts->firewall.forwards_ipv4 : facts->firewall.forwards_ipv6))
		return false;
	if (filter->key.origin == ORIGIN_REMOTE)
		return prefix;
	if (prefix)
		return !check_has_addr_of(&facts->netif.netif, filter);
	return facts->routes && facts->routes[index].asked && !facts->routes[index].error && !facts->routes[index].local;
}

/* To the port of the filter, and back. False: nothing is dropped for certain. */
static bool check_drops_forwarded(struct check_report *report, const struct facts *facts, const struct filter *filter)
{
	bool local = filter->key.origin == ORIGIN_LOCAL, always;
	struct nftrules_packet packet = check_packet_of(facts, filter, local);
	const char *unless = local ? "" : "; nothing, if the programs run on this host";
	char where[160], unused[160];

	if (!facts->firewall.rules)
		return false;
	packet.forwarded = true;
	if (nftrules_judge(facts->firewall.rules, &packet, where, sizeof(where)) == NFTRULES_DROPS) {
		packet.established = true;
		always = local && nftrules_judge(facts->firewall.rules, &packet, unused, sizeof(unused)) == NFTRULES_DROPS;
		check_say(report, always ? CHECK_PROBLEM : CHECK_NOTE, "the chain %s drops UDP that is forwarded to port %u over IPv%d%s", where,
			  packet.port, packet.ipv4 ? 4 : 6, local && !always ? ", unless the host behind this one sent first" : "");
		check_advise(report, "nft insert rule %s udp dport %u accept%s", where, packet.port, unless);
		return true;
	}
	packet = check_packet_of(facts, filter, !local);
	packet.forwarded = packet.established = true;
	if (nftrules_judge(facts->firewall.rules, &packet, where, sizeof(where)) != NFTRULES_DROPS)
		return false;
	check_say(report, local ? CHECK_PROBLEM : CHECK_NOTE, "the chain %s drops UDP that is forwarded from port %u over IPv%d", where, packet.port,
		  packet.ipv4 ? 4 : 6);
	check_advise(report, "nft insert rule %s ct state established accept%s", where, unless);
	return true;
}

/* One line for the ports of all filters: it cannot be wrong. */
static void check_list_ports(struct check_report *report, const struct filter_list *filters)
{
	char ports[128] = "";
	size_t used = 0;

	for (size_t i = 0; i < filters->count && used < sizeof(ports); i++) {
		bool again = false;

		for (size_t k = 0; k < i; k++)
			again |= filters->items[k].key.port == filters->items[i].key.port;
		if (!again)
			used += (size_t)snprintf(ports + used, sizeof(ports) - used, "%s%u", used ? ", " : "",
						 ntohs(filters->items[i].key.port));
	}
	check_say(report, CHECK_OK, "the host's firewall sees UDP on port %s%s: it needs rules for UDP, none for TCP", ports,
		  used >= sizeof(ports) ? " ..." : "");
}

/* nft shows nothing of them. */
static void check_legacy(struct check_report *report, const struct facts_firewall *firewall)
{
	if (!firewall->legacy_ipv4 && !firewall->legacy_ipv6)
		return;
	check_say(report, CHECK_NOTE, "there are tables of iptables-legacy for %s, whose rules are not looked at",
		  !firewall->legacy_ipv6 ? "IPv4" : !firewall->legacy_ipv4 ? "IPv6" : "IPv4 and IPv6");
	check_advise(report, "`%s-legacy-save` prints them: they have to let UDP of the filters' ports pass",
		     firewall->legacy_ipv4 ? "iptables" : "ip6tables");
}

void check_firewall_ports(struct check_report *report, const struct facts *facts)
{
	const struct filter_list *filters = &facts->config.filters;
	size_t dropped = 0;

	check_legacy(report, &facts->firewall);
	for (size_t i = 0; i < filters->count; i++) {
		bool forwarded = check_is_forwarded(facts, i);

		if (forwarded)
			dropped += check_drops_forwarded(report, facts, &filters->items[i]);
		if (forwarded && filters->items[i].key.origin == ORIGIN_LOCAL)
			continue; /* it never comes to the chains of this host itself */
		dropped += check_drops(report, facts, &filters->items[i]);
		dropped += check_drops_answers(report, facts, &filters->items[i]);
	}
	if (filters->count && !dropped)
		check_list_ports(report, filters);
}
