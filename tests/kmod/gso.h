/* SPDX-License-Identifier: GPL-2.0-only */
/* What gso.c and gso.bpf.c share: what the program shall do with one superpacket, and what came of it. */
#ifndef GSO_H
#define GSO_H

#include <linux/types.h>

enum { GSO_MARK = 0x67736f }; /* skb->mark of the packets that are meant */

struct gso_call {
	__u32 l4_off;
	__u32 seq, ack, window;
	__u32 clone_to; /* interface index to which a clone goes first, or 0 */
	__u32 pull;	/* bytes to be linear first, or 0 */
	__u32 packets;	/* how many were seen */
	__u32 len;	/* of the last one, before the calls */
	__s32 prepare, again, convert; /* results */
};

#endif
