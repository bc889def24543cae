/* api_queue.c - the queue: looking at it, and the operator's hand */
#include "admin/api.h"

#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "dispatch/dispatch.h"

#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 30 * 1000 };

/* --- an item as JSON ------------------------------------------------- */

static json_t *
recipients_json(const struct item *item)
{
	static const char *const words[] = {
		[RCPT_QUEUED] = "queued", [RCPT_DELIVERED] = "delivered",
		[RCPT_BOUNCED] = "bounced",
	};
	json_t *all = json_array();

	for (size_t i = 0; i < item->env->rcpt_count; i++)
		json_array_append_new(all, json_pack("{s:o, s:s, s:o}",
			"address", api_text(item->env->rcpts[i].address.text),
			"state", words[item->rcpts[i].state],
			"last", api_text_or_null(item->rcpts[i].last)));
	return all;
}

/* Claimed is what dispatch has in memory; whether it is being delivered or
 * waits there is asked afterwards. */
static const char *
state_word(const struct item *item)
{
	if (item->held)
		return "held";
	return item->claimed ? "active" : "waiting";
}

static json_t *
item_json(const struct item *item)
{
	char id[ITEM_TEXT];

	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:i, s:b, "
			 "s:o, s:o, s:o, s:o}",
		"id", item_id_text(item->id, id), "route", item->route,
		"state", state_word(item),
		"sender", api_text(item->env->sender.text),
		"recipients", recipients_json(item),
		"size", (json_int_t)item_size(item),
		"created_ms", api_time(item->created_ms),
		"due_ms", api_time(item->due_ms),
		"attempts", (int)item->attempts,
		"uncertain", item->uncertain,
		"last", api_text_or_null(item->last),
		"client", api_text_or_null(item->origin.client),
		"helo", api_text_or_null(item->origin.helo),
		"message_id", api_text_or_null(item->origin.message_id));
}

/* --- which of them are in delivery ----------------------------------- */

/* Those of a page that are claimed: their ids, and the objects that tell of
 * them, which the admin thread alone touches. */
struct claimed {
	uint64_t ids[LIMIT_PAGE];
	json_t *rows[LIMIT_PAGE];
	size_t n;
};

struct active_ask {
	struct ask ask;
	struct admin *admin;
	uint64_t *ids;			/* owned */
	bool *active;			/* the answer; owned */
	size_t n;
};

static void
active_drop(struct ask *ask)
{
	struct active_ask *a = container_of(ask, struct active_ask, ask);

	mem_free(a->ids);
	mem_free(a->active);
	mem_free(a);
}

static void
active_on_loop(struct ask *ask)
{
	struct active_ask *a = container_of(ask, struct active_ask, ask);

	for (size_t i = 0; i < a->n; i++)
		a->active[i] = dispatch_is_active(a->admin->deps.dispatch,
						  a->ids[i]);
	ask_answer(ask);
}

/* As `status' counts them: active is what a backend has right now.  Without
 * an answer all that are claimed stay so. */
static void
claimed_tell(struct admin *admin, const struct claimed *c)
{
	struct active_ask *a;

	if (c->n == 0)
		return;
	a = NEW(struct active_ask);
	a->admin = admin;
	a->n = c->n;
	a->ids = mem_array(a->n, sizeof(*a->ids));
	memcpy(a->ids, c->ids, a->n * sizeof(*a->ids));
	a->active = mem_array(a->n, sizeof(*a->active));
	a->ask.on_loop = active_on_loop;
	a->ask.drop = active_drop;
	if (ask_and_wait(admin, &a->ask, PATIENCE_MS))
		for (size_t i = 0; i < c->n; i++)
			if (!a->active[i])
				json_object_set_new(c->rows[i], "state",
						    json_string("waiting"));
	ask_release(&a->ask);
}

static void
claimed_add(struct claimed *c, const struct item *item, json_t *row)
{
	if (!item->claimed || item->held || c->n == LIMIT_PAGE)
		return;
	c->ids[c->n] = item->id;
	c->rows[c->n++] = row;
}

/* --- looking --------------------------------------------------------- */

struct page {
	json_t *items;
	struct claimed claimed;
};

static void
on_item(void *arg, const struct item *item)
{
	struct page *page = arg;
	json_t *row = item_json(item);

	claimed_add(&page->claimed, item, row);
	json_array_append_new(page->items, row);
}

unsigned
api_queue_list(struct request *rq, json_t **ret)
{
	const char *after = rq->query(rq, "after"), *max = rq->query(rq, "max");
	const char *held = rq->query(rq, "held");
	struct spool_query q = { .max = 100, .held = -1,
		.route = rq->query(rq, "route"),
		.address = rq->query(rq, "address") };
	json_t *items = json_array();
	struct page page = { .items = items };
	struct error err;
	uint64_t n;

	if (max != NULL && span_u64(span_of(max), LIMIT_PAGE, &n))
		q.max = n;
	if (held != NULL)
		q.held = strcmp(held, "1") == 0;
	if (after != NULL && !item_id_parse(span_of(after), &q.after)) {
		json_decref(items);
		return api_error(400, ret, "after: `%s' is not an id", after);
	}
	if (admin_reader(rq->admin, &err) == NULL ||
	    !spool_view(rq->admin->reader, &q, on_item, &page, &err)) {
		json_decref(items);
		return api_error(500, ret, "%s", err.text);
	}
	claimed_tell(rq->admin, &page.claimed);
	*ret = json_pack("{s:b, s:o}", "more",
			 json_array_size(items) == q.max, "items", items);
	return 200;
}

unsigned
api_queue_show(struct request *rq, json_t **ret)
{
	struct claimed claimed = { .n = 0 };
	struct item *item;
	struct error err;
	uint64_t id;

	if (!item_id_parse(span_of(rq->tail), &id))
		return api_error(400, ret, "`%s' is not an id", rq->tail);
	if (admin_reader(rq->admin, &err) == NULL)
		return api_error(500, ret, "%s", err.text);
	switch (spool_view_item(rq->admin->reader, id, &item, &err)) {
	case SPOOL_OK:
		*ret = item_json(item);
		claimed_add(&claimed, item, *ret);
		item_free(&item);
		claimed_tell(rq->admin, &claimed);
		return 200;
	case SPOOL_GONE:
		return api_error(404, ret, "%s is not in the queue: it has "
				 "been delivered, bounced or removed, or never "
				 "was there", rq->tail);
	default:
		return api_error(500, ret, "%s", err.text);
	}
}

/* --- acting ---------------------------------------------------------- */

struct act_ask {
	struct ask ask;
	struct admin *admin;
	struct dispatch_act act;
};

static void
act_drop(struct ask *ask)
{
	struct act_ask *a = container_of(ask, struct act_ask, ask);

	mem_free(a->act.ids);
	mem_free(a->act.route);
	mem_free(a);
}

static void
act_done(struct dispatch_act *act)
{
	struct act_ask *a = container_of(act, struct act_ask, act);

	ask_answer(&a->ask);
}

static void
act_on_loop(struct ask *ask)
{
	struct act_ask *a = container_of(ask, struct act_ask, ask);

	dispatch_act(a->admin->deps.dispatch, &a->act);
}

static bool
find_verb(const char *name, enum spool_verb *ret)
{
	static const char *const verbs[] = {
		[SPOOL_HOLD] = "hold", [SPOOL_RELEASE] = "release",
		[SPOOL_RETRY] = "retry", [SPOOL_REMOVE] = "remove",
	};

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(verbs[i], name) != 0)
			continue;
		*ret = (enum spool_verb)i;
		return true;
	}
	return false;
}

/* {"ids": [...]} or {"all": true} or {"route": name}; one of them. */
static unsigned
read_choice(json_t *body, struct dispatch_act *act, json_t **ret)
{
	json_t *ids = json_object_get(body, "ids");
	const char *route = json_string_value(json_object_get(body, "route"));
	size_t i;
	json_t *one;

	if (ids == NULL) {
		if (route != NULL)
			act->route = mem_strdup(route);
		else if (!json_is_true(json_object_get(body, "all")))
			return api_error(400, ret, "name one of: ids, route, "
					 "all");
		return 0;
	}
	act->n = json_array_size(ids);
	if (act->n == 0)
		return api_error(400, ret, "ids is an empty list");
	act->ids = mem_array(act->n, sizeof(uint64_t));
	json_array_foreach(ids, i, one) {
		const char *s = json_string_value(one);

		if (s == NULL || !item_id_parse(span_of(s), &act->ids[i]))
			return api_error(400, ret, "`%s' is not an id", s ? s : "");
	}
	return 0;
}

unsigned
api_queue_act(struct request *rq, json_t **ret)
{
	struct act_ask *a;
	enum spool_verb verb;
	unsigned status;

	if (!find_verb(rq->tail, &verb))
		return api_error(404, ret, "there is no /v1/queue/%s", rq->tail);
	a = NEW(struct act_ask);
	a->admin = rq->admin;
	a->ask.on_loop = act_on_loop;
	a->ask.drop = act_drop;
	a->act.verb = verb;
	a->act.done = act_done;
	a->act.by = rq->by;
	status = read_choice(rq->body, &a->act, ret);
	if (status != 0) {
		act_drop(&a->ask);
		return status;
	}
	if (!ask_and_wait(rq->admin, &a->ask, PATIENCE_MS))
		status = ask_failed(rq->admin, PATIENCE_MS, ret);
	else if (a->act.failed)
		status = api_error(500, ret, "%s", a->act.err.text);
	else
		*ret = json_pack("{s:I, s:I}", "changed",
				 (json_int_t)a->act.changed, "busy",
				 (json_int_t)a->act.busy);
	ask_release(&a->ask);
	return status ? status : 200;
}
