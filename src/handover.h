/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one instance leaves to the next on the same interface, so that no packet passes without programs in between and no
 * connection is lost: descriptors of its maps and links, each with a name. They travel over a socket (takeover.h) or through
 * systemd's descriptor store (service.h).
 *
 * The successor loads its own programs with these maps, and puts them into the place of the old ones in these links. It takes
 * the marks and the secret of the old one (map `config`). TC filters of clsact and the staging device stay by themselves and
 * are found again.
 *
 * Only instances of one ABI (bpf/abi.h) can follow each other.
 */
#ifndef MIMIC_HANDOVER_H
#define MIMIC_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>

#include "attach.h"
#include "datapath.h"
#include "filter_list.h"
#include "staging.h"

enum handover_item {
	HANDOVER_CONNS,
	HANDOVER_FILTERS,
	HANDOVER_PREFIXES,
	HANDOVER_EVENTS,
	HANDOVER_HELD,
	HANDOVER_COUNTERS,
	HANDOVER_TOTALS,
	HANDOVER_TRACES,
	HANDOVER_FRAGMENTS,
	HANDOVER_RESETS,
	HANDOVER_SHARED,
	HANDOVER_CONFIG,
	HANDOVER_MAPS, /* those before are maps, those behind are links */
	HANDOVER_XDP = HANDOVER_MAPS,
	HANDOVER_TC_INGRESS, /* -1 where the kernel has no tcx, and so below */
	HANDOVER_TC_EGRESS,
	HANDOVER_STAGING_NEAR, /* -1 where there is no staging device */
	HANDOVER_STAGING_FAR,
	HANDOVER_STAGING_TC,
	HANDOVER_ITEMS,
};

/* Descriptors; -1: none. */
struct handover {
	int fd[HANDOVER_ITEMS];
};

/* No item is there. */
void handover_init(struct handover *handover);

/* `conns`, `link-xdp`; static. */
const char *handover_name(enum handover_item item);

/* Takes over @fd as the item of that name; closes it if there is none, or has one already. */
void handover_put(struct handover *handover, const char *name, int fd);

bool handover_is_empty(const struct handover *handover);

/* The items of a running instance. They stay its own: no handover_close(). */
void handover_gather(struct handover *handover, const struct datapath *datapath, const struct attachment *attachment,
		     const struct staging *staging);

/*
 * Whether this program can follow on @ifindex. Returns 0, with *@config that of the predecessor; or -errno with *@why a static text that
 * says what is wrong: -EPROTO (another ABI), -ENODEV (another interface), -EBADF (not everything is there).
 */
int handover_check(const struct handover *handover, int ifindex, struct mimic_config *config, const char **why);

/* The maps, for struct datapath_options; @maps has room for HANDOVER_MAPS. They stay the handover's. Returns their number. */
size_t handover_maps(const struct handover *handover, struct datapath_map *maps);

/* Moves the links to where they belong. The rest stays. */
void handover_take_links(struct handover *handover, struct attachment *attachment, struct staging *staging);

/*
 * The filters that the maps of @datapath hold, with all their settings, into *@list, which is empty; @datapath counts them as set from now on.
 * Returns 0 or -errno.
 */
int handover_read_filters(struct datapath *datapath, struct filter_list *list);

/* Detaches the links, whoever else has them. */
void handover_detach(struct handover *handover);

void handover_close(struct handover *handover);

#endif
