/* pause.c - a route whose next hop does not want us, or cannot be asked
 *
 * Its mail waits in the spool and does not age.  Now and then one delivery is
 * let through to see whether things have changed: the pause between these
 * probes grows as the pauses between retries do.  It ends when a probe gets
 * past the point of refusal, when its backend says so, after a reload, and by
 * the operator's hand; then all of the route's mail is due at once.  What the
 * backend has paused it looks at again first, so that nothing that is sure to
 * be refused is shown as well until mail comes.
 */
#include "dispatch/inside.h"

#include "base/clock.h"
#include "dispatch/retry.h"

static void
on_probe(struct timer *t)
{
	struct pause *p = container_of(t, struct pause, timer);

	outlet_run(container_of(p, struct outlet, pause));
}

void
pause_init(struct outlet *o)
{
	timer_init(&o->pause.timer, o->dispatch->loop, on_probe);
}

void
pause_fini(struct outlet *o)
{
	struct pause *p = &o->pause;

	timer_stop(&p->timer);
	mem_free(p->why);
	mem_free(p->reason);
	mem_free(p->remedy);
	mem_free(p->host);
	p->why = p->reason = p->remedy = p->host = NULL;
}

bool
outlet_is_paused(const struct outlet *o)
{
	return o->pause.why != NULL;
}

bool
outlet_turns_away(const struct outlet *o)
{
	return outlet_is_paused(o) && !o->pause.probing &&
	       outlet_pause_ms(o) > 0;
}

bool
outlet_may_start(const struct outlet *o)
{
	return !outlet_is_paused(o) ||
	       (!o->pause.probing && outlet_pause_ms(o) == 0);
}

int64_t
outlet_pause_ms(const struct outlet *o)
{
	int64_t left = o->pause.probe_at_ms - clock_now_ms();

	return MAX(left, 0);
}

/* From now on, for as long as the failures in a row deserve. */
static void
pause_wait(struct outlet *o)
{
	struct dispatch *d = o->dispatch;
	const struct retry_policy *policy = &d->config->retry;
	struct pause *p = &o->pause;
	int64_t ms;

	p->failures++;
	ms = retry_rest(policy->first, policy->longest, p->failures,
			dispatch_dice(d));
	p->probing = false;
	p->probe_at_ms = clock_now_ms() + ms;
	timer_start(&p->timer, ms);
	log_warning(&dispatch_log, "route `%s' is paused: %s; its mail waits "
		    "and does not age; tried again in %lld s", o->name, p->why,
		    (long long)(ms + 999) / 1000);
}

static void
pause_take_words(struct pause *p, const struct pause_words *w)
{
	struct span remedy = span_of(w->remedy);
	struct pause was = *p;

	/* more words may follow it */
	if (span_ends_nocase(remedy, SPAN(".")))
		remedy.n--;
	p->why = mem_printf("%s%s%.*s", w->reason, remedy.n > 0
			    ? "; remedy: " : "", SPAN_ARG(remedy));
	p->reason = mem_strdup(w->reason);
	p->remedy = mem_strdup(w->remedy != NULL ? w->remedy : "");
	p->host = mem_strdup(w->host != NULL ? w->host : "");
	/* the new ones may have been made of the old */
	mem_free(was.why);
	mem_free(was.reason);
	mem_free(was.remedy);
	mem_free(was.host);
}

void
outlet_pause_for(struct outlet *o, const struct pause_words *words)
{
	struct pause *p = &o->pause;
	bool news = !outlet_is_paused(o) || p->probing;

	pause_take_words(p, words);
	p->by_backend = false;
	if (!news)
		return;		/* those that were under way fail with it */
	if (p->since_ms == 0)
		p->since_ms = clock_steady_ms();
	pause_wait(o);
	notice_route_pauses(o);
	outlet_empty(o);
}

void
outlet_pause(struct outlet *o, const char *why)
{
	outlet_pause_for(o, &(struct pause_words){ .reason = why });
}

bool
outlet_probe_begins(struct outlet *o)
{
	if (!outlet_is_paused(o))
		return false;
	o->pause.probing = true;
	return true;
}

/* A server that talks about the message, or takes it, has let us in.  What it
 * says to the null sender may be what it says to everybody. */
static bool
let_us_in(const struct outlet *o, const struct outcome *said)
{
	return said->kind == OUTCOME_REPLY && said->phase >= PHASE_MAIL &&
	       !verdict_refuses_us(said, o->manner);
}

void
outlet_probe_over(struct outlet *o, const struct job *job)
{
	/* a verdict on it may have begun the next pause already; of a retired
	 * one it proves nothing any more */
	if (!outlet_is_paused(o) || !o->pause.probing || o->retired)
		return;
	for (size_t i = 0; i < job->rcpt_count; i++)
		if (let_us_in(o, &job->outcomes[i])) {
			outlet_resume(o, "a message got through to the "
				      "server");
			notice_route_works(o);
			return;
		}
	pause_wait(o);		/* nothing was learnt */
	outlet_empty(o);
}

static void
on_acted(struct dispatch_act *act)
{
	if (act->failed)
		log_error(&dispatch_log, "route `%s': its mail waits until it "
			  "is due: %s", act->route, act->err.text);
	mem_free(act->route);
	mem_free(act);
}

void
outlet_retry_all(struct outlet *o)
{
	struct dispatch_act *act;

	if (o->dispatch->stopping || o->dispatch->spool == NULL)
		return;
	act = NEW(struct dispatch_act);
	act->verb = SPOOL_RETRY;
	act->route = mem_strdup(o->name);
	act->done = on_acted;
	dispatch_act(o->dispatch, act);
}

void
outlet_resume(struct outlet *o, const char *how)
{
	if (!outlet_is_paused(o))
		return;
	log_info(&dispatch_log, "route `%s' is no longer paused: %s", o->name,
		 how);
	pause_fini(o);
	o->pause.failures = 0;
	o->pause.since_ms = 0;
	o->pause.probing = false;
	outlet_retry_all(o);
	outlet_run(o);
}

void
outlet_try_again(struct outlet *o, const char *how)
{
	if (!outlet_is_paused(o))
		return;
	if (!o->pause.by_backend || !backend_look_again(o->backend))
		outlet_resume(o, how);
}
