// SPDX-License-Identifier: GPL-2.0-only
/*
 * tunpair - a link without L2 header: two TUN devices that are joined
 *
 *	tunpair NETNS IFACE NETNS IFACE
 *
 * Makes a TUN device in each of the two network namespaces (paths such as /run/netns/NAME), and carries each packet
 * that leaves one of them to the other, until SIGTERM or SIGINT; then the devices are gone. READY on stderr says that
 * they are there, down and without addresses. The result is one line of JSON.
 *
 * Exit status: 0 done, 2 usage or system error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tool.h"

enum {
	MAX_PACKET = 65536,
	AT_A_TIME = 64, /* packets one way before the other is looked at */
};


/* The device belongs to the namespace in which it is made, wherever this process is afterwards. */
static int open_tun(const char *netns, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int ns = open(netns, O_RDONLY | O_CLOEXEC), fd;

	if (ns < 0 || setns(ns, CLONE_NEWNET))
		die("%s: %s", netns, strerror(errno));
	close(ns);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		die("/dev/net/tun: %s", strerror(errno));
	if (strlen(name) >= sizeof(ifr.ifr_name))
		die("%s: name too long", name);
	memcpy(ifr.ifr_name, name, strlen(name));
	if (ioctl(fd, TUNSETIFF, &ifr))
		die("%s: %s", name, strerror(errno));
	return fd;
}

/* What the device does not take (it is down) is lost, as on any link, and counted. */
static void carry(int from, int to, uint64_t *carried, uint64_t *lost)
{
	static uint8_t packet[MAX_PACKET];

	for (int i = 0; i < AT_A_TIME; i++) {
		ssize_t len = read(from, packet, sizeof(packet));

		if (len < 0 && errno != EAGAIN && errno != EINTR && errno != EIO)
			die("read: %s", strerror(errno));
		if (len <= 0)
			return;
		if (write(to, packet, (size_t)len) == len)
			++*carried;
		else
			++*lost;
	}
}

int main(int argc, char **argv)
{
	uint64_t carried[2] = { 0 }, lost = 0;
	struct pollfd end[2];

	if (argc != 5) {
		fputs("usage: tunpair NETNS IFACE NETNS IFACE\n", stderr);
		return 2;
	}
	stop_on_signals();
	for (int i = 0; i < 2; i++)
		end[i] = (struct pollfd){ .fd = open_tun(argv[1 + 2 * i], argv[2 + 2 * i]),
					  .events = POLLIN };
	fputs("READY\n", stderr);
	while (!stop) {
		if (poll(end, 2, 100) <= 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (end[i].revents & POLLIN)
				carry(end[i].fd, end[!i].fd, &carried[i], &lost);
	}
	printf("{\"carried\":%" PRIu64 ",\"carried_back\":%" PRIu64 ",\"lost\":%" PRIu64 "}\n",
	       carried[0], carried[1], lost);
	return 0;
}
