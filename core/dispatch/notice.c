/* notice.c - when the operator gets a mail about a route that is paused
 *
 * The address in dsn.to is told once for each trouble, and once when it is
 * over.  A pause that ends within dsn.pause_after tells nobody.  Of a route that
 * pauses again and again, as for a quota that is free again for a moment, IN_HOUR
 * pauses are told in an hour; one that lasts is told when the hour is over.
 *
 *   QUIET  nothing is to be told.
 *   DUE    the route was paused; the timer runs until that is told.
 *   TOLD   the mail was made.  The trouble is over when the route is seen to
 *          work: mail was delivered, or its backend says so.  A reload and the
 *          operator's "try it now" end the pause, but prove nothing; what
 *          pauses again after them is the same trouble, and told already.
 *
 * What was told is kept over a restart (notice_kept.c), so that a gateway
 * which is started again and again does not tell the same trouble each time.
 */
#include "dispatch/inside.h"

#include "base/clock.h"

enum {
	AGAIN_MS = 60 * 1000,		/* after one that could not be made */
	HOUR_MS = 60 * 60 * 1000,
	IN_HOUR = 3,
};

static void
notice_set(struct outlet *o, enum notice_state state)
{
	struct notice *n = &o->notice;

	timer_stop(&n->timer);
	n->state = state;
	if (state == NOTICE_TOLD)
		return;
	mem_free(n->by);
	n->by = NULL;
	n->told_ms = 0;
}

static void
notice_wait(struct outlet *o)
{
	struct notice *n = &o->notice;
	int64_t due_ms = n->since_ms + o->dispatch->config->dsn_pause_after;

	notice_set(o, NOTICE_DUE);
	timer_start(&n->timer, MAX(due_ms - clock_steady_ms(), 0));
}

/* Until the next one may be told; 0: now, and it is counted. */
static int64_t
notice_too_often(struct notice *n)
{
	int64_t now_ms = clock_steady_ms();

	if (n->in_hour == 0 || now_ms - n->hour_ms >= HOUR_MS) {
		n->hour_ms = now_ms;
		n->in_hour = 0;
	}
	if (n->in_hour == IN_HOUR)
		return n->hour_ms + HOUR_MS - now_ms;
	n->in_hour++;
	return 0;
}

static void
on_due(struct timer *t)
{
	struct notice *n = container_of(t, struct notice, timer);
	struct outlet *o = container_of(n, struct outlet, notice);
	int64_t wait_ms;

	if (n->asked)
		return;			/* notice_recalled() goes on */
	if (o->retired || !outlet_is_paused(o) ||
	    o->dispatch->config->dsn_to == NULL) {
		notice_set(o, NOTICE_QUIET);
		return;
	}
	wait_ms = notice_too_often(n);
	if (wait_ms > 0) {
		timer_start(&n->timer, wait_ms);
		return;
	}
	notice_set(o, NOTICE_TOLD);
	notice_send(o, NOTICE_PAUSED);
}

void
notice_init(struct outlet *o)
{
	timer_init(&o->notice.timer, o->dispatch->loop, on_due);
}

void
notice_fini(struct outlet *o)
{
	notice_set(o, NOTICE_QUIET);
}

void
notice_route_pauses(struct outlet *o)
{
	if (o->notice.state != NOTICE_QUIET)
		return;
	o->notice.since_ms = o->pause.since_ms;
	notice_wait(o);
}

void
notice_route_works(struct outlet *o)
{
	if (o->notice.state == NOTICE_TOLD) {
		notice_send(o, NOTICE_RESUMED);
		notice_forget(o);
	}
	if (o->notice.state != NOTICE_QUIET)
		notice_set(o, NOTICE_QUIET);
}

void
notice_inherit(struct outlet *heir, struct outlet *old)
{
	struct notice *to = &heir->notice, *from = &old->notice;

	to->hour_ms = from->hour_ms;
	to->in_hour = from->in_hour;
	if (from->state == NOTICE_QUIET)
		return;
	to->since_ms = from->since_ms;
	if (from->state == NOTICE_TOLD) {
		notice_set(heir, NOTICE_TOLD);
		to->told_ms = from->told_ms;
		to->by = from->by;
		from->by = NULL;
	} else {
		notice_wait(heir);
	}
	notice_fini(old);
}

void
notice_recalled(struct outlet *o, int64_t since_ms, int64_t told_ms)
{
	o->notice.asked = false;
	if (o->notice.state == NOTICE_TOLD)
		return;
	if (told_ms != 0) {
		notice_set(o, NOTICE_TOLD);
		o->notice.since_ms = since_ms;
		o->notice.told_ms = told_ms;
	} else if (o->notice.state == NOTICE_DUE) {
		notice_wait(o);
	}
}

void
notice_sent(struct outlet *o, const char *by)
{
	if (o->notice.state != NOTICE_TOLD)
		return;			/* it was over meanwhile */
	mem_free(o->notice.by);
	o->notice.by = mem_strdup(by);
	o->notice.told_ms = clock_steady_ms();
	notice_keep(o);
}

void
notice_failed(struct outlet *o)
{
	if (o->notice.state != NOTICE_TOLD)
		return;
	notice_set(o, NOTICE_DUE);
	timer_start(&o->notice.timer, AGAIN_MS);
}
