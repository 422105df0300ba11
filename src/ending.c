// SPDX-License-Identifier: GPL-2.0-only
#include "ending.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

int ending_open(struct ending *ending, pid_t daemon)
{
	sigset_t signals;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	ending->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (ending->signal_fd < 0) {
		log_error("cannot wait for signals: %s", strerror(errno));
		return -errno;
	}
	ending->pid_fd = (int)syscall(SYS_pidfd_open, daemon, 0); /* without it, its maps stay readable: then a signal has to end it */
	return 0;
}

bool ending_wait(const struct ending *ending, int fd, int ms)
{
	struct pollfd fds[] = {
		{ .fd = ending->signal_fd, .events = POLLIN },
		{ .fd = ending->pid_fd, .events = POLLIN },
		{ .fd = STDOUT_FILENO }, /* POLLERR: the pipe has no reader */
		{ .fd = fd, .events = POLLIN },
	};

	if (poll(fds, ARRAY_SIZE(fds), ms) < 0)
		return errno == EINTR;
	return !fds[0].revents && !fds[1].revents && !(fds[2].revents & (POLLERR | POLLHUP | POLLNVAL));
}

bool ending_daemon_is_gone(const struct ending *ending)
{
	struct pollfd fd = { .fd = ending->pid_fd, .events = POLLIN };

	return ending->pid_fd >= 0 && poll(&fd, 1, 0) > 0;
}

void ending_close(struct ending *ending)
{
	util_close_fd(&ending->signal_fd);
	util_close_fd(&ending->pid_fd);
}
