// SPDX-License-Identifier: GPL-2.0-only
#include "checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* In the order in which they are shown. The names are in the output of --json, and stay. */
static const struct {
	const char *name;
	check_item_fn *judge;
	bool of_interface; /* only when there is one */
} items[] = {
	{ "kernel", check_kernel_version, false },
	{ "kernel-options", check_kernel_options, false },
	{ "kernel-btf", check_kernel_btf, false },
	{ "jit", check_kernel_jit, false },
	{ "privileges", check_kernel_privileges, false },
	{ "unprivileged-bpf", check_kernel_unprivileged, false },
	{ "container", check_kernel_container, false },
	{ "lockdown", check_kernel_lockdown, false },
	{ "bpf-programs", check_kernel_programs, false },
	{ "module", check_kernel_module, false },
	{ "datapath", check_kernel_level, false },
	{ "interface", check_netif_state, false },
	{ "link-type", check_netif_link_type, true },
	{ "native-xdp", check_netif_native_xdp, true },
	{ "xdp-programs", check_netif_xdp, true },
	{ "libxdp", check_netif_libxdp, false },
	{ "tc-programs", check_netif_tc, true },
	{ "qdisc", check_netif_qdisc, true },
	{ "offloads", check_netif_offloads, true },
	{ "mtu", check_netif_mtu, true },
	{ "wireguard", check_netif_wireguard, true },
	{ "instance", check_config_instance, true },
	{ "configuration", check_config_file, false },
	{ "filters", check_config_filters, true },
	{ "overlaps", check_config_overlaps, false },
	{ "routes", check_routes, true },
	{ "udp-sockets", check_config_udp, false },
	{ "tcp-sockets", check_config_tcp, false },
	{ "udp-guard", check_udpguard, true },
	{ "nft-netdev", check_firewall_netdev, true },
	{ "firewall", check_firewall_ports, true },
	{ "conntrack", check_conntrack, true },
};

static const char *const results[] = {
	[CHECK_OK] = "ok",
	[CHECK_NOTE] = "note",
	[CHECK_PROBLEM] = "problem",
};

const char *check_result_name(enum check_result result)
{
	return results[result];
}

void check_judge(struct check_report *report, const struct facts *facts)
{
	bool has_netif = facts->ifname && !facts->netif.error;

	for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
		if (items[i].of_interface && !has_netif)
			continue;
		report->item = items[i].name;
		items[i].judge(report, facts);
	}
}

void check_say(struct check_report *report, enum check_result result, const char *found, ...)
{
	struct check_line *lines = realloc(report->lines, (report->count + 1) * sizeof(*lines));
	struct check_line line = { .item = report->item, .result = result };
	va_list args;

	if (lines)
		report->lines = lines;
	va_start(args, found);
	if (vasprintf(&line.found, found, args) < 0)
		line.found = NULL;
	va_end(args);
	report->problems += result == CHECK_PROBLEM;
	if (!lines || !line.found) {
		free(line.found);
		report->no_memory = true;
		return;
	}
	report->lines[report->count++] = line;
}

void check_advise(struct check_report *report, const char *remedy, ...)
{
	struct check_line *line = report->count ? &report->lines[report->count - 1] : NULL;
	va_list args;

	if (!line || line->remedy)
		return;
	va_start(args, remedy);
	if (vasprintf(&line->remedy, remedy, args) < 0) {
		line->remedy = NULL;
		report->no_memory = true;
	}
	va_end(args);
}

void check_free(struct check_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		free(report->lines[i].found);
		free(report->lines[i].remedy);
	}
	free(report->lines);
	*report = (struct check_report){ 0 };
}
