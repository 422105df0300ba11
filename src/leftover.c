// SPDX-License-Identifier: GPL-2.0-only
#include "leftover.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "attach.h"
#include "log.h"
#include "util.h"

enum {
	LEFTOVER_MAX = 64, /* programs at one hook, which is what the kernel allows */
};

/* The programs of Mimic at a hook, by their ids. */
struct leftover {
	__u32 ids[LEFTOVER_MAX];
	__u32 count;
};

static bool leftover_is_ours(__u32 id)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && !strncmp(info.name, "mimic_", strlen("mimic_"));
}

/* A kernel without tcx has none there. */
static void leftover_find(int ifindex, struct leftover *found)
{
	__u32 flags, ids[LEFTOVER_MAX], count = 0, xdp = 0;

	found->count = 0;
	if (!bpf_xdp_query_id(ifindex, 0, &xdp) && xdp && leftover_is_ours(xdp))
		found->ids[found->count++] = xdp;
	for (int type = ATTACH_TCX_INGRESS; type <= ATTACH_TCX_EGRESS; type++) {
		count = LEFTOVER_MAX;
		if (bpf_prog_query(ifindex, (enum bpf_attach_type)type, 0, &flags, ids, &count))
			continue;
		for (__u32 i = 0; i < count && found->count < LEFTOVER_MAX; i++) {
			if (leftover_is_ours(ids[i]))
				found->ids[found->count++] = ids[i];
		}
	}
}

/* Interfaces of other network namespaces may have the same index, but no program is in two places. */
static bool leftover_has(const struct leftover *found, __u32 prog_id)
{
	for (__u32 i = 0; i < found->count; i++) {
		if (found->ids[i] == prog_id)
			return true;
	}
	return false;
}

int leftover_detach(int ifindex)
{
	struct leftover found;
	__u32 id = 0;

	leftover_find(ifindex, &found);
	while (found.count && !bpf_link_get_next_id(id, &id)) {
		struct bpf_link_info info = {};
		__u32 len = sizeof(info);
		int fd = bpf_link_get_fd_by_id(id);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && (int)info.xdp.ifindex == ifindex &&
		    leftover_has(&found, info.prog_id)) {
			log_info("Detaching a program (%u) whose link somebody keeps", info.prog_id);
			bpf_link_detach(fd);
		}
		util_close_fd(&fd);
	}
	leftover_find(ifindex, &found);
	return found.count ? -EBUSY : 0;
}
