# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# not a test
#
# For tests of mimic check, after lib.sh.

# check STATUS ARGS...: mimic check in A, as text, to $TEST_TMP/check
check() {
	local status=$1 rc=0

	shift
	in_a timeout -k 1 60 "$MIMIC" check "$@" >"$TEST_TMP/check" 2>"$TEST_TMP/check.err" || rc=$?
	expect_eq "$rc" "$status" "check $*: exit status ($(grep -E '^(problem|note)' "$TEST_TMP/check"; cat "$TEST_TMP/check.err"))"
	expect_eq "$(cat "$TEST_TMP/check.err")" '' "check $*: stderr"
}

# check_json STATUS ARGS...: after that, the same as JSON, which agrees with it line for line
check_json() {
	local status=$1 rc=0

	shift
	in_a timeout -k 1 60 "$MIMIC" check --json "$@" >"$TEST_TMP/check.json" || rc=$?
	expect_eq "$rc" "$status" "check --json $*: exit status"
	python3 - "$TEST_TMP/check.json" >"$TEST_TMP/check.text" <<-'END' || fail "check --json $*: $(cat "$TEST_TMP/check.json")"
		import json, sys
		whole = json.load(open(sys.argv[1]))
		assert sorted(whole) == ["interface", "items", "problems", "version"], sorted(whole)
		assert whole["problems"] == sum(item["result"] == "problem" for item in whole["items"])
		for item in whole["items"]:
		    assert sorted(item) == ["found", "item", "remedy", "result"], item
		    assert item["result"] in ("ok", "note", "problem"), item
		    remedy = "; " + item["remedy"] if item["remedy"] else ""
		    print("%-7s %s: %s%s" % (item["result"], item["item"], item["found"], remedy))
	END
	cmp -s "$TEST_TMP/check" "$TEST_TMP/check.text" || fail "check $*: JSON differs: $(diff "$TEST_TMP/check" "$TEST_TMP/check.text")"
}

# says RESULT ITEM PATTERN: a line of the last check
says() {
	grep -qE -- "^$1 +$2: .*$3" "$TEST_TMP/check" || fail "no $1 of $2 with '$3': $(cat "$TEST_TMP/check")"
}
