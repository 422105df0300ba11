# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# not a test
#
# For tests that do what the documents say, after lib.sh: reads their tables, files and commands.
#
#   docs_rows README KIND    rows of a table of an example's README.md whose last column is called KIND: its cells, with | between
#   docs_host NS ETC         from now on in_docs NS runs programs with the files below ETC in the place of those below /etc
#   docs_commands PAGE       what the section EXAMPLES of a page of the manual tells people to type: a command a line
#   in_docs NS COMMAND...    a command in NS, with the mimic under test in its PATH; for `bg`: in_ns NS "${DOCS_RUN[NS]}" COMMAND...

# shellcheck disable=SC2034 # for the test
DOCS=${SRCDIR:-$(dirname "${BASH_SOURCE[0]}")/../..}/docs
declare -A DOCS_RUN=()

# docs_rows README KIND
docs_rows() {
	awk -F' *[|] *' -v kind="$2" '
		!/^[|]/ { inside = 0; next }
		$(NF - 1) == kind { inside = 1; next }
		inside && !/^[|] ---/ { print $2 "|" $3 "|" $4 }' "$1"
}

# docs_host NS ETC
docs_host() {
	DOCS_RUN[$(lib_ns "$1")]=$2.run
	mkdir -p "$2/mimic"
	# A resolver that asks nobody.
	echo 'hosts: files' >"$2/nsswitch.conf"
	[ -e "$2/hosts" ] || echo '127.0.0.1 localhost' >"$2/hosts"
	# (`ip netns exec` makes a mount namespace, so nobody else sees that /etc.)
	cat >"$2.run" <<-END
		#!/bin/bash
		mount -t overlay -o "lowerdir=$2:/etc" overlay /etc || exit 99
		PATH="$(dirname "$MIMIC"):\$PATH"
		exec "\$@"
	END
	chmod +x "$2.run"
}

in_docs() {
	local ns

	ns=$(lib_ns "$1")
	shift
	in_ns "$ns" "${DOCS_RUN[$ns]}" "$@"
}

# docs_commands PAGE: blocks that are a configuration are left to docs_blocks; any other line that is no command is printed with `not a command: `
docs_commands() {
	awk '
		function finish(  i) {
			for (i = 1; i <= count && !settings; i++) {
				if (line[i] !~ /^[a-z]*# [a-z]/) printf "not a command: "
				sub(/^[a-z]*# /, "", line[i])
				print line[i]
			}
			count = settings = 0
		}
		/^```/ { inside = !inside; if (!inside) finish(); next }
		!inside && /^# / { examples = $0 == "# EXAMPLES" }
		inside && examples && /./ { line[++count] = $0; settings = settings || /^[a-z_.]+ = / }' "$1"
}

# docs_blocks FILE: each indented block of a Markdown file, and each literal one of a scdoc file that is (a part of) a configuration of
# Mimic becomes a file $TEST_TMP/blocks/N; prints their names
docs_blocks() {
	rm -rf "$TEST_TMP/blocks"
	mkdir "$TEST_TMP/blocks"
	awk -v dir="$TEST_TMP/blocks" '
		function out(text) { block = block text "\n"; wanted = wanted || text ~ /^filter = / }
		function finish() {
			if (wanted) {
				file = dir "/" ++count
				printf "%s", block >file
				close(file)
				print file
			}
			block = ""; wanted = 0
		}
		FILENAME ~ /\.md$/ { if (/^    /) out(substr($0, 5)); else if (/./) finish(); else if (block != "") out(""); next }
		/^```/ { inside = !inside; if (!inside) finish(); next }
		inside { out($0) }
		END { finish() }' "$1"
}
