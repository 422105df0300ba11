/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages of a takeover: their text, damage, descriptors, time limits, an end that hangs up; the path of the socket */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "takeover_wire.h"

static int ends[2];

static void setup(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
}

static void teardown(void)
{
	close(ends[0]);
	close(ends[1]);
}

static int parse(struct takeover_message *message, const char *text)
{
	return takeover_parse(message, text, strlen(text));
}

START_TEST(test_path)
{
	char path[TAKEOVER_PATH_MAX], lock[TAKEOVER_PATH_MAX + 8];

	ck_assert_int_eq(takeover_path(path, sizeof(path), "/run/mimic/f0000001_7.lock"), 0);
	ck_assert_str_eq(path, "/run/mimic/f0000001_7.sock");
	ck_assert_int_eq(takeover_path(path, sizeof(path), "/run/mimic/f0000001_7"), -EINVAL);
	ck_assert_int_eq(takeover_path(path, sizeof(path), ".lock"), -EINVAL);
	ck_assert_int_eq(takeover_path(path, sizeof(path), ""), -EINVAL);
	for (size_t len = TAKEOVER_PATH_MAX - 2; len <= TAKEOVER_PATH_MAX; len++) {
		memset(lock, 'x', len);
		memcpy(lock + len - 5, ".lock", 6);
		ck_assert_int_eq(takeover_path(path, sizeof(path), lock), len < TAKEOVER_PATH_MAX ? 0 : -ENAMETOOLONG);
	}
}
END_TEST

START_TEST(test_text)
{
	struct takeover_message message = { .count = 9 }, again;
	char text[TAKEOVER_TEXT_MAX];
	size_t len;

	ck_assert_int_eq(parse(&message, "hello\n"), 0);
	ck_assert_str_eq(message.verb, "hello");
	ck_assert_uint_eq(message.count, 0);
	ck_assert_int_eq(parse(&message, "offer\nconns\nlink-xdp\n"), 0);
	ck_assert_uint_eq(message.count, 2);
	ck_assert_str_eq(message.names[1], "link-xdp");
	len = takeover_print(text, &message);
	ck_assert_int_eq(takeover_parse(&again, text, len), 0);
	ck_assert_str_eq(again.verb, "offer");
	ck_assert_uint_eq(again.count, 2);
	ck_assert_str_eq(again.names[0], "conns");
}
END_TEST

/* As long as it may get in each respect, and one more. */
START_TEST(test_limits)
{
	char text[TAKEOVER_TEXT_MAX + TAKEOVER_WORD_MAX + 1] = "", word[TAKEOVER_WORD_MAX + 1];
	struct takeover_message message;

	memset(word, 'w', sizeof(word));
	word[TAKEOVER_WORD_MAX - 1] = '\n';
	word[TAKEOVER_WORD_MAX] = '\0';
	for (int i = 0; i < TAKEOVER_FDS_MAX + 1; i++)
		strcat(text, word);
	ck_assert_int_eq(parse(&message, text), 0);
	ck_assert_uint_eq(message.count, TAKEOVER_FDS_MAX);
	ck_assert_uint_eq(takeover_print(text, &message), TAKEOVER_TEXT_MAX);
	strcpy(text + TAKEOVER_TEXT_MAX, "x\n");
	ck_assert_int_eq(parse(&message, text), -EPROTO);
	snprintf(text, sizeof(text), "w%s", word);
	ck_assert_int_eq(parse(&message, text), -EPROTO);
}
END_TEST

START_TEST(test_damage)
{
	static const char zero[] = "of\0er\nconns\n";
	struct takeover_message message;

	ck_assert_int_eq(parse(&message, ""), -EPROTO);
	ck_assert_int_eq(parse(&message, "\n"), -EPROTO);
	ck_assert_int_eq(parse(&message, "offer"), -EPROTO);
	ck_assert_int_eq(parse(&message, "offer\nconns"), -EPROTO);
	ck_assert_int_eq(parse(&message, "offer\n\nconns\n"), -EPROTO);
	ck_assert_int_eq(takeover_parse(&message, zero, sizeof(zero) - 1), -EPROTO);
}
END_TEST

static ino_t inode_of(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

START_TEST(test_descriptors)
{
	struct takeover_message message = { .verb = "offer" }, got;
	int pipes[2], fd;

	ck_assert_int_eq(pipe(pipes), 0);
	takeover_add(&message, "none", -1);
	takeover_add(&message, "first", pipes[0]);
	takeover_add(&message, "second", ends[0]);
	ck_assert_uint_eq(message.count, 2);
	ck_assert_int_eq(takeover_send(ends[0], &message), 0);
	ck_assert_int_eq(takeover_receive(ends[1], &got, 1000), 0);
	ck_assert_str_eq(got.verb, "offer");
	ck_assert_uint_eq(got.count, 2);
	ck_assert_int_eq(takeover_take(&got, "third"), -1);
	fd = takeover_take(&got, "second");
	ck_assert_uint_eq(inode_of(fd), inode_of(ends[0]));
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	ck_assert_int_eq(takeover_take(&got, "second"), -1); /* it is taken */
	fd = got.fds[0];
	takeover_drop(&got);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	close(pipes[0]);
	close(pipes[1]);
}
END_TEST

/* What comes has to have as many descriptors as names; those of a bad message are closed. */
START_TEST(test_wrong_count)
{
	struct takeover_message got = {};
	int lowest = dup(0);

	close(lowest);
	ck_assert_int_eq(send(ends[0], "offer\nconns\n", 12, 0), 12);
	ck_assert_int_eq(takeover_receive(ends[1], &got, 1000), -EPROTO);
	for (int names = 1; names <= 3; names += 2) {
		struct takeover_message message = { .verb = "offer" };
		char text[64] = "offer\n";
		struct iovec part = { .iov_base = text };
		union {
			struct cmsghdr header;
			char bytes[CMSG_SPACE(2 * sizeof(int))];
		} control = {};
		struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };

		for (int i = 0; i < names; i++)
			strcat(text, "name\n");
		part.iov_len = strlen(text);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(2 * sizeof(int));
		memcpy(CMSG_DATA(&control.header), ends, 2 * sizeof(int));
		ck_assert_int_ge(sendmsg(ends[0], &header, 0), 0);
		ck_assert_int_eq(takeover_receive(ends[1], &message, 1000), -EPROTO);
		ck_assert_uint_eq(message.count, 0);
	}
	ck_assert_int_eq(dup(0), lowest); /* none is left open */
	close(lowest);
}
END_TEST

START_TEST(test_time_limit)
{
	struct takeover_message got;
	uint64_t before = takeover_now_ns(), took;

	ck_assert_int_eq(takeover_receive(ends[1], &got, 0), -ETIMEDOUT);
	ck_assert_int_eq(takeover_receive(ends[1], &got, 100), -ETIMEDOUT);
	took = takeover_now_ns() - before;
	ck_assert_uint_ge(took, 90000000ULL);
	ck_assert_uint_lt(took, 60000000000ULL);
	/* What nobody reads does not make the other side wait. */
	for (int i = 0, err = 0; !err; i++) {
		ck_assert_int_lt(i, 1000000);
		err = takeover_say(ends[0], "hello");
		ck_assert(!err || err == -EAGAIN);
	}
}
END_TEST

START_TEST(test_hung_up)
{
	struct takeover_message got;

	ck_assert_int_eq(takeover_say(ends[0], "cancel"), 0);
	close(ends[0]);
	ck_assert_int_eq(takeover_receive(ends[1], &got, 1000), 0);
	ck_assert_str_eq(got.verb, "cancel");
	ck_assert_int_eq(takeover_receive(ends[1], &got, 1000), -EPIPE);
	ck_assert_int_eq(takeover_say(ends[1], "hello"), -EPIPE);
	ends[0] = dup(ends[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("takeover");
	TCase *tcase = tcase_create("takeover");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_path);
	tcase_add_test(tcase, test_text);
	tcase_add_test(tcase, test_limits);
	tcase_add_test(tcase, test_damage);
	tcase_add_test(tcase, test_descriptors);
	tcase_add_test(tcase, test_wrong_count);
	tcase_add_test(tcase, test_time_limit);
	tcase_add_test(tcase, test_hung_up);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
