// SPDX-License-Identifier: GPL-2.0-only
/*
 * chaos - joins two interfaces as a wire does, but a bad one: loses, doubles, delays and reorders segments
 *
 *	chaos [options] IFACE-A IFACE-B		until SIGTERM or SIGINT
 *
 * Frames of each interface leave by the other one, checksums and GSO as they were (PACKET_VNET_HDR). Only TCP segments are
 * treated badly; ARP, ND and what is not TCP always pass. "ab" is the direction that enters by IFACE-A. What happens to
 * the n-th segment of a direction depends on --seed and n alone. SIGUSR1 begins a complete outage (of the directions of
 * --outage) and ends it.
 *
 * No kernel needs netem or fq for it. One line of JSON on stdout is the result; exit status 0, or 2 for a usage or system
 * error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

enum {
	MAX_FRAME = 66000,
	VNET_LEN = 10,
	MAX_RULES = 32,
	HELD_MAX = 4096, /* of one direction */
	BATCH = 256,
	SOCKBUF = 64 << 20,
	FLOW_SLOTS = 65536,
};

enum { F_FIN = 1, F_SYN = 2, F_RST = 4, F_PSH = 8, F_ACK = 16 };
enum { NSEC_PER_MSEC = 1000000 };

/* Kinds of segments. CONTROL is each but DATA, ANY is each. */
#define KINDS(X) X(SYN, "syn") X(SYNACK, "synack") X(ACK, "ack") X(PROBE, "probe") X(KEEPALIVE, "keepalive") \
	X(RST, "rst") X(FIN, "fin") X(DATA, "data") X(CONTROL, "control") X(ANY, "any")

enum kind {
#define X(id, name) KIND_##id,
	KINDS(X)
#undef X
	KIND_COUNT,
};

static const char *const kind_names[] = {
#define X(id, name) name,
	KINDS(X)
#undef X
};

enum fate { LOST, DOUBLED, LATE };

/* What becomes of segments from..to of a kind, whatever the dice say. */
struct rule {
	enum fate fate;
	enum kind kind;
	uint64_t from, to;
};

struct held {
	uint64_t due_ns;
	uint64_t until; /* or when so many segments have passed */
	enum kind kind;
	bool counts_packets;
	size_t len;
	uint8_t *bytes;
};

/* One direction: what shall happen, what has happened. */
struct way {
	const char *name;
	int in, out; /* sockets */
	double drop, dup, reorder, mean_burst; /* probabilities; segments */
	uint64_t delay_ns, hold_ns, hold_packets;
	enum kind only;
	struct rule rules[MAX_RULES];
	unsigned int n_rules;
	bool outage, split;
	uint64_t rng;
	bool in_burst;
	uint64_t passed; /* segments that went on */
	uint64_t seen[KIND_COUNT], delivered[KIND_COUNT], dropped[KIND_COUNT];
	uint64_t duplicated, reordered, by_rule, split_off, send_failed, overflow;
	uint32_t next_seq[FLOW_SLOTS]; /* by the ports: to know keepalives */
	uint32_t last_ack[FLOW_SLOTS]; /* of the data that came last, for --split */
	bool has_ack[FLOW_SLOTS];
	struct held held[HELD_MAX];
	unsigned int n_held;
};

static struct way ways[2];
static uint16_t port; /* 0: every one */
static bool verbose;
static uint64_t start_ns;
static volatile sig_atomic_t outage_on;

static void on_outage_signal(int sig)
{
	(void)sig;
	outage_on = !outage_on;
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static bool chance(struct way *w, double probability)
{
	return (double)(next_random(&w->rng) >> 11) / (double)(1ull << 53) < probability;
}

/* --- what a segment is --- */

static enum kind kind_of(struct way *w, const uint8_t *tcp, size_t len)
{
	size_t payload = len - (size_t)(tcp[12] >> 4) * 4;
	uint32_t seq = get32(tcp + 4), *next = &w->next_seq[get16(tcp) ^ get16(tcp + 2)], was = *next;
	uint8_t flags = tcp[13];

	if (flags & F_RST)
		return KIND_RST;
	if (flags & F_FIN)
		return KIND_FIN;
	if (flags & F_SYN) {
		*next = seq + 1;
		return flags & F_ACK ? KIND_SYNACK : KIND_SYN;
	}
	if ((int32_t)(seq + (uint32_t)payload - *next) > 0)
		*next = seq + (uint32_t)payload;
	if (flags & F_PSH || payload > 1)
		return KIND_DATA;
	if (payload)
		return KIND_PROBE;
	return seq == was - 1 ? KIND_KEEPALIVE : KIND_ACK;
}

/* KIND_COUNT: no TCP segment, or none of the port. */
static enum kind classify(struct way *w, const uint8_t *frame, size_t len)
{
	size_t l3 = 14, hdr, total;
	bool v6;

	if (len < 34)
		return KIND_COUNT;
	v6 = get16(frame + 12) == ETHERTYPE_IPV6;
	if (!v6 && get16(frame + 12) != ETHERTYPE_IP)
		return KIND_COUNT;
	if (len < l3 + (v6 ? 40 : 20) || frame[l3 + (v6 ? 6 : 9)] != IPPROTO_TCP)
		return KIND_COUNT;
	hdr = v6 ? 40 : (frame[l3] & 15u) * 4;
	total = v6 ? get16(frame + l3 + 4) + 40u : get16(frame + l3 + 2);
	if (total < hdr + 20 || len < l3 + total)
		return KIND_COUNT;
	frame += l3 + hdr;
	if ((size_t)(frame[12] >> 4) * 4 > total - hdr)
		return KIND_COUNT;
	if (port && get16(frame) != port && get16(frame + 2) != port)
		return KIND_COUNT;
	return kind_of(w, frame, total - hdr);
}

static bool is_of(enum kind kind, enum kind wanted)
{
	return wanted == KIND_ANY || kind == wanted || (wanted == KIND_CONTROL && kind != KIND_DATA);
}

/* --- what becomes of it --- */

static void say(const struct way *w, const char *what, enum kind kind)
{
	if (!verbose)
		return;
	printf("%.3f %s %s %s %" PRIu64 "\n", (double)(now_ns() - start_ns) / 1e9, w->name, what, kind_names[kind],
	       w->seen[kind]);
}

static void pass(struct way *w, const uint8_t *bytes, size_t len, enum kind kind)
{
	if (send(w->out, bytes, len, 0) < 0) {
		w->send_failed++;
		return;
	}
	if (kind == KIND_COUNT)
		return;
	w->delivered[kind]++;
	w->delivered[KIND_ANY]++;
	w->delivered[KIND_CONTROL] += kind != KIND_DATA;
	w->passed++;
}

static void hold(struct way *w, const uint8_t *bytes, size_t len, enum kind kind, uint64_t ns, bool counts_packets)
{
	struct held *h = &w->held[w->n_held];

	if (w->n_held == HELD_MAX)
		die("too many segments are delayed");
	*h = (struct held){
		.due_ns = now_ns() + ns, .until = w->passed + w->hold_packets, .kind = kind,
		.counts_packets = counts_packets, .len = len, .bytes = malloc(len),
	};
	if (!h->bytes)
		die("out of memory");
	memcpy(h->bytes, bytes, len);
	w->n_held++;
}

/* Lets go what is due, in the order of its coming. Returns when the next one is. */
static uint64_t release(struct way *w, uint64_t now)
{
	uint64_t next = UINT64_MAX;
	unsigned int kept = 0;

	for (unsigned int i = 0; i < w->n_held; i++) {
		struct held h = w->held[i];

		if (now >= h.due_ns || (h.counts_packets && w->passed >= h.until)) {
			pass(w, h.bytes, h.len, h.kind);
			free(h.bytes);
			continue;
		}
		next = h.due_ns < next ? h.due_ns : next;
		w->held[kept++] = h;
	}
	w->n_held = kept;
	return next;
}

static bool is_by_rule(struct way *w, enum kind kind, enum fate fate)
{
	for (unsigned int i = 0; i < w->n_rules; i++) {
		const struct rule *r = &w->rules[i];

		if (r->fate == fate && is_of(kind, r->kind) && w->seen[r->kind] >= r->from && w->seen[r->kind] <= r->to) {
			w->by_rule++;
			return true;
		}
	}
	return false;
}

/* With bursts: two states, losing and not (Gilbert 1960), so that `drop` of all are lost, mean_burst in a row. */
static bool is_lost_by_chance(struct way *w)
{
	if (w->mean_burst <= 1)
		return chance(w, w->drop);
	if (w->in_burst)
		w->in_burst = !chance(w, 1 / w->mean_burst);
	else
		w->in_burst = chance(w, w->drop / (1 - w->drop) / w->mean_burst);
	return w->in_burst;
}

static uint32_t sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += get16(p + i);
	return len & 1 ? sum + (uint32_t)(p[len - 1] << 8) : sum;
}

static void put_csum(uint8_t *p, uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	p[0] = (uint8_t)(~sum >> 8);
	p[1] = (uint8_t)~sum;
}

/* A frame without payload, with an ACK that is that of another one. */
static size_t make_ack(const uint8_t *frame, bool v6, size_t hdr, uint8_t *own)
{
	size_t addresses = v6 ? 32 : 8;
	uint8_t *ip = own + 14, *tcp = ip + hdr;

	memcpy(own, frame, 14 + hdr + 20);
	if (v6) {
		ip[4] = 0;
		ip[5] = 20;
	} else {
		ip[2] = 0;
		ip[3] = (uint8_t)(hdr + 20);
		memset(ip + 10, 0, 2);
		put_csum(ip + 10, sum16(ip, hdr, 0));
	}
	tcp[12] = 5 << 4;
	tcp[13] = F_ACK;
	memset(tcp + 16, 0, 2);
	put_csum(tcp + 16, sum16(tcp, 20, sum16(tcp - addresses, addresses, IPPROTO_TCP + 20)));
	return 14 + hdr + 20;
}

/* --split: the ACK of a data segment goes ahead by itself, and the segment gets that of the one before. */
static void split(struct way *w, uint8_t *bytes)
{
	uint8_t *frame = bytes + VNET_LEN, *ip = frame + 14, own[VNET_LEN + 14 + 60 + 20] = { 0 };
	bool v6 = get16(frame + 12) == ETHERTYPE_IPV6;
	size_t hdr = v6 ? 40 : (ip[0] & 15u) * 4, len = (v6 ? get16(ip + 4) + 40u : get16(ip + 2)) - hdr, addresses = v6 ? 32 : 8;
	uint8_t *tcp = ip + hdr;
	unsigned int slot = get16(tcp) ^ get16(tcp + 2);
	uint32_t ack = get32(tcp + 8), former = w->has_ack[slot] ? w->last_ack[slot] : ack;

	pass(w, own, VNET_LEN + make_ack(frame, v6, hdr, own + VNET_LEN), KIND_ACK);
	w->split_off++;
	w->last_ack[slot] = ack;
	w->has_ack[slot] = true;
	for (int i = 0; i < 4; i++)
		tcp[8 + i] = (uint8_t)(former >> (24 - 8 * i));
	if (bytes[0] & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		return;
	memset(tcp + 16, 0, 2);
	put_csum(tcp + 16, sum16(tcp, len, sum16(tcp - addresses, addresses, (uint32_t)(IPPROTO_TCP + len))));
}

static void treat(struct way *w, const uint8_t *bytes, size_t len, enum kind kind)
{
	bool lost, dup, late;

	w->seen[kind]++;
	w->seen[KIND_ANY]++;
	w->seen[KIND_CONTROL] += kind != KIND_DATA;
	/* The dice fall for each segment, so that the outcome for one does not depend on the others. */
	lost = is_lost_by_chance(w);
	dup = chance(w, w->dup);
	late = chance(w, w->reorder);
	if (!is_of(kind, w->only))
		lost = dup = late = false;
	if (is_by_rule(w, kind, LOST) || (outage_on && w->outage) || lost) {
		w->dropped[kind]++;
		w->dropped[KIND_ANY]++;
		say(w, "loses", kind);
		return;
	}
	if (is_by_rule(w, kind, DOUBLED) || dup) {
		w->duplicated++;
		say(w, "doubles", kind);
		pass(w, bytes, len, kind);
	}
	if (is_by_rule(w, kind, LATE) || late) {
		w->reordered++;
		say(w, "delays", kind);
		hold(w, bytes, len, kind, w->delay_ns + w->hold_ns, true);
	} else if (w->delay_ns) {
		hold(w, bytes, len, kind, w->delay_ns, false);
	} else {
		pass(w, bytes, len, kind);
	}
}

static void drain(struct way *w)
{
	static uint8_t buf[VNET_LEN + MAX_FRAME];

	for (int i = 0; i < BATCH; i++) {
		ssize_t len = recv(w->in, buf, sizeof(buf), MSG_DONTWAIT);
		enum kind kind;

		if (len <= VNET_LEN)
			return;
		kind = classify(w, buf + VNET_LEN, (size_t)len - VNET_LEN);
		if (w->split && kind == KIND_DATA)
			split(w, buf);
		if (kind == KIND_COUNT)
			pass(w, buf, (size_t)len, kind);
		else
			treat(w, buf, (size_t)len, kind);
		if (w->n_held)
			release(w, now_ns());
	}
}

/* --- set up --- */

static int open_socket(const char *ifname)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1, size = SOCKBUF;
	struct packet_mreq promisc = { .mr_type = PACKET_MR_PROMISC };

	sll.sll_ifindex = (int)if_nametoindex(ifname);
	promisc.mr_ifindex = sll.sll_ifindex;
	if (fd < 0 || !sll.sll_ifindex)
		die("%s: %s", ifname, strerror(errno));
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		die("%s: %s", ifname, strerror(errno));
	if (bind(fd, (struct sockaddr *)&sll, sizeof(sll)))
		die("%s: %s", ifname, strerror(errno));
	return fd;
}

static double percent(const char *s)
{
	char *end;
	double v = strtod(s, &end);

	if (end == s || *end || !(v >= 0 && v < 100))
		die("%s: want a percentage below 100", s);
	return v / 100;
}

static enum kind parse_kind(const char *s, size_t len)
{
	for (int i = 0; i < KIND_COUNT; i++)
		if (strlen(kind_names[i]) == len && !strncmp(kind_names[i], s, len))
			return (enum kind)i;
	die("%s: no such kind of segment", s);
}

/* KIND:N or KIND:N-M */
static struct rule parse_rule(const char *s, enum fate fate)
{
	size_t len = strcspn(s, ":");
	struct rule r = { .fate = fate, .kind = parse_kind(s, len) };
	char *end;

	if (!s[len])
		die("%s: want KIND:N or KIND:N-M", s);
	r.from = r.to = number_before(s + len + 1, UINT64_MAX, &end);
	if (*end == '-')
		r.to = number(end + 1, UINT64_MAX);
	else if (*end)
		die("%s: want KIND:N or KIND:N-M", s);
	return r;
}

/* PERCENT[:PACKETS[:MS]] */
static void parse_reorder(struct way *w, const char *s)
{
	char text[64], *part, *end;

	snprintf(text, sizeof(text), "%s", s);
	part = strchr(text, ':');
	if (part)
		*part++ = '\0';
	w->reorder = percent(text);
	if (!part)
		return;
	w->hold_packets = number_before(part, UINT64_MAX, &end);
	if (*end == ':')
		w->hold_ns = number(end + 1, UINT64_MAX) * NSEC_PER_MSEC;
}

static const char usage[] =
	"usage: chaos [--seed N] [--port P] [-v] [[--way ab|ba|both] [--only KIND] [--drop PERCENT] [--burst MEAN]\n"
	"             [--dup PERCENT] [--reorder PERCENT[:PACKETS[:MS]]] [--delay MS] [--outage] [--split]\n"
	"             [--lose|--double|--late KIND:N[-M]]...]... IFACE-A IFACE-B\n"
	"--way: what the options behind it are for; at first both.\n"
	"--only: dice only for these. --lose, --double, --late: the N-th (to M-th) of its kind in that direction, always.\n"
	"--split: the ACK of each data segment goes ahead by itself, and the segment gets that of the one before.\n"
	"--reorder: held back until PACKETS (3) others passed, at most MS (20) milliseconds; --late is so, too.\n"
	"KIND: syn, synack, ack, probe, keepalive, rst, fin, data, control (each but data), any.\n";

enum { O_SEED = 256, O_PORT, O_WAY, O_ONLY, O_DROP, O_BURST, O_DUP, O_REORDER, O_DELAY, O_LOSE, O_DOUBLE, O_LATE, O_OUTAGE, O_SPLIT, O_HELP };

static const struct option long_opts[] = {
	{ "seed", 1, NULL, O_SEED }, { "port", 1, NULL, O_PORT }, { "way", 1, NULL, O_WAY },
	{ "only", 1, NULL, O_ONLY }, { "drop", 1, NULL, O_DROP }, { "burst", 1, NULL, O_BURST },
	{ "dup", 1, NULL, O_DUP }, { "reorder", 1, NULL, O_REORDER }, { "delay", 1, NULL, O_DELAY },
	{ "lose", 1, NULL, O_LOSE }, { "double", 1, NULL, O_DOUBLE }, { "late", 1, NULL, O_LATE },
	{ "outage", 0, NULL, O_OUTAGE }, { "split", 0, NULL, O_SPLIT }, { "help", 0, NULL, O_HELP }, { 0 },
};

static void parse_way_opt(struct way *w, int c)
{
	switch (c) {
	case O_ONLY: w->only = parse_kind(optarg, strlen(optarg)); break;
	case O_DROP: w->drop = percent(optarg); break;
	case O_BURST: w->mean_burst = (double)number(optarg, UINT64_MAX); break;
	case O_DUP: w->dup = percent(optarg); break;
	case O_REORDER: parse_reorder(w, optarg); break;
	case O_DELAY: w->delay_ns = number(optarg, UINT64_MAX) * NSEC_PER_MSEC; break;
	case O_LOSE:
	case O_DOUBLE:
	case O_LATE:
		if (w->n_rules == MAX_RULES)
			die("too many rules");
		w->rules[w->n_rules++] = parse_rule(optarg, c == O_LOSE ? LOST : c == O_DOUBLE ? DOUBLED : LATE);
		break;
	case O_OUTAGE: w->outage = true; break;
	case O_SPLIT: w->split = true; break;
	default: fputs(usage, stderr); exit(2);
	}
}

static void parse_opts(int argc, char **argv)
{
	int c, from = 0, to = 1;
	uint64_t seed = 1;

	for (int i = 0; i < 2; i++) {
		ways[i].name = i ? "ba" : "ab";
		ways[i].only = KIND_ANY;
		ways[i].hold_packets = 3;
		ways[i].hold_ns = 20 * NSEC_PER_MSEC;
	}
	while ((c = getopt_long(argc, argv, "v", long_opts, NULL)) != -1) {
		switch (c) {
		case 'v': verbose = true; break;
		case O_SEED: seed = number(optarg, UINT64_MAX); break;
		case O_PORT: port = (uint16_t)number(optarg, 65535); break;
		case O_WAY:
			from = !strcmp(optarg, "ba");
			to = strcmp(optarg, "ab") != 0;
			break;
		default:
			for (int i = from; i <= to; i++)
				parse_way_opt(&ways[i], c);
		}
	}
	if (argc - optind != 2)
		die("want two interfaces");
	for (int i = 0; i < 2; i++) {
		ways[i].in = open_socket(argv[optind + i]);
		ways[!i].out = ways[i].in;
		ways[i].rng = seed * 2 + (uint64_t)i;
		next_random(&ways[i].rng);
	}
}

static void print_result(void)
{
	putchar('{');
	for (int i = 0; i < 2; i++) {
		struct way *w = &ways[i];
		struct tpacket_stats stats = { 0 };
		socklen_t len = sizeof(stats);

		getsockopt(w->in, SOL_PACKET, PACKET_STATISTICS, &stats, &len);
		for (int k = 0; k < KIND_COUNT; k++) /* seen, and what of that went on, twice where doubled */
			printf("\"%s_%s\":%" PRIu64 ",\"%s_%s_out\":%" PRIu64 ",", w->name, kind_names[k],
			       w->seen[k], w->name, kind_names[k], w->delivered[k]);
		printf("\"%s_dropped\":%" PRIu64 ",\"%s_data_dropped\":%" PRIu64 ",\"%s_duplicated\":%" PRIu64
		       ",\"%s_reordered\":%" PRIu64 ",\"%s_by_rule\":%" PRIu64 ",\"%s_split\":%" PRIu64 ",\"%s_failed\":%" PRIu64
		       ",\"%s_overflow\":%u%s", w->name, w->dropped[KIND_ANY], w->name, w->dropped[KIND_DATA], w->name,
		       w->duplicated, w->name, w->reordered, w->name, w->by_rule, w->name, w->split_off, w->name, w->send_failed, w->name,
		       stats.tp_drops, i ? "}\n" : ",");
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_outage_signal };

	if (argc > 1 && !strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return 0;
	}
	stop_on_signals();
	sigaction(SIGUSR1, &sa, NULL);
	parse_opts(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	start_ns = now_ns();
	fputs("READY\n", stderr);
	while (!stop) {
		struct pollfd pfd[2] = { { .fd = ways[0].in, .events = POLLIN }, { .fd = ways[1].in, .events = POLLIN } };
		uint64_t now = now_ns(), due = release(&ways[0], now), other = release(&ways[1], now), wait = 50 * NSEC_PER_MSEC;
		struct timespec ts = { 0 };

		due = other < due ? other : due;
		if (due < now + wait)
			wait = due > now ? due - now : 0;
		ts.tv_nsec = (long)wait;
		if (ppoll(pfd, 2, &ts, NULL) <= 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (pfd[i].revents)
				drain(&ways[i]);
	}
	print_result();
	return 0;
}
