/* app.c - a life: load, start, run, stop */
#include "daemon/app.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/thread.h"
#include "daemon/gateway.h"
#include "daemon/notify.h"
#include "daemon/phases.h"
#include "daemon/privileges.h"
#include "dispatch/dispatch.h"
#include "spool/spool.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct log app_log = { .room = "gateway" };

enum { SLACK_MS = 15 * 1000 };	/* for what ends by timers of its own */

/* --- stopping -------------------------------------------------------- */

static void
deliveries_ended(void *arg)
{
	struct app *app = arg;

	loop_stop(app->loop);
}

static void
intake_ended(void *arg)
{
	struct app *app = arg;
	const struct gateway_config *g = snapshot_get(app->snap, SLOT_GATEWAY);
	int64_t patience_ms = app->hurried ? 0 : g->stop_patience;
	int64_t most_ms = app->hurried ? dispatch_hurry_most()
				       : dispatch_stop_most(patience_ms);

	endwatch_expect(&app->endwatch, "the deliveries", most_ms + SLACK_MS);
	dispatch_stop(app->dispatch, patience_ms, deliveries_ended, app);
}

void
app_stop_begin(struct app *app, const struct who *by)
{
	const struct gateway_config *g = snapshot_get(app->snap, SLOT_GATEWAY);
	struct log_field f[WHO_FIELDS];
	size_t n = who_fields(by, f);

	if (app->stopping)
		return;
	app->stopping = true;
	notify_manager("STOPPING=1");
	log_event(&app_log, LOG_LEVEL_INFO, f, n, "stopping: running sessions "
		  "and deliveries finish first");
	endwatch_expect(&app->endwatch, "the sessions",
		      g->stop_patience / 2 + SLACK_MS);
	intake_stop(&app->intake, g->stop_patience / 2, app->loop,
		    intake_ended, app);
}

/* Told twice: sessions are cut off and deliveries cancelled, still in the
 * order that lets none of them reach for what is gone. */
static void
hurry(struct app *app)
{
	app->hurried = true;
	log_warning(&app_log, "second signal to stop: running sessions and "
		    "deliveries end now");
	endwatch_expect(&app->endwatch, "what was cut off",
		      dispatch_hurry_most() + SLACK_MS);
	intake_hurry(&app->intake);
	dispatch_hurry(app->dispatch);
}

/* What stays for the next start. */
static void
tell_what_is_left(struct app *app)
{
	struct spool_counts counts;
	struct spool_reader *r;
	struct error err;

	if (app->spool == NULL)
		return;
	r = spool_reader_open(app->spool, &err);
	if (r != NULL && spool_count(r, clock_steady_ms(), &counts, &err))
		log_info(&app_log, "stopped; %llu message%s left in the queue",
			 (unsigned long long)counts.items,
			 counts.items == 1 ? " is" : "s are");
	spool_reader_close(&r);
}

/* --- signals --------------------------------------------------------- */

static void
on_terminate(struct ev_loop *ev, struct ev_signal *w, int events)
{
	struct app *app = w->data;
	const struct who by = who_signal(w->signum == SIGINT ? "SIGINT"
							     : "SIGTERM");

	(void)ev, (void)events;
	if (app->hurried)
		loop_stop(app->loop);	/* thrice: whatever is left */
	else if (app->stopping)
		hurry(app);
	else
		app_stop_begin(app, &by);
}

static void
on_hangup(struct ev_loop *ev, struct ev_signal *w, int events)
{
	const struct who by = who_signal("SIGHUP");

	(void)ev, (void)events;
	reload_begin(w->data, &by, NULL, NULL);
}

static void
signal_start(struct app *app, struct ev_signal *w, int number,
	     void (*fn)(struct ev_loop *, struct ev_signal *, int))
{
	sigset_t one;

	ev_signal_init(w, fn, number);
	w->data = app;
	ev_signal_start(loop_ev(app->loop), w);
	/* all were blocked before the first thread; this one takes these */
	sigemptyset(&one);
	sigaddset(&one, number);
	pthread_sigmask(SIG_UNBLOCK, &one, NULL);
}

static void
signals_start(struct app *app)
{
	signal_start(app, &app->terminate, SIGTERM, on_terminate);
	signal_start(app, &app->interrupt, SIGINT, on_terminate);
	signal_start(app, &app->hangup, SIGHUP, on_hangup);
}

static void
signals_stop(struct app *app)
{
	/* without a watcher one would kill us, with results to be written */
	thread_block_signals();
	ev_signal_stop(loop_ev(app->loop), &app->terminate);
	ev_signal_stop(loop_ev(app->loop), &app->interrupt);
	ev_signal_stop(loop_ev(app->loop), &app->hangup);
}

/* --- life ------------------------------------------------------------ */

static int
show_diags(struct diags *d, bool ok)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(256 * 1024);

	diags_show(d, &text);
	log_plain(buf_span(&text));
	diags_free(&d);
	return ok ? 0 : 78;
}

static int
start_failed(struct app *app, const struct error *err)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(2 * sizeof(*err) + 100);

	buf_addf(&text, "postern: %s\n", err->text);
	if (err->hint[0] != '\0')
		buf_addf(&text, "  hint: %s\n", err->hint);
	log_plain(buf_span(&text));
	endwatch_over(&app->endwatch);
	loop_free(&app->loop);
	snapshot_unref(&app->snap);
	return error_exit_status(err);
}

static void
tell_ready(const struct app *app)
{
	const struct smtpd_config *c = snapshot_get(app->snap, SLOT_SMTPD);
	const struct gateway_config *g = snapshot_get(app->snap, SLOT_GATEWAY);
	const struct listener_config *listen = c->listen.v;
	char text[ENDPOINT_TEXT];

	for (size_t i = 0; i < c->listen.n; i++)
		log_info(&app_log, "listening on %s",
			 endpoint_text(listen[i].at, text));
	if (geteuid() == 0 && g->user == NULL)
		log_warning(&app_log, "running as root, because there is no "
			    "user `postern': create this user with `useradd "
			    "--system postern', or set `user: root' if this is "
			    "intended");
	log_info(&app_log, "postern %s is ready", PACKAGE_VERSION);
	notify_manager("READY=1");
}

int
app_run(const char *path)
{
	struct app app = { .path = path, .state_lock = -1,
			   .endwatch = ENDWATCH_INIT };
	struct diags *d = diags_new();
	const struct gateway_config *g;
	struct error err;
	bool ok;

	thread_block_signals();
	signal(SIGPIPE, SIG_IGN);
	ok = gateway_load(path, d, &app.snap);
	if (show_diags(d, ok) != 0) {
		snapshot_unref(&app.snap);
		return 78;
	}
	g = snapshot_get(app.snap, SLOT_GATEWAY);
	log_find_journal();
	log_configure((enum log_format)g->log_format,
		      (enum log_level)g->log_level);
	process_limits();
	app.loop = loop_new("delivery");
	if (!phases_start(&app, &err))
		return start_failed(&app, &err);
	signals_start(&app);
	tell_ready(&app);
	loop_run(app.loop);
	signals_stop(&app);
	tell_what_is_left(&app);
	phases_stop(&app);
	endwatch_over(&app.endwatch);
	loop_free(&app.loop);
	buf_fini(&app.reload.text);
	snapshot_unref(&app.snap);
	return 0;
}
