/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames made to order, byte by byte and without bpf/core/: Ethernet with VLAN tags or no L2 header, IPv4 with options
 * or IPv6 with extension headers, UDP or TCP, padding behind the end. Checksums are those of naive.h.
 */
#ifndef MIMIC_TEST_PACKET_BUILDER_H
#define MIMIC_TEST_PACKET_BUILDER_H

#include <linux/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "naive.h"

enum {
	FRAME_MAX = 9600,
	FRAME_EXT_MAX = 10,
	FRAME_TCP_OPTIONS_MAX = 40,
};

enum frame_check {
	FRAME_CHECK_COMPLETE,
	FRAME_CHECK_ZERO,    /* UDP over IPv4 without checksum */
	FRAME_CHECK_PARTIAL, /* the folded sum of the pseudo header, for the NIC to go on with */
};

/* An IPv6 extension header. */
struct frame_ext {
	uint8_t type;
	uint8_t len; /* as on the wire: units of 8 bytes behind the first; 0 in fragment headers */
	uint16_t frag_off; /* as on the wire, of fragment headers: offset << 3 | more */
};

struct frame_tcp {
	uint32_t seq, ack;
	uint16_t window;
	uint8_t flags;
	uint8_t options_len; /* a multiple of 4 */
	uint8_t options[FRAME_TCP_OPTIONS_MAX];
};

/* All zero: IPv4 without L2 header, no options, protocol to be filled in. */
struct frame_spec {
	bool ethernet;
	uint8_t vlans; /* tags, 0..2 and more */
	bool ipv6;
	uint8_t ip_options; /* IPv4: 32-bit words of options, 0..10 */
	uint16_t frag_off;  /* IPv4: flags and offset as on the wire */
	uint8_t ext_count;
	struct frame_ext ext[FRAME_EXT_MAX];
	uint8_t proto; /* IPPROTO_UDP, IPPROTO_TCP; of anything else there is the payload only */
	uint8_t src[16], dst[16]; /* the first 4 bytes for IPv4 */
	uint16_t src_port, dst_port;
	struct frame_tcp tcp;
	enum frame_check check;
	const uint8_t *payload;
	size_t payload_len;
	size_t trailer; /* bytes behind the IP packet, as drivers pad short frames */
};

struct frame {
	size_t len, l3_off, l4_off, l4_len;
	size_t proto_off; /* of the byte that names the L4 protocol */
	uint8_t bytes[FRAME_MAX];
};

/* Two hosts and a port at each. */
static inline void frame_spec_init(struct frame_spec *spec, bool ipv6, const uint8_t *payload,
				   size_t payload_len)
{
	static const uint8_t ipv4[2][4] = { { 192, 0, 2, 1 }, { 198, 51, 100, 2 } };
	static const uint8_t ipv6_prefix[4] = { 0x20, 0x01, 0x0d, 0xb8 };

	memset(spec, 0, sizeof(*spec));
	spec->ethernet = true;
	spec->ipv6 = ipv6;
	spec->proto = IPPROTO_UDP;
	spec->src_port = 51820;
	spec->dst_port = 443;
	spec->payload = payload;
	spec->payload_len = payload_len;
	if (ipv6) {
		memcpy(spec->src, ipv6_prefix, 4);
		memcpy(spec->dst, ipv6_prefix, 4);
		spec->src[15] = 1;
		spec->dst[7] = 0xab;
		spec->dst[15] = 2;
	} else {
		memcpy(spec->src, ipv4[0], 4);
		memcpy(spec->dst, ipv4[1], 4);
	}
}

static inline size_t frame_build_l2(uint8_t *p, const struct frame_spec *spec)
{
	static const uint8_t macs[12] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 };
	size_t off = sizeof(macs);

	if (!spec->ethernet)
		return 0;
	memcpy(p, macs, sizeof(macs));
	for (unsigned int i = 0; i < spec->vlans; i++, off += 4) {
		naive_put16(p + off, i + 1U < spec->vlans ? 0x88a8 : 0x8100);
		naive_put16(p + off + 2, (uint16_t)(100 + i));
	}
	naive_put16(p + off, spec->ipv6 ? 0x86dd : 0x0800);
	return off + 2;
}

/* Returns the length of the header; proto_off is left where the protocol stands. */
static inline size_t frame_build_ipv4(struct frame *frame, const struct frame_spec *spec)
{
	uint8_t *ip = frame->bytes + frame->l3_off;
	size_t len = 20 + spec->ip_options * 4U;

	ip[0] = (uint8_t)(0x40 | len / 4);
	ip[1] = 0;
	naive_put16(ip + 2, (uint16_t)(len + frame->l4_len));
	naive_put16(ip + 4, 0x1234);
	naive_put16(ip + 6, spec->frag_off);
	ip[8] = 64;
	ip[9] = spec->proto;
	naive_put16(ip + 10, 0);
	memcpy(ip + 12, spec->src, 4);
	memcpy(ip + 16, spec->dst, 4);
	memset(ip + 20, 1, len - 20); /* NOPs (RFC 791 3.1) */
	naive_put16(ip + 10, (uint16_t)~naive_fold(naive_sum(ip, len)));
	frame->proto_off = frame->l3_off + 9;
	return len;
}

static inline size_t frame_build_ipv6(struct frame *frame, const struct frame_spec *spec)
{
	uint8_t *ip = frame->bytes + frame->l3_off;
	size_t off = 40;

	naive_put32(ip, 0x60012345); /* with a flow label */
	ip[7] = 64;
	memcpy(ip + 8, spec->src, 16);
	memcpy(ip + 24, spec->dst, 16);
	frame->proto_off = frame->l3_off + 6;
	for (unsigned int i = 0; i < spec->ext_count; i++) {
		const struct frame_ext *ext = &spec->ext[i];
		size_t len = ext->type == IPPROTO_FRAGMENT ? 8 : 8 + ext->len * 8U;

		frame->bytes[frame->proto_off] = ext->type;
		frame->proto_off = frame->l3_off + off;
		memset(ip + off, 0, len); /* Pad1 options, or a routing header without addresses */
		ip[off + 1] = ext->len;
		if (ext->type == IPPROTO_FRAGMENT) {
			naive_put16(ip + off + 2, ext->frag_off);
			naive_put32(ip + off + 4, 0xdecade00);
		}
		off += len;
	}
	frame->bytes[frame->proto_off] = spec->proto;
	naive_put16(ip + 4, (uint16_t)(off - 40 + frame->l4_len));
	return off;
}

static inline void frame_build_l4(struct frame *frame, const struct frame_spec *spec,
				  size_t header_len)
{
	uint8_t *l4 = frame->bytes + frame->l4_off;
	uint8_t *check = l4 + (spec->proto == IPPROTO_TCP ? 16 : 6);
	uint64_t pseudo =
		naive_pseudo(spec->src, spec->dst, spec->ipv6 ? 16 : 4, spec->proto, frame->l4_len);
	uint16_t value = 0;

	memset(l4, 0, header_len);
	if (spec->payload_len)
		memcpy(l4 + header_len, spec->payload, spec->payload_len);
	if (!header_len)
		return;
	naive_put16(l4, spec->src_port);
	naive_put16(l4 + 2, spec->dst_port);
	if (spec->proto == IPPROTO_TCP) {
		naive_put32(l4 + 4, spec->tcp.seq);
		naive_put32(l4 + 8, spec->tcp.ack);
		l4[12] = (uint8_t)(header_len / 4 << 4);
		l4[13] = spec->tcp.flags;
		naive_put16(l4 + 14, spec->tcp.window);
		memcpy(l4 + 20, spec->tcp.options, spec->tcp.options_len);
	} else {
		naive_put16(l4 + 4, (uint16_t)frame->l4_len);
	}
	if (spec->check == FRAME_CHECK_PARTIAL)
		value = naive_fold(pseudo);
	else if (spec->check == FRAME_CHECK_COMPLETE)
		value = (uint16_t)~naive_fold(pseudo + naive_sum(l4, frame->l4_len));
	if (!value && spec->check == FRAME_CHECK_COMPLETE && spec->proto == IPPROTO_UDP)
		value = 0xffff;
	naive_put16(check, value);
}

static inline void frame_build(struct frame *frame, const struct frame_spec *spec)
{
	size_t header_len = 0;

	if (spec->proto == IPPROTO_UDP)
		header_len = 8;
	else if (spec->proto == IPPROTO_TCP)
		header_len = 20 + spec->tcp.options_len;
	frame->l3_off = frame_build_l2(frame->bytes, spec);
	frame->l4_len = header_len + spec->payload_len;
	frame->l4_off = frame->l3_off + (spec->ipv6 ? frame_build_ipv6(frame, spec) :
						      frame_build_ipv4(frame, spec));
	frame->len = frame->l4_off + frame->l4_len + spec->trailer;
	if (frame->len > FRAME_MAX)
		abort();
	frame_build_l4(frame, spec, header_len);
	memset(frame->bytes + frame->len - spec->trailer, 0xee, spec->trailer);
}

/*
 * A copy of the first len bytes that ends where the memory ends, so that ASan sees every byte read behind it. The IP
 * header is aligned to 4 bytes, as in the kernel (NET_IP_ALIGN), for UBSan's sake. Given back by frame_exact_free().
 */
static inline uint8_t *frame_exact(const uint8_t *bytes, size_t len, bool ethernet)
{
	size_t align = ethernet ? 2 : 0;
	uint8_t *copy = malloc(align + len ? align + len : 1);

	if (!copy)
		abort();
	if (len)
		memcpy(copy + align, bytes, len);
	return copy + align;
}

static inline void frame_exact_free(uint8_t *copy, bool ethernet)
{
	free(copy - (ethernet ? 2 : 0));
}

#endif
