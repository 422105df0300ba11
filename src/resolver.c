// SPDX-License-Identifier: GPL-2.0-only
#include "resolver.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "privileges.h"
#include "util.h"

enum resolver_state {
	RESOLVER_IDLE,
	RESOLVER_ASKS,
	RESOLVER_ANSWERED,
};

/* Belongs to its user and to the thread; whoever lets go last frees it. */
struct resolver {
	pthread_mutex_t lock;
	unsigned int owners;
	enum resolver_state state;
	int event_fd;
	char host[FILTER_HOST_MAX];
	struct resolver_answer answer;
};

/* ---- asking ---- */

static bool resolver_read(const struct sockaddr *from, struct addr *addr)
{
	if (from->sa_family == AF_INET)
		addr_from_ipv4(addr, ((const struct sockaddr_in *)from)->sin_addr.s_addr);
	else if (from->sa_family == AF_INET6)
		memcpy(addr, &((const struct sockaddr_in6 *)from)->sin6_addr, sizeof(*addr));
	else
		return false;
	return !filter_addr_is_any(addr); /* how some resolvers block a name */
}

static bool resolver_has(const struct resolver_answer *answer, const struct addr *addr)
{
	for (size_t i = 0; i < answer->count; i++) {
		if (!memcmp(&answer->addrs[i], addr, sizeof(*addr)))
			return true;
	}
	return false;
}

static int resolver_collect(struct resolver_answer *answer, const struct addrinfo *infos)
{
	size_t room = 0;

	for (const struct addrinfo *info = infos; info; info = info->ai_next)
		room++;
	answer->addrs = calloc(room + 1, sizeof(*answer->addrs));
	if (!answer->addrs)
		return -ENOMEM;
	for (const struct addrinfo *info = infos; info; info = info->ai_next) {
		struct addr addr;

		if (resolver_read(info->ai_addr, &addr) && !resolver_has(answer, &addr))
			answer->addrs[answer->count++] = addr;
	}
	return answer->count ? 0 : -ENOENT;
}

int resolver_lookup(const char *host, struct resolver_answer *answer)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM };
	struct addrinfo *infos = NULL;
	int code = getaddrinfo(host, NULL, &hints, &infos);

	*answer = (struct resolver_answer){ 0 };
	if (code) {
		answer->err = code == EAI_MEMORY ? -ENOMEM : code == EAI_AGAIN || code == EAI_SYSTEM ? -EAGAIN : -ENOENT;
		snprintf(answer->why, sizeof(answer->why), "%s", code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
		return answer->err;
	}
	answer->err = resolver_collect(answer, infos);
	freeaddrinfo(infos);
	if (answer->err)
		snprintf(answer->why, sizeof(answer->why), "%s",
			 answer->err == -ENOENT ? "it has no address" : strerror(-answer->err));
	return answer->err;
}

void resolver_free_answer(struct resolver_answer *answer)
{
	free(answer->addrs);
	*answer = (struct resolver_answer){ 0 };
}

/* ---- the thread ---- */

/* Unlocks. */
static void resolver_let_go(struct resolver *resolver)
{
	bool last = !--resolver->owners;

	pthread_mutex_unlock(&resolver->lock);
	if (!last)
		return;
	resolver_free_answer(&resolver->answer);
	util_close_fd(&resolver->event_fd);
	pthread_mutex_destroy(&resolver->lock);
	free(resolver);
}

static void *resolver_run(void *argument)
{
	struct resolver *resolver = argument;
	struct resolver_answer answer;
	const uint64_t one = 1;

	privileges_drop(); /* what strangers answer is read here, and nothing of it takes a privilege */
	resolver_lookup(resolver->host, &answer); /* nobody writes the name while we ask */
	pthread_mutex_lock(&resolver->lock);
	resolver->answer = answer;
	resolver->state = RESOLVER_ANSWERED;
	if (write(resolver->event_fd, &one, sizeof(one)) < 0)
		resolver->state = RESOLVER_ANSWERED; /* cannot be: it counts up to one */
	resolver_let_go(resolver);
	return NULL;
}

/* Signals are the daemon's. */
static int resolver_start_thread(struct resolver *resolver)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	err = pthread_attr_init(&attr);
	if (err)
		return -err;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (!err)
		err = pthread_create(&thread, &attr, resolver_run, resolver);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

/* ---- its user ---- */

int resolver_open(struct resolver **resolver)
{
	struct resolver *fresh = calloc(1, sizeof(*fresh));
	int err;

	if (!fresh)
		return -ENOMEM;
	fresh->owners = 1;
	fresh->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fresh->event_fd < 0) {
		err = -errno;
		free(fresh);
		return err;
	}
	pthread_mutex_init(&fresh->lock, NULL);
	*resolver = fresh;
	return 0;
}

int resolver_fd(const struct resolver *resolver)
{
	return resolver->event_fd;
}

int resolver_ask(struct resolver *resolver, const char *host)
{
	int err;

	if (strlen(host) >= sizeof(resolver->host))
		return -ENAMETOOLONG;
	pthread_mutex_lock(&resolver->lock);
	if (resolver->state != RESOLVER_IDLE) {
		pthread_mutex_unlock(&resolver->lock);
		return -EBUSY;
	}
	strcpy(resolver->host, host);
	resolver->state = RESOLVER_ASKS;
	resolver->owners++;
	pthread_mutex_unlock(&resolver->lock);
	err = resolver_start_thread(resolver);
	if (err) {
		pthread_mutex_lock(&resolver->lock);
		resolver->state = RESOLVER_IDLE;
		resolver_let_go(resolver);
	}
	return err;
}

bool resolver_take(struct resolver *resolver, char *host, struct resolver_answer *answer)
{
	bool answered;
	uint64_t count;

	pthread_mutex_lock(&resolver->lock);
	answered = resolver->state == RESOLVER_ANSWERED;
	if (answered) {
		strcpy(host, resolver->host);
		*answer = resolver->answer;
		resolver->answer = (struct resolver_answer){ 0 };
		resolver->state = RESOLVER_IDLE;
		answered = read(resolver->event_fd, &count, sizeof(count)) == sizeof(count);
	}
	pthread_mutex_unlock(&resolver->lock);
	return answered;
}

void resolver_close(struct resolver **resolver)
{
	struct resolver *own = *resolver;

	if (!own)
		return;
	*resolver = NULL;
	pthread_mutex_lock(&own->lock);
	resolver_let_go(own);
}
