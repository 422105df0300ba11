/* SPDX-License-Identifier: GPL-2.0-only */
/* Which filters (addresses are prefixes of all bits) are set, and how many name each port: so that a port's bit goes with its last filter. Pure. */
#ifndef MIMIC_FILTER_PORTS_H
#define MIMIC_FILTER_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"

struct filter_ports;

/* Empty, or NULL: no memory. */
struct filter_ports *filter_ports_new(void);
void filter_ports_free(struct filter_ports *ports);

/* Returns 1 when @end is new, 0 when it was there already, or -ENOMEM. */
int filter_ports_add(struct filter_ports *ports, const struct filter_prefix *end);

/* False: it was not there. */
bool filter_ports_remove(struct filter_ports *ports, const struct filter_prefix *end);

/* All of them. */
void filter_ports_clear(struct filter_ports *ports);

/* How many of them are prefixes of less than all bits. */
uint32_t filter_ports_prefixes(const struct filter_ports *ports);

/* How many filters name the port @number (host order). */
uint32_t filter_ports_count(const struct filter_ports *ports, enum filter_origin origin, uint16_t number);

#endif
