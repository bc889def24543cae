/* test-oauth-prove.c - what was signed in is tried at the server */
#include "oauth-double.h"

#define ADMIN "\"x.eyJ1cG4iOiJhZG1pbkB4LnRlc3QifQ.y\""	/* admin@x.test */
#define US "\"x.eyJ1cG4iOiJVQFgudGVzdCJ9.y\""		/* U@X.test */

#define PAUSED "The sign-in is stored, but the route is paused. When you have "	\
	"removed the cause, run: postern queue retry --route out. To sign in "	\
	"again, run: postern login out. "

/* Signed in, and the server is asked. */
static void
asked_the_server(const char *user)
{
	world_open(GRANT_DEVICE_CODE);
	got(NULL);
	heard[0] = '\0';
	sign_in();
	device();
	pass(5 * SEC);
	token_user = user;
	token("A1", "R1", 3600);
	/* not before it is durable */
	assert_int_equal(waiting(ASKED_SMTP), 0);
	kept();
	assert_string_equal(asked(ASKED_SMTP), "A1");
}

static void
what_the_server_says_is_said(void **state)
{
	static const struct {
		const char *user;
		int code;
		const char *enhanced, *text, *want;
	} rows[] = {
		{ NULL, 235, "2.7.0", "in", ASKS ACCEPTED },
		{ US, 235, "2.7.0", "in",
		  "say signed in as U@X.test. " ASKS_NOW ACCEPTED },
		/* who may use the mailbox, too */
		{ ADMIN, 235, "2.7.0", "in",
		  "say signed in as admin@x.test. " ASKS_NOW ACCEPTED },
		{ NULL, 535, "5.7.3", "no",
		  ASKS "pause smtp.x.test refused the sign-in for u@x.test: "
		  "535 5.7.3 no; remedy: Look here.. "
		  "say smtp.x.test refused the sign-in for u@x.test:. "
		  "say     535 5.7.3 no. say Look here.. end 0 " PAUSED },
		{ ADMIN, 535, "5.7.3", "no",
		  "say signed in as admin@x.test. " ASKS_NOW
		  "pause smtp.x.test refused the sign-in for u@x.test: "
		  "535 5.7.3 no; remedy: admin@x.test has signed in, and the "
		  "route submits as u@x.test: sign in as u@x.test, or let "
		  "admin@x.test use that mailbox (at Microsoft: Full Access).. "
		  "say smtp.x.test refused the sign-in for u@x.test:. "
		  "say     535 5.7.3 no. say admin@x.test has signed in, and "
		  "the route submits as u@x.test: sign in as u@x.test, or let "
		  "admin@x.test use that mailbox (at Microsoft: Full Access).. "
		  "end 0 " PAUSED },
		{ NULL, 454, "4.7.0", "later",
		  ASKS "say Whether smtp.x.test accepts the sign-in for "
		  "u@x.test could not be found out:. say     454 4.7.0 later. "
		  "ready. end 2 The sign-in is stored, and the next message "
		  "uses it. To try it again, run: postern login out. " },
		{ ADMIN, 0, "", "connection refused",
		  "say signed in as admin@x.test. " ASKS_NOW
		  "say Whether smtp.x.test accepts the sign-in for "
		  "u@x.test could not be found out:. say     smtp.x.test: "
		  "connection refused. say note: admin@x.test has signed in, "
		  "and the route submits as u@x.test. "
		  "ready. end 2 The sign-in is stored, and the next message "
		  "uses it. To try it again, run: postern login out. " },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		asked_the_server(rows[i].user);
		proof(rows[i].code, rows[i].enhanced, rows[i].text);
		CHECK_HEARD(rows[i].want);
		/* kept all the same; what was refused is not used again */
		assert_string_equal(record(NULL), record("R1"));
		deliver(0);
		assert_int_equal(waiting(ASKED_HTTP), rows[i].code == 535);
		if (i + 1 < sizeof(rows) / sizeof(rows[0]))
			world_close(state);
	}
}

static void
no_person_is_needed(void **state)
{
	(void)state;
	world_open(GRANT_CLIENT_CREDENTIALS);
	sign_in();
	token("A0", NULL, 3600);
	CHECK_HEARD(ASKS);
	/* what comes meanwhile does not ask again */
	token_spoil(oauth);
	deliver(0);
	token("A1", NULL, 3600);
	CHECK_HEARD("send 0 A1. ");
	assert_int_equal(waiting(ASKED_SMTP), 1);
	proof(235, "2.7.0", "in");
	CHECK_HEARD(ACCEPTED);
}

static void
broken_off_while_the_server_is_asked(void **state)
{
	(void)state;
	asked_the_server(NULL);
	CHECK_HEARD(ASKS);
	login_cancel(oauth, oauth->login.run);
	CHECK_HEARD("ready. end 0 the sign-in was cancelled; it is stored already. ");
	assert_int_equal(waiting(ASKED_SMTP), 0);
}

#define PLAY(name) cmocka_unit_test_teardown(name, world_close)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		PLAY(what_the_server_says_is_said),
		PLAY(no_person_is_needed),
		PLAY(broken_off_while_the_server_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
