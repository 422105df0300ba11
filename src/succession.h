/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a run begins where another one was, and ends where another one follows: with the maps and links of a handover, from the running
 * instance (--takeover) or from systemd's descriptor store (service.h). cmd_run.c decides when; what these functions do
 * for a run that follows nobody is said with each of them.
 */
#ifndef MIMIC_SUCCESSION_H
#define MIMIC_SUCCESSION_H

#include <stdbool.h>

#include "attach.h"
#include "daemon.h"
#include "datapath.h"
#include "handover.h"
#include "netif.h"
#include "runfile.h"
#include "staging.h"
#include "takeover.h"

struct succession {
	/* Of the run: */
	const struct netif *netif;
	struct runfile *runfile;
	struct datapath *datapath;
	struct daemon *daemon;
	struct attachment *attachment;
	struct staging *staging;
	/* A successor has failed: sets all filters, and publishes the lock file. */
	int (*set_filters)(void *context);
	int (*publish)(void *context);
	void *context;

	struct handover handover;	/* of the predecessor */
	struct datapath_map maps[HANDOVER_MAPS];
	struct mimic_config before;	/* what it told its programs */
	bool follows;	/* goes on with that handover */
	bool borrowed;	/* what is attached is somebody else's: the predecessor's still, or the successor's */
	bool forgotten; /* the machine has slept, and XDP is to be attached anew */
	int unpublished; /* why the lock file does not say what is so: -errno, or 0 */
	bool doubted;	/* TC filters may be gone, see mend_on_filters() */
	uint64_t mended_ns, mend_next_ns, mend_pause_ns; /* attached again last; not before; what to wait after the next time */
	bool patient;	/* the predecessor ends, and the lock will be free in a moment */
	int predecessor_fd; /* -1: none that lives */
	int listen_fd;
	struct takeover takeover;
};

/* Takes what systemd has kept. The pointers of *@succession are set already. */
void succession_init(struct succession *succession);

/*
 * Decides whether to follow somebody: whoever left something to systemd, or with @takeover the instance that runs. @lock is the path of the lock
 * file. Returns 0 (see `follows`) or -errno, logged.
 */
int succession_begin(struct succession *succession, const char *lock, bool takeover);

/* As runfile_claim(), which waits for a predecessor that ends. A predecessor that runs gives its lock later. */
int succession_claim(struct succession *succession, const char *lock, pid_t *holder);

/* Marks, secret and maps of the predecessor, if there is one. */
void succession_apply(struct succession *succession, struct datapath_options *options);

/*
 * Everything is loaded: from now on a predecessor that runs stands still. Returns 0; -ECANCELED: it was stopped meanwhile, so the run has to
 * start afresh (succession_forget()); or -errno, logged.
 */
int succession_pause(struct succession *succession, const char *lock);

/* Follows nobody any more. */
void succession_forget(struct succession *succession);

/* Makes the staging device, or goes on with that of the predecessor. Returns 0 or -errno, logged. */
int succession_open_staging(struct succession *succession);

/* Puts the programs into the place of the predecessor's; @wanted is only warned of. Returns 0 or -errno, logged. */
int succession_attach(struct succession *succession, enum xdp_mode wanted);

/* Attached and published: the predecessor ends, and a successor may ask. Fails never; logs. */
void succession_complete(struct succession *succession);

/* Lets systemd keep what a next instance needs: after each change of a link. */
void succession_store(struct succession *succession);

/*
 * Claims and publishes a lock file anew where the one at its path is not ours: a successor's, whose lock has gone with it, or none. Returns 0 or
 * -errno; then it may be tried again.
 */
int succession_restore_lock(struct succession *succession);

/* Listens for successors beside the lock file again, which is ours. Returns 0 or -errno; then it may be tried again. */
int succession_restore_socket(struct succession *succession);

/* The loop has ended. Sets `borrowed` if somebody follows. */
void succession_end(struct succession *succession);

/* Gives everything up that is not borrowed, and is not done by others. For all ends of a run, before it is taken down. */
void succession_close(struct succession *succession);

#endif
