// SPDX-License-Identifier: GPL-2.0-only
#include "udpguard.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clsact.h"
#include "log.h"
#include "mapupdate.h"
#include "percpu.h"
#include "udpguard.skel.h"
#include "util.h"

enum {
	UDPGUARD_MAPS_MAX = 16, /* of its program; it has fewer */
};

#define _cleanup_skeleton_ __attribute__((cleanup(udpguard_close)))

static void udpguard_close(struct udpguard_bpf **skeleton)
{
	udpguard_bpf__destroy(*skeleton);
}

static void udpguard_set_ports(struct udpguard_config *config, const struct udpguard_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct filter_key *key = &rules->items[i].end.key;
		__u8 *bits = key->origin == ORIGIN_LOCAL ? config->local_ports : config->remote_ports;
		uint16_t port = be16_to_host(key->port);

		bits[port >> 3] |= (__u8)(1 << (port & 7));
	}
}

/* Returns 0 or -errno. */
static int udpguard_load(struct udpguard_bpf **loaded, const struct udpguard_rules *rules, bool ethernet)
{
	_cleanup_skeleton_ struct udpguard_bpf *skeleton = udpguard_bpf__open();
	_cleanup_free_ struct udpguard_config *config = calloc(1, sizeof(*config));
	size_t size = 0;
	int err;

	if (!skeleton || !config)
		return -ENOMEM;
	config->ethernet = ethernet;
	udpguard_set_ports(config, rules);
	bpf_map__initial_value(skeleton->maps.rodata, &size);
	if (size != sizeof(*config))
		return -EINVAL;
	err = bpf_map__set_initial_value(skeleton->maps.rodata, config, sizeof(*config));
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.rules, (__u32)rules->count + 1);
	if (!err)
		err = udpguard_bpf__load(skeleton);
	for (size_t i = 0; !err && i < rules->count; i++)
		err = mapupdate(bpf_map__fd(skeleton->maps.rules), &rules->items[i].end, &rules->items[i].rule);
	if (err)
		return err;
	*loaded = TAKE_PTR(skeleton);
	return 0;
}

int udpguard_try(const struct udpguard_rules *rules, bool ethernet)
{
	_cleanup_skeleton_ struct udpguard_bpf *skeleton = NULL;
	int err = rules->drops ? udpguard_load(&skeleton, rules, ethernet) : 0;

	if (err)
		log_error("Cannot load the guard that udp=drop needs: %s", strerror(-err));
	return err;
}

void udpguard_warn_of_dns(const struct udpguard_rules *rules)
{
	if (rules->dns)
		log_warn("A filter with udp=drop has a host name and port 53: what this host asks DNS by UDP is kept in as well; give the address "
			 "instead of the name");
}

int udpguard_set(int ifindex, const struct udpguard_rules *rules, bool ethernet)
{
	_cleanup_skeleton_ struct udpguard_bpf *skeleton = NULL;
	bool made = false, found;
	int err;

	if (!rules->drops) {
		err = udpguard_remove(ifindex, &found);
		if (err && err != -EOPNOTSUPP)
			log_error("Cannot remove the guard of plain UDP: %s", strerror(-err));
		return err == -EOPNOTSUPP ? 0 : err;
	}
	err = udpguard_load(&skeleton, rules, ethernet);
	if (!err) {
		int fd = bpf_program__fd(skeleton->progs.mimic_udpguard);

		err = clsact_replace(ifindex, fd, CLSACT_GUARD, &made);
		if (err) /* there is none, or not even a qdisc */
			err = clsact_attach(ifindex, fd, CLSACT_GUARD, &made);
	}
	if (err)
		log_error("Cannot set the guard that udp=drop needs: %s%s", strerror(-err),
			  err == -EBUSY ? "; the interface has the qdisc ingress: put clsact in its place, which serves both directions" :
			  err == -EOPNOTSUPP ? "; the kernel needs CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS" : "");
	return err;
}

int udpguard_remove(int ifindex, bool *found)
{
	bool made;
	int err = clsact_remove(ifindex, CLSACT_GUARD, found, &made);

	if (!err && made)
		clsact_close(ifindex);
	return err;
}

int udpguard_find(int ifindex)
{
	__u32 id;

	return clsact_query(ifindex, CLSACT_GUARD, &id);
}

int udpguard_read(int ifindex, uint64_t *dropped)
{
	_cleanup_close_ int fd = -1;
	__u32 ids[UDPGUARD_MAPS_MAX], id = 0;
	struct bpf_prog_info info = { .nr_map_ids = UDPGUARD_MAPS_MAX, .map_ids = (__u64)(unsigned long)ids };
	__u32 len = sizeof(info);
	int err = clsact_query(ifindex, CLSACT_GUARD, &id);

	if (err)
		return err;
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	*dropped = 0;
	for (__u32 i = 0; i < info.nr_map_ids && i < UDPGUARD_MAPS_MAX; i++) {
		_cleanup_close_ int map_fd = bpf_map_get_fd_by_id(ids[i]);
		struct bpf_map_info map = {};

		len = sizeof(map);
		if (map_fd >= 0 && !bpf_obj_get_info_by_fd(map_fd, &map, &len) && !strcmp(map.name, "dropped"))
			*dropped = percpu_sum(map_fd, 0);
	}
	return 0;
}
