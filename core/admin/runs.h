/* runs.h - actions that somebody at the control socket waits for
 *
 * Lives on the delivery loop.  An action may take as long as a person needs to
 * sign in, so it is begun by one request and looked at by others.  A run that
 * nobody looks at any more is abandoned.  The log says of each how it ended and
 * who began it.
 */
#ifndef ADMIN_RUNS_H
#define ADMIN_RUNS_H

#include "base/error.h"
#include "base/loop.h"
#include "base/who.h"

#include <jansson.h>

struct dispatch;
struct runs;

struct runs *runs_new(struct loop *loop, struct dispatch *d);
void runs_free(struct runs **r);	/* abandons those under way */

/* Its number, or 0 with err. */
uint64_t runs_begin(struct runs *r, const struct who *by, const char *route,
		    const char *action, struct error *err);
/* {"lines": [what was said from line `after' on], "over": b, "ok": b,
 * "unproved": b}; the caller's.  ok: it is over and was done; unproved: it was
 * done, but whether it serves is not known.  NULL: there is no such run, or
 * not any more. */
json_t *runs_look(struct runs *r, uint64_t number, size_t after);
bool runs_cancel(struct runs *r, uint64_t number);

#endif
