/* SPDX-License-Identifier: GPL-2.0-only */
/* What the programs tell the daemon: events of the ring, and frames of the perf buffers. */
#ifndef MIMIC_TEST_EARS_H
#define MIMIC_TEST_EARS_H

#include "rig.h"

enum {
	EARS_MAX = 160,
	EARS_HELD_PAGES = 128, /* per CPU */
};

struct ears_held {
	struct mimic_held meta;
	uint8_t frame[FRAME_MAX];
};

struct ears {
	struct ring_buffer *ring;
	struct perf_buffer *perf;
	bool deaf;
	size_t events, held, strays;
	struct mimic_event event[EARS_MAX];
	struct mimic_stray stray; /* the last one */
	struct ears_held heard[EARS_MAX];
};

static inline int ears_on_event(void *ctx, void *data, size_t size)
{
	struct ears *ears = ctx;

	if (ears->deaf)
		return 0;
	if (size == sizeof(ears->stray)) {
		memcpy(&ears->stray, data, sizeof(ears->stray));
		ears->strays++;
		return 0;
	}
	expect(size >= sizeof(struct mimic_event) && ears->events < EARS_MAX);
	memcpy(&ears->event[ears->events++], data, sizeof(struct mimic_event));
	return 0;
}

static inline void ears_on_held(void *ctx, int cpu, void *data, __u32 size)
{
	struct ears *ears = ctx;
	struct ears_held *held = &ears->heard[ears->held++];

	(void)cpu;
	expect(ears->held <= EARS_MAX && size >= sizeof(held->meta));
	memcpy(&held->meta, data, sizeof(held->meta));
	/* A sample is rounded up to 8 bytes, with its length in front. */
	expect(held->meta.frame_len <= size - sizeof(held->meta) &&
	       size - sizeof(held->meta) - held->meta.frame_len < 8);
	memcpy(held->frame, (const uint8_t *)data + sizeof(held->meta), held->meta.frame_len);
}

/* Everything that came since the last call. */
static inline void ears_listen(struct ears *ears)
{
	ears->events = ears->held = ears->strays = 0;
	expect(ring_buffer__consume(ears->ring) >= 0);
	expect(perf_buffer__consume(ears->perf) >= 0);
}

static inline void ears_open(struct ears *ears, const struct rig *rig)
{
	ears->ring = ring_buffer__new(rig->datapath.events_fd, ears_on_event, ears, NULL);
	ears->perf = perf_buffer__new(rig->datapath.held_fd, EARS_HELD_PAGES, ears_on_held, NULL, ears, NULL);
	expect(ears->ring && ears->perf);
	ears->deaf = true; /* to what earlier tests left in the ring */
	ears_listen(ears);
	ears->deaf = false;
}

static inline void ears_close(struct ears *ears)
{
	ring_buffer__free(ears->ring);
	perf_buffer__free(ears->perf);
}

/* Since the last time exactly this reply was asked for, with nothing else. */
static inline const struct mimic_event *ears_expect_reply(struct ears *ears, const struct conn_key *key, __u8 flags,
							  __u32 seq, __u32 ack, __u8 payload_len)
{
	const struct mimic_event *event = &ears->event[0];

	ears_listen(ears);
	expect_eq(ears->events, 1);
	expect(!memcmp(&event->key, key, sizeof(*key)));
	expect_eq(event->reply[0].flags, flags);
	expect_eq(event->reply[0].seq, seq);
	expect_eq(event->reply[0].ack, ack);
	expect_eq(event->reply[0].payload_len, payload_len);
	expect_eq(event->reply[1].flags, 0);
	return event;
}

/* Since the last time data came, whose ACK the clock is to send; nothing else. */
static inline void ears_expect_watch(struct ears *ears, const struct conn_key *key)
{
	ears_listen(ears);
	expect_eq(ears->events, 1);
	expect(!memcmp(&ears->event[0].key, key, sizeof(*key)));
	expect_eq(ears->event[0].notify, NOTIFY_WATCH);
	expect_eq(ears->event[0].reply[0].flags, 0);
}

static inline void ears_expect_silence(struct ears *ears)
{
	ears_listen(ears);
	expect_eq(ears->events, 0);
	expect_eq(ears->held, 0);
	expect_eq(ears->strays, 0);
}

#endif
