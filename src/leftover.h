/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs of Mimic on an interface whose links somebody else keeps: systemd's descriptor store, or a process that hangs. */
#ifndef MIMIC_LEFTOVER_H
#define MIMIC_LEFTOVER_H

/* Detaches them from @ifindex. The caller has the lock. Returns 0 when none is left, or -errno. */
int leftover_detach(int ifindex);

#endif
