/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attaches the programs to an interface, and takes them off again. XDP always is a BPF link, TC is one where the
 * kernel has tcx (6.6 and later): links go with the process, however it ends.
 *
 * Older kernels get a filter in the clsact qdisc, known by its handle, at the first priority that no filter of another kind
 * has. What a killed instance left is removed by the next one. The qdisc is removed at the end if Mimic made it (a killed
 * instance, too: the handle of its filter says so) and it is empty; one that others made, or use, stays.
 */
#ifndef MIMIC_ATTACH_H
#define MIMIC_ATTACH_H

#include <stdbool.h>

#include "config.h"
#include "libxdp.h"

struct bpf_object;

enum {
	/* BPF_TCX_* of enum bpf_attach_type; the headers of libbpf 1.1 lack them */
	ATTACH_TCX_INGRESS = 46,
	ATTACH_TCX_EGRESS = 47,
};

struct attachment {
	int ifindex;
	int xdp_link, egress_link, ingress_link; /* -1: none */
	bool egress_clsact, ingress_clsact;	 /* TC filters instead of links */
	bool made_clsact;			 /* the qdisc was not there before */
	enum xdp_mode xdp_mode;			 /* in force: skb or native */
	struct libxdp libxdp;			 /* instead of xdp_link */
};

#define ATTACHMENT_INIT { .xdp_link = -1, .egress_link = -1, .ingress_link = -1 }

/*
 * Takes off what an instance left that was killed: filters, which go on changing packets that nobody restores. Never fails;
 * logs. *@attachment is ATTACHMENT_INIT.
 */
void attach_clear(struct attachment *attachment, int ifindex);

/* XDP on @ifindex, in @mode (auto: native, else skb; logs why). Returns 0 or -errno, logged. */
int attach_ingress(struct attachment *attachment, int ifindex, int prog_fd, enum xdp_mode mode);

/*
 * The same through libxdp, beside the XDP programs of others; @open makes an object for each try, or fails with errno. Returns 0
 * or -errno, logged; -ENOPKG, logged as a warning: there is no libxdp that can be used here, and nobody to share the interface with.
 */
int attach_ingress_shared(struct attachment *attachment, int ifindex, struct bpf_object *(*open)(void *context), void *context,
			  enum xdp_mode mode);

/* TC ingress and egress. Returns 0 or -errno, logged. */
int attach_tc(struct attachment *attachment, int ifindex, int ingress_fd, int egress_fd);

/*
 * Puts our programs into the place of those of another instance of the same ABI. The links of *@attachment are that instance's,
 * and so is xdp_mode; which sides are clsact filters is found out. No packet passes without a program meanwhile.
 * May be repeated. Returns 0 or -errno, logged.
 */
int attach_replace(struct attachment *attachment, int ifindex, int xdp_fd, int ingress_fd, int egress_fd);

/*
 * Whether the driver forgets XDP when the machine sleeps: virtio_net in native mode (seen with Linux 6.12). The kernel goes on to show the
 * program, but it does not run.
 */
bool attach_is_forgotten(const struct attachment *attachment, const char *driver);

/* Attaches XDP in native mode anew, with the program that was attached. Returns 0 or -errno; then nothing is, and it may be tried again. */
int attach_xdp_again(struct attachment *attachment, int prog_fd);

/*
 * Attaches the filters of clsact again that somebody has removed. Returns how many, 0 where all are there; or -errno: not all could be
 * attached, and it may be tried again.
 */
int attach_tc_again(struct attachment *attachment, int ingress_fd, int egress_fd);

/* Whether somebody has detached a link, while the interface is there. */
bool attach_is_detached(const struct attachment *attachment);

/* Attaches what was detached so, in the order of a start. Returns 0 or -errno; then not all is attached, and it may be tried again. */
int attach_links_again(struct attachment *attachment, int xdp_fd, int ingress_fd, int egress_fd);

/* Gives everything up and leaves it attached: somebody else has the links, too. */
void attach_leave(struct attachment *attachment);

/* Detaches a link, even if others have it too, and closes it. -1: none. */
void attach_drop_link(int *fd);

/* Egress first, so that nothing is transformed whose answer would not be restored. Never fails; logs. */
void attach_detach(struct attachment *attachment);

/* For the staging device. A link, or -errno. */
int attach_xdp(unsigned int ifindex, int prog_fd, enum xdp_mode mode);

/* A link; -ENOTSUP: it is a filter, which goes with the device; or another -errno. */
int attach_tc_ingress(unsigned int ifindex, int prog_fd);

#endif
