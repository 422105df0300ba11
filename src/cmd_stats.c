/* SPDX-License-Identifier: GPL-2.0-only */
/* `mimic stats`: the figures of an instance as tables or JSON, once or again and again; of all instances, for Prometheus. */
#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "ending.h"
#include "instance.h"
#include "log.h"
#include "netif.h"
#include "report_json.h"
#include "stats.h"
#include "stats_json.h"
#include "stats_prometheus.h"
#include "stats_read.h"
#include "stats_text.h"
#include "util.h"

enum {
	KEY_JSON = 0x100,
	KEY_PROMETHEUS,
	KEY_CONNECTIONS,
	STATS_INTERFACES_MAX = 64,
	STATS_WATCH_MAX_MS = 86400000,
};

struct stats_args {
	const char *ifnames[STATS_INTERFACES_MAX];
	size_t count;
	int watch_ms; /* 0: once */
	bool watch_by_default; /* no SECONDS were given */
	bool json, prometheus, connections;
};

static const struct argp_option stats_options[] = {
	{ "watch", 'w', "SECONDS", OPTION_ARG_OPTIONAL, "Again every SECONDS (default 1), with rates since the last look", 0 },
	{ "json", KEY_JSON, NULL, 0, "As a JSON document; with --watch, one in a line", 0 },
	{ "prometheus", KEY_PROMETHEUS, NULL, 0, "For Prometheus; without an interface, of all that run", 0 },
	{ "connections", KEY_CONNECTIONS, NULL, 0, "With --prometheus: a series for each connection, too", 0 },
	{ 0 },
};

static error_t stats_take_watch(struct stats_args *args, const char *text)
{
	char *end = NULL;
	double seconds = text ? strtod(text, &end) : 1;

	if (text && (end == text || *end || !(seconds >= 0.1) || seconds * 1000 > STATS_WATCH_MAX_MS)) {
		log_error("--watch=%s: expected seconds, 0.1 to 86400", text);
		return EINVAL;
	}
	args->watch_ms = (int)(seconds * 1000);
	args->watch_by_default = !text;
	return 0;
}

/* A number that is no interface was meant for --watch. */
static error_t stats_take_ifname(struct stats_args *args, const char *name)
{
	if (args->watch_by_default && name[strspn(name, "0123456789.")] == '\0' && !if_nametoindex(name)) {
		log_error("'%s' is no interface; seconds stand in the same word: --watch=%s, or -w%s", name, name, name);
		return EINVAL;
	}
	if (args->count == STATS_INTERFACES_MAX) {
		log_error("more than %d interfaces", STATS_INTERFACES_MAX);
		return EINVAL;
	}
	args->ifnames[args->count++] = name;
	return 0;
}

static error_t stats_parse(int key, char *arg, struct argp_state *state)
{
	struct stats_args *args = state->input;

	switch (key) {
	case 'w':
		return stats_take_watch(args, arg);
	case KEY_JSON:
		args->json = true;
		return 0;
	case KEY_PROMETHEUS:
		args->prometheus = true;
		return 0;
	case KEY_CONNECTIONS:
		args->connections = true;
		return 0;
	case ARGP_KEY_ARG:
		return stats_take_ifname(args, arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int stats_check(const struct stats_args *args)
{
	if (args->prometheus && (args->json || args->watch_ms)) {
		log_error("--prometheus goes with neither --json nor --watch");
		return -EINVAL;
	}
	if (args->connections && !args->prometheus) {
		log_error("--connections is for --prometheus; tables and JSON have them anyway");
		return -EINVAL;
	}
	if (!args->prometheus && args->count != 1) {
		log_error("%zu interfaces given; expected mimic stats [OPTION...] <interface>", args->count);
		return -EINVAL;
	}
	return 0;
}

/* ---- one interface ---- */

/* 0 or -errno, logged but for -EPIPE: whoever read has enough. */
static int stats_flush(void)
{
	int err;

	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	err = errno ? -errno : -EIO;
	if (err != -EPIPE)
		log_error("cannot write: %s", strerror(-err));
	return err;
}

static int stats_show(const struct stats_args *args, const struct stats *stats, const struct stats *before)
{
	bool terminal = isatty(STDOUT_FILENO);
	int err;

	if (args->json)
		return report_print(stats_json(stats), !args->watch_ms);
	if (terminal && args->watch_ms)
		fputs("\033[H\033[2J", stdout);
	err = stats_print_text(stdout, stats, before, terminal);
	if (err) {
		log_error("not enough memory for the table");
		return err;
	}
	if (args->watch_ms && !terminal)
		putchar('\n');
	return stats_flush();
}

static int stats_watch(const struct stats_args *args, const struct run_info *info)
{
	_cleanup_stats_copy_ struct stats_copy one = { 0 };
	_cleanup_stats_copy_ struct stats_copy other = { 0 };
	struct stats_copy *now = &one, *then = &other, *swap;
	_cleanup_stats_ struct stats before = { 0 };
	_cleanup_stats_hold_ struct stats_hold hold;
	_cleanup_ending_ struct ending ending = ENDING_INIT;
	bool first = true;
	int err;

	stats_hold(&hold, info);
	err = ending_open(&ending, info->pid);
	if (err)
		return err;
	do {
		struct stats stats;

		err = stats_read(info, now);
		if (err)
			break;
		err = stats_make(&stats, args->ifnames[0], info, now);
		if (err)
			break;
		err = stats_show(args, &stats, first ? NULL : &before);
		stats_free(&before);
		before = stats;
		first = false;
		swap = now;
		now = then;
		then = swap;
	} while (!err && ending_wait(&ending, -1, args->watch_ms));
	return ending_daemon_is_gone(&ending) || err == -EPIPE ? 0 : err;
}

static int stats_once(const struct stats_args *args, const struct run_info *info)
{
	_cleanup_stats_copy_ struct stats_copy copy = { 0 };
	_cleanup_stats_ struct stats stats = { 0 };
	int err = stats_read(info, &copy);

	if (err)
		return err;
	err = stats_make(&stats, args->ifnames[0], info, &copy);
	if (!err)
		return stats_show(args, &stats, NULL);
	log_error("not enough memory for the figures");
	return err;
}

/* ---- all of them ---- */

struct stats_instance {
	char ifname[IF_NAMESIZE];
	struct run_info info;
	struct stats_copy copy;
	struct stats stats;
};

static bool stats_instance_read(struct stats_instance *instance)
{
	return !instance_find(instance->ifname, &instance->info) && !stats_read(&instance->info, &instance->copy) &&
	       !stats_make(&instance->stats, instance->ifname, &instance->info, &instance->copy);
}

/* The interfaces of this network namespace that have a lock file. Returns how many, or -errno, logged. */
static int stats_list(struct stats_instance *instances)
{
	DIR *dir = opendir(RUNFILE_DIR);
	unsigned long long of;
	struct dirent *entry;
	int index, length, count = 0;
	ino_t netns = 0;

	if (netif_netns(&netns) || (!dir && errno != ENOENT)) {
		log_error("cannot read %s: %s", RUNFILE_DIR, strerror(errno));
		if (dir)
			closedir(dir);
		return -EIO;
	}
	while (dir && count < STATS_INTERFACES_MAX && (entry = readdir(dir))) {
		length = 0; /* of what fits: there are sockets beside the lock files */
		if (sscanf(entry->d_name, "%llx_%d.lock%n", &of, &index, &length) == 2 && length && !entry->d_name[length] &&
		    of == netns && index > 0 && if_indextoname((unsigned int)index, instances[count].ifname))
			count++;
	}
	if (dir)
		closedir(dir);
	return count;
}

static int stats_prometheus(const struct stats_args *args)
{
	struct stats_instance *instances = calloc(STATS_INTERFACES_MAX, sizeof(*instances));
	struct stats_scrape scrapes[STATS_INTERFACES_MAX] = { 0 };
	int count = (int)args->count, err = 0;

	if (!instances)
		return -ENOMEM;
	for (int i = 0; i < count; i++)
		snprintf(instances[i].ifname, sizeof(instances[i].ifname), "%s", args->ifnames[i]);
	if (!count)
		count = stats_list(instances);
	for (int i = 0; i < count; i++) {
		scrapes[i].ifname = instances[i].ifname;
		scrapes[i].stats = stats_instance_read(&instances[i]) ? &instances[i].stats : NULL;
	}
	if (count >= 0) {
		stats_print_prometheus(stdout, scrapes, (size_t)count, args->connections);
		err = stats_flush();
	}
	for (int i = 0; i < count; i++) {
		stats_free(&instances[i].stats);
		stats_free_copy(&instances[i].copy);
		runfile_free_info(&instances[i].info);
	}
	free(instances);
	return count < 0 ? count : err;
}

int cmd_stats(int argc, char **argv)
{
	static const struct argp argp = {
		.options = stats_options,
		.parser = stats_parse,
		.args_doc = "<interface>",
		.doc = "Show what the connections and filters of an interface carried, and went through.",
	};
	_cleanup_run_info_ struct run_info info = { 0 };
	struct stats_args args = { 0 };
	int err = args_parse(&argp, argc, argv, &args);

	if (!err)
		err = stats_check(&args);
	if (err)
		return err;
	if (args.prometheus)
		return stats_prometheus(&args);
	err = instance_find(args.ifnames[0], &info);
	if (err)
		return err;
	return args.watch_ms ? stats_watch(&args, &info) : stats_once(&args, &info);
}
