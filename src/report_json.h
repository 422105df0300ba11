/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The JSON document of `mimic show --json` (mimic(1) has its schema; other programs read it: members may be added, what is there
 * stays). Pure: what it is made of was read before.
 */
#ifndef MIMIC_REPORT_JSON_H
#define MIMIC_REPORT_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "instance.h"
#include "runfile.h"

/* What there is to tell. A part that is NULL becomes null in the document: it is not known. */
struct report {
	const char *ifname;
	const struct run_info *info;
	bool process, connections;	    /* which parts are asked for; the others are left out */
	const uint64_t *counters;	    /* one for each reason */
	const struct instance_conns *conns;
	uint64_t now_ns; /* when they were read, by the clock of BPF */
};

/* The document; the caller's to release. NULL: no memory, or text that is no UTF-8. */
json_t *report_json(const struct report *report);

/*
 * Prints a document with a newline to stdout, indented or in one line. @json may be NULL, and is released. 0 or -errno, logged but for
 * -EPIPE.
 */
int report_print(json_t *json, bool indented);

/* Parts that other documents have as well; NULL (or not 0): no memory. @now_ns: by the clock of BPF. */
json_t *report_counters(const uint64_t *counters);
json_t *report_conn(const struct conn_key *key, const struct conn *conn, uint64_t now_ns);
int report_add_figures(json_t *object, const struct figures_traffic *traffic, const struct figures_events *events);

/* `syn_sent`; static. Of an enum conn_state. */
const char *report_state(__u8 state);

#endif
