/* remedy.h - what a refusal that we know means, and who can mend it
 *
 * The words are for the sender of a message that bounces, for the log, and
 * for whoever looks at a paused route.  Pure.
 */
#ifndef DISPATCH_REMEDY_H
#define DISPATCH_REMEDY_H

#include "mail/outcome.h"
#include "module/backend.h"

/* One or two sentences, or NULL; borrowed from the outcome, perhaps. */
const char *remedy_of(const struct outcome *o, enum backend_manner m);
/* The same for mail with the null sender, as our own reports are. */
const char *remedy_of_own(const struct outcome *o, enum backend_manner m);

/* What stands in a remedy for a name that only the route or the message knows:
 * ROUTE, MAILBOX, ADDRESS (the sender). */
struct remedy_names {
	const char *route, *mailbox;	/* NULL or "" : not known */
	struct span address;
};
/* The remedy with the names that are known, in buf, or what there is room
 * for; "" for NULL.  A name that a shell would not take as it is (a sender may
 * have chosen it) is left out. */
const char *remedy_fill(const char *remedy, const struct remedy_names *names,
			char *buf, size_t size);

#endif
