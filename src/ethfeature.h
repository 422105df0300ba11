/* SPDX-License-Identifier: GPL-2.0-only */
/* What `ethtool -K` switches at a network device: one feature by its name, or a group by its old command. */
#ifndef MIMIC_ETHFEATURE_H
#define MIMIC_ETHFEATURE_H

#include <linux/types.h>
#include <stdbool.h>

/*
 * Switches @feature of the device @name on or off; @fd is any socket. Returns 0, also when the kernel knows no such feature,
 * or -errno.
 */
int ethfeature_set(int fd, const char *name, const char *feature, bool on);

/* Whether @feature is on, to *@on. Returns 0, -ENOENT when the kernel knows no such feature, or another -errno. */
int ethfeature_get(int fd, const char *name, const char *feature, bool *on);

/*
 * @command with @value: ETHTOOL_STXCSUM and the like (0: off), each of which stands for several features; or ETHTOOL_SFLAGS with
 * all the flags that shall be on. Returns 0, also when the device cannot have it otherwise, or -errno.
 */
int ethfeature_set_group(int fd, const char *name, __u32 command, __u32 value);

#endif
