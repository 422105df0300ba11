/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Configuration files: whatever is in one, it is taken or each error has a line; blanks and comments change nothing
 * timeout: 700
 *
 * Input: the file.
 */
#include <errno.h>

#include "config.h"
#include "file.h"

struct reports {
	const char *path;
	size_t errors, warnings;
	unsigned long last_line;
};

/* PATH:LINE: what is wrong and what was expected */
static void report(void *context, enum log_level level, const char *message)
{
	struct reports *reports = context;
	size_t path_len = strlen(reports->path);
	unsigned long line;
	char *end;

	claim(level == LOG_LEVEL_ERROR);
	claim(!strncmp(message, reports->path, path_len) && message[path_len] == ':');
	line = strtoul(message + path_len + 1, &end, 10);
	claim(line > reports->last_line && end[0] == ':' && end[1] == ' ' && end[2]);
	reports->last_line = line;
	reports->errors++;
}

static size_t load(struct config *config, const void *bytes, size_t len)
{
	struct reports reports = { .path = fuzz_file_path(fuzz_file(bytes, len)) };
	int err;

	*config = (struct config)CONFIG_INIT;
	err = config_load(config, reports.path, report, &reports);
	claim(err == (reports.errors ? -EINVAL : 0) && !config->missing);
	return reports.errors;
}

static void check_same(const struct config *a, const struct config *b)
{
	claim_eq(a->log_level, b->log_level);
	claim_eq(a->link_type, b->link_type);
	claim_eq(a->xdp_mode, b->xdp_mode);
	claim_eq(a->datapath, b->datapath);
	claim_eq(a->use_libxdp, b->use_libxdp);
	claim_eq(a->resolve_interval_s, b->resolve_interval_s);
	claim(!memcmp(&a->settings, &b->settings, sizeof(a->settings)));
	claim_eq(a->filter_count, b->filter_count);
	for (size_t i = 0; i < a->filter_count; i++) {
		struct filter_spec one = a->filters[i], other = b->filters[i];

		/* Where it is written may differ. */
		claim(one.place.line && other.place.line);
		memset(&one.place, 0, sizeof(one.place));
		memset(&other.place, 0, sizeof(other.place));
		claim(!memcmp(&one, &other, sizeof(one)));
	}
}

static void check_values(const struct config *config)
{
	struct parse_error error;
	struct config copy = CONFIG_INIT;

	claim(config->log_level <= LOG_LEVEL_TRACE);
	claim(config_xdp_mode_name(config->xdp_mode) && config_datapath_name(config->datapath));
	claim(!config_set(&copy, "datapath", config_datapath_name(config->datapath), &error) && copy.datapath == config->datapath);
	claim(config->xdp_mode == XDP_MODE_AUTO ||
	      (!config_set(&copy, "xdp_mode", config_xdp_mode_name(config->xdp_mode), &error) && copy.xdp_mode == config->xdp_mode));
	claim(config->resolve_interval_s <= CONFIG_RESOLVE_INTERVAL_MAX_S);
	for (size_t i = 0; i < config->filter_count; i++)
		claim(config->filters[i].port);
	config_free(&copy);
	claim(!config_copy(&copy, config));
	check_same(config, &copy);
	config_free(&copy);
}

/* The same with each line in blanks, and others between them. */
static void check_spaced(const struct config *config, size_t errors, const uint8_t *bytes, size_t len)
{
	static const char between[] = " \t\r\n\n# padding = 5\n \t# \n\t ";
	struct config spaced;
	char *text = malloc(len * sizeof(between) + 1);
	size_t at = 0;

	if (!text)
		abort();
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != '\n') {
			text[at++] = (char)bytes[i];
			continue;
		}
		memcpy(text + at, between, sizeof(between) - 1);
		at += sizeof(between) - 1;
	}
	claim_eq(load(&spaced, text, at), errors);
	check_same(config, &spaced);
	config_free(&spaced);
	free(text);
}

static void report_whole(void *context, enum log_level level, const char *message)
{
	claim(message[0]);
	*(enum log_level *)context = level;
}

/* One that is not there is a warning, and one that cannot be read an error. */
static void check_unreadable(void)
{
	struct config config = CONFIG_INIT;
	enum log_level level = LOG_LEVEL_TRACE;
	static bool logged;

	claim(!config_load(&config, "/proc/self/fd/none", report_whole, &level) && config.missing && level == LOG_LEVEL_WARN);
	claim(config_load(&config, "/", report_whole, &level) == -EISDIR && !config.missing && level == LOG_LEVEL_ERROR);
	claim(!config_load(&config, NULL, NULL, NULL) && !config_load_existing(&config, NULL));
	if (!logged) /* that goes to the log: once is enough */
		claim(config_load_existing(&config, "/proc/self/fd/none") == -ENOENT);
	logged = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config;
	size_t errors = load(&config, data, size);

	check_values(&config);
	check_spaced(&config, errors, data, size);
	config_free(&config);
	check_unreadable();
	return 0;
}
