// SPDX-License-Identifier: GPL-2.0-only
#include "live.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "filter.h"
#include "log.h"
#include "settings.h"
#include "udpguard.h"
#include "util.h"

enum {
	LIVE_PATIENCE_MS = 10000, /* at the start, for all host names together */
	LIVE_TEXT_MAX = 512,
};

/* ---- the filters of a configuration ---- */

/* Errors are logged: one for each filter that has one. */
static int live_add(struct filter_list *list, const struct filter_spec *spec, const struct names *names, const char *ifname)
{
	struct parse_error error = { "" };
	char place[FILTER_PLACE_MAX];
	const struct name *name;
	int err = 0;

	if (!filter_spec_is_name(spec)) {
		err = filter_list_add(list, spec, ifname, &error);
		filter_print_place(place, sizeof(place), &spec->place);
		if (err && err != -ENOMEM)
			log_error("%s: %s", place, error.text);
		return err;
	}
	name = names_find(names, spec->host);
	for (size_t i = 0; !err && name && i < name->count; i++)
		err = filter_list_add_resolved(list, spec, &name->addrs[i].addr);
	return err;
}

static int live_check_count(const struct live *live, const struct filter_list *list)
{
	struct parse_error error;
	const struct filter *beyond = filter_list_beyond(list, MIMIC_FILTERS_MAX, live->netif->name, &error);
	char place[FILTER_PLACE_MAX];

	if (!beyond)
		return 0;
	filter_print_place(place, sizeof(place), &beyond->place);
	log_error("%s: %s", place, error.text);
	return -E2BIG;
}

/* Fills *@list, which is empty. Returns 0 or -errno, logged: all that is wrong, not the first only. */
static int live_make(const struct live *live, const struct config *config, const struct names *names, struct filter_list *list)
{
	int err = 0;

	for (size_t i = 0; i < config->filter_count && err != -ENOMEM; i++) {
		int bad = live_add(list, &config->filters[i], names, live->netif->name);

		if (bad)
			err = bad;
	}
	if (err != -ENOMEM && filter_list_expand(list, live->netif->addrs, live->netif->addr_count))
		err = -ENOMEM;
	if (err == -ENOMEM) {
		log_error("Not enough memory for the filters");
		return err;
	}
	return live_check_count(live, list) ? -E2BIG : err;
}

static void live_warn_of_void(const struct live *live, const struct filter_list *list)
{
	char end[FILTER_END_MAX], place[FILTER_PLACE_MAX];

	for (size_t i = 0; i < list->count; i++) {
		const struct filter *filter = &list->items[i];

		if (!filter->wildcard || filter_list_covers(filter, live->netif->addrs, live->netif->addr_count))
			continue;
		filter_print_end(end, sizeof(end), filter);
		filter_print_place(place, sizeof(place), &filter->place);
		log_warn("%s: filter %s matches nothing yet: %s has no %s address; it will as soon as there is one", place, end, live->netif->name,
			 addr_is_ipv4(&filter->key.addr) ? "IPv4" : "IPv6");
	}
}

/* ---- to the datapath ---- */

static int live_set_one(void *context, const struct filter *filter, const struct conn_settings *settings)
{
	struct live *live = context;

	return datapath_set_filter(live->datapath, filter, settings);
}

static int live_remove_one(void *context, const struct filter *filter)
{
	struct live *live = context;

	return datapath_remove_filter(live->datapath, filter);
}

static int live_sync(struct live *live, const struct filter_list *list, const struct conn_settings *settings,
		     struct filter_sync_result *result)
{
	const struct filter_sync_ops ops = { .set = live_set_one, .remove = live_remove_one, .context = live };
	const struct filter_sync_side old = { .list = live->filters, .settings = live->settings };
	const struct filter_sync_side next = { .list = list, .settings = settings };
	int err = filter_sync(&old, &next, &ops, result);

	if (err)
		log_error("Cannot set the filters: %s; they stay as they were", strerror(-err));
	else if (result->stuck)
		log_warn("%zu filters cannot be removed", result->stuck);
	return err;
}

/* *@list is taken over. The ports come last: until then the packets of connections that end still find them. */
static int live_apply(struct live *live, struct filter_list *list, const struct conn_settings *settings,
		      struct filter_sync_result *result)
{
	struct filter_list before = *live->filters;
	int err = live_sync(live, list, settings, result);

	if (err)
		return err;
	*live->filters = *list;
	*list = before;
	*live->settings = *settings;
	if (result->added || result->changed || result->removed) {
		clock_refit(live->clock);
		datapath_drop_ports(live->datapath);
	}
	return 0;
}

/* Nobody knows whether a file that is missing would open the guard that stands, which may have more ends than the command line. */
static bool live_leaves_guard(const struct live *live, bool stands)
{
	if (!stands || !live->config->missing)
		return false;
	log_warn("The configuration file is missing: plain UDP that was kept in on %s stays in as before; `mimic stop --open %s` lets it out",
		 live->netif->name, live->netif->name);
	return true;
}

/* Returns 0 or -errno, logged. */
static int live_set_guard(struct live *live, const struct udpguard_rules *rules)
{
	bool stands = !udpguard_find(live->netif->ifindex);
	int err = live_leaves_guard(live, stands) ? 0 : udpguard_set(live->netif->ifindex, rules, live->ethernet);

	if (!err && stands && !rules->drops && !live->config->missing)
		log_info("No filter has udp=drop any more: plain UDP may leave by %s", live->netif->name);
	return err;
}

/*
 * The guard of plain UDP follows the filters, and comes after them: what Mimic carries never reaches it, and what Mimic does not carry any more
 * is kept in until the guard knows that it may leave. @anew: also when the rules are as before, for somebody may have removed it. Returns
 * 0 or -errno, logged; then the guard stays as it was.
 */
static int live_guard(struct live *live, bool anew)
{
	_cleanup_udpguard_rules_ struct udpguard_rules rules = { 0 };
	struct udpguard_rules former = live->guard;
	int err = udpguard_rules_make(&rules, live->filters, live->settings, live->config->filters, live->config->filter_count);

	if (err) {
		log_error("Not enough memory for the guard of plain UDP");
		return err;
	}
	live->datapath->shared->udp_drops = rules.drops;
	if (live->args->check)
		return udpguard_try(&rules, live->ethernet);
	if (!anew && former.items && udpguard_rules_equal(&rules, &former))
		return 0;
	if (!former.dns)
		udpguard_warn_of_dns(&rules);
	err = live_set_guard(live, &rules);
	if (err)
		return err;
	live->guard = rules;
	rules = former;
	return 0;
}

/* The name whose address @filter may have been: one that the configuration has for that end. */
static struct name *live_name_of(const struct live *live, const struct filter *filter)
{
	for (size_t i = 0; i < live->config->filter_count; i++) {
		const struct filter_spec *spec = &live->config->filters[i];

		if (filter_spec_is_name(spec) && spec->origin == (enum filter_origin)filter->key.origin &&
		    spec->port == be16_to_host(filter->key.port))
			return names_find(&live->names, spec->host);
	}
	return NULL;
}

/*
 * An instance before may have known more addresses of a name: the resolver does not answer now, or the name has others. They stay as
 * those do that left their name, so that a restart takes no connection away.
 */
static int live_remember(struct live *live, const struct filter_list *before)
{
	for (size_t i = 0; i < before->count; i++) {
		const struct filter *filter = &before->items[i];
		struct name *name;

		if (filter->prefix_len < ADDR_BITS || filter_list_find(live->filters, filter))
			continue;
		name = live_name_of(live, filter);
		if (name && names_remember(&live->names, name, &filter->key.addr))
			return -ENOMEM;
	}
	return 0;
}

/*
 * The list of live_start() was made before anything was attached, so that an error in it changes nothing. Much may have changed
 * since: now that rtnetlink is heard, nothing is missed any more.
 */
static int live_refresh(struct live *live, const struct filter_list *before)
{
	_cleanup_filter_list_ struct filter_list list = { .quiet = true };
	struct filter_list former = *live->filters;
	int err = live_remember(live, before);

	netif_read_addrs(live->netif); /* if that fails we know those of before */
	if (err)
		log_error("Not enough memory for the filters");
	else
		err = live_make(live, live->config, &live->names, &list);
	if (err)
		return err;
	*live->filters = list;
	list = former;
	return 0;
}

int live_set_filters(struct live *live, const struct filter_list *before)
{
	const struct filter_sync_ops ops = { .set = live_set_one, .remove = live_remove_one, .context = live };
	const struct filter_sync_side old = { .list = before, .settings = live->settings };
	const struct filter_sync_side next = { .list = live->filters, .settings = live->settings };
	struct filter_sync_result result;
	int err = live_refresh(live, before);

	if (err)
		return err;
	err = filter_sync(&old, &next, &ops, &result);
	if (err) {
		log_error("Cannot set the filters: %s", strerror(-err));
		return err;
	}
	if (result.added || result.changed || result.removed) { /* one that was added may be more specific than that of a connection */
		clock_refit(live->clock);
		datapath_drop_ports(live->datapath);
	}
	return live_guard(live, true);
}

int live_mend_guard(struct live *live)
{
	int err;

	if (!live->guard.drops || udpguard_find(live->netif->ifindex) != -ENOENT)
		return 0;
	err = live_guard(live, true);
	return err ? err : 1;
}

void live_end_guard(struct live *live)
{
	char name[IF_NAMESIZE];

	if (!if_indextoname((unsigned int)live->netif->ifindex, name))
		return; /* with the interface its guard has gone */
	if (live->guard.drops && !live_guard(live, true))
		log_info("Plain UDP of filters with udp=drop is kept in from now on; `mimic stop --open %s` lets it out", live->netif->name);
}

/* The world has changed, the configuration has not: what says so in the log, with what it does to filters. False: nothing. */
static bool live_renew(struct live *live, const char *what)
{
	_cleanup_filter_list_ struct filter_list list = { .quiet = true };
	struct filter_sync_result result;

	if (live_make(live, live->config, &live->names, &list) || live_apply(live, &list, live->settings, &result))
		return true; /* an error was */
	live_guard(live, false);
	if (!result.added && !result.removed && !result.changed)
		return false;
	log_info("%s: %zu filter%s added, %zu removed, %zu changed", what, result.added, result.added == 1 ? "" : "s",
		 result.removed, result.changed);
	live->publish(live->context);
	return true;
}

int live_change(struct live *live, struct config *config, struct filter_sync_result *result)
{
	_cleanup_filter_list_ struct filter_list list = { 0 };
	_cleanup_names_ struct names names = { 0 };
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	int err = names_make(&names, &live->names, config->filters, config->filter_count, config->resolve_interval_s,
			     clock_now_ns());
	bool guarded;

	settings_apply(&settings, &config->settings);
	netif_read_addrs(live->netif); /* if that fails we know those of before */
	if (err)
		log_error("Not enough memory for the filters");
	else
		err = live_make(live, config, &names, &list);
	if (!err)
		err = live_apply(live, &list, &settings, result);
	if (err)
		return err;
	names_free(&live->names);
	live->names = names;
	names = (struct names){ 0 };
	config_free(live->config);
	*live->config = *config;
	*config = (struct config)CONFIG_INIT;
	guarded = !live_guard(live, true);
	live_warn_of_void(live, live->filters);
	live->publish(live->context);
	return guarded ? 0 : LIVE_UNGUARDED;
}

void live_look(const struct live *live, const struct config *config)
{
	_cleanup_filter_list_ struct filter_list list = { 0 };

	live_make(live, config, &live->names, &list);
}

void live_follow_addresses(struct live *live)
{
	static struct log_rate rate = LOG_RATE_INIT(10);
	char what[64];
	int err = netif_read_addrs(live->netif);

	if (err == -ENODEV)
		return; /* its end is somebody else's news */
	if (err) {
		log_rate_limited(&rate, LOG_LEVEL_WARN, "Cannot read the addresses of %s: %s; wildcards stay as they are",
				 live->netif->name, strerror(-err));
		return;
	}
	snprintf(what, sizeof(what), "The addresses of %s have changed", live->netif->name);
	live_renew(live, what);
}

/* ---- names ---- */

/* Writes where the filter of a host name is written; of several, the first. */
static void live_print_place(const struct live *live, const struct name *name, char *buf, size_t size)
{
	const struct filter_spec *specs = live->config->filters;
	struct filter_place place = { 0 };

	for (size_t i = live->config->filter_count; i-- > 0;) {
		if (filter_spec_is_name(&specs[i]) && !strcmp(specs[i].host, name->host))
			place = specs[i].place;
	}
	filter_print_place(buf, size, &place);
}

/* At a start from a terminal a name that does not exist is an error: somebody can look at it, and no connection is lost. */
static int live_note_answer(struct live *live, struct name *name, const struct resolver_answer *answer, bool starting,
			    uint64_t now_ns)
{
	bool was_failing = name->failing, was_resolved = name->resolved;
	int changed = names_answer(&live->names, name, answer, now_ns);
	char place[FILTER_PLACE_MAX];
	struct parse_error error;

	if (!answer->err) {
		if (was_failing && !changed)
			log_info("Host name %s can be resolved again, to the same addresses", name->host);
		return changed;
	}
	if (filter_list_refuse_name(name->host, answer, &error) == -ENOMEM || (was_failing && !starting))
		return changed;
	live_print_place(live, name, place, sizeof(place));
	if (starting && answer->err == -ENOENT)
		log_error("%s: %s", place, error.text);
	else
		log_warn("%s: %s Mimic %s, and tries again", place, error.text, was_resolved ? "goes by what it knows" : "goes on without it");
	return changed;
}

static int live_say_late(const struct live *live, const struct name *name)
{
	char place[FILTER_PLACE_MAX];

	live_print_place(live, name, place, sizeof(place));
	log_warn("%s: filter for host name '%s': no answer from the resolver yet; Mimic goes on without it", place, name->host);
	return 0;
}

/* Takes the answer if it comes within *@patience_ms. Returns 0 or -errno, logged. */
static int live_resolve_one(struct live *live, struct name *name, int *patience_ms)
{
	struct pollfd poll_fd = { .fd = resolver_fd(live->resolver), .events = POLLIN };
	uint64_t begin_ns = clock_now_ns();
	struct resolver_answer answer;
	char host[FILTER_HOST_MAX];
	int err = resolver_ask(live->resolver, name->host);

	if (err == -EBUSY) /* it still asks for another one, and we have waited for that long enough */
		return live_say_late(live, name);
	if (err) {
		log_error("Cannot resolve host names: %s", strerror(-err));
		return err;
	}
	names_asked(name, begin_ns);
	if (poll(&poll_fd, 1, *patience_ms) > 0 && resolver_take(live->resolver, host, &answer)) {
		if (live_note_answer(live, name, &answer, !live->lenient, clock_now_ns()) < 0)
			err = -ENOMEM;
		else if ((answer.err == -ENOENT && !live->lenient) || answer.err == -ENOMEM)
			err = answer.err;
		resolver_free_answer(&answer);
	} else {
		live_say_late(live, name);
	}
	*patience_ms -= (int)((clock_now_ns() - begin_ns) / NSEC_PER_MSEC);
	if (*patience_ms < 0)
		*patience_ms = 0;
	return err;
}

static int live_resolve(struct live *live)
{
	int patience_ms = LIVE_PATIENCE_MS, err = 0;

	for (size_t i = 0; i < live->names.count; i++) {
		int bad = live_resolve_one(live, &live->names.items[i], &patience_ms);

		if (bad)
			err = bad;
	}
	return err;
}

static void live_show(void *context, const struct conn_key *key)
{
	struct live *live = context;

	if (live->names.left)
		names_show(&live->names, key);
}

int live_start(struct live *live)
{
	int err = resolver_open(&live->resolver), bad;

	if (err) {
		log_error("Cannot set up the resolver: %s", strerror(-err));
		return err;
	}
	err = names_make(&live->names, NULL, live->config->filters, live->config->filter_count,
			 live->config->resolve_interval_s, clock_now_ns());
	if (err)
		return err;
	bad = live_resolve(live);
	err = live_make(live, live->config, &live->names, live->filters);
	if (bad || err)
		return bad ? bad : err;
	live_warn_of_void(live, live->filters);
	return 0;
}

void live_watch_walks(struct live *live)
{
	live->clock->show = live_show;
	live->clock->show_context = live;
}

void live_doubt(struct live *live, const struct conn_key *key, uint64_t now_ns)
{
	const struct filter *filter;
	struct filter end = { .prefix_len = ADDR_BITS };
	struct name *name;

	if (!live->names.count)
		return;
	filter_key_make(&end.key, &key->remote, key->remote_port, ORIGIN_REMOTE);
	filter = filter_list_find(live->filters, &end);
	name = filter && filter->name ? names_find(&live->names, filter->name) : NULL;
	if (name)
		names_doubt(&live->names, name, now_ns);
}

void live_tick(struct live *live, uint64_t now_ns)
{
	struct name *name = names_due(&live->names, now_ns);
	int err;

	if (!name)
		return;
	err = resolver_ask(live->resolver, name->host);
	if (!err) {
		log_debug("Resolving host name %s", name->host);
		names_asked(name, now_ns);
	} else if (err != -EBUSY) {
		struct resolver_answer none = { .err = -EAGAIN };

		snprintf(none.why, sizeof(none.why), "%s", strerror(-err));
		names_asked(name, now_ns);
		live_note_answer(live, name, &none, false, now_ns);
	}
}

void live_take_answer(struct live *live, uint64_t now_ns)
{
	_cleanup_answer_ struct resolver_answer answer = { 0 };
	char host[FILTER_HOST_MAX], addrs[LIVE_TEXT_MAX], what[LIVE_TEXT_MAX + FILTER_HOST_MAX + 32];
	struct name *name;

	if (!resolver_take(live->resolver, host, &answer))
		return;
	name = names_find(&live->names, host);
	if (!name || live_note_answer(live, name, &answer, false, now_ns) <= 0)
		return; /* (a reload may have removed it meanwhile) */
	names_print(addrs, sizeof(addrs), name);
	snprintf(what, sizeof(what), "Host name %s is %s now", host, addrs);
	if (!live_renew(live, what))
		log_info("%s", what);
}

void live_end_walk(struct live *live)
{
	if (live->names.left && names_end_walk(&live->names))
		live_renew(live, "No connection uses a former address of a host name any more");
}

void live_close(struct live *live)
{
	resolver_close(&live->resolver);
	names_free(&live->names);
	udpguard_rules_free(&live->guard);
}
