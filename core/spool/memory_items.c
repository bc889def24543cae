/* memory_items.c - the items of the store that forgets, in order of id */
#include "spool/memory.h"

#include "base/mem.h"

#include <string.h>

/* --- the array ------------------------------------------------------- */

size_t
memory_place(const struct memory *m, uint64_t id)
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

struct item *
memory_find(const struct memory *m, uint64_t id)
{
	size_t at = memory_place(m, id);

	return at < m->n && m->items[at]->id == id ? m->items[at] : NULL;
}

void
memory_insert(struct memory *m, struct item *item)
{
	size_t at = memory_place(m, item->id);

	if (m->n == m->room) {
		m->room = m->room ? m->room * 2 : 64;
		m->items = mem_resize(m->items, m->room, sizeof(*m->items));
	}
	memmove(m->items + at + 1, m->items + at,
		(m->n - at) * sizeof(*m->items));
	m->items[at] = item;
	m->n++;
}

void
memory_take_out(struct memory *m, struct item *item)
{
	size_t at = memory_place(m, item->id);

	m->n--;
	memmove(m->items + at, m->items + at + 1,
		(m->n - at) * sizeof(*m->items));
	item_free(&item);
}

struct body *
memory_find_body(const struct memory *m, uint64_t id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i]->body->id == id)
			return m->items[i]->body;
	return NULL;
}

bool
memory_is_ready(const struct item *item)
{
	return !item->claimed && !item->held;
}

/* --- copies ---------------------------------------------------------- */

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

struct item *
memory_copy(const struct item *from)
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
