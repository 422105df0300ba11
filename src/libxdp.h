/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shares the XDP hook of an interface with other programs through libxdp, whose dispatcher calls one after the other. The library is
 * loaded at run time, where it is installed: nothing of it is needed to build Mimic, or to run it without --use-libxdp.
 *
 * The dispatcher is pinned in the BPF file system and stays when this process is killed: libxdp_clear().
 */
#ifndef MIMIC_LIBXDP_H
#define MIMIC_LIBXDP_H

#include <stdbool.h>

struct bpf_object;

/* The name of the XDP program in the BPF objects, by which a killed instance's is found. */
#define LIBXDP_PROGRAM "mimic_ingress"

/* Our program on an interface. Zero-filled: none. */
struct libxdp {
	void *program; /* struct xdp_program; NULL: none */
	struct bpf_object *object; /* owned */
	int ifindex;
	bool native;
};

/*
 * Whether the library can be used. Returns 0, or -ENOENT when it is not installed, -ENOSYS when it is too old (1.3 is needed); *@why is a static text
 * then.
 */
int libxdp_open(const char **why);

/*
 * Loads the program LIBXDP_PROGRAM of @object, which is opened and not loaded, and puts it on the interface beside those of
 * others. Takes @object over, whatever it returns: 0 or -errno; -ENOPKG: the library cannot use its
 * dispatcher here, and nothing is attached. After libxdp_open() only.
 */
int libxdp_attach(struct libxdp *libxdp, struct bpf_object *object, int ifindex, bool native);

/* The descriptor of the program, which stays libxdp's. After libxdp_attach(). */
int libxdp_fd(const struct libxdp *libxdp);

/* Takes it off. Returns 0 or -errno; *@libxdp is empty then. */
int libxdp_detach(struct libxdp *libxdp);

/* Takes off what a killed instance left. Returns how many programs that were, or -errno. After libxdp_open() only. */
int libxdp_clear(int ifindex);

#endif
