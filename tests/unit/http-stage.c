/* http-stage.c - the stage of the HTTP tests */
#include "unit.h"

#include "http-stage.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"

#include <stdio.h>

static void
on_stage_timer(struct timer *t)
{
	loop_stop(container_of(t, struct http_stage, timer)->loop);
}

int
stage_setup(void **state)
{
	struct http_stage *s = NEW(struct http_stage);

	snprintf(s->folder, sizeof(s->folder), "/tmp/postern-unit-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	snprintf(s->ca, sizeof(s->ca), "%s/ca.pem", s->folder);
	site_certificates(s->ca);
	s->loop = loop_new("test");
	s->dns = dns_double(s->loop);
	s->store = store_double(s->loop, s->ca);
	s->http = http_new(s->loop, s->dns, s->store, &(struct http_settings){
				   .user_agent = "postern/test" });
	timer_init(&s->timer, s->loop, on_stage_timer);
	*state = s;
	return 0;
}

int
stage_teardown(void **state)
{
	struct http_stage *s = *state;

	timer_stop(&s->timer);
	http_free(&s->http);
	dns_double_free(&s->dns);
	store_double_free(&s->store);
	loop_free(&s->loop);
	site_certificates_free();
	unlink(s->ca);
	rmdir(s->folder);
	mem_free(s);
	return 0;
}

const char *
stage_url(struct http_stage *s, const char *scheme, const char *host,
	  const struct site *site, const char *path)
{
	snprintf(s->url, sizeof(s->url), "%s://%s:%u%s", scheme, host,
		 site_port(site), path);
	return s->url;
}

void
on_got(void *arg, const struct http_answer *a)
{
	struct http_stage *s = arg;
	struct got *g = &s->got;

	g->times++;
	g->status = a->status;
	snprintf(g->why, sizeof(g->why), "%s", a->why ? a->why : "");
	snprintf(g->type, sizeof(g->type), "%s", a->type);
	g->retry_after_ms = a->retry_after_ms;
	assert_true(a->body.n < sizeof(g->body));
	if (a->body.n)
		memcpy(g->body, a->body.p, a->body.n);
	g->body[a->body.n] = '\0';
	g->n = a->body.n;
	if (g->times == s->wanted)
		loop_stop(s->loop);
}

void
stage_run(struct http_stage *s)
{
	if (s->got.times < s->wanted)
		loop_run(s->loop);
}

const struct got *
stage_ask(struct http_stage *s, const struct http_request *rq)
{
	memset(&s->got, 0, sizeof(s->got));
	s->wanted = 1;
	assert_true(http_send(s->http, rq, on_got, s) != 0);
	assert_int_equal(s->got.times, 0);	/* later than it returns */
	stage_run(s);
	assert_int_equal(s->got.times, 1);
	assert_true((s->got.status == 0) == (s->got.why[0] != '\0'));
	return &s->got;
}

const struct got *
stage_get(struct http_stage *s, const char *url)
{
	return stage_ask(s, &(struct http_request){ .url = url });
}

void
stage_pass(struct http_stage *s, int64_t ms)
{
	timer_start(&s->timer, ms);
	loop_run(s->loop);
	timer_stop(&s->timer);
}

void
stage_until(struct http_stage *s, bool (*is)(struct http_stage *s))
{
	int64_t end = clock_now_ms() + unit_slowly(20000);

	while (!is(s)) {
		assert_true(clock_now_ms() < end);
		stage_pass(s, 5);
	}
}
