/* dns_resolver.h - which context answers now
 *
 * Private to io/.  Nothing is made before the first question.  It makes
 * contexts on a worker, one at a time; decides, with dnssec auto, whether one
 * that validates can be used; and makes a new one when a file has changed,
 * which is looked for while questions are asked, or when the wall clock was
 * set: libunbound reckons with that one, and what it found while the clock was
 * ahead (no such name, a signature that had expired) would stay for as long.
 *
 *	first ---> (auto) candidate ---> its zone's key came ---> current
 *	      |              |
 *	      |              +---> it did not, or not in time --+
 *	      |                                                 v
 *	      +---> (on, off) current                fallback ---> current
 *
 * A candidate whose key comes late, or an hour later, takes the place of the
 * fallback.  Beside one that validates there is another without validation, if
 * a name asks for it (dns_local.c).
 */
#ifndef IO_DNS_RESOLVER_H
#define IO_DNS_RESOLVER_H

#include "io/dns_context.h"

struct dns_making;

struct dns_resolver {
	struct loop *loop;
	struct workers *workers;
	struct dns_plan *plan;
	struct dns_context *current, *candidate;
	struct dns_context *unvalidated;	/* beside current, or NULL */
	struct dns_making *making;	/* under way; NULL: none */
	struct dns_making *making_unvalidated;
	struct dns_making *away;	/* all that workers have of us */
	struct dns_asking probe;	/* at the candidate */
	struct timer hurry;		/* questions wait for it */
	int64_t look_at_ms, probe_at_ms;
	int64_t ahead_ms;		/* the wall clock, of the steady one */
	unsigned failures;		/* of probes without an answer */
	struct dns_stamps stamps;
	bool asked, validating;
	char why[400];			/* it is not validating */
	/* Questions that wait may be asked; or, with err, none can be.  Never
	 * called by what is called here. */
	void (*ready)(void *arg, const struct error *err);
	/* Those that wait for one without validation wait in vain. */
	void (*unvalidated_failed)(void *arg, const struct error *err);
	void *arg;
};

void dns_resolver_init(struct dns_resolver *r, struct loop *loop,
		       struct workers *workers);
/* Nothing is asked any more, or it is forgotten. */
void dns_resolver_fini(struct dns_resolver *r);
/* Takes the reference over.  False: nothing has changed. */
bool dns_resolver_configure(struct dns_resolver *r, struct dns_plan *plan);

/* A question is there: begins whatever is due.  Who answers, or NULL: not
 * yet, `ready' follows. */
struct dns_context *dns_resolver_now(struct dns_resolver *r);
/* Likewise, of one without validation: `ready' follows, or
 * `unvalidated_failed'. */
struct dns_context *dns_resolver_unvalidated(struct dns_resolver *r);
/* The table of hosts is there before a validating context is trusted; NULL:
 * not yet. */
const struct dns_hosts *dns_resolver_hosts(const struct dns_resolver *r);

#endif
