/* SPDX-License-Identifier: GPL-2.0-only */
/* A file in memory that has what libFuzzer made up, for what reads files: those of a disk would take most of the time. */
#ifndef MIMIC_TEST_FUZZ_FILE_H
#define MIMIC_TEST_FUZZ_FILE_H

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

/* The same one each time; returns its descriptor, at its beginning. */
static inline int fuzz_file(const void *bytes, size_t len)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	claim(fd >= 0 && !ftruncate(fd, 0) && pwrite(fd, bytes, len, 0) == (ssize_t)len && !lseek(fd, 0, SEEK_SET));
	return fd;
}

/* A way to it, which is a symbolic link. */
static inline const char *fuzz_file_path(int fd)
{
	static char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

#endif
