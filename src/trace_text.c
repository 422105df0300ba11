// SPDX-License-Identifier: GPL-2.0-only
#include "trace_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "filter.h"
#include "reasons.h"

bool trace_text_matches(const struct trace_filter *filter, const struct mimic_trace *record)
{
	__be16 port = host_to_be16(filter->port);

	if (filter->port && record->key.local_port != port && record->key.remote_port != port)
		return false;
	return !filter->has_peer || !memcmp(&filter->peer, &record->key.remote, sizeof(filter->peer));
}

static const char *trace_verdict(__u8 verdict)
{
	static const char *const names[] = {
		[VERDICT_PASS] = "pass", [VERDICT_DROP] = "drop", [VERDICT_HOLD] = "hold", [VERDICT_CONSUME] = "consume", [VERDICT_WAIT] = "wait",
	};

	return verdict < sizeof(names) / sizeof(names[0]) ? names[verdict] : "unknown";
}

/* `[S.]`, with tcpdump's letters. */
static void trace_print_flags(char *text, __u8 flags)
{
	static const struct {
		__u8 flag;
		char letter;
	} letters[] = { { TCP_SYN, 'S' }, { TCP_FIN, 'F' }, { TCP_RST, 'R' }, { TCP_PSH, 'P' }, { TCP_ACK, '.' } };

	*text++ = '[';
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (flags & letters[i].flag)
			*text++ = letters[i].letter;
	*text++ = ']';
	*text = '\0';
}

struct trace_start {
	char time[32], local[FILTER_ENDPOINT_MAX], remote[FILTER_ENDPOINT_MAX];
};

static void trace_print_start(struct trace_start *start, const struct mimic_trace *record, uint64_t offset_ns)
{
	uint64_t now_ns = record->now_ns + offset_ns;
	time_t seconds = (time_t)(now_ns / NSEC_PER_SEC);
	struct tm tm;
	size_t used = strftime(start->time, sizeof(start->time), "%H:%M:%S", localtime_r(&seconds, &tm));

	snprintf(start->time + used, sizeof(start->time) - used, ".%06u", (unsigned)(now_ns % NSEC_PER_SEC / 1000));
	filter_print_endpoint(start->local, sizeof(start->local), &record->key.local, record->key.local_port);
	filter_print_endpoint(start->remote, sizeof(start->remote), &record->key.remote, record->key.remote_port);
}

/* What got no numbers has none to show. */
static void trace_text_packet(char *line, const struct trace_start *start, const struct mimic_trace *record)
{
	const char *reason = record->reason < REASON_COUNT ? reason_name((enum reason)record->reason) : "unknown";
	const char *way = record->direction == TRACE_IN ? "in " : "out";
	char flags[16];

	trace_print_flags(flags, record->flags);
	if (record->direction == TRACE_OUT && record->verdict != VERDICT_PASS)
		snprintf(line, TRACE_LINE_MAX, "%s %s %s %s [] seq - ack - win - len %u %s %s", start->time, way, start->local,
			 start->remote, record->payload_len, trace_verdict(record->verdict), reason);
	else
		snprintf(line, TRACE_LINE_MAX, "%s %s %s %s %s seq %u ack %u win %u len %u %s %s", start->time, way, start->local,
			 start->remote, flags, record->seq, record->ack, record->window, record->payload_len,
			 trace_verdict(record->verdict), reason);
}

/* A SYN's window is made by the daemon (control_build()). */
static unsigned trace_reply_window(const struct mimic_trace *record, const struct reply *reply, uint32_t mtu)
{
	__u32 headers = TCP_HEADER_LEN + (addr_is_ipv4(&record->key.local) ? 20 : 40);

	if (!(reply->flags & TCP_SYN) || record->window_scale == CONN_WINDOW_SCALE_MAX)
		return reply->window;
	return tcpopt_syn_window((__u16)(mtu - headers));
}

size_t trace_text_print(char lines[TRACE_LINES_MAX][TRACE_LINE_MAX], const struct mimic_trace *record, uint64_t offset_ns, uint32_t mtu)
{
	struct trace_start start;
	size_t count = 0;
	char flags[16];

	trace_print_start(&start, record, offset_ns);
	if (record->direction != TRACE_NONE)
		trace_text_packet(lines[count++], &start, record);
	for (int i = 0; i < CONN_REPLIES; i++) {
		const struct reply *reply = &record->reply[i];

		if (!reply->flags)
			continue;
		trace_print_flags(flags, reply->flags);
		snprintf(lines[count++], TRACE_LINE_MAX, "%s out %s %s %s seq %u ack %u win %u len %u send tx_control", start.time,
			 start.local, start.remote, flags, reply->seq, reply->ack, trace_reply_window(record, reply, mtu), reply->payload_len);
	}
	return count;
}
