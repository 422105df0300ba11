/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a user can set for a connection: globally, or for one filter alone. Times are in seconds.
 * Defaults and limits: those of the manual (handshake 2:3, keepalive 180:10:3:600, padding 0, ack 40).
 */
#ifndef MIMIC_CORE_SETTINGS_H
#define MIMIC_CORE_SETTINGS_H

#include "types.h"

enum {
	PADDING_MAX = 16,	/* the largest fixed padding, bytes */
	PADDING_RANDOM = 0xff,	/* (seq + ack) mod 11 for each packet */
	PADDING_RANDOM_MOD = 11,
};

struct conn_settings {
	__u16 handshake_interval_s; /* 0: passive, never sends a SYN */
	__u16 handshake_retry;	    /* how often an unanswered SYN is repeated */
	__u16 keepalive_time_s;	    /* silence before the first keepalive; 0: no keepalives */
	__u16 keepalive_interval_s; /* between unanswered keepalives; 0: reset at once */
	__u16 keepalive_retry;	    /* how many keepalives in all */
	__u16 keepalive_stale_s;    /* only keepalives for so long: the connection is removed; 0: never */
	__u16 ack_interval_ms;	    /* between pure ACKs of data that nothing answers; 0: as the window needs them */
	__u8 padding;		    /* 0..PADDING_MAX bytes, or PADDING_RANDOM */
	__u8 max_window;	    /* announce 0xffff with scale 14, always */
	__u8 pace;		    /* enum pace */
	__u8 guard;		    /* enum guard */
	__u8 udp;		    /* enum udp */
	__u8 pad;
};

_Static_assert(sizeof(struct conn_settings) == 20, "conn_settings is part of the ABI");

/* When an unanswered SYN is repeated. */
enum pace {
	PACE_FAST,  /* every 0.2 s for 1.5 s, then every interval */
	PACE_FIXED, /* every interval */
	PACE_LINUX, /* after 1, 2, 4 ... s (RFC 6298), whatever the interval */
};

/* What a segment gets that belongs to no connection and begins none. */
enum guard {
	GUARD_RESET,  /* a RST, as from a host without a listener */
	GUARD_SILENT, /* nothing */
};

/* What becomes of plain UDP of a flow: what comes in, and what would leave while no Mimic carries it. */
enum udp {
	UDP_PASS, /* it passes, as if there were no filter */
	UDP_DROP, /* it is dropped: on its way in by Mimic, on its way out by the guard (bpf/udpguard.bpf.c) */
};

#define CONN_SETTINGS_DEFAULT                                                                      \
	{                                                                                          \
		.handshake_interval_s = 2, .handshake_retry = 3, .keepalive_time_s = 180,          \
		.keepalive_interval_s = 10, .keepalive_retry = 3, .keepalive_stale_s = 600,        \
		.ack_interval_ms = 40,                                                             \
	}

#endif
