// SPDX-License-Identifier: GPL-2.0-only
#include "reload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "log.h"
#include "util.h"

/* What was decided at the start stays as it is. */
static void reload_keep(struct config *next, const struct config *now)
{
	const struct {
		const char *key;
		bool differs, attached; /* a restart, which is a takeover, leaves attached what is */
	} fixed[] = {
		{ "link_type", next->link_type != now->link_type, false },
		{ "xdp_mode", next->xdp_mode != now->xdp_mode, true },
		{ "use_libxdp", next->use_libxdp != now->use_libxdp, true },
		{ "datapath", next->datapath != now->datapath, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		if (fixed[i].differs)
			log_warn("%s cannot be changed while Mimic runs: the new value needs %s", fixed[i].key,
				 fixed[i].attached ? "a stop and a start" : "a restart");
	}
	next->link_type = now->link_type;
	next->xdp_mode = now->xdp_mode;
	next->use_libxdp = now->use_libxdp;
	next->datapath = now->datapath;
}

static int reload_read(struct config *next, const struct args_run *args)
{
	int err = config_copy(next, &args->config);

	if (err) {
		log_error("Cannot read %s again: %s", args->file, strerror(-err));
		return err;
	}
	/* At the start one that is not there is a warning; now it would take all filters away. */
	return config_load_existing(next, args->file);
}

static void reload_say(const char *path, const struct filter_sync_result *result)
{
	if (!result->added && !result->removed && !result->changed)
		log_info("%s is read again: the filters and their settings are as before", path);
	else
		log_info("%s is read again: %zu filter%s added, %zu removed, %zu changed", path, result->added,
			 result->added == 1 ? "" : "s", result->removed, result->changed);
}

int reload_run(struct live *live)
{
	_cleanup_config_ struct config next = CONFIG_INIT;
	struct filter_sync_result result;
	const char *path = live->args->file;
	int err;

	if (!path) {
		log_warn("There is nothing to read again: no configuration file was given (--file)");
		return -ENOENT;
	}
	err = reload_read(&next, live->args);
	if (err == -EINVAL)
		live_look(live, &next);
	if (!err) {
		reload_keep(&next, live->config);
		err = live_change(live, &next, &result);
	}
	if (err < 0) {
		log_error("%s: nothing is changed, Mimic goes on as before", path);
		return err;
	}
	log_set_level((int)live->config->log_level);
	reload_say(path, &result);
	if (err == LIVE_UNGUARDED)
		log_error("The guard of plain UDP is as before: what %s says of udp is not in force while Mimic does not run", path);
	return err;
}
