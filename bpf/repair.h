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

/*
 * Generic XDP copies an skb that is shared or has no headroom, and forgets skb->mac_len (skb_pp_cow_data(), seen on 6.18): TC
 * ingress then finds the IP header at skb->data, where the Ethernet header should be.
 */
static __always_inline bool repair_hides_ethernet(const struct __sk_buff *skb)
{
	const struct ethhdr *eth = skb_data(skb);

	if (!config.ethernet || (const void *)(eth + 1) > skb_end(skb))
		return false;
	return eth->h_proto != (__be16)skb->protocol && eth->h_dest[0] >> 4 == (skb->protocol == host_to_be16(ETH_P_IP) ? 4 : 6);
}

static __always_inline int repair(struct __sk_buff *skb)
{
	__u8 saved[PARTIAL_CLEAR_MAX];
	struct conn_key key = {};
	struct mimic_conn *value;
	struct packet pkt = {};
	__u32 len = skb->len;
	bool hidden;

	if (!*(const volatile __u32 *)&shared.partial_seen) /* nearly always */
		return TC_ACT_UNSPEC;
	hidden = repair_hides_ethernet(skb);
	if (flow_parse(skb, config.ethernet && !hidden, &pkt) != PARSE_OK || pkt.proto != PROTO_UDP ||
	    pkt.fragment || !ports_are_wanted(pkt.dst_port, pkt.src_port))
		return TC_ACT_UNSPEC;
	if (!parse_addresses(skb_data(skb), skb_end(skb), &pkt, &key.remote, &key.local))
		return TC_ACT_UNSPEC;
	key.remote_port = pkt.src_port;
	key.local_port = pkt.dst_port;
	value = bpf_map_lookup_elem(&conns, &key);
	if (!value || !value->rx_partial || !partial_is_possible(skb) || !partial_can_clear(&pkt))
		return TC_ACT_UNSPEC;
	if (partial_clear(skb, &pkt, saved, hidden ? sizeof(struct ethhdr) : 0) ||
	    (skb->len != len && bpf_skb_change_tail(skb, len, 0)))
		return TC_ACT_SHOT;
	count(REASON_RX_PARTIAL_REPAIRED);
	return TC_ACT_UNSPEC;
}

#endif
