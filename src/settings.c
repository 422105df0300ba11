/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "settings.h"
#include "util.h"

enum {
	NUMBERS_MAX = 4,
	NUMBER_MAX = 65535,
};

/* A setting that is a row of numbers with colons between them. */
struct number_row {
	const char *key;
	const char *expected;
	size_t count;
	struct {
		uint32_t field;
		size_t offset; /* in struct conn_settings, of a __u16 */
	} number[NUMBERS_MAX];
};

#define NUMBER(field, member)                                             \
	{                                                                 \
		(field), offsetof(struct conn_settings, member) \
	}

static const struct number_row rows[] = {
	{
		.key = "handshake",
		.expected = "interval:retry, numbers from 0 to 65535 that may be left out (2:3, 5:, :0)",
		.count = 2,
		.number = {
			NUMBER(SETTINGS_HANDSHAKE_INTERVAL, handshake_interval_s),
			NUMBER(SETTINGS_HANDSHAKE_RETRY, handshake_retry),
		},
	},
	{
		.key = "keepalive",
		.expected = "time:interval:retry:stale, numbers from 0 to 65535 that may be left out (180:10:3:600, 60:::)",
		.count = 4,
		.number = {
			NUMBER(SETTINGS_KEEPALIVE_TIME, keepalive_time_s),
			NUMBER(SETTINGS_KEEPALIVE_INTERVAL, keepalive_interval_s),
			NUMBER(SETTINGS_KEEPALIVE_RETRY, keepalive_retry),
			NUMBER(SETTINGS_KEEPALIVE_STALE, keepalive_stale_s),
		},
	},
	{
		.key = "ack",
		.expected = "milliseconds, a number from 0 to 65535",
		.count = 1,
		.number = {
			NUMBER(SETTINGS_ACK, ack_interval_ms),
		},
	},
};

/* A setting that is one of some words. */
struct choice {
	const char *key;
	const char *expected;
	uint32_t field;
	size_t offset;		/* in struct conn_settings, of a __u8 */
	const char *words[4]; /* by value */
};

static const struct choice choices[] = {
	{
		.key = "pace",
		.expected = "fast, fixed or linux",
		.field = SETTINGS_PACE,
		.offset = offsetof(struct conn_settings, pace),
		.words = { [PACE_FAST] = "fast", [PACE_FIXED] = "fixed", [PACE_LINUX] = "linux" },
	},
	{
		.key = "guard",
		.expected = "reset or silent",
		.field = SETTINGS_GUARD,
		.offset = offsetof(struct conn_settings, guard),
		.words = { [GUARD_RESET] = "reset", [GUARD_SILENT] = "silent" },
	},
	{
		.key = "udp",
		.expected = "pass or drop",
		.field = SETTINGS_UDP,
		.offset = offsetof(struct conn_settings, udp),
		.words = { [UDP_PASS] = "pass", [UDP_DROP] = "drop" },
	},
};

static const char *const keys[] = { "handshake", "keepalive", "padding", "max_window", "pace", "guard", "ack", "udp" };

static __u16 *number_at(struct conn_settings *settings, size_t offset)
{
	return (__u16 *)((char *)settings + offset);
}

static __u16 number_of(const struct conn_settings *settings, size_t offset)
{
	return *(const __u16 *)((const char *)settings + offset);
}

static const struct number_row *find_row(const char *key)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!strcmp(rows[i].key, key))
			return &rows[i];
	}
	return NULL;
}

static const struct choice *find_choice(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		if (!strcmp(choices[i].key, key))
			return &choices[i];
	}
	return NULL;
}

static __u8 *choice_at(struct conn_settings *settings, const struct choice *choice)
{
	return (__u8 *)settings + choice->offset;
}

static __u8 choice_of(const struct conn_settings *settings, const struct choice *choice)
{
	return *((const __u8 *)settings + choice->offset);
}

static int parse_choice(struct settings_patch *patch, const struct choice *choice, const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(choice->words) && choice->words[i]; i++) {
		if (strcasecmp(choice->words[i], text))
			continue;
		*choice_at(&patch->value, choice) = (__u8)i;
		patch->given |= choice->field;
		return 0;
	}
	return -EINVAL;
}

const char *settings_key(size_t index)
{
	return index < ARRAY_SIZE(keys) ? keys[index] : NULL;
}

int settings_refuse(struct parse_error *error, const char *format, ...)
{
	va_list args;

	if (error) {
		va_start(args, format);
		vsnprintf(error->text, sizeof(error->text), format, args);
		va_end(args);
	}
	return -EINVAL;
}

/*
 * Reads the digits at *@cursor, up to the next colon or the end, and moves the cursor there.
 * Returns 0, -ENOENT when there are none, -EINVAL when it is no number or above @max.
 */
static int read_number(const char **cursor, unsigned int max, unsigned int *number)
{
	const char *p = *cursor;
	unsigned int n = 0;

	if (!*p || *p == ':')
		return -ENOENT;
	for (; *p && *p != ':'; p++) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		n = n * 10 + (unsigned int)(*p - '0');
		if (n > max)
			return -EINVAL;
	}
	*cursor = p;
	*number = n;
	return 0;
}

static int parse_row(struct settings_patch *patch, const struct number_row *row, const char *text)
{
	struct settings_patch result = *patch;
	unsigned int number;
	size_t i;
	int err;

	if (!*text)
		return -EINVAL;
	for (i = 0; i < row->count; i++) {
		err = read_number(&text, NUMBER_MAX, &number);
		if (err == -EINVAL)
			return err;
		if (!err) {
			*number_at(&result.value, row->number[i].offset) = (__u16)number;
			result.given |= row->number[i].field;
		}
		if (!*text)
			break;
		text++; /* the colon */
		if (i + 1 == row->count)
			return -EINVAL;
	}
	*patch = result;
	return 0;
}

static int parse_padding(struct settings_patch *patch, const char *text)
{
	unsigned int number;

	if (!strcasecmp(text, "random"))
		number = PADDING_RANDOM;
	else if (read_number(&text, PADDING_MAX, &number) || *text)
		return -EINVAL;
	patch->value.padding = (__u8)number;
	patch->given |= SETTINGS_PADDING;
	return 0;
}

int settings_parse_bool(const char *text, bool *value)
{
	static const char *const yes[] = { "true", "yes", "1" };
	static const char *const no[] = { "false", "no", "0" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcasecmp(text, yes[i]) && strcasecmp(text, no[i]))
			continue;
		*value = !strcasecmp(text, yes[i]);
		return 0;
	}
	return -EINVAL;
}

int settings_parse(struct settings_patch *patch, const char *key, const char *text,
		   struct parse_error *error)
{
	const struct number_row *row = find_row(key);
	const struct choice *choice = find_choice(key);
	const char *expected;
	bool flag;
	int err;

	if (row) {
		err = parse_row(patch, row, text);
		expected = row->expected;
	} else if (choice) {
		err = parse_choice(patch, choice, text);
		expected = choice->expected;
	} else if (!strcmp(key, "padding")) {
		err = parse_padding(patch, text);
		expected = "a number from 0 to 16, or random";
	} else if (!strcmp(key, "max_window")) {
		err = settings_parse_bool(text, &flag);
		expected = "true or false";
		if (!err) {
			patch->value.max_window = flag;
			patch->given |= SETTINGS_MAX_WINDOW;
		}
	} else {
		return -ENOENT;
	}
	if (err)
		return settings_refuse(error, "%s: '%.80s' is wrong; expected %s", key, text,
				       expected);
	return 0;
}

/* Copies the settings of @from that @fields names. */
static void copy_fields(struct conn_settings *to, const struct conn_settings *from, uint32_t fields)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		for (j = 0; j < rows[i].count; j++) {
			size_t offset = rows[i].number[j].offset;

			if (fields & rows[i].number[j].field)
				*number_at(to, offset) = number_of(from, offset);
		}
	}
	for (i = 0; i < ARRAY_SIZE(choices); i++) {
		if (fields & choices[i].field)
			*choice_at(to, &choices[i]) = choice_of(from, &choices[i]);
	}
	if (fields & SETTINGS_PADDING)
		to->padding = from->padding;
	if (fields & SETTINGS_MAX_WINDOW)
		to->max_window = from->max_window;
}

void settings_patch_merge(struct settings_patch *patch, const struct settings_patch *over)
{
	copy_fields(&patch->value, &over->value, over->given);
	patch->given |= over->given;
}

void settings_apply(struct conn_settings *settings, const struct settings_patch *patch)
{
	copy_fields(settings, &patch->value, patch->given);
	/* Who gives an interval means it, from the first repetition on. */
	if (patch->given & SETTINGS_HANDSHAKE_INTERVAL && !(patch->given & SETTINGS_PACE))
		settings->pace = PACE_FIXED;
}

bool settings_drop_udp(const struct conn_settings *base, const struct settings_patch *patch)
{
	struct conn_settings settings = *base;

	settings_apply(&settings, patch);
	return settings.udp == UDP_DROP;
}

static void print_padding(char *buf, size_t size, __u8 padding)
{
	if (padding == PADDING_RANDOM)
		snprintf(buf, size, "random");
	else
		snprintf(buf, size, "%u", padding);
}

/* With a base, numbers that are the same there are left out; NULL: none is. */
static int print_row(char *buf, size_t size, const struct number_row *row,
		     const struct conn_settings *settings, const struct conn_settings *base)
{
	int used = 0;
	size_t i;

	buf[0] = '\0';
	for (i = 0; i < row->count; i++) {
		size_t offset = row->number[i].offset;
		__u16 number = number_of(settings, offset);

		if (i > 0)
			used += snprintf(buf + used, size - (size_t)used, ":");
		if (!base || number != number_of(base, offset))
			used += snprintf(buf + used, size - (size_t)used, "%u", number);
	}
	return used;
}

int settings_print_value(char *buf, size_t size, const char *key,
			 const struct conn_settings *settings)
{
	const struct number_row *row = find_row(key);
	const struct choice *choice = find_choice(key);

	if (row)
		return print_row(buf, size, row, settings, NULL);
	if (choice)
		snprintf(buf, size, "%s", choice->words[choice_of(settings, choice)]);
	else if (!strcmp(key, "padding"))
		print_padding(buf, size, settings->padding);
	else if (!strcmp(key, "max_window"))
		snprintf(buf, size, "%s", settings->max_window ? "true" : "false");
	else
		return -ENOENT;
	return (int)strlen(buf);
}

static bool same_value(const char *key, const struct conn_settings *a,
		       const struct conn_settings *b)
{
	char text_a[SETTINGS_TEXT_MAX], text_b[SETTINGS_TEXT_MAX];

	settings_print_value(text_a, sizeof(text_a), key, a);
	settings_print_value(text_b, sizeof(text_b), key, b);
	return !strcmp(text_a, text_b);
}

/* Whether the pace is what settings_apply() makes of the interval, so that it needs not be said. */
static bool pace_is_implied(const struct conn_settings *settings, const struct conn_settings *base)
{
	bool interval_is_said = settings->handshake_interval_s != base->handshake_interval_s;

	if (!settings->handshake_interval_s && interval_is_said) /* a passive side has none */
		return true;
	return settings->pace == (interval_is_said ? PACE_FIXED : base->pace);
}

int settings_print_diff(char *buf, size_t size, const struct conn_settings *settings,
			const struct conn_settings *base)
{
	int used = 0;
	size_t i;

	buf[0] = '\0';
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct number_row *row = find_row(keys[i]);
		char value[SETTINGS_TEXT_MAX];

		if (base && !strcmp(keys[i], "pace") ? pace_is_implied(settings, base) :
						       base && same_value(keys[i], settings, base))
			continue;
		if (row)
			print_row(value, sizeof(value), row, settings, base);
		else
			settings_print_value(value, sizeof(value), keys[i], settings);
		used += snprintf(buf + used, size - (size_t)used, "%s%s=%s", used ? "," : "",
				 keys[i], value);
	}
	return used;
}

int settings_print(char *buf, size_t size, const struct conn_settings *settings)
{
	return settings_print_diff(buf, size, settings, NULL);
}
