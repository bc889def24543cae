/* fixup.h - what a client sends becomes the message that is stored
 *
 * Stands between the bytes of DATA or BDAT and whoever keeps the message.
 * The header section is put right line by line while it streams by; the body
 * goes through the decoder of dot.h alone.  A message that needs no repair
 * comes out as it came in.  What comes out begins with a header section that
 * ends in an empty line, whatever came in:
 *
 *   - byte-order marks (UTF-8) at the beginning are dropped;
 *   - lines `From ...' and `>From ...' of a mailbox file at the beginning
 *     become fields X-Mailbox-Line, when a field follows or the line tells a
 *     month and a time of day (text may begin with "From ", too);
 *   - a line that is no field becomes a continuation of the field before it,
 *     when a well-known field follows before the empty line and within
 *     FIXUP_HELD bytes.  A field that can stand only once, and stands already,
 *     proves nothing.  Behind a From or Sender with an address, a Date or a
 *     Message-ID, which more words would spoil, it becomes a field
 *     X-Broken-Line; `>From ...' becomes X-Mailbox-Line;
 *   - at any other line that is no field the body begins: the empty line is
 *     put before it.  So it is at the end of a message without one;
 *   - a bare CR in a field becomes a blank;
 *   - Date and Message-ID without a value are dropped, and of several the
 *     first one stays: the others become X-Duplicate-Date and
 *     X-Duplicate-Message-ID.
 *
 * With BARE_LF_REFUSE the same is done; the message is refused in the end.
 * Memory: FIXUP_HELD and a few hundred bytes, however long the header is.
 */
#ifndef MAIL_FIXUP_H
#define MAIL_FIXUP_H

#include "mail/dot.h"
#include "mail/header.h"

enum {
	FIXUP_HELD = 4096,		/* lines that wait to be understood */
	FIXUP_ROOM = 8 * FIXUP_HELD,	/* that `out' must have */
};

/* What the held lines are, if no field follows them: text. */
enum fixup_hold {
	FIXUP_NOTHING,
	FIXUP_MAILBOX_LINES,		/* only `From ...' so far */
	FIXUP_BROKEN_LINES,
};

struct fixup {
	struct dot_decoder decoder;	/* borrowers read saw_* and size */
	/* Of all of the header section, as it was put out; message_id lives
	 * as long as the fixup. */
	struct header_facts facts;
	bool header_8bit;
	/* private */
	bool in_body;
	bool begun;			/* a field has been put out */
	bool full;			/* the latest takes no broken lines */
	bool in_line;			/* the rest of a long line goes out */
	size_t row;			/* the latest field's, see fixup.c */
	enum fixup_hold hold;
	size_t line;			/* where the latest one begins in held */
	uint32_t seen;			/* well-known fields, by their rows */
	struct buf held;
	struct buf empty_field;		/* Date or Message-ID, no value yet */
	struct buf message_id;
};

void fixup_init(struct fixup *f, enum bare_lf policy);
void fixup_fini(struct fixup *f);	/* a zeroed one is allowed */

/* As dot_decode() and chunk_decode().  Both use nothing when out has not
 * FIXUP_ROOM bytes left while the header section is under way. */
size_t fixup_data(struct fixup *f, struct span in, struct buf *out,
		  bool *ended);
size_t fixup_chunk(struct fixup *f, struct span in, struct buf *out);
/* At BDAT LAST; false, with nothing done, when out has not FIXUP_ROOM. */
bool fixup_chunk_finish(struct fixup *f, struct buf *out);

#endif
