/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Settings as text, both ways. Keys and values are those of the command line, of a filter and of
 * the configuration file:
 *
 *	handshake	interval:retry			2:3
 *	keepalive	time:interval:retry:stale	180:10:3:600
 *	padding		0..16 or random			0
 *	max_window	true, yes, 1, false, no, 0	false
 *	pace		fast, fixed or linux		fast; fixed as soon as an interval is given for handshake
 *	guard		reset or silent			reset
 *	ack		0..65535 milliseconds		40
 *	udp		pass or drop			pass
 *
 * Each number is 0..65535, seconds or counts, and may be left out (`5:`, `:2`, `5`, `60:::`): then
 * it is not given, and whatever the patch is applied to keeps its own. All of this is pure.
 */
#ifndef MIMIC_SETTINGS_H
#define MIMIC_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/settings.h"

/* Why a text was refused: one line that names the key, the text and what was expected. */
struct parse_error {
	char text[384];
};

/* Bits of settings_patch.given */
enum settings_field {
	SETTINGS_HANDSHAKE_INTERVAL = 1 << 0,
	SETTINGS_HANDSHAKE_RETRY = 1 << 1,
	SETTINGS_KEEPALIVE_TIME = 1 << 2,
	SETTINGS_KEEPALIVE_INTERVAL = 1 << 3,
	SETTINGS_KEEPALIVE_RETRY = 1 << 4,
	SETTINGS_KEEPALIVE_STALE = 1 << 5,
	SETTINGS_PADDING = 1 << 6,
	SETTINGS_MAX_WINDOW = 1 << 7,
	SETTINGS_PACE = 1 << 8,
	SETTINGS_GUARD = 1 << 9,
	SETTINGS_ACK = 1 << 10,
	SETTINGS_UDP = 1 << 11,
	SETTINGS_ALL = (1 << 12) - 1,
};

/* Some of the settings. Zero-filled, it gives none. */
struct settings_patch {
	uint32_t given; /* enum settings_field */
	struct conn_settings value;
};

enum {
	SETTINGS_TEXT_MAX = 192, /* every text that settings_print*() makes fits, with its NUL */
};

/* Fills @error, if there is one. Returns -EINVAL, so that parsers can return it. */
int settings_refuse(struct parse_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Adds what @text gives for @key to *@patch; on errors *@patch is untouched.
 * Returns 0, -ENOENT when @key is no setting (@error untouched), -EINVAL with *@error filled.
 */
int settings_parse(struct settings_patch *patch, const char *key, const char *text,
		   struct parse_error *error);

/* Reads true, yes, 1, false, no, 0, in any case. Returns 0, or -EINVAL with *@value untouched. */
int settings_parse_bool(const char *text, bool *value);

/* What @over gives replaces or joins what *@patch gives. */
void settings_patch_merge(struct settings_patch *patch, const struct settings_patch *over);

/* What @patch gives replaces that of *@settings. */
void settings_apply(struct conn_settings *settings, const struct settings_patch *patch);

/* Whether plain UDP is to be dropped (udp=drop), by @patch over @base. */
bool settings_drop_udp(const struct conn_settings *base, const struct settings_patch *patch);

/*
 * Writes the value of the setting @key (as in `handshake=2:3`, without key and `=`).
 * Returns the length, or -ENOENT when @key is no setting. @size is at least SETTINGS_TEXT_MAX.
 */
int settings_print_value(char *buf, size_t size, const char *key,
			 const struct conn_settings *settings);

/* Writes all settings, `handshake=2:3,keepalive=...`. Returns the length. */
int settings_print(char *buf, size_t size, const struct conn_settings *settings);

/*
 * Writes only the numbers that differ from @base, `handshake=0:,padding=4`; nothing when none does.
 * Parsed and applied to @base again, the text gives @settings. Returns the length.
 */
int settings_print_diff(char *buf, size_t size, const struct conn_settings *settings,
			const struct conn_settings *base);

/*
 * The keys above, in the order in which they are printed: settings_key(0), (1), ... until NULL.
 */
const char *settings_key(size_t index);

#endif
