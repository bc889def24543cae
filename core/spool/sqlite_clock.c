/* sqlite_clock.c - where the steady clock stands, kept in the spool
 *
 * A table of its own with one row, which older versions do not look at, so
 * that the schema keeps its number.  The row is written at the start, at the
 * end, and in between now and then, when something else was written: what is
 * in the queue is what the clock is for.  It is never part of a transaction
 * that matters: what cannot be kept (the disk is full) is tried again after a
 * while, and costs no more than time that is not known of after a restart.
 */
#include "spool/sqlite_bind.h"

#include "base/clock.h"
#include "base/log.h"

#include <string.h>

static const struct log spool_log = { .room = "spool" };

enum {
	KEEP_EVERY_MS = 60 * 1000,
	KEEP_JUMP_MS = 1000,		/* the wall clock was set: at once */
};

#define SANE_MS (INT64_C(1) << 50)

static const char make_sql[] =
	"CREATE TABLE IF NOT EXISTS clock ("
	" id INTEGER PRIMARY KEY CHECK (id = 1), boot TEXT NOT NULL,"
	" now INTEGER NOT NULL, wall INTEGER NOT NULL,"
	" steady INTEGER NOT NULL,"
	" start INTEGER NOT NULL)";	/* whose: as in state.boot */

/* --- reading --------------------------------------------------------- */

static bool
is_sane(sqlite3_stmt *row, int column)
{
	int64_t ms = sqlite3_column_int64(row, column);

	return sqlite3_column_type(row, column) == SQLITE_INTEGER && ms >= 0 &&
	       ms < SANE_MS;
}

static bool
mark_take(sqlite3_stmt *row, struct clock_mark *ret)
{
	struct span boot = { (const char *)sqlite3_column_text(row, 0),
			     (size_t)sqlite3_column_bytes(row, 0) };

	if (boot.n >= sizeof(ret->boot) || !is_sane(row, 1) ||
	    !is_sane(row, 2) || !is_sane(row, 3))
		return false;
	memset(ret->boot, 0, sizeof(ret->boot));
	if (boot.n > 0)
		memcpy(ret->boot, boot.p, boot.n);
	ret->now_ms = sqlite3_column_int64(row, 1);
	ret->wall_ms = sqlite3_column_int64(row, 2);
	ret->steady_ms = sqlite3_column_int64(row, 3);
	return ret->steady_ms > 0;
}

/* False: there is none, or none that can be true.  *latest: and no version
 * that keeps none has written since. */
static bool
mark_read(struct sqlite *q, struct clock_mark *ret, bool *latest)
{
	sqlite3_stmt *stmt = NULL;
	bool ok;

	sqlite3_prepare_v2(q->c.db, "SELECT boot, now, wall, steady, start ="
			   " (SELECT boot FROM state) FROM clock", -1, &stmt,
			   NULL);
	ok = stmt != NULL && sqlite3_step(stmt) == SQLITE_ROW &&
	     mark_take(stmt, ret);
	*latest = ok && sqlite3_column_int(stmt, 4) == 1;
	sqlite3_finalize(stmt);
	return ok;
}

/* Without a mark the newest item is the last that is known of the time.  One
 * from the future proves that the clock was wrong then. */
static void
resume_from_items(int64_t newest_ms)
{
	struct clock_mark last = { .wall_ms = newest_ms,
				   .steady_ms = newest_ms };

	clock_resume(newest_ms <= clock_wall_ms() ? &last : NULL);
}

/* Nothing in the queue has a time in it: an old error need not stay for ever.
 * As long as it is small, it does; there are other files with such times. */
static void
resume_empty(const struct clock_mark *mark)
{
	int64_t apart_ms;

	clock_resume(mark);
	apart_ms = clock_wall_ms() - clock_steady_ms();
	if (apart_ms > CLOCK_BELIEVED_MS || apart_ms < -CLOCK_BELIEVED_MS)
		clock_resume(NULL);
}

/* As long as the clock was kept times rise with the ids, but for a message that
 * took its time to come; only where it was not, a start reads all items. */
bool
sqlite_clock_resume(struct sqlite *q, struct error *err)
{
	struct clock_mark mark;
	int64_t newest_ms;
	bool kept, latest;

	if (q->clock_runs)
		return true;
	kept = mark_read(q, &mark, &latest);
	if (!connection_number(&q->c, latest ? "SELECT created FROM item"
			       " ORDER BY id DESC LIMIT 1"
			       : "SELECT max(created) FROM item", &newest_ms,
			       err))
		return false;
	if (newest_ms == 0)
		resume_empty(kept ? &mark : NULL);
	else if (kept)
		clock_resume(&mark);
	else
		resume_from_items(newest_ms);
	q->ahead = newest_ms > clock_steady_ms();
	q->clock_runs = true;
	return true;
}

/* What was made in the future was made now. */
bool
sqlite_clock_begin(struct sqlite *q, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	if (!q->ahead)
		return true;
	rc = sqlite3_prepare_v2(q->c.db, "UPDATE item SET created = ?1"
				" WHERE created > ?1", -1, &stmt, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(stmt, 1, clock_steady_ms());
		rc = statement_run(stmt);
	}
	sqlite3_finalize(stmt);
	return sqlite_result(&q->c, rc, err) == STORE_OK;
}

/* --- writing --------------------------------------------------------- */

static int
mark_write(struct sqlite *q, const struct clock_mark *mark)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_exec(q->c.db, make_sql, NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(q->c.db, "INSERT OR REPLACE INTO clock"
					" VALUES (1, ?1, ?2, ?3, ?4, ?5)",
					-1, &stmt, NULL);
	if (rc == SQLITE_OK) {
		bind_str(stmt, 1, mark->boot);
		sqlite3_bind_int64(stmt, 2, mark->now_ms);
		sqlite3_bind_int64(stmt, 3, mark->wall_ms);
		sqlite3_bind_int64(stmt, 4, mark->steady_ms);
		bind_id(stmt, 5, q->store.owner);
		rc = statement_run(stmt);
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* One that is not as it should be is made anew. */
static bool
mark_keep(struct sqlite *q, const struct clock_mark *mark)
{
	int rc = mark_write(q, mark);

	if (rc == SQLITE_ERROR &&
	    sqlite3_exec(q->c.db, "DROP TABLE clock", NULL, NULL, NULL) ==
	    SQLITE_OK)
		rc = mark_write(q, mark);
	return rc == SQLITE_DONE;
}

/* Asked after each batch, so that clocks alone are read. */
static bool
mark_is_old(const struct clock_mark *was)
{
	int64_t jumped = (clock_wall_ms() - clock_steady_ms()) -
			 (was->wall_ms - was->steady_ms);

	return clock_now_ms() - was->now_ms >= KEEP_EVERY_MS ||
	       jumped > KEEP_JUMP_MS || jumped < -KEEP_JUMP_MS;
}

void
sqlite_clock_keep(struct sqlite *q, bool in_any_case)
{
	struct clock_mark mark;

	if (q->c.db == NULL || !q->clock_runs)
		return;
	if (!in_any_case && !mark_is_old(&q->mark))
		return;
	clock_mark(&mark);
	if (!mark_keep(q, &mark) && !q->mark_failed) {
		q->mark_failed = true;
		log_warning(&spool_log, "the queue cannot keep the time: %s; "
			    "ages may begin again at the next start",
			    sqlite3_errmsg(q->c.db));
	}
	q->mark = mark;			/* in any case not again at once */
}
