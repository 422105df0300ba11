/* SPDX-License-Identifier: GPL-2.0-only */
/* What is not ours passes untouched; malformed packets, fragments and what is too big are dropped and counted */
#include <unistd.h>

#include "ears.h"
#include "model.h"
#include "prng.h"

enum {
	TURNS = 20000,
	HEADERS_MAX = 120, /* bytes that get mutated */
	SHORT_SKB = 14 + 40, /* below this BPF_PROG_TEST_RUN may refuse a packet */
};

static __u8 payload[FRAME_MAX];
static struct frame frame;
static struct model model;
static struct rig_run run;
static struct ears ears;

static void make_spec(struct frame_spec *spec, const struct rig *rig, __u8 proto, uint64_t variant)
{
	frame_spec_init(spec, variant & 1, payload, 40 + variant % 7);
	spec->ethernet = rig->ethernet;
	spec->vlans = (__u8)(variant / 2 % 3);
	spec->proto = proto;
	spec->tcp = (struct frame_tcp){ .seq = 77000, .ack = 55000, .window = 0x3000, .flags = TCP_ACK };
	if (spec->ipv6 && variant / 6 % 2) {
		spec->ext_count = 2;
		spec->ext[0] = (struct frame_ext){ .type = IPPROTO_HOPOPTS, .len = 1 };
		spec->ext[1] = (struct frame_ext){ .type = IPPROTO_DSTOPTS };
	} else if (!spec->ipv6) {
		spec->ip_options = (__u8)(variant / 6 % 4);
	}
	if (proto == IPPROTO_TCP)
		rig_turn(spec);
}

/* An established connection of such packets. */
static struct conn_key connect(struct rig *rig, const struct frame_spec *spec, struct mimic_conn *conn)
{
	struct conn_key key = rig_key(spec, spec->proto == IPPROTO_UDP);

	*conn = rig_established(55000, 77000, 0);
	rig_put(rig, &key, conn);
	rig_want_port(rig, &key);
	return key;
}

/* The first bytes of the frame. False: too short to be run here. */
static bool run_egress(const struct rig *rig, size_t len)
{
	int err = rig_try_egress(rig->datapath.egress_fd, frame.bytes, len, NULL, &run);

	expect(!err || (err == -EINVAL && len < SHORT_SKB));
	return !err;
}

static void expect_egress(struct rig *rig, const struct conn_key *key, const struct mimic_conn *conn, size_t len)
{
	struct rig_counters before;

	rig_count(rig, &before);
	rig_put(rig, key, conn);
	if (!run_egress(rig, len))
		return;
	model_egress(&model, rig, key, &conn->c, frame.bytes, len, &run);
	if (model.pkt.later_fragment)
		return; /* depends on those before */
	model_expect(rig, "mutated", &model, &run, TC_ACT_SHOT);
	rig_expect_counted(rig, &before, model.reason, model.second);
	model_expect_conn(rig, "mutated", key, &model);
}

static void expect_ingress(struct rig *rig, const struct conn_key *key, const struct mimic_conn *conn, size_t len)
{
	struct rig_counters before;
	enum reason control;

	rig_count(rig, &before);
	rig_put(rig, key, conn);
	rig_ingress(rig, frame.bytes, len, &run);
	model_ingress(&model, rig, key, &conn->c, frame.bytes, len, false);
	model_expect(rig, "mutated", &model, &run, MODEL_XDP_DROP);
	control = model.eff.reply[0].flags ? REASON_TX_CONTROL : REASON_NONE;
	rig_expect_counted(rig, &before, model.reason, model.second ? model.second : control);
	model_expect_conn(rig, "mutated", key, &model);
}

/* Whatever else is on the interface, with a filter whose port, but not its address, agrees. */
START_TEST(test_not_ours)
{
	static const __u8 protos[] = { IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_UDPLITE, 47 };
	struct rig *rig = rig_reset(_i);
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct rig_counters before;
	uint64_t seed = 1;

	ears_open(&ears, rig);
	rig_count(rig, &before);
	for (uint64_t i = 0; i < 2000; i++) {
		struct frame_spec spec;
		struct conn_key key;

		make_spec(&spec, rig, IPPROTO_UDP, i);
		key = rig_key(&spec, true);
		key.remote.word[3] ^= 1;
		rig_add_filter(rig, &key, &settings);
		spec.proto = protos[i % ARRAY_SIZE(protos)];
		spec.vlans = (__u8)prng_below(&seed, 5);
		if (spec.proto != IPPROTO_UDP)
			spec.src_port = spec.dst_port;
		spec.trailer = prng_below(&seed, 10);
		frame_build(&frame, &spec);
		rig_egress(rig, frame.bytes, frame.len, &run);
		expect_eq(run.verdict, (uint32_t)TC_ACT_UNSPEC);
		rig_expect_bytes(rig, "egress", run.bytes, run.len, frame.bytes, frame.len);
		rig_ingress(rig, frame.bytes, frame.len, &run);
		expect_eq(run.verdict, MODEL_XDP_PASS);
		rig_expect_bytes(rig, "ingress", run.bytes, run.len, frame.bytes, frame.len);
	}
	rig_expect_counted(rig, &before, REASON_NONE, REASON_NONE);
	ears_expect_silence(&ears);
	ears_close(&ears);
}
END_TEST

/* The segment passes untouched, and so many strays are told of. */
static void expect_stray(struct rig *rig, struct frame_spec *spec, __u8 flags, size_t strays)
{
	spec->tcp.flags = flags;
	frame_build(&frame, spec);
	rig_ingress(rig, frame.bytes, frame.len, &run);
	expect_eq(run.verdict, MODEL_XDP_PASS);
	rig_expect_bytes(rig, "stray", run.bytes, run.len, frame.bytes, frame.len);
	ears_listen(&ears);
	expect_eq(ears.events, 0);
	expect_eq(ears.strays, strays);
}

/* SYNs that no filter is for: one in a second is told of; nothing else is. */
START_TEST(test_stray)
{
	static const __u8 others[] = { TCP_ACK, TCP_SYN | TCP_ACK, TCP_RST, TCP_RST | TCP_ACK, TCP_FIN | TCP_ACK, TCP_PSH | TCP_ACK,
				       TCP_SYN | TCP_FIN, 0 };
	struct rig *rig = rig_reset(_i);
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;

	ears_open(&ears, rig);
	for (uint64_t variant = 0; variant < 24; variant++) {
		struct frame_spec spec;
		struct conn_key key;

		make_spec(&spec, rig, IPPROTO_TCP, variant);
		key = rig_key(&spec, false);
		if (variant & 1) { /* the port of a filter, with another address */
			key.remote.word[3] ^= 1;
			rig_add_filter(rig, &key, &settings);
			key.remote.word[3] ^= 1;
		}
		rig->datapath.shared->stray_ns = 0;
		for (size_t i = 0; i < ARRAY_SIZE(others); i++)
			expect_stray(rig, &spec, others[i], 0);
		expect_stray(rig, &spec, TCP_SYN, 1);
		expect(!memcmp(&ears.stray.key, &key, sizeof(key)));
		expect(rig->datapath.shared->stray_ns);
		for (int i = 0; i < 100; i++)
			expect_stray(rig, &spec, TCP_SYN, 0);
		rig->datapath.shared->stray_ns -= MIMIC_STRAY_NS;
		expect_stray(rig, &spec, TCP_SYN | TCP_PSH, 1);
	}
	ears_close(&ears);
}
END_TEST

/* Nor is a SYN told of that a filter is for. */
START_TEST(test_no_stray)
{
	struct rig *rig = rig_reset(_i);
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct frame_spec spec;
	struct conn_key key;

	make_spec(&spec, rig, IPPROTO_TCP, 0);
	spec.payload_len = 0;
	spec.tcp.flags = TCP_SYN;
	key = rig_key(&spec, false);
	rig_add_filter(rig, &key, &settings);
	frame_build(&frame, &spec);
	ears_open(&ears, rig);
	rig_ingress(rig, frame.bytes, frame.len, &run);
	expect_eq(run.verdict, MODEL_XDP_DROP);
	ears_listen(&ears);
	expect_eq(ears.strays, 0);
	expect_eq(ears.events, 1);
	ears_close(&ears);
}
END_TEST

/* Bytes without any meaning, and ours with the wrong protocol for the direction. */
START_TEST(test_noise)
{
	struct rig *rig = rig_reset(_i);
	struct rig_counters before;
	uint64_t seed = 2;

	memset(rig->datapath.shared->remote_ports, 0xff, sizeof(rig->datapath.shared->remote_ports));
	rig_count(rig, &before);
	for (uint64_t i = 0; i < TURNS; i++) {
		size_t len = 14 + prng_below(&seed, 200);

		prng_fill(&seed, frame.bytes, len);
		if (i & 1)
			naive_put16(frame.bytes + 12, i & 2 ? 0x0800 : 0x86dd);
		if (i & 4)
			frame.bytes[rig->ethernet ? 14 : 0] = i & 2 ? 0x45 : 0x60;
		if (run_egress(rig, len)) {
			expect_eq(run.verdict, (uint32_t)TC_ACT_UNSPEC);
			rig_expect_bytes(rig, "egress", run.bytes, run.len, frame.bytes, len);
		}
		rig_ingress(rig, frame.bytes, len, &run);
		expect_eq(run.verdict, MODEL_XDP_PASS);
		rig_expect_bytes(rig, "ingress", run.bytes, run.len, frame.bytes, len);
	}
	rig_expect_counted(rig, &before, REASON_NONE, REASON_NONE);
}
END_TEST

/* Frames that end anywhere, in a header or in the payload. */
START_TEST(test_truncated)
{
	struct rig *rig = rig_reset(_i);
	struct mimic_conn conn;
	struct frame_spec spec;
	struct conn_key key;

	for (uint64_t variant = 0; variant < 24; variant++) {
		make_spec(&spec, rig, IPPROTO_UDP, variant);
		frame_build(&frame, &spec);
		key = connect(rig, &spec, &conn);
		for (size_t len = 14; len <= frame.len; len++)
			expect_egress(rig, &key, &conn, len);
		make_spec(&spec, rig, IPPROTO_TCP, variant);
		frame_build(&frame, &spec);
		key = connect(rig, &spec, &conn);
		for (size_t len = 14; len <= frame.len; len++)
			expect_ingress(rig, &key, &conn, len);
	}
}
END_TEST

/* Up to three bytes of the headers are something else, mostly those that hold lengths. */
static void mutate(uint64_t *seed)
{
	size_t max = frame.len < HEADERS_MAX ? frame.len : HEADERS_MAX;
	__u32 bytes = 1 + prng_below(seed, 3);

	for (__u32 i = 0; i < bytes; i++) {
		size_t at = prng_below(seed, 3) ? frame.l3_off + prng_below(seed, (__u32)(max - frame.l3_off)) :
						  prng_below(seed, (__u32)max);

		if (prng_below(seed, 2))
			frame.bytes[at] = (__u8)prng_next(seed);
		else
			frame.bytes[at] ^= (__u8)(1 << prng_below(seed, 8));
	}
}

START_TEST(test_mutated_out)
{
	struct rig *rig = rig_reset(_i);
	uint64_t seed = env_number("SEED", 100) + (uint64_t)_i;
	struct mimic_conn conn;
	struct frame_spec spec;
	struct conn_key key;

	for (int i = 0; i < TURNS; i++) {
		make_spec(&spec, rig, IPPROTO_UDP, prng_next(&seed));
		spec.check = (enum frame_check)prng_below(&seed, 2);
		frame_build(&frame, &spec);
		key = connect(rig, &spec, &conn);
		mutate(&seed);
		expect_egress(rig, &key, &conn, frame.len);
	}
}
END_TEST

START_TEST(test_mutated_in)
{
	struct rig *rig = rig_reset(_i);
	uint64_t seed = env_number("SEED", 200) + (uint64_t)_i;
	static const __u8 flags[] = { TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH, TCP_SYN, TCP_RST, TCP_FIN | TCP_ACK };
	struct mimic_conn conn;
	struct frame_spec spec;
	struct conn_key key;

	for (int i = 0; i < TURNS; i++) {
		make_spec(&spec, rig, IPPROTO_TCP, prng_next(&seed));
		spec.tcp.flags = flags[prng_below(&seed, ARRAY_SIZE(flags))];
		spec.tcp.options_len = (__u8)(4 * prng_below(&seed, 11));
		spec.tcp.seq += prng_below(&seed, 3) - 1;
		memset(spec.tcp.options, TCPOPT_NOP, sizeof(spec.tcp.options));
		spec.payload_len = prng_below(&seed, 4) ? spec.payload_len : prng_below(&seed, 3);
		frame_build(&frame, &spec);
		key = connect(rig, &spec, &conn);
		conn.c.settings.padding = (__u8)prng_below(&seed, 4);
		if (prng_below(&seed, 4))
			mutate(&seed);
		expect_ingress(rig, &key, &conn, frame.len);
	}
}
END_TEST

/* The first fragment has ports; the rest of the datagram follows it. */
START_TEST(test_fragments)
{
	struct rig *rig = rig_reset(_i);
	struct rig_counters before;
	struct frame_spec spec;
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct conn_key key;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		frame_spec_init(&spec, ipv6, payload, 64);
		spec.ethernet = rig->ethernet;
		key = rig_key(&spec, true);
		rig_add_filter(rig, &key, &settings);
		spec.ext_count = ipv6 ? 1 : 0;
		for (unsigned int piece = 0; piece < 3; piece++) {
			spec.ext[0] = (struct frame_ext){ .type = IPPROTO_FRAGMENT,
							  .frag_off = (uint16_t)(piece * 9 << 3 | (piece < 2)) };
			spec.frag_off = (uint16_t)(piece * 9 | (piece < 2) << 13);
			spec.proto = piece ? IPPROTO_UDPLITE : IPPROTO_UDP; /* no header in later ones */
			frame_build(&frame, &spec);
			/* In IPv6, headers may follow in the first one, and all name the first of those. */
			frame.bytes[frame.proto_off] = ipv6 && piece == 2 ? IPPROTO_DSTOPTS : IPPROTO_UDP;
			rig_count(rig, &before);
			rig_egress(rig, frame.bytes, frame.len, &run);
			expect_eq(run.verdict, TC_ACT_SHOT);
			rig_expect_counted(rig, &before, REASON_DROP_FRAGMENT, REASON_NONE);
		}
		/* Of another datagram, whose first fragment was none of ours. */
		frame.bytes[ipv6 ? frame.proto_off + 7 : frame.l3_off + 5] ^= 1;
		rig_egress(rig, frame.bytes, frame.len, &run);
		expect_eq(run.verdict, (uint32_t)TC_ACT_UNSPEC);
		rig_expect_bytes(rig, "fragment", run.bytes, run.len, frame.bytes, frame.len);
	}
}
END_TEST

/* Fragments of a segment: without the first one the host's TCP cannot put it together. */
START_TEST(test_fragments_in)
{
	struct rig *rig = rig_reset(_i);
	struct rig_counters before;
	struct frame_spec spec;
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct conn_key key;

	for (unsigned int variant = 0; variant < 8; variant++) {
		bool ipv6 = variant & 1, later = variant & 2, ours = variant & 4, dropped = ours && !later;

		frame_spec_init(&spec, ipv6, payload, 64);
		spec.ethernet = rig->ethernet;
		spec.proto = IPPROTO_TCP;
		key = rig_key(&spec, false);
		key.remote.word[3] ^= !ours;
		datapath_clear_filters(&rig->datapath);
		rig_add_filter(rig, &key, &settings);
		spec.ext_count = ipv6 ? 1 : 0;
		spec.ext[0] = (struct frame_ext){ .type = IPPROTO_FRAGMENT, .frag_off = later ? 9 << 3 : 1 };
		spec.frag_off = later ? 9 : 1 << 13;
		frame_build(&frame, &spec);
		rig_count(rig, &before);
		rig_ingress(rig, frame.bytes, frame.len, &run);
		expect_eq(run.verdict, dropped ? MODEL_XDP_DROP : MODEL_XDP_PASS);
		rig_expect_counted(rig, &before, dropped ? REASON_DROP_RX_FRAGMENT : REASON_NONE, REASON_NONE);
		if (!dropped)
			rig_expect_bytes(rig, "fragment", run.bytes, run.len, frame.bytes, frame.len);
	}
}
END_TEST

/* The message that a router would send about the frame, made of its first bytes. */
static void expect_icmp(const struct rig *rig, bool ipv6, __u16 mtu)
{
	size_t head = frame.l4_off + 8 - frame.l3_off, ip_len = ipv6 ? 40 : 20;
	const __u8 *ip = run.bytes + frame.l3_off, *icmp = ip + ip_len, *was = frame.bytes + frame.l3_off;

	expect_eq(run.len, frame.l3_off + ip_len + 8 + head);
	if (rig->ethernet) {
		rig_expect_bytes(rig, "source MAC", run.bytes + 6, 6, frame.bytes, 6);
		rig_expect_bytes(rig, "destination MAC", run.bytes, 6, frame.bytes + 6, 6);
	}
	rig_expect_bytes(rig, "quote", icmp + 8, head, was, head);
	if (ipv6) {
		expect_eq(naive_get16(ip + 4), 8 + head);
		rig_expect_bytes(rig, "source", ip + 8, 16, was + 24, 16);
		rig_expect_bytes(rig, "destination", ip + 24, 16, was + 8, 16);
		expect_eq(naive_get16(icmp), 2 << 8);
		expect_eq(naive_get32(icmp + 4), mtu);
		expect(naive_l4_ok(ip, IPPROTO_ICMPV6, icmp, 8 + head));
	} else {
		expect_eq(naive_get16(ip + 2), 28 + head);
		expect(naive_ipv4_header_ok(ip));
		rig_expect_bytes(rig, "source", ip + 12, 4, was + 16, 4);
		rig_expect_bytes(rig, "destination", ip + 16, 4, was + 12, 4);
		expect_eq(naive_get16(icmp), 3 << 8 | 4);
		expect_eq(naive_get32(icmp + 4), mtu);
		expect_eq(naive_fold(naive_sum(icmp, 8 + head)), 0xffff);
	}
}

/* Ethernet only: BPF_PROG_TEST_RUN has no skb without an L2 header for bpf_skb_adjust_room(). */
START_TEST(test_too_big)
{
	struct rig *rig = rig_reset(_i == 0 ? RIG_FULL_ETHERNET : RIG_PLAIN_ETHERNET);
	struct rig_counters before;
	struct frame_spec spec;
	struct mimic_conn conn;
	struct conn_key key;
	int silent;

	ears_open(&ears, rig);
	rig->datapath.shared->mtu = 1400;
	for (unsigned int variant = 0; variant < 16; variant++) {
		bool ipv6 = variant & 1, df = variant & 2, tag = variant & 4;
		size_t fits = 1400 - (ipv6 ? 40U : 20U) - 20 - 3;

		frame_spec_init(&spec, ipv6, payload, fits);
		spec.vlans = tag;
		spec.frag_off = df ? 0x4000 : 0;
		key = rig_key(&spec, true);
		conn = rig_established(1, 2, 3);
		rig_put(rig, &key, &conn);
		rig_want_port(rig, &key);
		frame_build(&frame, &spec);
		rig_egress(rig, frame.bytes, frame.len, &run);
		expect_eq(run.verdict, (uint32_t)TC_ACT_UNSPEC);

		spec.payload_len++;
		frame_build(&frame, &spec);
		usleep(15000); /* one message in a coarse millisecond */
		ears_listen(&ears);
		rig_count(rig, &before);
		rig_egress(rig, frame.bytes, frame.len, &run);
		ears_listen(&ears);
		expect_eq(ears.events, 1);
		expect_eq(ears.event[0].notify, NOTIFY_TOO_BIG);
		expect_eq(ears.event[0].too_big, 1400 - 12 - 3);
		expect(!memcmp(&ears.event[0].key, &key, sizeof(key)));
		if (tag || !(df || ipv6)) {
			expect_eq(run.verdict, TC_ACT_SHOT);
			rig_expect_counted(rig, &before, REASON_DROP_TOO_BIG, REASON_NONE);
		} else {
			expect_eq(run.verdict, TC_ACT_REDIRECT);
			rig_expect_counted(rig, &before, REASON_DROP_TOO_BIG, REASON_TX_TOO_BIG_SENT);
			expect_icmp(rig, ipv6, 1400 - 12 - 3);
		}
		/* Again and again: dropped, and nothing said more often than once in a tick of the clock. */
		for (int i = silent = 0; i < 50; i++) {
			rig_egress(rig, frame.bytes, frame.len, &run);
			silent += run.verdict == TC_ACT_SHOT;
		}
		expect(silent > 0);
	}
	ears_close(&ears);
}
END_TEST

/* Superpackets and what cannot be taken out of CHECKSUM_PARTIAL go to the staging device, once, and come back. */
START_TEST(test_staging)
{
	struct rig *rig = rig_reset(_i);
	struct __sk_buff superpacket = { .gso_size = 20, .gso_segs = 2 }, returned = { .mark = RIG_STAGED_MARK };
	struct rig_counters before;
	struct mimic_conn conn;
	struct frame_spec spec;
	struct conn_key key;

	make_spec(&spec, rig, IPPROTO_UDP, 0);
	key = connect(rig, &spec, &conn);
	frame_build(&frame, &spec);
	rig_count(rig, &before);
	expect(!rig_try_egress(rig->datapath.egress_fd, frame.bytes, frame.len, &superpacket, &run));
	expect_eq(run.verdict, TC_ACT_SHOT);
	rig_expect_counted(rig, &before, REASON_DROP_NO_STAGING, REASON_NONE);

	rig->datapath.shared->staging_ifindex = 1;
	rig_count(rig, &before);
	expect(!rig_try_egress(rig->datapath.egress_fd, frame.bytes, frame.len, &superpacket, &run));
	expect_eq(run.verdict, TC_ACT_REDIRECT);
	rig_expect_counted(rig, &before, REASON_TX_STAGED, REASON_NONE);
	if (rig->ethernet) {
		rig_expect_bytes(rig, "staged", run.bytes, run.len, frame.bytes, frame.len);
	} else { /* with an Ethernet header for the way */
		expect_eq(naive_get16(run.bytes + 12), 0x0800);
		rig_expect_bytes(rig, "staged", run.bytes + 14, run.len - 14, frame.bytes, frame.len);
	}
	superpacket.mark = RIG_STAGED_MARK; /* never a second time */
	rig_count(rig, &before);
	expect(!rig_try_egress(rig->datapath.egress_fd, frame.bytes, frame.len, &superpacket, &run));
	expect_eq(run.verdict, TC_ACT_SHOT);
	rig_expect_counted(rig, &before, REASON_DROP_TRANSFORM, REASON_NONE);

	expect(!rig_try_egress(rig->datapath.staged_fd, frame.bytes, frame.len, NULL, &run));
	expect_eq(run.verdict, TC_ACT_REDIRECT);
	expect_eq(run.mark, RIG_STAGED_MARK);
	/* What came back carries the flow's own mark in the end. */
	conn.mark = 1234;
	rig_put(rig, &key, &conn);
	expect(!rig_try_egress(rig->datapath.egress_fd, frame.bytes, frame.len, &returned, &run));
	expect_eq(run.verdict, (uint32_t)TC_ACT_UNSPEC);
	expect_eq(run.mark, 1234);

	if (rig->sees_ip_summed || !rig->ethernet)
		return;
	spec.vlans = 1;
	spec.check = FRAME_CHECK_PARTIAL;
	frame_build(&frame, &spec);
	rig_count(rig, &before);
	rig_egress(rig, frame.bytes, frame.len, &run);
	expect_eq(run.verdict, TC_ACT_REDIRECT);
	rig_expect_counted(rig, &before, REASON_TX_STAGED, REASON_NONE);
}
END_TEST

/* A segment longer than the MTU was merged in front of generic XDP; native XDP sees none. */
START_TEST(test_merged)
{
	struct rig *rig = rig_reset(_i);
	struct rig_counters before;
	struct mimic_conn conn;
	struct frame_spec spec;

	for (int native = 0; native < 2; native++) {
		make_spec(&spec, rig, IPPROTO_TCP, 0);
		spec.payload_len = 1000;
		connect(rig, &spec, &conn);
		frame_build(&frame, &spec);
		rig->datapath.shared->mtu = 1000 + 20 + 20 - 1;
		rig->datapath.shared->xdp_native = (__u32)native;
		rig_count(rig, &before);
		rig_ingress(rig, frame.bytes, frame.len, &run);
		expect_eq(run.verdict, native ? MODEL_XDP_PASS : MODEL_XDP_DROP);
		rig_expect_counted(rig, &before, native ? REASON_RX_DATA : REASON_DROP_RX_MERGED, REASON_NONE);
		rig->datapath.shared->mtu++;
		rig_ingress(rig, frame.bytes, frame.len, &run);
		expect_eq(run.verdict, MODEL_XDP_PASS);
	}
}
END_TEST

/* One that is no longer than the MTU is known by the skb alone, at TC ingress. */
START_TEST(test_merged_short)
{
	struct rig *rig = rig_reset(_i);
	struct __sk_buff superpacket = { .gso_size = 20, .gso_segs = 2 };
	struct rig_counters before;
	struct mimic_conn conn;
	struct frame_spec spec;
	struct conn_key key;

	for (unsigned int variant = 0; variant < 8; variant++) {
		bool native = variant & 1, ours = variant & 2, merged = variant & 4, dropped = ours && merged && !native;

		frame_spec_init(&spec, false, payload, 40);
		spec.ethernet = rig->ethernet;
		key = rig_key(&spec, false);
		rig_remove_connections(rig);
		conn = rig_established(1, 2, 0);
		rig_want_port(rig, &key);
		if (ours)
			rig_put(rig, &key, &conn);
		frame_build(&frame, &spec);
		rig->datapath.shared->xdp_native = native;
		rig_count(rig, &before);
		expect(!rig_try_egress(rig->datapath.repair_fd, frame.bytes, frame.len, merged ? &superpacket : NULL, &run));
		expect_eq(run.verdict, dropped ? TC_ACT_SHOT : (uint32_t)TC_ACT_UNSPEC);
		rig_expect_counted(rig, &before, dropped ? REASON_DROP_RX_MERGED : REASON_NONE, REASON_NONE);
	}
}
END_TEST

/* A restored datagram of a connection whose segments come with an open checksum. */
START_TEST(test_repair)
{
	struct rig *rig = rig_reset(_i == 0 ? RIG_FULL_ETHERNET : RIG_PLAIN_ETHERNET);
	enum reason repaired = rig->sees_ip_summed ? REASON_NONE : REASON_RX_PARTIAL_REPAIRED;
	struct rig_counters before;
	struct mimic_conn conn;
	struct frame_spec spec;
	struct conn_key key;

	rig->datapath.shared->partial_ns = ~0ull >> 1; /* not long ago, ever */
	for (size_t len = 0; len < 200; len++) {
		frame_spec_init(&spec, len & 1, payload, len);
		rig_turn(&spec);
		key = rig_key(&spec, false);
		conn = rig_established(1, 2, 0);
		conn.rx_partial = len & 2 ? 1 : 0;
		rig_put(rig, &key, &conn);
		rig_want_port(rig, &key);
		frame_build(&frame, &spec);
		rig_count(rig, &before);
		expect(!rig_try_egress(rig->datapath.repair_fd, frame.bytes, frame.len, NULL, &run));
		expect_eq(run.verdict, (uint32_t)TC_ACT_UNSPEC);
		rig_expect_bytes(rig, rig_describe(&spec), run.bytes, run.len, frame.bytes, frame.len);
		rig_expect_counted(rig, &before, conn.rx_partial ? repaired : REASON_NONE, REASON_NONE);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("verdicts");
	TCase *tcase = tcase_create("verdicts");
	uint64_t seed = 3;

	prng_fill(&seed, payload, sizeof(payload));
	rigs_open();
	tcase_add_loop_test(tcase, test_not_ours, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_stray, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_no_stray, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_noise, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_truncated, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_mutated_out, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_mutated_in, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_fragments, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_too_big, 0, 2);
	tcase_add_loop_test(tcase, test_staging, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_fragments_in, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_merged, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_merged_short, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_repair, 0, 2);
	suite_add_tcase(suite, tcase);
	return rigs_run(suite);
}
