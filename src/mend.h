/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What others have taken away from a running instance is put back: TC filters of clsact, links, the staging device, the lock file and its socket. Nothing
 * of this happens while a successor takes over, who does it himself.
 */
#ifndef MIMIC_MEND_H
#define MIMIC_MEND_H

/* The daemon's on_filters; @context is the struct succession. */
void mend_on_filters(void *context);

struct succession;

/* Each second, from the daemon. Logs. */
void mend_each_second(struct succession *succession);

#endif
