/* header.h - the header section of a message, looked at and added to
 *
 * RFC 5322 sections 2.2 and 3.6.  Pure.  The message itself is never
 * rewritten here: what we add goes into a prefix that is put in front of it.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/buf.h"

/* One field as it stands in the message; name without the colon, value
 * folded as it is, without its last line end. */
struct header_field {
	struct span name, value;
};

/* The length of the field name at the front of the line; 0 when there is no
 * name, or no colon behind it.  *colon is then set to where that stands:
 * blanks before it are obsolete syntax (RFC 5322 section 4.5), and still
 * met. */
size_t header_name_length(struct span line, size_t *colon);

/* Takes the field at the front of *s and moves *s behind it.  False at the
 * empty line that ends the section, at the end of s, and at a line that is
 * no field (the body began without an empty line). */
bool header_next(struct span *s, struct header_field *ret);

/* "<id>" of a Message-ID field's value, or its first word; borrowed. */
struct span header_message_id(struct span value);

/* The nth (from 0) field called name; false when there is none. */
bool header_find(struct span section, struct span name, size_t nth,
		 struct header_field *ret);

/* Appends the value on one line: folds become one blank; trimmed.  False when
 * b took only the beginning. */
bool header_unfold(struct buf *b, struct span value);

/* What is asked of every message, in one pass. */
struct header_facts {
	unsigned received;		/* Received fields: a loop? */
	bool has_date, has_message_id, has_from;
	bool complete;			/* the empty line was seen */
	size_t length;			/* bytes up to and with the empty line,
					 * or up to what is no field */
	struct span message_id;		/* "<a@b>", borrowed; "" : none */
};
void header_scan(struct span message, struct header_facts *ret);

/* Whether a byte above 127 occurs in the header section of the message. */
bool header_has_8bit(struct span message);

/* A field "Name: value CRLF" with a value that is folded at blanks before
 * column 78.  False when name or value holds what no field may hold (a bare
 * CR or LF, a NUL) or b has no room. */
bool header_add(struct buf *b, struct span name, struct span value);

/* The trace field (RFC 5321 section 4.4). */
struct received {
	struct span helo;		/* as said; "" : nothing was said */
	struct span client;		/* 192.0.2.7 or IPv6:2001:db8::1 */
	struct span by;			/* our host name */
	struct span with;		/* SMTP ESMTP ESMTPSA UTF8SMTP ... */
	struct span tls;		/* "TLS1.3 with cipher ...", or "" */
	struct span id;
	struct span for_;		/* the only recipient, or "" */
	int64_t wall_ms;
};
bool header_add_received(struct buf *b, const struct received *r);

#endif
