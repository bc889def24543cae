/* dispatch.h - what is sent when, and what becomes of it
 *
 * Lives on the delivery loop; owns backends, destinations, and a bounded
 * window of items.  An item comes in pushed by the spool after its commit, or
 * is claimed when it is due; it leaves settled.
 */
#ifndef DISPATCH_DISPATCH_H
#define DISPATCH_DISPATCH_H

#include "base/loop.h"
#include "base/who.h"
#include "conf/snapshot.h"
#include "dispatch/config.h"
#include "spool/spool.h"

struct dispatch;
struct backend;
struct host;

struct dispatch_deps {
	const struct host *host;	/* for backends; its loop is ours */
	struct workers *workers;	/* for signing */
	struct budget *memory;		/* charged with what is in the window,
					 * a share of it; NULL: no limit */
};

struct dispatch *dispatch_new(const struct dispatch_deps *deps);
/* Before anything is pushed. */
void dispatch_set_spool(struct dispatch *d, struct spool *s);

/* Takes a snapshot: opens the backends of routes that are new or whose block
 * changed, keeps the others, closes old ones when all of theirs has ended.  False
 * with err: nothing was changed. */
bool dispatch_configure(struct dispatch *d, struct snapshot *snap,
			struct error *err);

/* The window: any thread.  See smtpd_deps. */
bool dispatch_window(void *dispatch, struct item *const *items, size_t n);
void dispatch_window_give(void *dispatch, struct item *const *items,
			  size_t n);

/* For spool_hooks: posts to the loop. */
void dispatch_committed(void *dispatch, struct item *item);
void dispatch_work(void *dispatch, int64_t next_due_ms);

/* No new attempts; those under way end, at the latest after patience_ms, and
 * so do questions of backends whose answers must not be lost, by their own
 * timeouts; then done is called; dispatch_left says how many items are still in
 * memory (0 unless a backend did not give its job back). */
void dispatch_stop(struct dispatch *d, int64_t patience_ms,
		   void (*done)(void *arg), void *arg);
/* After dispatch_stop(): patience is over now. */
void dispatch_hurry(struct dispatch *d);
/* How long it takes at most until done is called, while the loop runs: from
 * dispatch_stop(), and from dispatch_hurry(). */
int64_t dispatch_stop_most(int64_t patience_ms);
int64_t dispatch_hurry_most(void);
size_t dispatch_left(const struct dispatch *d);
void dispatch_free(struct dispatch **d);

/* --- the operator's hand -------------------------------------------------
 * On the loop.  done is called on the loop; ids are copied. */
struct dispatch_act {
	struct dispatch *dispatch;	/* filled in */
	enum spool_verb verb;
	uint64_t *ids;			/* NULL: all, or of route */
	size_t n;
	char *route;
	struct who by;			/* WHO_NOBODY: it is not logged */
	size_t changed, busy;		/* busy: in delivery right now */
	bool failed;
	struct error err;
	void (*done)(struct dispatch_act *a);
};
void dispatch_act(struct dispatch *d, struct dispatch_act *a);

/* --- actions: see module/action.h ---------------------------------------
 * On the loop.  NULL with err when there is no such route, or its backend has
 * no such action. */
struct action_events;
struct postern_action_run;
struct postern_action_run *dispatch_action(struct dispatch *d,
	const char *route, const char *action, const struct action_events *ev,
	void *arg, struct error *err);

/* On the loop: whether a backend has some of the item right now.  What waits
 * in a line here is claimed in the spool, but not active. */
bool dispatch_is_active(struct dispatch *d, uint64_t id);

/* On the loop: routes and destinations as they are now; what was delivered,
 * deferred and bounced counts recipients from the start of the gateway, over
 * reloads. */
struct dispatch_row {
	const char *route, *backend;
	const char *destination;	/* NULL: the route itself */
	unsigned waiting, active, limit;
	unsigned per_minute;		/* messages at most; 0: no limit */
	int64_t rest_ms;		/* not for so long from now; 0: free */
	uint64_t delivered, deferred, bounced;
	const char *last;		/* words of the last failure, or NULL */
	const char *paused;		/* of a route: why; NULL: it is not */
	int64_t paused_since_ms;	/* wall clock */
	int64_t probe_ms;		/* from now, until it is tried again */
	int64_t keeps_ms;		/* the age at which its mail is returned
					 * when it stays paused */
	/* dsn.to was told of the pause: when (steady; 0: not yet), and the
	 * route that has the mail; NULL: not known, as after a restart */
	int64_t told_ms;
	const char *told_by;
};
void dispatch_rows(struct dispatch *d,
		   void (*row)(void *arg, const struct dispatch_row *r),
		   void *arg);
/* Reports and notices of ours, since the start, that reached nobody. */
struct dispatch_reports {
	uint64_t no_route;		/* no route took them */
	uint64_t undelivered;		/* a server refused them, or they were
					 * given up */
	const char *last;		/* of the latest: to whom, by which
					 * route, why, and a remedy; or NULL */
	int64_t last_ms;		/* when, steady; 0: there is none */
};
void dispatch_reports(const struct dispatch *d, struct dispatch_reports *ret);

#endif
