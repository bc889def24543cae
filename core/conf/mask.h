/* mask.h - values that a message may not show, though nobody bound them
 *
 * Binding knows which values are secret and conceals them in the tree.  A
 * line with bad syntax, or with a mistyped key, is shown before that, so
 * keys that are named like secrets are masked by their names.
 */
#ifndef CONF_MASK_H
#define CONF_MASK_H

#include "base/span.h"

/* password, passwd, client_secret, token ...; not password_file. */
bool mask_wants(struct span key);

/* Overwrites with `*' the values of such keys in a line of YAML, and what stands
 * before the @ of a URL, or of USER:PASSWORD@HOST. */
void mask_line(char *line, size_t n);

/* A text line by line: what of it goes on with a secret that began in a line
 * before.  { 0 } before the first. */
struct masking {
	bool under_way;			/* the next line may belong to it */
	bool empty;			/* nothing of its value has come yet */
	char quote;			/* that is open, or '\0' */
	size_t column;			/* of its key */
};
/* Whether this line does; then nothing of it may be shown.  In doubt it
 * does. */
bool mask_next(struct masking *m, struct span line);

#endif
