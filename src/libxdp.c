// SPDX-License-Identifier: GPL-2.0-only
#include "libxdp.h"

#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "util.h"

#define LIBXDP_LIBRARY "libxdp.so.1"

/* What of xdp/libxdp.h is used, by its names there: the ABI of LIBXDP_1.3.0. */
struct xdp_program;
struct xdp_multiprog;

enum {
	LIBXDP_MODE_NATIVE = 1, /* enum xdp_attach_mode */
	LIBXDP_MODE_SKB = 2,
	LIBXDP_PROGRAMS_MAX = 16, /* a dispatcher has 10 */
};

struct libxdp_program_opts {
	size_t size; /* of what the library may read */
	struct bpf_object *object;
	struct bpf_object_open_opts *opts;
	const char *program;
	const char *find_filename, *open_filename, *pin_path;
	__u32 id;
	int fd;
};

typedef int (*libxdp_print)(enum libbpf_print_level level, const char *format, va_list args);

/* The functions of the library; all or none. */
static struct {
	void *library;
	struct xdp_program *(*create)(struct libxdp_program_opts *opts);
	void (*close)(struct xdp_program *program);
	int (*attach)(struct xdp_program *program, int ifindex, int mode, unsigned int flags);
	int (*detach)(struct xdp_program *program, int ifindex, int mode, unsigned int flags);
	const char *(*name)(const struct xdp_program *program);
	int (*fd)(const struct xdp_program *program);
	long (*get_error)(const void *pointer);
	libxdp_print (*set_print)(libxdp_print print);
	struct xdp_multiprog *(*all)(int ifindex);
	struct xdp_program *(*next)(const struct xdp_program *program, const struct xdp_multiprog *all);
	int (*mode)(const struct xdp_multiprog *all);
	bool (*alone)(const struct xdp_multiprog *all); /* there is no dispatcher */
	void (*close_all)(struct xdp_multiprog *all);
} libxdp_calls;

static const struct {
	const char *name;
	size_t offset; /* of a pointer in libxdp_calls */
} libxdp_symbols[] = {
	{ "xdp_program__create", offsetof(__typeof__(libxdp_calls), create) },
	{ "xdp_program__close", offsetof(__typeof__(libxdp_calls), close) },
	{ "xdp_program__attach", offsetof(__typeof__(libxdp_calls), attach) },
	{ "xdp_program__detach", offsetof(__typeof__(libxdp_calls), detach) },
	{ "xdp_program__name", offsetof(__typeof__(libxdp_calls), name) },
	{ "xdp_program__fd", offsetof(__typeof__(libxdp_calls), fd) },
	{ "libxdp_get_error", offsetof(__typeof__(libxdp_calls), get_error) },
	{ "libxdp_set_print", offsetof(__typeof__(libxdp_calls), set_print) },
	{ "xdp_multiprog__get_from_ifindex", offsetof(__typeof__(libxdp_calls), all) },
	{ "xdp_multiprog__next_prog", offsetof(__typeof__(libxdp_calls), next) },
	{ "xdp_multiprog__attach_mode", offsetof(__typeof__(libxdp_calls), mode) },
	{ "xdp_multiprog__is_legacy", offsetof(__typeof__(libxdp_calls), alone) },
	{ "xdp_multiprog__close", offsetof(__typeof__(libxdp_calls), close_all) },
};

/* The library's own words are for those who ask. */
__attribute__((format(printf, 2, 0))) static int libxdp_say(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[1024];

	(void)level;
	if (!log_shows(LOG_LEVEL_DEBUG))
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s", line);
	return 0;
}

int libxdp_open(const char **why)
{
	void *library = libxdp_calls.library ? NULL : dlopen(LIBXDP_LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (libxdp_calls.library)
		return 0;
	if (!library) {
		*why = "libxdp is not installed (" LIBXDP_LIBRARY ")";
		return -ENOENT;
	}
	for (size_t i = 0; i < ARRAY_SIZE(libxdp_symbols); i++) {
		void *function = dlsym(library, libxdp_symbols[i].name);

		if (!function) {
			dlclose(library);
			*why = "the installed libxdp is older than 1.3";
			return -ENOSYS;
		}
		memcpy((char *)&libxdp_calls + libxdp_symbols[i].offset, &function, sizeof(function));
	}
	libxdp_calls.library = library;
	libxdp_calls.set_print(libxdp_say);
	return 0;
}

/* Without a dispatcher the library attaches a program alone, by a way that outlives this process, and calls it a success. */
static bool libxdp_is_shared(int ifindex)
{
	struct xdp_multiprog *all = libxdp_calls.all(ifindex);
	bool shared;

	if (libxdp_calls.get_error(all))
		return false;
	shared = !libxdp_calls.alone(all);
	libxdp_calls.close_all(all);
	return shared;
}

static int libxdp_mode(bool native)
{
	return native ? LIBXDP_MODE_NATIVE : LIBXDP_MODE_SKB;
}

int libxdp_attach(struct libxdp *libxdp, struct bpf_object *object, int ifindex, bool native)
{
	struct libxdp_program_opts opts = { .size = sizeof(opts), .object = object, .program = LIBXDP_PROGRAM };
	struct xdp_program *program = libxdp_calls.create(&opts);
	int err = (int)libxdp_calls.get_error(program);

	if (!err) {
		err = libxdp_calls.attach(program, ifindex, libxdp_mode(native), 0);
		if (!err && !libxdp_is_shared(ifindex)) {
			libxdp_calls.detach(program, ifindex, libxdp_mode(native), 0);
			err = -ENOPKG;
		}
		if (err)
			libxdp_calls.close(program);
	}
	if (err) {
		bpf_object__close(object);
		return err;
	}
	*libxdp = (struct libxdp){ .program = program, .object = object, .ifindex = ifindex, .native = native };
	return 0;
}

int libxdp_fd(const struct libxdp *libxdp)
{
	return libxdp_calls.fd(libxdp->program);
}

int libxdp_detach(struct libxdp *libxdp)
{
	int err;

	if (!libxdp->program)
		return 0;
	err = libxdp_calls.detach(libxdp->program, libxdp->ifindex, libxdp_mode(libxdp->native), 0);
	libxdp_calls.close(libxdp->program);
	bpf_object__close(libxdp->object);
	*libxdp = (struct libxdp){ 0 };
	return err;
}

/* Takes one program of ours off, the first that is found. 1, 0: there is none; or -errno. */
static int libxdp_clear_one(int ifindex)
{
	struct xdp_multiprog *all = libxdp_calls.all(ifindex);
	struct xdp_program *program = NULL;
	int err = 0;

	if (libxdp_calls.get_error(all))
		return 0; /* no XDP program at all */
	while ((program = libxdp_calls.next(program, all)) && strcmp(libxdp_calls.name(program), LIBXDP_PROGRAM))
		;
	if (program)
		err = libxdp_calls.detach(program, ifindex, libxdp_calls.mode(all), 0);
	libxdp_calls.close_all(all);
	return err ? err : !!program;
}

int libxdp_clear(int ifindex)
{
	int found = 0, more;

	while (found < LIBXDP_PROGRAMS_MAX && (more = libxdp_clear_one(ifindex)) > 0)
		found++;
	return found < LIBXDP_PROGRAMS_MAX && more < 0 ? more : found;
}
