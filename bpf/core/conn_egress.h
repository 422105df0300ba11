/* SPDX-License-Identifier: GPL-2.0-only */
/* A datagram goes out. */
#ifndef MIMIC_CORE_CONN_EGRESS_H
#define MIMIC_CORE_CONN_EGRESS_H

#include "conn_life.h"
#include "conn_queue.h"
#include "conn_state.h"
#include "csum.h"

/* It looks as if the peer had lost the connection: a new one will carry what comes now. */
CORE_FN bool conn_check_holds(const struct conn *conn)
{
	return conn->check_probes >= CONN_CHECK_PROBES_HOLD;
}

CORE_FN void conn_egress_established(struct conn *conn, const struct env *env, __u32 payload_len, bool released,
				     struct effect *eff)
{
	__u8 padding = transform_padding(conn->settings.padding, conn->snd_nxt, conn->rcv_nxt);
	__u32 need = payload_len + padding;

	/* While only the 0xffff of the SYN-ACK is known, what does not fit waits for the first real announcement. */
	if (!released && ((conn->held && !conn_may_overtake(conn, env, need)) || conn_check_holds(conn) ||
			  (conn->snd_wnd < need && !conn->window_known))) {
		conn_hold(conn, env, payload_len, eff);
		return;
	}
	if (released)
		conn->held_ns = env->now_ns;
	if (conn->snd_wnd < need) {
		conn_drop(conn, eff, REASON_DROP_WINDOW);
	} else {
		eff->verdict = VERDICT_PASS;
		eff->reason = released ? REASON_TX_RELEASED : REASON_TX_DATA;
		eff->padding = padding;
		eff->seq = conn->snd_nxt;
		eff->ack = conn->rcv_nxt;
		eff->window = conn_window_field(conn);
		conn_note_sent(conn, env);
		conn->snd_nxt += need;
		conn->snd_wnd -= need;
		conn->last_use_ns = env->now_ns;
		conn->traffic.tx_packets++;
		conn->traffic.tx_bytes += payload_len;
		if (!conn->unanswered_ns)
			conn->unanswered_ns = env->now_ns;
		conn_note_tx(conn, env);
	}
	if (conn->snd_wnd < conn_peer_window_full(conn) / 2 && conn_age(env->now_ns, conn->probe_ns) >= CONN_PROBE_INTERVAL_NS)
		conn_send_probe(conn, env, eff);
}

/*
 * Datagrams that come together, in a superpacket, and want to leave together; payload_len is that of all of them. Either the connection sends
 * them all now, with one number after the other from eff->seq on, as conn_egress() would one by one: true and PASS. Or they have to be asked
 * about one by one: false, and nothing has changed.
 */
CORE_FN bool conn_egress_whole(struct conn *conn, const struct env *env, __u32 payload_len, __u32 datagrams, struct effect *eff)
{
	if (conn->state != CONN_ESTABLISHED || conn->settings.padding || conn->held || conn_check_holds(conn) ||
	    conn->snd_wnd < payload_len)
		return false;
	eff->epoch = conn->epoch;
	conn_egress_established(conn, env, payload_len, false, eff);
	conn->traffic.tx_packets += datagrams - 1;
	return true;
}

/*
 * An ACK of ours that was decided on earlier leaves only now, so it says what is so now: the announced ack does not go back behind data
 * that left meanwhile. Whether it had to be changed, and its checksum with it. One of an older connection stays as it is.
 */
CORE_FN bool conn_refresh_ack(const struct conn *conn, struct tcp_header *tcp)
{
	__u32 behind = conn->snd_nxt - be32_to_host(tcp->seq), ahead = conn->rcv_nxt - be32_to_host(tcp->ack);
	__be32 ack = host_to_be32(conn->rcv_nxt);
	__be16 window = host_to_be16(conn_window_field(conn));

	if (conn->state != CONN_ESTABLISHED || (behind | ahead) >> 31 || (!ahead && window == tcp->window))
		return false;
	tcp->check = csum_replace(tcp->check, tcp->ack, ack);
	tcp->check = csum_replace(tcp->check, tcp->window, window);
	tcp->ack = ack;
	tcp->window = window;
	return true;
}

/*
 * payload_len: of the datagram, bytes. released: it waited in the daemon and comes back; its place in the queue is given
 * up by conn_unhold() later, when it is behind TC egress.
 * PASS (with seq, ack, window, padding), HOLD (with epoch and held_number) or DROP; for a released one also WAIT: the
 * connection was lost and begins anew.
 */
CORE_FN void conn_egress(struct conn *conn, const struct env *env, __u32 payload_len, bool released,
			 struct effect *eff)
{
	eff->epoch = conn->epoch;
	if (conn->state == CONN_ESTABLISHED) {
		conn_egress_established(conn, env, payload_len, released, eff);
		return;
	}
	if (released && (conn->state == CONN_SYN_SENT || conn->state == CONN_SYN_RECEIVED)) {
		eff->verdict = VERDICT_WAIT;
		return;
	}
	if (released || conn->state == CONN_CLOSED) { /* its queue was given up */
		conn_drop_unknown(eff, REASON_DROP_CONN_ENDED);
		return;
	}
	if (conn->state == CONN_IDLE) {
		if (!conn->settings.handshake_interval_s) {
			conn_drop(conn, eff, REASON_DROP_PASSIVE);
			return;
		}
		if (env->now_ns < conn->cooldown_ns && conn_age(env->now_ns, conn->syn_ns) < CONN_COOLDOWN_SYN_NS) {
			conn_drop(conn, eff, REASON_DROP_COOLDOWN);
			return;
		}
		conn_begin(conn, env, eff);
	} else if (conn->state == CONN_SYN_SENT && conn->settings.pace == PACE_FAST &&
		   conn_age(env->now_ns, conn->syn_ns) >= CONN_COOLDOWN_SYN_NS) {
		conn_repeat_syn(conn, env, eff); /* somebody waits: the interval is long */
	}
	if (conn_is_half_open(conn))
		conn_doubt(conn, env, eff);
	conn_hold(conn, env, payload_len, eff);
}

#endif
