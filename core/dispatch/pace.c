/* pace.c - a ring of the latest starts */
#include "dispatch/pace.h"

#include "base/macros.h"
#include "base/mem.h"

void
pace_set(struct pace *p, unsigned most)
{
	struct pace was = *p;

	most = MIN(most, (unsigned)PACE_MOST);
	if (most == p->most)
		return;
	*p = (struct pace){ .most = most };
	if (most > 0)
		p->starts = mem_array(most, sizeof(*p->starts));
	for (unsigned i = 0; i < was.n && most > 0; i++)
		pace_note(p, was.starts[(was.at + i) % was.most]);
	mem_free(was.starts);
}

void
pace_fini(struct pace *p)
{
	mem_free(p->starts);
	*p = (struct pace){ .most = 0 };
}

int64_t
pace_wait_ms(const struct pace *p, int64_t now_ms)
{
	int64_t left;

	if (p->most == 0 || p->n < p->most)
		return 0;
	left = p->starts[p->at] + PACE_WINDOW_MS - now_ms;
	return MAX(left, 0);
}

void
pace_note(struct pace *p, int64_t now_ms)
{
	if (p->most == 0)
		return;
	if (p->n < p->most) {
		p->starts[(p->at + p->n++) % p->most] = now_ms;
		return;
	}
	p->starts[p->at] = now_ms;
	p->at = (p->at + 1) % p->most;
}
