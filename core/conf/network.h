/* network.h - networks as they are written in a configuration */
#ifndef CONF_NETWORK_H
#define CONF_NETWORK_H

#include "base/ip.h"
#include "conf/diag.h"

/* Warns of 192.168.1.5/24, which may mean one address or all of a network. */
void network_warn(struct network n, const char *written,
		  const struct mark *mark, struct diags *d);

#endif
