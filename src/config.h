/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a user can configure for `mimic run`, and the configuration file that does so.
 *
 * struct config is filled by the command line (args.h) and then by the file, which overrides it:
 *
 *	struct config config;
 *	err = config_copy(&config, &args->config);
 *	err = config_load(&config, args->file, NULL, NULL);
 *	settings = CONN_SETTINGS_DEFAULT; settings_apply(&settings, &config.settings);
 *
 * A reload starts again from the copy of the command line, so that a line removed from the file is
 * gone.
 */
#ifndef MIMIC_CONFIG_FILE_H
#define MIMIC_CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "filter.h"
#include "log.h"
#include "netif.h"
#include "settings.h"

enum xdp_mode {
	XDP_MODE_AUTO = 0, /* native where the driver takes it, else skb */
	XDP_MODE_SKB,
	XDP_MODE_NATIVE,
};

enum datapath_level {
	LEVEL_AUTO = 0, /* kfunc where that is possible, else bpf */
	LEVEL_BPF,
	LEVEL_KFUNC, /* with the kernel module */
	LEVEL_GSO,   /* and superpackets stay whole */
};

struct config {
	enum log_level log_level;
	enum link_type link_type;
	enum xdp_mode xdp_mode;
	enum datapath_level datapath;
	bool use_libxdp;
	bool missing; /* a file was named, and is not there: nobody knows what it would say */
	uint32_t resolve_interval_s; /* between lookups of host names; 0: none after the first */
	struct settings_patch settings; /* over CONN_SETTINGS_DEFAULT */
	struct filter_spec *filters;	/* in the order in which they were given. Owned. */
	size_t filter_count;
	struct filter_place place; /* where filters come from that config_set() adds now */
};

enum {
	CONFIG_RESOLVE_INTERVAL_S = 300,
	CONFIG_RESOLVE_INTERVAL_MAX_S = 30 * 86400,
};

#define CONFIG_INIT                                              \
	{                                                        \
		.log_level = LOG_LEVEL_INFO,                     \
		.resolve_interval_s = CONFIG_RESOLVE_INTERVAL_S, \
	}

#define _cleanup_config_ __attribute__((cleanup(config_free)))

/*
 * Takes one message about the file, `PATH:LINE: what is wrong and what was expected`; @level is
 * error or warn.
 */
typedef void (*config_report_fn)(void *context, enum log_level level, const char *message);

/*
 * Reads the file @path over *@config. Keys: filter (adds one), log.verbosity, link_type, xdp_mode,
 * use_libxdp, datapath, resolve_interval, and the settings (settings.h). All errors of the file are given to
 * @report (NULL: to the log), not only the first. A file that does not exist is a warning and not
 * an error, and config->missing says so; @path NULL means none.
 *
 * Filters refer to @path from then on.
 *
 * Returns 0, -EINVAL when the file has errors, or -errno when it cannot be read. After an error
 * *@config is half filled, good for looking for more errors.
 */
int config_load(struct config *config, const char *path, config_report_fn report, void *context);

/* The same, but a file that does not exist is an error: -ENOENT. The log gets all. */
int config_load_existing(struct config *config, const char *path);

/*
 * Sets one key, as a line of the file does. Returns 0, -EINVAL with *@error filled, or -ENOMEM.
 */
int config_set(struct config *config, const char *key, const char *value,
	       struct parse_error *error);

/* Fills *@copy, which needs no initial value. Returns 0 or -ENOMEM. */
int config_copy(struct config *copy, const struct config *config);

void config_free(struct config *config);

/* `auto`, `skb`, `native`. */
const char *config_xdp_mode_name(enum xdp_mode mode);

/* `auto`, `bpf`, `kfunc`, `gso`. */
const char *config_datapath_name(enum datapath_level level);

#endif
