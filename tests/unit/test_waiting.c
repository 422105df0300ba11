/* SPDX-License-Identifier: GPL-2.0-only */
/* Waiting datagrams: what overtakes what on the way to the daemon, and memory that is not there; each is counted once */
#include <check.h>
#include <stdlib.h>

/* The allocation that fails, counted from now: 0: none. */
static int fail_at;

static void *faulty(void *memory)
{
	if (fail_at && !--fail_at) {
		free(memory);
		return NULL;
	}
	return memory;
}

#define malloc(size)	    faulty(malloc(size))
#define calloc(count, size) faulty(calloc(count, size))
#include "waiting.c"
#undef malloc
#undef calloc

enum {
	PAYLOAD = 20,
	L4_OFF = ETH_HLEN + sizeof(struct iphdr),
	FRAME = L4_OFF + UDP_HEADER_LEN + PAYLOAD,
	EPOCH = 7,
	BYTES_MAX = 1 << 20,
};

static const uint64_t start_ns = 1000 * NSEC_PER_SEC;

static struct waiting waiting;
static uint32_t sent[64], sent_count, settled, told_lost;
static int send_error;

static int on_send(void *context, struct waiting_frame *frame)
{
	(void)context;
	if (send_error)
		return send_error;
	sent[sent_count++ % 64] = frame->number;
	return 0;
}

static void on_sent(void *context, const struct conn_key *key, uint32_t epoch, uint32_t count, uint32_t payload_len)
{
	(void)context;
	(void)key;
	(void)epoch;
	(void)payload_len;
	settled += count;
}

static void on_lost(void *context, const struct conn_key *key, uint32_t epoch, uint32_t count, uint32_t payload_len)
{
	(void)context;
	(void)key;
	(void)epoch;
	(void)payload_len;
	told_lost += count;
}

static struct conn_key key_of(uint16_t port)
{
	struct conn_key key = { .local_port = host_to_be16(port), .remote_port = host_to_be16(5000) };

	addr_from_ipv4(&key.local, 0x0100000a);
	addr_from_ipv4(&key.remote, 0x0200000a);
	return key;
}

/* A datagram as BPF hands it over. */
static int add(uint16_t port, uint32_t epoch, uint32_t number, uint64_t now_ns)
{
	struct mimic_held meta = {
		.key = key_of(port),
		.epoch = epoch,
		.number = number,
		.end = (number + 1) * PAYLOAD,
		.frame_len = FRAME,
		.payload_len = PAYLOAD,
		.l4_off = L4_OFF,
		.first = !number,
	};
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = host_to_be16(FRAME - ETH_HLEN),
		.protocol = PROTO_UDP,
	};
	uint8_t bytes[FRAME] = {};

	bytes[12] = ETH_P_IP >> 8;
	memcpy(bytes + ETH_HLEN, &ip, sizeof(ip));
	return waiting_add(&waiting, &meta, bytes, now_ns);
}

static void release(uint16_t port, uint32_t epoch, uint64_t now_ns)
{
	struct conn_key key = key_of(port);

	waiting_release(&waiting, &key, epoch, 1 << 20, now_ns);
}

static void give_up(uint16_t port, uint32_t epoch, uint64_t now_ns)
{
	struct conn_key key = key_of(port);

	waiting_flush(&waiting, &key, epoch, now_ns);
}

static void setup(void)
{
	const struct waiting_ops ops = { .send = on_send, .sent = on_sent, .lost = on_lost };

	fail_at = send_error = 0;
	sent_count = settled = told_lost = 0;
	waiting_init(&waiting, &ops, BYTES_MAX);
}

static void teardown(void)
{
	waiting_free(&waiting);
	ck_assert_uint_eq(waiting.frames, 0);
	ck_assert_uint_eq(waiting.bytes, 0);
	ck_assert_uint_eq(waiting.queue_count, 0);
}

START_TEST(test_order)
{
	ck_assert_int_eq(add(1, EPOCH, 2, start_ns), 0);
	ck_assert_int_eq(add(1, EPOCH, 0, start_ns), 0);
	release(1, EPOCH, start_ns);
	ck_assert_int_eq(add(1, EPOCH, 1, start_ns), 0);
	waiting_settle(&waiting);
	ck_assert_uint_eq(sent_count, 3);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_uint_eq(sent[i], i);
	ck_assert_uint_eq(settled, 3);
	ck_assert_uint_eq(told_lost, 0);
}
END_TEST

/* A number that never comes holds the others up for a moment only. */
START_TEST(test_gap)
{
	add(1, EPOCH, 1, start_ns);
	release(1, EPOCH, start_ns);
	ck_assert_uint_eq(sent_count, 0);
	waiting_tick(&waiting, start_ns + WAITING_GAP_NS);
	ck_assert_uint_eq(sent_count, 1);
}
END_TEST

/* BPF counted them when it said so. */
START_TEST(test_flush)
{
	add(1, EPOCH, 0, start_ns);
	add(1, EPOCH, 1, start_ns);
	give_up(1, EPOCH + 1, start_ns);
	ck_assert_uint_eq(waiting.frames, 0);
	ck_assert_uint_eq(waiting.dropped, 2);
	ck_assert_uint_eq(told_lost, 0);
}
END_TEST

/* The event comes through another buffer than the frames, and may be faster than all of them. */
START_TEST(test_flush_overtakes)
{
	give_up(1, EPOCH + 1, start_ns);
	ck_assert_int_eq(add(1, EPOCH, 0, start_ns + NSEC_PER_SEC), 0);
	ck_assert_int_eq(add(1, EPOCH, 1, start_ns + NSEC_PER_SEC), 0);
	ck_assert_uint_eq(waiting.frames, 0);
	ck_assert_uint_eq(waiting.dropped, 2);
	for (uint64_t s = 1; s < 70; s++)
		waiting_tick(&waiting, start_ns + s * NSEC_PER_SEC);
	ck_assert_uint_eq(told_lost, 0);
	ck_assert_uint_eq(waiting.queue_count, 0);
}
END_TEST

/* What waits after the flush is another queue's, whichever comes first. */
START_TEST(test_flush_between)
{
	add(1, EPOCH, 0, start_ns);
	add(1, EPOCH + 2, 2, start_ns); /* held_number goes on */
	give_up(1, EPOCH + 1, start_ns);
	ck_assert_uint_eq(waiting.frames, 1);
	add(1, EPOCH, 1, start_ns);
	release(1, EPOCH + 2, start_ns);
	waiting_tick(&waiting, start_ns + WAITING_GAP_NS);
	waiting_tick(&waiting, start_ns + 2 * WAITING_GAP_NS);
	ck_assert_uint_eq(sent_count, 1);
	ck_assert_uint_eq(sent[0], 2);
	ck_assert_uint_eq(waiting.dropped, 2);
	ck_assert_uint_eq(told_lost, 0);
}
END_TEST

/* A queue that is idle for long is not forgotten right after its flush. */
START_TEST(test_flush_of_idle)
{
	uint64_t later_ns = start_ns + WAITING_IDLE_NS - 1;

	add(1, EPOCH, 0, start_ns);
	release(1, EPOCH, start_ns);
	ck_assert_uint_eq(sent_count, 1);
	waiting_settle(&waiting);
	give_up(1, EPOCH + 2, later_ns);
	waiting_tick(&waiting, later_ns + 2);
	add(1, EPOCH + 1, 1, later_ns + 3);
	ck_assert_uint_eq(waiting.frames, 0);
	ck_assert_uint_eq(waiting.dropped, 1);
}
END_TEST

/* Flushes alone take a bounded number of queues, for a short time. */
START_TEST(test_flush_is_bounded)
{
	for (uint32_t port = 1; port < 65536; port++)
		give_up((uint16_t)port, EPOCH + 1, start_ns);
	ck_assert_uint_eq(waiting.queue_count, WAITING_FLUSHED_MAX);
	/* Others are served all the same. */
	ck_assert_int_eq(add(65535, EPOCH + 1, 0, start_ns), 0);
	release(65535, EPOCH + 1, start_ns);
	ck_assert_uint_eq(sent_count, 1);
	waiting_settle(&waiting);
	waiting_tick(&waiting, start_ns + WAITING_IDLE_NS);
	ck_assert_uint_eq(waiting.queue_count, 0);
}
END_TEST

/* No memory for a queue, its node in the tree (tsearch() of libc: not reached), or the frame: each time BPF is told. */
START_TEST(test_no_memory)
{
	fail_at = 1;
	ck_assert_int_eq(add(1, EPOCH, 0, start_ns), -ENOMEM);
	ck_assert_uint_eq(told_lost, 1);
	ck_assert_uint_eq(waiting.dropped, 1);
	ck_assert_uint_eq(waiting.queue_count, 0);
	fail_at = 2;
	ck_assert_int_eq(add(1, EPOCH, 0, start_ns), -ENOMEM);
	ck_assert_uint_eq(told_lost, 2);
	ck_assert_uint_eq(waiting.dropped, 2);
	ck_assert_uint_eq(waiting.frames, 0);
	ck_assert_int_eq(add(1, EPOCH, 1, start_ns), 0);
	ck_assert_uint_eq(told_lost, 2);
	fail_at = 1;
	give_up(2, EPOCH, start_ns);
	ck_assert_uint_eq(waiting.queue_count, 1);
}
END_TEST

START_TEST(test_no_room)
{
	uint32_t number = 0;

	waiting.bytes_max = 10 * FRAME;
	while (!add(1, EPOCH, number, start_ns))
		number++;
	ck_assert_uint_gt(number, 0);
	ck_assert_int_eq(add(1, EPOCH, number, start_ns), -ENOSPC);
	ck_assert_uint_eq(told_lost, 2);
	ck_assert_uint_eq(waiting.dropped, 2);
}
END_TEST

START_TEST(test_contradiction)
{
	struct mimic_held meta = { .key = key_of(1), .epoch = EPOCH, .frame_len = FRAME, .payload_len = PAYLOAD + 1, .l4_off = L4_OFF };
	uint8_t bytes[FRAME] = {};

	ck_assert_int_eq(waiting_add(&waiting, &meta, bytes, start_ns), -EINVAL);
	ck_assert_uint_eq(told_lost, 1);
}
END_TEST

/* Sent in vain: told as lost, once, and the next one goes. */
START_TEST(test_send_fails)
{
	add(1, EPOCH, 0, start_ns);
	add(1, EPOCH, 1, start_ns);
	send_error = -EAGAIN;
	release(1, EPOCH, start_ns);
	ck_assert_uint_eq(waiting.frames, 2);
	send_error = -ENOBUFS;
	waiting_tick(&waiting, start_ns + WAITING_GAP_NS);
	ck_assert_uint_eq(waiting.frames, 0);
	ck_assert_uint_eq(told_lost, 2);
	waiting_settle(&waiting);
	ck_assert_uint_eq(settled, 0);
}
END_TEST

/* Nobody speaks of them any more. */
START_TEST(test_stale)
{
	add(1, EPOCH, 0, start_ns);
	waiting_tick(&waiting, start_ns + WAITING_STALE_NS - 1);
	ck_assert_uint_eq(waiting.frames, 1);
	waiting_tick(&waiting, start_ns + WAITING_STALE_NS);
	ck_assert_uint_eq(waiting.frames, 0);
	ck_assert_uint_eq(told_lost, 1);
	ck_assert_uint_eq(waiting.queue_count, 0);
}
END_TEST

/* Somebody else follows: whatever waits is told as lost, of each queue, and what was sent before as sent. */
START_TEST(test_give_up)
{
	add(1, EPOCH, 0, start_ns);
	release(1, EPOCH, start_ns); /* is sent at once */
	waiting_close_queue(&waiting, &(struct conn_key[]){ key_of(1) }[0]);
	add(1, EPOCH, 1, start_ns);
	add(2, EPOCH, 0, start_ns);
	add(2, EPOCH, 1, start_ns);
	waiting_give_up(&waiting);
	ck_assert_uint_eq(sent_count, 1);
	ck_assert_uint_eq(settled, 1);
	ck_assert_uint_eq(told_lost, 3);
	ck_assert_uint_eq(waiting.frames, 0);
	waiting_give_up(&waiting);
	ck_assert_uint_eq(told_lost, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("waiting");
	TCase *tcase = tcase_create("waiting");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_order);
	tcase_add_test(tcase, test_gap);
	tcase_add_test(tcase, test_flush);
	tcase_add_test(tcase, test_flush_overtakes);
	tcase_add_test(tcase, test_flush_between);
	tcase_add_test(tcase, test_flush_of_idle);
	tcase_add_test(tcase, test_flush_is_bounded);
	tcase_add_test(tcase, test_no_memory);
	tcase_add_test(tcase, test_no_room);
	tcase_add_test(tcase, test_contradiction);
	tcase_add_test(tcase, test_send_fails);
	tcase_add_test(tcase, test_stale);
	tcase_add_test(tcase, test_give_up);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
