/* delivery.c - some recipients of one destination, which is one job
 *
 * From its beginning to its judgement, whether it was tried or turned away.
 */
#include "dispatch/inside.h"

#include "base/clock.h"

/* --- its life -------------------------------------------------------- */

struct delivery *
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

void
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

/* --- tried ----------------------------------------------------------- */

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
	y->started_steady_ms = clock_steady_ms();
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

/* --- not tried ------------------------------------------------------- */

void
delivery_turn_away(struct delivery *y, const struct outcome *why,
		   int64_t rest_ms)
{
	struct judgement j = {
		.outcomes = why, .single = true,
		.due_ms = clock_steady_ms() + rest_ms,
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
		.due_ms = clock_steady_ms() + outlet_pause_ms(out),
	};

	outcome_set(&o, OUTCOME_LOCAL, PHASE_NONE, "the route is paused: %s",
		    out->pause.why);
	delivery_judge(y, &j);
}

void
delivery_put_off(struct delivery *y, int64_t pause_ms)
{
	struct attempt *a = y->attempt;

	attempt_wish(a, clock_steady_ms() + pause_ms);
	delivery_end(y);
	attempt_goes_on(a);
}

void
delivery_fails_here(struct delivery *y, const char *why)
{
	struct outcome o = { .kind = OUTCOME_LOCAL };
	struct judgement j = { .outcomes = &o, .single = true, .tried = true };

	outcome_set(&o, OUTCOME_LOCAL, PHASE_NONE, "%s", why);
	y->started_ms = clock_now_ms();
	y->started_steady_ms = clock_steady_ms();
	delivery_judge(y, &j);
}
