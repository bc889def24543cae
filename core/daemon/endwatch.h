/* endwatch.h - the end of the gateway has a limit
 *
 * From the first call on a thread of its own watches.  What does not end in its
 * time is named in the log, and the process ends without it, with status 70: as
 * after a kill, no message that was acknowledged is lost.  So nothing that hangs
 * (a module's thread, a disk, a library) keeps a successor from starting.
 */
#ifndef DAEMON_ENDWATCH_H
#define DAEMON_ENDWATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct endwatch {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool started, over;
	const char *what;		/* that is waited for now */
	int64_t wait_ms, until_ms;	/* by clock_awake_ms() */
};

#define ENDWATCH_INIT { .lock = PTHREAD_MUTEX_INITIALIZER,	\
		      .changed = PTHREAD_COND_INITIALIZER }

/* Now `what' (a constant) is waited for, for so long at most. */
void endwatch_expect(struct endwatch *e, const char *what, int64_t wait_ms);
/* The same, within the time that was given before. */
void endwatch_goes_on(struct endwatch *e, const char *what);
/* It has ended. */
void endwatch_over(struct endwatch *e);

#endif
