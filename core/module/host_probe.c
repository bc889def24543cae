/* host_probe.c - a module asks whether a host would let it in
 *
 * A probe is a question of its instance: it is answered once, or given up.
 * All of it takes a minute at most unless the module says otherwise, since
 * somebody waits for it.
 */
#include "module/question.h"

#include "base/macros.h"
#include "module/host.h"
#include "module/smtp_way.h"

#include <string.h>

enum { TIMEOUT_MS = 60 * 1000, REMEDY = 1000 };

typedef void probe_fn(void *arg, const struct postern_probe_answer *answer);

/* In an arena of its own. */
struct smtp_probe {
	struct question question;
	struct arena *arena;
	struct smtp_way way;
	enum phase upto;
	uint64_t ticket;		/* with the client, or 0 */
	struct timer timer;
	int64_t timeout_ms;
	bool late;
	struct outcome outcome;
	probe_fn *done;
	void *arg;
};

/* --- answering ------------------------------------------------------- */

static void
probe_answer(struct postern_instance *me, const struct outcome *o,
       const char *mailbox, probe_fn *done, void *arg)
{
	char enhanced[24], remedy[REMEDY];
	const struct postern_outcome told = outcome_told(o, enhanced);
	const struct postern_probe_answer a = {
		.ok = outcome_delivered(o), .outcome = &told,
		.remedy = me->host != NULL && me->host->remedy != NULL
			? me->host->remedy(o, module_manner(me->module),
					   me->route, mailbox ? mailbox : "",
					   remedy, sizeof(remedy))
			: NULL,
	};

	done(arg, &a);
}

static void
probe_free(struct smtp_probe *p)
{
	struct arena *a = p->arena;	/* p is in it */

	timer_stop(&p->timer);
	way_release(&p->way);
	arena_free(&a);
}

static void
probe_end(struct smtp_probe *p)
{
	struct outcome *o = &p->outcome;

	if (p->late)
		outcome_set(o, OUTCOME_NETWORK, o->phase, "no answer within "
			    "%lld s", (long long)(p->timeout_ms + 999) / 1000);
	way_doubt(&p->way, o);
	question_end(&p->question);
	probe_answer(p->question.me, o, p->way.plan.auth.user, p->done, p->arg);
	probe_free(p);
}

static void
probe_forgotten(struct question *q)
{
	struct smtp_probe *p = container_of(q, struct smtp_probe, question);

	if (!way_forget(&p->way))
		smtpc_forget(q->me->host->smtpc, p->ticket);
	probe_free(p);
}

/* --- the client ------------------------------------------------------ */

static void
on_settled(void *arg, size_t i, const struct outcome *o)
{
	struct smtp_probe *p = arg;

	(void)i;
	p->outcome = *o;
}

static void
on_done(void *arg)
{
	probe_end(arg);
}

static const struct smtpc_events events = { on_settled, on_done };

static void
on_ready(struct smtp_way *w, const struct outcome *o)
{
	struct smtp_probe *p = container_of(w, struct smtp_probe, way);

	if (o != NULL) {
		p->outcome = *o;
		probe_end(p);
		return;
	}
	p->ticket = smtpc_probe(w->me->host->smtpc, &w->plan, p->upto, &events,
				p);
}

/* Where it was, only the client knows. */
static void
on_late(struct timer *t)
{
	struct smtp_probe *p = container_of(t, struct smtp_probe, timer);

	p->late = true;
	if (way_forget(&p->way))
		probe_end(p);
	else
		smtpc_cancel(p->way.me->host->smtpc, p->ticket);
}

/* --- asking ---------------------------------------------------------- */

static struct smtp_probe *
probe_new(struct postern_instance *me, const struct postern_probe *asked,
	  const struct postern_smtp_plan *plan)
{
	struct arena *a = arena_new();
	struct smtp_probe *p = ARENA_NEW(a, struct smtp_probe);

	p->arena = a;
	p->upto = (enum phase)asked->upto;
	p->timeout_ms = asked->timeout_ms > 0 ? asked->timeout_ms : TIMEOUT_MS;
	p->question.forget = probe_forgotten;
	timer_init(&p->timer, me->loop, on_late);
	timer_start(&p->timer, p->timeout_ms);
	way_copy(&p->way, a, me, plan);
	return p;
}

static const char *
probe_fault(const struct postern_probe *asked,
	    const struct postern_smtp_plan *plan)
{
	if (asked->upto < POSTERN_PHASE_EHLO ||
	    asked->upto > POSTERN_PHASE_AUTH)
		return "a probe goes as far as EHLO, STARTTLS or AUTH";
	return plan_fault(plan);
}

uint64_t
postern_smtp_probe(postern_instance *me, const struct postern_probe *given,
		   probe_fn *done, void *arg)
{
	struct postern_probe asked;
	struct postern_smtp_plan plan;
	struct outcome o = { .code = 0 };
	const char *why = "there is no SMTP here";
	struct smtp_probe *p;
	uint64_t ticket;

	memset(&asked, 0, sizeof(asked));
	memcpy(&asked, given, me->module->table.sizes[POSTERN_SIZEOF_PROBE]);
	plan_read(me, asked.plan, &plan);
	if (question_allowed(me, "postern_smtp_probe()") &&
	    me->host->smtpc != NULL) {
		why = probe_fault(&asked, &plan);
		if (why != NULL)
			instance_mistake(me, "postern_smtp_probe(): %s", why);
	}
	if (why != NULL) {
		outcome_set(&o, OUTCOME_LOCAL, PHASE_NONE, "%s", why);
		probe_answer(me, &o, NULL, done, arg);
		return 0;
	}
	p = probe_new(me, &asked, &plan);
	p->done = done;
	p->arg = arg;
	question_begin(&p->question, me);
	ticket = p->question.ticket;
	way_prepare(&p->way, on_ready);
	return question_ticket(me, ticket);
}
