/* hostname.h - the name of this host, where the configuration has none
 *
 * The system's resolver knows it (hosts, DNS), and it may be dead: whoever
 * asks, which each command does, waits for HOSTNAME_TIMEOUT_MS at most.
 */
#ifndef DAEMON_HOSTNAME_H
#define DAEMON_HOSTNAME_H

#include "base/arena.h"

enum { HOSTNAME_TIMEOUT_MS = 2000 };

/* The full name or, where it is not known in time, the short one.  Blocks. */
char *hostname_find(struct arena *arena);

#endif
