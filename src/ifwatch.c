// SPDX-License-Identifier: GPL-2.0-only
#include "ifwatch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "util.h"

int ifwatch_open(void)
{
	struct sockaddr_nl addr = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_TC,
	};
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	return TAKE_FD(fd);
}

static unsigned int ifwatch_read(const struct nlmsghdr *message, int ifindex)
{
	const struct ifaddrmsg *addr = NLMSG_DATA(message);
	const struct tcmsg *tc = NLMSG_DATA(message);

	switch (message->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return message->nlmsg_len >= NLMSG_LENGTH(sizeof(*addr)) && (int)addr->ifa_index == ifindex ? IFWATCH_ADDRESSES : 0;
	case RTM_DELTFILTER:
	case RTM_DELQDISC:
	case RTM_DELCHAIN:
		return message->nlmsg_len >= NLMSG_LENGTH(sizeof(*tc)) && tc->tcm_ifindex == ifindex ? IFWATCH_FILTERS : 0;
	default:
		return 0;
	}
}

static unsigned int ifwatch_read_all(const void *bytes, size_t size, int ifindex)
{
	const struct nlmsghdr *message = bytes;
	unsigned int changed = 0;

	for (; NLMSG_OK(message, size); message = NLMSG_NEXT(message, size))
		changed |= ifwatch_read(message, ifindex);
	return changed;
}

unsigned int ifwatch_take(int fd, int ifindex)
{
	_Alignas(struct nlmsghdr) char messages[8192];
	unsigned int changed = 0;
	ssize_t size;

	for (;;) {
		size = recv(fd, messages, sizeof(messages), MSG_DONTWAIT);
		if (size >= 0)
			changed |= ifwatch_read_all(messages, (size_t)size, ifindex);
		else if (errno == ENOBUFS)
			changed = IFWATCH_ADDRESSES | IFWATCH_FILTERS; /* messages are lost, whatever they said */
		else if (errno != EINTR)
			return changed;
	}
}
