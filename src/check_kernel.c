// SPDX-License-Identifier: GPL-2.0-only
/* The kernel, what it lets us do, and the level of the datapath that comes of it. */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "checks.h"
#include "util.h"

enum {
	/* not in the headers of every system */
	CHECK_CAP_PERFMON = 38,
	CHECK_CAP_BPF = 39,
};

static const struct {
	unsigned int number;
	const char *name, *what_for;
	bool by_admin; /* CAP_SYS_ADMIN serves as well */
} capabilities[] = {
	{ CHECK_CAP_BPF, "CAP_BPF", "load the BPF programs", true },
	{ CHECK_CAP_PERFMON, "CAP_PERFMON", "load the BPF programs", true },
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN", "attach to the interface", false },
	{ CAP_NET_RAW, "CAP_NET_RAW", "send control segments", false },
};

/* What happens without an option. (BTF has an item of its own.) */
static const struct {
	enum kconfig_option option;
	enum check_result without;
	const char *effect, *remedy;
} options[] = {
	{ KCONFIG_BPF_SYSCALL, CHECK_PROBLEM, "no BPF program can be loaded", "use a kernel that has it" },
	{ KCONFIG_BPF_JIT, CHECK_NOTE, "BPF programs are interpreted, which takes several times as long, and level kfunc is not possible",
	  "use a kernel that has it" },
	{ KCONFIG_NET_SCH_INGRESS, CHECK_PROBLEM, "nothing can be attached to TC", "use a kernel that has it" },
	{ KCONFIG_VETH, CHECK_NOTE, "there is no staging device: UDP GSO superpackets and some tunnels' packets are dropped",
	  "use a kernel that has it, or switch UDP GSO off in the programs" },
	{ KCONFIG_SYN_COOKIES, CHECK_NOTE, "floods of SYNs are not answered by cookies: beyond 4096 half-open connections SYNs are dropped",
	  "use a kernel that has it where strangers reach this host" },
};

static bool check_is_at_least(const struct facts_kernel *kernel, unsigned int major, unsigned int minor, bool *known)
{
	unsigned int have_major, have_minor;

	*known = sscanf(kernel->release, "%u.%u", &have_major, &have_minor) == 2;
	return *known && (have_major > major || (have_major == major && have_minor >= minor));
}

void check_kernel_version(struct check_report *report, const struct facts *facts)
{
	const struct facts_kernel *kernel = &facts->kernel;
	bool known, enough = check_is_at_least(kernel, 6, 1, &known);

	check_say(report, enough ? CHECK_OK : known ? CHECK_PROBLEM : CHECK_NOTE, "Linux %s on %s%s", kernel->release, kernel->machine,
		  enough ? "" : known ? ": Mimic needs Linux 6.1 or later" : ": a version that is not understood");
	if (!enough)
		check_advise(report, "install a kernel of 6.1 or later");
}

/* CONFIG_NET_CLS_BPF is needed where there is no tcx. */
static void check_say_cls_bpf(struct check_report *report, const struct facts *facts)
{
	bool known, tcx = facts->netif.tcx == FACTS_YES || check_is_at_least(&facts->kernel, 6, 6, &known);

	if (facts->kernel.option[KCONFIG_NET_CLS_BPF] != 'n' || tcx)
		return;
	check_say(report, CHECK_PROBLEM, "CONFIG_NET_CLS_BPF is not set, and this kernel has no tcx: nothing can be attached to TC");
	check_advise(report, "use a kernel that has it, or Linux 6.6 or later");
}

void check_kernel_options(struct check_report *report, const struct facts *facts)
{
	const struct facts_kernel *kernel = &facts->kernel;
	size_t before = report->count;

	if (!kernel->options_from[0]) {
		check_say(report, CHECK_NOTE, "not known: there is neither /proc/config.gz nor /boot/config-%s", kernel->release);
		check_advise(report, "nothing, if the item bpf-programs is ok");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (kernel->option[options[i].option] != 'n')
			continue;
		check_say(report, options[i].without, "%s is not set: %s", kconfig_name(options[i].option), options[i].effect);
		check_advise(report, "%s", options[i].remedy);
	}
	check_say_cls_bpf(report, facts);
	if (report->count == before)
		check_say(report, CHECK_OK, "all that Mimic uses are set in %s", kernel->options_from);
}

void check_kernel_btf(struct check_report *report, const struct facts *facts)
{
	if (facts->kernel.btf) {
		check_say(report, CHECK_OK, "the kernel has BTF");
		return;
	}
	check_say(report, CHECK_NOTE, "the kernel has no BTF (CONFIG_DEBUG_INFO_BTF): the plain object is used, at level bpf");
	check_advise(report, "nothing, unless the kernel module is wanted");
}

static bool check_is_32bit(const struct facts_kernel *kernel)
{
	const char *machine = kernel->machine;

	return (machine[0] == 'i' && !strcmp(machine + 2, "86")) ||
	       (!strncmp(machine, "arm", 3) && strncmp(machine, "arm64", 5));
}

void check_kernel_jit(struct check_report *report, const struct facts *facts)
{
	const struct facts_kernel *kernel = &facts->kernel;

	if (kernel->jit < 0) {
		check_say(report, CHECK_NOTE, "not known: net.core.bpf_jit_enable cannot be read");
		check_advise(report, "run as root");
	} else if (check_is_32bit(kernel)) {
		check_say(report, CHECK_OK, "%s, on a machine (%s) whose JIT cannot call a kernel module: level bpf is used",
			  kernel->jit ? "on" : "off", kernel->machine);
	} else if (!kernel->jit) {
		check_say(report, CHECK_NOTE, "off: the programs are interpreted, which takes several times as long");
		check_advise(report, "sysctl net.core.bpf_jit_enable=1, then start Mimic again");
	} else {
		check_say(report, CHECK_OK, "on");
	}
}

void check_kernel_lockdown(struct check_report *report, const struct facts *facts)
{
	const struct facts_kernel *kernel = &facts->kernel;
	const char *boot = kernel->secure_boot == FACTS_YES ? ", with Secure Boot" : "";

	if (!strcmp(kernel->lockdown, "confidentiality")) {
		check_say(report, kernel->load_tried && !kernel->load_error ? CHECK_NOTE : CHECK_PROBLEM,
			  "the kernel is locked down (confidentiality%s), where BPF programs may not read what Mimic needs", boot);
		check_advise(report, "boot with lockdown=integrity");
	} else if (!strcmp(kernel->lockdown, "integrity")) {
		check_say(report, CHECK_OK, "the kernel is locked down (integrity%s): BPF programs are allowed, modules have to be signed",
			  boot);
	} else {
		check_say(report, CHECK_OK, "the kernel is not locked down%s", boot);
	}
}

/* The names of what is missing, to @text. */
static void check_missing_capabilities(const struct facts_privileges *privileges, char *text, size_t size)
{
	bool admin = privileges->capabilities & (1ULL << CAP_SYS_ADMIN);
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(capabilities) && used < size; i++) {
		if (privileges->capabilities & (1ULL << capabilities[i].number) || (capabilities[i].by_admin && admin))
			continue;
		used += (size_t)snprintf(text + used, size - used, "%s%s (to %s)", used ? ", " : "", capabilities[i].name,
					 capabilities[i].what_for);
	}
}

void check_kernel_privileges(struct check_report *report, const struct facts *facts)
{
	char missing[256];

	check_missing_capabilities(&facts->privileges, missing, sizeof(missing));
	if (!missing[0]) {
		check_say(report, CHECK_OK, "all that Mimic needs are there");
		return;
	}
	if (facts->privileges.root) {
		check_say(report, CHECK_PROBLEM, "this root lacks %s", missing);
		check_advise(report, "give them to whatever starts Mimic: a container, a service's CapabilityBoundingSet=");
		return;
	}
	check_say(report, CHECK_NOTE, "not root: some items cannot be looked at; missing: %s", missing);
	check_advise(report, "run `mimic check` as root to see everything");
}

void check_kernel_unprivileged(struct check_report *report, const struct facts *facts)
{
	if (facts->kernel.unprivileged >= 0)
		check_say(report, CHECK_OK, "kernel.unprivileged_bpf_disabled is %d, which does not matter to Mimic", facts->kernel.unprivileged);
}

void check_kernel_container(struct check_report *report, const struct facts *facts)
{
	const struct facts_privileges *privileges = &facts->privileges;
	bool loads = facts->kernel.load_tried && !facts->kernel.load_error;

	if (privileges->user_namespace) {
		check_say(report, loads ? CHECK_NOTE : CHECK_PROBLEM,
			  "this is a user namespace, from which the kernel takes no BPF programs%s",
			  loads ? ", but here it does (a BPF token)" : "");
		if (!loads)
			check_advise(report, "run Mimic outside, in the network namespace of the container: `nsenter -t PID -n mimic run ...`");
	} else if (privileges->container[0]) {
		check_say(report, loads ? CHECK_OK : CHECK_NOTE, "this is a container (%s)%s", privileges->container,
			  loads ? " that may load BPF programs" : "; whether it may load BPF programs is its manager's choice");
		if (!loads)
			check_advise(report, "give it CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and CAP_NET_RAW, and a seccomp profile that allows bpf(2)");
	}
}

void check_kernel_programs(struct check_report *report, const struct facts *facts)
{
	const struct facts_kernel *kernel = &facts->kernel;
	char missing[256];

	check_missing_capabilities(&facts->privileges, missing, sizeof(missing));
	if (!kernel->load_tried || (kernel->load_error == -EPERM && missing[0] && !facts->privileges.root)) {
		check_say(report, CHECK_NOTE, "not looked at: loading them needs privileges");
		check_advise(report, "run as root");
	} else if (kernel->load_error) {
		check_say(report, CHECK_PROBLEM, "the kernel does not take them: %s (error %d)", strerror(-kernel->load_error),
			  -kernel->load_error);
		check_advise(report, "%s", kernel->load_why);
	} else {
		check_say(report, CHECK_OK, "the kernel takes the %s object", kernel->load_object == DATAPATH_FULL ? "full" : "plain");
	}
}

void check_kernel_module(struct check_report *report, const struct facts *facts)
{
	const struct facts_kernel *kernel = &facts->kernel;
	bool wants_signature = kernel->signatures_enforced == FACTS_YES || (kernel->lockdown[0] && strcmp(kernel->lockdown, "none"));

	switch (kernel->module.state) {
	case KFUNC_READY:
		check_say(report, CHECK_OK, "mimic %s is loaded, with BTF", PACKAGE_VERSION);
		return;
	case KFUNC_ABSENT:
		check_say(report, CHECK_OK, "%s, and not needed", kernel->module.why);
		return;
	case KFUNC_UNUSABLE:
		break;
	}
	if (wants_signature && kernel->module_signed == FACTS_NO) {
		check_say(report, CHECK_NOTE, "the kernel takes signed modules only, and the module mimic has no signature");
		check_advise(report, "build it by DKMS, which signs where openssl is installed, and enrol its key: `mokutil --import "
				     "/var/lib/dkms/mok.pub` (Ubuntu: /var/lib/shim-signed/mok/MOK.der), then restart the machine");
		return;
	}
	check_say(report, CHECK_NOTE, "not used: %s", kernel->module.why);
}

void check_kernel_level(struct check_report *report, const struct facts *facts)
{
	const struct facts_kernel *kernel = &facts->kernel;
	enum datapath_level asked = facts->config.config.datapath;

	if (!kernel->load_tried || kernel->load_error) {
		if (asked > LEVEL_BPF && kernel->module.state != KFUNC_READY)
			check_say(report, CHECK_PROBLEM, "datapath = %s is configured, and not possible: %s", config_datapath_name(asked),
				  kernel->module.why);
		return;
	}
	if (kernel->load_kfunc) {
		check_say(report, CHECK_OK, "%s, with the kernel module%s", asked == LEVEL_GSO ? "gso" : "kfunc",
			  asked == LEVEL_BPF ? "; bpf, as configured" : "");
	} else if (asked > LEVEL_BPF) {
		check_say(report, CHECK_PROBLEM, "datapath = %s is configured, and not possible: %s", config_datapath_name(asked),
			  kernel->module.state == KFUNC_READY ? "the kernel does not let BPF programs call the module" : kernel->module.why);
		check_advise(report, "leave it out, or set it to auto: the module is an accelerator, and not needed");
	} else if (kernel->module.state == KFUNC_READY) {
		check_say(report, CHECK_NOTE, "bpf; not kfunc, for the kernel does not let BPF programs call the module");
		check_advise(report, "%s", kernel->jit == 0 ? "sysctl net.core.bpf_jit_enable=1" :
							      "`mimic run --check -vv` shows the kernel's own words");
	} else {
		check_say(report, CHECK_OK, "bpf; not kfunc: %s%s", kernel->module.why,
			  kernel->module.state == KFUNC_ABSENT ? ", and not needed" : "");
	}
}
