/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can be said of a frame without bpf/core/: where its headers are, whether its checksums are right. By a plain walk over the headers,
 * as one would write it without a verifier.
 */
#ifndef MIMIC_TEST_FUZZ_FRAME_H
#define MIMIC_TEST_FUZZ_FRAME_H

#include "fuzz.h"
#include "naive.h"

enum frame_kind {
	FRAME_SHORT, /* the headers go on behind its end */
	FRAME_OTHER,
	FRAME_L4,    /* UDP or TCP */
	FRAME_REST,  /* a later fragment */
};

struct frame_view {
	bool ipv6, fragment, dont_fragment;
	uint8_t proto;
	size_t l3_off, l4_off, l4_len, proto_off;
	uint32_t frag_id;
};

enum {
	VIEW_EXT_MAX = 6,
	VIEW_L4_OFF_MAX = 255,
};

static inline enum frame_kind view_ipv4(const uint8_t *frame, size_t len, struct frame_view *view)
{
	const uint8_t *ip = frame + view->l3_off;
	size_t header_len;

	if (len - view->l3_off < 20)
		return FRAME_SHORT;
	header_len = (ip[0] & 15) * 4U;
	if (ip[0] >> 4 != 4 || header_len < 20 || naive_get16(ip + 2) < header_len)
		return FRAME_OTHER;
	view->fragment = naive_get16(ip + 6) & 0x3fff;
	view->dont_fragment = naive_get16(ip + 6) & 0x4000;
	view->frag_id = naive_get16(ip + 4);
	view->proto = ip[9];
	view->proto_off = view->l3_off + 9;
	view->l4_off = view->l3_off + header_len;
	view->l4_len = naive_get16(ip + 2) - header_len;
	return naive_get16(ip + 6) & 0x1fff ? FRAME_REST : FRAME_L4;
}

static inline enum frame_kind view_ipv6(const uint8_t *frame, size_t len, struct frame_view *view)
{
	const uint8_t *ip = frame + view->l3_off;
	size_t ip_len;

	if (len - view->l3_off < 40)
		return FRAME_SHORT;
	if (ip[0] >> 4 != 6)
		return FRAME_OTHER;
	view->ipv6 = true;
	view->dont_fragment = true;
	view->proto = ip[6];
	view->proto_off = view->l3_off + 6;
	view->l4_off = view->l3_off + 40;
	ip_len = view->l4_off + naive_get16(ip + 4);
	for (int i = 0; i < VIEW_EXT_MAX; i++) {
		const uint8_t *ext = frame + view->l4_off;
		bool is_fragment = view->proto == 44, rest;

		if (view->proto != 0 && view->proto != 43 && view->proto != 60 && !is_fragment)
			break;
		if (view->l4_off + 8 > len)
			return FRAME_SHORT;
		rest = is_fragment && naive_get16(ext + 2) & 0xfff8;
		if (is_fragment) {
			view->fragment = true;
			view->frag_id = naive_get32(ext + 4);
		}
		view->proto = ext[0];
		view->proto_off = view->l4_off;
		view->l4_off += is_fragment ? 8 : 8 + 8U * ext[1];
		if (view->l4_off > ip_len || view->l4_off > VIEW_L4_OFF_MAX)
			return FRAME_OTHER;
		if (rest) {
			view->l4_len = ip_len - view->l4_off;
			return FRAME_REST;
		}
	}
	view->l4_len = ip_len - view->l4_off;
	return FRAME_L4;
}

static inline enum frame_kind view_frame(const uint8_t *frame, size_t len, bool ethernet, struct frame_view *view)
{
	enum frame_kind kind;
	uint16_t type;

	memset(view, 0, sizeof(*view));
	if (!ethernet && !len)
		return FRAME_SHORT;
	if (ethernet) {
		for (view->l3_off = 14;; view->l3_off += 4) {
			if (len < view->l3_off)
				return FRAME_SHORT;
			type = naive_get16(frame + view->l3_off - 2);
			if ((type != 0x8100 && type != 0x88a8) || view->l3_off == 22)
				break;
		}
	} else {
		type = frame[0] >> 4 == 4 ? 0x0800 : 0x86dd;
	}
	if (type == 0x0800)
		kind = view_ipv4(frame, len, view);
	else if (type == 0x86dd)
		kind = view_ipv6(frame, len, view);
	else
		return FRAME_OTHER;
	if (kind != FRAME_L4)
		return kind;
	if ((view->proto != 17 && view->proto != 6) || view->l4_len < (view->proto == 17 ? 8 : 20))
		return FRAME_OTHER;
	return len < view->l4_off + 4 ? FRAME_SHORT : FRAME_L4;
}

/* All of these for a frame that has all of its packet. */

static inline bool view_l4_is_right(const uint8_t *frame, const struct frame_view *view)
{
	return naive_l4_ok(frame + view->l3_off, view->proto, frame + view->l4_off, view->l4_len);
}

static inline bool view_ip_is_right(const uint8_t *frame, const struct frame_view *view)
{
	return view->ipv6 || naive_ipv4_header_ok(frame + view->l3_off);
}

/* Writes the right checksums into the frame, but for what `flaw` adds to that of UDP or TCP. */
static inline void view_set_checksums(uint8_t *frame, const struct frame_view *view, uint16_t flaw)
{
	uint8_t *ip = frame + view->l3_off, *l4 = frame + view->l4_off;
	uint8_t *check = l4 + (view->proto == 6 ? 16 : 6);
	size_t addr_len = view->ipv6 ? 16 : 4;
	const uint8_t *src = ip + (view->ipv6 ? 8 : 12);
	uint16_t value;

	if (!view->ipv6) {
		naive_put16(ip + 10, 0);
		naive_put16(ip + 10, (uint16_t)~naive_fold(naive_sum(ip, view->l4_off - view->l3_off)));
	}
	naive_put16(check, 0);
	value = (uint16_t)~naive_fold(naive_pseudo(src, src + addr_len, addr_len, view->proto, view->l4_len) +
				      naive_sum(l4, view->l4_len));
	value = (uint16_t)(value + flaw);
	if (!value && view->proto == 17)
		value = 0xffff;
	naive_put16(check, value);
}

#endif
