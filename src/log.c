/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
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
	TRIES_MAX = 1000, /* of a millisecond, to write where poll() says there is room */
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
static int patience_ms = -1;	/* -1: no end */
static uint64_t lost;		/* lines, since the last one that could be written */
static bool torn;		/* the last one could be written in part only */

_Static_assert(LINE_MAX_BYTES < PIPE_BUF, "a pipe that poll() calls writable takes as much at once");

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

/*
 * A terminal that poll() calls writable may have room for a part of a line only, and another writer may be faster on a pipe.
 * So both are opened once more, as a description of our own that never waits: O_NONBLOCK on that of stderr would
 * be the problem of all who share it. -1: stderr is something else, or cannot be opened.
 */
static int open_stderr_again(void)
{
	struct pollfd now = { .fd = STDERR_FILENO };
	struct stat st;

	if (fstat(STDERR_FILENO, &st) || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		return -1;
	/* Of a terminal that was hung up another session may be the user by now. */
	if (poll(&now, 1, 0) < 0 || now.revents & (POLLHUP | POLLERR | POLLNVAL))
		return -1;
	return open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Returns whether stderr took all of it within the patience that there is. */
static bool write_text(const char *text, size_t length)
{
	_cleanup_close_ int own = open_stderr_again();
	struct pollfd room = { .fd = own >= 0 ? own : STDERR_FILENO, .events = POLLOUT };
	int tries = 0;

	while (length > 0) {
		/* Nothing waits behind a line that is lost. */
		int ready = poll(&room, 1, lost ? 0 : patience_ms);
		ssize_t n = -1;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready > 0 && room.revents & POLLOUT)
			n = write(room.fd, text, length);
		if (n < 0 && ready > 0 && patience_ms && !lost && (errno == EINTR || errno == EAGAIN) && tries++ < TRIES_MAX) {
			poll(NULL, 0, 1); /* another writer was faster, or a terminal has room for a part only */
			continue;
		}
		if (n <= 0)
			return false;
		text += n;
		length -= (size_t)n;
		torn = length > 0;
	}
	return true;
}

static size_t make_line(char *line, enum log_level level, const char *suffix, const char *format, va_list args)
	__attribute__((format(printf, 4, 0)));

/* Fills LINE_MAX_BYTES at most, without a NUL. Returns the length. */
static size_t make_line(char *line, enum log_level level, const char *suffix, const char *format, va_list args)
{
	const char *name = levels[level].name, *begin = torn ? "\n" : "";
	int saved = errno, n;
	size_t used, room;

	if (stderr_is_journal())
		n = snprintf(line, LINE_MAX_BYTES, "%s<%c>", begin, levels[level].priority);
	else if (log_wants_colour(STDERR_FILENO))
		n = snprintf(line, LINE_MAX_BYTES, "%s%s%s:\033[0m ", begin, levels[level].colour, name);
	else
		n = snprintf(line, LINE_MAX_BYTES, "%s%s: ", begin, name);
	used = (size_t)n;

	room = LINE_MAX_BYTES - used - strlen(suffix) - 1; /* one for the newline, in place of NUL */
	errno = saved;					   /* for %m */
	n = vsnprintf(line + used, room, format, args);
	if (n > 0)
		used += (size_t)n < room ? (size_t)n : room - 1;
	used += (size_t)snprintf(line + used, LINE_MAX_BYTES - used, "%s", suffix);
	line[used++] = '\n';
	return used;
}

static void write_line(enum log_level level, const char *suffix, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

/* Keeps errno, so that a caller may log first and return -errno then. */
static void write_line(enum log_level level, const char *suffix, const char *format, va_list args)
{
	char line[LINE_MAX_BYTES];
	int saved = errno;

	log_flush();
	errno = saved;
	if (lost || !write_text(line, make_line(line, level, suffix, format, args)))
		lost++;
	errno = saved;
}

static bool write_loss(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool write_loss(const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	size_t length;
	va_list args;

	va_start(args, format);
	length = make_line(line, LOG_LEVEL_WARN, "", format, args);
	va_end(args);
	return write_text(line, length);
}

void log_flush(void)
{
	if (lost && write_loss("%llu messages are lost, which nobody took from stderr in time", (unsigned long long)lost))
		lost = 0;
}

void log_set_patience(int ms)
{
	patience_ms = ms;
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

/* Each interval begins with the first event after the end of the last one. */
static bool burst_due(struct log_burst *burst, uint64_t now_ns)
{
	log_burst_end(burst, now_ns);
	if (!burst->count)
		burst->begin_ns = now_ns;
	return burst->count++ < burst->max;
}

void log_burst(struct log_burst *burst, uint64_t now_ns, const char *format, ...)
{
	enum log_level level = burst_due(burst, now_ns) ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
	va_list args;

	if (!log_shows(level))
		return;
	va_start(args, format);
	write_line(level, "", format, args);
	va_end(args);
}

void log_burst_end(struct log_burst *burst, uint64_t now_ns)
{
	if (!burst->count || now_ns - burst->begin_ns < burst->interval_ns)
		return;
	if (burst->count > burst->max && !log_shows(LOG_LEVEL_DEBUG))
		log_info("... and %llu more %s", (unsigned long long)(burst->count - burst->max), burst->what);
	burst->count = 0;
}
