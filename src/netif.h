/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the daemon has to know of a network interface, read once from the kernel.
 */
#ifndef MIMIC_NETIF_H
#define MIMIC_NETIF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/addr.h"

/* What stands before the IP header on the interface. */
enum link_type {
	LINK_TYPE_AUTO = 0, /* option: not given; interface: of a kind that we do not know */
	LINK_TYPE_ETH,	    /* Ethernet, 14 bytes */
	LINK_TYPE_NONE,	    /* nothing: TUN, PPP, WireGuard, IP tunnels */
};

struct netif {
	char name[16]; /* IF_NAMESIZE */
	int ifindex;
	unsigned int mtu;      /* bytes, without L2 header */
	unsigned short arphrd; /* ARPHRD_* of linux/if_arp.h */
	enum link_type link_type;
	unsigned char mac[6]; /* only for LINK_TYPE_ETH */
	bool up;	      /* IFF_UP */
	char driver[32];      /* as ethtool -i says it; empty when the driver does not tell */
	ino_t netns;	      /* inode number of the network namespace of this process */
	struct addr *addrs;   /* IPv4 and IPv6, link-local ones included. Owned. */
	size_t addr_count;
};

#define _cleanup_netif_ __attribute__((cleanup(netif_close)))

/*
 * Reads the interface @name of this network namespace into *@netif, which needs no initial value.
 * Returns 0, -ENODEV when there is none of that name, or another -errno. On errors *@netif is empty
 * and netif_close() is allowed, not needed.
 */
int netif_open(struct netif *netif, const char *name);

/* Reads the addresses again. Returns 0 or -errno; on errors the old ones stay. */
int netif_read_addrs(struct netif *netif);

void netif_close(struct netif *netif);

/* Whether an interface of this network namespace has the address. */
bool netif_is_local(const struct addr *addr);

/* Inode number of the network namespace of this process. Returns 0 or -errno. */
int netif_netns(ino_t *netns);

/* `eth`, `none`, `auto`. */
const char *netif_link_type_name(enum link_type type);

/* Reads `eth` or `none`. Returns 0, or -EINVAL with *@type untouched. */
int netif_link_type_parse(const char *text, enum link_type *type);

#endif
