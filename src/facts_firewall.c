// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "facts.h"
#include "util.h"

enum {
	FACTS_NFT_MS = 5000,	     /* so long may nft take */
	FACTS_END_MS = 1000,	     /* and so long to end, when it has said all */
	FACTS_NFT_BYTES = 32 << 20, /* and so much may it say */
};

static const char *facts_find_nft(void)
{
	/* As root, and without a look at PATH: no other program than the system's. */
	static const char *const paths[] = { "/usr/sbin/nft", "/sbin/nft", "/usr/local/sbin/nft", "/usr/bin/nft" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (!access(paths[i], X_OK))
			return paths[i];
	}
	return NULL;
}

static int facts_spawn(const char *path, int out, pid_t *pid)
{
	char *const argv[] = { (char *)"nft", (char *)"-j", (char *)"list", (char *)"ruleset", NULL };
	char *const environment[] = { (char *)"LC_ALL=C", NULL };
	posix_spawn_file_actions_t actions;
	int err = posix_spawn_file_actions_init(&actions);

	if (err)
		return -err;
	err = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (!err)
		err = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!err)
		err = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (!err)
		err = posix_spawn(pid, path, &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

static long facts_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

/* Everything up to the end, as one text; NULL with *@err: -ETIMEDOUT, -E2BIG, ... */
static char *facts_read_all(int fd, int *err)
{
	long end_ms = facts_now_ms() + FACTS_NFT_MS, left_ms;
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	_cleanup_free_ char *text = NULL;
	size_t used = 0, room = 0;
	ssize_t len = 1;
	int found;

	while (len) {
		if (used + 1 >= room) {
			char *longer = room < FACTS_NFT_BYTES ? realloc(text, room ? room * 2 : 65536) : NULL;

			if (!longer) {
				*err = -E2BIG;
				return NULL;
			}
			text = longer;
			room = room ? room * 2 : 65536;
		}
		left_ms = end_ms - facts_now_ms();
		found = left_ms > 0 ? poll(&ready, 1, (int)left_ms) : 0;
		if (!found) {
			*err = -ETIMEDOUT;
			return NULL;
		}
		if (found < 0)
			continue; /* a signal */
		len = read(fd, text + used, room - used - 1);
		if (len < 0 && errno != EINTR) {
			*err = -errno;
			return NULL;
		}
		used += len > 0 ? (size_t)len : 0;
	}
	text[used] = '\0';
	return TAKE_PTR(text);
}

/* Its exit status, or -errno. It has said all; one that does not end then, or at once with @kill_it, is killed. */
static int facts_reap(pid_t pid, bool kill_it)
{
	const struct timespec step = { .tv_nsec = 10000000 };
	long end_ms = facts_now_ms() + FACTS_END_MS;
	bool killed = false;
	pid_t ended = 0;
	int status = 0;

	while (!ended) {
		if (!killed && (kill_it || facts_now_ms() > end_ms))
			killed = !kill(pid, SIGKILL);
		ended = waitpid(pid, &status, killed ? 0 : WNOHANG);
		if (ended < 0 && errno == EINTR)
			ended = 0;
		else if (ended < 0)
			return -errno;
		else if (!ended)
			nanosleep(&step, NULL);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

/* The kernel names a table as soon as somebody has looked into it. */
static bool facts_names_any(const char *path)
{
	char line[32];

	util_read_line(path, line, sizeof(line));
	return line[0];
}

static bool facts_is_on(const char *path)
{
	char line[8];

	util_read_line(path, line, sizeof(line));
	return line[0] == '1';
}

void facts_find_firewall(struct facts_firewall *firewall)
{
	const char *path = facts_find_nft();
	_cleanup_free_ char *text = NULL;
	int pipe_fd[2], err = 0, status;
	pid_t pid;

	firewall->forwards_ipv4 = facts_is_on("/proc/sys/net/ipv4/ip_forward");
	firewall->forwards_ipv6 = facts_is_on("/proc/sys/net/ipv6/conf/all/forwarding");
	firewall->legacy_ipv4 = facts_names_any("/proc/net/ip_tables_names");
	firewall->legacy_ipv6 = facts_names_any("/proc/net/ip6_tables_names");
	firewall->nft = path;
	if (!path)
		return;
	if (pipe2(pipe_fd, O_CLOEXEC)) {
		snprintf(firewall->error, sizeof(firewall->error), "%s", strerror(errno));
		return;
	}
	err = facts_spawn(path, pipe_fd[1], &pid);
	close(pipe_fd[1]);
	if (!err) {
		text = facts_read_all(pipe_fd[0], &err);
		status = facts_reap(pid, err != 0);
		if (!err && status)
			snprintf(firewall->error, sizeof(firewall->error), "nft ended with status %d", status);
	}
	close(pipe_fd[0]);
	if (err)
		snprintf(firewall->error, sizeof(firewall->error), "nft: %s", strerror(-err));
	if (firewall->error[0])
		return;
	firewall->rules = json_loads(text[0] ? text : "{}", 0, NULL);
	if (!firewall->rules)
		snprintf(firewall->error, sizeof(firewall->error), "what nft says is no JSON");
}
