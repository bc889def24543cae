/* test-http.c - asking a web server that does all that servers do */
#include "unit.h"

#include "http-stage.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"

#include <stdio.h>

/* --- URLs ------------------------------------------------------------- */

static void
urls_that_credentials_may_go_to(void **state)
{
	static const struct {
		const char *url, *says;		/* NULL: it is one */
	} rows[] = {
		{ "https://login.example.org/tenant/token", NULL },
		{ "https://login.example.org:8443/token?a=b", NULL },
		{ "https://[2001:db8::1]/token", NULL },
		{ "HTTPS://LOGIN.example.org", NULL },
		{ "http://127.0.0.1:11080/token", NULL },
		{ "http://127.9.8.7/token", NULL },
		{ "http://[::1]:80/token", NULL },
		{ "http://localhost/token", NULL },
		{ "http://LocalHost:1/token", NULL },
		{ "http://127.1/token", NULL },	/* inet_aton's way; curl's too */
		{ "http://login.example.org/token?secret=s", "without encryption" },
		{ "http://localhost.example.org/", "without encryption" },
		{ "http://127.0.0.1.example.org/", "without encryption" },
		{ "http://localhost%2eexample.org/", "without encryption" },
		{ "https://login.example.org%00.evil.test/", "malformed" },
		{ "https://login.example.org\\.evil.test/", "malformed" },
		{ "http://0.0.0.0/", "without encryption" },
		{ "http://128.0.0.1/", "without encryption" },
		{ "http://2130706433/", NULL },		/* 127.0.0.1 */
		{ "http://[fe80::1]/", "without encryption" },
		{ "https://a:secret@login.example.org/", "a user or a password" },
		{ "https://login.example.org@evil.test/", "a user or a password" },
		{ "http://127.0.0.1@evil.test/", "a user or a password" },
		{ "https://login.example.org/token#secret", "fragment" },
		{ "https://login.example.org./token", "must not end in a dot" },
		{ "https://b\xc3\xbc""cher.example/token", "not ASCII" },
		{ "https://login.example.org:0/", "port" },
		{ "https://login.example.org:65536/", "ort" },
		{ "https://login.example.org:x/", "ort" },
		{ "https://", "malformed" },
		{ "https://login example.org/", "malformed" },
		{ "https://login.example.org/a\nb", "malformed" },
		{ "https://*.example.org/", "malformed" },
		{ "login.example.org/token", "begin with https://" },
		{ "//login.example.org/token", "begin with https://" },
		{ "ftp://login.example.org/", "https://" },
		{ "file:///etc/passwd", "https://" },
		{ "gopher://127.0.0.1/", "https://" },
		{ "javascript:secret", "https://" },
		{ "", "begin with https://" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = { .text = "" };
		bool fine = http_url_check(rows[i].url, &err);

		CHECK_ROW(i, fine == (rows[i].says == NULL));
		CHECK_ROW(i, fine || strstr(err.text, rows[i].says));
		CHECK_ROW(i, strstr(err.text, "secret") == NULL);
		CHECK_ROW(i, strstr(err.hint, "secret") == NULL);
	}
}

/* --- answers ---------------------------------------------------------- */

static void
answers_come_whole(void **state)
{
	static const struct {
		const char *path;
		int status;
		const char *body, *type;
	} rows[] = {
		{ "/ok", 200, "hello", "text/plain; charset=utf-8" },
		{ "/ok?code=secret", 200, "hello", "text/plain; charset=utf-8" },
		{ "/status/201", 201, "said", "text/plain" },
		{ "/status/400", 400, "said", "text/plain" },
		{ "/status/401", 401, "said", "text/plain" },
		{ "/status/404", 404, "said", "text/plain" },
		{ "/status/429", 429, "said", "text/plain" },
		{ "/status/500", 500, "said", "text/plain" },
		{ "/status/503", 503, "said", "text/plain" },
		{ "/status/599", 599, "said", "text/plain" },
		{ "/chunked", 200, "abcdef", "" },
		{ "/redirect", 302, "there", "" },	/* not followed */
		{ "/early", 200, "hello", "" },
		{ "/once", 200, "hello", "" },
		{ "/field/Accept-Encoding", 200, "(none)", "" },
		{ "/field/Cookie", 200, "(none)", "" },
		{ "/field/Authorization", 200, "(none)", "" },
		{ "/field/User-Agent", 200, "postern/test", "" },
		{ "/line", 200, "GET /line HTTP/1.1", "" },
	};
	struct http_stage *s = *state;
	struct site *site = site_new(CERT_NONE);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct got *g = stage_get(s, stage_url(
			s, "http", "127.0.0.1", site, rows[i].path));

		CHECK_ROW(i, g->status == rows[i].status);
		CHECK_ROW(i, strcmp(g->body, rows[i].body) == 0);
		CHECK_ROW(i, strcmp(g->type, rows[i].type) == 0);
		CHECK_ROW(i, g->retry_after_ms == -1);
	}
	assert_int_equal(site_requests(site), ARRAY_SIZE(rows));
	assert_true(site_connections(site) <= 3);	/* used again */
	site_free(&site);
}

static void
methods_headers_and_bodies(void **state)
{
	static const char *const headers[] = {
		"Authorization: Bearer secret", "Accept: application/json",
	};
	struct http_stage *s = *state;
	struct site *site = site_new(CERT_NONE);
	struct http_request rq = { .headers = headers, .header_count = 2 };
	const struct got *g;
	char *body = mem_new(200000);

	for (size_t i = 0; i < 200000; i++)
		body[i] = (char)(i * 7 % 251);
	rq.url = stage_url(s, "http", "ok.test", site, "/field/authorization");
	assert_string_equal(stage_ask(s, &rq)->body, "Bearer secret");
	rq.url = stage_url(s, "http", "ok.test", site, "/field/accept");
	assert_string_equal(stage_ask(s, &rq)->body, "application/json");
	rq.url = stage_url(s, "http", "ok.test", site, "/field/host");
	g = stage_ask(s, &rq);
	assert_memory_equal(g->body, "ok.test:", 8);

	rq.body = (struct span){ body, 200000 };
	rq.answer_max = 200000;
	rq.url = stage_url(s, "http", "ok.test", site, "/echo");
	g = stage_ask(s, &rq);
	assert_int_equal(g->n, 200000);
	assert_memory_equal(g->body, body, 200000);
	rq.url = stage_url(s, "http", "ok.test", site, "/line");
	assert_string_equal(stage_ask(s, &rq)->body, "POST /line HTTP/1.1");
	rq.method = "PUT";
	assert_string_equal(stage_ask(s, &rq)->body, "PUT /line HTTP/1.1");
	rq.method = NULL;
	rq.body = (struct span){ "", 0 };
	assert_string_equal(stage_ask(s, &rq)->body, "POST /line HTTP/1.1");
	rq.body = SPAN_NONE;
	rq.method = "DELETE";
	assert_string_equal(stage_ask(s, &rq)->body, "DELETE /line HTTP/1.1");
	mem_free(body);
	site_free(&site);
}

static void
retry_after_both_ways(void **state)
{
	static const struct {
		const char *value;		/* _ is a space */
		int64_t ms;
	} rows[] = {
		{ "0", 0 }, { "1", 1000 }, { "120", 120000 },
		{ "99999999999999999999", -1 },
		{ "4294967296000", 365 * 86400 * INT64_C(1000) },
		{ "-1", -1 }, { "1.5", -1 }, { "soon", -1 }, { "", -1 },
		{ "Tue,_24_Nov_2026_12:01:30_GMT", 90000 },
		{ "Tuesday,_24-Nov-26_12:01:30_GMT", 90000 },
		{ "Tue_Nov_24_12:01:30_2026", 90000 },
		{ "Tue,_24_Nov_2026_11:59:30_GMT", 0 },		/* past */
		{ "Tue,_24_Nov_2099_12:00:00_GMT", 365 * 86400 * INT64_C(1000) },
	};
	struct http_stage *s = *state;
	struct site *site = site_new(CERT_NONE);
	char path[80];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct got *g;

		snprintf(path, sizeof(path), "/wait/%s", rows[i].value);
		clock_fake(1000, INT64_C(1795521600000)); /* 24 Nov 2026 12:00 */
		g = stage_get(s, stage_url(s, "http", "127.0.0.1", site, path));
		clock_fake(-1, 0);
		CHECK_ROW(i, g->status == 503);
		CHECK_ROW(i, g->retry_after_ms == rows[i].ms);
	}
	site_free(&site);
}

/* --- no answer -------------------------------------------------------- */

static void
failures_have_words(void **state)
{
	static const struct {
		const char *host, *path, *says, *remedy;
		int64_t timeout_ms;
		size_t answer_max;
	} rows[] = {
		{ "gone.test", "/ok?s=secret", "the name gone.test does not exist", "check the spelling", 0, 0 },
		{ "empty.test", "/ok?s=secret", "empty.test has no address", "", 0, 0 },
		{ "broken.test", "/ok?s=secret", "broken.test cannot be looked up: said the double", "", 0, 0 },
		{ "silent.test", "/ok?s=secret", "timed out while looking up silent.test", "", 50, 0 },
		{ "ok.test", "/never?s=secret", "timed out while waiting for the answer of ok.test", "", 100, 0 },
		{ "ok.test", "/slow?s=secret", "timed out while reading the answer of ok.test", "", 200, 0 },
		{ "ok.test", "/hangup?s=secret", "without an answer", "", 0, 0 },
		{ "ok.test", "/part?s=secret", "during its answer", "", 0, 0 },
		{ "ok.test", "/noise?s=secret", "does not speak HTTP", "", 0, 0 },
		{ "ok.test", "/large/65537", "larger than 65536 bytes", "", 0, 0 },
		{ "ok.test", "/large/101", "larger than 100 bytes", "", 0, 100 },
		{ "ok.test", "/endless?s=secret", "larger than 65536 bytes", "", 0, 0 },
		{ "ok.test", "/fields?s=secret", "header is larger", "", 0, 0 },
	};
	struct http_stage *s = *state;
	struct site *site = site_new(CERT_NONE);
	char shown[100];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_request rq = {
			.url = stage_url(s, "http", rows[i].host, site, rows[i].path),
			.timeout_ms = rows[i].timeout_ms
				? unit_slowly(rows[i].timeout_ms) : 0,
			.answer_max = rows[i].answer_max,
		};
		const struct got *g = stage_ask(s, &rq);

		snprintf(shown, sizeof(shown), "http://%s:%u%.*s: ", rows[i].host,
			 site_port(site), (int)strcspn(rows[i].path, "?"), rows[i].path);
		CHECK_ROW(i, g->status == 0);
		CHECK_ROW(i, g->n == 0 && g->type[0] == '\0');
		CHECK_ROW(i, strncmp(g->why, shown, strlen(shown)) == 0);
		CHECK_ROW(i, strstr(g->why, rows[i].says));
		CHECK_ROW(i, strstr(g->why, rows[i].remedy));
		CHECK_ROW(i, strstr(g->why, "secret") == NULL);
	}
	assert_int_equal(stage_get(s, stage_url(s, "http", "ok.test", site,
						"/large/65536"))->n, 65536);
	site_free(&site);
}

static void
bad_requests_are_not_sent(void **state)
{
	static const char *const smuggler[] = { "Accept: a\r\nHost: secret" };
	static const char *const nameless[] = { "secret" };
	struct http_stage *s = *state;
	const struct {
		struct http_request rq;
		const char *says;
	} rows[] = {
		{ { .url = "http://ok.test/", .headers = smuggler, .header_count = 1 }, "line break" },
		{ { .url = "http://ok.test/", .headers = nameless, .header_count = 1 }, "no name" },
		{ { .url = "http://ok.test/", .method = "GET /secret" }, "capitals" },
		{ { .url = "http://ok.test/", .method = "" }, "capitals" },
		{ { .url = "ftp://ok.test/secret" }, "https://" },
		{ { .url = "http://a:secret@ok.test/" }, "a password" },
		{ { .url = "http://ok.test/", .proxy = "https://ok.test:3128" }, "http://HOST:PORT" },
		{ { .url = "http://ok.test/", .proxy = "socks5://ok.test:1" }, "http://HOST:PORT" },
		{ { .url = "http://ok.test/", .proxy = "http://ok.test" }, "http://HOST:PORT" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct got *g = stage_ask(s, &rows[i].rq);

		CHECK_ROW(i, g->status == 0 && strstr(g->why, rows[i].says));
		CHECK_ROW(i, strstr(g->why, "secret") == NULL);
	}
	assert_string_equal(dns_double_last(s->dns), "");
}

static void
every_address_is_tried(void **state)
{
	struct http_stage *s = *state;
	struct site *site = site_new(CERT_NONE);
	char url[80];

	assert_int_equal(stage_get(s, stage_url(s, "http", "two.test", site,
						"/ok"))->status, 200);
	assert_int_equal(stage_get(s, stage_url(s, "http", "six.test", site,
						"/ok"))->status, 200);
	assert_int_equal(stage_get(s, stage_url(s, "http", "now.test", site,
						"/ok"))->status, 200);
	snprintf(url, sizeof(url), "http://two.test:%u/", nobody_port());
	stage_get(s, url);
	assert_non_null(strstr(s->got.why, "two.test: connection refused"));
	assert_non_null(strstr(s->got.why, "check that a server listens there"));
	site_free(&site);
}

static void
connecting_has_its_time(void **state)
{
	struct http_stage *s = *state;
	struct full_port full;
	struct http_request rq = { .url = s->url,
				   .timeout_ms = unit_slowly(200) };

	full_port_open(&full);
	snprintf(s->url, sizeof(s->url), "http://ok.test:%u/", full.port);
	stage_ask(s, &rq);
	assert_non_null(strstr(s->got.why,
			       "timed out while connecting to ok.test"));
	assert_non_null(strstr(s->got.why, "firewall"));
	full_port_close(&full);
}

/* What a user has set for his shell is not the gateway's. */
static void
the_environment_has_no_say(void **state)
{
	struct http_stage *s = *state;
	struct site *site = site_new(CERT_NONE);
	char proxy[64];

	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", nobody_port());
	setenv("http_proxy", proxy, 1);
	setenv("all_proxy", proxy, 1);
	assert_int_equal(stage_get(s, stage_url(s, "http", "ok.test", site,
						"/ok"))->status, 200);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	site_free(&site);
}

int
main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_that_credentials_may_go_to),
		TEST(answers_come_whole),
		TEST(methods_headers_and_bodies),
		TEST(retry_after_both_ways),
		TEST(failures_have_words),
		TEST(bad_requests_are_not_sent),
		TEST(every_address_is_tried),
		TEST(connecting_has_its_time),
		TEST(the_environment_has_no_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
