// SPDX-License-Identifier: GPL-2.0-only
#include "takeover_wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define TAKEOVER_NS_PER_MS 1000000ULL

/* Room for the descriptors of one message. */
union takeover_control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int) * TAKEOVER_FDS_MAX)];
};

uint64_t takeover_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

int takeover_send(int fd, const struct takeover_message *message)
{
	char text[TAKEOVER_TEXT_MAX];
	struct iovec part = { .iov_base = text, .iov_len = takeover_print(text, message) };
	union takeover_control control = {};
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	size_t bytes = message->count * sizeof(int);

	if (bytes) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(bytes);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(bytes);
		memcpy(CMSG_DATA(&control.header), message->fds, bytes);
	}
	return sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int takeover_say(int fd, const char *verb)
{
	struct takeover_message message = {};

	snprintf(message.verb, sizeof(message.verb), "%s", verb);
	return takeover_send(fd, &message);
}

static int takeover_wait(int fd, int timeout_ms)
{
	uint64_t end_ns = takeover_now_ns() + (uint64_t)timeout_ms * TAKEOVER_NS_PER_MS, now_ns;
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	for (;;) {
		now_ns = takeover_now_ns();
		switch (poll(&ready, 1, now_ns < end_ns ? (int)((end_ns - now_ns) / TAKEOVER_NS_PER_MS) + 1 : 0)) {
		case 0:
			return -ETIMEDOUT;
		case 1:
			return 0;
		default:
			if (errno != EINTR)
				return -errno;
		}
	}
}

/* The descriptors come with the text or not at all. Returns how many there are in @fds. */
static size_t takeover_unpack(struct msghdr *header, int *fds)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(header);
	size_t count;

	if (!control || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
		return 0;
	count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(control), count * sizeof(int));
	return count;
}

int takeover_receive(int fd, struct takeover_message *message, int timeout_ms)
{
	char text[TAKEOVER_TEXT_MAX];
	struct iovec part = { .iov_base = text, .iov_len = sizeof(text) };
	union takeover_control control = {};
	struct msghdr header = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
	};
	int err = takeover_wait(fd, timeout_ms);
	size_t count;
	ssize_t len;

	message->count = 0;
	if (err)
		return err;
	len = recvmsg(fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (len <= 0)
		return len && errno != ECONNRESET ? -errno : -EPIPE;
	count = takeover_unpack(&header, message->fds);
	err = header.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EPROTO : takeover_parse(message, text, (size_t)len);
	if (!err && message->count == count)
		return 0;
	message->count = count;
	takeover_drop(message);
	return -EPROTO;
}

bool takeover_peer_is_root(int fd, pid_t *pid)
{
	struct ucred peer = {};
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) || peer.uid)
		return false;
	*pid = peer.pid;
	return true;
}
