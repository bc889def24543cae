/* reload.h - taking a new configuration while running
 *
 * The files are read and checked on a worker; then intake and dispatch are
 * given the new snapshot, all or none.  Whatever goes wrong, the running
 * configuration stays in force.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include "base/buf.h"
#include "base/who.h"
#include "base/worker.h"

struct app;
struct snapshot;
struct tls_identity;

typedef void reload_done_fn(void *arg, bool ok, const char *text);

struct reload {
	struct task task;
	struct app *app;
	bool under_way;
	struct snapshot *snap;		/* the new one */
	struct tls_identity *certificate;	/* of its listeners */
	bool ok;
	struct buf text;		/* what is told */
	struct who by;
	reload_done_fn *done;
	void *arg;
};

/* On the loop.  The log says who wanted it.  done may be NULL.  One at a time:
 * a second one is told so. */
void reload_begin(struct app *app, const struct who *by, reload_done_fn *done,
		  void *arg);

#endif
