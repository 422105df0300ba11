/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host names of the configuration: which addresses each has, and when it is to be looked up again. Pure; whoever has a
 * resolver asks for names_due() and passes the answers on.
 *
 * - A lookup that fails changes no address.
 * - An address that left its name stays ("left") until no connection uses it any more: programs do not change their peer's address
 *   by themselves (WireGuard does not), and would send plain UDP to it.
 */
#ifndef MIMIC_NAMES_H
#define MIMIC_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter.h"
#include "resolver.h"

enum {
	NAMES_RETRY_S = 5,	   /* a name that was never resolved: while a machine starts, some resolvers say of every name that it does not exist */
	NAMES_RETRY_FAILED_S = 60, /* any other after a lookup that failed, if it is not due earlier */
	NAMES_DOUBT_S = 5,	   /* a peer that cannot be reached draws a lookup, but not more often */
	NAMES_UNUSED_WALKS = 3,    /* without a connection, before an address that left is forgotten */
};

struct name_addr {
	struct addr addr;
	bool left; /* the name does not have it any more */
	bool used; /* a connection was seen since the last names_end_walk() */
	uint8_t unused_walks;
};

struct name {
	char host[FILTER_HOST_MAX];
	struct name_addr *addrs; /* Owned. */
	size_t count;
	bool resolved; /* once, at least */
	bool failing;  /* the last lookup failed */
	uint64_t asked_ns; /* the last lookup began; 0: there was none */
	uint64_t due_ns;   /* the next one; UINT64_MAX: never */
};

/* Zero-filled it is empty. Owns its items. */
struct names {
	struct name *items;
	size_t count;
	uint32_t interval_s; /* between lookups; 0: no more than it takes to know a name at all */
	size_t left;	     /* addresses that left their names, in all */
};

#define _cleanup_names_ __attribute__((cleanup(names_free)))

/*
 * Fills *@names, which is empty, with the names that @specs need. Names that @old has (NULL: none) keep their addresses, and those
 * that left them stay as long as without this; all are due at @now_ns. Returns 0 or -ENOMEM.
 */
int names_make(struct names *names, const struct names *old, const struct filter_spec *specs, size_t count,
	       uint32_t interval_s, uint64_t now_ns);

void names_free(struct names *names);

/* NULL: there is none. */
struct name *names_find(const struct names *names, const char *host);

/* The name that has been due for the longest time, or NULL. */
struct name *names_due(const struct names *names, uint64_t now_ns);

/* A lookup began. Until its answer the name is not due. */
void names_asked(struct name *name, uint64_t now_ns);

/*
 * The lookup's answer, which stays the caller's. Returns 1 when the addresses of the name are others now, 0 when not, -ENOMEM
 * with nothing changed.
 */
int names_answer(struct names *names, struct name *name, const struct resolver_answer *answer, uint64_t now_ns);

/* A peer of this name cannot be reached: has it moved? */
void names_doubt(struct names *names, struct name *name, uint64_t now_ns);

/* A walk over all connections: each is shown, then the walk ends. */
void names_show(struct names *names, const struct conn_key *key);

/*
 * An address that an instance before knew of this name: it stays as one that left it does. Returns 0 or -ENOMEM.
 */
int names_remember(struct names *names, struct name *name, const struct addr *addr);

/* Returns whether an address that had left its name was forgotten. */
bool names_end_walk(struct names *names);

/* Writes the addresses that the name has, `192.0.2.1, 2001:db8::1`, or as many as fit. */
void names_print(char *buf, size_t size, const struct name *name);

#endif
