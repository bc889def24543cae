/* dispatch-double.c - see the header */
#include "dispatch-double.h"

#include "base/clock.h"
#include "module/action.h"

#include <stdio.h>
#include <stdlib.h>

struct world *world;

/* --- modules --------------------------------------------------------- */

struct backend {
	char route[40];
	const struct backend_events *events;
	void *arg;
	bool busy, retired, later;
};

struct module *
module_find(const char *name, struct error *err)
{
	if (strcmp(name, "missing") == 0) {
		error_set(err, ERROR_CONFIG, "no module `%s'", name);
		return NULL;
	}
	return (struct module *)world;
}

const char *world_opens_paused;

struct backend *
backend_open(struct module *m, const struct node *block,
	     const struct backend_place *place, struct error *err)
{
	struct backend *b;

	(void)m, (void)block;
	if (world->open_fails) {
		error_set(err, ERROR_SYSTEM, "does not open");
		return NULL;
	}
	b = NEW(struct backend);
	world->events = place->events;
	world->events_arg = place->arg;
	world->backend = b;
	b->events = place->events;
	b->arg = place->arg;
	b->later = place->state_later;
	snprintf(b->route, sizeof(b->route), "%s", place->route);
	world->opened++;
	if (world_opens_paused != NULL)
		place->events->paused(place->arg, world_opens_paused);
	return b;
}

void
backend_close(struct backend **b)
{
	if (*b == NULL)
		return;
	world->closed++;
	mem_free(*b);
	*b = NULL;
}

void
backend_retire(struct backend *b)
{
	world->retired += !b->retired;
	b->retired = true;
}

bool
backend_busy(const struct backend *b)
{
	return b->busy;
}

/* Whose it is, and when nobody asks any more. */
void
backend_leave_state(struct backend *b)
{
	assert_true(b->retired && !b->busy && !b->later);
	world->left++;
}

void
backend_take_state(struct backend *b)
{
	world->taken += b->later;
	b->later = false;
}

bool
backend_look_again(struct backend *b)
{
	(void)b;
	world->looks += world->looks_again;
	return world->looks_again;
}

void
world_ask(struct backend *b)
{
	b->busy = true;
}

void
world_answer(struct backend *b)
{
	b->busy = false;
	b->events->answered(b->arg);
}

unsigned
backend_parallel(const struct backend *b)
{
	(void)b;
	return world->parallel;
}

/* The domain. */
void
backend_describe(const struct backend *b, const char *recipient,
		 struct backend_destination *ret)
{
	const char *at = strrchr(recipient, '@');

	(void)b;
	snprintf(ret->name, sizeof(ret->name), "%s",
		 at != NULL ? at + 1 : "local");
	ret->connections = world->connections;
	ret->per_minute = world->per_minute;
	snprintf(ret->mailbox, sizeof(ret->mailbox), "box@here.test");
	ret->may_refuse_null_sender = false;
}

enum backend_manner
backend_manner(const struct backend *b)
{
	(void)b;
	return world->manner;
}

void
say(struct outcome *o, enum phase p, int code, const char *enhanced,
    const char *text)
{
	struct smtp_reply r = { .code = code, .text = span_of(text) };
	struct span e = span_of(enhanced);

	if (enhanced != NULL)
		enhanced_parse(&e, &r.enhanced);
	if (code != 0)
		outcome_reply(o, p, &r);
	else
		outcome_set(o, OUTCOME_NETWORK, p, "%s", text);
	snprintf(o->host, sizeof(o->host), "mx.test[192.0.2.1]:25");
}

static struct later finishing;

static void
finish_auto(struct later *l)
{
	(void)l;
	for (size_t i = 0; i < world->job_count; i++)
		world_finish(world, i);
}

void
backend_deliver(struct backend *b, struct job *job)
{
	struct seen_job *s = &world->jobs[world->job_count++];
	struct backend_destination what;

	assert_true(world->job_count < SEEN_MAX);
	assert_true(job->rcpt_count > 0 && job->body != NULL);
	s->job = job;
	s->n = job->rcpt_count;
	s->attempt = job->attempt;
	snprintf(s->route, sizeof(s->route), "%s", b->route);
	backend_describe(b, job->env->rcpts[job->rcpts[0]].address.text.p,
			 &what);
	snprintf(s->destination, sizeof(s->destination), "%s", what.name);
	world->active++;
	world->most_active = MAX(world->most_active, world->active);
	if (!world->held) {
		finishing.run = finish_auto;
		loop_later(world->loop, &finishing);
	}
}

void
world_finish(struct world *w, size_t i)
{
	struct job *job = w->jobs[i].job;

	if (job == NULL)
		return;
	w->jobs[i].job = NULL;
	w->active--;
	for (size_t k = 0; k < job->rcpt_count; k++) {
		const char *to = job->env->rcpts[job->rcpts[k]].address.text.p;

		if (w->answer != NULL)
			w->answer(w, to, &job->outcomes[k]);
		else
			say(&job->outcomes[k], PHASE_DOT, 250, "2.0.0", "ok");
	}
	job->finished(job);
}

static void
answer_cancelled(struct world *w, const char *rcpt, struct outcome *o)
{
	(void)w, (void)rcpt;
	outcome_set(o, OUTCOME_LOCAL, PHASE_NONE, "the gateway stops");
}

void
backend_cancel(struct backend *b, struct job *job)
{
	(void)b;
	for (size_t i = 0; i < world->job_count; i++) {
		if (world->jobs[i].job != job)
			continue;
		world->cancelled++;
		world->answer = answer_cancelled;
		finishing.run = finish_auto;
		loop_later(world->loop, &finishing);
	}
}

struct postern_action_run *
action_begin(struct backend *b, const char *name,
	     const struct action_events *ev, void *arg, struct error *err)
{
	(void)b, (void)name, (void)ev, (void)arg;
	error_set(err, ERROR_CONFIG, "has no actions");
	return NULL;
}

bool
module_has_action(const struct module *m, const char *name)
{
	(void)m, (void)name;
	return false;
}

bool
action_refuse(struct error *err, const char *route, const char *backend,
	      const char *action, const char *const *have, size_t n)
{
	(void)route, (void)backend, (void)action, (void)have, (void)n;
	return error_set(err, ERROR_CONFIG, "has no actions");
}

/* --- routes ---------------------------------------------------------- */

const struct route *
routes_find(const struct routes *routes, const char *name)
{
	for (size_t i = 0; i < routes->n; i++)
		if (strcmp(routes->v[i].name, name) == 0)
			return &routes->v[i];
	return NULL;
}

const struct route *
routes_pick(const struct routes *routes, const struct facts *f, bool *maybe)
{
	assert_null(maybe);
	for (size_t i = 0; i < routes->n; i++) {
		const char *domain = routes->v[i].match->domain;

		if (domain == NULL ||
		    span_ends_nocase(f->recipient.text, span_of(domain)))
			return &routes->v[i];
	}
	return NULL;
}

const struct route *
routes_pick_after(const struct routes *routes, const struct facts *f,
		  const struct route *after)
{
	struct routes rest = *routes;
	size_t skip = after == NULL ? 0 : (size_t)(after - routes->v) + 1;

	rest.v += skip;
	rest.n -= skip;
	return routes_pick(&rest, f, NULL);
}

bool
route_may_take_reports(const struct route *r)
{
	(void)r;
	return true;
}

bool
route_takes_all_reports(const struct route *r)
{
	return r->match->domain == NULL;
}

/* --- the world ------------------------------------------------------- */

static void
add_route(struct routes *routes, const struct node *n, struct arena *a)
{
	struct route *r = &routes->v[routes->n];
	const struct node *domain = node_get(n, "domain");
	const struct node *most = node_get(n, "connections");
	const struct node *pace = node_get(n, "per_minute");
	const struct node *backend = node_get(n, "backend");
	uint64_t number = 20, per_minute = 0;

	r->name = arena_span(a, n->key).p;
	r->backend = backend ? arena_span(a, backend->scalar).p : "null";
	r->backend_node = node_get(n, "block");
	r->match = ARENA_NEW(a, struct match);
	if (domain != NULL)
		r->match->domain = arena_span(a, domain->scalar).p;
	if (most != NULL)
		span_u64(most->scalar, 1000, &number);
	if (pace != NULL)
		span_u64(pace->scalar, 1000, &per_minute);
	r->connections = (int64_t)number;
	r->messages_per_minute = (int64_t)per_minute;
	r->index = (unsigned)routes->n++;
}

bool
world_configure(struct world *w, const char *yaml)
{
	struct diags *diags = diags_new();
	struct tree *tree = tree_parse("test", span_of(yaml), diags);
	struct snapshot *snap = snapshot_new();
	struct arena *a = snapshot_arena(snap);
	struct routes *routes = ARENA_NEW(a, struct routes);
	struct dispatch_config *c = ARENA_NEW(a, struct dispatch_config);
	struct error err;
	bool ok;

	assert_non_null(tree);
	snapshot_keep_tree(snap, tree);
	routes->v = arena_array(a, ROUTES_MAX, sizeof(*routes->v));
	for (const struct node *n = tree_root(tree)->first; n; n = n->next)
		if (!span_eq(n->key, SPAN("retry")) &&
		    !span_eq(n->key, SPAN("dsn")))
			add_route(routes, n, a);
	assert_true(dispatch_config_bind(c, tree_root(tree), "gw.test", routes,
					 a, diags));
	snapshot_set(snap, SLOT_ROUTES, routes);
	snapshot_set(snap, SLOT_DISPATCH, c);
	ok = dispatch_configure(w->d, snap, &err);
	snapshot_unref(&snap);
	diags_free(&diags);
	return ok;
}

struct world *
world_bare(const char *yaml)
{
	struct world *w = world = NEW(struct world);
	struct dispatch_deps deps;

	clock_fake(1000 * 1000, INT64_C(1700000000000));
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	if (getenv("VERBOSE") != NULL)
		log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
	w->loop = loop_new("test");
	w->parallel = 1000;
	w->next_id = 1;
	w->jobs = mem_array(SEEN_MAX, sizeof(*w->jobs));
	w->settles = mem_array(SEEN_MAX, sizeof(*w->settles));
	w->host.loop = w->loop;
	w->workers = workers_new("signer", 1);
	deps = (struct dispatch_deps){ .host = &w->host,
				       .workers = w->workers };
	w->d = dispatch_new(&deps);
	assert_true(world_configure(w, yaml));
	return w;
}

struct world *
world_new(const char *yaml)
{
	struct world *w = world_bare(yaml);

	dispatch_set_spool(w->d, (struct spool *)w);
	world_turn(w);
	return w;
}

void
world_free(struct world **ptr)
{
	struct world *w = *ptr;

	if (w == NULL)
		return;
	w->held = false;
	for (size_t i = 0; i < w->job_count; i++)
		world_finish(w, i);
	world_turn(w);
	assert_int_equal(w->d->window.count, 0);
	dispatch_free(&w->d);
	workers_free(&w->workers);
	loop_free(&w->loop);
	assert_int_equal(w->opened, w->closed);
	for (size_t i = 0; i < w->due_count; i++)
		item_free(&w->due[i]);
	mem_free(w->jobs);
	mem_free(w->settles);
	mem_free(w);
	*ptr = world = NULL;
	clock_fake(-1, 0);
}

void
world_turn(struct world *w)
{
	for (int i = 0; i < 12; i++)
		ev_run(loop_ev(w->loop), EVRUN_NOWAIT);
}

struct item *
world_item(struct world *w, const char *route, const char *to)
{
	struct mail_command mail = { .size = 0 };
	struct item *item = item_new();
	struct span rest = span_of(to), one;
	struct error err;

	address_parse(SPAN("a@here.test"), 0, &mail.sender, &err);
	item->env = envelope_new(&mail);
	while (span_split(&rest, ' ', &one)) {
		struct rcpt_command r = { .notify = 0 };

		assert_true(address_parse(one, 0, &r.recipient, &err));
		assert_true(envelope_add(item->env, &r, 1000));
	}
	envelope_freeze(item->env);
	item->id = w->next_id++ * ITEM_ORDINALS;
	item->route = mem_strdup(route);
	item->rcpts = mem_array(item->env->rcpt_count, sizeof(*item->rcpts));
	buf_add(&item->prefix, SPAN("Received: by gw.test\r\n"));
	item->body = NEW(struct body);
	item->body->refs = 1;
	item->body->bytes = BUF_MAX(1000);
	buf_add(&item->body->bytes, SPAN("Subject: scan\r\n\r\npages\r\n"));
	item->body->size = item->body->bytes.len;
	item->origin.client = mem_strdup("192.0.2.7");
	item->created_ms = item->due_ms = clock_steady_ms();
	item->claimed = true;
	return item;
}

void
world_commit(struct world *w, struct item *item)
{
	assert_true(dispatch_window(w->d, &item, 1));
	dispatch_committed(w->d, item);
	world_turn(w);
}

const struct seen_settle *
world_last(const struct world *w)
{
	assert_true(w->settle_count > 0);
	return &w->settles[w->settle_count - 1];
}

struct item *
world_again(struct world *w, const char *route, const char *to)
{
	const struct seen_settle *s = world_last(w);
	struct item *item = world_item(w, route, to);

	item->id = s->id;
	item->attempts = s->attempts;
	item->warned_ms = s->warned_ms;
	item->paused_ms = s->paused_ms;
	return item;
}

struct route *
world_route(struct world *w, const char *route)
{
	return (struct route *)(uintptr_t)routes_find(w->d->routes, route);
}

void
world_sign(struct world *w, const char *route,
	   const struct signer_key *const *keys, size_t n)
{
	struct route *r = world_route(w, route);

	r->signers = keys;
	r->signer_count = n;
}

int
world_teardown(void **state)
{
	(void)state;
	world_free(&world);
	return 0;
}

void
later(int64_t ms)
{
	clock_fake(clock_now_ms() + ms, clock_wall_ms() + ms);
}

void
set_wall(int64_t ms)
{
	clock_fake(clock_now_ms(), clock_wall_ms() + ms);
}

bool
due_in(const struct seen_settle *s, int64_t ms)
{
	int64_t in = s->due_ms - clock_steady_ms();

	return in >= ms * 9 / 10 && in <= ms * 11 / 10;
}

/* --- answers --------------------------------------------------------- */

void
by_name(struct world *w, const char *rcpt, struct outcome *o)
{
	static const struct {
		const char *name;
		enum phase phase;
		int code;
		const char *enhanced, *text;
	} answers[] = {
		{ "unknown", PHASE_RCPT, 550, "5.1.1", "no such user" },
		{ "busy", PHASE_RCPT, 450, "4.2.1", "try later" },
		{ "many", PHASE_RCPT, 452, "4.5.3", "too many" },
		{ "policy", PHASE_DOT, 554, "5.7.1", "not today" },
		{ "cut", PHASE_DOT, 0, NULL, "cut off" },
		{ "down", PHASE_CONNECT, 0, NULL, "connection refused" },
		{ "full", PHASE_GREETING, 421, "4.3.2", "too many" },
		{ "box", PHASE_NONE, 250, NULL, "kept" },
	};

	(void)w;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		if (strncmp(rcpt, answers[i].name,
			    strlen(answers[i].name)) == 0) {
			say(o, answers[i].phase, answers[i].code,
			    answers[i].enhanced, answers[i].text);
			return;
		}
	say(o, PHASE_DOT, 250, "2.0.0", "ok");
	o->dsn_passed_on = strncmp(rcpt, "passed", 6) == 0;
}

void
all_down(struct world *w, const char *rcpt, struct outcome *o)
{
	(void)w, (void)rcpt;
	say(o, PHASE_CONNECT, 0, NULL, "connection refused");
}
