// SPDX-License-Identifier: GPL-2.0-only
#include "privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PRIVILEGES_BIT(capability) (1ULL << (capability))

enum {
	PRIVILEGES_WORDS = _LINUX_CAPABILITY_U32S_3,
	PRIVILEGES_CAPABILITIES_MAX = 64,
};

static int privileges_get(uint64_t *permitted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[PRIVILEGES_WORDS] = { 0 };

	if (syscall(SYS_capget, &header, data))
		return -errno;
	*permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

/* Permitted and effective; nothing is inherited by whatever would be executed. */
static int privileges_set(uint64_t capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[PRIVILEGES_WORDS] = { 0 };

	for (unsigned int i = 0; i < PRIVILEGES_WORDS; i++)
		data[i].permitted = data[i].effective = (uint32_t)(capabilities >> 32 * i);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/* Without CAP_SETPCAP the bounding set stays as whoever started us made it; with no_new_privs it is of no use to anybody. */
static void privileges_bound(uint64_t capabilities)
{
	for (int i = 0; i < PRIVILEGES_CAPABILITIES_MAX && prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++) {
		if (!(capabilities & PRIVILEGES_BIT(i)))
			prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	}
}

/* The perf buffers are made anew when the CPUs change: memory that is locked, and beyond a limit. Whether there is none now. */
static bool privileges_lift_memlock(void)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	return !setrlimit(RLIMIT_MEMLOCK, &none);
}

int privileges_keep(bool by_id)
{
	/* Programs, maps and buffers; TC, XDP, devices and marks; AF_PACKET. */
	uint64_t keep = PRIVILEGES_BIT(CAP_BPF) | PRIVILEGES_BIT(CAP_PERFMON) | PRIVILEGES_BIT(CAP_NET_ADMIN) | PRIVILEGES_BIT(CAP_NET_RAW);
	uint64_t permitted = 0;
	int err = privileges_get(&permitted);

	if (err)
		return err;
	if (by_id)
		keep |= PRIVILEGES_BIT(CAP_SYS_ADMIN);
	if (!privileges_lift_memlock())
		keep |= PRIVILEGES_BIT(CAP_IPC_LOCK);
	privileges_bound(keep);
	err = privileges_set(permitted & keep);
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	return err;
}

int privileges_drop(void)
{
	return privileges_set(0);
}
