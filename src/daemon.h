/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The running daemon: takes events and waiting datagrams from BPF, sends control segments, runs the clock, until a
 * signal ends it. cmd_run.c makes it and takes it down.
 */
#ifndef MIMIC_DAEMON_H
#define MIMIC_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "datapath.h"
#include "held.h"
#include "live.h"
#include "netif.h"
#include "staging.h"
#include "stray.h"
#include "waiting.h"
#include "watch.h"

struct ring_buffer;

enum {
	DAEMON_SOURCES_MAX = 4,
};

/* A descriptor that somebody else wants the loop to watch. `ready` returns true to end the loop. */
struct daemon_source {
	int fd; /* -1: none */
	bool (*ready)(void *context);
	void *context;
};

struct daemon {
	const struct netif *netif;
	struct datapath *datapath;
	struct waiting waiting;
	struct clock clock;
	struct ring_buffer *events;
	struct held held;
	struct watch watch;
	struct stray stray;
	unsigned int events_taken;
	int control_fd; /* sends control segments */
	int release_fd; /* sends waiting datagrams, with the release mark */
	int link_fd;	/* rtnetlink: an interface or its addresses have changed */
	int epoll_fd, signal_fd, timer_fd;
	struct daemon_source sources[DAEMON_SOURCES_MAX];
	void (*each_second)(void *context); /* NULL: nothing more is to be done */
	void (*on_wake)(void *context);	    /* the machine has slept; NULL: as above */
	void (*on_filters)(void *context);  /* TC filters may be gone from the interface; NULL: as above */
	void *each_second_context;	    /* of all three */
	uint64_t slept_ns;		    /* in its life */
	int stopped_by;		 /* the signal that ended the loop; 0: none has */
	struct staging *staging; /* NULL: none */
	struct live *live;	 /* NULL: nothing follows anything */
	uint32_t netif_mtu, mtu; /* of the interface; what BPF handles of it */
	uint16_t next_ip_id; /* of control segments, IPv4 */
	struct mimic_command_entry sent[MIMIC_COMMANDS_MAX]; /* for COMMAND_SENT */
	uint32_t sent_count;
};

/*
 * SIGINT, SIGTERM and SIGHUP wait for the loop from now on, so that none of them ends the process half way, with something
 * left behind.
 */
void daemon_block_signals(void);

/*
 * Opens everything that the loop needs, with the marks of @options; @netif and @datapath have to outlive it. Returns 0 or
 * -errno, logged.
 */
int daemon_open(struct daemon *daemon, const struct netif *netif, struct datapath *datapath,
		const struct datapath_options *options);

/*
 * From now on filters follow the addresses of the interface, host names and the configuration file (SIGHUP). @live has to outlive
 * the daemon. Returns 0 or -errno, logged.
 */
int daemon_follow(struct daemon *daemon, struct live *live);

/* The loop calls @ready when @fd, which stays the caller's, is readable. Returns 0 or -errno. */
int daemon_add_source(struct daemon *daemon, int fd, bool (*ready)(void *context), void *context);

/* Not any more: @fd has been closed, by which the loop has lost it already. */
void daemon_forget_source(struct daemon *daemon, int fd);

/* Until SIGINT or SIGTERM, or a source says so. Returns 0, or -errno, logged (-ENODEV: the interface is gone). */
int daemon_loop(struct daemon *daemon);

/* Resets every live connection towards its peer. No filter is set any more. */
void daemon_reset_peers(struct daemon *daemon);

/*
 * Somebody else follows, who has other buffers for waiting datagrams and reads the events by now: those that are here still are sent if
 * they may, and else counted as lost (drop_release), so that no queue waits for them.
 */
void daemon_hand_over(struct daemon *daemon);

/* Allowed at any time after daemon_open(), whatever it returned. */
void daemon_close(struct daemon *daemon);

#endif
