# SPDX-License-Identifier: GPL-2.0-only
# jq -n -r --slurpfile old OLD --slurpfile new NEW: what is in both runs, a line each
include "figures";

def ratio_to($base; $key): if .[$key] == null or $base[$key] == null or $base[$key] == 0 then "-" else .[$key] / $base[$key] * 1000 | round / 1000 | tostring end;

($old[0], $new[0] | "\(.commit), \(.date): \(.machine.cpu), \(.machine.cpus) processors, Linux \(.machine.kernel); \(.command)"),
(("" | pad(76)) + ("old" | lpad(12)) + ("new" | lpad(12)) + ("new/old" | lpad(10)) + ("of base" | lpad(10))),
($new[0].results[] as $n
| [$old[0].results[] | select(.bench == $n.bench and .what == $n.what and .subject == $n.subject)][0] as $o | select($o)
| ("\($n.bench): \($n.what), \($n.unit), \($n.subject)" | pad(76)) + ($o.median | figure | lpad(12)) + ($n.median | figure | lpad(12))
	+ ($n | ratio_to($o; "median") | lpad(10)) + ($n | ratio_to($o; "ratio") | lpad(10))
	+ (if $n.least > $o.most or $n.most < $o.least then " *" else "" end))
