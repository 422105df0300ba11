/* SPDX-License-Identifier: GPL-2.0-only */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "log.h"
#include "util.h"

/* Options without a letter. */
enum {
	KEY_CHECK = 0x100,
	KEY_DATAPATH,
	KEY_RESOLVE_INTERVAL,
	KEY_JSON,
	KEY_TAKEOVER,
};

/* Read by argp: what --version prints. */
const char *argp_program_version = PACKAGE_VERSION;

int args_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	argp_err_exit_status = 1;
	return -argp_parse(argp, argc, argv, ARGP_IN_ORDER, NULL, input);
}

error_t args_take_ifname(const char **ifname, int key, char *arg, const struct argp_state *state)
{
	if (key == ARGP_KEY_NO_ARGS) {
		log_error("no interface given; expected %s [OPTION...] <interface>", state->name);
		return EINVAL;
	}
	if (*ifname) {
		log_error("argument '%s' after the interface '%s'; expected one interface", arg,
			  *ifname);
		return EINVAL;
	}
	*ifname = arg;
	return 0;
}

error_t args_take_file(const char **file, const char *arg)
{
	if (!*arg) {
		log_error("--file names nothing; expected the path of a configuration file");
		return EINVAL;
	}
	*file = arg;
	return 0;
}

error_t args_set(struct config *config, const char *key, const char *value)
{
	struct parse_error error;
	int err = config_set(config, key, value, &error);

	if (err)
		log_error("%s", err == -EINVAL ? error.text : strerror(-err));
	return -err;
}

/* --- mimic run */

static const struct argp_option run_options[] = {
	{ "filter", 'f', "FILTER", 0,
	  "Which packets to process: {local|remote}=ADDRESS:PORT[,KEY=VALUE...]; may be repeated",
	  1 },
	{ "file", 'F', "PATH", 0, "Configuration file, which overrides the command line", 1 },
	{ "link-type", 'L', "TYPE", 0,
	  "eth (Ethernet) or none (no L2 header: TUN, PPP); default: from the interface's type",
	  2 },
	{ "xdp-mode", 'x', "MODE", 0,
	  "skb or native; default: native where the driver takes it, else skb", 2 },
	{ "use-libxdp", 'X', NULL, 0,
	  "Attach through libxdp, beside other XDP programs that do so", 2 },
	{ "datapath", KEY_DATAPATH, "LEVEL", 0,
	  "bpf, or kfunc or gso, which need the kernel module; auto (default): kfunc where that is possible", 2 },
	{ "resolve-interval", KEY_RESOLVE_INTERVAL, "S", 0,
	  "How often host names are looked up again, in seconds, default 300; 0: never", 2 },
	{ "handshake", 'h', "I:R", 0,
	  "Handshake interval (seconds) and retries, default 2:3; each may be left out", 3 },
	{ "keepalive", 'k', "T:I:R:S", 0,
	  "Keepalive time, interval (seconds), retries, and seconds until a connection is stale, "
	  "default 180:10:3:600; each may be left out",
	  3 },
	{ "padding", 'p', "N", 0, "Bytes added to each packet, 0 to 16, or random; default 0", 3 },
	{ "max-window", 'W', NULL, 0, "Always announce the largest TCP window", 3 },
	{ "verbose", 'v', NULL, 0, "More messages; may be repeated", 4 },
	{ "quiet", 'q', NULL, 0, "Fewer messages; may be repeated", 4 },
	{ "takeover", KEY_TAKEOVER, NULL, 0,
	  "Take the place of the instance that runs on the interface, without losing a connection; without one, start as ever", 5 },
	{ "check", KEY_CHECK, NULL, 0, "Load, attach, report, detach and exit", 5 },
	{ 0 },
};

/* Options that are configuration keys. Those that take no argument mean `true`. */
static const struct {
	int option;
	const char *key;
} run_keys[] = {
	{ 'f', "filter" },    { 'L', "link_type" }, { 'x', "xdp_mode" }, { 'X', "use_libxdp" },
	{ 'h', "handshake" }, { 'k', "keepalive" }, { 'p', "padding" },	 { 'W', "max_window" },
	{ KEY_DATAPATH, "datapath" }, { KEY_RESOLVE_INTERVAL, "resolve_interval" },
};

static error_t run_set(struct config *config, int option, const char *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(run_keys); i++) {
		if (run_keys[i].option == option)
			return args_set(config, run_keys[i].key, arg ? arg : "true");
	}
	return ARGP_ERR_UNKNOWN;
}

static void run_add_verbosity(struct config *config, int more)
{
	int level = (int)config->log_level + more;

	if (level >= LOG_LEVEL_ERROR && level <= LOG_LEVEL_TRACE)
		config->log_level = (enum log_level)level;
}

static error_t run_parse(int key, char *arg, struct argp_state *state)
{
	struct args_run *args = state->input;

	switch (key) {
	case 'F':
		return args_take_file(&args->file, arg);
	case 'v':
		run_add_verbosity(&args->config, 1);
		return 0;
	case 'q':
		run_add_verbosity(&args->config, -1);
		return 0;
	case KEY_TAKEOVER:
		args->takeover = true;
		return 0;
	case KEY_CHECK:
		args->check = true;
		return 0;
	case ARGP_KEY_ARG:
	case ARGP_KEY_NO_ARGS:
		return args_take_ifname(&args->ifname, key, arg, state);
	default:
		return run_set(&args->config, key, arg);
	}
}

int args_parse_run(struct args_run *args, int argc, char **argv)
{
	static const struct argp argp = {
		.options = run_options,
		.parser = run_parse,
		.args_doc = "<interface>",
		.doc = "Carry UDP that a filter matches as TCP segments on the interface.",
	};
	int err;

	*args = (struct args_run){ .config = CONFIG_INIT };
	err = args_parse(&argp, argc, argv, args);
	if (!err && args->check && args->takeover) {
		log_error("--check and --takeover do not go together: a check attaches by itself, and takes nothing over");
		err = -EINVAL;
	}
	if (err)
		args_run_free(args);
	return err;
}

void args_run_free(struct args_run *args)
{
	config_free(&args->config);
}

/* --- mimic show */

static const struct argp_option show_options[] = {
	{ "process", 'p', NULL, 0, "Only the process, its settings, filters and counters", 0 },
	{ "connections", 'c', NULL, 0, "Only the connections", 0 },
	{ "json", KEY_JSON, NULL, 0, "As a JSON document", 0 },
	{ 0 },
};

static error_t show_parse(int key, char *arg, struct argp_state *state)
{
	struct args_show *args = state->input;

	switch (key) {
	case 'p':
		args->process = true;
		return 0;
	case 'c':
		args->connections = true;
		return 0;
	case KEY_JSON:
		args->json = true;
		return 0;
	case ARGP_KEY_ARG:
	case ARGP_KEY_NO_ARGS:
		return args_take_ifname(&args->ifname, key, arg, state);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int args_parse_show(struct args_show *args, int argc, char **argv)
{
	static const struct argp argp = {
		.options = show_options,
		.parser = show_parse,
		.args_doc = "<interface>",
		.doc = "Show the process that runs on the interface, its filters, counters and connections.",
	};
	int err;

	*args = (struct args_show){ 0 };
	err = args_parse(&argp, argc, argv, args);
	if (!err && !args->process && !args->connections)
		args->process = args->connections = true;
	return err;
}

/* --- mimic */

struct dispatch {
	const struct args_command *commands;
	int index; /* of the subcommand in argv; 0: none found */
};

/* Adds what is in the table of subcommands to --help. argp frees the text. */
static char *dispatch_help(int key, const char *text, void *input)
{
	const struct dispatch *dispatch = input;
	const struct args_command *command;
	char *help = NULL;
	size_t size;
	FILE *out;

	if (key != ARGP_KEY_HELP_PRE_DOC || !dispatch)
		return (char *)text;
	out = open_memstream(&help, &size);
	if (!out)
		return (char *)text;
	fprintf(out, "%s\n\n", text);
	for (command = dispatch->commands; command->name; command++)
		fprintf(out, "  mimic %-8s %s\n", command->name, command->summary);
	fprintf(out, "\nEach has its own --help. See also mimic(1) and mimic(7).\n");
	return fclose(out) ? (char *)text : help;
}

static error_t dispatch_parse(int key, char *arg, struct argp_state *state)
{
	struct dispatch *dispatch = state->input;

	(void)arg;
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	dispatch->index = state->next - 1;
	state->next = state->argc; /* the rest belongs to the subcommand */
	return 0;
}

static int refuse_command(const struct args_command *commands, const char *name)
{
	const struct args_command *command;
	char list[256] = "";
	size_t used = 0;

	for (command = commands; command->name && used < sizeof(list); command++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
					 command == commands ? "" : ", ", command->name);
	if (name)
		log_error("unknown command '%s'; expected one of: %s", name, list);
	else
		log_error("no command given; expected one of: %s (mimic --help says more)", list);
	return -EINVAL;
}

int args_dispatch(const struct args_command *commands, int argc, char **argv)
{
	static const struct argp argp = {
		.parser = dispatch_parse,
		.args_doc = "COMMAND [OPTION...] <interface>",
		.doc = "UDP that travels as TCP segments.",
		.help_filter = dispatch_help,
	};
	struct dispatch dispatch = { .commands = commands };
	const struct args_command *command;
	char name[64];
	int err;

	err = args_parse(&argp, argc, argv, &dispatch);
	if (err)
		return err;
	if (!dispatch.index)
		return refuse_command(commands, NULL);
	argc -= dispatch.index;
	argv += dispatch.index;
	for (command = commands; command->name; command++) {
		if (strcmp(argv[0], command->name))
			continue;
		snprintf(name, sizeof(name), "mimic %s", command->name);
		argv[0] = name;
		return command->main(argc, argv);
	}
	return refuse_command(commands, argv[0]);
}
