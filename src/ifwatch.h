/* SPDX-License-Identifier: GPL-2.0-only */
/* Hears from rtnetlink(7) that interfaces or their addresses change. What the news is, the interface itself is asked. */
#ifndef MIMIC_IFWATCH_H
#define MIMIC_IFWATCH_H

#include <stdbool.h>

/* A socket that becomes readable with every change of any interface. Returns it or -errno. */
int ifwatch_open(void);

/* Takes all that is there. True: the addresses of @ifindex may have changed, as far as anybody knows. */
bool ifwatch_take(int fd, int ifindex);

#endif
