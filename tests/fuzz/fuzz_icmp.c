/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP errors: an arbitrary quote, nothing behind it is touched, and a message is as right or wrong as it was
 * timeout: 700
 *
 * Input: 0x01 IPv6, 0x02 of this host about a datagram, 0x04 its checksum is open; padding and numbers of the connection; the message.
 */
#include "core/conn.h"
#include "core/icmp.h"
#include "fuzz.h"
#include "naive.h"

enum {
	IS_IPV6 = 1 << 0,
	IS_OURS = 1 << 1,
	IS_OPEN = 1 << 2,
};

static void read_conn(struct fuzz *in, struct conn *conn, __u64 *now_ns)
{
	__u8 padding = fuzz_u8(in) % (PADDING_MAX + 2);

	memset(conn, 0, sizeof(*conn));
	*now_ns = 1000 * NSEC_PER_SEC;
	conn->settings.padding = padding > PADDING_MAX ? PADDING_RANDOM : padding;
	conn->state = fuzz_u8(in) % (CONN_CLOSED + 1);
	conn->snd_nxt = fuzz_u32(in);
	conn->lately_nxt = conn->snd_nxt - fuzz_u16(in);
	conn->earlier_nxt = conn->lately_nxt - ((__u32)fuzz_u16(in) << 12);
	conn->sent_ns = *now_ns - fuzz_u8(in) * (NSEC_PER_SEC / 20);
	conn->rcv_nxt = fuzz_u32(in);
	conn->snd_wnd = fuzz_u32(in);
	conn->peer_wscale = fuzz_u8(in);
}

/* The number of a quote is taken from the message; near to that of the connection it is seldom by chance. */
static void put_near(struct fuzz *in, const struct conn *conn, __u8 *quote, const struct packet *pkt)
{
	__u8 how = fuzz_u8(in);

	if (how & 1)
		naive_put32(quote + pkt->l4_off + 4, conn->snd_nxt - (how >> 1));
}

static __u32 mtu_of(const struct icmp_message *msg, bool ipv6)
{
	const __u8 *head = (const __u8 *)&msg->head;

	return ipv6 ? naive_get32(head + 4) : naive_get16(head + 6);
}

static bool tells_mtu(const struct icmp_message *msg, bool ipv6)
{
	return ipv6 ? msg->head.type == 2 : msg->head.type == 3 && msg->head.code == 4;
}

/* In any case: sums, what is behind the quote, the IP header. */
static void check_turned(const struct icmp_message *before, const struct icmp_message *after, __u32 len, const struct packet *pkt, __u8 proto)
{
	const __u8 *was = before->quote, *now = after->quote;
	__u8 copy[ICMP_QUOTE_MAX];

	claim_eq(now[pkt->proto_off], proto);
	claim(after->head.type == before->head.type && after->head.code == before->head.code);
	claim(!memcmp(now + len, was + len, ICMP_QUOTE_MAX - len));
	claim(!memcmp(now + pkt->l4_off, was + pkt->l4_off, 4));
	if (!pkt->ipv6)
		claim_eq(naive_ipv4_header_ok(now), naive_ipv4_header_ok(was));
	memcpy(copy, now, sizeof(copy));
	copy[pkt->proto_off] = was[pkt->proto_off];
	memcpy(copy + (pkt->ipv6 ? 4 : 2), was + (pkt->ipv6 ? 4 : 2), 2);
	if (!pkt->ipv6)
		memcpy(copy + 10, was + 10, 2);
	claim(!memcmp(copy, was, pkt->l4_off));
}

/* One's complement: what it is modulo 0xffff. The pseudo header of ICMPv6 is the same before and after. */
static void check_sum(const struct icmp_message *before, const struct icmp_message *after, __u32 len)
{
	size_t whole = ICMP_HEADER_LEN + len;

	claim_eq(naive_sum((const __u8 *)before, whole) % 0xffff, naive_sum((const __u8 *)after, whole) % 0xffff);
}

static __u32 ip_len(const __u8 *quote, bool ipv6)
{
	return ipv6 ? 40U + naive_get16(quote + 4) : naive_get16(quote + 2);
}

/* From the network: about a segment, and for the socket about the datagram that it was. */
static void check_error(struct fuzz *in, struct icmp_message *msg, __u32 len, const struct conn *conn, bool ipv6, __u64 now_ns)
{
	struct icmp_message before;
	struct icmp_quoted quoted;
	__u32 growth, behind;

	memset(&quoted, 0, sizeof(quoted));
	if (!icmp_is_error(&msg->head, ipv6) || !icmp_parse(msg->quote, len, ipv6, PROTO_TCP, &quoted.pkt))
		return;
	claim(quoted.pkt.l4_off + 8U <= len && quoted.pkt.proto == PROTO_TCP);
	put_near(in, conn, msg->quote, &quoted.pkt);
	icmp_read(msg->quote, len, &quoted);
	claim_eq(quoted.seq, naive_get32(msg->quote + quoted.pkt.l4_off + 4));
	claim_eq(quoted.ack_known, quoted.pkt.l4_off + 12U <= len);
	if (icmp_accept(conn, &quoted, now_ns)) {
		behind = conn->snd_nxt - quoted.seq;
		claim(conn->state == CONN_ESTABLISHED ? behind >= 1 && behind <= CONN_WINDOW_FULL + ICMP_GUESS :
							conn->state != CONN_IDLE && conn->state != CONN_CLOSED && behind == 1);
	}
	claim(quoted.padding <= quoted.padding_max && quoted.padding_max <= PADDING_MAX);
	memcpy(&before, msg, sizeof(before));
	icmp_turn(msg, &quoted);
	check_turned(&before, msg, len, &quoted.pkt, PROTO_UDP);
	check_sum(&before, msg, len);
	growth = 12U + quoted.padding < quoted.pkt.l4_len - 8U ? 12U + quoted.padding : quoted.pkt.l4_len - 8U;
	claim_eq(ip_len(msg->quote, ipv6) + growth, ip_len(before.quote, ipv6));
	claim_eq(naive_get16(msg->quote + quoted.pkt.l4_off + 4), quoted.pkt.l4_len - growth);
	claim_eq(naive_get16(msg->quote + quoted.pkt.l4_off + 6), 0);
	claim(!memcmp(msg->quote + quoted.pkt.l4_off + 8, before.quote + quoted.pkt.l4_off + 8, ICMP_QUOTE_MAX - quoted.pkt.l4_off - 8));
	if (!tells_mtu(msg, ipv6))
		claim_eq(mtu_of(msg, ipv6), mtu_of(&before, ipv6));
	else
		claim(mtu_of(msg, ipv6) <= mtu_of(&before, ipv6) && mtu_of(&before, ipv6) - mtu_of(msg, ipv6) <= 12U + quoted.padding_max);
}

/* Of this host: about a datagram, and for the peer about the segment that brought it. */
static void check_our_error(struct icmp_message *msg, __u32 len, const struct conn *conn, bool ipv6, bool open)
{
	struct icmp_message before;
	struct icmp_quoted quoted;
	const __u8 *tcp;
	__u32 there;

	memset(&quoted, 0, sizeof(quoted));
	if (!icmp_is_error(&msg->head, ipv6) || !icmp_parse(msg->quote, len, ipv6, PROTO_UDP, &quoted.pkt))
		return;
	claim_eq(icmp_recall(conn, &quoted), conn->state == CONN_ESTABLISHED);
	memcpy(&before, msg, sizeof(before));
	icmp_turn_back(msg, len, &quoted, open);
	check_turned(&before, msg, len, &quoted.pkt, PROTO_TCP);
	if (open)
		claim_eq(msg->head.check, before.head.check);
	else
		check_sum(&before, msg, len);
	claim_eq((__u16)(ip_len(msg->quote, ipv6) - ip_len(before.quote, ipv6)), 12U + quoted.padding);
	tcp = msg->quote + quoted.pkt.l4_off;
	there = len - quoted.pkt.l4_off;
	claim_eq(naive_get32(tcp + 4), quoted.seq);
	if (there >= 12)
		claim_eq(naive_get32(tcp + 8), quoted.ack);
	if (there >= 16)
		claim_eq(naive_get16(tcp + 12), 0x5010);
	if (there > 20)
		claim(!memcmp(tcp + 20, before.quote + quoted.pkt.l4_off + 20, there - 20));
	if (tells_mtu(msg, ipv6))
		claim(mtu_of(msg, ipv6) >= mtu_of(&before, ipv6) && mtu_of(msg, ipv6) - mtu_of(&before, ipv6) <= 12U + quoted.padding_max);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz in = { data, data + size };
	__u8 flags = fuzz_u8(&in);
	struct icmp_message *msg = malloc(sizeof(*msg));
	struct fuzz near;
	struct conn conn;
	__u64 now_ns;
	__u32 len;

	if (!msg)
		abort();
	read_conn(&in, &conn, &now_ns);
	near = in;
	fuzz_u8(&in);
	memset(msg, 0xee, sizeof(*msg)); /* of the message before, say */
	fuzz_fill(&in, &msg->head, sizeof(msg->head));
	len = fuzz_left(&in) < ICMP_QUOTE_MAX ? (__u32)fuzz_left(&in) : ICMP_QUOTE_MAX;
	fuzz_fill(&in, msg->quote, len);
	if (flags & IS_OURS)
		check_our_error(msg, len, &conn, flags & IS_IPV6, flags & IS_OPEN);
	else
		check_error(&near, msg, len, &conn, flags & IS_IPV6, now_ns);
	free(msg);
	return 0;
}
