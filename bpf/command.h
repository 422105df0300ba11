/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's hand: runs by BPF_PROG_TEST_RUN, so that every change of a connection happens in BPF under its lock.
 * Each repetition of a run takes the next entry, so there is no loop for the verifier.
 */
#ifndef MIMIC_COMMAND_H
#define MIMIC_COMMAND_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "flow.h"
#include "maps.h"
#include "totals.h"
#include "trace.h"

/* Under the lock. */
static __always_inline void command_change(struct work *w, struct mimic_conn *value, __u32 type,
					   const struct mimic_command_entry *entry)
{
	if (type == COMMAND_TICK)
		conn_tick(&value->c, &w->env, &w->eff);
	else if (type == COMMAND_SHUTDOWN)
		conn_shutdown(&value->c, &w->eff);
	else if (value->c.epoch == entry->epoch)
		conn_unhold(&value->c, &w->env, entry->count, entry->payload_len);
}

static __always_inline int command_entry(struct work *w, __u32 type, const struct mimic_command_entry *entry)
{
	struct mimic_conn *value;
	__u8 outgoing, named = 0;

	if (type == COMMAND_LOST)
		count_many(REASON_DROP_RELEASE, entry->count);
	w->key = entry->key;
	value = bpf_map_lookup_elem(&conns, &w->key);
	if (!value)
		return 0;
	outgoing = *(const volatile __u8 *)&value->outgoing;
	/* From the same end as when it began: so filters that are as before make no difference. */
	if (type == COMMAND_REFIT)
		named = flow_filter(w, outgoing);
	flow_env(&w->env);
	__builtin_memset(&w->eff, 0, sizeof(w->eff));
	if (!flow_lock(value, &w->key))
		return 0;
	if (type == COMMAND_LOST)
		conn_note_drop(&value->c, REASON_DROP_RELEASE, entry->count);
	if (type != COMMAND_REFIT)
		command_change(w, value, type, entry);
	else if (value->outgoing == outgoing) /* else it has just begun anew, with what is right now */
		conn_refit(&value->c, &w->env, named, &w->settings, &w->eff);
	w->window_scale = conn_window_scale(&value->c);
	w->l2 = value->l2;
	w->flow_label = value->flow_label;
	if (w->eff.remove)
		totals_take(w, value);
	flow_unlock(value);
	stage_end();
	w->mtu = 0;
	flow_tell(w, &w->l2);
	flow_count(w);
	stage_end();
	if (w->eff.reply[0].flags || w->eff.reason)
		trace(w, TRACE_NONE);
	stage_end();
	if (w->eff.remove) {
		totals_add(w);
		bpf_map_delete_elem(&conns, &w->key);
		totals_end();
	}
	return 0;
}

static __always_inline int command(struct __sk_buff *skb)
{
	struct work *w = work_area(WORK_COMMAND);
	struct mimic_command_entry entry;
	struct mimic_command *cmd;
	__u32 type, next;

	if (!w)
		return -1;
	cmd = skb_data(skb);
	if ((void *)&cmd->entry[0] > skb_end(skb)) {
		if (bpf_skb_pull_data(skb, skb->len))
			return -1;
		cmd = skb_data(skb);
		if ((void *)&cmd->entry[0] > skb_end(skb))
			return -1;
	}
	type = cmd->type;
	next = cmd->next;
	if (next >= MIMIC_COMMANDS_MAX)
		return -1;
	cmd->next = next + 1;
	if (bpf_skb_load_bytes(skb, offsetof(struct mimic_command, entry) + next * sizeof(entry), &entry, sizeof(entry)))
		return -1;
	return command_entry(w, type, &entry);
}

#endif
