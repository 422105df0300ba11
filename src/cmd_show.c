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
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "abi.h"
#include "args.h"
#include "datapath.h"
#include "log.h"
#include "netif.h"
#include "reasons.h"
#include "runfile.h"
#include "util.h"

enum {
	BATCH = 4096, /* connections in one system call; grows when a hash bucket has more */
};

/* Escape sequences, or empty texts. */
struct style {
	const char *title, *label, *reset;
};

/* A copy of the connection map. Both arrays are owned. */
struct connections {
	struct conn_key *keys;
	struct mimic_conn *values;
	size_t count, room;
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
static void show_counters(const struct style *style, int fd)
{
	uint64_t packets;
	int i;

	for (i = REASON_NONE + 1; i < REASON_COUNT; i++) {
		packets = datapath_counter(fd, (enum reason)i);
		if (!packets)
			continue;
		print_label(style, "Packets");
		printf("%" PRIu64 " %s (%s)\n", packets, reason_text((enum reason)i), reason_name((enum reason)i));
	}
}

/* The daemon's, where it has any that this user may read. */
static void open_and_show_counters(const struct style *style, const struct run_info *info)
{
	_cleanup_close_ int fd = -1;

	if (!info->counters_id)
		return;
	fd = bpf_map_get_fd_by_id(info->counters_id);
	if (fd >= 0)
		show_counters(style, fd);
	else
		log_warn("cannot open the map of counters %u: %s%s", info->counters_id, strerror(-fd),
			 fd == -EPERM ? "; run as root" : "");
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

static void free_connections(struct connections *connections)
{
	free(connections->keys);
	free(connections->values);
}

/* Makes room for @more beyond the count. */
static int reserve(struct connections *connections, size_t more)
{
	size_t room = connections->count + more;
	struct conn_key *keys;
	struct mimic_conn *values;

	if (room <= connections->room)
		return 0;
	keys = realloc(connections->keys, room * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	connections->keys = keys;
	values = realloc(connections->values, room * sizeof(*values));
	if (!values)
		return -ENOMEM;
	connections->values = values;
	connections->room = room;
	return 0;
}

/*
 * Copies the map in batches: unlike a walk from key to key, that neither begins again nor repeats
 * itself when connections come and go meanwhile. The lock makes each connection's fields agree with
 * each other.
 */
static int read_connections(int fd, struct connections *connections)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = BPF_F_LOCK);
	__u32 in = 0, out = 0, count, batch = BATCH;
	bool first = true;
	int err;

	for (;;) {
		err = reserve(connections, batch);
		if (err)
			return err;
		count = batch;
		err = bpf_map_lookup_batch(fd, first ? NULL : &in, &out,
					   connections->keys + connections->count,
					   connections->values + connections->count, &count, &opts);
		if (err == -ENOSPC && batch < MIMIC_CONNS_MAX) {
			batch *= 2;
			continue;
		}
		if (err && err != -ENOENT)
			return err;
		connections->count += count;
		if (err)
			return 0;
		in = out;
		first = false;
	}
}

/*
 * Whether the map has the layout that this program was built with: it belongs to a daemon of this version. The sizes tell apart
 * builds between two versions.
 */
static bool has_our_layout(int fd, const struct run_info *run)
{
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);

	return !strcmp(run->version, PACKAGE_VERSION) && !bpf_obj_get_info_by_fd(fd, &info, &length) &&
	       info.key_size == sizeof(struct conn_key) && info.value_size == sizeof(struct mimic_conn);
}

static int show_connections(const struct style *style, const struct run_info *info)
{
	__attribute__((cleanup(free_connections))) struct connections connections = { 0 };
	_cleanup_close_ int fd = -1;
	size_t i;
	int err;

	fd = bpf_map_get_fd_by_id(info->conns_id);
	if (fd < 0) {
		log_error("cannot open the connection map %u: %s%s", info->conns_id, strerror(-fd),
			  fd == -EPERM ? "; run as root" : "");
		return fd;
	}
	if (!has_our_layout(fd, info)) {
		log_error(
			"the daemon is Mimic %s and this is %s, which cannot read its connections; restart it",
			info->version, PACKAGE_VERSION);
		return -EPROTO;
	}
	err = read_connections(fd, &connections);
	if (err) {
		log_error("cannot read the connection map %u: %s", info->conns_id, strerror(-err));
		return err;
	}
	for (i = 0; i < connections.count; i++)
		show_connection(style, &connections.keys[i], &connections.values[i].c);
	if (!connections.count)
		printf("%sConnection%s no active connection\n", style->title, style->reset);
	return 0;
}

/* Finds the running daemon; errors are logged. After success @info is the caller's to free. */
static int find_daemon(const char *ifname, struct run_info *info)
{
	unsigned int ifindex = if_nametoindex(ifname);
	char path[RUNFILE_PATH_MAX];
	ino_t netns = 0;
	pid_t holder;
	int err;

	if (!ifindex) {
		log_error("There is no interface %s; `ip link` lists them", ifname);
		return -ENODEV;
	}
	err = netif_netns(&netns);
	if (!err)
		err = runfile_path(path, sizeof(path), RUNFILE_DIR, netns, (int)ifindex);
	if (!err)
		err = runfile_read(path, info);
	if (err == -ENOENT)
		log_error("Mimic does not run on %s (there is no %s)", ifname, path);
	else if (err)
		log_error("cannot read the lock file of %s, %s: %s; remove it if no Mimic runs there", ifname, path,
			  strerror(-err));
	if (err)
		return err;
	holder = runfile_holder(path, info);
	if (holder && holder == info->pid)
		return 0;
	if (holder)
		log_error("Mimic (process %d) is not ready on %s: it is starting, or %s was changed meanwhile; then restart it",
			  (int)holder, ifname, path);
	else
		log_error("Mimic does not run on %s: %s is what a killed one left, and goes with the next start", ifname, path);
	runfile_free_info(info);
	return -ESRCH;
}

int cmd_show(const struct args_show *args)
{
	_cleanup_run_info_ struct run_info info = { 0 };
	const struct style *style = style_of_stdout();
	int err;

	err = find_daemon(args->ifname, &info);
	if (err)
		return err;
	if (!info.datapath[0] && strcmp(info.version, PACKAGE_VERSION))
		log_warn(
			"the daemon is Mimic %s, whose filters and connections this version cannot read; restart it",
			info.version);
	else if (!info.datapath[0])
		log_warn("the lock file of %s is damaged: filters and connections are not known; restart Mimic", args->ifname);
	if (args->process) {
		show_process(style, args->ifname, &info);
		open_and_show_counters(style, &info);
	}
	if (args->connections && info.datapath[0]) {
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
