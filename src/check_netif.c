// SPDX-License-Identifier: GPL-2.0-only
/* The interface: what is on it already, and what passes through it. */
#include <errno.h>
#include <string.h>

#include "checks.h"

enum {
	CHECK_IPV4_TCP = 20 + 20, /* bytes of the headers in front of a datagram that travels as a segment */
	CHECK_IPV6_TCP = 40 + 20,
	CHECK_WIREGUARD = 32,	  /* of WireGuard around one of its packets */
	CHECK_QUIC = 1200,	  /* bytes of a datagram that QUIC has to be able to send (RFC 9000, 14) */
	CHECK_IPV6_MTU = 1280,	  /* the least with IPv6 (RFC 8200, 5) */
	CHECK_PAGE = 3000,	  /* an MTU that fits native XDP without fragments, whatever the driver */
};

/* Ours have such names, and nobody else's are taken for them that matter. */
static bool check_is_ours(const struct facts_program *program)
{
	return !strncmp(program->name, "mimic_", 6);
}

static const char *check_name(const struct facts_program *program)
{
	return program->name[0] ? program->name : "of unknown name";
}

void check_netif_state(struct check_report *report, const struct facts *facts)
{
	const struct facts_netif *netif = &facts->netif;
	const char *name = facts->ifname;

	if (!name) {
		check_say(report, CHECK_OK, "none was named: only the machine is looked at (mimic check INTERFACE looks at that, too)");
	} else if (netif->error == -ENODEV) {
		check_say(report, CHECK_PROBLEM, "there is no %s", name);
		check_advise(report, "`ip link` lists the interfaces; name the one that carries the UDP packets");
	} else if (netif->error) {
		check_say(report, CHECK_PROBLEM, "%s cannot be read: %s", name, strerror(-netif->error));
	} else if (!netif->netif.up) {
		check_say(report, CHECK_PROBLEM, "%s is down", name);
		check_advise(report, "ip link set %s up", name);
	} else if (netif->carrier == FACTS_NO) {
		check_say(report, CHECK_NOTE, "%s is up, but has no link", name);
		check_advise(report, "look after its cable, or the other end; Mimic can start already");
	} else {
		check_say(report, CHECK_OK, "%s is up%s%s%s%s", name, netif->netif.driver[0] ? ", driver " : "", netif->netif.driver,
			  netif->kind[0] ? ", kind " : "", netif->kind);
	}
	if (name && !netif->error && !strcmp(netif->kind, "wireguard")) {
		check_say(report, CHECK_PROBLEM, "%s is a WireGuard interface: what it sends as UDP leaves by another one", name);
		check_advise(report, "use Mimic on the interface that carries WireGuard's UDP packets (`ip route get ADDRESS-OF-THE-PEER` names it)");
	}
}

void check_netif_link_type(struct check_report *report, const struct facts *facts)
{
	const struct netif *netif = &facts->netif.netif;
	enum link_type asked = facts->config.config.link_type;

	if (asked && netif->link_type && asked != netif->link_type) {
		check_say(report, CHECK_PROBLEM, "link_type = %s is configured, and packets of %s %s with an Ethernet header: nothing will match",
			  netif_link_type_name(asked), netif->name, netif->link_type == LINK_TYPE_ETH ? "begin" : "do not begin");
		check_advise(report, "leave link_type out");
	} else if (!asked && !netif->link_type) {
		check_say(report, CHECK_PROBLEM, "%s is of a kind that is not known (ARPHRD %u)", netif->name, netif->arphrd);
		check_advise(report, "say whether its packets begin with an Ethernet header: --link-type=eth or none");
	} else {
		check_say(report, CHECK_OK, "%s", netif_link_type_name(asked ? asked : netif->link_type));
	}
}

void check_netif_native_xdp(struct check_report *report, const struct facts *facts)
{
	const struct facts_netif *netif = &facts->netif;
	bool wanted = facts->config.config.xdp_mode == XDP_MODE_NATIVE;

	if (facts->config.config.xdp_mode == XDP_MODE_SKB) {
		check_say(report, CHECK_OK, "not wanted: xdp_mode = skb is configured");
	} else if (netif->native_xdp == FACTS_UNKNOWN) {
		check_say(report, CHECK_OK, "not known: this kernel does not tell; `mimic run` tries it, and else takes skb mode");
	} else if (netif->native_xdp == FACTS_NO) {
		check_say(report, wanted ? CHECK_PROBLEM : CHECK_OK, "the driver has none%s",
			  wanted ? ", and xdp_mode = native is configured" : ": skb mode is taken");
		if (wanted)
			check_advise(report, "leave xdp_mode out, or set it to skb");
	} else if (netif->native_xdp_fragments == FACTS_NO && netif->netif.mtu > CHECK_PAGE) {
		check_say(report, CHECK_NOTE, "the driver has it for small packets only: at an MTU of %u it may refuse, and skb mode is taken",
			  netif->netif.mtu);
		check_advise(report, "nothing, or lower the MTU (`ip link set %s mtu 1500`) if native mode is wanted", netif->netif.name);
	} else {
		check_say(report, CHECK_OK, "the driver has it");
	}
}

void check_netif_xdp(struct check_report *report, const struct facts *facts)
{
	const struct facts_netif *netif = &facts->netif;
	bool shares = !strcmp(netif->xdp.name, "xdp_dispatcher");

	if (!netif->xdp.id) {
		check_say(report, CHECK_OK, "none is on the interface");
	} else if (check_is_ours(&netif->xdp) || (facts->config.running && facts->config.instance.ingress_id == netif->xdp.id)) {
		check_say(report, CHECK_OK, "Mimic's own is on the interface (id %u, mode %s)", netif->xdp.id, netif->xdp_mode);
	} else if (shares && facts->config.config.use_libxdp) {
		check_say(report, CHECK_OK, "libxdp's dispatcher is on the interface (id %u), which takes more than one", netif->xdp.id);
	} else {
		check_say(report, CHECK_PROBLEM, "another one is on the interface: %s (id %u, mode %s)", check_name(&netif->xdp), netif->xdp.id,
			  netif->xdp_mode);
		check_advise(report, "`ip link set dev %s xdp off`, or, where a BPF link holds it, end the program that `bpftool link` names; "
				     "or share the interface by libxdp: use_libxdp = true, if the other one is attached so, too", netif->netif.name);
	}
}

void check_netif_libxdp(struct check_report *report, const struct facts *facts)
{
	const char *why = facts->netif.libxdp_why;

	if (!facts->config.config.use_libxdp)
		return;
	if (!why) {
		check_say(report, CHECK_OK, "use_libxdp = true is configured, and the library can be used");
		return;
	}
	check_say(report, CHECK_NOTE, "use_libxdp = true is configured, but %s: Mimic attaches without it, alone on the interface", why);
	check_advise(report, "install it, 1.3 or later (Debian: apt install libxdp1), or leave use_libxdp out");
}

void check_netif_tc(struct check_report *report, const struct facts *facts)
{
	const struct facts_netif *netif = &facts->netif;
	size_t others = 0;

	for (size_t i = 0; i < netif->tc_count; i++) {
		const struct facts_tc *tc = &netif->tc[i];

		if (check_is_ours(&tc->program))
			continue;
		others++;
		check_say(report, CHECK_NOTE, "another one is on the %s side: %s%s%s%s (id %u)", tc->ingress ? "ingress" : "egress",
			  tc->tcx ? "tcx, " : "clsact, ", tc->tcx ? "" : tc->kind, tc->tcx ? "" : " ", check_name(&tc->program),
			  tc->program.id);
		check_advise(report, "nothing, unless it takes Mimic's packets: what is in front and does not let go on never reaches Mimic "
				     "(`bpftool net show dev %s` and `tc filter show dev %s %s` show who is there)",
			     netif->netif.name, netif->netif.name, tc->ingress ? "ingress" : "egress");
	}
	if (!others)
		check_say(report, CHECK_OK, "none but Mimic's");
}

void check_netif_qdisc(struct check_report *report, const struct facts *facts)
{
	const struct facts_netif *netif = &facts->netif;
	const char *name = netif->netif.name;

	if (strcmp(netif->qdisc, "ingress") || netif->tcx == FACTS_YES) {
		check_say(report, CHECK_OK, "%s", netif->tcx == FACTS_YES ? "not needed: this kernel has tcx" :
						  netif->qdisc[0] ? "clsact is there" : "Mimic will add clsact where it needs it");
	} else if (netif->tcx == FACTS_UNKNOWN) {
		check_say(report, CHECK_NOTE, "ingress is in the place of clsact, which Mimic needs where the kernel has no tcx (before Linux 6.6)");
		check_advise(report, "run as root to know");
	} else {
		check_say(report, CHECK_PROBLEM, "ingress is in the place of clsact, and cannot serve egress");
		check_advise(report, "tc qdisc del dev %s ingress; tc qdisc add dev %s clsact", name, name);
	}
}

void check_netif_offloads(struct check_report *report, const struct facts *facts)
{
	const struct facts_netif *netif = &facts->netif;
	bool native = netif->native_xdp == FACTS_YES && facts->config.config.xdp_mode != XDP_MODE_SKB;
	size_t before = report->count;

	for (size_t i = 0; i < netif->device_count; i++) {
		const struct facts_device *device = &netif->devices[i];

		if (!device->below || native || (device->gro != FACTS_YES && device->lro != FACTS_YES))
			continue;
		check_say(report, CHECK_NOTE, "%s, on which %s stands, merges segments (%s) before Mimic gets them in skb mode: such are dropped "
			  "(drop_rx_merged)", device->name, netif->netif.name, device->lro == FACTS_YES ? "LRO or GRO of the hardware" : "GRO");
		check_advise(report, "`ethtool -K %s gro off lro off rx-gro-hw off`, or run Mimic on %s", device->name, device->name);
	}
	if (native && (netif->gro_list == FACTS_YES || netif->udp_gro_forwarding == FACTS_YES)) {
		check_say(report, CHECK_NOTE, "restored datagrams are merged by GRO behind Mimic (%s), and are split again where they leave",
			  netif->gro_list == FACTS_YES ? "rx-gro-list" : "rx-udp-gro-forwarding");
		check_advise(report, "nothing; if datagrams are missing, `ethtool -K %s rx-gro-list off rx-udp-gro-forwarding off`",
			     netif->netif.name);
	}
	if (report->count == before)
		check_say(report, CHECK_OK, "none that merges segments in front of Mimic");
}

static unsigned int check_tcp_bytes(bool ipv4)
{
	return ipv4 ? CHECK_IPV4_TCP : CHECK_IPV6_TCP;
}

void check_netif_mtu(struct check_report *report, const struct facts *facts)
{
	unsigned int mtu = facts->netif.netif.mtu, padding = check_padding_max(&facts->config), most = mtu > MIMIC_MTU_MAX ? MIMIC_MTU_MAX : mtu;
	size_t before = report->count;

	for (int i = 0; i < 2; i++) {
		bool ipv4 = !i;
		unsigned int least = CHECK_QUIC + check_tcp_bytes(ipv4) + padding;

		if (!ipv4 && least < CHECK_IPV6_MTU)
			least = CHECK_IPV6_MTU;
		if (mtu >= least || !check_uses_family(&facts->config, ipv4))
			continue;
		check_say(report, CHECK_PROBLEM, "%u is too small for QUIC over IPv%d, which needs datagrams of %d bytes: %u as TCP%s", mtu, ipv4 ? 4 : 6,
			  CHECK_QUIC, least, padding ? " with the padding" : "");
		check_advise(report, "ip link set %s mtu 1500, if the link carries that", facts->netif.netif.name);
	}
	if (mtu > MIMIC_MTU_MAX) {
		check_say(report, CHECK_NOTE, "%u is more than the %u that a carried packet can have", mtu, MIMIC_MTU_MAX);
		check_advise(report, "let programs send no larger datagrams than %u bytes, or lower the MTU", MIMIC_MTU_MAX - CHECK_IPV6_TCP - padding);
	}
	if (report->count == before)
		check_say(report, CHECK_OK, "%u: a WireGuard interface over it needs %u over IPv4, %u over IPv6%s", mtu,
			  most - CHECK_IPV4_TCP - CHECK_WIREGUARD - padding, most - CHECK_IPV6_TCP - CHECK_WIREGUARD - padding,
			  padding ? " (the padding is subtracted already)" : "");
}

void check_netif_wireguard(struct check_report *report, const struct facts *facts)
{
	const struct facts_netif *netif = &facts->netif;
	unsigned int padding = check_padding_max(&facts->config), most = netif->netif.mtu;
	unsigned int around = CHECK_WIREGUARD + padding, ipv4, ipv6;

	if (most > MIMIC_MTU_MAX)
		most = MIMIC_MTU_MAX;
	ipv4 = most > CHECK_IPV4_TCP + around ? most - CHECK_IPV4_TCP - around : 0;
	ipv6 = most > CHECK_IPV6_TCP + around ? most - CHECK_IPV6_TCP - around : 0;
	for (size_t i = 0; i < netif->device_count; i++) {
		const struct facts_device *device = &netif->devices[i];
		unsigned int right = check_uses_family(&facts->config, false) ? ipv6 : ipv4;

		if (strcmp(device->kind, "wireguard"))
			continue;
		if (device->mtu <= right) {
			check_say(report, CHECK_OK, "%s has an MTU of %u, which fits %s as TCP", device->name, device->mtu, netif->netif.name);
			continue;
		}
		check_say(report, CHECK_NOTE, "%s has an MTU of %u: over %s %s be carried (at most %u over IPv4, %u over IPv6)", device->name,
			  device->mtu, netif->netif.name,
			  device->mtu > ipv4 ? "its larger packets cannot" : "its larger packets over IPv6 cannot", ipv4, ipv6);
		check_advise(report, "ip link set %s mtu %u, here and at the peer, if its packets go through %s", device->name, right,
			     netif->netif.name);
	}
}
