/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mimic show: whatever is in a lock file and in the maps that it names, both forms of output are whole, and no line is another's
 * timeout: 700
 *
 * Input: the lock file up to a zero byte; what happens when its maps are opened; which allocation of the document fails; counters;
 * connections.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <jansson.h>

#include "file.h"
#include "log.h"

/* What is logged about bad files would be all that one sees. */
#undef log_error
#undef log_warn
#define log_error(...) ((void)0)
#define log_warn(...)  ((void)0)

static int open_map(__u32 id);
#define bpf_map_get_fd_by_id open_map
#include "cmd_show.c"
#include "report_json.c"
#include "runfile.c"
#undef bpf_map_get_fd_by_id

enum {
	CONNS_MAX = 4,
};

static struct {
	const uint8_t *lockfile;
	size_t lockfile_len;
	uint32_t allocations_left; /* 0: none fails */
	int map_error, conns_error;
	uint64_t counter;
	struct conn_key keys[CONNS_MAX];
	struct mimic_conn values[CONNS_MAX];
	size_t count;
} world;

static void *allocate(size_t size)
{
	return world.allocations_left && !--world.allocations_left ? NULL : malloc(size);
}

/* In place of the kernel. */
static int open_map(__u32 id)
{
	claim(id);
	return world.map_error ? -world.map_error : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* In place of src/datapath.c. */
uint64_t datapath_counter(int counters_fd, enum reason reason)
{
	claim(counters_fd >= 0 && reason > REASON_NONE && reason < REASON_COUNT);
	return world.counter * reason;
}

/* In place of src/clock.c. */
uint64_t clock_now_ns(void)
{
	return world.counter;
}

/* In place of src/instance.c. */
int instance_find(const char *ifname, struct run_info *info)
{
	claim(ifname[0]);
	return read_info(fuzz_file(world.lockfile, world.lockfile_len), info);
}

int instance_read_conns(const struct run_info *info, struct instance_conns *conns)
{
	claim(info->datapath[0]);
	if (world.conns_error)
		return -world.conns_error;
	conns->keys = world.keys;
	conns->values = world.values;
	conns->count = world.count;
	return 0;
}

void instance_free_conns(struct instance_conns *conns)
{
	*conns = (struct instance_conns){ 0 };
}

/* What is printed, the caller's to free. */
static char *show(bool json, bool process, bool connections, int *err)
{
	struct args_show args = { .ifname = "eth0", .json = json, .process = process, .connections = connections };
	FILE *saved = stdout;
	char *text = NULL;
	size_t length;

	stdout = open_memstream(&text, &length);
	claim(stdout);
	*err = cmd_show(&args);
	claim(!fclose(stdout));
	stdout = saved;
	claim(strlen(text) == length);
	return text;
}

static size_t count_lines(const char *text, const char *beginning)
{
	size_t count = 0;

	while (text) {
		count += !strncmp(text, beginning, strlen(beginning));
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return count;
}

static void check_text(const struct run_info *info)
{
	bool known = info->datapath[0];
	size_t filters = info->filter_count;
	char *text;
	int err;

	text = show(false, true, true, &err);
	claim_eq(count_lines(text, "Mimic running on eth0\n"), 1);
	claim_eq(count_lines(text, "Mimic running"), 1);
	claim_eq(count_lines(text, "- PID: "), 1);
	claim_eq(count_lines(text, "- Settings: "), 1);
	claim_eq(count_lines(text, "- Filter: "), filters || !known ? filters : 1);
	claim_eq(count_lines(text, "- Packets: "),
		 info->counters_id && world.counter && !world.map_error ? REASON_COUNT - 1 : 0);
	if (!err && known)
		claim_eq(count_lines(text, "Connection "), world.count ? world.count : 1);
	else
		claim_eq(count_lines(text, "Connection "), 0);
	claim_eq(count_lines(text, "- State: "), !err && known ? world.count : 0);
	free(text);
	text = show(false, false, true, &err);
	claim_eq(count_lines(text, "Mimic running"), 0);
	free(text);
	text = show(false, true, false, &err);
	claim_eq(count_lines(text, "Connection "), 0);
	free(text);
	for (__u8 state = 0; state <= CONN_CLOSED; state++)
		claim(state_text(state)[0] && report_state(state)[0]);
}

static bool is_ascii(const char *text)
{
	while (*text > 0)
		text++;
	return !*text;
}

/* Without other letters there is a document in any case. */
static void check_json(const struct run_info *info, const char *lockfile)
{
	bool may_fail = world.allocations_left || world.map_error == EPERM || world.conns_error || !is_ascii(lockfile);
	bool failed = world.allocations_left;
	json_t *root, *part;
	char *text;
	int err;

	text = show(true, true, true, &err);
	failed = failed && !world.allocations_left;
	world.allocations_left = 0;
	claim(!err || (may_fail && (failed || !text[0])));
	if (err || failed) { /* perhaps less is in it then, but no half of a document */
		root = err ? NULL : json_loads(text, 0, NULL);
		claim(err || root);
		json_decref(root);
		free(text);
		return;
	}
	root = json_loads(text, 0, NULL);
	claim(root);
	claim_eq((unsigned long long)json_integer_value(json_object_get(root, "pid")), (unsigned long long)info->pid);
	part = json_object_get(root, "filters");
	claim(info->datapath[0] ? json_array_size(part) == info->filter_count : json_is_null(part));
	for (size_t i = 0; i < json_array_size(part); i++)
		claim(json_is_string(json_object_get(json_array_get(part, i), "filter")));
	part = json_object_get(root, "connections");
	claim(info->datapath[0] ? json_array_size(part) == world.count : json_is_null(part));
	part = json_object_get(root, "counters");
	claim(info->counters_id && !world.map_error ? json_object_size(part) == REASON_COUNT - 1 : json_is_null(part));
	claim(json_object_size(json_object_get(root, "settings")) == 8);
	json_decref(root);
	free(text);
}

static void read_conns(struct fuzz *in)
{
	world.count = fuzz_u8(in) % (CONNS_MAX + 1);
	for (size_t i = 0; i < world.count; i++) {
		struct conn *c = &world.values[i].c;

		memset(c, fuzz_u8(in), sizeof(*c));
		c->state = fuzz_u8(in) % (CONN_CLOSED + 2);
		c->established_ns = fuzz_u8(in);
		fuzz_fill(in, &world.keys[i], sizeof(world.keys[i]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int errors[] = { 0, 0, EPERM, ENOENT };
	struct fuzz in = { data, data + size };
	struct run_info info;
	char *lockfile = fuzz_text(&in);
	size_t len = strlen(lockfile);
	uint8_t how;
	uint16_t fails;

	setenv("NO_COLOR", "1", 1);
	json_set_alloc_funcs(allocate, free);
	in.at = len < size ? data + len + 1 : data + size;
	how = fuzz_u8(&in);
	world.map_error = errors[how & 3];
	world.conns_error = errors[how >> 2 & 3];
	fails = fuzz_u8(&in) ? fuzz_u16(&in) : 0;
	world.counter = fuzz_u8(&in) ? fuzz_u32(&in) : 0;
	read_conns(&in);
	world.lockfile = data;
	world.lockfile_len = len;
	claim(!instance_find("eth0", &info));
	check_text(&info);
	world.allocations_left = fails;
	check_json(&info, lockfile);
	runfile_free_info(&info);
	free(lockfile);
	return 0;
}
