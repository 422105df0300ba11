/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The system calls that the daemon has after set-up (seccomp). Those of an allow list work, and any other is answered by ENOSYS, as by
 * an older kernel, and logged by the kernel (`audit: type=1326 ... comm="mimic" ... syscall=NUMBER`, in dmesg or where auditd writes).
 *
 * Nothing is killed, since libraries decide what is called, and change: a C library that wants something newer finds an older
 * kernel and does without, as it has to anyway. That is no less secure, for the call is not made. SIGSYS would be no way to tell of it: a thread
 * that blocks signals, such as the resolver's, dies of it.
 *
 * What is not on the list, above all: to execute anything, to make processes, to trace or signal others but by a pidfd, to mount, to enter or make
 * namespaces, to change users, owners of files or modes by path, to load modules or another kernel, keys, io_uring, userfaultfd.
 */
#ifndef MIMIC_SYSCALLS_H
#define MIMIC_SYSCALLS_H

/*
 * For all threads and for good. Needs no_new_privs. Returns 0, -ENOTSUP where the program was built without libseccomp, or -errno (-EINVAL: the kernel
 * has no seccomp filters).
 */
int syscalls_restrict(void);

#endif
