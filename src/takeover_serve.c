// SPDX-License-Identifier: GPL-2.0-only
/* The running instance: offers what it has to a successor, and goes on if that fails. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "takeover_wire.h"
#include "util.h"

enum {
	TAKEOVER_BACKLOG = 4,
	TAKEOVER_REFUSE_MS = 20, /* for the first word of one that comes in vain */
	TAKEOVER_KILL_MS = 1000, /* for a process to end */
};

static int takeover_bind(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path); /* what a killed one left: the lock is ours */
	/* The mode of the socket becomes that of the file. */
	if (fchmod(fd, 0600) || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, TAKEOVER_BACKLOG))
		return -errno;
	return TAKE_FD(fd);
}

int takeover_listen(struct takeover *takeover, const char *lock, int inherited)
{
	int err = takeover_path(takeover->path, sizeof(takeover->path), lock);

	takeover->listen_fd = inherited;
	if (!err && inherited < 0) {
		takeover->listen_fd = takeover_bind(takeover->path);
		if (takeover->listen_fd < 0)
			err = takeover->listen_fd;
	}
	return err;
}

bool takeover_is_removed(const struct takeover *takeover)
{
	return takeover->listen_fd >= 0 && access(takeover->path, F_OK) && errno == ENOENT;
}

int takeover_listen_again(struct takeover *takeover)
{
	int fd = takeover_bind(takeover->path);

	if (fd < 0)
		return fd;
	util_close_fd(&takeover->listen_fd);
	takeover->listen_fd = fd;
	return 0;
}

static void takeover_dismiss(struct takeover *takeover)
{
	util_close_fd(&takeover->peer_fd);
	util_close_fd(&takeover->peer_pid_fd);
	takeover->peer_fd = takeover->peer_pid_fd = -1;
}

static void takeover_set_deadline(struct takeover *takeover, unsigned int ms)
{
	takeover->deadline_ns = takeover_now_ns() + ms * 1000000ULL;
}

/* What is closed with something unread in it loses what the other side has not read yet. */
static void takeover_refuse(int fd)
{
	struct takeover_message message;

	if (!takeover_receive(fd, &message, TAKEOVER_REFUSE_MS))
		takeover_drop(&message);
	takeover_say(fd, "busy");
}

bool takeover_accept(struct takeover *takeover)
{
	_cleanup_close_ int fd = accept4(takeover->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	pid_t pid = 0;

	if (fd < 0)
		return false;
	if (!takeover_peer_is_root(fd, &pid)) {
		log_warn("A process that is not root's asked to take over, in vain");
		return false;
	}
	if (takeover->peer_fd >= 0) {
		takeover_refuse(fd);
		return false;
	}
	/* It lives, or the socket would be closed: so this is no other process with its number. */
	takeover->peer_pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	takeover->peer_pid = pid;
	takeover->peer_fd = TAKE_FD(fd);
	takeover_set_deadline(takeover, TAKEOVER_ANSWER_MS);
	return true;
}

static void takeover_offer(struct takeover *takeover)
{
	struct takeover_message message = { .verb = "offer" };
	struct handover handover;
	int err;

	takeover->ops->offer(takeover->context, &handover);
	for (int i = 0; i < HANDOVER_ITEMS; i++)
		takeover_add(&message, handover_name((enum handover_item)i), handover.fd[i]);
	err = takeover_send(takeover->peer_fd, &message);
	takeover_set_deadline(takeover, TAKEOVER_LOAD_MS);
	if (!err) {
		log_info("Process %d asks to take over", (int)takeover->peer_pid);
		return;
	}
	log_warn("Cannot offer anything to process %d: %s", (int)takeover->peer_pid, strerror(-err));
	takeover_dismiss(takeover);
}

/* It may be half way, and nobody else may touch the datapath then. One that has hung up ends by itself. */
static void takeover_await_end(const struct takeover *takeover, bool hangs)
{
	struct pollfd ended = { .fd = takeover->peer_pid_fd, .events = POLLIN };

	if (takeover->peer_pid_fd < 0 || (!hangs && poll(&ended, 1, TAKEOVER_KILL_MS) == 1))
		return;
	syscall(SYS_pidfd_send_signal, takeover->peer_pid_fd, SIGKILL, NULL, 0);
	poll(&ended, 1, TAKEOVER_KILL_MS);
}

/* From `go` to `attached`: the successor acts, and we stand still. */
static bool takeover_give(struct takeover *takeover)
{
	struct takeover_message message = { .verb = "go" };
	int err;

	takeover_add(&message, "lock", takeover->ops->lock(takeover->context));
	takeover_add(&message, "socket", takeover->listen_fd);
	err = takeover_send(takeover->peer_fd, &message);
	message.count = 0; /* they are ours */
	if (!err)
		err = takeover_receive(takeover->peer_fd, &message, TAKEOVER_ATTACH_MS);
	takeover_drop(&message);
	if (!err && !strcmp(message.verb, "attached")) {
		log_info("Process %d has taken over", (int)takeover->peer_pid);
		takeover->given = true;
		takeover_dismiss(takeover);
		return true;
	}
	if (err == -ETIMEDOUT)
		log_warn("Process %d does not get on with taking over: it is killed", (int)takeover->peer_pid);
	takeover_await_end(takeover, err == -ETIMEDOUT);
	log_warn("Process %d could not take over (%s); going on", (int)takeover->peer_pid,
		 err == -EPIPE ? "it ended" : err ? strerror(-err) : message.verb);
	takeover_dismiss(takeover);
	takeover->ops->restore(takeover->context);
	return false;
}

bool takeover_serve(struct takeover *takeover)
{
	struct takeover_message message;
	int err = takeover_receive(takeover->peer_fd, &message, 0);

	if (err == -ETIMEDOUT)
		return false;
	if (err) {
		log_info("Process %d does not take over after all", (int)takeover->peer_pid);
		takeover_dismiss(takeover);
		return false;
	}
	takeover_drop(&message);
	if (!strcmp(message.verb, "hello"))
		takeover_offer(takeover);
	else if (!strcmp(message.verb, "loaded"))
		return takeover_give(takeover);
	else if (!strcmp(message.verb, "end")) {
		log_info("Stopping: process %d, which cannot go on with these connections, starts afresh", (int)takeover->peer_pid);
		return true;
	} else
		takeover_dismiss(takeover);
	return false;
}

void takeover_tick(struct takeover *takeover)
{
	if (takeover->peer_fd < 0 || takeover_now_ns() < takeover->deadline_ns)
		return;
	log_warn("Process %d does not get on with taking over: given up", (int)takeover->peer_pid);
	takeover_dismiss(takeover);
}

void takeover_close(struct takeover *takeover)
{
	if (takeover->peer_fd >= 0)
		takeover_say(takeover->peer_fd, "cancel");
	takeover_dismiss(takeover);
	if (takeover->listen_fd >= 0 && !takeover->given)
		unlink(takeover->path);
	util_close_fd(&takeover->listen_fd);
	takeover->listen_fd = -1;
}
