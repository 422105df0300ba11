// SPDX-License-Identifier: GPL-2.0-only
#include "syscalls.h"

#include <errno.h>

#ifdef HAVE_SECCOMP

#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>

#include "util.h"

#define _cleanup_filter_ __attribute__((cleanup(syscalls_release)))

/* By name: each architecture has its own numbers, and some of these not at all. What is here for a library says for which. */
static const char *const syscalls_allowed[] = {
	/* memory, threads, signals, the end */
	"brk", "madvise", "membarrier", "mlock", "mmap", "mmap2", "mprotect", "mremap", "munlock", "munmap",
	"futex", "futex_time64", "get_robust_list", "getcpu", "gettid", "rseq", "sched_getaffinity", "sched_yield", "set_robust_list",
	"set_thread_area", "set_tid_address", "set_tls", "arch_prctl", "cacheflush", "riscv_flush_icache", "riscv_hwprobe",
	"rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64", "sigaction",
	"sigaltstack", "sigprocmask", "sigreturn", "signalfd4", "tgkill", "restart_syscall", "exit", "exit_group",
	/* time */
	"clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "gettimeofday", "nanosleep",
	"time", "times", "timerfd_create", "timerfd_gettime", "timerfd_gettime64", "timerfd_settime", "timerfd_settime64",
	/* waiting */
	"_newselect", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd2", "poll", "ppoll",
	"ppoll_time64", "pselect6", "pselect6_time64", "select",
	/* files: the configuration, /proc, /sys, the lock file, libraries of the name service, pins of libxdp */
	"_llseek", "access", "close", "close_range", "dup", "dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fadvise64_64", "arm_fadvise64_64",
	"fchmod", "fcntl", "fcntl64", "fdatasync", "flock", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate", "ftruncate64",
	"getcwd", "getdents", "getdents64", "ioctl", "lseek", "lstat", "lstat64", "mkdir", "mkdirat", "newfstatat", "open", "openat", "openat2",
	"pipe", "pipe2", "pread64", "preadv", "pwrite64", "read", "readahead", "readlink", "readlinkat", "readv", "rename", "renameat", "renameat2", "rmdir",
	"stat", "stat64", "statfs", "statfs64", "statx", "umask", "unlink", "unlinkat", "write", "writev",
	/* networks: packets, netlink, a successor, systemd, the name service */
	"accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64",
	"recvmsg", "send", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown", "socket", "socketcall", "socketpair",
	/* who and where we are; less of it */
	"capget", "capset", "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups", "getgroups32", "getpgrp", "getpid", "getppid",
	"getrandom", "getresgid", "getresgid32", "getresuid", "getresuid32", "getrlimit", "getrusage", "getsid", "getuid", "getuid32", "prctl", "prlimit64",
	"setrlimit", "sysinfo", "ugetrlimit", "uname",
	/* a successor that hangs */
	"pidfd_open", "pidfd_send_signal",
	/* systemd's descriptor store and bus; some name services */
	"inotify_add_watch", "inotify_init1", "inotify_rm_watch", "memfd_create",
	/* what it is all about */
	"bpf", "perf_event_open",
};

static void syscalls_release(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

/* What neither the library nor the kernel has on this architecture is no error. */
static int syscalls_allow(scmp_filter_ctx filter, const char *name)
{
	int number = seccomp_syscall_resolve_name(name);
	int err = number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);

	return err == -EDOM ? 0 : err;
}

/* Threads, and no processes. clone3 hides its flags from filters; C libraries do without it. */
static int syscalls_allow_threads(scmp_filter_ctx filter)
{
#ifdef __s390__
	const unsigned int flags = 1;
#else
	const unsigned int flags = 0;
#endif
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_CMP(flags, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
}

static int syscalls_add_all(scmp_filter_ctx filter)
{
	int err = syscalls_allow_threads(filter);

	if (!err)
		err = syscalls_allow(filter, "clone3"); /* the other filter refuses it */
	for (size_t i = 0; !err && i < ARRAY_SIZE(syscalls_allowed); i++)
		err = syscalls_allow(filter, syscalls_allowed[i]);
	return err;
}

/* glibc tries clone3 for each thread: no news for a log, so a filter of its own refuses it, which logs nothing. */
static int syscalls_refuse_quietly(void)
{
	_cleanup_filter_ scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int err = filter ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) : -ENOMEM;

	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return err ? err : seccomp_load(filter);
}

int syscalls_restrict(void)
{
	_cleanup_filter_ scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int err;

	if (!filter)
		return -ENOMEM;
	/* A kernel of the other width (i386 on amd64) is none of ours: it is answered in the same way. */
	err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!err)
		err = syscalls_add_all(filter);
	if (err)
		return err;
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1); /* Linux 4.14 */
	err = syscalls_refuse_quietly();
	return err ? err : seccomp_load(filter);
}

#else

int syscalls_restrict(void)
{
	return -ENOTSUP;
}

#endif
