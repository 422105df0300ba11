/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lock file of a running `mimic run`: /run/mimic/<network namespace's inode number,
 * hex>_<ifindex>.lock
 *
 * It is the sign "ready" for other programs (the line `pid=`, which comes only with runfile_publish()), and what `mimic show` reads.
 * Anybody may open it, and whoever has a file open may lock it. So what excludes a second instance is a file beside it that only
 * its owner can open, PATH.claim (0600): a flock(2) on that, held for the daemon's life, so that it ends with the process whatever kills it.
 *
 *	claim	 PATH.claim exists and is locked; PATH is empty
 *	publish	 the content appears at once: PATH.new is renamed over PATH. A successor, which has inherited the lock, puts a claim of
 *		 its own into the place of the old one before, in the same way.
 *	remove	 PATH, then PATH.claim are unlinked while that is still locked
 *
 * Since an unlink leaves the lock on a file without a name, whoever gets a lock looks whether the path still leads to it, and else
 * begins again.
 *
 * The directory has to belong to the user of this process (root), and nobody else may write there: then nobody can put anything into the
 * place of what was looked at.
 */
#ifndef MIMIC_RUNFILE_H
#define MIMIC_RUNFILE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "core/settings.h"
#include "filter_list.h"

#define RUNFILE_DIR "/run/mimic"

enum {
	RUNFILE_PATH_MAX = 256,
};

/* The claim. fd, of PATH.claim, is -1 when there is none. */
struct runfile {
	int fd;
	dev_t dev; /* which file PATH leads to as long as it is ours */
	ino_t ino;
	bool inherited; /* the lock is another process's still */
	char path[RUNFILE_PATH_MAX];
};

#define RUNFILE_INIT     \
	{                \
		.fd = -1 \
	}

#define _cleanup_runfile_ __attribute__((cleanup(runfile_remove)))

/* The content. Zero-filled it is empty. Texts that a file does not have are empty. */
struct run_info {
	char version[32];
	pid_t pid;		       /* 0: none, the instance is not ready yet */
	char link_type[16];	       /* eth, none */
	__u32 egress_id, ingress_id;   /* kernel ids of programs */
	__u32 whitelist_id, conns_id;  /* kernel ids of maps */
	__u32 counters_id;	       /* and of this one; 0: unknown, not in the file */
	__u32 totals_id, shared_id;    /* and of the totals of filters, and the variables; likewise */
	__u32 traces_id;	       /* and of the ring of traces */
	char xdp_mode[16];	       /* in force: native, skb or hardware */
	char datapath[16];	       /* bpf, kfunc; empty: a file of Mimic 0.7.x */
	struct conn_settings settings; /* global ones in force */
	char **filters;		       /* texts as of filter_print(). Owned. */
	size_t filter_count;
};

#define _cleanup_run_info_ __attribute__((cleanup(runfile_free_info)))

/* Makes the path of a lock file in @dir (RUNFILE_DIR). Returns 0 or -ENAMETOOLONG. */
int runfile_path(char *buf, size_t size, const char *dir, ino_t netns, int ifindex);

/*
 * Claims @path for this process; its directory is made if missing (0755). A file that a dead
 * process left is taken over, whatever is in it.
 *
 * Returns 0, with the file empty and the claim locked; -EBUSY when another instance runs, with its PID in
 * *@holder (0 if it cannot be found out); -ENOTDIR when the directory is a symbolic link or none; -EPERM when it, or what is there,
 * belongs to another user, or others may write there; -ELOOP or -EINVAL when one of the files is no regular file; or another -errno.
 *
 * An instance of 0.7.x holds no lock on the file; there a living `mimic` process of the file's PID
 * counts.
 */
int runfile_claim(struct runfile *runfile, const char *path, pid_t *holder);

/*
 * Puts @info into the claimed file, all at once; readers see the old or the new content. May be
 * repeated. Returns 0 or -errno; on errors the old content stays.
 */
int runfile_publish(struct runfile *runfile, const struct run_info *info);

/* Goes on with a claim that another process has, whose descriptor @fd is and stays locked. Returns 0 or -ENAMETOOLONG; then @fd is the caller's. */
int runfile_inherit(struct runfile *runfile, const char *path, int fd);

/* Whether the paths still lead to the claimed file and its claim: no successor has published its own. */
bool runfile_is_ours(const struct runfile *runfile);

/* Whether somebody has removed the claimed file, or its claim, and there is no other in the place. */
bool runfile_is_removed(const struct runfile *runfile);

/* Gives up the claim and leaves the file: it is somebody else's. */
void runfile_leave(struct runfile *runfile);

/* Removes the file if it is ours, and gives up the claim. Without a claim it does nothing. Returns 0, or -errno: the file stays. */
int runfile_remove(struct runfile *runfile);

/*
 * Reads the file @path into *@info, which needs no initial value. Unknown keys and damaged lines
 * are skipped, the order does not matter, and what is missing is empty (settings: the defaults).
 * Returns 0 or -errno (-ENOENT: nothing runs there). After success, release with
 * runfile_free_info().
 */
int runfile_read(const char *path, struct run_info *info);

/*
 * Replaces the filters of *@info by those of @list as text, relative to info->settings, which have
 * to be set before. Returns 0 or -ENOMEM.
 */
int runfile_set_filters(struct run_info *info, const struct filter_list *list);

/*
 * The PID of the instance that holds the file @path with the content @info: it has locked its claim, or is a living one of 0.7.x.
 * 0: none. Where the list does not name it, a process of the PID in the file counts that is called mimic; where the kernel's list of locks cannot be read (/proc/locks), a living process of the PID in the file counts.
 */
pid_t runfile_holder(const char *path, const struct run_info *info);

/* The same, of whatever the file has. */
pid_t runfile_find_holder(const char *path);

/* Whether a process of this PID lives (zombies do not). */
bool runfile_process_lives(pid_t pid);

void runfile_free_info(struct run_info *info);

#endif
