/* cmd_mail.c - MAIL and RCPT: RFC 5321 sections 4.1.1.2 and 4.1.1.3 */
#include "smtpd/session.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "route/route.h"
#include "smtpd/guard.h"

static struct reply
refuse_grammar(const struct command_error *e)
{
	return reply_error(e->code, e->enhanced, &e->why);
}

/* --- MAIL ------------------------------------------------------------ */

/* The envelope is made here, so that filters see it; it counts from proceed
 * on, and is dropped with a refusal. */
bool
mail_check(struct session *s, struct span args, struct reply *reterr)
{
	struct mail_command *m = &s->parsed.mail;
	struct command_error e;

	if (s->server->stopping) {
		*reterr = reply(421, "4.3.2", "the service is stopping");
		return false;
	}
	if (!command_mail(args, m, &e)) {
		*reterr = refuse_grammar(&e);
		return false;
	}
	transaction_hold(s);
	s->tx.env = envelope_new(m);
	if (m->size > (uint64_t)session_config(s)->message_size) {
		*reterr = reply(552, "5.3.4", "message size exceeds the "
				"limit (limits.message_size)");
		return false;
	}
	return true;
}

struct reply
mail_proceed(struct session *s)
{
	s->tx.open = true;
	return reply(250, "2.1.0", "Ok");
}

/* --- RCPT ------------------------------------------------------------ */

/* RFC 5321 section 4.5.1: <postmaster> is ours. */
static void
complete_postmaster(struct session *s, struct address *a)
{
	size_t local = a->local.n;

	if (a->domain.n > 0)
		return;
	s->asked_rcpt = mem_printf("%.*s@%s", SPAN_ARG(a->local),
				   session_config(s)->hostname);
	a->text = span_of(s->asked_rcpt);
	a->local = span_sub(a->text, 0, local);
	a->domain = span_from(a->text, local + 1);
}

/* As a string, for filters and for the log. */
static void
name_recipient(struct session *s)
{
	if (s->asked_rcpt == NULL)
		s->asked_rcpt = span_dup(s->parsed.rcpt.recipient.text);
}

static struct reply
refuse_relay(struct session *s)
{
	struct log_field fields[] = {
		LOG_STR("client", s->client_text),
		LOG_TEXT("from", s->tx.env->sender.text),
		LOG_TEXT("to", s->parsed.rcpt.recipient.text),
	};
	bool may = guard_may_warn(s->server->deps.guard, s->client,
				  clock_now_ms());

	s->bad++;
	s->quiet = true;
	trace_told(s, may);
	if (may)
		log_event(&s->server->log, LOG_LEVEL_WARNING, fields, 3,
			  "relaying denied: %s is not in relay.networks; if it "
			  "may send, add it there", s->client_text);
	return reply(550, "5.7.1", "relaying denied: your address %s is not "
		     "in relay.networks of this gateway", s->client_text);
}

/* --- which route could take it --------------------------------------- */

static void
add_reason(void *arg, const struct route *r, enum match_result m,
	   const char *reason)
{
	struct buf *words = arg;

	if (m == MATCH_NO)
		buf_addf(words, "%s%s: %s", words->len > 0 ? "; " : "",
			 r->name, reason);
}

static void
tell_reasons(struct session *s, const struct facts *f, struct span reasons)
{
	struct log_field fields[] = {
		LOG_STR("client", s->client_text),
		LOG_TEXT("from", s->tx.env->sender.text),
		LOG_TEXT("to", f->recipient.text),
		LOG_TEXT("reason", reasons),
	};

	s->quiet = true;
	trace_told(s, true);
	log_event(&s->server->log, LOG_LEVEL_INFO, fields, 4,
		  "refused: 550 5.7.1 no route takes it");
}

/* The names of routes and what they want are the administrator's business:
 * the client is told in a sentence that fits a printer's display. */
struct reply
refuse_route(struct session *s, const struct facts *f)
{
	enum { WORDS = 1000 };
	AUTO(buf_fini) struct buf words = BUF_MAX(WORDS);
	const struct routes *routes = s->tx.gen->routes;

	if (routes == NULL || routes->n == 0)
		return reply(451, "4.3.5", "no routes are configured");
	routes_explain(routes, f, add_reason, &words);
	tell_reasons(s, f, buf_span(&words));
	return reply(550, "5.7.1", "no route takes mail for <%.*s>; the "
		     "administrator sees why with `postern explain'",
		     (int)MIN(f->recipient.text.n, 120), f->recipient.text.p);
}

void
route_facts(struct session *s, struct facts *ret)
{
	const struct routes *routes = s->tx.gen->routes;

	if (s->tx.kept == NULL && routes != NULL && routes->n > 0)
		s->tx.kept = mem_array(routes->n, sizeof(*s->tx.kept));
	*ret = (struct facts){
		.sender = s->tx.env->sender,
		.client = s->client,
		.listener = span_of(s->listener),
		.kept = s->tx.kept,
	};
}

static bool
route_can_match(const struct session *s, const struct facts *f)
{
	const struct routes *routes = s->tx.gen->routes;
	bool maybe = false;

	if (routes == NULL)
		return false;
	return routes_pick(routes, f, &maybe) != NULL || maybe;
}

bool
rcpt_check(struct session *s, struct span args, struct reply *reterr)
{
	struct rcpt_command *r = &s->parsed.rcpt;
	struct command_error e;
	struct facts facts;

	if (!command_rcpt(args, s->tx.env->smtputf8, r, &e)) {
		*reterr = refuse_grammar(&e);
		return false;
	}
	complete_postmaster(s, &r->recipient);
	if (s->tx.gen->asks)
		name_recipient(s);
	route_facts(s, &facts);
	facts.recipient = r->recipient;
	if (!smtpd_may_relay(session_config(s), s->client))
		*reterr = refuse_relay(s);
	else if (!route_can_match(s, &facts))
		*reterr = refuse_route(s, &facts);
	else
		return true;
	name_recipient(s);
	return false;
}

struct reply
rcpt_proceed(struct session *s)
{
	if (!envelope_afford(s->tx.env, &s->parsed.rcpt,
			     s->server->deps.memory))
		return reply(452, "4.3.1", "no memory for more recipients now "
			     "(limits.memory)");
	if (!envelope_add(s->tx.env, &s->parsed.rcpt,
			  (size_t)session_config(s)->recipients))
		return reply(452, "4.5.3", "too many recipients "
			     "(limits.recipients)");
	return reply(250, "2.1.5", "Ok");
}
