/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a process may do in the kernel, given up as soon as it is not needed any more. Capabilities belong to a thread: each gives up its own.
 *
 * By the system calls themselves, without libcap: it is two calls.
 */
#ifndef MIMIC_PRIVILEGES_H
#define MIMIC_PRIVILEGES_H

#include <stdbool.h>

/*
 * After set-up: keeps of the capabilities that this thread has those that the daemon needs as long as it runs, in all sets and in the bounding set,
 * and gives up the others for good (no_new_privs). @by_id: it will look for the programs of others by their ids (libxdp), which takes
 * CAP_SYS_ADMIN. Returns 0 or -errno.
 */
int privileges_keep(bool by_id);

/* Gives up all capabilities of this thread. Returns 0 or -errno. */
int privileges_drop(void);

#endif
