/* dns_plan.h - what a context of libunbound is made from
 *
 * Private to io/.  A plan is a copy of the settings, not changed after it was
 * made: workers read it.  Its references are counted on the loop alone.
 */
#ifndef IO_DNS_PLAN_H
#define IO_DNS_PLAN_H

#include "io/dns.h"
#include "io/dns_record.h"

struct dns_hosts;
struct ub_ctx;

struct dns_plan {
	unsigned references;
	struct arena *arena;
	struct dns_settings s;		/* its paths are never NULL, but for
					 * that of the trust anchors */
};

/* settings NULL: all defaults. */
struct dns_plan *dns_plan_new(const struct dns_settings *settings);
struct dns_plan *dns_plan_ref(struct dns_plan *p);
void dns_plan_unref(struct dns_plan **p);
bool dns_plan_same(const struct dns_plan *a, const struct dns_plan *b);

/* --- on a worker: these block ---------------------------------------- */

/* What tells a file from what it was before: comparable by memcmp. */
enum { DNS_FILES = 3 };			/* resolv.conf, hosts, anchors */
struct dns_stamps {
	int64_t v[DNS_FILES][5];
};
void dns_plan_stamps(const struct dns_plan *p, struct dns_stamps *ret);

struct dns_made {			/* owned by who has it */
	struct ub_ctx *ub;		/* its thread runs */
	int answers;			/* readable when ub_process is due; only
					 * with ub; -1: closed already */
	struct dns_hosts *hosts;
	bool validating;
	char zone[DNS_NAME_MAX + 1];	/* whose key it begins with; "": the
					 * root's */
};
bool dns_plan_make(const struct dns_plan *p, bool validating,
		   struct dns_made *ret, struct error *err);
/* On a worker, too: waits for the thread.  Does nothing when it was taken. */
void dns_made_fini(struct dns_made *m);

#endif
