// SPDX-License-Identifier: GPL-2.0-only
#include "clsact.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

enum {
	/* Handles by which our filters are known. The second of each tells whoever comes later that the qdisc is Mimic's, too. */
	CLSACT_GUEST = 0x4d696d, /* "Mim" */
	CLSACT_OWNER = 0x4d696e,
	CLSACT_GUARD_GUEST = 0x4d7567, /* "Mug" */
	CLSACT_GUARD_OWNER = 0x4d7568,

	CLSACT_LAST_PRIORITY = 0xffff,

	CLSACT_DUMP = 32768, /* what the kernel puts into one message of a dump, at most */
};

static enum bpf_tc_attach_point clsact_point(enum clsact_place place)
{
	return place == CLSACT_INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS;
}

/* What is at an attach point. */
struct clsact_filters {
	bool guard;			/* ours is the guard */
	unsigned int count;		/* entries of the dump: 0 when nobody has a filter there */
	__u32 priority;			/* the first that is free, or has bpf filters: a new one goes in front of those */
	__u32 our_handle, our_priority; /* 0: none */
	unsigned int others;		/* that are not Mimic's */
	bool owned;			/* some filter of Mimic says that the qdisc is Mimic's */
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

static bool clsact_is_owner(__u32 handle)
{
	return handle == CLSACT_OWNER || handle == CLSACT_GUARD_OWNER;
}

/* Filters come by ascending priority. One priority has filters of one kind and protocol only. */
static int clsact_take_filter(const struct nlmsghdr *header, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(header);
	struct clsact_filters *filters = data;
	__u32 chain, priority = TC_H_MAJ(tc->tcm_info) >> 16;
	bool like_ours = !strcmp(clsact_kind(header, &chain), "bpf") && TC_H_MIN(tc->tcm_info) == htons(ETH_P_ALL);
	bool main = tc->tcm_handle == CLSACT_GUEST || tc->tcm_handle == CLSACT_OWNER;
	bool guard = tc->tcm_handle == CLSACT_GUARD_GUEST || tc->tcm_handle == CLSACT_GUARD_OWNER;

	filters->count++;
	if (chain)
		return MNL_CB_OK;
	if (!like_ours && priority == filters->priority)
		filters->priority++;
	if (!like_ours || (!main && !guard)) {
		filters->others += tc->tcm_handle != 0; /* without one: the entry of the priority itself */
		return MNL_CB_OK;
	}
	filters->owned = filters->owned || clsact_is_owner(tc->tcm_handle);
	if (filters->guard ? guard : main) {
		filters->our_handle = tc->tcm_handle;
		filters->our_priority = priority;
	}
	return MNL_CB_OK;
}

static int clsact_find_filters(int ifindex, enum clsact_place place, struct clsact_filters *filters)
{
	*filters = (struct clsact_filters){ .priority = 1, .guard = place == CLSACT_GUARD };
	return clsact_dump(RTM_GETTFILTER, ifindex,
			   TC_H_MAKE(TC_H_CLSACT, place == CLSACT_INGRESS ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS),
			   clsact_take_filter, filters);
}

/* Our filter: *@opts say which it is, *@made what its handle says of the qdisc. -ENOENT: there is none. */
static int clsact_find_ours(int ifindex, enum clsact_place place, struct bpf_tc_opts *opts, bool *made)
{
	struct clsact_filters filters;
	int err = clsact_find_filters(ifindex, place, &filters);

	if (err)
		return err;
	if (!filters.our_handle)
		return -ENOENT;
	opts->handle = filters.our_handle;
	opts->priority = filters.our_priority;
	*made = clsact_is_owner(filters.our_handle);
	return 0;
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

int clsact_remove(int ifindex, enum clsact_place place, bool *found, bool *made)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = clsact_point(place));
	LIBBPF_OPTS(bpf_tc_opts, opts);
	int err;

	*made = false;
	err = clsact_find_ours(ifindex, place, &opts, made);
	*found = !err;
	if (err)
		return err == -ENOENT ? 0 : err;
	return bpf_tc_detach(&hook, &opts);
}

int clsact_attach(int ifindex, int prog_fd, enum clsact_place place, bool *made)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = clsact_point(place));
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd);
	struct clsact_filters filters;
	int err = clsact_open(ifindex, made);

	if (!err)
		err = clsact_find_filters(ifindex, place, &filters);
	if (err)
		return err;
	if (filters.priority > 1 && place != CLSACT_GUARD)
		log_warn("Other TC filters come first on the %s side: what they do not let go on does not reach Mimic",
			 place == CLSACT_INGRESS ? "ingress" : "egress");
	if (filters.others && place == CLSACT_GUARD)
		log_warn("Other TC filters come first on the egress side: what they let out by themselves, the guard of plain UDP does not see");
	*made = *made || filters.owned;
	if (place == CLSACT_GUARD) {
		opts.handle = *made ? CLSACT_GUARD_OWNER : CLSACT_GUARD_GUEST;
		opts.priority = CLSACT_LAST_PRIORITY;
	} else {
		opts.handle = *made ? CLSACT_OWNER : CLSACT_GUEST;
		opts.priority = filters.priority;
	}
	return bpf_tc_attach(&hook, &opts);
}

int clsact_replace(int ifindex, int prog_fd, enum clsact_place place, bool *made)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = clsact_point(place));
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE);
	int err = clsact_find_ours(ifindex, place, &opts, made);

	return err ? err : bpf_tc_attach(&hook, &opts);
}

int clsact_query(int ifindex, enum clsact_place place, uint32_t *prog_id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = clsact_point(place));
	LIBBPF_OPTS(bpf_tc_opts, opts);
	bool made;
	int err = clsact_find_ours(ifindex, place, &opts, &made);

	if (!err)
		err = bpf_tc_query(&hook, &opts);
	*prog_id = opts.prog_id;
	return err;
}

void clsact_close(int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	struct clsact_filters in, out;

	if (!clsact_find_filters(ifindex, CLSACT_INGRESS, &in) && !in.count &&
	    !clsact_find_filters(ifindex, CLSACT_EGRESS, &out) && !out.count)
		bpf_tc_hook_destroy(&hook);
}
