// SPDX-License-Identifier: GPL-2.0-only
/* The resolver's thread, over a getaddrinfo(3) of our own: answers, errors, one question at a time, and an end that waits for nobody. */
#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "resolver.h"

static sem_t hanging; /* getaddrinfo() for hang.test has begun ... */
static sem_t release; /* ... and may end */

static struct addrinfo *info_of(const char *text, struct addrinfo *next)
{
	struct addrinfo *info = calloc(1, sizeof(*info));
	struct sockaddr_in *ipv4 = calloc(1, sizeof(struct sockaddr_in6));
	struct sockaddr_in6 *ipv6 = (void *)ipv4;

	info->ai_next = next;
	info->ai_addr = (struct sockaddr *)ipv4;
	if (strchr(text, ':')) {
		ipv6->sin6_family = AF_INET6;
		inet_pton(AF_INET6, text, &ipv6->sin6_addr);
	} else {
		ipv4->sin_family = AF_INET;
		inet_pton(AF_INET, text, &ipv4->sin_addr);
	}
	return info;
}

/* In the place of the C library's. */
int getaddrinfo(const char *restrict host, const char *restrict service, const struct addrinfo *restrict hints,
		struct addrinfo **restrict infos)
{
	(void)service;
	(void)hints;
	*infos = NULL;
	if (!strcmp(host, "again.test"))
		return EAI_AGAIN;
	if (!strcmp(host, "none.test"))
		return EAI_NONAME;
	if (!strcmp(host, "blocked.test")) {
		*infos = info_of("0.0.0.0", info_of("::", NULL));
		return 0;
	}
	if (!strcmp(host, "hang.test")) {
		sem_post(&hanging);
		sem_wait(&release);
	}
	*infos = info_of("192.0.2.1", info_of("2001:db8::1", info_of("192.0.2.1", info_of("0.0.0.0", info_of("192.0.2.2", NULL)))));
	return 0;
}

void freeaddrinfo(struct addrinfo *info)
{
	while (info) {
		struct addrinfo *next = info->ai_next;

		free(info->ai_addr);
		free(info);
		info = next;
	}
}

static unsigned int threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned int count = 0;

	ck_assert_ptr_nonnull(dir);
	for (const struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* What ends, ends soon; and has freed what it had, or the sanitizer complains. */
static void expect_threads(unsigned int count)
{
	const struct timespec pause = { .tv_nsec = 10000000 };

	for (int i = 0; i < 3000 && threads() != count; i++)
		nanosleep(&pause, NULL);
	ck_assert_uint_eq(threads(), count);
}

static struct resolver *opened(void)
{
	struct resolver *resolver = NULL;

	ck_assert_int_eq(resolver_open(&resolver), 0);
	return resolver;
}

static struct resolver_answer asked(struct resolver *resolver, const char *name)
{
	struct pollfd poll_fd = { .fd = resolver_fd(resolver), .events = POLLIN };
	struct resolver_answer answer;
	char host[FILTER_HOST_MAX];

	ck_assert_int_eq(resolver_ask(resolver, name), 0);
	ck_assert_int_eq(poll(&poll_fd, 1, 30000), 1);
	ck_assert(resolver_take(resolver, host, &answer));
	ck_assert_str_eq(host, name);
	ck_assert(!resolver_take(resolver, host, &answer)); /* once */
	ck_assert_int_eq(poll(&poll_fd, 1, 0), 0);
	return answer;
}

static void expect_addr(const struct resolver_answer *answer, size_t at, const char *expected)
{
	const struct addr *addr = &answer->addrs[at];
	char text[INET6_ADDRSTRLEN];

	ck_assert_uint_lt(at, answer->count);
	inet_ntop(addr_is_ipv4(addr) ? AF_INET : AF_INET6, addr_is_ipv4(addr) ? &addr->word[3] : addr->word, text, sizeof(text));
	ck_assert_str_eq(text, expected);
}

START_TEST(test_answers)
{
	struct resolver *resolver = opened();

	for (int i = 0; i < 20; i++) {
		struct resolver_answer answer = asked(resolver, "two.test");

		ck_assert_int_eq(answer.err, 0);
		ck_assert_uint_eq(answer.count, 3);
		expect_addr(&answer, 0, "192.0.2.1");
		expect_addr(&answer, 1, "2001:db8::1");
		expect_addr(&answer, 2, "192.0.2.2");
		resolver_free_answer(&answer);
	}
	resolver_close(&resolver);
	ck_assert_ptr_null(resolver);
	resolver_close(&resolver);
	expect_threads(1);
}
END_TEST

START_TEST(test_errors)
{
	static const struct {
		const char *host;
		int err;
	} cases[] = { { "again.test", -EAGAIN }, { "none.test", -ENOENT }, { "blocked.test", -ENOENT } };
	struct resolver *resolver = opened();

	for (size_t i = 0; i < 3; i++) {
		struct resolver_answer answer = asked(resolver, cases[i].host);

		ck_assert_int_eq(answer.err, cases[i].err);
		ck_assert_uint_eq(answer.count, 0);
		ck_assert(answer.why[0]);
		resolver_free_answer(&answer);
	}
	resolver_close(&resolver);
	expect_threads(1);
}
END_TEST

START_TEST(test_one_at_a_time)
{
	struct resolver *resolver = opened();
	struct pollfd poll_fd = { .fd = resolver_fd(resolver), .events = POLLIN };
	struct resolver_answer answer;
	char host[FILTER_HOST_MAX];

	ck_assert_int_eq(resolver_ask(resolver, "hang.test"), 0);
	sem_wait(&hanging);
	ck_assert_int_eq(resolver_ask(resolver, "two.test"), -EBUSY);
	ck_assert(!resolver_take(resolver, host, &answer));
	ck_assert_uint_eq(threads(), 2);
	sem_post(&release);
	ck_assert_int_eq(poll(&poll_fd, 1, 30000), 1);
	ck_assert_int_eq(resolver_ask(resolver, "two.test"), -EBUSY); /* the answer is not taken */
	ck_assert(resolver_take(resolver, host, &answer));
	ck_assert_str_eq(host, "hang.test");
	resolver_free_answer(&answer);
	answer = asked(resolver, "two.test");
	ck_assert_uint_eq(answer.count, 3);
	resolver_free_answer(&answer);
	resolver_close(&resolver);
	expect_threads(1);
}
END_TEST

/* The thread outlives its resolver, and leaves nothing behind. */
START_TEST(test_close_while_it_hangs)
{
	struct resolver *resolver = opened();

	ck_assert_int_eq(resolver_ask(resolver, "hang.test"), 0);
	sem_wait(&hanging);
	resolver_close(&resolver);
	ck_assert_uint_eq(threads(), 2);
	sem_post(&release);
	expect_threads(1);
	/* and an answer that nobody took */
	resolver = opened();
	ck_assert_int_eq(resolver_ask(resolver, "two.test"), 0);
	expect_threads(1);
	resolver_close(&resolver);
}
END_TEST

/* As `mimic run` at SIGTERM: the process ends though the resolver hangs. */
START_TEST(test_exit_while_it_hangs)
{
	struct resolver *resolver = opened();

	ck_assert_int_eq(resolver_ask(resolver, "hang.test"), 0);
	sem_wait(&hanging);
	resolver_close(&resolver);
	exit(0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("resolver");
	TCase *tcase = tcase_create("resolver");
	SRunner *runner = srunner_create(suite);
	int failed;

	sem_init(&hanging, 0, 0);
	sem_init(&release, 0, 0);
	tcase_add_test(tcase, test_answers);
	tcase_add_test(tcase, test_errors);
	tcase_add_test(tcase, test_one_at_a_time);
	tcase_add_test(tcase, test_close_while_it_hangs);
	tcase_add_exit_test(tcase, test_exit_while_it_hangs, 0);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
