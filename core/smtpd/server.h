/* server.h - what the sessions of one intake loop have in common
 *
 * Private to this room.  A generation is a snapshot with the filters that
 * were opened for it; it closes them when the last transaction that uses it
 * has ended.  A commit is one message on its way through the spool: it
 * outlives its session.
 */
#ifndef SMTPD_SERVER_H
#define SMTPD_SERVER_H

#include "base/buf.h"
#include "base/log.h"
#include "base/ticket.h"
#include "smtpd/failure.h"
#include "smtpd/smtpd.h"

#include <stdatomic.h>

struct filters;
struct route;
struct routes;
struct session;

struct generation {
	unsigned refs;
	struct snapshot *snap;
	const struct smtpd_config *config;	/* borrowed from snap */
	const struct routes *routes;		/* the same */
	struct filters *gateway;		/* NULL: none */
	struct filters **of_route;		/* by index; NULL: none */
	bool asks;				/* there are filters */
	bool asks_routes;			/* some route has filters */
};

/* NULL with err when a filter does not open. */
struct generation *generation_open(struct loop *loop, struct snapshot *snap,
				   struct error *err);
struct generation *generation_ref(struct generation *g);
void generation_unref(struct generation **g);

/* What the log line of a message says; texts one after another. */
enum fact { FACT_ID, FACT_CLIENT, FACT_HELO, FACT_TLS, FACT_FROM, FACT_ROUTES,
	    FACTS };
struct commit_facts {
	struct buf text;
	size_t end[FACTS];		/* of each in text */
	uint64_t size;
	size_t rcpts;
};

struct commit {
	struct spool_accept accept;	/* items[i] of route routes[i] */
	const struct route *routes[ITEM_ORDINALS];
	struct smtpd *server;
	struct commit *next;		/* among the spare ones */
	uint64_t session;		/* its ticket */
	struct buf prefix;		/* fields that all items get */
	struct commit_facts facts;
	uint64_t drop;			/* bits: items that a filter discards */
	bool reserved;			/* room in dispatch's window */
	bool prefixed;			/* the items have their prefixes */
};

struct smtpd {
	struct smtpd_deps deps;
	struct log log;
	struct generation *now;
	struct tls_identity *identity;	/* NULL: no TLS */
	struct tickets *tickets;
	struct session *sessions;	/* a list */
	struct commit *spare;
	unsigned spares;
	size_t open, commits;		/* sessions; commits that are out */
	struct buf scratch;		/* what is decoded to be forgotten */
	int64_t command_ms, block_ms;	/* patience with a client */
	bool stopping;
	struct timer patience;
	struct later stopped;
	void (*done)(void *arg);
	void *done_arg;
	uint64_t untold;		/* sessions whose line was held back */
	struct timer untold_timer;
	_Atomic uint64_t count_sessions, count_accepted, count_refused,
			 count_open, count_greeted;
	_Atomic uint64_t count_failed[FAILURE_KINDS];
};

struct commit *commit_new(struct smtpd *s);
/* Frees the items that it still holds, gives back the window, and keeps the
 * rest for the next message. */
void commit_free(struct commit **c);

/* A session or a commit has ended: perhaps it was the last one. */
void smtpd_check_stopped(struct smtpd *s);

#endif
