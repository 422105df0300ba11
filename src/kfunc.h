/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether the kernel module can be called (level kfunc): it is loaded, of this version, and the kernel has taken from it the BTF
 * of each function that the BPF programs call. Nothing is loaded here; the module is never required.
 */
#ifndef MIMIC_KFUNC_PROBE_H
#define MIMIC_KFUNC_PROBE_H

#include <stddef.h>

enum kfunc_state {
	KFUNC_READY,
	KFUNC_ABSENT,	/* there is no module, which is nothing to warn of */
	KFUNC_UNUSABLE, /* there is one, and something is wrong with it */
};

struct kfunc_probe {
	enum kfunc_state state;
	char why[448]; /* it is not KFUNC_READY, and what to do about it; no full stop */
};

/* Fills *@probe, which needs no initial value. */
void kfunc_probe(struct kfunc_probe *probe);

/*
 * The file that modprobe would load for the kernel of that release, where it stands in modules.dep. 1: *path is it; 0: there is none; -errno:
 * nobody can see that.
 */
int kfunc_find_installed(const char *release, char *path, size_t size);

/* The module was KFUNC_READY, and the kernel refused the programs that call it all the same: says why, as far as it can be told. */
void kfunc_explain_refusal(struct kfunc_probe *probe);

#endif
