/* gateway_inside.h - what the files behind gateway.h share; for no others */
#ifndef DAEMON_GATEWAY_INSIDE_H
#define DAEMON_GATEWAY_INSIDE_H

#include "daemon/gateway.h"
#include "daemon/privileges.h"
#include "route/route.h"

/* All that a load needs to hand around. */
struct load {
	struct snapshot *snap;
	struct arena *arena;
	struct diags *d;
	const struct node *root;	/* NULL: postern.yaml is not readable */
	const char *path;
	struct gateway_config *gateway;
	struct routes *routes;
	struct identity who;		/* we shall be */
	struct hop *hops;		/* where routes lead to */
};

/* --- gateway_routes.c: false when something was told as an error ------ */

/* Reads *.yaml of conf.d beside the configuration. */
bool load_routes(struct load *l);
/* Its backend and its filters take what is written for them. */
bool load_route_modules(struct load *l, struct route *r);
/* A rule on a listener that is none of ours would never be met.  After the
 * listeners are bound. */
bool load_route_listeners(struct load *l, const struct route *r);

/* --- gateway_hops.c --------------------------------------------------- */

struct module_hop;

/* Remembers where a route leads to; arg is the load. */
void load_hop(void *arg, const struct module_hop *h);
/* None leads to ourselves.  After the listeners are bound. */
bool load_hops(struct load *l);

#endif
