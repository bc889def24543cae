/* pace.h - no more than so many in any minute
 *
 * A sliding window: the times of the last starts are kept, and the next may
 * come when the oldest of them is a minute old.  Pure arithmetic on the
 * monotonic clock.
 */
#ifndef DISPATCH_PACE_H
#define DISPATCH_PACE_H

#include <stdint.h>

struct pace {
	unsigned most;			/* in a minute; 0: no limit */
	unsigned at, n;			/* the oldest, how many are kept */
	int64_t *starts;		/* most of them, a ring */
};

enum { PACE_WINDOW_MS = 60 * 1000, PACE_MOST = 10000 };

/* Keeps what it knows, as far as there is room. */
void pace_set(struct pace *p, unsigned most);
void pace_fini(struct pace *p);
/* How long until one more may start; 0: now. */
int64_t pace_wait_ms(const struct pace *p, int64_t now_ms);
void pace_note(struct pace *p, int64_t now_ms);	/* one starts */

#endif
