/* away.c - a short table, looked through when a connection is begun
 *
 * It is empty nearly always.  Those that are under way to an address when it
 * falls fail with it: that is one failure, not many.
 */
#include "smtpc/away.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"

struct missing {
	struct endpoint at;
	int64_t until_ms;
	unsigned failures;		/* one after another */
	bool looked_for;		/* somebody was let through */
};

struct away {
	struct missing v[AWAY_MAX];
	size_t n;
};

struct away *
away_new(void)
{
	return NEW(struct away);
}

void
away_free(struct away **w)
{
	mem_free(*w);
	*w = NULL;
}

static struct missing *
away_find(struct away *w, struct endpoint e)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->v[i].at.port == e.port && ip_eq(w->v[i].at.ip, e.ip))
			return &w->v[i];
	return NULL;
}

void
away_forget(struct away *w, struct endpoint e)
{
	struct missing *m = away_find(w, e);

	if (m != NULL)
		*m = w->v[--w->n];
}

bool
away_is(struct away *w, struct endpoint e)
{
	struct missing *m = away_find(w, e);
	int64_t now_ms = clock_now_ms();

	if (m == NULL)
		return false;
	if (now_ms < m->until_ms)
		return true;
	if (now_ms - m->until_ms > AWAY_LONGEST_MS) {
		away_forget(w, e);	/* the next time is another trouble */
		return false;
	}
	m->until_ms = now_ms + AWAY_LOOK_MS;
	m->looked_for = true;
	return false;
}

/* Room for one more. */
static struct missing *
away_add(struct away *w)
{
	struct missing *m = &w->v[0];

	if (w->n < AWAY_MAX)
		return &w->v[w->n++];
	for (size_t i = 1; i < w->n; i++)
		if (w->v[i].until_ms < m->until_ms)
			m = &w->v[i];
	return m;
}

static int64_t
away_time_ms(unsigned failures)
{
	int64_t ms = AWAY_FIRST_MS;

	for (unsigned i = 1; i < failures && ms < AWAY_LONGEST_MS; i++)
		ms *= 2;
	return MIN(ms, (int64_t)AWAY_LONGEST_MS);
}

void
away_note(struct away *w, struct endpoint e)
{
	struct missing *m = away_find(w, e);
	int64_t now_ms = clock_now_ms();

	if (m == NULL) {
		m = away_add(w);
		*m = (struct missing){ .at = e };
	} else if (!m->looked_for && now_ms < m->until_ms) {
		return;
	}
	m->failures++;
	m->looked_for = false;
	m->until_ms = now_ms + away_time_ms(m->failures);
}
