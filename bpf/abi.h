/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the BPF programs and the daemon share: map keys and values, events, commands. Both sides are built from one tree. Who
 * reads the maps of a daemon that runs (`mimic show`) has to be of its version, PACKAGE_VERSION.
 */
#ifndef MIMIC_ABI_H
#define MIMIC_ABI_H

#include <linux/bpf.h>
#include <linux/types.h>

#include "core/addr.h"
#include "core/conn.h"
#include "core/figures.h"
#include "core/settings.h"
#include "core/siphash.h"

/*
 * Raised with each change of what a map means or how it looks, sizes of keys and values included: a daemon takes over the
 * maps of another one only if both have the same number (src/handover.h).
 */
#define MIMIC_ABI 4

enum {
	MIMIC_CONNS_MAX = 131072,   /* entries of the connection map */
	MIMIC_FILTERS_MAX = 8192,   /* filters: addresses and prefixes */
	MIMIC_TOTALS_MAX = 2 * MIMIC_FILTERS_MAX, /* entries of the map of totals: filters may come and go */
	MIMIC_MTU_MAX = 9600,	    /* L3 bytes: what the loops over payloads cover, a jumbo frame */
	MIMIC_L2_MAX = 22,	    /* Ethernet and two VLAN tags */
	MIMIC_COMMANDS_MAX = 64,    /* in one run of the command program */
	MIMIC_HALF_OPEN_MANY = 64,  /* half-open connections of responders; beyond, a second SYN of one is rarely answered */
	MIMIC_HALF_OPEN_MAX = 4096, /* ... SYN cookies */
	MIMIC_RESETS_MAX = 4096,    /* sources whose RSTs are counted */
	MIMIC_EVENTS_BYTES = 1 << 20,
	MIMIC_TRACES_BYTES = 1 << 20,
	MIMIC_HELD_TOTAL_BYTES = 32 << 20, /* of all frames that wait in the daemon */
};

/* The L2 header that carries a segment to the peer, in-band VLAN tags included. */
struct mimic_l2 {
	__u8 len; /* 0 on links without L2 header */
	__u8 bytes[MIMIC_L2_MAX];
	__u8 pad;
};

_Static_assert(sizeof(struct mimic_l2) == 24, "mimic_l2 is part of a map value");

/* Map `conns`: struct conn_key -> this. Written by BPF only, under the lock. */
struct mimic_conn {
	struct bpf_spin_lock lock;
	__u32 mark; /* skb->mark of the datagrams of this flow */
	struct conn c;
	struct mimic_l2 l2;
	/*
	 * Whose entry this is. The memory of a deleted entry may hold another connection at once, while somebody still
	 * has a pointer to it (BPF_F_NO_PREALLOC since 6.1): flow_lock() compares.
	 */
	struct conn_key key;
	__be32 flow_label; /* of the flow's datagrams, IPv6; 0: not known */
	__u8 rx_partial; /* not 0: among the last segments some came with CHECKSUM_PARTIAL, repaired at TC ingress */
	__u8 outgoing; /* a datagram out began it, which matters to flow_filter() */
	__u8 pad[2];
	struct filter_prefix filter; /* that the first packet matched */
};

/* The same on every machine: i386 and BPF have different ideas of alignment. */
_Static_assert(_Alignof(struct mimic_conn) == 8 && sizeof(struct mimic_conn) % 8 == 0, "mimic_conn is a map value");

/*
 * Map `filters`: struct filter_key -> struct conn_settings, for one address; map `prefixes`: struct filter_prefix -> this. Written by
 * the daemon.
 */
struct mimic_prefix {
	struct conn_settings settings;
	struct filter_prefix filter; /* its key once more, which a lookup does not tell */
};

_Static_assert(sizeof(struct mimic_prefix) == 44, "mimic_prefix has no hidden padding");

/*
 * Map `filter_totals`: struct filter_prefix -> this, the sum over the connections of a filter that have ended. Written by the program
 * mimic_command only, which never runs twice at once. Who adds it to what lives looks at figures_moves before and after.
 */
struct mimic_filter_total {
	__aligned_u64 ended; /* connections */
	struct figures_traffic traffic;
	struct figures_events events;
};

/* Ring `events`: what the daemon has to do after a segment, a datagram or a tick. */
struct mimic_event {
	struct conn_key key;
	struct mimic_l2 l2;
	__u32 epoch;
	__u32 release_limit; /* with NOTIFY_RELEASE: how far into the queue the daemon may go */
	__u16 too_big;	     /* with NOTIFY_TOO_BIG: L3 length that a datagram may have */
	__u8 notify;	     /* set of enum notify */
	__u8 window_scale;   /* for the options of SYN and SYN-ACK */
	__be32 flow_label;   /* as in mimic_conn */
	struct reply reply[CONN_REPLIES];
};

_Static_assert(sizeof(struct mimic_event) == 100, "mimic_event has no hidden padding");

/*
 * Ring `events`, too, and told by its size: a SYN came in that is for no filter. A Mimic at the other end may have sent it, for a
 * program here that the user has not thought of. One in MIMIC_STRAY_NS is told, whatever comes.
 */
struct mimic_stray {
	struct conn_key key;
};

_Static_assert(sizeof(struct mimic_stray) < sizeof(struct mimic_event), "the size tells them apart");

#define MIMIC_STRAY_NS 1000000000ULL
/* Ring `traces`: what a connection decided about a packet, and the control segments that follow from it. Read by `mimic trace`. */
enum mimic_trace_direction {
	TRACE_NONE, /* no packet: time passed */
	TRACE_IN,
	TRACE_OUT,
};

struct mimic_trace {
	__aligned_u64 now_ns;
	struct conn_key key;
	__u32 seq, ack; /* with TRACE_OUT: when the verdict is PASS */
	__u16 window;
	__u16 payload_len; /* padding included */
	__u8 flags;
	__u8 direction; /* enum mimic_trace_direction */
	__u8 verdict;	/* enum verdict */
	__u8 reason;	/* enum reason */
	struct reply reply[CONN_REPLIES]; /* flags: 0: none */
	__u8 window_scale; /* as in mimic_event */
	__u8 pad[3];
};

_Static_assert(sizeof(struct mimic_trace) == 88, "mimic_trace has no hidden padding");

/* Perf buffers `held`: this, then the frame from its first byte, frame_len bytes. */
struct mimic_held {
	struct conn_key key;
	__u32 epoch;
	__u32 number;	   /* order within the epoch; wraps */
	__u32 end;	   /* its end in the queue: it may go when release_limit reaches that far */
	__u32 frame_len;
	__u16 payload_len; /* of the datagram */
	__u16 l4_off;	   /* of the UDP header in the frame */
	__u8 first;	   /* nothing waited before it */
	__u8 vlan_present; /* the tag below was stripped from the frame */
	__be16 vlan_proto;
	__u16 vlan_tci;
	__u16 pad;
};

_Static_assert(sizeof(struct mimic_held) == 64, "mimic_held has no hidden padding");

/*
 * Packet data of a run of the program mimic_command: `count` entries, handled one by one, one for each repetition
 * that BPF_PROG_TEST_RUN is asked for.
 */
enum mimic_command_type {
	COMMAND_TICK = 1,
	COMMAND_SENT = 2,     /* the first datagrams of the queue are sent */
	COMMAND_LOST = 3,     /* or lost in the daemon */
	COMMAND_SHUTDOWN = 4,
	COMMAND_REFIT = 5, /* the filters have changed */
};

struct mimic_command_entry {
	struct conn_key key;
	/* With SENT and LOST: */
	__u32 epoch;	   /* of the queue */
	__u32 count;	   /* datagrams */
	__u32 payload_len; /* bytes, of all of them */
	__u32 pad;
};

struct mimic_command {
	__u8 l2[16]; /* zero: the kernel takes the first 14 bytes for an Ethernet header */
	__u32 type;
	__u32 next; /* counted up by the program */
	struct mimic_command_entry entry[MIMIC_COMMANDS_MAX];
};

/* Set by the daemon before load. `abi` and `ifindex` stay where they are, for whoever takes over from whatever version. */
struct mimic_config {
	__u32 abi;	    /* MIMIC_ABI */
	__u32 ifindex;	    /* of the interface */
	__u32 release_mark; /* of what the daemon sends: control segments, and datagrams that waited */
	__u32 staged_mark;  /* of what the staging device sends back */
	struct siphash_key isn_key; /* secret, new at each start that is no takeover */
	__u8 ethernet; /* frames begin with an Ethernet header */
	__u8 syncookies; /* the kernel has the helpers (CONFIG_SYN_COOKIES) */
	__u8 kfunc_csum; /* mimic.ko is there: its functions may be called (kmod/mimic_kfunc.h) */
	__u8 kfunc_gso;	 /* superpackets shall be turned into TCP by it, too */
	__u8 pad[4];
};

_Static_assert(sizeof(struct mimic_config) == 40, "mimic_config has no hidden padding");

/* A mapped array (section .data.shared): written by the daemon at any time, but for what BPF says in it. */
struct mimic_shared {
	__u32 mtu;		/* of the interface, L3 bytes */
	__u32 staging_ifindex;	/* 0: there is none */
	__u32 held_frame_bytes; /* memory that waiting frames take in the daemon */
	__u32 xdp_native;	/* the XDP program is attached in native mode */
	__s32 half_open;	/* connections of responders in SYN_RECEIVED, and those that were reset in it lately: kept by BPF, put right by the daemon each second */
	__u32 prefixes;		/* entries of that map: 0, and nobody looks there */
	__aligned_u64 cookie_ns; /* when BPF answered a SYN by a cookie last */
	__aligned_u64 trace_until_ns; /* until then records go to the ring of traces: set by the tracer */
	__aligned_u64 partial_ns; /* when XDP restored a datagram last whose checksum is open; 0: never */
	__aligned_u64 stray_ns;   /* when XDP told of a stray SYN last */
	__aligned_u64 trace_lost; /* records for which the ring had no room */
	__u32 figures_moves; /* odd: an ended connection's figures are on their way to the totals of its filter */
	__u32 udp_drops; /* not 0: of filters with udp=drop, or those that were */
	__u8 local_ports[65536 / 8];  /* bit per port (host order) that a local= filter names */
	__u8 remote_ports[65536 / 8]; /* and a remote= filter */
};

#endif
