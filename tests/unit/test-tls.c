/* test-tls.c - TLS: who is believed, what is said when not, and how bytes go */
#include "tls-world.h"

#include "base/macros.h"
#include "base/mem.h"
#include "io/layer.h"

#include <stdio.h>
#include <sys/socket.h>

static struct tls_world w;

static void
push_client(struct end *e, const struct tls_client *c)
{
	stream_push(e->stream, tls_client_layer(c));
}

static void
push_server(struct end *e, struct tls_identity *i)
{
	stream_push(e->stream, tls_server_layer(i));
}

/* --- handshakes ------------------------------------------------------ */

static const struct {
	enum tls_policy policy;
	const char *name;
	enum who who;
	bool other;			/* authorities */
	const char *client;		/* its words; NULL: it is well */
	const char *server;
} rows[] = {
	{ TLS_OPPORTUNISTIC, NULL, WHO_SERVER, false, NULL, NULL },
	{ TLS_OPPORTUNISTIC, "mx.example.org", WHO_ALONE, false, NULL, NULL },
	{ TLS_REQUIRED, "no.example.org", WHO_EXPIRED, false, NULL, NULL },
	{ TLS_VERIFY, "mx.example.org", WHO_SERVER, false, NULL, NULL },
	{ TLS_VERIFY, "MX2.Example.ORG.", WHO_SERVER, false, NULL, NULL },
	{ TLS_VERIFY, "127.0.0.1", WHO_SERVER, false, NULL, NULL },
	{ TLS_VERIFY, "127.0.0.2", WHO_SERVER, false,
	  "the certificate of 127.0.0.2 is not accepted: it is for "
	  "mx.example.org, mx2.example.org, 127.0.0.1, not for 127.0.0.2",
	  "the client refused the gateway's certificate (alert: bad certificate)" },
	{ TLS_VERIFY, "mx", WHO_SERVER, false, "it is for mx.example.org",
	  "bad certificate" },
	{ TLS_VERIFY, "mx.example.org", WHO_EXPIRED, false, ": it expired at 2",
	  "the client refused the gateway's certificate (alert: certificate expired)" },
	{ TLS_VERIFY, "mx.example.org", WHO_NOT_YET, false,
	  ": it is not valid before 2", "certificate expired" },
	{ TLS_VERIFY, "mx.example.org", WHO_STRANGER, false,
	  ": its issuer is unknown: CN=Other CA", "(alert: unknown CA)" },
	{ TLS_VERIFY, "mx.example.org", WHO_STRANGER, true, NULL, NULL },
	{ TLS_VERIFY, "mx.example.org", WHO_SERVER, true,
	  ": its issuer is unknown: CN=Test CA", "(alert: unknown CA)" },
	{ TLS_VERIFY, "mx.example.org", WHO_ALONE, false, ": it is self-signed",
	  "(alert: unknown CA)" },
	{ TLS_VERIFY, "mx.example.org", WHO_NO_SERVER, false,
	  ": it is not meant for servers",
	  "(alert: unsupported certificate)" },
	{ TLS_VERIFY, "mx.example.org", WHO_WEAK, false,
	  ": its key or its signature is too weak", "bad certificate" },
	{ TLS_REQUIRED, "mx.example.org", WHO_STAPLE, false, NULL, NULL },
	{ TLS_VERIFY, "mx.example.org", WHO_STAPLE, false,
	  ": it requires an OCSP response, and the server sent none",
	  "bad certificate" },
	{ TLS_VERIFY, "other.example.org", WHO_EXPIRED, false, "; it expired at",
	  "bad certificate" },
};

static bool
has(const char *words, const char *wanted)
{
	return wanted == NULL ? words[0] == '\0'
			      : strstr(words, wanted) != NULL;
}

/* In TLS 1.3 a server is ready before it hears that it is not believed. */
static bool
row_is_over(struct pair *p)
{
	return both_ready(p) ? p->a.error[0] == '\0' || p->b.ended
			     : both_over(p);
}

static void
who_is_believed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tls_identity *server = world_identity(&w, rows[i].who);
		struct tls_client c = {
			.policy = rows[i].policy, .server_name = rows[i].name,
			.trust = rows[i].other ? w.other_trust : w.trust,
		};
		const struct tls_facts *f;
		struct pair p;

		pair_open(&p, true);
		push_server(&p.b, server);
		push_client(&p.a, &c);
		pair_run(&p, row_is_over);
		if (!has(p.a.error, rows[i].client) ||
		    !has(p.b.error, rows[i].server))
			fail_msg("row %zu: `%s', `%s'", i, p.a.error,
				 p.b.error);
		f = stream_tls(p.a.stream);
		CHECK_ROW(i, (f != NULL) == (rows[i].client == NULL));
		CHECK_ROW(i, rows[i].client == NULL ||
			     stream_tls_fault(p.b.stream) == TLS_FAULT_REFUSED);
		if (f != NULL) {
			CHECK_ROW(i, f->verified == (c.policy == TLS_VERIFY));
			CHECK_ROW(i, !f->resumed && f->asked == TLS_NOT_ASKED);
			assert_string_equal(f->protocol, "TLS1.3");
			assert_string_equal(f->cipher, "AES-256-GCM");
			assert_string_equal(f->text, "TLS1.3 AES-256-GCM");
			assert_string_equal(f->suite, "TLS_AES_256_GCM_SHA384");
		}
		pair_close(&p);
		tls_identity_unref(&server);
	}
}

static bool
both_got_line(struct pair *p)
{
	return end_got(&p->a, "hello, client\n") &&
	       end_got(&p->b, "hello, server\n");
}

static void
bytes_go_both_ways_and_the_end_is_told(void **state)
{
	struct tls_client c = { .policy = TLS_REQUIRED };
	struct pair p;

	(void)state;
	pair_open(&p, true);
	assert_null(stream_tls(p.a.stream));
	push_server(&p.b, w.server);
	push_client(&p.a, &c);
	assert_null(stream_tls(p.a.stream));
	/* what is said before the handshake is done waits for it */
	end_say(&p.a, "hello, server\n");
	end_say(&p.b, "hello, client\n");
	pair_run(&p, both_got_line);
	assert_non_null(stream_tls(p.b.stream));
	stream_close(&p.b.stream);
	pair_run(&p, a_over);
	assert_string_equal(p.a.error, "");
	pair_close(&p);
}

static void
a_line_that_gives_one_byte_at_a_time(void **state)
{
	struct tls_client c = {
		.policy = TLS_VERIFY, .server_name = "mx.example.org",
		.trust = w.trust,
	};
	struct pair p;

	(void)state;
	pair_open(&p, true);
	stream_push(p.a.stream, drip_new());
	stream_push(p.b.stream, drip_new());
	push_server(&p.b, w.server);
	push_client(&p.a, &c);
	end_say(&p.a, "hello, server\n");
	end_say(&p.b, "hello, client\n");
	pair_run(&p, both_got_line);
	stream_close(&p.a.stream);
	p.a.ended = true;
	pair_run(&p, both_over);
	assert_string_equal(p.b.error, "");
	pair_close(&p);
}

/* --- much of it ------------------------------------------------------ */

enum { MUCH = 6 << 20, PIECE = 100 * 1000 };

/* What stands at this place of the stream. */
static char
letter(size_t at)
{
	return (char)('a' + at * 7 % 26 + at / 4096 % 3);
}

static void
fill_more(struct end *e)
{
	static char piece[PIECE];
	size_t n = MIN((size_t)PIECE, MUCH - e->sent);

	for (size_t i = 0; i < n; i++)
		piece[i] = letter(e->sent + i);
	e->sent += n;
	buf_add(stream_out(e->stream), (struct span){ piece, n });
	stream_send(e->stream);
}

static bool
all_arrived(struct pair *p)
{
	return p->a.got.len == MUCH && p->b.got.len == MUCH;
}

static void
check_letters(const struct buf *b)
{
	struct span s = buf_span(b);

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != letter(i))
			fail_msg("byte %zu is another", i);
}

static void
much_of_it_through_a_small_door(void **state)
{
	struct tls_client c = { .policy = TLS_REQUIRED };
	int small = 4096;
	struct pair p;

	(void)state;
	pair_open(&p, false);
	/* the bare end becomes b's, with small buffers on both */
	setsockopt(p.bare, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	setsockopt(p.bare, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	end_adopt(&p);
	push_server(&p.b, w.server);
	push_client(&p.a, &c);
	p.fill = fill_more;
	fill_more(&p.a);
	fill_more(&p.b);
	pair_run(&p, all_arrived);
	check_letters(&p.a.got);
	check_letters(&p.b.got);
	pair_close(&p);
}

static bool
b_got_much(struct pair *p)
{
	return p->b.got.len == MUCH;
}

static void
a_paused_end_gets_the_rest_when_it_goes_on(void **state)
{
	struct tls_client c = { .policy = TLS_REQUIRED };
	struct pair p;
	size_t before;

	(void)state;
	pair_open(&p, true);
	push_server(&p.b, w.server);
	push_client(&p.a, &c);
	pair_run(&p, both_ready);
	p.fill = NULL;
	stream_pause(p.b.stream);
	while (p.a.sent < MUCH)
		fill_more(&p.a);
	pair_run_for(&p, 20);
	before = p.b.got.len;
	pair_run_for(&p, 20);
	assert_int_equal(p.b.got.len, before);
	stream_resume(p.b.stream);
	pair_run(&p, b_got_much);
	check_letters(&p.b.got);
	pair_close(&p);
}

/* --- ends in the middle ---------------------------------------------- */

static void
a_peer_that_closes_or_speaks_no_tls(void **state)
{
	static const struct {
		bool server;		/* we are */
		const char *says;
		const char *words;
		enum tls_fault fault;
	} plain[] = {
		{ false, "", "the server closed the connection during the TLS "
		  "handshake", TLS_FAULT_LEFT },
		{ true, "", "the client closed the connection during the TLS "
		  "handshake", TLS_FAULT_LEFT },
		{ false, "220 mx.example.org ESMTP, at your service\r\n",
		  "the server does not speak TLS here", TLS_FAULT_CLEAR },
		{ false, "554 no\r\n", "the server does not speak TLS here",
		  TLS_FAULT_CLEAR },
		{ true, "EHLO printer\r\n", "the client does not speak TLS "
		  "here", TLS_FAULT_CLEAR },
		{ true, "\x16\x03\x01", "the client closed the connection "
		  "during the TLS handshake", TLS_FAULT_LEFT },
		{ false, "\x16\x03\x03\x00\x08\x02\x00\x00\x04xxxx",
		  "TLS with the server failed: ", TLS_FAULT_OTHER },
		/* an alert: handshake failure */
		{ false, "\x15\x03\x01\x00\x02\x02\x28", "the server refused "
		  "the TLS handshake (alert: handshake failure)",
		  TLS_FAULT_OTHER },
		{ false, "\x15\x03\x01\x00\x02\x02\x46", "the server speaks "
		  "neither TLS 1.2 nor TLS 1.3 (alert: protocol version)",
		  TLS_FAULT_NO_COMMON },
	};
	struct tls_client c = { .policy = TLS_REQUIRED };
	static const size_t lengths[] = { [6] = 13, [7] = 7, [8] = 7 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		size_t n = i < ARRAY_SIZE(lengths) && lengths[i]
			   ? lengths[i] : strlen(plain[i].says);
		struct pair p;

		pair_open(&p, false);
		if (plain[i].server)
			push_server(&p.a, w.server);
		else
			push_client(&p.a, &c);
		assert_int_equal(write(p.bare, plain[i].says, n), n);
		shutdown(p.bare, SHUT_WR);
		pair_run(&p, a_over);
		if (strstr(p.a.error, plain[i].words) == NULL)
			fail_msg("row %zu: `%s'", i, p.a.error);
		CHECK_ROW(i, stream_tls_fault(p.a.stream) == plain[i].fault);
		pair_close(&p);
	}
}

/* It says why, and is gone before we have said a word. */
static void
the_alert_of_a_peer_that_is_gone_is_read(void **state)
{
	struct tls_client c = { .policy = TLS_REQUIRED };
	struct pair p;

	(void)state;
	pair_open(&p, false);
	assert_int_equal(write(p.bare, "\x15\x03\x03\x00\x02\x02\x28", 7), 7);
	close(p.bare);
	p.bare = -1;
	push_client(&p.a, &c);
	pair_run(&p, a_over);
	assert_string_equal(p.a.error, "the server refused the TLS handshake "
			    "(alert: handshake failure)");
	pair_close(&p);

	/* one that says nothing */
	pair_open(&p, false);
	close(p.bare);
	p.bare = -1;
	push_client(&p.a, &c);
	pair_run(&p, a_over);
	assert_string_equal(p.a.error, "TLS handshake: connection closed by "
			    "peer");
	pair_close(&p);
}

/* The peer is gone without a good-bye, in the middle of a record. */
static int
play_cut(struct raw *r)
{
	shutdown(r->fd, SHUT_WR);
	return 0;
}

static void
a_connection_cut_after_the_handshake_has_ended(void **state)
{
	struct raw r = { .server = true, .cert = &w.certs[WHO_SERVER],
			 .play = play_cut };
	struct tls_client c = { .policy = TLS_REQUIRED };
	struct pair p;

	(void)state;
	pair_open(&p, false);
	raw_take(&r, &p);
	push_client(&p.a, &c);
	pair_run(&p, a_over);
	assert_true(p.a.ready);
	assert_string_equal(p.a.error, "");
	pair_close(&p);
	raw_join(&r);
}

/* --- old and new ----------------------------------------------------- */

static void
nothing_below_tls_1_2(void **state)
{
	static const struct {
		const char *priority;
		bool good;
	} versions[] = {
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.0:%COMPAT", false },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.1", false },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.2", true },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.2", true },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.3", true },
	};
	struct tls_client c = { .policy = TLS_OPPORTUNISTIC };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(versions); i++) {
		size_t v = i / 2;
		struct raw r = {
			.server = i % 2 == 0, .priority = versions[v].priority,
			.cert = i % 2 == 0 ? &w.certs[WHO_SERVER] : NULL,
			.play = play_cut,
		};
		struct pair p;

		pair_open(&p, false);
		raw_take(&r, &p);
		if (r.server)
			push_client(&p.a, &c);
		else
			push_server(&p.a, w.server);
		pair_run(&p, a_over);
		raw_join(&r);
		CHECK_ROW(i, p.a.ready == versions[v].good);
		CHECK_ROW(i, (r.code >= 0) == versions[v].good);
		if (!versions[v].good &&
		    strstr(p.a.error, "speaks neither TLS 1.2 nor TLS 1.3") ==
		    NULL)
			fail_msg("row %zu: `%s'", i, p.a.error);
		CHECK_ROW(i, versions[v].good || stream_tls_fault(p.a.stream) ==
			     TLS_FAULT_NO_COMMON);
		pair_close(&p);
	}
}

/* --- beginning anew: TLS 1.2 ----------------------------------------- */

/* A server asks for it; a client begins.  Then a line is answered, unless the
 * connection is over. */
static int
play_anew(struct raw *r)
{
	int code = r->server ? gnutls_rehandshake(r->session)
			     : gnutls_handshake(r->session);

	while (!gnutls_error_is_fatal(code)) {
		char line[100];

		code = (int)gnutls_record_recv(r->session, line, sizeof(line));
		if (code == 0)
			return 0;
		if (code > 0)
			return (int)gnutls_record_send(r->session, "ok\n", 3);
	}
	return code;
}

static bool
a_got_ok(struct pair *p)
{
	return end_got(&p->a, "ok\n");
}

static void
a_server_that_wants_to_begin_anew_is_not_heard(void **state)
{
	struct tls_client c = { .policy = TLS_REQUIRED };
	struct raw r = {
		.server = true, .play = play_anew,
		.priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2",
		.cert = &w.certs[WHO_SERVER],
	};
	struct pair p;

	(void)state;
	pair_open(&p, false);
	raw_take(&r, &p);
	push_client(&p.a, &c);
	pair_run(&p, a_ready);
	assert_string_equal(stream_tls(p.a.stream)->protocol, "TLS1.2");
	pair_run_for(&p, 30);
	end_say(&p.a, "a line\n");
	pair_run(&p, a_got_ok);
	pair_close(&p);
	raw_join(&r);
	assert_int_equal(r.code, 3);
}

static void
a_client_that_begins_anew_is_cut_off(void **state)
{
	struct raw r = {
		.play = play_anew, .priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2",
	};
	struct pair p;

	(void)state;
	pair_open(&p, false);
	raw_take(&r, &p);
	push_server(&p.a, w.server);
	pair_run(&p, a_over);
	assert_true(p.a.ready);
	assert_string_equal(p.a.error, "the client wants to renegotiate TLS, "
			    "which the gateway does not support");
	pair_close(&p);
	raw_join(&r);
	assert_true(r.code <= 0);
}

static int
open_world(void **state)
{
	(void)state;
	world_open(&w);
	return 0;
}

static int
close_world(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_believed),
		cmocka_unit_test(bytes_go_both_ways_and_the_end_is_told),
		cmocka_unit_test(a_line_that_gives_one_byte_at_a_time),
		cmocka_unit_test(much_of_it_through_a_small_door),
		cmocka_unit_test(a_paused_end_gets_the_rest_when_it_goes_on),
		cmocka_unit_test(a_peer_that_closes_or_speaks_no_tls),
		cmocka_unit_test(the_alert_of_a_peer_that_is_gone_is_read),
		cmocka_unit_test(a_connection_cut_after_the_handshake_has_ended),
		cmocka_unit_test(nothing_below_tls_1_2),
		cmocka_unit_test(a_server_that_wants_to_begin_anew_is_not_heard),
		cmocka_unit_test(a_client_that_begins_anew_is_cut_off),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
