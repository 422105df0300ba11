// SPDX-License-Identifier: GPL-2.0-only
/*
 * gso OBJECT: UDP superpackets of many shapes leave by ka, whose TC egress has the program of OBJECT (gso.bpf.c); what arrives at kb, and of clones at kf,
 * is compared byte for byte, with the metadata (virtio_net_hdr). Exit status 0, or 1 after a message. Runs as root, on ka and kb of
 * calls.c, and a pair of veth of the same kind, ke and kf.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gso.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum { L4_IPV4 = 34, L4_IPV6 = 54, VLAN = 4, PIECE = 12, FRAME_MAX = 70000, MAYBE_WHOLE = 65490 /* more does not fit veth with its header */, SEQ = 0xfffff000, ACK = 0x12345678, WINDOW = 0x3400 };

enum how {
	BY_SOCKET,	  /* payload in pages of the sender's task */
	BY_ZEROCOPY,	  /* in the sender's own pages */
	BY_FRAME,	  /* AF_PACKET: only the headers are linear */
	BY_LINEAR_FRAME,  /* AF_PACKET: all is linear, as far as that goes */
};

struct shape {
	const char *name;
	enum how how;
	bool ipv6, vlan, clone;
	__u32 size, len; /* of a datagram's payload, and of all */
	int result;	 /* of both functions; 0: converted */
	__u32 pull;	 /* behind the UDP header; 0: 12 */
	__s32 l4_shift;	 /* the program is told a wrong place */
	__u32 window;	 /* 0: a good one */
};

static const struct ethhdr ethernet = { .h_dest = { 2, 0, 0, 0, 0, 0x99 }, .h_source = { 2, 0, 0, 0, 0, 1 } };

static int map_fd, failures;
static __u8 *payload;

static void die(const char *what)
{
	fprintf(stderr, "gso: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* with_header: a struct virtio_net_hdr comes with each packet, and 6.1 hands over no superpacket of UDP. */
static int listen_at(const char *dev, int with_header)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = if_nametoindex(dev) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), room = 4 << 20;

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &with_header, sizeof(with_header)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) || bind(fd, (void *)&at, sizeof(at)))
		die(dev);
	return fd;
}

static __u32 sum_words(const __u8 *data, size_t len, __u32 sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? data[i] : data[i] << 8;
	return sum;
}

static __u16 fold(__u32 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void put16(__u8 *at, __u16 value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static void put32(__u8 *at, __u32 value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

/* Protocol and L4 length stand in the header; the sum of the pseudo header, to stand in the checksum field. */
static __u16 pseudo(const struct shape *s, const __u8 *ip, __u8 proto, __u32 l4_len)
{
	return fold(sum_words(ip + (s->ipv6 ? 8 : 12), s->ipv6 ? 32 : 8, proto + l4_len));
}

static __u32 l3_off(const struct shape *s)
{
	return ETH_HLEN + (s->vlan ? VLAN : 0);
}

static __u32 l4_off(const struct shape *s)
{
	return l3_off(s) + (s->ipv6 ? 40 : 20);
}

/* The whole UDP superpacket, as a frame. */
static size_t make_frame(const struct shape *s, __u8 *frame)
{
	__u8 *ip = frame + l3_off(s), *udp = frame + l4_off(s);
	__u32 udp_len = 8 + s->len;

	memset(frame, 0, l4_off(s) + 8);
	memcpy(frame, &ethernet, ETH_HLEN);
	if (s->vlan) {
		put16(frame + 12, ETH_P_8021Q);
		put16(frame + 14, 42);
	}
	put16(ip - 2, s->ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	if (s->ipv6) {
		put32(ip, 0x60012345);
		put16(ip + 4, udp_len);
		ip[6] = IPPROTO_UDP;
		ip[7] = 64;
		inet_pton(AF_INET6, "fd99::1", ip + 8);
		inet_pton(AF_INET6, "fd99::2", ip + 24);
	} else {
		put32(ip, 0x45b80000 | (20 + udp_len));
		put32(ip + 4, 0xfff04000);
		ip[8] = 64;
		ip[9] = IPPROTO_UDP;
		inet_pton(AF_INET, "10.99.0.1", ip + 12);
		inet_pton(AF_INET, "10.99.0.2", ip + 16);
		put16(ip + 10, ~fold(sum_words(ip, 20, 0)));
	}
	put16(udp, 4000);
	put16(udp + 2, 5000);
	put16(udp + 4, udp_len);
	put16(udp + 6, pseudo(s, ip, IPPROTO_UDP, udp_len));
	memcpy(udp + 8, payload, s->len);
	return l4_off(s) + udp_len;
}

/* What has to become of it, apart from what the sender's kernel chose: addresses, and what is in front of the lengths. */
static size_t expect_frame(const struct shape *s, const __u8 *udp_frame, __u8 *frame)
{
	__u8 *ip = frame + l3_off(s), *tcp = frame + l4_off(s), *to = tcp + 20;
	__u32 tcp_len = 20 + s->len, off, len;

	memcpy(frame, udp_frame, l4_off(s) + 4);
	if (s->ipv6) {
		put16(ip + 4, tcp_len);
		ip[6] = IPPROTO_TCP;
	} else {
		put16(ip + 2, 20 + tcp_len);
		ip[9] = IPPROTO_TCP;
		put16(ip + 10, 0);
		put16(ip + 10, ~fold(sum_words(ip, 20, 0)));
	}
	put32(tcp + 4, SEQ);
	put32(tcp + 8, ACK);
	put32(tcp + 12, 0x50100000 | WINDOW);
	put16(tcp + 16, pseudo(s, ip, IPPROTO_TCP, tcp_len));
	put16(tcp + 18, 0);
	for (off = 0; off < s->len; off += len) {
		len = s->len - off < s->size ? s->len - off : s->size;
		if (len < PIECE)
			break; /* has to be refused */
		memcpy(to + off, payload + off + PIECE, len - PIECE);
		memcpy(to + off + len - PIECE, payload + off, PIECE);
	}
	return l4_off(s) + tcp_len;
}

static void send_by_socket(const struct shape *s)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(5000) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(5000) };
	int fd = socket(s->ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0), mark = GSO_MARK, size = s->size, one = 1;
	struct iovec iov = { payload, s->len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	bool zerocopy = s->how == BY_ZEROCOPY;

	inet_pton(AF_INET, "10.99.0.2", &v4.sin_addr);
	inet_pton(AF_INET6, "fd99::2", &v6.sin6_addr);
	msg.msg_name = s->ipv6 ? (void *)&v6 : (void *)&v4;
	msg.msg_namelen = s->ipv6 ? sizeof(v6) : sizeof(v4);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) ||
	    setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) ||
	    (zerocopy && setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one))))
		die("socket");
	if (sendmsg(fd, &msg, zerocopy ? MSG_ZEROCOPY : 0) != (ssize_t)s->len)
		die(s->name);
	close(fd);
}

static void send_frame(const struct shape *s, __u8 *frame, size_t len)
{
	struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
		.hdr_len = s->how == BY_LINEAR_FRAME ? len : l4_off(s) + 8,
		.gso_size = s->size,
		.csum_start = l4_off(s),
		.csum_offset = 6,
	};
	struct iovec iov[] = { { &header, sizeof(header) }, { frame, len } };
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex("ka"), .sll_halen = ETH_ALEN };
	struct msghdr msg = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = iov, .msg_iovlen = 2 };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1, mark = GSO_MARK;

	to.sll_protocol = htons(s->vlan ? ETH_P_8021Q : s->ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		die("AF_PACKET");
	if (sendmsg(fd, &msg, 0) < 0)
		die(s->name);
	close(fd);
}

/* The next frame for the port; its length, or 0. header: NULL, and the socket has none. */
static size_t receive(const struct shape *s, int fd, struct virtio_net_hdr *header, __u8 *frame)
{
	struct iovec iov[] = { { header, sizeof(*header) }, { frame, FRAME_MAX } };
	struct msghdr msg = { .msg_iov = header ? iov : iov + 1, .msg_iovlen = header ? 2 : 1 };
	size_t header_len = header ? sizeof(*header) : 0;
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	while (poll(&poll_fd, 1, 3000) == 1) {
		ssize_t len = recvmsg(fd, &msg, 0);

		if (len < (ssize_t)(header_len + l4_off(s) + 8))
			continue;
		if (frame[l4_off(s) + 2] == 5000 >> 8 && frame[l4_off(s) + 3] == (5000 & 0xff))
			return (size_t)len - header_len;
	}
	return 0;
}

static void fail(const struct shape *s, const char *format, long is, long expected)
{
	printf("  FAIL: %s: ", s->name);
	printf(format, is, expected);
	putchar('\n');
	failures++;
}

static void compare(const struct shape *s, const char *what, const __u8 *is, size_t len, const __u8 *want, size_t want_len)
{
	size_t i = 0;

	if (len != want_len) {
		fail(s, what, (long)len, (long)want_len);
		return;
	}
	while (i < len && is[i] == want[i])
		i++;
	if (i < len)
		fail(s, "byte %ld of %ld differs", (long)i, (long)len);
}

static void expect_metadata(const struct shape *s, const struct virtio_net_hdr *header)
{
	bool converted = !s->result;
	int type = !converted ? VIRTIO_NET_HDR_GSO_UDP_L4 : s->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;

	if (header->gso_type != type)
		fail(s, "gso_type is %ld, expected %ld", header->gso_type, type);
	if (header->gso_size != s->size)
		fail(s, "gso_size is %ld, expected %ld", header->gso_size, s->size);
	if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		fail(s, "flags are %ld, expected %ld", header->flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	if (header->csum_start != l4_off(s) || header->csum_offset != (converted ? 16 : 6))
		fail(s, "the checksum is at %ld + %ld", header->csum_start, header->csum_offset);
}

/* After the kernel's own choice (identification, flow label, addresses of Ethernet), which is taken from what arrived. */
static void adopt(const struct shape *s, const __u8 *from, __u8 *frame)
{
	__u8 *ip = frame + l3_off(s);

	memcpy(frame, from, ETH_HLEN);
	memcpy(frame + l4_off(s), from + l4_off(s), 2);
	if (s->ipv6) {
		memcpy(ip, from + l3_off(s), 4);
	} else {
		memcpy(ip, from + l3_off(s), 2);
		memcpy(ip + 4, from + l3_off(s) + 4, 4);
		put16(ip + 10, 0);
		put16(ip + 10, ~fold(sum_words(ip, 20, 0)));
	}
}

/* Whether struct virtio_net_hdr can speak of superpackets of UDP (6.2). */
static bool has_udp_frames(void)
{
	char line[64] = "";
	int major = 0, minor = 0;
	FILE *file = fopen("/proc/sys/kernel/osrelease", "re");

	if (!file || !fgets(line, sizeof(line), file) || sscanf(line, "%d.%d", &major, &minor) != 2)
		die("osrelease");
	fclose(file);
	return major > 6 || minor >= 2;
}

/* What earlier packets have left, such as the segments of what is too long for veth. */
static void drain(int fd)
{
	static __u8 frame[FRAME_MAX];

	while (recv(fd, frame, sizeof(frame), MSG_DONTWAIT) >= 0)
		;
}

static void try_shape(const struct shape *s, int kb, int kf)
{
	static __u8 sent[FRAME_MAX], got[FRAME_MAX], want[FRAME_MAX];
	struct gso_call call = {
		.l4_off = l4_off(s) + s->l4_shift,
		.seq = SEQ,
		.ack = ACK,
		.window = s->window ? s->window : WINDOW,
		.clone_to = s->clone ? if_nametoindex("ke") : 0,
		.pull = l4_off(s) + 8 + (s->pull ? s->pull : PIECE),
	};
	int copied = s->how == BY_ZEROCOPY || s->clone ? (int)(s->len - PIECE) : 0;
	size_t sent_len = make_frame(s, sent), len;
	bool readable = !s->vlan && (!s->result || has_udp_frames());
	struct virtio_net_hdr header;
	__u8 *before = malloc(s->len);
	__u32 zero = 0;

	memcpy(before, payload, s->len);
	drain(kb);
	drain(kf);
	if (bpf_map_update_elem(map_fd, &zero, &call, 0))
		die("map");
	if (s->how == BY_FRAME || s->how == BY_LINEAR_FRAME)
		send_frame(s, sent, sent_len);
	else
		send_by_socket(s);
	len = readable ? receive(s, kb, &header, got) : sent_len;
	if (bpf_map_lookup_elem(map_fd, &zero, &call))
		die("map");
	printf("%s: %u bytes in datagrams of %u: prepare %d, %d, convert %d\n", s->name, s->len, s->size, call.prepare, call.again, call.convert);
	if (call.packets != 1 || !len || call.len != sent_len) {
		fail(s, "%ld packets at egress, %ld bytes received", call.packets, (long)len);
		goto out;
	}
	if (call.convert != s->result)
		fail(s, "mimic_gso_convert() is %ld, expected %ld", call.convert, s->result);
	if (!s->window && s->result && call.prepare != s->result)
		fail(s, "mimic_gso_prepare() is %ld, expected %ld", call.prepare, s->result);
	/* How AF_PACKET allocates pages is its own affair. */
	if (!s->result && (s->how == BY_SOCKET || s->how == BY_ZEROCOPY) && call.prepare != copied)
		fail(s, "%ld bytes were copied, expected %ld", call.prepare, copied);
	if (!s->result && call.again)
		fail(s, "%ld bytes were copied again", call.again, 0);
	if (!readable)
		goto out;
	adopt(s, got, sent);
	if (s->len < MAYBE_WHOLE) {
		expect_metadata(s, &header);
		compare(s, "%ld bytes arrived, expected %ld", got, len, s->result ? sent : want,
			s->result ? sent_len : expect_frame(s, sent, want));
	}
	if (s->clone) {
		len = receive(s, kf, NULL, got);
		compare(s, "%ld bytes of the clone arrived, expected %ld", got, len, sent, sent_len);
	}
	if (memcmp(before, payload, s->len))
		fail(s, "the sender's own memory has changed", 0, 0);
out:
	free(before);
}

static const struct shape shapes[] = {
	{ .name = "wrong place", .size = 1000, .len = 3000, .l4_shift = 8, .pull = 40, .result = -EOPNOTSUPP },
	{ .name = "place behind the end", .size = 1000, .len = 3000, .l4_shift = 100000, .result = -EINVAL },
	{ .name = "negative place", .size = 1000, .len = 3000, .l4_shift = -100, .result = -EINVAL },
	{ .name = "place in front of IP", .size = 1000, .len = 3000, .l4_shift = -21, .result = -EINVAL },
	{ .name = "window too large", .size = 1000, .len = 3000, .window = 0x10000, .result = -EINVAL },
	{ .name = "not linear", .size = 1000, .len = 3000, .pull = 11, .result = -EFAULT },
	{ .name = "last one of 11", .size = 100, .len = 211, .result = -EOPNOTSUPP },
	{ .name = "datagrams of 11", .size = 11, .len = 110, .result = -EOPNOTSUPP },
	{ .name = "MTU exceeded by 1", .size = 1461, .len = 1461 * 2, .result = -EMSGSIZE },
	{ .name = "MTU exceeded by 1, IPv6", .ipv6 = true, .size = 1441, .len = 1441 * 2, .result = -EMSGSIZE },
	{ .name = "65535 exceeded by 1", .size = 1400, .len = 65496, .result = -EMSGSIZE },
	{ .name = "zerocopy", .how = BY_ZEROCOPY, .size = 1200, .len = 16000 },
	{ .name = "zerocopy, IPv6", .how = BY_ZEROCOPY, .ipv6 = true, .size = 1000, .len = 30000 },
	{ .name = "clone", .clone = true, .size = 1200, .len = 60000 },
	{ .name = "clone, IPv6", .clone = true, .ipv6 = true, .size = 77, .len = 300 },
	{ .name = "refused, and cloned", .clone = true, .size = 1000, .len = 2005, .result = -EOPNOTSUPP },
	{ .name = "nearly 65535", .size = 1400, .len = 65450 },
};

/* Where the tag is in the frame, AF_PACKET takes it for the network header; at kb the kernel has taken it out. */
static const struct shape frames[] = {
	{ .name = "frame", .how = BY_FRAME, .size = 1300, .len = 13051 },
	{ .name = "frame, IPv6", .how = BY_FRAME, .ipv6 = true, .size = 1300, .len = 60001 },
	{ .name = "linear", .how = BY_LINEAR_FRAME, .size = 500, .len = 2500 },
	{ .name = "linear, IPv6", .how = BY_LINEAR_FRAME, .ipv6 = true, .size = 501, .len = 2800 },
	{ .name = "VLAN", .how = BY_FRAME, .vlan = true, .size = 999, .len = 9999, .result = -EOPNOTSUPP },
	{ .name = "VLAN, IPv6", .how = BY_FRAME, .vlan = true, .ipv6 = true, .size = 999, .len = 9999, .result = -EOPNOTSUPP },
};

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1);
	static const __u32 sizes[] = { 12, 13, 64, 100, 511, 1200, 1399, 1440 };
	struct bpf_object *object;
	int kb, kf, err;

	if (argc != 2) {
		fprintf(stderr, "usage: gso OBJECT\n");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	payload = mmap(NULL, FRAME_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (payload == MAP_FAILED)
		die("mmap");
	for (__u32 i = 0, x = 1; i < FRAME_MAX; i++) {
		x = x * 1664525 + 1013904223;
		payload[i] = x >> 24;
	}
	object = bpf_object__open(argv[1]);
	if (!object || bpf_object__load(object))
		die(argv[1]);
	map_fd = bpf_map__fd(bpf_object__find_map_by_name(object, "gso_map"));
	opts.prog_fd = bpf_program__fd(bpf_object__find_program_by_name(object, "gso"));
	hook.ifindex = if_nametoindex("ka");
	err = bpf_tc_hook_create(&hook);
	if ((err && err != -EEXIST) || bpf_tc_attach(&hook, &opts))
		die("attaching");
	kb = listen_at("kb", 1);
	kf = listen_at("kf", 0);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		static const __u32 counts[] = { 2, 3, 17, 64 };

		for (size_t n = 0; n < sizeof(counts) / sizeof(*counts); n++) {
			struct shape s = { .name = "IPv4", .size = sizes[i], .len = sizes[i] * counts[n] };

			if (s.len > 65000)
				s.len = 65000 / s.size * s.size;
			try_shape(&s, kb, kf);
			s = (struct shape){ .name = "IPv6, last one of 12", .ipv6 = true, .size = s.size, .len = s.len - s.size + 12 };
			if (s.len > s.size)
				try_shape(&s, kb, kf);
		}
	}
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		try_shape(&shapes[i], kb, kf);
	for (size_t i = 0; i < sizeof(frames) / sizeof(*frames) && has_udp_frames(); i++)
		try_shape(&frames[i], kb, kf);
	bpf_object__close(object);
	opts.flags = opts.prog_fd = opts.prog_id = 0;
	bpf_tc_detach(&hook, &opts);
	return failures != 0;
}
