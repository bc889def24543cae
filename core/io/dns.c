/* dns.c - questions and tickets
 *
 * At most UNDER_WAY_MAX are asked at once; the others stand in line, as do all
 * until there is a context to ask.  The patience of each begins when it comes.
 */
#include "io/dns.h"

#include "base/macros.h"
#include "base/mem.h"
#include "io/dns_inside.h"

#include <string.h>

enum { UNDER_WAY_MAX = 1000 };

/* --- lists ----------------------------------------------------------- */

static void
questions_init(struct dns_questions *list)
{
	*list = (struct dns_questions){ .last = &list->first };
}

static void
questions_add(struct dns_questions *list, struct dns_question *q)
{
	q->next = NULL;
	q->prev = list->last;
	*list->last = q;
	list->last = &q->next;
	list->n++;
}

static void
questions_remove(struct dns_questions *list, struct dns_question *q)
{
	*q->prev = q->next;
	if (q->next != NULL)
		q->next->prev = q->prev;
	else
		list->last = q->prev;
	q->prev = NULL;
	list->n--;
}

/* --- the end of a question ------------------------------------------- */

/* Off all lists; nothing more will come for it. */
static void
question_detach(struct dns_question *q)
{
	struct dns *d = q->dns;

	if (q->prev != NULL)
		questions_remove(q->asking.at ? &d->under_way : &d->line, q);
	dns_context_forget(&q->asking);
	timer_stop(&q->patience);
	ticket_close(d->tickets, q->pending.ticket);
}

static void
question_free(struct dns_question *q)
{
	mem_free(q->held.why);
	mem_free(q->name);
	mem_free(q);
}

void
dns_question_drop(struct dns_question **q)
{
	if (*q == NULL)
		return;
	question_detach(*q);
	question_free(*q);
	*q = NULL;
}

static void
question_forget(struct dns_pending *p)
{
	struct dns_question *q = container_of(p, struct dns_question, pending);

	dns_question_drop(&q);
}

static void
question_fail(struct dns_question *q, const char *why)
{
	question_detach(q);
	if (q->stage != STAGE_ASKED)
		dns_answer_held(q);	/* says more */
	else
		dns_answer_fail(q, DNS_FAILED, why);
	question_free(q);
}

/* --- asking ---------------------------------------------------------- */

/* Who is asked now, or NULL: not yet. */
static struct dns_context *
question_context(const struct dns_question *q)
{
	struct dns_resolver *r = &q->dns->resolver;

	return q->stage == STAGE_UNVALIDATED ? dns_resolver_unvalidated(r)
					     : r->current;
}

/* Of one that is in no list: where it goes.  False when it was answered and
 * is no more. */
static bool
question_place(struct dns_question *q)
{
	struct dns *d = q->dns;
	const struct dns_hosts *hosts = dns_resolver_hosts(&d->resolver);
	struct dns_context *at = question_context(q);
	struct error err;

	if (hosts != NULL && dns_answer_hosts(q, hosts)) {
		question_detach(q);
		question_free(q);
		return false;
	}
	if (at == NULL || d->under_way.n >= UNDER_WAY_MAX) {
		questions_add(&d->line, q);
		return true;
	}
	if (!dns_context_ask(at, &q->asking, dns_local_name(q),
			     dns_local_type(q), &err)) {
		question_fail(q, err.text);
		return false;
	}
	questions_add(&d->under_way, q);
	return true;
}

/* Each of those that wait now gets one turn: it may go back in line, and its
 * callback may bring new ones. */
static void
line_move(struct dns *d)
{
	for (size_t n = d->line.n; n > 0 && d->line.first != NULL; n--) {
		struct dns_question *q = d->line.first;

		if (d->under_way.n >= UNDER_WAY_MAX)
			return;
		questions_remove(&d->line, q);
		question_place(q);
	}
}

static void
on_ready(void *arg, const struct error *err)
{
	struct dns *d = arg;

	if (err == NULL) {
		line_move(d);
		return;
	}
	for (size_t n = d->line.n; n > 0 && d->line.first != NULL; n--)
		question_fail(d->line.first, err->text);
}

static struct dns_question *
line_find(const struct dns *d, enum dns_stage stage)
{
	struct dns_question *q = d->line.first;

	while (q != NULL && q->stage != stage)
		q = q->next;
	return q;
}

/* There is no context without validation, and there will be none soon.
 * Whoever is told may forget any other question, so that each is looked for
 * from the beginning. */
static void
on_unvalidated_failed(void *arg, const struct error *err)
{
	struct dns *d = arg;
	struct dns_question *q;

	while ((q = line_find(d, STAGE_UNVALIDATED)) != NULL)
		question_fail(q, err->text);
}

static void
on_answered(struct dns_asking *asking, int err, const struct ub_result *r)
{
	struct dns_question *q = container_of(asking, struct dns_question,
					      asking);
	struct dns *d = q->dns;

	questions_remove(&d->under_way, q);
	switch (dns_local_step(q, err, r)) {
	case STEP_ASK:
		question_place(q);
		line_move(d);
		return;
	case STEP_ANSWER:
		question_detach(q);
		dns_answer_result(q, err, r);
		break;
	case STEP_ANSWER_HELD:
		question_detach(q);
		dns_answer_held(q);
		break;
	}
	question_free(q);
	line_move(d);
}

static void
on_patience(struct timer *t)
{
	struct dns_question *q = container_of(t, struct dns_question,
					      patience);
	struct dns *d = q->dns;

	question_fail(q, "the DNS has not answered within 30 seconds");
	line_move(d);
}

struct dns_question *
dns_question_ask(struct dns *d, const struct dns_request *rq)
{
	struct dns_question *q = NEW(struct dns_question);

	q->dns = d;
	q->pending.forget = question_forget;
	q->asking.answered = on_answered;
	q->name = span_dup(rq->name);
	q->type = rq->type;
	q->author = rq->author;
	q->done = rq->done;
	q->arg = rq->arg;
	timer_init(&q->patience, d->loop, on_patience);
	timer_start(&q->patience, DNS_PATIENCE_MS);
	dns_resolver_now(&d->resolver);
	return question_place(q) ? q : NULL;
}

/* 128 to 255 are not types of records: they ask for transfers and the like. */
static bool
type_may_be_asked(int type)
{
	return (type > 0 && type < 128) || (type > 255 && type <= UINT16_MAX);
}

uint64_t
dns_query(struct dns *d, const char *name, enum dns_type type,
	  dns_answer_fn *done, void *arg)
{
	struct span s = dns_name_trim(span_of(name));
	struct dns_question *q;
	struct error err;

	if (!dns_name_check(s, &err)) {
		/* what cannot be in the DNS is not there */
		struct dns_answer a = { .status = DNS_NXDOMAIN,
					.canonical = name, .why = err.text };

		done(arg, &a);
		return 0;
	}
	if (!type_may_be_asked((int)type)) {
		struct dns_answer a = { .status = DNS_FAILED,
			.canonical = name, .why = "no record has that type" };

		done(arg, &a);
		return 0;
	}
	q = dns_question_ask(d, &(struct dns_request){ .name = s,
			     .type = type, .done = done, .arg = arg });
	if (q == NULL)
		return 0;
	q->pending.ticket = ticket_open(d->tickets, &q->pending);
	return q->pending.ticket;
}

void
dns_forget(struct dns *d, uint64_t ticket)
{
	struct dns_pending *p = ticket_find(d->tickets, ticket);

	if (p == NULL)
		return;
	p->forget(p);
	line_move(d);
}

/* --- life ------------------------------------------------------------ */

struct dns *
dns_new(struct loop *loop, struct workers *workers,
	const struct dns_settings *settings)
{
	struct dns *d = NEW(struct dns);

	d->loop = loop;
	d->tickets = tickets_new();
	questions_init(&d->line);
	questions_init(&d->under_way);
	dns_resolver_init(&d->resolver, loop, workers);
	d->resolver.ready = on_ready;
	d->resolver.unvalidated_failed = on_unvalidated_failed;
	d->resolver.arg = d;
	dns_configure(d, settings);
	return d;
}

void
dns_free(struct dns **ptr)
{
	struct dns *d = *ptr;
	struct dns_question *q;

	if (d == NULL)
		return;
	dns_lookups_drop(d);
	while ((q = d->line.first) != NULL || (q = d->under_way.first) != NULL)
		dns_question_drop(&q);
	dns_resolver_fini(&d->resolver);
	dns_local_forget(d);
	tickets_free(&d->tickets);
	mem_free(d);
	*ptr = NULL;
}

void
dns_configure(struct dns *d, const struct dns_settings *settings)
{
	if (dns_resolver_configure(&d->resolver, dns_plan_new(settings)))
		dns_local_forget(d);
	if (d->line.n > 0)
		dns_resolver_now(&d->resolver);
}

struct dns_state
dns_state(const struct dns *d)
{
	const struct dns_resolver *r = &d->resolver;
	const char *unknown = r->asked
		? "the gateway does not know yet whether the resolver passes "
		  "signatures on"
		: "no name has been looked up yet";

	return (struct dns_state){
		.asked = r->asked, .validating = r->validating,
		.why = r->why[0] == '\0' && !r->validating ? unknown : r->why,
		.unvalidated = d->unvalidated,
		.unvalidated_count = r->validating ? d->unvalidated_count : 0,
	};
}
