/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two cores talk to each other over a simulated bad link, with a firewall and an attacker on it
 *
 * Bursts, simultaneous opens, loss, reordering, outages, restarts, hours of silence, lost events and frames between core
 * and daemon.
 *
 * Each test runs many seeds (SIM_ROUNDS of them). A failure names its seed: SIM_SEED=N CK_RUN_CASE=NAME runs that one
 * alone, SIM_TRACE=1 with it shows every segment.
 */
#include <stdlib.h>

#include "expect.h"
#include "sim.h"

static struct sim sim;

struct scenario {
	const char *name;
	void (*set_up)(void);
	void (*run)(void);
	void (*check)(void);
	__u32 rounds;
};

/* ---- worlds ---- */

static __u32 any(__u32 below)
{
	return prng_below(&sim.random, below);
}

/* A link and two daemons; settings that both ends must have alike, and some that they need not. */
static void any_world(void)
{
	__u8 padding = any(3) ? (any(2) ? PADDING_RANDOM : (__u8)any(PADDING_MAX + 1)) : 0;

	sim.opt.delay_ns = any(4) ? any(150) * NSEC_PER_MSEC : any(1000);
	sim.opt.jitter_ns = any(2) ? any(20) * NSEC_PER_MSEC : 0;
	sim.opt.daemon_ns = (any(8) ? any(3000) : any(150000)) * 1000ULL;
	for (int i = 0; i < 2; i++) {
		sim.opt.settings[i].padding = padding;
		sim.opt.settings[i].max_window = any(8) == 0;
	}
}

static void app(__u8 at, __u64 start_ns, __u32 count, __u32 len, __u64 interval_ns)
{
	sim.side[at].app = (struct sim_app){
		.start_ns = start_ns,
		.interval_ns = interval_ns,
		.count = count,
		.len = len,
	};
}

static void run_6_seconds(void)
{
	sim_run(&sim, 6 * NSEC_PER_SEC);
}

/* ---- checks ---- */

static __u32 count_fate(__u8 at, enum sim_fate fate)
{
	__u32 count = 0;

	for (__u32 i = 0; i < sim.side[at].next_id; i++)
		count += sim.side[at].fate[i] == fate;
	return count;
}

/* Nothing is left anywhere: each datagram has met its fate. */
static void check_quiet(void)
{
	for (__u8 at = 0; at < 2; at++) {
		struct sim_side *side = &sim.side[at];

		if (side->c.held || side->c.held_space || side->waiting.frames)
			sim_fail(
				&sim,
				"%c: %u datagrams (%u bytes) wait in the core's mind, %zu in the daemon",
				'A' + at, side->c.held, side->c.held_space, side->waiting.frames);
		if (count_fate(at, SIM_WAITING) + side->unsent != side->waiting.dropped)
			sim_fail(&sim, "%c: %u datagrams waited in vain, the daemon knows of %llu",
				 'A' + at, count_fate(at, SIM_WAITING),
				 (unsigned long long)side->waiting.dropped);
		if (count_fate(at, SIM_UNDERWAY) || side->next_id != side->app.count)
			sim_fail(&sim, "%c: %u datagrams are nowhere", 'A' + at,
				 count_fate(at, SIM_UNDERWAY));
	}
}

static void check_established(void)
{
	for (__u8 at = 0; at < 2; at++) {
		if (!sim.side[at].exists || sim.side[at].c.state != CONN_ESTABLISHED)
			sim_fail(&sim, "%c: not established at the end but in state %u", 'A' + at,
				 sim.side[at].c.state);
	}
}

static void check_no_reset(void)
{
	for (__u8 at = 0; at < 2; at++) {
		if (sim.side[at].rsts || sim.side[at].losses || sim.side[at].failures)
			sim_fail(
				&sim,
				"%c: %u RSTs sent, %u connections lost, %u handshakes failed, without a cause",
				'A' + at, sim.side[at].rsts, sim.side[at].losses,
				sim.side[at].failures);
	}
}

/* All datagrams, once, in order. */
static void check_complete(void)
{
	check_quiet();
	check_established();
	check_no_reset();
	for (__u8 at = 0; at < 2; at++) {
		if (count_fate(at, SIM_DELIVERED) != sim.side[at].app.count)
			sim_fail(&sim, "%c: %u of %u datagrams arrived", 'A' + at,
				 count_fate(at, SIM_DELIVERED), sim.side[at].app.count);
		if (sim.side[at].out_of_order)
			sim_fail(&sim, "%c: %u datagrams came out of order", 'A' + at,
				 sim.side[at].out_of_order);
	}
}

/* All but those that the bound did not hold; those are counted. */
static void check_bounded(void)
{
	check_quiet();
	check_established();
	check_no_reset();
	for (__u8 at = 0; at < 2; at++) {
		struct sim_side *side = &sim.side[at];
		__u32 dropped = side->dropped[REASON_DROP_HOLD_FULL],
		      delivered = count_fate(at, SIM_DELIVERED);

		if (delivered + dropped != side->app.count)
			sim_fail(&sim, "%c: %u of %u arrived, %u counted as more than the bound",
				 'A' + at, delivered, side->app.count, dropped);
		if (side->app.count > CONN_HELD_MAX && side->app.len <= 2048 &&
		    delivered < CONN_HELD_MAX)
			sim_fail(&sim, "%c: only %u arrived", 'A' + at, delivered);
		if (side->out_of_order)
			sim_fail(&sim, "%c: %u datagrams came out of order", 'A' + at,
				 side->out_of_order);
	}
}

/* The link spoilt the order, but lost nothing. */
static void check_unordered(void)
{
	sim.side[0].out_of_order = sim.side[1].out_of_order = 0;
	check_complete();
}

/* After whatever happened, the connection stands and carries the last datagrams. */
static void check_recovered(void)
{
	check_quiet();
	for (__u8 at = 0; at < 2; at++) {
		struct sim_side *side = &sim.side[at];

		if (!side->app.count)
			continue;
		for (__u32 i = side->app.count - 5; i < side->app.count; i++) {
			if (side->fate[i] != SIM_DELIVERED && side->fate[i] != SIM_LOST_ON_LINK)
				sim_fail(&sim, "%c: datagram %u of the last has fate %u", 'A' + at,
					 i, side->fate[i]);
		}
	}
	check_established();
}

/* What was sent from `from_ns` on arrives; lossless links only. */
static void check_flows_from(__u64 from_ns)
{
	for (__u8 at = 0; at < 2; at++) {
		struct sim_side *side = &sim.side[at];

		for (__u32 i = 0; i < side->next_id; i++) {
			if (side->sent_ns[i] >= from_ns && side->fate[i] != SIM_DELIVERED)
				sim_fail(&sim,
					 "%c: datagram %u, sent %llu ms too late, has fate %u",
					 'A' + at, i,
					 (unsigned long long)(side->sent_ns[i] - from_ns) /
						 NSEC_PER_MSEC,
					 side->fate[i]);
		}
	}
}

/* ---- scenarios ---- */

static void burst(void)
{
	any_world();
	app((__u8)any(2), any(1000) * 1000ULL, 100, 1400, any(2) ? any(100000) : 0);
}

/* Both ends start at once, or nearly so. */
static void burst_both(void)
{
	__u64 apart;

	any_world();
	apart = any(2) ? sim_up_to(&sim, 2 * sim.opt.delay_ns) : any(2000);
	app(0, 0, 100, 1400, any(100000));
	app(1, apart, 100, 1400, any(100000));
}

static void burst_1000(void)
{
	any_world();
	app(0, 0, 1000, any(4) ? 1400 : 9000, any(2) ? any(50000) : 0);
	if (any(2))
		app(1, any(2) ? 0 : sim_up_to(&sim, 2 * sim.opt.delay_ns), 1000, 1400, any(50000));
}

/* New datagrams arrive while the queue drains. */
static void stream(void)
{
	any_world();
	app(0, 0, 800, 1 + any(1400), any(1000000));
	if (any(2))
		app(1, sim_up_to(&sim, 2 * sim.opt.delay_ns), 800, 1 + any(1400), any(1000000));
	sim.side[0].app.random_len = any(2);
}

/* The handshake takes longer than the repetition of its SYN. */
static void slow_link(void)
{
	any_world();
	sim.opt.delay_ns = 500 * NSEC_PER_MSEC + sim_up_to(&sim, 3 * NSEC_PER_SEC);
	app(0, 0, 100, 1400, any(100) * NSEC_PER_MSEC);
}

/* A repeated SYN of a simultaneous open arrives when the connection stands already. */
static void slow_link_both(void)
{
	slow_link();
	app(1, sim_up_to(&sim, 3 * sim.opt.delay_ns), 100, 1400, any(100) * NSEC_PER_MSEC);
}

static void run_40_seconds(void)
{
	sim_run(&sim, 40 * NSEC_PER_SEC);
}

/* SYNs come twice, the second time late: it must not harm the connection that the first one made. */
static void duplicate_syn(void)
{
	any_world();
	sim.opt.delay_ns = 300 * NSEC_PER_MSEC + sim_up_to(&sim, 1400 * NSEC_PER_MSEC);
	sim.opt.duplicate = 200 + any(800);
	sim.opt.reorder = true;
	sim.opt.jitter_ns = sim_up_to(&sim, sim.opt.delay_ns);
	app(0, 0, 100, 1400, any(100) * NSEC_PER_MSEC);
	if (any(2))
		app(1, sim_up_to(&sim, 3 * sim.opt.delay_ns), 100, 1400, any(100) * NSEC_PER_MSEC);
}

static void check_duplicate_syn(void)
{
	sim.side[0].out_of_order = sim.side[1].out_of_order = 0;
	check_bounded();
}

/* One control segment of the first few of each side gets lost, each in turn. */
static void one_lost(void)
{
	any_world();
	sim.opt.lost_control_nth[any(2)] = 1 + any(8);
	app(0, 0, 100, 1400, any(2) ? any(100000) : 100 * NSEC_PER_MSEC);
	if (any(2))
		app(1, any(2) ? any(1000000) : sim_up_to(&sim, 3 * sim.opt.delay_ns), 100, 1400,
		    any(2) ? any(100000) : 100 * NSEC_PER_MSEC);
}

static void run_25_seconds(void)
{
	sim_run(&sim, 25 * NSEC_PER_SEC);
}

/* Both start at once, and their handshakes are thrown together. */
static void reordering_both(void)
{
	any_world();
	sim.opt.reorder = true;
	sim.opt.jitter_ns = sim_up_to(&sim, 2 * sim.opt.delay_ns);
	sim.opt.duplicate = any(2) ? any(300) : 0;
	app(0, 0, 100, 1400, any(1000000));
	app(1, any(4) ? any(2000) : sim_up_to(&sim, 2 * sim.opt.delay_ns), 100, 1400, any(1000000));
}

static void reordering(void)
{
	any_world();
	sim.opt.reorder = true;
	sim.opt.jitter_ns = (1 + any(100)) * NSEC_PER_MSEC;
	sim.opt.duplicate = any(2) ? any(300) : 0;
	app(0, 0, 100, 1400, any(1000000));
	if (any(2))
		app(1, sim_up_to(&sim, 2 * sim.opt.delay_ns), 100, 1400, any(1000000));
}

/* Frames get lost on the way to the daemon; the core knows at once. */
static void hold_failures(void)
{
	any_world();
	sim.opt.hold_failure = 1 + any(300);
	app(0, 0, 500, 1400, any(500000));
}

static void check_hold_failures(void)
{
	check_quiet();
	check_established();
	check_no_reset();
	if (count_fate(0, SIM_DELIVERED) + count_fate(0, SIM_DROPPED) != 500 ||
	    sim.side[0].dropped[REASON_DROP_HOLD_FULL] +
			    sim.side[0].dropped[REASON_DROP_HOLD_FAILED] !=
		    count_fate(0, SIM_DROPPED))
		sim_fail(&sim, "%u arrived, %u were dropped", count_fate(0, SIM_DELIVERED),
			 count_fate(0, SIM_DROPPED));
	if (sim.side[1].out_of_order)
		sim_fail(&sim, "%u datagrams came out of order", sim.side[1].out_of_order);
}

/* Frames come back that cannot be sent. */
static void release_failures(void)
{
	hold_failures();
	sim.opt.release_failure = 1 + any(300);
	sim.opt.hold_failure = any(2) ? any(300) : 0;
}

static void check_release_failures(void)
{
	check_quiet();
	check_established();
	check_no_reset();
	if (count_fate(0, SIM_DELIVERED) + count_fate(0, SIM_DROPPED) != 500 ||
	    sim.side[0].dropped[REASON_DROP_HOLD_FULL] + sim.side[0].unsent +
			    sim.side[0].dropped[REASON_DROP_HOLD_FAILED] !=
		    count_fate(0, SIM_DROPPED))
		sim_fail(&sim, "%u arrived, %u were dropped", count_fate(0, SIM_DELIVERED),
			 count_fate(0, SIM_DROPPED));
	if (sim.side[1].out_of_order)
		sim_fail(&sim, "%u datagrams came out of order", sim.side[1].out_of_order);
}

/* The ring to the daemon is full now and then: control segments and the news of what may go get lost. */
static void lost_events(void)
{
	any_world();
	sim.opt.loss_event = 10 + any(291);
	app(0, 0, 600, 1 + any(1400), 100 * NSEC_PER_MSEC);
	if (any(2))
		app(1, any(2) ? 0 : sim_up_to(&sim, 3 * NSEC_PER_SEC), 3000, 1 + any(1400),
		    20 * NSEC_PER_MSEC);
}

/* Whatever waited in vain is given up after a minute. */
static void run_130_seconds(void)
{
	sim_run(&sim, 130 * NSEC_PER_SEC);
}

/* 1 to 30 % of the control segments get lost, of the data none. */
static void lost_control(void)
{
	any_world();
	sim.opt.loss_control = 10 + any(291);
	app(0, 0, 600, 1 + any(1400), 100 * NSEC_PER_MSEC);
	if (any(2))
		app(1, any(2) ? 0 : sim_up_to(&sim, 3 * NSEC_PER_SEC), 600, 1 + any(1400),
		    100 * NSEC_PER_MSEC);
	else if (any(2))
		sim.opt.settings[1].handshake_interval_s = 0;
}

/* And everything at once. */
static void bad_link(void)
{
	lost_control();
	sim.opt.loss_data = any(301);
	sim.opt.duplicate = any(301);
	sim.opt.reorder = any(2);
	sim.opt.jitter_ns = any(200) * NSEC_PER_MSEC;
}

static void run_100_seconds(void)
{
	sim_run(&sim, 100 * NSEC_PER_SEC);
}

/* One end forgets everything, without a word; both go on sending, or one does. */
static void restart(void)
{
	any_world();
	app(0, 0, 500, 1 + any(1400), 10 * NSEC_PER_MSEC);
	if (any(2))
		app(1, sim_up_to(&sim, NSEC_PER_SEC), 500, 1 + any(1400), 10 * NSEC_PER_MSEC);
	if (any(4) == 0)
		sim.opt.settings[1].handshake_interval_s = 0;
}

static __u64 restart_ns;

/* One end restarts, and all goes on until `end_ns`. */
static void restart_one(__u64 end_ns)
{
	sim_run(&sim, 1 * NSEC_PER_SEC + sim_up_to(&sim, NSEC_PER_SEC / 2));
	restart_ns = sim.now_ns;
	sim_forget(&sim, (__u8)any(2));
	sim_run(&sim, end_ns);
}

static void run_restart(void)
{
	restart_one(9 * NSEC_PER_SEC);
}

/* A restart is settled within a second, a few round trips and what the daemon makes of them, whoever has something to send. */
static void check_restart(void)
{
	check_recovered();
	check_flows_from(restart_ns + NSEC_PER_SEC + 6 * sim.opt.delay_ns + 4 * sim.opt.daemon_ns);
	for (__u8 at = 0; at < 2; at++) {
		if (count_fate(at, SIM_DELIVERED) + 350 < sim.side[at].app.count)
			sim_fail(&sim, "%c: only %u of %u arrived", 'A' + at,
				 count_fate(at, SIM_DELIVERED), sim.side[at].app.count);
	}
}

/* Nobody answers what is no handshake, so the one that was not restarted has to find out, whoever began, if it sends. */
static void silent_restart(void)
{
	__u8 sender = (__u8)any(2);

	any_world();
	sim.opt.delay_ns %= 50 * NSEC_PER_MSEC;
	sim.opt.settings[0].guard = sim.opt.settings[1].guard = GUARD_SILENT;
	app(sender, 0, 1500, 1 + any(1400), 10 * NSEC_PER_MSEC);
	if (any(2))
		app(!sender, sim_up_to(&sim, NSEC_PER_SEC), 1500, 1 + any(1400), 10 * NSEC_PER_MSEC);
	if (any(4) == 0)
		sim.opt.settings[!sender].handshake_interval_s = 0;
}

static void run_silent_restart(void)
{
	restart_one(19 * NSEC_PER_SEC);
}

static void check_silent_restart(void)
{
	check_recovered();
	check_flows_from(restart_ns + 10 * NSEC_PER_SEC);
}

/* From A to B nothing gets through for some seconds, while B goes on sending. */
static void outage(void)
{
	any_world();
	sim.opt.outage_of = 1;
	sim.opt.outage_ns[0] = sim.now_ns + NSEC_PER_SEC;
	sim.opt.outage_ns[1] = sim.now_ns + 4 * NSEC_PER_SEC;
	sim.opt.delay_ns %= 50 * NSEC_PER_MSEC;
	app(0, 0, 4000, any(2) ? 65000 : 1400, 3 * NSEC_PER_MSEC / 2);
	app(1, 0, 800, 1400, 10 * NSEC_PER_MSEC);
}

/* For 10 s, at a rate that goes through any window; A to B, B to A, or both. The link heals, and all is well. */
static void long_outage(void)
{
	any_world();
	sim.opt.outage_of = (__u8)(1 + any(3));
	sim.opt.outage_ns[0] = sim.now_ns + NSEC_PER_SEC;
	sim.opt.outage_ns[1] = sim.now_ns + 11 * NSEC_PER_SEC;
	sim.opt.delay_ns %= 100 * NSEC_PER_MSEC;
	app(0, 0, 9500, 60000, 3 * NSEC_PER_MSEC / 2);
	if (any(2))
		app(1, 0, 9500, any(2) ? 60000 : 100, 3 * NSEC_PER_MSEC / 2);
}

static void check_long_outage(void)
{
	check_recovered();
	check_flows_from(sim.opt.outage_ns[1] + NSEC_PER_SEC + 6 * sim.opt.delay_ns);
}

/* Under max_window a SYN looks as one of 0.7.x does, and if two of those cross no firewall believes in what becomes of it. */
static void no_max_window(void)
{
	sim.opt.settings[0].max_window = sim.opt.settings[1].max_window = 0;
}

/* Through a strict firewall, more than any window holds, with loss, duplicates and reordering. */
static void firewall(void)
{
	any_world();
	sim.opt.firewall = true;
	sim.opt.delay_ns %= 50 * NSEC_PER_MSEC;
	sim.opt.loss_data = any(2) ? any(100) : 0;
	sim.opt.loss_control = any(2) ? any(50) : 0;
	sim.opt.duplicate = any(3) ? 0 : any(100);
	sim.opt.reorder = any(3) == 0;
	app(0, 0, 3000, any(2) ? 60000 : 1400, 2 * NSEC_PER_MSEC);
	if (any(2)) {
		app(1, any(2) ? 0 : NSEC_PER_SEC, 2500, any(2) ? 60000 : 100, 2 * NSEC_PER_MSEC);
		no_max_window();
	}
}

static void check_firewall(void)
{
	check_recovered();
	check_no_reset();
}

/* The same until one end stops, or nobody has anything to say any more, or only one of them: the RSTs are valid ones, too. */
static void firewall_ends(void)
{
	firewall();
	sim.opt.settings[1].handshake_interval_s = 0;
	for (int i = 0; i < 2; i++) {
		sim.opt.settings[i].keepalive_time_s = (__u16)(1 + any(3));
		sim.opt.settings[i].keepalive_interval_s = (__u16)any(2);
		sim.opt.settings[i].keepalive_stale_s = (__u16)(2 + any(6));
	}
}

static void run_firewall_ends(void)
{
	sim_run(&sim, sim_up_to(&sim, 8 * NSEC_PER_SEC));
	sim.opt.settings[0].handshake_interval_s = sim.side[0].c.settings.handshake_interval_s = 0; /* that was the last one */
	if (any(2))
		sim_shut_down(&sim, (__u8)any(2));
	sim_run(&sim, 25 * NSEC_PER_SEC);
}

static void check_firewall_ends(void)
{
	for (__u8 at = 0; at < 2; at++) {
		if (sim.side[at].exists && sim.side[at].c.state == CONN_ESTABLISHED)
			sim_fail(&sim, "%c: still established", 'A' + at);
	}
	if ((sim.side[0].established_ns || sim.side[1].established_ns) && !sim.side[0].rsts && !sim.side[1].rsts)
		sim_fail(&sim, "no RST");
}

/* Forged segments by the thousand, some with numbers that nearly fit; a firewall watches what we answer. */
static void attack(void)
{
	any_world();
	sim.opt.firewall = true;
	sim.opt.delay_ns %= 50 * NSEC_PER_MSEC;
	sim.opt.forged_ns = (any(10) + 1) * 100000ULL;
	sim.opt.forged_near = any(3) ? any(200) : 0;
	sim.opt.forged_twice = any(2);
	app(0, 0, 500, 1400, 5 * NSEC_PER_MSEC);
	if (any(2)) {
		app(1, 0, 500, 1 + any(1400), 5 * NSEC_PER_MSEC);
		no_max_window();
	}
	sim.opt.forged_end_ns = sim.now_ns + 6 * NSEC_PER_SEC;
}

static void run_8_seconds(void)
{
	sim_run(&sim, 8 * NSEC_PER_SEC);
}

static void check_attack(void)
{
	check_bounded();
	if (!sim.opt.forged_near && sim.forged_delivered > sim.forged / 200)
		sim_fail(&sim, "%u of %u forged segments were delivered", sim.forged_delivered, sim.forged);
}

/*
 * Forged SYNs, SYN-ACKs, ACKs and all else to the side that wants to connect, before and during the handshake, and as slowly as
 * makes a half-open connection last. The peer says nothing to what it does not know.
 */
static void attack_handshake(void)
{
	any_world();
	sim.opt.delay_ns %= 50 * NSEC_PER_MSEC;
	sim.opt.forged_handshake = true;
	sim.opt.forged_ns = any(2) ? (1 + any(1000)) * NSEC_PER_MSEC : (1 + any(7)) * NSEC_PER_SEC;
	sim.opt.forged_end_ns = sim.now_ns + 7 * NSEC_PER_SEC;
	sim.opt.settings[1].guard = any(2) ? GUARD_SILENT : GUARD_RESET;
	sim.opt.crowded = any(2);
	app(0, 20 * NSEC_PER_MSEC + sim_up_to(&sim, 2 * NSEC_PER_SEC), 250, 1 + any(1400), 20 * NSEC_PER_MSEC);
}

/* Not a datagram is lost, for none waits longer than the queue has room. */
static void check_attack_handshake(void)
{
	check_recovered();
	check_flows_from(0);
	if (sim.side[0].established_ns > sim.side[0].sent_ns[0] + 3 * NSEC_PER_SEC / 2)
		sim_fail(&sim, "established %llu ms after the first datagram",
			 (unsigned long long)(sim.side[0].established_ns - sim.side[0].sent_ns[0]) / NSEC_PER_MSEC);
}

/*
 * SYNs with random numbers to one side or to both, many in a round trip, while one side wants to connect, or both; some of them with a
 * RST or a FIN that fits.
 */
static void attack_by_syns(void)
{
	any_world();
	sim.opt.delay_ns = 10 * NSEC_PER_MSEC + sim_up_to(&sim, 140 * NSEC_PER_MSEC);
	sim.opt.jitter_ns = any(2) ? any(10) * NSEC_PER_MSEC : 0;
	sim.opt.daemon_ns = any(3000) * 1000ULL;
	sim.opt.forged_syns = (__u8)(1 + any(3));
	sim.opt.forged_ends = any(2) ? any(1001) : 0;
	sim.opt.loss_control = any(2) ? any(100) : 0;
	sim.opt.forged_ns = 10 * NSEC_PER_MSEC + sim_up_to(&sim, 90 * NSEC_PER_MSEC);
	sim.opt.reorder = any(2);
	sim.opt.forged_end_ns = sim.now_ns + 7 * NSEC_PER_SEC;
	for (int i = 0; i < 2; i++)
		sim.opt.settings[i].guard = any(2) ? GUARD_SILENT : GUARD_RESET;
	app(0, sim_up_to(&sim, NSEC_PER_SEC), 250, 1 + any(1400), 20 * NSEC_PER_MSEC);
	if (any(2))
		app(1, sim.side[0].app.start_ns + (any(2) ? sim_up_to(&sim, 3 * sim.opt.delay_ns) : any(2000)), 250,
		    1 + any(1400), 20 * NSEC_PER_MSEC);
	else if (any(2))
		sim.opt.settings[1].handshake_interval_s = 0;
}

/*
 * Each side is ready within four round trips, as many SYNs, and the time that a datagram waits behind a SYN that is not proven. It loses
 * no datagram, and never the connection. (Where control segments are lost, too, it may take longer.)
 */
static void check_attack_by_syns(void)
{
	__u64 trip_ns = 2 * (sim.opt.delay_ns + sim.opt.jitter_ns + sim.opt.daemon_ns);

	sim.side[0].out_of_order = sim.side[1].out_of_order = 0;
	check_recovered();
	check_flows_from(0);
	for (__u8 at = 0; at < 2; at++) {
		__u64 ns = sim.side[at].established_ns - sim.side[0].sent_ns[0];

		if (!sim.opt.loss_control && ns > 4 * trip_ns + 4 * CONN_FAST_SYN_NS + CONN_UNPROVEN_NS)
			sim_fail(&sim, "%c: established %llu ms after the first datagram; a round trip takes %llu", 'A' + at,
				 (unsigned long long)ns / NSEC_PER_MSEC, (unsigned long long)trip_ns / NSEC_PER_MSEC);
		if (sim.side[at].losses)
			sim_fail(&sim, "%c: lost the connection %u times", 'A' + at, sim.side[at].losses);
	}
}

static void run_20_seconds(void)
{
	sim_run(&sim, 20 * NSEC_PER_SEC);
}

/* A datagram now and then, for hours: the link never stays silent for longer than a keepalive allows. */
static void hours(void)
{
	any_world();
	app(0, 0, 100, 1 + any(1400), (1 + any(300)) * NSEC_PER_SEC);
	if (any(2))
		app(1, sim_up_to(&sim, 100 * NSEC_PER_SEC), 100, 1 + any(1400),
		    (1 + any(300)) * NSEC_PER_SEC);
}

static void run_hours(void)
{
	while (!sim.failure[0] && (sim.side[0].next_id < sim.side[0].app.count ||
				   sim.side[1].next_id < sim.side[1].app.count))
		sim_run(&sim, 10 * NSEC_PER_SEC);
	sim_run(&sim, 10 * NSEC_PER_SEC);
}

static void check_hours(void)
{
	__u64 trip_ns = 2 * (sim.opt.delay_ns + sim.opt.jitter_ns) + 3 * sim.opt.daemon_ns;
	__u32 syns = sim.side[0].syns + sim.side[1].syns;

	check_complete();
	if (sim.silence_ns > 182 * NSEC_PER_SEC + 2 * sim.opt.delay_ns)
		sim_fail(&sim, "nobody said anything for %llu s",
			 (unsigned long long)(sim.silence_ns / NSEC_PER_SEC));
	/* Then nothing more comes: stale after 600 s, and forgotten without ado. */
	sim_run(&sim, 700 * NSEC_PER_SEC);
	if (sim.side[0].exists || sim.side[1].exists)
		sim_fail(&sim, "not forgotten: A %u, B %u", sim.side[0].exists, sim.side[1].exists);
	/* SYNs that nothing answers yet are repeated. */
	if (sim.side[0].rsts + sim.side[1].rsts > 2 || syns > 2 * (1 + trip_ns / CONN_FAST_SYN_NS))
		sim_fail(&sim, "%u RSTs, %u SYNs", sim.side[0].rsts + sim.side[1].rsts, syns);
}

/* The same where much is lost, but only of the data: no keepalive stays unanswered because the last datagram did not come. */
static void hours_of_loss(void)
{
	hours();
	sim.opt.loss_data = 200 + any(600);
	for (int i = 0; i < 2; i++)
		sim.opt.settings[i].keepalive_stale_s = 0; /* of what is lost the other side has no use */
}

static void check_hours_of_loss(void)
{
	check_established();
	check_no_reset();
}

static const struct scenario scenarios[] = {
	{ "burst", burst, run_6_seconds, check_complete, 2000 },
	{ "burst-both", burst_both, run_6_seconds, check_complete, 2000 },
	{ "burst-1000", burst_1000, run_6_seconds, check_bounded, 500 },
	{ "stream", stream, run_6_seconds, check_bounded, 500 },
	{ "slow-link", slow_link, run_40_seconds, check_bounded, 1000 },
	{ "slow-link-both", slow_link_both, run_40_seconds, check_bounded, 1000 },
	{ "duplicate-syn", duplicate_syn, run_40_seconds, check_duplicate_syn, 1000 },
	{ "one-lost", one_lost, run_25_seconds, check_complete, 2000 },
	{ "reordering", reordering, run_6_seconds, check_unordered, 2000 },
	{ "reordering-both", reordering_both, run_6_seconds, check_unordered, 2000 },
	{ "hold-failures", hold_failures, run_6_seconds, check_hold_failures, 500 },
	{ "release-failures", release_failures, run_6_seconds, check_release_failures, 500 },
	{ "lost-events", lost_events, run_130_seconds, check_recovered, 500 },
	{ "lost-control", lost_control, run_100_seconds, check_recovered, 1000 },
	{ "bad-link", bad_link, run_100_seconds, check_recovered, 1000 },
	{ "restart", restart, run_restart, check_restart, 1000 },
	{ "silent-restart", silent_restart, run_silent_restart, check_silent_restart, 500 },
	{ "outage", outage, run_20_seconds, check_recovered, 100 },
	{ "long-outage", long_outage, run_20_seconds, check_long_outage, 50 },
	{ "firewall", firewall, run_25_seconds, check_firewall, 1000 },
	{ "firewall-ends", firewall_ends, run_firewall_ends, check_firewall_ends, 500 },
	{ "attack", attack, run_8_seconds, check_attack, 500 },
	{ "attack-handshake", attack_handshake, run_25_seconds, check_attack_handshake, 500 },
	{ "attack-by-syns", attack_by_syns, run_25_seconds, check_attack_by_syns, 1000 },
	{ "hours", hours, run_hours, check_hours, 50 },
	{ "hours-of-loss", hours_of_loss, run_hours, check_hours_of_loss, 50 },
};

static void run_seed(const struct scenario *scenario, __u64 seed)
{
	sim_init(&sim, seed);
	sim.trace = env_number("SIM_TRACE", 0);
	if (sim.trace)
		setvbuf(stdout, NULL, _IOLBF, 0); /* libcheck's processes end without ceremony */
	scenario->set_up();
	scenario->run();
	if (!sim.failure[0])
		scenario->check();
}

START_TEST(test_scenario)
{
	const struct scenario *scenario = &scenarios[_i];
	__u64 first = env_number("SIM_SEED", 0),
	      rounds = env_number("SIM_ROUNDS", scenario->rounds), failed = 0, bad = 0;
	char text[sizeof(sim.failure)] = "";

	if (getenv("SIM_SEED"))
		rounds = 1;
	for (__u64 seed = first; seed < first + rounds; seed++) {
		run_seed(scenario, seed);
		if (!sim.failure[0])
			continue;
		if (!failed++) {
			bad = seed;
			memcpy(text, sim.failure, sizeof(text));
		}
	}
	ck_assert_msg(!failed, "%llu of %llu seeds fail; SIM_SEED=%llu CK_RUN_CASE=%s: %s", failed,
		      rounds, bad, scenario->name, text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("simulation");
	SRunner *runner = srunner_create(suite);
	int failed;

	for (int i = 0; i < (int)(sizeof(scenarios) / sizeof(*scenarios)); i++) {
		TCase *tcase = tcase_create(scenarios[i].name);

		tcase_add_loop_test(tcase, test_scenario, i, i + 1);
		suite_add_tcase(suite, tcase);
	}
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
