/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "util.h"

static const char *const xdp_modes[] = {
	[XDP_MODE_AUTO] = "auto",
	[XDP_MODE_SKB] = "skb",
	[XDP_MODE_NATIVE] = "native",
};

static const char *const datapaths[] = {
	[LEVEL_AUTO] = "auto",
	[LEVEL_BPF] = "bpf",
	[LEVEL_KFUNC] = "kfunc",
	[LEVEL_GSO] = "gso",
};

const char *config_xdp_mode_name(enum xdp_mode mode)
{
	return xdp_modes[mode];
}

const char *config_datapath_name(enum datapath_level level)
{
	return datapaths[level];
}

static int set_filter(struct config *config, const char *value, struct parse_error *error)
{
	struct filter_spec *filters, spec;

	if (filter_parse(&spec, value, error))
		return -EINVAL;
	filters = realloc(config->filters, (config->filter_count + 1) * sizeof(*filters));
	if (!filters)
		return -ENOMEM;
	spec.place = config->place;
	config->filters = filters;
	filters[config->filter_count++] = spec;
	return 0;
}

static int set_verbosity(struct config *config, const char *value, struct parse_error *error)
{
	if (log_level_parse(value, &config->log_level))
		return settings_refuse(
			error,
			"log.verbosity: '%.40s' is wrong; expected 0 to 4 or error, warn, info, debug, trace",
			value);
	return 0;
}

static int set_link_type(struct config *config, const char *value, struct parse_error *error)
{
	if (netif_link_type_parse(value, &config->link_type))
		return settings_refuse(error, "link_type: '%.40s' is wrong; expected eth or none",
				       value);
	return 0;
}

static int set_xdp_mode(struct config *config, const char *value, struct parse_error *error)
{
	size_t i;

	for (i = XDP_MODE_SKB; i < ARRAY_SIZE(xdp_modes); i++) {
		if (!strcmp(value, xdp_modes[i])) {
			config->xdp_mode = (enum xdp_mode)i;
			return 0;
		}
	}
	return settings_refuse(error, "xdp_mode: '%.40s' is wrong; expected skb or native", value);
}

static int set_datapath(struct config *config, const char *value, struct parse_error *error)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(datapaths); i++) {
		if (!strcmp(value, datapaths[i])) {
			config->datapath = (enum datapath_level)i;
			return 0;
		}
	}
	return settings_refuse(error, "datapath: '%.40s' is wrong; expected auto, bpf, kfunc or gso", value);
}

static int set_use_libxdp(struct config *config, const char *value, struct parse_error *error)
{
	if (settings_parse_bool(value, &config->use_libxdp))
		return settings_refuse(
			error, "use_libxdp: '%.40s' is wrong; expected true or false", value);
	return 0;
}

static int set_resolve_interval(struct config *config, const char *value, struct parse_error *error)
{
	unsigned long seconds = 0;
	const char *p;

	for (p = value; *p >= '0' && *p <= '9' && seconds <= CONFIG_RESOLVE_INTERVAL_MAX_S; p++)
		seconds = seconds * 10 + (unsigned long)(*p - '0');
	if (!*value || *p || seconds > CONFIG_RESOLVE_INTERVAL_MAX_S)
		return settings_refuse(error, "resolve_interval: '%.40s' is wrong; expected seconds, 0 to %d (0: never)", value,
				       CONFIG_RESOLVE_INTERVAL_MAX_S);
	config->resolve_interval_s = (uint32_t)seconds;
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct config *config, const char *value, struct parse_error *error);
} keys[] = {
	{ "filter", set_filter },	  { "log.verbosity", set_verbosity },
	{ "link_type", set_link_type },	  { "xdp_mode", set_xdp_mode },
	{ "use_libxdp", set_use_libxdp }, { "datapath", set_datapath },
	{ "resolve_interval", set_resolve_interval },
};

int config_set(struct config *config, const char *key, const char *value, struct parse_error *error)
{
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!strcmp(key, keys[i].name))
			return keys[i].set(config, value, error);
	}
	err = settings_parse(&config->settings, key, value, error);
	if (err == -ENOENT)
		return settings_refuse(
			error,
			"unknown key '%.40s'; expected filter, log.verbosity, link_type, xdp_mode, use_libxdp, datapath, resolve_interval, handshake, keepalive, padding, max_window, pace, guard, ack or udp",
			key);
	return err;
}

/* Where messages about a file go, and how many errors there were. */
struct reader {
	const char *path;
	config_report_fn report;
	void *context;
	size_t errors;
};

static void report(struct reader *reader, enum log_level level, unsigned long line,
		   const char *text)
{
	char message[1024];

	if (line)
		snprintf(message, sizeof(message), "%s:%lu: %s", reader->path, line, text);
	else
		snprintf(message, sizeof(message), "%s: %s", reader->path, text);
	if (reader->report)
		reader->report(reader->context, level, message);
	else
		log_write(level, "%s", message);
	reader->errors += level == LOG_LEVEL_ERROR;
}

/* Cuts blanks at both ends, the line's end among them. */
static char *trim(char *text)
{
	static const char blanks[] = " \t\r\n";
	size_t length;

	text += strspn(text, blanks);
	length = strlen(text);
	while (length > 0 && strchr(blanks, text[length - 1]))
		length--;
	text[length] = '\0';
	return text;
}

/* Returns 0, -EINVAL or -ENOMEM; @line is cut into pieces. */
static int read_line(struct config *config, char *line, struct parse_error *error)
{
	char *key = trim(line), *value;

	if (!*key || *key == '#')
		return 0;
	value = strchr(key, '=');
	if (!value)
		return settings_refuse(error, "'%.80s' is no setting; expected key = value", key);
	*value++ = '\0';
	return config_set(config, trim(key), trim(value), error);
}

static int read_lines(struct config *config, FILE *file, struct reader *reader)
{
	_cleanup_free_ char *line = NULL;
	struct parse_error error;
	unsigned long number = 0;
	size_t size = 0;
	ssize_t length;
	int err;

	errno = 0;
	while ((length = getline(&line, &size, file)) >= 0) {
		config->place = (struct filter_place){ .path = reader->path, .line = ++number };
		if (strlen(line) != (size_t)length)
			err = settings_refuse(&error, "NUL byte in the line; expected text");
		else
			err = read_line(config, line, &error);
		if (err == -EINVAL)
			report(reader, LOG_LEVEL_ERROR, number, error.text);
		else if (err)
			return err;
		errno = 0;
	}
	return errno ? -errno : 0;
}

static int read_file(struct config *config, struct reader *reader)
{
	FILE *file = fopen(reader->path, "re");
	int err;

	config->missing = !file && errno == ENOENT;
	if (config->missing)
		return -ENOENT;
	err = file ? read_lines(config, file, reader) : -errno;
	config->place = (struct filter_place){ 0 };
	if (file)
		fclose(file);
	if (err)
		report(reader, LOG_LEVEL_ERROR, 0, strerror(-err));
	return err ? err : reader->errors ? -EINVAL : 0;
}

int config_load(struct config *config, const char *path, config_report_fn report_fn, void *context)
{
	struct reader reader = { .path = path, .report = report_fn, .context = context };
	int err;

	if (!path)
		return 0;
	err = read_file(config, &reader);
	if (!config->missing)
		return err;
	report(&reader, LOG_LEVEL_WARN, 0, "there is no such configuration file; going on without");
	return 0;
}

int config_load_existing(struct config *config, const char *path)
{
	struct reader reader = { .path = path };
	int err;

	if (!path)
		return 0;
	err = read_file(config, &reader);
	if (config->missing)
		report(&reader, LOG_LEVEL_ERROR, 0, "there is no such configuration file");
	return err;
}

int config_copy(struct config *copy, const struct config *config)
{
	struct filter_spec *filters = NULL;

	if (config->filter_count) {
		filters = calloc(config->filter_count, sizeof(*filters));
		if (!filters) {
			*copy = (struct config)CONFIG_INIT;
			return -ENOMEM;
		}
		memcpy(filters, config->filters, config->filter_count * sizeof(*filters));
	}
	*copy = *config;
	copy->filters = filters;
	return 0;
}

void config_free(struct config *config)
{
	free(config->filters);
	*config = (struct config)CONFIG_INIT;
}
