// SPDX-License-Identifier: GPL-2.0-only
/*
 * mimic.ko: what BPF programs cannot do to an sk_buff by themselves. The functions, with their contracts, are in
 * mimic_kfunc.h. The module has no state and no parameters; a loaded program that calls it keeps it from being
 * unloaded (the verifier takes a reference: add_kfunc_call() in kernel/bpf/verifier.c).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/skbuff.h>
#include <linux/stddef.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "compat.h"
#include "gso.h"
#include "mimic_kfunc.h"

enum {
	CSUM_OFF_UDP = offsetof(struct udphdr, check),
	CSUM_OFF_TCP = offsetof(struct tcphdr, check),
};

/* The verifier has made sure that ctx is the context of a TC program, which is the sk_buff itself. */
static struct sk_buff *skb_of(struct __sk_buff *ctx)
{
	return (struct sk_buff *)ctx;
}

__bpf_kfunc int mimic_csum_partial(struct __sk_buff *ctx, u32 l4_off, u32 csum_off)
{
	struct sk_buff *skb = skb_of(ctx);
	int start;

	if (csum_off != CSUM_OFF_UDP && csum_off != CSUM_OFF_TCP)
		return -EINVAL;
	/*
	 * Not "to the end of the field": where XDP has turned a short TCP segment into UDP, the open field
	 * of TCP lies behind the end of the packet, and it is the caller's task to move it back.
	 */
	if (l4_off > skb->len || skb->len - l4_off < sizeof(struct udphdr))
		return -EINVAL;

	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return 0;
	start = skb_checksum_start_offset(skb);
	if (start < 0 || (u32)start != l4_off || skb->csum_offset != csum_off ||
	    skb_csum_is_sctp(skb))
		return -EOPNOTSUPP;
	return 1;
}

__bpf_kfunc int mimic_csum_move(struct __sk_buff *ctx, u32 l4_off, u32 from, u32 to)
{
	struct sk_buff *skb = skb_of(ctx);
	u32 field_end = to + sizeof(__sum16);
	int partial;

	if (!(from == CSUM_OFF_UDP && to == CSUM_OFF_TCP) &&
	    !(from == CSUM_OFF_TCP && to == CSUM_OFF_UDP))
		return -EINVAL;
	partial = mimic_csum_partial(ctx, l4_off, from);
	if (partial < 0)
		return partial;
	if (!partial)
		return -ENODATA;
	if (skb->len - l4_off < field_end)
		return -EINVAL;
	if (skb_is_gso(skb) || skb->encapsulation)
		return -EOPNOTSUPP;
	if (skb_shared(skb))
		return -EBUSY;
	if (skb_headlen(skb) < l4_off + field_end)
		return -EFAULT;

	skb->csum_offset = to;
	return 0;
}

static int gso_parse_open(struct __sk_buff *ctx, u32 l4_off, struct gso *gso)
{
	int err = gso_parse(skb_of(ctx), l4_off, gso);

	if (err)
		return err;
	return mimic_csum_partial(ctx, l4_off, CSUM_OFF_UDP) == 1 ? 0 : -EOPNOTSUPP;
}

__bpf_kfunc int mimic_gso_prepare(struct __sk_buff *ctx, u32 l4_off)
{
	struct gso gso;
	int err = gso_parse_open(ctx, l4_off, &gso);

	return err ?: gso_make_writable(skb_of(ctx));
}

__bpf_kfunc int mimic_gso_convert(struct __sk_buff *ctx, u32 l4_off, u32 seq, u32 ack, u32 window)
{
	struct gso gso;
	int err = window > U16_MAX ? -EINVAL : gso_parse_open(ctx, l4_off, &gso);

	return err ?: gso_convert(skb_of(ctx), &gso, seq, ack, window);
}

BTF_KFUNCS_START(mimic_kfunc_ids)
BTF_ID_FLAGS(func, mimic_csum_partial)
BTF_ID_FLAGS(func, mimic_csum_move)
BTF_ID_FLAGS(func, mimic_gso_prepare)
BTF_ID_FLAGS(func, mimic_gso_convert)
BTF_KFUNCS_END(mimic_kfunc_ids)

static const struct btf_kfunc_id_set mimic_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &mimic_kfunc_ids,
};

/*
 * register_btf_kfunc_id_set() succeeds without doing anything where the module's BTF is missing or the ids in the set were
 * never filled in, and, with CONFIG_MODULE_ALLOW_BTF_MISMATCH (Debian has it), where the BTF does not fit this kernel
 * (kernel/bpf/btf.c). So both is looked at before.
 */
static bool __init mimic_has_btf(void)
{
	u32 i;

	if (!THIS_MODULE->btf_data_size || !mimic_kfunc_ids.cnt)
		return false;
	for (i = 0; i < mimic_kfunc_ids.cnt; i++) {
		if (!mimic_kfunc_ids.pairs[i].id)
			return false;
	}
	return true;
}

/* Whether the kernel took the BTF: it then shows it as /sys/kernel/btf/mimic. Without sysfs it cannot be told, and there is no directory. */
static bool __init mimic_btf_is_taken(void)
{
	struct kernfs_node *dir, *node;

	if (!IS_ENABLED(CONFIG_SYSFS))
		return true;
	dir = kernfs_find_and_get(kernel_kobj->sd, "btf");
	node = dir ? kernfs_find_and_get(dir, KBUILD_MODNAME) : NULL;
	kernfs_put(node);
	kernfs_put(dir);
	return node;
}

static int __init mimic_init(void)
{
	int err;

	if (!mimic_has_btf()) {
		pr_err("this module was built without BTF, so that no BPF program could call it: build it by `make kmod` or by DKMS, which add it. Mimic runs without the module.\n");
		return -EOPNOTSUPP;
	}
	if (!mimic_btf_is_taken()) {
		pr_err("this module's BTF is that of another kernel, so that no BPF program could call it: build the module anew for this very kernel, by `make kmod` or by DKMS. Mimic runs without the module.\n");
		return -EOPNOTSUPP;
	}
	err = register_btf_kfunc_id_set(BPF_PROG_TYPE_SCHED_CLS, &mimic_kfunc_set);
	if (err)
		pr_err("the kernel refuses the functions for BPF programs (error %d): build the module anew for this very kernel, by `make kmod` or by DKMS. Mimic runs without the module.\n",
		       err);
	return err;
}

/* Registration ends with the module's BTF. Without this function the module could not be unloaded. */
static void __exit mimic_exit(void)
{
}

module_init(mimic_init);
module_exit(mimic_exit);

MODULE_DESCRIPTION("Mimic: moves the place of an open checksum, and turns UDP superpackets into TCP, for BPF programs");
MODULE_LICENSE("GPL");
MODULE_VERSION(MIMIC_VERSION);
