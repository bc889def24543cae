/* sqlite_accept.c - rows of what is accepted
 *
 * Inside the batch's transaction.  STORE_REFUSED leaves nothing of the
 * operation; any other failure rolls back the batch.
 */
#include "spool/sqlite_bind.h"

/* --- items ----------------------------------------------------------- */

static void
bind_state(sqlite3_stmt *stmt, const struct item *item, uint64_t owner)
{
	bind_id(stmt, 1, item->id);
	if (item->claimed)
		bind_id(stmt, 2, owner);
	else
		sqlite3_bind_null(stmt, 2);
	sqlite3_bind_int64(stmt, 3, item->due_ms);
	sqlite3_bind_int(stmt, 4, (int)item->lane);
	sqlite3_bind_int(stmt, 5, item->held);
	sqlite3_bind_int(stmt, 6, item->uncertain);
	sqlite3_bind_int(stmt, 7, (int)item->attempts);
	sqlite3_bind_int64(stmt, 8, item->warned_ms);
	sqlite3_bind_int64(stmt, 9, item->created_ms);
	if (item->body->id == item_message(item->id))
		sqlite3_bind_null(stmt, 10);
	else
		bind_id(stmt, 10, item->body->id);
}

static enum store_result
item_add(struct sqlite *q, const struct item *item, struct error *err)
{
	sqlite3_stmt *stmt = statement(&q->c, Q_ITEM_ADD);
	const struct envelope *env = item->env;
	const struct origin *o = &item->origin;
	struct span prefix = buf_span(&item->prefix);

	bind_state(stmt, item, q->store.owner);
	sqlite3_bind_int(stmt, 11, (int)env->body);
	sqlite3_bind_int(stmt, 12, env->smtputf8);
	sqlite3_bind_int(stmt, 13, (int)env->ret);
	bind_optional(stmt, 14, env->envid);
	bind_str(stmt, 15, item->route);
	bind_span(stmt, 16, env->sender.text);
	bind_str(stmt, 17, o->client);
	bind_str(stmt, 18, o->helo);
	bind_str(stmt, 19, o->user);
	bind_str(stmt, 20, o->listener);
	bind_str(stmt, 21, o->message_id);
	bind_str(stmt, 22, item->last);
	sqlite3_bind_blob(stmt, 23, prefix.n ? prefix.p : "", (int)prefix.n,
			  SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 24, item->paused_ms);
	sqlite3_bind_int64(stmt, 25, (int64_t)item->sealed);
	bind_id(stmt, 26, item->sealed_by);
	return sqlite_run(q, stmt, err);
}

static enum store_result
rcpts_add(struct sqlite *q, const struct item *item, struct error *err)
{
	sqlite3_stmt *stmt = statement(&q->c, Q_RCPT_ADD);
	enum store_result r = STORE_OK;

	bind_id(stmt, 1, item->id);
	for (size_t i = 0; i < item->env->rcpt_count && r == STORE_OK; i++) {
		const struct rcpt *rcpt = &item->env->rcpts[i];

		sqlite3_bind_int64(stmt, 2, (int64_t)i);
		bind_span(stmt, 3, rcpt->address.text);
		sqlite3_bind_int(stmt, 4, (int)rcpt->notify);
		bind_optional(stmt, 5, rcpt->orcpt);
		sqlite3_bind_int(stmt, 6, (int)item->rcpts[i].state);
		bind_str(stmt, 7, item->rcpts[i].last);
		r = sqlite_run(q, stmt, err);
	}
	return r;
}

/* --- bodies ---------------------------------------------------------- */

static bool
body_at_hand(const struct body *b)
{
	return body_in_memory(b) || b->files != NULL;
}

/* A body that is neither in memory nor a file just written is in the store
 * already: one more item names it. */
static enum store_result
body_share(struct sqlite *q, const struct body *b, int refs, struct error *err)
{
	sqlite3_stmt *stmt = statement(&q->c, Q_BODY_SHARE);
	enum store_result r;

	bind_id(stmt, 1, b->id);
	sqlite3_bind_int(stmt, 2, refs);
	r = sqlite_run(q, stmt, err);
	if (r != STORE_OK || sqlite3_changes(q->c.db) > 0)
		return r;
	error_set(err, ERROR_SYSTEM, "the body of a message is gone");
	return STORE_REFUSED;
}

static enum store_result
body_add(struct sqlite *q, const struct body *b, int refs, struct error *err)
{
	sqlite3_stmt *stmt;
	struct span bytes = buf_span(&b->bytes);

	if (!body_at_hand(b))
		return body_share(q, b, refs, err);
	stmt = statement(&q->c, Q_BODY_ADD);
	bind_id(stmt, 1, b->id);
	sqlite3_bind_int(stmt, 2, refs);
	bind_id(stmt, 3, b->size);
	sqlite3_bind_int(stmt, 4, (b->has_8bit ? BODY_8BIT : 0) |
				  (b->header_8bit ? BODY_HEADER_8BIT : 0));
	sqlite3_bind_int(stmt, 5, b->in_file);
	if (b->in_file)
		sqlite3_bind_null(stmt, 6);
	else
		sqlite3_bind_blob64(stmt, 6, bytes.n ? bytes.p : "", bytes.n,
				    SQLITE_STATIC);
	return sqlite_run(q, stmt, err);
}

/* Each distinct body once, with the number of items that name it. */
static enum store_result
bodies_add(struct sqlite *q, const struct spool_accept *a, struct error *err)
{
	enum store_result r = STORE_OK;

	for (size_t i = 0; i < a->n && r == STORE_OK; i++) {
		uint64_t id = a->items[i]->body->id;
		bool before = false;
		int refs = 0;

		for (size_t j = 0; j < a->n; j++) {
			bool same = a->items[j]->body->id == id;

			before = before || (same && j < i);
			refs += same;
		}
		if (!before)
			r = body_add(q, a->items[i]->body, refs, err);
	}
	return r;
}

/* --- both ------------------------------------------------------------ */

static enum store_result
accept_all(struct sqlite *q, const struct spool_accept *a, struct error *err)
{
	enum store_result r = STORE_OK;

	for (size_t i = 0; i < a->n && r == STORE_OK; i++) {
		r = item_add(q, a->items[i], err);
		if (r == STORE_OK)
			r = rcpts_add(q, a->items[i], err);
	}
	return r == STORE_OK ? bodies_add(q, a, err) : r;
}

enum store_result
sqlite_accept(struct store *st, struct spool_accept *a, struct error *err)
{
	struct sqlite *q = sqlite_of(st);
	enum store_result r;

	/* of one item whose body is at hand only the first insert can be
	 * refused, so nothing needs to be undone */
	if (a->n == 1 && body_at_hand(a->items[0]->body))
		return accept_all(q, a, err);
	r = sqlite_run(q, statement(&q->c, Q_SAVE), err);
	if (r != STORE_OK)
		return r;
	r = accept_all(q, a, err);
	if (r == STORE_REFUSED &&
	    statement_run(statement(&q->c, Q_SAVE_BACK)) != SQLITE_DONE)
		r = STORE_BROKEN;
	if (r == STORE_OK || r == STORE_REFUSED)
		statement_run(statement(&q->c, Q_SAVE_DONE));
	return r;
}
