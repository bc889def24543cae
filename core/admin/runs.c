/* runs.c - a few runs, with what has been said in them */
#include "admin/runs.h"

#include "base/encode.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "dispatch/dispatch.h"
#include "module/action.h"

enum {
	RUNS_MAX = 16,
	LINES_MAX = 200,		/* further ones are dropped, but the last */
	LINE_MAX_BYTES = 1000,
	FORGOTTEN_MS = 60 * 1000,	/* without a look */
};

static const struct log runs_log = { .room = "admin" };

struct run {
	struct runs *runs;
	struct run *next, **prev;
	uint64_t number;
	struct postern_action_run *action;	/* NULL: it is over */
	json_t *lines;
	enum action_end how;		/* once it is over */
	bool over;
	char *route, *name;		/* the action's */
	struct who by;
	struct timer timer;
	struct later later;
};

struct runs {
	struct loop *loop;
	struct dispatch *dispatch;
	struct run *first;
	size_t n;
	uint64_t last_number;
};

struct runs *
runs_new(struct loop *loop, struct dispatch *d)
{
	struct runs *r = NEW(struct runs);

	r->loop = loop;
	r->dispatch = d;
	return r;
}

/* --- one run --------------------------------------------------------- */

static void
run_gone(struct later *l)
{
	struct run *run = container_of(l, struct run, later);

	json_decref(run->lines);
	mem_free(run->route);
	mem_free(run->name);
	mem_free(run);
}

/* line: what it ended with, or NULL. */
static void
run_log(const struct run *run, const char *how, const char *line)
{
	struct log_field f[3 + WHO_FIELDS] = {
		LOG_STR("route", run->route), LOG_STR("action", run->name),
	};
	size_t n = 2;

	if (line != NULL)
		f[n++] = LOG_STR("said", line);
	n += who_fields(&run->by, f + n);
	log_event(&runs_log, LOG_LEVEL_INFO, f, n, "an action %s", how);
}

static void
run_free(struct run *run)
{
	if (!run->over)
		run_log(run, "was cancelled", NULL);
	action_abandon(&run->action);
	timer_stop(&run->timer);
	*run->prev = run->next;
	if (run->next != NULL)
		run->next->prev = run->prev;
	run->runs->n--;
	run->later.run = run_gone;
	loop_later(run->runs->loop, &run->later);
}

static void
on_forgotten(struct timer *t)
{
	run_free(container_of(t, struct run, timer));
}

static void
run_add_line(struct run *run, const char *line)
{
	AUTO(buf_fini) struct buf clean = BUF_MAX(4 * LINE_MAX_BYTES);

	encode_printable(&clean, span_of(line), LINE_MAX_BYTES);
	json_array_append_new(run->lines, json_string(buf_str(&clean)));
}

static void
on_said(void *arg, const char *line)
{
	struct run *run = arg;

	if (json_array_size(run->lines) < LINES_MAX)
		run_add_line(run, line);
}

static void
on_ended(void *arg, enum action_end how, const char *line)
{
	static const char *const words[] = {
		[ACTION_FAILED] = "failed", [ACTION_DONE] = "succeeded",
		[ACTION_UNPROVED] = "was done, but could not be tested",
	};
	struct run *run = arg;

	run_log(run, words[how], line);
	run_add_line(run, line);
	run->action = NULL;
	run->over = true;
	run->how = how;
}

static const struct action_events run_events = { on_said, on_ended };

/* --- what is asked --------------------------------------------------- */

/* The oldest of those that are over gives way: who asked has most likely seen
 * how it ended. */
static bool
make_room(struct runs *r)
{
	struct run *oldest = NULL;

	if (r->n < RUNS_MAX)
		return true;
	for (struct run *run = r->first; run != NULL; run = run->next)
		if (run->over)
			oldest = run;
	if (oldest != NULL)
		run_free(oldest);
	return oldest != NULL;
}

uint64_t
runs_begin(struct runs *r, const struct who *by, const char *route,
	   const char *action, struct error *err)
{
	struct postern_action_run *begun;
	struct run *run;

	if (!make_room(r)) {
		error_set(err, ERROR_LIMIT, "%d actions are already running",
			  RUNS_MAX);
		return 0;
	}
	run = NEW(struct run);
	run->runs = r;
	run->number = ++r->last_number;
	run->route = mem_strdup(route);
	run->name = mem_strdup(action);
	run->by = *by;
	run->lines = json_array();
	timer_init(&run->timer, r->loop, on_forgotten);
	begun = dispatch_action(r->dispatch, route, action, &run_events, run,
				err);
	if (begun == NULL && !run->over) {
		run_gone(&run->later);
		return 0;
	}
	/* it may have ended at once */
	run->action = run->over ? NULL : begun;
	run->next = r->first;
	run->prev = &r->first;
	if (run->next != NULL)
		run->next->prev = &run->next;
	r->first = run;
	r->n++;
	timer_start(&run->timer, FORGOTTEN_MS);
	return run->number;
}

static struct run *
run_find(struct runs *r, uint64_t number)
{
	struct run *run = r->first;

	while (run != NULL && run->number != number)
		run = run->next;
	return run;
}

json_t *
runs_look(struct runs *r, uint64_t number, size_t after)
{
	struct run *run = run_find(r, number);
	json_t *lines;

	if (run == NULL)
		return NULL;
	timer_start(&run->timer, FORGOTTEN_MS);
	lines = json_array();
	for (size_t i = after; i < json_array_size(run->lines); i++)
		json_array_append(lines, json_array_get(run->lines, i));
	return json_pack("{s:o, s:b, s:b, s:b}", "lines", lines,
			 "over", run->over, "ok", run->how == ACTION_DONE,
			 "unproved", run->how == ACTION_UNPROVED);
}

bool
runs_cancel(struct runs *r, uint64_t number)
{
	struct run *run = run_find(r, number);

	if (run != NULL)
		run_free(run);
	return run != NULL;
}

void
runs_free(struct runs **r)
{
	if (*r == NULL)
		return;
	while ((*r)->first != NULL)
		run_free((*r)->first);
	mem_free(*r);
	*r = NULL;
}
