/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TC programs as filters of the clsact qdisc, where the kernel has no tcx (before 6.6), and the guard of plain UDP on any kernel.
 * Each is known by its handle, and stays when its process ends. Its handle also says whether Mimic made the
 * qdisc. All return 0 or -errno (-EOPNOTSUPP: a kernel without TC filters), unless they say otherwise.
 */
#ifndef MIMIC_CLSACT_H
#define MIMIC_CLSACT_H

#include <stdbool.h>
#include <stdint.h>

enum clsact_place {
	CLSACT_INGRESS, /* at the first priority that no filter of another kind has */
	CLSACT_EGRESS,	/* likewise */
	CLSACT_GUARD,	/* on the egress side, behind all others, those of tcx included */
};

/*
 * Adds our filter, and before it the qdisc if there is none; then *@made is set. -EBUSY: the older `ingress` is in its place,
 * which would take egress filters for ingress ones. Warns of filters that come first.
 */
int clsact_attach(int ifindex, int prog_fd, enum clsact_place place, bool *made);

/*
 * Puts the program into the place of the one that our filter has, in one step; *@made: its handle says that the qdisc is Mimic's.
 * -ENOENT: there is no filter of ours.
 */
int clsact_replace(int ifindex, int prog_fd, enum clsact_place place, bool *made);

/*
 * Removes our filter if there is one (*@found). It is asked for and not remembered, so this also removes that of a killed
 * instance. *@made: its handle says that the qdisc is Mimic's.
 */
int clsact_remove(int ifindex, enum clsact_place place, bool *found, bool *made);

/* The kernel's id of the program that our filter has. Returns 0, or -errno: -ENOENT without one. */
int clsact_query(int ifindex, enum clsact_place place, uint32_t *prog_id);

/* Removes the qdisc if nobody has filters in it. For whoever made it. Never fails. */
void clsact_close(int ifindex);

#endif
