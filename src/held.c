// SPDX-License-Identifier: GPL-2.0-only
#include "held.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "log.h"
#include "slept.h"
#include "util.h"

#define HELD_ONLINE "/sys/devices/system/cpu/online"

enum {
	HELD_BYTES_MIN = 256 << 10, /* of the buffer of one CPU */
};

static void held_on_sample(void *context, int cpu, void *data, __u32 size)
{
	const struct held *held = context;
	struct mimic_held meta;

	(void)cpu;
	if (size < sizeof(meta))
		return;
	memcpy(&meta, data, sizeof(meta));
	if (size - sizeof(meta) >= meta.frame_len)
		held->take(held->context, &meta, (const uint8_t *)data + sizeof(meta));
}

static void held_on_lost(void *context, int cpu, __u64 count)
{
	(void)context;
	(void)cpu;
	(void)count; /* BPF saw the failure and counted it: drop_hold_failed */
}

/* Bytes of one CPU's buffer: a 64th of the memory in all, up to MIMIC_HELD_TOTAL_BYTES; a power of two. */
static size_t held_bytes(void)
{
	size_t total = MIMIC_HELD_TOTAL_BYTES, bytes = HELD_BYTES_MIN;
	int cpus = libbpf_num_possible_cpus();
	struct sysinfo info;

	if (!sysinfo(&info) && (uint64_t)info.totalram * info.mem_unit / 64 < total)
		total = (size_t)((uint64_t)info.totalram * info.mem_unit / 64);
	while (bytes * 2 * (size_t)(cpus > 0 ? cpus : 1) <= total)
		bytes *= 2;
	return bytes;
}

/*
 * libbpf removes the entries of the map as it frees the buffers, and the next ones have them by then. So each gets a
 * descriptor of its own for the map, which is closed before. The entry of a CPU that is offline stays, and with it the event and
 * its place in epoll, where it would hang up for ever (perf_poll()).
 */
static void held_free(const struct held *held, struct held_buffers *buffers)
{
	size_t count = buffers->buffers ? perf_buffer__buffer_cnt(buffers->buffers) : 0;

	for (size_t i = 0; i < count; i++)
		epoll_ctl(held->epoll_fd, EPOLL_CTL_DEL, perf_buffer__buffer_fd(buffers->buffers, i), NULL);
	util_close_fd(&buffers->map_fd);
	perf_buffer__free(buffers->buffers);
	*buffers = (struct held_buffers){ .map_fd = -1 };
}

/*
 * Each buffer by itself, not through the epoll descriptor of libbpf: perf_poll() forgets that there is something as soon as
 * it is asked (kernel/events/core.c), and a nested epoll asks twice.
 */
static int held_watch(const struct held *held, const struct held_buffers *buffers)
{
	size_t count = perf_buffer__buffer_cnt(buffers->buffers);

	for (size_t i = 0; i < count; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u64 = held->tag + i };

		if (epoll_ctl(held->epoll_fd, EPOLL_CTL_ADD, perf_buffer__buffer_fd(buffers->buffers, i), &event))
			return -errno;
	}
	return 0;
}

/* From now on BPF finds these in the map, in place of those that were there. */
static int held_make(struct held *held, struct held_buffers *buffers)
{
	int err;

	buffers->map_fd = fcntl(held->map_fd, F_DUPFD_CLOEXEC, 0);
	if (buffers->map_fd < 0)
		return -errno;
	buffers->buffers = perf_buffer__new(buffers->map_fd, held_bytes() / (size_t)getpagesize(), held_on_sample,
					    held_on_lost, held, NULL);
	err = buffers->buffers ? held_watch(held, buffers) : -errno;
	if (err)
		held_free(held, buffers);
	return err;
}

/* What cannot be read counts as empty. */
static void held_read_cpus(char *cpus, size_t size)
{
	_cleanup_close_ int fd = open(HELD_ONLINE, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, cpus, size - 1);

	cpus[n > 0 ? n : 0] = '\0';
	cpus[strcspn(cpus, "\n")] = '\0';
}

int held_open(struct held *held, int map_fd, int epoll_fd, uint64_t tag)
{
	held->map_fd = map_fd;
	held->epoll_fd = epoll_fd;
	held->tag = tag;
	held_read_cpus(held->cpus, sizeof(held->cpus));
	held->slept_ns = slept_ns();
	return held_make(held, &held->now);
}

void held_consume(struct held *held, uint64_t tag)
{
	perf_buffer__consume_buffer(held->now.buffers, (size_t)(tag - held->tag));
}

void held_retire(struct held *held)
{
	if (held->old.buffers)
		perf_buffer__consume(held->old.buffers);
	held_free(held, &held->old);
}

static int held_replace(struct held *held, const char *cpus, uint64_t slept)
{
	struct held_buffers made = { .map_fd = -1 };
	int err = held_make(held, &made);

	if (err)
		return err;
	held_retire(held);
	held->old = held->now;
	held->now = made;
	held->slept_ns = slept;
	memcpy(held->cpus, cpus, sizeof(held->cpus));
	/* Another CPU may be writing into it this very moment: the rest comes by held_retire(). */
	perf_buffer__consume(held->old.buffers);
	return 0;
}

int held_renew(struct held *held)
{
	uint64_t slept = slept_ns();
	char cpus[HELD_CPUS_MAX];

	held_read_cpus(cpus, sizeof(cpus));
	return held_replace(held, cpus, slept);
}

void held_follow_cpus(struct held *held)
{
	static struct log_rate rate = LOG_RATE_INIT(60);
	uint64_t slept = slept_ns();
	char cpus[HELD_CPUS_MAX];
	bool changed;
	int err;

	held_read_cpus(cpus, sizeof(cpus));
	changed = strcmp(cpus, held->cpus);
	if (!changed && slept < held->slept_ns + SLEPT_MIN_NS)
		return;
	err = held_replace(held, cpus, slept);
	if (err) /* the old ones serve on as they can, until the next try */
		log_rate_limited(&rate, LOG_LEVEL_WARN,
				 "Cannot make buffers for the CPUs %s, on some of which datagrams cannot wait now: %s", cpus,
				 strerror(-err));
	else
		log_info("The CPUs %s %s: datagrams that wait come through new buffers", cpus,
			 changed ? "are online now" : "have slept");
}

void held_consume_all(struct held *held)
{
	held_retire(held);
	if (held->now.buffers)
		perf_buffer__consume(held->now.buffers);
}

void held_close(struct held *held)
{
	held_free(held, &held->old);
	held_free(held, &held->now);
}
