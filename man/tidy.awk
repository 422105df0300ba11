# SPDX-License-Identifier: GPL-2.0-only
# scdoc ends each paragraph by .P, also where a heading or the end of an indented block follows, or another .P: mandoc calls these empty.
# They go, and one in front of .RE comes behind it, where it still separates what stands before and after.
# The first line tells man to call tbl.
NR == 1 { print "'\\\" t" }
$0 == ".P" { pending = 1; next }
/^\.RE/ { print; next }
/^\.S[HS]/ { pending = 0 }
pending && !after_heading { print ".P" }
{ print; pending = 0; after_heading = /^\.(TH|SH|SS)/ }
