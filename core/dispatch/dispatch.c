/* dispatch.c - beginning, configuring, ending; and the view from outside */
#include "dispatch/inside.h"

#include "base/clock.h"
#include "module/host.h"

enum {
	CANCEL_PATIENCE_MS = 5000,	/* for what was cancelled */
	ANSWER_PATIENCE_MS = 11 * 60 * 1000,	/* longer than an endpoint's */
};

/* --- beginning ------------------------------------------------------- */

/* xorshift: for spreading retries, not for secrets. */
double
dispatch_dice(struct dispatch *d)
{
	d->dice ^= d->dice << 13;
	d->dice ^= d->dice >> 7;
	d->dice ^= d->dice << 17;
	return (double)(d->dice >> 11) / (double)(UINT64_C(1) << 53);
}

static void on_patience(struct timer *t);
static void on_stopped(struct later *l);

struct dispatch *
dispatch_new(const struct dispatch_deps *deps)
{
	struct dispatch *d = NEW(struct dispatch);

	d->host = deps->host;
	d->loop = deps->host->loop;
	d->workers = deps->workers;
	d->memory = deps->memory;
	d->dice = (uint64_t)clock_wall_ms() * 2654435761u | 1;
	d->stopped_later.run = on_stopped;
	timer_init(&d->patience, d->loop, on_patience);
	window_init(d);
	return d;
}

void
dispatch_set_spool(struct dispatch *d, struct spool *s)
{
	d->spool = s;
	window_pull(d);
}

bool
dispatch_configure(struct dispatch *d, struct snapshot *snap,
		   struct error *err)
{
	if (!outlets_configure(d, snap, err))
		return false;
	window_pull(d);
	return true;
}

/* --- ending ---------------------------------------------------------- */

int64_t
dispatch_stop_most(int64_t patience_ms)
{
	return patience_ms + CANCEL_PATIENCE_MS + ANSWER_PATIENCE_MS;
}

int64_t
dispatch_hurry_most(void)
{
	return CANCEL_PATIENCE_MS;
}

size_t
dispatch_left(const struct dispatch *d)
{
	return d->window.count;
}

/* A backend waits for what must not be lost; that is said once. */
static bool
answer_awaited(struct dispatch *d)
{
	const struct outlet *o = outlets_busy(d);

	if (o == NULL || d->over)
		return false;
	if (!d->told)
		log_info(&dispatch_log, "route `%s': the gateway waits for an "
			 "answer to the backend before it stops, because a "
			 "sign-in may depend on the answer", o->name);
	d->told = true;
	return true;
}

/* done may free us: not from within a callback of ours. */
static void
on_stopped(struct later *l)
{
	struct dispatch *d = container_of(l, struct dispatch, stopped_later);
	void (*stopped)(void *arg) = d->stopped;

	/* what a backend was told may have made it write something */
	if (answer_awaited(d))
		return;
	timer_stop(&d->patience);
	d->stopped = NULL;
	if (stopped != NULL)
		stopped(d->stopped_arg);
}

void
dispatch_check_stopped(struct dispatch *d)
{
	if (d->stopped == NULL || d->window.claiming ||
	    ((d->window.count > 0 || d->notices > 0) && !d->abandoned) ||
	    answer_awaited(d))
		return;
	loop_later(d->loop, &d->stopped_later);
}

static void
cancel_active(void *arg, struct attempt *a)
{
	(void)arg;
	for (struct delivery *y = a->deliveries; y != NULL; y = y->sibling)
		if (y->active)
			backend_cancel(y->destination->outlet->backend,
				       &y->job);
}

static void
patience_is_over(struct dispatch *d)
{
	const struct outlet *o = outlets_busy(d);

	if (o != NULL)
		log_warning(&dispatch_log, "route `%s': the backend got no "
			    "answer; a sign-in may be lost", o->name);
	d->over = true;
	loop_later(d->loop, &d->stopped_later);
}

static void
on_patience(struct timer *t)
{
	struct dispatch *d = container_of(t, struct dispatch, patience);

	if (!d->cancelled) {
		d->cancelled = true;
		timer_start(&d->patience, CANCEL_PATIENCE_MS);
		window_each(d, cancel_active, NULL);
		return;
	}
	if (!d->abandoned && d->window.count > 0)
		log_warning(&dispatch_log, "%zu deliveries did not end; their "
			    "messages may be delivered twice", d->window.count);
	if (d->abandoned || d->hurried || !answer_awaited(d)) {
		patience_is_over(d);
		return;
	}
	d->abandoned = true;
	timer_start(&d->patience, ANSWER_PATIENCE_MS);
}

static void
withdraw(void *arg, struct attempt *a)
{
	(void)arg;
	attempt_withdraw(a, a->item->due_ms);
}

void
dispatch_stop(struct dispatch *d, int64_t patience_ms,
	      void (*done)(void *arg), void *arg)
{
	d->stopping = true;
	d->stopped = done;
	d->stopped_arg = arg;
	outlets_stop(d);
	window_close(d);
	window_each(d, withdraw, NULL);
	timer_start(&d->patience, patience_ms);
	dispatch_check_stopped(d);
}

void
dispatch_hurry(struct dispatch *d)
{
	d->hurried = true;
	if (d->stopped != NULL && (!d->cancelled || d->abandoned))
		timer_start(&d->patience, 0);
}

void
dispatch_free(struct dispatch **ptr)
{
	struct dispatch *d = *ptr;

	if (d == NULL)
		return;
	timer_stop(&d->patience);
	window_fini(d);
	destinations_free(d);
	outlets_free(d);
	tallies_free(d);
	snapshot_unref(&d->snap);
	mem_free(d->reports_last);
	mem_free(d);
	*ptr = NULL;
}

/* --- the view from outside ------------------------------------------- */

struct rows {
	void (*row)(void *arg, const struct dispatch_row *r);
	void *arg;
	const struct outlet *outlet;
	struct dispatch_row sum;
	bool summing;
};

static void
row_of_destination(void *arg, struct destination *t)
{
	struct rows *rows = arg;
	struct dispatch_row r = {
		.route = t->outlet->name, .backend = t->outlet->module,
		.destination = t->name, .waiting = t->waiting,
		.active = t->active, .rest_ms = destination_rest_ms(t),
		.limit = destination_limit(t), .per_minute = t->pace.most,
		.delivered = t->tally->delivered,
		.deferred = t->tally->deferred,
		.bounced = t->tally->bounced,
		.last = t->words,
	};

	if (t->outlet != rows->outlet)
		return;
	if (!rows->summing) {
		rows->row(rows->arg, &r);
		return;
	}
	rows->sum.waiting += r.waiting;
	rows->sum.active += r.active;
	rows->sum.limit = MAX(rows->sum.limit, r.limit);
	if (r.last != NULL)
		rows->sum.last = r.last;
}

void
dispatch_rows(struct dispatch *d,
	      void (*row)(void *arg, const struct dispatch_row *r), void *arg)
{
	const struct retry_policy *p = d->config ? &d->config->retry : NULL;
	int64_t keeps_ms = p ? p->paused_longest + p->give_up : 0;

	for (struct outlet *o = d->outlets; o != NULL; o = o->next) {
		struct rows rows = {
			.row = row, .arg = arg, .outlet = o, .summing = true,
			.sum = {
				.route = o->name, .backend = o->module,
				.limit = o->connections,
				.per_minute = o->per_minute,
				.paused = o->pause.why,
				.paused_since_ms = o->pause.since_ms != 0
					? clock_wall_of(o->pause.since_ms) : 0,
				.probe_ms = outlet_pause_ms(o),
				.keeps_ms = keeps_ms,
				.told_by = o->notice.by,
				.told_ms = o->notice.told_ms,
				.delivered = o->tally->delivered,
				.deferred = o->tally->deferred,
				.bounced = o->tally->bounced,
			},
		};

		destinations_each(d, row_of_destination, &rows);
		row(arg, &rows.sum);
		rows.summing = false;
		destinations_each(d, row_of_destination, &rows);
	}
}

bool
dispatch_is_active(struct dispatch *d, uint64_t id)
{
	const struct attempt *a = window_find(d, id);

	if (a == NULL)
		return false;
	for (struct delivery *y = a->deliveries; y != NULL; y = y->sibling)
		if (y->active)
			return true;
	return false;
}

void
dispatch_reports(const struct dispatch *d, struct dispatch_reports *ret)
{
	*ret = d->reports;
	ret->last = d->reports_last;
}
