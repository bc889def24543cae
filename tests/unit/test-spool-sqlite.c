/* test-spool-sqlite.c - what is particular to the store on disk: restarts,
 * the lock, the schema, space, files */
#include "unit.h"

#include "spool-world.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int
setup(void **state)
{
	struct world *w = world_new("sqlite:", "");
	struct error err;

	if (!world_open(w, &err))
		fail_msg("%s", err.text);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	world_close(w);
	assert_int_equal(w->budget.used, 0);
	world_free(&w);
	return 0;
}

static void
restart(struct world *w)
{
	struct error err;

	world_close(w);
	if (!world_open(w, &err))
		fail_msg("%s", err.text);
}

/* --- restarts ----------------------------------------------------------- */

static void
claims_of_another_boot_are_uncertain(void **state)
{
	struct world *w = *state;
	int64_t later = clock_wall_ms() + 1000000;
	uint64_t ours = world_put(w, 3000, true, 0);
	uint64_t large = world_put(w, 200000, true, 0);
	uint64_t waits = world_put(w, 3000, false, later);
	uint64_t held = world_put(w, 3000, false, 5);
	struct spool_claim c;
	struct item *item;

	assert_int_equal(world_act(w, SPOOL_HOLD, held), 1);
	restart(w);
	item = world_look(w, waits);
	assert_false(item->uncertain);
	assert_int_equal(item->due_ms, later);
	item_free(&item);
	item = world_look(w, held);
	assert_true(item->held && !item->uncertain);
	item_free(&item);

	assert_int_equal(world_claim(w, 9, clock_wall_ms(), &c), SPOOL_OK);
	assert_int_equal(c.n, 2);
	assert_int_equal(c.items[0]->id, ours);
	assert_int_equal(c.items[1]->id, large);
	for (size_t i = 0; i < c.n; i++) {
		assert_true(c.items[i]->uncertain);
		assert_true(world_whole(w, c.items[i]));
		item_free(&c.items[i]);
	}
	mem_free(c.items);
	assert_int_equal(c.next_due_ms, later);

	/* settled once, it is certain again */
	assert_int_equal(world_end(w, ours, FATE_RELEASE, 7), SPOOL_OK);
	item = world_look(w, ours);
	assert_false(item->uncertain);
	item_free(&item);
}

static void
work_is_announced_at_the_start(void **state)
{
	struct world *w = *state;
	int64_t later = clock_wall_ms() + 1000000;
	struct spool_claim c;

	restart(w);
	assert_int_equal(world_claim(w, 1, 0, &c), SPOOL_OK);
	mem_free(c.items);
	assert_int_equal(w->due_ms, -1);
	world_put(w, 10, false, later);
	restart(w);
	assert_int_equal(world_claim(w, 1, 0, &c), SPOOL_OK);
	mem_free(c.items);
	assert_int_equal(w->due_ms, later);
}

static void
ids_rise_over_a_restart(void **state)
{
	struct world *w = *state;
	uint64_t id = world_put(w, 10, false, 0);

	restart(w);
	assert_true(message_id_next() > item_message(id));
}

/* Accepts without end, and says to the pipe what was acknowledged. */
static void
accept_until_killed(struct world *w, int to)
{
	struct error err;

	if (!world_open(w, &err))
		_exit(1);
	for (unsigned i = 0;; i++) {
		uint64_t id = world_put(w, i % 3 ? 3000 : 150000, i % 2, 0);

		if (id == 0 || write(to, &id, sizeof(id)) != sizeof(id))
			_exit(1);
		if (i % 4 == 3) {
			world_end(w, id, FATE_DONE, 0);
			id = 0;	/* of the one before: it may be gone */
			if (write(to, &id, sizeof(id)) != sizeof(id))
				_exit(1);
		}
		while (w->got_count > 0)
			item_free(&w->got[--w->got_count]);
	}
}

/* Those that were not to be settled next; how many. */
static size_t
check_survivors(struct world *w, int from, size_t round)
{
	uint64_t id, last = 0;
	struct item *item;
	size_t checked = 0;

	while (read(from, &id, sizeof(id)) == sizeof(id)) {
		if (last != 0 && id != 0) {
			item = world_look(w, last);
			CHECK_ROW(round, item && world_whole(w, item));
			item_free(&item);
			checked++;
		}
		last = id;
	}
	return checked;
}

static void
a_kill_at_any_moment_loses_nothing(void **state)
{
	struct world *w = *state;
	struct error err;
	size_t orphans = 1, checked = 0;

	/* more of them where it is slow, until something had been accepted */
	for (unsigned round = 0; round < 8 || (checked == 0 && round < 60);
	     round++) {
		int ends[2], status;
		pid_t pid;

		world_close(w);		/* no threads while forking */
		assert_int_equal(pipe(ends), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			accept_until_killed(w, ends[1]);
		close(ends[1]);
		usleep(40000 + round * 7000);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		if (!world_open(w, &err))
			fail_msg("%s", err.text);
		checked += check_survivors(w, ends[0], round);
		close(ends[0]);
	}
	assert_true(checked > 0);
	for (int i = 0; i < 200 && orphans > 0; i++) {
		world_files(w, &orphans);
		usleep(5000);
	}
	assert_int_equal(orphans, 0);
}

/* --- the lock ----------------------------------------------------------- */

static void
two_gateways_on_one_spool(void **state)
{
	struct world *w = *state, *other = world_new("sqlite:", "");
	char pid[32];
	struct error err;

	snprintf(other->url, sizeof(other->url), "%s", w->url);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	assert_false(world_open(other, &err));
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, pid));
	assert_non_null(strstr(err.text, w->dir));
	assert_string_not_equal(err.hint, "");
	/* and the first one does not notice */
	assert_int_not_equal(world_put(w, 10, true, 0), 0);
	world_close(w);
	assert_true(world_open(other, &err));
	world_free(&other);
}

/* --- the schema --------------------------------------------------------- */

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

/* --- space -------------------------------------------------------------- */

static void
below_the_free_space_accepts_are_refused(void **state)
{
	struct world *w = *state;
	uint64_t ours = world_put(w, 10, true, 0);
	uint64_t waits = world_put(w, 10, false, 0);
	enum spool_status status;
	struct spool_stats stats;
	struct item *item;
	struct body *b;

	world_close(w);
	w->free_space = INT64_MAX;
	restart(w);
	b = world_body(w, 10, &status);
	item = world_item(b, 0, "relay");
	assert_int_equal(world_accept(w, &item, 1), SPOOL_FULL);
	spool_stats(w->spool, &stats);
	assert_false(stats.accepting);
	assert_non_null(strstr(stats.trouble, "free"));
	/* large ones are not even written */
	assert_null(world_body(w, 500000, &status));
	assert_int_equal(status, SPOOL_FULL);
	/* while what is there goes out */
	assert_int_equal(world_end(w, ours, FATE_DONE, 0), SPOOL_OK);
	assert_int_equal(world_end(w, waits, FATE_DONE, 0), SPOOL_OK);

	w->free_space = 1;
	restart(w);
	assert_int_not_equal(world_put(w, 10, true, 0), 0);
}

/* --- memory ------------------------------------------------------------- */

static void
over_the_budget_bodies_do_not_stay(void **state)
{
	static const size_t sizes[] = { 3000, 40000, 300000 };
	struct world *w = *state;

	w->budget.limit = 100;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		CHECK_ROW(i, world_put(w, sizes[i], true, 0) != 0);
		CHECK_ROW(i, w->got_count == i + 1);
		CHECK_ROW(i, !body_in_memory(w->got[i]->body));
		CHECK_ROW(i, w->got[i]->body->bytes.cap == 0);
		CHECK_ROW(i, w->got[i]->body->in_file == (i > 0));
		CHECK_ROW(i, world_whole(w, w->got[i]));
	}
	assert_int_equal(w->budget.used, 0);
}

/* --- files -------------------------------------------------------------- */

static size_t
files_after_a_while(struct world *w, size_t want)
{
	size_t orphans, n = world_files(w, &orphans);

	for (int i = 0; i < 200 && n != want; i++) {
		usleep(5000);
		n = world_files(w, &orphans);
	}
	return n;
}

static void
a_file_goes_with_its_last_item(void **state)
{
	struct world *w = *state;
	enum spool_status status;
	struct body *b = world_body(w, 200000, &status);
	struct item *items[2] = {
		world_item(body_ref(b), 0, "a"), world_item(b, 1, "b"),
	};
	uint64_t id = items[0]->id;

	assert_int_equal(files_after_a_while(w, 1), 1);
	assert_int_equal(world_accept(w, items, 2), SPOOL_OK);
	assert_int_equal(world_end(w, id, FATE_DONE, 0), SPOOL_OK);
	usleep(20000);
	assert_int_equal(files_after_a_while(w, 1), 1);
	assert_int_equal(world_end(w, id + 1, FATE_DONE, 0), SPOOL_OK);
	assert_int_equal(files_after_a_while(w, 0), 0);
}

static void
a_file_that_nobody_accepted_goes(void **state)
{
	struct world *w = *state;
	enum spool_status status;
	struct body *b = world_body(w, 200000, &status);

	assert_int_equal(files_after_a_while(w, 1), 1);
	body_unref(&b);
	assert_int_equal(files_after_a_while(w, 0), 0);
}

static void
put_file(struct world *w, uint64_t id)
{
	char path[128], text[ITEM_TEXT];
	struct error err;

	snprintf(path, sizeof(path), "%s/bodies/%02u/%s", w->dir,
		 (unsigned)(id >> 8) % 32,
		 item_id_text(id * ITEM_ORDINALS, text));
	assert_true(file_replace(path, SPAN("left behind"), 0600, &err));
}

static void
the_sweep_takes_what_nothing_names(void **state)
{
	struct world *w = *state;
	uint64_t large = world_put(w, 200000, true, 0);
	uint64_t old = message_id_next();
	uint64_t coming = message_id_next() + (UINT64_C(1000000) << 8);
	struct item *item;

	put_file(w, old);
	put_file(w, coming);	/* as if a draft of this boot wrote it */
	restart(w);
	assert_int_equal(files_after_a_while(w, 2), 2);
	item = world_look(w, large);
	assert_true(world_whole(w, item));
	item_free(&item);
}

static void
a_missing_file_fails_the_attempt_alone(void **state)
{
	struct world *w = *state;
	uint64_t id = world_put(w, 200000, true, 0);
	struct item *item = world_look(w, id);
	char command[128];

	snprintf(command, sizeof(command), "rm %s/bodies/*/*", w->dir);
	assert_int_equal(system(command), 0);
	assert_false(world_whole(w, item));
	item_free(&item);
	assert_int_equal(world_end(w, id, FATE_DONE, 0), SPOOL_OK);
}

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

static struct stat
database_stat(struct world *w)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/spool.db", w->dir);
	assert_int_equal(stat(path, &st), 0);
	return st;
}

static off_t
database_size(struct world *w)
{
	return database_stat(w).st_size;
}

static void
after_a_backlog_the_file_shrinks(void **state)
{
	enum { MANY = 450 };
	struct world *w = *state;
	struct error err;
	off_t large;

	for (int i = 0; i < MANY; i++)
		assert_int_not_equal(world_put(w, 60000, false, 0), 0);
	world_close(w);
	large = database_size(w);
	assert_true(large > MANY * 60000);
	assert_true(world_open(w, &err));
	assert_int_equal(world_act(w, SPOOL_REMOVE, 0), MANY);
	for (int i = 0; i < 250 && database_size(w) > large * 3 / 4; i++)
		usleep(20000);
	assert_true(database_size(w) <= large * 3 / 4);
	assert_int_not_equal(world_put(w, 60000, false, 0), 0);
}

/* What is committed has its room in the database from then on: on the disk,
 * not as a hole. */
static void
growth_is_paid_at_once(void **state)
{
	enum { MANY = 40, SIZE = 60000 };
	struct world *w = *state;
	struct stat st;

	for (int i = 1; i <= MANY; i++) {
		assert_int_not_equal(world_put(w, SIZE, true, 0), 0);
		st = database_stat(w);
		CHECK_ROW(i, st.st_size > i * SIZE);
		CHECK_ROW(i, st.st_blocks * 512 > i * SIZE);
	}
}

/* By the header (sqlite.org/fileformat2.html section 1.3): what the file has
 * room for beyond them is not written. */
static uint32_t
database_pages(struct world *w)
{
	unsigned char head[32];
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/spool.db", w->dir);
	f = fopen(path, "rb");
	assert_non_null(f);
	assert_int_equal(fread(head, 1, sizeof(head), f), sizeof(head));
	fclose(f);
	return (uint32_t)head[28] << 24 | (uint32_t)head[29] << 16 |
	       (uint32_t)head[30] << 8 | head[31];
}

/* The database of a queue that comes and goes does not grow for ever, and
 * the write-ahead log is folded in when nothing happens. */
static void
the_log_is_folded_in_when_idle(void **state)
{
	enum { PAGE = 4096, SIZE = 60000 };
	struct world *w = *state;

	for (int i = 0; i < 20; i++)
		assert_int_equal(world_end(w, world_put(w, SIZE, true, 0),
					   FATE_DONE, 0), SPOOL_OK);
	assert_int_not_equal(world_put(w, SIZE, true, 0), 0);
	for (int i = 0; i < 250 && (database_pages(w) <= SIZE / PAGE ||
				    database_size(w) >= 1000000); i++)
		usleep(20000);
	assert_true(database_pages(w) > SIZE / PAGE);
	assert_true(database_size(w) < 1000000);
}

#define SPOOL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SPOOL_TEST(claims_of_another_boot_are_uncertain),
		SPOOL_TEST(work_is_announced_at_the_start),
		SPOOL_TEST(ids_rise_over_a_restart),
		SPOOL_TEST(a_kill_at_any_moment_loses_nothing),
		SPOOL_TEST(two_gateways_on_one_spool),
		SPOOL_TEST(a_newer_schema_is_refused),
		SPOOL_TEST(an_older_schema_is_brought_forward),
		SPOOL_TEST(a_newer_schema_in_the_log_is_refused),
		SPOOL_TEST(what_is_not_ours_is_refused),
		SPOOL_TEST(nobody_else_reads_the_mail),
		SPOOL_TEST(below_the_free_space_accepts_are_refused),
		SPOOL_TEST(over_the_budget_bodies_do_not_stay),
		SPOOL_TEST(a_file_goes_with_its_last_item),
		SPOOL_TEST(a_file_that_nobody_accepted_goes),
		SPOOL_TEST(the_sweep_takes_what_nothing_names),
		SPOOL_TEST(a_missing_file_fails_the_attempt_alone),
		SPOOL_TEST(an_item_without_a_body_is_held),
		SPOOL_TEST(after_a_backlog_the_file_shrinks),
		SPOOL_TEST(growth_is_paid_at_once),
		SPOOL_TEST(the_log_is_folded_in_when_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
