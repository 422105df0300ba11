# SPDX-License-Identifier: GPL-2.0-only
# jq -r --arg folder CHARTS: a file of tests/bench/run, to the measured part of docs/performance.md
include "figures";
include "goals";
include "charts";

def of($all; $goal): [$all[] | select(.bench == $goal.bench and .what == $goal.what and .subject == $goal.subject)][0];

def goal_line($all):
	. as $goal | of($all; .) as $found
	| (if $found then $found[$goal.of] else null end) as $value
	| (if .of == "median" then $found.unit // "" elif .of == "difference" then "\($found.unit // "") above \($found.base // "")" else "of \($found.base // "")" end
		| if . == "ratio" then "" else . end) as $unit
	| select($found)
	| "| \(.what) | \(.subject) | \(if .at_most then "at most \(.at_most)" else "at least \(.at_least)" end) \($unit) | \($value | figure) | " +
		(if $value == null then "-" elif (.at_most and $value <= .at_most) or (.at_least and $value >= .at_least) then "yes" else "**no**" end) + " |";

def bench_table($all; $bench):
	[$all[] | select(.bench == $bench)] as $own
	| ($own | subjects) as $subjects
	| "| | unit | \($subjects | join(" | ")) |", "| --- | --- |\($subjects | map(" ---: |") | join(""))",
		([$own[] | [.what, .unit]] | unique_in_order[] as [$what, $unit]
		| "| \($what) | \($unit) | " + ([$subjects[] as $subject | [$own[] | select(.what == $what and .subject == $subject)][0]
			| if . == null then "-" else (.median | figure) + (if .ratio then " (\(.ratio * 100 | round / 100))" else "" end) end] | join(" | ")) + " |");

.results as $all | . as $file
| "Measured on \(.date), commit \(.commit): \(.machine.cpu), \(.machine.cpus) processors, \(.machine.memory_mb) MB" +
	(if .machine.virtual != "none" then ", a virtual machine (\(.machine.virtual))" else "" end) + ", Linux \(.machine.kernel), \(.machine.clang).",
	"Load before it began: \(.machine.load).", "", "    \(.command)", "",
	"| goal | subject | wanted | measured | reached |", "| --- | --- | --- | ---: | --- |", (goals[] | goal_line($all)), "",
	(($all | [.[].bench] | unique_in_order[]) as $bench
	| "### \($bench)", "", "\($file.titles[$bench] // ""). Median of \([$all[] | select(.bench == $bench).rounds] | max) rounds" +
		(if any($all[]; .bench == $bench and .ratio) then "; in brackets the ratio to \([$all[] | select(.bench == $bench)][0].base)." else "." end), "",
		((charts | map(select(.bench == $bench)))[] | select(. as $chart | any($all[]; .bench == $bench and .unit == $chart.unit))
			| "![\(.title)](\($folder)/\(.file).svg)", ""),
		bench_table($all; $bench), "")
