/* ports.h - the sockets that are bound for the listeners
 *
 * For each address one socket for each intake loop (SO_REUSEPORT).  The list
 * is the main thread's; of the array of descriptors each loop touches its
 * own, which a listener owns as soon as there is one.
 */
#ifndef DAEMON_PORTS_H
#define DAEMON_PORTS_H

#include "base/error.h"
#include "base/ip.h"

struct listener_config;
struct snapshot;

/* One address. */
struct ports {
	struct ports *next;
	struct endpoint at;
	const struct listener_config *config;	/* in the snapshot in force */
	int *fds;			/* -1 once a listener owns it */
};

/* What a snapshot says of an address; NULL: it does not list it. */
const struct listener_config *ports_config(const struct snapshot *snap,
					   struct endpoint at);

/* Binds n sockets for each address of snap that is not in the list yet; all
 * or none.  Nothing listens. */
bool ports_bind(struct ports **list, size_t n, const struct snapshot *snap,
		struct error *err);
bool ports_listen(const struct ports *list, size_t n, struct error *err);
/* Closes what snap does not list. */
void ports_keep(struct ports **list, size_t n, const struct snapshot *snap);
void ports_free(struct ports **list, size_t n);

#endif
