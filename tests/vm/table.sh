#!/bin/bash
# not a test
# SPDX-License-Identifier: GPL-2.0-only
# Prints the table of docs/kernels.md from the logs of `tests/run --long vm kmod`: table.sh [TEST-LOGS] (default: build/test-logs).
# A test whose last guest did not end with status 0 makes a row that says so.
set -eu
logs=${1:-$(dirname "$0")/../../build/test-logs}

cat <<'END'
| kernel | architecture | level | object | JIT | tests | egress | ingress | repair | command | all | load |
| --- | --- | --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
END
find "$logs"/{vm,kmod} -name '*.log' | LC_ALL=C sort | while read -r log; do
	awk -v test="$(basename "$(dirname "$log")")/$(basename "$log" .log)" '
		/^facts: / { fact[++facts] = $0 }
		/^vm: [^ ]*: status [0-9]* after/ { status = $4 }
		END { for (i = 1; i <= facts; i++) print test, status, fact[i] }
	' "$log"
done | awk '
	BEGIN {
		split("x86_64 amd64 i686 i386 aarch64 arm64 armv7l armhf ppc64le ppc64el mips64 mips64el mips mipsel loongarch64 loong64", names)
		for (i = 1; i in names; i += 2)
			debian[names[i]] = names[i + 1]
	}
	{
		delete value
		for (i = 6; i <= NF; i++) {
			split($i, part, "=")
			value[part[1]] = part[2]
		}
		key = $5 " " $4 " " value["level"] " " value["jit"]
		if (!(key in row)) {
			order[++rows] = key
			row[key] = sprintf("%s | %s | %s | %s | %s", $4, debian[$5] == "" ? $5 : debian[$5], value["level"], value["object"],
					   value["jit"] == "0" ? "off" : value["jit"] == "none" ? "none" : "on")
			least[key] = value["load_s"]
			numbers[key] = sprintf("%d | %d | %d | %d | %d", value["egress"], value["ingress"], value["repair"], value["command"],
					       value["insns"])
		}
		if (value["load_s"] < least[key])
			least[key] = value["load_s"]
		name = $1
		sub(/.*-/, "", name)
		sub(/^[0-9.]*$/, "dkms", name)
		if ($2 != 0)
			name = "FAILED: " name
		if (index(", " tests[key] ",", ", " name ",") == 0)
			tests[key] = tests[key] (tests[key] == "" ? "" : ", ") name
	}
	END {
		for (i = 1; i <= rows; i++)
			printf "| %s | %s | %s | %s s |\n", row[order[i]], tests[order[i]], numbers[order[i]], least[order[i]]
	}' | LC_ALL=C sort -t '|' -k 3,3 -k 2,2V -k 4,4
