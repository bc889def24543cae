/* attempt.c - one attempt of one item, from the window and back to the spool
 *
 * It counts what is under way, and gathers what its deliveries wish and find.
 */
#include "dispatch/inside.h"

#include "base/clock.h"
#include "dispatch/retry.h"

#include <stdio.h>

/* --- beginning ------------------------------------------------------- */

static void
attempt_count_queued(struct attempt *a)
{
	for (size_t i = 0; i < a->item->env->rcpt_count; i++)
		if (a->item->rcpts[i].state == RCPT_QUEUED)
			a->queued++;
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

static void
attempt_cannot_be_sent(struct attempt *a, const struct error *err)
{
	char id[ITEM_TEXT], why[LIMIT_OUTCOME_TEXT + 60];

	snprintf(why, sizeof(why), "the message cannot be signed: %s",
		 err->text);
	log_error(&dispatch_log, "%s: %s; it is tried again later",
		  item_id_text(a->item->id, id), why);
	attempt_fails_here(a, why);
}

/* Signs it first where that is wanted; true: it goes on later. */
static bool
attempt_is_prepared_first(struct attempt *a)
{
	const struct outlet *o = attempt_outlet(a);

	return o != NULL && attempt_prepare(a, o);
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

/* --- ending ---------------------------------------------------------- */

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
	attempt_goes_on(a);
}

/* --- its reports ----------------------------------------------------- */

static bool
attempt_goes_to(const struct attempt *a, const struct destination *t)
{
	for (const struct delivery *y = a->deliveries; y != NULL;
	     y = y->sibling)
		if (y->destination == t)
			return true;
	return false;
}

struct report *
attempt_held(struct attempt *a, const struct destination *t)
{
	struct report *r = a->held;

	if (r == NULL || a->held_for != t)
		return NULL;
	a->held = NULL;
	return r;
}

void
attempt_report(struct attempt *a, struct report *r,
	       const struct destination *t)
{
	if (r == NULL)
		r = attempt_held(a, t);
	if (r != NULL && t != NULL && a->held == NULL &&
	    attempt_goes_to(a, t)) {
		a->held = r;
		a->held_for = t;
		r = NULL;
	}
	if (r != NULL)
		report_send(r);
	else
		settle_flush(a, NULL);
}

void
attempt_goes_on(struct attempt *a)
{
	attempt_report(a, NULL, a->held_for);
}

/* --- what its deliveries say ------------------------------------------ */

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
			item_age_ms(a->item, clock_steady_ms()),
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
