/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TC ingress: a restored datagram from a VM or veth on this machine may still be CHECKSUM_PARTIAL, with the checksum
 * position of the TCP segment that it was. Delivered locally that does not matter, but when this host forwards it,
 * the next device would write a checksum into the payload. XDP has written a complete checksum and marked the
 * connection; here the partial state is taken away.
 */
#ifndef MIMIC_REPAIR_H
#define MIMIC_REPAIR_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "flow.h"
#include "maps.h"
#include "partial.h"

static __always_inline int repair(struct __sk_buff *skb)
{
	struct packet pkt = {};
	struct conn_key key = {};
	struct mimic_conn *value;
	__u8 saved[PARTIAL_CLEAR_MAX];
	__u32 len = skb->len;

	if (parse_packet(skb_data(skb), skb_end(skb), config.ethernet, &pkt) != PARSE_OK || pkt.proto != PROTO_UDP ||
	    pkt.fragment || !ports_are_wanted(pkt.dst_port, pkt.src_port))
		return TC_ACT_UNSPEC;
	if (!parse_addresses(skb_data(skb), skb_end(skb), &pkt, &key.remote, &key.local))
		return TC_ACT_UNSPEC;
	key.remote_port = pkt.src_port;
	key.local_port = pkt.dst_port;
	value = bpf_map_lookup_elem(&conns, &key);
	if (!value || !value->rx_partial || !partial_can_clear(&pkt))
		return TC_ACT_UNSPEC;
	if (partial_clear(skb, &pkt, saved) || (skb->len != len && bpf_skb_change_tail(skb, len, 0)))
		return TC_ACT_SHOT;
	count(REASON_RX_PARTIAL_REPAIRED);
	return TC_ACT_UNSPEC;
}

#endif
