/* action.c - actions under way
 *
 * A run is freed when the module has ended it; whoever waited may have gone
 * before.
 */
#include "module/action.h"

#include "base/macros.h"
#include "base/mem.h"
#include "module/job.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE = 1000 };

_Static_assert((int)POSTERN_ACTION_FAILED == (int)ACTION_FAILED, "failed");
_Static_assert((int)POSTERN_ACTION_DONE == (int)ACTION_DONE, "done");
_Static_assert((int)POSTERN_ACTION_UNPROVED == (int)ACTION_UNPROVED,
	       "unproved");

struct postern_action_run {
	struct backend *backend;
	const struct postern_action *action;
	struct postern_action_run *next, **prev;
	const struct action_events *events;	/* NULL: nobody waits */
	void *arg;
	bool cancelled, over;
	struct later later;
};

static const struct postern_action *
action_find(const struct backend *b, const char *name, struct error *err)
{
	const struct postern_module *t = module_table(b->me->module);
	const struct postern_action *a = t->actions;
	char names[200] = "";

	for (; a != NULL && a->name != NULL; a++) {
		size_t n = strlen(names);

		if (strcmp(a->name, name) == 0)
			return a;
		snprintf(names + n, sizeof(names) - n, "%s`%s'",
			 n ? ", " : "", a->name);
	}
	error_set(err, ERROR_CONFIG, "route `%s': its backend `%s' has no "
		  "action `%.64s'", b->me->route, t->name, name);
	if (names[0] != '\0')
		error_hint(err, "it has %s", names);
	return NULL;
}

bool
module_has_action(const struct module *m, const char *name)
{
	const struct postern_action *a = module_table(m)->actions;

	while (a != NULL && a->name != NULL && strcmp(a->name, name) != 0)
		a++;
	return a != NULL && a->name != NULL;
}

bool
action_refuse(struct error *err, const char *route, const char *backend,
	      const char *action, const char *const *have, size_t n)
{
	AUTO(buf_fini) struct buf list = BUF_MAX(LIMIT_HINT);

	for (size_t i = 0; i < n; i++)
		buf_addf(&list, "%s`%s'", i ? ", " : "", have[i]);
	if (backend != NULL)
		error_set(err, ERROR_CONFIG, "route `%.64s' needs no %.64s: its "
			  "backend `%s' has no action of this name", route,
			  action, backend);
	else
		error_set(err, ERROR_CONFIG, "there is no route `%.64s'", route);
	if (n == 0)
		return error_hint(err, "no route has a backend with %.64s", action);
	return error_hint(err, "%s: %s", n == 1 ? "only this route has it"
			  : "only these routes have it", buf_str(&list));
}

struct postern_action_run *
action_begin(struct backend *b, const char *name,
	     const struct action_events *ev, void *arg, struct error *err)
{
	const struct postern_action *a = action_find(b, name, err);
	struct postern_action_run *run;

	if (a == NULL)
		return NULL;
	if (b->retired) {
		error_set(err, ERROR_CONFIG, "the gateway stops");
		return NULL;
	}
	run = NEW(struct postern_action_run);
	run->backend = b;
	run->action = a;
	run->events = ev;
	run->arg = arg;
	run->next = b->runs;
	run->prev = &b->runs;
	if (run->next != NULL)
		run->next->prev = &run->next;
	b->runs = run;
	a->begin(b->me->self, run);
	return run;
}

static void
run_cancel(struct postern_action_run *run)
{
	if (run->cancelled)
		return;
	run->cancelled = true;
	if (run->action->cancel != NULL)
		run->action->cancel(run->backend->me->self, run);
}

void
action_abandon(struct postern_action_run **ptr)
{
	struct postern_action_run *run = *ptr;

	*ptr = NULL;
	if (run == NULL)
		return;
	run->events = NULL;
	run_cancel(run);
}

static void
run_gone(struct later *l)
{
	mem_free(container_of(l, struct postern_action_run, later));
}

/* The memory stays until the callbacks of this turn have returned: so long a
 * module that does not know yet, or does not care, is told. */
static void
run_unlink(struct postern_action_run *run)
{
	*run->prev = run->next;
	if (run->next != NULL)
		run->next->prev = run->prev;
	run->over = true;
	run->later.run = run_gone;
	loop_later(run->backend->loop, &run->later);
}

void
actions_end(struct backend *b)
{
	while (b->runs != NULL) {
		struct postern_action_run *run = b->runs;

		run_cancel(run);
		if (b->runs != run)
			continue;
		instance_mistake(b->me, "cancel() did not end the action `%s'",
				 run->action->name);
		if (run->events != NULL)
			run->events->ended(run->arg, ACTION_FAILED,
					   "the gateway stops");
		run_unlink(run);
	}
}

void
postern_action_say(postern_action_run *run, const char *fmt, ...)
{
	char line[LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (run->events != NULL && !run->over)
		run->events->said(run->arg, line);
}

void
postern_action_end(postern_action_run *run, int how, const char *fmt, ...)
{
	char line[LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (run->over) {
		instance_mistake(run->backend->me, "the action `%s' has ended "
				 "already", run->action->name);
		return;
	}
	run->over = true;
	if (run->events != NULL)
		run->events->ended(run->arg, how == POSTERN_ACTION_FAILED ||
				   how == POSTERN_ACTION_UNPROVED
				   ? (enum action_end)how : ACTION_DONE, line);
	run_unlink(run);
}
