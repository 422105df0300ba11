// SPDX-License-Identifier: GPL-2.0-only
/* `mimic run`: from the configuration to a running daemon, and back to nothing. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "args.h"
#include "attach.h"
#include "config.h"
#include "daemon.h"
#include "datapath.h"
#include "filter_list.h"
#include "kfunc.h"
#include "live.h"
#include "log.h"
#include "netif.h"
#include "privileges.h"
#include "runfile.h"
#include "settings.h"
#include "service.h"
#include "staging.h"
#include "succession.h"
#include "syscalls.h"
#include "util.h"

enum {
	RUN_LOG_PATIENCE_MS = 1000, /* at the start, for libbpf's long words (-vv); no signal is taken meanwhile */
};

/* Everything of a run, in the order in which it is made; taken down in reverse. */
struct run {
	const struct args_run *args;
	struct config config;
	struct conn_settings settings;
	struct netif netif;
	enum link_type link_type;
	struct filter_list filters;
	struct live live;
	struct runfile runfile;
	struct datapath datapath;
	struct daemon daemon;
	bool daemon_open;
	struct attachment attachment;
	struct staging staging;
	struct succession succession;
};

static int run_configure(struct run *run)
{
	const struct conn_settings defaults = CONN_SETTINGS_DEFAULT;
	int err = config_copy(&run->config, &run->args->config);

	if (err)
		return err;
	log_set_level((int)run->config.log_level);
	err = config_load(&run->config, run->args->file, NULL, NULL);
	if (err)
		return err;
	log_set_level((int)run->config.log_level);
	run->settings = defaults;
	settings_apply(&run->settings, &run->config.settings);
	return 0;
}

static int run_open_netif(struct run *run)
{
	int err = netif_open(&run->netif, run->args->ifname);

	if (err == -ENODEV) {
		log_error("There is no interface %s; `ip link` lists the interfaces", run->args->ifname);
		return err;
	}
	if (err) {
		log_error("Cannot read the interface %s: %s", run->args->ifname, strerror(-err));
		return err;
	}
	run->link_type = run->config.link_type ? run->config.link_type : run->netif.link_type;
	if (run->netif.link_type && run->link_type != run->netif.link_type)
		log_warn("Packets of %s %s with an Ethernet header, so --link-type=%s will match nothing", run->netif.name,
			 run->netif.link_type == LINK_TYPE_ETH ? "begin" : "do not begin", netif_link_type_name(run->link_type));
	if (run->link_type)
		return 0;
	log_error("Interface %s is of a kind that is not known (ARPHRD %u): say with --link-type=eth or none whether its "
		  "packets begin with an Ethernet header",
		  run->netif.name, run->netif.arphrd);
	return -EINVAL;
}

static int run_publish(void *context);

static int run_make_filters(struct run *run)
{
	run->live = (struct live){
		.args = run->args,
		.config = &run->config,
		.settings = &run->settings,
		.filters = &run->filters,
		.netif = &run->netif,
		.datapath = &run->datapath,
		.clock = &run->daemon.clock,
		.publish = run_publish,
		.context = run,
		.ethernet = run->link_type == LINK_TYPE_ETH,
		.lenient = run->args->takeover || !handover_is_empty(&run->succession.handover) || service_is_one(),
	};
	return live_start(&run->live);
}

/* A file with an error is looked at to its end: whoever has to correct it gets to know all. */
static int run_prepare(struct run *run)
{
	int bad = run_configure(run), err = 0;

	if (bad && bad != -EINVAL)
		return bad;
	err = run_open_netif(run);
	if (!err && !bad && !run->config.filter_count)
		log_warn("No filter is given: no packet will be changed (see --filter)");
	if (!err)
		err = run_make_filters(run);
	return bad ? bad : err;
}

static int run_lock_path(const struct run *run, char *path, size_t size)
{
	return runfile_path(path, size, RUNFILE_DIR, run->netif.netns, run->netif.ifindex);
}

/* Finds out whether there is somebody to follow. --check follows nobody. */
static int run_begin(struct run *run)
{
	char path[RUNFILE_PATH_MAX];
	int err = run_lock_path(run, path, sizeof(path));

	return err ? err : succession_begin(&run->succession, path, run->args->takeover && !run->args->check);
}

static const char *run_claim_remedy(int err)
{
	switch (err) {
	case -EACCES:
		return "Mimic has to run as root";
	case -EPERM:
		return geteuid() ? "Mimic has to run as root"
				 : RUNFILE_DIR " and what is there has to belong to root, and nobody else may write there (chown -R root:root " RUNFILE_DIR
				   "; chmod -R go-w " RUNFILE_DIR ")";
	case -ENOTDIR:
		return RUNFILE_DIR " has to be a directory, and no symbolic link to one";
	case -EROFS:
	case -ENOSPC:
	case -EDQUOT:
		return "Mimic has to write there";
	default:
		return "remove what is there if it is no file of Mimic's";
	}
}

static int run_claim(struct run *run)
{
	char path[RUNFILE_PATH_MAX];
	pid_t holder = 0;
	int err = run_lock_path(run, path, sizeof(path));

	if (!err)
		err = succession_claim(&run->succession, path, &holder);
	if (err == -EBUSY)
		log_error("Mimic already runs on %s, as process %d; stop it first (mimic stop %s)%s", run->netif.name, (int)holder,
			  run->netif.name, run->args->takeover ? "; there is nothing to take over from it" : ", or take its place (--takeover)");
	else if (err)
		log_error("Cannot lock %s: %s; %s", path, strerror(-err), run_claim_remedy(err));
	return err;
}

/* What an instance left that was killed goes before anything can fail: nobody serves it any more. */
static void run_clear(struct run *run)
{
	attach_clear(&run->attachment, run->netif.ifindex);
	staging_clear(&run->netif);
}

static enum datapath_level run_level(const struct run *run)
{
	return run->datapath.gso ? LEVEL_GSO : run->datapath.kfunc ? LEVEL_KFUNC : LEVEL_BPF;
}

/* asked: LEVEL_KFUNC or LEVEL_GSO */
static int run_refuse_level(enum datapath_level asked, const struct kfunc_probe *module)
{
	const char *name = config_datapath_name(asked);

	if (module->state == KFUNC_ABSENT)
		log_error("Datapath %s is not possible: %s (mimic(7) says how, under KERNEL MODULE); without --datapath=%s it is not needed",
			  name, module->why, name);
	else
		log_error("Datapath %s is not possible: %s", name, module->why);
	return -ENOTSUP;
}

/* Says at which level the datapath runs, and why at no better one. -ENOTSUP: it had to be kfunc or gso. */
static int run_check_level(const struct run *run, struct kfunc_probe *module)
{
	const char *object = run->datapath.kind == DATAPATH_FULL ? "full" : "plain";

	if (run->datapath.kfunc) {
		log_info("Datapath: %s, with the kernel module mimic " PACKAGE_VERSION, config_datapath_name(run_level(run)));
		return 0;
	}
	if (run->config.datapath == LEVEL_BPF) {
		log_info("Datapath: bpf (%s object), as configured", object);
		return 0;
	}
	if (module->state == KFUNC_READY)
		kfunc_explain_refusal(module);
	if (run->config.datapath != LEVEL_AUTO)
		return run_refuse_level(run->config.datapath, module);
	if (module->state == KFUNC_ABSENT)
		log_info("Datapath: bpf (%s object); not kfunc: %s, and not needed", object, module->why);
	else
		log_warn("Datapath: bpf (%s object); not kfunc: %s", object, module->why);
	return 0;
}

static int run_open_datapath(struct run *run)
{
	struct kfunc_probe module = { .state = KFUNC_ABSENT };
	struct datapath_options options = {
		.ethernet = run->link_type == LINK_TYPE_ETH,
		.ifindex = (uint32_t)run->netif.ifindex,
	};
	char path[RUNFILE_PATH_MAX];
	const char *why = NULL;
	int err;

	/* No marks that somebody else uses, and not 0, which most packets have. */
	if (getrandom(&options.release_mark, sizeof(options.release_mark), 0) < 0 ||
	    getrandom(&options.isn_key, sizeof(options.isn_key), 0) < 0)
		return -errno;
	options.release_mark |= 1;
	options.staged_mark = options.release_mark ^ 2;
	succession_apply(&run->succession, &options);
	if (run->config.datapath != LEVEL_BPF)
		kfunc_probe(&module);
	options.kfunc = module.state == KFUNC_READY;
	/*
	 * Not by itself: a superpacket that leaves whole must be cut before it arrives, since XDP in skb mode drops what is longer than the
	 * MTU, and a device may hand it to a receiver on this machine as it is.
	 */
	options.gso = options.kfunc && run->config.datapath == LEVEL_GSO;
	if (run->config.datapath > LEVEL_BPF && !options.kfunc)
		return run_refuse_level(run->config.datapath, &module);
	err = datapath_open(&run->datapath, &options, &why);
	if (err) {
		log_error("Cannot load the BPF programs: %s (error %d)", why, -err);
		return err;
	}
	err = run_check_level(run, &module);
	if (!err)
		err = run_lock_path(run, path, sizeof(path));
	if (!err)
		err = succession_pause(&run->succession, path);
	if (err)
		return err;
	run->daemon_open = true;
	err = daemon_open(&run->daemon, &run->netif, &run->datapath, &options);
	if (!err)
		err = daemon_follow(&run->daemon, &run->live);
	if (err)
		return err;
	if (succession_open_staging(&run->succession)) {
		log_warn("Going on without a staging device: UDP GSO and some tunnels' packets will be dropped");
		return 0;
	}
	run->datapath.shared->staging_ifindex = run->staging.near_ifindex;
	run->daemon.staging = &run->staging;
	return 0;
}

/* Those of the instance before that are no more go last. */
static int run_set_filters(void *context)
{
	_cleanup_filter_list_ struct filter_list before = { 0 };
	struct run *run = context;
	int err = handover_read_filters(&run->datapath, &before);

	if (err)
		log_error("Cannot read the filters of the instance before: %s", strerror(-err));
	return err ? err : live_set_filters(&run->live, &before);
}

static struct bpf_object *run_open_ingress(void *context)
{
	const struct run *run = context;

	return datapath_open_ingress(&run->datapath);
}

static int run_attach_xdp(struct run *run)
{
	int err = -ENOPKG;

	if (run->config.use_libxdp)
		err = attach_ingress_shared(&run->attachment, run->netif.ifindex, run_open_ingress, run, run->config.xdp_mode);
	if (err == -ENOPKG)
		err = attach_ingress(&run->attachment, run->netif.ifindex, run->datapath.ingress_fd, run->config.xdp_mode);
	return err;
}

/* Nothing matches before the filters are set, which is last: no half-set-up datapath changes a packet. */
static int run_attach(struct run *run)
{
	int err;

	if (run->succession.follows && run->config.use_libxdp)
		log_warn("XDP stays attached as it is, without libxdp: for that stop Mimic (mimic stop %s), then start it", run->netif.name);
	if (run->succession.follows)
		err = succession_attach(&run->succession, run->config.xdp_mode);
	else
		err = run_attach_xdp(run);
	if (err)
		return err;
	run->datapath.shared->xdp_native = run->attachment.xdp_mode == XDP_MODE_NATIVE;
	if (!run->succession.follows)
		err = attach_tc(&run->attachment, run->netif.ifindex, run->datapath.repair_fd, run->datapath.egress_fd);
	return err ? err : run_set_filters(run);
}

static int run_publish(void *context)
{
	struct run *run = context;
	_cleanup_run_info_ struct run_info info = {
		.pid = getpid(),
		.egress_id = datapath_prog_id(run->datapath.egress_fd),
		.ingress_id = datapath_prog_id(run->attachment.libxdp.program ? libxdp_fd(&run->attachment.libxdp) : run->datapath.ingress_fd),
		.whitelist_id = datapath_map_id(run->datapath.filters_fd),
		.counters_id = datapath_map_id(run->datapath.counters_fd),
		.conns_id = datapath_map_id(run->datapath.conns_fd),
		.totals_id = datapath_map_id(run->datapath.totals_fd),
		.traces_id = datapath_map_id(run->datapath.traces_fd),
		.shared_id = datapath_map_id(run->datapath.shared_fd),
		.settings = run->settings,
	};
	int err;

	snprintf(info.version, sizeof(info.version), "%s", PACKAGE_VERSION);
	snprintf(info.link_type, sizeof(info.link_type), "%s", netif_link_type_name(run->link_type));
	snprintf(info.xdp_mode, sizeof(info.xdp_mode), "%s", config_xdp_mode_name(run->attachment.xdp_mode));
	snprintf(info.datapath, sizeof(info.datapath), "%s",
		 config_datapath_name(run_level(run)));
	err = runfile_set_filters(&info, &run->filters);
	if (!err)
		err = runfile_publish(&run->runfile, &info);
	if (err && err != run->succession.unpublished) /* a second later it is no news */
		log_error("Cannot write the lock file %s: %s", run->runfile.path, strerror(-err));
	run->succession.unpublished = err;
	return err;
}

/* With the lock. -ECANCELED: the instance to follow was stopped meanwhile. */
static int run_load(struct run *run)
{
	int err = run_claim(run);

	if (err)
		return err;
	if (!run->succession.follows)
		run_clear(run);
	return run_open_datapath(run);
}

static int run_start(struct run *run)
{
	int err;

	succession_init(&run->succession);
	err = run_prepare(run);
	if (!err) {
		signal(SIGPIPE, SIG_IGN); /* whoever reads our messages may go before us */
		daemon_block_signals();
		log_set_patience(RUN_LOG_PATIENCE_MS);
		err = run_begin(run);
	}
	if (err)
		return err;
	err = run_load(run);
	if (err == -ECANCELED) {
		log_info("The instance to take over from was stopped meanwhile: starting afresh");
		datapath_close(&run->datapath);
		succession_forget(&run->succession);
		err = run_load(run);
	}
	if (!err)
		err = run_attach(run);
	if (err && run->runfile.fd >= 0)
		log_info("`mimic check %s` looks for what hinders Mimic, and says what to do", run->netif.name);
	return err;
}

/* What an instance left that nobody can go on with. */
static void run_discard(struct run *run)
{
	if (run->succession.borrowed || run->succession.follows || handover_is_empty(&run->succession.handover))
		return;
	if (run->netif.ifindex || !netif_open(&run->netif, run->args->ifname))
		run_clear(run);
}

/* In reverse. What belongs to somebody else stays as it is. */
static void run_take_down(struct run *run)
{
	if (run->succession.borrowed) {
		attach_leave(&run->attachment);
		staging_leave(&run->staging);
		return;
	}
	if (!run->args->check && run->datapath.shared)
		live_end_guard(&run->live); /* before anything gets past the filters */
	if (run->datapath.shared)
		datapath_clear_filters(&run->datapath);
	if (run->daemon_open)
		daemon_reset_peers(&run->daemon);
	/* It failed before it attached: which TC filters and devices the instance before has left, nobody knows yet. */
	if (run->succession.follows && !run->attachment.ifindex && run->runfile.fd >= 0)
		run_clear(run);
	attach_detach(&run->attachment);
	staging_close(&run->staging);
}

/* The lock file is the predecessor's until that has ended, and the successor's who has published his own. */
static void run_leave_lock(struct run *run)
{
	char path[RUNFILE_PATH_MAX];
	int err;

	if (run->succession.borrowed && (run->succession.follows || run->succession.takeover.given)) {
		runfile_leave(&run->runfile);
		return;
	}
	memcpy(path, run->runfile.path, sizeof(path));
	err = runfile_remove(&run->runfile);
	if (err)
		log_warn("Cannot remove the lock file %s: %s; the next start takes it over", path, strerror(-err));
}

static void run_stop(struct run *run)
{
	service_stopping();
	run_discard(run);
	run_take_down(run);
	succession_close(&run->succession);
	if (run->daemon_open)
		daemon_close(&run->daemon);
	datapath_close(&run->datapath);
	run_leave_lock(run);
	live_close(&run->live);
	filter_list_free(&run->filters);
	netif_close(&run->netif);
	config_free(&run->config);
}

/* What the file was opened by may be gone: a reload would find that out when it is too late. */
static void run_check_file(const char *path)
{
	_cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (path && fd < 0 && errno == EACCES)
		log_warn("A reload will not be able to read %s, since Mimic keeps no privilege to read files of other users: it has to belong to root, or to be "
			 "readable for all", path);
}

/* Everything is set up: from now on the process can do what it still has to, and little besides. */
static void run_confine(const struct run *run)
{
	int err = privileges_keep(run->attachment.libxdp.program);

	if (err)
		log_warn("Cannot give up privileges that are not needed any more: %s", strerror(-err));
	else
		run_check_file(run->args->file);
	err = syscalls_restrict();
	if (err == -EINVAL || err == -ENOTSUP)
		log_debug("All system calls stay: %s", err == -EINVAL ? "this kernel has no seccomp filters" : "this program was built without libseccomp");
	else if (err)
		log_warn("Cannot give up system calls that are not needed any more: %s", strerror(-err));
}

static int run_serve(struct run *run)
{
	size_t filters = filter_list_effective(&run->filters);
	char status[128];
	int err = run_publish(run);

	if (err)
		return err;
	succession_complete(&run->succession);
	run_confine(run);
	snprintf(status, sizeof(status), "%s on %s, %zu filter%s, XDP mode %s",
		 run->succession.follows ? "Mimic goes on, without a break," : "Mimic runs", run->netif.name, filters,
		 filters == 1 ? "" : "s", config_xdp_mode_name(run->attachment.xdp_mode));
	log_info("%s", status);
	service_ready(status);
	err = daemon_loop(&run->daemon);
	succession_end(&run->succession);
	return err;
}

int cmd_run(const struct args_run *args)
{
	struct run run = {
		.args = args,
		.config = CONFIG_INIT,
		.runfile = RUNFILE_INIT,
		.attachment = ATTACHMENT_INIT,
		.staging = STAGING_INIT,
	};
	int err;

	run.succession = (struct succession){
		.netif = &run.netif,
		.runfile = &run.runfile,
		.datapath = &run.datapath,
		.daemon = &run.daemon,
		.attachment = &run.attachment,
		.staging = &run.staging,
		.set_filters = run_set_filters,
		.publish = run_publish,
		.context = &run,
	};
	err = run_start(&run);

	if (!err && args->check) {
		log_info("Check passed: Mimic can run on %s (XDP mode %s)", run.netif.name,
			 config_xdp_mode_name(run.attachment.xdp_mode));
	} else if (!err) {
		err = run_serve(&run);
	}
	run_stop(&run);
	return err;
}
