// SPDX-License-Identifier: GPL-2.0-only
/* Finds the BTF of the kernel that a module is built for; see kernel-btf.h. */
#define _GNU_SOURCE
#include <bpf/btf.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel-btf.h"

/* Bytes in memory: a mapped file, or part of one. */
struct bytes {
	const uint8_t *data;
	size_t len;
};

/* Returns false if the file is not there or empty. Mapped until the process ends. */
static bool map_fd(int fd, struct bytes *out)
{
	struct stat st;
	void *data;

	if (fstat(fd, &st) || st.st_size <= 0)
		return false;
	data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return false;
	*out = (struct bytes){ data, st.st_size };
	return true;
}

static bool begins_with(struct bytes b, size_t at, const void *what, size_t len)
{
	return b.len >= len && at <= b.len - len && !memcmp(b.data + at, what, len);
}

static uint32_t le32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The part of a kernel image that holds the kernel proper, compressed or not. */
static struct bytes image_payload(struct bytes image)
{
	size_t off = 0, len = image.len;

	/*
	 * x86: setup_sects, payload_offset and payload_length of Documentation/arch/x86/boot.rst; arm64, riscv64,
	 * loongarch64: drivers/firmware/efi/libstub/zboot-header.S
	 */
	if (image.len > 0x250 && begins_with(image, 0x202, "HdrS", 4)) {
		off = (size_t)((image.data[0x1f1] ?: 4) + 1) * 512 + le32(image.data + 0x248);
		len = le32(image.data + 0x24c);
	} else if (image.len > 0x20 && begins_with(image, 0, "MZ\0\0zimg", 8)) {
		off = le32(image.data + 8);
		len = le32(image.data + 12);
	}
	if (off > image.len || len > image.len - off)
		return image;
	return (struct bytes){ image.data + off, len };
}

/*
 * Runs a program from in to a file in memory. Its exit status is of no use: it is an error to most of them that
 * a kernel's payload is followed by its length.
 */
static bool filter_through(const char *const argv[], struct bytes in, struct bytes *out)
{
	int from = memfd_create("payload", MFD_CLOEXEC), to = memfd_create("unpacked", MFD_CLOEXEC);
	int status = 0;
	size_t done;
	ssize_t n;
	pid_t pid;

	if (from < 0 || to < 0)
		die("memfd_create: %s", strerror(errno));
	for (done = 0; done < in.len; done += n) {
		n = write(from, in.data + done, in.len - done);
		if (n <= 0)
			die("writing to memory: %s", strerror(errno));
	}
	lseek(from, 0, SEEK_SET);

	pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_WRONLY);

		dup2(from, STDIN_FILENO);
		dup2(to, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		die("starting %s: %s", argv[0], strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		fprintf(stderr, "mimic-btf: %s is missing, and the kernel is compressed by it\n",
			argv[0]);
	close(from);
	return map_fd(to, out);
}

/* Unpacks in place if the bytes begin like something compressed. */
static bool unpack(struct bytes *b)
{
	static const struct {
		const char *magic;
		size_t magic_len;
		const char *argv[4];
	} packers[] = {
		{ "\x1f\x8b", 2, { "gzip", "-dc" } },
		{ "\xfd\x37zXZ", 6, { "xz", "-dc", "--single-stream" } },
		{ "\x28\xb5\x2f\xfd", 4, { "zstd", "-dcq" } },
		{ "\x02\x21\x4c\x18", 4, { "lz4", "-dc" } },
		{ "BZh", 3, { "bzip2", "-dc" } },
		{ "\x5d\0\0", 3, { "xz", "-dc", "--format=lzma" } },
		{ "\x89LZO\0\r\n", 7, { "lzop", "-dc" } },
	};
	size_t i;

	for (i = 0; i < sizeof(packers) / sizeof(packers[0]); i++) {
		if (begins_with(*b, 0, packers[i].magic, packers[i].magic_len))
			return filter_through(packers[i].argv, *b, b);
	}
	return true;
}

/* The largest thing in there that libbpf accepts as BTF: an unpacked kernel holds that of its vDSO, too. */
static struct btf *find_btf(struct bytes b)
{
	const struct btf_header want = { .magic = 0xeb9f, .version = 1 };
	struct btf *best = NULL, *btf;
	struct btf_header header;
	uint64_t size, best_size = 0, end;
	const uint8_t *p = b.data;

	while ((p = memmem(p, b.data + b.len - p, &want, 4))) {
		size_t left = b.data + b.len - p;

		if (left >= sizeof(header)) {
			memcpy(&header, p, sizeof(header));
			size = (uint64_t)header.type_off + header.type_len;
			end = (uint64_t)header.str_off + header.str_len;
			size = header.hdr_len + (size > end ? size : end);
			if (header.hdr_len >= sizeof(header) && size <= left && size > best_size) {
				btf = btf__new(p, size);
				if (btf) {
					btf__free(best);
					best = btf;
					best_size = size;
				}
			}
		}
		p++;
	}
	return best;
}

enum banner {
	BANNER_OURS,
	BANNER_OTHER,
	BANNER_NONE,
};

/* What a kernel says of itself: "Linux version RELEASE " (init/version.c). */
static enum banner find_banner(struct bytes kernel, const char *release)
{
	static const char prefix[] = "Linux version ";
	const uint8_t *p = kernel.data, *end = kernel.data + kernel.len;
	const size_t len = strlen(release), prefix_len = strlen(prefix);
	enum banner result = BANNER_NONE;

	while ((p = memmem(p, end - p, prefix, prefix_len))) {
		p += prefix_len;
		if ((size_t)(end - p) > len && !memcmp(p, release, len) && p[len] == ' ')
			return BANNER_OURS;
		if (p < end && *p >= '0' && *p <= '9')
			result = BANNER_OTHER;
	}
	return result;
}

/* Whether the BTF that libbpf found in a file may be that of the release. */
static bool may_fit(int fd, const char *path, const char *release)
{
	struct bytes file;
	char magic[SELFMAG];
	enum banner banner = BANNER_NONE;

	if (pread(fd, magic, SELFMAG, 0) == SELFMAG && !memcmp(magic, ELFMAG, SELFMAG) &&
	    map_fd(fd, &file))
		banner = find_banner(file, release);
	if (banner == BANNER_OTHER) {
		fprintf(stderr, "mimic-btf: %s is not Linux %s\n", path, release);
		return false;
	}
	if (banner == BANNER_NONE)
		printf("mimic-btf: %s is BTF or debug symbols without a kernel: whether it is of Linux %s cannot be checked\n",
		       path, release);
	return true;
}

/* The BTF in the image of a kernel. */
static struct btf *load_image(int fd, const char *path, const char *release)
{
	struct bytes file, kernel;

	if (!map_fd(fd, &file))
		return NULL;
	kernel = image_payload(file);
	if (!unpack(&kernel))
		fprintf(stderr, "mimic-btf: %s could not be unpacked\n", path);
	else if (release && find_banner(kernel, release) != BANNER_OURS)
		fprintf(stderr, "mimic-btf: %s is not Linux %s\n", path, release);
	else
		return find_btf(kernel);
	return NULL;
}

struct btf *kernel_btf_load(const char *path, const char *release)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct btf *btf;

	if (fd < 0) {
		if (errno != ENOENT)
			fprintf(stderr, "mimic-btf: %s: %s\n", path, strerror(errno));
		return NULL;
	}
	btf = btf__parse(path, NULL);
	if (!btf) {
		btf = load_image(fd, path, release);
	} else if (release && !may_fit(fd, path, release)) {
		btf__free(btf);
		btf = NULL;
	}
	close(fd);
	return btf;
}

static struct btf *try_base(const char *release, const char *format, const char *part)
{
	char path[PATH_MAX];
	struct btf *btf;

	snprintf(path, sizeof(path), format, part);
	btf = kernel_btf_load(path, release);
	if (btf)
		printf("mimic-btf: the kernel's BTF is from %s\n", path);
	return btf;
}

struct btf *kernel_btf_find(const char *kdir, const char *release)
{
	static const char *const places[] = {
		"/usr/lib/debug/boot/vmlinux-%s",
		"/usr/lib/debug/lib/modules/%s/vmlinux",
		"/usr/lib/debug/lib/modules/%s/vmlinux.debug",
		"/boot/vmlinuz-%s",
		"/lib/modules/%s/vmlinuz",
		"/boot/vmlinux-%s",
		"/lib/modules/%s/vmlinux",
	};
	struct btf *btf = try_base(release, "%s/vmlinux", kdir);
	struct utsname running;
	size_t i;

	for (i = 0; !btf && i < sizeof(places) / sizeof(places[0]); i++)
		btf = try_base(release, places[i], release);
	if (!btf && !uname(&running) && !strcmp(running.release, release))
		btf = try_base(NULL, "%s", "/sys/kernel/btf/vmlinux");
	return btf;
}
