// SPDX-License-Identifier: GPL-2.0-only
#include "datapath.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "filter.h"
#include "filter_ports.h"
#include "log.h"
#include "mapupdate.h"
#include "mimic_full.skel.h"
#include "mimic_plain.skel.h"
#include "percpu.h"
#include "util.h"

__attribute__((format(printf, 2, 0))) static int datapath_libbpf_print(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[1024];
	size_t len;

	/* libbpf's own failures are explained by our message; its details are for those who ask. */
	if (!log_shows(level == LIBBPF_DEBUG ? LOG_LEVEL_TRACE : LOG_LEVEL_DEBUG))
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	len = strlen(line);
	while (len && line[len - 1] == '\n')
		line[--len] = '\0';
	log_write(level == LIBBPF_DEBUG ? LOG_LEVEL_TRACE : LOG_LEVEL_DEBUG, "%s", line);
	return 0;
}

const void *datapath_elf(enum datapath_object kind, size_t *size)
{
	return kind == DATAPATH_FULL ? mimic_full__elf_bytes(size) : mimic_plain__elf_bytes(size);
}

static struct bpf_object *datapath_open_object(enum datapath_object kind)
{
	size_t size = 0;
	const void *bytes = datapath_elf(kind, &size);
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "mimic");

	return bpf_object__open_mem(bytes, size, &opts);
}

static bool datapath_has_syncookies(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_tcp_raw_gen_syncookie_ipv4, NULL) == 1 &&
	       libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_tcp_raw_check_syncookie_ipv6, NULL) == 1;
}

/* libbpf puts the object's name in front of ".rodata". */
static struct bpf_map *datapath_find_map(const struct bpf_object *object, const char *name)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		const char *at = strstr(bpf_map__name(map), name);

		if (at && !strcmp(at, name) && (at == bpf_map__name(map) || *name == '.'))
			return map;
	}
	return NULL;
}

static int datapath_configure(const struct datapath *datapath, const struct datapath_options *options)
{
	struct mimic_config config = {
		.abi = options->abi ? options->abi : MIMIC_ABI,
		.ethernet = options->ethernet,
		.syncookies = datapath_has_syncookies(),
		.kfunc_csum = datapath->kfunc,
		.kfunc_gso = datapath->gso,
		.release_mark = options->release_mark,
		.staged_mark = options->staged_mark,
		.ifindex = options->ifindex,
		.isn_key = options->isn_key,
	};
	struct bpf_map *map = datapath_find_map(datapath->object, ".rodata");

	return map ? bpf_map__set_initial_value(map, &config, sizeof(config)) : -ENOENT;
}

/* What each instance has for itself: constants, work areas, and in .bss when ICMP messages and RSTs were sent last. */
static bool datapath_is_own_map(const struct bpf_map *map)
{
	return bpf_map__is_internal(map) ? strcmp(bpf_map__name(map), ".data.shared") : !strcmp(bpf_map__name(map), "work_areas");
}

static bool datapath_map_fits(const struct bpf_map *map, int fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	/* What libbpf sizes by the number of CPUs has 0 entries before it is made. */
	return !bpf_obj_get_info_by_fd(fd, &info, &len) && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) && info.value_size == bpf_map__value_size(map) &&
	       (info.max_entries == bpf_map__max_entries(map) || !bpf_map__max_entries(map)) &&
	       info.map_flags == bpf_map__map_flags(map);
}

bool datapath_maps_fit(const struct datapath_map *maps, size_t count)
{
	struct bpf_object *object = datapath_open_object(DATAPATH_PLAIN);
	bool fit = object;
	struct bpf_map *map;

	if (!object)
		return false;
	bpf_object__for_each_map(map, object) {
		size_t i = 0;

		while (i < count && datapath_find_map(object, maps[i].name) != map)
			i++;
		if (datapath_is_own_map(map) || (i < count && datapath_map_fits(map, maps[i].fd)))
			continue;
		log_debug("The map %s %s", bpf_map__name(map), i == count ? "is missing" : "has another layout");
		fit = false;
	}
	bpf_object__close(object);
	return fit;
}

int datapath_map_fd(const struct datapath *datapath, const char *name)
{
	const struct bpf_map *map = datapath_find_map(datapath->object, name);

	return map ? bpf_map__fd(map) : -ENOENT;
}

static int datapath_reuse_maps(const struct datapath *datapath, const struct datapath_options *options)
{
	for (size_t i = 0; i < options->map_count; i++) {
		struct bpf_map *map = datapath_find_map(datapath->object, options->maps[i].name);
		int err = !map ? -ENOENT : datapath_is_own_map(map) ? 0 : bpf_map__reuse_fd(map, options->maps[i].fd);

		if (err)
			return err;
	}
	return 0;
}

static int datapath_program(const struct bpf_object *object, const char *name)
{
	const struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	return program ? bpf_program__fd(program) : -ENOENT;
}

static int datapath_find(struct datapath *datapath)
{
	struct bpf_object *object = datapath->object;
	void *shared;

	datapath->egress_fd = datapath_program(object, "mimic_egress");
	datapath->ingress_fd = datapath_program(object, "mimic_ingress");
	datapath->repair_fd = datapath_program(object, "mimic_repair");
	datapath->staged_fd = datapath_program(object, "mimic_staged");
	datapath->staging_turn_fd = datapath_program(object, "mimic_staging_turn");
	datapath->staging_pass_fd = datapath_program(object, "mimic_staging_pass");
	datapath->command_fd = datapath_program(object, "mimic_command");
	datapath->conns_fd = bpf_object__find_map_fd_by_name(object, "conns");
	datapath->filters_fd = bpf_object__find_map_fd_by_name(object, "filters");
	datapath->prefixes_fd = bpf_object__find_map_fd_by_name(object, "prefixes");
	datapath->events_fd = bpf_object__find_map_fd_by_name(object, "events");
	datapath->held_fd = bpf_object__find_map_fd_by_name(object, "held");
	datapath->counters_fd = bpf_object__find_map_fd_by_name(object, "counters");
	datapath->totals_fd = bpf_object__find_map_fd_by_name(object, "filter_totals");
	datapath->traces_fd = bpf_object__find_map_fd_by_name(object, "traces");
	datapath->shared_fd = bpf_object__find_map_fd_by_name(object, ".data.shared");
	if (datapath->shared_fd < 0 || datapath->totals_fd < 0 || datapath->traces_fd < 0 || datapath->egress_fd < 0 || datapath->ingress_fd < 0 || datapath->command_fd < 0 ||
	    datapath->repair_fd < 0 || datapath->staged_fd < 0 || datapath->staging_turn_fd < 0 ||
	    datapath->staging_pass_fd < 0 ||
	    datapath->conns_fd < 0 || datapath->filters_fd < 0 || datapath->prefixes_fd < 0 || datapath->events_fd < 0 || datapath->held_fd < 0 ||
	    datapath->counters_fd < 0)
		return -ENOENT;
	/* libbpf makes maps of .data sections BPF_F_MMAPABLE; what it maps itself is the initial value only. */
	shared = mmap(NULL, sizeof(*datapath->shared), PROT_READ | PROT_WRITE, MAP_SHARED, datapath->shared_fd, 0);
	if (shared == MAP_FAILED)
		return -errno;
	datapath->shared = shared;
	return 0;
}

int datapath_load(struct datapath *datapath, enum datapath_object kind, const struct datapath_options *options)
{
	struct bpf_program *program;
	int err;

	memset(datapath, 0, sizeof(*datapath));
	libbpf_set_print(datapath_libbpf_print);
	datapath->kind = kind;
	datapath->kfunc = options->kfunc && kind == DATAPATH_FULL;
	datapath->gso = options->gso && datapath->kfunc;
	datapath->object = datapath_open_object(kind);
	if (!datapath->object)
		return -errno;
	/*
	 * Packets are aligned for IP (NET_IP_ALIGN), which the verifier of strict architectures (riscv64) cannot know of
	 * behind VLAN tags.
	 */
	bpf_object__for_each_program(program, datapath->object)
		bpf_program__set_flags(program, bpf_program__flags(program) | BPF_F_ANY_ALIGNMENT);
	err = datapath_configure(datapath, options);
	if (!err)
		err = datapath_reuse_maps(datapath, options);
	if (!err)
		err = bpf_object__load(datapath->object);
	if (!err)
		err = datapath_find(datapath);
	if (!err) {
		datapath->ports = filter_ports_new();
		err = datapath->ports ? 0 : -ENOMEM;
	}
	if (err)
		datapath_close(datapath);
	return err;
}

struct bpf_object *datapath_open_ingress(const struct datapath *datapath)
{
	struct bpf_object *object;
	struct bpf_program *program;
	struct bpf_map *map;
	int err = 0;

	if (datapath->kind != DATAPATH_FULL) {
		errno = ENOTSUP;
		return NULL;
	}
	object = datapath_open_object(datapath->kind);
	if (!object)
		return NULL;
	bpf_object__for_each_program(program, object) {
		bpf_program__set_flags(program, bpf_program__flags(program) | BPF_F_ANY_ALIGNMENT);
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), "mimic_ingress"));
	}
	bpf_object__for_each_map(map, object) {
		struct bpf_map *ours = bpf_object__find_map_by_name(datapath->object, bpf_map__name(map));

		if (!err)
			err = ours ? bpf_map__reuse_fd(map, bpf_map__fd(ours)) : -ENOENT;
	}
	if (!err)
		return object;
	bpf_object__close(object);
	errno = -err;
	return NULL;
}

enum {
	DATAPATH_ENOTSUPP = 524, /* the kernel's own, unknown to user space */
};

static const char *datapath_explain(int err)
{
	switch (err) {
	case -EPERM: /* the verifier refuses with EACCES or EINVAL */
		return "the kernel refuses to load BPF programs: run as root, or with CAP_BPF, CAP_NET_ADMIN and "
		       "CAP_PERFMON; a locked-down kernel or a container may forbid it altogether";
	case -ENOSYS:
		return "this kernel has no BPF (CONFIG_BPF_SYSCALL)";
	case -ENOMEM:
		return "not enough memory, or the limit for locked memory (RLIMIT_MEMLOCK) is too low";
	case -DATAPATH_ENOTSUPP:
		return "the BPF JIT of this kernel and machine cannot compile the programs: switch it off "
		       "(sysctl net.core.bpf_jit_enable=0)";
	default:
		return "this kernel does not take the BPF programs; Mimic needs Linux 6.1 or later "
		       "(run with -vv to see the kernel's own words)";
	}
}

int datapath_open(struct datapath *datapath, const struct datapath_options *options, const char **why)
{
	struct datapath_options without = *options;
	int err;

	err = datapath_load(datapath, DATAPATH_FULL, options);
	if (err && options->kfunc) {
		log_debug("The BPF programs that call the kernel module do not load (%s), trying without it", strerror(-err));
		without.kfunc = without.gso = false;
		err = datapath_load(datapath, DATAPATH_FULL, &without);
	}
	if (!err)
		return 0;
	log_debug("The full BPF object does not load (%s), trying the plain one", strerror(-err));
	err = datapath_load(datapath, DATAPATH_PLAIN, &without);
	if (err)
		*why = datapath_explain(err);
	return err;
}

static __u8 *datapath_port_bits(const struct datapath *datapath, enum filter_origin origin)
{
	return origin == ORIGIN_LOCAL ? datapath->shared->local_ports : datapath->shared->remote_ports;
}

static int datapath_write_filter(const struct datapath *datapath, const struct filter *filter, const struct filter_prefix *prefix,
				 const struct conn_settings *settings)
{
	const struct mimic_prefix value = { .settings = *settings, .filter = *prefix };

	return filter->prefix_len < ADDR_BITS ? mapupdate(datapath->prefixes_fd, prefix, &value) :
						mapupdate(datapath->filters_fd, &filter->key, settings);
}

int datapath_set_filter(struct datapath *datapath, const struct filter *filter, const struct conn_settings *settings)
{
	__u8 *bits = datapath_port_bits(datapath, (enum filter_origin)filter->key.origin);
	__u16 port = be16_to_host(filter->key.port);
	struct filter_prefix prefix;
	int added, err;

	if (filter->wildcard)
		return -EINVAL;
	filter_prefix_make(&prefix, &filter->key, filter->prefix_len);
	added = filter_ports_add(datapath->ports, &prefix);
	if (added < 0)
		return added;
	err = datapath_write_filter(datapath, filter, &prefix, settings);
	if (err) {
		if (added)
			filter_ports_remove(datapath->ports, &prefix);
		return err;
	}
	datapath->shared->prefixes = filter_ports_prefixes(datapath->ports);
	bits[port >> 3] |= (__u8)(1 << (port & 7));
	return 0;
}

int datapath_adopt_filter(struct datapath *datapath, const struct filter *filter)
{
	struct filter_prefix prefix;
	int added;

	filter_prefix_make(&prefix, &filter->key, filter->prefix_len);
	added = filter_ports_add(datapath->ports, &prefix);
	return added < 0 ? added : 0;
}

int datapath_remove_filter(struct datapath *datapath, const struct filter *filter)
{
	bool is_prefix = filter->prefix_len < ADDR_BITS;
	struct filter_prefix prefix;

	filter_prefix_make(&prefix, &filter->key, filter->prefix_len);
	if ((is_prefix ? bpf_map_delete_elem(datapath->prefixes_fd, &prefix) :
			 bpf_map_delete_elem(datapath->filters_fd, &filter->key)) &&
	    errno != ENOENT)
		return -errno;
	filter_ports_remove(datapath->ports, &prefix);
	datapath->shared->prefixes = filter_ports_prefixes(datapath->ports);
	return 0;
}

void datapath_drop_ports(struct datapath *datapath)
{
	for (int origin = ORIGIN_LOCAL; origin <= ORIGIN_REMOTE; origin++) {
		__u8 *bits = datapath_port_bits(datapath, (enum filter_origin)origin);

		for (uint32_t port = 0; port < 65536; port++) {
			if (!filter_ports_count(datapath->ports, (enum filter_origin)origin, (uint16_t)port))
				bits[port >> 3] &= (__u8)~(1 << (port & 7));
		}
	}
}

void datapath_clear_filters(struct datapath *datapath)
{
	struct filter_prefix prefix;
	struct filter_key key;

	memset(datapath->shared->local_ports, 0, sizeof(datapath->shared->local_ports));
	memset(datapath->shared->remote_ports, 0, sizeof(datapath->shared->remote_ports));
	filter_ports_clear(datapath->ports);
	for (int i = 0; i < 2 * MIMIC_FILTERS_MAX && !bpf_map_get_next_key(datapath->filters_fd, NULL, &key); i++)
		bpf_map_delete_elem(datapath->filters_fd, &key);
	for (int i = 0; i < 2 * MIMIC_FILTERS_MAX && !bpf_map_get_next_key(datapath->prefixes_fd, NULL, &prefix); i++)
		bpf_map_delete_elem(datapath->prefixes_fd, &prefix);
	datapath->shared->prefixes = 0;
}

int datapath_command(struct datapath *datapath, enum mimic_command_type type,
		     const struct mimic_command_entry *entries, uint32_t count)
{
	struct mimic_command command = { .type = type };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &command, .data_size_in = sizeof(command),
		    .repeat = (int)count);

	if (!count)
		return 0;
	if (count > MIMIC_COMMANDS_MAX)
		return -E2BIG;
	memcpy(command.entry, entries, count * sizeof(*entries));
	if (bpf_prog_test_run_opts(datapath->command_fd, &opts))
		return -errno;
	return (int)opts.retval < 0 ? -EINVAL : 0;
}

uint64_t datapath_counter(int counters_fd, enum reason reason)
{
	return percpu_sum(counters_fd, reason);
}

void datapath_set_counter(int counters_fd, enum reason reason, uint64_t packets)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ __u64 *values = NULL;
	__u32 index = reason;

	if (cpus <= 0)
		return;
	values = calloc((size_t)cpus, sizeof(*values));
	if (!values)
		return;
	values[0] = packets;
	bpf_map_update_elem(counters_fd, &index, values, BPF_ANY);
}

uint32_t datapath_prog_id(int fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

uint32_t datapath_map_id(int fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

void datapath_close(struct datapath *datapath)
{
	if (datapath->shared)
		munmap(datapath->shared, sizeof(*datapath->shared));
	filter_ports_free(datapath->ports);
	if (datapath->object)
		bpf_object__close(datapath->object);
	memset(datapath, 0, sizeof(*datapath));
}
