/* SPDX-License-Identifier: GPL-2.0-only */
/* What netlink tells of the interface and of those beside it: devices, TC filters, what drivers say that they can do. */
#ifndef MIMIC_NETDEVS_H
#define MIMIC_NETDEVS_H

#include "facts.h"

/*
 * Lists the devices of this network namespace but @ifindex itself, whose kind and carrier go to *@netif with them. Returns 0
 * or -errno; what was found before an error stays.
 */
int netdevs_list(struct facts_netif *netif, int ifindex);

/* Asks the family `netdev` for the XDP features of @ifindex. 0, or -errno where the kernel has no such family (before 6.3). */
int netdevs_xdp_features(int ifindex, uint64_t *features);

/* The filters of clsact, and which qdisc is in its place. Returns 0 or -errno. */
int netdevs_list_filters(struct facts_netif *netif, int ifindex);

#endif
