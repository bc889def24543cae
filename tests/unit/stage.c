/* stage.c - the client engine on a stage */
#include "stage.h"

#include "base/macros.h"

#include <stdio.h>

/* --- sources of bodies ------------------------------------------------ */

static void
source_answer(struct later *l)
{
	struct source *s = container_of(l, struct source, later);
	struct error err;

	s->busy = false;
	if (s->flags & BROKEN_SOURCE)
		error_set(&err, ERROR_SYSTEM, "disk on fire");
	s->done(s->arg, s->flags & BROKEN_SOURCE ? SPAN_NONE : s->answer,
		s->flags & BROKEN_SOURCE ? &err : NULL);
}

static void
source_read(struct body_source *b, uint64_t offset, size_t max,
	    body_read_fn *done, void *arg)
{
	struct source *s = container_of(b, struct source, source);

	assert_false(s->busy);		/* one read at a time */
	s->answer = span_sub(s->bytes, (size_t)offset, max);
	s->done = done;
	s->arg = arg;
	s->busy = true;
	if (!(s->flags & (SLOW_SOURCE | DEAD_SOURCE)))
		source_answer(&s->later);
	else if (s->flags & SLOW_SOURCE)
		loop_later(s->loop, &s->later);
}

static const struct body_ops source_ops = { .read = source_read };

static void
on_settled(void *arg, size_t i, const struct outcome *o)
{
	static const char kinds[] = "RNDLUS";
	struct stage *s = arg;
	size_t n = s->play->rcpts ? s->play->rcpts : 1;
	size_t at = s->done * n + i;
	char enhanced[16];

	assert_false(s->within_send);
	assert_true(at < WANTS);
	assert_string_equal(s->got[at], "");	/* exactly once */
	snprintf(s->got[at], sizeof(s->got[at]), "%c%d %s %s %s",
		 kinds[o->kind], o->code, phase_name(o->phase),
		 enhanced_text(o->enhanced, enhanced, sizeof(enhanced)),
		 o->text);
	s->last = *o;
	s->settled++;
}

static void
on_done(void *arg)
{
	struct stage *s = arg;
	size_t n = s->play->rcpts ? s->play->rcpts : 1;

	assert_false(s->within_send);
	s->done++;
	assert_int_equal(s->settled, s->done * n);
	if (s->sent < (s->play->messages ? s->play->messages : 1))
		stage_send(s);
	else if (s->done == s->sent)
		loop_stop(s->loop);
}

static const struct smtpc_events stage_events = { on_settled, on_done };

void
stage_send(struct stage *s)
{
	s->sent++;
	s->within_send = true;
	s->ticket = s->play->upto != PHASE_NONE
		? smtpc_probe(s->smtpc, &s->plan, s->play->upto, &stage_events,
			      s)
		: smtpc_send(s->smtpc, &s->plan, &s->message, &stage_events,
			     s);
	s->within_send = false;
	assert_true(s->ticket != 0);
}

static void
on_watchdog(struct timer *t)
{
	loop_stop(container_of(t, struct stage, watchdog)->loop);
}

static struct envelope *
make_envelope(const struct play *p, struct stage *s)
{
	struct mail_command m = { .sender = { .text = SPAN("a@src.test") } };
	struct envelope *env;
	size_t n = p->rcpts ? p->rcpts : 1;

	m.smtputf8 = (p->flags & (UTF8_SENDER | UTF8_RCPT | UTF8_ORCPT |
				  UTF8_HEADER | UTF8_SAID)) != 0;
	if (p->flags & UTF8_SENDER)
		m.sender.text = SPAN("\xc3\xa4@src.test");
	if (p->flags & DSN_WISHES) {
		m.ret = DSN_RET_HDRS;
		m.envid = SPAN("QQ+3D1");
	}
	env = envelope_new(&m);
	for (size_t i = 0; i < n; i++) {
		struct rcpt_command r = { .notify = 0 };
		char address[40];

		snprintf(address, sizeof(address), "%s%zu@dst.test",
			 p->flags & UTF8_RCPT && i == 1 ? "\xc3\xb6" : "r", i);
		assert_true(address_parse(span_of(address), ADDRESS_UTF8,
					  &r.recipient, &(struct error){ 0 }));
		if (p->flags & DSN_WISHES) {
			r.notify = DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY;
			r.orcpt = SPAN("rfc822;x@y.test");
		}
		if (p->flags & UTF8_ORCPT)
			r.orcpt = SPAN("utf-8;\xc3\xa4\xe2\x82\xac\xf0\x9f"
				       "\x93\xa0\\x{2B}@y.test");
		assert_true(envelope_add(env, &r, 100));
		s->rcpts[i] = i;
	}
	envelope_freeze(env);
	return env;
}

static void
make_body(struct stage *s, const struct play *p)
{
	s->body = BUF_MAX(16 << 20);
	if (!(p->flags & EMPTY))
		buf_add_str(&s->body, "Subject: test\r\n\r\n.dot\r\nlast\r\n");
	while ((p->flags & LARGE) && s->body.len < 8000000)
		buf_add_str(&s->body, "0123456789012345678901234567890123456"
			    "789012345678901234567890123456789\r\n");
	s->source = (struct source){
		.source = { &source_ops, s->body.len,
			    (p->flags & (EIGHTBIT | UTF8_HEADER)) != 0,
			    (p->flags & UTF8_HEADER) != 0 },
		.loop = s->loop, .flags = p->flags, .bytes = buf_span(&s->body),
		.later = { .run = source_answer },
	};
	if (p->flags & SHORT_SOURCE)
		s->source.bytes.n -= 6;
}

/* --- TLS and the login ------------------------------------------------ */

struct tls_world stage_world;
static const struct tls_world *world;	/* NULL: there are no certificates */

int
stage_open_world(void **state)
{
	(void)state;
	world_open(&stage_world);
	world = &stage_world;
	return 0;
}

int
stage_close_world(void **state)
{
	(void)state;
	world = NULL;
	world_close(&stage_world);
	return 0;
}

void
stage_server(const struct play *p, struct server *server, struct endpoint *at)
{
	const struct peer *peer = &p->peer;
	struct raw tls = { .fd = -1, .priority = peer->priority };

	if (world != NULL)
		tls.cert = &world->certs[peer->who ? peer->who : WHO_SERVER];
	if (peer->asks)
		tls.demand = GNUTLS_CERT_REQUEST;
	if (peer->insists)
		tls.demand = GNUTLS_CERT_REQUIRE;
	if (peer->doubts)
		tls.authority = &world->certs[WHO_OTHER_CA];
	server_start_tls(server, p->script, at, &tls);
}

static void
plan_security(struct smtpc_plan *plan, const struct play *p)
{
	plan->tls = p->tls;
	plan->implicit = p->implicit;
	plan->server_name = p->name;
	if (p->tls == TLS_VERIFY)
		plan->trust = world->trust;
	if (p->client)
		plan->identity = world->client;
	if (p->auth != 0)
		plan->auth = (struct auth_credentials){
			.mechanisms = p->auth,
			.user = p->user ? p->user : "u@src.test",
			.secret = p->secret ? p->secret : "s3cret",
		};
}

/* --- the stage -------------------------------------------------------- */

void
stage_init(struct stage *s, const struct play *p, const char *const *hosts,
	   size_t host_count, uint16_t port)
{
	memset(s, 0, sizeof(*s));
	s->play = p;
	s->loop = loop_new("test");
	s->workers = workers_new("test", 1);
	s->dns = dns_new(s->loop, s->workers, NULL);
	s->smtpc = smtpc_new(s->loop, s->dns);
	timer_init(&s->watchdog, s->loop, on_watchdog);
	s->env = make_envelope(p, s);
	make_body(s, p);
	s->plan = (struct smtpc_plan){
		.hosts = hosts, .host_count = host_count, .port = port,
		.helo = "gw.test", .self = p->self, .reuse = p->reuse, .idle_ms = p->idle_ms,
	};
	if (p->no_helo)
		s->plan.helo = NULL;
	smtpc_know(s->smtpc, p->mark);
	plan_security(&s->plan, p);
	for (size_t i = 0; i < SMTPC_TIMEOUTS; i++)
		s->plan.timeouts_ms[i] =
			unit_slowly(p->patience_ms ? p->patience_ms : 2000);
	s->message = (struct smtpc_message){
		.id = "1", .env = s->env, .rcpts = s->rcpts,
		.rcpt_count = p->rcpts ? p->rcpts : 1,
		.body = &s->source.source,
	};
	/* making a large body takes time, which no timer is to count */
	ev_now_update(loop_ev(s->loop));
}

void
stage_run(struct stage *s, int64_t ms)
{
	timer_start(&s->watchdog, ms);
	loop_run(s->loop);
	timer_stop(&s->watchdog);
}

void
stage_fini(struct stage *s)
{
	smtpc_free(&s->smtpc);
	dns_free(&s->dns);
	workers_free(&s->workers);
	timer_stop(&s->watchdog);
	loop_free(&s->loop);
	envelope_free(&s->env);
	buf_fini(&s->body);
}

void
stage_check(const char *title, const char *want, const char *got)
{
	size_t bar = strcspn(want, "|");

	if (strncmp(got, want, bar) != 0 ||
	    (want[bar] && !strstr(got, want + bar + 1)))
		fail_msg("%s: wanted %s, got %s", title, want, got);
}

void
stage_perform(const struct play *p)
{
	static const char *const hosts[] = { "127.0.0.1" };
	struct stage s;
	struct server server;
	struct endpoint at;

	stage_server(p, &server, &at);
	stage_init(&s, p, hosts, 1, at.port);
	stage_send(&s);
	while ((p->flags & AT_ONCE) && s.sent < p->messages)
		stage_send(&s);
	stage_run(&s, unit_slowly(10000));
	/* what remains: QUIT, when the idle time is over */
	if (p->idle_ms)
		stage_run(&s, p->idle_ms + unit_slowly(60));
	stage_fini(&s);
	server_join(&server);
	if (server.wrong[0])
		fail_msg("%s: server: %s (here: %s)", p->title, server.wrong, s.got[0]);
	for (size_t i = 0; i < WANTS && p->want[i]; i++)
		stage_check(p->title, p->want[i], s.got[i]);
	if (p->facts != NULL && strcmp(p->facts, s.last.tls) != 0)
		fail_msg("%s: wanted %s, got %s", p->title, p->facts,
			 s.last.tls);
}

void
stage_perform_all(const struct play *plays, size_t n)
{
	const char *only = getenv("PLAY");

	for (size_t i = 0; i < n; i++) {
		if (only != NULL && strstr(plays[i].title, only) == NULL)
			continue;
		if (getenv("VERBOSE") != NULL)
			print_message("%s\n", plays[i].title);
		stage_perform(&plays[i]);
	}
}
