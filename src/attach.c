// SPDX-License-Identifier: GPL-2.0-only
#include "attach.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

enum {
	/* BPF_TCX_* of enum bpf_attach_type; the headers of libbpf 1.1 lack them */
	ATTACH_TCX_INGRESS = 46,
	ATTACH_TCX_EGRESS = 47,

	/*
	 * Handles by which our filters are known. The second one tells whoever comes after a killed instance that the qdisc
	 * is Mimic's, too.
	 */
	CLSACT_GUEST = 0x4d696d, /* "Mim" */
	CLSACT_OWNER = 0x4d696e,

	CLSACT_DUMP = 32768, /* what the kernel puts into one message of a dump, at most */
};

static int attach_xdp_link(int ifindex, int prog_fd, __u32 flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
	int fd = bpf_link_create(prog_fd, ifindex, BPF_XDP, &opts);

	return fd < 0 ? -errno : fd;
}

static const char *attach_xdp_problem(int err)
{
	switch (err) {
	case -EBUSY:
	case -EEXIST:
		return "another XDP program is on the interface";
	case -EOPNOTSUPP:
		return "the driver does not take it";
	default:
		return strerror(-err);
	}
}

/* Whether @err is due to another XDP program: some drivers say -EBUSY for reasons of their own. */
static bool attach_is_taken(int ifindex, int err)
{
	__u32 id = 0;

	return (err == -EBUSY || err == -EEXIST) && !bpf_xdp_query_id(ifindex, 0, &id) && id;
}

int attach_ingress(struct attachment *attachment, int ifindex, int prog_fd, enum xdp_mode mode)
{
	int fd = -EOPNOTSUPP;

	attachment->ifindex = ifindex;
	if (mode != XDP_MODE_SKB) {
		fd = attach_xdp_link(ifindex, prog_fd, XDP_FLAGS_DRV_MODE);
		attachment->xdp_mode = XDP_MODE_NATIVE;
		if (attach_is_taken(ifindex, fd))
			mode = XDP_MODE_NATIVE; /* the other mode is taken by the same program */
		if (fd < 0 && mode == XDP_MODE_AUTO)
			log_info("No native XDP (%s), using skb mode", attach_xdp_problem(fd));
	}
	if (fd < 0 && mode != XDP_MODE_NATIVE) {
		fd = attach_xdp_link(ifindex, prog_fd, XDP_FLAGS_SKB_MODE);
		attachment->xdp_mode = XDP_MODE_SKB;
	}
	if (fd < 0) {
		log_error("Cannot attach XDP in %s mode: %s; %s", config_xdp_mode_name(attachment->xdp_mode),
			  attach_xdp_problem(fd),
			  attach_is_taken(ifindex, fd) ? "remove it (`ip link set dev INTERFACE xdp off`, or, where a BPF link holds it, end the "
						"program that `bpftool link` names)" :
			  attachment->xdp_mode == XDP_MODE_NATIVE ? "use --xdp-mode=skb, or leave that option out" :
								    "use --xdp-mode=native, or leave that option out");
		return fd;
	}
	attachment->xdp_link = fd;
	return 0;
}

int attach_xdp(unsigned int ifindex, int prog_fd, enum xdp_mode mode)
{
	return attach_xdp_link((int)ifindex, prog_fd,
			       mode == XDP_MODE_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
}

/* --- clsact filters, where the kernel has no tcx */

/* What is at an attach point. */
struct clsact_filters {
	unsigned int count;		/* entries of the dump: 0 when nobody has a filter there */
	__u32 priority;			/* the first that is free, or has bpf filters: a new one goes in front of those */
	__u32 our_handle, our_priority; /* 0: none */
};

struct clsact_qdisc {
	int ifindex;
	char kind[16]; /* "clsact", "ingress", or empty */
};

/* Calls @take for each object of the interface, by RTM_GETQDISC or RTM_GETTFILTER. Returns 0 or -errno. */
static int clsact_dump(uint16_t type, int ifindex, __u32 parent, mnl_cb_t take, void *data)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char buffer[CLSACT_DUMP];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(request, sizeof(*tc));
	int err = 0, more = MNL_CB_OK;
	ssize_t len;

	if (!socket)
		return -errno;
	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	tc->tcm_ifindex = ifindex;
	tc->tcm_parent = parent;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		err = -errno;
	while (!err && more > MNL_CB_STOP) {
		len = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		if (len >= 0)
			more = mnl_cb_run(buffer, (size_t)len, 0, mnl_socket_get_portid(socket), take, data);
		if (len < 0 || more < 0)
			err = -errno;
	}
	mnl_socket_close(socket);
	return err;
}

static const char *clsact_kind(const struct nlmsghdr *header, __u32 *chain)
{
	const char *kind = "";
	struct nlattr *attr;

	*chain = 0;
	mnl_attr_for_each(attr, header, sizeof(struct tcmsg)) {
		if (mnl_attr_get_type(attr) == TCA_KIND)
			kind = mnl_attr_get_str(attr);
		else if (mnl_attr_get_type(attr) == TCA_CHAIN)
			*chain = mnl_attr_get_u32(attr);
	}
	return kind;
}

/* Filters come by ascending priority. One priority has filters of one kind and protocol only. */
static int clsact_take_filter(const struct nlmsghdr *header, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(header);
	struct clsact_filters *filters = data;
	__u32 chain, priority = TC_H_MAJ(tc->tcm_info) >> 16;
	bool like_ours = !strcmp(clsact_kind(header, &chain), "bpf") && TC_H_MIN(tc->tcm_info) == htons(ETH_P_ALL);

	filters->count++;
	if (chain)
		return MNL_CB_OK;
	if (!like_ours && priority == filters->priority)
		filters->priority++;
	if (like_ours && (tc->tcm_handle == CLSACT_GUEST || tc->tcm_handle == CLSACT_OWNER)) {
		filters->our_handle = tc->tcm_handle;
		filters->our_priority = priority;
	}
	return MNL_CB_OK;
}

static int clsact_find_filters(int ifindex, enum bpf_tc_attach_point point, struct clsact_filters *filters)
{
	*filters = (struct clsact_filters){ .priority = 1 };
	return clsact_dump(RTM_GETTFILTER, ifindex,
			   TC_H_MAKE(TC_H_CLSACT, point == BPF_TC_INGRESS ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS),
			   clsact_take_filter, filters);
}

static int clsact_take_qdisc(const struct nlmsghdr *header, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(header);
	struct clsact_qdisc *qdisc = data;
	__u32 chain;

	if (tc->tcm_ifindex == qdisc->ifindex && tc->tcm_parent == TC_H_CLSACT)
		snprintf(qdisc->kind, sizeof(qdisc->kind), "%s", clsact_kind(header, &chain));
	return MNL_CB_OK;
}

/*
 * Makes the qdisc if there is none. -EBUSY: the older `ingress` is in its place, which would take egress filters for
 * ingress ones.
 */
static int clsact_open(int ifindex, bool *made)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	struct clsact_qdisc qdisc = { .ifindex = ifindex };
	int err = clsact_dump(RTM_GETQDISC, ifindex, 0, clsact_take_qdisc, &qdisc);

	if (err)
		return err;
	if (qdisc.kind[0])
		return strcmp(qdisc.kind, "clsact") ? -EBUSY : 0;
	err = bpf_tc_hook_create(&hook);
	if (!err)
		*made = true;
	return err;
}

/* Removes our filter if there is one. It is asked for and not remembered, so this also removes a killed instance's. */
static int clsact_remove(int ifindex, enum bpf_tc_attach_point point, struct clsact_filters *filters)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts);
	int err = clsact_find_filters(ifindex, point, filters);

	if (err || !filters->our_handle)
		return err;
	opts.handle = filters->our_handle;
	opts.priority = filters->our_priority;
	return bpf_tc_detach(&hook, &opts);
}

static int clsact_attach(int ifindex, int prog_fd, enum bpf_tc_attach_point point, bool *made)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd);
	struct clsact_filters filters;
	int err = clsact_open(ifindex, made);

	if (!err)
		err = clsact_find_filters(ifindex, point, &filters);
	if (err)
		return err;
	if (filters.priority > 1)
		log_warn("Other TC filters come first on the %s side: what they do not let go on does not reach Mimic",
			 point == BPF_TC_INGRESS ? "ingress" : "egress");
	opts.handle = *made ? CLSACT_OWNER : CLSACT_GUEST;
	opts.priority = filters.priority;
	return bpf_tc_attach(&hook, &opts);
}

/* The qdisc goes when we made it and nobody else has filters in it. */
static void clsact_close(int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	struct clsact_filters in, out;

	if (!clsact_find_filters(ifindex, BPF_TC_INGRESS, &in) && !in.count &&
	    !clsact_find_filters(ifindex, BPF_TC_EGRESS, &out) && !out.count)
		bpf_tc_hook_destroy(&hook);
}

/* --- tcx, else clsact */

/* A link, or 0 with *@clsact set, or -errno. */
static int attach_tc_program(int ifindex, int prog_fd, bool ingress, bool *clsact, bool *made)
{
	int fd = bpf_link_create(prog_fd, ifindex,
				 (enum bpf_attach_type)(ingress ? ATTACH_TCX_INGRESS : ATTACH_TCX_EGRESS), NULL);
	int err;

	if (fd >= 0)
		return fd;
	log_debug("No tcx (%s), using a clsact filter", strerror(errno));
	err = clsact_attach(ifindex, prog_fd, ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS, made);
	if (err)
		return err;
	*clsact = true;
	return 0;
}

int attach_tc_ingress(unsigned int ifindex, int prog_fd)
{
	bool clsact = false, made = false;
	int fd = attach_tc_program((int)ifindex, prog_fd, true, &clsact, &made);

	return clsact ? -ENOTSUP : fd;
}

int attach_tc(struct attachment *attachment, int ifindex, int ingress_fd, int egress_fd)
{
	int fd;

	attachment->ifindex = ifindex;
	fd = attach_tc_program(ifindex, ingress_fd, true, &attachment->ingress_clsact, &attachment->made_clsact);
	if (fd >= 0 && !attachment->ingress_clsact)
		attachment->ingress_link = fd;
	if (fd >= 0)
		fd = attach_tc_program(ifindex, egress_fd, false, &attachment->egress_clsact,
				       &attachment->made_clsact);
	if (fd >= 0 && !attachment->egress_clsact)
		attachment->egress_link = fd;
	if (fd >= 0)
		return 0;
	if (fd == -EBUSY)
		log_error("Cannot attach to TC: the interface has the qdisc ingress, which cannot serve egress; put clsact in "
			  "its place, which serves both (tc qdisc del dev IF ingress; tc qdisc add dev IF clsact)");
	else
		log_error("Cannot attach to TC: %s; the kernel needs CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS",
			  strerror(-fd));
	return fd;
}

/* Returns the handle of the filter that was there, or 0. */
static __u32 attach_remove_clsact(const struct attachment *attachment, enum bpf_tc_attach_point point)
{
	struct clsact_filters filters;
	int err = clsact_remove(attachment->ifindex, point, &filters);

	/* -EOPNOTSUPP: a kernel without any TC filters */
	if (err && err != -ENOENT && err != -ENODEV && err != -EOPNOTSUPP)
		log_warn("Cannot remove the TC filter: %s", strerror(-err));
	return filters.our_handle;
}

void attach_clear(struct attachment *attachment, int ifindex)
{
	__u32 egress, ingress;

	attachment->ifindex = ifindex;
	egress = attach_remove_clsact(attachment, BPF_TC_EGRESS);
	ingress = attach_remove_clsact(attachment, BPF_TC_INGRESS);
	if (egress || ingress)
		log_info("Removed the TC filters of an instance that was killed");
	attachment->made_clsact = egress == CLSACT_OWNER || ingress == CLSACT_OWNER;
}

static void attach_close_link(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void attach_detach(struct attachment *attachment)
{
	attach_close_link(&attachment->egress_link);
	if (attachment->egress_clsact)
		attach_remove_clsact(attachment, BPF_TC_EGRESS);
	attach_close_link(&attachment->xdp_link);
	attach_close_link(&attachment->ingress_link);
	if (attachment->ingress_clsact)
		attach_remove_clsact(attachment, BPF_TC_INGRESS);
	if (attachment->made_clsact)
		clsact_close(attachment->ifindex);
	attachment->egress_clsact = attachment->ingress_clsact = attachment->made_clsact = false;
}
