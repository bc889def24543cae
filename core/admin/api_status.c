/* api_status.c - how the gateway is, and reading its configuration again */
#include "admin/api.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "dispatch/dispatch.h"

#include <string.h>

enum {
	PATIENCE_MS = 10 * 1000,
	RELOAD_PATIENCE_MS = 60 * 1000,
	BACKLOGS = 50,			/* routes, those with most mail */
};

const struct api_row api_rows[] = {
	{ "GET",  "/v1/status",        false, api_status },
	{ "POST", "/v1/reload",        false, api_reload },
	{ "GET",  "/v1/queue",         false, api_queue_list },
	{ "POST", "/v1/queue/",        true,  api_queue_act },
	{ "GET",  "/v1/queue/",        true,  api_queue_show },
	{ "POST", "/v1/routes/",       true,  api_action_begin },
	{ "GET",  "/v1/runs/",         true,  api_run_look },
	{ "POST", "/v1/runs/",         true,  api_run_cancel },
	{ 0 },
};

/* --- status: what the loop knows ------------------------------------- */

struct status_ask {
	struct ask ask;
	struct admin *admin;
	json_t *routes, *destinations;
	json_t *reports;
	char *description;
};

static void
status_drop(struct ask *ask)
{
	struct status_ask *s = container_of(ask, struct status_ask, ask);

	json_decref(s->routes);
	json_decref(s->destinations);
	json_decref(s->reports);
	mem_free(s->description);
	mem_free(s);
}

static json_t *
row_json(const struct dispatch_row *r)
{
	return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:o}",
		"route", r->route, "backend", r->backend,
		"waiting", (int)r->waiting, "active", (int)r->active,
		"limit", (int)r->limit, "per_minute", (int)r->per_minute,
		"delivered", (json_int_t)r->delivered,
		"deferred", (json_int_t)r->deferred,
		"bounced", (json_int_t)r->bounced, "last",
		api_text_or_null(r->last));
}

/* Each route is in one list, each destination in the other. */
static void
on_row(void *arg, const struct dispatch_row *r)
{
	struct status_ask *s = arg;
	json_t *row = row_json(r);

	if (r->destination != NULL) {
		json_object_update_new(row, json_pack("{s:o, s:I}",
			"destination", api_text_or_null(r->destination),
			"rest_ms", (json_int_t)r->rest_ms));
		json_array_append_new(s->destinations, row);
		return;
	}
	json_object_update_new(row, json_pack("{s:o, s:I, s:I, s:I, s:I, s:o}",
		"paused", api_text_or_null(r->paused),
		"paused_since_ms", (json_int_t)r->paused_since_ms,
		"probe_ms", (json_int_t)r->probe_ms,
		"keeps_ms", (json_int_t)r->keeps_ms,
		"told_ms", api_time(r->told_ms),
		"told_by", api_text_or_null(r->told_by)));
	json_array_append_new(s->routes, row);
}

static json_t *
status_reports(struct dispatch *d)
{
	struct dispatch_reports r;

	dispatch_reports(d, &r);
	return json_pack("{s:I, s:I, s:o, s:I}",
		"no_route", (json_int_t)r.no_route,
		"undelivered", (json_int_t)r.undelivered,
		"last", api_text_or_null(r.last),
		"last_ms", api_time(r.last_ms));
}

static void
status_on_loop(struct ask *ask)
{
	struct status_ask *s = container_of(ask, struct status_ask, ask);
	struct admin_deps *deps = &s->admin->deps;

	dispatch_rows(deps->dispatch, on_row, s);
	s->reports = status_reports(deps->dispatch);
	s->description = deps->describe(deps->arg);
	ask_answer(ask);
}

/* --- status: what any thread may ask --------------------------------- */

static void
on_backlog(void *arg, const struct spool_backlog *b)
{
	json_array_append_new(arg, json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "route", b->route,
		"items", (json_int_t)b->items, "held", (json_int_t)b->held,
		"claimed", (json_int_t)b->claimed,
		"oldest_ms", api_time(b->oldest_ms),
		"next_due_ms", api_time(b->next_due_ms),
		"last", api_text_or_null(b->last)));
}

static json_t *
status_queue(struct admin *a)
{
	json_t *routes = json_array();
	struct spool_counts c = { 0 };
	struct spool_stats s;
	struct error err;

	spool_stats(a->deps.spool, &s);
	if (admin_reader(a, &err) == NULL ||
	    !spool_count(a->reader, clock_steady_ms(), &c, &err) ||
	    !spool_backlogs(a->reader, BACKLOGS, on_backlog, routes, &err)) {
		json_decref(routes);
		return json_pack("{s:o, s:b, s:o}", "error",
				 api_text(span_of(err.text)), "accepting",
				 s.accepting, "trouble",
				 api_text(span_of(s.trouble)));
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:b, s:o, s:I, s:I, s:o}",
		"items", (json_int_t)c.items, "held", (json_int_t)c.held,
		"due", (json_int_t)c.due, "oldest_ms", api_time(c.oldest_ms),
		"accepting", s.accepting, "trouble",
		api_text(span_of(s.trouble)),
		"commits", (json_int_t)s.commits,
		"settled", (json_int_t)s.settled, "routes", routes);
}

static json_t *
status_intake(struct admin *a)
{
	struct admin_intake in;
	json_t *failed = json_object();

	a->deps.intake(a->deps.arg, &in);
	for (size_t i = 0; i < ADMIN_KINDS && in.failed[i].name != NULL; i++)
		json_object_set_new(failed, in.failed[i].name, json_integer(
			(json_int_t)in.failed[i].n));
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}",
		"sessions", (json_int_t)in.sessions, "open", (json_int_t)in.open,
		"accepted", (json_int_t)in.accepted,
		"refused", (json_int_t)in.refused,
		"greeted", (json_int_t)in.greeted, "failed", failed);
}

unsigned
api_status(struct request *rq, json_t **ret)
{
	struct admin *a = rq->admin;
	struct status_ask *s = NEW(struct status_ask);
	bool answered;

	s->admin = a;
	s->ask.on_loop = status_on_loop;
	s->ask.drop = status_drop;
	s->routes = json_array();
	s->destinations = json_array();
	answered = ask_and_wait(a, &s->ask, PATIENCE_MS);
	if (!answered) {
		ask_release(&s->ask);
		return ask_failed(a, PATIENCE_MS, ret);
	}
	*ret = json_pack("{s:s, s:o, s:I, s:I, s:o?, s:o, s:o, s:o, "
			 "s:o, s:o, s:{s:I}}",
		"version", a->deps.facts.version,
		"config", api_text(span_of(a->deps.facts.config)),
		"started_ms", (json_int_t)
				clock_wall_of(a->deps.facts.started_ms),
		"now_ms", (json_int_t)clock_wall_of(clock_steady_ms()),
		"running", json_loads(s->description, 0, NULL),
		"intake", status_intake(a), "queue", status_queue(a),
		"reports", s->reports, "routes", s->routes,
		"destinations", s->destinations,
		"log", "lost", (json_int_t)log_lost());
	/* handed over: not for two threads */
	s->routes = s->destinations = s->reports = NULL;
	ask_release(&s->ask);
	return 200;
}

/* --- reload ---------------------------------------------------------- */

struct reload_ask {
	struct ask ask;
	struct admin *admin;
	struct who by;
	bool ok;
	char *text;
};

static void
reload_drop(struct ask *ask)
{
	struct reload_ask *r = container_of(ask, struct reload_ask, ask);

	mem_free(r->text);
	mem_free(r);
}

static void
reload_done(void *arg, bool ok, const char *text)
{
	struct reload_ask *r = arg;

	r->ok = ok;
	r->text = mem_strdup(text);
	ask_answer(&r->ask);
}

static void
reload_on_loop(struct ask *ask)
{
	struct reload_ask *r = container_of(ask, struct reload_ask, ask);
	struct admin_deps *deps = &r->admin->deps;

	deps->reload(deps->arg, &r->by, reload_done, r);
}

unsigned
api_reload(struct request *rq, json_t **ret)
{
	struct reload_ask *r = NEW(struct reload_ask);
	unsigned status = 200;

	r->admin = rq->admin;
	r->by = rq->by;
	r->ask.on_loop = reload_on_loop;
	r->ask.drop = reload_drop;
	if (!ask_and_wait(rq->admin, &r->ask, RELOAD_PATIENCE_MS)) {
		ask_release(&r->ask);
		if (asks_ending(&rq->admin->asks))
			return ask_failed(rq->admin, RELOAD_PATIENCE_MS, ret);
		return api_error(503, ret, "the reload has not ended after %d "
				 "seconds; the log tells how it went",
				 RELOAD_PATIENCE_MS / 1000);
	}
	*ret = json_pack("{s:b, s:o}", "ok", r->ok, "text",
			 api_text(span_of(r->text)));
	status = r->ok ? 200 : 409;
	ask_release(&r->ask);
	return status;
}
