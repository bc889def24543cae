/* test-smtpc-probe.c - the client engine goes as far as a phase, and no farther
 */
#include "stage.h"

#include "base/macros.h"

#define BYE "< QUIT", "> 221 bye", "?"
#define SIGNS .tls = TLS_VERIFY, .auth = AUTH_PLAIN
#define OFFER SECURE, "> 250-mx.test", "> 250 AUTH PLAIN"
#define PASSWORD "< AUTH PLAIN", "> 334 ", "d \\0u@src.test\\0s3cret"

static const struct play plays[] = {
	{ .title = "let in", SIGNS, .upto = PHASE_AUTH,
	  .script = { OFFER, PASSWORD, "> 235 2.7.0 come in", BYE },
	  .want = { "R235 auth 2.7.0 come in" },
	  .facts = "TLS1.3 AES-256-GCM, verified" },
	{ .title = "not let in", SIGNS, .upto = PHASE_AUTH,
	  .script = { OFFER, PASSWORD, "> 535 5.7.3 no", BYE },
	  .want = { "R535 auth 5.7.3 no" } },
	{ .title = "not now", SIGNS, .upto = PHASE_AUTH,
	  .script = { OFFER, PASSWORD, "> 454 4.7.0 later", BYE },
	  .want = { "R454 auth 4.7.0 later" } },
	{ .title = "a server that lacks the login", SIGNS, .upto = PHASE_AUTH,
	  .script = { SECURE, "> 250 mx.test", BYE },
	  .want = { "S0 auth |does not offer AUTH PLAIN" } },
	{ .title = "a greeting that refuses", SIGNS, .upto = PHASE_AUTH,
	  .script = { "@", "> 554 5.7.1 go away", BYE },
	  .want = { "R554 greeting 5.7.1" } },
	{ .title = "cut off", SIGNS, .upto = PHASE_AUTH,
	  .script = { OFFER, PASSWORD, "!" },
	  .want = { "N0 auth |closed the connection" } },
	{ .title = "no login in the plan", .tls = TLS_VERIFY,
	  .upto = PHASE_AUTH,
	  .script = { SECURE, "> 250 mx.test at your service", BYE },
	  .want = { "R250 ehlo |at your service" } },
	{ .title = "as far as TLS", SIGNS, .upto = PHASE_STARTTLS,
	  .script = { OFFER, BYE }, .want = { "R250 ehlo" },
	  .facts = "TLS1.3 AES-256-GCM, verified" },
	{ .title = "as far as EHLO", SIGNS, .upto = PHASE_EHLO,
	  .script = { GREET, "> 250-mx.test", "> 250 STARTTLS", BYE },
	  .want = { "R250 ehlo" }, .facts = "" },
	{ .title = "as far as HELO", .upto = PHASE_EHLO,
	  .script = { GREET, "> 500 what", "< HELO gw.test", "> 250 mx.test",
		      BYE },
	  .want = { "R250 ehlo" } },
	{ .title = "each by a connection of its own", SIGNS, .messages = 2,
	  .upto = PHASE_AUTH,
	  .script = { OFFER, PASSWORD, "> 235 come in", "< QUIT", "> 221 bye",
		      "?", "!", OFFER, PASSWORD, "> 235 come in", BYE },
	  .want = { "R235 auth", "R235 auth" } },
};

static void
all_plays(void **state)
{
	(void)state;
	stage_perform_all(plays, ARRAY_SIZE(plays));
}

/* Broken off with an answer, and without one. */
static void
is_broken_off(void **state)
{
	static const char *const hosts[] = { "127.0.0.1" };
	static const struct play play = {
		.upto = PHASE_AUTH, .script = { GREET, "??" },
	};

	(void)state;
	for (int forget = 0; forget < 2; forget++) {
		struct server server;
		struct endpoint at;
		struct stage s;

		stage_server(&play, &server, &at);
		stage_init(&s, &play, hosts, 1, at.port);
		stage_send(&s);
		stage_run(&s, unit_slowly(50));
		assert_int_equal(s.done, 0);
		if (forget)
			smtpc_forget(s.smtpc, s.ticket);
		else
			smtpc_cancel(s.smtpc, s.ticket);
		stage_run(&s, unit_slowly(50));
		assert_int_equal(s.done, !forget);
		assert_int_equal(smtpc_count(s.smtpc).connections, 0);
		assert_int_equal(smtpc_count(s.smtpc).attempts, 0);
		smtpc_forget(s.smtpc, s.ticket);	/* it is over */
		stage_fini(&s);
		server_join(&server);
		assert_string_equal(server.wrong, "");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_plays),
		cmocka_unit_test(is_broken_off),
	};

	return cmocka_run_group_tests(tests, stage_open_world,
				      stage_close_world);
}
