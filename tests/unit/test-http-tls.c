/* test-http-tls.c - certificates that are right or not, and proxies */
#include "unit.h"

#include "http-stage.h"

#include "base/macros.h"

#include <stdio.h>

static void
certificates_are_judged(void **state)
{
	static const struct {
		enum certificate kind;
		const char *host, *says, *remedy;
	} rows[] = {
		{ CERT_GOOD, "ok.test", NULL, NULL },
		{ CERT_GOOD, "www.ok.test", NULL, NULL },
		{ CERT_GOOD, "127.0.0.1", NULL, NULL },
		{ CERT_GOOD, "OK.test", NULL, NULL },
		{ CERT_GOOD, "other.test", "it is for ok.test, www.ok.test", "use a name" },
		{ CERT_STRANGER, "ok.test", "CN=Strange Authority", "trust_file" },
		{ CERT_SELF, "ok.test", "self-signed", "trust_file" },
		{ CERT_EXPIRED, "ok.test", "it expired at 20", "clock" },
		{ CERT_FUTURE, "ok.test", "it is not valid before 20", "clock" },
		{ CERT_CLIENT, "ok.test", "not meant for servers", "" },
		{ CERT_STAPLE, "ok.test", "the server sent none", "" },
		{ CERT_OLD_TLS, "ok.test", "TLS with ok.test failed", "TLS 1.2" },
		{ CERT_NONE, "ok.test", "TLS with ok.test failed", "TLS 1.2" },
	};
	struct http_stage *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct site *site = site_new(rows[i].kind);
		const struct got *g = stage_get(s, stage_url(
			s, "https", rows[i].host, site, "/ok?s=secret"));

		if (rows[i].says == NULL) {
			CHECK_ROW(i, g->status == 200);
		} else {
			CHECK_ROW(i, g->status == 0);
			CHECK_ROW(i, strstr(g->why, rows[i].says));
			CHECK_ROW(i, strstr(g->why, rows[i].host));
			CHECK_ROW(i, strstr(g->why, rows[i].remedy));
			CHECK_ROW(i, site_requests(site) == 0);
			CHECK_ROW(i, strstr(g->why, "secret") == NULL);
		}
		site_free(&site);
	}
}

/* The authorities are a request's own; a connection that served one is not
 * good enough for another with others. */
static void
each_request_is_verified(void **state)
{
	struct http_stage *s = *state;
	struct site *good = site_new(CERT_GOOD);
	struct http_request rq = {
		.url = stage_url(s, "https", "ok.test", good, "/ok"),
		.trust_file = "/etc/ssl/certs/ca-certificates.crt",
	};

	if (access(rq.trust_file, R_OK) != 0)
		skip();
	assert_int_equal(stage_get(s, s->url)->status, 200);
	assert_non_null(strstr(stage_ask(s, &rq)->why, "Test Authority"));
	assert_int_equal(site_requests(good), 1);
	rq.trust_file = "absent";
	assert_non_null(strstr(stage_ask(s, &rq)->why,
			       "no certificate authorities to verify the server "
			       "with: absent"));
	rq.trust_file = "silent";
	rq.timeout_ms = 30;
	assert_non_null(strstr(stage_ask(s, &rq)->why,
			       "timed out while reading the authorities"));
	/* the settings' */
	http_configure(s->http, &(struct http_settings){
		.trust_file = "absent", .user_agent = "other/1" });
	assert_non_null(strstr(stage_get(s, s->url)->why, "absent"));
	http_configure(s->http, &(struct http_settings){
		.user_agent = "other/1" });
	assert_string_equal(stage_get(s, stage_url(s, "https", "ok.test", good,
						   "/field/user-agent"))->body,
			    "other/1");
	assert_int_equal(site_connections(good), 2);
	site_free(&good);
}

static void
bodies_survive_tls(void **state)
{
	struct http_stage *s = *state;
	struct site *site = site_new(CERT_GOOD);
	struct http_request rq = {
		.url = stage_url(s, "https", "ok.test", site, "/echo"),
		.answer_max = 100000,
	};
	char body[100000];

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)(i % 253);
	rq.body = (struct span){ body, sizeof(body) };
	for (int i = 0; i < 3; i++) {
		assert_int_equal(stage_ask(s, &rq)->n, sizeof(body));
		assert_memory_equal(s->got.body, body, sizeof(body));
	}
	assert_int_equal(site_connections(site), 1);
	site_free(&site);
}

static void
a_handshake_has_its_time(void **state)
{
	struct http_stage *s = *state;
	struct site *site = site_new(CERT_MUTE);
	struct http_request rq = {
		.url = stage_url(s, "https", "ok.test", site, "/ok"),
		.timeout_ms = unit_slowly(100),
	};

	assert_non_null(strstr(stage_ask(s, &rq)->why,
			       "timed out while beginning TLS with ok.test"));
	site_free(&site);
}

/* --- proxies ---------------------------------------------------------- */

/* Only the proxy's name is looked up; the server's is its business. */
static void
a_proxy_is_used(void **state)
{
	struct http_stage *s = *state;
	struct site *site = site_new(CERT_GOOD);
	struct site *proxy = site_new_proxy(200, "Basic dXNlcjpwOkA=");
	struct http_request rq = {
		.url = stage_url(s, "https", "proxied.test", site, "/ok"),
	};
	char with[100];

	snprintf(with, sizeof(with), "http://user:p%%3A%%40@ok.test:%u",
		 site_port(proxy));
	rq.proxy = with;
	rq.author = DNS_BY_ADMINISTRATOR;
	setenv("no_proxy", "*", 1);
	assert_int_equal(stage_ask(s, &rq)->status, 200);
	unsetenv("no_proxy");
	assert_string_equal(s->got.body, "hello");
	assert_string_equal(dns_double_last(s->dns), "ok.test");
	assert_int_equal(dns_double_last_author(s->dns), DNS_BY_ADMINISTRATOR);
	assert_int_equal(site_connections(proxy), 1);
	assert_int_equal(site_connections(site), 1);
	/* and is not asked when it is not named */
	rq.url = stage_url(s, "https", "ok.test", site, "/ok");
	rq.proxy = NULL;
	assert_int_equal(stage_ask(s, &rq)->status, 200);
	assert_int_equal(site_connections(proxy), 1);
	site_free(&proxy);
	site_free(&site);
}

static void
proxies_that_do_not_help(void **state)
{
	static const struct {
		int status;
		const char *host, *says, *remedy;
	} rows[] = {
		{ 403, "ok.test", "the proxy ok.test refused with 403", "connect to proxied.test, port 1" },
		{ 502, "ok.test", "the proxy ok.test refused with 502", "port 1" },
		{ 200, "ok.test", "the proxy ok.test refused with 407", "http://USER:PASSWORD@ok.test:" },
		{ 200, "gone.test", "the proxy's name gone.test does not exist", "" },
		{ 0, "ok.test", "the proxy ok.test: connection refused", "listens there on port" },
	};
	struct http_stage *s = *state;
	char with[100];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct site *proxy = site_new_proxy(rows[i].status, "Basic x");
		struct http_request rq = {
			.url = "https://proxied.test:1/ok?s=secret",
			.proxy = with,
		};
		const struct got *g;

		snprintf(with, sizeof(with), "http://u:secret@%s:%u", rows[i].host,
			 rows[i].status ? site_port(proxy) : nobody_port());
		g = stage_ask(s, &rq);
		CHECK_ROW(i, g->status == 0);
		CHECK_ROW(i, strstr(g->why, rows[i].says));
		CHECK_ROW(i, strstr(g->why, rows[i].remedy));
		CHECK_ROW(i, strstr(g->why, "secret") == NULL);
		site_free(&proxy);
	}
}

static void
a_proxy_that_says_nothing(void **state)
{
	struct http_stage *s = *state;
	struct site *mute = site_new(CERT_MUTE);
	char with[100];
	struct http_request rq = {
		.url = "https://proxied.test/ok", .proxy = with,
		.timeout_ms = unit_slowly(100),
	};

	snprintf(with, sizeof(with), "http://ok.test:%u", site_port(mute));
	assert_non_null(strstr(stage_ask(s, &rq)->why,
			       "timed out while waiting for the proxy ok.test"));
	site_free(&mute);
}

int
main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		TEST(certificates_are_judged),
		TEST(each_request_is_verified),
		TEST(bodies_survive_tls),
		TEST(a_handshake_has_its_time),
		TEST(a_proxy_is_used),
		TEST(proxies_that_do_not_help),
		TEST(a_proxy_that_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
