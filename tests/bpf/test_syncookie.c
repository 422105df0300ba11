/* SPDX-License-Identifier: GPL-2.0-only */
/* A flood of SYNs: answered by cookies, and the ACK of one makes a connection, with the window scale taken as 12 */
#include "ears.h"
#include "model.h"

enum {
	ISN = 0x11223344, /* the peer's first number */
	OTHER_PORT = 6000,
	MODEL_XDP_TX = 3,
	MTU = 1500,
	SYN_OPTIONS_LEN = 12,
};

static const __u8 zeros[100];
static struct frame frame;
static struct rig_run run;
static struct ears ears;

/* As a Linux without timestamps: MSS, SACK-permitted, window scale. */
static void put_options(__u8 *bytes, __u16 mss, __u8 wscale)
{
	static const __u8 options[SYN_OPTIONS_LEN] = { 2, 4, 0, 0, 1, 1, 4, 2, 1, 3, 3, 0 };

	memcpy(bytes, options, sizeof(options));
	naive_put16(bytes + 2, mss);
	bytes[11] = wscale;
}

/* A segment of the peer: what the ingress program makes of it is in `run`. */
static void receive(struct rig *rig, const struct frame_spec *spec)
{
	frame_build(&frame, spec);
	rig_ingress(rig, frame.bytes, frame.len, &run);
}

/* A listening end, a peer that begins a connection, and as many half-open ones as may be. */
static struct conn_key flooded(struct rig *rig, struct frame_spec *syn, bool ipv6, bool native)
{
	struct mimic_shared *shared = rig->datapath.shared;
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	struct conn_key key;

	frame_spec_init(syn, ipv6, zeros, 0);
	syn->ethernet = rig->ethernet;
	key = rig_key(syn, true);
	rig_add_filter(rig, &key, &settings);
	rig_turn(syn);
	syn->proto = IPPROTO_TCP;
	syn->tcp = (struct frame_tcp){ .seq = ISN, .window = 0xfaf0, .flags = TCP_SYN, .options_len = SYN_OPTIONS_LEN };
	put_options(syn->tcp.options, 1400, 7);
	rig_remove_connections(rig);
	shared->mtu = MTU;
	shared->xdp_native = native;
	shared->half_open = MIMIC_HALF_OPEN_MAX;
	shared->cookie_ns = 0;
	return key;
}

/* What `run` has is the SYN-ACK to the frame of the SYN, in its place and as long; its number. */
static __u32 expect_syn_ack(const struct rig *rig, const struct frame_spec *syn)
{
	const __u8 *ip = run.bytes + frame.l3_off, *tcp = run.bytes + frame.l4_off, *asked = frame.bytes + frame.l3_off;
	bool open = syn->check == FRAME_CHECK_PARTIAL && !rig->datapath.shared->xdp_native;
	size_t at = syn->ipv6 ? 8 : 12, len = syn->ipv6 ? 16 : 4;
	__u16 mss = (__u16)(MTU - (syn->ipv6 ? 60 : 40));
	__u8 options[SYN_OPTIONS_LEN];

	expect_eq(run.len, frame.len);
	if (rig->ethernet)
		expect(!memcmp(run.bytes, frame.bytes + 6, 6) && !memcmp(run.bytes + 6, frame.bytes, 6) &&
		       !memcmp(run.bytes + 12, frame.bytes + 12, frame.l3_off - 12));
	expect(!memcmp(ip + at, asked + at + len, len) && !memcmp(ip + at + len, asked + at, len));
	if (syn->ipv6) {
		expect_eq(naive_get32(ip), 0x60000000);
		expect_eq(naive_get16(ip + 4), 20 + SYN_OPTIONS_LEN);
		expect(ip[6] == IPPROTO_TCP && ip[7] == 64);
	} else {
		expect(naive_ipv4_header_ok(ip));
		expect_eq(naive_get16(ip), 0x4500);
		expect_eq(naive_get16(ip + 2), 20 + 20 + SYN_OPTIONS_LEN);
		expect_eq(naive_get32(ip + 4), 0x4000); /* no ID, DF */
		expect(ip[8] == 64 && ip[9] == IPPROTO_TCP);
	}
	expect_eq(naive_get16(tcp), syn->dst_port);
	expect_eq(naive_get16(tcp + 2), syn->src_port);
	expect_eq(naive_get32(tcp + 8), ISN + 1);
	expect_eq(tcp[12], (20 + SYN_OPTIONS_LEN) / 4 << 4);
	expect_eq(tcp[13], TCP_SYN | TCP_ACK);
	expect_eq(naive_get16(tcp + 14), 0xffff - 0xffff % mss);
	expect_eq(naive_get16(tcp + 18), 0);
	put_options(options, mss, CONN_WINDOW_SCALE);
	expect(!memcmp(tcp + 20, options, sizeof(options)));
	/* Where the SYN's checksum was left to the device, so is that of the answer. */
	expect(open ? naive_get16(tcp + 16) == naive_fold(naive_pseudo(ip + at, ip + at + len, len, IPPROTO_TCP, 20 + SYN_OPTIONS_LEN)) :
		      naive_l4_ok(ip, IPPROTO_TCP, tcp, 20 + SYN_OPTIONS_LEN));
	return naive_get32(tcp + 4);
}

/*
 * Native XDP: TC ingress sends the answer in `run` off, and no SYN-ACK that anybody else made. (Where the kernel cannot be asked what is open,
 * partial_clear() comes first. It wants skb->protocol to be right, and without L2 header BPF_PROG_TEST_RUN makes it of the addresses.)
 */
static void expect_sent_by_tc(const struct rig *rig)
{
	struct rig_run sent;
	struct frame answer;

	if (!rig->ethernet && !rig->sees_ip_summed)
		return;
	memcpy(answer.bytes, run.bytes, run.len);
	expect(!rig_try_egress(rig->datapath.repair_fd, answer.bytes, run.len, NULL, &sent));
	expect_eq(sent.verdict, TC_ACT_REDIRECT);
	rig_expect_bytes(rig, "the answer", sent.bytes, sent.len, run.bytes, run.len);
	answer.bytes[frame.l4_off + 7] ^= 4; /* of its number */
	expect(!rig_try_egress(rig->datapath.repair_fd, answer.bytes, run.len, NULL, &sent));
	expect_eq((int)sent.verdict, TC_ACT_UNSPEC);
}

/* Sends the SYN of `syn` and turns it into the ACK of its answer; the answer leaves nothing behind. */
static void ask(struct rig *rig, struct frame_spec *syn, const struct conn_key *key, enum frame_check check)
{
	bool native = rig->datapath.shared->xdp_native;
	struct rig_counters before;
	struct mimic_conn conn;
	__u32 cookie;

	syn->check = check;
	rig_count(rig, &before);
	receive(rig, syn);
	expect_eq(run.verdict, native ? MODEL_XDP_PASS : MODEL_XDP_TX);
	rig_expect_counted(rig, &before, REASON_TX_COOKIE, REASON_NONE);
	cookie = expect_syn_ack(rig, syn);
	expect(!rig_get(rig, key, &conn));
	ears_expect_silence(&ears);
	if (native)
		expect_sent_by_tc(rig);
	syn->check = FRAME_CHECK_COMPLETE;
	syn->tcp = (struct frame_tcp){ .seq = ISN + 1, .ack = cookie + 1, .window = 0x3400, .flags = TCP_ACK };
}

/* No cookie of ours: as any other segment of an unknown connection, which may draw a RST. */
static void expect_refused(struct rig *rig, const struct frame_spec *spec, const char *what)
{
	struct rig_counters before, now;
	struct conn_key key = rig_key(spec, false);
	struct mimic_conn conn;

	rig_count(rig, &before);
	receive(rig, spec);
	rig_count(rig, &now);
	if (run.verdict != MODEL_XDP_DROP || now.value[REASON_RX_COOKIE] != before.value[REASON_RX_COOKIE] ||
	    now.value[REASON_DROP_RX_UNKNOWN] != before.value[REASON_DROP_RX_UNKNOWN] + 1 || rig_get(rig, &key, &conn))
		ck_abort_msg("%s: %s was not refused", rig->name, what);
	ears_listen(&ears);
	for (size_t i = 0; i < ears.events; i++)
		expect(ears.event[i].reply[0].flags == TCP_RST && !ears.event[i].notify);
}

static void expect_wrong_ones_refused(struct rig *rig, const struct frame_spec *ack)
{
	struct mimic_shared *shared = rig->datapath.shared;
	__u64 since_ns = shared->cookie_ns;
	struct frame_spec bad;

	/* The two lowest bits are the kernel's notion of the MSS, one of four: another one is as good (__cookie_v4_check()). */
	for (int bit = 2; bit < 32; bit++) {
		bad = *ack;
		bad.tcp.ack ^= 1U << bit;
		expect_refused(rig, &bad, "another cookie");
	}
	bad = *ack;
	bad.tcp.seq += 0x01000000;
	expect_refused(rig, &bad, "the ACK of another SYN");
	bad = *ack;
	bad.dst_port = OTHER_PORT;
	expect_refused(rig, &bad, "a cookie for another port");
	bad = *ack;
	bad.dst[ack->ipv6 ? 15 : 3] ^= 4;
	expect_refused(rig, &bad, "a cookie for another address");
	shared->cookie_ns = 0;
	expect_refused(rig, ack, "a cookie when none is about");
	shared->cookie_ns = since_ns;
}

/* The connection is there, with what a cookie does not tell: no options but those that Mimic has. */
static struct mimic_conn expect_recalled(struct rig *rig, const struct conn_key *key, const struct frame_spec *ack)
{
	struct mimic_conn conn;

	expect(rig_get(rig, key, &conn));
	expect_eq(conn.c.state, CONN_ESTABLISHED);
	expect_eq(conn.c.peer_wscale, 12);
	expect_eq(conn.c.peer_mss, TCP_MSS_DEFAULT);
	expect_eq(conn.c.snd_nxt, ack->tcp.ack);
	expect_eq(conn.c.irs, ISN);
	expect_eq(conn.c.snd_wnd, 0x3400 << 12);
	expect_eq(rig->datapath.shared->half_open, MIMIC_HALF_OPEN_MAX); /* it was one more for a moment */
	return conn;
}

START_TEST(test_cookie)
{
	struct rig *rig = rig_reset(_i);
	const struct mimic_event *event;
	struct rig_counters before, now;
	struct mimic_conn conn;
	struct frame_spec spec;
	struct conn_key key;

	ears_open(&ears, rig);
	for (unsigned int variant = 0; variant < 8; variant++) {
		key = flooded(rig, &spec, variant & 1, variant & 2);
		ask(rig, &spec, &key, variant & 4 ? FRAME_CHECK_PARTIAL : FRAME_CHECK_COMPLETE);
		expect_wrong_ones_refused(rig, &spec);

		rig_count(rig, &before);
		receive(rig, &spec);
		expect_eq(run.verdict, MODEL_XDP_DROP);
		rig_count(rig, &now);
		expect_eq(now.value[REASON_RX_COOKIE], before.value[REASON_RX_COOKIE] + 1);
		expect_eq(now.value[REASON_DROP_RX_UNKNOWN], before.value[REASON_DROP_RX_UNKNOWN]);
		conn = expect_recalled(rig, &key, &spec);
		expect_eq(conn.c.rcv_nxt, ISN + 1);
		event = ears_expect_reply(&ears, &key, TCP_ACK, spec.tcp.ack, ISN + 1, 0);
		expect_eq(event->notify, NOTIFY_ESTABLISHED);
		expect_eq(event->window_scale, CONN_WINDOW_SCALE);
		if (rig->ethernet) /* back to where the ACK came from */
			expect(!memcmp(conn.l2.bytes, frame.bytes + 6, 6) && !memcmp(conn.l2.bytes + 6, frame.bytes, 6));

		/* It is acknowledged again, by data: the connection is there, so that is data and nothing else. */
		spec.payload_len = sizeof(zeros);
		rig_count(rig, &before);
		receive(rig, &spec);
		expect_eq(run.verdict, MODEL_XDP_PASS);
		rig_expect_counted(rig, &before, REASON_RX_DATA, REASON_NONE);
		ears_expect_watch(&ears, &key);
	}
	ears_close(&ears);
}
END_TEST

/* The ACK was lost; the first datagram proves it, and is delivered. */
START_TEST(test_cookie_and_data)
{
	struct rig *rig = rig_reset(_i);
	struct frame_spec spec;
	struct conn_key key;

	ears_open(&ears, rig);
	for (unsigned int variant = 0; variant < 4; variant++) {
		key = flooded(rig, &spec, variant & 1, variant & 2);
		ask(rig, &spec, &key, FRAME_CHECK_COMPLETE);
		spec.payload_len = sizeof(zeros);
		receive(rig, &spec);
		expect_eq(run.verdict, MODEL_XDP_PASS);
		expect_eq(expect_recalled(rig, &key, &spec).c.rcv_nxt, ISN + 1 + sizeof(zeros));
		ears_listen(&ears);
		expect(ears.events == 1 && ears.event[0].notify == NOTIFY_ESTABLISHED);
	}
	ears_close(&ears);
}
END_TEST

/* One below the bound a SYN is remembered; what cannot be turned round into an answer is dropped beyond it. */
START_TEST(test_cookie_bound)
{
	struct rig *rig = rig_reset(_i);
	struct rig_counters before;
	struct mimic_conn conn;
	struct frame_spec spec;
	struct conn_key key;

	ears_open(&ears, rig);
	for (unsigned int variant = 0; variant < 4; variant++) {
		key = flooded(rig, &spec, variant & 1, variant & 2);
		rig->datapath.shared->half_open = MIMIC_HALF_OPEN_MAX - 1;
		receive(rig, &spec);
		expect_eq(run.verdict, MODEL_XDP_DROP);
		expect(rig_get(rig, &key, &conn));
		expect_eq(conn.c.state, CONN_SYN_RECEIVED);
		expect_eq(conn.c.peer_wscale, 7);
		expect_eq(rig->datapath.shared->half_open, MIMIC_HALF_OPEN_MAX);
		expect_eq(rig->datapath.shared->cookie_ns, 0);
		ears_expect_reply(&ears, &key, TCP_SYN | TCP_ACK, conn.c.snd_nxt - 1, ISN + 1, 0);

		rig_remove_connections(rig);
		spec.tcp.options_len = 4; /* no room for a window scale */
		rig_count(rig, &before);
		receive(rig, &spec);
		expect_eq(run.verdict, MODEL_XDP_DROP);
		rig_expect_counted(rig, &before, REASON_DROP_HALF_OPEN, REASON_NONE);
		ears_expect_silence(&ears);
	}
	ears_close(&ears);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("syncookie");
	TCase *tcase = tcase_create("syncookie");

	rigs_open();
	tcase_add_loop_test(tcase, test_cookie, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_cookie_and_data, 0, RIG_COUNT);
	tcase_add_loop_test(tcase, test_cookie_bound, 0, RIG_COUNT);
	suite_add_tcase(suite, tcase);
	return rigs_run(suite);
}
