/* dns_context.c - one context of libunbound at work on the loop
 *
 * libunbound holds no lock while it calls back.  A question that is forgotten
 * goes on inside it until it ends, unheard.
 */
#include "io/dns_context.h"

#include "base/error.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/dns_hosts.h"

#include <ev.h>
#include <unbound.h>
#include <unistd.h>

enum { CLASS_IN = 1 };

struct dns_context {
	struct loop *loop;
	struct workers *workers;
	struct dns_made made;
	struct ev_io answers;
	size_t questions;		/* that somebody waits for */
	bool processing;		/* within ub_process */
	bool retired, broken;
	struct task end;
};

/* --- the end --------------------------------------------------------- */

/* On a worker. */
static void
end_work(struct task *t)
{
	struct dns_context *c = container_of(t, struct dns_context, end);

	dns_made_fini(&c->made);
}

static void
end_done(struct task *t)
{
	mem_free(container_of(t, struct dns_context, end));
}

static void
context_settle(struct dns_context *c)
{
	if (!c->retired || c->processing || c->questions > 0)
		return;
	ev_io_stop(loop_ev(c->loop), &c->answers);
	close(c->made.answers);
	c->made.answers = -1;
	c->end = (struct task){ .work = end_work, .done = end_done };
	workers_submit(c->workers, &c->end);
}

void
dns_context_retire(struct dns_context **ptr)
{
	struct dns_context *c = *ptr;

	*ptr = NULL;
	if (c == NULL)
		return;
	c->retired = true;
	context_settle(c);
}

/* --- answers --------------------------------------------------------- */

static void
on_answers(struct ev_loop *ev, struct ev_io *w, int events)
{
	struct dns_context *c = container_of(w, struct dns_context, answers);

	(void)events;
	c->processing = true;
	if (ub_process(c->made.ub) != UB_NOERROR) {
		c->broken = true;
		ev_io_stop(ev, w);
	}
	c->processing = false;
	context_settle(c);
}

static void
on_result(void *arg, int err, struct ub_result *r)
{
	struct dns_asking *q = arg;

	q->at->questions--;
	q->at = NULL;
	q->answered(q, err, r);
	ub_resolve_free(r);
}

struct dns_context *
dns_context_new(struct loop *loop, struct workers *workers,
		struct dns_made *made)
{
	struct dns_context *c = NEW(struct dns_context);

	c->loop = loop;
	c->workers = workers;
	c->made = *made;
	*made = (struct dns_made){ .ub = NULL };
	ev_io_init(&c->answers, on_answers, c->made.answers, EV_READ);
	ev_io_start(loop_ev(loop), &c->answers);
	return c;
}

bool
dns_context_ask(struct dns_context *c, struct dns_asking *q, const char *name,
		enum dns_type type, struct error *err)
{
	int rc = ub_resolve_async(c->made.ub, name, (int)type, CLASS_IN, q,
				  on_result, &q->id);

	if (rc != UB_NOERROR)
		return error_set(err, ERROR_SYSTEM, "libunbound: %s",
				 ub_strerror(rc));
	q->at = c;
	c->questions++;
	return true;
}

void
dns_context_forget(struct dns_asking *q)
{
	struct dns_context *c = q->at;

	if (c == NULL)
		return;
	ub_cancel(c->made.ub, q->id);
	q->at = NULL;
	c->questions--;
	context_settle(c);
}

bool
dns_context_is_broken(const struct dns_context *c)
{
	return c->broken;
}

bool
dns_context_validates(const struct dns_context *c)
{
	return c->made.validating;
}

const char *
dns_context_zone(const struct dns_context *c)
{
	return c->made.zone;
}

const struct dns_hosts *
dns_context_hosts(const struct dns_context *c)
{
	return c->made.hosts;
}
