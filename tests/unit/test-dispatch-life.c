/* test-dispatch-life.c - reloading, stopping, pulling, the operator's hand */
#include "dispatch-double.h"

#include "base/clock.h"

#include <stdio.h>
#include <time.h>

/* --- reloading ------------------------------------------------------- */

/* Would the window take an item for these from intake? */
static bool
room_for(struct world *w, size_t rcpts)
{
	char to[20 * 200] = "";
	struct item *item;
	bool ret;

	for (size_t i = 0; i < rcpts; i++)
		snprintf(to + strlen(to), sizeof(to) - strlen(to),
			 "%sr%zu@x.test", i ? " " : "", i);
	item = world_item(w, "out", to);
	ret = dispatch_window(w->d, &item, 1);
	if (ret)
		dispatch_window_give(w->d, &item, 1);
	item_free(&item);
	return ret;
}

static void
a_reload_keeps_what_is_the_same(void **state)
{
	struct world *w = world_new("a: {block: {host: h, port: 25}}\nb: {}\n");

	(void)state;
	assert_int_equal(w->opened, 2);
	w->held = true;
	world_commit(w, world_item(w, "a", "b@x.test"));
	assert_true(world_configure(w, "# moved\nb: {connections: 5}\na:\n"
				    "  block:\n    host: h\n    port: 25\n"));
	world_turn(w);
	assert_int_equal(w->opened, 2);
	assert_int_equal(w->closed, 0);
	assert_string_equal(w->d->outlets->name, "b");
	assert_int_equal(w->d->outlets->connections, 5);
}

/* What is raised takes effect on what waits already. */
static void
a_reload_opens_the_way(void **state)
{
	struct world *w = world_new("a: {connections: 1}\n");

	(void)state;
	w->held = true;
	world_commit(w, world_item(w, "a", "b@x.test"));
	world_commit(w, world_item(w, "a", "b@x.test"));
	assert_int_equal(w->active, 1);
	assert_true(world_configure(w, "a: {connections: 2}\n"));
	assert_int_equal(w->active, 2);
	assert_int_equal(w->opened, 1);
}

static void
a_reload_moves_what_waits(void **state)
{
	static const char *const after[] = {
		"a: {connections: 1, block: {host: j}}\nb: {}\n",
		"a: {connections: 1, backend: other, block: {host: h}}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(after); i++) {
		struct world *w = world_new("a: {connections: 1, "
					    "block: {host: h}}\n");

		w->held = true;
		world_commit(w, world_item(w, "a", "b@x.test"));
		world_commit(w, world_item(w, "a", "c@x.test d@y.test"));
		assert_int_equal(w->active, 2);
		CHECK_ROW(i, world_configure(w, after[i]));
		world_turn(w);
		CHECK_ROW(i, w->active == 3);	/* c, with the new one */
		CHECK_ROW(i, w->closed == 0);	/* b and d are under way */
		world_finish(w, 0);
		world_turn(w);
		CHECK_ROW(i, w->closed == 0);
		world_finish(w, 1);
		world_turn(w);
		CHECK_ROW(i, w->closed == 1);
		world_finish(w, 2);
		world_turn(w);
		CHECK_ROW(i, world_last(w)->fate == FATE_DONE);
		world_free(&w);
	}
}

static void
a_reload_that_fails_changes_nothing(void **state)
{
	struct world *w = world_new(ONE_ROUTE);

	(void)state;
	assert_false(world_configure(w, "first: {}\n"
				     "out: {backend: missing}\n"));
	assert_int_equal(w->opened, 2);
	assert_int_equal(w->closed, 1);
	w->open_fails = true;
	assert_false(world_configure(w, "out: {block: {x: 1}}\n"));
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(world_last(w)->fate, FATE_DONE);
}

static void
items_of_a_route_that_is_gone(void **state)
{
	struct world *w = world_new("x: {domain: x.test}\n"
				    "rest: {domain: y.test}\n");
	const struct seen_settle *s;

	(void)state;
	/* by the rules, each recipient by itself */
	world_commit(w, world_item(w, "gone", "b@y.test c@x.test"));
	assert_int_equal(w->job_count, 2);
	assert_string_equal(w->jobs[0].route, "rest");
	assert_string_equal(w->jobs[1].route, "x");
	assert_int_equal(world_last(w)->fate, FATE_DONE);

	/* nobody takes it: it waits */
	world_commit(w, world_item(w, "gone", "b@z.test"));
	assert_int_equal(w->job_count, 2);
	s = world_last(w);
	assert_int_equal(s->fate, FATE_RELEASE);
	assert_true(due_in(s, MINUTE));
	assert_non_null(strstr(s->last, "route `gone' is no longer in"));
}

static void
waiting_items_leave_a_route_that_goes(void **state)
{
	struct world *w = world_new("a: {connections: 1}\n");

	(void)state;
	w->held = true;
	world_commit(w, world_item(w, "a", "b@x.test"));
	world_commit(w, world_item(w, "a", "c@x.test"));
	assert_true(world_configure(w, "other: {}\n"));
	world_turn(w);
	assert_int_equal(w->active, 2);
	assert_string_equal(w->jobs[1].route, "other");
}

/* --- stopping -------------------------------------------------------- */

static void
set_true(void *arg)
{
	*(bool *)arg = true;
}

static void
a_stop_waits_for_what_is_under_way(void **state)
{
	struct world *w = world_new("out: {connections: 1}\n");
	bool stopped = false;

	(void)state;
	w->held = true;
	world_commit(w, world_item(w, "out", "b@x.test"));
	world_commit(w, world_item(w, "out", "c@x.test"));
	dispatch_stop(w->d, 60 * SEC, set_true, &stopped);
	world_turn(w);
	/* the waiting one is given back, to be tried as soon as we are back */
	assert_int_equal(w->settle_count, 1);
	assert_int_equal(world_last(w)->fate, FATE_RELEASE);
	assert_int_equal(world_last(w)->attempts, 0);
	assert_true(world_last(w)->due_ms <= clock_wall_ms());
	assert_false(stopped);
	assert_false(room_for(w, 1));
	/* what had been committed meanwhile is given back too */
	atomic_fetch_add(&w->d->window.taken, 1);
	dispatch_committed(w->d, world_item(w, "out", "d@x.test"));
	world_turn(w);
	assert_int_equal(w->settle_count, 2);

	assert_int_equal(dispatch_left(w->d), 1);
	world_finish(w, 0);
	world_turn(w);
	assert_true(stopped);
	assert_int_equal(w->job_count, 1);
	assert_int_equal(world_last(w)->fate, FATE_DONE);
	assert_int_equal(dispatch_left(w->d), 0);
}

static void
a_stop_without_work_ends_at_once(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	bool stopped = false;

	(void)state;
	dispatch_stop(w->d, 60 * SEC, set_true, &stopped);
	assert_false(stopped);		/* not from within */
	world_turn(w);
	assert_true(stopped);
}

/* Being cancelled is no failure: no attempt counts, it is due at once. */
static void
patience_ends_for(int64_t age_ms, unsigned attempts)
{
	struct world *w = world_new(ONE_ROUTE);
	struct item *item = world_item(w, "out", "b@x.test");
	bool stopped = false;

	w->held = true;
	item->created_ms -= age_ms;
	item->attempts = attempts;
	world_commit(w, item);
	dispatch_stop(w->d, 1, set_true, &stopped);
	for (int i = 0; i < 100 && !stopped; i++) {
		struct timespec ms = { .tv_nsec = 1000 * 1000 };

		nanosleep(&ms, NULL);
		world_turn(w);
	}
	assert_true(stopped);
	assert_int_equal(w->cancelled, 1);
	assert_int_equal(world_last(w)->fate, FATE_RELEASE);
	assert_int_equal(world_last(w)->attempts, attempts);
	assert_int_equal(world_last(w)->due_ms, clock_wall_ms());
	world_free(&w);
}

/* Nobody pays for the end of the gateway, not even who would be given up. */
static void
patience_ends(void **state)
{
	(void)state;
	patience_ends_for(0, 0);
	patience_ends_for(100 * 24 * (int64_t)HOUR, 7);
}

/* --- pulling --------------------------------------------------------- */

static void
due_items_are_pulled(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	struct item *later_one = world_item(w, "out", "b@y.test");
	size_t claims = w->claims;

	(void)state;
	later_one->due_ms += HOUR;
	w->due[w->due_count++] = world_item(w, "out", "b@x.test");
	w->due[w->due_count++] = later_one;
	w->due[0]->uncertain = true;
	dispatch_work(w->d, clock_wall_ms());
	world_turn(w);
	assert_int_equal(w->job_count, 1);
	assert_int_equal(w->due_count, 1);
	assert_int_equal(w->claims, claims + 1);
	assert_true(timer_runs(&w->d->window.timer));
	assert_int_equal(w->d->window.taken, 0);

	/* not before its time */
	dispatch_work(w->d, later_one->due_ms);
	world_turn(w);
	assert_int_equal(w->claims, claims + 1);
	later(HOUR);
	dispatch_work(w->d, clock_wall_ms());
	world_turn(w);
	assert_int_equal(w->job_count, 2);
}

/* A whole backlog is worked off, no more at once than the window takes. */
static void
a_backlog_is_pulled_in_pieces(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	char to[40];

	(void)state;
	w->held = true;
	for (int i = 0; i < 3000; i++) {
		snprintf(to, sizeof(to), "b@x%d.test", i);
		w->due[w->due_count++] = world_item(w, "out", to);
	}
	dispatch_work(w->d, 0);
	world_turn(w);
	assert_true(w->d->window.count <= LIMIT_WINDOW);
	assert_true(w->d->window.count > LIMIT_WINDOW - 64);
	assert_false(room_for(w, 1));	/* and intake is told */
	w->held = false;
	for (int k = 0; k < 100 && w->settle_count < 3000; k++) {
		for (size_t i = 0; i < w->job_count; i++)
			world_finish(w, i);
		world_turn(w);
	}
	assert_int_equal(w->settle_count, 3000);
	assert_int_equal(w->d->window.taken, 0);
}

static void
intake_leaves_room(void **state)
{
	struct world *w = world_new(ONE_ROUTE);

	(void)state;
	struct item *item = world_item(w, "out", "c@x.test");
	struct item *same[LIMIT_WINDOW_INTAKE];

	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		same[i] = item;
	assert_true(dispatch_window(w->d, same, ARRAY_SIZE(same)));
	assert_false(room_for(w, 1));
	w->due[w->due_count++] = world_item(w, "out", "b@x.test");
	dispatch_work(w->d, 0);
	world_turn(w);
	assert_int_equal(w->job_count, 1);
	dispatch_window_give(w->d, same, ARRAY_SIZE(same));
	item_free(&item);
	assert_int_equal(w->d->window.taken, 0);
}

/* What many recipients make heavy waits in the spool, and is pulled when
 * there is room for it, or nothing else. */
static void
the_window_is_bounded_by_weight_too(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	struct budget memory = { .limit = 1024 * 1024 };
	char to[20 * 200] = "";

	(void)state;
	w->d->memory = &memory;
	assert_true(room_for(w, 1));
	assert_true(room_for(w, 10));
	assert_false(room_for(w, 200));
	assert_int_equal(memory.used, 0);
	for (size_t i = 0; i < 200; i++)
		snprintf(to + strlen(to), sizeof(to) - strlen(to),
			 "%sr%zu@x.test", i ? " " : "", i);
	w->held = true;
	for (int i = 0; i < 3; i++)
		w->due[w->due_count++] = world_item(w, "out", to);
	for (int i = 0; i < 20; i++)
		w->due[w->due_count++] = world_item(w, "out", "b@x.test");
	dispatch_work(w->d, 0);
	world_turn(w);
	assert_int_equal(w->d->window.count, 1);
	assert_true(memory.used > memory.limit / 4);
	assert_false(room_for(w, 1));
	w->held = false;
	for (int k = 0; k < 100 && w->due_count + w->d->window.count > 0; k++) {
		for (size_t i = 0; i < w->job_count; i++)
			world_finish(w, i);
		world_turn(w);
	}
	assert_int_equal(w->due_count, 0);
	assert_int_equal(w->d->window.count, 0);
	assert_int_equal(w->d->window.bytes, 0);
	assert_int_equal(memory.used, 0);
}

/* Those at rest too: a sender names as many hosts as he likes. */
static void
destinations_at_rest_are_bounded(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	char to[40];

	(void)state;
	w->answer = all_down;
	for (int i = 0; i < 200; i++) {
		snprintf(to, sizeof(to), "b@x%d.test", i);
		world_commit(w, world_item(w, "out", to));
	}
	assert_int_equal(w->d->destination_count, 200);
	w->d->destination_count += LIMIT_DESTINATIONS;
	for (int i = 0; i < 200; i++) {
		snprintf(to, sizeof(to), "b@y%d.test", i);
		world_commit(w, world_item(w, "out", to));
	}
	world_turn(w);
	w->d->destination_count -= LIMIT_DESTINATIONS;
	assert_true(w->d->destination_count <= 200);
}

/* A slow destination does not fill the whole window. */
static void
a_long_line_is_put_off(void **state)
{
	struct world *w = world_new("out: {connections: 1}\n");

	(void)state;
	w->held = true;
	for (size_t i = 0; i < LIMIT_WAITING + 2; i++)
		world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->settle_count, 1);
	assert_int_equal(world_last(w)->fate, FATE_RELEASE);
	assert_int_equal(world_last(w)->attempts, 0);
	assert_true(world_last(w)->due_ms >= clock_wall_ms() + 5 * SEC);
	w->held = false;
	for (size_t i = 0; i < w->job_count; i++)
		world_finish(w, i);
}

/* --- the operator's hand --------------------------------------------- */

static bool acted;

static void
on_acted(struct dispatch_act *a)
{
	assert_false(a->failed);
	assert_int_equal(a->changed, 7);
	acted = true;
}

static void
acts(void **state)
{
	struct world *w = world_new("out: {connections: 1}\n");
	struct item *active = world_item(w, "out", "b@x.test");
	struct item *waiting = world_item(w, "out", "c@x.test");
	struct item *other = world_item(w, "out", "d@x.test");
	uint64_t ids[] = { active->id, waiting->id };
	struct dispatch_act a = {
		.verb = SPOOL_REMOVE, .ids = ids, .n = 2, .done = on_acted,
	};

	(void)state;
	w->held = true;
	world_commit(w, active);
	world_commit(w, waiting);
	world_commit(w, other);

	/* the waiting one goes back first, so that the spool may take it */
	acted = false;
	dispatch_act(w->d, &a);
	assert_int_equal(w->settle_count, 1);
	assert_int_equal(world_last(w)->id, ids[1]);
	assert_int_equal(world_last(w)->fate, FATE_RELEASE);
	assert_int_equal(a.busy, 1);
	world_turn(w);
	assert_true(acted);
	assert_int_equal(w->acted, SPOOL_REMOVE);
	assert_int_equal(w->d->window.count, 2);

	/* a hold does not stop what is under way, and is not refused */
	acted = false;
	a = (struct dispatch_act){ .verb = SPOOL_HOLD, .route = "out",
				   .done = on_acted };
	dispatch_act(w->d, &a);
	world_turn(w);
	assert_true(acted);
	assert_int_equal(a.busy, 0);
	assert_int_equal(w->acted, SPOOL_HOLD);
	assert_int_equal(w->settle_count, 2);
	assert_int_equal(w->d->window.count, 1);

	/* another route's are left alone */
	a = (struct dispatch_act){ .verb = SPOOL_REMOVE, .route = "else",
				   .done = on_acted };
	dispatch_act(w->d, &a);
	assert_int_equal(a.busy, 0);
	world_turn(w);
	world_finish(w, 0);
	world_turn(w);
	assert_int_equal(w->d->window.count, 0);
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

static void
retry_ends_a_rest(void **state)
{
	struct world *w = world_new("out: {connections: 1}\n");
	struct dispatch_act a = { .verb = SPOOL_RETRY, .done = on_acted };

	(void)state;
	fall(w);
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->job_count, 4);	/* turned away */
	dispatch_act(w->d, &a);
	world_turn(w);
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->job_count, 5);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		PLAY(a_reload_keeps_what_is_the_same),
		PLAY(a_reload_opens_the_way),
		PLAY(a_reload_moves_what_waits),
		PLAY(a_reload_that_fails_changes_nothing),
		PLAY(items_of_a_route_that_is_gone),
		PLAY(waiting_items_leave_a_route_that_goes),
		PLAY(a_stop_waits_for_what_is_under_way),
		PLAY(a_stop_without_work_ends_at_once),
		PLAY(patience_ends),
		PLAY(due_items_are_pulled),
		PLAY(a_backlog_is_pulled_in_pieces),
		PLAY(intake_leaves_room),
		PLAY(the_window_is_bounded_by_weight_too),
		PLAY(destinations_at_rest_are_bounded),
		PLAY(a_long_line_is_put_off),
		PLAY(acts),
		PLAY(retry_ends_a_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
