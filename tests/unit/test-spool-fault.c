/* test-spool-fault.c - an acknowledged message survives any failing call
 *
 * A play of accepts and settles is run with the first, second, third ... call
 * to the disk failing, until none is left to fail.  Whatever failed, then and
 * after a restart: what was acknowledged is there whole, what was not is
 * there whole or not at all, and no body's file is left that nothing names.
 */
#include "unit.h"

#include "spool-fault.h"
#include "spool-world.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"

#include <stdio.h>
#include <unistd.h>

enum { SMALL = 3000, LARGE = 150000, MESSAGES = 5 };

enum fate { UNSURE, THERE, GONE };

struct play {
	struct world *w;
	struct {
		uint64_t id;
		enum fate fate;
		enum item_fate wanted;
		bool settling, refused;
	} of[MESSAGES];
	size_t n;
	unsigned open;			/* settles that are under way */
};

struct settling {
	struct spool_settle t;
	struct play *play;
	size_t of;
};

static void
on_settled(struct spool_op *op)
{
	struct settling *s = container_of(op, struct settling, t.op);
	struct play *p = s->play;

	p->of[s->of].settling = false;
	if (op->status == SPOOL_OK && s->t.fate == FATE_DONE)
		p->of[s->of].fate = GONE;
	else if (s->t.fate == FATE_DONE)
		p->of[s->of].fate = UNSURE;
	p->open--;
	mem_free(s);
	loop_stop(p->w->loop);
}

/* The same for one that is not on the heap. */
static void
on_settled_here(struct spool_op *op)
{
	struct settling *s = container_of(op, struct settling, t.op);

	s->play->open--;
	loop_stop(s->play->w->loop);
}

/* Posted, and waited for only a little: with the disk gone it comes home
 * when the spool is closed. */
static void
play_settle(struct play *p, size_t of, enum item_fate fate)
{
	struct settling *s;

	if (p->of[of].fate != THERE)
		return;
	s = NEW(struct settling);
	s->play = p;
	s->of = of;
	s->t.id = p->of[of].id;
	s->t.fate = fate;
	s->t.due_ms = clock_steady_ms();
	s->t.op.home = loop_mailbox(p->w->loop);
	s->t.op.done = on_settled;
	p->of[of].settling = true;
	p->open++;
	spool_settle(p->w->spool, &s->t);
}

static void
play_put(struct play *p, size_t size, bool claimed)
{
	enum spool_status status;
	struct body *b = world_body(p->w, size, &status);
	size_t of = p->n++;
	struct item *item;

	p->of[of].fate = UNSURE;
	if (b == NULL)
		return;
	item = world_item(b, 0, "relay");
	item->claimed = claimed;
	p->of[of].id = item->id;
	if (world_accept(p->w, &item, 1) == SPOOL_OK)
		p->of[of].fate = THERE;
	else
		p->of[of].refused = true;
}

static void
on_claimed(struct spool_op *op)
{
	struct spool_claim *c = container_of(op, struct spool_claim, op);

	for (size_t i = 0; i < c->n; i++)
		item_free(&c->items[i]);
	mem_free(c->items);
	mem_free(c);
}

static void
play_claim(struct play *p)
{
	struct spool_claim *c = NEW(struct spool_claim);

	c->max = 10;
	c->now_ms = clock_steady_ms();
	c->op.home = loop_mailbox(p->w->loop);
	c->op.done = on_claimed;
	spool_claim(p->w->spool, c);
}

static void
play_run(struct play *p)
{
	play_put(p, SMALL, true);
	play_put(p, LARGE, true);
	play_put(p, LARGE, true);
	play_settle(p, 0, FATE_RELEASE);
	play_settle(p, 1, FATE_DONE);
	play_put(p, SMALL, false);
	play_claim(p);
	play_put(p, LARGE, true);
	play_settle(p, 4, FATE_DONE);
}

/* again: the spool has been at work since, and has put right what a failed
 * commit left behind. */
static void
check(struct play *p, size_t nth, bool again)
{
	for (size_t i = 0; i < p->n; i++) {
		struct item *item;

		if (p->of[i].id == 0)
			continue;
		item = world_look(p->w, p->of[i].id);
		CHECK_ROW(nth, item != NULL || p->of[i].fate != THERE);
		CHECK_ROW(nth, item == NULL || p->of[i].fate != GONE);
		CHECK_ROW(nth, item == NULL || !again || !p->of[i].refused);
		CHECK_ROW(nth, item == NULL || world_whole(p->w, item));
		item_free(&item);
	}
}

/* The sweep works on a worker, after the start. */
static void
check_no_orphans(struct world *w, size_t nth)
{
	size_t orphans = 1;

	for (int i = 0; i < 200 && orphans > 0; i++) {
		world_files(w, &orphans);
		if (orphans > 0)
			usleep(5000);
	}
	CHECK_ROW(nth, orphans == 0);
}

/* mend: the disk is well again before the end, and the spool goes on. */
static bool
play_once(enum fault_mode mode, unsigned nth, bool mend)
{
	struct world *w = world_new("sqlite:", "?vfs=fault");
	struct play p = { .w = w };
	struct error err;
	bool was_hit;

	assert_true(world_open(w, &err));
	fault_arm(mode, nth);
	play_run(&p);
	was_hit = fault_fired();
	if (mend) {
		fault_disarm();
		while (p.open > 0)
			loop_run(w->loop);
		for (size_t i = 0; i < p.n; i++)
			CHECK_ROW(nth, !p.of[i].settling);
		/* within a while it accepts again */
		for (int i = 0; world_put(w, SMALL, false, 0) == 0; i++) {
			CHECK_ROW(nth, i < 2000);
			usleep(3000);
		}
		check(&p, nth, true);
	}
	world_close(w);
	fault_disarm();
	if (!world_open(w, &err))
		fail_msg("call %u: %s", nth, err.text);
	check(&p, nth, mend);
	check_no_orphans(w, nth);
	world_free(&w);
	return was_hit;
}

static void
play_all(enum fault_mode mode, bool mend)
{
	unsigned nth = 1;

	while (play_once(mode, nth, mend))
		nth++;
	assert_true(nth > 10);
	print_message("%u calls failed in turn\n", nth - 1);
}

static void
one_call_fails(void **state)
{
	(void)state;
	play_all(FAULT_IO_ONCE, true);
}

static void
the_disk_dies(void **state)
{
	(void)state;
	play_all(FAULT_IO_ON, false);
}

static void
the_database_alone_dies(void **state)
{
	(void)state;
	play_all(FAULT_DB_ON, false);
}

static void
the_database_is_away_for_a_while(void **state)
{
	(void)state;
	play_all(FAULT_DB_ON, true);
}

static void
the_disk_is_away_for_a_while(void **state)
{
	(void)state;
	play_all(FAULT_IO_ON, true);
}

static void
one_call_finds_no_space(void **state)
{
	(void)state;
	play_all(FAULT_FULL_ONCE, true);
}

static void
the_disk_is_full(void **state)
{
	(void)state;
	play_all(FAULT_FULL_ON, false);
}

/* Opening a spool with something in it. */
static void
opening_fails_cleanly(void **state)
{
	struct world *w = world_new("sqlite:", "?vfs=fault");
	struct error err;
	uint64_t small, large;
	bool was_hit = true;

	(void)state;
	assert_true(world_open(w, &err));
	small = world_put(w, SMALL, true, 0);
	large = world_put(w, LARGE, true, 0);
	world_close(w);
	for (unsigned nth = 1; was_hit; nth++) {
		fault_arm(FAULT_IO_ONCE, nth);
		err.text[0] = '\0';
		if (!world_open(w, &err))
			CHECK_ROW(nth, err.text[0] != '\0');
		was_hit = fault_fired();
		fault_disarm();
		world_close(w);
		if (!world_open(w, &err))
			fail_msg("call %u: %s", nth, err.text);
		for (int i = 0; i < 2; i++) {
			struct item *item = world_look(w, i ? large : small);

			CHECK_ROW(nth, item != NULL && world_whole(w, item));
			item_free(&item);
		}
		world_close(w);
	}
	world_free(&w);
}

/* --- doubt: a commit that failed, and is found done when reopened -------- */

enum { LONGER_THAN_A_PAUSE_US = 70 * 1000 };

static void
wait_until_well(struct world *w)
{
	/* so long that the store was closed while the disk was away */
	usleep(LONGER_THAN_A_PAUSE_US);
	fault_disarm();
	for (int i = 0; world_put(w, SMALL, true, 0) == 0; i++) {
		assert_true(i < 2000);
		usleep(3000);
	}
}

static void
a_doubtful_accept_is_undone(void **state)
{
	bool was_hit = true;

	(void)state;
	for (unsigned nth = 1; was_hit; nth++) {
		struct world *w = world_new("sqlite:", "?vfs=fault");
		struct play p = { .w = w };
		struct error err;
		size_t orphans;

		assert_true(world_open(w, &err));
		fault_arm(FAULT_DB_ON, nth);
		play_put(&p, LARGE, true);
		was_hit = fault_fired();
		wait_until_well(w);
		check(&p, nth, true);
		if (was_hit) {
			for (int i = 0; i < 200 && world_files(w, &orphans); i++)
				usleep(5000);
			CHECK_ROW(nth, world_files(w, &orphans) == 0);
		}
		world_free(&w);
	}
}

static void
a_doubtful_claim_is_undone(void **state)
{
	bool was_hit = true;

	(void)state;
	for (unsigned nth = 1; was_hit; nth++) {
		struct world *w = world_new("sqlite:", "?vfs=fault");
		struct spool_claim c;
		struct error err;

		assert_true(world_open(w, &err));
		assert_int_not_equal(world_put(w, SMALL, false, 0), 0);
		fault_arm(FAULT_DB_ON, nth);
		if (world_claim(w, 9, 1, &c) == SPOOL_OK) {
			was_hit = false;
		} else {
			assert_true(fault_fired());
			CHECK_ROW(nth, c.n == 0);
			wait_until_well(w);
			assert_int_equal(world_claim(w, 9, 1, &c), SPOOL_OK);
		}
		fault_disarm();
		CHECK_ROW(nth, c.n == 1);
		item_free(&c.items[0]);
		mem_free(c.items);
		world_free(&w);
	}
}

/* One that was perhaps done is done once: with its report, not twice. */
static void
a_doubtful_settle_is_done_once(void **state)
{
	bool was_hit = true;

	(void)state;
	for (unsigned nth = 1; was_hit; nth++) {
		struct world *w = world_new("sqlite:", "?vfs=fault");
		struct play p = { .w = w };
		struct spool_accept also = { .n = 1 };
		struct settling s = { .t = { .also = &also }, .play = &p };
		enum spool_status status;
		struct item *item;
		struct error err;
		uint64_t report;

		assert_true(world_open(w, &err));
		s.t.id = world_put(w, SMALL, true, 0);
		also.items[0] = world_item(world_body(w, SMALL, &status), 0,
					   "dsn");
		report = also.items[0]->id;
		s.t.fate = nth % 2 ? FATE_DONE : FATE_STAY;
		fault_arm(FAULT_DB_ON, (nth + 1) / 2);
		s.t.op.home = loop_mailbox(w->loop);
		s.t.op.done = on_settled_here;
		p.open = 1;
		spool_settle(w->spool, &s.t);
		usleep(LONGER_THAN_A_PAUSE_US);
		was_hit = fault_fired();
		wait_until_well(w);
		while (p.open > 0)
			loop_run(w->loop);
		CHECK_ROW(nth, s.t.op.status == SPOOL_OK);
		CHECK_ROW(nth, also.items[0] == NULL);
		item = world_look(w, report);
		CHECK_ROW(nth, item != NULL && world_whole(w, item));
		item_free(&item);
		item = world_look(w, s.t.id);
		CHECK_ROW(nth, (item == NULL) == (s.t.fate == FATE_DONE));
		item_free(&item);
		world_free(&w);
	}
}

/* --- little room ---------------------------------------------------------- */

enum { RESULTS = 200, WORDS = 1500, LOG_ROOM = 150 * 1024 };

struct result {
	struct spool_settle t;
	struct loop *loop;
	unsigned *open;
};

static void
on_result(struct spool_op *op)
{
	struct result *r = container_of(op, struct result, t.op);

	--*r->open;
	loop_stop(r->loop);
}

static void
result_post(struct world *w, struct result *r, uint64_t id, unsigned *open)
{
	r->loop = w->loop;
	r->open = open;
	r->t.id = id;
	r->t.fate = FATE_RELEASE;
	r->t.due_ms = INT64_MAX;
	r->t.last = mem_array(WORDS + 1, 1);
	memset(r->t.last, 'w', WORDS);
	r->t.last[WORDS] = '\0';
	r->t.op.home = loop_mailbox(w->loop);
	r->t.op.done = on_result;
	spool_settle(w->spool, &r->t);
}

static void
results_come_home(struct world *w, const unsigned *open)
{
	for (int i = 0; *open > 0; i++) {
		assert_true(i < 4000);
		world_drain(w);
		usleep(5000);
	}
}

/* All at once they take more room than there is. */
static void
results_go_in_portions(void **state)
{
	struct world *w = world_new("sqlite:", "?vfs=fault");
	static struct result results[RESULTS];
	unsigned open = RESULTS;
	uint64_t ids[RESULTS];
	struct spool_stats stats;
	struct error err;

	(void)state;
	memset(results, 0, sizeof(results));
	assert_true(world_open(w, &err));
	for (size_t i = 0; i < RESULTS; i++)
		ids[i] = world_put(w, SMALL, true, 0);
	fault_arm(FAULT_FULL_ON, 1);
	for (size_t i = 0; i < RESULTS; i++)
		result_post(w, &results[i], ids[i], &open);
	do {
		usleep(LONGER_THAN_A_PAUSE_US);
		spool_stats(w->spool, &stats);
	} while (stats.failed_batches < 2);
	assert_int_equal(open, RESULTS);
	fault_log_room(LOG_ROOM);
	fault_disarm();
	results_come_home(w, &open);
	fault_log_room(0);
	for (size_t i = 0; i < RESULTS; i++) {
		struct item *item = world_look(w, ids[i]);

		CHECK_ROW(i, results[i].t.op.status == SPOOL_OK);
		CHECK_ROW(i, item != NULL && item->last != NULL &&
			     strlen(item->last) == WORDS);
		item_free(&item);
		spool_settle_clear(&results[i].t);
	}
	world_free(&w);
}

/* Nor do the operator's hand, and claims, want more than there is. */
static void
removals_go_in_portions(void **state)
{
	struct world *w = world_new("sqlite:", "?vfs=fault");
	struct spool_claim c;
	struct error err;
	size_t n = 0, told = 0;

	(void)state;
	assert_true(world_open(w, &err));
	for (size_t i = 0; i < RESULTS; i++)
		assert_int_not_equal(world_put(w, SMALL, false, 0), 0);
	fault_log_room(LOG_ROOM);
	for (int i = 0; n < RESULTS / 2; i++) {
		assert_true(i < 2000);
		if (world_claim(w, RESULTS / 2 - n, clock_steady_ms(), &c) !=
		    SPOOL_OK)
			continue;
		n += c.n;
		for (size_t j = 0; j < c.n; j++)
			item_free(&c.items[j]);
		mem_free(c.items);
	}
	w->tell = SIZE_MAX;	/* also by batches that failed: once each */
	assert_int_equal(world_act(w, SPOOL_REMOVE, 0), RESULTS / 2);
	fault_log_room(0);
	for (const char *p = w->met; (p = strchr(p, '\n')) != NULL; p++)
		told++;
	assert_int_equal(told, RESULTS / 2);
	world_free(&w);
}

/* Durable means synced: what no fault can show. */
static void
what_is_acknowledged_was_synced(void **state)
{
	struct world *w = world_new("sqlite:", "?vfs=fault");
	enum spool_status status;
	struct error err;
	unsigned db, file, folder;
	struct body *b;
	struct item *item;
	uint64_t id;

	(void)state;
	assert_true(world_open(w, &err));
	file = fault_file_syncs();
	folder = fault_folder_syncs();
	b = world_body(w, LARGE, &status);
	assert_true(fault_file_syncs() > file);
	assert_true(fault_folder_syncs() > folder);
	db = fault_db_syncs();
	item = world_item(b, 0, "relay");
	id = item->id;
	assert_int_equal(world_accept(w, &item, 1), SPOOL_OK);
	assert_true(fault_db_syncs() > db);
	db = fault_db_syncs();
	assert_int_equal(world_end(w, id, FATE_DONE, 0), SPOOL_OK);
	assert_true(fault_db_syncs() > db);
	world_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_acknowledged_was_synced),
		cmocka_unit_test(a_doubtful_accept_is_undone),
		cmocka_unit_test(a_doubtful_claim_is_undone),
		cmocka_unit_test(a_doubtful_settle_is_done_once),
		cmocka_unit_test(results_go_in_portions),
		cmocka_unit_test(removals_go_in_portions),
		cmocka_unit_test(one_call_fails),
		cmocka_unit_test(the_disk_dies),
		cmocka_unit_test(the_database_alone_dies),
		cmocka_unit_test(the_database_is_away_for_a_while),
		cmocka_unit_test(the_disk_is_away_for_a_while),
		cmocka_unit_test(one_call_finds_no_space),
		cmocka_unit_test(the_disk_is_full),
		cmocka_unit_test(opening_fails_cleanly),
	};

	fault_register();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
