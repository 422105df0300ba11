/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "netif.h"
#include "util.h"

/* Not in the C library's if_arp.h. */
#ifndef ARPHRD_RAWIP
#define ARPHRD_RAWIP 519
#endif
#ifndef ARPHRD_NONE
#define ARPHRD_NONE 0xfffe
#endif
#ifndef ARPHRD_IP6GRE
#define ARPHRD_IP6GRE 823
#endif

static const char *const link_types[] = {
	[LINK_TYPE_AUTO] = "auto",
	[LINK_TYPE_ETH] = "eth",
	[LINK_TYPE_NONE] = "none",
};

const char *netif_link_type_name(enum link_type type)
{
	return link_types[type];
}

int netif_link_type_parse(const char *text, enum link_type *type)
{
	size_t i;

	for (i = LINK_TYPE_ETH; i < ARRAY_SIZE(link_types); i++) {
		if (!strcmp(text, link_types[i])) {
			*type = (enum link_type)i;
			return 0;
		}
	}
	return -EINVAL;
}

static enum link_type link_type_of(unsigned short arphrd)
{
	switch (arphrd) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK: /* has Ethernet headers, all zero */
		return LINK_TYPE_ETH;
	case ARPHRD_NONE:
	case ARPHRD_RAWIP:
	case ARPHRD_PPP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
		return LINK_TYPE_NONE;
	default:
		return LINK_TYPE_AUTO;
	}
}

int netif_netns(ino_t *netns)
{
	struct stat st;

	if (stat("/proc/self/ns/net", &st))
		return -errno;
	*netns = st.st_ino;
	return 0;
}

static bool to_addr(const struct sockaddr *from, struct addr *addr)
{
	if (!from)
		return false;
	if (from->sa_family == AF_INET)
		addr_from_ipv4(addr, ((const struct sockaddr_in *)from)->sin_addr.s_addr);
	else if (from->sa_family == AF_INET6)
		memcpy(addr, &((const struct sockaddr_in6 *)from)->sin6_addr, sizeof(*addr));
	else
		return false;
	return true;
}

/*
 * An IPv4 address may have a label (`eth0:1`), and getifaddrs() gives that for a name. A colon
 * cannot be in an interface's name.
 */
static bool is_of_interface(const struct ifaddrs *info, const char *name)
{
	size_t length = strcspn(info->ifa_name, ":");

	return length == strlen(name) && !strncmp(info->ifa_name, name, length);
}

int netif_read_addrs(struct netif *netif)
{
	char name[sizeof(netif->name)]; /* now: it may have been renamed */
	struct ifaddrs *infos, *info;
	struct addr *addrs, addr;
	size_t count = 0;

	if (!if_indextoname((unsigned int)netif->ifindex, name))
		return errno == ENXIO ? -ENODEV : -errno;
	if (getifaddrs(&infos))
		return -errno;
	for (info = infos; info; info = info->ifa_next)
		count++;
	addrs = calloc(count + 1, sizeof(*addrs));
	if (!addrs) {
		freeifaddrs(infos);
		return -ENOMEM;
	}
	count = 0;
	for (info = infos; info; info = info->ifa_next) {
		if (is_of_interface(info, name) && to_addr(info->ifa_addr, &addr))
			addrs[count++] = addr;
	}
	freeifaddrs(infos);
	free(netif->addrs);
	netif->addrs = addrs;
	netif->addr_count = count;
	return 0;
}

bool netif_is_local(const struct addr *addr)
{
	struct ifaddrs *infos, *info;
	struct addr have;
	bool found = false;

	if (getifaddrs(&infos))
		return false;
	for (info = infos; info && !found; info = info->ifa_next)
		found = to_addr(info->ifa_addr, &have) && !memcmp(&have, addr, sizeof(have));
	freeifaddrs(infos);
	return found;
}

/* One SIOCGIF* request about netif->name. */
static int request(int fd, const struct netif *netif, unsigned long command, struct ifreq *ifr)
{
	memset(ifr, 0, sizeof(*ifr));
	memcpy(ifr->ifr_name, netif->name, sizeof(ifr->ifr_name));
	return ioctl(fd, command, ifr) ? -errno : 0;
}

static void read_driver(int fd, struct netif *netif)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq ifr = { 0 };

	memcpy(ifr.ifr_name, netif->name, sizeof(ifr.ifr_name));
	ifr.ifr_data = (void *)&info;
	if (!ioctl(fd, SIOCETHTOOL, &ifr))
		snprintf(netif->driver, sizeof(netif->driver), "%.*s", (int)sizeof(info.driver) - 1,
			 info.driver);
}

static int read_link(int fd, struct netif *netif)
{
	struct ifreq ifr;
	int err;

	err = request(fd, netif, SIOCGIFINDEX, &ifr);
	if (err)
		return err;
	netif->ifindex = ifr.ifr_ifindex;
	err = request(fd, netif, SIOCGIFMTU, &ifr);
	if (err)
		return err;
	netif->mtu = (unsigned int)ifr.ifr_mtu;
	err = request(fd, netif, SIOCGIFFLAGS, &ifr);
	if (err)
		return err;
	netif->up = ifr.ifr_flags & IFF_UP;
	err = request(fd, netif, SIOCGIFHWADDR, &ifr);
	if (err)
		return err;
	netif->arphrd = ifr.ifr_hwaddr.sa_family;
	netif->link_type = link_type_of(netif->arphrd);
	if (netif->link_type == LINK_TYPE_ETH)
		memcpy(netif->mac, ifr.ifr_hwaddr.sa_data, sizeof(netif->mac));
	return 0;
}

int netif_open(struct netif *netif, const char *name)
{
	_cleanup_netif_ struct netif result = { 0 };
	_cleanup_close_ int fd = -1;
	int err;

	*netif = (struct netif){ 0 };
	_Static_assert(sizeof(result.name) == IF_NAMESIZE, "netif.h spares its users net/if.h");
	if (!*name || strlen(name) >= sizeof(result.name) || strchr(name, ':'))
		return -ENODEV; /* no interface can have such a name; `:` would be a label */
	memcpy(result.name, name, strlen(name));
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = read_link(fd, &result);
	if (!err)
		err = netif_netns(&result.netns);
	if (!err)
		err = netif_read_addrs(&result);
	if (err)
		return err;
	read_driver(fd, &result);
	*netif = result;
	result.addrs = NULL;
	return 0;
}

void netif_close(struct netif *netif)
{
	free(netif->addrs);
	*netif = (struct netif){ 0 };
}
