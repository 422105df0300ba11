/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ownership helpers, and reading a line. A variable marked with a _cleanup_ attribute is released when it goes out of
 * scope; TAKE_PTR and TAKE_FD hand its value to a new owner and leave an empty one behind.
 */
#ifndef MIMIC_UTIL_H
#define MIMIC_UTIL_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* For `char *`, `void *` and any other pointer from malloc(); NULL is fine. */
#define _cleanup_free_ __attribute__((cleanup(util_free_ptr)))

/* For a file descriptor; -1 means none. Keeps errno. */
#define _cleanup_close_ __attribute__((cleanup(util_close_fd)))

#define TAKE_PTR(ptr)                              \
	__extension__({                            \
		__typeof__(ptr) *_from_ = &(ptr);  \
		__typeof__(ptr) _taken_ = *_from_; \
		*_from_ = NULL;                    \
		_taken_;                           \
	})

#define TAKE_FD(fd)                    \
	__extension__({                \
		int *_from_ = &(fd);   \
		int _taken_ = *_from_; \
		*_from_ = -1;          \
		_taken_;               \
	})

static inline void util_free_ptr(void *ptr)
{
	free(*(void **)ptr);
}

static inline void util_close_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

/* The first line of a small file, without its end; empty if there is none. */
static inline void util_read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");

	line[0] = '\0';
	if (!file)
		return;
	if (!fgets(line, (int)size, file))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(file);
}

#endif
