/* test-smtpc-away.c - what is not reached is tried later, and is tried */
#include "stage.h"

#include "base/clock.h"
#include "base/macros.h"
#include "smtpc/away.h"

#include <stdio.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND };

static int64_t now_ms;

static void
later(int64_t ms)
{
	now_ms += ms;
	clock_fake(now_ms, 1700000000000 + now_ms);
}

static struct endpoint
at(unsigned host, uint16_t port)
{
	struct endpoint e = { .port = port };
	char text[IP_TEXT];

	snprintf(text, sizeof(text), "192.0.%u.%u", host / 256, host % 256);
	assert_true(ip_parse(span_of(text), &e.ip));
	return e;
}

/* --- the table ------------------------------------------------------- */

static void
one_is_let_through_when_its_time_is_over(void **state)
{
	/* how long each failure counts */
	static const int64_t minutes[] = { 1, 2, 4, 8, 15, 15 };
	struct away *w = away_new();
	struct endpoint e = at(1, 25), other = at(1, 26), third = at(2, 25);

	(void)state;
	later(0);
	assert_false(away_is(w, e));
	for (size_t i = 0; i < ARRAY_SIZE(minutes); i++) {
		away_note(w, e);
		CHECK_ROW(i, away_is(w, e));
		CHECK_ROW(i, !away_is(w, other) && !away_is(w, third));
		/* those that were under way fail with it, and change nothing */
		later(minutes[i] * MINUTE - 1);
		away_note(w, e);
		CHECK_ROW(i, away_is(w, e));
		later(1);
		CHECK_ROW(i, !away_is(w, e));
		CHECK_ROW(i, away_is(w, e));	/* and nobody else */
	}
	/* it has not come back: another one */
	later(AWAY_LOOK_MS);
	assert_false(away_is(w, e));
	assert_true(away_is(w, e));
	away_forget(w, e);
	assert_false(away_is(w, e));
	assert_false(away_is(w, e));
	away_forget(w, e);
	/* begins anew, and does so after a long time of peace */
	away_note(w, e);
	later(MINUTE);
	assert_false(away_is(w, e));
	away_note(w, e);
	later(2 * MINUTE + AWAY_LONGEST_MS + 1);
	assert_false(away_is(w, e));
	assert_false(away_is(w, e));
	away_note(w, e);
	later(MINUTE);
	assert_false(away_is(w, e));
	away_free(&w);
	assert_null(w);
	clock_fake(-1, 0);
}

static void
a_full_table_forgets_who_is_due_soonest(void **state)
{
	struct away *w = away_new();

	(void)state;
	later(0);
	for (unsigned i = 0; i < AWAY_MAX; i++) {
		later(i == 7 ? 0 : 1);
		away_note(w, at(i == 7 ? 900 : i, 25));
	}
	away_note(w, at(800, 25));
	away_note(w, at(801, 25));
	assert_false(away_is(w, at(0, 25)));
	assert_false(away_is(w, at(1, 25)));
	for (unsigned i = 2; i < AWAY_MAX; i++)
		CHECK_ROW(i, i == 7 || away_is(w, at(i, 25)));
	assert_true(away_is(w, at(800, 25)));
	assert_true(away_is(w, at(801, 25)));
	assert_true(away_is(w, at(900, 25)));
	away_free(&w);
	clock_fake(-1, 0);
}

/* --- in the engine ---------------------------------------------------- */

/* Sends one message on connections of their own; how many were begun. */
static uint64_t
connects_for_one(struct stage *s, const char *want)
{
	uint64_t before = smtpc_count(s->smtpc).connects;

	s->plan.reuse = 1;
	stage_send(s);
	stage_run(s, 3000);
	assert_int_equal(s->done, s->sent);
	stage_check("away", want, s->got[s->sent - 1]);
	return smtpc_count(s->smtpc).connects - before;
}

static void
others_are_tried_first(void **state)
{
	/* nothing listens on this port at the other addresses */
	static const char *const hosts[] = { "127.0.0.7", "127.0.0.8",
					     "127.0.0.1" };
	static const struct play p = {
		.script = { PLAIN, ONE, TAKEN, "< QUIT", "> 221 bye", "?",
			    PLAIN, ONE, TAKEN, "< QUIT", "> 221 bye", "?" },
	};
	struct server server;
	struct endpoint port;
	struct stage s;

	(void)state;
	server_start(&server, p.script, &port);
	stage_init(&s, &p, hosts, 3, port.port);
	assert_int_equal(connects_for_one(&s, "R250 dot"), 3);
	assert_int_equal(connects_for_one(&s, "R250 dot"), 1);
	/* and those that are left, in their order, when there is no other */
	s.plan.host_count = 2;
	assert_int_equal(connects_for_one(&s, "N0 connect |refused"), 2);
	assert_memory_equal(s.last.host, "127.0.0.8[", 10);
	stage_fini(&s);
	server_join(&server);
	assert_string_equal(server.wrong, "");
}

static void
who_does_not_greet_is_away_and_who_refuses_is_not(void **state)
{
	static const char *const twice[] = { "127.0.0.1", "127.0.0.7" };
	static const struct play p = {
		.patience_ms = 100,
		.script = { "@", "?",			/* and is away */
			    "@", "> 554 5.3.2 no", "< QUIT", "> 221 bye", "?",
			    "@", "> 554 5.3.2 no", "< QUIT", "> 221 bye", "?" },
	};
	struct server server;
	struct endpoint port;
	struct stage s;

	(void)state;
	server_start(&server, p.script, &port);
	stage_init(&s, &p, twice, 1, port.port);
	assert_int_equal(connects_for_one(&s, "N0 greeting |no answer"), 1);
	s.plan.host_count = 2;
	s.plan.timeouts_ms[SMTPC_GREETING] = unit_slowly(3000);
	/* the other one first, so what is told last is ours */
	assert_int_equal(connects_for_one(&s, "R554 greeting"), 2);
	assert_int_equal(connects_for_one(&s, "N0 connect |refused"), 2);
	stage_fini(&s);
	server_join(&server);
	assert_string_equal(server.wrong, "");
}

static void
what_we_lack_makes_nobody_away(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "127.0.0.7" };
	static const struct play p = {
		.script = { PLAIN, ONE, TAKEN, "< QUIT", "> 221 bye", "?" },
	};
	struct ip nobodys;
	struct server server;
	struct endpoint port;
	struct stage s;

	(void)state;
	assert_true(ip_parse(SPAN("192.0.2.1"), &nobodys));
	server_start(&server, p.script, &port);
	stage_init(&s, &p, hosts, 1, port.port);
	s.plan.source = &nobodys;
	assert_int_equal(connects_for_one(&s, "N0 connect |source address"),
			 1);
	s.plan.source = NULL;
	s.plan.host_count = 2;
	assert_int_equal(connects_for_one(&s, "R250 dot"), 1);
	stage_fini(&s);
	server_join(&server);
	assert_string_equal(server.wrong, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_is_let_through_when_its_time_is_over),
		cmocka_unit_test(a_full_table_forgets_who_is_due_soonest),
		cmocka_unit_test(others_are_tried_first),
		cmocka_unit_test(who_does_not_greet_is_away_and_who_refuses_is_not),
		cmocka_unit_test(what_we_lack_makes_nobody_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
