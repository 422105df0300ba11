// SPDX-License-Identifier: GPL-2.0-only
/*
 * tcxlink - puts a TC program that is loaded already on an interface by a tcx link (kernel 6.6 and later)
 *
 *	tcxlink PROG_ID IFACE ingress|egress first|last
 *
 * first and last: among the programs that are there. READY on stderr says that it is attached; SIGTERM or SIGINT takes
 * it off. (bpftool can do that from 7.5 on; Debian 12 has 7.1, and its headers know nothing of tcx.)
 *
 * Exit status: 0 done, 2 usage or system error, 3 the kernel has no tcx.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	/* enum bpf_attach_type, and flags of BPF_LINK_CREATE, of Linux 6.6 */
	TCX_INGRESS = 46,
	TCX_EGRESS = 47,
	FLAG_BEFORE = 1 << 3,
	FLAG_AFTER = 1 << 4,
};

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

int main(int argc, char **argv)
{
	union bpf_attr get = { 0 }, create = { 0 };
	sigset_t signals;
	int sig;

	if (argc != 5) {
		fputs("usage: tcxlink PROG_ID IFACE ingress|egress first|last\n", stderr);
		return 2;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	get.prog_id = (uint32_t)strtoul(argv[1], NULL, 10);
	create.link_create.prog_fd = (uint32_t)bpf(BPF_PROG_GET_FD_BY_ID, &get);
	create.link_create.target_ifindex = if_nametoindex(argv[2]);
	create.link_create.attach_type = strcmp(argv[3], "ingress") ? TCX_EGRESS : TCX_INGRESS;
	create.link_create.flags = strcmp(argv[4], "first") ? FLAG_AFTER : FLAG_BEFORE;
	if (bpf(BPF_LINK_CREATE, &create) < 0) {
		fprintf(stderr, "tcxlink: %s on %s: %s\n", argv[1], argv[2], strerror(errno));
		return errno == EINVAL ? 3 : 2;
	}
	fputs("READY\n", stderr);
	return sigwait(&signals, &sig) ? 2 : 0; /* the link goes with its descriptor */
}
