/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP errors through the XDP program, byte for byte: which are handed up as errors about datagrams, dropped, or passed */
#include "core/icmp.h"
#include "icmp_builder.h"
#include "model.h"
#include "prng.h"

enum {
	SEQ = 0xfffffff0, /* of the quoted segments; wraps */
	ACK = 0x22222222,
};

static __u8 payload[FRAME_MAX];
static struct frame frame;
static struct rig_run run;
static struct icmp_built built, turned;

/* What surrounds the message. */
struct outer {
	__u8 vlans, ip_options, ext_count;
	bool fragment;
};

static void make_spec(struct icmp_spec *spec, bool ipv6, unsigned int layout, size_t len)
{
	icmp_spec_init(spec, ipv6, layout, payload, len);
	spec->quoted.proto = IPPROTO_TCP;
	spec->quoted.tcp = (struct frame_tcp){ .seq = SEQ, .ack = ACK, .window = 0x3000, .flags = TCP_ACK };
}

/* From the router to who sent what is quoted. */
static void wrap(const struct rig *rig, const struct icmp_spec *spec, const struct icmp_built *msg,
		 const struct outer *outer)
{
	struct frame_spec frame_spec;

	frame_spec_init(&frame_spec, spec->quoted.ipv6, msg->bytes, msg->len);
	frame_spec.ethernet = rig->ethernet;
	frame_spec.proto = spec->quoted.ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	frame_spec.vlans = outer->vlans;
	frame_spec.ip_options = outer->ip_options;
	frame_spec.ext_count = outer->ext_count;
	frame_spec.ext[0] = (struct frame_ext){ .type = outer->fragment ? IPPROTO_FRAGMENT : IPPROTO_HOPOPTS };
	frame_spec.ext[0].frag_off = outer->fragment;
	frame_spec.ext[1] = (struct frame_ext){ .type = IPPROTO_DSTOPTS };
	frame_spec.frag_off = outer->fragment ? 0x2000 : 0;
	memcpy(frame_spec.src, spec->router, 16);
	memcpy(frame_spec.dst, spec->quoted.src, 16);
	frame_spec.trailer = 3;
	frame_build(&frame, &frame_spec);
}

static struct conn_key put(struct rig *rig, const struct icmp_spec *spec, const struct mimic_conn *conn)
{
	struct conn_key key = rig_key(&spec->quoted, true);

	rig_put(rig, &key, conn);
	rig_want_port(rig, &key);
	return key;
}

static struct mimic_conn sent_conn(__u8 padding)
{
	struct mimic_conn conn = rig_established(SEQ + 1, ACK, padding);

	conn.c.snd_una = conn.c.lately_nxt = conn.c.earlier_nxt = SEQ;
	conn.c.sent_ns = model_now_ns() + 3600 * NSEC_PER_SEC; /* just now, however slow the machine is */
	return conn;
}

/* linear: as of rig_try_ingress(). */
static void expect_run(struct rig *rig, const char *what, uint32_t verdict, enum reason reason, const struct frame *expected,
		       size_t linear)
{
	struct rig_counters before;

	rig_count(rig, &before);
	expect_eq(-rig_try_ingress(rig, frame.bytes, frame.len, linear, &run), 0);
	if (run.verdict != verdict)
		ck_abort_msg("%s: %s: verdict %d, expected %d", rig->name, what, (int)run.verdict, (int)verdict);
	rig_expect_counted(rig, &before, reason, REASON_NONE);
	if (verdict == MODEL_XDP_PASS)
		rig_expect_bytes(rig, what, run.bytes, run.len, expected->bytes, expected->len);
}

/* The message comes up as one about the datagram; mtu: what it says then. */
static void expect_turned(struct rig *rig, const struct icmp_spec *spec, const struct outer *outer, __u8 padding, __u32 mtu,
			  size_t linear)
{
	static struct frame expected;

	icmp_build_turned(&turned, spec, padding, mtu);
	wrap(rig, spec, &turned, outer);
	expected = frame;
	icmp_build(&built, spec);
	wrap(rig, spec, &built, outer);
	expect_run(rig, rig_describe(&spec->quoted), MODEL_XDP_PASS, REASON_RX_ICMP, &expected, linear);
}

static void expect_untouched(struct rig *rig, const char *what, const struct icmp_spec *spec, const struct outer *outer)
{
	static struct frame expected;

	icmp_build(&built, spec);
	wrap(rig, spec, &built, outer);
	expected = frame;
	expect_run(rig, what, MODEL_XDP_PASS, REASON_NONE, &expected, 0);
}

static void expect_dropped(struct rig *rig, const char *what, const struct icmp_spec *spec)
{
	static const struct outer plain;

	icmp_build(&built, spec);
	wrap(rig, spec, &built, &plain);
	expect_run(rig, what, MODEL_XDP_DROP, REASON_DROP_RX_ICMP, NULL, 0);
}

START_TEST(test_turned)
{
	static const __u8 settings[] = { 0, 1, 7, PADDING_MAX, PADDING_RANDOM };
	struct rig *rig = rig_reset(_i);
	struct icmp_spec spec;

	for (unsigned int layout = 0; layout < 11; layout++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(settings); i++) {
			__u8 setting = settings[i];
			bool is_random = setting == PADDING_RANDOM;
			__u8 padding = is_random ? (__u8)((SEQ + (__u32)ACK) % 11) : setting;
			__u32 mtu = 1400U - 12 - (is_random ? 10 : setting);
			struct mimic_conn conn = sent_conn(setting);

			for (unsigned int variant = 0; variant < 6; variant++) {
				struct outer outer = { .vlans = (__u8)(variant / 2) };
				bool ipv6 = variant & 1;
				size_t headers;

				outer.ip_options = (__u8)((layout + i) % 11);
				outer.ext_count = (__u8)((layout + i) % 3);
				make_spec(&spec, ipv6, layout, 1000);
				put(rig, &spec, &conn);
				icmp_build(&built, &spec);
				headers = built.l4_off - 8;
				expect_turned(rig, &spec, &outer, padding, mtu, 0);
				for (size_t more = 8; more < 24; more += 1 + more % 3) {
					spec.quote_len = headers + more;
					expect_turned(rig, &spec, &outer, padding, mtu, 0);
				}
				spec.quote_len = 1200;
				for (spec.quoted.payload_len = 0; spec.quoted.payload_len < 40;
				     spec.quoted.payload_len += 1 + spec.quoted.payload_len % 5)
					expect_turned(rig, &spec, &outer, padding, mtu, 0);
			}
		}
	}
}
END_TEST

/* All types and codes; native or not makes no difference. */
START_TEST(test_types)
{
	struct rig *rig = rig_reset(_i);
	struct mimic_conn conn = sent_conn(0);
	struct outer outer = {};
	struct icmp_spec spec;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		make_spec(&spec, ipv6, 0, 300);
		put(rig, &spec, &conn);
		for (unsigned int type = 0; type < 256; type++) {
			struct icmp_header head = { .type = (__u8)type };

			spec.type = (__u8)type;
			rig->datapath.shared->xdp_native = type & 1;
			for (spec.code = 0; spec.code < 17; spec.code++) {
				bool too_big = ipv6 ? type == 2 : type == 3 && spec.code == 4;

				if (icmp_is_error(&head, ipv6))
					expect_turned(rig, &spec, &outer, 0, too_big ? 1388 : 1400, 0);
				else
					expect_untouched(rig, "type", &spec, &outer);
			}
		}
	}
}
END_TEST

/* What was damaged is handed up, as wrong as it was: the IP stack drops it. */
START_TEST(test_damaged)
{
	struct rig *rig = rig_reset(_i);
	struct mimic_conn conn = sent_conn(3);
	struct outer outer = {};
	struct icmp_spec spec;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		make_spec(&spec, ipv6, 1, 300);
		put(rig, &spec, &conn);
		spec.wrong = true;
		icmp_build(&built, &spec);
		wrap(rig, &spec, &built, &outer);
		rig_ingress(rig, frame.bytes, frame.len, &run);
		expect_eq(run.verdict, MODEL_XDP_PASS);
		memcpy(turned.bytes, run.bytes + frame.l4_off, built.len);
		turned.len = built.len;
		expect(icmp_built_check(&built, &spec) != 0);
		expect_eq(icmp_built_check(&turned, &spec), icmp_built_check(&built, &spec));
		expect_eq(turned.bytes[built.proto_off], IPPROTO_UDP);
	}
}
END_TEST

/* Frames with fragments: in front of, inside and behind the quote. */
START_TEST(test_multi_buffer)
{
	struct rig *rig = rig_reset(_i);
	struct mimic_conn conn = sent_conn(0);
	struct outer outer = {};
	struct icmp_spec spec;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		make_spec(&spec, ipv6, 2, 1000);
		put(rig, &spec, &conn);
		icmp_build(&built, &spec);
		wrap(rig, &spec, &built, &outer);
		for (size_t linear = frame.l4_off; linear < frame.l4_off + 200; linear++)
			expect_turned(rig, &spec, &outer, 0, 1388, linear);
	}
}
END_TEST

START_TEST(test_numbers)
{
	struct rig *rig = rig_reset(_i);
	struct outer outer = {};
	struct icmp_spec spec;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct mimic_conn conn = sent_conn(0), now;
		struct conn_key key;

		conn.c.snd_nxt = SEQ + 10000;
		make_spec(&spec, ipv6, 0, 300);
		key = put(rig, &spec, &conn);
		spec.quoted.tcp.seq = SEQ + 9999;
		expect_turned(rig, &spec, &outer, 0, 1388, 0);
		spec.quoted.tcp.seq = SEQ;
		expect_turned(rig, &spec, &outer, 0, 1388, 0);
		spec.quoted.tcp.seq = SEQ - ICMP_GUESS - 1;
		expect_dropped(rig, "old number", &spec);
		spec.quoted.tcp.seq = SEQ + 10000;
		expect_dropped(rig, "next number", &spec);
		spec.quoted.tcp.seq = SEQ + 0x80000000;
		expect_dropped(rig, "far number", &spec);
		/* Nothing changes a connection, believed or not. */
		expect(rig_get(rig, &key, &now));
		rig_expect_bytes(rig, "connection", (const __u8 *)&now.c, sizeof(now.c), (const __u8 *)&conn.c,
				 sizeof(conn.c));
		/* Too long ago. */
		conn.c.sent_ns = model_now_ns() - 2 * CONN_LATELY_NS;
		rig_put(rig, &key, &conn);
		spec.quoted.tcp.seq = SEQ + 9999;
		expect_dropped(rig, "what was sent long ago", &spec);
		/* Of a handshake, the SYN. */
		conn.c.state = CONN_SYN_SENT;
		rig_put(rig, &key, &conn);
		spec.quoted.tcp.flags = TCP_SYN;
		spec.quoted.tcp.options_len = 12;
		spec.quoted.payload_len = 0;
		spec.quoted.tcp.seq = SEQ + 10000;
		expect_dropped(rig, "other SYN", &spec);
		spec.quoted.tcp.seq = SEQ + 9999;
		expect_turned(rig, &spec, &outer, 0, 1388, 0);
	}
}
END_TEST

/* Other flows, what is not TCP, fragments, too short a quote. */
START_TEST(test_not_ours)
{
	struct rig *rig = rig_reset(_i);
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct mimic_conn conn = sent_conn(0);
	struct outer outer = {};
	struct icmp_spec spec;
	struct conn_key key;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		make_spec(&spec, ipv6, 0, 300);
		key = rig_key(&spec.quoted, true);
		expect_untouched(rig, "nothing is ours", &spec, &outer);
		rig_want_port(rig, &key);
		expect_untouched(rig, "a port of ours", &spec, &outer);
		/* A flow of ours that has no connection has nothing under way. */
		rig_add_filter(rig, &key, &settings);
		expect_dropped(rig, "no connection", &spec);
		rig_put(rig, &key, &conn);
		expect_turned(rig, &spec, &outer, 0, 1388, 0);

		outer.fragment = true;
		outer.ext_count = (__u8)ipv6;
		expect_untouched(rig, "fragment", &spec, &outer);
		outer = (struct outer){};
		icmp_build(&built, &spec);
		for (spec.quote_len = 0; spec.quote_len < built.l4_off; spec.quote_len++)
			expect_untouched(rig, "short", &spec, &outer);
		make_spec(&spec, ipv6, 0, 300);
		spec.quoted.frag_off = 0x2000;
		spec.quoted.ext_count = (__u8)ipv6;
		spec.quoted.ext[0] = (struct frame_ext){ .type = IPPROTO_FRAGMENT, .frag_off = 1 };
		expect_untouched(rig, "quoted fragment", &spec, &outer);
		make_spec(&spec, ipv6, 0, 300);
		spec.quoted.proto = IPPROTO_UDP;
		expect_untouched(rig, "quoted datagram", &spec, &outer);
		/* The other direction: what the peer sent is not ours to answer for. */
		make_spec(&spec, ipv6, 0, 300);
		rig_turn(&spec.quoted);
		expect_untouched(rig, "the peer's segment", &spec, &outer);
	}
}
END_TEST

/* Cut off, and with nonsense in the headers: either untouched, or dropped, or only what has to be changed is. */
START_TEST(test_noise)
{
	struct rig *rig = rig_reset(_i);
	struct mimic_conn conn = sent_conn(PADDING_RANDOM);
	uint64_t seed = 5;

	for (int i = 0; i < 20000; i++) {
		bool ipv6 = i & 1;
		struct outer outer = { .vlans = (__u8)(i / 2 % 3), .ip_options = (__u8)(i / 6 % 3) };
		struct icmp_spec spec;
		size_t len, kept;

		make_spec(&spec, ipv6, (unsigned int)prng_below(&seed, 11), prng_below(&seed, 200));
		put(rig, &spec, &conn);
		icmp_build(&built, &spec);
		wrap(rig, &spec, &built, &outer);
		for (uint64_t n = prng_below(&seed, 4); n; n--)
			frame.bytes[frame.l3_off + prng_below(&seed, 120)] = (__u8)prng_next(&seed);
		len = prng_below(&seed, 3) ? frame.len : 14 + prng_below(&seed, frame.len - 14);
		rig_ingress(rig, frame.bytes, len, &run);
		if (run.verdict == MODEL_XDP_DROP)
			continue;
		expect_eq(run.verdict, MODEL_XDP_PASS);
		kept = frame.l4_off; /* nothing in front of the message, and not its type */
		rig_expect_bytes(rig, "in front", run.bytes, kept < len ? kept : len, frame.bytes, kept < len ? kept : len);
		expect_eq(run.len, len);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("icmp");
	TCase *tcase = tcase_create("icmp");
	uint64_t seed = 3;

	prng_fill(&seed, payload, sizeof(payload));
	rigs_open();
	tcase_add_loop_test(tcase, test_turned, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_types, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_damaged, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_multi_buffer, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_numbers, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_not_ours, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_noise, 0, RIG_COUNT);
	suite_add_tcase(suite, tcase);
	return rigs_run(suite);
}
