/* dns_context.h - one context of libunbound at work on the loop
 *
 * Private to io/.  It has a thread and a cache of its own.  One that is not
 * wanted any more is retired: it answers what it was asked, and is then
 * deleted, on a worker, since that waits for its thread.
 */
#ifndef IO_DNS_CONTEXT_H
#define IO_DNS_CONTEXT_H

#include "base/loop.h"
#include "base/worker.h"
#include "io/dns_plan.h"

struct dns_context;
struct ub_result;

/* A question to a context, embedded in who asks. */
struct dns_asking {
	struct dns_context *at;		/* NULL: nothing is under way */
	int id;
	/* r is borrowed until it returns, and NULL when err is not 0.  It may
	 * ask, forget and retire, also the context that answers. */
	void (*answered)(struct dns_asking *q, int err,
			 const struct ub_result *r);
};

/* Takes over what is in *made. */
struct dns_context *dns_context_new(struct loop *loop, struct workers *workers,
				    struct dns_made *made);
/* What it was asked is still answered; sets *c to NULL, and does nothing when
 * it is. */
void dns_context_retire(struct dns_context **c);

bool dns_context_ask(struct dns_context *c, struct dns_asking *q,
		     const char *name, enum dns_type type, struct error *err);
void dns_context_forget(struct dns_asking *q);

/* Its thread has gone: it answers no more. */
bool dns_context_is_broken(const struct dns_context *c);
bool dns_context_validates(const struct dns_context *c);
const char *dns_context_zone(const struct dns_context *c);  /* dns_made's */
const struct dns_hosts *dns_context_hosts(const struct dns_context *c);

#endif
