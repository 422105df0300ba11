/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Transform, then restore: the same datagram again, and between them a segment with a right checksum if the datagram had one
 * timeout: 700
 *
 * Input: 0x01 Ethernet, 0x02 write right checksums first, 0x04 UDP without one, 0x08 an open one; the padding set; by how much the
 * UDP checksum is off then; seq, ack, window, 16 bytes of padding; the frame.
 */
#include "buffer_transform.h"
#include "frame.h"

enum {
	HAS_ETHERNET = 1 << 0,
	HAS_CHECKSUMS = 1 << 1,
	HAS_NO_CHECK = 1 << 2,
	HAS_OPEN_CHECK = 1 << 3,

	HEAD_LEN = 30,
};

/* No packet that is carried is longer: MIMIC_MTU_MAX. */
static bool is_datagram(const uint8_t *frame, size_t len, bool ethernet, struct frame_view *view)
{
	return view_frame(frame, len, ethernet, view) == FRAME_L4 && view->proto == 17 && !view->fragment &&
	       view->l4_off + view->l4_len <= len && naive_get16(frame + view->l4_off + 4) == view->l4_len &&
	       view->l4_len <= 9600;
}

static void set_checksums(uint8_t *frame, const struct frame_view *view, uint8_t flags, uint16_t flaw)
{
	uint8_t *ip = frame + view->l3_off, *check = frame + view->l4_off + 6;
	size_t addr_len = view->ipv6 ? 16 : 4;
	const uint8_t *src = ip + (view->ipv6 ? 8 : 12);

	if (flags & HAS_CHECKSUMS)
		view_set_checksums(frame, view, flaw);
	if (flags & HAS_NO_CHECK)
		naive_put16(check, 0);
	else if (flags & HAS_OPEN_CHECK)
		naive_put16(check, naive_fold(naive_pseudo(src, src + addr_len, addr_len, 17, view->l4_len)));
}

/* Whether nobody has summed it up yet. (One in 65536 only looks so.) */
static bool is_open(const uint8_t *frame, const struct frame_view *view)
{
	const uint8_t *src = frame + view->l3_off + (view->ipv6 ? 8 : 12);
	size_t addr_len = view->ipv6 ? 16 : 4;
	uint16_t check = naive_get16(frame + view->l4_off + 6);

	return !check || check == naive_fold(naive_pseudo(src, src + addr_len, addr_len, 17, view->l4_len));
}

static void check_segment(const uint8_t *frame, size_t len, const uint8_t *before, const struct frame_view *was,
			  const struct buffer_segment *seg)
{
	uint8_t padding = seg->padding == PADDING_RANDOM ? (uint8_t)((uint32_t)(seg->seq + seg->ack) % 11) : seg->padding;
	const uint8_t *tcp = frame + was->l4_off;
	struct frame_view view = *was;

	view.proto = 6;
	view.l4_len = was->l4_len + 12 + padding;
	claim_eq(len, was->l4_off + view.l4_len);
	claim_eq(frame[was->proto_off], 6);
	claim_eq(naive_get32(tcp + 4), seg->seq);
	claim_eq(naive_get32(tcp + 8), seg->ack);
	claim_eq(naive_get16(tcp + 12), was->l4_len <= 9 ? 0x5018 : 0x5010);
	claim_eq(view_l4_is_right(frame, &view), is_open(before, was) || view_l4_is_right(before, was));
	claim_eq(view_ip_is_right(frame, &view), view_ip_is_right(before, was));
}

/* Byte for byte, but for a checksum that was open, and the two values that zero has in that of IPv4. */
static void check_datagram(uint8_t *frame, size_t len, uint8_t *before, const struct frame_view *was)
{
	claim_eq(len, was->l4_off + was->l4_len);
	claim_eq(view_ip_is_right(frame, was), view_ip_is_right(before, was));
	if (!was->ipv6)
		memcpy(frame + was->l3_off + 10, before + was->l3_off + 10, 2);
	if (is_open(before, was)) {
		claim(view_l4_is_right(frame, was) && naive_get16(frame + was->l4_off + 6));
		memcpy(frame + was->l4_off + 6, before + was->l4_off + 6, 2);
	}
	claim(!memcmp(frame, before, len));
}

static void check(uint8_t *frame, size_t len, uint8_t *before, const struct buffer_segment *seg, uint8_t flags, uint16_t flaw)
{
	bool ethernet = flags & HAS_ETHERNET, ours;
	struct frame_view view;
	size_t now;

	ours = is_datagram(frame, len, ethernet, &view);
	if (ours)
		set_checksums(frame, &view, flags, flaw);
	memcpy(before, frame, len);
	if (!ours) {
		/* A longer one would need more room than there is. */
		claim(view.l4_len > 9600 || !buffer_to_tcp(frame, len, ethernet, seg));
		return;
	}
	now = buffer_to_tcp(frame, len, ethernet, seg);
	check_segment(frame, now, before, &view, seg);
	now = buffer_to_udp(frame, now, ethernet, seg->padding);
	check_datagram(frame, now, before, &view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz in = { data, data + size };
	struct buffer_segment seg;
	uint8_t flags, *room, *frame, *before;
	uint16_t flaw;
	size_t len;

	if (size < HEAD_LEN)
		return 0;
	flags = fuzz_u8(&in);
	seg.padding = fuzz_u8(&in) % (PADDING_MAX + 2);
	if (seg.padding > PADDING_MAX)
		seg.padding = PADDING_RANDOM;
	flaw = fuzz_u16(&in);
	seg.seq = fuzz_u32(&in);
	seg.ack = fuzz_u32(&in);
	seg.window = fuzz_u16(&in);
	fuzz_fill(&in, seg.padding_bytes, sizeof(seg.padding_bytes));
	len = fuzz_left(&in);

	/* Room for a segment, and not a byte more. */
	room = calloc(1, len + TRANSFORM_PIECE_MAX);
	before = malloc(len + 1);
	if (!room || !before)
		abort();
	memcpy(room, in.at, len);
	frame = frame_exact(room, len + TRANSFORM_PIECE_MAX, flags & HAS_ETHERNET);
	check(frame, len, before, &seg, flags, flaw);
	frame_exact_free(frame, flags & HAS_ETHERNET);
	free(before);
	free(room);
	return 0;
}
