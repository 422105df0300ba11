// SPDX-License-Identifier: GPL-2.0-only
/* Zones of conntrack: the two directions of a flow have to be in the same. */
#include <stdio.h>

#include "checks.h"

static const char *check_zone_name(char *text, size_t size, int zone)
{
	if (zone == NFTRULES_UNTRACKED)
		snprintf(text, size, "not tracked");
	else
		snprintf(text, size, "in zone %d", zone);
	return text;
}

/* At a remote= filter the firewall may let in what is an answer, and nothing else; this is none. */
static bool check_needs_answer(const struct facts *facts, const struct filter *filter, char *where, size_t size)
{
	struct nftrules_packet packet = check_packet_of(facts, filter, true);
	char unused[160];

	if (filter->key.origin != ORIGIN_REMOTE || nftrules_judge(facts->firewall.rules, &packet, where, size) != NFTRULES_DROPS)
		return false;
	packet.established = true;
	return nftrules_judge(facts->firewall.rules, &packet, unused, sizeof(unused)) == NFTRULES_PASSES;
}

/* What nft does not show of rules that iptables has made. False: the rule that is not understood is another. */
static bool check_hidden_zone(struct check_report *report, const struct nftrules_packet *packet, const char *chain)
{
	if (!chain[0])
		return false;
	check_say(report, CHECK_NOTE, "the chain %s has a rule of iptables for UDP of port %u over IPv%d with the target CT: nft does not show what it does",
		  chain, packet->port, packet->ipv4 ? 4 : 6);
	check_advise(report, "see `%s -t raw -S`: --notrack or --zone has to be the same in both directions", packet->ipv4 ? "iptables" : "ip6tables");
	return true;
}

static bool check_zones(struct check_report *report, const struct facts *facts, const struct filter *filter)
{
	struct nftrules_packet out = check_packet_of(facts, filter, false), in = check_packet_of(facts, filter, true);
	char zone_out[32], zone_in[32], where[160];
	int to, from;

	if (!nftrules_zone(facts->firewall.rules, &out, &to, where, sizeof(where)) ||
	    !nftrules_zone(facts->firewall.rules, &in, &from, where, sizeof(where)))
		return check_hidden_zone(report, &out, where);
	if (check_needs_answer(facts, filter, where, sizeof(where)) && (to != from || from == NFTRULES_UNTRACKED)) {
		check_say(report, CHECK_PROBLEM, "for conntrack, UDP that goes out to port %u over IPv%d is %s, what comes back %s: so the chain %s drops that",
			  out.port, out.ipv4 ? 4 : 6, check_zone_name(zone_out, sizeof(zone_out), to), check_zone_name(zone_in, sizeof(zone_in), from),
			  where);
		check_advise(report, "set one zone in both directions, or `nft insert rule %s udp sport %u accept`", where, out.port);
		return true;
	}
	if (to == from)
		return false;
	check_say(report, CHECK_NOTE, "for conntrack, UDP that goes out %s port %u over IPv%d is %s, what comes in %s", out.answer ? "from" : "to",
		  out.port, out.ipv4 ? 4 : 6, check_zone_name(zone_out, sizeof(zone_out), to), check_zone_name(zone_in, sizeof(zone_in), from));
	check_advise(report, "set one zone in both directions, or no rule knows answers as such");
	return true;
}

/* Zones depend on no address here, so one filter of several is enough. */
static bool check_is_like_before(const struct filter_list *filters, size_t index)
{
	const struct filter_key *key = &filters->items[index].key;

	for (size_t i = 0; i < index; i++) {
		const struct filter_key *other = &filters->items[i].key;

		if (other->port == key->port && other->origin == key->origin && addr_is_ipv4(&other->addr) == addr_is_ipv4(&key->addr))
			return true;
	}
	return false;
}

void check_conntrack(struct check_report *report, const struct facts *facts)
{
	const struct filter_list *filters = &facts->config.filters;
	size_t said = 0;

	if (!facts->firewall.rules)
		return; /* nft-netdev has said why */
	for (size_t i = 0; i < filters->count; i++) {
		if (!check_is_like_before(filters, i))
			said += check_zones(report, facts, &filters->items[i]);
	}
	if (filters->count && !said)
		check_say(report, CHECK_OK, "no rule is seen to track the two directions of a filter's flows apart");
}
