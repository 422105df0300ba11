/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between kernels, from 6.1 on. Nothing else in this directory asks for a kernel version. */
#ifndef MIMIC_COMPAT_H
#define MIMIC_COMPAT_H

#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/skbuff.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "mimic.ko needs Linux 6.1 or later. (Mimic itself runs without the module.)"
#endif

/* Linux 6.10: what takes and drops references of fragments has a header of its own. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#include <linux/skbuff_ref.h>
#endif

#ifndef CONFIG_DEBUG_INFO_BTF_MODULES
#error "This kernel has no BTF for modules (CONFIG_DEBUG_INFO_BTF_MODULES), so no program could call mimic.ko. Mimic runs without it."
#endif

/* Linux 6.3 (and stable 6.1, 6.2 of that time): keeps the function from being inlined or dropped. */
#ifndef __bpf_kfunc
#define __bpf_kfunc __used noinline
#endif

/* Linux 6.9: a set that says of itself that it holds kfuncs. register_btf_kfunc_id_set() insists on that since. */
#ifndef BTF_KFUNCS_START
#define BTF_KFUNCS_START(name) BTF_SET8_START(name)
#define BTF_KFUNCS_END(name)   BTF_SET8_END(name)
#endif

/* Linux 6.12: fragments may lie in the memory of a device. */
static inline bool mimic_skb_frags_readable(const struct sk_buff *skb)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	return skb_frags_readable(skb);
#else
	return true;
#endif
}

#endif
