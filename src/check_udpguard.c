// SPDX-License-Identifier: GPL-2.0-only
/* Items of `mimic check`: the guard of plain UDP. */
#include <string.h>

#include "checks.h"
#include "settings.h"

static bool check_has_guard(const struct facts_netif *netif)
{
	for (size_t i = 0; i < netif->tc_count; i++) {
		if (!strncmp(netif->tc[i].program.name, "mimic_udpguard", strlen("mimic_udpguard")))
			return true;
	}
	return false;
}

/* By the filters of the instance, or as they are configured: those whose name does not resolve are in no list. */
static bool check_wants_guard(const struct facts_config *facts)
{
	struct conn_settings base;

	check_settings(facts, NULL, &base);
	for (size_t i = 0; facts->of_instance && i < facts->filters.count; i++) {
		if (settings_drop_udp(&base, &facts->filters.items[i].patch))
			return true;
	}
	for (size_t i = 0; !facts->of_instance && i < facts->config.filter_count; i++) {
		if (settings_drop_udp(&base, &facts->config.filters[i].patch))
			return true;
	}
	return false;
}

void check_udpguard(struct check_report *report, const struct facts *facts)
{
	const struct facts_netif *netif = &facts->netif;
	bool wanted = check_wants_guard(&facts->config), there = check_has_guard(netif);
	const char *name = netif->netif.name;

	if (wanted && !there && !strcmp(netif->qdisc, "ingress")) {
		check_say(report, CHECK_PROBLEM, "udp=drop needs the qdisc clsact, and %s has ingress", name);
		check_advise(report, "put clsact in its place, which serves both directions: `tc qdisc del dev %s ingress; tc qdisc add dev %s "
				     "clsact`", name, name);
	} else if (wanted && !there && facts->config.running) {
		check_say(report, CHECK_PROBLEM, "somebody has removed the guard from %s: plain UDP of filters with udp=drop may leave when Mimic "
						 "ends", name);
		check_advise(report, "restart Mimic (`systemctl restart mimic@%s`)", name);
	} else if (wanted && !there) {
		check_say(report, CHECK_NOTE, "%s has none: plain UDP of filters with udp=drop may leave until Mimic runs", name);
		check_advise(report, "`systemctl enable --now mimic-guard@%s`, or `mimic guard -F /etc/mimic/%s.conf %s`", name, name, name);
	} else if (wanted) {
		check_say(report, CHECK_OK, "it is there; since it was set it has dropped %llu datagrams", (unsigned long long)netif->guard_dropped);
	} else if (there) {
		check_say(report, CHECK_NOTE, "there is one, though no filter has udp=drop");
		check_advise(report, "`mimic stop --open %s` removes it", name);
	}
}
