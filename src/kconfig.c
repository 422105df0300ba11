// SPDX-License-Identifier: GPL-2.0-only
#include "kconfig.h"

#include <string.h>

#include "util.h"

static const char *const names[] = {
	[KCONFIG_BPF_SYSCALL] = "CONFIG_BPF_SYSCALL",
	[KCONFIG_BPF_JIT] = "CONFIG_BPF_JIT",
	[KCONFIG_NET_CLS_BPF] = "CONFIG_NET_CLS_BPF",
	[KCONFIG_NET_SCH_INGRESS] = "CONFIG_NET_SCH_INGRESS",
	[KCONFIG_VETH] = "CONFIG_VETH",
	[KCONFIG_SYN_COOKIES] = "CONFIG_SYN_COOKIES",
};

_Static_assert(ARRAY_SIZE(names) == KCONFIG_OPTIONS, "each option has a name");

const char *kconfig_name(enum kconfig_option option)
{
	return names[option];
}

void kconfig_take(char values[KCONFIG_OPTIONS], const char *line)
{
	for (size_t i = 0; i < KCONFIG_OPTIONS; i++) {
		size_t len = strlen(names[i]);

		if (!strncmp(line, names[i], len) && line[len] == '=' && (line[len + 1] == 'y' || line[len + 1] == 'm'))
			values[i] = line[len + 1];
	}
}
