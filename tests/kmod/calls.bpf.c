// SPDX-License-Identifier: GPL-2.0-only
/* Programs that call the functions of mimic.ko as calls.c wants it. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "calls.h"
#include "mimic_kfunc.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct calls);
} calls_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct capture);
} capture_map SEC(".maps");

/* Set before loading. */
const volatile bool module_present = false;

static __always_inline int make(struct __sk_buff *skb, const struct call *call)
{
	__u16 value = call->a;

	switch (call->function) {
	case CALL_PARTIAL:
		if (module_present)
			return mimic_csum_partial(skb, call->l4_off, call->a);
		return CALLS_ABSENT;
	case CALL_MOVE:
		if (module_present)
			return mimic_csum_move(skb, call->l4_off, call->a, call->b);
		return CALLS_ABSENT;
	case CALL_PULL:
		return bpf_skb_pull_data(skb, call->l4_off);
	case CALL_CHANGE_TAIL:
		return bpf_skb_change_tail(skb, call->l4_off, 0);
	case CALL_STORE:
		return bpf_skb_store_bytes(skb, call->l4_off, &value, sizeof(value), 0);
	default:
		return 0;
	}
}

SEC("tc")
int calls(struct __sk_buff *skb)
{
	struct calls *todo;
	__u32 zero = 0;
	int i;

	todo = bpf_map_lookup_elem(&calls_map, &zero);
	if (!todo || (skb->mark != CALLS_MARK && skb->priority != CALLS_PRIORITY))
		return TC_ACT_OK;
	todo->len = skb->len;
	for (i = 0; i < CALLS_MAX; i++)
		todo->call[i].result = make(skb, &todo->call[i]);
	todo->packets++;
	return todo->redirect ? bpf_redirect(todo->redirect, 0) : TC_ACT_OK;
}

SEC("tc")
int capture(struct __sk_buff *skb)
{
	struct capture *out;
	__u32 zero = 0, len = skb->len;

	out = bpf_map_lookup_elem(&capture_map, &zero);
	if (!out || skb->mark != CALLS_MARK)
		return TC_ACT_OK;
	out->len = len;
	if (!len || len > CALLS_CAPTURE_MAX)
		return TC_ACT_SHOT;
	/* The verifier of 6.1 does not understand from two comparisons that len is 1 to 256. */
	len--;
	barrier_var(len);
	len &= CALLS_CAPTURE_MAX - 1;
	if (!bpf_skb_load_bytes(skb, 0, out->data, len + 1))
		out->packets++;
	return TC_ACT_SHOT;
}

/* Has to be refused: the functions are for TC only. (Not loaded with the others.) */
SEC("?xdp")
int calls_from_xdp(struct xdp_md *ctx)
{
	return mimic_csum_partial((struct __sk_buff *)ctx, 34, 6);
}

char _license[] SEC("license") = "GPL";
