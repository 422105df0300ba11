/* SPDX-License-Identifier: GPL-2.0-only */
/* When a command that looks on is over: told so by a signal, the daemon is gone, or nobody reads stdout any more. */
#ifndef MIMIC_ENDING_H
#define MIMIC_ENDING_H

#include <stdbool.h>
#include <sys/types.h>

struct ending {
	int signal_fd; /* SIGINT, SIGTERM, SIGHUP, which are blocked */
	int pid_fd;    /* of the daemon; -1: not to be had */
};

#define ENDING_INIT                          \
	{                                    \
		.signal_fd = -1, .pid_fd = -1 \
	}

#define _cleanup_ending_ __attribute__((cleanup(ending_close)))

/* From now on the signals end what ending_wait() waits in, and a closed pipe is an error of write(2). 0 or -errno, logged. */
int ending_open(struct ending *ending, pid_t daemon);

/* Waits until @fd (-1: none) can be read, or @ms are over. False: it is time to end. */
bool ending_wait(const struct ending *ending, int fd, int ms);

bool ending_daemon_is_gone(const struct ending *ending);

void ending_close(struct ending *ending);

#endif
