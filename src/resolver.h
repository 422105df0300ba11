/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The addresses of host names, without anybody waiting for them: a thread asks getaddrinfo(3), which may take half a minute, and
 * the answer is announced by a descriptor. One question at a time. When the resolver is closed the thread is left alone: it
 * keeps what it needs, and frees it when its answer is there, or goes with the process.
 */
#ifndef MIMIC_RESOLVER_H
#define MIMIC_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>

#include "core/addr.h"
#include "filter.h"

struct resolver_answer {
	/* 0; -ENOENT: there is no such name, or it has no address; -EAGAIN: nobody can tell now; -ENOMEM */
	int err;
	char why[128];	    /* the resolver's words about err */
	struct addr *addrs; /* each once, in the resolver's order; none of them is 0.0.0.0 or ::. Owned. */
	size_t count;
};

#define _cleanup_answer_ __attribute__((cleanup(resolver_free_answer)))

/* Asks and waits. Fills *@answer, which needs no initial value; returns answer->err. */
int resolver_lookup(const char *host, struct resolver_answer *answer);

void resolver_free_answer(struct resolver_answer *answer);

struct resolver;

/* Returns 0 or -errno. */
int resolver_open(struct resolver **resolver);

/* Readable when there is an answer to take. */
int resolver_fd(const struct resolver *resolver);

/* Begins to ask for @host. Returns 0, -EBUSY as long as an answer is due or not taken, or another -errno. */
int resolver_ask(struct resolver *resolver, const char *host);

/*
 * Takes the answer, if there is one: @host (FILTER_HOST_MAX bytes) is what was asked for, *@answer the caller's. False: there is
 * none.
 */
bool resolver_take(struct resolver *resolver, char *host, struct resolver_answer *answer);

/* Never waits. *@resolver is NULL then; NULL is fine. */
void resolver_close(struct resolver **resolver);

#endif
