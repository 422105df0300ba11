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
	ATTACH_TCX_EGRESS = 47, /* BPF_TCX_EGRESS of enum bpf_attach_type; libbpf 1.1's headers lack it */
	ATTACH_TC_HANDLE = 1,
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
			  fd == -EBUSY || fd == -EEXIST ? "remove it (ip link set dev IF xdp off) or use --use-libxdp"
							: "try another --xdp-mode");
		return fd;
	}
	attachment->xdp_link = fd;
	return 0;
}

static int attach_clsact(struct attachment *attachment, int ifindex, int prog_fd)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .handle = ATTACH_TC_HANDLE,
		    .priority = ATTACH_TC_PRIORITY, .flags = BPF_TC_F_REPLACE);
	int err = bpf_tc_hook_create(&hook);

	if (err && err != -EEXIST)
		return err;
	attachment->made_clsact = !err;
	err = bpf_tc_attach(&hook, &opts);
	if (err)
		return err;
	attachment->egress_clsact = true;
	return 0;
}

int attach_egress(struct attachment *attachment, int ifindex, int prog_fd)
{
	int fd = bpf_link_create(prog_fd, ifindex, (enum bpf_attach_type)ATTACH_TCX_EGRESS, NULL), err;

	attachment->ifindex = ifindex;
	if (fd >= 0) {
		attachment->egress_link = fd;
		return 0;
	}
	log_debug("No tcx (%s), using a clsact filter", strerror(errno));
	err = attach_clsact(attachment, ifindex, prog_fd);
	if (err)
		log_error("Cannot attach to TC egress: %s; the kernel needs CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS",
			  strerror(-err));
	return err;
}

static void attach_remove_clsact(struct attachment *attachment)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = attachment->ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = ATTACH_TC_HANDLE, .priority = ATTACH_TC_PRIORITY);
	int err = bpf_tc_detach(&hook, &opts);

	if (err && err != -ENOENT && err != -ENODEV)
		log_warn("Cannot remove the TC egress filter: %s", strerror(-err));
	if (!attachment->made_clsact)
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_tc_hook_destroy(&hook);
}

void attach_detach(struct attachment *attachment)
{
	if (attachment->egress_link >= 0)
		close(attachment->egress_link);
	attachment->egress_link = -1;
	if (attachment->egress_clsact)
		attach_remove_clsact(attachment);
	attachment->egress_clsact = false;
	if (attachment->xdp_link >= 0)
		close(attachment->xdp_link);
	attachment->xdp_link = -1;
}
