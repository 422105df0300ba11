// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ethfeature.h"
#include "facts.h"
#include "netdevs.h"
#include "udpguard.h"
#include "util.h"

enum {
	/* BPF_TCX_* of enum bpf_attach_type; the headers of libbpf 1.1 lack them */
	FACTS_TCX_INGRESS = 46,
	FACTS_TCX_EGRESS = 47,

	/* enum netdev_xdp_act of linux/netdev.h */
	FACTS_XDP_BASIC = 1,
	FACTS_XDP_FRAGMENTS = 32,

	FACTS_QUERY_MAX = 64,
};

static enum facts_answer facts_answer_of(bool yes)
{
	return yes ? FACTS_YES : FACTS_NO;
}

/* Only those who may ask get to know it. */
static void facts_name_program(struct facts_program *program)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(program->id);
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len))
		snprintf(program->name, sizeof(program->name), "%s", info.name);
}

static void facts_find_xdp(struct facts_netif *netif)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	const char *mode;

	if (bpf_xdp_query(netif->netif.ifindex, 0, &opts))
		return;
	netif->xdp.id = opts.drv_prog_id ? opts.drv_prog_id : opts.skb_prog_id ? opts.skb_prog_id : opts.hw_prog_id;
	if (!netif->xdp.id)
		netif->xdp.id = opts.prog_id;
	if (!netif->xdp.id)
		return;
	mode = opts.skb_prog_id || opts.attach_mode == XDP_ATTACHED_SKB ? "skb" :
	       opts.hw_prog_id || opts.attach_mode == XDP_ATTACHED_HW	? "hardware" :
									  "native";
	snprintf(netif->xdp_mode, sizeof(netif->xdp_mode), "%s", mode);
	facts_name_program(&netif->xdp);
}

/* The attribute takes an interface where other hooks have a descriptor. */
static void facts_find_tcx(struct facts_netif *netif, bool ingress)
{
	__u32 ids[FACTS_QUERY_MAX], count = ARRAY_SIZE(ids);
	int err = bpf_prog_query(netif->netif.ifindex, (enum bpf_attach_type)(ingress ? FACTS_TCX_INGRESS : FACTS_TCX_EGRESS), 0,
				 NULL, ids, &count);

	if (err && errno != EPERM)
		netif->tcx = FACTS_NO;
	if (err)
		return;
	netif->tcx = FACTS_YES;
	for (__u32 i = 0; i < count && netif->tc_count < FACTS_TC_MAX; i++) {
		struct facts_tc *found = &netif->tc[netif->tc_count++];

		*found = (struct facts_tc){ .ingress = ingress, .tcx = true, .kind = "bpf", .program.id = ids[i] };
		facts_name_program(&found->program);
	}
}

static enum facts_answer facts_read_feature(int fd, const char *name, const char *feature)
{
	bool on;

	return ethfeature_get(fd, name, feature, &on) ? FACTS_UNKNOWN : facts_answer_of(on);
}

static void facts_find_offloads(struct facts_netif *netif)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	netif->gro_list = facts_read_feature(fd, netif->netif.name, "rx-gro-list");
	netif->udp_gro_forwarding = facts_read_feature(fd, netif->netif.name, "rx-udp-gro-forwarding");
	for (size_t i = 0; i < netif->device_count; i++) {
		struct facts_device *device = &netif->devices[i];

		if (!device->below)
			continue;
		device->gro = facts_read_feature(fd, device->name, "rx-gro");
		device->lro = facts_read_feature(fd, device->name, "rx-lro");
		if (device->lro != FACTS_YES && facts_read_feature(fd, device->name, "rx-gro-hw") == FACTS_YES)
			device->lro = FACTS_YES;
	}
}

static void facts_find_native_xdp(struct facts_netif *netif)
{
	uint64_t features;

	if (netdevs_xdp_features(netif->netif.ifindex, &features))
		return;
	netif->native_xdp = facts_answer_of(features & FACTS_XDP_BASIC);
	netif->native_xdp_fragments = facts_answer_of(features & FACTS_XDP_FRAGMENTS);
}

void facts_find_netif(struct facts_netif *netif, const char *ifname)
{
	netif->error = netif_open(&netif->netif, ifname);
	if (netif->error)
		return;
	netdevs_list(netif, netif->netif.ifindex);
	facts_find_native_xdp(netif);
	facts_find_xdp(netif);
	facts_find_tcx(netif, false);
	facts_find_tcx(netif, true);
	netdevs_list_filters(netif, netif->netif.ifindex);
	udpguard_read(netif->netif.ifindex, &netif->guard_dropped);
	facts_find_offloads(netif);
}
