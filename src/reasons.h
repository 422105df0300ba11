/* SPDX-License-Identifier: GPL-2.0-only */
/* The names of the counters (bpf/core/reason.h), for people. Pure. */
#ifndef MIMIC_REASONS_H
#define MIMIC_REASONS_H

#include "core/reason.h"

/* `drop_window`; static. */
const char *reason_name(enum reason reason);

/* `dropped: the peer's window is full`; static. */
const char *reason_text(enum reason reason);

#endif
