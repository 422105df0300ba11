/* SPDX-License-Identifier: GPL-2.0-only */
/* One question to the kernel by netlink (libmnl), and all that it answers. */
#ifndef MIMIC_NLASK_H
#define MIMIC_NLASK_H

#include <libmnl/libmnl.h>

/*
 * Sends @request (type, flags and content are the caller's; NLM_F_REQUEST and a number are added) to @protocol (NETLINK_*), and
 * calls @take, which may be NULL, for each message of the answer, until the acknowledgement or the end of the dump. Returns 0
 * or -errno.
 */
int nlask(int protocol, struct nlmsghdr *request, mnl_cb_t take, void *data);

#endif
