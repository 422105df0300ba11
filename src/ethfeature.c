// SPDX-License-Identifier: GPL-2.0-only
#include "ethfeature.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util.h"

static int ethfeature_ioctl(int fd, const char *name, void *command)
{
	struct ifreq request = { .ifr_data = command };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
}

/* How many features the kernel knows, or -errno. */
static int ethfeature_count(int fd, const char *name)
{
	union {
		struct ethtool_sset_info info;
		char room[sizeof(struct ethtool_sset_info) + sizeof(__u32)];
	} query = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES } };
	int err = ethfeature_ioctl(fd, name, &query);
	__u32 count = 0;

	if (err)
		return err;
	if (query.info.sset_mask)
		memcpy(&count, query.room + sizeof(struct ethtool_sset_info), sizeof(count));
	return (int)count;
}

/* The bit of @feature among @count, -ENOENT when there is none of that name, or another -errno. */
static int ethfeature_find(int fd, const char *name, const char *feature, int count)
{
	_cleanup_free_ struct ethtool_gstrings *strings =
		calloc(1, sizeof(*strings) + (size_t)count * ETH_GSTRING_LEN);
	int err;

	if (!strings)
		return -ENOMEM;
	strings->cmd = ETHTOOL_GSTRINGS;
	strings->string_set = ETH_SS_FEATURES;
	strings->len = (__u32)count;
	err = ethfeature_ioctl(fd, name, strings);
	if (err)
		return err;
	for (int i = 0; i < count; i++) {
		if (!strncmp((const char *)strings->data + (size_t)i * ETH_GSTRING_LEN, feature, ETH_GSTRING_LEN))
			return i;
	}
	return -ENOENT;
}

int ethfeature_set(int fd, const char *name, const char *feature, bool on)
{
	int count = ethfeature_count(fd, name), bit = count < 0 ? count : ethfeature_find(fd, name, feature, count);
	size_t blocks = ((size_t)(count > 0 ? count : 0) + 31) / 32;
	_cleanup_free_ struct ethtool_sfeatures *set = NULL;

	if (bit < 0)
		return bit == -ENOENT ? 0 : bit;
	set = calloc(1, sizeof(*set) + blocks * sizeof(set->features[0]));
	if (!set)
		return -ENOMEM;
	set->cmd = ETHTOOL_SFEATURES;
	set->size = (__u32)blocks;
	set->features[bit / 32].valid = 1U << (bit % 32);
	set->features[bit / 32].requested = on ? set->features[bit / 32].valid : 0;
	return ethfeature_ioctl(fd, name, set);
}

int ethfeature_set_group(int fd, const char *name, __u32 command, __u32 value)
{
	struct ethtool_value request = { .cmd = command, .data = value };
	int err = ethfeature_ioctl(fd, name, &request);

	return err == -EOPNOTSUPP ? 0 : err;
}

int ethfeature_get(int fd, const char *name, const char *feature, bool *on)
{
	int count = ethfeature_count(fd, name), bit = count < 0 ? count : ethfeature_find(fd, name, feature, count);
	size_t blocks = ((size_t)(count > 0 ? count : 0) + 31) / 32;
	_cleanup_free_ struct ethtool_gfeatures *get = NULL;
	int err;

	if (bit < 0)
		return bit;
	get = calloc(1, sizeof(*get) + blocks * sizeof(get->features[0]));
	if (!get)
		return -ENOMEM;
	get->cmd = ETHTOOL_GFEATURES;
	get->size = (__u32)blocks;
	err = ethfeature_ioctl(fd, name, get);
	if (!err)
		*on = get->features[bit / 32].active & (1U << (bit % 32));
	return err;
}
