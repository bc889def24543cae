/* put.h - writing without waiting for ever
 *
 * For what is written where somebody else reads: a pipe, a socket or a terminal
 * whose reader may have stopped reading.
 */
#ifndef BASE_PUT_H
#define BASE_PUT_H

#include "base/span.h"

enum put_result {
	PUT_ALL,
	PUT_LATE,		/* the time is up */
	PUT_NOBODY,		/* nobody can read it any more */
};

/* Writes within the time; *s is what is left.  Any thread. */
enum put_result put_write(int fd, struct span *s, int64_t wait_ms);

/* Another descriptor of the same pipe, for which nobody else can take the room
 * that was there a moment ago; -1: it is no pipe, or cannot be had. */
int put_open(int fd);

#endif
