/* test-clock.c - three clocks: what each of them does when the wall clock is
 * set, and how the steady one goes on over a restart */
#include "unit.h"

#include "base/clock.h"
#include "base/macros.h"

#include <stdio.h>

enum { SEC = 1000, MINUTE = 60 * SEC, HOUR = 60 * MINUTE };

#define DAY (INT64_C(24) * HOUR)
#define YEAR (365 * DAY)
#define WALL INT64_C(1796000000000)

static void
the_steady_clock_never_jumps(void **state)
{
	(void)state;
	clock_fake(5 * MINUTE, WALL);
	assert_true(clock_steady_ms() == WALL);
	clock_fake(6 * MINUTE, WALL - YEAR);
	assert_true(clock_steady_ms() == WALL + MINUTE);
	clock_fake(7 * MINUTE, WALL + 50 * YEAR);
	assert_true(clock_steady_ms() == WALL + 2 * MINUTE);
	assert_true(clock_wall_ms() == WALL + 50 * YEAR);
	clock_fake(-1, 0);
}

static void
it_begins_at_the_wall_clock(void **state)
{
	int64_t apart;

	(void)state;
	clock_fake(-1, 0);
	apart = clock_wall_ms() - clock_steady_ms();
	assert_true(apart > -SEC && apart < SEC);
}

static void
times_are_shown_as_the_wall_clock_says_them(void **state)
{
	int64_t then;

	(void)state;
	clock_fake(MINUTE, WALL);
	then = clock_steady_ms();
	assert_true(clock_wall_of(then) == WALL);
	clock_fake(2 * MINUTE, WALL + HOUR);	/* a minute later */
	assert_true(clock_wall_of(clock_steady_ms()) == WALL + HOUR);
	assert_true(clock_wall_of(then) == WALL + HOUR - MINUTE);
	/* slewed, not set: what was shown stays */
	clock_fake(3 * MINUTE, WALL + HOUR + MINUTE - 7);
	assert_true(clock_wall_of(then) == WALL + HOUR - MINUTE);
	clock_fake(-1, 0);
}

/* then: boot "a", now 1 h, steady and wall as given; what passed. */
static void
a_restart_counts_what_can_be_believed(void **state)
{
	static const struct {
		const char *was, *is;
		int64_t now_ms, wall_ms;	/* since then */
		int64_t passed_ms;
	} rows[] = {
		/* the same boot: the wall clock does not matter */
		{ "a", "a", 5 * MINUTE, 5 * MINUTE, 5 * MINUTE },
		{ "a", "a", 5 * MINUTE, -YEAR, 5 * MINUTE },
		{ "a", "a", 5 * MINUTE, 50 * YEAR, 5 * MINUTE },
		{ "a", "a", 0, 0, 0 },
		/* time that seems to go back is none */
		{ "a", "a", -1, 2 * HOUR, 2 * HOUR },
		/* another boot: the wall clock, within reason */
		{ "a", "b", 9 * DAY, 2 * HOUR, 2 * HOUR },
		{ "a", "b", -HOUR, CLOCK_BELIEVED_MS, CLOCK_BELIEVED_MS },
		{ "a", "b", 0, CLOCK_BELIEVED_MS + 1, 0 },
		{ "a", "b", 0, 50 * YEAR, 0 },
		{ "a", "b", 0, -1, 0 },
		{ "a", "b", 0, -50 * YEAR, 0 },
		/* a boot without a name is not the same as another */
		{ "", "", 5 * MINUTE, 2 * HOUR, 2 * HOUR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct clock_mark then = { .now_ms = HOUR, .wall_ms = WALL,
					   .steady_ms = WALL - 3 * YEAR };
		struct clock_mark now = {
			.now_ms = HOUR + rows[i].now_ms,
			.wall_ms = WALL + rows[i].wall_ms,
		};

		snprintf(then.boot, sizeof(then.boot), "%s", rows[i].was);
		snprintf(now.boot, sizeof(now.boot), "%s", rows[i].is);
		CHECK_ROW(i, clock_resumed(&then, &now) ==
			  then.steady_ms + rows[i].passed_ms);
	}
}

static void
it_goes_on_from_a_mark(void **state)
{
	struct clock_mark mark;

	(void)state;
	clock_fake(HOUR, WALL);
	clock_fake(2 * HOUR, WALL + 3 * YEAR);
	clock_mark(&mark);
	assert_true(mark.steady_ms == WALL + HOUR);
	assert_true(mark.wall_ms == WALL + 3 * YEAR);
	assert_true(mark.boot[0] != '\0');

	/* another process, on the same boot */
	clock_resume(NULL);
	assert_true(clock_steady_ms() == WALL + 3 * YEAR);
	clock_fake(3 * HOUR, WALL);
	clock_resume(&mark);
	assert_true(clock_steady_ms() == WALL + 2 * HOUR);
	clock_fake(3 * HOUR + SEC, WALL - YEAR);
	assert_true(clock_steady_ms() == WALL + 2 * HOUR + SEC);
	clock_fake(-1, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_steady_clock_never_jumps),
		cmocka_unit_test(it_begins_at_the_wall_clock),
		cmocka_unit_test(times_are_shown_as_the_wall_clock_says_them),
		cmocka_unit_test(a_restart_counts_what_can_be_believed),
		cmocka_unit_test(it_goes_on_from_a_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
