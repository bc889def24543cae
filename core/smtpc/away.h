/* away.h - addresses that could not be reached, remembered for a while
 *
 * Private to smtpc/.  Who has several to choose from tries the others first,
 * so that not every message pays for a dead server with the patience of a
 * connection; nobody is refused a try.  A minute after the first failure, and
 * twice as long after each further one, a single caller is let through to
 * find out; until it has, the others still go by.
 */
#ifndef SMTPC_AWAY_H
#define SMTPC_AWAY_H

#include "base/ip.h"

enum {
	AWAY_MAX = 256,			/* those that are due soonest give way */
	AWAY_FIRST_MS = 60 * 1000,
	AWAY_LONGEST_MS = 15 * 60 * 1000,
	AWAY_LOOK_MS = 60 * 1000,	/* the time of who was let through */
};

struct away;

struct away *away_new(void);
void away_free(struct away **w);

/* Whether there is reason to try others first.  False may mean: you are the
 * one to find out. */
bool away_is(struct away *w, struct endpoint e);
void away_note(struct away *w, struct endpoint e);	/* was not reached */
void away_forget(struct away *w, struct endpoint e);	/* has spoken */

#endif
