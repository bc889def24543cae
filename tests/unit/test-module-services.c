/* test-module-services.c - what a module may ask the house, and what becomes
 * of questions that nobody waits for any more */
#include "module-ear.h"

#include "capture.h"

static uint64_t question;
static struct service_world *world;

static void
begin(struct service_world *w)
{
	question = 0;
	world = w;
	ear_open(w);
}

/* --- DNS -------------------------------------------------------------- */

static void
on_dns(void *arg, const struct postern_dns_answer *a)
{
	hear("%s: %d%s", (const char *)arg, a->status,
	     a->secure ? " secure" : "");
	for (size_t i = 0; i < a->n; i++) {
		const struct postern_dns_record *r = a->records[i];

		hear(" %s/%u/%.*s", r->text ? r->text : "-", r->preference,
		     (int)r->size, (const char *)r->data);
	}
	if (a->canonical != NULL)
		hear(" (%s)", a->canonical);
	if (a->why != NULL)
		hear(" \"%s\"", a->why);
	hear(". ");
}

static void
answer_dns(struct service_world *w, size_t i, const struct dns_answer *a)
{
	must(w->dns.asked[i].open);
	w->dns.asked[i].open = false;
	w->dns.asked[i].dns(w->dns.asked[i].arg, a);
}

static const struct dns_answer no_such_name = {
	.status = DNS_NXDOMAIN, .why = "there is no such name",
};

static void
names_are_asked_for(void **state)
{
	static const struct dns_record records[] = {
		{ { "data1", 5 }, "mx1.example.org", 10 },
		{ { "data22", 6 }, NULL, 0 },
	};
	static const struct dns_answer good = {
		.status = DNS_OK, .secure = true, .records = records, .n = 2,
		.canonical = "other.example.org",
	};
	struct service_world w;
	uint64_t first, second, third;

	(void)state;
	begin(&w);
	first = postern_dns(me, "example.org", POSTERN_DNS_MX, on_dns, "a");
	second = postern_dns(me, "x.test", POSTERN_DNS_TLSA, on_dns, "b");
	third = postern_dns(me, "y.test", POSTERN_DNS_A, on_dns, "c");
	assert_true(first != 0 && second != 0 && third != 0);
	assert_true(first != second && second != third && first != third);
	assert_string_equal(w.dns.asked[0].text, "example.org 15");
	assert_string_equal(w.dns.asked[1].text, "x.test 52");
	CHECK_HEARD("");
	/* in another order */
	answer_dns(&w, 2, &no_such_name);
	answer_dns(&w, 0, &good);
	CHECK_HEARD("c: 2 \"there is no such name\". a: 0 secure "
		    "mx1.example.org/10/data1 -/0/data22 (other.example.org). ");
	/* those that are over are nothing any more */
	postern_give_up(me, third);
	postern_give_up(me, first);
	postern_give_up(me, 0);
	postern_give_up(me, 12345);
	assert_false(w.dns.asked[0].forgotten || w.dns.asked[2].forgotten);
	assert_true(w.dns.asked[1].open);
	postern_give_up(me, second);
	assert_true(w.dns.asked[1].forgotten);
	postern_give_up(me, second);
	service_close(&w);
	CHECK_HEARD("");
}

static void
an_answer_at_once_has_no_number(void **state)
{
	struct service_world w;

	(void)state;
	begin(&w);
	w.dns.at_once = &no_such_name;
	assert_true(postern_dns(me, "x.test", POSTERN_DNS_A, on_dns, "a") == 0);
	CHECK_HEARD("a: 2 \"there is no such name\". ");
	assert_null(w.me);
	service_close(&w);
}

/* In the answer: the next question is asked, and another one given up. */
static void
on_first_answer(void *arg, const struct postern_dns_answer *a)
{
	on_dns(arg, a);
	postern_give_up(me, question);
	question = postern_dns(me, "next.test", POSTERN_DNS_A, on_dns, "next");
}

static void
an_answer_leads_to_questions(void **state)
{
	struct service_world w;

	(void)state;
	begin(&w);
	postern_dns(me, "a.test", POSTERN_DNS_A, on_first_answer, "first");
	question = postern_dns(me, "b.test", POSTERN_DNS_A, on_dns, "other");
	answer_dns(&w, 0, &no_such_name);
	assert_true(w.dns.asked[1].forgotten);
	assert_string_equal(w.dns.asked[2].text, "next.test 1");
	answer_dns(&w, 2, &no_such_name);
	CHECK_HEARD("first: 2 \"there is no such name\". next: 2 \"there is no "
		    "such name\". ");
	/* one that gives itself up while it is answered */
	w.dns.n = 0;
	question = postern_dns(me, "c.test", POSTERN_DNS_A, on_first_answer,
			       "self");
	answer_dns(&w, 0, &no_such_name);
	CHECK_HEARD("self: 2 \"there is no such name\". ");
	assert_false(w.dns.asked[0].forgotten);
	assert_true(w.dns.asked[1].open);
	service_close(&w);
	assert_true(w.dns.asked[1].forgotten);
}

static void
closing_gives_up_what_is_left(void **state)
{
	struct service_world w;
	const struct postern_http_request rq = { .url = "https://x.test/" };

	(void)state;
	begin(&w);
	for (int i = 0; i < 3; i++)
		postern_dns(me, "x.test", POSTERN_DNS_A, on_dns, "dns");
	postern_http(me, &rq, NULL, NULL);
	answer_dns(&w, 1, &no_such_name);
	CHECK_HEARD("dns: 2 \"there is no such name\". ");
	service_close(&w);
	assert_true(w.dns.asked[0].forgotten);
	assert_false(w.dns.asked[1].forgotten);
	assert_true(w.dns.asked[2].forgotten);
	assert_true(w.http.asked[0].forgotten);
	CHECK_HEARD("");
}

static bool refuses;

static int
ask_and_perhaps_refuse(void *self, postern_instance *instance)
{
	on_open(self, instance);
	postern_dns(instance, "open.test", POSTERN_DNS_A, on_dns, "dns");
	postern_state_get(instance, "k", NULL, NULL);
	postern_timer(instance, 0, NULL, NULL);
	if (!refuses)
		return 0;
	postern_fail(instance, "not today");
	return -1;
}

static void
who_fails_to_open_has_asked_in_vain(void **state)
{
	static const struct postern_module asks = {
		.self_size = sizeof(struct self),
		.open = ask_and_perhaps_refuse,
	};
	struct backend_place place = { .route = "test", .hostname = "gw" };
	struct service_world w;
	struct error err;

	(void)state;
	refuses = false;
	service_open(&w, &asks);
	refuses = true;
	place.host = &w.host;
	assert_null(backend_open(w.module, NULL, &place, &err));
	assert_string_equal(err.text, "module `service': not today");
	assert_true(w.dns.asked[0].open);
	assert_true(w.dns.asked[1].forgotten);
	backend_close(&w.backend);
	service_settle(&w);
	service_close(&w);
}

/* --- web servers ------------------------------------------------------ */

static void
on_http(void *arg, const struct postern_http_answer *a)
{
	hear("%s: %d %s %lld [%.*s]%s%s. ", (const char *)arg, a->status,
	     a->type, (long long)a->retry_after_ms, (int)a->body_size,
	     a->body_size ? (const char *)a->body : "", a->why ? " " : "",
	     a->why ? a->why : "");
}

static void
answer_http(struct service_world *w, size_t i, const struct http_answer *a)
{
	must(w->http.asked[i].open);
	w->http.asked[i].open = false;
	w->http.asked[i].http(w->http.asked[i].arg, a);
}

static void
web_servers_are_asked(void **state)
{
	static const char *const headers[] = { "Accept: a/b", "X: y" };
	static const struct postern_http_request get = {
		.url = "https://a.test/x",
	};
	static const struct postern_http_request post = {
		.method = "PUT", .url = "http://127.0.0.1:1/", .headers = headers,
		.header_count = 2, .body = "bodybody", .body_size = 4,
		.timeout_ms = 77, .answer_max = 99, .trust_file = "/ca",
		.proxy = "http://p:1",
	};
	static const struct http_answer good = {
		.status = 429, .type = "a/b", .retry_after_ms = 3000,
		.body = { "hello", 5 },
	};
	static const struct http_answer none = {
		.status = 0, .why = "refused", .type = "", .retry_after_ms = -1,
	};
	struct service_world w;
	uint64_t first, second;

	(void)state;
	begin(&w);
	first = postern_http(me, &get, on_http, "get");
	second = postern_http(me, &post, on_http, "put");
	assert_true(first != 0 && second != 0 && first != second);
	assert_string_equal(w.http.asked[0].text,
			    "- https://a.test/x 0: [] 0 0 - -");
	assert_string_equal(w.http.asked[1].text, "PUT http://127.0.0.1:1/ "
			    "2:Accept: a/b [body] 77 99 /ca http://p:1");
	answer_http(&w, 1, &good);
	answer_http(&w, 0, &none);
	CHECK_HEARD("put: 429 a/b 3000 [hello]. get: 0  -1 [] refused. ");
	first = postern_http(me, &get, on_http, "again");
	postern_give_up(me, first);
	assert_true(w.http.asked[2].forgotten);
	service_close(&w);
	CHECK_HEARD("");
}

static void
urls_are_checked_without_asking(void **state)
{
	static const struct {
		const char *url, *proxy, *why;	/* NULL: it is well */
	} rows[] = {
		{ NULL, NULL, NULL },
		{ "https://x.test/token", "http://proxy.test:3128", NULL },
		{ "http://127.0.0.1:8080/t", NULL, NULL },
		{ "http://x.test/t", NULL, "without encryption; write https://" },
		{ "http://127.0.0.1:80@x.test/t", NULL, "a user or a password" },
		{ "https://", NULL, "malformed" },
		{ NULL, "proxy.test:3128", "http://HOST:PORT" },
		{ NULL, "https://u:opensesame@proxy.test:1", "http://HOST" },
	};
	char why[300] = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int32_t rc = postern_http_check(rows[i].url, rows[i].proxy,
						why, sizeof(why));

		CHECK_ROW(i, rc == (rows[i].why != NULL ? -1 : 0));
		CHECK_ROW(i, rc == 0 || strstr(why, rows[i].why));
		CHECK_ROW(i, strstr(why, "opensesame") == NULL);
	}
}

/* --- where nothing may be asked --------------------------------------- */

static void
ask_everything(postern_instance *instance)
{
	const struct postern_http_request rq = { .url = "https://x.test/" };

	assert_true(postern_dns(instance, "x.test", POSTERN_DNS_A, on_dns,
				"dns") == 0);
	assert_true(postern_http(instance, &rq, on_http, "http") == 0);
	assert_true(postern_state_get(instance, "k", on_got, "get") == 0);
	assert_true(postern_state_put(instance, "k", "v", 1, on_kept, "put")
		    == 0);
}

static void
on_retire(void *self)
{
	assert_ptr_equal(((struct self *)self)->me, me);
	hear("retired. ");
}

/* Those of web servers must not be lost; names may be asked for again. */
static void
answers_that_closing_waits_for(void **state)
{
	static const struct postern_http_request rq = { .url = "https://x.test/" };
	static const struct http_answer none = { .why = "none", .type = "" };
	static const struct postern_backend ops = {
		.deliver = deliver_nothing, .retire = on_retire,
	};
	const struct postern_module table = {
		.self_size = sizeof(struct self), .open = on_open,
		.backend = &ops,
	};
	struct service_world w;

	(void)state;
	heard[0] = '\0';
	service_open(&w, &table);
	postern_dns(me, "x.test", POSTERN_DNS_A, on_dns, "dns");
	assert_false(backend_busy(w.backend));
	question = postern_http(me, &rq, on_http, "one");
	postern_http(me, &rq, on_http, "two");
	assert_true(backend_busy(w.backend));
	backend_retire(w.backend);
	backend_retire(w.backend);
	postern_give_up(me, question);
	assert_int_equal(w.answers, 1);
	assert_true(backend_busy(w.backend));
	answer_http(&w, 1, &none);
	assert_int_equal(w.answers, 2);
	assert_false(backend_busy(w.backend));
	heard[strlen("retired. ")] = '\0';
	CHECK_HEARD("retired. ");
	postern_http(me, &rq, on_http, "three");
	service_close(&w);
	assert_int_equal(w.answers, 2);		/* nobody is told any more */
	/* a close alone does it, too */
	service_open(&w, &table);
	service_close(&w);
	CHECK_HEARD("retired. ");
}

static void
a_house_without_services_says_so(void **state)
{
	struct service_world w;

	(void)state;
	begin(&w);
	w.host.dns = NULL;
	w.host.http = NULL;
	w.host.state = NULL;
	ask_everything(me);
	CHECK_HEARD("dns: 3 \"there is no DNS here\". http: 0  -1 [] there is "
		    "no HTTP here. get: -2 there is no folder to store it in: "
		    "set `state' in postern.yaml. put: 0 there is no folder to "
		    "store it in: set `state' in postern.yaml. ");
	service_close(&w);
}

static int
ask_in_check(const void *self, postern_instance *instance)
{
	(void)self;
	ask_everything(instance);
	postern_pause(instance, "not now");
	postern_ready(instance);
	assert_true(postern_timer(instance, 0, NULL, NULL) == 0);
	return 0;
}

static postern_verdict
on_message(void *self, postern_txn *txn)
{
	(void)self, (void)txn;
	return POSTERN_CONTINUE;
}

#define NOT_HERE "dns: 3 \"there is no DNS here\". http: 0  -1 [] there is " \
	"no HTTP here. get: -2 not available here. put: 0 not available here. "

static void
only_backends_that_do_not_block_may_ask(void **state)
{
	static const struct postern_filter filter = {
		.on_message = on_message,
	};
	static const struct postern_module asks_in_check = {
		.self_size = sizeof(struct self), .check = ask_in_check,
	};
	static const struct postern_module is_a_filter = {
		.self_size = sizeof(struct self), .filter = &filter,
		.open = on_open,
	};
	static const struct postern_module blocks = {
		.self_size = sizeof(struct self), .flags = POSTERN_BLOCKING,
		.open = on_open,
	};
	static struct capture log;
	struct diags *d = diags_new();
	struct service_world w;

	(void)state;
	heard[0] = '\0';
	service_open(&w, &asks_in_check);
	capture_begin(&log);
	module_check(w.module, NULL, "it", NULL, NULL, d);
	capture_end(&log);
	CHECK_HEARD(NOT_HERE);
	CHECK_HAS(log.text, "mistake of the module: postern_dns() is for "
		  "backends that do not block, not for filters, and not in "
		  "check()");
	CHECK_HAS(log.text, "postern_pause() and postern_ready() are for");
	assert_int_equal(w.pauses + w.readies, 0);
	service_close(&w);
	diags_free(&d);

	service_open(&w, &is_a_filter);
	ask_everything(me);
	CHECK_HEARD(NOT_HERE);
	postern_pause(me, "x");
	service_close(&w);

	service_open(&w, &blocks);
	ask_everything(me);
	CHECK_HEARD(NOT_HERE);
	postern_pause(me, "x");
	assert_true(postern_timer(me, 0, NULL, NULL) == 0);
	assert_int_equal(w.pauses + w.readies, 0);
	service_close(&w);
}

/* --- pausing, timers -------------------------------------------------- */

static int
pause_in_open(void *self, postern_instance *instance)
{
	on_open(self, instance);
	postern_pause(instance, "%s must sign in: %s", "somebody", "run it");
	return 0;
}

static void
the_route_is_paused_and_ready(void **state)
{
	static const struct postern_module pauses = {
		.self_size = sizeof(struct self), .open = pause_in_open,
	};
	struct service_world w;
	char longest[1000];

	(void)state;
	service_open(&w, &pauses);
	assert_int_equal(w.pauses, 1);
	assert_string_equal(w.paused, "somebody must sign in: run it");
	postern_ready(me);
	postern_ready(me);
	assert_int_equal(w.readies, 2);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	postern_pause(me, "%s", longest);
	assert_int_equal(strlen(w.paused), LIMIT_OUTCOME_TEXT - 1);
	service_close(&w);
}

static void
on_timer(void *arg)
{
	hear("%s ", (const char *)arg);
	if (strcmp(arg, "first") == 0) {
		postern_timer_stop(me, question);
		postern_timer(me, -5, on_timer, "at once");
	}
	if (strcmp(arg, "end") == 0)
		loop_stop(world->loop);
}

static void
timers_fire_once_or_are_stopped(void **state)
{
	struct service_world w;
	uint64_t stopped;

	(void)state;
	begin(&w);
	postern_timer(me, 10, on_timer, "first");
	question = postern_timer(me, 30, on_timer, "stopped by it");
	stopped = postern_timer(me, 1, on_timer, "stopped");
	postern_timer(me, unit_slowly(120), on_timer, "end");
	postern_timer(me, 60 * 1000, on_timer, "after close");
	postern_timer_stop(me, stopped);
	postern_timer_stop(me, stopped);
	postern_timer_stop(me, 0);
	postern_timer_stop(me, 12345);
	CHECK_HEARD("");
	loop_run(w.loop);
	CHECK_HEARD("first at once end ");
	service_close(&w);
	CHECK_HEARD("");
}

/* --- a pause is looked at again --------------------------------------- */

static int32_t look_answer;

static int32_t
look_again(void *self)
{
	(void)self;
	return look_answer;
}

static void
a_pause_is_looked_at_again(void **state)
{
	static const struct postern_backend backend = {
		.deliver = deliver_nothing, .look_again = look_again,
	};
	static const struct postern_backend none = {
		.deliver = deliver_nothing,
	};
	static const struct {
		const struct postern_backend *backend;
		int32_t answer;
		bool can;
	} rows[] = {
		{ &backend, 1, true }, { &backend, 0, false },
		{ &backend, 7, false }, { &none, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct postern_module with = {
			.backend = rows[i].backend,
		};
		struct service_world w;

		service_open(&w, &with);
		look_answer = rows[i].answer;
		CHECK_ROW(i, backend_look_again(w.backend) == rows[i].can);
		backend_retire(w.backend);
		CHECK_ROW(i, !backend_look_again(w.backend));
		service_close(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_asked_for),
		cmocka_unit_test(an_answer_at_once_has_no_number),
		cmocka_unit_test(an_answer_leads_to_questions),
		cmocka_unit_test(closing_gives_up_what_is_left),
		cmocka_unit_test(who_fails_to_open_has_asked_in_vain),
		cmocka_unit_test(web_servers_are_asked),
		cmocka_unit_test(urls_are_checked_without_asking),
		cmocka_unit_test(answers_that_closing_waits_for),
		cmocka_unit_test(a_house_without_services_says_so),
		cmocka_unit_test(only_backends_that_do_not_block_may_ask),
		cmocka_unit_test(the_route_is_paused_and_ready),
		cmocka_unit_test(timers_fire_once_or_are_stopped),
		cmocka_unit_test(a_pause_is_looked_at_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
