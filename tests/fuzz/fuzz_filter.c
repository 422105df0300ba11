/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The text of a filter: it is refused with a reason, or means what its printed form means
 * timeout: 700
 *
 * Input: the text. Nobody is asked for a name.
 */
#include <arpa/inet.h>
#include <errno.h>

#include "filter.h"
#include "filter_list.h"
#include "fuzz.h"

static const struct conn_settings defaults = CONN_SETTINGS_DEFAULT;

static void check_spec(const struct filter_spec *spec)
{
	struct addr addr;

	claim(spec->port && spec->prefix_len <= ADDR_BITS);
	claim(spec->origin == ORIGIN_LOCAL || spec->origin == ORIGIN_REMOTE);
	claim(memchr(spec->host, 0, sizeof(spec->host)) && memchr(spec->scope, 0, sizeof(spec->scope)));
	claim(!(spec->patch.given & ~(uint32_t)SETTINGS_ALL));
	claim(!spec->wildcard || spec->origin == ORIGIN_LOCAL);
	claim_eq(filter_spec_addr(spec, &addr), spec->family != AF_UNSPEC);
	claim(!filter_spec_is_name(spec) || spec->host[0]);
	claim(!spec->scope[0] || spec->family == AF_INET6);
	claim(spec->prefix_len == ADDR_BITS || spec->family != AF_UNSPEC);
}

/* What of the text is a filter: a name stands behind it. */
static void cut_name(char *text, const struct filter *filter)
{
	char *name = strstr(text, " (resolved from ");

	claim_eq(!!name, !!filter->name);
	if (name)
		*name = '\0';
}

static void check_settings(const struct settings_patch *patch, const struct settings_patch *again)
{
	struct conn_settings a = defaults, b = defaults;
	char text[SETTINGS_TEXT_MAX], value[SETTINGS_TEXT_MAX];
	struct settings_patch printed = { 0 };

	settings_apply(&a, patch);
	settings_apply(&b, again);
	claim(!memcmp(&a, &b, sizeof(a)));
	claim((size_t)settings_print(text, sizeof(text), &a) == strlen(text) && strlen(text) < sizeof(text) - 1);
	claim_eq(settings_drop_udp(&defaults, patch), a.udp == UDP_DROP);
	for (size_t i = 0; settings_key(i); i++) {
		claim(settings_print_value(value, sizeof(value), settings_key(i), &a) > 0);
		claim(strstr(text, value));
		claim(!settings_parse(&printed, settings_key(i), value, NULL));
	}
	claim(settings_print_value(value, sizeof(value), "", &a) == -ENOENT);
	memset(&b, 0, sizeof(b));
	settings_apply(&b, &printed);
	claim(!memcmp(&a, &b, sizeof(a)));
	printed.given = 0;
	settings_patch_merge(&printed, patch);
	claim_eq(printed.given & patch->given, patch->given);
}

static void check_filter(const struct filter *filter)
{
	char text[FILTER_TEXT_MAX], end[FILTER_END_MAX], endpoint[FILTER_ENDPOINT_MAX];
	struct filter_list list = { .quiet = true };
	struct filter_prefix prefix;
	struct filter_spec spec;
	struct parse_error error;

	filter_prefix_make(&prefix, &filter->key, filter->prefix_len);
	claim(prefix.bits == FILTER_KEY_HEAD_BITS + (__u32)filter->prefix_len && !memcmp(&prefix.key, &filter->key, sizeof(prefix.key)));
	claim(!strcmp(filter_origin_name((enum filter_origin)filter->key.origin), filter->key.origin == ORIGIN_LOCAL ? "local" : "remote"));
	claim((size_t)filter_print(text, sizeof(text), filter, &defaults) == strlen(text) && strlen(text) < sizeof(text) - 1);
	claim((size_t)filter_print_end(end, sizeof(end), filter) == strlen(end) && !strncmp(text, end, strlen(end)));
	claim((size_t)filter_print_endpoint(endpoint, sizeof(endpoint), &filter->key.addr, filter->key.port) == strlen(endpoint));
	claim(filter->prefix_len < ADDR_BITS || strstr(end, endpoint));
	cut_name(text, filter);
	claim(!filter_parse(&spec, text, &error));
	claim(!filter_list_add(&list, &spec, NULL, &error) && list.count == 1);
	claim(!filter_compare(&list.items[0], filter));
	claim(list.items[0].wildcard == filter->wildcard);
	claim(filter->wildcard || filter_matches(filter, &filter->key.addr));
	claim(filter_list_find(&list, filter) == list.items);
	check_settings(&filter->patch, &list.items[0].patch);
	filter_list_free(&list);
}

/* The addresses of an interface, one of each family. */
static void check_wildcards(struct filter_list *list)
{
	size_t wildcards = 0, before = list->count;
	struct addr addrs[2];

	addr_from_ipv4(&addrs[0], htonl(0xc0000201));
	claim(inet_pton(AF_INET6, "2001:db8::1", addrs[1].word) == 1);
	for (size_t i = 0; i < list->count; i++) {
		if (!list->items[i].wildcard)
			continue;
		wildcards++;
		claim(filter_list_covers(&list->items[i], addrs, 2) && !filter_list_covers(&list->items[i], addrs, 0));
	}
	claim_eq(filter_list_effective(list), before - wildcards);
	claim(!filter_list_expand(list, addrs, 2));
	claim_eq(list->count, before + wildcards);
	claim_eq(filter_list_effective(list), before);
}

static void check_list(const struct filter_spec *spec)
{
	struct filter_list list = { .quiet = true };
	struct parse_error error;
	struct addr addr;

	if (filter_spec_is_name(spec)) {
		addr_from_ipv4(&addr, htonl(0xc0000207));
		claim(!filter_list_add_resolved(&list, spec, &addr) && list.count == 1);
		claim(!strcmp(list.items[0].name, spec->host));
	} else {
		claim(!filter_list_add(&list, spec, NULL, &error));
		claim_eq(list.count, spec->wildcard && !spec->host[0] ? 2 : 1);
	}
	check_wildcards(&list);
	for (size_t i = 0; i < list.count; i++)
		check_filter(&list.items[i]);
	filter_list_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz in = { data, data + size };
	char *text = fuzz_text(&in);
	struct filter_spec spec, untouched;
	struct parse_error error = { "" };

	memset(&spec, 0xa5, sizeof(spec));
	untouched = spec;
	if (!filter_parse(&spec, text, &error)) {
		check_spec(&spec);
		check_list(&spec);
	} else {
		claim(error.text[0] && memchr(error.text, 0, sizeof(error.text)));
		claim(filter_parse(&spec, text, NULL) == -EINVAL);
		claim(!memcmp(&spec, &untouched, sizeof(spec)));
	}
	free(text);
	return 0;
}
