/* test-smtpc-life.c - hosts in turn, breaking off, the pool, the facts */
#include "stage.h"

#include "base/clock.h"
#include "base/macros.h"

#include <stdio.h>
#include <unistd.h>

static const char *const here[] = { "127.0.0.1" };

static void
at_end(struct stage *s, struct server *server, const char *title)
{
	stage_fini(s);
	server_join(server);
	if (server->wrong[0])
		fail_msg("%s: server: %s", title, server->wrong);
}

/* --- hosts ------------------------------------------------------------ */

static void
hosts_are_tried_in_order(void **state)
{
	/* nothing listens on this port at the other addresses */
	static const struct {
		const char *hosts[3];
		const char *want, *host;
	} rows[] = {
		{ { "127.0.0.7", "127.0.0.1" },   "R250 dot", "127.0.0.1[" },
		{ { "127.0.0.7", "localhost" },   "R250 dot", "localhost[127" },
		{ { "a..b", "[127.0.0.1]" },      "R250 dot", "[127.0.0.1][" },
		{ { "127.0.0.7", "127.0.0.8" },   "N0 connect |refused",
						  "127.0.0.8[127.0.0.8]:" },
		{ { "127.0.0.7", "a..b" },        "D0 resolve |a..b: ", "a..b" },
	};
	static const struct play taken = {
		.script = { PLAIN, ONE, TAKEN, "?" },
	};
	static const struct play nobody = { .script = { NULL } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool comes = rows[i].want[0] == 'R';
		const struct play *p = comes ? &taken : &nobody;
		struct server server;
		struct endpoint at;
		struct stage s;

		server_start(&server, p->script, &at);
		stage_init(&s, p, rows[i].hosts, 2, at.port);
		stage_send(&s);
		stage_run(&s, 3000);
		CHECK_ROW(i, s.done == 1);
		stage_check("hosts", rows[i].want, s.got[0]);
		CHECK_ROW(i, !strncmp(s.last.host, rows[i].host,
				      strlen(rows[i].host)));
		at_end(&s, &server, "hosts");
	}
}

static void
the_next_address_after_a_bad_greeting(void **state)
{
	static const char *const twice[] = { "127.0.0.1", "127.0.0.1" };
	static const struct play plays[] = {
		{ .title = "554, then 220",
		  .script = { "@", "> 554 no", "< QUIT", "> 221 bye", "?", PLAIN,
			      ONE, TAKEN, "?" },
		  .want = { "R250 dot" } },
		{ .title = "cut, then 554",
		  .script = { "@", "x", "@", "> 554 no", "< QUIT", "!" },
		  .want = { "R554 greeting" } },
		{ .title = "EHLO refused, then taken",
		  .script = { GREET, "> 421 busy", "?", PLAIN, ONE, TAKEN, "?" },
		  .want = { "R250 dot" } },
		{ .title = "MAIL refused: that is an answer",
		  .script = { PLAIN, MAIL, "> 450 later", "?" },
		  .want = { "R450 mail" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(plays); i++) {
		struct server server;
		struct endpoint at;
		struct stage s;

		server_start(&server, plays[i].script, &at);
		stage_init(&s, &plays[i], twice, 2, at.port);
		stage_send(&s);
		stage_run(&s, 3000);
		stage_check(plays[i].title, plays[i].want[0], s.got[0]);
		/* the old one says its QUIT beside the new one */
		stage_run(&s, 20);
		at_end(&s, &server, plays[i].title);
	}
}

/* --- facts ------------------------------------------------------------ */

static void
an_outcome_knows_who_and_how_long(void **state)
{
	static const struct play p = {
		.messages = 1,
		.script = { "@", "z 30", "> 220 mx", "<*", "z 40", "> 250-mx",
			    "> 250 DSN", ONE, ".", "z 60", "> 250 ok", "?" },
	};
	struct server server;
	struct endpoint at;
	struct stage s;
	char host[60];

	(void)state;
	server_start(&server, p.script, &at);
	stage_init(&s, &p, here, 1, at.port);
	stage_send(&s);
	stage_run(&s, 3000);
	snprintf(host, sizeof(host), "127.0.0.1[127.0.0.1]:%u", at.port);
	assert_string_equal(s.last.host, host);
	assert_string_equal(s.last.tls, "");
	assert_true(s.last.dsn_passed_on);
	assert_in_range(s.last.connect_ms, 28, 1000);
	assert_in_range(s.last.setup_ms, 38, 1000);
	assert_in_range(s.last.transfer_ms, 58, 1000);
	at_end(&s, &server, "facts");
}

/* --- several ---------------------------------------------------------- */

static void
messages_side_by_side_have_their_own(void **state)
{
	static const struct play p = {
		.messages = 2, .idle_ms = 100000,
		.script = { PLAIN, ONE, TAKEN, "?" },
	};
	struct server one, two;
	struct endpoint at_one, at_two;
	struct stage s;

	(void)state;
	server_start(&one, p.script, &at_one);
	server_start(&two, p.script, &at_two);
	stage_init(&s, &p, here, 1, at_one.port);
	stage_send(&s);
	s.plan.port = at_two.port;	/* nobody may take the other's */
	stage_send(&s);
	assert_int_equal(smtpc_count(s.smtpc).attempts, 2);
	assert_int_equal(smtpc_count(s.smtpc).connections, 2);
	stage_run(&s, 3000);
	assert_int_equal(s.done, 2);
	assert_int_equal(smtpc_count(s.smtpc).idle, 2);
	assert_int_equal(smtpc_count(s.smtpc).attempts, 0);
	at_end(&s, &one, "one");
	server_join(&two);
	assert_string_equal(two.wrong, "");
}

static void
only_what_suits_is_taken_from_the_pool(void **state)
{
	static const struct play p = {
		.idle_ms = 100000,
		.script = { PLAIN, ONE, TAKEN, "z 100",
			    "@", "> 220 mx", "< EHLO other.test", "> 250 mx",
			    ONE, TAKEN, ONE, TAKEN, "< QUIT", "> 221 bye",
			    "?" },
	};
	struct server server;
	struct endpoint at;
	struct stage s;

	(void)state;
	server_start(&server, p.script, &at);
	stage_init(&s, &p, here, 1, at.port);
	stage_send(&s);
	stage_run(&s, 1000);
	assert_int_equal(smtpc_count(s.smtpc).idle, 1);
	s.plan.helo = "other.test";
	stage_send(&s);
	stage_run(&s, 1000);
	assert_int_equal(smtpc_count(s.smtpc).connects, 2);
	stage_send(&s);
	stage_run(&s, 1000);
	assert_int_equal(smtpc_count(s.smtpc).connects, 2);
	assert_int_equal(smtpc_count(s.smtpc).reuses, 1);
	for (size_t i = 0; i < 3; i++)
		stage_check("pool", "R250 dot", s.got[i]);
	smtpc_quit_idle(s.smtpc);
	assert_int_equal(smtpc_count(s.smtpc).idle, 0);
	for (int i = 0; i < 200 && smtpc_count(s.smtpc).connections; i++)
		stage_run(&s, 5);
	assert_int_equal(smtpc_count(s.smtpc).connections, 0);
	at_end(&s, &server, "pool");
}

/* --- breaking off ----------------------------------------------------- */

static void
an_attempt_may_be_broken_off_anywhere(void **state)
{
	static const struct {
		const char *title;
		unsigned flags;
		const char *script[LINES];
		const char *want;
	} rows[] = {
		{ "greeting", 0, { "@", "?" }, "L0 greeting |cancelled" },
		{ "ehlo", 0, { GREET, "?" }, "L0 ehlo " },
		{ "mail", 0, { PLAIN, MAIL, "?" }, "L0 mail " },
		{ "rcpt", 0, { PLAIN, MAIL, OK, RCPT0, "?" }, "L0 rcpt " },
		{ "data", 0, { PIPE, MAIL, RCPT0, "< DATA", OK, OK, "?" },
		  "L0 data " },
		{ "body", DEAD_SOURCE, { PIPE, ONE_PIPE, "?" }, "" },
		{ "dot", 0, { PIPE, ONE_PIPE, ".", "?" }, "L0 dot " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct play p = { .flags = rows[i].flags };
		struct server server;
		struct endpoint at;
		struct stage s;

		server_start(&server, rows[i].script, &at);
		stage_init(&s, &p, here, 1, at.port);
		stage_send(&s);
		stage_run(&s, 30);
		assert_int_equal(s.settled, 0);
		smtpc_cancel(s.smtpc, s.ticket);
		assert_int_equal(s.settled, 0);		/* not at once */
		stage_run(&s, 30);
		assert_int_equal(s.settled, 1);
		stage_check(rows[i].title, rows[i].want, s.got[0]);
		if (rows[i].flags & DEAD_SOURCE) {
			/* lent until the source has answered */
			assert_int_equal(s.done, 0);
			s.source.flags = 0;
			s.source.later.run(&s.source.later);
		}
		assert_int_equal(s.done, 1);
		smtpc_cancel(s.smtpc, s.ticket);	/* is over */
		stage_run(&s, 5);
		assert_int_equal(s.done, 1);
		at_end(&s, &server, rows[i].title);
	}
}

static void
breaking_off_at_once_and_while_looking_up(void **state)
{
	static const char *const names[] = { "127.0.0.1", "localhost" };
	static const struct play p = { .script = { NULL } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct server server;
		struct endpoint at;
		struct stage s;

		server_start(&server, p.script, &at);
		stage_init(&s, &p, &names[i], 1, at.port);
		stage_send(&s);
		smtpc_cancel(s.smtpc, s.ticket);
		stage_run(&s, 500);
		stage_check(names[i], "L0 ", s.got[0]);
		assert_int_equal(s.done, 1);
		at_end(&s, &server, names[i]);
	}
}

static void
the_engine_may_end_at_any_time(void **state)
{
	static const struct {
		unsigned flags;
		const char *script[LINES];
	} rows[] = {
		{ 0, { "@", "?" } },
		{ 0, { PLAIN, MAIL, "?" } },
		{ DEAD_SOURCE, { PIPE, ONE_PIPE, "?" } },
		{ LARGE, { PIPE, ONE_PIPE, "z 900", "!" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct play p = { .flags = rows[i].flags };
		struct server server;
		struct endpoint at;
		struct stage s;

		server_start(&server, rows[i].script, &at);
		stage_init(&s, &p, here, 1, at.port);
		stage_send(&s);
		stage_run(&s, 300);	/* the server is as far by then */
		smtpc_free(&s.smtpc);
		assert_null(s.smtpc);
		stage_run(&s, 5);
		if (rows[i].flags & DEAD_SOURCE) {
			s.source.flags = 0;
			s.source.later.run(&s.source.later);
			stage_run(&s, 5);
		}
		assert_int_equal(s.settled, 0);
		assert_int_equal(s.done, 0);
		at_end(&s, &server, "free");
	}
}

static void
a_source_that_never_answers_is_waited_for_in_vain(void **state)
{
	static const struct play p = {
		.flags = DEAD_SOURCE, .patience_ms = 40,
		.script = { PIPE, ONE_PIPE, "?" },
	};
	struct server server;
	struct endpoint at;
	struct stage s;

	(void)state;
	server_start(&server, p.script, &at);
	stage_init(&s, &p, here, 1, at.port);
	stage_send(&s);
	stage_run(&s, 200);
	stage_check("dead source", "L0 body |reading it took too long", s.got[0]);
	assert_int_equal(s.done, 0);
	s.source.later.run(&s.source.later);
	assert_int_equal(s.done, 1);
	at_end(&s, &server, "dead source");
}

static void
a_slow_line_is_not_a_dead_one(void **state)
{
	static const struct play p = {
		.flags = LARGE, .patience_ms = 80,
		.script = { PIPE, ONE_PIPE, "z 50", "r", "z 50", "r", "z 50",
			    "r", "z 50", "r", "z 50", "r", ".", "> 250 ok", "?" },
	};
	struct server server;
	struct endpoint at;
	struct stage s;

	(void)state;
	server_start(&server, p.script, &at);
	stage_init(&s, &p, here, 1, at.port);
	stage_send(&s);
	stage_run(&s, 3000);
	stage_check("slow line", "R250 dot", s.got[0]);
	at_end(&s, &server, "slow line");
}

static void
every_timeout_has_its_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < SMTPC_TIMEOUTS; i++) {
		CHECK_ROW(i, smtpc_timeout_rows[i].key != NULL);
		CHECK_ROW(i, smtpc_timeout_rows[i].default_ms >= 5000);
		CHECK_ROW(i, smtpc_timeout_rows[i].help != NULL);
	}
	assert_string_equal(smtpc_timeout_rows[SMTPC_DOT].key, "dot");
	assert_int_equal(smtpc_timeout_rows[SMTPC_DOT].default_ms, 600000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_are_tried_in_order),
		cmocka_unit_test(the_next_address_after_a_bad_greeting),
		cmocka_unit_test(an_outcome_knows_who_and_how_long),
		cmocka_unit_test(messages_side_by_side_have_their_own),
		cmocka_unit_test(only_what_suits_is_taken_from_the_pool),
		cmocka_unit_test(an_attempt_may_be_broken_off_anywhere),
		cmocka_unit_test(breaking_off_at_once_and_while_looking_up),
		cmocka_unit_test(the_engine_may_end_at_any_time),
		cmocka_unit_test(a_source_that_never_answers_is_waited_for_in_vain),
		cmocka_unit_test(a_slow_line_is_not_a_dead_one),
		cmocka_unit_test(every_timeout_has_its_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
