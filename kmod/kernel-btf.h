/* SPDX-License-Identifier: GPL-2.0-only */
/* For mimic-btf: finds the BTF of the kernel that a module is built for. */
#ifndef KERNEL_BTF_H
#define KERNEL_BTF_H

struct btf;

/*
 * The BTF in a file: vmlinux, a kernel image (compressed or not), or BTF alone. NULL if there is none or, where a
 * release (as `uname -r` prints it) is given, if the file is a kernel of another release. Of BTF alone, and of files with debug
 * symbols alone, that cannot be told: says so on standard output. A file that is there and cannot be read is named on stderr.
 */
struct btf *kernel_btf_load(const char *path, const char *release);

/*
 * The BTF of that release from the first of these places, or NULL. Says on standard output which it was.
 *
 *   KDIR/vmlinux
 *   /usr/lib/debug/...		vmlinux with debug symbols
 *   /boot, /lib/modules/RELEASE	vmlinuz or vmlinux
 *   /sys/kernel/btf/vmlinux	if that release is running
 */
struct btf *kernel_btf_find(const char *kdir, const char *release);

/* Prints a message and ends with status 1. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

#endif
