/* loop.h - an event loop with timers, a mailbox and a "later" list
 *
 * A loop belongs to the thread that runs it; only loop_mailbox(), loop_stop()
 * and posting may be used from elsewhere.  It wraps libev: io/ alone reaches
 * through loop_ev() for its watchers.
 *
 * No object is freed inside its own callback: it is closed, and freed by
 * loop_later(), which runs when the callbacks of this turn have returned.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/mailbox.h"

#include <ev.h>

struct loop;

struct loop *loop_new(const char *name);
void loop_free(struct loop **loop);		/* not running any more */

void loop_run(struct loop *loop);		/* until loop_stop() */
void loop_stop(struct loop *loop);		/* any thread */

/* For a loop that does not run any more: delivers what has been posted and
 * runs what is listed, until there is nothing. */
void loop_drain(struct loop *loop);
struct mailbox *loop_mailbox(struct loop *loop);
struct ev_loop *loop_ev(struct loop *loop);
const char *loop_name(const struct loop *loop);

/* Deferred work, embedded in the object that it is about.  Listing one that
 * is listed already does nothing. */
struct later {
	struct later *next;
	void (*run)(struct later *l);
	bool listed;
};
void loop_later(struct loop *loop, struct later *l);

/* A timer that fires once.  Embedded; zeroed memory is a stopped timer once
 * timer_init has been called.  Stopping a stopped one does nothing. */
struct timer {
	struct ev_timer ev;
	struct loop *loop;
	void (*fire)(struct timer *t);
};
void timer_init(struct timer *t, struct loop *loop,
		void (*fire)(struct timer *t));
void timer_start(struct timer *t, int64_t in_ms);	/* restarts */
void timer_stop(struct timer *t);
bool timer_runs(const struct timer *t);

#endif
