/* secure.c - what lies between EHLO and the first MAIL: TLS and the login
 *
 * After the handshake everything that was heard before is forgotten (RFC
 * 3207 section 4.2): what a stranger on the line may have slipped in, too.
 * A secret leaves by TLS alone.  An opportunistic connection whose handshake
 * fails is given up, and the same address called again in the clear.
 */
#include "smtpc/client.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/macros.h"
#include "io/layer.h"
#include "smtpc/engine.h"
#include "smtpc/errand.h"

#include <stdio.h>
#include <string.h>

enum {
	AUTH_STEPS_MAX = 4,
	AUTH_LINE_SECRET = 8 * 1024,	/* RFC 4954 section 4: 12288 octets of
					 * base64 and all that is around it */
	CHALLENGE_SHOWN = 300,
};

/* The server talks to us, but has not what the plan asks for. */
static enum state
lacks(struct client *c, enum phase phase, const struct error *what)
{
	struct outcome o = { .code = 0 };

	outcome_error(&o, OUTCOME_SECURITY, phase, what);
	client_fail(c, &o, ST_QUIT);
	return c->state;
}

static enum state
login_begin(struct client *c)
{
	unsigned allowed = c->errand->plan->auth.mechanisms;
	char ours[60], theirs[60];
	struct error err;

	if (!c->secured) {
		error_set(&err, ERROR_CONFIG, "the login is not sent without "
			  "TLS, %s", c->kin.tls == TLS_NONE
			  ? "which this route switches off"
			  : "which this server does not offer");
		return lacks(c, PHASE_AUTH, &err);
	}
	c->mechanism = auth_choose(allowed & ~c->auth_refused, c->offers.auth);
	if (c->mechanism == 0) {
		error_set(&err, ERROR_CONFIG, "the server does not offer AUTH "
			  "%s; of the mechanisms that the gateway knows it "
			  "offers: %s",
			  auth_names(allowed, ours, sizeof(ours)),
			  auth_names(c->offers.auth, theirs, sizeof(theirs)));
		return lacks(c, PHASE_AUTH, &err);
	}
	c->auth_step = 0;
	c->auth_at_once = false;
	return ST_AUTH;
}

static enum state
lacks_starttls(struct client *c)
{
	struct error err;

	error_set(&err, ERROR_CONFIG, "the server does not offer STARTTLS, "
		  "which this route requires");
	error_hint(&err, "the server's administrator must switch it on; a "
		   "firewall in between may hide it");
	return lacks(c, PHASE_STARTTLS, &err);
}

/* A message goes through all phases, a probe as far as it was told. */
static bool
goes_as_far_as(const struct client *c, enum phase phase)
{
	return c->errand->upto == PHASE_NONE || c->errand->upto >= phase;
}

/* The server has let us in, with the reply r: a probe is over. */
static enum state
secure_done(struct client *c, const struct smtp_reply *r)
{
	struct outcome o = { .code = 0 };

	if (c->errand->upto == PHASE_NONE)
		return transaction_begin(c);
	outcome_reply(&o, client_rows[c->state].phase, r);
	client_facts(c, &o);
	errand_settle_rest(c->errand, &o);
	return ST_QUIT;
}

enum state
secure_next(struct client *c, const struct smtp_reply *r)
{
	const struct smtpc_plan *p = c->errand->plan;

	if (p->tls != TLS_NONE && !c->secured && !c->plainly &&
	    goes_as_far_as(c, PHASE_STARTTLS)) {
		if (c->offers.starttls)
			return ST_STARTTLS;
		if (p->tls != TLS_OPPORTUNISTIC)
			return lacks_starttls(c);
	}
	if (p->auth.mechanisms != 0 && goes_as_far_as(c, PHASE_AUTH))
		return login_begin(c);
	return secure_done(c, r);
}

/* --- TLS ------------------------------------------------------------- */

void
enter_starttls(struct client *c)
{
	say_line(c, SPAN("STARTTLS\r\n"));
}

enum state
on_starttls(struct client *c, const struct smtp_reply *r)
{
	if (reply_class(r, 2))
		return ST_SHAKE;
	if (c->kin.tls == TLS_OPPORTUNISTIC && r->code / 100 >= 4) {
		c->plainly = true;	/* it changed its mind */
		return secure_next(c, r);
	}
	return heard_refusal(c, r);
}

void
enter_shake(struct client *c)
{
	struct smtpc *e = c->engine;
	char peer[300];
	struct tls_client how = {
		.policy = c->kin.tls, .server_name = c->kin.server_name,
		.identity = c->kin.identity, .trust = c->kin.trust,
		.peer = peer,
	};

	if (e->sessions == NULL)
		e->sessions = tls_sessions_new(SESSIONS_MAX);
	how.sessions = e->sessions;
	snprintf(peer, sizeof(peer), "%s:%u", c->kin.host,
		 (unsigned)c->kin.port);
	buf_clear(stream_in(c->stream));
	stream_push(c->stream, tls_client_layer(&how));
}

void
secure_shaken(struct client *c)
{
	c->secured = true;
	c->heard = false;
	c->offers = (struct offers){ .pipelining = false };
	client_go(c, c->greeted ? ST_EHLO : ST_GREETING);
}

static enum shown
secure_shown(const struct client *c, enum tls_asked asked)
{
	const struct tls_identity *i = c->kin.identity;

	if (asked == TLS_ASKED_NOT_SENT)
		return SHOWN_MISSING;
	if (asked == TLS_NOT_ASKED)
		return i == NULL ? SHOWN_NOTHING : SHOWN_NOT_ASKED;
	return i != NULL && tls_identity_expires_ms(i) < clock_wall_ms()
		? SHOWN_EXPIRED : SHOWN_CERTIFICATE;
}

void
secure_facts(const struct client *c, struct outcome *o)
{
	static const char *const words[] = {
		[SHOWN_NOTHING]     = "",
		[SHOWN_NOT_ASKED]   = ", client certificate not requested",
		[SHOWN_MISSING]     = ", client certificate requested, none configured",
		[SHOWN_CERTIFICATE] = ", client certificate sent",
		[SHOWN_EXPIRED]     = ", client certificate sent, expired",
	};
	const struct tls_facts *f = stream_tls(c->stream);

	if (f == NULL) {
		snprintf(o->tls, sizeof(o->tls), "%s",
			 c->plainly ? "none, it failed" : "");
		return;
	}
	o->shown = secure_shown(c, f->asked);
	snprintf(o->tls, sizeof(o->tls), "%.48s%s%s", f->text,
		 f->verified ? ", verified" : "", words[o->shown]);
}

/* --- the login ------------------------------------------------------- */

void
enter_auth(struct client *c)
{
	AUTO(buf_wipe) struct buf line = LOGIN_LINE;

	buf_addf(&line, "AUTH %s", auth_name(c->mechanism));
	if (c->auth_at_once) {
		buf_add_char(&line, ' ');
		login_line(c, c->auth_step++, &line);
	}
	buf_add_str(&line, "\r\n");
	say_line(c, buf_span(&line));
}

/* The reason that some servers give in front of their refusal, as JSON. */
static void
tell_challenge(const struct client *c, struct buf *challenge)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(4 * CHALLENGE_SHOWN);

	hide_login(c, challenge->data + challenge->head, challenge->len);
	encode_printable(&text, buf_span(challenge), CHALLENGE_SHOWN);
	log_warning(&smtpc_log, "%s: AUTH %s is about to fail: %s", c->where,
		    auth_name(c->mechanism), buf_str(&text));
}

enum auth_say
login_line(const struct client *c, unsigned step, struct buf *line)
{
	AUTO(buf_wipe) struct buf response = BUF_MAX(2 * AUTH_TOKEN_MAX);
	struct auth_credentials who = c->errand->plan->auth;
	enum auth_say say;

	who.host = c->kin.host;
	who.port = c->kin.port;
	say = auth_respond(c->mechanism, step, &who, &response);
	if (say == AUTH_CANCEL)
		buf_add_char(line, '*');
	else
		encode_base64(line, buf_span(&response));
	return say;
}

static void
answer_challenge(struct client *c, struct buf *challenge)
{
	AUTO(buf_wipe) struct buf line = LOGIN_LINE;

	if (login_line(c, c->auth_step++, &line) == AUTH_AFTER_ERROR)
		tell_challenge(c, challenge);
	buf_add_str(&line, "\r\n");
	say_line(c, buf_span(&line));
}

/* "503 already authenticated": by our address, or by our certificate. */
static bool
was_let_in_before(const struct smtp_reply *r)
{
	return r->code == 503 && r->text.n > 0 &&
	       memmem(r->text.p, r->text.n, "lready", 6) != NULL;
}

/* What a server says that knows the mechanism, but not in two steps: a syntax
 * error, or that the login, of which it has seen nothing yet, was wrong. */
static bool
wants_it_at_once(const struct client *c, const struct smtp_reply *r)
{
	return c->state == ST_AUTH && !c->auth_at_once &&
	       auth_speaks_first(c->mechanism) &&
	       strlen(c->errand->plan->auth.secret) < AUTH_LINE_SECRET &&
	       (r->code == 501 || r->code == 535);
}

/* The mechanism was refused, not the login.  534: too weak (RFC 4954). */
static bool
mechanism_refused(const struct smtp_reply *r)
{
	return r->code == 500 || r->code == 501 || r->code == 502 ||
	       r->code == 504 || r->code == 534;
}

static enum state
login_refused(struct client *c, const struct smtp_reply *r)
{
	unsigned left = c->errand->plan->auth.mechanisms & c->offers.auth &
			~c->auth_refused & ~(unsigned)c->mechanism;

	if (wants_it_at_once(c, r)) {
		c->auth_at_once = true;
		return ST_AUTH;
	}
	if (!mechanism_refused(r) || left == 0)
		return heard_refusal(c, r);
	c->auth_refused |= c->mechanism;
	return login_begin(c);
}

enum state
on_auth(struct client *c, const struct smtp_reply *r)
{
	AUTO(buf_fini) struct buf challenge = BUF_MAX(LIMIT_REPLY);
	struct smtp_reply in = { .code = 235, .text = r->text };

	if (reply_class(r, 2))
		return secure_done(c, r);
	if (was_let_in_before(r))
		return secure_done(c, &in);
	if (r->code != 334)
		return login_refused(c, r);
	if (c->auth_step >= AUTH_STEPS_MAX) {
		client_broken(c, "the server asks for more than AUTH %s has to "
			      "send",
			      auth_name(c->mechanism));
		return ST_CLOSED;
	}
	/* words instead of base64 say nothing that we would need */
	decode_base64(&challenge, span_trim(r->text));
	if (c->state == ST_AUTH && c->auth_at_once && challenge.len == 0)
		c->auth_step = 0;	/* it has not looked at the line */
	answer_challenge(c, &challenge);
	return ST_AUTH_STEP;
}
