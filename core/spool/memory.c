/* memory.c - the store that forgets: for tests, and for `spool: memory:'
 *
 * An array of items in order of id, under a lock that a batch holds from its
 * begin to its commit, so that readers see whole batches.  Nothing here can
 * fail half-way: what an operation may be refused for is looked at before it
 * changes anything.
 */
#include "spool/memory.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

/* --- the store ------------------------------------------------------- */

static struct store *
memory_open(const struct spool_config *c, struct error *err)
{
	struct memory *m = NEW(struct memory);

	(void)c, (void)err;
	m->store.ops = &memory_store;
	m->store.owner = 1;
	clock_resume(NULL);
	m->store.seed = (uint64_t)clock_steady_ms() << 8;
	pthread_mutex_init(&m->lock, NULL);
	return &m->store;
}

static void
memory_close(struct store **st)
{
	struct memory *m = memory_of(*st);

	for (size_t i = 0; i < m->n; i++)
		item_free(&m->items[i]);
	mem_free(m->items);
	ids_fini(&m->store.gone);
	pthread_mutex_destroy(&m->lock);
	mem_free(m);
	*st = NULL;
}

static bool
memory_prove(struct store *st, const struct doubt *doubts, size_t n,
	     struct error *err)
{
	(void)st, (void)doubts, (void)n, (void)err;
	return true;
}

static enum store_result
memory_begin(struct store *st, struct error *err)
{
	(void)err;
	pthread_mutex_lock(&memory_of(st)->lock);
	return STORE_OK;
}

static void
memory_rollback(struct store *st)
{
	pthread_mutex_unlock(&memory_of(st)->lock);
}

static enum store_result
memory_commit(struct store *st, struct error *err)
{
	(void)err;
	memory_rollback(st);
	return STORE_OK;
}

/* --- operations ------------------------------------------------------ */

static void
replace(char **text, const char *with)
{
	if (with == NULL)
		return;
	mem_free(*text);
	*text = mem_strdup(with);
}

static enum store_result
memory_exists(struct store *st, uint64_t id, struct error *err)
{
	(void)err;
	return memory_find(memory_of(st), id) ? STORE_OK : STORE_GONE;
}

static enum store_result
memory_accept(struct store *st, struct spool_accept *a, struct error *err)
{
	struct memory *m = memory_of(st);

	for (size_t i = 0; i < a->n; i++) {
		const struct item *item = a->items[i];
		bool twice = memory_find(m, item->id) != NULL;

		for (size_t j = 0; j < i; j++)
			twice = twice || a->items[j]->id == item->id;
		if (twice)
			error_set(err, ERROR_SYSTEM, "an item is there already");
		else if (!body_in_memory(item->body) &&
			 memory_find_body(m, item->body->id) == NULL)
			error_set(err, ERROR_SYSTEM, "the body of a message is "
				  "gone");
		else
			continue;
		return STORE_REFUSED;
	}
	for (size_t i = 0; i < a->n; i++) {
		struct item *copy = memory_copy(a->items[i]);

		if (!body_in_memory(copy->body)) {
			body_unref(&copy->body);
			copy->body = body_ref(memory_find_body(m,
						a->items[i]->body->id));
		}
		memory_insert(m, copy);
	}
	return STORE_OK;
}

/* The earliest of those that are ready, by (due, lane). */
static struct item *
earliest(const struct memory *m)
{
	struct item *best = NULL;

	for (size_t i = 0; i < m->n; i++) {
		struct item *item = m->items[i];

		if (memory_is_ready(item) &&
		    (best == NULL || item->due_ms < best->due_ms ||
		     (item->due_ms == best->due_ms && item->lane < best->lane)))
			best = item;
	}
	return best;
}

static int64_t
memory_next_due(struct store *st)
{
	const struct item *item = earliest(memory_of(st));

	return item ? item->due_ms : -1;
}

/* No schedule leads so far: it is due now. */
static void
bring_near(struct memory *m, const struct spool_claim *c)
{
	for (size_t i = 0; i < m->n && c->latest_ms != 0; i++)
		if (memory_is_ready(m->items[i]) &&
		    m->items[i]->due_ms > c->latest_ms)
			m->items[i]->due_ms = c->now_ms;
}

static enum store_result
memory_claim(struct store *st, struct spool_claim *c, struct error *err)
{
	struct memory *m = memory_of(st);
	int64_t bytes = c->room;
	struct item *item;
	size_t room = 0;

	(void)err;
	bring_near(m, c);
	while (claim_goes_on(c, &bytes) && (item = earliest(m)) != NULL &&
	       item->due_ms <= c->now_ms) {
		if (c->n == room) {
			room = room ? room * 2 : 16;
			c->items = mem_resize(c->items, room,
					      sizeof(*c->items));
		}
		item->claimed = true;
		c->items[c->n++] = memory_copy(item);
	}
	c->next_due_ms = memory_next_due(st);
	return STORE_OK;
}

static void
take_prefix(struct item *item, const struct spool_settle *t)
{
	if (t->prefix.len == 0)
		return;
	buf_clear(&item->prefix);
	buf_add(&item->prefix, buf_span(&t->prefix));
	item->sealed = t->sealed;
	item->sealed_by = t->sealed_by;
}

static enum store_result
memory_settle(struct store *st, struct spool_settle *t, struct error *err)
{
	struct memory *m = memory_of(st);
	struct item *item = memory_find(m, t->id);

	(void)err;
	if (item == NULL)
		return STORE_GONE;
	if (t->fate == FATE_DONE) {
		memory_take_out(m, item);
		return STORE_OK;
	}
	item->due_ms = t->due_ms;
	item->warned_ms = t->warned_ms;
	item->paused_ms = t->paused_ms;
	item->attempts = t->attempts;
	item->uncertain = false;
	replace(&item->last, t->last);
	if (t->fate == FATE_RELEASE) {
		item->claimed = false;
		take_prefix(item, t);
	}
	for (size_t i = 0; i < t->rcpt_count; i++) {
		const struct settle_rcpt *s = &t->rcpts[i];

		if (s->index >= item->env->rcpt_count)
			continue;
		item->rcpts[s->index].state = s->state;
		replace(&item->rcpts[s->index].last, s->last);
	}
	return STORE_OK;
}

/* Whether it was one that the verb is for. */
static bool
act_on(struct memory *m, enum spool_verb verb, struct item *item)
{
	switch (verb) {
	case SPOOL_HOLD:
		item->held = true;
		return true;
	case SPOOL_RELEASE:
		item->held = false;
		return true;
	case SPOOL_RETRY:
		if (!memory_is_ready(item))
			return false;
		item->due_ms = clock_steady_ms();
		return true;
	case SPOOL_REMOVE:
		if (item->claimed)
			return false;
		memory_take_out(m, item);
		return true;
	}
	return false;
}

static void
act_on_one(struct memory *m, struct spool_act *a, struct item *item)
{
	bool wanted = met_wants(a);
	struct item *copy = wanted ? memory_copy(item) : NULL;
	uint64_t id = item->id;

	if (act_on(m, a->verb, item)) {
		a->ran++;
		if (wanted)
			met_add(a, id, copy);
	}
	item_free(&copy);
}

static enum store_result
memory_act(struct store *st, struct spool_act *a, size_t max, bool *more,
	   struct error *err)
{
	struct memory *m = memory_of(st);
	struct item *item;
	size_t done = 0;

	(void)err;
	for (; a->ids != NULL && a->ran_at < a->n && done < max; done++) {
		item = memory_find(m, a->ids[a->ran_at++]);
		if (item != NULL)
			act_on_one(m, a, item);
	}
	while (a->ids == NULL && done < max) {
		size_t at = memory_place(m, a->ran_at + 1);

		if (at == m->n)
			break;
		item = m->items[at];
		a->ran_at = item->id;
		if (a->route != NULL && strcmp(a->route, item->route) != 0)
			continue;
		act_on_one(m, a, item);
		done++;
	}
	*more = done == max;
	return STORE_OK;
}

static enum store_result
memory_housekeep(struct store *st, enum store_house how, struct error *err)
{
	(void)st, (void)how, (void)err;
	return STORE_OK;
}

const struct store_ops memory_store = {
	.open = memory_open,
	.close = memory_close,
	.prove = memory_prove,
	.begin = memory_begin,
	.commit = memory_commit,
	.rollback = memory_rollback,
	.accept = memory_accept,
	.claim = memory_claim,
	.settle = memory_settle,
	.act = memory_act,
	.exists = memory_exists,
	.next_due = memory_next_due,
	.housekeep = memory_housekeep,
	.reader_open = memory_reader_open,
	.reader_close = memory_reader_close,
	.view = memory_view,
	.view_item = memory_view_item,
	.count = memory_count,
	.backlogs = memory_backlogs,
	.read_row = memory_read_row,
	.has_body = memory_has_body,
};
