/* intake.c - threads that take mail: their beginning and their end */
#include "daemon/intake_inside.h"

#include "base/mem.h"
#include "base/thread.h"
#include "daemon/ports.h"

#include <stdio.h>

/* --- start ----------------------------------------------------------- */

bool
intake_bind(struct intake *in, size_t n, const struct snapshot *snap,
	    struct error *err)
{
	in->n = n;
	return ports_bind(&in->ports, n, snap, err);
}

bool
intake_open(struct intake *in, const struct smtpd_deps *deps,
	    struct snapshot *snap, struct error *err)
{
	in->loops = mem_array(in->n, sizeof(*in->loops));
	for (size_t i = 0; i < in->n; i++) {
		struct intake_loop *on = &in->loops[i];
		struct smtpd_deps own = *deps;

		on->intake = in;
		on->index = i;
		snprintf(on->name, sizeof(on->name), "intake-%zu", i);
		own.loop = on->loop = loop_new(on->name);
		on->smtpd = smtpd_new(&own);
		if (!smtpd_configure(on->smtpd, snap, err))
			return false;
		doors_take_snapshot(on, snap);
	}
	return true;
}

static void *
intake_main(void *arg)
{
	struct intake_loop *on = arg;

	doors_open(on);
	loop_run(on->loop);
	return NULL;
}

bool
intake_start(struct intake *in, struct error *err)
{
	if (!ports_listen(in->ports, in->n, err))
		return false;
	for (size_t i = 0; i < in->n; i++) {
		struct intake_loop *on = &in->loops[i];

		on->thread = thread_start(on->name, intake_main, on);
		on->started = true;
	}
	return true;
}

/* --- end ------------------------------------------------------------- */

static void
barrier_passed(struct spool_op *op)
{
	(void)op;
}

/* Waits until the spool has answered everything that was asked so far. */
static void
spool_barrier(struct spool *spool)
{
	struct mailbox *here = mailbox_new(NULL, NULL);
	struct spool_claim nothing = { .op = { .home = here } };

	nothing.op.done = barrier_passed;
	spool_claim(spool, &nothing);
	letters_deliver(mailbox_wait(here, -1));
	mem_free(nothing.items);
	mailbox_free(&here);
}

/* The threads have ended: their letters are delivered here. */
static void
loops_drain(struct intake *in)
{
	for (size_t i = 0; i < in->n; i++)
		if (in->loops[i].loop != NULL)
			loop_drain(in->loops[i].loop);
}

static void
loops_join(struct intake *in)
{
	for (size_t i = 0; i < in->n; i++) {
		if (!in->loops[i].started)
			continue;
		loop_stop(in->loops[i].loop);
		pthread_join(in->loops[i].thread, NULL);
		in->loops[i].started = false;
	}
}

/* First the sessions: a draft that a worker is writing becomes no commit any
 * more.  Then the workers, who need the store's folder; then the commits that
 * are out, which need the spool; then nothing comes home any more. */
void
intake_close(struct intake *in, struct spool *spool,
	     struct workers *workers)
{
	if (in->loops == NULL)
		return;
	loops_join(in);
	for (size_t i = 0; i < in->n; i++)
		if (in->loops[i].smtpd != NULL)
			smtpd_cut(in->loops[i].smtpd);
	workers_drain(workers);
	loops_drain(in);
	spool_barrier(spool);
	loops_drain(in);
	for (size_t i = 0; i < in->n; i++) {
		struct intake_loop *on = &in->loops[i];

		if (on->loop == NULL)
			continue;
		snapshot_unref(&on->snap);
		doors_refresh(on);
		smtpd_free(&on->smtpd);
	}
}

void
intake_fini(struct intake *in)
{
	for (size_t i = 0; in->loops != NULL && i < in->n; i++)
		loop_free(&in->loops[i].loop);
	ports_free(&in->ports, in->n);
	mem_free(in->loops);
	*in = (struct intake){ 0 };
}

/* --- numbers --------------------------------------------------------- */

void
intake_stats(const struct intake *in, struct smtpd_stats *ret)
{
	*ret = (struct smtpd_stats){ 0 };
	for (size_t i = 0; in->loops != NULL && i < in->n; i++) {
		struct smtpd_stats one;

		smtpd_stats(in->loops[i].smtpd, &one);
		ret->sessions += one.sessions;
		ret->accepted += one.accepted;
		ret->refused += one.refused;
		ret->open += one.open;
		ret->greeted += one.greeted;
		for (size_t k = 0; k < FAILURE_KINDS; k++)
			ret->failed[k] += one.failed[k];
	}
}
