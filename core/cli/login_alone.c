/* login_alone.c - the action `login' without a gateway
 *
 * The route's backend is opened here, on a loop of our own, as the user that
 * the gateway becomes: what it keeps must be the service's to read.
 */
#include "cli/login.h"

#include "base/file.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/thread.h"
#include "cli/control.h"
#include "conf/snapshot.h"
#include "daemon/gateway.h"
#include "daemon/privileges.h"
#include "daemon/services.h"
#include "module/action.h"
#include "route/route.h"
#include "spool/lock.h"

#include <stdio.h>

enum { LOOK_MS = 200, NOT_THERE = 65 };

struct alone {
	const struct cli *cli;
	struct snapshot *snap;
	struct loop *loop;
	struct workers *workers;
	struct services services;
	struct backend *backend;
	struct timer look;
	enum action_end how;
	bool over, ending;
};

/* --- what the backend says ------------------------------------------- */

static void
on_paused(void *arg, const char *why)
{
	(void)arg, (void)why;		/* that is why we are here */
}

static void
on_ready(void *arg)
{
	(void)arg;
}

static const struct backend_events backend_events = {
	.paused = on_paused, .ready = on_ready,
};

static void
on_said(void *arg, const char *line)
{
	struct alone *a = arg;

	login_show(a->cli, line);
}

static void
on_ended(void *arg, enum action_end how, const char *line)
{
	struct alone *a = arg;

	login_show(a->cli, line);
	a->over = true;
	a->how = how;
	loop_stop(a->loop);
}

static const struct action_events action_events = { on_said, on_ended };

static void
on_look(struct timer *t)
{
	struct alone *a = container_of(t, struct alone, look);

	if (a->ending ? !backend_busy(a->backend) : login_interrupted())
		loop_stop(a->loop);
	else
		timer_start(&a->look, LOOK_MS);
}

/* --- the sign-in ----------------------------------------------------- */

static int
failed(const struct error *err)
{
	print_failure(err);
	return error_exit_status(err);
}

static bool
backend_up(struct alone *a, const struct route *r, struct error *err)
{
	const struct gateway_config *g = snapshot_get(a->snap, SLOT_GATEWAY);
	struct backend_place place = {
		.route = r->name, .hostname = g->hostname,
		.host = &a->services.host, .events = &backend_events, .arg = a,
	};
	struct module *m = module_find(r->backend, err);

	if (m != NULL)
		a->backend = backend_open(m, r->backend_node, &place, err);
	return a->backend != NULL;
}

/* Interrupted or not, an answer that is on its way may hold the sign-in. */
static void
backend_down(struct alone *a)
{
	if (a->backend == NULL)
		return;
	backend_retire(a->backend);
	a->ending = true;
	if (backend_busy(a->backend))
		loop_run(a->loop);
	backend_close(&a->backend);
}

static int
sign_in(struct alone *a, const struct route *r)
{
	struct postern_action_run *run;
	struct error err;
	int rc = 0;

	a->loop = loop_new("login");
	a->workers = workers_new("worker", 2);
	services_start(&a->services, a->loop, a->workers, a->snap);
	timer_init(&a->look, a->loop, on_look);
	timer_start(&a->look, LOOK_MS);
	if (!backend_up(a, r, &err))
		rc = failed(&err);
	if (a->backend != NULL) {
		run = action_begin(a->backend, "login", &action_events, a,
				   &err);
		if (run == NULL && !a->over) {
			failed(&err);
			rc = NOT_THERE;
		} else if (!a->over) {
			loop_run(a->loop);
		}
	}
	backend_down(a);
	timer_stop(&a->look);
	workers_drain(a->services.files);
	loop_drain(a->loop);
	services_stop(&a->services);
	workers_free(&a->workers);
	loop_drain(a->loop);
	loop_free(&a->loop);
	if (rc != 0)
		return rc;
	if (login_interrupted() && !(a->over && a->how == ACTION_DONE))
		return 130;
	return login_status(a->over ? a->how : ACTION_FAILED);
}

static bool
signs_in(const struct route *r)
{
	struct error err;
	struct module *m = module_find(r->backend, &err);

	return m != NULL && module_has_action(m, "login");
}

/* The route, as the configuration has it; NULL after saying what is wrong. */
static const struct route *
find_route(const struct alone *a, const char *name)
{
	const struct routes *routes = snapshot_get(a->snap, SLOT_ROUTES);
	const struct route *r = routes_find(routes, name);
	const char **all = mem_array(2 * routes->n + 1, sizeof(*all));
	const char **have = all + routes->n, *near = NULL;
	size_t n = 0;
	struct error err;

	for (size_t i = 0; i < routes->n; i++) {
		all[i] = routes->v[i].name;
		if (signs_in(&routes->v[i]))
			have[n++] = routes->v[i].name;
	}
	if (r == NULL)
		near = nearest_name(span_of(name), all, routes->n);
	if (r == NULL || !signs_in(r)) {
		action_refuse(&err, name, r ? r->backend : NULL, "login", have,
			      n);
		if (near != NULL)
			error_hint(&err, "did you mean `%s'?", near);
		print_failure(&err);
		r = NULL;
	}
	mem_free(all);
	return r;
}

/* As the service, and as its only one. */
static bool
take_place(const struct gateway_config *g, int *lock, struct error *err)
{
	struct identity id;

	if (g->state == NULL) {
		error_set(err, ERROR_CONFIG, "there is no folder to keep a "
			  "sign-in in");
		return error_hint(err, "set `state' in postern.yaml");
	}
	return identity_find(g->user, &id, err) &&
	       identity_folder(&id, g->state, err) &&
	       identity_take(&id, err) &&
	       /* before the first start, where nobody else is become */
	       file_make_folder(g->state, 0750, err) &&
	       lock_take(g->state, lock, err);
}

int
login_alone(const struct cli *cli, const char *route)
{
	AUTO(snapshot_unref) struct snapshot *snap = NULL;
	AUTO(buf_fini) struct buf text = BUF_MAX(256 * 1024);
	AUTO(lock_drop) int lock = -1;
	struct diags *d = diags_new();
	struct alone a = { .cli = cli };
	const struct route *r;
	struct error err;
	bool ok;

	process_limits();
	ok = gateway_load(cli->config, d, &snap);
	diags_show(d, &text);
	print_lines(stderr, buf_str(&text));
	diags_free(&d);
	if (!ok)
		return 78;
	a.snap = snap;
	r = find_route(&a, route);
	if (r == NULL)
		return NOT_THERE;
	if (!take_place(snapshot_get(snap, SLOT_GATEWAY), &lock, &err))
		return failed(&err);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	return sign_in(&a, r);
}
