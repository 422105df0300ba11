/* SPDX-License-Identifier: GPL-2.0-only */
/* The lock file: exclusion, take-over of what dead processes leave, content, races. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runfile.h"

enum {
	RACERS = 32,
	ROUNDS = 20,
};

static char top[] = "/tmp/mimic-test-runfile-XXXXXX";
static char path[RUNFILE_PATH_MAX];

static void setup(void)
{
	char dir[64];

	ck_assert_ptr_nonnull(mkdtemp(top));
	snprintf(dir, sizeof(dir), "%s/mimic", top);
	ck_assert_int_eq(runfile_path(path, sizeof(path), dir, 0xf0000001, 7), 0);
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	ck_assert_int_eq(system(command), 0);
}

/* What excludes others. */
static const char *claim_of_path(void)
{
	static char claim[RUNFILE_PATH_MAX + 8];

	snprintf(claim, sizeof(claim), "%s.claim", path);
	return claim;
}

/* The directory is made by the first claim only. */
static void make_dir(mode_t mode)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "%s/mimic", top);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(chmod(dir, mode), 0);
}

static void write_file(const char *text, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, length), (ssize_t)length);
	close(fd);
}

static off_t file_size(void)
{
	struct stat st;

	return lstat(path, &st) ? -1 : st.st_size;
}

static void claim(struct runfile *runfile)
{
	pid_t holder;

	ck_assert_int_eq(runfile_claim(runfile, path, &holder), 0);
	ck_assert_int_eq(holder, 0);
}

static struct run_info sample(void)
{
	return (struct run_info){
		.version = "0.8.0",
		.pid = getpid(),
		.link_type = "eth",
		.egress_id = 11,
		.ingress_id = 12,
		.whitelist_id = 13,
		.conns_id = 4294967295U,
		.xdp_mode = "native",
		.datapath = "bpf",
		.settings = CONN_SETTINGS_DEFAULT,
	};
}

/* Starts a process that is called @name and waits to be killed. */
static pid_t start_process(const char *name)
{
	int ready[2];
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		close(ready[0]);
		close(ready[1]);
		pause();
		_exit(0);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 0); /* the end of file: it has its name */
	close(ready[0]);
	return pid;
}

static void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

START_TEST(test_path)
{
	char buf[RUNFILE_PATH_MAX], tiny[20];

	ck_assert_int_eq(runfile_path(buf, sizeof(buf), RUNFILE_DIR, 0xf0000098, 12), 0);
	ck_assert_str_eq(buf, "/run/mimic/f0000098_12.lock");
	ck_assert_int_eq(runfile_path(tiny, sizeof(tiny), RUNFILE_DIR, 0xf0000098, 12),
			 -ENAMETOOLONG);
}
END_TEST

START_TEST(test_life)
{
	struct runfile runfile;
	struct run_info info = sample();
	struct stat st;

	umask(077);
	claim(&runfile);
	ck_assert_int_eq(file_size(), 0);
	ck_assert_int_eq(runfile_publish(&runfile, &info), 0);
	ck_assert_int_gt(file_size(), 0);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	ck_assert_int_eq(lstat(claim_of_path(), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	runfile_remove(&runfile);
	ck_assert_int_eq(file_size(), -1);
	ck_assert_int_eq(access(claim_of_path(), F_OK), -1);
	ck_assert_int_eq(runfile.fd, -1);
	runfile_remove(&runfile);
}
END_TEST

START_TEST(test_content)
{
	struct filter_list list = { 0 };
	struct runfile runfile;
	struct run_info info = sample();
	struct filter_spec spec;
	char text[1024], expected[1024];
	FILE *file;

	ck_assert_int_eq(filter_parse(&spec, "local=0.0.0.0:5,handshake=0:", NULL), 0);
	ck_assert_int_eq(filter_list_add(&list, &spec, NULL, NULL), 0);
	ck_assert_int_eq(runfile_set_filters(&info, &list), 0);
	ck_assert_int_eq(runfile_set_filters(&info, &list), 0);
	claim(&runfile);
	ck_assert_int_eq(runfile_publish(&runfile, &info), 0);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	snprintf(expected, sizeof(expected),
		 "version=0.8.0\npid=%d\nlink_type=eth\negress_id=11\ningress_id=12\n"
		 "whitelist_id=13\nconns_id=4294967295\nhandshake=2:3\nkeepalive=180:10:3:600\n"
		 "padding=0\nmax_window=false\npace=fast\nguard=reset\nack=40\nudp=pass\nxdp_mode=native\ndatapath=bpf\n"
		 "filter=local=0.0.0.0:5,handshake=0:\n",
		 (int)getpid());
	ck_assert_str_eq(text, expected);
	runfile_remove(&runfile);
	runfile_free_info(&info);
	filter_list_free(&list);
}
END_TEST

START_TEST(test_read_back)
{
	struct runfile runfile;
	struct run_info info = sample(), again;

	info.settings.keepalive_stale_s = 9;
	info.settings.padding = PADDING_RANDOM;
	info.settings.max_window = 1;
	claim(&runfile);
	ck_assert_int_eq(runfile_read(path, &again), 0);
	ck_assert_int_eq(again.pid, 0);
	runfile_free_info(&again);
	ck_assert_int_eq(runfile_publish(&runfile, &info), 0);
	ck_assert_int_eq(runfile_read(path, &again), 0);
	ck_assert_mem_eq(&again, &info, sizeof(info));
	runfile_free_info(&again);
	runfile_remove(&runfile);
	ck_assert_int_eq(runfile_read(path, &again), -ENOENT);
}
END_TEST

START_TEST(test_read_tolerant)
{
	static const char text[] =
		"shiny_new_key=1\nfilter=local=192.0.2.1:1,x=y (resolved from a=b)\n"
		"no key\n=\npid=+5\npadding=99\nhandshake=7:8\nconns_id=-1\n"
		"egress_id=99999999999\nnul=\0\nversion=9.9.9-a-version-that-is-much-too-long-for-us\n"
		"\xff\xfe\npid=4711\nfilter=remote=192.0.2.2:2";
	struct run_info info;

	make_dir(0755);
	write_file(text, sizeof(text) - 1);
	ck_assert_int_eq(runfile_read(path, &info), 0);
	ck_assert_int_eq(info.pid, 4711);
	ck_assert_int_eq(strncmp(info.version, "9.9.9-", 6), 0);
	ck_assert_uint_eq(info.settings.handshake_interval_s, 7);
	ck_assert_uint_eq(info.settings.padding, 0);
	ck_assert_uint_eq(info.egress_id, 0);
	ck_assert_uint_eq(info.conns_id, 0);
	ck_assert_uint_eq(info.filter_count, 2);
	ck_assert_str_eq(info.filters[0], "local=192.0.2.1:1,x=y (resolved from a=b)");
	ck_assert_str_eq(info.filters[1], "remote=192.0.2.2:2");
	runfile_free_info(&info);
}
END_TEST

START_TEST(test_second_is_refused)
{
	struct runfile first, second;
	struct run_info info = sample();
	pid_t holder;

	claim(&first);
	/* Not published yet: the PID is that of the lock's owner. */
	ck_assert_int_eq(runfile_claim(&second, path, &holder), -EBUSY);
	ck_assert_int_eq(second.fd, -1);
	ck_assert(holder == getpid() || holder == 0);
	ck_assert_int_eq(runfile_publish(&first, &info), 0);
	ck_assert_int_eq(runfile_claim(&second, path, &holder), -EBUSY);
	ck_assert_int_eq(holder, getpid());
	runfile_remove(&second); /* harms nobody */
	ck_assert_int_eq(runfile_publish(&first, &info), 0);
	ck_assert_int_eq(runfile_claim(&second, path, &holder), -EBUSY);
	runfile_remove(&first);
	claim(&second);
	runfile_remove(&second);
}
END_TEST

/* A file that nobody locks blocks nobody: its PIDs are alive, but no mimic, or not its file. */
START_TEST(test_take_over)
{
	static const char nuls[64];
	char text[256], ours[256];
	const char *const contents[] = { "",	    "pid=", "pid=1\n", "pid=2147483647\n",
					 "garbage", text,   ours };
	struct runfile runfile;
	pid_t mimic = start_process("mimic");
	size_t i;

	make_dir(0755);
	snprintf(text, sizeof(text), "pid=%d\n", (int)getpid());
	/* The PID of a dead instance of ours can be that of another mimic now. */
	snprintf(ours, sizeof(ours), "version=0.8.0\npid=%d\ndatapath=bpf\n", (int)mimic);
	for (i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		write_file(contents[i], strlen(contents[i]));
		claim(&runfile);
		ck_assert_int_eq(file_size(), 0);
		runfile_remove(&runfile);
	}
	write_file(nuls, sizeof(nuls));
	claim(&runfile);
	runfile_remove(&runfile);
	end_process(mimic);
}
END_TEST

START_TEST(test_killed_instance)
{
	struct run_info info = sample();
	struct runfile runfile;
	int status;
	pid_t pid = fork();

	if (!pid) {
		claim(&runfile);
		info.pid = getpid();
		runfile_publish(&runfile, &info);
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_gt(file_size(), 0);
	claim(&runfile);
	ck_assert_int_eq(file_size(), 0);
	runfile_remove(&runfile);
}
END_TEST

START_TEST(test_predecessor)
{
	pid_t mimic = start_process("mimic"), other = start_process("mimicry"), holder;
	struct runfile runfile;
	char text[256];

	make_dir(0755);
	snprintf(text, sizeof(text), "version=0.7.1\npid=%d\negress_id=1\n", (int)mimic);
	write_file(text, strlen(text));
	ck_assert_int_eq(runfile_claim(&runfile, path, &holder), -EBUSY);
	ck_assert_int_eq(holder, mimic);
	ck_assert_int_eq(file_size(), (off_t)strlen(text)); /* untouched */

	kill(mimic, SIGKILL); /* a zombie for now */
	while (runfile_process_lives(mimic))
		usleep(1000);
	claim(&runfile);
	runfile_remove(&runfile);
	end_process(mimic);

	snprintf(text, sizeof(text), "version=0.7.1\npid=%d\negress_id=1\n", (int)other);
	write_file(text, strlen(text));
	claim(&runfile);
	runfile_remove(&runfile);
	end_process(other);
}
END_TEST

/* Who holds the file is told by the lock: a PID in it may have been used again. */
START_TEST(test_holder)
{
	pid_t mimic = start_process("mimic"), holder;
	struct run_info info = sample();
	struct runfile runfile;

	make_dir(0755);
	claim(&runfile);
	info.pid = getpid();
	ck_assert(!runfile_publish(&runfile, &info));
	ck_assert_int_eq(runfile_holder(path, &info), getpid());
	info.pid = mimic; /* whatever is in it */
	ck_assert_int_eq(runfile_holder(path, &info), getpid());
	runfile_remove(&runfile);
	info.pid = getpid();
	ck_assert_int_eq(runfile_holder(path, &info), getpid()); /* no file: it cannot be known */
	write_file("pid=1\n", 6);
	ck_assert_int_eq(runfile_holder(path, &info), 0);
	info.datapath[0] = '\0'; /* 0.7.x, which locks nothing */
	info.pid = mimic;
	ck_assert_int_eq(runfile_holder(path, &info), mimic);
	end_process(mimic);
	ck_assert_int_eq(runfile_holder(path, &info), 0);
	claim(&runfile);
	ck_assert_int_eq(runfile_claim(&(struct runfile){ 0 }, path, &holder), -EBUSY);
	runfile_remove(&runfile);
}
END_TEST

START_TEST(test_process_lives)
{
	pid_t pid = start_process("a (strange) name");

	ck_assert(runfile_process_lives(getpid()));
	ck_assert(runfile_process_lives(pid));
	ck_assert(!runfile_process_lives(0));
	ck_assert(!runfile_process_lives(-1));
	end_process(pid);
	ck_assert(!runfile_process_lives(pid));
}
END_TEST

START_TEST(test_not_ours_any_more)
{
	struct runfile first, second;
	struct run_info info = sample();
	pid_t holder;

	claim(&first);
	ck_assert(!runfile_is_removed(&first));
	ck_assert_int_eq(unlink(path), 0); /* somebody tidied up */
	ck_assert(runfile_is_removed(&first));
	ck_assert_int_eq(runfile_claim(&second, path, &holder), -EBUSY); /* the claim is there still */
	ck_assert_int_eq(unlink(claim_of_path()), 0);
	ck_assert(runfile_is_removed(&first));
	claim(&second);
	ck_assert(!runfile_is_removed(&first));
	ck_assert_int_eq(runfile_publish(&first, &info), -ESTALE);
	runfile_remove(&first);
	ck_assert_int_eq(file_size(), 0);
	ck_assert_int_eq(runfile_publish(&second, &info), 0);
	runfile_remove(&second);
}
END_TEST

START_TEST(test_publish_fails)
{
	struct runfile runfile;
	struct run_info info = sample();
	char blocked[RUNFILE_PATH_MAX + 8];
	off_t size;

	claim(&runfile);
	ck_assert_int_eq(runfile_publish(&runfile, &info), 0);
	size = file_size();
	snprintf(blocked, sizeof(blocked), "%s.new", path);
	ck_assert_int_eq(mkdir(blocked, 0700), 0);
	ck_assert_int_eq(runfile_publish(&runfile, &info), -EEXIST);
	ck_assert_int_eq(file_size(), size);
	ck_assert_int_eq(rmdir(blocked), 0);
	/* What a predecessor killed while publishing leaves is in nobody's way. */
	ck_assert_int_eq(symlink("/etc/passwd", blocked), 0);
	ck_assert_int_eq(runfile_publish(&runfile, &info), 0);
	ck_assert_int_ne(access(blocked, F_OK), 0);
	runfile_remove(&runfile);
}
END_TEST

/* Whoever can read the file can lock it, and keeps nobody from anything by that: not from a start, nor from publishing, nor from an end. */
START_TEST(test_locked_by_a_reader)
{
	struct runfile runfile;
	struct run_info info = sample();
	int fd;

	make_dir(0755);
	write_file("version=0.8.0\npid=1\ndatapath=bpf\n", 34); /* what a killed one left */
	fd = open(path, O_RDONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	ck_assert_int_eq(runfile_find_holder(path), 0);
	claim(&runfile);
	close(fd);
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	ck_assert_int_eq(runfile_publish(&runfile, &info), 0);
	ck_assert_int_eq(runfile_find_holder(path), getpid());
	ck_assert_int_eq(runfile_remove(&runfile), 0);
	ck_assert_int_eq(file_size(), -1);
	close(fd);
}
END_TEST

START_TEST(test_tricks)
{
	struct runfile runfile;
	pid_t holder;
	char dir[64];
	struct stat st;

	make_dir(0755);
	snprintf(dir, sizeof(dir), "%s/mimic", top);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	ck_assert_int_eq(runfile_claim(&runfile, path, &holder), -ELOOP);
	ck_assert_int_eq(access(claim_of_path(), F_OK), -1); /* a refusal leaves nothing */
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(runfile_claim(&runfile, path, &holder), -EINVAL);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("victim", claim_of_path()), 0);
	ck_assert_int_eq(runfile_claim(&runfile, path, &holder), -ELOOP);
	ck_assert_int_eq(unlink(claim_of_path()), 0);
	ck_assert_int_eq(mkdir(claim_of_path(), 0700), 0);
	ck_assert_int_eq(runfile_claim(&runfile, path, &holder), -EISDIR);
	ck_assert_int_eq(rmdir(claim_of_path()), 0);
	ck_assert_int_eq(runfile_claim(&runfile, path, &holder), 0);
	ck_assert_int_eq(stat(claim_of_path(), &st), 0);
	runfile_remove(&runfile);
	for (mode_t mode = 0775; mode <= 0777; mode += 2) {
		ck_assert_int_eq(chmod(dir, mode), 0);
		ck_assert_int_eq(runfile_claim(&runfile, path, &holder), -EPERM);
	}
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_int_eq(symlink("/etc", dir), 0);
	ck_assert_int_eq(runfile_claim(&runfile, path, &holder), -ENOTDIR);
	ck_assert_int_eq(unlink(dir), 0);
	ck_assert_int_eq(mknod(dir, S_IFREG | 0644, 0), 0);
	ck_assert_int_eq(runfile_claim(&runfile, path, &holder), -ENOTDIR);
}
END_TEST

/* Somebody was there first, and waits for us with what belongs to him. */
START_TEST(test_foreign_owner)
{
	struct runfile runfile;
	pid_t holder;
	char dir[64];
	int fd;

	if (geteuid())
		return; /* only root can give something away */
	make_dir(0755);
	snprintf(dir, sizeof(dir), "%s/mimic", top);
	ck_assert_int_eq(chown(dir, 65534, (gid_t)-1), 0);
	ck_assert_int_eq(runfile_claim(&runfile, path, &holder), -EPERM);
	ck_assert_int_eq(runfile.fd, -1);
	ck_assert_int_eq(chown(dir, 0, (gid_t)-1), 0);
	fd = open(claim_of_path(), O_RDWR | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchown(fd, 65534, (gid_t)-1), 0);
	close(fd);
	ck_assert_int_eq(runfile_claim(&runfile, path, &holder), -EPERM);
	ck_assert_int_eq(unlink(claim_of_path()), 0);
	claim(&runfile);
	runfile_remove(&runfile);
}
END_TEST

/*
 * One racer: begins when @gate closes, says whether it won, and keeps what it has until @end
 * closes. Everyone publishes at once, so that the renames race with the claims too.
 */
static void race(int gate, int end, int result)
{
	struct runfile runfile;
	struct run_info info = sample();
	char answer, byte;
	pid_t holder;
	int err;

	if (read(gate, &byte, 1) < 0)
		_exit(2);
	err = runfile_claim(&runfile, path, &holder);
	if (!err)
		err = runfile_publish(&runfile, &info);
	answer = !err ? 'w' : err == -EBUSY ? 'b' : '?';
	if (write(result, &answer, 1) != 1 || read(end, &byte, 1) < 0)
		_exit(2);
	if (!err)
		runfile_remove(&runfile);
	_exit(0);
}

static void round_of_racers(int *winners, int *refused)
{
	int gate[2], end[2], result[2], i;
	char answer;

	ck_assert(!pipe(gate) && !pipe(end) && !pipe(result));
	for (i = 0; i < RACERS; i++) {
		if (fork())
			continue;
		close(gate[1]);
		close(end[1]);
		race(gate[0], end[0], result[1]);
	}
	close(gate[1]);
	close(result[1]);
	while (read(result[0], &answer, 1) == 1) {
		*winners += answer == 'w';
		*refused += answer == 'b';
		if (*winners + *refused == RACERS)
			close(end[1]);
	}
	while (wait(NULL) > 0)
		;
	close(gate[0]);
	close(end[0]);
	close(result[0]);
}

START_TEST(test_race)
{
	int round, winners, refused;

	for (round = 0; round < ROUNDS; round++) {
		winners = refused = 0;
		/* Every third begins with a file that was left. */
		if (round % 3 == 2)
			write_file("pid=1\n", 6);
		round_of_racers(&winners, &refused);
		ck_assert_int_eq(winners, 1);
		ck_assert_int_eq(refused, RACERS - 1);
		ck_assert_int_eq(file_size(), -1);
	}
}
END_TEST

/* Claims and removals without end: never two at a time inside. */
START_TEST(test_race_with_removal)
{
	int i, status, failures = 0;
	char inside[128];

	snprintf(inside, sizeof(inside), "%s/inside", top);
	for (i = 0; i < 8; i++) {
		int n, fd, bad = 0;
		struct runfile runfile;
		struct run_info info;
		pid_t holder;

		if (fork())
			continue;
		info = sample();
		for (n = 0; n < 2000; n++) {
			if (runfile_claim(&runfile, path, &holder))
				continue;
			fd = open(inside, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
			bad |= fd < 0;
			bad |= runfile_publish(&runfile, &info) != 0;
			bad |= unlink(inside) != 0;
			close(fd);
			runfile_remove(&runfile);
		}
		_exit(bad);
	}
	while (wait(&status) > 0)
		failures += status != 0;
	ck_assert_int_eq(failures, 0);
}
END_TEST

/* The lock passes to a successor with its descriptor; the path leads to the predecessor's file until the successor's is there. */
START_TEST(test_inherit)
{
	struct runfile old, next = RUNFILE_INIT, third;
	struct run_info info = sample(), read;
	char longest[RUNFILE_PATH_MAX + 1];
	pid_t holder;
	int fd;

	claim(&old);
	ck_assert_int_eq(runfile_publish(&old, &info), 0);
	fd = dup(old.fd); /* as SCM_RIGHTS does */
	ck_assert_int_ge(fd, 0);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_int_eq(runfile_inherit(&next, longest, fd), -ENAMETOOLONG);
	ck_assert_int_eq(next.fd, -1);
	ck_assert_int_eq(runfile_inherit(&next, path, fd), 0);
	ck_assert(runfile_is_ours(&old));
	ck_assert(runfile_is_ours(&next));

	/* A successor that gives up leaves everything as it was. */
	runfile_leave(&next);
	ck_assert(runfile_is_ours(&old));
	ck_assert_int_eq(runfile_claim(&third, path, &holder), -EBUSY);

	ck_assert_int_eq(runfile_inherit(&next, path, dup(old.fd)), 0);
	info.pid = getppid();
	ck_assert_int_eq(runfile_publish(&next, &info), 0);
	ck_assert(!runfile_is_ours(&old));
	ck_assert(runfile_is_ours(&next));
	runfile_remove(&old); /* not its own any more */
	ck_assert_int_eq(runfile_read(path, &read), 0);
	ck_assert_int_eq(read.pid, getppid());
	runfile_free_info(&read);
	ck_assert_int_eq(runfile_claim(&third, path, &holder), -EBUSY);
	runfile_remove(&next);
	ck_assert_int_eq(file_size(), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("runfile");
	TCase *tcase = tcase_create("content");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_path);
	tcase_add_test(tcase, test_life);
	tcase_add_test(tcase, test_content);
	tcase_add_test(tcase, test_read_back);
	tcase_add_test(tcase, test_read_tolerant);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("claim");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_second_is_refused);
	tcase_add_test(tcase, test_take_over);
	tcase_add_test(tcase, test_killed_instance);
	tcase_add_test(tcase, test_predecessor);
	tcase_add_test(tcase, test_holder);
	tcase_add_test(tcase, test_process_lives);
	tcase_add_test(tcase, test_not_ours_any_more);
	tcase_add_test(tcase, test_publish_fails);
	tcase_add_test(tcase, test_inherit);
	tcase_add_test(tcase, test_locked_by_a_reader);
	tcase_add_test(tcase, test_tricks);
	tcase_add_test(tcase, test_foreign_owner);
	tcase_add_test(tcase, test_race);
	tcase_add_test(tcase, test_race_with_removal);
	suite_add_tcase(suite, tcase);

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
