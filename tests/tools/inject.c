// SPDX-License-Identifier: GPL-2.0-only
/*
 * inject - an attacker who knows addresses and ports, but not the numbers of a connection: many forged TCP segments, fast
 *
 *	inject -i IFACE --dmac MAC --from ADDR:PORT --to ADDR:PORT --kind KIND [options]
 *
 * Frames leave through AF_PACKET, with whatever source address is wanted, and right checksums. Numbers that are not given
 * are random, a new one for each segment; --seed makes them the same again. For single segments with options see segment.
 *
 * One line of JSON on stdout is the result. Exit status: 0 all were sent, 2 usage or system error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

enum { MAX_PAYLOAD = 1400, MAX_FRAME = 14 + 40 + 32 + MAX_PAYLOAD, BATCH = 32, SOCKBUF = 4 << 20 };
enum { F_FIN = 1, F_SYN = 2, F_RST = 4, F_PSH = 8, F_ACK = 16 };

#define NSEC 1000000000ull

static const struct {
	const char *name;
	uint8_t flags;
	bool options, payload;
} kinds[] = {
	{ "rst", F_RST, false, false },	      { "rstack", F_RST | F_ACK, false, false },
	{ "syn", F_SYN, true, false },	      { "synack", F_SYN | F_ACK, true, false },
	{ "fin", F_FIN | F_ACK, false, false }, { "ack", F_ACK, false, false },
	{ "data", F_ACK, false, true },
	{ "synrst", F_SYN, true, false }, /* each SYN is followed by its RST */
};

/* A number: given, perhaps with a random offset, or random. */
struct number {
	bool given;
	uint32_t value, spread;
};

struct opts {
	const char *ifname;
	union addr from, to;
	uint8_t smac[6], dmac[6];
	int kind; /* index of kinds */
	struct number seq, ack;
	unsigned int source_bits; /* so many low bits of the source address are random, and its port */
	unsigned int size;
	uint64_t count, rate, rng;
};

struct frame {
	uint8_t b[MAX_FRAME];
	size_t len;
};

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint32_t sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	return len & 1 ? sum + (uint32_t)(p[len - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* --- one frame --- */

static uint32_t draw(struct opts *o, const struct number *n)
{
	uint32_t random = (uint32_t)next_random(&o->rng);

	if (!n->given)
		return random;
	return n->value + (n->spread ? random % n->spread : 0);
}

/* The source address, 4 or 16 bytes; its low bits are random where that is wanted. */
static void put_source(struct opts *o, uint8_t *p, bool v4)
{
	size_t len = v4 ? 4 : 16;

	memcpy(p, v4 ? (void *)&o->from.in.sin_addr : (void *)&o->from.in6.sin6_addr, len);
	if (!o->source_bits)
		return;
	for (unsigned int bit = 0; bit < o->source_bits; bit++)
		if (next_random(&o->rng) & 1)
			p[len - 1 - bit / 8] ^= (uint8_t)(1 << bit % 8);
}

static size_t put_ip(struct opts *o, uint8_t *p, bool v4, size_t tcp_len)
{
	if (v4) {
		p[0] = 0x45;
		put16(p + 2, (unsigned int)(20 + tcp_len));
		put16(p + 4, (unsigned int)next_random(&o->rng) & 0xffff);
		put16(p + 6, 0x4000);
		p[8] = 64;
		p[9] = IPPROTO_TCP;
		put_source(o, p + 12, true);
		memcpy(p + 16, &o->to.in.sin_addr, 4);
		put16(p + 10, (uint16_t)~fold(sum16(p, 20, 0)));
		return 20;
	}
	p[0] = 0x60;
	put16(p + 4, (unsigned int)tcp_len);
	p[6] = IPPROTO_TCP;
	p[7] = 64;
	put_source(o, p + 8, false);
	memcpy(p + 24, &o->to.in6.sin6_addr, 16);
	return 40;
}

static void build(struct opts *o, struct frame *f)
{
	static const uint8_t options[12] = { 2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7 }; /* as Linux, without timestamps */
	bool v4 = o->to.sa.sa_family == AF_INET;
	size_t opts_len = kinds[o->kind].options ? sizeof(options) : 0, payload = kinds[o->kind].payload ? o->size : 0;
	size_t tcp_len = 20 + opts_len + payload, alen = v4 ? 4 : 16, at;
	uint8_t *ip = f->b + 14, *tcp;
	uint16_t port = addr_port(&o->from);

	memset(f->b, 0, sizeof(f->b));
	memcpy(f->b, o->dmac, 6);
	memcpy(f->b + 6, o->smac, 6);
	put16(f->b + 12, v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
	at = put_ip(o, ip, v4, tcp_len);
	tcp = ip + at;
	if (o->source_bits)
		port = (uint16_t)(1024 + next_random(&o->rng) % 64000);
	put16(tcp, port);
	put16(tcp + 2, addr_port(&o->to));
	put32(tcp + 4, draw(o, &o->seq));
	put32(tcp + 8, kinds[o->kind].flags & F_ACK ? draw(o, &o->ack) : 0);
	tcp[12] = (uint8_t)((20 + opts_len) / 4 << 4);
	tcp[13] = kinds[o->kind].flags;
	put16(tcp + 14, 0x3400);
	memcpy(tcp + 20, options, opts_len);
	for (size_t i = 0; i < payload; i++)
		tcp[20 + opts_len + i] = (uint8_t)next_random(&o->rng);
	put16(tcp + 16, (uint16_t)~fold(sum16(tcp, tcp_len, sum16(ip + at - 2 * alen, 2 * alen,
		(uint32_t)tcp_len + IPPROTO_TCP))));
	f->len = 14 + at + tcp_len;
}

/* The RST that its sender would give the SYN's answer: the next number, no options. */
static void build_rst(const struct frame *syn, struct frame *f)
{
	bool v4 = syn->b[12] == 8;
	size_t ip_len = v4 ? 20 : 40, alen = v4 ? 4 : 16;
	uint8_t *ip = f->b + 14, *tcp = ip + ip_len, *seq = tcp + 4;

	*f = *syn;
	f->len = 14 + ip_len + 20;
	put32(seq, ((uint32_t)seq[0] << 24 | (uint32_t)seq[1] << 16 | (uint32_t)seq[2] << 8 | seq[3]) + 1);
	tcp[12] = 20 / 4 << 4;
	tcp[13] = F_RST;
	put16(tcp + 16, 0);
	put16(tcp + 16, (uint16_t)~fold(sum16(tcp, 20, sum16(ip + ip_len - 2 * alen, 2 * alen, 20 + IPPROTO_TCP))));
	put16(v4 ? ip + 2 : ip + 4, v4 ? 40 : 20);
	if (!v4)
		return;
	put16(ip + 10, 0);
	put16(ip + 10, (uint16_t)~fold(sum16(ip, 20, 0)));
}

/* --- many --- */

static int open_socket(struct opts *o)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET };
	struct ifreq ifr = { 0 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), size = SOCKBUF;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", o->ifname);
	sll.sll_ifindex = (int)if_nametoindex(o->ifname);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &ifr) || bind(fd, (void *)&sll, sizeof(sll)))
		die("%s: %s", o->ifname, strerror(errno));
	memcpy(o->smac, ifr.ifr_hwaddr.sa_data, 6);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

static void send_batch(struct opts *o, int fd, unsigned int n)
{
	static struct frame frames[BATCH];
	struct mmsghdr msgs[BATCH] = { 0 };
	struct iovec iovs[BATCH];
	unsigned int done = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (i & 1 && !strcmp(kinds[o->kind].name, "synrst"))
			build_rst(&frames[i - 1], &frames[i]);
		else
			build(o, &frames[i]);
		iovs[i] = (struct iovec){ .iov_base = frames[i].b, .iov_len = frames[i].len };
		msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &iovs[i], .msg_iovlen = 1 };
	}
	while (done < n && !stop) {
		int rc = sendmmsg(fd, msgs + done, n - done, 0);

		if (rc > 0)
			done += (unsigned int)rc;
		else if (errno == ENOBUFS || errno == EAGAIN)
			usleep(200); /* the device is full */
		else if (errno != EINTR)
			die("send: %s", strerror(errno));
	}
}

static void send_all(struct opts *o)
{
	int fd = open_socket(o);
	uint64_t start = now_ns(), sent = 0, now;

	while (sent < o->count && !stop) {
		uint64_t due = start + sent * NSEC / o->rate, left = o->count - sent;
		unsigned int n = left < BATCH ? (unsigned int)left : BATCH;

		if (o->rate < 1000)
			n = 1;
		while ((now = now_ns()) < due && !stop)
			usleep((useconds_t)((due - now) / 1000 < 50000 ? (due - now) / 1000 + 1 : 50000));
		send_batch(o, fd, n);
		sent += n;
	}
	printf("{\"sent\":%" PRIu64 ",\"ms\":%" PRIu64 "}\n", sent, (now_ns() - start) / 1000000);
	close(fd);
}

/* --- command line --- */

static const char usage[] =
	"usage: inject -i IFACE --dmac MAC --from ADDR:PORT --to ADDR:PORT --kind rst|rstack|syn|synack|fin|ack|data|synrst\n"
	"              [--count N] [--rate PPS] [--seed N] [--seq N[+SPREAD]] [--ack N[+SPREAD]] [--size BYTES]\n"
	"              [--random-source BITS]\n"
	"--random-source: so many low bits of the source address are random, and its port.\n"
	"synrst: pairs of a SYN and its RST; a rate of 1000 at least.\n";

enum { O_DMAC = 256, O_FROM, O_TO, O_KIND, O_COUNT, O_RATE, O_SEED, O_SEQ, O_ACK, O_SIZE, O_SOURCE, O_HELP };

static const struct option long_opts[] = {
	{ "dmac", 1, NULL, O_DMAC }, { "from", 1, NULL, O_FROM }, { "to", 1, NULL, O_TO }, { "kind", 1, NULL, O_KIND },
	{ "count", 1, NULL, O_COUNT }, { "rate", 1, NULL, O_RATE }, { "seed", 1, NULL, O_SEED },
	{ "seq", 1, NULL, O_SEQ }, { "ack", 1, NULL, O_ACK }, { "size", 1, NULL, O_SIZE },
	{ "random-source", 1, NULL, O_SOURCE }, { "help", 0, NULL, O_HELP }, { 0 },
};

static struct number parse_number(const char *s)
{
	struct number n = { .given = true };
	char *end;

	n.value = (uint32_t)number_before(s, UINT32_MAX, &end);
	if (*end == '+')
		n.spread = (uint32_t)number(end + 1, UINT32_MAX);
	else if (*end)
		die("%s: want N or N+SPREAD", s);
	return n;
}

static void parse_mac(const char *s, uint8_t mac[6])
{
	if (sscanf(s, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) != 6)
		die("--dmac: bad address");
}

static int parse_kind(const char *s)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, s))
			return (int)i;
	die("%s: no such kind", s);
}

static void parse_opts(struct opts *o, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "i:", long_opts, NULL)) != -1) {
		switch (c) {
		case 'i': o->ifname = optarg; break;
		case O_DMAC: parse_mac(optarg, o->dmac); break;
		case O_FROM: parse_addr(optarg, &o->from); break;
		case O_TO: parse_addr(optarg, &o->to); break;
		case O_KIND: o->kind = parse_kind(optarg); break;
		case O_COUNT: o->count = number(optarg, UINT32_MAX); break;
		case O_RATE: o->rate = number(optarg, 10000000); break;
		case O_SEED: o->rng = number(optarg, UINT64_MAX); break;
		case O_SEQ: o->seq = parse_number(optarg); break;
		case O_ACK: o->ack = parse_number(optarg); break;
		case O_SIZE: o->size = (unsigned int)number(optarg, MAX_PAYLOAD); break;
		case O_SOURCE: o->source_bits = (unsigned int)number(optarg, 128); break;
		case O_HELP: fputs(usage, stdout); exit(0);
		default: fputs(usage, stderr); exit(2);
		}
	}
	if (optind != argc || !o->ifname || !o->rate || !o->from.sa.sa_family || o->from.sa.sa_family != o->to.sa.sa_family ||
	    (o->source_bits > 32 && o->from.sa.sa_family == AF_INET)) {
		fputs(usage, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	static struct opts o = { .count = 1, .rate = 1000, .rng = 1, .size = 64 };

	stop_on_signals();
	parse_opts(&o, argc, argv);
	send_all(&o);
	return 0;
}
