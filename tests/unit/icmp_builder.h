/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP errors as a router makes them, and what must become of them: byte by byte and without bpf/core/, as
 * packet_builder.h. All checksums are made afresh by naive.h.
 */
#ifndef MIMIC_TEST_ICMP_BUILDER_H
#define MIMIC_TEST_ICMP_BUILDER_H

#include "packet_builder.h"

enum {
	ICMP_BUILD_MAX = 1300, /* bytes of a message */
};

struct icmp_spec {
	struct frame_spec quoted; /* what the router is unhappy about; its L2 header is not quoted */
	uint8_t type, code;
	uint32_t rest;	       /* the header's second half: the MTU */
	size_t quote_len;      /* bytes that are quoted, if there are so many */
	uint8_t router[16];
	bool wrong;	       /* damaged on the way: the checksum is not right */
};

struct icmp_built {
	size_t len;
	size_t l4_off, proto_off; /* of the quoted packet, in bytes[] */
	_Alignas(4) uint8_t bytes[ICMP_BUILD_MAX];
};

/*
 * A router says that a datagram of `len` bytes does not fit 1400 bytes, and quotes most of it. layout: varies IPv4 options and
 * extension headers.
 */
static inline void icmp_spec_init(struct icmp_spec *spec, bool ipv6, unsigned int layout, const uint8_t *payload,
				  size_t len)
{
	static const struct frame_ext ext[3] = { { .type = IPPROTO_HOPOPTS, .len = 0 },
						 { .type = IPPROTO_ROUTING, .len = 2 },
						 { .type = IPPROTO_DSTOPTS, .len = 10 } };

	memset(spec, 0, sizeof(*spec));
	frame_spec_init(&spec->quoted, ipv6, payload, len);
	spec->quoted.ext_count = ipv6 ? (uint8_t)(layout % 4) : 0;
	memcpy(spec->quoted.ext, ext, sizeof(ext));
	spec->quoted.ip_options = ipv6 ? 0 : (uint8_t)(layout % 11);
	spec->quoted.frag_off = ipv6 ? 0 : 0x4000; /* DF */
	spec->type = ipv6 ? 2 : 3;
	spec->code = ipv6 ? 0 : 4;
	spec->rest = 1400;
	spec->quote_len = 1200;
	spec->router[15] = spec->router[0] = 0xfe;
}

static inline uint16_t icmp_built_check(const struct icmp_built *msg, const struct icmp_spec *spec)
{
	uint64_t sum = naive_sum(msg->bytes, msg->len);

	if (spec->quoted.ipv6)
		sum += naive_pseudo(spec->router, spec->quoted.src, 16, IPPROTO_ICMPV6, msg->len);
	return (uint16_t)~naive_fold(sum);
}

static inline void icmp_build_check(struct icmp_built *msg, const struct icmp_spec *spec)
{
	naive_put16(msg->bytes + 2, 0);
	naive_put16(msg->bytes + 2, icmp_built_check(msg, spec) ^ (spec->wrong ? 0x1200 : 0));
}

static inline void icmp_build(struct icmp_built *msg, const struct icmp_spec *spec)
{
	static struct frame frame;
	struct frame_spec quoted = spec->quoted;
	size_t len;

	quoted.ethernet = false;
	frame_build(&frame, &quoted);
	len = frame.len < spec->quote_len ? frame.len : spec->quote_len;
	if (8 + len > sizeof(msg->bytes))
		abort();
	msg->len = 8 + len;
	msg->l4_off = 8 + frame.l4_off;
	msg->proto_off = 8 + frame.proto_off;
	msg->bytes[0] = spec->type;
	msg->bytes[1] = spec->code;
	naive_put32(msg->bytes + 4, spec->rest);
	memcpy(msg->bytes + 8, frame.bytes, len);
	icmp_build_check(msg, spec);
}

/* The quoted packet gets another protocol, and the checksum of its header. */
static inline void icmp_build_proto(struct icmp_built *msg, const struct icmp_spec *spec, uint8_t proto)
{
	uint8_t *ip = msg->bytes + 8;

	msg->bytes[msg->proto_off] = proto;
	if (spec->quoted.ipv6)
		return;
	naive_put16(ip + 10, 0);
	naive_put16(ip + 10, (uint16_t)~naive_fold(naive_sum(ip, msg->l4_off - 8)));
}

/* The quoted segment had so much padding. mtu: what the message must say, or what it said. */
static inline void icmp_build_turned(struct icmp_built *msg, const struct icmp_spec *spec, uint8_t padding,
				     uint32_t mtu)
{
	uint8_t *ip = msg->bytes + 8, *length = ip + (spec->quoted.ipv6 ? 4 : 2);
	size_t l4_len = 20U + spec->quoted.tcp.options_len + spec->quoted.payload_len;
	size_t udp_len = l4_len < 20U + padding ? 8 : l4_len - 12 - padding;

	icmp_build(msg, spec);
	naive_put32(msg->bytes + 4, mtu);
	naive_put16(length, (uint16_t)(naive_get16(length) - (l4_len - udp_len)));
	icmp_build_proto(msg, spec, IPPROTO_UDP);
	naive_put16(msg->bytes + msg->l4_off + 4, (uint16_t)udp_len);
	naive_put16(msg->bytes + msg->l4_off + 6, 0);
	icmp_build_check(msg, spec);
}

/*
 * The quoted datagram came in a segment with so much padding. tcp: its numbers. What is quoted of a TCP header are whole words;
 * in place of the segment's checksum, that of the datagram stays.
 */
static inline void icmp_build_turned_back(struct icmp_built *msg, const struct icmp_spec *spec, const struct frame_tcp *tcp,
					  uint8_t padding, uint32_t mtu)
{
	uint8_t *ip = msg->bytes + 8, *length = ip + (spec->quoted.ipv6 ? 4 : 2), *l4, header[20] = { 0 };
	size_t there;

	icmp_build(msg, spec);
	l4 = msg->bytes + msg->l4_off;
	naive_put32(msg->bytes + 4, mtu);
	naive_put16(length, (uint16_t)(naive_get16(length) + 12 + padding));
	icmp_build_proto(msg, spec, IPPROTO_TCP);
	memcpy(header, l4, 4);
	naive_put32(header + 4, tcp->seq);
	naive_put32(header + 8, tcp->ack);
	header[12] = 5 << 4;
	header[13] = tcp->flags;
	naive_put16(header + 14, tcp->window);
	memcpy(header + 16, l4 + 6, 2);
	there = (msg->len - msg->l4_off) / 4 * 4;
	memcpy(l4, header, there < sizeof(header) ? there : sizeof(header));
	icmp_build_check(msg, spec);
}

#endif
