/* retry.h - when an item is tried again */
#ifndef DISPATCH_RETRY_H
#define DISPATCH_RETRY_H

#include "dispatch/config.h"

/* What finds its line full is put off, whatever the policy says; no longer
 * than this. */
enum { RETRY_PUT_OFF_MOST_MS = 10 * 60 * 1000 };

/* The pause in milliseconds that follows attempt n (n >= 1) of an item that
 * is age_ms old, or -1 when it is given up.  Nothing is given up before its
 * second attempt.  A pause that would lead past give_up ends there, so that
 * the last attempt is made when the time is up and not long before.  Pure:
 * chance comes in as dice (0 <= dice < 1). */
int64_t retry_pause(const struct retry_policy *p, unsigned n, int64_t age_ms,
		    double dice);

/* The time is up: an attempt that fails now is the last. */
bool retry_is_over(const struct retry_policy *p, unsigned n, int64_t age_ms);

/* No pause is longer than this, whatever the dice say: what is due later was
 * not put there by this schedule. */
int64_t retry_farthest(const struct retry_policy *p);

/* A number that doubles from first to longest, n counted from 1, with the
 * same jitter of a tenth: for resting destinations. */
int64_t retry_rest(int64_t first_ms, int64_t longest_ms, unsigned n,
		   double dice);

#endif
