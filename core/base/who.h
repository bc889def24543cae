/* who.h - who wants something of the running gateway
 *
 * The operator's acts are logged with whoever asked for them.  A plain value.
 */
#ifndef BASE_WHO_H
#define BASE_WHO_H

#include "base/log.h"

enum who_kind {
	WHO_NOBODY,		/* the gateway itself: not an act to tell of */
	WHO_USER,		/* at the control socket */
	WHO_SIGNAL,		/* whose sender is not known */
};

struct who {
	enum who_kind kind;
	unsigned uid;
	char user[40];		/* its name, the signal's; or "" */
};

/* The name is looked up in /etc/passwd alone: a directory on the network could
 * keep us waiting.  Reads a file: not on a loop. */
struct who who_user(unsigned uid);
struct who who_signal(const char *name);

/* Fields that say who: "uid" and "user", or "signal"; borrowed from w.  How
 * many of the WHO_FIELDS. */
enum { WHO_FIELDS = 2 };
size_t who_fields(const struct who *w, struct log_field *to);

#endif
