/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration file of a running instance is read again. */
#ifndef MIMIC_RELOAD_H
#define MIMIC_RELOAD_H

#include "live.h"

/*
 * Reads the command line and the file anew and goes by them, whole or, when there is any error, not at all. Everything is logged: all
 * errors, what has changed, what would need a restart. Returns 0, or -errno with nothing changed (-ENOENT: there is no file to read);
 * LIVE_UNGUARDED as live_change().
 */
int reload_run(struct live *live);

#endif
