/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a connection carried and went through, for people: nothing is decided by it. Counted by the core under the connection's lock, and
 * never reset while its entry lives, also when the connection is lost and begins anew.
 */
#ifndef MIMIC_CORE_FIGURES_H
#define MIMIC_CORE_FIGURES_H

#include "reason.h"
#include "types.h"

/* What a connection may drop, by reason: X(REASON without DROP_). What was dropped before it was anybody's is counted by reason alone. */
#define FIGURES_DROPS(X)                                                                                              \
	X(HOLD_FULL) X(HOLD_FAILED) X(FLUSHED) X(RELEASE) X(PASSIVE) X(COOLDOWN) X(WINDOW) X(TOO_BIG) X(TRANSFORM)    \
	X(NO_STAGING) X(RX_UNKNOWN) X(RX_STATE) X(RX_WINDOW) X(RX_OPTIONS) X(RX_CHECKSUM) X(RX_PADDING) X(RX_RESTORE)

enum figures_drop {
#define FIGURES_ENUM(id) FIGURES_DROP_##id,
	FIGURES_DROPS(FIGURES_ENUM)
#undef FIGURES_ENUM
	FIGURES_DROP_COUNT,
};

/* Datagrams that got a number, and that were accepted; bytes of their payloads, without padding. */
struct figures_traffic {
	__aligned_u64 tx_packets, tx_bytes;
	__aligned_u64 rx_packets, rx_bytes;
};

/* What happens seldom. */
struct figures_events {
	__aligned_u64 established;	/* handshakes done ... */
	__aligned_u64 handshake_sum_ns; /* ... and how long they took in all */
	__aligned_u64 syn_retries;	/* SYNs that repeated one */
	__aligned_u64 probes;		/* window probes sent, those of liveness checks included */
	__aligned_u64 checks;		/* liveness checks begun */
	__aligned_u64 resets;		/* RSTs and FINs believed */
	__aligned_u64 keepalives;	/* sent */
	__aligned_u64 drops[FIGURES_DROP_COUNT];
};

/* A sum is made word by word. */
_Static_assert(sizeof(struct figures_traffic) % 8 == 0 && sizeof(struct figures_events) % 8 == 0, "figures are words of 64 bits");

/* With a constant reason, one addition. */
CORE_FN void figures_count_drop(struct figures_events *events, enum reason reason, __u32 number)
{
	switch (reason) {
#define FIGURES_CASE(id)                                       \
	case REASON_DROP_##id:                                 \
		events->drops[FIGURES_DROP_##id] += number;    \
		break;
		FIGURES_DROPS(FIGURES_CASE)
#undef FIGURES_CASE
	default:
		break;
	}
}

#endif
