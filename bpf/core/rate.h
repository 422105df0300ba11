/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A limit of a rate that lets bursts through: the generic cell rate algorithm (ITU-T I.371, virtual scheduling), a leaky bucket that
 * needs one number and no timer.
 */
#ifndef MIMIC_CORE_RATE_H
#define MIMIC_CORE_RATE_H

#include "types.h"

/*
 * Whether one more may go now: one in interval_ns in the long run, `burst` (at least 1) at once after a silence. *paid_ns: when what went
 * is paid for, 0 at first; others may write it meanwhile, and let some more through.
 */
CORE_FN bool rate_may(const __u64 *paid_ns, __u64 now_ns, __u64 interval_ns, __u32 burst)
{
	__u64 paid = *(const volatile __u64 *)paid_ns;

	return paid <= now_ns || paid - now_ns <= interval_ns * (burst - 1);
}

/* One goes. cost_ns: the interval, or what is that on average. */
CORE_FN void rate_pay(__u64 *paid_ns, __u64 now_ns, __u64 cost_ns)
{
	__u64 paid = *(const volatile __u64 *)paid_ns;

	*paid_ns = (paid > now_ns ? paid : now_ns) + cost_ns;
}

#endif
