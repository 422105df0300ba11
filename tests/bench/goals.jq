# SPDX-License-Identifier: GPL-2.0-only
# What has to be reached: which figure of which subject; of: its median, its ratio to the base, or its difference from that

def goals: [
	{"bench": "programs", "what": "egress, complete checksum, 64 bytes", "subject": "mimic-bpf", "of": "difference", "at_most": 350},
	{"bench": "programs", "what": "egress, complete checksum, 1400 bytes", "subject": "mimic-bpf", "of": "difference", "at_most": 350},
	{"bench": "programs", "what": "egress, partial checksum, 1400 bytes", "subject": "mimic-bpf", "of": "difference", "at_most": 550},
	{"bench": "programs", "what": "ingress, complete checksum, 1400 bytes", "subject": "mimic-bpf", "of": "difference", "at_most": 300},
	{"bench": "programs", "what": "ingress, unmatched, 1400 bytes", "subject": "mimic-bpf", "of": "difference", "at_most": 40},
	{"bench": "speed", "what": "one way, 64 bytes", "subject": "mimic-bpf", "of": "ratio", "at_least": 0.80},
	{"bench": "speed", "what": "one way, 1400 bytes", "subject": "mimic-bpf", "of": "ratio", "at_least": 0.80},
	{"bench": "speed", "what": "both ways, 64 bytes", "subject": "mimic-bpf", "of": "ratio", "at_least": 0.80},
	{"bench": "speed", "what": "both ways, 1400 bytes", "subject": "mimic-bpf", "of": "ratio", "at_least": 0.80},
	{"bench": "speed", "what": "one way, 64 bytes", "subject": "mimic-tc", "of": "ratio", "at_least": 0.90},
	{"bench": "speed", "what": "one way, 1400 bytes", "subject": "mimic-tc", "of": "ratio", "at_least": 0.90},
	{"bench": "speed", "what": "both ways, 64 bytes", "subject": "mimic-tc", "of": "ratio", "at_least": 0.90},
	{"bench": "speed", "what": "both ways, 1400 bytes", "subject": "mimic-tc", "of": "ratio", "at_least": 0.90},
	{"bench": "start", "what": "two together, until both are attached", "subject": "mimic-bpf", "of": "median", "at_most": 300},
	{"bench": "gso", "what": "UDP_SEGMENT against one by one", "subject": "mimic-bpf", "of": "median", "at_least": 1},
	{"bench": "gso", "what": "UDP_SEGMENT, CPU for a million", "subject": "mimic-gso", "of": "ratio", "at_most": 1.15},
	{"bench": "latency", "what": "first datagram, beyond 1.5 plain round trips", "subject": "mimic-bpf", "of": "median", "at_most": 300000},
	{"bench": "connections", "what": "egress, 65000 connections against 1", "subject": "mimic-bpf", "of": "median", "at_most": 1.15},
	{"bench": "connections", "what": "ingress, 65000 connections against 1", "subject": "mimic-bpf", "of": "median", "at_most": 1.15},
	{"bench": "connections", "what": "clock, a walk over 65000 connections, CPU", "subject": "mimic-bpf", "of": "median", "at_most": 20},
	{"bench": "cores", "what": "two cores, two flows, against one core", "subject": "mimic-bpf", "of": "median", "at_least": 1.9},
	{"bench": "cores", "what": "two cores, one flow, against one core", "subject": "mimic-bpf", "of": "median", "at_least": 1},
	{"bench": "tcp", "what": "unrelated TCP", "subject": "mimic-bpf", "of": "ratio", "at_least": 0.97},
	{"bench": "tcp", "what": "unrelated TCP", "subject": "mimic-tc", "of": "ratio", "at_least": 0.97}
];
