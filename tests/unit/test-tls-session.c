/* test-tls-session.c - TLS: certificates of clients, and sessions taken up */
#include "tls-world.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/layer.h"

static struct tls_world w;

/* --- certificates of clients ----------------------------------------- */

static const struct {
	const char *priority;
	gnutls_certificate_request_t demand;
	enum who authority;
	bool trusting;
	bool ours;			/* there is one to show */
	enum tls_asked asked;
	unsigned chain;			/* that arrives */
	const char *words;		/* NULL: it is well */
} rows[] = {
	{ "NORMAL", GNUTLS_CERT_IGNORE, WHO_CA, false, true,
	  TLS_NOT_ASKED, 0, NULL },
	{ "NORMAL", GNUTLS_CERT_REQUEST, WHO_CA, true, false,
	  TLS_ASKED_NOT_SENT, 0, NULL },
	/* what is asked for is an issuer's; ours has one in between */
	{ "NORMAL", GNUTLS_CERT_REQUIRE, WHO_CA, false, true, TLS_SENT, 2,
	  NULL },
	{ "NORMAL:-VERS-TLS1.3", GNUTLS_CERT_REQUIRE, WHO_CA, false, true,
	  TLS_SENT, 2, NULL },
	/* the list names another: shown all the same */
	{ "NORMAL", GNUTLS_CERT_REQUIRE, WHO_OTHER_CA, true, true, TLS_SENT, 2,
	  NULL },
	{ "NORMAL:-VERS-TLS1.3", GNUTLS_CERT_REQUIRE, WHO_OTHER_CA, true, true,
	  TLS_SENT, 2, NULL },
	{ "NORMAL", GNUTLS_CERT_REQUIRE, WHO_OTHER_CA, false, true, TLS_SENT,
	  0, "the server refused the gateway's certificate (alert: " },
	{ "NORMAL:-VERS-TLS1.3", GNUTLS_CERT_REQUIRE, WHO_OTHER_CA, false,
	  true, TLS_SENT, 0, "the server refused the gateway's certificate (alert: " },
	{ "NORMAL", GNUTLS_CERT_REQUIRE, WHO_CA, false, false,
	  TLS_ASKED_NOT_SENT, 0, "the server requires a client certificate, and "
	  "none is configured (alert: certificate required)" },
	{ "NORMAL:-VERS-TLS1.3", GNUTLS_CERT_REQUIRE, WHO_CA, false, false,
	  TLS_ASKED_NOT_SENT, 0, "the server refused the TLS handshake; it "
	  "asked for a client certificate, and none is configured (alert: "
	},
};

static bool
a_got_ok_or_over(struct pair *p)
{
	return end_got(&p->a, "ok\n") || a_over(p);
}

static void
servers_that_want_to_know_who_we_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct raw r = {
			.server = true, .priority = rows[i].priority,
			.cert = &w.certs[WHO_SERVER], .demand = rows[i].demand,
			.authority = &w.certs[rows[i].authority],
			.trusting = rows[i].trusting,
		};
		struct tls_client c = {
			.policy = TLS_VERIFY, .server_name = "mx.example.org",
			.trust = w.trust,
			.identity = rows[i].ours ? w.client : NULL,
		};
		const struct tls_facts *f;
		struct pair p;

		pair_open(&p, false);
		raw_take(&r, &p);
		stream_push(p.a.stream, tls_client_layer(&c));
		end_say(&p.a, "hello\n");
		pair_run(&p, a_got_ok_or_over);
		f = stream_tls(p.a.stream);
		CHECK_ROW(i, f == NULL || f->asked == rows[i].asked);
		CHECK_ROW(i, f != NULL || rows[i].words != NULL);
		if (rows[i].words == NULL
		    ? p.a.error[0] != '\0'
		    : strstr(p.a.error, rows[i].words) == NULL)
			fail_msg("row %zu: `%s'", i, p.a.error);
		pair_close(&p);
		raw_join(&r);
		CHECK_ROW(i, r.chain == rows[i].chain);
	}
}

static void
the_name_is_sent_and_an_address_is_not(void **state)
{
	static const struct {
		const char *name, *sni;
	} names[] = {
		{ "mx.example.org", "mx.example.org" },
		{ "mx2.example.org.", "mx2.example.org" },
		{ "127.0.0.1", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct raw r = { .server = true, .cert = &w.certs[WHO_SERVER] };
		struct tls_client c = {
			.policy = TLS_VERIFY, .server_name = names[i].name,
			.trust = w.trust,
		};
		struct pair p;

		pair_open(&p, false);
		raw_take(&r, &p);
		stream_push(p.a.stream, tls_client_layer(&c));
		end_say(&p.a, "hello\n");
		pair_run(&p, a_got_ok_or_over);
		pair_close(&p);
		raw_join(&r);
		assert_string_equal(r.sni, names[i].sni);
	}
}

/* --- sessions -------------------------------------------------------- */

static bool
a_got_hi_or_over(struct pair *p)
{
	return end_got(&p->a, "hi\n") || a_over(p);
}

enum meeting { FAILED, WHOLE, RESUMED };

/* One connection between this client and our own server. */
static enum meeting
meet(const struct tls_client *c, struct tls_identity *server)
{
	const struct tls_facts *f;
	enum meeting m = FAILED;
	struct pair p;

	pair_open(&p, true);
	stream_push(p.b.stream, tls_server_layer(server));
	stream_push(p.a.stream, tls_client_layer(c));
	end_say(&p.b, "hi\n");
	pair_run(&p, a_got_hi_or_over);
	f = stream_tls(p.a.stream);
	if (f != NULL && end_got(&p.a, "hi\n")) {
		m = f->resumed ? RESUMED : WHOLE;
		assert_true(f->verified == (c->policy == TLS_VERIFY));
		assert_true(stream_tls(p.b.stream)->resumed == f->resumed);
	}
	pair_close(&p);
	return m;
}

static struct tls_client
verifying(struct tls_sessions *sessions)
{
	return (struct tls_client){
		.policy = TLS_VERIFY, .server_name = "mx.example.org",
		.trust = w.trust, .sessions = sessions,
		.peer = "mx.example.org:25",
	};
}

static void
a_session_is_taken_up_again(void **state)
{
	struct tls_sessions *s = tls_sessions_new(10);
	struct tls_client c = verifying(s);

	(void)state;
	assert_int_equal(meet(&c, w.server), WHOLE);
	for (int i = 0; i < 3; i++)
		assert_int_equal(meet(&c, w.server), RESUMED);
	c.sessions = NULL;
	assert_int_equal(meet(&c, w.server), WHOLE);
	tls_sessions_free(&s);
}

static void
what_decided_about_a_session_is_its_key(void **state)
{
	struct tls_sessions *s = tls_sessions_new(20);
	struct tls_identity *again = world_identity(&w, WHO_CLIENT);
	struct tls_client c[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		c[i] = verifying(s);
	c[1].policy = TLS_REQUIRED;
	c[2].policy = TLS_OPPORTUNISTIC;
	c[3].server_name = "mx2.example.org";
	c[4].identity = w.client;
	c[5].identity = again;
	c[6].peer = "mx.example.org:587";
	c[7].policy = TLS_REQUIRED;
	c[7].server_name = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		CHECK_ROW(i, meet(&c[i], w.server) == WHOLE);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		CHECK_ROW(i, meet(&c[i], w.server) == RESUMED);
	/* the same server for other authorities is none */
	c[0].trust = w.other_trust;
	assert_int_equal(meet(&c[0], w.server), FAILED);
	tls_identity_unref(&again);
	tls_sessions_free(&s);
}

static void
what_was_not_verified_does_not_serve_where_that_is_wanted(void **state)
{
	struct tls_sessions *s = tls_sessions_new(10);
	struct tls_identity *stranger = world_identity(&w, WHO_STRANGER);
	struct tls_client c = verifying(s), lax = c;

	(void)state;
	lax.policy = TLS_REQUIRED;
	assert_int_equal(meet(&lax, stranger), WHOLE);
	assert_int_equal(meet(&lax, stranger), RESUMED);
	assert_int_equal(meet(&c, stranger), FAILED);
	tls_identity_unref(&stranger);
	tls_sessions_free(&s);
}

static void
the_oldest_session_makes_room(void **state)
{
	static const char *const peers[] = { "a:25", "b:25", "c:25" };
	struct tls_sessions *s = tls_sessions_new(2);
	struct tls_client c = verifying(s);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		c.peer = peers[i];
		assert_int_equal(meet(&c, w.server), WHOLE);
	}
	c.peer = "b:25";
	assert_int_equal(meet(&c, w.server), RESUMED);
	c.peer = "a:25";		/* was pushed out; pushes c out */
	assert_int_equal(meet(&c, w.server), WHOLE);
	c.peer = "b:25";
	assert_int_equal(meet(&c, w.server), RESUMED);
	c.peer = "c:25";
	assert_int_equal(meet(&c, w.server), WHOLE);
	tls_sessions_free(&s);
}

static void
a_proof_is_believed_for_an_hour(void **state)
{
	enum { MINUTE = 60 * 1000 };
	struct tls_sessions *s = tls_sessions_new(10);
	struct tls_client c = verifying(s);
	int64_t now_ms = clock_now_ms(), wall_ms = clock_wall_ms();

	(void)state;
	clock_fake(now_ms, wall_ms);
	assert_int_equal(meet(&c, w.server), WHOLE);
	clock_fake(now_ms + 40 * MINUTE, wall_ms);
	assert_int_equal(meet(&c, w.server), RESUMED);
	/* taking it up was no new proof */
	clock_fake(now_ms + 70 * MINUTE, wall_ms);
	assert_int_equal(meet(&c, w.server), WHOLE);
	clock_fake(now_ms + 90 * MINUTE, wall_ms);
	assert_int_equal(meet(&c, w.server), RESUMED);
	clock_fake(-1, -1);
	tls_sessions_free(&s);
}

/* A server of its own, with this key for its tickets. */
static enum meeting
meet_raw(const struct tls_client *c, const gnutls_datum_t *key,
	 const char *priority, enum tls_asked asked)
{
	struct raw r = {
		.server = true, .cert = &w.certs[WHO_SERVER],
		.authority = &w.certs[WHO_CA], .demand = GNUTLS_CERT_REQUEST,
		.trusting = true, .priority = priority, .ticket_key = key,
	};
	const struct tls_facts *f;
	enum meeting m;
	struct pair p;

	pair_open(&p, false);
	raw_take(&r, &p);
	stream_push(p.a.stream, tls_client_layer(c));
	end_say(&p.a, "hello\n");
	pair_run(&p, a_got_ok_or_over);
	assert_string_equal(p.a.error, "");
	f = stream_tls(p.a.stream);
	assert_non_null(f);
	m = f->resumed ? RESUMED : WHOLE;
	assert_int_equal(f->asked, asked);
	pair_close(&p);
	raw_join(&r);
	return m;
}

static void
that_we_were_asked_is_remembered(void **state)
{
	static const char *const versions[] = {
		"NORMAL:-VERS-ALL:+VERS-TLS1.3", "NORMAL:-VERS-ALL:+VERS-TLS1.2",
	};
	gnutls_datum_t key;

	(void)state;
	assert_true(gnutls_session_ticket_key_generate(&key) >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct tls_sessions *s = tls_sessions_new(10);
		struct tls_client c = verifying(s), shy = c;

		c.identity = w.client;
		CHECK_ROW(i, meet_raw(&c, &key, versions[i], TLS_SENT) ==
			     WHOLE);
		CHECK_ROW(i, meet_raw(&c, &key, versions[i], TLS_SENT) ==
			     RESUMED);
		CHECK_ROW(i, meet_raw(&shy, &key, versions[i],
				      TLS_ASKED_NOT_SENT) == WHOLE);
		CHECK_ROW(i, meet_raw(&shy, &key, versions[i],
				      TLS_ASKED_NOT_SENT) == RESUMED);
		tls_sessions_free(&s);
	}
	gnutls_free(key.data);
}

static void
a_session_that_is_not_known_there_is_a_whole_handshake(void **state)
{
	struct tls_sessions *s = tls_sessions_new(10);
	struct tls_client c = verifying(s);
	gnutls_datum_t keys[2];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_true(gnutls_session_ticket_key_generate(&keys[i]) >= 0);
		CHECK_ROW(i, meet_raw(&c, &keys[i], NULL, TLS_ASKED_NOT_SENT) ==
			     WHOLE);
	}
	/* nor does a server without any make trouble */
	assert_int_equal(meet_raw(&c, NULL, NULL, TLS_ASKED_NOT_SENT), WHOLE);
	for (size_t i = 0; i < 2; i++)
		gnutls_free(keys[i].data);
	tls_sessions_free(&s);
}

static void
after_a_failure_nothing_is_taken_up(void **state)
{
	struct tls_sessions *s = tls_sessions_new(10);
	struct tls_client c = verifying(s);
	struct pair p;

	(void)state;
	assert_int_equal(meet(&c, w.server), WHOLE);
	pair_open(&p, false);
	stream_push(p.a.stream, tls_client_layer(&c));
	assert_int_equal(write(p.bare, "500 no\r\n", 8), 8);
	pair_run(&p, a_over);
	pair_close(&p);
	assert_int_equal(meet(&c, w.server), WHOLE);
	tls_sessions_free(&s);
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
		cmocka_unit_test(servers_that_want_to_know_who_we_are),
		cmocka_unit_test(the_name_is_sent_and_an_address_is_not),
		cmocka_unit_test(a_session_is_taken_up_again),
		cmocka_unit_test(what_decided_about_a_session_is_its_key),
		cmocka_unit_test(what_was_not_verified_does_not_serve_where_that_is_wanted),
		cmocka_unit_test(the_oldest_session_makes_room),
		cmocka_unit_test(a_proof_is_believed_for_an_hour),
		cmocka_unit_test(that_we_were_asked_is_remembered),
		cmocka_unit_test(a_session_that_is_not_known_there_is_a_whole_handshake),
		cmocka_unit_test(after_a_failure_nothing_is_taken_up),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
