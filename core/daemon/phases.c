/* phases.c - what starts when: ports are bound as root, then we become the
 * service's user, and only after the spool is locked does anything listen */
#include "daemon/phases.h"

#include "admin/admin.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "daemon/app.h"
#include "daemon/certificate.h"
#include "daemon/gateway.h"
#include "daemon/privileges.h"
#include "dispatch/dispatch.h"
#include "io/dns.h"
#include "route/route.h"
#include "smtpc/smtpc.h"
#include "smtpd/guard.h"
#include "spool/lock.h"
#include "spool/spool.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STOP_MS = 45 * 1000 };	/* all phases: a slow disk has time */

static const struct gateway_config *
gateway(const struct app *app)
{
	return snapshot_get(app->snap, SLOT_GATEWAY);
}

static const struct smtpd_config *
smtpd_settings(const struct app *app)
{
	return snapshot_get(app->snap, SLOT_SMTPD);
}

/* --- ports ----------------------------------------------------------- */

static unsigned
processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (unsigned)MIN(n, 64) : 1;
}

static bool
ports_up(struct app *app, struct error *err)
{
	int64_t n = gateway(app)->intake_threads;

	if (n == 0)
		n = processors();
	return intake_bind(&app->intake, (size_t)MIN(n, 64), app->snap, err);
}

static void
ports_down(struct app *app)
{
	intake_fini(&app->intake);
}

/* --- privileges ------------------------------------------------------ */

static bool
privileges_up(struct app *app, struct error *err)
{
	const char *spool = gateway(app)->spool;
	struct identity id;

	if (!identity_find(gateway(app)->user, &id, err))
		return false;
	if (strncmp(spool, "sqlite:", 7) == 0 &&
	    !identity_folder(&id, spool + 7, err))
		return false;
	return identity_folder(&id, gateway(app)->state, err) &&
	       identity_take(&id, err);
}

/* --- delivery -------------------------------------------------------- */

/* By chance, so that no other server has it. */
static void
make_mark(struct app *app)
{
	uint64_t chance = 0;

	if (getrandom(&chance, sizeof(chance), 0) == sizeof(chance))
		snprintf(app->mark, sizeof(app->mark), "id=%016" PRIx64,
			 chance);
}

static bool
delivery_up(struct app *app, struct error *err)
{
	struct dispatch_deps deps = { .host = &app->services.host,
				      .memory = &app->memory };

	(void)err;
	log_start();
	app->memory.limit = smtpd_settings(app)->memory;
	app->workers = workers_new("worker", 4);
	app->signers = workers_new("signer", processors());
	services_start(&app->services, app->loop, app->workers, app->snap);
	make_mark(app);
	smtpc_know(app->services.smtpc, app->mark);
	deps.workers = app->signers;
	app->dispatch = dispatch_new(&deps);
	return true;
}

/* What has been posted to the loop, which does not run any more. */
static void
drain(struct app *app)
{
	loop_drain(app->loop);
}

static void
delivery_down(struct app *app)
{
	workers_free(&app->signers);
	workers_drain(app->workers);
	drain(app);
	dispatch_free(&app->dispatch);
	services_stop(&app->services);
	workers_free(&app->workers);	/* they delete what it had made */
	drain(app);
	log_stop();
}

/* --- spool ----------------------------------------------------------- */

static bool
same_folder(const char *a, const char *b)
{
	struct stat x, y;

	return a != NULL && stat(a, &x) == 0 && stat(b, &y) == 0 &&
	       x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A command that signs in without a gateway must not meet one. */
static bool
state_lock(struct app *app, struct error *err)
{
	const char *state = gateway(app)->state;

	app->state_lock = -1;
	if (state == NULL || same_folder(spool_folder(app->spool), state))
		return true;
	return file_make_folder(state, 0750, err) &&
	       lock_take(state, &app->state_lock, err);
}

static bool
spool_up(struct app *app, struct error *err)
{
	struct spool_config c = {
		.url = gateway(app)->spool,
		.free_space = smtpd_settings(app)->free_space,
		.workers = app->workers, .budget = &app->memory,
	};
	struct spool_hooks hooks = {
		.arg = app->dispatch, .committed = dispatch_committed,
		.work = dispatch_work,
	};

	app->spool = spool_open(&c, &hooks, err);
	if (app->spool == NULL || !state_lock(app, err))
		return false;
	app->started_ms = clock_steady_ms();
	dispatch_set_spool(app->dispatch, app->spool);
	return true;
}

static void
spool_down(struct app *app)
{
	workers_drain(app->workers);	/* a reload looks into the spool, */
	workers_drain(app->signers);	/* and so does a notice of a pause */
	drain(app);
	spool_close(&app->spool);
	lock_drop(&app->state_lock);
	drain(app);
}

/* --- backends -------------------------------------------------------- */

static bool
backends_up(struct app *app, struct error *err)
{
	return dispatch_configure(app->dispatch, app->snap, err);
}

/* --- intake ---------------------------------------------------------- */

static bool
intake_up(struct app *app, struct error *err)
{
	struct tls_identity *certificate;
	struct smtpd_deps deps = {
		.spool = app->spool, .memory = &app->memory,
		.window = dispatch_window, .window_give = dispatch_window_give,
		.window_arg = app->dispatch, .mark = app->mark,
	};

	deps.guard = app->guard = guard_new();
	if (!intake_open(&app->intake, &deps, app->snap, err) ||
	    !certificate_read(smtpd_settings(app), &certificate, err))
		return false;
	certificate_use(app, smtpd_settings(app), certificate);
	return true;
}

static void
intake_down(struct app *app)
{
	certificate_stop(app);
	intake_close(&app->intake, app->spool, app->workers);
	guard_free(&app->guard);
}

/* --- the control socket ---------------------------------------------- */

static void
control_intake(void *arg, struct admin_intake *ret)
{
	struct app *app = arg;
	struct smtpd_stats s;

	intake_stats(&app->intake, &s);
	*ret = (struct admin_intake){ .sessions = s.sessions, .open = s.open,
		.accepted = s.accepted, .refused = s.refused,
		.greeted = s.greeted };
	_Static_assert((int)FAILURE_KINDS <= (int)ADMIN_KINDS,
		       "each kind has its place");
	for (size_t i = 0; i < FAILURE_KINDS; i++) {
		ret->failed[i].name = failure_kind_name(i);
		ret->failed[i].n = s.failed[i];
	}
}

static json_t *
describe_dns(const struct app *app)
{
	struct dns_state s = dns_state(app->services.dns);
	json_t *names = json_array();

	for (size_t i = 0; i < s.unvalidated_count; i++)
		json_array_append_new(names, json_string(s.unvalidated[i]));
	return json_pack("{s:b, s:b, s:s, s:o}", "asked", s.asked,
			 "validating", s.validating, "why", s.why,
			 "unvalidated", names);
}

static char *
control_describe(void *arg)
{
	struct app *app = arg;
	const struct smtpd_config *c = smtpd_settings(app);
	const struct routes *routes = snapshot_get(app->snap, SLOT_ROUTES);
	const struct listener_config *listen = c->listen.v;
	json_t *hostname = json_string(gateway(app)->hostname);
	json_t *all = json_object(), *at = json_array(), *names = json_array();
	char *dumped, *ret, text[ENDPOINT_TEXT];

	for (size_t i = 0; i < c->listen.n; i++)
		json_array_append_new(at, json_string(
			endpoint_text(listen[i].at, text)));
	for (size_t i = 0; i < routes->n; i++)
		json_array_append_new(names, json_string(routes->v[i].name));
	json_object_set_new(all, "hostname", hostname);
	json_object_set_new(all, "listen", at);
	json_object_set_new(all, "routes", names);
	json_object_set_new(all, "dns", describe_dns(app));
	json_object_set_new(all, "configuration",
			    json_integer(snapshot_number(app->snap)));
	dumped = json_dumps(all, JSON_COMPACT);
	ret = mem_strdup(dumped ? dumped : "{}");
	free(dumped);
	json_decref(all);
	return ret;
}

static void
control_reload(void *arg, const struct who *by, reload_done_fn *done,
	       void *done_arg)
{
	reload_begin(arg, by, done, done_arg);
}

static bool
control_up(struct app *app, struct error *err)
{
	struct admin_deps deps = {
		.loop = app->loop, .dispatch = app->dispatch,
		.spool = app->spool, .arg = app,
		.facts = { .version = PACKAGE_VERSION,
			   .config = app->path,
			   .started_ms = app->started_ms },
		.intake = control_intake, .describe = control_describe,
		.reload = control_reload,
	};
	char *socket;

	if (gateway(app)->state == NULL)
		return true;	/* a spool in memory has no folder for it */
	socket = mem_printf("%s/control", gateway(app)->state);
	deps.socket = socket;
	app->admin = admin_start(&deps, err);
	mem_free(socket);
	return app->admin != NULL;
}

static void
control_down(struct app *app)
{
	admin_stop(&app->admin);
}

/* --- the door opens -------------------------------------------------- */

static bool
listening_up(struct app *app, struct error *err)
{
	return intake_start(&app->intake, err);
}

static void
nothing_down(struct app *app)
{
	(void)app;
}

static const struct stage {
	const char *name;
	bool (*start)(struct app *app, struct error *err);
	void (*stop)(struct app *app);
} phases[] = {
	{ "ports",          ports_up,      ports_down    },
	{ "privileges",     privileges_up, nothing_down  },
	{ "delivery",       delivery_up,   delivery_down },
	{ "spool",          spool_up,      spool_down    },
	{ "backends",       backends_up,   nothing_down  },
	{ "intake",         intake_up,     intake_down   },
	{ "control socket", control_up,    control_down  },
	{ "listeners",      listening_up,  nothing_down  },
};

bool
phases_start(struct app *app, struct error *err)
{
	while (app->up < ARRAY_SIZE(phases)) {
		const struct stage *p = &phases[app->up++];

		if (p->start(app, err))
			continue;
		/* also the one that failed: it may have come half-way */
		phases_stop(app);
		return error_prefix(err, "starting the %s", p->name);
	}
	return true;
}

void
phases_stop(struct app *app)
{
	endwatch_expect(&app->endwatch, "the end", STOP_MS);
	while (app->up > 0) {
		const struct stage *p = &phases[--app->up];

		endwatch_goes_on(&app->endwatch, p->name);
		p->stop(app);
	}
}
