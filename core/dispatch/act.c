/* act.c - the operator's hand: hold, release, retry, remove
 *
 * What waits in memory is given back to the spool first; operations on the
 * spool are carried out in the order of posting, so the verb then meets it
 * there.  What is in delivery cannot be removed and counts as busy; a hold
 * reaches it when its attempt has ended.
 *
 * Each act has a line in the log, with the messages that it changed: the
 * first of them, but all of those that were removed, in several lines if need
 * be.  They are noted on the spool thread, which has the act until it is done.
 */
#include "dispatch/inside.h"

#include "base/clock.h"
#include "module/action.h"

#include <string.h>

enum { TOLD_MOST = 20, TOLD_BYTES = 1500 };	/* in one line */

struct acting {
	struct spool_act op;
	struct dispatch_act *act;
	struct buf ids, from, to;	/* told in the next line */
	size_t told;			/* messages there */
};

/* --- the line in the log --------------------------------------------- */

/* The last one says how many there were. */
static void
acting_log(struct acting *x, bool last)
{
	static const char *const verbs[] = {
		[SPOOL_HOLD] = "hold", [SPOOL_RELEASE] = "release",
		[SPOOL_RETRY] = "retry", [SPOOL_REMOVE] = "remove",
	};
	const struct dispatch_act *act = x->act;
	struct log_field f[7 + WHO_FIELDS];
	size_t n = 0;

	if (act->by.kind == WHO_NOBODY)
		return;
	if (act->ids == NULL)
		f[n++] = act->route != NULL ? LOG_STR("route", act->route)
					    : LOG_STR("route", "(all)");
	if (x->told > 0) {
		f[n++] = LOG_TEXT("ids", buf_span(&x->ids));
		f[n++] = LOG_TEXT("from", buf_span(&x->from));
		f[n++] = LOG_TEXT("to", buf_span(&x->to));
	}
	if (last)
		f[n++] = LOG_NUM("changed", (int64_t)x->op.changed);
	if (last && act->busy > 0)
		f[n++] = LOG_NUM("busy", (int64_t)act->busy);
	if (last && act->failed)
		f[n++] = LOG_STR("error", act->err.text);
	n += who_fields(&act->by, f + n);
	log_event(&dispatch_log, LOG_LEVEL_INFO, f, n, "queue %s",
		  verbs[act->verb]);
}

static void
acting_next_line(struct acting *x)
{
	buf_clear(&x->ids);
	buf_clear(&x->from);
	buf_clear(&x->to);
	x->told = 0;
}

static void
acting_note(struct buf *to, const char *words)
{
	buf_addf(to, "%s%s", to->len > 0 ? ", " : "", words);
}

/* On the spool thread. */
static void
on_met(void *arg, const struct spool_met *m)
{
	const char *from = m->from == NULL ? "(not known)"
			   : m->from[0] ? m->from : "<>";
	const char *to = m->to != NULL ? m->to : "(not known)";
	struct acting *x = arg;
	char id[ITEM_TEXT];

	if (x->told == TOLD_MOST ||
	    x->from.len + strlen(from) + 2 > TOLD_BYTES ||
	    x->to.len + strlen(to) + 2 > TOLD_BYTES) {
		if (x->act->verb != SPOOL_REMOVE)
			return;
		acting_log(x, false);
		acting_next_line(x);
	}
	acting_note(&x->ids, item_id_text(m->id, id));
	acting_note(&x->from, from);
	acting_note(&x->to, to);
	x->told++;
}

static struct acting *
acting_new(struct dispatch_act *act)
{
	struct acting *x = NEW(struct acting);

	x->act = act;
	x->ids = BUF_MAX(TOLD_MOST * (ITEM_TEXT + 2));
	x->from = BUF_MAX(TOLD_BYTES);
	x->to = BUF_MAX(TOLD_BYTES);
	if (act->by.kind == WHO_NOBODY)
		return x;
	x->op.met = on_met;
	x->op.met_arg = x;
	x->op.tell = act->verb == SPOOL_REMOVE ? SIZE_MAX : TOLD_MOST;
	return x;
}

static void
acting_free(struct acting *x)
{
	buf_fini(&x->ids);
	buf_fini(&x->from);
	buf_fini(&x->to);
	mem_free(x->op.ids);
	mem_free(x->op.route);
	mem_free(x);
}

/* --- what is in memory ----------------------------------------------- */

static bool
act_means(const struct dispatch_act *act, const struct item *item)
{
	if (act->ids == NULL)
		return act->route == NULL ||
		       strcmp(act->route, item->route) == 0;
	for (size_t i = 0; i < act->n; i++)
		if (act->ids[i] == item->id)
			return true;
	return false;
}

static void
act_on_attempt(struct dispatch_act *act, struct attempt *a)
{
	if (attempt_is_waiting(a))
		attempt_withdraw(a, MAX(a->item->due_ms, clock_steady_ms()));
	else if (act->verb == SPOOL_REMOVE)
		act->busy++;
}

static void
act_on_any(void *arg, struct attempt *a)
{
	struct dispatch_act *act = arg;

	if (act_means(act, a->item))
		act_on_attempt(act, a);
}

static void
act_take_out(struct dispatch *d, struct dispatch_act *act)
{
	if (act->ids == NULL) {
		window_each(d, act_on_any, act);
		return;
	}
	for (size_t i = 0; i < act->n; i++) {
		struct attempt *a = window_find(d, act->ids[i]);

		if (a != NULL)
			act_on_attempt(act, a);
	}
}

/* Somebody signed in, or mended a certificate: try again at once. */
static void
act_resume(struct dispatch *d, const struct dispatch_act *act)
{
	for (struct outlet *o = d->outlets; o != NULL; o = o->next)
		if (act->route == NULL || strcmp(act->route, o->name) == 0)
			outlet_try_again(o, "the operator asked for a retry");
}

/* Somebody mended the host: it need not rest any more. */
static void
act_wake(void *arg, struct destination *t)
{
	const struct dispatch_act *act = arg;

	if (act->route == NULL || strcmp(act->route, t->outlet->name) == 0)
		destination_wake(t);
}

static void
on_acted(struct spool_op *op)
{
	struct spool_act *sa = container_of(op, struct spool_act, op);
	struct acting *x = container_of(sa, struct acting, op);
	struct dispatch_act *act = x->act;

	act->failed = op->status != SPOOL_OK && op->status != SPOOL_GONE;
	if (act->failed)
		act->err = op->err;
	act->changed = sa->changed;
	acting_log(x, true);
	acting_free(x);
	act->done(act);
}

void
dispatch_act(struct dispatch *d, struct dispatch_act *act)
{
	struct acting *x;

	act->dispatch = d;
	act->changed = act->busy = 0;
	if (act->verb == SPOOL_REMOVE || act->verb == SPOOL_HOLD)
		act_take_out(d, act);
	if (act->verb == SPOOL_RETRY) {
		act_resume(d, act);
		destinations_each(d, act_wake, act);
	}

	x = acting_new(act);
	x->op.verb = act->verb;
	x->op.op.home = loop_mailbox(d->loop);
	x->op.op.done = on_acted;
	if (act->ids != NULL) {
		x->op.ids = mem_array(act->n + 1, sizeof(*act->ids));
		memcpy(x->op.ids, act->ids, act->n * sizeof(*act->ids));
		x->op.n = act->n;
	} else if (act->route != NULL) {
		x->op.route = mem_strdup(act->route);
	}
	spool_act(d->spool, &x->op);
}

/* --- actions of backends --------------------------------------------- */

static bool
outlet_has_action(const struct outlet *o, const char *action)
{
	struct error err;
	struct module *m = module_find(o->module, &err);

	return m != NULL && module_has_action(m, action);
}

struct postern_action_run *
dispatch_action(struct dispatch *d, const char *route, const char *action,
		const struct action_events *ev, void *arg, struct error *err)
{
	const char *all[LIMIT_ROUTES], *have[LIMIT_ROUTES], *near = NULL;
	struct outlet *found = outlet_find(d, route);
	size_t n = 0, n_have = 0;

	if (found != NULL && outlet_has_action(found, action))
		return action_begin(found->backend, action, ev, arg, err);
	for (struct outlet *o = d->outlets; o != NULL && n < LIMIT_ROUTES;
	     o = o->next) {
		all[n++] = o->name;
		if (outlet_has_action(o, action))
			have[n_have++] = o->name;
	}
	if (found == NULL)
		near = nearest_name(span_of(route), all, n);
	action_refuse(err, route, found ? found->module : NULL, action, have,
		      n_have);
	if (near != NULL)
		error_hint(err, "did you mean `%s'?", near);
	return NULL;
}
