// SPDX-License-Identifier: GPL-2.0-only
/*
 * `mimic check`: what on this machine, on the interface and in the configuration hinders Mimic, and what to do about it. Finds
 * the facts, has them judged, and prints that. The names of items and results stay as they are: other programs read --json.
 */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "checks.h"
#include "facts.h"
#include "log.h"

enum {
	KEY_JSON = 0x100,
};

struct check_args {
	const char *ifname, *file; /* NULL: none */
	bool json;
	struct config config; /* filters of the command line */
};

static const struct argp_option check_options[] = {
	{ "filter", 'f', "FILTER", 0, "As for mimic run; may be repeated", 0 },
	{ "file", 'F', "PATH", 0, "Configuration file; default: /etc/mimic/INTERFACE.conf, if there is one", 0 },
	{ "json", KEY_JSON, NULL, 0, "Print JSON", 0 },
	{ 0 },
};

static error_t check_parse(int key, char *arg, struct argp_state *state)
{
	struct check_args *args = state->input;

	switch (key) {
	case 'f':
		return args_set(&args->config, "filter", arg);
	case 'F':
		return args_take_file(&args->file, arg);
	case KEY_JSON:
		args->json = true;
		return 0;
	case ARGP_KEY_ARG:
		return args_take_ifname(&args->ifname, key, arg, state);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* --- as text */

static const char *check_colour(enum check_result result)
{
	static const char *const colours[] = {
		[CHECK_OK] = "\033[1;32m",
		[CHECK_NOTE] = "\033[1;33m",
		[CHECK_PROBLEM] = "\033[1;31m",
	};

	return colours[result];
}

static void check_print(const struct check_report *report)
{
	bool colour = log_wants_colour(STDOUT_FILENO);

	for (size_t i = 0; i < report->count; i++) {
		const struct check_line *line = &report->lines[i];

		printf("%s%-7s%s %s%s%s: %s", colour ? check_colour(line->result) : "", check_result_name(line->result),
		       colour ? "\033[0m" : "", colour ? "\033[1m" : "", line->item, colour ? "\033[0m" : "", line->found);
		if (line->remedy)
			printf("; %s", line->remedy);
		printf("\n");
	}
}

/* --- as JSON */

static json_t *check_pack_text(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *check_pack_line(const struct check_line *line)
{
	return json_pack("{s:s, s:s, s:s, s:o}", "item", line->item, "result", check_result_name(line->result), "found", line->found,
			 "remedy", check_pack_text(line->remedy));
}

/* Texts come from files, too, and need not be UTF-8: then jansson refuses them. */
static void check_make_utf8(char *text)
{
	json_t *string = text ? json_string(text) : NULL;

	for (; text && !string && *text; text++) {
		if (*text & 0x80)
			*text = '?';
	}
	json_decref(string);
}

static int check_print_json(const struct check_report *report, const char *ifname)
{
	json_t *items = json_array(), *whole;
	int err = 0;

	for (size_t i = 0; i < report->count && !err; i++) {
		check_make_utf8(report->lines[i].found);
		check_make_utf8(report->lines[i].remedy);
		err = json_array_append_new(items, check_pack_line(&report->lines[i])) ? -ENOMEM : 0;
	}
	whole = json_pack("{s:s, s:o, s:i, s:o}", "version", PACKAGE_VERSION, "interface", check_pack_text(ifname), "problems", (int)report->problems,
			  "items", items);
	if (!err && (!whole || json_dumpf(whole, stdout, JSON_INDENT(2))))
		err = -ENOMEM;
	printf("\n");
	json_decref(whole);
	return err;
}

/* --- */

static int check_run(const struct check_args *args)
{
	const struct facts_request request = { .ifname = args->ifname, .file = args->file, .config = &args->config };
	_cleanup_check_report_ struct check_report report = { 0 };
	_cleanup_facts_ struct facts facts = { .config.config = CONFIG_INIT };
	int err = facts_find(&facts, &request);

	if (!err) {
		check_judge(&report, &facts);
		err = report.no_memory ? -ENOMEM : 0;
	}
	if (!err && args->json)
		err = check_print_json(&report, args->ifname);
	else if (!err)
		check_print(&report);
	if (!err && fflush(stdout))
		err = -errno;
	if (err)
		log_error("cannot finish the check: %s", strerror(-err));
	return err ? err : report.problems ? -ENOTSUP : 0; /* the lines have said why */
}

int cmd_check(int argc, char **argv)
{
	static const struct argp argp = {
		.options = check_options,
		.parser = check_parse,
		.args_doc = "[<interface>]",
		.doc = "Look at this machine, the interface and the configuration, say what hinders Mimic, and what to do. Changes nothing.",
	};
	struct check_args args = { .config = CONFIG_INIT };
	int err = args_parse(&argp, argc, argv, &args);

	/* What others would warn of is among the lines. */
	log_set_level(LOG_LEVEL_ERROR);
	if (!err)
		err = check_run(&args);
	config_free(&args.config);
	return err;
}
