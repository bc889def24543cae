/* dkim.h - what stands under `dkim:' in a route
 *
 * Files are not read here: who loads a configuration fills in the keys
 * (struct route: signers), of which signers_pick() chooses.
 */
#ifndef ROUTE_DKIM_H
#define ROUTE_DKIM_H

#include "route/route.h"

/* What is missing or wrong is NULL, and told: then the configuration is not
 * taken, but the rest of the entry can be checked. */
struct dkim_entry {
	char *domain, *selector;
	char *key;			/* path of a PEM file */
};

/* Points at what is no domain, and no selector, and takes it out; false also
 * where something is missing. */
bool dkim_entries_check(const struct blocks *entries, struct diags *d);

extern const struct schema_key dkim_keys[];

#endif
