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

void
smtpc_know(struct smtpc *e, const char *mark)
{
	e->mark = mark;
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

uint64_t
smtpc_probe(struct smtpc *e, const struct smtpc_plan *plan, enum phase upto,
	    const struct smtpc_events *ev, void *arg)
{
	/* a recipient that nobody names: it is settled as others are */
	static const struct smtpc_message none = { .rcpt_count = 1 };
	struct errand *a = errand_new(e, plan, &none);
	uint64_t ticket = a->ticket;

	must(upto >= PHASE_EHLO && upto <= PHASE_AUTH);
	a->events = ev;
	a->arg = arg;
	a->upto = upto;
	a->fresh = true;
	a->starting = true;
	errand_begin(a);
	a->starting = false;
	return ticket;
}

void
smtpc_forget(struct smtpc *e, uint64_t ticket)
{
	struct errand *a = ticket_find(e->tickets, ticket);

	if (a == NULL)
		return;
	must(a->upto != PHASE_NONE);
	errand_drop(a);
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
