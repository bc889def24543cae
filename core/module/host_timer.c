/* host_timer.c - timers of modules, by ticket: one that is over is nothing */
#include "module/instance.h"

#include "base/macros.h"
#include "base/mem.h"
#include "base/ticket.h"

struct module_timer {
	struct timer timer;
	struct postern_instance *me;
	struct module_timer *next, **prev;
	uint64_t ticket;
	void (*fire)(void *arg);
	void *arg;
	struct later later;		/* for its end */
};

static void
timer_gone(struct later *l)
{
	mem_free(container_of(l, struct module_timer, later));
}

/* Its ticket is over from here on. */
static void
module_timer_end(struct module_timer *t)
{
	timer_stop(&t->timer);
	ticket_close(t->me->timers, t->ticket);
	*t->prev = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	t->later.run = timer_gone;
	loop_later(t->me->loop, &t->later);
}

static void
on_fire(struct timer *timer)
{
	struct module_timer *t = container_of(timer, struct module_timer, timer);

	module_timer_end(t);
	t->fire(t->arg);
}

uint64_t
postern_timer(postern_instance *me, int64_t in_ms, void (*fire)(void *arg),
	      void *arg)
{
	struct module_timer *t;

	if (me->loop == NULL || me->blocking) {
		instance_mistake(me, "postern_timer() in check() or in a blocking "
				 "backend");
		return 0;
	}
	if (me->timers == NULL)
		me->timers = tickets_new();
	t = NEW(struct module_timer);
	t->me = me;
	t->fire = fire;
	t->arg = arg;
	t->ticket = ticket_open(me->timers, t);
	t->next = me->first_timer;
	t->prev = &me->first_timer;
	if (t->next != NULL)
		t->next->prev = &t->next;
	me->first_timer = t;
	timer_init(&t->timer, me->loop, on_fire);
	timer_start(&t->timer, MAX(in_ms, 0));
	return t->ticket;
}

void
postern_timer_stop(postern_instance *me, uint64_t timer)
{
	struct module_timer *t = me->timers ? ticket_find(me->timers, timer)
					    : NULL;

	if (t != NULL)
		module_timer_end(t);
}

void
instance_timers_end(struct postern_instance *me)
{
	while (me->first_timer != NULL)
		module_timer_end(me->first_timer);
	tickets_free(&me->timers);
}
