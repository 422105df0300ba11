/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP errors about restored datagrams through TC egress, byte for byte: turned to errors about segments, dropped, or passed */
#include "core/icmp.h"
#include "icmp_builder.h"
#include "model.h"
#include "prng.h"

enum {
	SEQ = 0xfffffff0, /* acknowledged by the peer */
	ACK = 5,	  /* expected next: the peer's numbers wrap */
	WINDOW = CONN_WINDOW_FULL >> CONN_WINDOW_SCALE,
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

/* From us, or a router behind us, to who sent what is quoted. */
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
	frame_build(&frame, &frame_spec);
}

/* The quoted datagram came in on this connection. */
static struct conn_key put(struct rig *rig, const struct icmp_spec *spec, const struct mimic_conn *conn)
{
	struct conn_key key = rig_key(&spec->quoted, false);

	rig_put(rig, &key, conn);
	rig_want_port(rig, &key);
	return key;
}

static void expect_run(struct rig *rig, const char *what, uint32_t verdict, enum reason reason, const struct frame *expected)
{
	struct rig_counters before;

	rig_count(rig, &before);
	rig_egress(rig, frame.bytes, frame.len, &run);
	if (run.verdict != verdict)
		ck_abort_msg("%s: %s: verdict %d, expected %d", rig->name, what, (int)run.verdict, (int)verdict);
	rig_expect_counted(rig, &before, reason, REASON_NONE);
	if (verdict == (uint32_t)TC_ACT_UNSPEC)
		rig_expect_bytes(rig, what, run.bytes, run.len, expected->bytes, expected->len);
}

/* It leaves as one about the segment; padding: of the connection; mtu: what it says then. */
static void expect_turned(struct rig *rig, const struct icmp_spec *spec, const struct outer *outer, __u8 setting, __u32 mtu)
{
	static struct frame expected;
	bool is_random = setting == PADDING_RANDOM;
	size_t space = spec->quoted.payload_len + (is_random ? 10 : setting);
	struct frame_tcp tcp = { .seq = ACK - (__u32)(space ? space : 1), .ack = SEQ, .window = WINDOW, .flags = TCP_ACK };

	icmp_build_turned_back(&turned, spec, &tcp, is_random ? (__u8)((tcp.seq + tcp.ack) % 11) : setting, mtu);
	wrap(rig, spec, &turned, outer);
	expected = frame;
	icmp_build(&built, spec);
	wrap(rig, spec, &built, outer);
	expect_run(rig, rig_describe(&spec->quoted), (uint32_t)TC_ACT_UNSPEC, REASON_TX_ICMP, &expected);
}

static void expect_untouched(struct rig *rig, const char *what, const struct icmp_spec *spec, const struct outer *outer)
{
	static struct frame expected;

	icmp_build(&built, spec);
	wrap(rig, spec, &built, outer);
	expected = frame;
	expect_run(rig, what, (uint32_t)TC_ACT_UNSPEC, REASON_NONE, &expected);
}

static void expect_dropped(struct rig *rig, const char *what, const struct icmp_spec *spec)
{
	static const struct outer plain;

	icmp_build(&built, spec);
	wrap(rig, spec, &built, &plain);
	expect_run(rig, what, TC_ACT_SHOT, REASON_DROP_TX_ICMP, NULL);
}

START_TEST(test_turned)
{
	static const __u8 settings[] = { 0, 1, 7, PADDING_MAX, PADDING_RANDOM };
	struct rig *rig = rig_reset(_i);
	struct icmp_spec spec;

	for (unsigned int layout = 0; layout < 11; layout++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(settings); i++) {
			struct mimic_conn conn = rig_established(SEQ, ACK, settings[i]);
			__u32 mtu = 1412U + (settings[i] == PADDING_RANDOM ? 10 : settings[i]);

			for (unsigned int variant = 0; variant < 6; variant++) {
				struct outer outer = { .vlans = (__u8)(variant / 2) };
				bool ipv6 = variant & 1;
				size_t headers;

				outer.ip_options = (__u8)((layout + i) % 11);
				outer.ext_count = (__u8)((layout + i) % 3);
				icmp_spec_init(&spec, ipv6, layout, payload, 1000);
				put(rig, &spec, &conn);
				icmp_build(&built, &spec);
				headers = built.l4_off - 8;
				expect_turned(rig, &spec, &outer, settings[i], mtu);
				for (size_t there = 8; there < 24; there += 1 + there % 3) {
					spec.quote_len = headers + there;
					expect_turned(rig, &spec, &outer, settings[i], mtu);
				}
				spec.quote_len = 1200;
				for (spec.quoted.payload_len = 0; spec.quoted.payload_len < 40;
				     spec.quoted.payload_len += 1 + spec.quoted.payload_len % 5)
					expect_turned(rig, &spec, &outer, settings[i], mtu);
			}
		}
	}
}
END_TEST

START_TEST(test_types)
{
	struct rig *rig = rig_reset(_i);
	struct mimic_conn conn = rig_established(SEQ, ACK, 0);
	struct outer outer = {};
	struct icmp_spec spec;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		icmp_spec_init(&spec, ipv6, 0, payload, 300);
		put(rig, &spec, &conn);
		for (unsigned int type = 0; type < 256; type++) {
			struct icmp_header head = { .type = (__u8)type };

			spec.type = (__u8)type;
			for (spec.code = 0; spec.code < 17; spec.code++) {
				bool too_big = ipv6 ? type == 2 : type == 3 && spec.code == 4;

				if (icmp_is_error(&head, ipv6))
					expect_turned(rig, &spec, &outer, 0, too_big ? 1412 : 1400);
				else
					expect_untouched(rig, "type", &spec, &outer);
			}
		}
	}
}
END_TEST

/* A checksum that is wrong stays as wrong. */
START_TEST(test_damaged)
{
	struct rig *rig = rig_reset(_i);
	struct mimic_conn conn = rig_established(SEQ, ACK, 3);
	struct outer outer = {};
	struct icmp_spec spec;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		icmp_spec_init(&spec, ipv6, 1, payload, 300);
		put(rig, &spec, &conn);
		spec.wrong = true;
		icmp_build(&built, &spec);
		wrap(rig, &spec, &built, &outer);
		rig_egress(rig, frame.bytes, frame.len, &run);
		expect_eq(run.verdict, (uint32_t)TC_ACT_UNSPEC);
		memcpy(turned.bytes, run.bytes + frame.l4_off, built.len);
		turned.len = built.len;
		expect(icmp_built_check(&built, &spec) != 0);
		expect_eq(icmp_built_check(&turned, &spec), icmp_built_check(&built, &spec));
		expect_eq(turned.bytes[built.proto_off], IPPROTO_TCP);
	}
}
END_TEST

/* The NIC is to go on with what stands in the field: nothing, or the sum of the pseudo header. (Here nothing is open.) */
START_TEST(test_open_checksum)
{
	struct rig *rig = rig_reset(_i);
	struct mimic_conn conn = rig_established(SEQ, ACK, 0);
	struct outer outer = {};
	struct icmp_spec spec;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		__u16 check, residue;

		icmp_spec_init(&spec, ipv6, 0, payload, 300);
		put(rig, &spec, &conn);
		icmp_build(&built, &spec);
		check = ipv6 ? naive_fold(naive_pseudo(spec.router, spec.quoted.src, 16, IPPROTO_ICMPV6, built.len)) : 0;
		naive_put16(built.bytes + 2, check);
		residue = icmp_built_check(&built, &spec);
		wrap(rig, &spec, &built, &outer);
		rig_egress(rig, frame.bytes, frame.len, &run);
		expect_eq(run.verdict, (uint32_t)TC_ACT_UNSPEC);
		memcpy(turned.bytes, run.bytes + frame.l4_off, built.len);
		turned.len = built.len;
		expect_eq(turned.bytes[built.proto_off], IPPROTO_TCP);
		if (rig->sees_ip_summed)
			expect_eq(icmp_built_check(&turned, &spec), residue);
		else
			expect_eq(naive_get16(turned.bytes + 2), check);
	}
}
END_TEST

/* Other flows, what is not UDP, fragments, too short a quote; and flows of ours without an established connection. */
START_TEST(test_not_ours)
{
	struct rig *rig = rig_reset(_i);
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct mimic_conn conn = rig_established(SEQ, ACK, 0), now;
	struct outer outer = {};
	struct icmp_spec spec;
	struct conn_key key;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		icmp_spec_init(&spec, ipv6, 0, payload, 300);
		key = rig_key(&spec.quoted, false);
		expect_untouched(rig, "nothing is ours", &spec, &outer);
		rig_want_port(rig, &key);
		expect_untouched(rig, "a port of ours", &spec, &outer);
		rig_add_filter(rig, &key, &settings);
		expect_dropped(rig, "no connection", &spec);
		for (conn.c.state = CONN_IDLE; conn.c.state <= CONN_CLOSED; conn.c.state++) {
			rig_put(rig, &key, &conn);
			if (conn.c.state != CONN_ESTABLISHED)
				expect_dropped(rig, "not established", &spec);
		}
		conn.c.state = CONN_ESTABLISHED;
		rig_put(rig, &key, &conn);
		expect_turned(rig, &spec, &outer, 0, 1412);
		/* Nothing changes a connection. */
		expect(rig_get(rig, &key, &now));
		rig_expect_bytes(rig, "connection", (const __u8 *)&now.c, sizeof(now.c), (const __u8 *)&conn.c,
				 sizeof(conn.c));

		outer.fragment = true;
		outer.ext_count = (__u8)ipv6;
		expect_untouched(rig, "fragment", &spec, &outer);
		outer = (struct outer){};
		icmp_build(&built, &spec);
		for (spec.quote_len = 0; spec.quote_len < built.l4_off; spec.quote_len++)
			expect_untouched(rig, "short", &spec, &outer);
		icmp_spec_init(&spec, ipv6, 0, payload, 300);
		spec.quoted.frag_off = 0x2000;
		spec.quoted.ext_count = (__u8)ipv6;
		spec.quoted.ext[0] = (struct frame_ext){ .type = IPPROTO_FRAGMENT, .frag_off = 1 };
		expect_untouched(rig, "quoted fragment", &spec, &outer);
		icmp_spec_init(&spec, ipv6, 0, payload, 300);
		spec.quoted.proto = IPPROTO_TCP;
		expect_untouched(rig, "quoted segment", &spec, &outer);
		/* The other direction: what we sent is not quoted to us through TC egress. */
		icmp_spec_init(&spec, ipv6, 0, payload, 300);
		rig_turn(&spec.quoted);
		expect_untouched(rig, "our own datagram", &spec, &outer);
	}
}
END_TEST

/* Cut off, and with nonsense in the headers: either untouched, or dropped, or only what has to be changed is. */
START_TEST(test_noise)
{
	struct rig *rig = rig_reset(_i);
	struct mimic_conn conn = rig_established(SEQ, ACK, PADDING_RANDOM);
	uint64_t seed = 5;

	for (int i = 0; i < 20000; i++) {
		bool ipv6 = i & 1;
		struct outer outer = { .vlans = (__u8)(i / 2 % 3), .ip_options = (__u8)(i / 6 % 3) };
		struct icmp_spec spec;
		size_t len, l3_len;

		icmp_spec_init(&spec, ipv6, (unsigned int)prng_below(&seed, 11), payload, prng_below(&seed, 200));
		put(rig, &spec, &conn);
		icmp_build(&built, &spec);
		wrap(rig, &spec, &built, &outer);
		for (uint64_t n = prng_below(&seed, 4); n; n--)
			frame.bytes[frame.l4_off + prng_below(&seed, 80)] = (__u8)prng_next(&seed);
		l3_len = ipv6 ? 40 : 20; /* newer kernels want so much of a frame */
		len = prng_below(&seed, 3) ? frame.len :
					     frame.l3_off + l3_len + prng_below(&seed, frame.len - frame.l3_off - l3_len);
		rig_egress(rig, frame.bytes, len, &run);
		if (run.verdict == TC_ACT_SHOT)
			continue;
		expect_eq(run.verdict, (uint32_t)TC_ACT_UNSPEC);
		l3_len = frame.l4_off < len ? frame.l4_off : len; /* nothing in front of the message */
		rig_expect_bytes(rig, "in front", run.bytes, l3_len, frame.bytes, l3_len);
		expect_eq(run.len, len);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("icmp_quote");
	TCase *tcase = tcase_create("icmp_quote");
	uint64_t seed = 3;

	prng_fill(&seed, payload, sizeof(payload));
	rigs_open();
	tcase_add_loop_test(tcase, test_turned, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_types, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_damaged, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_open_checksum, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_not_ours, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_noise, 0, RIG_COUNT);
	suite_add_tcase(suite, tcase);
	return rigs_run(suite);
}
