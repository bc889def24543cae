/* test-spool-clock.c - the store on disk keeps where the steady clock stands:
 * nothing in the queue grows old, or is put off, because a clock was wrong */
#include "unit.h"

#include "spool-world.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"

#include <sqlite3.h>
#include <stdio.h>

enum { SEC = 1000, MINUTE = 60 * SEC, HOUR = 60 * MINUTE };

#define DAY (INT64_C(24) * HOUR)
#define YEAR (365 * DAY)

#define NOW INT64_C(1796000000000)

#define OTHER_BOOT "UPDATE clock SET boot = 'another'"
#define NO_MARK "DROP TABLE clock"

/* Closes; somebody has his hands in the file; some time passes, and the wall
 * clock says what it likes; opens. */
static void
meanwhile(struct world *w, const char *sql, int64_t passes_ms, int64_t wall_ms)
{
	sqlite3 *db = NULL;
	char path[128];
	struct error err;

	world_close(w);
	snprintf(path, sizeof(path), "%s/spool.db", w->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sql != NULL)
		assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL),
				 SQLITE_OK);
	sqlite3_close(db);
	clock_fake(clock_now_ms() + passes_ms, clock_wall_ms() + wall_ms);
	clock_resume(NULL);		/* as a process that has just begun */
	if (!world_open(w, &err))
		fail_msg("%s", err.text);
}

static int64_t
age_of(struct world *w, uint64_t id)
{
	struct item *item = world_look(w, id);
	int64_t raw_ms;

	assert_non_null(item);
	raw_ms = clock_steady_ms() - item->created_ms;
	item_free(&item);
	return raw_ms;			/* item_age_ms() would hide what is less */
}

static void
ages_outlive_a_restart(void **state)
{
	static const struct {
		const char *sql;	/* what became of the mark */
		int64_t passes_ms, wall_ms;
		int64_t age_ms;
	} rows[] = {
		/* the same boot */
		{ NULL, 5 * MINUTE, 5 * MINUTE, 5 * MINUTE },
		{ NULL, 5 * MINUTE, -HOUR, 5 * MINUTE },
		{ NULL, 5 * MINUTE, YEAR, 5 * MINUTE },
		{ NULL, 5 * MINUTE, -50 * YEAR, 5 * MINUTE },
		/* another */
		{ OTHER_BOOT, 5 * MINUTE, 2 * HOUR, 2 * HOUR },
		{ OTHER_BOOT, 5 * MINUTE, -HOUR, 0 },
		{ OTHER_BOOT, 5 * MINUTE, YEAR, 0 },
		/* an older version's spool, or one that was damaged */
		{ NO_MARK, 5 * MINUTE, 2 * HOUR, 2 * HOUR },
		{ NO_MARK, 5 * MINUTE, -HOUR, 0 },
		{ NO_MARK, 5 * MINUTE, YEAR, 0 },
		{ "DELETE FROM clock", 5 * MINUTE, 2 * HOUR, 2 * HOUR },
		{ "UPDATE clock SET steady = 'x'", 5 * MINUTE, YEAR, 0 },
		{ "UPDATE clock SET steady = -7", 5 * MINUTE, YEAR, 0 },
		{ "UPDATE clock SET steady = 0", 5 * MINUTE, YEAR, 0 },
		{ "UPDATE clock SET wall = 9000000000000000000", 5 * MINUTE, YEAR, 0 },
		{ "UPDATE clock SET boot = printf('%100s', 'x')", 5 * MINUTE, YEAR, 0 },
		{ NO_MARK ";CREATE TABLE clock (x)", 5 * MINUTE, 2 * HOUR, 2 * HOUR },
		{ NO_MARK ";CREATE TABLE clock (x);INSERT INTO clock VALUES (7)", 5 * MINUTE, YEAR, 0 },
		/* a clock that was wrong when the mail came */
		{ NO_MARK ";UPDATE item SET created = created + 31536000000", 5 * MINUTE, HOUR, 0 },
		{ "UPDATE item SET created = created + 31536000000", 5 * MINUTE, HOUR, 0 },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t id;
		int64_t age_ms;

		meanwhile(w, NO_MARK, 0, NOW - clock_wall_ms());
		id = world_put(w, 10, false, clock_steady_ms());
		meanwhile(w, rows[i].sql, rows[i].passes_ms, rows[i].wall_ms);
		age_ms = age_of(w, id);
		if (age_ms != rows[i].age_ms)
			fail_msg("row %zu: %lld ms old", i, (long long)age_ms);
		/* and as it is kept again */
		meanwhile(w, NULL, MINUTE, -YEAR);
		CHECK_ROW(i, age_of(w, id) == rows[i].age_ms + MINUTE);
		world_end(w, id, FATE_DONE, 0);
	}
}

/* One that keeps no mark, by a clock that was wrong for a while. */
static void
an_older_version_may_have_written(void **state)
{
	struct world *w = *state;
	uint64_t a = world_put(w, 10, false, clock_steady_ms());
	uint64_t b = world_put(w, 10, false, clock_steady_ms());

	meanwhile(w, "UPDATE state SET boot = boot + 1; UPDATE item SET created"
		  " = created + 31536000000 WHERE id ="
		  " (SELECT min(id) FROM item)", MINUTE, MINUTE);
	assert_int_equal(age_of(w, a), 0);
	assert_int_equal(age_of(w, b), MINUTE);
}

/* What nobody waits in may begin anew: a large error does not stay for ever. */
static void
an_empty_spool_begins_at_the_wall_clock(void **state)
{
	struct world *w = *state;
	uint64_t id = world_put(w, 10, false, clock_steady_ms());

	meanwhile(w, NULL, HOUR, 3 * YEAR);
	assert_true(clock_wall_ms() - clock_steady_ms() > 2 * YEAR);
	world_end(w, id, FATE_DONE, 0);
	meanwhile(w, NULL, HOUR, HOUR);
	assert_true(clock_wall_ms() == clock_steady_ms());
	/* a small one does: other files have such times in them */
	meanwhile(w, NULL, HOUR, 3 * HOUR);
	assert_true(clock_wall_ms() - clock_steady_ms() == 2 * HOUR);
	meanwhile(w, NO_MARK, HOUR, HOUR);
	assert_true(clock_wall_ms() == clock_steady_ms());
}

static int64_t
kept_number(struct world *w, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	char path[128];
	int64_t ret;

	snprintf(path, sizeof(path), "%s/spool.db", w->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	ret = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return ret;
}

/* Its kill is not announced: the mark is kept in between, and as soon as the
 * wall clock is another. */
static void
the_mark_is_kept_while_it_runs(void **state)
{
	struct world *w = *state;
	int64_t first = kept_number(w, "SELECT steady FROM clock");

	clock_fake(clock_now_ms() + 10 * SEC, clock_wall_ms() + 10 * SEC);
	world_put(w, 10, false, 0);
	world_put(w, 10, false, 0);
	assert_int_equal(kept_number(w, "SELECT steady FROM clock"), first);
	clock_fake(clock_now_ms() + MINUTE, clock_wall_ms() + MINUTE);
	world_put(w, 10, false, 0);
	world_put(w, 10, false, 0);	/* the first is behind it */
	assert_int_equal(kept_number(w, "SELECT steady FROM clock"),
			 first + 70 * SEC);
	clock_fake(clock_now_ms() + 1, clock_wall_ms() - YEAR);
	world_put(w, 10, false, 0);
	world_put(w, 10, false, 0);
	assert_int_equal(kept_number(w, "SELECT wall FROM clock"),
			 clock_wall_ms());
	assert_int_equal(kept_number(w, "SELECT steady FROM clock"),
			 first + 70 * SEC + 1);
}

/* --- due -------------------------------------------------------------- */

static struct spool_claim
claim_until(struct world *w, int64_t latest_ms)
{
	struct spool_claim c;

	w->latest_ms = latest_ms;
	assert_int_equal(world_claim(w, 10, clock_steady_ms(), &c), SPOOL_OK);
	for (size_t i = 0; i < c.n; i++)
		item_free(&c.items[i]);
	mem_free(c.items);
	return c;
}

static void
what_is_due_too_late_is_due_now(void **state)
{
	struct world *w = *state;
	int64_t now_ms = clock_steady_ms();
	uint64_t held = world_put(w, 10, false, now_ms + YEAR);
	struct spool_claim c;
	struct item *item;

	world_put(w, 10, false, now_ms + HOUR);
	world_put(w, 10, false, now_ms + HOUR + 1);
	world_put(w, 10, false, now_ms + YEAR);
	assert_int_equal(world_act(w, SPOOL_HOLD, held), 1);
	c = claim_until(w, 0);
	assert_int_equal(c.n, 0);
	c = claim_until(w, now_ms + HOUR);
	assert_int_equal(c.n, 2);
	assert_int_equal(c.next_due_ms, now_ms + HOUR);
	/* released, it is no better than the others */
	item = world_look(w, held);
	assert_int_equal(item->due_ms, now_ms + YEAR);
	item_free(&item);
	assert_int_equal(world_act(w, SPOOL_RELEASE, held), 1);
	c = claim_until(w, now_ms + HOUR);
	assert_int_equal(c.n, 1);
}

/* Thousands come near step by step: what the other operations wait for is short,
 * and no claim forgets the rest. */
static void
a_large_queue_comes_near_in_steps(void **state)
{
	static const char sql[] =
		"CREATE TEMP TABLE t AS WITH n(i) AS (SELECT 1 UNION ALL"
		" SELECT i + 1 FROM n WHERE i < 2500)"
		" SELECT item.*, i FROM item, n;"
		"INSERT INTO rcpt SELECT t.id + 64 * i, idx, address, notify,"
		" orcpt, state, rcpt.last FROM t, rcpt WHERE item = t.id;"
		"UPDATE t SET body = id >> 6, id = id + 64 * i;"
		"UPDATE body SET refs = 2501;"
		"ALTER TABLE t DROP COLUMN i;"
		"INSERT INTO item SELECT * FROM t";
	struct world *w = *state;
	char far[100];
	size_t claimed = 0;
	int64_t left = 2501;

	world_put(w, 10, false, clock_steady_ms() + YEAR);
	meanwhile(w, sql, SEC, SEC);
	snprintf(far, sizeof(far), "SELECT count(*) FROM item WHERE due > %lld",
		 (long long)(clock_steady_ms() + HOUR));
	assert_int_equal(kept_number(w, far), left);
	while (left > 0) {
		struct spool_claim c = claim_until(w, clock_steady_ms() + HOUR);
		int64_t now = kept_number(w, far);

		assert_true(now < left && left - now <= 1000);
		assert_int_equal(c.n, 10);
		claimed += c.n;
		left = now;
	}
	assert_in_range(claimed, 30, 40);
}

/* --- ids -------------------------------------------------------------- */

/* A wrong year, even one for which ids have no room, makes none twice. */
static void
ids_rise_whatever_the_clock_says(void **state)
{
	struct world *w = *state;
	uint64_t last = world_put(w, 10, false, 0), id;

	for (int i = 0; i < 4; i++) {
		clock_fake(clock_now_ms() + SEC,
			   clock_wall_ms() + (i % 2 ? -150 : 150) * YEAR);
		id = world_put(w, 10, false, 0);
		CHECK_ROW(i, id > last);
		last = id;
		meanwhile(w, NULL, SEC, 0);
	}
}

static int
setup(void **state)
{
	clock_fake(HOUR, NOW);
	return contract_setup(state);
}

static int
teardown(void **state)
{
	int failed = contract_teardown(state);

	clock_fake(-1, 0);
	return failed;
}

#define PLAY(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest durable[] = {
		PLAY(ages_outlive_a_restart),
		PLAY(an_older_version_may_have_written),
		PLAY(an_empty_spool_begins_at_the_wall_clock),
		PLAY(the_mark_is_kept_while_it_runs),
		PLAY(ids_rise_whatever_the_clock_says),
		PLAY(a_large_queue_comes_near_in_steps),
	};
	static const struct CMUnitTest both[] = {
		PLAY(what_is_due_too_late_is_due_now),
	};

	return cmocka_run_group_tests_name("sqlite, over a restart", durable,
					   contract_on_sqlite, NULL) +
	       CONTRACT_RUN(both);
}
