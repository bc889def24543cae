/* sqlite_write.c - what the writer does with rows that are there
 *
 * Inside the batch's transaction.  STORE_GONE and STORE_REFUSED leave nothing
 * of the operation; any other failure rolls back the batch.
 */
#include "spool/sqlite_bind.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"

static const struct log spool_log = { .room = "spool" };

enum { NEAR_MOST = 1000 };		/* rows that a claim brings near */

/* --- remove ---------------------------------------------------------- */

static enum store_result
run_id(struct sqlite *q, enum sqlite_stmt_id which, uint64_t id,
       struct error *err)
{
	sqlite3_stmt *stmt = statement(&q->c, which);

	bind_id(stmt, 1, id);
	return sqlite_run(q, stmt, err);
}

static enum store_result
ask_id(struct sqlite *q, enum sqlite_stmt_id which, uint64_t id, int64_t *ret,
       struct error *err)
{
	sqlite3_stmt *stmt = statement(&q->c, which);

	bind_id(stmt, 1, id);
	return sqlite_result(&q->c, statement_number(stmt, -1, ret), err);
}

static enum store_result
body_release(struct sqlite *q, uint64_t id, struct error *err)
{
	enum store_result r = run_id(q, Q_BODY_REMOVE_ROW, id, err);
	int64_t refs;

	if (r != STORE_OK || sqlite3_changes(q->c.db) > 0)
		return r;
	r = ask_id(q, Q_BODY_REFS, id, &refs, err);
	if (r != STORE_OK || refs < 0)
		return r;
	if (refs > 1)
		return run_id(q, Q_BODY_UNSHARE, id, err);
	r = run_id(q, Q_BODY_REMOVE, id, err);
	if (r == STORE_OK)
		ids_add(&q->store.gone, id);
	return r;
}

enum store_result
sqlite_remove(struct sqlite *q, uint64_t id, struct error *err)
{
	enum store_result r = run_id(q, Q_ITEM_REMOVE_OWN, id, err);
	int64_t body = (int64_t)item_message(id);

	if (r != STORE_OK)
		return r;
	if (sqlite3_changes(q->c.db) == 0) {
		r = ask_id(q, Q_ITEM_BODY, id, &body, err);
		if (r != STORE_OK || body < 0)
			return r == STORE_OK ? STORE_GONE : r;
		r = run_id(q, Q_ITEM_REMOVE, id, err);
	}
	if (r == STORE_OK)
		r = run_id(q, Q_RCPTS_REMOVE, id, err);
	return r == STORE_OK ? body_release(q, (uint64_t)body, err) : r;
}

/* --- claim ----------------------------------------------------------- */

/* No schedule leads so far: it is due now.  A large queue comes near in the
 * steps of several claims, as nothing else is written meanwhile; what is still
 * far away is the next that is due, which the caller knows to be too late. */
static enum store_result
bring_near(struct sqlite *q, const struct spool_claim *c, struct error *err)
{
	sqlite3_stmt *stmt;

	if (c->latest_ms == 0)
		return STORE_OK;
	stmt = statement(&q->c, Q_TOO_LATE);
	sqlite3_bind_int64(stmt, 1, c->now_ms);
	sqlite3_bind_int64(stmt, 2, c->latest_ms);
	sqlite3_bind_int64(stmt, 3, NEAR_MOST);
	return sqlite_run(q, stmt, err);
}

static enum store_result
due_ids(struct sqlite *q, const struct spool_claim *c, struct ids *ret,
	struct error *err)
{
	sqlite3_stmt *stmt = statement(&q->c, Q_DUE);
	int rc;

	sqlite3_bind_int64(stmt, 1, c->now_ms);
	sqlite3_bind_int64(stmt, 2, (int64_t)MIN(c->most, (size_t)INT32_MAX));
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		ids_add(ret, (uint64_t)sqlite3_column_int64(stmt, 0));
	sqlite3_reset(stmt);
	return sqlite_result(&q->c, rc, err);
}

/* Rows that make no sense are held, for a person to look at. */
static enum store_result
damaged(struct sqlite *q, uint64_t id, const struct error *why,
	struct error *err)
{
	sqlite3_stmt *stmt = statement(&q->c, Q_DAMAGED);
	char text[ITEM_TEXT];

	log_error(&spool_log, "item %s is held: %s", item_id_text(id, text),
		  why->text);
	bind_id(stmt, 1, id);
	bind_str(stmt, 2, why->text);
	return sqlite_run(q, stmt, err);
}

static enum store_result
take(struct sqlite *q, uint64_t id, struct spool_claim *c, struct error *err)
{
	sqlite3_stmt *stmt = statement(&q->c, Q_TAKE);
	struct item *item = NULL;
	struct error why;
	enum store_result r;

	bind_id(stmt, 1, id);
	bind_id(stmt, 2, q->store.owner);
	r = sqlite_run(q, stmt, err);
	if (r != STORE_OK)
		return r;
	r = item_load(&q->c, id, &item, &why);
	if (r == STORE_OK && item->body->id == 0) {
		item_free(&item);
		error_set(&why, ERROR_SYSTEM, "its body is missing");
		r = STORE_REFUSED;
	}
	if (r == STORE_REFUSED)
		return damaged(q, id, &why, err);
	if (r != STORE_OK)
		*err = why;
	else
		c->items[c->n++] = item;
	return r;
}

enum store_result
sqlite_claim(struct store *st, struct spool_claim *c, struct error *err)
{
	struct sqlite *q = sqlite_of(st);
	AUTO(ids_fini) struct ids ids = { 0 };
	enum store_result r = bring_near(q, c, err);
	int64_t room = c->room;
	bool more = true;

	if (r == STORE_OK)
		r = due_ids(q, c, &ids, err);
	if (r != STORE_OK)
		return r;
	c->items = ids.n ? mem_array(ids.n, sizeof(*c->items)) : NULL;
	for (size_t i = 0; i < ids.n && r == STORE_OK && more; i++) {
		size_t had = c->n;

		r = take(q, ids.v[i], c, err);
		/* a damaged row weighs nothing */
		more = c->n == had || claim_goes_on(c, &room);
	}
	if (r == STORE_OK)
		r = sqlite_result(&q->c, statement_number(
				  statement(&q->c, Q_NEXT_DUE), -1,
				  &c->next_due_ms), err);
	return r;
}

/* --- settle ---------------------------------------------------------- */

static enum store_result
settle_rcpt(struct sqlite *q, uint64_t id, const struct settle_rcpt *rcpt,
	    struct error *err)
{
	sqlite3_stmt *stmt = statement(&q->c, Q_RCPT_SETTLE);

	bind_id(stmt, 1, id);
	bind_id(stmt, 2, rcpt->index);
	sqlite3_bind_int(stmt, 3, (int)rcpt->state);
	bind_str(stmt, 4, rcpt->last);
	return sqlite_run(q, stmt, err);
}

/* What a stay does not change. */
static void
bind_leave(sqlite3_stmt *stmt, const struct spool_settle *t)
{
	struct span prefix = buf_span(&t->prefix);

	sqlite3_bind_int64(stmt, 6, t->paused_ms);
	if (prefix.n == 0) {	/* as it was */
		for (int i = 7; i <= 9; i++)
			sqlite3_bind_null(stmt, i);
		return;
	}
	sqlite3_bind_blob(stmt, 7, prefix.p, (int)prefix.n, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 8, (int64_t)t->sealed);
	bind_id(stmt, 9, t->sealed_by);
}

enum store_result
sqlite_settle(struct store *st, struct spool_settle *t, struct error *err)
{
	struct sqlite *q = sqlite_of(st);
	sqlite3_stmt *stmt;
	enum store_result r;

	if (t->fate == FATE_DONE)
		return sqlite_remove(q, t->id, err);
	stmt = statement(&q->c, t->fate == FATE_STAY ? Q_ITEM_STAY
						     : Q_ITEM_LEAVE);
	bind_id(stmt, 1, t->id);
	sqlite3_bind_int64(stmt, 2, t->due_ms);
	sqlite3_bind_int64(stmt, 3, t->warned_ms);
	sqlite3_bind_int(stmt, 4, (int)t->attempts);
	bind_str(stmt, 5, t->last);
	if (t->fate == FATE_RELEASE)
		bind_leave(stmt, t);
	r = sqlite_run(q, stmt, err);
	if (r == STORE_OK && sqlite3_changes(q->c.db) == 0)
		return STORE_GONE;
	for (size_t i = 0; i < t->rcpt_count && r == STORE_OK; i++)
		r = settle_rcpt(q, t->id, &t->rcpts[i], err);
	return r;
}

/* --- act ------------------------------------------------------------- */

static enum store_result
act_remove(struct sqlite *q, uint64_t id, struct error *err)
{
	int64_t unclaimed = 0;
	enum store_result r = ask_id(q, Q_UNCLAIMED, id, &unclaimed, err);

	if (r == STORE_OK && unclaimed <= 0)
		return STORE_GONE;
	return r == STORE_OK ? sqlite_remove(q, id, err) : r;
}

/* STORE_GONE: it is not one of those that the verb is for. */
static enum store_result
act_on(struct sqlite *q, enum spool_verb verb, uint64_t id, struct error *err)
{
	static const enum sqlite_stmt_id updates[] = {
		[SPOOL_HOLD] = Q_HOLD, [SPOOL_RELEASE] = Q_RELEASE,
		[SPOOL_RETRY] = Q_RETRY,
	};
	sqlite3_stmt *stmt;
	enum store_result r;

	if (verb == SPOOL_REMOVE)
		return act_remove(q, id, err);
	stmt = statement(&q->c, updates[verb]);
	bind_id(stmt, 1, id);
	if (verb == SPOOL_RETRY)
		sqlite3_bind_int64(stmt, 2, clock_steady_ms());
	r = sqlite_run(q, stmt, err);
	if (r == STORE_OK && sqlite3_changes(q->c.db) == 0)
		return STORE_GONE;
	return r;
}

/* Whoever tells of it reads the item while it is there. */
static enum store_result
act_on_one(struct sqlite *q, struct spool_act *a, uint64_t id,
	   struct error *err)
{
	AUTO(item_free) struct item *item = NULL;
	bool wanted = met_wants(a);
	struct error why;
	enum store_result r;

	if (wanted && item_load(&q->c, id, &item, &why) != STORE_OK)
		item_free(&item);
	r = act_on(q, a->verb, id, err);
	if (r != STORE_OK)
		return r;
	a->ran++;
	if (wanted)
		met_add(a, id, item);
	return STORE_OK;
}

/* The next ids that are meant: of the list (at counts along it), or of the
 * queue (at is the last id seen). */
static enum store_result
act_ids(struct sqlite *q, struct spool_act *a, size_t max, struct ids *ret,
	struct error *err)
{
	sqlite3_stmt *stmt;
	int rc;

	if (a->ids != NULL) {
		while (a->ran_at < a->n && ret->n < max)
			ids_add(ret, a->ids[a->ran_at++]);
		return STORE_OK;
	}
	stmt = statement(&q->c, Q_SOME);
	bind_id(stmt, 1, a->ran_at);
	bind_str(stmt, 2, a->route);
	sqlite3_bind_int64(stmt, 3, (int64_t)max);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		ids_add(ret, (uint64_t)sqlite3_column_int64(stmt, 0));
	sqlite3_reset(stmt);
	if (ret->n > 0)
		a->ran_at = ret->v[ret->n - 1];
	return sqlite_result(&q->c, rc, err);
}

enum store_result
sqlite_act(struct store *st, struct spool_act *a, size_t max, bool *more,
	   struct error *err)
{
	struct sqlite *q = sqlite_of(st);
	AUTO(ids_fini) struct ids ids = { 0 };
	enum store_result r = act_ids(q, a, max, &ids, err);

	for (size_t i = 0; i < ids.n && r == STORE_OK; i++) {
		r = act_on_one(q, a, ids.v[i], err);
		if (r == STORE_GONE)
			r = STORE_OK;
	}
	*more = ids.n == max;
	return r;
}
