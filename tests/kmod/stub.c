// SPDX-License-Identifier: GPL-2.0-only
/* In place of kmod/mimic.c: a module of Mimic's name and version without any of its functions. */
#include <linux/module.h>

MODULE_DESCRIPTION("Mimic: nothing");
MODULE_LICENSE("GPL");
MODULE_VERSION(MIMIC_VERSION);
