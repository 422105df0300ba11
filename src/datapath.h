/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The BPF programs and maps of this process: opens one of the two embedded objects, loads it, and gives the rest of
 * the daemon its maps and commands. The only file that knows the skeletons.
 */
#ifndef MIMIC_DATAPATH_H
#define MIMIC_DATAPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "core/reason.h"

struct bpf_object;
struct filter;
struct filter_ports;

/* Which embedded object runs. */
enum datapath_object {
	DATAPATH_FULL,	/* CO-RE reads, weak kfuncs: needs kernel BTF */
	DATAPATH_PLAIN, /* needs nothing but maps, helpers and a spin lock */
};

struct datapath {
	struct bpf_object *object;
	enum datapath_object kind;
	bool kfunc; /* the programs call the kernel module */
	bool gso;   /* for superpackets, too */
	struct mimic_shared *shared; /* mapped, writable; what BPF reads */
	struct filter_ports *ports;  /* of the filters that are set */
	int egress_fd, ingress_fd, repair_fd, command_fd; /* programs */
	int staged_fd, staging_turn_fd, staging_pass_fd;  /* of the staging device */
	int conns_fd, filters_fd, prefixes_fd, events_fd, held_fd, counters_fd; /* maps */
	int totals_fd, shared_fd, traces_fd;
};

#define _cleanup_datapath_ __attribute__((cleanup(datapath_close)))

/* A map of another instance. */
struct datapath_map {
	const char *name; /* of the map in the BPF objects */
	int fd;
};

struct datapath_options {
	bool ethernet; /* frames of the interface begin with an Ethernet header */
	bool kfunc;    /* call the kernel module, which kfunc_probe() has found */
	bool gso;      /* and let it turn superpackets into TCP */
	uint32_t release_mark, staged_mark; /* skb->mark values that nobody else uses */
	uint32_t ifindex;
	struct siphash_key isn_key; /* random */
	uint32_t abi;		    /* 0: MIMIC_ABI */
	const struct datapath_map *maps; /* to go on with, instead of new ones; datapath_maps_fit() */
	size_t map_count;
};

/*
 * Loads the best object that the kernel takes, calling the module if @options say so and the kernel allows, into *@datapath, which needs no initial value; nothing is attached and
 * no filter is set yet. Returns 0 or -errno with *@why a static text that says what to do; then *@datapath
 * is empty and datapath_close() is allowed.
 */
int datapath_open(struct datapath *datapath, const struct datapath_options *options, const char **why);

/*
 * As datapath_open(), but this object, and as @options say, or none. (The plain object never calls the module.) Returns 0 or
 * -errno.
 */
int datapath_load(struct datapath *datapath, enum datapath_object kind, const struct datapath_options *options);

/*
 * Whether @maps are all that instances share, and as this program would make them. The descriptors stay the caller's, here and in
 * struct datapath_options.
 */
bool datapath_maps_fit(const struct datapath_map *maps, size_t count);

/* The descriptor of a map of that name, which stays the datapath's; or -ENOENT. `.rodata`: struct mimic_config. */
int datapath_map_fd(const struct datapath *datapath, const char *name);

/*
 * The XDP program mimic_ingress once more, on the maps of @datapath, for libxdp to load: an object that is opened, the caller's.
 * NULL, and errno: ENOTSUP without kernel BTF, which libxdp needs, too.
 */
struct bpf_object *datapath_open_ingress(const struct datapath *datapath);

/* The ELF file of an embedded object, *@size bytes. Static. */
const void *datapath_elf(enum datapath_object kind, size_t *size);

/*
 * Adds a filter, an address or a prefix, or replaces its settings; connections that there are keep theirs until a COMMAND_REFIT. The
 * port bit comes last, so that no packet is taken for matched before. Returns 0 or -errno (-E2BIG, -ENOSPC: the map has no room;
 * -EINVAL: a wildcard, of which the datapath gets the addresses).
 */
int datapath_set_filter(struct datapath *datapath, const struct filter *filter, const struct conn_settings *settings);

/* Counts a filter that is in the maps already as set. Returns 0 or -ENOMEM. */
int datapath_adopt_filter(struct datapath *datapath, const struct filter *filter);

/*
 * Removes a filter: it begins no connection any more. Those that there are go on until a COMMAND_REFIT closes them, and therefore
 * the port bit stays until datapath_drop_ports(). Returns 0 or -errno; a filter that is not set is no error.
 */
int datapath_remove_filter(struct datapath *datapath, const struct filter *filter);

/* Clears the bits of ports that no filter names any more: their packets are passed by without a look. */
void datapath_drop_ports(struct datapath *datapath);

/* From now on no packet matches; connections stay in the map. */
void datapath_clear_filters(struct datapath *datapath);

/*
 * Runs @type on up to MIMIC_COMMANDS_MAX entries. Returns 0 or -errno.
 */
int datapath_command(struct datapath *datapath, enum mimic_command_type type,
		     const struct mimic_command_entry *entries, uint32_t count);

/* The sum over all CPUs, or 0 when the counter cannot be read, as one that an older daemon does not have. */
uint64_t datapath_counter(int counters_fd, enum reason reason);

/* Sets a counter that BPF does not count itself. Failures leave it as it is. */
void datapath_set_counter(int counters_fd, enum reason reason, uint64_t packets);

/* Kernel ids, for the lock file. 0 when unknown. */
uint32_t datapath_prog_id(int fd);
uint32_t datapath_map_id(int fd);

void datapath_close(struct datapath *datapath);

#endif
