/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two cores talk to each other over a simulated link: bursts, simultaneous opens, loss, reordering, restarts.
 *
 * Each test runs many seeds (SIM_ROUNDS of them). A failure names its seed: SIM_SEED=N CK_RUN_CASE=NAME runs that one
 * alone,
 * SIM_TRACE=1 with it shows every segment.
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

		if (side->c.held || side->c.held_bytes || side->queued)
			sim_fail(
				&sim,
				"%c: %u datagrams (%u bytes) wait in the core's mind, %u in the daemon",
				'A' + at, side->c.held, side->c.held_bytes, side->queued);
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

/* ---- scenarios ---- */

static void burst(void)
{
	any_world();
	app(any(2), any(1000) * 1000ULL, 100, 1400, any(2) ? any(100000) : 0);
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
	app(0, 0, 300, 1 + any(1400), 10 * NSEC_PER_MSEC);
	if (any(2))
		app(1, sim_up_to(&sim, NSEC_PER_SEC), 300, 1 + any(1400), 10 * NSEC_PER_MSEC);
}

static void run_restart(void)
{
	sim_run(&sim, 1 * NSEC_PER_SEC + sim_up_to(&sim, NSEC_PER_SEC / 2));
	sim_forget(&sim, (__u8)any(2));
	sim_run(&sim, 9 * NSEC_PER_SEC);
}

/* A restart is settled within seconds: the time of a few round trips and a liveness check. */
static void check_restart(void)
{
	check_recovered();
	for (__u8 at = 0; at < 2; at++) {
		if (count_fate(at, SIM_DELIVERED) + 200 < sim.side[at].app.count)
			sim_fail(&sim, "%c: only %u of %u arrived", 'A' + at,
				 count_fate(at, SIM_DELIVERED), sim.side[at].app.count);
	}
}

/* From A to B nothing gets through for some seconds, while B goes on sending. */
static void outage(void)
{
	any_world();
	sim.opt.outage_ns[0] = sim.now_ns + NSEC_PER_SEC;
	sim.opt.outage_ns[1] = sim.now_ns + 4 * NSEC_PER_SEC;
	sim.opt.delay_ns %= 50 * NSEC_PER_MSEC;
	app(0, 0, 4000, any(2) ? 65000 : 1400, 3 * NSEC_PER_MSEC / 2);
	app(1, 0, 800, 1400, 10 * NSEC_PER_MSEC);
}

static void run_20_seconds(void)
{
	sim_run(&sim, 20 * NSEC_PER_SEC);
}

static const struct scenario scenarios[] = {
	{ "burst", burst, run_6_seconds, check_complete, 2000 },
	{ "burst-both", burst_both, run_6_seconds, check_complete, 2000 },
	{ "burst-1000", burst_1000, run_6_seconds, check_bounded, 500 },
	{ "stream", stream, run_6_seconds, check_bounded, 500 },
	{ "slow-link", slow_link, run_40_seconds, check_bounded, 1000 },
	{ "slow-link-both", slow_link_both, run_40_seconds, check_bounded, 1000 },
	{ "reordering", reordering, run_6_seconds, check_unordered, 2000 },
	{ "hold-failures", hold_failures, run_6_seconds, check_hold_failures, 500 },
	{ "lost-control", lost_control, run_100_seconds, check_recovered, 1000 },
	{ "bad-link", bad_link, run_100_seconds, check_recovered, 1000 },
	{ "restart", restart, run_restart, check_restart, 1000 },
	{ "outage", outage, run_20_seconds, check_recovered, 100 },
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
