# SPDX-License-Identifier: GPL-2.0-only
# jq -r: what summary.jq made, to a table: a line for each figure, a column for each subject: median, and in brackets the ratio to its base
include "figures";

def cell: if . == null then "-" else (.median | figure) + (if .ratio then " (\(.ratio * 100 | round / 100))" else "" end) end;

. as $all | subjects as $subjects
| ([$subjects[] | length + 2] + [18] | max) as $width
| ("" | pad(62)) + ([$subjects[] | lpad($width)] | join("")),
	($all | [.[] | [.bench, .what, .unit]] | unique_in_order[] as [$bench, $what, $unit]
	| ("\($bench): \($what), \($unit)" | pad(62)) + ([$subjects[] as $subject
		| [$all[] | select(.bench == $bench and .what == $what and .subject == $subject)][0] | cell | lpad($width)] | join("")))
