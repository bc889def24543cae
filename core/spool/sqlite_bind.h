/* sqlite_bind.h - values into the writer's statements, and running them
 *
 * What is bound is not copied: it lives until the statement has run.
 */
#ifndef SPOOL_SQLITE_BIND_H
#define SPOOL_SQLITE_BIND_H

#include "spool/sqlite.h"

#include "base/macros.h"

static inline struct sqlite *
sqlite_of(struct store *st)
{
	return container_of(st, struct sqlite, store);
}

/* To its end; the number of rows that changed is the connection's. */
static inline enum store_result
sqlite_run(struct sqlite *q, sqlite3_stmt *stmt, struct error *err)
{
	return sqlite_result(&q->c, statement_run(stmt), err);
}

static inline void
bind_id(sqlite3_stmt *stmt, int at, uint64_t id)
{
	sqlite3_bind_int64(stmt, at, (int64_t)id);
}

static inline void
bind_str(sqlite3_stmt *stmt, int at, const char *s)
{
	sqlite3_bind_text(stmt, at, s, -1, SQLITE_STATIC);
}

/* An empty span is an empty text. */
static inline void
bind_span(sqlite3_stmt *stmt, int at, struct span s)
{
	sqlite3_bind_text(stmt, at, s.n ? s.p : "", (int)s.n, SQLITE_STATIC);
}

/* For columns where nothing is NULL, which takes no space. */
static inline void
bind_optional(sqlite3_stmt *stmt, int at, struct span s)
{
	if (s.n == 0)
		sqlite3_bind_null(stmt, at);
	else
		bind_span(stmt, at, s);
}

#endif
