/* SPDX-License-Identifier: GPL-2.0-only */
/* Which filter a packet finds: addresses, prefixes of both families, source before destination; filters that go and change */
#include <arpa/inet.h>

#include "model.h"

enum {
	PORT_A = 1111, /* of what goes out */
	PORT_B = 2222,
	PREFIXES = 200,
};

static struct frame frame;
static struct rig_run run;
static uint8_t payload[64];

/* A filter as `mimic run` would have it: @text without a port. */
static struct filter make_filter(enum filter_origin origin, const char *text, uint16_t port)
{
	char host[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	bool ipv6 = strchr(text, ':');
	struct filter filter = { .prefix_len = ADDR_BITS };
	uint8_t bytes[16] = {};
	struct addr addr;

	snprintf(host, sizeof(host), "%.*s", slash ? (int)(slash - text) : (int)strlen(text), text);
	expect(inet_pton(ipv6 ? AF_INET6 : AF_INET, host, bytes) == 1);
	rig_addr(&addr, bytes, ipv6);
	filter_key_make(&filter.key, &addr, host_to_be16(port), origin);
	if (slash)
		filter.prefix_len = (uint8_t)(atoi(slash + 1) + (ipv6 ? 0 : ADDR_IPV4_BITS));
	return filter;
}

/* @padding tells the filters apart. */
static struct filter set(struct rig *rig, enum filter_origin origin, const char *text, uint16_t port, __u8 padding)
{
	struct filter filter = make_filter(origin, text, port);
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;

	settings.padding = padding;
	expect_eq(-datapath_set_filter(&rig->datapath, &filter, &settings), 0);
	return filter;
}

static void make_frame(const struct rig *rig, struct frame_spec *spec, const char *src, const char *dst, __u8 proto)
{
	bool ipv6 = strchr(src, ':');

	frame_spec_init(spec, ipv6, payload, 40);
	expect(inet_pton(ipv6 ? AF_INET6 : AF_INET, src, spec->src) == 1 && inet_pton(ipv6 ? AF_INET6 : AF_INET, dst, spec->dst) == 1);
	spec->ethernet = rig->ethernet;
	spec->src_port = PORT_A;
	spec->dst_port = PORT_B;
	spec->proto = proto;
	spec->tcp = (struct frame_tcp){ .seq = 1, .window = 0x3000, .flags = TCP_SYN };
	if (proto == IPPROTO_TCP) {
		spec->payload_len = 0;
		spec->tcp.options_len = TCPOPT_SYN_LEN;
		tcpopt_make_syn(spec->tcp.options, 1460, CONN_WINDOW_SCALE);
	}
	frame_build(&frame, spec);
}

/* The padding of the connection that the packet has made, or -1: it passed as it was. */
static int found(struct rig *rig, const struct frame_spec *spec, bool outgoing)
{
	struct conn_key key = rig_key(spec, outgoing);
	struct mimic_conn conn;
	bool known;

	if (outgoing)
		rig_egress(rig, frame.bytes, frame.len, &run);
	else
		rig_ingress(rig, frame.bytes, frame.len, &run);
	known = rig_get(rig, &key, &conn);
	if (!known) {
		expect_eq(run.verdict, outgoing ? (uint32_t)TC_ACT_UNSPEC : MODEL_XDP_PASS);
		rig_expect_bytes(rig, "not ours", run.bytes, run.len, frame.bytes, frame.len);
		return -1;
	}
	rig_remove_connections(rig);
	return conn.c.settings.padding;
}

/* A datagram from @src to @dst goes out. */
static int found_out(struct rig *rig, const char *src, const char *dst)
{
	struct frame_spec spec;

	make_frame(rig, &spec, src, dst, IPPROTO_UDP);
	return found(rig, &spec, true);
}

/* A SYN from @src to @dst comes in. */
static int found_in(struct rig *rig, const char *src, const char *dst)
{
	struct frame_spec spec;

	make_frame(rig, &spec, src, dst, IPPROTO_TCP);
	return found(rig, &spec, false);
}

/* By a filter: not for connections that are left. */
static bool port_is_wanted(struct rig *rig, enum filter_origin origin, uint16_t port)
{
	const struct mimic_shared *shared = rig->datapath.shared;

	datapath_drop_ports(&rig->datapath);
	return (origin == ORIGIN_LOCAL ? shared->local_ports : shared->remote_ports)[port >> 3] & 1 << (port & 7);
}

START_TEST(test_prefix)
{
	struct rig *rig = rig_reset(_i);

	expect_eq(found_out(rig, "192.0.2.1", "198.51.100.9"), -1);
	set(rig, ORIGIN_REMOTE, "198.51.100.0/24", PORT_B, 1);
	expect_eq(found_out(rig, "192.0.2.1", "198.51.100.0"), 1);
	expect_eq(found_out(rig, "192.0.2.1", "198.51.100.255"), 1);
	expect_eq(found_out(rig, "192.0.2.1", "198.51.99.255"), -1);
	expect_eq(found_out(rig, "192.0.2.1", "198.51.101.0"), -1);
	expect_eq(found_out(rig, "198.51.100.9", "192.0.2.1"), -1); /* the other end */
	set(rig, ORIGIN_REMOTE, "2001:db8::/33", PORT_B, 2);
	expect_eq(found_out(rig, "2001:db8:8000::1", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"), 2);
	expect_eq(found_out(rig, "2001:db8::1", "2001:db8:8000::1"), -1);
	set(rig, ORIGIN_REMOTE, "203.0.113.0/24", PORT_A, 3); /* what comes in comes from PORT_A */
	expect_eq(found_in(rig, "203.0.113.77", "192.0.2.1"), 3);
	expect_eq(found_in(rig, "203.0.112.77", "192.0.2.1"), -1);
	set(rig, ORIGIN_LOCAL, "fd00::/8", PORT_B, 4);
	expect_eq(found_in(rig, "2001:db8::1", "fdff::1"), 4);
	expect_eq(found_in(rig, "2001:db8::1", "fc00::1"), -1);
}
END_TEST

/* IPv4 lies within ::/0 by number, but not by meaning. */
START_TEST(test_families)
{
	struct rig *rig = rig_reset(_i);

	set(rig, ORIGIN_REMOTE, "::/0", PORT_B, 6);
	expect_eq(found_out(rig, "2001:db8::1", "2001:db8::2"), 6);
	expect_eq(found_out(rig, "192.0.2.1", "198.51.100.9"), -1);
	set(rig, ORIGIN_REMOTE, "0.0.0.0/0", PORT_B, 4);
	expect_eq(found_out(rig, "2001:db8::1", "2001:db8::2"), 6);
	expect_eq(found_out(rig, "192.0.2.1", "198.51.100.9"), 4);
	expect_eq(found_out(rig, "192.0.2.1", "255.0.0.1"), 4);
}
END_TEST

START_TEST(test_longest)
{
	struct rig *rig = rig_reset(_i);
	struct filter longest;

	set(rig, ORIGIN_REMOTE, "198.51.100.0/24", PORT_B, 2);
	longest = set(rig, ORIGIN_REMOTE, "198.51.100.128/26", PORT_B, 3);
	set(rig, ORIGIN_REMOTE, "198.51.0.0/16", PORT_B, 1);
	set(rig, ORIGIN_REMOTE, "198.51.100.129", PORT_B, 4); /* an address is longer than any prefix */
	expect_eq(found_out(rig, "192.0.2.1", "198.51.3.1"), 1);
	expect_eq(found_out(rig, "192.0.2.1", "198.51.100.1"), 2);
	expect_eq(found_out(rig, "192.0.2.1", "198.51.100.130"), 3);
	expect_eq(found_out(rig, "192.0.2.1", "198.51.100.129"), 4);
	expect_eq(datapath_remove_filter(&rig->datapath, &longest), 0);
	expect_eq(found_out(rig, "192.0.2.1", "198.51.100.130"), 2);
	set(rig, ORIGIN_REMOTE, "2001:db8::/32", PORT_B, 5);
	set(rig, ORIGIN_REMOTE, "2001:db8::8/125", PORT_B, 6);
	set(rig, ORIGIN_REMOTE, "2001:db8::9", PORT_B, 7);
	expect_eq(found_out(rig, "fd00::1", "2001:db8::1"), 5);
	expect_eq(found_out(rig, "fd00::1", "2001:db8::8"), 6);
	expect_eq(found_out(rig, "fd00::1", "2001:db8::9"), 7);
}
END_TEST

/* A prefix of the source comes before an address of the destination. */
START_TEST(test_source_first)
{
	struct rig *rig = rig_reset(_i);

	set(rig, ORIGIN_REMOTE, "198.51.100.9", PORT_B, 1);
	set(rig, ORIGIN_LOCAL, "192.0.2.0/24", PORT_A, 2);
	expect_eq(found_out(rig, "192.0.2.1", "198.51.100.9"), 2);
	expect_eq(found_out(rig, "192.0.3.1", "198.51.100.9"), 1);
	set(rig, ORIGIN_LOCAL, "198.51.100.9", PORT_B, 3);
	set(rig, ORIGIN_REMOTE, "192.0.2.0/25", PORT_A, 4);
	expect_eq(found_in(rig, "192.0.2.1", "198.51.100.9"), 4);
	expect_eq(found_in(rig, "192.0.2.128", "198.51.100.9"), 3);
	set(rig, ORIGIN_REMOTE, "192.0.2.1", PORT_A, 5);
	expect_eq(found_in(rig, "192.0.2.1", "198.51.100.9"), 5);
}
END_TEST

/* Settings are replaced in place; an end is counted once, however often it is set. */
START_TEST(test_replace)
{
	static const char *const ends[] = { "198.51.100.9", "198.51.100.0/24", "198.51.0.0/16" };
	struct rig *rig = rig_reset(_i);

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct filter filter = set(rig, ORIGIN_REMOTE, ends[i], PORT_B, 1);

		for (__u8 padding = 2; padding < 6; padding++) {
			set(rig, ORIGIN_REMOTE, ends[i], PORT_B, padding);
			expect_eq(found_out(rig, "192.0.2.1", "198.51.100.9"), padding);
		}
		expect(port_is_wanted(rig, ORIGIN_REMOTE, PORT_B));
		expect_eq(rig->datapath.shared->prefixes, i > 0);
		expect_eq(datapath_remove_filter(&rig->datapath, &filter), 0);
		expect_eq(found_out(rig, "192.0.2.1", "198.51.100.9"), -1);
		expect_eq(rig->datapath.shared->prefixes, 0);
		expect_eq(datapath_remove_filter(&rig->datapath, &filter), 0); /* no error, and nothing changes */
		expect_eq(rig->datapath.shared->prefixes, 0);
		expect(!port_is_wanted(rig, ORIGIN_REMOTE, PORT_B));
	}
}
END_TEST

/* The bit of a port goes with its last filter; a prefix is removed by its very length. */
START_TEST(test_remove)
{
	struct rig *rig = rig_reset(_i);
	struct filter address = set(rig, ORIGIN_REMOTE, "198.51.100.0", PORT_B, 1);
	struct filter prefix = set(rig, ORIGIN_REMOTE, "198.51.100.0/24", PORT_B, 2);
	struct filter wider = make_filter(ORIGIN_REMOTE, "198.51.100.0/23", PORT_B);
	struct filter local = set(rig, ORIGIN_LOCAL, "192.0.2.0/24", PORT_B, 3);
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct filter wildcard = address;

	expect_eq(datapath_remove_filter(&rig->datapath, &wider), 0);
	expect_eq(rig->datapath.shared->prefixes, 2);
	expect_eq(datapath_remove_filter(&rig->datapath, &prefix), 0);
	expect_eq(datapath_remove_filter(&rig->datapath, &prefix), 0);
	expect_eq(rig->datapath.shared->prefixes, 1);
	expect(port_is_wanted(rig, ORIGIN_REMOTE, PORT_B));
	expect_eq(found_out(rig, "192.0.2.1", "198.51.100.0"), 1);
	expect_eq(found_out(rig, "192.0.2.1", "198.51.100.1"), -1);
	expect_eq(datapath_remove_filter(&rig->datapath, &address), 0);
	expect(!port_is_wanted(rig, ORIGIN_REMOTE, PORT_B));
	expect(port_is_wanted(rig, ORIGIN_LOCAL, PORT_B));
	expect_eq(found_out(rig, "192.0.2.1", "198.51.100.0"), -1);
	expect_eq(found_in(rig, "198.51.100.0", "192.0.2.1"), 3);
	expect_eq(datapath_remove_filter(&rig->datapath, &local), 0);
	expect(!port_is_wanted(rig, ORIGIN_LOCAL, PORT_B));
	wildcard.wildcard = true;
	expect_eq(datapath_set_filter(&rig->datapath, &wildcard, &settings), -EINVAL);
	expect(!port_is_wanted(rig, ORIGIN_REMOTE, PORT_B));
}
END_TEST

/* Many prefixes, one within the other and beside each other; none is left afterwards. */
START_TEST(test_many)
{
	struct rig *rig = rig_reset(_i);
	struct filter_prefix left;
	struct filter last;
	char text[64];

	for (int i = 0; i < PREFIXES; i++) {
		snprintf(text, sizeof(text), "10.%d.0.0/16", i);
		set(rig, ORIGIN_REMOTE, text, PORT_B, (__u8)(i % 16));
		snprintf(text, sizeof(text), "10.%d.%d.0/24", i, i);
		set(rig, ORIGIN_REMOTE, text, PORT_B, (__u8)((i + 1) % 16));
	}
	expect_eq(rig->datapath.shared->prefixes, 2 * PREFIXES);
	for (int i = 0; i < PREFIXES; i += 17) {
		snprintf(text, sizeof(text), "10.%d.%d.1", i, i + 1);
		expect_eq(found_out(rig, "192.0.2.1", text), i % 16);
		snprintf(text, sizeof(text), "10.%d.%d.1", i, i);
		expect_eq(found_out(rig, "192.0.2.1", text), (i + 1) % 16);
	}
	datapath_clear_filters(&rig->datapath);
	expect_eq(rig->datapath.shared->prefixes, 0);
	expect(bpf_map_get_next_key(rig->datapath.prefixes_fd, NULL, &left));
	expect(!port_is_wanted(rig, ORIGIN_REMOTE, PORT_B));
	/* The counts begin anew, too. */
	last = set(rig, ORIGIN_REMOTE, "10.0.0.0/8", PORT_B, 1);
	expect_eq(datapath_remove_filter(&rig->datapath, &last), 0);
	expect(!port_is_wanted(rig, ORIGIN_REMOTE, PORT_B));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filters");
	TCase *tcase = tcase_create("filters");

	rigs_open();
	tcase_add_loop_test(tcase, test_prefix, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_families, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_longest, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_source_first, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_replace, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_remove, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_many, 0, RIG_COUNT);
	suite_add_tcase(suite, tcase);
	return rigs_run(suite);
}
