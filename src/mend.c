// SPDX-License-Identifier: GPL-2.0-only
#include "mend.h"

#include <errno.h>
#include <string.h>

#include "live.h"
#include "log.h"
#include "succession.h"
#include "util.h"

enum {
	MEND_PAUSE_S = 60, /* at most, between programs that are attached again and again */
};

/* Somebody who removes programs as often as Mimic attaches them gets to do so ever more rarely. Returns the pause in seconds. */
static unsigned int mend_pace(struct succession *succession, uint64_t now_ns)
{
	uint64_t most_ns = MEND_PAUSE_S * NSEC_PER_SEC;
	bool quiet = !succession->mended_ns || now_ns - succession->mended_ns > 2 * most_ns;
	uint64_t pause_ns = quiet ? NSEC_PER_SEC : 2 * succession->mend_pause_ns;

	succession->mend_pause_ns = pause_ns < most_ns ? pause_ns : most_ns;
	succession->mended_ns = now_ns;
	succession->mend_next_ns = now_ns + succession->mend_pause_ns;
	return (unsigned int)(succession->mend_pause_ns / NSEC_PER_SEC);
}

/* Unlike links, filters of clsact can be removed by anybody (`tc qdisc del dev eth0 clsact`): ours, and the guard of plain UDP. */
static void mend_filters(struct succession *succession, uint64_t now_ns)
{
	static struct log_rate rate = LOG_RATE_INIT(60);
	const char *ifname = succession->netif->name;
	int again, guard;

	if (!succession->doubted)
		return;
	again = attach_tc_again(succession->attachment, succession->datapath->repair_fd, succession->datapath->egress_fd);
	if (again < 0) {
		log_rate_limited(&rate, LOG_LEVEL_ERROR,
				 "Somebody has removed Mimic's TC filters from %s, and they cannot be attached again: %s%s; nothing is carried until that "
				 "works, each second", ifname, strerror(-again), again == -EBUSY ? " (a qdisc `ingress` is in the place of clsact)" : "");
		return;
	}
	guard = succession->daemon->live ? live_mend_guard(succession->daemon->live) : 0;
	succession->doubted = guard < 0;
	if (!again && !guard)
		return;
	log_warn("Somebody has removed %s from %s: %s; if that happens again, Mimic waits %u s",
		 again ? "Mimic's TC filters" : "the guard of plain UDP", ifname,
		 guard < 0 ? "it cannot be set again" : "attached again, but plain UDP may have left meanwhile",
		 mend_pace(succession, now_ns));
}

/*
 * A link can be detached by whoever may read its id (`bpftool link detach`), and nobody tells us. Not where the lock file is gone: then it was
 * `mimic stop`, for which we were dead.
 */
static void mend_links(struct succession *succession, uint64_t now_ns)
{
	static struct log_rate rate = LOG_RATE_INIT(60);
	const struct datapath *datapath = succession->datapath;
	const char *ifname = succession->netif->name;
	int again;

	if (!attach_is_detached(succession->attachment) || !runfile_is_ours(succession->runfile))
		return;
	again = attach_links_again(succession->attachment, datapath->ingress_fd, datapath->repair_fd, datapath->egress_fd);
	if (!again) {
		succession_store(succession);
		log_warn("Somebody has detached Mimic's programs from %s: attached again, but plain UDP may have left meanwhile; if that happens again, "
			 "Mimic waits %u s", ifname, mend_pace(succession, now_ns));
	} else {
		log_rate_limited(&rate, LOG_LEVEL_ERROR,
				 "Somebody has detached Mimic's programs from %s, and they cannot be attached again: %s; nothing is carried until that "
				 "works, each second", ifname,
				 again == -EBUSY || again == -EEXIST ? "another XDP program is in the place" : strerror(-again));
	}
}

static void mend_staging(struct succession *succession)
{
	struct staging *staging = succession->staging;
	uint64_t lost = staging->lost;

	if (!staging_is_gone(staging))
		return;
	staging_leave(staging);
	if (staging_open(staging, succession->netif, succession->datapath)) {
		staging_close(staging);
		log_warn("Somebody has deleted the staging device of %s: UDP GSO and some tunnels' packets will be dropped", succession->netif->name);
	} else {
		log_warn("Somebody has deleted the staging device of %s: made again", succession->netif->name);
	}
	staging->lost = lost;
	succession->datapath->shared->staging_ifindex = staging->near[0] ? staging->near_ifindex : 0;
	succession_store(succession);
}

/* It could not be written (a full disk, say), or somebody has removed it; but see mend_links(). */
static void mend_lock(struct succession *succession)
{
	static struct log_rate rate = LOG_RATE_INIT(60);
	char path[RUNFILE_PATH_MAX];
	int err;

	if (runfile_is_removed(succession->runfile) && !attach_is_detached(succession->attachment)) {
		memcpy(path, succession->runfile->path, sizeof(path));
		err = succession_restore_lock(succession);
		if (!err)
			log_warn("Somebody has removed the lock file %s: written again", path);
		else
			log_rate_limited(&rate, LOG_LEVEL_ERROR, "Somebody has removed the lock file %s, and it cannot be written again: %s", path,
					 strerror(-err));
		return;
	}
	if (succession->unpublished && !succession->publish(succession->context))
		log_info("The lock file %s can be written again", succession->runfile->path);
}

/* Without the lock file it is mend_lock()'s turn, or that of mend_links(). */
static void mend_socket(struct succession *succession)
{
	static struct log_rate rate = LOG_RATE_INIT(60);
	const char *path = succession->takeover.path;
	int err;

	if (!takeover_is_removed(&succession->takeover) || !runfile_is_ours(succession->runfile))
		return;
	err = succession_restore_socket(succession);
	if (!err)
		log_warn("Somebody has removed the socket %s, which --takeover needs: made again", path);
	else
		log_rate_limited(&rate, LOG_LEVEL_ERROR, "Somebody has removed the socket %s, which --takeover needs, and it cannot be made again: %s",
				 path, strerror(-err));
}

/* With a pause after each time that something was attached again. */
static void mend_attached(struct succession *succession)
{
	uint64_t now_ns = clock_now_ns();

	if (now_ns < succession->mend_next_ns || succession->takeover.peer_fd >= 0)
		return;
	mend_links(succession, now_ns);
	mend_filters(succession, now_ns);
}

void mend_on_filters(void *context)
{
	struct succession *succession = context;

	succession->doubted = true;
	mend_attached(succession);
}

void mend_each_second(struct succession *succession)
{
	mend_attached(succession);
	if (succession->takeover.peer_fd >= 0)
		return;
	mend_staging(succession);
	mend_lock(succession);
	mend_socket(succession);
}
