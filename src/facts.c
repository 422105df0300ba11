// SPDX-License-Identifier: GPL-2.0-only
#include "facts.h"

#include <stdlib.h>
#include <string.h>

#include "libxdp.h"

int facts_find(struct facts *facts, const struct facts_request *request)
{
	const char *why = NULL;
	enum link_type link_type;
	int err;

	*facts = (struct facts){ .ifname = request->ifname, .config.config = CONFIG_INIT };
	if (request->ifname)
		facts_find_netif(&facts->netif, request->ifname);
	err = facts_find_config(&facts->config, request, &facts->netif.netif);
	if (err) {
		facts_free(facts);
		return err;
	}
	facts->routes = facts_find_routes(&facts->config.filters, &facts->netif);
	if (facts->config.config.use_libxdp && !libxdp_open(&why))
		why = NULL;
	facts->netif.libxdp_why = why;
	facts_find_privileges(&facts->privileges);
	link_type = facts->config.config.link_type ? facts->config.config.link_type : facts->netif.netif.link_type;
	facts_find_kernel(&facts->kernel, &facts->privileges, link_type != LINK_TYPE_NONE);
	facts_find_firewall(&facts->firewall);
	return 0;
}

void facts_free(struct facts *facts)
{
	netif_close(&facts->netif.netif);
	free(facts->netif.devices);
	free(facts->routes);
	json_decref(facts->firewall.rules);
	for (size_t i = 0; i < facts->config.message_count; i++)
		free(facts->config.messages[i].text);
	free(facts->config.messages);
	config_free(&facts->config.config);
	filter_list_free(&facts->config.filters);
	runfile_free_info(&facts->config.instance);
	sockets_free(&facts->config.sockets);
	*facts = (struct facts){ .config.config = CONFIG_INIT };
}
