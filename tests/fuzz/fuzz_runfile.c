/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lock file: whatever is in one, what can be read of it is the same after it was written again
 * timeout: 700
 *
 * Input: the file.
 */
#include "runfile.c"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run_info info, again, empty;
	char *text = NULL;
	size_t length;
	FILE *out;

	claim(!read_info(fuzz_file(data, size), &info));
	check_texts(&info);
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
