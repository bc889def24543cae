/* own.h - mail of our own: reports and notices; for the files of dispatch/
 *
 * A report tells a sender, or the operator, what became of a message
 * (bounce.c).  A notice tells the operator that a route is paused, or works
 * again (notice.c).  Both are made and sent as own.c has it.  All of it is on
 * the delivery loop.
 */
#ifndef DISPATCH_OWN_H
#define DISPATCH_OWN_H

#include "base/buf.h"
#include "base/loop.h"
#include "mail/notice.h"

struct dispatch;
struct error;
struct item;
struct outlet;
struct route;
struct told_rcpt;

/* --- own.c ----------------------------------------------------------- */

struct draft;

/* A message of ours while it is being made; embedded.  The text is written by
 * whoever embeds it. */
struct own {
	struct dispatch *dispatch;
	struct buf text;
	/* The item, for spool_accept(); NULL with err: it could not be kept.
	 * Perhaps from within own_make(). */
	void (*made)(struct own *m, struct item *item,
		     const struct error *err);
	char *to, *route;			/* owned */
	size_t pushed;			/* bytes of text in the draft */
	uint64_t message_id;
	struct draft *draft;
};
/* The route for it, by the rules in force; NULL: none takes it. */
const struct route *own_route(struct dispatch *d, struct span to,
			      struct span text);
void own_make(struct own *m, struct span to, const char *route);
void own_fini(struct own *m);

/* It is a report or a notice of ours. */
bool item_is_own(const struct item *item);
/* Such a one has failed for good: that is counted and logged.  text is its
 * beginning. */
void own_lost(struct dispatch *d, const struct item *item, struct span text,
	      const struct told_rcpt *t);

/* --- notice.c, notice_send.c, notice_kept.c --------------------------- */

/* See notice.c. */
enum notice_state { NOTICE_QUIET, NOTICE_DUE, NOTICE_TOLD };

struct notice {
	enum notice_state state;
	int64_t since_ms;		/* steady: of the pause */
	int64_t told_ms;		/* steady; 0: not yet */
	char *by;			/* the route that has the mail, or NULL */
	bool asked;			/* what was told before is being read */
	int64_t hour_ms;		/* steady: when an hour began, in which */
	unsigned in_hour;		/* so many pauses were told */
	struct timer timer;
};

void notice_init(struct outlet *o);
void notice_fini(struct outlet *o);
/* A pause begins. */
void notice_route_pauses(struct outlet *o);
/* The route is seen to work, and it is not paused. */
void notice_route_works(struct outlet *o);
/* After a reload it has taken another one's place. */
void notice_inherit(struct outlet *heir, struct outlet *old);

/* Makes the mail; then one of the next two follows for a pause. */
void notice_send(struct outlet *o, enum notice_kind kind);
void notice_sent(struct outlet *o, const char *by);
void notice_failed(struct outlet *o);

/* The record for the next start is written, taken away, and asked for.  In the
 * latter case nothing is told before notice_recalled(). */
void notice_keep(struct outlet *o);
void notice_forget(struct outlet *o);
void notice_recall(struct outlet *o);
/* told_ms 0: there is none. */
void notice_recalled(struct outlet *o, int64_t since_ms, int64_t told_ms);

#endif
