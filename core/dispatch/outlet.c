/* outlet.c - routes as they are here: their backends, kept over a reload
 *
 * A backend is kept when its module, its block and our host name are what
 * they were.  A new one opens before anything changes, so that a reload that
 * fails leaves everything as it is; the old one goes as retire.c has it.
 */
#include "dispatch/inside.h"

#include <string.h>

enum { JOB_DEADLINE_MS = 10 * 60 * 1000 };	/* of blocking modules */

/* --- the same block? ------------------------------------------------- */

static bool
node_same(const struct node *a, const struct node *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (a->kind != b->kind || a->count != b->count ||
	    a->quoted != b->quoted || !span_eq(a->key, b->key) ||
	    !span_eq(a->scalar, b->scalar))
		return false;
	a = a->first;
	b = b->first;
	/* as deep as LIMIT_CONF_DEPTH */
	while (a != NULL && b != NULL && node_same(a, b)) {
		a = a->next;
		b = b->next;
	}
	return a == NULL && b == NULL;
}

static bool
outlet_fits(const struct outlet *o, const struct route *r,
	    const char *hostname)
{
	return strcmp(o->module, r->backend) == 0 &&
	       strcmp(o->hostname, hostname) == 0 &&
	       o->route->options_print == r->options_print &&
	       node_same(o->route->backend_node, r->backend_node);
}

/* --- one outlet ------------------------------------------------------ */

void
outlet_free(struct outlet *o)
{
	backend_close(&o->backend);
	tally_unref(o->dispatch, &o->tally);
	pause_fini(o);
	notice_fini(o);
	snapshot_unref(&o->snap);
	mem_free(o->name);
	mem_free(o->module);
	mem_free(o->hostname);
	mem_free(o->mailbox);
	mem_free(o);
}

static void
outlet_take_route(struct outlet *o, const struct route *r,
		  struct snapshot *snap)
{
	struct snapshot *old = o->snap;
	int64_t most = MIN(r->connections, (int64_t)LIMIT_WINDOW);

	o->snap = snapshot_ref(snap);
	snapshot_unref(&old);
	o->route = r;
	o->connections = (unsigned)most;
	o->per_minute = (unsigned)r->messages_per_minute;
}

/* --- what the backend says of the route ------------------------------ */

/* A retired one's word concerns its last jobs alone. */
static void
on_paused(void *arg, const char *why)
{
	struct outlet *o = arg;

	if (o->retired)
		return;
	outlet_pause(o, why);
	o->pause.by_backend = true;
}

static void
on_ready(void *arg)
{
	struct outlet *o = arg;

	if (o->retired)
		return;
	outlet_resume(o, "its backend can deliver again");
	notice_route_works(o);
}

static void
on_answered(void *arg)
{
	struct outlet *o = arg;

	outlet_close_when_idle(o);
	dispatch_check_stopped(o->dispatch);
}

static const struct backend_events backend_events = {
	on_paused, on_ready, on_answered,
};

static struct outlet *
outlet_open(struct dispatch *d, const struct route *r, struct snapshot *snap,
	    const char *hostname, struct error *err)
{
	struct outlet *o = NEW(struct outlet);
	struct backend_place place = {
		.route = r->name, .hostname = hostname, .host = d->host,
		.events = &backend_events, .arg = o,
		.deadline_ms = JOB_DEADLINE_MS,
		.state_later = outlet_state_taken(d, r->name),
	};
	struct module *m = module_find(r->backend, err);
	struct backend_destination what;

	/* open() may pause the route already */
	o->fresh = true;
	o->dispatch = d;
	o->name = mem_strdup(r->name);
	o->tally = tally_get(d, r->name, "");
	o->module = mem_strdup(r->backend);
	o->hostname = mem_strdup(hostname);
	o->stalled_last = &o->stalled;
	retire_init(o);
	pause_init(o);
	notice_init(o);
	outlet_take_route(o, r, snap);
	if (m != NULL)
		o->backend = backend_open(m, r->backend_node, &place, err);
	if (o->backend == NULL) {
		outlet_free(o);
		return NULL;
	}
	o->parallel = MAX(backend_parallel(o->backend), 1u);
	o->manner = backend_manner(o->backend);
	backend_describe(o->backend, "postmaster@example.org", &what);
	o->mailbox = mem_strdup(what.mailbox);
	return o;
}

/* --- all its destinations -------------------------------------------- */

struct of_outlet {
	const struct outlet *outlet;
	void (*fn)(struct destination *t);
};

static void
if_its(void *arg, struct destination *t)
{
	const struct of_outlet *w = arg;

	if (t->outlet == w->outlet)
		w->fn(t);
}

void
outlet_run(struct outlet *o)
{
	struct of_outlet w = { o, destination_run };

	destinations_each(o->dispatch, if_its, &w);
}

void
outlet_empty(struct outlet *o)
{
	struct of_outlet w = { o, destination_turn_away_paused };

	destinations_each(o->dispatch, if_its, &w);
}

const char *
told_remedy(const struct item *item, const struct outlet *o,
	    const struct outcome *outcome, char *buf)
{
	enum backend_manner m = o != NULL ? o->manner : BACKEND_NEUTRAL;
	struct span sender = item->env->sender.text;
	struct remedy_names names = {
		.route = o != NULL ? o->name : NULL,
		.mailbox = o != NULL ? o->mailbox : NULL,
		.address = sender,
	};

	return remedy_fill(sender.n > 0 ? remedy_of(outcome, m)
					: remedy_of_own(outcome, m),
			   &names, buf, REMEDY_MAX);
}

struct outlet *
outlet_find(struct dispatch *d, const char *name)
{
	struct outlet *o = d->outlets;

	while (o != NULL && strcmp(o->name, name) != 0)
		o = o->next;
	return o;
}

/* Those that waited for the backend, in turn. */
void
outlet_job_over(struct outlet *o)
{
	o->active--;
	while (o->stalled != NULL && o->active < o->parallel) {
		struct destination *t = o->stalled;

		o->stalled = t->next_stalled;
		if (o->stalled == NULL)
			o->stalled_last = &o->stalled;
		t->stalled = false;
		destination_run(t);
	}
	outlet_close_when_idle(o);
}

/* --- all of them ----------------------------------------------------- */

static void
outlets_unlink(struct outlet **list, struct outlet *o)
{
	while (*list != o)
		list = &(*list)->next;
	*list = o->next;
}

/* Opens what is new.  NULL in fresh: the present one is kept. */
static bool
outlets_open(struct dispatch *d, const struct routes *routes,
	     struct snapshot *snap, struct outlet **fresh, struct error *err)
{
	const struct dispatch_config *c = snapshot_get(snap, SLOT_DISPATCH);

	for (size_t i = 0; i < routes->n; i++) {
		const struct route *r = &routes->v[i];
		struct outlet *now = outlet_find(d, r->name);

		if (now != NULL && outlet_fits(now, r, c->hostname))
			continue;
		fresh[i] = outlet_open(d, r, snap, c->hostname, err);
		if (fresh[i] != NULL)
			continue;
		error_prefix(err, "route `%s'", r->name);
		while (i-- > 0)
			if (fresh[i] != NULL)
				outlet_free(fresh[i]);
		return false;
	}
	return true;
}

/* The list in the order of the routes; what is left over is returned. */
static struct outlet *
outlets_swap(struct dispatch *d, const struct routes *routes,
	     struct snapshot *snap, struct outlet **fresh)
{
	struct outlet *list = NULL, **last = &list, *rest;

	for (size_t i = 0; i < routes->n; i++) {
		const struct route *r = &routes->v[i];
		struct outlet *o = outlet_find(d, r->name);

		if (fresh[i] != NULL) {
			fresh[i]->heir = o != NULL;
			if (o != NULL)
				notice_inherit(fresh[i], o);
			o = fresh[i];
		} else {
			outlets_unlink(&d->outlets, o);
			outlet_take_route(o, r, snap);
		}
		*last = o;
		last = &o->next;
		o->next = NULL;
	}
	rest = d->outlets;
	d->outlets = list;
	d->recent = NULL;
	return rest;
}

/* Whatever was wrong may have been mended with the new configuration. */
static void
outlets_resume(struct dispatch *d)
{
	for (struct outlet *o = d->outlets; o != NULL; o = o->next) {
		if (o->fresh && !o->heir)
			notice_recall(o);
		if (!o->fresh) {
			outlet_try_again(o, "the configuration was read "
					 "again");
			/* dsn.to may be new */
			if (outlet_is_paused(o))
				notice_route_pauses(o);
		} else if (o->heir && !outlet_is_paused(o)) {
			outlet_retry_all(o);
		}
		o->fresh = o->heir = false;
	}
}

/* Perhaps it may do more at once now. */
static void
run_one(void *arg, struct destination *t)
{
	(void)arg;
	destination_suit(t);
	destination_run(t);
}

bool
outlets_configure(struct dispatch *d, struct snapshot *snap,
		  struct error *err)
{
	const struct routes *routes = snapshot_get(snap, SLOT_ROUTES);
	const struct dispatch_config *before = d->config;
	struct outlet **fresh = mem_array(routes->n + 1, sizeof(*fresh));
	struct snapshot *old = d->snap;
	struct outlet *left;

	/* by it goes a backend that pauses as it is opened */
	d->config = snapshot_get(snap, SLOT_DISPATCH);
	if (!outlets_open(d, routes, snap, fresh, err)) {
		d->config = before;
		mem_free(fresh);
		return false;
	}
	left = outlets_swap(d, routes, snap, fresh);
	mem_free(fresh);
	d->snap = snapshot_ref(snap);
	d->routes = routes;
	snapshot_unref(&old);
	outlets_retire(d, left);
	outlets_resume(d);
	destinations_each(d, run_one, NULL);
	return true;
}

/* Jobs that never came back keep theirs: the program ends. */
void
outlets_free(struct dispatch *d)
{
	struct outlet *lists[] = { d->outlets, d->retired };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct outlet *next;

		for (struct outlet *o = lists[i]; o != NULL; o = next) {
			next = o->next;
			if (o->active == 0)
				outlet_free(o);
		}
	}
	d->outlets = d->retired = d->recent = NULL;
}
