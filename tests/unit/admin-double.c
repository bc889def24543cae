/* admin-double.c - see admin-double.h */
#include "admin-double.h"

#include "base/mailbox.h"
#include "dispatch/dispatch.h"
#include "spool/spool.h"

#include <stdatomic.h>
#include <stdio.h>

/* --- time ------------------------------------------------------------- */

static struct { struct timer *timer; int64_t due_ms; } waiting[RUNS];
static int64_t passed_ms;
static _Atomic bool impatient;

void __real_timer_start(struct timer *t, int64_t in_ms);
void __wrap_timer_start(struct timer *t, int64_t in_ms);
void __real_timer_stop(struct timer *t);
void __wrap_timer_stop(struct timer *t);
struct letter *__real_mailbox_wait(struct mailbox *m, int64_t timeout_ms);
struct letter *__wrap_mailbox_wait(struct mailbox *m, int64_t timeout_ms);

/* The place of t, or with NULL a free one; RUNS when there is none. */
static size_t
place_of(const struct timer *t)
{
	size_t i = 0;

	while (i < RUNS && waiting[i].timer != t)
		i++;
	return i;
}

void
__wrap_timer_stop(struct timer *t)
{
	size_t i = place_of(t);

	if (i < RUNS)
		waiting[i].timer = NULL;
	__real_timer_stop(t);
}

void
__wrap_timer_start(struct timer *t, int64_t in_ms)
{
	size_t i;

	if (in_ms < 1000) {
		__real_timer_start(t, in_ms);
		return;
	}
	__wrap_timer_stop(t);
	i = place_of(NULL);
	must(i < RUNS);
	waiting[i].timer = t;
	waiting[i].due_ms = passed_ms + in_ms;
}

void
time_passes(int64_t ms)
{
	passed_ms += ms;
	for (size_t i = 0; i < RUNS; i++) {
		struct timer *t = waiting[i].timer;

		if (t == NULL || waiting[i].due_ms > passed_ms)
			continue;
		waiting[i].timer = NULL;
		t->fire(t);
	}
}

void
be_impatient(bool on)
{
	impatient = on;
}

struct letter *
__wrap_mailbox_wait(struct mailbox *m, int64_t timeout_ms)
{
	return __real_mailbox_wait(m, impatient ? timeout_ms / 1000
				   : timeout_ms);
}

/* --- actions ---------------------------------------------------------- */

void
action_say(struct postern_action_run *run, const char *line)
{
	if (run->events != NULL)
		run->events->said(run->arg, line);
}

void
action_end(struct postern_action_run *run, enum action_end how,
	   const char *line)
{
	if (run->events != NULL)
		run->events->ended(run->arg, how, line);
	run->events = NULL;
}

static void
on_moment(struct timer *t)
{
	action_end(container_of(t, struct postern_action_run, timer), ACTION_DONE,
		   "after a moment");
}

void
action_abandon(struct postern_action_run **ptr)
{
	if (*ptr == NULL)
		return;
	assert_non_null((*ptr)->events);
	(*ptr)->events = NULL;
	(*ptr)->abandoned = true;
	*ptr = NULL;
}

static void
act(struct postern_action_run *run, const char *action)
{
	char line[40];

	if (strcmp(action, "chatty") == 0) {
		for (int i = 0; i < 300; i++) {
			snprintf(line, sizeof(line), "line %d", i);
			action_say(run, line);
		}
		action_end(run, ACTION_FAILED, "that is all");
		return;
	}
	action_say(run, "hello");
	if (strcmp(action, "test") == 0)
		action_end(run, ACTION_DONE, "well");
	if (strcmp(action, "slow") == 0)
		timer_start(&run->timer, 20);
}

struct postern_action_run *
dispatch_action(struct dispatch *d, const char *route, const char *action,
		const struct action_events *ev, void *arg, struct error *err)
{
	struct postern_action_run *run = &d->runs[d->n];

	if (strcmp(route, "office") != 0) {
		error_set(err, ERROR_CONFIG, "there is no route `%s'", route);
		return NULL;
	}
	if (strcmp(action, "nothing") == 0) {
		error_set(err, ERROR_CONFIG, "no action `%s'", action);
		error_hint(err, "it has `login'");
		return NULL;
	}
	must(d->n < RUNS);
	d->n++;
	*run = (struct postern_action_run){ .events = ev, .arg = arg };
	timer_init(&run->timer, d->loop, on_moment);
	act(run, action);
	return run;
}

/* --- the rest of dispatch, and a queue -------------------------------- */

void
dispatch_rows(struct dispatch *d,
	      void (*row)(void *arg, const struct dispatch_row *r), void *arg)
{
	(void)d, (void)row, (void)arg;
}

bool
dispatch_is_active(struct dispatch *d, uint64_t id)
{
	(void)d, (void)id;
	return false;
}

void
dispatch_reports(const struct dispatch *d, struct dispatch_reports *ret)
{
	(void)d;
	*ret = (struct dispatch_reports){ .last = NULL };
}

void
dispatch_act(struct dispatch *d, struct dispatch_act *a)
{
	(void)d;
	a->done(a);
}

struct spool_reader *
spool_reader_open(struct spool *s, struct error *err)
{
	(void)s;
	error_set(err, ERROR_SYSTEM, "no queue here");
	return NULL;
}

void
spool_reader_close(struct spool_reader **r)
{
	*r = NULL;
}

bool
spool_view(struct spool_reader *r, const struct spool_query *q,
	   void (*row)(void *arg, const struct item *item), void *arg,
	   struct error *err)
{
	(void)r, (void)q, (void)row, (void)arg, (void)err;
	return true;
}

enum spool_status
spool_view_item(struct spool_reader *r, uint64_t id, struct item **ret,
		struct error *err)
{
	(void)r, (void)id, (void)ret, (void)err;
	return SPOOL_GONE;
}

bool
spool_count(struct spool_reader *r, int64_t now_ms, struct spool_counts *ret,
	    struct error *err)
{
	(void)r, (void)now_ms, (void)ret, (void)err;
	return true;
}

bool
spool_backlogs(struct spool_reader *r, size_t max,
	       void (*row)(void *arg, const struct spool_backlog *b),
	       void *arg, struct error *err)
{
	(void)r, (void)max, (void)row, (void)arg, (void)err;
	return true;
}

void
spool_stats(struct spool *s, struct spool_stats *ret)
{
	(void)s;
	*ret = (struct spool_stats){ .accepting = true };
}
