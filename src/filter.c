/* SPDX-License-Identifier: GPL-2.0-only */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "filter.h"

enum {
	SPEC_TEXT_MAX = 1024,
	PORT_MAX = 65535,
};

static const char *const origins[] = { [ORIGIN_LOCAL] = "local", [ORIGIN_REMOTE] = "remote" };

const char *filter_origin_name(enum filter_origin origin)
{
	return origins[origin];
}

/* Cuts the blanks at both ends, the latter ones in place. */
static char *trim(char *text)
{
	size_t length;

	text += strspn(text, " \t");
	length = strlen(text);
	while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
		length--;
	text[length] = '\0';
	return text;
}

/* Decimal digits alone, and no more than @max. */
static bool parse_number(unsigned long *number, const char *text, unsigned long max)
{
	const char *p;

	*number = 0;
	for (p = text; *p >= '0' && *p <= '9' && *number <= max; p++)
		*number = *number * 10 + (unsigned long)(*p - '0');
	return *text && !*p && *number <= max;
}

static int parse_port(uint16_t *port, const char *text, struct parse_error *error)
{
	unsigned long number;

	if (!parse_number(&number, text, PORT_MAX) || !number)
		return settings_refuse(
			error, "port '%.40s' is wrong; expected a number from 1 to 65535", text);
	*port = (uint16_t)number;
	return 0;
}

static void print_addr(char *text, const struct addr *addr)
{
	if (addr_is_ipv4(addr))
		inet_ntop(AF_INET, &addr->word[3], text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, addr->word, text, INET6_ADDRSTRLEN);
}

/* The length of a prefix as one writes it. */
static unsigned int written_len(const struct addr *addr, unsigned int len)
{
	return addr_is_ipv4(addr) ? len - ADDR_IPV4_BITS : len;
}

/* Zeroes what lies behind the first @len bits. */
static void addr_cut(struct addr *addr, unsigned int len)
{
	uint8_t *byte = (uint8_t *)addr;
	unsigned int i;

	for (i = len / 8; i < sizeof(*addr); i++)
		byte[i] &= i == len / 8 ? (uint8_t)(0xff00 >> len % 8) : 0;
}

/* @text: the length that follows the address of @spec, or NULL. */
static int parse_prefix(struct filter_spec *spec, const char *text, struct parse_error *error)
{
	unsigned long number, most = spec->family == AF_INET ? ADDR_BITS - ADDR_IPV4_BITS : ADDR_BITS;
	char expected[INET6_ADDRSTRLEN];
	struct addr addr, cut;
	unsigned int len;
	bool mapped;

	if (!text)
		return 0;
	if (!filter_spec_addr(spec, &addr))
		return settings_refuse(error, "only an address takes a prefix length, and '%.80s' is none", spec->host);
	if (!parse_number(&number, text, most))
		return settings_refuse(error, "prefix length '%.40s' is wrong; expected a number from 0 to %lu", text, most);
	len = (unsigned int)(ADDR_BITS - most + number);
	mapped = spec->family == AF_INET6 && addr_is_ipv4(&addr);
	if (mapped && len < ADDR_IPV4_BITS)
		len = ADDR_IPV4_BITS;
	cut = addr;
	addr_cut(&cut, len);
	print_addr(expected, &cut);
	if (mapped)
		return settings_refuse(error, "%.60s/%lu is a prefix of IPv4-mapped addresses; expected that of IPv4, %s/%u",
				       spec->host, number, expected, written_len(&cut, len));
	if (memcmp(&cut, &addr, sizeof(cut)))
		return settings_refuse(error, "%.60s/%lu has bits set behind its first %lu; expected %s/%u", spec->host, number,
				       number, expected, written_len(&cut, len));
	spec->prefix_len = (uint8_t)len;
	return 0;
}

/* What stood in the brackets: address, maybe with %scope. */
static int parse_ipv6_host(struct filter_spec *spec, char *host, struct parse_error *error)
{
	char *scope = strchr(host, '%');
	struct in6_addr addr;

	if (scope)
		*scope++ = '\0';
	if (inet_pton(AF_INET6, host, &addr) != 1)
		return settings_refuse(error, "'%.80s' in square brackets is no IPv6 address",
				       host);
	if (scope) {
		if (!IN6_IS_ADDR_LINKLOCAL(&addr))
			return settings_refuse(
				error,
				"only link-local addresses (fe80::) take a scope, '%.60s' does not",
				host);
		if (!*scope || strlen(scope) >= sizeof(spec->scope))
			return settings_refuse(
				error,
				"scope '%.40s' is wrong; expected an interface name or index",
				scope);
		strcpy(spec->scope, scope);
	}
	spec->family = AF_INET6;
	strcpy(spec->host, host);
	return 0;
}

static int refuse_remote_wildcard(struct parse_error *error)
{
	return settings_refuse(
		error,
		"a remote end cannot be a wildcard; expected the peer's address or name, or a prefix (0.0.0.0/0 and [::/0]: every peer)");
}

static int parse_other_host(struct filter_spec *spec, const char *host, struct parse_error *error)
{
	struct in_addr addr;
	const char *p;

	if (!*host && spec->origin == ORIGIN_REMOTE)
		return refuse_remote_wildcard(error);
	if (!*host) {
		spec->wildcard = true;
		return 0;
	}
	if (strlen(host) >= sizeof(spec->host))
		return settings_refuse(error, "the host name is longer than %zu characters",
				       sizeof(spec->host) - 1);
	strcpy(spec->host, host);
	if (inet_pton(AF_INET, host, &addr) == 1) {
		spec->family = AF_INET;
		return 0;
	}
	if (strspn(host, "0123456789.") == strlen(host))
		return settings_refuse(error, "'%.80s' is no IPv4 address", host);
	for (p = host; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("-._", *p))
			return settings_refuse(
				error, "'%.80s' is no host name; expected an address or a name",
				host);
	}
	spec->family = AF_UNSPEC;
	return 0;
}

/*
 * Cuts @text, ADDRESS:PORT or [ADDRESS]:PORT, in place. *@len is what stood behind a slash, inside the brackets or behind
 * them, or NULL; *@ipv6 whether there were brackets.
 */
static int cut_endpoint(char *text, char **host, char **len, char **port, bool *ipv6, struct parse_error *error)
{
	char *close = strchr(text, ']'), *rest = text;

	*ipv6 = *text == '[';
	*host = text + *ipv6;
	if (*ipv6) {
		if (!close)
			return settings_refuse(
				error, "'%.80s' lacks the closing bracket; expected [ADDRESS]:PORT",
				text);
		*close = '\0';
		rest = close + 1;
		if (*rest && *rest != ':' && *rest != '/')
			return settings_refuse(
				error, "'%.40s' after the bracket; expected [ADDRESS]:PORT", rest);
	}
	*port = strchr(rest, ':');
	if (!*ipv6 && *port && strchr(*port + 1, ':'))
		return settings_refuse(
			error,
			"IPv6 addresses stand in square brackets; expected [ADDRESS]:PORT, not '%.80s'",
			text);
	if (!*port)
		return settings_refuse(error, "no port after '%.80s'; expected %s:PORT", *host, *ipv6 ? "[ADDRESS]" : "ADDRESS");
	*(*port)++ = '\0';
	*len = strchr(*host, '/');
	if (*len && *ipv6 && *rest == '/')
		return settings_refuse(error, "two prefix lengths, in the brackets and behind them; expected [PREFIX/LENGTH]:PORT");
	if (!*len && *rest == '/')
		*len = rest;
	if (*len)
		*(*len)++ = '\0';
	return 0;
}

static int parse_endpoint(struct filter_spec *spec, char *text, struct parse_error *error)
{
	char *host, *len = NULL, *port = NULL;
	bool ipv6;
	int err;

	err = cut_endpoint(text, &host, &len, &port, &ipv6, error);
	if (!err)
		err = ipv6 ? parse_ipv6_host(spec, host, error) : parse_other_host(spec, host, error);
	if (!err)
		err = parse_prefix(spec, len, error);
	return err ? err : parse_port(&spec->port, port, error);
}

/* One `key=value` after the endpoint. */
static int parse_setting(struct filter_spec *spec, char *text, struct parse_error *error)
{
	char *value = strchr(text, '=');
	int err;

	if (!value)
		return settings_refuse(error, "'%.80s' after a comma; expected key=value", text);
	*value++ = '\0';
	text = trim(text);
	err = settings_parse(&spec->patch, text, trim(value), error);
	if (err == -ENOENT)
		return settings_refuse(
			error,
			"unknown key '%.40s'; expected handshake, keepalive, padding, max_window, pace, guard, ack or udp",
			text);
	return err;
}

bool filter_spec_addr(const struct filter_spec *spec, struct addr *addr)
{
	struct in_addr ipv4;

	if (spec->family == AF_INET && inet_pton(AF_INET, spec->host, &ipv4) == 1) {
		addr_from_ipv4(addr, ipv4.s_addr);
		return true;
	}
	return spec->family == AF_INET6 && inet_pton(AF_INET6, spec->host, addr->word) == 1;
}

bool filter_spec_is_name(const struct filter_spec *spec)
{
	return spec->family == AF_UNSPEC && !spec->wildcard;
}

bool filter_addr_is_any(const struct addr *addr)
{
	return !addr->word[0] && !addr->word[1] && !addr->word[3] &&
	       (!addr->word[2] || addr_is_ipv4(addr));
}

/* @text is cut into pieces. */
static int parse_parts(struct filter_spec *spec, char *text, struct parse_error *error)
{
	char *part, *endpoint, *origin = strsep(&text, ",");
	struct addr addr;
	int err;

	endpoint = strchr(origin, '=');
	if (!endpoint)
		return settings_refuse(error, "expected local=ADDRESS:PORT or remote=ADDRESS:PORT");
	*endpoint++ = '\0';
	origin = trim(origin);
	if (!strcmp(origin, origins[ORIGIN_LOCAL]))
		spec->origin = ORIGIN_LOCAL;
	else if (!strcmp(origin, origins[ORIGIN_REMOTE]))
		spec->origin = ORIGIN_REMOTE;
	else
		return settings_refuse(error, "'%.40s' is no origin; expected local or remote",
				       origin);

	err = parse_endpoint(spec, trim(endpoint), error);
	if (err)
		return err;
	if (spec->prefix_len == ADDR_BITS && filter_spec_addr(spec, &addr) && filter_addr_is_any(&addr))
		spec->wildcard = true;
	if (spec->wildcard && spec->origin == ORIGIN_REMOTE)
		return refuse_remote_wildcard(error);
	while ((part = strsep(&text, ","))) {
		err = parse_setting(spec, trim(part), error);
		if (err)
			return err;
	}
	return 0;
}

int filter_parse(struct filter_spec *spec, const char *text, struct parse_error *error)
{
	struct filter_spec result = { .family = AF_UNSPEC, .prefix_len = ADDR_BITS };
	struct parse_error why;
	char buf[SPEC_TEXT_MAX];

	if (strlen(text) >= sizeof(buf))
		return settings_refuse(error, "filter '%.60s...' is longer than %zu characters",
				       text, sizeof(buf) - 1);
	strcpy(buf, text);
	if (parse_parts(&result, buf, &why))
		return settings_refuse(error, "filter '%.120s': %.250s", text, why.text);
	*spec = result;
	return 0;
}

int filter_compare(const struct filter *a, const struct filter *b)
{
	int order = memcmp(&a->key, &b->key, sizeof(a->key));

	return order ? order : a->prefix_len - b->prefix_len;
}

bool filter_matches(const struct filter *filter, const struct addr *addr)
{
	struct addr cut = *addr;

	addr_cut(&cut, filter->prefix_len);
	return addr_is_ipv4(addr) == addr_is_ipv4(&filter->key.addr) && !memcmp(&cut, &filter->key.addr, sizeof(cut));
}

int filter_print_endpoint(char *buf, size_t size, const struct addr *addr, __be16 port)
{
	char text[INET6_ADDRSTRLEN];

	print_addr(text, addr);
	return snprintf(buf, size, addr_is_ipv4(addr) ? "%s:%u" : "[%s]:%u", text, ntohs(port));
}

int filter_print_place(char *buf, size_t size, const struct filter_place *place)
{
	/* (a path that is too long loses its end, not its line) */
	return place->path ? snprintf(buf, size, "%.480s:%lu", place->path, place->line) : snprintf(buf, size, "--filter");
}

int filter_print_end(char *buf, size_t size, const struct filter *filter)
{
	const struct filter_key *key = &filter->key;
	char text[INET6_ADDRSTRLEN], len[8] = "";

	print_addr(text, &key->addr);
	if (filter->prefix_len < ADDR_BITS)
		snprintf(len, sizeof(len), "/%u", written_len(&key->addr, filter->prefix_len));
	return snprintf(buf, size, addr_is_ipv4(&key->addr) ? "%s=%s%s:%u" : "%s=[%s%s]:%u", origins[key->origin], text, len,
			ntohs(key->port));
}

int filter_print(char *buf, size_t size, const struct filter *filter,
		 const struct conn_settings *base)
{
	struct conn_settings settings = *base;
	char end[FILTER_END_MAX], diff[SETTINGS_TEXT_MAX];
	const char *name = filter->name;

	settings_apply(&settings, &filter->patch);
	filter_print_end(end, sizeof(end), filter);
	settings_print_diff(diff, sizeof(diff), &settings, base);
	return snprintf(buf, size, "%s%s%s%s%s%s", end, diff[0] ? "," : "", diff,
			name ? " (resolved from " : "", name ? name : "", name ? ")" : "");
}
