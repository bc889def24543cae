/* test-oauth-token.c - one access token: got, renewed, refused, kept */
#include "oauth-double.h"

#include <stdio.h>

/* Signed in with R0, and the token A0 in use for an hour. */
static void
in_use(void)
{
	world_open(GRANT_DEVICE_CODE);
	got(record("R0"));
	deliver(0);
	token("A0", NULL, 3600);
	CHECK_HEARD("send 0 A0. ");
}

/* --- waiting ---------------------------------------------------------- */

static void
one_token_for_all_that_wait(void **state)
{
	(void)state;
	world_open(GRANT_DEVICE_CODE);
	deliver(0);
	assert_int_equal(waiting(ASKED_HTTP), 0);
	got(record("R0"));
	deliver(1);
	deliver(2);
	token_leave(oauth, &jobs[1]);
	assert_int_equal(waiting(ASKED_HTTP), 1);
	assert_non_null(strstr(asked(ASKED_HTTP), "refresh_token=R0&"));
	CHECK_HEARD("");
	token("A0", NULL, 3600);
	deliver(3);
	CHECK_HEARD("send 0 A0. send 2 A0. send 3 A0. ");
	assert_int_equal(oauth->token.generation, 1);
	assert_int_equal(jobs[3].generation, 1);
	/* that one was not taken */
	token_spoil(oauth);
	deliver(0);
	token("A1", NULL, 3600);
	CHECK_HEARD("send 0 A1. ");
	assert_int_equal(jobs[0].generation, 2);
}

static void
the_application_itself_has_no_sign_in(void **state)
{
	(void)state;
	world_open(GRANT_CLIENT_CREDENTIALS);
	assert_int_equal(waiting(ASKED_GET), 0);
	deliver(0);
	assert_non_null(strstr(asked(ASKED_HTTP), "grant_type=client_cred"));
	token("A0", "R9", 3600);
	assert_int_equal(waiting(ASKED_PUT), 0);
	CHECK_HEARD("send 0 A0. ");
	pass(2 * DAY);
	assert_int_equal(waiting(ASKED_HTTP), 1);
	refused("invalid_grant");
	assert_int_equal(waiting(ASKED_GET), 0);
}

static void
a_new_sign_in_is_durable_before_it_is_used(void **state)
{
	(void)state;
	world_open(GRANT_DEVICE_CODE);
	got(record("R0"));
	deliver(0);
	token("A1", "R1", 3600);
	deliver(1);
	CHECK_HEARD("");
	assert_string_equal(asked(ASKED_PUT), record("R1"));
	kept();
	CHECK_HEARD("send 0 A1. send 1 A1. ");
}

/* --- margins ---------------------------------------------------------- */

static void
it_is_renewed_ahead_of_its_end(void **state)
{
	(void)state;
	in_use();
	pass(3000 * SEC - 1);
	assert_int_equal(waiting(ASKED_HTTP), 0);
	pass(1);
	assert_int_equal(waiting(ASKED_HTTP), 1);
	/* while that is under way the old one will do only when it fails */
	deliver(1);
	CHECK_HEARD("");
	no_answer(-1);
	CHECK_HEARD("send 1 A0. ");
	pass(571 * SEC);		/* less than half a minute is left */
	deliver(2);
	no_answer(-1);
	CHECK_HEARD("fail 2 no access token: no route to host. ");
}

static void
nobody_used_it(void **state)
{
	(void)state;
	world_open(GRANT_CLIENT_CREDENTIALS);
	deliver(0);
	token("A0", NULL, 3600);
	pass(3000 * SEC);
	token("A1", NULL, 3600);
	pass(DAY);
	assert_int_equal(waiting(ASKED_HTTP), 0);
}

static void
a_short_life_is_halved(void **state)
{
	(void)state;
	world_open(GRANT_CLIENT_CREDENTIALS);
	deliver(0);
	token("A0", NULL, 100);
	pass(50 * SEC - 1);
	assert_int_equal(waiting(ASKED_HTTP), 0);
	pass(1);
	assert_int_equal(waiting(ASKED_HTTP), 1);
}

static void
the_provider_wants_a_rest(void **state)
{
	(void)state;
	world_open(GRANT_CLIENT_CREDENTIALS);
	deliver(0);
	no_answer(10 * SEC);
	heard[0] = '\0';
	deliver(1);
	assert_int_equal(waiting(ASKED_HTTP), 0);
	CHECK_HEARD("fail 1 no access token: no route to host. ");
	pass(10 * SEC);
	deliver(2);
	assert_int_equal(waiting(ASKED_HTTP), 1);
	no_answer(100 * HOUR);		/* not for so long */
	pass(HOUR);
	deliver(2);
	assert_int_equal(waiting(ASKED_HTTP), 1);
}

/* After an hour, for gateways that are switched off at night; then daily. */
static void
an_idle_sign_in_is_kept_alive(void **state)
{
	(void)state;
	world_open(GRANT_DEVICE_CODE);
	got(record("R0"));
	pass(HOUR);
	token("A1", "R1", 3600);
	kept();
	pass(DAY - 1);
	assert_int_equal(waiting(ASKED_HTTP), 0);
	pass(1);
	assert_int_equal(waiting(ASKED_HTTP), 1);
	refused("unauthorized_client");
	pass(3 * DAY);
	assert_int_equal(waiting(ASKED_HTTP), 0);
}

/* --- keeping ---------------------------------------------------------- */

static void
what_cannot_be_kept_is_kept_later(void **state)
{
	(void)state;
	in_use();
	for (int i = 0; i < 3; i++) {
		token_spoil(oauth);
		deliver(1);
		token("A1", "R1", 3600);
		not_kept();
		CHECK_HAS_HEARD("cannot be stored: disk full; until it is "
				"stored, do not stop the gateway");
		pass(10 * SEC);
	}
	/* one timer, not three */
	pass(50 * SEC - 1);
	assert_int_equal(waiting(ASKED_PUT), 0);
	pass(1);
	assert_int_equal(waiting(ASKED_PUT), 1);
	not_kept();
	pass(60 * SEC);
	assert_int_equal(waiting(ASKED_PUT), 1);
	kept();
	heard[0] = '\0';
	pass(10 * 60 * SEC);
	assert_int_equal(waiting(ASKED_PUT), 0);
	CHECK_HEARD("");
}

static void
the_newest_of_two_counts(void **state)
{
	(void)state;
	world_open(GRANT_DEVICE_CODE);
	got(record("R0"));
	deliver(0);
	token("A1", "R1", 3600);
	/* somebody signs in while that is written */
	sign_in();
	device();
	pass(5 * SEC);
	token("A2", "R2", 3600);
	assert_int_equal(waiting(ASKED_PUT), 1);
	kept();
	CHECK_HEARD("");
	assert_string_equal(asked(ASKED_PUT), record("R2"));
	kept();
	CHECK_HEARD(ASKS "send 0 A2. ");
	proof(235, "2.7.0", "in");
	CHECK_HEARD(ACCEPTED);
	assert_string_equal(record(NULL), record("R2"));
	assert_false(oauth->token.unkept);
}

static void
a_newer_one_that_fails_at_once_is_not_kept(void **state)
{
	(void)state;
	world_open(GRANT_DEVICE_CODE);
	got(record("R0"));
	deliver(0);
	token("A1", "R1", 3600);
	sign_in();
	device();
	pass(5 * SEC);
	puts_fail = true;
	token("A2", "R2", 3600);
	kept();
	CHECK_HAS_HEARD("end 0 signed in, but the sign-in cannot be "
			"stored: too large");
	assert_true(oauth->token.unkept);
	puts_fail = false;
	pass(60 * SEC);
	assert_string_equal(asked(ASKED_PUT), record("R2"));
	kept();
	assert_false(oauth->token.unkept);
}

/* --- refused ---------------------------------------------------------- */

static void
refused_and_signed_in_again(void **state)
{
	(void)state;
	in_use();
	token_spoil(oauth);
	deliver(1);
	refused("invalid_grant");
	CHECK_HEARD("");
	got(record("R0"));		/* it is what we have */
	CHECK_HAS_HEARD("pause the provider refuses a token; sign in again with "
			"`postern login out': invalid_grant. fail 1 ");
	/* dead as it is, it does not stand in for one that does not come */
	sign_in();
	device();
	pass(5 * SEC);
	token("A1", NULL, 3600);
	CHECK_HAS_HEARD("end 0 the provider gave no refresh token");
	sign_in();
	device();
	pass(5 * SEC);
	token("A2", "R2", 3600);
	kept();
	CHECK_HEARD(ASKS);
	proof(235, "2.7.0", "in");
	CHECK_HEARD(ACCEPTED);
	deliver(2);
	CHECK_HEARD("send 2 A2. ");
}

/* A reload, or the operator, asks whether the pause goes on. */
static void
it_looks_again(void **state)
{
	(void)state;
	world_open(GRANT_DEVICE_CODE);
	got(NULL);
	CHECK_HAS_HEARD("pause nobody has signed in yet");
	assert_int_equal(token_look_again(oauth), 1);
	assert_int_equal(token_look_again(oauth), 1);
	assert_int_equal(waiting(ASKED_GET), 1);
	got(NULL);
	CHECK_HAS_HEARD("pause nobody has signed in yet");
	assert_int_equal(token_look_again(oauth), 1);
	got(record("R0"));
	CHECK_HEARD("");
	refused("invalid_grant");
	got(record("R0"));
	CHECK_HAS_HEARD("pause the provider refuses a token");
	assert_int_equal(token_look_again(oauth), 1);
	token("A0", NULL, 3600);
	CHECK_HEARD("ready. ");
	/* for the server's sake: only mail can find that out */
	assert_int_equal(token_look_again(oauth), 0);
	assert_int_equal(waiting(ASKED_HTTP), 0);
	CHECK_HEARD("");
}

/* Only where there is one. */
static void
a_tenant_is_not_for_everybody(void **state)
{
	static const struct {
		int32_t provider;
		const char *endpoint, *want;
	} rows[] = {
		{ PROVIDER_MICROSOFT, NULL, "check tenant, client_id and" },
		{ PROVIDER_MICROSOFT, "https://x.test/t", "check client_id and" },
		{ PROVIDER_GOOGLE, NULL, "check client_id and" },
		{ PROVIDER_CUSTOM, "https://x.test/t", "check client_id and" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (i > 0)
			world_close(state);
		world_open(GRANT_CLIENT_CREDENTIALS);
		oauth->provider = rows[i].provider;
		oauth->token_endpoint = rows[i].endpoint;
		deliver(0);
		refused("invalid_client");
		CHECK_HAS_HEARD(rows[i].want);
	}
}

static void
another_one_is_stored(void **state)
{
	(void)state;
	in_use();
	token_spoil(oauth);
	deliver(1);
	refused("invalid_grant");
	deliver(2);
	got(record("R7"));
	assert_non_null(strstr(asked(ASKED_HTTP), "refresh_token=R7&"));
	/* tried once */
	refused("invalid_grant");
	got(record("R7"));
	assert_int_equal(waiting(ASKED_HTTP), 0);
	CHECK_HAS_HEARD("pause the provider refuses");
	/* at each probe */
	deliver(3);
	refused("invalid_grant");
	got(record("R8"));
	token("A8", NULL, 3600);
	CHECK_HEARD("ready. send 3 A8. ");
}

/* The stored one is older than ours: it is no help. */
static void
an_unkept_one_is_refused(void **state)
{
	(void)state;
	in_use();
	token_spoil(oauth);
	deliver(1);
	token("A1", "R1", 3600);
	not_kept();
	token_spoil(oauth);
	deliver(1);
	refused("invalid_grant");
	assert_int_equal(waiting(ASKED_GET), 0);
	CHECK_HAS_HEARD("pause the provider refuses");
}

/* --- the stored sign-in ----------------------------------------------- */

static void
nobody_has_signed_in(void **state)
{
	(void)state;
	world_open(GRANT_DEVICE_CODE);
	deliver(0);
	got(NULL);
	CHECK_HEARD("pause nobody has signed in yet: postern login out. fail 0 "
		    "no access token: nobody has signed in yet: postern login "
		    "out. ");
	deliver(1);			/* a probe reads again */
	got(record("R0"));
	token("A0", NULL, 3600);
	CHECK_HEARD("ready. send 1 A0. ");
}

static void
a_sign_in_is_faster_than_reading(void **state)
{
	(void)state;
	world_open(GRANT_DEVICE_CODE);
	deliver(0);
	sign_in();
	device();
	pass(5 * SEC);
	token("A1", "R1", 3600);
	assert_int_equal(waiting(ASKED_GET), 0);	/* given up */
	kept();
	CHECK_HAS_HEARD("send 0 A1. ");
	token_spoil(oauth);
	deliver(1);
	assert_non_null(strstr(asked(ASKED_HTTP), "refresh_token=R1&"));
}

static void
a_sign_in_is_faster_than_a_refresh(void **state)
{
	(void)state;
	in_use();
	sign_in();
	device();
	pass(5 * SEC);
	token_spoil(oauth);
	deliver(1);
	assert_int_equal(waiting(ASKED_HTTP), 2);
	token("A2", "R2", 3600);
	assert_int_equal(waiting(ASKED_HTTP), 0);	/* given up */
	kept();
	CHECK_HAS_HEARD("send 1 A2. ");
}

/* The seed was used up long ago: never unless there is nothing else. */
static void
when_the_seed_is_used(void **state)
{
	static const struct {
		const char *bytes, *shown, *words;
	} rows[] = {
		{ NULL, "S", NULL },
		{ "R5", "R5", NULL },
		{ "{\"refresh_token\":\"R\",\"seed\":\"0\"}", "S", NULL },
		{ "!disk", NULL, "the stored sign-in cannot be read: !disk; "
		  "correct this. " },
		{ "", NULL, "damaged (the file routes/out/sign-in in "
		  "the state folder); delete the file" },
		{ "{\"refresh_", NULL, "damaged" },
		{ "[]", NULL, "damaged" },
		{ "{\"seed\":\"af640e4c86024182\"}", NULL, "damaged" },
		{ "{\"refresh_token\":\"R\",\"client_id\":\"other\","
		  "\"seed\":\"af640e4c86024182\"}", NULL,
		  "for another application; obtain a new refresh token" },
		/* whose the seed is, the operator knows */
		{ "{\"refresh_token\":\"R\",\"client_id\":\"app\",\"user\":"
		  "\"v@x.test\",\"token_endpoint\":\"https://x.test/token\","
		  "\"seed\":\"af640e4c86024182\"}", "R", NULL },
	};
	char shown[40];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *b = rows[i].bytes;

		world_open(GRANT_REFRESH_TOKEN);
		deliver(0);
		if (b != NULL && b[0] == '!')
			got_error(b);
		else
			got(b != NULL && b[0] == 'R' ? record(b) : b);
		CHECK_ROW(i, waiting(ASKED_HTTP) == (rows[i].shown != NULL));
		if (rows[i].shown != NULL) {
			snprintf(shown, sizeof(shown), "refresh_token=%s&",
				 rows[i].shown);
			CHECK_ROW(i, strstr(asked(ASKED_HTTP), shown));
		} else {
			CHECK_ROW(i, strstr(heard, rows[i].words));
			/* and read again for whoever comes */
			deliver(1);
			CHECK_ROW(i, waiting(ASKED_GET) == 1);
		}
		world_close(state);
	}
	world_open(GRANT_REFRESH_TOKEN);
}

static void
it_is_for_another(void **state)
{
	(void)state;
	world_open(GRANT_DEVICE_CODE);
	oauth->user = "v@x.test";
	got(record("R0"));
	CHECK_HEARD("pause the stored sign-in is for another user; sign in "
		    "again: postern login out. ");
	oauth->user = "u@x.test";
	oauth->client_id = "other";
	deliver(0);
	got(record("R0"));
	CHECK_HAS_HEARD("pause the stored sign-in is for another application; "
			"sign in again: postern login out. ");
	deliver(0);
	got("{}");
	CHECK_HAS_HEARD("is damaged (the file routes/out/sign-in in "
			"the state folder); sign in again: postern login out");
}

static void
a_read_error_is_no_missing_sign_in(void **state)
{
	(void)state;
	world_open(GRANT_DEVICE_CODE);
	got_error("k: Input/output error");
	CHECK_HEARD("pause the stored sign-in cannot be read: k: Input/output "
		    "error; correct this. ");
	deliver(0);
	got(record("R0"));
	token("A0", NULL, 3600);
	CHECK_HEARD("ready. send 0 A0. ");
}

/* --- retired ---------------------------------------------------------- */

static void
what_is_under_way_is_finished(void **state)
{
	(void)state;
	in_use();
	token_spoil(oauth);
	deliver(1);
	token_retire(oauth);
	token("A1", "R1", 3600);
	kept();
	CHECK_HEARD("send 1 A1. ");
	assert_string_equal(record(NULL), record("R1"));
	/* and nothing else begins */
	pass(3 * DAY);
	assert_int_equal(waiting(ASKED_HTTP), 0);
	deliver(2);
	assert_int_equal(waiting(ASKED_HTTP) + waiting(ASKED_GET), 0);
	CHECK_HEARD("fail 2 no access token: the route has changed, or the "
		    "gateway stops. ");
}

static void
those_who_wait_for_reading_get_theirs(void **state)
{
	(void)state;
	world_open(GRANT_DEVICE_CODE);
	deliver(0);
	token_retire(oauth);
	got(record("R0"));
	token("A0", NULL, 3600);
	CHECK_HEARD("send 0 A0. ");
}

static void
the_last_chance_to_be_kept(void **state)
{
	(void)state;
	in_use();
	token_spoil(oauth);
	deliver(1);
	token("A1", "R1", 3600);
	not_kept();
	heard[0] = '\0';
	token_retire(oauth);
	assert_string_equal(asked(ASKED_PUT), record("R1"));
	not_kept();
	CHECK_HAS_HEARD("cannot be stored: disk full; the sign-in "
			"may be lost");
	pass(DAY);
	assert_int_equal(waiting(ASKED_PUT), 0);
}

#define PLAY(f) cmocka_unit_test_teardown(f, world_close)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		PLAY(one_token_for_all_that_wait),
		PLAY(the_application_itself_has_no_sign_in),
		PLAY(a_new_sign_in_is_durable_before_it_is_used),
		PLAY(it_is_renewed_ahead_of_its_end),
		PLAY(nobody_used_it),
		PLAY(a_short_life_is_halved),
		PLAY(the_provider_wants_a_rest),
		PLAY(an_idle_sign_in_is_kept_alive),
		PLAY(what_cannot_be_kept_is_kept_later),
		PLAY(the_newest_of_two_counts),
		PLAY(a_newer_one_that_fails_at_once_is_not_kept),
		PLAY(refused_and_signed_in_again),
		PLAY(it_looks_again),
		PLAY(a_tenant_is_not_for_everybody),
		PLAY(another_one_is_stored),
		PLAY(an_unkept_one_is_refused),
		PLAY(nobody_has_signed_in),
		PLAY(a_sign_in_is_faster_than_reading),
		PLAY(a_sign_in_is_faster_than_a_refresh),
		PLAY(when_the_seed_is_used),
		PLAY(it_is_for_another),
		PLAY(a_read_error_is_no_missing_sign_in),
		PLAY(what_is_under_way_is_finished),
		PLAY(those_who_wait_for_reading_get_theirs),
		PLAY(the_last_chance_to_be_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
