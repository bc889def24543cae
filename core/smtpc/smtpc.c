/* smtpc.c - the engine as its users see it */
#include "smtpc/smtpc.h"

#include "base/macros.h"
#include "base/mem.h"
#include "smtpc/away.h"
#include "smtpc/errand.h"
#include "smtpc/client.h"
#include "smtpc/engine.h"

const struct log smtpc_log = { .room = "smtpc" };

struct smtpc *
smtpc_new(struct loop *loop, struct dns *dns)
{
	struct smtpc *e = NEW(struct smtpc);

	e->loop = loop;
	e->dns = dns;
	e->tickets = tickets_new();
	e->away = away_new();
	return e;
}

void
smtpc_free(struct smtpc **ptr)
{
	struct smtpc *e = *ptr;

	if (e == NULL)
		return;
	while (e->attempts != NULL)
		errand_drop(e->attempts);
	while (e->clients != NULL)
		client_cut(e->clients);
	tickets_free(&e->tickets);
	tls_sessions_free(&e->sessions);
	away_free(&e->away);
	mem_free(e);
	*ptr = NULL;
}

uint64_t
smtpc_send(struct smtpc *e, const struct smtpc_plan *plan,
	   const struct smtpc_message *m, const struct smtpc_events *ev,
	   void *arg)
{
	struct errand *a = errand_new(e, plan, m);
	uint64_t ticket = a->ticket;

	a->events = ev;
	a->arg = arg;
	a->starting = true;
	errand_begin(a);
	a->starting = false;
	return ticket;
}

void
smtpc_cancel(struct smtpc *e, uint64_t ticket)
{
	struct errand *a = ticket_find(e->tickets, ticket);

	if (a == NULL)
		return;
	a->cancelled = true;
	errand_later(a);
}

struct smtpc_counts
smtpc_count(const struct smtpc *e)
{
	return e->counts;
}
