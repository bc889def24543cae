/* lookalike.h - signs that look like others, and come with copied text
 *
 * YAML takes a no-break space and a curly quote for letters of a word: a key
 * with one is unknown, and a host is not found, and nobody can see why.
 */
#ifndef CONF_LOOKALIKE_H
#define CONF_LOOKALIKE_H

#include "conf/node.h"

struct builder;

/* Says what is wrong with a key or a value that stood without quotes at mark,
 * and takes the signs off, so that the rest can be checked.  False when
 * something was said.  No value is repeated: it may be a secret. */
bool lookalike_key(struct builder *b, struct span *key,
		   const struct mark *mark);
bool lookalike_value(struct builder *b, struct span *value,
		     const struct mark *mark);

/* The name of the first blank in a line that is none to YAML, or NULL. */
const char *lookalike_blank(struct span line);

#endif
