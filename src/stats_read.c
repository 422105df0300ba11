// SPDX-License-Identifier: GPL-2.0-only
#include "stats_read.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "clock.h"
#include "datapath.h"
#include "log.h"
#include "util.h"

enum {
	STATS_TRIES = 50, /* to copy all while no connection ends ... */
	STATS_PAUSE_MS = 20, /* ... so long apart */
};

/* A map of an instance that has the value size of this build, or -errno, logged. */
static int stats_open_map(const struct run_info *info, __u32 id, __u32 value_size, const char *what)
{
	struct bpf_map_info map = { 0 };
	__u32 length = sizeof(map);
	int fd = id ? bpf_map_get_fd_by_id(id) : -EPROTO;

	if (fd < 0 && fd != -EPROTO) {
		log_error("cannot open the map of %s, %u: %s%s", what, id, strerror(-fd), fd == -EPERM ? "; run as root" : "");
		return fd;
	}
	if (fd >= 0 && !strcmp(info->version, PACKAGE_VERSION) && !bpf_obj_get_info_by_fd(fd, &map, &length) &&
	    map.value_size >= value_size)
		return fd;
	if (fd >= 0)
		close(fd);
	log_error("the daemon is Mimic %s of another build than this %s, which cannot read its figures; restart it", info->version,
		  PACKAGE_VERSION);
	return -EPROTO;
}

void stats_hold(struct stats_hold *hold, const struct run_info *info)
{
	const __u32 ids[STATS_MAPS] = { info->conns_id, info->totals_id, info->counters_id, info->shared_id };

	for (int i = 0; i < STATS_MAPS; i++)
		hold->fds[i] = bpf_map_get_fd_by_id(ids[i]);
}

void stats_let_go(struct stats_hold *hold)
{
	for (int i = 0; i < STATS_MAPS; i++)
		util_close_fd(&hold->fds[i]);
}

struct mimic_shared *stats_map_shared(const struct run_info *info, bool writable)
{
	_cleanup_close_ int fd = stats_open_map(info, info->shared_id, sizeof(struct mimic_shared), "variables");
	void *shared;

	if (fd < 0)
		return NULL;
	shared = mmap(NULL, sizeof(struct mimic_shared), writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED) {
		log_error("cannot map the variables of the daemon: %s", strerror(errno));
		return NULL;
	}
	return shared;
}

void stats_unmap_shared(struct mimic_shared *shared)
{
	if (shared)
		munmap(shared, sizeof(*shared));
}

static int stats_read_totals(int fd, struct stats_copy *copy)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	__u32 in = 0, out = 0, count;
	int err = 0;

	copy->total_count = 0;
	if (!copy->total_keys) {
		copy->total_keys = calloc(MIMIC_TOTALS_MAX, sizeof(*copy->total_keys));
		copy->totals = calloc(MIMIC_TOTALS_MAX, sizeof(*copy->totals));
	}
	if (!copy->total_keys || !copy->totals)
		return -ENOMEM;
	for (bool first = true; !err; first = false) {
		count = MIMIC_TOTALS_MAX - (__u32)copy->total_count;
		if (!count)
			return 0;
		err = bpf_map_lookup_batch(fd, first ? NULL : &in, &out, copy->total_keys + copy->total_count,
					   copy->totals + copy->total_count, &count, &opts);
		if (err && err != -ENOENT)
			return err;
		copy->total_count += count;
		in = out;
	}
	return 0;
}

static __u32 stats_moves(const struct mimic_shared *shared)
{
	return __atomic_load_n(&shared->figures_moves, __ATOMIC_SEQ_CST);
}

/* Both maps, while nothing moves from one to the other. */
static int stats_read_together(const struct run_info *info, const struct mimic_shared *shared, int totals_fd, struct stats_copy *copy)
{
	const struct timespec pause = { .tv_nsec = STATS_PAUSE_MS * 1000000L };
	__u32 moves;
	int err;

	for (int i = 0; i < STATS_TRIES; i++) {
		if (i)
			nanosleep(&pause, NULL);
		moves = stats_moves(shared);
		copy->conns.count = 0;
		err = instance_read_conns(info, &copy->conns);
		if (err)
			return err;
		err = stats_read_totals(totals_fd, copy);
		if (err) {
			log_error("cannot read the totals of the filters: %s", strerror(-err));
			return err;
		}
		if (!(moves & 1) && stats_moves(shared) == moves)
			return 0;
	}
	log_warn("connections end all the time: the totals of filters may be off by some that just ended");
	return 0;
}

static int stats_read_counters(const struct run_info *info, struct stats_copy *copy)
{
	_cleanup_close_ int fd = stats_open_map(info, info->counters_id, sizeof(__u64), "counters");

	if (fd < 0)
		return fd;
	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++)
		copy->counters[i] = datapath_counter(fd, (enum reason)i);
	return 0;
}

int stats_read(const struct run_info *info, struct stats_copy *copy)
{
	_cleanup_close_ int totals_fd = stats_open_map(info, info->totals_id, sizeof(struct mimic_filter_total), "totals");
	struct mimic_shared *shared;
	int err;

	if (totals_fd < 0)
		return totals_fd;
	shared = stats_map_shared(info, false);
	if (!shared)
		return -EPROTO;
	err = stats_read_together(info, shared, totals_fd, copy);
	copy->now_ns = clock_now_ns();
	copy->traced = __atomic_load_n(&shared->trace_until_ns, __ATOMIC_RELAXED) > copy->now_ns;
	stats_unmap_shared(shared);
	return err ? err : stats_read_counters(info, copy);
}
