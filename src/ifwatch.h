/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hears from rtnetlink(7) that interfaces or their addresses change, or that TC filters go. What the news is, the interface itself is asked.
 */
#ifndef MIMIC_IFWATCH_H
#define MIMIC_IFWATCH_H

enum {
	IFWATCH_ADDRESSES = 1, /* may have changed */
	IFWATCH_FILTERS = 2,   /* of TC, or the qdisc: some may be gone */
};

/* A socket that becomes readable with every change of any interface. Returns it or -errno. */
int ifwatch_open(void);

/* Takes all that is there. Returns IFWATCH_*, what may have changed of @ifindex, as far as anybody knows. */
unsigned int ifwatch_take(int fd, int ifindex);

#endif
