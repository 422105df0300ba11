/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TC programs where the kernel has no tcx (before 6.6): a filter of the clsact qdisc on each side, known by its handle, at the
 * first priority that no filter of another kind has. It stays when its process ends. Its handle also says whether Mimic made the
 * qdisc. @ingress: the side. All return 0 or -errno (-EOPNOTSUPP: a kernel without TC filters), unless they say otherwise.
 */
#ifndef MIMIC_CLSACT_H
#define MIMIC_CLSACT_H

#include <stdbool.h>

/*
 * Adds our filter, and before it the qdisc if there is none; then *@made is set. -EBUSY: the older `ingress` is in its place,
 * which would take egress filters for ingress ones. Warns of filters that come first.
 */
int clsact_attach(int ifindex, int prog_fd, bool ingress, bool *made);

/*
 * Puts the program into the place of the one that our filter has, in one step; *@made: its handle says that the qdisc is Mimic's.
 * -ENOENT: there is no filter of ours.
 */
int clsact_replace(int ifindex, int prog_fd, bool ingress, bool *made);

/*
 * Removes our filter if there is one (*@found). It is asked for and not remembered, so this also removes that of a killed
 * instance. *@made: its handle says that the qdisc is Mimic's.
 */
int clsact_remove(int ifindex, bool ingress, bool *found, bool *made);

/* Removes the qdisc if nobody has filters in it. For whoever made it. Never fails. */
void clsact_close(int ifindex);

#endif
