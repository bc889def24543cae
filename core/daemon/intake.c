/* intake.c - threads that take mail
 *
 * The main thread speaks to each loop by letters; an answer counts down, and
 * the last one calls whoever asked.
 */
#include "daemon/intake.h"

#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/thread.h"
#include "daemon/ports.h"
#include "io/listen.h"
#include "io/tls.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One socket at work on one loop. */
struct door {
	struct door *next;
	struct intake_loop *on;
	struct listener *listener;
	struct endpoint at;
	const struct listener_config *config;
};

struct intake_loop {
	struct intake *intake;
	size_t index;
	struct loop *loop;
	struct smtpd *smtpd;
	struct snapshot *snap;		/* its doors' configs are in it */
	struct door *doors;
	pthread_t thread;
	bool started;
	char name[32];
};

bool
intake_bind(struct intake *in, size_t n, const struct snapshot *snap,
	    struct error *err)
{
	in->n = n;
	return ports_bind(&in->ports, n, snap, err);
}

/* --- doors: on their loop -------------------------------------------- */

static void
on_accepted(void *arg, int fd, struct endpoint peer)
{
	struct door *door = arg;

	smtpd_accept(door->on->smtpd, fd, peer, door->config);
}

/* Doors for sockets that are bound for this loop and not yet at work; the
 * array of fds is touched by this loop at its own index only. */
static void
doors_open(struct intake_loop *on)
{
	for (struct ports *p = on->intake->ports; p != NULL; p = p->next) {
		const struct listener_config *config =
			ports_config(on->snap, p->config->at);
		struct door *door;

		/* bound for a snapshot that some loop did not take */
		if (p->fds[on->index] < 0 || config == NULL)
			continue;
		door = NEW(struct door);
		door->on = on;
		door->at = p->config->at;
		door->config = config;
		door->listener = listener_start(on->loop, p->fds[on->index],
						on_accepted, door);
		p->fds[on->index] = -1;
		door->next = on->doors;
		on->doors = door;
	}
}

/* Points every door at its place in the snapshot; closes those that have
 * none there. */
static void
doors_refresh(struct intake_loop *on)
{
	for (struct door **at = &on->doors; *at != NULL;) {
		struct door *door = *at;

		door->config = on->snap ? ports_config(on->snap, door->at) : NULL;
		if (door->config != NULL) {
			at = &door->next;
			continue;
		}
		*at = door->next;
		listener_stop(&door->listener);
		mem_free(door);
	}
}

static void
loop_take_snapshot(struct intake_loop *on, struct snapshot *snap)
{
	snapshot_unref(&on->snap);
	on->snap = snapshot_ref(snap);
}

/* --- start ----------------------------------------------------------- */

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
		loop_take_snapshot(on, snap);
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

/* --- asking all loops ------------------------------------------------ */

/* One question to all loops; freed with the last answer. */
struct round {
	struct intake *intake;
	struct loop *home;
	size_t waiting;
	struct snapshot *snap, *old;
	bool undoing;
	struct error err;
	bool failed;
	int64_t patience_ms;
	void (*configured)(void *arg, const struct error *err);
	void (*stopped)(void *arg);
	void *arg;
};

struct question {
	struct letter letter;
	struct round *round;
	struct intake_loop *on;
	bool ok;
	struct error err;
};

static void
round_ask(struct round *r, void (*ask)(struct letter *l))
{
	r->waiting = r->intake->n;
	for (size_t i = 0; i < r->intake->n; i++) {
		struct question *q = NEW(struct question);

		q->round = r;
		q->on = &r->intake->loops[i];
		q->letter.deliver = ask;
		mailbox_post(loop_mailbox(q->on->loop), &q->letter);
	}
}

static void
question_answer(struct question *q, void (*answer)(struct letter *l))
{
	q->letter.deliver = answer;
	mailbox_post(loop_mailbox(q->round->home), &q->letter);
}

/* --- the certificate ------------------------------------------------- */

/* One loop's own reference, on its way there. */
struct handover {
	struct letter letter;
	struct intake_loop *on;
	struct tls_identity *identity;
};

static void
certificate_take(struct letter *l)
{
	struct handover *h = container_of(l, struct handover, letter);

	if (h->on->smtpd != NULL)
		smtpd_certificate(h->on->smtpd, h->identity);
	tls_identity_unref(&h->identity);
	mem_free(h);
}

void
intake_certificate(struct intake *in, struct tls_identity *i)
{
	for (size_t k = 0; in->loops != NULL && k < in->n; k++) {
		struct intake_loop *on = &in->loops[k];
		struct handover *h;

		if (on->smtpd == NULL)
			continue;	/* all ends */
		if (!on->started) {
			smtpd_certificate(on->smtpd, i);
			continue;
		}
		h = NEW(struct handover);
		h->letter.deliver = certificate_take;
		h->on = on;
		h->identity = i != NULL ? tls_identity_ref(i) : NULL;
		mailbox_post(loop_mailbox(on->loop), &h->letter);
	}
}

/* --- reload ---------------------------------------------------------- */

static void
round_configured(struct round *r)
{
	/* every loop has closed its doors where no port is listed any more */
	ports_keep(&r->intake->ports, r->intake->n,
		   r->failed ? r->old : r->snap);
	r->configured(r->arg, r->failed ? &r->err : NULL);
	snapshot_unref(&r->snap);
	snapshot_unref(&r->old);
	mem_free(r);
}

static void configure_ask(struct letter *l);

/* At home: one loop has answered. */
static void
configure_answer(struct letter *l)
{
	struct question *q = container_of(l, struct question, letter);
	struct round *r = q->round;

	if (!q->ok && !r->failed) {
		r->failed = true;
		r->err = q->err;
	}
	mem_free(q);
	if (--r->waiting > 0)
		return;
	if (r->failed && !r->undoing) {
		r->undoing = true;	/* all or none: back to the old one */
		round_ask(r, configure_ask);
		return;
	}
	round_configured(r);
}

/* On an intake loop. */
static void
configure_ask(struct letter *l)
{
	struct question *q = container_of(l, struct question, letter);
	struct snapshot *snap = q->round->undoing ? q->round->old
						  : q->round->snap;

	q->ok = smtpd_configure(q->on->smtpd, snap, &q->err);
	if (q->ok) {
		loop_take_snapshot(q->on, snap);
		doors_refresh(q->on);
		doors_open(q->on);
	}
	question_answer(q, configure_answer);
}

void
intake_configure(struct intake *in, struct snapshot *snap, struct loop *home,
		 void (*done)(void *arg, const struct error *err), void *arg)
{
	struct round *r;
	struct error err;

	if (!ports_bind(&in->ports, in->n, snap, &err)) {
		done(arg, &err);
		return;
	}
	r = NEW(struct round);
	r->intake = in;
	r->home = home;
	r->snap = snapshot_ref(snap);
	r->old = snapshot_ref(in->loops[0].snap);
	r->configured = done;
	r->arg = arg;
	round_ask(r, configure_ask);
}

/* --- stop ------------------------------------------------------------ */

static void
stop_answer(struct letter *l)
{
	struct question *q = container_of(l, struct question, letter);
	struct round *r = q->round;

	mem_free(q);
	if (--r->waiting > 0)
		return;
	r->stopped(r->arg);
	mem_free(r);
}

static void
on_smtpd_stopped(void *arg)
{
	question_answer(arg, stop_answer);
}

static void
stop_ask(struct letter *l)
{
	struct question *q = container_of(l, struct question, letter);

	snapshot_unref(&q->on->snap);
	doors_refresh(q->on);
	smtpd_stop(q->on->smtpd, q->round->patience_ms, on_smtpd_stopped, q);
}

void
intake_stop(struct intake *in, int64_t patience_ms, struct loop *home,
	    void (*done)(void *arg), void *arg)
{
	struct round *r = NEW(struct round);

	r->intake = in;
	r->home = home;
	r->patience_ms = patience_ms;
	r->stopped = done;
	r->arg = arg;
	round_ask(r, stop_ask);
}

static void
hurry_ask(struct letter *l)
{
	struct question *q = container_of(l, struct question, letter);

	smtpd_cut(q->on->smtpd);
	mem_free(q);
}

void
intake_hurry(struct intake *in)
{
	for (size_t i = 0; i < in->n; i++) {
		struct question *q = NEW(struct question);

		q->on = &in->loops[i];
		q->letter.deliver = hurry_ask;
		mailbox_post(loop_mailbox(q->on->loop), &q->letter);
	}
}

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
	}
}
