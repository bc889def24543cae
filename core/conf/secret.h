/* secret.h - a value that must not be seen
 *
 * There is no format for it; it is read out by one function, and wiped when
 * its owner is freed.
 */
#ifndef CONF_SECRET_H
#define CONF_SECRET_H

#include "base/span.h"

struct secret {
	char *bytes;			/* owned, mem_free; use secret_span() */
	size_t n;
};

static inline struct span
secret_span(const struct secret *s)
{
	return (struct span){ s->bytes, s->n };
}
void secret_wipe(struct secret *s);

#endif
