/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `mimic check` thinks of the facts. Each item is a function that takes the facts and says what it finds, with the remedy;
 * all are in the table of checks.c. Pure: nothing here asks the machine. (check.h is the name of the library of the unit tests.)
 */
#ifndef MIMIC_CHECKS_H
#define MIMIC_CHECKS_H

#include <stdbool.h>
#include <stddef.h>

#include "facts.h"
#include "nftrules.h"

enum check_result {
	CHECK_OK,
	CHECK_NOTE,    /* worth knowing; also what could not be looked at */
	CHECK_PROBLEM, /* Mimic will not run so, or not carry what it should */
};

struct check_line {
	const char *item; /* static */
	enum check_result result;
	char *found, *remedy; /* remedy may be NULL. Owned. */
};

/* Zero-filled it is empty. */
struct check_report {
	const char *item; /* that is being judged */
	struct check_line *lines; /* Owned. */
	size_t count, problems;
	bool no_memory; /* lines are missing */
};

#define _cleanup_check_report_ __attribute__((cleanup(check_free)))

/* Judges everything that there are facts about. */
void check_judge(struct check_report *report, const struct facts *facts);

void check_free(struct check_report *report);

/* `ok`, `note`, `problem`. */
const char *check_result_name(enum check_result result);

/* For the items: a line; and what to do about the line that was said last. */
void check_say(struct check_report *report, enum check_result result, const char *found, ...) __attribute__((format(printf, 3, 4)));
void check_advise(struct check_report *report, const char *remedy, ...) __attribute__((format(printf, 2, 3)));

/* --- the items: no line means that there is nothing to say */

typedef void check_item_fn(struct check_report *report, const struct facts *facts);

/* check_kernel.c */
check_item_fn check_kernel_version, check_kernel_options, check_kernel_btf, check_kernel_jit, check_kernel_programs,
	check_kernel_level, check_kernel_module, check_kernel_lockdown, check_kernel_privileges, check_kernel_unprivileged,
	check_kernel_container;

/* check_netif.c: of the interface. What they say when there is none is check_netif_state()'s. */
check_item_fn check_netif_state, check_netif_link_type, check_netif_native_xdp, check_netif_xdp, check_netif_libxdp,
	check_netif_tc, check_netif_qdisc, check_netif_offloads, check_netif_mtu, check_netif_wireguard;

/* check_firewall.c */
check_item_fn check_firewall_netdev, check_firewall_ports;

/* The first of a flow that goes out to the end of @filter, or from it; or that comes in. */
struct nftrules_packet check_packet_of(const struct facts *facts, const struct filter *filter, bool incoming);

/* check_conntrack.c */
check_item_fn check_conntrack;

/* check_routes.c */
check_item_fn check_routes;

/* check_config.c */
check_item_fn check_config_file, check_config_instance, check_config_filters, check_config_overlaps, check_config_udp,
	check_config_tcp;

/* check_udpguard.c */
check_item_fn check_udpguard;

/* The settings of @filter; NULL: the global ones. */
void check_settings(const struct facts_config *config, const struct filter *filter, struct conn_settings *settings);

/* How much the padding takes of a packet, at most, over all filters. */
unsigned int check_padding_max(const struct facts_config *config);

/* Whether filters name addresses of this family, or might: without any filter both are true. */
bool check_uses_family(const struct facts_config *config, bool ipv4);

#endif
