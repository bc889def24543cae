/* reserve.h - room on the disk that is kept for a rainy day
 *
 * A file in the spool's folder that is there for its size alone.  When the
 * disk is full it is given up, so that results can be written and messages
 * delivered or removed, which makes room; it is made again before mail is
 * accepted again, which also proves that there is room.
 */
#ifndef SPOOL_RESERVE_H
#define SPOOL_RESERVE_H

#include <stdbool.h>

/* Makes it, beside the one that may be there already, which it replaces:
 * false when the disk has no room for it. */
bool reserve_make(const char *folder);
/* False: there was none. */
bool reserve_give_up(const char *folder);
/* Less room is left than a reserve takes. */
bool reserve_is_wanted(const char *folder);

#endif
