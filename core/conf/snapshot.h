/* snapshot.h - one configuration, whole and checked, dead data
 *
 * Built from all files, then never changed.  Reference-counted with atomic
 * counters: sessions and jobs hold the one they began with.  It holds one
 * slot for each room that has a schema: a pointer to that room's bound
 * struct, allocated from the snapshot's arena.
 */
#ifndef CONF_SNAPSHOT_H
#define CONF_SNAPSHOT_H

#include "base/arena.h"
#include "conf/diag.h"
#include "conf/node.h"

struct snapshot;

enum slot {
	SLOT_GATEWAY,		/* daemon/gateway.h: hostname, user, log ... */
	SLOT_SMTPD,		/* smtpd/config.h: listen, relay, limits */
	SLOT_ROUTES,		/* route/route.h: the routes and their rules */
	SLOT_MODULES,		/* module/config.h: backend and filter blocks */
	SLOT_DISPATCH,		/* dispatch/config.h: retry, dsn */
	SLOT_SPOOL,		/* spool settings */
	SLOT_DNS,		/* daemon/dns_config.h: dns */
	SLOT_COUNT,
};

struct snapshot *snapshot_new(void);		/* one reference */
struct snapshot *snapshot_ref(struct snapshot *s);
/* Gives the reference back; the last one frees all: first what was given to
 * snapshot_on_free, then trees and arena. */
void snapshot_unref(struct snapshot **s);

struct arena *snapshot_arena(struct snapshot *s);
/* The snapshot owns the tree from now on. */
void snapshot_keep_tree(struct snapshot *s, struct tree *t);
void snapshot_on_free(struct snapshot *s, void (*fn)(void *arg), void *arg);

void snapshot_set(struct snapshot *s, enum slot slot, void *value);
void *snapshot_get(const struct snapshot *s, enum slot slot);

/* A number that grows by one with each snapshot of the process. */
unsigned snapshot_number(const struct snapshot *s);

#endif
