/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lock file: whatever is in one, what can be read of it is the same after it was written again
 * timeout: 700
 *
 * Input: the file.
 */
#include <stdlib.h>
#include <string.h>

static unsigned int allocations_left; /* 0: none fails */

static void *fuzz_realloc(void *old, size_t size)
{
	return allocations_left && !--allocations_left ? NULL : realloc(old, size);
}

static char *fuzz_strdup(const char *text)
{
	return allocations_left && !--allocations_left ? NULL : strdup(text);
}

#define realloc fuzz_realloc
#define strdup	fuzz_strdup
#include "runfile.c"
#undef realloc
#undef strdup

#include "file.h"

static void check_texts(const struct run_info *info)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *text = (const char *)info + texts[i].offset;

		claim(memchr(text, 0, texts[i].size) && !strchr(text, '\n'));
	}
	claim(info->pid >= 0);
	for (size_t i = 0; i < info->filter_count; i++)
		claim(!strchr(info->filters[i], '\n'));
}

static void check_same(const struct run_info *a, const struct run_info *b)
{
	claim_eq(a->pid, b->pid);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		claim(!strcmp((const char *)a + texts[i].offset, (const char *)b + texts[i].offset));
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		claim(!memcmp((const char *)a + ids[i].offset, (const char *)b + ids[i].offset, sizeof(__u32)));
	claim(!memcmp(&a->settings, &b->settings, sizeof(a->settings)));
	claim_eq(a->filter_count, b->filter_count);
	for (size_t i = 0; i < a->filter_count; i++)
		claim(!strcmp(a->filters[i], b->filters[i]));
}

/* What cannot be read, and no memory for the filters. */
static void check_errors(const uint8_t *data, size_t size)
{
	int dir = open("/", O_RDONLY | O_CLOEXEC), sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct run_info info = { 0 };

	claim(read_info(-1, &info) == -EBADF);
	claim(read_info(dir, &info) == -EIO);
	claim(read_info(sink, &info) < 0);
	close(dir);
	close(sink);
	for (unsigned int nth = 1; nth <= 4; nth++) {
		allocations_left = nth;
		if (!read_info(fuzz_file(data, size), &info)) {
			claim(allocations_left);
			runfile_free_info(&info);
		}
		allocations_left = 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run_info info, again, empty;
	char *text = NULL;
	size_t length;
	FILE *out;

	claim(!read_info(fuzz_file(data, size), &info));
	check_texts(&info);
	check_errors(data, size);
	out = open_memstream(&text, &length);
	if (!out)
		abort();
	print_info(out, &info);
	if (fclose(out))
		abort();
	claim(!read_info(fuzz_file(text, length), &again));
	check_same(&info, &again);
	claim(runfile_read(fuzz_file_path(fuzz_file(NULL, 0)), &empty) == -ELOOP); /* a symbolic link */
	runfile_free_info(&info);
	runfile_free_info(&again);
	free(text);
	return 0;
}
