/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MIMIC_SKB_PARSE_H
#define MIMIC_SKB_PARSE_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "core/parse.h"

enum {
	SKB_PARSE_PULL = 256, /* linear bytes that hold every header we walk over */
};

/* parse_packet() of an skb, whose headers may lie in fragments. */
static __always_inline enum parse_result skb_parse(struct __sk_buff *skb, bool ethernet, struct packet *pkt)
{
	enum parse_result result;

	result = parse_packet(skb_data(skb), skb_end(skb), ethernet, pkt);
	if (result != PARSE_SHORT)
		return result;
	if (bpf_skb_pull_data(skb, skb->len < SKB_PARSE_PULL ? skb->len : SKB_PARSE_PULL))
		return PARSE_OTHER;
	return parse_packet(skb_data(skb), skb_end(skb), ethernet, pkt);
}

#endif
