/* hostname.h - our own name: what cannot be one, and what others will not have
 *
 * Pure.  RFC 1123 section 2.1 and RFC 5321 section 4.1.2 are stricter than
 * what domain_valid() takes from strangers: here an administrator writes, and
 * a slip is not to be found out by the servers that refuse it.
 */
#ifndef MAIL_HOSTNAME_H
#define MAIL_HOSTNAME_H

#include "base/arena.h"
#include "base/span.h"

/* Why it is no host name, to stand behind it: "has an underscore"; NULL: it
 * can be one. */
const char *hostname_fault(struct span name);

/* Has a domain.  One that has not can be looked up by nobody else, and many
 * servers refuse it in EHLO. */
bool hostname_is_full(struct span name);

/* As it stands in a Message-ID and in reports, which must have a domain:
 * "gw" becomes gw.localdomain; a full name is returned as it is. */
const char *hostname_full(const char *name, struct arena *a);

#endif
