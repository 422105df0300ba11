// SPDX-License-Identifier: GPL-2.0-only
/* The configuration, and the sockets that its filters are about. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "checks.h"

enum {
	CHECK_WRITTEN_MAX = FILTER_END_MAX + FILTER_PLACE_MAX,
};

static void check_print_filter(char *text, size_t size, const struct filter *filter)
{
	filter_print_end(text, size, filter);
}

/* With the place where it is written, which those of an instance do not know. */
static void check_print_written(char *text, size_t size, const struct facts_config *config, const struct filter *filter)
{
	char end[FILTER_END_MAX], place[FILTER_PLACE_MAX];

	filter_print_end(end, sizeof(end), filter);
	filter_print_place(place, sizeof(place), &filter->place);
	snprintf(text, size, config->of_instance ? "%s" : "%s (%s)", end, place);
}

void check_settings(const struct facts_config *config, const struct filter *filter, struct conn_settings *settings)
{
	const struct conn_settings defaults = CONN_SETTINGS_DEFAULT;

	*settings = config->of_instance ? config->instance.settings : defaults;
	if (!config->of_instance)
		settings_apply(settings, &config->config.settings);
	if (filter)
		settings_apply(settings, &filter->patch);
}

static unsigned int check_padding(const struct conn_settings *settings)
{
	return settings->padding == PADDING_RANDOM ? PADDING_RANDOM_MOD - 1 : settings->padding;
}

unsigned int check_padding_max(const struct facts_config *config)
{
	struct conn_settings settings;
	unsigned int most = 0;

	if (!config->filters.count) {
		check_settings(config, NULL, &settings);
		return check_padding(&settings);
	}
	for (size_t i = 0; i < config->filters.count; i++) {
		check_settings(config, &config->filters.items[i], &settings);
		if (check_padding(&settings) > most)
			most = check_padding(&settings);
	}
	return most;
}

bool check_uses_family(const struct facts_config *config, bool ipv4)
{
	for (size_t i = 0; i < config->filters.count; i++) {
		if (addr_is_ipv4(&config->filters.items[i].key.addr) == ipv4)
			return true;
	}
	return !config->filters.count;
}

void check_config_instance(struct check_report *report, const struct facts *facts)
{
	const struct run_info *info = &facts->config.instance;

	if (!facts->config.running) {
		check_say(report, CHECK_OK, "Mimic does not run on %s now", facts->ifname);
		return;
	}
	if (!strcmp(info->version, PACKAGE_VERSION)) {
		check_say(report, CHECK_OK, "Mimic %s runs on %s as process %d", info->version, facts->ifname, (int)info->pid);
		return;
	}
	check_say(report, CHECK_NOTE, "Mimic %s runs on %s as process %d, and this is Mimic %s", info->version, facts->ifname,
		  (int)info->pid, PACKAGE_VERSION);
	check_advise(report, "start it again");
}

void check_config_file(struct check_report *report, const struct facts *facts)
{
	const struct facts_config *config = &facts->config;

	for (size_t i = 0; i < config->message_count; i++) {
		check_say(report, config->messages[i].level == LOG_LEVEL_ERROR ? CHECK_PROBLEM : CHECK_NOTE, "%s", config->messages[i].text);
		if (config->given && config->read == FACTS_UNKNOWN && !i)
			check_advise(report, "name one that there is (`ls /etc/mimic`), or write it: mimic.conf(5) says how");
		check_advise(report, "%s", config->read == FACTS_NO ? "correct it in the file: `mimic run` does not start with it" :
								   "correct it; mimic.conf(5) explains filters and settings");
	}
	if (config->message_count)
		return;
	if (config->read == FACTS_YES)
		check_say(report, CHECK_OK, "%s has no error", config->path);
	else if (config->filters.count && !config->path[0])
		check_say(report, CHECK_OK, "no file is named; the filters are those of the command line");
	else if (config->filters.count)
		check_say(report, CHECK_OK, "there is no %s; the filters are those of the %s", config->path,
			  config->of_instance ? "instance that runs" : "command line");
	else if (config->path[0])
		check_say(report, CHECK_OK, "there is no %s, so filters are not looked at (--file names another, --filter gives one)", config->path);
}

static void check_say_void(struct check_report *report, const struct facts *facts, const struct filter *filter)
{
	char text[FILTER_TEXT_MAX];

	check_print_filter(text, sizeof(text), filter);
	check_say(report, CHECK_NOTE, "%s matches nothing: %s has no IPv%d address now", text, facts->ifname,
		  addr_is_ipv4(&filter->key.addr) ? 4 : 6);
	check_advise(report, "ip address add ADDRESS/LENGTH dev %s, or leave the filter out", facts->ifname);
}

/* One address or a wildcard, of this host. (A prefix may stand for addresses that it does not have.) */
static bool check_is_local_end(const struct filter *filter)
{
	return filter->key.origin == ORIGIN_LOCAL && (filter->wildcard || filter->prefix_len == ADDR_BITS);
}

static bool check_has_addr(const struct netif *netif, const struct addr *addr)
{
	for (size_t i = 0; i < netif->addr_count; i++) {
		if (!memcmp(&netif->addrs[i], addr, sizeof(*addr)))
			return true;
	}
	return false;
}

void check_config_filters(struct check_report *report, const struct facts *facts)
{
	const struct filter_list *filters = &facts->config.filters;
	const struct netif *netif = &facts->netif.netif;
	size_t before = report->count;

	for (size_t i = 0; i < filters->count; i++) {
		const struct filter *filter = &filters->items[i];
		char text[FILTER_TEXT_MAX];

		if (filter->wildcard && !filter_list_covers(filter, netif->addrs, netif->addr_count))
			check_say_void(report, facts, filter);
		if (filter->wildcard || !check_is_local_end(filter) || check_has_addr(netif, &filter->key.addr))
			continue;
		check_print_filter(text, sizeof(text), filter);
		check_say(report, CHECK_NOTE, "%s: %s has no such address", text, netif->name);
		check_advise(report, "name an address of this host that packets on %s have; nothing, if this host forwards them", netif->name);
	}
	if (filters->count && report->count == before)
		check_say(report, CHECK_OK, "%zu, all with an address that packets may have", filters->count);
}

static bool check_same_settings(const struct facts_config *config, const struct filter *a, const struct filter *b)
{
	struct conn_settings of_a, of_b;

	check_settings(config, a, &of_a);
	check_settings(config, b, &of_b);
	return !memcmp(&of_a, &of_b, sizeof(of_a)); /* (it has no holes) */
}

/* One end of a flow in each filter: such a flow is @local's, since the source end comes first on its way out. */
static bool check_share_flows(const struct filter *local, const struct filter *remote)
{
	return local->key.origin == ORIGIN_LOCAL && remote->key.origin == ORIGIN_REMOTE &&
	       addr_is_ipv4(&local->key.addr) == addr_is_ipv4(&remote->key.addr);
}

/* A wildcard and one of the addresses that it covers. */
static bool check_is_covered(const struct filter *a, const struct filter *b)
{
	return a->wildcard != b->wildcard && a->key.origin == b->key.origin && a->key.port == b->key.port &&
	       addr_is_ipv4(&a->key.addr) == addr_is_ipv4(&b->key.addr);
}

/* There may be millions of pairs: what is cheap comes first. */
static void check_overlap(struct check_report *report, const struct facts_config *config, const struct filter *a, const struct filter *b)
{
	bool covered = check_is_covered(a, b);
	char text_a[CHECK_WRITTEN_MAX], text_b[CHECK_WRITTEN_MAX];

	if ((!covered && !check_share_flows(a, b)) || check_same_settings(config, a, b))
		return; /* whichever is taken */
	check_print_written(text_a, sizeof(text_a), config, a);
	check_print_written(text_b, sizeof(text_b), config, b);
	if (covered) {
		check_say(report, CHECK_NOTE, "%s covers %s, too, with other settings: those of the address count for it",
			  a->wildcard ? text_a : text_b, a->wildcard ? text_b : text_a);
		check_advise(report, "nothing, if that is meant");
	} else {
		check_say(report, CHECK_NOTE, "a flow from %s to %s matches both, with different settings: those of the sender's end count", text_a,
			  text_b);
		check_advise(report, "give both the same settings, so that both ends of the flow agree");
	}
}

/* A filter that is there twice. The list has each once, so those that were given are looked at. */
static void check_repeated(struct check_report *report, const struct facts_config *config)
{
	char place_of_one[FILTER_PLACE_MAX], place_of_other[FILTER_PLACE_MAX];

	for (size_t i = 0; i < config->config.filter_count; i++) {
		const struct filter_spec *one = &config->config.filters[i];

		for (size_t k = i + 1; k < config->config.filter_count; k++) {
			const struct filter_spec *other = &config->config.filters[k];

			if (one->origin != other->origin || one->port != other->port || one->family != other->family || one->prefix_len != other->prefix_len ||
			    strcmp(one->host, other->host) || strcmp(one->scope, other->scope))
				continue;
			filter_print_place(place_of_one, sizeof(place_of_one), &one->place);
			filter_print_place(place_of_other, sizeof(place_of_other), &other->place);
			check_say(report, CHECK_NOTE, "%s=%s, port %u, is given twice (%s, %s): the last one counts", filter_origin_name(one->origin),
				  one->host, one->port, place_of_one, place_of_other);
			check_advise(report, "leave one of them out");
		}
	}
}

void check_config_overlaps(struct check_report *report, const struct facts *facts)
{
	const struct filter_list *filters = &facts->config.filters;
	size_t before = report->count;

	check_repeated(report, &facts->config);
	for (size_t i = 0; i < filters->count; i++) {
		for (size_t k = 0; k < filters->count; k++) {
			const struct filter *a = &filters->items[i], *b = &filters->items[k];

			if (i < k || check_share_flows(a, b))
				check_overlap(report, &facts->config, a, b);
		}
	}
	if (filters->count && report->count == before)
		check_say(report, CHECK_OK, "no two filters are for the same packets");
}

/* What gets packets of a local= filter. A wildcard stands for the addresses of the interface, where there is one. */
static bool check_is_listened_on(const struct facts *facts, const struct filter *filter, bool tcp)
{
	const struct sockets *sockets = &facts->config.sockets;
	const struct netif *netif = &facts->netif.netif;

	if (!filter->wildcard || !filter_list_covers(filter, netif->addrs, netif->addr_count))
		return sockets_find(sockets, &filter->key.addr, filter->key.port, tcp);
	for (size_t i = 0; i < netif->addr_count; i++) {
		if (addr_is_ipv4(&netif->addrs[i]) == addr_is_ipv4(&filter->key.addr) &&
		    sockets_find(sockets, &netif->addrs[i], filter->key.port, tcp))
			return true;
	}
	return false;
}

/*
 * Whether enough was said already: one line of the configuration may stand for several filters, and those of an instance hold what a wildcard
 * covers, too.
 */
static bool check_is_said(const struct facts *facts, size_t index, bool tcp)
{
	const struct filter_list *filters = &facts->config.filters;
	const struct filter *filter = &filters->items[index];

	for (size_t i = 0; i < filters->count; i++) {
		const struct filter *other = &filters->items[i];

		if (i == index || other->key.origin != filter->key.origin || other->key.port != filter->key.port)
			continue;
		if (facts->config.of_instance && other->wildcard && !filter->wildcard &&
		    addr_is_ipv4(&other->key.addr) == addr_is_ipv4(&filter->key.addr))
			return true;
		if (i < index && check_is_listened_on(facts, other, tcp) == tcp &&
		    ((other->wildcard && filter->wildcard) || (other->name && filter->name && !strcmp(other->name, filter->name))))
			return true;
	}
	return false;
}

static void check_say_socket(struct check_report *report, const struct filter *filter, bool tcp)
{
	char text[FILTER_TEXT_MAX];

	check_print_filter(text, sizeof(text), filter);
	if (tcp) {
		check_say(report, CHECK_PROBLEM, "%s: a TCP server listens there, which cannot be reached: Mimic takes its segments", text);
		check_advise(report, "give one of the two another port (`ss -ltnp sport = :%u` names the program)", ntohs(filter->key.port));
	} else {
		check_say(report, CHECK_NOTE, "%s: no program listens there by UDP now", text);
		check_advise(report, "start the program, or correct the port (`ss -lun` lists them); nothing, if this host forwards to it");
	}
}

/* --- the other way round: programs at ports that filters name, but for other addresses */

static bool check_is_named(const struct filter_list *filters, const struct addr *addr, __be16 port)
{
	for (size_t i = 0; i < filters->count; i++) {
		const struct filter *filter = &filters->items[i];

		if (filter->key.origin != ORIGIN_LOCAL || filter->key.port != port)
			continue;
		if (filter->wildcard ? addr_is_ipv4(&filter->key.addr) == addr_is_ipv4(addr) : filter_matches(filter, addr))
			return true;
	}
	return false;
}

static bool check_is_link_local(const struct addr *addr)
{
	return IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)addr);
}

static bool check_is_first_of_port(const struct filter_list *filters, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (filters->items[i].key.port == filters->items[index].key.port && check_is_local_end(&filters->items[i]))
			return false;
	}
	return true;
}

/* One address of the family says it. Peers do not know link-local ones as such. */
static void check_unnamed(struct check_report *report, const struct facts *facts, __be16 port, bool ipv4)
{
	const struct netif *netif = &facts->netif.netif;
	struct filter filter = { .key = { .port = port, .origin = ORIGIN_LOCAL }, .prefix_len = ADDR_BITS };
	char text[FILTER_TEXT_MAX];

	for (size_t i = 0; i < netif->addr_count; i++) {
		const struct addr *addr = &netif->addrs[i];

		if (addr_is_ipv4(addr) != ipv4 || check_is_link_local(addr) || check_is_named(&facts->config.filters, addr, port) ||
		    !sockets_find(&facts->config.sockets, addr, port, false))
			continue;
		filter.key.addr = *addr;
		check_print_filter(text, sizeof(text), &filter);
		check_say(report, CHECK_NOTE, "a program listens by UDP there, too, but no filter is %s: what comes and goes there is not carried", text);
		check_advise(report, "add it, or local=:%u for every address of %s; nothing, if no Mimic is to send there", ntohs(port), netif->name);
		return;
	}
}

/* There should be a UDP socket, and no TCP server, at the end of each local= filter. */
static void check_sockets(struct check_report *report, const struct facts *facts, bool tcp)
{
	const struct filter_list *filters = &facts->config.filters;
	size_t before = report->count, local = 0;

	if (!facts->config.sockets_known)
		return;
	for (size_t i = 0; i < filters->count; i++) {
		const struct filter *filter = &filters->items[i];

		if (!check_is_local_end(filter))
			continue;
		local++;
		if (check_is_listened_on(facts, filter, tcp) == tcp && !check_is_said(facts, i, tcp))
			check_say_socket(report, filter, tcp);
		if (tcp || !check_is_first_of_port(filters, i))
			continue;
		check_unnamed(report, facts, filter->key.port, true);
		check_unnamed(report, facts, filter->key.port, false);
	}
	if (local && report->count == before)
		check_say(report, CHECK_OK, tcp ? "no TCP server listens on a local= filter" : "a program listens by UDP on each local= filter");
}

void check_config_udp(struct check_report *report, const struct facts *facts)
{
	check_sockets(report, facts, false);
}

void check_config_tcp(struct check_report *report, const struct facts *facts)
{
	check_sockets(report, facts, true);
}
