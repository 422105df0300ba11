// SPDX-License-Identifier: GPL-2.0-only
#include "kfunc.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "util.h"

#define KFUNC_SYSFS	 "/sys/module/mimic"
#define KFUNC_BTF	 "/sys/kernel/btf/mimic"
#define KFUNC_KERNEL_BTF "/sys/kernel/btf/vmlinux"
#define KFUNC_LOCKDOWN	 "/sys/kernel/security/lockdown"
#define KFUNC_ENFORCE	 "/sys/module/module/parameters/sig_enforce"
#define KFUNC_JIT	 "/proc/sys/net/core/bpf_jit_enable"

/* What kmod/mimic_kfunc.h declares and bpf/ calls. */
static const char *const kfunc_functions[] = { "mimic_csum_partial", "mimic_csum_move", "mimic_gso_prepare", "mimic_gso_convert" };

static void __attribute__((format(printf, 3, 4)))
kfunc_say(struct kfunc_probe *probe, enum kfunc_state state, const char *format, ...)
{
	va_list args;

	probe->state = state;
	va_start(args, format);
	vsnprintf(probe->why, sizeof(probe->why), format, args);
	va_end(args);
}

int kfunc_find_installed(const char *release, char *path, size_t size)
{
	_cleanup_free_ char *line = NULL;
	bool found = false;
	size_t room = 0;
	FILE *file;

	snprintf(path, size, "/lib/modules/%s/modules.dep", release);
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? 0 : -errno;
	while (!found && getline(&line, &room, file) >= 0) {
		const char *slash, *name;

		line[strcspn(line, ":")] = '\0';
		slash = strrchr(line, '/');
		name = slash ? slash + 1 : line;
		/* With what it may be compressed by behind. */
		found = !strncmp(name, "mimic.ko", strlen("mimic.ko"));
	}
	fclose(file);
	if (found)
		snprintf(path, size, "/lib/modules/%s/%s", release, line);
	return found;
}

/* Whether the kernel takes signed modules only. */
static bool kfunc_is_locked(void)
{
	char line[64];

	util_read_line(KFUNC_ENFORCE, line, sizeof(line));
	if (line[0] == 'Y')
		return true;
	util_read_line(KFUNC_LOCKDOWN, line, sizeof(line));
	return line[0] && !strstr(line, "[none]");
}

static void kfunc_explain_absence(struct kfunc_probe *probe)
{
	char path[512];
	struct utsname kernel;
	int installed = uname(&kernel) ? -errno : kfunc_find_installed(kernel.release, path, sizeof(path));

	if (!installed)
		kfunc_say(probe, KFUNC_ABSENT, "the kernel module mimic is not installed");
	else if (installed < 0)
		kfunc_say(probe, KFUNC_ABSENT, "the kernel module mimic is not loaded (and /lib/modules cannot be read: %s)", strerror(-installed));
	else if (kfunc_is_locked())
		kfunc_say(probe, KFUNC_UNUSABLE,
			  "the kernel module mimic is installed, but not loaded: try `modprobe mimic`; if that says 'Key was rejected by "
			  "service' or 'Operation not permitted', this locked-down kernel (Secure Boot) wants the key that DKMS signs "
			  "with enrolled: `mokutil --import /var/lib/dkms/mok.pub` (Ubuntu: /var/lib/shim-signed/mok/MOK.der), then "
			  "restart the machine");
	else
		kfunc_say(probe, KFUNC_UNUSABLE,
			  "the kernel module mimic is installed, but not loaded: try `modprobe mimic`, and see the kernel's "
			  "log (dmesg) if that fails");
}

static void kfunc_find_functions(struct kfunc_probe *probe)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	struct btf *module = kernel ? btf__load_module_btf("mimic", kernel) : NULL;
	int err = module ? 0 : errno;
	const char *missing = NULL;

	for (size_t i = 0; module && !missing && i < ARRAY_SIZE(kfunc_functions); i++) {
		if (btf__find_by_name_kind(module, kfunc_functions[i], BTF_KIND_FUNC) <= 0)
			missing = kfunc_functions[i];
	}
	if (!module)
		kfunc_say(probe, KFUNC_UNUSABLE,
			  "the BTF of the kernel module mimic cannot be read (" KFUNC_BTF "): %s%s", strerror(err),
			  err == EACCES || err == EPERM ? "; Mimic has to run as root" : "");
	else if (missing)
		kfunc_say(probe, KFUNC_UNUSABLE,
			  "the loaded kernel module mimic has no function %s: it is not the one of this Mimic; install that of "
			  "version " PACKAGE_VERSION ", then, while no Mimic runs, `rmmod mimic` and `modprobe mimic`",
			  missing);
	else
		probe->state = KFUNC_READY;
	btf__free(module);
	btf__free(kernel);
}

void kfunc_probe(struct kfunc_probe *probe)
{
	char version[64];

	probe->why[0] = '\0';
	if (access(KFUNC_SYSFS, F_OK)) {
		kfunc_explain_absence(probe);
		return;
	}
	util_read_line(KFUNC_SYSFS "/version", version, sizeof(version));
	if (strcmp(version, PACKAGE_VERSION))
		kfunc_say(probe, KFUNC_UNUSABLE,
			  "the loaded kernel module mimic is of version %s, and this is Mimic " PACKAGE_VERSION ": install the module "
			  "of the same version, then, while no Mimic runs, `rmmod mimic` and `modprobe mimic`",
			  version[0] ? version : "unknown");
	else if (access(KFUNC_KERNEL_BTF, F_OK))
		kfunc_say(probe, KFUNC_UNUSABLE,
			  "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF), without which no BPF program can call a module");
	else if (access(KFUNC_BTF, F_OK))
		kfunc_say(probe, KFUNC_UNUSABLE,
			  "the kernel has no BTF of the loaded kernel module mimic (" KFUNC_BTF " is missing): build the module anew "
			  "for this very kernel, by DKMS or `make kmod`, then `rmmod mimic` and `modprobe mimic`");
	else
		kfunc_find_functions(probe);
}

void kfunc_explain_refusal(struct kfunc_probe *probe)
{
	char jit[16];

	util_read_line(KFUNC_JIT, jit, sizeof(jit));
	if (access(KFUNC_BTF, F_OK))
		kfunc_say(probe, KFUNC_UNUSABLE,
			  "the kernel module mimic was unloaded meanwhile: `modprobe mimic`, then start Mimic again");
	else if (!strcmp(jit, "0"))
		kfunc_say(probe, KFUNC_UNUSABLE,
			  "the kernel's BPF JIT is off, without which no BPF program can call the kernel module mimic: "
			  "`sysctl net.core.bpf_jit_enable=1`, then start Mimic again");
	else if (!jit[0])
		/* Only the first network namespace has it. */
		kfunc_say(probe, KFUNC_UNUSABLE,
			  "this kernel does not let the BPF programs call the kernel module mimic: its BPF JIT may be off (outside of "
			  "this network namespace: `sysctl net.core.bpf_jit_enable=1`); run with -vv to see its own words");
	else
		kfunc_say(probe, KFUNC_UNUSABLE,
			  "this kernel does not let the BPF programs call the kernel module mimic (run with -vv to see its own words)");
}
