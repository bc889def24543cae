/* test-smtpd-tls.c - STARTTLS, TLS that is demanded, and TLS from the start */
#include "tls-world.h"
#include "smtpd-plays.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/tls.h"
#include "smtpd/server.h"

#include <fnmatch.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

static struct tls_world certs;

/* --- a client that speaks TLS ---------------------------------------- */

struct client {
	struct world *w;
	int fd;				/* the world's, taken over */
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;
	bool ended;
};

static void
client_open(struct client *c, struct world *w)
{
	*c = (struct client){ .w = w, .fd = w->fd };
	w->fd = -1;			/* it must not hear what is for us */
	assert_true(gnutls_certificate_allocate_credentials(
			&c->credentials) >= 0);
	assert_true(gnutls_init(&c->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK |
				GNUTLS_NO_SIGNAL) >= 0);
	assert_true(gnutls_set_default_priority(c->session) >= 0);
	assert_true(gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE,
					   c->credentials) >= 0);
	gnutls_transport_set_int(c->session, c->fd);
}

static void
client_close(struct client *c)
{
	gnutls_deinit(c->session);
	gnutls_certificate_free_credentials(c->credentials);
	close(c->fd);
	world_turn(c->w);
}

static bool
client_shake(struct client *c)
{
	for (int i = 0; i < 1000; i++) {
		int code = gnutls_handshake(c->session);

		if (code >= 0)
			return true;
		if (gnutls_error_is_fatal(code))
			return false;
		world_turn(c->w);
	}
	return false;
}

/* What is heard joins what the world has heard.  A ticket is an "again" with
 * more behind it. */
static void
client_hear(struct client *c)
{
	char some[4096];

	for (int quiet = 0; quiet < 4 && !c->ended; quiet++) {
		ssize_t n;

		world_turn(c->w);
		n = gnutls_record_recv(c->session, some, sizeof(some));
		if (n > 0) {
			buf_add(&c->w->heard, (struct span){ some, (size_t)n });
			quiet = 0;
		} else if (n != GNUTLS_E_AGAIN) {
			c->ended = true;
		}
	}
}

static void
client_say(struct client *c, const char *s)
{
	struct span rest = span_of(s);

	while (rest.n > 0) {
		ssize_t n = gnutls_record_send(c->session, rest.p, rest.n);

		if (n == GNUTLS_E_AGAIN)
			world_turn(c->w);
		else if (n < 0)
			fail_msg("%s", gnutls_strerror((int)n));
		else
			rest = span_from(rest, (size_t)n);
	}
}

/* Says a line; the whole answer must fit the pattern. */
static void
ask(struct client *c, const char *line, const char *pattern)
{
	buf_clear(&c->w->heard);
	client_say(c, line);
	client_say(c, "\r\n");
	client_hear(c);
	if (fnmatch(pattern, buf_str(&c->w->heard), 0) != 0)
		fail_msg("`%s' got `%s', not `%s'", line,
			 buf_str(&c->w->heard), pattern);
}

/* --- worlds ---------------------------------------------------------- */

static struct world *
tls_world_new(enum listener_tls tls, bool certificate)
{
	struct world *w = world_new();

	w->tls = tls;
	if (certificate)
		smtpd_certificate(w->smtpd, certs.server);
	world_connect(w, "10.0.0.1");
	return w;
}

#define EHLO "<250-gw.test\n<250-PIPELINING\n<250-SIZE 102400\n<250-8BITMIME\n" \
	"<250-SMTPUTF8\n<250-CHUNKING\n<250-ENHANCEDSTATUSCODES\n"
#define EHLO_PLAIN ">EHLO printer\n" EHLO "<250 DSN\n"
#define EHLO_OFFER ">EHLO printer\n" EHLO "<250-STARTTLS\n<250 DSN\n"

/* --- in the clear ---------------------------------------------------- */

static void
what_is_said_before_tls(void **state)
{
	static const struct {
		enum listener_tls tls;
		bool certificate;
		const char *script;
	} plays[] = {
		{ LISTENER_PLAIN, true, GREETED EHLO_PLAIN
		  ">STARTTLS\n<502 5.5.1 TLS is not offered here\n" MAIL_ALPHA
		  QUIT },
		{ LISTENER_STARTTLS, false, GREETED EHLO_PLAIN
		  ">STARTTLS\n<454 4.7.0 *\n" MAIL_ALPHA QUIT },
		{ LISTENER_STARTTLS, true, GREETED EHLO_OFFER
		  ">STARTTLS now\n<501 5.5.4 *\n" MAIL_ALPHA QUIT },
		{ LISTENER_REQUIRED, true, GREETED
		  ">MAIL FROM:<a@b.test>\n<530 5.7.0 Must issue a STARTTLS "
		  "command first\n" EHLO_OFFER
		  ">MAIL FROM:<a@b.test>\n<530 5.7.0 *\n"
		  ">RCPT TO:<c@alpha.test>\n<530 5.7.0 *\n"
		  ">DATA\n<530 5.7.0 *\n>VRFY a\n<530 5.7.0 *\n"
		  ">EXPN a\n<530 5.7.0 *\n>BDAT 6 LAST\n=QUIT\\r\\n\n"
		  "<530 5.7.0 *\n>NOOP\n<250 *\n>RSET\n<250 *\n"
		  ">HELO x\n<250 *\n>HELP\n<214 *\n>STARTTLS x\n<501 *\n"
		  QUIT },
		{ LISTENER_REQUIRED, false, GREETED EHLO_PLAIN
		  ">STARTTLS\n<454 4.7.0 *\n>MAIL FROM:<a@b.test>\n<530 *\n"
		  QUIT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(plays); i++)
		for (int way = WAY_LINES; way <= WAY_AT_ONCE; way++) {
			struct world *w = tls_world_new(plays[i].tls,
							plays[i].certificate);

			world_play(w, plays[i].script, (enum way)way);
			assert_int_equal(w->count, 0);
			world_free(&w);
		}
}

/* --- after it -------------------------------------------------------- */

/* Lets the server say 220, and makes the handshake. */
static void
secure(struct client *c, struct world *w)
{
	world_play(w, ">STARTTLS\n<220 2.0.0 *\n", WAY_LINES);
	client_open(c, w);
	assert_true(client_shake(c));
	client_hear(c);
	assert_int_equal(w->heard.len, 0);
}

static void
send_message(struct client *c)
{
	ask(c, "EHLO printer", "250-gw.test\r\n*250 DSN\r\n");
	assert_null(strstr(buf_str(&c->w->heard), "STARTTLS"));
	ask(c, "MAIL FROM:<a@b.test>", "250 2.1.0 *");
	ask(c, "RCPT TO:<c@alpha.test>", "250 2.1.5 *");
	ask(c, "DATA", "354 *");
	ask(c, "Subject: x\r\n\r\ntext\r\n.", "250 2.0.0 Ok: queued as *");
}

static void
check_message(struct world *w)
{
	AUTO(buf_fini) struct buf m = BUF_MAX(1);

	assert_int_equal(w->count, 1);
	m = world_message(w, 0);
	assert_true(contains(&m, "\r\n\t(using TLSv1.3 with cipher "
			     "TLS_AES_256_GCM_SHA384)\r\n"));
	assert_true(contains(&m, " with ESMTPS id "));
}

static void
mail_comes_by_starttls(void **state)
{
	static const enum listener_tls kinds[] = {
		LISTENER_STARTTLS, LISTENER_REQUIRED,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct world *w = tls_world_new(kinds[i], true);
		struct client c;

		world_play(w, GREETED, WAY_LINES);
		secure(&c, w);
		send_message(&c);
		check_message(w);
		ask(&c, "STARTTLS", "503 5.5.1 *");
		ask(&c, "QUIT", "221 *");
		assert_true(c.ended);
		client_close(&c);
		world_free(&w);
	}
}

static void
mail_comes_by_tls_from_the_start(void **state)
{
	struct world *w = tls_world_new(LISTENER_IMPLICIT, true);
	struct client c;

	(void)state;
	client_open(&c, w);
	assert_true(client_shake(&c));
	client_hear(&c);
	assert_int_equal(fnmatch("220 gw.test ESMTP *\r\n",
				 buf_str(&w->heard), 0), 0);
	ask(&c, "MAIL FROM:<a@b.test>", "503 5.5.1 say EHLO *");
	send_message(&c);
	check_message(w);
	ask(&c, "STARTTLS", "503 5.5.1 *");
	client_close(&c);
	world_free(&w);
}

static void
what_was_said_in_the_clear_is_forgotten(void **state)
{
	struct world *w = tls_world_new(LISTENER_STARTTLS, true);
	struct client c;

	(void)state;
	world_play(w, GREETED EHLO_OFFER MAIL_ALPHA, WAY_LINES);
	secure(&c, w);
	ask(&c, "RCPT TO:<c@alpha.test>", "503 5.5.1 need MAIL *");
	ask(&c, "DATA", "503 *");
	ask(&c, "MAIL FROM:<a@b.test>", "503 5.5.1 say EHLO *");
	ask(&c, "EHLO printer", "250-*");
	ask(&c, "RCPT TO:<c@alpha.test>", "503 5.5.1 need MAIL *");
	ask(&c, "DATA", "503 *");
	client_close(&c);
	assert_int_equal(w->count, 0);
	world_free(&w);
}

static void
what_is_slipped_in_behind_starttls_is_thrown_away(void **state)
{
	static const char *const slipped[] = {
		"EHLO evil\r\nMAIL FROM:<evil@b.test>\r\nRCPT TO:<c@alpha.test>\r\n",
		"MAIL FROM:<evil@b.te",		/* whose rest would come later */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(slipped); i++) {
		struct world *w = tls_world_new(LISTENER_STARTTLS, true);
		char bytes[200];
		struct client c;

		world_play(w, GREETED EHLO_OFFER, WAY_LINES);
		snprintf(bytes, sizeof(bytes), "STARTTLS\r\n%s", slipped[i]);
		world_say(w, span_of(bytes));
		world_turn(w);
		assert_string_equal(buf_str(&w->heard),
				    "220 2.0.0 Ready to start TLS\r\n");
		buf_clear(&w->heard);
		client_open(&c, w);
		assert_true(client_shake(&c));
		client_hear(&c);
		assert_int_equal(w->heard.len, 0);
		ask(&c, "NOOP", "250 2.0.0 Ok\r\n");
		ask(&c, "DATA", "503 *");
		send_message(&c);
		client_close(&c);
		assert_int_equal(w->count, 1);
		world_free(&w);
	}
}

/* --- handshakes that do not end well ---------------------------------- */

static void
turn_until_gone(struct world *w)
{
	for (int i = 0; i < unit_slowly(5000) && !w->gone; i++) {
		world_turn(w);
		poll(NULL, 0, 1);
	}
	assert_true(w->gone);
	assert_int_equal(guard_sessions(w->guard), 0);
}

static void
a_handshake_that_never_ends_is_cut_off(void **state)
{
	static const enum listener_tls kinds[] = {
		LISTENER_STARTTLS, LISTENER_IMPLICIT,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct world *w = world_new();

		w->tls = (int)kinds[i];
		w->smtpd->command_ms = 50;
		smtpd_certificate(w->smtpd, certs.server);
		world_connect(w, "10.0.0.1");
		if (kinds[i] == LISTENER_STARTTLS)
			world_play(w, GREETED ">STARTTLS\n<220 *\n", WAY_LINES);
		world_turn(w);
		assert_int_equal(guard_sessions(w->guard), 1);
		world_say(w, SPAN("\x16\x03\x01"));	/* and no more */
		turn_until_gone(w);
		assert_int_equal(w->heard.len, 0);
		world_free(&w);
	}
}

static void
a_client_without_tls_is_told_by_an_alert_only(void **state)
{
	struct world *w = tls_world_new(LISTENER_IMPLICIT, true);

	(void)state;
	world_say(w, SPAN("EHLO printer\r\n"));
	turn_until_gone(w);
	assert_true(w->heard.len == 0 || *buf_str(&w->heard) == '\x15');
	world_free(&w);
	/* nothing to show: there is nothing to talk about */
	w = tls_world_new(LISTENER_IMPLICIT, false);
	turn_until_gone(w);
	assert_int_equal(w->heard.len, 0);
	world_free(&w);
}

static void
a_client_may_hang_up_at_any_time(void **state)
{
	static const char *const bytes[] = {
		"STARTTLS\r\n", "STARTTLS\r\n\x16", "STARTTLS\r\nNOOP\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
		struct world *w = tls_world_new(LISTENER_STARTTLS, true);

		world_say(w, span_of(bytes[i]));
		if (i != 1)
			world_turn(w);
		shutdown(w->fd, SHUT_WR);
		turn_until_gone(w);
		world_free(&w);
	}
}

/* A monitor of ports closes at once; a device that waits for a greeting gives
 * up after a while. */
static void
waiting_for_a_greeting_is_a_failure(void **state)
{
	static const struct {
		int64_t waited_ms;
		uint64_t failed;
	} rows[] = { { 0, 0 }, { 4999, 0 }, { 5000, 1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct smtpd_stats s;
		struct world *w;

		clock_fake(1000, 1000);
		w = tls_world_new(LISTENER_IMPLICIT, true);
		world_turn(w);
		clock_fake(1000 + rows[i].waited_ms, 1000);
		world_hang_up(w);
		world_turn(w);
		smtpd_stats(w->smtpd, &s);
		assert_int_equal(s.failed[FAILURE_TLS], rows[i].failed);
		clock_fake(-1, 0);
		world_free(&w);
	}
}

static void
a_server_that_stops_waits_for_no_handshake(void **state)
{
	struct world *w = tls_world_new(LISTENER_IMPLICIT, true);

	(void)state;
	world_turn(w);
	assert_int_equal(guard_sessions(w->guard), 1);
	smtpd_stop(w->smtpd, 20, NULL, NULL);
	turn_until_gone(w);
	w->stopped = true;
	world_free(&w);
}

/* --- certificates ---------------------------------------------------- */

static bool
shows(struct client *c, const struct cert *cert)
{
	const gnutls_datum_t *chain;
	gnutls_datum_t der;
	unsigned n = 0;
	bool same;

	chain = gnutls_certificate_get_peers(c->session, &n);
	assert_true(n > 0);
	assert_true(gnutls_x509_crt_export2(cert->crt, GNUTLS_X509_FMT_DER,
					    &der) >= 0);
	same = chain[0].size == der.size &&
	       memcmp(chain[0].data, der.data, der.size) == 0;
	gnutls_free(der.data);
	return same;
}

static void
a_new_certificate_is_for_new_sessions(void **state)
{
	struct world *w = tls_world_new(LISTENER_STARTTLS, true);
	struct tls_identity *new = world_identity(&certs, WHO_STRANGER);
	struct client old, c;

	(void)state;
	world_play(w, GREETED, WAY_LINES);
	secure(&old, w);
	world_connect(w, "10.0.0.1");
	smtpd_certificate(w->smtpd, new);
	tls_identity_unref(&new);
	world_play(w, GREETED, WAY_LINES);
	secure(&c, w);
	assert_true(shows(&old, &certs.certs[WHO_SERVER]));
	assert_true(shows(&c, &certs.certs[WHO_STRANGER]));
	ask(&old, "NOOP", "250 *");
	ask(&c, "NOOP", "250 *");
	/* and without one, none is offered */
	smtpd_certificate(w->smtpd, NULL);
	ask(&c, "NOOP", "250 *");
	client_close(&c);
	client_close(&old);
	world_connect(w, "10.0.0.1");
	world_play(w, GREETED EHLO_PLAIN QUIT, WAY_LINES);
	world_free(&w);
}

static int
open_certs(void **state)
{
	(void)state;
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	world_open(&certs);
	return 0;
}

static int
close_certs(void **state)
{
	(void)state;
	world_close(&certs);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_before_tls),
		cmocka_unit_test(mail_comes_by_starttls),
		cmocka_unit_test(mail_comes_by_tls_from_the_start),
		cmocka_unit_test(what_was_said_in_the_clear_is_forgotten),
		cmocka_unit_test(what_is_slipped_in_behind_starttls_is_thrown_away),
		cmocka_unit_test(a_handshake_that_never_ends_is_cut_off),
		cmocka_unit_test(a_client_without_tls_is_told_by_an_alert_only),
		cmocka_unit_test(a_client_may_hang_up_at_any_time),
		cmocka_unit_test(waiting_for_a_greeting_is_a_failure),
		cmocka_unit_test(a_server_that_stops_waits_for_no_handshake),
		cmocka_unit_test(a_new_certificate_is_for_new_sessions),
	};

	return cmocka_run_group_tests(tests, open_certs, close_certs);
}
