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
 * They never move the linear part: packet pointers that the program holds stay valid. mimic_csum_*() read and change the packet's
 * metadata only, never its bytes. No argument is trusted.
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

/*
 * Can the UDP superpacket (UDP_SEGMENT) be turned into one of TCP, for the device that it is about to leave by? Makes ready what
 * mimic_gso_convert() needs: pages that others refer to, too, are replaced by copies. The packet says what it said before.
 *
 *   0 or more		yes; so many bytes were copied
 *   -ENODATA		the packet is no superpacket
 *   -EINVAL		the packet ends before l4_off + 20, or its lengths contradict each other
 *   -EOPNOTSUPP	the superpacket is of another kind (TCP, of a tunnel, with a frag_list), its UDP checksum is not open, there
 *			is not plain IPv4 or IPv6 in front of l4_off, its datagrams (or the last one) have less than 12 bytes, or
 *			there is no place for one more fragment
 *   -EMSGSIZE		a segment would exceed the device's MTU, or the whole 65535 bytes
 *   -EBUSY		somebody else holds this sk_buff, or a clone of it: bpf_skb_pull_data() first, which helps with the latter
 *   -EFAULT		the linear part ends before l4_off + 20: bpf_skb_pull_data(ctx, l4_off + 20) first
 *   -ENOMEM		no memory for copies
 */
int mimic_gso_prepare(struct __sk_buff *ctx, __u32 l4_off) MIMIC_KFUNC;

/*
 * Turns the UDP superpacket into one of TCP. Each of its segments will be the datagram in the form of Mimic, without padding: the first 12
 * bytes of the payload stand at the end. IP and TCP headers are complete; seq is that of the first segment, the others follow by gso_size.
 * The flags are ACK alone; seq, ack and window are in host byte order.
 *
 *   0			done
 *   -EINVAL		also: window exceeds 65535
 *   else		see mimic_gso_prepare(); behind it, in the same program, only -ENOMEM remains. The packet says what it
 *			said before.
 */
int mimic_gso_convert(struct __sk_buff *ctx, __u32 l4_off, __u32 seq, __u32 ack, __u32 window) MIMIC_KFUNC;

#endif
