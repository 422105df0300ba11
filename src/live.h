/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filters of an instance, and how they follow the world: the addresses of the interface, what host names resolve to, and
 * the configuration file (reload.h). Whatever changes, the filters are made anew as a whole and compared with those that are
 * set (filter_sync.h), so that packets and connections of all others notice nothing.
 */
#ifndef MIMIC_LIVE_H
#define MIMIC_LIVE_H

#include "args.h"
#include "clock.h"
#include "config.h"
#include "datapath.h"
#include "filter_list.h"
#include <stdbool.h>

#include "filter_sync.h"
#include "names.h"
#include "netif.h"
#include "resolver.h"
#include "udpguard_rules.h"

enum {
	LIVE_UNGUARDED = 1,
};

struct live {
	/* All of them outlive this. */
	const struct args_run *args;   /* the command line, which a reload begins with */
	struct config *config;	       /* in force */
	struct conn_settings *settings; /* the global ones in force */
	struct filter_list *filters;   /* in force */
	struct netif *netif;	       /* its addresses are read anew when they change */
	struct datapath *datapath;
	struct clock *clock;
	/* Writes the lock file anew, when filters or settings have changed. Errors are logged there. */
	int (*publish)(void *context);
	void *context;

	bool ethernet; /* frames of the interface begin with an Ethernet header */

	/*
	 * A host name that does not exist now is no error at the start: an instance before knows of addresses, or this is a service, which
	 * may start before there is DNS.
	 */
	bool lenient;

	struct names names;
	struct resolver *resolver;
	struct udpguard_rules guard; /* in force; no items before the first */
};

/*
 * Makes the filters of *live->config, for the first time: *live->filters is empty, datapath and clock are not needed yet. Waits some
 * seconds for host names; one that nobody can resolve now is a warning, and is tried again by live_tick(). All errors are logged, not the
 * first only. Returns 0 or -errno.
 * live_close() is allowed in any case.
 */
int live_start(struct live *live);

/* From now on the clock shows connections: live->clock is there. */
void live_watch_walks(struct live *live);

/*
 * live->filters to a datapath that has those of an instance before, @before, each with all of its settings; connections follow. Addresses of
 * the interface are read again before, and what the other instance knew of host names stays as long as connections use it. Returns 0 or
 * -errno, logged.
 */
int live_set_filters(struct live *live, const struct filter_list *before);

/*
 * To another configuration, which has been checked. *@config is taken over, or stays the caller's on errors, which are logged; then
 * nothing has changed. Fills *@result. Returns 0 or -errno; LIVE_UNGUARDED: all is changed, but for the guard of plain UDP, which is
 * logged.
 */
int live_change(struct live *live, struct config *config, struct filter_sync_result *result);

/* Looks for errors of a configuration that has others already, so that all are known. They are logged; nothing changes. */
void live_look(const struct live *live, const struct config *config);

/* The addresses of the interface may have changed. */
void live_follow_addresses(struct live *live);

/* A peer does not answer: if it came from a host name, that is looked up again. */
void live_doubt(struct live *live, const struct conn_key *key, uint64_t now_ns);

/* Asks for names that are due. To be called every 50 ms or so. */
void live_tick(struct live *live, uint64_t now_ns);

/* resolver_fd(live->resolver) is readable. */
void live_take_answer(struct live *live, uint64_t now_ns);

/* The clock has shown all connections. */
void live_end_walk(struct live *live);

/* The guard of plain UDP may be gone. Returns 1 when it was and is set again, 0 when there is nothing to do, or -errno, logged. */
int live_mend_guard(struct live *live);

/* Mimic ends: from now on the guard of plain UDP has nobody to see to it, if there shall be one. */
void live_end_guard(struct live *live);

/* Waits for no resolver. */
void live_close(struct live *live);

#endif
