/* sqlite.c - the SQLite store: opening and transactions
 *
 * WAL with synchronous=FULL: one sync of the WAL for each commit.  Checkpoints
 * are ours alone, and so is the room that they need: sqlite_room.c.
 */
#include "spool/sqlite_bind.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/mem.h"
#include "spool/lock.h"
#include "spool/reserve.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a new file takes.  To one that has it already the second is a write,
 * for which a full disk has no room before the log is in its place. */
static const char new_pragmas[] =
	"PRAGMA page_size = 4096;"
	"PRAGMA auto_vacuum = INCREMENTAL;";

/* secure_delete: Debian's SQLite overwrites what is deleted unless told
 * otherwise, which doubles what is written. */
static const char pragmas[] =
	"PRAGMA secure_delete = OFF;"
	"PRAGMA temp_store = MEMORY;"
	"PRAGMA mmap_size = 0;"
	"PRAGMA cache_size = -8192;"
	"PRAGMA trusted_schema = OFF;";

static const char wal_pragmas[] =
	"PRAGMA synchronous = FULL;"
	"PRAGMA wal_autocheckpoint = 0;";

/* --- opening --------------------------------------------------------- */

static int
on_wal(void *arg, sqlite3 *db, const char *name, int frames)
{
	struct sqlite *q = arg;

	(void)db, (void)name;
	if (frames < q->wal_frames)
		q->wal_checked = 0;
	q->wal_frames = frames;
	q->store.dirty = true;
	return SQLITE_OK;
}

static bool
exec(struct sqlite *q, const char *sql, struct error *err)
{
	int rc = sqlite3_exec(q->c.db, sql, NULL, NULL, NULL);

	return sqlite_result(&q->c, rc, err) == STORE_OK;
}

static bool
wal_mode(struct sqlite *q, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(q->c.db, "PRAGMA journal_mode = WAL", -1,
				    &stmt, NULL);
	bool on = false;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		on = strcmp((const char *)sqlite3_column_text(stmt, 0),
			    "wal") == 0;
	sqlite3_finalize(stmt);
	if (sqlite_result(&q->c, rc, err) != STORE_OK)
		return false;
	return on || error_set(err, ERROR_SYSTEM, "%s: this file system does "
			       "not support a write-ahead log", q->path);
}

static bool
file_is_new(const struct sqlite *q)
{
	struct stat st;

	return fstat(q->file, &st) == 0 && st.st_size == 0;
}

static bool
database_open(struct sqlite *q, struct error *err)
{
	int keep = 0;

	if (!connection_open(&q->c, q->path, q->vfs, SQLITE_OPEN_READWRITE, err))
		return false;
	/* one that is refused here is left as it is */
	sqlite3_db_config(q->c.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &keep);
	if ((file_is_new(q) && !exec(q, new_pragmas, err)) ||
	    !exec(q, pragmas, err) || !schema_make(&q->c, q->path, err) ||
	    !wal_mode(q, err) || !exec(q, wal_pragmas, err) ||
	    !connection_number(&q->c, "PRAGMA page_size", &q->page_size,
			       err)) {
		connection_close(&q->c);
		return false;
	}
	sqlite3_db_config(q->c.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, &keep);
	sqlite3_wal_hook(q->c.db, on_wal, q);
	q->wal_frames = q->wal_checked = 0;
	room_begin(q);
	return true;
}

static bool
state_write(struct sqlite *q, struct error *err)
{
	sqlite3_stmt *stmt = statement(&q->c, Q_STATE);

	bind_id(stmt, 1, q->store.owner);
	bind_id(stmt, 2, q->store.seed);
	return sqlite_run(q, stmt, err) == STORE_OK;
}

static bool
seed_find(struct sqlite *q, struct error *err)
{
	int64_t seed;

	if (!connection_number(&q->c, "SELECT max(coalesce((SELECT max(id) >> 6"
			       " FROM item), 0), coalesce((SELECT max(id)"
			       " FROM body), 0), seed) FROM state", &seed,
			       err))
		return false;
	q->store.seed = MAX((uint64_t)seed, (uint64_t)clock_steady_ms() << 8);
	return true;
}

/* What other boots had in hand is nobody's again, and due. */
static bool
recover(struct sqlite *q, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	if (!sqlite_clock_resume(q, err) || !seed_find(q, err) ||
	    !exec(q, "BEGIN IMMEDIATE", err))
		return false;
	rc = sqlite3_prepare_v2(q->c.db, "UPDATE item INDEXED BY claimed SET "
				"owner = NULL, uncertain = 1, due = ?1 "
				"WHERE owner IS NOT NULL", -1, &stmt, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(stmt, 1, clock_steady_ms());
		rc = statement_run(stmt);
	}
	sqlite3_finalize(stmt);
	q->recovered = sqlite_result(&q->c, rc, err) == STORE_OK &&
		       sqlite_clock_begin(q, err) && state_write(q, err) &&
		       exec(q, "COMMIT", err);
	if (q->recovered)
		sqlite_clock_keep(q, true);
	return q->recovered;
}

/* Made by us, so that nobody else can read it. */
static bool
make_file(struct sqlite *q, struct error *err)
{
	q->file = open(q->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return q->file >= 0 || error_errno(err, "%s", q->path);
}

static void
sqlite_close(struct store **st)
{
	struct sqlite *q;

	if (*st == NULL)
		return;
	q = sqlite_of(*st);
	if (q->recovered)
		sqlite_clock_keep(q, true);
	connection_close(&q->c);
	if (q->file >= 0)
		close(q->file);
	files_unref(&q->store.files);
	lock_drop(&q->lock);
	ids_fini(&q->store.gone);
	mem_free(q->store.folder);
	mem_free(q->path);
	mem_free(q->vfs);
	mem_free(q);
	*st = NULL;
}

static void
url_split(struct sqlite *q, const char *url)
{
	struct span rest = span_of(strchr(url, ':') + 1), folder, vfs;

	span_split(&rest, '?', &folder);
	q->store.folder = span_dup(folder);
	q->path = mem_printf("%s/spool.db", q->store.folder);
	if (span_starts_nocase(rest, SPAN("vfs="))) {
		vfs = span_from(rest, 4);
		q->vfs = span_dup(vfs);
	}
}

/* Everything around the database. */
static bool
folder_open(struct store *st, struct workers *workers, struct error *err)
{
	struct sqlite *q = sqlite_of(st);

	if (!file_make_folder(st->folder, 0700, err) ||
	    !lock_take(st->folder, &q->lock, err) ||
	    !schema_check_file(q->path, err))
		return false;
	st->files = files_open(st->folder, workers, err);
	return st->files != NULL && make_file(q, err);
}

/* A disk that is full is no reason not to run: what is in the queue may be
 * delivered, which makes room.  prove() goes on from here. */
static bool
opens_later(struct store *st, const struct error *err)
{
	if (err->kind == ERROR_CONFIG || !reserve_is_wanted(st->folder))
		return false;
	connection_close(&sqlite_of(st)->c);
	st->unproved = true;
	st->why = *err;
	return true;
}

static struct store *
sqlite_open(const struct spool_config *c, struct error *err)
{
	struct sqlite *q = NEW(struct sqlite);
	struct store *st = &q->store;

	must(c->workers != NULL);
	st->ops = &sqlite_store;
	q->lock = q->file = -1;
	url_split(q, c->url);
	if (getrandom(&st->owner, sizeof(st->owner), 0) < 0)
		bug("no random numbers");
	st->owner = (st->owner >> 1) | 1;
	st->seed = (uint64_t)clock_steady_ms() << 8;
	if (st->folder[0] == '\0')
		error_set(err, ERROR_CONFIG, "`%s' names no folder", c->url);
	else if (folder_open(st, c->workers, err) &&
		 ((database_open(q, err) && recover(q, err)) ||
		  opens_later(st, err)))
		return st;
	sqlite_close(&st);
	return NULL;
}

/* --- transactions ---------------------------------------------------- */

static enum store_result
simple(struct store *st, enum sqlite_stmt_id id, struct error *err)
{
	struct sqlite *q = sqlite_of(st);

	return sqlite_result(&q->c, statement_run(statement(&q->c, id)), err);
}

static enum store_result
sqlite_begin(struct store *st, struct error *err)
{
	return simple(st, Q_BEGIN, err);
}

static enum store_result
sqlite_commit(struct store *st, struct error *err)
{
	enum store_result r = room_take(sqlite_of(st), err);

	return r == STORE_OK ? simple(st, Q_COMMIT, err) : r;
}

static void
sqlite_rollback(struct store *st)
{
	struct sqlite *q = sqlite_of(st);

	/* SQLite has done it already after some errors */
	if (q->c.db != NULL && !sqlite3_get_autocommit(q->c.db))
		statement_run(statement(&q->c, Q_ROLLBACK));
}

static bool
doubts_settle(struct sqlite *q, const struct doubt *doubts, size_t n,
	      struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		enum store_result r;
		sqlite3_stmt *stmt;

		if (doubts[i].remove) {
			r = sqlite_remove(q, doubts[i].id, err);
		} else {
			stmt = statement(&q->c, Q_UNCLAIM);
			bind_id(stmt, 1, doubts[i].id);
			r = sqlite_run(q, stmt, err);
		}
		if (r != STORE_OK && r != STORE_GONE)
			return false;
	}
	return true;
}

static bool
sqlite_prove(struct store *st, const struct doubt *doubts, size_t n,
	     struct error *err)
{
	struct sqlite *q = sqlite_of(st);

	connection_close(&q->c);
	if (database_open(q, err) && (q->recovered || recover(q, err)) &&
	    sqlite_begin(st, err) == STORE_OK &&
	    doubts_settle(q, doubts, n, err) && state_write(q, err) &&
	    sqlite_commit(st, err) == STORE_OK)
		return true;
	sqlite_rollback(st);
	return false;
}

static enum store_result
sqlite_exists(struct store *st, uint64_t id, struct error *err)
{
	struct sqlite *q = sqlite_of(st);
	sqlite3_stmt *stmt = statement(&q->c, Q_EXISTS);
	enum store_result r;
	int64_t there = 0;

	bind_id(stmt, 1, id);
	r = sqlite_result(&q->c, statement_number(stmt, 0, &there), err);
	return r == STORE_OK && !there ? STORE_GONE : r;
}

static int64_t
sqlite_next_due(struct store *st)
{
	struct sqlite *q = sqlite_of(st);
	int64_t due = -1;

	statement_number(statement(&q->c, Q_NEXT_DUE), -1, &due);
	return due;
}

const struct store_ops sqlite_store = {
	.open = sqlite_open,
	.close = sqlite_close,
	.prove = sqlite_prove,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.accept = sqlite_accept,
	.claim = sqlite_claim,
	.settle = sqlite_settle,
	.act = sqlite_act,
	.exists = sqlite_exists,
	.next_due = sqlite_next_due,
	.housekeep = sqlite_housekeep,
	.reader_open = sqlite_reader_open,
	.reader_close = sqlite_reader_close,
	.view = sqlite_view,
	.view_item = sqlite_view_item,
	.count = sqlite_count,
	.backlogs = sqlite_backlogs,
	.read_row = sqlite_read_row,
	.has_body = sqlite_has_body,
};
