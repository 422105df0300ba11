/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ADDR:PORT on the command lines of the tools, for tool.h. A header alone, so that each tool goes on being one C file, which
 * vm/ builds static for its guests; and so without a resolver.
 */
#ifndef MIMIC_TOOLS_ADDR_H
#define MIMIC_TOOLS_ADDR_H

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static inline socklen_t addr_len(const union addr *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

/* In host order. */
static inline uint16_t addr_port(const union addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET ? a->in.sin_port : a->in6.sin6_port);
}

/* @host: IPV6 or IPV6%SCOPE, SCOPE an interface or its index; it is changed. NULL, or what is wrong. */
static inline const char *addr_parse_ipv6(union addr *a, char *host)
{
	char *scope = strchr(host, '%');

	if (scope) {
		*scope++ = '\0';
		a->in6.sin6_scope_id = if_nametoindex(scope);
		if (!a->in6.sin6_scope_id)
			a->in6.sin6_scope_id = (uint32_t)strtoul(scope, NULL, 10);
		if (!a->in6.sin6_scope_id)
			return "bad scope";
	}
	return inet_pton(AF_INET6, host, &a->in6.sin6_addr) == 1 ? NULL : "bad IPv6 address";
}

/* Fills *@a from IPV4:PORT or [IPV6%SCOPE]:PORT. Returns NULL, or what is wrong with @text. */
static inline const char *addr_parse(union addr *a, const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	char host[80], *end;
	unsigned long port;

	memset(a, 0, sizeof(*a));
	if (!len || len >= sizeof(host))
		return "want ADDR:PORT or [IPV6]:PORT";
	port = strtoul(colon + 1, &end, 10);
	if (*end || end == colon + 1 || port > 65535)
		return "bad port";
	memcpy(host, text, len);
	host[len] = '\0';
	if (host[0] != '[') {
		a->in.sin_family = AF_INET;
		a->in.sin_port = htons((uint16_t)port);
		return inet_pton(AF_INET, host, &a->in.sin_addr) == 1 ? NULL : "bad IPv4 address";
	}
	if (host[len - 1] != ']')
		return "missing ]";
	host[len - 1] = '\0';
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_port = htons((uint16_t)port);
	return addr_parse_ipv6(a, host + 1);
}

#endif
