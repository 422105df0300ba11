/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs must make of a packet of a connection that is in the map: the core decides (conn_egress(),
 * conn_ingress()), buffer_transform.h moves the bytes. The limits of the shell stand here a second time.
 */
#ifndef MIMIC_TEST_MODEL_H
#define MIMIC_TEST_MODEL_H

#include <time.h>

#include "buffer_transform.h"
#include "rig.h"

enum {
	MODEL_XDP_DROP = 1,
	MODEL_XDP_PASS = 2,
	MODEL_FRONT_MAX = 128,	     /* bytes in front of the TCP header, when options are cut out */
	MODEL_CLEAR_MAX = 94,	     /* and of the UDP header, when CHECKSUM_PARTIAL is taken away */
	MODEL_SUM_OFF_MAX = 255,     /* where a payload that is summed up may begin */
	MODEL_CONTROL_MAX = 64,	     /* bytes of a control segment */
};

struct model {
	uint32_t verdict;
	bool matched;
	enum reason reason, second; /* counters; `second`: of what happened after the connection decided */
	struct packet pkt;
	struct conn conn; /* afterwards */
	struct effect eff;
	size_t len, compare; /* of bytes[]; how many of them the program must have made */
	uint8_t bytes[FRAME_MAX + 64];
};

/* The clock of bpf_ktime_get_coarse_ns(). */
static inline __u64 model_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (__u64)now.tv_sec * NSEC_PER_SEC + (__u64)now.tv_nsec;
}

/* Of the connection `key` and with the headers in model->pkt; `proto` is UDP on the way out. */
static inline bool model_is_ours(struct model *model, const struct rig *rig, const struct conn_key *key, __u8 proto)
{
	bool outgoing = proto == PROTO_UDP;
	_Alignas(4) __u8 copy[2 + PARSE_L4_OFF_MAX + 8];
	__u8 *data = copy + (rig->ethernet ? 2 : 0);
	size_t len = model->len < PARSE_L4_OFF_MAX + 8 ? model->len : PARSE_L4_OFF_MAX + 8;
	struct packet *pkt = &model->pkt;
	struct conn_key own = {};

	memcpy(data, model->bytes, len);
	memset(pkt, 0, sizeof(*pkt));
	if (parse_packet(data, data + len, rig->ethernet, pkt) != PARSE_OK || pkt->proto != proto)
		return false;
	if (!parse_addresses(data, data + len, pkt, outgoing ? &own.local : &own.remote,
			     outgoing ? &own.remote : &own.local))
		return false;
	own.local_port = outgoing ? pkt->src_port : pkt->dst_port;
	own.remote_port = outgoing ? pkt->dst_port : pkt->src_port;
	return !memcmp(&own, key, sizeof(own));
}

/* By the shell, whose own drops the connection counts as well. */
static inline void model_drop(struct model *model, uint32_t verdict, enum reason reason)
{
	model->verdict = verdict;
	conn_note_drop(&model->conn, reason, 1);
	if (model->reason)
		model->second = reason;
	else
		model->reason = reason;
}

/* The checksum of a datagram whose own is taken for complete though it looks open. */
static inline void model_keep_open_check(struct model *model, __u16 payload_len, __u8 padding, __u16 udp_check)
{
	__u8 *l4 = model->bytes + model->pkt.l4_off;
	struct transform_plan plan;
	struct tcp_header tcp;

	transform_plan_make(&plan, payload_len, padding);
	memcpy(&tcp, l4, sizeof(tcp));
	tcp.check = 0;
	tcp.check = transform_tcp_check(&plan, &tcp, udp_check, buffer_piece_sum(l4 + plan.piece_off, plan.piece_len),
					buffer_piece_sum(l4 + TCP_HEADER_LEN, padding));
	memcpy(l4, &tcp, sizeof(tcp));
}

static inline void model_begin(struct model *model, const struct conn *conn, const uint8_t *bytes, size_t len,
			       uint32_t pass)
{
	model->verdict = pass;
	model->matched = false;
	model->reason = model->second = REASON_NONE;
	model->conn = *conn;
	memset(&model->eff, 0, sizeof(model->eff));
	model->len = model->compare = len;
	memcpy(model->bytes, bytes, len);
}

/* padding_from: what the program made, whose random padding bytes are taken over. */
static inline void model_egress(struct model *model, const struct rig *rig, const struct conn_key *key,
				const struct conn *conn, const uint8_t *bytes, size_t len,
				const struct rig_run *padding_from)
{
	struct env env = { .now_ns = model_now_ns(), .hold_room = true };
	struct buffer_segment seg;
	struct udp_header udp;
	struct packet *pkt = &model->pkt;
	bool looks_open, whole_sum;

	model_begin(model, conn, bytes, len, (uint32_t)TC_ACT_UNSPEC);
	if (!model_is_ours(model, rig, key, PROTO_UDP))
		return;
	model->matched = true;
	if (pkt->fragment) {
		model_drop(model, TC_ACT_SHOT, REASON_DROP_FRAGMENT);
		return;
	}
	memcpy(&udp, bytes + pkt->l4_off, sizeof(udp));
	if ((size_t)pkt->l4_off + pkt->l4_len > len || be16_to_host(udp.len) != pkt->l4_len) {
		model_drop(model, TC_ACT_SHOT, REASON_DROP_MALFORMED);
		return;
	}
	looks_open = transform_is_partial(&key->local, &key->remote, PROTO_UDP, pkt->l4_len, udp.check);
	whole_sum = !udp.check || (looks_open && !rig->sees_ip_summed);
	if (looks_open && !rig->sees_ip_summed && (pkt->l3_off > 14 || pkt->l4_off > MODEL_CLEAR_MAX)) {
		model_drop(model, TC_ACT_SHOT, REASON_DROP_NO_STAGING);
		return;
	}
	conn_egress(&model->conn, &env, pkt->l4_len - UDP_HEADER_LEN, false, &model->eff);
	model->reason = (enum reason)model->eff.reason;
	if (model->eff.verdict != VERDICT_PASS ||
	    (whole_sum && pkt->l4_off + UDP_HEADER_LEN > MODEL_SUM_OFF_MAX)) {
		model_drop(model, TC_ACT_SHOT,
			   model->eff.verdict == VERDICT_PASS ? REASON_DROP_TRANSFORM : REASON_NONE);
		return;
	}
	seg = (struct buffer_segment){ .seq = model->eff.seq, .ack = model->eff.ack, .window = model->eff.window,
				       .padding = conn->settings.padding };
	memcpy(seg.padding_bytes, padding_from->bytes + pkt->l4_off + TCP_HEADER_LEN, sizeof(seg.padding_bytes));
	model->len = model->compare = buffer_to_tcp(model->bytes, len, rig->ethernet, &seg);
	if (looks_open && rig->sees_ip_summed)
		model_keep_open_check(model, pkt->l4_len - UDP_HEADER_LEN, model->eff.padding, udp.check);
}

static inline bool model_read_segment(const struct model *model, struct tcp_header *tcp, struct segment *seg)
{
	const __u8 *l4 = model->bytes + model->pkt.l4_off;
	size_t header_len;
	__u8 options[TCPOPT_MAX_LEN] = { 0 };

	if ((size_t)model->pkt.l4_off + model->pkt.l4_len > model->len)
		return false;
	memcpy(tcp, l4, sizeof(*tcp));
	header_len = (tcp->data_off >> 4) * 4U;
	if (header_len < TCP_HEADER_LEN || header_len > model->pkt.l4_len)
		return false;
	*seg = (struct segment){ .seq = be32_to_host(tcp->seq), .ack = be32_to_host(tcp->ack),
				 .window = be16_to_host(tcp->window), .flags = tcp->flags,
				 .payload_len = (__u16)(model->pkt.l4_len - header_len) };
	memcpy(options, l4 + TCP_HEADER_LEN, header_len - TCP_HEADER_LEN);
	if (seg->flags & TCP_SYN)
		seg->options_ok = tcpopt_parse(options, (__u32)(header_len - TCP_HEADER_LEN), &seg->options);
	return true;
}

/* What a segment that came with the pseudo-header sum only goes up with. */
static inline void model_complete_check(struct model *model, size_t len)
{
	__u8 *l3 = model->bytes + model->pkt.l3_off, *l4 = model->bytes + model->pkt.l4_off;
	size_t l4_len = len - model->pkt.l4_off, addr_len = model->pkt.ipv6 ? 16 : 4;
	const __u8 *src = l3 + (model->pkt.ipv6 ? 8 : 12);
	uint16_t check;

	naive_put16(l4 + 6, 0);
	check = (uint16_t)~naive_fold(naive_pseudo(src, src + addr_len, addr_len, IPPROTO_UDP, l4_len) +
				      naive_sum(l4, l4_len));
	naive_put16(l4 + 6, check ? check : 0xffff);
}

/* The frame becomes a datagram. multi_buffer: it has fragments. */
static inline void model_restore(struct model *model, const struct rig *rig, const struct tcp_header *tcp,
				 const struct conn_key *key, bool multi_buffer)
{
	size_t options_len = (tcp->data_off >> 4) * 4U - TCP_HEADER_LEN, total = model->len, len;
	__u8 tail[FRAME_MAX + 64];

	if (options_len && model->pkt.l4_off > MODEL_FRONT_MAX) {
		model_drop(model, MODEL_XDP_DROP, REASON_DROP_RX_RESTORE);
		return;
	}
	memcpy(tail, model->bytes, total);
	len = buffer_to_udp(model->bytes, total, rig->ethernet, model->conn.settings.padding);
	expect(len);
	if (transform_is_partial(&key->remote, &key->local, PROTO_TCP, model->pkt.l4_len, tcp->check))
		model_complete_check(model, len);
	model->len = model->compare = len;
	if (rig->datapath.shared->xdp_native && !multi_buffer)
		return;
	/* Not trimmed: what is behind the datagram is what was there, moved with the frame's beginning. */
	model->len = model->compare = total - options_len;
	memcpy(model->bytes + len, tail + options_len + len, model->len - len);
}

static inline void model_ingress(struct model *model, const struct rig *rig, const struct conn_key *key,
				 const struct conn *conn, const uint8_t *bytes, size_t len, bool multi_buffer)
{
	struct env env = { .now_ns = model_now_ns(), .hold_room = true };
	const __u8 *l4;
	struct tcp_header tcp;
	struct segment seg;
	bool control;

	model_begin(model, conn, bytes, len, MODEL_XDP_PASS);
	if (!model_is_ours(model, rig, key, PROTO_TCP) || model->pkt.later_fragment)
		return;
	model->matched = true;
	if (model->pkt.fragment) {
		model_drop(model, MODEL_XDP_DROP, REASON_DROP_RX_FRAGMENT);
		return;
	}
	if (!model_read_segment(model, &tcp, &seg)) {
		model_drop(model, MODEL_XDP_DROP, REASON_DROP_MALFORMED);
		return;
	}
	l4 = model->bytes + model->pkt.l4_off;
	control = seg.flags & (TCP_SYN | TCP_RST | TCP_FIN) || (seg.payload_len <= 1 && !(seg.flags & TCP_PSH));
	if (control && model->pkt.l4_len > MODEL_CONTROL_MAX) {
		model_drop(model, MODEL_XDP_DROP, REASON_DROP_MALFORMED);
		return;
	}
	if (control && !transform_is_partial(&key->remote, &key->local, PROTO_TCP, model->pkt.l4_len, tcp.check) &&
	    !naive_l4_ok(model->bytes + model->pkt.l3_off, IPPROTO_TCP, l4, model->pkt.l4_len)) {
		model_drop(model, MODEL_XDP_DROP, REASON_DROP_RX_CHECKSUM);
		return;
	}
	seg.damaged = !control && seg.seq != model->conn.rcv_nxt &&
		      !transform_is_partial(&key->remote, &key->local, PROTO_TCP, model->pkt.l4_len, tcp.check) &&
		      !naive_l4_ok(model->bytes + model->pkt.l3_off, IPPROTO_TCP, l4, model->pkt.l4_len);
	conn_ingress(&model->conn, &env, &seg, &model->eff);
	model->reason = (enum reason)model->eff.reason;
	if (model->eff.verdict == VERDICT_PASS)
		model_restore(model, rig, &tcp, key, multi_buffer);
	else
		model->verdict = MODEL_XDP_DROP;
}

/* The program did what the model did. */
static inline void model_expect(const struct rig *rig, const char *what, const struct model *model,
				const struct rig_run *run, uint32_t drop)
{
	if (run->verdict != model->verdict)
		ck_abort_msg("%s: %s: verdict %d, expected %d (reason %d)", rig->name, what, (int)run->verdict,
			     (int)model->verdict, model->second ? model->second : model->reason);
	if (model->verdict != drop)
		rig_expect_bytes(rig, what, run->bytes, run->len, model->bytes, model->len);
}

static inline void model_expect_time(const char *name, __u64 got, __u64 expected)
{
	__u64 apart = got > expected ? got - expected : expected - got;

	if (apart > NSEC_PER_SEC)
		ck_abort_msg("conn.%s is %llu, expected %llu", name, (unsigned long long)got,
			     (unsigned long long)expected);
}

/* And left the same connection behind; times may differ by the time that passed. */
static inline void model_expect_conn(struct rig *rig, const char *what, const struct conn_key *key,
				     const struct model *model)
{
	struct mimic_conn got;

	expect(rig_get(rig, key, &got));
#define MODEL_TIME(name)                                                                           \
	model_expect_time(#name, got.c.name, model->conn.name);                                    \
	got.c.name = model->conn.name
	MODEL_TIME(timer_ns);
	MODEL_TIME(syn_ns);
	MODEL_TIME(last_rx_ns);
	MODEL_TIME(last_tx_ns);
	MODEL_TIME(last_use_ns);
	MODEL_TIME(unanswered_ns);
	MODEL_TIME(rtt_ns);
	MODEL_TIME(sent_ns);
	MODEL_TIME(begun_ns);
	MODEL_TIME(handshake_ns);
	MODEL_TIME(established_ns);
	MODEL_TIME(events.handshake_sum_ns);
	MODEL_TIME(chase_ns);
	MODEL_TIME(probe_ns);
	MODEL_TIME(challenge_ns);
	MODEL_TIME(cooldown_ns);
#undef MODEL_TIME
	if (got.c.watched == (__u16)(model->conn.watched + 1) || got.c.watched == (__u16)(model->conn.watched - 1))
		got.c.watched = model->conn.watched;
	rig_expect_bytes(rig, what, (const uint8_t *)&got.c, sizeof(got.c), (const uint8_t *)&model->conn,
			 sizeof(model->conn));
}

#endif
