/* test-spool-disk.c - the store on disk: what it takes of the disk and of
 * memory, and what it gives back */
#include "unit.h"

#include "spool-world.h"

#include "base/file.h"
#include "base/macros.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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
	world_restart(w);
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
	world_restart(w);
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
	world_restart(w);
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

/* --- the database ------------------------------------------------------- */

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(below_the_free_space_accepts_are_refused),
		CONTRACT_TEST(over_the_budget_bodies_do_not_stay),
		CONTRACT_TEST(a_file_goes_with_its_last_item),
		CONTRACT_TEST(a_file_that_nobody_accepted_goes),
		CONTRACT_TEST(the_sweep_takes_what_nothing_names),
		CONTRACT_TEST(a_missing_file_fails_the_attempt_alone),
		CONTRACT_TEST(after_a_backlog_the_file_shrinks),
		CONTRACT_TEST(growth_is_paid_at_once),
		CONTRACT_TEST(the_log_is_folded_in_when_idle),
	};

	return cmocka_run_group_tests(tests, contract_on_sqlite, NULL);
}
