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
struct host;

enum { BACKEND_DEADLINE_MS = 10 * 60 * 1000 };	/* as postern-plugin(3) says */

/* What a module says of its route; perhaps from within open(), deliver(). */
struct backend_events {
	void (*paused)(void *arg, const char *why);
	void (*ready)(void *arg);
	/* Perhaps it is not busy any more; the module hears of the answer
	 * when this returns, and may ask on.  May be NULL. */
	void (*answered)(void *arg);
};

struct backend_place {
	const char *route;
	const char *hostname;
	const struct host *host;	/* outlives the backend */
	const struct backend_events *events;
	void *arg;
	int64_t deadline_ms;		/* for blocking modules; 0: the above */
	bool state_later;		/* until backend_take_state() */
};

struct backend *backend_open(struct module *m, const struct node *block,
			     const struct backend_place *place,
			     struct error *err);
/* All its jobs must have come back.  What it has asked is given up, so wait
 * until it is not busy; what it writes is written to its end. */
void backend_close(struct backend **b);

/* The route has another backend from now on, or the gateway stops: actions
 * end, and the module begins nothing more that can wait.  Jobs may come
 * nevertheless, while the gateway stops. */
void backend_retire(struct backend *b);
/* Asks the module whether the reason still holds for which it has paused its
 * route; paused or ready follow.  False: it cannot tell. */
bool backend_look_again(struct backend *b);
/* It waits for a web server, or for the state folder.  What is on its way may
 * be had but once (a provider that takes a refresh token once): who does not
 * wait for it loses it.  Such questions end by their own timeouts. */
bool backend_busy(const struct backend *b);
/* The state folder of a route belongs to one backend at a time.  After a
 * reload the new one is opened with state_later, and what it asks of the
 * folder waits until the old one was retired, was not busy, and left it: for
 * good, what it still wants to write is refused. */
void backend_leave_state(struct backend *b);
void backend_take_state(struct backend *b);

/* Jobs that it takes at once whatever the route allows: 1 for a blocking
 * module, else a large number. */
unsigned backend_parallel(const struct backend *b);

/* What the refusals of its next hops mean (POSTERN_RELAY, _RECEIVERS). */
enum backend_manner {
	BACKEND_NEUTRAL,	/* nothing is known */
	BACKEND_RELAY,		/* one next hop that knows us */
	BACKEND_RECEIVERS,	/* the recipients' own servers */
};
enum backend_manner backend_manner(const struct backend *b);
enum backend_manner module_manner(const struct module *m);

/* Of a destination: its name, and what its next hop allows (0: not known). */
struct backend_destination {
	char name[256];
	unsigned connections, per_minute;
	bool may_refuse_null_sender;
	char mailbox[256];		/* that it is sent as; "" : none */
};
/* Pure. */
void backend_describe(const struct backend *b, const char *recipient,
		      struct backend_destination *ret);

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
