/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters that each CPU has for itself (BPF_MAP_TYPE_PERCPU_ARRAY of __u64). */
#ifndef MIMIC_PERCPU_H
#define MIMIC_PERCPU_H

#include <stdint.h>

/* The sum over all CPUs of the entry @index, or 0 when it cannot be read. */
uint64_t percpu_sum(int map_fd, uint32_t index);

#endif
