// SPDX-License-Identifier: GPL-2.0-only
/* Calls mimic_gso_prepare() twice, and mimic_gso_convert(), as gso.c wants it. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "gso.h"
#include "mimic_kfunc.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gso_call);
} gso_map SEC(".maps");

SEC("tc")
int gso(struct __sk_buff *skb)
{
	struct gso_call *call;
	__u32 zero = 0;

	call = bpf_map_lookup_elem(&gso_map, &zero);
	if (!call || skb->mark != GSO_MARK)
		return TC_ACT_OK;
	call->len = skb->len;
	call->packets++;
	if (call->clone_to)
		bpf_clone_redirect(skb, call->clone_to, 0);
	if (call->pull)
		bpf_skb_pull_data(skb, call->pull);
	call->prepare = mimic_gso_prepare(skb, call->l4_off);
	call->again = mimic_gso_prepare(skb, call->l4_off);
	call->convert = mimic_gso_convert(skb, call->l4_off, call->seq, call->ack, call->window);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
