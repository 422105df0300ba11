// SPDX-License-Identifier: GPL-2.0-only
/* What both sides of a takeover know: messages, and the path of the socket. */
#include "takeover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "takeover_wire.h"
#include "util.h"

int takeover_path(char *buf, size_t size, const char *lock)
{
	static const char ending[] = ".lock";
	size_t len = strlen(lock);
	int n;

	if (len < sizeof(ending) || strcmp(lock + len - (sizeof(ending) - 1), ending))
		return -EINVAL;
	n = snprintf(buf, size, "%.*s.sock", (int)(len - (sizeof(ending) - 1)), lock);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* One line, without its newline, into @word. Returns how much of @text that was, or 0. */
static size_t takeover_parse_word(char *word, const char *text, size_t len)
{
	const char *end = memchr(text, '\n', len);
	size_t word_len = end ? (size_t)(end - text) : 0;

	if (!word_len || word_len >= TAKEOVER_WORD_MAX || memchr(text, '\0', word_len))
		return 0;
	memcpy(word, text, word_len);
	word[word_len] = '\0';
	return word_len + 1;
}

int takeover_parse(struct takeover_message *message, const char *text, size_t len)
{
	size_t done = takeover_parse_word(message->verb, text, len);

	message->count = 0;
	if (!done)
		return -EPROTO;
	while (done < len) {
		size_t word_len;

		if (message->count == TAKEOVER_FDS_MAX)
			return -EPROTO;
		word_len = takeover_parse_word(message->names[message->count], text + done, len - done);
		if (!word_len)
			return -EPROTO;
		done += word_len;
		message->count++;
	}
	return 0;
}

size_t takeover_print(char *text, const struct takeover_message *message)
{
	size_t len = strlen(message->verb);

	memcpy(text, message->verb, len);
	text[len++] = '\n';
	for (size_t i = 0; i < message->count; i++) {
		size_t word_len = strlen(message->names[i]);

		memcpy(text + len, message->names[i], word_len);
		len += word_len;
		text[len++] = '\n';
	}
	return len;
}

void takeover_add(struct takeover_message *message, const char *name, int fd)
{
	if (fd < 0 || message->count == TAKEOVER_FDS_MAX)
		return;
	snprintf(message->names[message->count], sizeof(message->names[0]), "%s", name);
	message->fds[message->count++] = fd;
}

int takeover_take(struct takeover_message *message, const char *name)
{
	for (size_t i = 0; i < message->count; i++) {
		if (!strcmp(message->names[i], name))
			return TAKE_FD(message->fds[i]);
	}
	return -1;
}

void takeover_drop(struct takeover_message *message)
{
	for (size_t i = 0; i < message->count; i++)
		util_close_fd(&message->fds[i]);
	message->count = 0;
}
