/* bounce.c - delivery reports, from the need for one to its place in the queue
 *
 * A report is made for one settlement: the head of the original is read, for
 * each that is told a message is written (mail/dsn.h) and sealed as a body of
 * its own, and the items go into the transaction that settles the recipients
 * it is about.  So a recipient never becomes bounced without its report being
 * durable.
 *
 * What can fail: the head cannot be read (the report goes without it); no
 * route takes the report (logged as an error; the recipient is settled all
 * the same, or it would bounce for ever); the body cannot be written (the
 * recipient stays queued and bounces again later).
 */
#include "dispatch/inside.h"

#include "base/clock.h"
#include "dispatch/remedy.h"
#include "mail/header.h"
#include "spool/draft.h"

enum {
	REPORT_MAX = 512 * 1024,	/* of a report, and what more it may */
	REPORT_RCPT_MAX = 4 * 1024,	/* be for each recipient */
	REPORT_PIECE = 16 * 1024,
};

struct told_rcpt {
	size_t index;
	enum dsn_action action;
	unsigned audience;
	struct outcome outcome;
};

struct report {
	struct attempt *attempt;
	struct dispatch *dispatch;
	struct snapshot *snap;		/* what it began with; keeps route */
	const struct dispatch_config *config;
	enum backend_manner manner;	/* of the route that they took */
	struct told_rcpt *told;
	size_t n, room;
	unsigned audience;		/* not yet written to, of enum told */
	enum told writing;
	struct body_source *source;
	struct buf original, text;
	size_t pushed;			/* bytes of text in the draft */
	const struct route *route;
	uint64_t message_id;
	struct draft *draft;
	struct spool_accept *accept;
	bool failed;			/* the sender's could not be kept */
	struct later later;
};

/* --- who is told: pure ----------------------------------------------- */

static bool
goes_to(const struct item *item, size_t rcpt, const char *address)
{
	struct span s = item->env->rcpts[rcpt].address.text;

	return span_eq_nocase(s, span_of(address));
}

unsigned
report_audience(const struct item *item, size_t rcpt, enum dsn_action action,
		const struct dispatch_config *c)
{
	const struct rcpt *r = &item->env->rcpts[rcpt];
	struct span sender = item->env->sender.text;
	unsigned audience = TOLD_NOBODY;

	/* RFC 5321 section 4.5.5: never about a null sender's mail */
	if (sender.n > 0 && dsn_wanted(r->notify, action))
		audience |= TOLD_SENDER;
	if (action != DSN_FAILED || c->dsn_to == NULL)
		return audience;
	/* one that does not reach them makes no other; and one is enough */
	if (goes_to(item, rcpt, c->dsn_to) ||
	    ((audience & TOLD_SENDER) != 0 &&
	     span_eq_nocase(sender, span_of(c->dsn_to))))
		return audience;
	return audience | TOLD_OPERATOR;
}

/* --- collecting ------------------------------------------------------ */

struct report *
report_new(struct attempt *a, enum backend_manner m)
{
	struct report *r = NEW(struct report);

	r->attempt = a;
	r->dispatch = a->dispatch;
	r->snap = snapshot_ref(a->dispatch->snap);
	r->config = a->dispatch->config;
	r->manner = m;
	r->original = BUF_MAX(LIMIT_DSN_ORIGINAL);
	r->text = BUF_MAX(REPORT_MAX);
	a->reports++;
	return r;
}

static void
report_free(struct later *l)
{
	struct report *r = container_of(l, struct report, later);

	draft_drop(&r->draft);
	buf_fini(&r->original);
	buf_fini(&r->text);
	snapshot_unref(&r->snap);
	mem_free(r->told);
	mem_free(r);
}

void
report_add(struct report *r, size_t rcpt, enum dsn_action action,
	   unsigned audience, const struct outcome *o)
{
	if (r->n == r->room) {
		r->room = r->room == 0 ? 1 : r->room * 2;
		r->told = mem_resize(r->told, r->room, sizeof(*r->told));
	}
	r->told[r->n++] = (struct told_rcpt){
		.index = rcpt, .action = action, .audience = audience,
		.outcome = *o,
	};
	r->audience |= audience;
	if (action == DSN_DELAYED && audience != TOLD_NOBODY)
		r->attempt->item->warned_ms = clock_steady_ms();
}

static struct span
report_to(const struct report *r)
{
	const struct attempt *a = r->attempt;

	return r->writing == TOLD_OPERATOR
	     ? span_of(r->config->dsn_to)
	     : a->item->env->sender.text;
}

/* --- the end --------------------------------------------------------- */

/* Nobody could be told: the recipients wait and bounce again. */
static void
report_undo(struct attempt *a, size_t rcpt)
{
	a->item->rcpts[rcpt].state = RCPT_QUEUED;
	a->queued++;
	attempt_wish(a, clock_steady_ms() + attempt_pause(a));
}

static void
report_finish(struct report *r)
{
	struct attempt *a = r->attempt;
	struct spool_accept *also = r->accept;
	char words[LIMIT_OUTCOME_TEXT + 200];

	for (size_t i = 0; i < r->n; i++) {
		const struct told_rcpt *t = &r->told[i];

		if (t->action != DSN_FAILED)
			continue;
		if (r->failed && (t->audience & TOLD_SENDER) != 0)
			report_undo(a, t->index);
		else
			attempt_result(a, t->index, RCPT_BOUNCED,
				outcome_text_at(&t->outcome, words,
						sizeof(words)));
	}
	r->accept = NULL;
	/* borrows the item, which is gone when it has been settled */
	body_source_free(&r->source);
	a->reports--;
	settle_flush(a, also);
	r->later.run = report_free;
	loop_later(r->dispatch->loop, &r->later);
}

/* --- one message ----------------------------------------------------- */

static void report_next(struct report *r);

static void
report_add_item(struct report *r, struct body *body)
{
	bool utf8 = address_needs_utf8(report_to(r));
	struct mail_command mail = {
		.body = body->has_8bit ? BODY_8BITMIME : BODY_7BIT,
		.smtputf8 = utf8, .size = body->size,
	};
	struct rcpt_command rcpt = { .notify = DSN_NOTIFY_NEVER };
	struct item *item = item_new();
	struct error err;

	if (!address_parse(report_to(r), ADDRESS_UTF8 | ADDRESS_NO_DOMAIN,
			   &rcpt.recipient, &err))
		rcpt.recipient.text = report_to(r);
	item->id = r->message_id * ITEM_ORDINALS;
	item->route = mem_strdup(r->route->name);
	item->env = envelope_new(&mail);
	envelope_add(item->env, &rcpt, 1);
	envelope_freeze(item->env);
	item->rcpts = mem_array(1, sizeof(*item->rcpts));
	item->body = body;
	item->created_ms = item->due_ms = clock_steady_ms();
	item->claimed = dispatch_window(r->dispatch, &item, 1);

	if (r->accept == NULL)
		r->accept = NEW(struct spool_accept);
	r->accept->items[r->accept->n++] = item;
}

static void
on_sealed(void *arg, struct body *body, enum spool_status status,
	  const struct error *err)
{
	struct report *r = arg;
	char id[ITEM_TEXT];

	(void)status;
	r->draft = NULL;		/* over with this answer */
	if (body == NULL) {
		log_error(&dispatch_log, "%s: a report to %.*s could not be "
			  "kept: %s", item_id_text(r->attempt->item->id, id),
			  SPAN_ARG(report_to(r)), err->text);
		if (r->writing == TOLD_SENDER)
			r->failed = true;
	} else {
		report_add_item(r, body);
	}
	report_next(r);
}

static void
report_push(struct report *r)
{
	struct span all = buf_span(&r->text);

	while (r->pushed < all.n) {
		struct span piece = span_sub(all, r->pushed, REPORT_PIECE);

		if (!draft_more(r->draft))
			return;		/* on_drained goes on */
		if (!buf_add(draft_buffer(r->draft), piece)) {
			struct error err;

			error_set(&err, ERROR_LIMIT, "no memory for it");
			draft_drop(&r->draft);
			on_sealed(r, NULL, SPOOL_FAILED, &err);
			return;
		}
		r->pushed += piece.n;
	}
	draft_seal(r->draft, span_has_8bit(all), header_has_8bit(all));
}

static void
on_drained(void *arg)
{
	struct report *r = arg;

	if (r->pushed < r->text.len)
		report_push(r);
}

static void
report_facts(const struct report *r, struct dsn_facts *f)
{
	const struct item *item = r->attempt->item;
	const struct dispatch_config *c = r->config;

	*f = (struct dsn_facts){
		.reader = r->writing == TOLD_OPERATOR ? DSN_FOR_OPERATOR
						      : DSN_FOR_SENDER,
		.hostname = span_of(c->hostname),
		.to = report_to(r), .sender = item->env->sender.text,
		.envid = item->env->envid, .ret = item->env->ret,
		.arrival_ms = clock_wall_of(item->created_ms),
		.now_ms = clock_wall_ms(),
		.until_ms = clock_wall_of(item->created_ms + item->paused_ms +
					  c->retry.give_up),
		.attempts = item->attempts + 1,
		.original = buf_span(&r->original),
		.whole = r->original.len == item_size(item),
		.smtputf8 = item->env->smtputf8 ||
			    address_needs_utf8(report_to(r)),
		.client = span_of(item->origin.client),
		.helo = span_of(item->origin.helo),
		.user = span_of(item->origin.user),
		.listener = span_of(item->origin.listener),
		.route = span_of(item->route),
	};
}

static bool
report_write(struct report *r)
{
	const struct item *item = r->attempt->item;
	struct dsn_rcpt *rcpts = mem_array(r->n + 1, sizeof(*rcpts));
	char id[ITEM_TEXT];
	struct dsn_facts f;
	bool ok;

	report_facts(r, &f);
	f.id = span_of(item_id_text(item->id, id));
	f.rcpts = rcpts;
	for (size_t i = 0; i < r->n; i++) {
		const struct told_rcpt *t = &r->told[i];
		const struct rcpt *rcpt = &item->env->rcpts[t->index];

		if ((t->audience & r->writing) == 0)
			continue;
		f.sender_told = f.sender_told ||
				(t->audience & TOLD_SENDER) != 0;
		rcpts[f.rcpt_count++] = (struct dsn_rcpt){
			.address = rcpt->address.text,
			.orcpt = rcpt->orcpt, .action = t->action,
			.outcome = &t->outcome,
			.remedy = remedy_of(&t->outcome, r->manner),
		};
	}
	buf_clear(&r->text);
	r->text.max = REPORT_MAX + r->n * REPORT_RCPT_MAX;
	ok = dsn_write(&r->text, &f);
	mem_free(rcpts);
	return ok;
}

static const struct route *
report_route(const struct report *r)
{
	const struct routes *routes = snapshot_get(r->snap, SLOT_ROUTES);
	struct facts facts = {
		.own = true, .at_end = true, .size = r->text.len,
		.header = buf_span(&r->text),
	};
	struct error err;

	if (r->config->dsn_route != NULL)
		return routes_find(routes, r->config->dsn_route);
	if (!address_parse(report_to(r), ADDRESS_UTF8 | ADDRESS_NO_DOMAIN,
			   &facts.recipient, &err))
		facts.recipient.text = report_to(r);
	return routes_pick(routes, &facts, NULL);
}

static void
report_write_to(struct report *r, enum told who)
{
	static const struct draft_events events = {
		.drained = on_drained, .sealed = on_sealed,
	};
	struct dispatch *d = r->dispatch;
	char id[ITEM_TEXT];

	r->writing = who;
	r->audience &= ~(unsigned)who;
	item_id_text(r->attempt->item->id, id);
	if (!report_write(r)) {
		log_error(&dispatch_log, "%s: the report to %.*s is too big",
			  id, SPAN_ARG(report_to(r)));
		report_next(r);
		return;
	}
	r->route = report_route(r);
	if (r->route == NULL) {
		d->lost_reports++;
		log_error(&dispatch_log, "%s: %.*s is not told: no route takes "
			  "the report; set dsn.route, or add \"<>\" to a "
			  "route's match.sender", id, SPAN_ARG(report_to(r)));
		report_next(r);
		return;
	}
	r->pushed = 0;
	r->message_id = message_id_next();
	r->draft = draft_new(d->spool, d->loop, r->message_id, &events, r);
	report_push(r);
}

static void
report_next(struct report *r)
{
	if ((r->audience & TOLD_SENDER) != 0)
		report_write_to(r, TOLD_SENDER);
	else if ((r->audience & TOLD_OPERATOR) != 0 && !r->failed)
		report_write_to(r, TOLD_OPERATOR);
	else
		report_finish(r);
}

/* --- the original ---------------------------------------------------- */

static void
on_original(void *arg, struct span bytes, const struct error *err)
{
	struct report *r = arg;
	size_t room;

	room = LIMIT_DSN_ORIGINAL - r->original.len;
	if (err == NULL)
		buf_add(&r->original, span_sub(bytes, 0, room));
	room = LIMIT_DSN_ORIGINAL - r->original.len;
	if (err == NULL && bytes.n > 0 && room > 0)
		r->source->ops->read(r->source, r->original.len, room,
				     on_original, r);
	else	/* not from within the source's callback */
		loop_later(r->dispatch->loop, &r->later);
}

static void
report_go(struct later *l)
{
	report_next(container_of(l, struct report, later));
}

static void
report_tell_untold(const struct report *r)
{
	const struct item *item = r->attempt->item;
	char id[ITEM_TEXT];

	for (size_t i = 0; i < r->n; i++)
		if (r->told[i].action == DSN_FAILED &&
		    r->told[i].audience == TOLD_NOBODY)
			log_warning(&dispatch_log, "%s: nobody is told that "
				"%.*s did not get it: %s",
				item_id_text(item->id, id),
				SPAN_ARG(item->env->rcpts[r->told[i].index]
					 .address.text),
				item->env->sender.text.n == 0
				? "it has no sender" : "nobody wants to know");
}

void
report_send(struct report *r)
{
	struct attempt *a = r->attempt;

	report_tell_untold(r);
	if (r->audience == TOLD_NOBODY) {
		report_finish(r);
		return;
	}
	r->later.run = report_go;
	r->source = spool_source(a->dispatch->spool, a->item,
				 a->dispatch->loop);
	r->source->ops->read(r->source, 0, LIMIT_DSN_ORIGINAL, on_original, r);
}
