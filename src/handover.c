// SPDX-License-Identifier: GPL-2.0-only
#include "handover.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <unistd.h>

#include "abifile.h"
#include "util.h"

static const struct {
	const char *name;
	const char *map; /* in the BPF objects */
} handover_items[HANDOVER_ITEMS] = {
	[HANDOVER_CONNS] = { "conns", "conns" },
	[HANDOVER_FILTERS] = { "filters", "filters" },
	[HANDOVER_PREFIXES] = { "prefixes", "prefixes" },
	[HANDOVER_EVENTS] = { "events", "events" },
	[HANDOVER_HELD] = { "held", "held" },
	[HANDOVER_COUNTERS] = { "counters", "counters" },
	[HANDOVER_TOTALS] = { "totals", "filter_totals" },
	[HANDOVER_TRACES] = { "traces", "traces" },
	[HANDOVER_FRAGMENTS] = { "fragments", "fragments" },
	[HANDOVER_RESETS] = { "resets", "resets" },
	[HANDOVER_SHARED] = { "shared", ".data.shared" },
	[HANDOVER_CONFIG] = { "config", ".rodata" },
	[HANDOVER_XDP] = { "link-xdp", NULL },
	[HANDOVER_TC_INGRESS] = { "link-tc-ingress", NULL },
	[HANDOVER_TC_EGRESS] = { "link-tc-egress", NULL },
	[HANDOVER_STAGING_NEAR] = { "link-staging-near", NULL },
	[HANDOVER_STAGING_FAR] = { "link-staging-far", NULL },
	[HANDOVER_STAGING_TC] = { "link-staging-tc", NULL },
};

void handover_init(struct handover *handover)
{
	for (size_t i = 0; i < HANDOVER_ITEMS; i++)
		handover->fd[i] = -1;
}

const char *handover_name(enum handover_item item)
{
	return handover_items[item].name;
}

void handover_put(struct handover *handover, const char *name, int fd)
{
	for (size_t i = 0; i < HANDOVER_ITEMS; i++) {
		if (strcmp(name, handover_items[i].name) || handover->fd[i] >= 0)
			continue;
		handover->fd[i] = fd;
		return;
	}
	close(fd);
}

bool handover_is_empty(const struct handover *handover)
{
	for (size_t i = 0; i < HANDOVER_ITEMS; i++) {
		if (handover->fd[i] >= 0)
			return false;
	}
	return true;
}

void handover_gather(struct handover *handover, const struct datapath *datapath, const struct attachment *attachment,
		     const struct staging *staging)
{
	handover_init(handover);
	for (size_t i = 0; i < HANDOVER_MAPS; i++)
		handover->fd[i] = datapath_map_fd(datapath, handover_items[i].map);
	handover->fd[HANDOVER_XDP] = attachment->xdp_link;
	handover->fd[HANDOVER_TC_INGRESS] = attachment->ingress_link;
	handover->fd[HANDOVER_TC_EGRESS] = attachment->egress_link;
	handover->fd[HANDOVER_STAGING_NEAR] = staging->near_xdp;
	handover->fd[HANDOVER_STAGING_FAR] = staging->far_xdp;
	handover->fd[HANDOVER_STAGING_TC] = staging->near_tc;
}

/* What the predecessor told its programs. It may be of another ABI: then only the beginning means something. */
static int handover_read_config(int fd, struct mimic_config *config)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info), key = 0;
	_cleanup_free_ char *value = NULL;

	if (bpf_obj_get_info_by_fd(fd, &info, &len) || info.type != BPF_MAP_TYPE_ARRAY || info.max_entries != 1)
		return -EBADF;
	value = calloc(1, info.value_size > sizeof(*config) ? info.value_size : sizeof(*config));
	if (!value)
		return -ENOMEM;
	if (bpf_map_lookup_elem(fd, &key, value))
		return -errno;
	memcpy(config, value, sizeof(*config));
	return 0;
}

/* The link is that of the program that the interface has now: a link whose interface has gone is none. */
static bool handover_is_attached(int link, int ifindex)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info), id = 0;

	return !bpf_obj_get_info_by_fd(link, &info, &len) && info.type == BPF_LINK_TYPE_XDP &&
	       (int)info.xdp.ifindex == ifindex && !bpf_xdp_query_id(ifindex, 0, &id) && id == info.prog_id;
}

int handover_check(const struct handover *handover, int ifindex, struct mimic_config *config, const char **why)
{
	struct datapath_map maps[HANDOVER_MAPS];
	size_t count = handover_maps(handover, maps);
	int err;

	*why = "not all of its maps and links are there";
	if (count != HANDOVER_MAPS || handover->fd[HANDOVER_XDP] < 0)
		return -EBADF;
	err = handover_read_config(handover->fd[HANDOVER_CONFIG], config);
	if (err)
		return err;
	*why = "its programs and maps are of another version of Mimic";
	if (config->abi != abifile_own() || !datapath_maps_fit(maps, count))
		return -EPROTO;
	*why = "it ran on another interface, or on one that was removed meanwhile";
	if ((int)config->ifindex != ifindex || !handover_is_attached(handover->fd[HANDOVER_XDP], ifindex))
		return -ENODEV;
	return 0;
}

size_t handover_maps(const struct handover *handover, struct datapath_map *maps)
{
	size_t count = 0;

	for (size_t i = 0; i < HANDOVER_MAPS; i++) {
		if (handover->fd[i] >= 0)
			maps[count++] = (struct datapath_map){ handover_items[i].map, handover->fd[i] };
	}
	return count;
}

void handover_take_links(struct handover *handover, struct attachment *attachment, struct staging *staging)
{
	attachment->xdp_link = TAKE_FD(handover->fd[HANDOVER_XDP]);
	attachment->ingress_link = TAKE_FD(handover->fd[HANDOVER_TC_INGRESS]);
	attachment->egress_link = TAKE_FD(handover->fd[HANDOVER_TC_EGRESS]);
	staging->near_xdp = TAKE_FD(handover->fd[HANDOVER_STAGING_NEAR]);
	staging->far_xdp = TAKE_FD(handover->fd[HANDOVER_STAGING_FAR]);
	staging->near_tc = TAKE_FD(handover->fd[HANDOVER_STAGING_TC]);
}

/* Adds what is in a map: that of prefixes, a trie, or that of addresses. The values of both begin with the settings. */
static int handover_read_map(struct datapath *datapath, int map_fd, struct filter_list *list, bool is_trie)
{
	struct filter_prefix at, next = { .bits = FILTER_KEY_HEAD_BITS + ADDR_BITS };
	void *previous = NULL, *key = is_trie ? (void *)&next : (void *)&next.key;
	struct mimic_prefix value = { 0 };

	while (list->count < 2 * MIMIC_FILTERS_MAX && !bpf_map_get_next_key(map_fd, previous, key)) {
		struct filter *filter = &list->items[list->count];

		if (bpf_map_lookup_elem(map_fd, key, &value))
			return -errno;
		*filter = (struct filter){
			.key = next.key,
			.prefix_len = (uint8_t)(next.bits - FILTER_KEY_HEAD_BITS),
			.patch = { .given = SETTINGS_ALL, .value = value.settings },
		};
		list->count++;
		if (datapath_adopt_filter(datapath, filter))
			return -ENOMEM;
		at = next;
		previous = is_trie ? (void *)&at : (void *)&at.key;
	}
	return 0;
}

int handover_read_filters(struct datapath *datapath, struct filter_list *list)
{
	int err;

	list->items = calloc(2 * MIMIC_FILTERS_MAX, sizeof(*list->items));
	if (!list->items)
		return -ENOMEM;
	err = handover_read_map(datapath, datapath->filters_fd, list, false);
	return err ? err : handover_read_map(datapath, datapath->prefixes_fd, list, true);
}

void handover_detach(struct handover *handover)
{
	for (size_t i = HANDOVER_MAPS; i < HANDOVER_ITEMS; i++)
		attach_drop_link(&handover->fd[i]);
}

void handover_close(struct handover *handover)
{
	for (size_t i = 0; i < HANDOVER_ITEMS; i++) {
		util_close_fd(&handover->fd[i]);
		handover->fd[i] = -1;
	}
}
