/* SPDX-License-Identifier: GPL-2.0-only */
/* What the programs tell the daemon: handshakes, probes, resets, held datagrams; and what the daemon commands */
#include <unistd.h>

#include "ears.h"
#include "model.h"
#include "prng.h"

enum {
	ISN = 0x11223344, /* the peer's first number */
};

static __u8 payload[FRAME_MAX];
static struct frame frame;
static struct rig_run run;
static struct ears ears;

/* A datagram out, of a flow that a filter names. */
static struct conn_key begin(struct rig *rig, struct frame_spec *spec, bool ipv6, size_t len)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct conn_key key;

	frame_spec_init(spec, ipv6, payload, len);
	spec->ethernet = rig->ethernet;
	key = rig_key(spec, true);
	rig_add_filter(rig, &key, &settings);
	return key;
}

/* The peer's segment, of the flow of `out`. */
static void receive(struct rig *rig, const struct frame_spec *out, __u8 flags, __u32 seq, __u32 ack, size_t len,
		    enum frame_check check, uint32_t verdict)
{
	struct frame_spec spec = *out;

	rig_turn(&spec);
	spec.proto = IPPROTO_TCP;
	spec.payload_len = len;
	spec.check = check;
	spec.tcp = (struct frame_tcp){ .seq = seq, .ack = ack, .window = 0x3400, .flags = flags };
	if (flags & TCP_SYN) {
		static const __u8 options[12] = { 2, 4, 0x05, 0xb4, 1, 3, 3, 9, 4, 2, 0, 0 };

		spec.tcp.options_len = sizeof(options);
		memcpy(spec.tcp.options, options, sizeof(options));
	}
	frame_build(&frame, &spec);
	rig_ingress(rig, frame.bytes, frame.len, &run);
	expect_eq(run.verdict, verdict);
}

static struct mimic_conn get(struct rig *rig, const struct conn_key *key)
{
	struct mimic_conn conn;

	expect(rig_get(rig, key, &conn));
	return conn;
}

START_TEST(test_responder)
{
	struct rig *rig = rig_reset(_i);
	const struct mimic_event *event;
	struct mimic_conn conn;
	struct frame_spec spec;
	struct conn_key key;

	ears_open(&ears, rig);
	for (unsigned int variant = 0; variant < 6; variant++) {
		key = begin(rig, &spec, variant & 1, 0);
		spec.vlans = (__u8)(variant / 2);
		rig_remove_connections(rig);
		receive(rig, &spec, TCP_SYN, ISN, 0, 0, FRAME_CHECK_COMPLETE, MODEL_XDP_DROP);
		conn = get(rig, &key);
		expect_eq(conn.c.state, CONN_SYN_RECEIVED);
		expect_eq(conn.c.peer_mss, 1460);
		expect_eq(conn.c.peer_wscale, 9);
		event = ears_expect_reply(&ears, &key, TCP_SYN | TCP_ACK, conn.c.snd_nxt - 1, ISN + 1, 0);
		expect_eq(event->reply[0].window, 0xffff);
		expect_eq(event->window_scale, CONN_WINDOW_SCALE);
		/* The L2 header of what came, turned round, tags included. */
		expect_eq(event->l2.len, rig->ethernet ? 14 + 4 * spec.vlans : 0);
		if (rig->ethernet) {
			expect(!memcmp(event->l2.bytes, frame.bytes + 6, 6) &&
			       !memcmp(event->l2.bytes + 6, frame.bytes, 6) &&
			       !memcmp(event->l2.bytes + 12, frame.bytes + 12, frame.l3_off - 12));
		}
		/* Repeated later, it gets the same answer. */
		receive(rig, &spec, TCP_SYN, ISN, 0, 0, FRAME_CHECK_PARTIAL, MODEL_XDP_DROP);
		ears_expect_silence(&ears);
		conn.c.syn_ns = 0;
		rig_put(rig, &key, &conn);
		receive(rig, &spec, TCP_SYN, ISN, 0, 0, FRAME_CHECK_PARTIAL, MODEL_XDP_DROP);
		ears_expect_reply(&ears, &key, TCP_SYN | TCP_ACK, conn.c.snd_nxt - 1, ISN + 1, 0);

		receive(rig, &spec, TCP_ACK, ISN + 1, conn.c.snd_nxt, 0, FRAME_CHECK_COMPLETE, MODEL_XDP_DROP);
		event = ears_expect_reply(&ears, &key, TCP_ACK, conn.c.snd_nxt, ISN + 1, 0);
		expect_eq(event->notify, NOTIFY_ESTABLISHED);
		expect_eq(event->reply[0].window, CONN_WINDOW_FULL >> CONN_WINDOW_SCALE);
		conn = get(rig, &key);
		expect_eq(conn.c.state, CONN_ESTABLISHED);
		expect_eq(conn.c.snd_wnd, 0x3400 << 9);

		receive(rig, &spec, TCP_ACK, ISN + 1, conn.c.snd_nxt, 100, FRAME_CHECK_COMPLETE, MODEL_XDP_PASS);
		ears_expect_watch(&ears, &key);

		/* Reset before it is established, it is gone at once. */
		rig_remove_connections(rig);
		receive(rig, &spec, TCP_SYN, ISN, 0, 0, FRAME_CHECK_COMPLETE, MODEL_XDP_DROP);
		conn = get(rig, &key);
		ears_expect_reply(&ears, &key, TCP_SYN | TCP_ACK, conn.c.snd_nxt - 1, ISN + 1, 0);
		receive(rig, &spec, TCP_RST, ISN + 1, 0, 0, FRAME_CHECK_COMPLETE, MODEL_XDP_DROP);
		expect(!rig_get(rig, &key, &conn));
	}
	ears_close(&ears);
}
END_TEST

START_TEST(test_bad_segments)
{
	struct rig *rig = rig_reset(_i);
	struct rig_counters before;
	struct mimic_conn conn;
	struct frame_spec spec, bad;
	struct conn_key key;

	ears_open(&ears, rig);
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		key = begin(rig, &spec, ipv6, 0);
		/* A SYN with every bit of the TCP header wrong in turn: never believed, never answered. */
		for (size_t bit = 0; bit < 20 * 8; bit++) {
			if (bit / 8 < 4 || bit / 8 == 12 || (bit / 8 == 13 && bit % 8 != 1))
				continue; /* other ports, another header length, not a SYN (tested elsewhere) */
			bad = spec;
			rig_turn(&bad);
			bad.proto = IPPROTO_TCP;
			bad.tcp.flags = TCP_SYN;
			frame_build(&frame, &bad);
			frame.bytes[frame.l4_off + bit / 8] ^= (__u8)(1 << bit % 8);
			rig_count(rig, &before);
			rig_ingress(rig, frame.bytes, frame.len, &run);
			expect_eq(run.verdict, MODEL_XDP_DROP);
			rig_expect_counted(rig, &before, REASON_DROP_RX_CHECKSUM, REASON_NONE);
			expect(!rig_get(rig, &key, &conn));
		}
		ears_expect_silence(&ears);

		/* Malformed options. */
		bad.tcp.options_len = 4;
		memcpy(bad.tcp.options, "\x02\x09\x05\xb4", 4);
		frame_build(&frame, &bad);
		rig_count(rig, &before);
		rig_ingress(rig, frame.bytes, frame.len, &run);
		expect_eq(run.verdict, MODEL_XDP_DROP);
		rig_expect_counted(rig, &before, REASON_DROP_RX_OPTIONS, REASON_NONE);
		ears_expect_silence(&ears);

		/* Data of an unknown connection gets a RST with its ack, RST and FIN get nothing. */
		usleep(15000); /* one in a coarse millisecond */
		rig_count(rig, &before);
		receive(rig, &spec, TCP_ACK, 5, 99, 50, FRAME_CHECK_COMPLETE, MODEL_XDP_DROP);
		rig_expect_counted(rig, &before, REASON_DROP_RX_UNKNOWN, REASON_TX_CONTROL);
		ears_expect_reply(&ears, &key, TCP_RST, 99, 0, 0);
		receive(rig, &spec, TCP_RST, 5, 99, 0, FRAME_CHECK_COMPLETE, MODEL_XDP_DROP);
		receive(rig, &spec, TCP_FIN | TCP_ACK, 5, 99, 0, FRAME_CHECK_COMPLETE, MODEL_XDP_DROP);
		ears_expect_silence(&ears);
		expect(!rig_get(rig, &key, &conn));
	}
	ears_close(&ears);
}
END_TEST

static void expect_held(struct rig *rig, const struct frame_spec *spec, const struct conn_key *key, __u32 number)
{
	const struct mimic_held *meta = &ears.heard[0].meta;
	struct mimic_conn conn = get(rig, key);
	struct frame sent;

	expect_eq(ears.held, 1);
	frame_build(&sent, spec);
	expect(!memcmp(&meta->key, key, sizeof(*key)));
	expect_eq(meta->epoch, conn.c.epoch);
	expect_eq(meta->number, number);
	expect_eq(meta->end, conn.c.held_end);
	expect_eq(meta->frame_len, sent.len - spec->trailer);
	expect_eq(meta->payload_len, spec->payload_len);
	expect_eq(meta->l4_off, sent.l4_off);
	expect_eq(meta->first, number == 0);
	expect_eq(meta->vlan_present, 0);
	rig_expect_bytes(rig, rig_describe(spec), ears.heard[0].frame, meta->frame_len, sent.bytes,
			 sent.len - spec->trailer);
	expect_eq(conn.c.held, number + 1);
}

/* The first datagram draws a SYN; it and those behind it wait, whole and with their place in the queue. */
START_TEST(test_initiator_holds)
{
	static const size_t lens[] = { 0, 1, 100, 1400, 1472, 1460 };
	struct rig *rig = rig_reset(_i);
	struct __sk_buff marked = { .mark = RIG_RELEASE_MARK }, own_mark = { .mark = 42 };
	const struct mimic_event *event;
	struct mimic_conn conn = {};
	struct frame_spec spec;
	struct conn_key key;
	__u32 space = 0;

	ears_open(&ears, rig);
	for (unsigned int variant = 0; variant < 6; variant++) {
		key = begin(rig, &spec, variant & 1, 0);
		spec.vlans = (__u8)(variant / 2);
		rig_remove_connections(rig);
		space = 0;
		for (__u32 i = 0; i < ARRAY_SIZE(lens); i++) {
			spec.payload_len = lens[i];
			spec.trailer = lens[i] < 10 ? 8 : 0;
			frame_build(&frame, &spec);
			expect(!rig_try_egress(rig->datapath.egress_fd, frame.bytes, frame.len, &own_mark, &run));
			expect_eq(run.verdict, TC_ACT_REDIRECT); /* to nowhere: the sender is not told of a loss */
			conn = get(rig, &key);
			space += (__u32)lens[i];
			if (i) {
				ears_listen(&ears);
				expect_eq(ears.events, 0);
			} else {
				event = ears_expect_reply(&ears, &key, TCP_SYN, conn.c.snd_nxt - 1, 0, 0);
				expect_eq(event->l2.len, frame.l3_off);
				expect(!memcmp(event->l2.bytes, frame.bytes, frame.l3_off));
			}
			expect_held(rig, &spec, &key, i);
			expect_eq(conn.c.held_space, space);
		}
		expect_eq(conn.c.state, CONN_SYN_SENT);
		expect_eq(conn.mark, 42);

		receive(rig, &spec, TCP_SYN | TCP_ACK, ISN, conn.c.snd_nxt, 0, FRAME_CHECK_COMPLETE, MODEL_XDP_DROP);
		event = ears_expect_reply(&ears, &key, TCP_ACK, conn.c.snd_nxt, ISN + 1, 0);
		expect_eq(event->notify, NOTIFY_ESTABLISHED | NOTIFY_RELEASE);
		expect_eq(event->epoch, conn.c.epoch);
		expect_eq(event->release_limit, get(rig, &key).c.release_limit);
		/* Everything may go: 4433 bytes wait, and the window is 0x3400, perhaps less some reserve. */
		expect(seq_diff(event->release_limit, conn.c.held_end) >= 0 &&
		       event->release_limit - (conn.c.held_end - space) <= 0x3400);

		/* One comes back, and leaves with the mark that the flow has. */
		frame_build(&frame, &spec);
		expect(!rig_try_egress(rig->datapath.egress_fd, frame.bytes, frame.len, &marked, &run));
		expect_eq(run.verdict, (uint32_t)TC_ACT_UNSPEC);
		expect_eq(run.mark, 42);
		expect(naive_l4_ok(run.bytes + frame.l3_off, IPPROTO_TCP, run.bytes + frame.l4_off,
				   run.len - frame.l4_off));
		expect_eq(get(rig, &key).c.held, ARRAY_SIZE(lens)); /* until the daemon has sent it */
		/* The peer has announced little so far, so it is asked for more. */
		ears_expect_reply(&ears, &key, TCP_ACK, conn.c.snd_nxt + (__u32)spec.payload_len, ISN + 1, 1);
	}
	ears_close(&ears);
}
END_TEST

/* Without a reader of the perf buffer a datagram is dropped and counted, and the queue stays right. */
START_TEST(test_hold_fails)
{
	struct rig *rig = rig_reset(_i);
	struct rig_counters before, now;
	struct frame_spec spec;
	struct conn_key key = begin(rig, &spec, false, 100);
	struct mimic_conn conn;

	frame_build(&frame, &spec);
	rig_count(rig, &before);
	rig_egress(rig, frame.bytes, frame.len, &run);
	rig_count(rig, &now);
	expect_eq(run.verdict, TC_ACT_SHOT);
	expect_eq(now.value[REASON_DROP_HOLD_FAILED], before.value[REASON_DROP_HOLD_FAILED] + 1);
	conn = get(rig, &key);
	expect_eq(conn.c.held, 0);
	expect_eq(conn.c.held_space, 0);
	/* And with a full daemon. */
	rig->datapath.shared->held_frame_bytes = MIMIC_HELD_TOTAL_BYTES;
	rig_count(rig, &before);
	rig_egress(rig, frame.bytes, frame.len, &run);
	expect_eq(run.verdict, TC_ACT_SHOT);
	rig_expect_counted(rig, &before, REASON_DROP_HOLD_FULL, REASON_NONE);
}
END_TEST

/* Control segments of an established connection, answered or not; data goes on. */
START_TEST(test_established)
{
	struct rig *rig = rig_reset(_i);
	struct mimic_conn conn;
	struct frame_spec spec;
	struct mimic_command_entry tick = {};
	struct conn_key key;

	ears_open(&ears, rig);
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		key = begin(rig, &spec, ipv6, 0);
		tick.key = key;
		conn = rig_established(5000, ISN, 0);
		rig_put(rig, &key, &conn);
		/* keepalive, window probe, pure ACK */
		receive(rig, &spec, TCP_ACK, ISN - 1, 5000, 0, FRAME_CHECK_COMPLETE, MODEL_XDP_DROP);
		ears_expect_reply(&ears, &key, TCP_ACK, 5000, ISN, 0);
		receive(rig, &spec, TCP_ACK, ISN, 5000, 1, FRAME_CHECK_COMPLETE, MODEL_XDP_DROP);
		ears_expect_reply(&ears, &key, TCP_ACK, 5000, ISN + 1, 0);
		receive(rig, &spec, TCP_ACK, ISN + 1, 5000, 0, FRAME_CHECK_COMPLETE, MODEL_XDP_DROP);
		ears_expect_silence(&ears);
		/* A datagram of one byte is data. */
		receive(rig, &spec, TCP_ACK | TCP_PSH, ISN + 1, 5000, 1, FRAME_CHECK_COMPLETE, MODEL_XDP_PASS);
		ears_expect_watch(&ears, &key);
		usleep(1000 * (conn.c.settings.ack_interval_ms + 20U)); /* the clock is coarse */
		for (int i = 0; i < 2; i++) /* the clock acknowledges it, once */
			expect(!datapath_command(&rig->datapath, COMMAND_TICK, &tick, 1));
		ears_expect_reply(&ears, &key, TCP_ACK, 5000, ISN + 2, 0);
		/* A RST is believed with the exact number only, else the peer is asked. */
		receive(rig, &spec, TCP_RST, ISN + 7, 0, 0, FRAME_CHECK_COMPLETE, MODEL_XDP_DROP);
		ears_expect_reply(&ears, &key, TCP_ACK, 5000, ISN + 2, 1);
		expect_eq(get(rig, &key).c.state, CONN_ESTABLISHED);
		receive(rig, &spec, TCP_RST, ISN + 2, 0, 0, FRAME_CHECK_COMPLETE, MODEL_XDP_DROP);
		ears_listen(&ears);
		expect_eq(ears.events, 1);
		expect_eq(ears.event[0].notify, NOTIFY_LOST);
		expect_eq(get(rig, &key).c.state, CONN_IDLE);
	}
	ears_close(&ears);
}
END_TEST

/* Each entry of a command by itself, up to the most that fit; what is not there does no harm. */
START_TEST(test_commands)
{
	struct rig *rig = rig_reset(_i);
	struct mimic_command_entry entry[MIMIC_COMMANDS_MAX] = {};
	struct mimic_conn conn = rig_established(5000, ISN, 0);
	struct frame_spec spec;
	__u64 now_ns = model_now_ns();

	ears_open(&ears, rig);
	for (int i = 0; i < MIMIC_COMMANDS_MAX; i++) {
		begin(rig, &spec, i & 1, 0);
		spec.src_port = (uint16_t)(1000 + i);
		entry[i].key = rig_key(&spec, true);
		conn.c.snd_nxt = 5000 + (__u32)i;
		conn.c.last_use_ns = now_ns;
		conn.c.last_rx_ns = i % 4 ? now_ns : now_ns - 181 * NSEC_PER_SEC; /* a keepalive is due */
		conn.l2 = (struct mimic_l2){ .len = 14, .bytes = { (__u8)i } };
		if (i % 8 != 7)
			rig_put(rig, &entry[i].key, &conn);
	}
	expect(!datapath_command(&rig->datapath, COMMAND_TICK, entry, MIMIC_COMMANDS_MAX));
	ears_listen(&ears);
	expect_eq(ears.events, MIMIC_COMMANDS_MAX / 4);
	for (__u32 i = 0; i < ears.events; i++) {
		expect(!memcmp(&ears.event[i].key, &entry[4 * i].key, sizeof(entry->key)));
		expect_eq(ears.event[i].reply[0].flags, TCP_ACK);
		expect_eq(ears.event[i].reply[0].seq, 5000 + 4 * i - 1);
		expect_eq(ears.event[i].l2.bytes[0], 4 * i);
	}
	/* At once again nothing is due. */
	expect(!datapath_command(&rig->datapath, COMMAND_TICK, entry, MIMIC_COMMANDS_MAX));
	ears_expect_silence(&ears);

	expect(!datapath_command(&rig->datapath, COMMAND_SHUTDOWN, entry, MIMIC_COMMANDS_MAX));
	ears_listen(&ears);
	expect_eq(ears.events, MIMIC_COMMANDS_MAX - MIMIC_COMMANDS_MAX / 8);
	for (size_t i = 0; i < ears.events; i++)
		expect_eq(ears.event[i].reply[0].flags, TCP_RST | TCP_ACK);
	for (int i = 0; i < MIMIC_COMMANDS_MAX; i++)
		expect(!rig_get(rig, &entry[i].key, &conn));
	expect_eq(-datapath_command(&rig->datapath, COMMAND_TICK, entry, MIMIC_COMMANDS_MAX + 1), E2BIG);
	ears_close(&ears);
}
END_TEST

START_TEST(test_command_unhold)
{
	struct rig *rig = rig_reset(_i);
	struct mimic_command_entry entry = {};
	struct mimic_conn conn;
	struct frame_spec spec;

	ears_open(&ears, rig);
	entry.key = begin(rig, &spec, false, 100);
	frame_build(&frame, &spec);
	for (int i = 0; i < 3; i++)
		rig_egress(rig, frame.bytes, frame.len, &run);
	conn = get(rig, &entry.key);
	expect_eq(conn.c.held, 3);
	entry.count = 1;
	entry.payload_len = 100;
	entry.epoch = conn.c.epoch - 1;
	expect(!datapath_command(&rig->datapath, COMMAND_LOST, &entry, 1));
	expect_eq(get(rig, &entry.key).c.held, 3);
	entry.epoch = conn.c.epoch;
	expect(!datapath_command(&rig->datapath, COMMAND_LOST, &entry, 1));
	conn = get(rig, &entry.key);
	expect_eq(conn.c.held, 2);
	expect_eq(conn.c.held_space, 200);
	entry.count = 2;
	entry.payload_len = 200;
	expect(!datapath_command(&rig->datapath, COMMAND_SENT, &entry, 1));
	conn = get(rig, &entry.key);
	expect_eq(conn.c.held, 0);
	expect_eq(conn.c.held_space, 0);
	ears_close(&ears);
}
END_TEST

/* An idle connection that nobody used for long is deleted by its tick. */
START_TEST(test_tick_removes)
{
	struct rig *rig = rig_reset(_i);
	struct mimic_command_entry entry = {};
	struct mimic_conn conn = rig_established(1, 2, 0);
	struct frame_spec spec;

	ears_open(&ears, rig);
	entry.key = begin(rig, &spec, false, 0);
	conn.c.state = CONN_IDLE;
	conn.c.last_use_ns = model_now_ns();
	rig_put(rig, &entry.key, &conn);
	expect(!datapath_command(&rig->datapath, COMMAND_TICK, &entry, 1));
	expect(rig_get(rig, &entry.key, &conn));
	conn.c.last_use_ns -= CONN_IDLE_LINGER_NS;
	rig_put(rig, &entry.key, &conn);
	expect(!datapath_command(&rig->datapath, COMMAND_TICK, &entry, 1));
	expect(!rig_get(rig, &entry.key, &conn));
	ears_expect_silence(&ears);
	ears_close(&ears);
}
END_TEST

static void set_filter(struct rig *rig, const struct addr *addr, __be16 port, enum filter_origin origin,
		       const struct conn_settings *settings)
{
	struct filter filter = { .prefix_len = ADDR_BITS };

	filter_key_make(&filter.key, addr, port, origin);
	expect(!datapath_set_filter(&rig->datapath, &filter, settings));
}

static void remove_filter(struct rig *rig, const struct addr *addr, __be16 port, enum filter_origin origin)
{
	struct filter filter = { .prefix_len = ADDR_BITS };

	filter_key_make(&filter.key, addr, port, origin);
	expect(!datapath_remove_filter(&rig->datapath, &filter));
}

static void refit(struct rig *rig, const struct conn_key *key)
{
	struct mimic_command_entry entry = { .key = *key };

	expect(!datapath_command(&rig->datapath, COMMAND_REFIT, &entry, 1));
}

/* Both ends have a filter, with settings of its own: a connection goes by that of the side which began it. */
START_TEST(test_refit_both_ends)
{
	struct conn_settings local = CONN_SETTINGS_DEFAULT, remote = CONN_SETTINGS_DEFAULT;
	struct rig *rig = rig_reset(_i);

	local.padding = 5;
	local.keepalive_time_s = 7;
	remote.padding = 6;
	ears_open(&ears, rig);
	for (int outgoing = 0; outgoing < 2; outgoing++) {
		const struct conn_settings *own = outgoing ? &local : &remote;
		struct mimic_conn before, after;
		struct frame_spec spec;
		struct conn_key key;

		rig_reset(_i);
		frame_spec_init(&spec, false, payload, 100);
		spec.ethernet = rig->ethernet;
		key = rig_key(&spec, true);
		set_filter(rig, &key.local, key.local_port, ORIGIN_LOCAL, &local);
		set_filter(rig, &key.remote, key.remote_port, ORIGIN_REMOTE, &remote);
		if (outgoing) {
			frame_build(&frame, &spec);
			rig_egress(rig, frame.bytes, frame.len, &run);
		} else {
			receive(rig, &spec, TCP_SYN, ISN, 0, 0, FRAME_CHECK_COMPLETE, MODEL_XDP_DROP);
		}
		before = get(rig, &key);
		expect_eq(before.outgoing, outgoing);
		expect(!memcmp(&before.c.settings, own, sizeof(*own)));
		ears_listen(&ears);
		refit(rig, &key);
		after = get(rig, &key);
		expect(!memcmp(&before, &after, sizeof(before)));
		ears_expect_silence(&ears);
		/* Its filter goes: the other end's takes its place, with another padding. */
		if (outgoing)
			remove_filter(rig, &key.local, key.local_port, ORIGIN_LOCAL);
		else
			remove_filter(rig, &key.remote, key.remote_port, ORIGIN_REMOTE);
		refit(rig, &key);
		ears_listen(&ears);
		expect_eq(ears.events, 1);
		expect_eq(ears.event[0].reply[0].flags, outgoing ? 0 : TCP_RST); /* to who has sent a SYN */
		expect_eq(ears.event[0].notify, outgoing ? NOTIFY_FLUSH : 0);
		expect(!rig_get(rig, &key, &after));
	}
	ears_close(&ears);
}
END_TEST

/* An established connection takes over what it can; another padding, or no filter at all, resets it. */
START_TEST(test_refit_established)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct rig *rig = rig_reset(_i);
	const struct mimic_event *event;
	struct rig_counters before;
	struct mimic_conn conn;
	struct frame_spec spec;
	struct conn_key key;

	ears_open(&ears, rig);
	key = begin(rig, &spec, true, 100);
	for (int i = 0; i < 2; i++) {
		conn = rig_established(7000, ISN, 0);
		rig_put(rig, &key, &conn);
		settings.padding = 0;
		settings.keepalive_time_s = (__u16)(30 + i);
		set_filter(rig, &key.remote, key.remote_port, ORIGIN_REMOTE, &settings);
		refit(rig, &key);
		conn = get(rig, &key);
		expect(!memcmp(&conn.c.settings, &settings, sizeof(settings)));
		expect_eq(conn.c.state, CONN_ESTABLISHED);
		ears_expect_silence(&ears);

		settings.padding = 3;
		if (i)
			set_filter(rig, &key.remote, key.remote_port, ORIGIN_REMOTE, &settings);
		else
			remove_filter(rig, &key.remote, key.remote_port, ORIGIN_REMOTE);
		refit(rig, &key);
		event = ears_expect_reply(&ears, &key, TCP_RST | TCP_ACK, 7000, ISN, 0);
		expect_eq(event->notify, NOTIFY_CLOSED);
		expect(!rig_get(rig, &key, &conn));

		/* A datagram: UDP it stays, or it begins a connection with what is right now. */
		frame_build(&frame, &spec);
		rig_count(rig, &before);
		rig_egress(rig, frame.bytes, frame.len, &run);
		if (i) {
			conn = get(rig, &key);
			expect_eq(conn.c.settings.padding, 3);
		} else {
			expect_eq(run.verdict, (uint32_t)TC_ACT_UNSPEC);
			rig_expect_counted(rig, &before, REASON_NONE, REASON_NONE);
			rig_expect_bytes(rig, "not matched", run.bytes, run.len, frame.bytes, frame.len);
		}
		ears_listen(&ears);
		rig_remove_connections(rig);
		refit(rig, &key); /* of no connection */
		ears_expect_silence(&ears);
	}
	ears_close(&ears);
}
END_TEST

static bool port_is_wanted(const struct rig *rig, __be16 port)
{
	__u16 number = be16_to_host(port);

	return rig->datapath.shared->remote_ports[number >> 3] >> (number & 7) & 1;
}

/* The bit of a port goes with its last filter, and not before the connections. */
START_TEST(test_ports_of_filters)
{
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct rig *rig = rig_reset(_i);
	struct frame_spec spec;
	struct conn_key key = begin(rig, &spec, false, 0);

	begin(rig, &spec, false, 0); /* again: replaced, and counted once */
	set_filter(rig, &key.local, key.remote_port, ORIGIN_REMOTE, &settings);
	remove_filter(rig, &key.remote, key.remote_port, ORIGIN_REMOTE);
	remove_filter(rig, &key.remote, key.remote_port, ORIGIN_REMOTE);
	datapath_drop_ports(&rig->datapath);
	expect(port_is_wanted(rig, key.remote_port));
	remove_filter(rig, &key.local, key.remote_port, ORIGIN_REMOTE);
	expect(port_is_wanted(rig, key.remote_port));
	datapath_drop_ports(&rig->datapath);
	expect(!port_is_wanted(rig, key.remote_port));
}
END_TEST

/* A segment with an open checksum comes from this machine, and its connection is marked for the repair. */
START_TEST(test_open_checksum_is_marked)
{
	struct rig *rig = rig_reset(_i);
	struct frame_spec spec;
	struct conn_key key = begin(rig, &spec, false, 0);
	struct mimic_conn conn = rig_established(5000, ISN, 0);

	rig_put(rig, &key, &conn);
	receive(rig, &spec, TCP_ACK, ISN, 5000, 50, FRAME_CHECK_COMPLETE, MODEL_XDP_PASS);
	expect_eq(get(rig, &key).rx_partial, 0);
	expect_eq(rig->datapath.shared->partial_ns, 0);
	receive(rig, &spec, TCP_ACK, ISN + 50, 5000, 50, FRAME_CHECK_PARTIAL, MODEL_XDP_PASS);
	expect(get(rig, &key).rx_partial > 64);
	expect(rig->datapath.shared->partial_ns);
}
END_TEST

/* A control segment of the daemon leaves: with these flags and numbers, and, but for the mark, as ack and window say. */
static void expect_control(struct rig *rig, const struct frame_spec *flow, __u32 mark, __u8 flags, __u32 seq, __u32 ack, __u32 ack_out,
			   __u16 window_out)
{
	struct __sk_buff ctx = { .mark = mark };
	struct frame_spec spec = *flow;
	struct frame expected;

	spec.proto = IPPROTO_TCP;
	spec.tcp = (struct frame_tcp){ .seq = seq, .ack = ack_out, .window = window_out, .flags = flags };
	frame_build(&expected, &spec);
	spec.tcp.ack = ack;
	spec.tcp.window = 0x2000;
	frame_build(&frame, &spec);
	expect(!rig_try_egress(rig->datapath.egress_fd, frame.bytes, frame.len, &ctx, &run));
	expect_eq(run.verdict, (uint32_t)TC_ACT_UNSPEC);
	expect_eq(run.mark, mark == RIG_RELEASE_MARK ? 0 : mark);
	rig_expect_bytes(rig, "control segment", run.bytes, run.len, expected.bytes, expected.len);
}

/* What the daemon decided on earlier acknowledges what has come since. Only its own, only ACKs, and only of this connection. */
START_TEST(test_control_is_refreshed)
{
	enum { SND = 5000, LATE = 0x2000, FULL = CONN_WINDOW_FULL >> CONN_WINDOW_SCALE };
	struct rig *rig = rig_reset(_i);
	struct frame_spec spec;

	for (unsigned int variant = 0; variant < 8; variant++) {
		struct conn_key key = begin(rig, &spec, variant & 1, 0);
		struct mimic_conn conn = rig_established(SND, ISN, 0);

		spec.vlans = variant / 2 % 3;
		spec.payload_len = variant >= 6; /* a window probe */
		rig_put(rig, &key, &conn);
		expect_control(rig, &spec, RIG_RELEASE_MARK, TCP_ACK, SND, ISN - 7000, ISN, FULL);
		expect_control(rig, &spec, RIG_RELEASE_MARK, TCP_ACK, SND - 300, ISN - 1, ISN, FULL);
		expect_control(rig, &spec, RIG_RELEASE_MARK, TCP_ACK, SND - 1, ISN, ISN, FULL);
		expect_control(rig, &spec, 0, TCP_ACK, SND, ISN - 7000, ISN - 7000, LATE);
		expect_control(rig, &spec, 77, TCP_ACK, SND, ISN - 7000, ISN - 7000, LATE);
		expect_control(rig, &spec, RIG_RELEASE_MARK, TCP_RST, SND, ISN - 7000, ISN - 7000, LATE);
		expect_control(rig, &spec, RIG_RELEASE_MARK, TCP_SYN | TCP_ACK, SND, ISN - 7000, ISN - 7000, LATE);
		expect_control(rig, &spec, RIG_RELEASE_MARK, TCP_ACK, SND + 1, ISN - 7000, ISN - 7000, LATE);
		expect_control(rig, &spec, RIG_RELEASE_MARK, TCP_ACK, SND, ISN + 1, ISN + 1, LATE);
		conn.c.state = CONN_SYN_SENT;
		rig_put(rig, &key, &conn);
		expect_control(rig, &spec, RIG_RELEASE_MARK, TCP_ACK, SND, ISN - 7000, ISN - 7000, LATE);
		rig_remove_connections(rig);
		expect_control(rig, &spec, RIG_RELEASE_MARK, TCP_ACK, SND, ISN - 7000, ISN - 7000, LATE);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("connection");
	TCase *tcase = tcase_create("connection");
	uint64_t seed = 3;

	prng_fill(&seed, payload, sizeof(payload));
	rigs_open();
	tcase_add_loop_test(tcase, test_responder, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_bad_segments, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_initiator_holds, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_hold_fails, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_established, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_commands, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_command_unhold, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_tick_removes, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_refit_both_ends, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_refit_established, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_ports_of_filters, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_open_checksum_is_marked, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_control_is_refreshed, 0, RIG_COUNT);
	suite_add_tcase(suite, tcase);
	return rigs_run(suite);
}
