// SPDX-License-Identifier: GPL-2.0-only
/* What mimic check thinks of the facts: each item, with and without something to say */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "expect.h"

static struct facts facts;
static struct check_report report;
static struct facts_device devices[3];
static struct addr addrs[2];

static struct addr ipv4(const char *text)
{
	struct addr addr;
	__be32 word;

	expect(inet_pton(AF_INET, text, &word) == 1);
	addr_from_ipv4(&addr, word);
	return addr;
}

/* A machine and an interface that have everything. */
static void set_up(void)
{
	facts = (struct facts){ .ifname = "eth0", .config.config = CONFIG_INIT };
	snprintf(facts.kernel.release, sizeof(facts.kernel.release), "6.12.1-amd64");
	snprintf(facts.kernel.machine, sizeof(facts.kernel.machine), "x86_64");
	snprintf(facts.kernel.options_from, sizeof(facts.kernel.options_from), "/proc/config.gz");
	memset(facts.kernel.option, 'y', sizeof(facts.kernel.option));
	facts.kernel.btf = true;
	facts.kernel.jit = 1;
	facts.kernel.unprivileged = 2;
	facts.kernel.load_tried = true;
	facts.kernel.module.state = KFUNC_ABSENT;
	snprintf(facts.kernel.module.why, sizeof(facts.kernel.module.why), "there is no module");
	facts.privileges = (struct facts_privileges){ .root = true, .capabilities = ~0ULL };
	facts.netif.netif = (struct netif){ .name = "eth0", .ifindex = 2, .mtu = 1500, .link_type = LINK_TYPE_ETH, .up = true };
	addrs[0] = ipv4("192.0.2.1");
	facts.netif.netif.addrs = addrs;
	facts.netif.netif.addr_count = 1;
	facts.netif.carrier = FACTS_YES;
	facts.netif.native_xdp = facts.netif.native_xdp_fragments = FACTS_YES;
	facts.netif.tcx = FACTS_YES;
	memset(devices, 0, sizeof(devices));
	facts.netif.devices = devices;
	facts.firewall.nft = true;
	facts.firewall.rules = json_object();
	facts.config.sockets_known = true;
}

static void tear_down(void)
{
	check_free(&report);
	json_decref(facts.firewall.rules);
	filter_list_free(&facts.config.filters);
	config_free(&facts.config.config);
	sockets_free(&facts.config.sockets);
}

static void judge(void)
{
	check_free(&report);
	check_judge(&report, &facts);
	expect(!report.no_memory);
	for (size_t i = 0; i < report.count; i++) {
		const struct check_line *line = &report.lines[i];

		expect(line->found[0] && !strchr(line->found, '\n'));
		expect(line->result != CHECK_OK || !line->remedy); /* nothing to do */
		expect(line->result != CHECK_PROBLEM || line->remedy || strstr(line->item, "interface"));
	}
}

/* The line of @item that holds @text, or NULL. */
static const struct check_line *find(const char *item, const char *text)
{
	for (size_t i = 0; i < report.count; i++) {
		const struct check_line *line = &report.lines[i];

		if (!strcmp(line->item, item) && strstr(line->found, text))
			return line;
	}
	return NULL;
}

/* Judges, and @item has a line of this result with @found in it, and the remedy holds @remedy. */
static void expect_line(const char *item, enum check_result result, const char *found, const char *remedy)
{
	const struct check_line *line;

	judge();
	line = find(item, found);
	if (!line || line->result != result || (remedy && (!line->remedy || !strstr(line->remedy, remedy)))) {
		for (size_t i = 0; i < report.count; i++)
			printf("%s %s: %s; %s\n", check_result_name(report.lines[i].result), report.lines[i].item, report.lines[i].found,
			       report.lines[i].remedy);
		ck_abort_msg("%s: no %s with '%s', '%s'", item, check_result_name(result), found, remedy ? remedy : "");
	}
}

static void expect_nothing(const char *item)
{
	judge();
	if (find(item, ""))
		ck_abort_msg("%s: %s", item, find(item, "")->found);
}

static void expect_all_fine(void)
{
	judge();
	for (size_t i = 0; i < report.count; i++) {
		if (report.lines[i].result != CHECK_OK)
			ck_abort_msg("%s: %s", report.lines[i].item, report.lines[i].found);
	}
	expect_eq(report.problems, 0);
}

static void give(const char *text)
{
	struct parse_error error;

	if (config_set(&facts.config.config, "filter", text, &error) ||
	    filter_list_add(&facts.config.filters, &facts.config.config.filters[facts.config.config.filter_count - 1], NULL, &error))
		ck_abort_msg("%s: %s", text, error.text);
}

static void listen_on(const char *address, uint16_t port, bool tcp)
{
	struct sockets *sockets = &facts.config.sockets;

	sockets->entries = realloc(sockets->entries, (sockets->count + 1) * sizeof(*sockets->entries));
	expect(sockets->entries);
	sockets->entries[sockets->count++] = (struct sockets_entry){ .addr = ipv4(address), .port = htons(port), .tcp = tcp };
}

START_TEST(test_fine)
{
	expect_all_fine();
	expect(report.count > 18);
	facts.ifname = NULL;
	expect_all_fine();
	expect(find("interface", "none was named") && !find("mtu", ""));
}
END_TEST

START_TEST(test_kernel)
{
	snprintf(facts.kernel.release, sizeof(facts.kernel.release), "5.10.0-1");
	expect_line("kernel", CHECK_PROBLEM, "6.1 or later", "install");
	expect_eq(report.problems, 1);
	snprintf(facts.kernel.release, sizeof(facts.kernel.release), "6.0.99");
	expect_line("kernel", CHECK_PROBLEM, "6.0.99", NULL);
	snprintf(facts.kernel.release, sizeof(facts.kernel.release), "6.1");
	expect_line("kernel", CHECK_OK, "6.1", NULL);
	snprintf(facts.kernel.release, sizeof(facts.kernel.release), "custom");
	expect_line("kernel", CHECK_NOTE, "custom", NULL);
}
END_TEST

START_TEST(test_options)
{
	static const enum kconfig_option needed[] = { KCONFIG_BPF_SYSCALL, KCONFIG_NET_SCH_INGRESS };
	static const enum kconfig_option liked[] = { KCONFIG_BPF_JIT, KCONFIG_VETH, KCONFIG_SYN_COOKIES };

	for (size_t i = 0; i < 2; i++) {
		facts.kernel.option[needed[i]] = 'n';
		expect_line("kernel-options", CHECK_PROBLEM, kconfig_name(needed[i]), NULL);
		facts.kernel.option[needed[i]] = 'm';
	}
	expect_all_fine();
	for (size_t i = 0; i < 3; i++) {
		facts.kernel.option[liked[i]] = 'n';
		expect_line("kernel-options", CHECK_NOTE, kconfig_name(liked[i]), NULL);
	}
	/* needed for clsact only */
	facts.kernel.option[KCONFIG_NET_CLS_BPF] = 'n';
	judge();
	expect(!find("kernel-options", "CLS_BPF"));
	facts.netif.tcx = FACTS_NO;
	snprintf(facts.kernel.release, sizeof(facts.kernel.release), "6.1.0");
	expect_line("kernel-options", CHECK_PROBLEM, "CONFIG_NET_CLS_BPF", "6.6");
	facts.kernel.options_from[0] = '\0';
	expect_line("kernel-options", CHECK_NOTE, "not known", NULL);
	expect_eq(report.problems, 0);
}
END_TEST

START_TEST(test_option_lines)
{
	char values[KCONFIG_OPTIONS];

	memset(values, 'n', sizeof(values));
	kconfig_take(values, "# CONFIG_VETH is not set\n");
	kconfig_take(values, "CONFIG_VETHX=y\n");
	kconfig_take(values, "CONFIG_VETH=n\n");
	kconfig_take(values, "CONFIG_VETH");
	expect_eq(values[KCONFIG_VETH], 'n');
	kconfig_take(values, "CONFIG_VETH=m\n");
	kconfig_take(values, "CONFIG_BPF_JIT=y\n");
	expect_eq(values[KCONFIG_VETH], 'm');
	expect_eq(values[KCONFIG_BPF_JIT], 'y');
	expect_eq(values[KCONFIG_BPF_SYSCALL], 'n');
}
END_TEST

START_TEST(test_btf_and_jit)
{
	facts.kernel.btf = false;
	expect_line("kernel-btf", CHECK_NOTE, "plain", NULL);
	facts.kernel.jit = 0;
	expect_line("jit", CHECK_NOTE, "off", "bpf_jit_enable=1");
	facts.kernel.jit = -1;
	expect_line("jit", CHECK_NOTE, "not known", "root");
	facts.kernel.jit = 0;
	snprintf(facts.kernel.machine, sizeof(facts.kernel.machine), "armv7l");
	expect_line("jit", CHECK_OK, "level bpf", NULL);
	snprintf(facts.kernel.machine, sizeof(facts.kernel.machine), "i686");
	expect_line("jit", CHECK_OK, "level bpf", NULL);
}
END_TEST

START_TEST(test_privileges)
{
	facts.privileges.capabilities = 0;
	expect_line("privileges", CHECK_PROBLEM, "CAP_BPF", NULL);
	expect(find("privileges", "CAP_PERFMON") && find("privileges", "CAP_NET_ADMIN") && find("privileges", "CAP_NET_RAW"));
	facts.privileges.capabilities = 1ULL << CAP_SYS_ADMIN | 1ULL << CAP_NET_ADMIN;
	expect_line("privileges", CHECK_PROBLEM, "CAP_NET_RAW", NULL);
	expect(!find("privileges", "CAP_BPF"));
	facts.privileges.root = false;
	expect_line("privileges", CHECK_NOTE, "CAP_NET_RAW", "root");
	facts.privileges.capabilities |= 1ULL << CAP_NET_RAW;
	expect_all_fine();
}
END_TEST

START_TEST(test_containers)
{
	snprintf(facts.privileges.container, sizeof(facts.privileges.container), "lxc");
	expect_line("container", CHECK_OK, "lxc", NULL);
	facts.kernel.load_error = -EPERM;
	facts.kernel.load_why = "why";
	expect_line("container", CHECK_NOTE, "lxc", "CAP_BPF");
	facts.privileges.user_namespace = true;
	expect_line("container", CHECK_PROBLEM, "user namespace", "nsenter");
	facts.kernel.load_error = 0;
	expect_line("container", CHECK_NOTE, "user namespace", NULL);
}
END_TEST

START_TEST(test_programs)
{
	facts.kernel.load_error = -EINVAL;
	facts.kernel.load_why = "do that";
	expect_line("bpf-programs", CHECK_PROBLEM, "error 22", "do that");
	expect(!find("datapath", ""));
	/* without privileges that says nothing */
	facts.kernel.load_error = -EPERM;
	facts.privileges = (struct facts_privileges){ 0 };
	expect_line("bpf-programs", CHECK_NOTE, "not looked at", "root");
	facts.kernel.load_tried = false;
	expect_line("bpf-programs", CHECK_NOTE, "not looked at", "root");
	expect_eq(report.problems, 0);
}
END_TEST

START_TEST(test_lockdown)
{
	snprintf(facts.kernel.lockdown, sizeof(facts.kernel.lockdown), "integrity");
	facts.kernel.secure_boot = FACTS_YES;
	expect_line("lockdown", CHECK_OK, "Secure Boot", NULL);
	snprintf(facts.kernel.lockdown, sizeof(facts.kernel.lockdown), "confidentiality");
	expect_line("lockdown", CHECK_NOTE, "confidentiality", "integrity");
	facts.kernel.load_error = -EPERM;
	facts.kernel.load_why = "why";
	expect_line("lockdown", CHECK_PROBLEM, "confidentiality", "integrity");
}
END_TEST

START_TEST(test_module_and_level)
{
	expect_line("datapath", CHECK_OK, "there is no module, and not needed", NULL);
	facts.kernel.module.state = KFUNC_UNUSABLE;
	expect_line("module", CHECK_NOTE, "not used: there is no module", NULL);
	snprintf(facts.kernel.lockdown, sizeof(facts.kernel.lockdown), "integrity");
	facts.kernel.module_signed = FACTS_NO;
	expect_line("module", CHECK_NOTE, "no signature", "openssl");
	expect_line("module", CHECK_NOTE, "no signature", "mokutil --import /var/lib/dkms/mok.pub`");
	facts.kernel.module_signed = FACTS_YES;
	expect_line("module", CHECK_NOTE, "not used", NULL);
	facts.kernel.module.state = KFUNC_READY;
	expect_line("datapath", CHECK_NOTE, "not kfunc", "-vv");
	facts.kernel.jit = 0;
	expect_line("datapath", CHECK_NOTE, "not kfunc", "bpf_jit_enable");
	facts.config.config.datapath = LEVEL_KFUNC;
	expect_line("datapath", CHECK_PROBLEM, "datapath = kfunc", "auto");
	facts.kernel.load_kfunc = true;
	expect_line("datapath", CHECK_OK, "kfunc, with", NULL);
	expect_line("module", CHECK_OK, "is loaded", NULL);
	facts.config.config.datapath = LEVEL_GSO;
	expect_line("datapath", CHECK_OK, "gso, with", NULL);
	facts.kernel.load_kfunc = false;
	expect_line("datapath", CHECK_PROBLEM, "datapath = gso", "auto");
}
END_TEST

START_TEST(test_interface)
{
	facts.netif.netif.up = false;
	expect_line("interface", CHECK_PROBLEM, "down", "ip link set eth0 up");
	facts.netif.netif.up = true;
	facts.netif.carrier = FACTS_NO;
	expect_line("interface", CHECK_NOTE, "no link", NULL);
	snprintf(facts.netif.kind, sizeof(facts.netif.kind), "wireguard");
	expect_line("interface", CHECK_PROBLEM, "WireGuard", "ip route get");
	facts.netif.error = -EIO;
	expect_line("interface", CHECK_PROBLEM, "cannot be read", NULL);
	facts.netif.error = -ENODEV;
	expect_line("interface", CHECK_PROBLEM, "there is no eth0", "ip link");
	expect(!find("mtu", "") && !find("firewall", ""));
}
END_TEST

START_TEST(test_link_type)
{
	expect_line("link-type", CHECK_OK, "eth", NULL);
	facts.config.config.link_type = LINK_TYPE_NONE;
	expect_line("link-type", CHECK_PROBLEM, "link_type = none", "leave");
	facts.netif.netif.link_type = LINK_TYPE_AUTO;
	expect_line("link-type", CHECK_OK, "none", NULL);
	facts.config.config.link_type = LINK_TYPE_AUTO;
	expect_line("link-type", CHECK_PROBLEM, "not known", "--link-type");
}
END_TEST

START_TEST(test_native_xdp)
{
	facts.netif.native_xdp = FACTS_NO;
	expect_line("native-xdp", CHECK_OK, "skb mode is taken", NULL);
	facts.config.config.xdp_mode = XDP_MODE_NATIVE;
	expect_line("native-xdp", CHECK_PROBLEM, "xdp_mode = native", "skb");
	facts.netif.native_xdp = FACTS_UNKNOWN;
	expect_line("native-xdp", CHECK_OK, "not known", NULL);
	facts.config.config.xdp_mode = XDP_MODE_SKB;
	expect_line("native-xdp", CHECK_OK, "not wanted", NULL);
	facts.config.config.xdp_mode = XDP_MODE_AUTO;
	facts.netif.native_xdp = FACTS_YES;
	facts.netif.native_xdp_fragments = FACTS_NO;
	expect_all_fine();
	facts.netif.netif.mtu = 9000;
	expect_line("native-xdp", CHECK_NOTE, "9000", "mtu 1500");
}
END_TEST

START_TEST(test_xdp)
{
	facts.netif.xdp = (struct facts_program){ .id = 7, .name = "other" };
	snprintf(facts.netif.xdp_mode, sizeof(facts.netif.xdp_mode), "native");
	expect_line("xdp-programs", CHECK_PROBLEM, "other (id 7, mode native)", "ip link set dev eth0 xdp off");
	facts.config.config.use_libxdp = true;
	expect_line("xdp-programs", CHECK_PROBLEM, "other", NULL);
	snprintf(facts.netif.xdp.name, sizeof(facts.netif.xdp.name), "xdp_dispatcher");
	expect_line("xdp-programs", CHECK_OK, "dispatcher", NULL);
	facts.config.config.use_libxdp = false;
	expect_line("xdp-programs", CHECK_PROBLEM, "xdp_dispatcher", "use_libxdp");
	snprintf(facts.netif.xdp.name, sizeof(facts.netif.xdp.name), "mimic_ingress");
	expect_line("xdp-programs", CHECK_OK, "Mimic's own", NULL);
	/* without privilege there is no name */
	facts.netif.xdp.name[0] = '\0';
	expect_line("xdp-programs", CHECK_PROBLEM, "id 7", NULL);
	facts.config.running = true;
	facts.config.instance.ingress_id = 7;
	expect_line("xdp-programs", CHECK_OK, "Mimic's own", NULL);
}
END_TEST

START_TEST(test_libxdp)
{
	expect_nothing("libxdp");
	facts.config.config.use_libxdp = true;
	expect_line("libxdp", CHECK_OK, "can be used", NULL);
	facts.netif.libxdp_why = "libxdp is not installed (libxdp.so.1)";
	expect_line("libxdp", CHECK_NOTE, "but libxdp is not installed (libxdp.so.1): Mimic attaches without it", "install it");
}
END_TEST

START_TEST(test_tc)
{
	facts.netif.tc[0] = (struct facts_tc){ .ingress = true, .tcx = true, .kind = "bpf", .program = { 8, "mimic_repair" } };
	facts.netif.tc[1] = (struct facts_tc){ .kind = "bpf", .program = { 9, "mimic_egress:[9]" } };
	facts.netif.tc_count = 2;
	expect_line("tc-programs", CHECK_OK, "none but", NULL);
	facts.netif.tc[2] = (struct facts_tc){ .tcx = true, .kind = "bpf", .program = { 10, "shaper" } };
	facts.netif.tc[3] = (struct facts_tc){ .ingress = true, .kind = "flower" };
	facts.netif.tc_count = 4;
	expect_line("tc-programs", CHECK_NOTE, "on the egress side: tcx, shaper (id 10)", "bpftool net show dev eth0");
	expect_line("tc-programs", CHECK_NOTE, "on the ingress side: clsact, flower", "tc filter show dev eth0 ingress");
}
END_TEST

START_TEST(test_qdisc)
{
	snprintf(facts.netif.qdisc, sizeof(facts.netif.qdisc), "ingress");
	expect_line("qdisc", CHECK_OK, "not needed", NULL);
	facts.netif.tcx = FACTS_NO;
	expect_line("qdisc", CHECK_PROBLEM, "ingress", "tc qdisc add dev eth0 clsact");
	facts.netif.tcx = FACTS_UNKNOWN;
	expect_line("qdisc", CHECK_NOTE, "ingress", "root");
	facts.netif.tcx = FACTS_NO;
	snprintf(facts.netif.qdisc, sizeof(facts.netif.qdisc), "clsact");
	expect_line("qdisc", CHECK_OK, "clsact is there", NULL);
	facts.netif.qdisc[0] = '\0';
	expect_line("qdisc", CHECK_OK, "will add", NULL);
}
END_TEST

START_TEST(test_offloads)
{
	devices[0] = (struct facts_device){ .name = "eth1", .below = true, .gro = FACTS_YES };
	devices[1] = (struct facts_device){ .name = "eth2", .gro = FACTS_YES, .lro = FACTS_YES };
	facts.netif.device_count = 2;
	expect_all_fine(); /* native XDP is in front of GRO */
	facts.config.config.xdp_mode = XDP_MODE_SKB;
	expect_line("offloads", CHECK_NOTE, "eth1", "ethtool -K eth1 gro off");
	expect(!find("offloads", "eth2"));
	devices[0].gro = FACTS_NO;
	expect_all_fine();
	devices[0].lro = FACTS_YES;
	facts.config.config.xdp_mode = XDP_MODE_AUTO;
	facts.netif.native_xdp = FACTS_UNKNOWN;
	expect_line("offloads", CHECK_NOTE, "LRO", "lro off");
	facts.netif.native_xdp = FACTS_YES;
	facts.netif.udp_gro_forwarding = FACTS_YES;
	expect_line("offloads", CHECK_NOTE, "rx-udp-gro-forwarding", "ethtool -K eth0");
}
END_TEST

START_TEST(test_mtu)
{
	expect_line("mtu", CHECK_OK, "1428 over IPv4, 1408 over IPv6", NULL);
	facts.config.config.settings = (struct settings_patch){ .given = SETTINGS_PADDING, .value.padding = PADDING_RANDOM };
	expect_line("mtu", CHECK_OK, "1418 over IPv4, 1398 over IPv6", NULL);
	facts.config.config.settings.given = 0;
	facts.netif.netif.mtu = 1279;
	expect_line("mtu", CHECK_PROBLEM, "IPv6", "mtu 1500");
	expect_eq(report.problems, 1);
	give("remote=192.0.2.7:443");
	expect_line("mtu", CHECK_OK, "1279", NULL); /* no IPv6 there */
	facts.netif.netif.mtu = 1240;
	expect_line("mtu", CHECK_OK, "1240", NULL);
	facts.netif.netif.mtu = 1239;
	expect_line("mtu", CHECK_PROBLEM, "QUIC over IPv4", NULL);
	give("remote=192.0.2.7:444,padding=16");
	facts.netif.netif.mtu = 1255;
	expect_line("mtu", CHECK_PROBLEM, "1256 as TCP with the padding", NULL);
	facts.netif.netif.mtu = 65536;
	expect_line("mtu", CHECK_NOTE, "9600", NULL);
}
END_TEST

START_TEST(test_wireguard)
{
	devices[0] = (struct facts_device){ .name = "wg0", .kind = "wireguard", .mtu = 1408 };
	devices[1] = (struct facts_device){ .name = "wg1", .kind = "bridge", .mtu = 1500 };
	facts.netif.device_count = 2;
	expect_line("wireguard", CHECK_OK, "wg0", NULL);
	devices[0].mtu = 1420;
	expect_line("wireguard", CHECK_NOTE, "wg0 has an MTU of 1420: over eth0 its larger packets over IPv6 cannot be carried", "ip link set wg0 mtu 1408");
	give("remote=192.0.2.7:51820");
	expect_line("wireguard", CHECK_OK, "wg0", NULL);
	devices[0].mtu = 1429;
	expect_line("wireguard", CHECK_NOTE, "at most 1428", "ip link set wg0 mtu 1428");
	give("remote=192.0.2.7:51821,padding=4");
	devices[0].mtu = 1428;
	expect_line("wireguard", CHECK_NOTE, "at most 1424", "mtu 1424");
}
END_TEST

static void set_rules(const char *text)
{
	json_decref(facts.firewall.rules);
	facts.firewall.rules = json_loads(text, 0, NULL);
	expect(facts.firewall.rules);
}

START_TEST(test_firewall)
{
	set_rules("{\"nftables\":[{\"chain\":{\"family\":\"netdev\",\"table\":\"t\",\"name\":\"e\",\"hook\":\"egress\",\"dev\":\"eth0\"}}]}");
	expect_line("nft-netdev", CHECK_NOTE, "t e", "UDP and TCP");
	give("local=192.0.2.1:5000");
	give("remote=192.0.2.9:6000");
	listen_on("192.0.2.1", 5000, false);
	expect_line("firewall", CHECK_OK, "port 5000, 6000", NULL);
	set_rules("{\"nftables\":[{\"chain\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"in\",\"type\":\"filter\",\"hook\":\"input\","
		  "\"policy\":\"drop\"}}]}");
	expect_line("firewall", CHECK_PROBLEM, "the chain inet t in drops UDP that comes back from port 6000 over IPv4",
		    "nft insert rule inet t in ct state established accept");
	expect(!find("firewall", "comes back from port 5000"));
	expect_line("firewall", CHECK_PROBLEM, "the chain inet t in drops UDP that comes in for port 5000", "nft insert rule inet t in udp dport 5000 accept");
	set_rules("{\"nftables\":[{\"chain\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"in\",\"type\":\"filter\",\"hook\":\"input\","
		  "\"policy\":\"drop\"}},{\"rule\":{\"family\":\"inet\",\"table\":\"t\",\"chain\":\"in\",\"expr\":[{\"match\":{\"op\":\"in\","
		  "\"left\":{\"ct\":{\"key\":\"state\"}},\"right\":[\"established\"]}},{\"accept\":null}]}}]}");
	expect_line("firewall", CHECK_NOTE, "unless this host sent first", NULL);
	expect(!find("firewall", "comes back"));
	set_rules("{\"nftables\":[{\"chain\":{\"family\":\"ip\",\"table\":\"t\",\"name\":\"out\",\"type\":\"filter\",\"hook\":\"output\","
		  "\"policy\":\"drop\"}}]}");
	expect_line("firewall", CHECK_PROBLEM, "goes out to port 6000", "ip t out");
	expect(!find("firewall", "5000"));
	json_decref(facts.firewall.rules);
	facts.firewall.rules = NULL;
	snprintf(facts.firewall.error, sizeof(facts.firewall.error), "nft ended with status 1");
	expect_line("nft-netdev", CHECK_NOTE, "status 1", NULL);
	facts.firewall.nft = false;
	expect_line("nft-netdev", CHECK_OK, "no nft", NULL);
	/* What nft does not know, it need not be there for. */
	expect(!find("firewall", "legacy"));
	facts.firewall.legacy_ipv6 = true;
	expect_line("firewall", CHECK_NOTE, "iptables-legacy for IPv6, whose rules are not looked at", "`ip6tables-legacy-save`");
	facts.firewall.legacy_ipv4 = true;
	expect_line("firewall", CHECK_NOTE, "iptables-legacy for IPv4 and IPv6,", "`iptables-legacy-save`");
}
END_TEST

START_TEST(test_config)
{
	struct facts_message messages[] = { { LOG_LEVEL_ERROR, (char *)"x.conf:1: bad" }, { LOG_LEVEL_WARN, (char *)"odd" } };

	facts.config.messages = messages;
	facts.config.message_count = 2;
	facts.config.read = FACTS_NO;
	expect_line("configuration", CHECK_PROBLEM, "x.conf:1: bad", NULL);
	expect_line("configuration", CHECK_NOTE, "odd", NULL);
	facts.config.message_count = 0;
	facts.config.read = FACTS_YES;
	snprintf(facts.config.path, sizeof(facts.config.path), "x.conf");
	expect_line("configuration", CHECK_OK, "x.conf has no error", NULL);
	facts.config.read = FACTS_UNKNOWN;
	expect_line("configuration", CHECK_OK, "not looked at", NULL);
}
END_TEST

START_TEST(test_instance)
{
	facts.config.running = true;
	facts.config.instance = (struct run_info){ .version = PACKAGE_VERSION, .pid = 4711 };
	expect_line("instance", CHECK_OK, "process 4711", NULL);
	snprintf(facts.config.instance.version, sizeof(facts.config.instance.version), "0.7.1");
	expect_line("instance", CHECK_NOTE, "0.7.1", "start it again");
	/* its padding counts when its filters do */
	facts.config.of_instance = true;
	facts.config.instance.settings.padding = 4;
	expect_line("mtu", CHECK_OK, "1424 over IPv4", NULL);
}
END_TEST

START_TEST(test_filters)
{
	give("local=192.0.2.1:5000");
	give("local=0.0.0.0:5001");
	listen_on("0.0.0.0", 5000, false);
	listen_on("0.0.0.0", 5001, false);
	expect_all_fine();
	give("local=192.0.2.2:5002");
	give("local=[::]:5003");
	expect_line("filters", CHECK_NOTE, "local=192.0.2.2:5002: eth0 has no such address", NULL);
	expect_line("filters", CHECK_NOTE, "local=[::]:5003 matches nothing: eth0 has no IPv6", "ip address add");
	expect_line("udp-sockets", CHECK_NOTE, "local=192.0.2.2:5002: no program listens", "ss -lun");
	/* a wildcard stands for the interface's addresses */
	listen_on("127.0.0.1", 5001, true);
	expect_line("tcp-sockets", CHECK_OK, "no TCP", NULL);
	listen_on("192.0.2.1", 5000, true);
	expect_line("tcp-sockets", CHECK_PROBLEM, "local=192.0.2.1:5000: a TCP server", "ss -ltnp");
	expect_eq(report.problems, 1);
	facts.config.sockets_known = false;
	judge();
	expect(!find("tcp-sockets", "") && !find("udp-sockets", ""));
}
END_TEST

START_TEST(test_sockets_once)
{
	size_t lines = 0;

	/* both families of one line, of which one is as it should be; and of another, of which none is */
	give("local=:5004");
	listen_on("0.0.0.0", 5004, false);
	give("local=:5005");
	listen_on("0.0.0.0", 5005, true);
	judge();
	for (size_t i = 0; i < report.count; i++)
		lines += !strcmp(report.lines[i].item, "udp-sockets");
	expect_eq(lines, 2);
	expect_line("udp-sockets", CHECK_NOTE, "local=[::]:5004: no program", NULL);
	expect_line("udp-sockets", CHECK_NOTE, "local=0.0.0.0:5005: no program", NULL);
	expect_line("tcp-sockets", CHECK_PROBLEM, "local=0.0.0.0:5005: a TCP server", NULL);
}
END_TEST

/* A program at the port of a filter, on addresses that no filter names: once for each family. */
START_TEST(test_unnamed_ends)
{
	struct addr more[5] = { ipv4("192.0.2.1"), ipv4("192.0.2.7"), ipv4("192.0.2.8") };

	expect(inet_pton(AF_INET6, "fe80::1", &more[3]) == 1);
	expect(inet_pton(AF_INET6, "2001:db8::1", &more[4]) == 1);
	facts.netif.netif.addrs = more;
	facts.netif.netif.addr_count = 4;
	give("local=192.0.2.1:5000");
	listen_on("192.0.2.1", 5000, false);
	listen_on("192.0.2.7", 5001, false); /* another port */
	expect_all_fine();
	listen_on("0.0.0.0", 5000, false);
	expect_line("udp-sockets", CHECK_NOTE, "no filter is local=192.0.2.7:5000:", "local=:5000 for every address of eth0");
	expect(!find("udp-sockets", "192.0.2.8") && !find("udp-sockets", "fe80"));
	expect_eq(report.problems, 0);
	give("local=192.0.2.0/28:5000");
	expect_all_fine();
	memset(&facts.config.sockets.entries[0].addr, 0, sizeof(struct addr)); /* now [::] */
	expect_all_fine();
	facts.netif.netif.addr_count = 5;
	expect_line("udp-sockets", CHECK_NOTE, "no filter is local=[2001:db8::1]:5000:", NULL);
	give("local=[::]:5000");
	expect_all_fine();
}
END_TEST

START_TEST(test_udp_guard)
{
	expect_nothing("udp-guard");
	settings_parse(&facts.config.config.settings, "udp", "drop", NULL);
	expect_nothing("udp-guard"); /* without a filter */
	give("remote=192.0.2.1:5,udp=pass");
	expect_nothing("udp-guard");
	give("remote=192.0.2.2:5");
	expect_line("udp-guard", CHECK_NOTE, "eth0 has none", "systemctl enable --now mimic-guard@eth0");
	snprintf(facts.netif.qdisc, sizeof(facts.netif.qdisc), "ingress");
	expect_line("udp-guard", CHECK_PROBLEM, "eth0 has ingress", "tc qdisc add dev eth0 clsact");
	facts.netif.qdisc[0] = '\0';
	facts.config.running = true;
	expect_line("udp-guard", CHECK_PROBLEM, "somebody has removed the guard from eth0", "systemctl restart mimic@eth0");
	facts.netif.tc[0] = (struct facts_tc){ .kind = "bpf", .program = { 8, "mimic_udpguard:[8]" } };
	facts.netif.tc_count = 1;
	facts.netif.guard_dropped = 7;
	expect_line("udp-guard", CHECK_OK, "dropped 7 datagrams", NULL);
	settings_parse(&facts.config.config.settings, "udp", "pass", NULL);
	expect_line("udp-guard", CHECK_NOTE, "no filter has udp=drop", "mimic stop --open eth0");
}
END_TEST

START_TEST(test_overlaps)
{
	give("local=0.0.0.0:5000");
	give("local=192.0.2.1:5000");
	expect_line("overlaps", CHECK_OK, "no two", NULL); /* the same settings */
	give("remote=192.0.2.9:6000");
	expect_line("overlaps", CHECK_OK, "no two", NULL);
	facts.config.config.place = (struct filter_place){ .path = "a.conf", .line = 9 };
	give("local=192.0.2.1:5000,padding=3");
	expect_line("overlaps", CHECK_NOTE, "local=192.0.2.1, port 5000, is given twice (--filter, a.conf:9)", NULL);
	expect_line("overlaps", CHECK_NOTE, "local=0.0.0.0:5000 (--filter) covers local=192.0.2.1:5000 (a.conf:9)", NULL);
	expect_line("overlaps", CHECK_NOTE, "a flow from local=192.0.2.1:5000 (a.conf:9) to remote=192.0.2.9:6000 (--filter) matches both",
		    "the same settings");
}
END_TEST

/* Those of the filters, in their order. */
static struct facts_route routes[4];

START_TEST(test_routes)
{
	give("remote=192.0.2.9:5000");
	expect_nothing("routes"); /* not known */
	facts.routes = routes;
	memset(routes, 0, sizeof(routes));
	expect_nothing("routes"); /* nobody could be asked */
	routes[0] = (struct facts_route){ .asked = true, .ifindex = 2 };
	expect_line("routes", CHECK_OK, "leave by eth0", NULL);
	devices[0] = (struct facts_device){ .ifindex = 3, .name = "wlan0" };
	devices[1] = (struct facts_device){ .ifindex = 4, .name = "br0", .above = true };
	facts.netif.device_count = 2;
	routes[0].ifindex = 4;
	expect_line("routes", CHECK_OK, "leave by eth0", NULL);
	routes[0].ifindex = 3;
	expect_line("routes", CHECK_NOTE, "remote=192.0.2.9:5000: packets there leave by wlan0, not by eth0", "run Mimic on wlan0");
	give("local=192.0.2.1:5001"); /* its own */
	routes[1] = (struct facts_route){ .asked = true, .local = true, .ifindex = 1 };
	give("remote=192.0.2.10:5000");
	routes[2] = routes[0];
	expect_line("routes", CHECK_NOTE, "remote=192.0.2.9:5000 and 1 more: packets there", NULL);
	expect(!find("routes", "192.0.2.10"));
	routes[0] = routes[1];
	routes[2] = (struct facts_route){ .asked = true, .error = -ENETUNREACH };
	expect_line("routes", CHECK_NOTE, "remote=192.0.2.9:5000: that is an address of this host", "local=");
	expect_line("routes", CHECK_NOTE, "remote=192.0.2.10:5000: this host has no route", "ip route");
}
END_TEST

START_TEST(test_forwarded)
{
	set_rules("{\"nftables\":[{\"chain\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"fwd\",\"type\":\"filter\",\"hook\":"
		  "\"forward\",\"prio\":0,\"policy\":\"drop\"}}]}");
	give("local=192.0.2.1:5000"); /* its own */
	give("local=198.51.100.1:5001");
	facts.routes = routes;
	memset(routes, 0, sizeof(routes));
	routes[0] = (struct facts_route){ .asked = true, .local = true };
	routes[1] = (struct facts_route){ .asked = true, .ifindex = 3 };
	expect_line("firewall", CHECK_OK, "5000, 5001", NULL); /* this host is no router */
	facts.firewall.forwards_ipv6 = true;
	expect_line("firewall", CHECK_OK, "5000, 5001", NULL);
	facts.firewall.forwards_ipv4 = true;
	expect_line("firewall", CHECK_PROBLEM, "the chain inet t fwd drops UDP that is forwarded to port 5001 over IPv4",
		    "nft insert rule inet t fwd udp dport 5001 accept");
	expect(!find("firewall", "5000"));
	routes[1].error = -ENETUNREACH;
	expect_line("firewall", CHECK_OK, "5000, 5001", NULL);
	routes[1] = routes[0];
	expect_line("firewall", CHECK_OK, "5000, 5001", NULL);
	give("remote=198.51.100.9:5002"); /* for programs of this host, most likely */
	expect_line("firewall", CHECK_OK, "5002", NULL);
	give("remote=198.51.100.0/24:5003");
	expect_line("firewall", CHECK_NOTE, "forwarded to port 5003", "nothing, if the programs run on this host");
}
END_TEST

#define RULES_ZONE                                                                                                                   \
	"{\"nftables\":[{\"chain\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"raw\",\"type\":\"filter\",\"hook\":\"output\","             \
	"\"prio\":-300,\"policy\":\"accept\"}},{\"rule\":{\"family\":\"inet\",\"table\":\"t\",\"chain\":\"raw\",\"expr\":[{\"match\":{\"op\":" \
	"\"==\",\"left\":{\"payload\":{\"protocol\":\"udp\",\"field\":\"dport\"}},\"right\":5000}},{\"mangle\":{\"key\":{\"ct\":{\"key\":"       \
	"\"zone\"}},\"value\":7}}]}}"
#define RULES_CT                                                                                                                     \
	"{\"nftables\":[{\"chain\":{\"family\":\"ip\",\"table\":\"raw\",\"name\":\"PREROUTING\",\"type\":\"filter\",\"hook\":\"prerouting\"," \
	"\"prio\":-300,\"policy\":\"accept\"}},{\"rule\":{\"family\":\"ip\",\"table\":\"raw\",\"chain\":\"PREROUTING\",\"expr\":[{\"xt\":"   \
	"{\"type\":\"target\",\"name\":\"CT\"}}]}}"
#define RULES_INPUT                                                                                                                  \
	",{\"chain\":{\"family\":\"inet\",\"table\":\"t\",\"name\":\"in\",\"type\":\"filter\",\"hook\":\"input\",\"prio\":0,\"policy\":"      \
	"\"drop\"}},{\"rule\":{\"family\":\"inet\",\"table\":\"t\",\"chain\":\"in\",\"expr\":[{\"match\":{\"op\":\"in\",\"left\":{\"ct\":"    \
	"{\"key\":\"state\"}},\"right\":[\"established\",\"related\"]}},{\"accept\":null}]}}"

START_TEST(test_zones)
{
	give("remote=192.0.2.9:5000");
	give("remote=192.0.2.10:5000");
	expect_line("conntrack", CHECK_OK, "no rule", NULL);
	set_rules(RULES_ZONE "]}");
	expect_line("conntrack", CHECK_NOTE, "goes out to port 5000 over IPv4 is in zone 7, what comes in in zone 0", "one zone");
	expect_eq(report.problems, 0);
	set_rules(RULES_ZONE RULES_INPUT "]}");
	expect_line("conntrack", CHECK_PROBLEM, "is in zone 7, what comes back in zone 0: so the chain inet t in drops that",
		    "nft insert rule inet t in udp sport 5000 accept");
	expect_eq(report.problems, 1); /* for both filters */
	set_rules(RULES_CT "]}");
	expect_line("conntrack", CHECK_NOTE, "the chain ip raw PREROUTING has a rule of iptables for UDP of port 5000 over IPv4 with the target CT",
		    "iptables -t raw -S");
	expect(!find("conntrack", "no rule"));
	json_decref(facts.firewall.rules);
	facts.firewall.rules = NULL;
	expect_nothing("conntrack");
}
END_TEST

/* As many as there may be, within the time limit of a test: pairs of them must cost little. */
START_TEST(test_thousands)
{
	struct filter_list *list = &facts.config.filters;

	list->items = calloc(MIMIC_FILTERS_MAX, sizeof(*list->items));
	for (uint32_t i = 0; i < MIMIC_FILTERS_MAX; i++) {
		struct filter *filter = &list->items[list->count++];

		filter->key = (struct filter_key){ .port = htons(5000), .origin = i % 64 ? ORIGIN_REMOTE : ORIGIN_LOCAL };
		addr_from_ipv4(&filter->key.addr, htonl(0x0a000000 + i));
		filter->prefix_len = ADDR_BITS;
	}
	expect_line("overlaps", CHECK_OK, "no two", NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("check");
	TCase *tcase = tcase_create("check");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_fine);
	tcase_add_test(tcase, test_kernel);
	tcase_add_test(tcase, test_options);
	tcase_add_test(tcase, test_option_lines);
	tcase_add_test(tcase, test_btf_and_jit);
	tcase_add_test(tcase, test_privileges);
	tcase_add_test(tcase, test_containers);
	tcase_add_test(tcase, test_programs);
	tcase_add_test(tcase, test_lockdown);
	tcase_add_test(tcase, test_module_and_level);
	tcase_add_test(tcase, test_interface);
	tcase_add_test(tcase, test_link_type);
	tcase_add_test(tcase, test_native_xdp);
	tcase_add_test(tcase, test_xdp);
	tcase_add_test(tcase, test_libxdp);
	tcase_add_test(tcase, test_tc);
	tcase_add_test(tcase, test_qdisc);
	tcase_add_test(tcase, test_sockets_once);
	tcase_add_test(tcase, test_unnamed_ends);
	tcase_add_test(tcase, test_udp_guard);
	tcase_add_test(tcase, test_offloads);
	tcase_add_test(tcase, test_mtu);
	tcase_add_test(tcase, test_wireguard);
	tcase_add_test(tcase, test_firewall);
	tcase_add_test(tcase, test_config);
	tcase_add_test(tcase, test_instance);
	tcase_add_test(tcase, test_filters);
	tcase_add_test(tcase, test_overlaps);
	tcase_add_test(tcase, test_routes);
	tcase_add_test(tcase, test_forwarded);
	tcase_add_test(tcase, test_zones);
	tcase_add_test(tcase, test_thousands);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
