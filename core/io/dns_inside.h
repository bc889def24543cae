/* dns_inside.h - what the files of the DNS share; no others
 *
 * A question waits in line, or is under way at a context, or is answered and
 * gone.  It knows its dns; a lookup is two questions.  One whose name perhaps
 * only the local resolver knows goes through further stages: dns_local.c.
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

enum dns_stage { STAGE_ASKED, STAGE_PROOF, STAGE_UNVALIDATED };
enum dns_step { STEP_ANSWER, STEP_ANSWER_HELD, STEP_ASK };

struct dns_question {
	struct dns_pending pending;
	struct dns *dns;
	struct dns_asking asking;
	struct timer patience;
	struct dns_question *next, **prev;
	char *name;			/* without its last dot */
	enum dns_type type;
	enum dns_author author;
	enum dns_stage stage;
	size_t proving;			/* the domain within name whose
					 * absence is asked for, */
	unsigned proofs;		/* and how many there were */
	struct {			/* of STAGE_ASKED, for later */
		enum dns_status status;
		bool secure;
		char *why;
	} held;
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
	char *unvalidated[DNS_UNVALIDATED_MAX];	/* for dns_state() */
	size_t unvalidated_count;
};

struct dns_request {
	struct span name;		/* has been checked */
	enum dns_type type;
	enum dns_author author;
	dns_answer_fn *done;
	void *arg;
};
/* NULL when it was answered before this returns. */
struct dns_question *dns_question_ask(struct dns *d,
				      const struct dns_request *rq);
void dns_question_drop(struct dns_question **q);

/* --- answers, in dns_answer.c ---------------------------------------- */

void dns_answer_fail(const struct dns_question *q, enum dns_status status,
		     const char *why);
void dns_answer_result(const struct dns_question *q, int err,
		       const struct ub_result *r);
/* Keeps what it says; then answers that. */
void dns_answer_hold(struct dns_question *q, const struct ub_result *r);
void dns_answer_held(const struct dns_question *q);
/* False when the name is not in the table. */
bool dns_answer_hosts(const struct dns_question *q, const struct dns_hosts *h);

/* --- names that only the local resolver knows, in dns_local.c --------- */

/* What is to be done with what a context said. */
enum dns_step dns_local_step(struct dns_question *q, int err,
			     const struct ub_result *r);
/* What is asked for now. */
const char *dns_local_name(const struct dns_question *q);
int dns_local_type(const struct dns_question *q);
/* Tells once that a name was taken without validation, and remembers it. */
void dns_local_note(struct dns *d, const char *name);
void dns_local_forget(struct dns *d);

/* --- lookups, in dns_lookup.c ---------------------------------------- */

void dns_lookups_drop(struct dns *d);

#endif
