/* intake_rounds.c - asking all loops
 *
 * The main thread speaks to each loop by letters; an answer counts down, and
 * the last one calls whoever asked.
 */
#include "daemon/intake_inside.h"

#include "base/macros.h"
#include "base/mem.h"
#include "daemon/ports.h"
#include "io/tls.h"

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

/* r is NULL where nobody waits for an answer. */
static void
question_post(struct intake_loop *on, struct round *r,
	      void (*ask)(struct letter *l))
{
	struct question *q = NEW(struct question);

	q->round = r;
	q->on = on;
	q->letter.deliver = ask;
	mailbox_post(loop_mailbox(on->loop), &q->letter);
}

static void
round_ask(struct round *r, void (*ask)(struct letter *l))
{
	r->waiting = r->intake->n;
	for (size_t i = 0; i < r->intake->n; i++)
		question_post(&r->intake->loops[i], r, ask);
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
		doors_take_snapshot(q->on, snap);
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
	for (size_t i = 0; i < in->n; i++)
		question_post(&in->loops[i], NULL, hurry_ask);
}
