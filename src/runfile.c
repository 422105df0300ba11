/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "runfile.h"
#include "util.h"

enum {
	CLAIM_TRIES = 1000,
	PROCESS_NAME_MAX = 16, /* TASK_COMM_LEN */
	RUNFILE_BESIDE_MAX = RUNFILE_PATH_MAX + 16, /* a path with these: */
};

#define RUNFILE_CLAIM ".claim"
#define RUNFILE_NEW   ".new"

int runfile_path(char *buf, size_t size, const char *dir, ino_t netns, int ifindex)
{
	int n = snprintf(buf, size, "%s/%llx_%d.lock", dir, (unsigned long long)netns, ifindex);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* --- processes */

/* Returns 0 and the name of a process that lives, -ESRCH when it is gone or a zombie, or -errno. */
static int process_name(pid_t pid, char *name)
{
	char path[32], text[256], *open_paren, *close_paren;
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	/* PID (NAME) STATE ...: the name may have blanks and parentheses of its own. */
	open_paren = strchr(text, '(');
	close_paren = strrchr(text, ')');
	if (!open_paren || !close_paren || close_paren - open_paren > PROCESS_NAME_MAX)
		return -EPROTO;
	if (strlen(close_paren) < 3 || strchr("ZXx", close_paren[2]))
		return -ESRCH;
	*close_paren = '\0';
	strcpy(name, open_paren + 1);
	return 0;
}

bool runfile_process_lives(pid_t pid)
{
	char name[PROCESS_NAME_MAX];
	int err;

	if (pid <= 0)
		return false;
	err = process_name(pid, name);
	if (!err || err == -ESRCH)
		return !err;
	/* No /proc, or one that hides other users' processes. */
	return !kill(pid, 0) || errno == EPERM;
}

/* Whether @info is from 0.7.x, which does not lock its file, and its process still runs. */
static bool is_living_predecessor(const struct run_info *info)
{
	char name[PROCESS_NAME_MAX];

	return info->pid > 0 && info->pid != getpid() && !info->datapath[0] &&
	       !process_name(info->pid, name) && !strcmp(name, "mimic");
}

/* The PID that /proc/locks names for a lock on this file, or 0; -errno where that cannot be read. */
static int find_lock(const struct stat *st)
{
	FILE *file = fopen("/proc/locks", "re");
	unsigned int dev_major, dev_minor;
	unsigned long long inode;
	char line[256];
	int owner = 0, pid;

	if (!file)
		return -errno;
	while (!owner && fgets(line, sizeof(line), file)) {
		/* 1: FLOCK  ADVISORY  WRITE 1234 00:1a:5678 0 EOF */
		if (sscanf(line, "%*u: FLOCK %*s WRITE %d %x:%x:%llu", &pid, &dev_major, &dev_minor,
			   &inode) == 4 &&
		    makedev(dev_major, dev_minor) == st->st_dev && inode == st->st_ino && pid > 0)
			owner = pid;
	}
	fclose(file);
	return owner;
}

static void claim_path(char *buf, const char *path)
{
	snprintf(buf, RUNFILE_BESIDE_MAX, "%.*s" RUNFILE_CLAIM, RUNFILE_PATH_MAX - 1, path);
}

/* The PID that holds the claim of the file @path, or 0; -errno where there is neither, or the list cannot be read. */
static int find_holder(const char *path)
{
	char claim[RUNFILE_BESIDE_MAX];
	struct stat st;

	claim_path(claim, path);
	if (!stat(claim, &st))
		return find_lock(&st);
	return errno == ENOENT && !stat(path, &st) ? 0 : -errno;
}

pid_t runfile_holder(const char *path, const struct run_info *info)
{
	char name[PROCESS_NAME_MAX];
	int owner;

	if (is_living_predecessor(info))
		return info->pid;
	owner = find_holder(path);
	/* The list may have other numbers for the file system (btrfs, overlayfs), or none for the process (PID namespaces). */
	if (!owner && info->pid > 0 && !process_name(info->pid, name) && !strcmp(name, "mimic"))
		return info->pid;
	if (owner >= 0)
		return owner;
	return runfile_process_lives(info->pid) ? info->pid : 0;
}

pid_t runfile_find_holder(const char *path)
{
	_cleanup_run_info_ struct run_info info = { 0 };

	runfile_read(path, &info);
	return runfile_holder(path, &info);
}

/* --- claim */

/* Whether what a descriptor leads to is this user's alone to change: 0, or -EPERM. */
static int check_owner(const struct stat *st)
{
	return st->st_uid != geteuid() || st->st_mode & (S_IWGRP | S_IWOTH) ? -EPERM : 0;
}

/*
 * Opens the directory of @path; one that is missing is made, readable for everybody whatever the umask. Nobody but this user may
 * write there. Returns a descriptor or -errno.
 */
static int open_dir(const char *path)
{
	char dir[RUNFILE_PATH_MAX];
	_cleanup_close_ int fd = -1;
	struct stat st;
	bool made;
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return -EINVAL;
	*slash = '\0';
	made = !mkdir(dir, 0755);
	if (!made && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : errno == ELOOP ? -ENOTDIR : -errno; /* it is gone again */
	if (made && fchmod(fd, 0755))
		return -errno;
	if (fstat(fd, &st))
		return -errno;
	return check_owner(&st) ? -EPERM : TAKE_FD(fd);
}

/* Whether @path leads to the file @st: a file that was renamed over or unlinked excludes nobody. */
static bool leads_to(const char *path, const struct stat *st)
{
	struct stat now;

	return !lstat(path, &now) && now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

static int read_info(int fd, struct run_info *info);

/* Opens what is in the checked directory @dir, and no other. Returns a descriptor or -errno. */
static int open_regular(int dir, const char *path, int flags, struct stat *st)
{
	_cleanup_close_ int fd = openat(dir, strrchr(path, '/') + 1, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd < 0 || fstat(fd, st))
		return -errno;
	if (!S_ISREG(st->st_mode))
		return -EINVAL;
	return TAKE_FD(fd);
}

/*
 * Opens and locks the claim that @path leads to at the end of the call. Returns the descriptor, -EAGAIN when it changed under
 * way, -EBUSY with *@holder, or another -errno.
 */
static int open_locked(int dir, const char *path, pid_t *holder)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	fd = open_regular(dir, path, O_RDWR | O_CREAT, &st);
	if (fd < 0)
		return fd == -ENOENT ? -EAGAIN : fd; /* the directory is gone again */
	if (check_owner(&st))
		return -EPERM;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (!leads_to(path, &st))
			return -EAGAIN;
		*holder = find_lock(&st) > 0 ? find_lock(&st) : 0;
		return -EBUSY;
	}
	if (!leads_to(path, &st))
		return -EAGAIN;
	return fchmod(fd, 0600) ? -errno : TAKE_FD(fd);
}

/* What the file has; what cannot be read or understood counts as empty. Returns 0, or -errno when it is no regular file. */
static int read_left(int dir, const char *path, struct run_info *info)
{
	struct stat st;
	_cleanup_close_ int fd = open_regular(dir, path, O_RDONLY, &st);

	*info = (struct run_info){ 0 };
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	read_info(fd, info);
	return 0;
}

static int replace(struct runfile *runfile, const struct run_info *info);

/* With the claim, whose path is @claim, locked in @runfile: nobody of 0.7.x may run, and the file becomes an empty one of our own. */
static int take_file(struct runfile *runfile, int dir, const char *claim, pid_t *holder)
{
	_cleanup_run_info_ struct run_info info = { 0 };
	int err = read_left(dir, runfile->path, &info);

	if (!err && is_living_predecessor(&info)) {
		*holder = info.pid;
		err = -EBUSY;
	}
	if (!err)
		err = replace(runfile, NULL);
	if (err) {
		unlink(claim);
		runfile_leave(runfile);
	}
	return err;
}

int runfile_claim(struct runfile *runfile, const char *path, pid_t *holder)
{
	_cleanup_run_info_ struct run_info info = { 0 };
	char claim[RUNFILE_BESIDE_MAX];
	_cleanup_close_ int dir = -1;
	int fd = -EAGAIN, tries;

	*holder = 0;
	*runfile = (struct runfile)RUNFILE_INIT;
	if (strlen(path) >= sizeof(runfile->path))
		return -ENAMETOOLONG;
	claim_path(claim, path);
	for (tries = 0; tries < CLAIM_TRIES && fd == -EAGAIN; tries++) {
		util_close_fd(&dir);
		dir = open_dir(path);
		fd = dir < 0 ? dir : open_locked(dir, claim, holder);
	}
	/* What the instance says of itself is better than a list that may know nothing of it. */
	if (fd == -EBUSY && !read_left(dir, path, &info) && info.pid > 0)
		*holder = info.pid;
	if (fd < 0)
		return fd;
	runfile->fd = fd;
	strcpy(runfile->path, path);
	return take_file(runfile, dir, claim, holder);
}

/* --- publish and remove */

static bool has_our_content(const struct runfile *runfile)
{
	const struct stat st = { .st_dev = runfile->dev, .st_ino = runfile->ino };

	return runfile->fd >= 0 && leads_to(runfile->path, &st);
}

bool runfile_is_ours(const struct runfile *runfile)
{
	char claim[RUNFILE_BESIDE_MAX];
	struct stat st;

	claim_path(claim, runfile->path);
	return has_our_content(runfile) && !fstat(runfile->fd, &st) && leads_to(claim, &st);
}

static bool is_missing(const char *path)
{
	struct stat st;

	return lstat(path, &st) && errno == ENOENT;
}

bool runfile_is_removed(const struct runfile *runfile)
{
	char claim[RUNFILE_BESIDE_MAX];

	claim_path(claim, runfile->path);
	return runfile->path[0] && (is_missing(runfile->path) || is_missing(claim));
}

static void print_info(FILE *out, const struct run_info *info)
{
	char value[SETTINGS_TEXT_MAX];
	size_t i;

	fprintf(out, "version=%s\npid=%d\nlink_type=%s\n", info->version, (int)info->pid,
		info->link_type);
	fprintf(out, "egress_id=%u\ningress_id=%u\nwhitelist_id=%u\nconns_id=%u\n", info->egress_id,
		info->ingress_id, info->whitelist_id, info->conns_id);
	if (info->counters_id)
		fprintf(out, "counters_id=%u\n", info->counters_id);
	if (info->totals_id)
		fprintf(out, "totals_id=%u\n", info->totals_id);
	if (info->traces_id)
		fprintf(out, "traces_id=%u\n", info->traces_id);
	if (info->shared_id)
		fprintf(out, "shared_id=%u\n", info->shared_id);
	for (i = 0; settings_key(i); i++) {
		settings_print_value(value, sizeof(value), settings_key(i), &info->settings);
		fprintf(out, "%s=%s\n", settings_key(i), value);
	}
	fprintf(out, "xdp_mode=%s\ndatapath=%s\n", info->xdp_mode, info->datapath);
	for (i = 0; i < info->filter_count; i++)
		fprintf(out, "filter=%s\n", info->filters[i]);
}

static int write_info(int fd, const struct run_info *info)
{
	_cleanup_free_ char *text = NULL;
	size_t length, done = 0;
	FILE *out;

	out = open_memstream(&text, &length);
	if (!out)
		return -ENOMEM;
	print_info(out, info);
	if (fclose(out))
		return -ENOMEM;
	while (done < length) {
		ssize_t n = write(fd, text + done, length - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

/* A new file with @info in it (NULL: nothing) takes the place of the old one. */
static int replace(struct runfile *runfile, const struct run_info *info)
{
	char path[RUNFILE_BESIDE_MAX];
	_cleanup_close_ int fd = -1;
	struct stat st;
	int err = 0;

	snprintf(path, sizeof(path), "%s" RUNFILE_NEW, runfile->path);
	unlink(path); /* left by an instance that was killed while publishing */
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0644) || fstat(fd, &st))
		err = -errno;
	if (!err && info)
		err = write_info(fd, info);
	if (!err && rename(path, runfile->path))
		err = -errno;
	if (err) {
		unlink(path);
		return err;
	}
	runfile->dev = st.st_dev;
	runfile->ino = st.st_ino;
	return 0;
}

/* A lock that was inherited is in the name of another process, for whoever asks the kernel. Ours takes its place. */
static int renew_claim(struct runfile *runfile)
{
	char claim[RUNFILE_BESIDE_MAX], path[RUNFILE_BESIDE_MAX];
	_cleanup_close_ int fd = -1;
	int err;

	claim_path(claim, runfile->path);
	snprintf(path, sizeof(path), "%s" RUNFILE_CLAIM RUNFILE_NEW, runfile->path);
	unlink(path); /* left by an instance that was killed here */
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) || rename(path, claim)) {
		err = -errno;
		unlink(path);
		return err;
	}
	close(runfile->fd);
	runfile->fd = TAKE_FD(fd);
	runfile->inherited = false;
	return 0;
}

int runfile_publish(struct runfile *runfile, const struct run_info *info)
{
	int err;

	if (!runfile_is_ours(runfile))
		return -ESTALE;
	err = replace(runfile, info);
	/* Last: a successor who cannot publish leaves the claim to whom it belongs, and the file as it was. */
	return err || !runfile->inherited ? err : renew_claim(runfile);
}

int runfile_inherit(struct runfile *runfile, const char *path, int fd)
{
	struct stat st = { 0 };

	if (strlen(path) >= sizeof(runfile->path))
		return -ENAMETOOLONG;
	lstat(path, &st); /* one that is missing is nobody's */
	runfile->fd = fd;
	runfile->dev = st.st_dev;
	runfile->ino = st.st_ino;
	runfile->inherited = true;
	strcpy(runfile->path, path);
	return 0;
}

void runfile_leave(struct runfile *runfile)
{
	if (runfile->fd >= 0)
		close(runfile->fd);
	*runfile = (struct runfile)RUNFILE_INIT;
}

int runfile_remove(struct runfile *runfile)
{
	bool ours = runfile_is_ours(runfile);
	char claim[RUNFILE_BESIDE_MAX];
	int err = 0;

	/* A claim that is another's is that of a file that is another's, too. */
	if (has_our_content(runfile) && unlink(runfile->path))
		err = -errno;
	claim_path(claim, runfile->path);
	if (ours && unlink(claim) && !err)
		err = -errno;
	runfile_leave(runfile);
	return err;
}

/* --- read */

static const struct {
	const char *key;
	size_t offset, size; /* of a text in struct run_info */
} texts[] = {
	{ "version", offsetof(struct run_info, version), sizeof(((struct run_info *)0)->version) },
	{ "link_type", offsetof(struct run_info, link_type),
	  sizeof(((struct run_info *)0)->link_type) },
	{ "xdp_mode", offsetof(struct run_info, xdp_mode),
	  sizeof(((struct run_info *)0)->xdp_mode) },
	{ "datapath", offsetof(struct run_info, datapath),
	  sizeof(((struct run_info *)0)->datapath) },
};

static const struct {
	const char *key;
	size_t offset; /* of a __u32 in struct run_info */
} ids[] = {
	{ "egress_id", offsetof(struct run_info, egress_id) },
	{ "ingress_id", offsetof(struct run_info, ingress_id) },
	{ "whitelist_id", offsetof(struct run_info, whitelist_id) },
	{ "conns_id", offsetof(struct run_info, conns_id) },
	{ "counters_id", offsetof(struct run_info, counters_id) },
	{ "totals_id", offsetof(struct run_info, totals_id) },
	{ "traces_id", offsetof(struct run_info, traces_id) },
	{ "shared_id", offsetof(struct run_info, shared_id) },
};

static unsigned long read_number(const char *text, unsigned long max)
{
	unsigned long number;
	char *end;

	if (*text < '0' || *text > '9')
		return 0;
	errno = 0;
	number = strtoul(text, &end, 10);
	return errno || *end || number > max ? 0 : number;
}

static int add_filter(struct run_info *info, const char *text)
{
	char **filters = realloc(info->filters, (info->filter_count + 1) * sizeof(*filters));

	if (!filters)
		return -ENOMEM;
	info->filters = filters;
	filters[info->filter_count] = strdup(text);
	if (!filters[info->filter_count])
		return -ENOMEM;
	info->filter_count++;
	return 0;
}

/* Returns 0, also for what is unknown or damaged, or -ENOMEM. */
static int take_line(struct run_info *info, const char *key, const char *value)
{
	struct settings_patch patch = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		if (!strcmp(key, texts[i].key))
			snprintf((char *)info + texts[i].offset, texts[i].size, "%s", value);
	}
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		if (!strcmp(key, ids[i].key))
			*(__u32 *)((char *)info + ids[i].offset) =
				(__u32)read_number(value, 0xffffffffUL);
	}
	if (!strcmp(key, "pid"))
		info->pid = (pid_t)read_number(value, 0x7fffffffUL);
	if (!settings_parse(&patch, key, value, NULL))
		settings_apply(&info->settings, &patch);
	return strcmp(key, "filter") ? 0 : add_filter(info, value);
}

static int read_info(int fd, struct run_info *info)
{
	_cleanup_run_info_ struct run_info result = { .settings = CONN_SETTINGS_DEFAULT };
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	ssize_t length;
	int err = 0, copy;
	FILE *file;

	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* fclose() closes one */
	if (copy < 0)
		return -errno;
	file = fdopen(copy, "r");
	if (!file) {
		close(copy);
		return -ENOMEM;
	}
	while (!err && (length = getline(&line, &size, file)) > 0) {
		char *value = strchr(line, '=');

		if (!value || strlen(line) != (size_t)length)
			continue;
		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		*value++ = '\0';
		err = take_line(&result, line, value);
	}
	if (!err && ferror(file))
		err = -EIO;
	fclose(file);
	if (err)
		return err;
	*info = result;
	result = (struct run_info){ 0 };
	return 0;
}

int runfile_read(const char *path, struct run_info *info)
{
	_cleanup_close_ int fd = -1;

	*info = (struct run_info){ 0 };
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	return read_info(fd, info);
}

int runfile_set_filters(struct run_info *info, const struct filter_list *list)
{
	struct run_info filters = { 0 }; /* only these of it */
	char text[FILTER_TEXT_MAX];
	size_t i;
	int err;

	for (i = 0; i < list->count; i++) {
		filter_print(text, sizeof(text), &list->items[i], &info->settings);
		err = add_filter(&filters, text);
		if (err) {
			runfile_free_info(&filters);
			return err;
		}
	}
	for (i = 0; i < info->filter_count; i++)
		free(info->filters[i]);
	free(info->filters);
	info->filters = filters.filters;
	info->filter_count = filters.filter_count;
	return 0;
}

void runfile_free_info(struct run_info *info)
{
	size_t i;

	for (i = 0; i < info->filter_count; i++)
		free(info->filters[i]);
	free(info->filters);
	*info = (struct run_info){ 0 };
}
