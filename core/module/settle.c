/* settle.c - every recipient exactly once, whatever the module does */
#include "module/job.h"

#include "base/macros.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SAME_PHASE(p) \
	_Static_assert((int)POSTERN_PHASE_##p == (int)PHASE_##p, #p)
SAME_PHASE(NONE);
SAME_PHASE(RESOLVE);
SAME_PHASE(CONNECT);
SAME_PHASE(GREETING);
SAME_PHASE(EHLO);
SAME_PHASE(STARTTLS);
SAME_PHASE(AUTH);
SAME_PHASE(MAIL);
SAME_PHASE(RCPT);
SAME_PHASE(DATA);
SAME_PHASE(BODY);
SAME_PHASE(DOT);
SAME_PHASE(QUIT);

/* Where nobody answered, the phase tells whose silence it was. */
static enum outcome_kind
silence_of(enum phase p)
{
	if (p == PHASE_NONE)
		return OUTCOME_LOCAL;
	return p == PHASE_RESOLVE ? OUTCOME_DNS : OUTCOME_NETWORK;
}

static void
outcome_fill(const struct postern_job *j, const struct postern_outcome *o,
	     struct outcome *to)
{
	enum phase phase = PHASE_NONE;
	struct smtp_reply r = { .code = o->code, .text = span_of(o->text) };
	struct span enhanced = span_of(o->enhanced);

	if (o->phase >= 0 && o->phase < PHASE_COUNT)
		phase = (enum phase)o->phase;
	else
		instance_mistake(j->backend->me, "an outcome in phase %d",
				 o->phase);
	if (o->code >= 200 && o->code <= 599 && o->code / 100 != 3) {
		if (enhanced.n > 0 && !enhanced_parse(&enhanced, &r.enhanced))
			instance_mistake(j->backend->me, "an outcome with the "
					 "enhanced code `%.20s'", o->enhanced);
		outcome_reply(to, phase, &r);
	} else if (o->code == 0) {
		outcome_set(to, silence_of(phase), phase, "%s",
			    o->text ? o->text : "no answer");
	} else {
		instance_mistake(j->backend->me, "an outcome with code %d",
				 o->code);
		outcome_set(to, OUTCOME_LOCAL, phase, "the module gave the "
			    "reply code %d: %s", o->code, o->text ? o->text : "");
	}
	if (o->host != NULL)
		snprintf(to->host, sizeof(to->host), "%s", o->host);
}

/* Under the lock. */
static void
settle_one(struct postern_job *j, size_t i, const struct postern_outcome *o)
{
	if (j->state == JOB_SMTP) {
		instance_mistake(j->backend->me, "%s: recipient %zu was settled "
				 "after postern_smtp_send()", j->id, i);
		return;
	}
	if (j->settled[i]) {
		instance_mistake(j->backend->me, "%s: recipient %zu was settled "
				 "twice", j->id, i);
		return;
	}
	j->settled[i] = true;
	j->left--;
	if (j->state == JOB_OPEN)
		outcome_fill(j, o, &j->outer->outcomes[i]);
}

/* The outcome as the module's header had it. */
static struct postern_outcome
outcome_copy(const struct postern_job *j, const struct postern_outcome *o)
{
	const struct postern_module *t = module_table(j->backend->me->module);
	struct postern_outcome ret = { .code = 0 };

	memcpy(&ret, o, t->sizes[POSTERN_SIZEOF_OUTCOME]);
	return ret;
}

static void
settle_range(struct postern_job *j, size_t from, size_t to, bool only_left,
	     const struct postern_outcome *given)
{
	struct postern_outcome o = outcome_copy(j, given);
	bool over, late;

	pthread_mutex_lock(&j->lock);
	late = j->state == JOB_DEAD;
	for (size_t i = from; i < to; i++)
		if (!only_left || !j->settled[i])
			settle_one(j, i, &o);
	over = j->left == 0 && j->state == JOB_OPEN;
	if (over)
		j->state = JOB_SETTLED;
	pthread_mutex_unlock(&j->lock);

	if (late)
		log_info(&j->backend->me->log, "%s: an outcome came too late: "
			 "%d %s", j->id, o.code, o.text ? o.text : "");
	/* a worker's job ends when its deliver() has returned */
	if (over && j->backend->workers == NULL)
		job_finish_soon(j);
}

void
postern_settle(postern_job *job, size_t rcpt, const struct postern_outcome *o)
{
	if (rcpt < job->rcpt_count)
		settle_range(job, rcpt, rcpt + 1, false, o);
	else
		instance_mistake(job->backend->me, "%s: recipient %zu was "
				 "settled, of %zu", job->id, rcpt,
				 job->rcpt_count);
}

void
postern_settle_rest(postern_job *job, const struct postern_outcome *o)
{
	settle_range(job, 0, job->rcpt_count, true, o);
}

void
job_abandon(struct postern_job *j, const char *fmt, ...)
{
	char text[LIMIT_OUTCOME_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&j->lock);
	for (size_t i = 0; i < j->rcpt_count && j->state != JOB_DEAD; i++)
		if (!j->settled[i])
			outcome_set(&j->outer->outcomes[i], OUTCOME_LOCAL,
				    PHASE_NONE, "%s", text);
	j->state = JOB_DEAD;
	pthread_mutex_unlock(&j->lock);
}

static void
finish_listed(struct later *l)
{
	job_finish(container_of(l, struct postern_job, finish));
}

void
job_finish_soon(struct postern_job *j)
{
	bool reading;

	pthread_mutex_lock(&j->lock);
	reading = j->reading;
	pthread_mutex_unlock(&j->lock);
	/* the body belongs to the job's owner: it goes back unused */
	if (reading || j->outer == NULL)
		return;
	j->finish.run = finish_listed;
	loop_later(j->backend->loop, &j->finish);
}

void
job_free(struct postern_job *j)
{
	struct arena *a = j->arena;		/* the job is in it */

	*j->prev = j->next;
	if (j->next != NULL)
		j->next->prev = j->prev;
	timer_stop(&j->deadline);
	pthread_mutex_destroy(&j->lock);
	arena_free(&a);
}

void
job_finish(struct postern_job *j)
{
	struct job *outer = j->outer;

	j->outer = NULL;
	outer->inside = NULL;
	timer_stop(&j->deadline);
	if (j->state != JOB_DEAD || j->through)
		job_free(j);
	/* the last: its owner may close the backend */
	outer->finished(outer);
}
