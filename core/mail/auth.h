/* auth.h - what a client says to prove who it is
 *
 * Pure: the server's challenges come in, responses go out, both decoded.
 * Every mechanism is used in its two-step form, AUTH NAME and then the
 * response to an empty challenge (RFC 4954 section 4): a token in the AUTH
 * line would be too long for some servers.  Others know no two steps, and
 * refuse; they may be given the response in the AUTH line, where
 * auth_speaks_first() says so.
 *
 * XOAUTH2 (Google's and Microsoft's), OAUTHBEARER (RFC 7628), PLAIN (RFC
 * 4616), LOGIN (by custom).
 */
#ifndef MAIL_AUTH_H
#define MAIL_AUTH_H

#include "base/buf.h"

/* Bits, so that several may be allowed; AUTH_XOAUTH2 and so on are those of
 * POSTERN_AUTH_*. */
enum auth_mechanism {
	AUTH_XOAUTH2 = 1,
	AUTH_OAUTHBEARER = 2,
	AUTH_PLAIN = 4,
	AUTH_LOGIN = 8,
};

struct auth_credentials {
	unsigned mechanisms;		/* that may be used; 0: no AUTH */
	const char *user;
	const char *secret;		/* a password or an access token */
	/* for OAUTHBEARER, which names where it goes */
	const char *host;
	unsigned port;
};

enum { AUTH_TOKEN_MAX = 16 * 1024 };	/* the longest secret that is sent */

/* "XOAUTH2"; NULL for what is not one bit of the above. */
const char *auth_name(enum auth_mechanism m);
/* The bit of a name as it stands in a server's EHLO, or 0. */
unsigned auth_by_name(struct span name);
/* Of those that are allowed and offered, the one to use; 0: none. */
enum auth_mechanism auth_choose(unsigned allowed, unsigned offered);
/* Whether the client says the first word, so that AUTH NAME RESPONSE is the
 * same as two steps.  In LOGIN it does not. */
bool auth_speaks_first(enum auth_mechanism m);
/* "XOAUTH2 PLAIN", or "none". */
const char *auth_names(unsigned mechanisms, char *buf, size_t size);

enum auth_say {
	AUTH_RESPONSE,		/* a part of the exchange */
	AUTH_AFTER_ERROR,	/* the challenge tells why it will fail; this
				 * goes on to the final reply */
	AUTH_CANCEL,		/* the mechanism has nothing more to say: `*' */
};

/* The response to the challenge that has number step, counted from 0; it is
 * appended to out, which holds a secret then. */
enum auth_say auth_respond(enum auth_mechanism m, unsigned step,
			   const struct auth_credentials *c, struct buf *out);

#endif
