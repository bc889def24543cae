/* secret.h - a value that must not be seen
 *
 * There is no format for it; it is read out by one function, and wiped when
 * its owner is freed.  When it stood in a configuration file, the line is
 * shown with stars in its place.
 */
#ifndef CONF_SECRET_H
#define CONF_SECRET_H

#include "base/span.h"

struct secret {
	char *bytes;			/* from mem_new; use secret_span() */
	size_t n;			/* a NUL stands behind them */
	const char *file;		/* which schema_bind() read it from, the
					 * arena's; or NULL */
};

/* KEY, KEY_file and KEY_credential. */
enum { SECRET_FORMS = 3 };
extern const char *const secret_suffixes[SECRET_FORMS];

static inline struct span
secret_span(const struct secret *s)
{
	return (struct span){ s->bytes, s->n };
}

/* Overwrites, frees and empties it.  Not for one that schema_bind() filled:
 * those belong to their arena, which wipes them when it is freed. */
void secret_wipe(struct secret *s);

#endif
