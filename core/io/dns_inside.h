/* dns_inside.h - what the files of the DNS share; no others
 *
 * A question waits in line, or is under way at a context, or is answered and
 * gone.  It knows its dns; a lookup is two questions.
 */
#ifndef IO_DNS_INSIDE_H
#define IO_DNS_INSIDE_H

#include "base/ticket.h"
#include "io/dns_resolver.h"

/* The first member of what a ticket stands for. */
struct dns_pending {
	uint64_t ticket;		/* 0: has none */
	void (*forget)(struct dns_pending *p);
};

struct dns_question {
	struct dns_pending pending;
	struct dns *dns;
	struct dns_asking asking;
	struct timer patience;
	struct dns_question *next, **prev;
	char *name;			/* without its last dot */
	enum dns_type type;
	dns_answer_fn *done;
	void *arg;
};

struct dns_questions {			/* in the order in which they came */
	struct dns_question *first, **last;
	size_t n;
};

struct dns_lookup;

struct dns {
	struct loop *loop;
	struct tickets *tickets;
	struct dns_resolver resolver;
	struct dns_questions line, under_way;
	struct dns_lookup *lookups;
};

/* name has been checked.  NULL when it was answered before this returns. */
struct dns_question *dns_question_ask(struct dns *d, struct span name,
				      enum dns_type type, dns_answer_fn *done,
				      void *arg);
void dns_question_drop(struct dns_question **q);

/* --- answers, in dns_answer.c ---------------------------------------- */

void dns_answer_fail(const struct dns_question *q, enum dns_status status,
		     const char *why);
void dns_answer_result(const struct dns_question *q, int err,
		       const struct ub_result *r);
/* False when the name is not in the table. */
bool dns_answer_hosts(const struct dns_question *q, const struct dns_hosts *h);

/* --- lookups, in dns_lookup.c ---------------------------------------- */

void dns_lookups_drop(struct dns *d);

#endif
