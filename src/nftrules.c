// SPDX-License-Identifier: GPL-2.0-only
#include "nftrules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

enum {
	NFTRULES_DEPTH = 16, /* jumps, as many as the kernel allows */
	NFTRULES_CONNTRACK = -200, /* priority of conntrack itself */
};

enum answer {
	NO,
	PERHAPS,
	YES,
};

/* What a chain does with the packet. */
enum outcome {
	GOES_ON, /* to the end, or back to where it was called */
	ACCEPTED,
	DROPPED,
	UNKNOWN,
};

struct zone {
	int value;
	bool doubt; /* what comes may not be reached */
	bool unknown;
	bool hidden; /* by a target CT of iptables */
};

struct walk {
	const json_t *rules; /* the array */
	const struct nftrules_packet *packet;
	const char *family, *table;
	struct zone *zone; /* NULL: nobody asks */
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool is(const char *text, const char *wanted)
{
	return !strcmp(text, wanted);
}

/* --- matches */

static enum answer not(enum answer answer)
{
	return answer == YES ? NO : answer == NO ? YES : PERHAPS;
}

/* Whether @number is what stands at the right: a number, a range, a set of both. A set with a name is not looked up. */
static enum answer contains(const json_t *right, json_int_t number)
{
	const json_t *range = json_object_get(right, "range"), *set = json_object_get(right, "set"), *item;
	enum answer any = NO;
	size_t i;

	if (json_is_integer(right))
		return json_integer_value(right) == number ? YES : NO;
	if (json_is_array(range) && json_is_integer(json_array_get(range, 0)) && json_is_integer(json_array_get(range, 1)))
		return number >= json_integer_value(json_array_get(range, 0)) &&
		       number <= json_integer_value(json_array_get(range, 1)) ? YES : NO;
	if (json_is_array(set)) {
		json_array_foreach(set, i, item) {
			enum answer one = contains(item, number);

			any = one > any ? one : any;
		}
		return any;
	}
	return PERHAPS;
}

/* The same for names. What may stand for several (`eth*`, `@set`) is not looked into. */
static enum answer names(const json_t *right, const char *name)
{
	const json_t *set = json_object_get(right, "set"), *item;
	const char *text = json_string_value(right);
	enum answer any = NO;
	size_t i;

	if (text && (text[0] == '@' || strchr(text, '*')))
		return PERHAPS;
	if (text)
		return is(text, name) ? YES : NO;
	if (!set)
		set = right;
	if (json_is_string(set))
		return names(set, name);
	if (!json_is_array(set))
		return PERHAPS;
	json_array_foreach(set, i, item) {
		enum answer one = names(item, name);

		any = one > any ? one : any;
	}
	return any;
}

/* Protocols have names; some versions print numbers. */
static enum answer is_udp(const json_t *right)
{
	enum answer by_number = contains(right, 17);

	return by_number == PERHAPS ? names(right, "udp") : by_number;
}

static enum answer match_payload(const struct nftrules_packet *packet, const json_t *payload, const json_t *right)
{
	const char *protocol = text_of(payload, "protocol"), *field = text_of(payload, "field");

	if (is(protocol, "udp") || is(protocol, "th")) {
		return is(field, packet->answer ? "sport" : "dport") ? contains(right, packet->port) : PERHAPS;
	}
	if ((is(protocol, "ip") && is(field, "protocol")) || (is(protocol, "ip6") && is(field, "nexthdr")))
		return is_udp(right);
	return PERHAPS;
}

/* The packet has no such header, so that no comparison with it holds. */
static bool lacks(const struct nftrules_packet *packet, const json_t *payload)
{
	static const char *const others[] = { "tcp", "icmp", "icmpv6", "sctp", "dccp", "arp" };
	const char *protocol = text_of(payload, "protocol");

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (is(protocol, others[i]))
			return true;
	}
	return is(protocol, packet->ipv4 ? "ip6" : "ip");
}

static enum answer match_meta(const struct nftrules_packet *packet, const char *key, const json_t *right)
{
	if (is(key, "l4proto"))
		return is_udp(right);
	if (is(key, "nfproto"))
		return names(right, packet->ipv4 ? "ipv4" : "ipv6");
	if (is(key, packet->incoming ? "iifname" : "oifname") || is(key, packet->incoming ? "iif" : "oif"))
		return names(right, packet->ifname);
	return PERHAPS;
}

static enum answer match(const struct walk *walk, const json_t *expression)
{
	const json_t *left = json_object_get(expression, "left"), *right = json_object_get(expression, "right");
	const json_t *payload = json_object_get(left, "payload"), *meta = json_object_get(left, "meta"), *ct;
	const char *op = text_of(expression, "op");
	enum answer answer = PERHAPS;

	ct = json_object_get(left, "ct");
	if (payload && lacks(walk->packet, payload))
		return NO;
	if (!is(op, "==") && !is(op, "!=") && !is(op, "in"))
		return PERHAPS;
	if (payload)
		answer = match_payload(walk->packet, payload, right);
	else if (meta)
		answer = match_meta(walk->packet, text_of(meta, "key"), right);
	else if (ct && is(text_of(ct, "key"), "state"))
		answer = names(right, walk->packet->established ? "established" : "new");
	return is(op, "!=") ? not(answer) : answer;
}

/* --- rules and chains */

static enum outcome walk_chain(const struct walk *walk, const char *name, int depth);

/* Rules may take it from a map, or give each direction (`original`, `reply`) its own, which is meant so then. */
static void set_zone(const struct walk *walk, const char *name, const json_t *value, bool certain)
{
	const json_t *key = json_object_get(json_object_get(value, "key"), "ct"), *number = json_object_get(value, "value");
	bool tracked = !is(name, "notrack");

	if (walk->zone && !certain && is(name, "jump"))
		walk->zone->doubt = true; /* in the chain that it perhaps jumps to, too */
	if (walk->zone && is(name, "xt") && is(text_of(value, "type"), "target") && is(text_of(value, "name"), "CT"))
		walk->zone->unknown = walk->zone->hidden = true;
	if (!walk->zone || (tracked && !(is(name, "mangle") && is(text_of(key, "key"), "zone"))))
		return;
	if (!certain || walk->zone->doubt || (tracked && (!json_is_integer(number) || json_object_get(key, "dir"))))
		walk->zone->unknown = true;
	else
		walk->zone->value = tracked ? (int)json_integer_value(number) : NFTRULES_UNTRACKED;
}

/* A statement that is no match. GOES_ON for what only counts or marks. */
static enum outcome statement(const struct walk *walk, const char *name, const json_t *value, int depth, bool *ends)
{
	*ends = true;
	if (is(name, "drop") || is(name, "reject"))
		return DROPPED;
	if (is(name, "accept"))
		return ACCEPTED;
	if (is(name, "return"))
		return GOES_ON;
	if (is(name, "jump"))
		return walk_chain(walk, text_of(value, "target"), depth + 1);
	if (is(name, "goto") || is(name, "vmap") || is(name, "queue") || is(name, "xt") || is(name, "tproxy") || is(name, "synproxy") ||
	    is(name, "limit") || is(name, "fwd"))
		return UNKNOWN;
	*ends = false;
	return GOES_ON;
}

struct rule_result {
	enum answer applies;
	enum outcome outcome;
	bool returns;
};

static struct rule_result walk_rule(const struct walk *walk, const json_t *expressions, int depth)
{
	struct rule_result result = { .applies = YES, .outcome = GOES_ON };
	const json_t *expression, *value;
	const char *name;
	size_t i;

	json_array_foreach(expressions, i, expression) {
		json_object_foreach((json_t *)expression, name, value) {
			bool ends = false;

			if (is(name, "match")) {
				enum answer answer = match(walk, value);

				result.applies = answer < result.applies ? answer : result.applies;
				continue;
			}
			/* A statement behind a match that fails, or a rate that is used up, is not reached. */
			if (result.applies == NO)
				return result;
			if (is(name, "limit")) {
				result.applies = PERHAPS;
				continue;
			}
			set_zone(walk, name, value, result.applies == YES);
			result.outcome = statement(walk, name, value, depth, &ends);
			result.returns = is(name, "return");
			if (ends)
				return result;
		}
	}
	return result;
}

static bool is_of(const json_t *object, const struct walk *walk)
{
	return is(text_of(object, "family"), walk->family) && is(text_of(object, "table"), walk->table);
}

static enum outcome walk_chain(const struct walk *walk, const char *name, int depth)
{
	const json_t *item, *rule;
	bool perhaps = false; /* an earlier rule perhaps lets it through, or takes it */
	size_t i;

	if (depth > NFTRULES_DEPTH)
		return UNKNOWN;
	json_array_foreach(walk->rules, i, item) {
		struct rule_result result;

		rule = json_object_get(item, "rule");
		if (!rule || !is_of(rule, walk) || !is(text_of(rule, "chain"), name))
			continue;
		result = walk_rule(walk, json_object_get(rule, "expr"), depth);
		if (result.applies == NO || (result.outcome == GOES_ON && !result.returns))
			continue;
		if (result.applies == PERHAPS || result.outcome == UNKNOWN)
			perhaps = true; /* Whatever comes behind may not be reached. */
		else
			return perhaps ? UNKNOWN : result.outcome;
		if (walk->zone)
			walk->zone->doubt = true;
	}
	return perhaps ? UNKNOWN : GOES_ON;
}

static enum outcome walk_base_chain(const struct walk *walk, const json_t *chain)
{
	enum outcome outcome = walk_chain(walk, text_of(chain, "name"), 0);

	if (outcome != GOES_ON)
		return outcome;
	return is(text_of(chain, "policy"), "drop") ? DROPPED : ACCEPTED;
}

static bool is_for(const json_t *chain, const struct nftrules_packet *packet, const char *hook)
{
	const char *family = text_of(chain, "family");

	return is(text_of(chain, "type"), "filter") && is(text_of(chain, "hook"), hook) &&
	       (is(family, "inet") || is(family, packet->ipv4 ? "ip" : "ip6"));
}

static bool sees(const json_t *chain, const struct nftrules_packet *packet)
{
	return is_for(chain, packet, packet->forwarded ? "forward" : packet->incoming ? "input" : "output");
}

enum nftrules_verdict nftrules_judge(const json_t *rules, const struct nftrules_packet *packet, char *where, size_t size)
{
	struct walk walk = { .rules = json_object_get(rules, "nftables"), .packet = packet };
	enum nftrules_verdict verdict = NFTRULES_PASSES;
	const json_t *item, *chain;
	size_t i;

	where[0] = '\0';
	json_array_foreach(walk.rules, i, item) {
		enum outcome outcome;

		chain = json_object_get(item, "chain");
		if (!chain || !sees(chain, packet))
			continue;
		walk.family = text_of(chain, "family");
		walk.table = text_of(chain, "table");
		outcome = walk_base_chain(&walk, chain);
		if (outcome == DROPPED) {
			/* In each chain that it gets to it has to be accepted, so one is enough. */
			snprintf(where, size, "%s %s %s", walk.family, walk.table, text_of(chain, "name"));
			return NFTRULES_DROPS;
		}
		if (outcome == UNKNOWN)
			verdict = NFTRULES_PERHAPS;
	}
	return verdict;
}

/* --- conntrack */

bool nftrules_zone(const json_t *rules, const struct nftrules_packet *packet, int *zone, char *where, size_t size)
{
	struct zone found = { 0 };
	struct walk walk = { .rules = json_object_get(rules, "nftables"), .packet = packet, .zone = &found };
	const json_t *item, *chain;
	size_t i;

	where[0] = '\0';
	json_array_foreach(walk.rules, i, item) {
		chain = json_object_get(item, "chain");
		if (!chain || !is_for(chain, packet, packet->incoming ? "prerouting" : "output") ||
		    json_integer_value(json_object_get(chain, "prio")) >= NFTRULES_CONNTRACK)
			continue;
		walk.family = text_of(chain, "family");
		walk.table = text_of(chain, "table");
		if (walk_base_chain(&walk, chain) == UNKNOWN)
			found.doubt = true;
		if (found.hidden && !where[0])
			snprintf(where, size, "%s %s %s", walk.family, walk.table, text_of(chain, "name"));
	}
	*zone = found.value;
	return !found.unknown;
}

/* --- netdev */

static bool is_on(const json_t *chain, const char *ifname)
{
	const json_t *devices = json_object_get(chain, "dev");

	/* A chain may have one device, several, or (in older versions) not say so. */
	return !devices || names(devices, ifname) != NO;
}

void nftrules_each_netdev_egress(const json_t *rules, const char *ifname, void (*take)(void *context, const char *chain),
				 void *context)
{
	const json_t *list = json_object_get(rules, "nftables"), *item, *chain;
	size_t i;

	json_array_foreach(list, i, item) {
		char name[128];

		chain = json_object_get(item, "chain");
		if (!chain || !is(text_of(chain, "hook"), "egress") || !is_on(chain, ifname))
			continue;
		snprintf(name, sizeof(name), "%s %s", text_of(chain, "table"), text_of(chain, "name"));
		take(context, name);
	}
}
