// SPDX-License-Identifier: GPL-2.0-only
/*
 * udperror - sends datagrams from a connected UDP socket with IP_RECVERR, and prints the ICMP errors that reach it
 *
 *	udperror [--bind ADDR:PORT] --to ADDR:PORT [--size N] [--count N] [--interval-ms N] [--ttl N]
 *	         [--seconds S] [--expect N]
 *
 * The datagrams ask not to be fragmented, whatever the path MTU (IP_PMTUDISC_PROBE). One line of key=value pairs for each
 * error (ip(7), IP_RECVERR): errno, ICMP type and code, the MTU (info), who said it, what of the payload is quoted;
 * at last the path MTU that the kernel knows. Ends when --expect errors came (default 1), or after S seconds (default 3).
 *
 * Exit status: 0 as many errors as expected, 1 fewer, 2 usage or system error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#include <linux/errqueue.h>

enum { SIZE_MAX_BYTES = 65507, QUOTED_MAX = 2048 };

struct opts {
	union addr to, bind;
	unsigned long size, count, interval_ms, seconds, expect;
	int ttl; /* 0: leave it */
};

static const char usage[] =
	"usage: udperror [--bind ADDR:PORT] --to ADDR:PORT [--size N] [--count N] [--interval-ms N]\n"
	"                [--ttl N] [--seconds S] [--expect N]\n";

static int open_socket(const struct opts *o)
{
	bool v4 = o->to.sa.sa_family == AF_INET;
	int fd = socket(o->to.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
	int probe = v4 ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE;

	if (fd < 0 || setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, &on, sizeof(on)) ||
	    setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &probe,
		       sizeof(probe)))
		die("socket: %s", strerror(errno));
	if (o->ttl && setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TTL : IPV6_UNICAST_HOPS, &o->ttl,
				 sizeof(o->ttl)))
		die("TTL: %s", strerror(errno));
	if (o->bind.sa.sa_family && bind(fd, &o->bind.sa, addr_len(&o->bind)))
		die("bind: %s", strerror(errno));
	if (connect(fd, &o->to.sa, addr_len(&o->to)))
		die("connect: %s", strerror(errno));
	return fd;
}

static void print_error(const struct sock_extended_err *err, const struct sockaddr *from, const uint8_t *quoted, ssize_t len)
{
	char text[INET6_ADDRSTRLEN] = "-";

	if (from->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)from)->sin_addr, text, sizeof(text));
	else if (from->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, text, sizeof(text));
	printf("errno=%s origin=%u type=%u code=%u info=%u from=%s quoted=%zd:", strerrorname_np((int)err->ee_errno),
	       err->ee_origin, err->ee_type, err->ee_code, err->ee_info, text, len);
	for (ssize_t i = 0; i < len && i < 64; i++)
		printf("%02x", quoted[i]);
	putchar('\n');
}

/* Everything in the error queue; how many errors there were. */
static unsigned long read_errors(int fd)
{
	unsigned long n = 0;

	for (;;) {
		static uint8_t quoted[QUOTED_MAX];
		_Alignas(struct cmsghdr) uint8_t control[512];
		struct iovec iov = { quoted, sizeof(quoted) };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				      .msg_controllen = sizeof(control) };
		ssize_t len = recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT);

		if (len < 0)
			return n;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			const struct sock_extended_err *err = (const void *)CMSG_DATA(c);

			if ((c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_RECVERR) &&
			    (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_RECVERR))
				continue;
			if (err->ee_origin == SO_EE_ORIGIN_LOCAL)
				continue;
			print_error(err, SO_EE_OFFENDER(err), quoted, len);
			n++;
		}
	}
}

static unsigned long now_ms(void)
{
	return (unsigned long)(now_ns() / 1000000);
}

static int run(const struct opts *o)
{
	static uint8_t payload[SIZE_MAX_BYTES];
	bool v4 = o->to.sa.sa_family == AF_INET;
	unsigned long start = now_ms(), sent = 0, errors = 0;
	int fd = open_socket(o), mtu = 0;
	socklen_t len = sizeof(mtu);

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + 3);
	while (errors < o->expect && now_ms() - start < o->seconds * 1000) {
		struct pollfd pfd = { .fd = fd };

		/* A pending error fails the call and is taken by it: it is in the queue as well. */
		if (sent < o->count && now_ms() - start >= sent * o->interval_ms) {
			if (send(fd, payload, o->size, 0) >= 0 || errno == EMSGSIZE)
				sent++;
		}
		poll(&pfd, 1, 10);
		errors += read_errors(fd);
	}
	getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU, &mtu, &len);
	printf("mtu=%d\n", mtu);
	close(fd);
	return errors >= o->expect ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "to", 1, NULL, 't' }, { "bind", 1, NULL, 'b' }, { "size", 1, NULL, 's' }, { "count", 1, NULL, 'c' },
		{ "interval-ms", 1, NULL, 'i' }, { "seconds", 1, NULL, 'S' }, { "expect", 1, NULL, 'e' },
		{ "ttl", 1, NULL, 'T' }, { 0 },
	};
	struct opts o = { .size = 100, .count = 1, .interval_ms = 100, .seconds = 3, .expect = 1 };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 't': parse_addr(optarg, &o.to); break;
		case 'b': parse_addr(optarg, &o.bind); break;
		case 's': o.size = number(optarg, SIZE_MAX_BYTES); break;
		case 'c': o.count = number(optarg, UINT32_MAX); break;
		case 'i': o.interval_ms = number(optarg, UINT32_MAX); break;
		case 'S': o.seconds = number(optarg, UINT32_MAX); break;
		case 'T': o.ttl = (int)number(optarg, 255); break;
		case 'e': o.expect = number(optarg, UINT32_MAX); break;
		default: fputs(usage, stderr); return 2;
		}
	}
	if (!o.to.sa.sa_family || o.size > SIZE_MAX_BYTES || optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	return run(&o);
}
