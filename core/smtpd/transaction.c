/* transaction.c - from MAIL to the reply that ends the message */
#include "smtpd/session.h"

#include "base/mem.h"
#include "route/route.h"

void
transaction_hold(struct session *s)
{
	if (s->tx.gen == NULL)
		s->tx.gen = generation_ref(s->server->now);
}

/* The filters hear that it is over; what they made for it goes. */
static void
filters_over(struct session *s)
{
	struct generation *g = s->tx.gen;

	s->txn.env = s->tx.env;
	if (g->gateway != NULL)
		filters_end(g->gateway, &s->txn);
	for (size_t i = 0; s->tx.routes_asked && i < g->routes->n; i++)
		if (g->of_route[i] != NULL)
			filters_end(g->of_route[i], &s->txn);
	txn_fini(&s->txn);
	txn_init(&s->txn, s->txn.ops);
	s->txn.client = s->client_text;
	s->txn.helo = s->helo != NULL ? s->helo : "";
}

void
transaction_end(struct session *s)
{
	struct transaction *tx = &s->tx;

	if (tx->gen == NULL)
		return;
	if (tx->gen->asks)
		filters_over(s);
	if (tx->draft != NULL)
		draft_drop(&tx->draft);
	commit_free(&tx->commit);
	envelope_free(&tx->env);
	mem_free(tx->kept);
	fixup_fini(&tx->fixup);
	generation_unref(&tx->gen);
	s->tx = (struct transaction){ .open = false };
}

/* --- the draft ------------------------------------------------------- */

static void
on_draft_drained(void *arg)
{
	struct session *s = arg;

	if (s->wait != WAIT_DRAFT)
		return;
	session_wake(s);
	session_step(s);
}

static const struct draft_events transaction_draft_events = {
	.drained = on_draft_drained, .sealed = finish_sealed,
};

void
transaction_receive(struct session *s)
{
	struct smtpd *server = s->server;

	s->tx.id = message_id_next();
	s->tx.draft = draft_new(server->deps.spool, server->deps.loop,
				s->tx.id, &transaction_draft_events, s);
	fixup_init(&s->tx.fixup, (enum bare_lf)session_config(s)->bare_lf);
}
