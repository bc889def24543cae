/* notice_send.c - the mail about a pause, from the wish to the queue
 *
 * A worker counts what waits; then the text is written, sealed, and put into
 * the queue.  It leaves by own_route(): the paused route itself has it only
 * where no other route takes it.
 *
 * What can fail: no route takes it (counted and logged, as a report is); the
 * spool does not take it (made again after a while).  The outlet may be gone
 * when the mail is ready: it is found by its name, and what the mail says is
 * copied at the beginning.
 */
#include "dispatch/inside.h"

#include "base/arena.h"
#include "base/clock.h"

#include <string.h>

enum { NOTICE_TEXT_MAX = 64 * 1024, BACKLOGS_MAX = 100 * 1000 };

struct notice_mail {
	struct own mail;
	struct task count;
	struct later over;
	struct dispatch *dispatch;
	struct arena *arena;			/* what facts point to */
	struct notice_facts facts;
	const char *route;
	bool ok;
};

/* Its entry in the queue, while the spool has it. */
struct entry {
	struct spool_accept accept;
	struct notice_mail *notice;
};

/* --- the end --------------------------------------------------------- */

static void
notice_free(struct later *l)
{
	struct notice_mail *n = container_of(l, struct notice_mail, over);
	struct dispatch *d = n->dispatch;

	own_fini(&n->mail);
	arena_free(&n->arena);
	mem_free(n);
	d->notices--;
	dispatch_check_stopped(d);
}

static void
notice_over(struct notice_mail *n)
{
	struct outlet *o = outlet_find(n->dispatch, n->route);

	if (o != NULL && n->facts.kind == NOTICE_PAUSED) {
		if (n->ok)
			notice_sent(o, n->mail.route ? n->mail.route : "");
		else
			notice_failed(o);
	}
	n->over.run = notice_free;
	loop_later(n->dispatch->loop, &n->over);
}

/* --- into the queue -------------------------------------------------- */

static void
notice_tell_sent(const struct notice_mail *n)
{
	bool own_way = strcmp(n->mail.route, n->route) == 0;

	if (n->facts.kind == NOTICE_RESUMED)
		log_info(&dispatch_log, "mail to %s by route `%s': route `%s' "
			 "works again", n->mail.to, n->mail.route,
			 n->route);
	else if (own_way)
		log_warning(&dispatch_log, "the mail to %s about the pause of "
			    "route `%s' waits in that route itself: no route "
			    "that works takes it; set dsn.route to one",
			    n->mail.to, n->route);
	else
		log_info(&dispatch_log, "mail to %s by route `%s': route `%s' "
			 "is paused", n->mail.to, n->mail.route,
			 n->route);
}

static void
notice_tell_failed(const struct notice_mail *n, const char *why)
{
	log_error(&dispatch_log, "the mail to %.*s about route `%s' could not "
		  "be kept: %s", SPAN_ARG(n->facts.to), n->route, why);
}

static void
on_accepted(struct spool_op *op)
{
	struct entry *e = container_of(container_of(op, struct spool_accept,
						    op), struct entry, accept);
	struct notice_mail *n = e->notice;

	n->ok = op->status == SPOOL_OK;
	if (n->ok)
		notice_tell_sent(n);
	else
		notice_tell_failed(n, op->err.text);
	for (size_t i = 0; i < e->accept.n; i++) {
		struct item **item = &e->accept.items[i];

		/* what was committed is gone from here */
		if (*item != NULL && (*item)->claimed)
			dispatch_window_give(n->dispatch, item, 1);
		item_free(item);
	}
	mem_free(e);
	notice_over(n);
}

static void
notice_made(struct own *m, struct item *item, const struct error *err)
{
	struct notice_mail *n = container_of(m, struct notice_mail, mail);
	struct entry *e;

	if (item == NULL) {
		notice_tell_failed(n, err->text);
		notice_over(n);
		return;
	}
	e = NEW(struct entry);
	e->notice = n;
	e->accept.items[e->accept.n++] = item;
	e->accept.op.home = loop_mailbox(n->dispatch->loop);
	e->accept.op.done = on_accepted;
	spool_accept(n->dispatch->spool, &e->accept);
}

/* No route takes it: nothing would change if it were tried again. */
static void
notice_has_no_route(struct notice_mail *n)
{
	n->dispatch->reports.no_route++;
	log_error(&dispatch_log, "%.*s gets no mail that route `%s' %s: no "
		  "route takes the mail; set dsn.route, or add \"<>\" to a "
		  "route's match.sender", SPAN_ARG(n->facts.to), n->route,
		  n->facts.kind == NOTICE_PAUSED ? "is paused"
						 : "works again");
	n->ok = true;
	notice_over(n);
}

static void
notice_compose(struct notice_mail *n)
{
	struct dispatch *d = n->dispatch;
	const struct route *route;

	n->facts.now_ms = clock_wall_ms();
	if (d->stopping || !notice_write(&n->mail.text, &n->facts)) {
		notice_over(n);
		return;
	}
	route = own_route(d, n->facts.to, buf_span(&n->mail.text));
	if (route == NULL)
		notice_has_no_route(n);
	else
		own_make(&n->mail, n->facts.to, route->name);
}

/* --- what waits ------------------------------------------------------ */

static void
on_backlog(void *arg, const struct spool_backlog *b)
{
	struct notice_mail *n = arg;

	if (strcmp(b->route, n->route) != 0)
		return;
	n->facts.waiting = b->items;
	n->facts.oldest_ms = clock_wall_of(b->oldest_ms);
}

/* On a worker. */
static void
count_work(struct task *t)
{
	struct notice_mail *n = container_of(t, struct notice_mail, count);
	struct error err;
	struct spool_reader *r = spool_reader_open(n->dispatch->spool, &err);

	n->facts.counted = r != NULL &&
		spool_backlogs(r, BACKLOGS_MAX, on_backlog, n, &err);
	spool_reader_close(&r);
}

static void
count_done(struct task *t)
{
	notice_compose(container_of(t, struct notice_mail, count));
}

/* --- the beginning --------------------------------------------------- */

static struct span
notice_copy(struct notice_mail *n, const char *s)
{
	return span_of(arena_strdup(n->arena, s != NULL ? s : ""));
}

static void
notice_take_facts(struct notice_mail *n, const struct outlet *o)
{
	const struct dispatch_config *c = o->dispatch->config;

	n->route = arena_strdup(n->arena, o->name);
	n->facts.hostname = notice_copy(n, c->hostname);
	n->facts.to = notice_copy(n, c->dsn_to);
	n->facts.route = span_of(n->route);
	n->facts.backend = notice_copy(n, o->module);
	n->facts.mailbox = notice_copy(n, o->mailbox);
	n->facts.host = notice_copy(n, o->pause.host);
	n->facts.reason = notice_copy(n, o->pause.reason);
	n->facts.remedy = notice_copy(n, o->pause.remedy);
	n->facts.since_ms = clock_wall_of(o->notice.since_ms);
	n->facts.keeps_ms = c->retry.paused_longest + c->retry.give_up;
	n->facts.number = message_id_next();
}

void
notice_send(struct outlet *o, enum notice_kind kind)
{
	struct dispatch *d = o->dispatch;
	struct notice_mail *n;

	if (d->stopping || d->spool == NULL || d->config->dsn_to == NULL)
		return;
	n = NEW(struct notice_mail);
	n->dispatch = d;
	n->arena = arena_new();
	n->facts.kind = kind;
	notice_take_facts(n, o);
	n->mail = (struct own){ .dispatch = d, .made = notice_made,
				.text = BUF_MAX(NOTICE_TEXT_MAX) };
	d->notices++;
	if (kind == NOTICE_RESUMED) {
		notice_compose(n);
		return;
	}
	n->count = (struct task){ .work = count_work, .done = count_done,
				  .home = loop_mailbox(d->loop) };
	workers_submit(d->workers, &n->count);
}
