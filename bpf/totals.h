/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The figures of a connection that is removed go to the totals of its filter, so that those and the connections that live add up to all
 * that the filter ever carried. Readers cannot copy two maps at once: shared.figures_moves is odd while figures are in neither.
 */
#ifndef MIMIC_TOTALS_H
#define MIMIC_TOTALS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "maps.h"
#include "work.h"

/* Out of the connection, under its lock, to w->ended. Again (its deletion had failed), there is nothing left. */
static __always_inline void totals_take(struct work *w, struct mimic_conn *value)
{
	__sync_fetch_and_add(&shared.figures_moves, 1);
	w->ended.ended = 1;
	w->ended.traffic = value->c.traffic;
	w->ended.events = value->c.events;
	w->ended_filter = value->filter;
	__builtin_memset(&value->c.traffic, 0, sizeof(value->c.traffic));
	__builtin_memset(&value->c.events, 0, sizeof(value->c.events));
}

static __always_inline void totals_add(struct work *w)
{
	struct mimic_filter_total *total = bpf_map_lookup_elem(&filter_totals, &w->ended_filter);
	const __u64 *more = (const __u64 *)&w->ended;
	__u64 *sum = (__u64 *)total;

	if (!total) {
		if (bpf_map_update_elem(&filter_totals, &w->ended_filter, &w->ended, BPF_NOEXIST))
			count(REASON_TOTALS_LOST);
		return;
	}
	CORE_UNROLL
	for (__u32 i = 0; i < sizeof(*total) / 8; i++)
		sum[i] += more[i];
}

static __always_inline void totals_end(void)
{
	__sync_fetch_and_add(&shared.figures_moves, 1);
}

#endif
