// SPDX-License-Identifier: GPL-2.0-only
#include "filter_ports.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

struct filter_ports {
	void *ends; /* tree of struct filter_prefix */
	uint32_t prefixes;
	uint32_t count[2][65536]; /* by origin and port */
};

static int filter_ports_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct filter_prefix));
}

static bool filter_ports_is_prefix(const struct filter_prefix *end)
{
	return end->bits < FILTER_KEY_HEAD_BITS + ADDR_BITS;
}

static uint32_t *filter_ports_at(struct filter_ports *ports, const struct filter_prefix *end)
{
	return &ports->count[end->key.origin == ORIGIN_REMOTE][be16_to_host(end->key.port)];
}

struct filter_ports *filter_ports_new(void)
{
	return calloc(1, sizeof(struct filter_ports));
}

int filter_ports_add(struct filter_ports *ports, const struct filter_prefix *end)
{
	struct filter_prefix *copy;

	if (tfind(end, &ports->ends, filter_ports_compare))
		return 0;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	*copy = *end;
	if (!tsearch(copy, &ports->ends, filter_ports_compare)) {
		free(copy);
		return -ENOMEM;
	}
	++*filter_ports_at(ports, end);
	ports->prefixes += filter_ports_is_prefix(end);
	return 1;
}

bool filter_ports_remove(struct filter_ports *ports, const struct filter_prefix *end)
{
	void *node = tfind(end, &ports->ends, filter_ports_compare);
	struct filter_prefix *own;

	if (!node)
		return false;
	own = *(struct filter_prefix **)node;
	--*filter_ports_at(ports, own);
	ports->prefixes -= filter_ports_is_prefix(own);
	tdelete(own, &ports->ends, filter_ports_compare);
	free(own);
	return true;
}

void filter_ports_clear(struct filter_ports *ports)
{
	while (ports->ends)
		filter_ports_remove(ports, *(struct filter_prefix **)ports->ends);
}

uint32_t filter_ports_prefixes(const struct filter_ports *ports)
{
	return ports->prefixes;
}

uint32_t filter_ports_count(const struct filter_ports *ports, enum filter_origin origin, uint16_t number)
{
	return ports->count[origin == ORIGIN_REMOTE][number];
}

void filter_ports_free(struct filter_ports *ports)
{
	if (!ports)
		return;
	filter_ports_clear(ports);
	free(ports);
}
