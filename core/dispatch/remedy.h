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

#endif
