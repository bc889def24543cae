/* test-dispatch-pause.c - a route that is paused: its mail waits, does not age,
 * is probed for, and none of it pays for what it is not to blame for */
#include "dispatch-double.h"

#include "base/clock.h"

#define QUICK "retry: {first: 1m, factor: 2, longest: 10m, give_up: 2h, " \
	"warn_after: 0, paused_longest: 5h}\nout: {}\n"

static void
refuses_us(struct world *w, const char *rcpt, struct outcome *o)
{
	(void)w, (void)rcpt;
	say(o, PHASE_AUTH, 535, "5.7.3", "Authentication unsuccessful");
}

static void
unreachable(struct world *w, const char *rcpt, struct outcome *o)
{
	(void)w, (void)rcpt;
	say(o, PHASE_CONNECT, 0, NULL, "connection refused");
}

static void
may_not_send_as(struct world *w, const char *rcpt, struct outcome *o)
{
	(void)w, (void)rcpt;
	say(o, PHASE_DOT, 554, "5.2.252", "SendAsDenied; a not as b");
}

static struct world *
relay_world(const char *yaml)
{
	struct world *w = world_new(yaml);

	w->manner = BACKEND_RELAY;
	/* opened before that was said */
	for (struct outlet *o = w->d->outlets; o != NULL; o = o->next)
		o->manner = BACKEND_RELAY;
	return w;
}

static bool
is_paused(const struct world *w)
{
	return outlet_is_paused(w->d->outlets);
}

/* One that is due comes in, as from the spool. */
static void
comes_again(struct world *w)
{
	world_commit(w, world_again(w, "out", "b@x.test"));
}

/* --- beginning ------------------------------------------------------- */

static void
a_backend_may_pause_as_it_is_opened(void **state)
{
	struct world *w;

	(void)state;
	world_opens_paused = "nobody has signed in yet";
	w = relay_world(QUICK);
	world_opens_paused = NULL;
	assert_true(is_paused(w));
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->job_count, 0);
	w->events->ready(w->events_arg);
	assert_false(is_paused(w));
}

static void
a_refusal_of_us_pauses_the_route(void **state)
{
	struct world *w = relay_world(QUICK);
	const struct seen_settle *s;

	(void)state;
	w->answer = refuses_us;
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_true(is_paused(w));
	assert_non_null(strstr(w->d->outlets->pause.why, "535 5.7.3"));
	assert_non_null(strstr(w->d->outlets->pause.why, "New-Service"));
	s = world_last(w);
	assert_int_equal(s->fate, FATE_RELEASE);
	assert_int_equal(s->attempts, 0);
	assert_true(due_in(s, MINUTE));
	assert_int_equal(s->paused_ms, s->due_ms - clock_wall_ms());
	assert_int_equal(s->reports, 0);

	/* what comes meanwhile goes back without having been tried */
	world_commit(w, world_item(w, "out", "c@y.test"));
	assert_int_equal(w->job_count, 1);
	s = world_last(w);
	assert_int_equal(s->fate, FATE_RELEASE);
	assert_non_null(strstr(s->last, "the route is paused: 535"));
}

/* Several at once: one pause, and what waited in line leaves it. */
static void
those_under_way_fall_together(void **state)
{
	struct world *w = relay_world(QUICK);

	(void)state;
	w->answer = refuses_us;
	w->held = true;
	w->connections = 2;
	w->d->outlets->connections = 0;
	for (int i = 0; i < 5; i++)
		world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->active, 2);
	world_finish(w, 0);
	world_finish(w, 1);
	world_turn(w);
	assert_int_equal(w->settle_count, 5);
	assert_int_equal(w->job_count, 2);
	assert_int_equal(w->d->outlets->pause.failures, 1);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(w->settles[i].fate, FATE_RELEASE);
}

static void
a_backend_may_say_so(void **state)
{
	struct world *w = relay_world(QUICK);

	(void)state;
	w->events->paused(w->events_arg, "nobody has signed in yet");
	assert_true(is_paused(w));
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->job_count, 0);
	assert_non_null(strstr(world_last(w)->last, "nobody has signed in"));
	w->events->ready(w->events_arg);
	world_turn(w);
	assert_false(is_paused(w));
	assert_int_equal(w->acted, SPOOL_RETRY);
	comes_again(w);
	assert_int_equal(world_last(w)->fate, FATE_DONE);
}

/* It pauses while a job is with it, and settles that without an answer. */
static void
a_job_that_fails_for_it_does_not_age(void **state)
{
	struct world *w = relay_world(QUICK);

	(void)state;
	w->held = true;
	w->answer = unreachable;
	world_commit(w, world_item(w, "out", "b@x.test"));
	w->events->paused(w->events_arg, "the provider refuses a token");
	world_finish(w, 0);
	world_turn(w);
	/* the backend's words are better than what became of the job */
	assert_string_equal(w->d->outlets->pause.why,
			    "the provider refuses a token");
	assert_int_equal(world_last(w)->fate, FATE_RELEASE);
	assert_int_equal(world_last(w)->attempts, 0);
	assert_true(world_last(w)->paused_ms > 0);
}

static void
one_messages_matter_pauses_nothing(void **state)
{
	struct world *w = relay_world(QUICK);
	const struct seen_settle *s;

	(void)state;
	w->answer = may_not_send_as;
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_false(is_paused(w));
	s = &w->settles[w->settle_count - 1];
	assert_int_equal(s->rcpts[0].state, RCPT_BOUNCED);
	assert_int_equal(s->reports, 1);
	assert_non_null(strstr(s->report[0].text, "Send As"));
}

/* --- probing --------------------------------------------------------- */

static void
one_is_let_through_when_it_is_time(void **state)
{
	struct world *w = relay_world(QUICK);

	(void)state;
	w->answer = refuses_us;
	world_commit(w, world_item(w, "out", "b@x.test"));
	later(70 * SEC);
	w->held = true;
	comes_again(w);
	comes_again(w);
	world_commit(w, world_item(w, "out", "c@y.test"));
	assert_int_equal(w->job_count, 2);	/* one more */
	/* it gets through: the others follow at once */
	w->answer = NULL;
	world_finish(w, 1);
	world_turn(w);
	assert_false(is_paused(w));
	assert_int_equal(w->acted, SPOOL_RETRY);
	assert_int_equal(w->job_count, 4);
}

static void
a_probe_that_fails_makes_the_pause_grow(void **state)
{
	struct world *w = relay_world(QUICK);
	static const int64_t pauses[] = { MINUTE, 2 * MINUTE, 4 * MINUTE,
					  8 * MINUTE, 10 * MINUTE };

	(void)state;
	w->answer = refuses_us;
	world_commit(w, world_item(w, "out", "b@x.test"));
	for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
		CHECK_ROW(i, due_in(world_last(w), pauses[i]));
		CHECK_ROW(i, w->job_count == i + 1);
		later(pauses[i] + pauses[i] / 5);
		/* a host that is away says nothing either way */
		w->answer = i % 2 ? refuses_us : unreachable;
		comes_again(w);
		CHECK_ROW(i, is_paused(w));
	}
}

/* --- growing older --------------------------------------------------- */

static void
nothing_is_returned_for_a_pause(void **state)
{
	struct world *w = relay_world(QUICK);
	int64_t began = clock_wall_ms(), waited = 0;
	int bounced = -1;

	(void)state;
	w->answer = refuses_us;
	world_commit(w, world_item(w, "out", "b@x.test"));
	for (int i = 0; i < 200 && bounced < 0; i++) {
		struct item *item = world_again(w, "out", "b@x.test");

		later(world_last(w)->due_ms - clock_wall_ms());
		item->created_ms = began;
		world_commit(w, item);
		waited = clock_wall_ms() - began;
		if (world_last(w)->fate == FATE_DONE)
			bounced = i;
	}
	/* two hours of its own, after five that do not count */
	assert_true(bounced > 0);
	assert_in_range(waited, 7 * HOUR - 30 * MINUTE, 8 * HOUR);
}

/* --- the end of it --------------------------------------------------- */

static void
nothing_more(struct dispatch_act *act)
{
	(void)act;
}

static void
the_operator_ends_it(void **state)
{
	struct world *w = relay_world(QUICK);
	struct dispatch_act act = { .verb = SPOOL_RETRY };

	(void)state;
	w->answer = refuses_us;
	world_commit(w, world_item(w, "out", "b@x.test"));
	act.route = (char *)"other";
	act.done = nothing_more;
	dispatch_act(w->d, &act);
	world_turn(w);
	assert_true(is_paused(w));
	act.route = (char *)"out";
	dispatch_act(w->d, &act);
	world_turn(w);
	assert_false(is_paused(w));
	w->answer = NULL;
	comes_again(w);
	assert_int_equal(world_last(w)->fate, FATE_DONE);
}

/* Nobody could be reached, and then it was found out why. */
static void
its_end_ends_the_hosts_rest(void **state)
{
	struct world *w = relay_world(QUICK);

	(void)state;
	w->answer = unreachable;
	for (int i = 0; i < 4; i++) {
		world_commit(w, world_item(w, "out", "b@x.test"));
		later(10 * SEC);
	}
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->job_count, 5);
	w->answer = NULL;
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->job_count, 5);	/* it rests */
	w->events->paused(w->events_arg, "nobody has signed in yet");
	w->events->ready(w->events_arg);
	world_turn(w);
	comes_again(w);
	assert_int_equal(w->job_count, 6);
}

/* What a backend has said it looks at again, before that ends: nobody is told
 * of an end that is none. */
static void
a_backend_looks_again(void **state)
{
	struct world *w = relay_world(QUICK);
	struct dispatch_act act = { .verb = SPOOL_RETRY, .done = nothing_more };

	(void)state;
	w->looks_again = true;
	w->events->paused(w->events_arg, "nobody has signed in yet");
	dispatch_act(w->d, &act);
	world_turn(w);
	assert_int_equal(w->looks, 1);
	assert_true(is_paused(w));
	assert_true(world_configure(w, QUICK));
	assert_int_equal(w->looks, 2);
	assert_true(is_paused(w));
	w->events->ready(w->events_arg);
	assert_false(is_paused(w));
	/* what the next hop has said only mail can find out */
	w->answer = refuses_us;
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_true(is_paused(w));
	assert_true(world_configure(w, QUICK));
	assert_int_equal(w->looks, 2);
	assert_false(is_paused(w));
}

static void
a_reload_ends_it(void **state)
{
	static const char *const after[] = {
		QUICK, QUICK "other: {}\n",
		"out: {block: {host: other}}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(after); i++) {
		struct world *w = relay_world(QUICK);

		w->answer = refuses_us;
		world_commit(w, world_item(w, "out", "b@x.test"));
		CHECK_ROW(i, is_paused(w));
		CHECK_ROW(i, world_configure(w, after[i]));
		world_turn(w);
		CHECK_ROW(i, !is_paused(w));
		CHECK_ROW(i, w->acted == SPOOL_RETRY && w->acts == 1);
		world_free(&world);
	}
}

/* --- what the backend allows ----------------------------------------- */

static void
the_pace_is_kept(void **state)
{
	struct world *w = relay_world("out: {}\n");

	(void)state;
	w->per_minute = 3;
	for (int i = 0; i < 5; i++)
		world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->job_count, 3);
	later(59 * SEC);
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->job_count, 3);
	later(2 * SEC);
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->job_count, 6);
	later(61 * SEC);
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->job_count, 8);
}

static void
a_reload_changes_the_pace_of_those_in_line(void **state)
{
	struct world *w = relay_world("out: {}\n");

	(void)state;
	w->per_minute = 3;
	for (int i = 0; i < 5; i++)
		world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->job_count, 3);
	assert_true(world_configure(w, "out: {per_minute: 10}\n"));
	world_turn(w);
	assert_int_equal(w->job_count, 5);
}

static void
connections_are_as_the_backend_says(void **state)
{
	struct world *w = relay_world("out: {}\n");

	(void)state;
	w->held = true;
	w->connections = 3;
	w->d->outlets->connections = 0;		/* the route says nothing */
	for (int i = 0; i < 6; i++)
		world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->active, 3);
	w->d->outlets->connections = 5;		/* the route goes before */
	world_commit(w, world_item(w, "out", "b@x.test"));
	assert_int_equal(w->active, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PLAY(a_backend_may_pause_as_it_is_opened),
		PLAY(a_refusal_of_us_pauses_the_route),
		PLAY(those_under_way_fall_together),
		PLAY(a_backend_may_say_so),
		PLAY(a_job_that_fails_for_it_does_not_age),
		PLAY(one_messages_matter_pauses_nothing),
		PLAY(one_is_let_through_when_it_is_time),
		PLAY(a_probe_that_fails_makes_the_pause_grow),
		PLAY(nothing_is_returned_for_a_pause),
		PLAY(the_operator_ends_it),
		PLAY(its_end_ends_the_hosts_rest),
		PLAY(a_reload_ends_it),
		PLAY(a_backend_looks_again),
		PLAY(the_pace_is_kept),
		PLAY(a_reload_changes_the_pace_of_those_in_line),
		PLAY(connections_are_as_the_backend_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
