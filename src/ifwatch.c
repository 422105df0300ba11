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
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	return TAKE_FD(fd);
}

static bool ifwatch_is_about(const void *bytes, size_t size, int ifindex)
{
	const struct nlmsghdr *message = bytes;

	for (; NLMSG_OK(message, size); message = NLMSG_NEXT(message, size)) {
		const struct ifaddrmsg *addr = NLMSG_DATA(message);

		if ((message->nlmsg_type == RTM_NEWADDR || message->nlmsg_type == RTM_DELADDR) &&
		    message->nlmsg_len >= NLMSG_LENGTH(sizeof(*addr)) && (int)addr->ifa_index == ifindex)
			return true;
	}
	return false;
}

bool ifwatch_take(int fd, int ifindex)
{
	_Alignas(struct nlmsghdr) char messages[8192];
	bool addresses = false;
	ssize_t size;

	for (;;) {
		size = recv(fd, messages, sizeof(messages), MSG_DONTWAIT);
		if (size >= 0)
			addresses |= ifwatch_is_about(messages, (size_t)size, ifindex);
		else if (errno == ENOBUFS)
			addresses = true; /* messages are lost, whatever they said */
		else if (errno != EINTR)
			return addresses;
	}
}
