/* guard.h - how much each client has of us
 *
 * The one thing that intake loops share: a fixed-size sharded table of
 * counters by client address.  A mutex for each shard, no call under it; a
 * full shard evicts the idlest.  Any thread.
 */
#ifndef SMTPD_GUARD_H
#define SMTPD_GUARD_H

#include "base/ip.h"

struct guard;

struct guard *guard_new(void);
void guard_free(struct guard **g);

enum guard_answer { GUARD_OK, GUARD_TOO_MANY, GUARD_TOO_MANY_OF_CLIENT };

/* A session begins: counts it unless one of the limits is reached. */
enum guard_answer guard_enter(struct guard *g, struct ip client,
			      int64_t sessions, int64_t per_client);
void guard_leave(struct guard *g, struct ip client);

/* True once a minute for each client that has a session: a warning about it
 * may be logged.  now_ms: clock_now_ms(). */
bool guard_may_warn(struct guard *g, struct ip client, int64_t now_ms);

/* The same for a line about a session that failed: some a minute for each
 * client, and for all of them together, where strangers (not known) have less
 * than those who may relay. */
bool guard_may_tell(struct guard *g, struct ip client, bool known,
		    int64_t now_ms);

/* Sessions that are open, of all clients. */
int64_t guard_sessions(const struct guard *g);

#endif
