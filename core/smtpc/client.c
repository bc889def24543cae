/* client.c - the life of a connection, and its way along the table */
#include "smtpc/client.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "smtpc/away.h"
#include "smtpc/errand.h"
#include "smtpc/engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { INPUT_MAX = 2 * LIMIT_REPLY };

/* --- moving ---------------------------------------------------------- */

/* With the last recipient settled the attempt needs this client no more. */
static struct errand *
client_let_go(struct client *c)
{
	struct errand *a = c->errand;

	if (a == NULL || a->unsettled > 0)
		return NULL;
	c->errand = NULL;
	a->client = NULL;
	return a;
}

void
client_go(struct client *c, enum state next)
{
	const struct state_row *row = &client_rows[next];
	struct errand *over;

	/* an end is reached once, also when it was reached meanwhile */
	if (c->state >= ST_QUIT && next <= c->state)
		return;
	log_debug(&smtpc_log, "%s: %s, then %s, for %s", c->where,
		  client_rows[c->state].name, row->name,
		  c->errand && c->errand->m->id ? c->errand->m->id : "nobody");
	if (c->state == ST_IDLE)
		pool_leave(c);
	c->state = next;
	over = client_let_go(c);
	stream_timeout(c->stream, c->patience_ms[row->patience]);

	if (row->speaks && !c->ahead && stream_in(c->stream)->len > 0)
		c->uncalled = true;	/* hear it out, and say nothing more */
	else if (row->enter != NULL)
		row->enter(c);
	if (over != NULL)
		errand_finish(over);
}

static enum login
plan_login(const struct smtpc_plan *p)
{
	unsigned tokens = AUTH_XOAUTH2 | AUTH_OAUTHBEARER;

	if (p->auth.mechanisms == 0)
		return LOGIN_NONE;
	return p->auth.mechanisms & tokens ? LOGIN_TOKEN : LOGIN_PASSWORD;
}

void
client_facts(const struct client *c, struct outcome *o)
{
	const struct errand *a = c->errand;
	int64_t now_ms = clock_now_ms();
	int64_t greeted_ms = a->greeted_ms ? a->greeted_ms : now_ms;
	int64_t data_ms = a->data_ms ? a->data_ms : now_ms;

	snprintf(o->host, sizeof(o->host), "%s", c->where);
	secure_facts(c, o);
	o->login = plan_login(a->plan);
	o->dsn_passed_on = c->offers.dsn;
	o->connect_ms = greeted_ms - a->began_ms;
	o->setup_ms = MAX(data_ms - greeted_ms, 0);
	o->transfer_ms = now_ms - data_ms;
}

/* A login that is refused: another host would say the same, and some lock out
 * who asks too often.  Or it is us: those behind us would send it here. */
static bool
ends_the_search(enum state was, const struct outcome *o)
{
	return o->kind == OUTCOME_LOCAL ||
	       (o->kind == OUTCOME_REPLY &&
		(was == ST_AUTH || was == ST_AUTH_STEP));
}

void
client_fail(struct client *c, struct outcome *o, enum state next)
{
	struct errand *a = c->errand;
	enum state was = c->state;
	bool dead = c->kept && !c->heard;

	if (a == NULL) {
		client_go(c, next);
		return;
	}
	client_facts(c, o);
	c->errand = NULL;
	a->client = NULL;
	client_go(c, next);
	if (was < ST_IDLE && !ends_the_search(was, o))
		errand_elsewhere(a, o);
	else if (dead && (was == ST_IDLE || was == ST_MAIL) && !a->cancelled)
		errand_again(a);
	else
		errand_fail(a, o);
}

/* TLS that was only worth a try has failed.  Some cut the connection as soon
 * as they read STARTTLS; and in TLS 1.3 a server that does not like our
 * certificate, or its absence, says so when the handshake is done on our side:
 * instead of the first answer. */
static bool
tls_tried_in_vain(const struct client *c)
{
	return c->kin.tls == TLS_OPPORTUNISTIC && c->errand != NULL &&
	       (c->state == ST_STARTTLS || c->state == ST_SHAKE ||
		(c->state == ST_EHLO && c->secured && !c->heard));
}

/* So once more, in the clear. */
static void
client_plainly(struct client *c, const struct error *why)
{
	struct errand *a = c->errand;

	log_info(&smtpc_log, "%s: without TLS, which failed: %s", c->where,
		 why->text);
	c->errand = NULL;
	a->client = NULL;
	client_go(c, ST_CLOSED);
	errand_plainly(a);
}

/* Nobody is there, or nobody who speaks.  What this host lacks says nothing
 * about them. */
static bool
is_silent(const struct client *c, const struct error *why)
{
	return why->kind == ERROR_SYSTEM &&
	       (c->state == ST_CONNECT || c->state == ST_GREETING);
}

/* A peer that breaks a rule below SMTP does so in TLS; before the first
 * message that is a matter of trust, of which an administrator must know. */
static void
client_lost(struct client *c, const struct error *why)
{
	enum phase at = client_rows[c->state].phase;
	bool distrust = why->kind == ERROR_PROTOCOL && at <= PHASE_AUTH;
	struct outcome o = { .code = 0 };

	log_debug(&smtpc_log, "%s: %s", c->where, why->text);
	if (tls_tried_in_vain(c)) {
		client_plainly(c, why);
		return;
	}
	if (is_silent(c, why))
		away_note(c->engine->away, c->to);
	outcome_error(&o, distrust ? OUTCOME_SECURITY : OUTCOME_NETWORK, at,
		      why);
	client_fail(c, &o, ST_CLOSED);
}

void
client_broken(struct client *c, const char *fmt, ...)
{
	struct error why;
	char text[sizeof(why.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error_set(&why, ERROR_SYSTEM, "%s", text);
	client_lost(c, &why);
}

/* --- what comes from the stream -------------------------------------- */

/* 421 may come at any time and ends the connection (RFC 5321 section 3.8). */
static void
client_closing(struct client *c, const struct smtp_reply *r)
{
	struct outcome o = { .code = 0 };

	/* a kept connection that had been given up before we spoke */
	if (c->state == ST_IDLE || c->state == ST_MAIL)
		c->heard = false;
	outcome_reply(&o, client_rows[c->state].phase, r);
	client_fail(c, &o, ST_CLOSED);
}

static void
client_hear(struct client *c, const struct smtp_reply *r)
{
	bool asked = client_rows[c->state].reply != NULL &&
		     (!c->uncalled || c->state == ST_BODY);

	if (r->code == 421)
		client_closing(c, r);
	else if (asked)
		client_go(c, client_rows[c->state].reply(c, r));
	else if (c->errand != NULL)
		client_broken(c, "the server answered before it was asked: "
			      "%03d %.*s", r->code, SPAN_ARG(r->text));
	else
		client_go(c, ST_CLOSED);	/* idle, and talks to itself */
}

/* One reply, or what there is in place of one.  False: there is no more. */
static bool
client_listen(struct client *c)
{
	bool signs_in = c->state == ST_AUTH || c->state == ST_AUTH_STEP;
	struct smtp_reply r;
	struct error why;
	enum parse got = reply_parse(&c->parser, stream_in(c->stream), &r,
				     &why);

	if (got == PARSE_MORE)
		return false;
	c->heard = c->state != ST_IDLE;
	if (got == PARSE_OK) {
		/* what is asked is not shown as it stands */
		if (signs_in && r.code != 334)
			hide_login(c, c->parser.text.data +
				   c->parser.text.head, r.text.n);
		client_hear(c, &r);
	} else {
		if (signs_in)
			hide_login(c, why.text, strlen(why.text));
		client_broken(c, "%s", why.text);
	}
	return true;
}

static void
on_input(void *arg)
{
	struct client *c = arg;

	while (c->state != ST_CLOSED && stream_in(c->stream)->len > 0 &&
	       client_listen(c))
		;
}

static void
on_ready(void *arg)
{
	struct client *c = arg;

	if (c->state == ST_SHAKE)
		secure_shaken(c);
	else
		client_go(c, c->kin.implicit ? ST_SHAKE : ST_GREETING);
}

static void
on_drained(void *arg)
{
	struct client *c = arg;

	if (c->state == ST_BODY)
		transfer_drained(c);
}

/* A large message on a slow line: as long as some of it arrives, wait. */
static bool
transfer_moves(struct client *c)
{
	size_t before = c->pending;

	if (c->state != ST_BODY && c->state != ST_DOT)
		return false;
	c->pending = stream_unacked(c->stream);
	return c->pending != 0 && (before == 0 || c->pending < before);
}

static void
on_timeout(void *arg)
{
	struct client *c = arg;
	int64_t waited_ms = c->patience_ms[client_rows[c->state].patience];

	if (c->state == ST_IDLE && c->errand == NULL)
		client_go(c, ST_QUIT);
	else if (transfer_moves(c))
		stream_timeout(c->stream, waited_ms);
	else if (c->state == ST_BODY && stream_pending(c->stream) == 0)
		transfer_failed(c, "reading it took too long");
	else
		client_broken(c, "no answer within %lld s",
			      (long long)(waited_ms + 999) / 1000);
}

static void
on_closed(void *arg, const struct error *err)
{
	struct client *c = arg;

	/* what it had said last was no whole reply */
	if (c->state == ST_QUIT || c->errand == NULL)
		client_go(c, ST_CLOSED);
	else if (err != NULL)
		client_lost(c, err);
	else
		client_broken(c, "the server closed the connection");
}

static const struct stream_events client_events = {
	.ready = on_ready, .input = on_input, .drained = on_drained,
	.timeout = on_timeout, .closed = on_closed,
};

/* --- life ------------------------------------------------------------ */

void
client_adopt(struct client *c, struct errand *a)
{
	c->errand = a;
	a->client = c;
	for (size_t i = 0; i < SMTPC_TIMEOUTS; i++)
		c->patience_ms[i] = errand_timeout_ms(a, i);
	c->patience_ms[PATIENCE_IDLE] = a->plan->idle_ms ? a->plan->idle_ms
							 : SMTPC_IDLE_MS;
	c->reuse = a->plan->reuse ? a->plan->reuse : SMTPC_REUSE;
}

/* "mx1.example.org[192.0.2.1]:25" */
static void
client_name(struct client *c)
{
	char ip[IP_TEXT];

	snprintf(c->where, sizeof(c->where), "%.190s[%s]:%u", c->kin.host,
		 ip_text(c->to.ip, ip), (unsigned)c->to.port);
}

struct client *
client_connect(struct errand *a, struct endpoint to, const char *host,
	       bool plainly)
{
	struct smtpc *e = a->engine;
	struct client *c = NEW(struct client);

	c->engine = e;
	c->next = e->clients;
	c->prev = &e->clients;
	if (c->next != NULL)
		c->next->prev = &c->next;
	e->clients = c;
	e->counts.connections++;
	e->counts.connects++;

	kinship_init(&c->kin, a->plan, host);
	c->plainly = plainly;
	c->to = to;
	client_name(c);
	reply_parser_init(&c->parser);
	client_adopt(c, a);
	c->state = ST_CONNECT;
	c->stream = stream_connect(e->loop, to, a->plan->source, INPUT_MAX,
				   &client_events, c);
	stream_timeout(c->stream, c->patience_ms[SMTPC_CONNECT]);
	return c;
}

static void
client_free(struct later *l)
{
	struct client *c = container_of(l, struct client, later);

	reply_parser_fini(&c->parser);
	kinship_fini(&c->kin);
	mem_free(c);
}

void
client_shut(struct client *c)
{
	struct smtpc *e = c->engine;

	/* what is unsent must not follow by accident: it may hold the end of
	 * a message that has been given up */
	buf_clear(stream_out(c->stream));
	stream_close(&c->stream);
	*c->prev = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	e->counts.connections--;
	c->later.run = client_free;
	loop_later(e->loop, &c->later);
}

void
client_cut(struct client *c)
{
	if (c->errand != NULL)
		c->errand->client = NULL;
	c->errand = NULL;
	client_go(c, ST_CLOSED);
}
