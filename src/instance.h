/* SPDX-License-Identifier: GPL-2.0-only */
/* The instance of `mimic run` on an interface, as other processes find it, and a copy of its connections. */
#ifndef MIMIC_INSTANCE_H
#define MIMIC_INSTANCE_H

#include <stddef.h>

#include "abi.h"
#include "runfile.h"

/*
 * Finds the instance that runs on @ifname in this network namespace, and is ready. Returns 0, and *@info is the caller's to free
 * (runfile_free_info()); or -errno, logged: -ENODEV (no such interface), -ENOENT (nothing runs there), -ESRCH (it was
 * killed, or is not ready), or another for a lock file that cannot be read.
 */
int instance_find(const char *ifname, struct run_info *info);

/* A copy of the connection map: values[i] belongs to keys[i]. Zero-filled it is empty. Owns both arrays. */
struct instance_conns {
	struct conn_key *keys;
	struct mimic_conn *values;
	size_t count, room;
};

#define _cleanup_instance_conns_ __attribute__((cleanup(instance_free_conns)))

/*
 * Copies the connections of the instance @info. Needs root. Returns 0, or -errno, logged: -EPROTO when it is of a build whose
 * map this one cannot read. *@conns is empty before.
 */
int instance_read_conns(const struct run_info *info, struct instance_conns *conns);

void instance_free_conns(struct instance_conns *conns);

#endif
