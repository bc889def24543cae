/* backend.c - jobs go to a module and come back
 *
 * A blocking backend has a worker of its own.  Its tasks come home to a
 * mailbox of the backend's own, which rings the loop's: when the backend must
 * be left behind with a worker that does not return, the bell is taken off,
 * and what the worker does at last reaches nobody.
 */
#include "module/job.h"

#include "base/macros.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* --- blocking: a worker and its way home ----------------------------- */

static void
on_bell(struct letter *l)
{
	struct backend *b = container_of(l, struct backend, bell);

	if (b->bell_loop != NULL)
		letters_deliver(mailbox_take(b->home));
}

/* On the worker; the mailbox was empty, so the bell is not under way. */
static void
ring(void *arg)
{
	struct backend *b = arg;

	pthread_mutex_lock(&b->bell_lock);
	if (b->bell_loop != NULL) {
		b->bell.deliver = on_bell;
		mailbox_post(loop_mailbox(b->bell_loop), &b->bell);
	}
	pthread_mutex_unlock(&b->bell_lock);
}

static void
on_worker(struct task *t)
{
	struct postern_job *j = container_of(t, struct postern_job, task);
	struct backend *b = j->backend;

	pthread_mutex_lock(&j->lock);
	j->started = j->state == JOB_OPEN;
	pthread_mutex_unlock(&j->lock);
	if (j->started)
		b->ops->deliver(b->me->self, j);
}

static void
back_home(struct task *t)
{
	struct postern_job *j = container_of(t, struct postern_job, task);

	j->through = true;
	if (j->state == JOB_DEAD) {
		/* else its end is listed */
		if (j->outer == NULL)
			job_free(j);
		return;
	}
	if (j->state == JOB_OPEN) {
		instance_mistake(j->backend->me, "%s: deliver() returned with "
				 "%zu recipients unsettled", j->id, j->left);
		job_abandon(j, "module `%s' gave no outcome",
			    module_table(j->backend->me->module)->name);
	}
	job_finish(j);
}

static void
on_deadline(struct timer *t)
{
	struct postern_job *j = container_of(t, struct postern_job, deadline);
	struct backend *b = j->backend;
	const char *name = module_table(b->me->module)->name;
	long long seconds = (long long)(b->deadline_ms + 999) / 1000;
	bool started;

	pthread_mutex_lock(&j->lock);
	started = j->started;
	pthread_mutex_unlock(&j->lock);
	if (started)
		log_error(&b->me->log, "%s: did not finish within %lld s",
			  j->id, seconds);
	job_abandon(j, started ? "module `%s' did not finish within %lld s"
		    : "module `%s' was busy with another message for %lld s",
		    name, seconds);
	job_finish_soon(j);
}

static void
submit(struct backend *b, struct postern_job *j)
{
	timer_init(&j->deadline, b->loop, on_deadline);
	timer_start(&j->deadline, b->deadline_ms);
	j->task.work = on_worker;
	j->task.done = back_home;
	j->task.home = b->home;
	workers_submit(b->workers, &j->task);
}

/* --- all backends ---------------------------------------------------- */

struct backend *
backend_open(struct module *m, const struct node *block,
	     const struct backend_place *place, struct error *err)
{
	struct instance_place at = {
		.route = place->route, .hostname = place->hostname,
		.loop = place->host->loop, .host = place->host,
		.events = place->events, .arg = place->arg,
		.blocking = module_blocks(m),
		.state_later = place->state_later,
	};
	struct postern_instance *me;
	struct backend *b;

	if (!module_is_backend(m)) {
		error_set(err, ERROR_CONFIG, "module `%s' is a filter, not a "
			  "backend", module_table(m)->name);
		return NULL;
	}
	me = instance_open(m, block, &at, err);
	if (me == NULL)
		return NULL;
	b = NEW(struct backend);
	b->me = me;
	b->ops = module_table(m)->backend;
	b->host = place->host;
	b->loop = b->bell_loop = place->host->loop;
	b->deadline_ms = place->deadline_ms > 0 ? place->deadline_ms
						: BACKEND_DEADLINE_MS;
	pthread_mutex_init(&b->bell_lock, NULL);
	if (module_blocks(m)) {
		b->workers = workers_new(module_table(m)->name, 1);
		b->home = mailbox_new(ring, b);
	}
	return b;
}

/* A worker is still with a dead job: it keeps the backend, and the module's
 * close() is never called. */
static void
leave_behind(struct backend *b)
{
	log_warning(&b->me->log, "%s: still not finished; its instance is left "
		    "behind", b->jobs->id);
	pthread_mutex_lock(&b->bell_lock);
	b->bell_loop = NULL;
	pthread_mutex_unlock(&b->bell_lock);
}

void
backend_close(struct backend **ptr)
{
	struct backend *b = *ptr;

	if (b == NULL)
		return;
	*ptr = NULL;
	for (struct postern_job *j = b->jobs; j != NULL; j = j->next)
		must(j->outer == NULL);
	if (b->workers != NULL && b->jobs != NULL) {
		leave_behind(b);
		return;
	}
	backend_retire(b);
	workers_free(&b->workers);
	instance_close(&b->me);
	while (b->jobs != NULL)
		job_free(b->jobs);
	mailbox_free(&b->home);
	pthread_mutex_destroy(&b->bell_lock);
	mem_free(b);
}

void
backend_retire(struct backend *b)
{
	if (b->retired)
		return;
	b->retired = true;
	actions_end(b);
	if (b->workers == NULL && b->ops->retire != NULL)
		b->ops->retire(b->me->self);
}

bool
backend_look_again(struct backend *b)
{
	return !b->retired && b->workers == NULL &&
	       b->ops->look_again != NULL &&
	       b->ops->look_again(b->me->self) == 1;
}

bool
backend_busy(const struct backend *b)
{
	return b->me->awaited > 0;
}

void
backend_leave_state(struct backend *b)
{
	b->me->turn = STATE_OVER;
}

void
backend_take_state(struct backend *b)
{
	instance_state_begin(b->me);
}

unsigned
backend_parallel(const struct backend *b)
{
	return b->workers != NULL ? 1 : 1000 * 1000;
}

enum backend_manner
backend_manner(const struct backend *b)
{
	return module_manner(b->me->module);
}

enum backend_manner
module_manner(const struct module *m)
{
	uint32_t flags = module_table(m)->flags;

	if (flags & POSTERN_RELAY)
		return BACKEND_RELAY;
	return flags & POSTERN_RECEIVERS ? BACKEND_RECEIVERS : BACKEND_NEUTRAL;
}

void
backend_describe(const struct backend *b, const char *recipient,
		 struct backend_destination *ret)
{
	struct postern_destination d;

	memset(&d, 0, sizeof(d));
	b->ops->describe(b->me->self, recipient, &d);
	d.name[sizeof(d.name) - 1] = '\0';
	snprintf(ret->name, sizeof(ret->name), "%s", d.name[0] != '\0' ? d.name
		 : module_table(b->me->module)->name);
	ret->connections = d.connections;
	ret->per_minute = d.per_minute;
	ret->may_refuse_null_sender = (d.may_refuse & POSTERN_NULL_SENDER) != 0;
	d.mailbox[sizeof(d.mailbox) - 1] = '\0';
	memcpy(ret->mailbox, d.mailbox, sizeof(ret->mailbox));
}

static struct postern_job *
job_new(struct backend *b, struct job *outer)
{
	struct arena *a = arena_new();
	struct postern_job *j = ARENA_NEW(a, struct postern_job);
	const struct envelope *env = outer->env;

	j->arena = a;
	j->backend = b;
	j->outer = outer;
	j->id = arena_strdup(a, outer->id);
	j->sender = arena_span(a, env->sender.text).p;
	j->rcpt_count = j->left = outer->rcpt_count;
	j->rcpts = arena_array(a, j->rcpt_count, sizeof(*j->rcpts));
	for (size_t i = 0; i < j->rcpt_count; i++)
		j->rcpts[i] = arena_span(a,
			env->rcpts[outer->rcpts[i]].address.text).p;
	j->settled = arena_array(a, j->rcpt_count, sizeof(*j->settled));
	j->size = outer->body->size;
	j->attempt = outer->attempt;
	pthread_mutex_init(&j->lock, NULL);
	j->next = b->jobs;
	j->prev = &b->jobs;
	if (j->next != NULL)
		j->next->prev = &j->next;
	b->jobs = j;
	return j;
}

void
backend_deliver(struct backend *b, struct job *job)
{
	struct postern_job *j;

	must(job->rcpt_count > 0);
	j = job->inside = job_new(b, job);
	if (b->workers != NULL)
		submit(b, j);
	else
		b->ops->deliver(b->me->self, j);
}

void
backend_cancel(struct backend *b, struct job *job)
{
	struct postern_job *j = job->inside;

	if (j == NULL || j->finish.listed)
		return;
	if (j->state == JOB_SMTP) {
		job_smtp_cancel(j);
		return;
	}
	if (b->workers == NULL && b->ops->cancel != NULL
	    && j->state == JOB_OPEN)
		b->ops->cancel(b->me->self, j);
	if (j->state == JOB_OPEN || b->workers != NULL)
		job_abandon(j, "the gateway stops");
	job_finish_soon(j);
}
