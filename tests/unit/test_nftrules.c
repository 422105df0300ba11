// SPDX-License-Identifier: GPL-2.0-only
/* What rules of nftables do to a packet: certain only where it is certain */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "nftrules.h"

#define CHAIN(family, name, hook, policy)                                                                                            \
	"{\"chain\":{\"family\":\"" family "\",\"table\":\"t\",\"name\":\"" name "\",\"type\":\"filter\",\"hook\":\"" hook            \
	"\",\"prio\":0,\"policy\":\"" policy "\"}},"
#define PLAIN_CHAIN(family, name) "{\"chain\":{\"family\":\"" family "\",\"table\":\"t\",\"name\":\"" name "\"}},"
#define RULE(family, chain, ...) "{\"rule\":{\"family\":\"" family "\",\"table\":\"t\",\"chain\":\"" chain "\",\"expr\":[" __VA_ARGS__ "]}},"
#define PAYLOAD(op, protocol, field, right)                                                                                          \
	"{\"match\":{\"op\":\"" op "\",\"left\":{\"payload\":{\"protocol\":\"" protocol "\",\"field\":\"" field "\"}},\"right\":" right "}},"
#define META(op, key, right) "{\"match\":{\"op\":\"" op "\",\"left\":{\"meta\":{\"key\":\"" key "\"}},\"right\":" right "}},"
#define STATE(right)	     "{\"match\":{\"op\":\"in\",\"left\":{\"ct\":{\"key\":\"state\"}},\"right\":" right "}},"
#define COUNTER		     "{\"counter\":{\"packets\":0,\"bytes\":0}},"
#define ACCEPT		     "{\"accept\":null}"
#define DROP		     "{\"drop\":null}"
#define REJECT		     "{\"reject\":{\"type\":\"icmpx\",\"expr\":\"port-unreachable\"}}"
#define JUMP(to)	     "{\"jump\":{\"target\":\"" to "\"}}"
#define INPUT(policy)	     CHAIN("inet", "in", "input", policy)
#define FORWARD(policy)	     CHAIN("inet", "fwd", "forward", policy)
#define IN(...)		     RULE("inet", "in", __VA_ARGS__)

static struct nftrules_packet packet;
static char where[100];

static enum nftrules_verdict judge(const char *rules)
{
	char text[8192];
	enum nftrules_verdict verdict;
	json_error_t error;
	json_t *json;

	snprintf(text, sizeof(text), "{\"nftables\":[{\"metainfo\":{\"version\":\"1.0.6\"}},%s{\"end\":0}]}", rules);
	json = json_loads(text, 0, &error);
	if (!json)
		ck_abort_msg("%s in %s", error.text, text);
	verdict = nftrules_judge(json, &packet, where, sizeof(where));
	json_decref(json);
	return verdict;
}

static void set_up(void)
{
	packet = (struct nftrules_packet){ .ipv4 = true, .incoming = true, .port = 5000, .ifname = "eth0" };
}

static const struct {
	const char *rules;
	enum nftrules_verdict verdict;
} cases[] = {
	{ "", NFTRULES_PASSES },
	{ INPUT("accept"), NFTRULES_PASSES },
	{ INPUT("drop"), NFTRULES_DROPS },
	{ INPUT("accept") IN(DROP), NFTRULES_DROPS },
	{ INPUT("accept") IN(COUNTER REJECT), NFTRULES_DROPS },
	/* the port, as a number, range, set */
	{ INPUT("accept") IN(PAYLOAD("==", "udp", "dport", "5000") DROP), NFTRULES_DROPS },
	{ INPUT("accept") IN(PAYLOAD("==", "udp", "dport", "5001") DROP), NFTRULES_PASSES },
	{ INPUT("accept") IN(PAYLOAD("!=", "udp", "dport", "5001") DROP), NFTRULES_DROPS },
	{ INPUT("drop") IN(PAYLOAD("==", "udp", "dport", "{\"set\":[22,{\"range\":[4000,6000]}]}") ACCEPT), NFTRULES_PASSES },
	{ INPUT("drop") IN(PAYLOAD("==", "udp", "dport", "{\"set\":[22,{\"range\":[6000,7000]}]}") ACCEPT), NFTRULES_DROPS },
	{ INPUT("drop") IN(PAYLOAD("==", "th", "dport", "5000") ACCEPT), NFTRULES_PASSES },
	{ INPUT("drop") IN(PAYLOAD("==", "udp", "dport", "\"@ports\"") ACCEPT), NFTRULES_PERHAPS },
	{ INPUT("drop") IN(PAYLOAD("<", "udp", "dport", "6000") ACCEPT), NFTRULES_PERHAPS },
	{ INPUT("drop") IN(PAYLOAD("==", "udp", "sport", "53") ACCEPT), NFTRULES_PERHAPS },
	/* other protocols and addresses */
	{ INPUT("drop") IN(PAYLOAD("==", "tcp", "dport", "5000") ACCEPT), NFTRULES_DROPS },
	{ INPUT("accept") IN(PAYLOAD("!=", "tcp", "dport", "22") DROP), NFTRULES_PASSES },
	{ INPUT("accept") IN(META("==", "l4proto", "\"udp\"") DROP), NFTRULES_DROPS },
	{ INPUT("accept") IN(META("==", "l4proto", "17") DROP), NFTRULES_DROPS },
	{ INPUT("drop") IN(META("==", "l4proto", "{\"set\":[\"tcp\",\"icmp\"]}") ACCEPT), NFTRULES_DROPS },
	{ INPUT("drop") IN(META("==", "l4proto", "{\"set\":[\"tcp\",\"udp\"]}") ACCEPT), NFTRULES_PASSES },
	{ INPUT("accept") IN(PAYLOAD("==", "ip", "protocol", "\"udp\"") DROP), NFTRULES_DROPS },
	{ INPUT("accept") IN(PAYLOAD("==", "ip6", "nexthdr", "\"udp\"") DROP), NFTRULES_PASSES },
	{ INPUT("accept") IN(PAYLOAD("!=", "ip6", "nexthdr", "\"tcp\"") DROP), NFTRULES_PASSES },
	{ INPUT("accept") IN(PAYLOAD("==", "ip", "saddr", "\"192.0.2.1\"") DROP), NFTRULES_PERHAPS },
	/* interfaces */
	{ INPUT("drop") IN(META("==", "iifname", "\"lo\"") ACCEPT), NFTRULES_DROPS },
	{ INPUT("drop") IN(META("==", "iifname", "\"eth0\"") ACCEPT), NFTRULES_PASSES },
	{ INPUT("drop") IN(META("==", "iifname", "\"eth*\"") ACCEPT), NFTRULES_PERHAPS },
	{ INPUT("drop") IN(META("!=", "iifname", "\"lo\"") ACCEPT), NFTRULES_PASSES },
	/* conntrack: the first packet of its flow */
	{ INPUT("drop") IN(STATE("[\"established\",\"related\"]") ACCEPT), NFTRULES_DROPS },
	{ INPUT("drop") IN(STATE("\"new\"") ACCEPT), NFTRULES_PASSES },
	/* order: what comes first counts, and what may come first makes it uncertain */
	{ INPUT("drop") IN(PAYLOAD("==", "udp", "dport", "5000") ACCEPT) IN(DROP), NFTRULES_PASSES },
	{ INPUT("accept") IN(PAYLOAD("==", "ip", "saddr", "\"192.0.2.1\"") ACCEPT) IN(DROP), NFTRULES_PERHAPS },
	{ INPUT("drop") IN("{\"xt\":null}"), NFTRULES_PERHAPS },
	{ INPUT("drop") IN(PAYLOAD("==", "tcp", "dport", "1") "{\"xt\":null}"), NFTRULES_DROPS },
	{ INPUT("drop") IN("{\"limit\":{\"rate\":10,\"per\":\"second\"}}," ACCEPT), NFTRULES_PERHAPS },
	{ INPUT("drop") IN("{\"vmap\":{\"key\":{\"ct\":{\"key\":\"state\"}},\"data\":\"@m\"}}"), NFTRULES_PERHAPS },
	/* other chains: of jumps, of other hooks and families; one that drops is enough */
	{ INPUT("drop") PLAIN_CHAIN("inet", "u") IN(JUMP("u")) RULE("inet", "u", PAYLOAD("==", "udp", "dport", "5000") ACCEPT), NFTRULES_PASSES },
	{ INPUT("accept") PLAIN_CHAIN("inet", "u") IN(JUMP("u")) RULE("inet", "u", DROP), NFTRULES_DROPS },
	{ INPUT("accept") PLAIN_CHAIN("inet", "u") IN(JUMP("u")) RULE("inet", "u", "{\"return\":null}") RULE("inet", "u", DROP), NFTRULES_PASSES },
	{ INPUT("accept") PLAIN_CHAIN("inet", "u") IN(JUMP("u")) IN(DROP) RULE("inet", "u", COUNTER "{\"counter\":null}"), NFTRULES_DROPS },
	{ INPUT("drop") PLAIN_CHAIN("inet", "u") IN(JUMP("u")) RULE("inet", "u", JUMP("u")), NFTRULES_PERHAPS },
	{ CHAIN("inet", "out", "output", "drop"), NFTRULES_PASSES },
	{ CHAIN("inet", "fwd", "forward", "drop"), NFTRULES_PASSES },
	{ CHAIN("ip6", "in", "input", "drop"), NFTRULES_PASSES },
	{ CHAIN("ip", "in", "input", "drop"), NFTRULES_DROPS },
	{ INPUT("accept") CHAIN("ip", "in", "input", "drop"), NFTRULES_DROPS },
	{ INPUT("accept") RULE("ip", "in", DROP), NFTRULES_PASSES }, /* a chain of another table */
	/* what is no such thing */
	{ "{\"rule\":{}},{\"chain\":{}},{\"rule\":7},[],3,", NFTRULES_PASSES },
	{ INPUT("accept") "{\"rule\":{\"family\":\"inet\",\"table\":\"t\",\"chain\":\"in\",\"expr\":\"x\"}},", NFTRULES_PASSES },
	{ INPUT("accept") IN("{\"match\":null}," DROP), NFTRULES_PERHAPS },
};

START_TEST(test_cases)
{
	enum nftrules_verdict verdict = judge(cases[_i].rules);

	if (verdict != cases[_i].verdict)
		ck_abort_msg("verdict %d, expected %d: %s", verdict, cases[_i].verdict, cases[_i].rules);
	expect((verdict == NFTRULES_DROPS) == (where[0] != '\0'));
}
END_TEST

START_TEST(test_packets)
{
	expect_eq(judge(INPUT("drop")), NFTRULES_DROPS);
	ck_assert_str_eq(where, "inet t in");
	packet.established = true;
	expect_eq(judge(INPUT("drop") IN(STATE("[\"established\",\"related\"]") ACCEPT)), NFTRULES_PASSES);
	/* what comes back: its source is known, and its destination is not */
	packet.answer = true;
	expect_eq(judge(INPUT("drop") IN(PAYLOAD("==", "udp", "sport", "5000") ACCEPT)), NFTRULES_PASSES);
	expect_eq(judge(INPUT("drop") IN(PAYLOAD("==", "udp", "sport", "5001") ACCEPT)), NFTRULES_DROPS);
	expect_eq(judge(INPUT("drop") IN(PAYLOAD("==", "udp", "dport", "5000") ACCEPT)), NFTRULES_PERHAPS);
	packet.answer = false;
	packet.incoming = false;
	expect_eq(judge(INPUT("drop")), NFTRULES_PASSES);
	expect_eq(judge(CHAIN("inet", "out", "output", "drop") RULE("inet", "out", META("==", "oifname", "\"lo\"") ACCEPT)), NFTRULES_DROPS);
	packet.ipv4 = false;
	expect_eq(judge(CHAIN("ip", "out", "output", "drop")), NFTRULES_PASSES);
	expect_eq(judge(CHAIN("ip6", "out", "output", "drop")), NFTRULES_DROPS);
}
END_TEST

/* Either way through a router; the other interface is not known. */
START_TEST(test_forwarded)
{
	packet.forwarded = true;
	expect_eq(judge(INPUT("drop") CHAIN("inet", "out", "output", "drop")), NFTRULES_PASSES);
	expect_eq(judge(FORWARD("drop")), NFTRULES_DROPS);
	expect_eq(judge(FORWARD("drop") RULE("inet", "fwd", META("==", "iifname", "\"eth1\"") ACCEPT)), NFTRULES_DROPS);
	expect_eq(judge(FORWARD("drop") RULE("inet", "fwd", META("==", "iifname", "\"eth0\"") ACCEPT)), NFTRULES_PASSES);
	expect_eq(judge(FORWARD("drop") RULE("inet", "fwd", META("==", "oifname", "\"eth0\"") ACCEPT)), NFTRULES_PERHAPS);
	packet.incoming = false;
	expect_eq(judge(FORWARD("drop") RULE("inet", "fwd", META("==", "oifname", "\"eth0\"") ACCEPT)), NFTRULES_PASSES);
	expect_eq(judge(FORWARD("drop") RULE("inet", "fwd", META("==", "oifname", "\"eth1\"") ACCEPT)), NFTRULES_DROPS);
}
END_TEST

#define RAW(hook, prio)                                                                                                               \
	"{\"chain\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"raw\",\"type\":\"filter\",\"hook\":\"" hook "\",\"prio\":" prio ",\"policy\":\"accept\"}},"
#define SET_ZONE(...)	   "{\"mangle\":{\"key\":{\"ct\":{\"key\":\"zone\"" __VA_ARGS__ "}},\"value\":7}},"
#define SET_MARK	   "{\"mangle\":{\"key\":{\"meta\":{\"key\":\"mark\"}},\"value\":9}},"
#define IN_RAW(...)	   RULE("inet", "raw", __VA_ARGS__)
#define XT(type, name)	   "{\"xt\":{\"type\":\"" type "\",\"name\":\"" name "\"}},"
#define PERHAPS_FROM	   PAYLOAD("==", "ip", "saddr", "\"192.0.2.1\"")

static const struct {
	const char *rules;
	bool certain;
	int zone;
	const char *where; /* NULL: no chain is named */
} zones[] = {
	{ "", true, 0, NULL },
	{ RAW("prerouting", "-300"), true, 0, NULL },
	{ RAW("prerouting", "-300") IN_RAW(SET_ZONE() COUNTER), true, 7, NULL },
	{ RAW("prerouting", "-300") IN_RAW(SET_MARK COUNTER), true, 0, NULL },
	{ RAW("prerouting", "-300") IN_RAW("{\"notrack\":null}"), true, NFTRULES_UNTRACKED, NULL },
	{ RAW("output", "-300") IN_RAW(SET_ZONE() COUNTER), true, 0, NULL },
	{ RAW("prerouting", "-150") IN_RAW(SET_ZONE() COUNTER), true, 0, NULL }, /* behind conntrack */
	{ RAW("prerouting", "-300") IN_RAW(SET_ZONE(",\"dir\":\"original\"") COUNTER), false, 0, NULL },
	/* which packets */
	{ RAW("prerouting", "-300") IN_RAW(PAYLOAD("==", "udp", "dport", "5000") SET_ZONE() COUNTER), true, 7, NULL },
	{ RAW("prerouting", "-300") IN_RAW(PAYLOAD("==", "tcp", "dport", "5000") SET_ZONE() COUNTER), true, 0, NULL },
	{ RAW("prerouting", "-300") IN_RAW(META("==", "iifname", "\"eth1\"") SET_ZONE() COUNTER), true, 0, NULL },
	{ RAW("prerouting", "-300") IN_RAW(PERHAPS_FROM SET_ZONE() COUNTER), false, 0, NULL },
	/* what comes first may take it away */
	{ RAW("prerouting", "-300") IN_RAW(ACCEPT) IN_RAW(SET_ZONE() COUNTER), true, 0, NULL },
	{ RAW("prerouting", "-300") IN_RAW(PERHAPS_FROM ACCEPT) IN_RAW(SET_ZONE() COUNTER), false, 0, NULL },
	{ RAW("prerouting", "-300") IN_RAW(SET_ZONE() COUNTER) IN_RAW(PERHAPS_FROM ACCEPT), true, 7, NULL },
	{ RAW("prerouting", "-300") IN_RAW("{\"xt\":null}") IN_RAW(SET_ZONE() COUNTER), false, 0, NULL },
	{ RAW("prerouting", "-300") PLAIN_CHAIN("inet", "z") IN_RAW(JUMP("z")) RULE("inet", "z", SET_ZONE() COUNTER), true, 7, NULL },
	{ RAW("prerouting", "-300") PLAIN_CHAIN("inet", "z") IN_RAW(PERHAPS_FROM JUMP("z")) RULE("inet", "z", SET_ZONE() COUNTER), false, 0, NULL },
	/* as iptables-nft makes it: the target could be --notrack, or --zone */
	{ RAW("prerouting", "-300") IN_RAW(PAYLOAD("==", "udp", "dport", "5000") XT("target", "CT") COUNTER), false, 0, "inet t raw" },
	{ RAW("prerouting", "-300") IN_RAW(PERHAPS_FROM XT("target", "CT") COUNTER), false, 0, "inet t raw" },
	{ RAW("prerouting", "-300") PLAIN_CHAIN("inet", "z") IN_RAW(JUMP("z")) RULE("inet", "z", XT("target", "CT") COUNTER), false, 0, "inet t raw" },
	{ RAW("prerouting", "-300") IN_RAW(PAYLOAD("==", "tcp", "dport", "5000") XT("target", "CT") COUNTER), true, 0, NULL },
	{ RAW("prerouting", "-150") IN_RAW(XT("target", "CT") COUNTER), true, 0, NULL },
	{ RAW("output", "-300") IN_RAW(XT("target", "CT") COUNTER), true, 0, NULL },
	{ RAW("prerouting", "-300") IN_RAW(XT("target", "TRACE") COUNTER), true, 0, NULL },
	{ RAW("prerouting", "-300") IN_RAW(XT("match", "CT") COUNTER), true, 0, NULL },
};

START_TEST(test_zones)
{
	const char *wanted = zones[_i].where ? zones[_i].where : "";
	char text[8192];
	json_t *json;
	bool certain;
	int zone;

	snprintf(text, sizeof(text), "{\"nftables\":[%s{\"end\":0}]}", zones[_i].rules);
	for (char *comma = text; (comma = strstr(comma, ",]"));) /* behind a statement that is no end */
		*comma = ' ';
	json = json_loads(text, 0, NULL);
	if (!json)
		ck_abort_msg("no JSON: %s", text);
	certain = nftrules_zone(json, &packet, &zone, where, sizeof(where));
	if (certain != zones[_i].certain || (certain && zone != zones[_i].zone) || strcmp(where, wanted))
		ck_abort_msg("zone %d, certain %d, chain \"%s\": %s", zone, certain, where, zones[_i].rules);
	json_decref(json);
}
END_TEST

static void count_chain(void *context, const char *chain)
{
	int *count = context;

	ck_assert_str_eq(chain, "t e");
	++*count;
}

static int netdev_chains(const char *chain, const char *ifname)
{
	char text[512];
	json_t *json;
	int count = 0;

	snprintf(text, sizeof(text), "{\"nftables\":[{\"chain\":{\"family\":\"netdev\",\"table\":\"t\",\"name\":\"e\",%s}}]}", chain);
	json = json_loads(text, 0, NULL);
	expect(json);
	nftrules_each_netdev_egress(json, ifname, count_chain, &count);
	json_decref(json);
	return count;
}

START_TEST(test_netdev)
{
	expect_eq(netdev_chains("\"hook\":\"egress\",\"dev\":\"eth0\"", "eth0"), 1);
	expect_eq(netdev_chains("\"hook\":\"egress\",\"dev\":\"eth1\"", "eth0"), 0);
	expect_eq(netdev_chains("\"hook\":\"egress\",\"dev\":[\"eth1\",\"eth0\"]", "eth0"), 1);
	expect_eq(netdev_chains("\"hook\":\"egress\",\"dev\":[\"eth1\",\"eth2\"]", "eth0"), 0);
	expect_eq(netdev_chains("\"hook\":\"egress\",\"dev\":\"eth*\"", "eth0"), 1);
	expect_eq(netdev_chains("\"hook\":\"ingress\",\"dev\":\"eth0\"", "eth0"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nftrules");
	TCase *tcase = tcase_create("nftrules");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_loop_test(tcase, test_cases, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tcase, test_packets);
	tcase_add_test(tcase, test_forwarded);
	tcase_add_loop_test(tcase, test_zones, 0, (int)(sizeof(zones) / sizeof(zones[0])));
	tcase_add_test(tcase, test_netdev);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
