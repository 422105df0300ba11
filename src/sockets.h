/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sockets of this network namespace that wait for whoever comes: unconnected UDP ones and listening TCP ones, those of the
 * kernel (WireGuard) among them. From /proc/net, which needs no privilege and no kernel module.
 */
#ifndef MIMIC_SOCKETS_H
#define MIMIC_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "core/addr.h"

struct sockets_entry {
	struct addr addr; /* where it is bound; 0.0.0.0 or :: for everywhere */
	__be16 port;
	bool tcp;
};

/* Zero-filled it is empty. Owns its entries. */
struct sockets {
	struct sockets_entry *entries;
	size_t count;
};

#define _cleanup_sockets_ __attribute__((cleanup(sockets_free)))

/* Returns 0, -ENOMEM, or -errno when none of the lists can be read. *@sockets needs no initial value. */
int sockets_read(struct sockets *sockets);

/*
 * Adds what the lines of /proc/net/{udp,udp6,tcp,tcp6} tell. Of a TCP list only the beginning is read: listening sockets come
 * first. Returns 0 or -ENOMEM. Pure.
 */
int sockets_take(struct sockets *sockets, FILE *file, bool tcp);

/*
 * The socket that gets what is sent to @addr and @port, or NULL. A socket on :: takes IPv4, too. With @addr 0.0.0.0 or ::, any
 * of that family that takes something.
 */
const struct sockets_entry *sockets_find(const struct sockets *sockets, const struct addr *addr, __be16 port, bool tcp);

void sockets_free(struct sockets *sockets);

#endif
