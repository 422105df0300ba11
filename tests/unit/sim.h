/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two cores, A and B, in a world of their own: a clock that only events move, a link with delay, loss, duplication and
 * reordering, perhaps a strict firewall in its middle and an attacker beside it, and at each end a daemon, which sends control segments late and keeps waiting datagrams: its queue is
 * the real one, src/waiting.c. The same seed gives the same run.
 *
 *	application -> core -> link -> core -> application
 *	                 \      ^
 *	     held frames, \     | control segments; released datagrams go through the core once more
 *	     events        `-> daemon
 *
 * What must never happen ends the run with a message in sim->failure.
 */
#ifndef MIMIC_TEST_SIM_H
#define MIMIC_TEST_SIM_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/conn.h"
#include "core/parse.h"
#include "firewall.h"
#include "prng.h"
#include "waiting.h"

enum {
	SIM_EVENTS_MAX = 32768,
	SIM_DATAGRAMS_MAX = 16384, /* of each side */
	SIM_FRAME_HEADERS = ETH_HLEN + sizeof(struct iphdr) + UDP_HEADER_LEN,
};

/* As src/clock.h has it. */
#define SIM_TICK_NS  (50 * NSEC_PER_MSEC) /* of a connection that something happened to lately */
#define SIM_WATCH_NS (3 * NSEC_PER_SEC)	  /* that is lately */
#define SIM_WALK_NS  NSEC_PER_SEC	  /* between ticks of the others */
#define SIM_SEND_NS  20000		  /* that a released datagram takes from the core to the link */

/* What the world is like. Chances are in 1/1000. */
struct sim_options {
	struct conn_settings settings[2];
	__u64 delay_ns, jitter_ns; /* of the link; jitter reorders if `reorder` is set */
	__u64 daemon_ns;	   /* the daemon takes up to so long */
	bool reorder;
	__u32 loss_control, loss_data, duplicate;
	__u32 loss_event;   /* of core to daemon: the ring is full */
	__u32 hold_failure; /* frames that do not reach the daemon; the core is told, perhaps late */
	__u32 release_failure;	   /* frames that the daemon cannot send; the core is told */
	__u64 outage_ns[2];	   /* from, to: nothing gets through */
	__u8 outage_of;		   /* set of 1 << sender */
	__u32 lost_control_nth[2]; /* this control segment of each side is lost; 0: none */
	bool firewall;		   /* nothing that is invalid may come to it */
	__u64 forged_ns, forged_end_ns; /* the attacker sends so often, until then; 0: there is none */
	bool forged_handshake;	   /* he sends to A alone, in whatever state it is; else to both, once they are established */
	__u32 forged_near;	   /* so many of his numbers are near those of the connection: he has seen some of it */
	bool forged_twice;	   /* each that he sends */
	__u8 forged_syns;	   /* set of 1 << receiver: nothing but SYNs, in whatever state it is */
	__u32 forged_ends;	   /* after so many of those SYNs he sends what would end the connection that they began */
	bool crowded;		   /* many connections are half open */
};

/* A frame on its way to the daemon, or that did not get there. */
struct sim_frame {
	__u32 number, end, epoch, id;
	__u16 len;
	bool first;
};

/* Datagrams that are off the queue. */
struct sim_sent {
	__u32 epoch, count, payload_len;
};

enum {
	SIM_CONTROL = -1,
	SIM_FORGED = -2,
};

struct sim_packet {
	struct segment seg;
	__s64 id; /* of the datagram; SIM_CONTROL, SIM_FORGED */
	__u16 len;
	__u8 padding;
};

enum sim_event_type { SIM_ARRIVES, SIM_LEAVES, SIM_DAEMON, SIM_HELD, SIM_UNHOLD, SIM_SENT, SIM_APP, SIM_TICK, SIM_ATTACK };

struct sim_event {
	__u64 at;
	__u32 serial;
	__u32 life; /* of the host: a restart voids what goes on inside it */
	__u8 type, side;
	union {
		struct sim_packet packet;
		struct effect eff;
		struct sim_frame frame;
		struct sim_sent sent;
	};
};

enum sim_fate {
	SIM_UNSENT,
	SIM_UNDERWAY,
	SIM_WAITING, /* in the daemon, or on the way there */
	SIM_DELIVERED,
	SIM_DROPPED,
	SIM_FLUSHED, /* the host restarted */
	SIM_LOST_ON_LINK
};

/* A burst of datagrams: `count` of them from `start` on. */
struct sim_app {
	__u64 start_ns, interval_ns; /* up to twice the interval, at random */
	__u32 count, len;
	bool random_len; /* 0 .. len */
};

struct sim;

struct sim_side {
	struct sim *sim;
	__u8 at;
	struct conn c;
	bool exists;
	bool gone; /* its Mimic has ended */
	__u32 life;
	struct sim_app app;
	__u32 next_id;
	__u8 fate[SIM_DATAGRAMS_MAX];
	__u64 sent_ns[SIM_DATAGRAMS_MAX]; /* by the application */
	__u8 copies[SIM_DATAGRAMS_MAX];	  /* put on the link */
	bool overtaken[SIM_DATAGRAMS_MAX]; /* by conn_may_overtake() */
	__u8 received[SIM_DATAGRAMS_MAX]; /* of the other side's */
	__s64 last_received;
	__u32 out_of_order;
	__u32 dropped[REASON_COUNT];
	__u32 rsts, syns, failures, losses, controls;
	__u64 established_ns, link_free_ns, daemon_free_ns;
	/* the daemon */
	struct waiting waiting;
	__u64 watch_ns, walk_ns; /* until when it ticks often, when it ticked last */
	__u64 send_ns;		 /* when the last released datagram is on the link */
	__u32 unsent;		 /* frames that it could not send */
	/* what must not go back */
	bool ack_known, edge_known;
	__u32 ack, edge; /* announced; and what the peer announced, as it came in */
	__u8 wscale;	 /* of the peer, from its SYN, or what is believed without one */
	/* what must not wait: the ack that was sent last, and since when the peer's data up to behind_nxt has none */
	bool told_known;
	__u32 told, behind_nxt;
	__u64 behind_ns;
};

struct sim {
	struct sim_options opt;
	__u64 now_ns;
	uint64_t random;
	__u32 serial, event_count;
	struct sim_side side[2];
	struct firewall firewall;
	__u32 forged, forged_delivered;
	__u64 packet_ns, silence_ns; /* last packet of anybody, longest time without one */
	bool trace;		     /* say what happens, on stdout */
	char failure[200];
	struct sim_event heap[SIM_EVENTS_MAX];
};

static inline void __attribute__((format(printf, 2, 3)))
sim_fail(struct sim *sim, const char *format, ...)
{
	va_list args;

	if (sim->failure[0])
		return;
	va_start(args, format);
	vsnprintf(sim->failure, sizeof(sim->failure), format, args);
	va_end(args);
}

static inline void __attribute__((format(printf, 3, 4)))
sim_trace(const struct sim *sim, __u8 at, const char *format, ...)
{
	va_list args;

	if (!sim->trace)
		return;
	va_start(args, format);
	printf("%12.6f %c ", (double)(sim->now_ns - 1000 * NSEC_PER_SEC) / 1e9, 'A' + at);
	vprintf(format, args);
	printf(" (state %u, held %u, snd %#x, rcv %#x, window %u)\n", sim->side[at].c.state,
	       sim->side[at].c.held, sim->side[at].c.snd_nxt, sim->side[at].c.rcv_nxt,
	       sim->side[at].c.snd_wnd);
	va_end(args);
}

static inline void sim_trace_packet(const struct sim *sim, __u8 at, const char *what,
				    const struct sim_packet *packet)
{
	const struct segment *seg = &packet->seg;

	sim_trace(sim, at, "%s%s%s%s%s%s %lld: seq %#x ack %#x window %u len %u", what,
		  seg->flags & TCP_SYN ? " SYN" : "", seg->flags & TCP_RST ? " RST" : "",
		  seg->flags & TCP_FIN ? " FIN" : "", seg->flags & TCP_ACK ? " ACK" : "",
		  seg->flags & TCP_PSH ? " PSH" : "", packet->id, seg->seq, seg->ack, seg->window,
		  seg->payload_len);
}

static inline bool sim_chance(struct sim *sim, __u32 permille)
{
	return permille && prng_below(&sim->random, 1000) < permille;
}

static inline __u64 sim_up_to(struct sim *sim, __u64 ns)
{
	return ns ? prng_next(&sim->random) % (ns + 1) : 0;
}

/* ---- events: a binary heap, first come first served at one time ---- */

static inline bool sim_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at != b->at ? a->at < b->at : a->serial < b->serial;
}

static inline void sim_push(struct sim *sim, const struct sim_event *event)
{
	__u32 i = sim->event_count;

	if (i == SIM_EVENTS_MAX) {
		sim_fail(sim, "too many events: a storm");
		return;
	}
	sim->event_count++;
	for (; i; i = (i - 1) / 2) {
		if (!sim_before(event, &sim->heap[(i - 1) / 2]))
			break;
		sim->heap[i] = sim->heap[(i - 1) / 2];
	}
	sim->heap[i] = *event;
}

static inline void sim_pop(struct sim *sim, struct sim_event *event)
{
	struct sim_event *last = &sim->heap[--sim->event_count];
	__u32 i = 0, child;

	*event = sim->heap[0];
	while ((child = 2 * i + 1) < sim->event_count) {
		if (child + 1 < sim->event_count &&
		    sim_before(&sim->heap[child + 1], &sim->heap[child]))
			child++;
		if (sim_before(last, &sim->heap[child]))
			break;
		sim->heap[i] = sim->heap[child];
		i = child;
	}
	sim->heap[i] = *last;
}

static inline void sim_schedule(struct sim *sim, __u64 at, enum sim_event_type type, __u8 side,
				const struct sim_event *what)
{
	struct sim_event event = { 0 };

	if (what)
		event = *what;
	event.at = at;
	event.serial = sim->serial++;
	event.life = sim->side[side].life;
	event.type = (__u8)type;
	event.side = side;
	sim_push(sim, &event);
}

/* ---- the link ---- */

static inline void sim_firewall(struct sim *sim, __u8 from, const struct segment *seg)
{
	if (sim->opt.firewall && firewall_sees(&sim->firewall, from, seg) == FIREWALL_INVALID)
		sim_fail(sim, "%c: the firewall calls invalid: flags %#x seq %#x ack %#x len %u; end %#x, max_end %#x, other's end %#x",
			 'A' + from, seg->flags, seg->seq, seg->ack, seg->payload_len, sim->firewall.half[from].end,
			 sim->firewall.half[from].max_end, sim->firewall.half[!from].end);
}

static inline void sim_link_once(struct sim *sim, __u8 from, const struct sim_packet *packet)
{
	struct sim_side *side = &sim->side[from];
	struct sim_event event = { .packet = *packet };
	__u64 at = sim->now_ns + sim->opt.delay_ns + sim_up_to(sim, sim->opt.jitter_ns);

	if (!sim->opt.reorder && at < side->link_free_ns)
		at = side->link_free_ns;
	side->link_free_ns = at;
	sim_schedule(sim, at, SIM_ARRIVES, !from, &event);
}

static inline void sim_link(struct sim *sim, __u8 from, const struct sim_packet *packet)
{
	struct sim_side *side = &sim->side[from];
	bool data = packet->id >= 0;
	bool outage = sim->opt.outage_of & 1 << from && sim->now_ns >= sim->opt.outage_ns[0] &&
		      sim->now_ns < sim->opt.outage_ns[1];
	bool chosen = !data && ++side->controls == sim->opt.lost_control_nth[from];

	sim_trace_packet(sim, from, outage || chosen ? "loses" : "sends", packet);
	if (packet->seg.flags & TCP_ACK && (!side->told_known || seq_diff(packet->seg.ack, side->told) > 0)) {
		side->told = packet->seg.ack;
		side->told_known = true;
	}
	if (sim->packet_ns && sim->now_ns - sim->packet_ns > sim->silence_ns)
		sim->silence_ns = sim->now_ns - sim->packet_ns;
	sim->packet_ns = sim->now_ns;
	if (outage || chosen ||
	    sim_chance(sim, data ? sim->opt.loss_data : sim->opt.loss_control)) {
		if (prng_below(&sim->random, 2)) /* behind the firewall */
			sim_firewall(sim, from, &packet->seg);
		if (data)
			side->fate[packet->id] = SIM_LOST_ON_LINK;
		return;
	}
	sim_firewall(sim, from, &packet->seg);
	sim_link_once(sim, from, packet);
	if (data)
		side->copies[packet->id]++;
	if (!sim_chance(sim, sim->opt.duplicate))
		return;
	sim_link_once(sim, from, packet);
	if (data)
		side->copies[packet->id]++;
}

static inline void sim_announce(struct sim *sim, __u8 at, __u32 ack)
{
	struct sim_side *side = &sim->side[at];

	if (side->ack_known && seq_diff(ack, side->ack) < 0)
		sim_fail(sim, "%c: announced ack goes back from %#x to %#x", 'A' + at, side->ack,
			 ack);
	side->ack = ack;
	side->ack_known = true;
}

/* An ACK that the daemon sends late leaves as TC egress corrects it (egress_control.h). One of an older connection stays as it is. */
static inline void sim_refresh_ack(struct sim *sim, __u8 from, struct segment *seg)
{
	struct tcp_header tcp = {
		.seq = host_to_be32(seg->seq),
		.ack = host_to_be32(seg->ack),
		.window = host_to_be16(seg->window),
	};
	const struct conn *c = &sim->side[from].c;

	if (!sim->side[from].exists || seg->flags != TCP_ACK)
		return;
	if (conn_refresh_ack(c, &tcp)) {
		seg->ack = be32_to_host(tcp.ack);
		seg->window = host_to_be16(tcp.window);
	}
	if (c->state == CONN_ESTABLISHED && seq_diff(c->snd_nxt, seg->seq) >= 0 && seq_diff(c->rcv_nxt, seg->ack) >= 0)
		sim_announce(sim, from, seg->ack);
}

static inline void sim_send_reply(struct sim *sim, __u8 from, const struct reply *reply,
				  __u8 wscale)
{
	struct sim_packet packet = {
		.seg = { .seq = reply->seq,
			 .ack = reply->ack,
			 .window = reply->window,
			 .flags = reply->flags,
			 .payload_len = reply->payload_len,
			 .options_ok = true,
			 .options = { .mss = 1460, .wscale = wscale } },
		.id = SIM_CONTROL,
	};

	sim->side[from].rsts += !!(reply->flags & TCP_RST);
	sim->side[from].syns += reply->flags == TCP_SYN;
	if (reply->flags & TCP_SYN && wscale != CONN_WINDOW_SCALE_MAX) /* as control_build() does it */
		packet.seg.window = tcpopt_syn_window(packet.seg.options.mss);
	sim_refresh_ack(sim, from, &packet.seg);
	sim_link(sim, from, &packet);
}

/* ---- what the core says ---- */

static inline void sim_env(struct sim *sim, struct env *env)
{
	env->now_ns = sim->now_ns;
	env->random = (__u32)prng_next(&sim->random);
	env->hold_room = true;
	env->crowded = sim->opt.crowded;
}

static inline void sim_effect(struct sim *sim, __u8 at, const struct effect *eff)
{
	struct sim_side *side = &sim->side[at];
	struct sim_event event = { .eff = *eff };

	if (eff->notify || eff->reason > REASON_TX_STAGED)
		sim_trace(sim, at, "notify %#x limit %u reason %u", eff->notify, eff->release_limit,
			  eff->reason);
	/* Half open, another SYN may begin another row of numbers. */
	if (side->c.state != CONN_ESTABLISHED || eff->notify & NOTIFY_ESTABLISHED)
		side->ack_known = false;
	if (eff->notify & NOTIFY_LOST || side->c.state == CONN_SYN_SENT)
		side->edge_known = false;
	side->failures += !!(eff->notify & NOTIFY_FAILED);
	side->losses += !!(eff->notify & NOTIFY_LOST);
	if (eff->notify & NOTIFY_ESTABLISHED && !side->established_ns)
		side->established_ns = sim->now_ns;
	for (int i = 0; i < CONN_REPLIES; i++) {
		if (eff->reply[i].flags & TCP_ACK)
			sim_announce(sim, at, eff->reply[i].ack);
	}
	if ((eff->notify || eff->reply[0].flags) && !sim_chance(sim, sim->opt.loss_event)) {
		__u64 when = sim->now_ns + sim_up_to(sim, sim->opt.daemon_ns);

		if (when < side->daemon_free_ns) /* one ring: in order */
			when = side->daemon_free_ns;
		side->daemon_free_ns = when;
		sim_schedule(sim, when, SIM_DAEMON, at, &event);
	}
	if (eff->remove)
		side->exists = false;
}

static inline void sim_send_data(struct sim *sim, __u8 at, __u32 id, __u16 len, bool released,
				 const struct effect *eff)
{
	struct sim_side *side = &sim->side[at];
	struct sim_event event = { 0 };
	struct sim_packet packet = {
		.seg = { .seq = eff->seq,
			 .ack = eff->ack,
			 .window = eff->window,
			 .flags = len <= 1 ? TCP_ACK | TCP_PSH : TCP_ACK,
			 .payload_len = (__u16)(len + eff->padding) },
		.id = id,
		.len = len,
		.padding = eff->padding,
	};

	sim_announce(sim, at, eff->ack);
	if (side->edge_known && seq_diff(eff->seq + len + eff->padding, side->edge) > 0)
		sim_fail(sim,
			 "%c: datagram %u ends %d bytes behind the window that the peer announced",
			 'A' + at, id, seq_diff(eff->seq + len + eff->padding, side->edge));
	if (!released) {
		sim_link(sim, at, &packet);
		return;
	}
	/* The daemon's core is another one, and slow: those of the application may pass on theirs. */
	if (side->send_ns < sim->now_ns)
		side->send_ns = sim->now_ns;
	side->send_ns += sim_up_to(sim, SIM_SEND_NS);
	event.packet = packet;
	sim_schedule(sim, side->send_ns, SIM_LEAVES, at, &event);
}

/* To the daemon, by one buffer for each CPU: frames overtake each other, and a failure is told when others wait too. */
static inline void sim_hold(struct sim *sim, __u8 at, __u32 id, __u16 len, struct effect *eff)
{
	struct sim_side *side = &sim->side[at];
	bool failed = sim_chance(sim, sim->opt.hold_failure);
	__u64 delay_ns = failed ? sim_up_to(sim, 100000) : sim_up_to(sim, sim->opt.daemon_ns / 4);
	struct sim_event event;

	event.frame = (struct sim_frame){ .number = eff->held_number,
					  .end = eff->held_end,
					  .epoch = eff->epoch,
					  .id = id,
					  .len = len,
					  .first = eff->held_first };
	side->fate[id] = failed ? SIM_DROPPED : SIM_WAITING;
	side->dropped[REASON_DROP_HOLD_FAILED] += failed;
	if (failed && sim_chance(sim, 500))
		conn_unhold_unsent(&side->c, event.frame.number, len);
	else
		sim_schedule(sim, sim->now_ns + delay_ns, failed ? SIM_UNHOLD : SIM_HELD, at,
			     &event);
}

/* Those of the queue may come late, and only they. */
static inline void sim_overtake(struct sim_side *side, __u32 id)
{
	for (__u32 i = 0; i < id; i++)
		side->overtaken[i] |= side->fate[i] == SIM_WAITING || side->fate[i] == SIM_UNDERWAY;
}

static inline enum verdict sim_egress(struct sim *sim, __u8 at, __u32 id, __u16 len, bool released)
{
	struct sim_side *side = &sim->side[at];
	struct effect eff = { 0 };
	struct env env;

	sim_env(sim, &env);
	if (!side->exists) {
		memset(&side->c, 0, sizeof(side->c));
		conn_init(&side->c, &env, &sim->opt.settings[at], (__u32)prng_next(&sim->random));
		side->exists = true;
	}
	side->fate[id] = SIM_UNDERWAY;
	conn_egress(&side->c, &env, len, released, &eff);
	if (eff.verdict == VERDICT_PASS && !released && side->c.held)
		sim_overtake(side, id);
	if (eff.verdict == VERDICT_PASS)
		sim_send_data(sim, at, id, len, released, &eff);
	else if (eff.verdict == VERDICT_HOLD)
		sim_hold(sim, at, id, len, &eff);
	if (eff.verdict == VERDICT_DROP) {
		side->fate[id] = SIM_DROPPED;
		side->dropped[eff.reason]++;
		if (!eff.reason)
			sim_fail(sim, "%c: datagram %u dropped without a reason", 'A' + at, id);
	}
	sim_effect(sim, at, &eff);
	return eff.verdict;
}

/* ---- the daemon ---- */

static const struct conn_key sim_key[2] = {
	{ .local.word[3] = 1, .remote.word[3] = 2, .local_port = 3, .remote_port = 4 },
	{ .local.word[3] = 2, .remote.word[3] = 1, .local_port = 4, .remote_port = 3 },
};

/* As much of a frame as src/waiting.c wants to see; the datagram's number lies in the IP header. */
static inline void sim_add_frame(struct sim *sim, __u8 at, const struct sim_frame *frame)
{
	static __u8 bytes[SIM_FRAME_HEADERS + 65535];
	struct mimic_held meta = {
		.key = sim_key[at],
		.epoch = frame->epoch,
		.number = frame->number,
		.end = frame->end,
		.frame_len = (__u32)SIM_FRAME_HEADERS + frame->len,
		.payload_len = frame->len,
		.l4_off = ETH_HLEN + sizeof(struct iphdr),
		.first = frame->first,
	};
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = host_to_be16(sizeof(ip) + UDP_HEADER_LEN + frame->len),
		.id = (__u16)frame->id,
		.protocol = PROTO_UDP,
	};

	bytes[12] = ETH_P_IP >> 8;
	memcpy(bytes + ETH_HLEN, &ip, sizeof(ip));
	if (waiting_add(&sim->side[at].waiting, &meta, bytes, sim->now_ns))
		sim_fail(sim, "%c: the daemon refuses datagram %u", 'A' + at, frame->id);
}

static inline int sim_release(void *context, struct waiting_frame *frame)
{
	struct sim_side *side = context;
	struct iphdr ip;

	memcpy(&ip, frame->bytes + frame->l3_off, sizeof(ip));
	if (sim_chance(side->sim, side->sim->opt.release_failure)) {
		side->fate[ip.id] = SIM_DROPPED;
		side->unsent++;
		return -1;
	}
	if (sim_egress(side->sim, side->at, ip.id, frame->payload_len, true) != VERDICT_WAIT)
		return 0;
	side->fate[ip.id] = SIM_WAITING;
	return -EAGAIN;
}

static inline void sim_unhold(struct sim_side *side, const struct sim_sent *sent)
{
	struct env env;

	sim_env(side->sim, &env);
	if (side->exists && side->c.epoch == sent->epoch)
		conn_unhold(&side->c, &env, sent->count, sent->payload_len);
}

static inline void sim_lost(void *context, const struct conn_key *key, uint32_t epoch, uint32_t count,
			    uint32_t payload_len)
{
	struct sim_side *side = context;
	struct sim_sent lost = { epoch, count, payload_len };

	if (memcmp(key, &sim_key[side->at], sizeof(*key)))
		sim_fail(side->sim, "%c: a datagram of another connection", 'A' + side->at);
	sim_unhold(side, &lost);
}

/* The daemon says so when it has sent them. */
static inline void sim_sent(void *context, const struct conn_key *key, uint32_t epoch, uint32_t count,
			    uint32_t payload_len)
{
	struct sim_side *side = context;
	struct sim_event event = { .sent = { epoch, count, payload_len } };

	if (memcmp(key, &sim_key[side->at], sizeof(*key)))
		sim_fail(side->sim, "%c: a datagram of another connection", 'A' + side->at);
	if (side->send_ns < side->sim->now_ns)
		side->send_ns = side->sim->now_ns;
	sim_schedule(side->sim, side->send_ns, SIM_SENT, side->at, &event);
}

/* As src/daemon.c has it: an ACK of data is nothing to watch. */
static inline bool sim_is_news(const struct effect *eff)
{
	return eff->notify || eff->reply[0].flags != TCP_ACK || eff->reply[0].payload_len || eff->reply[1].flags;
}

static inline void sim_daemon(struct sim *sim, __u8 at, const struct effect *eff)
{
	__u8 wscale = sim->opt.settings[at].max_window ? CONN_WINDOW_SCALE_MAX : CONN_WINDOW_SCALE;
	struct sim_side *side = &sim->side[at];

	for (int i = 0; i < CONN_REPLIES; i++) {
		if (eff->reply[i].flags)
			sim_send_reply(sim, at, &eff->reply[i], wscale);
	}
	if (sim_is_news(eff))
		side->watch_ns = sim->now_ns + SIM_WATCH_NS;
	if (eff->notify & NOTIFY_FLUSH)
		waiting_flush(&side->waiting, &sim_key[at], eff->epoch, sim->now_ns);
	if (eff->notify & NOTIFY_LOST)
		waiting_close_queue(&side->waiting, &sim_key[at]);
	if (eff->notify & NOTIFY_RELEASE)
		waiting_release(&side->waiting, &sim_key[at], eff->epoch, eff->release_limit,
				sim->now_ns);
}

/* ---- a segment arrives ---- */

static inline void sim_deliver(struct sim *sim, __u8 at, const struct sim_packet *packet,
			       const struct effect *eff)
{
	struct sim_side *side = &sim->side[at], *peer = &sim->side[!at];

	if (packet->id == SIM_FORGED) {
		sim->forged_delivered++;
		return;
	}
	if (packet->id < 0) {
		sim_fail(sim, "%c: a control segment is taken for a datagram", 'A' + at);
		return;
	}
	if (eff->padding != packet->padding)
		sim_fail(sim, "%c: datagram %lld restored with padding %u instead of %u", 'A' + at,
			 packet->id, eff->padding, packet->padding);
	if (++side->received[packet->id] > peer->copies[packet->id])
		sim_fail(sim, "%c: datagram %lld came once too often", 'A' + at, packet->id);
	if (packet->id < side->last_received && !peer->overtaken[packet->id])
		side->out_of_order++;
	if (packet->id > side->last_received || !peer->overtaken[packet->id])
		side->last_received = packet->id;
	peer->fate[packet->id] = SIM_DELIVERED;
}

/* Counts from the segment that makes the connection: what came before may be the answer to a SYN that was forged in our name. */
static inline void sim_note_window(struct sim_side *side, const struct conn *before, const struct segment *seg)
{
	__u32 window = seg->window, edge;

	if (seg->flags & TCP_SYN)
		side->wscale = seg->options.wscale;
	else
		window <<= side->wscale;
	if (side->c.state != CONN_ESTABLISHED || before->state != CONN_ESTABLISHED)
		side->edge_known = false;
	else if (seg->flags & TCP_SYN)
		return;
	if (side->c.state != CONN_ESTABLISHED || !(seg->flags & TCP_ACK) || seg->flags & TCP_RST ||
	    seq_diff(seg->ack, side->c.snd_nxt) > 0)
		return;
	edge = seg->ack + window;
	if (!side->edge_known || seq_diff(edge, side->edge) > 0)
		side->edge = edge;
	side->edge_known = true;
}

/* A segment that others overtook says nothing about how far the peer lets us go (a probe that it draws may take a byte). */
static inline void sim_check_edge(struct sim *sim, __u8 at, const struct conn *before, const struct segment *seg)
{
	const struct conn *now = &sim->side[at].c;
	__s32 diff = seq_diff(seg->seq, before->rcv_nxt);
	__s32 change = seq_diff(now->snd_nxt + now->snd_wnd, before->snd_nxt + before->snd_wnd);

	if (before->state != CONN_ESTABLISHED || now->state != CONN_ESTABLISHED)
		return;
	if ((diff < 0 || (!diff && seq_diff(seg->ack, before->snd_una) < 0)) && (change < -1 || change > 1))
		sim_fail(sim, "%c: an old segment moves the end of the peer's window by %d bytes", 'A' + at, change);
}

static inline void sim_arrives(struct sim *sim, __u8 at, const struct sim_packet *packet)
{
	struct sim_side *side = &sim->side[at];
	struct effect eff = { 0 };
	struct conn before;
	struct env env;

	if (side->gone) {
		if (packet->id >= 0)
			sim->side[!at].fate[packet->id] = SIM_DROPPED;
		return;
	}
	sim_env(sim, &env);
	if (!side->exists) {
		if (!conn_unknown(&sim->opt.settings[at], &packet->seg, &eff)) {
			sim_trace_packet(sim, at, "does not know", packet);
			if (packet->id >= 0)
				sim->side[!at].fate[packet->id] = SIM_DROPPED;
			sim_effect(sim, at, &eff);
			return;
		}
		memset(&side->c, 0, sizeof(side->c));
		conn_init(&side->c, &env, &sim->opt.settings[at], (__u32)prng_next(&sim->random));
		side->exists = true;
	}
	before = side->c;
	conn_ingress(&side->c, &env, &packet->seg, &eff);
	if (packet->id != SIM_FORGED)
		sim_note_window(side, &before, &packet->seg);
	sim_check_edge(sim, at, &before, &packet->seg);
	sim_trace_packet(sim, at, eff.verdict == VERDICT_PASS ? "delivers" : "gets", packet);
	if (eff.verdict == VERDICT_PASS)
		sim_deliver(sim, at, packet, &eff);
	else if (packet->id >= 0 && sim->side[!at].fate[packet->id] == SIM_UNDERWAY)
		sim->side[!at].fate[packet->id] = SIM_DROPPED;
	sim_effect(sim, at, &eff);
}

/* ---- the attacker, who knows addresses and ports ---- */

static inline __u32 sim_guess(struct sim *sim, __u32 number)
{
	if (sim_chance(sim, sim->opt.forged_near))
		return number + (__u32)prng_next(&sim->random) % (2 * CONN_SEQ_TOLERANCE) - CONN_SEQ_TOLERANCE;
	return (__u32)prng_next(&sim->random);
}

/* Each SYN takes the place of the one before, if the core lets it; its own RST or FIN would have the exact number. */
static inline void sim_attack_by_syn(struct sim *sim, __u8 at)
{
	struct sim_packet packet = {
		.seg = { .seq = (__u32)prng_next(&sim->random),
			 .window = (__u16)prng_next(&sim->random),
			 .flags = TCP_SYN,
			 .options_ok = true,
			 .options = { .mss = 536, .wscale = 0 } },
		.id = SIM_FORGED,
	};

	if (!(sim->opt.forged_syns & 1 << at))
		return;
	sim->forged++;
	sim_arrives(sim, at, &packet);
	if (!sim_chance(sim, sim->opt.forged_ends))
		return;
	packet.seg.seq++;
	packet.seg.flags = prng_below(&sim->random, 2) ? TCP_RST : TCP_FIN | TCP_ACK;
	packet.seg.ack = (__u32)prng_next(&sim->random);
	sim->forged++;
	sim_arrives(sim, at, &packet);
}

static inline void sim_attack(struct sim *sim, __u8 at)
{
	static const __u8 flags[] = { TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH, TCP_RST, TCP_RST | TCP_ACK, TCP_SYN,
				      TCP_SYN | TCP_ACK, TCP_FIN | TCP_ACK };
	struct sim_side *side = &sim->side[at];
	struct sim_packet packet = {
		.seg = { .seq = sim_guess(sim, side->c.rcv_nxt),
			 .ack = sim_guess(sim, side->c.snd_nxt),
			 .window = (__u16)prng_next(&sim->random),
			 .flags = flags[prng_below(&sim->random, sizeof(flags))],
			 .payload_len = (__u16)(prng_below(&sim->random, 2) ? prng_below(&sim->random, 1400) : prng_below(&sim->random, 3)),
			 .options_ok = true,
			 .options = { .mss = 1460, .wscale = 7 } },
		.id = SIM_FORGED,
	};

	if (sim->now_ns + sim->opt.forged_ns <= sim->opt.forged_end_ns)
		sim_schedule(sim, sim->now_ns + sim->opt.forged_ns, SIM_ATTACK, at, NULL);
	if (sim->opt.forged_syns) {
		sim_attack_by_syn(sim, at);
		return;
	}
	/* What would be right by chance proves nothing. */
	if (packet.seg.seq == side->c.rcv_nxt)
		return;
	if (sim->opt.forged_handshake ? at : !side->exists || side->c.state != CONN_ESTABLISHED)
		return;
	for (int i = 0; i <= sim->opt.forged_twice; i++) {
		sim->forged++;
		sim_arrives(sim, at, &packet);
	}
}

/* ---- time ---- */

static inline void sim_app_sends(struct sim *sim, __u8 at)
{
	struct sim_side *side = &sim->side[at];
	struct sim_app *app = &side->app;
	__u32 id;

	if (side->gone)
		return;
	id = side->next_id++;
	side->sent_ns[id] = sim->now_ns;
	if (side->next_id < app->count)
		sim_schedule(sim, sim->now_ns + sim_up_to(sim, 2 * app->interval_ns), SIM_APP, at,
			     NULL);
	sim_egress(sim, at, id,
		   (__u16)(app->random_len ? prng_below(&sim->random, app->len + 1) : app->len),
		   false);
}

static inline void sim_tick(struct sim *sim, __u8 at)
{
	struct sim_side *side = &sim->side[at];
	struct effect eff = { 0 };
	struct env env;

	sim_schedule(sim, sim->now_ns + SIM_TICK_NS, SIM_TICK, at, NULL);
	waiting_tick(&side->waiting, sim->now_ns);
	sim_env(sim, &env);
	if (sim->now_ns > side->watch_ns && sim->now_ns - side->walk_ns < SIM_WALK_NS)
		return;
	side->walk_ns = sim->now_ns;
	if (!side->exists || !conn_tick_is_due(&side->c, env.now_ns))
		return;
	conn_tick(&side->c, &env, &eff);
	sim_effect(sim, at, &eff);
}

static inline void sim_start_daemon(struct sim *sim, __u8 at)
{
	struct sim_side *side = &sim->side[at];
	const struct waiting_ops ops = { .send = sim_release, .sent = sim_sent, .lost = sim_lost, .context = side };

	side->sim = sim;
	side->at = at;
	waiting_init(&side->waiting, &ops, MIMIC_HELD_TOTAL_BYTES);
}

static inline void sim_init(struct sim *sim, __u64 seed)
{
	static const struct conn_settings defaults = CONN_SETTINGS_DEFAULT;

	for (__u8 at = 0; at < 2; at++) {
		if (sim->side[at].sim)
			waiting_free(&sim->side[at].waiting);
	}
	memset(sim, 0, offsetof(struct sim, heap));
	sim->random = seed;
	sim->now_ns = 1000 * NSEC_PER_SEC;
	sim->opt.settings[0] = sim->opt.settings[1] = defaults;
	sim->side[0].last_received = sim->side[1].last_received = -1;
	sim->side[0].wscale = sim->side[1].wscale = CONN_WINDOW_SCALE;
	sim_start_daemon(sim, 0);
	sim_start_daemon(sim, 1);
}

/* A host restarts: its connection is gone, and what waited there. */
static inline void sim_forget(struct sim *sim, __u8 at)
{
	struct sim_side *side = &sim->side[at];

	sim_trace(sim, at, "restarts");
	for (__u32 i = 0; i < side->next_id; i++) {
		if (side->fate[i] == SIM_WAITING)
			side->fate[i] = SIM_FLUSHED;
	}
	waiting_free(&side->waiting);
	sim_start_daemon(sim, at);
	side->life++;
	side->unsent = 0;
	side->exists = false;
	side->ack_known = false;
	side->edge_known = false;
}

/* Mimic ends there as at SIGTERM: a RST, and nothing more comes of it. */
static inline void sim_shut_down(struct sim *sim, __u8 at)
{
	struct sim_side *side = &sim->side[at];
	struct effect eff = { 0 };

	sim_trace(sim, at, "ends");
	if (side->exists) {
		conn_shutdown(&side->c, &eff);
		sim_effect(sim, at, &eff);
	}
	side->gone = true;
}

/*
 * All that comes in order is acknowledged, the last of it, too: within an interval, or two where segments follow each other faster, a
 * tick until the daemon watches, another, and what it takes itself. (If it is not told, the ACK is lost as well.)
 */
static inline void sim_check_acknowledged(struct sim *sim, __u8 at)
{
	struct sim_side *side = &sim->side[at];
	const struct conn *c = &side->c;
	__u64 interval_ns = c->settings.ack_interval_ms * NSEC_PER_MSEC;

	if (!side->exists || c->state != CONN_ESTABLISHED)
		side->told_known = false;
	if (!side->told_known || side->gone || !interval_ns || sim->opt.loss_event || seq_diff(c->rcv_nxt, side->told) <= 0) {
		side->behind_ns = 0;
		return;
	}
	if (!side->behind_ns || seq_diff(side->told, side->behind_nxt) >= 0) {
		side->behind_ns = sim->now_ns;
		side->behind_nxt = c->rcv_nxt;
	}
	if (sim->now_ns - side->behind_ns > 2 * (interval_ns + SIM_TICK_NS) + 3 * sim->opt.daemon_ns)
		sim_fail(sim, "%c: acknowledges nothing from %#x on for %llu ms", 'A' + at, side->told,
			 (unsigned long long)(sim->now_ns - side->behind_ns) / NSEC_PER_MSEC);
}

static inline void sim_happens(struct sim *sim, const struct sim_event *event)
{
	struct sim_side *side = &sim->side[event->side];
	bool inside = event->type == SIM_DAEMON || event->type == SIM_HELD ||
		      event->type == SIM_UNHOLD || event->type == SIM_SENT;

	if (inside && event->life != side->life)
		return;
	if (event->type == SIM_ARRIVES)
		sim_arrives(sim, event->side, &event->packet);
	else if (event->type == SIM_LEAVES)
		sim_link(sim, event->side, &event->packet);
	else if (event->type == SIM_SENT)
		sim_unhold(side, &event->sent);
	else if (event->type == SIM_DAEMON)
		sim_daemon(sim, event->side, &event->eff);
	else if (event->type == SIM_HELD)
		sim_add_frame(sim, event->side, &event->frame);
	else if (event->type == SIM_UNHOLD && side->exists && side->c.epoch == event->frame.epoch)
		conn_unhold_unsent(&side->c, event->frame.number, event->frame.len);
	else if (event->type == SIM_APP)
		sim_app_sends(sim, event->side);
	else if (event->type == SIM_TICK)
		sim_tick(sim, event->side);
	else if (event->type == SIM_ATTACK)
		sim_attack(sim, event->side);
	waiting_settle(&side->waiting);
	sim_check_acknowledged(sim, event->side);
}

/* Runs until `end_ns` from now. */
static inline void sim_run(struct sim *sim, __u64 end_ns)
{
	struct sim_event event;

	if (!sim->event_count) {
		for (__u8 at = 0; at < 2; at++) {
			sim_schedule(sim, sim->now_ns + sim_up_to(sim, SIM_TICK_NS), SIM_TICK, at,
				     NULL);
			if (sim->opt.forged_ns)
				sim_schedule(sim, sim->now_ns + sim_up_to(sim, sim->opt.forged_ns), SIM_ATTACK, at, NULL);
			if (sim->side[at].app.count)
				sim_schedule(sim, sim->now_ns + sim->side[at].app.start_ns, SIM_APP,
					     at, NULL);
		}
	}
	end_ns += sim->now_ns;
	while (!sim->failure[0] && sim->heap[0].at <= end_ns) {
		sim_pop(sim, &event);
		sim->now_ns = event.at;
		sim_happens(sim, &event);
	}
	sim->now_ns = end_ns;
}

#endif
