// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "facts.h"
#include "util.h"

static uint64_t facts_read_capabilities(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long set = 0;
	char line[256];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "CapEff: %llx", &set) == 1)
			break;
	}
	fclose(file);
	return set;
}

/* The first namespace maps all of its users to themselves. */
static bool facts_is_user_namespace(void)
{
	unsigned long long inside, outside, count;
	char line[128];

	util_read_line("/proc/self/uid_map", line, sizeof(line));
	return sscanf(line, "%llu %llu %llu", &inside, &outside, &count) == 3 && (inside || outside || count < 4294967295ULL);
}

/* What container managers leave for whoever asks. */
static void facts_read_container(struct facts_privileges *privileges)
{
	const char *kind = getenv("container");

	util_read_line("/run/systemd/container", privileges->container, sizeof(privileges->container));
	if (privileges->container[0])
		return;
	if (!kind && !access("/.dockerenv", F_OK))
		kind = "docker";
	if (!kind && !access("/run/.containerenv", F_OK))
		kind = "podman";
	if (kind)
		snprintf(privileges->container, sizeof(privileges->container), "%s", kind[0] ? kind : "yes");
}

void facts_find_privileges(struct facts_privileges *privileges)
{
	privileges->root = geteuid() == 0;
	privileges->capabilities = facts_read_capabilities();
	privileges->user_namespace = facts_is_user_namespace();
	facts_read_container(privileges);
}
