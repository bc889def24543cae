/* memory_read.c - readers of the store that forgets
 *
 * Each question holds the lock, so that the answer is of whole batches.
 */
#include "spool/memory.h"

#include "base/mem.h"
#include "spool/backlog.h"

#include <string.h>

struct memory_reader {
	struct spool_reader base;
	struct memory *m;
};

/* --- opening --------------------------------------------------------- */

static struct memory *
reader_lock(struct spool_reader *r)
{
	struct memory *m = container_of(r, struct memory_reader, base)->m;

	pthread_mutex_lock(&m->lock);
	return m;
}

struct spool_reader *
memory_reader_open(struct store *st, struct error *err)
{
	struct memory_reader *r = NEW(struct memory_reader);

	(void)err;
	r->m = memory_of(st);
	return &r->base;
}

void
memory_reader_close(struct spool_reader **r)
{
	if (*r != NULL)
		mem_free(container_of(*r, struct memory_reader, base));
	*r = NULL;
}

/* --- items ----------------------------------------------------------- */

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

bool
memory_view(struct spool_reader *r, const struct spool_query *q,
	    void (*row)(void *arg, const struct item *item), void *arg,
	    struct error *err)
{
	struct memory *m = reader_lock(r);
	size_t seen = 0;

	(void)err;
	for (size_t i = memory_place(m, q->after + 1); i < m->n && seen < q->max;
	     i++) {
		if (!query_fits(q, m->items[i]))
			continue;
		row(arg, m->items[i]);
		seen++;
	}
	pthread_mutex_unlock(&m->lock);
	return true;
}

enum spool_status
memory_view_item(struct spool_reader *r, uint64_t id, struct item **ret,
		 struct error *err)
{
	struct memory *m = reader_lock(r);
	const struct item *item = memory_find(m, id);

	(void)err;
	if (item != NULL)
		*ret = memory_copy(item);
	pthread_mutex_unlock(&m->lock);
	return item != NULL ? SPOOL_OK : SPOOL_GONE;
}

bool
memory_count(struct spool_reader *r, int64_t now_ms, struct spool_counts *ret,
	     struct error *err)
{
	struct memory *m = reader_lock(r);

	(void)err;
	*ret = (struct spool_counts){ .items = m->n };
	for (size_t i = 0; i < m->n; i++) {
		ret->held += m->items[i]->held;
		ret->due += memory_is_ready(m->items[i]) &&
			    m->items[i]->due_ms <= now_ms;
	}
	if (m->n > 0)
		ret->oldest_ms = m->items[0]->created_ms;
	pthread_mutex_unlock(&m->lock);
	return true;
}

bool
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

/* --- bodies ---------------------------------------------------------- */

bool
memory_read_row(struct spool_reader *r, uint64_t id, uint64_t offset, char *to,
		size_t max, size_t *got, struct error *err)
{
	struct memory *m = reader_lock(r);
	const struct body *b = memory_find_body(m, id);
	struct span piece = SPAN_NONE;

	if (b != NULL)
		piece = span_sub(buf_span(&b->bytes), offset, max);
	if (piece.n > 0)
		memcpy(to, piece.p, piece.n);
	*got = piece.n;
	pthread_mutex_unlock(&m->lock);
	return b != NULL || error_set(err, ERROR_SYSTEM, "the body is gone");
}

bool
memory_has_body(struct spool_reader *r, uint64_t id, bool *ret,
		struct error *err)
{
	struct memory *m = reader_lock(r);

	(void)err;
	*ret = memory_find_body(m, id) != NULL;
	pthread_mutex_unlock(&m->lock);
	return true;
}
