// SPDX-License-Identifier: GPL-2.0-only
#include "service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "abifile.h"
#include "clock.h"
#include "log.h"
#include "util.h"

#ifdef HAVE_SYSTEMD

#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-login.h>

enum {
	SERVICE_BARRIER_US = 1000000,
	SERVICE_BUS_US = 2500000, /* for each of five calls; packets flow meanwhile, and TimeoutStopSec allows for it */
};

#define SERVICE_BUS   "org.freedesktop.systemd1"
#define SERVICE_PRIVATE "unix:path=/run/systemd/private"

static unsigned int service_stored; /* descriptors that systemd was given */

bool service_is_one(void)
{
	return getenv("NOTIFY_SOCKET");
}

void service_take_store(struct handover *handover)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names);

	for (int i = 0; i < count; i++) {
		handover_put(handover, names[i], SD_LISTEN_FDS_START + i);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
}

static int service_store_item(const char *name, int fd)
{
	char state[128];

	/* What another instance of this unit has left under the name goes. No polling: these descriptors never hang up. */
	snprintf(state, sizeof(state), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	sd_notify(0, state);
	if (fd < 0)
		return 0;
	snprintf(state, sizeof(state), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	return sd_pid_notify_with_fds(0, 0, state, &fd, 1);
}

void service_store(const struct handover *handover)
{
	if (!service_is_one())
		return;
	service_stored = 0;
	for (int i = 0; i < HANDOVER_ITEMS; i++) {
		int err = service_store_item(handover_name((enum handover_item)i), handover->fd[i]);

		if (err < 0)
			log_warn("Cannot leave %s to systemd: %s; a restart will lose the connections",
				 handover_name((enum handover_item)i), strerror(-err));
		else
			service_stored += handover->fd[i] >= 0;
	}
}

void service_forget_store(void)
{
	char state[128];

	if (!service_is_one())
		return;
	for (int i = 0; i < HANDOVER_ITEMS; i++) {
		snprintf(state, sizeof(state), "FDSTOREREMOVE=1\nFDNAME=%s", handover_name((enum handover_item)i));
		sd_notify(0, state);
	}
	sd_notify_barrier(0, SERVICE_BARRIER_US);
}

void service_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void service_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void service_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=Stopping");
}

void service_ping(void)
{
	static uint64_t next_ns;
	uint64_t limit_us, now_ns = clock_now_ns();

	if (now_ns < next_ns)
		return;
	if (sd_watchdog_enabled(0, &limit_us) <= 0) {
		next_ns = UINT64_MAX;
		return;
	}
	sd_notify(0, "WATCHDOG=1");
	next_ns = now_ns + limit_us * 1000 / 2 - NSEC_PER_SEC / 2;
}

/* --- is it a restart? */

#define _cleanup_bus_	__attribute__((cleanup(sd_bus_flush_close_unrefp)))
#define _cleanup_reply_ __attribute__((cleanup(sd_bus_message_unrefp)))

/* systemd itself, where no message bus runs. */
static int service_open_private(sd_bus **made)
{
	_cleanup_bus_ sd_bus *bus = NULL;
	int err = sd_bus_new(&bus);

	if (err >= 0)
		err = sd_bus_set_address(bus, SERVICE_PRIVATE);
	if (err >= 0)
		err = sd_bus_start(bus);
	if (err >= 0)
		*made = TAKE_PTR(bus);
	return err;
}

static int service_open_bus(sd_bus **bus)
{
	int err = sd_bus_open_system(bus);

	if (err < 0)
		err = service_open_private(bus);
	if (err >= 0)
		sd_bus_set_method_call_timeout(*bus, SERVICE_BUS_US);
	return err;
}

/* The object of the unit that we are. *@path lives as long as *@reply, which is the caller's. Returns a negative errno on errors. */
static int service_find_unit(sd_bus *bus, sd_bus_message **reply, const char **path)
{
	int err = sd_bus_call_method(bus, SERVICE_BUS, "/org/freedesktop/systemd1", SERVICE_BUS ".Manager", "GetUnitByPID", NULL, reply, "u",
				     (uint32_t)getpid());

	return err < 0 ? err : sd_bus_message_read(*reply, "o", path);
}

/* The type of the job that the unit has: restart, stop ... Returns 0 and a text of the caller's; -ENOENT: it has none; or another -errno. */
static int service_read_job(sd_bus *bus, char **type)
{
	_cleanup_reply_ sd_bus_message *unit = NULL, *job = NULL;
	const char *path;
	uint32_t id;
	int err;

	err = service_find_unit(bus, &unit, &path);
	if (err >= 0)
		err = sd_bus_get_property(bus, SERVICE_BUS, path, SERVICE_BUS ".Unit", "Job", NULL, &job, "(uo)");
	if (err >= 0)
		err = sd_bus_message_read(job, "(uo)", &id, &path);
	if (err < 0)
		return err;
	if (!id)
		return -ENOENT;
	err = sd_bus_get_property_string(bus, SERVICE_BUS, path, SERVICE_BUS ".Job", "JobType", NULL, type);
	return err < 0 ? err : 0;
}

/*
 * Whether systemd has kept what a successor needs. It may not: the unit is somebody else's, without a store (FileDescriptorStoreMax), or of a
 * program that has started us.
 */
static bool service_has_kept(sd_bus *bus)
{
	_cleanup_reply_ sd_bus_message *unit = NULL;
	const char *path;
	uint32_t kept = 0;
	int err;

	err = service_find_unit(bus, &unit, &path);
	if (err >= 0)
		err = sd_bus_get_property_trivial(bus, SERVICE_BUS, path, SERVICE_BUS ".Service", "NFileDescriptorStore", NULL, 'u',
						  &kept);
	if (err >= 0 && kept && kept >= service_stored)
		return true;
	log_warn("systemd has kept %u of %u descriptors: this restart begins afresh, and resets the connections (the unit needs "
		 "FileDescriptorStoreMax=32)", kept, service_stored);
	return false;
}

/* An upgrade may have put another program into the place of this one. */
static bool service_successor_fits(void)
{
	static const char deleted[] = " (deleted)";
	char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int abi;

	if (len <= 0)
		return false;
	path[len] = '\0';
	if ((size_t)len >= sizeof(deleted) && !strcmp(path + len - (sizeof(deleted) - 1), deleted))
		path[len - (ssize_t)(sizeof(deleted) - 1)] = '\0';
	abi = abifile_of(path);
	if (abi == (int)abifile_own())
		return true;
	log_warn("%s cannot go on with the connections of this version: they are reset", path);
	return false;
}

bool service_is_restarted(void)
{
	_cleanup_bus_ sd_bus *bus = NULL;
	_cleanup_free_ char *type = NULL;
	int err;

	if (!service_is_one())
		return false;
	err = service_open_bus(&bus);
	if (err >= 0)
		err = service_read_job(bus, &type);
	if (err < 0 && err != -ENOENT)
		log_warn("Cannot ask systemd whether this is a restart: %s; taken for a stop", strerror(-err));
	return err >= 0 && !strcmp(type, "restart") && service_has_kept(bus) && service_successor_fits();
}

#else

bool service_is_one(void)
{
	return false;
}

void service_take_store(struct handover *handover)
{
	(void)handover;
}

void service_store(const struct handover *handover)
{
	(void)handover;
}

void service_forget_store(void)
{
}

void service_ready(const char *status)
{
	(void)status;
}

void service_reloading(void)
{
}

void service_stopping(void)
{
}

void service_ping(void)
{
}

bool service_is_restarted(void)
{
	return false;
}

#endif
