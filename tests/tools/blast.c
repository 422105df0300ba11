// SPDX-License-Identifier: GPL-2.0-only
/*
 * Datagrams as fast as they go, for benchmarks: the payload is not looked at, but for a count in its first 8 bytes.
 *
 *   blast send --to ADDR:PORT [--bind ADDR:PORT] --size N [--seconds S | --count N] [--rate N] [--flows N] [--batch N] [--gso N]
 *              [--no-check] [--hosts ADDR]
 *   blast sink --bind ADDR:PORT [--gro]       until SIGTERM
 *   blast ping --to ADDR:PORT --count N [--size N] [--interval-us N]    to an echo; one at a time
 *   blast echo --bind ADDR:PORT               until SIGTERM
 *
 * Each prints one line of JSON at its end. send: datagrams and bytes handed over, ns between the first and the last, ns of CPU;
 * --rate: calls a second, --batch: calls handed over at once. --flows: as many sockets; with --hosts one socket and as many source
 * addresses, from ADDR (IPv4, all local) on. sink: those that came, ns between the first and the last. ping: ns of
 * round trips: median, 99th percentile, the first one, and the first one's way there, by the clock that both ends share.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "tool.h"

enum {
	BATCH = 64,
	SIZE_MAX_BYTES = 65507,
	FLOWS_MAX = 65536,
	PING_MAX = 1000000,
	PING_WAIT_MS = 1000,
};

struct opts {
	union addr to, bind, hosts;
	unsigned int size, gso, interval_us, batch;
	uint64_t count, flows, rate;
	double seconds;
	bool gro, no_check, has_to, has_bind, has_hosts;
};

static int make_socket(const struct opts *o, const union addr *bind_to)
{
	int family = o->has_to ? o->to.sa.sa_family : o->bind.sa.sa_family, on = 1, room = 8 << 20, gso = (int)o->gso;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (o->no_check && setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)))
		die("SO_NO_CHECK: %s", strerror(errno));
	if (o->gro && setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on)))
		die("UDP_GRO: %s", strerror(errno));
	if (o->gso && setsockopt(fd, SOL_UDP, UDP_SEGMENT, &gso, sizeof(gso)))
		die("UDP_SEGMENT: %s", strerror(errno));
	if (bind_to && bind(fd, &bind_to->sa, addr_len(bind_to)))
		die("bind: %s", strerror(errno));
	if (o->has_to && connect(fd, &o->to.sa, addr_len(&o->to)))
		die("connect: %s", strerror(errno));
	return fd;
}

static uint64_t cpu_ns(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000 +
	       (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000;
}

/* One socket for each flow, on consecutive ports from that of --bind, or any. */
static int *open_flows(const struct opts *o)
{
	uint64_t count = o->has_hosts ? 1 : o->flows;
	int *fds = calloc(count, sizeof(*fds));
	union addr local = o->bind;

	if (!fds)
		die("no memory");
	for (uint64_t i = 0; i < count; i++) {
		if (o->has_bind && local.sa.sa_family == AF_INET)
			local.in.sin_port = htons((uint16_t)(addr_port(&o->bind) + i));
		else if (o->has_bind)
			local.in6.sin6_port = htons((uint16_t)(addr_port(&o->bind) + i));
		fds[i] = make_socket(o, o->has_bind ? &local : NULL);
	}
	return fds;
}

/* Sleeps until it is time for call number @calls. */
static void keep_pace(const struct opts *o, uint64_t start_ns, uint64_t calls)
{
	uint64_t due_ns = start_ns + calls * 1000000000 / o->rate;
	struct timespec due = { (time_t)(due_ns / 1000000000), (long)(due_ns % 1000000000) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

/* The source address of a message: that of the host number @host. */
static void from_host(const struct opts *o, struct mmsghdr *msg, char *control, uint64_t host)
{
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(ntohl(o->hosts.in.sin_addr.s_addr) + (uint32_t)host) };
	struct cmsghdr *cmsg;

	msg->msg_hdr.msg_control = control;
	msg->msg_hdr.msg_controllen = CMSG_SPACE(sizeof(info));
	cmsg = CMSG_FIRSTHDR(&msg->msg_hdr);
	*cmsg = (struct cmsghdr){ .cmsg_level = SOL_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(info)) };
	memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
}

static int run_send(const struct opts *o)
{
	static uint8_t payload[BATCH][SIZE_MAX_BYTES];
	struct iovec iov[BATCH];
	struct mmsghdr msgs[BATCH] = {};
	_Alignas(struct cmsghdr) char control[BATCH][CMSG_SPACE(sizeof(struct in_pktinfo))];
	uint64_t calls = 0, refused = 0, turn = 0, start, end, cpu, deadline;
	int *fds = open_flows(o), batch = (o->flows > 1 && !o->has_hosts) || o->size > 9000 ? 1 : (int)o->batch;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ payload[i], o->size };
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	cpu = cpu_ns();
	start = now_ns();
	deadline = o->seconds > 0 ? start + (uint64_t)(o->seconds * 1e9) : UINT64_MAX;
	while (!stop && (!o->count || calls < o->count) && now_ns() < deadline) {
		int left = o->count && o->count - calls < (uint64_t)batch ? (int)(o->count - calls) : batch, n;

		if (o->rate)
			keep_pace(o, start, calls + refused);
		for (int i = 0; i < left && o->size >= 8; i++)
			memcpy(payload[i], &(uint64_t){ calls + (uint64_t)i }, 8);
		for (int i = 0; i < left && o->has_hosts; i++)
			from_host(o, &msgs[i], control[i], (calls + (uint64_t)i) % o->flows);
		n = sendmmsg(fds[o->has_hosts ? 0 : turn++ % o->flows], msgs, (unsigned int)left, 0);
		if (n > 0)
			calls += (uint64_t)n;
		else if (errno == ENOBUFS || errno == EAGAIN || errno == ECONNREFUSED)
			refused++;
		else if (errno != EINTR)
			die("send: %s", strerror(errno));
	}
	end = now_ns();
	printf("{\"packets\":%llu,\"calls\":%llu,\"bytes\":%llu,\"refused\":%llu,\"ns\":%llu,\"cpu_ns\":%llu}\n",
	       (unsigned long long)(o->gso ? calls * ((o->size + o->gso - 1) / o->gso) : calls), (unsigned long long)calls,
	       (unsigned long long)(calls * o->size), (unsigned long long)refused, (unsigned long long)(end - start),
	       (unsigned long long)(cpu_ns() - cpu));
	return 0;
}

static int run_sink(const struct opts *o)
{
	static uint8_t payload[BATCH][SIZE_MAX_BYTES];
	struct iovec iov[BATCH];
	struct mmsghdr msgs[BATCH] = {};
	char control[BATCH][CMSG_SPACE(sizeof(int))];
	uint64_t packets = 0, batches = 0, bytes = 0, first = 0, last = 0;
	int fd = make_socket(o, &o->bind);

	fputs("READY\n", stderr);
	while (!stop) {
		int n;

		for (int i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){ payload[i], sizeof(payload[i]) };
			msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1,
							   .msg_control = control[i], .msg_controllen = sizeof(control[i]) };
		}
		n = recvmmsg(fd, msgs, BATCH, MSG_WAITFORONE, NULL);
		if (n <= 0)
			continue;
		last = now_ns();
		first = first ? first : last;
		for (int i = 0; i < n; i++) {
			struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msgs[i].msg_hdr);
			unsigned int len = msgs[i].msg_len, segment = len;

			if (cmsg && cmsg->cmsg_level == SOL_UDP && cmsg->cmsg_type == UDP_GRO) {
				int size;

				memcpy(&size, CMSG_DATA(cmsg), sizeof(size));
				segment = (unsigned int)size;
			}
			packets += segment ? (len + segment - 1) / segment : 1;
			bytes += len;
		}
		batches += (uint64_t)n;
	}
	printf("{\"packets\":%llu,\"batches\":%llu,\"bytes\":%llu,\"ns\":%llu,\"cpu_ns\":%llu}\n", (unsigned long long)packets,
	       (unsigned long long)batches, (unsigned long long)bytes, (unsigned long long)(last - first), (unsigned long long)cpu_ns());
	return 0;
}

static int run_echo(const struct opts *o)
{
	uint8_t payload[SIZE_MAX_BYTES];
	int fd = make_socket(o, &o->bind);
	union addr from;

	fputs("READY\n", stderr);
	while (!stop) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, payload, sizeof(payload), 0, &from.sa, &len);

		if (n >= 16)
			memcpy(payload + 8, &(uint64_t){ now_ns() }, 8);
		if (n >= 0)
			sendto(fd, payload, (size_t)n, 0, &from.sa, len);
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

static int run_ping(const struct opts *o)
{
	static uint64_t trips[PING_MAX];
	uint8_t payload[SIZE_MAX_BYTES] = {};
	int fd = make_socket(o, o->has_bind ? &o->bind : NULL);
	uint64_t got = 0, lost = 0, first = 0, first_way = 0;

	for (uint64_t i = 0; i < o->count && !stop; i++) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		uint64_t sent = now_ns(), answer[2] = { o->count };

		memcpy(payload, &i, sizeof(i));
		if (send(fd, payload, o->size, 0) < 0)
			die("send: %s", strerror(errno));
		do { /* late ones are of others */
			if (poll(&pfd, 1, PING_WAIT_MS) <= 0)
				break;
			if (recv(fd, answer, sizeof(answer), 0) < 0)
				break;
		} while (answer[0] != i);
		if (answer[0] == i && pfd.revents & POLLIN)
			trips[got++] = now_ns() - sent;
		else
			lost++;
		if (!i && got) {
			first = trips[0];
			first_way = o->size >= 16 ? answer[1] - sent : 0;
		}
		while (o->interval_us && now_ns() < sent + o->interval_us * 1000ull && !stop)
			;
	}
	qsort(trips, got, sizeof(trips[0]), compare);
	printf("{\"packets\":%llu,\"lost\":%llu,\"first_ns\":%llu,\"first_way_ns\":%llu,\"p50_ns\":%llu,\"p99_ns\":%llu}\n",
	       (unsigned long long)got, (unsigned long long)lost, (unsigned long long)first, (unsigned long long)first_way,
	       (unsigned long long)(got ? trips[got / 2] : 0),
	       (unsigned long long)(got ? trips[got * 99 / 100] : 0));
	return lost > 0;
}

static const char usage[] =
	"usage: blast send --to ADDR:PORT [--bind ADDR:PORT] --size N [--seconds S | --count N] [--rate N] [--flows N] [--batch N]\n"
	"                  [--gso N] [--no-check] [--hosts ADDR]\n"
	"       blast sink --bind ADDR:PORT [--gro]\n"
	"       blast ping --to ADDR:PORT [--bind ADDR:PORT] --count N [--size N] [--interval-us N]\n"
	"       blast echo --bind ADDR:PORT\n";

static const struct option long_opts[] = {
	{ "to", 1, NULL, 't' }, { "bind", 1, NULL, 'b' }, { "size", 1, NULL, 's' }, { "seconds", 1, NULL, 'S' },
	{ "count", 1, NULL, 'c' }, { "flows", 1, NULL, 'f' }, { "gso", 1, NULL, 'g' }, { "gro", 0, NULL, 'G' },
	{ "no-check", 0, NULL, 'n' }, { "interval-us", 1, NULL, 'i' }, { "rate", 1, NULL, 'r' }, { "batch", 1, NULL, 'B' }, { "hosts", 1, NULL, 'H' },
	{ "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 },
};

static void parse_opts(struct opts *o, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", long_opts, NULL)) != -1) {
		switch (c) {
		case 't': parse_addr(optarg, &o->to); o->has_to = true; break;
		case 'b': parse_addr(optarg, &o->bind); o->has_bind = true; break;
		case 's': o->size = (unsigned int)number(optarg, SIZE_MAX_BYTES); break;
		case 'S': o->seconds = strtod(optarg, NULL); break;
		case 'c': o->count = number(optarg, 1000000000); break;
		case 'f': o->flows = number(optarg, FLOWS_MAX); break;
		case 'g': o->gso = (unsigned int)number(optarg, SIZE_MAX_BYTES); break;
		case 'G': o->gro = true; break;
		case 'n': o->no_check = true; break;
		case 'i': o->interval_us = (unsigned int)number(optarg, 1000000); break;
		case 'r': o->rate = number(optarg, 1000000000); break;
		case 'B': o->batch = (unsigned int)number(optarg, BATCH); break;
		case 'H':
			o->hosts.in.sin_family = AF_INET;
			if (inet_pton(AF_INET, optarg, &o->hosts.in.sin_addr) != 1)
				die("not an IPv4 address: %s", optarg);
			o->has_hosts = true;
			break;
		case 'h': fputs(usage, stdout); exit(0);
		default: fputs(usage, stderr); exit(2);
		}
	}
	if (optind != argc)
		die("unknown argument: %s", argv[optind]);
}

int main(int argc, char **argv)
{
	struct opts o = { .size = 64, .flows = 1, .batch = BATCH };
	const char *what = argc > 1 ? argv[1] : "";

	stop_on_signals();
	if (argc > 1)
		parse_opts(&o, argc - 1, argv + 1);
	if (!strcmp(what, "send") && o.has_to && o.flows && o.batch && (o.count || (o.seconds > 0 && o.seconds <= 3600)))
		return run_send(&o);
	if (!strcmp(what, "sink") && o.has_bind && !o.has_to)
		return run_sink(&o);
	if (!strcmp(what, "echo") && o.has_bind && !o.has_to)
		return run_echo(&o);
	if (!strcmp(what, "ping") && o.has_to && o.count && o.count <= PING_MAX && o.size >= 8)
		return run_ping(&o);
	fputs(usage, stderr);
	return 2;
}
