/* test-spool-start.c - a start does not read all of the queue */
#include "unit.h"

#include "spool-fault.h"
#include "spool-world.h"

#include "base/macros.h"

#include <sqlite3.h>
#include <stdio.h>

/* 2000 more items, of 2 KiB each. */
static const char grow_sql[] =
	"CREATE TEMP TABLE t AS WITH n(i) AS (SELECT 1 UNION ALL"
	" SELECT i + 1 FROM n WHERE i < 2000) SELECT item.*, i FROM item, n;"
	"INSERT INTO rcpt SELECT t.id + 64 * i, idx, address, notify, orcpt,"
	" state, rcpt.last FROM t, rcpt WHERE item = t.id;"
	"UPDATE t SET body = id >> 6, id = id + 64 * i,"
	" prefix = zeroblob(2048);"
	"UPDATE body SET refs = 2001;"
	"ALTER TABLE t DROP COLUMN i;"
	"INSERT INTO item SELECT * FROM t";

enum { ALL = 2000 * 2048 };

static void
meanwhile(struct world *w, const char *sql)
{
	sqlite3 *db = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/spool.db", w->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* How much a start reads, after that. */
static unsigned long long
start_reads(struct world *w, const char *sql)
{
	unsigned long long before;
	struct error err;

	world_close(w);
	meanwhile(w, sql);
	before = fault_db_read();
	assert_true(world_open(w, &err));
	return fault_db_read() - before;
}

static void
a_start_reads_what_it_needs(void **state)
{
	struct world *w = world_new("sqlite:", "?vfs=fault");
	struct error err;

	(void)state;
	assert_true(world_open(w, &err));
	assert_int_not_equal(world_put(w, 10, false, INT64_MAX), 0);
	assert_true(start_reads(w, grow_sql) < ALL / 8);
	assert_true(start_reads(w, "") < ALL / 8);
	/* without the mark of the clock, or with one that an older version
	 * did not keep while it wrote: all items are looked at */
	assert_true(start_reads(w, "DROP TABLE clock") > ALL);
	assert_true(start_reads(w, "") < ALL / 8);
	assert_true(start_reads(w, "UPDATE state SET boot = boot + 1") > ALL);
	assert_true(start_reads(w, "") < ALL / 8);
	world_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_reads_what_it_needs),
	};

	fault_register();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
