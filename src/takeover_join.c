// SPDX-License-Identifier: GPL-2.0-only
/* The successor: asks the running instance for what it has. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "takeover_wire.h"
#include "util.h"

static int takeover_connect(const char *lock)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = fd < 0 ? -errno : takeover_path(addr.sun_path, sizeof(addr.sun_path), lock);
	pid_t pid;

	if (err)
		return err;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return errno == ECONNREFUSED ? -ENOENT : -errno;
	return takeover_peer_is_root(fd, &pid) ? TAKE_FD(fd) : -EPERM;
}

/* Waits for a message with that verb. */
static int takeover_expect(int fd, struct takeover_message *message, const char *verb)
{
	int err = takeover_receive(fd, message, TAKEOVER_ANSWER_MS);

	if (err || !strcmp(message->verb, verb))
		return err;
	takeover_drop(message);
	return !strcmp(message->verb, "cancel") ? -ECANCELED : !strcmp(message->verb, "busy") ? -EBUSY : -EPROTO;
}

static const char *takeover_explain(int err)
{
	switch (err) {
	case -EBUSY:
		return "another process takes over already";
	case -ETIMEDOUT:
		return "it does not answer";
	case -EPIPE:
		return "it has hung up";
	case -EACCES:
		return "permission denied; Mimic has to run as root";
	default:
		return strerror(-err);
	}
}

int takeover_join(const char *lock, struct handover *handover)
{
	struct takeover_message message = {};
	_cleanup_close_ int fd = takeover_connect(lock);
	int err = fd < 0 ? fd : 0;

	if (err == -ENOENT)
		return err;
	if (!err) {
		takeover_say(fd, "hello"); /* where it has hung up, there may be a word to hear all the same */
		err = takeover_expect(fd, &message, "offer");
	}
	if (err) {
		log_error("Cannot take over from the running instance: %s", takeover_explain(err));
		return err;
	}
	for (size_t i = 0; i < message.count; i++)
		handover_put(handover, message.names[i], message.fds[i]);
	return TAKE_FD(fd);
}

int takeover_decline(int *fd)
{
	struct takeover_message message = {};
	int err = takeover_say(*fd, "end");

	if (!err)
		err = takeover_receive(*fd, &message, TAKEOVER_END_MS);
	takeover_drop(&message);
	util_close_fd(fd);
	*fd = -1;
	/* It says `cancel` or hangs up as it ends. */
	if (!err || err == -EPIPE)
		return 0;
	log_error("The running instance does not stop: %s", takeover_explain(err));
	return err;
}

int takeover_pause(int fd, int *lock_fd, int *listen_fd)
{
	struct takeover_message message = {};
	int err = takeover_say(fd, "loaded");

	if (!err)
		err = takeover_expect(fd, &message, "go");
	if (err == -EPIPE)
		err = -ECANCELED;
	if (!err) {
		*lock_fd = takeover_take(&message, "lock");
		*listen_fd = takeover_take(&message, "socket");
		takeover_drop(&message);
		err = *lock_fd < 0 || *listen_fd < 0 ? -EPROTO : 0;
	}
	if (err && err != -ECANCELED)
		log_error("Cannot take over from the running instance: %s", takeover_explain(err));
	return err;
}

void takeover_finish(int *fd)
{
	takeover_say(*fd, "attached");
	util_close_fd(fd);
	*fd = -1;
}
