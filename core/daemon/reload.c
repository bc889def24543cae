/* reload.c - all or none */
#include "daemon/reload.h"

#include "base/log.h"
#include "base/macros.h"
#include "daemon/app.h"
#include "daemon/certificate.h"
#include "daemon/dns_config.h"
#include "daemon/gateway.h"
#include "daemon/notify.h"
#include "daemon/ports.h"
#include "dispatch/dispatch.h"
#include "io/tls_store.h"
#include "route/route.h"
#include "smtpd/config.h"
#include "spool/spool.h"

#include <string.h>

#define STOPPING "the gateway is stopping\n"

static const struct log reload_log = { .room = "reload" };

/* --- what is told ---------------------------------------------------- */

static struct span
next_line(struct span *rest)
{
	size_t n = span_find(*rest, '\n');
	struct span line = span_sub(*rest, 0, n);

	*rest = span_from(*rest, MIN(n + 1, rest->n));
	return line;
}

static bool
has(struct span line, struct span words)
{
	return line.n >= words.n && memmem(line.p, line.n, words.p, words.n);
}

static void
log_complaint(struct span line, struct span hint)
{
	bool warning = has(line, SPAN("warning: ")) &&
		       !has(line, SPAN(": error: "));

	if (line.n > 0)
		log_event(&reload_log, warning ? LOG_LEVEL_WARNING
					       : LOG_LEVEL_ERROR, NULL, 0,
			  "%.*s%s%.*s", SPAN_ARG(line), hint.n > 0 ? "; " : "",
			  SPAN_ARG(hint));
}

/* A line of the log for each; what is indented shows the place, or is its
 * hint. */
static void
log_text(struct span rest)
{
	struct span line = SPAN(""), hint = SPAN("");

	while (rest.n > 0) {
		struct span next = next_line(&rest);

		if (next.n > 0 && next.p[0] != ' ') {
			log_complaint(line, hint);
			line = next;
			hint = SPAN("");
		} else if (span_starts_nocase(span_trim(next),
					      SPAN("hint: "))) {
			hint = span_trim(next);
		}
	}
	log_complaint(line, hint);
}

static void
reload_log_end(const struct who *by, enum log_level level, const char *words)
{
	struct log_field f[WHO_FIELDS];
	size_t n = who_fields(by, f);

	log_event(&reload_log, level, f, n, "%s", words);
}

static void
reload_end(struct reload *r, bool ok)
{
	reload_done_fn *done = r->done;

	log_text(buf_span(&r->text));
	reload_log_end(&r->by, ok ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, ok
		       ? "the new configuration is active"
		       : "the running configuration stays active");
	if (!ok)
		intake_certificate(&r->app->intake, r->app->certificate);
	tls_identity_unref(&r->certificate);
	r->under_way = false;
	notify_manager("READY=1");
	snapshot_unref(&r->snap);
	if (done != NULL)
		done(r->arg, ok, buf_str(&r->text));
}

static void
reload_say(struct reload *r, const struct error *err)
{
	buf_addf(&r->text, "%s\n", err->text);
	if (err->hint[0] != '\0')
		buf_addf(&r->text, "  hint: %s\n", err->hint);
}

/* --- what cannot change without a restart ---------------------------- */

static bool
same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* "`spool', `user'": all keys that have changed and cannot; false: none. */
static bool
needs_restart(const struct snapshot *old, const struct snapshot *new,
	      struct buf *keys)
{
	const struct gateway_config *a = snapshot_get(old, SLOT_GATEWAY);
	const struct gateway_config *b = snapshot_get(new, SLOT_GATEWAY);
	const struct {
		const char *key;
		bool changed;
	} rows[] = {
		{ "spool", !same(a->spool, b->spool) },
		{ "state", !same(a->state, b->state) },
		{ "user", !same(a->user, b->user) },
		{ "intake_threads", a->intake_threads != b->intake_threads },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].changed)
			buf_addf(keys, "%s`%s'", keys->len ? ", " : "",
				 rows[i].key);
	return keys->len > 0;
}

/* --- on a worker ----------------------------------------------------- */

static void
on_backlog(void *arg, const struct spool_backlog *b)
{
	struct reload *r = arg;
	bool one = b->items == 1;

	if (routes_find(snapshot_get(r->snap, SLOT_ROUTES), b->route) != NULL)
		return;
	buf_addf(&r->text, "warning: %llu message%s for route `%s', which no "
		 "longer exists; at %s next attempt the rules choose another "
		 "route (to try at once: postern queue retry --route %s)\n",
		 (unsigned long long)b->items, one ? " waits" : "s wait",
		 b->route, one ? "its" : "their", b->route);
}

/* Of a route that was renamed or removed, now or before. */
static void
reload_tell_orphans(struct reload *r)
{
	struct spool_reader *reader;
	struct error err;

	reader = spool_reader_open(r->app->spool, &err);
	if (reader == NULL ||
	    !spool_backlogs(reader, SIZE_MAX, on_backlog, r, &err))
		buf_addf(&r->text, "warning: it is not known whether mail waits "
			 "for a route that no longer exists: %s\n", err.text);
	spool_reader_close(&reader);
}

static void
reload_work(struct task *t)
{
	struct reload *r = container_of(t, struct reload, task);
	AUTO(buf_fini) struct buf keys = BUF_MAX(200);
	struct diags *d = diags_new();
	struct error err;

	r->ok = gateway_load(r->app->path, d, &r->snap);
	diags_show(d, &r->text);
	diags_free(&d);
	if (!r->ok)
		return;
	r->ok = certificate_read(snapshot_get(r->snap, SLOT_SMTPD),
				 &r->certificate, &err);
	if (!r->ok) {
		reload_say(r, &err);
		return;
	}
	if (!needs_restart(r->app->snap, r->snap, &keys)) {
		reload_tell_orphans(r);
		return;
	}
	buf_addf(&r->text, "%s cannot change while the gateway runs; restart "
		 "the gateway\n", buf_str(&keys));
	r->ok = false;
}

/* --- back on the loop ------------------------------------------------ */

static void
reload_failed(struct reload *r, const struct error *err)
{
	reload_say(r, err);
	reload_end(r, false);
}

/* Whatever else is wrong with it. */
static void
reload_too_late(struct reload *r)
{
	buf_add_str(&r->text, STOPPING);
	reload_end(r, false);
}

/* Intake has gone back to the old one. */
static void
intake_undone(void *arg, const struct error *err)
{
	(void)err;
	reload_end(arg, false);
}

/* To what does not ask the snapshot. */
static void
settings_apply(struct app *app)
{
	const struct gateway_config *g = snapshot_get(app->snap, SLOT_GATEWAY);
	const struct smtpd_config *c = snapshot_get(app->snap, SLOT_SMTPD);

	log_configure((enum log_format)g->log_format,
		      (enum log_level)g->log_level);
	app->memory.limit = c->memory;
	spool_set_free_space(app->spool, c->free_space);
	services_configure(&app->services, app->snap);
}

/* Says words of each listener of these that those do not have. */
static void
listeners_tell(const struct snapshot *these, const struct snapshot *those,
	       const char *words)
{
	const struct smtpd_config *c = snapshot_get(these, SLOT_SMTPD);
	const struct listener_config *listen = c->listen.v;
	char text[ENDPOINT_TEXT];

	for (size_t i = 0; i < c->listen.n; i++)
		if (ports_config(those, listen[i].at) == NULL)
			log_info(&reload_log, "%s %s", words,
				 endpoint_text(listen[i].at, text));
}

static void
intake_taken(void *arg, const struct error *err)
{
	struct reload *r = arg;
	struct app *app = r->app;
	struct error why;

	if (err != NULL) {
		reload_failed(r, err);
		return;
	}
	if (app->stopping) {		/* and the loops are told so already */
		reload_too_late(r);
		return;
	}
	if (!dispatch_configure(app->dispatch, r->snap, &why)) {
		reload_say(r, &why);
		intake_configure(&app->intake, app->snap, app->loop,
				 intake_undone, r);
		return;
	}
	listeners_tell(r->snap, app->snap, "listening on");
	listeners_tell(app->snap, r->snap, "no longer listening on");
	snapshot_unref(&app->snap);
	app->snap = snapshot_ref(r->snap);
	certificate_use(app, snapshot_get(app->snap, SLOT_SMTPD),
			r->certificate);
	r->certificate = NULL;
	settings_apply(app);
	reload_end(r, true);
}

static void
reload_back(struct task *t)
{
	struct reload *r = container_of(t, struct reload, task);

	if (r->app->stopping) {
		reload_too_late(r);
		return;
	}
	if (!r->ok) {
		reload_end(r, false);
		return;
	}
	/* before the listeners that want it; one that is not wanted any more
	 * stays until they have gone */
	if (r->certificate != NULL)
		intake_certificate(&r->app->intake, r->certificate);
	intake_configure(&r->app->intake, r->snap, r->app->loop, intake_taken,
			 r);
}

void
reload_begin(struct app *app, const struct who *by, reload_done_fn *done,
	     void *arg)
{
	struct reload *r = &app->reload;

	if (r->under_way || app->stopping) {
		reload_log_end(by, LOG_LEVEL_INFO, app->stopping
			       ? "no reload is begun: the gateway is stopping"
			       : "no reload is begun: one is under way");
		if (done != NULL)
			done(arg, false, app->stopping
			     ? STOPPING
			     : "another reload is already running\n");
		return;
	}
	buf_fini(&r->text);
	*r = (struct reload){
		.app = app, .under_way = true, .by = *by, .done = done,
		.arg = arg,
		.text = BUF_MAX(64 * 1024),
		.task = { .work = reload_work, .done = reload_back,
			  .home = loop_mailbox(app->loop) },
	};
	notify_reloading();
	workers_submit(app->workers, &r->task);
}
