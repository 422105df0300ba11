// SPDX-License-Identifier: GPL-2.0-only
#include "clock.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "datapath.h"
#include "log.h"
#include "util.h"

enum {
	CLOCK_BATCH = 1024, /* entries copied by one system call; more than any hash bucket holds */
};

_Static_assert(CLOCK_WATCH_NS >= (uint64_t)CONN_WATCH_UNITS << CONN_WATCH_SHIFT, "a watch lasts until the next is asked for");

struct clock_watch {
	struct conn_key key; /* first: the tree compares it */
	uint64_t until_ns;
};

/* One copy of a part of the connection map. */
struct clock_batch {
	struct conn_key keys[CLOCK_BATCH];
	struct mimic_conn values[CLOCK_BATCH];
};

static int clock_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct conn_key));
}

int clock_init(struct clock *clock, struct datapath *datapath, void (*drain)(void *context), void *context)
{
	memset(clock, 0, sizeof(*clock));
	clock->datapath = datapath;
	clock->drain = drain;
	clock->context = context;
	clock->batch = malloc(sizeof(*clock->batch));
	return clock->batch ? 0 : -ENOMEM;
}

/* In a time namespace (a container that was restored, say) CLOCK_MONOTONIC is by so much ahead of what the kernel itself and BPF read. */
static int64_t clock_namespace_ns(void)
{
	FILE *file = fopen("/proc/self/timens_offsets", "re");
	long long seconds = 0, ns = 0;

	if (!file)
		return 0; /* a kernel without time namespaces */
	if (fscanf(file, "monotonic %lld %lld", &seconds, &ns) != 2)
		seconds = ns = 0;
	fclose(file);
	return (int64_t)seconds * (int64_t)NSEC_PER_SEC + (int64_t)ns;
}

uint64_t clock_now_ns(void)
{
	static bool known;
	static int64_t ahead_ns;
	struct timespec now;

	if (!known) {
		ahead_ns = clock_namespace_ns();
		known = true;
	}
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec - (uint64_t)ahead_ns;
}

void clock_watch(struct clock *clock, const struct conn_key *key, uint64_t now_ns)
{
	void *node = tfind(key, &clock->watched, clock_compare);
	struct clock_watch *watch;

	if (node) {
		watch = *(struct clock_watch **)node;
		watch->until_ns = now_ns + CLOCK_WATCH_NS;
		return;
	}
	/* Without memory the connection is ticked once a second, as all are. */
	watch = malloc(sizeof(*watch));
	if (!watch)
		return;
	watch->key = *key;
	watch->until_ns = now_ns + CLOCK_WATCH_NS;
	if (!tsearch(watch, &clock->watched, clock_compare)) {
		free(watch);
		return;
	}
	clock->watch_count++;
}

static void clock_flush(struct clock *clock, enum mimic_command_type type)
{
	static struct log_rate rate = LOG_RATE_INIT(10);
	int err = datapath_command(clock->datapath, type, clock->entries, clock->entry_count);

	clock->entry_count = 0;
	clock->drain(clock->context);
	if (err)
		log_rate_limited(&rate, LOG_LEVEL_WARN, "Cannot run the clock of the connections: %s", strerror(-err));
}

static void clock_push(struct clock *clock, enum mimic_command_type type, const struct conn_key *key)
{
	clock->entries[clock->entry_count++] = (struct mimic_command_entry){ .key = *key };
	if (clock->entry_count == MIMIC_COMMANDS_MAX)
		clock_flush(clock, type);
}

static const char *clock_consequence(enum mimic_command_type type)
{
	switch (type) {
	case COMMAND_SHUTDOWN:
		return "some peers are not told of the end";
	case COMMAND_REFIT:
		return "some connections go by old filters";
	default:
		return "some timers are late";
	}
}

/*
 * Copies the whole map in parts and runs @type on the entries that are @due (NULL: on all of them). Returns how many
 * entries there are, or -errno. An entry that comes or goes meanwhile may be missed: the next walk sees it.
 */
static long clock_walk(struct clock *clock, enum mimic_command_type type,
		       bool (*due)(const struct conn *conn, __u64 now_ns), uint64_t now_ns)
{
	static struct log_rate rate = LOG_RATE_INIT(10);
	struct clock_batch *batch = clock->batch;
	__u32 in = 0, out = 0;
	long entries = 0;
	int half_open = 0, err = 0;
	bool more = true;

	for (int i = 0; more && i <= MIMIC_CONNS_MAX; i++) {
		__u32 count = CLOCK_BATCH;

		if (bpf_map_lookup_batch(clock->datapath->conns_fd, i ? &in : NULL, &out, batch->keys, batch->values,
					 &count, NULL)) {
			if (errno != ENOENT) {
				err = -errno;
				break;
			}
			more = false;
		}
		for (__u32 k = 0; k < count; k++) {
			half_open += conn_is_half_open(&batch->values[k].c);
			if (type == COMMAND_TICK && clock->show)
				clock->show(clock->show_context, &batch->keys[k]);
			if (!due || due(&batch->values[k].c, now_ns))
				clock_push(clock, type, &batch->keys[k]);
			else if (conn_tick_is_near(&batch->values[k].c, now_ns, CLOCK_SLOW_NS))
				clock_watch(clock, &batch->keys[k], now_ns);
		}
		entries += count;
		in = out;
	}
	clock_flush(clock, type);
	if (err) {
		log_rate_limited(&rate, LOG_LEVEL_WARN, "Cannot read the connections: %s; %s", strerror(-err),
				 clock_consequence(type));
		return err;
	}
	/* BPF counts as well, but some of its changes are lost to this very assignment, and connections that are deleted. */
	*(volatile __s32 *)&clock->datapath->shared->half_open = half_open;
	return entries;
}

/* twalk() allows no change of the tree, and a tick's events watch other connections: so the walk only collects. */
struct clock_collect {
	struct clock_watch **watches;
	size_t count;
};

static void clock_visit(const void *node, VISIT which, void *closure)
{
	struct clock_collect *collect = closure;

	if (which == postorder || which == leaf)
		collect->watches[collect->count++] = *(struct clock_watch *const *)node;
}

static void clock_tick_watched(struct clock *clock, uint64_t now_ns)
{
	struct clock_collect collect = { .count = 0 };

	if (!clock->watch_count)
		return;
	collect.watches = calloc(clock->watch_count, sizeof(struct clock_watch *));
	if (!collect.watches)
		return;
	twalk_r(clock->watched, clock_visit, &collect);
	for (size_t i = 0; i < collect.count; i++)
		clock_push(clock, COMMAND_TICK, &collect.watches[i]->key);
	clock_flush(clock, COMMAND_TICK);
	for (size_t i = 0; i < collect.count; i++) {
		if (now_ns < collect.watches[i]->until_ns)
			continue;
		tdelete(collect.watches[i], &clock->watched, clock_compare);
		free(collect.watches[i]);
		clock->watch_count--;
	}
	free(collect.watches);
}

long clock_tick(struct clock *clock, uint64_t now_ns)
{
	clock_tick_watched(clock, now_ns);
	if (now_ns - clock->slow_ns < CLOCK_SLOW_NS)
		return CLOCK_NOT_WALKED;
	clock->slow_ns = now_ns;
	if (clock->refit_again) {
		clock->refit_again = false;
		clock_walk(clock, COMMAND_REFIT, NULL, now_ns);
	}
	return clock_walk(clock, COMMAND_TICK, conn_tick_is_due, now_ns);
}

void clock_refit(struct clock *clock)
{
	clock_walk(clock, COMMAND_REFIT, NULL, 0);
	clock->refit_again = true;
}

void clock_shutdown(struct clock *clock)
{
	clock_walk(clock, COMMAND_SHUTDOWN, NULL, 0);
}

void clock_free(struct clock *clock)
{
	free(clock->batch);
	clock->batch = NULL;
	while (clock->watched) {
		struct clock_watch *watch = *(struct clock_watch **)clock->watched;

		tdelete(watch, &clock->watched, clock_compare);
		free(watch);
	}
	clock->watch_count = 0;
}
