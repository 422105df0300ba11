/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages for people, on stderr, one line each, written with one write(2) so that lines of several
 * processes do not mix. Colour only on a terminal without NO_COLOR. When stderr is the journal
 * (JOURNAL_STREAM, sd-daemon(3)) every line begins with its priority, `<3>` to `<7>`.
 *
 * A line that stderr does not take in time is lost, and counted; the next one that it takes says how many were.
 *
 * A library function reports by its return value; a message is logged once, where a command or the
 * daemon decides what to do about it. Not for use in signal handlers.
 */
#ifndef MIMIC_LOG_H
#define MIMIC_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR = 0, /* always shown */
	LOG_LEVEL_WARN = 1,
	LOG_LEVEL_INFO = 2, /* the default */
	LOG_LEVEL_DEBUG = 3,
	LOG_LEVEL_TRACE = 4,
};

/* Shows messages up to @level; values outside of the range are clamped. */
void log_set_level(int level);
enum log_level log_get_level(void);

/* True when a message of @level would be shown: for messages that cost something to make. */
bool log_shows(enum log_level level);

/*
 * Reads `0`..`4` or `error`, `warn`, `info`, `debug`, `trace`.
 * Returns 0, or -EINVAL with *@level untouched.
 */
int log_level_parse(const char *text, enum log_level *level);

/* Whether text on @fd gets colours: it is a terminal, and NO_COLOR is unset or empty. */
bool log_wants_colour(int fd);

/* How long a line may wait for stderr (poll(2)); -1, at first: until it is taken. Nothing waits behind a line that is lost. */
void log_set_patience(int ms);

/* Says how many lines are lost, if some are and stderr takes lines again. For whoever may have nothing else to say for long. */
void log_flush(void);

/* @format has no newline at its end; one line of at most 2 KiB results, longer ones are cut. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_trace(...) log_write(LOG_LEVEL_TRACE, __VA_ARGS__)

/* One kind of message that may become frequent. Starts as LOG_RATE_INIT(seconds). */
struct log_rate {
	uint64_t interval_ns; /* at most one message in this time */
	uint64_t next_ns;     /* CLOCK_MONOTONIC: silent until then; 0: not used yet */
	uint64_t suppressed;  /* since the last one that was shown */
};

#define LOG_RATE_INIT(seconds)                           \
	{                                                \
		.interval_ns = 1000000000ULL * (seconds) \
	}

/* Says whether a message is due at @now_ns, and counts it as suppressed if not. Pure. */
bool log_rate_due(struct log_rate *rate, uint64_t now_ns);

/* Like log_write(), at most once in the interval, and says how many were left out since. */
void log_rate_limited(struct log_rate *rate, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * One kind of event that others may cause, of which each line tells something new. The first `max` of an interval are shown,
 * the rest only at level debug. Starts as LOG_BURST_INIT(max, seconds, what they are).
 */
struct log_burst {
	uint64_t interval_ns;
	uint64_t max;
	const char *what;  /* for "... and 17 more ..." */
	uint64_t begin_ns; /* of the interval, if there was an event in it */
	uint64_t count;	   /* events of the interval; 0: there is no interval */
};

#define LOG_BURST_INIT(max_, seconds, what_)                                                    \
	{                                                                                       \
		.interval_ns = 1000000000ULL * (seconds), .max = (max_), .what = (what_)        \
	}

/* Logs an event at level info or debug. @now_ns is of any clock that does not run back. */
void log_burst(struct log_burst *burst, uint64_t now_ns, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Says how many were not shown, if the interval is over. To be called now and then. */
void log_burst_end(struct log_burst *burst, uint64_t now_ns);

#endif
