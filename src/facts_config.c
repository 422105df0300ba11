// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "facts.h"
#include "util.h"

struct facts_reading {
	struct facts_config *config;
	bool no_memory;
};

static void facts_take_message(void *context, enum log_level level, const char *text)
{
	struct facts_reading *reading = context;
	struct facts_config *config = reading->config;
	struct facts_message *messages = realloc(config->messages, (config->message_count + 1) * sizeof(*messages));
	char *copy = strdup(text);

	if (messages)
		config->messages = messages;
	if (!messages || !copy) {
		free(copy);
		reading->no_memory = true;
		return;
	}
	messages[config->message_count++] = (struct facts_message){ .level = level, .text = copy };
}

/* Returns 0, -EINVAL when the file has errors, which are among the messages, or -ENOMEM. */
static int facts_read_file(struct facts_reading *reading, const struct facts_request *request)
{
	struct facts_config *config = reading->config;
	int err;

	config->given = request->file;
	if (request->file)
		snprintf(config->path, sizeof(config->path), "%s", request->file);
	else if (request->ifname)
		snprintf(config->path, sizeof(config->path), "/etc/mimic/%.16s.conf", request->ifname);
	if (!config->path[0] || (!request->file && access(config->path, F_OK)))
		return 0;
	err = config_load(&config->config, request->file ? request->file : config->path, facts_take_message, reading);
	config->read = err ? FACTS_NO : access(config->path, F_OK) ? FACTS_UNKNOWN : FACTS_YES;
	return err == -ENOMEM || reading->no_memory ? -ENOMEM : 0;
}

static void facts_find_instance(struct facts_config *config, const struct netif *netif)
{
	char path[RUNFILE_PATH_MAX];
	pid_t holder;

	if (runfile_path(path, sizeof(path), RUNFILE_DIR, netif->netns, netif->ifindex) || runfile_read(path, &config->instance))
		return;
	holder = runfile_holder(path, &config->instance);
	config->running = holder && holder == config->instance.pid;
	if (!config->running)
		runfile_free_info(&config->instance);
}

static void facts_take_error(struct facts_reading *reading, const struct filter_place *place, const struct parse_error *error)
{
	char text[FILTER_PLACE_MAX + sizeof(error->text) + 2], where[FILTER_PLACE_MAX];

	filter_print_place(where, sizeof(where), place);
	snprintf(text, sizeof(text), "%s: %s", where, error->text);
	facts_take_message(reading, LOG_LEVEL_ERROR, text);
}

static int facts_add_filter(struct facts_reading *reading, const struct filter_spec *spec, const char *ifname)
{
	struct parse_error error;
	int err = filter_list_add(&reading->config->filters, spec, ifname, &error);

	if (err && err != -ENOMEM)
		facts_take_error(reading, &spec->place, &error);
	return err == -ENOMEM || reading->no_memory ? -ENOMEM : 0;
}

/* The filters are looked at as they are written, but for their number. */
static int facts_count_filters(struct facts_reading *reading, const struct netif *netif)
{
	struct filter_list *filters = &reading->config->filters;
	const struct filter *beyond;
	struct parse_error error;

	if (filter_list_expand(filters, netif->addrs, netif->addr_count))
		return -ENOMEM;
	beyond = filter_list_beyond(filters, MIMIC_FILTERS_MAX, netif->ifindex ? netif->name : "the interface", &error);
	if (beyond)
		facts_take_error(reading, &beyond->place, &error);
	return filter_list_expand(filters, NULL, 0) || reading->no_memory ? -ENOMEM : 0;
}

/* Those of the instance, as its lock file has them: a name is resolved already, and what follows in brackets no part of it. */
static int facts_take_instance_filters(struct facts_reading *reading, const char *ifname)
{
	const struct run_info *info = &reading->config->instance;
	int err = 0;

	for (size_t i = 0; !err && i < info->filter_count; i++) {
		char text[FILTER_TEXT_MAX], *end;
		struct filter_spec spec;
		struct parse_error error;

		snprintf(text, sizeof(text), "%s", info->filters[i]);
		end = strstr(text, " (");
		if (end)
			*end = '\0';
		if (!filter_parse(&spec, text, &error))
			err = facts_add_filter(reading, &spec, ifname);
	}
	return err;
}

int facts_find_config(struct facts_config *config, const struct facts_request *request, const struct netif *netif)
{
	struct facts_reading reading = { .config = config };
	int err = config_copy(&config->config, request->config);

	if (!err)
		err = facts_read_file(&reading, request);
	if (err)
		return err;
	if (netif->ifindex)
		facts_find_instance(config, netif);
	for (size_t i = 0; !err && i < config->config.filter_count; i++)
		err = facts_add_filter(&reading, &config->config.filters[i], request->ifname);
	if (!err)
		err = facts_count_filters(&reading, netif);
	config->of_instance = config->running && !config->config.filter_count;
	if (!err && config->of_instance)
		err = facts_take_instance_filters(&reading, request->ifname);
	if (!err)
		config->sockets_known = !sockets_read(&config->sockets);
	return err;
}
