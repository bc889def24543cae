/* gateway.h - reading a whole configuration into a snapshot
 *
 * The one path for check, explain, start and reload: parse all YAML, read
 * `modules:' and load them, bind every room's block, check what only the
 * whole can tell.  SLOT_GATEWAY holds what is left: who we are.
 */
#ifndef DAEMON_GATEWAY_H
#define DAEMON_GATEWAY_H

#include "conf/schema.h"
#include "conf/snapshot.h"

struct gateway_config {
	char *hostname;			/* default: the host's full name */
	char *user;			/* who we are after binding; NULL: stay */
	char *spool;			/* sqlite:FOLDER | memory: */
	char *state;			/* folder; default: the spool's */
	int log_format, log_level;	/* enum log_format, enum log_level */
	int64_t stop_patience;		/* ms for what is in flight at SIGTERM */
	struct strings modules;		/* paths of further modules */
	int64_t intake_threads;		/* 0: one for each core */
	char *trust_file;		/* authorities for what we connect to */
	char *source;			/* our address for that; NULL: any */
	/* bound by their rooms */
	const struct node *listen, *tls, *relay, *limits, *retry, *dsn,
			  *filters, *dns;
};

extern const struct schema_key gateway_keys[];

/* path is postern.yaml; the routes are in conf.d beside it.  False when
 * something is wrong; d tells all of it, and warnings in any case.  *ret is
 * then NULL or what could be bound, which d's marks point into: give it back
 * with snapshot_unref() when d has been shown. */
bool gateway_load(const char *path, struct diags *d, struct snapshot **ret);

#endif
