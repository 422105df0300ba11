/* SPDX-License-Identifier: GPL-2.0-only */
/* From a packet to its connection, and from the core's effect to the daemon. */
#ifndef MIMIC_FLOW_H
#define MIMIC_FLOW_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "context.h"
#include "core/parse.h"
#include "core/siphash.h"
#include "maps.h"
#include "work.h"

/*
 * Whether a filter names this end: its address, or else a prefix, the longest. Its settings go to w->settings, and it itself to
 * w->filter: two maps' values in one pointer would be two states of everything behind it. On the stack the key cost the verifier
 * as much (egress, 6.18, clang 14): twice the instructions, for its place was used again, by other paths.
 */
static __always_inline bool flow_filter_end(struct work *w, const struct addr *addr, __be16 port, enum filter_origin origin)
{
	const struct mimic_prefix *prefix;
	const struct conn_settings *settings;

	w->end.bits = FILTER_KEY_HEAD_BITS + ADDR_BITS;
	filter_key_make(&w->end.key, addr, port, origin);
	settings = bpf_map_lookup_elem(&filters, &w->end.key);
	if (settings) {
		w->settings = *settings;
		w->filter = w->end;
		return true;
	}
	if (!*(const volatile __u32 *)&shared.prefixes)
		return false;
	prefix = bpf_map_lookup_elem(&prefixes, &w->end);
	if (!prefix)
		return false;
	w->settings = prefix->settings;
	w->filter = prefix->filter;
	return true;
}

/*
 * Whether a filter names the flow w->key; its settings go to w->settings. A packet matches by its source end first, then by
 * its destination end.
 */
static __always_inline bool flow_filter(struct work *w, bool outgoing)
{
	const struct conn_key *key = &w->key;

	if (outgoing)
		return flow_filter_end(w, &key->local, key->local_port, ORIGIN_LOCAL) ||
		       flow_filter_end(w, &key->remote, key->remote_port, ORIGIN_REMOTE);
	return flow_filter_end(w, &key->remote, key->remote_port, ORIGIN_REMOTE) ||
	       flow_filter_end(w, &key->local, key->local_port, ORIGIN_LOCAL);
}

/* Connections of responders that wait for the ACK. */
static __always_inline __s32 flow_half_open(void)
{
	return *(const volatile __s32 *)&shared.half_open;
}

static __always_inline void flow_env(struct env *env)
{
	__u32 waiting = *(const volatile __u32 *)&shared.held_frame_bytes;

	/* The coarse clock: a few ns to read where the exact one costs 90. Ticks of 1 to 10 ms are fine enough. */
	env->now_ns = bpf_ktime_get_coarse_ns();
	env->hold_room = waiting < MIMIC_HELD_TOTAL_BYTES;
	env->crowded = flow_half_open() >= MIMIC_HALF_OPEN_MANY;
}

/* A new idle connection of w->key, with the L2 header of w->l2 and what flow_filter() said. NULL: the table is full. */
static __always_inline struct mimic_conn *flow_create(struct work *w, bool outgoing)
{
	const struct siphash_key isn_key = { { config.isn_key.word[0], config.isn_key.word[1] } };
	struct mimic_conn *fresh = (void *)&w->fresh;

	/* All but the events, which nobody writes here, so that they stay as the kernel made them, zero. */
	__builtin_memset(fresh, 0, offsetof(struct mimic_conn, c.events));
	__builtin_memset(&fresh->l2, 0, sizeof(*fresh) - offsetof(struct mimic_conn, l2));
	fresh->l2 = w->l2;
	fresh->key = w->key;
	fresh->outgoing = outgoing;
	fresh->filter = w->filter;
	w->env.random = bpf_get_prandom_u32();
	conn_init(&fresh->c, &w->env, &w->settings, (__u32)siphash_conn_key(&isn_key, &w->key));
	/* Another CPU may be faster: then its entry serves as well. */
	bpf_map_update_elem(&conns, &w->key, fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&conns, &w->key);
}

static __always_inline void flow_unlock(struct mimic_conn *value)
{
	bpf_spin_unlock(&value->lock);
}

/* False, and not locked: the entry belongs to another connection by now. */
static __always_inline bool flow_lock(struct mimic_conn *value, const struct conn_key *key)
{
	const __u32 *have = (const void *)&value->key, *want = (const void *)key;
	__u32 difference = 0;

	bpf_spin_lock(&value->lock);
	CORE_UNROLL
	for (__u32 i = 0; i < sizeof(*key) / 4; i++)
		difference |= have[i] ^ want[i];
	if (!difference)
		return true;
	bpf_spin_unlock(&value->lock);
	return false;
}

/* What the daemon's segments are made of: the latest Ethernet header, and the first flow label, which the packet gets as well. Locked. */
static __always_inline void flow_keep_l2(struct work *w, struct mimic_conn *value)
{
	value->l2 = w->l2;
	if (!value->flow_label)
		value->flow_label = w->flow_label;
	w->flow_label = value->flow_label;
}

/* Counts a packet that the shell drops, of a connection or (NULL) of none. */
static __always_inline void flow_drop(const struct work *w, struct mimic_conn *value, const enum reason reason)
{
	count(reason);
	if (!value || !flow_lock(value, &w->key))
		return;
	conn_note_drop(&value->c, reason, 1);
	flow_unlock(value);
}

/* Tells the daemon what the effect w->eff asks for, if anything. */
static __always_inline void flow_tell(const struct work *w, const struct mimic_l2 *l2)
{
	struct mimic_event *event;

	if (!w->eff.notify && !w->eff.reply[0].flags)
		return;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(REASON_EVENT_LOST);
		return;
	}
	event->key = w->key;
	event->l2 = *l2;
	event->epoch = w->eff.epoch;
	event->release_limit = w->eff.release_limit;
	event->too_big = w->mtu;
	event->notify = w->eff.notify;
	event->window_scale = w->window_scale;
	event->flow_label = w->flow_label;
	event->reply[0] = w->eff.reply[0];
	event->reply[1] = w->eff.reply[1];
	bpf_ringbuf_submit(event, 0);
	if (w->eff.reply[0].flags)
		count(REASON_TX_CONTROL);
}

static __always_inline void flow_count(const struct work *w)
{
	if (w->eff.reason)
		count(w->eff.reason);
	if (w->eff.flushed)
		count_many(REASON_DROP_FLUSHED, w->eff.flushed);
	if (w->eff.half_open)
		__sync_fetch_and_add(&shared.half_open, (__s32)w->eff.half_open);
}

#endif
