/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packet's bounds. The context's fields are 32 bits wide and the kernel widens them to pointers; clang 14 to
 * 16 with 32-bit registers copies them by `w4 = w1`, which makes them scalars for the verifier ("invalid mem access
 * 'scalar'", seen on 6.18). The assembler leaves the compiler no choice, and reads afresh each time, as is
 * needed after a helper that moves the packet.
 */
#ifndef MIMIC_CONTEXT_H
#define MIMIC_CONTEXT_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "core/types.h"

static __always_inline void *context_pointer(const void *ctx, const __u32 off)
{
	void *pointer;

	asm volatile("%[pointer] = *(u32 *)(%[ctx] + %[off])"
		     : [pointer] "=r"(pointer)
		     : [ctx] "r"(ctx), [off] "i"(off));
	return pointer;
}

static __always_inline void *skb_data(const struct __sk_buff *skb)
{
	return context_pointer(skb, offsetof(struct __sk_buff, data));
}

static __always_inline void *skb_end(const struct __sk_buff *skb)
{
	return context_pointer(skb, offsetof(struct __sk_buff, data_end));
}

static __always_inline void *xdp_data(const struct xdp_md *ctx)
{
	return context_pointer(ctx, offsetof(struct xdp_md, data));
}

static __always_inline void *xdp_end(const struct xdp_md *ctx)
{
	return context_pointer(ctx, offsetof(struct xdp_md, data_end));
}

/*
 * Makes sure of a length between 1 and `max` (a constant) in a way that every verifier follows. In C, clang 14 merges the
 * two comparisons into one of `len - 1`, on a copy of the register, and the kernel (6.1: "R4 unbounded memory
 * access", 6.12: "invalid indirect access to stack") then knows nothing of `len` itself. A length that is out of
 * bounds, which callers rule out, becomes `max`.
 */
#define length_clamp(len, max)                                                                     \
	asm volatile("if %[length] < 1 goto +1\n"                                                  \
		     "if %[length] <= %[most] goto +1\n"                                           \
		     "%[length] = %[most]"                                                         \
		     : [length] "+r"(len)                                                          \
		     : [most] "i"(max))

static __always_inline int skb_load(struct __sk_buff *skb, __u32 off, void *to, __u64 len, const __u32 max)
{
	if (!len)
		return 0;
	if (len > max)
		return -1;
	length_clamp(len, max);
	return (int)bpf_skb_load_bytes(skb, off, to, (__u32)len);
}

static __always_inline int skb_store(struct __sk_buff *skb, __u32 off, const void *from, __u64 len, const __u32 max)
{
	if (!len)
		return 0;
	if (len > max)
		return -1;
	length_clamp(len, max);
	return (int)bpf_skb_store_bytes(skb, off, from, (__u32)len, 0);
}

static __always_inline int xdp_load(struct xdp_md *ctx, __u32 off, void *to, __u64 len, const __u32 max)
{
	if (!len)
		return 0;
	if (len > max)
		return -1;
	length_clamp(len, max);
	return (int)bpf_xdp_load_bytes(ctx, off, to, (__u32)len);
}

static __always_inline int xdp_store(struct xdp_md *ctx, __u32 off, void *from, __u64 len, const __u32 max)
{
	if (!len)
		return 0;
	if (len > max)
		return -1;
	length_clamp(len, max);
	return (int)bpf_xdp_store_bytes(ctx, off, from, (__u32)len);
}

#endif
