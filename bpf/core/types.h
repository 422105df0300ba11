/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few definitions that every core header needs, in both worlds: the BPF objects (clang -target bpf)
 * and ordinary C (daemon, unit tests, fuzzers).
 *
 * Integers have the kernel's names. __be16 and __be32 are in wire order; everything else is in host order.
 * `bool` and NULL come from the compiler's own stdbool.h and stddef.h, which need no libc.
 */
#ifndef MIMIC_CORE_TYPES_H
#define MIMIC_CORE_TYPES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* Full unrolling keeps offsets constant for the verifier; other compilers and builds need no such help. */
#ifdef __bpf__
#define CORE_UNROLL _Pragma("clang loop unroll(full)")
/* What was stored in a map value is read from there again, as something that the verifier knows nothing of. */
#define core_stage_end() asm volatile("" ::: "memory")
#else
#define CORE_UNROLL
#define core_stage_end() ((void)0)
#endif

/*
 * Core functions are inlined everywhere: kernel 6.1 refuses calls while a spin lock is held
 * (verifier: "function calls are not allowed while holding a lock").
 */
#define CORE_FN static inline __attribute__((always_inline, unused))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define be16_to_host(x) ((__u16)__builtin_bswap16((__u16)(x)))
#define be32_to_host(x) ((__u32)__builtin_bswap32((__u32)(x)))
#else
#define be16_to_host(x) ((__u16)(x))
#define be32_to_host(x) ((__u32)(x))
#endif
#define host_to_be16(x) ((__be16)be16_to_host(x))
#define host_to_be32(x) ((__be32)be32_to_host(x))

#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC  1000000000ULL

#endif
