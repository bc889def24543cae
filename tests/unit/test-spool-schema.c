/* test-spool-schema.c - the store on disk: whose file it is, of which version,
 * and what is missing in it */
#include "unit.h"

#include "spool-world.h"

#include "base/file.h"
#include "base/macros.h"
#include "base/mem.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- whose, and how old ------------------------------------------------- */

static void
file_bytes(struct world *w, struct buf *b)
{
	struct error err;
	char path[128];

	snprintf(path, sizeof(path), "%s/spool.db", w->dir);
	if (!file_read(b, path, &err))
		fail_msg("%s", err.text);
}

static void
file_sql(struct world *w, const char *sql)
{
	sqlite3 *db = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/spool.db", w->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
refused_untouched(struct world *w, const char *words)
{
	AUTO(buf_fini) struct buf before = BUF_MAX(1 << 20);
	AUTO(buf_fini) struct buf after = BUF_MAX(1 << 20);
	struct error err;

	file_bytes(w, &before);
	assert_false(world_open(w, &err));
	assert_int_equal(err.kind, ERROR_CONFIG);
	if (strstr(err.text, words) == NULL)
		fail_msg("`%s' is not in `%s'", words, err.text);
	assert_non_null(strstr(err.text, w->dir));
	assert_string_not_equal(err.hint, "");
	file_bytes(w, &after);
	assert_true(span_eq(buf_span(&before), buf_span(&after)));
}

static void
a_newer_schema_is_refused(void **state)
{
	struct world *w = *state;
	struct error err;
	uint64_t id = world_put(w, 10, false, 0);
	struct item *item;

	world_close(w);
	file_sql(w, "PRAGMA user_version = 99");
	refused_untouched(w, "newer");
	file_sql(w, "PRAGMA user_version = 2");
	assert_true(world_open(w, &err));
	item = world_look(w, id);
	assert_non_null(item);
	item_free(&item);
}

/* What the first version lacked is added, and what was there stays. */
static void
an_older_schema_is_brought_forward(void **state)
{
	struct world *w = *state;
	struct error err;
	uint64_t id = world_put(w, 10, false, 0);
	struct item *item;

	world_close(w);
	file_sql(w, "ALTER TABLE item DROP COLUMN paused");
	file_sql(w, "ALTER TABLE item DROP COLUMN sealed");
	file_sql(w, "ALTER TABLE item DROP COLUMN sealed_by");
	file_sql(w, "PRAGMA user_version = 1");
	for (int i = 0; i < 2; i++) {	/* and again as it is now */
		assert_true(world_open(w, &err));
		item = world_look(w, id);
		assert_non_null(item);
		assert_int_equal(item->paused_ms, 0);
		assert_int_equal(item->sealed, 0);
		item_free(&item);
		world_close(w);
	}
	assert_true(world_open(w, &err));
}

/* The number may still be in the write-ahead log of one that was killed. */
static void
a_newer_schema_in_the_log_is_refused(void **state)
{
	struct world *w = *state;
	sqlite3 *db = NULL;
	char path[128], wal[140], copy[160];
	AUTO(buf_fini) struct buf log = BUF_MAX(8 << 20);
	struct error err;

	world_close(w);
	snprintf(path, sizeof(path), "%s/spool.db", w->dir);
	snprintf(wal, sizeof(wal), "%s-wal", path);
	snprintf(copy, sizeof(copy), "%s/log", w->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA wal_autocheckpoint = 0;"
				      "PRAGMA user_version = 99", NULL, NULL,
				      NULL), SQLITE_OK);
	/* as it would be had that process been killed here */
	assert_true(file_read(&log, wal, &err));
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_close(db);
	assert_true(file_replace(wal, buf_span(&log), 0600, &err));
	refused_untouched(w, "newer");
	assert_int_equal(access(wal, F_OK), 0);
}

static void
what_is_not_ours_is_refused(void **state)
{
	struct world *w = *state;
	char path[128];
	struct error err;

	world_close(w);
	file_sql(w, "PRAGMA application_id = 17");
	refused_untouched(w, "not a spool");
	snprintf(path, sizeof(path), "%s/spool.db", w->dir);
	assert_true(file_replace(path, SPAN("some notes"), 0600, &err));
	refused_untouched(w, "not a database");
}

static void
nobody_else_reads_the_mail(void **state)
{
	static const char *const names[] = { "spool.db", "bodies", "spool.db-wal" };
	struct world *w = *state;
	struct stat st;
	char path[128];

	assert_int_not_equal(world_put(w, 10, true, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", w->dir, names[i]);
		CHECK_ROW(i, stat(path, &st) == 0 && (st.st_mode & 077) == 0);
	}
}

/* --- damage ------------------------------------------------------------- */

static void
an_item_without_a_body_is_held(void **state)
{
	struct world *w = *state;
	uint64_t bad = world_put(w, 10, false, 1);
	uint64_t good = world_put(w, 10, false, 2);
	struct spool_claim c;
	struct error err;
	struct item *item;

	world_close(w);
	file_sql(w, "DELETE FROM body WHERE id = (SELECT min(id) FROM body)");
	assert_true(world_open(w, &err));
	assert_int_equal(world_claim(w, 9, 5, &c), SPOOL_OK);
	assert_int_equal(c.n, 1);
	assert_int_equal(c.items[0]->id, good);
	item_free(&c.items[0]);
	mem_free(c.items);
	item = world_look(w, bad);
	assert_true(item->held);
	assert_non_null(strstr(item->last, "body is missing"));
	item_free(&item);
	assert_int_equal(world_act(w, SPOOL_REMOVE, bad), 1);
	assert_null(world_look(w, bad));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(a_newer_schema_is_refused),
		CONTRACT_TEST(an_older_schema_is_brought_forward),
		CONTRACT_TEST(a_newer_schema_in_the_log_is_refused),
		CONTRACT_TEST(what_is_not_ours_is_refused),
		CONTRACT_TEST(nobody_else_reads_the_mail),
		CONTRACT_TEST(an_item_without_a_body_is_held),
	};

	return cmocka_run_group_tests(tests, contract_on_sqlite, NULL);
}
