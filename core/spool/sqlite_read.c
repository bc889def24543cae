/* sqlite_read.c - rows to items, and the readers
 *
 * A reader has a connection of its own: what it sees is one snapshot for as
 * long as a statement runs, never half a batch.
 */
#include "spool/sqlite.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "spool/backlog.h"

#include <string.h>

/* The order of ITEM_COLUMNS. */
enum column {
	C_ID, C_OWNER, C_DUE, C_LANE, C_HELD, C_UNCERTAIN, C_ATTEMPTS,
	C_WARNED, C_CREATED, C_KIND, C_SMTPUTF8, C_RET, C_ENVID, C_ROUTE,
	C_SENDER, C_CLIENT, C_HELO, C_USER, C_LISTENER, C_MESSAGE_ID,
	C_LAST, C_PREFIX, C_PAUSED, C_SEALED, C_SEALED_BY, C_BODY, C_BODY_SIZE, C_BODY_FLAGS, C_BODY_IN_FILE,
};

struct sqlite_reader {
	struct spool_reader base;
	struct connection c;
};

/* --- columns --------------------------------------------------------- */

static struct span
column_span(sqlite3_stmt *stmt, int at)
{
	const void *p = sqlite3_column_blob(stmt, at);

	return (struct span){ p, (size_t)sqlite3_column_bytes(stmt, at) };
}

static char *
column_dup(sqlite3_stmt *stmt, int at)
{
	const char *s = (const char *)sqlite3_column_text(stmt, at);

	return s ? mem_strdup(s) : NULL;
}

/* What was an address when it was stored. */
static struct address
address_of(struct span text)
{
	size_t at = span_rfind(text, '@');

	if (text.n > 0 && text.p[text.n - 1] == '"')
		at = text.n;	/* a quoted local part, and no domain */
	return (struct address){
		.text = text,
		.local = span_sub(text, 0, at),
		.domain = span_from(text, MIN(at + 1, text.n)),
	};
}

/* --- an item --------------------------------------------------------- */

static void
load_state(struct item *item, sqlite3_stmt *row)
{
	struct body *b = NEW(struct body);
	int flags;

	item->id = (uint64_t)sqlite3_column_int64(row, C_ID);
	item->claimed = sqlite3_column_type(row, C_OWNER) != SQLITE_NULL;
	item->due_ms = sqlite3_column_int64(row, C_DUE);
	item->lane = (unsigned)sqlite3_column_int(row, C_LANE);
	item->held = sqlite3_column_int(row, C_HELD) != 0;
	item->uncertain = sqlite3_column_int(row, C_UNCERTAIN) != 0;
	item->attempts = (unsigned)sqlite3_column_int(row, C_ATTEMPTS);
	item->warned_ms = sqlite3_column_int64(row, C_WARNED);
	item->created_ms = sqlite3_column_int64(row, C_CREATED);
	item->route = column_dup(row, C_ROUTE);
	item->last = column_dup(row, C_LAST);
	buf_add(&item->prefix, column_span(row, C_PREFIX));
	item->paused_ms = sqlite3_column_int64(row, C_PAUSED);
	item->sealed_by = (uint64_t)sqlite3_column_int64(row, C_SEALED_BY);
	item->sealed = (size_t)sqlite3_column_int64(row, C_SEALED);
	item->sealed = MIN(item->sealed, item->prefix.len);
	item->origin = (struct origin){
		.client = column_dup(row, C_CLIENT),
		.helo = column_dup(row, C_HELO),
		.user = column_dup(row, C_USER),
		.listener = column_dup(row, C_LISTENER),
		.message_id = column_dup(row, C_MESSAGE_ID),
	};
	b->refs = 1;
	b->id = (uint64_t)sqlite3_column_int64(row, C_BODY);
	b->size = (uint64_t)sqlite3_column_int64(row, C_BODY_SIZE);
	flags = sqlite3_column_int(row, C_BODY_FLAGS);
	b->has_8bit = (flags & BODY_8BIT) != 0;
	b->header_8bit = (flags & BODY_HEADER_8BIT) != 0;
	b->in_file = sqlite3_column_int(row, C_BODY_IN_FILE) != 0;
	item->body = b;
}

static struct envelope *
load_envelope(sqlite3_stmt *row)
{
	struct mail_command m = {
		.sender = address_of(column_span(row, C_SENDER)),
		.body = (enum body_kind)sqlite3_column_int(row, C_KIND),
		.smtputf8 = sqlite3_column_int(row, C_SMTPUTF8) != 0,
		.ret = (enum dsn_ret)sqlite3_column_int(row, C_RET),
		.envid = column_span(row, C_ENVID),
	};

	return envelope_new(&m);
}

static enum store_result
load_rcpts(struct connection *c, struct item *item, struct error *err)
{
	sqlite3_stmt *row = statement(c, Q_RCPTS);
	size_t n = 0, room = 0;
	int rc;

	sqlite3_bind_int64(row, 1, (int64_t)item->id);
	while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
		struct rcpt_command r = {
			.recipient = address_of(column_span(row, 0)),
			.notify = (unsigned)sqlite3_column_int(row, 1),
			.orcpt = column_span(row, 2),
		};

		envelope_add(item->env, &r, SIZE_MAX);
		if (item->env->rcpt_count != n + 1)
			break;
		if (n == room) {
			room = room ? room * 2 : 1;
			item->rcpts = mem_resize(item->rcpts, room,
						 sizeof(*item->rcpts));
		}
		item->rcpts[n++] = (struct item_rcpt){
			.state = (enum rcpt_state)sqlite3_column_int(row, 3),
			.last = column_dup(row, 4),
		};
	}
	sqlite3_reset(row);
	if (rc == SQLITE_ROW || n == 0) {
		error_set(err, ERROR_SYSTEM, n == 0 ? "it has no recipient"
			  : "it has a recipient twice");
		item->env->rcpt_count = n;
		return STORE_REFUSED;
	}
	return sqlite_result(c, rc, err);
}

/* From the row that stands in stmt. */
static enum store_result
load_row(struct connection *c, sqlite3_stmt *stmt, struct item **ret,
	 struct error *err)
{
	AUTO(item_free) struct item *item = item_new();
	enum store_result r;

	load_state(item, stmt);
	item->env = load_envelope(stmt);
	r = load_rcpts(c, item, err);
	if (r != STORE_OK)
		return r;
	envelope_freeze(item->env);
	*ret = item;
	item = NULL;
	return STORE_OK;
}

enum store_result
item_load(struct connection *c, uint64_t id, struct item **ret,
	  struct error *err)
{
	sqlite3_stmt *stmt = statement(c, Q_ITEM);
	enum store_result r;
	int rc;

	sqlite3_bind_int64(stmt, 1, (int64_t)id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		r = load_row(c, stmt, ret, err);
	else
		r = rc == SQLITE_DONE ? STORE_GONE : sqlite_result(c, rc, err);
	sqlite3_reset(stmt);
	return r;
}

/* --- readers --------------------------------------------------------- */

static struct connection *
connection_of(struct spool_reader *r)
{
	return &container_of(r, struct sqlite_reader, base)->c;
}

struct spool_reader *
sqlite_reader_open(struct store *st, struct error *err)
{
	struct sqlite *q = container_of(st, struct sqlite, store);
	struct sqlite_reader *r = NEW(struct sqlite_reader);

	if (!connection_open(&r->c, q->path, q->vfs, SQLITE_OPEN_READONLY,
			     err)) {
		mem_free(r);
		return NULL;
	}
	sqlite3_exec(r->c.db, "PRAGMA cache_size = -512; PRAGMA mmap_size = 0;"
		     "PRAGMA trusted_schema = OFF;", NULL, NULL, NULL);
	return &r->base;
}

void
sqlite_reader_close(struct spool_reader **ptr)
{
	struct spool_reader *r = *ptr;

	*ptr = NULL;
	if (r == NULL)
		return;
	connection_close(connection_of(r));
	mem_free(container_of(r, struct sqlite_reader, base));
}

bool
sqlite_view(struct spool_reader *r, const struct spool_query *q,
	    void (*row)(void *arg, const struct item *item), void *arg,
	    struct error *err)
{
	struct connection *c = connection_of(r);
	sqlite3_stmt *stmt = statement(c, Q_LIST);
	enum store_result result = STORE_OK;
	int rc;

	sqlite3_bind_int64(stmt, 1, (int64_t)q->after);
	sqlite3_bind_text(stmt, 2, q->route, -1, SQLITE_STATIC);
	sqlite3_bind_int(stmt, 3, q->held);
	sqlite3_bind_text(stmt, 4, q->address, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 5, (int64_t)MIN(q->max, (size_t)INT32_MAX));
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct item *item = NULL;

		result = load_row(c, stmt, &item, err);
		if (result == STORE_OK)
			row(arg, item);
		else if (result != STORE_REFUSED)
			break;
		item_free(&item);
	}
	sqlite3_reset(stmt);
	if (rc == SQLITE_ROW)
		return false;
	return sqlite_result(c, rc, err) == STORE_OK;
}

enum spool_status
sqlite_view_item(struct spool_reader *r, uint64_t id, struct item **ret,
		 struct error *err)
{
	enum store_result result = item_load(connection_of(r), id, ret, err);

	if (result == STORE_OK)
		return SPOOL_OK;
	return result == STORE_GONE ? SPOOL_GONE : SPOOL_FAILED;
}

bool
sqlite_count(struct spool_reader *r, int64_t now_ms, struct spool_counts *ret,
	     struct error *err)
{
	struct connection *c = connection_of(r);
	sqlite3_stmt *stmt = statement(c, Q_COUNT);
	int64_t due = 0, oldest = 0;
	int rc = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;

	if (rc == SQLITE_ROW) {
		ret->held = (uint64_t)sqlite3_column_int64(stmt, 1);
		ret->items = (uint64_t)sqlite3_column_int64(stmt, 0) +
			     ret->held;
	}
	sqlite3_reset(stmt);
	stmt = statement(c, Q_COUNT_DUE);
	sqlite3_bind_int64(stmt, 1, now_ms);
	if (rc == SQLITE_ROW)
		rc = statement_number(stmt, 0, &due);
	if (rc == SQLITE_DONE)
		rc = statement_number(statement(c, Q_OLDEST), 0, &oldest);
	ret->due = (uint64_t)due;
	ret->oldest_ms = oldest;
	return sqlite_result(c, rc, err) == STORE_OK;
}

bool
sqlite_backlogs(struct spool_reader *r, struct backlogs *all,
		struct error *err)
{
	struct connection *c = connection_of(r);
	sqlite3_stmt *row = statement(c, Q_BACKLOG);
	int rc;

	while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
		struct spool_backlog one = {
			.route = (const char *)sqlite3_column_text(row, 0),
			.items = 1,
			.claimed = (uint64_t)sqlite3_column_int(row, 1),
			.held = (uint64_t)sqlite3_column_int(row, 2),
			.oldest_ms = sqlite3_column_int64(row, 4),
			.last = (const char *)sqlite3_column_text(row, 5),
		};

		if (one.claimed == 0 && one.held == 0)
			one.next_due_ms = sqlite3_column_int64(row, 3);
		if (one.route != NULL)
			backlogs_add(all, &one);
	}
	sqlite3_reset(row);
	return sqlite_result(c, rc, err) == STORE_OK;
}

bool
sqlite_read_row(struct spool_reader *r, uint64_t id, uint64_t offset, char *to,
		size_t max, size_t *got, struct error *err)
{
	struct connection *c = connection_of(r);
	sqlite3_stmt *stmt = statement(c, Q_BODY_DATA);
	struct span piece;
	int rc;

	sqlite3_bind_int64(stmt, 1, (int64_t)id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		piece = span_sub(column_span(stmt, 0), offset, max);
		if (piece.n > 0)
			memcpy(to, piece.p, piece.n);
		*got = piece.n;
	}
	sqlite3_reset(stmt);
	if (rc == SQLITE_DONE)
		return error_set(err, ERROR_SYSTEM, "the body is gone");
	return sqlite_result(c, rc, err) == STORE_OK;
}

bool
sqlite_has_body(struct spool_reader *r, uint64_t id, bool *ret,
		struct error *err)
{
	struct connection *c = connection_of(r);
	sqlite3_stmt *stmt = statement(c, Q_BODY_EXISTS);
	int64_t there = 0;
	int rc;

	sqlite3_bind_int64(stmt, 1, (int64_t)id);
	rc = statement_number(stmt, 0, &there);
	*ret = there != 0;
	return sqlite_result(c, rc, err) == STORE_OK;
}
