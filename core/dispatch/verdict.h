/* verdict.h - what is done about an outcome
 *
 * The only place that decides it.  The rule behind the table: only an answer
 * about this very recipient or this very message is permanent.  All else (a
 * refused sign-in, an unreachable host, a policy that an administrator can
 * mend, words without an enhanced code) leaves the mail waiting; and where
 * one next hop knows us, a refusal of us pauses the route, so that no message
 * pays for what none of them is to blame for.
 */
#ifndef DISPATCH_VERDICT_H
#define DISPATCH_VERDICT_H

#include "dispatch/config.h"
#include "mail/outcome.h"
#include "module/backend.h"

enum verdict {
	VERDICT_DELIVERED,
	VERDICT_RETRY,		/* after the pause */
	VERDICT_RETRY_NOW,	/* the rest of a list that was too long, and
				 * what the old settings stood in the way of */
	VERDICT_PAUSE,		/* the route's trouble: its mail waits, and
				 * does not age */
	VERDICT_BOUNCE,
};

struct verdict_facts {
	const struct retry_policy *policy;
	int64_t age_ms;			/* of the item */
	unsigned attempts;		/* with the one that this came from */
	bool others_accepted;		/* in the same job */
	enum backend_manner manner;	/* what refusals of its hosts mean */
	bool null_sender;		/* the message has no sender */
	bool own;			/* it is a report or notice of ours */
	bool paused;			/* the route is: what fails before a
					 * recipient fails for that reason */
	bool pauses_used_up;		/* it has waited so as long as it may */
	bool retired;			/* the route has other settings by now:
					 * what the old ones failed at is tried
					 * by them at once */
	bool stopping;			/* the gateway breaks off what is left:
					 * no message pays for that */
};

enum verdict verdict_of(const struct outcome *o, const struct verdict_facts *f);

/* The host is at fault, not the message: whatever else would go there need
 * not be tried now. */
bool verdict_blames_host(const struct outcome *o, enum backend_manner m);

/* Its next hop refuses the gateway, whatever the message is. */
bool verdict_refuses_us(const struct outcome *o, enum backend_manner m);

/* A login is missing or was refused: that is no word about the sender. */
bool verdict_wants_login(const struct outcome *o);

const char *verdict_word(enum verdict v);	/* delivered|deferred|paused|
						 * bounced */

#endif
