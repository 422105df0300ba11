/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way of waiting datagrams from BPF to the daemon: the perf buffers of the map `held`, one for each CPU that is online.
 * The kernel takes the buffer from a CPU that goes offline and does not give it back, also when the machine sleeps, and
 * libbpf makes none for a CPU that comes later. So held_follow_cpus() makes all of them anew when the CPUs have changed.
 */
#ifndef MIMIC_HELD_H
#define MIMIC_HELD_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"

struct perf_buffer;

enum {
	HELD_CPUS_MAX = 256, /* of the list of CPUs that are online ("0-3,8"), as much as is compared */
};

/* Takes a datagram: @meta, and the frame, meta->frame_len bytes, which stays the caller's. */
typedef void held_take(void *context, const struct mimic_held *meta, const uint8_t *frame);

struct held {
	held_take *take;
	void *context;
	int map_fd, epoll_fd; /* the caller's */
	uint64_t tag;
	struct held_buffers {
		struct perf_buffer *buffers; /* NULL: none */
		int map_fd;		     /* for libbpf alone; -1: none */
	} now, old; /* old: nothing new comes in, but something may be left in them */
	char cpus[HELD_CPUS_MAX]; /* online when `now` was made */
	uint64_t slept_ns;	  /* how long the machine had slept in its life */
};

#define HELD_INIT { .now.map_fd = -1, .old.map_fd = -1 }

/*
 * Makes the buffers and adds them to @epoll_fd, whose events will be tagged @tag and above (epoll_data.u64). *@held is
 * HELD_INIT, with `take` and `context`. Returns 0 or -errno; held_close() is allowed whatever this returns.
 */
int held_open(struct held *held, int map_fd, int epoll_fd, uint64_t tag);

/* An event with @tag came. Calls `take` for what there is. */
void held_consume(struct held *held, uint64_t tag);

/* Makes the buffers anew if the CPUs have changed; nothing is lost in those that there were. Logs. */
void held_follow_cpus(struct held *held);

/*
 * Makes the buffers anew, whatever the CPUs did: another process has put its own into the map. Returns 0 or -errno; then
 * the old ones stay.
 */
int held_renew(struct held *held);

/* To be called a little, 50 ms or so, after held_follow_cpus(): takes the last that is left in old buffers. */
void held_retire(struct held *held);

/* Calls `take` for what there is in any of them. */
void held_consume_all(struct held *held);

void held_close(struct held *held);

#endif
