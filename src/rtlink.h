/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes, changes and removes network devices by rtnetlink(7). */
#ifndef MIMIC_RTLINK_H
#define MIMIC_RTLINK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Makes a veth pair @name - @peer, both down and without ARP, each packet one segment at most (gso_max_segs 1); @name gets
 * the alias @alias. Returns 0 or -errno (-EEXIST: a name is taken).
 */
int rtlink_make_veth(const char *name, const char *peer, unsigned int mtu, const char *alias);

/* Whether a device @name exists and has the alias @alias (ip link set ... alias). */
bool rtlink_has_alias(const char *name, const char *alias);

/* Returns 0 or -errno (-ENODEV: no such device). A veth pair goes as a whole. */
int rtlink_delete(const char *name);

/* Packets that the device did not get rid of. Returns 0 or -errno. */
int rtlink_tx_dropped(unsigned int ifindex, uint64_t *packets);

int rtlink_set_mtu(unsigned int ifindex, unsigned int mtu);

/* The device gets no IPv6 address by itself. -EAFNOSUPPORT: it has no IPv6 at all, which serves as well. */
int rtlink_set_no_addresses(unsigned int ifindex);

/* Up, without ARP. */
int rtlink_set_up(unsigned int ifindex);

#endif
