#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# not a test
#
# run.sh fuzz_X: runs a target for tests/run, which sets the variables. It begins with the corpus in the tree, which stays as it is, and
# goes on from there: by default always with the same inputs, so that what is new in a failure is the change that is tested; at random with
# --long, or MIMIC_FUZZ_SECONDS. An input that ends it is left beside the logs.
set -u

target=$1
program=$BUILDDIR/tests/fuzz/bin/$target
corpus=$SRCDIR/tests/fuzz/corpus/${target#fuzz_}
dict=$SRCDIR/tests/fuzz/$target.dict
logs=$BUILDDIR/test-logs/fuzz
seconds=60 same=(-seed=1 -runs=20000)
[[ ${MIMIC_LONG:-} ]] && seconds=600 same=()
[[ ${MIMIC_FUZZ_SECONDS:-} ]] && seconds=$MIMIC_FUZZ_SECONDS same=()

options=(-max_total_time="$seconds" "${same[@]}" -timeout=20 -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$logs/$target.")
[[ -f $dict ]] && options+=(-dict="$dict")
mkdir -p "$TEST_TMP/new" "$logs" || exit
rm -f "$logs/$target".{crash,leak,oom,timeout}-*
# A corpus that is not there would go unnoticed.
[[ $(find "$corpus" -type f -print -quit) ]] || { echo "there is nothing in $corpus"; exit 1; }
if "$program" "${options[@]}" "$TEST_TMP/new" "$corpus" 2>&1; then
	exit 0
fi
for input in "$logs/$target".{crash,leak,oom,timeout}-*; do
	[[ -f $input ]] || continue
	echo
	echo "The input that ends it is kept. It does so again by:"
	echo "    $program $input"
done
exit 1
