/* SPDX-License-Identifier: GPL-2.0-only */
/* What calls.c and calls.bpf.c share: a list of calls that the program makes on one packet, and their results. */
#ifndef CALLS_H
#define CALLS_H

#include <linux/types.h>

enum {
	CALLS_MAX = 48,
	CALLS_MARK = 0x6d696d69, /* skb->mark of the packets that are meant */
	CALLS_PRIORITY = 77771, /* skb->priority of those that pktgen makes, which sets no mark */
	CALLS_CAPTURE_MAX = 256,
	CALLS_ABSENT = -4095, /* result: the module is not loaded */
};

enum call_function {
	CALL_END,
	CALL_PARTIAL,	  /* mimic_csum_partial(l4_off, a) */
	CALL_MOVE,	  /* mimic_csum_move(l4_off, a, b) */
	CALL_PULL,	  /* bpf_skb_pull_data(l4_off) */
	CALL_CHANGE_TAIL, /* bpf_skb_change_tail(l4_off) */
	CALL_STORE,	  /* stores the 16 bits a, in host order, at l4_off */
};

struct call {
	__u32 function;
	__u32 l4_off;
	__u32 a;
	__u32 b;
	__s32 result;
};

struct calls {
	struct call call[CALLS_MAX];
	__u32 packets;	/* how many were seen */
	__u32 len;	/* of the last one, before the calls */
	__u32 redirect; /* interface index to send it to, or 0 */
};

struct capture {
	__u32 packets;
	__u32 len;
	__u8 data[CALLS_CAPTURE_MAX];
};

#endif
