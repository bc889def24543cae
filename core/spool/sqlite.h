/* sqlite.h - what the files of the SQLite store share */
#ifndef SPOOL_SQLITE_H
#define SPOOL_SQLITE_H

#include "base/clock.h"
#include "spool/store.h"

#include <sqlite3.h>

enum sqlite_stmt_id {
	/* writing */
	Q_BEGIN, Q_COMMIT, Q_ROLLBACK, Q_SAVE, Q_SAVE_BACK, Q_SAVE_DONE,
	Q_ITEM_ADD, Q_RCPT_ADD, Q_BODY_ADD, Q_BODY_SHARE,
	Q_ITEM_REMOVE_OWN, Q_ITEM_REMOVE, Q_ITEM_BODY, Q_RCPTS_REMOVE,
	Q_BODY_REMOVE_ROW, Q_BODY_REFS, Q_BODY_UNSHARE, Q_BODY_REMOVE,
	Q_RCPT_SETTLE, Q_ITEM_STAY, Q_ITEM_LEAVE,
	Q_TOO_LATE, Q_DUE, Q_TAKE, Q_NEXT_DUE, Q_UNCLAIM, Q_DAMAGED,
	Q_HOLD, Q_RELEASE, Q_RETRY, Q_UNCLAIMED, Q_SOME,
	Q_STATE, Q_PAGES,
	/* reading */
	Q_EXISTS, Q_ITEM, Q_RCPTS, Q_LIST, Q_COUNT, Q_COUNT_DUE, Q_OLDEST, Q_BACKLOG,
	Q_BODY_DATA, Q_BODY_EXISTS,
	Q_STATEMENTS,
};

/* In bodies.flags.  Rows of older versions lack the second. */
enum { BODY_8BIT = 1, BODY_HEADER_8BIT = 2 };

/* A connection with the statements that it has needed so far. */
struct connection {
	sqlite3 *db;
	sqlite3_stmt *stmts[Q_STATEMENTS];
};

struct sqlite {
	struct store store;
	struct connection c;
	char *path;			/* of the database */
	char *vfs;			/* or NULL */
	int lock;
	int file;			/* the database; open as long as SQLite
					 * has it: a close drops its locks */
	bool recovered;			/* from what another boot left */
	int wal_frames;			/* in the WAL since it began */
	int wal_checked;		/* a checkpoint got nowhere at so many */
	int64_t page_size;
	int64_t wal_limit;		/* what the log keeps; -1: not set yet */
	int64_t pages;			/* that the file has room for */
	bool clock_runs;		/* it went on from what was kept */
	bool ahead;			/* items may be newer than it */
	struct clock_mark mark;		/* the last that was kept */
	bool mark_failed;		/* and it was told */
};

/* --- sqlite_db.c: connections, statements, errors, schema ------------ */

bool connection_open(struct connection *c, const char *path, const char *vfs,
		     int flags, struct error *err);
void connection_close(struct connection *c);
/* Ready for binding; NULL when it cannot be prepared: see the database's
 * error. */
sqlite3_stmt *statement(struct connection *c, enum sqlite_stmt_id id);
/* Steps to the end and resets: SQLITE_DONE, or what went wrong. */
int statement_run(sqlite3_stmt *stmt);
/* One row with one number; what `none' says when there is no row. */
int statement_number(sqlite3_stmt *stmt, int64_t none, int64_t *ret);
/* What a query that is asked seldom says: one number, 0 without a row. */
bool connection_number(struct connection *c, const char *sql, int64_t *ret,
		       struct error *err);
/* err gets the database's words. */
enum store_result sqlite_result(struct connection *c, int rc,
				struct error *err);

/* The file's own header: false (ERROR_CONFIG) for a newer schema, or a file
 * that is not ours.  Opens it for reading only. */
bool schema_check_file(const char *path, struct error *err);
/* Makes the tables in an empty database; checks the version again. */
bool schema_make(struct connection *c, const char *path, struct error *err);

/* --- sqlite_room.c --------------------------------------------------- */

/* The database was opened. */
void room_begin(struct sqlite *q);
/* Before a commit: what the database grows by is taken from the disk now.
 * STORE_FULL: there is not so much. */
enum store_result room_take(struct sqlite *q, struct error *err);
enum store_result sqlite_housekeep(struct store *st, enum store_house how,
				   struct error *err);

/* --- sqlite_clock.c -------------------------------------------------- */

/* Once, before anything is compared with the clock. */
bool sqlite_clock_resume(struct sqlite *q, struct error *err);
/* In the transaction of the start. */
bool sqlite_clock_begin(struct sqlite *q, struct error *err);
/* Outside of any transaction: when the last is old, or in any case. */
void sqlite_clock_keep(struct sqlite *q, bool in_any_case);

/* --- sqlite_read.c --------------------------------------------------- */

/* STORE_GONE: there is no such item.  STORE_REFUSED: the row makes no
 * sense; err says how. */
enum store_result item_load(struct connection *c, uint64_t id,
			    struct item **ret, struct error *err);

struct spool_reader *sqlite_reader_open(struct store *st, struct error *err);
void sqlite_reader_close(struct spool_reader **r);
bool sqlite_view(struct spool_reader *r, const struct spool_query *q,
		 void (*row)(void *arg, const struct item *item), void *arg,
		 struct error *err);
enum spool_status sqlite_view_item(struct spool_reader *r, uint64_t id,
				   struct item **ret, struct error *err);
bool sqlite_count(struct spool_reader *r, int64_t now_ms,
		  struct spool_counts *ret, struct error *err);
bool sqlite_backlogs(struct spool_reader *r, struct backlogs *all,
		     struct error *err);
bool sqlite_read_row(struct spool_reader *r, uint64_t id, uint64_t offset,
		     char *to, size_t max, size_t *got, struct error *err);
bool sqlite_has_body(struct spool_reader *r, uint64_t id, bool *ret,
		     struct error *err);

/* --- sqlite_accept.c, sqlite_write.c ---------------------------------- */

enum store_result sqlite_accept(struct store *st, struct spool_accept *a,
				struct error *err);
enum store_result sqlite_claim(struct store *st, struct spool_claim *c,
			       struct error *err);
enum store_result sqlite_settle(struct store *st, struct spool_settle *t,
				struct error *err);
enum store_result sqlite_act(struct store *st, struct spool_act *a,
			     size_t max, bool *more, struct error *err);
/* Removes the item's rows, and the body's with its last item. */
enum store_result sqlite_remove(struct sqlite *q, uint64_t id,
				struct error *err);

#endif
