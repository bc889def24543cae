/* test-module-action.c - what the operator asks of a backend: it says lines,
 * ends once, and is broken off */
#include "service-world.h"

#include "capture.h"
#include "module/action.h"

static postern_instance *me;
static postern_action_run *run;		/* as the module knows it */
static char heard[2000];
static const char *how;			/* what its cancel() does */
static char longest[3000];

static int
on_open(void *self, postern_instance *instance)
{
	(void)self;
	me = instance;
	return 0;
}

static void
begin_login(void *self, postern_action_run *r)
{
	(void)self;
	run = r;
	postern_action_say(r, "go to %s", "https://a.test/");
}

static void
begin_test(void *self, postern_action_run *r)
{
	(void)self;
	postern_action_say(r, "looking");
	postern_action_end(r, 1, "all is %s", "well");
}

static void
begin_hasty(void *self, postern_action_run *r)
{
	(void)self;
	postern_action_end(r, 0, "no");
	/* it is over, and the module does not care */
	postern_action_say(r, "one more");
	postern_action_end(r, 1, "yes");
}

static void
on_cancel(void *self, postern_action_run *r)
{
	(void)self;
	if (strcmp(how, "ends") == 0)
		postern_action_end(r, 0, "broken off");
	if (strcmp(how, "says") == 0) {
		postern_action_say(r, "wait");
		postern_action_end(r, 1, "done anyway");
	}
	if (strcmp(how, "twice") == 0) {
		postern_action_end(r, 0, "broken off");
		postern_action_end(r, 0, "broken off");
	}
}

static const struct postern_action actions[] = {
	{ "login", "signs in", begin_login, on_cancel },
	{ "test", "tests", begin_test, NULL },
	{ "hasty", "ends twice", begin_hasty, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct postern_module table = {
	.open = on_open, .actions = actions,
};

static void
hear(const char *text)
{
	size_t n = strlen(heard);

	snprintf(heard + n, sizeof(heard) - n, "%s", text);
}

static void
on_said(void *arg, const char *line)
{
	hear(arg);
	hear(": ");
	hear(line);
	hear(". ");
}

static void
on_ended(void *arg, enum action_end end, const char *line)
{
	static const char *const words[] = { "FAILED ", "OK ", "UNPROVED " };

	hear(words[end]);
	on_said(arg, line);
}

static const struct action_events events = { on_said, on_ended };

#define CHECK_HEARD(text)						\
	do {								\
		assert_string_equal(heard, (text));			\
		heard[0] = '\0';					\
	} while (0)

static void
begin(struct service_world *w, const char *cancel)
{
	heard[0] = '\0';
	run = NULL;
	how = cancel;
	service_open(w, &table);
}

static struct postern_action_run *
ask(struct service_world *w, const char *action, const char *who)
{
	struct error err = { .text = "" };
	struct postern_action_run *r = action_begin(w->backend, action,
						    &events, (void *)who, &err);

	if (r == NULL)
		fail_msg("%s", err.text);
	return r;
}

static void
lines_come_and_an_end(void **state)
{
	struct service_world w;

	(void)state;
	begin(&w, "");
	ask(&w, "login", "a");
	CHECK_HEARD("a: go to https://a.test/. ");
	service_settle(&w);
	postern_action_say(run, "%s", "half");
	postern_action_end(run, 1, "signed in as %s", "u");
	CHECK_HEARD("a: half. OK a: signed in as u. ");
	service_settle(&w);
	ask(&w, "test", "b");
	CHECK_HEARD("b: looking. OK b: all is well. ");
	/* each has its own */
	ask(&w, "login", "c");
	ask(&w, "test", "d");
	postern_action_end(run, 0, "the code has expired");
	CHECK_HEARD("c: go to https://a.test/. d: looking. OK d: all is well. "
		    "FAILED c: the code has expired. ");
	/* done, and nobody knows; a number that is none is done */
	ask(&w, "login", "e");
	postern_action_end(run, POSTERN_ACTION_UNPROVED, "kept");
	ask(&w, "login", "f");
	postern_action_end(run, 77, "kept");
	CHECK_HEARD("e: go to https://a.test/. UNPROVED e: kept. "
		    "f: go to https://a.test/. OK f: kept. ");
	service_close(&w);
	CHECK_HEARD("");
}

static void
unknown_names_are_told_the_known_ones(void **state)
{
	static const char *const names[] = { "logon", "", "LOGIN", "login " };
	struct service_world w;

	(void)state;
	begin(&w, "");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct error err;

		CHECK_ROW(i, action_begin(w.backend, names[i], &events, NULL,
					  &err) == NULL);
		CHECK_HAS(err.text, "route `test': its backend `service' has no "
			  "action `");
		CHECK_HAS(err.text, names[i]);
		assert_string_equal(err.hint, "it has `login', `test', "
				    "`hasty'");
	}
	service_close(&w);
	CHECK_HEARD("");
}

static void
a_backend_without_actions(void **state)
{
	static const struct postern_module none = { .open = on_open };
	struct service_world w;
	struct error err;

	(void)state;
	service_open(&w, &none);
	assert_null(action_begin(w.backend, "login", &events, NULL, &err));
	CHECK_HAS(err.text, "has no action `login'");
	assert_string_equal(err.hint, "");
	service_close(&w);
}

static void
who_has_gone_hears_nothing(void **state)
{
	static const char *const ways[] = { "ends", "says", "twice" };
	struct service_world w;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct postern_action_run *r;

		begin(&w, ways[i]);
		r = ask(&w, "login", "a");
		CHECK_HEARD("a: go to https://a.test/. ");
		action_abandon(&r);
		assert_null(r);
		action_abandon(&r);
		CHECK_HEARD("");
		service_close(&w);
		CHECK_HEARD("");
	}
	/* one that goes on and ends when it likes */
	begin(&w, "");
	{
		struct postern_action_run *r = ask(&w, "login", "a");

		action_abandon(&r);
	}
	heard[0] = '\0';
	service_settle(&w);
	postern_action_say(run, "still here");
	postern_action_end(run, 1, "signed in");
	CHECK_HEARD("");
	service_close(&w);
}

static void
closing_ends_what_is_under_way(void **state)
{
	static const struct { const char *how, *heard; bool mistake; } rows[] = {
		{ "ends", "FAILED b: broken off. FAILED a: broken off. ",
		  false },
		{ "twice", "FAILED b: broken off. FAILED a: broken off. ",
		  true },
		{ "says", "b: wait. OK b: done anyway. a: wait. OK a: done "
		  "anyway. ", false },
		{ "", "FAILED b: the gateway stops. FAILED a: the gateway "
		  "stops. ", true },
	};
	static struct capture log;
	struct service_world w;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin(&w, rows[i].how);
		ask(&w, "login", "a");
		ask(&w, "login", "b");
		heard[0] = '\0';
		capture_begin(&log);
		backend_close(&w.backend);
		capture_end(&log);
		CHECK_HEARD(rows[i].heard);
		CHECK_ROW(i, (strstr(log.text, "mistake of the module") != NULL)
			     == rows[i].mistake);
		service_close(&w);
		CHECK_HEARD("");
	}
}

static void
a_retired_one_begins_none(void **state)
{
	struct service_world w;
	struct error err;

	(void)state;
	begin(&w, "ends");
	ask(&w, "login", "a");
	backend_retire(w.backend);
	CHECK_HEARD("a: go to https://a.test/. FAILED a: broken off. ");
	assert_null(action_begin(w.backend, "login", &events, NULL, &err));
	assert_string_equal(err.text, "the gateway stops");
	service_close(&w);
}

/* A reload opens the route anew while somebody signs in by the old one. */
static void
two_instances_do_not_mix(void **state)
{
	struct backend_place place = { .route = "test", .hostname = "gw" };
	struct service_world w;
	struct backend *fresh;
	postern_action_run *old;
	struct error err;

	(void)state;
	begin(&w, "ends");
	place.host = &w.host;
	ask(&w, "login", "old");
	old = run;
	fresh = backend_open(w.module, NULL, &place, &err);
	assert_non_null(fresh);
	assert_non_null(action_begin(fresh, "login", &events, (void *)"new",
				     &err));
	assert_true(run != old);
	heard[0] = '\0';
	backend_close(&w.backend);
	CHECK_HEARD("FAILED old: broken off. ");
	postern_action_end(run, 1, "signed in");
	CHECK_HEARD("OK new: signed in. ");
	backend_close(&fresh);
	service_close(&w);
}

static void
an_action_ends_once(void **state)
{
	static struct capture log;
	struct service_world w;

	(void)state;
	begin(&w, "");
	capture_begin(&log);
	ask(&w, "hasty", "a");
	capture_end(&log);
	CHECK_HEARD("FAILED a: no. ");
	CHECK_HAS(log.text, "mistake of the module: the action `hasty' has "
		  "ended already");
	service_settle(&w);
	ask(&w, "test", "b");
	CHECK_HEARD("b: looking. OK b: all is well. ");
	service_close(&w);
}

static void
long_lines_are_cut(void **state)
{
	struct service_world w;

	(void)state;
	begin(&w, "");
	ask(&w, "login", "a");
	heard[0] = '\0';
	memset(longest, 'x', sizeof(longest) - 1);
	postern_action_say(run, "%s", longest);
	assert_int_equal(strlen(heard), strlen("a: . ") + 999);
	heard[0] = '\0';
	postern_action_end(run, 1, "%s", longest);
	assert_int_equal(strlen(heard), strlen("OK a: . ") + 999);
	service_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_and_an_end),
		cmocka_unit_test(unknown_names_are_told_the_known_ones),
		cmocka_unit_test(a_backend_without_actions),
		cmocka_unit_test(who_has_gone_hears_nothing),
		cmocka_unit_test(closing_ends_what_is_under_way),
		cmocka_unit_test(a_retired_one_begins_none),
		cmocka_unit_test(two_instances_do_not_mix),
		cmocka_unit_test(an_action_ends_once),
		cmocka_unit_test(long_lines_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
