// SPDX-License-Identifier: GPL-2.0-only
#include "succession.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "abifile.h"
#include "log.h"
#include "mend.h"
#include "service.h"
#include "util.h"

enum {
	SUCCESSION_CLAIM_TRIES = 200, /* each 50 ms, for the lock of an instance that ends */
};

void succession_init(struct succession *succession)
{
	handover_init(&succession->handover);
	succession->takeover = (struct takeover)TAKEOVER_INIT;
	succession->predecessor_fd = succession->listen_fd = -1;
	service_take_store(&succession->handover);
}

/* Whether the handover is one to go on with; its links are moved then. */
static bool succession_adopt(struct succession *succession)
{
	const char *why;
	int err = handover_check(&succession->handover, succession->netif->ifindex, &succession->before, &why);

	succession->follows = !err;
	if (err) {
		log_warn("Cannot go on with the connections of the instance before: %s; starting afresh", why);
		return false;
	}
	handover_take_links(&succession->handover, succession->attachment, succession->staging);
	return true;
}

static int succession_join(struct succession *succession, const char *lock)
{
	int fd = takeover_join(lock, &succession->handover);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	succession->predecessor_fd = fd;
	succession->borrowed = true;
	if (succession_adopt(succession))
		return 0;
	succession_forget(succession);
	succession->patient = true;
	return takeover_decline(&succession->predecessor_fd);
}

int succession_begin(struct succession *succession, const char *lock, bool takeover)
{
	if (handover_is_empty(&succession->handover))
		return takeover ? succession_join(succession, lock) : 0;
	if (succession_adopt(succession))
		return 0;
	/* Nobody serves them any more, and they would be in the way. */
	handover_detach(&succession->handover);
	handover_close(&succession->handover);
	service_forget_store();
	return 0;
}

int succession_claim(struct succession *succession, const char *lock, pid_t *holder)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	int err;

	if (succession->predecessor_fd >= 0)
		return 0;
	for (int i = 0;; i++) {
		err = runfile_claim(succession->runfile, lock, holder);
		if (err == -EBUSY && succession->follows)
			succession->borrowed = true; /* whoever runs there goes on with the same, by a takeover */
		if (err != -EBUSY || !succession->patient || i == SUCCESSION_CLAIM_TRIES)
			return err;
		nanosleep(&pause, NULL);
	}
}

void succession_apply(struct succession *succession, struct datapath_options *options)
{
	options->abi = abifile_own();
	if (!succession->follows)
		return;
	options->release_mark = succession->before.release_mark;
	options->staged_mark = succession->before.staged_mark;
	options->isn_key = succession->before.isn_key;
	options->map_count = handover_maps(&succession->handover, succession->maps);
	options->maps = succession->maps;
}

int succession_pause(struct succession *succession, const char *lock)
{
	int err, lock_fd = -1;

	if (succession->predecessor_fd < 0)
		return 0;
	err = takeover_pause(succession->predecessor_fd, &lock_fd, &succession->listen_fd);
	if (!err)
		err = runfile_inherit(succession->runfile, lock, lock_fd);
	if (err)
		util_close_fd(&lock_fd);
	if (err == -ECANCELED) { /* it ends, and its lock is free in a moment */
		util_close_fd(&succession->predecessor_fd);
		succession->predecessor_fd = -1;
		succession->patient = true;
	}
	return err;
}

void succession_forget(struct succession *succession)
{
	attach_leave(succession->attachment);
	staging_leave(succession->staging);
	handover_close(&succession->handover);
	succession->follows = succession->borrowed = false;
}

int succession_open_staging(struct succession *succession)
{
	int err = -ENODEV;

	if (succession->follows)
		err = staging_take(succession->staging, succession->netif, succession->datapath);
	if (!err)
		return 0;
	if (succession->follows) { /* it had none, or somebody has removed it */
		staging_leave(succession->staging);
		staging_clear(succession->netif);
	}
	return staging_open(succession->staging, succession->netif, succession->datapath);
}

int succession_attach(struct succession *succession, enum xdp_mode wanted)
{
	struct attachment *attachment = succession->attachment;

	attachment->xdp_mode = succession->datapath->shared->xdp_native ? XDP_MODE_NATIVE : XDP_MODE_SKB;
	if (wanted && wanted != attachment->xdp_mode)
		log_warn("XDP stays in %s mode, in which the instance before has attached it: stop Mimic and start it again for %s",
			 config_xdp_mode_name(attachment->xdp_mode), config_xdp_mode_name(wanted));
	return attach_replace(attachment, succession->netif->ifindex, succession->datapath->ingress_fd,
			      succession->datapath->repair_fd, succession->datapath->egress_fd);
}

/* --- as the predecessor */

static void succession_offer(void *context, struct handover *handover)
{
	struct succession *succession = context;

	handover_gather(handover, succession->datapath, succession->attachment, succession->staging);
}

static int succession_lock(void *context)
{
	struct succession *succession = context;

	return succession->runfile->fd;
}

int succession_restore_lock(struct succession *succession)
{
	char path[RUNFILE_PATH_MAX];
	pid_t holder;
	int err;

	if (runfile_is_ours(succession->runfile))
		return 0;
	memcpy(path, succession->runfile->path, sizeof(path));
	runfile_leave(succession->runfile);
	err = runfile_claim(succession->runfile, path, &holder);
	if (!err)
		return succession->publish(succession->context);
	memcpy(succession->runfile->path, path, sizeof(path)); /* for another try */
	return err;
}

static void succession_note(int *err, int more)
{
	if (!*err)
		*err = more;
}

static void succession_restore(void *context)
{
	struct succession *succession = context;
	struct mimic_shared *shared = succession->datapath->shared;
	int err = attach_replace(succession->attachment, succession->netif->ifindex, succession->datapath->ingress_fd,
				 succession->datapath->repair_fd, succession->datapath->egress_fd);

	/* Each step is worth doing, whatever became of the others; the first error is told. */
	if (succession->staging->near[0])
		succession_note(&err, staging_take(succession->staging, succession->netif, succession->datapath));
	shared->staging_ifindex = succession->staging->near[0] ? succession->staging->near_ifindex : 0;
	succession_note(&err, held_renew(&succession->daemon->held));
	succession_note(&err, succession->set_filters(succession->context));
	succession_note(&err, succession_restore_lock(succession));
	if (err)
		log_error("Cannot put everything right after a takeover that failed: %s; restart Mimic", strerror(-err));
}

static bool succession_on_peer(void *context)
{
	struct succession *succession = context;
	int fd = succession->takeover.peer_fd;
	bool end = takeover_serve(&succession->takeover);

	if (succession->takeover.peer_fd != fd)
		daemon_forget_source(succession->daemon, fd);
	return end;
}

static bool succession_on_listener(void *context)
{
	struct succession *succession = context;
	int err;

	if (!takeover_accept(&succession->takeover))
		return false;
	err = daemon_add_source(succession->daemon, succession->takeover.peer_fd, succession_on_peer, succession);
	if (err)
		log_warn("Cannot listen to a successor: %s", strerror(-err));
	return false;
}

int succession_restore_socket(struct succession *succession)
{
	struct takeover *takeover = &succession->takeover;
	int before = takeover->listen_fd;
	int err = takeover_listen_again(takeover);

	if (err)
		return err;
	daemon_forget_source(succession->daemon, before);
	return daemon_add_source(succession->daemon, takeover->listen_fd, succession_on_listener, succession);
}

void succession_store(struct succession *succession)
{
	struct handover handover;

	handover_gather(&handover, succession->datapath, succession->attachment, succession->staging);
	service_store(&handover);
}

/* Not under a successor, who has the link, too: when it has gone. */
static void succession_remind(struct succession *succession)
{
	static struct log_rate rate = LOG_RATE_INIT(60);
	int err;

	if (!succession->forgotten || succession->takeover.peer_fd >= 0)
		return;
	err = attach_xdp_again(succession->attachment, succession->datapath->ingress_fd);
	if (err) {
		log_rate_limited(&rate, LOG_LEVEL_ERROR,
				 "The machine has slept, and XDP cannot be attached anew: %s; nothing is received until that works, each second",
				 strerror(-err));
		return;
	}
	succession->forgotten = false;
	succession_store(succession);
	log_info("The machine has slept: XDP is attached anew, which %s has forgotten", succession->netif->driver);
}

static void succession_on_wake(void *context)
{
	struct succession *succession = context;

	succession->forgotten = attach_is_forgotten(succession->attachment, succession->netif->driver);
	succession_remind(succession);
}

static void succession_each_second(void *context)
{
	struct succession *succession = context;
	int fd = succession->takeover.peer_fd;

	succession_remind(succession);
	mend_each_second(succession);
	service_ping();
	takeover_tick(&succession->takeover);
	if (succession->takeover.peer_fd != fd)
		daemon_forget_source(succession->daemon, fd);
}

void succession_complete(struct succession *succession)
{
	static const struct takeover_ops ops = {
		.offer = succession_offer, .lock = succession_lock, .restore = succession_restore,
	};
	int err;

	succession->takeover.ops = &ops;
	succession->takeover.context = succession;
	err = takeover_listen(&succession->takeover, succession->runfile->path, TAKE_FD(succession->listen_fd));
	if (!err)
		err = daemon_add_source(succession->daemon, succession->takeover.listen_fd, succession_on_listener, succession);
	if (err)
		log_warn("Nobody will be able to take over (--takeover): %s", strerror(-err));
	succession->daemon->each_second = succession_each_second;
	succession->daemon->on_wake = succession_on_wake;
	succession->daemon->on_filters = mend_on_filters;
	succession->daemon->each_second_context = succession;
	if (succession->predecessor_fd >= 0)
		takeover_finish(&succession->predecessor_fd);
	succession->borrowed = false;
	handover_close(&succession->handover);
	succession_store(succession);
}

void succession_end(struct succession *succession)
{
	succession->borrowed = succession->takeover.given ||
			       (succession->daemon->stopped_by == SIGTERM && succession->attachment->xdp_link >= 0 && service_is_restarted());
	if (succession->borrowed && !succession->takeover.given)
		log_info("Everything stays attached for the instance that systemd starts next");
	if (succession->borrowed)
		daemon_hand_over(succession->daemon);
}

void succession_close(struct succession *succession)
{
	if (succession->borrowed && !succession->takeover.given && succession->predecessor_fd >= 0)
		succession->takeover.given = true; /* the socket is the predecessor's */
	takeover_close(&succession->takeover);
	util_close_fd(&succession->listen_fd);
	util_close_fd(&succession->predecessor_fd);
	succession->listen_fd = succession->predecessor_fd = -1;
	if (!succession->borrowed) {
		handover_detach(&succession->handover);
		service_forget_store();
	}
	handover_close(&succession->handover);
}
