/* host_job.c - what a backend is told of its job, and its bytes */
#include "module/job.h"

#include "base/macros.h"

const char *
postern_job_id(const postern_job *job)
{
	return job->id;
}

const char *
postern_job_sender(const postern_job *job)
{
	return job->sender;
}

size_t
postern_job_rcpt_count(const postern_job *job)
{
	return job->rcpt_count;
}

const char *
postern_job_rcpt(const postern_job *job, size_t i)
{
	if (i < job->rcpt_count)
		return job->rcpts[i];
	instance_mistake(job->backend->me, "%s: asked for recipient %zu of %zu",
			 job->id, i, job->rcpt_count);
	return "";
}

uint64_t
postern_job_size(const postern_job *job)
{
	return job->size;
}

unsigned
postern_job_attempt(const postern_job *job)
{
	return job->attempt;
}

void *
postern_job_alloc(postern_job *job, size_t size)
{
	return arena_alloc(job->arena, MAX(size, 1));
}

void *
postern_job_data(postern_job *job, size_t size)
{
	if (job->data == NULL) {
		job->data = arena_alloc(job->arena, MAX(size, 1));
		job->data_size = size;
	} else if (size != job->data_size) {
		instance_mistake(job->backend->me, "%s: postern_job_data() of "
				 "%zu octets, and now of %zu", job->id,
				 job->data_size, size);
	}
	return size <= job->data_size ? job->data
				      : arena_alloc(job->arena, size);
}

/* --- reading on a worker --------------------------------------------- */

static void
read_over(struct letter *l)
{
	struct postern_job *j = container_of(l, struct postern_job, read_over);

	job_finish_soon(j);
}

/* False when the job is over: its body is no longer there. */
static bool
pread_begin(struct postern_job *j)
{
	bool ok;

	pthread_mutex_lock(&j->lock);
	ok = j->state == JOB_OPEN;
	j->reading = ok;
	pthread_mutex_unlock(&j->lock);
	return ok;
}

static void
pread_end(struct postern_job *j)
{
	bool dead;

	pthread_mutex_lock(&j->lock);
	j->reading = false;
	dead = j->state == JOB_DEAD;
	pthread_mutex_unlock(&j->lock);
	/* The deadline passed meanwhile, and its end waits for us; by the way
	 * home, so that the task, which frees the job, comes after it. */
	if (dead) {
		j->read_over.deliver = read_over;
		mailbox_post(j->backend->home, &j->read_over);
	}
}

int64_t
postern_job_pread(postern_job *job, uint64_t offset, void *to, size_t max)
{
	struct body_source *body;
	struct error err;
	size_t got = 0;
	bool ok;

	if (job->backend->workers == NULL) {
		instance_mistake(job->backend->me, "postern_job_pread() in a "
				 "backend that does not block");
		return -1;
	}
	if (!pread_begin(job))
		return -1;
	body = job->outer->body;
	ok = body->ops->pread(body, offset, to, max, &got, &err);
	if (!ok)
		log_warning(&job->backend->me->log, "%s: reading the message: %s",
			    job->id, err.text);
	pread_end(job);
	return ok ? (int64_t)got : -1;
}

/* --- reading on the loop --------------------------------------------- */

static void
on_read(void *arg, struct span bytes, const struct error *err)
{
	struct postern_job *j = arg;
	struct read_request asked = j->asked;

	j->reading = false;
	if (j->state != JOB_OPEN) {
		job_finish_soon(j);
		return;
	}
	if (err != NULL)
		log_warning(&j->backend->me->log, "%s: reading the message: %s",
			    j->id, err->text);
	asked.done(asked.arg, err ? NULL : bytes.p,
		   err ? -1 : (int64_t)bytes.n);
}

/* Bytes that are in memory come at once, and done() asks for the next: one
 * turn of this loop for each, not one more call on the stack. */
static void
read_pump(struct postern_job *j)
{
	struct body_source *body = j->outer->body;

	j->pumping = true;
	while (j->wanted && !j->reading && j->state == JOB_OPEN) {
		j->wanted = false;
		j->asked = j->want;
		j->reading = true;
		body->ops->read(body, j->asked.offset, j->asked.max, on_read, j);
	}
	j->pumping = false;
}

void
postern_job_read(postern_job *job, uint64_t offset, size_t max,
		 void (*done)(void *arg, const void *bytes, int64_t n),
		 void *arg)
{
	struct postern_instance *me = job->backend->me;

	if (job->backend->workers != NULL || job->wanted || job->reading) {
		instance_mistake(me, "%s: postern_job_read() %s", job->id,
				 job->backend->workers ? "in a blocking backend"
				 : "while another read is under way");
		done(arg, NULL, -1);
		return;
	}
	if (job->state != JOB_OPEN)
		return;
	job->want = (struct read_request){ offset, max, done, arg };
	job->wanted = true;
	if (!job->pumping)
		read_pump(job);
}
