/* dsn.h - writing a delivery status notification
 *
 * RFC 3461 (when and to whom), 3464 (the report), 6522 (its envelope).  Pure:
 * facts in, a message out.
 */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "mail/envelope.h"
#include "mail/outcome.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_RELAYED, DSN_DELIVERED };

struct dsn_rcpt {
	struct span address;
	struct span orcpt;		/* as MAIL's parameter had it, or "" */
	enum dsn_action action;
	const struct outcome *outcome;	/* NULL: nothing to say */
	const char *remedy;		/* what can be done, or NULL */
};

struct dsn_facts {
	struct span hostname;		/* Reporting-MTA, and our Message-ID */
	struct span id;			/* of the message that it is about */
	struct span to;			/* who is told */
	struct span envid;		/* xtext, or "" */
	enum dsn_ret ret;
	int64_t arrival_ms, now_ms;	/* wall clock */
	int64_t until_ms;		/* DSN_DELAYED: when we give up */
	unsigned attempts;
	/* The message's bytes as far as they are at hand: the header section
	 * is returned, and all of it for RET=FULL when `whole' says that this
	 * is all and it is small. */
	struct span original;
	bool whole;
	bool smtputf8;			/* it may hold UTF-8 (RFC 6533) */
	const struct dsn_rcpt *rcpts;
	size_t rcpt_count;
};

/* Appends a complete message (header and body, CRLF lines).  False when out
 * has no room. */
bool dsn_write(struct buf *out, const struct dsn_facts *f);

/* Whether this recipient wants to hear of the action (RFC 3461 section 4.1:
 * nothing said means FAILURE, and DELAY where we choose to). */
bool dsn_wanted(unsigned notify, enum dsn_action action);

#endif
