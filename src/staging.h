/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The staging device: a veth pair without offloads. What TC egress cannot transform as it is (UDP GSO superpackets, open
 * inner checksums of tunnels, VLAN tags in the frame) is redirected into it, is split and completed by the kernel on
 * the way, turned round by XDP at the far end, and comes back from the near end as fresh packets, one by one,
 * which go to the interface again.
 *
 *	interface, TC egress --> near end --(segmentation, checksums)--> far end
 *	interface, TC egress <-- near end, TC ingress <---- XDP_TX ---------'
 */
#ifndef MIMIC_STAGING_H
#define MIMIC_STAGING_H

#include <stdbool.h>
#include <stdint.h>

#include "netif.h"

struct datapath;

struct staging {
	char near[16], far[16];	    /* names; near is empty when there is no device */
	unsigned int near_ifindex, far_ifindex;
	int near_xdp, far_xdp;	    /* links, -1: none */
	int near_tc;		    /* link, -1: none, or a filter, which goes with the device */
	unsigned int mtu;
	uint64_t lost; /* packets, as far as staging_lost() knows */
};

#define STAGING_INIT { .near_xdp = -1, .far_xdp = -1, .near_tc = -1 }

/* Removes the pair that an instance for @netif left that was killed. The caller holds the lock. Never fails; logs. */
void staging_clear(const struct netif *netif);

/*
 * Makes the pair for @netif and attaches the programs of @datapath. Returns 0 or -errno, logged. *@staging is STAGING_INIT; staging_close() is allowed whatever this returns.
 */
int staging_open(struct staging *staging, const struct netif *netif, const struct datapath *datapath);

/*
 * Goes on with the pair and the links of another instance, in *@staging, with the programs of @datapath in place of its own. May be
 * repeated. Returns 0 or -errno; -ENODEV: it had no pair.
 */
int staging_take(struct staging *staging, const struct netif *netif, const struct datapath *datapath);

/* Gives the pair up and leaves it as it is: somebody else has the links, too. */
void staging_leave(struct staging *staging);

/* Follows the MTU of the interface. */
void staging_set_mtu(struct staging *staging, unsigned int mtu);

/* Whether there was a pair, which somebody has deleted. */
bool staging_is_gone(const struct staging *staging);

/* Packets that got lost on it, since it takes only so many at once. Never less than before. */
uint64_t staging_lost(struct staging *staging);

/* Removes the pair. */
void staging_close(struct staging *staging);

#endif
