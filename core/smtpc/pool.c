/* pool.c - connections that wait for the next message
 *
 * The one that waits the shortest is taken first, so that those that are too
 * many grow old and leave.  There are few, so they are simply looked through.
 */
#include "smtpc/client.h"

#include "smtpc/errand.h"
#include "smtpc/engine.h"

void
pool_put(struct client *c)
{
	struct smtpc *e = c->engine;

	c->idle_prev = NULL;
	c->idle_next = e->newest_idle;
	if (c->idle_next != NULL)
		c->idle_next->idle_prev = c;
	else
		e->oldest_idle = c;
	e->newest_idle = c;
	e->counts.idle++;
	c->pooled = true;
	if (e->counts.idle > POOL_MAX)
		client_go(e->oldest_idle, ST_QUIT);
}

void
pool_leave(struct client *c)
{
	struct smtpc *e = c->engine;

	if (!c->pooled)
		return;
	c->pooled = false;
	e->counts.idle--;
	if (c->idle_prev != NULL)
		c->idle_prev->idle_next = c->idle_next;
	else
		e->newest_idle = c->idle_next;
	if (c->idle_next != NULL)
		c->idle_next->idle_prev = c->idle_prev;
	else
		e->oldest_idle = c->idle_prev;
}

static bool
client_suits(const struct client *c, const struct smtpc_plan *p,
	     const char *host)
{
	return kinship_holds(&c->kin, p, host) &&
	       stream_in(c->stream)->len == 0;
}

struct client *
pool_take(struct errand *a)
{
	struct smtpc *e = a->engine;

	for (size_t i = 0; i < a->plan->host_count; i++) {
		struct client *c = e->newest_idle;

		while (c != NULL && !client_suits(c, a->plan,
						  a->plan->hosts[i]))
			c = c->idle_next;
		if (c == NULL)
			continue;
		pool_leave(c);
		client_adopt(c, a);
		c->kept = true;
		c->heard = false;
		e->counts.reuses++;
		return c;
	}
	return NULL;
}

void
smtpc_quit_idle(struct smtpc *e)
{
	while (e->newest_idle != NULL)
		client_go(e->newest_idle, ST_QUIT);
}
