/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packet parser: an arbitrary frame, nothing out of bounds, and it finds what a plain walk over the headers finds
 * timeout: 700
 *
 * Input: whether it begins with Ethernet; the frame.
 */
#include "core/parse.h"
#include "frame.h"
#include "packet_builder.h"

static void check_packet(const uint8_t *frame, size_t len, const struct packet *pkt, const struct frame_view *view, bool rest)
{
	const uint8_t *src = frame + view->l3_off + (view->ipv6 ? 8 : 12);
	struct addr addr[2];

	claim_eq(pkt->l3_off, view->l3_off);
	claim_eq(pkt->l4_off, view->l4_off);
	claim_eq(pkt->proto_off, view->proto_off);
	claim_eq(pkt->proto, view->proto);
	claim_eq(pkt->l4_len, view->l4_len);
	claim_eq(pkt->ipv6, view->ipv6);
	claim_eq(pkt->fragment, view->fragment);
	claim_eq(pkt->later_fragment, rest);
	claim_eq(pkt->dont_fragment, view->dont_fragment);
	if (pkt->fragment)
		claim_eq(view->ipv6 ? be32_to_host(pkt->frag_id) : be16_to_host((__be16)pkt->frag_id), view->frag_id);
	claim_eq(be16_to_host(pkt->src_port), rest ? 0 : naive_get16(frame + view->l4_off));
	claim_eq(be16_to_host(pkt->dst_port), rest ? 0 : naive_get16(frame + view->l4_off + 2));
	claim(parse_addresses(frame, frame + len, pkt, &addr[0], &addr[1]));
	for (int i = 0; i < 2; i++) {
		if (view->ipv6)
			claim(!memcmp(&addr[i], src + 16 * i, 16));
		else
			claim(addr_is_ipv4(&addr[i]) && !memcmp(&addr[i].word[3], src + 4 * i, 4));
	}
}

static void check(const uint8_t *frame, size_t len, bool ethernet)
{
	struct frame_view view;
	struct packet pkt;
	struct addr src, dst;

	memset(&pkt, 0, sizeof(pkt));
	switch (parse_packet(frame, frame + len, ethernet, &pkt)) {
	case PARSE_SHORT:
		claim_eq(view_frame(frame, len, ethernet, &view), FRAME_SHORT);
		break;
	case PARSE_OTHER:
		claim_eq(view_frame(frame, len, ethernet, &view), FRAME_OTHER);
		break;
	default:
		claim_eq(view_frame(frame, len, ethernet, &view), pkt.later_fragment ? FRAME_REST : FRAME_L4);
		check_packet(frame, len, &pkt, &view, pkt.later_fragment);
		/* The packet has got shorter meanwhile: callers may ask with another end. */
		claim(!parse_addresses(frame, frame + pkt.l3_off + (pkt.ipv6 ? 39 : 19), &pkt, &src, &dst));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz in = { data, data + size };
	bool ethernet = fuzz_u8(&in) & 1;
	size_t len = fuzz_left(&in);
	uint8_t *frame = frame_exact(in.at, len, ethernet);

	check(frame, len, ethernet);
	frame_exact_free(frame, ethernet);
	return 0;
}
