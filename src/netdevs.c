// SPDX-License-Identifier: GPL-2.0-only
#include "netdevs.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nlask.h"
#include "util.h"

enum {
	NETDEVS_REQUEST = 256,

	/* linux/netdev.h, of Linux 6.3 */
	NETDEVS_CMD_DEV_GET = 1,
	NETDEVS_A_DEV_IFINDEX = 1,
	NETDEVS_A_DEV_XDP_FEATURES = 3,
};

/* --- devices */

/* To other devices, by index; 0: none. */
struct netdevs_ties {
	uint32_t master, link;
};

struct netdevs_listing {
	struct facts_netif *netif;
	int ifindex;
	uint32_t below; /* index of the device that a VLAN or macvlan stands on; 0: none */
	uint32_t master; /* of the interface; 0: none */
	struct netdevs_ties *ties; /* of each of netif->devices */
	bool no_memory;
};

static void netdevs_read_kind(const struct nlattr *info, char *kind, size_t size)
{
	struct nlattr *attr;

	mnl_attr_for_each_nested(attr, info) {
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			snprintf(kind, size, "%s", mnl_attr_get_str(attr));
	}
}

static struct facts_device *netdevs_add(struct netdevs_listing *listing, const struct netdevs_ties *ties)
{
	struct facts_netif *netif = listing->netif;
	struct facts_device *devices = realloc(netif->devices, (netif->device_count + 1) * sizeof(*devices));
	struct netdevs_ties *all = realloc(listing->ties, (netif->device_count + 1) * sizeof(*all));

	if (devices)
		netif->devices = devices;
	if (all)
		listing->ties = all;
	if (!devices || !all) {
		listing->no_memory = true;
		return NULL;
	}
	all[netif->device_count] = *ties;
	devices[netif->device_count] = (struct facts_device){ 0 };
	return &devices[netif->device_count++];
}

static int netdevs_take_device(const struct nlmsghdr *header, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
	struct netdevs_listing *listing = data;
	struct facts_device device = { .ifindex = info->ifi_index }, *room;
	struct netdevs_ties ties = { 0 };
	struct nlattr *attr;

	mnl_attr_for_each(attr, header, sizeof(*info)) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			snprintf(device.name, sizeof(device.name), "%s", mnl_attr_get_str(attr));
			break;
		case IFLA_MTU:
			device.mtu = mnl_attr_get_u32(attr);
			break;
		case IFLA_MASTER:
			ties.master = mnl_attr_get_u32(attr);
			break;
		case IFLA_LINK:
			ties.link = mnl_attr_get_u32(attr);
			break;
		case IFLA_LINKINFO:
			netdevs_read_kind(attr, device.kind, sizeof(device.kind));
			break;
		}
	}
	if (device.ifindex == listing->ifindex) {
		memcpy(listing->netif->kind, device.kind, sizeof(device.kind));
		listing->netif->carrier = info->ifi_flags & IFF_RUNNING ? FACTS_YES : FACTS_NO;
		/* (The link of a veth device is its peer, maybe in another namespace.) */
		listing->below = strcmp(device.kind, "veth") ? ties.link : 0;
		listing->master = ties.master;
		return MNL_CB_OK;
	}
	room = netdevs_add(listing, &ties);
	if (room)
		*room = device;
	return MNL_CB_OK;
}

/* Whether the packets of such a device are those of the one that it is linked to. (Tunnels have links, too.) */
static bool netdevs_shares_link(const char *kind)
{
	static const char *const kinds[] = { "vlan", "macvlan", "macvtap", "ipvlan", "ipvtap" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!strcmp(kind, kinds[i]))
			return true;
	}
	return false;
}

static bool netdevs_is_above(const struct netdevs_listing *listing, size_t index)
{
	const struct facts_netif *netif = listing->netif;
	const struct facts_device *device = &netif->devices[index];
	uint32_t link = netdevs_shares_link(device->kind) ? listing->ties[index].link : 0;

	if (link == (uint32_t)listing->ifindex || listing->master == (uint32_t)device->ifindex)
		return true;
	for (size_t i = 0; i < netif->device_count; i++) {
		if (netif->devices[i].above &&
		    (link == (uint32_t)netif->devices[i].ifindex || listing->ties[i].master == (uint32_t)device->ifindex))
			return true;
	}
	return false;
}

/* Until no more is found: one may stand on another. */
static void netdevs_find_above(struct netdevs_listing *listing)
{
	struct facts_netif *netif = listing->netif;
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < netif->device_count; i++) {
			if (netif->devices[i].above || !netdevs_is_above(listing, i))
				continue;
			netif->devices[i].above = more = true;
		}
	}
}

int netdevs_list(struct facts_netif *netif, int ifindex)
{
	struct netdevs_listing listing = { .netif = netif, .ifindex = ifindex };
	char buffer[NETDEVS_REQUEST];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	int err;

	info->ifi_family = AF_UNSPEC;
	request->nlmsg_type = RTM_GETLINK;
	request->nlmsg_flags = NLM_F_DUMP;
	err = nlask(NETLINK_ROUTE, request, netdevs_take_device, &listing);
	for (size_t i = 0; i < netif->device_count; i++) {
		struct facts_device *device = &netif->devices[i];

		device->below = listing.ties[i].master == (uint32_t)ifindex || (listing.below && device->ifindex == (int)listing.below);
		if (listing.master == (uint32_t)device->ifindex && !strcmp(device->kind, "vrf"))
			netif->vrf = device->ifindex;
	}
	netdevs_find_above(&listing);
	free(listing.ties);
	return listing.no_memory ? -ENOMEM : err;
}

/* --- what the driver says */

static int netdevs_take_family(const struct nlmsghdr *header, void *data)
{
	uint16_t *family = data;
	struct nlattr *attr;

	mnl_attr_for_each(attr, header, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
			*family = mnl_attr_get_u16(attr);
	}
	return MNL_CB_OK;
}

static int netdevs_take_features(const struct nlmsghdr *header, void *data)
{
	struct nlattr *attr;

	mnl_attr_for_each(attr, header, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == NETDEVS_A_DEV_XDP_FEATURES && mnl_attr_get_payload_len(attr) == sizeof(uint64_t))
			memcpy(data, mnl_attr_get_payload(attr), sizeof(uint64_t));
	}
	return MNL_CB_OK;
}

static struct nlmsghdr *netdevs_begin_generic(char *buffer, uint16_t family, uint8_t command)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *generic = mnl_nlmsg_put_extra_header(request, sizeof(*generic));

	request->nlmsg_type = family;
	generic->cmd = command;
	generic->version = 1;
	return request;
}

int netdevs_xdp_features(int ifindex, uint64_t *features)
{
	char buffer[NETDEVS_REQUEST];
	struct nlmsghdr *request = netdevs_begin_generic(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	uint16_t family = 0;
	int err;

	mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, "netdev");
	err = nlask(NETLINK_GENERIC, request, netdevs_take_family, &family);
	if (err || !family)
		return err ? err : -ENOENT;
	request = netdevs_begin_generic(buffer, family, NETDEVS_CMD_DEV_GET);
	mnl_attr_put_u32(request, NETDEVS_A_DEV_IFINDEX, (uint32_t)ifindex);
	*features = 0;
	return nlask(NETLINK_GENERIC, request, netdevs_take_features, features);
}

/* --- TC */

struct netdevs_filters {
	struct facts_netif *netif;
	int ifindex;
	bool ingress;
};

static const char *netdevs_kind(const struct nlmsghdr *header)
{
	struct nlattr *attr;

	mnl_attr_for_each(attr, header, sizeof(struct tcmsg)) {
		if (mnl_attr_get_type(attr) == TCA_KIND)
			return mnl_attr_get_str(attr);
	}
	return "";
}

static int netdevs_take_qdisc(const struct nlmsghdr *header, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(header);
	struct netdevs_filters *filters = data;

	if (tc->tcm_ifindex == filters->ifindex && tc->tcm_parent == TC_H_CLSACT)
		snprintf(filters->netif->qdisc, sizeof(filters->netif->qdisc), "%s", netdevs_kind(header));
	return MNL_CB_OK;
}

static void netdevs_read_program(const struct nlattr *options, struct facts_program *program)
{
	struct nlattr *attr;

	mnl_attr_for_each_nested(attr, options) {
		if (mnl_attr_get_type(attr) == TCA_BPF_ID)
			program->id = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == TCA_BPF_NAME)
			snprintf(program->name, sizeof(program->name), "%s", mnl_attr_get_str(attr));
	}
}

/* A dump begins each priority with an entry that has no handle. */
static int netdevs_take_filter(const struct nlmsghdr *header, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(header);
	struct netdevs_filters *filters = data;
	struct facts_tc found = { .ingress = filters->ingress };
	struct nlattr *attr;

	if (!tc->tcm_handle || filters->netif->tc_count == FACTS_TC_MAX)
		return MNL_CB_OK;
	snprintf(found.kind, sizeof(found.kind), "%s", netdevs_kind(header));
	mnl_attr_for_each(attr, header, sizeof(*tc)) {
		if (mnl_attr_get_type(attr) == TCA_OPTIONS && !strcmp(found.kind, "bpf"))
			netdevs_read_program(attr, &found.program);
	}
	filters->netif->tc[filters->netif->tc_count++] = found;
	return MNL_CB_OK;
}

static int netdevs_ask_tc(uint16_t type, uint32_t parent, mnl_cb_t take, struct netdevs_filters *filters)
{
	char buffer[NETDEVS_REQUEST];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(request, sizeof(*tc));

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_DUMP;
	tc->tcm_ifindex = filters->ifindex;
	tc->tcm_parent = parent;
	return nlask(NETLINK_ROUTE, request, take, filters);
}

int netdevs_list_filters(struct facts_netif *netif, int ifindex)
{
	struct netdevs_filters filters = { .netif = netif, .ifindex = ifindex };
	int err = netdevs_ask_tc(RTM_GETQDISC, 0, netdevs_take_qdisc, &filters);

	if (err || !netif->qdisc[0])
		return err;
	for (int i = 0; !err && i < 2; i++) {
		filters.ingress = i;
		if (!i && strcmp(netif->qdisc, "clsact"))
			continue; /* it has no egress side */
		err = netdevs_ask_tc(RTM_GETTFILTER, TC_H_MAKE(TC_H_CLSACT, i ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS),
				     netdevs_take_filter, &filters);
	}
	return err;
}
