// SPDX-License-Identifier: GPL-2.0-only
#include "reasons.h"

static const struct {
	const char *name, *text;
} reasons[] = {
#define REASON_ENTRY(id, name, text) [REASON_##id] = { name, text },
	REASON_LIST(REASON_ENTRY)
#undef REASON_ENTRY
};

const char *reason_name(enum reason reason)
{
	return reasons[reason].name;
}

const char *reason_text(enum reason reason)
{
	return reasons[reason].text;
}
