/* loop.c - libev under our names */
#include "base/loop.h"

#include "base/error.h"
#include "base/macros.h"
#include "base/mem.h"

#include <stdatomic.h>

enum { DRAIN_TURNS = 100 };	/* who lists himself anew ends there */

struct loop {
	struct ev_loop *ev;
	struct ev_async woken;
	struct ev_prepare before_sleep;
	struct ev_idle busy;
	struct mailbox *mailbox;
	struct later *first, **last;
	const char *name;
	_Atomic bool stopping;
};

static void
on_wake(void *arg)
{
	struct loop *loop = arg;

	ev_async_send(loop->ev, &loop->woken);
}

static void
on_woken(struct ev_loop *ev, struct ev_async *w, int events)
{
	struct loop *loop = w->data;

	(void)ev, (void)events;
	letters_deliver(mailbox_take(loop->mailbox));
	if (loop->stopping)
		ev_break(loop->ev, EVBREAK_ALL);
}

/* Everything listed until now; what is listed meanwhile waits for the next
 * turn, so that two objects cannot keep each other busy for ever. */
static void
run_later(struct loop *loop)
{
	struct later *l = loop->first;

	loop->first = NULL;
	loop->last = &loop->first;
	while (l != NULL) {
		struct later *next = l->next;

		l->listed = false;
		l->run(l);
		l = next;
	}
}

static void
on_before_sleep(struct ev_loop *ev, struct ev_prepare *w, int events)
{
	struct loop *loop = w->data;

	(void)events;
	run_later(loop);
	/* with work left the loop must not sleep */
	if (loop->first != NULL)
		ev_idle_start(ev, &loop->busy);
	else
		ev_idle_stop(ev, &loop->busy);
}

static void
on_busy(struct ev_loop *ev, struct ev_idle *w, int events)
{
	(void)ev, (void)w, (void)events;
}

struct loop *
loop_new(const char *name)
{
	struct loop *loop = NEW(struct loop);

	loop->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOSIGMASK);
	if (loop->ev == NULL)
		bug("libev gives no loop for %s", name);
	loop->name = name;
	loop->last = &loop->first;
	loop->mailbox = mailbox_new(on_wake, loop);

	ev_async_init(&loop->woken, on_woken);
	loop->woken.data = loop;
	ev_async_start(loop->ev, &loop->woken);
	ev_prepare_init(&loop->before_sleep, on_before_sleep);
	loop->before_sleep.data = loop;
	ev_prepare_start(loop->ev, &loop->before_sleep);
	ev_idle_init(&loop->busy, on_busy);
	return loop;
}

void
loop_drain(struct loop *loop)
{
	struct letter *letters;

	for (int i = 0; i < DRAIN_TURNS; i++) {
		letters = mailbox_take(loop->mailbox);
		if (letters == NULL && loop->first == NULL)
			return;
		letters_deliver(letters);
		run_later(loop);
	}
}

void
loop_free(struct loop **ptr)
{
	struct loop *loop = *ptr;

	if (loop == NULL)
		return;
	loop_drain(loop);
	ev_async_stop(loop->ev, &loop->woken);
	ev_prepare_stop(loop->ev, &loop->before_sleep);
	ev_idle_stop(loop->ev, &loop->busy);
	ev_loop_destroy(loop->ev);
	mailbox_free(&loop->mailbox);
	mem_free(loop);
	*ptr = NULL;
}

void
loop_run(struct loop *loop)
{
	ev_run(loop->ev, 0);
	loop->stopping = false;
}

void
loop_stop(struct loop *loop)
{
	loop->stopping = true;
	ev_async_send(loop->ev, &loop->woken);
}

struct mailbox *
loop_mailbox(struct loop *loop)
{
	return loop->mailbox;
}

struct ev_loop *
loop_ev(struct loop *loop)
{
	return loop->ev;
}

const char *
loop_name(const struct loop *loop)
{
	return loop->name;
}

void
loop_later(struct loop *loop, struct later *l)
{
	if (l->listed)
		return;
	l->listed = true;
	l->next = NULL;
	*loop->last = l;
	loop->last = &l->next;
}

static void
on_timer(struct ev_loop *ev, struct ev_timer *w, int events)
{
	struct timer *t = container_of(w, struct timer, ev);

	(void)ev, (void)events;
	t->fire(t);
}

void
timer_init(struct timer *t, struct loop *loop, void (*fire)(struct timer *t))
{
	ev_timer_init(&t->ev, on_timer, 0., 0.);
	t->loop = loop;
	t->fire = fire;
}

void
timer_start(struct timer *t, int64_t in_ms)
{
	ev_timer_stop(t->loop->ev, &t->ev);
	ev_timer_set(&t->ev, (double)in_ms / 1000., 0.);
	ev_timer_start(t->loop->ev, &t->ev);
}

void
timer_stop(struct timer *t)
{
	if (t->loop != NULL)
		ev_timer_stop(t->loop->ev, &t->ev);
}

bool
timer_runs(const struct timer *t)
{
	return ev_is_active(&t->ev);
}
