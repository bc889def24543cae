/* own.c - a message of ours, from its text to an item for the queue
 *
 * Reports and notices have the null sender and one recipient.  The text is
 * sealed as a body of its own; the item that names it is handed to whoever
 * wanted it, and goes into the queue with what it is about.
 *
 * Which way it goes: dsn.route, or else the first route that matches.  A
 * route that is paused is passed over for any other one that matches: what
 * tells of a trouble must not wait for its end.
 */
#include "dispatch/inside.h"

#include "base/clock.h"
#include "mail/header.h"
#include "spool/draft.h"

enum { OWN_PIECE = 16 * 1024 };

/* --- which way ------------------------------------------------------- */

static bool
route_is_paused(struct dispatch *d, const struct route *r)
{
	const struct outlet *o = outlet_find(d, r->name);

	return o != NULL && outlet_is_paused(o);
}

const struct route *
own_route(struct dispatch *d, struct span to, struct span text)
{
	const struct route *first = NULL, *r = NULL;
	struct facts facts = {
		.own = true, .at_end = true, .size = text.n, .header = text,
	};
	struct error err;

	if (d->config->dsn_route != NULL)
		first = routes_find(d->routes, d->config->dsn_route);
	if (first != NULL && !route_is_paused(d, first))
		return first;
	if (!address_parse(to, ADDRESS_UTF8 | ADDRESS_NO_DOMAIN,
			   &facts.recipient, &err))
		facts.recipient.text = to;
	while ((r = routes_pick_after(d->routes, &facts, r)) != NULL) {
		if (!route_is_paused(d, r))
			return r;
		if (first == NULL)
			first = r;
	}
	return first;
}

/* --- its body -------------------------------------------------------- */

static struct item *
own_item(struct own *m, struct body *body)
{
	struct span to = span_of(m->to);
	struct mail_command mail = {
		.body = body->has_8bit ? BODY_8BITMIME : BODY_7BIT,
		.smtputf8 = address_needs_utf8(to), .size = body->size,
	};
	struct rcpt_command rcpt = { .notify = DSN_NOTIFY_NEVER };
	struct item *item = item_new();
	struct error err;

	if (!address_parse(to, ADDRESS_UTF8 | ADDRESS_NO_DOMAIN,
			   &rcpt.recipient, &err))
		rcpt.recipient.text = to;
	item->id = m->message_id * ITEM_ORDINALS;
	item->route = mem_strdup(m->route);
	item->env = envelope_new(&mail);
	envelope_add(item->env, &rcpt, 1);
	envelope_freeze(item->env);
	item->rcpts = mem_array(1, sizeof(*item->rcpts));
	item->body = body;
	item->created_ms = item->due_ms = clock_steady_ms();
	item->claimed = dispatch_window(m->dispatch, &item, 1);
	return item;
}

static void
on_sealed(void *arg, struct body *body, enum spool_status status,
	  const struct error *err)
{
	struct own *m = arg;

	(void)status;
	m->draft = NULL;		/* over with this answer */
	m->made(m, body != NULL ? own_item(m, body) : NULL, err);
}

static void
own_push(struct own *m)
{
	struct span all = buf_span(&m->text);

	while (m->pushed < all.n) {
		struct span piece = span_sub(all, m->pushed, OWN_PIECE);

		if (!draft_more(m->draft))
			return;		/* on_drained goes on */
		if (!buf_add(draft_buffer(m->draft), piece)) {
			struct error err;

			error_set(&err, ERROR_LIMIT, "no memory for it");
			draft_drop(&m->draft);
			m->made(m, NULL, &err);
			return;
		}
		m->pushed += piece.n;
	}
	draft_seal(m->draft, span_has_8bit(all), header_has_8bit(all));
}

static void
on_drained(void *arg)
{
	struct own *m = arg;

	if (m->pushed < m->text.len)
		own_push(m);
}

void
own_make(struct own *m, struct span to, const char *route)
{
	static const struct draft_events events = {
		.drained = on_drained, .sealed = on_sealed,
	};
	struct dispatch *d = m->dispatch;

	mem_free(m->to);
	mem_free(m->route);
	m->to = span_dup(to);
	m->route = mem_strdup(route);
	m->pushed = 0;
	m->message_id = message_id_next();
	m->draft = draft_new(d->spool, d->loop, m->message_id, &events, m);
	own_push(m);
}

void
own_fini(struct own *m)
{
	draft_drop(&m->draft);
	buf_fini(&m->text);
	mem_free(m->to);
	mem_free(m->route);
	m->to = m->route = NULL;
}

/* --- when it does not arrive ----------------------------------------- */

bool
item_is_own(const struct item *item)
{
	return item->origin.client == NULL && item->env->sender.text.n == 0;
}

static void
own_tell_lost(const struct item *item, struct span text, const char *failed)
{
	char id[ITEM_TEXT];
	struct dsn_story s;
	struct header_field subject = { .value = SPAN_NONE };
	struct span to = item->env->rcpts[0].address.text;

	item_id_text(item->id, id);
	if (!dsn_read(text, &s)) {
		header_find(text, SPAN("Subject"), 0, &subject);
		log_error(&dispatch_log, "%s: a mail of this gateway to %.*s "
			  "could not be delivered: \"%.*s\"; it failed with: "
			  "%s", id, SPAN_ARG(to), SPAN_ARG(subject.value),
			  failed);
		return;
	}
	log_error(&dispatch_log, "%s: a report to %.*s could not be "
		  "delivered; it was about message %s from <%s> to <%s>%s, "
		  "with the result: %s; the report failed with: %s", id,
		  SPAN_ARG(to), s.id, s.sender, s.rcpt,
		  s.rcpts > 1 ? " and others" : "", s.why, failed);
}

void
own_lost(struct dispatch *d, const struct item *item, struct span text,
	 const struct told_rcpt *t)
{
	AUTO(buf_fini) struct buf words = BUF_MAX(REMEDY_MAX +
						  2 * LIMIT_OUTCOME_TEXT);
	struct span to = item->env->rcpts[0].address.text;
	char said[2 * LIMIT_OUTCOME_TEXT];

	outcome_text_at(&t->outcome, said, sizeof(said));
	buf_addf(&words, "%s%s%s", said, t->remedy ? "; remedy: " : "",
		 t->remedy ? t->remedy : "");
	own_tell_lost(item, text, buf_str(&words));
	d->reports.undelivered++;
	d->reports.last_ms = clock_steady_ms();
	mem_free(d->reports_last);
	d->reports_last = mem_printf("to %.*s by route `%s': %s",
				     SPAN_ARG(to), item->route,
				     buf_str(&words));
}
