// SPDX-License-Identifier: GPL-2.0-only
/*
 * offload on|off|no-tso DEV...: switches the checksum offload of sent packets, or only the segmentation of TCP off. (Guests have no
 * ethtool.)
 */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (argc < 3 || fd < 0)
		return 2;
	for (int i = 2; i < argc; i++) {
		struct ethtool_value value = {
			.cmd = strcmp(argv[1], "no-tso") ? ETHTOOL_STXCSUM : ETHTOOL_STSO,
			.data = !strcmp(argv[1], "on"),
		};
		struct ifreq request = { .ifr_data = (void *)&value };

		strncpy(request.ifr_name, argv[i], IFNAMSIZ - 1);
		if (ioctl(fd, SIOCETHTOOL, &request)) {
			perror(argv[i]);
			return 1;
		}
	}
	return 0;
}
