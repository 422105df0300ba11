// SPDX-License-Identifier: GPL-2.0-only
/*
 * mimic-btf [--base FILE] KDIR mimic.ko
 *
 * Gives the module its BTF where the kernel's build could not, since the headers in KDIR come without vmlinux
 * (Debian 12). Two things are missing then, and without them the kernel registers no function, and says nothing:
 *
 * 1. the section .BTF, which describes the functions. It is written here by hand (libbpf): as "split BTF" it only
 *    adds to the types of the kernel, and so it fits this very kernel and no other;
 * 2. the numbers of the functions in .BTF_ids, which are zero until the kernel's resolve_btfids fills them in.
 *    Layout: include/linux/btf_ids.h.
 *
 * A module that has both already is left alone. The kernel's own BTF is taken from FILE, else from where
 * kernel_btf_find() finds that of the release that the module was built for (its vermagic). Exit status: 0, or 1 after
 * a message; the module is then as it was.
 */
#define _GNU_SOURCE
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel-btf.h"
#include "mimic_kfunc.h"

#if LIBBPF_MAJOR_VERSION < 1
#error "mimic-btf needs libbpf 1.0 or later"
#endif

/* The functions: int NAME(struct __sk_buff *ctx, __u32 PARAM...), as in mimic_kfunc.h. */
static const struct kfunc {
	const char *name;
	const char *params[5]; /* after ctx, up to NULL */
} kfuncs[] = {
	{ "mimic_csum_partial", { "l4_off", "csum_off" } },
	{ "mimic_csum_move", { "l4_off", "from", "to" } },
	{ "mimic_gso_prepare", { "l4_off" } },
	{ "mimic_gso_convert", { "l4_off", "seq", "ack", "window" } },
};

#define SAME_TYPE(function, type) __builtin_types_compatible_p(__typeof__(function), type)
_Static_assert(SAME_TYPE(mimic_csum_partial, int(struct __sk_buff *, __u32, __u32)), "kfuncs[]");
_Static_assert(SAME_TYPE(mimic_csum_move, int(struct __sk_buff *, __u32, __u32, __u32)),
	       "kfuncs[]");
_Static_assert(SAME_TYPE(mimic_gso_prepare, int(struct __sk_buff *, __u32)), "kfuncs[]");
_Static_assert(SAME_TYPE(mimic_gso_convert, int(struct __sk_buff *, __u32, __u32, __u32, __u32)),
	       "kfuncs[]");

enum { KFUNCS = sizeof(kfuncs) / sizeof(kfuncs[0]) };

void die(const char *format, ...)
{
	va_list args;

	fputs("mimic-btf: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/* Errors of libbpf are reported here, once, where it is known what they mean. */
static int be_silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

/* --- the module's BTF */

static int check_id(int id, const char *what)
{
	if (id < 0)
		die("%s: %s", what, strerror(-id));
	return id;
}

/* What the functions look like, on top of the kernel's types. ids[i] becomes the number of kfuncs[i]. */
static struct btf *describe_kfuncs(struct btf *base, int ids[KFUNCS])
{
	struct btf *btf = btf__new_empty_split(base);
	int ctx, sint, u32, proto, i, p;

	if (!btf)
		die("no memory for BTF");
	ctx = check_id(btf__find_by_name_kind(base, "__sk_buff", BTF_KIND_STRUCT),
		       "struct __sk_buff in the kernel's BTF");
	sint = check_id(btf__find_by_name_kind(base, "int", BTF_KIND_INT),
			"int in the kernel's BTF");
	u32 = check_id(btf__find_by_name_kind(base, "u32", BTF_KIND_TYPEDEF),
		       "u32 in the kernel's BTF");
	ctx = check_id(btf__add_ptr(btf, ctx), "BTF");

	for (i = 0; i < KFUNCS; i++) {
		proto = check_id(btf__add_func_proto(btf, sint), "BTF");
		check_id(btf__add_func_param(btf, "ctx", ctx), "BTF");
		for (p = 0; kfuncs[i].params[p]; p++)
			check_id(btf__add_func_param(btf, kfuncs[i].params[p], u32), "BTF");
		/* Static, as pahole writes it for every function of the kernel. */
		ids[i] =
			check_id(btf__add_func(btf, kfuncs[i].name, BTF_FUNC_STATIC, proto), "BTF");
	}
	return btf;
}

/* --- the module's file */

struct module {
	const char *path;
	int fd;
	Elf *elf;
	Elf_Scn *btf, *btf_ids, *symtab, *modinfo;
	size_t btf_ids_index, symbol_names, section_names;
};

/* A write that fails must not leave half a module, which would look complete to make: this becomes the module in the end. */
static char copy_path[PATH_MAX];

static void remove_copy(void)
{
	if (copy_path[0])
		unlink(copy_path);
}

static int open_copy(const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), to;
	struct stat st;
	ssize_t n;

	if (from < 0 || fstat(from, &st))
		die("%s: %s", path, strerror(errno));
	if ((size_t)snprintf(copy_path, sizeof(copy_path), "%s.tmp", path) >= sizeof(copy_path))
		die("%s: the path is too long", path);
	atexit(remove_copy);
	to = open(copy_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, st.st_mode & 0777);
	if (to < 0)
		die("%s: %s", copy_path, strerror(errno));
	while ((n = sendfile(to, from, NULL, 1 << 20)) > 0)
		;
	if (n < 0)
		die("%s: %s", copy_path, strerror(errno));
	close(from);
	return to;
}

static void close_module(struct module *m)
{
	if (elf_update(m->elf, ELF_C_WRITE) < 0)
		die("writing %s: %s", m->path, elf_errmsg(-1));
	elf_end(m->elf);
	if (fsync(m->fd) || close(m->fd) || rename(copy_path, m->path))
		die("writing %s: %s", m->path, strerror(errno));
	copy_path[0] = '\0';
}

static void open_module(const char *path, struct module *m)
{
	const char *ident;
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	*m = (struct module){ .path = path };
	elf_version(EV_CURRENT);
	m->fd = open_copy(path);
	m->elf = elf_begin(m->fd, ELF_C_RDWR, NULL);
	if (!m->elf)
		die("%s: %s", path, elf_errmsg(-1));
	ident = elf_getident(m->elf, NULL);
	if (!ident || elf_kind(m->elf) != ELF_K_ELF || elf_getshdrstrndx(m->elf, &m->section_names))
		die("%s is not an ELF file", path);
	if (ident[EI_DATA] !=
	    (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB))
		die("%s is of another byte order than this machine", path);

	while ((scn = elf_nextscn(m->elf, scn))) {
		const char *name = gelf_getshdr(scn, &shdr) ?
					   elf_strptr(m->elf, m->section_names, shdr.sh_name) :
					   NULL;

		if (!name)
			die("%s: %s", path, elf_errmsg(-1));
		if (!strcmp(name, ".BTF")) {
			m->btf = scn;
		} else if (!strcmp(name, ".BTF_ids")) {
			m->btf_ids = scn;
			m->btf_ids_index = elf_ndxscn(scn);
		} else if (!strcmp(name, ".modinfo")) {
			m->modinfo = scn;
		} else if (shdr.sh_type == SHT_SYMTAB) {
			m->symtab = scn;
			m->symbol_names = shdr.sh_link;
		}
	}
	if (!m->btf_ids || !m->symtab || !m->modinfo)
		die("%s: no .BTF_ids, no symbols or no .modinfo: is it mimic.ko, not stripped?",
		    path);
}

static Elf_Data *section_data(const struct module *m, Elf_Scn *scn)
{
	Elf_Data *data = elf_getdata(scn, NULL);

	if (!data || !data->d_buf || !data->d_size)
		die("%s: a section is empty", m->path);
	return data;
}

/* The release of the kernel that the module was built for: the first word of vermagic=... in .modinfo. */
static char *module_release(const struct module *m)
{
	static const char key[] = "vermagic=";
	const Elf_Data *data = section_data(m, m->modinfo);
	const char *p = data->d_buf, *end = p + data->d_size;

	if (end[-1])
		die("%s: .modinfo is not a list of strings", m->path);
	for (; p < end; p += strlen(p) + 1) {
		if (!strncmp(p, key, strlen(key)))
			return strndup(p + strlen(key), strcspn(p + strlen(key), " "));
	}
	die("%s: no vermagic", m->path);
}

static int id_of_kfunc(const char *name, size_t len, const int ids[KFUNCS])
{
	int i;

	for (i = 0; i < KFUNCS; i++) {
		if (strlen(kfuncs[i].name) == len && !memcmp(kfuncs[i].name, name, len))
			return ids[i];
	}
	return -ENOENT;
}

static int compare_pairs(const void *a, const void *b)
{
	uint32_t ids[2];

	memcpy(&ids[0], a, sizeof(ids[0]));
	memcpy(&ids[1], b, sizeof(ids[1]));
	return (ids[0] > ids[1]) - (ids[0] < ids[1]);
}

/* Visits the symbols of .BTF_ids: first the functions, then the sets, whose pairs (number, flags) have to be sorted. */
static void fill_ids(const struct module *m, const int ids[KFUNCS])
{
	static const char func[] = "__BTF_ID__func__", set[] = "__BTF_ID__set8__";
	Elf_Data *symbols = section_data(m, m->symtab), *out = section_data(m, m->btf_ids);
	uint8_t *to;
	const char *name, *suffix;
	bool sets;
	GElf_Sym sym;
	uint32_t value;
	int i, turn, filled = 0;

	for (turn = 0; turn < 2; turn++) {
		sets = turn == 1;
		for (i = 0; gelf_getsym(symbols, i, &sym); i++) {
			name = elf_strptr(m->elf, m->symbol_names, sym.st_name);
			if (sym.st_shndx != m->btf_ids_index || !name ||
			    strncmp(name, "__BTF_ID__", 10))
				continue;
			if (strncmp(name, func, strlen(func)) && strncmp(name, set, strlen(set)))
				die("%s: %s is of an unknown kind", m->path, name);
			if (sets != !strncmp(name, set, strlen(set)))
				continue;
			if (sym.st_size < (sets ? 8 : 4) || sym.st_value > out->d_size ||
			    sym.st_size > out->d_size - sym.st_value)
				die("%s: %s is outside of .BTF_ids", m->path, name);
			to = (uint8_t *)out->d_buf + sym.st_value;
			if (sets) {
				/* u32 count, u32 flags, then pairs; the size of the symbol is that of it all. */
				value = sym.st_size / 8 - 1;
				qsort(to + 8, value, 8, compare_pairs);
			} else {
				/* The macros append "__" and a number that makes the symbol unique. */
				suffix = strrchr(name, '_') - 1;
				name += strlen(func);
				value = check_id(id_of_kfunc(name, suffix - name, ids), name);
				filled++;
			}
			memcpy(to, &value, sizeof(value));
		}
	}
	if (filled != KFUNCS)
		die("%s names %d functions for BPF, but mimic-btf knows %d", m->path, filled,
		    KFUNCS);
	elf_flagdata(out, ELF_C_SET, ELF_F_DIRTY);
}

/* Whether kbuild has done all of this: .BTF is there, and the first set of .BTF_ids is not empty. */
static bool is_complete(const struct module *m)
{
	Elf_Data *symbols = section_data(m, m->symtab), *ids = section_data(m, m->btf_ids);
	const char *name;
	uint32_t count;
	GElf_Sym sym;
	int i;

	if (!m->btf)
		return false;
	for (i = 0; gelf_getsym(symbols, i, &sym); i++) {
		name = elf_strptr(m->elf, m->symbol_names, sym.st_name);
		if (sym.st_shndx != m->btf_ids_index || !name ||
		    strncmp(name, "__BTF_ID__set8__", 16))
			continue;
		if (ids->d_size < 4 || sym.st_value > ids->d_size - 4)
			return false;
		memcpy(&count, (uint8_t *)ids->d_buf + sym.st_value, sizeof(count));
		return count != 0;
	}
	return false;
}

/* Makes the section .BTF, or replaces what is in it. */
static void put_btf(struct module *m, const void *btf, uint32_t size)
{
	static char section[] = ".BTF";
	Elf_Scn *names = elf_getscn(m->elf, m->section_names);
	Elf_Data *data;
	GElf_Shdr shdr;

	if (m->btf) {
		data = section_data(m, m->btf);
	} else {
		if (!gelf_getshdr(names, &shdr))
			die("%s: %s", m->path, elf_errmsg(-1));
		GElf_Word name = shdr.sh_size;

		data = elf_newdata(names);
		if (!data)
			die("%s: %s", m->path, elf_errmsg(-1));
		*data = (Elf_Data){ .d_buf = section,
				    .d_size = sizeof(section),
				    .d_off = name,
				    .d_align = 1,
				    .d_type = ELF_T_BYTE,
				    .d_version = EV_CURRENT };
		m->btf = elf_newscn(m->elf);
		data = m->btf ? elf_newdata(m->btf) : NULL;
		if (!data || !gelf_getshdr(m->btf, &shdr))
			die("%s: %s", m->path, elf_errmsg(-1));
		shdr.sh_name = name;
		shdr.sh_type = SHT_PROGBITS;
		shdr.sh_addralign = 8;
		if (!gelf_update_shdr(m->btf, &shdr))
			die("%s: %s", m->path, elf_errmsg(-1));
	}
	data->d_buf = (void *)btf;
	data->d_size = size;
	data->d_off = 0;
	data->d_align = 8;
	data->d_type = ELF_T_BYTE;
	data->d_version = EV_CURRENT;
	elf_flagdata(data, ELF_C_SET, ELF_F_DIRTY);
}

int main(int argc, char **argv)
{
	const char *base_file = NULL, *release;
	int ids[KFUNCS];
	struct btf *base, *btf;
	struct module m;
	const void *raw;
	uint32_t size;

	if (argc == 5 && !strcmp(argv[1], "--base")) {
		base_file = argv[2];
		argv += 2;
		argc -= 2;
	}
	if (argc != 3)
		die("usage: mimic-btf [--base FILE] KDIR mimic.ko");
	libbpf_set_print(be_silent);

	open_module(argv[2], &m);
	if (is_complete(&m)) {
		printf("mimic-btf: %s has its BTF already\n", m.path);
		return 0;
	}
	release = module_release(&m);
	base = base_file ? kernel_btf_load(base_file, release) : kernel_btf_find(argv[1], release);
	if (!base && base_file && access(base_file, F_OK))
		die("%s: %s", base_file, strerror(errno));
	if (!base && base_file)
		die("%s holds no BTF of Linux %s", base_file, release);
	if (!base)
		die("no BTF of Linux %s was found, and %s comes without. It is in the kernel image:\n"
		    "    Debian, Ubuntu   apt-get install linux-image-%s (to /boot)\n"
		    "For an image in another place: BTF_BASE=FILE (make), --base FILE (mimic-btf)",
		    release, argv[1], release);
	btf = describe_kfuncs(base, ids);
	raw = btf__raw_data(btf, &size);
	if (!raw)
		die("no memory for BTF");
	fill_ids(&m, ids);
	put_btf(&m, raw, size);
	close_module(&m);
	printf("mimic-btf: %s has got its BTF, for Linux %s\n", m.path, release);
	return 0;
}
