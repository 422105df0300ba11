/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `mimic show`: what the lock file says of the daemon, and its counters and connections, read from
 * its maps.
 * Other programs read this output (compatibility: the labels and what follows them stay as they
 * are).
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "abi.h"
#include "args.h"
#include "clock.h"
#include "datapath.h"
#include "filter.h"
#include "instance.h"
#include "log.h"
#include "reasons.h"
#include "report_json.h"
#include "runfile.h"
#include "util.h"

/* Escape sequences, or empty texts. */
struct style {
	const char *title, *label, *reset;
};

static const struct style *style_of_stdout(void)
{
	static const struct style plain = { "", "", "" };
	static const struct style colour = { "\033[1;32m", "\033[1m", "\033[0m" };

	return log_wants_colour(STDOUT_FILENO) ? &colour : &plain;
}

static void print_label(const struct style *style, const char *label)
{
	printf("- %s%s:%s ", style->label, label, style->reset);
}

static const char *link_type_text(const char *name)
{
	if (!strcmp(name, "eth"))
		return "Ethernet";
	return strcmp(name, "none") ? name : "None";
}

static void show_process(const struct style *style, const char *ifname, const struct run_info *info)
{
	char settings[SETTINGS_TEXT_MAX];
	size_t i;

	printf("%sMimic%s running on %s\n", style->title, style->reset, ifname);
	print_label(style, "PID");
	printf("%d\n", (int)info->pid);
	print_label(style, "Link Type");
	printf("%s\n", link_type_text(info->link_type));
	print_label(style, "XDP Attach Mode");
	printf("%s\n", info->xdp_mode);
	if (info->datapath[0]) {
		print_label(style, "Datapath");
		printf("%s\n", info->datapath);
	}
	settings_print(settings, sizeof(settings), &info->settings);
	print_label(style, "Settings");
	printf("%s\n", settings);
	for (i = 0; i < info->filter_count; i++) {
		print_label(style, "Filter");
		printf("%s\n", info->filters[i]);
	}
	if (!info->filter_count && info->datapath[0]) {
		print_label(style, "Filter");
		printf("none\n");
	}
}

/* One line for each counter that is not zero: `- Packets: NUMBER EXPLANATION (NAME)`. */
static void show_counters(const struct style *style, const uint64_t *counters)
{
	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
		if (!counters[i])
			continue;
		print_label(style, "Packets");
		printf("%" PRIu64 " %s (%s)\n", counters[i], reason_text((enum reason)i), reason_name((enum reason)i));
	}
}

static const char *state_text(__u8 state)
{
	switch (state) {
	case CONN_SYN_SENT:
		return "SYN sent";
	case CONN_SYN_RECEIVED:
		return "SYN received";
	case CONN_ESTABLISHED:
		return "Established";
	default:
		return "Idle";
	}
}

static void show_connection(const struct style *style, const struct conn_key *key,
			    const struct conn *conn)
{
	char local[FILTER_ENDPOINT_MAX], remote[FILTER_ENDPOINT_MAX];

	filter_print_endpoint(local, sizeof(local), &key->local, key->local_port);
	filter_print_endpoint(remote, sizeof(remote), &key->remote, key->remote_port);
	printf("%sConnection%s %s => %s\n", style->title, style->reset, local, remote);
	print_label(style, "State");
	printf("%s\n", state_text(conn->state));
	print_label(style, "Peer MSS");
	printf("%u\n", conn->peer_mss);
	print_label(style, "Sequence");
	printf("seq 0x%08x, ack 0x%08x\n", conn->snd_nxt, conn->rcv_nxt);
}

static int show_connections(const struct style *style, const struct run_info *info)
{
	_cleanup_instance_conns_ struct instance_conns conns = { 0 };
	int err = instance_read_conns(info, &conns);

	if (err)
		return err;
	for (size_t i = 0; i < conns.count; i++)
		show_connection(style, &conns.keys[i], &conns.values[i].c);
	if (!conns.count)
		printf("%sConnection%s no active connection\n", style->title, style->reset);
	return 0;
}

static void read_counters(int fd, uint64_t *counters)
{
	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++)
		counters[i] = datapath_counter(fd, (enum reason)i);
}

/* The daemon's. Returns 0, -ENOENT when they are not known, or -EPERM, of which nothing is said yet. */
static int find_counters(const struct run_info *info, uint64_t *counters)
{
	_cleanup_close_ int fd = -1;

	if (!info->counters_id)
		return -ENOENT;
	fd = bpf_map_get_fd_by_id(info->counters_id);
	if (fd == -EPERM)
		return fd;
	if (fd < 0) {
		log_warn("cannot open the map of counters %u: %s", info->counters_id, strerror(-fd));
		return -ENOENT;
	}
	read_counters(fd, counters);
	return 0;
}

/* The counters are not to be read. Says once what is missing: connections are an error, as counters alone are not. Returns 0 or -EPERM. */
static int refuse_unprivileged(const struct args_show *args)
{
	if (!args->connections) {
		log_warn("the counters are missing: run as root to see them");
		return 0;
	}
	log_error("the counters and connections are missing: run as root to see them");
	return -EPERM;
}

static int show_as_json(const struct args_show *args, const struct run_info *info)
{
	_cleanup_instance_conns_ struct instance_conns conns = { 0 };
	struct report report = {
		.ifname = args->ifname, .info = info, .process = args->process, .connections = args->connections,
	};
	uint64_t counters[REASON_COUNT] = { 0 };
	int err = args->process ? find_counters(info, counters) : -ENOENT;

	report.counters = err ? NULL : counters;
	if (err == -EPERM && refuse_unprivileged(args))
		return err;
	if (args->connections && info->datapath[0]) {
		err = instance_read_conns(info, &conns);
		if (err)
			return err;
		report.conns = &conns;
	}
	report.now_ns = clock_now_ns();
	return report_print(report_json(&report), true);
}

int cmd_show(const struct args_show *args)
{
	_cleanup_run_info_ struct run_info info = { 0 };
	const struct style *style = style_of_stdout();
	uint64_t counters[REASON_COUNT] = { 0 };
	int err, denied = 0;

	err = instance_find(args->ifname, &info);
	if (err)
		return err;
	if (!info.datapath[0] && strcmp(info.version, PACKAGE_VERSION))
		log_warn(
			"the daemon is Mimic %s, whose filters and connections this version cannot read; restart it",
			info.version);
	else if (!info.datapath[0])
		log_warn("the lock file of %s is damaged: filters and connections are not known; restart Mimic", args->ifname);
	if (args->json)
		return show_as_json(args, &info);
	if (args->process) {
		show_process(style, args->ifname, &info);
		denied = find_counters(&info, counters);
		show_counters(style, counters);
	}
	if (denied == -EPERM) {
		err = refuse_unprivileged(args);
	} else if (args->connections && info.datapath[0]) {
		if (args->process)
			printf("\n");
		err = show_connections(style, &info);
	}
	if (fflush(stdout) && !err) {
		err = -errno;
		log_error("cannot write: %s", strerror(errno));
	}
	return err;
}
