/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SYNs that come in for no filter (struct mimic_stray): perhaps a Mimic at the other end carries what a UDP program here waits
 * for, and here the filter is missing. Says so, at most once in STRAY_SILENCE_S. The event is only noted; the sockets of the host
 * are read once a second at most, by stray_tick().
 */
#ifndef MIMIC_STRAY_H
#define MIMIC_STRAY_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "sockets.h"

enum {
	STRAY_SILENCE_S = 60,
};

/* Zero at first. */
struct stray {
	struct conn_key key;
	bool pending;	   /* it was not looked into yet */
	uint64_t until_ns; /* silent until then; 0: nothing was said yet */
};

/* The first of those that wait to be looked into stays. */
void stray_note(struct stray *stray, const struct mimic_stray *event);

/* Looks into what was noted, if it is time, and logs. @now_ns is of any clock that does not run back. */
void stray_tick(struct stray *stray, uint64_t now_ns);

/* Whether the SYN looks like a Mimic's: a UDP program waits for whoever comes there, and no TCP server. Pure. */
bool stray_is_for_udp(const struct conn_key *key, const struct sockets *sockets);

#endif
