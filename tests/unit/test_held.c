/* SPDX-License-Identifier: GPL-2.0-only */
/* The buffers between BPF and the daemon follow the CPUs: when they are made anew, and that none is lost or removed too much */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *online = "0-3\n"; /* NULL: cannot be read */
static uint64_t fake_awake_ns, fake_slept_ns;

static int fake_open(void)
{
	int ends[2];

	if (!online || pipe(ends))
		return -1;
	ck_assert_int_eq(write(ends[1], online, strlen(online)), (ssize_t)strlen(online));
	close(ends[1]);
	return ends[0];
}

static int fake_clock(clockid_t clock, struct timespec *now)
{
	uint64_t ns = fake_awake_ns + (clock == CLOCK_BOOTTIME ? fake_slept_ns : 0);

	*now = (struct timespec){ .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };
	return 0;
}

#define open(path, flags)     fake_open()
#define clock_gettime(id, to) fake_clock(id, to)
#include "held.c"
#undef open
#undef clock_gettime

#include <sys/eventfd.h>

enum {
	BUFFERS = 2,
	TAG = 1000,
};

/* In place of libbpf's. */
struct perf_buffer {
	int map_fd, fds[BUFFERS];
	perf_buffer_sample_fn on_sample;
	void *context;
	unsigned int pending; /* samples in it */
};

static unsigned int alive, made, taken;
static int fail_with, map_fd, epoll_fd;
static struct held held;

struct perf_buffer *perf_buffer__new(int fd, size_t pages, perf_buffer_sample_fn on_sample, perf_buffer_lost_fn on_lost,
				     void *context, const struct perf_buffer_opts *opts)
{
	struct perf_buffer *buffer;

	(void)opts;
	ck_assert_uint_gt(pages, 0);
	ck_assert_uint_eq(pages & (pages - 1), 0);
	ck_assert_ptr_nonnull(on_lost);
	ck_assert_int_ne(fd, map_fd); /* one of its own */
	if (fail_with) {
		errno = fail_with;
		return NULL;
	}
	buffer = calloc(1, sizeof(*buffer));
	*buffer = (struct perf_buffer){ .map_fd = fd, .on_sample = on_sample, .context = context };
	for (int i = 0; i < BUFFERS; i++)
		buffer->fds[i] = eventfd(0, EFD_CLOEXEC);
	alive++;
	made++;
	return buffer;
}

void perf_buffer__free(struct perf_buffer *buffer)
{
	if (!buffer)
		return;
	/* It would remove entries of the map by this descriptor. */
	ck_assert_int_eq(fcntl(buffer->map_fd, F_GETFD), -1);
	ck_assert_uint_eq(buffer->pending, 0);
	for (int i = 0; i < BUFFERS; i++)
		close(buffer->fds[i]);
	free(buffer);
	alive--;
}

size_t perf_buffer__buffer_cnt(const struct perf_buffer *buffer)
{
	(void)buffer;
	return BUFFERS;
}

int perf_buffer__buffer_fd(const struct perf_buffer *buffer, size_t index)
{
	return buffer->fds[index];
}

static void sample(struct perf_buffer *buffer, uint32_t frame_len, uint32_t missing)
{
	uint8_t bytes[sizeof(struct mimic_held) + 64] = {};
	struct mimic_held meta = { .frame_len = frame_len };

	memcpy(bytes, &meta, sizeof(meta));
	buffer->on_sample(buffer->context, 0, bytes, (uint32_t)sizeof(meta) + frame_len - missing);
}

int perf_buffer__consume(struct perf_buffer *buffer)
{
	for (; buffer->pending; buffer->pending--)
		sample(buffer, 64, 0);
	return 0;
}

int perf_buffer__consume_buffer(struct perf_buffer *buffer, size_t index)
{
	return index < BUFFERS ? perf_buffer__consume(buffer) : -EINVAL;
}

static void on_take(void *context, const struct mimic_held *meta, const uint8_t *frame)
{
	(void)frame;
	ck_assert_ptr_eq(context, &taken);
	ck_assert_uint_le(meta->frame_len, 64);
	taken++;
}

static void setup(void)
{
	log_set_level(LOG_LEVEL_ERROR);
	online = "0-3\n";
	fake_awake_ns = 5000 * NSEC_PER_SEC;
	fake_slept_ns = 70 * NSEC_PER_SEC;
	alive = made = taken = 0;
	fail_with = 0;
	map_fd = eventfd(0, EFD_CLOEXEC);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	held = (struct held)HELD_INIT;
	held.take = on_take;
	held.context = &taken;
	ck_assert_int_eq(held_open(&held, map_fd, epoll_fd, TAG), 0);
}

static void teardown(void)
{
	held_close(&held);
	ck_assert_uint_eq(alive, 0);
	ck_assert_int_ge(fcntl(map_fd, F_GETFD), 0);
	close(map_fd);
	close(epoll_fd);
}

/* Its buffers are watched, with tags from TAG on. */
static void expect_watched(void)
{
	uint64_t one = 1;

	for (size_t i = 0; i < BUFFERS; i++) {
		struct epoll_event event;

		ck_assert_int_eq(write(held.now.buffers->fds[i], &one, sizeof(one)), sizeof(one));
		ck_assert_int_eq(epoll_wait(epoll_fd, &event, 1, 0), 1);
		ck_assert_uint_eq(event.data.u64, TAG + i);
		ck_assert_int_eq(read(held.now.buffers->fds[i], &one, sizeof(one)), sizeof(one));
	}
}

START_TEST(test_nothing_happens)
{
	for (int i = 0; i < 10; i++) {
		fake_awake_ns += NSEC_PER_SEC;
		held_follow_cpus(&held);
		held_retire(&held);
	}
	fake_slept_ns += 1000000; /* the two clocks are not read at one moment */
	held_follow_cpus(&held);
	ck_assert_uint_eq(made, 1);
	expect_watched();
	held.now.buffers->pending = 3;
	held_consume(&held, TAG + 1);
	ck_assert_uint_eq(taken, 3);
}
END_TEST

START_TEST(test_samples)
{
	sample(held.now.buffers, 64, 1); /* of a frame that is not whole */
	ck_assert_uint_eq(taken, 0);
	sample(held.now.buffers, 0, 1);
	ck_assert_uint_eq(taken, 0);
	sample(held.now.buffers, 60, 0);
	ck_assert_uint_eq(taken, 1);
}
END_TEST

/* What was in the old ones is taken at once, and what another CPU was still writing, later. */
START_TEST(test_cpus_change)
{
	struct perf_buffer *first = held.now.buffers;

	first->pending = 5;
	online = "0,2-3\n";
	held_follow_cpus(&held);
	ck_assert_uint_eq(made, 2);
	ck_assert_uint_eq(alive, 2);
	ck_assert_uint_eq(taken, 5);
	first->pending = 1;
	held_retire(&held);
	ck_assert_uint_eq(taken, 6);
	ck_assert_uint_eq(alive, 1);
	expect_watched();
	held_follow_cpus(&held);
	ck_assert_uint_eq(made, 2);
	/* And once more before the old ones are gone. */
	online = "0-3\n";
	held_follow_cpus(&held);
	held.old.buffers->pending = 1;
	online = "0\n";
	held_follow_cpus(&held);
	ck_assert_uint_eq(made, 4);
	ck_assert_uint_eq(alive, 2);
	ck_assert_uint_eq(taken, 7);
}
END_TEST

/* The same CPUs as before, but they were away. */
START_TEST(test_sleep)
{
	fake_slept_ns += NSEC_PER_SEC;
	held_follow_cpus(&held);
	ck_assert_uint_eq(made, 2);
	held_follow_cpus(&held);
	ck_assert_uint_eq(made, 2);
}
END_TEST

/* Each sleep is noticed once, and what is none is not. */
START_TEST(test_slept_anew)
{
	uint64_t before_ns = slept_read_clock(CLOCK_BOOTTIME) - slept_read_clock(CLOCK_MONOTONIC);

	ck_assert_uint_eq(before_ns, fake_slept_ns);
	for (int i = 0; i < 3; i++) {
		fake_awake_ns += 3600 * NSEC_PER_SEC;
		ck_assert(!slept_anew(&before_ns));
		fake_slept_ns += SLEPT_MIN_NS - 1;
		ck_assert(!slept_anew(&before_ns));
		fake_slept_ns += 1;
		ck_assert(slept_anew(&before_ns));
		ck_assert_uint_eq(before_ns, fake_slept_ns);
	}
}
END_TEST

/* The old ones serve on, until it works. */
START_TEST(test_failure)
{
	struct perf_buffer *first = held.now.buffers;

	fail_with = ENODEV;
	online = "0-1\n";
	for (int i = 0; i < 3; i++)
		held_follow_cpus(&held);
	ck_assert_ptr_eq(held.now.buffers, first);
	ck_assert_ptr_null(held.old.buffers);
	expect_watched();
	fail_with = 0;
	held_follow_cpus(&held);
	ck_assert_ptr_ne(held.now.buffers, first);
	ck_assert_uint_eq(made, 2);
}
END_TEST

/* Without /sys there is nothing to compare. */
START_TEST(test_unreadable)
{
	held_close(&held);
	online = NULL;
	ck_assert_int_eq(held_open(&held, map_fd, epoll_fd, TAG), 0);
	held_follow_cpus(&held);
	ck_assert_uint_eq(made, 2);
	fail_with = EPERM;
	held_close(&held);
	ck_assert_int_eq(held_open(&held, map_fd, epoll_fd, TAG), -EPERM);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("held");
	TCase *tcase = tcase_create("buffers");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_nothing_happens);
	tcase_add_test(tcase, test_samples);
	tcase_add_test(tcase, test_cpus_change);
	tcase_add_test(tcase, test_sleep);
	tcase_add_test(tcase, test_slept_anew);
	tcase_add_test(tcase, test_failure);
	tcase_add_test(tcase, test_unreadable);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
