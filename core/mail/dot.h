/* dot.h - the body as DATA carries it: dots, line ends and the end
 *
 * RFC 5321 section 4.5.2.  Only CRLF.CRLF ends a message; what stands for a
 * line end inside it is a matter of policy (SMTP smuggling: a bare LF or CR
 * is never taken as part of an end of data).
 */
#ifndef MAIL_DOT_H
#define MAIL_DOT_H

#include "base/buf.h"

/* --- receiving ------------------------------------------------------- */

enum bare_lf { BARE_LF_REPAIR, BARE_LF_REFUSE };

struct dot_decoder {
	unsigned char state;		/* private */
	bool repair;
	bool keep_cr;			/* even with REPAIR: fixup.h sees to
					 * bare CRs in the header section */
	bool saw_bare;			/* a bare LF or CR came */
	bool saw_8bit;			/* a byte above 127 came */
	uint64_t size;			/* bytes put out so far */
};

void dot_decoder_init(struct dot_decoder *d, enum bare_lf policy);

/* Decodes from the front of in and appends to out.  Returns how many bytes
 * of in were used; *ended says that the end of data was among them.  Stops
 * early when out is at its maximum.  The output always ends in CRLF.
 * With REPAIR a bare LF or CR becomes CRLF in the output; with REFUSE the
 * bytes go through as they came, and saw_bare tells.
 *
 * Dots behind a bare line end: RFC 5321 section 4.5.2 speaks of lines, which
 * end in CRLF, and says nothing here.  To repair means to read what the
 * device meant: its lines end there.  One that doubles dots has doubled this
 * one (PHP's manual on Windows tells to replace "\n." by "\n.."), so of two
 * the first is deleted, as all receivers do that take bare line ends; one
 * that does not double would lose a single dot, so that stays.  What is lost
 * is a dot of a line that begins with two, from a device that never doubles.
 * An end of data is never found there. */
size_t dot_decode(struct dot_decoder *d, struct span in, struct buf *out,
		  bool *ended);

/* The same policy for BDAT, which has no dots and no end. */
size_t chunk_decode(struct dot_decoder *d, struct span in, struct buf *out);
/* At BDAT LAST: completes a last line that lacks its CRLF. */
bool chunk_finish(struct dot_decoder *d, struct buf *out);

/* --- sending --------------------------------------------------------- */

/* Doubles the dots.  A plain value; starts zeroed. */
struct dot_encoder {
	unsigned char state;		/* private; 0: at the start of a line */
};

/* Appends in, encoded; false, with nothing added, when out has no room for
 * twice in.  The body consists of whole CRLF lines; should a bare CR or LF be
 * among them, a dot behind it is doubled too. */
bool dot_encode(struct dot_encoder *e, struct span in, struct buf *out);
/* Appends ".CRLF", and a CRLF before it when the last line had none. */
bool dot_finish(struct dot_encoder *e, struct buf *out);

#endif
