// SPDX-License-Identifier: GPL-2.0-only
#include "instance.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "netif.h"
#include "util.h"

enum {
	INSTANCE_TRIES = 3,
	INSTANCE_BATCH = 4096, /* connections in one system call; grows when a hash bucket has more */
};

/* Reads the file again when it was replaced under way, by an instance that took over. */
static int instance_read(const char *path, struct run_info *info, pid_t *holder)
{
	int err = 0;

	for (int i = 0; i < INSTANCE_TRIES; i++) {
		err = runfile_read(path, info);
		if (err)
			return err;
		*holder = runfile_holder(path, info);
		if (*holder == info->pid || i == INSTANCE_TRIES - 1)
			break;
		runfile_free_info(info);
	}
	return 0;
}

int instance_find(const char *ifname, struct run_info *info)
{
	unsigned int ifindex = if_nametoindex(ifname);
	char path[RUNFILE_PATH_MAX];
	ino_t netns = 0;
	pid_t holder = 0;
	int err;

	if (!ifindex) {
		log_error("There is no interface %s; `ip link` lists them", ifname);
		return -ENODEV;
	}
	err = netif_netns(&netns);
	if (!err)
		err = runfile_path(path, sizeof(path), RUNFILE_DIR, netns, (int)ifindex);
	if (!err)
		err = instance_read(path, info, &holder);
	if (err == -ENOENT)
		log_error("Mimic does not run on %s (there is no %s)", ifname, path);
	else if (err)
		log_error("cannot read the lock file of %s, %s: %s; remove it if no Mimic runs there", ifname, path,
			  strerror(-err));
	if (err)
		return err;
	if (holder && holder == info->pid)
		return 0;
	if (holder)
		log_error("Mimic (process %d) is not ready on %s: it is starting, or %s was changed meanwhile; then restart it",
			  (int)holder, ifname, path);
	else
		log_error("Mimic does not run on %s: %s is what a killed one left, and goes with the next start, or by `mimic stop`", ifname, path);
	runfile_free_info(info);
	return -ESRCH;
}

void instance_free_conns(struct instance_conns *conns)
{
	free(conns->keys);
	free(conns->values);
	*conns = (struct instance_conns){ 0 };
}

/* Makes room for @more beyond the count. */
static int instance_reserve(struct instance_conns *conns, size_t more)
{
	size_t room = conns->count + more;
	struct conn_key *keys;
	struct mimic_conn *values;

	if (room <= conns->room)
		return 0;
	keys = realloc(conns->keys, room * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	conns->keys = keys;
	values = realloc(conns->values, room * sizeof(*values));
	if (!values)
		return -ENOMEM;
	conns->values = values;
	conns->room = room;
	return 0;
}

/*
 * Copies the map in batches: unlike a walk from key to key, that neither begins again nor repeats
 * itself when connections come and go meanwhile. The lock makes each connection's fields agree with
 * each other.
 */
static int instance_copy_conns(int fd, struct instance_conns *conns)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = BPF_F_LOCK);
	__u32 in = 0, out = 0, count, batch = INSTANCE_BATCH;
	bool first = true;
	int err;

	for (;;) {
		err = instance_reserve(conns, batch);
		if (err)
			return err;
		count = batch;
		err = bpf_map_lookup_batch(fd, first ? NULL : &in, &out,
					   conns->keys + conns->count,
					   conns->values + conns->count, &count, &opts);
		if (err == -ENOSPC && batch < MIMIC_CONNS_MAX) {
			batch *= 2;
			continue;
		}
		if (err && err != -ENOENT)
			return err;
		conns->count += count;
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
static bool instance_has_our_layout(int fd, const struct run_info *run)
{
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);

	return !strcmp(run->version, PACKAGE_VERSION) && !bpf_obj_get_info_by_fd(fd, &info, &length) &&
	       info.key_size == sizeof(struct conn_key) && info.value_size == sizeof(struct mimic_conn);
}

int instance_read_conns(const struct run_info *info, struct instance_conns *conns)
{
	_cleanup_close_ int fd = bpf_map_get_fd_by_id(info->conns_id);
	int err;

	if (fd < 0) {
		log_error("cannot open the connection map %u: %s%s", info->conns_id, strerror(-fd),
			  fd == -EPERM ? "; run as root" : "");
		return fd;
	}
	if (!instance_has_our_layout(fd, info)) {
		log_error("the daemon is Mimic %s and this is %s, which cannot read its connections; restart it", info->version,
			  PACKAGE_VERSION);
		return -EPROTO;
	}
	err = instance_copy_conns(fd, conns);
	if (err)
		log_error("cannot read the connection map %u: %s", info->conns_id, strerror(-err));
	return err;
}
