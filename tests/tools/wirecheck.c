// SPDX-License-Identifier: GPL-2.0-only
/*
 * wirecheck - captures or reads packets and verifies what is on the wire
 *
 *	wirecheck -i IFACE --port P[,P...] [--seconds S] [-w FILE]	until S, SIGTERM or SIGINT
 *	wirecheck -r FILE --port P[,P...]
 *
 * Every packet from or to one of the ports is parsed strictly and its checksums verified; each
 * TCP direction is tracked. One line of JSON on stdout is the result. Exit status: 0 all well,
 * 1 something is wrong on the wire or a --require does not hold, 2 usage or system error.
 *
 * A packet that a local socket or a peer on the same host made may still have a partial checksum
 * (TP_STATUS_CSUMNOTREADY); its field must then hold the sum of the pseudo header.
 *
 * Where the kernel taps: behind TC egress on the way out, behind generic and native XDP but in
 * front of TC ingress on the way in. So at an end that runs Mimic, TCP is seen going out and
 * UDP coming in: use --dir out, or capture on a router or on the peer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#ifndef TP_STATUS_CSUMNOTREADY
#define TP_STATUS_CSUMNOTREADY (1 << 3)
#endif

enum {
	MAX_PORTS = 64,
	MAX_REQUIRES = 64,
	MAX_FRAME = 262144,
	MAX_EXT_HEADERS = 12,
	CONN_SLOTS = 65536, /* a power of two; at most half of it is used */
	MAX_HOLES = 32, /* the latest of one direction */
	BLOCK_SIZE = 1 << 20,
	BLOCKS = 64, /* tried first; halved while memory does not suffice */
	BLOCK_RETIRE_MS = 10,
	MIN_ETH_FRAME = 60,
};

enum { LINK_AUTO, LINK_ETH, LINK_NONE, LINK_SLL, LINK_SLL2, LINK_NULL };
enum { DIR_IN, DIR_OUT, DIR_UNKNOWN };
enum { F_FIN = 1, F_SYN = 2, F_RST = 4, F_PSH = 8, F_ACK = 16, F_URG = 32 };

/* The summary. X(name, what a value above 0 means for the exit status) */
#define COUNTERS(X) \
	X(packets, 0) X(tcp, 0) X(udp, 0) X(bad_ip_csum, 1) X(bad_tcp_csum, 1) X(bad_udp_csum, 1) \
	X(partial_csum, 0) X(bad_partial, 1) X(odd_partial_udp, 0) X(udp_nocsum, 0) X(bad_len, 1) X(padded, 0) \
	X(bad_urg, 1) X(bad_opts, 1) X(truncated, 0) X(fragments, 0) X(superpackets, 0) \
	X(syn, 0) X(synack, 0) X(syn_retrans, 0) X(rst, 0) X(fin, 0) X(data, 0) X(data_bytes, 0) \
	X(pure_ack, 0) X(probes, 0) X(keepalives, 0) X(psh, 0) X(empty_data, 0) \
	X(handshakes, 0) X(hs_disorder, 0) X(syn_no_opts, 0) X(mss, 0) X(wscale, 0) X(sack_ok, 0) \
	X(seq_gaps, 0) X(seq_overlaps, 0) X(late_probes, 0) X(odd_seq, 0) X(ack_regress, 0) \
	X(beyond_window, 0) X(max_len, 0) X(options_on_data, 0) X(ip_options, 0) X(vlan, 0) \
	X(dropped_by_capture, 0) X(flows, 0) X(untracked, 0)

struct counters {
#define X(name, fatal) uint64_t name;
	COUNTERS(X)
#undef X
};

static const struct {
	const char *name;
	bool fatal;
} counter_info[] = {
#define X(name, fatal) { #name, fatal },
	COUNTERS(X)
#undef X
};

#define N_COUNTERS (sizeof(counter_info) / sizeof(counter_info[0]))
_Static_assert(sizeof(struct counters) == N_COUNTERS * sizeof(uint64_t), "only counters");

/* One packet as it comes from the ring or a file. */
struct frame {
	const uint8_t *data;
	size_t len; /* captured */
	size_t wire_len;
	uint64_t ns; /* realtime */
	int link, dir;
	bool partial, has_vlan;
	uint16_t vlan_tci, vlan_tpid; /* a tag that was stripped */
};

struct ip_addr {
	uint8_t b[16];
};

struct packet {
	const struct frame *f;
	bool v6;
	struct ip_addr src, dst;
	uint16_t sport, dport;
	uint8_t proto;
	const uint8_t *l4;
	size_t l4_len;
	size_t ip_len; /* with the IP header */
	bool cut; /* the capture does not hold all of it */
	unsigned int n_vlan;
	const char *csum; /* verdict */
	/* TCP */
	uint8_t flags;
	uint32_t seq, ack;
	uint16_t win;
	size_t payload;
	const uint8_t *opts;
	size_t opts_len;
};

struct tcp_opts {
	int mss, wscale; /* -1: not there */
	bool sack_ok, other;
};

/* One direction of a connection. */
struct half {
	bool has_seq, has_ack, has_edge, has_isn;
	uint32_t isn, next, last_ack, edge;
	int wscale; /* -1: no SYN seen */
	unsigned int n_holes; /* where one byte is missing: probes may still fill them */
	uint32_t hole[MAX_HOLES];
};

enum { HS_NONE, HS_SYN, HS_SYNACK, HS_DONE };

struct conn {
	bool used, v6;
	struct ip_addr a[2];
	uint16_t port[2];
	int handshake;
	struct half half[2];
};

static struct counters n;
static struct conn *conns;
static uint16_t ports[MAX_PORTS];
static unsigned int n_ports;
static const char *requires[MAX_REQUIRES];
static unsigned int n_requires;
static bool verbose, no_udp, partial_ok;
static int want_dir = DIR_UNKNOWN;
static FILE *writer;
static int writer_link;
static uint64_t first_ns;

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* --- checksums --- */

/* Sum of big-endian 16-bit words, not folded. */
static uint64_t sum16(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	for (; len >= 4; p += 4, len -= 4)
		sum += get32(p);
	if (len >= 2)
		sum += get16(p);
	if (len & 1)
		sum += (uint64_t)p[len & 2] << 8;
	return sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint64_t pseudo_sum(const struct packet *p)
{
	size_t alen = p->v6 ? 16 : 4;

	return sum16(p->src.b, alen) + sum16(p->dst.b, alen) + p->proto + p->l4_len;
}

/* Verifies a TCP or UDP checksum whose field is at `at`; *bad is the counter for a wrong one. */
static void check_l4_csum(struct packet *p, unsigned int at, uint64_t *bad)
{
	uint16_t field = get16(p->l4 + at), pseudo = fold(pseudo_sum(p));
	bool udp = p->proto == IPPROTO_UDP, right;

	if (p->f->partial && field == pseudo) { /* the usual case need not be summed */
		n.partial_csum++;
		p->csum = "partial";
		return;
	}
	right = fold(pseudo_sum(p) + sum16(p->l4, p->l4_len)) == 0xffff;
	if (p->f->partial || (partial_ok && !right && field == pseudo)) {
		n.partial_csum++;
		p->csum = "partial";
		if (right || field == pseudo || (udp && !field))
			return;
		/*
		 * Seen with UDP that XDP restored from a partial TCP segment, and with the outer
		 * header of tunnels: the kernel delivers those.
		 */
		p->csum = "partial BAD";
		if (udp)
			n.odd_partial_udp++;
		else
			n.bad_partial++;
		return;
	}
	if (udp && !field) {
		n.udp_nocsum++;
		p->csum = "none";
		return;
	}
	p->csum = right ? "ok" : "BAD";
	*bad += !right;
}

/* --- tracking --- */

static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static uint32_t hash_packet(const struct packet *p)
{
	/* the same for both directions */
	uint32_t h = (uint32_t)p->sport * p->dport + p->sport + p->dport;

	for (unsigned int i = 0; i < 16; i += 4)
		h = h * 31 + (get32(p->src.b + i) ^ get32(p->dst.b + i));
	h ^= h >> 15;
	h *= 0x2c1b3c6du;
	return h ^ h >> 12;
}

static bool is_end(const struct conn *c, int e, const struct ip_addr *a, uint16_t port)
{
	return c->port[e] == port && !memcmp(&c->a[e], a, sizeof(*a));
}

/* The connection of p; *from is the index of its source. NULL when the table is full. */
static struct conn *conn_get(const struct packet *p, int *from)
{
	uint32_t slot = hash_packet(p);

	for (unsigned int i = 0; i < CONN_SLOTS; i++) {
		struct conn *c = &conns[(slot + i) & (CONN_SLOTS - 1)];

		if (!c->used) {
			if (n.flows >= CONN_SLOTS / 2)
				return NULL;
			n.flows++;
			*c = (struct conn){
				.used = true, .v6 = p->v6, .a = { p->src, p->dst },
				.port = { p->sport, p->dport },
				.half = { { .wscale = -1 }, { .wscale = -1 } },
			};
			*from = 0;
			return c;
		}
		for (*from = 0; *from < 2; ++*from)
			if (c->v6 == p->v6 && is_end(c, *from, &p->src, p->sport) &&
			    is_end(c, !*from, &p->dst, p->dport))
				return c;
	}
	return NULL;
}

/* Returns false when the list is malformed. */
static bool parse_tcp_opts(const uint8_t *o, size_t len, struct tcp_opts *out)
{
	*out = (struct tcp_opts){ .mss = -1, .wscale = -1 };
	for (size_t i = 0; i < len;) {
		uint8_t kind = o[i], l;

		if (kind == 0)
			return true;
		if (kind == 1) {
			i++;
			continue;
		}
		if (i + 1 >= len || o[i + 1] < 2 || o[i + 1] > len - i)
			return false;
		l = o[i + 1];
		if ((kind == 2 && l != 4) || (kind == 3 && l != 3) || (kind == 4 && l != 2))
			return false;
		if (kind == 2)
			out->mss = get16(o + i + 2);
		else if (kind == 3)
			out->wscale = o[i + 2];
		else if (kind == 4)
			out->sack_ok = true;
		else
			out->other = true;
		i += l;
	}
	return true;
}

/* A SYN with a new number begins a new connection in its direction. */
static void track_syn(struct conn *c, int from, const struct packet *p, const struct tcp_opts *o)
{
	struct half *h = &c->half[from];
	bool synack = p->flags & F_ACK;

	if (synack)
		n.synack++;
	else
		n.syn++;
	if (o->mss < 0 || o->wscale < 0 || !o->sack_ok)
		n.syn_no_opts++;
	n.mss = o->mss < 0 ? 0 : (uint64_t)o->mss;
	n.wscale = o->wscale < 0 ? 0 : (uint64_t)o->wscale;
	n.sack_ok += o->sack_ok;
	if (synack && c->handshake == HS_NONE)
		n.hs_disorder++;
	if (h->has_isn && h->isn == p->seq && !(synack && c->handshake == HS_SYN)) {
		n.syn_retrans++;
		return;
	}
	if (!synack && (c->handshake == HS_NONE || c->handshake == HS_DONE))
		c->half[!from].has_isn = false;
	/* two SYNs that crossed are a simultaneous open: an ACK of either completes it */
	c->handshake = synack || c->half[!from].has_isn ? HS_SYNACK : HS_SYN;
	*h = (struct half){
		.has_isn = true, .isn = p->seq, .has_seq = true, .next = p->seq + 1,
		.wscale = o->wscale < 0 ? 0 : o->wscale,
	};
	if (!synack) /* the other end begins anew, too, or its numbers will tell */
		c->half[!from].has_ack = c->half[!from].has_edge = false;
}

static void track_window(struct conn *c, int from, const struct packet *p)
{
	struct half *h = &c->half[from];
	uint32_t edge;
	int shift;

	if (!(p->flags & F_ACK) || p->flags & F_RST)
		return;
	if (h->has_ack && before(p->ack, h->last_ack)) {
		n.ack_regress++;
		return;
	}
	h->last_ack = p->ack;
	h->has_ack = true;
	if (h->wscale < 0 || c->half[!from].wscale < 0)
		return;
	shift = p->flags & F_SYN ? 0 : h->wscale;
	edge = p->ack + ((uint32_t)p->win << shift);
	if (!h->has_edge || before(h->edge, edge)) {
		h->edge = edge;
		h->has_edge = true;
	}
}

/* Whether a byte at seq was missing; it is not any more. */
static bool fill_hole(struct half *h, uint32_t seq)
{
	for (unsigned int i = 0; i < h->n_holes; i++) {
		if (h->hole[i] != seq)
			continue;
		h->n_holes--;
		memmove(h->hole + i, h->hole + i + 1, (h->n_holes - i) * sizeof(h->hole[0]));
		return true;
	}
	return false;
}

static void note_hole(struct half *h, uint32_t seq)
{
	if (h->n_holes == MAX_HOLES)
		memmove(h->hole, h->hole + 1, --h->n_holes * sizeof(h->hole[0]));
	h->hole[h->n_holes++] = seq;
}

static void track_data(struct half *h, const struct half *peer, const struct packet *p)
{
	uint32_t end = p->seq + (uint32_t)p->payload;

	if (peer->has_edge && before(peer->edge, end))
		n.beyond_window++;
	if (!h->has_seq) {
		h->has_seq = true;
	} else if (p->payload == 1 && fill_hole(h, p->seq)) {
		n.seq_gaps--;
		n.late_probes++;
	} else if (before(h->next, p->seq)) {
		n.seq_gaps++;
		if (p->seq - h->next == 1)
			note_hole(h, h->next);
	} else if (before(p->seq, h->next) && p->payload > 1) {
		n.seq_overlaps++;
	}
	if (before(h->next, end))
		h->next = end;
}

/* Segments without SYN, FIN or RST. */
static void track_segment(struct conn *c, int from, const struct packet *p)
{
	struct half *h = &c->half[from];
	bool psh = p->flags & F_PSH, below = h->has_seq && p->seq == h->next - 1;

	if (p->payload == 1 && !psh)
		n.probes++;
	else if (!p->payload && below && !psh)
		n.keepalives++;
	else if (!p->payload && !psh)
		n.pure_ack++;
	else
		n.data++;
	n.empty_data += psh && !p->payload;
	if (p->payload || psh) {
		n.data_bytes += p->payload;
		n.options_on_data += p->opts_len > 0;
		if (c->handshake == HS_SYN)
			n.hs_disorder++;
		if (!h->has_seq)
			h->next = p->seq;
		track_data(h, &c->half[!from], p);
	} else if (h->has_seq && p->seq != h->next && !below) {
		n.odd_seq++;
	}
}

static void track(const struct packet *p)
{
	struct tcp_opts o;
	struct conn *c;
	int from;

	n.psh += !!(p->flags & F_PSH);
	n.rst += !!(p->flags & F_RST);
	n.fin += !!(p->flags & F_FIN);
	if (!parse_tcp_opts(p->opts, p->opts_len, &o))
		n.bad_opts++;
	c = conn_get(p, &from);
	if (!c) {
		n.untracked++;
		return;
	}
	if (p->flags & F_RST) {
		c->half[0].has_ack = c->half[1].has_ack = false;
		return;
	}
	if (p->flags & F_SYN)
		track_syn(c, from, p, &o);
	else if (c->handshake == HS_SYNACK && p->flags & F_ACK &&
		 c->half[!from].has_isn && p->ack == c->half[!from].isn + 1) {
		c->handshake = HS_DONE;
		n.handshakes++;
	}
	track_window(c, from, p);
	if (p->flags & F_FIN) {
		c->half[from].next = p->seq + (uint32_t)p->payload + 1;
		c->half[from].has_seq = true;
	} else if (!(p->flags & F_SYN)) {
		track_segment(c, from, p);
	}
}

/* --- one line for each packet --- */

static void print_opts(const struct packet *p)
{
	struct tcp_opts o;

	if (!p->opts_len)
		return;
	if (!parse_tcp_opts(p->opts, p->opts_len, &o)) {
		printf(" opts [malformed]");
		return;
	}
	printf(" opts [");
	if (o.mss >= 0)
		printf(" mss %d", o.mss);
	if (o.wscale >= 0)
		printf(" wscale %d", o.wscale);
	printf("%s%s ]", o.sack_ok ? " sackOK" : "", o.other ? " other" : "");
}

static void print_packet(const struct packet *p)
{
	static const char *const dirs[] = { "in ", "out", "-  " };
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN], flags[10];
	uint64_t us;
	int i = 0;

	if (!first_ns)
		first_ns = p->f->ns;
	us = p->f->ns >= first_ns ? (p->f->ns - first_ns) / 1000 : 0;
	inet_ntop(p->v6 ? AF_INET6 : AF_INET, p->src.b, src, sizeof(src));
	inet_ntop(p->v6 ? AF_INET6 : AF_INET, p->dst.b, dst, sizeof(dst));
	printf("%5" PRIu64 ".%06u %s %s.%u > %s.%u", us / 1000000, (unsigned int)(us % 1000000),
	       dirs[p->f->dir], src, p->sport, dst, p->dport);
	if (p->proto == IPPROTO_UDP) {
		printf(" UDP len %zu csum %s\n", p->payload, p->csum);
		return;
	}
	for (int b = 0; b < 8; b++)
		if (p->flags & 1 << b)
			flags[i++] = "FSRP.UEC"[b];
	flags[i] = '\0';
	printf(" [%s] seq %u ack %u win %u", flags, p->seq, p->ack, p->win);
	print_opts(p);
	printf(" len %zu csum %s\n", p->payload, p->csum);
}

/* --- parsing --- */

static void check_tcp(struct packet *p)
{
	size_t hdr;

	n.tcp++;
	if (p->l4_len < 20) {
		n.bad_len++;
		return;
	}
	hdr = (size_t)(p->l4[12] >> 4) * 4;
	if (hdr < 20 || hdr > p->l4_len) {
		n.bad_len++;
		return;
	}
	p->seq = get32(p->l4 + 4);
	p->ack = get32(p->l4 + 8);
	p->flags = p->l4[13];
	p->win = get16(p->l4 + 14);
	p->payload = p->l4_len - hdr;
	p->opts = p->l4 + 20;
	p->opts_len = hdr - 20;
	n.bad_urg += get16(p->l4 + 18) || p->flags & F_URG;
	if (p->cut)
		n.truncated++;
	else
		check_l4_csum(p, 16, &n.bad_tcp_csum);
	if (verbose)
		print_packet(p);
	track(p);
}

static void check_udp(struct packet *p)
{
	n.udp++;
	if (p->l4_len < 8 || get16(p->l4 + 4) != p->l4_len) {
		n.bad_len++;
		return;
	}
	p->payload = p->l4_len - 8;
	if (p->cut)
		n.truncated++;
	else
		check_l4_csum(p, 6, &n.bad_udp_csum);
	if (verbose)
		print_packet(p);
}

static bool wanted_port(uint16_t port)
{
	for (unsigned int i = 0; i < n_ports; i++)
		if (ports[i] == port)
			return true;
	return false;
}

static void write_frame(const struct frame *f);

/* captured: bytes of the L4 part that are there. True when the packet is one of ours. */
static bool match_ports(struct packet *p, size_t captured)
{
	if ((p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP) || captured < 4)
		return false;
	p->sport = get16(p->l4);
	p->dport = get16(p->l4 + 2);
	if (!wanted_port(p->sport) && !wanted_port(p->dport))
		return false;
	n.packets++;
	if (p->ip_len > n.max_len)
		n.max_len = p->ip_len;
	n.superpackets += p->ip_len > 9216;
	n.vlan += p->n_vlan > 0;
	if (writer)
		write_frame(p->f);
	return true;
}

static void check_l4(struct packet *p, size_t captured)
{
	p->csum = "?";
	p->cut = captured < p->l4_len;
	/* the headers have to be there, whatever the snap length */
	if (p->cut && captured < 60) {
		n.truncated++;
		return;
	}
	if (p->proto == IPPROTO_TCP)
		check_tcp(p);
	else
		check_udp(p);
}

/* wire: what was on the wire from the IP header on. */
static void check_ip_len(const struct packet *p, size_t wire, size_t link_hdr)
{
	/* Ethernet pads short frames; anything else behind the IP packet is allowed, but seldom meant. */
	if (p->ip_len > wire)
		n.bad_len++;
	else if (p->ip_len < wire && wire + link_hdr > MIN_ETH_FRAME + 8)
		n.padded++;
}

static void check_ipv4(struct packet *p, const uint8_t *d, size_t len, size_t wire,
		       size_t link_hdr)
{
	size_t hdr;
	uint16_t frag;

	if (len < 20 || d[0] >> 4 != 4)
		return;
	hdr = (size_t)(d[0] & 15) * 4;
	p->ip_len = get16(d + 2);
	if (hdr < 20 || hdr > len || p->ip_len < hdr)
		return;
	frag = get16(d + 6);
	if (frag & 0x1fff)
		return; /* has no ports */
	memcpy(p->src.b, d + 12, 4);
	memcpy(p->dst.b, d + 16, 4);
	p->proto = d[9];
	p->l4 = d + hdr;
	p->l4_len = p->ip_len - hdr;
	if (!match_ports(p, len - hdr))
		return;
	check_ip_len(p, wire, link_hdr);
	n.ip_options += hdr > 20;
	n.bad_ip_csum += fold(sum16(d, hdr)) != 0xffff;
	if (frag & 0x2000)
		n.fragments++;
	else if (p->ip_len <= wire)
		check_l4(p, len - hdr);
}

static size_t ext_header_len(uint8_t type, uint8_t len_field)
{
	if (type == 44)
		return 8;
	return type == 51 ? (len_field + 2u) * 4 : (len_field + 1u) * 8;
}

static void check_ipv6(struct packet *p, const uint8_t *d, size_t len, size_t wire,
		       size_t link_hdr)
{
	size_t off = 40, off_next;
	bool frag = false;
	uint8_t next;

	if (len < 40 || d[0] >> 4 != 6)
		return;
	p->ip_len = get16(d + 4) + 40u;
	memcpy(p->src.b, d + 8, 16);
	memcpy(p->dst.b, d + 24, 16);
	next = d[6];
	for (int i = 0; i < MAX_EXT_HEADERS; i++) {
		if (next != 0 && next != 43 && next != 44 && next != 51 && next != 60)
			break;
		if (off + 8 > len)
			return;
		if (next == 44) {
			if (get16(d + off + 2) & 0xfff8)
				return;
			frag |= get16(d + off + 2) & 1;
		}
		off_next = off + ext_header_len(next, d[off + 1]);
		next = d[off];
		off = off_next;
	}
	if (off > len || off > p->ip_len)
		return;
	p->proto = next;
	p->l4 = d + off;
	p->l4_len = p->ip_len - off;
	if (!match_ports(p, len - off))
		return;
	check_ip_len(p, wire, link_hdr);
	n.ip_options += off > 40;
	if (frag)
		n.fragments++;
	else if (p->ip_len <= wire)
		check_l4(p, len - off);
}

/* Returns the length of the link header and sets *proto; -1: not IP. */
static int parse_link(const struct frame *f, struct packet *p, uint16_t *proto)
{
	size_t off = 14;

	switch (f->link) {
	case LINK_NONE:
	case LINK_NULL:
		off = f->link == LINK_NULL ? 4 : 0;
		if (f->len <= off)
			return -1;
		*proto = f->data[off] >> 4 == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP;
		return (int)off;
	case LINK_SLL:
		*proto = f->len >= 16 ? get16(f->data + 14) : 0;
		return 16;
	case LINK_SLL2:
		*proto = f->len >= 20 ? get16(f->data) : 0;
		return 20;
	}
	if (f->len < off)
		return -1;
	*proto = get16(f->data + 12);
	p->n_vlan = f->has_vlan;
	for (int i = 0; i < 2 && (*proto == 0x8100 || *proto == 0x88a8); i++) {
		if (f->len < off + 4)
			return -1;
		*proto = get16(f->data + off + 2);
		off += 4;
		p->n_vlan++;
	}
	return (int)off;
}

static void check_frame(const struct frame *f)
{
	struct packet p = { .f = f };
	uint16_t proto = 0;
	int off = parse_link(f, &p, &proto);

	if (off < 0 || f->len <= (size_t)off || (want_dir != DIR_UNKNOWN && f->dir != want_dir))
		return;
	p.v6 = proto == ETHERTYPE_IPV6;
	if (proto == ETHERTYPE_IP)
		check_ipv4(&p, f->data + off, f->len - (size_t)off, f->wire_len - (size_t)off,
			   (size_t)off);
	else if (p.v6)
		check_ipv6(&p, f->data + off, f->len - (size_t)off, f->wire_len - (size_t)off,
			   (size_t)off);
}

/* --- pcap files --- */

struct pcap_hdr {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, sigfigs, snaplen, linktype;
};

struct pcap_rec {
	uint32_t sec, frac, len, wire_len;
};

static void put(const void *p, size_t len)
{
	if (fwrite(p, 1, len, writer) != len)
		die("write: %s", strerror(errno));
}

static void open_writer(const char *path, int link)
{
	static const uint32_t types[] = {
		[LINK_ETH] = 1, [LINK_NONE] = 101, [LINK_SLL] = 113, [LINK_SLL2] = 276,
		[LINK_NULL] = 0,
	};
	struct pcap_hdr h = { .magic = 0xa1b23c4d, .major = 2, .minor = 4, .snaplen = MAX_FRAME };

	h.linktype = types[link];
	writer_link = link;
	writer = fopen(path, "we");
	if (!writer)
		die("%s: %s", path, strerror(errno));
	put(&h, sizeof(h));
}

static void write_frame(const struct frame *f)
{
	uint32_t tag = f->has_vlan && writer_link == LINK_ETH && f->len >= 12 ? 4 : 0;
	struct pcap_rec r = {
		.sec = (uint32_t)(f->ns / 1000000000), .frac = (uint32_t)(f->ns % 1000000000),
		.len = (uint32_t)f->len + tag, .wire_len = (uint32_t)f->wire_len + tag,
	};

	put(&r, sizeof(r));
	if (tag) {
		uint16_t vlan[2] = { htons(f->vlan_tpid), htons(f->vlan_tci) };

		put(f->data, 12);
		put(vlan, sizeof(vlan));
		put(f->data + 12, f->len - 12);
	} else {
		put(f->data, f->len);
	}
}

static int file_link(uint32_t type)
{
	switch (type & 0xffff) {
	case 0: return LINK_NULL;
	case 1: return LINK_ETH;
	case 12: case 101: case 228: case 229: return LINK_NONE;
	case 113: return LINK_SLL;
	case 276: return LINK_SLL2;
	}
	die("link type %u of the file is not known; use --link", type);
}

static void read_file(const char *path, int link, const char *write_path)
{
	static uint8_t data[MAX_FRAME];
	FILE *in = fopen(path, "re");
	struct pcap_hdr h;
	struct pcap_rec r;
	bool swap, nsec;

	if (!in || fread(&h, sizeof(h), 1, in) != 1)
		die("%s: cannot read it", path);
	swap = h.magic == 0xd4c3b2a1 || h.magic == 0x4d3cb2a1;
	nsec = h.magic == 0xa1b23c4d || h.magic == 0x4d3cb2a1;
	if (!swap && !nsec && h.magic != 0xa1b2c3d4)
		die("%s: not a pcap file", path);
	if (link == LINK_AUTO)
		link = file_link(swap ? __builtin_bswap32(h.linktype) : h.linktype);
	if (write_path)
		open_writer(write_path, link);
	while (!stop && fread(&r, sizeof(r), 1, in) == 1) {
		struct frame f = { .data = data, .link = link, .dir = DIR_UNKNOWN };

		if (swap) {
			r.sec = __builtin_bswap32(r.sec);
			r.frac = __builtin_bswap32(r.frac);
			r.len = __builtin_bswap32(r.len);
			r.wire_len = __builtin_bswap32(r.wire_len);
		}
		if (r.len > sizeof(data) || r.len > r.wire_len ||
		    fread(data, 1, r.len, in) != r.len)
			die("%s: broken record", path);
		f.ns = (uint64_t)r.sec * 1000000000 + (uint64_t)r.frac * (nsec ? 1 : 1000);
		f.len = r.len;
		f.wire_len = r.wire_len;
		check_frame(&f);
	}
	fclose(in);
}

/* --- capture --- */

struct ring {
	int fd, link;
	bool loopback;
	uint8_t *map;
	unsigned int blocks, at;
};

static void map_ring(struct ring *r)
{
	int version = TPACKET_V3;
	struct tpacket_req3 req = {
		.tp_block_size = BLOCK_SIZE, .tp_block_nr = BLOCKS,
		.tp_frame_size = TPACKET_ALIGNMENT << 7, .tp_retire_blk_tov = BLOCK_RETIRE_MS,
	};
	uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	if (setsockopt(r->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)))
		die("TPACKET_V3: %s", strerror(errno));
	while (req.tp_block_nr > 2 && req.tp_block_nr > ram / 16 / BLOCK_SIZE)
		req.tp_block_nr /= 2;
	for (; req.tp_block_nr >= 2; req.tp_block_nr /= 2) {
		req.tp_frame_nr = req.tp_block_size / req.tp_frame_size * req.tp_block_nr;
		if (!setsockopt(r->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
			break;
	}
	r->blocks = req.tp_block_nr;
	r->map = mmap(NULL, (size_t)r->blocks * BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		      r->fd, 0);
	if (r->blocks < 2 || r->map == MAP_FAILED)
		die("ring: %s", strerror(errno));
}

static void open_ring(struct ring *r, const char *ifname, int link)
{
	struct ifreq ifr = { 0 };
	struct sockaddr_ll sll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int type, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	sll.sll_ifindex = (int)if_nametoindex(ifname);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	if (fd < 0 || !sll.sll_ifindex || ioctl(fd, SIOCGIFHWADDR, &ifr))
		die("%s: %s", ifname, strerror(errno));
	close(fd);
	type = ifr.ifr_hwaddr.sa_family;
	r->loopback = type == ARPHRD_LOOPBACK;
	if (link == LINK_AUTO)
		link = r->loopback || type == ARPHRD_ETHER ? LINK_ETH : LINK_NONE;
	r->link = link;
	/* SOCK_DGRAM: the kernel strips whatever link header there is */
	type = link == LINK_ETH ? SOCK_RAW : SOCK_DGRAM;
	r->fd = socket(AF_PACKET, type | SOCK_CLOEXEC, 0); /* hears nothing until bind */
	if (r->fd < 0)
		die("AF_PACKET: %s", strerror(errno));
	map_ring(r);
	if (bind(r->fd, (struct sockaddr *)&sll, sizeof(sll)))
		die("bind: %s", strerror(errno));
}

static void ring_packet(const struct ring *r, const struct tpacket3_hdr *h)
{
	const uint8_t *base = (const uint8_t *)h;
	const struct sockaddr_ll *sll =
		(const void *)(base + TPACKET_ALIGN((int)sizeof(struct tpacket3_hdr)));
	struct frame f = {
		.data = base + h->tp_mac, .len = h->tp_snaplen, .wire_len = h->tp_len,
		.ns = (uint64_t)h->tp_sec * 1000000000 + h->tp_nsec, .link = r->link,
		.dir = sll->sll_pkttype == PACKET_OUTGOING ? DIR_OUT : DIR_IN,
		.partial = h->tp_status & TP_STATUS_CSUMNOTREADY,
		.has_vlan = h->tp_status & TP_STATUS_VLAN_VALID,
		.vlan_tci = (uint16_t)h->hv1.tp_vlan_tci, .vlan_tpid = h->hv1.tp_vlan_tpid,
	};

	if (r->link == LINK_NONE)
		f.data = base + h->tp_net;
	if (!(h->tp_status & TP_STATUS_VLAN_TPID_VALID))
		f.vlan_tpid = 0x8100;
	if (r->loopback && f.dir == DIR_OUT && want_dir != DIR_OUT)
		return; /* seen twice there */
	check_frame(&f);
}

/* Handles the blocks that are full; true when there was one. */
static bool ring_drain(struct ring *r)
{
	bool any = false;

	for (unsigned int i = 0; i < r->blocks; i++) {
		struct tpacket_block_desc *b = (void *)(r->map + (size_t)r->at * BLOCK_SIZE);
		struct tpacket3_hdr *h;

		if (!(__atomic_load_n(&b->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			break;
		h = (void *)((uint8_t *)b + b->hdr.bh1.offset_to_first_pkt);
		for (uint32_t k = 0; k < b->hdr.bh1.num_pkts; k++) {
			ring_packet(r, h);
			h = (void *)((uint8_t *)h + h->tp_next_offset);
		}
		__atomic_store_n(&b->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		r->at = (r->at + 1) % r->blocks;
		any = true;
	}
	return any;
}

static uint64_t now_ms(void)
{
	return now_ns() / 1000000;
}

static void capture(const char *ifname, int link, const char *write_path, double secs)
{
	struct ring r = { 0 };
	struct tpacket_stats_v3 ts;
	socklen_t len = sizeof(ts);
	uint64_t end = now_ms() + (uint64_t)(secs * 1000), late;

	open_ring(&r, ifname, link);
	if (write_path)
		open_writer(write_path, r.link);
	fputs("READY\n", stderr);
	while (!stop && now_ms() < end) {
		struct pollfd pfd = { .fd = r.fd, .events = POLLIN };

		if (!ring_drain(&r))
			poll(&pfd, 1, 20);
	}
	/* What came before the end is in a block that the kernel hands over within the timeout. */
	for (late = now_ms() + 5 * BLOCK_RETIRE_MS; now_ms() < late;) {
		ring_drain(&r);
		usleep(2000);
	}
	if (!getsockopt(r.fd, SOL_PACKET, PACKET_STATISTICS, &ts, &len))
		n.dropped_by_capture = ts.tp_drops;
	munmap(r.map, (size_t)r.blocks * BLOCK_SIZE);
	close(r.fd);
}

/* --- result --- */

static uint64_t counter(unsigned int i)
{
	uint64_t v;

	memcpy(&v, (const uint8_t *)&n + i * sizeof(v), sizeof(v));
	return v;
}

/* KEY>=N, KEY<=N or KEY=N: does it hold? With check_only, whether it is well-formed. */
static bool holds(const char *req, bool check_only)
{
	size_t len = strcspn(req, "<>=");
	const char *op = req + len, *num = op + 1 + (*op != '=');
	char *end;
	uint64_t want;

	want = *op ? strtoull(num, &end, 0) : 0;
	if (!*op || end == num || *end || (*op != '=' && op[1] != '='))
		die("--require %s: want KEY>=N, KEY<=N or KEY=N", req);
	for (unsigned int i = 0; i < N_COUNTERS; i++) {
		uint64_t v = counter(i);

		if (strlen(counter_info[i].name) != len || memcmp(counter_info[i].name, req, len))
			continue;
		return check_only || (*op == '=' ? v == want : *op == '>' ? v >= want : v <= want);
	}
	die("--require %s: no such key", req);
}

static int result(void)
{
	int rc = 0;

	for (unsigned int i = 0; i < N_COUNTERS; i++) {
		printf("%s\"%s\":%" PRIu64, i ? "," : "{", counter_info[i].name, counter(i));
		if (counter_info[i].fatal && counter(i)) {
			fprintf(stderr, "wirecheck: %s is %" PRIu64 "\n", counter_info[i].name,
				counter(i));
			rc = 1;
		}
	}
	puts("}");
	if (no_udp && n.udp) {
		fprintf(stderr, "wirecheck: %" PRIu64 " UDP packets\n", n.udp);
		rc = 1;
	}
	for (unsigned int i = 0; i < n_requires; i++) {
		if (holds(requires[i], false))
			continue;
		fprintf(stderr, "wirecheck: does not hold: %s\n", requires[i]);
		rc = 1;
	}
	if (n.dropped_by_capture)
		fprintf(stderr, "wirecheck: the capture lost %" PRIu64 " packets\n",
			n.dropped_by_capture);
	return rc;
}

/* --- command line --- */

static const char usage[] =
	"usage: wirecheck -i IFACE | -r FILE  --port P[,P...] [-w FILE] [--seconds S] [-v]\n"
	"                 [--no-udp] [--dir in|out|both] [--link eth|none]\n"
	"                 [--require KEY>=N|KEY<=N|KEY=N]...\n"
	"                 [--partial-ok (take an unfinished checksum in a file as partial)]\n";

static void __attribute__((noreturn)) bad_usage(void)
{
	fputs(usage, stderr);
	exit(2);
}

static void parse_ports(const char *s)
{
	while (*s) {
		char *end;
		unsigned long p = strtoul(s, &end, 10);

		if (end == s || !p || p > 65535 || (*end && *end != ',') || n_ports == MAX_PORTS)
			die("--port: bad list");
		ports[n_ports++] = (uint16_t)p;
		s = *end ? end + 1 : end;
	}
}

static void add_require(const char *s)
{
	if (n_requires == MAX_REQUIRES)
		die("too many --require");
	holds(s, true);
	requires[n_requires++] = s;
}

static int one_of(const char *s, const char *what, const char *const *names, const int *vals)
{
	for (int i = 0; names[i]; i++)
		if (!strcmp(s, names[i]))
			return vals[i];
	die("%s: %s?", what, s);
}

static int parse_dir(const char *s)
{
	static const char *const names[] = { "in", "out", "both", NULL };
	static const int vals[] = { DIR_IN, DIR_OUT, DIR_UNKNOWN };

	return one_of(s, "--dir", names, vals);
}

static int parse_link_name(const char *s)
{
	static const char *const names[] = { "eth", "none", NULL };
	static const int vals[] = { LINK_ETH, LINK_NONE };

	return one_of(s, "--link", names, vals);
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "port", 1, NULL, 'p' }, { "seconds", 1, NULL, 's' }, { "link", 1, NULL, 'l' },
		{ "no-udp", 0, NULL, 'U' }, { "require", 1, NULL, 'q' }, { "dir", 1, NULL, 'd' },
		{ "partial-ok", 0, NULL, 'P' }, { "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	const char *ifname = NULL, *in = NULL, *out = NULL;
	double secs = 3600;
	int c, link = LINK_AUTO;

	while ((c = getopt_long(argc, argv, "i:r:w:v", opts, NULL)) != -1) {
		switch (c) {
		case 'i': ifname = optarg; break;
		case 'r': in = optarg; break;
		case 'w': out = optarg; break;
		case 'v': verbose = true; break;
		case 'p': parse_ports(optarg); break;
		case 's': secs = strtod(optarg, NULL); break;
		case 'l': link = parse_link_name(optarg); break;
		case 'd': want_dir = parse_dir(optarg); break;
		case 'U': no_udp = true; break;
		case 'P': partial_ok = true; break;
		case 'q': add_require(optarg); break;
		case 'h': fputs(usage, stdout); return 0;
		default: bad_usage();
		}
	}
	if (optind != argc || !n_ports || !ifname == !in || !(secs > 0 && secs <= 86400))
		bad_usage();
	conns = calloc(CONN_SLOTS, sizeof(*conns));
	if (!conns)
		die("out of memory");
	stop_on_signals();
	if (in)
		read_file(in, link, out);
	else
		capture(ifname, link, out, secs);
	if (writer && fclose(writer))
		die("write: %s", strerror(errno));
	return result();
}
