// SPDX-License-Identifier: GPL-2.0-only
#include "waiting.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "core/transform.h"
#include "sum.h"
#include "util.h"

enum {
	WAITING_UNSETTLED_MAX = 16,
	WAITING_FLUSHED_MAX = 16384, /* queues, beyond which none is made just to know late frames by */
};

struct waiting_queue {
	struct conn_key key; /* first: the tree compares it */
	uint32_t epoch;
	uint32_t next; /* number to send next, if `started` */
	uint32_t limit;
	bool started; /* the number of the first frame is known */
	bool open;    /* there is a limit */
	uint64_t stalled_ns; /* since when the head waits for a number before it; 0: it does not */
	uint64_t used_ns;
	struct waiting_frame *head;
	struct waiting_queue *next_unsettled;
	bool unsettled;	     /* it is in that list */
	uint32_t sent_count; /* since the last ops.sent */
	uint32_t sent_len;   /* and their payloads, bytes */
};

/* The callers read the clock at different times. */
static uint64_t waiting_age(uint64_t now_ns, uint64_t then_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

static int waiting_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct conn_key));
}

void waiting_init(struct waiting *waiting, const struct waiting_ops *ops, size_t bytes_max)
{
	memset(waiting, 0, sizeof(*waiting));
	waiting->ops = *ops;
	waiting->bytes_max = bytes_max;
}

static struct waiting_queue *waiting_find(struct waiting *waiting, const struct conn_key *key)
{
	void *node = tfind(key, &waiting->queues, waiting_compare);

	return node ? *(struct waiting_queue **)node : NULL;
}

static struct waiting_queue *waiting_find_or_make(struct waiting *waiting, const struct conn_key *key, uint32_t epoch,
						  uint64_t now_ns)
{
	struct waiting_queue *queue = waiting_find(waiting, key);

	if (queue)
		return queue;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return NULL;
	queue->key = *key;
	queue->epoch = epoch;
	queue->used_ns = now_ns;
	if (!tsearch(queue, &waiting->queues, waiting_compare)) {
		free(queue);
		return NULL;
	}
	waiting->queue_count++;
	return queue;
}

static void waiting_pop(struct waiting *waiting, struct waiting_queue *queue)
{
	struct waiting_frame *frame = queue->head;

	queue->head = frame->next;
	waiting->frames--;
	waiting->bytes -= sizeof(*frame) + frame->len;
	free(frame);
}

static void waiting_drop_all(struct waiting *waiting, struct waiting_queue *queue)
{
	while (queue->head) {
		waiting->dropped++;
		waiting_pop(waiting, queue);
	}
}

/* A new epoch begins empty. */
static void waiting_restart(struct waiting *waiting, struct waiting_queue *queue, uint32_t epoch)
{
	waiting_drop_all(waiting, queue);
	queue->epoch = epoch;
	queue->started = false;
	queue->open = false;
	queue->stalled_ns = 0;
	queue->sent_count = queue->sent_len = 0; /* BPF has no place for them any more */
}

static void waiting_settle_queue(struct waiting *waiting, struct waiting_queue *queue)
{
	if (queue->sent_count)
		waiting->ops.sent(waiting->ops.context, &queue->key, queue->epoch, queue->sent_count, queue->sent_len);
	queue->sent_count = queue->sent_len = 0;
}

void waiting_settle(struct waiting *waiting)
{
	while (waiting->unsettled) {
		struct waiting_queue *queue = waiting->unsettled;

		waiting->unsettled = queue->next_unsettled;
		queue->unsettled = false;
		waiting_settle_queue(waiting, queue);
	}
}

/* @frame went out. */
static void waiting_count_sent(struct waiting *waiting, struct waiting_queue *queue, const struct waiting_frame *frame)
{
	waiting->sent++;
	queue->sent_count++;
	queue->sent_len += frame->payload_len;
	if (!queue->unsettled) {
		queue->unsettled = true;
		queue->next_unsettled = waiting->unsettled;
		waiting->unsettled = queue;
	}
	if (queue->sent_count >= WAITING_UNSETTLED_MAX) /* their places are wanted */
		waiting_settle_queue(waiting, queue);
}

static bool waiting_head_is_next(struct waiting_queue *queue, uint64_t now_ns)
{
	if (queue->started && (int32_t)(queue->head->number - queue->next) <= 0) {
		queue->stalled_ns = 0;
		return true;
	}
	if (!queue->stalled_ns)
		queue->stalled_ns = now_ns;
	return waiting_age(now_ns, queue->stalled_ns) >= WAITING_GAP_NS;
}

/* retry: also a datagram that did not get out before; else the next tick will try again. */
static void waiting_send_due(struct waiting *waiting, struct waiting_queue *queue, uint64_t now_ns, bool retry)
{
	while (queue->head && queue->open) {
		struct waiting_frame *frame = queue->head;
		int err;

		if ((int32_t)(queue->limit - frame->end) < 0)
			break;
		if (!waiting_head_is_next(queue, now_ns) || (frame->tries && !retry))
			break;
		err = waiting->ops.send(waiting->ops.context, frame);
		if (err == -EAGAIN) /* the next tick tries again */
			break;
		queue->next = frame->number + 1;
		queue->started = true;
		queue->stalled_ns = 0;
		queue->used_ns = now_ns;
		if (err) {
			waiting->dropped++;
			waiting->ops.lost(waiting->ops.context, &queue->key, queue->epoch, 1, frame->payload_len);
		} else {
			waiting_count_sent(waiting, queue, frame);
		}
		waiting_pop(waiting, queue);
	}
}

/* Queues are short (CONN_HELD_MAX). */
static void waiting_insert(struct waiting_queue *queue, struct waiting_frame *frame)
{
	struct waiting_frame **at = &queue->head;

	while (*at && (int32_t)(frame->number - (*at)->number) >= 0)
		at = &(*at)->next;
	frame->next = *at;
	*at = frame;
}

/*
 * A checksum that the NIC was to complete is completed here; any other is left as it is, right or wrong. The
 * datagram lies at @l4.
 */
static void waiting_complete_checksum(const struct mimic_held *meta, uint8_t *l4)
{
	uint16_t len = (uint16_t)(UDP_HEADER_LEN + meta->payload_len);
	__u32 pseudo = csum_pseudo(&meta->key.local, &meta->key.remote, PROTO_UDP, len);
	struct udp_header udp;

	memcpy(&udp, l4, sizeof(udp));
	if (udp.check != csum_fold(pseudo))
		return;
	udp.check = 0;
	memcpy(l4, &udp, sizeof(udp));
	udp.check = (__u16)~csum_fold(csum_add(pseudo, sum_bytes(l4, len)));
	if (!udp.check)
		udp.check = 0xffff;
	memcpy(l4, &udp, sizeof(udp));
}

/*
 * Whether the IP header of the frame begins behind Ethernet, or at once. parse_packet() wants it where the kernel has it,
 * on a multiple of 4 (NET_IP_ALIGN); elsewhere is undefined, and armhf may take a SIGBUS.
 */
static bool waiting_parse(const struct mimic_held *meta, const uint8_t *bytes, bool ethernet, struct packet *pkt)
{
	_Alignas(4) uint8_t headers[2 + PARSE_L4_OFF_MAX + TCP_HEADER_LEN];
	uint8_t *start = headers + (ethernet ? 2 : 0);
	size_t len = sizeof(headers) - 2;

	if (len > meta->frame_len)
		len = meta->frame_len;
	memcpy(start, bytes, len);
	return parse_packet(start, start + len, ethernet, pkt) == PARSE_OK && pkt->l4_off == meta->l4_off;
}

static int waiting_make_frame(const struct mimic_held *meta, const uint8_t *bytes, struct waiting_frame **made)
{
	struct packet pkt = {};
	size_t tag_len = meta->vlan_present ? sizeof(struct vlan_tag) : 0, l3_off;
	struct waiting_frame *frame;

	if (meta->l4_off + (size_t)UDP_HEADER_LEN + meta->payload_len > meta->frame_len)
		return -EINVAL;
	/* The IP header lies right behind Ethernet (and tags in the frame), or there is no L2 header. */
	if (waiting_parse(meta, bytes, true, &pkt))
		l3_off = pkt.l3_off;
	else if (waiting_parse(meta, bytes, false, &pkt))
		l3_off = 0;
	else
		return -EINVAL;
	frame = malloc(sizeof(*frame) + meta->frame_len + tag_len);
	if (!frame)
		return -ENOMEM;
	frame->next = NULL;
	frame->tries = 0;
	frame->number = meta->number;
	frame->end = meta->end;
	frame->payload_len = meta->payload_len;
	frame->l3_off = (uint16_t)(l3_off + tag_len);
	frame->len = (uint32_t)(meta->frame_len + tag_len);
	if (tag_len) {
		__be16 tag[2] = { meta->vlan_proto, host_to_be16(meta->vlan_tci) };

		memcpy(frame->bytes, bytes, 12);
		memcpy(frame->bytes + 12, tag, sizeof(tag));
		memcpy(frame->bytes + 16, bytes + 12, meta->frame_len - 12);
	} else {
		memcpy(frame->bytes, bytes, meta->frame_len);
	}
	waiting_complete_checksum(meta, frame->bytes + tag_len + meta->l4_off);
	*made = frame;
	return 0;
}

/* Its place may be anywhere in the queue: it leaves a gap, which counts until the queue is empty, so it gives up no space. */
static int waiting_lose_added(struct waiting *waiting, const struct mimic_held *meta, int err)
{
	waiting->dropped++;
	waiting->ops.lost(waiting->ops.context, &meta->key, meta->epoch, 1, 0);
	return err;
}

int waiting_add(struct waiting *waiting, const struct mimic_held *meta, const uint8_t *bytes, uint64_t now_ns)
{
	struct waiting_queue *queue = waiting_find_or_make(waiting, &meta->key, meta->epoch, now_ns);
	struct waiting_frame *frame;
	int err;

	if (!queue)
		return waiting_lose_added(waiting, meta, -ENOMEM);
	if (queue->epoch != meta->epoch) {
		if ((int32_t)(meta->epoch - queue->epoch) < 0) {
			waiting->dropped++; /* given up before it came here */
			return 0;
		}
		waiting_restart(waiting, queue, meta->epoch);
	}
	if (waiting->bytes + meta->frame_len > waiting->bytes_max)
		return waiting_lose_added(waiting, meta, -ENOSPC);
	err = waiting_make_frame(meta, bytes, &frame);
	if (err)
		return waiting_lose_added(waiting, meta, err);
	if (meta->first && !queue->started) {
		queue->started = true;
		queue->next = meta->number;
	}
	waiting->frames++;
	waiting->bytes += sizeof(*frame) + frame->len;
	queue->used_ns = now_ns;
	waiting_insert(queue, frame);
	waiting_send_due(waiting, queue, now_ns, false);
	return 0;
}

void waiting_release(struct waiting *waiting, const struct conn_key *key, uint32_t epoch, uint32_t limit,
		     uint64_t now_ns)
{
	/* The event may overtake the frames, which come through other buffers. */
	struct waiting_queue *queue = waiting_find_or_make(waiting, key, epoch, now_ns);

	if (!queue)
		return;
	if (queue->epoch != epoch) {
		if ((int32_t)(epoch - queue->epoch) < 0)
			return;
		waiting_restart(waiting, queue, epoch);
	}
	if (!queue->open || (int32_t)(limit - queue->limit) > 0)
		queue->limit = limit;
	queue->open = true;
	queue->used_ns = now_ns;
	if (queue->head) /* what kept it may be over */
		queue->head->tries = 0;
	waiting_send_due(waiting, queue, now_ns, false);
}

/*
 * The event may overtake all frames of the queue, too: then an empty one is left, by whose epoch those are dropped that come
 * late. It is forgotten soon, and who makes more of them than that gets by without: frames time out at last.
 */
void waiting_flush(struct waiting *waiting, const struct conn_key *key, uint32_t epoch, uint64_t now_ns)
{
	struct waiting_queue *queue = waiting->queue_count < WAITING_FLUSHED_MAX ?
					      waiting_find_or_make(waiting, key, epoch, now_ns) :
					      waiting_find(waiting, key);

	if (!queue)
		return;
	if ((int32_t)(epoch - queue->epoch) > 0) /* frames of a later one may be faster than this */
		waiting_restart(waiting, queue, epoch);
	queue->used_ns = now_ns;
}

void waiting_close_queue(struct waiting *waiting, const struct conn_key *key)
{
	struct waiting_queue *queue = waiting_find(waiting, key);

	if (queue)
		queue->open = false;
}

/* twalk() allows no deletion, so one pass collects and another acts. */
struct waiting_walk {
	struct waiting_queue **queues;
	size_t count, max;
};

static void waiting_collect(const void *node, VISIT which, void *closure)
{
	struct waiting_walk *walk = closure;

	if ((which == postorder || which == leaf) && walk->count < walk->max)
		walk->queues[walk->count++] = *(struct waiting_queue *const *)node;
}

static int waiting_walk(struct waiting *waiting, struct waiting_walk *walk)
{
	walk->count = 0;
	walk->max = waiting->queue_count;
	walk->queues = calloc(walk->max ? walk->max : 1, sizeof(struct waiting_queue *));
	if (!walk->queues)
		return -ENOMEM;
	twalk_r(waiting->queues, waiting_collect, walk);
	return 0;
}

static void waiting_forget(struct waiting *waiting, struct waiting_queue *queue)
{
	waiting_drop_all(waiting, queue);
	tdelete(queue, &waiting->queues, waiting_compare);
	waiting->queue_count--;
	free(queue);
}

/* Nobody speaks of them any more: what ended their wait may not have come through. */
static void waiting_lose_all(struct waiting *waiting, struct waiting_queue *queue)
{
	uint32_t count = 0, payload_len = 0;

	for (; queue->head; count++) {
		payload_len += queue->head->payload_len;
		waiting->dropped++;
		waiting_pop(waiting, queue);
	}
	if (count)
		waiting->ops.lost(waiting->ops.context, &queue->key, queue->epoch, count, payload_len);
}

void waiting_tick(struct waiting *waiting, uint64_t now_ns)
{
	struct waiting_walk walk;

	waiting_settle(waiting);
	if (!waiting->queue_count || waiting_walk(waiting, &walk))
		return;
	for (size_t i = 0; i < walk.count; i++) {
		struct waiting_queue *queue = walk.queues[i];

		waiting_send_due(waiting, queue, now_ns, true);
		if (waiting_age(now_ns, queue->used_ns) >= WAITING_STALE_NS)
			waiting_lose_all(waiting, queue);
		if (!queue->head && !queue->unsettled && waiting_age(now_ns, queue->used_ns) >= WAITING_IDLE_NS)
			waiting_forget(waiting, queue);
	}
	free(walk.queues);
}

void waiting_give_up(struct waiting *waiting)
{
	struct waiting_walk walk;

	waiting_settle(waiting);
	if (waiting_walk(waiting, &walk))
		return;
	for (size_t i = 0; i < walk.count; i++)
		waiting_lose_all(waiting, walk.queues[i]);
	free(walk.queues);
}

void waiting_free(struct waiting *waiting)
{
	struct waiting_walk walk;

	if (!waiting_walk(waiting, &walk)) {
		for (size_t i = 0; i < walk.count; i++)
			waiting_forget(waiting, walk.queues[i]);
		free(walk.queues);
	}
}
