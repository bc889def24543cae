/* finish.c - the end of a message: look, choose routes, make items, commit
 *
 * In order: finish_check looks at the header and makes one item for each
 * distinct route; the filters see them; finish_proceed seals the body;
 * finish_sealed sends all to the spool; commit_done answers the client.
 * Nothing is promised before that.  A client that has gone meanwhile changes
 * nothing about the message.
 */
#include "smtpd/session.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "mail/header.h"
#include "route/route.h"

#include <stdio.h>

enum { TRACE_MAX = 160 };		/* of what Received says of TLS */

/* --- routes ---------------------------------------------------------- */

/* The place of r among the message's routes; false when there are too many. */
static bool
route_place(struct commit *c, const struct route *r, unsigned char *ret)
{
	size_t i = 0;

	while (i < c->accept.n && c->routes[i] != r)
		i++;
	if (i == LIMIT_ROUTES_PER_MESSAGE)
		return false;
	c->routes[i] = r;
	c->accept.n = MAX(c->accept.n, i + 1);
	*ret = (unsigned char)i;
	return true;
}

/* Fills place[] for every recipient; with the first that has no route the
 * whole message is refused. */
static bool
choose_routes(struct session *s, struct facts *f, unsigned char *place,
	      struct reply *reterr)
{
	const struct envelope *env = s->tx.env;
	const struct routes *routes = s->tx.gen->routes;

	for (size_t i = 0; i < env->rcpt_count; i++) {
		const struct route *r;

		f->recipient = env->rcpts[i].address;
		r = routes != NULL ? routes_pick(routes, f, NULL) : NULL;
		if (r == NULL) {
			*reterr = refuse_route(s, f);
			return false;
		}
		if (!route_place(s->tx.commit, r, &place[i])) {
			*reterr = reply(554, "5.5.3", "the recipients need "
					"more than %d routes",
					LIMIT_ROUTES_PER_MESSAGE);
			return false;
		}
	}
	return true;
}

/* --- the fields in front --------------------------------------------- */

static struct span
received_with(const struct session *s, const struct envelope *env)
{
	static const struct {
		struct span clear, secured;
	} words[] = {			/* RFC 3848, RFC 6531 section 4.3 */
		{ { "ESMTP", 5 }, { "ESMTPS", 6 } },
		{ { "UTF8SMTP", 8 }, { "UTF8SMTPS", 9 } },
	};

	if (!s->extended)
		return SPAN("SMTP");
	return s->secured ? words[env->smtputf8].secured
			  : words[env->smtputf8].clear;
}

static void
add_received(struct session *s, struct buf *prefix, const char *id)
{
	AUTO(buf_fini) struct buf tls = BUF_MAX(TRACE_MAX);
	const struct envelope *env = s->tx.env;
	char client[IP_TEXT + 8];
	struct received r = {
		.helo = span_of(s->helo),
		.by = span_of(session_config(s)->hostname),
		.with = received_with(s, env),
		.id = span_of(id),
		.wall_ms = clock_wall_ms(),
	};

	snprintf(client, sizeof(client), "%s%s",
		 s->client.family == 6 ? "IPv6:" : "", s->client_text);
	r.client = span_of(client);
	if (tls_trace(s, &tls))
		r.tls = buf_span(&tls);
	if (env->rcpt_count == 1)
		r.for_ = env->rcpts[0].address.text;
	if (header_add_received(prefix, &r))
		return;
	r.helo = r.for_ = SPAN_NONE;	/* what no header may hold */
	header_add_received(prefix, &r);
}

static void
add_missing(struct session *s, struct buf *prefix, const char *id,
	    const struct header_facts *h)
{
	AUTO(buf_fini) struct buf value = BUF_MAX(LIMIT_DOMAIN + 32);
	char date[64];

	if (!h->has_date)
		header_add(prefix, SPAN("Date"),
			   span_of(clock_rfc5322(clock_wall_ms(), date,
						 sizeof(date))));
	if (h->has_message_id)
		return;
	buf_addf(&value, "<%s@%s>", id, session_config(s)->full_name);
	header_add(prefix, SPAN("Message-ID"), buf_span(&value));
}

void
finish_prefixes(struct session *s)
{
	struct commit *c = s->tx.commit;

	if (c->prefixed)
		return;
	for (size_t i = 0; i < c->accept.n; i++)
		buf_add(&c->accept.items[i]->prefix, buf_span(&c->prefix));
	c->prefixed = true;
}

/* --- items ----------------------------------------------------------- */

/* The envelope of the item at this place.  When nobody else wants to see it,
 * the transaction's own is handed over. */
static struct envelope *
item_envelope(struct session *s, size_t at, const unsigned char *place)
{
	struct envelope *env = s->tx.env, *part;
	size_t *index, n = 0;

	if (s->tx.commit->accept.n == 1 && !s->tx.gen->asks) {
		s->tx.env = NULL;
		return env;
	}
	index = mem_array(env->rcpt_count, sizeof(*index));
	for (size_t i = 0; i < env->rcpt_count; i++)
		if (place[i] == at)
			index[n++] = i;
	part = envelope_subset(env, index, n);
	envelope_charge(part, s->server->deps.memory);
	envelope_freeze(part);
	mem_free(index);
	return part;
}

static struct item *
item_make(struct session *s, size_t at, struct span message_id)
{
	struct item *item = item_new();

	item->id = s->tx.id * ITEM_ORDINALS + at;
	item->route = mem_strdup(s->tx.commit->routes[at]->name);
	item->origin.client = mem_strdup(s->client_text);
	item->origin.helo = mem_strdup(s->helo);
	item->origin.listener = mem_strdup(s->listener);
	item->origin.message_id = message_id.n > 0 ? span_dup(message_id)
						   : NULL;
	item->created_ms = item->due_ms = clock_steady_ms();
	return item;
}

static void
make_items(struct session *s, const unsigned char *place,
	   struct span message_id)
{
	struct commit *c = s->tx.commit;

	for (size_t i = 0; i < c->accept.n; i++)
		c->accept.items[i] = item_make(s, i, message_id);
	for (size_t i = 0; i < c->accept.n; i++) {
		struct item *item = c->accept.items[i];

		item->env = item_envelope(s, i, place);
		item->rcpts = mem_array(item->env->rcpt_count,
					sizeof(*item->rcpts));
	}
}

/* --- the line in the log --------------------------------------------- */

static const char *const fact_keys[FACTS] = {
	[FACT_ID] = "id", [FACT_CLIENT] = "client", [FACT_HELO] = "helo",
	[FACT_TLS] = "tls", [FACT_FROM] = "from", [FACT_ROUTES] = "routes",
};

static void
fact_keep(struct commit_facts *f, enum fact which, struct span s)
{
	buf_add(&f->text, s);
	f->end[which] = f->text.len;
}

/* While the envelope is still at hand. */
static void
facts_keep(struct session *s, const char *id)
{
	struct commit *c = s->tx.commit;
	struct commit_facts *f = &c->facts;

	f->size = draft_size(s->tx.draft);
	f->rcpts = s->tx.env->rcpt_count;
	fact_keep(f, FACT_ID, span_of(id));
	fact_keep(f, FACT_CLIENT, span_of(s->client_text));
	fact_keep(f, FACT_HELO, span_of(s->helo));
	fact_keep(f, FACT_TLS, tls_text(s));
	fact_keep(f, FACT_FROM, s->tx.env->sender.text);
	for (size_t i = 0; i < c->accept.n; i++)
		buf_addf(&f->text, "%s%s", i > 0 ? "," : "",
			 c->routes[i]->name);
	fact_keep(f, FACT_ROUTES, SPAN_NONE);
}

static void
facts_log(const struct commit *c, const char *what)
{
	const struct commit_facts *f = &c->facts;
	struct log_field fields[FACTS + 2];
	size_t from = 0, n = 0;

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	for (size_t i = 0; i < FACTS; from = f->end[i], i++)
		if (i != FACT_TLS || f->end[i] > from)
			fields[n++] = LOG_TEXT(fact_keys[i],
				span_sub(buf_span(&f->text), from,
					 f->end[i] - from));
	fields[n++] = LOG_NUM("rcpts", (int64_t)f->rcpts);
	fields[n++] = LOG_NUM("size", (int64_t)f->size);
	log_event(&c->server->log, LOG_LEVEL_INFO, fields, n, "%s", what);
}

/* --- check ----------------------------------------------------------- */

/* What is wrong with the message itself. */
static bool
message_check(const struct session *s, const struct header_facts *h,
	      struct reply *reterr)
{
	const struct dot_decoder *d = &s->tx.fixup.decoder;

	if (d->size > (uint64_t)session_config(s)->message_size)
		*reterr = refuse_size();
	else if (d->saw_bare && !d->repair)
		*reterr = reply(550, "5.5.2", "a bare CR or LF in the message");
	else if (h->received > LIMIT_RECEIVED)
		*reterr = reply(554, "5.4.6", "too many hops: %u Received "
				"fields, this is a loop", h->received);
	else
		return true;
	return false;
}

bool
finish_check(struct session *s, struct span args, struct reply *reterr)
{
	const struct header_facts *h = &s->tx.fixup.facts;
	struct facts facts;
	struct commit *c;
	unsigned char *place;
	char id[ITEM_TEXT];

	(void)args;
	if (!message_check(s, h, reterr))
		return false;
	envelope_freeze(s->tx.env);
	c = s->tx.commit = commit_new(s->server);
	route_facts(s, &facts);
	facts.at_end = true;
	facts.header = span_sub(draft_head(s->tx.draft), 0, h->length);
	facts.size = draft_size(s->tx.draft);
	place = arena_alloc(s->tx.env->arena, s->tx.env->rcpt_count);
	if (!choose_routes(s, &facts, place, reterr)) {
		c->accept.n = 0;	/* there are no items yet */
		return false;
	}
	item_id_text(s->tx.id * ITEM_ORDINALS, id);
	facts_keep(s, id);
	add_received(s, &c->prefix, id);
	add_missing(s, &c->prefix, id, h);
	s->txn.head = facts.header;
	s->txn.size = facts.size;
	make_items(s, place, h->message_id);
	return true;
}

/* --- proceed --------------------------------------------------------- */

static struct reply
accepted(const struct session *s)
{
	char id[ITEM_TEXT];

	return reply(250, "2.0.0", "Ok: queued as %s",
		     item_id_text(s->tx.id * ITEM_ORDINALS, id));
}

/* Takes out the items that filters have discarded. */
static void
items_drop(struct commit *c, uint64_t which)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->accept.n; i++) {
		if (which >> i & 1)
			item_free(&c->accept.items[i]);
		else
			c->accept.items[kept++] = c->accept.items[i];
	}
	c->accept.n = kept;
}

struct reply
finish_proceed(struct session *s)
{
	struct commit *c = s->tx.commit;

	items_drop(c, s->tx.discarded ? UINT64_MAX : c->drop);
	if (c->accept.n == 0) {
		facts_log(c, "discarded by a filter");
		trace_accepted(s);
		return accepted(s);
	}
	finish_prefixes(s);
	session_sleep(s, WAIT_COMMIT);
	draft_seal(s->tx.draft, s->tx.fixup.decoder.saw_8bit,
		   s->tx.fixup.header_8bit);
	return (struct reply){ .code = 0 };
}

/* --- commit ---------------------------------------------------------- */

static struct reply
status_reply(enum spool_status status)
{
	if (status == SPOOL_FULL)
		return reply(452, "4.3.1", "Insufficient system storage");
	return reply(451, "4.3.0", "the queue has an error, try again later");
}

static void
commit_answer(struct session *s, const struct reply *r)
{
	session_wake(s);
	session_answer(s, r);
	session_step(s);
}

static void
commit_done(struct spool_op *op)
{
	struct commit *c = container_of(op, struct commit, accept.op);
	struct smtpd *server = c->server;
	struct session *s = ticket_find(server->tickets, c->session);
	struct reply r = status_reply(op->status);

	server->commits--;
	if (op->status == SPOOL_OK) {
		c->accept.n = 0;	/* the items are on their way */
		c->reserved = false;
		atomic_fetch_add(&server->count_accepted, 1);
		facts_log(c, "accepted");
	} else {
		log_error(&server->log, "a message could not be stored: %s",
			  op->err.text);
	}
	if (s != NULL) {
		if (op->status == SPOOL_OK) {
			s->bad = 0;
			r = accepted(s);
		}
		commit_answer(s, &r);
	}
	commit_free(&c);
	smtpd_check_stopped(server);
}

static void
commit_send(struct session *s, struct body *body)
{
	struct commit *c = s->tx.commit;
	struct smtpd *server = s->server;

	s->tx.commit = NULL;
	trace_accepted(s);	/* whoever hears the answer */
	c->session = s->ticket;
	c->reserved = server->deps.window(server->deps.window_arg,
					  c->accept.items, c->accept.n);
	for (size_t i = 0; i < c->accept.n; i++) {
		c->accept.items[i]->claimed = c->reserved;
		c->accept.items[i]->body = body_ref(body);
	}
	body_unref(&body);
	c->accept.op.home = loop_mailbox(server->deps.loop);
	c->accept.op.done = commit_done;
	server->commits++;
	spool_accept(server->deps.spool, &c->accept);
}

/* Perhaps from inside draft_seal(). */
void
finish_sealed(void *arg, struct body *body, enum spool_status status,
	      const struct error *err)
{
	struct session *s = arg;
	struct reply r;

	s->tx.draft = NULL;
	if (body != NULL) {
		commit_send(s, body);
		return;
	}
	log_error(&s->server->log, "a message could not be stored: %s",
		  err->text);
	r = status_reply(status);
	commit_answer(s, &r);
}
