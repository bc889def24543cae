/* privileges.h - from root to the service's user, and limits of the process */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include "base/error.h"

#include <sys/types.h>

struct identity {
	uid_t uid;
	gid_t gid;
	bool change;			/* false: stay who we are */
	const char *name;		/* of the user; "" when staying */
};

/* Whom to become: user as configured (NULL: the user postern, when there is
 * one).  Without root there is nothing to change. */
bool identity_find(const char *user, struct identity *ret, struct error *err);

/* Becomes that user, with its groups; only CAP_NET_BIND_SERVICE stays, so
 * that a reload can bind low ports.  Proves that there is no way back. */
bool identity_take(const struct identity *id, struct error *err);

/* A folder that root makes for that user, unless it is there; without root,
 * who needs it makes it.  path may be NULL. */
bool identity_folder(const struct identity *id, const char *path,
		     struct error *err);

/* Whether that user can read the file, its folders included: asked as root
 * before identity_take(), or as the user himself.  Changes nothing that other
 * threads could see. */
bool identity_can_read(const struct identity *id, const char *path,
		       struct error *err);

/* As many descriptors as the system allows; no core dumps, which could hold
 * mail and secrets. */
void process_limits(void);

#endif
