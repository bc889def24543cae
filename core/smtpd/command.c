/* command.c - the table of commands, and the way through one of them
 *
 * Line, row, sequence, check, filters, proceed, reply.  Only here a command
 * meets the filters, and only between its two halves the session may wait
 * for them.  A refusal on the way ends it with a reply.
 */
#include "smtpd/session.h"

#include "base/limits.h"
#include "base/macros.h"
#include "route/route.h"

static const struct command_row commands[] = {
	{ "EHLO", hello_check, ehlo_proceed, 0, 0, HOOK_HELO },
	{ "HELO", hello_check, helo_proceed, 0, 0, HOOK_HELO },
	{ "STARTTLS", starttls_check, starttls_proceed, 0, 0, -1 },
	{ "MAIL", mail_check, mail_proceed,
	  HAVE_TLS | HAVE_HELLO | HAVE_NO_SENDER,
	  TELL_REFUSED | TRIES_TO_SEND, HOOK_MAIL },
	{ "RCPT", rcpt_check, rcpt_proceed,
	  HAVE_TLS | HAVE_SENDER | HAVE_NO_CHUNK,
	  TELL_REFUSED | TRIES_TO_SEND, HOOK_RCPT },
	{ "DATA", no_arguments_check, data_proceed,
	  HAVE_TLS | HAVE_SENDER | HAVE_RCPT | HAVE_NO_CHUNK, TRIES_TO_SEND,
	  -1 },
	{ "BDAT", bdat_check, bdat_proceed,
	  HAVE_TLS | HAVE_SENDER | HAVE_RCPT, HAS_PAYLOAD | TRIES_TO_SEND, -1 },
	{ "AUTH", NULL, unknown_proceed, 0, 0, -1 },
	{ "RSET", no_arguments_check, rset_proceed, 0, 0, -1 },
	{ "NOOP", NULL, noop_proceed, 0, 0, -1 },
	{ "QUIT", no_arguments_check, quit_proceed, 0, 0, -1 },
	{ "VRFY", vrfy_check, vrfy_proceed, HAVE_TLS, 0, -1 },
	{ "EXPN", NULL, expn_proceed, HAVE_TLS, 0, -1 },
	{ "HELP", NULL, help_proceed, 0, 0, -1 },
	/* what a web page can make a browser say to us */
	{ "GET", NULL, foreign_proceed, 0, 0, -1 },
	{ "POST", NULL, foreign_proceed, 0, 0, -1 },
	{ "PUT", NULL, foreign_proceed, 0, 0, -1 },
	{ "CONNECT", NULL, foreign_proceed, 0, 0, -1 },
	{ "OPTIONS", NULL, foreign_proceed, 0, 0, -1 },
};

static const struct command_row command_unknown = {
	"(unknown)", NULL, unknown_proceed, 0, 0, -1
};

const struct command_row command_connect = {
	"(connect)", NULL, connect_proceed, 0, REFUSED_CLOSES | TELL_REFUSED,
	HOOK_CONNECT
};

const struct command_row command_end_of_message = {
	"(end of message)", finish_check, finish_proceed, 0,
	ENDS_MESSAGE | TELL_REFUSED, HOOK_MESSAGE
};

/* --- refusing -------------------------------------------------------- */

static bool
makes_no_sense(const struct reply *r)
{
	return (r->code >= 500 && r->code <= 504) || r->code == 553 ||
	       r->code == 555;
}

static void
command_refuse(struct session *s, const struct reply *r)
{
	struct reply enough = reply(421, "4.7.0", "too many errors");

	if (makes_no_sense(r))
		s->bad++;
	if (s->bad > LIMIT_BAD_COMMANDS)
		r = &enough;
	if ((s->command->flags & HAS_PAYLOAD) && s->chunk_left > 0 &&
	    !r->closes)
		chunk_refuse(s, r);
	else
		session_answer(s, r);
}

/* --- sequence: RFC 5321 section 4.1.4 -------------------------------- */

static unsigned
session_has(const struct session *s)
{
	unsigned has = s->helo != NULL ? HAVE_HELLO : 0;

	if (s->secured || s->tls != LISTENER_REQUIRED)
		has |= HAVE_TLS;
	has |= s->tx.open ? HAVE_SENDER : HAVE_NO_SENDER;
	has |= s->tx.chunked ? 0 : HAVE_NO_CHUNK;
	if (s->tx.open && s->tx.env->rcpt_count > 0)
		has |= HAVE_RCPT;
	return has;
}

static const struct {
	unsigned lacks;
	int code;
	const char *enhanced, *words;
} sequence[] = {
	/* RFC 3207 section 4 */
	{ HAVE_TLS, 530, "5.7.0", "Must issue a STARTTLS command first" },
	{ HAVE_HELLO, 503, "5.5.1", "say EHLO or HELO first" },
	{ HAVE_NO_SENDER, 503, "5.5.1", "nested MAIL command" },
	{ HAVE_SENDER, 503, "5.5.1", "need MAIL command first" },
	{ HAVE_NO_CHUNK, 503, "5.5.1", "a message has begun with BDAT" },
	{ HAVE_RCPT, 503, "5.5.1",
	  "no valid recipients: need RCPT command first" },
};

static void
refuse_sequence(struct session *s, unsigned lacks)
{
	struct reply r;
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(sequence) && !(sequence[i].lacks & lacks))
		i++;
	r = reply(sequence[i].code, sequence[i].enhanced, "%s",
		  sequence[i].words);
	command_refuse(s, &r);
}

/* --- filters --------------------------------------------------------- */

/* How many chains see this step: the gateway's, and at the end of a message
 * the one of each item's route. */
static size_t
chains(const struct session *s)
{
	if (s->command->hook == HOOK_MESSAGE && s->tx.commit != NULL)
		return 1 + s->tx.commit->accept.n;
	return 1;
}

/* The chain whose turn it is, with what it shall see; NULL: none there. */
static struct filters *
chain_now(struct session *s)
{
	struct generation *g = s->tx.gen;
	struct commit *c = s->tx.commit;
	size_t i = s->tx.asking;

	s->txn.reply.code = 0;
	s->txn.env = s->tx.env;
	s->txn.rcpt = s->asked_rcpt;
	if (i == 0) {
		s->txn.prefix = c != NULL ? &c->prefix : NULL;
		return g->gateway;
	}
	s->txn.env = c->accept.items[i - 1]->env;
	s->txn.prefix = &c->accept.items[i - 1]->prefix;
	s->tx.routes_asked = true;
	return g->of_route[c->routes[i - 1]->index];
}

/* What a filter without words of its own says. */
static struct reply
standard_refusal(const struct command_row *row, postern_verdict v)
{
	if (v == POSTERN_DEFER)
		return reply(451, "4.7.1", "try again later");
	if (row == &command_connect)
		return reply(554, "5.7.1", "not for you");
	return reply(550, "5.7.1", "refused by local policy");
}

static void
refuse_by_filter(struct session *s, postern_verdict v)
{
	int class = v == POSTERN_DEFER ? 4 : 5;
	struct reply r = s->txn.reply;

	if (r.code / 100 != class)
		r = standard_refusal(s->command, v);
	if (s->command->flags & REFUSED_CLOSES)
		r.closes = true;
	if (s->command->hook == HOOK_HELO)
		hello_forget(s);
	command_refuse(s, &r);
}

/* One chain's answer; false when the command has been refused. */
static bool
verdict_take(struct session *s, postern_verdict v)
{
	struct commit *c = s->tx.commit;

	if (v == POSTERN_CONTINUE ||
	    (v == POSTERN_DISCARD && s->command->hook != HOOK_MESSAGE)) {
		s->tx.asking++;
		return true;
	}
	if (v == POSTERN_DISCARD) {
		if (s->tx.asking == 0) {
			s->tx.discarded = true;
			s->tx.asking = chains(s);
		} else {
			c->drop |= UINT64_C(1) << (s->tx.asking - 1);
			s->tx.asking++;
		}
		return true;
	}
	refuse_by_filter(s, v);
	return false;
}

static void
command_proceed(struct session *s)
{
	struct reply r = s->command->proceed(s);

	if (r.code != 0)
		session_answer(s, &r);
}

static void
command_ask(struct session *s)
{
	size_t n = chains(s);

	while (s->tx.asking < n) {
		struct filters *f;
		postern_verdict v = POSTERN_CONTINUE;

		if (s->tx.asking > 0)
			finish_prefixes(s);
		f = chain_now(s);
		if (f != NULL)
			v = filters_ask(f, (enum hook)s->command->hook,
					&s->txn);
		if (v == POSTERN_PENDING) {
			session_sleep(s, WAIT_FILTER);
			return;
		}
		if (!verdict_take(s, v))
			return;
	}
	command_proceed(s);
}

void
command_answered(struct postern_txn *txn, postern_verdict v)
{
	struct session *s = container_of(txn, struct session, txn);

	if (s->wait != WAIT_FILTER)
		return;
	session_wake(s);
	if (verdict_take(s, v))
		command_ask(s);
	session_step(s);
}

/* --- one command ----------------------------------------------------- */

void
command_start(struct session *s, const struct command_row *row,
	      struct span args)
{
	unsigned lacks;
	struct reply r;

	s->command = row;
	s->chunk_left = 0;
	if ((row->flags & HAS_PAYLOAD) && !row->check(s, args, &r)) {
		command_refuse(s, &r);
		return;
	}
	lacks = row->needs & ~session_has(s);
	if (lacks != 0) {
		refuse_sequence(s, lacks);
		return;
	}
	if (!(row->flags & HAS_PAYLOAD) && row->check != NULL &&
	    !row->check(s, args, &r)) {
		command_refuse(s, &r);
		return;
	}
	if (row->hook < 0) {
		command_proceed(s);
		return;
	}
	transaction_hold(s);
	s->tx.asking = s->tx.gen->asks ? 0 : chains(s);
	command_ask(s);
}

void
command_line(struct session *s, struct span line)
{
	const struct command_row *row = &command_unknown;
	struct span verb, args;

	command_split(line, &verb, &args);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (span_eq_nocase(verb, span_of(commands[i].verb))) {
			row = &commands[i];
			break;
		}
	command_start(s, row, args);
}
