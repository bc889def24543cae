/* memory.c - the store that forgets: for tests, and for `spool: memory:'
 *
 * An array of items in order of id, under a lock that a batch holds from its
 * begin to its commit, so that readers see whole batches.  Nothing here can
 * fail half-way: what an operation may be refused for is looked at before it
 * changes anything.
 */
#include "spool/store.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "spool/backlog.h"

#include <pthread.h>
#include <string.h>

struct memory {
	struct store store;
	pthread_mutex_t lock;
	struct item **items;
	size_t n, room;
};

struct memory_reader {
	struct spool_reader base;
	struct memory *m;
};

static struct memory *
memory_of(struct store *st)
{
	return container_of(st, struct memory, store);
}

static struct store *
memory_open(const struct spool_config *c, struct error *err)
{
	struct memory *m = NEW(struct memory);

	(void)c, (void)err;
	m->store.ops = &memory_store;
	m->store.owner = 1;
	m->store.seed = (uint64_t)clock_wall_ms() << 8;
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

/* --- items ----------------------------------------------------------- */

/* The first place whose id is at least this one. */
static size_t
place_of(const struct memory *m, uint64_t id)
{
	size_t lo = 0, hi = m->n;

	/* most that come are the newest */
	if (hi > 0 && m->items[hi - 1]->id < id)
		return hi;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->items[mid]->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct item *
find(const struct memory *m, uint64_t id)
{
	size_t at = place_of(m, id);

	return at < m->n && m->items[at]->id == id ? m->items[at] : NULL;
}

static char *
dup_or_null(const char *s)
{
	return s ? mem_strdup(s) : NULL;
}

static struct envelope *
envelope_copy(const struct envelope *env)
{
	size_t *all = mem_array(env->rcpt_count, sizeof(*all));
	struct envelope *copy;

	for (size_t i = 0; i < env->rcpt_count; i++)
		all[i] = i;
	copy = envelope_subset(env, all, env->rcpt_count);
	if (!copy->frozen)
		envelope_freeze(copy);
	mem_free(all);
	return copy;
}

static struct item *
item_copy(const struct item *from)
{
	struct item *item = item_new();
	struct buf prefix = item->prefix;
	size_t n = from->env->rcpt_count;

	*item = *from;
	item->letter = (struct letter){ 0 };
	item->route = mem_strdup(from->route);
	item->env = envelope_copy(from->env);
	item->rcpts = mem_array(n, sizeof(*item->rcpts));
	for (size_t i = 0; i < n; i++)
		item->rcpts[i] = (struct item_rcpt){
			from->rcpts[i].state, dup_or_null(from->rcpts[i].last),
		};
	item->origin = (struct origin){
		dup_or_null(from->origin.client),
		dup_or_null(from->origin.helo),
		dup_or_null(from->origin.user),
		dup_or_null(from->origin.listener),
		dup_or_null(from->origin.message_id),
	};
	item->prefix = prefix;
	buf_add(&item->prefix, buf_span(&from->prefix));
	item->body = body_ref(from->body);
	item->last = dup_or_null(from->last);
	return item;
}

static void
insert(struct memory *m, struct item *item)
{
	size_t at = place_of(m, item->id);

	if (m->n == m->room) {
		m->room = m->room ? m->room * 2 : 64;
		m->items = mem_resize(m->items, m->room, sizeof(*m->items));
	}
	memmove(m->items + at + 1, m->items + at,
		(m->n - at) * sizeof(*m->items));
	m->items[at] = item;
	m->n++;
}

static void
take_out(struct memory *m, struct item *item)
{
	size_t at = place_of(m, item->id);

	m->n--;
	memmove(m->items + at, m->items + at + 1,
		(m->n - at) * sizeof(*m->items));
	item_free(&item);
}

static struct body *
find_body(const struct memory *m, uint64_t id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i]->body->id == id)
			return m->items[i]->body;
	return NULL;
}

static void
replace(char **text, const char *with)
{
	if (with == NULL)
		return;
	mem_free(*text);
	*text = mem_strdup(with);
}

/* --- operations ------------------------------------------------------ */

static enum store_result
memory_exists(struct store *st, uint64_t id, struct error *err)
{
	(void)err;
	return find(memory_of(st), id) ? STORE_OK : STORE_GONE;
}

static enum store_result
memory_accept(struct store *st, struct spool_accept *a, struct error *err)
{
	struct memory *m = memory_of(st);

	for (size_t i = 0; i < a->n; i++) {
		const struct item *item = a->items[i];
		bool twice = find(m, item->id) != NULL;

		for (size_t j = 0; j < i; j++)
			twice = twice || a->items[j]->id == item->id;
		if (twice)
			error_set(err, ERROR_SYSTEM, "an item is there already");
		else if (!body_in_memory(item->body) &&
			 find_body(m, item->body->id) == NULL)
			error_set(err, ERROR_SYSTEM, "the body of a message is "
				  "gone");
		else
			continue;
		return STORE_REFUSED;
	}
	for (size_t i = 0; i < a->n; i++) {
		struct item *copy = item_copy(a->items[i]);

		if (!body_in_memory(copy->body)) {
			body_unref(&copy->body);
			copy->body = body_ref(find_body(m,
						a->items[i]->body->id));
		}
		insert(m, copy);
	}
	return STORE_OK;
}

static bool
is_ready(const struct item *item)
{
	return !item->claimed && !item->held;
}

/* The earliest of those that are ready, by (due, lane). */
static struct item *
earliest(const struct memory *m)
{
	struct item *best = NULL;

	for (size_t i = 0; i < m->n; i++) {
		struct item *item = m->items[i];

		if (is_ready(item) &&
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

static enum store_result
memory_claim(struct store *st, struct spool_claim *c, struct error *err)
{
	struct memory *m = memory_of(st);
	int64_t bytes = c->room;
	struct item *item;
	size_t room = 0;

	(void)err;
	while (claim_goes_on(c, &bytes) && (item = earliest(m)) != NULL &&
	       item->due_ms <= c->now_ms) {
		if (c->n == room) {
			room = room ? room * 2 : 16;
			c->items = mem_resize(c->items, room,
					      sizeof(*c->items));
		}
		item->claimed = true;
		c->items[c->n++] = item_copy(item);
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
	struct item *item = find(m, t->id);

	(void)err;
	if (item == NULL)
		return STORE_GONE;
	if (t->fate == FATE_DONE) {
		take_out(m, item);
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
		if (item->claimed)
			return false;
		item->due_ms = clock_wall_ms();
		return true;
	case SPOOL_REMOVE:
		if (item->claimed)
			return false;
		take_out(m, item);
		return true;
	}
	return false;
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
		item = find(m, a->ids[a->ran_at++]);
		a->ran += item != NULL && act_on(m, a->verb, item);
	}
	while (a->ids == NULL && done < max) {
		size_t at = place_of(m, a->ran_at + 1);

		if (at == m->n)
			break;
		item = m->items[at];
		a->ran_at = item->id;
		if (a->route != NULL && strcmp(a->route, item->route) != 0)
			continue;
		a->ran += act_on(m, a->verb, item);
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

/* --- readers --------------------------------------------------------- */

static struct memory *
reader_lock(struct spool_reader *r)
{
	struct memory *m = container_of(r, struct memory_reader, base)->m;

	pthread_mutex_lock(&m->lock);
	return m;
}

static struct spool_reader *
memory_reader_open(struct store *st, struct error *err)
{
	struct memory_reader *r = NEW(struct memory_reader);

	(void)err;
	r->m = memory_of(st);
	return &r->base;
}

static void
memory_reader_close(struct spool_reader **r)
{
	if (*r != NULL)
		mem_free(container_of(*r, struct memory_reader, base));
	*r = NULL;
}

static bool
contains(struct span text, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = 0; i + n <= text.n; i++)
		if (strncasecmp(text.p + i, part, n) == 0)
			return true;
	return false;
}

static bool
query_fits(const struct spool_query *q, const struct item *item)
{
	const struct envelope *env = item->env;
	bool fits;

	if (q->route != NULL && strcmp(q->route, item->route) != 0)
		return false;
	if (q->held >= 0 && item->held != (q->held != 0))
		return false;
	if (q->address == NULL)
		return true;
	fits = contains(env->sender.text, q->address);
	for (size_t i = 0; i < env->rcpt_count && !fits; i++)
		fits = contains(env->rcpts[i].address.text, q->address);
	return fits;
}

static bool
memory_view(struct spool_reader *r, const struct spool_query *q,
	    void (*row)(void *arg, const struct item *item), void *arg,
	    struct error *err)
{
	struct memory *m = reader_lock(r);
	size_t seen = 0;

	(void)err;
	for (size_t i = place_of(m, q->after + 1); i < m->n && seen < q->max;
	     i++) {
		if (!query_fits(q, m->items[i]))
			continue;
		row(arg, m->items[i]);
		seen++;
	}
	pthread_mutex_unlock(&m->lock);
	return true;
}

static enum spool_status
memory_view_item(struct spool_reader *r, uint64_t id, struct item **ret,
		 struct error *err)
{
	struct memory *m = reader_lock(r);
	const struct item *item = find(m, id);

	(void)err;
	if (item != NULL)
		*ret = item_copy(item);
	pthread_mutex_unlock(&m->lock);
	return item != NULL ? SPOOL_OK : SPOOL_GONE;
}

static bool
memory_count(struct spool_reader *r, int64_t now_ms, struct spool_counts *ret,
	     struct error *err)
{
	struct memory *m = reader_lock(r);

	(void)err;
	*ret = (struct spool_counts){ .items = m->n };
	for (size_t i = 0; i < m->n; i++) {
		ret->held += m->items[i]->held;
		ret->due += is_ready(m->items[i]) &&
			    m->items[i]->due_ms <= now_ms;
	}
	if (m->n > 0)
		ret->oldest_ms = m->items[0]->created_ms;
	pthread_mutex_unlock(&m->lock);
	return true;
}

static bool
memory_backlogs(struct spool_reader *r, struct backlogs *all,
		struct error *err)
{
	struct memory *m = reader_lock(r);

	(void)err;
	for (size_t i = 0; i < m->n; i++)
		backlogs_add_item(all, m->items[i]);
	pthread_mutex_unlock(&m->lock);
	return true;
}

static bool
memory_read_row(struct spool_reader *r, uint64_t id, uint64_t offset, char *to,
		size_t max, size_t *got, struct error *err)
{
	struct memory *m = reader_lock(r);
	const struct body *b = find_body(m, id);
	struct span piece = SPAN_NONE;

	if (b != NULL)
		piece = span_sub(buf_span(&b->bytes), offset, max);
	if (piece.n > 0)
		memcpy(to, piece.p, piece.n);
	*got = piece.n;
	pthread_mutex_unlock(&m->lock);
	return b != NULL || error_set(err, ERROR_SYSTEM, "the body is gone");
}

static bool
memory_has_body(struct spool_reader *r, uint64_t id, bool *ret,
		struct error *err)
{
	struct memory *m = reader_lock(r);

	(void)err;
	*ret = find_body(m, id) != NULL;
	pthread_mutex_unlock(&m->lock);
	return true;
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
