/* SPDX-License-Identifier: GPL-2.0-only */
/* Filters: text to filter and back, what is refused, the list with duplicates and wildcards. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "filter_list.h"
#include "log.h"

static const struct conn_settings defaults = CONN_SETTINGS_DEFAULT;

static struct filter_spec parsed(const char *text)
{
	struct parse_error error = { "" };
	struct filter_spec spec;

	ck_assert_msg(!filter_parse(&spec, text, &error), "%s", error.text);
	return spec;
}

static void add(struct filter_list *list, const char *text)
{
	struct filter_spec spec = parsed(text);
	struct parse_error error = { "" };

	ck_assert_msg(!filter_list_add(list, &spec, "lo", &error), "%s", error.text);
}

static struct addr addr_of(const char *text)
{
	struct filter_spec spec = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	struct addr addr;

	strcpy(spec.host, text);
	ck_assert(filter_spec_addr(&spec, &addr));
	return addr;
}

static void check_printed(const struct filter *filter, const char *expected)
{
	char text[FILTER_TEXT_MAX];

	ck_assert_int_eq(filter_print(text, sizeof(text), filter, &defaults),
			 (int)strlen(expected));
	ck_assert_str_eq(text, expected);
}

START_TEST(test_parse)
{
	struct filter_spec spec = parsed("local=192.0.2.1:51820");

	ck_assert_int_eq(spec.origin, ORIGIN_LOCAL);
	ck_assert_int_eq(spec.family, AF_INET);
	ck_assert_uint_eq(spec.port, 51820);
	ck_assert_str_eq(spec.host, "192.0.2.1");
	ck_assert(!spec.wildcard);
	ck_assert_uint_eq(spec.patch.given, 0);

	spec = parsed(" remote = [2001:db8::1]:65535 , handshake = 0: ,padding=4");
	ck_assert_int_eq(spec.origin, ORIGIN_REMOTE);
	ck_assert_int_eq(spec.family, AF_INET6);
	ck_assert_uint_eq(spec.port, 65535);
	ck_assert_str_eq(spec.host, "2001:db8::1");
	ck_assert_uint_eq(spec.patch.given, SETTINGS_HANDSHAKE_INTERVAL | SETTINGS_PADDING);

	spec = parsed("local=[fe80::1%eth0]:1");
	ck_assert_str_eq(spec.host, "fe80::1");
	ck_assert_str_eq(spec.scope, "eth0");
	ck_assert_str_eq(parsed("local=[fe80::1]:1").scope, "");

	spec = parsed("remote=vpn-1.example.org:443,max_window=yes");
	ck_assert_int_eq(spec.family, AF_UNSPEC);
	ck_assert_str_eq(spec.host, "vpn-1.example.org");
	ck_assert(filter_spec_is_name(&spec));

	ck_assert(parsed("local=0.0.0.0:1").wildcard);
	ck_assert(parsed("local=[::]:1").wildcard);
	ck_assert(!parsed("local=[::1]:1").wildcard);
	ck_assert_uint_eq(parsed("remote=vpn.example.org:1").prefix_len, ADDR_BITS);
	ck_assert_uint_eq(parsed("local=0.0.0.0:1").prefix_len, ADDR_BITS);
}
END_TEST

static const struct {
	const char *text, *host;
	unsigned int prefix_len; /* of the IPv4-mapped address */
	bool wildcard;
} prefixes[] = {
	{ "remote=198.51.100.0/24:51820", "198.51.100.0", 120, false },
	{ " remote = 198.51.100.0/24:51820 , padding=4", "198.51.100.0", 120, false },
	{ "local=192.0.2.128/25:1,handshake=0:", "192.0.2.128", 121, false },
	{ "local=192.0.2.1/32:1", "192.0.2.1", 128, false },
	{ "remote=0.0.0.0/0:1", "0.0.0.0", 96, false },
	{ "local=0.0.0.0/0:1", "0.0.0.0", 96, false },
	{ "local=0.0.0.0/8:1", "0.0.0.0", 104, false },
	{ "local=0.0.0.0/32:1", "0.0.0.0", 128, true },
	{ "remote=128.0.0.0/1:1", "128.0.0.0", 97, false },
	{ "remote=192.0.2.0/024:1", "192.0.2.0", 120, false },
	{ "remote=[2001:db8::/32]:51820", "2001:db8::", 32, false },
	{ "remote=[2001:db8::]/32:51820", "2001:db8::", 32, false },
	{ "remote=[2001:db8::]/32:51820,padding=4", "2001:db8::", 32, false },
	{ "remote=[2001:db8::1/128]:1", "2001:db8::1", 128, false },
	{ "remote=[2001:db8:0:0:8000::/65]:1", "2001:db8:0:0:8000::", 65, false },
	{ "remote=[::/0]:1", "::", 0, false },
	{ "remote=[::]/0:1", "::", 0, false },
	{ "local=[::/96]:1", "::", 96, false },
	{ "local=[::/128]:1", "::", 128, true },
	{ "remote=[fe80::%eth0/64]:1", "fe80::", 64, false },
	{ "remote=[fe80::%eth0]/64:1", "fe80::", 64, false },
};

START_TEST(test_prefix)
{
	struct filter_spec spec = parsed(prefixes[_i].text);

	ck_assert_str_eq(spec.host, prefixes[_i].host);
	ck_assert_uint_eq(spec.prefix_len, prefixes[_i].prefix_len);
	ck_assert_int_eq(spec.wildcard, prefixes[_i].wildcard);
	ck_assert_str_eq(spec.scope, strchr(prefixes[_i].text, '%') ? "eth0" : "");
}
END_TEST

START_TEST(test_both_wildcards)
{
	struct filter_spec spec = parsed("local=:51820,padding=3");
	struct filter_list list = { 0 };

	ck_assert(spec.wildcard);
	ck_assert(!filter_spec_is_name(&spec));
	ck_assert_uint_eq(spec.port, 51820);
	add(&list, "local=:51820,padding=3");
	ck_assert_uint_eq(list.count, 2);
	check_printed(&list.items[0], "local=0.0.0.0:51820,padding=3");
	check_printed(&list.items[1], "local=[::]:51820,padding=3");
	ck_assert(list.items[0].wildcard && list.items[1].wildcard);
	add(&list, "local=[::]:51820"); /* the same as one of them */
	ck_assert_uint_eq(list.count, 2);
	check_printed(&list.items[1], "local=[::]:51820");
	filter_list_free(&list);
}
END_TEST

static const struct {
	const char *text, *why;
} wrong[] = {
	{ "", "expected local=" },
	{ "local", "expected local=" },
	{ "here=192.0.2.1:1", "'here'" },
	{ "local=192.0.2.1", "no port" },
	{ "local=192.0.2.1:", "port ''" },
	{ "local=192.0.2.1:0", "port '0'" },
	{ "local=192.0.2.1:65536", "1 to 65535" },
	{ "local=192.0.2.1:1x", "port '1x'" },
	{ "local=192.0.2.1:-1", "port '-1'" },
	{ "local=192.0.2.1:4294967297", "port" },
	{ "local=192.0.2.256:1", "no IPv4 address" },
	{ "local=192.0.2:1", "no IPv4 address" },
	{ "remote=:1", "name, or a prefix" },
	{ "local=:", "port ''" },
	{ "local=/24:1", "'' is none" },
	{ "local=2001:db8::1:51820", "square brackets" },
	{ "local=::1", "square brackets" },
	{ "local=[2001:db8::1:51820", "closing bracket" },
	{ "local=[2001:db8::1]", "no port" },
	{ "local=[2001:db8::1]51820", "after the bracket" },
	{ "local=[2001:db8::g]:1", "no IPv6 address" },
	{ "local=[192.0.2.1]:1", "no IPv6 address" },
	{ "local=[]:1", "no IPv6 address" },
	{ "local=[2001:db8::1%eth0]:1", "link-local" },
	{ "local=[fe80::1%]:1", "scope" },
	{ "local=[fe80::1%averyveryverylongname]:1", "scope" },
	{ "local=a b:1", "no host name" },
	{ "local=192.0.2.7/24:1", "expected 192.0.2.0/24" },
	{ "remote=192.0.2.1/0:1", "expected 0.0.0.0/0" },
	{ "remote=192.0.2.0/22:1", "expected 192.0.0.0/22" },
	{ "remote=192.0.2.1/31:1", "expected 192.0.2.0/31" },
	{ "remote=192.0.2.0/33:1", "from 0 to 32" },
	{ "remote=192.0.2.0/:1", "prefix length ''" },
	{ "remote=192.0.2.0/-1:1", "prefix length '-1'" },
	{ "remote=192.0.2.0/+8:1", "prefix length '+8'" },
	{ "remote=192.0.2.0/24x:1", "prefix length '24x'" },
	{ "remote=192.0.2.0/255.255.255.0:1", "from 0 to 32" },
	{ "remote=192.0.2.0/24/24:1", "prefix length '24/24'" },
	{ "remote=192.0.2.0/4294967320:1", "prefix length '4294967320'" },
	{ "remote=192.0.2.0/24", "no port" },
	{ "remote=192.0.2.0/24:0", "port '0'" },
	{ "remote=192.0.2.0:1/24", "port '1/24'" },
	{ "remote=192.0.2/24:1", "no IPv4 address" },
	{ "remote=vpn.example.org/24:1", "'vpn.example.org' is none" },
	{ "remote=[2001:db8::1/32]:1", "expected 2001:db8::/32" },
	{ "remote=[2001:db8::1]/64:1", "expected 2001:db8::/64" },
	{ "remote=[2001:db8::1/127]:1", "expected 2001:db8::/127" },
	{ "remote=[2001:db8::/129]:1", "from 0 to 128" },
	{ "remote=[2001:db8::]/129:1", "from 0 to 128" },
	{ "remote=[2001:db8::/]:1", "prefix length ''" },
	{ "remote=[2001:db8::]/:1", "prefix length ''" },
	{ "remote=[2001:db8::/32]/32:1", "two prefix lengths" },
	{ "remote=[2001:db8::]/32", "no port" },
	{ "remote=[2001:db8::/32]", "no port" },
	{ "remote=[::ffff:192.0.2.0/120]:1", "expected that of IPv4, 192.0.2.0/24" },
	{ "remote=[::ffff:192.0.2.7]/120:1", "expected that of IPv4, 192.0.2.0/24" },
	{ "remote=[::ffff:0:0/96]:1", "expected that of IPv4, 0.0.0.0/0" },
	{ "remote=[::ffff:0:0/80]:1", "IPv4-mapped" },
	{ "remote=[fe80::/64%eth0]:1", "prefix length '64%eth0'" },
	{ "remote=[2001:db8::%eth0/32]:1", "link-local" },
	{ "remote=0.0.0.0/32:1", "wildcard" },
	{ "remote=[::/128]:1", "wildcard" },
	{ "remote=0.0.0.0:1", "wildcard" },
	{ "remote=[::]:1", "wildcard" },
	{ "remote=[0:0::0]:1", "wildcard" },
	{ "local=192.0.2.1:1,", "key=value" },
	{ "local=192.0.2.1:1,padding", "key=value" },
	{ "local=192.0.2.1:1,pading=1", "unknown key 'pading'" },
	{ "local=192.0.2.1:1,padding=17", "padding: '17'" },
	{ "local=192.0.2.1:1,handshake=1:2:3", "interval:retry" },
	{ "local=192.0.2.1:1,link_type=eth", "unknown key" },
};

START_TEST(test_refused)
{
	struct filter_spec spec = { .port = 7 };
	struct parse_error error = { "" };

	ck_assert_msg(filter_parse(&spec, wrong[_i].text, &error) == -EINVAL, "taken: %s",
		      wrong[_i].text);
	ck_assert_msg(strstr(error.text, wrong[_i].why), "'%s' does not say '%s'", error.text,
		      wrong[_i].why);
	ck_assert_ptr_nonnull(strstr(error.text, wrong[_i].text));
	ck_assert_uint_eq(spec.port, 7);
	ck_assert_int_eq(filter_parse(&spec, wrong[_i].text, NULL), -EINVAL);
}
END_TEST

START_TEST(test_long_texts)
{
	struct filter_spec spec;
	struct parse_error error;
	char text[3000];
	size_t length;

	for (length = 1; length < sizeof(text) - 10; length += 7) {
		strcpy(text, "local=");
		memset(text + 6, 'a', length);
		strcpy(text + 6 + length, ":1");
		ck_assert_int_eq(filter_parse(&spec, text, &error),
				 length < FILTER_HOST_MAX ? 0 : -EINVAL);
	}
}
END_TEST

START_TEST(test_print_round_trip)
{
	static const char *const texts[] = {
		"local=192.0.2.1:51820",
		"remote=[2001:db8::1]:1",
		"local=0.0.0.0:51820",
		"local=[::]:51820",
		"remote=192.0.2.1:1,handshake=0:",
		"local=192.0.2.1:4242,keepalive=:1::,padding=random,max_window=true",
		"remote=198.51.100.0/24:51820",
		"local=10.0.0.0/8:1,padding=16",
		"remote=0.0.0.0/0:51820",
		"remote=128.0.0.0/1:51820",
		"remote=[2001:db8::/32]:51820",
		"remote=[2001:db8:ffff:ffff:ffff:ffff:ffff:fffe/127]:65535,handshake=0:",
		"remote=[::/0]:51820",
		"local=[fe80::/64]:51820",
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct filter_list list = { 0 };

		add(&list, texts[i]);
		ck_assert_uint_eq(list.count, 1);
		check_printed(&list.items[0], texts[i]);
		filter_list_free(&list);
	}
}
END_TEST

START_TEST(test_print_only_differences)
{
	struct filter_list list = { 0 };

	add(&list, "local=192.0.2.1:1,handshake=2:0,padding=0");
	check_printed(&list.items[0], "local=192.0.2.1:1,handshake=:0,pace=fixed");
	filter_list_free(&list);
}
END_TEST

START_TEST(test_key)
{
	struct filter_list list = { 0 };
	const struct filter *filter;

	add(&list, "remote=192.0.2.1:258");
	filter = &list.items[0];
	ck_assert_uint_eq(ntohs(filter->key.port), 258);
	ck_assert_uint_eq(filter->key.origin, ORIGIN_REMOTE);
	ck_assert(addr_is_ipv4(&filter->key.addr));
	ck_assert_uint_eq(ntohl(filter->key.addr.word[3]), 0xc0000201);
	ck_assert_uint_eq(filter->prefix_len, ADDR_BITS);
	ck_assert_uint_eq(filter->key.ipv4, 1);
	ck_assert_ptr_eq(filter_list_find(&list, filter), filter);
	filter_list_free(&list);
	ck_assert_uint_eq(list.count, 0);
}
END_TEST

START_TEST(test_last_duplicate_wins)
{
	struct filter_list list = { 0 };

	add(&list, "local=192.0.2.1:1,padding=1");
	add(&list, "local=192.0.2.1:2");
	add(&list, "remote=192.0.2.1:1");
	add(&list, "local=192.0.2.1:1,padding=2");
	ck_assert_uint_eq(list.count, 3);
	check_printed(&list.items[0], "local=192.0.2.1:1,padding=2");
	filter_list_free(&list);
}
END_TEST

/* From the spec to the filter, also to one that takes the place of another, and to those of a wildcard. */
START_TEST(test_places)
{
	const struct addr addrs[] = { addr_of("192.0.2.1"), addr_of("192.0.2.2") };
	struct filter_list list = { 0 };
	struct parse_error error = { "" };
	struct filter_spec spec = parsed("local=0.0.0.0:1");
	char text[FILTER_PLACE_MAX], long_path[2000];

	spec.place = (struct filter_place){ .path = "a.conf", .line = 7 };
	ck_assert_int_eq(filter_list_add(&list, &spec, "lo", &error), 0);
	add(&list, "local=192.0.2.1:1");
	spec = parsed("local=192.0.2.1:1");
	spec.place = (struct filter_place){ .path = "a.conf", .line = 9 };
	ck_assert_int_eq(filter_list_add(&list, &spec, "lo", &error), 0);
	ck_assert_int_eq(filter_list_expand(&list, addrs, 2), 0);
	ck_assert_uint_eq(list.count, 3);
	ck_assert_uint_eq(list.items[1].place.line, 9);
	ck_assert_uint_eq(list.items[2].place.line, 7);
	filter_print_place(text, sizeof(text), &list.items[2].place);
	ck_assert_str_eq(text, "a.conf:7");

	ck_assert_ptr_null(filter_list_beyond(&list, 2, "lo", &error));
	ck_assert_ptr_eq(filter_list_beyond(&list, 1, "lo", &error), &list.items[2]); /* (the wildcard itself does not count) */
	ck_assert_ptr_nonnull(strstr(error.text, "there are 2, and 1 is the most"));
	ck_assert_ptr_eq(filter_list_beyond(&list, 0, "lo", &error), &list.items[1]);
	filter_list_free(&list);

	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	ck_assert_int_lt(filter_print_place(text, sizeof(text), &(struct filter_place){ .path = long_path, .line = ~0UL }), FILTER_PLACE_MAX);
	ck_assert_ptr_nonnull(strchr(text, ':'));
}
END_TEST

START_TEST(test_prefixes_in_list)
{
	struct filter_list list = { 0 };
	struct filter like;

	add(&list, "remote=192.0.2.0/24:1,padding=1");
	add(&list, "remote=192.0.2.0/25:1,padding=2");
	add(&list, "remote=192.0.2.0:1,padding=3");
	add(&list, "remote=192.0.2.0/24:2,padding=4");
	add(&list, "local=192.0.2.0/24:1,padding=5");
	add(&list, "remote=[::/0]:1,padding=6");
	add(&list, "remote=0.0.0.0/0:1,padding=7");
	ck_assert_uint_eq(list.count, 7);
	add(&list, "remote=192.0.2.0/24:1,padding=8"); /* the only one of them that is there already */
	add(&list, "remote=192.0.2.0/32:1,padding=9"); /* but for this one */
	ck_assert_uint_eq(list.count, 7);
	check_printed(&list.items[0], "remote=192.0.2.0/24:1,padding=8");
	check_printed(&list.items[1], "remote=192.0.2.0/25:1,padding=2");
	check_printed(&list.items[2], "remote=192.0.2.0:1,padding=9");
	like = list.items[1];
	ck_assert_ptr_eq(filter_list_find(&list, &like), &list.items[1]);
	like.prefix_len = 122;
	ck_assert_ptr_null(filter_list_find(&list, &like));
	filter_list_free(&list);
}
END_TEST

static bool names(const char *filter, const char *addr)
{
	struct filter_list list = { 0 };
	struct addr wanted = addr_of(addr);
	bool result;

	add(&list, filter);
	result = filter_matches(&list.items[0], &wanted);
	filter_list_free(&list);
	return result;
}

START_TEST(test_matches)
{
	ck_assert(names("remote=192.0.2.1:1", "192.0.2.1"));
	ck_assert(!names("remote=192.0.2.1:1", "192.0.2.0"));
	ck_assert(names("remote=192.0.2.128/25:1", "192.0.2.128"));
	ck_assert(names("remote=192.0.2.128/25:1", "192.0.2.255"));
	ck_assert(!names("remote=192.0.2.128/25:1", "192.0.2.127"));
	ck_assert(names("remote=0.0.0.0/0:1", "203.0.113.1"));
	ck_assert(!names("remote=0.0.0.0/0:1", "2001:db8::1"));
	ck_assert(!names("remote=[::/0]:1", "203.0.113.1"));
	ck_assert(names("remote=[::/0]:1", "2001:db8::1"));
	ck_assert(names("remote=[2001:db8::/33]:1", "2001:db8:7fff::1"));
	ck_assert(!names("remote=[2001:db8::/33]:1", "2001:db8:8000::1"));
	ck_assert(names("remote=[2001:db8::2/127]:1", "2001:db8::3"));
	ck_assert(!names("remote=[2001:db8::2/127]:1", "2001:db8::4"));
}
END_TEST

START_TEST(test_scope)
{
	struct filter_list list = { 0 };
	struct filter_spec spec = parsed("local=[fe80::1%lo]:1");
	struct parse_error error = { "" };

	ck_assert_int_eq(filter_list_add(&list, &spec, "eth7", &error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error.text, "eth7"));
	ck_assert_int_eq(filter_list_add(&list, &spec, "lo", &error), 0);
	ck_assert_int_eq(filter_list_add(&list, &spec, NULL, &error), 0);
	spec = parsed("local=[fe80::2%1]:1");
	ck_assert_int_eq(filter_list_add(&list, &spec, "lo", &error), 0);
	ck_assert_uint_eq(list.count, 2);
	check_printed(&list.items[0], "local=[fe80::1]:1");
	filter_list_free(&list);
}
END_TEST

/* localhost comes from /etc/hosts or from the resolver itself, without a network. */
START_TEST(test_name)
{
	struct filter_list list = { 0 };
	size_t i, ipv4 = 0;

	add(&list, "remote=localhost:9,padding=3");
	ck_assert_uint_ge(list.count, 1);
	ck_assert_uint_le(list.count, 2);
	for (i = 0; i < list.count; i++) {
		const struct filter *filter = &list.items[i];

		ck_assert_str_eq(filter->name, "localhost");
		ck_assert_uint_eq(filter->patch.value.padding, 3);
		if (!addr_is_ipv4(&filter->key.addr))
			continue;
		ipv4++;
		check_printed(filter, "remote=127.0.0.1:9,padding=3 (resolved from localhost)");
	}
	ck_assert_uint_eq(ipv4, 1);
	add(&list, "remote=127.0.0.1:9"); /* takes the place of the resolved one, name and all */
	for (i = 0; i < list.count; i++)
		ck_assert(!addr_is_ipv4(&list.items[i].key.addr) || !list.items[i].name);
	filter_list_free(&list);
}
END_TEST

START_TEST(test_name_unknown)
{
	struct filter_list list = { 0 };
	struct filter_spec spec = parsed("remote=does-not-exist.invalid:9");
	struct parse_error error = { "" };
	int err;

	err = filter_list_add(&list, &spec, NULL, &error);
	ck_assert(err == -ENOENT || err == -EAGAIN); /* the latter without any DNS */
	ck_assert_ptr_nonnull(strstr(error.text, "does-not-exist.invalid"));
	ck_assert_uint_eq(list.count, 0);
	filter_list_free(&list);
}
END_TEST

START_TEST(test_expand)
{
	const struct addr addrs[] = { addr_of("192.0.2.1"), addr_of("2001:db8::1"),
				      addr_of("192.0.2.2"), addr_of("fe80::1") };
	struct filter_list list = { 0 };

	add(&list, "local=0.0.0.0:5,padding=1");
	add(&list, "local=[::]:6");
	add(&list, "local=192.0.2.2:5,padding=2");
	ck_assert_int_eq(filter_list_expand(&list, addrs, 4), 0);
	ck_assert_uint_eq(list.count, 6);
	check_printed(&list.items[0], "local=0.0.0.0:5,padding=1");
	check_printed(&list.items[1], "local=[::]:6");
	check_printed(&list.items[2], "local=192.0.2.2:5,padding=2");
	check_printed(&list.items[3], "local=192.0.2.1:5,padding=1");
	check_printed(&list.items[4], "local=[2001:db8::1]:6");
	check_printed(&list.items[5], "local=[fe80::1]:6");
	ck_assert(list.items[0].wildcard && list.items[1].wildcard);
	ck_assert(!list.items[2].expanded_from_wildcard);
	ck_assert(list.items[3].expanded_from_wildcard && !list.items[3].wildcard);

	/* Anew: one address went, and the same list does not grow. */
	ck_assert_int_eq(filter_list_expand(&list, addrs, 3), 0);
	ck_assert_uint_eq(list.count, 5);
	ck_assert_int_eq(filter_list_expand(&list, NULL, 0), 0);
	ck_assert_uint_eq(list.count, 3);
	filter_list_free(&list);
}
END_TEST

/* An address that a prefix names is left to it: in the datapath an address of its own would win. */
START_TEST(test_expand_beside_prefixes)
{
	const struct addr addrs[] = { addr_of("192.0.2.1"), addr_of("198.51.100.1"), addr_of("2001:db8::1"),
				      addr_of("fe80::1") };
	struct filter_list list = { 0 };

	add(&list, "local=:5,padding=1");
	add(&list, "local=192.0.2.0/24:5,padding=2");
	add(&list, "local=[fe80::/64]:5,padding=3");
	add(&list, "local=[2001:db8::/32]:6");
	add(&list, "remote=[2001:db8::/32]:5");
	ck_assert_int_eq(filter_list_expand(&list, addrs, 4), 0);
	ck_assert_uint_eq(list.count, 8);
	check_printed(&list.items[6], "local=198.51.100.1:5,padding=1");
	check_printed(&list.items[7], "local=[2001:db8::1]:5,padding=1");
	ck_assert(list.items[6].expanded_from_wildcard && list.items[7].expanded_from_wildcard);
	ck_assert_int_eq(filter_list_expand(&list, addrs, 1), 0);
	ck_assert_uint_eq(list.count, 6);
	filter_list_free(&list);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filter");
	TCase *tcase = tcase_create("text");
	SRunner *runner = srunner_create(suite);
	int failed;

	log_set_level(LOG_LEVEL_ERROR);
	tcase_add_test(tcase, test_parse);
	tcase_add_loop_test(tcase, test_prefix, 0, (int)(sizeof(prefixes) / sizeof(prefixes[0])));
	tcase_add_test(tcase, test_both_wildcards);
	tcase_add_loop_test(tcase, test_refused, 0, (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tcase, test_long_texts);
	tcase_add_test(tcase, test_print_round_trip);
	tcase_add_test(tcase, test_print_only_differences);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("list");
	tcase_add_test(tcase, test_key);
	tcase_add_test(tcase, test_last_duplicate_wins);
	tcase_add_test(tcase, test_places);
	tcase_add_test(tcase, test_prefixes_in_list);
	tcase_add_test(tcase, test_matches);
	tcase_add_test(tcase, test_scope);
	tcase_add_test(tcase, test_name);
	tcase_add_test(tcase, test_name_unknown);
	tcase_add_test(tcase, test_expand);
	tcase_add_test(tcase, test_expand_beside_prefixes);
	suite_add_tcase(suite, tcase);

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
