/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mimic: finds the subcommand and runs it. For a new one: its options in args.c, its body in
 * cmd_NAME.c, and a line in the table below.
 */
#include <stdlib.h>

#include "args.h"

static int main_run(int argc, char **argv)
{
	_cleanup_args_run_ struct args_run args = { .config = CONFIG_INIT };
	int err;

	err = args_parse_run(&args, argc, argv);
	return err ? err : cmd_run(&args);
}

static int main_show(int argc, char **argv)
{
	struct args_show args;
	int err;

	err = args_parse_show(&args, argc, argv);
	return err ? err : cmd_show(&args);
}

static const struct args_command commands[] = {
	{ "run", "carry UDP as TCP on an interface", main_run },
	{ "show", "show what runs there, its filters and connections", main_show },
	{ "check", "say what on this machine hinders Mimic, and what to do", cmd_check },
	{ "stats", "show what its connections and filters carried", cmd_stats },
	{ "trace", "print its segments as they come and go", cmd_trace },
	{ "guard", "keep plain UDP in while Mimic does not run", cmd_guard },
	{ "stop", "end what runs there, and clean up what is left", cmd_stop },
	{ 0 },
};

int main(int argc, char **argv)
{
	return args_dispatch(commands, argc, argv) ? EXIT_FAILURE : EXIT_SUCCESS;
}
