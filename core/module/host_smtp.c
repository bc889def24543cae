/* host_smtp.c - a job goes to the SMTP client
 *
 * The certificates that the plan names are fetched first; when they are there
 * already, as mostly, the client has the job before postern_smtp_send()
 * returns.
 */
#include "module/smtp_attempt.h"

#include "base/macros.h"
#include "module/job.h"

/* --- the end --------------------------------------------------------- */

/* No recipient was ever named: a matter between the gateway and the host. */
static bool
failed_before_recipients(const struct postern_job *j)
{
	const struct smtp_attempt *s = j->smtp;

	for (size_t i = 0; i < s->message.rcpt_count; i++) {
		const struct outcome *o = &j->outer->outcomes[s->places[i]];

		if (outcome_delivered(o) || o->phase == PHASE_NONE ||
		    o->phase > PHASE_AUTH)
			return false;
	}
	return true;
}

/* Asks the module; true: the job is its own again. */
static bool
module_takes_back(struct postern_job *j)
{
	struct smtp_attempt *s = j->smtp;
	const struct outcome *o = &j->outer->outcomes[s->places[0]];
	char enhanced[24];
	const struct postern_outcome told = outcome_told(o, enhanced);

	if (s->failed == NULL || s->cancelled || !failed_before_recipients(j))
		return false;
	j->state = JOB_OPEN;
	return s->failed(j->backend->me->self, j, &told) == 1 ||
	       j->state != JOB_OPEN;
}

static void
on_settled(void *arg, size_t i, const struct outcome *o)
{
	struct postern_job *j = arg;

	j->outer->outcomes[j->smtp->places[i]] = *o;
}

/* At once, not later: the next message that is given from here takes the
 * connection that has just become free. */
static void
on_done(void *arg)
{
	struct postern_job *j = arg;

	way_release(&j->smtp->way);
	way_doubt(&j->smtp->way, &j->outer->outcomes[j->smtp->places[0]]);
	if (module_takes_back(j))
		return;
	j->state = JOB_SETTLED;
	job_finish(j);
}

static const struct smtpc_events events = { on_settled, on_done };

/* It ends before the client was asked. */
static void
ends_here(struct postern_job *j, const struct outcome *o)
{
	struct smtp_attempt *s = j->smtp;

	for (size_t i = 0; i < s->message.rcpt_count; i++)
		j->outer->outcomes[s->places[i]] = *o;
	way_release(&s->way);
	if (module_takes_back(j))
		return;
	j->state = JOB_SETTLED;
	job_finish_soon(j);
}

/* --- sending --------------------------------------------------------- */

static void
on_ready(struct smtp_way *w, const struct outcome *o)
{
	struct smtp_attempt *s = container_of(w, struct smtp_attempt, way);
	struct postern_job *j = s->job;

	if (o != NULL)
		ends_here(j, o);
	else
		s->ticket = smtpc_send(j->backend->host->smtpc, &w->plan,
				       &s->message, &events, j);
}

static void
message_fill(struct postern_job *j)
{
	struct smtp_attempt *s = j->smtp;
	size_t *rcpts = arena_array(j->arena, j->left, sizeof(*rcpts));
	size_t n = 0;

	s->places = arena_array(j->arena, j->left, sizeof(*s->places));
	for (size_t i = 0; i < j->rcpt_count; i++) {
		if (j->settled[i])
			continue;
		s->places[n] = i;
		rcpts[n++] = j->outer->rcpts[i];
	}
	s->message = (struct smtpc_message){
		.id = j->id, .env = j->outer->env, .rcpts = rcpts,
		.rcpt_count = n, .body = j->outer->body,
	};
}

static void
refuse(struct postern_job *j, const char *why)
{
	const struct postern_outcome o = { .text = why };

	instance_mistake(j->backend->me, "%s: postern_smtp_send(): %s", j->id,
			 why);
	if (j->state == JOB_OPEN && j->left > 0)
		postern_settle_rest(j, &o);
}

static const char *
misplaced(const struct postern_job *job)
{
	if (job->backend->workers != NULL)
		return "in a blocking backend";
	if (job->state != JOB_OPEN)
		return "for a job that is over";
	if (job->reading || job->wanted)
		return "while a read is under way";
	return NULL;
}

void
postern_smtp_send(postern_job *job, const struct postern_smtp_plan *given)
{
	struct postern_instance *me = job->backend->me;
	struct postern_smtp_plan plan;
	const char *why;

	plan_read(me, given, &plan);
	if (job->state == JOB_DEAD)
		return;
	why = misplaced(job);
	if (why == NULL)
		why = plan_fault(&plan);
	if (why != NULL) {
		refuse(job, why);
		return;
	}
	job->smtp = ARENA_NEW(job->arena, struct smtp_attempt);
	job->smtp->job = job;
	job->smtp->failed = plan.failed;
	way_copy(&job->smtp->way, job->arena, me, &plan);
	message_fill(job);
	job->state = JOB_SMTP;
	way_prepare(&job->smtp->way, on_ready);
}

void
job_smtp_cancel(struct postern_job *j)
{
	struct smtp_attempt *s = j->smtp;
	struct outcome o = { .code = 0 };

	s->cancelled = true;
	if (way_forget(&s->way)) {
		outcome_set(&o, OUTCOME_LOCAL, PHASE_NONE, "cancelled by the gateway");
		ends_here(j, &o);
		return;
	}
	smtpc_cancel(j->backend->host->smtpc, s->ticket);
}
