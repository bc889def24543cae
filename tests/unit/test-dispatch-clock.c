/* test-dispatch-clock.c - somebody sets the clock: no message waits for that,
 * and none is warned of or given up because of it */
#include "dispatch-double.h"

#include "base/clock.h"

#define DAY (INT64_C(24) * HOUR)
#define YEAR (365 * DAY)

#define QUICK "retry: {first: 1m, factor: 2, longest: 10m, give_up: 2h, " \
	"warn_after: 30m, paused_longest: 5h}\nout: {}\n"

static const int64_t jumps[] = {
	HOUR, -HOUR, 3 * DAY, -3 * DAY, YEAR, -YEAR, 50 * YEAR, -50 * YEAR,
};

static void
refuses_us(struct world *w, const char *rcpt, struct outcome *o)
{
	(void)w, (void)rcpt;
	say(o, PHASE_AUTH, 535, "5.7.3", "Authentication unsuccessful");
}

static void
refuses_a_relay(struct world *w)
{
	w->manner = BACKEND_RELAY;
	for (struct outlet *o = w->d->outlets; o != NULL; o = o->next)
		o->manner = BACKEND_RELAY;
	w->answer = refuses_us;
}

/* The message as the spool has it, in the spool: the window is told when it is
 * due, and a minute later it looks. */
static void
goes_on_waiting(struct world *w, int64_t created_ms)
{
	struct item *item = world_again(w, "out", "busy@x.test");

	item->created_ms = created_ms;
	item->due_ms = world_last(w)->due_ms;
	item->claimed = false;
	w->due[w->due_count++] = item;
	dispatch_work(w->d, item->due_ms);
	world_turn(w);
}

/* The timers of the loop are real; the clock is not. */
static void
the_window_looks(struct world *w)
{
	window_pull(w->d);
	world_turn(w);
}

/* --- a message that waits -------------------------------------------- */

static void
its_second_attempt_is_in_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
		struct world *w = world_new(QUICK);
		int64_t created_ms = clock_steady_ms();

		w->answer = by_name;
		world_commit(w, world_item(w, "out", "busy@x.test"));
		CHECK_ROW(i, due_in(world_last(w), MINUTE));
		goes_on_waiting(w, created_ms);
		CHECK_ROW(i, w->job_count == 1);
		later(10 * SEC);
		set_wall(jumps[i]);
		the_window_looks(w);
		CHECK_ROW(i, w->job_count == 1);	/* not before */
		later(57 * SEC);
		the_window_looks(w);
		CHECK_ROW(i, w->job_count == 2);
		/* neither given up nor told of */
		CHECK_ROW(i, world_last(w)->fate == FATE_RELEASE);
		CHECK_ROW(i, world_last(w)->reports == 0);
		CHECK_ROW(i, world_last(w)->warned_ms == 0);
		CHECK_ROW(i, due_in(world_last(w), 2 * MINUTE));
		world_free(&world);
	}
}

static void
it_is_warned_of_and_given_up_in_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
		struct world *w = world_new(QUICK);
		int64_t created_ms = clock_steady_ms();
		int64_t warned_ms = 0, ended_ms = 0;

		w->answer = by_name;
		world_commit(w, world_item(w, "out", "busy@x.test"));
		for (int k = 0; k < 60 && ended_ms == 0; k++) {
			struct item *item = world_again(w, "out",
							"busy@x.test");

			if (k == 2)
				set_wall(jumps[i]);
			later(world_last(w)->due_ms - clock_steady_ms());
			item->created_ms = created_ms;
			world_commit(w, item);
			if (world_last(w)->reports > 0 && warned_ms == 0)
				warned_ms = clock_steady_ms() - created_ms;
			if (world_last(w)->fate == FATE_DONE)
				ended_ms = clock_steady_ms() - created_ms;
		}
		CHECK_ROW(i, warned_ms >= 30 * MINUTE &&
			     warned_ms <= 41 * MINUTE);
		CHECK_ROW(i, ended_ms >= 2 * HOUR &&
			     ended_ms <= 2 * HOUR + 11 * MINUTE);
		world_free(&world);
	}
}

/* What it tells people, it tells them in their time. */
static void
a_report_has_the_time_of_the_wall(void **state)
{
	struct world *w = world_new(QUICK);
	const struct seen_settle *s;

	(void)state;
	setenv("TZ", "UTC", 1);
	set_wall(YEAR);			/* from November 2023 on */
	w->answer = by_name;
	world_commit(w, world_item(w, "out", "unknown@x.test"));
	s = world_last(w);
	assert_int_equal(s->reports, 1);
	assert_non_null(strstr(s->report[0].text,
			       "Arrival-Date: Wed, 13 Nov 2024"));
	assert_null(strstr(s->report[0].text, "2023"));
}

/* --- a route that is paused ------------------------------------------- */

static void
a_paused_route_is_probed_in_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
		struct world *w = world_new(QUICK);
		int64_t created_ms = clock_steady_ms();

		refuses_a_relay(w);
		world_commit(w, world_item(w, "out", "busy@x.test"));
		CHECK_ROW(i, outlet_is_paused(w->d->outlets));
		CHECK_ROW(i, world_last(w)->paused_ms <= 2 * MINUTE);
		goes_on_waiting(w, created_ms);
		set_wall(jumps[i]);
		later(67 * SEC);
		w->answer = NULL;
		the_window_looks(w);
		CHECK_ROW(i, w->job_count == 2);
		CHECK_ROW(i, !outlet_is_paused(w->d->outlets));
		world_free(&world);
	}
}

/* The pauses that do not count are those that there were. */
static void
a_jump_is_no_pause(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
		struct world *w = world_new(QUICK);
		int64_t waited_ms = 0;

		refuses_a_relay(w);
		world_commit(w, world_item(w, "out", "busy@x.test"));
		for (int k = 0; k < 6; k++) {
			set_wall(k % 2 ? -jumps[i] : jumps[i]);
			waited_ms += world_last(w)->due_ms - clock_steady_ms();
			later(world_last(w)->due_ms - clock_steady_ms());
			world_commit(w, world_again(w, "out", "busy@x.test"));
			CHECK_ROW(i, world_last(w)->fate == FATE_RELEASE);
		}
		waited_ms += world_last(w)->due_ms - clock_steady_ms();
		CHECK_ROW(i, world_last(w)->paused_ms == waited_ms);
		world_free(&world);
	}
}

static void
since_when_is_shown_by_the_wall(void *arg, const struct dispatch_row *r)
{
	if (r->destination == NULL)
		*(int64_t *)arg = r->paused_since_ms;
}

static void
a_pause_is_shown_by_the_wall(void **state)
{
	struct world *w = world_new(QUICK);
	int64_t since_ms = 0;

	(void)state;
	refuses_a_relay(w);
	dispatch_rows(w->d, since_when_is_shown_by_the_wall, &since_ms);
	assert_int_equal(since_ms, 0);
	world_commit(w, world_item(w, "out", "busy@x.test"));
	later(MINUTE);
	set_wall(YEAR);
	dispatch_rows(w->d, since_when_is_shown_by_the_wall, &since_ms);
	assert_int_equal(since_ms, clock_wall_ms() - MINUTE);
}

/* --- what a clock that was wrong has left behind ---------------------- */

static void
what_is_due_too_late_is_due_now(void **state)
{
	static const struct {
		int64_t in_ms;
		bool now;
	} rows[] = {
		{ 9 * MINUTE, false },
		{ 10 * MINUTE + 30 * SEC, false },	/* with its jitter */
		{ 12 * MINUTE, true }, { HOUR, true }, { YEAR, true },
		{ 150 * YEAR, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *w = world_new(QUICK);
		struct item *item = world_item(w, "out", "b@x.test");

		item->due_ms = clock_steady_ms() + rows[i].in_ms;
		item->claimed = false;
		w->due[w->due_count++] = item;
		dispatch_work(w->d, item->due_ms);
		world_turn(w);
		CHECK_ROW(i, w->job_count == rows[i].now);
		world_free(&world);
	}
}

static void
no_age_is_negative(void **state)
{
	struct world *w = world_new(QUICK);
	struct item *item = world_item(w, "out", "busy@x.test");

	(void)state;
	item->created_ms += YEAR;
	assert_int_equal(item_age_ms(item, clock_steady_ms()), 0);
	w->answer = by_name;
	world_commit(w, item);
	assert_true(due_in(world_last(w), MINUTE));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		PLAY(its_second_attempt_is_in_time),
		PLAY(it_is_warned_of_and_given_up_in_time),
		PLAY(a_report_has_the_time_of_the_wall),
		PLAY(a_paused_route_is_probed_in_time),
		PLAY(a_jump_is_no_pause),
		PLAY(a_pause_is_shown_by_the_wall),
		PLAY(what_is_due_too_late_is_due_now),
		PLAY(no_age_is_negative),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
