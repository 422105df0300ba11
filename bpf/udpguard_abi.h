/* SPDX-License-Identifier: GPL-2.0-only */
/* What the guard of plain UDP (udpguard.bpf.c) and src/udpguard.c share. */
#ifndef MIMIC_UDPGUARD_ABI_H
#define MIMIC_UDPGUARD_ABI_H

#include <linux/types.h>

#include "core/addr.h"

/*
 * Map `rules`: struct filter_prefix -> __u32, a set of these, for one end of a datagram as it leaves: its source is local. An empty
 * set is a filter with udp=pass, before which less specific ones do not count.
 */
enum udpguard_rule {
	UDPGUARD_DROP = 1 << 0,
	UDPGUARD_OWN = 1 << 1, /* for what this host sends, and not for what it forwards */
};

/* Constants, set before load. */
struct udpguard_config {
	__u8 ethernet; /* frames begin with an Ethernet header */
	__u8 local_ports[65536 / 8];  /* bit per port (host order) that has a rule */
	__u8 remote_ports[65536 / 8];
};

#endif
