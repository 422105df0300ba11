/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command line. Subcommands are a table of args_command (main.c); each has its own options and
 * arguments. --help, --usage and --version print to stdout and exit 0; an unknown option is
 * named on stderr and exits 1; both are argp's doing. Every other error is logged and returned.
 *
 * The options of `run` and `show` are parsed here; each newer subcommand parses its own, in its cmd_NAME.c, by args_parse()
 * and args_take_ifname().
 */
#ifndef MIMIC_ARGS_H
#define MIMIC_ARGS_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

#include "config.h"

struct args_command {
	const char *name;
	const char *summary; /* for --help */
	/* argv[0] is `mimic NAME`. Returns 0 or -errno; errors are logged. */
	int (*main)(int argc, char **argv);
};

/* Strings point into argv. */
struct args_run {
	const char *ifname;
	const char *file;     /* -F; NULL: none */
	bool takeover;	      /* --takeover: of the instance that runs, if one does */
	bool check;	      /* --check: load, attach, report, detach, exit */
	struct config config; /* what the options say; the file is not read yet (config_load()) */
};

struct args_show {
	const char *ifname;
	bool process; /* both are true when neither option was given */
	bool connections;
	bool json;
};

#define _cleanup_args_run_ __attribute__((cleanup(args_run_free)))

/*
 * Finds the subcommand in the table @commands, whose last entry has no name, and runs it. Returns
 * what it returned, or -EINVAL for a missing or unknown subcommand, which is logged together with
 * the list.
 */
int args_dispatch(const struct args_command *commands, int argc, char **argv);

/*
 * Fill *@args, which needs no initial value. Return 0, -EINVAL or -ENOMEM; errors are logged, and
 * args_run_free() is allowed then, not needed.
 */
int args_parse_run(struct args_run *args, int argc, char **argv);
int args_parse_show(struct args_show *args, int argc, char **argv);

void args_run_free(struct args_run *args);

/*
 * Parses the options of a subcommand into @input. They may stand before, between and after the arguments, with
 * POSIXLY_CORRECT too. argp exits by itself for --help and its like, and for unknown options. Returns 0 or -errno; errors are
 * logged.
 */
int args_parse(const struct argp *argp, int argc, char **argv, void *input);

/*
 * For the parser of a subcommand whose one argument is an interface: takes ARGP_KEY_ARG and ARGP_KEY_NO_ARGS. *@ifname is NULL
 * at first. Returns 0 or EINVAL, logged.
 */
error_t args_take_ifname(const char **ifname, int key, char *arg, const struct argp_state *state);

/* Takes the path of a configuration file. Returns 0 or EINVAL, logged. */
error_t args_take_file(const char **file, const char *arg);

/* Sets a key of the configuration, by config_set(). Returns 0 or an errno, logged. */
error_t args_set(struct config *config, const char *key, const char *value);

/* The subcommands, each in the file of its name. 0 or -errno; errors are logged. */
int cmd_run(const struct args_run *args);
int cmd_show(const struct args_show *args);
int cmd_check(int argc, char **argv); /* these parse their options themselves */
int cmd_stats(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_guard(int argc, char **argv);

#endif
