/* signers.h - the DKIM keys of a configuration, read from their files
 *
 * On whatever thread loads the configuration; blocks.  The keys belong to the
 * snapshot, and routes that name the same one share it.
 */
#ifndef DAEMON_SIGNERS_H
#define DAEMON_SIGNERS_H

#include "conf/snapshot.h"

struct routes;

/* Fills in signers of every route.  user is whom the gateway will become, as
 * configured; NULL: the default.  False when a key cannot be used; d points
 * at it. */
bool signers_load(struct routes *routes, const char *user,
		  struct snapshot *snap, struct diags *d);

#endif
