// SPDX-License-Identifier: GPL-2.0-only
#include "rtlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "nlask.h"

enum {
	RTLINK_BUFFER = 1024,
	RTLINK_ALIAS_MAX = 256, /* IFALIASZ of linux/if.h */
};

static int rtlink_talk(struct nlmsghdr *request, mnl_cb_t take, void *data)
{
	return nlask(NETLINK_ROUTE, request, take, data);
}

static struct nlmsghdr *rtlink_begin(char *buffer, uint16_t type, unsigned int ifindex, unsigned int flags)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;

	request->nlmsg_type = type;
	info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = (int)ifindex;
	info->ifi_flags = flags;
	info->ifi_change = flags;
	return request;
}

static void rtlink_put_common(struct nlmsghdr *request, const char *name, unsigned int mtu)
{
	mnl_attr_put_strz(request, IFLA_IFNAME, name);
	mnl_attr_put_u32(request, IFLA_MTU, mtu);
	mnl_attr_put_u32(request, IFLA_GSO_MAX_SEGS, 1);
}

int rtlink_set_no_addresses(unsigned int ifindex)
{
	char buffer[RTLINK_BUFFER];
	struct nlmsghdr *request = rtlink_begin(buffer, RTM_NEWLINK, ifindex, 0);
	struct nlattr *spec = mnl_attr_nest_start(request, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(request, AF_INET6);

	mnl_attr_put_u8(request, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(request, inet6);
	mnl_attr_nest_end(request, spec);
	return rtlink_talk(request, NULL, NULL);
}

static int rtlink_read_alias(const struct nlmsghdr *header, void *data)
{
	const char *alias = NULL;
	char *copy = data;
	struct nlattr *attr;

	mnl_attr_for_each(attr, header, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attr) == IFLA_IFALIAS)
			alias = mnl_attr_get_str(attr);
	}
	snprintf(copy, RTLINK_ALIAS_MAX, "%s", alias ? alias : "");
	return MNL_CB_OK;
}

bool rtlink_has_alias(const char *name, const char *alias)
{
	char buffer[RTLINK_BUFFER], found[RTLINK_ALIAS_MAX] = "";
	unsigned int ifindex = if_nametoindex(name);

	return ifindex && !rtlink_talk(rtlink_begin(buffer, RTM_GETLINK, ifindex, 0), rtlink_read_alias, found) &&
	       !strcmp(found, alias);
}

static int rtlink_read_tx_dropped(const struct nlmsghdr *header, void *data)
{
	struct rtnl_link_stats64 stats;
	uint64_t *packets = data;
	struct nlattr *attr;

	mnl_attr_for_each(attr, header, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attr) != IFLA_STATS64 ||
		    mnl_attr_get_payload_len(attr) < offsetof(struct rtnl_link_stats64, tx_dropped) + sizeof(stats.tx_dropped))
			continue;
		memcpy(&stats, mnl_attr_get_payload(attr), offsetof(struct rtnl_link_stats64, multicast)); /* (unaligned) */
		*packets = stats.tx_dropped;
	}
	return MNL_CB_OK;
}

int rtlink_tx_dropped(unsigned int ifindex, uint64_t *packets)
{
	char buffer[RTLINK_BUFFER];

	*packets = 0;
	return rtlink_talk(rtlink_begin(buffer, RTM_GETLINK, ifindex, 0), rtlink_read_tx_dropped, packets);
}

int rtlink_make_veth(const char *name, const char *peer, unsigned int mtu, const char *alias)
{
	char buffer[RTLINK_BUFFER];
	struct nlmsghdr *request = rtlink_begin(buffer, RTM_NEWLINK, 0, IFF_NOARP);
	struct nlattr *info, *data, *end;
	struct ifinfomsg *peer_info;
	int err;

	request->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	rtlink_put_common(request, name, mtu);
	info = mnl_attr_nest_start(request, IFLA_LINKINFO);
	mnl_attr_put_strz(request, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(request, IFLA_INFO_DATA);
	end = mnl_attr_nest_start(request, VETH_INFO_PEER);
	peer_info = mnl_nlmsg_put_extra_header(request, sizeof(*peer_info));
	peer_info->ifi_family = AF_UNSPEC;
	peer_info->ifi_flags = IFF_NOARP;
	peer_info->ifi_change = IFF_NOARP;
	rtlink_put_common(request, peer, mtu);
	mnl_attr_nest_end(request, end);
	mnl_attr_nest_end(request, data);
	mnl_attr_nest_end(request, info);
	err = rtlink_talk(request, NULL, NULL);
	if (err)
		return err;
	/* Not taken at creation. */
	request = rtlink_begin(buffer, RTM_NEWLINK, if_nametoindex(name), 0);
	mnl_attr_put_strz(request, IFLA_IFALIAS, alias);
	return rtlink_talk(request, NULL, NULL);
}

int rtlink_delete(const char *name)
{
	char buffer[RTLINK_BUFFER];
	unsigned int ifindex = if_nametoindex(name);

	if (!ifindex)
		return -ENODEV;
	return rtlink_talk(rtlink_begin(buffer, RTM_DELLINK, ifindex, 0), NULL, NULL);
}

int rtlink_set_mtu(unsigned int ifindex, unsigned int mtu)
{
	char buffer[RTLINK_BUFFER];
	struct nlmsghdr *request = rtlink_begin(buffer, RTM_NEWLINK, ifindex, 0);

	mnl_attr_put_u32(request, IFLA_MTU, mtu);
	return rtlink_talk(request, NULL, NULL);
}

int rtlink_set_up(unsigned int ifindex)
{
	char buffer[RTLINK_BUFFER];

	return rtlink_talk(rtlink_begin(buffer, RTM_NEWLINK, ifindex, IFF_UP | IFF_NOARP), NULL, NULL);
}
