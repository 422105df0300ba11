/* SPDX-License-Identifier: GPL-2.0-only */
/* An entry of a BPF map is set. */
#ifndef MIMIC_MAPUPDATE_H
#define MIMIC_MAPUPDATE_H

#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

enum {
	MAPUPDATE_TRIES = 40,
	MAPUPDATE_PAUSE_US = 5000,
};

/*
 * bpf_map_update_elem() for maps that do not allocate in advance. The kernel takes a new entry from a small stock of each CPU, which is filled
 * again a moment later (kernel/bpf/memalloc.c), or without waiting for memory: several entries in a row may see -ENOMEM where there is plenty.
 * Returns 0 or -errno.
 */
static inline int mapupdate(int fd, const void *key, const void *value)
{
	int tries = 0;

	while (bpf_map_update_elem(fd, key, value, BPF_ANY)) {
		if (errno != ENOMEM || ++tries == MAPUPDATE_TRIES)
			return -errno;
		usleep(MAPUPDATE_PAUSE_US);
	}
	return 0;
}

#endif
