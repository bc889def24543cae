/* xtext.h - the xtext of RFC 3461 section 4, in ENVID, ORCPT and reports */
#ifndef MAIL_XTEXT_H
#define MAIL_XTEXT_H

#include "base/buf.h"
#include "base/span.h"

/* Not empty, and well-formed. */
bool xtext_valid(struct span s);
/* To what it stands for and back, appended to b; false leaves b as it was:
 * s is malformed, or there is no room. */
bool xtext_decode(struct buf *b, struct span s);
bool xtext_encode(struct buf *b, struct span s);

#endif
