// SPDX-License-Identifier: GPL-2.0-only
/* `mimic guard`: keeps plain UDP of filters with udp=drop in, before Mimic runs for the first time. Asks no resolver. */
#include <argp.h>
#include <errno.h>
#include <string.h>

#include "args.h"
#include "config.h"
#include "filter_list.h"
#include "log.h"
#include "netif.h"
#include "runfile.h"
#include "udpguard.h"

struct guard_args {
	const char *ifname, *file; /* NULL: none */
	struct config config;
};

static const struct argp_option guard_options[] = {
	{ "filter", 'f', "FILTER", 0, "As for mimic run; may be repeated", 0 },
	{ "file", 'F', "PATH", 0, "Configuration file", 0 },
	{ 0 },
};

static error_t guard_parse(int key, char *arg, struct argp_state *state)
{
	struct guard_args *args = state->input;

	switch (key) {
	case 'f':
		return args_set(&args->config, "filter", arg);
	case 'F':
		return args_take_file(&args->file, arg);
	case ARGP_KEY_ARG:
	case ARGP_KEY_NO_ARGS:
		return args_take_ifname(&args->ifname, key, arg, state);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* All but the host names. Returns 0 or -errno, logged. */
static int guard_list(struct filter_list *list, const struct config *config, const char *ifname)
{
	char place[FILTER_PLACE_MAX];
	int err = 0;

	for (size_t i = 0; i < config->filter_count; i++) {
		struct parse_error error = { "not enough memory for the filters" };
		int bad = filter_spec_is_name(&config->filters[i]) ? 0 : filter_list_add(list, &config->filters[i], ifname, &error);

		if (bad) {
			filter_print_place(place, sizeof(place), &config->filters[i].place);
			log_error("%s: %s", place, error.text);
			err = bad;
		}
	}
	return err;
}

/* Whether an instance runs there, which has a guard of its own, and knows better. */
static bool guard_is_kept(const struct netif *netif)
{
	char path[RUNFILE_PATH_MAX];

	return !runfile_path(path, sizeof(path), RUNFILE_DIR, netif->netns, netif->ifindex) && runfile_find_holder(path);
}

/* Returns 0 or -errno, logged. */
static int guard_open(struct netif *netif, const struct guard_args *args, enum link_type *link_type)
{
	int err = netif_open(netif, args->ifname);

	if (err) {
		log_error(err == -ENODEV ? "There is no interface %s; `ip link` lists the interfaces" : "Cannot read the interface %s",
			  args->ifname);
		return err;
	}
	*link_type = args->config.link_type ? args->config.link_type : netif->link_type;
	if (*link_type)
		return 0;
	log_error("Interface %s is of a kind that is not known: say with link_type = eth or none in the configuration file whether its "
		  "packets begin with an Ethernet header",
		  netif->name);
	return -EINVAL;
}

/* With the rules, which are all that could be made out. Returns 0 or -errno, logged. */
static int guard_apply(const struct netif *netif, const struct udpguard_rules *rules, bool ethernet, bool whole)
{
	bool there = !udpguard_find(netif->ifindex);

	if (guard_is_kept(netif)) {
		if (there || !rules->drops) {
			log_info("Mimic runs on %s: it sees to its guard itself", netif->name);
			return 0;
		}
		log_error("Mimic runs on %s, with a configuration without udp=drop: there is no guard; let it read this one first (systemctl "
			  "reload mimic@%s)", netif->name, netif->name);
		return -EBUSY;
	}
	/* An error makes no guard weaker than it is. */
	if (!whole && (there || !rules->drops))
		return 0;
	udpguard_warn_of_dns(rules);
	return udpguard_set(netif->ifindex, rules, ethernet);
}

/* One bad line does not let out what the others keep in. */
static int guard_set(struct guard_args *args)
{
	_cleanup_udpguard_rules_ struct udpguard_rules rules = { 0 };
	_cleanup_filter_list_ struct filter_list list = { 0 };
	_cleanup_netif_ struct netif netif = { 0 };
	struct conn_settings settings = CONN_SETTINGS_DEFAULT;
	enum link_type link_type = LINK_TYPE_AUTO;
	int bad = config_load_existing(&args->config, args->file);
	int err = guard_open(&netif, args, &link_type);

	if (err)
		return err;
	err = guard_list(&list, &args->config, args->ifname);
	bad = bad ? bad : err;
	settings_apply(&settings, &args->config.settings);
	err = filter_list_expand(&list, netif.addrs, netif.addr_count);
	if (!err)
		err = udpguard_rules_make(&rules, &list, &settings, args->config.filters, args->config.filter_count);
	if (err)
		log_error("Not enough memory for the filters");
	else
		err = guard_apply(&netif, &rules, link_type == LINK_TYPE_ETH, !bad);
	if (err || bad)
		return err ? err : bad;
	if (rules.drops)
		log_info("Plain UDP of filters with udp=drop is kept in on %s until Mimic carries it; `mimic stop --open %s` lets it out",
			 netif.name, netif.name);
	else
		log_info("No filter has udp=drop: plain UDP may leave by %s", netif.name);
	return 0;
}

int cmd_guard(int argc, char **argv)
{
	static const struct argp argp = {
		.options = guard_options,
		.parser = guard_parse,
		.args_doc = "<interface>",
		.doc = "Drop plain UDP of filters with udp=drop that would leave by the interface while Mimic does not run.",
	};
	struct guard_args args = { .config = CONFIG_INIT };
	int err = args_parse(&argp, argc, argv, &args);

	if (!err)
		err = guard_set(&args);
	config_free(&args.config);
	return err;
}
