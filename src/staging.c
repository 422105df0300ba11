// SPDX-License-Identifier: GPL-2.0-only
#include "staging.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attach.h"
#include "clsact.h"
#include "datapath.h"
#include "ethfeature.h"
#include "log.h"
#include "rtlink.h"
#include "util.h"

#define STAGING_ALIAS "staging device of mimic" /* marks the near end as ours */

enum {
	STAGING_MTU_MAX = 65535, /* of a veth device: ETH_MAX_MTU */
};

/*
 * Everything that a device may leave to the next one is switched off at the near end, so that packets are whole when they
 * arrive at the far end: checksums, segmentation, scatter-gather, and VLAN tags beside the packet. Checksums
 * first: the kernel switches off what depends on them.
 */
static int staging_switch_offloads_off(const char *name)
{
	const __u32 commands[] = { ETHTOOL_STXCSUM, ETHTOOL_SSG, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SFLAGS };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err, result;

	if (fd < 0)
		return -errno;
	/* No old command knows of 802.1ad tags. */
	result = ethfeature_set(fd, name, "tx-vlan-stag-hw-insert", false);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		err = ethfeature_set_group(fd, name, commands[i], 0);
		if (err)
			result = err;
	}
	return result;
}

static void staging_name(char *near, size_t size, const struct netif *netif)
{
	snprintf(near, size, "mimic%d", netif->ifindex);
}

void staging_clear(const struct netif *netif)
{
	char near[sizeof(((struct staging *)0)->near)];
	int err;

	staging_name(near, sizeof(near), netif);
	if (!rtlink_has_alias(near, STAGING_ALIAS))
		return;
	err = rtlink_delete(near);
	if (err)
		log_warn("Cannot remove the staging device %s of an instance that was killed: %s", near, strerror(-err));
	else
		log_info("Removed the staging device %s of an instance that was killed", near);
}

static void staging_names(struct staging *staging, const struct netif *netif)
{
	staging_name(staging->near, sizeof(staging->near), netif);
	snprintf(staging->far, sizeof(staging->far), "mimic%df", netif->ifindex);
}

static int staging_make(struct staging *staging, const struct netif *netif)
{
	int err;

	staging_names(staging, netif);
	staging->mtu = netif->mtu < STAGING_MTU_MAX ? netif->mtu : STAGING_MTU_MAX; /* lo has 65536 */
	err = rtlink_make_veth(staging->near, staging->far, staging->mtu, STAGING_ALIAS);
	if (err) {
		staging->near[0] = '\0';
		return err;
	}
	staging->near_ifindex = if_nametoindex(staging->near);
	staging->far_ifindex = if_nametoindex(staging->far);
	if (!staging->near_ifindex || !staging->far_ifindex)
		return -ENODEV;
	rtlink_set_no_addresses(staging->near_ifindex);
	rtlink_set_no_addresses(staging->far_ifindex);
	return 0;
}

static int staging_attach(struct staging *staging, const struct datapath *datapath)
{
	int fd = attach_xdp(staging->near_ifindex, datapath->staging_pass_fd, XDP_MODE_NATIVE);

	if (fd < 0)
		return fd;
	staging->near_xdp = fd;
	fd = attach_xdp(staging->far_ifindex, datapath->staging_turn_fd, XDP_MODE_NATIVE);
	if (fd < 0)
		return fd;
	staging->far_xdp = fd;
	fd = attach_tc_ingress(staging->near_ifindex, datapath->staged_fd);
	if (fd < 0 && fd != -ENOTSUP)
		return fd;
	staging->near_tc = fd;
	return 0;
}

int staging_open(struct staging *staging, const struct netif *netif, const struct datapath *datapath)
{
	int err = staging_make(staging, netif);

	if (!err)
		err = staging_switch_offloads_off(staging->near);
	if (!err)
		err = staging_attach(staging, datapath);
	if (!err)
		err = rtlink_set_up(staging->near_ifindex);
	if (!err)
		err = rtlink_set_up(staging->far_ifindex);
	if (err)
		log_error("Cannot make the staging device (a veth pair) for %s: %s", netif->name, strerror(-err));
	return err;
}

/* Our pair by its names, if it is there. Returns 0 or -ENODEV. */
static int staging_find(struct staging *staging, const struct netif *netif)
{
	staging_names(staging, netif);
	staging->near_ifindex = if_nametoindex(staging->near);
	staging->far_ifindex = if_nametoindex(staging->far);
	if (staging->near_ifindex && staging->far_ifindex && rtlink_has_alias(staging->near, STAGING_ALIAS))
		return 0;
	staging->near[0] = '\0';
	return -ENODEV;
}

int staging_take(struct staging *staging, const struct netif *netif, const struct datapath *datapath)
{
	bool made;
	int err = staging->near_xdp < 0 || staging->far_xdp < 0 ? -ENODEV : staging_find(staging, netif);

	if (!err)
		err = bpf_link_update(staging->near_xdp, datapath->staging_pass_fd, NULL);
	if (!err)
		err = bpf_link_update(staging->far_xdp, datapath->staging_turn_fd, NULL);
	if (!err && staging->near_tc >= 0)
		err = bpf_link_update(staging->near_tc, datapath->staged_fd, NULL);
	else if (!err)
		err = clsact_replace((int)staging->near_ifindex, datapath->staged_fd, true, &made);
	if (!err)
		staging_set_mtu(staging, netif->mtu);
	return err;
}

void staging_leave(struct staging *staging)
{
	util_close_fd(&staging->near_tc);
	util_close_fd(&staging->far_xdp);
	util_close_fd(&staging->near_xdp);
	*staging = (struct staging)STAGING_INIT;
}

void staging_set_mtu(struct staging *staging, unsigned int mtu)
{
	if (mtu > STAGING_MTU_MAX)
		mtu = STAGING_MTU_MAX;
	if (!staging->near[0] || mtu == staging->mtu)
		return;
	if (!rtlink_set_mtu(staging->near_ifindex, mtu) && !rtlink_set_mtu(staging->far_ifindex, mtu))
		staging->mtu = mtu;
	else
		log_warn("Cannot set the MTU of the staging device %s to %u", staging->near, mtu);
}

bool staging_is_gone(const struct staging *staging)
{
	char name[IF_NAMESIZE];

	return staging->near[0] && !if_indextoname(staging->near_ifindex, name);
}

uint64_t staging_lost(struct staging *staging)
{
	uint64_t there, back;

	if (staging->near[0] && !rtlink_tx_dropped(staging->near_ifindex, &there) &&
	    !rtlink_tx_dropped(staging->far_ifindex, &back) && there + back > staging->lost)
		staging->lost = there + back;
	return staging->lost;
}

void staging_close(struct staging *staging)
{
	if (staging->near[0])
		rtlink_delete(staging->near);
	staging_leave(staging);
}
