/* sqlite_db.c - connections to the database, its statements and its schema
 *
 * An item that is delivered at its first attempt is inserted and deleted, and
 * touches one index, `claimed'; `due' and `held' hold what waits, or is held.
 */
#include "spool/sqlite.h"

#include "base/macros.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	SCHEMA_VERSION = 2,
	APPLICATION_ID = 0x506f7374,	/* "Post" */
	BUSY_MS = 2000,			/* somebody else looks into the file */
};

static const char schema_sql[] =
	"CREATE TABLE item ("
	" id INTEGER PRIMARY KEY,"	/* message * 64 + ordinal */
	" owner INTEGER,"		/* the boot that has it in hand */
	" due INTEGER NOT NULL, lane INTEGER NOT NULL,"
	" held INTEGER NOT NULL, uncertain INTEGER NOT NULL,"
	" attempts INTEGER NOT NULL, warned INTEGER NOT NULL,"
	" created INTEGER NOT NULL,"
	" body INTEGER,"		/* NULL: the one of its message */
	" kind INTEGER NOT NULL, smtputf8 INTEGER NOT NULL,"
	" ret INTEGER NOT NULL, envid TEXT,"
	" route TEXT NOT NULL, sender TEXT NOT NULL,"
	" client TEXT, helo TEXT, user TEXT, listener TEXT,"
	" message_id TEXT, last TEXT, prefix BLOB,"
	/* since 2 */
	" paused INTEGER NOT NULL DEFAULT 0,"
	" sealed INTEGER NOT NULL DEFAULT 0,"
	" sealed_by INTEGER NOT NULL DEFAULT 0);"
	"CREATE TABLE rcpt ("
	" item INTEGER NOT NULL, idx INTEGER NOT NULL,"
	" address TEXT NOT NULL, notify INTEGER NOT NULL, orcpt TEXT,"
	" state INTEGER NOT NULL, last TEXT,"
	" PRIMARY KEY (item, idx)) WITHOUT ROWID;"
	"CREATE TABLE body ("
	" id INTEGER PRIMARY KEY,"
	" refs INTEGER NOT NULL,"	/* items that name it */
	" size INTEGER NOT NULL, flags INTEGER NOT NULL,"
	" in_file INTEGER NOT NULL, data BLOB);"
	"CREATE INDEX due ON item (due, lane)"
	" WHERE owner IS NULL AND held = 0;"
	"CREATE INDEX claimed ON item (owner, held)"
	" WHERE owner IS NOT NULL;"
	"CREATE INDEX held ON item (held) WHERE held = 1;"
	"CREATE TABLE state ("
	" id INTEGER PRIMARY KEY CHECK (id = 1),"
	" boot INTEGER NOT NULL, seed INTEGER NOT NULL,"
	" proofs INTEGER NOT NULL);"
	"INSERT INTO state VALUES (1, 0, 0, 0);";

#define ITEM_COLUMNS \
	"i.id, i.owner, i.due, i.lane, i.held, i.uncertain, i.attempts," \
	" i.warned, i.created, i.kind, i.smtputf8, i.ret, i.envid, i.route," \
	" i.sender, i.client, i.helo, i.user, i.listener, i.message_id," \
	" i.last, i.prefix, i.paused, i.sealed, i.sealed_by, b.id, b.size, b.flags, b.in_file" \
	" FROM item i LEFT JOIN body b ON b.id = coalesce(i.body, i.id >> 6)"

/* From version i + 1 to i + 2: what an older database lacks. */
static const char *const schema_steps[SCHEMA_VERSION - 1] = {
	"ALTER TABLE item ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE item ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE item ADD COLUMN sealed_by INTEGER NOT NULL DEFAULT 0;",
};

static const char *const statements[Q_STATEMENTS] = {
	[Q_BEGIN] = "BEGIN IMMEDIATE",
	[Q_COMMIT] = "COMMIT",
	[Q_ROLLBACK] = "ROLLBACK",
	[Q_SAVE] = "SAVEPOINT op",
	[Q_SAVE_BACK] = "ROLLBACK TO op",
	[Q_SAVE_DONE] = "RELEASE op",
	[Q_ITEM_ADD] = "INSERT INTO item VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
		" ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,"
		" ?20, ?21, ?22, ?23, ?24, ?25, ?26)",
	[Q_RCPT_ADD] = "INSERT INTO rcpt VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[Q_BODY_ADD] = "INSERT INTO body VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
		" ON CONFLICT (id) DO UPDATE SET refs = refs + excluded.refs",
	[Q_BODY_SHARE] = "UPDATE body SET refs = refs + ?2 WHERE id = ?1",
	[Q_ITEM_REMOVE_OWN] = "DELETE FROM item WHERE id = ?1 AND body IS NULL",
	[Q_ITEM_REMOVE] = "DELETE FROM item WHERE id = ?1",
	[Q_ITEM_BODY] = "SELECT coalesce(body, id >> 6) FROM item WHERE id = ?1",
	[Q_RCPTS_REMOVE] = "DELETE FROM rcpt WHERE item = ?1",
	[Q_BODY_REMOVE_ROW] = "DELETE FROM body WHERE id = ?1 AND refs = 1"
		" AND in_file = 0",
	[Q_BODY_REFS] = "SELECT refs FROM body WHERE id = ?1",
	[Q_BODY_UNSHARE] = "UPDATE body SET refs = refs - 1 WHERE id = ?1",
	[Q_BODY_REMOVE] = "DELETE FROM body WHERE id = ?1",
	[Q_RCPT_SETTLE] = "UPDATE rcpt SET state = ?3,"
		" last = coalesce(?4, last) WHERE item = ?1 AND idx = ?2",
	[Q_ITEM_STAY] = "UPDATE item SET due = ?2, warned = ?3, attempts = ?4,"
		" last = coalesce(?5, last), uncertain = 0 WHERE id = ?1",
	[Q_ITEM_LEAVE] = "UPDATE item SET due = ?2, warned = ?3,"
		" attempts = ?4, last = coalesce(?5, last), uncertain = 0,"
		" owner = NULL, paused = ?6, prefix = coalesce(?7, prefix),"
		" sealed = coalesce(?8, sealed),"
		" sealed_by = coalesce(?9, sealed_by) WHERE id = ?1",
	[Q_TOO_LATE] = "UPDATE item SET due = ?1 WHERE id IN (SELECT id FROM"
		" item INDEXED BY due WHERE owner IS NULL AND held = 0"
		" AND due > ?2 ORDER BY due LIMIT ?3)",
	[Q_DUE] = "SELECT id FROM item INDEXED BY due WHERE owner IS NULL"
		" AND held = 0 AND due <= ?1 ORDER BY due, lane LIMIT ?2",
	[Q_TAKE] = "UPDATE item SET owner = ?2 WHERE id = ?1",
	[Q_NEXT_DUE] = "SELECT due FROM item INDEXED BY due"
		" WHERE owner IS NULL AND held = 0 ORDER BY due LIMIT 1",
	[Q_UNCLAIM] = "UPDATE item SET owner = NULL WHERE id = ?1",
	[Q_DAMAGED] = "UPDATE item SET owner = NULL, held = 1, last = ?2"
		" WHERE id = ?1",
	[Q_HOLD] = "UPDATE item SET held = 1 WHERE id = ?1",
	[Q_RELEASE] = "UPDATE item SET held = 0 WHERE id = ?1",
	[Q_RETRY] = "UPDATE item SET due = ?2 WHERE id = ?1 AND owner IS NULL"
		" AND held = 0",
	[Q_UNCLAIMED] = "SELECT 1 FROM item WHERE id = ?1 AND owner IS NULL",
	[Q_SOME] = "SELECT id FROM item WHERE id > ?1"
		" AND (?2 IS NULL OR route = ?2) ORDER BY id LIMIT ?3",
	[Q_STATE] = "UPDATE state SET boot = ?1, seed = max(seed, ?2),"
		" proofs = proofs + 1 WHERE id = 1",
	[Q_PAGES] = "PRAGMA page_count",
	[Q_EXISTS] = "SELECT 1 FROM item WHERE id = ?1",
	[Q_ITEM] = "SELECT " ITEM_COLUMNS " WHERE i.id = ?1",
	[Q_RCPTS] = "SELECT address, notify, orcpt, state, last FROM rcpt"
		" WHERE item = ?1 ORDER BY idx",
	[Q_LIST] = "SELECT " ITEM_COLUMNS " WHERE i.id > ?1"
		" AND (?2 IS NULL OR i.route = ?2) AND (?3 < 0 OR i.held = ?3)"
		" AND (?4 IS NULL OR instr(lower(i.sender), lower(?4)) OR EXISTS"
		" (SELECT 1 FROM rcpt r WHERE r.item = i.id"
		" AND instr(lower(r.address), lower(?4))))"
		" ORDER BY i.id LIMIT ?5",
	[Q_COUNT] = "SELECT (SELECT count(*) FROM item INDEXED BY due"
		" WHERE owner IS NULL AND held = 0) +"
		" (SELECT count(*) FROM item INDEXED BY claimed"
		" WHERE owner IS NOT NULL AND held = 0),"
		" (SELECT count(*) FROM item INDEXED BY held WHERE held = 1)",
	[Q_COUNT_DUE] = "SELECT count(*) FROM item INDEXED BY due"
		" WHERE owner IS NULL AND held = 0 AND due <= ?1",
	[Q_OLDEST] = "SELECT created FROM item ORDER BY id LIMIT 1",
	[Q_BACKLOG] = "SELECT route, owner IS NOT NULL, held, due, created, last"
		" FROM item",
	[Q_BODY_DATA] = "SELECT data FROM body WHERE id = ?1",
	[Q_BODY_EXISTS] = "SELECT 1 FROM body WHERE id = ?1",
};

/* --- connections ----------------------------------------------------- */

void
connection_close(struct connection *c)
{
	for (size_t i = 0; i < Q_STATEMENTS; i++) {
		sqlite3_finalize(c->stmts[i]);
		c->stmts[i] = NULL;
	}
	sqlite3_close(c->db);
	c->db = NULL;
}

bool
connection_open(struct connection *c, const char *path, const char *vfs,
		int flags, struct error *err)
{
	int rc = sqlite3_open_v2(path, &c->db,
				 flags | SQLITE_OPEN_NOMUTEX, vfs);

	if (rc != SQLITE_OK) {
		error_set(err, ERROR_SYSTEM, "%s: %s", path,
			  c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc));
		connection_close(c);
		return false;
	}
	sqlite3_extended_result_codes(c->db, 1);
	sqlite3_busy_timeout(c->db, BUSY_MS);
	return true;
}

sqlite3_stmt *
statement(struct connection *c, enum sqlite_stmt_id id)
{
	if (c->stmts[id] == NULL)
		sqlite3_prepare_v3(c->db, statements[id], -1,
				   SQLITE_PREPARE_PERSISTENT, &c->stmts[id],
				   NULL);
	return c->stmts[id];
}

int
statement_run(sqlite3_stmt *stmt)
{
	int rc;

	if (stmt == NULL)
		return SQLITE_ERROR;
	do
		rc = sqlite3_step(stmt);
	while (rc == SQLITE_ROW);
	sqlite3_reset(stmt);
	return rc;
}

int
statement_number(sqlite3_stmt *stmt, int64_t none, int64_t *ret)
{
	int rc;

	if (stmt == NULL)
		return SQLITE_ERROR;
	rc = sqlite3_step(stmt);
	*ret = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : none;
	sqlite3_reset(stmt);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

enum store_result
sqlite_result(struct connection *c, int rc, struct error *err)
{
	static const struct {
		int primary;
		enum store_result result;
	} rows[] = {
		{ SQLITE_OK,         STORE_OK      },
		{ SQLITE_ROW,        STORE_OK      },
		{ SQLITE_DONE,       STORE_OK      },
		{ SQLITE_CONSTRAINT, STORE_REFUSED },
		{ SQLITE_TOOBIG,     STORE_REFUSED },
		{ SQLITE_FULL,       STORE_FULL    },
		{ SQLITE_BUSY,       STORE_FAILED  },
		{ SQLITE_LOCKED,     STORE_FAILED  },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].primary != (rc & 0xff))
			continue;
		if (rows[i].result != STORE_OK)
			error_set(err, ERROR_SYSTEM, "spool: %s",
				  sqlite3_errmsg(c->db));
		return rows[i].result;
	}
	error_set(err, ERROR_SYSTEM, "spool: %s (%d)",
		  sqlite3_errmsg(c->db), rc);
	return STORE_BROKEN;
}

bool
connection_number(struct connection *c, const char *sql, int64_t *ret,
		  struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(c->db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = statement_number(stmt, 0, ret);
	sqlite3_finalize(stmt);
	return sqlite_result(c, rc, err) == STORE_OK;
}

/* --- the schema ------------------------------------------------------ */

static bool
schema_fits(const char *path, uint32_t application, uint32_t version,
	    struct error *err)
{
	if (application != APPLICATION_ID) {
		error_set(err, ERROR_CONFIG, "%s is a database, but not a "
			  "spool of Postern", path);
		return error_hint(err, "name another folder under spool:");
	}
	if (version > SCHEMA_VERSION) {
		error_set(err, ERROR_CONFIG, "%s was written by a newer Postern "
			  "(schema %u; this one knows %d)", path, version,
			  SCHEMA_VERSION);
		return error_hint(err, "install that version again, or let it "
				  "empty its queue first");
	}
	return true;
}

static void
fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static uint32_t
big_endian(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

/* The file format: sqlite.org/fileformat2.html section 1.3 */
bool
schema_check_file(const char *path, struct error *err)
{
	static const char magic[16] = "SQLite format 3";
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char head[100];
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return true;
	n = fd < 0 ? -1 : read(fd, head, sizeof(head));
	if (n < 0)
		return error_errno(err, "%s", path);
	if (n == 0)
		return true;
	if (n < (ssize_t)sizeof(head) || memcmp(head, magic, sizeof(magic))) {
		error_set(err, ERROR_CONFIG, "%s is not a database", path);
		return error_hint(err, "name another folder under spool:, or "
				  "move that file away");
	}
	return schema_fits(path, big_endian(head + 68), big_endian(head + 60),
			   err);
}

static bool
schema_create(struct connection *c, struct error *err)
{
	char stamp[120];
	int rc;

	snprintf(stamp, sizeof(stamp), "PRAGMA application_id = %d;"
		 "PRAGMA user_version = %d;", APPLICATION_ID, SCHEMA_VERSION);
	rc = sqlite3_exec(c->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(c->db, schema_sql, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(c->db, stamp, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(c->db, "COMMIT", NULL, NULL, NULL);
	return sqlite_result(c, rc, err) == STORE_OK;
}

/* One version after the other, all of them or none. */
static bool
schema_upgrade(struct connection *c, int64_t version, struct error *err)
{
	char stamp[60];
	int rc;

	snprintf(stamp, sizeof(stamp), "PRAGMA user_version = %d;",
		 SCHEMA_VERSION);
	rc = sqlite3_exec(c->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	for (; version < SCHEMA_VERSION && rc == SQLITE_OK; version++)
		rc = sqlite3_exec(c->db, schema_steps[version - 1], NULL, NULL,
				  NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(c->db, stamp, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(c->db, "COMMIT", NULL, NULL, NULL);
	return sqlite_result(c, rc, err) == STORE_OK;
}

bool
schema_make(struct connection *c, const char *path, struct error *err)
{
	int64_t tables, application, version;

	if (!connection_number(c, "SELECT count(*) FROM sqlite_master",
			       &tables, err) ||
	    !connection_number(c, "PRAGMA application_id", &application,
			       err) ||
	    !connection_number(c, "PRAGMA user_version", &version, err))
		return false;
	if (tables == 0 && application == 0)
		return schema_create(c, err);
	if (!schema_fits(path, (uint32_t)application, (uint32_t)version, err))
		return false;
	return version < 1 || version >= SCHEMA_VERSION ||
	       schema_upgrade(c, version, err);
}
