/* bounce.c - delivery reports, from the need for one to its place in the queue
 *
 * Recipients of one destination are told together, however many jobs they
 * took.  A report is made for one settlement: the head of the original is
 * read, for each that is told a message is written (mail/dsn.h) and sealed as
 * a body of its own, and the items go into the transaction that settles the
 * recipients it is about.  So a recipient never becomes bounced without its
 * report being durable.
 *
 * What can fail: the head cannot be read (the report goes without it); no
 * route takes the report (logged as an error; the recipient is settled all
 * the same, or it would bounce for ever); the body cannot be written (the
 * recipient stays queued and bounces again later).
 */
#include "dispatch/inside.h"

#include "base/clock.h"

enum {
	REPORT_MAX = 512 * 1024,	/* of a report, and what more it may */
	REPORT_RCPT_MAX = 4 * 1024,	/* be for each recipient */
};

struct report {
	struct attempt *attempt;
	struct dispatch *dispatch;
	struct snapshot *snap;		/* what it began with; keeps config */
	const struct dispatch_config *config;
	struct told_rcpt *told;
	size_t n, room;
	unsigned audience;		/* not yet written to, of enum told */
	enum told writing;
	struct body_source *source;
	struct buf original;
	struct own mail;		/* the one that is being written */
	struct spool_accept *accept;
	bool failed;			/* the sender's could not be kept */
	struct later later;
};

static void report_next(struct report *r);
static void report_made(struct own *m, struct item *item,
			const struct error *err);

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

	/* of what failed, dsn.to had a report of its own */
	if (item_is_own(item))
		return TOLD_NOBODY;
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
report_new(struct attempt *a)
{
	struct report *r = NEW(struct report);

	r->attempt = a;
	r->dispatch = a->dispatch;
	r->snap = snapshot_ref(a->dispatch->snap);
	r->config = a->dispatch->config;
	r->original = BUF_MAX(LIMIT_DSN_ORIGINAL);
	r->mail = (struct own){
		.dispatch = a->dispatch, .made = report_made,
		.text = BUF_MAX(REPORT_MAX),
	};
	a->reports++;
	return r;
}

static void
report_free(struct later *l)
{
	struct report *r = container_of(l, struct report, later);

	own_fini(&r->mail);
	buf_fini(&r->original);
	snapshot_unref(&r->snap);
	for (size_t i = 0; i < r->n; i++)
		mem_free(r->told[i].remedy);
	mem_free(r->told);
	mem_free(r);
}

void
report_add(struct report *r, const struct told_rcpt *t)
{
	if (r->n == r->room) {
		r->room = r->room == 0 ? 1 : r->room * 2;
		r->told = mem_resize(r->told, r->room, sizeof(*r->told));
	}
	r->told[r->n++] = *t;
	r->audience |= t->audience;
	if (t->action == DSN_DELAYED && t->audience != TOLD_NOBODY) {
		r->attempt->item->warned_ms = clock_steady_ms();
		r->attempt->warns = true;	/* the others of this time, too */
	}
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

static void
report_made(struct own *m, struct item *item, const struct error *err)
{
	struct report *r = container_of(m, struct report, mail);
	char id[ITEM_TEXT];

	if (item == NULL) {
		log_error(&dispatch_log, "%s: a report to %.*s could not be "
			  "stored: %s", item_id_text(r->attempt->item->id, id),
			  SPAN_ARG(report_to(r)), err->text);
		if (r->writing == TOLD_SENDER)
			r->failed = true;
	} else {
		if (r->accept == NULL)
			r->accept = NEW(struct spool_accept);
		r->accept->items[r->accept->n++] = item;
	}
	report_next(r);
}

/* How long its pauses take in all; of one that lasts, at most. */
static int64_t
report_paused_ms(const struct report *r)
{
	int64_t paused_ms = r->attempt->item->paused_ms;

	return r->attempt->pauses
	     ? MAX(paused_ms, r->config->retry.paused_longest) : paused_ms;
}

static void
report_facts(const struct report *r, struct dsn_facts *f)
{
	const struct item *item = r->attempt->item;
	const struct dispatch_config *c = r->config;

	*f = (struct dsn_facts){
		.reader = r->writing == TOLD_OPERATOR ? DSN_FOR_OPERATOR
						      : DSN_FOR_SENDER,
		.hostname = span_of(c->full_name),
		.to = report_to(r), .sender = item->env->sender.text,
		.envid = item->env->envid, .ret = item->env->ret,
		.arrival_ms = clock_wall_of(item->created_ms),
		.now_ms = clock_wall_ms(),
		.until_ms = clock_wall_of(item->created_ms +
					  report_paused_ms(r) +
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
			.remedy = t->remedy,
		};
	}
	buf_clear(&r->mail.text);
	r->mail.text.max = REPORT_MAX + r->n * REPORT_RCPT_MAX;
	ok = dsn_write(&r->mail.text, &f);
	mem_free(rcpts);
	return ok;
}

static void
report_has_no_route(struct report *r, const char *id)
{
	const struct item *item = r->attempt->item;

	r->dispatch->reports.no_route++;
	log_error(&dispatch_log, "%s: %.*s gets no report about the "
		  "message from <%.*s> to <%.*s>: no route takes the report; "
		  "set dsn.route, or add \"<>\" to a route's match.sender", id,
		  SPAN_ARG(report_to(r)), SPAN_ARG(item->env->sender.text),
		  SPAN_ARG(item->env->rcpts[r->told[0].index].address.text));
}

static void
report_write_to(struct report *r, enum told who)
{
	const struct route *route;
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
	route = own_route(r->dispatch, report_to(r), buf_span(&r->mail.text));
	if (route == NULL) {
		report_has_no_route(r, id);
		report_next(r);
		return;
	}
	own_make(&r->mail, report_to(r), route->name);
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

/* Our own mail, of which nobody can be told: what it was about is logged. */
static void
report_tell_lost(const struct report *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->told[i].action == DSN_FAILED)
			own_lost(r->dispatch, r->attempt->item,
				 buf_span(&r->original), &r->told[i]);
}

static void
report_go(struct later *l)
{
	struct report *r = container_of(l, struct report, later);

	if (item_is_own(r->attempt->item))
		report_tell_lost(r);
	report_next(r);
}

static void
report_tell_untold(const struct report *r)
{
	const struct item *item = r->attempt->item;
	char id[ITEM_TEXT];

	for (size_t i = 0; i < r->n; i++)
		if (r->told[i].action == DSN_FAILED &&
		    r->told[i].audience == TOLD_NOBODY)
			log_warning(&dispatch_log, "%s: no report says that "
				"%.*s did not get the message: %s",
				item_id_text(item->id, id),
				SPAN_ARG(item->env->rcpts[r->told[i].index]
					 .address.text),
				item->env->sender.text.n == 0
				? "it has no sender" : "the sender wants no report");
}

void
report_send(struct report *r)
{
	struct attempt *a = r->attempt;
	bool own = item_is_own(a->item);

	if (!own)
		report_tell_untold(r);
	if (r->audience == TOLD_NOBODY && !own) {
		report_finish(r);
		return;
	}
	r->later.run = report_go;
	r->source = spool_source(a->dispatch->spool, a->item,
				 a->dispatch->loop);
	r->source->ops->read(r->source, 0, LIMIT_DSN_ORIGINAL, on_original, r);
}
