/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `mimic check` looks at: the facts, as they were found, without an opinion. The facts_find_*() ask the machine and change
 * nothing on it; what cannot be found out is left at its zero, which means unknown. The judging is checks.h's, and pure.
 */
#ifndef MIMIC_FACTS_H
#define MIMIC_FACTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "datapath.h"
#include "filter_list.h"
#include "kconfig.h"
#include "kfunc.h"
#include "netif.h"
#include "runfile.h"
#include "sockets.h"

enum facts_answer {
	FACTS_UNKNOWN = 0,
	FACTS_NO,
	FACTS_YES,
};

struct facts_kernel {
	char release[65], machine[65]; /* uname -r, -m */
	char options_from[128];	       /* the file; empty: there is none */
	char option[KCONFIG_OPTIONS];  /* y, m or n; only with options_from */
	bool btf;		       /* /sys/kernel/btf/vmlinux */
	int jit;		       /* programs are compiled, or net.core.bpf_jit_enable; -1: unknown */
	int unprivileged;	       /* kernel.unprivileged_bpf_disabled; -1: unknown */
	char lockdown[32];	       /* none, integrity, confidentiality; empty: the kernel has no lockdown */
	enum facts_answer secure_boot, module_signed, signatures_enforced;
	struct kfunc_probe module;
	/* The programs were loaded, without attaching them. */
	bool load_tried, load_kfunc;
	int load_error;		/* 0 or -errno */
	const char *load_why;	/* with an error: what to do */
	enum datapath_object load_object;
};

struct facts_privileges {
	bool root;
	uint64_t capabilities; /* effective; a bit for each CAP_* */
	bool user_namespace;   /* not that of the machine */
	char container[32];    /* its kind, "yes" for one of an unknown kind; empty: none */
};

struct facts_program {
	uint32_t id;   /* 0: none */
	char name[64]; /* empty: unknown, to those who may not ask */
};

/* A program at TC that is not Mimic's. */
struct facts_tc {
	bool ingress, tcx;
	char kind[16]; /* of a filter of clsact: bpf, flower ... */
	struct facts_program program;
};

struct facts_device {
	int ifindex;
	char name[16], kind[16]; /* IFLA_INFO_KIND: wireguard, bridge, ...; empty: hardware, or unknown */
	unsigned int mtu;
	bool below; /* the interface stands on it: a port of a bridge or bond, the device of a VLAN or macvlan */
	bool above; /* it stands on the interface, so that its packets leave there */
	enum facts_answer gro, lro; /* only with `below` */
};

enum {
	FACTS_TC_MAX = 16,
};

struct facts_netif {
	int error; /* 0, or why `netif` is empty */
	struct netif netif;
	char kind[16];
	enum facts_answer carrier;
	enum facts_answer native_xdp, native_xdp_fragments; /* by what the driver says of itself (Linux 6.3) */
	struct facts_program xdp;
	char xdp_mode[16]; /* of that program: native, skb, hardware */
	struct facts_tc tc[FACTS_TC_MAX];
	size_t tc_count;
	const char *libxdp_why; /* where the configuration wants libxdp: why it cannot be used; NULL: it can. Static. */
	uint64_t guard_dropped; /* by the guard of plain UDP, if there is one */
	enum facts_answer tcx;	 /* the kernel has it, or else clsact is needed */
	char qdisc[16];		 /* clsact, ingress; empty: neither */
	enum facts_answer gro_list, udp_gro_forwarding;
	int vrf; /* index of the VRF that it belongs to; 0: none */
	struct facts_device *devices; /* those of this network namespace, without the interface itself. Owned. */
	size_t device_count;
};

struct facts_firewall {
	bool nft; /* it is installed */
	char error[160]; /* why the rules are not known; empty: they are */
	json_t *rules; /* `nft -j list ruleset`; NULL: unknown. Owned. */
	bool forwards_ipv4, forwards_ipv6; /* this host is a router */
	bool legacy_ipv4, legacy_ipv6; /* tables of iptables-legacy, which nft does not know, have been used */
};

/* The way to the address of a filter. */
struct facts_route {
	bool asked; /* where there is one address, and no scope that says it all */
	int error;  /* 0 or -errno: there is no way */
	bool local; /* an address of this host */
	int ifindex; /* of the device by which packets leave */
};

/* A text that somebody below would have logged. */
struct facts_message {
	enum log_level level;
	char *text;
};

struct facts_config {
	char path[256];	 /* of the file */
	bool given;	 /* by --file; else it is where it usually is */
	enum facts_answer read; /* unknown: it was not there */
	struct facts_message *messages; /* about the file and about filters. Owned. */
	size_t message_count;
	struct config config; /* the file over the command line */
	struct filter_list filters; /* what is in force, or would be; wildcards are not expanded */
	bool running; /* an instance runs on the interface */
	bool of_instance; /* no filter was given: filters and settings are its own */
	struct run_info instance;
	bool sockets_known;
	struct sockets sockets;
};

struct facts {
	const char *ifname; /* NULL: no interface was named, and the following three are empty */
	struct facts_kernel kernel;
	struct facts_privileges privileges;
	struct facts_netif netif;
	struct facts_firewall firewall;
	struct facts_config config;
	struct facts_route *routes; /* one for each of config.filters; NULL: they are not known. Owned. */
};

#define _cleanup_facts_ __attribute__((cleanup(facts_free)))

struct facts_request {
	const char *ifname, *file; /* NULL: none */
	const struct config *config; /* of the command line */
};

/* Finds out everything. *@facts needs no initial value; -ENOMEM only. */
int facts_find(struct facts *facts, const struct facts_request *request);
void facts_free(struct facts *facts);

/* Whether packets that leave by the device of this index pass the interface: it itself, or one that stands on it. */
static inline bool facts_passes(const struct facts_netif *netif, int ifindex)
{
	if (ifindex == netif->netif.ifindex)
		return true;
	for (size_t i = 0; i < netif->device_count; i++) {
		if (netif->devices[i].ifindex == ifindex)
			return netif->devices[i].above;
	}
	return false;
}

/* The parts. Each starts with zeroes, but for CONFIG_INIT. */
void facts_find_privileges(struct facts_privileges *privileges);
void facts_find_kernel(struct facts_kernel *kernel, const struct facts_privileges *privileges, bool ethernet);
void facts_find_netif(struct facts_netif *netif, const char *ifname);
void facts_find_firewall(struct facts_firewall *firewall);
/* NULL: there is no interface, or no memory. */
struct facts_route *facts_find_routes(const struct filter_list *filters, const struct facts_netif *netif);
int facts_find_config(struct facts_config *config, const struct facts_request *request, const struct netif *netif);

#endif
