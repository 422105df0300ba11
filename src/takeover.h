/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The conversation of a running instance with its successor (`mimic run --takeover`), over a socket beside the lock file:
 * /run/mimic/<namespace>_<ifindex>.sock, SOCK_SEQPACKET, root only.
 *
 *	successor		running instance
 *	hello		-->
 *			<--	offer	with descriptors (handover.h); it goes on as ever
 *	(loads its programs with the old maps)
 *	loaded		-->
 *			<--	go	with the lock and the listening socket; it stands still
 *	(puts its programs into the place of the old ones, publishes the lock file)
 *	attached	-->		it leaves everything attached and ends
 *
 * Instead of `loaded` the successor may say `end`: it cannot follow, so the other one shall stop, as at SIGTERM. Instead of `go`
 * the running one says `cancel` when it is stopped meanwhile: then the successor starts afresh. Another successor hears `busy`.
 *
 * A message is text: a verb, then a name for each descriptor that comes with it, each with a newline. When the successor ends or
 * is silent for too long, the running instance goes on as if nothing had been; one that is silent behind `go` is killed, since
 * it may be half way.
 */
#ifndef MIMIC_TAKEOVER_H
#define MIMIC_TAKEOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "handover.h"

enum {
	TAKEOVER_PATH_MAX = 108, /* of sockaddr_un */
	TAKEOVER_FDS_MAX = 32,
	TAKEOVER_WORD_MAX = 32,
	TAKEOVER_TEXT_MAX = TAKEOVER_WORD_MAX * (TAKEOVER_FDS_MAX + 1),
};

/* Some verb, and names of descriptors. */
struct takeover_message {
	char verb[TAKEOVER_WORD_MAX];
	char names[TAKEOVER_FDS_MAX][TAKEOVER_WORD_MAX];
	int fds[TAKEOVER_FDS_MAX];
	size_t count;
};

/* Reads the text of a message; @fds are left alone. Pure. Returns 0 or -EPROTO. */
int takeover_parse(struct takeover_message *message, const char *text, size_t len);

/* Writes it, and no 0 at its end. Pure. @text has room for TAKEOVER_TEXT_MAX. Returns the length. */
size_t takeover_print(char *text, const struct takeover_message *message);

/* The path of the socket that belongs to the lock file @lock: .sock for .lock. Returns 0, -EINVAL or -ENAMETOOLONG. */
int takeover_path(char *buf, size_t size, const char *lock);

/* --- the running instance: takeover_serve.c */

struct takeover_ops {
	/* What there is to give. They stay the giver's. */
	void (*offer)(void *context, struct handover *handover);
	int (*lock)(void *context);
	/* Whoever was to take over has failed and may have changed anything: put it right. */
	void (*restore)(void *context);
};

struct takeover {
	const struct takeover_ops *ops;
	void *context;
	char path[TAKEOVER_PATH_MAX];
	int listen_fd;
	int peer_fd, peer_pid_fd; /* the successor; -1: there is none */
	pid_t peer_pid;
	uint64_t deadline_ns;	  /* CLOCK_MONOTONIC, of the successor */
	bool given;		  /* it has taken over */
};

#define TAKEOVER_INIT { .listen_fd = -1, .peer_fd = -1, .peer_pid_fd = -1 }

/*
 * Listens beside the lock file @lock, which this process holds; on @inherited, if that is not -1, which is taken over in any case.
 * Returns 0 or -errno; takeover_close() is allowed whatever this returns.
 */
int takeover_listen(struct takeover *takeover, const char *lock, int inherited);

/* Whether somebody has removed the file of the listening socket, so that nobody finds it any more. */
bool takeover_is_removed(const struct takeover *takeover);

/* Listens on another socket in its place; the old one is closed then. Returns 0 or -errno, with the old one as it was. */
int takeover_listen_again(struct takeover *takeover);

/* The listening socket is readable: greets a successor. True: there is a new peer_fd. */
bool takeover_accept(struct takeover *takeover);

/*
 * peer_fd is readable. While the successor takes over this waits, TAKEOVER_ATTACH_MS at most. Returns true when the daemon shall end:
 * with `given` without detaching anything, else as at SIGTERM. The peer may be gone afterwards (peer_fd is -1).
 */
bool takeover_serve(struct takeover *takeover);

/* Gives up a successor that is silent for too long. To be called each second. */
void takeover_tick(struct takeover *takeover);

/* Removes the socket, unless it is the successor's now. */
void takeover_close(struct takeover *takeover);

/* --- the successor: takeover_join.c */

/*
 * Asks the instance beside @lock for what it has. Returns a socket, with *@handover filled; -ENOENT: nobody is there; or -errno, logged. All waiting is
 * bounded, here and below.
 */
int takeover_join(const char *lock, struct handover *handover);

/* Cannot follow: has the other one stop, and waits until it has. Closes *@fd. Returns 0 or -errno, logged. */
int takeover_decline(int *fd);

/*
 * Everything is loaded: lets the other one stand still. Returns 0, with the lock and the listening socket; -ECANCELED: it was stopped meanwhile, or killed; or
 * -errno, logged.
 */
int takeover_pause(int fd, int *lock_fd, int *listen_fd);

/* Everything is attached: lets the other one end, and closes *@fd. */
void takeover_finish(int *fd);

#endif
