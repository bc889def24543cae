/* test-dispatch-retire.c - backends that wait for an answer which must not be
 * lost: a reload and a stop wait with them */
#include "dispatch-double.h"

#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static void
set_true(void *arg)
{
	*(bool *)arg = true;
}

static void
change(struct world *w, const char *host)
{
	char yaml[100];

	snprintf(yaml, sizeof(yaml), "a: {block: {host: %s}}\n", host);
	assert_true(world_configure(w, yaml));
	world_turn(w);
}

static void
the_state_passes_on_when_all_is_answered(void **state)
{
	struct world *w = world_new("a: {block: {host: one}}\n");
	struct backend *one = w->backend, *two, *three;

	(void)state;
	world_ask(one);
	change(w, "two");
	two = w->backend;
	assert_int_equal(w->retired, 1);
	world_ask(two);			/* it waits for its turn */
	change(w, "three");
	three = w->backend;
	world_ask(three);
	assert_int_equal(w->closed + w->left + w->taken, 0);
	/* it goes on asking */
	world_answer(one);
	world_ask(one);
	world_turn(w);
	assert_int_equal(w->closed + w->left + w->taken, 0);
	world_answer(one);
	world_turn(w);
	assert_int_equal(w->closed, 1);
	assert_int_equal(w->taken, 1);
	world_answer(two);
	world_turn(w);
	assert_int_equal(w->closed, 2);
	assert_int_equal(w->taken, 2);
	world_answer(three);
	world_turn(w);
	assert_int_equal(w->closed, 2);
	assert_int_equal(w->left, 2);
}

/* Mail that takes long does not hold up the next one. */
static void
a_job_alone_leaves_the_state(void **state)
{
	struct world *w = world_new("a: {block: {host: one}}\n");

	(void)state;
	w->held = true;
	world_commit(w, world_item(w, "a", "b@x.test"));
	change(w, "two");
	assert_int_equal(w->left, 1);
	assert_int_equal(w->taken, 1);
	assert_int_equal(w->closed, 0);
	world_finish(w, 0);
	world_turn(w);
	assert_int_equal(w->closed, 1);
}

static void
refuses_us(struct world *w, const char *rcpt, struct outcome *o)
{
	(void)w, (void)rcpt;
	say(o, PHASE_AUTH, 535, "5.7.8", "Authentication failed.");
}

/* It began by settings that have been mended since: the new ones try it at
 * once. */
static void
fails_by_the_old_settings(struct world *w)
{
	const struct seen_settle *s;

	w->held = true;
	world_commit(w, world_item(w, "a", "b@x.test"));
	change(w, "two");
	world_finish(w, 0);
	s = world_last(w);
	assert_int_equal(s->fate, FATE_RELEASE);
	assert_int_equal(s->attempts, 0);
	assert_int_equal(s->paused_ms, 0);
	assert_true(s->due_ms <= clock_wall_ms());
}

static void
a_refusal_of_the_old_settings_pauses_nothing(void **state)
{
	struct world *w = world_new("a: {block: {host: one}}\n");

	(void)state;
	w->d->outlets->manner = w->manner = BACKEND_RELAY;
	w->answer = refuses_us;
	fails_by_the_old_settings(w);
	assert_false(outlet_is_paused(w->d->outlets));
	/* the new ones speak for themselves */
	w->held = false;
	world_commit(w, world_again(w, "a", "b@x.test"));
	assert_true(outlet_is_paused(w->d->outlets));
}

static void
unreachable(struct world *w, const char *rcpt, struct outcome *o)
{
	(void)w, (void)rcpt;
	say(o, PHASE_AUTH, 0, NULL, "the provider refused the secret");
}

/* Not even what would be tried later anyway, and counts. */
static void
nor_does_what_they_failed_at(void **state)
{
	struct world *w = world_new("a: {block: {host: one}}\n");

	(void)state;
	w->answer = unreachable;
	fails_by_the_old_settings(w);
	assert_int_equal(w->d->outlets->tally->deferred, 1);
	/* what is in the spool goes, too */
	assert_int_equal(w->acted, SPOOL_RETRY);
	assert_int_equal(w->acts, 1);
}

/* The old pause is over: a probe that was under way says nothing of it. */
static void
a_probe_of_the_old_settings_is_nothing(void **state)
{
	struct world *w = world_new("a: {block: {host: one}}\n");
	struct outlet *old = w->d->outlets;

	(void)state;
	old->manner = w->manner = BACKEND_RELAY;
	w->answer = refuses_us;
	world_commit(w, world_item(w, "a", "b@x.test"));
	assert_true(outlet_is_paused(old));
	clock_fake(clock_now_ms() + HOUR, clock_wall_ms() + HOUR);
	w->held = true;
	world_commit(w, world_again(w, "a", "b@x.test"));
	assert_true(old->pause.probing);
	change(w, "two");
	assert_true(old->retired);
	world_finish(w, 1);
	assert_int_equal(old->pause.failures, 1);
	assert_false(outlet_is_paused(w->d->outlets));
}

static void
a_route_that_comes_back_waits_too(void **state)
{
	struct world *w = world_new("a: {block: {host: one}}\n");
	struct backend *one = w->backend;

	(void)state;
	world_ask(one);
	assert_true(world_configure(w, "b: {}\n"));
	world_turn(w);
	change(w, "two");
	assert_int_equal(w->taken, 0);
	world_answer(one);
	world_turn(w);
	assert_int_equal(w->taken, 1);
	/* nobody is before it now */
	assert_true(world_configure(w, "b: {}\n"));
	world_turn(w);
	change(w, "three");
	assert_int_equal(w->taken, 1);
}

static void
a_stop_waits_for_answers(void **state)
{
	struct world *w = world_new("a: {block: {host: one}}\nb: {}\n");
	struct backend *old, *now;
	bool stopped = false;

	(void)state;
	change(w, "two");
	now = w->backend;
	world_ask(now);
	change(w, "three");
	old = now;
	now = w->backend;
	world_ask(now);
	dispatch_stop(w->d, 60 * SEC, set_true, &stopped);
	assert_int_equal(w->retired, w->opened);
	world_turn(w);
	assert_false(stopped);
	world_answer(old);
	world_turn(w);
	assert_false(stopped);
	/* what it hears makes it write something */
	world_answer(now);
	world_ask(now);
	world_turn(w);
	assert_false(stopped);
	world_answer(now);
	world_turn(w);
	assert_true(stopped);
}

/* Deliveries are abandoned, answers are not: those end by themselves. */
static void
patience_is_not_over_for_answers(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	bool stopped = false;

	(void)state;
	world_ask(w->backend);
	dispatch_stop(w->d, 1, set_true, &stopped);
	for (int i = 0; i < 6000 && !w->d->abandoned; i++) {
		struct timespec ms = { .tv_nsec = 1000 * 1000 };

		nanosleep(&ms, NULL);
		world_turn(w);
	}
	assert_true(w->d->abandoned);
	assert_false(stopped);
	world_answer(w->backend);
	world_turn(w);
	assert_true(stopped);
}

static void
told_twice_it_does_not_wait(void **state)
{
	struct world *w = world_new(ONE_ROUTE);
	bool stopped = false;

	(void)state;
	world_ask(w->backend);
	dispatch_hurry(w->d);
	dispatch_stop(w->d, 0, set_true, &stopped);
	world_turn(w);
	assert_false(stopped);
	for (int i = 0; i < 6000 && !stopped; i++) {
		struct timespec ms = { .tv_nsec = 1000 * 1000 };

		nanosleep(&ms, NULL);
		world_turn(w);
	}
	assert_true(stopped);
	assert_false(w->d->abandoned);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		PLAY(the_state_passes_on_when_all_is_answered),
		PLAY(a_job_alone_leaves_the_state),
		PLAY(a_refusal_of_the_old_settings_pauses_nothing),
		PLAY(nor_does_what_they_failed_at),
		PLAY(a_probe_of_the_old_settings_is_nothing),
		PLAY(a_route_that_comes_back_waits_too),
		PLAY(a_stop_waits_for_answers),
		PLAY(patience_is_not_over_for_answers),
		PLAY(told_twice_it_does_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
