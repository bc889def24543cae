/* backend.h - delivering through a module
 *
 * A backend is an instance of a module on the delivery loop, opened for one
 * route.  dispatch/ gives it jobs; the job comes back with every recipient
 * settled exactly once, also when the module is blocking (its deliver then
 * runs on a worker, with a deadline), returns without having settled, or
 * settles twice (which is reported).
 */
#ifndef MODULE_BACKEND_H
#define MODULE_BACKEND_H

#include "base/loop.h"
#include "mail/body.h"
#include "mail/envelope.h"
#include "mail/outcome.h"
#include "module/module.h"

struct backend;
struct smtpc;

enum { BACKEND_DEADLINE_MS = 10 * 60 * 1000 };	/* as postern-plugin(3) says */

struct backend_place {
	const char *route;
	const char *hostname;
	struct loop *loop;
	struct smtpc *smtpc;		/* for postern_smtp_send() */
	int64_t deadline_ms;		/* for blocking modules; 0: the above */
};

struct backend *backend_open(struct module *m, const struct node *block,
			     const struct backend_place *place,
			     struct error *err);
/* All its jobs must have come back. */
void backend_close(struct backend **b);

/* Jobs that it takes at once whatever the route allows: 1 for a blocking
 * module, else a large number. */
unsigned backend_parallel(const struct backend *b);

/* Pure; writes the destination's name, at most size bytes with its NUL. */
void backend_describe(const struct backend *b, const char *recipient,
		      char *name, size_t size);

/* One delivery: some recipients of one item, all of one destination.  The
 * caller fills it, owns it, and borrows out what it points to until
 * `finished', which is called on the loop exactly once, later than
 * backend_deliver() returns, when every outcome is there. */
struct job {
	const char *id;			/* the item's text, for logs */
	unsigned attempt;		/* from 1 */
	const struct envelope *env;
	const size_t *rcpts;		/* indexes into env */
	size_t rcpt_count;
	struct body_source *body;
	struct outcome *outcomes;	/* rcpt_count of them, filled in */
	void (*finished)(struct job *job);
	void *owner;			/* dispatch's */
	struct postern_job *inside;	/* module's */
};
void backend_deliver(struct backend *b, struct job *job);
/* Patience is over: finished comes soon, without answers where there are
 * none. */
void backend_cancel(struct backend *b, struct job *job);

#endif
