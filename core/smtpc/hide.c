/* hide.c - a login that a server says back to us is blotted out
 *
 * A server that takes a response for a command repeats it in its refusal,
 * some others do so out of courtesy; what they say goes into logs and reports.
 * So whatever they say while we sign in is searched for pieces of what we have
 * said: the secret, and the lines that carried it.
 */
#include "smtpc/client.h"

#include "base/macros.h"
#include "smtpc/errand.h"

#include <string.h>

enum {
	PIECE = 12,		/* a shorter one may be chance */
	LOOKED_AT = 1000,	/* bytes; more than is ever shown */
};
_Static_assert((int)LOOKED_AT > (int)LIMIT_OUTCOME_TEXT, "all that is shown");

/* How much of what stands here is in s, too; 0 if it is too little. */
static size_t
piece_at(const char *text, size_t n, struct span s)
{
	size_t k = MIN(s.n, (size_t)PIECE);

	if (k == 0 || n < k || memmem(s.p, s.n, text, k) == NULL)
		return 0;
	while (k < n && memmem(s.p, s.n, text, k + 1) != NULL)
		k++;
	return k;
}

static void
hide(char *text, size_t n, struct span s)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = piece_at(text + i, n - i, s);

		if (k == 0)
			continue;
		memset(text + i, '*', k);
		i += k - 1;
	}
}

void
hide_login(const struct client *c, char *text, size_t n)
{
	n = MIN(n, (size_t)LOOKED_AT);
	for (unsigned step = 0; step < c->auth_step; step++) {
		AUTO(buf_wipe) struct buf line = LOGIN_LINE;

		login_line(c, step, &line);
		hide(text, n, buf_span(&line));
	}
	if (c->auth_step > 0)
		hide(text, n, span_of(c->errand->plan->auth.secret));
}
