/* fixup_inside.h - what the files behind fixup.h share; for no others */
#ifndef MAIL_FIXUP_INSIDE_H
#define MAIL_FIXUP_INSIDE_H

#include "mail/fixup.h"

enum { FIXUP_MESSAGE_ID_MAX = 1000 };

/* --- fixup_line.c: a line by itself ---------------------------------- */

/* Rows of the table of well-known fields that have a meaning here. */
enum known_row {
	KNOWN_RECEIVED, KNOWN_FROM, KNOWN_DATE, KNOWN_MESSAGE_ID, KNOWN_SENDER,
	KNOWN_NONE = 31,		/* no row */
};
_Static_assert(KNOWN_NONE <= 32, "struct fixup: seen has 32 bits");

/* Its row, or KNOWN_NONE. */
size_t known_find(struct span name);
bool known_once(size_t row);		/* it can stand only once */

enum line_kind {
	LINE_EMPTY,
	LINE_FIELD,
	LINE_MORE,			/* of the field before it */
	LINE_MAILBOX,			/* From ..., >From ... */
	LINE_BROKEN,
};
enum line_kind line_kind(struct span line);

/* "From root Mon Nov 14 23:42 UTC 2016", but not "From 10:30 on it is too
 * hot": a month comes before the time. */
bool line_is_stamped(struct span line);
bool line_whole(struct span line);

/* --- fixup_put.c: what goes out -------------------------------------- */

/* With `instead' in the place of each bare CR.  The callers have seen to the
 * room. */
void fixup_put(struct fixup *f, struct span s, struct span instead,
	       struct buf *out);
void fixup_header_put(struct fixup *f, struct span s, struct buf *out);
/* A line that is of the header, whatever it looks like. */
void fixup_line_take(struct fixup *f, struct span line, struct buf *out);

#endif
