/* mime.h - text put into ASCII, and read from it
 *
 * What delivery reports need of RFC 2045 (quoted-printable), RFC 2047 (encoded
 * words) and RFC 6533 (Unicode in the fields of an ASCII report).  Pure; each
 * function appends to out and returns false when out has no room: then a part
 * may have been added.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "base/buf.h"

/* Lines of CRLF as quoted-printable. */
bool mime_quoted(struct buf *out, struct span text);

/* The value of a header field for a reader: encoded words in UTF-8, US-ASCII
 * and ISO-8859-1 become UTF-8; all others stay as they are. */
bool mime_words(struct buf *out, struct span value);

/* RFC 6533 section 3: what is not ASCII as "\x{F6}".  An address has the
 * other characters so, too, that its grammar (utf-8-addr-xtext) leaves out. */
bool mime_ascii(struct buf *out, struct span text, bool is_address);

#endif
