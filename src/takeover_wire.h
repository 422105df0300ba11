/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages of a takeover on their socket. For takeover*.c only. */
#ifndef MIMIC_TAKEOVER_WIRE_H
#define MIMIC_TAKEOVER_WIRE_H

#include "takeover.h"

enum {
	TAKEOVER_ANSWER_MS = 5000,  /* for a message that takes no work */
	TAKEOVER_ATTACH_MS = 5000,  /* between go and attached: the running instance stands still */
	TAKEOVER_LOAD_MS = 120000,  /* between offer and loaded: slow machines verify for long */
	TAKEOVER_END_MS = 10000,    /* for an instance that ends */
};

/* CLOCK_MONOTONIC. */
uint64_t takeover_now_ns(void);

/* Adds a descriptor, which stays the caller's; -1 is none. */
void takeover_add(struct takeover_message *message, const char *name, int fd);

/* Gives the descriptor of that name to the caller, or -1. */
int takeover_take(struct takeover_message *message, const char *name);

/* Closes the descriptors that nobody took. */
void takeover_drop(struct takeover_message *message);

/* Never waits. Returns 0 or -errno. */
int takeover_send(int fd, const struct takeover_message *message);

/* A verb without descriptors. */
int takeover_say(int fd, const char *verb);

/*
 * Waits @timeout_ms at most. Returns 0, and the descriptors are the caller's (takeover_drop()); -ETIMEDOUT; -EPIPE: the other side is
 * gone; or another -errno.
 */
int takeover_receive(int fd, struct takeover_message *message, int timeout_ms);

/* Whether the other end is root's. */
bool takeover_peer_is_root(int fd, pid_t *pid);

#endif
