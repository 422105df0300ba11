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

static int parse_port(uint16_t *port, const char *text, struct parse_error *error)
{
	unsigned long number = 0;
	const char *p;

	for (p = text; *p; p++) {
		if (*p < '0' || *p > '9' || number > PORT_MAX)
			break;
		number = number * 10 + (unsigned long)(*p - '0');
	}
	if (!*text || *p || number == 0 || number > PORT_MAX)
		return settings_refuse(
			error, "port '%.40s' is wrong; expected a number from 1 to 65535", text);
	*port = (uint16_t)number;
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

static int parse_other_host(struct filter_spec *spec, const char *host, struct parse_error *error)
{
	struct in_addr addr;
	const char *p;

	if (!*host)
		return settings_refuse(error, "no address before the port; expected ADDRESS:PORT");
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

/* ADDRESS:PORT, cut into its parts in place. */
static int parse_endpoint(struct filter_spec *spec, char *text, struct parse_error *error)
{
	char *colon, *host = text;
	int err;

	if (*text == '[') {
		char *close = strchr(text, ']');

		if (!close)
			return settings_refuse(
				error, "'%.80s' lacks the closing bracket; expected [ADDRESS]:PORT",
				text);
		*close = '\0';
		host = text + 1;
		colon = close + 1;
		if (*colon && *colon != ':')
			return settings_refuse(
				error, "'%.40s' after the bracket; expected [ADDRESS]:PORT", colon);
	} else {
		colon = strchr(text, ':');
		if (colon && strchr(colon + 1, ':'))
			return settings_refuse(
				error,
				"IPv6 addresses stand in square brackets; expected [ADDRESS]:PORT, not '%.80s'",
				text);
	}
	if (!colon || !*colon)
		return settings_refuse(error, "no port after '%.80s'; expected %s:PORT", host, host == text ? "ADDRESS" : "[ADDRESS]");
	*colon++ = '\0';

	err = host == text ? parse_other_host(spec, host, error) :
			     parse_ipv6_host(spec, host, error);
	return err ? err : parse_port(&spec->port, colon, error);
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
			"unknown key '%.40s'; expected handshake, keepalive, padding, max_window, pace, guard or ack",
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
	spec->wildcard = filter_spec_addr(spec, &addr) && filter_addr_is_any(&addr);
	if (spec->wildcard && spec->origin == ORIGIN_REMOTE)
		return settings_refuse(
			error,
			"a remote end cannot be a wildcard; expected the peer's address or name");
	while ((part = strsep(&text, ","))) {
		err = parse_setting(spec, trim(part), error);
		if (err)
			return err;
	}
	return 0;
}

int filter_parse(struct filter_spec *spec, const char *text, struct parse_error *error)
{
	struct filter_spec result = { .family = AF_UNSPEC };
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
	return memcmp(&a->key, &b->key, sizeof(a->key));
}

int filter_print_endpoint(char *buf, size_t size, const struct addr *addr, __be16 port)
{
	char text[INET6_ADDRSTRLEN];

	if (addr_is_ipv4(addr)) {
		inet_ntop(AF_INET, &addr->word[3], text, sizeof(text));
		return snprintf(buf, size, "%s:%u", text, ntohs(port));
	}
	inet_ntop(AF_INET6, addr->word, text, sizeof(text));
	return snprintf(buf, size, "[%s]:%u", text, ntohs(port));
}

int filter_print(char *buf, size_t size, const struct filter *filter,
		 const struct conn_settings *base)
{
	struct conn_settings settings = *base;
	char endpoint[FILTER_ENDPOINT_MAX], diff[SETTINGS_TEXT_MAX];
	const char *name = filter->name;

	settings_apply(&settings, &filter->patch);
	filter_print_endpoint(endpoint, sizeof(endpoint), &filter->key.addr, filter->key.port);
	settings_print_diff(diff, sizeof(diff), &settings, base);
	return snprintf(buf, size, "%s=%s%s%s%s%s%s", origins[filter->key.origin], endpoint,
			diff[0] ? "," : "", diff, name ? " (resolved from " : "", name ? name : "",
			name ? ")" : "");
}
