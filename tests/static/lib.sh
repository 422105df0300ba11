# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the analyzers of source text share. Source this file; it leaves the shell in the source tree.
#
#   need COMMAND            skip the test where that is not installed
#   quietly                 let other tests go first: some of them look at the clock
#   finds COMMAND...        fail unless COMMAND, which looks at something wrong, finds it

cd "$SRCDIR" || exit

need()
{
	command -v "$1" >/dev/null && return
	echo "$1 is not installed (tests/static/packages)"
	exit 77
}

quietly()
{
	renice -n 19 $$ >/dev/null
	# (Sessions are groups for the scheduler, see sched(7), and each test is one.)
	[ ! -e /proc/self/autogroup ] || echo 19 >/proc/self/autogroup
}

finds()
{
	if "$@" >"$TEST_TMP/finds" 2>&1; then
		cat "$TEST_TMP/finds"
		echo "nothing is found where something is wrong: $*"
		exit 1
	fi
}
