# SPDX-License-Identifier: GPL-2.0-only
# What the other jq programs share: numbers as people read them, columns of text

def unique_in_order: reduce .[] as $x ([]; if index([$x]) then . else . + [$x] end);
# The subjects of results, those of comparison first.
def subjects: [.[].subject] as $own | ["plain", "empty"] - (["plain", "empty"] - $own) + $own | unique_in_order;
def pad($n): . + " " * ([$n - length, 0] | max);
def lpad($n): " " * ([$n - length, 0] | max) + .;

# Three digits or more, without a needless zero; "-" for null.
def figure:
	if . == null then "-"
	elif . == 0 then "0"
	elif fabs >= 100 then round | tostring
	elif fabs >= 10 then . * 10 | round / 10 | tostring
	elif fabs >= 1 then . * 100 | round / 100 | tostring
	else . * 10000 | round / 10000 | tostring end;
