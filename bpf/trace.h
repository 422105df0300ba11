/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `mimic trace` prints: a record of what a connection decided about a packet, and of the segments that are sent because of it.
 * The tracer says until when it listens, and says it again each second: so nothing is recorded for one that was killed, and the
 * datapath reads one word for each packet.
 */
#ifndef MIMIC_TRACE_H
#define MIMIC_TRACE_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "maps.h"
#include "work.h"

/* w->eff is the decision; with TRACE_IN, w->seg is the segment, with TRACE_OUT w->plan the datagram. */
static __always_inline void trace(const struct work *w, const enum mimic_trace_direction direction)
{
	struct mimic_trace *record;

	if (*(const volatile __u64 *)&shared.trace_until_ns <= w->env.now_ns)
		return;
	record = bpf_ringbuf_reserve(&traces, sizeof(*record), 0);
	if (!record) {
		__sync_fetch_and_add(&shared.trace_lost, 1);
		return;
	}
	record->now_ns = w->env.now_ns;
	record->key = w->key;
	record->direction = direction;
	record->verdict = w->eff.verdict;
	record->reason = w->eff.reason;
	record->window_scale = w->window_scale;
	__builtin_memset(record->pad, 0, sizeof(record->pad));
	record->seq = direction == TRACE_IN ? w->seg.seq : w->eff.seq;
	record->ack = direction == TRACE_IN ? w->seg.ack : w->eff.ack;
	record->window = direction == TRACE_IN ? w->seg.window : w->eff.window;
	record->payload_len = direction == TRACE_IN ? w->seg.payload_len : w->plan.payload_len + w->eff.padding;
	record->flags = direction == TRACE_IN ? w->seg.flags : w->plan.payload_len <= 1 ? TCP_ACK | TCP_PSH : TCP_ACK;
	record->reply[0] = w->eff.reply[0];
	record->reply[1] = w->eff.reply[1];
	bpf_ringbuf_submit(record, 0);
}

#endif
