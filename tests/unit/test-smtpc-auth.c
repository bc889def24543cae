/* test-smtpc-auth.c - the client engine signs in, or is not let in */
#include "stage.h"

#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "capture.h"

#define LET_IN "> 235 2.7.0 come in", ONE, TAKEN, "?"
#define BYE "< QUIT", "> 221 bye", "?"
#define SIGNS .tls = TLS_VERIFY, .auth
#define OFFER(mechanisms) SECURE, "> 250-mx.test", "> 250 AUTH " mechanisms
#define XOAUTH2 "< AUTH XOAUTH2", "> 334 ",				\
	"d user=u@src.test\\1auth=Bearer s3cret\\1\\1"
#define PASSWORD "< AUTH PLAIN", "> 334 ", "d \\0u@src.test\\0s3cret"

static const struct play plays[] = {
	/* what each mechanism says, in two steps */
	{ .title = "XOAUTH2", SIGNS = AUTH_XOAUTH2,
	  .script = { OFFER("XOAUTH2"), XOAUTH2, LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "OAUTHBEARER", SIGNS = AUTH_OAUTHBEARER,
	  .script = { OFFER("OAUTHBEARER"), "< AUTH OAUTHBEARER", "> 334 ",
		      "d n,a=u@src.test,\\1host=127.0.0.1\\1port=\\P\\1"
		      "auth=Bearer s3cret\\1\\1", LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "PLAIN", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("PLAIN"), PASSWORD, LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "LOGIN", SIGNS = AUTH_LOGIN,
	  .script = { OFFER("LOGIN"), "< AUTH LOGIN", "c Username:",
		      "d u@src.test", "c Password:", "d s3cret", LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "LOGIN, with challenges that are no base64",
	  SIGNS = AUTH_LOGIN,
	  .script = { OFFER("LOGIN"), "< AUTH LOGIN", "> 334 who?",
		      "d u@src.test", "> 334", "d s3cret", LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "by TLS from the first octet", SIGNS = AUTH_PLAIN,
	  .implicit = true,
	  .script = { "@", "T", "> 220 mx.test", HELLO, "> 250-mx.test",
		      "> 250 AUTH PLAIN", PASSWORD, LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "by TLS with whomever it may be", .tls = TLS_REQUIRED,
	  .auth = AUTH_PLAIN, .peer = { .who = WHO_ALONE },
	  .script = { OFFER("PLAIN"), PASSWORD, LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "by opportunistic TLS", .tls = TLS_OPPORTUNISTIC,
	  .auth = AUTH_PLAIN,
	  .script = { OFFER("PLAIN"), PASSWORD, LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "once for each connection", SIGNS = AUTH_PLAIN,
	  .messages = 3,
	  .script = { OFFER("PLAIN"), PASSWORD, "> 235 come in", ONE, TAKEN,
		      ONE, ".", "> 550 no", ONE, TAKEN, "?" },
	  .want = { "R250 dot", "R550 dot", "R250 dot" } },
	{ .title = "and again on a new one", SIGNS = AUTH_PLAIN,
	  .messages = 2,
	  .script = { OFFER("PLAIN"), PASSWORD, "> 235 come in", ONE, TAKEN,
		      "<*", "> 421 idle too long", "!", OFFER("PLAIN"),
		      PASSWORD, LET_IN },
	  .want = { "R250 dot", "R250 dot" } },
	{ .title = "a server that lets everybody in", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("PLAIN"), "< AUTH PLAIN", LET_IN },
	  .want = { "R250 dot" } },

	/* which one */
	{ .title = "the best of those that are allowed",
	  SIGNS = AUTH_PLAIN | AUTH_LOGIN,
	  .script = { OFFER("XOAUTH2 LOGIN NTLM PLAIN"), PASSWORD, LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "a name that only begins like ours",
	  SIGNS = AUTH_PLAIN | AUTH_LOGIN,
	  .script = { OFFER("PLAIN-CLIENTTOKEN LOGIN"), "< AUTH LOGIN",
		      "> 334", "d u@src.test", "> 334", "d s3cret", LET_IN },
	  .want = { "R250 dot" } },
	{ .title = "not offered", SIGNS = AUTH_XOAUTH2,
	  .script = { OFFER("PLAIN LOGIN NTLM"), BYE },
	  .want = { "S0 auth |does not offer AUTH XOAUTH2; of the mechanisms "
		    "that the gateway knows it offers: PLAIN LOGIN" } },
	{ .title = "none is offered", SIGNS = AUTH_PLAIN | AUTH_LOGIN,
	  .script = { SECURE, "> 250 mx.test", BYE },
	  .want = { "S0 auth |PLAIN LOGIN; of the mechanisms that the gateway "
		    "knows it offers: none" } },
	{ .title = "offered before TLS alone", SIGNS = AUTH_PLAIN,
	  .script = { GREET, "> 250-mx.test", "> 250-AUTH PLAIN",
		      "> 250 STARTTLS", "< STARTTLS", "> 220 go", "T", HELLO,
		      "> 250 mx.test", BYE },
	  .want = { "S0 auth |does not offer" } },
	{ .title = "offered, but not wanted", .tls = TLS_VERIFY,
	  .script = { OFFER("PLAIN"), ONE, TAKEN, "?" },
	  .want = { "R250 dot" } },

	/* never in the clear */
	{ .title = "TLS is off", .auth = AUTH_PLAIN,
	  .script = { GREET, "> 250-mx.test", "> 250 AUTH PLAIN", BYE },
	  .want = { "S0 auth |not sent without TLS, which this route" } },
	{ .title = "TLS is not offered", .tls = TLS_OPPORTUNISTIC,
	  .auth = AUTH_PLAIN,
	  .script = { GREET, "> 250-mx.test", "> 250 AUTH PLAIN", BYE },
	  .want = { "S0 auth |not sent without TLS, which this server does not "
		    "offer" } },
	{ .title = "TLS is refused", .tls = TLS_OPPORTUNISTIC,
	  .auth = AUTH_PLAIN,
	  .script = { GREET, "> 250-mx.test", "> 250-AUTH PLAIN",
		      "> 250 STARTTLS", "< STARTTLS", "> 454 no", BYE },
	  .want = { "S0 auth |not sent without TLS" } },
	{ .title = "the handshake fails", .tls = TLS_OPPORTUNISTIC,
	  .auth = AUTH_PLAIN,
	  .script = { STARTTLS, "> 220 go", "r", "!", GREET, "> 250-mx.test",
		      "> 250-AUTH PLAIN", "> 250 STARTTLS", BYE },
	  .want = { "S0 auth |not sent without TLS" } },
	{ .title = "a certificate that is not right", SIGNS = AUTH_PLAIN,
	  .name = "other.example.org",
	  .script = { STARTTLS, "> 220 go", "t", "??" },
	  .want = { "S0 starttls |not for other.example.org" } },

	/* not let in */
	{ .title = "535", SIGNS = AUTH_PLAIN, .rcpts = 2,
	  .script = { OFFER("PLAIN"), PASSWORD, "> 535 5.7.8 no", BYE },
	  .want = { "R535 auth 5.7.8 no", "R535 auth 5.7.8 no" } },
	{ .title = "454", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("PLAIN"), PASSWORD, "> 454 4.7.0 not now", BYE },
	  .want = { "R454 auth 4.7.0 not now" } },
	{ .title = "421", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("PLAIN"), PASSWORD, "> 421 4.7.0 busy", "?" },
	  .want = { "R421 auth 4.7.0 busy" } },
	{ .title = "421 at once", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("PLAIN"), "< AUTH PLAIN", "> 421 busy", "?" },
	  .want = { "R421 auth" } },
	{ .title = "refused before it was said", SIGNS = AUTH_XOAUTH2,
	  .script = { OFFER("XOAUTH2"), "< AUTH XOAUTH2",
		      "> 504 5.5.4 what is that", BYE },
	  .want = { "R504 auth 5.5.4" } },
	{ .title = "354", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("PLAIN"), "< AUTH PLAIN", "> 354 go", "?" },
	  .want = { "N0 auth |no meaning here: 354" } },
	{ .title = "LOGIN, refused for the name", SIGNS = AUTH_LOGIN,
	  .script = { OFFER("LOGIN"), "< AUTH LOGIN", "> 334", "d u@src.test",
		      "> 535 no such user", BYE },
	  .want = { "R535 auth |no such user" } },
	{ .title = "after a refusal MAIL is not tried", SIGNS = AUTH_PLAIN,
	  .messages = 2,
	  .script = { OFFER("PLAIN"), PASSWORD, "> 535 no", "< QUIT",
		      "> 221 bye", "?", OFFER("PLAIN"), PASSWORD, LET_IN },
	  .want = { "R535 auth", "R250 dot" } },

	/* the reason first, as a challenge */
	{ .title = "XOAUTH2, the reason first", SIGNS = AUTH_XOAUTH2,
	  .script = { OFFER("XOAUTH2"), XOAUTH2,
		      "c {\"status\":\"401\",\"schemes\":\"bearer\"}", "<",
		      "> 535 5.7.3 unsuccessful", BYE },
	  .want = { "R535 auth 5.7.3 unsuccessful" } },
	{ .title = "OAUTHBEARER, the reason first", SIGNS = AUTH_OAUTHBEARER,
	  .script = { OFFER("OAUTHBEARER"), "< AUTH OAUTHBEARER", "> 334",
		      "<*", "c {\"status\":\"invalid_token\"}", "d \\1",
		      "> 535 5.7.8 no", BYE },
	  .want = { "R535 auth 5.7.8" } },
	{ .title = "a reason that is no base64", SIGNS = AUTH_XOAUTH2,
	  .script = { OFFER("XOAUTH2"), XOAUTH2, "> 334 !!", "<",
		      "> 535 no", BYE },
	  .want = { "R535 auth" } },
	{ .title = "one more question than there is to say",
	  SIGNS = AUTH_XOAUTH2,
	  .script = { OFFER("XOAUTH2"), XOAUTH2, "> 334", "<", "> 334", "< *",
		      "> 501 cancelled", BYE },
	  .want = { "R501 auth |cancelled" } },
	{ .title = "PLAIN, a second question", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("PLAIN"), PASSWORD, "> 334", "< *", "> 501 no",
		      BYE },
	  .want = { "R501 auth" } },
	{ .title = "questions without end", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("PLAIN"), PASSWORD, "> 334", "< *", "> 334",
		      "< *", "> 334", "< *", "> 334", "?" },
	  .want = { "N0 auth |asks for more than AUTH PLAIN" } },

	/* connections that end */
	{ .title = "closed at AUTH", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("PLAIN"), "< AUTH PLAIN", "!" },
	  .want = { "N0 auth |closed" } },
	{ .title = "closed at the response", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("PLAIN"), PASSWORD, "!" },
	  .want = { "N0 auth |closed" } },
	{ .title = "reset at the reason", SIGNS = AUTH_XOAUTH2,
	  .script = { OFFER("XOAUTH2"), XOAUTH2, "> 334", "<", "x" },
	  .want = { "N0 auth " } },
	{ .title = "no answer in time", SIGNS = AUTH_PLAIN,
	  .patience_ms = 300,
	  .script = { OFFER("PLAIN"), PASSWORD, "?" },
	  .want = { "N0 auth |no answer within" } },
	{ .title = "no question in time", SIGNS = AUTH_PLAIN,
	  .patience_ms = 300,
	  .script = { OFFER("PLAIN"), "< AUTH PLAIN", "?" },
	  .want = { "N0 auth |no answer within" } },
	{ .title = "who answers before AUTH", SIGNS = AUTH_PLAIN,
	  .script = { SECURE, ">> 250-mx\\r\\n250 AUTH PLAIN\\r\\n"
		      "235 in\\r\\n", "?" },
	  .want = { "N0 auth |before it was asked: 235" } },

	/* what we said, said back to us */
	{ .title = "our words in the refusal", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("PLAIN"), PASSWORD, "e 500 5.5.1 what is ", BYE },
	  .want = { "R500 auth 5.5.1 what is ****" } },
	{ .title = "a part of them", SIGNS = AUTH_XOAUTH2,
	  .script = { OFFER("XOAUTH2"), XOAUTH2,
		      "> 500 \"QHNyYy50ZXN0AWF1dGg9QmVhcmVyIHMzY3J\"?", BYE },
	  .want = { "R500 auth |\"****" } },
	{ .title = "the secret itself", SIGNS = AUTH_LOGIN,
	  .script = { OFFER("LOGIN"), "< AUTH LOGIN", "> 334", "<*", "> 334",
		      "<*", "> 535 5.7.8 s3cret is not the password", BYE },
	  .want = { "R535 auth 5.7.8 ****** is not the password" } },
	{ .title = "in the reason", SIGNS = AUTH_XOAUTH2,
	  .script = { OFFER("XOAUTH2"), XOAUTH2,
		      "c {\"token\":\"s3cret\"}", "<", "> 535 no", BYE },
	  .want = { "R535 auth" } },
	{ .title = "in a good-bye", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("PLAIN"), PASSWORD, "e 421 enough of ", "?" },
	  .want = { "R421 auth |enough of ****" } },
	{ .title = "as no SMTP at all", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("PLAIN"), PASSWORD, "e ", "?" },
	  .want = { "N0 auth |not an SMTP reply: \"****" } },
	{ .title = "as an answer that means nothing", SIGNS = AUTH_PLAIN,
	  .script = { OFFER("PLAIN"), PASSWORD, "e 354 ", "?" },
	  .want = { "N0 auth |no meaning here: 354 ****" } },
};

/* The secret, and what it looks like in base64, at each of three places. */
static const char *const traces[] = {
	"s3cret", "czNjcmV0", "MzY3Jl", "zM2NyZ",
};

static void
nothing_is_told(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(traces); i++)
		if (strstr(text, traces[i]) != NULL)
			fail_msg("`%s' is told: %s", traces[i], text);
}

static void
all_plays(void **state)
{
	(void)state;
	stage_perform_all(plays, ARRAY_SIZE(plays));
}

/* One play, with all that is logged on its way and what came of it. */
static void
perform_captured(const struct play *p, struct capture *log)
{
	static const char *const here[] = { "127.0.0.1" };
	struct server server;
	struct endpoint at;
	struct stage s;

	capture_begin(log);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
	stage_server(p, &server, &at);
	stage_init(&s, p, here, 1, at.port);
	stage_send(&s);
	stage_run(&s, unit_slowly(10000));
	stage_fini(&s);
	server_join(&server);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	capture_end(log);
	for (size_t i = 0; i < WANTS; i++)
		nothing_is_told(s.got[i]);
	nothing_is_told(log->text);
}

static void
secrets_are_not_told(void **state)
{
	static struct capture log;
	bool reason = false;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(plays); i++) {
		perform_captured(&plays[i], &log);
		CHECK_ROW(i, strstr(log.text, "STARTTLS, then") != NULL ||
			     plays[i].tls == TLS_NONE || plays[i].implicit ||
			     plays[i].tls == TLS_OPPORTUNISTIC);
		if (strstr(log.text, "AUTH XOAUTH2 is about to fail: "
			   "{\"status\":\"401\",\"schemes\":\"bearer\"}"))
			reason = true;
	}
	assert_true(reason);
}

/* Runs a script whose lines are made here. */
static void
perform_with(struct play *p, size_t line, const char *fmt, const char *arg)
{
	char *made = mem_printf(fmt, arg);

	p->script[line] = made;
	stage_perform(p);
	mem_free(made);
}

static void
long_tokens_go_whole(void **state)
{
	static char token[AUTH_TOKEN_MAX + 1];
	static const struct { unsigned mechanism; const char *said; } rows[] = {
		{ AUTH_XOAUTH2, "d user=u@src.test\\1auth=Bearer %s\\1\\1" },
		{ AUTH_OAUTHBEARER, "d n,a=u@src.test,\\1host=127.0.0.1\\1"
		  "port=\\P\\1auth=Bearer %s\\1\\1" },
		{ AUTH_PLAIN, "d \\0u@src.test\\0%s" },
	};

	(void)state;
	for (size_t i = 0; i < AUTH_TOKEN_MAX; i++)
		token[i] = (char)('a' + i * 7 % 26);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct play p = {
			.title = "a long token", SIGNS = rows[i].mechanism,
			.secret = token,
			.script = { OFFER("XOAUTH2 OAUTHBEARER PLAIN"), "<*",
				    "> 334 ", NULL, LET_IN },
			.want = { "R250 dot" },
		};
		size_t at = 0;

		while (p.script[at] != NULL)
			at++;
		perform_with(&p, at, rows[i].said, token);
	}
}

/* --- several hosts ---------------------------------------------------- */

static void
who_is_not_let_in_does_not_try_next_door(void **state)
{
	static const char *const twice[] = { "127.0.0.1", "127.0.0.1" };
#define NEXT_DOOR OFFER("PLAIN"), PASSWORD, LET_IN
	static const struct play rows[] = {
		{ .title = "535", SIGNS = AUTH_PLAIN,
		  .script = { OFFER("PLAIN"), PASSWORD, "> 535 no", BYE },
		  .want = { "R535 auth" } },
		{ .title = "454", SIGNS = AUTH_PLAIN,
		  .script = { OFFER("PLAIN"), PASSWORD, "> 454 no", BYE },
		  .want = { "R454 auth" } },
		{ .title = "421", SIGNS = AUTH_PLAIN,
		  .script = { OFFER("PLAIN"), PASSWORD, "> 421 no", "?" },
		  .want = { "R421 auth" } },
		{ .title = "AUTH itself refused", SIGNS = AUTH_PLAIN,
		  .script = { OFFER("PLAIN"), "< AUTH PLAIN", "> 504 no", BYE },
		  .want = { "R504 auth" } },
		/* these are matters of the host */
		{ .title = "not offered", SIGNS = AUTH_PLAIN,
		  .script = { OFFER("LOGIN"), "< QUIT", "!", NEXT_DOOR },
		  .want = { "R250 dot" } },
		{ .title = "closed", SIGNS = AUTH_PLAIN,
		  .script = { OFFER("PLAIN"), "< AUTH PLAIN", "!", NEXT_DOOR },
		  .want = { "R250 dot" } },
		{ .title = "no STARTTLS", SIGNS = AUTH_PLAIN,
		  .script = { PLAIN, "< QUIT", "!", NEXT_DOOR },
		  .want = { "R250 dot" } },
		{ .title = "STARTTLS refused", SIGNS = AUTH_PLAIN,
		  .script = { STARTTLS, "> 454 no", "< QUIT", "!", NEXT_DOOR },
		  .want = { "R250 dot" } },
		{ .title = "the handshake", SIGNS = AUTH_PLAIN,
		  .script = { STARTTLS, "> 220 go", "r", "!", NEXT_DOOR },
		  .want = { "R250 dot" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct server server;
		struct endpoint at;
		struct stage s;

		stage_server(&rows[i], &server, &at);
		stage_init(&s, &rows[i], twice, 2, at.port);
		stage_send(&s);
		stage_run(&s, unit_slowly(3000));
		CHECK_ROW(i, s.done == 1);
		CHECK_ROW(i, smtpc_count(s.smtpc).connects ==
			     (rows[i].want[0][1] == '2' ? 2 : 1));
		stage_check(rows[i].title, rows[i].want[0], s.got[0]);
		/* the QUIT to the first, beside the second */
		stage_run(&s, unit_slowly(20));
		stage_fini(&s);
		server_join(&server);
		if (server.wrong[0])
			fail_msg("%s: server: %s", rows[i].title,
				 server.wrong);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_plays),
		cmocka_unit_test(secrets_are_not_told),
		cmocka_unit_test(long_tokens_go_whole),
		cmocka_unit_test(who_is_not_let_in_does_not_try_next_door),
	};

	return cmocka_run_group_tests(tests, stage_open_world,
				      stage_close_world);
}
