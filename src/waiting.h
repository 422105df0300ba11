/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Datagrams that wait until their connection can carry them. BPF hands them over, each with its number and its place in
 * the queue of its connection, and says later how far into the queue the peer's window reaches. They are sent in the
 * order of their numbers; since they arrive through one buffer per CPU, a number may be late: then its successors wait
 * for it for WAITING_GAP_NS. What was sent keeps its place in the queue until BPF hears of it by waiting_settle().
 *
 * No socket here: what is due goes out through a callback.
 */
#ifndef MIMIC_WAITING_H
#define MIMIC_WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

#define WAITING_GAP_NS	50000000ULL
#define WAITING_IDLE_NS 2000000000ULL /* an empty queue is forgotten after that */
#define WAITING_STALE_NS 60000000000ULL /* frames are given up when nothing was heard of their queue for so long */

/* A frame that waits, ready to be sent: complete checksum, VLAN tags in it. */
struct waiting_frame {
	struct waiting_frame *next;
	uint32_t number, end;
	uint16_t payload_len;
	uint16_t l3_off;
	uint16_t tries; /* how often it did not get out; counted by ops.send */
	uint32_t len;
	uint8_t bytes[];
};

struct waiting_ops {
	/* Sends a frame. Returns 0; -EAGAIN: try again later; another -errno: the datagram is lost. */
	int (*send)(void *context, struct waiting_frame *frame);
	/* So many datagrams of @key, with @payload_len bytes in all, do not wait any more: they are sent ... */
	void (*sent)(void *context, const struct conn_key *key, uint32_t epoch, uint32_t count, uint32_t payload_len);
	/* ... or never will be. */
	void (*lost)(void *context, const struct conn_key *key, uint32_t epoch, uint32_t count, uint32_t payload_len);
	void *context;
};

struct waiting {
	struct waiting_ops ops;
	void *queues;	       /* tree of struct waiting_queue by key */
	struct waiting_queue *unsettled; /* those with something to say by ops.sent */
	size_t frames, queue_count;
	size_t bytes;	       /* memory of the frames */
	size_t bytes_max;
	uint64_t sent, dropped; /* totals */
};

void waiting_init(struct waiting *waiting, const struct waiting_ops *ops, size_t bytes_max);

/*
 * Takes a frame as BPF gave it (@meta, then @frame of meta->frame_len bytes, which stays the caller's). Sends at once
 * what is due. Returns 0, -EINVAL for a record that contradicts itself, -ENOMEM or -ENOSPC (bytes_max); the
 * datagram counts as lost then.
 */
int waiting_add(struct waiting *waiting, const struct mimic_held *meta, const uint8_t *frame, uint64_t now_ns);

/* The queue of @key may go up to @limit (mimic_event.release_limit). Sends what is due. */
void waiting_release(struct waiting *waiting, const struct conn_key *key, uint32_t epoch, uint32_t limit,
		     uint64_t now_ns);

/* What waits under an epoch before @epoch, or comes late, is given up; BPF has counted it already. */
void waiting_flush(struct waiting *waiting, const struct conn_key *key, uint32_t epoch, uint64_t now_ns);

/* The connection was lost: what waits stays, but an older limit does not count any more. */
void waiting_close_queue(struct waiting *waiting, const struct conn_key *key);

/* Tells by ops.sent what was sent since the last time. To be called when nothing more is to be done at once. */
void waiting_settle(struct waiting *waiting);

/* Passes over numbers that did not come, forgets empty queues. To be called every 50 ms or so. */
void waiting_tick(struct waiting *waiting, uint64_t now_ns);

/* Everything that waits is lost: nobody is there any more to send it. */
void waiting_give_up(struct waiting *waiting);

void waiting_free(struct waiting *waiting);

#endif
