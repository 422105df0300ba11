// SPDX-License-Identifier: GPL-2.0-only
/*
 * segment - sends hand-made TCP segments or UDP datagrams, and prints those that arrive
 *
 *	segment -i IFACE --from ADDR:PORT --to ADDR:PORT --tcp FLAGS | --udp  [options]
 *	segment recv -i IFACE --port P [--seconds S] [--count N]
 *
 * Frames leave through AF_PACKET, so they pass TC egress and nothing of netfilter. `recv` prints
 * one line of key=value pairs for each TCP segment that comes in, so that a shell script can be
 * the peer; the kernel of that side must be kept from answering with RST (an address that it does
 * not own and a static neighbour entry, or a TC ingress filter that drops).
 *
 * Exit status: 0 done, 1 recv --count not reached, 2 usage or system error.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

enum { MAX_PAYLOAD = 65000, MAX_FRAME = 66000, MAX_HEX = 4096, VNET_LEN = 10 };

static const char flag_names[] = "FSRPAUEC"; /* by bit; '.' is A, too */

struct end {
	int family;
	uint8_t addr[16];
	uint16_t port;
};

struct opts {
	const char *ifname, *eth;
	int ifindex;
	bool link_none, udp, has_proto, bad_csum, bad_ip_csum, vnet_partial;
	bool random_seq, random_port, hopopts, recv_payload, recv_out, recv_host, once;
	uint8_t smac[6], dmac[6];
	uint16_t vlan[2];
	int n_vlan;
	struct end from, to;
	uint8_t flags;
	uint32_t seq, ack;
	unsigned int win, urg, ttl, cut;
	int doff, ip_len; /* -1: the right one */
	uint8_t payload[MAX_PAYLOAD];
	size_t payload_len;
	uint8_t tcp_opts[40], ip_opts[40];
	size_t tcp_opts_len, ip_opts_len;
	unsigned long count, interval_us;
	uint16_t port; /* recv */
	double seconds;
};

struct frame {
	uint8_t b[MAX_FRAME];
	size_t len;
};


static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint32_t sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += get16(p + i);
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	return sum; /* at most 33000 words of 16 bits: no overflow */
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint32_t random32(void)
{
	uint32_t v = 0;

	if (getrandom(&v, sizeof(v), 0) != sizeof(v))
		die("getrandom: %s", strerror(errno));
	return v;
}

/* --- Ethernet addresses --- */

static void mac_of_iface(const char *ifname, uint8_t mac[6])
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &ifr))
		die("%s: %s", ifname, strerror(errno));
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	close(fd);
}

/* Looks into one neighbour message; true when it is that of `to` on the interface. */
static bool is_neigh(const struct nlmsghdr *h, const struct opts *o, const struct end *to,
		     uint8_t mac[6])
{
	const struct ndmsg *nd = (const struct ndmsg *)NLMSG_DATA(h);
	const struct rtattr *a = (const void *)((const char *)nd + NLMSG_ALIGN(sizeof(*nd)));
	int left = (int)NLMSG_PAYLOAD(h, sizeof(*nd));
	const uint8_t *ll = NULL;
	bool same = false;

	if (h->nlmsg_type != RTM_NEWNEIGH || nd->ndm_ifindex != o->ifindex)
		return false;
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == NDA_DST)
			same = !memcmp(RTA_DATA(a), to->addr, to->family == AF_INET ? 4 : 16);
		else if (a->rta_type == NDA_LLADDR && RTA_PAYLOAD(a) == 6)
			ll = RTA_DATA(a);
	}
	if (!same || !ll)
		return false;
	memcpy(mac, ll, 6);
	return true;
}

static bool neigh_lookup(const struct opts *o, const struct end *to, uint8_t mac[6])
{
	struct {
		struct nlmsghdr h;
		struct ndmsg nd;
	} req = {
		.h = { .nlmsg_len = sizeof(req), .nlmsg_type = RTM_GETNEIGH,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.nd = { .ndm_family = (uint8_t)to->family },
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	bool found = false, done = false;

	if (fd < 0 || send(fd, &req, sizeof(req), 0) < 0)
		die("netlink: %s", strerror(errno));
	for (int i = 0; i < 1000 && !done; i++) {
		static union {
			char b[32768];
			struct nlmsghdr h;
		} buf;
		ssize_t len = recv(fd, &buf, sizeof(buf), 0);
		struct nlmsghdr *h = &buf.h;

		if (len <= 0)
			break;
		for (; NLMSG_OK(h, (size_t)len); h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				done = true;
			else if (!found)
				found = is_neigh(h, o, to, mac);
		}
	}
	close(fd);
	return found;
}

static bool parse_mac(const char *s, size_t len, uint8_t mac[6])
{
	unsigned int v[6];
	char text[18];

	if (len != 17)
		return false;
	memcpy(text, s, 17);
	text[17] = '\0';
	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]) != 6)
		return false;
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)v[i];
	return true;
}

/* SRC,DST: each an address or auto; DST auto is the neighbour --to, auto=ADDR the neighbour ADDR */
static void parse_eth(struct opts *o)
{
	const char *s = o->eth ? o->eth : "auto,auto", *dst = strchr(s, ',');
	struct end via = o->to;

	if (!dst)
		die("--eth: want SRC,DST");
	if ((size_t)(dst - s) == 4 && !memcmp(s, "auto", 4))
		mac_of_iface(o->ifname, o->smac);
	else if (!parse_mac(s, (size_t)(dst - s), o->smac))
		die("--eth: bad source");
	dst++;
	if (parse_mac(dst, strlen(dst), o->dmac))
		return;
	if (!strncmp(dst, "auto=", 5)) {
		if (inet_pton(via.family, dst + 5, via.addr) != 1)
			die("--eth: bad neighbour %s", dst + 5);
	} else if (strcmp(dst, "auto")) {
		die("--eth: bad destination");
	}
	if (!neigh_lookup(o, &via, o->dmac))
		die("no neighbour entry for the destination: use --eth SRC,DST or auto=GATEWAY");
}

/* --- building --- */

static uint8_t *append(struct frame *f, size_t len)
{
	uint8_t *p = f->b + f->len;

	if (f->len + len > sizeof(f->b))
		die("frame too long");
	memset(p, 0, len);
	f->len += len;
	return p;
}

static void append_bytes(struct frame *f, const uint8_t *bytes, size_t len)
{
	memcpy(append(f, len), bytes, len);
}

static void build_link(struct frame *f, const struct opts *o, unsigned int proto)
{
	if (o->link_none)
		return;
	append_bytes(f, o->dmac, 6);
	append_bytes(f, o->smac, 6);
	for (int i = 0; i < o->n_vlan; i++) {
		put16(append(f, 2), o->n_vlan == 2 && !i ? 0x88a8 : 0x8100);
		put16(append(f, 2), o->vlan[i]);
	}
	put16(append(f, 2), proto);
}

/* l4_len: what follows. Returns where the IP header is. */
static size_t build_ipv4(struct frame *f, const struct opts *o, uint8_t proto, size_t l4_len)
{
	size_t at = f->len, hdr = 20 + (o->ip_opts_len + 3) / 4 * 4;
	uint8_t *h = append(f, hdr);

	h[0] = (uint8_t)(0x40 | hdr / 4);
	put16(h + 2, (unsigned int)(o->ip_len >= 0 ? (size_t)o->ip_len : hdr + l4_len));
	put16(h + 4, random32() & 0xffff);
	put16(h + 6, 0x4000);
	h[8] = (uint8_t)o->ttl;
	h[9] = proto;
	memcpy(h + 12, o->from.addr, 4);
	memcpy(h + 16, o->to.addr, 4);
	memcpy(h + 20, o->ip_opts, o->ip_opts_len);
	put16(h + 10, (uint16_t)~fold(sum16(h, hdr, 0)) ^ (o->bad_ip_csum ? 0x0100u : 0));
	return at;
}

static size_t build_ipv6(struct frame *f, const struct opts *o, uint8_t proto, size_t l4_len)
{
	static const uint8_t padn[6] = { 0, 1, 4 };
	size_t at = f->len, ext = o->hopopts ? 8 : 0;
	uint8_t *h = append(f, 40);

	h[0] = 0x60;
	put16(h + 4, (unsigned int)(o->ip_len >= 0 ? (size_t)o->ip_len : ext + l4_len));
	h[6] = o->hopopts ? 0 : proto;
	h[7] = (uint8_t)o->ttl;
	memcpy(h + 8, o->from.addr, 16);
	memcpy(h + 24, o->to.addr, 16);
	if (o->hopopts) {
		append(f, 1)[0] = proto;
		append_bytes(f, padn, sizeof(padn));
		append(f, 1);
	}
	return at;
}

static size_t build_l4(struct frame *f, const struct opts *o, uint16_t sport, uint32_t seq)
{
	size_t opts = (o->tcp_opts_len + 3) / 4 * 4, at = f->len;
	uint8_t *h = append(f, o->udp ? 8 : 20 + opts);

	put16(h, sport);
	put16(h + 2, o->to.port);
	if (o->udp) {
		put16(h + 4, (unsigned int)(8 + o->payload_len));
	} else {
		put32(h + 4, seq);
		put32(h + 8, o->ack);
		h[12] = (uint8_t)((o->doff >= 0 ? (unsigned int)o->doff : 5 + opts / 4) << 4);
		h[13] = o->flags;
		put16(h + 14, o->win);
		put16(h + 18, o->urg);
		memcpy(h + 20, o->tcp_opts, o->tcp_opts_len);
	}
	append_bytes(f, o->payload, o->payload_len);
	return at;
}

/* The full checksum, or only the sum of the pseudo header when the kernel shall complete it. */
static void set_l4_csum(struct frame *f, const struct opts *o, size_t l4)
{
	size_t len = f->len - l4, field = l4 + (o->udp ? 6 : 16);
	size_t alen = o->from.family == AF_INET ? 4 : 16;
	uint32_t sum = (uint32_t)len + (o->udp ? IPPROTO_UDP : IPPROTO_TCP);
	uint16_t csum;

	sum = sum16(o->from.addr, alen, sum);
	sum = sum16(o->to.addr, alen, sum);
	if (o->vnet_partial) {
		csum = fold(sum);
	} else {
		csum = (uint16_t)~fold(sum16(f->b + l4, len, sum));
		if (o->udp && !csum)
			csum = 0xffff;
	}
	/* the flip must not give 0 (no checksum) or the other zero */
	if (o->bad_csum)
		csum ^= csum == 0x5a00 || csum == 0xa5ff ? 0x0100 : 0x5a00;
	put16(f->b + field, csum);
}

static void build(struct frame *f, const struct opts *o)
{
	bool v4 = o->from.family == AF_INET;
	uint8_t proto = o->udp ? IPPROTO_UDP : IPPROTO_TCP;
	size_t hdr = o->udp ? 8 : 20 + (o->tcp_opts_len + 3) / 4 * 4, l4, frame;
	uint16_t sport = o->random_port ? (uint16_t)(1024 + random32() % 64000) : o->from.port;
	struct virtio_net_hdr *vnet = NULL;

	f->len = 0;
	if (o->vnet_partial)
		vnet = (void *)append(f, VNET_LEN);
	frame = f->len;
	build_link(f, o, v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
	if (v4)
		build_ipv4(f, o, proto, hdr + o->payload_len);
	else
		build_ipv6(f, o, proto, hdr + o->payload_len);
	l4 = build_l4(f, o, sport, o->random_seq ? random32() : o->seq);
	set_l4_csum(f, o, l4);
	if (vnet) { /* native byte order */
		vnet->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		vnet->csum_start = (uint16_t)(l4 - frame);
		vnet->csum_offset = o->udp ? 6 : 16;
	}
	if (o->cut >= f->len - frame)
		die("--cut: nothing left");
	f->len -= o->cut;
}

static void send_frames(struct opts *o)
{
	static struct frame f;
	struct sockaddr_ll sll = { .sll_family = AF_PACKET, .sll_ifindex = o->ifindex };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;
	unsigned int proto = o->from.family == AF_INET ? ETHERTYPE_IP : ETHERTYPE_IPV6;

	if (o->n_vlan && !o->link_none)
		proto = o->n_vlan == 2 ? 0x88a8 : 0x8100;
	sll.sll_protocol = htons((uint16_t)proto);
	if (fd < 0)
		die("AF_PACKET: %s", strerror(errno));
	if (o->vnet_partial && setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)))
		die("PACKET_VNET_HDR: %s", strerror(errno));
	for (unsigned long i = 0; i < o->count && !stop; i++) {
		int tries = 0;

		build(&f, o);
		while (sendto(fd, f.b, f.len, 0, (void *)&sll, sizeof(sll)) < 0) {
			if (errno == ENOBUFS && o->once)
				break;
			if ((errno != ENOBUFS && errno != EAGAIN) || ++tries == 1000)
				die("send: %s", strerror(errno));
			usleep(1000);
		}
		if (o->interval_us && i + 1 < o->count)
			usleep((useconds_t)o->interval_us);
	}
	close(fd);
}

/* --- receiving --- */

static void print_hex(const char *key, const uint8_t *p, size_t len)
{
	printf(" %s=", key);
	for (size_t i = 0; i < len; i++)
		printf("%02x", p[i]);
	if (!len)
		putchar('-');
}

static void print_segment(const char *src, const char *dst, const uint8_t *l4, size_t len,
			  bool payload)
{
	size_t hdr = (size_t)(l4[12] >> 4) * 4;

	if (hdr < 20 || hdr > len)
		return;
	printf("src=%s:%u dst=%s:%u flags=", src, get16(l4), dst, get16(l4 + 2));
	for (int i = 0; i < 8; i++)
		if (l4[13] & 1 << i)
			putchar(flag_names[i]);
	printf(" seq=%u ack=%u win=%u len=%zu", get32(l4 + 4), get32(l4 + 8), get16(l4 + 14),
	       len - hdr);
	print_hex("opts", l4 + 20, hdr - 20);
	if (payload)
		print_hex("payload", l4 + hdr, len - hdr);
	putchar('\n');
}

/* Returns whether the packet was one to print. */
static bool handle(const uint8_t *p, size_t len, const struct opts *o)
{
	char src[INET6_ADDRSTRLEN + 2], dst[INET6_ADDRSTRLEN + 2];
	bool v6 = len && p[0] >> 4 == 6;
	size_t hdr, total;
	uint8_t proto;

	if (len < (v6 ? 40u : 20u))
		return false;
	hdr = v6 ? 40 : (p[0] & 15u) * 4;
	total = v6 ? get16(p + 4) + 40u : get16(p + 2);
	proto = p[v6 ? 6 : 9];
	for (int i = 0; v6 && i < 8 && (proto == 0 || proto == 60 || proto == 43); i++) {
		if (hdr + 8 > len)
			return false;
		proto = p[hdr];
		hdr += (p[hdr + 1] + 1u) * 8;
	}
	if (proto != IPPROTO_TCP || total > len || hdr + 20 > total)
		return false;
	if (get16(p + hdr) != o->port && get16(p + hdr + 2) != o->port)
		return false;
	inet_ntop(v6 ? AF_INET6 : AF_INET, p + (v6 ? 8 : 12), src + v6, sizeof(src) - 2);
	inet_ntop(v6 ? AF_INET6 : AF_INET, p + (v6 ? 24 : 16), dst + v6, sizeof(dst) - 2);
	if (v6) {
		src[0] = dst[0] = '[';
		strcat(src, "]");
		strcat(dst, "]");
	}
	print_segment(src, dst, p + hdr, total - hdr, o->recv_payload);
	return true;
}

static double now(void)
{
	return (double)now_ns() / 1e9;
}

static int receive(const struct opts *o)
{
	static uint8_t buf[MAX_FRAME];
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET, .sll_ifindex = o->ifindex,
		.sll_protocol = htons(ETH_P_ALL),
	};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = 8 << 20;
	unsigned long seen = 0;
	double end = now() + o->seconds;

	if (fd < 0 || bind(fd, (void *)&sll, sizeof(sll)))
		die("AF_PACKET: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setvbuf(stdout, NULL, _IOLBF, 0);
	fputs("READY\n", stderr);
	while (!stop && now() < end && (!o->count || seen < o->count)) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		struct sockaddr_ll from;
		socklen_t len = sizeof(from);
		ssize_t n;

		if (poll(&pfd, 1, 20) <= 0)
			continue;
		n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (void *)&from, &len);
		if (n > 0 && (o->recv_out || from.sll_pkttype != PACKET_OUTGOING) &&
		    (!o->recv_host || from.sll_pkttype == PACKET_HOST))
			seen += handle(buf, (size_t)n, o);
	}
	close(fd);
	return o->count && seen < o->count;
}

/* --- command line --- */

static const char usage[] =
	"usage: segment -i IFACE --from ADDR:PORT --to ADDR:PORT --tcp FLAGS|--udp\n"
	"               [--eth SRC,DST | --link none] [--vlan ID[,ID]]\n"
	"               [--seq N] [--ack N] [--win N]\n"
	"               [--payload-hex H | --payload-len N] [--opt-hex H] [--ip-options-hex H]\n"
	"               [--hopopts] [--ttl N] [--urg N] [--doff N] [--ip-len N] [--cut N]\n"
	"               [--bad-csum] [--bad-ip-csum] [--vnet-partial]\n"
	"               [--count N] [--interval-us N] [--random-seq] [--random-port] [--once]\n"
	"       segment recv -i IFACE --port P [--seconds S] [--count N] [--payload] [--both | --host]\n"
	"--host: what has the MAC of the interface only.\n"
	"--once: what TC egress takes away (ENOBUFS) is not sent again.\n"
	"FLAGS: letters of FSRPAUEC ('.' is A, too). MAC: an address, auto, or auto=GATEWAY.\n";

static size_t parse_hex(const char *s, uint8_t *out, size_t max)
{
	size_t n = 0;

	for (; s[0] && s[1]; s += 2) {
		char two[3] = { s[0], s[1], 0 }, *end;

		if (n == max)
			die("hex too long");
		out[n++] = (uint8_t)strtoul(two, &end, 16);
		if (*end)
			die("bad hex");
	}
	if (*s)
		die("odd number of hex digits");
	return n;
}

static void parse_end(const char *s, struct end *e)
{
	union addr a;

	parse_addr(s, &a);
	e->family = a.sa.sa_family;
	e->port = addr_port(&a);
	if (e->family == AF_INET)
		memcpy(e->addr, &a.in.sin_addr, sizeof(a.in.sin_addr));
	else
		memcpy(e->addr, &a.in6.sin6_addr, sizeof(a.in6.sin6_addr));
}

static uint8_t parse_flags(const char *s)
{
	uint8_t flags = 0;

	for (; *s; s++) {
		const char *at = strchr(flag_names, *s == '.' ? 'A' : *s);

		if (!at)
			die("--tcp: flags are letters of %s", flag_names);
		flags |= (uint8_t)(1 << (at - flag_names));
	}
	return flags;
}

static void parse_vlan(struct opts *o, const char *s)
{
	char *end;

	o->vlan[0] = (uint16_t)strtoul(s, &end, 10);
	o->n_vlan = 1;
	if (*end == ',') {
		o->vlan[1] = (uint16_t)number(end + 1, 4094);
		o->n_vlan = 2;
	} else if (*end || end == s) {
		die("--vlan: want ID or ID,ID");
	}
}

static void payload_pattern(struct opts *o, size_t len)
{
	o->payload_len = len;
	for (size_t i = 0; i < len; i++)
		o->payload[i] = (uint8_t)(i * 7 + 3);
}

enum {
	O_ETH = 256, O_LINK, O_VLAN, O_FROM, O_TO, O_TCP, O_UDP, O_SEQ, O_ACK, O_WIN, O_PAYLOAD_HEX,
	O_PAYLOAD_LEN, O_OPT_HEX, O_IP_OPTIONS_HEX, O_HOPOPTS, O_TTL, O_URG, O_DOFF, O_IP_LEN,
	O_CUT, O_BAD_CSUM, O_BAD_IP_CSUM, O_VNET_PARTIAL, O_COUNT, O_INTERVAL, O_RANDOM_SEQ,
	O_RANDOM_PORT, O_ONCE, O_PORT, O_SECONDS, O_PAYLOAD, O_BOTH, O_HOST, O_HELP,
};

static const struct option long_opts[] = {
	{ "eth", 1, NULL, O_ETH }, { "link", 1, NULL, O_LINK }, { "vlan", 1, NULL, O_VLAN },
	{ "from", 1, NULL, O_FROM }, { "to", 1, NULL, O_TO }, { "tcp", 1, NULL, O_TCP },
	{ "udp", 0, NULL, O_UDP }, { "seq", 1, NULL, O_SEQ }, { "ack", 1, NULL, O_ACK },
	{ "win", 1, NULL, O_WIN }, { "payload-hex", 1, NULL, O_PAYLOAD_HEX },
	{ "payload-len", 1, NULL, O_PAYLOAD_LEN }, { "opt-hex", 1, NULL, O_OPT_HEX },
	{ "ip-options-hex", 1, NULL, O_IP_OPTIONS_HEX }, { "hopopts", 0, NULL, O_HOPOPTS },
	{ "ttl", 1, NULL, O_TTL }, { "urg", 1, NULL, O_URG }, { "doff", 1, NULL, O_DOFF },
	{ "ip-len", 1, NULL, O_IP_LEN }, { "cut", 1, NULL, O_CUT },
	{ "bad-csum", 0, NULL, O_BAD_CSUM }, { "bad-ip-csum", 0, NULL, O_BAD_IP_CSUM },
	{ "vnet-partial", 0, NULL, O_VNET_PARTIAL }, { "count", 1, NULL, O_COUNT },
	{ "interval-us", 1, NULL, O_INTERVAL }, { "random-seq", 0, NULL, O_RANDOM_SEQ },
	{ "random-port", 0, NULL, O_RANDOM_PORT }, { "once", 0, NULL, O_ONCE }, { "port", 1, NULL, O_PORT },
	{ "seconds", 1, NULL, O_SECONDS }, { "payload", 0, NULL, O_PAYLOAD },
	{ "both", 0, NULL, O_BOTH }, { "host", 0, NULL, O_HOST }, { "help", 0, NULL, O_HELP }, { NULL, 0, NULL, 0 },
};

static void parse_header_opt(struct opts *o, int c)
{
	switch (c) {
	case O_TCP: o->flags = parse_flags(optarg); o->has_proto = true; break;
	case O_UDP: o->udp = o->has_proto = true; break;
	case O_SEQ: o->seq = (uint32_t)number(optarg, UINT32_MAX); break;
	case O_ACK: o->ack = (uint32_t)number(optarg, UINT32_MAX); break;
	case O_WIN: o->win = (unsigned int)number(optarg, 65535); break;
	case O_PAYLOAD_HEX: o->payload_len = parse_hex(optarg, o->payload, MAX_HEX); break;
	case O_PAYLOAD_LEN: payload_pattern(o, number(optarg, MAX_PAYLOAD)); break;
	case O_OPT_HEX: o->tcp_opts_len = parse_hex(optarg, o->tcp_opts, 40); break;
	case O_IP_OPTIONS_HEX: o->ip_opts_len = parse_hex(optarg, o->ip_opts, 40); break;
	case O_HOPOPTS: o->hopopts = true; break;
	case O_TTL: o->ttl = (unsigned int)number(optarg, 255); break;
	case O_URG: o->urg = (unsigned int)number(optarg, 65535); break;
	case O_DOFF: o->doff = (int)number(optarg, 15); break;
	case O_IP_LEN: o->ip_len = (int)number(optarg, 65535); break;
	case O_CUT: o->cut = (unsigned int)number(optarg, 65535); break;
	case O_BAD_CSUM: o->bad_csum = true; break;
	case O_BAD_IP_CSUM: o->bad_ip_csum = true; break;
	case O_VNET_PARTIAL: o->vnet_partial = true; break;
	case O_RANDOM_SEQ: o->random_seq = true; break;
	case O_RANDOM_PORT: o->random_port = true; break;
	case O_ONCE: o->once = true; break;
	default: fputs(usage, stderr); exit(2);
	}
}

static void parse_opts(struct opts *o, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "i:", long_opts, NULL)) != -1) {
		switch (c) {
		case 'i': o->ifname = optarg; break;
		case O_ETH: o->eth = optarg; break;
		case O_LINK: o->link_none = !strcmp(optarg, "none"); break;
		case O_VLAN: parse_vlan(o, optarg); break;
		case O_FROM: parse_end(optarg, &o->from); break;
		case O_TO: parse_end(optarg, &o->to); break;
		case O_COUNT: o->count = number(optarg, 100000000); break;
		case O_INTERVAL: o->interval_us = number(optarg, 999999); break;
		case O_PORT: o->port = (uint16_t)number(optarg, 65535); break;
		case O_SECONDS: o->seconds = strtod(optarg, NULL); break;
		case O_PAYLOAD: o->recv_payload = true; break;
		case O_BOTH: o->recv_out = true; break;
		case O_HOST: o->recv_host = true; break;
		case O_HELP: fputs(usage, stdout); exit(0);
		default: parse_header_opt(o, c);
		}
	}
	if (optind != argc)
		die("unknown argument: %s", argv[optind]);
	o->ifindex = o->ifname ? (int)if_nametoindex(o->ifname) : 0;
	if (!o->ifindex)
		die("-i: no such interface");
}

int main(int argc, char **argv)
{
	static struct opts o = { .win = 65535, .ttl = 64, .doff = -1, .ip_len = -1, .seconds = 10 };
	bool recv_mode = argc > 1 && !strcmp(argv[1], "recv");

	stop_on_signals();
	o.count = recv_mode ? 0 : 1;
	parse_opts(&o, argc - recv_mode, argv + recv_mode);
	if (recv_mode) {
		if (!o.port || !(o.seconds > 0 && o.seconds <= 86400))
			die("recv needs --port, and --seconds up to 86400");
		return receive(&o);
	}
	if (!o.from.family || o.from.family != o.to.family || !o.has_proto)
		die("--from and --to of one family, and --tcp or --udp, are needed");
	if (!o.link_none)
		parse_eth(&o);
	send_frames(&o);
	return 0;
}
