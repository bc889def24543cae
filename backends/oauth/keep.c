/* keep.c - a new sign-in is made durable
 *
 * One write at a time: what comes while one is under way is written after it,
 * so that its end is always that of the newest.  One that fails is repeated
 * until it succeeds, and a last time when the instance is retired.
 */
#include "oauth.h"

enum { KEEP_AGAIN_MS = 60 * 1000 };

static void
on_keep_again(void *arg)
{
	struct oauth *o = arg;

	o->token.again = 0;
	if (o->token.unkept && !o->token.keeping)
		token_keep(o);
}

void
token_keep(struct oauth *o)
{
	struct token *t = &o->token;

	t->unkept = 1;
	t->keep_more = t->keeping;
	if (t->keeping)
		return;
	t->keeping = 1;
	store_keep(o);
}

static void
keep_failed(struct oauth *o, const char *why)
{
	struct token *t = &o->token;

	postern_log(o->me, POSTERN_ERROR, "the new sign-in cannot be stored: %s; "
		    "%s", why, o->retired ? "the sign-in may be lost"
		    : "until it is stored, do not stop the gateway and do not "
		    "change this route");
	postern_timer_stop(o->me, t->again);
	t->again = o->retired ? 0 : postern_timer(o->me, KEEP_AGAIN_MS,
						  on_keep_again, o);
	login_unkept(o, why);
}

void
token_kept(struct oauth *o, int ok, const char *why)
{
	struct token *t = &o->token;

	t->keeping = 0;
	if (t->keep_more) {
		token_keep(o);
		return;
	}
	t->unkept = !ok;
	if (!ok)
		keep_failed(o, why);
	if (t->state == TOKEN_KEEPING)
		token_ends(o, 1);
}
