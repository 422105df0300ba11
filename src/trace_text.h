/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of the ring of traces as lines of text: one for the packet, if it is about one, and one for each segment that follows. Pure. */
#ifndef MIMIC_TRACE_TEXT_H
#define MIMIC_TRACE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

enum {
	TRACE_LINE_MAX = 320,
	TRACE_LINES_MAX = 1 + CONN_REPLIES, /* of one record */
};

/* What is of interest. Zero-filled: everything. */
struct trace_filter {
	uint16_t port;	      /* at either end; 0: any */
	bool has_peer;
	struct addr peer;     /* the remote address */
};

bool trace_text_matches(const struct trace_filter *filter, const struct mimic_trace *record);

/*
 * Writes the lines of @record, without line feeds. @offset_ns: what the real time is ahead of the record's clock; @mtu:
 * of the interface, for SYNs. Returns how many
 * there are, 0 to TRACE_LINES_MAX.
 *
 *	12:34:56.789012 in  192.0.2.1:5000 203.0.113.9:4000 [S] seq 17 ack 0 win 65535 len 0 consume rx_control
 */
size_t trace_text_print(char lines[TRACE_LINES_MAX][TRACE_LINE_MAX], const struct mimic_trace *record, uint64_t offset_ns, uint32_t mtu);

#endif
