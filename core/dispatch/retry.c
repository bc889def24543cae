/* retry.c - pauses: pure arithmetic */
#include "dispatch/retry.h"

#include "base/macros.h"

static double
grown(double first, double factor, double longest, unsigned n)
{
	double pause = first;

	/* factor may be 1: the count bounds the loop, not the pause */
	n = MIN(n, 1000u);
	for (unsigned i = 1; i < n && pause < longest; i++)
		pause *= factor;
	return MIN(pause, longest);
}

static int64_t
jittered(double pause, double dice)
{
	pause *= 0.9 + 0.2 * dice;
	return MAX((int64_t)pause, 1);
}

bool
retry_is_over(const struct retry_policy *p, unsigned n, int64_t age_ms)
{
	return n >= 2 && age_ms >= p->give_up;
}

int64_t
retry_pause(const struct retry_policy *p, unsigned n, int64_t age_ms,
	    double dice)
{
	int64_t pause, left = p->give_up - age_ms;

	if (retry_is_over(p, n, age_ms))
		return -1;
	pause = jittered(grown((double)p->first, p->factor,
			       (double)p->longest, n), dice);
	if (left > 0 && pause > left)
		pause = left;
	return pause;
}

int64_t
retry_farthest(const struct retry_policy *p)
{
	return MAX(jittered((double)p->longest, 1),
		   RETRY_PUT_OFF_MOST_MS);
}

int64_t
retry_rest(int64_t first_ms, int64_t longest_ms, unsigned n, double dice)
{
	return jittered(grown((double)first_ms, 2, (double)longest_ms, n),
			dice);
}
