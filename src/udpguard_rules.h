/* SPDX-License-Identifier: GPL-2.0-only */
/* What the guard of plain UDP (udpguard.h) has to know, made of the filters. Pure. */
#ifndef MIMIC_UDPGUARD_RULES_H
#define MIMIC_UDPGUARD_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter_list.h"
#include "udpguard_abi.h"

struct udpguard_item {
	struct filter_prefix end;
	uint32_t rule; /* set of enum udpguard_rule */
};

/* Zero-filled it is empty. Owns its items, which name each end once. */
struct udpguard_rules {
	struct udpguard_item *items;
	size_t count;
	bool drops; /* some of them do: without that no guard is needed */
	bool dns;   /* a name at port 53: this host's own questions to DNS are kept in as well */
};

#define _cleanup_udpguard_rules_ __attribute__((cleanup(udpguard_rules_free)))

/*
 * Fills *@rules, which is empty.
 * - A filter of @list with its settings over @base; the addresses that a wildcard stands for now are among them. The wildcard itself is
 *   for any source address, so that none is missed that comes later, but only for what this host sends itself.
 * - A host name of @specs with udp=drop: any address at that port, for what this host sends itself. A name may have another address tomorrow, when
 *   nobody is there to follow it, and programs may know it before Mimic does.
 * Returns 0 or -ENOMEM.
 */
int udpguard_rules_make(struct udpguard_rules *rules, const struct filter_list *list, const struct conn_settings *base,
			const struct filter_spec *specs, size_t spec_count);

bool udpguard_rules_equal(const struct udpguard_rules *a, const struct udpguard_rules *b);

void udpguard_rules_free(struct udpguard_rules *rules);

#endif
