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

/* Overwrites with `*' the values of such keys in a line of YAML. */
void mask_line(char *line, size_t n);

/* Whether a line ends with such a key, so that its value is the next line. */
bool mask_follows(struct span line);

#endif
