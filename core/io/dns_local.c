/* dns_local.c - names that only the local resolver knows
 *
 * A resolver may have names of its own: a container's service (mailpit), the
 * zone of an office (exchange01.office).  The signed root proves that they do
 * not exist, so their answers, which nobody signs, are bogus.  With `dnssec:
 * auto', and for a name that the administrator wrote, such an answer is not
 * the last word:
 *
 *	STAGE_ASKED ---> bogus, or proved absent
 *	   ---> STAGE_PROOF: the DS record of each domain above it, from the
 *	        top down, until one is proved not to exist
 *	   ---> STAGE_UNVALIDATED: once more, at a context without validation
 *
 * A single label is its own top.  Otherwise the name itself is not asked
 * for: what lies directly in a domain that exists and is signed stays bogus,
 * as a forged answer would.  DS is asked for because it is the parent's: a
 * resolver that has the zone passes that question on.  All of it is in the
 * caches of libunbound the next time, and no part repeats.
 */
#include "io/dns_inside.h"

#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"

#include <string.h>
#include <strings.h>
#include <unbound.h>

enum { TYPE_DS = 43, RCODE_OK = 0, RCODE_NXDOMAIN = 3, PROOFS_MAX = 10 };

static const struct log local_log = { .room = "dns" };

/* --- the proof ------------------------------------------------------- */

static bool
result_denies(int err, const struct ub_result *r)
{
	return err == 0 && !r->bogus && r->secure &&
	       r->rcode == RCODE_NXDOMAIN;
}

/* Where the label before this one begins; 0 is the name's first. */
static size_t
label_before(const char *name, size_t at)
{
	if (at < 2)
		return 0;
	for (at -= 2; at > 0 && name[at] != '.'; at--)
		continue;
	return at > 0 ? at + 1 : 0;
}

/* The next domain whose absence would do; false: there is none. */
static bool
proof_next(struct dns_question *q)
{
	size_t end = strlen(q->name);

	if (q->proofs == PROOFS_MAX || (q->proofs > 0 && q->proving == 0))
		return false;
	q->proving = label_before(q->name, q->proofs > 0 ? q->proving
							 : end + 1);
	q->proofs++;
	return q->proving > 0 || q->proofs == 1;
}

/* --- what becomes of a result ---------------------------------------- */

static bool
question_may_be_local(const struct dns_question *q, int err,
		      const struct ub_result *r)
{
	return q->author == DNS_BY_ADMINISTRATOR && err == 0 &&
	       q->dns->resolver.plan->s.dnssec == DNSSEC_AUTO &&
	       (r->bogus || result_denies(err, r));
}

/* Known to the resolver: whether it has such a record or not. */
static bool
result_is_usable(int err, const struct ub_result *r)
{
	return err == 0 && (r->rcode == RCODE_OK ||
			    r->rcode == RCODE_NXDOMAIN);
}

static enum dns_step
proof_step(struct dns_question *q, int err, const struct ub_result *r)
{
	if (result_denies(err, r)) {
		q->stage = STAGE_UNVALIDATED;
		return STEP_ASK;
	}
	return proof_next(q) ? STEP_ASK : STEP_ANSWER_HELD;
}

enum dns_step
dns_local_step(struct dns_question *q, int err, const struct ub_result *r)
{
	switch (q->stage) {
	case STAGE_ASKED:
		if (!question_may_be_local(q, err, r) || !proof_next(q))
			return STEP_ANSWER;
		dns_answer_hold(q, r);
		q->stage = STAGE_PROOF;
		return STEP_ASK;
	case STAGE_PROOF:
		return proof_step(q, err, r);
	case STAGE_UNVALIDATED:
		break;
	}
	if (!result_is_usable(err, r))
		return STEP_ANSWER_HELD;
	if (r->havedata)
		dns_local_note(q->dns, q->name);
	return STEP_ANSWER;
}

const char *
dns_local_name(const struct dns_question *q)
{
	return q->stage == STAGE_PROOF ? q->name + q->proving : q->name;
}

int
dns_local_type(const struct dns_question *q)
{
	return q->stage == STAGE_PROOF ? TYPE_DS : (int)q->type;
}

/* --- what is told of it ---------------------------------------------- */

/* The oldest makes room: names come from the configuration, so they are
 * few. */
void
dns_local_note(struct dns *d, const char *name)
{
	char **at;

	for (size_t i = 0; i < d->unvalidated_count; i++)
		if (strcasecmp(d->unvalidated[i], name) == 0)
			return;
	log_info(&local_log, "%s does not exist in the signed DNS, but your "
		 "resolver knows it: its answer is used without validation",
		 name);
	if (d->unvalidated_count < DNS_UNVALIDATED_MAX) {
		at = &d->unvalidated[d->unvalidated_count++];
	} else {
		mem_free(d->unvalidated[0]);
		memmove(d->unvalidated, d->unvalidated + 1,
			sizeof(*d->unvalidated) * (DNS_UNVALIDATED_MAX - 1));
		at = &d->unvalidated[DNS_UNVALIDATED_MAX - 1];
	}
	*at = mem_strdup(name);
}

void
dns_local_forget(struct dns *d)
{
	while (d->unvalidated_count > 0)
		mem_free(d->unvalidated[--d->unvalidated_count]);
}
