/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MIMIC_PORTS_H
#define MIMIC_PORTS_H

#include "core/types.h"

/* Of 65536 bits, one for each port in host order, that of @port. */
static __always_inline bool port_bit(const volatile __u8 *bits, __be16 port)
{
	__u32 number = be16_to_host(port);

	return bits[number >> 3] & (1 << (number & 7));
}

#endif
