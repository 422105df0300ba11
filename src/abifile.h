/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ABI of a program file (MIMIC_ABI of bpf/abi.h), which stands in an ELF section of its own: so a daemon can tell whether the
 * program that will be started next is able to take over from it.
 */
#ifndef MIMIC_ABIFILE_H
#define MIMIC_ABIFILE_H

#include <stdint.h>

/* Of this program. */
uint32_t abifile_own(void);

/* Of the program in the file @path, or -errno: -ENOENT when it is none that tells. */
int abifile_of(const char *path);

#endif
