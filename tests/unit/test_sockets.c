// SPDX-License-Identifier: GPL-2.0-only
/* Who listens: the lists of /proc/net, which socket gets a packet, and which SYN looks like a Mimic's */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "sockets.h"
#include "stray.h"

/* As a little-endian machine prints them, and the reverse for a big-endian one. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOOPBACK "0100007F"
#define HOST6	 "B80D0120000000000000000001000000"
#else
#define LOOPBACK "7F000001"
#define HOST6	 "20010DB8000000000000000000000001"
#endif
#define ANY  "00000000"
#define ANY6 "00000000000000000000000000000000"

static const char udp[] = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
			  "  12: " LOOPBACK ":1388 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 0\n"
			  "  13: " LOOPBACK ":1389 " LOOPBACK ":0035 01 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 0\n"
			  "nonsense\n"
			  "   9: " ANY ":CA6C 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 0\n";
static const char udp6[] = "  sl  local_address remote_address st\n"
			   "  12: " ANY6 ":1770 " ANY6 ":0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 0\n"
			   "  12: " HOST6 ":1771 " ANY6 ":0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 0\n";
static const char tcp[] = "  sl  local_address rem_address   st\n"
			  "   0: " ANY ":0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n"
			  "   1: " LOOPBACK ":0017 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n"
			  "   2: " ANY ":0018 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n";

static struct sockets sockets;

static void take(const char *text, bool is_tcp)
{
	FILE *file = fmemopen((void *)text, strlen(text), "r");

	expect(file && !sockets_take(&sockets, file, is_tcp));
	fclose(file);
}

static bool finds(const char *address, uint16_t port, bool is_tcp)
{
	struct addr addr;
	__be32 ipv4;

	if (inet_pton(AF_INET, address, &ipv4) == 1)
		addr_from_ipv4(&addr, ipv4);
	else
		expect(inet_pton(AF_INET6, address, &addr) == 1);
	return sockets_find(&sockets, &addr, htons(port), is_tcp);
}

static void set_up(void)
{
	sockets = (struct sockets){ 0 };
	take(udp, false);
	take(udp6, false);
	take(tcp, true);
}

static void tear_down(void)
{
	sockets_free(&sockets);
}

START_TEST(test_lists)
{
	expect_eq(sockets.count, 5); /* neither the connected ones nor what stands behind them in a TCP list */
	expect(finds("127.0.0.1", 5000, false));
	expect(!finds("127.0.0.2", 5000, false));
	expect(!finds("127.0.0.1", 5001, false)); /* has a peer */
	expect(!finds("127.0.0.1", 5000, true));
	expect(finds("192.0.2.1", 22, true));
	expect(!finds("127.0.0.1", 23, true));
	expect(!finds("192.0.2.1", 24, true));
}
END_TEST

START_TEST(test_everywhere)
{
	expect(finds("192.0.2.1", 51820, false));
	expect(!finds("2001:db8::1", 51820, false)); /* 0.0.0.0 is IPv4 */
	expect(finds("192.0.2.1", 6000, false));     /* :: is both */
	expect(finds("2001:db8::1", 6000, false));
	expect(finds("2001:db8::1", 6001, false));
	expect(!finds("2001:db8::2", 6001, false));
	/* what a wildcard filter stands for */
	expect(finds("0.0.0.0", 5000, false));
	expect(finds("::", 6001, false));
	expect(!finds("0.0.0.0", 6001, false));
	expect(!finds("::", 5000, false));
}
END_TEST

START_TEST(test_many)
{
	for (int i = 0; i < 100; i++)
		take(udp, false);
	expect_eq(sockets.count, 5 + 200);
	expect(finds("127.0.0.1", 5000, false));
}
END_TEST

static bool is_for_udp(const char *address, uint16_t port)
{
	struct conn_key key = { .local_port = htons(port), .remote_port = htons(1) };
	__be32 ipv4;

	expect(inet_pton(AF_INET, address, &ipv4) == 1);
	addr_from_ipv4(&key.local, ipv4);
	return stray_is_for_udp(&key, &sockets);
}

START_TEST(test_stray)
{
	static const char both[] = "   0: " ANY ":CA6C 00000000:0000 0A 0:0\n";

	expect(is_for_udp("127.0.0.1", 5000));
	expect(!is_for_udp("127.0.0.2", 5000)); /* nobody there */
	expect(!is_for_udp("127.0.0.1", 5001)); /* a client's */
	expect(!is_for_udp("127.0.0.1", 22));   /* TCP */
	expect(is_for_udp("192.0.2.1", 51820));
	take(both, true); /* QUIC and HTTPS, say: the SYN is for the server */
	expect(!is_for_udp("192.0.2.1", 51820));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sockets");
	TCase *tcase = tcase_create("sockets");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_lists);
	tcase_add_test(tcase, test_everywhere);
	tcase_add_test(tcase, test_many);
	tcase_add_test(tcase, test_stray);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
