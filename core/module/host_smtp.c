/* host_smtp.c - a job goes to the SMTP client */
#include "module/job.h"

#include "base/ip.h"
#include "base/macros.h"
#include "smtpc/smtpc.h"

#include <string.h>

#define SAME_TIMEOUT(t) \
	_Static_assert((int)POSTERN_TIMEOUT_##t == (int)SMTPC_##t, #t)
SAME_TIMEOUT(CONNECT);
SAME_TIMEOUT(GREETING);
SAME_TIMEOUT(EHLO);
SAME_TIMEOUT(MAIL);
SAME_TIMEOUT(RCPT);
SAME_TIMEOUT(DATA);
SAME_TIMEOUT(BLOCK);
SAME_TIMEOUT(DOT);
SAME_TIMEOUT(QUIT);
_Static_assert((int)SMTPC_TIMEOUTS <= (int)POSTERN_TIMEOUTS, "a place each");

/* In the job's arena: what the client borrows until it is done. */
struct smtp_attempt {
	uint64_t ticket;
	struct smtpc_plan plan;
	struct smtpc_message message;
	struct ip source;
	size_t *places;			/* of its recipients in the job */
};

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

	j->state = JOB_SETTLED;
	job_finish(j);
}

static const struct smtpc_events events = { on_settled, on_done };

static const char *
copy(struct arena *a, const char *s)
{
	return s ? arena_strdup(a, s) : NULL;
}

/* False when the plan is none; *why says it. */
static bool
plan_copy(struct postern_job *j, const struct postern_smtp_plan *from,
	  const char **why)
{
	struct smtp_attempt *s = j->smtp;
	const char **hosts;

	if (from->host_count == 0 || from->port > 65535) {
		*why = from->port > 65535 ? "a plan with a port above 65535"
					  : "a plan without a host";
		return false;
	}
	if (from->source != NULL
	    && !ip_parse(span_of(from->source), &s->source)) {
		*why = "a plan whose source is not an address";
		return false;
	}
	hosts = arena_array(j->arena, from->host_count, sizeof(*hosts));
	for (size_t i = 0; i < from->host_count; i++)
		hosts[i] = arena_strdup(j->arena, from->hosts[i]);
	s->plan = (struct smtpc_plan){
		.hosts = hosts,
		.host_count = from->host_count,
		.port = (uint16_t)from->port,
		.helo = from->helo ? copy(j->arena, from->helo)
				   : j->backend->me->hostname,
		.source = from->source ? &s->source : NULL,
		.reuse = from->idle_ms < 0 ? 1 : from->reuse,
		.idle_ms = MAX(from->idle_ms, 0),
	};
	for (size_t i = 0; i < SMTPC_TIMEOUTS; i++)
		s->plan.timeouts_ms[i] = MAX(from->timeouts_ms[i], 0);
	return true;
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

void
postern_smtp_send(postern_job *job, const struct postern_smtp_plan *given)
{
	const struct postern_module *t = module_table(job->backend->me->module);
	struct postern_smtp_plan plan;
	const char *why = NULL;

	memset(&plan, 0, sizeof(plan));
	memcpy(&plan, given, t->sizes[POSTERN_SIZEOF_PLAN]);
	if (job->state == JOB_DEAD)
		return;
	if (job->backend->workers != NULL)
		why = "in a blocking backend";
	else if (job->state != JOB_OPEN)
		why = "for a job that is over";
	else if (job->reading || job->wanted)
		why = "while a read is under way";
	if (why == NULL) {
		job->smtp = ARENA_NEW(job->arena, struct smtp_attempt);
		plan_copy(job, &plan, &why);
	}
	if (why != NULL) {
		refuse(job, why);
		return;
	}
	message_fill(job);
	job->state = JOB_SMTP;
	job->smtp->ticket = smtpc_send(job->backend->smtpc, &job->smtp->plan,
				       &job->smtp->message, &events, job);
}

void
job_smtp_cancel(struct postern_job *j)
{
	smtpc_cancel(j->backend->smtpc, j->smtp->ticket);
}
