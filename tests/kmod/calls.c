// SPDX-License-Identifier: GPL-2.0-only
/*
 * calls OBJECT absent|present: loads calls.bpf.o, attaches it, sends packets of all kinds and compares what the
 * functions of mimic.ko answer. `absent` wants that the object loads without the module. Then it prints "holding", and
 * keeps the programs attached until standard input ends. Exit status 0, or 1 after a message. Runs
 * as root on:
 *
 *      ka ------- kb      veth with offloads       10.99.0.1/24, fd99::1/64 on ka; neighbours 10.99.0.2, fd99::2
 *   kvx (VXLAN over ka)                            10.98.0.1/24 on kvx; neighbour 10.98.0.2
 *      kc ------- kd      veth; kc without checksum offload
 *
 * Programs: `calls` at the egress of ka, then at the ingress of kb; it may redirect to kc; `capture`
 * at the ingress of kd.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/sockios.h>
#include <linux/udp.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "calls.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum { L4_IPV4 = 34, L4_IPV6 = 54, L4_INNER = 34 + 8 + 8 + 34, UDP = 6, TCP = 16 };

static struct bpf_object *object;
static int calls_fd, capture_fd, failures;

static void die(const char *what)
{
	fprintf(stderr, "calls: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int program_fd(const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}

static int map_fd(const char *name)
{
	return bpf_map__fd(bpf_object__find_map_by_name(object, name));
}

/* The only constant of calls.bpf.c. */
static void set_module_present(bool present)
{
	if (bpf_map__set_initial_value(bpf_object__find_map_by_name(object, ".rodata"), &present,
				       sizeof(present)))
		die(".rodata");
}

static void attach(const char *dev, enum bpf_tc_attach_point point, const char *program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = if_nametoindex(dev), .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1, .prog_fd = program_fd(program));
	int err = bpf_tc_hook_create(&hook);

	if (err && err != -EEXIST)
		die("clsact");
	if (bpf_tc_attach(&hook, &opts))
		die("attaching");
}

static void detach(const char *dev, enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = if_nametoindex(dev), .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1);

	if (bpf_tc_detach(&hook, &opts))
		die("detaching");
}

static void checksum_offload_off(const char *dev)
{
	struct ethtool_value value = { .cmd = ETHTOOL_STXCSUM };
	struct ifreq request = { .ifr_data = (void *)&value };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strncpy(request.ifr_name, dev, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCETHTOOL, &request))
		die("switching checksum offload off");
	close(fd);
}

/* How a packet is sent. */
struct packet {
	const char *name;
	const char *to;
	size_t len;    /* of the payload */
	int segment;   /* UDP_SEGMENT: the payload lies in a page; a superpacket if it is longer */
	bool no_check; /* SO_NO_CHECK: not CHECKSUM_PARTIAL */
	bool shared;   /* pktgen sends it over ka and keeps a reference while it is on its way */
};

/* Writes the lines to a file of /proc/net/pktgen (Documentation/networking/pktgen.rst). */
static void pktgen(const char *name, const char *const lines[])
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/net/pktgen/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	for (; *lines; lines++) {
		/* Not buffered: one write for each line. */
		if (dprintf(fd, "%s\n", *lines) < 0)
			die(*lines);
	}
	close(fd);
}

static void send_shared(const struct packet *p)
{
	char size[32], dst[64], priority[32];

	snprintf(size, sizeof(size), "pkt_size %zu", L4_IPV4 + sizeof(struct udphdr) + p->len);
	snprintf(dst, sizeof(dst), "dst %s", p->to);
	snprintf(priority, sizeof(priority), "skb_priority %d", CALLS_PRIORITY);
	pktgen("kpktgend_0", (const char *[]){ "add_device ka", NULL });
	pktgen("ka", (const char *[]){ "count 1", "delay 0", size, dst, "src_min 10.99.0.1",
				       "dst_mac 02:00:00:00:00:99", "flag UDPCSUM", priority,
				       "xmit_mode queue_xmit", NULL });
	/* Returns when the packet is sent. */
	pktgen("pgctrl", (const char *[]){ "start", NULL });
	pktgen("kpktgend_0", (const char *[]){ "rem_device_all", NULL });
}

static void send_packet(const struct packet *p)
{
	static const char payload[4096] = "0123456789abcdefghijklmnopqrstuvwxyz";
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(5000) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(5000) };
	bool ipv6 = inet_pton(AF_INET, p->to, &v4.sin_addr) != 1;
	int mark = CALLS_MARK, one = 1;
	int fd;

	if (p->shared) {
		send_shared(p);
		return;
	}
	fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		die("socket");
	if (p->no_check && setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, &one, sizeof(one)))
		die("SO_NO_CHECK");
	if (p->segment && setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &p->segment, sizeof(p->segment)))
		die("UDP_SEGMENT");
	inet_pton(AF_INET6, p->to, &v6.sin6_addr);
	if (ipv6 ? connect(fd, (void *)&v6, sizeof(v6)) : connect(fd, (void *)&v4, sizeof(v4)))
		die("connect");
	if (send(fd, payload, p->len, 0) != (ssize_t)p->len)
		die("send");
	close(fd);
}

/* A call, and the result that it has to have. */
struct expectation {
	enum call_function function;
	__u32 l4_off, a, b;
	int result;
};

/* Sends a packet, on which the program makes those calls; redirect: the device it sends it to, or NULL. */
static void expect(const struct packet *p, const struct expectation *e, const char *redirect)
{
	static const char *const names[] = {
		[CALL_PARTIAL] = "mimic_csum_partial",
		[CALL_MOVE] = "mimic_csum_move",
		[CALL_PULL] = "pull",
		[CALL_CHANGE_TAIL] = "change_tail",
		[CALL_STORE] = "store",
	};
	struct calls calls = { .redirect = redirect ? if_nametoindex(redirect) : 0 };
	__u32 zero = 0;
	int i, tries;

	for (i = 0; e[i].function; i++)
		calls.call[i] = (struct call){ e[i].function, e[i].l4_off, e[i].a, e[i].b, -1 };
	if (bpf_map_update_elem(calls_fd, &zero, &calls, 0))
		die("map");
	send_packet(p);
	/* At ingress the packet is seen a little later. */
	for (tries = 0; tries < 500; tries++) {
		if (bpf_map_lookup_elem(calls_fd, &zero, &calls))
			die("map");
		if (calls.packets)
			break;
		usleep(10000);
	}
	printf("%s: %u packet(s) of %u bytes\n", p->name, calls.packets, calls.len);
	if (calls.packets != 1) {
		printf("  FAIL: one packet was expected\n");
		failures++;
		return;
	}
	for (i = 0; e[i].function; i++) {
		if (calls.call[i].result == e[i].result)
			continue;
		printf("  FAIL: %s(%u, %u, %u): %d, expected %d\n", names[e[i].function],
		       e[i].l4_off, e[i].a, e[i].b, calls.call[i].result, e[i].result);
		failures++;
	}
}

/* The Internet checksum over bytes (RFC 1071), not complemented. */
static __u16 sum(const __u8 *data, size_t len)
{
	__u32 sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? data[i] : data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/*
 * The packet that `capture` saw last: is the checksum at l4_off + csum_off what a device makes of it whose field held
 * `before`?
 */
static void expect_checksum(const char *name, __u32 l4_off, __u32 csum_off, __u16 before)
{
	struct capture got = { 0 };
	__u8 *field = got.data + l4_off + csum_off;
	__u32 zero = 0;
	__u16 is, want;
	int tries;

	for (tries = 0; tries < 500 && !got.packets; tries++) {
		usleep(10000);
		if (bpf_map_lookup_elem(capture_fd, &zero, &got))
			die("map");
	}
	is = field[0] << 8 | field[1];
	field[0] = before >> 8;
	field[1] = before;
	want = ~sum(got.data + l4_off, got.len - l4_off);
	printf("%s: %u bytes, checksum %04x\n", name, got.len, is);
	if (got.packets != 1 || is != (want ?: 0xffff)) {
		printf("  FAIL: %u packet(s), expected checksum %04x\n", got.packets, want);
		failures++;
	}
	got = (struct capture){ 0 };
	bpf_map_update_elem(capture_fd, &zero, &got, 0);
}

/* All that can be asked of an ordinary packet with an open UDP checksum; in the end it is as it was. */
static void expect_ordinary(const struct packet *p, __u32 l4_off)
{
	__u32 len = l4_off + sizeof(struct udphdr) + p->len;
	const struct expectation calls[] = {
		{ CALL_PARTIAL, l4_off, UDP, 0, 1 },
		{ CALL_PARTIAL, l4_off, TCP, 0, -EOPNOTSUPP },
		{ CALL_PARTIAL, l4_off, 7, 0, -EINVAL },
		{ CALL_PARTIAL, l4_off, 0, 0, -EINVAL },
		{ CALL_PARTIAL, l4_off, 0xffffffff, 0, -EINVAL },
		{ CALL_PARTIAL, l4_off, 0x10006, 0, -EINVAL },
		{ CALL_PARTIAL, 0, UDP, 0, -EOPNOTSUPP },
		{ CALL_PARTIAL, l4_off - 10, TCP, 0, -EOPNOTSUPP },
		{ CALL_PARTIAL, l4_off + 0x10000, UDP, 0, -EINVAL },
		{ CALL_PARTIAL, len - 8, UDP, 0, p->len ? -EOPNOTSUPP : 1 },
		{ CALL_PARTIAL, len - 7, UDP, 0, -EINVAL },
		{ CALL_PARTIAL, len + 1, UDP, 0, -EINVAL },
		{ CALL_PARTIAL, 0x80000000, UDP, 0, -EINVAL },
		{ CALL_PARTIAL, 0xfffffff8, UDP, 0, -EINVAL },
		{ CALL_PARTIAL, 0xffffffff, UDP, 0, -EINVAL },
		{ CALL_MOVE, l4_off, UDP, UDP, -EINVAL },
		{ CALL_MOVE, l4_off, TCP, TCP, -EINVAL },
		{ CALL_MOVE, l4_off, UDP, 8, -EINVAL },
		{ CALL_MOVE, l4_off, UDP, 0xffffffff, -EINVAL },
		{ CALL_MOVE, l4_off, 0, TCP, -EINVAL },
		{ CALL_MOVE, l4_off, 0x10006, TCP, -EINVAL },
		{ CALL_MOVE, l4_off, TCP, UDP, -EOPNOTSUPP },
		{ CALL_MOVE, 0, UDP, TCP, -EOPNOTSUPP },
		{ CALL_MOVE, l4_off + 0x10000, UDP, TCP, -EINVAL },
		{ CALL_MOVE, 0xffffffff, UDP, TCP, -EINVAL },
		{ CALL_MOVE, 0xfffffff0, UDP, TCP, -EINVAL },
		{ CALL_PARTIAL, l4_off, UDP, 0, 1 },
		{ CALL_MOVE, l4_off, UDP, TCP, 0 },
		{ CALL_PARTIAL, l4_off, TCP, 0, 1 },
		{ CALL_PARTIAL, l4_off, UDP, 0, -EOPNOTSUPP },
		{ CALL_MOVE, l4_off, UDP, TCP, -EOPNOTSUPP },
		{ CALL_MOVE, l4_off, TCP, UDP, 0 },
		{ CALL_PARTIAL, l4_off, UDP, 0, 1 },
		{ CALL_END },
	};

	expect(p, calls, NULL);
}

static const struct packet ipv4 = { .name = "IPv4", .to = "10.99.0.2", .len = 100 };
static const struct packet ipv6 = { .name = "IPv6", .to = "fd99::2", .len = 101 };

/* Packets on which not everything is possible. */
static void expect_special(void)
{
	const struct packet brief = { .name = "4 bytes of payload", .to = ipv4.to, .len = 4 };
	const struct packet paged = {
		.name = "payload in a page", .to = ipv4.to, .len = 100, .segment = 1000
	};
	const struct packet unsummed = {
		.name = "without a checksum", .to = ipv4.to, .len = 100, .no_check = true
	};
	const struct packet gso = {
		.name = "superpacket", .to = ipv4.to, .len = 2000, .segment = 1000
	};
	const struct packet tunnel = { .name = "inside VXLAN", .to = "10.98.0.2", .len = 100 };
	const struct packet shared = {
		.name = "held by its sender", .to = ipv4.to, .len = 100, .shared = true
	};

	expect(&brief,
	       (struct expectation[]){
		       { CALL_PARTIAL, L4_IPV4, UDP, 0, 1 },
		       { CALL_MOVE, L4_IPV4, UDP, TCP, -EINVAL },
		       { CALL_CHANGE_TAIL, L4_IPV4 + 20 + 4, 0, 0, 0 },
		       { CALL_MOVE, L4_IPV4, UDP, TCP, 0 },
		       { CALL_MOVE, L4_IPV4, TCP, UDP, 0 },
		       { CALL_CHANGE_TAIL, L4_IPV4 + 8 + 4, 0, 0, 0 },
		       { CALL_PARTIAL, L4_IPV4, UDP, 0, 1 },
		       { CALL_END },
	       },
	       NULL);
	expect(&paged,
	       (struct expectation[]){
		       { CALL_PARTIAL, L4_IPV4, UDP, 0, 1 },
		       { CALL_MOVE, L4_IPV4, UDP, TCP, -EFAULT },
		       { CALL_PARTIAL, L4_IPV4, UDP, 0, 1 },
		       { CALL_PULL, L4_IPV4 + 18, 0, 0, 0 },
		       { CALL_MOVE, L4_IPV4, UDP, TCP, 0 },
		       { CALL_PARTIAL, L4_IPV4, TCP, 0, 1 },
		       { CALL_MOVE, L4_IPV4, TCP, UDP, 0 },
		       { CALL_END },
	       },
	       NULL);
	expect(&unsummed,
	       (struct expectation[]){
		       { CALL_PARTIAL, L4_IPV4, UDP, 0, 0 },
		       { CALL_PARTIAL, L4_IPV4, TCP, 0, 0 },
		       { CALL_PARTIAL, L4_IPV4, 8, 0, -EINVAL },
		       { CALL_MOVE, L4_IPV4, UDP, TCP, -ENODATA },
		       { CALL_MOVE, L4_IPV4, TCP, UDP, -ENODATA },
		       { CALL_END },
	       },
	       NULL);
	expect(&gso,
	       (struct expectation[]){
		       { CALL_PARTIAL, L4_IPV4, UDP, 0, 1 },
		       { CALL_MOVE, L4_IPV4, UDP, TCP, -EOPNOTSUPP },
		       { CALL_PARTIAL, L4_IPV4, UDP, 0, 1 },
		       { CALL_END },
	       },
	       NULL);
	expect(&shared,
	       (struct expectation[]){
		       { CALL_PARTIAL, L4_IPV4, UDP, 0, 1 },
		       { CALL_MOVE, L4_IPV4, UDP, TCP, -EBUSY },
		       { CALL_PARTIAL, L4_IPV4, UDP, 0, 1 },
		       { CALL_END },
	       },
	       NULL);
	expect(&tunnel,
	       (struct expectation[]){
		       { CALL_PARTIAL, L4_IPV4, UDP, 0, -EOPNOTSUPP },
		       { CALL_PARTIAL, L4_INNER, UDP, 0, 1 },
		       { CALL_MOVE, L4_IPV4, UDP, TCP, -EOPNOTSUPP },
		       { CALL_MOVE, L4_INNER, UDP, TCP, -EOPNOTSUPP },
		       { CALL_PARTIAL, L4_INNER, UDP, 0, 1 },
		       { CALL_END },
	       },
	       NULL);
}

/* What the kernel makes of it where the device cannot: skb_checksum_help(), on the way out of kc. */
static void expect_completed(const struct packet *p, __u32 l4_off)
{
	const __u16 before = 0x1234;
	struct packet named = *p;

	named.name = "moved to 16, completed";
	expect(&named,
	       (struct expectation[]){
		       { CALL_STORE, l4_off + TCP, htons(before), 0, 0 },
		       { CALL_MOVE, l4_off, UDP, TCP, 0 },
		       { CALL_END },
	       },
	       "kc");
	expect_checksum(named.name, l4_off, TCP, before);

	named.name = "moved to 16 and back to 6, completed";
	expect(&named,
	       (struct expectation[]){
		       { CALL_STORE, l4_off + UDP, htons(before), 0, 0 },
		       { CALL_MOVE, l4_off, UDP, TCP, 0 },
		       { CALL_MOVE, l4_off, TCP, UDP, 0 },
		       { CALL_END },
	       },
	       "kc");
	expect_checksum(named.name, l4_off, UDP, before);
}

/* BPF_PROG_TEST_RUN makes an sk_buff without an open checksum. */
static void expect_test_run(int on_partial, int on_move)
{
	struct calls calls = { .call = { { CALL_PARTIAL, L4_IPV4, UDP, 0, -1 },
					 { CALL_MOVE, L4_IPV4, UDP, TCP, -1 } } };
	struct __sk_buff ctx = { .mark = CALLS_MARK };
	__u8 frame[128] = { [12] = ETH_P_IP >> 8, [14] = 0x45, [23] = IPPROTO_UDP };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));
	__u32 zero = 0;

	if (bpf_map_update_elem(calls_fd, &zero, &calls, 0) ||
	    bpf_prog_test_run_opts(program_fd("calls"), &opts) ||
	    bpf_map_lookup_elem(calls_fd, &zero, &calls))
		die("test run");
	printf("test run: %d, %d\n", calls.call[0].result, calls.call[1].result);
	if (calls.packets != 1 || calls.call[0].result != on_partial ||
	    calls.call[1].result != on_move) {
		printf("  FAIL: expected %d, %d\n", on_partial, on_move);
		failures++;
	}
}

/* A program of another type must not pass the verifier, and for that reason. */
static void expect_refused_for_xdp(const char *path)
{
	static const char why[] = "calling kernel function mimic_csum_partial is not allowed";
	static char log[1 << 16];
	struct bpf_object *other = bpf_object__open(path);
	struct bpf_program *program;
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	bool wanted;

	if (!other)
		die(path);
	bpf_object__for_each_program(program, other) {
		wanted = !strcmp(bpf_program__name(program), "calls_from_xdp");
		bpf_program__set_autoload(program, wanted);
		if (wanted && (bpf_program__set_log_buf(program, log, sizeof(log)) ||
			       bpf_program__set_log_level(program, 1)))
			die("the verifier's log");
	}
	if (!bpf_object__load(other)) {
		printf("FAIL: an XDP program may call the functions\n");
		failures++;
	} else if (!strstr(log, why)) {
		printf("FAIL: an XDP program is refused, but not by \"%s\":\n%s\n", why, log);
		failures++;
	}
	bpf_object__close(other);
	libbpf_set_print(print);
}

int main(int argc, char **argv)
{
	char line[16];

	if (argc != 3) {
		fprintf(stderr, "usage: calls OBJECT absent|present\n");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	object = bpf_object__open(argv[1]);
	if (!object)
		die(argv[1]);
	set_module_present(!strcmp(argv[2], "present"));
	if (bpf_object__load(object))
		die(argv[1]);
	calls_fd = map_fd("calls_map");
	capture_fd = map_fd("capture_map");
	if (!strcmp(argv[2], "absent")) {
		expect_test_run(CALLS_ABSENT, CALLS_ABSENT);
		return failures != 0;
	}
	expect_test_run(0, -ENODATA);
	expect_refused_for_xdp(argv[1]);

	checksum_offload_off("kc");
	attach("kd", BPF_TC_INGRESS, "capture");
	attach("ka", BPF_TC_EGRESS, "calls");
	expect_ordinary(&ipv4, L4_IPV4);
	expect_ordinary(&ipv6, L4_IPV6);
	expect_special();
	expect_completed(&ipv4, L4_IPV4);
	expect_completed(&ipv6, L4_IPV6);
	detach("ka", BPF_TC_EGRESS);

	attach("kb", BPF_TC_INGRESS, "calls");
	printf("at ingress\n");
	expect_ordinary(&ipv4, L4_IPV4);
	expect_ordinary(&ipv6, L4_IPV6);
	expect_completed(&ipv4, L4_IPV4);

	printf("holding\n");
	while (!failures && fgets(line, sizeof(line), stdin))
		;
	detach("kb", BPF_TC_INGRESS);
	detach("kd", BPF_TC_INGRESS);
	return failures != 0;
}
