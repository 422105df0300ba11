// SPDX-License-Identifier: GPL-2.0-only
#include "names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_SECOND_NS 1000000000ULL

static void names_free_one(struct name *name)
{
	free(name->addrs);
	*name = (struct name){ 0 };
}

void names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		names_free_one(&names->items[i]);
	free(names->items);
	*names = (struct names){ 0 };
}

struct name *names_find(const struct names *names, const char *host)
{
	for (size_t i = 0; i < names->count; i++) {
		if (!strcmp(names->items[i].host, host))
			return &names->items[i];
	}
	return NULL;
}

/* What is known of a name already, and of the addresses that left it. */
static int names_inherit(struct names *names, struct name *name, const struct name *old)
{
	name->addrs = calloc(old->count + 1, sizeof(*name->addrs));
	if (!name->addrs)
		return -ENOMEM;
	for (size_t i = 0; i < old->count; i++) {
		name->addrs[name->count++] = old->addrs[i];
		names->left += old->addrs[i].left;
	}
	name->resolved = old->resolved;
	name->failing = old->failing;
	name->asked_ns = old->asked_ns;
	return 0;
}

int names_make(struct names *names, const struct names *old, const struct filter_spec *specs, size_t count,
	       uint32_t interval_s, uint64_t now_ns)
{
	names->interval_s = interval_s;
	names->items = calloc(count + 1, sizeof(*names->items));
	if (!names->items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct name *known = old ? names_find(old, specs[i].host) : NULL;
		struct name *name = &names->items[names->count];

		if (!filter_spec_is_name(&specs[i]) || names_find(names, specs[i].host))
			continue;
		if (known && names_inherit(names, name, known))
			return -ENOMEM;
		strcpy(name->host, specs[i].host);
		name->due_ns = now_ns;
		names->count++;
	}
	return 0;
}

struct name *names_due(const struct names *names, uint64_t now_ns)
{
	struct name *first = NULL;

	for (size_t i = 0; i < names->count; i++) {
		struct name *name = &names->items[i];

		if (name->due_ns <= now_ns && (!first || name->due_ns < first->due_ns))
			first = name;
	}
	return first;
}

void names_asked(struct name *name, uint64_t now_ns)
{
	name->asked_ns = now_ns;
	name->due_ns = UINT64_MAX;
}

static uint64_t names_next(const struct names *names, const struct name *name, int err, uint64_t now_ns)
{
	uint32_t seconds = names->interval_s;

	if (err && !name->resolved)
		seconds = NAMES_RETRY_S;
	else if (err && seconds > NAMES_RETRY_FAILED_S)
		seconds = NAMES_RETRY_FAILED_S;
	return seconds ? now_ns + seconds * NAMES_SECOND_NS : UINT64_MAX;
}

static bool names_has(const struct resolver_answer *answer, const struct addr *addr)
{
	for (size_t i = 0; i < answer->count; i++) {
		if (!memcmp(&answer->addrs[i], addr, sizeof(*addr)))
			return true;
	}
	return false;
}

static struct name_addr *names_find_addr(const struct name *name, const struct addr *addr)
{
	for (size_t i = 0; i < name->count; i++) {
		if (!memcmp(&name->addrs[i].addr, addr, sizeof(*addr)))
			return &name->addrs[i];
	}
	return NULL;
}

int names_remember(struct names *names, struct name *name, const struct addr *addr)
{
	struct name_addr *addrs;

	if (names_find_addr(name, addr))
		return 0;
	addrs = realloc(name->addrs, (name->count + 1) * sizeof(*addrs));
	if (!addrs)
		return -ENOMEM;
	name->addrs = addrs;
	addrs[name->count++] = (struct name_addr){ .addr = *addr, .left = true };
	names->left++;
	return 0;
}

/* What the answer lacks leaves, what it has comes, or comes back. There is room. */
static bool names_merge(struct names *names, struct name *name, const struct resolver_answer *answer)
{
	bool changed = false;

	for (size_t i = 0; i < name->count; i++) {
		struct name_addr *known = &name->addrs[i];
		bool left = !names_has(answer, &known->addr);

		if (left == known->left)
			continue;
		known->left = left;
		known->unused_walks = 0;
		names->left += left ? 1 : (size_t)-1;
		changed = true;
	}
	for (size_t i = 0; i < answer->count; i++) {
		if (names_find_addr(name, &answer->addrs[i]))
			continue;
		name->addrs[name->count++] = (struct name_addr){ .addr = answer->addrs[i] };
		changed = true;
	}
	return changed;
}

int names_answer(struct names *names, struct name *name, const struct resolver_answer *answer, uint64_t now_ns)
{
	struct name_addr *addrs;

	name->due_ns = names_next(names, name, answer->err, now_ns);
	name->failing = answer->err != 0;
	if (answer->err)
		return 0;
	addrs = realloc(name->addrs, (name->count + answer->count + 1) * sizeof(*addrs));
	if (!addrs)
		return -ENOMEM;
	name->addrs = addrs;
	name->resolved = true;
	return names_merge(names, name, answer);
}

void names_doubt(struct names *names, struct name *name, uint64_t now_ns)
{
	uint64_t earliest_ns = name->asked_ns + NAMES_DOUBT_S * NAMES_SECOND_NS;

	if (!names->interval_s || (name->due_ns == UINT64_MAX && !name->resolved))
		return;
	if (earliest_ns < now_ns)
		earliest_ns = now_ns;
	if (earliest_ns < name->due_ns)
		name->due_ns = earliest_ns;
}

void names_show(struct names *names, const struct conn_key *key)
{
	for (size_t i = 0; i < names->count; i++) {
		struct name_addr *own = names_find_addr(&names->items[i], &key->remote);

		if (!own)
			own = names_find_addr(&names->items[i], &key->local);
		if (own)
			own->used = true;
	}
}

bool names_end_walk(struct names *names)
{
	bool forgot = false;

	for (size_t i = 0; i < names->count; i++) {
		struct name *name = &names->items[i];
		size_t kept = 0;

		for (size_t k = 0; k < name->count; k++) {
			struct name_addr *own = &name->addrs[k];

			own->unused_walks = own->used || !own->left ? 0 : (uint8_t)(own->unused_walks + 1);
			own->used = false;
			if (own->unused_walks >= NAMES_UNUSED_WALKS) {
				names->left--;
				forgot = true;
			} else {
				name->addrs[kept++] = *own;
			}
		}
		name->count = kept;
	}
	return forgot;
}

void names_print(char *buf, size_t size, const struct name *name)
{
	char text[INET6_ADDRSTRLEN];
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < name->count; i++) {
		const struct addr *addr = &name->addrs[i].addr;

		if (name->addrs[i].left)
			continue;
		inet_ntop(addr_is_ipv4(addr) ? AF_INET : AF_INET6, addr_is_ipv4(addr) ? &addr->word[3] : addr->word, text, sizeof(text));
		if (used + strlen(text) + 3 > size)
			return;
		used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? ", " : "", text);
	}
}
