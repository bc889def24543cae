/* draft.h - a body while it is being received
 *
 * Belongs to one session on one intake loop.  Small ones stay in memory;
 * above LIMIT_INLINE_BODY (a quarter of it when the budget is used up) the
 * bytes go to a file in the spool's folder, written and synced by workers.
 * What the budget has no room for stays in memory only until it is stored.
 */
#ifndef SPOOL_DRAFT_H
#define SPOOL_DRAFT_H

#include "base/loop.h"
#include "spool/spool.h"

struct draft;

/* Two callbacks, on the loop. */
struct draft_events {
	void (*drained)(void *arg);	/* draft_more() may say yes again */
	/* The answer to draft_seal: body is handed over; NULL with err and
	 * status set when it could not be written. */
	void (*sealed)(void *arg, struct body *body, enum spool_status status,
		       const struct error *err);
};

/* id is the message's; no I/O happens yet. */
struct draft *draft_new(struct spool *s, struct loop *loop, uint64_t id,
			const struct draft_events *ev, void *arg);

/* Where decoded bytes are appended.  Its maximum is one chunk; call
 * draft_more() after adding, which may ship it and give you an empty one.
 * False: too much is under way, stop reading until `drained'. */
struct buf *draft_buffer(struct draft *d);
bool draft_more(struct draft *d);

/* For looking at the header: all of its section, or LIMIT_HEADER bytes when it
 * is longer; perhaps what follows it, too.  Borrowed until the draft is used
 * again. */
struct span draft_head(const struct draft *d);
uint64_t draft_size(const struct draft *d);

/* No more bytes: makes it durable as far as a file is concerned, then calls
 * sealed (possibly before this returns).  The draft is over after that. */
void draft_seal(struct draft *d, bool has_8bit, bool header_8bit);

/* Ends it at any time (also after a seal that is still under way), removes
 * its file.  NULL is allowed. */
void draft_drop(struct draft **d);

#endif
