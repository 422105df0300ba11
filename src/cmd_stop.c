// SPDX-License-Identifier: GPL-2.0-only
/* `mimic stop`: ends the instance on an interface, and removes whatever any instance has left there. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "args.h"
#include "attach.h"
#include "leftover.h"
#include "log.h"
#include "netif.h"
#include "runfile.h"
#include "staging.h"
#include "takeover.h"
#include "udpguard.h"
#include "util.h"

struct stop_args {
	const char *ifname;
	bool open; /* plain UDP may leave from now on */
};

enum {
	KEY_OPEN = 0x100,

	STOP_PATIENCE_MS = 5000, /* for the instance to end */
	STOP_INSTANCES_MAX = 4,	 /* that follow each other meanwhile */
};

/* Returns 0, -ESRCH when it has ended by itself, or -errno, logged. */
static int stop_process(pid_t pid, const char *path, const char *ifname)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ended = { .fd = fd, .events = POLLIN };
	int err = 0;

	if (fd < 0)
		err = -errno;
	/* Only now is it sure that the number is still that of the instance. */
	else if (runfile_find_holder(path) != pid)
		return -ESRCH;
	else if (syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0))
		err = -errno;
	if (err == -ESRCH)
		return err;
	if (err) {
		log_error("Cannot end Mimic on %s, process %d: %s%s", ifname, (int)pid, strerror(-err),
			  err == -EPERM ? "; run as root" : "");
		return err;
	}
	switch (poll(&ended, 1, STOP_PATIENCE_MS)) {
	case 1:
		log_info("Mimic on %s, process %d, has ended", ifname, (int)pid);
		return 0;
	case 0:
		log_error("Mimic on %s, process %d, does not end within %d s; see what it waits for, or kill it (kill -9 %d) and "
			  "say `mimic stop %s` again",
			  ifname, (int)pid, STOP_PATIENCE_MS / 1000, (int)pid, ifname);
		return -ETIMEDOUT;
	default:
		return -errno;
	}
}

/* What is there without a process. Returns 0 or -errno, logged. */
static int stop_clean(const struct netif *netif, const char *path)
{
	_cleanup_runfile_ struct runfile runfile = RUNFILE_INIT;
	struct attachment attachment = ATTACHMENT_INIT;
	char socket_path[TAKEOVER_PATH_MAX];
	pid_t holder = 0;
	int err;

	err = runfile_claim(&runfile, path, &holder);
	if (err) {
		log_error("Cannot lock %s: %s%s", path, strerror(-err), err != -EACCES && err != -EPERM ? "" :
			  geteuid()			 ? "; run as root" :
							   "; " RUNFILE_DIR " and what is there has to belong to root, and nobody else may write there");
		return err;
	}
	err = leftover_detach(netif->ifindex);
	attach_clear(&attachment, netif->ifindex);
	attach_detach(&attachment); /* the qdisc, if it was Mimic's */
	staging_clear(netif);
	if (!takeover_path(socket_path, sizeof(socket_path), path))
		unlink(socket_path);
	if (err)
		log_error("Something of Mimic is left on %s (%s): `bpftool net show dev %s` names it", netif->name, strerror(-err),
			  netif->name);
	return err;
}

/* The guard of plain UDP is there to stay, unless it is said to go. Returns 0 or -errno, logged. */
static int stop_open(const struct netif *netif, bool open)
{
	uint64_t dropped = 0;
	bool found = false;
	int err = udpguard_read(netif->ifindex, &dropped);

	if (err && !open)
		return 0;
	if (!open) {
		log_info("Plain UDP of filters with udp=drop is kept in on %s; `mimic stop --open %s` lets it out", netif->name, netif->name);
		return 0;
	}
	err = udpguard_remove(netif->ifindex, &found);
	if (err && err != -ENOENT && err != -EOPNOTSUPP) {
		log_error("Cannot remove the guard of plain UDP on %s: %s", netif->name, strerror(-err));
		return err;
	}
	if (found)
		log_info("Plain UDP may leave by %s again; the guard has dropped %" PRIu64 " datagrams", netif->name, dropped);
	return 0;
}

static int stop(const char *ifname, bool open)
{
	_cleanup_netif_ struct netif netif = { 0 };
	char path[RUNFILE_PATH_MAX];
	int err = netif_open(&netif, ifname);
	bool ran = false, left;
	pid_t pid = 0;

	if (!err)
		err = runfile_path(path, sizeof(path), RUNFILE_DIR, netif.netns, netif.ifindex);
	if (err) {
		log_error(err == -ENODEV ? "There is no interface %s; `ip link` lists them" : "Cannot read the interface %s", ifname);
		return err;
	}
	for (int i = 0; i < STOP_INSTANCES_MAX; i++) {
		pid = runfile_find_holder(path);
		if (!pid)
			break;
		err = stop_process(pid, path, ifname);
		if (err && err != -ESRCH)
			return err;
		ran = true;
	}
	if (pid && runfile_find_holder(path)) {
		log_error("Something starts Mimic on %s again and again; stop that first (systemctl stop mimic@%s)", ifname, ifname);
		return -EBUSY;
	}
	left = !access(path, F_OK);
	err = stop_clean(&netif, path);
	if (!err && !ran)
		log_info("No Mimic runs on %s%s", ifname, left ? "; removed the lock file of one that was killed" : "");
	return err ? err : stop_open(&netif, open);
}

static error_t stop_parse(int key, char *arg, struct argp_state *state)
{
	struct stop_args *args = state->input;

	if (key == ARGP_KEY_ARG || key == ARGP_KEY_NO_ARGS)
		return args_take_ifname(&args->ifname, key, arg, state);
	if (key != KEY_OPEN)
		return ARGP_ERR_UNKNOWN;
	args->open = true;
	return 0;
}

int cmd_stop(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "open", KEY_OPEN, NULL, 0, "Let plain UDP out that udp=drop keeps in", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options,
		.parser = stop_parse,
		.args_doc = "<interface>",
		.doc = "End the instance that runs on the interface, and remove whatever any instance has left there.",
	};
	struct stop_args args = { 0 };
	int err = args_parse(&argp, argc, argv, &args);

	return err ? err : stop(args.ifname, args.open);
}
