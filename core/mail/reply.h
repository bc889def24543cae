/* reply.h - SMTP replies, given and received
 *
 * RFC 5321 section 4.2; enhanced status codes: RFC 2034, 3463.
 */
#ifndef MAIL_REPLY_H
#define MAIL_REPLY_H

#include "base/buf.h"
#include "base/error.h"

/* An enhanced status code, 5.7.1; all zero: none was given. */
struct enhanced {
	unsigned short class, subject, detail;
};

/* Takes one from the front of *s, with no blank around it, and moves *s. */
bool enhanced_parse(struct span *s, struct enhanced *ret);
/* "" when it is zero.  size of 12 is enough for what is used. */
const char *enhanced_text(struct enhanced e, char *buf, size_t size);

/* A reply that we give: a plain value, so that a handler returns exactly
 * one.  More than one line: separate them by '\n' in text.  The codes 221 and
 * 421 set closes by themselves. */
struct reply {
	int code;
	char enhanced[12];		/* "2.1.5", or "" */
	char text[500];
	bool closes;			/* the session ends after it */
};

struct reply reply(int code, const char *enhanced, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* With the error's text; its hint is for the operator and stays out. */
struct reply reply_error(int code, const char *enhanced,
			 const struct error *err);
/* Appends it in wire form: what is not printable ASCII becomes '?', every
 * line ends in CRLF and is at most 512 octets (the rest is cut).  False, with
 * nothing added, when out has no room. */
bool reply_format(const struct reply *r, struct buf *out);

/* A reply that we received.  text holds all lines without codes, joined by
 * '\n', and is borrowed from the parser until its next call.  code is that of
 * the last line; enhanced is zero when there was none of the code's class.
 * Lines may end in LF alone or after several CRs, and between the lines of one
 * reply there may be some without a code, which are text. */
struct smtp_reply {
	int code;
	struct enhanced enhanced;
	struct span text;
};

enum parse { PARSE_MORE, PARSE_OK, PARSE_BAD };

struct reply_parser {
	struct buf text;		/* BUF_MAX(LIMIT_REPLY) */
	struct enhanced enhanced;	/* the first that the reply had */
	int code;			/* of the latest line */
	size_t lines;			/* of the reply that is under way */
};

void reply_parser_init(struct reply_parser *p);
void reply_parser_fini(struct reply_parser *p);

/* Takes whole lines from the front of in.  PARSE_OK: *ret is one complete
 * reply (what follows it is left in in); PARSE_MORE: needs more bytes;
 * PARSE_BAD: not SMTP, or longer than LIMIT_REPLY: why says what came. */
enum parse reply_parse(struct reply_parser *p, struct buf *in,
		       struct smtp_reply *ret, struct error *why);

#endif
