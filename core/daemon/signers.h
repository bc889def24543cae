/* signers.h - the DKIM keys of a configuration, read from their files
 *
 * On whatever thread loads the configuration; blocks.  The keys belong to the
 * snapshot, and routes that name the same one share it.
 */
#ifndef DAEMON_SIGNERS_H
#define DAEMON_SIGNERS_H

#include "conf/snapshot.h"

struct identity;
struct routes;

/* Fills in signers of every route.  who: the gateway will be, and must be able
 * to read the files.  False when a key cannot be used; d points at it. */
bool signers_load(struct routes *routes, const struct identity *who,
		  struct snapshot *snap, struct diags *d);

#endif
