# SPDX-License-Identifier: GPL-2.0-only
# jq -s: results of rounds, as lib.sh writes them, to one entry for each figure of each subject: median and range; of the ratios to its
# base in the same round, and of the differences from it, the medians

def median:
	sort | length as $n
	| if $n == 0 then null elif $n % 2 == 1 then .[($n - 1) / 2] else (.[$n / 2 - 1] + .[$n / 2]) / 2 end;

# Groups in the order of their first members.
def groups(key):
	to_entries | group_by(.value | key) | sort_by(.[0].key) | map(map(.value));

groups([.bench, .what]) | map(
	. as $all
	| groups(.subject)[] | . as $own
	| [$own[] | . as $one | ($all[] | select(.subject == $one.base and .round == $one.round and $one.subject != $one.base)) as $base
		| {difference: ($one.value - $base.value), ratio: (if $base.value == 0 then null else $one.value / $base.value end)}] as $pairs
	| {bench: $own[0].bench, what: $own[0].what, unit: $own[0].unit, base: $own[0].base, subject: $own[0].subject,
		rounds: ($own | length), median: ([$own[].value] | median), least: ([$own[].value] | min), most: ([$own[].value] | max),
		ratio: ([$pairs[].ratio | numbers] | median), difference: ([$pairs[].difference] | median)})
