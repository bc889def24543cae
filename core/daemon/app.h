/* app.h - the running gateway: everything there is one of
 *
 * The main thread is the delivery loop; it also takes the signals and leads
 * start, reload and stop.  phases.c has the order as a table.
 */
#ifndef DAEMON_APP_H
#define DAEMON_APP_H

#include "base/budget.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/worker.h"
#include "conf/snapshot.h"
#include "daemon/endwatch.h"
#include "daemon/intake.h"
#include "daemon/reload.h"
#include "daemon/services.h"

struct app {
	const char *path;		/* of postern.yaml */
	struct snapshot *snap;		/* in force */
	int64_t started_ms;		/* steady clock; since the spool is open */

	struct loop *loop;		/* the delivery loop */
	struct workers *workers;
	struct budget memory;
	struct workers *signers;
	struct services services;	/* for backends */
	struct dispatch *dispatch;
	struct spool *spool;
	int state_lock;			/* where state is not the spool's */
	struct guard *guard;
	struct admin *admin;
	struct intake intake;
	struct tls_identity *certificate;	/* the listeners'; NULL: none */
	struct reload reload;
	struct ev_signal terminate, interrupt, hangup;
	bool stopping, hurried;
	struct endwatch endwatch;
	size_t up;			/* phases that have started */
	char mark[24];			/* of this run: see smtpc_know() */
};

/* Runs the gateway until it is told to stop; an exit status. */
int app_run(const char *path);

/* Begins to stop: no new sessions, then no new deliveries, then the loop
 * ends.  The log says who wanted it.  On the loop. */
void app_stop_begin(struct app *app, const struct who *by);

#endif
