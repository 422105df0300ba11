/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The work area of a program run: one per CPU and program, never shared, since the programs run with softirqs disabled
 * and do not nest. It takes the place of the stack (512 bytes are too few), and it hides from the verifier how
 * a value came about (maps.h: stage_end()). Nothing in it is zeroed: each stage writes what later ones read.
 */
#ifndef MIMIC_WORK_H
#define MIMIC_WORK_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "core/icmp.h"
#include "core/transform.h"

enum {
	WORK_FRONT_MAX = 128, /* bytes in front of the TCP header that can be moved */
	WORK_SUM_CHUNK = 64,
};

/* mimic_conn without the lock, which per-CPU maps may not hold. */
struct work_conn {
	__u64 words[(sizeof(struct mimic_conn) + 7) / 8];
};

struct work {
	struct packet pkt;
	struct conn_key key;
	struct udp_header udp;
	struct tcp_header tcp;
	struct segment seg;
	struct transform_plan plan;
	struct mimic_l2 l2;
	struct filter_prefix end; /* what is looked up among filters */
	struct conn_settings settings; /* those of the filter, where there is no connection */
	struct env env;
	struct effect eff;
	struct work_conn fresh; /* a connection under construction */
	struct filter_prefix filter; /* that matched, where there was no connection */
	struct filter_prefix ended_filter;
	struct mimic_filter_total ended; /* figures of a connection that is removed */
	struct icmp_quoted quoted;
	struct icmp_message icmp;
	struct mimic_held held;
	__u32 piece[TRANSFORM_PIECE_MAX / 4];
	__u32 padding[PADDING_MAX / 4];
	__u32 chunk[WORK_SUM_CHUNK / 4];
	__u32 options[(TCPOPT_MAX_LEN + 8) / 4];
	__u8 front[WORK_FRONT_MAX];
	__u32 payload_sum;
	__u32 extra_sum;
	__u32 mark;
	__be32 flow_label;
	__u16 mtu;
	__u16 quote_len; /* bytes of icmp.quote that are there */
	__u8 options_len;
	__u8 padding_max;
	__u8 window_scale;
	__u8 macs;    /* XDP: l2 begins with the Ethernet addresses of a reply to this frame */
	__u8 partial; /* the checksum is not complete */
	__u8 staged;  /* comes from the staging device */
	__u8 fits;    /* the MTU, as a segment */
	__u8 stages;  /* has to go to the staging device */
	__u8 released; /* comes from the daemon */
	__u8 waits;    /* and has to stay there */
	__u8 datagrams; /* of a superpacket that leaves whole */
	__u8 hidden;   /* TC ingress: the Ethernet header is in front of skb->data */
	__u8 cookies;  /* TC ingress: answers to SYNs may come by */
	__u8 merged;   /* TC ingress: GRO made it of several packets */
};

enum work_area {
	WORK_EGRESS,
	WORK_INGRESS,
	WORK_COMMAND,
	WORK_REPAIR,
	WORK_AREAS,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WORK_AREAS);
	__type(key, __u32);
	__type(value, struct work);
} work_areas SEC(".maps");

static __always_inline struct work *work_area(__u32 area)
{
	return bpf_map_lookup_elem(&work_areas, &area);
}

#endif
