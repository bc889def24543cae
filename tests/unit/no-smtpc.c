/* no-smtpc.c - for test programs in which nothing is sent */
#include "smtpc/smtpc.h"

#include "base/error.h"

uint64_t
smtpc_send(struct smtpc *c, const struct smtpc_plan *plan,
	   const struct smtpc_message *m, const struct smtpc_events *ev,
	   void *arg)
{
	(void)c, (void)plan, (void)m, (void)ev, (void)arg;
	bug("nothing is sent here");
}

void
smtpc_cancel(struct smtpc *c, uint64_t ticket)
{
	(void)c, (void)ticket;
}

uint64_t
smtpc_probe(struct smtpc *c, const struct smtpc_plan *plan, enum phase upto,
	    const struct smtpc_events *ev, void *arg)
{
	(void)c, (void)plan, (void)upto, (void)ev, (void)arg;
	bug("nothing is asked here");
}

void
smtpc_forget(struct smtpc *c, uint64_t ticket)
{
	(void)c, (void)ticket;
}
