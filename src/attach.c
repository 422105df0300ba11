// SPDX-License-Identifier: GPL-2.0-only
#include "attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "clsact.h"
#include "log.h"

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
/* The id of the XDP program on the interface, 0: there is none, or -errno. */
static int64_t attach_xdp_there(int ifindex)
{
	__u32 id = 0;
	int err = bpf_xdp_query_id(ifindex, 0, &id);

	return err ? err : (int64_t)id;
}

static bool attach_is_taken(int ifindex, int err)
{
	return (err == -EBUSY || err == -EEXIST) && attach_xdp_there(ifindex) > 0;
}

int attach_ingress(struct attachment *attachment, int ifindex, int prog_fd, enum xdp_mode mode)
{
	char name[IF_NAMESIZE] = "INTERFACE";
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
		if_indextoname((unsigned int)ifindex, name);
		if (attach_is_taken(ifindex, fd))
			log_error("Cannot attach XDP in %s mode: %s; remove it (`ip link set dev %s xdp off`, or, where a BPF link holds it, end "
				  "the program that `bpftool link` names)",
				  config_xdp_mode_name(attachment->xdp_mode), attach_xdp_problem(fd), name);
		else
			log_error("Cannot attach XDP in %s mode: %s; use --xdp-mode=%s, or leave that option out",
				  config_xdp_mode_name(attachment->xdp_mode), attach_xdp_problem(fd),
				  attachment->xdp_mode == XDP_MODE_NATIVE ? "skb" : "native");
		return fd;
	}
	attachment->xdp_link = fd;
	return 0;
}

static int attach_try_libxdp(struct attachment *attachment, int ifindex, struct bpf_object *(*open)(void *context), void *context,
			     enum xdp_mode mode)
{
	struct bpf_object *object = open(context);

	attachment->xdp_mode = mode;
	return object ? libxdp_attach(&attachment->libxdp, object, ifindex, mode == XDP_MODE_NATIVE) : -errno;
}

int attach_ingress_shared(struct attachment *attachment, int ifindex, struct bpf_object *(*open)(void *context), void *context,
			  enum xdp_mode mode)
{
	const char *why = NULL;
	int err = -EOPNOTSUPP, native = 0;

	if (libxdp_open(&why)) {
		log_warn("Cannot attach through libxdp: %s; going on without, alone on the interface", why);
		return -ENOPKG;
	}
	attachment->ifindex = ifindex;
	if (mode != XDP_MODE_SKB) {
		err = native = attach_try_libxdp(attachment, ifindex, open, context, XDP_MODE_NATIVE);
		if (err && err != -ENOPKG && mode == XDP_MODE_AUTO)
			log_info("No native XDP through libxdp (%s), trying skb mode", strerror(-err));
	}
	if (err && err != -ENOPKG && mode != XDP_MODE_NATIVE)
		err = attach_try_libxdp(attachment, ifindex, open, context, XDP_MODE_SKB);
	if (err == -ENOPKG) {
		log_warn("Cannot attach through libxdp: it cannot use its dispatcher here (is the BPF file system mounted and writable at "
			 "/sys/fs/bpf? -vv shows its words); going on without, alone on the interface");
	} else if (err == -EINVAL && !attach_xdp_there(ifindex)) {
		/* Nobody else is in the way, so it is the kernel that refuses: a program that changes packets, under a dispatcher that does not. */
		log_warn("Cannot attach through libxdp: the kernel refuses its dispatcher (kernels since 6.13 and 6.12.5 want xdp-tools of June 2025 "
			 "or later; -vv shows the words of libxdp); going on without, alone on the interface");
		return -ENOPKG;
	} else if (err) {
		/* (Where native mode is refused, skb mode fails because of those that are there in native mode.) */
		bool refused = err == -EINVAL || native == -EINVAL;

		log_error("Cannot attach XDP through libxdp in %s mode: %s; %s (-vv shows the words of libxdp)",
			  config_xdp_mode_name(attachment->xdp_mode), strerror(-err),
			  refused ? "kernels since 6.13 and 6.12.5 want a newer libxdp: install xdp-tools of June 2025 or later, or leave "
				    "--use-libxdp out" :
				    "`xdp-loader status` names the programs that are there: one that was not attached through libxdp, or "
				    "in another mode, cannot be shared with");
	}
	return err;
}

int attach_xdp(unsigned int ifindex, int prog_fd, enum xdp_mode mode)
{
	return attach_xdp_link((int)ifindex, prog_fd,
			       mode == XDP_MODE_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
}

static enum clsact_place attach_place(bool ingress)
{
	return ingress ? CLSACT_INGRESS : CLSACT_EGRESS;
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
	err = clsact_attach(ifindex, prog_fd, attach_place(ingress), made);
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
	char name[IF_NAMESIZE] = "INTERFACE";
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
	if_indextoname((unsigned int)ifindex, name);
	if (fd == -EBUSY)
		log_error("Cannot attach to TC: %s has the qdisc ingress, which cannot serve egress; put clsact in "
			  "its place, which serves both (tc qdisc del dev %s ingress; tc qdisc add dev %s clsact)", name, name, name);
	else
		log_error("Cannot attach to TC: %s; the kernel needs CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS",
			  strerror(-fd));
	return fd;
}

/* Whether there was one. *@made is set when it says that the qdisc is Mimic's, and else left as it is. */
static bool attach_remove_clsact(int ifindex, bool ingress, bool *made)
{
	bool found, owner;
	int err = clsact_remove(ifindex, attach_place(ingress), &found, &owner);

	/* -EOPNOTSUPP: a kernel without any TC filters */
	if (err && err != -ENOENT && err != -ENODEV && err != -EOPNOTSUPP)
		log_warn("Cannot remove the TC filter: %s", strerror(-err));
	*made = *made || owner;
	return found;
}

void attach_clear(struct attachment *attachment, int ifindex)
{
	const char *why;
	bool egress, ingress;

	attachment->ifindex = ifindex;
	egress = attach_remove_clsact(ifindex, false, &attachment->made_clsact);
	ingress = attach_remove_clsact(ifindex, true, &attachment->made_clsact);
	/* Only where somebody's program is there at all: the library need not be loaded to find out that there is none. */
	if (attach_xdp_there(ifindex) > 0 && !libxdp_open(&why) && libxdp_clear(ifindex) > 0)
		log_info("Removed the XDP program of an instance that was killed");
	if (egress || ingress)
		log_info("Removed the TC filters of an instance that was killed");
}

/* Returns 0 or -errno. */
static int attach_replace_tc(int ifindex, int link, int prog_fd, bool ingress, bool *clsact, bool *made)
{
	int err;

	if (link >= 0)
		return bpf_link_update(link, prog_fd, NULL);
	*clsact = true; /* also after an error: there may be the old one's */
	err = clsact_replace(ifindex, prog_fd, attach_place(ingress), made);
	if (err == -ENOENT) /* somebody has removed it */
		err = clsact_attach(ifindex, prog_fd, attach_place(ingress), made);
	return err;
}

int attach_replace(struct attachment *attachment, int ifindex, int xdp_fd, int ingress_fd, int egress_fd)
{
	int err = bpf_link_update(attachment->xdp_link, xdp_fd, NULL);

	attachment->ifindex = ifindex;
	if (!err)
		err = attach_replace_tc(ifindex, attachment->ingress_link, ingress_fd, true, &attachment->ingress_clsact,
					&attachment->made_clsact);
	if (!err)
		err = attach_replace_tc(ifindex, attachment->egress_link, egress_fd, false, &attachment->egress_clsact,
					&attachment->made_clsact);
	if (err)
		log_error("Cannot put new programs into the place of the old ones: %s", strerror(-err));
	return err;
}

bool attach_is_forgotten(const struct attachment *attachment, const char *driver)
{
	return attachment->xdp_mode == XDP_MODE_NATIVE && !attachment->libxdp.program && !strcmp(driver, "virtio_net");
}

/* Not by bpf_link_update(): with the same program that does nothing. */
int attach_xdp_again(struct attachment *attachment, int prog_fd)
{
	int fd;

	attach_drop_link(&attachment->xdp_link);
	fd = attach_xdp_link(attachment->ifindex, prog_fd, XDP_FLAGS_DRV_MODE);
	if (fd < 0)
		return fd;
	attachment->xdp_link = fd;
	return 0;
}

static bool attach_is_removed(const struct attachment *attachment, bool ingress)
{
	uint32_t id;

	return (ingress ? attachment->ingress_clsact : attachment->egress_clsact) &&
	       clsact_query(attachment->ifindex, attach_place(ingress), &id) == -ENOENT;
}

int attach_tc_again(struct attachment *attachment, int ingress_fd, int egress_fd)
{
	bool ingress = attach_is_removed(attachment, true), egress = attach_is_removed(attachment, false);
	int err = 0;

	if (ingress && egress)
		attachment->made_clsact = false; /* the qdisc that there is now, if there is one, is somebody else's */
	if (ingress)
		err = clsact_attach(attachment->ifindex, ingress_fd, CLSACT_INGRESS, &attachment->made_clsact);
	if (!err && egress)
		err = clsact_attach(attachment->ifindex, egress_fd, CLSACT_EGRESS, &attachment->made_clsact);
	return err ? err : ingress + egress;
}

/* A link that was detached is still there, but on no interface. (XDP and tcx have the index in the same place.) */
static bool attach_link_is_detached(int link)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	return link >= 0 && !bpf_obj_get_info_by_fd(link, &info, &len) && !info.xdp.ifindex;
}

bool attach_is_detached(const struct attachment *attachment)
{
	char name[IF_NAMESIZE];

	return (attach_link_is_detached(attachment->xdp_link) || attach_link_is_detached(attachment->ingress_link) ||
		attach_link_is_detached(attachment->egress_link)) &&
	       if_indextoname((unsigned int)attachment->ifindex, name);
}

/* Puts @fd, a new link or -errno, into the place of *@link. */
static int attach_exchange(int *link, int fd)
{
	if (fd < 0)
		return fd;
	close(*link);
	*link = fd;
	return 0;
}

static int attach_tcx_again(struct attachment *attachment, int *link, int prog_fd, bool ingress)
{
	int fd;

	if (!attach_link_is_detached(*link))
		return 0;
	fd = bpf_link_create(prog_fd, attachment->ifindex,
			     (enum bpf_attach_type)(ingress ? ATTACH_TCX_INGRESS : ATTACH_TCX_EGRESS), NULL);
	return attach_exchange(link, fd < 0 ? -errno : fd);
}

int attach_links_again(struct attachment *attachment, int xdp_fd, int ingress_fd, int egress_fd)
{
	int err = 0;

	if (attach_link_is_detached(attachment->xdp_link))
		err = attach_exchange(&attachment->xdp_link, attach_xdp((unsigned int)attachment->ifindex, xdp_fd, attachment->xdp_mode));
	if (!err)
		err = attach_tcx_again(attachment, &attachment->ingress_link, ingress_fd, true);
	return err ? err : attach_tcx_again(attachment, &attachment->egress_link, egress_fd, false);
}

static void attach_close_link(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void attach_leave(struct attachment *attachment)
{
	attach_close_link(&attachment->egress_link);
	attach_close_link(&attachment->ingress_link);
	attach_close_link(&attachment->xdp_link);
	attachment->egress_clsact = attachment->ingress_clsact = attachment->made_clsact = false;
}

void attach_drop_link(int *fd)
{
	if (*fd >= 0)
		bpf_link_detach(*fd);
	attach_close_link(fd);
}

void attach_detach(struct attachment *attachment)
{
	int err;

	attach_drop_link(&attachment->egress_link);
	if (attachment->egress_clsact)
		attach_remove_clsact(attachment->ifindex, false, &attachment->made_clsact);
	attach_drop_link(&attachment->xdp_link);
	err = libxdp_detach(&attachment->libxdp);
	if (err)
		log_warn("Cannot take the XDP program off through libxdp: %s; `xdp-loader unload` does", strerror(-err));
	attach_drop_link(&attachment->ingress_link);
	if (attachment->ingress_clsact)
		attach_remove_clsact(attachment->ifindex, true, &attachment->made_clsact);
	if (attachment->made_clsact)
		clsact_close(attachment->ifindex);
	attachment->egress_clsact = attachment->ingress_clsact = attachment->made_clsact = false;
}
