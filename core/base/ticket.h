/* ticket.h - names for objects that may be gone when an answer comes
 *
 * A table lives on one thread.  A ticket is a number, so it may travel
 * anywhere; one for an object that is gone finds nothing.  A ticket is never
 * 0, and is not used again before 2^32 others of its place have been.
 */
#ifndef BASE_TICKET_H
#define BASE_TICKET_H

#include <stdint.h>

struct tickets;

struct tickets *tickets_new(void);
void tickets_free(struct tickets **t);

uint64_t ticket_open(struct tickets *t, void *object);
void *ticket_find(const struct tickets *t, uint64_t ticket);	/* or NULL */
void ticket_close(struct tickets *t, uint64_t ticket);		/* 0 is fine */

#endif
