// SPDX-License-Identifier: GPL-2.0-only
#include "daemon.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "control.h"
#include "filter.h"
#include "ifwatch.h"
#include "log.h"
#include "reasons.h"
#include "reload.h"
#include "service.h"
#include "slept.h"
#include "util.h"

enum {
	DAEMON_EPOLL_EVENTS = 8,
	DAEMON_EVENTS_AT_ONCE = 1024, /* more than one run of the command program makes */
	DAEMON_SENDS_AT_ONCE = 2, /* tries to send a datagram before the next tick */
	DAEMON_SENDS_MAX = 40,	  /* and in all: a second of ticks */
	DAEMON_NEWS_MAX = 10, /* lines about connections that come, and as many about those that go, in DAEMON_NEWS_S: */
	DAEMON_NEWS_S = 10,   /* a peer, or who pretends to be one, makes as many as it likes */
	DAEMON_WIREGUARD_IPV4 = 20 + 20 + 32, /* bytes of IP, TCP and WireGuard around one of its packets */
	DAEMON_WIREGUARD_IPV6 = 40 + 20 + 32,
};

#define DAEMON_HELD_TAG (1ULL << 32)
#define DAEMON_SOURCE_TAG (1ULL << 33)

static struct log_burst daemon_established = LOG_BURST_INIT(DAEMON_NEWS_MAX, DAEMON_NEWS_S, "connections established");
static struct log_burst daemon_lost = LOG_BURST_INIT(DAEMON_NEWS_MAX, DAEMON_NEWS_S, "connections lost");

/* ---- from BPF ---- */

static void daemon_log_event(const struct mimic_event *event, uint64_t now_ns)
{
	char local[FILTER_ENDPOINT_MAX], remote[FILTER_ENDPOINT_MAX];
	static struct log_rate failed = LOG_RATE_INIT(5), too_big = LOG_RATE_INIT(30);

	if (!(event->notify & (NOTIFY_ESTABLISHED | NOTIFY_LOST | NOTIFY_FAILED | NOTIFY_TOO_BIG | NOTIFY_CLOSED)))
		return;
	filter_print_endpoint(local, sizeof(local), &event->key.local, event->key.local_port);
	filter_print_endpoint(remote, sizeof(remote), &event->key.remote, event->key.remote_port);
	if (event->notify & NOTIFY_LOST)
		log_burst(&daemon_lost, now_ns, "%s => %s: connection lost", local, remote);
	if (event->notify & NOTIFY_CLOSED)
		log_burst(&daemon_lost, now_ns, "%s => %s: connection closed, since its filter was removed or changed", local,
			  remote);
	if (event->notify & NOTIFY_ESTABLISHED)
		log_burst(&daemon_established, now_ns, "%s => %s: established", local, remote);
	if (event->notify & NOTIFY_TOO_BIG)
		log_rate_limited(&too_big, LOG_LEVEL_WARN,
				 "%s => %s: a datagram does not fit the MTU of the interface as TCP; IP packets of this program "
				 "may have %u bytes (a WireGuard interface needs an MTU of %u)",
				 local, remote, event->too_big,
				 event->too_big - (addr_is_ipv4(&event->key.local) ? 60U : 80U));
	if (event->notify & NOTIFY_FAILED)
		log_rate_limited(&failed, LOG_LEVEL_WARN,
				 "%s => %s: no answer; is Mimic running there, and does the network let TCP through?",
				 local, remote);
}

static void daemon_send_replies(struct daemon *daemon, const struct mimic_event *event)
{
	static struct log_rate rate = LOG_RATE_INIT(5);

	for (int i = 0; i < CONN_REPLIES; i++) {
		uint8_t frame[CONTROL_FRAME_MAX];
		size_t len;
		int err;

		if (!event->reply[i].flags)
			continue;
		len = control_build(frame, event, &event->reply[i], daemon->mtu, &daemon->next_ip_id);
		err = control_send(daemon->control_fd, daemon->netif->ifindex, frame, len, event->l2.len);
		if (err)
			log_rate_limited(&rate, LOG_LEVEL_WARN, "Cannot send a control segment on %s: %s",
					 daemon->netif->name, strerror(-err));
	}
}

/* Not an ACK of data: the clock has nothing to do there. */
static bool daemon_is_news(const struct mimic_event *event)
{
	return event->notify || event->reply[0].flags != TCP_ACK || event->reply[0].payload_len || event->reply[1].flags;
}

static int daemon_on_event(void *context, void *data, size_t size)
{
	struct daemon *daemon = context;
	const struct mimic_event *event = data;
	uint64_t now_ns = clock_now_ns();

	if (size == sizeof(struct mimic_stray))
		stray_note(&daemon->stray, data);
	if (size < sizeof(*event))
		return 0;
	log_trace("event: notify %#x, epoch %u, limit %u, replies %#x %#x", event->notify, event->epoch,
		  event->release_limit, event->reply[0].flags, event->reply[1].flags);
	/* Replies first: the last ACK of the handshake goes before the datagrams that it sets free. */
	daemon_send_replies(daemon, event);
	if (event->notify & NOTIFY_FLUSH)
		waiting_flush(&daemon->waiting, &event->key, event->epoch, now_ns);
	if (event->notify & NOTIFY_LOST)
		waiting_close_queue(&daemon->waiting, &event->key);
	if (event->notify & NOTIFY_RELEASE)
		waiting_release(&daemon->waiting, &event->key, event->epoch, event->release_limit, now_ns);
	if (daemon_is_news(event))
		clock_watch(&daemon->clock, &event->key, now_ns);
	if (event->notify & (NOTIFY_LOST | NOTIFY_FAILED) && daemon->live)
		live_doubt(daemon->live, &event->key, now_ns);
	daemon_log_event(event, now_ns);
	/* Producers may be faster for ever: somebody else's turn comes all the same. */
	return ++daemon->events_taken % DAEMON_EVENTS_AT_ONCE ? 0 : -EAGAIN;
}

static void daemon_take_events(void *context)
{
	struct daemon *daemon = context;

	if (daemon->events)
		ring_buffer__consume(daemon->events);
}

static void daemon_share_waiting(struct daemon *daemon)
{
	*(volatile __u32 *)&daemon->datapath->shared->held_frame_bytes = (__u32)daemon->waiting.bytes;
}

static void daemon_on_held(void *context, const struct mimic_held *meta, const uint8_t *frame)
{
	static struct log_rate rate = LOG_RATE_INIT(5);
	struct daemon *daemon = context;
	int err;

	log_trace("waits: number %u, end %u, payload %u, frame %u, epoch %u", meta->number, meta->end,
		  meta->payload_len, meta->frame_len, meta->epoch);
	err = waiting_add(&daemon->waiting, meta, frame, clock_now_ns());
	daemon_share_waiting(daemon);
	if (err)
		log_rate_limited(&rate, LOG_LEVEL_WARN, "Cannot keep a datagram until the handshake is done: %s",
				 strerror(-err));
}

/*
 * ENOBUFS: the device or its queue is full, or BPF wants it to wait on, since the connection was lost meanwhile. It goes
 * once more, at once, and if that does not help at the next tick.
 */
static int daemon_send_released(void *context, struct waiting_frame *frame)
{
	struct daemon *daemon = context;
	int err;

	for (int i = 0; i < DAEMON_SENDS_AT_ONCE; i++) {
		err = control_send(daemon->release_fd, daemon->netif->ifindex, frame->bytes, frame->len, frame->l3_off);
		if (err != -ENOBUFS)
			return err;
		frame->tries++;
		sched_yield();
	}
	return frame->tries >= DAEMON_SENDS_MAX ? err : -EAGAIN;
}

static void daemon_flush_sent(struct daemon *daemon)
{
	datapath_command(daemon->datapath, COMMAND_SENT, daemon->sent, daemon->sent_count);
	daemon->sent_count = 0;
}

static void daemon_note_sent(void *context, const struct conn_key *key, uint32_t epoch, uint32_t count,
			     uint32_t payload_len)
{
	struct daemon *daemon = context;

	daemon->sent[daemon->sent_count++] = (struct mimic_command_entry){
		.key = *key, .epoch = epoch, .count = count, .payload_len = payload_len,
	};
	if (daemon->sent_count == MIMIC_COMMANDS_MAX)
		daemon_flush_sent(daemon);
}

static void daemon_settle(struct daemon *daemon)
{
	waiting_settle(&daemon->waiting);
	daemon_flush_sent(daemon);
	daemon_share_waiting(daemon);
}

static void daemon_note_lost(void *context, const struct conn_key *key, uint32_t epoch, uint32_t count,
			     uint32_t payload_len)
{
	struct daemon *daemon = context;
	struct mimic_command_entry entry = {
		.key = *key, .epoch = epoch, .count = count, .payload_len = payload_len,
	};

	daemon_flush_sent(daemon); /* what went before it */
	datapath_command(daemon->datapath, COMMAND_LOST, &entry, 1);
}

/* ---- set-up ---- */

static void daemon_signal_set(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGHUP);
}

void daemon_block_signals(void)
{
	sigset_t signals;

	daemon_signal_set(&signals);
	sigprocmask(SIG_BLOCK, &signals, NULL);
}

static int daemon_open_fds(struct daemon *daemon, const struct datapath_options *options)
{
	struct itimerspec timer = {
		.it_interval.tv_nsec = CLOCK_FAST_NS,
		.it_value.tv_nsec = CLOCK_FAST_NS,
	};
	sigset_t signals;

	daemon->control_fd = control_open(daemon->netif->ifindex, options->release_mark);
	if (daemon->control_fd < 0)
		return daemon->control_fd;
	daemon->release_fd = control_open(daemon->netif->ifindex, options->release_mark);
	if (daemon->release_fd < 0)
		return daemon->release_fd;
	daemon->link_fd = ifwatch_open();
	if (daemon->link_fd < 0)
		return daemon->link_fd;
	daemon_signal_set(&signals);
	daemon->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	daemon->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	daemon->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (daemon->signal_fd < 0 || daemon->timer_fd < 0 || daemon->epoll_fd < 0 ||
	    timerfd_settime(daemon->timer_fd, 0, &timer, NULL))
		return -errno;
	return 0;
}

/* What comes back from epoll_wait() is the descriptor, or DAEMON_HELD_TAG and more. */
static int daemon_watch_all(struct daemon *daemon)
{
	const int fds[] = { daemon->signal_fd, daemon->timer_fd, daemon->link_fd, ring_buffer__epoll_fd(daemon->events) };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uint64_t)fds[i] };

		if (epoll_ctl(daemon->epoll_fd, EPOLL_CTL_ADD, fds[i], &event))
			return -errno;
	}
	return held_open(&daemon->held, daemon->datapath->held_fd, daemon->epoll_fd, DAEMON_HELD_TAG);
}

/* What BPF compares with and SYNs announce: no more than the programs handle. */
static void daemon_set_mtu(struct daemon *daemon, uint32_t mtu)
{
	daemon->netif_mtu = mtu;
	daemon->mtu = mtu < MIMIC_MTU_MAX ? mtu : MIMIC_MTU_MAX;
	*(volatile __u32 *)&daemon->datapath->shared->mtu = daemon->mtu;
}

int daemon_open(struct daemon *daemon, const struct netif *netif, struct datapath *datapath,
		const struct datapath_options *options)
{
	const struct waiting_ops ops = {
		.send = daemon_send_released,
		.sent = daemon_note_sent,
		.lost = daemon_note_lost,
		.context = daemon,
	};
	int err;

	memset(daemon, 0, sizeof(*daemon));
	daemon->slept_ns = slept_ns();
	daemon->held = (struct held)HELD_INIT;
	daemon->held.take = daemon_on_held;
	daemon->held.context = daemon;
	daemon->next_ip_id = (uint16_t)(clock_now_ns() >> 10);
	daemon->netif = netif;
	daemon->datapath = datapath;
	daemon_set_mtu(daemon, netif->mtu);
	daemon->control_fd = daemon->release_fd = daemon->link_fd = -1;
	daemon->epoll_fd = daemon->signal_fd = daemon->timer_fd = -1;
	for (size_t i = 0; i < DAEMON_SOURCES_MAX; i++)
		daemon->sources[i].fd = -1;
	waiting_init(&daemon->waiting, &ops, MIMIC_HELD_TOTAL_BYTES);
	err = clock_init(&daemon->clock, datapath, daemon_take_events, daemon);
	if (!err)
		err = daemon_open_fds(daemon, options);
	if (!err) {
		daemon->events = ring_buffer__new(datapath->events_fd, daemon_on_event, daemon, NULL);
		err = daemon->events ? daemon_watch_all(daemon) : -errno;
	}
	if (err)
		log_error("Cannot set up the daemon: %s", strerror(-err));
	return err;
}

int daemon_follow(struct daemon *daemon, struct live *live)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uint64_t)resolver_fd(live->resolver) };

	if (epoll_ctl(daemon->epoll_fd, EPOLL_CTL_ADD, resolver_fd(live->resolver), &event)) {
		int err = -errno;

		log_error("Cannot set up the daemon: %s", strerror(-err));
		return err;
	}
	daemon->live = live;
	live_watch_walks(live);
	return 0;
}

int daemon_add_source(struct daemon *daemon, int fd, bool (*ready)(void *context), void *context)
{
	for (size_t i = 0; i < DAEMON_SOURCES_MAX; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u64 = DAEMON_SOURCE_TAG + i };

		if (daemon->sources[i].fd >= 0)
			continue;
		if (epoll_ctl(daemon->epoll_fd, EPOLL_CTL_ADD, fd, &event))
			return -errno;
		daemon->sources[i] = (struct daemon_source){ fd, ready, context };
		return 0;
	}
	return -ENOSPC;
}

void daemon_forget_source(struct daemon *daemon, int fd)
{
	for (size_t i = 0; i < DAEMON_SOURCES_MAX; i++) {
		if (daemon->sources[i].fd == fd)
			daemon->sources[i].fd = -1;
	}
}

/* ---- the loop ---- */

/* Whether the loop shall end. An event may be left of a source that is removed by now. */
static bool daemon_on_source(struct daemon *daemon, uint64_t tag)
{
	const struct daemon_source source = daemon->sources[tag - DAEMON_SOURCE_TAG];

	return source.fd >= 0 && source.ready(source.context);
}

/*
 * The MTU may change at any time; BPF compares with it, SYNs carry it. False: the interface is gone. Its name may have
 * changed, so it is asked for by its index.
 */
static bool daemon_follow_netif(struct daemon *daemon)
{
	struct ifreq request = { .ifr_ifindex = daemon->netif->ifindex };

	if (ioctl(daemon->control_fd, SIOCGIFNAME, &request))
		return errno != ENODEV;
	if (ioctl(daemon->control_fd, SIOCGIFMTU, &request))
		return true; /* renamed this very moment: the next second will tell */
	if ((uint32_t)request.ifr_mtu != daemon->netif_mtu)
		log_info("The MTU of %s is %d now, so a WireGuard interface needs %d over IPv4, %d over IPv6, less the padding",
			 daemon->netif->name, request.ifr_mtu, request.ifr_mtu - DAEMON_WIREGUARD_IPV4,
			 request.ifr_mtu - DAEMON_WIREGUARD_IPV6);
	daemon_set_mtu(daemon, (uint32_t)request.ifr_mtu);
	if (daemon->staging)
		staging_set_mtu(daemon->staging, (uint32_t)request.ifr_mtu);
	return true;
}

/* 0, or -ENODEV: the interface is gone. */
static int daemon_check_netif(struct daemon *daemon)
{
	if (daemon_follow_netif(daemon))
		return 0;
	log_error("The interface %s is gone", daemon->netif->name);
	return -ENODEV;
}

static int daemon_on_link(struct daemon *daemon)
{
	unsigned int changed = ifwatch_take(daemon->link_fd, daemon->netif->ifindex);

	if (changed & IFWATCH_ADDRESSES && daemon->live)
		live_follow_addresses(daemon->live);
	if (daemon_check_netif(daemon))
		return -ENODEV;
	if (changed & IFWATCH_FILTERS && daemon->on_filters)
		daemon->on_filters(daemon->each_second_context);
	return 0;
}

static uint64_t daemon_read_counter(void *context, enum reason reason)
{
	const struct daemon *daemon = context;

	return datapath_counter(daemon->datapath->counters_fd, reason);
}

static void daemon_say_dropped(void *context, enum reason reason, uint64_t packets, const char *remedy)
{
	const struct daemon *daemon = context;

	log_warn("%s: %s (%s, %" PRIu64 " more); %s", daemon->netif->name, reason_text(reason), reason_name(reason), packets,
		 remedy);
}

static void daemon_watch_counters(struct daemon *daemon, uint64_t now_ns)
{
	if (daemon->staging)
		datapath_set_counter(daemon->datapath->counters_fd, REASON_DROP_STAGING, staging_lost(daemon->staging));
	watch_tick(&daemon->watch, now_ns, daemon_read_counter, daemon_say_dropped, daemon);
}

/* 0, or -ENODEV: the interface is gone. */
static int daemon_each_second(struct daemon *daemon, uint64_t now_ns)
{
	log_flush();
	log_burst_end(&daemon_lost, now_ns);
	log_burst_end(&daemon_established, now_ns);
	held_follow_cpus(&daemon->held);
	daemon_watch_counters(daemon, now_ns);
	stray_tick(&daemon->stray, now_ns);
	if (daemon->each_second)
		daemon->each_second(daemon->each_second_context);
	return daemon_check_netif(daemon);
}

static void daemon_on_wake(struct daemon *daemon)
{
	if (daemon->on_wake)
		daemon->on_wake(daemon->each_second_context);
	held_follow_cpus(&daemon->held);
}

static int daemon_on_timer(struct daemon *daemon)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t expirations;
	long walked;

	if (read(daemon->timer_fd, &expirations, sizeof(expirations)) < 0)
		return 0;
	held_retire(&daemon->held);
	if (slept_anew(&daemon->slept_ns))
		daemon_on_wake(daemon);
	walked = clock_tick(&daemon->clock, now_ns);
	if (walked != CLOCK_NOT_WALKED && daemon_each_second(daemon, now_ns))
		return -ENODEV;
	if (walked >= 0 && daemon->live)
		live_end_walk(daemon->live);
	if (daemon->live)
		live_tick(daemon->live, now_ns);
	/* The time that events have set since counts as past, too. */
	waiting_tick(&daemon->waiting, clock_now_ns());
	return 0;
}

static void daemon_reload(struct live *live)
{
	int err;

	service_reloading();
	err = reload_run(live);
	service_ready(err < 0 ? "The configuration cannot be read again; Mimic goes on as before" :
		      err ? "Mimic runs; the configuration is read again, but the guard of plain UDP cannot be set" :
			    "Mimic runs; the configuration is read again");
}

static bool daemon_is_told_to_stop(struct daemon *daemon)
{
	struct signalfd_siginfo info;

	if (read(daemon->signal_fd, &info, sizeof(info)) != sizeof(info))
		return false;
	if (info.ssi_signo == SIGHUP) {
		if (daemon->live)
			daemon_reload(daemon->live);
		return false;
	}
	daemon->stopped_by = (int)info.ssi_signo;
	log_info("Stopping: %s", strsignal(daemon->stopped_by));
	return true;
}

int daemon_loop(struct daemon *daemon)
{
	struct epoll_event ready[DAEMON_EPOLL_EVENTS];

	log_set_patience(0); /* packets and signals come before words */
	watch_begin(&daemon->watch, daemon_read_counter, daemon);
	for (;;) {
		int count = epoll_wait(daemon->epoll_fd, ready, DAEMON_EPOLL_EVENTS, -1);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0) {
			log_error("epoll: %s", strerror(errno));
			return -errno;
		}
		/* Control first: it is small, and what waits may be set free by it. */
		daemon_take_events(daemon);
		for (int i = 0; i < count; i++) {
			uint64_t tag = ready[i].data.u64;

			if (tag >= DAEMON_SOURCE_TAG) {
				if (daemon_on_source(daemon, tag))
					return 0;
			} else if (tag >= DAEMON_HELD_TAG)
				held_consume(&daemon->held, tag);
			else if (tag == (uint64_t)daemon->timer_fd && daemon_on_timer(daemon))
				return -ENODEV;
			else if (tag == (uint64_t)daemon->link_fd && daemon_on_link(daemon))
				return -ENODEV;
			else if (daemon->live && tag == (uint64_t)resolver_fd(daemon->live->resolver))
				live_take_answer(daemon->live, clock_now_ns());
			else if (tag == (uint64_t)daemon->signal_fd && daemon_is_told_to_stop(daemon))
				return 0;
		}
		daemon_settle(daemon);
	}
}

void daemon_reset_peers(struct daemon *daemon)
{
	clock_shutdown(&daemon->clock);
}

void daemon_hand_over(struct daemon *daemon)
{
	held_consume_all(&daemon->held);
	waiting_give_up(&daemon->waiting);
	daemon_flush_sent(daemon);
}

void daemon_close(struct daemon *daemon)
{
	log_burst_end(&daemon_lost, UINT64_MAX);
	log_burst_end(&daemon_established, UINT64_MAX);
	held_close(&daemon->held);
	ring_buffer__free(daemon->events);
	waiting_free(&daemon->waiting);
	clock_free(&daemon->clock);
	util_close_fd(&daemon->epoll_fd);
	util_close_fd(&daemon->timer_fd);
	util_close_fd(&daemon->signal_fd);
	util_close_fd(&daemon->link_fd);
	util_close_fd(&daemon->release_fd);
	util_close_fd(&daemon->control_fd);
}
