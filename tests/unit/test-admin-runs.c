/* test-admin-runs.c - actions that somebody at the control socket waits for */
#include "admin-double.h"
#include "capture.h"

#include "admin/runs.h"
#include "base/mem.h"

#include <stdio.h>

struct world {
	struct dispatch dispatch;
	struct runs *runs;
};

static void
begin(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->dispatch.loop = loop_new("test");
	w->runs = runs_new(w->dispatch.loop, &w->dispatch);
}

static void
finish(struct world *w)
{
	runs_free(&w->runs);
	assert_null(w->runs);
	runs_free(&w->runs);
	loop_free(&w->dispatch.loop);
}

static const struct who anna = { .kind = WHO_USER, .uid = 1000, .user = "anna" };

static uint64_t
run_begin(struct world *w, const char *action)
{
	struct error err = { .text = "" };
	uint64_t number = runs_begin(w->runs, &anna, "office", action, &err);

	if (number == 0)
		fail_msg("%s", err.text);
	return number;
}

/* "hello|well over ok", or "none"; until the next call. */
static const char *
look(struct world *w, uint64_t number, size_t after)
{
	static char text[200 * 1024];
	json_t *seen = runs_look(w->runs, number, after), *line;
	size_t i, n = 0;

	snprintf(text, sizeof(text), "none");
	if (seen == NULL)
		return text;
	text[0] = '\0';
	json_array_foreach(json_object_get(seen, "lines"), i, line)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
				      i ? "|" : "", json_string_value(line));
	snprintf(text + n, sizeof(text) - n, "%s%s",
		 json_is_true(json_object_get(seen, "over")) ? " over" : "",
		 json_is_true(json_object_get(seen, "ok")) ? " ok"
		 : json_is_true(json_object_get(seen, "unproved")) ? " unproved"
		 : "");
	json_decref(seen);
	return text;
}

static void
lines_are_looked_at_from_anywhere(void **state)
{
	struct world w;
	uint64_t login, test;

	(void)state;
	begin(&w);
	login = run_begin(&w, "login");
	test = run_begin(&w, "test");
	assert_true(login != test);
	assert_string_equal(look(&w, login, 0), "hello");
	assert_string_equal(look(&w, login, 0), "hello");
	assert_string_equal(look(&w, login, 1), "");
	assert_string_equal(look(&w, login, 1000), "");
	action_say(&w.dispatch.runs[0], "the code is ABC");
	action_say(&w.dispatch.runs[0], "waiting");
	assert_string_equal(look(&w, login, 1), "the code is ABC|waiting");
	assert_string_equal(look(&w, login, 2), "waiting");
	action_end(&w.dispatch.runs[0], ACTION_FAILED, "the code has expired");
	assert_string_equal(look(&w, login, 3), "the code has expired over");
	assert_string_equal(look(&w, test, 0), "hello|well over ok");
	/* it is over, and may be looked at again */
	assert_string_equal(look(&w, test, 2), " over ok");
	login = run_begin(&w, "login");
	action_end(&w.dispatch.runs[2], ACTION_UNPROVED, "kept");
	assert_string_equal(look(&w, login, 1), "kept over unproved");
	finish(&w);
	assert_false(w.dispatch.runs[0].abandoned);
}

/* One line of the log for each, and by whom; what was said on the way may be
 * a code, and is not in it. */
static void
each_run_is_told_with_by_whom(void **state)
{
	static struct capture captured;
	const char *log;
	struct world w;

	(void)state;
	capture_begin(&captured);
	begin(&w);
	run_begin(&w, "test");
	run_begin(&w, "login");
	action_say(&w.dispatch.runs[1], "the code is ABC");
	action_end(&w.dispatch.runs[1], ACTION_FAILED, "the code has expired");
	runs_cancel(w.runs, run_begin(&w, "login"));
	finish(&w);
	log = capture_end(&captured);
	assert_non_null(strstr(log, "admin: an action succeeded route=office "
			       "action=test said=well uid=1000 user=anna\n"));
	assert_non_null(strstr(log, "admin: an action failed route=office "
			       "action=login said=\"the code has expired\" "
			       "uid=1000 user=anna\n"));
	assert_non_null(strstr(log, "admin: an action was cancelled "
			       "route=office action=login uid=1000 "
			       "user=anna\n"));
	assert_null(strstr(log, "ABC"));
}

static void
unknown_runs(void **state)
{
	struct world w;
	uint64_t number;

	(void)state;
	begin(&w);
	assert_string_equal(look(&w, 0, 0), "none");
	assert_string_equal(look(&w, 1, 0), "none");
	assert_false(runs_cancel(w.runs, 1));
	number = run_begin(&w, "login");
	assert_string_equal(look(&w, number + 1, 0), "none");
	assert_false(runs_cancel(w.runs, number + 1));
	assert_string_equal(look(&w, UINT64_MAX, 0), "none");
	finish(&w);
}

static void
a_run_is_broken_off(void **state)
{
	struct world w;
	uint64_t number;

	(void)state;
	begin(&w);
	number = run_begin(&w, "login");
	assert_true(runs_cancel(w.runs, number));
	assert_true(w.dispatch.runs[0].abandoned);
	assert_false(runs_cancel(w.runs, number));
	assert_string_equal(look(&w, number, 0), "none");
	/* one that is over is only forgotten */
	number = run_begin(&w, "test");
	assert_true(runs_cancel(w.runs, number));
	assert_false(w.dispatch.runs[1].abandoned);
	assert_string_equal(look(&w, number, 0), "none");
	/* numbers are not used again */
	assert_true(run_begin(&w, "test") > number);
	finish(&w);
}

static void
the_end_abandons_all(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	run_begin(&w, "login");
	run_begin(&w, "test");
	run_begin(&w, "login");
	finish(&w);
	assert_true(w.dispatch.runs[0].abandoned);
	assert_false(w.dispatch.runs[1].abandoned);
	assert_true(w.dispatch.runs[2].abandoned);
}

static void
what_cannot_begin(void **state)
{
	struct world w;
	struct error err;

	(void)state;
	begin(&w);
	/* more often than there is room: none of them takes any */
	for (int i = 0; i < 40; i++) {
		assert_true(runs_begin(w.runs, &anna, "home", "login", &err) == 0);
		assert_string_equal(err.text, "there is no route `home'");
		assert_true(runs_begin(w.runs, &anna, "office", "nothing", &err) == 0);
		assert_string_equal(err.hint, "it has `login'");
	}
	run_begin(&w, "login");
	finish(&w);
}

static void
so_many_may_be_under_way(void **state)
{
	struct world w;
	struct error err;
	uint64_t first;

	(void)state;
	begin(&w);
	first = run_begin(&w, "login");
	for (int i = 1; i < 16; i++)
		run_begin(&w, "login");
	for (int i = 0; i < 3; i++) {
		assert_true(runs_begin(w.runs, &anna, "office", "login", &err) == 0);
		assert_int_equal(err.kind, ERROR_LIMIT);
		assert_string_equal(err.text, "16 actions are already running");
	}
	assert_int_equal(w.dispatch.n, 16);	/* it was not even asked */
	assert_true(runs_cancel(w.runs, first));
	run_begin(&w, "login");
	finish(&w);
}

/* Who signs in to one route after the other leaves the ended ones behind. */
static void
those_that_are_over_make_room(void **state)
{
	struct world w;
	uint64_t numbers[40];

	(void)state;
	begin(&w);
	numbers[0] = run_begin(&w, "login");
	for (size_t i = 1; i < ARRAY_SIZE(numbers); i++) {
		numbers[i] = run_begin(&w, "test");
		assert_string_equal(look(&w, numbers[i], 0),
				    "hello|well over ok");
	}
	assert_string_equal(look(&w, numbers[0], 0), "hello");
	/* the oldest have gone first */
	assert_string_equal(look(&w, numbers[1], 0), "none");
	assert_string_equal(look(&w, numbers[24], 0), "none");
	assert_string_equal(look(&w, numbers[25], 0), "hello|well over ok");
	finish(&w);
	assert_true(w.dispatch.runs[0].abandoned);
}

static void
so_many_lines_are_kept(void **state)
{
	struct world w;
	uint64_t number;

	(void)state;
	begin(&w);
	number = run_begin(&w, "chatty");
	/* the last word is never lost */
	assert_string_equal(look(&w, number, 198),
			    "line 198|line 199|that is all over");
	assert_string_equal(look(&w, number, 200), "that is all over");
	finish(&w);
}

static void
lines_are_printable(void **state)
{
	static const struct { const char *said, *seen; } rows[] = {
		{ "plain", "plain" },
		{ "", "" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "\x1b[31mred\x07", "\\x1b[31mred\\x07" },
		{ "two\nlines\r", "two\\nlines\\r" },
		{ "bad \xff\xc3", "bad \\xff\\xc3" },
		{ "\"quoted\" \\", "\"quoted\" \\" },
	};
	char longest[3000];
	struct world w;
	uint64_t number;

	(void)state;
	begin(&w);
	number = run_begin(&w, "login");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		action_say(&w.dispatch.runs[0], rows[i].said);
		assert_string_equal(look(&w, number, i + 1), rows[i].seen);
	}
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	action_say(&w.dispatch.runs[0], longest);
	assert_in_range(strlen(look(&w, number, ARRAY_SIZE(rows) + 1)), 1000,
			1003);
	finish(&w);
}

static void
who_does_not_look_is_forgotten(void **state)
{
	struct world w;
	uint64_t looked_at, forgotten, over;

	(void)state;
	begin(&w);
	looked_at = run_begin(&w, "login");
	forgotten = run_begin(&w, "login");
	over = run_begin(&w, "test");
	time_passes(59 * 1000);
	assert_string_equal(look(&w, looked_at, 0), "hello");
	assert_false(w.dispatch.runs[1].abandoned);
	time_passes(1000);
	assert_true(w.dispatch.runs[1].abandoned);
	assert_string_equal(look(&w, forgotten, 0), "none");
	assert_string_equal(look(&w, over, 0), "none");
	time_passes(58 * 1000);
	assert_string_equal(look(&w, looked_at, 0), "hello");
	time_passes(60 * 1000);
	assert_string_equal(look(&w, looked_at, 0), "none");
	assert_true(w.dispatch.runs[0].abandoned);
	finish(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_looked_at_from_anywhere),
		cmocka_unit_test(each_run_is_told_with_by_whom),
		cmocka_unit_test(unknown_runs),
		cmocka_unit_test(a_run_is_broken_off),
		cmocka_unit_test(the_end_abandons_all),
		cmocka_unit_test(what_cannot_begin),
		cmocka_unit_test(so_many_may_be_under_way),
		cmocka_unit_test(those_that_are_over_make_room),
		cmocka_unit_test(so_many_lines_are_kept),
		cmocka_unit_test(lines_are_printable),
		cmocka_unit_test(who_does_not_look_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
