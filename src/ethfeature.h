/* SPDX-License-Identifier: GPL-2.0-only */
/* One feature of a network device by its name, as `ethtool -K` switches it. */
#ifndef MIMIC_ETHFEATURE_H
#define MIMIC_ETHFEATURE_H

#include <stdbool.h>

/*
 * Switches @feature of the device @name on or off; @fd is any socket. Returns 0, also when the kernel knows no such feature,
 * or -errno.
 */
int ethfeature_set(int fd, const char *name, const char *feature, bool on);

#endif
