/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages: stderr that takes nothing costs lines, but no time; what is lost or left out is counted and told */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "log.c"

enum {
	TEXT_MAX = 1 << 20,
	MANY = 5000,
};

static char text[TEXT_MAX];
static int saved = -1, reader = -1;

/* stderr becomes `fd`, which is closed. */
static void take_stderr(int fd)
{
	saved = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
	close(fd);
}

static void take_pipe(void)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	reader = ends[0];
	ck_assert_int_eq(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
	take_stderr(ends[1]);
}

static void setup(void)
{
	log_set_level(LOG_LEVEL_INFO);
	log_set_patience(0);
	lost = 0;
	torn = false;
	unsetenv("JOURNAL_STREAM");
	setenv("NO_COLOR", "1", 1);
	saved = reader = -1;
}

static void teardown(void)
{
	if (saved >= 0) {
		dup2(saved, STDERR_FILENO);
		close(saved);
	}
	util_close_fd(&reader);
}

/* What can be read now, as one text. */
static const char *read_all(void)
{
	size_t length = 0;
	ssize_t n;

	while ((n = read(reader, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	return text;
}

static unsigned long count_lines(const char *at)
{
	unsigned long lines = 0;

	while ((at = strchr(at, '\n'))) {
		lines++;
		at++;
	}
	return lines;
}

START_TEST(test_lines)
{
	char longest[3 * LINE_MAX_BYTES];

	take_pipe();
	errno = ENOENT;
	log_warn("one: %m");
	ck_assert_int_eq(errno, ENOENT);
	log_debug("not shown");
	ck_assert_str_eq(read_all(), "warn: one: No such file or directory\n");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	log_error("%s", longest);
	ck_assert_uint_le(strlen(read_all()), LINE_MAX_BYTES);
	ck_assert_uint_eq(count_lines(text), 1);
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
}
END_TEST

/* The first lines are there, whole; then how many are lost; then it goes on. Without an end of patience it would hang. */
START_TEST(test_full)
{
	unsigned long whole, missing = 0;

	take_pipe();
	for (int i = 0; i < MANY; i++)
		log_info("line %d of those that nobody reads", i);
	read_all();
	whole = count_lines(text);
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
	ck_assert_uint_gt(whole, 100);
	ck_assert_uint_lt(whole, MANY);
	log_info("after");
	ck_assert_int_eq(sscanf(read_all(), "warn: %lu messages are lost", &missing), 1);
	ck_assert_uint_eq(whole + missing, MANY);
	ck_assert_str_eq(strchr(text, '\n'), "\ninfo: after\n");
	log_info("and again");
	ck_assert_str_eq(read_all(), "info: and again\n");
}
END_TEST

/* Nothing else is to be said: log_flush() tells it, once. */
START_TEST(test_flush)
{
	take_pipe();
	for (int i = 0; i < MANY; i++)
		log_info("line %d", i);
	log_flush();
	read_all();
	ck_assert_ptr_null(strstr(text, "lost"));
	log_flush();
	ck_assert_ptr_nonnull(strstr(read_all(), "messages are lost"));
	ck_assert_uint_eq(count_lines(text), 1);
	log_flush();
	ck_assert_str_eq(read_all(), "");
}
END_TEST

static void *read_slowly(void *lines)
{
	static char chunk[4096];
	ssize_t n;

	fcntl(reader, F_SETFL, 0);
	while ((n = read(reader, chunk, sizeof(chunk))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			*(unsigned long *)lines += chunk[i] == '\n';
		usleep(1000);
	}
	return NULL;
}

/* With patience a slow reader gets all. */
START_TEST(test_patience)
{
	unsigned long lines = 0;
	pthread_t thread;

	take_pipe();
	log_set_patience(-1);
	ck_assert_int_eq(pthread_create(&thread, NULL, read_slowly, &lines), 0);
	for (int i = 0; i < MANY; i++)
		log_info("line %d", i);
	dup2(saved, STDERR_FILENO);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(lines, MANY);
	ck_assert_uint_eq(lost, 0);
}
END_TEST

/* The description that others share with us stays as it was. */
START_TEST(test_shared)
{
	int flags;

	take_pipe();
	flags = fcntl(STDERR_FILENO, F_GETFL);
	for (int i = 0; i < MANY; i++)
		log_info("line %d", i);
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL), flags);
	ck_assert_int_eq(flags & O_NONBLOCK, 0);
}
END_TEST

/* The journal is a socket: full, too. */
START_TEST(test_socket)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	reader = ends[0];
	fcntl(reader, F_SETFL, O_NONBLOCK);
	take_stderr(ends[1]);
	for (int i = 0; i < MANY; i++)
		log_info("line %d", i);
	ck_assert_uint_gt(lost, 0);
	read_all();
	ck_assert_uint_eq(count_lines(text) + lost, MANY);
	log_info("after");
	ck_assert_ptr_nonnull(strstr(read_all(), "info: after\n"));
}
END_TEST

/* Where stderr is the journal's, lines begin with the priorities of sd-daemon(3), without level or colour; and only there. */
START_TEST(test_journal)
{
	char stream[64];
	struct stat st;

	take_pipe();
	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_set_level(LOG_LEVEL_TRACE);
	log_error("a");
	log_warn("b");
	log_info("c");
	log_debug("d");
	log_trace("e");
	ck_assert_str_eq(read_all(), "<3>a\n<4>b\n<6>c\n<7>d\n<7>e\n");
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino + 1);
	setenv("JOURNAL_STREAM", stream, 1);
	log_error("redirected");
	ck_assert_str_eq(read_all(), "error: redirected\n");
}
END_TEST

/* A terminal that nobody reads takes the last line in part, at most. */
START_TEST(test_terminal)
{
	int terminal, again;

	reader = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	ck_assert_int_ge(reader, 0);
	ck_assert_int_eq(grantpt(reader) | unlockpt(reader), 0);
	terminal = open(ptsname(reader), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(terminal, 0);
	again = dup(terminal);
	take_stderr(terminal);
	for (int i = 0; i < MANY; i++)
		log_info("line %d of those that nobody reads on this terminal", i);
	ck_assert_uint_gt(lost, 0);
	read_all();
	log_info("after");
	ck_assert_ptr_nonnull(strstr(read_all(), "\ninfo: after\r\n"));
	close(again);
}
END_TEST

/* Nobody there at all: neither a wait nor a signal that ends the process, if it ignores that one. */
START_TEST(test_reader_gone)
{
	signal(SIGPIPE, SIG_IGN);
	take_pipe();
	log_set_patience(-1);
	util_close_fd(&reader);
	for (int i = 0; i < MANY; i++)
		log_info("line %d", i);
	ck_assert_uint_eq(lost, MANY);
}
END_TEST

START_TEST(test_rate)
{
	struct log_rate rate = LOG_RATE_INIT(2);

	ck_assert(log_rate_due(&rate, 1));
	ck_assert(!log_rate_due(&rate, 2));
	ck_assert(!log_rate_due(&rate, 2000000000ULL));
	ck_assert_uint_eq(rate.suppressed, 2);
	ck_assert(log_rate_due(&rate, 2000000001ULL));
}
END_TEST

START_TEST(test_burst)
{
	struct log_burst burst = LOG_BURST_INIT(2, 10, "things");
	const uint64_t second = 1000000000ULL;

	take_pipe();
	log_burst_end(&burst, 0);
	for (int i = 0; i < 5; i++)
		log_burst(&burst, 100 * second, "thing %d", i);
	ck_assert_str_eq(read_all(), "info: thing 0\ninfo: thing 1\n");
	log_burst_end(&burst, 109 * second);
	ck_assert_str_eq(read_all(), "");
	log_burst_end(&burst, 110 * second);
	ck_assert_str_eq(read_all(), "info: ... and 3 more things\n");
	log_burst_end(&burst, 130 * second);
	/* The next event comes before somebody asks. */
	for (int i = 0; i < 3; i++)
		log_burst(&burst, 200 * second, "thing %d", i);
	log_burst(&burst, 211 * second, "late");
	ck_assert_str_eq(read_all(), "info: thing 0\ninfo: thing 1\ninfo: ... and 1 more things\ninfo: late\n");
	log_burst_end(&burst, 300 * second);
	ck_assert_str_eq(read_all(), "");
	/* Who asks for more gets each. */
	log_set_level(LOG_LEVEL_DEBUG);
	for (int i = 0; i < 3; i++)
		log_burst(&burst, 400 * second, "thing %d", i);
	log_burst_end(&burst, 500 * second);
	ck_assert_str_eq(read_all(), "info: thing 0\ninfo: thing 1\ndebug: thing 2\n");
	log_set_level(LOG_LEVEL_WARN);
	log_burst(&burst, 600 * second, "thing");
	ck_assert_str_eq(read_all(), "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("log");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_lines);
	tcase_add_test(tcase, test_full);
	tcase_add_test(tcase, test_flush);
	tcase_add_test(tcase, test_patience);
	tcase_add_test(tcase, test_shared);
	tcase_add_test(tcase, test_socket);
	tcase_add_test(tcase, test_journal);
	tcase_add_test(tcase, test_terminal);
	tcase_add_test(tcase, test_reader_gone);
	tcase_add_test(tcase, test_rate);
	tcase_add_test(tcase, test_burst);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
