/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `mimic trace`: the life of segments as it happens, from the ring of traces of an instance. One tracer at a time: it holds a lock file
 * beside the daemon's. BPF records until a time that is set anew each second, so that nothing goes on for a tracer that was killed.
 */
#include <argp.h>
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "clock.h"
#include "ending.h"
#include "instance.h"
#include "log.h"
#include "netif.h"
#include "runfile.h"
#include "stats_read.h"
#include "trace_text.h"
#include "util.h"

#define TRACE_LEASE_NS (3 * NSEC_PER_SEC) /* BPF goes on for so long without being told again */

enum {
	TRACE_RENEW_MS = 1000,
};

struct trace_args {
	const char *ifname;
	unsigned long count; /* lines; 0: no end */
	struct trace_filter filter;
};

struct tracer {
	const struct trace_args *args;
	struct mimic_shared *shared;
	uint64_t begun_ns, offset_ns;
	uint64_t lost; /* as last seen */
	unsigned long printed;
	int err;
};

static const struct argp_option trace_options[] = {
	{ "count", 'c', "COUNT", 0, "End after so many lines", 0 },
	{ "port", 'p', "PORT", 0, "Only connections with this port at either end", 0 },
	{ "peer", 'P', "ADDRESS", 0, "Only connections with this peer", 0 },
	{ 0 },
};

static error_t trace_take_number(const char *text, unsigned long max, const char *what, unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && !errno && *number >= 1 && *number <= max)
		return 0;
	log_error("%s '%s': expected a number from 1 to %lu", what, text, max);
	return EINVAL;
}

static error_t trace_take_peer(struct trace_filter *filter, const char *text)
{
	struct in_addr ipv4;

	filter->has_peer = true;
	if (inet_pton(AF_INET, text, &ipv4) == 1) {
		addr_from_ipv4(&filter->peer, ipv4.s_addr);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &filter->peer) == 1)
		return 0;
	log_error("peer '%s': expected an IPv4 or IPv6 address without brackets", text);
	return EINVAL;
}

static error_t trace_parse(int key, char *arg, struct argp_state *state)
{
	struct trace_args *args = state->input;
	unsigned long number;
	error_t err;

	switch (key) {
	case 'c':
		return trace_take_number(arg, 1000000000, "count", &args->count);
	case 'p':
		err = trace_take_number(arg, 65535, "port", &number);
		if (!err)
			args->filter.port = (uint16_t)number;
		return err;
	case 'P':
		return trace_take_peer(&args->filter, arg);
	case ARGP_KEY_ARG:
	case ARGP_KEY_NO_ARGS:
		return args_take_ifname(&args->ifname, key, arg, state);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- the records ---- */

static int trace_on_record(void *context, void *data, size_t size)
{
	char lines[TRACE_LINES_MAX][TRACE_LINE_MAX];
	struct tracer *tracer = context;
	const struct mimic_trace *record = data;
	size_t count;

	/* What is older was left by a tracer that was killed. */
	if (size < sizeof(*record) || record->now_ns < tracer->begun_ns || !trace_text_matches(&tracer->args->filter, record))
		return 0;
	count = trace_text_print(lines, record, tracer->offset_ns, tracer->shared->mtu);
	for (size_t i = 0; i < count; i++) {
		if (tracer->args->count && tracer->printed == tracer->args->count)
			return -ECANCELED;
		puts(lines[i]);
		tracer->printed++;
	}
	return tracer->args->count && tracer->printed == tracer->args->count ? -ECANCELED : 0;
}

static void trace_renew(struct tracer *tracer, uint64_t until_ns)
{
	__atomic_store_n(&tracer->shared->trace_until_ns, until_ns, __ATOMIC_SEQ_CST);
}

static void trace_say_lost(struct tracer *tracer)
{
	uint64_t lost = __atomic_load_n(&tracer->shared->trace_lost, __ATOMIC_RELAXED);

	if (lost != tracer->lost)
		log_warn("%" PRIu64 " records are missing here: they came faster than they could be printed", lost - tracer->lost);
	tracer->lost = lost;
}

/* Prints what is there. False: enough, or stdout cannot be written (tracer->err). */
static bool trace_take(struct tracer *tracer, struct ring_buffer *ring)
{
	int taken = ring_buffer__consume(ring);

	errno = 0;
	if (fflush(stdout) || ferror(stdout)) {
		tracer->err = errno == EPIPE ? 0 : errno ? -errno : -EIO;
		if (tracer->err)
			log_error("cannot write: %s", strerror(-tracer->err));
		return false;
	}
	return taken >= 0;
}

static int trace_loop(struct tracer *tracer, struct ring_buffer *ring, const struct ending *ending)
{
	uint64_t renewed_ns = 0, now_ns;
	bool more = true;

	while (more) {
		now_ns = clock_now_ns();
		if (now_ns - renewed_ns >= TRACE_RENEW_MS * NSEC_PER_MSEC) {
			trace_renew(tracer, now_ns + TRACE_LEASE_NS);
			renewed_ns = now_ns;
		}
		more = ending_wait(ending, ring_buffer__epoll_fd(ring), TRACE_RENEW_MS);
		if (!trace_take(tracer, ring))
			more = false;
		trace_say_lost(tracer);
	}
	trace_renew(tracer, 0);
	return tracer->err;
}

/* ---- beginning and end ---- */

/* The tracer's own lock: `.trace` in place of the daemon's `.lock`. */
static int trace_claim(struct runfile *claim, const struct trace_args *args)
{
	struct run_info mine = { .version = PACKAGE_VERSION, .pid = getpid(), .settings = CONN_SETTINGS_DEFAULT, .datapath = "trace" };
	char path[RUNFILE_PATH_MAX];
	pid_t holder = 0;
	ino_t netns = 0;
	int err = netif_netns(&netns);

	if (!err)
		err = runfile_path(path, sizeof(path), RUNFILE_DIR, netns, (int)if_nametoindex(args->ifname));
	if (!err) {
		strcpy(strrchr(path, '.'), ".trace"); /* one byte more: the path is far from full */
		err = runfile_claim(claim, path, &holder);
	}
	if (!err)
		err = runfile_publish(claim, &mine);
	if (err == -EBUSY)
		log_error("process %d traces %s already; there can be one tracer", (int)holder, args->ifname);
	else if (err)
		log_error("cannot claim the trace of %s: %s%s", args->ifname, strerror(-err),
			  err == -EACCES || err == -EPERM ? "; run as root" : "");
	return err;
}

static uint64_t trace_clock_offset(void)
{
	struct timespec real;

	clock_gettime(CLOCK_REALTIME_COARSE, &real);
	return (uint64_t)real.tv_sec * NSEC_PER_SEC + (uint64_t)real.tv_nsec - clock_now_ns();
}

static int trace_run(struct tracer *tracer, const struct run_info *info)
{
	_cleanup_close_ int fd = info->traces_id ? bpf_map_get_fd_by_id(info->traces_id) : -ENOENT;
	_cleanup_ending_ struct ending ending = ENDING_INIT;
	struct ring_buffer *ring;
	int err;

	if (fd < 0) {
		log_error("cannot open the ring of traces of the daemon: %s%s", strerror(-fd), fd == -EPERM ? "; run as root" : "");
		return fd;
	}
	ring = ring_buffer__new(fd, trace_on_record, tracer, NULL);
	if (!ring) {
		log_error("cannot map the ring of traces: %s", strerror(errno));
		return -errno;
	}
	err = ending_open(&ending, info->pid);
	if (!err) {
		tracer->begun_ns = clock_now_ns();
		tracer->offset_ns = trace_clock_offset();
		tracer->lost = __atomic_load_n(&tracer->shared->trace_lost, __ATOMIC_RELAXED);
		err = trace_loop(tracer, ring, &ending);
	}
	ring_buffer__free(ring);
	return err;
}

int cmd_trace(int argc, char **argv)
{
	static const struct argp argp = {
		.options = trace_options,
		.parser = trace_parse,
		.args_doc = "<interface>",
		.doc = "Print the segments of an interface as they come and go, and what is decided about them.",
	};
	_cleanup_run_info_ struct run_info info = { 0 };
	_cleanup_runfile_ struct runfile claim = RUNFILE_INIT;
	struct trace_args args = { 0 };
	struct tracer tracer = { .args = &args };
	int err = args_parse(&argp, argc, argv, &args);

	if (!err)
		err = instance_find(args.ifname, &info);
	if (!err)
		err = trace_claim(&claim, &args);
	if (err)
		return err;
	tracer.shared = stats_map_shared(&info, true);
	if (!tracer.shared)
		return -EPROTO;
	err = trace_run(&tracer, &info);
	stats_unmap_shared(tracer.shared);
	return err;
}
