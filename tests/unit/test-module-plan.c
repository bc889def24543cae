/* test-module-plan.c - what a module hands to the SMTP client */
#include "service-world.h"

#include "capture.h"

static struct postern_smtp_plan plan;	/* that is sent */
static bool twice;			/* sends the job twice */
static int failures;

static const char *const hosts[] = { "mx1.test", "mx2.test" };
static const struct outcome sent = {
	.kind = OUTCOME_REPLY, .phase = PHASE_DOT, .code = 250,
};

static int32_t
on_failed(void *self, postern_job *j, const struct postern_outcome *o)
{
	(void)self, (void)j, (void)o;
	failures++;
	return 0;
}

static void
deliver(void *self, postern_job *j)
{
	(void)self;
	postern_smtp_send(j, &plan);
	if (twice)
		postern_smtp_send(j, &plan);
}

static postern_instance *opened;

static int
on_open(void *self, postern_instance *me)
{
	(void)self;
	opened = me;
	return 0;
}

static void
on_http(void *arg, const struct postern_http_answer *a)
{
	(void)arg, (void)a;
}

static const struct postern_backend backend = { .deliver = deliver };
static const struct postern_module table = { .backend = &backend };

static void
begin(struct service_world *w)
{
	plan = (struct postern_smtp_plan){
		.hosts = hosts, .host_count = 2, .failed = on_failed,
	};
	twice = false;
	failures = 0;
	service_open(w, &table);
}

static void
finish(struct service_world *w)
{
	run_until(w->loop, &w->finished, 1);
	assert_int_equal(w->finished, 1);
	service_close(w);
}

static void
all_of_a_plan_is_copied(void **state)
{
	static char user[] = "u@src.test", secret[] = "s3cret", helo[] = "gw2";
	static char name[] = "smtp.example.org", host[] = "mx1.test";
	const char *list[] = { host };
	const struct smtpc_plan *p;
	struct service_world w;

	(void)state;
	begin(&w);
	w.tls.at_once = true;
	plan = (struct postern_smtp_plan){
		.hosts = list, .host_count = 1, .port = 587, .reuse = 9,
		.idle_ms = 77, .helo = helo, .source = "2001:db8::1",
		.tls = POSTERN_TLS_VERIFY, .server_name = name,
		.auth = POSTERN_AUTH_PLAIN | POSTERN_AUTH_XOAUTH2,
		.user = user, .secret = secret,
	};
	for (int i = 0; i < POSTERN_TIMEOUTS; i++)
		plan.timeouts_ms[i] = i == 3 ? -1 : 100 + i;
	service_deliver(&w);
	/* the module's may go now */
	user[0] = secret[0] = helo[0] = name[0] = host[0] = '!';
	p = w.smtpc.plan;
	assert_string_equal(p->hosts[0], "mx1.test");
	assert_int_equal(p->port, 587);
	assert_int_equal(p->reuse, 9);
	assert_int_equal(p->idle_ms, 77);
	assert_string_equal(p->helo, "gw2");
	assert_int_equal(p->source->family, 6);
	assert_string_equal(p->server_name, "smtp.example.org");
	assert_int_equal(p->auth.mechanisms, AUTH_PLAIN | AUTH_XOAUTH2);
	assert_string_equal(p->auth.user, "u@src.test");
	assert_string_equal(p->auth.secret, "s3cret");
	assert_int_equal(p->timeouts_ms[SMTPC_AUTH], 110);
	assert_int_equal(p->timeouts_ms[SMTPC_MAIL], 0);
	smtpc_answer(&w.smtpc, &sent);
	finish(&w);
}

static void
what_a_plan_leaves_out_is_the_house_s(void **state)
{
	struct service_world w;
	char text[IP_TEXT];

	(void)state;
	begin(&w);
	plan.idle_ms = -1;
	plan.reuse = 50;
	plan.user = plan.secret = "unused";
	w.host.source = "192.0.2.9";
	service_deliver(&w);
	assert_string_equal(w.smtpc.plan->helo, "gw.test");
	assert_null(w.smtpc.plan->self);	/* it is not for receivers */
	assert_string_equal(ip_text(*w.smtpc.plan->source, text), "192.0.2.9");
	assert_int_equal(w.smtpc.plan->reuse, 1);
	assert_int_equal(w.smtpc.plan->idle_ms, 0);
	assert_int_equal(w.smtpc.plan->auth.mechanisms, 0);
	assert_null(w.smtpc.plan->auth.secret);
	smtpc_answer(&w.smtpc, &sent);
	finish(&w);
}

/* Whose word it is that a host exists: the administrator's, or a stranger's. */
static void
a_relays_host_is_the_administrators(void **state)
{
	static const struct {
		struct postern_module table;
		enum dns_author author;
	} rows[] = {
		{ { .backend = &backend, .open = on_open,
		    .flags = POSTERN_RELAY }, DNS_BY_ADMINISTRATOR },
		{ { .backend = &backend, .open = on_open,
		    .flags = POSTERN_RECEIVERS }, DNS_BY_ANYBODY },
		{ { .backend = &backend, .open = on_open }, DNS_BY_ANYBODY },
	};
	const struct postern_http_request rq = { .url = "https://idp/" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct service_world w;

		begin(&w);
		service_close(&w);
		service_open(&w, &rows[i].table);
		postern_http(opened, &rq, on_http, NULL);
		service_deliver(&w);
		CHECK_ROW(i, w.smtpc.plan->hosts_written ==
			     (rows[i].author == DNS_BY_ADMINISTRATOR));
		CHECK_ROW(i, w.http.asked[0].author == rows[i].author);
		smtpc_answer(&w.smtpc, &sent);
		finish(&w);
	}
}

static void
bad_plans_are_a_mistake_of_the_module(void **state)
{
	static char longest[AUTH_TOKEN_MAX + 2], long_user[LIMIT_PATH + 2];
	const struct {
		struct postern_smtp_plan plan;
		const char *words;
	} rows[] = {
		{ { .host_count = 0 }, "a plan without a host" },
		{ { .host_count = 1, .port = 65536 },
		  "a plan with a port above 65535" },
		{ { .host_count = 1, .source = "eth0" },
		  "a plan whose source is not an address" },
		{ { .host_count = 1, .tls = 5 }, "an unknown kind of TLS" },
		{ { .host_count = 1, .tls = -1 }, "an unknown kind of TLS" },
		{ { .host_count = 1, .auth = 16, .user = "u", .secret = "s" },
		  "an unknown login" },
		{ { .host_count = 1, .auth = 4, .user = "u" },
		  "lacks its user or its secret" },
		{ { .host_count = 1, .auth = 4, .secret = "s" },
		  "lacks its user or its secret" },
		{ { .host_count = 1, .auth = 4, .user = "u",
		    .secret = longest }, "user or secret is too long" },
		{ { .host_count = 1, .auth = 4, .user = long_user,
		    .secret = "s" }, "user or secret is too long" },
	};
	static struct capture log;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	memset(long_user, 'x', sizeof(long_user) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct service_world w;

		begin(&w);
		plan = rows[i].plan;
		plan.hosts = hosts;
		plan.failed = on_failed;
		capture_begin(&log);
		service_deliver(&w);
		capture_end(&log);
		CHECK_HAS(log.text, rows[i].words);
		CHECK_ROW(i, strstr(log.text, "xxxxxxxx") == NULL);
		CHECK_HAS(w.outcomes[1].text, rows[i].words);
		CHECK_ROW(i, w.outcomes[1].kind == OUTCOME_LOCAL);
		CHECK_ROW(i, w.smtpc.sent == 0 && failures == 0);
		finish(&w);
	}
}

static void
a_job_is_sent_once(void **state)
{
	static struct capture log;
	struct service_world w;

	(void)state;
	begin(&w);
	twice = true;
	capture_begin(&log);
	service_deliver(&w);
	capture_end(&log);
	CHECK_HAS(log.text, "postern_smtp_send(): for a job that is over");
	assert_int_equal(w.smtpc.sent, 1);
	smtpc_answer(&w.smtpc, &sent);
	assert_int_equal(w.outcomes[0].code, 250);
	finish(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_a_plan_is_copied),
		cmocka_unit_test(what_a_plan_leaves_out_is_the_house_s),
		cmocka_unit_test(a_relays_host_is_the_administrators),
		cmocka_unit_test(bad_plans_are_a_mistake_of_the_module),
		cmocka_unit_test(a_job_is_sent_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
