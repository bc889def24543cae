/* config.h - retrying and reporting: SLOT_DISPATCH of a snapshot */
#ifndef DISPATCH_CONFIG_H
#define DISPATCH_CONFIG_H

#include "conf/schema.h"

/* When an item is tried again. */
struct retry_policy {
	int64_t first;			/* ms after the first attempt */
	double factor;			/* growth from one pause to the next */
	int64_t longest;		/* no pause exceeds this */
	int64_t give_up;		/* age at which a message bounces */
	int64_t warn_after;		/* age when a delay is told; 0: never */
	int64_t paused_longest;		/* ms that a message does not age, all
					 * pauses of its routes together */
};

struct dispatch_config {
	struct retry_policy retry;
	char *dsn_to;			/* also told of each failure; or NULL */
	char *dsn_route;		/* reports take this route; or NULL */
	int64_t dsn_pause_after;	/* ms of a pause before dsn_to is told */
	const char *hostname;		/* the gateway's */
	const char *full_name;		/* the same, in reports */
};

extern const struct schema_key retry_keys[], dsn_keys[];

struct routes;
/* From the root of postern.yaml (its blocks retry, dsn). */
bool dispatch_config_bind(struct dispatch_config *c, const struct node *root,
			  const char *hostname, const struct routes *routes,
			  struct arena *arena, struct diags *d);

#endif
