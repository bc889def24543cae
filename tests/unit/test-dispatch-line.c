/* test-dispatch-line.c - destinations: concurrency and rests */
#include "dispatch-double.h"

#include "base/clock.h"

#include <stdio.h>

/* --- destinations ---------------------------------------------------- */

static void
concurrency(void **state)
{
	struct world *w = world_new("out: {connections: 2}\n");

	(void)state;
	w->held = true;
	for (int i = 0; i < 5; i++)
		world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->active, 2);
	world_commit(w, world_item(w, "out", "b@y.test"));
	assert_int_equal(w->active, 3);		/* another destination */
	world_finish(w, 0);
	assert_int_equal(w->active, 3);
	w->held = false;
	for (size_t i = 0; i < SEEN_MAX && w->active > 0; i++)
		world_finish(w, i);
	world_turn(w);
	assert_int_equal(w->settle_count, 6);
	assert_int_equal(w->most_active, 3);
}

/* A backend that takes one job serves its destinations in turn. */
static void
a_blocking_backend_gets_one_job(void **state)
{
	struct world *w = world_new(ONE_ROUTE);

	(void)state;
	w->parallel = 1;
	assert_true(world_configure(w, "out: {block: {changed: 1}}\n"));
	w->held = true;
	world_commit(w, world_item(w, "out", "b@x.test"));
	world_commit(w, world_item(w, "out", "b@x.test"));
	world_commit(w, world_item(w, "out", "b@y.test"));
	world_commit(w, world_item(w, "out", "b@z.test"));
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(w->active, 1);
		world_finish(w, i);
		world_turn(w);
	}
	assert_int_equal(w->settle_count, 4);
	assert_int_equal(w->most_active, 1);
	assert_string_equal(w->jobs[1].destination, "y.test");
}

static void
a_dead_host_is_not_tried_item_by_item(void **state)
{
	struct world *w = world_new("out: {connections: 1}\n");
	const struct seen_settle *s;

	(void)state;
	w->answer = all_down;
	w->held = true;
	for (int i = 0; i < 3; i++)
		world_commit(w, world_item(w, "out", "b@x.test"));
	world_finish(w, 0);
	world_turn(w);
	/* the first rest is short: they wait in memory */
	assert_int_equal(w->active, 0);
	assert_int_equal(w->settle_count, 1);
	assert_int_equal(w->d->window.count, 2);
	world_commit(w, world_item(w, "out", "b@other.test"));
	assert_int_equal(w->active, 1);		/* does not concern it */

	for (size_t k = 0; k < 2; k++) {	/* 2 s, then about 4 s */
		size_t before = w->job_count;

		later(3 * SEC);
		world_commit(w, world_item(w, "out", "b@x.test"));
		assert_int_equal(w->job_count, before + 1);	/* one probes */
		assert_string_equal(w->jobs[before].destination, "x.test");
		world_finish(w, before);
		world_turn(w);
		assert_int_equal(w->job_count, before + 1);
	}
	/* 4 s is long: all others went back, untried, and say why */
	assert_int_equal(w->d->window.count, 1);	/* other.test */
	assert_int_equal(world_last(w)->attempts, 1);	/* it probed */
	s = world_last(w) - 1;
	assert_int_equal(s->fate, FATE_RELEASE);
	assert_int_equal(s->attempts, 0);
	assert_non_null(strstr(s->last, "not tried"));
	assert_non_null(strstr(s->last, "connection refused"));
	assert_true(due_in(s, 4 * SEC));

	/* and those that come now go back as they come */
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(world_last(w)->attempts, 0);
	assert_int_equal(w->d->window.count, 1);

	/* after it one goes alone; its success opens the way */
	w->answer = NULL;
	later(10 * SEC);
	size_t before = w->job_count;
	for (int i = 0; i < 3; i++)
		world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->job_count, before + 1);
	world_finish(w, before);
	assert_int_equal(w->job_count, before + 2);
}

/* Four failures in a row: x.test rests for about 8 s from now on. */
static void
fall(struct world *w)
{
	w->answer = all_down;
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			later((SEC << (i - 1)) * 12 / 10);
		world_commit(w, world_item(w, "out", "b@x.test"));
	}
	assert_int_equal(w->job_count, 4);
}

/* Items at a dead host would never get their second attempt otherwise. */
static void
past_the_end_a_rest_counts(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	struct item *item;

	(void)state;
	fall(w);
	item = world_item(w, "out", "old@x.test");
	item->created_ms -= 100 * HOUR;
	item->warned_ms = 1;
	world_commit(w, item);
	assert_non_null(strstr(world_last(w)->last, "not tried"));
	assert_int_equal(world_last(w)->attempts, 1);
	assert_int_equal(world_last(w)->fate, FATE_RELEASE);
	item = world_again(w, "out", "old@x.test");
	item->created_ms -= 100 * HOUR;
	world_commit(w, item);
	assert_int_equal(world_last(w)->fate, FATE_DONE);
	assert_int_equal(world_last(w)->reports, 1);
}

static void
after_a_rest_one_goes_alone(void **state)
{
	struct world *w = world_new(ONE_ROUTE);

	(void)state;
	fall(w);
	w->answer = NULL;
	w->held = true;
	later(10 * SEC);
	for (int i = 0; i < 3; i++)
		world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->active, 1);
	world_finish(w, 4);
	assert_int_equal(w->active, 2);
}

/* The jobs that were under way when a host fell count as one failure. */
static void
a_fall_counts_once(void **state)
{
	struct world *w = world_new(ONE_ROUTE);

	(void)state;
	w->answer = all_down;
	w->held = true;
	for (int i = 0; i < 10; i++)
		world_commit(w, world_item(w, "out", "b@x.test"));
	for (size_t i = 0; i < 10; i++)
		world_finish(w, i);
	world_turn(w);
	later(1200);
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->active, 1);
}

/* Some connections are refused while others work: fewer, but no rest. */
static void
a_host_that_has_enough_gets_fewer(void **state)
{
	struct world *w = world_new("out: {connections: 4}\n");

	(void)state;
	w->answer = by_name;
	w->held = true;
	world_commit(w, world_item(w, "out", "b@x.test"));
	world_commit(w, world_item(w, "out", "full@x.test"));
	for (int i = 0; i < 6; i++)
		world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->active, 4);
	world_finish(w, 0);
	world_finish(w, 1);		/* refused; three others are there */
	assert_int_equal(w->active, 3);
	world_finish(w, 2);
	assert_int_equal(w->active, 3);
	for (size_t i = 3; i < 6; i++)
		world_finish(w, i);
	assert_int_equal(w->most_active, 4);
	w->most_active = 0;
	for (int i = 0; i < 6; i++)
		world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->most_active, 4);	/* and widened again */
}

static void
a_later_cut_rests_nothing(void **state)
{
	struct world *w = world_new("out: {connections: 1}\n");

	(void)state;
	w->answer = by_name;
	world_commit(w, world_item(w, "out", "cut@x.test"));
	world_commit(w, world_item(w, "out", "policy@x.test"));
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->job_count, 3);
	assert_int_equal(world_last(w)->fate, FATE_DONE);
}

struct rows {
	size_t n;
	struct dispatch_row v[8];
};

static void
on_row(void *arg, const struct dispatch_row *r)
{
	struct rows *rows = arg;

	assert_true(rows->n < ARRAY_SIZE(rows->v));
	rows->v[rows->n++] = *r;
}

static void
rows_tell(void **state)
{
	struct world *w = world_new("out: {connections: 1}\n");
	struct rows rows = { .n = 0 };

	(void)state;
	w->answer = by_name;
	world_commit(w, world_item(w, "out", "b@x.test"));
	world_commit(w, world_item(w, "out", "busy@x.test"));
	world_commit(w, world_item(w, "out", "unknown@x.test"));
	w->held = true;
	world_commit(w, world_item(w, "out", "b@x.test"));
	world_commit(w, world_item(w, "out", "b@x.test"));
	dispatch_rows(w->d, on_row, &rows);
	assert_int_equal(rows.n, 2);
	assert_null(rows.v[0].destination);
	assert_string_equal(rows.v[0].route, "out");
	for (size_t i = 0; i < 2; i++) {
		CHECK_ROW(i, rows.v[i].delivered == 1);
		CHECK_ROW(i, rows.v[i].deferred == 1);
		CHECK_ROW(i, rows.v[i].bounced == 1);
		CHECK_ROW(i, rows.v[i].active == 1);
		CHECK_ROW(i, rows.v[i].waiting == 1);
		CHECK_ROW(i, rows.v[i].limit == 1);
		CHECK_ROW(i, strstr(rows.v[i].last, "no such user") != NULL);
	}
	assert_string_equal(rows.v[1].destination, "x.test");
}

static uint64_t
counted(struct world *w, size_t row)
{
	struct rows rows = { .n = 0 };

	dispatch_rows(w->d, on_row, &rows);
	assert_true(row < rows.n);
	return rows.v[row].delivered;
}

static void
its_time_is_over(void *arg, struct destination *t)
{
	(void)arg;
	t->timer.fire(&t->timer);
}

/* What is shown counts from the start: over a reload with another block, one
 * without the route, and a destination that was idle for long. */
static void
counts_go_on(void **state)
{
	struct world *w = world_new("out: {block: {host: one}}\n");

	(void)state;
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(counted(w, 0), 1);
	assert_true(world_configure(w, "out: {block: {host: two}}\n"));
	world_turn(w);
	assert_int_equal(counted(w, 0), 1);
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(counted(w, 0), 2);
	assert_int_equal(counted(w, 1), 2);
	assert_true(world_configure(w, "other: {}\n"));
	world_turn(w);
	assert_true(world_configure(w, "out: {}\n"));
	world_turn(w);
	assert_int_equal(counted(w, 0), 2);
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(counted(w, 0), 3);
	assert_int_equal(counted(w, 1), 3);
	destinations_each(w->d, its_time_is_over, NULL);
	assert_int_equal(w->d->destination_count, 0);
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(counted(w, 0), 4);
	assert_int_equal(counted(w, 1), 4);
}

/* Only what a backend has; what waits in line is claimed, too. */
static void
active_is_what_a_backend_has(void **state)
{
	struct world *w = world_new("out: {connections: 1}\n");
	struct item *first = world_item(w, "out", "b@x.test");
	struct item *second = world_item(w, "out", "b@x.test");
	uint64_t ids[] = { first->id, second->id };

	(void)state;
	w->held = true;
	world_commit(w, first);
	world_commit(w, second);
	assert_true(dispatch_is_active(w->d, ids[0]));
	assert_false(dispatch_is_active(w->d, ids[1]));
	assert_false(dispatch_is_active(w->d, 4711));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		PLAY(concurrency),
		PLAY(a_blocking_backend_gets_one_job),
		PLAY(a_dead_host_is_not_tried_item_by_item),
		PLAY(past_the_end_a_rest_counts),
		PLAY(after_a_rest_one_goes_alone),
		PLAY(a_fall_counts_once),
		PLAY(a_host_that_has_enough_gets_fewer),
		PLAY(a_later_cut_rests_nothing),
		PLAY(rows_tell),
		PLAY(counts_go_on),
		PLAY(active_is_what_a_backend_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
