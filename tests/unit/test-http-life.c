/* test-http-life.c - many at once, cancelling at any moment, and endings */
#include "unit.h"

#include "http-stage.h"

#include "base/macros.h"
#include "io/http_multi.h"

#include <stdio.h>

/* --- many ------------------------------------------------------------- */

static void
more_than_a_hundred_wait_in_line(void **state)
{
	struct http_stage *s = *state;
	struct site *site = site_new(CERT_NONE);
	struct http_request rq = {
		.url = stage_url(s, "http", "ok.test", site, "/never"),
	}, ok = rq;
	uint64_t tickets[HTTP_UNDER_WAY + 2], first;
	char url[256];

	memcpy(url, s->url, sizeof(url));
	rq.url = url;
	for (size_t i = 0; i < HTTP_UNDER_WAY; i++)
		tickets[i] = http_send(s->http, &rq, on_got, s);
	ok.url = stage_url(s, "http", "ok.test", site, "/ok");
	first = http_send(s->http, &ok, on_got, s);
	http_send(s->http, &ok, on_got, s);
	rq.timeout_ms = unit_slowly(50);
	http_send(s->http, &rq, on_got, s);
	/* one gives up in line, the others come no further */
	s->wanted = 1;
	stage_run(s);
	assert_non_null(strstr(s->got.why, "timed out while waiting behind "
			       "other requests for ok.test"));
	stage_pass(s, 50);
	assert_int_equal(s->got.times, 1);
	/* one goes, one comes; who is cancelled in line does not */
	http_cancel(s->http, first);
	http_cancel(s->http, tickets[7]);
	s->wanted = 2;
	stage_run(s);
	assert_int_equal(s->got.status, 200);
	assert_int_equal(s->got.times, 2);
	for (size_t i = 0; i < HTTP_UNDER_WAY; i++)
		http_cancel(s->http, tickets[i]);
	stage_pass(s, 20);
	assert_int_equal(s->got.times, 2);
	assert_int_equal(site_connections(site), HTTP_UNDER_WAY + 1);
	site_free(&site);
}

static struct site *shared;		/* for conditions of stage_until() */

static bool
idle_are_few(struct http_stage *s)
{
	(void)s;
	return site_open(shared) <= 8;
}

static bool
none_is_open(struct http_stage *s)
{
	(void)s;
	return site_open(shared) == 0;
}

static bool
one_is_asked(struct http_stage *s)
{
	(void)s;
	return site_requests(shared) >= 1;
}

static void
idle_connections_are_few(void **state)
{
	struct http_stage *s = *state;
	struct http_request rq = { .timeout_ms = 0 };

	shared = site_new(CERT_NONE);
	rq.url = stage_url(s, "http", "ok.test", shared, "/ok");
	s->wanted = 150;
	for (size_t i = 0; i < 150; i++)
		http_send(s->http, &rq, on_got, s);
	stage_run(s);
	assert_int_equal(s->got.times, 150);
	assert_int_equal(s->got.status, 200);
	stage_until(s, idle_are_few);
	assert_true(site_open(shared) >= 1);
	http_free(&s->http);
	stage_until(s, none_is_open);
	site_free(&shared);
}

static struct http_multi *multi;
static unsigned ended;

static void
on_ended(CURL *easy, CURLcode code)
{
	assert_int_equal(code, CURLE_OK);
	http_multi_remove(multi, easy);
	curl_easy_cleanup(easy);
	ended++;
}

static void
on_listens(CURL *easy)
{
	(void)easy;
}

static size_t
on_bytes(char *p, size_t size, size_t n, void *arg)
{
	(void)p, (void)arg;
	return size * n;
}

static bool
is_ended(struct http_stage *s)
{
	(void)s;
	return ended > 0;
}

/* What is kept goes after a while; and all can begin anew. */
static void
idle_connections_go(void **state)
{
	static const struct http_multi_events events = { on_ended, on_listens };
	struct http_stage *s = *state;

	shared = site_new(CERT_NONE);
	multi = http_multi_new(s->loop, &events, 100);
	for (unsigned i = 1; i <= 2; i++) {
		CURL *easy = curl_easy_init();

		ended = 0;
		curl_easy_setopt(easy, CURLOPT_URL, stage_url(
			s, "http", "127.0.0.1", shared, "/ok"));
		curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
		http_multi_add(multi, easy);
		stage_until(s, is_ended);
		stage_until(s, none_is_open);
		assert_int_equal(site_connections(shared), i);
	}
	http_multi_free(&multi);
	site_free(&shared);
}

/* --- cancelling ------------------------------------------------------- */

static const struct cancelled {
	const char *scheme, *host, *path, *trust;
	enum certificate kind;
	int after_ms;
} stages[] = {
	{ "http", "ok.test", "/ok", NULL, CERT_NONE, -1 },	/* at once */
	{ "http", "now.test", "/ok", NULL, CERT_NONE, -1 },
	{ "http", "silent.test", "/ok", NULL, CERT_NONE, 10 },
	{ "https", "ok.test", "/ok", "silent", CERT_GOOD, 10 },
	{ "https", "ok.test", "/ok", NULL, CERT_MUTE, 30 },	/* in TLS */
	{ "http", "ok.test", "/never", NULL, CERT_NONE, 30 },
	{ "http", "ok.test", "/slow", NULL, CERT_NONE, 60 },
	{ "https", "ok.test", "/slow", NULL, CERT_GOOD, 60 },
	{ "http", "ok.test", "/ok", NULL, CERT_NONE, 0 },	/* whenever */
};

static void
cancelled_at_each_stage(void **state)
{
	struct http_stage *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
		const struct cancelled *c = &stages[i];
		struct site *site = site_new(c->kind);
		struct http_request rq = {
			.url = stage_url(s, c->scheme, c->host, site, c->path),
			.trust_file = c->trust,
		};
		uint64_t ticket = http_send(s->http, &rq, on_got, s);

		if (c->after_ms >= 0)
			stage_pass(s, c->after_ms);
		s->got.times = 0;
		http_cancel(s->http, ticket);
		http_cancel(s->http, ticket);	/* nothing any more */
		CHECK_ROW(i, dns_double_waits(s->dns) == 0);
		CHECK_ROW(i, store_double_waits(s->store) == 0);
		stage_pass(s, 20);
		CHECK_ROW(i, s->got.times == 0);
		site_free(&site);
	}
}

/* The same, but all goes at once. */
static void
freed_at_each_stage(void **state)
{
	struct http_stage *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
		const struct cancelled *c = &stages[i];
		struct site *site = site_new(c->kind);
		struct http_request rq = {
			.url = stage_url(s, c->scheme, c->host, site, c->path),
			.trust_file = c->trust,
		};

		http_send(s->http, &rq, on_got, s);
		http_send(s->http, &rq, on_got, s);
		if (c->after_ms >= 0)
			stage_pass(s, c->after_ms);
		s->got.times = 0;
		http_free(&s->http);
		stage_pass(s, 20);
		CHECK_ROW(i, s->got.times == 0);
		s->http = http_new(s->loop, s->dns, s->store,
				   &(struct http_settings){ NULL, NULL });
		site_free(&site);
	}
}

/* --- from within a callback ------------------------------------------- */

static struct {
	struct http_stage *stage;
	uint64_t other;
	unsigned calls;
} within;

static void
on_never(void *arg, const struct http_answer *a)
{
	(void)arg, (void)a;
	fail_msg("one that was cancelled was answered");
}

static void
on_cancels(void *arg, const struct http_answer *a)
{
	struct http_stage *s = arg;

	within.calls++;
	assert_int_equal(a->status, 200);
	http_cancel(s->http, within.other);
	assert_memory_equal(a->body.p, "hello", 5);
	loop_stop(s->loop);
}

static void
on_asks_again(void *arg, const struct http_answer *a)
{
	struct http_stage *s = arg;
	struct http_request rq = {
		.url = stage_url(s, "http", "ok.test", shared, "/ok"),
	};

	assert_int_equal(a->status, 200);
	s->wanted = 1;
	http_send(s->http, &rq, on_got, s);
}

static void
on_frees(void *arg, const struct http_answer *a)
{
	struct http_stage *s = arg;

	within.calls++;
	http_free(&s->http);
	assert_int_equal(a->status, 200);
	assert_memory_equal(a->body.p, "hello", 5);
	loop_stop(s->loop);
}

static void
a_callback_may_do_anything(void **state)
{
	struct http_stage *s = *state;
	struct http_request ok = { .timeout_ms = 0 }, never = ok;
	char url[256];

	shared = site_new(CERT_NONE);
	within.calls = 0;
	memcpy(url, stage_url(s, "http", "ok.test", shared, "/never"),
	       sizeof(url));
	never.url = url;
	ok.url = stage_url(s, "http", "ok.test", shared, "/ok");
	within.other = http_send(s->http, &never, on_never, s);
	http_send(s->http, &ok, on_cancels, s);
	loop_run(s->loop);
	assert_int_equal(within.calls, 1);
	http_send(s->http, &ok, on_asks_again, s);
	s->wanted = 1;
	loop_run(s->loop);
	assert_int_equal(s->got.status, 200);
	ok.url = stage_url(s, "http", "ok.test", shared, "/ok");
	http_send(s->http, &never, on_never, s);
	http_send(s->http, &ok, on_frees, s);
	http_send(s->http, &never, on_never, s);
	loop_run(s->loop);
	assert_int_equal(within.calls, 2);
	assert_null(s->http);
	stage_pass(s, 20);
	site_free(&shared);
}

/* --- servers that go -------------------------------------------------- */

/* A kept connection that the server has closed meanwhile is no failure. */
static void
a_kept_connection_may_be_stale(void **state)
{
	struct http_stage *s = *state;

	shared = site_new(CERT_NONE);
	assert_int_equal(stage_get(s, stage_url(s, "http", "ok.test", shared,
						"/ok"))->status, 200);
	assert_int_equal(stage_get(s, stage_url(s, "http", "ok.test", shared,
						"/once"))->status, 200);
	stage_until(s, none_is_open);
	assert_int_equal(stage_get(s, stage_url(s, "http", "ok.test", shared,
						"/ok"))->status, 200);
	assert_int_equal(site_connections(shared), 2);
	site_free(&shared);
}

static void
a_server_that_dies_is_told(void **state)
{
	struct http_stage *s = *state;
	struct http_request rq = { .timeout_ms = 0 };

	shared = site_new(CERT_NONE);
	rq.url = stage_url(s, "http", "ok.test", shared, "/never");
	s->wanted = 1;
	http_send(s->http, &rq, on_got, s);
	stage_until(s, one_is_asked);
	site_free(&shared);
	stage_run(s);
	assert_int_equal(s->got.status, 0);
	assert_non_null(strstr(s->got.why, "ok.test closed the connection "
			       "without an answer"));
}

int
main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		TEST(more_than_a_hundred_wait_in_line),
		TEST(idle_connections_are_few),
		TEST(idle_connections_go),
		TEST(cancelled_at_each_stage),
		TEST(freed_at_each_stage),
		TEST(a_callback_may_do_anything),
		TEST(a_kept_connection_may_be_stale),
		TEST(a_server_that_dies_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
