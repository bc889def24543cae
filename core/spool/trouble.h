/* trouble.h - why mail is refused for now, and until when
 *
 * The disk has less room than limits.free_space wants, a batch found no room,
 * or the store is in doubt.  On a full disk the reserve (reserve.h) is given
 * up to what makes room: settles and removals.  Mail is accepted again when
 * the reserve could be made again.
 *
 * What is promised: on a full disk, whoever filled it, what is in the queue
 * can be delivered and removed, and no result is lost for want of room.  The
 * store takes the room of what it accepts before it says so (sqlite_room.c),
 * so that its log can be used again; results go in portions that fit
 * (batch.c); and what the queue no longer needs is the disk's again.
 *
 * All of it is the spool thread's.
 */
#ifndef SPOOL_TROUBLE_H
#define SPOOL_TROUBLE_H

#include <stdbool.h>

struct error;
struct spool;

enum { ROOM_LOOK_MS = 1000 };	/* room is looked for so often */

/* The store is in doubt; when the disk is full, that is why. */
void trouble_store(struct spool *s, const struct error *err);
/* A batch found no room; makes_room: it was one that would have made some,
 * which is what the reserve is for. */
void trouble_full(struct spool *s, bool makes_room, const struct error *err);
/* Mail is accepted, for all that a store has to say. */
void trouble_end(struct spool *s);

/* At the start: makes the reserve, and begins as full when it cannot. */
void room_find(struct spool *s);
/* What a client sent may be stored; where not, trouble has begun. */
bool room_is_there(struct spool *s);

#endif
