/* SPDX-License-Identifier: GPL-2.0-only */
/* The packet parser: every header before UDP and TCP, truncation at every byte, fragments, random bytes. */
#include <string.h>

#include "core/parse.h"
#include "expect.h"
#include "packet_builder.h"
#include "prng.h"

static const uint8_t payload[64] = { 0x50, 0x51 };

static enum parse_result parse_first(const struct frame *frame, size_t len, bool ethernet,
				     struct packet *pkt)
{
	uint8_t *data = frame_exact(frame->bytes, len, ethernet);
	enum parse_result result;

	memset(pkt, 0xa5, sizeof(*pkt));
	pkt->ipv6 = pkt->fragment = pkt->later_fragment = pkt->dont_fragment = false;
	result = parse_packet(data, data + len, ethernet, pkt);
	frame_exact_free(data, ethernet);
	return result;
}

static void assert_addresses(const struct frame *frame, const struct frame_spec *spec,
			     const struct packet *pkt)
{
	uint8_t *data = frame_exact(frame->bytes, frame->l4_off, spec->ethernet);
	struct addr src, dst;

	expect(parse_addresses(data, data + frame->l4_off, pkt, &src, &dst));
	ck_assert_mem_eq((uint8_t *)&src + (spec->ipv6 ? 0 : 12), spec->src, spec->ipv6 ? 16 : 4);
	ck_assert_mem_eq((uint8_t *)&dst + (spec->ipv6 ? 0 : 12), spec->dst, spec->ipv6 ? 16 : 4);
	expect_eq(addr_is_ipv4(&src), !spec->ipv6);
	/* One byte short of the fixed IP header. */
	expect(!parse_addresses(data, data + frame->l3_off + (spec->ipv6 ? 39 : 19), pkt, &src,
				&dst));
	frame_exact_free(data, spec->ethernet);
}

/* What the builder wrote is what the parser finds. */
static void assert_found(const struct frame *frame, const struct frame_spec *spec,
			 const struct packet *pkt)
{
	expect_eq(pkt->l3_off, frame->l3_off);
	expect_eq(pkt->l4_off, frame->l4_off);
	expect_eq(pkt->proto_off, frame->proto_off);
	expect_eq(pkt->proto, spec->proto);
	expect_eq(pkt->l4_len, frame->l4_len);
	expect_eq(pkt->ipv6, spec->ipv6);
	expect_eq(be16_to_host(pkt->src_port), spec->src_port);
	expect_eq(be16_to_host(pkt->dst_port), spec->dst_port);
}

/*
 * The frame is found as it was built, however much of it there is behind the ports; with less than that there is
 * no answer that needs bytes that are not there.
 */
static void check_frame(const struct frame_spec *spec)
{
	static struct frame frame;
	struct packet pkt;
	size_t enough;

	frame_build(&frame, spec);
	enough = frame.l4_off + 4;
	for (size_t len = 0; len <= frame.len; len++) {
		enum parse_result result = parse_first(&frame, len, spec->ethernet, &pkt);

		if (len < enough) {
			expect(result == PARSE_SHORT);
			continue;
		}
		expect(result == PARSE_OK);
		assert_found(&frame, spec, &pkt);
		expect(!pkt.later_fragment);
	}
	assert_addresses(&frame, spec, &pkt);
}

static void check_other(const struct frame_spec *spec)
{
	static struct frame frame;
	struct packet pkt;

	frame_build(&frame, spec);
	expect(parse_first(&frame, frame.len, spec->ethernet, &pkt) == PARSE_OTHER);
	for (size_t len = 0; len < frame.len; len++)
		expect(parse_first(&frame, len, spec->ethernet, &pkt) != PARSE_OK);
}

static void each_l2(struct frame_spec *spec, void (*check)(const struct frame_spec *))
{
	spec->ethernet = false;
	spec->vlans = 0;
	check(spec);
	spec->ethernet = true;
	for (spec->vlans = 0; spec->vlans <= 2; spec->vlans++)
		check(spec);
	spec->vlans = 0;
}

START_TEST(test_ipv4)
{
	struct frame_spec spec;

	for (size_t len = 0; len < 3; len++) {
		frame_spec_init(&spec, false, payload, len);
		for (spec.ip_options = 0; spec.ip_options <= 10; spec.ip_options++) {
			for (spec.trailer = 0; spec.trailer < 40; spec.trailer += 13) {
				spec.proto = IPPROTO_UDP;
				each_l2(&spec, check_frame);
				spec.proto = IPPROTO_TCP;
				spec.tcp.options_len = (uint8_t)(4 * len);
				each_l2(&spec, check_frame);
			}
		}
	}
}
END_TEST

START_TEST(test_ipv4_fragments)
{
	static const uint16_t field[] = {
		0, 0x4000, 0x2000, 0x6000, 0x0001, 0x1fff, 0x2010, 0x8000
	};
	static struct frame frame;
	struct frame_spec spec;
	struct packet pkt;

	frame_spec_init(&spec, false, payload, 16);
	for (size_t i = 0; i < sizeof(field) / sizeof(*field); i++) {
		spec.frag_off = field[i];
		frame_build(&frame, &spec);
		expect(parse_first(&frame, frame.len, true, &pkt) == PARSE_OK);
		expect_eq(pkt.fragment, (field[i] & 0x3fff) != 0);
		expect_eq(pkt.later_fragment, (field[i] & 0x1fff) != 0);
		expect_eq(pkt.dont_fragment, (field[i] & 0x4000) != 0);
		if (pkt.fragment)
			expect_eq(pkt.frag_id, host_to_be16(0x1234));
		if (pkt.later_fragment) { /* data where ports would stand */
			expect_eq(pkt.src_port, 0);
			expect_eq(pkt.dst_port, 0);
			/* and perhaps less than a header of them */
			expect(parse_first(&frame, frame.l4_off, true, &pkt) == PARSE_OK);
		} else {
			assert_found(&frame, &spec, &pkt);
		}
	}
}
END_TEST

/* A later fragment may be shorter than a header. */
START_TEST(test_short_later_fragment)
{
	static struct frame frame;
	struct frame_spec spec;
	struct packet pkt;

	frame_spec_init(&spec, false, payload, 0);
	spec.frag_off = 0x00b9;
	frame_build(&frame, &spec);
	naive_put16(frame.bytes + frame.l3_off + 2, 20 + 3);
	expect(parse_first(&frame, frame.len, true, &pkt) == PARSE_OK);
	expect(pkt.later_fragment);
	expect_eq(pkt.l4_len, 3);
}
END_TEST

/* Offsets beyond what the BPF verifier lets us use are not ours; with 40 + 6 * 8 to 255 bytes all are. */
static bool fits(const struct frame_spec *spec)
{
	size_t l4_off = (spec->ethernet ? 14U : 0U) + 4U * spec->vlans + 40;

	for (unsigned int i = 0; i < spec->ext_count; i++)
		l4_off += spec->ext[i].type == IPPROTO_FRAGMENT ? 8 : 8 + 8U * spec->ext[i].len;
	return spec->ext_count <= PARSE_EXT_MAX && l4_off <= PARSE_L4_OFF_MAX;
}

static void check_if_it_fits(const struct frame_spec *spec)
{
	if (fits(spec))
		check_frame(spec);
	else
		check_other(spec);
}

/* Every chain of up to four headers, and random ones of up to eight. Fragment headers: offset 0. */
static void set_chain(struct frame_spec *spec, unsigned int count, uint32_t code)
{
	static const uint8_t type[4] = { IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS,
					 IPPROTO_FRAGMENT };

	spec->ext_count = (uint8_t)count;
	for (unsigned int i = 0; i < count; i++, code /= 12) {
		spec->ext[i].type = type[code % 4];
		spec->ext[i].len = code % 4 == 3 ? 0 : (uint8_t)(code / 4 % 3);
		spec->ext[i].frag_off = code / 4 % 2;
	}
}

START_TEST(test_ipv6_chains)
{
	struct frame_spec spec;
	uint64_t state = 6;
	uint32_t chains = 1;

	frame_spec_init(&spec, true, payload, 3);
	spec.trailer = 1;
	for (unsigned int count = 0; count <= 3; count++, chains *= 12) {
		for (uint32_t code = 0; code < chains; code++) {
			set_chain(&spec, count, code);
			spec.proto = code % 2 ? IPPROTO_TCP : IPPROTO_UDP;
			spec.vlans = code % 3;
			check_if_it_fits(&spec);
		}
	}
	for (int i = 0; i < 3000; i++) {
		set_chain(&spec, 4 + prng_below(&state, 5), (uint32_t)prng_next(&state));
		spec.ext[3].len =
			spec.ext[3].type == IPPROTO_FRAGMENT ? 0 : (uint8_t)prng_below(&state, 30);
		spec.ethernet = i % 4;
		spec.vlans = i % 4 ? i % 4 - 1 : 0;
		check_if_it_fits(&spec);
	}
}
END_TEST

START_TEST(test_ipv6_fragments)
{
	static struct frame frame;
	struct frame_spec spec;
	struct packet pkt;

	frame_spec_init(&spec, true, payload, 32);
	spec.ext_count = 2;
	for (unsigned int at = 0; at < 2; at++) {
		for (uint32_t frag_off = 0; frag_off <= 0xffff;
		     frag_off += frag_off < 32 ? 1 : 173) {
			spec.ext[at] =
				(struct frame_ext){ IPPROTO_FRAGMENT, 0, (uint16_t)frag_off };
			spec.ext[!at] = (struct frame_ext){ IPPROTO_DSTOPTS, 1, 0 };
			frame_build(&frame, &spec);
			/* What follows is data then, not the header that it is called. */
			if (at == 0 && frag_off >= 8) {
				expect(parse_first(&frame, 14 + 40 + 8, true, &pkt) == PARSE_OK);
				expect(pkt.fragment && pkt.later_fragment);
				expect_eq(pkt.proto, IPPROTO_DSTOPTS);
				expect_eq(pkt.frag_id, host_to_be32(0xdecade00));
				continue;
			}
			expect(parse_first(&frame, frame.len, true, &pkt) == PARSE_OK);
			expect(pkt.fragment);
			expect_eq(pkt.frag_id, host_to_be32(0xdecade00));
			expect_eq(pkt.later_fragment, frag_off >= 8);
			if (!pkt.later_fragment)
				assert_found(&frame, &spec, &pkt);
			else
				expect_eq(pkt.src_port | pkt.dst_port, 0);
		}
	}
}
END_TEST

START_TEST(test_not_ours)
{
	static const uint8_t proto[] = { IPPROTO_ICMP, IPPROTO_ESP,	IPPROTO_AH, IPPROTO_NONE,
					 IPPROTO_SCTP, IPPROTO_UDPLITE, 255 };
	struct frame_spec spec;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		frame_spec_init(&spec, ipv6, payload, 64);
		for (size_t i = 0; i < sizeof(proto); i++) {
			spec.proto = proto[i];
			check_other(&spec);
		}
		spec.proto = IPPROTO_UDP;
		spec.vlans = 3;
		check_other(&spec);
	}
}
END_TEST

/* Changes one byte of a good frame and wants it refused. */
static void spoil(bool ipv6, size_t l3_byte, uint8_t value)
{
	static struct frame frame;
	struct frame_spec spec;
	struct packet pkt;

	frame_spec_init(&spec, ipv6, payload, 20);
	frame_build(&frame, &spec);
	expect(parse_first(&frame, frame.len, true, &pkt) == PARSE_OK);
	frame.bytes[frame.l3_off + l3_byte] = value;
	ck_assert_msg(parse_first(&frame, frame.len, true, &pkt) == PARSE_OTHER,
		      "ipv6 %d byte %zu = %#x taken", ipv6, l3_byte, value);
}

START_TEST(test_malformed)
{
	for (unsigned int ihl = 0; ihl < 5; ihl++)
		spoil(false, 0, (uint8_t)(0x40 | ihl));
	for (unsigned int version = 0; version < 16; version++) {
		if (version != 4)
			spoil(false, 0, (uint8_t)(version << 4 | 5));
		if (version != 6)
			spoil(true, 0, (uint8_t)(version << 4));
	}
	for (uint8_t len = 0; len < 28; len++) /* less than IP and UDP headers */
		spoil(false, 3, len);
	for (uint8_t len = 0; len < 8; len++)
		spoil(true, 5, len);
	spoil(false, 0, 0x4f); /* options longer than the packet: 20 + 8 + 20 < 60 */
}
END_TEST

/* The extension header chain reaches to the end of the packet, or behind it. */
START_TEST(test_ipv6_chain_fills_packet)
{
	static struct frame frame;
	struct frame_spec spec;
	struct packet pkt;

	frame_spec_init(&spec, true, payload, 20);
	set_chain(&spec, 2, 0);
	spec.ext[1].len = 2;
	frame_build(&frame, &spec);
	for (uint8_t len = 0; len < 8 + 24 + 8; len++) {
		frame.bytes[frame.l3_off + 5] = len;
		expect(parse_first(&frame, frame.len, true, &pkt) == PARSE_OTHER);
	}
	frame.bytes[frame.l3_off + 5] = 8 + 24 + 8;
	expect(parse_first(&frame, frame.len, true, &pkt) == PARSE_OK);
	expect_eq(pkt.l4_len, 8);
}
END_TEST

/* On a link without L2 header nothing but the first four bits tells what it is. */
START_TEST(test_no_l2)
{
	static struct frame frame;
	struct frame_spec spec;
	struct packet pkt;

	frame_spec_init(&spec, false, payload, 20);
	spec.ethernet = false;
	frame_build(&frame, &spec);
	for (unsigned int version = 0; version < 16; version++) {
		frame.bytes[0] = (uint8_t)(version << 4 | 5);
		expect_eq(parse_first(&frame, frame.len, false, &pkt) == PARSE_OK, version == 4);
	}
}
END_TEST

static void check_claims(const uint8_t *data, size_t len, const struct packet *pkt, bool ethernet)
{
	size_t ip_len, l3_off = pkt->l3_off;

	expect(l3_off == 0 ? !ethernet :
			     ethernet && (l3_off == 14 || l3_off == 18 || l3_off == 22));
	expect(len >= (pkt->later_fragment ? l3_off + 20U : pkt->l4_off + 4U));
	expect(pkt->proto_off < pkt->l4_off);
	expect_eq(data[pkt->proto_off], pkt->proto);
	expect(pkt->proto == IPPROTO_UDP || pkt->proto == IPPROTO_TCP || pkt->later_fragment);
	expect_eq(data[l3_off] >> 4, pkt->ipv6 ? 6 : 4);
	ip_len = pkt->ipv6 ? 40U + naive_get16(data + l3_off + 4) : naive_get16(data + l3_off + 2);
	expect_eq(pkt->l4_off - l3_off + pkt->l4_len, ip_len);
	expect(pkt->fragment || !pkt->later_fragment);
	if (pkt->later_fragment)
		return;
	expect(pkt->l4_len >= (pkt->proto == IPPROTO_UDP ? 8 : 20));
	ck_assert_mem_eq(&pkt->src_port, data + pkt->l4_off, 2);
	ck_assert_mem_eq(&pkt->dst_port, data + pkt->l4_off + 2, 2);
}

/* Frames with some bytes changed, cut anywhere, and pure noise: what is claimed is true. */
START_TEST(test_random)
{
	uint64_t state = env_number("TEST_SEED", 7), rounds = env_number("TEST_ROUNDS", 200000),
		 ok = 0;
	static struct frame frame;
	struct frame_spec spec;
	struct packet pkt;

	for (uint64_t i = 0; i < rounds; i++) {
		uint32_t changes = prng_below(&state, 4);
		size_t len;
		uint8_t *data;

		frame_spec_init(&spec, i & 1, payload, prng_below(&state, sizeof(payload)));
		set_chain(&spec, i & 1 ? prng_below(&state, 5) : 0, (uint32_t)prng_next(&state));
		spec.proto = i & 2 ? IPPROTO_UDP : IPPROTO_TCP;
		spec.ethernet = prng_below(&state, 4);
		spec.vlans = (uint8_t)prng_below(&state, 4);
		spec.ip_options = (uint8_t)prng_below(&state, 11);
		frame_build(&frame, &spec);
		if (i % 16 == 0)
			prng_fill(&state, frame.bytes, frame.len);
		for (; changes; changes--)
			frame.bytes[prng_below(&state, (uint32_t)frame.l4_off)] =
				(uint8_t)prng_next(&state);
		len = prng_below(&state, 3) ? frame.len :
					      prng_below(&state, (uint32_t)frame.len + 1);
		data = frame_exact(frame.bytes, len, spec.ethernet);
		if (parse_packet(data, data + len, spec.ethernet, &pkt) == PARSE_OK) {
			check_claims(data, len, &pkt, spec.ethernet);
			ok++;
		}
		frame_exact_free(data, spec.ethernet);
	}
	ck_assert_uint_gt(ok, rounds / 5); /* the changes are not so many that nothing is left */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parse");
	TCase *tcase = tcase_create("parse");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_ipv4);
	tcase_add_test(tcase, test_ipv4_fragments);
	tcase_add_test(tcase, test_short_later_fragment);
	tcase_add_test(tcase, test_ipv6_chains);
	tcase_add_test(tcase, test_ipv6_fragments);
	tcase_add_test(tcase, test_not_ours);
	tcase_add_test(tcase, test_malformed);
	tcase_add_test(tcase, test_ipv6_chain_fills_packet);
	tcase_add_test(tcase, test_no_l2);
	tcase_add_test(tcase, test_random);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
