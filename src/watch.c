// SPDX-License-Identifier: GPL-2.0-only
#include "watch.h"

#include "util.h"

static const struct {
	enum reason reason;
	const char *remedy;
} causes[] = {
	{ REASON_DROP_FRAGMENT, "let programs send datagrams that fit the MTU of the interface, less 12 bytes and the padding" },
	{ REASON_DROP_RX_FRAGMENT, "let the peer send smaller datagrams; for WireGuard, lower the MTU of its interface on both hosts" },
	{ REASON_DROP_RX_MERGED, "`ethtool -K DEVICE gro off` with the device below this interface, or run Mimic on that one" },
	{ REASON_DROP_STAGING, "programs that hand over many datagrams at once (UDP GSO) are faster than this machine can split them" },
	{ REASON_DROP_NO_STAGING, "`modprobe veth`, then start Mimic again, or switch UDP GSO off in the program that sends" },
	{ REASON_DROP_RX_PADDING, "set the same padding on both hosts" },
	{ REASON_DROP_RX_RESTORE, "start Mimic with --xdp-mode=skb, if it is not in that mode already" },
	{ REASON_DROP_RX_CHECKSUM, "something on the path damages segments, or changes them and does it wrong: compare captures of both hosts (tcpdump -vv)" },
	{ REASON_DROP_HALF_OPEN, "limit the SYNs in front of this host; a kernel with CONFIG_SYN_COOKIES answers more of them" },
	{ REASON_DROP_HOLD_FAILED, "the daemon does not keep up: give it more CPU time (nice, CPUWeight=)" },
	{ REASON_EVENT_LOST, "the daemon does not keep up: give it more CPU time (nice, CPUWeight=)" },
	{ REASON_DROP_NO_CONN, "the table of connections is full" },
	{ REASON_DROP_PASSIVE, "this side has handshake=0: and never begins a connection: the peer has to, so it must not have handshake=0: as well" },
	{ REASON_DROP_HOLD_FULL, "the peer takes long to answer, or programs send much before it does; once it has answered nothing waits" },
	{ REASON_DROP_WINDOW, "the peer acknowledges nothing: see whether its segments arrive (`mimic stats`, tcpdump), and whether it is overloaded" },
	{ REASON_DROP_RX_UDP, "start Mimic at the peer, with a filter for that port; a peer without it may be a stranger" },
	{ REASON_RX_REFUSED, "start Mimic at the peer, with a filter for that port" },
};

_Static_assert(ARRAY_SIZE(causes) == WATCH_CAUSES, "struct watch has one entry for each");

void watch_begin(struct watch *watch, watch_read read, void *context)
{
	*watch = (struct watch){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		watch->cause[i].count = read(context, causes[i].reason);
}

void watch_tick(struct watch *watch, uint64_t now_ns, watch_read read, watch_say say, void *context)
{
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++) {
		uint64_t count;

		if (now_ns < watch->cause[i].until_ns)
			continue;
		count = read(context, causes[i].reason);
		if (count <= watch->cause[i].count)
			continue;
		say(context, causes[i].reason, count - watch->cause[i].count, causes[i].remedy);
		watch->cause[i].count = count;
		watch->cause[i].until_ns = now_ns + WATCH_SILENCE_S * 1000000000ULL;
	}
}
