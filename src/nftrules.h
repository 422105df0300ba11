/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What nftables rules do to a packet, as far as that can be said with certainty: reads `nft -j list ruleset`
 * (libnftables-json(5)). What it does not know counts as perhaps. Pure.
 */
#ifndef MIMIC_NFTRULES_H
#define MIMIC_NFTRULES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A UDP packet as a hook sees it. */
struct nftrules_packet {
	bool ipv4, incoming; /* incoming: by ifname, to hook input; else out of it, by hook output */
	bool forwarded;	     /* hook forward instead, whichever of the two it is */
	bool established;    /* for conntrack: it belongs to a flow that went the other way, too; else the first one of its flow */
	bool answer;	     /* it comes back: port is its source */
	uint16_t port;	     /* destination, else; host order; the other end is unknown */
	const char *ifname;
};

enum nftrules_verdict {
	NFTRULES_PASSES, /* no chain drops it */
	NFTRULES_PERHAPS,
	NFTRULES_DROPS,
};

/*
 * What becomes of @packet in the chains of its hook. With NFTRULES_DROPS the chain is named in @where (`inet filter input`),
 * else that is empty.
 */
enum nftrules_verdict nftrules_judge(const json_t *rules, const struct nftrules_packet *packet, char *where, size_t size);

enum {
	NFTRULES_UNTRACKED = -1,
};

/*
 * In which zone conntrack sees @packet, from this host or to it: *@zone, 0 where no rule says another, NFTRULES_UNTRACKED where one keeps it
 * from conntrack. False: that is not certain; if it is for a target CT of iptables, of which nft shows no more than that, @where
 * names the chain, else that is empty.
 */
bool nftrules_zone(const json_t *rules, const struct nftrules_packet *packet, int *zone, char *where, size_t size);

/* Calls @take for each chain of the hook egress of the family netdev on @ifname: `TABLE NAME`. */
void nftrules_each_netdev_egress(const json_t *rules, const char *ifname, void (*take)(void *context, const char *chain),
				 void *context);

#endif
