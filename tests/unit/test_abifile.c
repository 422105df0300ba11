/* SPDX-License-Identifier: GPL-2.0-only */
/* The ABI of a program file: of this one, of a copy that has another one, of what is no program or tells nothing */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi.h"
#include "abifile.h"

static char file[] = "/tmp/mimic-test-abifile-XXXXXX";

static void setup(void)
{
	int fd = mkstemp(file);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void teardown(void)
{
	unlink(file);
}

static void write_file(const void *bytes, size_t len)
{
	int fd = open(file, O_WRONLY | O_TRUNC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

/* This program, whose bytes are the caller's. */
static char *read_self(size_t *len)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	struct stat st;
	char *bytes;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;
	bytes = malloc(*len);
	ck_assert_ptr_nonnull(bytes);
	for (size_t done = 0; done < *len;) {
		ssize_t n = read(fd, bytes + done, *len - done);

		ck_assert_int_gt(n, 0);
		done += (size_t)n;
	}
	close(fd);
	return bytes;
}

START_TEST(test_own)
{
	ck_assert_uint_eq(abifile_own(), MIMIC_ABI);
	ck_assert_int_eq(abifile_of("/proc/self/exe"), MIMIC_ABI);
}
END_TEST

START_TEST(test_none)
{
	ck_assert_int_eq(abifile_of("/nosuch/file"), -ENOENT);
	ck_assert_int_eq(abifile_of(file), -ENOENT);
	write_file("#!/bin/sh\n", 10);
	ck_assert_int_eq(abifile_of(file), -ENOENT);
	ck_assert_int_eq(abifile_of("/tmp"), -ENOENT);
	ck_assert_int_eq(abifile_of("/proc/self/exe/"), -ENOTDIR);
}
END_TEST

/* Files that were cut off, wherever: they tell nothing, or the truth. */
START_TEST(test_cut)
{
	size_t len, step;
	char *bytes = read_self(&len);

	step = len / 61 + 1;
	for (size_t cut = 1; cut < len; cut += cut < 256 ? 13 : step) {
		int abi;

		write_file(bytes, cut);
		abi = abifile_of(file);
		ck_assert_msg(abi == -ENOENT || abi == MIMIC_ABI, "%d of %zu bytes", abi, cut);
	}
	free(bytes);
}
END_TEST

/* A section of another name, as a program has that is no Mimic. */
START_TEST(test_stranger)
{
	static const char name[] = ".mimic.abi";
	size_t len, renamed = 0;
	char *bytes = read_self(&len), *at = bytes;

	while ((at = memmem(at, len - (size_t)(at - bytes), name, sizeof(name) - 1))) {
		at[1] = 'X';
		renamed++;
	}
	ck_assert_uint_gt(renamed, 0);
	write_file(bytes, len);
	ck_assert_int_eq(abifile_of(file), -ENOENT);
	free(bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("abifile");
	TCase *tcase = tcase_create("abifile");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_own);
	tcase_add_test(tcase, test_none);
	tcase_add_test(tcase, test_cut);
	tcase_add_test(tcase, test_stranger);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
