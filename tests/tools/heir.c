// SPDX-License-Identifier: GPL-2.0-only
/*
 * heir - a successor that fails: asks a running Mimic to give over to it, and then does something else
 *
 *	heir SOCKET hello	say hello, take what is offered, and no more until killed
 *	heir SOCKET loaded	say loaded, too, and no more once the other one stands still
 *	heir SOCKET quit	end there
 *	heir SOCKET noise	say nothing that means anything
 *
 * Prints on stdout what it hears, a line for each message: its verb, and how many descriptors came with it. READY on stderr when it has
 * come as far as it goes. Ends with 0 when the other side hangs up.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tool.h"

enum {
	FDS_MAX = 32,
};

static int call(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path) >= (int)sizeof(addr.sun_path))
		die("%s is too long", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("%s: %s", path, strerror(errno));
	return fd;
}

static void say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		die("send: %s", strerror(errno));
}

/* Whether there was anything. What comes with it stays open. */
static int hear(int fd)
{
	char text[2048];
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control;
	struct iovec part = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr header = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(fd, &header, 0);
	struct cmsghdr *fds = len > 0 ? CMSG_FIRSTHDR(&header) : NULL;

	if (len <= 0)
		return 0;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	printf("%s %zu\n", text, fds ? (fds->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0);
	fflush(stdout);
	return 1;
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 3)
		die("usage: heir SOCKET hello|loaded|quit|noise");
	fd = call(argv[1]);
	if (!strcmp(argv[2], "noise")) {
		say(fd, "gibberish\n\n");
	} else {
		say(fd, "hello\n");
		if (!hear(fd))
			die("no offer");
		if (strcmp(argv[2], "hello")) {
			say(fd, "loaded\n");
			if (!hear(fd))
				die("no answer to loaded");
		}
	}
	fprintf(stderr, "READY\n");
	while (strcmp(argv[2], "quit") && hear(fd))
		;
	return 0;
}
