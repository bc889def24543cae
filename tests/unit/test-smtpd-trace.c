/* test-smtpd-trace.c - what is told of sessions that bring no message */
#include "capture.h"
#include "smtpd-plays.h"
#include "unit.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/macros.h"
#include "smtpd/server.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

static struct capture captured;

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	for (text = strstr(text, what); text != NULL;
	     text = strstr(text + 1, what))
		n++;
	return n;
}

#define CHECK_HAS(text, part)						\
	do {								\
		if (strstr((text), (part)) == NULL)			\
			fail_msg("`%s' is not in: %s", (part), (text));	\
	} while (0)

#define A_LINE "a session ended without a message: "

/* --- one session, one line ------------------------------------------- */

/* How the client ends it, behind the script. */
enum by { BY_SCRIPT, BY_CLOSE };

static const struct session_row {
	const char *title, *script;
	enum by by;
	int tls;
	const char *client;		/* NULL: one that may relay */
	const char *told;		/* NULL: nothing; else in the line */
	const char *also;		/* in it, too; or NULL */
	const char *never;		/* nowhere in the log; or NULL */
	int kind;			/* counted as; -1: not */
} sessions[] = {
	{ .title = "a login", .script = HELLO ">AUTH LOGIN\n<500 *\n" QUIT,
	  .told = A_LINE "the device wants to log in, which this listener does "
		  "not offer: switch authentication off in the device; its "
		  "address may send without it client=10.0.0.1 listener=test:25 "
		  "ended=\"the client said QUIT\" kind=login helo=printer "
		  "after=AUTH answer=\"500 5.5.2 command not recognized\"\n",
	  .kind = FAILURE_LOGIN },
	{ .title = "a login by a stranger", .client = "192.0.2.1",
	  .script = HELLO ">AUTH LOGIN\n<500 *\n" QUIT,
	  .told = "add its address to `relay.networks'", .kind = FAILURE_LOGIN },
	{ .title = "what follows AUTH is secret",
	  .script = HELLO ">AUTH PLAIN c2VjcmV0\n<500 *\n>czNjcjN0\n<500 *\n"
		    ">cGFzc3dvcmQ=\n<500 *\n" QUIT,
	  .told = "the device wants to log in", .also = "after=(unknown)",
	  .never = "c2VjcmV0", .kind = FAILURE_LOGIN },
	{ .title = "secret behind a secret",
	  .script = HELLO ">AUTH LOGIN\n<500 *\n>czNjcjN0\n<500 *\n" QUIT,
	  .told = "the device wants to log in", .never = "czNjcjN0",
	  .kind = FAILURE_LOGIN },
	{ .title = "a login that is not needed in the end",
	  .script = HELLO ">AUTH LOGIN\n<500 *\n" MAIL_ALPHA
		    ">DATA\n<354 *\n>.\n<250 *\n" QUIT, .kind = -1 },
	{ .title = "STARTTLS where there is none",
	  .script = HELLO ">STARTTLS\n<502 *\n" QUIT,
	  .told = "the device wants STARTTLS, and this listener has `tls: none'",
	  .also = "answer=\"502 5.5.1 ", .kind = FAILURE_TLS },
	{ .title = "STARTTLS without a certificate", .tls = LISTENER_STARTTLS,
	  .script = HELLO ">STARTTLS\n<454 *\n" QUIT,
	  .told = "this gateway has no certificate: set `tls.certificate'",
	  .kind = FAILURE_TLS },
	{ .title = "no STARTTLS where it is required", .tls = LISTENER_REQUIRED,
	  .script = HELLO ">MAIL FROM:<a@b.test>\n<530 *\n" QUIT,
	  .told = "this listener has `tls: required'", .also = "after=MAIL",
	  .never = "refused: 530", .kind = FAILURE_TLS },
	{ .title = "a ClientHello on a plain port",
	  .script = GREETED "=\x16\x03\x01\x02\x01\\n\x01\n<421 4.7.0 *\nX\n",
	  .told = "the device began TLS at once, and this listener has `tls: "
		  "none'", .also = "ended=\"the gateway closed the connection\"",
	  .kind = FAILURE_TLS },
	{ .title = "one where STARTTLS is offered", .tls = LISTENER_STARTTLS,
	  .script = GREETED "=\x16\x03\x01\x02\n<421 4.7.0 *\nX\n",
	  .told = "choose STARTTLS in the device", .kind = FAILURE_TLS },
	{ .title = "one of SSL 2",
	  .script = GREETED "=\x80\x2e\x01\x03\x01\n<421 4.7.0 *\nX\n",
	  .told = "the device began TLS at once", .kind = FAILURE_TLS },
	{ .title = "HTTP", .script = GREETED ">GET / HTTP/1.1\n<421 *\nX\n",
	  .told = "the client speaks HTTP", .kind = FAILURE_NO_SMTP },
	{ .title = "nonsense", .script = GREETED ">XYZZY\n<500 *\n" QUIT,
	  .told = "command that this server does not know", .also = "after=(unknown)",
	  .never = "XYZZY", .kind = FAILURE_NO_SMTP },
	{ .title = "a name that is none",
	  .script = GREETED ">EHLO prin\x01ter\n<501 *\n" QUIT,
	  .told = "control characters: give the device another name",
	  .also = "helo=\"prin\\u0001ter\"", .kind = FAILURE_REFUSED },
	{ .title = "cut off in DATA", .by = BY_CLOSE,
	  .script = HELLO MAIL_ALPHA ">DATA\n<354 *\n>half a message\n",
	  .told = "the connection ended within the message",
	  .also = "after=DATA answer=\"354 End data with <CR><LF>.<CR><LF>\" "
		  "from=a@b.test size=16\n", .kind = FAILURE_INTERRUPTED },
	{ .title = "cut off in BDAT", .by = BY_CLOSE,
	  .script = HELLO MAIL_ALPHA ">BDAT 100\n=abc\n",
	  .told = "the connection ended within the message",
	  .kind = FAILURE_INTERRUPTED },
	{ .title = "cut off after a message", .by = BY_CLOSE,
	  .script = HELLO MAIL_ALPHA ">DATA\n<354 *\n>.\n<250 *\n", .kind = -1 },
	{ .title = "cut off in the second message", .by = BY_CLOSE,
	  .script = HELLO MAIL_ALPHA ">DATA\n<354 *\n>.\n<250 *\n"
		    MAIL_ALPHA ">DATA\n<354 *\n>x\n",
	  .told = "the connection ended within the message",
	  .kind = FAILURE_INTERRUPTED },
	{ .title = "gone before DATA", .by = BY_CLOSE,
	  .script = HELLO MAIL_ALPHA,
	  .told = "the client left before it sent a message",
	  .also = "ended=\"the client closed the connection\"",
	  .kind = FAILURE_LEFT },
	/* a refusal has its line: one for one event */
	{ .title = "no route", .script = HELLO ">MAIL FROM:<a@b.test>\n<250 *\n"
		    ">RCPT TO:<c@nowhere.test>\n<550 *\n>DATA\n<503 *\n" QUIT,
	  .told = "refused: 550 5.7.1 no route takes it", .never = A_LINE,
	  .kind = FAILURE_REFUSED },
	{ .title = "a sender that is none",
	  .script = HELLO ">MAIL FROM:<a@b.test> XYZ=1\n<555 *\n" QUIT,
	  .told = "refused: 555", .never = A_LINE, .kind = FAILURE_REFUSED },
	{ .title = "no relaying", .client = "192.0.2.2",
	  .script = HELLO ">MAIL FROM:<a@b.test>\n<250 *\n"
		    ">RCPT TO:<c@alpha.test>\n<550 *\n" QUIT,
	  .told = "relaying denied", .never = A_LINE, .kind = FAILURE_REFUSED },
	{ .title = "a refusal, then cut off in DATA", .by = BY_CLOSE,
	  .script = HELLO ">MAIL FROM:<a@b.test>\n<250 *\n"
		    ">RCPT TO:<c@nowhere.test>\n<550 *\n"
		    ">RCPT TO:<c@alpha.test>\n<250 *\n>DATA\n<354 *\n>x\n",
	  .told = A_LINE "the connection ended within the message",
	  .kind = FAILURE_INTERRUPTED },
	/* monitors */
	{ .title = "nothing", .script = GREETED, .by = BY_CLOSE, .kind = -1 },
	{ .title = "QUIT", .script = GREETED QUIT, .kind = -1 },
	{ .title = "EHLO and QUIT", .script = HELLO QUIT, .kind = -1 },
	{ .title = "EHLO and gone", .script = HELLO, .by = BY_CLOSE,
	  .kind = -1 },
	{ .title = "EHLO, NOOP, RSET, QUIT",
	  .script = HELLO ">NOOP\n<250 *\n>RSET\n<250 *\n" QUIT, .kind = -1 },
};

static void
check_counts(const struct world *w, const struct session_row *r)
{
	struct smtpd_stats s;

	smtpd_stats(w->smtpd, &s);
	for (int k = 0; k < FAILURE_KINDS; k++)
		if (s.failed[k] != (k == r->kind))
			fail_msg("%s: %s is counted %d times", r->title,
				 failure_kind_name((enum failure_kind)k),
				 (int)s.failed[k]);
}

static void
each_session_has_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++) {
		const struct session_row *r = &sessions[i];
		struct world *w = world_new();
		const char *text;

		w->tls = r->tls;
		log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
		capture_begin(&captured);
		world_connect(w, r->client ? r->client : "10.0.0.1");
		play(w, r->script);
		if (r->by == BY_CLOSE)
			world_hang_up(w);
		world_turn(w);
		text = capture_end(&captured);
		log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
		if (r->told != NULL && count(text, r->told) != 1)
			fail_msg("%s: `%s' is not once in\n%s", r->title,
				 r->told, text);
		if (r->also != NULL && strstr(text, r->also) == NULL)
			fail_msg("%s: `%s' is not in\n%s", r->title, r->also,
				 text);
		if ((r->never != NULL && strstr(text, r->never) != NULL) ||
		    (r->told == NULL && strstr(text, A_LINE) != NULL))
			fail_msg("%s: too much in\n%s", r->title, text);
		check_counts(w, r);
		world_free(&w);
	}
}

static void
handshakes_have_their_words(void **state)
{
	static const struct {
		enum tls_fault fault;
		int tls;
		enum ending ending;
		const char *words;
	} rows[] = {
		{ TLS_FAULT_CLEAR, LISTENER_IMPLICIT, ENDED_TLS,
		  "has `tls: implicit'" },
		{ TLS_FAULT_NO_COMMON, LISTENER_STARTTLS, ENDED_TLS,
		  "no version or cipher" },
		{ TLS_FAULT_REFUSED, LISTENER_STARTTLS, ENDED_TLS,
		  "does not trust the certificate" },
		{ TLS_FAULT_LEFT, LISTENER_STARTTLS, ENDED_TLS,
		  "ended the TLS handshake" },
		{ TLS_FAULT_OTHER, LISTENER_STARTTLS, ENDED_TLS,
		  "`reason' says why" },
		{ TLS_FAULT_OTHER, LISTENER_STARTTLS, ENDED_TIMEOUT,
		  "did not finish the TLS handshake" },
	};
	const struct failure_row *r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		r = failure_find(SEEN_SHAKING | failure_tls_sign(rows[i].fault),
				 rows[i].tls, rows[i].ending);
		CHECK_HAS(r->words, rows[i].words);
		assert_int_equal(r->kind, FAILURE_TLS);
	}
	r = failure_find(SEEN_SHAKING | SEEN_SILENT, LISTENER_IMPLICIT,
			 ENDED_TIMEOUT);
	CHECK_HAS(r->words, "has `tls: implicit'");
}

static void
who_only_greets_is_counted(void **state)
{
	struct world *w = world_new();
	struct smtpd_stats s;

	(void)state;
	world_connect(w, "10.0.0.1");
	play(w, GREETED);
	world_hang_up(w);
	world_turn(w);
	for (int i = 0; i < 2; i++) {
		world_connect(w, "10.0.0.1");
		play(w, HELLO QUIT);
	}
	smtpd_stats(w->smtpd, &s);
	assert_int_equal(s.greeted, 2);
	world_free(&w);
}

/* --- time ------------------------------------------------------------ */

/* What is said while the server loses patience after `script' and `last': it
 * has little of it from `last' on, so that a slow machine plays the script. */
static const char *
timeout_after(const char *script, const char *last, const char *heard)
{
	struct world *w = world_new();
	const char *text;

	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	capture_begin(&captured);
	if (script[0] == '\0')
		w->smtpd->command_ms = 10;
	world_connect(w, "10.0.0.1");
	if (script[0] != '\0')
		play(w, script);
	w->smtpd->command_ms = w->smtpd->block_ms = 10;
	play(w, last);
	for (int i = 0; i < 1000 && w->heard.len == 0; i++) {
		poll(NULL, 0, 5);
		world_turn(w);
	}
	play(w, heard);
	world_hang_up(w);
	world_turn(w);
	text = capture_end(&captured);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	world_free(&w);
	return text;
}

static void
timeouts_are_told(void **state)
{
	const char *text;

	(void)state;
	text = timeout_after("", GREETED, "<421 4.4.2 *\n");
	CHECK_HAS(text, "the client was silent for too long");
	CHECK_HAS(text, "ended=timeout kind=timeout after=(connect)");
	text = timeout_after(HELLO MAIL_ALPHA ">DATA\n<354 *\n", ">x\n",
			     "<421 4.4.2 *\n");
	CHECK_HAS(text, "the device stopped sending within the message");
	assert_int_equal(count(text, A_LINE), 1);
	/* a client may keep its connection for the next message */
	text = timeout_after(HELLO MAIL_ALPHA ">DATA\n<354 *\n",
			     ">.\n<250 *\n", "<421 4.4.2 *\n");
	assert_null(strstr(text, A_LINE));
}

static void
too_many_errors_are_told(void **state)
{
	struct world *w = world_new();
	const char *text;

	(void)state;
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	capture_begin(&captured);
	world_connect(w, "10.0.0.1");
	play(w, GREETED);
	for (int i = 0; i < LIMIT_BAD_COMMANDS; i++)
		play(w, ">XYZZY\n<500 *\n");
	play(w, ">XYZZY\n<421 4.7.0 *\nX\n");
	text = capture_end(&captured);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	CHECK_HAS(text, "too many commands that make no sense");
	CHECK_HAS(text, "answer=\"421 4.7.0 too many errors\"");
	assert_int_equal(count(text, A_LINE), 1);
	world_free(&w);
}

/* --- bounds ---------------------------------------------------------- */

static void
fail_once(struct world *w, const char *client)
{
	world_connect(w, client);
	play(w, GREETED ">XYZZY\n<500 *\n" QUIT);
	world_turn(w);
}

static void
one_client_has_some_lines_a_minute(void **state)
{
	struct world *w = world_new();
	struct smtpd_stats s;
	const char *text;

	(void)state;
	clock_fake(1000, 1000);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	capture_begin(&captured);
	for (int i = 0; i < 10; i++)
		fail_once(w, "10.0.0.1");
	fail_once(w, "10.0.0.2");
	w->smtpd->untold_timer.fire(&w->smtpd->untold_timer);
	clock_fake(1000 + 60 * 1000, 1000);
	fail_once(w, "10.0.0.1");
	w->smtpd->untold_timer.fire(&w->smtpd->untold_timer);
	text = capture_end(&captured);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	clock_fake(-1, 0);
	assert_int_equal(count(text, A_LINE), 6 + 1 + 1);
	assert_int_equal(count(text, "smtpd: 4 more sessions ended without a "
			       "message"), 1);
	assert_int_equal(count(text, "more session"), 1);
	smtpd_stats(w->smtpd, &s);
	assert_int_equal(s.failed[FAILURE_NO_SMTP], 12);
	world_free(&w);
}

static void
strangers_leave_room_for_devices(void **state)
{
	struct world *w = world_new();
	const char *text;
	char client[32];

	(void)state;
	clock_fake(1000, 1000);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	capture_begin(&captured);
	for (int i = 0; i < 100; i++) {
		snprintf(client, sizeof(client), "192.0.2.%d", i);
		fail_once(w, client);
	}
	fail_once(w, "10.0.0.1");
	smtpd_stop(w->smtpd, 0, NULL, NULL);
	world_turn(w);
	w->stopped = true;
	world_free(&w);
	text = capture_end(&captured);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	clock_fake(-1, 0);
	assert_int_equal(count(text, "client=192.0.2."), 30);
	assert_int_equal(count(text, "client=10.0.0.1"), 1);
	CHECK_HAS(text, "70 more sessions ended");
}

/* A line of its own, or a number: never nothing. */
static void
relaying_that_is_denied_often_is_counted(void **state)
{
	struct world *w = world_new();
	const char *text;

	(void)state;
	clock_fake(1000, 1000);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	capture_begin(&captured);
	for (int i = 0; i < 3; i++) {
		world_connect(w, "192.0.2.1");
		play(w, HELLO ">MAIL FROM:<a@b.test>\n<250 *\n"
		     ">RCPT TO:<c@alpha.test>\n<550 *\n" QUIT);
	}
	w->smtpd->untold_timer.fire(&w->smtpd->untold_timer);
	text = capture_end(&captured);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	clock_fake(-1, 0);
	assert_int_equal(count(text, "relaying denied"), 1);
	CHECK_HAS(text, "2 more sessions ended");
	world_free(&w);
}

/* Nor does a stranger fill the log by what is refused. */
static void
refusals_of_strangers_are_limited(void **state)
{
	struct world *w = world_new();
	const char *text;

	(void)state;
	clock_fake(1000, 1000);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	capture_begin(&captured);
	for (int i = 0; i < 20; i++) {
		world_connect(w, i < 10 ? "192.0.2.1" : "10.0.0.1");
		play(w, HELLO ">MAIL FROM:<a@b.test> XYZ=1\n<555 *\n" QUIT);
	}
	w->smtpd->untold_timer.fire(&w->smtpd->untold_timer);
	text = capture_end(&captured);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	clock_fake(-1, 0);
	assert_int_equal(count(text, "refused: 555"), 6 + 10);
	assert_int_equal(count(text, "client=192.0.2.1"), 6);
	assert_int_equal(count(text, "client=10.0.0.1"), 10);
	CHECK_HAS(text, "4 more sessions ended");
	assert_null(strstr(text, A_LINE));
	world_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_session_has_its_line),
		cmocka_unit_test(handshakes_have_their_words),
		cmocka_unit_test(who_only_greets_is_counted),
		cmocka_unit_test(timeouts_are_told),
		cmocka_unit_test(too_many_errors_are_told),
		cmocka_unit_test(one_client_has_some_lines_a_minute),
		cmocka_unit_test(strangers_leave_room_for_devices),
		cmocka_unit_test(refusals_of_strangers_are_limited),
		cmocka_unit_test(relaying_that_is_denied_often_is_counted),
	};

	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
