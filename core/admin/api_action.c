/* api_action.c - actions: begun, looked at, broken off
 *
 *   POST /v1/routes/NAME/actions/ACTION    {"run": 7}
 *   GET  /v1/runs/7?after=3                {"lines": [...], "over", "ok",
 *					 "unproved"}
 *   POST /v1/runs/7/cancel                 {}
 */
#include "admin/api.h"

#include "admin/runs.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/span.h"

#include <string.h>

enum { PATIENCE_MS = 10 * 1000 };

/* One question for all three: what is set says which. */
struct action_ask {
	struct ask ask;
	struct admin *admin;
	char *route, *action;		/* begin */
	struct who by;
	uint64_t number;
	size_t after;			/* look */
	bool cancel;
	json_t *seen;			/* the answer */
	bool done;
	struct error err;
};

static void
action_drop(struct ask *ask)
{
	struct action_ask *a = container_of(ask, struct action_ask, ask);

	json_decref(a->seen);
	mem_free(a->route);
	mem_free(a->action);
	mem_free(a);
}

static void
action_on_loop(struct ask *ask)
{
	struct action_ask *a = container_of(ask, struct action_ask, ask);
	struct runs *runs = a->admin->runs;

	if (a->route != NULL) {
		a->number = runs_begin(runs, &a->by, a->route, a->action,
				       &a->err);
		a->done = a->number != 0;
	} else if (a->cancel) {
		a->done = runs_cancel(runs, a->number);
	} else {
		a->seen = runs_look(runs, a->number, a->after);
		a->done = a->seen != NULL;
	}
	ask_answer(ask);
}

static struct action_ask *
action_new(struct request *rq)
{
	struct action_ask *a = NEW(struct action_ask);

	a->admin = rq->admin;
	a->by = rq->by;
	a->ask.on_loop = action_on_loop;
	a->ask.drop = action_drop;
	return a;
}

/* 0 when the loop has answered, else the status to give. */
static unsigned
action_wait(struct request *rq, struct action_ask *a, json_t **ret)
{
	if (ask_and_wait(rq->admin, &a->ask, PATIENCE_MS))
		return 0;
	return ask_failed(rq->admin, PATIENCE_MS, ret);
}

unsigned
api_action_begin(struct request *rq, json_t **ret)
{
	const char *mid = strstr(rq->tail, "/actions/");
	struct action_ask *a;
	unsigned status;

	if (mid == NULL || mid == rq->tail)
		return api_error(404, ret, "write /v1/routes/NAME/actions/"
				 "ACTION");
	a = action_new(rq);
	a->route = span_dup((struct span){ rq->tail,
					   (size_t)(mid - rq->tail) });
	a->action = mem_strdup(mid + strlen("/actions/"));
	status = action_wait(rq, a, ret);
	if (status == 0 && a->done) {
		*ret = json_pack("{s:I}", "run", (json_int_t)a->number);
		status = 200;
	} else if (status == 0) {
		status = api_error(a->err.kind == ERROR_LIMIT ? 503 : 404, ret,
				   "%s%s%s", a->err.text,
				   a->err.hint[0] ? "; " : "", a->err.hint);
	}
	ask_release(&a->ask);
	return status;
}

static bool
run_number(const char *tail, const char *behind, uint64_t *ret)
{
	struct span s = span_of(tail);
	size_t slash = span_find(s, '/');

	return span_eq(span_from(s, slash), span_of(behind)) &&
	       span_u64(span_sub(s, 0, slash), INT64_MAX, ret);
}

static unsigned
run_answer(struct request *rq, struct action_ask *a, json_t **ret)
{
	unsigned status = action_wait(rq, a, ret);

	if (status == 0 && !a->done)
		status = api_error(404, ret, "there is no such run, or not any "
				   "more");
	if (status == 0) {
		*ret = a->seen ? a->seen : json_object();
		a->seen = NULL;
		status = 200;
	}
	ask_release(&a->ask);
	return status;
}

unsigned
api_run_look(struct request *rq, json_t **ret)
{
	const char *after = rq->query(rq, "after");
	struct action_ask *a = action_new(rq);
	uint64_t n = 0;

	if (!run_number(rq->tail, "", &a->number) ||
	    (after != NULL && !span_u64(span_of(after), UINT32_MAX, &n))) {
		action_drop(&a->ask);
		return api_error(400, ret, "a run and its lines have numbers");
	}
	a->after = n;
	return run_answer(rq, a, ret);
}

unsigned
api_run_cancel(struct request *rq, json_t **ret)
{
	struct action_ask *a = action_new(rq);

	if (!run_number(rq->tail, "/cancel", &a->number)) {
		action_drop(&a->ask);
		return api_error(404, ret, "write /v1/runs/NUMBER/cancel");
	}
	a->cancel = true;
	return run_answer(rq, a, ret);
}
