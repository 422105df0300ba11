/* SPDX-License-Identifier: GPL-2.0-only */
/* The BPF programs transform and restore as the core does, byte for byte: every length, layout, padding and checksum */
#include "model.h"
#include "prng.h"

enum {
	LEN_MAX = 1500,
	PADDINGS = PADDING_MAX + 2, /* 0 to 16, and random */
	LAYOUTS = 6,
};

static const size_t jumbo_lens[] = { 1501, 2047, 2048, 3400, 3500, 3501, 4095,
				     4096, 4097, 7000, 8191, 8192, 8900, 8960 };

static __u8 payload[FRAME_MAX];
static struct frame frame;
static struct model model;
static struct rig_run run;

static __u8 padding_setting(int index)
{
	return index > PADDING_MAX ? PADDING_RANDOM : (__u8)index;
}

/* Addresses, options and tags: `layout` of either family, with 0 to 2 tags. */
static void make_spec(struct frame_spec *spec, const struct rig *rig, bool ipv6, unsigned int layout,
		      unsigned int vlans, size_t len)
{
	static const struct frame_ext ext[3] = { { .type = IPPROTO_HOPOPTS, .len = 0 },
						 { .type = IPPROTO_ROUTING, .len = 2 },
						 { .type = IPPROTO_DSTOPTS, .len = 10 } };

	frame_spec_init(spec, ipv6, payload, len);
	spec->ethernet = rig->ethernet;
	spec->vlans = (__u8)vlans;
	if (ipv6) {
		spec->ext_count = (__u8)(layout % 4);
		memcpy(spec->ext, ext, sizeof(ext));
	} else {
		static const __u8 words[LAYOUTS] = { 0, 1, 2, 5, 9, 10 };

		spec->ip_options = words[layout];
	}
}

/* BPF_PROG_TEST_RUN gives an skb the network header of Ethernet, which bpf_skb_adjust_room() goes by. */
static bool cannot_be_run(const struct rig *rig, const struct frame_spec *spec)
{
	return spec->check == FRAME_CHECK_PARTIAL && !rig->ethernet && !rig->sees_ip_summed;
}

static void check_egress(struct rig *rig, const struct frame_spec *spec, __u8 padding, uint64_t *seed)
{
	struct mimic_conn conn = rig_established((__u32)prng_next(seed), (__u32)prng_next(seed), padding);
	struct conn_key key = rig_key(spec, true);

	if (cannot_be_run(rig, spec))
		return;
	frame_build(&frame, spec);
	rig_put(rig, &key, &conn);
	rig_egress(rig, frame.bytes, frame.len, &run);
	model_egress(&model, rig, &key, &conn.c, frame.bytes, frame.len, &run);
	expect(model.matched);
	model_expect(rig, rig_describe(spec), &model, &run, TC_ACT_SHOT);
	if (model.verdict == TC_ACT_SHOT)
		expect_eq(model.reason, REASON_DROP_NO_STAGING);
	model_expect_conn(rig, rig_describe(spec), &key, &model);
}

/* spec: of the datagram. Makes the segment that carries it, as packet_builder.h has it. */
static void make_segment(struct frame_spec *spec, struct conn_key *key, struct mimic_conn *conn, __u8 padding,
			 uint64_t *seed)
{
	static __u8 tcp_payload[FRAME_MAX];
	__u32 seq = (__u32)prng_next(seed), ack = (__u32)prng_next(seed);
	struct transform_plan plan;

	rig_turn(spec);
	*key = rig_key(spec, false);
	*conn = rig_established(ack, seq, padding);
	transform_plan_make(&plan, (__u16)spec->payload_len, transform_padding(padding, seq, ack));
	prng_fill(seed, tcp_payload, plan.padding);
	memcpy(tcp_payload + plan.padding, payload + plan.piece_len, spec->payload_len - plan.piece_len);
	memcpy(tcp_payload + plan.piece_off - TCP_HEADER_LEN, payload, plan.piece_len);
	spec->proto = IPPROTO_TCP;
	spec->tcp = (struct frame_tcp){ .seq = seq, .ack = ack, .window = 0x3000,
					.flags = spec->payload_len <= 1 ? TCP_ACK | TCP_PSH : TCP_ACK };
	spec->payload = tcp_payload;
	spec->payload_len += plan.padding;
}

/* linear: bytes in front of the fragments, or 0. False: this kernel does not run it. */
static bool check_segment(struct rig *rig, const struct frame_spec *spec, const struct conn_key *key,
			  const struct mimic_conn *conn, size_t linear)
{
	bool multi_buffer = linear || spec->payload_len > 3000; /* not what lies between: see the callers */
	int err;

	frame_build(&frame, spec);
	rig_put(rig, key, conn);
	err = rig_try_ingress(rig, frame.bytes, frame.len, linear, &run);
	if (linear && err == -EINVAL)
		return false;
	expect_eq(-err, 0);
	model_ingress(&model, rig, key, &conn->c, frame.bytes, frame.len, multi_buffer);
	expect(model.matched);
	model_expect(rig, rig_describe(spec), &model, &run, MODEL_XDP_DROP);
	if (model.verdict == MODEL_XDP_DROP)
		expect(spec->tcp.options_len && model.second == REASON_DROP_RX_RESTORE);
	model_expect_conn(rig, rig_describe(spec), key, &model);
	return true;
}

/* Options as a middlebox adds them; `words` of four bytes. */
static void add_options(struct frame_spec *spec, unsigned int words, uint64_t *seed)
{
	spec->tcp.options_len = (__u8)(4 * words);
	prng_fill(seed, spec->tcp.options, spec->tcp.options_len);
}

static void check_ingress(struct rig *rig, struct frame_spec *spec, __u8 padding, unsigned int option_words,
			  uint64_t *seed)
{
	struct mimic_conn conn;
	struct conn_key key;

	make_segment(spec, &key, &conn, padding, seed);
	add_options(spec, option_words, seed);
	expect(check_segment(rig, spec, &key, &conn, 0));
}

/* The rig, whose programs look at the port that all these packets have. */
static struct rig *begin(int index)
{
	struct rig *rig = rig_reset(index);
	uint64_t seed = 4711;
	struct frame_spec spec;
	struct conn_key key;

	prng_fill(&seed, payload, sizeof(payload));
	frame_spec_init(&spec, false, payload, 0);
	key = rig_key(&spec, true);
	rig_want_port(rig, &key);
	return rig;
}

/* Loops count rigs and paddings. */
START_TEST(test_every_length_out)
{
	struct rig *rig = begin(_i % RIG_COUNT);
	__u8 padding = padding_setting(_i / RIG_COUNT);
	struct frame_spec spec;
	uint64_t seed = 1000 + (uint64_t)_i;

	for (size_t len = 0; len <= LEN_MAX; len++) {
		for (unsigned int i = 0; i < 6; i++) {
			unsigned int layout = (unsigned int)(len + i / 2 + (size_t)_i) % LAYOUTS;

			make_spec(&spec, rig, i & 1, layout, (unsigned int)(len / LAYOUTS + i / 2) % 3, len);
			spec.check = (enum frame_check)(i / 2);
			if (len % 16 == 5)
				spec.trailer = len % 7;
			check_egress(rig, &spec, padding, &seed);
		}
	}
}
END_TEST

START_TEST(test_every_length_in)
{
	struct rig *rig = begin(_i % RIG_COUNT);
	__u8 padding = padding_setting(_i / RIG_COUNT);
	struct frame_spec spec;
	uint64_t seed = 2000 + (uint64_t)_i;

	for (size_t len = 0; len <= LEN_MAX; len++) {
		for (unsigned int i = 0; i < 4; i++) {
			unsigned int layout = (unsigned int)(len + i / 2 + (size_t)_i) % LAYOUTS;

			rig->datapath.shared->xdp_native = i / 2;
			make_spec(&spec, rig, i & 1, layout, (unsigned int)(len / LAYOUTS + i) % 3, len);
			spec.check = len % 9 == i ? FRAME_CHECK_PARTIAL : FRAME_CHECK_COMPLETE;
			if (len % 16 == 5 || len < 20)
				spec.trailer = len % 7;
			check_ingress(rig, &spec, padding, len % 5 == 0 ? (unsigned int)(len / 5 + i) % 11 : 0, &seed);
		}
	}
}
END_TEST

/* Every layout with every number of tags and every kind of checksum, at the lengths where something changes. */
START_TEST(test_layouts)
{
	static const size_t lens[] = { 0, 1, 2, 11, 12, 13, 28, 29, 64, 65, 1399, 1400 };
	struct rig *rig = begin(_i);
	uint64_t seed = 3000 + (uint64_t)_i;
	struct frame_spec spec;

	for (unsigned int i = 0; i < ARRAY_SIZE(lens) * 2 * LAYOUTS * 3 * 3; i++) {
		size_t len = lens[i % ARRAY_SIZE(lens)];
		unsigned int rest = i / (unsigned int)ARRAY_SIZE(lens);
		bool ipv6 = rest & 1;
		unsigned int layout = rest / 2 % LAYOUTS, vlans = rest / 2 / LAYOUTS % 3;
		enum frame_check check = (enum frame_check)(rest / 2 / LAYOUTS / 3);

		for (int padding = 0; padding < PADDINGS; padding++) {
			make_spec(&spec, rig, ipv6, layout, vlans, len);
			spec.check = check;
			check_egress(rig, &spec, padding_setting(padding), &seed);
			if (check == FRAME_CHECK_ZERO)
				continue;
			spec.trailer = padding % 3 ? 0 : 6;
			rig->datapath.shared->xdp_native = padding & 1;
			check_ingress(rig, &spec, padding_setting(padding), i % 11, &seed);
		}
	}
}
END_TEST

/* The longest frame that BPF_PROG_TEST_RUN takes for an skb here: a page, or since some kernel more. */
static bool takes_skb_of(const struct rig *rig, size_t len)
{
	static __u8 zeroes[FRAME_MAX];
	int err = rig_try_egress(rig->datapath.egress_fd, zeroes, len, NULL, &run);

	expect(!err || err == -EINVAL || err == -ENOMEM);
	return !err;
}

START_TEST(test_jumbo)
{
	struct rig *rig = begin(_i);
	uint64_t seed = 4000 + (uint64_t)_i;
	struct frame_spec spec;
	size_t longest = 0;

	for (size_t i = 0; i < ARRAY_SIZE(jumbo_lens); i++) {
		for (int padding = 0; padding < PADDINGS; padding++) {
			for (unsigned int variant = 0; variant < 12; variant++) {
				size_t len = jumbo_lens[i];

				make_spec(&spec, rig, variant & 1, variant % LAYOUTS, variant % 3, len);
				spec.check = (enum frame_check)(variant / 4);
				if (takes_skb_of(rig, len + 300)) {
					longest = len;
					check_egress(rig, &spec, padding_setting(padding), &seed);
				}
				if (spec.check == FRAME_CHECK_ZERO || (len > 2900 && len < 4095))
					continue;
				rig->datapath.shared->xdp_native = padding & 1;
				check_ingress(rig, &spec, padding_setting(padding), variant % 11, &seed);
			}
		}
	}
	printf("%s: skbs of up to %zu bytes of payload\n", rig->name, longest);
}
END_TEST

/* A multi-buffer frame whose linear part ends anywhere behind the headers. */
START_TEST(test_linear_part)
{
	struct rig *rig = begin(_i);
	uint64_t seed = 5000 + (uint64_t)_i;
	struct mimic_conn conn;
	struct frame_spec spec;
	struct conn_key key;
	size_t done = 0;

	for (size_t len = 60; len < 1500; len += 61) {
		for (size_t more = 0; more < len; more += 1 + more / 2) {
			make_spec(&spec, rig, len & 1, 0, 0, len);
			make_segment(&spec, &key, &conn, padding_setting((int)(more % PADDINGS)), &seed);
			add_options(&spec, (unsigned int)(more % 4), &seed);
			frame_build(&frame, &spec);
			done += check_segment(rig, &spec, &key, &conn,
					      frame.l4_off + TCP_HEADER_LEN + spec.tcp.options_len + more);
		}
	}
	printf("%s: %zu frames with a short linear part\n", rig->name, done);
}
END_TEST

/* A segment damaged on the way fails the UDP checksum; the control segments and the lost are counted. */
START_TEST(test_damage_stays)
{
	struct rig *rig = begin(_i);
	uint64_t seed = 6000 + (uint64_t)_i;
	struct mimic_conn conn;
	struct frame_spec spec;
	struct conn_key key;

	for (int i = 0; i < 4000; i++) {
		size_t at;

		make_spec(&spec, rig, i & 1, 0, 0, 2 + prng_below(&seed, 200));
		make_segment(&spec, &key, &conn, padding_setting(i % PADDINGS), &seed);
		frame_build(&frame, &spec);
		rig_put(rig, &key, &conn);
		at = frame.l4_off + TCP_HEADER_LEN + prng_below(&seed, (__u32)spec.payload_len);
		frame.bytes[at] ^= (__u8)(1 << (i % 8));
		rig_ingress(rig, frame.bytes, frame.len, &run);
		model_ingress(&model, rig, &key, &conn.c, frame.bytes, frame.len, false);
		model_expect(rig, rig_describe(&spec), &model, &run, MODEL_XDP_DROP);
		expect_eq(run.verdict, MODEL_XDP_PASS);
		expect(!naive_l4_ok(run.bytes + frame.l3_off, IPPROTO_UDP, run.bytes + frame.l4_off,
				    naive_get16(run.bytes + frame.l4_off + 4)));
	}
}
END_TEST

/* Datagrams whose checksum comes out as 0: it is sent as 0xffff, and a 0 would mean that there is none (RFC 768). */
START_TEST(test_checksum_of_zero)
{
	struct rig *rig = begin(_i);
	uint64_t seed = 7000 + (uint64_t)_i;
	struct mimic_conn conn;
	struct frame_spec spec;
	struct conn_key key;

	for (unsigned int i = 0; i < 400; i++) {
		frame_spec_init(&spec, i & 1, payload, 2 + i / 2);
		spec.ethernet = rig->ethernet;
		rig_turn(&spec); /* the sum is the same both ways */
		naive_put16(payload, 0);
		frame_build(&frame, &spec);
		naive_put16(payload, naive_get16(frame.bytes + frame.l4_off + 6));
		frame_build(&frame, &spec);
		expect_eq(naive_get16(frame.bytes + frame.l4_off + 6), 0xffff);
		rig_turn(&spec);
		for (int check = FRAME_CHECK_COMPLETE; check <= FRAME_CHECK_PARTIAL; check++) {
			spec.check = (enum frame_check)check;
			check_egress(rig, &spec, padding_setting((int)i % PADDINGS), &seed);
		}
		make_segment(&spec, &key, &conn, padding_setting((int)i % PADDINGS), &seed);
		for (int partial = 0; partial < 2; partial++) {
			spec.check = partial ? FRAME_CHECK_PARTIAL : FRAME_CHECK_COMPLETE;
			expect(check_segment(rig, &spec, &key, &conn, 0));
			expect_eq(naive_get16(run.bytes + frame.l4_off + 6), 0xffff);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("data");
	TCase *tcase = tcase_create("data");

	rigs_open();
	tcase_add_loop_test(tcase, test_every_length_out, 0, RIG_COUNT * PADDINGS);
	tcase_add_loop_test(tcase, test_every_length_in, 0, RIG_COUNT * PADDINGS);
	tcase_add_loop_test(tcase, test_layouts, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_jumbo, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_linear_part, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_damage_stays, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_checksum_of_zero, 0, RIG_COUNT);
	suite_add_tcase(suite, tcase);
	return rigs_run(suite);
}
