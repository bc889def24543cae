/* sqlite_room.c - what the database takes of the disk, and when
 *
 * A page that is committed is in the log (the WAL) and, until a checkpoint, in
 * the log alone.  What the database's file will grow by is taken from the disk
 * before the commit nevertheless, so that a checkpoint never needs room: on
 * a disk that is full, whoever filled it, the log can be put in its place and
 * then has all of its own room again, for results and removals.  (Where a
 * file system needs room to overwrite what is there, the reserve must do.)
 *
 * Only the size is taken.  Pages of bodies that came and went before the next
 * checkpoint are never written to the database: there is one when nothing is
 * to be done, when the log is large, and after each batch on a full disk.
 */
#include "spool/sqlite.h"

#include "base/macros.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
	GROW_STEP = 1024 * 1024,	/* of the file, where there is room */
	WAL_LARGE = 32 * 1024 * 1024,	/* then a checkpoint is made at once */
	WAL_KEEPS = 64 * 1024 * 1024,	/* when it begins anew */
	WAL_STEP = 8 * 1024 * 1024,	/* after one that a reader held up */
	SPARE_PAGES = 4096,		/* free ones that stay: 16 MiB */
	VACUUM_PAGES = 1024,		/* given back in one step */
	FULL_SPARE = 0,			/* the same on a full disk, where a */
	FULL_VACUUM = 256,		/* step takes room before it makes some */
	FULL_WAL = 4 * 1024 * 1024,	/* and what the log keeps, for results */
};

/* --- growth ---------------------------------------------------------- */

static int64_t
file_pages(const struct sqlite *q)
{
	struct stat st;

	return fstat(q->file, &st) < 0 ? 0
	       : (int64_t)st.st_size / q->page_size;
}

/* A file system that cannot take room ahead says so, and is not asked more
 * of. */
static bool
file_grow(const struct sqlite *q, int64_t from, int64_t to, struct error *err)
{
	int e = posix_fallocate(q->file, from * q->page_size,
				(to - from) * q->page_size);

	if (e != ENOSPC && e != EDQUOT && e != EFBIG)
		return true;
	errno = e;
	return error_errno(err, "%s", q->path);
}

static bool
grow_to(const struct sqlite *q, int64_t pages, struct error *err)
{
	int64_t has = file_pages(q), step = GROW_STEP / q->page_size;

	return has >= pages ||
	       file_grow(q, has, (pages / step + 1) * step, err) ||
	       file_grow(q, has, pages, err);
}

/* pages: those of the database; its file has them, or they could not be had
 * and are owed. */
static void
measure(struct sqlite *q, int64_t pages)
{
	q->pages = MAX(pages, file_pages(q));
}

static enum store_result
page_count(struct sqlite *q, int64_t *ret, struct error *err)
{
	int rc = statement_number(statement(&q->c, Q_PAGES), 0, ret);

	return sqlite_result(&q->c, rc, err);
}

enum store_result
room_take(struct sqlite *q, struct error *err)
{
	int64_t pages = 0;
	enum store_result r = page_count(q, &pages, err);

	if (r != STORE_OK || pages <= q->pages)
		return r;
	if (!grow_to(q, pages, err))
		return STORE_FULL;
	measure(q, pages);
	return STORE_OK;
}

/* --- checkpoints ----------------------------------------------------- */

static enum store_result
checkpoint(struct sqlite *q, struct error *err)
{
	int frames = 0, written = 0, rc;
	int64_t pages = 0;

	rc = sqlite3_wal_checkpoint_v2(q->c.db, NULL,
				       SQLITE_CHECKPOINT_PASSIVE, &frames,
				       &written);
	/* a reader stands in the way, or there is no room: later */
	if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED ||
	    (rc & 0xff) == SQLITE_FULL)
		return STORE_OK;
	if (rc != SQLITE_OK || frames != written)
		return sqlite_result(&q->c, rc, err);
	q->store.dirty = false;
	/* it has cut off what was taken and is not used */
	if (page_count(q, &pages, err) == STORE_OK)
		measure(q, pages);
	return STORE_OK;
}

/* A crash of the machine may have undone what was taken.  The log that was
 * found is put in its place first of all: that makes room in it for what is
 * committed at the start, where the disk has none. */
void
room_begin(struct sqlite *q)
{
	int64_t pages = 0;
	struct error err;

	q->wal_limit = -1;
	q->store.dirty = true;
	if (page_count(q, &pages, &err) == STORE_OK)
		grow_to(q, pages, &err);
	measure(q, pages);
	checkpoint(q, &err);
}

/* After a backlog the file gives its space back, a step at a time; each
 * makes the log dirty, so that the next idle moment goes on. */
static enum store_result
shrink(struct sqlite *q, int64_t keeps, int64_t step, struct error *err)
{
	char sql[60];
	int64_t spare = 0;

	if (!connection_number(&q->c, "PRAGMA freelist_count", &spare, err))
		return STORE_FAILED;
	if (spare <= keeps)
		return STORE_OK;
	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)",
		 (int)MIN(spare - keeps, step));
	return sqlite_result(&q->c, sqlite3_exec(q->c.db, sql, NULL, NULL,
						 NULL), err);
}

/* Applies when the log begins anew. */
static void
limit_log(struct sqlite *q, int64_t bytes)
{
	char sql[60];

	if (bytes == q->wal_limit)
		return;
	snprintf(sql, sizeof(sql), "PRAGMA journal_size_limit = %lld",
		 (long long)bytes);
	if (sqlite3_exec(q->c.db, sql, NULL, NULL, NULL) == SQLITE_OK)
		q->wal_limit = bytes;
}

enum store_result
sqlite_housekeep(struct store *st, enum store_house how, struct error *err)
{
	struct sqlite *q = container_of(st, struct sqlite, store);
	int64_t since = (q->wal_frames - q->wal_checked) * q->page_size;
	bool full = how == HOUSE_FULL;
	enum store_result r;

	if (!full)
		sqlite_clock_keep(q, false);
	limit_log(q, full ? FULL_WAL : WAL_KEEPS);
	if (how == HOUSE_BUSY &&
	    since < (q->wal_checked ? WAL_STEP : WAL_LARGE))
		return STORE_OK;
	r = checkpoint(q, err);
	q->wal_checked = q->wal_frames;
	if (r != STORE_OK || how == HOUSE_BUSY)
		return r;
	if (!q->store.dirty)
		r = full ? shrink(q, FULL_SPARE, FULL_VACUUM, err)
			 : shrink(q, SPARE_PAGES, VACUUM_PAGES, err);
	sqlite3_db_release_memory(q->c.db);
	return r;
}
