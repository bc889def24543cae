/* dialogue.c - what is said in each state, and what is made of the answer
 *
 * With PIPELINING the commands of a transaction up to DATA leave in one
 * write; the states then go by without saying anything, one for each reply.
 * Nothing is said ahead of a reply to EHLO, or around the message itself.
 */
#include "smtpc/client.h"

#include "base/clock.h"
#include "base/macros.h"
#include "smtpc/away.h"
#include "smtpc/engine.h"
#include "smtpc/errand.h"

#include <stdio.h>

bool
reply_class(const struct smtp_reply *r, int class)
{
	return r->code / 100 == class;
}

static bool
reply_refuses(const struct smtp_reply *r)
{
	return reply_class(r, 4) || reply_class(r, 5);
}

static enum state
unexpected(struct client *c, const struct smtp_reply *r)
{
	client_broken(c, "the server gave an answer that has no meaning here: "
		      "%03d %.*s", r->code, SPAN_ARG(r->text));
	return ST_CLOSED;
}

/* What the server said about the recipients that o is for. */
static void
outcome_heard(const struct client *c, struct outcome *o,
	      const struct smtp_reply *r)
{
	outcome_reply(o, client_rows[c->state].phase, r);
	client_facts(c, o);
}

/* It talks to us, but does not want us. */
static enum state
refused(struct client *c, const struct smtp_reply *r)
{
	struct outcome o = { .code = 0 };

	outcome_reply(&o, client_rows[c->state].phase, r);
	client_fail(c, &o, ST_QUIT);
	return c->state;
}

enum state
heard_refusal(struct client *c, const struct smtp_reply *r)
{
	return reply_refuses(r) ? refused(c, r) : unexpected(c, r);
}

/* --- greeting and hello ----------------------------------------------- */

static enum state
on_greeting(struct client *c, const struct smtp_reply *r)
{
	away_forget(c->engine->away, c->to);
	if (reply_class(r, 2)) {
		c->errand->greeted_ms = clock_now_ms();
		c->greeted = true;
		return ST_EHLO;
	}
	return heard_refusal(c, r);
}

static void
say_ehlo(struct client *c)
{
	say_hello(c, "EHLO");
}

/* Our mark behind the name: whatever way it took, this is our own listener.
 * A name of ours alone proves that where strangers' records lead (plan.self);
 * a relay on this host may bear it, too. */
static bool
is_ourselves(const struct client *c, struct span said)
{
	const char *mark = c->engine->mark;
	struct span line, name = SPAN_NONE;

	if (c->errand == NULL || !span_split(&said, '\n', &line))
		return false;
	span_split(&line, ' ', &name);
	if (mark != NULL && mark[0] != '\0' &&
	    span_eq(span_trim(line), span_of(mark)))
		return true;
	return c->errand->plan->self != NULL &&
	       span_eq_nocase(name, span_of(c->errand->plan->self));
}

/* Mail that goes round: by an address or a name of ours of which the plan did
 * not know, or by a way through others' routers.  X.4.6 is RFC 3463's word for
 * it; the administrator can mend it, so it is not final. */
static enum state
met_ourselves(struct client *c)
{
	const char *self = c->errand->plan->self;
	struct outcome o = { .code = 0 };
	struct error err;

	if (self != NULL) {
		error_set(&err, ERROR_CONFIG, "the server is this gateway "
			  "itself, by its name %s; give the domain a route of "
			  "its own", self);
	} else {
		error_set(&err, ERROR_CONFIG, "the server is this gateway "
			  "itself, which would only receive its own mail");
		error_hint(&err, "set `host' and `port' of the route to the "
			   "server that is to receive the mail");
	}
	outcome_error(&o, OUTCOME_LOCAL, PHASE_EHLO, &err);
	o.enhanced = (struct enhanced){ 4, 4, 6 };
	client_fail(c, &o, ST_QUIT);
	return c->state;
}

static enum state
on_ehlo(struct client *c, const struct smtp_reply *r)
{
	if (reply_class(r, 2) && is_ourselves(c, r->text))
		return met_ourselves(c);
	if (reply_class(r, 2)) {
		c->offers = offers_parse(r->text);
		return secure_next(c, r);
	}
	if (reply_class(r, 5))
		return ST_HELO;		/* RFC 5321 section 3.2 */
	return heard_refusal(c, r);
}

static void
say_helo(struct client *c)
{
	say_hello(c, "HELO");
}

static enum state
on_helo(struct client *c, const struct smtp_reply *r)
{
	return reply_class(r, 2) ? secure_next(c, r) : heard_refusal(c, r);
}

/* --- choosing who goes into the transaction --------------------------- */

static bool
too_large(const struct client *c)
{
	return c->offers.size_max != 0 &&
	       c->errand->m->body->size > c->offers.size_max;
}

static void
settle_too_large(struct client *c)
{
	struct outcome o = { .code = 0 };

	outcome_set(&o, OUTCOME_UNSUPPORTED, PHASE_MAIL,
		    "the message of %llu octets is larger than the %llu that "
		    "the server accepts",
		    (unsigned long long)c->errand->m->body->size,
		    (unsigned long long)c->offers.size_max);
	o.enhanced = (struct enhanced){ 5, 3, 4 };
	client_facts(c, &o);
	errand_settle_rest(c->errand, &o);
}

/* RFC 6531 section 3.2.  An address that needs it concerns its recipient
 * alone; a sender or a header, all of them.  A body never does: that is a
 * matter of 8BITMIME. */
static void
settle_without_smtputf8(struct client *c)
{
	struct errand *a = c->errand;
	bool all = a->m->body->header_8bit ||
		   address_needs_utf8(a->m->env->sender.text);
	struct outcome o = { .code = 0 };

	outcome_set(&o, OUTCOME_UNSUPPORTED, PHASE_MAIL, "the server does not "
		    "offer SMTPUTF8, which the message needs");
	o.enhanced = (struct enhanced){ 5, 6, 7 };
	client_facts(c, &o);
	for (size_t i = 0; i < a->m->rcpt_count; i++)
		if (all ||
		    address_needs_utf8(errand_rcpt(a, i)->address.text))
			errand_settle(a, i, &o);
}

bool
transaction_fits(const struct client *c)
{
	return !too_large(c) &&
	       (c->offers.smtputf8 || !c->errand->m->env->smtputf8);
}

static bool
client_used_up(const struct client *c)
{
	return c->messages >= c->reuse ||
	       (c->offers.mail_max != 0 && c->messages >= c->offers.mail_max);
}

static enum state
client_parts(const struct client *c)
{
	return client_used_up(c) ? ST_QUIT : ST_IDLE;
}

enum state
transaction_begin(struct client *c)
{
	struct errand *a = c->errand;
	size_t chosen = 0, max = c->offers.rcpt_max;

	if (too_large(c))
		settle_too_large(c);
	else if (!transaction_fits(c))
		settle_without_smtputf8(c);
	for (size_t i = 0; i < a->m->rcpt_count; i++) {
		if (a->rcpts[i] != RCPT_WAITS || (max != 0 && chosen == max))
			continue;
		a->rcpts[i] = RCPT_CHOSEN;
		chosen++;
	}
	return chosen > 0 ? ST_MAIL : client_parts(c);
}

/* After a transaction: with the recipients for whom there was no room in it,
 * or without work.  clean: the server has forgotten it, too. */
static enum state
transaction_end(struct client *c, bool clean)
{
	if (c->errand != NULL && c->errand->unsettled > 0)
		return clean ? transaction_begin(c) : ST_RSET;
	if (!clean && !client_used_up(c))
		return ST_RSET;
	return client_parts(c);
}

/* --- MAIL, RCPT, DATA ------------------------------------------------- */

/* The next that is in this state, or rcpt_count.  Replies come in the order
 * of the commands, so those before rcpt_at are done with. */
static size_t
rcpt_in_state(const struct client *c, enum rcpt_state s)
{
	const struct errand *a = c->errand;
	size_t i = c->rcpt_at;

	while (i < a->m->rcpt_count && a->rcpts[i] != s)
		i++;
	return i;
}

static void
say_rcpt_number(struct client *c, size_t i)
{
	struct errand *a = c->errand;

	say_rcpt(c, errand_rcpt(a, i));
	a->rcpts[i] = RCPT_SAID;
	c->rcpt_said++;
}

static void
enter_mail(struct client *c)
{
	struct errand *a = c->errand;

	c->messages++;
	c->accepted = c->rcpt_said = c->rcpt_at = 0;
	c->ahead = c->offers.pipelining;
	say_mail(c);
	if (!c->ahead)
		return;
	for (size_t i = 0; i < a->m->rcpt_count; i++)
		if (a->rcpts[i] == RCPT_CHOSEN)
			say_rcpt_number(c, i);
	say_line(c, SPAN("DATA\r\n"));
}

static enum state
on_mail(struct client *c, const struct smtp_reply *r)
{
	struct outcome o = { .code = 0 };

	if (reply_class(r, 2))
		return ST_RCPT;
	if (!reply_refuses(r))
		return unexpected(c, r);
	outcome_heard(c, &o, r);
	errand_settle_rest(c->errand, &o);
	return c->ahead ? ST_RCPT : transaction_end(c, true);
}

static void
enter_rcpt(struct client *c)
{
	if (!c->ahead)
		say_rcpt_number(c, rcpt_in_state(c, RCPT_CHOSEN));
}

/* RFC 5321 section 4.5.3.1.10: 552 for too many recipients is a 452. */
static bool
too_many(const struct client *c, const struct smtp_reply *r)
{
	struct enhanced e = r->enhanced;
	bool names_it = e.subject == 5 && e.detail == 3;

	if (c->accepted == 0)
		return false;
	return (r->code == 452 && names_it) ||
	       (r->code == 552 && (names_it || e.class == 0));
}

static void
rcpt_refused(struct client *c, size_t i, const struct smtp_reply *r)
{
	struct errand *a = c->errand;
	struct outcome o = { .code = 0 };

	outcome_heard(c, &o, r);
	if (!too_many(c, r)) {
		errand_settle(a, i, &o);
		return;
	}
	o.code = 452;
	o.enhanced = (struct enhanced){ 4, 5, 3 };
	errand_settle(a, i, &o);
	/* those whose commands are not said yet need not be */
	errand_settle_those(a, RCPT_CHOSEN, &o);
}

static enum state
on_rcpt(struct client *c, const struct smtp_reply *r)
{
	struct errand *a = c->errand;
	size_t i;

	if (!reply_class(r, 2) && !reply_refuses(r))
		return unexpected(c, r);
	c->rcpt_said--;
	if (a != NULL) {	/* NULL: MAIL was refused for all of them */
		i = rcpt_in_state(c, RCPT_SAID);
		c->rcpt_at = i + 1;
		if (reply_class(r, 2)) {
			a->rcpts[i] = RCPT_ACCEPTED;
			c->accepted++;
		} else {
			rcpt_refused(c, i, r);
		}
		if (!c->ahead &&
		    rcpt_in_state(c, RCPT_CHOSEN) < a->m->rcpt_count)
			return ST_RCPT;
	}
	if (c->rcpt_said > 0)
		return ST_RCPT;
	return c->ahead || c->accepted > 0 ? ST_DATA
					   : transaction_end(c, false);
}

static void
enter_data(struct client *c)
{
	if (!c->ahead)
		say_line(c, SPAN("DATA\r\n"));
}

static enum state
on_data(struct client *c, const struct smtp_reply *r)
{
	struct outcome o = { .code = 0 };

	c->ahead = false;
	if (reply_class(r, 3))	/* 354, said otherwise by some */
		return c->accepted > 0 ? ST_BODY : ST_NO_BODY;
	if (!reply_refuses(r))
		return unexpected(c, r);
	if (c->accepted > 0) {
		outcome_heard(c, &o, r);
		errand_settle_those(c->errand, RCPT_ACCEPTED, &o);
	}
	return transaction_end(c, false);
}

/* DATA was said ahead and taken although nobody was: an end without a
 * message (RFC 2920 section 3.1), whatever is answered. */
static void
enter_no_body(struct client *c)
{
	say_line(c, SPAN(".\r\n"));
}

static enum state
on_no_body(struct client *c, const struct smtp_reply *r)
{
	(void)r;
	return transaction_end(c, false);
}

/* --- the message ------------------------------------------------------ */

/* An answer before all was sent.  A refusal can be one; nothing else can,
 * and in no case may the rest be sent after it. */
static enum state
on_body(struct client *c, const struct smtp_reply *r)
{
	struct outcome o = { .code = 0 };

	if (!reply_refuses(r))
		return unexpected(c, r);
	outcome_reply(&o, PHASE_BODY, r);
	client_fail(c, &o, ST_CLOSED);
	return ST_CLOSED;
}

static enum state
on_dot(struct client *c, const struct smtp_reply *r)
{
	struct outcome o = { .code = 0 };

	if (!reply_class(r, 2) && !reply_refuses(r))
		return unexpected(c, r);
	outcome_heard(c, &o, r);
	errand_settle_those(c->errand, RCPT_ACCEPTED, &o);
	return transaction_end(c, true);
}

/* --- between and after ------------------------------------------------ */

static void
enter_rset(struct client *c)
{
	say_line(c, SPAN("RSET\r\n"));
}

static enum state
on_rset(struct client *c, const struct smtp_reply *r)
{
	if (!reply_class(r, 2))
		return c->errand ? refused(c, r) : ST_QUIT;
	return c->errand ? transaction_begin(c) : client_parts(c);
}

static void
enter_quit(struct client *c)
{
	say_line(c, SPAN("QUIT\r\n"));
}

static enum state
on_quit(struct client *c, const struct smtp_reply *r)
{
	(void)c, (void)r;
	return ST_CLOSED;
}

const struct state_row client_rows[STATES] = {
	[ST_CONNECT]  = { "connect",  PHASE_CONNECT,  SMTPC_CONNECT,  false, NULL,           NULL },
	[ST_GREETING] = { "greeting", PHASE_GREETING, SMTPC_GREETING, false, NULL,           on_greeting },
	[ST_EHLO]     = { "EHLO",     PHASE_EHLO,     SMTPC_EHLO,     true,  say_ehlo,       on_ehlo },
	[ST_HELO]     = { "HELO",     PHASE_EHLO,     SMTPC_EHLO,     true,  say_helo,       on_helo },
	[ST_STARTTLS] = { "STARTTLS", PHASE_STARTTLS, SMTPC_EHLO,     true,  enter_starttls, on_starttls },
	[ST_SHAKE]    = { "TLS",      PHASE_STARTTLS, SMTPC_TLS,      false, enter_shake,    NULL },
	[ST_AUTH]     = { "AUTH",     PHASE_AUTH,     SMTPC_AUTH,     true,  enter_auth,     on_auth },
	[ST_AUTH_STEP] = { "AUTH, further", PHASE_AUTH, SMTPC_AUTH,   false, NULL,           on_auth },
	[ST_IDLE]     = { "idle",     PHASE_NONE,     PATIENCE_IDLE,  false, pool_put,       NULL },
	[ST_MAIL]     = { "MAIL",     PHASE_MAIL,     SMTPC_MAIL,     true,  enter_mail,     on_mail },
	[ST_RCPT]     = { "RCPT",     PHASE_RCPT,     SMTPC_RCPT,     true,  enter_rcpt,     on_rcpt },
	[ST_DATA]     = { "DATA",     PHASE_DATA,     SMTPC_DATA,     true,  enter_data,     on_data },
	[ST_BODY]     = { "body",     PHASE_BODY,     SMTPC_BLOCK,    true,  transfer_begin, on_body },
	[ST_DOT]      = { "dot",      PHASE_DOT,      SMTPC_DOT,      false, NULL,           on_dot },
	[ST_NO_BODY]  = { "no body",  PHASE_DATA,     SMTPC_DATA,     true,  enter_no_body,  on_no_body },
	[ST_RSET]     = { "RSET",     PHASE_MAIL,     SMTPC_EHLO,     true,  enter_rset,     on_rset },
	[ST_QUIT]     = { "QUIT",     PHASE_QUIT,     SMTPC_QUIT,     false, enter_quit,     on_quit },
	[ST_CLOSED]   = { "closed",   PHASE_NONE,     PATIENCE_NONE,  false, client_shut,    NULL },
};
