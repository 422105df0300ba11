/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Restore: an arbitrary frame, nothing out of bounds, payload where it belongs, no wrong checksum becomes a right one
 * timeout: 700
 *
 * Input: 0x01 Ethernet, 0x02 write right checksums first; the padding set; two bytes by which that of TCP is off then; the frame.
 */
#include "buffer_transform.h"
#include "frame.h"

enum {
	HAS_ETHERNET = 1 << 0,
	HAS_CHECKSUMS = 1 << 1,
};

static uint8_t padding_of(uint8_t byte)
{
	return byte % (PADDING_MAX + 2) <= PADDING_MAX ? byte % (PADDING_MAX + 2) : PADDING_RANDOM;
}

/* What has to come of a frame with a whole segment in it; false: nothing can. */
struct expected {
	bool right, ip_right;
	uint8_t padding;
	size_t header_len, payload_len, piece_len;
};

static bool expect_restored(const uint8_t *frame, const struct frame_view *view, uint8_t setting, struct expected *want)
{
	const uint8_t *tcp = frame + view->l4_off;
	uint32_t sum = naive_get32(tcp + 4) + naive_get32(tcp + 8);

	want->right = view_l4_is_right(frame, view);
	want->ip_right = view_ip_is_right(frame, view);
	want->padding = setting == PADDING_RANDOM ? (uint8_t)(sum % 11) : setting;
	want->header_len = (tcp[12] >> 4) * 4U;
	if (want->header_len < 20 || want->header_len + want->padding > view->l4_len)
		return false;
	want->payload_len = view->l4_len - want->header_len - want->padding;
	want->piece_len = want->payload_len < 12U + want->padding ? want->payload_len : 12U + want->padding;
	return true;
}

/* The headers in front, the datagram's own, and the payload: its beginning is the end of the segment. */
static void check_datagram(const uint8_t *frame, size_t len, const uint8_t *before, const struct frame_view *was,
			   const struct expected *want)
{
	const uint8_t *udp = frame + was->l4_off, *payload = before + was->l4_off + want->header_len + want->padding;
	size_t rest_len = want->payload_len - want->piece_len;
	struct frame_view view = *was;

	claim_eq(len, was->l4_off + 8 + want->payload_len);
	view.proto = 17;
	view.l4_len = 8 + want->payload_len;
	claim_eq(frame[was->proto_off], 17);
	claim_eq(naive_get16(frame + was->l3_off + (was->ipv6 ? 4 : 2)) + (was->ipv6 ? 40U : 0U),
		 was->l4_off - was->l3_off + view.l4_len);
	claim(!memcmp(udp, before + was->l4_off, 4));
	claim_eq(naive_get16(udp + 4), view.l4_len);
	claim(naive_get16(udp + 6));
	claim(!memcmp(udp + 8, payload + rest_len, want->piece_len));
	claim(!memcmp(udp + 8 + want->piece_len, payload, rest_len));
	claim_eq(view_l4_is_right(frame, &view), want->right);
	claim_eq(view_ip_is_right(frame, &view), want->ip_right);
}

/* Nothing else in front of the datagram has changed. */
static void check_front(uint8_t *frame, const uint8_t *before, const struct frame_view *was)
{
	size_t len_off = was->l3_off + (was->ipv6 ? 4 : 2);

	memcpy(frame + len_off, before + len_off, 2);
	memcpy(frame + was->proto_off, before + was->proto_off, 1);
	if (!was->ipv6)
		memcpy(frame + was->l3_off + 10, before + was->l3_off + 10, 2);
	claim(!memcmp(frame, before, was->l4_off));
}

static void check(uint8_t *frame, size_t len, uint8_t *before, uint8_t flags, uint8_t padding, uint16_t flaw)
{
	bool ethernet = flags & HAS_ETHERNET, restorable;
	struct frame_view view;
	struct expected want;
	size_t now;

	restorable = view_frame(frame, len, ethernet, &view) == FRAME_L4 && view.proto == 6 && !view.fragment &&
		     view.l4_off + view.l4_len <= len;
	if (restorable && flags & HAS_CHECKSUMS)
		view_set_checksums(frame, &view, flaw);
	memcpy(before, frame, len);
	restorable = restorable && expect_restored(before, &view, padding, &want);
	now = buffer_to_udp(frame, len, ethernet, padding);
	claim_eq(!!now, restorable);
	if (now) {
		check_datagram(frame, now, before, &view, &want);
		check_front(frame, before, &view);
	} else {
		claim(!memcmp(frame, before, len));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz in = { data, data + size };
	uint8_t flags = fuzz_u8(&in), padding = padding_of(fuzz_u8(&in)), *frame, *before;
	uint16_t flaw = fuzz_u16(&in);
	size_t len = fuzz_left(&in);

	frame = frame_exact(in.at, len, flags & HAS_ETHERNET);
	before = malloc(len + 1);
	if (!before)
		abort();
	check(frame, len, before, flags, padding, flaw);
	free(before);
	frame_exact_free(frame, flags & HAS_ETHERNET);
	return 0;
}
