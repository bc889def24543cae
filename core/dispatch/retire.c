/* retire.c - outlets that go, after a reload and at the end
 *
 * What waits for one moves to where the new rules send it, and what is under
 * way ends there.  Its backend may have asked for what is had but once (many
 * a provider takes a refresh token once), so it is closed, and the program
 * ends, when that has been answered and kept.  Until then the route's state
 * is not the next backend's: it would read what is about to be replaced.
 */
#include "dispatch/inside.h"

#include <string.h>

/* --- whose the state of a route is ----------------------------------- */

bool
outlet_state_taken(struct dispatch *d, const char *name)
{
	if (outlet_find(d, name) != NULL)
		return true;
	for (struct outlet *o = d->retired; o != NULL; o = o->next)
		if (!o->silent && strcmp(o->name, name) == 0)
			return true;
	return false;
}

/* To the oldest that is not through with it. */
static void
state_passes_on(struct dispatch *d, const char *name)
{
	struct outlet *next = outlet_find(d, name);

	for (struct outlet *o = d->retired; o != NULL; o = o->next)
		if (!o->silent && strcmp(o->name, name) == 0)
			next = o;
	if (next != NULL)
		backend_take_state(next->backend);
}

/* --- closing --------------------------------------------------------- */

static void
free_own(void *arg, struct destination *t)
{
	if (t->outlet == arg)
		destination_free(t);
}

static void
retired_free(struct outlet *o)
{
	struct dispatch *d = o->dispatch;
	struct outlet **p = &d->retired;

	while (*p != o)
		p = &(*p)->next;
	*p = o->next;
	destinations_each(d, free_own, o);
	outlet_free(o);
}

static void
on_closing(struct later *l)
{
	struct outlet *o = container_of(l, struct outlet, closing);

	if (backend_busy(o->backend))
		return;		/* its answer leads here again */
	if (!o->silent) {
		o->silent = true;
		backend_leave_state(o->backend);
		state_passes_on(o->dispatch, o->name);
	}
	if (o->active == 0)
		retired_free(o);
}

void
retire_init(struct outlet *o)
{
	o->closing.run = on_closing;
}

void
outlet_close_when_idle(struct outlet *o)
{
	if (o->retired)
		loop_later(o->dispatch->loop, &o->closing);
}

/* --- after a reload -------------------------------------------------- */

struct moving {
	struct delivery *first, **last;
};

static void
move_out(void *arg, struct destination *t)
{
	struct moving *m = arg;

	if (!t->outlet->retired || t->first == NULL)
		return;
	*m->last = t->first;
	m->last = t->last;
	t->first = NULL;
	t->last = &t->first;
	t->waiting = 0;
}

void
outlets_retire(struct dispatch *d, struct outlet *list)
{
	struct moving m = { .last = &m.first };

	while (list != NULL) {
		struct outlet *o = list;

		list = o->next;
		o->retired = true;
		backend_retire(o->backend);
		o->next = d->retired;
		d->retired = o;
		o->stalled = NULL;
		o->stalled_last = &o->stalled;
	}
	destinations_each(d, move_out, &m);
	while (m.first != NULL) {
		struct delivery *y = m.first;

		m.first = y->next;
		y->next = NULL;
		delivery_move(y);
	}
	for (struct outlet *o = d->retired; o != NULL; o = o->next)
		outlet_close_when_idle(o);
}

/* --- at the end ------------------------------------------------------ */

void
outlets_stop(struct dispatch *d)
{
	for (struct outlet *o = d->outlets; o != NULL; o = o->next)
		backend_retire(o->backend);
}

const struct outlet *
outlets_busy(const struct dispatch *d)
{
	const struct outlet *lists[] = { d->outlets, d->retired };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (const struct outlet *o = lists[i]; o != NULL; o = o->next)
			if (backend_busy(o->backend))
				return o;
	return NULL;
}
