/* address.h - mailboxes and domains as SMTP writes them
 *
 * Grammar: RFC 5321 section 4.1.2, with UTF-8 as RFC 6531 section 3.3 has
 * it.  Pure: looks at borrowed bytes, allocates nothing.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "base/error.h"
#include "base/span.h"

/* A mailbox without its angle brackets.  All three spans point into the text
 * that was parsed and live as long as it does.  The null path has an empty
 * text; `postmaster' has a local part and no domain. */
struct address {
	struct span text;	/* local@domain, as written */
	struct span local;	/* with its quotes, when it has some */
	struct span domain;	/* "" | example.org | [192.0.2.1] */
};

enum address_flag {
	ADDRESS_NULL = 1,	/* <> is allowed (a reverse-path) */
	ADDRESS_POSTMASTER = 2,	/* <postmaster> without a domain is allowed */
	ADDRESS_UTF8 = 4,	/* bytes above 127 are allowed */
	ADDRESS_NO_DOMAIN = 8,	/* any local part without a domain is allowed */
};

/* Parses `local@domain', nothing around it.  ret->text is s. */
bool address_parse(struct span s, unsigned flags, struct address *ret,
		   struct error *err);

/* Parses a path at the front of *s, as MAIL and RCPT have it: angle
 * brackets (which devices may leave out), a source route (which is skipped).
 * Moves *s behind it. */
bool path_parse(struct span *s, unsigned flags, struct address *ret,
		struct error *err);

bool domain_valid(struct span s, bool utf8);	/* name, not [literal] */
bool address_needs_utf8(struct span text);	/* a byte above 127 */

/* Local parts equal to the letter, domains without regard to case. */
bool address_eq(struct address a, struct address b);

/* The mailbox as it is written plainly: "a" and "\a" in quotes are a (RFC
 * 5321 section 4.1.2).  Quotes stay where they are needed, backslashes before
 * a quote and a backslash.  a itself when it is plain; else its spans point
 * into room, of LIMIT_PATH bytes. */
struct address address_plain(struct address a, char *room);

#endif
