/* SPDX-License-Identifier: GPL-2.0-only */
/* What is left of capabilities and system calls: what is refused, how, and that libraries go on. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "privileges.h"
#include "syscalls.h"

/* Runs @body in a process of its own, which no filter outlives, and which no sanitizer looks at when it ends. */
static void in_process(int (*body)(void), int expected)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(body());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), expected);
}

enum {
	SKIPPED = 77, /* built without libseccomp */
};

static int restrict_all(void)
{
	int err = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : syscalls_restrict();

	return err == -ENOTSUP ? SKIPPED : err ? 1 : 0;
}

static bool is_refused(long result)
{
	return result == -1 && errno == ENOSYS;
}

static int try_refused(void)
{
	int err = restrict_all();

	if (err)
		return err;
	if (!is_refused(syscall(SYS_execve, "/bin/true", NULL, NULL)))
		return 2;
	if (!is_refused(syscall(SYS_ptrace, 0, 0, 0, 0)))
		return 3;
	if (!is_refused(syscall(SYS_unshare, 0)))
		return 4;
	if (!is_refused(syscall(SYS_setresuid, 0, 0, 0)))
		return 5;
	if (!is_refused(syscall(SYS_kill, getpid(), 0)))
		return 6;
	if (!is_refused(syscall(SYS_clone, 17, 0, 0, 0, 0))) /* SIGCHLD: a process */
		return 7;
	return is_refused(syscall(100000)) ? 0 : 8; /* of a kernel to come */
}

static void *answer(void *argument)
{
	*(int *)argument = privileges_drop() ? 1 : 42;
	return NULL;
}

static int try_allowed(void)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM };
	struct addrinfo *infos;
	pthread_t thread;
	int said = 0, err = restrict_all();
	char byte;
	int fd;

	if (err)
		return err;
	if (pthread_create(&thread, NULL, answer, &said) || pthread_join(thread, NULL) || said != 42)
		return 2;
	if (getaddrinfo("localhost", NULL, &hints, &infos))
		return 3;
	freeaddrinfo(infos);
	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	return fd < 0 || read(fd, &byte, 1) != 1 ? 4 : 0;
}

/* One that has begun before is under the filter, too. */
static void *try_later(void *argument)
{
	int *pipe_fds = argument;
	char byte;

	if (read(pipe_fds[0], &byte, 1) != 1)
		return argument;
	return is_refused(syscall(SYS_unshare, 0)) ? NULL : argument;
}

static int try_thread(void)
{
	pthread_t thread;
	int pipe_fds[2], err;
	void *bad;

	if (pipe(pipe_fds) || pthread_create(&thread, NULL, try_later, pipe_fds))
		return 2;
	err = restrict_all();
	if (write(pipe_fds[1], "", 1) != 1 || pthread_join(thread, &bad))
		return 3;
	return err ? err : bad ? 4 : 0;
}

#define BIT(capability) (1ULL << (capability))

/* A number of /proc/self/status, hexadecimal. */
static unsigned long long status(const char *key)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long found, value = ~0ULL;
	char line[256], name[64];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63[^:]: %llx", name, &found) == 2 && !strcmp(name, key))
			value = found;
	}
	if (file)
		fclose(file);
	return value;
}

static bool has(unsigned long long capabilities)
{
	return status("CapEff") == capabilities && status("CapPrm") == capabilities;
}

static unsigned long long needed(void)
{
	return BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW);
}

/* Root, if not of all. */
static bool has_needed(void)
{
	const unsigned long long all = needed() | BIT(CAP_SYS_ADMIN) | BIT(CAP_SETPCAP);

	return (status("CapPrm") & all) == all;
}

static int try_capabilities(void)
{
	unsigned long long kept = needed();

	if (!has_needed())
		return SKIPPED;
	/* Nobody else can lift the limit of locked memory. */
	if (!(status("CapPrm") & BIT(CAP_SYS_RESOURCE)))
		kept |= status("CapPrm") & BIT(CAP_IPC_LOCK);
	if (privileges_keep(true) || !has(kept | BIT(CAP_SYS_ADMIN)) || status("CapBnd") & ~(kept | BIT(CAP_SYS_ADMIN)))
		return 2;
	if (privileges_keep(false) || !has(kept))
		return 3;
	if (status("NoNewPrivs") != 1 || status("CapInh") || status("CapAmb"))
		return 4;
	return privileges_drop() || !has(0) ? 5 : 0;
}

#ifdef HAVE_SECCOMP
#define EXPECTED 0
#else
#define EXPECTED SKIPPED
#endif

START_TEST(test_refused)
{
	in_process(try_refused, EXPECTED);
}
END_TEST

START_TEST(test_allowed)
{
	in_process(try_allowed, EXPECTED);
}
END_TEST

START_TEST(test_thread)
{
	in_process(try_thread, EXPECTED);
}
END_TEST

START_TEST(test_capabilities)
{
	in_process(try_capabilities, has_needed() ? 0 : SKIPPED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("syscalls");
	TCase *tcase = tcase_create("left");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test_refused);
	tcase_add_test(tcase, test_allowed);
	tcase_add_test(tcase, test_thread);
	tcase_add_test(tcase, test_capabilities);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
