/* attempt.c - one attempt of one item: recipients into jobs, jobs to lines
 *
 * A recipient goes where the item's route sends it.  When that route is gone
 * from the configuration, the rules decide again from what is known of the
 * message's origin; a recipient that no route takes waits like one whose host
 * does not answer.
 */
#include "dispatch/inside.h"

#include "base/clock.h"
#include "dispatch/retry.h"

#include <stdio.h>
#include <string.h>

/* --- deliveries ------------------------------------------------------ */

static struct delivery *
delivery_new(struct attempt *a, struct destination *t)
{
	struct delivery *y = NEW(struct delivery);

	y->attempt = a;
	y->destination = t;
	y->rcpts = &y->one;
	y->room = 1;
	y->sibling = a->deliveries;
	y->self = &a->deliveries;
	if (y->sibling != NULL)
		y->sibling->self = &y->sibling;
	a->deliveries = y;
	a->under_way++;
	return y;
}

static void
delivery_add_rcpt(struct delivery *y, size_t index)
{
	size_t n = y->job.rcpt_count;

	if (n == y->room) {
		bool first = y->rcpts == &y->one;

		y->room *= 4;
		y->rcpts = mem_resize(first ? NULL : y->rcpts, y->room,
				      sizeof(*y->rcpts));
		if (first)
			y->rcpts[0] = y->one;
	}
	y->rcpts[n] = index;
	y->job.rcpt_count = n + 1;
}

static void
delivery_free(struct later *l)
{
	struct delivery *y = container_of(l, struct delivery, freeing);

	body_source_free(&y->job.body);
	mem_free(y->job.outcomes);
	if (y->rcpts != &y->one)
		mem_free(y->rcpts);
	mem_free(y);
}

/* Out of its attempt; the memory stays until the callbacks have returned. */
void
delivery_end(struct delivery *y)
{
	*y->self = y->sibling;
	if (y->sibling != NULL)
		y->sibling->self = y->self;
	y->attempt->under_way--;
	/* the source borrows the item, which may be gone by then */
	body_source_free(&y->job.body);
	y->freeing.run = delivery_free;
	loop_later(y->attempt->dispatch->loop, &y->freeing);
}

static void
on_finished(struct job *job)
{
	struct delivery *y = container_of(job, struct delivery, job);
	struct destination *t = y->destination;
	struct judgement j = { .outcomes = job->outcomes, .tried = true };

	y->active = false;
	destination_job_over(t, y);
	delivery_judge(y, &j);
	if (y->probe)		/* its memory stays until this turn is over */
		outlet_probe_over(t->outlet, job);
	outlet_job_over(t->outlet);
	destination_run(t);
}

void
delivery_start(struct delivery *y)
{
	struct attempt *a = y->attempt;
	struct item *item = a->item;

	y->active = true;
	y->started_ms = clock_now_ms();
	y->started_wall_ms = clock_wall_ms();
	item_id_text(item->id, y->id);
	y->job.id = y->id;
	y->job.attempt = item->attempts + 1;
	y->job.env = item->env;
	y->job.rcpts = y->rcpts;
	y->job.body = spool_source(a->dispatch->spool, item,
				   a->dispatch->loop);
	y->job.outcomes = mem_array(y->job.rcpt_count,
				    sizeof(*y->job.outcomes));
	y->job.finished = on_finished;
	y->job.owner = y;
	backend_deliver(y->destination->outlet->backend, &y->job);
}

void
delivery_turn_away(struct delivery *y, const struct outcome *why,
		   int64_t rest_ms)
{
	struct judgement j = {
		.outcomes = why, .single = true,
		.due_ms = clock_wall_ms() + rest_ms,
	};

	delivery_judge(y, &j);
}

void
delivery_turn_away_paused(struct delivery *y)
{
	const struct outlet *out = y->destination->outlet;
	struct outcome o = { .code = 0 };
	struct judgement j = {
		.outcomes = &o, .single = true, .paused = true,
		.due_ms = clock_wall_ms() + outlet_pause_ms(out),
	};

	outcome_set(&o, OUTCOME_LOCAL, PHASE_NONE, "the route is paused: %s",
		    out->pause.why);
	delivery_judge(y, &j);
}

void
delivery_put_off(struct delivery *y, int64_t pause_ms)
{
	struct attempt *a = y->attempt;

	attempt_wish(a, clock_wall_ms() + pause_ms);
	delivery_end(y);
	settle_flush(a, NULL);
}

/* --- placing recipients ---------------------------------------------- */

static void
attempt_facts(const struct attempt *a, size_t rcpt, struct facts *ret)
{
	const struct item *item = a->item;
	const struct body *body = item->body;

	*ret = (struct facts){
		.sender = item->env->sender,
		.recipient = item->env->rcpts[rcpt].address,
		.listener = span_of(item->origin.listener),
		.own = item->origin.client == NULL,
		.size = item_size(item),
	};
	ip_parse(span_of(item->origin.client), &ret->client);
	/* without the bytes, rules on the header stay undecided */
	if (body_in_memory(body)) {
		ret->at_end = true;
		ret->header = span_sub(buf_span(&body->bytes), 0, LIMIT_HEADER);
	}
}

/* Deliveries while they are being filled, chained by next. */
struct placing {
	struct attempt *attempt;
	struct delivery *first, **last;
	struct delivery *lost;		/* those without a route */
	unsigned char *kept;		/* of the facts: owned */
};

static struct outlet *
placing_reroute(struct placing *p, size_t rcpt)
{
	struct dispatch *d = p->attempt->dispatch;
	const struct route *r;
	struct facts facts;

	attempt_facts(p->attempt, rcpt, &facts);
	if (p->kept == NULL && d->routes->n > 0)
		p->kept = mem_array(d->routes->n, sizeof(*p->kept));
	facts.kept = p->kept;
	r = routes_pick(d->routes, &facts, NULL);
	return r == NULL ? NULL : outlet_find(d, r->name);
}

static struct outlet *
placing_outlet(struct placing *p, size_t rcpt)
{
	struct attempt *a = p->attempt;
	struct dispatch *d = a->dispatch;

	if (d->recent == NULL || strcmp(d->recent->name, a->item->route) != 0)
		d->recent = outlet_find(d, a->item->route);
	return d->recent != NULL ? d->recent : placing_reroute(p, rcpt);
}

static struct delivery *
placing_delivery(struct placing *p, struct destination *t)
{
	struct delivery *y = t->filling;

	if (y != NULL && y->job.rcpt_count < LIMIT_JOB_RCPTS)
		return y;
	y = t->filling = delivery_new(p->attempt, t);
	*p->last = y;
	p->last = &y->next;
	return y;
}

static void
place_rcpt(struct placing *p, size_t rcpt)
{
	struct attempt *a = p->attempt;
	struct outlet *o = placing_outlet(p, rcpt);
	struct span s = a->item->env->rcpts[rcpt].address.text;
	struct backend_destination what;
	char address[LIMIT_PATH + 1];

	if (o == NULL) {
		if (p->lost == NULL)
			p->lost = delivery_new(a, NULL);
		delivery_add_rcpt(p->lost, rcpt);
		return;
	}
	s = span_sub(s, 0, sizeof(address) - 1);
	memcpy(address, s.p, s.n);
	address[s.n] = '\0';
	backend_describe(o->backend, address, &what);
	delivery_add_rcpt(placing_delivery(p, destination_get(o, &what)), rcpt);
}

/* It cannot even begin, by our own fault. */
static void
delivery_fails_here(struct delivery *y, const char *why)
{
	struct outcome o = { .kind = OUTCOME_LOCAL };
	struct judgement j = { .outcomes = &o, .single = true, .tried = true };

	outcome_set(&o, OUTCOME_LOCAL, PHASE_NONE, "%s", why);
	y->started_ms = clock_now_ms();
	y->started_wall_ms = clock_wall_ms();
	delivery_judge(y, &j);
}

static void
place_lost(struct delivery *y)
{
	const struct item *item = y->attempt->item;
	char id[ITEM_TEXT], why[200];

	snprintf(why, sizeof(why), "route `%s' is gone from the configuration, "
		 "and no other takes the message", item->route);
	log_warning(&dispatch_log, "%s: %s; bring the route back or write one "
		    "that matches, and reload", item_id_text(item->id, id),
		    why);
	delivery_fails_here(y, why);
}

/* The attempt must be kept alive by its caller (under_way). */
static void
placing_go(struct placing *p)
{
	mem_free(p->kept);
	for (struct delivery *y = p->first; y != NULL; y = y->next)
		y->destination->filling = NULL;
	while (p->first != NULL) {
		struct delivery *y = p->first;

		p->first = y->next;
		y->next = NULL;
		destination_add(y->destination, y);
	}
	if (p->lost != NULL)
		place_lost(p->lost);
}

void
delivery_move(struct delivery *y)
{
	struct attempt *a = y->attempt;
	struct placing p = { .attempt = a, .last = &p.first };

	a->under_way++;
	for (size_t i = 0; i < y->job.rcpt_count; i++)
		place_rcpt(&p, y->rcpts[i]);
	delivery_end(y);
	placing_go(&p);
	a->under_way--;
	settle_flush(a, NULL);
}

/* --- the attempt ----------------------------------------------------- */

static void
attempt_count_queued(struct attempt *a)
{
	for (size_t i = 0; i < a->item->env->rcpt_count; i++)
		if (a->item->rcpts[i].state == RCPT_QUEUED)
			a->queued++;
}

static void
attempt_place(struct attempt *a)
{
	struct placing p = { .attempt = a, .last = &p.first };
	struct item *item = a->item;

	for (size_t i = 0; i < item->env->rcpt_count; i++)
		if (item->rcpts[i].state == RCPT_QUEUED)
			place_rcpt(&p, i);
	placing_go(&p);
}

static void
attempt_tell_uncertain(const struct attempt *a)
{
	char id[ITEM_TEXT];

	if (a->item->uncertain)
		log_warning(&dispatch_log, "%s was being delivered when the "
			    "gateway went down: its recipients may get it "
			    "twice", item_id_text(a->item->id, id));
}

static size_t
first_queued(const struct item *item)
{
	size_t i = 0;

	while (i < item->env->rcpt_count &&
	       item->rcpts[i].state != RCPT_QUEUED)
		i++;
	return i;
}

/* Signs it first where that is wanted; true: it goes on later. */
static bool
attempt_is_prepared_first(struct attempt *a)
{
	struct placing p = { .attempt = a };
	size_t i = first_queued(a->item);
	struct outlet *o = i < a->item->env->rcpt_count ? placing_outlet(&p, i)
							: NULL;

	mem_free(p.kept);
	return o != NULL && attempt_prepare(a, o);
}

static void
attempt_cannot_be_sent(struct attempt *a, const struct error *err)
{
	struct delivery *y = delivery_new(a, NULL);
	char id[ITEM_TEXT], why[LIMIT_OUTCOME_TEXT + 60];

	snprintf(why, sizeof(why), "the message cannot be signed: %s",
		 err->text);
	log_error(&dispatch_log, "%s: %s; it is tried again later",
		  item_id_text(a->item->id, id), why);
	for (size_t i = 0; i < a->item->env->rcpt_count; i++)
		if (a->item->rcpts[i].state == RCPT_QUEUED)
			delivery_add_rcpt(y, i);
	delivery_fails_here(y, why);
}

/* Until here it counted itself in under_way. */
void
attempt_prepared(struct attempt *a, const struct error *err)
{
	if (a->dispatch->stopping)
		attempt_wish(a, a->item->due_ms);
	else if (err != NULL)
		attempt_cannot_be_sent(a, err);
	else
		attempt_place(a);
	a->under_way--;
	settle_flush(a, NULL);
}

void
attempt_begin(struct dispatch *d, struct item *item)
{
	struct attempt *a = NEW(struct attempt);

	a->dispatch = d;
	a->item = item;
	a->due_ms = INT64_MAX;
	window_add(d, a);
	attempt_count_queued(a);
	a->under_way++;			/* until all is placed */
	if (!d->stopping) {
		attempt_tell_uncertain(a);
		if (attempt_is_prepared_first(a))
			return;
	}
	attempt_prepared(a, NULL);
}

void
attempt_end(struct attempt *a)
{
	struct dispatch *d = a->dispatch;

	window_remove(d, a);
	item_free(&a->item);
	mem_free(a->last);
	mem_free(a->results);
	mem_free(a);
	window_pull(d);
	dispatch_check_stopped(d);
}

bool
attempt_is_waiting(const struct attempt *a)
{
	if (a->leaving || a->preparing || a->reports > 0 || a->settling > 0)
		return false;
	for (struct delivery *y = a->deliveries; y != NULL; y = y->sibling)
		if (y->active)
			return false;
	return true;
}

void
attempt_withdraw(struct attempt *a, int64_t due_ms)
{
	struct delivery *next;
	bool any = false;

	for (struct delivery *y = a->deliveries; y != NULL; y = next) {
		next = y->sibling;
		if (y->active)
			continue;
		destination_take(y->destination, y);
		delivery_end(y);
		any = true;
	}
	if (!any)
		return;
	attempt_wish(a, due_ms);
	settle_flush(a, NULL);
}

void
attempt_wish(struct attempt *a, int64_t due_ms)
{
	a->due_ms = MIN(a->due_ms, due_ms);
}

int64_t
attempt_pause(struct attempt *a)
{
	struct dispatch *d = a->dispatch;
	const struct retry_policy *p = &d->config->retry;

	if (a->pause_ms == 0)
		a->pause_ms = retry_pause(p, a->item->attempts + 1,
			item_age_ms(a->item, clock_wall_ms()),
			dispatch_dice(d));
	/* given up, but somebody keeps it: a report that was not written */
	if (a->pause_ms < 0)
		a->pause_ms = p->longest;
	return a->pause_ms;
}

void
attempt_result(struct attempt *a, size_t rcpt, enum rcpt_state state,
	       const char *words)
{
	if (a->result_count == a->result_room) {
		a->result_room = a->result_room == 0 ? 1 : a->result_room * 2;
		a->results = mem_resize(a->results, a->result_room,
					sizeof(*a->results));
	}
	a->results[a->result_count++] = (struct settle_rcpt){
		.index = rcpt, .state = state,
		.last = words == NULL ? NULL : mem_strdup(words),
	};
	if (state != RCPT_QUEUED)
		a->news = true;
}
