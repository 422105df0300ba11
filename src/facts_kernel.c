// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include "facts.h"
#include "util.h"

#define FACTS_SECURE_BOOT "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define FACTS_SIGNATURE	  "~Module signature appended~\n" /* MODULE_SIG_STRING */

/* zlib reads files that are not compressed, too. */
static void facts_read_options(struct facts_kernel *kernel)
{
	char path[128], line[512];
	gzFile file;

	snprintf(path, sizeof(path), "/proc/config.gz");
	file = gzopen(path, "re");
	if (!file) {
		snprintf(path, sizeof(path), "/boot/config-%s", kernel->release);
		file = gzopen(path, "re");
	}
	if (!file)
		return;
	memset(kernel->option, 'n', sizeof(kernel->option));
	while (gzgets(file, line, sizeof(line)))
		kconfig_take(kernel->option, line);
	gzclose(file);
	memcpy(kernel->options_from, path, sizeof(path));
}

static int facts_read_number(const char *path)
{
	char line[32], *end;
	long number;

	util_read_line(path, line, sizeof(line));
	number = strtol(line, &end, 10);
	return end == line ? -1 : (int)number;
}

/* `none [integrity] confidentiality`: the one in brackets. */
static void facts_read_lockdown(struct facts_kernel *kernel)
{
	char line[64], *begin;

	util_read_line("/sys/kernel/security/lockdown", line, sizeof(line));
	begin = strchr(line, '[');
	if (!begin)
		return;
	begin[strcspn(begin, "]")] = '\0';
	snprintf(kernel->lockdown, sizeof(kernel->lockdown), "%s", begin + 1);
}

/* Four bytes of attributes, then the value. */
static enum facts_answer facts_read_secure_boot(void)
{
	FILE *file = fopen(FACTS_SECURE_BOOT, "re");
	unsigned char bytes[5];
	size_t count;

	if (!file)
		return FACTS_UNKNOWN;
	count = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	return count < sizeof(bytes) ? FACTS_UNKNOWN : bytes[4] ? FACTS_YES : FACTS_NO;
}

/* A signature stands at the end of the file; of a compressed one that cannot be seen. */
static enum facts_answer facts_read_signature(const struct facts_kernel *kernel)
{
	char path[512], tail[sizeof(FACTS_SIGNATURE)] = "";
	size_t len;
	FILE *file;

	if (kfunc_find_installed(kernel->release, path, sizeof(path)) <= 0)
		return FACTS_UNKNOWN;
	len = strlen(path);
	if (len < 3 || strcmp(path + len - 3, ".ko"))
		return FACTS_UNKNOWN;
	file = fopen(path, "re");
	if (!file)
		return FACTS_UNKNOWN;
	if (!fseek(file, -(long)strlen(FACTS_SIGNATURE), SEEK_END))
		len = fread(tail, 1, strlen(FACTS_SIGNATURE), file);
	fclose(file);
	return strcmp(tail, FACTS_SIGNATURE) ? FACTS_NO : FACTS_YES;
}

static void facts_read_enforcement(struct facts_kernel *kernel)
{
	char line[8];

	util_read_line("/sys/module/module/parameters/sig_enforce", line, sizeof(line));
	if (line[0])
		kernel->signatures_enforced = line[0] == 'Y' ? FACTS_YES : FACTS_NO;
}

/* More than the switch says, which is not there in other network namespaces. */
static bool facts_is_compiled(int prog_fd)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	return !bpf_obj_get_info_by_fd(prog_fd, &info, &len) && info.jited_prog_len;
}

/* As `mimic run` does it, but nothing is attached, and all is gone again at the end. */
static void facts_try_load(struct facts_kernel *kernel, bool ethernet)
{
	_cleanup_datapath_ struct datapath datapath = { 0 };
	struct datapath_options options = {
		.ethernet = ethernet,
		.kfunc = kernel->module.state == KFUNC_READY,
		.release_mark = 1,
		.staged_mark = 2,
	};

	if (getrandom(&options.isn_key, sizeof(options.isn_key), 0) < 0)
		return;
	kernel->load_tried = true;
	kernel->load_error = datapath_open(&datapath, &options, &kernel->load_why);
	kernel->load_kfunc = datapath.kfunc;
	kernel->load_object = datapath.kind;
	if (!kernel->load_error)
		kernel->jit = facts_is_compiled(datapath.ingress_fd);
}

void facts_find_kernel(struct facts_kernel *kernel, const struct facts_privileges *privileges, bool ethernet)
{
	struct utsname names;

	if (!uname(&names)) {
		snprintf(kernel->release, sizeof(kernel->release), "%s", names.release);
		snprintf(kernel->machine, sizeof(kernel->machine), "%s", names.machine);
	}
	facts_read_options(kernel);
	kernel->btf = !access("/sys/kernel/btf/vmlinux", F_OK);
	kernel->jit = facts_read_number("/proc/sys/net/core/bpf_jit_enable");
	kernel->unprivileged = facts_read_number("/proc/sys/kernel/unprivileged_bpf_disabled");
	facts_read_lockdown(kernel);
	kernel->secure_boot = facts_read_secure_boot();
	kernel->module_signed = facts_read_signature(kernel);
	facts_read_enforcement(kernel);
	kfunc_probe(&kernel->module);
	if (privileges->capabilities)
		facts_try_load(kernel, ethernet);
}
