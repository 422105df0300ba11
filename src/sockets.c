// SPDX-License-Identifier: GPL-2.0-only
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "util.h"

enum {
	SOCKETS_UNCONNECTED = 7, /* TCP_CLOSE: a UDP socket without a peer */
	SOCKETS_LISTEN = 10,	 /* TCP_LISTEN */
	SOCKETS_STEP = 64,	 /* entries at once */
};

static int sockets_add(struct sockets *sockets, const struct sockets_entry *entry)
{
	struct sockets_entry *entries;

	if (sockets->count % SOCKETS_STEP == 0) {
		entries = realloc(sockets->entries, (sockets->count + SOCKETS_STEP) * sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		sockets->entries = entries;
	}
	sockets->entries[sockets->count++] = *entry;
	return 0;
}

/* An address is printed word by word, each as a number of the machine. False: no such line. */
static bool sockets_parse(const char *line, struct sockets_entry *entry, unsigned int *state)
{
	char text[33];
	uint32_t word[4];
	unsigned int port;
	size_t len;

	if (sscanf(line, " %*u: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x", text, &port, state) != 3)
		return false;
	len = strlen(text);
	if (len != 8 && len != 32)
		return false;
	for (size_t i = 0; i < len / 8; i++) {
		char number[9];

		snprintf(number, sizeof(number), "%.8s", text + 8 * i);
		word[i] = (uint32_t)strtoul(number, NULL, 16);
	}
	if (len == 8)
		addr_from_ipv4(&entry->addr, word[0]);
	else
		memcpy(&entry->addr, word, sizeof(entry->addr));
	entry->port = htons((uint16_t)port);
	return true;
}

int sockets_take(struct sockets *sockets, FILE *file, bool tcp)
{
	char line[512];
	unsigned int state;
	int err;

	while (fgets(line, sizeof(line), file)) {
		struct sockets_entry entry = { .tcp = tcp };

		if (!sockets_parse(line, &entry, &state))
			continue;
		if (tcp && state != SOCKETS_LISTEN)
			break;
		if (!tcp && state != SOCKETS_UNCONNECTED)
			continue;
		err = sockets_add(sockets, &entry);
		if (err)
			return err;
	}
	return 0;
}

int sockets_read(struct sockets *sockets)
{
	static const struct {
		const char *path;
		bool tcp;
	} lists[] = {
		{ "/proc/net/udp", false }, { "/proc/net/udp6", false }, { "/proc/net/tcp", true }, { "/proc/net/tcp6", true },
	};
	size_t read = 0;
	int err = 0;

	*sockets = (struct sockets){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(lists) && !err; i++) {
		FILE *file = fopen(lists[i].path, "re");

		if (!file)
			continue; /* without IPv6 there are two */
		err = sockets_take(sockets, file, lists[i].tcp);
		fclose(file);
		read++;
	}
	if (err)
		sockets_free(sockets);
	return err ? err : read ? 0 : -ENOENT;
}

static bool sockets_takes(const struct sockets_entry *entry, const struct addr *addr)
{
	bool ipv4 = addr_is_ipv4(&entry->addr);

	if (!memcmp(&entry->addr, addr, sizeof(*addr)))
		return true;
	if (filter_addr_is_any(&entry->addr))
		return !ipv4 || addr_is_ipv4(addr);
	return filter_addr_is_any(addr) && ipv4 == addr_is_ipv4(addr);
}

const struct sockets_entry *sockets_find(const struct sockets *sockets, const struct addr *addr, __be16 port, bool tcp)
{
	for (size_t i = 0; i < sockets->count; i++) {
		const struct sockets_entry *entry = &sockets->entries[i];

		if (entry->tcp == tcp && entry->port == port && sockets_takes(entry, addr))
			return entry;
	}
	return NULL;
}

void sockets_free(struct sockets *sockets)
{
	free(sockets->entries);
	*sockets = (struct sockets){ 0 };
}
