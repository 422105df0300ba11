// SPDX-License-Identifier: GPL-2.0-only
#include "stray.h"

#include <arpa/inet.h>
#include <string.h>

#include "filter.h"
#include "log.h"
#include "netif.h"
#include "util.h"

bool stray_is_for_udp(const struct conn_key *key, const struct sockets *sockets)
{
	return sockets_find(sockets, &key->local, key->local_port, false) &&
	       !sockets_find(sockets, &key->local, key->local_port, true);
}

void stray_note(struct stray *stray, const struct mimic_stray *event)
{
	if (!stray->pending)
		stray->key = event->key;
	stray->pending = true;
}

static void stray_say(const struct conn_key *key)
{
	char local[FILTER_ENDPOINT_MAX], remote[INET6_ADDRSTRLEN];
	bool ipv4 = addr_is_ipv4(&key->remote);

	filter_print_endpoint(local, sizeof(local), &key->local, key->local_port);
	if (!inet_ntop(ipv4 ? AF_INET : AF_INET6, ipv4 ? (const void *)&key->remote.word[3] : &key->remote, remote, sizeof(remote)))
		return;
	log_warn("TCP connection attempts from %s arrive for UDP port %u, which no filter names: if that is Mimic at the other end, "
		 "add --filter=local=%s",
		 remote, ntohs(key->local_port), local);
}

void stray_tick(struct stray *stray, uint64_t now_ns)
{
	_cleanup_sockets_ struct sockets sockets = { 0 };

	if (!stray->pending)
		return;
	stray->pending = false;
	if (now_ns < stray->until_ns || sockets_read(&sockets))
		return;
	/* (What this host forwards to another one is for that one.) */
	if (!stray_is_for_udp(&stray->key, &sockets) || !netif_is_local(&stray->key.local))
		return;
	stray_say(&stray->key);
	stray->until_ns = now_ns + STRAY_SILENCE_S * 1000000000ULL;
}
