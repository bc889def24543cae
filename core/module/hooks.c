/* hooks.c - one hook goes through a chain of filters
 *
 * The chain is asked from some place on: from the first filter when
 * filters_ask() begins, from behind the one that kept us waiting when its
 * answer has come.
 */
#include "module/chain.h"

#include "base/macros.h"

static const char *const hook_names[] = {
	[HOOK_CONNECT] = "on_connect",
	[HOOK_HELO]    = "on_helo",
	[HOOK_MAIL]    = "on_mail",
	[HOOK_RCPT]    = "on_rcpt",
	[HOOK_MESSAGE] = "on_message",
	[HOOK_END]     = "on_end",
};

void
txn_init(struct postern_txn *txn, const struct txn_ops *ops)
{
	*txn = (struct postern_txn){ .ops = ops };
}

void
txn_fini(struct postern_txn *txn)
{
	wait_give_up(&txn->wait);
	txn->seen = txn->current = NULL;
	arena_free(&txn->arena);
}

static struct hooks_seen *
seen_get(struct filters *f, size_t place, struct postern_txn *txn)
{
	struct hooks_seen *s = txn->seen;

	while (s != NULL && (s->chain != f || s->place != place))
		s = s->next;
	if (s != NULL)
		return s;
	if (txn->arena == NULL)
		txn->arena = arena_new();
	s = ARENA_NEW(txn->arena, struct hooks_seen);
	s->chain = f;
	s->place = place;
	s->next = txn->seen;
	txn->seen = s;
	return s;
}

static postern_verdict
call(const struct postern_filter *p, void *self, struct postern_txn *txn)
{
	postern_verdict (*hook)(void *, postern_txn *) = NULL;

	switch (txn->hook) {
	case HOOK_CONNECT:
		hook = p->on_connect;
		break;
	case HOOK_HELO:
		hook = p->on_helo;
		break;
	case HOOK_MAIL:
		hook = p->on_mail;
		break;
	case HOOK_RCPT:
		return p->on_rcpt ? p->on_rcpt(self, txn, txn->rcpt)
				  : POSTERN_CONTINUE;
	case HOOK_MESSAGE:
		hook = p->on_message;
		break;
	case HOOK_END:
		break;
	}
	return hook ? hook(self, txn) : POSTERN_CONTINUE;
}

/* What nobody may return here becomes a refusal for now. */
static postern_verdict
verdict_valid(const struct postern_instance *me, struct postern_txn *txn,
	      postern_verdict v)
{
	const char *name = hook_names[txn->hook];

	if (v == POSTERN_PENDING && txn->wait == NULL) {
		instance_mistake(me, "%s is pending without a ticket", name);
		return POSTERN_DEFER;
	}
	if (v < POSTERN_CONTINUE || v > POSTERN_DISCARD
	    || (v == POSTERN_DISCARD && txn->hook != HOOK_MESSAGE)) {
		instance_mistake(me, "%s gave the verdict %d", name, v);
		return POSTERN_DEFER;
	}
	return v;
}

/* A refusal always has words when it leaves the chain. */
static void
reply_complete(const struct postern_instance *me, struct postern_txn *txn,
	       postern_verdict v)
{
	int class = v == POSTERN_REJECT ? 5 : 4;

	if (txn->reply.code != 0 && txn->reply.code / 100 != class) {
		instance_mistake(me, "%s refuses with %s and the reply %d",
				 hook_names[txn->hook],
				 v == POSTERN_REJECT ? "POSTERN_REJECT"
				 : "POSTERN_DEFER", txn->reply.code);
		txn->reply.code = 0;
	}
	if (txn->reply.code != 0)
		return;
	if (v == POSTERN_DEFER)
		txn->reply = reply(txn->hook == HOOK_CONNECT ? 421 : 451,
				   "4.7.1", "not now, try again later");
	else
		txn->reply = reply(txn->hook == HOOK_CONNECT ? 554 : 550,
				   "5.7.1", "refused by this site's policy");
}

/* What a filter said at last; txn->current is who. */
static postern_verdict
judge(struct filters *f, size_t place, struct postern_txn *txn,
      postern_verdict v)
{
	const struct postern_instance *me = f->v[place];

	v = verdict_valid(me, txn, v);
	txn->current = NULL;
	if (v == POSTERN_PENDING) {
		timer_start(&txn->wait->patience, f->patience_ms);
		return v;
	}
	wait_give_up(&txn->wait);	/* a ticket that it did not need */
	if (v == POSTERN_REJECT || v == POSTERN_DEFER)
		reply_complete(me, txn, v);
	else
		txn->reply.code = 0;
	return v;
}

static postern_verdict
ask_one(struct filters *f, size_t place, struct postern_txn *txn)
{
	struct postern_instance *me = f->v[place];

	txn->current = seen_get(f, place, txn);
	if (txn->hook >= HOOK_MAIL)
		txn->current->begun = true;
	return judge(f, place, txn,
		     call(module_table(me->module)->filter, me->self, txn));
}

static postern_verdict
ask_from(struct filters *f, size_t place, struct postern_txn *txn)
{
	postern_verdict v = POSTERN_CONTINUE;

	for (; place < f->n && v == POSTERN_CONTINUE; place++)
		v = ask_one(f, place, txn);
	return v;
}

postern_verdict
filters_ask(struct filters *f, enum hook hook, struct postern_txn *txn)
{
	must(txn->wait == NULL);
	txn->hook = hook;
	txn->reply.code = 0;
	return ask_from(f, 0, txn);
}

/* The chain goes on where it waited. */
static void
go_on(struct filters *f, size_t place, struct postern_txn *txn,
      postern_verdict v)
{
	if (v == POSTERN_CONTINUE)
		v = ask_from(f, place + 1, txn);
	if (v != POSTERN_PENDING)
		txn->ops->answered(txn, v);
}

void
hooks_answered(struct hooks_wait *w)
{
	struct postern_txn *txn = w->txn;
	postern_verdict v = w->verdict;

	timer_stop(&w->patience);
	txn->wait = NULL;
	txn->current = seen_get(w->chain, w->place, txn);
	if (w->answer != NULL)
		v = w->answer(w->arg, txn);
	go_on(w->chain, w->place, txn, judge(w->chain, w->place, txn, v));
}

void
hooks_timed_out(struct hooks_wait *w)
{
	struct postern_txn *txn = w->txn;
	struct filters *f = w->chain;
	size_t place = w->place;

	log_warning(&f->v[place]->log, "%s: no answer within %lld s: deferred",
		    hook_names[txn->hook], (long long)(f->patience_ms / 1000));
	wait_give_up(&txn->wait);
	go_on(f, place, txn, judge(f, place, txn, POSTERN_DEFER));
}

void
filters_end(struct filters *f, struct postern_txn *txn)
{
	struct hooks_seen **at = &txn->seen;

	if (txn->wait != NULL && txn->wait->chain == f)
		wait_give_up(&txn->wait);
	txn->hook = HOOK_END;
	while (*at != NULL) {
		struct hooks_seen *s = *at;
		const struct postern_filter *p;

		if (s->chain != f) {
			at = &s->next;
			continue;
		}
		p = module_table(f->v[s->place]->module)->filter;
		txn->current = s;
		if (s->begun && p->on_end != NULL)
			p->on_end(f->v[s->place]->self, txn);
		txn->current = NULL;
		*at = s->next;
	}
	if (txn->wait != NULL && txn->wait->chain == f)
		wait_give_up(&txn->wait);	/* a ticket taken in on_end */
	if (txn->seen == NULL)
		arena_free(&txn->arena);
}
