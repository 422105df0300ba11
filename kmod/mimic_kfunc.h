/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The functions that mimic.ko offers to BPF programs of type SCHED_CLS (TC). Shared by the module, which defines
 * them, by programs, which call them, and by mimic-btf.c, which describes them in BTF.
 *
 * A program includes <linux/bpf.h> and <bpf/bpf_helpers.h> first. There the symbols are weak, so that
 * it loads with and without the module if a constant that is set before loading leads round the calls:
 *
 *	const volatile bool has_csum_move = false;
 *
 *	if (has_csum_move)
 *		err = mimic_csum_move(skb, l4_off, 6, 16);
 *
 * `if (mimic_csum_move)` would do only from Linux 6.4 and libbpf 1.2 on: before, the address of a
 * kfunc in a module cannot be loaded.
 *
 * Units and conventions of all of them:
 *
 *   ctx		the program's own context, unmodified; its packet begins at ctx->data
 *   l4_off		bytes from ctx->data to the UDP or TCP header
 *   csum_off		bytes from there to the checksum field: 6 (UDP) or 16 (TCP), nothing else
 *
 * They read and change the packet's metadata only, never its bytes, and never move them: packet pointers that the
 * program holds stay valid. No argument is trusted.
 *
 * The kernel describes the metadata in include/linux/skbuff.h ("CHECKSUM_PARTIAL"): csum_start and csum_offset say
 * where the device, or skb_checksum_help() in its place, stores the sum from csum_start to the packet's end; the
 * field holds the folded pseudo-header sum until then.
 */
#ifndef MIMIC_KFUNC_H
#define MIMIC_KFUNC_H

#include <linux/types.h>

struct __sk_buff;

#ifdef __bpf__
#define MIMIC_KFUNC __ksym __weak
#else
#define MIMIC_KFUNC
#endif

/*
 * Is the checksum of the L4 header at l4_off open, that is, still to be made by the device (CHECKSUM_PARTIAL)?
 *
 *   1			yes, and its field is exactly the one at csum_off
 *   0			no checksum of this packet is open
 *   -EINVAL		csum_off is neither 6 nor 16, or there are not 8 bytes behind l4_off in the packet
 *   -EOPNOTSUPP	another checksum is open: of the packet inside a tunnel, at another csum_off, or of SCTP
 */
int mimic_csum_partial(struct __sk_buff *ctx, __u32 l4_off, __u32 csum_off) MIMIC_KFUNC;

/*
 * Moves the field of an open checksum between the places of UDP and TCP: from 6 to 16, or from 16 to 6. The caller
 * writes the header, with the folded pseudo-header sum (not complemented) in the new field.
 *
 *   0			done
 *   -EINVAL		from and to are not 6 and 16, or the packet ends before the end of the new field
 *   -ENODATA		no checksum of this packet is open
 *   -EOPNOTSUPP	another checksum is open (see above), or the packet is a superpacket (GSO) or a tunnel's with
 *			offloads (skb->encapsulation)
 *   -EBUSY		somebody else holds this very sk_buff (pktgen with clone_skb)
 *   -EFAULT		the new field is not in the linear part, where skb_checksum_help() (net/core/dev.c) wants it:
 *			bpf_skb_pull_data(ctx, l4_off + to + 2) first
 */
int mimic_csum_move(struct __sk_buff *ctx, __u32 l4_off, __u32 from, __u32 to) MIMIC_KFUNC;

#endif
