/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's build options that Mimic needs or likes, and how its configuration file names them. Pure. */
#ifndef MIMIC_KCONFIG_H
#define MIMIC_KCONFIG_H

enum kconfig_option {
	KCONFIG_BPF_SYSCALL,
	KCONFIG_BPF_JIT,
	KCONFIG_NET_CLS_BPF,
	KCONFIG_NET_SCH_INGRESS,
	KCONFIG_VETH,
	KCONFIG_SYN_COOKIES,
	KCONFIG_OPTIONS,
};

/* CONFIG_VETH and so on; static. */
const char *kconfig_name(enum kconfig_option option);

/* Takes a line of the file: CONFIG_X=y or =m goes to values[X], and everything else is left. */
void kconfig_take(char values[KCONFIG_OPTIONS], const char *line);

#endif
