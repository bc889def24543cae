/* job.h - a delivery as the files of this room see it; for no other
 *
 * postern_job is what the module holds; the job of backend.h is dispatch's.
 * They part when the job is finished: what the module may look at is copied,
 * so that one who comes too late (a worker past its deadline, a backend that
 * did not heed cancel()) finds valid memory, and changes nothing.
 *
 *   OPEN --- the module settled the last --> SETTLED --> finished, freed
 *    |                                         ^
 *    +------ postern_smtp_send() ----------> SMTP
 *    |
 *    +------ deadline, cancel -------------> DEAD ----> finished, kept until
 *                                                       the module is through
 *
 * Everything under `lock' may be touched by a worker; the rest belongs to
 * the delivery loop.
 */
#ifndef MODULE_JOB_H
#define MODULE_JOB_H

#include "base/worker.h"
#include "module/backend.h"
#include "module/host.h"
#include "module/instance.h"

#include <pthread.h>

enum job_state { JOB_OPEN, JOB_SMTP, JOB_SETTLED, JOB_DEAD };

struct read_request {
	uint64_t offset;
	size_t max;
	void (*done)(void *arg, const void *bytes, int64_t n);
	void *arg;
};

struct backend {
	struct postern_instance *me;
	const struct postern_backend *ops;
	struct loop *loop;
	const struct host *host;
	int64_t deadline_ms;
	struct postern_job *jobs;	/* those the module may still touch */
	struct postern_action_run *runs;
	bool retired;

	/* blocking backends */
	struct workers *workers;	/* NULL: does not block */
	struct mailbox *home;		/* where its worker's tasks go */
	pthread_mutex_t bell_lock;
	struct loop *bell_loop;		/* NULL: it was left behind */
	struct letter bell;		/* wakes the loop to look at home */
};

struct postern_job {
	struct backend *backend;
	struct postern_job *next, **prev;
	struct job *outer;		/* NULL: it was finished */
	struct arena *arena;
	const char *id, *sender;
	const char **rcpts;
	size_t rcpt_count;
	uint64_t size;
	unsigned attempt;
	struct later finish;

	pthread_mutex_t lock;
	enum job_state state;
	bool *settled;
	size_t left;			/* not settled by the module */
	bool reading;			/* the body source is busy for it */
	bool started;			/* the worker has begun with it */
	void *data;			/* postern_job_data() */
	size_t data_size;

	/* postern_job_read: a read asked for while another is answered */
	bool pumping, wanted;
	struct read_request want, asked;

	struct smtp_attempt *smtp;	/* host_smtp.c */

	struct task task;		/* blocking backends */
	bool through;			/* the worker has come back */
	struct timer deadline;
	struct letter read_over;
};

/* settle.c */

/* Gives every recipient that is left an outcome without a reply, and takes
 * the job out of the module's hands.  On the loop. */
void job_abandon(struct postern_job *j, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Lists the end of the job if nothing is in its way.  On the loop. */
void job_finish_soon(struct postern_job *j);
/* It has come back: tells its owner.  j is freed unless the module may still
 * touch it. */
void job_finish(struct postern_job *j);
void job_free(struct postern_job *j);

/* host_smtp.c */

/* A job that is with the SMTP client comes back soon. */
void job_smtp_cancel(struct postern_job *j);

/* action.c: all that are under way, before the instance is closed */
void actions_end(struct backend *b);

#endif
