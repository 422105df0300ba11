// SPDX-License-Identifier: GPL-2.0-only
/*
 * udpflow - makes UDP traffic and verifies every byte of it
 *
 *	udpflow sink|echo --bind ADDR:PORT	receive and verify; echo also sends it back
 *	udpflow send --to ADDR:PORT --sizes ...	send; with --reply verify what an echo sends back
 *
 * A datagram of HDR_LEN bytes or more is a header (magic, flow, sequence, length; big endian)
 * and a pseudo-random pattern that depends on flow and sequence. Shorter ones carry a pattern
 * that depends on their length only: of those, duplicates and reordering cannot be seen.
 *
 * One line of JSON on stdout is the result. Exit status: 0 all well, 1 traffic not as it should
 * be, 2 usage or system error.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef UDP_NO_CHECK6_TX
#define UDP_NO_CHECK6_TX 101
#endif
#ifndef SOL_UDP
#define SOL_UDP 17
#endif

enum {
	HDR_LEN = 20,
	MAGIC = 0x4d696d63, /* "Mimc" */
	MAX_DGRAM = 65535,
	MAX_SIZES = 256, /* ranges in --sizes */
	MAX_FLOWS = 4096,
	FLOW_SLOTS = 16384, /* a power of two */
	MAX_SEQ = 1 << 26,
	PORTS_SHOWN = 64,
	SOCKBUF = 128 << 20, /* a machine that is busy elsewhere for seconds is no loss on the way */
	SEND_RETRIES = 200,
};

#define NSEC 1000000000ull

struct range {
	unsigned int from, to;
};

struct opts {
	union addr bind, to;
	bool has_bind, has_to;
	bool gro, in_order, reply, first_delay, burst, no_check, hopopts, dstopts, errors_ok;
	bool has_expect, has_flow_id;
	uint64_t expect, max_missing, count, rate;
	uint64_t within_us;
	double timeout, wait, linger, idle;
	struct range sizes[MAX_SIZES];
	unsigned int n_sizes, gso, n_flows, mark;
	uint32_t flow_id;
	int df, ttl, tos; /* -1: leave it */
	uint8_t ip_options[40];
	unsigned int ip_options_len;
};

/* What was received of one flow: a bit for each sequence number, and the times of sending. */
struct flow {
	bool used;
	uint32_t id;
	uint64_t max_seq; /* highest received + 1 */
	uint8_t *seen;
	uint64_t n_bits;
	uint64_t next_seq; /* sender */
	uint64_t *sent_ns;
	uint64_t n_times;
};

struct stats {
	uint64_t received, bytes, corrupt, duplicate, reordered, shorts, batches, max_batch;
	uint64_t echo_errors;
	uint64_t sent, sent_bytes, errors, emsgsize, refused, async_errors;
	int last_errno;
	uint64_t first_sent_ns, first_reply_ns;
	unsigned int first_size;
};

static struct flow *flows; /* FLOW_SLOTS, open addressing */
static struct stats st;
static uint8_t ports[65536 / 8];
static uint8_t buf[MAX_DGRAM + 1], scratch[MAX_DGRAM + 1];
static uint64_t *rtts;
static uint64_t n_rtts, cap_rtts;

static void *xrealloc(void *old, size_t size)
{
	void *p = realloc(old, size);

	if (!p)
		die("out of memory");
	return p;
}

/* --- the payload --- */

static uint64_t mix(uint64_t x)
{
	return next_random(&x);
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return ntohl(v);
}

static void pattern(uint8_t *p, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i += 8) {
		uint64_t v = mix(seed + i);

		for (size_t j = i; j < len && j < i + 8; j++, v >>= 8)
			p[j] = (uint8_t)v;
	}
}

static void fill(uint8_t *p, size_t len, uint32_t flow, uint64_t seq)
{
	if (len < HDR_LEN) {
		pattern(p, len, mix(len));
		return;
	}
	put32(p, MAGIC);
	put32(p + 4, flow);
	put32(p + 8, (uint32_t)(seq >> 32));
	put32(p + 12, (uint32_t)seq);
	put32(p + 16, (uint32_t)len);
	pattern(p + HDR_LEN, len - HDR_LEN, mix(((uint64_t)flow << 32) ^ mix(seq)));
}

/* True when every byte is right; *flow and *seq are set when the datagram has a header. */
static bool verify(const uint8_t *p, size_t len, uint32_t *flow, uint64_t *seq)
{
	if (len >= HDR_LEN) {
		*flow = get32(p + 4);
		*seq = (uint64_t)get32(p + 8) << 32 | get32(p + 12);
		if (get32(p) != MAGIC || get32(p + 16) != len || *seq >= MAX_SEQ)
			return false;
	}
	fill(scratch, len, *flow, *seq);
	return !memcmp(p, scratch, len);
}

/* --- what was received --- */

static struct flow *flow_get(uint32_t id)
{
	unsigned int slot = (unsigned int)mix(id) & (FLOW_SLOTS - 1);

	for (unsigned int i = 0; i < FLOW_SLOTS; i++) {
		struct flow *f = &flows[(slot + i) & (FLOW_SLOTS - 1)];

		if (f->used && f->id == id)
			return f;
		if (!f->used) {
			f->used = true;
			f->id = id;
			return f;
		}
	}
	die("more than %d flows", FLOW_SLOTS);
}

static void flow_seen(struct flow *f, uint64_t seq)
{
	if (seq >= f->n_bits) {
		uint64_t n = (seq + 1) * 2 < 4096 ? 4096 : (seq + 1) * 2;

		n = (n + 7) & ~7ull;
		f->seen = xrealloc(f->seen, (size_t)(n / 8));
		memset(f->seen + f->n_bits / 8, 0, (size_t)((n - f->n_bits) / 8));
		f->n_bits = n;
	}
	if (f->seen[seq / 8] & 1 << seq % 8) {
		st.duplicate++;
		return;
	}
	f->seen[seq / 8] |= (uint8_t)(1 << seq % 8);
	if (seq < f->max_seq)
		st.reordered++;
	else
		f->max_seq = seq + 1;
}

static void note_rtt(uint64_t ns)
{
	if (n_rtts == cap_rtts) {
		cap_rtts = cap_rtts ? cap_rtts * 2 : 1024;
		rtts = xrealloc(rtts, (size_t)(cap_rtts * sizeof(*rtts)));
	}
	rtts[n_rtts++] = ns;
}

/* Judges one datagram. first_id: the flow that this sender began with, for --first-delay. */
static void received(const uint8_t *p, size_t len, uint32_t first_id, uint64_t now)
{
	uint32_t id = 0;
	uint64_t seq = 0;
	struct flow *f;

	st.received++;
	st.bytes += len;
	if (!verify(p, len, &id, &seq)) {
		st.corrupt++;
		return;
	}
	if (len < HDR_LEN) {
		st.shorts++;
		if (!st.first_reply_ns && len == st.first_size)
			st.first_reply_ns = now;
		return;
	}
	if (!st.first_reply_ns && id == first_id && !seq)
		st.first_reply_ns = now;
	f = flow_get(id);
	flow_seen(f, seq);
	if (seq < f->next_seq) /* only a sender has those */
		note_rtt(now - f->sent_ns[seq]);
}

static uint64_t missing(uint64_t expect)
{
	uint64_t good = st.received - st.duplicate - st.corrupt;

	return good < expect ? expect - good : 0;
}

/* --- addresses and sockets --- */

static void set_opt(int fd, int level, int name, const void *val, socklen_t len, const char *what)
{
	if (setsockopt(fd, level, name, val, len))
		die("%s: %s", what, strerror(errno));
}

static void set_int(int fd, int level, int name, int val, const char *what)
{
	set_opt(fd, level, name, &val, sizeof(val), what);
}

static int open_socket(int family, const union addr *bind_to)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = SOCKBUF;

	if (fd < 0)
		die("socket: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
	if (bind_to && bind(fd, &bind_to->sa, addr_len(bind_to)))
		die("bind: %s", strerror(errno));
	return fd;
}

/* --- receiver --- */

struct rx {
	union addr from;
	size_t len;
	unsigned int gro_size; /* 0: one datagram */
	bool has_info;
	struct in_pktinfo info4;
	struct in6_pktinfo info6;
};

/* Returns false when there is nothing to read. */
static bool receive(int fd, struct rx *rx)
{
	union {
		char b[256];
		struct cmsghdr align;
	} ctl;
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_name = &rx->from, .msg_namelen = sizeof(rx->from),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = ctl.b, .msg_controllen = sizeof(ctl.b),
	};
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return false;
		st.async_errors++;
		st.refused += errno == ECONNREFUSED;
		st.last_errno = errno;
		return false;
	}
	rx->len = (size_t)n;
	rx->gro_size = 0;
	rx->has_info = false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		int size;

		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			memcpy(&size, CMSG_DATA(c), sizeof(size));
			rx->gro_size = size > 0 ? (unsigned int)size : 0;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&rx->info4, CMSG_DATA(c), sizeof(rx->info4));
			rx->has_info = true;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&rx->info6, CMSG_DATA(c), sizeof(rx->info6));
			rx->has_info = true;
		}
	}
	return true;
}

/* Sends one datagram back, from the address that it was sent to. */
static void echo_back(int fd, struct rx *rx, const uint8_t *p, size_t len)
{
	union {
		char b[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr align;
	} ctl = { 0 };
	bool v4 = rx->from.sa.sa_family == AF_INET;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)p, .iov_len = len };
	struct msghdr msg = {
		.msg_name = &rx->from, .msg_namelen = addr_len(&rx->from),
		.msg_iov = &iov, .msg_iovlen = 1,
	};

	if (rx->has_info) {
		size_t n = v4 ? sizeof(rx->info4) : sizeof(rx->info6);
		struct cmsghdr *c;

		rx->info4.ipi_ifindex = 0;
		if (!IN6_IS_ADDR_LINKLOCAL(&rx->info6.ipi6_addr))
			rx->info6.ipi6_ifindex = 0;
		msg.msg_control = ctl.b;
		msg.msg_controllen = CMSG_SPACE(n);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
		c->cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(n);
		memcpy(CMSG_DATA(c), v4 ? (void *)&rx->info4 : (void *)&rx->info6, n);
	}
	for (int i = 0; i < SEND_RETRIES; i++) {
		struct pollfd pfd = { .fd = fd, .events = POLLOUT };

		if (sendmsg(fd, &msg, MSG_DONTWAIT) >= 0)
			return;
		if (errno == ECONNREFUSED)
			continue; /* an ICMP error for an earlier datagram */
		if (errno != EAGAIN && errno != ENOBUFS)
			break;
		poll(&pfd, 1, 5);
	}
	st.last_errno = errno;
	st.echo_errors++;
}

/* Takes what is waiting, at most a few thousand so that the caller sees its clock. */
static bool drain(int fd, bool echo, uint32_t first_id)
{
	struct rx rx = { 0 };
	bool any = false;

	for (int i = 0; i < 4096 && receive(fd, &rx); i++) {
		size_t step = rx.gro_size && rx.gro_size < rx.len ? rx.gro_size : rx.len, off = 0;
		uint64_t now = now_ns(), n = 0;
		uint16_t port = addr_port(&rx.from);

		any = true;
		ports[port / 8] |= (uint8_t)(1 << port % 8);
		do {
			size_t len = rx.len - off < step ? rx.len - off : step;

			if (echo)
				echo_back(fd, &rx, buf + off, len);
			received(buf + off, len, first_id, now);
			off += len;
			n++;
		} while (off < rx.len);
		if (n > 1)
			st.batches++;
		if (n > st.max_batch)
			st.max_batch = n;
	}
	return any;
}

static void print_ports(void)
{
	unsigned int n = 0;

	fputs(",\"ports\":[", stdout);
	for (unsigned int p = 0; p < 65536; p++) {
		if (!(ports[p / 8] & 1 << p % 8))
			continue;
		if (n++ < PORTS_SHOWN)
			printf("%s%u", n > 1 ? "," : "", p);
	}
	printf("],\"port_count\":%u", n);
}

static void print_received(uint64_t miss)
{
	printf("\"received\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"corrupt\":%" PRIu64
	       ",\"duplicate\":%" PRIu64 ",\"reordered\":%" PRIu64 ",\"missing\":%" PRIu64
	       ",\"short\":%" PRIu64 ",\"gro_batches\":%" PRIu64 ",\"gro_max\":%" PRIu64,
	       st.received, st.bytes, st.corrupt, st.duplicate, st.reordered, miss, st.shorts,
	       st.batches, st.max_batch);
}

static int do_receive(const struct opts *o, bool echo)
{
	uint64_t start = now_ns(), last = 0, done = 0, miss;
	int fd, family = o->bind.sa.sa_family;

	if (!o->has_bind)
		die("--bind is needed");
	fd = open_socket(family, &o->bind);
	if (family == AF_INET)
		set_int(fd, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO");
	else
		set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO");
	if (o->gro)
		set_int(fd, SOL_UDP, UDP_GRO, 1, "UDP_GRO");
	fputs("READY\n", stderr);
	while (!stop) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		uint64_t now;

		poll(&pfd, 1, 20);
		now = now_ns();
		if (drain(fd, echo, 0))
			last = now;
		if (o->has_expect && !done && !missing(o->expect))
			done = now; /* stay a little: duplicates may follow */
		if (done && now - done >= (uint64_t)(o->linger * NSEC))
			break;
		if (o->idle > 0 && last && now - last >= (uint64_t)(o->idle * NSEC))
			break;
		if (o->timeout > 0 && now - start >= (uint64_t)(o->timeout * NSEC))
			break;
	}
	drain(fd, echo, 0);
	close(fd);
	miss = o->has_expect ? missing(o->expect) : 0;
	putchar('{');
	print_received(miss);
	printf(",\"echo_errors\":%" PRIu64, st.echo_errors);
	print_ports();
	puts("}");
	return st.corrupt || miss > o->max_missing || (o->in_order && st.reordered) ||
	       st.echo_errors > o->max_missing;
}

/* --- sender --- */

static void set_family_options(int fd, const struct opts *o, bool v4)
{
	/* next header (set by the kernel), length 0, PadN of 4 bytes */
	static const uint8_t padn[8] = { 0, 0, 1, 4, 0, 0, 0, 0 };

	if (o->df >= 0 && v4)
		set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, o->df, "IP_MTU_DISCOVER");
	if (o->df >= 0 && !v4)
		set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, o->df, "IPV6_MTU_DISCOVER");
	if (o->ttl >= 0 && v4)
		set_int(fd, IPPROTO_IP, IP_TTL, o->ttl, "IP_TTL");
	if (o->ttl >= 0 && !v4)
		set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, o->ttl, "IPV6_UNICAST_HOPS");
	if (o->tos >= 0 && v4)
		set_int(fd, IPPROTO_IP, IP_TOS, o->tos, "IP_TOS");
	if (o->tos >= 0 && !v4)
		set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, o->tos, "IPV6_TCLASS");
	if (o->no_check && v4)
		set_int(fd, SOL_SOCKET, SO_NO_CHECK, 1, "SO_NO_CHECK");
	if (o->no_check && !v4)
		set_int(fd, SOL_UDP, UDP_NO_CHECK6_TX, 1, "UDP_NO_CHECK6_TX");
	if (o->ip_options_len && v4)
		set_opt(fd, IPPROTO_IP, IP_OPTIONS, o->ip_options, o->ip_options_len,
			"IP_OPTIONS");
	if (o->hopopts && !v4)
		set_opt(fd, IPPROTO_IPV6, IPV6_HOPOPTS, padn, sizeof(padn), "IPV6_HOPOPTS");
	if (o->dstopts && !v4)
		set_opt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, padn, sizeof(padn), "IPV6_DSTOPTS");
}

static int open_sender(const struct opts *o, unsigned int i)
{
	bool v4 = o->to.sa.sa_family == AF_INET;
	union addr from = o->bind;
	int fd, size = SOCKBUF;

	if (o->has_bind && addr_port(&from)) {
		uint16_t port = htons((uint16_t)(addr_port(&from) + i));

		if (v4)
			from.in.sin_port = port;
		else
			from.in6.sin6_port = port;
	}
	fd = open_socket(o->to.sa.sa_family, o->has_bind ? &from : NULL);
	/* A full queue then shows as ENOBUFS or waiting here, not as loss in the tests. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	set_family_options(fd, o, v4);
	if (o->mark)
		set_opt(fd, SOL_SOCKET, SO_MARK, &o->mark, sizeof(o->mark), "SO_MARK");
	if (o->gso)
		set_int(fd, SOL_UDP, UDP_SEGMENT, (int)o->gso, "UDP_SEGMENT");
	if (o->gro)
		set_int(fd, SOL_UDP, UDP_GRO, 1, "UDP_GRO");
	if (connect(fd, &o->to.sa, addr_len(&o->to)))
		die("connect: %s", strerror(errno));
	return fd;
}

static void note_sent(struct flow *f, uint64_t seq, uint64_t now)
{
	if (seq >= f->n_times) {
		f->n_times = (seq + 1) * 2;
		f->sent_ns = xrealloc(f->sent_ns, (size_t)(f->n_times * sizeof(*f->sent_ns)));
	}
	f->sent_ns[seq] = now;
}

/*
 * Sends buf. A pending ICMP error makes one call fail without sending, so that a second attempt
 * tells whether this datagram is refused.
 */
static bool send_buf(int fd, size_t len)
{
	bool again = true;

	for (int i = 0; i < SEND_RETRIES; i++) {
		struct pollfd pfd = { .fd = fd, .events = POLLOUT };

		if (send(fd, buf, len, MSG_DONTWAIT) >= 0)
			return true;
		if (errno == EAGAIN || errno == ENOBUFS) {
			poll(&pfd, 1, 5);
			usleep(100);
			continue;
		}
		if (!again || errno == EPERM || errno == EINVAL)
			break;
		if (errno == ECONNREFUSED)
			st.refused++;
		st.async_errors++;
		again = false;
	}
	st.last_errno = errno;
	st.errors++;
	if (errno == EMSGSIZE) {
		st.emsgsize++;
		st.async_errors -= st.async_errors > 0;
	}
	return false;
}

/* One send call of `size` bytes, which --gso makes several datagrams. */
static void send_one(const struct opts *o, int fd, struct flow *f, unsigned int size)
{
	size_t step = o->gso && o->gso < size ? o->gso : size, off = 0;
	uint64_t now, seq = f->next_seq, n = 0;

	do {
		size_t len = size - off < step ? size - off : step;

		fill(buf + off, len, f->id, seq + n);
		off += len;
		n++;
	} while (off < size);
	now = now_ns();
	if (!st.first_sent_ns) {
		st.first_sent_ns = now;
		st.first_size = (unsigned int)step;
	}
	if (!send_buf(fd, size))
		return;
	st.sent += n;
	st.sent_bytes += size;
	f->next_seq += n; /* a refused datagram leaves no hole */
	if (o->reply)
		for (uint64_t i = 0; i < n; i++)
			note_sent(f, seq + i, now);
}

struct sender {
	const struct opts *o;
	struct pollfd *pfd;
	uint64_t start, n_calls;
};

static bool too_late(const struct sender *s)
{
	return s->o->timeout > 0 && now_ns() - s->start >= (uint64_t)(s->o->timeout * NSEC);
}

static bool out_of_time(const struct sender *s)
{
	return stop || too_late(s);
}

static void take_replies(const struct sender *s, uint64_t timeout_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(timeout_ns / NSEC), .tv_nsec = (long)(timeout_ns % NSEC),
	};

	if (ppoll(s->pfd, s->o->n_flows, &ts, NULL) <= 0)
		return;
	for (unsigned int i = 0; i < s->o->n_flows; i++)
		if (s->pfd[i].revents & (POLLIN | POLLERR))
			drain(s->pfd[i].fd, false, s->o->flow_id);
}

/* Waits until call number n is due, taking replies meanwhile. */
static void pace(const struct sender *s, uint64_t n)
{
	uint64_t due = s->start + (s->o->rate ? n * NSEC / s->o->rate : 0), now;

	if (s->o->burst) {
		if (s->o->reply && (n % 16 == 15 || !st.first_reply_ns))
			take_replies(s, 0);
		return;
	}
	while ((now = now_ns()) < due && !out_of_time(s)) {
		uint64_t left = due - now < NSEC / 20 ? due - now : NSEC / 20;

		if (s->o->reply)
			take_replies(s, left);
		else if (left > 60000) /* less is the timer's own slack */
			usleep((useconds_t)(left / 1000));
	}
	if (s->o->reply)
		take_replies(s, 0);
}

static void send_all(struct sender *s)
{
	const struct opts *o = s->o;

	for (unsigned int i = 0; i < o->n_sizes; i++) {
		for (unsigned int size = o->sizes[i].from; size <= o->sizes[i].to; size++) {
			for (uint64_t c = 0; c < o->count; c++) {
				unsigned int k = (unsigned int)(s->n_calls % o->n_flows);

				if (s->n_calls)
					pace(s, s->n_calls);
				if (out_of_time(s))
					return;
				send_one(o, s->pfd[k].fd, flow_get(o->flow_id + k), size);
				s->n_calls++;
			}
		}
	}
}

/* Also when SIGTERM has ended the sending: what is under way then is not lost. SIGINT ends it at once. */
static void wait_replies(const struct sender *s)
{
	uint64_t end = now_ns() + (uint64_t)(s->o->wait * NSEC), done = 0;

	while (now_ns() < end && !too_late(s) && stop != SIGINT) {
		take_replies(s, NSEC / 50);
		if (!done && !missing(st.sent))
			done = now_ns();
		if (done && now_ns() - done >= (uint64_t)(s->o->linger * NSEC))
			return;
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

static void print_rtt(uint64_t within_us)
{
	uint64_t sum = 0, within = 0;

	for (uint64_t i = 0; i < n_rtts; i++)
		within += rtts[i] <= within_us * 1000;
	if (within_us)
		printf(",\"rtt_within\":%" PRIu64, within);
	if (!n_rtts)
		return;
	qsort(rtts, (size_t)n_rtts, sizeof(*rtts), by_value);
	for (uint64_t i = 0; i < n_rtts; i++)
		sum += rtts[i];
	printf(",\"rtt_min_us\":%.1f,\"rtt_avg_us\":%.1f,\"rtt_p99_us\":%.1f",
	       (double)rtts[0] / 1e3, (double)sum / 1e3 / (double)n_rtts,
	       (double)rtts[(n_rtts - 1) * 99 / 100] / 1e3);
}

static int path_mtu(int fd, bool v4)
{
	int mtu = 0;
	socklen_t len = sizeof(mtu);

	if (getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU, &mtu, &len))
		return -1;
	return mtu;
}

static int send_result(const struct sender *s, uint64_t sent_at)
{
	const struct opts *o = s->o;
	uint64_t miss = o->reply ? missing(st.sent) : 0;

	printf("{\"sent\":%" PRIu64 ",\"sent_bytes\":%" PRIu64 ",\"calls\":%" PRIu64
	       ",\"errors\":%" PRIu64 ",\"emsgsize\":%" PRIu64 ",\"econnrefused\":%" PRIu64
	       ",\"async_errors\":%" PRIu64 ",\"last_error\":\"%s\",\"mtu\":%d"
	       ",\"send_ms\":%" PRIu64,
	       st.sent, st.sent_bytes, s->n_calls, st.errors, st.emsgsize, st.refused,
	       st.async_errors, st.last_errno ? strerror(st.last_errno) : "",
	       path_mtu(s->pfd[0].fd, o->to.sa.sa_family == AF_INET),
	       (sent_at - s->start) / 1000000);
	if (o->reply) {
		putchar(',');
		print_received(miss);
		print_rtt(o->within_us);
	}
	if (o->first_delay && st.first_reply_ns)
		printf(",\"first_delay_us\":%" PRIu64,
		       (st.first_reply_ns - st.first_sent_ns) / 1000);
	puts("}");
	return (st.errors && !o->errors_ok) || out_of_time(s) || st.corrupt ||
	       miss > o->max_missing || (o->in_order && st.reordered);
}

static int do_send(struct opts *o)
{
	struct sender s = { .o = o };
	uint64_t sent_at;
	int rc;

	if (!o->has_to || !o->n_sizes)
		die("--to and --sizes are needed");
	if (o->has_bind && o->bind.sa.sa_family != o->to.sa.sa_family)
		die("--bind and --to are of different families");
	if (!o->has_flow_id)
		o->flow_id = (uint32_t)mix(now_ns() ^ (uint64_t)getpid() << 40);
	s.pfd = xrealloc(NULL, o->n_flows * sizeof(*s.pfd));
	for (unsigned int i = 0; i < o->n_flows; i++)
		s.pfd[i] = (struct pollfd){ .fd = open_sender(o, i), .events = POLLIN };
	s.start = now_ns();
	send_all(&s);
	sent_at = now_ns();
	if (o->reply)
		wait_replies(&s);
	rc = send_result(&s, sent_at);
	for (unsigned int i = 0; i < o->n_flows; i++)
		close(s.pfd[i].fd);
	free(s.pfd);
	return rc;
}

/* --- command line --- */

enum {
	O_BIND = 256, O_TO, O_GRO, O_EXPECT, O_TIMEOUT, O_IN_ORDER, O_SIZES, O_COUNT, O_RATE, O_GSO,
	O_NO_CHECK, O_DF, O_FLOWS, O_TTL, O_TOS, O_IP_OPTIONS, O_HOPOPTS, O_DSTOPTS, O_REPLY,
	O_WAIT, O_MARK, O_FIRST_DELAY, O_LINGER, O_IDLE, O_MAX_MISSING, O_FLOW_ID, O_ERRORS_OK,
	O_WITHIN, O_HELP,
};

static const struct option long_opts[] = {
	{ "bind", 1, NULL, O_BIND }, { "to", 1, NULL, O_TO }, { "gro", 0, NULL, O_GRO },
	{ "expect", 1, NULL, O_EXPECT }, { "timeout", 1, NULL, O_TIMEOUT },
	{ "in-order", 0, NULL, O_IN_ORDER }, { "sizes", 1, NULL, O_SIZES },
	{ "count", 1, NULL, O_COUNT }, { "rate", 1, NULL, O_RATE }, { "gso", 1, NULL, O_GSO },
	{ "no-check", 0, NULL, O_NO_CHECK }, { "df", 1, NULL, O_DF }, { "flows", 1, NULL, O_FLOWS },
	{ "ttl", 1, NULL, O_TTL }, { "tos", 1, NULL, O_TOS },
	{ "ip-options", 1, NULL, O_IP_OPTIONS }, { "hopopts", 0, NULL, O_HOPOPTS },
	{ "dstopts", 0, NULL, O_DSTOPTS }, { "reply", 0, NULL, O_REPLY },
	{ "wait", 1, NULL, O_WAIT }, { "mark", 1, NULL, O_MARK },
	{ "first-delay", 0, NULL, O_FIRST_DELAY }, { "linger", 1, NULL, O_LINGER },
	{ "idle", 1, NULL, O_IDLE }, { "max-missing", 1, NULL, O_MAX_MISSING }, { "within", 1, NULL, O_WITHIN },
	{ "flow-id", 1, NULL, O_FLOW_ID }, { "errors-ok", 0, NULL, O_ERRORS_OK },
	{ "help", 0, NULL, O_HELP }, { NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: udpflow sink|echo --bind ADDR:PORT [--expect N] [--in-order] [--gro]\n"
	"               [--timeout S] [--linger S] [--idle S] [--max-missing N]\n"
	"       udpflow send --to ADDR:PORT --sizes LIST [--bind ADDR:PORT] [--count N]\n"
	"               [--flows N] [--rate PPS|burst] [--gso SIZE] [--reply] [--within US] [--wait S]\n"
	"               [--first-delay] [--in-order] [--max-missing N] [--errors-ok]\n"
	"               [--timeout S] [--linger S] [--no-check] [--df on|off|probe]\n"
	"               [--ttl N] [--tos N] [--mark N] [--gro] [--ip-options ra|nop|HEX]\n"
	"               [--hopopts] [--dstopts] [--flow-id N]\n"
	"--timeout: 20 s; none for echo without --expect. SIGTERM ends the sending, not the\n"
	"waiting for answers (--wait); SIGINT ends both. --within: rtt_within is the number of those that came so soon.\n"
	"LIST is like 0,1,11-13,1400; with --gso the sizes are those of the send calls.\n";

static double seconds(const char *s)
{
	char *end;
	double v = strtod(s, &end);

	if (end == s || *end || !(v >= 0) || v > 86400)
		die("%s: want seconds", s);
	return v;
}

static void parse_sizes(struct opts *o, const char *s)
{
	while (*s) {
		char *end;
		unsigned long from = strtoul(s, &end, 10), to = from;

		if (end != s && *end == '-') {
			s = end + 1;
			to = strtoul(s, &end, 10);
		}
		if (end == s || (*end && *end != ',') || from > to || to > 65507)
			die("--sizes: bad list near \"%s\"", s);
		if (o->n_sizes == MAX_SIZES)
			die("--sizes: too many");
		o->sizes[o->n_sizes++] = (struct range){ (unsigned int)from, (unsigned int)to };
		s = *end ? end + 1 : end;
	}
}

static void parse_ip_options(struct opts *o, const char *s)
{
	const char *hex = !strcmp(s, "ra") ? "94040000" : !strcmp(s, "nop") ? "01010101" : s;
	unsigned int n = 0, byte;

	for (; hex[0] && hex[1] && n < sizeof(o->ip_options); hex += 2) {
		char two[3] = { hex[0], hex[1], 0 };
		char *end;

		byte = (unsigned int)strtoul(two, &end, 16);
		if (*end)
			die("--ip-options: bad hex");
		o->ip_options[n++] = (uint8_t)byte;
	}
	if (*hex || !n)
		die("--ip-options: want ra, nop or up to 40 bytes of hex");
	o->ip_options_len = n;
}

static int parse_df(const char *s)
{
	if (!strcmp(s, "on"))
		return IP_PMTUDISC_DO;
	if (!strcmp(s, "off"))
		return IP_PMTUDISC_DONT;
	if (!strcmp(s, "probe"))
		return IP_PMTUDISC_PROBE;
	die("--df: on, off or probe");
}

static void parse_sender_opt(struct opts *o, int c)
{
	switch (c) {
	case O_TO: parse_addr(optarg, &o->to); o->has_to = true; break;
	case O_SIZES: parse_sizes(o, optarg); break;
	case O_COUNT: o->count = number(optarg, MAX_SEQ); break;
	case O_RATE:
		o->burst = !strcmp(optarg, "burst");
		if (!o->burst)
			o->rate = number(optarg, 100000000);
		if (!o->burst && !o->rate)
			die("--rate: not 0");
		break;
	case O_GSO: o->gso = (unsigned int)number(optarg, 65535); break;
	case O_NO_CHECK: o->no_check = true; break;
	case O_DF: o->df = parse_df(optarg); break;
	case O_FLOWS:
		o->n_flows = (unsigned int)number(optarg, MAX_FLOWS);
		if (!o->n_flows)
			die("--flows: not 0");
		break;
	case O_TTL: o->ttl = (int)number(optarg, 255); break;
	case O_TOS: o->tos = (int)number(optarg, 255); break;
	case O_IP_OPTIONS: parse_ip_options(o, optarg); break;
	case O_HOPOPTS: o->hopopts = true; break;
	case O_DSTOPTS: o->dstopts = true; break;
	case O_WAIT: o->wait = seconds(optarg); break;
	case O_MARK: o->mark = (unsigned int)number(optarg, UINT_MAX); break;
	case O_FIRST_DELAY: o->first_delay = o->reply = true; break;
	case O_REPLY: o->reply = true; break;
	case O_ERRORS_OK: o->errors_ok = true; break;
	case O_FLOW_ID: o->flow_id = (uint32_t)number(optarg, UINT32_MAX);
		o->has_flow_id = true;
		break;
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static void parse_opts(struct opts *o, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", long_opts, NULL)) != -1) {
		switch (c) {
		case O_HELP: fputs(usage, stdout); exit(0);
		case O_BIND: parse_addr(optarg, &o->bind); o->has_bind = true; break;
		case O_GRO: o->gro = true; break;
		case O_EXPECT: o->expect = number(optarg, UINT64_MAX); o->has_expect = true; break;
		case O_TIMEOUT: o->timeout = seconds(optarg); break;
		case O_IN_ORDER: o->in_order = true; break;
		case O_LINGER: o->linger = seconds(optarg); break;
		case O_IDLE: o->idle = seconds(optarg); break;
		case O_WITHIN: o->within_us = number(optarg, UINT64_MAX / 1000); break;
		case O_MAX_MISSING: o->max_missing = number(optarg, UINT64_MAX); break;
		default: parse_sender_opt(o, c);
		}
	}
	if (optind != argc)
		die("unknown argument: %s", argv[optind]);
}

int main(int argc, char **argv)
{
	static struct opts o = {
		.count = 1, .rate = 1000, .n_flows = 1, .timeout = -1, .wait = 2, .linger = 0.1,
		.df = -1, .ttl = -1, .tos = -1,
	};

	if (argc < 2 || !strcmp(argv[1], "--help")) {
		fputs(usage, argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}
	parse_opts(&o, argc - 1, argv + 1);
	if (o.timeout < 0) /* an echo lasts until it is stopped, however slow the test is */
		o.timeout = !strcmp(argv[1], "echo") && !o.has_expect ? 0 : 20;
	flows = calloc(FLOW_SLOTS, sizeof(*flows));
	if (!flows)
		die("out of memory");
	stop_on_signals();
	if (!strcmp(argv[1], "sink"))
		return do_receive(&o, false);
	if (!strcmp(argv[1], "echo"))
		return do_receive(&o, true);
	if (!strcmp(argv[1], "send"))
		return do_send(&o);
	fputs(usage, stderr);
	return 2;
}
