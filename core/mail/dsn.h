/* dsn.h - writing a delivery status notification
 *
 * RFC 3461 (when and to whom), 3464 (the report), 6522 (its envelope), 6533
 * (UTF-8 in it).  Pure: facts in, a message out.
 *
 * A report has two readers.  The sender is told of "your message" by its
 * Subject, To and Date.  The operator (dsn.to), who has sent none, is told
 * whose message it was, from which device, by which route, and what can be
 * done.  Recipients that fared alike are told in one text; the part for
 * programs has each of them.
 *
 * The part for a reader is UTF-8, in quoted-printable where the report is not
 * one of RFC 6533.  In the other parts of such a report, and in its header,
 * what is not ASCII stands as RFC 6533 section 3 has it: \x{F6}.
 */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "mail/envelope.h"
#include "mail/outcome.h"

enum dsn_reader { DSN_FOR_SENDER, DSN_FOR_OPERATOR };

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
	enum dsn_reader reader;
	struct span to;			/* who is told */
	struct span sender;		/* of the message; "" : <> */
	struct span envid;		/* xtext, or "" */
	enum dsn_ret ret;
	int64_t arrival_ms, now_ms;	/* wall clock */
	int64_t until_ms;		/* DSN_DELAYED: when we give up */
	unsigned attempts;
	/* The message's bytes as far as they are at hand: the header section
	 * is returned, cut behind its last whole field when there is more of
	 * it; and to the sender, for RET=FULL, all of it when `whole' says
	 * that this is all and it is small, and when no line of it is longer
	 * than a report can have (RFC 2045 section 2.7). */
	struct span original;
	bool whole;
	bool smtputf8;			/* it may hold UTF-8 (RFC 6533) */
	const struct dsn_rcpt *rcpts;
	size_t rcpt_count;
	/* for the operator; "" : not known */
	struct span client, helo, user, listener, route;
	bool sender_told;
};

/* Appends a complete message (header and body, CRLF lines).  False when out
 * has no room. */
bool dsn_write(struct buf *out, const struct dsn_facts *f);

/* Whether this recipient wants to hear of the action (RFC 3461 section 4.1:
 * nothing said means FAILURE, and DELAY where we choose to). */
bool dsn_wanted(unsigned notify, enum dsn_action action);

/* What a report of ours was about, from its own text as dsn_write() made it,
 * for the log when it could not be delivered itself. */
struct dsn_story {
	char id[32], sender[LIMIT_PATH + 1];
	char rcpt[LIMIT_PATH + 20];	/* the first of them */
	size_t rcpts;			/* that were seen */
	char why[2 * LIMIT_OUTCOME_TEXT];	/* of the first */
};
/* report may end anywhere.  False: it is no report of ours, or its beginning
 * does not tell. */
bool dsn_read(struct span report, struct dsn_story *ret);

#endif
