// SPDX-License-Identifier: GPL-2.0-only
#include "control.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/parse.h"
#include "core/tcpopt.h"
#include "sum.h"
#include "util.h"

enum {
	CONTROL_TTL = 64,
	IPV6_FLOW_LABEL = 0xfffff,
};

static size_t control_build_ipv4(uint8_t *at, const struct conn_key *key, uint16_t id, size_t l4_len)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.tot_len = htons((uint16_t)(sizeof(ip) + l4_len)),
		.id = htons(id),
		.frag_off = htons(IP4_DF),
		.ttl = CONTROL_TTL,
		.protocol = PROTO_TCP,
		.saddr = key->local.word[3],
		.daddr = key->remote.word[3],
	};

	ip.check = (__u16)~csum_fold(sum_bytes((const uint8_t *)&ip, sizeof(ip)));
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip);
}

/* What the flow's datagrams have; before there is one, some number that stays the same (FNV-1a of the addresses). */
static uint32_t control_flow_label(const struct mimic_event *event)
{
	const uint8_t *bytes = (const uint8_t *)&event->key;
	uint32_t hash = 2166136261;

	if (event->flow_label)
		return ntohl(event->flow_label) & IPV6_FLOW_LABEL;
	for (size_t i = 0; i < sizeof(event->key); i++)
		hash = (hash ^ bytes[i]) * 16777619;
	return (hash & IPV6_FLOW_LABEL) | 1;
}

static size_t control_build_ipv6(uint8_t *at, const struct conn_key *key, uint32_t label, size_t l4_len)
{
	struct ipv6hdr ip = {
		.version = 6,
		.flow_lbl = { (uint8_t)(label >> 16), (uint8_t)(label >> 8), (uint8_t)label },
		.payload_len = htons((uint16_t)l4_len),
		.nexthdr = PROTO_TCP,
		.hop_limit = CONTROL_TTL,
	};

	memcpy(&ip.saddr, &key->local, sizeof(ip.saddr));
	memcpy(&ip.daddr, &key->remote, sizeof(ip.daddr));
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip);
}

/* Linux numbers the packets of a connection, the RST that ends it, too, but not what it answers without a socket: SYN-ACK, RST (DF, RFC 6864). */
static uint16_t control_ip_id(const struct reply *reply, uint16_t *next_id)
{
	return reply->flags == TCP_RST || reply->flags == (TCP_SYN | TCP_ACK) ? 0 : (*next_id)++;
}

size_t control_build(uint8_t *frame, const struct mimic_event *event, const struct reply *reply, uint32_t mtu,
		     uint16_t *next_id)
{
	const struct conn_key *key = &event->key;
	const struct mimic_l2 *l2 = &event->l2;
	uint16_t mss, window = reply->window;
	bool ipv4 = addr_is_ipv4(&key->local);
	size_t l2_len = l2->len > MIMIC_L2_MAX ? MIMIC_L2_MAX : l2->len, options_len = 0, l4_len, off;
	uint8_t l4[sizeof(struct tcp_header) + TCPOPT_SYN_LEN + 1] = {};
	struct tcp_header tcp;
	__u32 sum;

	mss = (uint16_t)(mtu - (ipv4 ? 40 : 60));
	if (reply->flags & TCP_SYN) {
		tcpopt_make_syn(l4 + sizeof(tcp), mss, event->window_scale);
		options_len = TCPOPT_SYN_LEN;
		if (event->window_scale != CONN_WINDOW_SCALE_MAX) /* under max_window it stays 0xffff */
			window = tcpopt_syn_window(mss);
	}
	l4_len = sizeof(tcp) + options_len + (reply->payload_len ? 1 : 0);
	tcp_header_make(&tcp, key->local_port, key->remote_port, reply->seq, reply->ack, reply->flags, window);
	tcp.data_off = (__u8)((sizeof(tcp) + options_len) / 4 << 4);
	memcpy(l4, &tcp, sizeof(tcp));
	sum = csum_pseudo(&key->local, &key->remote, PROTO_TCP, (__u16)l4_len);
	tcp.check = (__u16)~csum_fold(csum_add(sum, sum_bytes(l4, l4_len)));
	memcpy(l4, &tcp, sizeof(tcp));

	memcpy(frame, l2->bytes, l2_len);
	off = l2_len;
	off += ipv4 ? control_build_ipv4(frame + off, key, control_ip_id(reply, next_id), l4_len) :
		      control_build_ipv6(frame + off, key, control_flow_label(event), l4_len);
	memcpy(frame + off, l4, l4_len);
	return off + l4_len;
}

int control_open(int ifindex, uint32_t mark)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_ifindex = ifindex };
	/* Protocol 0: nothing is ever received. */
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int size = 4 << 20;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	if (mark && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return TAKE_FD(fd);
}

int control_send(int fd, int ifindex, const uint8_t *frame, size_t len, size_t l3_off)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_ifindex = ifindex, .sll_halen = ETH_ALEN };

	if (l3_off >= len)
		return -EINVAL;
	/* Without L2 header the kernel cannot read the protocol from the frame. */
	addr.sll_protocol = frame[l3_off] >> 4 == 4 ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
	if (l3_off > ETH_HLEN)
		memcpy(&addr.sll_protocol, frame + 12, sizeof(addr.sll_protocol));
	return sendto(fd, frame, len, MSG_DONTWAIT, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
}
