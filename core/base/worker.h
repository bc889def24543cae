/* worker.h - threads for what may block
 *
 * A task is embedded in the object that travels.  Submitting hands it to a
 * worker, which calls `work'; the task then goes home: `done' is called on
 * the thread that owns the mailbox `home'.  A worker is never cancelled.
 */
#ifndef BASE_WORKER_H
#define BASE_WORKER_H

#include "base/mailbox.h"

struct workers;

struct task {
	struct letter letter;			/* private to worker.c */
	void (*work)(struct task *t);		/* on a worker */
	void (*done)(struct task *t);		/* at home; may free the task */
	struct mailbox *home;			/* NULL: done on the worker */
};

struct workers *workers_new(const char *name, unsigned threads);
/* Sleeps until nothing is submitted or under way: what has a home is in the
 * mailbox then. */
void workers_drain(struct workers *w);
/* Finishes what was submitted, ends the threads. */
void workers_free(struct workers **w);
void workers_submit(struct workers *w, struct task *t);	/* any thread */

#endif
