/* notice.h - a mail to the operator about a route that is paused
 *
 * Two kinds: the route is paused, and it works again.  Plain text with the
 * null sender and Auto-Submitted (RFC 3834), so that nothing answers it.
 * Pure: facts in, a message out.
 */
#ifndef MAIL_NOTICE_H
#define MAIL_NOTICE_H

#include "base/buf.h"

enum notice_kind { NOTICE_PAUSED, NOTICE_RESUMED };

/* Texts are "" where they are not known; times are of the wall clock. */
struct notice_facts {
	enum notice_kind kind;
	struct span hostname;		/* of the gateway */
	struct span to;
	struct span route, backend, mailbox;
	struct span host;		/* of the server that refused */
	struct span reason, remedy;
	int64_t now_ms, since_ms;
	bool counted;			/* waiting and oldest_ms are known */
	uint64_t waiting;		/* messages of the route */
	int64_t oldest_ms;		/* when the oldest of them came */
	int64_t keeps_ms;		/* a message may wait so long */
	uint64_t number;		/* another one for each notice */
};

/* Appends a complete message (CRLF lines).  False when out has no room. */
bool notice_write(struct buf *out, const struct notice_facts *f);

#endif
