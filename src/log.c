/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

enum {
	LINE_MAX_BYTES = 2048,
};

static const struct {
	const char *name;
	const char *colour;
	char priority; /* of syslog(3), as sd-daemon(3) has it */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", "\033[1;31m", '3' },
	[LOG_LEVEL_WARN] = { "warn", "\033[1;33m", '4' },
	[LOG_LEVEL_INFO] = { "info", "\033[1;32m", '6' },
	[LOG_LEVEL_DEBUG] = { "debug", "\033[1;34m", '7' },
	[LOG_LEVEL_TRACE] = { "trace", "\033[1;35m", '7' },
};

static enum log_level shown = LOG_LEVEL_INFO;

void log_set_level(int level)
{
	if (level < LOG_LEVEL_ERROR)
		level = LOG_LEVEL_ERROR;
	if (level > LOG_LEVEL_TRACE)
		level = LOG_LEVEL_TRACE;
	shown = (enum log_level)level;
}

enum log_level log_get_level(void)
{
	return shown;
}

bool log_shows(enum log_level level)
{
	return level <= shown;
}

int log_level_parse(const char *text, enum log_level *level)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(levels); i++) {
		bool is_number = text[0] == (char)('0' + i) && !text[1];

		if (is_number || !strcasecmp(text, levels[i].name)) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* JOURNAL_STREAM names the file that the journal gave to the service: stderr, unless redirected. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2 || fstat(STDERR_FILENO, &st))
		return false;
	return st.st_dev == dev && st.st_ino == ino;
}

bool log_wants_colour(int fd)
{
	const char *no_color = getenv("NO_COLOR");

	return !(no_color && *no_color) && isatty(fd);
}

static void write_all(const char *text, size_t length)
{
	while (length > 0) {
		ssize_t n = write(STDERR_FILENO, text, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* there is nobody left to tell */
		text += n;
		length -= (size_t)n;
	}
}

static void write_line(enum log_level level, const char *suffix, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

/* Keeps errno, so that a caller may log first and return -errno then. */
static void write_line(enum log_level level, const char *suffix, const char *format, va_list args)
{
	const char *name = levels[level].name;
	char line[LINE_MAX_BYTES];
	size_t used, room;
	int saved = errno;
	int n;

	if (stderr_is_journal())
		n = snprintf(line, sizeof(line), "<%c>", levels[level].priority);
	else if (log_wants_colour(STDERR_FILENO))
		n = snprintf(line, sizeof(line), "%s%s:\033[0m ", levels[level].colour, name);
	else
		n = snprintf(line, sizeof(line), "%s: ", name);
	used = (size_t)n;

	room = sizeof(line) - used - strlen(suffix) - 1; /* one for the newline, in place of NUL */
	errno = saved;					 /* for %m */
	n = vsnprintf(line + used, room, format, args);
	if (n > 0)
		used += (size_t)n < room ? (size_t)n : room - 1;
	used += (size_t)snprintf(line + used, sizeof(line) - used, "%s", suffix);
	line[used++] = '\n';
	write_all(line, used);
	errno = saved;
}

void log_write(enum log_level level, const char *format, ...)
{
	va_list args;

	if (!log_shows(level))
		return;
	va_start(args, format);
	write_line(level, "", format, args);
	va_end(args);
}

bool log_rate_due(struct log_rate *rate, uint64_t now_ns)
{
	if (now_ns < rate->next_ns) {
		rate->suppressed++;
		return false;
	}
	rate->next_ns = now_ns + rate->interval_ns;
	return true;
}

void log_rate_limited(struct log_rate *rate, enum log_level level, const char *format, ...)
{
	char suffix[64] = "";
	struct timespec now;
	va_list args;

	if (!log_shows(level))
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!log_rate_due(rate, (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec))
		return;
	if (rate->suppressed)
		snprintf(suffix, sizeof(suffix), " (and %llu more like it)",
			 (unsigned long long)rate->suppressed);
	rate->suppressed = 0;
	va_start(args, format);
	write_line(level, suffix, format, args);
	va_end(args);
}
