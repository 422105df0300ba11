/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The BPF programs as functions of a packet: loads the embedded objects through src/datapath.c and runs their
 * programs by BPF_PROG_TEST_RUN. Nothing is attached and no device is made, so this runs beside anything else.
 *
 * What BPF_PROG_TEST_RUN does to a packet (net/bpf/test_run.c): at least 14 bytes, and for an skb newer kernels want
 * an IP header behind the Ethernet header where its type says so; the skb is that of an Ethernet device, with
 * ip_summed NONE, no tag outside the frame, and up to about 3.6 kB; XDP of more than a page gets fragments.
 */
#ifndef MIMIC_TEST_RIG_H
#define MIMIC_TEST_RIG_H

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <stdio.h>

#include "datapath.h"
#include "expect.h"
#include "filter.h"
#include "packet_builder.h"
#include "util.h"

enum {
	RIG_FULL_ETHERNET,
	RIG_FULL_NO_L2,
	RIG_PLAIN_ETHERNET,
	RIG_PLAIN_NO_L2,
	RIG_COUNT,

	RIG_MTU = 65535,
	RIG_RELEASE_MARK = 0x5e1ea5e0,
	RIG_STAGED_MARK = 0x57a6ed00,
	RIG_IFINDEX = 1,
	RIG_EXIT_SKIP = 77,
};

struct rig {
	struct datapath datapath;
	bool ethernet;
	bool sees_ip_summed; /* knows what is CHECKSUM_PARTIAL, instead of going by the checksum field */
	const char *name;
};

/* A program's result. */
struct rig_run {
	uint32_t verdict;
	uint32_t mark; /* egress only */
	size_t len;
	uint8_t bytes[FRAME_MAX + 512];
};

/* A copy of all counters. */
struct rig_counters {
	uint64_t value[REASON_COUNT];
};

static struct rig rigs[RIG_COUNT];

/* As partial_is_possible() (bpf/partial.h) finds it out. */
static inline bool rig_kernel_tells_ip_summed(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool found = btf && btf__find_by_name_kind(btf, "bpf_cast_to_kern_ctx", BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return found;
}

static inline void rigs_close(void)
{
	for (int i = 0; i < RIG_COUNT; i++)
		datapath_close(&rigs[i].datapath);
}

/* Before the tests fork. Ends the process where BPF is not allowed. */
static inline void rigs_open(void)
{
	static const char *const names[RIG_COUNT] = { "full", "full, no L2", "plain", "plain, no L2" };

	setvbuf(stdout, NULL, _IOLBF, 0); /* a failed test ends without a flush */
	for (int i = 0; i < RIG_COUNT; i++) {
		struct rig *rig = &rigs[i];
		struct datapath_options options = {
			.ethernet = i == RIG_FULL_ETHERNET || i == RIG_PLAIN_ETHERNET,
			.release_mark = RIG_RELEASE_MARK,
			.staged_mark = RIG_STAGED_MARK,
			.ifindex = RIG_IFINDEX,
		};
		enum datapath_object kind = i < RIG_PLAIN_ETHERNET ? DATAPATH_FULL : DATAPATH_PLAIN;
		int err = datapath_load(&rig->datapath, kind, &options);

		if (err) {
			rigs_close();
			printf("The object %s does not load: %s\n", names[i], strerror(-err));
			exit(err == -EPERM ? RIG_EXIT_SKIP : 1);
		}
		rig->ethernet = options.ethernet;
		rig->sees_ip_summed = kind == DATAPATH_FULL && rig_kernel_tells_ip_summed();
		rig->name = names[i];
	}
}

/* Runs a suite on the rigs; the exit status. */
static inline int rigs_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	rigs_close();
	return failed ? 1 : 0;
}

/* ---- state ---- */

static inline void rig_remove_connections(struct rig *rig)
{
	struct conn_key key;

	while (!bpf_map_get_next_key(rig->datapath.conns_fd, NULL, &key))
		expect(!bpf_map_delete_elem(rig->datapath.conns_fd, &key));
}

/* No filter, no connection, no staging device; generic XDP. Each test begins with this. */
static inline struct rig *rig_reset(int index)
{
	struct rig *rig = &rigs[index];
	struct mimic_shared *shared = rig->datapath.shared;

	datapath_clear_filters(&rig->datapath);
	rig_remove_connections(rig);
	shared->mtu = RIG_MTU;
	shared->staging_ifindex = 0;
	shared->held_frame_bytes = 0;
	shared->xdp_native = 0;
	shared->partial_ns = 0;
	shared->stray_ns = 0;
	return rig;
}

static inline void rig_addr(struct addr *addr, const uint8_t *bytes, bool ipv6)
{
	__be32 ipv4;

	memcpy(&ipv4, bytes, sizeof(ipv4));
	if (ipv6)
		memcpy(addr, bytes, sizeof(*addr));
	else
		addr_from_ipv4(addr, ipv4);
}

/* The connection that a packet with these addresses belongs to. */
static inline struct conn_key rig_key(const struct frame_spec *spec, bool outgoing)
{
	struct conn_key key = { .local_port = host_to_be16(outgoing ? spec->src_port : spec->dst_port),
				.remote_port = host_to_be16(outgoing ? spec->dst_port : spec->src_port) };

	rig_addr(&key.local, outgoing ? spec->src : spec->dst, spec->ipv6);
	rig_addr(&key.remote, outgoing ? spec->dst : spec->src, spec->ipv6);
	return key;
}

/* Both ends change places, so that what went out comes in. */
static inline void rig_turn(struct frame_spec *spec)
{
	uint8_t addr[16];
	uint16_t port = spec->src_port;

	memcpy(addr, spec->src, sizeof(addr));
	memcpy(spec->src, spec->dst, sizeof(addr));
	memcpy(spec->dst, addr, sizeof(addr));
	spec->src_port = spec->dst_port;
	spec->dst_port = port;
}

/* The filter remote= for the peer of the connection. */
static inline void rig_add_filter(struct rig *rig, const struct conn_key *conn, const struct conn_settings *settings)
{
	struct filter filter = { .prefix_len = ADDR_BITS };

	filter_key_make(&filter.key, &conn->remote, conn->remote_port, ORIGIN_REMOTE);
	expect(!datapath_set_filter(&rig->datapath, &filter, settings));
}

/* Packets of this connection are looked up, though no filter names it. */
static inline void rig_want_port(struct rig *rig, const struct conn_key *key)
{
	__u16 port = be16_to_host(key->remote_port);

	rig->datapath.shared->remote_ports[port >> 3] |= (__u8)(1 << (port & 7));
}

static inline void rig_put(struct rig *rig, const struct conn_key *key, const struct mimic_conn *value)
{
	int fd = rig->datapath.conns_fd;
	struct mimic_conn own = *value;

	own.key = *key;
	/* In place where it is there: a hundred thousand new ones in a second are more than the allocator likes. */
	if (bpf_map_update_elem(fd, key, &own, BPF_EXIST | BPF_F_LOCK))
		expect(!bpf_map_update_elem(fd, key, &own, BPF_ANY));
}

static inline bool rig_get(struct rig *rig, const struct conn_key *key, struct mimic_conn *value)
{
	return !bpf_map_lookup_elem_flags(rig->datapath.conns_fd, key, value, BPF_F_LOCK);
}

/* Established, with plenty of window on both sides and nothing due. */
static inline struct mimic_conn rig_established(__u32 snd_nxt, __u32 rcv_nxt, __u8 padding)
{
	struct mimic_conn value = {
		.c = {
			.state = CONN_ESTABLISHED,
			.peer_wscale = CONN_WINDOW_SCALE,
			.epoch = 7,
			.snd_nxt = snd_nxt,
			.snd_una = snd_nxt,
			.rcv_nxt = rcv_nxt,
			.snd_wnd = CONN_WINDOW_FULL,
			.rcv_wnd = CONN_WINDOW_FULL,
			.random = 1,
			.settings = CONN_SETTINGS_DEFAULT,
		},
	};

	value.c.settings.padding = padding;
	return value;
}

static inline void rig_count(const struct rig *rig, struct rig_counters *counters)
{
	for (int i = 0; i < REASON_COUNT; i++)
		counters->value[i] = datapath_counter(rig->datapath.counters_fd, (enum reason)i);
}

/* Since `before`, `reason` (and `second`, unless it is REASON_NONE) was counted once, and nothing else. */
static inline void rig_expect_counted(const struct rig *rig, const struct rig_counters *before, enum reason reason,
				      enum reason second)
{
	struct rig_counters now;

	rig_count(rig, &now);
	for (int i = 1; i < REASON_COUNT; i++) {
		bool expected = i == (int)reason || i == (int)second;

		if (now.value[i] - before->value[i] != expected)
			ck_abort_msg("%s: counter %d rose by %llu", rig->name, i,
				     (unsigned long long)(now.value[i] - before->value[i]));
	}
}

/* ---- runs ---- */

/* fd: of a TC program. ctx: NULL, or what the packet has besides its bytes. Returns 0 or -errno. */
static inline int rig_try_egress(int fd, const uint8_t *bytes, size_t len, const struct __sk_buff *ctx,
				 struct rig_run *run)
{
	struct __sk_buff ctx_in = {}, ctx_out = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .data_size_in = (__u32)len, .data_out = run->bytes,
		    .data_size_out = sizeof(run->bytes), .ctx_in = &ctx_in, .ctx_size_in = sizeof(ctx_in),
		    .ctx_out = &ctx_out, .ctx_size_out = sizeof(ctx_out));

	if (ctx)
		ctx_in = *ctx;
	if (bpf_prog_test_run_opts(fd, &opts))
		return -errno;
	run->verdict = opts.retval;
	run->mark = ctx_out.mark;
	run->len = opts.data_size_out;
	return 0;
}

static inline void rig_egress(const struct rig *rig, const uint8_t *bytes, size_t len, struct rig_run *run)
{
	expect_eq(-rig_try_egress(rig->datapath.egress_fd, bytes, len, NULL, run), 0);
}

/* linear: bytes in front of the fragments, or 0: as many as possible. Returns 0 or -errno. */
static inline int rig_try_ingress(const struct rig *rig, const uint8_t *bytes, size_t len, size_t linear,
				  struct rig_run *run)
{
	struct xdp_md ctx = { .data_end = (__u32)(linear ? linear : len) };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .data_size_in = (__u32)len, .data_out = run->bytes,
		    .data_size_out = sizeof(run->bytes));

	if (linear) {
		opts.ctx_in = &ctx;
		opts.ctx_size_in = sizeof(ctx);
	}
	if (bpf_prog_test_run_opts(rig->datapath.ingress_fd, &opts))
		return -errno;
	run->verdict = opts.retval;
	run->len = opts.data_size_out;
	return 0;
}

static inline void rig_ingress(const struct rig *rig, const uint8_t *bytes, size_t len, struct rig_run *run)
{
	expect_eq(-rig_try_ingress(rig, bytes, len, 0, run), 0);
}

/* ---- comparing ---- */

/* what: names the case in the message. */
static inline void rig_expect_bytes(const struct rig *rig, const char *what, const uint8_t *got, size_t got_len,
				    const uint8_t *expected, size_t expected_len)
{
	if (got_len != expected_len)
		ck_abort_msg("%s: %s: %zu bytes, expected %zu", rig->name, what, got_len, expected_len);
	for (size_t i = 0; i < got_len; i++) {
		if (got[i] != expected[i])
			ck_abort_msg("%s: %s: byte %zu of %zu is %#x, expected %#x", rig->name, what, i, got_len,
				     got[i], expected[i]);
	}
}

static inline const char *rig_describe(const struct frame_spec *spec)
{
	static char text[160];

	snprintf(text, sizeof(text),
		 "IPv%d, VLANs %u, IP options %u, extensions %u, checksum %d, payload %zu, trailer %zu", spec->ipv6 ? 6 : 4, spec->vlans, spec->ip_options, spec->ext_count, spec->check, spec->payload_len,
		 spec->trailer);
	return text;
}

#endif
