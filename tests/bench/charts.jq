# SPDX-License-Identifier: GPL-2.0-only
# The charts of tests/bench/report: the figures of a benchmark that have this unit

def charts: [
	{"file": "programs", "bench": "programs", "unit": "ns", "title": "BPF programs: ns for a packet"},
	{"file": "speed", "bench": "speed", "unit": "datagrams/s", "title": "Datagrams a second"},
	{"file": "cpu", "bench": "speed", "unit": "s", "title": "CPU seconds for a million datagrams"},
	{"file": "latency", "bench": "latency", "unit": "ns", "title": "Delays, in ns"},
	{"file": "connections", "bench": "connections", "unit": "ns", "title": "Few and many connections: ns for a packet"},
	{"file": "cores", "bench": "cores", "unit": "datagrams/s", "title": "One core and two: datagrams a second"},
	{"file": "gso", "bench": "gso", "unit": "datagrams/s", "title": "Batches: datagrams a second"},
	{"file": "tcp", "bench": "tcp", "unit": "Gbit/s", "title": "TCP that no filter is for: Gbit/s"}
];
