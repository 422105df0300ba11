/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A connection: datagrams, segments, time, settings and a daemon that loses things, in any order, and what is true after each
 * timeout: 700
 *
 * Input: a byte for each setting, secrets, and then events: a byte says which, and what it needs follows. At the end there is silence,
 * and whatever is not a standing connection has to be gone after a while.
 */
#include "conn_claims.h"

#include "core/siphash.h"

enum {
	EVENTS_MAX = 500,
	SILENCE_TICKS = 300, /* the first 100 after a second each, the others after ten: all settings below have run out by then */
};

/* Short times, lest one has to wait for long; and none at all. */
static void read_settings(struct fuzz *in, struct conn_settings *settings)
{
	static const __u16 seconds[] = { 0, 1, 2, 3, 10, 180, 600 };
	__u8 padding;

	memset(settings, 0, sizeof(*settings));
	settings->handshake_interval_s = fuzz_u8(in) % 4;
	settings->handshake_retry = fuzz_u8(in) % 8;
	settings->keepalive_time_s = seconds[fuzz_u8(in) % 7];
	settings->keepalive_interval_s = fuzz_u8(in) % 4;
	settings->keepalive_retry = fuzz_u8(in) % 4;
	settings->keepalive_stale_s = seconds[fuzz_u8(in) % 7];
	settings->ack_interval_ms = fuzz_u8(in);
	padding = fuzz_u8(in) % (PADDING_MAX + 2);
	settings->padding = padding > PADDING_MAX ? PADDING_RANDOM : padding;
	settings->max_window = fuzz_u8(in) & 1;
	settings->pace = fuzz_u8(in) % 3;
	settings->guard = fuzz_u8(in) & 1;
}

/* A number near one that the connection knows, or any. */
static __u32 read_number(struct fuzz *in, const struct conn *c)
{
	const __u32 bases[] = {
		c->rcv_nxt, c->snd_nxt, c->irs, c->snd_una, c->jump_nxt, c->gap_nxt, c->snd_nxt - 1, c->rcv_nxt - 1, 0,
	};
	__u8 how = fuzz_u8(in);
	__u32 base = bases[how % 9];

	switch (how / 9 % 5) {
	case 0:
		return base;
	case 1:
		return base + (__u32)(__s8)fuzz_u8(in);
	case 2:
		return base + (__u32)(__s16)fuzz_u16(in);
	case 3:
		return base + ((__u32)(__s16)fuzz_u16(in) << 13); /* beyond what is believed */
	default:
		return fuzz_u32(in);
	}
}

static void read_segment(struct fuzz *in, const struct conn *c, struct segment *seg)
{
	static const __u8 flags[] = {
		TCP_ACK, TCP_ACK | TCP_PSH, TCP_SYN, TCP_SYN | TCP_ACK, TCP_RST, TCP_RST | TCP_ACK, TCP_FIN | TCP_ACK,
	};
	__u8 kind = fuzz_u8(in), size = fuzz_u8(in);

	memset(seg, 0, sizeof(*seg));
	seg->flags = kind % 8 < 7 ? flags[kind % 8] : fuzz_u8(in) & 0x3f;
	seg->options_ok = kind & 0x10 || !(kind & 0x20);
	seg->damaged = (kind & 0xc0) == 0xc0;
	seg->seq = read_number(in, c);
	seg->ack = read_number(in, c);
	seg->window = fuzz_u16(in);
	seg->payload_len = size < 100 ? size : size < 250 ? (__u16)(size << 7) : fuzz_u16(in) % 65000;
	seg->options.mss = kind & 0x08 ? 1460 : TCP_MSS_DEFAULT;
	seg->options.wscale = kind & 0x08 ? size % (TCP_WSCALE_MAX + 1) : 0;
}

static void begin(struct world *w, enum event event)
{
	w->before = w->c;
	w->event = event;
	memset(&w->eff, 0, sizeof(w->eff));
}

/* An ACK that was decided on earlier leaves only now: it says what is so by now, is as right as it was, and takes nothing back. */
static void late_ack(struct world *w)
{
	struct tcp_header now = w->late;

	if (w->exists && w->late.flags && conn_refresh_ack(&w->c, &now)) {
		claim_eq(w->c.state, CONN_ESTABLISHED);
		claim_eq(be32_to_host(now.ack), w->c.rcv_nxt);
		claim_eq(be16_to_host(now.window), conn_window_field(&w->c));
		claim(seq_diff(be32_to_host(now.ack), be32_to_host(w->late.ack)) >= 0);
		claim(now.seq == w->late.seq && now.flags == w->late.flags && now.data_off == w->late.data_off);
		claim_eq(csum_fold(csum_words((const __u32 *)&now, 5)) % 0xffff, csum_fold(csum_words((const __u32 *)&w->late, 5)) % 0xffff);
	} else {
		claim(!memcmp(&now, &w->late, sizeof(now)));
	}
	for (int i = 0; i < CONN_REPLIES; i++) {
		const struct reply *reply = &w->eff.reply[i];

		if (reply->flags == TCP_ACK)
			tcp_header_make(&w->late, 1, 2, reply->seq, reply->ack, reply->flags, reply->window);
	}
}

static void end(struct world *w)
{
	claims_check(w);
	late_ack(w);
	if (!w->eff.remove)
		return;
	w->exists = false;
	claim_eq(w->waits, 0);
	w->half_open = 0;
	memset(&w->c, 0, sizeof(w->c));
}

static void create(struct world *w)
{
	memset(&w->c, 0, sizeof(w->c));
	conn_init(&w->c, &w->env, &w->settings, w->isn_base);
	w->exists = true;
	w->ack_known = w->edge_known = w->limit_known = false;
	w->answer_ns[0] = w->answer_ns[1] = 0;
	w->tx_packets = w->tx_bytes = w->rx_packets = w->rx_bytes = 0;
}

/* A superpacket of one is sent as the datagram that it is, or nothing happens and it is to be asked about as one. */
static void datagram_out(struct world *w, __u32 payload_len)
{
	struct effect eff = { 0 };
	struct conn before, alone;
	bool whole;

	if (!w->exists)
		create(w);
	begin(w, EVENT_OUT);
	w->payload_len = payload_len;
	before = alone = w->c;
	whole = conn_egress_whole(&alone, &w->env, payload_len, 1, &eff);
	conn_egress(&w->c, &w->env, payload_len, false, &w->eff);
	if (whole)
		claim(w->eff.verdict == VERDICT_PASS && !memcmp(&eff, &w->eff, sizeof(eff)));
	claim(!memcmp(&alone, whole ? &w->c : &before, sizeof(alone)));
	end(w);
}

/* The daemon sends what it may, or what it had begun to send when the connection was lost. It says so afterwards, or has lost it. */
static void datagram_released(struct world *w, bool lost)
{
	struct waiting_datagram first = w->queue[0];

	if (!w->waits && w->exists && w->c.state == CONN_IDLE) { /* its queue was given up meanwhile */
		begin(w, EVENT_RELEASED);
		conn_egress(&w->c, &w->env, 100, true, &w->eff);
		claim(w->eff.verdict == VERDICT_DROP && w->eff.reason == REASON_DROP_CONN_ENDED);
		end(w);
	}
	if (!w->waits)
		return;
	if (!lost && w->c.state == CONN_ESTABLISHED && (!w->limit_known || seq_diff(first.end, w->limit) > 0))
		return;
	if (!lost) {
		begin(w, EVENT_RELEASED);
		w->payload_len = first.len;
		conn_egress(&w->c, &w->env, first.len, true, &w->eff);
		end(w);
		if (w->eff.verdict == VERDICT_WAIT)
			return;
	}
	w->waiting_bytes -= first.len;
	memmove(w->queue, w->queue + 1, --w->waits * sizeof(*w->queue));
	conn_unhold(&w->c, &w->env, 1, first.len);
	claim_eq(w->c.held, w->waits);
}

/* One did not reach the daemon. */
static void datagram_unsent(struct world *w, __u32 which)
{
	struct waiting_datagram gone;

	if (!w->waits)
		return;
	which %= w->waits;
	gone = w->queue[which];
	w->waiting_bytes -= gone.len;
	memmove(w->queue + which, w->queue + which + 1, (--w->waits - which) * sizeof(*w->queue));
	conn_unhold_unsent(&w->c, gone.number, gone.len);
	claim_eq(w->c.held, w->waits);
}

static void segment_in(struct world *w, bool cookie)
{
	struct segment *seg = &w->seg;

	memset(&w->eff, 0, sizeof(w->eff));
	cookie = cookie && (!w->exists || w->c.state == CONN_IDLE) &&
		 (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_ACK;
	if (!w->exists && !cookie && !conn_unknown(&w->settings, seg, &w->eff)) {
		claim(w->eff.verdict == VERDICT_DROP && w->eff.reason && !w->eff.reply[1].flags && !w->eff.notify);
		claim(!w->eff.reply[0].flags || (w->eff.reply[0].flags == TCP_RST && w->eff.reply[0].seq == seg->ack &&
						 !claims_flag(w, TCP_RST | TCP_FIN) && w->settings.guard != GUARD_SILENT));
		return;
	}
	if (!w->exists)
		create(w);
	if (cookie) {
		conn_recall_syn(&w->c, &w->env, seg);
		w->half_open++;
	}
	begin(w, EVENT_IN);
	conn_ingress(&w->c, &w->env, seg, &w->eff);
	if (seg->damaged) {
		w->before.events = w->c.events; /* that is counted */
		claim(!memcmp(&w->before, &w->c, sizeof(w->c)) && w->eff.verdict == VERDICT_DROP && !w->eff.reply[0].flags);
	}
	end(w);
}

static void tick(struct world *w)
{
	bool due = conn_tick_is_due(&w->c, w->env.now_ns);

	if (!w->exists)
		return;
	begin(w, EVENT_TICK);
	conn_note_drop(&w->c, REASON_DROP_NO_CONN, 1); /* none of a connection's figures */
	conn_tick(&w->c, &w->env, &w->eff);
	if (!due)
		claim(!memcmp(&w->before, &w->c, sizeof(w->c)) && !w->eff.reply[0].flags && !w->eff.notify);
	end(w);
	claim(!w->exists || w->c.state != CONN_ESTABLISHED || w->c.check_probes || !conn_ack_is_due(&w->c, w->env.now_ns));
	claim(!w->exists || !w->c.timer_ns || conn_tick_is_near(&w->c, w->env.now_ns, w->c.timer_ns));
}

static void refit(struct world *w, bool named, const struct conn_settings *settings)
{
	bool same = !memcmp(&w->settings, settings, sizeof(*settings));

	if (named)
		w->settings = *settings;
	if (!w->exists)
		return;
	begin(w, EVENT_REFIT);
	conn_refit(&w->c, &w->env, named, settings, &w->eff);
	if (named && same)
		claim(!memcmp(&w->before, &w->c, sizeof(w->c)) && !w->eff.reply[0].flags && !w->eff.notify);
	claim(named || w->eff.remove);
	end(w);
}

/* Whatever comes for an entry that is about to be deleted changes nothing. */
static void tombstone(struct world *w)
{
	struct conn before = w->c;

	memset(&w->eff, 0, sizeof(w->eff));
	conn_ingress(&w->c, &w->env, &w->seg, &w->eff);
	claim(w->eff.verdict == VERDICT_DROP && !w->eff.reply[0].flags);
	conn_egress(&w->c, &w->env, 100, false, &w->eff);
	claim(w->eff.verdict == VERDICT_DROP && !w->eff.reply[0].flags);
	claim(conn_tick_is_due(&w->c, w->env.now_ns));
	conn_tick(&w->c, &w->env, &w->eff);
	claim(w->eff.remove && !w->eff.reply[0].flags);
	conn_note_drop(&w->c, REASON_DROP_RELEASE, 1);
	w->c.events = before.events; /* a damaged segment is counted */
	claim(!memcmp(&before, &w->c, sizeof(before)));
}

/* The daemon ends: whatever waited in it goes with it. */
static void shutdown(struct world *w)
{
	if (!w->exists)
		return;
	begin(w, EVENT_SHUTDOWN);
	conn_shutdown(&w->c, &w->eff);
	claim_eq(w->c.state, CONN_CLOSED);
	claim_eq(w->eff.reply[0].flags & TCP_RST, w->before.state == CONN_IDLE || w->before.state == CONN_SYN_SENT ? 0 : TCP_RST);
	tombstone(w);
	w->exists = false;
	w->waits = w->waiting_bytes = 0;
	w->half_open = 0;
	memset(&w->c, 0, sizeof(w->c));
}

static void event(struct world *w, struct fuzz *in)
{
	struct conn_settings settings;
	__u8 what = fuzz_u8(in);

	w->env.hold_room = what & 0x80 ? what & 0x40 : true;
	w->env.crowded = what & 0x20;
	switch (what & 15) {
	case 0: case 1:
		datagram_out(w, fuzz_u16(in) % 9600);
		break;
	case 2:
		datagram_out(w, fuzz_u16(in) % 65000);
		break;
	case 3:
		for (__u32 i = fuzz_u8(in); i; i--)
			datagram_out(w, 1);
		break;
	case 4:
		datagram_released(w, what & 0x10);
		break;
	case 5:
		for (__u32 i = w->waits; i; i--)
			datagram_released(w, false);
		break;
	case 6:
		datagram_unsent(w, fuzz_u8(in));
		break;
	case 7: case 8: case 9:
		read_segment(in, &w->c, &w->seg);
		segment_in(w, what & 0x10);
		break;
	case 10:
		w->env.now_ns += fuzz_u8(in) * NSEC_PER_MSEC;
		break;
	case 11:
		w->env.now_ns += fuzz_u8(in) * 100 * NSEC_PER_MSEC;
		break;
	case 12:
		w->env.now_ns += fuzz_u16(in) * 10 * NSEC_PER_MSEC;
		break;
	case 13:
		tick(w);
		break;
	case 14: /* at the time of its timer */
		if (w->c.timer_ns > w->env.now_ns)
			w->env.now_ns = w->c.timer_ns;
		tick(w);
		break;
	default:
		settings = w->settings;
		if (what & 0x10)
			read_settings(in, &settings);
		if ((what & 0x60) == 0x60)
			shutdown(w);
		else
			refit(w, !(what & 0x40), &settings);
	}
}

/* Nobody says anything any more. */
static void silence(struct world *w)
{
	const struct conn_settings *settings = &w->c.settings;

	for (int i = 0; i < SILENCE_TICKS && w->exists; i++) {
		if (w->c.state == CONN_ESTABLISHED && !settings->keepalive_time_s && !settings->keepalive_stale_s)
			return;
		w->env.now_ns += (i < 100 ? 1 : 10) * NSEC_PER_SEC;
		if (conn_tick_is_due(&w->c, w->env.now_ns))
			tick(w);
	}
	claim(!w->exists);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz in = { data, data + size };
	struct siphash_key secret = { { 0, 0 } };
	struct conn_key key;
	static struct world w;

	memset(&w, 0, sizeof(w));
	read_settings(&in, &w.settings);
	fuzz_fill(&in, &secret, 4);
	memset(&key, 0, sizeof(key));
	w.isn_base = (__u32)siphash_conn_key(&secret, &key);
	w.env.random = fuzz_u8(&in);
	w.env.now_ns = 1000 * NSEC_PER_SEC;
	for (int i = 0; i < EVENTS_MAX && fuzz_left(&in); i++)
		event(&w, &in);
	silence(&w);
	return 0;
}
