// SPDX-License-Identifier: GPL-2.0-only
#include "attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

enum {
	/* BPF_TCX_* of enum bpf_attach_type; the headers of libbpf 1.1 lack them */
	ATTACH_TCX_INGRESS = 46,
	ATTACH_TCX_EGRESS = 47,
	ATTACH_TC_HANDLE = 0x4d696d, /* "Mim": nobody else's filter is replaced */
	ATTACH_TC_PRIORITY = 1,
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

int attach_ingress(struct attachment *attachment, int ifindex, int prog_fd, enum xdp_mode mode)
{
	int fd = -EOPNOTSUPP;

	attachment->ifindex = ifindex;
	if (mode != XDP_MODE_SKB) {
		fd = attach_xdp_link(ifindex, prog_fd, XDP_FLAGS_DRV_MODE);
		attachment->xdp_mode = XDP_MODE_NATIVE;
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
			  fd == -EBUSY || fd == -EEXIST ? "remove it (ip link set dev IF xdp off)"
							: "try another --xdp-mode");
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

/* A filter of fixed handle and priority: it replaces what a killed instance left. */
static int attach_clsact(int ifindex, int prog_fd, enum bpf_tc_attach_point point, bool *made)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .handle = ATTACH_TC_HANDLE,
		    .priority = ATTACH_TC_PRIORITY, .flags = BPF_TC_F_REPLACE);
	int err = bpf_tc_hook_create(&hook);

	if (err && err != -EEXIST)
		return err;
	if (!err)
		*made = true;
	return bpf_tc_attach(&hook, &opts);
}

/* A link, or 0 with *@clsact set, or -errno. */
static int attach_tc_program(int ifindex, int prog_fd, bool ingress, bool *clsact, bool *made)
{
	int fd = bpf_link_create(prog_fd, ifindex,
				 (enum bpf_attach_type)(ingress ? ATTACH_TCX_INGRESS : ATTACH_TCX_EGRESS), NULL);
	int err;

	if (fd >= 0)
		return fd;
	log_debug("No tcx (%s), using a clsact filter", strerror(errno));
	err = attach_clsact(ifindex, prog_fd, ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS, made);
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
	log_error("Cannot attach to TC: %s; the kernel needs CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS",
		  strerror(-fd));
	return fd;
}

static void attach_remove_clsact(const struct attachment *attachment, enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = attachment->ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = ATTACH_TC_HANDLE, .priority = ATTACH_TC_PRIORITY);
	int err = bpf_tc_detach(&hook, &opts);

	if (err && err != -ENOENT && err != -ENODEV)
		log_warn("Cannot remove the TC filter: %s", strerror(-err));
}

static void attach_close_link(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void attach_detach(struct attachment *attachment)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = attachment->ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	attach_close_link(&attachment->egress_link);
	if (attachment->egress_clsact)
		attach_remove_clsact(attachment, BPF_TC_EGRESS);
	attach_close_link(&attachment->xdp_link);
	attach_close_link(&attachment->ingress_link);
	if (attachment->ingress_clsact)
		attach_remove_clsact(attachment, BPF_TC_INGRESS);
	if (attachment->made_clsact)
		bpf_tc_hook_destroy(&hook);
	attachment->egress_clsact = attachment->ingress_clsact = attachment->made_clsact = false;
}
