/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guard of plain UDP on an interface: a TC filter that belongs to no process, so that datagrams of filters with udp=drop do not
 * leave as they are when Mimic has ended, was killed, or has not been started yet. What is set replaces what was there in one step.
 */
#ifndef MIMIC_UDPGUARD_H
#define MIMIC_UDPGUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "udpguard_rules.h"

/* Whether the kernel takes the program; nothing is attached. @ethernet as in udpguard_set(). Returns 0 or -errno, logged. */
int udpguard_try(const struct udpguard_rules *rules, bool ethernet);

/* A warning, if there is something to warn of. */
void udpguard_warn_of_dns(const struct udpguard_rules *rules);

/*
 * Goes by @rules from now on; removes the guard where they drop nothing. @ethernet: frames of the interface begin with an Ethernet
 * header. Returns 0 or -errno, logged; then what was there before stays.
 */
int udpguard_set(int ifindex, const struct udpguard_rules *rules, bool ethernet);

/* Removes it, and the qdisc if it was Mimic's and serves nobody else. *@found: there was one. Returns 0 or -errno. */
int udpguard_remove(int ifindex, bool *found);

/* Whether it is there: 0, -ENOENT, or another -errno. Unlike the next one it needs no CAP_SYS_ADMIN. */
int udpguard_find(int ifindex);

/* How many datagrams it has dropped since it was set. Returns 0, or -errno: -ENOENT without a guard. */
int udpguard_read(int ifindex, uint64_t *dropped);

#endif
