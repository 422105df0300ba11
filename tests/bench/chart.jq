# SPDX-License-Identifier: GPL-2.0-only
# jq -r --argjson chart CHART: the figures of one benchmark that have the chart's unit, as an SVG of horizontal bars: a group for each figure,
# a bar for each subject
include "figures";

def colours: ["#9aa0a6", "#5f6368", "#1a73e8", "#188038", "#e37400", "#d93025", "#9334e6", "#12858d"];
def xml: gsub("&"; "&amp;") | gsub("<"; "&lt;") | gsub(">"; "&gt;");
def text($x; $y; $more): "<text x=\"\($x)\" y=\"\($y)\" \($more)>\(xml)</text>";

[.results[] | select(.bench == $chart.bench and .unit == $chart.unit)] as $own
| ($own | subjects) as $subjects | ([$own[].what] | unique_in_order) as $figures
| ([$own[].median] | max) as $most | 14 as $bar | ($bar * ($subjects | length) + 26) as $group
| (40 + $group * ($figures | length) + 10) as $height
| "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"800\" height=\"\($height)\" viewBox=\"0 0 800 \($height)\" font-family=\"sans-serif\" font-size=\"11\">",
	"<!-- SPDX-License-Identifier: GPL-2.0-only -->",
	"<rect width=\"800\" height=\"\($height)\" fill=\"#ffffff\"/>",
	($chart.title | text(10; 22; "font-size=\"15\" font-weight=\"bold\"")),
	(range($figures | length) as $f | (40 + $f * $group) as $top
	| ($figures[$f] | text(10; $top + 12; "font-weight=\"bold\"")),
		(range($subjects | length) as $s | ($top + 18 + $s * $bar) as $y
		| [$own[] | select(.what == $figures[$f] and .subject == $subjects[$s])][0] | select(.)
		| (if $most > 0 then ([.median, 0] | max) * 560 / $most | . * 10 | round / 10 else 0 end) as $width
		| ($subjects[$s] | text(130; $y + 10; "text-anchor=\"end\"")),
			"<rect x=\"136\" y=\"\($y)\" width=\"\($width)\" height=\"\($bar - 2)\" fill=\"\(colours[$s % (colours | length)])\"/>",
			(.median | figure | text(141 + $width; $y + 10; "")))),
	"</svg>"
